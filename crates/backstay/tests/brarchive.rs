//! brarchive with a real database, real cp and real full disks: what is saved, and what may be deleted.
//! What lives here: the tool as a user calls it. What does not: recovery from what it saved (`brrecover`).

mod brbackup_world;
mod practice_database;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use brbackup_world::{SmallDisk, World, files_below};
use rustix::process::Signal;

/// Contents of a log, shown by their length.
#[derive(Clone, PartialEq, Eq)]
struct Log(Vec<u8>);

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

type Logs = BTreeMap<String, Log>;

/// A database with so many offline redo logs, and their contents by name.
fn world_with_logs(count: usize) -> (World, Logs) {
    let world = World::open();
    archive(&world, count);
    let logs = logs_in(&world.path("saparch"));
    assert!(logs.len() >= count, "{:?}", logs.keys());
    (world, logs)
}

fn archive(world: &World, count: usize) {
    for _ in 0..count {
        world.database.must("alter system archive log current;");
    }
}

/// Offline redo logs below a directory, by name.
fn logs_in(directory: &Path) -> Logs {
    let is_log = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("SNDarch1_") && name.ends_with(".dbf")
    };
    files_below(directory)
        .into_iter()
        .filter(is_log)
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, Log(fs::read(path).unwrap()))
        })
        .collect()
}

/// Every log is whole among the originals or among the copies.
#[track_caller]
fn none_is_lost(world: &World, copies: &Path, logs: &Logs, when: &str) {
    let (originals, copies) = (logs_in(&world.path("saparch")), logs_in(copies));
    for (name, bytes) in logs {
        let is_there = [&originals, &copies]
            .iter()
            .any(|place| place.get(name) == Some(bytes));
        assert!(is_there, "{name} is lost {when}");
    }
}

fn deletions(world: &World) -> usize {
    let text = fs::read_to_string(world.path("saparch/archSND.log")).unwrap();
    let deleted = text.lines().filter(|line| line.starts_with("#DELETED."));
    deleted
        .filter(|line| line.split_whitespace().nth(1) != Some("-"))
        .filter(|line| line.split_whitespace().count() > 2)
        .count()
}

#[test]
fn logs_are_saved_once_and_deleted_only_by_a_function_that_deletes() {
    let (world, logs) = world_with_logs(3);
    let said = world.tool("brarchive", &["-s", "-d", "disk", "-c"]);
    said.must_end_with(0)
        .must_say("BR0008I")
        .must_say("BR0016I");
    assert_eq!(logs_in(&world.path("sapbackup")), logs);
    assert_eq!(logs_in(&world.path("saparch")), logs, "-s deletes nothing");

    let again = world.tool("brarchive", &["-s", "-d", "disk", "-c"]);
    again
        .must_end_with(1)
        .must_say("BR0013W")
        .must_not_say("BR0202I");

    let deleting = world.tool("brarchive", &["-ds", "-d", "disk", "-c"]);
    deleting.must_end_with(0).must_say("BR0015I");
    assert!(logs_in(&world.path("saparch")).is_empty());
    assert_eq!(logs_in(&world.path("sapbackup")), logs);
    assert_eq!(deletions(&world), logs.len());
}

#[test]
fn a_query_saves_nothing() {
    let (world, logs) = world_with_logs(2);
    let said = world.tool("brarchive", &["-sd", "-q"]);
    said.must_end_with(0)
        .must_say("BR0011I")
        .must_not_say("BR0202I");
    assert!(logs_in(&world.path("sapbackup")).is_empty());
    assert_eq!(logs_in(&world.path("saparch")), logs);
}

#[test]
fn at_most_so_many_logs_as_asked_for() {
    let (world, logs) = world_with_logs(4);
    world
        .tool("brarchive", &["-sd", "-n", "2", "-d", "disk", "-c"])
        .must_end_with(0)
        .must_say("-n 2");
    assert_eq!(logs_in(&world.path("sapbackup")).len(), 2);
    assert_eq!(logs_in(&world.path("saparch")).len(), logs.len() - 2);
    none_is_lost(&world, &world.path("sapbackup"), &logs, "after -n 2");
}

