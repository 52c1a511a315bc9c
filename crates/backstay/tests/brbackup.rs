//! brbackup against the practice database, when all goes well: what it saves, how it says it, what it leaves behind.
//! What lives here: good runs. What does not: kill -9 (`brbackup_killed`) and errors (`brbackup_failing`).

mod brbackup_world;
mod practice_database;

use std::fs;
use std::process::Command;

use brbackup_world::{ALL, World, files_below};
use practice_database::wait_for_commits;

#[test]
fn a_backup_under_load_holds_every_file_whole_and_leaves_no_backup_mode() {
    let world = World::open();
    let load = world.database.load(4, 11);
    wait_for_commits(&load, 100);
    let said = world.backup();
    load.stop().unwrap();
    said.must_end_with(0);
    world.must_have_no_backup_mode();
    let directory = world.path("sapbackup").join(said.id());
    for path in world.database.datafiles() {
        let copy = directory.join(path.file_name().unwrap());
        assert_eq!(
            fs::metadata(&copy).unwrap().len(),
            fs::metadata(&path).unwrap().len(),
            "{}",
            copy.display()
        );
        let verified = Command::new(env!("CARGO_BIN_EXE_backstay"))
            .arg("verify")
            .arg(&copy)
            .output()
            .unwrap();
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stdout)
        );
    }
    for name in [
        "cntrlSND.dbf",
        "cntrlSND.dbf.late",
        "initSND.ora",
        "initSND.sap",
        "backSND.log",
    ] {
        assert!(directory.join(name).exists(), "{name}");
    }
    let summary = fs::read_to_string(directory.join("backSND.log")).unwrap();
    assert!(
        summary.lines().last().unwrap().contains(" 9 "),
        "the copy says that the run was not finished: {summary}"
    );
}

#[test]
fn the_log_tells_the_story_in_order_and_is_kept_beside_the_copies() {
    let world = World::open();
    let said = world.backup();
    said.must_end_with(0);
    let kept =
        fs::read_to_string(world.path("sapbackup").join(format!("{}.and", said.id()))).unwrap();
    let beside = world
        .path("sapbackup")
        .join(said.id())
        .join(format!("{}.and", said.id()));
    assert_eq!(kept, fs::read_to_string(beside).unwrap());
    assert_eq!(kept, said.text);
    let story = [
        "BR0051I",
        "BR0055I",
        "BR0101I",
        "BR0116I",
        "BR0118I",
        "BR0119I",
        "BR0120I",
        "BR0057I",
        "BR0061I 7 files",
        "BR0319I",
        "BR0315I 'Alter tablespace SYSTEM begin backup'",
        "BR0202I",
        "#FILE..... ",
        "#SAVED.... ",
        "#CHECK.... blake3:",
        "BR0317I 'Alter tablespace SYSTEM end backup'",
        "BR0315I 'Alter tablespace PSAP40BD begin backup'",
        "BR0317I 'Alter tablespace PSAPTEMP end backup'",
        "cntrlSND.dbf",
        "BR0340I",
        "BR0321I",
        "cntrlSND.dbf.late",
        "BR0117I",
        "BR0056I",
        "BR0052I",
    ];
    let mut rest = said.text.as_str();
    for part in story {
        let (_, after) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("'{part}' is missing or too early:\n{}", said.text));
        rest = after;
    }
    let alert = fs::read_to_string(world.path("saptrace/background/alert_SND.log")).unwrap();
    for statement in [
        "ALTER TABLESPACE SYSTEM BEGIN BACKUP",
        "ALTER TABLESPACE SYSTEM END BACKUP",
        "ALTER DATABASE BACKUP CONTROLFILE TO",
    ] {
        assert!(alert.contains(statement), "{statement}");
    }
}

#[test]
fn the_old_form_of_the_log_has_three_digits() {
    let world = World::open();
    let said = world.tool_with(
        "brbackup",
        &["-t", "online", "-m", "SYSTEM", "-c"],
        &[("BACKSTAY_LOG_FORM", "4.0B")],
    );
    said.must_end_with(0)
        .must_say("BR051I BRBACKUP 4.0B")
        .must_say("BR315I Alter tablespace SYSTEM begin backup successful")
        .must_say("#FILE..... ")
        .must_say(".pnd ");
}

