//! The files of the database: tablespaces, data files, control files, redo groups, and which files are in backup mode.
//! What lives here: V$TABLESPACE, V$DATAFILE, V$CONTROLFILE, V$LOG, V$LOGFILE, V$BACKUP. What does not: archived logs.

use std::path::{Path, PathBuf};

use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

use super::{Database, DatabaseError};

/// Far beyond Oracle's own limit of data files per database.
const FILES_MAX: usize = 70_000;

/// Everything that a backup may have to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Tablespaces with their data files, by number.
    pub tablespaces: Vec<Tablespace>,
    /// Copies of the control file.
    pub control_files: Vec<ControlFile>,
    /// Redo groups, by number.
    pub redo_groups: Vec<RedoGroup>,
}

/// A tablespace with its data files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tablespace {
    /// TS#.
    pub number: u32,
    /// Name.
    pub name: String,
    /// Data files, by number.
    pub files: Vec<Datafile>,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datafile {
    /// FILE#.
    pub number: u32,
    /// Where it lies.
    pub path: PathBuf,
    /// Size without block 0.
    pub bytes: u64,
    /// Block size in bytes.
    pub block_size: u32,
    /// SYSTEM, ONLINE, OFFLINE or RECOVER.
    pub status: String,
    /// READ WRITE, READ ONLY or DISABLED.
    pub enabled: String,
}

/// One copy of the control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Size on disk as V$CONTROLFILE tells it, without block 0.
    pub bytes: u64,
}

/// A redo group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedoGroup {
    /// GROUP#.
    pub number: u32,
    /// THREAD#.
    pub thread: u32,
    /// Log sequence, zero when never used.
    pub sequence: LogSequence,
    /// Size in bytes without block 0.
    pub bytes: u64,
    /// CURRENT, ACTIVE, INACTIVE, UNUSED …
    pub status: String,
    /// Member files.
    pub members: Vec<PathBuf>,
}

/// A file's row in V$BACKUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupState {
    /// FILE#.
    pub file: u32,
    /// ACTIVE, NOT ACTIVE, OFFLINE NORMAL or an error.
    pub status: String,
    /// SCN of the last BEGIN BACKUP.
    pub scn: Scn,
    /// Time of the last BEGIN BACKUP.
    pub time: Option<OracleTime>,
}

impl BackupState {
    /// Whether the file is in backup mode now.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

impl Tablespace {
    /// Whether BEGIN BACKUP is possible and needed: read-only and offline files do not change while they are copied.
    pub fn needs_backup_mode(&self) -> bool {
        self.files.iter().any(Datafile::changes_while_open)
    }
}

impl Datafile {
    fn changes_while_open(&self) -> bool {
        matches!(self.status.as_str(), "SYSTEM" | "ONLINE") && self.enabled == "READ WRITE"
    }

    /// Size on disk: block 0 comes before the blocks that Oracle counts.
    pub fn bytes_on_disk(&self) -> u64 {
        self.bytes.saturating_add(u64::from(self.block_size))
    }
}

impl Inventory {
    /// The tablespace and the data file of this path.
    pub fn find_datafile(&self, path: &Path) -> Option<(&Tablespace, &Datafile)> {
        self.datafiles().find(|(_, file)| file.path == path)
    }

    /// Every data file with its tablespace.
    pub fn datafiles(&self) -> impl Iterator<Item = (&Tablespace, &Datafile)> {
        self.tablespaces
            .iter()
            .flat_map(|tablespace| tablespace.files.iter().map(move |file| (tablespace, file)))
    }
}

impl Database {
    /// All files. Needs a mounted database.
    pub fn inventory(&mut self) -> Result<Inventory, DatabaseError> {
        Ok(Inventory {
            tablespaces: self.tablespaces()?,
            control_files: self.control_files()?,
            redo_groups: self.redo_groups()?,
        })
    }

    fn tablespaces(&mut self) -> Result<Vec<Tablespace>, DatabaseError> {
        let columns = [
            "t.ts#",
            "t.name AS tablespace",
            "d.file#",
            "d.name AS path",
            "d.bytes",
            "d.block_size",
            "d.status",
            "d.enabled",
        ];
        let rows = self.query(
            &columns,
            "v$datafile d, v$tablespace t WHERE d.ts# = t.ts# ORDER BY t.ts#, d.file#",
        )?;
        if rows.is_empty() || rows.len() > FILES_MAX {
            return Err(DatabaseError::Unexpected(format!(
                "V$DATAFILE has {} rows",
                rows.len()
            )));
        }
        let mut tablespaces: Vec<Tablespace> = Vec::new();
        for row in &rows {
            let number = row.number("ts#")?;
            let file = Datafile {
                number: row.number("file#")?,
                path: absolute(row.text("path")?)?,
                bytes: row.number("bytes")?,
                block_size: row.number("block_size")?,
                status: row.text("status")?.to_owned(),
                enabled: row.text("enabled")?.to_owned(),
            };
            match tablespaces.last_mut().filter(|last| last.number == number) {
                Some(last) => last.files.push(file),
                None => tablespaces.push(Tablespace {
                    number,
                    name: row.text("tablespace")?.to_owned(),
                    files: vec![file],
                }),
            }
        }
        Ok(tablespaces)
    }

