//! Before anything is planned: the head of the log, the database's state, and what a killed run has left.
//! What lives here: opening and healing. What does not: what is to be saved.

use super::preflight::Plan;
use super::run::{Run, Stop};
use crate::database::backup_mode::{self, Outcome};
use crate::database::{DatabaseError, InstanceStatus, StartupTarget, report};
use crate::run_log::{inventory, megabytes};
use crate::values::Confirmation;

/// ORA-10873: a file is in backup mode, so the database does not open after a crash.
const NEEDS_END_BACKUP: u32 = 10873;

/// The parameter section and the first time stamp.
pub(super) fn announce(run: &mut Run) {
    let rows = run.desk.settings.parameter_rows();
    run.desk.log.parameters(&rows);
    run.desk.log.stamp();
}

/// Brings the database to OPEN and ends what a killed run left in backup mode.
pub(super) fn open_database(run: &mut Run) -> Result<(), Stop> {
    let sid = run.desk.settings.environment.sid.clone();
    let status = match run.database.status() {
        Ok(status) => status,
        Err(error) => {
            report::error(&mut run.desk.log, "connect", &error);
            run.desk.log.error(310, &[&sid]);
            return Err(Stop::Failed);
        }
    };
    report_downtime(run);
    let sapbackup = run.desk.settings.environment.sapbackup.clone();
    let is_journal_left = backup_mode::is_journal_present(&sapbackup, &sid);
    match status {
        InstanceStatus::Open => heal(run),
        InstanceStatus::Mounted if is_journal_left => {
            heal(run)?;
            order(run, "ALTER DATABASE OPEN")
        }
        InstanceStatus::Started | InstanceStatus::Mounted => {
            let state = if status == InstanceStatus::Mounted {
                "mounted"
            } else {
                "started"
            };
            let what = format!("database instance {sid} is {state}, not open");
            run.desk.log.error(
                9044,
                &[
                    &what,
                    &"open it, or shut it down: brbackup starts an instance that is down",
                ],
            );
            Err(Stop::Failed)
        }
        InstanceStatus::Idle => start(run, is_journal_left),
    }
}

/// An offline backup that was killed has left the database down although it was open before.
fn report_downtime(run: &mut Run) {
    if let Some(action) = super::offline::downtime_left(&run.desk.settings.environment) {
        run.desk.log.info(
            9045,
            &[&format!(
                "backup {action} had shut the database down and was killed"
            )],
        );
    }
}

fn start(run: &mut Run, is_journal_left: bool) -> Result<(), Stop> {
    let sid = run.desk.settings.environment.sid.clone();
    // A killed run is no former state to go back to: the database was open before that run.
    run.shut_down_at_end =
        !is_journal_left && super::offline::downtime_left(&run.desk.settings.environment).is_none();
    run.desk.log.info(329, &[&sid]);
    run.desk.log.info(304, &[&sid]);
    let target = if is_journal_left {
        StartupTarget::Mount
    } else {
        StartupTarget::Open
    };
    let started = run.database.startup(target);
    if let Err(error) = started {
        run.shut_down_at_end = false;
        report::error(&mut run.desk.log, "startup", &error);
        run.desk.log.error(306, &[&sid]);
        explain_refused_open(run, &error);
        return Err(Stop::Failed);
    }
    if is_journal_left {
        heal(run)?;
        order(run, "ALTER DATABASE OPEN")?;
    }
    run.desk.log.info(305, &[&sid]);
    super::offline::forget_downtime(run);
    Ok(())
}

fn order(run: &mut Run, statement: &str) -> Result<(), Stop> {
    match run.database.execute(statement) {
        Ok(_) => Ok(()),
        Err(error) => {
            explain_refused_open(run, &error);
            Err(run.desk.refused("open", &error))
        }
    }
}

fn explain_refused_open(run: &mut Run, error: &DatabaseError) {
    if error.has_oracle_code(NEEDS_END_BACKUP) {
        let hint = "if these are the live files and no restored copies: ALTER DATABASE END BACKUP, then ALTER DATABASE OPEN; restored copies need RECOVER DATABASE";
        run.desk.log.error(9044, &[&"the database was in a backup mode that brbackup did not begin when the instance died", &hint]);
    }
}

