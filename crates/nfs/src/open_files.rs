//! Files that are kept open between calls.
//! What lives here: which are open, which hold data that no disk has yet, and when they are closed. What does not: who may
//! open what.
//!
//! A file with unsynced data stays open, because the kernel reports a failed write-back to descriptors that were open
//! when it happened. When syncing fails, the write verifier changes, so that all clients send again what they have not
//! committed.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::Stat;
use rustix::io::Errno;

use crate::kernel::{self, KernelHandle};
use crate::observer::FileKey;
use crate::usage::Usage;

/// Files that an export keeps open; beyond that the one used longest ago is closed.
const OPEN_MAX: usize = 64;
/// As long as so many are unsynced, none of them is synced only to be closed.
const UNSYNCED_MAX: usize = 256;

/// Counts failures to bring data to the disk; a part of the write verifier.
pub(crate) type SyncFailures = AtomicU64;

/// An open file.
#[derive(Debug)]
pub(crate) struct OpenFile {
    descriptor: OwnedFd,
    /// Why it was opened for reading only.
    not_writable: Option<Errno>,
    key: FileKey,
    unsynced: AtomicBool,
    /// Held while the file is synced: the kernel tells a failure to one of those who sync, and the others must see that it
    /// was counted.
    syncing: Mutex<()>,
    /// Allocated bytes as they are in the count of the export.
    counted: AtomicU64,
}

impl OpenFile {
    pub(crate) fn new(descriptor: OwnedFd, not_writable: Option<Errno>, stat: &Stat) -> OpenFile {
        let generation = kernel::generation(&descriptor).unwrap_or(0);
        OpenFile {
            descriptor,
            not_writable,
            key: FileKey {
                inode: stat.st_ino,
                generation,
            },
            unsynced: AtomicBool::new(false),
            syncing: Mutex::new(()),
            counted: AtomicU64::new(allocated(stat)),
        }
    }

    pub(crate) fn key(&self) -> FileKey {
        self.key
    }

    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        rustix::fs::fstat(&self.descriptor)
    }

    /// The descriptor, if it is one for writing.
    pub(crate) fn writable(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.not_writable.map_or(Ok(self.descriptor.as_fd()), Err)
    }

    /// To be called before data is written that is not synced at once.
    pub(crate) fn will_be_unsynced(&self) {
        self.unsynced.store(true, Ordering::SeqCst);
    }

    /// Brings the count of the export up to what the file holds now.
    pub(crate) fn count(&self, now: &Stat, usage: &Usage) {
        let now = allocated(now);
        usage.change(self.counted.swap(now, Ordering::Relaxed), now);
    }

    /// Brings everything that was written to the file to the disk.
    pub(crate) fn sync(&self, failures: &SyncFailures) -> io::Result<()> {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        // Cleared before: what is written meanwhile may miss this sync.
        self.unsynced.store(false, Ordering::SeqCst);
        rustix::fs::fsync(&self.descriptor).map_err(|error| {
            failures.fetch_add(1, Ordering::SeqCst);
            error.into()
        })
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Bytes that a file takes on the disk.
pub(crate) fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512)
}

/// The open files of an export.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    files: HashMap<KernelHandle, (Arc<OpenFile>, u64)>,
    /// Counts uses, to know what was used longest ago.
    uses: u64,
}

impl OpenFiles {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, handle: &KernelHandle) -> Option<Arc<OpenFile>> {
        let mut table = self.table();
        table.uses += 1;
        let now = table.uses;
        let (file, used) = table.files.get_mut(handle)?;
        *used = now;
        Some(Arc::clone(file))
    }

    /// Keeps the file; if another call was quicker, that one's is kept and given.
    pub(crate) fn insert(
        &self,
        handle: KernelHandle,
        file: OpenFile,
        failures: &SyncFailures,
    ) -> io::Result<Arc<OpenFile>> {
        let (kept, surplus) = {
            let mut table = self.table();
            table.uses += 1;
            let now = table.uses;
            let (kept, used) = table
                .files
                .entry(handle)
                .or_insert_with(|| (Arc::new(file), now));
            *used = now;
            let kept = Arc::clone(kept);
            (kept, table.surplus())
        };
        // Outside the lock: syncing takes as long as the disk takes.
        match surplus {
            Some((handle, file)) if file.unsynced.load(Ordering::SeqCst) => {
                file.sync(failures)?;
                self.table().forget_unused(&handle, &file);
            }
            _ => {}
        }
        Ok(kept)
    }

    /// Closes the file once no call uses it; what it holds unsynced is gone with it, for its last name is.
    pub(crate) fn remove(&self, inode: u64) {
        self.table()
            .files
            .retain(|_, (file, _)| file.key.inode != inode);
    }

    /// Syncs every file that holds unsynced data. All are tried; the first failure is given.
    pub(crate) fn sync(&self, failures: &SyncFailures) -> io::Result<()> {
        let unsynced: Vec<Arc<OpenFile>> = {
            let table = self.table();
            let files = table.files.values().map(|(file, _)| file);
            files
                .filter(|file| file.unsynced.load(Ordering::SeqCst))
                .map(Arc::clone)
                .collect()
        };
        let mut synced = Ok(());
        for file in unsynced {
            synced = synced.and(file.sync(failures));
        }
        synced
    }

    /// Forgets all files; those that no call uses are closed when it returns.
    pub(crate) fn clear(&self) {
        self.table().files.clear();
    }
}

