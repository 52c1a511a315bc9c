//! Media recovery: RECOVER DATABASE, TABLESPACE, DATAFILE with archived and online redo.
//! What lives here: the session of one recovery, from request to its end. What does not: applying records (`replay`).
//!
//! After each log the blocks are flushed and the headers moved to the log's end, so that a recovery that is cut off
//! goes on from there when it is started again.

use std::path::{Path, PathBuf};

use oracle::file_header::{Checkpoint, status};
use oracle::redo::{LogHeader, LogReader, LogWrite, RedoAddress};
use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

use super::crash::walk;
use super::identity::{NEEDS_RECOVERY, check_identity, inconsistency, is_live, newer_than_control};
use super::replay::Replay;
use crate::engine::checkpoint::header_checkpoint;
use crate::engine::control::{ArchivedRecord, Control, DatafileRecord};
use crate::engine::datafile::{self, DataFile, name_file};
use crate::engine::doublewrite::Doublewrite;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::engine::instance::Instance;
use crate::engine::redo_log::FIRST_REDO_BLOCK;

/// A data file by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileReference {
    /// FILE#.
    Number(u32),
    /// Its path.
    Path(PathBuf),
}

/// What is to be recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverScope {
    /// All online files.
    Database,
    /// The files of some tablespaces.
    Tablespaces(Vec<String>),
    /// Some files.
    Datafiles(Vec<FileReference>),
}

/// How far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To the end of the redo thread.
    Complete,
    /// Until the operator cancels.
    Cancel,
    /// Redo written before this second.
    Time(OracleTime),
    /// Redo below this SCN.
    Change(Scn),
}

/// A RECOVER statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverRequest {
    /// Which files.
    pub scope: RecoverScope,
    /// How far.
    pub until: Until,
    /// USING BACKUP CONTROLFILE.
    pub using_backup_controlfile: bool,
    /// AUTOMATIC: take the suggested log when it exists.
    pub automatic: bool,
}

/// Where a recovery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryStep {
    /// Done.
    Complete,
    /// It needs a log.
    NeedsLog {
        /// Where that log should be.
        suggestion: PathBuf,
        /// Its sequence.
        sequence: LogSequence,
        /// First SCN that is needed of it.
        scn: Scn,
        /// When that was generated.
        time: OracleTime,
        /// Why the suggestion was not taken, under AUTOMATIC.
        note: Option<OraError>,
    },
}

/// A recovery under way.
pub struct MediaRecovery {
    request: RecoverRequest,
    control: Control,
    replay: Replay,
    next: u32,
    needed: (Scn, OracleTime),
    incarnations: Vec<OracleTime>,
}

/// How one log ended.
enum LogEnd {
    /// Its redo is applied, the next log begins with this SCN and time.
    Closed(Scn, OracleTime),
    /// It is the current log of its thread: there is no more redo.
    EndOfThread,
    /// The target lies in it: the first SCN that was left out.
    Target(Scn),
}

impl Instance {
    /// Begins media recovery and goes as far as it can without being told of a log.
    ///
    /// Errors: ORA-01507, ORA-01124 (files in use), ORA-00275 (one is under way), ORA-01610 (control file is a backup),
    /// ORA-00264 (none required), ORA-01157, ORA-01190, ORA-01207; later those of [`Instance::recover_with`].
    pub fn recover(&self, request: &RecoverRequest) -> OraResult<RecoveryStep> {
        let mut slot = self
            .recovery
            .lock()
            .expect("a recovery that panics ends the process");
        if slot.is_some() {
            return Err(OraError::new(
                275,
                "media recovery has already been started",
            ));
        }
        let control = {
            let mut core = self.lock();
            let status = core.status;
            let record = core.control()?.record.clone();
            if status == InstanceStatus::Open {
                return Err(refuse_open(&record, &request.scope));
            }
            record
        };
        let mut session = begin(self, request, control)?;
        self.alert("Media Recovery Start");
        let step = self.go_on(&mut session)?;
        if matches!(step, RecoveryStep::NeedsLog { .. }) {
            *slot = Some(session);
        }
        Ok(step)
    }

