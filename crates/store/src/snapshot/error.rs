//! What can go wrong with a snapshot, by what the caller must do about it.
//! What lives here: the errors and their words. What does not: who retries.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why a snapshot was not taken, found or destroyed. What was half made is removed, or is left to `clean`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The name is taken; the snapshot of that name is untouched.
    #[error("the snapshot {} is there already, and none is ever replaced. HINT: choose another name, or destroy it first", .0.display())]
    Exists(PathBuf),
    /// What should be there is not.
    #[error("{} is not there. HINT: create the mount's data directory, or the directory of its snapshots, first", .0.display())]
    Missing(PathBuf),
    /// The caller said so.
    #[error("the snapshot {} was cancelled; nothing is left of it", .0.display())]
    Cancelled(PathBuf),
    /// The disk or a quota is full.
    #[error("no room left at {}. HINT: free space on the store, or raise the quota, and take the snapshot again", path.display())]
    Full {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else is at work there.
    #[error("{} is in use: a snapshot is being taken or destroyed there. HINT: wait for it, then try again", .0.display())]
    Busy(PathBuf),
    /// The writers were not quiet.
    #[error("{} changed while the snapshot was taken. HINT: nothing but the mount's clients may write there; take it again", .0.display())]
    Changed(PathBuf),
    /// It cannot be done as things are.
    #[error("{} {why}. HINT: {hint}", path.display())]
    Refused {
        /// What stands in the way.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// The program `btrfs` did not do what it was told.
    #[error("{command} failed: {said}. HINT: {hint}")]
    Program {
        /// The command line, for people.
        command: String,
        /// What it said, shortened.
        said: String,
        /// What to do.
        hint: &'static str,
    },
    /// The system refused something.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What went wrong somewhere in a tree; whoever knows the path makes an error of it.
#[derive(Debug)]
pub(super) enum Fault {
    Io {
        doing: &'static str,
        errno: Errno,
    },
    Refused {
        why: &'static str,
        hint: &'static str,
    },
    Changed,
    Cancelled,
}

/// For `map_err`: what was tried when the system said no.
pub(super) fn doing(doing: &'static str) -> impl FnOnce(Errno) -> Fault {
    move |errno| Fault::Io { doing, errno }
}

impl Fault {
    /// The error, now that the path is known.
    pub(super) fn at(self, path: impl Into<PathBuf>) -> SnapshotError {
        let path = path.into();
        match self {
            Fault::Changed => SnapshotError::Changed(path),
            Fault::Cancelled => SnapshotError::Cancelled(path),
            Fault::Refused { why, hint } => SnapshotError::Refused {
                path,
                why: why.to_owned(),
                hint,
            },
            Fault::Io { errno, .. } if is_full(errno) => SnapshotError::Full {
                path,
                source: errno.into(),
            },
            // What openat2 answers when the way would lead through a mount point.
            Fault::Io { errno, .. } if errno == Errno::XDEV => SnapshotError::Refused {
                path,
                why: "lies on another file system than the mount's data".to_owned(),
                hint: "unmount what is mounted inside the data; keep data and snapshots on one file system",
            },
            Fault::Io { doing, errno } => SnapshotError::Io {
                doing,
                path,
                source: errno.into(),
            },
        }
    }
}

/// For `map_err` where the path is known at once.
pub(super) fn cannot(what: &'static str, path: &Path) -> impl FnOnce(Errno) -> SnapshotError {
    move |errno| doing(what)(errno).at(path)
}

fn is_full(errno: Errno) -> bool {
    errno == Errno::NOSPC || errno == Errno::DQUOT
}
