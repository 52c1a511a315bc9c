//! What a log of RMAN says that was done: databases, backup sets, image copies, and what became of their files.
//! What lives here: the account and its JSON. What does not: how it is read from lines, and what a snapshot holds.

use serde::{Deserialize, Serialize};

use super::copy_name::CopyName;
use super::dates;
use crate::time::OracleTime;

/// What one log tells. Everything in it was written by others; only the bounds of [`read_log`](super::read_log) hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whether the log could be read, and how wholly.
    pub outcome: Outcome,
    /// When the first run began, as the log has it; see [`began_at`](Account::began_at).
    pub began: Option<String>,
    /// When the last run finished, likewise.
    pub finished: Option<String>,
    /// Each database that the log connected to, in the order of first connection.
    pub databases: Vec<Database>,
    /// The lines of error stacks, in their order; at most [`FAILURES_MAX`](super::FAILURES_MAX).
    pub failures: Vec<String>,
    /// What was counted on the way.
    pub notes: Notes,
}

/// How much of the log was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// All of it, and it tells of a run that ended well.
    Parsed,
    /// Something of it: what stands in the account is there, but it is not, or need not be, everything.
    Partial {
        /// Why, each reason once.
        because: Vec<Shortcoming>,
    },
    /// It is a log of RMAN in another language, without message numbers. It is not known what it tells. HINT: run
    /// RMAN with `msgno` and `NLS_LANG=AMERICAN_AMERICA`.
    Localised,
    /// It tells of no backup.
    NothingFound,
}

/// Why an account is not, or need not be, the whole story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortcoming {
    /// The beginning of the log is not there: something ends in it that does not begin in it.
    HeadMissing,
    /// The end of the log is not there: a run has no `Finished`, a set no end, or RMAN itself did not say that it ended.
    TailMissing,
    /// A command ended with an error stack.
    CommandFailed,
    /// A channel failed; others may have gone on, and may have done its work.
    ChannelFailed,
    /// The log is in another language and was read by message numbers, as far as they are known.
    AnotherLanguage,
    /// The log is longer than [`LOG_BYTES_MAX`](super::LOG_BYTES_MAX); the rest was not read.
    LogTooLong,
    /// It tells of more files, names or channels than any database has: more than [`RECORDS_MAX`](super::RECORDS_MAX),
    /// [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX) or [`CHANNELS_MAX`](super::CHANNELS_MAX).
    TooMuch,
}

/// What was counted while the log was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Lines, blank ones included.
    pub lines: u64,
    /// Lines longer than [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX). They were cut, and are no part of the account.
    pub lines_cut: u64,
    /// Lines that look like RMAN's in another language.
    pub foreign_lines: u64,
    /// Lines of backup sets that could belong to more than one channel; they were given to the one that spoke last.
    pub ambiguous_lines: u64,
    /// `ORA-` lines outside error stacks: RMAN goes on after them.
    pub errors_outside_stacks: u64,
    /// Data files for which the log says that there was no copy to bring up to date yet.
    pub without_copy: Vec<u32>,
}

/// One database and what was made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name; `None` when neither the log nor the name of a copy tells it.
    pub name: Option<String>,
    /// Its DBID; `None` when neither the log nor the name of a copy or an autobackup tells it.
    pub dbid: Option<u64>,
    /// Backup sets, in the order in which they were begun.
    pub sets: Vec<BackupSet>,
    /// Image copies, in the order in which they were finished or first brought up to date.
    pub copies: Vec<ImageCopy>,
}

/// One backup set: some files of the database, written together into pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSet {
    /// Who wrote it; `None` for an autobackup, and when the log's beginning is missing.
    pub channel: Option<String>,
    /// What it is a set of.
    pub kind: SetKind,
    /// Whether RMAN compressed it.
    pub compressed: bool,
    /// The data files in it.
    pub datafiles: Vec<SetDatafile>,
    /// The archived logs in it.
    pub archived_logs: Vec<ArchivedLog>,
    /// The current control file is in it.
    pub includes_control_file: bool,
    /// A control file for a standby database is in it.
    pub includes_standby_control_file: bool,
    /// The server parameter file is in it.
    pub includes_spfile: bool,
    /// Its tag; autobackups have none in the log.
    pub tag: Option<String>,
    /// Its pieces, in the order in which they were finished.
    pub pieces: Vec<Piece>,
    /// How it ended.
    pub state: SetState,
    /// Made by RMAN itself after a backup or a change of the database's structure.
    pub is_autobackup: bool,
}

/// What a backup set is a set of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetKind {
    /// The log's beginning is missing, or the set's.
    #[default]
    Unknown,
    /// All blocks in use.
    Full,
    /// The blocks changed since a backup of this or a lower level.
    Incremental {
        /// 0 is the base, 1 what changed since.
        level: u8,
    },
    /// Archived logs.
    ArchivedLogs,
}