    /// Applies a log to the recovery under way and goes on as far as possible.
    ///
    /// Errors that leave the recovery waiting for the right log: ORA-00308 (cannot open), ORA-00310 (another
    /// sequence), ORA-00309 (another database), ORA-00326/00328 sense (another incarnation). Errors that end it:
    /// ORA-00354 (damaged log), ORA-01578 and ORA-00600 of a block, ORA-01547 with ORA-01194/01195/01152 when the
    /// target is reached and the files are not consistent there.
    pub fn recover_with(&self, log: &Path) -> OraResult<RecoveryStep> {
        let mut slot = self
            .recovery
            .lock()
            .expect("a recovery that panics ends the process");
        let Some(mut session) = slot.take() else {
            return Err(no_recovery());
        };
        let reader = match session.open_log(log) {
            Ok(reader) => reader,
            Err(error) => {
                *slot = Some(session);
                return Err(error);
            }
        };
        self.alert(&format!("Media Recovery Log {}", log.display()));
        let end = session.apply_reader(&reader, log)?;
        let step = match self.after_log(&mut session, end)? {
            Some(step) => step,
            None => self.go_on(&mut session)?,
        };
        if matches!(step, RecoveryStep::NeedsLog { .. }) {
            *slot = Some(session);
        }
        Ok(step)
    }

    /// The log that the recovery under way waits for, as its suggestion names it.
    pub fn recover_with_suggestion(&self) -> OraResult<RecoveryStep> {
        let suggestion = {
            let slot = self
                .recovery
                .lock()
                .expect("a recovery that panics ends the process");
            self.suggestion(slot.as_ref().ok_or_else(no_recovery)?)
        };
        self.recover_with(&suggestion)
    }

    /// Ends the recovery under way where it stands. One that was to be complete can be taken up again later.
    ///
    /// Errors: ORA-01112 when there is none; ORA-01547 with the reason when OPEN RESETLOGS would fail there.
    pub fn recover_cancel(&self) -> OraResult<()> {
        let session = self
            .recovery
            .lock()
            .expect("a recovery that panics ends the process")
            .take();
        let mut session = session.ok_or_else(no_recovery)?;
        self.alert("Media Recovery Canceled");
        let request = &session.request;
        let complete = request.until == Until::Complete
            && !request.using_backup_controlfile
            && !session.control.is_backup;
        if complete {
            // Nothing was to be left out: the files stay where the last log has brought them, and can go on from there.
            return Ok(());
        }
        let stop = session.needed.0;
        self.finish_incomplete(&mut session, stop, false)
    }

    /// Applies logs that need no answer: online ones under a current control file, suggested ones under AUTOMATIC.
    fn go_on(&self, session: &mut MediaRecovery) -> OraResult<RecoveryStep> {
        loop {
            let current_control =
                !session.request.using_backup_controlfile && !session.control.is_backup;
            let online = session
                .control
                .logs
                .iter()
                .find(|log| log.sequence == session.next)
                .cloned();
            let end = if let Some(log) = online.filter(|_| current_control) {
                self.alert(&format!(
                    "Recovery of Online Redo Log: Thread 1 Group {} Seq {} Reading mem 0",
                    log.group, log.sequence
                ));
                let mut target = None;
                let block = walk(&log, FIRST_REDO_BLOCK, |write| {
                    session.apply_write(write, &mut target)
                })?;
                match target {
                    Some(scn) => LogEnd::Target(scn),
                    None if log.current => LogEnd::EndOfThread,
                    None if block == log.used_blocks => {
                        LogEnd::Closed(Scn::new(log.next_scn), OracleTime::from_raw(log.next_time))
                    }
                    None => return Err(damaged(&log.members[0], block, session.needed)),
                }
            } else {
                let suggestion = self.suggestion(session);
                if !session.request.automatic {
                    return Ok(session.needs(suggestion, None));
                }
                let reader = match session.open_log(&suggestion) {
                    Ok(reader) => reader,
                    Err(note) => return Ok(session.needs(suggestion, Some(note))),
                };
                self.alert(&format!("Media Recovery Log {}", suggestion.display()));
                session.apply_reader(&reader, &suggestion)?
            };
            if let Some(step) = self.after_log(session, end)? {
                return Ok(step);
            }
        }
    }

