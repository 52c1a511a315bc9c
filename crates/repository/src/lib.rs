//! Recovery points in the restic format: ingest, reading, restore, verification, retention, sweep.
//! What lives here: the repository as a whole. What does not: mounts, jobs, policy and users (the store).
//!
//! A repository holds hashes' names and sealed contents, so no file in it is ever changed. What is written comes in the
//! order pack, index, snapshot; what is deleted goes in the order snapshot, (by a sweep) index, pack. `docs/REPOSITORY.md`
//! describes the format for people without this program.

mod backend;
mod boxes;
mod compression;
mod crypto;
mod disk;
mod error;
mod files;
mod id;
mod index;
mod ingest;
mod keys;
mod location;
mod lock;
mod maintenance;
mod pack;
mod point;
mod reader;
mod restore;
mod retention;
mod room;
#[cfg(test)]
mod tests;
mod tree;
mod verified;
mod verify;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use jiff::Timestamp;

pub use backend::FileKind;
pub use error::RepositoryError;
pub use id::{Id, NoId};
pub use ingest::{Changes, OWN_DIRECTORY, Source};
pub use location::{Bucket, Location, NoLocation};
pub use maintenance::Swept;
pub use point::Point;
pub use restore::Restored;
pub use retention::{Candidate, Decision, KeepRules, plan};
pub use verify::{Depth, Finding};
pub use watch::{Counters, Unwatched, Verdict, Watch};

use backend::Backend;
use crypto::MasterKey;
use files::{BlobKind, IndexFile};
use index::Index;
use lock::{Lock, Use};
use verified::Verified;

/// Bytes of a chunk unless another size is asked for: a small part of what a database changes at random lies in one.
pub const CHUNK_BYTES: u64 = 64 << 10;
/// Chunk sizes in bytes that may be asked for; powers of two.
pub const CHUNK_BYTES_RANGE: std::ops::RangeInclusive<u64> = 8 << 10..=8 << 20;

/// A repository that is open. Several threads may use it at once.
pub struct Repository {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) key: MasterKey,
    id: Id,
    index: RwLock<Index>,
    pub(crate) verified: Verified,
    /// Local directory for the copy of the index, and journals.
    pub(crate) state: PathBuf,
    hostname: String,
    pub(crate) chunk_bytes: u64,
}

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Recovery points.
    pub points: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of the packs.
    pub bytes_stored: u64,
    /// Different chunks and directories.
    pub blobs: u64,
    /// Plain bytes of the different chunks.
    pub bytes_unique: u64,
    /// Bytes of all files of all recovery points.
    pub bytes_of_points: u64,
}

pub(crate) fn journals(state: &Path) -> PathBuf {
    state.join("ingest")
}

impl Repository {
    /// Makes a repository. The key is written first, the config last: what a crash leaves is no repository, and the next
    /// try makes one.
    ///
    /// # Errors
    /// [`RepositoryError::AlreadyThere`], or what the place says.
    pub fn init(
        location: &Location,
        password: &str,
        state: &Path,
        hostname: &str,
    ) -> Result<Repository, RepositoryError> {
        let backend: Arc<dyn Backend> = Arc::from(backend::open(location)?);
        Repository::init_in(&backend, password, hostname)?;
        Repository::open_in(backend, password, state, hostname)
    }

    fn init_in(
        backend: &Arc<dyn Backend>,
        password: &str,
        hostname: &str,
    ) -> Result<(), RepositoryError> {
        backend.create()?;
        if backend.has_config()? {
            return Err(RepositoryError::AlreadyThere(backend.location()));
        }
        let random = |error: std::io::Error| {
            RepositoryError::Limit(format!("the system has no random numbers: {error}"))
        };
        let key = MasterKey::random().map_err(random)?;
        let sealed = keys::seal_key(&key, password, hostname, &Timestamp::now().to_string())?;
        backend.write(FileKind::Key, &Id::of(&sealed), &sealed)?;
        maintenance::init(backend, &key)
    }

    /// Opens a repository. `state` is a local directory of its own, for a copy of the index and for what an ingest knows;
    /// nothing in it is needed to read the repository.
    ///
    /// # Errors
    /// [`RepositoryError::NotThere`], [`RepositoryError::WrongPassword`], or what the place says.
    pub fn open(
        location: &Location,
        password: &str,
        state: &Path,
        hostname: &str,
    ) -> Result<Repository, RepositoryError> {
        Repository::open_in(
            Arc::from(backend::open(location)?),
            password,
            state,
            hostname,
        )
    }