/// Ends the backup modes that an earlier run began, and says what was found.
fn heal(run: &mut Run) -> Result<(), Stop> {
    let sapbackup = run.desk.settings.environment.sapbackup.clone();
    let healed = match backup_mode::heal(&mut run.database, &sapbackup) {
        Ok(None) => return Ok(()),
        Ok(Some(healed)) => healed,
        Err(error) => return Err(run.desk.refused("end backup", &error)),
    };
    run.desk.log.info(
        9045,
        &[&format!(
            "backup {} (process {} on {}) was killed before its end",
            healed.action, healed.pid, healed.host
        )],
    );
    for finding in &healed.findings {
        let name = &finding.tablespace;
        match &finding.outcome {
            Outcome::Ended => run.desk.log.info(9002, &[name, &healed.action]),
            Outcome::WasOver => run.desk.log.info(
                9045,
                &[&format!("tablespace {name} is not in backup mode any more")],
            ),
            Outcome::SomebodyElses { path, since } => {
                let what = format!(
                    "tablespace {name} is in backup mode since {since}, file {}, but not by {}",
                    path.display(),
                    healed.action
                );
                run.desk
                    .log
                    .warning(9003, &[&what, &"it was left alone; ask who began it"]);
            }
            Outcome::NotLive { path } => {
                let what = format!(
                    "{} is not the file that was put into backup mode",
                    path.display()
                );
                run.desk.log.error(9044, &[&what, &"it was restored: recover it (RECOVER DATABASE), and do not use END BACKUP"]);
            }
        }
    }
    if healed.needs_attention() {
        Err(Stop::Failed)
    } else {
        Ok(())
    }
}

/// What will be done: inventory, then the summary of the plan.
pub(super) fn announce_plan(run: &mut Run, plan: &Plan) {
    let sid = run.desk.settings.environment.sid.clone();
    if let Some(list) = &plan.archive_log_list {
        run.desk.log.blank();
        run.desk.log.info(116, &[&"ARCHIVE LOG LIST", &sid]);
        run.desk.log.blank();
        print_list(run, list);
    }
    inventory::write(&mut run.desk.log, &plan.inventory);
    run.desk.log.stamp();
    let (id, function) = (run.desk.log.id(), run.desk.log.function().to_owned());
    let names: Vec<String> = plan
        .jobs
        .iter()
        .map(|job| job.source.display().to_string())
        .collect();
    let roots: Vec<String> = run
        .desk
        .settings
        .root_directories
        .iter()
        .map(|root| run.desk.directory(root).display().to_string())
        .collect();
    let progress = run.desk.progress;
    run.desk.log.info(57, &[&sid]);
    run.desk.log.info(58, &[&id]);
    run.desk.log.info(59, &[&function]);
    run.desk.log.info(110, &[&run.desk.settings.mode_text()]);
    if !plan.selection.is_whole {
        run.desk.log.info(77, &[&names.join(", ")]);
    }
    run.desk.log.info(
        61,
        &[&progress.files_total, &megabytes(progress.bytes_total)],
    );
    match run.desk.settings.tape().cloned() {
        None => {
            run.desk.log.info(112, &[]);
            run.desk.log.info(130, &[&"disk"]);
            run.desk.log.info(106, &[&roots.join(", ")]);
        }
        Some(tapes) => {
            let device = run.desk.settings.device_name.clone();
            tapes.announce(&device, &plan.volumes.concat(), &mut run.desk.log);
        }
    }
    run.desk
        .log
        .info(143, &[&run.desk.settings.backup_type.name()]);
    match run.desk.settings.confirmation {
        Confirmation::Ask => {}
        Confirmation::Unattended => run.desk.log.info(126, &[]),
        Confirmation::Force => run.desk.log.info(134, &[]),
    }
}

/// The list as SQL*Plus printed it, and the SCN that it does not print.
pub(super) fn print_list(run: &mut Run, list: &crate::database::ArchiveLogList) {
    list.lines.iter().for_each(|line| run.desk.log.line(line));
    run.desk.log.line(&format!(
        "{:<31}{}",
        "First SCN of current log", list.current_first_scn
    ));
}
