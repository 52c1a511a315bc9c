//! brbackup killed at each of its steps, stopped by signals, and surprised by the death of the instance.
//! What lives here: what the next run finds and heals. What does not: ordinary errors (`brbackup_failing`).

mod brbackup_world;
mod practice_database;

use std::fs;

use brbackup_world::{ALL, World};
use practice_database::{wait_for_commits, wait_until};
use rustix::process::Signal;

/// Each place with the file that holds its count, and what the next run says of the tablespace, if anything.
const PLACES: [(&str, Option<&str>); 10] = [
    ("before-begin", None),
    (
        "inside-begin",
        Some("tablespace SYSTEM is not in backup mode any more"),
    ),
    (
        "begin-not-noted",
        Some("BR9002I Backup mode of tablespace SYSTEM"),
    ),
    (
        "after-begin",
        Some("BR9002I Backup mode of tablespace SYSTEM"),
    ),
    (
        "inside-copy",
        Some("BR9002I Backup mode of tablespace SYSTEM"),
    ),
    (
        "between-files@2",
        Some("BR9002I Backup mode of tablespace PSAP40BD"),
    ),
    (
        "before-end@2",
        Some("BR9002I Backup mode of tablespace PSAP40BD"),
    ),
    (
        "after-end",
        Some("tablespace SYSTEM is not in backup mode any more"),
    ),
    ("before-log-switch", None),
    ("before-summary-log", None),
];

#[test]
fn killed_at_any_step_the_next_run_says_so_heals_and_succeeds_and_the_half_backup_is_never_offered()
{
    let world = World::open();
    let load = world.database.load(2, 5);
    wait_for_commits(&load, 20);
    let mut good = None;
    for (place, expected) in PLACES {
        let killed = world.tool_at("brbackup", &ALL, place);
        killed.must_be_killed();
        assert_eq!(world.offered(), good, "after a kill at {place}");
        let next = world.backup();
        next.must_end_with(0).must_say("BR9001I");
        match expected {
            Some(words) => next
                .must_say(words)
                .must_say(&format!("backup {} (process ", killed.id())),
            None => next.must_not_say("BR9002I"),
        };
        world.must_have_no_backup_mode();
        good = Some(next.id());
        assert_eq!(
            world.offered(),
            good,
            "after a kill at {place} and a good backup"
        );
    }
    load.stop().unwrap();
}

#[test]
fn a_begin_that_is_still_at_work_when_its_tool_is_killed_is_waited_for() {
    let world = World::open();
    let load = world.database.load(4, 6);
    wait_for_commits(&load, 50);
    // Killed from outside at any moment of the first second, often while BEGIN BACKUP makes its checkpoint.
    for round in 0..6 {
        let running = world.stopped_at("brbackup", &ALL, "inside-begin");
        running.signal(Signal::CONT);
        let journal = world.path("sapbackup/.backup_mode.SND");
        wait_until("the journal", || journal.exists());
        for _ in 0..round * 2000 {
            std::hint::spin_loop();
        }
        running.signal(Signal::KILL);
        running.end();
        world.backup().must_end_with(0);
        world.must_have_no_backup_mode();
    }
    load.stop().unwrap();
}

#[test]
fn signals_end_backup_mode_remove_the_partial_copy_and_leave_no_child() {
    let world = World::open();
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1)] {
        let running = world.stopped_at("brbackup", &ALL, "inside-copy");
        assert_eq!(
            world.active_files(),
            1,
            "SYSTEM is in backup mode while it is copied"
        );
        running.signal(signal);
        let said = running.go_on();
        said.must_end_with(4)
            .must_say(&format!("BR0261E BRBACKUP cancelled by signal {number}"))
            .must_say("BR0317I 'Alter tablespace SYSTEM end backup'");
        world.must_have_no_backup_mode();
        let directory = world.path("sapbackup").join(said.id());
        assert!(
            !directory.join("system.data1").exists() || said.text.contains("#SAVED.... "),
            "no partial copy stays"
        );
        // The whole path: another test may have the same action id, which is a second.
        let name = directory.to_string_lossy();
        assert!(!processes_with(&name), "a child outlived its tool");
        assert_eq!(world.offered(), None);
    }
}

#[test]
fn the_copying_child_dies_with_its_killed_tool() {
    let world = World::open();
    let killed = world.tool_at("brbackup", &ALL, "inside-copy");
    killed.must_be_killed();
    wait_until("the child to be gone", || !processes_with(&killed.id()));
}

#[test]
fn an_instance_that_died_with_the_tool_is_started_and_cured() {
    let world = World::open();
    let load = world.database.load(2, 9);
    wait_for_commits(&load, 20);
    world
        .tool_at("brbackup", &ALL, "between-files@2")
        .must_be_killed();
    world.database.kill();
    drop(load.stop()); // Its sessions ended with the instance, which is what they then say.
    let next = world.backup();
    next.must_end_with(0)
        .must_say("BR0329I")
        .must_say("BR9002I Backup mode of tablespace PSAP40BD")
        .must_say("BR0305I");
    assert!(
        world.database.server().is_some(),
        "it was open before the killed run, so it stays open"
    );
    world.must_have_no_backup_mode();
}

