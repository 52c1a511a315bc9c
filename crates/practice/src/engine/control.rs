//! The control file: what the database is made of and how far each part has come.
//! What lives here: the record, reading and writing of all copies. What does not: its form on disk, who changes it.
//!
//! Form: 16 KiB blocks with Oracle's block header (type 0x15) and checksum; block 0 is the operating-system header.
//! Two areas of equal size are written in turn, each with a generation number, so that a crash in the middle of a
//! write leaves the previous generation readable. All copies are written one after the other; at mount the highest
//! generation wins if the others are at most one behind.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use form::{format, read, write};
use oracle::file_header::ResetLogs;
use oracle::scn::Scn;
use oracle::time::OracleTime;
use serde::{Deserialize, Serialize};

use super::backup_records::BackupRecords;
use super::error::{OraError, OraResult};
use super::home;

mod form;

pub use form::{image, read_file, read_image};

/// Bytes of a control file block.
pub const BLOCK_BYTES: usize = 16 * 1024;
/// Blocks without block 0, as in a real 11.2 file.
pub const BLOCKS: u32 = 614;
/// Bytes of a control file.
pub const FILE_BYTES: u64 = (BLOCKS as u64 + 1) * BLOCK_BYTES as u64;
/// Archived-log records that are kept; the oldest are dropped beyond it.
pub const ARCHIVED_RECORDS_MAX: usize = 10_000;

/// The control file's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Counts the writes (CONTROLFILE_SEQUENCE#).
    pub generation: u64,
    /// Database id.
    pub dbid: u32,
    /// Database name.
    pub name: String,
    /// Creation time number.
    pub created: u32,
    /// ARCHIVELOG mode.
    pub archivelog: bool,
    /// This is a restored backup: no online log is current for certain, opening needs RESETLOGS.
    pub is_backup: bool,
    /// Incomplete recovery has been done: opening needs RESETLOGS.
    pub needs_resetlogs: bool,
    /// SCN up to which the last incomplete recovery went: every change below it is in the files.
    pub recovered_to: u64,
    /// The incarnation that an unfinished OPEN RESETLOGS was making, so that a second one makes the same.
    pub planned_incarnation: Option<Incarnation>,
    /// The redo thread is open: set while the database is, so that the next start knows of a crash.
    pub thread_open: bool,
    /// Incarnations, oldest first; the last is current.
    pub incarnations: Vec<Incarnation>,
    /// Where crash recovery begins.
    pub checkpoint: CheckpointRecord,
    /// A checkpoint whose headers may or may not be on disk yet.
    pub pending: bool,
    /// Tablespaces.
    pub tablespaces: Vec<TablespaceRecord>,
    /// Data files.
    pub datafiles: Vec<DatafileRecord>,
    /// Online redo groups.
    pub logs: Vec<LogRecord>,
    /// Archived logs, oldest first.
    pub archived: Vec<ArchivedRecord>,
    /// RECID of the newest archived log.
    pub last_recid: u32,
    /// Activation id of the redo thread.
    pub activation_id: u32,
    /// Where rows, entries and counters lie.
    pub segments: Segments,
    /// What is known of RMAN's backups. Control files made before RMAN was there lack it.
    #[serde(default)]
    pub backups: BackupRecords,
}

/// One incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// First SCN.
    pub scn: u64,
    /// Resetlogs time, whose number is the resetlogs id.
    pub time: u32,
}

impl Incarnation {
    /// As the headers carry it.
    pub fn resetlogs(&self) -> ResetLogs {
        ResetLogs {
            time: OracleTime::from_raw(self.time),
            scn: Scn::new(self.scn),
        }
    }
}

/// A checkpoint: every change below `scn` is in the files, redo from (`sequence`, `block`) holds all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// SCN.
    pub scn: u64,
    /// Time number.
    pub time: u32,
    /// Log sequence of the redo address.
    pub sequence: u32,
    /// Block of the redo address.
    pub block: u32,
}

/// A tablespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablespaceRecord {
    /// TS#.
    pub number: u32,
    /// Name in upper case.
    pub name: String,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatafileRecord {
    /// FILE#.
    pub number: u32,
    /// TS#.
    pub tablespace: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Blocks without block 0.
    pub blocks: u32,
    /// Creation SCN.
    pub creation_scn: u64,
    /// Creation time number.
    pub creation_time: u32,
    /// Checkpoint of the file as this control file knows it.
    pub checkpoint: CheckpointRecord,
    /// Checkpoint count that the header must have; one more is allowed while a checkpoint is pending.
    pub checkpoint_count: u32,
    /// Whether it is online.
    pub online: bool,
    /// BEGIN BACKUP: SCN and time number. Kept after END BACKUP for V$BACKUP; `in_backup` says which.
    pub backup: (u64, u32),
    /// Whether the file is in backup mode.
    pub in_backup: bool,
}

