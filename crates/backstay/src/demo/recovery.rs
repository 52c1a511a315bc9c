//! The recoveries of the demo, and what the judge says to them.
//! What lives here: calling brrecover, judging by the ledger. What does not: how either works.

use std::time::Instant;

use oracle::scn::Scn;
use oracle::time::OracleTime;
use practice::judge::{Target, judge};
use practice::ledger::{Boundary, record_truncate};

use super::disaster::database_bytes;
use super::narrator::{Narrator, Step, thousands};
use super::stage::{DemoError, LEDGER, SID, Stage, shown};

/// Brings back every acknowledged commit.
pub fn complete(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let command = ["brrecover", "-u", "/", "-t", "complete", "-c", "force"];
    recover(
        stage,
        narrator,
        &command,
        "restored, recovered completely, opened",
    )?;
    call_for_every_commit(
        stage,
        narrator,
        "complete recovery".to_string(),
        Target::Everything,
    )
}

/// Brings back every commit before a moment, and none after it.
pub fn to_moment(
    stage: &mut Stage,
    narrator: &mut Narrator,
    moment: OracleTime,
) -> Result<(), DemoError> {
    let time = moment.to_string().replace(':', ".");
    let command = [
        "brrecover",
        "-u",
        "/",
        "-t",
        "dbpit",
        "-m",
        &time,
        "-c",
        "force",
    ];
    recover(
        stage,
        narrator,
        &command,
        "restored, recovered to the moment, opened",
    )?;
    call_for_every_commit(
        stage,
        narrator,
        format!("recovery to {moment}"),
        Target::Time(moment),
    )?;
    record_truncate(&stage.ledger(), SID, Boundary::Time(moment))?;
    Ok(())
}

/// Judges a database that was recovered to an SCN, exclusive as RMAN's UNTIL SCN.
pub fn judge_at_scn(stage: &mut Stage, narrator: &mut Narrator, scn: Scn) -> Result<(), DemoError> {
    let what = format!("recovery to SCN {scn}");
    call_for_every_commit(stage, narrator, what, Target::Scn(scn))?;
    record_truncate(&stage.ledger(), SID, Boundary::Scn(scn))?;
    Ok(())
}

fn recover(
    stage: &mut Stage,
    narrator: &mut Narrator,
    command: &[&str],
    what: &str,
) -> Result<(), DemoError> {
    let took = stage.program(narrator, command, "")?;
    let bytes = database_bytes(stage)?;
    narrator.step(
        Step::new(what)
            .typed(shown(command))
            .bytes(bytes)
            .took(took),
    );
    Ok(())
}

fn call_for_every_commit(
    stage: &Stage,
    narrator: &mut Narrator,
    what: String,
    target: Target,
) -> Result<(), DemoError> {
    stage.check_interrupted()?;
    narrator.progress("judging every row by the ledger …");
    let started = Instant::now();
    let verdict = judge(&stage.home, SID, &stage.ledger(), target)?;
    let mut typed = format!("backstay practice verify --ledger {LEDGER}");
    match target {
        Target::Time(moment) => typed.push_str(&format!(" --until-time '{moment}'")),
        Target::Scn(scn) => typed.push_str(&format!(" --until-scn {scn}")),
        Target::Everything => {}
    }
    let mut note = format!(
        "{} rows, {} commits: {} missing, {} extra, {} damaged",
        thousands(verdict.rows),
        thousands(verdict.commits),
        verdict.missing.count,
        verdict.extra.count,
        verdict.damaged.count + verdict.counters.count
    );
    if verdict.commits_beyond_target > 0 {
        let later = thousands(verdict.commits_beyond_target);
        note.push_str(&format!("; {later} later ones must be gone"));
    }
    narrator.step(
        Step::new("judged by the ledger")
            .typed(typed)
            .took(started.elapsed())
            .note(note),
    );
    narrator.judged(what, verdict);
    Ok(())
}
