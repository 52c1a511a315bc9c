//! Why a question to the database has no answer.
//! What lives here: the error. What does not: its number in the log, which the command chooses.

use std::path::PathBuf;

use oracle::sqlplus::SqlplusError;

/// A failed question or order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The conversation or the statement failed.
    #[error(transparent)]
    Sqlplus(#[from] SqlplusError),
    /// An answer that contradicts what was asked for.
    #[error("{0}")]
    Unexpected(String),
    /// A data file is in backup mode that this tool did not begin.
    #[error("data file {} of tablespace {tablespace} is already in backup mode since {since}", path.display())]
    AlreadyInBackup {
        /// Tablespace name.
        tablespace: String,
        /// The file.
        path: PathBuf,
        /// When its backup mode began, as V$BACKUP says.
        since: String,
    },
    /// The journal of begun backup modes cannot be read, written or understood.
    #[error("{what} {}: {why}", path.display())]
    Journal {
        /// What was tried.
        what: &'static str,
        /// The journal.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl DatabaseError {
    /// Whether Oracle's answer holds this `ORA-` number.
    pub fn has_oracle_code(&self, code: u32) -> bool {
        matches!(self, DatabaseError::Sqlplus(error) if error.has_oracle_code(code))
    }

    /// The number of Oracle's first message, where Oracle spoke.
    pub fn oracle_code(&self) -> Option<u32> {
        let DatabaseError::Sqlplus(error) = self else {
            return None;
        };
        error.messages()?.iter().next().map(|message| message.code)
    }
}
