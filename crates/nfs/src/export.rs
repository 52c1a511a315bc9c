//! One export while it is served.
//! What lives here: its root, opening what handles name, its parts (gate, open files, usage). What does not: the table of
//! exports, and what calls do.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustix::fs::{Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::error::ExportError;
use crate::gate::Gate;
use crate::identity;
use crate::kernel::{self, KernelHandle};
use crate::open_files::{OpenFile, OpenFiles, SyncFailures, allocated};
use crate::policy::ExportPolicy;
use crate::usage::{QuotaExceeded, Reservation, Usage};

/// Locks that directories share. While one changes, nobody else changes it, so that "attributes before and after" are true.
const DIRECTORY_LOCKS: usize = 64;

/// A directory to be served.
#[derive(Clone, Debug)]
pub struct Export {
    /// What clients mount, such as `/Phoenix/m/oracle_data`.
    pub name: String,
    /// What they see. Other file systems mounted below it are not shown.
    pub directory: PathBuf,
    /// Part of each file handle: the same over restarts, and never given to another export.
    pub id: u64,
    /// Who may do what.
    pub policy: ExportPolicy,
    /// Allocated bytes that it may hold; None: as many as the file system has.
    pub quota_bytes: Option<u64>,
}

/// An export while it is served.
#[derive(Debug)]
pub(crate) struct LiveExport {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) gate: Arc<Gate>,
    pub(crate) open_files: OpenFiles,
    pub(crate) usage: Usage,
    policy: RwLock<Arc<ExportPolicy>>,
    /// None once the export was removed.
    root: RwLock<Option<OwnedFd>>,
    root_handle: KernelHandle,
    root_inode: u64,
    device: u64,
    directory_locks: [Mutex<()>; DIRECTORY_LOCKS],
    lock_choice: RandomState,
    sync_failures: Arc<SyncFailures>,
}

/// Whether kernel file handles work in this directory, so that it can be exported.
pub fn check_directory(path: &Path) -> Result<(), ExportError> {
    open_root(path).map(drop)
}

fn open_root(path: &Path) -> Result<(OwnedFd, KernelHandle, Stat), ExportError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let unusable = |error: Errno| ExportError::Directory(path.to_owned(), error.into());
    let root = rustix::fs::open(path, flags, Mode::empty()).map_err(unusable)?;
    let stat = rustix::fs::fstat(&root).map_err(unusable)?;
    let no_handles = |error: io::Error| ExportError::NoHandles(path.to_owned(), error);
    let handle = kernel::handle_of(&root).map_err(no_handles)?;
    let again =
        kernel::open_handle(&root, &handle, OFlags::PATH).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => ExportError::NotPermitted(path.to_owned(), error),
            _ => no_handles(error),
        })?;
    let other = rustix::fs::fstat(&again).map_err(unusable)?;
    if (other.st_dev, other.st_ino) != (stat.st_dev, stat.st_ino) {
        return Err(no_handles(Errno::STALE.into()));
    }
    Ok((root, handle, stat))
}

impl LiveExport {
    pub(crate) fn new(
        export: Export,
        sync_failures: Arc<SyncFailures>,
    ) -> Result<LiveExport, ExportError> {
        let (root, root_handle, stat) = open_root(&export.directory)?;
        let live = LiveExport {
            name: export.name,
            id: export.id,
            gate: Arc::default(),
            open_files: OpenFiles::default(),
            usage: Usage::new(export.quota_bytes),
            policy: RwLock::new(Arc::new(export.policy)),
            root: RwLock::new(Some(root)),
            root_handle,
            root_inode: stat.st_ino,
            device: stat.st_dev,
            directory_locks: [const { Mutex::new(()) }; DIRECTORY_LOCKS],
            lock_choice: RandomState::new(),
            sync_failures,
        };
        live.recount()
            .map_err(|error| ExportError::Count(live.name.clone(), error))?;
        Ok(live)
    }