/// How a backup set ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetState {
    /// The log ends, or another set of the channel begins, before it says.
    #[default]
    Unfinished,
    /// Whole.
    Complete,
    /// Given up on purpose: all its files were skipped.
    Cancelled,
    /// Its channel or its command failed.
    Failed,
}

/// A data file in a backup set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetDatafile {
    /// Its number.
    pub number: u32,
    /// Its name on the host of the database; of an included copy the copy's, if the log tells it.
    pub name: String,
    /// The part of it that is in the set, where one file is written as several sections.
    pub blocks: Option<BlockRange>,
    /// It was left out, because it has not changed or is saved already.
    pub skipped: bool,
    /// Read from an image copy instead of the data file.
    pub from_copy: bool,
}

/// A section of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRange {
    /// First block.
    pub first: u64,
    /// Last block.
    pub last: u64,
}

/// An archived log, as RMAN names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArchivedLog {
    /// Redo thread.
    pub thread: u32,
    /// Log sequence number.
    pub sequence: u32,
    /// Number of its record in the control file.
    pub recid: Option<u64>,
    /// Stamp of that record.
    pub stamp: Option<u64>,
}

/// A piece of a backup set: one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its number within the set, where the log tells it.
    pub number: Option<u32>,
    /// Its path on the host of the database.
    pub handle: String,
    /// When it was begun, as the log has it: the form follows the session's language.
    pub started: Option<String>,
    /// When it was finished, likewise.
    pub finished: Option<String>,
    /// What became of the file within the log.
    pub fate: Fate,
    /// Its place among all pieces and copies of the log: the later one has the higher number.
    #[serde(default)]
    pub place: u64,
}

/// What became of a file within the log that tells of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is there when the log ends.
    #[default]
    Kept,
    /// The log deletes it again.
    Deleted,
    /// Something else was written under its name.
    Overwritten,
}

/// An image copy: one file that is what the database has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCopy {
    /// What it is a copy of.
    pub of: CopiedFile,
    /// Its path on the host of the database.
    pub path: String,
    /// Its tag.
    pub tag: Option<String>,
    /// An older copy, brought up to date from an increment in this log.
    pub merged: bool,
    /// What its name tells, if it is one that RMAN made.
    pub name_says: Option<CopyName>,
    /// What became of the file within the log.
    pub fate: Fate,
    /// Its place among all pieces and copies of the log, when it was written or brought up to date last.
    #[serde(default)]
    pub place: u64,
}

/// What an image copy is a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CopiedFile {
    /// A data file.
    Datafile {
        /// Its number, where log or name tell it.
        number: Option<u32>,
        /// Its name on the host of the database, where the log tells it.
        name: Option<String>,
    },
    /// The current control file.
    ControlFile,
    /// A control file for a standby database.
    StandbyControlFile,
    /// An archived log.
    ArchivedLog {
        /// Which, where the log tells it.
        log: Option<ArchivedLog>,
    },
}

/// A file that the log says lies there at its end.
#[derive(Debug, Clone, Copy)]
pub struct KeptFile<'a> {
    /// Whose it is.
    pub database: &'a Database,
    /// Its path on the host of the database.
    pub path: &'a str,
    /// What it is.
    pub content: Content<'a>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A piece of this set.
    Piece(&'a BackupSet, &'a Piece),
    /// An image copy.
    Copy(&'a ImageCopy),
}

impl KeptFile<'_> {
    /// Whether it can be of use: a piece of a set that was not completed is of none.
    pub fn is_usable(&self) -> bool {
        match self.content {
            Content::Piece(set, _) => set.state == SetState::Complete,
            Content::Copy(_) => true,
        }
    }
}

impl Account {
    /// When the first run began, in the local time of the host, if the log has it in the form that the shipped scripts
    /// ask for.
    pub fn began_at(&self) -> Option<OracleTime> {
        dates::read(self.began.as_deref()?)
    }

    /// When the last run finished, likewise.
    pub fn finished_at(&self) -> Option<OracleTime> {
        dates::read(self.finished.as_deref()?)
    }

    /// Every file that the log says lies there at its end: what it deletes again or overwrites is not among them.
    pub fn files(&self) -> impl Iterator<Item = KeptFile<'_>> {
        self.databases.iter().flat_map(Database::files)
    }
}

impl Database {
    /// As [`Account::files`], of one database.
    pub fn files(&self) -> impl Iterator<Item = KeptFile<'_>> {
        let pieces = self.sets.iter().flat_map(move |set| {
            let kept = set.pieces.iter().filter(|piece| piece.fate == Fate::Kept);
            kept.map(move |piece| KeptFile {
                database: self,
                path: &piece.handle,
                content: Content::Piece(set, piece),
            })
        });
        let copies = self.copies.iter().filter(|copy| copy.fate == Fate::Kept);
        pieces.chain(copies.map(move |copy| KeptFile {
            database: self,
            path: &copy.path,
            content: Content::Copy(copy),
        }))
    }
}
