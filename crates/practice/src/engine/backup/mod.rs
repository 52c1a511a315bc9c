//! What RMAN has the server do: backup sets, image copies, bringing copies up to date, restoring, cataloguing.
//! What lives here: the orders that a channel gives, one at a time. What does not: choosing them (`crate::rman`).

mod catalog;
mod copy;
mod merge;
pub mod naming;
mod output;
pub mod piece;
mod restore;
mod set;
mod source;
mod upkeep;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::backup_records::{CopyRecord, SetKind, SetRecord};
use super::control::Control;
use super::error::OraResult;
use super::facts::InstanceStatus;
use super::instance::Instance;

/// Asked again and again during a long step: an error ends the step, which then leaves nothing behind.
pub type Watch<'a> = &'a dyn Fn() -> OraResult<()>;

/// An order of a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Tell what the control file says.
    Describe,
    /// Write a backup set.
    WriteSet(SetOrder),
    /// Write an image copy.
    WriteCopy(CopyOrder),
    /// Restore data files from a set.
    RestoreFiles {
        /// The piece.
        handle: PathBuf,
        /// FILE# and where it goes.
        files: Vec<(u32, PathBuf)>,
    },
    /// Restore a data file from an image copy.
    RestoreCopy {
        /// The copy's RECID.
        recid: u32,
        /// Where it goes.
        target: PathBuf,
    },
    /// Restore archived logs from a set to the archive destination.
    RestoreLogs {
        /// The piece.
        handle: PathBuf,
        /// Which.
        sequences: Vec<u32>,
    },
    /// Restore the control file from a piece or an image copy, to all places that the parameter file names.
    RestoreControlfile {
        /// The piece or copy.
        from: PathBuf,
        /// The database id that SET DBID has named.
        dbid: Option<u32>,
    },
    /// Restore the parameter file from a piece.
    RestoreSpfile {
        /// The piece.
        from: PathBuf,
        /// Where it goes; otherwise where this instance reads it.
        target: Option<PathBuf>,
    },
    /// Apply a level 1 to image copies, in place: FILE# and RECID of each.
    Merge {
        /// The piece.
        handle: PathBuf,
        /// FILE# and RECID.
        copies: Vec<(u32, u32)>,
    },
    /// Apply a level 1 to restored data files.
    Apply {
        /// The piece.
        handle: PathBuf,
        /// FILE# of each.
        files: Vec<u32>,
    },
    /// Say where a log is that recovery needs.
    FindLog(u32),
    /// Name the files whose paths begin with this and that the control file does not know.
    Search(PathBuf),
    /// Note a file that may be a backup.
    Catalog(PathBuf),
    /// See which files are there, and note it.
    Crosscheck(Vec<Thing>),
    /// Delete a file and forget it; with `force` forget it although it cannot be deleted.
    Delete {
        /// Which.
        thing: Thing,
        /// Whether a file that cannot be deleted is forgotten all the same.
        force: bool,
    },
    /// Forget a file and leave it where it is.
    Forget(Thing),
    /// Let data files be what copies of them are: FILE# and RECID of each.
    Switch(Vec<(u32, u32)>),
    /// Note that data files were restored elsewhere: FILE# and path of each.
    Renamed(Vec<(u32, PathBuf)>),
    /// CONFIGURE.
    Configure(String, Option<String>),
    /// Read all of something and check it.
    Validate(Thing),
}

/// What the control file has a record of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thing {
    /// A backup set, by its key.
    Set(u32),
    /// An image copy, by its RECID.
    Copy(u32),
    /// An archived log, by its RECID.
    Log(u32),
    /// A data file.
    Datafile(u32),
}

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogPlace {
    /// On disk as an archived log, or as a member of the online redo.
    File(PathBuf),
    /// In a backup set, which has these sequences.
    Set {
        /// The piece.
        handle: PathBuf,
        /// Its tag.
        tag: String,
        /// All sequences in it that recovery may need from here on.
        sequences: Vec<u32>,
    },
    /// Nowhere.
    Missing,
}

/// What is to go into a backup set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetOrder {
    /// What it is made of.
    pub kind: SetKind,
    /// FILE# of data files; for level 1 with the SCN from which on blocks are wanted.
    pub files: Vec<(u32, Option<u64>)>,
    /// RECIDs of archived logs.
    pub logs: Vec<u32>,
    /// Whether the control file goes in.
    pub controlfile: bool,
    /// Whether the parameter file goes in.
    pub spfile: bool,
    /// Tag in upper case; empty for an autobackup.
    pub tag: String,
    /// FORMAT of the name.
    pub format: String,
    /// Whether to compress.
    pub compressed: bool,
    /// Whether a file of that name is replaced.
    pub reuse: bool,
    /// Whether this is an autobackup, whose name has the first free count of the day.
    pub autobackup: bool,
}