#[test]
fn killed_at_any_step_no_log_is_lost_and_the_next_run_finishes() {
    let (world, mut logs) = world_with_logs(3);
    let copies = world.path("sapbackup");
    for place in [
        "archive-before-copy",
        "archive-inside-copy",
        "archive-before-publish",
        "archive-before-summary",
        "archive-before-delete",
        "archive-after-delete",
        "archive-between-logs",
        "archive-between-logs@2",
        "archive-before-end",
    ] {
        let killed = world.tool_at("brarchive", &["-sd", "-d", "disk", "-c"], place);
        killed.must_be_killed();
        none_is_lost(&world, &copies, &logs, &format!("after a kill at {place}"));
        archive(&world, 1);
        let fresh = logs_in(&world.path("saparch"));
        logs.extend(
            fresh
                .into_iter()
                .filter(|(name, _)| !logs.contains_key(name))
                .collect::<Vec<_>>(),
        );
        let next = world.tool("brarchive", &["-sd", "-d", "disk", "-c"]);
        next.must_end_with(0).must_say("BR9001I");
        assert!(
            logs_in(&world.path("saparch")).is_empty(),
            "{place}:\n{}",
            next.text
        );
        assert_eq!(
            logs_in(&copies),
            logs,
            "after a kill at {place} and a good run"
        );
        let hidden = |path: &PathBuf| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(".SNDarch")
        };
        assert!(
            !files_below(&copies).iter().any(hidden),
            "half copies stay after {place}"
        );
        archive(&world, 2);
        logs.extend(logs_in(&world.path("saparch")));
    }
}

#[test]
fn a_signal_stops_between_two_states_and_loses_nothing() {
    let (world, logs) = world_with_logs(3);
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2)] {
        let running = world.stopped_at(
            "brarchive",
            &["-sd", "-d", "disk", "-c"],
            "archive-inside-copy",
        );
        running.signal(signal);
        running
            .go_on()
            .must_end_with(4)
            .must_say(&format!("cancelled by signal {number}"))
            .must_not_say("backup mode");
        none_is_lost(&world, &world.path("sapbackup"), &logs, "after a signal");
    }
    world
        .tool("brarchive", &["-sd", "-d", "disk", "-c"])
        .must_end_with(0);
    assert_eq!(logs_in(&world.path("sapbackup")), logs);
}

#[test]
fn an_original_stays_when_its_copy_has_gone_bad() {
    let (world, logs) = world_with_logs(3);
    world
        .tool("brarchive", &["-s", "-d", "disk", "-c"])
        .must_end_with(0);
    let names: Vec<&String> = logs.keys().collect();
    let copies = world.path("sapbackup");
    let mut bytes = logs[names[0]].0.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(copies.join(names[0]), bytes).unwrap();
    fs::remove_file(copies.join(names[1])).unwrap();
    let said = world.tool("brarchive", &["-ds", "-d", "disk", "-c"]);
    said.must_end_with(5)
        .must_say("BR9013E")
        .must_say(names[0])
        .must_say(names[1]);
    let left = logs_in(&world.path("saparch"));
    assert_eq!(left.keys().collect::<Vec<_>>(), names[..2]);
}

#[test]
fn a_damaged_log_raises_the_alarm_stays_and_does_not_hold_up_the_others() {
    let (world, logs) = world_with_logs(3);
    let name = logs.keys().nth(1).unwrap();
    let path = world.path("saparch").join(name);
    let mut bytes = logs[name].0.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&path, &bytes).unwrap();
    let said = world.tool("brarchive", &["-sd", "-d", "disk", "-c"]);
    said.must_end_with(5).must_say("BR9010E").must_say(name);
    assert_eq!(fs::read(&path).unwrap(), bytes, "it stays where it is");
    let aside = world.path("sapbackup").join(format!("{name}.damaged"));
    assert_eq!(
        fs::read(aside).unwrap(),
        bytes,
        "what there is of it is put aside"
    );
    let saved = logs_in(&world.path("sapbackup"));
    assert!(
        !saved.contains_key(name),
        "a damaged log is not entered as saved"
    );
    assert_eq!(saved.len(), logs.len() - 1);
    assert_eq!(logs_in(&world.path("saparch")).len(), 1);
}

