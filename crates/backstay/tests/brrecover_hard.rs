//! Recoveries that an unlucky administrator meets: damaged copies, two lives of one sequence, a RESETLOGS in between.
//! What lives here: what must be found, refused or gone around. What does not: the plain way back (`brrecover`).

mod practice_database;
mod recovery_world;

use std::fs;
use std::path::{Path, PathBuf};

use practice::judge::Target;
use practice_database::wait_for_commits;
use recovery_world::{COMPLETE, World, files_in, find_below, text};

const BACKUP: [&str; 10] = [
    "-t", "online", "-d", "disk", "-m", "all", "-c", "-a", "-sd", "-c",
];
const OFFLINE: [&str; 7] = ["-t", "offline", "-d", "disk", "-m", "full", "-c"];

fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn status(world: &World) -> String {
    let said = world
        .database
        .must("set pagesize 0 feedback off\nselect status from v$instance;");
    said.trim().to_owned()
}

/// Some commits in a log of their own.
fn some_work(world: &World, seed: u64) {
    let load = world.database.load(2, seed);
    wait_for_commits(&load, 30);
    load.stop().unwrap();
    world.database.must("alter system archive log current;");
}

/// A log that ended after everything so far, two seconds later, so that a target in it is clearly behind the backup.
fn last_log(world: &World) -> u32 {
    wait_for_next_second();
    some_work(world, 99);
    let said = world
        .database
        .must("set pagesize 0 feedback off\nselect max(sequence#) from v$archived_log;");
    said.trim()
        .parse()
        .unwrap_or_else(|_| panic!("no sequence: {said}"))
}

/// Oracle's times are whole seconds.
fn wait_for_next_second() {
    let now = oracle::time::OracleTime::now();
    practice_database::wait_until("the next second", || oracle::time::OracleTime::now() > now);
}

fn copy_in(world: &World, backup: &str, name: &str) -> PathBuf {
    let directory = world.database.home.join("sapbackup").join(backup);
    find_below(&directory, name.as_ref()).unwrap()
}

fn id_of(said: &str) -> String {
    let line = said
        .lines()
        .find(|line| line.contains("Start of database backup: "))
        .unwrap();
    line.split(": ").nth(1).unwrap()[..8].to_owned()
}

