//! Trees of files, walked without recursion and without following a link.
//! What lives here: what is known of a file, and the rooms. What does not: snapshots.

mod attributes;
mod content;
mod copy;
mod count;
mod cursor;
mod remove;
mod walk;

use rustix::fs::{FileType, Gid, RawMode, Stat, Timespec, Timestamps, Uid};

pub(super) use content::Method;
pub(super) use copy::{Copied, TREE, copy};
pub(super) use count::count_snapshot;
pub(super) use cursor::open_beneath;
pub(super) use remove::remove;

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// What the system says of a file, in types that do not differ between machines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) identity: Identity,
    pub(super) kind: FileType,
    mode: RawMode,
    owner: Uid,
    group: Gid,
    links: u64,
    pub(super) bytes: u64,
    node: u64,
    times: Times,
}

/// When a file was read and written last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Times {
    accessed: (i64, i64),
    modified: (i64, i64),
}

impl Times {
    fn stamps(&self) -> Timestamps {
        let stamp = |(seconds, nanoseconds): (i64, i64)| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        Timestamps {
            last_access: stamp(self.accessed),
            last_modification: stamp(self.modified),
        }
    }
}

impl From<&Stat> for Facts {
    // The fields have other types on other machines.
    #[allow(clippy::unnecessary_cast)]
    fn from(stat: &Stat) -> Facts {
        Facts {
            identity: Identity {
                device: stat.st_dev as u64,
                inode: stat.st_ino as u64,
            },
            kind: FileType::from_raw_mode(stat.st_mode),
            mode: stat.st_mode & 0o7777,
            owner: Uid::from_raw(stat.st_uid),
            group: Gid::from_raw(stat.st_gid),
            links: stat.st_nlink as u64,
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            node: stat.st_rdev as u64,
            times: Times {
                accessed: (stat.st_atime as i64, stat.st_atime_nsec as i64),
                modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            },
        }
    }
}

impl Facts {
    /// The same file, and nobody wrote it in between.
    fn is_unchanged(&self, later: &Facts) -> bool {
        self.identity == later.identity
            && self.kind == later.kind
            && self.bytes == later.bytes
            && self.times.modified == later.times.modified
    }
}
