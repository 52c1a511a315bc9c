//! Why something with a repository failed.
//! What lives here: the kinds of failure, and what to do about each. What does not: store and jobs.

use std::path::PathBuf;

use crate::backend::FileKind;
use crate::id::Id;

/// A failure. Each says what happened, to what, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepositoryError {
    /// It does not answer, or not now. The same may work later.
    #[error(
        "the repository {location} cannot be reached: {why}. HINT: is its disk mounted, its server up, its network there? Nothing is lost, it is tried again"
    )]
    Unreachable {
        /// Which.
        location: String,
        /// What was tried and what was said.
        why: String,
    },
    /// It answers, and says no.
    #[error("the repository {location} refuses: {why}. HINT: check its credentials and rights")]
    Refused {
        /// Which.
        location: String,
        /// What was tried and what was said.
        why: String,
    },
    /// There is no room.
    #[error(
        "the repository {location} is full: {why}. HINT: make room, or delete recovery points and sweep"
    )]
    Full {
        /// Which.
        location: String,
        /// What was being written.
        why: String,
    },
    /// Something that must be there is not.
    #[error(
        "{kind} {name} is not in the repository {location}. HINT: run 'backstay repository check'"
    )]
    Missing {
        /// What it is.
        kind: FileKind,
        /// Its name.
        name: String,
        /// Where it should be.
        location: String,
    },
    /// It is there and is not what was written.
    #[error(
        "{what} is damaged: {why}. HINT: run 'backstay repository check --read-data' to see all that is damaged; other recovery points may be whole"
    )]
    Damaged {
        /// What.
        what: String,
        /// How one can tell.
        why: String,
    },
    /// A repository is there already.
    #[error(
        "there is a repository in {0} already. HINT: use it with its password, or name another place"
    )]
    AlreadyThere(String),
    /// There is none.
    #[error(
        "there is no repository in {0}. HINT: make one with 'backstay repository init', or name the right place"
    )]
    NotThere(String),
    /// No key opens it with this password.
    #[error(
        "the password does not open the repository {0}. HINT: the password file has to be the one that the repository was made with; without it nothing in it can be read"
    )]
    WrongPassword(String),
    /// Of a version that this release does not know.
    #[error(
        "the repository {location} is of version {version}. HINT: this release reads and writes version 2"
    )]
    Version {
        /// Which.
        location: String,
        /// Its version.
        version: u64,
    },
    /// Somebody else works in it.
    #[error(
        "the repository is locked by {holder}. HINT: wait for its end; a lock that a dead process left is removed by 'restic unlock', or ignored 30 minutes after its last sign of life"
    )]
    Locked {
        /// Who, since when.
        holder: String,
    },
    /// A file of the data to be saved, or the place to restore to.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened to it, and what to do.
        why: String,
    },
    /// There is no such recovery point.
    #[error("there is no recovery point {0}. HINT: 'backstay recovery-point list' shows them")]
    NoPoint(String),
    /// Several recovery points begin so.
    #[error("{0} recovery points begin with {1}. HINT: give more digits")]
    Ambiguous(usize, String),
    /// Nothing of the recovery point was meant.
    #[error("{0}")]
    NothingChosen(String),
    /// It was to end.
    #[error("it was cancelled")]
    Cancelled,
    /// What is read is beyond a limit.
    #[error("{0}")]
    Limit(String),
    /// The library that sweeps and checks.
    #[error(
        "{doing} failed: {why}. HINT: run 'backstay repository check'; nothing that a recovery point needs is deleted before its replacement is written"
    )]
    Maintenance {
        /// What.
        doing: &'static str,
        /// What it said.
        why: String,
    },
}

impl RepositoryError {
    /// Whether the same may work by itself later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            RepositoryError::Unreachable { .. }
                | RepositoryError::Full { .. }
                | RepositoryError::Locked { .. }
        )
    }

    pub(crate) fn damaged(what: impl Into<String>, why: impl ToString) -> RepositoryError {
        RepositoryError::Damaged {
            what: what.into(),
            why: why.to_string(),
        }
    }

    pub(crate) fn damaged_file(kind: FileKind, id: &Id, why: impl ToString) -> RepositoryError {
        RepositoryError::damaged(format!("{kind} {id}"), why)
    }

    pub(crate) fn file(path: impl Into<PathBuf>, why: impl ToString) -> RepositoryError {
        RepositoryError::File {
            path: path.into(),
            why: why.to_string(),
        }
    }
}
