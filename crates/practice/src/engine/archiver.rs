//! The archiver thread: copies each closed online log to the archive destination.
//! What lives here: choosing the next log, copying it, telling the control file. What does not: log switches.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oracle::os_header::OsHeader;
use oracle::redo::REDO_BLOCK_BYTES;
use oracle::time::OracleTime;

use super::control::{ArchivedRecord, Control, LogRecord};
use super::error::{OraError, OraResult};
use super::home;
use super::instance::Instance;
use super::redo_log::REDO_FORMAT;

const COPY_BYTES: usize = 1 << 20;

impl Instance {
    /// The archiver thread.
    pub(crate) fn archiver(&self) {
        let mut core = self.lock();
        loop {
            let Ok((control, open)) = core.both() else {
                return;
            };
            if open.aborted {
                return;
            }
            let next = oldest_unarchived(&control.record).cloned();
            let Some(log) = next.filter(|_| control.record.archivelog) else {
                if open.closing {
                    return;
                }
                core = self.wait_work(core, Duration::from_millis(200));
                continue;
            };
            let failed_before = !open.archive_error.is_empty();
            let target = self.archive_name(&control.record, &log);
            drop(core);
            let copied = copy_log(&log, &target);
            core = self.lock();
            let Ok((control, open)) = core.both() else {
                return;
            };
            match copied {
                Ok(()) => {
                    open.archive_error.clear();
                    note_archived(&mut control.record, &log, target.clone());
                    if let Err(error) = control.write() {
                        self.die("ARC0", &error);
                    }
                }
                Err(error) => {
                    open.archive_error = format!("{}: {error}", target.display());
                    if !failed_before {
                        let stack = OraError::new(270, "error creating archive log")
                            .and(19504, open.archive_error.clone());
                        self.alert(&format!(
                            "ARC0: Error archiving log {} seq# {}\n{stack}",
                            log.group, log.sequence
                        ));
                    }
                    if open.closing {
                        return;
                    }
                    core = self.wait_work(core, Duration::from_millis(500));
                }
            }
            self.progress.notify_all();
            self.work.notify_all();
        }
    }

    /// Where the archived copy of a log belongs.
    pub(crate) fn archive_name(&self, control: &Control, log: &LogRecord) -> PathBuf {
        let first = control.incarnations.len() <= 1;
        self.parameters
            .archived_log_name(log.sequence, control.incarnation().time, first)
    }
}

/// The closed group with the lowest sequence that is not archived yet.
pub fn oldest_unarchived(control: &Control) -> Option<&LogRecord> {
    control
        .logs
        .iter()
        .filter(|log| !log.current && log.sequence > 0 && !log.archived)
        .min_by_key(|log| log.sequence)
}

/// Notes an archived log in the control record.
pub fn note_archived(control: &mut Control, log: &LogRecord, path: PathBuf) {
    let record = ArchivedRecord {
        recid: 0,
        path,
        sequence: log.sequence,
        incarnation: control.incarnation(),
        first: (log.first_scn, log.first_time),
        next: (log.next_scn, log.next_time),
        blocks: log.used_blocks - 1,
        completed: OracleTime::now().raw(),
        deleted: false,
        expired: false,
    };
    control.add_archived(record);
    for group in control
        .logs
        .iter_mut()
        .filter(|group| group.group == log.group && group.sequence == log.sequence)
    {
        group.archived = true;
    }
}

/// Copies the used blocks of a log to `target` under its final name, as Oracle does: whoever looks at the directory
/// sees a file that grows. Synced, with its directory, before this returns.
///
/// A file of that name left by a crash is overwritten only if it is this very log, whole or in part.
pub fn copy_log(log: &LogRecord, target: &Path) -> std::io::Result<()> {
    let source = log
        .members
        .iter()
        .find_map(|member| File::open(member).ok())
        .ok_or_else(|| {
            std::io::Error::other(format!("no member of group {} can be opened", log.group))
        })?;
    refuse_foreign(&source, target)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(target)?;
    let length = u64::from(log.used_blocks) * REDO_BLOCK_BYTES as u64;
    let mut bytes = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < length {
        let count = (length - offset).min(COPY_BYTES as u64) as usize;
        source.read_exact_at(&mut bytes[..count], offset)?;
        if offset == 0 {
            let header = OsHeader {
                format: REDO_FORMAT,
                block_size: REDO_BLOCK_BYTES as u32,
                blocks: log.used_blocks - 1,
                checked: true,
            };
            bytes[..REDO_BLOCK_BYTES].fill(0);
            header.write(&mut bytes[..REDO_BLOCK_BYTES]);
        }
        file.write_all_at(&bytes[..count], offset)?;
        offset += count as u64;
    }
    file.sync_all()?;
    File::open(home::parent(target))?.sync_all()
}

/// A file that exists under the name must begin with the same log header, or be too short to have one.
fn refuse_foreign(source: &File, target: &Path) -> std::io::Result<()> {
    let Ok(existing) = File::open(target) else {
        return Ok(());
    };
    let (mut ours, mut theirs) = ([0; REDO_BLOCK_BYTES], [0; REDO_BLOCK_BYTES]);
    source.read_exact_at(&mut ours, REDO_BLOCK_BYTES as u64)?;
    match existing.read_exact_at(&mut theirs, REDO_BLOCK_BYTES as u64) {
        Ok(()) if ours != theirs && theirs.iter().any(|byte| *byte != 0) => {
            Err(std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "a different file of this name is in the archive destination; move it away",
            ))
        }
        _ => Ok(()),
    }
}

/// ORA-00270 for a log that could not be archived.
pub fn archive_error(target: &Path, error: &std::io::Error) -> OraError {
    OraError::new(270, "error creating archive log")
        .and(19504, format!("{}: {error}", target.display()))
}

/// Copies a log on the way to RESETLOGS, when no archiver runs.
pub fn archive_now(log: &LogRecord, target: &Path) -> OraResult<()> {
    copy_log(log, target).map_err(|error| archive_error(target, &error))
}
