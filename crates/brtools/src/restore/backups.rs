//! The backups that there are, newest first, and why each can be used or not.
//! What lives here: from `back<SID>.log` to detail logs. What does not: what is done with a backup.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use oracle::file_header::FileHeader;

use crate::action_id::ActionId;
use crate::return_code::ReturnCode;
use crate::run_log::inventory::ListedDatafile;
use crate::run_log::reader::{DetailLog, Ending, SavedFile, SavedKind};
use crate::summary::{Record, SummaryLog};

/// A backup whose log can be read.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The run.
    pub id: ActionId,
    /// Function id: `and`, `pnd`, `afd` …
    pub function: String,
    /// Return code in the summary log.
    pub code: ReturnCode,
    /// When it ended, as printed; empty when it is not known.
    pub end: String,
    /// Sequence of the redo log that was current when it had ended: all its END BACKUPs lie in logs before that.
    /// None in records of other tools.
    pub log_after: Option<u32>,
    /// Its detail log.
    pub detail: DetailLog,
}

/// A backup that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The run, or the line of the summary log.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Backups of a database.
#[derive(Debug, Clone, Default)]
pub struct Backups {
    /// Usable ones, newest first.
    pub usable: Vec<Backup>,
    /// The others.
    pub rejected: Vec<Rejected>,
}

/// Reads the summary log and the detail logs of all successful backups.
pub fn find(sapbackup: &Path, sid: &str, media: Media) -> std::io::Result<Backups> {
    let summary = SummaryLog::new(sapbackup.join(format!("back{sid}.log")));
    let (records, damaged) = summary.read()?;
    let mut backups = Backups::default();
    for line in damaged {
        let what = format!("line {} of {}", line.line, summary.path().display());
        backups.rejected.push(Rejected {
            what,
            why: "the line is damaged".to_string(),
        });
    }
    // A query, or a run that ended before it began anything, is no backup that could be missed.
    let is_try = |record: &&Record| {
        let nothing_done = [ReturnCode::FailedEarly, ReturnCode::CancelledEarly];
        !record.function.starts_with('q') && !nothing_done.contains(&record.code)
    };
    for record in records.iter().rev().filter(is_try) {
        match open(sapbackup, record, media) {
            Ok(backup) => backups.usable.push(backup),
            Err(why) => backups.rejected.push(Rejected {
                what: record.id.to_string(),
                why,
            }),
        }
    }
    Ok(backups)
}

fn open(sapbackup: &Path, record: &Record, media: Media) -> Result<Backup, String> {
    if !record.code.is_usable() {
        let what = if record.end.is_none() {
            "was killed or is still running"
        } else {
            "ended with errors"
        };
        return Err(format!("return code {}: it {what}", record.code.number()));
    }
    match (medium_of(&record.function), media) {
        (None, _) => {
            return Err(format!("function '{}' is no backup", record.function));
        }
        (Some('t'), Media::Disk) => {
            return Err("it is on tape: brrestore brings its files back".to_owned());
        }
        (Some(_), _) => {}
    }
    let path = sapbackup.join(format!("{}.{}", record.id, record.function));
    let detail = DetailLog::read(&path)
        .map_err(|error| format!("detail log {}: {error}", path.display()))?;
    if detail.ending != Ending::Good {
        return Err(format!("detail log {} has no good end", path.display()));
    }
    Ok(Backup {
        id: record.id,
        function: record.function.clone(),
        code: record.code,
        end: record.end.clone().unwrap_or_default(),
        log_after: log_after(record),
        detail,
    })
}

/// The first field of a brbackup record.
fn log_after(record: &Record) -> Option<u32> {
    record
        .fields
        .first()?
        .parse()
        .ok()
        .filter(|sequence| *sequence > 0)
}

/// The last letter of `{a,p,f}{n,f}{d,t}`.
fn medium_of(function: &str) -> Option<char> {
    match function.as_bytes() {
        [b'a' | b'p' | b'f', b'n' | b'f', medium @ (b'd' | b't')] => Some(char::from(*medium)),
        _ => None,
    }
}

/// Where a backup may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// On disk: its files can be looked at before anything is done.
    Disk,
    /// On disk or on tape.
    All,
}

impl Backup {
    /// Reads the log that `-b <log>` names, whatever its return code was. The error says what is missing.
    pub fn named(sapbackup: &Path, sid: &str, name: &str) -> Result<Backup, String> {
        let (stem, function) = name
            .split_once('.')
            .ok_or_else(|| format!("'{name}' is no name of a log: <id>.<function>"))?;
        let id: ActionId = stem.parse().map_err(|error| format!("{error}"))?;
        let path = sapbackup.join(format!("{id}.{function}"));
        let detail =
            DetailLog::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let summary = SummaryLog::new(sapbackup.join(format!("back{sid}.log")));
        let records = summary
            .read()
            .map(|(records, _)| records)
            .unwrap_or_default();
        let record = records.into_iter().find(|record| record.id == id);
        Ok(Backup {
            id,
            function: function.to_string(),
            code: record
                .as_ref()
                .map_or(ReturnCode::Aborted, |record| record.code),
            log_after: record.as_ref().and_then(log_after),
            end: record.and_then(|record| record.end).unwrap_or_default(),
            detail,
        })
    }