#[test]
fn parts_of_the_database_are_saved_by_name_id_range_and_path() {
    let world = World::open();
    let sapdata2 = world.path("sapdata2").display().to_string();
    for (mode, files) in [
        ("PSAP40BD", 2),
        ("1", 1),
        ("2-4", 3),
        ("SYSTEM,6", 2),
        (sapdata2.as_str(), 2),
    ] {
        let said = world.tool(
            "brbackup",
            &["-t", "online", "-d", "disk", "-m", mode, "-c"],
        );
        said.must_end_with(0)
            .must_say(&format!("BR0061I {files} files"))
            .must_say(".pnd ");
    }
    world.must_have_no_backup_mode();
}

#[test]
fn both_tools_and_parallel_copies_save_the_same() {
    let world = World::open();
    let profile = world.profile_with(
        "dd.sap",
        "disk_copy_cmd = dd\ndd_flags = \"obs=64k bs=64k\"",
    );
    let said = world.tool(
        "brbackup",
        &[&ALL[..], &["-p", &profile, "-e", "4"]].concat(),
    );
    said.must_end_with(0)
        .must_say("disk_copy_cmd                  dd")
        .must_not_say("BR0278");
    let directory = world.path("sapbackup").join(said.id());
    assert!(
        world
            .database
            .datafiles()
            .iter()
            .all(|path| directory.join(path.file_name().unwrap()).exists())
    );
}

#[test]
fn several_root_directories_are_all_used() {
    let world = World::open();
    for name in ["disk1", "disk2"] {
        fs::create_dir(world.path(name)).unwrap();
    }
    let roots = format!(
        "backup_root_dir = ({}, {})",
        world.path("disk1").display(),
        world.path("disk2").display()
    );
    let profile = world.profile_with("two.sap", &roots);
    let said = world.tool("brbackup", &[&ALL[..], &["-p", &profile]].concat());
    said.must_end_with(0)
        .must_say("exec_parallel                  2");
    for name in ["disk1", "disk2"] {
        let datafiles = files_below(&world.path(name).join(said.id()));
        assert!(
            datafiles
                .iter()
                .any(|path| path.to_string_lossy().contains(".data")),
            "{name} has a data file"
        );
    }
}

#[test]
fn two_files_of_one_base_name_are_both_saved() {
    let world = World::open();
    let other = world.path("sapdata3/40bd.data1");
    world.database.must(&format!(
        "alter tablespace PSAP40BD add datafile '{}' size 1M;",
        other.display()
    ));
    let said = world.backup();
    said.must_end_with(0).must_say("BR0061I 8 files");
    let directory = world.path("sapbackup").join(said.id());
    let sizes: Vec<u64> = ["40bd.data1", "40bd.data1.8"]
        .iter()
        .map(|name| fs::metadata(directory.join(name)).unwrap().len())
        .collect();
    assert_eq!(
        sizes,
        [
            fs::metadata(world.path("sapdata1/40bd_1/40bd.data1"))
                .unwrap()
                .len(),
            fs::metadata(&other).unwrap().len()
        ]
    );
}

#[test]
fn a_query_shows_the_plan_and_does_nothing() {
    let world = World::open();
    let before = world.files_below("sapbackup").len();
    let said = world.tool("brbackup", &[&ALL[..], &["-q"]].concat());
    said.must_end_with(0)
        .must_say("BR0124I")
        .must_say("BR0061I 7 files")
        .must_not_say("BR0315I");
    assert!(
        !world.path("sapbackup").join(said.id()).exists(),
        "no directory is left"
    );
    // Its own log, and the summary log that was not there before.
    assert_eq!(world.files_below("sapbackup").len(), before + 2);
    assert_eq!(world.offered(), None);
}

#[test]
fn without_confirmation_nothing_begins() {
    let world = World::open();
    let said = world.tool("brbackup", &["-t", "online", "-d", "disk", "-m", "all"]);
    said.must_end_with(2)
        .must_say("BR0256I")
        .must_say("BR0260E")
        .must_say("there is no terminal to ask on: give -c")
        .must_not_say("BR0315I");
    world.must_have_no_backup_mode();
}

