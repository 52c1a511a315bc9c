//! `brarchive -f`: logs are saved as they come, from a database under load, until somebody says stop.
//! What lives here: waiting, requests from another shell, two copies in one run. What does not: what any run does with a
//! log (`brarchive`).

mod brbackup_world;
mod practice_database;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use brbackup_world::{Running, World, files_below};
use practice_database::{wait_for_commits, wait_until};
use rustix::process::Signal;

fn archive(world: &World, count: usize) {
    for _ in 0..count {
        world.database.must("alter system archive log current;");
    }
}

/// Offline redo logs below a directory, by name.
fn logs_in(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let name_of = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files_below(directory)
        .into_iter()
        .filter(|path| name_of(path).starts_with("SNDarch1_") && name_of(path).ends_with(".dbf"))
        .map(|path| (name_of(&path), fs::read(path).unwrap()))
        .collect()
}

fn originals(world: &World) -> BTreeMap<String, Vec<u8>> {
    logs_in(&world.path("saparch"))
}

fn copies(world: &World) -> BTreeMap<String, Vec<u8>> {
    logs_in(&world.path("sapbackup"))
}

/// A run that waits, which has begun to work.
fn waiting(world: &World, options: &[&str]) -> Running {
    let mut all = options.to_vec();
    all.push("-c");
    let before = world.files_below("saparch");
    let running = world.started("brarchive", &all);
    wait_until("brarchive to begin", || {
        let logs = world.files_below("saparch").into_iter();
        logs.filter(|path| !before.contains(path) && path.to_string_lossy().contains("/saparch/a"))
            .any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("BR0126I")))
    });
    running
}

fn ask(world: &World, word: &str) -> brbackup_world::Said {
    world.tool("brarchive", &["-f", word])
}

#[test]
fn logs_of_a_load_are_saved_as_they_come_whole_and_in_order() {
    let world = World::open();
    let load = world.database.load(4, 61);
    let running = waiting(&world, &["-s", "-f"]);
    for round in 1..=4 {
        wait_for_commits(&load, 60);
        archive(&world, 1);
        wait_until("the log to be saved", || copies(&world).len() >= round);
    }
    load.stop().unwrap();
    ask(&world, "stop").must_end_with(0).must_say("will end");
    let said = running.end();
    said.must_end_with(0).must_say("asked to stop");
    let (originals, copies) = (originals(&world), copies(&world));
    assert!(copies.len() >= 4);
    for (name, copy) in &copies {
        assert!(
            originals.get(name) == Some(copy),
            "{name} was taken before it was finished\n{}",
            said.text
        );
    }
    let sequence = |name: &str| -> u32 {
        let digits = name.split('_').nth(1).unwrap();
        digits.trim_end_matches(".dbf").parse().unwrap()
    };
    let order: Vec<u32> = said
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("#ARCHIVE.. "))
        .map(|path| sequence(path.rsplit('/').next().unwrap()))
        .collect();
    assert_eq!(order.len(), copies.len());
    assert!(order.is_sorted(), "{order:?}");
    assert!(!world.path("saparch/.request.bra").exists());
    assert!(!world.path("saparch/.lock.bra").exists());
}

#[test]
fn so_many_are_waited_for_and_at_most_so_many_are_saved() {
    let world = World::open();
    archive(&world, 1);
    let there = originals(&world).len();
    let (group, most) = (there + 1, there + 3);
    let running = waiting(
        &world,
        &["-sd", "-f", &group.to_string(), "-n", &most.to_string()],
    );
    ask(&world, "suspend").must_end_with(0);
    ask(&world, "resume").must_end_with(0);
    assert!(copies(&world).is_empty(), "too few are there");
    archive(&world, 1);
    wait_until("the first group", || copies(&world).len() == group);
    // The run may end after two more, which are fewer than a group.
    archive(&world, 3);
    let said = running.end();
    said.must_end_with(0).must_say("BR0012I 2 next offline");
    assert_eq!(copies(&world).len(), most);
    assert_eq!(originals(&world).len(), 1, "one is for the next run");
}

#[test]
fn suspended_it_takes_nothing_until_it_may_go_on() {
    let world = World::open();
    let running = waiting(&world, &["-s", "-f"]);
    ask(&world, "suspend").must_end_with(0).must_say("resume");
    let log_of = |tail: &str| {
        files_below(&world.path("saparch"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "sve"))
            .any(|path| fs::read_to_string(path).unwrap().contains(tail))
    };
    wait_until("the run to wait", || log_of("asked to wait"));
    let before = copies(&world).len();
    archive(&world, 2);
    let seen = copies(&world).len();
    ask(&world, "resume").must_end_with(0).must_say("goes on");
    wait_until("the logs to be saved", || copies(&world).len() >= seen + 2);
    assert_eq!(seen, before);
    ask(&world, "stop").must_end_with(0);
    running.end().must_end_with(0).must_say("asked to go on");
}

