//! The way back with the real tools: brbackup and brarchive under load, a loss, brrestore or brrecover, the ledger.
//! What lives here: what is lost and what must come of it. What does not: the tools' own tests of parts.

mod practice_database;
mod recovery_world;

use std::fs;
use std::path::PathBuf;

use practice::judge::Target;
use practice_database::wait_for_commits;
use recovery_world::{COMPLETE, World, files_in, find_below, remove_below, text};

#[test]
fn everything_but_the_online_logs_is_lost_and_no_commit_is() {
    let mut world = World::backed_up();
    world.database.must("alter system archive log current;\n");
    world.must("brarchive", &["-sd", "-c"]);
    world.more_load(200);
    let mut lost = world.database.datafiles();
    lost.extend(world.control_files());
    world.lose(&lost);
    let said = world.must("brrecover", &COMPLETE);
    assert!(said.contains("RESETLOGS"), "{said}");
    world.must_be_whole(Target::Everything);
}

#[test]
fn one_lost_data_file_comes_back_and_the_incarnation_stays() {
    let mut world = World::backed_up();
    world.more_load(100);
    world.lose(&world.database.datafiles()[1..2]);
    let plan = world.must("brrecover", &["-t", "complete", "-q"]);
    assert!(
        plan.contains("restore data file") && !plan.contains("BR0351I"),
        "{plan}"
    );
    let said = world.must("brrecover", &COMPLETE);
    assert!(!said.contains("incarnation"), "{said}");
    world.must_be_whole(Target::Everything);
    assert_eq!(
        said.matches("#RESTORED.").count() - said.matches("SNDarch").count() / 5,
        1,
        "{said}"
    );
}

#[test]
fn a_chosen_moment_comes_back_and_nothing_after_it() {
    let mut world = World::backed_up();
    let load = world.load.take().expect("a running load");
    wait_for_commits(&load, 100);
    let scn: u64 = world
        .database
        .must("set pagesize 0 feedback off\nselect current_scn from v$database;\n")
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .expect("a current SCN");
    wait_for_commits(&load, 100);
    load.stop().expect("a load that ends well");
    let mut lost = world.database.datafiles();
    lost.extend(world.control_files());
    world.lose(&lost);
    world.must(
        "brrecover",
        &["-t", "dbpit", "-g", &scn.to_string(), "-c", "force"],
    );
    world.must_be_whole(Target::Scn(oracle::scn::Scn::new(scn)));
}

#[test]
fn a_gap_in_the_logs_is_said_before_anything_is_touched() {
    let mut world = World::backed_up();
    // More switches than there are online groups: the missing log must not be found in one of them.
    world
        .database
        .must(&"alter system archive log current;\n".repeat(7));
    world.more_load(50);
    world.must("brarchive", &["-s", "-c"]);
    let lost = world.database.datafiles();
    world.lose(&lost);
    let archived: Vec<PathBuf> = files_in(&world.database.home.join("saparch"))
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "dbf"))
        .collect();
    let gap = archived[1].clone();
    let name = gap.file_name().expect("a name").to_owned();
    fs::remove_file(&gap).expect("an archived log");
    remove_below(&world.database.home.join("sapbackup"), &name);
    let output = world.tool("brrecover", &COMPLETE);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("BR9022E") && said.contains("gap"), "{said}");
    assert!(
        lost.iter().all(|file| !file.exists()),
        "something was restored"
    );
}

