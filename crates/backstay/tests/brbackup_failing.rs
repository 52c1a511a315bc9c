//! brbackup where something is wrong: return code, numbered message, nothing deleted, no backup mode left behind.
//! What lives here: errors of environment, profile, source and target. What does not: kills and signals (`brbackup_killed`).
//!
//! Mounts small file systems, so these tests need root, as `./test` has.

mod brbackup_world;
mod practice_database;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use brbackup_world::{ALL, SmallDisk, World, files_below};
use practice_database::{wait_for_commits, wait_until};

/// Every file below the home that no run may delete, with its length. Logs grow and the database works, so contents differ.
fn files_of_the_database(world: &World) -> BTreeMap<PathBuf, u64> {
    let directories = [
        "sapdata1", "sapdata2", "sapdata3", "origlogA", "origlogB", "mirrlogA", "mirrlogB", "dbs",
    ];
    let files = directories
        .iter()
        .flat_map(|directory| world.files_below(directory));
    files
        .map(|path| (path.clone(), fs::metadata(&path).unwrap().len()))
        .collect()
}

/// The profile with another root directory.
fn profile_for(world: &World, root: &Path) -> String {
    world.profile_with(
        "other.sap",
        &format!("backup_root_dir = {}", root.display()),
    )
}

fn with_profile<'a>(profile: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&ALL[..], &["-p", profile], more].concat()
}

#[test]
fn a_disk_that_is_too_small_is_found_before_anything_begins() {
    let world = World::open();
    let disk = SmallDisk::mount(world.path("small"), "24m");
    let profile = profile_for(&world, &disk.path);
    let before = files_of_the_database(&world);
    let said = world.tool("brbackup", &with_profile(&profile, &[]));
    said.must_end_with(3)
        .must_say("BR0227E Not enough disk space")
        .must_say("HINT")
        .must_not_say("BR0315I");
    assert!(files_below(&disk.path).is_empty(), "nothing was begun");
    assert_eq!(files_of_the_database(&world), before);
    world.must_have_no_backup_mode();
    assert_eq!(world.offered(), None);
}

#[test]
fn a_disk_that_fills_up_during_the_copy_ends_the_run_with_backup_mode_ended() {
    let world = World::open();
    let load = world.database.load(2, 3);
    wait_for_commits(&load, 20);
    let disk = SmallDisk::mount(world.path("small"), "150m");
    let profile = profile_for(&world, &disk.path);
    let before = files_of_the_database(&world);
    let running = world.stopped_at("brbackup", &with_profile(&profile, &[]), "inside-copy");
    disk.fill_up_to(1 << 20);
    let said = running.go_on();
    said.must_end_with(5)
        .must_say("BR0222E")
        .must_say("BR0317I")
        .must_say("HINT");
    assert!(
        said.text.contains("BR0227E") || said.text.contains("BR0278E"),
        "{}",
        said.text
    );
    world.must_have_no_backup_mode();
    assert!(files_of_the_database(&world).keys().eq(before.keys()));
    assert_eq!(world.offered(), None);
    load.stop().unwrap();
}

#[test]
fn a_write_that_fails_inside_the_tool_is_told_in_the_tools_words_and_its_part_is_removed() {
    let world = World::open();
    // The limit hits cp's file and none of ours: logs and the control file are smaller.
    let script = format!(
        "ulimit -f 24576; exec {}/bin/brbackup \"$@\"",
        world.home().display()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script, "brbackup"])
        .args(ALL)
        .env("ORACLE_HOME", world.home())
        .env("SAPDATA_HOME", world.home())
        .env("ORACLE_SID", "SND")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{text}");
    for part in [
        "BR0278E",
        "BR0279E Return code from 'LANG=C cp -- ",
        "BR0222E",
        "BR0317I 'Alter tablespace PSAP40BD end backup'",
        "BR0054I",
    ] {
        assert!(text.contains(part), "'{part}' is not said:\n{text}");
    }
    let parts: Vec<PathBuf> = world
        .files_below("sapbackup")
        .into_iter()
        .filter(|path| path.ends_with("40bd.data1"))
        .collect();
    assert!(parts.is_empty(), "{parts:?}");
    world.must_have_no_backup_mode();
}

#[test]
fn a_target_that_is_read_only_is_found_before_anything_begins() {
    let world = World::open();
    let disk = SmallDisk::mount(world.path("small"), "150m");
    disk.make_read_only();
    let profile = profile_for(&world, &disk.path);
    let said = world.tool("brbackup", &with_profile(&profile, &[]));
    said.must_end_with(3)
        .must_say("BR9041E")
        .must_say("Read-only file system")
        .must_not_say("BR0315I");
    world.must_have_no_backup_mode();
}

