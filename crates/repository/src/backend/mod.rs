//! Where a repository's files lie.
//! What lives here: the few operations that a place has to offer. What does not: what the files mean.

mod local;
#[cfg(test)]
pub(crate) mod memory;
mod s3;

use std::fmt;

pub(crate) use local::LocalBackend;
pub(crate) use s3::S3Backend;

use crate::error::RepositoryError;
use crate::id::Id;
use crate::location::Location;

/// Longest file other than a pack that is read, in bytes. An index of a million blobs has about 40 MB.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 29;

/// The kinds of files in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// The one file that says what this repository is.
    Config,
    /// The master key under a password.
    Key,
    /// Somebody works here.
    Lock,
    /// Which pack holds which blob.
    Index,
    /// A recovery point.
    Snapshot,
    /// Blobs.
    Pack,
}

impl FileKind {
    /// All of them.
    pub const ALL: [FileKind; 6] = [
        FileKind::Config,
        FileKind::Key,
        FileKind::Lock,
        FileKind::Index,
        FileKind::Snapshot,
        FileKind::Pack,
    ];

    /// The directory of this kind, as the restic format has it.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            FileKind::Config => "config",
            FileKind::Key => "keys",
            FileKind::Lock => "locks",
            FileKind::Index => "index",
            FileKind::Snapshot => "snapshots",
            FileKind::Pack => "data",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            FileKind::Config => "config",
            FileKind::Key => "key",
            FileKind::Lock => "lock",
            FileKind::Index => "index",
            FileKind::Snapshot => "snapshot",
            FileKind::Pack => "pack",
        })
    }
}

/// The name below the repository: `data/ab/abcd…`, `index/abcd…`, `config`.
pub(crate) fn name(kind: FileKind, id: &Id) -> String {
    match kind {
        FileKind::Config => "config".to_owned(),
        FileKind::Pack => format!("data/{}/{id}", &id.short()[..2]),
        _ => format!("{}/{id}", kind.directory()),
    }
}

/// A place that keeps files whole. Names are hashes of contents, so no file is ever changed.
pub(crate) trait Backend: Send + Sync + 'static {
    /// For messages.
    fn location(&self) -> String;

    /// Names and sizes in bytes; what has no such name is not ours and left out.
    fn list(&self, kind: FileKind) -> Result<Vec<(Id, u64)>, RepositoryError>;

    /// A whole file, of at most `FILE_BYTES_MAX` bytes.
    fn read(&self, kind: FileKind, id: &Id) -> Result<Vec<u8>, RepositoryError>;

    /// Exactly so many bytes of a file.
    fn read_range(
        &self,
        kind: FileKind,
        id: &Id,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, RepositoryError>;

    /// When it returns, the file is there for good. After a crash it is there whole or not at all.
    fn write(&self, kind: FileKind, id: &Id, content: &[u8]) -> Result<(), RepositoryError>;

    /// Removes a file; one that is not there is removed already.
    fn remove(&self, kind: FileKind, id: &Id) -> Result<(), RepositoryError>;

    /// Makes the place ready for a new repository.
    fn create(&self) -> Result<(), RepositoryError>;

    /// Removes what dead processes of this machine have left half written.
    fn clean(&self) {}

    /// How many writes at once are worth it.
    fn writers(&self) -> usize;

    /// Whether there is a repository.
    fn has_config(&self) -> Result<bool, RepositoryError> {
        match self.read(FileKind::Config, &Id::default()) {
            Ok(_) => Ok(true),
            Err(RepositoryError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The backend for a location.
pub(crate) fn open(location: &Location) -> Result<Box<dyn Backend>, RepositoryError> {
    Ok(match location {
        Location::Local(path) => Box::new(LocalBackend::new(path)),
        Location::S3(bucket) => Box::new(S3Backend::new(bucket)?),
    })
}