    fn control_files(&mut self) -> Result<Vec<ControlFile>, DatabaseError> {
        let rows = self.query(
            &["name", "block_size", "file_size_blks"],
            "v$controlfile ORDER BY name",
        )?;
        rows.iter()
            .map(|row| {
                let (block_size, blocks): (u64, u64) =
                    (row.number("block_size")?, row.number("file_size_blks")?);
                Ok(ControlFile {
                    path: absolute(row.text("name")?)?,
                    bytes: block_size.saturating_mul(blocks),
                })
            })
            .collect()
    }

    fn redo_groups(&mut self) -> Result<Vec<RedoGroup>, DatabaseError> {
        let columns = [
            "l.group#",
            "l.thread#",
            "l.sequence#",
            "l.bytes",
            "l.status",
            "f.member",
        ];
        let rows = self.query(
            &columns,
            "v$log l, v$logfile f WHERE l.group# = f.group# ORDER BY l.group#, f.member",
        )?;
        let mut groups: Vec<RedoGroup> = Vec::new();
        for row in &rows {
            let number = row.number("group#")?;
            let member = absolute(row.text("member")?)?;
            match groups.last_mut().filter(|last| last.number == number) {
                Some(last) => last.members.push(member),
                None => groups.push(RedoGroup {
                    number,
                    thread: row.number("thread#")?,
                    sequence: LogSequence::new(row.number("sequence#")?),
                    bytes: row.number("bytes")?,
                    status: row.text("status")?.to_owned(),
                    members: vec![member],
                }),
            }
        }
        Ok(groups)
    }

    /// V$BACKUP, by file number. Not to be trusted when the control file is a restored one.
    pub fn backup_states(&mut self) -> Result<Vec<BackupState>, DatabaseError> {
        let rows = self.query(
            &["file#", "status", "change#", "time"],
            "v$backup ORDER BY file#",
        )?;
        rows.iter()
            .map(|row| {
                Ok(BackupState {
                    file: row.number("file#")?,
                    status: row.text("status")?.to_owned(),
                    scn: row.optional_number("change#")?.map_or(Scn::ZERO, Scn::new),
                    time: row.time("time")?,
                })
            })
            .collect()
    }
}

/// File names come from the control file; a relative or strange one would be copied from the wrong place.
fn absolute(name: &str) -> Result<PathBuf, DatabaseError> {
    let path = Path::new(name);
    if !path.is_absolute() || name.chars().any(char::is_control) {
        return Err(DatabaseError::Unexpected(format!(
            "file name {name:?} is no absolute path: only file systems are supported"
        )));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use oracle::sqlplus::Replay;

    use super::super::tests::database;
    use super::*;

    #[test]
    fn files_are_gathered_below_their_tablespaces_and_members_below_their_groups() {
        let mut database = database([Replay::new()
            .on(
                "v$datafile",
                "|0|SYSTEM|1|/o/system.data1|1048576|8192|SYSTEM|READ WRITE|\n\
                 |1|PSAP40BD|2|/o/40bd.data1|8192|8192|ONLINE|READ WRITE|\n\
                 |1|PSAP40BD|3|/o/40bd.data2|8192|8192|ONLINE|READ WRITE|\n\
                 |2|OLD|4|/o/old|8192|8192|ONLINE|READ ONLY|",
            )
            .on("v$controlfile", "|/o/cntrl.dbf|16384|614|")
            .on("v$logfile", "|11|1|7|1000|CURRENT|/o/a1|\n|11|1|7|1000|CURRENT|/o/a2|\n|12|1|0|1000|UNUSED|/o/b1|")]);
        let inventory = database.inventory().unwrap();
        let counts: Vec<_> = inventory
            .tablespaces
            .iter()
            .map(|t| (t.name.as_str(), t.files.len(), t.needs_backup_mode()))
            .collect();
        assert_eq!(
            counts,
            [
                ("SYSTEM", 1, true),
                ("PSAP40BD", 2, true),
                ("OLD", 1, false)
            ]
        );
        assert_eq!(
            inventory.tablespaces[0].files[0].bytes_on_disk(),
            1_048_576 + 8192
        );
        assert_eq!(inventory.control_files[0].bytes, 16384 * 614);
        assert_eq!(
            inventory
                .redo_groups
                .iter()
                .map(|group| group.members.len())
                .collect::<Vec<_>>(),
            [2, 1]
        );
        assert_eq!(
            inventory
                .find_datafile(Path::new("/o/40bd.data2"))
                .map(|(t, f)| (t.number, f.number)),
            Some((1, 3))
        );
    }

    #[test]
    fn names_that_are_no_files_of_a_file_system_are_refused() {
        for name in ["+DATA/snd/system.dbf", "system.dbf", r"/o/a\nb"] {
            let answer = format!("|0|SYSTEM|1|{name}|1048576|8192|SYSTEM|READ WRITE|");
            assert!(
                database([Replay::new().on("v$datafile", &answer)])
                    .inventory()
                    .is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn backup_states_tell_active_from_other_words() {
        let mut database = database([Replay::new().on(
            "v$backup",
            "|1|NOT ACTIVE|0|\\z|\n|2|ACTIVE|4711|2026-03-07 01:44:38|\n|3|OFFLINE NORMAL|\\z|\\z|",
        )]);
        let states = database.backup_states().unwrap();
        assert_eq!(
            states
                .iter()
                .map(BackupState::is_active)
                .collect::<Vec<_>>(),
            [false, true, false]
        );
        assert_eq!(
            (states[1].scn, states[1].time),
            (
                Scn::new(4711),
                OracleTime::from_civil(2026, 3, 7, 1, 44, 38)
            )
        );
    }
}