#[test]
fn a_database_that_is_down_is_started_and_shut_down_again() {
    let world = World::open();
    world.database.must("shutdown immediate");
    let said = world.backup();
    said.must_end_with(0)
        .must_say("BR0329I")
        .must_say("BR0305I")
        .must_say("BR0308I");
    assert!(world.database.server().is_none(), "down, as it was");
}

#[test]
fn an_offline_backup_holds_redo_and_control_file_and_starts_the_database_again() {
    let world = World::open();
    let said = world.tool(
        "brbackup",
        &["-t", "offline", "-d", "disk", "-m", "all", "-c"],
    );
    said.must_end_with(0)
        .must_say("BR0308I")
        .must_say("BR0305I")
        .must_say(".afd ")
        .must_say("BR0061I 12 files")
        .must_not_say("BR0315I");
    assert!(world.database.server().is_some(), "open again");
    let directory = world.path("sapbackup").join(said.id());
    let names: Vec<String> = files_below(&directory)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        names
            .iter()
            .filter(|name| name.starts_with("log_g"))
            .count(),
        4,
        "one member of each group: {names:?}"
    );
    assert!(names.contains(&"cntrlSND.dbf".to_owned()));
    assert!(!world.path("sapbackup/.downtime.SND").exists());
}

#[test]
fn an_offline_backup_of_a_database_that_is_down_leaves_it_down() {
    let world = World::open();
    world.database.must("shutdown immediate");
    world
        .tool(
            "brbackup",
            &["-t", "offline", "-d", "disk", "-m", "all", "-c"],
        )
        .must_end_with(0);
    assert!(world.database.server().is_none());
}

#[test]
fn offline_redo_logs_follow_with_dash_a() {
    let world = World::open();
    let said = world.tool("brbackup", &[&ALL[..], &["-a", "-sd", "-c"]].concat());
    said.must_end_with(0)
        .must_say("BR0052I")
        .must_say("BR0003I")
        .must_say("#ARCHIVE.. ");
    let left = world
        .files_below("saparch")
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "dbf"))
        .count();
    assert_eq!(left, 0, "all offline redo logs are saved and deleted");
}

#[test]
fn what_stands_behind_dash_a_is_checked_before_the_backup() {
    let world = World::open();
    let before = world.files_below("sapbackup");
    for (words, said) in [
        (&["-nonsense", "-c"][..], "BR0153E"),
        (&["-sd"], "give -c once more behind -a"),
        (&["-s", "-sd", "-c"], "-s and -sd contradict"),
        (&["-s", "-n", "none", "-c"], "BR0156E Illegal value 'none'"),
        (&["-sc", "-c"], "second_copy"),
        (&["-s", "-p", "none.sap", "-c"], "BR0159E"),
    ] {
        world
            .tool("brbackup", &[&ALL[..], &["-a"], words].concat())
            .must_end_with(3)
            .must_say(said)
            .must_say("behind -a")
            .must_not_say("BR0055I");
    }
    assert_eq!(world.files_below("sapbackup"), before, "not even a log");
}

#[test]
fn a_query_with_dash_a_saves_and_deletes_no_log() {
    let world = World::open();
    world.database.must("alter system archive log current;");
    let before = world.files_below("saparch");
    let said = world.tool("brbackup", &["-m", "all", "-q", "-c", "-a", "-sd", "-c"]);
    said.must_end_with(0).must_not_say("#ARCHIVE.. ");
    let after = world.files_below("saparch");
    assert!(before.iter().all(|file| after.contains(file)), "{after:?}");
}

#[test]
fn a_misspelt_parameter_is_a_warning() {
    let world = World::open();
    let profile = world.profile_with("typo.sap", "backup_rootdir = /elsewhere");
    for (tool, arguments) in [
        ("brbackup", &["-m", "SYSTEM", "-c", "-p", &profile][..]),
        ("brarchive", &["-s", "-c", "-p", &profile]),
        ("brrestore", &["-m", "SYSTEM", "-q", "-p", &profile]),
    ] {
        world
            .tool(tool, arguments)
            .must_end_with(1)
            .must_say("BR0163W Unknown parameter backup_rootdir")
            .must_say("did you mean backup_root_dir?");
    }
    world
        .tool("brrestore", &["-m", "SYSTEM", "-q"])
        .must_end_with(0);
}
