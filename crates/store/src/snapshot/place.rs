//! The place of a snapshot or of data: the directory it stands in, its name, its hidden names, and who is at work there.
//! What lives here: names and the lock. What does not: what is done with them.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::error::{SnapshotError, cannot};
use super::tree::Facts;

/// Bytes of a name. The hidden names made of it must fit into the 255 bytes that file systems allow.
const NAME_BYTES_MAX: usize = 200;
/// How long one waits for others who work in the same directory, and the pause between two looks.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Hidden names that are tried before something must be badly wrong.
const HIDDEN_NAMES_TRIED_MAX: u32 = 1000;

/// Why something is hidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hidden {
    /// A snapshot that is not whole yet.
    Taking,
    /// Something that is no longer whole.
    Destroying,
    /// What `probe` tries things with.
    Probing,
}

impl Hidden {
    const ALL: [Hidden; 3] = [Hidden::Taking, Hidden::Destroying, Hidden::Probing];

    fn prefix(self) -> &'static [u8] {
        match self {
            Hidden::Taking => b".taking-",
            Hidden::Destroying => b".destroying-",
            Hidden::Probing => b".probing-",
        }
    }

    /// Whether a name is one of ours that hides rubbish, or what will be whole or rubbish.
    pub(super) fn is(name: &[u8]) -> bool {
        Hidden::ALL
            .iter()
            .any(|hidden| name.starts_with(hidden.prefix()))
    }
}

/// A name in a directory that belongs to the store.
#[derive(Debug)]
pub(super) struct Place {
    /// The directory; holds the lock, if there is one.
    pub(super) parent: OwnedFd,
    /// Its path, absolute.
    pub(super) parent_path: PathBuf,
    /// The name in it.
    pub(super) name: OsString,
}

