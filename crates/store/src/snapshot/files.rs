//! The drivers that go from file to file: `reflink` and `copy`.
//! What lives here: staging, sync and publishing. What does not: the walk through the tree.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::{SnapshotError, cannot};
use super::place::{Hidden, Place, open_directory};
use super::tree::{Copied, Method, TREE};
use super::{DriverKind, SnapshotDriver, Taken, removal, tree};
use crate::failpoint;

/// The mode of a new data directory; who owns it is the caller's to say.
const DATA_MODE: u32 = 0o755;

pub(super) struct FilesDriver {
    kind: DriverKind,
    method: Method,
    named: &'static str,
}

impl FilesDriver {
    pub(super) fn reflink() -> FilesDriver {
        FilesDriver {
            kind: DriverKind::Reflink,
            method: Method::Clone,
            named: "clone of each file (FICLONE)",
        }
    }

    pub(super) fn copy() -> FilesDriver {
        FilesDriver {
            kind: DriverKind::Copy,
            method: Method::Copy,
            named: "copy of each file",
        }
    }

    /// Fills the staging directory and publishes the tree in it.
    fn make(
        &self,
        order: &Order<'_>,
        staging: &OwnedFd,
        path: &Path,
    ) -> Result<Copied, SnapshotError> {
        let source = open_directory(order.data)?;
        let cancel = order.cancel;
        let copied = tree::copy(source, order.data, staging, path, self.method, cancel)
            .map_err(|error| order.named(error))?;
        (order.frozen)();
        failpoint::reach("snapshot-before-sync");
        // One sync of the file system and not one of each file: thousands of small files would take a write of the
        // journal each. The descriptor is older than all that was written, so an error of any of it is told here.
        rustix::fs::syncfs(staging).map_err(cannot("sync", path))?;
        if cancel() {
            return Err(SnapshotError::Cancelled(order.place.path()));
        }
        failpoint::reach("snapshot-before-publish");
        order
            .place
            .publish(staging, OsStr::from_bytes(TREE.to_bytes()))?;
        Ok(copied)
    }
}

/// A snapshot that is to be taken.
struct Order<'a> {
    data: &'a Path,
    place: &'a Place,
    cancel: &'a dyn Fn() -> bool,
    frozen: &'a dyn Fn(),
}

impl Order<'_> {
    /// What is cancelled is the snapshot, and not the file at which it was noticed.
    fn named(&self, error: SnapshotError) -> SnapshotError {
        match error {
            SnapshotError::Cancelled(_) => SnapshotError::Cancelled(self.place.path()),
            error => error,
        }
    }
}

impl SnapshotDriver for FilesDriver {
    fn kind(&self) -> DriverKind {
        self.kind
    }

    fn create_data(&self, data: &Path) -> Result<(), SnapshotError> {
        let place = Place::of(data)?;
        match rustix::fs::mkdirat(&place.parent, &place.name, Mode::from_raw_mode(DATA_MODE)) {
            Ok(()) => {}
            Err(Errno::EXIST) => drop(open_directory(data)?),
            Err(errno) => return Err(cannot("make the data directory", data)(errno)),
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
        place.must_be_outside(data)?;
        failpoint::reach("snapshot-before-making");
        let hidden = place.hidden(Hidden::Taking)?;
        let path = place.parent_path.join(&hidden);
        rustix::fs::mkdirat(&place.parent, &hidden, Mode::RWXU)
            .map_err(cannot("make the directory", &path))?;
        let staging = tree::open_beneath(
            &place.parent,
            &hidden,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW,
        )
        .map_err(cannot("open the directory", &path));
        let order = Order {
            data,
            place: &place,
            cancel,
            frozen,
        };
        let made = staging.and_then(|staging| self.make(&order, &staging, &path));
        // The error that counts is the first one; what cannot be removed now is hidden, and `clean` removes it.
        let _ = removal::remove(&place.parent, &place.parent_path, &hidden);
        made.map(|Copied { files, bytes }| Taken {
            files,
            bytes,
            method: self.named.to_owned(),
        })
    }

    fn is_whole(&self, snapshot: &Path) -> Result<bool, SnapshotError> {
        let place = match Place::of(snapshot) {
            Err(SnapshotError::Missing(_)) => return Ok(false),
            place => place?,
        };
        let found = place.facts()?;
        Ok(found.is_some_and(|facts| facts.kind == FileType::Directory))
    }
}
