//! Redo logs on their way out: switch, archive, what the control file knows of archived logs, and the control file copy.
//! What lives here: ARCHIVE LOG LIST, V$ARCHIVED_LOG, ALTER SYSTEM SWITCH/ARCHIVE, BACKUP CONTROLFILE. What does not: saving logs.

use std::path::{Path, PathBuf};

use oracle::file_header::ResetLogs;
use oracle::scn::{LogSequence, Scn};
use oracle::sqlplus::literal;
use oracle::time::OracleTime;

use super::{Database, DatabaseError};

/// What ARCHIVE LOG LIST says, taken apart and as it was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveLogList {
    /// `Archive Mode` or `No Archive Mode`.
    pub mode: String,
    /// Whether logs are archived without being asked.
    pub automatic: bool,
    /// Archive destination.
    pub destination: String,
    /// Oldest online log sequence.
    pub oldest: LogSequence,
    /// Next log sequence to archive; absent in NOARCHIVELOG mode.
    pub next_to_archive: Option<LogSequence>,
    /// Current log sequence.
    pub current: LogSequence,
    /// First SCN of the current log.
    pub current_first_scn: Scn,
    /// The lines as printed.
    pub lines: Vec<String>,
}

/// A row of V$ARCHIVED_LOG with a name, which deleted or RMAN-only entries do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedLog {
    /// Where it was written.
    pub path: PathBuf,
    /// Redo thread.
    pub thread: u32,
    /// Sequence.
    pub sequence: LogSequence,
    /// Incarnation.
    pub resetlogs: ResetLogs,
    /// First SCN.
    pub first_scn: Scn,
    /// First SCN of the log after it.
    pub next_scn: Scn,
    /// Blocks without block 0.
    pub blocks: u64,
    /// Block size in bytes.
    pub block_size: u32,
}

impl Database {
    /// ARCHIVE LOG LIST, with the SCN at which the current log begins.
    pub fn archive_log_list(&mut self) -> Result<ArchiveLogList, DatabaseError> {
        let lines: Vec<String> = self
            .execute("ARCHIVE LOG LIST")?
            .into_iter()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let value = |label: &str| {
            lines
                .iter()
                .find_map(|line| Some(line.strip_prefix(label)?.trim().to_owned()))
        };
        let missing = |label: &str| {
            DatabaseError::Unexpected(format!(
                "ARCHIVE LOG LIST has no line '{label}': {}",
                lines.join(" / ")
            ))
        };
        let sequence = |label: &str| {
            value(label)
                .and_then(|text| text.parse().ok())
                .map(LogSequence::new)
        };
        let rows = self.query(
            &["first_change#"],
            "v$log WHERE status = 'CURRENT' ORDER BY thread#",
        )?;
        let first = rows
            .first()
            .ok_or_else(|| DatabaseError::Unexpected("V$LOG has no CURRENT group".to_owned()))?;
        Ok(ArchiveLogList {
            mode: value("Database log mode").ok_or_else(|| missing("Database log mode"))?,
            automatic: value("Automatic archival")
                .is_some_and(|text| text.eq_ignore_ascii_case("enabled")),
            destination: value("Archive destination")
                .ok_or_else(|| missing("Archive destination"))?,
            oldest: sequence("Oldest online log sequence")
                .ok_or_else(|| missing("Oldest online log sequence"))?,
            next_to_archive: sequence("Next log sequence to archive"),
            current: sequence("Current log sequence")
                .ok_or_else(|| missing("Current log sequence"))?,
            current_first_scn: first.scn("first_change#")?,
            lines,
        })
    }

    /// Archive destinations that cannot be written to, each with what Oracle says of it.
    pub fn archive_errors(&mut self) -> Result<Vec<(String, String)>, DatabaseError> {
        let rows = self.query(
            &["destination", "error"],
            "v$archive_dest WHERE error IS NOT NULL ORDER BY dest_id",
        )?;
        Ok(rows
            .iter()
            .map(|row| {
                let text = |name| row.optional(name).unwrap_or_default().to_owned();
                (text("destination"), text("error"))
            })
            .collect())
    }

