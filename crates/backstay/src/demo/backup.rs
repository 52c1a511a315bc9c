//! The backups of the demo, with the load running.
//! What lives here: calling brbackup and brarchive and weighing what they made. What does not: how they do it.

use super::disaster::files_below;
use super::load::commits;
use super::narrator::{Narrator, Step, thousands};
use super::stage::{DemoError, Stage, shown};

/// Backs up all data files online, then the offline redo logs.
pub fn online(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let command = [
        "brbackup", "-u", "/", "-t", "online", "-d", "disk", "-m", "all", "-c", "-a", "-sd", "-c",
    ];
    call(stage, narrator, &command, "backed up online, logs included")
}

/// Switches the redo log and saves and deletes what is offline then.
pub fn archive_logs(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let switch = "alter system archive log current;";
    stage.sqlplus(narrator, switch, "archived the current redo log")?;
    let command = ["brarchive", "-u", "/", "-sd", "-d", "disk", "-c"];
    call(stage, narrator, &command, "saved the offline redo logs")
}

fn call(
    stage: &mut Stage,
    narrator: &mut Narrator,
    command: &[&str],
    what: &str,
) -> Result<(), DemoError> {
    let (before, commits_before) = (backup_bytes(stage)?, commits(stage));
    let took = stage.program(narrator, command, "")?;
    let bytes = backup_bytes(stage)?.saturating_sub(before);
    let meanwhile = format!(
        "{} commits meanwhile",
        thousands(commits(stage) - commits_before)
    );
    narrator.step(
        Step::new(what)
            .typed(shown(command))
            .bytes(bytes)
            .took(took)
            .note(meanwhile),
    );
    Ok(())
}

/// Bytes that the tools keep: everything below sapbackup.
fn backup_bytes(stage: &Stage) -> Result<u64, DemoError> {
    Ok(files_below(&stage.home.join("sapbackup"))?
        .into_iter()
        .map(|(_, bytes)| bytes)
        .sum())
}
