//! The recovery points of the demo: made by the shipped script and the store, looked at, and brought back.
//! What lives here: these steps and their figures. What does not: the store's process (`store`), judging (`recovery`).

use std::time::{Duration, Instant};

use api::admin::{Job, JobKind, JobState, RecoveryPoint};
use api::client::Client;
use oracle::scn::Scn;

use super::disaster::{database_bytes, files_below};
use super::load::commits;
use super::narrator::{Narrator, PointFigures, Step, thousands};
use super::recovery;
use super::scripts::{DATA_BACKUP, RESTORE};
use super::stage::{DemoError, Stage, io};
use super::store::{MOUNT, client, data, mount_directory};
use crate::store::progress::words;
use crate::store::table::bytes;

/// Longest wait for a recovery point: of the largest demo, on a slow disk.
const POINT_SECONDS_MAX: u64 = 3600;
/// How often the store is asked meanwhile.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Digits of an identifier that are shown, as the lists of the store do.
const DIGITS: usize = 8;
/// Lines that are shown of what is in a recovery point.
const SHOWN_LINES: usize = 15;

/// Tells RMAN which archived logs brarchive has deleted: it would miss them, and fail.
pub fn crosscheck(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    const COMMAND: &str = "crosscheck archivelog all;";
    let took = stage.program(narrator, &["rman", "target", "/"], &format!("{COMMAND}\n"))?;
    let typed = format!("rman target / <<< '{COMMAND}'");
    let step = Step::new("RMAN learned what brarchive deleted");
    narrator.step(step.typed(typed).took(took));
    Ok(())
}

/// Has RMAN back up onto the mount and the store seal it, by the script; then waits for the recovery point.
pub fn back_up(
    stage: &mut Stage,
    narrator: &mut Narrator,
    what: &str,
) -> Result<RecoveryPoint, DemoError> {
    let logs = stage.root.join("logs");
    std::fs::create_dir_all(&logs).map_err(io("make", &logs))?;
    let (logs, data) = (
        logs.display().to_string(),
        data(stage).display().to_string(),
    );
    let api = api(stage)?;
    let command = [DATA_BACKUP, "--local-mount", &data, &logs, &api, MOUNT];
    let commits_before = commits(stage);
    let took = stage.program(narrator, &command, "")?;
    let meanwhile = thousands(commits(stage) - commits_before);
    let step = Step::new(what).typed(stage.narrated(&command)).took(took);
    narrator.step(step.note(format!("{meanwhile} commits meanwhile")));
    await_point(stage, narrator)
}

fn api(stage: &Stage) -> Result<String, DemoError> {
    let running = stage.store.as_ref().map(|store| store.api.clone());
    running.ok_or_else(|| DemoError::Stuck("the store does not run".to_string()))
}

/// Waits until what was sealed last is a recovery point, and tells what it added.
fn await_point(stage: &Stage, narrator: &mut Narrator) -> Result<RecoveryPoint, DemoError> {
    let started = Instant::now();
    let client = client(stage)?;
    let known = narrator.points.len();
    while ended_points(&client, narrator)? <= known {
        stage.check_interrupted()?;
        if started.elapsed().as_secs() >= POINT_SECONDS_MAX {
            return Err(DemoError::Stuck(format!(
                "after {POINT_SECONDS_MAX} s still waiting for the recovery point"
            )));
        }
        std::thread::sleep(LOOK_PAUSE);
    }
    let mut all: Vec<RecoveryPoint> = client.get(&format!("/recovery-points?mount={MOUNT}"))?;
    let point = all.pop().filter(|_| all.len() == known).ok_or_else(|| {
        DemoError::Stuck("the store made a recovery point and does not list it".to_string())
    })?;
    let took = started.elapsed();
    narrator.step(
        Step::new(format!("became recovery point {}", short(&point.id)))
            .bytes(point.bytes)
            .took(took)
            .note(format!(
                "{} added to the repository",
                bytes(point.bytes_added)
            )),
    );
    narrator.points.push(PointFigures {
        id: point.id.clone(),
        bytes: point.bytes,
        bytes_added: point.bytes_added,
        seconds: took.as_secs_f64(),
    });
    Ok(point)
}

