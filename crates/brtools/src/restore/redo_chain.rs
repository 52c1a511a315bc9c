//! The redo logs that can be had, wherever they are, and whether they reach without a gap.
//! What lives here: looking into the archive directory, `arch<SID>.log` and the online logs. What does not: applying.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use oracle::file_header::ResetLogs;
use oracle::redo::{FIRST_REDO_BLOCK, LogHeader, LogReader};
use oracle::scn::Scn;

use super::file::RestoreItem;
use crate::summary::archive::{ArchiveSummary, ArchiveSummaryError};

/// Compared at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// Where a log can be had. In the order in which one is taken: what needs no copying first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPlace {
    /// In the archive directory, as Oracle wrote it.
    Archived(PathBuf),
    /// A member of an online redo group; `current` when redo was still being written to it.
    Online {
        /// The member.
        path: PathBuf,
        /// Whether its end is open.
        current: bool,
    },
    /// A copy that brarchive made; it must be brought back first.
    Stored(RestoreItem),
}

impl LogPlace {
    /// The file that there is now.
    pub fn path(&self) -> &Path {
        match self {
            LogPlace::Archived(path) | LogPlace::Online { path, .. } => path,
            LogPlace::Stored(item) => &item.source,
        }
    }
}

/// A log of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLog {
    /// Sequence.
    pub sequence: u32,
    /// Its header.
    pub header: LogHeader,
    /// Where it is.
    pub place: LogPlace,
}

impl ChainLog {
    /// Whether redo was still being written to it.
    pub fn is_open(&self) -> bool {
        self.header.next_scn == Scn::OPEN_ENDED
    }

    /// Whether another one is the same log in another place.
    fn is_same(&self, other: &ChainLog) -> bool {
        let of = |log: &ChainLog| {
            let header = &log.header;
            let times = (header.first_time, header.next_time);
            (log.sequence, header.first_scn, header.next_scn, times)
        };
        of(self) == of(other)
    }
}

/// All logs of one incarnation that can be had.
///
/// A database that was restored and opened without RESETLOGS writes its sequences again: then there are several
/// logs of one number. Which belong together is told by their SCNs: each begins where the one before ended.
#[derive(Debug, Clone, Default)]
pub struct RedoChain {
    logs: BTreeMap<u32, Vec<ChainLog>>,
    /// Files that look like logs and are not of this database, this incarnation, or not of use.
    pub passed_over: Vec<(PathBuf, String)>,
    /// Incarnations that came out of this one by RESETLOGS, as the logs that were seen tell.
    pub children: Vec<ResetLogs>,
    /// Online logs that are an old state of a log that went on, as they come back with a restored backup.
    pub went_on: Vec<PathBuf>,
}

/// The logs from a start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// They follow each other without a gap.
    pub logs: Vec<ChainLog>,
    /// Whether the last of them reaches the target.
    pub is_enough: bool,
}

/// Which database and incarnation is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation {
    /// DBID.
    pub dbid: u32,
    /// Its birth.
    pub resetlogs: ResetLogs,
}

impl RedoChain {
    /// Looks for logs of an incarnation in the archive directory, among stored copies and online members. Files in
    /// `damaged` are passed over.
    pub fn find(
        incarnation: Incarnation,
        archive_directory: &Path,
        summary: &Path,
        online_members: &[PathBuf],
        damaged: &BTreeSet<PathBuf>,
    ) -> Result<RedoChain, ArchiveSummaryError> {
        let mut chain = RedoChain::default();
        chain.look_into(incarnation, archive_directory, damaged);
        for member in online_members {
            chain.look_at_member(incarnation, member);
        }
        for entry in ArchiveSummary::read(summary)?.entries.iter().rev() {
            // One on tape is brought back by brrestore first.
            let is_on_disk = |(_, _, path): &(_, _, PathBuf)| path.is_absolute();
            let copies = entry
                .copies()
                .filter_map(|copy| copy.stored.clone())
                .filter(is_on_disk);
            for (hash, bytes, source) in copies.filter(|(.., path)| path.is_file()) {
                let item = RestoreItem {
                    on_tape: None,
                    original: entry.path.clone(),
                    target: entry.path.clone(),
                    check: Some((hash, bytes)),
                    source,
                };
                chain.look_at_stored(incarnation, item, damaged);
            }
        }
        chain.forget_what_went_on();
        Ok(chain)
    }