    fn open_in(
        backend: Arc<dyn Backend>,
        password: &str,
        state: &Path,
        hostname: &str,
    ) -> Result<Repository, RepositoryError> {
        if !backend.has_config()? {
            return Err(RepositoryError::NotThere(backend.location()));
        }
        backend.clean();
        let key = keys::find_key(backend.as_ref(), password)?;
        let config = keys::read_config(backend.as_ref(), &key)?;
        let index = Index::load(&state.join("index"), config.id)?;
        Ok(Repository {
            backend,
            key,
            id: config.id,
            index: RwLock::new(index),
            verified: Verified::new(&state.join("verified")),
            state: state.to_owned(),
            hostname: hostname.to_owned(),
            chunk_bytes: CHUNK_BYTES,
        })
    }

    /// Uses chunks of so many bytes for what is written from now on; see [`CHUNK_BYTES_RANGE`].
    pub fn with_chunk_bytes(mut self, bytes: u64) -> Repository {
        self.chunk_bytes = bytes
            .next_power_of_two()
            .clamp(*CHUNK_BYTES_RANGE.start(), *CHUNK_BYTES_RANGE.end());
        self
    }

    /// The repository's name: equal names are the same repository.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Where it is.
    pub fn location(&self) -> String {
        self.backend.location()
    }

    /// All recovery points, the oldest first.
    ///
    /// # Errors
    /// Also when one of them is damaged: a list that is silently shorter could mean that it was deleted.
    pub fn points(&self) -> Result<Vec<Point>, RepositoryError> {
        let mut points = Vec::new();
        for (id, _) in self.backend.list(FileKind::Snapshot)? {
            match point::read(self.backend.as_ref(), &self.key, &id) {
                Ok(point) => points.push(point),
                // Deleted meanwhile.
                Err(RepositoryError::NoPoint(_)) => {}
                Err(error) => return Err(error),
            }
        }
        points.sort_by_key(|point| (point.time, point.id));
        Ok(points)
    }

    /// The recovery point whose name begins with these digits.
    pub fn point(&self, digits: &str) -> Result<Point, RepositoryError> {
        let names: Vec<Id> = self
            .backend
            .list(FileKind::Snapshot)?
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        let id = point::find(&names, digits)?;
        point::read(self.backend.as_ref(), &self.key, &id)
    }

    /// Counts what it holds.
    pub fn stats(&self) -> Result<Stats, RepositoryError> {
        let _lock = self.lock(Use::Shared)?;
        self.refresh_index()?;
        let points = self.points()?;
        let packs = self.backend.list(FileKind::Pack)?;
        let index = self.index()?;
        let mut bytes_unique = 0;
        index.each(|kind, plain, _| {
            if kind == BlobKind::Data {
                bytes_unique += plain;
            }
        })?;
        Ok(Stats {
            points: points.len() as u64,
            packs: packs.len() as u64,
            bytes_stored: packs.iter().map(|(_, bytes)| bytes).sum(),
            blobs: index.counts().0,
            bytes_unique,
            bytes_of_points: points.iter().map(|point| point.bytes).sum(),
        })
    }

    pub(crate) fn lock(&self, wanted: Use) -> Result<Lock, RepositoryError> {
        Lock::take(&self.backend, &self.key, &self.hostname, wanted)
    }

    pub(crate) fn index(&self) -> Result<RwLockReadGuard<'_, Index>, RepositoryError> {
        Ok(self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings the local copy of the index up to date: others may have added, or swept. Jobs do so by themselves; what only
    /// looks has to ask for it.
    pub fn refresh(&self) -> Result<(), RepositoryError> {
        self.refresh_index()
    }

    pub(crate) fn refresh_index(&self) -> Result<(), RepositoryError> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.refresh(self.backend.as_ref(), &self.key, self.id)
    }

    /// An index file of this name was written.
    pub(crate) fn added_index(&self, id: Id, file: &IndexFile) -> Result<(), RepositoryError> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for pack in &file.packs {
            index.add(pack)?;
        }
        index.note_file(id, self.id)
    }
}
