//! Phase 5: redo is applied, log by log, as Oracle asks for them.
//! What lives here: the statements and their answers. What does not: where the logs come from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oracle::sqlplus::literal;

use super::target::Target;
use crate::database::{Database, DatabaseError};
use crate::messages::joined;
use crate::restore::redo_chain::{ChainLog, LogPlace};
use crate::run_log::RunLog;

/// Applying one log may take long on a slow disk.
const STATEMENT_LIMIT: Duration = Duration::from_secs(6 * 3600);
/// ORA-00279: change generated at … needed for thread.
const NEEDS_LOG: u32 = 279;
/// ORA-00280: change … for thread … is in sequence #n.
const IN_SEQUENCE: u32 = 280;
/// ORA-00264: no recovery required.
const NOT_REQUIRED: u32 = 264;

/// Why recovery did not come to its end.
#[derive(Debug)]
pub enum ApplyError {
    /// Oracle refused a statement.
    Statement(String, DatabaseError),
    /// Oracle asks for a log that is not in the plan.
    Missing(u32, String),
}

/// Applies redo until the target is reached.
pub fn apply(
    database: &mut Database,
    statement: &str,
    target: Target,
    logs: &[ChainLog],
    log: &mut RunLog,
) -> Result<(), ApplyError> {
    let mut statement = statement.to_string();
    let mut asked: Option<u32> = None;
    loop {
        let answer = database.execute_within(&statement, STATEMENT_LIMIT);
        let error = match answer {
            Ok(_) => return Ok(()),
            Err(error) if error.has_oracle_code(NOT_REQUIRED) => return Ok(()),
            Err(error) => error,
        };
        let needed = if error.has_oracle_code(NEEDS_LOG) {
            needed_sequence(&error)
        } else {
            None
        };
        let Some(needed) = needed else {
            return Err(ApplyError::Statement(statement, error));
        };
        if matches!(target, Target::Sequence(last) if needed > last) {
            statement = "ALTER DATABASE RECOVER CANCEL".to_string();
            return database
                .execute_within(&statement, STATEMENT_LIMIT)
                .map(drop)
                .map_err(|e| ApplyError::Statement(statement, e));
        }
        let path = logs
            .iter()
            .find(|log| log.sequence == needed)
            .map(|log| path_of(log).to_owned());
        let Some(path) = path.filter(|_| asked != Some(needed)) else {
            let why = joined(&error.to_string());
            // The recovery must not stay open in the instance; the first error is the one to report.
            drop(database.execute("ALTER DATABASE RECOVER CANCEL"));
            return Err(ApplyError::Missing(needed, why));
        };
        asked = Some(needed);
        log.info(9023, &[&needed, &path.display()]);
        statement = logfile_statement(&path)
            .map_err(|error| ApplyError::Statement(statement.clone(), error))?;
    }
}

fn logfile_statement(path: &Path) -> Result<String, DatabaseError> {
    let name = path
        .to_str()
        .ok_or_else(|| DatabaseError::Unexpected(format!("{} is no UTF-8", path.display())))?;
    Ok(format!("ALTER DATABASE RECOVER LOGFILE {}", literal(name)?))
}

/// Where a log of the plan is once stored ones have been brought back.
pub fn path_of(log: &ChainLog) -> &PathBuf {
    match &log.place {
        LogPlace::Archived(path) | LogPlace::Online { path, .. } => path,
        LogPlace::Stored(item) => &item.target,
    }
}

/// The number behind `sequence #` in ORA-00280.
fn needed_sequence(error: &DatabaseError) -> Option<u32> {
    let DatabaseError::Sqlplus(error) = error else {
        return None;
    };
    let text = &error.messages()?.find(IN_SEQUENCE)?.text;
    text.rsplit_once('#')?
        .1
        .trim()
        .trim_end_matches('.')
        .parse()
        .ok()
}