    fn look_into(
        &mut self,
        incarnation: Incarnation,
        directory: &Path,
        damaged: &BTreeSet<PathBuf>,
    ) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let Ok(reader) = LogReader::open(&path) else {
                continue;
            };
            let header = reader.header().clone();
            let expected =
                (u64::from(reader.os_header().blocks) + 1) * u64::from(header.block_size);
            let is_complete = header.next_scn != Scn::OPEN_ENDED
                && fs::metadata(&path).is_ok_and(|metadata| metadata.len() == expected);
            if !self.belongs(&path, &header, incarnation) {
                continue;
            }
            if damaged.contains(&path) {
                self.pass_over(&path, "it is damaged");
            } else if is_complete {
                self.insert(header, LogPlace::Archived(path));
            } else {
                self.pass_over(&path, "it is not complete");
            }
        }
    }

    fn look_at_member(&mut self, incarnation: Incarnation, member: &Path) {
        let Ok(reader) = LogReader::open(member) else {
            return;
        };
        let header = reader.header().clone();
        if header.sequence.get() > 0 && self.belongs(member, &header, incarnation) {
            let place = LogPlace::Online {
                path: member.to_owned(),
                current: header.next_scn == Scn::OPEN_ENDED,
            };
            self.insert(header, place);
        }
    }

    fn look_at_stored(
        &mut self,
        incarnation: Incarnation,
        item: RestoreItem,
        damaged: &BTreeSet<PathBuf>,
    ) {
        match LogReader::open(&item.source) {
            _ if damaged.contains(&item.source) => self.pass_over(&item.source, "it is damaged"),
            Err(error) => self.pass_over(&item.source, &error.to_string()),
            Ok(reader) => {
                let header = reader.header().clone();
                if self.belongs(&item.source, &header, incarnation) {
                    self.insert(header, LogPlace::Stored(item));
                }
            }
        }
    }

    fn pass_over(&mut self, path: &Path, why: &str) {
        self.passed_over.push((path.to_owned(), why.to_owned()));
    }

    fn belongs(&mut self, path: &Path, header: &LogHeader, incarnation: Incarnation) -> bool {
        if header.dbid != incarnation.dbid {
            self.pass_over(path, "it is of another database");
            return false;
        }
        if header.resetlogs == incarnation.resetlogs {
            return true;
        }
        if header.previous_resetlogs == incarnation.resetlogs
            && !self.children.contains(&header.resetlogs)
        {
            self.children.push(header.resetlogs);
        }
        self.pass_over(path, "it is of another incarnation");
        false
    }

    fn insert(&mut self, header: LogHeader, place: LogPlace) {
        let log = ChainLog {
            sequence: header.sequence.get(),
            header,
            place,
        };
        let known = self.logs.entry(log.sequence).or_default();
        if !known.iter().any(|other| other.is_same(&log)) {
            known.push(log);
        }
    }

    /// An online log with an open end that also exists closed, with the same beginning and more behind it, is an old
    /// state of that log: it came back with a restored backup and is the end of nothing.
    fn forget_what_went_on(&mut self) {
        let mut stale = Vec::new();
        for logs in self.logs.values_mut() {
            let closed: Vec<PathBuf> = logs
                .iter()
                .filter(|log| !log.is_open())
                .map(|log| log.place.path().to_owned())
                .collect();
            logs.retain(|log| {
                let goes_on = log.is_open()
                    && closed
                        .iter()
                        .any(|closed| is_beginning(log.place.path(), closed));
                if goes_on {
                    stale.push(log.place.path().to_owned());
                }
                !goes_on
            });
        }
        for path in stale {
            self.pass_over(&path, "it is an old state of a log that went on");
            self.went_on.push(path);
        }
    }

    /// The logs from a checkpoint on that reach farthest: to the target, or else to the newest end.
    pub fn reach(&self, first: u32, from: Scn, is_target: impl Fn(&ChainLog) -> bool) -> Reached {
        // From the highest sequence down: what is the best that can come of each log?
        let mut best: BTreeMap<(u32, usize), (Rank, Option<usize>)> = BTreeMap::new();
        for (sequence, logs) in self.logs.range(first..).rev() {
            for (index, log) in logs.iter().enumerate() {
                let is_enough = is_target(log);
                let through = |(next, strangeness): (usize, u32)| {
                    let (rank, _) = best.get(&(sequence + 1, next))?;
                    Some((rank.joined(strangeness), Some(next)))
                };
                let goes_on = self
                    .successors(log)
                    .filter(|_| !is_enough)
                    .filter_map(through)
                    .max();
                let here = goes_on.unwrap_or_else(|| (Rank::of(log, is_enough), None));
                best.insert((*sequence, index), here);
            }
        }
        let holds = |log: &ChainLog| {
            log.header.first_scn <= from && (log.is_open() || from <= log.header.next_scn)
        };
        let starts = self.logs.get(&first).into_iter().flatten().enumerate();
        let mut place = starts
            .filter(|(_, log)| holds(log))
            .map(|(index, _)| (first, index))
            .max_by_key(|place| best.get(place).map(|(rank, _)| *rank));
        let is_enough = place
            .and_then(|place| best.get(&place))
            .is_some_and(|(rank, _)| rank.is_enough);
        let mut logs = Vec::new();
        while let Some((sequence, index)) = place {
            logs.extend(
                self.logs
                    .get(&sequence)
                    .and_then(|all| all.get(index))
                    .cloned(),
            );
            let next = best.get(&(sequence, index)).and_then(|(_, next)| *next);
            place = next.map(|next| (sequence + 1, next));
        }
        Reached { logs, is_enough }
    }

    /// Logs that begin at the SCN where this one ended, and how strange it is that they should: two lives of a database
    /// can come to the same SCN, but hardly at the same time, and the time of the switch is in both headers.
    fn successors(&self, log: &ChainLog) -> impl Iterator<Item = (usize, u32)> {
        let (scn, time) = (log.header.next_scn, log.header.next_time);
        let next = self.logs.get(&(log.sequence + 1)).into_iter().flatten();
        next.enumerate()
            .filter(move |(_, next)| next.header.first_scn == scn)
            .map(move |(index, next)| (index, u32::from(Some(next.header.first_time) != time)))
    }

    /// Whether there are logs of this number or above.
    pub fn continues_after(&self, missing: u32) -> bool {
        self.logs.range(missing..).next().is_some()
    }

    /// All logs, by sequence.
    pub fn all(&self) -> impl Iterator<Item = &ChainLog> {
        self.logs.values().flatten()
    }
}

