//! The instance and the database as a whole: how far it is up, who it is, start and stop.
//! What lives here: V$INSTANCE, V$DATABASE, STARTUP, SHUTDOWN, parameters. What does not: files and logs.

use std::time::{Duration, Instant};

use oracle::file_header::ResetLogs;
use oracle::scn::Scn;
use oracle::sqlplus::{SqlplusError, literal};

use super::{Database, DatabaseError};

/// SHUTDOWN IMMEDIATE rolls transactions back, STARTUP recovers: both may take long on a busy database.
const START_STOP_LIMIT: Duration = Duration::from_secs(3600);
/// ORA-32004: obsolete parameters in use. The instance has started all the same.
const OBSOLETE_PARAMETERS: u32 = 32004;
/// ORA-01109: database not open; ORA-01507: database not mounted. SHUTDOWN says so on its way and goes on.
const NOT_OPEN: u32 = 1109;
const NOT_MOUNTED: u32 = 1507;
/// ORA-01034: ORACLE not available; ORA-01012: not logged on; SP2-0640: not connected.
const NOT_AVAILABLE: [u32; 2] = [1034, 1012];
const NOT_CONNECTED: u32 = 640;

/// ORA-01092, 03113, 03114, 03135: the session was cut off in the middle; ORA-01089, 01090: it goes down.
const CUT_OFF: [u32; 6] = [1089, 1090, 1092, 3113, 3114, 3135];
/// Between two looks at an instance that is just going up or down.
const SETTLING_PAUSE: Duration = Duration::from_millis(200);

/// How far the instance is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceStatus {
    /// No instance.
    Idle,
    /// NOMOUNT.
    Started,
    /// Control file open, data files closed.
    Mounted,
    /// Data files open.
    Open,
}

/// How far STARTUP goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupTarget {
    /// Instance only.
    NoMount,
    /// With control file.
    Mount,
    /// With data files.
    Open,
}

/// How SHUTDOWN proceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// Roll back, disconnect, close. Refused with ORA-01149 while a file is in backup mode.
    Immediate,
    /// Stop at once; the next start recovers.
    Abort,
}

/// Who the database is and in which mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// DBID.
    pub dbid: u32,
    /// Database name.
    pub name: String,
    /// Whether ARCHIVELOG mode is on.
    pub archivelog: bool,
    /// Whether the control file is a restored one: V$BACKUP is not to be trusted then.
    pub backup_controlfile: bool,
    /// The current incarnation's birth.
    pub resetlogs: ResetLogs,
}

impl Database {
    /// How far the instance is up. Asked over a new session when the old one turns out to be lost.
    pub fn status(&mut self) -> Result<InstanceStatus, DatabaseError> {
        let asked_over_old_session = self.session.is_some();
        let mut answer = self.ask_status();
        if answer.is_err() && asked_over_old_session && self.session.is_none() {
            // A session from before a restart says "not available" although the instance is up again.
            answer = self.ask_status();
        }
        match answer {
            Err(error) if is_idle(&error) => Ok(InstanceStatus::Idle),
            other => other,
        }
    }

    /// As [`Database::status`], waiting for an instance that is just dying: its processes end one after the other, and
    /// who logs on meanwhile is cut off.
    pub fn settled_status(&mut self, limit: Duration) -> Result<InstanceStatus, DatabaseError> {
        let deadline = Instant::now() + limit;
        loop {
            match self.status() {
                Err(error) if is_cut_off(&error) && Instant::now() < deadline => {
                    std::thread::sleep(SETTLING_PAUSE);
                }
                other => return other,
            }
        }
    }

    fn ask_status(&mut self) -> Result<InstanceStatus, DatabaseError> {
        let rows = self.query(&["status"], "v$instance")?;
        match rows.first().and_then(|row| row.optional("status")) {
            Some("STARTED") => Ok(InstanceStatus::Started),
            Some("MOUNTED") => Ok(InstanceStatus::Mounted),
            Some("OPEN" | "OPEN MIGRATE") => Ok(InstanceStatus::Open),
            other => Err(DatabaseError::Unexpected(format!(
                "V$INSTANCE.STATUS is {}",
                other.unwrap_or("missing")
            ))),
        }
    }

