//! `brbackup`: saves the files of the database to disk.
//! What lives here: the story of a run. What does not: each step, which has a file of its own.

mod archive;
mod finish;
mod offline;
mod online;
mod preflight;
mod prepare;
mod run;
mod save;
pub mod selection;
mod settings;
mod tape;

use crate::options::Parsed;
use crate::return_code::ReturnCode;
use crate::volume::handover::Handover;
use run::{Run, Stop};
use settings::{BackupType, Settings};

/// Runs `brbackup`.
///
/// The result is its exit status: 0 and 1 saved everything, 2 and 3 began nothing, 4 and 5 left something out.
pub fn main(options: &Parsed) -> ReturnCode {
    let settings = match Settings::read(options) {
        Ok(settings) => settings,
        Err(faults) => return faults.print(),
    };
    let archive_options = match archive::options(options) {
        Ok(archive_options) => archive_options,
        Err(faults) => return faults.print(),
    };
    let mut run = match Run::begin(settings) {
        Ok(run) => run,
        Err(faults) => return faults.print(),
    };
    let outcome = backup(&mut run);
    let (handover, outcome) = match outcome {
        Ok(handover) => (handover, Ok(())),
        Err(stop) => (None, Err(stop)),
    };
    let code = run.end(outcome);
    match archive_options {
        Some(options) if code.is_usable() => {
            code.max(crate::brarchive::main_on(&options, handover))
        }
        _ => code,
    }
}

/// The result is the volume on which brarchive goes on.
fn backup(run: &mut Run) -> Result<Option<Handover>, Stop> {
    prepare::announce(run);
    prepare::open_database(run)?;
    let plan = preflight::plan(run)?;
    prepare::announce_plan(run, &plan);
    if run.desk.settings.query {
        preflight::withdraw(&plan);
        run.desk.log.info(124, &[]);
        return Ok(None);
    }
    run.ask_to_continue()?;
    run.work_begins();
    match run.desk.settings.backup_type {
        BackupType::Online => {
            online::copy_control_file_early(run)?;
            tape::begin(run, &plan)?;
            finish::save_profiles(run, &plan)?;
            online::save_tablespaces(run, &plan)?;
            online::switch_log(run, &plan)?;
        }
        BackupType::Offline => offline::save_database(run, &plan)?,
    }
    finish::close_log(run, &plan);
    tape::end(run)
}
