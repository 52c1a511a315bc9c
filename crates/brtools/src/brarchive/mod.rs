//! `brarchive`: saves the offline redo logs to disk, checks each, and deletes the originals where told to.
//! What lives here: the story of a run. What does not: each step, which has a file of its own.

mod ask;
pub mod destination;
mod fill;
pub mod function;
pub mod inspect;
mod look;
mod plan;
mod process;
mod run;
mod settings;
mod tape;

use crate::options::Parsed;
use crate::return_code::ReturnCode;
use crate::volume::handover::Handover;
use run::{Run, Stop};
use settings::Settings;

/// Runs `brarchive`.
///
/// The result is its exit status: 0 everything done, 1 with warnings (nothing found is one), 2 and 3 began nothing,
/// 4 and 5 left something out.
pub fn main(options: &Parsed) -> ReturnCode {
    main_on(options, None)
}

/// Runs `brarchive`, perhaps on the volume that brbackup has left in the drive.
pub fn main_on(options: &Parsed, handover: Option<Handover>) -> ReturnCode {
    if let Some(request) = ask::request(options) {
        return ask::main(request);
    }
    let settings = match Settings::read(options) {
        Ok(settings) => settings,
        Err(faults) => return faults.print(),
    };
    let mut run = match Run::begin(settings) {
        Ok(run) => run,
        Err(faults) => return faults.print(),
    };
    run.handover = handover;
    let outcome = archive(&mut run);
    let outcome = tape::end(&mut run, outcome);
    run.end(outcome)
}

fn archive(run: &mut Run) -> Result<(), Stop> {
    run.announce();
    if let Some(fill) = run.settings.fill {
        return fill::until_stopped(run, fill);
    }
    let known = look::ask_database(run)?;
    let destination = look::destination(run, known.as_ref())?;
    let found = look::find(run, &destination)?;
    let plan = plan::make(run, found, known.as_ref());
    tape::choose(run, &plan)?;
    run.announce_plan(&plan);
    if plan.items.is_empty() {
        run.log.warning(13, &[]);
        return Ok(());
    }
    if run.settings.query {
        run.log.info(124, &[]);
        return Ok(());
    }
    run.ask_to_continue()?;
    run.work_begins();
    process::remove_leftovers(run);
    tape::begin(run)?;
    process::all(run, &plan, known.as_ref())
}
