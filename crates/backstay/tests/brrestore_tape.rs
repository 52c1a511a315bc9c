//! brrestore from tape: volumes in turn, files by their positions, redo logs, and what is wrong with a tape.
//! What lives here: the way back from tape. What does not: the way there (`brbackup_tape`, `brarchive_tape`).

mod brbackup_world;
mod practice_database;
mod tape_world;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tape_world::Site;

/// The data files with their content.
fn datafiles(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    ["sapdata1", "sapdata2", "sapdata3"]
        .iter()
        .flat_map(|directory| site.world.files_below(directory))
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end.to_string_lossy().starts_with("data"))
        })
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn shut_down(site: &Site) {
    site.world.database.must("shutdown immediate;");
}

#[test]
fn a_database_comes_back_from_its_tape() {
    let site = Site::new("");
    site.label("a", "SNDB01");
    shut_down(&site);
    site.run("brbackup", &["-t", "offline", "-c"])
        .must_end_with(0);
    let before = datafiles(&site);
    assert_eq!(before.len(), 7);
    for path in before.keys() {
        fs::remove_file(path).unwrap();
    }
    let said = site.run("brrestore", &["-m", "all", "-c", "force"]);
    said.must_end_with(0)
        .must_say("BR0208I Volume with name SNDB01 required in device")
        .must_say("#RESTORED. system.data1 SNDB01/4");
    assert!(datafiles(&site) == before);
    // Written by dd it has no name on the tape: the hash of its backup says what it is.
    let lines = format!(
        "{}\ntape_copy_cmd = dd\nexpir_period = 0",
        fs::read_to_string(site.path("dbs").join(&site.profile)).unwrap()
    );
    let profile = site.world.profile_with("initDD.sap", &lines);
    let said = site.world.tool(
        "brbackup",
        &["-p", &profile, "-t", "offline", "-c", "-v", "SNDB01"],
    );
    said.must_end_with(0);
    let before = datafiles(&site);
    for path in before.keys() {
        fs::remove_file(path).unwrap();
    }
    site.world
        .tool("brrestore", &["-p", &profile, "-m", "all", "-c", "force"])
        .must_end_with(0);
    assert!(datafiles(&site) == before);
    site.world.database.must("startup");
}

#[test]
fn a_damaged_tape_a_wrong_one_and_no_drive_are_told_and_nothing_is_replaced() {
    let site = Site::new("");
    site.label("a", "SNDB01");
    shut_down(&site);
    site.run("brbackup", &["-t", "offline", "-m", "system", "-c"])
        .must_end_with(0);
    let before = datafiles(&site);
    let restore = || site.run("brrestore", &["-m", "system", "-c", "force"]);
    site.world
        .tool(
            "brrestore",
            &[
                "-d",
                "disk",
                "-m",
                "system",
                "-c",
                "force",
                "-p",
                &site.profile,
            ],
        )
        .must_end_with(3)
        .must_say("is on tape, SNDB01/4");
    site.label("b", "SNDB02");
    restore()
        .must_end_with(5)
        .must_say("BR0216E")
        .must_say("SNDB01 is required");
    site.load("a");
    let tape = site.path("a/0004");
    let good = fs::read(&tape).unwrap();
    let mut bad = good.clone();
    bad[100_000] ^= 1;
    fs::write(&tape, &bad).unwrap();
    restore()
        .must_end_with(5)
        .must_say("BR9027E")
        .must_say("BR0359E");
    fs::write(&tape, &good[..200_000]).unwrap();
    restore().must_end_with(5).must_say("BR9027E");
    fs::copy(site.path("a/0002"), &tape).unwrap();
    restore()
        .must_end_with(5)
        .must_say("stands there, not system.data1");
    assert!(datafiles(&site) == before);
    fs::write(&tape, &good).unwrap();
    restore().must_end_with(0);
    assert!(datafiles(&site) == before);
}

#[test]
fn redo_logs_come_back_from_tape_by_their_numbers() {
    let site = Site::new("");
    site.load("a");
    site.run("brarchive", &["-i", "force", "-v", "SNDA01", "-c"])
        .must_end_with(1);
    for _ in 0..3 {
        site.world
            .database
            .must("alter system archive log current;");
    }
    let logs: Vec<(PathBuf, Vec<u8>)> = site
        .world
        .files_below("saparch")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "dbf"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    site.run("brarchive", &["-sd", "-c"]).must_end_with(0);
    site.run("brrestore", &["-a", "1-3", "-c", "force"])
        .must_end_with(0);
    for (path, content) in &logs[..3] {
        assert!(fs::read(path).unwrap() == *content, "{}", path.display());
    }
}
