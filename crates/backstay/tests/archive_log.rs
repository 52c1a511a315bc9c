//! `backstay archive-log rebuild`: `arch<SID>.log` lost or damaged, and made anew from what the runs left.
//! What lives here: that brarchive and brrestore go on as if nothing had happened. What does not: brarchive itself.

mod brbackup_world;
mod practice_database;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use brbackup_world::World;

fn rebuild(world: &World, options: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .args(["archive-log", "rebuild"])
        .args(options)
        .env("ORACLE_HOME", world.home())
        .env("SAPDATA_HOME", world.home())
        .env("ORACLE_SID", "SND")
        .env_remove("TWO_TASK")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn archive(world: &World, count: usize) {
    for _ in 0..count {
        world.database.must("alter system archive log current;");
    }
}

/// A database whose logs have been saved, copied a second time, deleted, in several runs.
fn world_with_history() -> (World, String) {
    let world = World::open();
    let (_, _, profile) = world.two_places();
    for function in ["-s", "-cds", "-ss", "-sd"] {
        archive(&world, 2);
        world
            .tool("brarchive", &[function, "-p", &profile, "-c"])
            .must_end_with(0);
    }
    (world, profile)
}

fn log_of(world: &World) -> PathBuf {
    world.path("saparch/archSND.log")
}

/// The lines without what only the lost log knew: the times at which originals were written and copies were complete.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let is_time = |word: &str| {
                word.len() == 10 && word.as_bytes()[4] == b'-'
                    || word.len() == 8 && word.as_bytes()[2] == b'.'
            };
            line.split(' ')
                .filter(|word| !is_time(word))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn a_lost_log_comes_back_as_it_was_and_the_next_run_knows_what_is_saved() {
    let (world, profile) = world_with_history();
    let before = fs::read_to_string(log_of(&world)).unwrap();
    fs::remove_file(log_of(&world)).unwrap();
    world
        .tool("brarchive", &["-q", "-p", &profile])
        .must_end_with(1)
        .must_say("backstay archive-log rebuild");
    let (code, said) = rebuild(&world, &["--dry-run"]);
    assert_eq!(code, 0, "{said}");
    assert!(!log_of(&world).exists());
    let (code, said) = rebuild(&world, &[]);
    assert_eq!(code, 0, "{said}");
    let after = fs::read_to_string(log_of(&world)).unwrap();
    assert_eq!(lines(&after), lines(&before));
    world
        .tool("brarchive", &["-s", "-p", &profile, "-c"])
        .must_end_with(1)
        .must_say("BR0013W");
    let wanted = world.path("restored");
    fs::create_dir(&wanted).unwrap();
    let all = format!("1-3={}", wanted.display());
    world
        .tool("brrestore", &["-a", &all, "-p", &profile, "-c", "force"])
        .must_end_with(0);
    assert_eq!(fs::read_dir(&wanted).unwrap().count(), 3);
}

#[test]
fn a_damaged_log_stops_brarchive_and_is_kept_beside_the_new_one() {
    let (world, profile) = world_with_history();
    let good = fs::read_to_string(log_of(&world)).unwrap();
    let damaged = good.replacen("#SAVED...", "#SAVED... ?", 1);
    fs::write(log_of(&world), &damaged).unwrap();
    world
        .tool("brarchive", &["-s", "-p", &profile, "-c"])
        .must_end_with(3)
        .must_say("BR0123E")
        .must_say("backstay archive-log rebuild");
    let (code, said) = rebuild(&world, &["--json"]);
    assert_eq!(code, 0, "{said}");
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        fs::read_to_string(told["kept"].as_str().unwrap()).unwrap(),
        damaged
    );
    let after = fs::read_to_string(log_of(&world)).unwrap();
    assert_eq!(lines(&after), lines(&good));
}

#[test]
fn what_cannot_be_vouched_for_is_left_out_by_name_and_saved_again() {
    let (world, profile) = world_with_history();
    archive(&world, 1);
    world
        .tool("brarchive", &["-s", "-p", &profile, "-c"])
        .must_end_with(0);
    let copies = world.files_below("first").into_iter();
    let copy = copies
        .filter(|path| path.extension().is_some_and(|end| end == "dbf"))
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap())
        .expect("a copy");
    let mut bytes = fs::read(&copy).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&copy, bytes).unwrap();
    let (code, said) = rebuild(&world, &[]);
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!("left out: {}", copy.display())),
        "{said}"
    );
    world
        .tool("brarchive", &["-s", "-p", &profile, "-c"])
        .must_end_with(0)
        .must_say("BR0202I");
}

#[test]
fn nothing_to_make_it_from_and_a_brarchive_at_work_are_refused() {
    let world = World::open();
    let (code, said) = rebuild(&world, &[]);
    assert_eq!(code, 1);
    assert!(said.contains("no detail log of brarchive is in "), "{said}");
    archive(&world, 2);
    let running = world.stopped_at("brarchive", &["-s", "-c"], "archive-between-logs");
    let before = fs::read_to_string(log_of(&world)).unwrap();
    let (code, said) = rebuild(&world, &[]);
    assert_eq!(code, 1);
    assert!(
        said.contains("holds lock") && said.contains("HINT: "),
        "{said}"
    );
    assert_eq!(fs::read_to_string(log_of(&world)).unwrap(), before);
    running.go_on().must_end_with(0);
}