    /// Ends the recovery, or moves headers and position to the next log.
    fn after_log(
        &self,
        session: &mut MediaRecovery,
        end: LogEnd,
    ) -> OraResult<Option<RecoveryStep>> {
        match end {
            LogEnd::Closed(scn, time) => {
                session.log_done(scn, time)?;
                let Some(stop) = session.target_before(scn, time) else {
                    return Ok(None);
                };
                self.finish_incomplete(session, stop, false)?;
            }
            LogEnd::Target(stop) => self.finish_incomplete(session, stop, false)?,
            LogEnd::EndOfThread => {
                let incomplete = session.request.until != Until::Complete
                    || session.request.using_backup_controlfile
                    || session.control.is_backup;
                if incomplete {
                    let stop = session.replay.last_scn.next().max(session.needed.0);
                    self.finish_incomplete(session, stop, true)?;
                } else {
                    self.finish_complete(session)?;
                }
            }
        }
        Ok(Some(RecoveryStep::Complete))
    }

    /// The files have all redo of the thread: they become what the control file says of them, and OPEN goes on.
    fn finish_complete(&self, session: &mut MediaRecovery) -> OraResult<()> {
        session.replay.flush()?;
        let mut core = self.lock();
        let control = core.control()?;
        control.record.datafiles.append(&mut session.replay.added);
        let database = control.record.checkpoint;
        for replay in &mut session.replay.files {
            let header = &mut replay.file.header;
            let Some(record) = control
                .record
                .datafiles
                .iter_mut()
                .find(|d| d.number == replay.file.number)
            else {
                continue;
            };
            if header.status & status::HOT_BACKUP != 0 && !is_live(record, header.checkpoint_count)
            {
                return Err(name_file(
                    OraError::new(283, "recovery session canceled due to errors").and(
                        1195,
                        format!(
                            "online backup of file {} needs more recovery to be consistent",
                            record.number
                        ),
                    ),
                    record.number,
                    &record.path,
                ));
            }
            header.status &= status::ROOT_VALID;
            header.checkpoint_count = record.checkpoint_count;
            // A file that was offline has stayed behind; it now has all redo, as the others have.
            record.checkpoint = database;
            header.checkpoint = header_checkpoint(database);
            record.in_backup = false;
        }
        session.replay.write_headers()?;
        control.write()?;
        drop(core);
        self.alert(&format!("Media Recovery Complete ({})", self.home.sid));
        Ok(())
    }

    /// Recovery ends at `stop`: every change below it is in the files. OPEN RESETLOGS comes next.
    fn finish_incomplete(
        &self,
        session: &mut MediaRecovery,
        stop: Scn,
        end_of_thread: bool,
    ) -> OraResult<()> {
        session.replay.flush()?;
        let (next, time) = (session.next, session.needed.1);
        let mut complaint: Option<OraError> = None;
        for replay in &mut session.replay.files {
            let header = &mut replay.file.header;
            if replay.from > stop {
                let text = format!(
                    "file {} was not restored from a sufficiently old backup",
                    replay.file.number
                );
                complaint.get_or_insert(name_file(
                    warning().and(1152, text),
                    replay.file.number,
                    &replay.file.path,
                ));
                continue;
            }
            header.status &= !(status::MEDIA_FUZZY | status::LEVEL_0_COPY);
            if end_of_thread {
                header.status &= !status::ONLINE_FUZZY;
            }
            if stop > header.absolute_fuzzy_scn {
                header.status &= !status::ABSOLUTE_FUZZY;
            }
            header.checkpoint = checkpoint_at(stop, time, next);
            if let Some((code, text)) = inconsistency(header.status, replay.file.number) {
                complaint.get_or_insert(name_file(
                    warning().and(code, text),
                    replay.file.number,
                    &replay.file.path,
                ));
            }
        }
        session.replay.write_headers()?;
        let mut core = self.lock();
        let control = core.control()?;
        control.record.datafiles.append(&mut session.replay.added);
        control.record.needs_resetlogs = true;
        control.record.recovered_to = stop.get();
        control.write()?;
        drop(core);
        match complaint {
            Some(error) => {
                self.alert(&error.to_string());
                Err(error)
            }
            None => {
                self.alert(&format!(
                    "Incomplete Recovery applied until change {stop}\nMedia Recovery Complete ({})",
                    self.home.sid
                ));
                Ok(())
            }
        }
    }

