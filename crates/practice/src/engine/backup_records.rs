//! What the control file knows of backups: sets, image copies and RMAN's settings.
//! What lives here: the records and how many are kept. What does not: making, reading or choosing backups.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::control::Incarnation;

/// Bytes that all records of backups together may take in the control file; beyond it the oldest are reused.
///
/// An area of the control file holds 5 MB, of which archived logs may take the larger part.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Whether a file of a backup was there when it was last looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It was.
    #[default]
    Available,
    /// CROSSCHECK did not find it.
    Expired,
}

/// What a backup set is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetKind {
    /// Whole files; no parent of incremental backups.
    Full,
    /// Level 0 (whole files, a parent of later ones) or 1 (changed blocks).
    Incremental(u8),
    /// Archived logs.
    ArchivedLogs,
}

/// A data file as a backup holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// FILE#.
    pub number: u32,
    /// Where the file was when it was backed up.
    pub path: PathBuf,
    /// Name of its tablespace.
    pub tablespace: String,
    /// Blocks without block 0.
    pub blocks: u32,
    /// Creation SCN: tells files apart that had the same number one after the other.
    pub creation_scn: u64,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// SCN and time number of its checkpoint: every change below is in the backup.
    pub checkpoint: (u64, u32),
    /// Highest SCN found in its blocks, if that is at or above the checkpoint; otherwise zero. Recovery must pass it.
    pub fuzzy_scn: u64,
    /// Incremental level 1: blocks changed at or after this SCN are in it.
    pub from_scn: Option<u64>,
}

/// An archived log as a backup set holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogState {
    /// Its sequence.
    pub sequence: u32,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// First SCN and time number.
    pub first: (u64, u32),
    /// Next SCN and time number.
    pub next: (u64, u32),
    /// Blocks of 512 bytes without block 0.
    pub blocks: u32,
    /// RECID and time number of its record when it was backed up.
    pub record: (u32, u32),
}

/// A backup set of one piece. The piece carries this record too, so that CATALOG can find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRecord {
    /// Its key here, RECID of the set and of its piece. Another control file may give it another one.
    pub key: u32,
    /// Number of the set (%s).
    pub set: u32,
    /// Time number at which it was begun (%t).
    pub stamp: u32,
    /// What it is made of.
    pub kind: SetKind,
    /// Its tag in upper case; empty for an autobackup.
    pub tag: String,
    /// Where its piece is.
    pub handle: PathBuf,
    /// Whether its blocks are compressed.
    pub compressed: bool,
    /// Data files in it.
    pub files: Vec<FileState>,
    /// Archived logs in it.
    pub logs: Vec<LogState>,
    /// Checkpoint SCN and time number of the control file in it.
    pub controlfile: Option<(u64, u32)>,
    /// Whether the parameter file is in it.
    pub spfile: bool,
    /// Database id and name.
    pub database: (u32, String),
    /// Time number at which it was complete; zero in the header of the piece.
    pub completed: u32,
    /// Seconds that it took.
    pub elapsed: u32,
    /// Bytes of the piece.
    pub bytes: u64,
    /// Whether the piece was there when it was last looked for.
    pub status: Status,
}

/// What an image copy is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyOf {
    /// A data file.
    Datafile(FileState),
    /// The control file, with SCN and time number of its checkpoint.
    Controlfile(u64, u32),
}

/// An image copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRecord {
    /// RECID.
    pub recid: u32,
    /// Of what.
    pub of: CopyOf,
    /// Its tag in upper case; may be empty.
    pub tag: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is a parent of incremental backups.
    pub level_0: bool,
    /// Time number at which it was complete, its STAMP.
    pub completed: u32,
    /// Whether it was there when it was last looked for.
    pub status: Status,
}

impl CopyRecord {
    /// The data file that it is a copy of.
    pub fn file(&self) -> Option<&FileState> {
        match &self.of {
            CopyOf::Datafile(file) => Some(file),
            CopyOf::Controlfile(..) => None,
        }
    }
}

/// All that the control file knows of backups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecords {
    /// Number of the newest set (%s).
    pub last_set: u32,
    /// RECID of the newest set.
    pub last_key: u32,
    /// RECID of the newest image copy.
    pub last_copy: u32,
    /// Sets, oldest first.
    pub sets: Vec<SetRecord>,
    /// Image copies, oldest first.
    pub copies: Vec<CopyRecord>,
    /// What CONFIGURE has set: the words of a setting in upper case, and its value as SHOW ALL prints it.
    pub settings: Vec<(String, String)>,
}

