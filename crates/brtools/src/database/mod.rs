//! The database as the tools ask it: typed questions and orders over one conversation with `sqlplus`.
//! What lives here: the connection and its loss, and one file per kind of question. What does not: what a run does with the answers.

mod archive;
pub mod backup_mode;
mod error;
mod instance;
mod inventory;
mod journal;
pub mod report;

use std::time::Duration;

use oracle::sqlplus::{Conversation, Row, SqlplusBuilder, SqlplusError};

pub use archive::{ArchiveLogList, ArchivedLog};
pub use error::DatabaseError;
pub use instance::{Identity, InstanceStatus, ShutdownMode, StartupTarget};
pub use inventory::{BackupState, ControlFile, Datafile, Inventory, RedoGroup, Tablespace};

/// Errors after which the server process behind the session is gone: the next statement needs a new one.
/// ORA-01012 not logged on, 01034 not available, 01089/01090 shutting down, 01092 terminated, 03113/03114/03135 connection lost.
const LOST_SESSION_CODES: [u32; 8] = [1012, 1034, 1089, 1090, 1092, 3113, 3114, 3135];

/// Who opens conversations: [`SqlplusBuilder`], or a test.
pub trait Connector {
    /// Starts a conversation and logs on.
    fn connect(&mut self) -> Result<Box<dyn Conversation>, SqlplusError>;
}

impl Connector for SqlplusBuilder {
    fn connect(&mut self) -> Result<Box<dyn Conversation>, SqlplusError> {
        let session = SqlplusBuilder::connect(self)?;
        Ok(Box::new(session))
    }
}

/// One database instance, asked through a conversation that is opened when needed and again after it was lost.
pub struct Database {
    oracle_sid: String,
    connector: Box<dyn Connector>,
    session: Option<Box<dyn Conversation>>,
}

impl Database {
    /// A database that is not spoken to yet.
    pub fn new(oracle_sid: &str, connector: impl Connector + 'static) -> Database {
        Database {
            oracle_sid: oracle_sid.to_owned(),
            connector: Box::new(connector),
            session: None,
        }
    }

    /// ORACLE_SID of the instance.
    pub fn oracle_sid(&self) -> &str {
        &self.oracle_sid
    }

    /// Executes any statement: for those that only one command needs.
    pub fn execute(&mut self, statement: &str) -> Result<Vec<String>, DatabaseError> {
        self.talk(|session| session.execute(statement))
    }

    /// As [`Database::execute`], with a limit of its own.
    pub fn execute_within(
        &mut self,
        statement: &str,
        limit: Duration,
    ) -> Result<Vec<String>, DatabaseError> {
        self.talk(|session| session.execute_within(statement, limit))
    }

    /// Asks for rows; see [`Conversation::query`].
    pub fn query(&mut self, columns: &[&str], from_where: &str) -> Result<Vec<Row>, DatabaseError> {
        self.talk(|session| session.query(columns, from_where))
    }

    /// The process that executes our statements, while there is a session.
    pub fn session_process(&self) -> Option<u32> {
        self.session
            .as_ref()
            .and_then(|session| session.process_id())
    }

    /// Gives up the session, if there is one: the next statement opens another.
    pub fn disconnect(&mut self) {
        self.session = None;
    }

    fn talk<T>(
        &mut self,
        say: impl FnOnce(&mut dyn Conversation) -> Result<T, SqlplusError>,
    ) -> Result<T, DatabaseError> {
        let session = match &mut self.session {
            Some(session) => session,
            None => self.session.insert(self.connector.connect()?),
        };
        let result = say(session.as_mut());
        if let Err(error) = &result
            && is_lost(error)
        {
            self.session = None;
        }
        Ok(result?)
    }
}

fn is_lost(error: &SqlplusError) -> bool {
    !error.leaves_the_conversation_open()
        || LOST_SESSION_CODES
            .iter()
            .any(|code| error.has_oracle_code(*code))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;

    use oracle::sqlplus::Replay;

    use super::*;

    /// Opens the given transcripts one after the other.
    pub(crate) struct Transcripts(pub(crate) VecDeque<Replay>);

    impl Connector for Transcripts {
        fn connect(&mut self) -> Result<Box<dyn Conversation>, SqlplusError> {
            let next = self
                .0
                .pop_front()
                .expect("another connection was opened than the transcripts foresee");
            Ok(Box::new(next))
        }
    }

    pub(crate) fn database(transcripts: impl IntoIterator<Item = Replay>) -> Database {
        Database::new("SND", Transcripts(transcripts.into_iter().collect()))
    }

    #[test]
    fn a_lost_session_is_opened_again_and_only_then() {
        let mut database = database([
            Replay::new()
                .on("checkpoint", "ORA-01031: insufficient privileges")
                .on(
                    "checkpoint",
                    "ORA-03113: end-of-file on communication channel",
                ),
            Replay::new().on_death("checkpoint"),
            Replay::new().on("checkpoint", ""),
        ]);
        let mut checkpoint = || database.execute("ALTER SYSTEM CHECKPOINT");
        assert!(checkpoint().unwrap_err().has_oracle_code(1031));
        assert!(
            checkpoint().unwrap_err().has_oracle_code(3113),
            "over the same session"
        );
        assert!(checkpoint().is_err(), "the second session dies");
        checkpoint().expect("the third session answers");
    }
}
