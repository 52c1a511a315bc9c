//! The smaller statements: control file backups, adding a file, taking files offline, ARCHIVELOG mode.
//! What lives here: each statement whole. What does not: BEGIN/END BACKUP, recovery, log switches.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oracle::block;
use oracle::file_header::{FileHeader, status};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::change::{self, operation};
use super::checkpoint::{header_checkpoint, place};
use super::control::{self, CheckpointRecord, Control, DatafileRecord};
use super::datafile::{self, name_file};
use super::error::{OraError, OraResult};
use super::facts::InstanceStatus;
use super::home;
use super::instance::Instance;
use super::recovery::identity::is_live;
use super::recovery::media::{FileReference, find_file};
use crate::content::BLOCK_BYTES;

/// Largest data file, in blocks of 8 KiB: what a smallfile address can name.
const BLOCKS_MAX: u64 = (1 << 22) - 2;

impl Instance {
    /// ALTER DATABASE BACKUP CONTROLFILE TO 'f' [REUSE].
    ///
    /// The file appears whole or not at all. Errors: ORA-27038 when it exists and REUSE is not given.
    pub fn backup_controlfile(&self, path: &Path, reuse: bool) -> OraResult<()> {
        let again = if reuse { " REUSE" } else { "" };
        let statement = format!(
            "ALTER DATABASE BACKUP CONTROLFILE TO '{}'{again}",
            path.display()
        );
        self.logged(&statement, || {
            let mut record = self.lock().control()?.record.clone();
            record.is_backup = true;
            control::create(path, &record, reuse)
        })
    }

    /// The text of ALTER DATABASE BACKUP CONTROLFILE TO TRACE.
    pub fn trace_controlfile(&self) -> OraResult<String> {
        let record = self.lock().control()?.record.clone();
        let mut text = format!(
            "-- The following are current System-scope REDO Log Archival related\n-- parameters and can be included in the database initialization file.\n--\n-- LOG_ARCHIVE_DEST='{}'\n-- LOG_ARCHIVE_FORMAT={}\n--\n",
            self.parameters.archive_destination.display(),
            self.parameters.archive_format
        );
        for (set, option) in [(1, "NORESETLOGS"), (2, "RESETLOGS")] {
            write_create_set(&mut text, &record, set, option)
                .map_err(|e| OraError::new(600, e.to_string()))?;
        }
        Ok(text)
    }

    /// ALTER DATABASE [NO]ARCHIVELOG. ORA-01126 unless mounted and not open.
    pub fn set_archivelog(&self, on: bool) -> OraResult<()> {
        let mut core = self.lock();
        if core.status != InstanceStatus::Mounted {
            return Err(OraError::new(
                1126,
                "database must be mounted in this instance and not open in any instance",
            ));
        }
        let control = core.control()?;
        control.record.archivelog = on;
        control.write()
    }

    /// ALTER DATABASE DATAFILE … ONLINE | OFFLINE [DROP].
    ///
    /// OFFLINE is immediate: it takes no checkpoint, so the file needs recovery from here on, which its count in the
    /// control file says. Mounted: changes what OPEN will look at. Open: ONLINE needs a file that is recovered. Errors: ORA-01516, ORA-01145 (OFFLINE in
    /// NOARCHIVELOG without DROP), ORA-01541 (SYSTEM), ORA-01113 (ONLINE before recovery).
    pub fn datafile_online(
        &self,
        reference: &FileReference,
        online: bool,
        drop_file: bool,
    ) -> OraResult<()> {
        let headers = self
            .headers
            .lock()
            .expect("header writers do not panic half way");
        let mut core = self.lock();
        let status = core.status;
        let control = core.control()?;
        let record = find_file(&control.record, reference)?.clone();
        if record.tablespace == 0 && !online && status == InstanceStatus::Open {
            return Err(OraError::new(
                1541,
                "system tablespace cannot be brought offline; shut down if necessary",
            ));
        }
        if !online && !control.record.archivelog && !drop_file {
            return Err(OraError::new(
                1145,
                "offline immediate disallowed unless media recovery enabled",
            ));
        }
        if online && status == InstanceStatus::Open {
            return Err(name_file(
                OraError::new(1113, format!("file {} needs media recovery", record.number)),
                record.number,
                &record.path,
            ));
        }
        for file in control
            .record
            .datafiles
            .iter_mut()
            .filter(|file| file.number == record.number)
        {
            if file.online && !online {
                file.checkpoint_count += 2; // One more may be a checkpoint under way, two more is a stale file.
            }
            file.online = online;
            if online
                && datafile::open(file)
                    .is_ok_and(|open| !is_live(file, open.header.checkpoint_count))
            {
                file.in_backup = false;
            }
        }
        control.write()?;
        drop(core);
        if !online && status == InstanceStatus::Open {
            self.release_file(record.number)?;
        }
        drop(headers);
        Ok(())
    }