    /// Who the database is. Needs a mounted database.
    pub fn identity(&mut self) -> Result<Identity, DatabaseError> {
        let columns = [
            "dbid",
            "name",
            "log_mode",
            "controlfile_type",
            "resetlogs_change#",
            "resetlogs_time",
        ];
        let rows = self.query(&columns, "v$database")?;
        let row = rows
            .first()
            .ok_or_else(|| DatabaseError::Unexpected("V$DATABASE is empty".to_owned()))?;
        let resetlogs_time = row.time("resetlogs_time")?;
        Ok(Identity {
            dbid: row.number("dbid")?,
            name: row.text("name")?.to_owned(),
            archivelog: row.text("log_mode")? != "NOARCHIVELOG",
            backup_controlfile: row.text("controlfile_type")? == "BACKUP",
            resetlogs: ResetLogs {
                scn: row.scn("resetlogs_change#")?,
                time: resetlogs_time.unwrap_or_default(),
            },
        })
    }

    /// The current SCN. Zero where the database is not open.
    pub fn current_scn(&mut self) -> Result<Scn, DatabaseError> {
        let rows = self.query(&["current_scn"], "v$database")?;
        let row = rows
            .first()
            .ok_or_else(|| DatabaseError::Unexpected("V$DATABASE is empty".to_owned()))?;
        Ok(row
            .optional_number("current_scn")?
            .map_or(Scn::ZERO, Scn::new))
    }

    /// Value of an instance parameter; None where it is unknown or empty.
    pub fn parameter(&mut self, name: &str) -> Result<Option<String>, DatabaseError> {
        let rows = self.query(
            &["value"],
            &format!("v$parameter WHERE name = {}", literal(name)?),
        )?;
        Ok(rows
            .first()
            .and_then(|row| row.optional("value"))
            .filter(|value| !value.is_empty())
            .map(str::to_owned))
    }

    /// STARTUP. Fails with Oracle's messages where the target is not reached; the instance then stands where it got to.
    pub fn startup(&mut self, target: StartupTarget) -> Result<(), DatabaseError> {
        let (statement, reached) = match target {
            StartupTarget::NoMount => ("STARTUP NOMOUNT", InstanceStatus::Started),
            StartupTarget::Mount => ("STARTUP MOUNT", InstanceStatus::Mounted),
            StartupTarget::Open => ("STARTUP", InstanceStatus::Open),
        };
        let outcome = self.execute_within(statement, START_STOP_LIMIT);
        tolerate(outcome, &[OBSOLETE_PARAMETERS])?;
        self.expect_status(reached, statement)
    }

    /// SHUTDOWN. Afterwards there is no instance, or it is an error.
    pub fn shutdown(&mut self, mode: ShutdownMode) -> Result<(), DatabaseError> {
        let statement = match mode {
            ShutdownMode::Immediate => "SHUTDOWN IMMEDIATE",
            ShutdownMode::Abort => "SHUTDOWN ABORT",
        };
        let outcome = self.execute_within(statement, START_STOP_LIMIT);
        tolerate(outcome, &[NOT_OPEN, NOT_MOUNTED])?;
        self.disconnect();
        self.expect_status(InstanceStatus::Idle, statement)
    }

    fn expect_status(
        &mut self,
        wanted: InstanceStatus,
        statement: &str,
    ) -> Result<(), DatabaseError> {
        let found = self.status()?;
        if found == wanted {
            return Ok(());
        }
        Err(DatabaseError::Unexpected(format!(
            "after {statement} the instance is {found:?}, not {wanted:?}"
        )))
    }
}

fn is_cut_off(error: &DatabaseError) -> bool {
    CUT_OFF.iter().any(|code| error.has_oracle_code(*code))
}

fn is_idle(error: &DatabaseError) -> bool {
    let DatabaseError::Sqlplus(error) = error else {
        return false;
    };
    NOT_AVAILABLE
        .iter()
        .any(|code| error.has_oracle_code(*code))
        || error.messages().is_some_and(|messages| {
            messages
                .iter()
                .any(|m| m.facility == "SP2" && m.code == NOT_CONNECTED)
        })
}

