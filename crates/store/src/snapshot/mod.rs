//! Snapshots of a mount's data directory: three ways to freeze a tree, behind one trait.
//! What lives here: the promise that every driver keeps. What does not: when one is taken, and who stops the writers.
//!
//! A snapshot is a directory beside others of its mount. It is made under a hidden name (`.taking-…`), made durable and
//! only then renamed to its own name; it is destroyed by way of a hidden name as well (`.destroying-…`). So a name that
//! can be seen stands for a whole snapshot, after a crash too, and whatever is hidden is rubbish that `clean` removes.
//!
//! Needs Linux 5.8: `openat2` keeps a walk inside its tree, and `syncfs` tells of write errors.

mod btrfs;
mod error;
mod files;
mod place;
mod probe;
mod program;
mod removal;
mod tree;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use error::SnapshotError;
pub use probe::probe;

/// How snapshots are made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverKind {
    /// The data directory is a Btrfs subvolume and a snapshot another one, read-only. Instant, whatever the size.
    Btrfs,
    /// Every file is cloned (FICLONE) on a file system that shares blocks, as XFS and Btrfs do. Milliseconds per file.
    Reflink,
    /// Every byte is copied. Works everywhere and costs the time and the space of the whole tree.
    Copy,
}

impl DriverKind {
    /// All of them, the best first.
    pub const ALL: [DriverKind; 3] = [DriverKind::Btrfs, DriverKind::Reflink, DriverKind::Copy];

    fn name(self) -> &'static str {
        match self {
            DriverKind::Btrfs => "btrfs",
            DriverKind::Reflink => "reflink",
            DriverKind::Copy => "copy",
        }
    }
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DriverKind {
    type Err = UnknownDriver;

    fn from_str(text: &str) -> Result<DriverKind, UnknownDriver> {
        let named = |kind: &DriverKind| kind.name() == text;
        DriverKind::ALL
            .into_iter()
            .find(named)
            .ok_or_else(|| UnknownDriver(text.chars().take(SHOWN_CHARACTERS_MAX).collect()))
    }
}

/// While the first round writes out what is old, clients write on; what the second leaves is the work of a moment.
const PREPARING_ROUNDS: usize = 2;
/// So much of a wrong name is repeated in the message about it.
const SHOWN_CHARACTERS_MAX: usize = 40;

/// There is no snapshot driver of this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no snapshot driver {0:?}. HINT: there are btrfs, reflink and copy")]
pub struct UnknownDriver(String);

/// What a snapshot holds, and how it came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Names of regular files; a file with two names counts twice.
    pub files: u64,
    /// Bytes that reading all of these names yields, holes included.
    pub bytes: u64,
    /// How it was made, for people.
    pub method: String,
}

/// The driver of a kind.
pub fn driver(kind: DriverKind) -> Box<dyn SnapshotDriver> {
    match kind {
        DriverKind::Btrfs => Box::new(btrfs::BtrfsDriver),
        DriverKind::Reflink => Box::new(files::FilesDriver::reflink()),
        DriverKind::Copy => Box::new(files::FilesDriver::copy()),
    }
}

/// A way to freeze a directory.
///
/// The directories that hold data and snapshots belong to the store alone; what is inside the data is hostile. Paths
/// may be relative. A name of data or of a snapshot has at most 200 bytes and does not begin with a dot.
pub trait SnapshotDriver: Send + Sync {
    /// Which one this is.
    fn kind(&self) -> DriverKind;

    /// Makes a mount's data directory, durable. Its parent must exist. One that is there already is left as it is.
    fn create_data(&self, data: &Path) -> Result<(), SnapshotError>;

    /// Removes a data directory with all that is in it. What is not there is no error, so a crash is healed by a second
    /// call. Snapshots of it stay.
    fn destroy_data(&self, data: &Path) -> Result<(), SnapshotError>;

    /// Does, while clients still write, what would make `take` slow: writes out what is dirty.
    fn prepare(&self, data: &Path) -> Result<(), SnapshotError> {
        let directory = place::open_directory(data)?;
        for _ in 0..PREPARING_ROUNDS {
            rustix::fs::syncfs(&directory).map_err(error::cannot("sync", data))?;
        }
        Ok(())
    }

    /// Freezes `data` as `snapshot`: afterwards it is there whole and durable, or, after an error or a crash, not at all.
    ///
    /// The caller has quiesced the writers; a file that changes all the same is an error. `cancel` is asked now and then.
    /// A snapshot that exists is never replaced. Names, modes, owners, times, symbolic and hard links, holes, FIFOs,
    /// sockets, devices and extended attributes of files and directories are kept; file flags (`chattr`) are not, except
    /// by `btrfs`.
    fn take(
        &self,
        data: &Path,
        snapshot: &Path,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Taken, SnapshotError> {
        self.take_and_tell(data, snapshot, cancel, &|| ())
    }

    /// As `take`, and calls `frozen` once nothing depends on `data` any more: the writers may go on while the snapshot is
    /// still counted, synced and published. It can fail even then; where it fails before, `frozen` may never be called.
    fn take_and_tell(
        &self,
        data: &Path,
        snapshot: &Path,
        cancel: &dyn Fn() -> bool,
        frozen: &dyn Fn(),
    ) -> Result<Taken, SnapshotError>;

    /// Whether a promised snapshot is there, for the time after a crash. What is there under its name is whole.
    fn is_whole(&self, snapshot: &Path) -> Result<bool, SnapshotError>;

    /// Removes a snapshot. It is gone for good as soon as its name is, and what a crash leaves of it a second `destroy` or
    /// `clean` removes. One that is not there is no error.
    fn destroy(&self, snapshot: &Path) -> Result<(), SnapshotError> {
        removal::destroy(snapshot)
    }

    /// Removes what crashes left half made or half destroyed in a directory of snapshots, or of data, and says which.
    ///
    /// Waits some seconds for those who are at work there, then answers `Busy`. What cannot be removed keeps nothing else
    /// from being removed.
    fn clean(&self, directory_of_snapshots: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
        removal::clean(directory_of_snapshots)
    }
}
