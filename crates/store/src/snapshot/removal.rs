//! Destroying and cleaning, the same for every driver: hide first, remove then, and find what was hidden again.
//! What lives here: the order of steps. What does not: how a tree is emptied, and how a subvolume is deleted.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use super::error::{SnapshotError, cannot};
use super::place::{Hidden, Place, facts_at, lock_for_cleaning, names_in, open_directory};
use super::{btrfs, tree};
use crate::failpoint;

/// Removes a snapshot or a data directory; see `SnapshotDriver::destroy`.
pub(super) fn destroy(path: &Path) -> Result<(), SnapshotError> {
    let place = match Place::of(path) {
        Err(SnapshotError::Missing(_)) => return Ok(()),
        place => place?,
    };
    place.lock_for_work(&|| false)?;
    failpoint::reach("snapshot-before-hiding");
    let hidden = place.hidden(Hidden::Destroying)?;
    let (from, to) = (&place.name, &hidden);
    match rustix::fs::renameat_with(
        &place.parent,
        from,
        &place.parent,
        to,
        RenameFlags::NOREPLACE,
    ) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(cannot("hide, to destroy it,", &place.path())(errno)),
    }
    // Before anything of it is removed its name must be gone for good: a crash may not bring back a half of it.
    place.sync()?;
    failpoint::reach("snapshot-after-hiding");
    for hidden in place.hidden_ones(Hidden::Destroying)? {
        remove(&place.parent, &place.parent_path, &hidden)?;
    }
    failpoint::reach("snapshot-after-removal");
    place.sync()
}

/// Removes what is hidden in a directory; see `SnapshotDriver::clean`.
pub(super) fn clean(path: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let directory = match open_directory(path) {
        Err(SnapshotError::Missing(_)) => return Ok(Vec::new()),
        directory => directory?,
    };
    lock_for_cleaning(&directory, path)?;
    let hidden: Vec<OsString> = names_in(&directory, Hidden::is).map_err(cannot("read", path))?;
    let mut removed = Vec::new();
    let mut first_error = None;
    for name in hidden {
        match remove(&directory, path, &name) {
            Ok(()) => removed.push(path.join(name)),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    rustix::fs::fsync(&directory).map_err(cannot("sync", path))?;
    first_error.map_or(Ok(removed), Err)
}

/// Removes whatever a hidden name stands for: a subvolume, a tree, or a single thing. What is not there is no error.
pub(super) fn remove(
    parent: &OwnedFd,
    parent_path: &Path,
    name: &OsStr,
) -> Result<(), SnapshotError> {
    let path = parent_path.join(name);
    let Some(facts) = facts_at(parent, name).map_err(cannot("look at", &path))? else {
        return Ok(());
    };
    if facts.kind != FileType::Directory {
        return match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(cannot("remove", &path)(errno)),
        };
    }
    if btrfs::is_subvolume(parent, name).map_err(cannot("look at", &path))? {
        failpoint::reach("snapshot-inside-removal");
        return btrfs::delete_subvolume(parent, &path);
    }
    tree::remove(parent, name, &path)
}
