//! What is known of one offline redo log before anything is done with it.
//! What lives here: is it complete, is it good, does it follow the one before. What does not: saving it.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oracle::file_header::ResetLogs;
use oracle::redo::{ArchivedLogReport, LogHeader, LogReader, check_archived_log, check_continuity};
use oracle::scn::{LogSequence, Scn};

use super::destination::Destination;
use crate::action_id::Stamp;
use crate::database::ArchivedLog;

/// Files of the archive directory that are looked at; far beyond any sane number of logs.
const FILES_MAX: usize = 1_000_000;

/// A file with a log's name.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundLog {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its header, or why there is none.
    pub header: Result<LogHeader, String>,
    /// When it was last written, as `arch<SID>.log` prints it.
    pub created: String,
    /// Blocks that its block 0 tells.
    blocks: u32,
}

/// What the running database knows of its logs; absent when it is down.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownLogs {
    /// V$ARCHIVED_LOG by the file that each row names; the newest row of a name counts.
    pub archived: HashMap<PathBuf, ArchivedLog>,
    /// The current incarnation.
    pub resetlogs: ResetLogs,
    /// The oldest sequence that is not archived yet.
    pub next_to_archive: LogSequence,
    /// The database's own number.
    pub dbid: u32,
}

/// Whether Oracle has finished a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Finished.
    Complete,
    /// Not finished, or not known to be: it is left for the next run.
    Unfinished(String),
}

/// Lists the logs of the archive directory, in the order of incarnation, thread and sequence; unreadable ones by name at the end.
pub fn find_logs(destination: &Destination) -> std::io::Result<Vec<FoundLog>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&destination.directory)?.take(FILES_MAX) {
        let entry = entry?;
        let is_named_so = entry
            .file_name()
            .to_str()
            .is_some_and(|name| destination.may_be_log(name));
        match entry.path().metadata() {
            Ok(metadata) if is_named_so && metadata.is_file() => {
                found.push(FoundLog::read(entry.path(), &metadata))
            }
            // Another kind of file, or one that was removed since the directory was read.
            _ => {}
        }
    }
    found.sort_by(|one, other| {
        one.order()
            .cmp(&other.order())
            .then_with(|| one.path.cmp(&other.path))
    });
    Ok(found)
}

impl FoundLog {
    fn read(path: PathBuf, metadata: &std::fs::Metadata) -> FoundLog {
        let (header, blocks) = match LogReader::open(&path) {
            Ok(reader) => (Ok(reader.header().clone()), reader.os_header().blocks),
            Err(error) => (Err(error.to_string()), 0),
        };
        FoundLog {
            header,
            blocks,
            path,
            bytes: metadata.len(),
            created: Stamp::from_seconds(metadata.mtime()).to_string(),
        }
    }

    fn order(&self) -> (bool, Scn, u16, LogSequence) {
        match &self.header {
            Ok(header) => (false, header.resetlogs.scn, header.thread, header.sequence),
            Err(_) => (true, Scn::ZERO, 0, LogSequence::new(0)),
        }
    }

    /// Base name.
    pub fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Whether Oracle has finished this log. The database's word counts first; without it, the file must close itself.
    ///
    /// A finished log that is damaged is complete as well: it must be reported, not waited for.
    pub fn completeness(&self, known: Option<&KnownLogs>) -> Completeness {
        let Some(known) = known else {
            return self.closes_itself();
        };
        if known.archived.contains_key(&self.path) {
            return Completeness::Complete;
        }
        match &self.header {
            Err(why) => Completeness::Unfinished(format!(
                "the database does not know it as archived, and {why}"
            )),
            Ok(header)
                if header.resetlogs == known.resetlogs
                    && header.sequence >= known.next_to_archive =>
            {
                Completeness::Unfinished("the database is still archiving it".to_owned())
            }
            // Of an older incarnation, or forgotten by a restored control file: nobody writes it any more.
            Ok(_) => self.closes_itself(),
        }
    }

    fn closes_itself(&self) -> Completeness {
        let unfinished = |why: String| Completeness::Unfinished(why);
        let header = match &self.header {
            Ok(header) => header,
            Err(why) => return unfinished(why.clone()),
        };
        let expected = (u64::from(self.blocks) + 1) * u64::from(header.block_size);
        if header.next_scn == Scn::OPEN_ENDED {
            return unfinished("its header says that it is still being written".to_owned());
        }
        if self.bytes != expected || header.next_available_block != self.blocks.saturating_add(1) {
            return unfinished(format!(
                "it has {} bytes, its header says {expected}",
                self.bytes
            ));
        }
        Completeness::Complete
    }

    /// Everything that can be said of the log from the file alone, and against what the database knows.
    pub fn check(&self, known: Option<&KnownLogs>) -> Result<ArchivedLogReport, String> {
        let report = check_archived_log(&self.path).map_err(|fault| fault.to_string())?;
        if let Some(known) = known {
            if report.header.dbid != known.dbid {
                return Err(format!(
                    "it is of the database with DBID {}, this one has {}",
                    report.header.dbid, known.dbid
                ));
            }
            if let Some(row) = known.archived.get(&self.path) {
                compare(&report, row)?;
            }
        }
        Ok(report)
    }
}

fn compare(report: &ArchivedLogReport, row: &ArchivedLog) -> Result<(), String> {
    let header = &report.header;
    let pairs = [
        (
            "sequence",
            u64::from(header.sequence.get()),
            u64::from(row.sequence.get()),
        ),
        (
            "redo thread",
            u64::from(header.thread),
            u64::from(row.thread),
        ),
        ("first SCN", header.first_scn.get(), row.first_scn.get()),
        ("next SCN", header.next_scn.get(), row.next_scn.get()),
        (
            "resetlogs SCN",
            header.resetlogs.scn.get(),
            row.resetlogs.scn.get(),
        ),
        (
            "resetlogs time",
            u64::from(header.resetlogs.time.raw()),
            u64::from(row.resetlogs.time.raw()),
        ),
        ("number of blocks", u64::from(report.blocks), row.blocks),
    ];
    for (what, in_file, in_view) in pairs {
        if in_file != in_view {
            return Err(format!(
                "its {what} is {in_file}, V$ARCHIVED_LOG says {in_view}"
            ));
        }
    }
    Ok(())
}

/// What stands between a log and the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Neighbour {
    /// It follows directly, or it is the first of its thread and incarnation that is known.
    Follows,
    /// Logs are missing in between: first and last missing sequence.
    Gap(LogSequence, LogSequence),
    /// Both are there and do not fit together.
    Contradicts(String),
}

/// Compares a log with the nearest earlier one of its thread and incarnation.
pub fn compare_neighbours(before: Option<&LogHeader>, log: &LogHeader) -> Neighbour {
    let Some(before) =
        before.filter(|before| before.thread == log.thread && before.resetlogs == log.resetlogs)
    else {
        return Neighbour::Follows;
    };
    if log.sequence > before.sequence.next() {
        return Neighbour::Gap(
            before.sequence.next(),
            LogSequence::new(log.sequence.get() - 1),
        );
    }
    match check_continuity(before, log) {
        Ok(()) => Neighbour::Follows,
        Err(fault) => Neighbour::Contradicts(fault.to_string()),
    }
}

/// Header of a stored copy, for comparison with the next log when the original is gone.
pub fn stored_header(copy: &Path) -> Option<LogHeader> {
    LogReader::open(copy)
        .ok()
        .map(|reader| reader.header().clone())
}