/// How good a way through the logs is; the greatest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// It reaches the target.
    is_enough: bool,
    /// Time of its end, where an open end is the newest.
    end: u32,
    /// Sequence of its end.
    last: u32,
    /// Logs that follow each other although their times do not, fewest first.
    strange: Reverse<u32>,
}

impl Rank {
    /// Of a way that ends with this log.
    fn of(log: &ChainLog, is_enough: bool) -> Rank {
        Rank {
            is_enough,
            end: log.header.next_time.map_or(u32::MAX, |time| time.raw()),
            last: log.sequence,
            strange: Reverse(0),
        }
    }

    /// Of the same way with one more log before it.
    fn joined(self, strangeness: u32) -> Rank {
        Rank {
            strange: Reverse(self.strange.0 + strangeness),
            ..self
        }
    }
}

/// Whether the redo of an open log is the beginning of a closed one. What cannot be read is not.
fn is_beginning(open: &Path, closed: &Path) -> bool {
    let end = || -> Option<u64> {
        let reader = LogReader::open(open).ok()?;
        let mut block = FIRST_REDO_BLOCK;
        while let Ok(Some((_, next))) = reader.read_log_write(block) {
            block = next;
        }
        Some(u64::from(block) * u64::from(reader.header().block_size))
    };
    let compare = |end: u64| -> std::io::Result<bool> {
        let (open, closed) = (File::open(open)?, File::open(closed)?);
        let mut buffers = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        // Block 0 and the header differ: the closed one has its end in them.
        let mut offset = u64::from(FIRST_REDO_BLOCK) * 512;
        while offset < end {
            let count = (end - offset).min(BUFFER_BYTES as u64) as usize;
            open.read_exact_at(&mut buffers.0[..count], offset)?;
            closed.read_exact_at(&mut buffers.1[..count], offset)?;
            if buffers.0[..count] != buffers.1[..count] {
                return Ok(false);
            }
            offset += count as u64;
        }
        Ok(true)
    };
    end().is_some_and(|end| compare(end).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oracle::os_header::OsHeader;
    use oracle::scn::LogSequence;
    use oracle::time::OracleTime;

    fn log(sequence: u32, dbid: u32, open: bool) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        OsHeader {
            format: 0x22,
            block_size: 512,
            blocks: 1,
            checked: true,
        }
        .write(&mut bytes[..512]);
        let header = LogHeader {
            compat: 0,
            dbid,
            db_name: "SND".to_string(),
            control_sequence: 1,
            online_blocks: 100,
            block_size: 512,
            group: 1,
            activation_id: 1,
            thread: 1,
            sequence: LogSequence::new(sequence),
            text: String::new(),
            next_available_block: 2,
            resetlogs: ResetLogs::default(),
            previous_resetlogs: ResetLogs::default(),
            first_scn: Scn::new(u64::from(sequence) * 100),
            first_time: OracleTime::from_raw(1),
            next_scn: if open {
                Scn::OPEN_ENDED
            } else {
                Scn::new(u64::from(sequence) * 100 + 100)
            },
            next_time: None,
            enabled_scn: Scn::ZERO,
            end_of_thread: false,
            end_of_redo: false,
        };
        header.write(&mut bytes[512..]);
        bytes
    }

    #[test]
    fn logs_are_found_where_they_are_and_a_gap_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for (name, sequence, dbid) in [("a1", 1, 7), ("a2", 2, 7), ("a4", 4, 7), ("foreign", 3, 8)]
        {
            fs::write(path(name), log(sequence, dbid, false)).unwrap();
        }
        fs::write(path("notes.txt"), "no log").unwrap();
        let member = directory.path().join("online");
        fs::create_dir(&member).unwrap();
        let member = member.join("log_g11m1.dbf");
        fs::write(&member, log(5, 7, true)).unwrap();
        let incarnation = Incarnation {
            dbid: 7,
            resetlogs: ResetLogs::default(),
        };
        let chain = RedoChain::find(
            incarnation,
            directory.path(),
            &path("archSND.log"),
            std::slice::from_ref(&member),
            &BTreeSet::new(),
        )
        .unwrap();
        assert_eq!(chain.logs.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 5]);
        let reached = chain.reach(1, Scn::new(150), ChainLog::is_open);
        assert_eq!((reached.logs.len(), reached.is_enough), (2, false));
        assert!(chain.continues_after(3));
        let reached = chain.reach(4, Scn::new(400), ChainLog::is_open);
        assert!(reached.is_enough);
        assert_eq!(
            reached.logs[1].place,
            LogPlace::Online {
                path: member,
                current: true
            }
        );
        assert_eq!(chain.passed_over.len(), 1);
    }

    /// A log that ended, with its SCNs and the times of the switches before and behind it.
    fn closed(sequence: u32, scns: (u64, u64), times: (u32, u32)) -> Vec<u8> {
        let mut bytes = log(sequence, 7, false);
        let mut header = LogHeader::read(&bytes[512..]).unwrap();
        header.first_scn = Scn::new(scns.0);
        header.next_scn = Scn::new(scns.1);
        header.first_time = OracleTime::from_raw(times.0);
        header.next_time = Some(OracleTime::from_raw(times.1));
        header.write(&mut bytes[512..]);
        bytes
    }

    #[test]
    fn lives_that_come_to_one_scn_are_told_apart_by_the_time_of_the_switch() {
        let directory = tempfile::tempdir().unwrap();
        for (name, sequence, scns, times) in [
            ("z1", 1, (100, 200), (5, 10)),
            // The first life ends at the SCN at which the second has a switch, later.
            ("a2", 2, (200, 300), (10, 20)),
            ("b2", 2, (200, 300), (10, 50)),
            ("b3", 3, (300, 400), (50, 60)),
        ] {
            fs::write(directory.path().join(name), closed(sequence, scns, times)).unwrap();
        }
        let incarnation = Incarnation {
            dbid: 7,
            resetlogs: ResetLogs::default(),
        };
        let find = |damaged: &BTreeSet<PathBuf>| {
            let summary = directory.path().join("arch");
            RedoChain::find(incarnation, directory.path(), &summary, &[], damaged).unwrap()
        };
        let second = |damaged: &BTreeSet<PathBuf>| {
            let reached = find(damaged).reach(1, Scn::new(100), |_| false);
            assert_eq!(reached.logs.len(), 3);
            reached.logs[1].place.path().to_owned()
        };
        assert_eq!(second(&BTreeSet::new()), directory.path().join("b2"));
        // With nothing better, SCNs that follow each other are tried all the same.
        let damaged = BTreeSet::from([directory.path().join("b2")]);
        assert_eq!(second(&damaged), directory.path().join("a2"));
    }

    #[test]
    fn two_lives_of_one_sequence_are_told_apart_by_their_scns() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let write = |name: &str, sequence, scns, time| {
            fs::write(path(name), closed(sequence, scns, (0, time))).unwrap();
        };
        write("z1", 1, (100, 200), 10);
        // The first life went to 3; the second is newer and only went to 2.
        write("a2", 2, (200, 300), 20);
        write("a3", 3, (300, 400), 30);
        write("b2", 2, (200, 350), 50);
        let incarnation = Incarnation {
            dbid: 7,
            resetlogs: ResetLogs::default(),
        };
        let none = BTreeSet::new();
        let find = |damaged: &BTreeSet<PathBuf>| {
            RedoChain::find(incarnation, directory.path(), &path("arch"), &[], damaged).unwrap()
        };
        let names = |reached: &Reached| -> Vec<String> {
            let name = |log: &ChainLog| {
                log.place
                    .path()
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            };
            reached.logs.iter().map(name).collect()
        };
        let newest = find(&none).reach(1, Scn::new(100), |_| false);
        assert_eq!(names(&newest), ["z1", "b2"], "the newest end wins");
        let to_three = find(&none).reach(1, Scn::new(100), |log| log.sequence == 3);
        assert_eq!(
            names(&to_three),
            ["z1", "a2", "a3"],
            "what reaches the target wins"
        );
        let damaged = BTreeSet::from([path("b2")]);
        let other = find(&damaged).reach(1, Scn::new(100), |_| false);
        assert_eq!(names(&other), ["z1", "a2", "a3"]);
    }
}
