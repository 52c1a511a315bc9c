//! `backstay explain` with the logs of real runs.
//! What lives here: what a user reads and what a program gets. What does not: each id and message (`brtools::explain`).

mod brbackup_world;
mod practice_database;

use std::process::Command;

use brbackup_world::World;

fn explain(words: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .arg("explain")
        .args(words)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The detail log of a run.
fn log_of(world: &World, id: &str) -> String {
    let logs = world.files_below("sapbackup").into_iter();
    let mut logs = logs.chain(world.files_below("saparch"));
    let log = logs.find(|path| {
        let parent = path.parent().and_then(|parent| parent.file_name());
        path.file_stem().is_some_and(|stem| stem == id) && parent.is_some_and(|name| name != id)
    });
    log.expect("a detail log").display().to_string()
}

#[test]
fn a_backup_that_went_well_and_one_that_was_killed_are_told_apart() {
    let world = World::open();
    let good = world.backup();
    good.must_end_with(0);
    let (code, said, errors) = explain(&[&log_of(&world, &good.id())]);
    assert_eq!((code, errors.as_str()), (0, ""));
    for part in [
        "BRBACKUP, backup of the whole database, online, to disk, started 20",
        "It worked from 20",
        "It saved 9 files to ",
        "9 of them with a hash",
        "It ended well (return code 0).",
    ] {
        assert!(said.contains(part), "'{part}' is not in\n{said}");
    }

    let killed = world.tool_at("brbackup", &brbackup_world::ALL, "between-files");
    killed.must_be_killed();
    let (code, said, _) = explain(&[&log_of(&world, &killed.id())]);
    assert_eq!(code, 0);
    assert!(said.contains("its end is not in the log"), "{said}");
    assert!(
        said.contains("it was killed, or is still at work"),
        "{said}"
    );
}

#[test]
fn warnings_come_with_their_hints_also_for_programs() {
    let world = World::open();
    let said = world.tool("brarchive", &["-ds", "-c"]);
    said.must_end_with(1);
    let (code, document, _) = explain(&["--json", &log_of(&world, &said.id())]);
    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let remark = &document[0]["remarks"][0];
    assert_eq!(remark["severity"], "W");
    assert!(remark["line"].as_str().unwrap().starts_with("BR0013W"));
    assert!(!remark["hint"].as_str().unwrap().is_empty());
}

#[test]
fn words_are_told_and_an_unknown_one_does_not_hold_up_the_others() {
    let (code, said, errors) = explain(&["bczhvugd", "nonsense!", "BR0013W", "4295622664"]);
    assert_eq!(code, 1);
    for part in [
        "bczhvugd: a run of BRBACKUP",
        "BR0013W No offline redo log files",
        "HINT: ",
        "4295622664: Backup mount exceeded max pending snapshots",
    ] {
        assert!(said.contains(part), "'{part}' is not in\n{said}");
    }
    assert!(errors.contains("'nonsense!' is no action id"), "{errors}");
    assert!(errors.contains("HINT: "), "{errors}");
}
