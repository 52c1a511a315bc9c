//! Why an export cannot be made, changed or paused.
//! What lives here: the one error type of the crate. What does not: the statuses that clients see (procedures/status.rs).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why an export cannot be made, changed or paused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is no such export.
    #[error(
        "there is no export {0}. HINT: the name is the path that clients mount, as it was when the export was added"
    )]
    Unknown(String),
    /// The name is no path that a client could mount.
    #[error(
        "'{0}' cannot be the name of an export. HINT: a path from the root, such as /Phoenix/m/oracle_data, of at most 1024 bytes without control characters and without . and .."
    )]
    Name(String),
    /// There is an export of that name.
    #[error("there is an export {0} already. HINT: remove it first")]
    NameTaken(String),
    /// Another export has that id.
    #[error(
        "the export {name} cannot have the id {id}: {other} has it. HINT: each export needs an id of its own, for ever, because file handles carry it"
    )]
    IdTaken {
        /// The new one.
        name: String,
        /// The id of both.
        id: u64,
        /// The one that is there.
        other: String,
    },
    /// The directory cannot be opened or is none.
    #[error("{} cannot be exported: it cannot be opened as a directory. HINT: check that it is there and mounted", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// The file system gives no file handles, or longer ones than fit.
    #[error("{} cannot be exported: its file system gives no lasting file handles. HINT: ext4, XFS, Btrfs, ZFS and tmpfs do; overlayfs (inside a container) does not: use a volume", .0.display())]
    NoHandles(PathBuf, #[source] io::Error),
    /// This process may not open file handles.
    #[error("{} cannot be exported: this process may not open file handles or act for users. HINT: run the store as root, or with CAP_DAC_READ_SEARCH, CAP_SETUID and CAP_SETGID", .0.display())]
    NotPermitted(PathBuf, #[source] io::Error),
    /// What is in the directory cannot be counted for the quota.
    #[error("{0}: what it holds cannot be counted. HINT: check the file system")]
    Count(String, #[source] io::Error),
    /// Calls did not end, or data did not reach the disk, in time.
    #[error("{name} did not come to rest within {} s; clients go on writing. HINT: is the disk overloaded? Try again, or allow more time", limit.as_secs_f32())]
    Busy {
        /// Which.
        name: String,
        /// How long it may take.
        limit: Duration,
    },
    /// Data of clients cannot be written to the disk.
    #[error(
        "{0}: data that clients wrote cannot be brought to the disk; clients are made to send it again. HINT: check the disk and the kernel's log"
    )]
    Sync(String, #[source] io::Error),
}
