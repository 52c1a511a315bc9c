//! What the log says of a question or order that the database refused.
//! What lives here: from errors to numbered messages. What does not: what a run does after a failure.

use oracle::sqlplus::SqlplusError;

use super::DatabaseError;
use crate::copy::report::split_hint;
use crate::run_log::RunLog;

/// Reports an error: Oracle's own words with the statement, or what happened to the conversation.
///
/// `location` names the step, as BR0301E has always done.
pub fn error(log: &mut RunLog, location: &str, error: &DatabaseError) {
    match error {
        DatabaseError::Sqlplus(SqlplusError::Oracle {
            statement,
            messages,
        }) => {
            let code = messages.iter().next().map_or(0, |message| message.code);
            log.error(301, &[&format!("-{code}"), &location]);
            log.line(&format!("'{statement}'"));
            messages
                .iter()
                .for_each(|message| log.line(&message.to_string()));
        }
        DatabaseError::AlreadyInBackup {
            tablespace, path, ..
        } => {
            log.error(328, &[&path.display(), tablespace]);
        }
        _ => {
            let (what, hint) = split_hint(&error.to_string());
            log.error(9044, &[&what, &hint]);
        }
    }
}