    fn suggestion(&self, session: &MediaRecovery) -> PathBuf {
        let of_this_log = |log: &&ArchivedRecord| {
            log.sequence == session.next
                && log.incarnation == session.control.incarnation()
                && !log.deleted
        };
        let recorded = session.control.archived.iter().rev().filter(of_this_log);
        // One log may lie in several places since CATALOG; the newest that is there is as good as any.
        let found = recorded.clone().find(|log| log.path.exists());
        match found.or(recorded.clone().next()) {
            Some(log) => log.path.clone(),
            None => {
                let first = session.control.incarnations.len() <= 1;
                self.parameters.archived_log_name(
                    session.next,
                    session.control.incarnation().time,
                    first,
                )
            }
        }
    }
}

fn warning() -> OraError {
    OraError::new(
        1547,
        "warning: RECOVER succeeded but OPEN RESETLOGS would get error below",
    )
}

fn no_recovery() -> OraError {
    OraError::new(1112, "media recovery not started")
}

fn checkpoint_at(scn: Scn, time: OracleTime, sequence: u32) -> Checkpoint {
    let rba = RedoAddress {
        sequence: LogSequence::new(sequence),
        block: FIRST_REDO_BLOCK,
        offset: 16,
    };
    Checkpoint {
        scn,
        time,
        thread: 1,
        rba,
    }
}

/// Files of an open database are in use; those that are offline are not, but this engine recovers none beside them.
fn refuse_open(control: &Control, scope: &RecoverScope) -> OraError {
    let stack = OraError::new(283, "recovery session canceled due to errors");
    let selected = match select(control, scope) {
        Ok(selected) => selected,
        Err(error) => return error,
    };
    match selected.iter().find(|file| file.online) {
        Some(file) => stack.and(
            1124,
            format!(
                "cannot recover data file {} - file is in use or recovery",
                file.number
            ),
        ),
        None => stack.and(
            1126,
            "database must be mounted in this instance and not open in any instance",
        ),
    }
}

fn begin(
    instance: &Instance,
    request: &RecoverRequest,
    control: Control,
) -> OraResult<MediaRecovery> {
    let canceled = || OraError::new(283, "recovery session canceled due to errors");
    if control.is_backup && !request.using_backup_controlfile {
        return Err(canceled().and(
            1610,
            "recovery using the BACKUP CONTROLFILE option must be done",
        ));
    }
    let everything = request.using_backup_controlfile || request.until != Until::Complete;
    let mut files = Vec::new();
    for record in select(&control, &request.scope)? {
        let file = datafile::open(record)?;
        check_identity(&control, &file)?;
        if !request.using_backup_controlfile
            && file.header.checkpoint_count > record.checkpoint_count + 1
        {
            return Err(newer_than_control(&file));
        }
        let stale = file.header.checkpoint_count < record.checkpoint_count;
        let unfinished = file.header.status & NEEDS_RECOVERY != 0;
        if everything || stale || unfinished {
            files.push(file);
        }
    }
    let Some(first) = files
        .iter()
        .map(|file| file.header.checkpoint)
        .min_by_key(|checkpoint| checkpoint.scn)
    else {
        return Err(canceled().and(264, "no recovery required"));
    };
    let journal = instance.home.doublewrite_file();
    let repaired = repair_unrestored(&journal, &control, request.using_backup_controlfile)?;
    if !repaired.is_empty() {
        instance.alert(&format!(
            "Repaired {} torn blocks before recovery",
            repaired.len()
        ));
    }
    let incarnations = control
        .incarnations
        .iter()
        .map(|i| OracleTime::from_raw(i.time))
        .collect();
    let replay = Replay::new(files, &control, &journal)?;
    Ok(MediaRecovery {
        request: request.clone(),
        control,
        replay,
        next: first.rba.sequence.get(),
        needed: (first.scn, first.time),
        incarnations,
    })
}