    /// ALTER SYSTEM SWITCH LOGFILE.
    pub fn switch_logfile(&mut self) -> Result<(), DatabaseError> {
        self.execute("ALTER SYSTEM SWITCH LOGFILE").map(drop)
    }

    /// ALTER SYSTEM ARCHIVE LOG CURRENT: returns when the log that was current is in the archive destination.
    pub fn archive_log_current(&mut self) -> Result<(), DatabaseError> {
        self.execute("ALTER SYSTEM ARCHIVE LOG CURRENT").map(drop)
    }

    /// ALTER DATABASE BACKUP CONTROLFILE TO 'target' REUSE.
    pub fn backup_controlfile(&mut self, target: &Path) -> Result<(), DatabaseError> {
        let name = target.to_str().ok_or_else(|| {
            DatabaseError::Unexpected(format!("{} is no UTF-8", target.display()))
        })?;
        self.execute(&format!(
            "ALTER DATABASE BACKUP CONTROLFILE TO {} REUSE",
            literal(name)?
        ))
        .map(drop)
    }

    /// The archived logs whose archiving is finished, oldest first. Needs a mounted database.
    pub fn archived_logs(&mut self) -> Result<Vec<ArchivedLog>, DatabaseError> {
        let columns = [
            "name",
            "thread#",
            "sequence#",
            "resetlogs_change#",
            "resetlogs_time",
            "first_change#",
            "next_change#",
            "blocks",
            "block_size",
        ];
        let rows = self.query(&columns, "v$archived_log WHERE name IS NOT NULL AND archived = 'YES' ORDER BY resetlogs_change#, thread#, sequence#")?;
        rows.iter()
            .map(|row| {
                Ok(ArchivedLog {
                    path: PathBuf::from(row.text("name")?),
                    thread: row.number("thread#")?,
                    sequence: LogSequence::new(row.number("sequence#")?),
                    resetlogs: ResetLogs {
                        scn: row.scn("resetlogs_change#")?,
                        time: row
                            .time("resetlogs_time")?
                            .unwrap_or_else(OracleTime::default),
                    },
                    first_scn: row.scn("first_change#")?,
                    next_scn: row.scn("next_change#")?,
                    blocks: row.number("blocks")?,
                    block_size: row.number("block_size")?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use oracle::sqlplus::Replay;

    use super::super::tests::database;
    use super::*;

    const LIST: &str = "\
Database log mode              Archive Mode
Automatic archival             Enabled
Archive destination            /oracle/SND/saparch
Oldest online log sequence     1168
Next log sequence to archive   1170
Current log sequence           1170";

    #[test]
    fn archive_log_list_is_taken_apart() {
        let list = database([Replay::new()
            .on("archive log list", LIST)
            .on("v$log", "|4711|")])
        .archive_log_list()
        .unwrap();
        assert!(list.automatic);
        assert_eq!((list.oldest.get(), list.current.get()), (1168, 1170));
        assert_eq!(list.next_to_archive, Some(LogSequence::new(1170)));
        assert_eq!(list.destination, "/oracle/SND/saparch");
        assert_eq!(list.lines.len(), 6);
    }

    #[test]
    fn an_answer_without_the_current_sequence_is_refused() {
        let cut: String = LIST.lines().take(5).collect::<Vec<_>>().join("\n");
        let error = database([Replay::new()
            .on("archive log list", &cut)
            .on("v$log", "|4711|")])
        .archive_log_list()
        .unwrap_err();
        assert!(
            error.to_string().contains("Current log sequence"),
            "{error}"
        );
    }

    #[test]
    fn quotes_in_the_name_of_the_control_file_copy_are_doubled() {
        let mut database = database([Replay::new().on("to '/o''racle/cntrl.dbf' reuse", "")]);
        database
            .backup_controlfile(Path::new("/o'racle/cntrl.dbf"))
            .unwrap();
    }
}
