//! What the V$ views are made of: one consistent copy of the instance's state.
//! What lives here: plain values. What does not: how they are gathered or shown.

use std::path::PathBuf;

use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

/// How far the instance has been started.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum InstanceStatus {
    /// NOMOUNT: parameters read, no control file open. V$INSTANCE says STARTED.
    Started,
    /// Control file open, data files closed.
    Mounted,
    /// Data files open.
    Open,
}

/// Everything the V$ views show. `database` is absent before MOUNT.
#[derive(Debug, Clone)]
pub struct Facts {
    /// ORACLE_SID.
    pub sid: String,
    /// Machine name.
    pub host: String,
    /// How far the instance is up.
    pub status: InstanceStatus,
    /// When the instance started.
    pub startup_time: OracleTime,
    /// The instance parameters, name and value, as V$PARAMETER shows them.
    pub parameters: Vec<(String, String)>,
    /// What only the control file knows.
    pub database: Option<DatabaseFacts>,
}

/// What the control file and the file headers say.
#[derive(Debug, Clone)]
pub struct DatabaseFacts {
    /// Database id.
    pub dbid: u32,
    /// Database name, at most eight characters.
    pub name: String,
    /// When it was created.
    pub created: OracleTime,
    /// Whether ARCHIVELOG mode is on.
    pub archivelog: bool,
    /// Whether the current control file is a restored backup (V$DATABASE.CONTROLFILE_TYPE BACKUP).
    pub backup_controlfile: bool,
    /// Whether opening needs RESETLOGS (V$DATABASE.OPEN_RESETLOGS REQUIRED/ALLOWED/NOT ALLOWED).
    pub open_resetlogs: String,
    /// SCN of the last full checkpoint.
    pub checkpoint_scn: Scn,
    /// Current SCN; zero when not open.
    pub current_scn: Scn,
    /// Resetlogs SCN of the current incarnation.
    pub resetlogs_scn: Scn,
    /// Resetlogs time of the current incarnation; its number is the resetlogs id.
    pub resetlogs_time: OracleTime,
    /// Incarnations, oldest first: number, resetlogs SCN, resetlogs time, CURRENT or PARENT.
    pub incarnations: Vec<IncarnationFacts>,
    /// Tablespaces: number and name.
    pub tablespaces: Vec<(u32, String)>,
    /// Data files.
    pub datafiles: Vec<DatafileFacts>,
    /// Control file copies: path, block size in bytes, size in blocks.
    pub controlfiles: Vec<(PathBuf, u32, u32)>,
    /// Redo groups.
    pub logs: Vec<LogFacts>,
    /// Archived logs that the control file knows.
    pub archived: Vec<ArchivedLogFacts>,
    /// Backup sets that the control file knows, oldest first.
    pub backup_sets: Vec<BackupSetFacts>,
    /// Where archived logs go.
    pub archive_destination: PathBuf,
    /// Error of the archive destination, empty when none.
    pub archive_error: String,
    /// Files that need media recovery.
    pub recover: Vec<RecoverFacts>,
}

/// One row of V$DATABASE_INCARNATION.
#[derive(Debug, Clone)]
pub struct IncarnationFacts {
    /// Counts from 1.
    pub number: u32,
    /// First SCN of the incarnation.
    pub resetlogs_scn: Scn,
    /// Its time, whose number is the resetlogs id.
    pub resetlogs_time: OracleTime,
    /// Whether it is the one in use.
    pub current: bool,
}

/// One data file as control file and header see it.
#[derive(Debug, Clone)]
pub struct DatafileFacts {
    /// FILE#.
    pub number: u32,
    /// TS#.
    pub tablespace_number: u32,
    /// Tablespace name.
    pub tablespace: String,
    /// Path.
    pub path: PathBuf,
    /// SYSTEM, ONLINE, RECOVER or OFFLINE.
    pub status: String,
    /// Bytes without block 0.
    pub bytes: u64,
    /// Blocks without block 0.
    pub blocks: u32,
    /// Block size in bytes.
    pub block_size: u32,
    /// SCN at which the file was created.
    pub creation_scn: Scn,
    /// Checkpoint SCN of the control file's record.
    pub checkpoint_scn: Scn,
    /// What reading the header gave: None when it could not be read.
    pub header: Option<HeaderFacts>,
    /// Error in reading the header: FILE NOT FOUND, CANNOT READ HEADER, WRONG FILE ..., or empty.
    pub header_error: String,
    /// V$BACKUP status: ACTIVE, NOT ACTIVE, FILE NOT FOUND, OFFLINE NORMAL …
    pub backup_status: String,
    /// SCN at BEGIN BACKUP, zero if never.
    pub backup_scn: Scn,
    /// Time of BEGIN BACKUP, if ever.
    pub backup_time: Option<OracleTime>,
}

