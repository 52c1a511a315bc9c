//! An offline backup: the database is shut down, copied as it lies, and started again, come what may.
//! What lives here: the downtime and its end. What does not: copying (`save`).
//!
//! `sapbackup/.downtime.<SID>` is written before the shutdown and removed after the start. A run that finds it knows
//! that a killed run has left the database down, and does not take that for the state to go back to.

use std::path::PathBuf;

use super::preflight::Plan;
use super::run::{Run, Stop};
use super::save::save_files;
use crate::bounded;
use crate::database::{InstanceStatus, ShutdownMode, StartupTarget, report};
use crate::durable;
use crate::environment::Environment;
use crate::failpoint;

/// Shuts down, copies data files, redo logs and control file, and starts again.
pub(super) fn save_database(run: &mut Run, plan: &Plan) -> Result<(), Stop> {
    run.desk.check_interrupt()?;
    note_downtime(run)?;
    let saved = shut_down(run).and_then(|()| {
        super::tape::begin(run, plan)?;
        super::finish::save_profiles(run, plan)?;
        run.desk.log.blank();
        run.desk.log.stamp();
        let saved = save_files(&mut run.desk, &plan.jobs);
        let stayed_down = require_idle(run);
        saved.and(stayed_down)
    });
    let started = start_again(run);
    saved.and(started)
}

/// The note holds one action id.
const NOTE_BYTES_MAX: u64 = 1024;

fn downtime_path(environment: &Environment) -> PathBuf {
    environment
        .sapbackup
        .join(format!(".downtime.{}", environment.sid))
}

/// The action id of a killed run that had shut the database down.
pub(super) fn downtime_left(environment: &Environment) -> Option<String> {
    let text = bounded::read_text(&downtime_path(environment), NOTE_BYTES_MAX).ok()?;
    Some(text.trim().chars().take(8).collect())
}

fn note_downtime(run: &mut Run) -> Result<(), Stop> {
    if run.shut_down_at_end {
        return Ok(()); // It was down before and will be so again.
    }
    let path = downtime_path(&run.desk.settings.environment);
    durable::replace(&path, format!("{}\n", run.desk.log.id()).as_bytes()).map_err(|error| {
        run.desk.log.error(9041, &[&path.display(), &error]);
        Stop::Failed
    })
}

/// The database is up again, or was never taken down.
pub(super) fn forget_downtime(run: &mut Run) {
    let path = downtime_path(&run.desk.settings.environment);
    match durable::remove(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => run.desk.log.warning(
            9043,
            &[&format!("{}: {error}", path.display()), &"remove it"],
        ),
        _ => {}
    }
}

fn shut_down(run: &mut Run) -> Result<(), Stop> {
    let sid = run.desk.settings.environment.sid.clone();
    run.desk.log.info(307, &[&sid]);
    match run.database.shutdown(ShutdownMode::Immediate) {
        Ok(()) => {
            run.desk.log.info(308, &[&sid]);
            failpoint::reach("offline-down");
            Ok(())
        }
        Err(error) => {
            let stop = run.desk.refused("shutdown", &error);
            run.desk.log.error(309, &[&sid]);
            Err(stop)
        }
    }
}

/// Somebody who started the database meanwhile has made the copies worthless.
fn require_idle(run: &mut Run) -> Result<(), Stop> {
    match run.database.status() {
        Ok(InstanceStatus::Idle) => Ok(()),
        Ok(_) => {
            let what = "the database was started during the offline backup: the copies do not fit together";
            run.desk.log.error(
                9044,
                &[
                    &what,
                    &"start the backup again, and keep others from starting the database meanwhile",
                ],
            );
            Err(Stop::Failed)
        }
        Err(error) => Err(run.desk.refused("status", &error)),
    }
}

fn start_again(run: &mut Run) -> Result<(), Stop> {
    if run.shut_down_at_end {
        run.shut_down_at_end = false; // It is down, as it was.
        return Ok(());
    }
    let sid = run.desk.settings.environment.sid.clone();
    if !matches!(run.database.status(), Ok(InstanceStatus::Idle)) {
        forget_downtime(run); // The shutdown failed, or somebody else was faster.
        return Ok(());
    }
    run.desk.log.info(304, &[&sid]);
    match run.database.startup(StartupTarget::Open) {
        Ok(()) => {
            run.desk.log.info(305, &[&sid]);
            forget_downtime(run);
            Ok(())
        }
        Err(error) => {
            report::error(&mut run.desk.log, "startup", &error);
            run.desk.log.error(306, &[&sid]);
            Err(Stop::Failed)
        }
    }
}