/// Repairs what a crash or a recovery that was cut off has torn, in every file of the database: this recovery takes the
/// journal for itself, and crash recovery of the files that it does not touch would miss it. A file that was restored is
/// left alone: its blocks must be whole, or come from redo.
fn repair_unrestored(
    journal: &Path,
    control: &Control,
    using_backup_controlfile: bool,
) -> OraResult<Vec<(u32, u32)>> {
    let was_here = |record: &DatafileRecord, file: &DataFile| {
        using_backup_controlfile
            || file.header.checkpoint_count >= record.checkpoint_count
            || file.header.status & status::MEDIA_FUZZY != 0
    };
    let files: Vec<DataFile> = control
        .datafiles
        .iter()
        // One that is lost has no torn blocks.
        .filter_map(|record| Some((record, datafile::open(record).ok()?)))
        .filter(|(record, file)| was_here(record, file))
        .map(|(_, file)| file)
        .collect();
    Doublewrite::open(journal)
        .and_then(|doublewrite| doublewrite.repair(&files))
        .map_err(|e| OraError::new(1242, format!("doublewrite journal: {e}")))
}

fn select<'a>(control: &'a Control, scope: &RecoverScope) -> OraResult<Vec<&'a DatafileRecord>> {
    let chosen: Vec<&DatafileRecord> = match scope {
        RecoverScope::Database => control
            .datafiles
            .iter()
            .filter(|file| file.online)
            .collect(),
        RecoverScope::Tablespaces(names) => {
            let numbers = names
                .iter()
                .map(|name| control.tablespace_number(name))
                .collect::<OraResult<Vec<_>>>()?;
            control
                .datafiles
                .iter()
                .filter(|file| numbers.contains(&file.tablespace))
                .collect()
        }
        RecoverScope::Datafiles(references) => references
            .iter()
            .map(|reference| find_file(control, reference))
            .collect::<OraResult<_>>()?,
    };
    Ok(chosen)
}

/// The control file's record of a file. ORA-01516 when there is none.
pub fn find_file<'a>(
    control: &'a Control,
    reference: &FileReference,
) -> OraResult<&'a DatafileRecord> {
    let (found, name) = match reference {
        FileReference::Number(number) => (
            control.datafiles.iter().find(|file| file.number == *number),
            number.to_string(),
        ),
        FileReference::Path(path) => (
            control.datafiles.iter().find(|file| file.path == *path),
            format!("\"{}\"", path.display()),
        ),
    };
    found.ok_or_else(|| {
        OraError::new(
            1516,
            format!("nonexistent log file, data file, or temporary file {name}"),
        )
    })
}

fn damaged(path: &Path, block: u32, (scn, time): (Scn, OracleTime)) -> OraError {
    OraError::new(283, "recovery session canceled due to errors")
        .and(354, "corrupt redo log block header")
        .and(
            353,
            format!("log corruption near block {block} change {scn} time {time}"),
        )
        .and(334, format!("archived log: '{}'", path.display()))
}

