//! To which point the database is to be brought.
//! What lives here: the target, its statement, where it lies in the redo. What does not: whether it can be reached.

use std::fmt;

use oracle::redo::LogReader;
use oracle::scn::Scn;
use oracle::time::OracleTime;

use crate::restore::redo_chain::ChainLog;

/// The point to recover to. Time and SCN are exclusive, as Oracle takes them; a sequence is applied whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Everything.
    Complete,
    /// Redo written before this second.
    Time(OracleTime),
    /// Changes below this SCN.
    Change(Scn),
    /// Logs up to and including this sequence.
    Sequence(u32),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Complete => write!(f, "all redo there is"),
            Target::Time(time) => write!(f, "everything before {time}"),
            Target::Change(scn) => write!(f, "everything below SCN {scn}"),
            Target::Sequence(sequence) => write!(f, "redo logs up to sequence {sequence}"),
        }
    }
}

impl Target {
    /// The statement that begins recovery.
    pub fn statement(&self, using_backup_controlfile: bool) -> String {
        let until = match (self, using_backup_controlfile) {
            (Target::Complete, false) => String::new(),
            (Target::Complete, true) | (Target::Sequence(_), _) => " UNTIL CANCEL".to_string(),
            (Target::Time(time), _) => {
                format!(" UNTIL TIME '{}'", time.to_string().replacen(' ', ":", 1))
            }
            (Target::Change(scn), _) => format!(" UNTIL CHANGE {scn}"),
        };
        let using = if using_backup_controlfile {
            " USING BACKUP CONTROLFILE"
        } else {
            ""
        };
        format!("ALTER DATABASE RECOVER DATABASE{until}{using}")
    }

    /// Whether a log reaches the target, so that none after it is needed.
    pub fn lies_in(&self, log: &ChainLog) -> bool {
        let header = &log.header;
        let open = log.is_open();
        match self {
            Target::Complete => open,
            Target::Time(time) => open || header.next_time.is_some_and(|next| next >= *time),
            Target::Change(scn) => open || header.next_scn >= *scn,
            Target::Sequence(sequence) => log.sequence >= *sequence,
        }
    }

    /// The time of the target, looked up in the log in which it lies. None for a complete recovery, or when the log
    /// cannot be read.
    pub fn time(&self, log: &ChainLog) -> Option<OracleTime> {
        match self {
            Target::Complete => None,
            Target::Time(time) => Some(*time),
            Target::Sequence(_) => log.header.next_time,
            Target::Change(scn) => time_of(log, *scn),
        }
    }
}

/// When the first change at or above an SCN was written; the end of the log when all are below it.
fn time_of(log: &ChainLog, scn: Scn) -> Option<OracleTime> {
    let reader = LogReader::open(log.place.path()).ok()?;
    let mut time = reader.header().first_time;
    let mut block = oracle::redo::FIRST_REDO_BLOCK;
    while let Ok(Some((write, next))) = reader.read_log_write(block) {
        time = write.time;
        if write.records.iter().any(|record| record.scn >= scn) {
            break;
        }
        block = next;
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_oracles() {
        let time = OracleTime::from_civil(2026, 11, 23, 9, 5, 7).unwrap();
        for (target, using, wanted) in [
            (Target::Complete, false, "ALTER DATABASE RECOVER DATABASE"),
            (
                Target::Complete,
                true,
                "ALTER DATABASE RECOVER DATABASE UNTIL CANCEL USING BACKUP CONTROLFILE",
            ),
            (
                Target::Time(time),
                false,
                "ALTER DATABASE RECOVER DATABASE UNTIL TIME '2026-11-23:09:05:07'",
            ),
            (
                Target::Change(Scn::new(7)),
                true,
                "ALTER DATABASE RECOVER DATABASE UNTIL CHANGE 7 USING BACKUP CONTROLFILE",
            ),
            (
                Target::Sequence(3),
                false,
                "ALTER DATABASE RECOVER DATABASE UNTIL CANCEL",
            ),
        ] {
            assert_eq!(target.statement(using), wanted);
        }
    }
}