    /// Lets go of an open file. Changes that it does not have yet are dropped: recovery takes them from the redo.
    fn release_file(&self, number: u32) -> OraResult<()> {
        let mut core = self.lock();
        while core.open()?.cache.is_in_flight(number) {
            core = self.wait_progress(core);
        }
        let open = core.open()?;
        open.cache.forget_file(number);
        open.files.retain(|file| file.number != number);
        drop(core);
        self.progress.notify_all();
        Ok(())
    }

    /// ALTER TABLESPACE … ADD DATAFILE 'f' SIZE n.
    ///
    /// The file is whole and synced before the control file knows of it; a crash before that leaves a file that
    /// belongs to nobody. Errors: ORA-00959, ORA-01537 (exists), ORA-01119 (cannot create), ORA-01109.
    pub fn add_datafile(&self, tablespace: &str, path: &Path, bytes: u64) -> OraResult<()> {
        let headers = self
            .headers
            .lock()
            .expect("header writers do not panic half way");
        let (record, header) = self.plan_datafile(tablespace, path, bytes)?;
        write_empty_file(path, &header).map_err(|e| {
            OraError::new(
                1119,
                format!("error in creating database file '{}'", path.display()),
            )
            .and(27040, e.to_string())
        })?;
        let field = serde_json::to_vec(&record).map_err(|e| OraError::new(600, e.to_string()))?;
        let marker = change::marker(operation::ADD_DATAFILE, record.number, vec![field]);
        let mut core = self.write_markers(self.lock(), vec![marker])?;
        let file = datafile::open(&record)?;
        let (control, open) = core.both()?;
        control.record.datafiles.push(record);
        control.write()?;
        open.files.push(file);
        drop(core);
        drop(headers);
        Ok(())
    }

    fn plan_datafile(
        &self,
        tablespace: &str,
        path: &Path,
        bytes: u64,
    ) -> OraResult<(DatafileRecord, FileHeader)> {
        let mut core = self.lock();
        let (control, open) = core.both()?;
        let tablespace_number = control.record.tablespace_number(tablespace)?;
        if control
            .record
            .datafiles
            .iter()
            .any(|file| file.path == path)
            || path.exists()
        {
            return Err(OraError::new(
                1537,
                format!(
                    "cannot add file '{}' - file already part of database",
                    path.display()
                ),
            ));
        }
        let blocks = (bytes / BLOCK_BYTES as u64).clamp(16, BLOCKS_MAX) as u32;
        let (checkpoint, _) = place(open);
        let record = DatafileRecord {
            number: control
                .record
                .datafiles
                .iter()
                .map(|file| file.number)
                .max()
                .unwrap_or(0)
                + 1,
            tablespace: tablespace_number,
            path: path.to_path_buf(),
            blocks,
            creation_scn: checkpoint.scn,
            creation_time: checkpoint.time,
            checkpoint,
            checkpoint_count: 1,
            online: true,
            backup: (0, 0),
            in_backup: false,
        };
        let mut header = new_header(&control.record, &record);
        header.status |= status::ONLINE_FUZZY;
        Ok((record, header))
    }
}