#[test]
fn second_copies_go_to_another_directory_and_only_then_may_a_copied_log_be_deleted() {
    let (world, logs) = world_with_logs(2);
    world
        .tool("brarchive", &["-sc", "-d", "disk", "-c"])
        .must_end_with(3)
        .must_say("second directory");
    let (first, second) = (world.path("first"), world.path("second"));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let roots = format!(
        "backup_root_dir = ({}, {})\narchive_copy_dir = {}",
        first.display(),
        second.display(),
        first.display()
    );
    let profile = world.profile_with("two.sap", &roots);
    let run =
        |function: &str| world.tool("brarchive", &[function, "-d", "disk", "-c", "-p", &profile]);
    run("-s").must_end_with(0);
    run("-dc").must_end_with(1).must_say("BR0013W");
    assert_eq!(
        logs_in(&world.path("saparch")),
        logs,
        "saved once is not saved twice"
    );
    run("-sc").must_end_with(0);
    assert_eq!(
        (logs_in(&first), logs_in(&second)),
        (logs.clone(), logs.clone())
    );
    run("-dc").must_end_with(0);
    assert!(logs_in(&world.path("saparch")).is_empty());
}

#[test]
fn a_full_disk_a_read_only_disk_and_a_missing_one_delete_nothing() {
    let (world, logs) = world_with_logs(2);
    let disk = SmallDisk::mount(world.path("small"), "64k");
    let profile = world.profile_with(
        "small.sap",
        &format!("archive_copy_dir = {}", disk.path.display()),
    );
    disk.fill_up_to(0);
    let run = || world.tool("brarchive", &["-sd", "-d", "disk", "-c", "-p", &profile]);
    run().must_end_with(5).must_say("BR0227E").must_say("HINT");
    assert_eq!(logs_in(&world.path("saparch")), logs);
    fs::remove_file(disk.path.join("ballast")).unwrap();
    disk.make_read_only();
    run().must_end_with(5).must_say("Read-only file system");
    assert_eq!(logs_in(&world.path("saparch")), logs);
    drop(disk);
    fs::remove_dir(world.path("small")).unwrap();
    run().must_end_with(3).must_say("BR0282E").must_say("small");
    world
        .tool("brarchive", &["-sd", "-c", "-p", "absent.sap"])
        .must_end_with(3)
        .must_say("BR0159E");
    assert_eq!(logs_in(&world.path("saparch")), logs);
}

#[test]
fn a_summary_log_that_cannot_be_read_stops_everything() {
    let (world, logs) = world_with_logs(2);
    world
        .tool("brarchive", &["-s", "-d", "disk", "-c"])
        .must_end_with(0);
    let summary = world.path("saparch/archSND.log");
    let mut text = fs::read(&summary).unwrap();
    text.extend(b"#SAVED... \xff\xfe garbage\n");
    fs::write(&summary, &text).unwrap();
    let said = world.tool("brarchive", &["-ds", "-d", "disk", "-c"]);
    said.must_end_with(3)
        .must_say("BR0123E")
        .must_say("archSND.log");
    assert_eq!(fs::read(&summary).unwrap(), text, "it is not written to");
    assert_eq!(logs_in(&world.path("saparch")), logs);
}

#[test]
fn logs_are_saved_while_the_database_is_down() {
    let (world, logs) = world_with_logs(2);
    world.database.must("shutdown immediate");
    world
        .tool("brarchive", &["-sd", "-d", "disk", "-c"])
        .must_end_with(0);
    assert_eq!(logs_in(&world.path("sapbackup")), logs);
    assert!(logs_in(&world.path("saparch")).is_empty());
}

#[test]
fn a_foreign_file_of_the_same_name_is_never_replaced() {
    let (world, logs) = world_with_logs(1);
    let name = logs.keys().next().unwrap();
    let taken = world.path("sapbackup").join(name);
    fs::write(&taken, b"something else").unwrap();
    let said = world.tool("brarchive", &["-sd", "-d", "disk", "-c"]);
    said.must_end_with(0)
        .must_say("is another log; this one goes to");
    assert_eq!(fs::read(&taken).unwrap(), b"something else");
    let beside = world
        .path("sapbackup")
        .join(format!("{name}.{}", said.id()));
    assert_eq!(fs::read(beside).unwrap(), logs[name].0);
}

