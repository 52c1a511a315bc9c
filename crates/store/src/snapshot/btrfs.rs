//! The driver `btrfs`: data in a subvolume, and a snapshot is a read-only subvolume that shares everything with it.
//! What lives here: its steps, and what a subvolume is known by. What does not: how the program `btrfs` is run.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::error::{SnapshotError, cannot};
use super::place::{Hidden, Place, facts_at, open_directory};
use super::program::btrfs;
use super::tree::Copied;
use super::{DriverKind, SnapshotDriver, Taken, removal, tree};
use crate::failpoint;

/// What `statfs` calls a Btrfs file system (BTRFS_SUPER_MAGIC).
const MAGIC: u64 = 0x9123_683E;
/// The number of the root directory of every subvolume (BTRFS_FIRST_FREE_OBJECTID).
const SUBVOLUME_INODE: u64 = 256;

pub(super) struct BtrfsDriver;

impl BtrfsDriver {
    /// Makes the snapshot under its hidden name and publishes it.
    fn make(
        &self,
        data: &Path,
        place: &Place,
        hidden: &OsStr,
        cancel: &dyn Fn() -> bool,
        frozen: &dyn Fn(),
    ) -> Result<Copied, SnapshotError> {
        let path = place.parent_path.join(hidden);
        snapshot(data, &path, &place.parent)?;
        frozen();
        if !is_subvolume(&place.parent, hidden).map_err(cannot("look at", &path))? {
            return Err(SnapshotError::Missing(path));
        }
        failpoint::reach("snapshot-inside-making");
        let copied = tree::count_snapshot(open_directory(&path)?, &path, cancel).map_err(
            |error| match error {
                SnapshotError::Cancelled(_) => SnapshotError::Cancelled(place.path()),
                error => error,
            },
        )?;
        if cancel() {
            return Err(SnapshotError::Cancelled(place.path()));
        }
        failpoint::reach("snapshot-before-publish");
        place.publish(&place.parent, hidden)?;
        Ok(copied)
    }
}

impl SnapshotDriver for BtrfsDriver {
    fn kind(&self) -> DriverKind {
        DriverKind::Btrfs
    }

    fn create_data(&self, data: &Path) -> Result<(), SnapshotError> {
        let place = Place::of(data)?;
        match place.facts()? {
            Some(_) => must_be_subvolume(&place)?,
            None => create_subvolume(&place.path(), &place.parent)?,
        }
        place.sync()
    }

    fn destroy_data(&self, data: &Path) -> Result<(), SnapshotError> {
        removal::destroy(data)
    }

    fn take_and_tell(
        &self,
        data: &Path,
        snapshot: &Path,
        cancel: &dyn Fn() -> bool,
        frozen: &dyn Fn(),
    ) -> Result<Taken, SnapshotError> {
        let place = Place::of(snapshot)?;
        place.lock_for_work(cancel)?;
        if place.facts()?.is_some() {
            return Err(SnapshotError::Exists(place.path()));
        }
        drop(open_directory(data)?);
        let source = Place::of(data)?;
        must_be_subvolume(&source)?;
        place.must_be_outside(data)?;
        if cancel() {
            return Err(SnapshotError::Cancelled(place.path()));
        }
        failpoint::reach("snapshot-before-making");
        let hidden = place.hidden(Hidden::Taking)?;
        let made = self.make(&source.path(), &place, &hidden, cancel, frozen);
        if made.is_err() {
            // The error that counts is the first one; what cannot be removed now is hidden, and `clean` removes it.
            let _ = removal::remove(&place.parent, &place.parent_path, &hidden);
        }
        made.map(|Copied { files, bytes }| Taken {
            files,
            bytes,
            method: "read-only Btrfs subvolume".to_owned(),
        })
    }

    fn is_whole(&self, snapshot: &Path) -> Result<bool, SnapshotError> {
        let place = match Place::of(snapshot) {
            Err(SnapshotError::Missing(_)) => return Ok(false),
            place => place?,
        };
        match place.facts()? {
            None => Ok(false),
            Some(_) => {
                is_subvolume(&place.parent, &place.name).map_err(cannot("look at", &place.path()))
            }
        }
    }
}

/// Makes an empty subvolume at a path, which must be free. `held`: see `program::btrfs`.
pub(super) fn create_subvolume(path: &Path, held: &OwnedFd) -> Result<(), SnapshotError> {
    btrfs(&["subvolume", "create"], &[path], held).map(drop)
}

/// Makes a read-only snapshot at a path, which must be free: the program would put it into a directory that is there.
/// The kernel commits it before it answers.
pub(super) fn snapshot(data: &Path, path: &Path, held: &OwnedFd) -> Result<(), SnapshotError> {
    btrfs(&["subvolume", "snapshot", "-r"], &[data, path], held).map(drop)
}

/// Removes a subvolume; that it is gone is committed, its space comes back in the background.
pub(super) fn delete_subvolume(held: &OwnedFd, path: &Path) -> Result<(), SnapshotError> {
    btrfs(&["subvolume", "delete", "--commit-after"], &[path], held).map(drop)
}

/// Whether a directory is on Btrfs.
pub(super) fn is_btrfs(directory: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(super::probe::magic(directory)? == MAGIC)
}

/// Whether a name in a directory is the root of a Btrfs subvolume.
pub(super) fn is_subvolume(parent: &OwnedFd, name: &OsStr) -> rustix::io::Result<bool> {
    match facts_at(parent, name)? {
        Some(facts) if facts.identity.inode == SUBVOLUME_INODE && facts.kind.is_dir() => {}
        _ => return Ok(false),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    is_btrfs(&rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

fn must_be_subvolume(place: &Place) -> Result<(), SnapshotError> {
    match is_subvolume(&place.parent, &place.name).map_err(cannot("look at", &place.path()))? {
        true => Ok(()),
        false => Err(SnapshotError::Refused {
            path: place.path(),
            why: "is no Btrfs subvolume".to_owned(),
            hint: "use the driver reflink for this mount, or move what is there away and let the store make a subvolume",
        }),
    }
}