/// An online redo group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// GROUP#.
    pub group: u32,
    /// Member files.
    pub members: Vec<PathBuf>,
    /// Blocks of 512 bytes including block 0.
    pub blocks: u32,
    /// Sequence; zero is unused.
    pub sequence: u32,
    /// First SCN.
    pub first_scn: u64,
    /// First time number.
    pub first_time: u32,
    /// Next SCN; all ones while current.
    pub next_scn: u64,
    /// Next time number.
    pub next_time: u32,
    /// Blocks used including block 0, once the log is closed.
    pub used_blocks: u32,
    /// Whether it is the one being written.
    pub current: bool,
    /// Whether it was archived.
    pub archived: bool,
}

/// An archived log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedRecord {
    /// RECID.
    pub recid: u32,
    /// File.
    pub path: PathBuf,
    /// Sequence.
    pub sequence: u32,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// First SCN and time number.
    pub first: (u64, u32),
    /// Next SCN and time number.
    pub next: (u64, u32),
    /// Blocks without block 0.
    pub blocks: u32,
    /// When archiving ended, a time number.
    pub completed: u32,
    /// RMAN has deleted the file.
    #[serde(default)]
    pub deleted: bool,
    /// CROSSCHECK did not find the file.
    #[serde(default)]
    pub expired: bool,
}

/// A run of blocks of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// FILE#.
    pub file: u32,
    /// First block.
    pub first: u32,
    /// Number of blocks.
    pub blocks: u32,
}

/// Where the content of the practice tables lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    /// Rows.
    pub table: Vec<Extent>,
    /// Index entries.
    pub index: Vec<Extent>,
    /// Session counters in SYSTEM.
    pub sessions: Extent,
    /// Transaction table in PSAPROLL.
    pub transactions: Extent,
    /// Number of keys.
    pub keys: u64,
    /// Keys 0..loaded existed at creation.
    pub loaded: u64,
    /// Seed of the initial texts.
    pub seed: u64,
}

impl Control {
    /// The incarnation in use.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnations.last().copied().unwrap_or(Incarnation {
            scn: 1,
            time: self.created,
        })
    }

    /// The incarnation before the one in use; zeros for the first.
    pub fn previous_incarnation(&self) -> Incarnation {
        match self.incarnations.len() {
            0 | 1 => Incarnation { scn: 0, time: 0 },
            count => self.incarnations[count - 2],
        }
    }

    /// Name of a tablespace by number.
    pub fn tablespace_name(&self, number: u32) -> &str {
        self.tablespaces
            .iter()
            .find(|t| t.number == number)
            .map_or("?", |t| t.name.as_str())
    }

    /// Number of a tablespace by name, whatever the case. ORA-00959 when there is none.
    pub fn tablespace_number(&self, name: &str) -> OraResult<u32> {
        self.tablespaces
            .iter()
            .find(|t| t.name.eq_ignore_ascii_case(name))
            .map(|t| t.number)
            .ok_or_else(|| {
                OraError::new(
                    959,
                    format!("tablespace '{}' does not exist", name.to_uppercase()),
                )
            })
    }

    /// The current redo group.
    pub fn current_log(&self) -> OraResult<&LogRecord> {
        self.logs
            .iter()
            .find(|log| log.current)
            .ok_or_else(|| OraError::new(600, "internal error code: no current log"))
    }

    /// Adds an archived log, dropping the oldest record beyond the limit.
    pub fn add_archived(&mut self, mut record: ArchivedRecord) {
        self.last_recid += 1;
        record.recid = self.last_recid;
        self.archived.push(record);
        if self.archived.len() > ARCHIVED_RECORDS_MAX {
            self.archived.remove(0);
        }
    }
}

/// All copies of the open control file.
#[derive(Debug)]
pub struct ControlFile {
    /// What it says now; change it, then [`ControlFile::write`].
    pub record: Control,
    copies: Vec<(PathBuf, File)>,
}

impl ControlFile {
    /// Opens all copies and reads the newest generation.
    ///
    /// Errors: ORA-00205 (a copy is missing), ORA-00227 (damaged), ORA-00214 (copies of different age).
    pub fn open(paths: &[PathBuf]) -> OraResult<ControlFile> {
        let mut copies = Vec::new();
        let mut newest: Option<Control> = None;
        let mut generations = Vec::new();
        for path in paths {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map_err(|e| identify_error(path, &e))?;
            let record = read(&file).map_err(|what| {
                OraError::new(
                    227,
                    format!("corrupt block detected in control file: ({what})"),
                )
                .and(202, format!("control file: '{}'", path.display()))
            })?;
            generations.push((record.generation, path.clone()));
            if newest
                .as_ref()
                .is_none_or(|known| record.generation > known.generation)
            {
                newest = Some(record);
            }
            copies.push((path.clone(), file));
        }
        let record = newest.ok_or_else(|| {
            OraError::new(205, "error in identifying control file, none is configured")
        })?;
        if let Some((generation, path)) =
            generations.iter().find(|(g, _)| g + 1 < record.generation)
        {
            let newest = generations
                .iter()
                .find(|(g, _)| *g == record.generation)
                .map(|(_, p)| p.display().to_string());
            return Err(OraError::new(
                214,
                format!(
                    "control file '{}' version {} inconsistent with file '{}' version {generation}",
                    newest.unwrap_or_default(),
                    record.generation,
                    path.display()
                ),
            ));
        }
        Ok(ControlFile { record, copies })
    }

