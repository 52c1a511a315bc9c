//! The inventory sections of a backup's log: tablespaces and data files, redo logs, control files.
//! What lives here: writing and reading their rows. What does not: asking the database.
//!
//! Rows end in columns without blanks, so that a path with blanks can be read back: a data file's row is
//! `<tablespace>* <tablespace status> <file status> <path> <bytes> <file id> <device> <link> <type>`, a redo log's
//! `<path> <bytes> <group> <device> <status> <link> <type>`, a control file's `<path> <bytes> 0 <device> <link> <type>`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::RunLog;
use crate::database::Inventory;

/// A data file as the log of a backup lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDatafile {
    /// Tablespace.
    pub tablespace: String,
    /// Path in the database.
    pub path: PathBuf,
    /// Bytes without block 0.
    pub bytes: u64,
    /// FILE#.
    pub file_id: u32,
}

/// A redo log member as the log lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRedoLog {
    /// Path.
    pub path: PathBuf,
    /// GROUP#.
    pub group: u32,
}

/// Writes the three sections.
pub fn write(log: &mut RunLog, inventory: &Inventory) {
    log.blank();
    log.info(118, &[]);
    log.blank();
    for (tablespace, file) in inventory.datafiles() {
        log.line(&format!(
            "{:<12} ONLINE   {:<8} {} {:>14} {:>5} {:>8} NOLINK FILE",
            format!("{}*", tablespace.name),
            file.status,
            file.path.display(),
            file.bytes,
            file.number,
            device(&file.path)
        ));
    }
    log.blank();
    log.info(119, &[]);
    log.blank();
    for group in &inventory.redo_groups {
        for member in &group.members {
            log.line(&format!(
                "{} {:>14} {:>5} {:>8} {:<8} NOLINK FILE",
                member.display(),
                group.bytes,
                group.number,
                device(member),
                "INUSE"
            ));
        }
    }
    log.blank();
    log.info(120, &[]);
    log.blank();
    for file in &inventory.control_files {
        log.line(&format!(
            "{} {:>14} {:>5} {:>8} NOLINK FILE",
            file.path.display(),
            file.bytes,
            0,
            device(&file.path)
        ));
    }
    log.blank();
}

/// Number of the disk a file lies on; zero when it cannot be asked.
fn device(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.dev())
}

/// The last `count` columns of a row, and what stands before them.
fn split_right(row: &str, count: usize) -> Option<(&str, Vec<&str>)> {
    let mut rest = row.trim_end();
    let mut columns = Vec::new();
    for _ in 0..count {
        let (before, column) = rest.rsplit_once(char::is_whitespace)?;
        columns.insert(0, column);
        rest = before.trim_end();
    }
    Some((rest, columns))
}

/// Reads a row of the data file section.
pub fn datafile(row: &str) -> Option<ListedDatafile> {
    let (left, columns) = split_right(row, 5)?;
    let mut parts = left.splitn(2, char::is_whitespace);
    let tablespace = parts.next()?.trim_end_matches('*').to_string();
    let rest = parts.next()?.trim_start();
    let rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    let path = rest.split_once(char::is_whitespace)?.1.trim_start();
    let path = PathBuf::from(path);
    if columns[3] != "NOLINK" || !path.is_absolute() {
        return None;
    }
    Some(ListedDatafile {
        tablespace,
        path,
        bytes: columns[0].parse().ok()?,
        file_id: columns[1].parse().ok()?,
    })
}

/// Reads a row of the redo log section.
pub fn redo_log(row: &str) -> Option<ListedRedoLog> {
    let (path, columns) = split_right(row, 6)?;
    let path = PathBuf::from(path);
    path.is_absolute().then(|| {
        Some(ListedRedoLog {
            path,
            group: columns[1].parse().ok()?,
        })
    })?
}

/// Reads a row of the control file section.
pub fn control_file(row: &str) -> Option<PathBuf> {
    let (path, columns) = split_right(row, 5)?;
    let path = PathBuf::from(path);
    (path.is_absolute() && columns[3] == "NOLINK").then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_even_with_blanks_in_the_path() {
        let row = "PSAP40BD*    ONLINE   ONLINE   /o/my data/40bd.data1        1048576     2    64512 NOLINK FILE";
        let wanted = ListedDatafile {
            tablespace: "PSAP40BD".to_string(),
            path: PathBuf::from("/o/my data/40bd.data1"),
            bytes: 1_048_576,
            file_id: 2,
        };
        assert_eq!(datafile(row), Some(wanted));
        let row = "/o/a b/log_g11m1.dbf        8388608    11    64512 INUSE    NOLINK FILE";
        assert_eq!(
            redo_log(row).map(|log| (log.path, log.group)),
            Some((PathBuf::from("/o/a b/log_g11m1.dbf"), 11))
        );
        let row = "/o/cntrl SND.dbf       10059776     0    64512 NOLINK FILE";
        assert_eq!(control_file(row), Some(PathBuf::from("/o/cntrl SND.dbf")));
    }

    #[test]
    fn other_lines_are_no_rows() {
        for line in [
            "",
            "BR0280I BRBACKUP time stamp: 1999-02-07 23.19.33",
            "a b c",
            "#FILE..... /o/x y z a b c d",
        ] {
            assert!(
                datafile(line).is_none()
                    && redo_log(line).is_none()
                    && control_file(line).is_none(),
                "{line}"
            );
        }
    }
}
