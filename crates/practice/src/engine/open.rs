//! OPEN and CLOSE of the database: checking the files, crash recovery, RESETLOGS, the clean end.
//! What lives here: the order of steps and what each crash between them leaves. What does not: recovery itself.

use std::fs::OpenOptions;
use std::sync::Arc;

use oracle::file_header::status;
use oracle::redo::{LogReader, REDO_BLOCK_BYTES};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::archiver::{archive_error, archive_now, note_archived, oldest_unarchived};
use super::cache::Cache;
use super::checkpoint::{header_checkpoint, place};
use super::control::{CheckpointRecord, Control, ControlFile, Incarnation, LogRecord};
use super::datafile::{self, DataFile, name_file};
use super::error::{OraError, OraResult};
use super::facts::InstanceStatus;
use super::home;
use super::instance::{Core, Instance, OpenDatabase};
use super::recovery::crash::{self, RedoEnd};
use super::recovery::identity::{
    NEEDS_RECOVERY, check_identity, inconsistency, is_live, newer_than_control,
};
use super::redo_log::{self, FIRST_REDO_BLOCK, Redo};

/// How ALTER DATABASE OPEN opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// No option given.
    Default,
    /// NORESETLOGS.
    NoResetLogs,
    /// RESETLOGS: a new incarnation begins, online redo is made anew.
    ResetLogs,
}

impl Instance {
    /// ALTER DATABASE OPEN.
    ///
    /// Errors: ORA-01531, ORA-01507, ORA-01589/01588 (RESETLOGS needed), ORA-01139 (not allowed), ORA-01157 (file
    /// missing), ORA-01113 (needs media recovery), ORA-10873 (backup mode after a crash), ORA-01194/01195/01152 (not
    /// consistent), ORA-00313 (online log missing). After a crash during this the next OPEN does the same again.
    pub fn open(self: &Arc<Instance>, mode: OpenMode) -> OraResult<()> {
        let mut core = self.lock();
        match core.status {
            InstanceStatus::Open => {
                return Err(OraError::new(
                    1531,
                    "a database already open by the instance",
                ));
            }
            InstanceStatus::Started => return Err(OraError::new(1507, "database not mounted")),
            InstanceStatus::Mounted => {}
        }
        let needs = core.control()?.record.is_backup || core.control()?.record.needs_resetlogs;
        let open = match (mode, needs) {
            (OpenMode::Default, true) => {
                return Err(OraError::new(
                    1589,
                    "must use RESETLOGS or NORESETLOGS option for database open",
                ));
            }
            (OpenMode::NoResetLogs, true) => {
                return Err(OraError::new(
                    1588,
                    "must use RESETLOGS option for database open",
                ));
            }
            (OpenMode::ResetLogs, false) => {
                return Err(OraError::new(
                    1139,
                    "RESETLOGS option only valid after an incomplete database recovery",
                ));
            }
            (OpenMode::ResetLogs, true) => self.open_resetlogs(core.control()?)?,
            (_, false) => self.open_normal(core.control()?)?,
        };
        core.open = Some(open);
        core.status = InstanceStatus::Open;
        let sequence = core.open()?.redo.sequence;
        drop(core);
        self.alert(&format!(
            "Thread 1 opened at log sequence {sequence}\nCompleted: ALTER DATABASE OPEN"
        ));
        self.start_threads();
        Ok(())
    }

    fn open_normal(&self, control: &mut ControlFile) -> OraResult<OpenDatabase> {
        let files = open_files(&control.record)?;
        files
            .iter()
            .try_for_each(|file| check_current(&control.record, file))?;
        let end = if control.record.thread_open {
            self.alert("Beginning crash recovery of 1 threads");
            let recovered = crash::recover(&self.home, &control.record, files)?;
            let end = recovered.end;
            control.record.datafiles.extend(recovered.added);
            self.alert(&format!(
                "Completed redo application of {} records, {} torn blocks repaired\nCompleted crash recovery at\n Thread 1: logseq {}, block {}, scn {}",
                end.applied,
                recovered.repaired.len(),
                control.record.current_log()?.sequence,
                end.block,
                end.scn
            ));
            end
        } else {
            clean_end(&control.record)?
        };
        // All recovered blocks are synced: from here on no redo before this point is needed again.
        control.record.checkpoint = CheckpointRecord {
            scn: end.scn + 1,
            time: end.time.raw(),
            sequence: control.record.current_log()?.sequence,
            block: end.block,
        };
        self.advance_log(control, end)?;
        self.start_thread(control, end)
    }

