//! Hot backup mode: BEGIN BACKUP and END BACKUP of tablespaces, files and the whole database.
//! What lives here: the two statements, with the database open or mounted. What does not: whole-block logging
//! (`commit`), frozen headers at checkpoints (`checkpoint`).
//!
//! BEGIN takes a checkpoint of the files: from the SCN taken here every first change of a block logs the whole block,
//! all earlier changes are written, then the header gets the bit 0x01 and the SCN, which stays until END. END logs the
//! marker 17.1 with that SCN before the header moves on: a copy of the file needs recovery at least up to the marker.

use std::sync::Arc;

use oracle::file_header::{Checkpoint, status};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::change::{self, operation};
use super::checkpoint::{header_checkpoint, place};
use super::control::{CheckpointRecord, Control};
use super::datafile::{self, name_file};
use super::error::{OraError, OraResult};
use super::facts::InstanceStatus;
use super::instance::Instance;

/// What BEGIN or END BACKUP is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupScope {
    /// Every online data file.
    Database,
    /// The files of one tablespace.
    Tablespace(String),
    /// One file, by number (ALTER DATABASE DATAFILE … END BACKUP).
    Datafile(u32),
}

impl BackupScope {
    /// The statement as the alert log has it; `verb` is BEGIN or END.
    fn statement(&self, verb: &str) -> String {
        match self {
            BackupScope::Database => format!("ALTER DATABASE {verb} BACKUP"),
            BackupScope::Tablespace(name) => {
                format!("ALTER TABLESPACE {} {verb} BACKUP", name.to_uppercase())
            }
            BackupScope::Datafile(number) => {
                format!("ALTER DATABASE DATAFILE {number} {verb} BACKUP")
            }
        }
    }
}

impl Instance {
    /// ALTER TABLESPACE … BEGIN BACKUP and ALTER DATABASE BEGIN BACKUP.
    ///
    /// Errors: ORA-01123 outside ARCHIVELOG mode, ORA-00959, ORA-01146 when a file is in backup mode already,
    /// ORA-01109 when not open. After a crash during this the file is in backup mode or not; the answer was not given.
    pub fn begin_backup(&self, scope: &BackupScope) -> OraResult<()> {
        self.logged(&scope.statement("BEGIN"), || self.begin_backup_now(scope))
    }

    fn begin_backup_now(&self, scope: &BackupScope) -> OraResult<()> {
        let headers = self
            .headers
            .lock()
            .expect("header writers do not panic half way");
        let (numbers, record, ticket) = {
            let mut core = self.lock();
            let (control, open) = core.both()?;
            if !control.record.archivelog {
                return Err(OraError::new(
                    1123,
                    "cannot start online backup; media recovery not enabled",
                ));
            }
            let numbers = concerned(&control.record, scope)?;
            if let Some(file) = open
                .files
                .iter()
                .find(|file| numbers.contains(&file.number) && file.backup_epoch > 0)
            {
                let error = OraError::new(
                    1146,
                    format!(
                        "cannot start online backup - file {} is already in backup",
                        file.number
                    ),
                );
                return Err(name_file(error, file.number, &file.path));
            }
            let (record, ticket) = place(open);
            open.backup_epochs += 1;
            let epoch = open.backup_epochs;
            open.files
                .iter_mut()
                .filter(|f| numbers.contains(&f.number))
                .for_each(|f| f.backup_epoch = epoch);
            (numbers, record, ticket)
        };
        self.flush(ticket, |file| numbers.contains(&file))?;
        self.write_backup_headers(&numbers, Some(record))?;
        drop(headers);
        Ok(())
    }

    /// ALTER TABLESPACE … END BACKUP, ALTER DATABASE END BACKUP, ALTER DATABASE DATAFILE … END BACKUP.
    ///
    /// Open: logs the marker, then moves the headers on. Mounted, after a crash in backup mode: takes the live files
    /// out of it; a file whose checkpoint count is not the control file's is a restored copy and is left alone.
    /// Errors: ORA-01142 when none of the files is in backup mode.
    pub fn end_backup(&self, scope: &BackupScope) -> OraResult<()> {
        self.logged(&scope.statement("END"), || self.end_backup_now(scope))
    }

    fn end_backup_now(&self, scope: &BackupScope) -> OraResult<()> {
        let headers = self
            .headers
            .lock()
            .expect("header writers do not panic half way");
        let result = match self.status() {
            InstanceStatus::Open => self.end_backup_open(scope),
            InstanceStatus::Mounted => self.end_backup_mounted(scope),
            InstanceStatus::Started => Err(OraError::new(1507, "database not mounted")),
        };
        drop(headers);
        result
    }

