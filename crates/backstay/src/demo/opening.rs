//! The opening of the demo: a database is created and started.
//! What lives here: these two steps. What does not: the load on it.

use super::narrator::{Narrator, Step};
use super::stage::{DemoError, SID, Stage, shown};

/// Creates the practice database.
pub fn create_database(
    stage: &mut Stage,
    narrator: &mut Narrator,
    size: u64,
) -> Result<(), DemoError> {
    narrator.say(&format!(
        "A practice database in {}\n",
        stage.root.display()
    ));
    let home = stage.home.display().to_string();
    let size_text = format!("{}MiB", size >> 20);
    let command = [
        "backstay", "practice", "create", "--home", &home, "--sid", SID, "--size", &size_text,
    ];
    let took = stage.program(narrator, &command, "")?;
    let bytes = super::disaster::database_bytes(stage)?;
    narrator.step(
        Step::new("created the database")
            .typed(shown(&command))
            .bytes(bytes)
            .took(took),
    );
    Ok(())
}

/// Starts it with sqlplus.
pub fn start_database(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let took = stage.program(
        narrator,
        &["sqlplus", "-S", "/", "as", "sysdba"],
        "whenever sqlerror exit failure\nstartup\nexit\n",
    )?;
    narrator.step(
        Step::new("started it")
            .typed("sqlplus / as sysdba <<< startup")
            .took(took),
    );
    Ok(())
}
