//! Counting what a Btrfs snapshot holds, and seeing whether it holds all.
//! What lives here: sums. What does not: contents, which nobody opens for it.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::FileType;

use super::super::error::{Fault, SnapshotError};
use super::walk::{Visitor, walk};
use super::{Copied, Facts};

struct Count<'a> {
    cancel: &'a dyn Fn() -> bool,
    counted: Copied,
}

/// The number of the empty directory by which a snapshot shows a subvolume that was inside the original.
const LEFT_OUT_INODE: u64 = 2;

/// Counts names of regular files and their bytes. The path is for messages. A subvolume inside the data is not in the
/// snapshot: that is an error, because the snapshot would not be what was there.
pub(in super::super) fn count_snapshot(
    root: OwnedFd,
    path: &Path,
    cancel: &dyn Fn() -> bool,
) -> Result<Copied, SnapshotError> {
    let mut count = Count {
        cancel,
        counted: Copied::default(),
    };
    walk(root, path, &mut count)?;
    Ok(count.counted)
}

impl Visitor for Count<'_> {
    fn entry(&mut self, _directory: &OwnedFd, _name: &CStr, facts: &Facts) -> Result<(), Fault> {
        if facts.kind == FileType::RegularFile {
            self.counted.files += 1;
            self.counted.bytes = self.counted.bytes.saturating_add(facts.bytes);
        }
        Ok(())
    }

    fn enter(&mut self, _name: &CStr, facts: &Facts) -> Result<(), Fault> {
        if facts.identity.inode == LEFT_OUT_INODE {
            return Err(Fault::Refused {
                why: "is a subvolume of its own inside the data, and a snapshot leaves it out",
                hint: "make a plain directory of it",
            });
        }
        match (self.cancel)() {
            true => Err(Fault::Cancelled),
            false => Ok(()),
        }
    }

    fn leave(&mut self, _directory: &OwnedFd, _facts: &Facts) -> Result<(), Fault> {
        Ok(())
    }
}
