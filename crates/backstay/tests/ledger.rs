//! A ledger over the life of its database, by the commands that a newcomer types.
//! What lives here: when there is a verdict and when a hint. What does not: what the judge finds.

mod practice_database;
mod recovery_world;

use std::path::Path;
use std::process::{Command, Output};

use practice_database::wait_for_commits;
use recovery_world::{World, text};

/// `backstay practice …` on the world's database.
fn practice(world: &World, arguments: &[&str], ledger: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backstay"))
        .arg("practice")
        .args(arguments)
        .arg("--ledger")
        .arg(ledger)
        .env("ORACLE_HOME", &world.database.home)
        .env("ORACLE_SID", "SND")
        .output()
        .expect("backstay that can be started")
}

fn scn(world: &World) -> String {
    let said = world
        .database
        .must("set heading off feedback off pagesize 0\nselect current_scn from v$database;");
    said.trim().to_string()
}

#[test]
fn a_ledger_goes_on_after_a_recovery_to_a_point_in_time() {
    let mut world = World::backed_up();
    let ledger = world.database.ledger();
    wait_for_commits(world.load.as_ref().expect("a running load"), 50);
    let running = practice(&world, &["verify"], &ledger);
    assert_eq!(running.status.code(), Some(2), "{}", text(&running));
    assert!(text(&running).contains("HINT: stop the workload first"));

    let scn = scn(&world);
    world.more_load(50);
    world.lose(&world.database.datafiles());
    world.must("brrecover", &["-t", "dbpit", "-g", &scn, "-c", "force"]);
    let to_scn = practice(&world, &["verify", "--until-scn", &scn], &ledger);
    assert!(to_scn.status.success(), "{}", text(&to_scn));
    let before = practice(&world, &["verify"], &ledger);
    assert_eq!(before.status.code(), Some(1), "{}", text(&before));

    let too_early = practice(&world, &["workload", "--transactions", "1"], &ledger);
    assert_eq!(too_early.status.code(), Some(1), "{}", text(&too_early));
    assert!(text(&too_early).contains("practice ledger cut"));
    let second = ledger.with_file_name("second");
    let refused = practice(&world, &["workload", "--transactions", "1"], &second);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("HINT: go on with the ledger"));

    let cut = practice(&world, &["ledger", "cut", "--until-scn", &scn], &ledger);
    assert!(cut.status.success(), "{}", text(&cut));
    let load = practice(&world, &["workload", "--transactions", "100"], &ledger);
    assert!(load.status.success(), "{}", text(&load));
    let after = practice(&world, &["verify"], &ledger);
    assert!(after.status.success(), "{}", text(&after));
}