/// How many recovery points are made to their end; says how far the one is that is being made.
fn ended_points(client: &Client, narrator: &Narrator) -> Result<usize, DemoError> {
    let mut jobs: Vec<Job> = client.get(&format!("/jobs?mount={MOUNT}"))?;
    jobs.retain(|job| job.kind == JobKind::RecoveryPoint);
    for job in &jobs {
        if matches!(job.state, JobState::Failed | JobState::SuccessfulWithErrors) {
            return Err(DemoError::Stuck(format!(
                "job {} of the store, which makes a recovery point: {}",
                job.id, job.error_message
            )));
        }
        if job.ended.is_none() {
            let far = job.progress.as_ref().map(words).unwrap_or_default();
            narrator.progress(&format!("recovery point … {far}"));
        }
    }
    Ok(jobs.iter().filter(|job| job.ended.is_some()).count())
}

fn short(id: &str) -> &str {
    id.get(..DIGITS).unwrap_or(id)
}

/// Shows which recovery points there are, and what is in one.
pub fn show(
    stage: &mut Stage,
    narrator: &mut Narrator,
    point: &RecoveryPoint,
) -> Result<(), DemoError> {
    let id = short(&point.id);
    for (command, what) in [
        (vec!["backstay", "recovery-point", "list"], "listed"),
        (vec!["backstay", "recovery-point", "show", id], "shown"),
    ] {
        let took = stage.program(narrator, &command, "")?;
        let step = Step::new(what).typed(stage.narrated(&command)).took(took);
        narrator.quote(step, &stage.said()?, SHOWN_LINES);
    }
    Ok(())
}

/// Brings a recovery point back as files, and from them the database, by the script; then lets the ledger judge.
pub fn bring_back(
    stage: &mut Stage,
    narrator: &mut Narrator,
    point: &RecoveryPoint,
) -> Result<(), DemoError> {
    let job = restore(stage, narrator, point)?.to_string();
    let files = mount_directory(stage).join("restores").join(&job);
    let (files, logs) = (
        files.display().to_string(),
        stage.root.join("logs").display().to_string(),
    );
    let api = api(stage)?;
    let command = [
        RESTORE,
        "--local-mount",
        &files,
        "--delete-restore",
        &logs,
        &api,
        MOUNT,
        &job,
    ];
    let took = stage.program(narrator, &command, "")?;
    let scn = recovered_to(&stage.said()?).ok_or_else(|| {
        DemoError::Stuck(format!("{RESTORE} does not say to which SCN it recovered"))
    })?;
    narrator.step(
        Step::new("restored with RMAN, recovered, opened")
            .typed(stage.narrated(&command))
            .bytes(database_bytes(stage)?)
            .took(took)
            .note(format!("recovered to SCN {scn}")),
    );
    recovery::judge_at_scn(stage, narrator, scn)
}

/// The number of the job.
fn restore(
    stage: &mut Stage,
    narrator: &mut Narrator,
    point: &RecoveryPoint,
) -> Result<u64, DemoError> {
    let command = ["backstay", "recovery-point", "restore", short(&point.id)];
    let took = stage.program(narrator, &command, "")?;
    let jobs: Vec<Job> = client(stage)?.get(&format!("/jobs?mount={MOUNT}"))?;
    let job = jobs.iter().rfind(|job| job.kind == JobKind::Restore);
    let job = job.ok_or_else(|| {
        DemoError::Stuck("the store has restored and lists no job for it".to_string())
    })?;
    let restored = files_below(&mount_directory(stage).join("restores"))?;
    narrator.step(
        Step::new("the store laid its files ready")
            .typed(stage.narrated(&command))
            .bytes(restored.iter().map(|(_, bytes)| bytes).sum())
            .took(took)
            .note(format!("{} files, as restore {}", restored.len(), job.id)),
    );
    Ok(job.id)
}

/// Where the recovery ended, from the script's words.
fn recovered_to(said: &str) -> Option<Scn> {
    let rest = said.split(" is recovered to SCN ").nth(1)?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().map(Scn::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scn_is_found_in_what_the_script_says() {
        let said = "2026-11-24 04:00:00 RRS008I database SND is recovered to SCN 4711, the end of the redo that is there\n";
        assert_eq!(recovered_to(said), Some(Scn::new(4711)));
        assert_eq!(
            recovered_to("RRS008I database SND is recovered to 2026"),
            None
        );
    }
}
