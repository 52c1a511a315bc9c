//! What clients have written to each mount since its last snapshot.
//! What lives here: noting ranges, and which files of the directory they belong to when the mount is at rest. What does not:
//! what is done with that (ingest), and the NFS server that tells of it.
//!
//! It is in memory only: after a start nothing is known until the next snapshot, and files are read as a whole. So they are
//! when anything about a file is not certain: another inode or birth time under its name, a change time that no written
//! range explains, a file system without birth times.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nfs::{ChangeObserver, FileKey};
use rustix::fs::{AtFlags, CWD, StatxFlags};
use serde::{Deserialize, Serialize};

/// Ranges are noted in blocks of so many bytes: no chunk is smaller than that.
const BLOCK_BYTES: u64 = 8 << 10;
/// Ranges of one mount; beyond, nothing is known.
const RANGES_MAX: usize = 500_000;
/// After so many snapshots one is told as not known, so that it is read as a whole, whatever is believed.
const KNOWN_MAX: u64 = 6;
/// Change times are no finer than a tick of the kernel, and NFS servers' clocks need not be ours.
const TICK_SECONDS: i64 = 2;
/// Files of one mount; beyond, the writers would wait too long while all are looked at.
const FILES_MAX: usize = 100_000;

/// Blocks that were written: the first, and the one behind the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Blocks(BTreeMap<u64, u64>);

impl Blocks {
    fn add(&mut self, mut begin: u64, mut end: u64) {
        // All that touch the new one become one with it.
        let touching: Vec<(u64, u64)> = self
            .0
            .range(..=end)
            .rev()
            .take_while(|(_, last)| **last >= begin)
            .map(|(first, last)| (*first, *last))
            .collect();
        for (first, last) in touching {
            self.0.remove(&first);
            begin = begin.min(first);
            end = end.max(last);
        }
        self.0.insert(begin, end);
    }

    fn bytes(&self) -> Vec<Range<u64>> {
        let bytes =
            |(begin, end): (&u64, &u64)| begin * BLOCK_BYTES..end.saturating_mul(BLOCK_BYTES);
        self.0.iter().map(bytes).collect()
    }
}

/// What a file was when the mount was at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    inode: u64,
    born: (i64, u32),
    changed: (i64, i64),
    /// It changed so shortly before that a change after it could have the same time.
    is_fresh: bool,
}

/// What is known of a mount.
#[derive(Debug, Default)]
struct Epoch {
    /// The snapshot since which everything is known, and the files it had.
    since: Option<(String, HashMap<PathBuf, Identity>)>,
    written: HashMap<u64, Blocks>,
    ranges: usize,
    /// More was written than is noted.
    is_lost: bool,
    /// Snapshots since one was told as not known.
    seals: u64,
}

/// What was written to each mount.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog(Mutex<HashMap<u64, Epoch>>);

/// What was written to a mount up to the moment at which it was at rest.
#[derive(Debug)]
pub(crate) struct Rested {
    /// For whoever makes a recovery point of it.
    pub changed: Option<ChangedFiles>,
    was_known: bool,
    files: Option<HashMap<PathBuf, Identity>>,
    written: HashMap<u64, Blocks>,
    is_lost: bool,
}

/// What was written since a snapshot. A file that is not named is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangedFiles {
    /// The snapshot.
    pub since: String,
    /// Written bytes by path below the mount's root, as lossless text; first and behind the last.
    pub files: Vec<(PathBuf, Vec<Range<u64>>)>,
}

impl ChangeObserver for ChangeLog {
    fn written(&self, export: u64, file: FileKey, offset: u64, bytes: u64) {
        let mut epochs = self.epochs();
        let epoch = epochs.entry(export).or_default();
        if bytes == 0 || epoch.is_lost {
            return;
        }
        let blocks = epoch.written.entry(file.inode).or_default();
        let before = blocks.0.len();
        let end = offset.saturating_add(bytes);
        blocks.add(offset / BLOCK_BYTES, end.div_ceil(BLOCK_BYTES));
        epoch.ranges = (epoch.ranges + blocks.0.len()).saturating_sub(before);
        if epoch.ranges > RANGES_MAX {
            epoch.is_lost = true;
            epoch.written = HashMap::new();
        }
    }

