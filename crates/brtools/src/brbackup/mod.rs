//! `brbackup`: saves the files of the database to disk.
//! What lives here: the story of a run. What does not: each step, which has a file of its own.

mod finish;
mod offline;
mod online;
mod preflight;
mod prepare;
mod run;
mod save;
pub mod selection;
mod settings;

use crate::action_id::Tool;
use crate::faults::Faults;
use crate::messages::Message;
use crate::options::{self, Parsed};
use crate::return_code::ReturnCode;
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
    let archive_options = settings.archive_options.clone();
    let mut run = match Run::begin(settings) {
        Ok(run) => run,
        Err(faults) => return faults.print(),
    };
    let outcome = backup(&mut run);
    let code = run.end(outcome);
    match archive_options {
        Some(words) if code.is_usable() => code.max(archive(words, options)),
        _ => code,
    }
}

/// `-a`: the offline redo logs of the backup, saved by a run of brarchive with the words behind the option, to the same
/// device and by the same profile unless they say otherwise.
fn archive(mut words: Vec<String>, own: &Parsed) -> ReturnCode {
    let given = |words: &[String], option: &str| words.iter().any(|word| word == option);
    for (option, value) in [("-d", own.value("d")), ("-p", own.value("p"))] {
        if let Some(value) = value.filter(|_| !given(&words, option)) {
            words.extend([option.to_owned(), value.to_owned()]);
        }
    }
    match options::parse(Tool::Brarchive, &words) {
        Ok(options) => crate::brarchive::main(&options),
        Err(message) => {
            let mut faults = Faults::one(message);
            faults.push(Message::info(
                9045,
                &[&"the backup itself is good; only its offline redo logs were not saved"],
            ));
            faults.print()
        }
    }
}

fn backup(run: &mut Run) -> Result<(), Stop> {
    prepare::announce(run);
    prepare::open_database(run)?;
    let plan = preflight::plan(run)?;
    prepare::announce_plan(run, &plan);
    if run.desk.settings.query {
        preflight::withdraw(&plan);
        run.desk.log.info(124, &[]);
        return Ok(());
    }
    run.ask_to_continue()?;
    run.work_begins();
    match run.desk.settings.backup_type {
        BackupType::Online => {
            online::copy_control_file_early(run)?;
            finish::save_profiles(run, &plan)?;
            online::save_tablespaces(run, &plan)?;
            online::switch_log(run, &plan)?;
        }
        BackupType::Offline => offline::save_database(run, &plan)?,
    }
    finish::close_log(run, &plan);
    Ok(())
}