    /// Closes the log in which the redo ended and begins the next, archiving here if no group is free.
    fn advance_log(&self, control: &mut ControlFile, end: RedoEnd) -> OraResult<()> {
        let time = end.time.max(OracleTime::now());
        loop {
            let mut trial = control.record.clone();
            if let Some((old, new)) = redo_log::advance(&mut trial, end.scn + 1, time, end.block) {
                control.record = trial;
                redo_log::switch_on_disk(control, &old, &new)?;
                self.announce_log(&new);
                return Ok(());
            }
            let log = oldest_unarchived(&control.record)
                .cloned()
                .ok_or_else(|| OraError::new(600, "internal error code: no redo group is free"))?;
            let target = self.archive_name(&control.record, &log);
            archive_now(&log, &target)?;
            note_archived(&mut control.record, &log, target);
            control.write()?;
        }
    }

    /// Headers and control file say that the thread is open from the beginning of the current log.
    fn start_thread(&self, control: &mut ControlFile, end: RedoEnd) -> OraResult<OpenDatabase> {
        let log = control.record.current_log()?.clone();
        let checkpoint = CheckpointRecord {
            scn: log.first_scn,
            time: log.first_time,
            sequence: log.sequence,
            block: FIRST_REDO_BLOCK,
        };
        let mut files = open_files(&control.record)?;
        control.record.pending = true;
        control.record.thread_open = true;
        control.write()?;
        for file in &mut files {
            mark_header(control, file, checkpoint, |bits| {
                bits & !status::LEVEL_0_COPY | status::ONLINE_FUZZY
            })?;
        }
        finish_headers(control, &files, checkpoint)?;
        let time = end.time.max(OracleTime::from_raw(log.first_time));
        Ok(OpenDatabase {
            files,
            cache: Cache::new(self.parameters.cache_bytes),
            redo: Redo::open(&log, time)?,
            scn: log.first_scn,
            checkpoint_wanted: false,
            checkpoints_done: 0,
            flush_through: 0,
            backup_epochs: 0,
            archive_error: String::new(),
            closing: false,
            aborted: false,
        })
    }

    /// A new incarnation: the online logs are made anew, sequence 1, all files start at the recovered SCN.
    ///
    /// The plan (which incarnation) is in the control file before anything else changes, so that a crash in the
    /// middle leaves a database on which the same statement does the same again.
    fn open_resetlogs(&self, control: &mut ControlFile) -> OraResult<OpenDatabase> {
        let files = open_files(&control.record)?;
        let stop = control.record.recovered_to;
        for file in &files {
            check_identity(&control.record, file)?;
            check_recovered(file, stop)?;
        }
        self.archive_remaining(control)?;
        let planned = control
            .record
            .planned_incarnation
            .unwrap_or_else(|| Incarnation {
                scn: stop,
                time: OracleTime::now()
                    .raw()
                    .max(control.record.incarnation().time + 1),
            });
        control.record.planned_incarnation = Some(planned);
        control.write()?;
        self.alert(&format!(
            "RESETLOGS after incomplete recovery UNTIL CHANGE {stop}"
        ));
        let mut next = control.record.clone();
        next.incarnations.push(planned);
        next.activation_id = planned.time ^ next.dbid;
        reset_logs(&mut next, planned);
        for log in &next.logs {
            create_log(&next, log)?;
        }
        let log = next.current_log()?.clone();
        let checkpoint = CheckpointRecord {
            scn: stop,
            time: planned.time,
            sequence: log.sequence,
            block: FIRST_REDO_BLOCK,
        };
        let resetlogs = (
            planned.resetlogs(),
            control.record.incarnation().resetlogs(),
        );
        for file in files {
            let mut header = file.header.clone();
            if header.resetlogs != resetlogs.0 {
                header.previous_resetlogs = resetlogs.1;
                header.resetlogs = resetlogs.0;
                header.checkpoint_count += 1;
            }
            header.checkpoint = header_checkpoint(checkpoint);
            header.status &= status::ROOT_VALID;
            datafile::write_header(&file.file, &header).map_err(|e| header_error(&file, &e))?;
            for record in next
                .datafiles
                .iter_mut()
                .filter(|record| record.number == file.number)
            {
                record.checkpoint = checkpoint;
                record.checkpoint_count = header.checkpoint_count;
                record.in_backup = false;
            }
        }
        next.checkpoint = checkpoint;
        next.planned_incarnation = None;
        next.is_backup = false;
        next.needs_resetlogs = false;
        next.thread_open = true;
        next.pending = false;
        control.record = next;
        control.write()?;
        self.announce_log(&log);
        let end = RedoEnd {
            block: FIRST_REDO_BLOCK,
            scn: stop,
            time: OracleTime::from_raw(planned.time),
            applied: 0,
        };
        self.start_thread(control, end)
    }