impl Table {
    /// If there are too many: takes out the synced file used longest ago, or, when all are unsynced and there are far too
    /// many, shows the one to be synced. A file that a call is using is let be.
    fn surplus(&mut self) -> Option<(KernelHandle, Arc<OpenFile>)> {
        if self.files.len() <= OPEN_MAX {
            return None;
        }
        let oldest = |unsynced: bool| {
            let idle = self.files.iter().filter(|(_, (file, _))| {
                Arc::strong_count(file) == 1 && file.unsynced.load(Ordering::SeqCst) == unsynced
            });
            idle.min_by_key(|(_, (_, used))| *used)
                .map(|(handle, _)| *handle)
        };
        if let Some(handle) = oldest(false) {
            return self.files.remove(&handle).map(|(file, _)| (handle, file));
        }
        let handle = oldest(true).filter(|_| self.files.len() > UNSYNCED_MAX)?;
        self.files
            .get(&handle)
            .map(|(file, _)| (handle, Arc::clone(file)))
    }

    /// Takes out a file that was synced, unless somebody wrote or took it meanwhile.
    fn forget_unused(&mut self, handle: &KernelHandle, file: &Arc<OpenFile>) {
        // Two: the table's and the caller's.
        if Arc::strong_count(file) == 2 && !file.unsynced.load(Ordering::SeqCst) {
            self.files.remove(handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &std::path::Path, name: usize) -> (KernelHandle, OpenFile) {
        let path = directory.join(name.to_string());
        let file = std::fs::File::create(path).unwrap();
        let handle = kernel::handle_of(&file).unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        (handle, OpenFile::new(file.into(), None, &stat))
    }

    #[test]
    fn synced_files_are_closed_first_and_unsynced_ones_only_after_a_sync() {
        let directory = tempfile::tempdir().unwrap();
        let (files, failures) = (OpenFiles::default(), SyncFailures::new(0));
        let insert = |name: usize, unsynced: bool| {
            let (handle, file) = open(directory.path(), name);
            let file = files.insert(handle, file, &failures).unwrap();
            if unsynced {
                file.will_be_unsynced();
            }
            handle
        };
        let synced: Vec<KernelHandle> = (0..8).map(|name| insert(name, false)).collect();
        let unsynced: Vec<KernelHandle> = (8..UNSYNCED_MAX + 20)
            .map(|name| insert(name, true))
            .collect();
        assert!(synced.iter().all(|handle| files.get(handle).is_none()));
        // The newest was not yet unsynced when its place was made.
        let open = unsynced
            .iter()
            .filter(|handle| files.get(handle).is_some())
            .count();
        assert!((UNSYNCED_MAX..=UNSYNCED_MAX + 1).contains(&open), "{open}");
        files.sync(&failures).unwrap();
        assert!(
            files
                .table()
                .files
                .values()
                .all(|(file, _)| !file.unsynced.load(Ordering::SeqCst))
        );
        assert_eq!(failures.into_inner(), 0);
    }

    #[test]
    fn a_failed_sync_is_counted() {
        let failures = SyncFailures::new(0);
        let (read, _write) = std::io::pipe().unwrap();
        let stat = rustix::fs::fstat(&read).unwrap();
        // A pipe cannot be synced: EINVAL.
        let file = OpenFile::new(read.into(), None, &stat);
        assert!(file.sync(&failures).is_err());
        assert_eq!(failures.into_inner(), 1);
    }
}
