//! `brarchive -f`: waits for logs and saves them as they come, until it is stopped, has saved enough, or the target is full.
//! What lives here: when to look again. What does not: choosing and saving logs, which is as in any run.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use super::destination::Destination;
use super::plan::{self, Plan};
use super::run::{REQUEST_PAUSE, Run, Stop};
use super::settings::Fill;
use super::{look, process, tape};
use crate::run_log::megabytes;

/// How soon it looks again while a log is still being written, or too few are there.
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(2);
/// How soon it looks again when nothing has changed: a change may have been missed, as on a network file system.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Runs until there is a reason to end.
pub(super) fn until_stopped(run: &mut Run, fill: Fill) -> Result<(), Stop> {
    let mut watch = Watch::default();
    let mut is_begun = false;
    loop {
        if run.is_asked_to_stop()? {
            return Ok(());
        }
        if !watch.is_due() {
            std::thread::sleep(REQUEST_PAUSE);
            continue;
        }
        let known = look::ask_patiently(run);
        let place = look::destination_patiently(run, known.as_ref(), watch.place.as_ref())?;
        // Noted before the look: a file that comes during it is looked for again.
        watch.note(place.clone());
        let found = look::find(run, &place)?;
        let is_more_there = found
            .iter()
            .any(|log| !run.handled.contains(&plan::Handled::of(log)));
        let plan = plan::make(run, found, known.as_ref());
        if plan.items.len() < fill.group.min(run.logs_left) {
            if !is_begun {
                is_begun = begin(run, &plan)?;
            }
            watch.wait(is_more_there);
            continue;
        }
        if is_begun {
            announce_group(run, &plan);
        } else {
            is_begun = begin(run, &plan)?;
        }
        process::all(run, &plan, known.as_ref())?;
        if tape::is_full(run) {
            return Ok(());
        }
        if run.logs_left == 0 {
            run.say_once(format!("{} logs are done: -n", run.settings.logs_max));
            return Ok(());
        }
        watch.look_at_once();
    }
}

/// What a run says and asks once, before it does or awaits anything. Always true.
fn begin(run: &mut Run, plan: &Plan) -> Result<bool, Stop> {
    tape::choose(run, plan)?;
    run.announce_plan(plan);
    run.ask_to_continue()?;
    run.work_begins();
    process::remove_leftovers(run);
    tape::begin(run)?;
    if plan.items.is_empty() {
        run.log.stamp();
        run.log.info(
            9045,
            &[&"waiting for offline redo logs: brarchive -f stop ends this run"],
        );
    }
    Ok(true)
}

fn announce_group(run: &mut Run, plan: &Plan) {
    run.log.blank();
    run.log.stamp();
    run.log
        .info(12, &[&plan.items.len(), &megabytes(plan.bytes())]);
}

/// When the archive directory is worth another look.
#[derive(Default)]
struct Watch {
    place: Option<Destination>,
    changed: Option<SystemTime>,
    /// None: now.
    next: Option<Instant>,
}

impl Watch {
    fn is_due(&self) -> bool {
        let Some(next) = self.next else { return true };
        Instant::now() >= next || self.changed != self.place.as_ref().and_then(change_of)
    }

    fn note(&mut self, place: Destination) {
        self.changed = change_of(&place);
        self.place = Some(place);
    }

    fn wait(&mut self, soon: bool) {
        let pause = if soon { LOOK_AGAIN_SOON } else { LOOK_AGAIN };
        self.next = Some(Instant::now() + pause);
    }

    fn look_at_once(&mut self) {
        self.next = None;
    }
}

/// When a name last came or went there.
fn change_of(place: &Destination) -> Option<SystemTime> {
    fs::metadata(&place.directory)
        .and_then(|metadata| metadata.modified())
        .ok()
}