    /// Before RESETLOGS destroys the online logs, those that are not archived yet are copied to the archive.
    fn archive_remaining(&self, control: &mut ControlFile) -> OraResult<()> {
        for log in control.record.logs.clone() {
            let Some((reader, path)) = log
                .members
                .iter()
                .find_map(|path| Some((LogReader::open(path).ok()?, path)))
            else {
                continue;
            };
            let header = reader.header().clone();
            let foreign = header.dbid != control.record.dbid
                || header.resetlogs != control.record.incarnation().resetlogs()
                || header.sequence.get() == 0;
            let first = control.record.incarnations.len() <= 1;
            let target = self.parameters.archived_log_name(
                header.sequence.get(),
                control.record.incarnation().time,
                first,
            );
            if foreign || target.exists() {
                continue;
            }
            let found = LogRecord {
                sequence: header.sequence.get(),
                members: vec![path.clone()],
                ..log.clone()
            };
            let mut last = header.first_scn;
            let mut time = header.first_time;
            let used_blocks = crash::walk(&found, FIRST_REDO_BLOCK, |write| {
                last = write
                    .records
                    .iter()
                    .map(|record| record.scn)
                    .max()
                    .unwrap_or(last)
                    .max(last);
                time = time.max(write.time);
                Ok(())
            })?;
            let closed = LogRecord {
                first_scn: header.first_scn.get(),
                first_time: header.first_time.raw(),
                next_scn: if header.next_scn == Scn::OPEN_ENDED {
                    last.get() + 1
                } else {
                    header.next_scn.get()
                },
                next_time: header.next_time.unwrap_or(time).raw(),
                used_blocks,
                current: false,
                ..found
            };
            let bytes = redo_log::log_header(&control.record, &closed);
            for member in &closed.members {
                OpenOptions::new()
                    .write(true)
                    .open(member)
                    .and_then(|file| redo_log::write_log_headers(&file, &bytes, closed.blocks))
                    .map_err(|e| archive_error(&target, &e))?;
            }
            archive_now(&closed, &target)?;
            note_archived(&mut control.record, &closed, target.clone());
            self.alert(&format!(
                "Archived online log seq# {} before RESETLOGS: {}",
                closed.sequence,
                target.display()
            ));
        }
        Ok(())
    }

    /// The clean end: everything into the files, headers no longer fuzzy, the thread closed.
    ///
    /// Errors: ORA-01149 when a file is in backup mode.
    pub(crate) fn close(&self) -> OraResult<()> {
        let headers = self
            .headers
            .lock()
            .expect("header writers do not panic half way");
        {
            let mut core = self.lock();
            let Some(open) = core.open.as_mut() else {
                return Ok(());
            };
            if let Some(file) = open.files.iter().find(|file| file.backup_epoch > 0) {
                let text = format!(
                    "cannot shutdown - file {} has online backup set",
                    file.number
                );
                return Err(name_file(
                    OraError::new(1149, text),
                    file.number,
                    &file.path,
                ));
            }
            open.closing = true;
        }
        drop(headers);
        self.work.notify_all();
        self.progress.notify_all();
        self.join_threads();
        let mut core = self.lock();
        let Core {
            control: Some(control),
            open: Some(open),
            ..
        } = &mut *core
        else {
            return Ok(());
        };
        let (checkpoint, _) = place(open);
        control.record.pending = true;
        control.write()?;
        for file in &mut open.files {
            mark_header(control, file, checkpoint, |bits| {
                bits & !status::ONLINE_FUZZY
            })?;
        }
        control.record.thread_open = false;
        finish_headers(control, &open.files, checkpoint)?;
        core.open = None;
        core.status = InstanceStatus::Mounted;
        drop(core);
        self.alert(&format!(
            "Thread 1 closed at log sequence {}\nCompleted: ALTER DATABASE CLOSE NORMAL",
            checkpoint.sequence
        ));
        Ok(())
    }
}

/// Opens all online data files. ORA-01157 names the first that is missing.
fn open_files(control: &Control) -> OraResult<Vec<DataFile>> {
    control
        .datafiles
        .iter()
        .filter(|record| record.online)
        .map(datafile::open)
        .collect()
}

/// Whether a file can be opened as it is, or after crash recovery.
fn check_current(control: &Control, file: &DataFile) -> OraResult<()> {
    check_identity(control, file)?;
    let Some(record) = control
        .datafiles
        .iter()
        .find(|record| record.number == file.number)
    else {
        return Ok(());
    };
    let live = is_live(record, file.header.checkpoint_count);
    if file.header.checkpoint_count > record.checkpoint_count + 1 {
        return Err(newer_than_control(file));
    }
    if live && file.header.status & status::HOT_BACKUP != 0 {
        let text = format!(
            "file {} needs to be either taken out of backup mode or media recovered",
            file.number
        );
        return Err(name_file(
            OraError::new(10873, text),
            file.number,
            &file.path,
        ));
    }
    if !live || file.header.status & NEEDS_RECOVERY != 0 {
        let text = format!("file {} needs media recovery", file.number);
        return Err(name_file(
            OraError::new(1113, text),
            file.number,
            &file.path,
        ));
    }
    Ok(())
}

