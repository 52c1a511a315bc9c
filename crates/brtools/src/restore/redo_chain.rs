//! The redo logs that can be had, wherever they are, and whether they reach without a gap.
//! What lives here: looking into the archive directory, `arch<SID>.log` and the online logs. What does not: applying.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use oracle::file_header::ResetLogs;
use oracle::redo::{LogHeader, LogReader};
use oracle::scn::Scn;

use super::file::RestoreItem;
use crate::summary::archive::{ArchiveSummary, ArchiveSummaryError};

/// Where a log can be had.
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

/// A log of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLog {
    /// Sequence.
    pub sequence: u32,
    /// Its header, where the file itself could be read.
    pub header: Option<LogHeader>,
    /// First SCN, also known of stored copies.
    pub first_scn: Scn,
    /// Where it is.
    pub place: LogPlace,
}

/// All logs of one incarnation that can be had, by sequence.
#[derive(Debug, Clone, Default)]
pub struct RedoChain {
    /// The logs.
    pub logs: BTreeMap<u32, ChainLog>,
    /// Files that look like logs and are not of this database, this incarnation, or not readable.
    pub passed_over: Vec<(PathBuf, String)>,
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
    /// Looks for logs of an incarnation: archive directory first, then stored copies, then online members.
    pub fn find(
        incarnation: Incarnation,
        archive_directory: &Path,
        summary: &Path,
        online_members: &[PathBuf],
    ) -> Result<RedoChain, ArchiveSummaryError> {
        let mut chain = RedoChain::default();
        chain.look_into(incarnation, archive_directory);
        for entry in ArchiveSummary::read(summary)?.entries {
            let same = entry
                .resetlogs_id
                .is_none_or(|id| id == incarnation.resetlogs.time.raw());
            let copies = entry.copies().filter_map(|copy| copy.stored.clone());
            let Some((hash, bytes, source)) = copies.into_iter().find(|(.., path)| path.is_file())
            else {
                continue;
            };
            if !same || chain.logs.contains_key(&entry.sequence) {
                continue;
            }
            let item = RestoreItem {
                original: entry.path.clone(),
                source,
                target: entry.path.clone(),
                check: Some((hash, bytes)),
            };
            let log = ChainLog {
                sequence: entry.sequence,
                header: LogReader::open(&item.source)
                    .ok()
                    .map(|reader| reader.header().clone()),
                first_scn: Scn::new(entry.first_scn),
                place: LogPlace::Stored(item),
            };
            chain.logs.insert(entry.sequence, log);
        }
        for member in online_members {
            chain.look_at_member(incarnation, member);
        }
        Ok(chain)
    }

    fn look_into(&mut self, incarnation: Incarnation, directory: &Path) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        for path in entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
        {
            let reader = match LogReader::open(&path) {
                Ok(reader) => reader,
                Err(_) => continue,
            };
            let header = reader.header().clone();
            if let Err(why) = belongs(&header, incarnation) {
                self.passed_over.push((path, why.to_string()));
                continue;
            }
            let expected =
                (u64::from(reader.os_header().blocks) + 1) * u64::from(header.block_size);
            if header.next_scn == Scn::OPEN_ENDED
                || fs::metadata(&path).map_or(0, |m| m.len()) != expected
            {
                self.passed_over
                    .push((path, "it is not complete".to_string()));
                continue;
            }
            self.insert(header, LogPlace::Archived(path));
        }
    }

    fn look_at_member(&mut self, incarnation: Incarnation, member: &Path) {
        let Ok(reader) = LogReader::open(member) else {
            return;
        };
        let header = reader.header().clone();
        let known = self.logs.get(&header.sequence.get());
        let better = matches!(
            known,
            None | Some(ChainLog {
                place: LogPlace::Stored(_),
                ..
            })
        );
        if belongs(&header, incarnation).is_ok() && header.sequence.get() > 0 && better {
            let current = header.next_scn == Scn::OPEN_ENDED;
            self.insert(
                header,
                LogPlace::Online {
                    path: member.to_owned(),
                    current,
                },
            );
        }
    }

    fn insert(&mut self, header: LogHeader, place: LogPlace) {
        let sequence = header.sequence.get();
        self.logs.insert(
            sequence,
            ChainLog {
                sequence,
                first_scn: header.first_scn,
                header: Some(header),
                place,
            },
        );
    }

    /// The logs from `first` on without a gap, and the sequence that is missing after them.
    pub fn reach(&self, first: u32) -> (Vec<&ChainLog>, u32) {
        let logs: Vec<&ChainLog> = (first..)
            .map_while(|sequence| self.logs.get(&sequence))
            .collect();
        let missing = first + logs.len() as u32;
        (logs, missing)
    }

    /// Whether there are logs behind a gap that begins at `missing`.
    pub fn continues_after(&self, missing: u32) -> bool {
        self.logs.range(missing..).next().is_some()
    }
}

fn belongs(header: &LogHeader, incarnation: Incarnation) -> Result<(), &'static str> {
    if header.dbid != incarnation.dbid {
        return Err("it is of another database");
    }
    if header.resetlogs != incarnation.resetlogs {
        return Err("it is of another incarnation");
    }
    Ok(())
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
        )
        .unwrap();
        assert_eq!(chain.logs.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 5]);
        let (reached, missing) = chain.reach(1);
        assert_eq!(
            (reached.len(), missing, chain.continues_after(missing)),
            (2, 3, true)
        );
        assert_eq!(
            chain.logs[&5].place,
            LogPlace::Online {
                path: member,
                current: true
            }
        );
        assert_eq!(chain.passed_over.len(), 1);
    }
}