    fn changed(&self, _export: u64) {}
}

impl ChangeLog {
    fn epochs(&self) -> MutexGuard<'_, HashMap<u64, Epoch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mount is at rest for a snapshot: what was written belongs to it. Ends in `sealed` or `broken_off`.
    pub(crate) fn at_rest(&self, export: u64, data: &Path) -> Rested {
        let files = look(data);
        let mut epochs = self.epochs();
        let epoch = epochs.entry(export).or_default();
        let written = std::mem::take(&mut epoch.written);
        let is_lost = std::mem::take(&mut epoch.is_lost);
        epoch.ranges = 0;
        let changed = match (&epoch.since, &files) {
            (Some((since, before)), Some(now)) if !is_lost && epoch.seals < KNOWN_MAX => {
                Some(ChangedFiles {
                    since: since.clone(),
                    files: known(before, now, &written),
                })
            }
            _ => None,
        };
        Rested {
            was_known: changed.is_some(),
            changed,
            files,
            written,
            is_lost,
        }
    }

    /// The snapshot is there: what was written since the mount was at rest, was written since it.
    pub(crate) fn sealed(&self, export: u64, snapshot: &str, rested: Rested) {
        let mut epochs = self.epochs();
        let epoch = epochs.entry(export).or_default();
        epoch.since = rested.files.map(|files| (snapshot.to_owned(), files));
        epoch.seals = if rested.was_known { epoch.seals + 1 } else { 0 };
    }

    /// Forgets a mount that is no more.
    pub(crate) fn forget(&self, export: u64) {
        self.epochs().remove(&export);
    }

    /// There is no snapshot: what was taken is put back.
    pub(crate) fn broken_off(&self, export: u64, rested: Rested) {
        let mut epochs = self.epochs();
        let epoch = epochs.entry(export).or_default();
        epoch.is_lost |= rested.is_lost;
        for (inode, blocks) in rested.written {
            let into = epoch.written.entry(inode).or_default();
            for (begin, end) in blocks.0 {
                into.add(begin, end);
            }
        }
        epoch.ranges = epoch.written.values().map(|blocks| blocks.0.len()).sum();
    }
}

/// Files of which it is certain what was written.
fn known(
    before: &HashMap<PathBuf, Identity>,
    now: &HashMap<PathBuf, Identity>,
    written: &HashMap<u64, Blocks>,
) -> Vec<(PathBuf, Vec<Range<u64>>)> {
    let certain = |(path, identity): (&PathBuf, &Identity)| {
        let old = before.get(path)?;
        let is_same = (old.inode, old.born) == (identity.inode, identity.born);
        let blocks = written.get(&identity.inode).map(Blocks::bytes);
        let ranges = match blocks {
            Some(ranges) => ranges,
            // Something changed that nobody told of.
            None if old.is_fresh || old.changed != identity.changed => return None,
            None => Vec::new(),
        };
        // Other names cannot be written down.
        (is_same && path.to_str().is_some()).then(|| (path.clone(), ranges))
    };
    now.iter().filter_map(certain).collect()
}

/// All files of a directory; nothing if they are too many or one cannot be told from its successor.
fn look(data: &Path) -> Option<HashMap<PathBuf, Identity>> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
    let mut files = HashMap::new();
    let mut directories = vec![data.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).ok()? {
            let entry = entry.ok()?;
            let kind = entry.file_type().ok()?;
            let path = entry.path();
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                if files.len() >= FILES_MAX {
                    return None;
                }
                files.insert(
                    path.strip_prefix(data).ok()?.to_owned(),
                    identify(&path, now)?,
                );
            }
        }
    }
    Some(files)
}