#[test]
fn a_log_is_never_taken_for_its_own_copy() {
    let (world, logs) = world_with_logs(2);
    let archive_directory = world.path("saparch");
    let linked = world.path("linked");
    std::os::unix::fs::symlink(&archive_directory, &linked).unwrap();
    for directory in [&archive_directory, &linked] {
        let line = format!("archive_copy_dir = {}", directory.display());
        let profile = world.profile_with("same.sap", &line);
        let said = world.tool("brarchive", &["-sd", "-d", "disk", "-c", "-p", &profile]);
        said.must_end_with(3)
            .must_say("is the archive directory")
            .must_say("HINT");
        assert_eq!(logs_in(&archive_directory), logs);
    }
    // Only the name of one log in the copy directory leads back to the original.
    let name = logs.keys().next().unwrap();
    let lure = world.path("sapbackup").join(name);
    std::os::unix::fs::symlink(archive_directory.join(name), &lure).unwrap();
    let said = world.tool("brarchive", &["-sd", "-d", "disk", "-c"]);
    said.must_end_with(0);
    let copy = world
        .path("sapbackup")
        .join(format!("{name}.{}", said.id()));
    assert_eq!(fs::read(copy).unwrap(), logs[name].0);
    // A copy that was put out of the way, with a link to the original in its place.
    archive(&world, 1);
    let logs = logs_in(&archive_directory);
    world
        .tool("brarchive", &["-s", "-d", "disk", "-c"])
        .must_end_with(0);
    for name in logs.keys() {
        let copy = world.path("sapbackup").join(name);
        fs::remove_file(&copy).unwrap();
        std::os::unix::fs::symlink(archive_directory.join(name), &copy).unwrap();
    }
    world
        .tool("brarchive", &["-ds", "-d", "disk", "-c"])
        .must_end_with(5)
        .must_say("is its own copy");
    assert_eq!(logs_in(&archive_directory), logs);
}

/// Gives a log another end, as when its sequence is written again after a restore: same numbers, size and time.
fn rewrite_with_another_end(path: &Path) -> Vec<u8> {
    let changed = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let block = &mut bytes[512..1024];
    let mut header = oracle::redo::LogHeader::read(block).unwrap();
    header.next_scn = header.next_scn.next();
    header.write(block);
    fs::write(path, &bytes).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(changed).unwrap();
    bytes
}

#[test]
fn a_sequence_that_is_written_again_is_another_log() {
    let (world, logs) = world_with_logs(2);
    world.database.must("shutdown immediate");
    world
        .tool("brarchive", &["-s", "-d", "disk", "-c"])
        .must_end_with(0);
    let name = logs.keys().next_back().unwrap();
    let path = world.path("saparch").join(name);
    let second_life = rewrite_with_another_end(&path);
    let deleting = world.tool("brarchive", &["-ds", "-d", "disk", "-c"]);
    deleting.must_end_with(0);
    assert_eq!(
        fs::read(&path).unwrap(),
        second_life,
        "what was never saved is not deleted"
    );
    let said = world.tool("brarchive", &["-sd", "-d", "disk", "-c"]);
    assert!(!path.exists(), "{}", said.text);
    let copies = world.path("sapbackup");
    let second_copy = copies.join(format!("{name}.{}", said.id()));
    assert_eq!(fs::read(second_copy).unwrap(), second_life);
    assert_eq!(fs::read(copies.join(name)).unwrap(), logs[name].0);
}

#[test]
fn only_a_log_that_was_never_seen_is_called_a_gap() {
    let (world, logs) = world_with_logs(3);
    world
        .tool("brarchive", &["-s", "-d", "disk", "-c"])
        .must_end_with(0);
    let names: Vec<&String> = logs.keys().collect();
    fs::remove_file(world.path("saparch").join(names[1])).unwrap();
    world
        .tool("brarchive", &["-ds", "-d", "disk", "-c"])
        .must_end_with(0)
        .must_not_say("never seen");
    archive(&world, 3);
    let fresh = logs_in(&world.path("saparch"));
    let lost = fresh.keys().nth(1).unwrap();
    fs::remove_file(world.path("saparch").join(lost)).unwrap();
    world
        .tool("brarchive", &["-sd", "-d", "disk", "-c"])
        .must_end_with(1)
        .must_say("never seen");
}

#[test]
fn an_argument_that_is_no_text_is_no_reason_to_fall_over() {
    let (world, _) = world_with_logs(1);
    for tool in ["brarchive", "brbackup", "brrestore", "brrecover"] {
        let said = world.tool_with_bytes(tool, &[b"-p", b"\xff\xfe.sap", b"-c"]);
        said.must_end_with(3).must_not_say("panicked");
    }
}