impl MediaRecovery {
    fn needs(&self, suggestion: PathBuf, note: Option<OraError>) -> RecoveryStep {
        let (scn, time) = self.needed;
        RecoveryStep::NeedsLog {
            suggestion,
            sequence: LogSequence::new(self.next),
            scn,
            time,
            note,
        }
    }

    /// Where recovery ends if the target lies before a log that begins with this SCN and time.
    fn target_before(&self, scn: Scn, time: OracleTime) -> Option<Scn> {
        match self.request.until {
            Until::Change(limit) => (scn >= limit).then_some(limit),
            Until::Time(limit) => (time >= limit).then_some(scn),
            Until::Complete | Until::Cancel => None,
        }
    }

    /// Opens a log and checks that it is the one that is needed.
    fn open_log(&self, path: &Path) -> OraResult<LogReader<std::fs::File>> {
        let named = |error: OraError| error.and(334, format!("archived log: '{}'", path.display()));
        let reader = LogReader::open(path).map_err(|error| {
            OraError::new(
                308,
                format!("cannot open archived log '{}'", path.display()),
            )
            .and(27037, error.to_string())
        })?;
        let header: &LogHeader = reader.header();
        if header.dbid != self.control.dbid {
            return Err(named(OraError::new(309, "log belongs to wrong database")));
        }
        if header.resetlogs != self.control.incarnation().resetlogs() {
            let text = if self.incarnations.contains(&header.resetlogs.time) {
                "an earlier"
            } else {
                "an unknown"
            };
            return Err(named(OraError::new(
                19563,
                format!("log header: it belongs to {text} incarnation"),
            )));
        }
        if header.sequence.get() != self.next {
            let text = format!(
                "archived log contains sequence {}; sequence {} required",
                header.sequence, self.next
            );
            return Err(named(OraError::new(310, text)));
        }
        Ok(reader)
    }

    fn apply_reader(
        &mut self,
        reader: &LogReader<std::fs::File>,
        path: &Path,
    ) -> OraResult<LogEnd> {
        let mut target = None;
        let mut block = FIRST_REDO_BLOCK;
        loop {
            match reader.read_log_write(block) {
                Ok(Some((write, next))) => {
                    self.apply_write(&write, &mut target)?;
                    if let Some(stop) = target {
                        return Ok(LogEnd::Target(stop));
                    }
                    block = next;
                }
                Ok(None) => break,
                Err(_) => return Err(damaged(path, block, self.needed)),
            }
        }
        let header = reader.header();
        if header.next_scn == Scn::OPEN_ENDED {
            return Ok(LogEnd::EndOfThread);
        }
        if block != header.next_available_block {
            return Err(damaged(path, block, self.needed));
        }
        Ok(LogEnd::Closed(
            header.next_scn,
            header.next_time.unwrap_or(self.needed.1),
        ))
    }

    fn apply_write(&mut self, write: &LogWrite, target: &mut Option<Scn>) -> OraResult<()> {
        if target.is_some() {
            return Ok(());
        }
        if let (Until::Time(limit), Some(record)) = (self.request.until, write.records.first())
            && write.time >= limit
        {
            *target = Some(record.scn);
            return Ok(());
        }
        for record in &write.records {
            if matches!(self.request.until, Until::Change(limit) if record.scn >= limit) {
                *target = Some(
                    self.target_before(record.scn, write.time)
                        .unwrap_or(record.scn),
                );
                return Ok(());
            }
            self.replay.apply(record)?;
        }
        Ok(())
    }

    /// Flushes, and moves the headers of the files that the log concerned to its end.
    fn log_done(&mut self, scn: Scn, time: OracleTime) -> OraResult<()> {
        self.replay.flush()?;
        self.next += 1;
        self.needed = (scn, time);
        for replay in &mut self.replay.files {
            if replay.from <= scn {
                replay.file.header.checkpoint = checkpoint_at(scn, time, self.next);
                replay.file.header.status |= status::MEDIA_FUZZY;
            }
        }
        self.replay.write_headers()
    }
}
