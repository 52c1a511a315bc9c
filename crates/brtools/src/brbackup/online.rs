//! An online backup: tablespace by tablespace in backup mode, with the control file early and late.
//! What lives here: the order. What does not: backup mode itself (`database::backup_mode`) and copying (`save`).
//!
//! The order that recovers: data files between BEGIN and END, then the redo up to their END markers is archived, then
//! the control file once more, because only a late one knows the markers and the last logs. The early copy is kept too.

use std::path::PathBuf;
use std::time::Instant;

use super::preflight::{Job, Plan};
use super::prepare::print_list;
use super::run::{Desk, Run, Stop};
use super::save::{note_saved, save_files};
use super::selection::SelectedTablespace;
use crate::copy::{self, Content, CopyRequest};
use crate::database::backup_mode::{BackupMode, BackupModes};
use crate::failpoint;
use crate::messages::LogForm;

/// ALTER DATABASE BACKUP CONTROLFILE right after the start, into `sapbackup`.
pub(super) fn copy_control_file_early(run: &mut Run) -> Result<(), Stop> {
    order_control_file_copy(run)
}

fn control_file_copy(run: &Run) -> PathBuf {
    let environment = &run.desk.settings.environment;
    // Release 4.0B calls it without the SID.
    let name = match LogForm::from_environment() {
        LogForm::Release40b => "cntrl.dbf".to_owned(),
        LogForm::Release7 => format!("cntrl{}.dbf", environment.sid),
    };
    environment.sapbackup.join(name)
}

fn order_control_file_copy(run: &mut Run) -> Result<(), Stop> {
    run.desk.check_interrupt()?;
    let target = control_file_copy(run);
    match run.database.backup_controlfile(&target) {
        Ok(()) => {
            run.desk.log.info(319, &[&target.display()]);
            Ok(())
        }
        Err(error) => {
            let stop = run.desk.refused("backup controlfile", &error);
            run.desk.log.error(320, &[&target.display()]);
            Err(stop)
        }
    }
}

/// Saves the control file copy under a name of its own in the directory of the run.
fn save_control_file(run: &mut Run, plan: &Plan, name: &str) -> Result<(), Stop> {
    let source = control_file_copy(run);
    if run.desk.settings.tape().is_some() {
        return save_control_file_on_tape(run, source);
    }
    let target = plan.directory().join(name);
    run.desk.log.info(202, &[&source.display()]);
    run.desk.log.info(203, &[&target.display()]);
    let request = CopyRequest {
        source: &source,
        target: &target,
        tool: &run.desk.settings.tool,
        content: Content::Opaque,
        failpoint: None,
    };
    match copy::copy_file(&request, &run.desk.interrupt) {
        Ok(report) => {
            run.desk.progress.files_total += 1;
            run.desk.progress.bytes_total += report.bytes;
            let job = Job {
                source,
                target,
                content: Content::Opaque,
                bytes: report.bytes,
                file: None,
                place: None,
            };
            note_saved(&mut run.desk, &job, &report);
            Ok(())
        }
        Err(copy::CopyError::Interrupted { signal }) => Err(Stop::Signal(signal)),
        Err(error) => {
            copy::report::failure(&mut run.desk.log, &source, &target, &error);
            Err(Stop::Failed)
        }
    }
}

fn save_control_file_on_tape(run: &mut Run, source: PathBuf) -> Result<(), Stop> {
    let bytes = std::fs::metadata(&source).map_or(0, |found| found.len());
    run.desk.progress.files_total += 1;
    run.desk.progress.bytes_total += bytes;
    let job = Job {
        target: source.clone(),
        source,
        content: Content::Opaque,
        bytes,
        file: None,
        place: None,
    };
    super::tape::save_last(&mut run.desk, job)
}

/// Every tablespace: BEGIN, copy, END. Whatever happens in between, END comes.
pub(super) fn save_tablespaces(run: &mut Run, plan: &Plan) -> Result<(), Stop> {
    let environment = &run.desk.settings.environment;
    let mut modes = BackupModes::new(
        &environment.sapbackup,
        &environment.sid,
        &run.desk.log.id().to_string(),
        plan.identity.dbid,
    );
    for chosen in &plan.selection.tablespaces {
        run.desk.check_interrupt()?;
        let jobs: Vec<Job> = plan
            .jobs
            .iter()
            .filter(|job| {
                chosen
                    .files
                    .iter()
                    .any(|file| job.file == Some(file.number))
            })
            .cloned()
            .collect();
        run.desk.log.blank();
        run.desk.log.stamp();
        if chosen.tablespace.needs_backup_mode() {
            save_in_backup_mode(run, &mut modes, chosen, &jobs)?;
        } else {
            save_files(&mut run.desk, &jobs)?;
        }
    }
    run.desk.log.blank();
    run.desk.log.stamp();
    save_control_file(
        run,
        plan,
        &format!("cntrl{}.dbf", run.desk.settings.environment.sid),
    )
}

fn save_in_backup_mode(
    run: &mut Run,
    modes: &mut BackupModes,
    chosen: &SelectedTablespace,
    jobs: &[Job],
) -> Result<(), Stop> {
    let name = &chosen.tablespace.name;
    failpoint::reach("before-begin");
    let desk = &mut run.desk;
    match modes.begin(&mut run.database, &chosen.tablespace) {
        Ok(mode) => {
            let begun = Instant::now();
            desk.log.info(315, &[name]);
            failpoint::reach("after-begin");
            let saved = save_files(desk, jobs);
            let ended = end(desk, mode, name);
            let seconds = format!("{:.1}", begun.elapsed().as_secs_f64());
            desk.log.info(9053, &[name, &seconds]);
            saved.and(ended)
        }
        Err(error) => {
            let stop = desk.refused("begin backup", &error);
            desk.log.error(316, &[name]);
            Err(stop)
        }
    }
}

fn end(desk: &mut Desk, mode: BackupMode, name: &str) -> Result<(), Stop> {
    match mode.end() {
        Ok(()) => {
            desk.log.info(317, &[&name]);
            Ok(())
        }
        Err(error) => {
            let stop = desk.refused("end backup", &error);
            desk.log.error(318, &[&name]);
            Err(stop)
        }
    }
}

/// Closes the current redo log and waits until it is archived, then takes the control file again.
pub(super) fn switch_log(run: &mut Run, plan: &Plan) -> Result<(), Stop> {
    run.desk.check_interrupt()?;
    failpoint::reach("before-log-switch");
    let sid = run.desk.settings.environment.sid.clone();
    run.desk.log.info(340, &[&sid]);
    if let Err(error) = run.database.archive_log_current() {
        let stop = run.desk.refused("switch log", &error);
        run.desk.log.error(322, &[&sid]);
        return Err(stop);
    }
    run.desk.log.info(321, &[&sid]);
    order_control_file_copy(run)?;
    save_control_file(run, plan, &format!("cntrl{sid}.dbf.late"))?;
    run.desk.log.blank();
    run.desk.log.info(117, &[&"ARCHIVE LOG LIST", &sid]);
    run.desk.log.blank();
    match run.database.archive_log_list() {
        Ok(list) => {
            run.desk.progress.log_sequence = list.current.get();
            print_list(run, &list);
            Ok(())
        }
        Err(error) => {
            let stop = run.desk.refused("archive log list", &error);
            run.desk.log.error(323, &[&sid]);
            Err(stop)
        }
    }
}