#[test]
fn a_complete_recovery_without_the_current_log_is_refused_and_the_way_out_is_named() {
    let mut world = World::backed_up();
    world.more_load(50);
    world.database.must("alter system archive log current;\n");
    world.must("brarchive", &["-sd", "-c"]);
    let mut lost = world.database.datafiles();
    lost.extend(world.control_files());
    lost.extend(world.online_logs());
    world.lose(&lost);
    let output = world.tool("brrecover", &COMPLETE);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let last = said
        .split("-t dbpit -n ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("the way out");
    world.must("brrecover", &["-t", "dbpit", "-n", last, "-c", "force"]);
    let (opened, status) = world.database.sqlplus("select status from v$instance;\n");
    assert!(opened && status.contains("OPEN"), "{status}");
}

#[test]
fn a_damaged_copy_is_refused_and_what_was_there_stays() {
    let mut world = World::backed_up();
    world.more_load(20);
    world.database.must("shutdown immediate\n");
    let file = world.database.datafiles().remove(0);
    let before = fs::read(&file).expect("a data file");
    let name = file.file_name().expect("a name").to_owned();
    let copy =
        find_below(&world.database.home.join("sapbackup"), &name).expect("the copy in the backup");
    let mut bytes = fs::read(&copy).expect("the copy");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copy, bytes).expect("a damaged copy");
    let path = file.display().to_string();
    let output = world.tool("brrestore", &["-b", "last", "-m", &path, "-c", "force"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("BR9027E") && said.contains("HINT"), "{said}");
    assert!(
        fs::read(&file).expect("the data file") == before,
        "the data file was touched"
    );
}

#[test]
fn files_in_use_are_not_overwritten_and_a_question_without_an_answer_is_a_no() {
    let mut world = World::backed_up();
    world.more_load(20);
    let output = world.tool("brrestore", &["-b", "last", "-m", "all", "-c", "force"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("BR0342E"), "{}", text(&output));
    world.database.must("shutdown immediate\n");
    let output = world.tool("brrestore", &["-b", "last", "-m", "SYSTEM"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let logs = world.must("brrestore", &["-a", "2=/tmp/backstay-no-such/deep", "-q"]);
    assert!(
        logs.contains("/tmp/backstay-no-such/deep/SNDarch1_2.dbf"),
        "{logs}"
    );
    world.must("brrestore", &["-b", "last", "-m", "SYSTEM", "-c", "force"]);
    world.must("brrecover", &COMPLETE);
    world.must_be_whole(Target::Everything);
}

#[test]
fn what_brrestore_cannot_choose_is_said_by_name() {
    let mut world = World::backed_up();
    world.more_load(20);
    world.database.must("shutdown immediate\n");
    let log = files_in(&world.database.home.join("sapbackup"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "and"))
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .expect("the log of the backup");
    let in_backup = format!("is in backup {log}");
    for (arguments, said) in [
        (&["-b", "last", "-m", "NOSUCH"][..], "-m NOSUCH: no such"),
        (&["-b", "last", "-m", "99"], "is in any good backup"),
        (&["-b", "last", "-m", "00"], "-m 00: no such"),
        (&["-b", &log, "-m", "SYSTEM,99"], &in_backup),
        (&["-m", "2=rest"], "'rest' is no absolute path"),
        (&["-m", "2="], "'' is no absolute path"),
        (&["-m", ","], "BR0156E"),
        (&["-m", "2", "-a", "2"], "'-m' or '-a'"),
        (&["-b", "last", "-a2", "2"], "'-b' or '-a2'"),
        (&["-a", "2", "-a2", "2"], "'-a' or '-a2'"),
    ] {
        let output = world.tool("brrestore", &[arguments, &["-c", "force"]].concat());
        let text = text(&output);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert!(!text.contains("BR0435E"), "{arguments:?}: {text}");
    }
    // A directory that cannot be made is named, and so is the file that was to go there.
    let none = world.database.home.join("dbs/initSND.sap/none");
    let mode = format!("2={}", none.display());
    let output = world.tool("brrestore", &["-m", &mode, "-c", "force"]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(5), "{text}");
    for said in [
        format!("BR0253E creating directory {}: ", none.display()),
        format!("BR0359E Restore of {}/40bd.data1 from /", none.display()),
    ] {
        assert!(text.contains(&said), "{said}: {text}");
    }
}

#[test]
fn online_redo_logs_that_a_restore_replaces_are_named() {
    let mut world = World::backed_up();
    world.more_load(20);
    let offline = ["-t", "offline", "-d", "disk", "-m", "all", "-c"];
    world.must("brbackup", &offline);
    world.lose(&[]);
    let restore = ["-b", "last", "-m", "full", "-c", "force"];
    let output = world.tool("brrestore", &restore);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let warning = said.lines().find(|line| line.starts_with("BR9043W"));
    let warning = warning.expect("a warning");
    for log in world.online_logs() {
        assert!(warning.contains(&log.display().to_string()), "{warning}");
    }
    let before = said.find("BR9043W") < said.find("BR0351I");
    assert!(before, "a warning comes before the deed: {said}");
    world.lose(&world.online_logs());
    let said = world.must("brrestore", &restore);
    assert!(!said.contains("BR9043W"), "nothing is lost: {said}");
}
