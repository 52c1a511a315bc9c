//! Where everything of a practice database lies below its ORACLE_HOME, as the reference layout has it.
//! What lives here: paths. What does not: what is in the files.

use std::path::{Path, PathBuf};

/// Directories that `create` makes below the home.
pub const DIRECTORIES: &[&str] = &[
    "bin",
    "dbs",
    "sapdata1",
    "sapdata2",
    "sapdata3",
    "origlogA",
    "origlogB",
    "mirrlogA",
    "mirrlogB",
    "saparch",
    "sapbackup",
    "sapcheck",
    "sapreorg",
    "saptrace/background",
];

/// ORACLE_HOME, which is SAPDATA_HOME too, with the SID that names its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The directory.
    pub path: PathBuf,
    /// ORACLE_SID.
    pub sid: String,
}

impl Home {
    /// The home of `sid` at `path`; nothing is touched.
    pub fn new(path: impl Into<PathBuf>, sid: impl Into<String>) -> Home {
        Home {
            path: path.into(),
            sid: sid.into(),
        }
    }

    /// `dbs/init<SID>.ora`.
    pub fn parameter_file(&self) -> PathBuf {
        self.path.join(format!("dbs/init{}.ora", self.sid))
    }

    /// `dbs/init<SID>.sap`.
    pub fn profile(&self) -> PathBuf {
        self.path.join(format!("dbs/init{}.sap", self.sid))
    }

    /// `dbs/lk<SID>`: locked by the running instance, holds its process id.
    pub fn lock_file(&self) -> PathBuf {
        self.path.join(format!("dbs/lk{}", self.sid))
    }

    /// Name of the instance's socket below `dbs`.
    pub fn socket_name(&self) -> String {
        format!(".practice_{}.sock", self.sid)
    }

    /// `dbs/doublewrite_<SID>.dbf`: the writer's journal of the blocks it is about to write in place.
    pub fn doublewrite_file(&self) -> PathBuf {
        self.path.join(format!("dbs/doublewrite_{}.dbf", self.sid))
    }

    /// `saptrace/background/alert_<SID>.log`.
    pub fn alert_log(&self) -> PathBuf {
        self.path
            .join(format!("saptrace/background/alert_{}.log", self.sid))
    }

    /// Standard output and error of the server process.
    pub fn server_log(&self) -> PathBuf {
        self.path
            .join(format!("saptrace/background/server_{}.log", self.sid))
    }

    /// Control file copies of a new database.
    pub fn control_files(&self) -> Vec<PathBuf> {
        vec![
            self.path
                .join(format!("sapdata1/cntrl/cntrl{}.dbf", self.sid)),
            self.path
                .join(format!("sapdata2/cntrl/cntrl{}.dbf", self.sid)),
        ]
    }

    /// Members of redo group `group` (11, 12, …): odd groups in A, even ones in B.
    pub fn log_members(&self, group: u32) -> Vec<PathBuf> {
        let letter = if group % 2 == 1 { 'A' } else { 'B' };
        vec![
            self.path
                .join(format!("origlog{letter}/log_g{group}m1.dbf")),
            self.path
                .join(format!("mirrlog{letter}/log_g{group}m2.dbf")),
        ]
    }
}

/// The parent directory, or the root for a path that has none.
pub fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}