/// Whether incomplete recovery has brought a file to exactly `stop`.
fn check_recovered(file: &DataFile, stop: u64) -> OraResult<()> {
    if let Some((code, text)) = inconsistency(file.header.status, file.number) {
        return Err(name_file(
            OraError::new(code, text),
            file.number,
            &file.path,
        ));
    }
    let scn = file.header.checkpoint.scn.get();
    let (code, text) = match scn.cmp(&stop) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Greater => (
            1152,
            format!(
                "file {} was not restored from a sufficiently old backup",
                file.number
            ),
        ),
        std::cmp::Ordering::Less => (1113, format!("file {} needs media recovery", file.number)),
    };
    Err(name_file(
        OraError::new(code, text),
        file.number,
        &file.path,
    ))
}

/// Where the redo of a cleanly closed thread ended.
fn clean_end(control: &Control) -> OraResult<RedoEnd> {
    let checkpoint = control.checkpoint;
    let log = control.current_log()?;
    let block = if checkpoint.sequence == log.sequence {
        checkpoint.block
    } else {
        FIRST_REDO_BLOCK
    };
    Ok(RedoEnd {
        block: block.max(FIRST_REDO_BLOCK),
        scn: checkpoint.scn.max(log.first_scn),
        time: OracleTime::from_raw(checkpoint.time),
        applied: 0,
    })
}

fn mark_header(
    control: &ControlFile,
    file: &mut DataFile,
    checkpoint: CheckpointRecord,
    bits: impl Fn(u16) -> u16,
) -> OraResult<()> {
    let header = &mut file.header;
    let known = control
        .record
        .datafiles
        .iter()
        .find(|record| record.number == file.number);
    header.checkpoint_count =
        known.map_or(header.checkpoint_count, |record| record.checkpoint_count) + 1;
    header.control_checkpoint_count = header.checkpoint_count - 1;
    header.control_sequence = control.record.generation as u32;
    header.checkpoint = header_checkpoint(checkpoint);
    header.status = bits(header.status);
    datafile::write_header(&file.file, header).map_err(|e| header_error(file, &e))
}

fn finish_headers(
    control: &mut ControlFile,
    files: &[DataFile],
    checkpoint: CheckpointRecord,
) -> OraResult<()> {
    for file in files {
        for record in control
            .record
            .datafiles
            .iter_mut()
            .filter(|record| record.number == file.number)
        {
            record.checkpoint = checkpoint;
            record.checkpoint_count = file.header.checkpoint_count;
        }
    }
    control.record.checkpoint = checkpoint;
    control.record.pending = false;
    control.write()
}

fn header_error(file: &DataFile, error: &std::io::Error) -> OraError {
    let stack = OraError::new(
        1114,
        format!("IO error writing block to file {} (block # 1)", file.number),
    );
    name_file(stack.and(27072, error.to_string()), file.number, &file.path)
}

fn reset_logs(control: &mut Control, incarnation: Incarnation) {
    for (index, log) in control.logs.iter_mut().enumerate() {
        *log = LogRecord {
            sequence: u32::from(index == 0),
            first_scn: if index == 0 { incarnation.scn } else { 0 },
            first_time: if index == 0 { incarnation.time } else { 0 },
            next_scn: u64::MAX,
            next_time: 0,
            used_blocks: 0,
            current: index == 0,
            archived: index != 0,
            ..log.clone()
        };
    }
}

/// Creates the members of a group anew, empty, with their headers, synced.
pub fn create_log(control: &Control, log: &LogRecord) -> OraResult<()> {
    let header = redo_log::log_header(control, log);
    for member in &log.members {
        let made = std::fs::create_dir_all(home::parent(member)).and_then(|()| {
            // Emptied first: redo of an earlier incarnation could carry the same sequence numbers.
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(member)?;
            allocate(&file, u64::from(log.blocks) * REDO_BLOCK_BYTES as u64)?;
            redo_log::write_log_headers(&file, &header, log.blocks)?;
            file.sync_all()
        });
        made.map_err(|e| {
            OraError::new(
                344,
                format!("unable to re-create online log '{}'", member.display()),
            )
            .and(27040, e.to_string())
        })?;
    }
    Ok(())
}

/// Gives a file its size with its space reserved, so that writing redo cannot meet a full disk.
fn allocate(file: &std::fs::File, bytes: u64) -> std::io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(bytes),
        Err(errno) => Err(errno.into()),
    }
}