/// Turns a failure whose every message is tolerated into success.
fn tolerate(
    outcome: Result<Vec<String>, DatabaseError>,
    codes: &[u32],
) -> Result<(), DatabaseError> {
    match outcome {
        Err(DatabaseError::Sqlplus(SqlplusError::Oracle {
            statement,
            messages,
        })) => {
            let serious = messages.without(codes);
            if serious.is_empty() {
                Ok(())
            } else {
                Err(SqlplusError::Oracle {
                    statement,
                    messages: serious,
                }
                .into())
            }
        }
        other => other.map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use oracle::sqlplus::Replay;

    use super::super::tests::database;
    use super::*;

    const GONE: &str = "ORA-01034: ORACLE not available";

    #[test]
    fn every_status_is_told_apart() {
        for (answer, expected) in [
            ("|STARTED|", InstanceStatus::Started),
            ("|MOUNTED|", InstanceStatus::Mounted),
            ("|OPEN|", InstanceStatus::Open),
        ] {
            assert_eq!(
                database([Replay::new().on("v$instance", answer)])
                    .status()
                    .unwrap(),
                expected
            );
        }
        assert!(
            database([Replay::new().on("v$instance", "|SPLIT|")])
                .status()
                .is_err()
        );
    }

    #[test]
    fn a_session_from_before_a_restart_is_not_believed() {
        let old = |last: &str| {
            Replay::new()
                .on("v$instance", "|OPEN|")
                .on("v$instance", last)
        };
        for (last, fresh, expected) in [
            (GONE, "|OPEN|", InstanceStatus::Open),
            (GONE, GONE, InstanceStatus::Idle),
            (
                "ORA-03113: end-of-file on communication channel",
                GONE,
                InstanceStatus::Idle,
            ),
        ] {
            let mut database = database([old(last), Replay::new().on("v$instance", fresh)]);
            assert_eq!(database.status().unwrap(), InstanceStatus::Open);
            assert_eq!(database.status().unwrap(), expected);
        }
    }

    #[test]
    fn an_idle_instance_is_asked_once() {
        let mut idle = database([Replay::new().on("v$instance", GONE)]);
        assert_eq!(idle.status().unwrap(), InstanceStatus::Idle);
    }

    #[test]
    fn a_refused_shutdown_is_an_error_and_a_chatty_one_is_not() {
        let refused = Replay::new().on(
            "shutdown",
            "ORA-01149: cannot shutdown - file 1 has online backup set",
        );
        assert!(
            database([refused])
                .shutdown(ShutdownMode::Immediate)
                .unwrap_err()
                .has_oracle_code(1149)
        );
        let mounted = Replay::new().on(
            "shutdown",
            "ORA-01109: database not open\n\nDatabase dismounted.\nORACLE instance shut down.",
        );
        database([mounted, Replay::new().on("v$instance", GONE)])
            .shutdown(ShutdownMode::Immediate)
            .unwrap();
    }

    #[test]
    fn a_shutdown_that_leaves_the_instance_up_is_not_believed() {
        let lying = Replay::new().on("shutdown", "ORACLE instance shut down.");
        let error = database([lying, Replay::new().on("v$instance", "|OPEN|")])
            .shutdown(ShutdownMode::Immediate)
            .unwrap_err();
        assert!(error.to_string().contains("Open"), "{error}");
    }

    #[test]
    fn obsolete_parameters_do_not_fail_a_start_and_other_errors_do() {
        let warned = Replay::new()
            .on(
                "startup",
                "ORA-32004: obsolete parameter\nORACLE instance started.",
            )
            .on("v$instance", "|OPEN|");
        database([warned]).startup(StartupTarget::Open).unwrap();
        let failed = Replay::new().on(
            "startup",
            "ORA-32004: obsolete parameter\nDatabase mounted.\nORA-10873: file 1 needs end backup",
        );
        let error = database([failed]).startup(StartupTarget::Open).unwrap_err();
        assert!(
            error.has_oracle_code(10873) && !error.has_oracle_code(32004),
            "{error}"
        );
    }
}