/// What is to be copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CopyOrder {
    /// FILE# of the data file; the control file otherwise.
    pub file: Option<u32>,
    /// Tag in upper case.
    pub tag: String,
    /// FORMAT of the name.
    pub format: String,
    /// Whether the copy is a parent of incremental backups.
    pub level_0: bool,
    /// Whether a file of that name is replaced.
    pub reuse: bool,
}

/// What came of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Done {
    /// What the control file says.
    Described(Box<Description>),
    /// The set that was written.
    Set(Box<SetRecord>),
    /// The copy that was written.
    Copy(Box<CopyRecord>),
    /// The files that were written or found.
    Files(Vec<PathBuf>),
    /// Where a log is.
    Log(LogPlace),
    /// RECID and STAMP of each record, in the order of the request.
    Records(Vec<(u32, u32)>),
    /// Whether each file is there, in the order of the request.
    Found(Vec<bool>),
    /// Nothing more to say.
    Nothing,
}

/// The state of the instance, as RMAN needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// How far the instance is up.
    pub status: InstanceStatus,
    /// Database name of the parameter file.
    pub name: String,
    /// What the control file says; None before MOUNT.
    pub control: Option<Control>,
    /// SID of the session that asked.
    pub session: u32,
    /// ORACLE_HOME as the server sees it.
    pub home: PathBuf,
}

impl Instance {
    /// Carries out one order.
    ///
    /// # Errors
    /// Those of the order; after one nothing of it is left, unless the order says otherwise.
    pub fn carry_out(&self, order: Order, watch: Watch) -> OraResult<Done> {
        match order {
            Order::Describe => Ok(Done::Described(Box::new(self.describe()))),
            Order::WriteSet(order) => self
                .write_set(&order, watch)
                .map(|set| Done::Set(Box::new(set))),
            Order::WriteCopy(order) => self
                .write_copy(&order, watch)
                .map(|copy| Done::Copy(Box::new(copy))),
            Order::RestoreFiles { handle, files } => {
                self.restore_files(&handle, &files, watch).map(Done::Files)
            }
            Order::RestoreCopy { recid, target } => self
                .restore_copy(recid, &target, watch)
                .map(|path| Done::Files(vec![path])),
            Order::RestoreLogs { handle, sequences } => self
                .restore_logs(&handle, &sequences, watch)
                .map(Done::Files),
            Order::RestoreControlfile { from, dbid } => self
                .restore_controlfile(&from, dbid, watch)
                .map(Done::Files),
            Order::RestoreSpfile { from, target } => self
                .restore_spfile(&from, target, watch)
                .map(|path| Done::Files(vec![path])),
            other => self.keep_up(other, watch),
        }
    }

    fn keep_up(&self, order: Order, watch: Watch) -> OraResult<Done> {
        let nothing = |()| Done::Nothing;
        match order {
            Order::Merge { handle, copies } => {
                self.merge(&handle, &copies, watch).map(Done::Records)
            }
            Order::Apply { handle, files } => {
                self.apply_to_files(&handle, &files, watch).map(nothing)
            }
            Order::FindLog(sequence) => self.find_log(sequence).map(Done::Log),
            Order::Search(prefix) => self.search(&prefix, watch).map(Done::Files),
            Order::Catalog(path) => self.catalog(&path).map(nothing),
            Order::Crosscheck(things) => self.crosscheck(&things, watch).map(Done::Found),
            Order::Delete { thing, force } => self.delete(thing, force).map(nothing),
            Order::Forget(thing) => self.uncatalog(thing).map(nothing),
            Order::Switch(files) => self.switch_to_copies(&files).map(Done::Records),
            Order::Renamed(files) => self.note_renamed(&files).map(Done::Records),
            Order::Configure(name, value) => self.configure(&name, value).map(nothing),
            Order::Validate(thing) => self.validate(thing, watch).map(nothing),
            _ => Ok(Done::Nothing),
        }
    }

    fn describe(&self) -> Description {
        let core = self.lock();
        Description {
            status: core.status,
            name: self.parameters.db_name.clone(),
            control: core.control.as_ref().map(|control| control.record.clone()),
            session: 0,
            home: self.home.path.clone(),
        }
    }
}