fn identify(path: &Path, now: i64) -> Option<Identity> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let known = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BTIME).ok()?;
    // A file with two names could be written through the other one; it is told all the same, by its inode.
    if known.stx_mask & StatxFlags::BTIME.bits() == 0 {
        return None;
    }
    Some(Identity {
        inode: metadata.ino(),
        born: (known.stx_btime.tv_sec, known.stx_btime.tv_nsec),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        is_fresh: metadata.ctime() + TICK_SECONDS >= now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use std::time::Duration;

    fn key(path: &Path) -> FileKey {
        FileKey {
            inode: fs::metadata(path).unwrap().ino(),
            generation: 0,
        }
    }

    fn told(log: &ChangeLog, data: &Path, snapshot: &str) -> Option<ChangedFiles> {
        let mut rested = log.at_rest(1, data);
        let changed = rested.changed.take();
        log.sealed(1, snapshot, rested);
        changed
    }

    #[test]
    fn what_is_certain_is_told_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        for name in ["same", "written", "replaced", "behind_our_back"] {
            fs::write(data.join(name), name).unwrap();
        }
        std::thread::sleep(Duration::from_secs(TICK_SECONDS as u64 + 1));
        fs::write(data.join("fresh"), "fresh").unwrap();
        let log = ChangeLog::default();
        assert_eq!(told(&log, data, "S1"), None);
        log.written(1, key(&data.join("written")), 100_000, 1);
        log.written(2, key(&data.join("same")), 0, 1);
        fs::write(data.join("new"), "new").unwrap();
        fs::write(data.join("other"), "other").unwrap();
        fs::rename(data.join("other"), data.join("replaced")).unwrap();
        // A clock tick of the kernel, so that the change shows.
        std::thread::sleep(Duration::from_millis(20));
        fs::File::options()
            .append(true)
            .open(data.join("behind_our_back"))
            .unwrap()
            .write_all(b"!")
            .unwrap();
        let mut changed = told(&log, data, "S2").unwrap();
        changed.files.sort_by(|one, other| one.0.cmp(&other.0));
        let block = 12 * BLOCK_BYTES..13 * BLOCK_BYTES;
        let expected = ChangedFiles {
            since: "S1".to_owned(),
            files: vec![("same".into(), vec![]), ("written".into(), vec![block])],
        };
        assert_eq!(changed, expected);
    }

    #[test]
    fn a_seal_that_failed_keeps_what_was_written_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "x").unwrap();
        let log = ChangeLog::default();
        told(&log, directory.path(), "S1");
        log.written(1, key(&file), 0, 1);
        let rested = log.at_rest(1, directory.path());
        log.written(1, key(&file), 5 * BLOCK_BYTES, 1);
        log.broken_off(1, rested);
        let changed = told(&log, directory.path(), "S2").unwrap();
        let blocks = [0..BLOCK_BYTES, 5 * BLOCK_BYTES..6 * BLOCK_BYTES];
        assert_eq!(changed.files, [("file".into(), blocks.to_vec())]);
    }

    #[test]
    fn too_much_is_told_as_nothing_until_the_next_seal() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "x").unwrap();
        let log = ChangeLog::default();
        told(&log, directory.path(), "S1");
        for block in 0..=RANGES_MAX as u64 {
            log.written(1, key(&file), block * 2 * BLOCK_BYTES, 1);
        }
        assert_eq!(told(&log, directory.path(), "S2"), None);
        assert!(told(&log, directory.path(), "S3").is_some());
    }

    proptest! {
        #[test]
        fn ranges_cover_what_was_added_and_do_not_touch(
            added in proptest::collection::vec((0_u64..200, 1_u64..20), 0..60),
        ) {
            let mut blocks = Blocks::default();
            let mut plain = vec![false; 300];
            for (begin, length) in added {
                blocks.add(begin, begin + length);
                plain[begin as usize..(begin + length) as usize].fill(true);
            }
            let mut covered = vec![false; 300];
            let mut before = None;
            for (begin, end) in &blocks.0 {
                prop_assert!(begin < end && before.is_none_or(|before| before < *begin));
                covered[*begin as usize..*end as usize].fill(true);
                before = Some(*end);
            }
            prop_assert_eq!(covered, plain);
        }
    }
}