/// The header of a new file, clean, at the checkpoint of its record.
pub fn new_header(control: &Control, record: &DatafileRecord) -> FileHeader {
    let system = record.tablespace == 0;
    FileHeader {
        compat: 0x1300_0000,
        dbid: control.dbid,
        db_name: control.name.clone(),
        control_sequence: control.generation as u32,
        blocks: record.blocks,
        block_size: BLOCK_BYTES as u32,
        file_number: record.number as u16,
        file_type: 3,
        root_address: if system { 0x0040_0208 } else { 0 },
        creation_scn: Scn::new(record.creation_scn),
        creation_time: OracleTime::from_raw(record.creation_time),
        resetlogs: control.incarnation().resetlogs(),
        previous_resetlogs: control.previous_incarnation().resetlogs(),
        backup_begin_time: None,
        backup_begin_scn: Scn::ZERO,
        backup_thread: 0,
        status: if system { status::ROOT_VALID } else { 0 },
        checkpoint_count: record.checkpoint_count,
        control_checkpoint_count: record.checkpoint_count.saturating_sub(1),
        blocks_at_backup: 0,
        tablespace_number: record.tablespace,
        tablespace_name: control.tablespace_name(record.tablespace).to_string(),
        relative_file: record.number as u16,
        absolute_fuzzy_scn: Scn::ZERO,
        checkpoint: header_checkpoint(record.checkpoint),
    }
}

/// Writes a file of never-formatted blocks with its headers, synced with its directory.
pub fn write_empty_file(path: &Path, header: &FileHeader) -> std::io::Result<()> {
    std::fs::create_dir_all(home::parent(path))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    let mut bytes = vec![0; BLOCK_BYTES];
    for number in 2..=header.blocks {
        block::never_formatted(&mut bytes, number);
        file.write_all_at(&bytes, u64::from(number) * BLOCK_BYTES as u64)?;
    }
    datafile::write_os_header(&file, header.blocks)?;
    datafile::write_header(&file, header)?;
    file.sync_all()?;
    std::fs::File::open(home::parent(path))?.sync_all()
}

fn write_create_set(
    text: &mut String,
    record: &Control,
    set: u32,
    option: &str,
) -> std::fmt::Result {
    writeln!(
        text,
        "--     Set #{set}. {option} case\n--\nSTARTUP NOMOUNT"
    )?;
    let mode = if record.archivelog {
        "ARCHIVELOG"
    } else {
        "NOARCHIVELOG"
    };
    writeln!(
        text,
        "CREATE CONTROLFILE REUSE DATABASE \"{}\" {option}  {mode}\n    MAXLOGFILES 16\nLOGFILE",
        record.name
    )?;
    for (index, log) in record.logs.iter().enumerate() {
        let members: Vec<String> = log
            .members
            .iter()
            .map(|path| format!("    '{}'", path.display()))
            .collect();
        let comma = if index + 1 < record.logs.len() {
            ","
        } else {
            ""
        };
        let size = u64::from(log.blocks) * 512;
        writeln!(
            text,
            "  GROUP {} (\n{}\n  ) SIZE {size} BLOCKSIZE 512{comma}",
            log.group,
            members.join(",\n")
        )?;
    }
    writeln!(text, "DATAFILE")?;
    for (index, file) in record.datafiles.iter().enumerate() {
        let comma = if index + 1 < record.datafiles.len() {
            ","
        } else {
            ""
        };
        writeln!(text, "  '{}'{comma}", file.path.display())?;
    }
    let close = match option {
        "RESETLOGS" => "RECOVER DATABASE USING BACKUP CONTROLFILE\nALTER DATABASE OPEN RESETLOGS;",
        _ => "RECOVER DATABASE\nALTER SYSTEM ARCHIVE LOG ALL;\nALTER DATABASE OPEN;",
    };
    writeln!(text, "CHARACTER SET AL32UTF8\n;\n{close}\n")
}

/// A checkpoint at the creation of a database.
pub fn first_checkpoint(scn: u64, time: u32) -> CheckpointRecord {
    CheckpointRecord {
        scn,
        time,
        sequence: 1,
        block: super::redo_log::FIRST_REDO_BLOCK,
    }
}