impl BackupRecords {
    /// Adds a set and gives its key. A set that is known already, by its piece, is replaced.
    pub fn add_set(&mut self, mut record: SetRecord) -> u32 {
        self.sets.retain(|known| known.handle != record.handle);
        self.last_key += 1;
        self.last_set = self.last_set.max(record.set);
        record.key = self.last_key;
        self.sets.push(record);
        self.forget_oldest();
        self.last_key
    }

    /// Adds an image copy and gives its RECID. A copy of this name is replaced.
    pub fn add_copy(&mut self, mut record: CopyRecord) -> u32 {
        self.copies.retain(|known| known.path != record.path);
        self.last_copy += 1;
        record.recid = self.last_copy;
        self.copies.push(record);
        self.forget_oldest();
        self.last_copy
    }

    /// Reuses the oldest records until all fit. The newest of each kind stays.
    fn forget_oldest(&mut self) {
        let mut excess = json_bytes(&self.sets) + json_bytes(&self.copies);
        while excess > RECORD_BYTES_MAX && self.sets.len() + self.copies.len() > 2 {
            let set = self.sets.first().map(|set| set.completed);
            let copy = self.copies.first().map(|copy| copy.completed);
            // None is less than any time: an empty list must not be chosen.
            let sets_first = match (set, copy) {
                (Some(set), Some(copy)) => {
                    set <= copy && self.sets.len() > 1 || self.copies.len() == 1
                }
                (set, _) => set.is_some(),
            };
            excess -= if sets_first {
                json_bytes(&self.sets.remove(0))
            } else {
                json_bytes(&self.copies.remove(0))
            };
        }
    }

    /// The value of a setting, if CONFIGURE has set it.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets or clears a setting.
    pub fn configure(&mut self, name: &str, value: Option<String>) {
        self.settings.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.settings.push((name.to_owned(), value));
            self.settings.sort();
        }
    }
}

fn json_bytes(value: &impl Serialize) -> usize {
    // These records are plain data: they cannot fail to be written, and zero would only keep one too long.
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, completed: u32) -> SetRecord {
        SetRecord {
            key: 0,
            set: completed,
            stamp: completed,
            kind: SetKind::Full,
            tag: "T".into(),
            handle: name.into(),
            compressed: false,
            files: Vec::new(),
            logs: Vec::new(),
            controlfile: None,
            spfile: true,
            database: (1, "SND".into()),
            completed,
            elapsed: 1,
            bytes: 1,
            status: Status::Available,
        }
    }

    #[test]
    fn the_oldest_records_are_reused_when_all_do_not_fit() {
        let mut repository = BackupRecords::default();
        let long = "x".repeat(4000);
        for number in 1..=1000 {
            repository.add_set(set(&format!("/{long}/{number}"), number));
        }
        let bytes = json_bytes(&repository.sets);
        assert!(bytes <= RECORD_BYTES_MAX, "{bytes}");
        assert!(repository.sets.len() > 200, "{}", repository.sets.len());
        assert_eq!(repository.sets.last().unwrap().set, 1000);
        let keys: Vec<u32> = repository.sets.iter().map(|set| set.key).collect();
        assert!(keys.is_sorted() && keys.last() == Some(&1000));
    }

    #[test]
    fn a_piece_is_known_once() {
        let mut repository = BackupRecords::default();
        assert_eq!(repository.add_set(set("/a", 7)), 1);
        assert_eq!(repository.add_set(set("/a", 7)), 2);
        assert_eq!((repository.sets.len(), repository.last_set), (1, 7));
    }

    #[test]
    fn settings_are_set_once_and_cleared() {
        let mut repository = BackupRecords::default();
        repository.configure("B", Some("1".into()));
        repository.configure("B", Some("2".into()));
        repository.configure("A", Some("3".into()));
        assert_eq!(repository.setting("B"), Some("2"));
        assert_eq!(repository.settings[0].0, "A");
        repository.configure("B", None);
        assert_eq!(repository.setting("B"), None);
    }
}
