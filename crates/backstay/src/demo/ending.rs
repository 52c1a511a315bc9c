//! The end of the demo: the verdict, and what is left to explore.
//! What lives here: the last lines and the exit status. What does not: judging.

use std::process::ExitCode;

use serde::Serialize;

use super::narrator::{Judged, Narrator, PointFigures, Step};
use super::stage::{DemoError, LEDGER, Stage};
use super::store::OPTIONS;
use crate::said::{fail, say_json};

/// Exit status after an interruption, as a shell has it for SIGINT.
const EXIT_INTERRUPTED: u8 = 130;

/// Shuts a kept database down in order and says how to go on with it.
pub fn leave(stage: &mut Stage, narrator: &mut Narrator, keep: bool) -> Result<(), DemoError> {
    if !keep {
        return Ok(());
    }
    stage.sqlplus(narrator, "shutdown immediate", "shut it down")?;
    narrator.say("\nKept. To explore it:\n");
    for command in stage.exports() {
        narrator.say(&command);
    }
    narrator.say("sqlplus / as sysdba <<< startup");
    narrator.say(&format!("backstay practice verify --ledger {LEDGER}"));
    if narrator.left_out.is_none() {
        let options = OPTIONS.join(" ");
        narrator.say(&format!(
            "backstay store serve --dir $BACKSTAY_STORE_DIR {options} &"
        ));
        narrator.say("backstay recovery-point list");
    }
    narrator.say("ls transcripts $ORACLE_HOME $ORACLE_HOME/sapbackup");
    Ok(())
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Report<'a> {
    clean: bool,
    error: Option<String>,
    steps: &'a [Step],
    judged: &'a [Judged],
    recovery_points: &'a [PointFigures],
    left_out: Option<&'a str>,
}

/// Tells the verdict and turns it into the exit status.
pub fn conclude(narrator: &Narrator, result: Result<(), DemoError>) -> ExitCode {
    let clean = result.is_ok()
        && !narrator.judged.is_empty()
        && narrator.judged.iter().all(|one| one.verdict.clean);
    let status = match &result {
        Err(DemoError::Interrupted) => EXIT_INTERRUPTED,
        _ => u8::from(!clean),
    };
    if narrator.wants_json() {
        let error = result.as_ref().err().map(ToString::to_string);
        let report = Report {
            clean,
            error,
            steps: &narrator.steps,
            judged: &narrator.judged,
            recovery_points: &narrator.points,
            left_out: narrator.left_out.as_deref(),
        };
        say_json(&report);
        return ExitCode::from(status);
    }
    narrator.say("");
    for Judged { what, verdict } in &narrator.judged {
        let wrong = verdict.damaged.count + verdict.counters.count;
        narrator.say(&format!(
            "{what}: {} missing, {} extra, {wrong} damaged",
            verdict.missing.count, verdict.extra.count
        ));
    }
    match result {
        Ok(()) if clean => {
            narrator.say("Verdict: every acknowledged commit came back, and nothing else.");
            if narrator.left_out.is_some() {
                narrator.say("The chapter with the store was left out: see there.");
            }
        }
        Ok(()) => narrator.say("Verdict: NOT CLEAN."),
        Err(error) => {
            narrator.say("Verdict: none, the demo did not finish.");
            fail(status, error);
            if status != EXIT_INTERRUPTED {
                narrator.say("HINT: with --keep the directory stays, with what each program said.");
            }
        }
    }
    ExitCode::from(status)
}
