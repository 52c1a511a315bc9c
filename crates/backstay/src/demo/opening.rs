//! The opening of the demo: a database is created and started.
//! What lives here: these two steps. What does not: the load on it.

use super::disaster::database_bytes;
use super::narrator::{Narrator, Step};
use super::stage::{DemoError, Stage, shown};

/// Says where everything happens; the commands that follow work after these.
pub fn set_the_scene(stage: &Stage, narrator: &mut Narrator) {
    for command in stage.exports() {
        narrator.say(&format!("$ {command}"));
    }
}

/// Creates the practice database.
pub fn create_database(
    stage: &mut Stage,
    narrator: &mut Narrator,
    size: u64,
) -> Result<(), DemoError> {
    let size = format!("{}MiB", size >> 20);
    let home = stage.home.display().to_string();
    let command = [
        "backstay", "practice", "create", "--size", &size, "--home", &home,
    ];
    let took = stage.program(narrator, &command, "")?;
    let bytes = database_bytes(stage)?;
    let typed = shown(&command[..6]) + " $ORACLE_HOME";
    let step = Step::new("created the database").typed(typed);
    narrator.step(step.bytes(bytes).took(took));
    Ok(())
}

/// Starts it with sqlplus.
pub fn start_database(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    stage.sqlplus(narrator, "startup", "started it")
}
