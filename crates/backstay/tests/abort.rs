//! `-g stop|term|kill`: runs of brbackup and brarchive ended from another shell.
//! What lives here: each way at work. What does not: signals and kills that come from elsewhere (`brbackup_killed`).

mod brbackup_world;
mod practice_database;

use std::fs;

use brbackup_world::{ALL, Running, World};
use practice_database::wait_until;

const OFFLINE: [&str; 7] = ["-t", "offline", "-d", "disk", "-m", "all", "-c"];

/// No copying tool of this world's home works any more.
#[track_caller]
fn must_have_no_orphan(world: &World) {
    let home = world.home().display().to_string();
    let copies = |command: &str| {
        let words: Vec<&str> = command.split('\0').collect();
        words
            .first()
            .is_some_and(|tool| ["cp", "dd", "sh"].contains(tool))
            && words.iter().any(|word| word.contains(&home))
    };
    wait_until("copying tools to be gone", || {
        let processes = fs::read_dir("/proc").unwrap();
        !processes
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
            .any(|command| copies(&command))
    });
}

/// Waits until SIGTERM waits for a stopped tool to go on.
fn wait_for_term(running: &Running) {
    let status = format!("/proc/{}/status", running.pid());
    wait_until("SIGTERM to be sent", || {
        let text = fs::read_to_string(&status).unwrap();
        let pending = text.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        let bits = u64::from_str_radix(pending.unwrap().trim(), 16).unwrap();
        bits & (1 << 14) != 0
    });
}

#[track_caller]
fn must_be_put_right(world: &World) {
    world.must_have_no_backup_mode();
    must_have_no_orphan(world);
    for name in [
        "sapbackup/.lock.brb",
        "sapbackup/.request.brb",
        "saparch/.lock.bra",
    ] {
        assert!(!world.path(name).exists(), "{name}");
    }
    assert_eq!(world.offered(), None, "a backup that was ended is offered");
}

#[test]
fn stop_lets_the_copy_at_work_end_and_begins_no_other() {
    let world = World::open();
    for options in [&ALL, &OFFLINE] {
        let running = world.stopped_at("brbackup", options, "inside-copy");
        world
            .tool("brbackup", &["-g", "stop"])
            .must_end_with(0)
            .must_say(".bab")
            .must_say("will end after");
        let said = running.go_on();
        said.must_end_with(4).must_say("BR0260E");
        assert_eq!(said.text.matches("#SAVED").count(), 1, "{}", said.text);
        must_be_put_right(&world);
        world.database.must("select status from v$instance;");
    }
    world.backup().must_end_with(0);
}

#[test]
fn term_ends_it_at_the_next_safe_place_and_waits_for_that() {
    let world = World::open();
    let running = world.stopped_at("brbackup", &ALL, "inside-copy");
    let ending = world.started("brbackup", &["-g", "term"]);
    wait_for_term(&running);
    running.go_on().must_end_with(4).must_say("signal 15");
    ending.end().must_end_with(0).must_say("has ended");
    must_be_put_right(&world);
}

#[test]
fn kill_ends_it_at_once_and_ends_the_backup_mode_that_it_left() {
    let world = World::open();
    let running = world.stopped_at("brbackup", &ALL, "inside-copy");
    assert!(world.active_files() > 0);
    // A killed process is gone when its parent has taken note of it.
    let ending = world.started("brbackup", &["-g", "kill"]);
    running.end().must_be_killed();
    ending
        .end()
        .must_end_with(0)
        .must_say("has ended")
        .must_say("BR9002I");
    assert!(!world.path("sapbackup/.lock.brb").exists());
    world.must_have_no_backup_mode();
    must_have_no_orphan(&world);
    world.backup().must_end_with(0).must_not_say("BR9001I");
}

#[test]
fn brarchive_is_ended_as_well_and_loses_no_log() {
    let world = World::open();
    for way in ["stop", "term", "kill"] {
        for _ in 0..3 {
            world.database.must("alter system archive log current;");
        }
        let running = world.stopped_at("brarchive", &["-s", "-c"], "archive-inside-copy");
        let ending = world.started("brarchive", &["-g", way]);
        let said = match way {
            "kill" => running.end(),
            "term" => {
                wait_for_term(&running);
                running.go_on()
            }
            // A request is there for as long as it is not followed.
            _ => {
                let request = world.path("saparch/.request.bra");
                wait_until("the request", || {
                    fs::read_to_string(&request).is_ok_and(|word| word == "stop\n")
                });
                running.go_on()
            }
        };
        ending.end().must_end_with(0);
        match way {
            "kill" => said.must_be_killed(),
            "term" => said.must_end_with(4),
            _ => said.must_end_with(0).must_say("asked to stop"),
        };
        must_have_no_orphan(&world);
        world.tool("brarchive", &["-s", "-c"]).must_end_with(0);
    }
    let count = |directory: &str| {
        let files = world.files_below(directory).into_iter();
        files
            .filter(|path| path.extension().is_some_and(|end| end == "dbf"))
            .count()
    };
    assert_eq!(count("saparch"), count("sapbackup"));
}

#[test]
fn nobody_there_is_a_warning_and_an_unknown_way_is_refused() {
    let world = World::open();
    for tool in ["brbackup", "brarchive"] {
        for way in ["stop", "term", "kill"] {
            world
                .tool(tool, &["-g", way])
                .must_end_with(1)
                .must_say("no run holds lock");
        }
        world
            .tool(tool, &["-g", "softly"])
            .must_end_with(3)
            .must_say("BR0191E")
            .must_say("stop, term, kill");
    }
}