    fn end_backup_open(&self, scope: &BackupScope) -> OraResult<()> {
        let mut core = self.lock();
        let (control, open) = core.both()?;
        let mut numbers = concerned(&control.record, scope)?;
        numbers.retain(|number| {
            open.files
                .iter()
                .any(|file| file.number == *number && file.backup_epoch > 0)
        });
        if numbers.is_empty() {
            return Err(OraError::new(
                1142,
                "cannot end online backup - none of the files are in backup",
            ));
        }
        if !self.faults.no_end_marker {
            let vectors = numbers
                .iter()
                .filter_map(|number| open.files.iter().find(|file| file.number == *number))
                .map(|file| {
                    let begin = file.header.backup_begin_scn.encode().to_vec();
                    change::marker(operation::END_BACKUP, file.number, vec![begin])
                })
                .collect();
            core = self.write_markers(core, vectors)?;
        }
        drop(core);
        self.write_backup_headers(&numbers, None)
    }

    /// Sets (`begin` given) or clears the bit in the headers, then in the control file.
    fn write_backup_headers(
        &self,
        numbers: &[u32],
        begin: Option<CheckpointRecord>,
    ) -> OraResult<()> {
        let mut writes = Vec::new();
        let mut core = self.lock();
        let (control, open) = core.both()?;
        let current = control.record.checkpoint;
        for file in open
            .files
            .iter_mut()
            .filter(|file| numbers.contains(&file.number))
        {
            let header = &mut file.header;
            header.checkpoint_count += 1;
            header.control_checkpoint_count = header.checkpoint_count - 1;
            match begin {
                Some(record) => {
                    header.status = header.status & !status::ONLINE_FUZZY | status::HOT_BACKUP;
                    header.backup_begin_scn = Scn::new(record.scn);
                    header.backup_begin_time = Some(OracleTime::from_raw(record.time));
                    header.backup_thread = 1;
                    header.blocks_at_backup = header.blocks;
                    header.checkpoint = header_checkpoint(record);
                }
                None => {
                    header.status = header.status & !status::HOT_BACKUP | status::ONLINE_FUZZY;
                    header.checkpoint = later(current, &header.checkpoint);
                    file.backup_epoch = 0;
                }
            }
            for datafile in control
                .record
                .datafiles
                .iter_mut()
                .filter(|d| d.number == file.number)
            {
                datafile.in_backup = begin.is_some();
                if let Some(record) = begin {
                    datafile.backup = (record.scn, record.time);
                }
            }
            writes.push((
                file.number,
                file.path.clone(),
                Arc::clone(&file.file),
                file.header.clone(),
            ));
        }
        control.record.pending = true;
        control.write()?;
        drop(core);
        for (number, path, file, header) in &writes {
            datafile::write_header(file, header).map_err(|e| {
                name_file(
                    OraError::new(1114, "IO error writing block to file (block # 1)")
                        .and(27072, e.to_string()),
                    *number,
                    path,
                )
            })?;
        }
        let mut core = self.lock();
        let control = core.control()?;
        control.record.pending = false;
        for (number, _, _, header) in &writes {
            for datafile in control
                .record
                .datafiles
                .iter_mut()
                .filter(|d| d.number == *number)
            {
                datafile.checkpoint_count = header.checkpoint_count;
            }
        }
        control.write()
    }

    fn end_backup_mounted(&self, scope: &BackupScope) -> OraResult<()> {
        let mut core = self.lock();
        let control = core.control()?;
        let numbers = concerned(&control.record, scope)?;
        let mut ended = 0;
        for record in &mut control.record.datafiles {
            if !numbers.contains(&record.number) {
                continue;
            }
            let mut file = datafile::open(record)?;
            let live = (record.checkpoint_count..=record.checkpoint_count + 1)
                .contains(&file.header.checkpoint_count);
            if file.header.status & status::HOT_BACKUP == 0 {
                record.in_backup = false;
                continue;
            }
            if !live {
                continue;
            }
            file.header.status = file.header.status & !status::HOT_BACKUP | status::ONLINE_FUZZY;
            file.header.checkpoint = later(record.checkpoint, &file.header.checkpoint);
            datafile::write_header(&file.file, &file.header).map_err(|e| {
                name_file(
                    OraError::new(1114, "IO error writing block to file (block # 1)")
                        .and(27072, e.to_string()),
                    file.number,
                    &file.path,
                )
            })?;
            record.in_backup = false;
            ended += 1;
        }
        control.write()?;
        if ended == 0 {
            return Err(OraError::new(
                1142,
                "cannot end online backup - none of the files are in backup",
            ));
        }
        Ok(())
    }
}

/// The thread's checkpoint, unless the file's own is newer: BEGIN BACKUP takes one of its own.
fn later(record: CheckpointRecord, own: &Checkpoint) -> Checkpoint {
    if record.scn > own.scn.get() {
        header_checkpoint(record)
    } else {
        *own
    }
}

/// Numbers of the online files in a scope.
pub fn concerned(control: &Control, scope: &BackupScope) -> OraResult<Vec<u32>> {
    let online = control.datafiles.iter().filter(|file| file.online);
    Ok(match scope {
        BackupScope::Database => online.map(|file| file.number).collect(),
        BackupScope::Tablespace(name) => {
            let tablespace = control.tablespace_number(name)?;
            online
                .filter(|file| file.tablespace == tablespace)
                .map(|file| file.number)
                .collect()
        }
        BackupScope::Datafile(number) => online
            .filter(|file| file.number == *number)
            .map(|file| file.number)
            .collect(),
    })
}