#[test]
fn nobody_there_is_a_warning_and_an_unknown_word_is_refused() {
    let world = World::open();
    for word in ["stop", "suspend", "resume"] {
        ask(&world, word)
            .must_end_with(1)
            .must_say("no run holds lock")
            .must_say(".fst");
    }
    ask(&world, "halt")
        .must_end_with(3)
        .must_say("BR0156E")
        .must_say("stop, suspend or resume");
    world
        .tool("brarchive", &["-s", "-f", "-q"])
        .must_end_with(3)
        .must_say("-f contradicts -q");
}

#[test]
fn a_damaged_log_raises_one_alarm_and_the_others_are_saved() {
    let world = World::open();
    archive(&world, 2);
    let (name, mut bytes) = originals(&world).pop_first().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    let path = world.path("saparch").join(&name);
    fs::write(&path, &bytes).unwrap();
    let running = waiting(&world, &["-sd", "-f"]);
    wait_until("the good one", || !copies(&world).is_empty());
    archive(&world, 1);
    wait_until("the next one", || copies(&world).len() == 2);
    ask(&world, "stop").must_end_with(0);
    let said = running.end();
    said.must_end_with(5);
    assert_eq!(said.text.matches("BR9010E").count(), 1, "{}", said.text);
    assert_eq!(fs::read(&path).unwrap(), bytes, "its original stays");
}

#[test]
fn a_signal_and_a_kill_while_waiting_leave_nothing_that_hinders_the_next_run() {
    let world = World::open();
    let running = waiting(&world, &["-s", "-f"]);
    running.signal(Signal::TERM);
    running
        .end()
        .must_end_with(4)
        .must_say("cancelled by signal 15");
    assert!(!world.path("saparch/.request.bra").exists());
    let running = waiting(&world, &["-s", "-f"]);
    ask(&world, "suspend").must_end_with(0);
    running.signal(Signal::KILL);
    running.end().must_be_killed();
    ask(&world, "stop").must_end_with(1);
    archive(&world, 1);
    let next = world.tool("brarchive", &["-s", "-c"]);
    next.must_end_with(0).must_say("BR9001I");
    assert_eq!(copies(&world), originals(&world));
}

#[test]
fn the_database_may_go_down_and_come_back_meanwhile() {
    let world = World::open();
    let running = waiting(&world, &["-s", "-f"]);
    archive(&world, 1);
    wait_until("the first", || !copies(&world).is_empty());
    world.database.must("shutdown immediate");
    world.database.must("startup");
    archive(&world, 1);
    wait_until("all of them", || copies(&world).len() >= 2);
    ask(&world, "stop").must_end_with(0);
    running.end().must_end_with(0);
    for (name, copy) in copies(&world) {
        assert!(originals(&world).get(&name) == Some(&copy), "{name}");
    }
}

#[test]
fn two_copies_of_a_new_log_and_the_second_of_a_saved_one() {
    let world = World::open();
    let (first, second, profile) = world.two_places();
    let run = |function: &str| world.tool("brarchive", &[function, "-p", &profile, "-c"]);
    archive(&world, 2);
    let two = originals(&world);
    run("-ss").must_end_with(0);
    assert_eq!(
        (logs_in(&first), logs_in(&second)),
        (two.clone(), two.clone())
    );
    assert_eq!(originals(&world), two);
    run("-ds").must_end_with(0);

    archive(&world, 1);
    let third = originals(&world);
    run("-cs").must_end_with(0);
    assert_eq!(logs_in(&second), two, "a new one has one copy");
    archive(&world, 1);
    let mut fourth = originals(&world);
    fourth.retain(|name, _| !third.contains_key(name));
    run("-cds").must_end_with(0);
    assert_eq!(
        originals(&world),
        fourth,
        "the saved one was copied and deleted"
    );
    let copied: BTreeMap<_, _> = two.into_iter().chain(third).collect();
    assert_eq!(logs_in(&second), copied);
    let saved: BTreeMap<_, _> = copied.into_iter().chain(fourth).collect();
    assert_eq!(logs_in(&first), saved);

    archive(&world, 1);
    let fifth = originals(&world).pop_last().unwrap();
    run("-ssd").must_end_with(0);
    assert!(!originals(&world).contains_key(&fifth.0));
    assert_eq!(logs_in(&first).get(&fifth.0), Some(&fifth.1));
    assert_eq!(logs_in(&second).get(&fifth.0), Some(&fifth.1));
}
