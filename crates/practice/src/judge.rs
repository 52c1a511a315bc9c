//! The judge: does the open database hold exactly what its ledger says?
//! What lives here: asking the database and the order of the questions. What does not: replaying the ledger
//! (ledger/book.rs), comparing ([`comparison`]), how a verdict reads ([`verdict`]).

use std::path::{Path, PathBuf};

use oracle::scn::Scn;
use oracle::time::OracleTime;

use crate::engine::error::OraError;
use crate::ledger::book::Book;
use crate::ledger::{Boundary, Hold, LedgerError};
use crate::protocol::{Answer, Client, Request};

pub mod comparison;
pub mod verdict;

use comparison::Comparison;
pub use verdict::Verdict;

/// Up to where commits must be in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Every acknowledged commit.
    Everything,
    /// Commits with a lower SCN, as after RECOVER … UNTIL CHANGE.
    Scn(Scn),
    /// Commits before this second, as after RECOVER … UNTIL TIME.
    Time(OracleTime),
}

impl Target {
    fn boundary(self) -> Option<Boundary> {
        match self {
            Target::Everything => None,
            Target::Scn(scn) => Some(Boundary::Scn(scn)),
            Target::Time(time) => Some(Boundary::Time(time)),
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database refuses to be scanned.
    #[error(
        "the database refuses to be scanned: {0}. HINT: it must be open; start it and judge again"
    )]
    Database(OraError),
    /// The server cannot be reached or went away.
    #[error("the practice server of {sid} at {}: {source}. HINT: start it and judge again", home.display())]
    Connection {
        /// Its ORACLE_HOME.
        home: PathBuf,
        /// Its SID.
        sid: String,
        /// What happened on the socket.
        source: std::io::Error,
    },
    /// The server answers something else than it was asked.
    #[error(
        "the practice server answered out of turn: {0}. HINT: server and program must be of the same version"
    )]
    Nonsense(String),
}

/// Judges the open database `sid` at `home` by its ledger. Nothing may commit meanwhile: a scan is no snapshot.
/// Therefore a ledger that a workload writes is refused, and none can write it until the judge is done.
pub fn judge(home: &Path, sid: &str, ledger: &Path, target: Target) -> Result<Verdict, JudgeError> {
    let connection = |source| JudgeError::Connection {
        home: home.to_path_buf(),
        sid: sid.to_string(),
        source,
    };
    let _hold = Hold::take(ledger)?;
    let mut client = Client::connect(home, sid).map_err(connection)?;
    let (keys, loaded, seed) = match client.request(&Request::Capacity).map_err(connection)? {
        Answer::Capacity { keys, loaded, seed } => (keys, loaded, seed),
        Answer::Error(error) => return Err(JudgeError::Database(error)),
        other => {
            return Err(JudgeError::Nonsense(format!(
                "{other:?} to a question for the capacity"
            )));
        }
    };
    let book = Book::read(ledger, target.boundary(), keys)?;
    let mut comparison = Comparison::new(book, loaded, seed);
    client.send(&Request::Scan).map_err(connection)?;
    loop {
        match client.receive().map_err(connection)? {
            Answer::Row(row) => comparison.row(&row),
            Answer::Session(session) => comparison.session(&session),
            Answer::Damage { file, block, what } => comparison.damage(file, block, &what),
            Answer::End => return Ok(comparison.finish()),
            Answer::Error(error) => return Err(JudgeError::Database(error)),
            other => return Err(JudgeError::Nonsense(format!("{other:?} in a scan"))),
        }
    }
}

#[cfg(test)]
mod tests;