    pub(crate) fn policy(&self) -> Arc<ExportPolicy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next call sees it.
    pub(crate) fn set_policy(&self, policy: ExportPolicy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    pub(crate) fn root_handle(&self) -> &KernelHandle {
        &self.root_handle
    }

    pub(crate) fn is_root(&self, stat: &Stat) -> bool {
        (stat.st_dev, stat.st_ino) == (self.device, self.root_inode)
    }

    pub(crate) fn sync_failures(&self) -> &SyncFailures {
        &self.sync_failures
    }

    /// Opens what the handle names, as root. `ESTALE`: it is gone, or not in this file system.
    pub(crate) fn open(&self, handle: &KernelHandle, flags: OFlags) -> io::Result<(OwnedFd, Stat)> {
        identity::be_root()?;
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        let root = root.as_ref().ok_or(Errno::STALE)?;
        let opened = kernel::open_handle(root, handle, flags).map_err(|error| {
            match Errno::from_io_error(&error) {
                // A symbolic link, which is no directory.
                Some(Errno::LOOP) if flags.contains(OFlags::DIRECTORY) => Errno::NOTDIR.into(),
                _ => error,
            }
        })?;
        let stat = rustix::fs::fstat(&opened)?;
        // A file system may hold several (Btrfs subvolumes); a snapshot of this one would not have what is in the others.
        if stat.st_dev != self.device {
            return Err(Errno::STALE.into());
        }
        Ok((opened, stat))
    }

    /// Opens a name in a directory, whatever it is and without following it; not beyond the file system. It is done with
    /// the rights that the thread has.
    pub(crate) fn open_child(
        &self,
        directory: impl AsFd,
        name: &[u8],
    ) -> Result<(OwnedFd, Stat), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        let child = match rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve) {
            // Something is mounted there.
            Err(Errno::XDEV) => return Err(Errno::ACCESS),
            child => child?,
        };
        let stat = rustix::fs::fstat(&child)?;
        if stat.st_dev != self.device {
            return Err(Errno::ACCESS);
        }
        Ok((child, stat))
    }

    /// The open file that the handle names; regular files only.
    pub(crate) fn open_file(&self, handle: &KernelHandle) -> io::Result<Arc<OpenFile>> {
        if let Some(open) = self.open_files.get(handle) {
            return Ok(open);
        }
        // First only looked at: opening a pipe would wait, and opening a device could do anything.
        let (_, stat) = self.open(handle, OFlags::PATH)?;
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => {}
            rustix::fs::FileType::Directory => return Err(Errno::ISDIR.into()),
            _ => return Err(Errno::INVAL.into()),
        }
        let ((descriptor, stat), not_writable) = match self.open(handle, OFlags::RDWR) {
            Ok(open) => (open, None),
            Err(error) => match Errno::from_io_error(&error) {
                // A read-only snapshot, an immutable file, a program that runs: readable all the same.
                Some(reason @ (Errno::ROFS | Errno::PERM | Errno::ACCESS | Errno::TXTBSY)) => {
                    (self.open(handle, OFlags::RDONLY)?, Some(reason))
                }
                _ => return Err(error),
            },
        };
        let open = OpenFile::new(descriptor, not_writable, &stat);
        self.open_files.insert(*handle, open, &self.sync_failures)
    }

    /// Locks a directory against other changes through this server.
    pub(crate) fn lock_directory(&self, directory: &Stat) -> MutexGuard<'_, ()> {
        self.lock(self.lock_of(directory))
    }

    /// Locks two directories, in an order that no other call can cross; one guard if they share a lock.
    pub(crate) fn lock_directories(
        &self,
        first: &Stat,
        second: &Stat,
    ) -> (MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>) {
        let (first, second) = (self.lock_of(first), self.lock_of(second));
        let (low, high) = (first.min(second), first.max(second));
        (self.lock(low), (low != high).then(|| self.lock(high)))
    }

    fn lock_of(&self, directory: &Stat) -> usize {
        (self.lock_choice.hash_one(directory.st_ino) % DIRECTORY_LOCKS as u64) as usize
    }

    fn lock(&self, number: usize) -> MutexGuard<'_, ()> {
        self.directory_locks[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets bytes of the quota aside. If they are not there, the tree may be counted first, for files may have been
    /// deleted behind the server's back.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, QuotaExceeded> {
        self.usage.reserve(bytes).or_else(|_| {
            // If it cannot be counted, the old count stands.
            let _ = self.usage.recount_now_and_then(|| self.count());
            self.usage.reserve(bytes)
        })
    }

    /// Counts the tree anew, if there is a quota.
    pub(crate) fn recount(&self) -> io::Result<()> {
        self.usage.recount(|| self.count())
    }

    /// Allocated bytes of the tree, a file with several names once.
    fn count(&self) -> io::Result<u64> {
        let mut bytes = 0_u64;
        let mut counted = HashSet::new();
        let mut directories = vec![self.root_handle];
        let mut buffer = vec![MaybeUninit::uninit(); 1 << 15];
        while let Some(handle) = directories.pop() {
            let (directory, stat) = match self.open(&handle, OFlags::RDONLY | OFlags::DIRECTORY) {
                // It was deleted since its name was read.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::STALE) => continue,
                opened => opened?,
            };
            bytes = bytes.saturating_add(allocated(&stat));
            let mut entries = RawDir::new(&directory, &mut buffer);
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                let Ok((child, stat)) = self.open_child(&directory, name) else {
                    continue;
                };
                if rustix::fs::FileType::from_raw_mode(stat.st_mode)
                    == rustix::fs::FileType::Directory
                {
                    directories.push(kernel::handle_of(&child)?);
                } else if stat.st_nlink == 1 || counted.insert(stat.st_ino) {
                    bytes = bytes.saturating_add(allocated(&stat));
                }
            }
        }
        Ok(bytes)
    }

    /// Free space of the file system.
    pub(crate) fn file_system(&self) -> io::Result<rustix::fs::StatVfs> {
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        Ok(rustix::fs::fstatvfs(root.as_ref().ok_or(Errno::STALE)?)?)
    }

    /// Ends the service: waits for the calls inside, syncs what is unsynced, closes everything.
    pub(crate) fn close(&self) {
        self.gate.close();
        // A failure changes the write verifier: whoever finds the export again will send again.
        let _ = self.open_files.sync(&self.sync_failures);
        self.open_files.clear();
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