#[test]
fn a_source_that_is_missing_or_cannot_be_read_is_found_before_anything_begins() {
    let world = World::open();
    let path = world.path("sapdata2/40bi_1/40bi.data1");
    let away = path.with_extension("away");
    fs::rename(&path, &away).unwrap();
    world
        .backup()
        .must_end_with(3)
        .must_say("BR0080E File ")
        .must_say("40bi.data1")
        .must_not_say("BR0315I");
    // A link that leads to itself is a name that even root cannot open.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    world
        .backup()
        .must_end_with(3)
        .must_say("40bi.data1 cannot be read")
        .must_not_say("BR0315I");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    world
        .backup()
        .must_end_with(3)
        .must_say("is no regular file");
    fs::remove_dir(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    world.must_have_no_backup_mode();
    world.backup().must_end_with(0);
}

#[test]
fn a_source_that_vanishes_during_the_run_fails_the_run_and_the_others_are_saved() {
    let world = World::open();
    let path = world.path("sapdata2/40bi_1/40bi.data1");
    let away = path.with_extension("away");
    let running = world.stopped_at("brbackup", &ALL, "inside-copy");
    fs::rename(&path, &away).unwrap();
    let said = running.go_on();
    said.must_end_with(5)
        .must_say("BR0080E")
        .must_say("BR0222E")
        .must_say("BR0317I 'Alter tablespace PSAP40BI end backup'");
    for name in ["system.data1", "40bd.data1", "40bi.data2", "temp.data1"] {
        assert!(
            world.path("sapbackup").join(said.id()).join(name).exists(),
            "{name}"
        );
    }
    fs::rename(&away, &path).unwrap();
    world.must_have_no_backup_mode();
    assert_eq!(world.offered(), None);
}

#[test]
fn a_damaged_block_is_named_and_its_copy_is_not_taken_for_good() {
    let world = World::open();
    let path = world.path("sapdata2/40bi_2/40bi.data2");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 8192 * 8192 + 5000;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    let said = world.backup();
    said.must_end_with(5)
        .must_say("BR9005E 1 bad block in ")
        .must_say(&format!("block {}", middle / 8192))
        .must_say("40bi.data2");
    assert!(
        !world
            .path("sapbackup")
            .join(said.id())
            .join("40bi.data2")
            .exists()
    );
    assert!(
        world
            .path("sapbackup")
            .join(said.id())
            .join("temp.data1")
            .exists(),
        "the others are saved"
    );
    world.must_have_no_backup_mode();
    assert_eq!(world.offered(), None);
}

#[test]
fn a_missing_profile_or_environment_is_said_in_one_pass() {
    let world = World::open();
    let profile = world.path("dbs/initSND.sap");
    let before = world.files_below("sapbackup");
    fs::rename(&profile, profile.with_extension("away")).unwrap();
    world
        .backup()
        .must_end_with(3)
        .must_say("BR0159E")
        .must_say("initSND.sap");
    fs::rename(profile.with_extension("away"), &profile).unwrap();
    let said = world.tool_without("brbackup", &ALL, &["ORACLE_SID", "SAPDATA_HOME"]);
    said.must_end_with(3)
        .must_say("BR0152E Environment variable ORACLE_SID")
        .must_say("BR0152E Environment variable SAPDATA_HOME");
    world
        .tool_with("brbackup", &ALL, &[("TWO_TASK", "elsewhere")])
        .must_end_with(3)
        .must_say("BR0151E");
    world
        .tool_with("brbackup", &ALL, &[("SAPDATA_HOME", "/nowhere")])
        .must_end_with(3)
        .must_say("BR0282E");
    assert_eq!(world.files_below("sapbackup"), before, "not even a log");
    world.must_have_no_backup_mode();
}

#[test]
fn a_profile_or_log_that_is_no_file_is_neither_waited_for_nor_read_without_end() {
    let world = World::open();
    let pipe = world.path("dbs/pipe.sap");
    make_pipe(&pipe);
    for profile in [pipe.to_str().unwrap(), "/dev/zero", "/"] {
        for tool in ["brbackup", "brarchive", "brrestore"] {
            world
                .tool(tool, &["-p", profile, "-c"])
                .must_end_with(3)
                .must_say(&format!("BR0253E {profile}: it is no regular file"))
                .must_say("BR0159E");
        }
    }
    for (tool, log) in [
        ("brbackup", "sapbackup/backSND.log"),
        ("brrestore", "sapbackup/restSND.log"),
        ("brrestore", "sapbackup/backSND.log"),
        ("brarchive", "saparch/archSND.log"),
    ] {
        let path = world.path(log);
        make_pipe(&path);
        world
            .tool(tool, &["-d", "disk", "-c"])
            .must_end_with(3)
            .must_say(&path.display().to_string())
            .must_say("it is no regular file")
            .must_say("BR0121E");
        fs::remove_file(&path).unwrap();
    }
    world.must_have_no_backup_mode();
}

fn make_pipe(path: &Path) {
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn everything_wrong_with_a_run_is_said_at_once() {
    let world = World::open();
    world.database.must(
        "shutdown immediate\nstartup mount\nalter database noarchivelog;\nalter database open;",
    );
    fs::rename(
        world.path("sapdata3/temp_1/temp.data1"),
        world.path("sapdata3/temp_1/away"),
    )
    .unwrap();
    let profile = profile_for(&world, Path::new("/nowhere"));
    let said = world.tool("brbackup", &with_profile(&profile, &[]));
    said.must_end_with(3)
        .must_say("BR9040E")
        .must_say("BR0080E")
        .must_say("BR0282E")
        .must_not_say("BR0315I");
    fs::rename(
        world.path("sapdata3/temp_1/away"),
        world.path("sapdata3/temp_1/temp.data1"),
    )
    .unwrap();
}

#[test]
fn what_is_not_known_or_not_done_is_refused() {
    let world = World::open();
    for (arguments, words) in [
        (&["-t", "online", "-d", "tape", "-c"][..], "tape"),
        (&["-t", "online_split", "-d", "disk", "-c"], "online_split"),
        (&["-m", "incr", "-c"], "incr"),
        (&["-x", "-c"], "-x"),
        (&["-w", "-c"], "-w"),
        (&["-k", "yes", "-c"], "yes"),
        (&["-u", "system/manager", "-c"], "/"),
        (&["-m", ",", "-c"], "BR0156E Illegal value ','"),
        (&["-m", "", "-c"], "BR0156E Illegal value ''"),
    ] {
        let said = world.tool("brbackup", arguments);
        said.must_end_with(3)
            .must_say("BR")
            .must_say(words)
            .must_say("HINT")
            .must_not_say("manager");
    }
    let said = world.tool(
        "brbackup",
        &["-t", "online", "-d", "disk", "-m", "PSAPNONE", "-c"],
    );
    said.must_end_with(3)
        .must_say("PSAPNONE")
        .must_say("PSAP40BD")
        .must_not_say("BR0315I");
    let profile = world.profile_with("rman.sap", "disk_copy_cmd = rman");
    world
        .tool("brbackup", &with_profile(&profile, &[]))
        .must_end_with(3)
        .must_say("BR0191E")
        .must_say("disk_copy_cmd");
    world.must_have_no_backup_mode();
}

#[test]
fn a_database_that_cannot_be_spoken_to_is_said() {
    let world = World::open();
    let sqlplus = world.path("bin/sqlplus");
    fs::rename(&sqlplus, sqlplus.with_extension("away")).unwrap();
    fs::write(
        &sqlplus,
        "#!/bin/sh\necho 'ld.so: library missing' >&2\nexit 127\n",
    )
    .unwrap();
    fs::set_permissions(
        &sqlplus,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let said = world.backup();
    said.must_end_with(3)
        .must_say("BR0310E")
        .must_say("library missing")
        .must_say("exit status 127");
    fs::rename(sqlplus.with_extension("away"), &sqlplus).unwrap();
}

#[test]
fn a_mounted_database_is_not_opened_behind_its_owners_back() {
    let world = World::open();
    world.database.must("shutdown immediate\nstartup mount");
    world
        .backup()
        .must_end_with(3)
        .must_say("is mounted, not open")
        .must_not_say("BR0315I");
    assert!(
        world
            .database
            .must("set pagesize 0\nselect status from v$instance;")
            .contains("MOUNTED")
    );
}

#[test]
fn an_archiver_that_is_stuck_is_found_before_the_log_switch_would_wait_for_it() {
    let world = World::open();
    fs::rename(world.path("saparch"), world.path("saparch.away")).unwrap();
    let disk = SmallDisk::mount(world.path("saparch"), "64k");
    disk.fill_up_to(0);
    world.database.must("alter system switch logfile;");
    wait_until("the archiver to fail", || {
        world
            .database
            .must("set pagesize 0\nselect count(*) from v$archive_dest where error is not null;")
            .contains('1')
    });
    // The log of the run goes to sapbackup, which has room.
    let said = world.backup();
    said.must_end_with(3)
        .must_say("archive destination")
        .must_say("HINT")
        .must_not_say("BR0315I");
    world.must_have_no_backup_mode();
}

#[test]
fn an_offline_data_file_is_found_before_anything_begins() {
    let world = World::open();
    world.database.must("alter database datafile 2 offline;");
    let said = world.backup();
    said.must_end_with(3)
        .must_say("data file 2 ")
        .must_say("40bd.data1 is offline and needs recovery")
        .must_say("RECOVER DATAFILE 2; then ALTER DATABASE DATAFILE 2 ONLINE")
        .must_not_say("BR0315I");
    world.must_have_no_backup_mode();
    world.database.must(
        "shutdown immediate\nstartup mount\nrecover automatic datafile 2;\nalter database datafile 2 online;\nalter database open;",
    );
    world.backup().must_end_with(0);
}
