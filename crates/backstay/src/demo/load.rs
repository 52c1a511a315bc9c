//! The load of the demo: sessions that commit while everything else happens.
//! What lives here: starting it, letting it go on, choosing a moment in it. What does not: the sessions themselves.

use std::time::Duration;

use oracle::time::OracleTime;
use practice::workload::{self, Options};

use super::narrator::{Narrator, Step, thousands};
use super::stage::{DemoError, LEDGER, SID, Stage};

/// Sessions that commit at the same time.
const SESSIONS: u32 = 4;
/// How long the load goes on between two steps.
const GO_ON_SECONDS: u64 = 3;
/// Fewest commits between two steps.
const GO_ON_COMMITS: u64 = 100;
/// Longest wait for the load to get on.
const SECONDS_MAX: u64 = 120;

/// Starts the load.
pub fn start(stage: &mut Stage, narrator: &mut Narrator, rate: u32) -> Result<(), DemoError> {
    stage.check_interrupted()?;
    let options = Options {
        sessions: SESSIONS,
        rate,
        ..Options::new(&stage.home, SID, stage.ledger())
    };
    stage.load = Some(workload::start(options)?);
    let typed = format!(
        "backstay practice workload --ledger {LEDGER} --sessions {SESSIONS} --rate {rate} &"
    );
    narrator.step(Step::new(format!("started the load, at most {rate} commits/s")).typed(typed));
    Ok(())
}

/// Commits acknowledged since the load was started.
pub fn commits(stage: &Stage) -> u64 {
    stage
        .load
        .as_ref()
        .map_or(0, |load| load.counters().acknowledged)
}

/// Lets the load go on for a while.
pub fn go_on(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let before = commits(stage);
    let started = std::time::Instant::now();
    stage.wait_for(narrator, "the load to go on", SECONDS_MAX, |stage| {
        let enough = commits(stage) >= before + GO_ON_COMMITS
            && started.elapsed() >= Duration::from_secs(GO_ON_SECONDS);
        enough || stage.load.as_ref().is_none_or(|load| load.is_finished())
    })?;
    if stage.load.as_ref().is_some_and(|load| load.is_finished()) {
        if let Some(load) = stage.load.take() {
            load.stop()?;
        }
        return Err(DemoError::Stuck("the load ended by itself".to_string()));
    }
    let note = format!("{} commits", thousands(commits(stage) - before));
    narrator.step(
        Step::new("the load goes on")
            .took(started.elapsed())
            .note(note),
    );
    Ok(())
}

/// Stops the load; the instance may be gone already. Returns what it did.
pub fn stop(stage: &mut Stage) -> Result<workload::Counters, DemoError> {
    match stage.load.take() {
        Some(load) => Ok(load.stop()?),
        None => Ok(workload::Counters::default()),
    }
}

/// Chooses a moment: a second that begins between two commits of the running load.
pub fn choose_moment(stage: &mut Stage, narrator: &mut Narrator) -> Result<OracleTime, DemoError> {
    let latest = |stage: &Stage| stage.load.as_ref().map_or(0, |load| load.counters().time);
    let before = latest(stage);
    stage.wait_for(narrator, "a commit in a new second", SECONDS_MAX, |stage| {
        latest(stage) > before
    })?;
    let moment = latest(stage);
    stage.wait_for(narrator, "the moment to be over", SECONDS_MAX, |stage| {
        latest(stage) > moment
    })?;
    let moment = OracleTime::from_raw(moment);
    let note = format!(
        "{} commits since the load was started",
        thousands(commits(stage))
    );
    narrator.step(
        Step::new(format!("remembered the moment {moment}"))
            .typed("date")
            .note(note),
    );
    Ok(moment)
}