#[test]
fn an_instance_that_stands_mounted_with_ora_10873_is_cured_and_opened() {
    let world = World::open();
    world
        .tool_at("brbackup", &ALL, "inside-copy")
        .must_be_killed();
    world.database.kill();
    let (opened, said) = world.database.sqlplus("startup");
    assert!(!opened && said.contains("ORA-10873"), "{said}");
    world
        .backup()
        .must_end_with(0)
        .must_say("BR9002I Backup mode of tablespace SYSTEM");
    world.must_have_no_backup_mode();
}

#[test]
fn an_instance_that_dies_during_the_copy_is_an_error_and_the_next_run_cures_it() {
    let world = World::open();
    let running = world.stopped_at("brbackup", &ALL, "inside-copy");
    world.database.kill();
    let said = running.go_on();
    said.must_end_with(5)
        .must_say("BR0318E 'Alter tablespace SYSTEM end backup' failed");
    assert!(
        world.path("sapbackup/.backup_mode.SND").exists(),
        "the journal is kept for the next run"
    );
    let next = world.backup();
    next.must_end_with(0)
        .must_say("BR9002I Backup mode of tablespace SYSTEM");
    world.must_have_no_backup_mode();
    assert_eq!(world.offered(), Some(next.id()));
}

#[test]
fn a_restored_copy_is_not_taken_out_of_backup_mode() {
    let world = World::open();
    world.backup().must_end_with(0);
    world
        .tool_at("brbackup", &ALL, "inside-copy")
        .must_be_killed();
    world.database.kill();
    // As a restore does it: the file goes and another one takes its name.
    let path = world.path("sapdata1/system_1/system.data1");
    fs::copy(&path, path.with_extension("copy")).unwrap();
    fs::rename(path.with_extension("copy"), &path).unwrap();
    let said = world.backup();
    said.must_end_with(3)
        .must_say("is not the file that was put into backup mode")
        .must_say("RECOVER DATABASE");
    assert!(world.path("sapbackup/.backup_mode.SND").exists());
}

#[test]
fn somebody_elses_backup_mode_is_never_ended() {
    let world = World::open();
    world.database.must("alter tablespace SYSTEM begin backup;");
    let said = world.backup();
    said.must_end_with(3)
        .must_say("BR0328E")
        .must_say("system.data1")
        .must_not_say("BR0315I");
    assert_eq!(world.active_files(), 1);
    assert!(
        !world.path("sapbackup").join(said.id()).exists(),
        "nothing was begun"
    );
    world.database.must("alter tablespace SYSTEM end backup;");

    // Ours was ended by somebody, who then began one of their own.
    world
        .tool_at("brbackup", &ALL, "inside-copy")
        .must_be_killed();
    world
        .database
        .must("alter tablespace SYSTEM end backup;\nalter tablespace SYSTEM begin backup;");
    world
        .backup()
        .must_end_with(3)
        .must_say("BR9003W")
        .must_say("BR0328E")
        .must_not_say("BR9002I");
    assert_eq!(world.active_files(), 1);
    world.database.must("alter tablespace SYSTEM end backup;");
    world.backup().must_end_with(0);
}

#[test]
fn a_second_run_is_refused_while_the_first_lives() {
    let world = World::open();
    let running = world.stopped_at("brbackup", &ALL, "inside-copy");
    let refused = world.backup();
    refused
        .must_end_with(3)
        .must_say("BR0071E")
        .must_say(&format!("process {}", running.pid()))
        .must_say("BR0073E");
    running.go_on().must_end_with(0);
    world.must_have_no_backup_mode();
}

#[test]
fn an_offline_backup_that_is_killed_leaves_a_note_and_the_next_run_brings_the_database_up() {
    let world = World::open();
    let offline = ["-t", "offline", "-d", "disk", "-m", "all", "-c"];
    world
        .tool_at("brbackup", &offline, "offline-down")
        .must_be_killed();
    assert!(world.database.server().is_none());
    let next = world.backup();
    next.must_end_with(0)
        .must_say("had shut the database down and was killed")
        .must_say("BR0305I")
        .must_not_say("BR0308I");
    assert!(
        world.database.server().is_some(),
        "open again, as before the killed run"
    );
    assert!(!world.path("sapbackup/.downtime.SND").exists());
}

#[test]
fn an_offline_backup_that_is_signalled_starts_the_database_again() {
    let world = World::open();
    let running = world.stopped_at(
        "brbackup",
        &["-t", "offline", "-d", "disk", "-m", "all", "-c"],
        "inside-copy",
    );
    assert!(world.database.server().is_none());
    running.signal(Signal::TERM);
    running
        .go_on()
        .must_end_with(4)
        .must_say("BR0305I")
        .must_say("BR0261E");
    assert!(world.database.server().is_some());
}

/// Whether a living process has this word in its command line.
fn processes_with(word: &str) -> bool {
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let mut command_lines = processes.filter_map(|path| fs::read(path.join("cmdline")).ok());
    command_lines.any(|line| String::from_utf8_lossy(&line).contains(word))
}