#[test]
fn a_query_leaves_the_instance_as_it_is() {
    let mut world = World::backed_up();
    world.more_load(50);
    let last = last_log(&world).to_string();
    let plan = world.must("brrecover", &["-t", "complete", "-q"]);
    assert!(plan.contains("is open"), "{plan}");
    world.must("brrecover", &["-t", "dbpit", "-n", &last, "-q"]);
    assert_eq!(status(&world), "OPEN");
    // Not even one that turns out to be impossible shuts it down.
    let refused = world.tool("brrecover", &["-t", "dbpit", "-n", "1", "-c", "force"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert_eq!(status(&world), "OPEN");
    let lost = world.database.datafiles()[1].clone();
    world.lose(std::slice::from_ref(&lost));
    let plan = world.must("brrecover", &["-t", "complete", "-q"]);
    assert!(plan.contains("restore data file"), "{plan}");
    assert!(
        world.database.server().is_none(),
        "mounted for looking, and down again"
    );
    assert!(!lost.exists());
}

#[test]
fn a_damaged_copy_is_gone_around_with_an_older_backup() {
    let mut world = World::backed_up();
    let second = world.must("brbackup", &BACKUP);
    world.more_load(100);
    damage(&copy_in(&world, &id_of(&second), "40bd.data1"));
    let lost = world.database.datafiles();
    world.lose(&lost);
    let said = world.tool("brrecover", &COMPLETE);
    assert_eq!(said.status.code(), Some(1), "{}", text(&said));
    assert!(
        text(&said).contains("another copy of it is looked for"),
        "{}",
        text(&said)
    );
    world.must_be_whole(Target::Everything);
}

#[test]
fn a_damaged_copy_is_found_before_a_file_that_is_there_is_replaced() {
    let mut world = World::backed_up();
    world.more_load(100);
    let last = last_log(&world).to_string();
    damage(
        &find_below(
            &world.database.home.join("sapbackup"),
            "40bi.data2".as_ref(),
        )
        .unwrap(),
    );
    world.database.must("shutdown immediate");
    let before: Vec<Vec<u8>> = world
        .database
        .datafiles()
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    let said = world.tool("brrecover", &["-t", "dbpit", "-n", &last, "-c", "force"]);
    assert_eq!(said.status.code(), Some(5), "{}", text(&said));
    let after: Vec<Vec<u8>> = world
        .database
        .datafiles()
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    assert!(before == after, "files were replaced:\n{}", text(&said));
}

#[test]
fn a_damaged_log_is_gone_around_with_its_saved_copy() {
    let mut world = World::backed_up();
    world.database.must("alter system archive log current;");
    world.more_load(50);
    world.database.must("alter system archive log current;");
    world.must("brarchive", &["-s", "-c"]);
    // The online groups must not offer the same logs once more.
    world
        .database
        .must(&"alter system archive log current;\n".repeat(7));
    damage(&world.database.home.join("saparch/SNDarch1_4.dbf"));
    let lost = world.database.datafiles();
    world.lose(&lost);
    let said = world.must("brrecover", &COMPLETE);
    assert!(said.contains("is not used"), "{said}");
    world.must_be_whole(Target::Everything);
}

#[test]
fn an_offline_file_comes_online_again() {
    let mut world = World::backed_up();
    world.more_load(50);
    world
        .database
        .must("alter database datafile 2 offline;\nalter system archive log current;");
    let said = world.must("brrecover", &COMPLETE);
    assert!(said.contains("ALTER DATABASE DATAFILE 2 ONLINE"), "{said}");
    world.must_be_whole(Target::Everything);
    some_work(&world, 8);
    world.must_be_whole(Target::Everything);
}

#[test]
fn an_old_state_from_an_offline_backup_is_not_taken_for_all_there_is() {
    let mut world = World::backed_up();
    world.more_load(50);
    world.must("brbackup", &OFFLINE);
    for seed in 20..28 {
        some_work(&world, seed);
    }
    world.must("brarchive", &["-sd", "-d", "disk", "-c"]);
    let mut lost = world.database.datafiles();
    lost.extend(world.control_files());
    lost.extend(world.online_logs());
    world.lose(&lost);
    world.must("brrestore", &["-b", "last", "-m", "full", "-c", "force"]);
    let refused = world.tool("brrecover", &COMPLETE);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("are an old state"), "{said}");
    let last = said
        .split("-t dbpit -n ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    world.must("brrecover", &["-t", "dbpit", "-n", last, "-c", "force"]);
    world.must_be_whole(Target::Everything);
}

#[test]
fn of_two_lives_of_one_sequence_the_later_is_recovered() {
    let mut world = World::backed_up();
    world.more_load(50);
    let offline = world.must("brbackup", &OFFLINE);
    // The first life; its ledger is given up with it.
    let ledger = fs::read(world.database.ledger()).unwrap();
    for seed in 30..33 {
        some_work(&world, seed);
    }
    world.must("brarchive", &["-sd", "-d", "disk", "-c"]);
    world.database.must("shutdown immediate");
    let log = format!("{}.{}", id_of(&offline), "fff");
    let log = if world.database.home.join("sapbackup").join(&log).exists() {
        log
    } else {
        name_of_log(&world, &id_of(&offline))
    };
    let restored = world.tool("brrestore", &["-b", &log, "-m", "full", "-c", "force"]);
    // With a warning: the online redo logs of the first life are replaced.
    assert_eq!(restored.status.code(), Some(1), "{}", text(&restored));
    // Where two lives come to one SCN, the times of the log switches tell them apart; a restore takes longer than this.
    wait_for_next_second();
    world.database.must("startup");
    fs::write(world.database.ledger(), ledger).unwrap();
    for seed in 40..50 {
        some_work(&world, seed);
    }
    world.must("brarchive", &["-sd", "-d", "disk", "-c"]);
    let lost = world.database.datafiles();
    world.lose(&lost);
    world.must("brrecover", &COMPLETE);
    world.must_be_whole(Target::Everything);
}

fn name_of_log(world: &World, id: &str) -> String {
    let logs = files_in(&world.database.home.join("sapbackup"));
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    logs.iter()
        .filter(|path| path.is_file())
        .map(name)
        .find(|name| name.starts_with(id))
        .unwrap()
}

#[test]
fn no_recovery_goes_past_a_resetlogs_on_the_side_that_was_given_up() {
    let mut world = World::backed_up();
    world.more_load(100);
    let last = last_log(&world).to_string();
    some_work(&world, 60);
    world.must("brrecover", &["-t", "dbpit", "-n", &last, "-c", "force"]);
    wait_for_next_second();
    world
        .database
        .must(&"alter system archive log current;\n".repeat(3));
    let scn = world
        .database
        .must("set pagesize 0 feedback off\nselect current_scn from v$database;");
    world
        .database
        .must(&"alter system checkpoint;\nalter system archive log current;\n".repeat(2));
    for target in [
        ["-t", "dbpit", "-g", scn.trim()],
        ["-t", "dbpit", "-n", "3"],
    ] {
        let refused = world.tool("brrecover", &[&target[..], &["-c", "force"]].concat());
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
        assert!(
            text(&refused).contains("older than the RESETLOGS"),
            "{}",
            text(&refused)
        );
    }
    assert_eq!(status(&world), "OPEN");
    let lost = world.database.datafiles();
    world.lose(&lost);
    let refused = world.tool("brrecover", &COMPLETE);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(
        text(&refused).contains("keep all files and redo logs"),
        "{}",
        text(&refused)
    );
}

#[test]
fn a_recovery_that_a_killed_run_left_open_is_no_hindrance() {
    let mut world = World::backed_up();
    world
        .database
        .must(&"alter system archive log current;\n".repeat(7));
    world.more_load(50);
    world.must("brarchive", &["-sd", "-c"]);
    let lost = world.database.datafiles();
    world.lose(&lost);
    // As far as a killed run comes: files restored, recovery begun and waiting for a log that is not there yet.
    world.must("brrestore", &["-b", "last", "-m", "all", "-c", "force"]);
    let (_, said) = world
        .database
        .sqlplus("startup mount\nalter database recover database;");
    assert!(said.contains("ORA-00279"), "{said}");
    world.must("brrecover", &COMPLETE);
    world.must_be_whole(Target::Everything);
}
