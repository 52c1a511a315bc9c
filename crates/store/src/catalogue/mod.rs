//! The catalogue: what the store knows, in one SQLite file.
//! What lives here: opening it, transactions, their errors. What does not: rows (a file each), and what they mean.
//!
//! A transaction that was committed is on the disk (`synchronous=FULL`), so what an answer promises survives a crash of the
//! machine. Rows are read and written by hand: there are few kinds, and each kind has one file.

pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod logs;
pub(crate) mod mounts;
pub(crate) mod points;
mod schema;
pub(crate) mod settings;
pub(crate) mod snapshots;
pub(crate) mod store;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// How long another process may hold the file, a backup of it for example.
const BUSY_LIMIT: Duration = Duration::from_secs(30);

/// Why the catalogue could not be read or written. Nothing of the transaction has happened.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The disk is full.
    #[error(
        "the catalogue cannot be written: the disk of the store is full. HINT: free space in the store's directory"
    )]
    Full(#[source] rusqlite::Error),
    /// It was made by a later release.
    #[error(
        "the catalogue is of version {found}, this release knows up to {known}. HINT: start the release that wrote it, or a later one"
    )]
    Newer {
        /// In the file.
        found: i64,
        /// By us.
        known: i64,
    },
    /// Anything else that SQLite says.
    #[error(
        "the catalogue cannot be used. HINT: is catalogue.sqlite damaged, or its disk? Stop the store and look with 'sqlite3 catalogue.sqlite \"pragma integrity_check\"'"
    )]
    Sqlite(#[source] rusqlite::Error),
    /// What it says makes no sense.
    #[error("the catalogue says '{0}' where that makes no sense. HINT: was it changed by hand?")]
    Nonsense(String),
}

impl From<rusqlite::Error> for CatalogueError {
    fn from(error: rusqlite::Error) -> CatalogueError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => CatalogueError::Full(error),
            _ => CatalogueError::Sqlite(error),
        }
    }
}

/// The open catalogue. One thread at a time is in it; transactions are short.
#[derive(Debug)]
pub(crate) struct Catalogue {
    connection: Mutex<Connection>,
}

impl Catalogue {
    /// Opens the file, which is made if it is not there, and brings it to the present form.
    pub(crate) fn open(path: &Path) -> Result<Catalogue, CatalogueError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        schema::bring_up_to_date(&mut connection)?;
        Ok(Catalogue {
            connection: Mutex::new(connection),
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic in a transaction has rolled it back.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, all from one state.
    pub(crate) fn read<T, E: From<CatalogueError>>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(CatalogueError::from)?;
        read(&transaction)
    }

    /// Changes something; an error undoes all of it. When it returns `Ok`, the change is on the disk.
    pub(crate) fn change<T, E: From<CatalogueError>>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(CatalogueError::from)?;
        let result = change(&transaction)?;
        transaction.commit().map_err(CatalogueError::from)?;
        Ok(result)
    }
}

/// A word of the API as the catalogue stores it.
pub(crate) fn word(value: &impl serde::Serialize) -> Result<String, CatalogueError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(CatalogueError::Nonsense(format!("{other:?}"))),
    }
}

/// A word as the API knows it.
pub(crate) fn of_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, CatalogueError> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|_| CatalogueError::Nonsense(word.to_owned()))
}

/// A number that is never negative; SQLite has no other.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn empty() -> (tempfile::TempDir, Catalogue) {
        let directory = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::open(&directory.path().join("catalogue.sqlite")).unwrap();
        (directory, catalogue)
    }

    #[test]
    fn a_change_that_fails_leaves_nothing() {
        let (_directory, catalogue) = empty();
        let failed: Result<(), CatalogueError> = catalogue.change(|connection| {
            events::add(connection, &events::NewEvent::info("half done"))?;
            Err(CatalogueError::Nonsense("wanted".to_owned()))
        });
        assert!(failed.is_err());
        let events = catalogue.read(|connection| events::list(connection, 0, None, 10));
        assert!(events.unwrap().is_empty());
    }

    #[test]
    fn words_are_those_of_the_api() {
        use api::admin::{JobState, MountState};
        assert_eq!(
            word(&JobState::SuccessfulWithErrors).unwrap(),
            "Successful with errors"
        );
        assert_eq!(
            of_word::<MountState>("marked_for_delete").unwrap(),
            MountState::MarkedForDelete
        );
        assert!(of_word::<MountState>("drunk").is_err());
    }
}
