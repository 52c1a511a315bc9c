//! Packs on their way into the repository, and the index files that name them.
//! What lives here: writing packs, several at once, and the order pack before index. What does not: filling packs.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::Repository;
use crate::backend::FileKind;
use crate::error::RepositoryError;
use crate::files::{IndexFile, IndexedPack};
use crate::id::Id;
use crate::pack::Pack;
use crate::watch::{Counters, Throttle, Watch, obey};

/// Blobs of an index file: after so many (1.3 GB in chunks of 64 KiB) a crash does not lose them.
const INDEX_BLOBS: usize = 20_000;
/// Or after this time, whatever comes first.
const INDEX_AGE: Duration = Duration::from_secs(300);
/// Shares of the set of blobs that are under way.
const SHARDS: usize = 16;

/// Blobs that somebody has taken on and no index file names yet.
pub(super) struct UnderWay {
    shards: [Mutex<HashSet<Id>>; SHARDS],
}

impl UnderWay {
    pub(super) fn new() -> UnderWay {
        UnderWay {
            shards: std::array::from_fn(|_| Mutex::new(HashSet::new())),
        }
    }

    fn shard(&self, id: &Id) -> &Mutex<HashSet<Id>> {
        &self.shards[usize::from(id.bytes()[31]) % SHARDS]
    }

    /// True for the first who asks.
    pub(super) fn claim(&self, id: &Id) -> bool {
        self.shard(id)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*id)
    }

    pub(super) fn release(&self, id: &Id) {
        self.shard(id)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }
}

struct Waiting {
    packs: Vec<IndexedPack>,
    blobs: usize,
    since: Instant,
}

/// What was added to the repository.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Added {
    pub data_blobs: u64,
    pub tree_blobs: u64,
    /// Plain bytes.
    pub bytes: u64,
    /// Stored bytes.
    pub bytes_stored: u64,
}

pub(super) struct Uploads<'a> {
    repository: &'a Repository,
    watch: &'a dyn Watch,
    throttle: Throttle,
    waiting: Mutex<Waiting>,
    added: Mutex<Added>,
    pub under_way: UnderWay,
    failure: Mutex<Option<RepositoryError>>,
    has_failed: AtomicBool,
}

impl<'a> Uploads<'a> {
    pub(super) fn new(repository: &'a Repository, watch: &'a dyn Watch) -> Uploads<'a> {
        Uploads {
            repository,
            watch,
            throttle: Throttle::new(),
            waiting: Mutex::new(Waiting {
                packs: Vec::new(),
                blobs: 0,
                since: Instant::now(),
            }),
            added: Mutex::new(Added::default()),
            under_way: UnderWay::new(),
            failure: Mutex::new(None),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Writes packs until there are no more, or something failed.
    pub(super) fn run(&self, packs: &Receiver<Pack>) {
        for pack in packs {
            // After a failure the channel is emptied, so that nobody waits for room in it.
            if !self.has_failed()
                && let Err(error) = self.write(pack)
            {
                self.fail(error);
            }
        }
    }

    /// Writes one pack.
    pub(super) fn write(&self, pack: Pack) -> Result<(), RepositoryError> {
        obey(self.watch)?;
        self.throttle.admit(self.watch, pack.bytes.len() as u64)?;
        self.watch.step("ingest-pack-before");
        self.repository
            .backend
            .write(FileKind::Pack, &pack.index.id, &pack.bytes)?;
        self.watch.step("ingest-pack-after");
        Counters::add(&self.watch.counters().written, pack.bytes.len() as u64);
        self.count(&pack);
        let due = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.packs.is_empty() {
                waiting.since = Instant::now();
            }
            waiting.blobs += pack.index.blobs.len();
            waiting.packs.push(pack.index);
            waiting.blobs >= INDEX_BLOBS || waiting.since.elapsed() >= INDEX_AGE
        };
        if due { self.write_index() } else { Ok(()) }
    }

    fn count(&self, pack: &Pack) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        for blob in &pack.index.blobs {
            match blob.kind {
                crate::files::BlobKind::Data => added.data_blobs += 1,
                crate::files::BlobKind::Tree => added.tree_blobs += 1,
            }
            let plain = blob
                .uncompressed_length
                .unwrap_or(blob.length - crate::crypto::OVERHEAD as u32);
            added.bytes += u64::from(plain);
        }
        added.bytes_stored += pack.bytes.len() as u64;
    }

    /// Names the packs that were written since the last index file.
    pub(super) fn write_index(&self) -> Result<(), RepositoryError> {
        let packs = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.blobs = 0;
            std::mem::take(&mut waiting.packs)
        };
        if packs.is_empty() {
            return Ok(());
        }
        let file = IndexFile { packs };
        self.watch.step("ingest-index-before");
        let id = self.repository.write_file(FileKind::Index, &file)?;
        self.watch.step("ingest-index-after");
        self.repository.added_index(id, &file)?;
        for blob in file.packs.iter().flat_map(|pack| &pack.blobs) {
            self.under_way.release(&blob.id);
        }
        Ok(())
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// The first failure is the one that is told.
    pub(super) fn fail(&self, error: RepositoryError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        self.has_failed.store(true, Ordering::Relaxed);
    }

    pub(super) fn take_failure(&self) -> Option<RepositoryError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(super) fn added(&self) -> Added {
        *self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