/// What V$DATAFILE_HEADER adds.
#[derive(Debug, Clone)]
pub struct HeaderFacts {
    /// Checkpoint SCN of the header (frozen in backup mode).
    pub checkpoint_scn: Scn,
    /// Checkpoint time.
    pub checkpoint_time: OracleTime,
    /// Checkpoint count (moves on in backup mode).
    pub checkpoint_count: u32,
    /// Resetlogs SCN in the header.
    pub resetlogs_scn: Scn,
    /// Fuzzy as V$DATAFILE_HEADER.FUZZY.
    pub fuzzy: bool,
    /// Needs media recovery as V$DATAFILE_HEADER.RECOVER.
    pub recover: bool,
}

/// One redo group with its members.
#[derive(Debug, Clone)]
pub struct LogFacts {
    /// GROUP#.
    pub group: u32,
    /// Log sequence number, zero when unused.
    pub sequence: LogSequence,
    /// Size in bytes.
    pub bytes: u64,
    /// 512.
    pub block_size: u32,
    /// Whether it was archived.
    pub archived: bool,
    /// CURRENT, ACTIVE, INACTIVE or UNUSED.
    pub status: String,
    /// First SCN.
    pub first_scn: Scn,
    /// When it became current.
    pub first_time: Option<OracleTime>,
    /// Next SCN, `Scn::OPEN_ENDED` while current.
    pub next_scn: Scn,
    /// Member files.
    pub members: Vec<PathBuf>,
}

/// One row of V$ARCHIVED_LOG.
#[derive(Debug, Clone)]
pub struct ArchivedLogFacts {
    /// RECID.
    pub recid: u32,
    /// File.
    pub path: PathBuf,
    /// Sequence.
    pub sequence: LogSequence,
    /// Resetlogs SCN and time of its incarnation.
    pub resetlogs_scn: Scn,
    /// Resetlogs time; its number is RESETLOGS_ID.
    pub resetlogs_time: OracleTime,
    /// First SCN.
    pub first_scn: Scn,
    /// First time.
    pub first_time: OracleTime,
    /// Next SCN.
    pub next_scn: Scn,
    /// Next time.
    pub next_time: OracleTime,
    /// Blocks without block 0… as V$ARCHIVED_LOG.BLOCKS.
    pub blocks: u32,
    /// 512.
    pub block_size: u32,
    /// When archiving ended.
    pub completion_time: OracleTime,
    /// RMAN has deleted the file: the row has no name any more.
    pub deleted: bool,
    /// CROSSCHECK did not find the file.
    pub expired: bool,
    /// In how many backup sets the log is.
    pub backups: u32,
}

/// One row of V$BACKUP_PIECE, as each set is one piece, and those of V$BACKUP_REDOLOG.
#[derive(Debug, Clone)]
pub struct BackupSetFacts {
    /// RECID of set and piece.
    pub recid: u32,
    /// SET_COUNT.
    pub count: u32,
    /// SET_STAMP: the number of the time at which the set was begun.
    pub stamp: OracleTime,
    /// File of the piece.
    pub handle: PathBuf,
    /// TAG, in upper case; empty for an autobackup.
    pub tag: String,
    /// When the piece was complete.
    pub completion_time: OracleTime,
    /// Seconds that it took.
    pub elapsed: u32,
    /// Bytes of the piece.
    pub bytes: u64,
    /// Whether its blocks are compressed.
    pub compressed: bool,
    /// Whether the last CROSSCHECK did not find the piece.
    pub expired: bool,
    /// Archived logs in it.
    pub logs: Vec<BackedUpLogFacts>,
}

/// One row of V$BACKUP_REDOLOG.
#[derive(Debug, Clone)]
pub struct BackedUpLogFacts {
    /// Sequence.
    pub sequence: LogSequence,
    /// Resetlogs SCN of its incarnation.
    pub resetlogs_scn: Scn,
    /// Resetlogs time of its incarnation.
    pub resetlogs_time: OracleTime,
    /// First SCN and time.
    pub first: (Scn, OracleTime),
    /// Next SCN and time.
    pub next: (Scn, OracleTime),
    /// Blocks of 512 bytes without block 0.
    pub blocks: u32,
}

/// One row of V$RECOVER_FILE.
#[derive(Debug, Clone)]
pub struct RecoverFacts {
    /// FILE#.
    pub number: u32,
    /// ONLINE or OFFLINE.
    pub online: bool,
    /// FILE NOT FOUND, … or empty.
    pub error: String,
    /// SCN from which recovery must start.
    pub scn: Scn,
}