    /// Whether all data files that the database had are in it.
    pub fn is_whole(&self) -> bool {
        !self.detail.datafiles.is_empty()
            && self
                .detail
                .datafiles
                .iter()
                .all(|file| self.detail.copy_of(&file.path).is_some())
    }

    /// Whether it was made with the database open.
    pub fn is_online(&self) -> bool {
        self.function.as_bytes().get(1) == Some(&b'n')
    }

    /// Data files in it, with their copies.
    pub fn datafiles(&self) -> impl Iterator<Item = (&ListedDatafile, &SavedFile)> {
        self.detail
            .datafiles
            .iter()
            .filter_map(|file| Some((file, self.detail.copy_of(&file.path)?)))
    }

    /// The newest copy of the control file in it: the last one saved knows the most.
    pub fn control_file(&self) -> Option<&SavedFile> {
        self.detail.saved.iter().rev().find(|saved| {
            let name = saved
                .original
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            let is_datafile = self
                .detail
                .datafiles
                .iter()
                .any(|file| file.path == saved.original);
            saved.kind == SavedKind::File
                && !is_datafile
                && (name.starts_with("cntrl")
                    || self.detail.control_files.contains(&saved.original))
        })
    }

    /// Online redo logs in it, which only an offline backup has: the copy, and all members of its group.
    pub fn redo_logs(&self) -> Vec<(&SavedFile, Vec<PathBuf>)> {
        let group_of = |path: &Path| {
            self.detail
                .redo_logs
                .iter()
                .find(|log| log.path == path)
                .map(|log| log.group)
        };
        let members = |group: u32| {
            self.detail
                .redo_logs
                .iter()
                .filter(|log| log.group == group)
                .map(|log| log.path.clone())
                .collect::<Vec<_>>()
        };
        self.detail
            .saved
            .iter()
            .filter_map(|saved| group_of(&saved.original).map(|group| (saved, members(group))))
            .collect()
    }
}

/// The header in block 1 of a saved data file: from where it needs redo. The error says why it cannot be had.
pub fn saved_header(copy: &Path, block_bytes: usize) -> Result<FileHeader, String> {
    let mut block = vec![0; block_bytes];
    File::open(copy)
        .and_then(|file| file.read_exact_at(&mut block, block_bytes as u64))
        .map_err(|error| format!("{}: {error}", copy.display()))?;
    FileHeader::read(&block).map_err(|error| format!("{}: {error}", copy.display()))
}

/// Block size of a saved file as its block 0 says; 8 KiB when that cannot be read.
pub fn block_bytes(copy: &Path) -> usize {
    let mut first = [0; 512];
    let read = File::open(copy).and_then(|file| file.read_exact_at(&mut first, 0));
    match read
        .ok()
        .and_then(|()| oracle::os_header::OsHeader::read(&first).ok())
    {
        Some(header) => header.block_size as usize,
        None => 8192,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action_id::{Stamp, Tool};
    use crate::run_log::RunLog;

    #[test]
    fn a_half_backup_is_never_offered() {
        let directory = tempfile::tempdir().unwrap();
        let summary = SummaryLog::new(directory.path().join("backSND.log"));
        let ids: Vec<ActionId> = (0..4)
            .map(|n| ActionId::new(Tool::Brbackup, Stamp::from_seconds(1_700_000_000 + n)))
            .collect();
        for (index, id) in ids.iter().enumerate() {
            summary.begin(*id, "and", &[]).unwrap();
            let mut log = RunLog::create(Tool::Brbackup, *id, "and", directory.path()).unwrap();
            log.set_quiet(true);
            match index {
                0 => {
                    log.finish(ReturnCode::Success).unwrap();
                    summary.finish(*id, ReturnCode::Success, &[]).unwrap();
                }
                1 => {
                    log.finish(ReturnCode::Failed).unwrap();
                    summary.finish(*id, ReturnCode::Failed, &[]).unwrap();
                }
                2 => summary.finish(*id, ReturnCode::Success, &[]).unwrap(),
                _ => {}
            }
        }
        let backups = find(directory.path(), "SND", Media::All).unwrap();
        assert_eq!(
            backups
                .usable
                .iter()
                .map(|backup| backup.id)
                .collect::<Vec<_>>(),
            [ids[0]]
        );
        let why: Vec<&str> = backups
            .rejected
            .iter()
            .map(|rejected| rejected.why.as_str())
            .collect();
        assert!(why[0].contains("killed or is still running"), "{why:?}");
        assert!(
            why[1].contains("no good end") && why[2].contains("ended with errors"),
            "{why:?}"
        );
    }
}