impl Place {
    /// The place of a path, whose last name is checked. Its parent must be there.
    pub(super) fn of(path: &Path) -> Result<Place, SnapshotError> {
        let refused = |why: &str| SnapshotError::Refused {
            path: path.to_owned(),
            why: why.to_owned(),
            hint: "use a name of up to 200 bytes that does not begin with a dot",
        };
        let absolute =
            std::path::absolute(path).map_err(|_| refused("is no path of a file system"))?;
        let (Some(parent_path), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(refused("has no name"));
        };
        if name.as_bytes().starts_with(b".") || name.len() > NAME_BYTES_MAX {
            return Err(refused("has a name that cannot be used"));
        }
        Ok(Place {
            parent: open_directory(parent_path)?,
            parent_path: parent_path.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The whole path.
    pub(super) fn path(&self) -> PathBuf {
        self.parent_path.join(&self.name)
    }

    /// What is there, if anything; a symbolic link is not followed.
    pub(super) fn facts(&self) -> Result<Option<Facts>, SnapshotError> {
        facts_at(&self.parent, &self.name).map_err(cannot("look at", &self.path()))
    }

    /// A free hidden name. It carries the process and a number, so that two at work never meet on one.
    pub(super) fn hidden(&self, why: Hidden) -> Result<OsString, SnapshotError> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        for _ in 0..HIDDEN_NAMES_TRIED_MAX {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let mut name = self.hidden_beginning(why);
            name.extend_from_slice(format!("{}-{number}", std::process::id()).as_bytes());
            let name = OsString::from_vec(name);
            let found = facts_at(&self.parent, &name).map_err(cannot("look at", &self.path()))?;
            if found.is_none() {
                return Ok(name);
            }
        }
        Err(SnapshotError::Busy(self.parent_path.clone()))
    }

    /// What is hidden here under this name for this reason, by whichever process.
    pub(super) fn hidden_ones(&self, why: Hidden) -> Result<Vec<OsString>, SnapshotError> {
        let beginning = self.hidden_beginning(why);
        let is_ours = |name: &[u8]| {
            // The rest must be the numbers alone: the name may itself contain dots.
            name.strip_prefix(beginning.as_slice()).is_some_and(|rest| {
                rest.iter()
                    .all(|byte| byte.is_ascii_digit() || *byte == b'-')
            })
        };
        names_in(&self.parent, is_ours).map_err(cannot("read", &self.parent_path))
    }

    fn hidden_beginning(&self, why: Hidden) -> Vec<u8> {
        [why.prefix(), self.name.as_bytes(), b"."].concat()
    }

    /// Renames, never onto something, and makes it durable.
    pub(super) fn publish(
        &self,
        from: &OwnedFd,
        hidden: impl AsRef<OsStr>,
    ) -> Result<(), SnapshotError> {
        let (path, hidden) = (self.path(), hidden.as_ref());
        rustix::fs::renameat_with(
            from,
            hidden,
            &self.parent,
            &self.name,
            RenameFlags::NOREPLACE,
        )
        .map_err(|errno| match errno {
            Errno::EXIST => SnapshotError::Exists(path.clone()),
            errno => cannot("rename the finished snapshot to", &path)(errno),
        })?;
        crate::failpoint::reach("snapshot-after-publish");
        self.sync().inspect_err(|_| {
            // A snapshot that may vanish is none. If even this fails, the caller has an error and a whole snapshot.
            let _ = rustix::fs::renameat(&self.parent, &self.name, from, hidden);
        })
    }

    /// Refuses a snapshot that would lie inside the data it is taken of, and would so contain itself.
    pub(super) fn must_be_outside(&self, data: &Path) -> Result<(), SnapshotError> {
        let real = |path: &Path| {
            std::fs::canonicalize(path).map_err(|source| SnapshotError::Io {
                doing: "resolve",
                path: path.to_owned(),
                source,
            })
        };
        match real(&self.parent_path)?.starts_with(real(data)?) {
            false => Ok(()),
            true => Err(SnapshotError::Refused {
                path: self.path(),
                why: "lies inside the data that it is to be a snapshot of".to_owned(),
                hint: "keep snapshots beside the data",
            }),
        }
    }

    /// Makes durable which names there are.
    pub(super) fn sync(&self) -> Result<(), SnapshotError> {
        rustix::fs::fsync(&self.parent).map_err(cannot("sync", &self.parent_path))
    }

    /// Says that somebody is at work here; any number may be at once, but not beside one who cleans. Held until the place
    /// is dropped and every program that got it as its standard input has ended.
    pub(super) fn lock_for_work(&self, cancel: &dyn Fn() -> bool) -> Result<(), SnapshotError> {
        let shared = FlockOperation::NonBlockingLockShared;
        if lock(&self.parent, &self.parent_path, shared, cancel)? {
            return Ok(());
        }
        Err(SnapshotError::Cancelled(self.path()))
    }
}

/// Keeps everybody else out of a directory until it is closed.
pub(super) fn lock_for_cleaning(directory: &OwnedFd, path: &Path) -> Result<(), SnapshotError> {
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    lock(directory, path, exclusive, &|| false).map(|_| ())
}

/// Returns false when cancelled.
fn lock(
    directory: &OwnedFd,
    path: &Path,
    operation: FlockOperation,
    cancel: &dyn Fn() -> bool,
) -> Result<bool, SnapshotError> {
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(directory, operation) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK | Errno::INTR) if cancel() => return Ok(false),
            Err(Errno::WOULDBLOCK | Errno::INTR) if begun.elapsed() < LOCK_WAIT_MAX => {
                sleep(LOCK_PAUSE);
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => {
                return Err(SnapshotError::Busy(path.to_owned()));
            }
            Err(errno) => return Err(cannot("lock", path)(errno)),
        }
    }
}

/// Opens a directory of the store; the last name of the path may not be a symbolic link.
pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, SnapshotError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => SnapshotError::Missing(path.to_owned()),
        Errno::LOOP | Errno::NOTDIR => SnapshotError::Refused {
            path: path.to_owned(),
            why: "is no directory".to_owned(),
            hint: "a symbolic link is not followed here; name the directory itself",
        },
        errno => cannot("open the directory", path)(errno),
    })
}

/// What a name in a directory stands for, if it is there; a symbolic link is not followed.
pub(super) fn facts_at(directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<Option<Facts>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Facts::from(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The names in a directory that are wanted.
pub(super) fn names_in(
    directory: &OwnedFd,
    wanted: impl Fn(&[u8]) -> bool,
) -> rustix::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if wanted(name) {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}