    /// Writes the record to all copies, each synced before the next is touched.
    ///
    /// After a crash at any point every copy is readable with this generation or the one before.
    pub fn write(&mut self) -> OraResult<()> {
        self.record.generation += 1;
        for (path, file) in &self.copies {
            write(file, &self.record)
                .map_err(|e| io_error(221, "error on write to control file", path, &e))?;
        }
        Ok(())
    }

    /// Paths of the copies.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.copies.iter().map(|(path, _)| path.as_path())
    }
}

fn identify_error(path: &Path, error: &std::io::Error) -> OraError {
    OraError::new(
        205,
        "error in identifying control file, check alert log for more info",
    )
    .and(202, format!("control file: '{}'", path.display()))
    .and(27037, format!("unable to obtain file status: {error}"))
}

fn io_error(code: u32, text: &str, path: &Path, error: &std::io::Error) -> OraError {
    OraError::new(code, text)
        .and(202, format!("control file: '{}'", path.display()))
        .and(27072, error.to_string())
}

/// Creates one control file with this content, synced, at a path that must not exist unless `reuse`.
///
/// The file appears whole or not at all: it is written beside its place and renamed.
pub fn create(path: &Path, record: &Control, reuse: bool) -> OraResult<()> {
    if path.exists() && !reuse {
        return Err(OraError::new(1503, "CREATE CONTROLFILE failed")
            .and(
                1580,
                format!("error creating control backup file {}", path.display()),
            )
            .and(27038, "created file already exists"));
    }
    let failed = |e: std::io::Error| {
        OraError::new(
            1580,
            format!("error creating control backup file {}", path.display()),
        )
        .and(27040, e.to_string())
    };
    let temporary = path.with_extension("creating");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)
        .map_err(failed)?;
    let result = format(&file)
        .and_then(|()| write(&file, record))
        .and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = result {
        // The half-written file is of no use to anyone; the first error is the one to report.
        drop(std::fs::remove_file(&temporary));
        return Err(failed(error));
    }
    File::open(home::parent(path))
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn record() -> Control {
        Control {
            generation: 7,
            dbid: 1,
            name: "SND".to_string(),
            created: 0,
            archivelog: true,
            is_backup: false,
            needs_resetlogs: false,
            recovered_to: 0,
            planned_incarnation: None,
            thread_open: false,
            incarnations: vec![Incarnation { scn: 1, time: 2 }],
            checkpoint: CheckpointRecord::default(),
            pending: false,
            tablespaces: Vec::new(),
            datafiles: Vec::new(),
            logs: Vec::new(),
            archived: Vec::new(),
            last_recid: 0,
            activation_id: 0,
            segments: Segments::default(),
            backups: BackupRecords::default(),
        }
    }

    fn two_copies(directory: &Path) -> Vec<PathBuf> {
        let paths = vec![directory.join("one"), directory.join("two")];
        for path in &paths {
            create(path, &record(), false).unwrap();
        }
        paths
    }

    #[test]
    fn a_write_torn_anywhere_leaves_the_generation_before() {
        let directory = tempfile::tempdir().unwrap();
        let paths = two_copies(directory.path());
        let mut control = ControlFile::open(&paths).unwrap();
        control.record.name = "NEW".to_string();
        control.write().unwrap();
        let file = OpenOptions::new().write(true).open(&paths[0]).unwrap();
        file.write_all_at(&[9; 100], BLOCK_BYTES as u64 + 100)
            .unwrap();
        file.write_all_at(&[9; 100], 0).unwrap();
        let second = read(&File::open(&paths[1]).unwrap()).unwrap();
        assert_eq!((second.generation, second.name.as_str()), (8, "NEW"));
        let torn = read(&File::open(&paths[0]).unwrap()).unwrap();
        assert_eq!((torn.generation, torn.name.as_str()), (7, "SND"));
        assert_eq!(ControlFile::open(&paths).unwrap().record.name, "NEW");
    }

    #[test]
    fn a_copy_of_another_age_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let paths = two_copies(directory.path());
        std::fs::copy(&paths[1], directory.path().join("old")).unwrap();
        let mut control = ControlFile::open(&paths).unwrap();
        control.write().unwrap();
        control.write().unwrap();
        std::fs::copy(directory.path().join("old"), &paths[1]).unwrap();
        assert_eq!(ControlFile::open(&paths).unwrap_err().code(), 214);
        std::fs::remove_file(&paths[1]).unwrap();
        assert_eq!(ControlFile::open(&paths).unwrap_err().code(), 205);
    }

    #[test]
    fn an_existing_file_is_not_overwritten_without_reuse() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cntrl.dbf");
        create(&path, &record(), false).unwrap();
        assert!(create(&path, &record(), false).unwrap_err().has(27038));
        create(&path, &record(), true).unwrap();
    }
}
