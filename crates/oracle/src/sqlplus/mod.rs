//! The conversation with `sqlplus`: statements in, typed rows and typed errors out.
//! What lives here: the child, its sentinels, the row coding, the scan for errors. What does not: which statements a backup needs.
//!
//! Only `sqlplus` gives operating-system authentication, the start of an idle instance and no run-time baggage, and a
//! database administrator can type again what we sent. Its output is text made for people, so nothing in it is believed
//! without a frame of our own: every statement stands between two sentinels that carry a number nobody else can know,
//! every row is one line that we delimit and escape ourselves, and an answer whose end sentinel is missing is a failure
//! whatever the exit status says.

mod child;
mod error;
mod message;
mod replay;
mod row;
mod statement;

use std::time::Duration;

pub use child::{Logon, Sqlplus, SqlplusBuilder};
pub use error::SqlplusError;
pub use message::{OracleMessage, OracleMessages};
pub use replay::Replay;
pub use row::Row;
pub use statement::literal;

/// Somebody who answers statements: a living `sqlplus`, or a [`Replay`] of one.
pub trait Conversation {
    /// Sends one statement, without its semicolon, and returns the lines of the answer, errors and all.
    ///
    /// `limit` bounds the wait; when it is over, the child is killed and the conversation is at its end.
    fn converse(&mut self, statement: &str, limit: Duration) -> Result<Vec<String>, SqlplusError>;

    /// How long a statement may take when the caller does not say.
    fn statement_limit(&self) -> Duration;

    /// The process at the other end, where there is one: it goes on with its statement when we are killed.
    fn process_id(&self) -> Option<u32> {
        None
    }

    /// Executes a statement or a SQL*Plus command and returns what it printed.
    ///
    /// Any line of the form `ORA-nnnnn`, `SP2-nnnn`, `PLS-nnnnn` or `TNS-nnnnn` makes the statement a failure.
    fn execute(&mut self, statement: &str) -> Result<Vec<String>, SqlplusError> {
        let limit = self.statement_limit();
        self.execute_within(statement, limit)
    }

    /// As [`Conversation::execute`], with a limit of its own.
    fn execute_within(
        &mut self,
        statement: &str,
        limit: Duration,
    ) -> Result<Vec<String>, SqlplusError> {
        let lines = self.converse(statement, limit)?;
        let messages = message::scan(&lines);
        if messages.is_empty() {
            Ok(lines)
        } else {
            Err(SqlplusError::Oracle {
                statement: statement::shorten(statement),
                messages,
            })
        }
    }

    /// Asks for rows: `columns` are expressions, each named by its own text or by what follows ` AS `; `from_where` is
    /// everything after `FROM`.
    ///
    /// Text that is no row inside the answer is an error, so that noise is never taken for data.
    fn query(&mut self, columns: &[&str], from_where: &str) -> Result<Vec<Row>, SqlplusError> {
        let select = row::Select::new(columns, from_where);
        let limit = self.statement_limit();
        let answer = self
            .execute_within(select.text(), limit)
            .map_err(|error| error.about(select.shown()))?;
        select.parse(&answer)
    }
}
