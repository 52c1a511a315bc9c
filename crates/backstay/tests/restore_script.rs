//! The restore script at its work: what it tells RMAN, how far it recovers, and what it overwrites only when told.
//! What lives here: what a restore does to a database. What does not: failures and signals (`restore_script_failing`).

mod data_backup_world;
mod restore_world;

use std::fs;

use data_backup_world::store_stand_in::{Answer, Store};
use data_backup_world::{Host, Said};
use restore_world::{CATALOG, Site};

const DELETE: &str = "DELETE 12";

#[test]
fn a_lost_database_comes_back_to_the_end_of_the_redo_that_is_there() {
    let site = Site::new();
    let said = site.run(&["--channels", "2"]);
    said.must_end_with(0)
        .must_say("RRS002I the instance SND is not started")
        .must_say("RRS004I the control file of database SND (DBID 4711) is restored and mounted")
        .must_say("RRS005I 5 files of the restore are new to RMAN")
        .must_say(
            "RRS009I redo ends before log thread 1 sequence 8; recovery goes to its first SCN 1200",
        )
        .must_say(
            "RRS008I database SND is recovered to SCN 1200, the end of the redo that is there",
        )
        .must_say("RRS010I database SND is open")
        .must_say("make a full backup");
    assert_eq!(said.errors, "");
    let restore = site.restore().display().to_string();
    let expected = format!(
        "exit;
startup nomount;
exit;
restore controlfile from '{restore}/control_D-SND_I-4711.ctl';
alter database mount;
exit;
crosscheck backup;
crosscheck copy of database;
crosscheck archivelog all;
catalog start with '{restore}/' noprompt;
exit;
run {{
allocate channel c1 device type disk;
allocate channel c2 device type disk;
restore database;
}}
exit;
run {{
allocate channel c1 device type disk;
allocate channel c2 device type disk;
recover database;
}}
exit;
run {{
allocate channel c1 device type disk;
allocate channel c2 device type disk;
set until scn 1200;
recover database;
}}
exit;
alter database open resetlogs;
exit;
exit;
change copy of database like '{restore}/%' uncatalog;
exit;
"
    );
    assert_eq!(site.commands(), expected);
    assert_eq!(site.state(), "open");
    assert_eq!(site.database_files()["users.dbf"], "restored\n");
    let (name, log) = site.host.log();
    assert!(
        name.starts_with("rman_restore_2") && name.ends_with(".log"),
        "{name}"
    );
    for words in [
        "RRS001I",
        "Recovery Manager complete.",
        "RRS013I next: make a full backup",
    ] {
        assert!(log.contains(words), "{words} is not in the log:\n{log}");
    }
    let arguments = site.read("stand-in/arguments");
    assert!(
        arguments.starts_with("target / nocatalog msgno cmdfile=rman_restore_"),
        "{arguments}"
    );
}

#[test]
fn release_10_says_it_in_other_words_and_online_logs_that_are_there_are_used_to_their_end() {
    let site = Site::new();
    site.run_with_rman("redo-ends-as-in-release-10", &[])
        .must_end_with(0)
        .must_say("recovered to SCN 1200");
    site.lose_all_again();
    // Asked for once more by a recovery that stands at its target already.
    site.run_with_rman("redo-ends-always", &[])
        .must_end_with(0)
        .must_say("recovered to SCN 1200");
    site.lose_all_again();
    site.run_with_rman("online-logs-are-there", &[])
        .must_end_with(0)
        .must_say("RRS008I database SND is recovered to the end of the redo that is there");
    assert!(!site.commands().contains("set until"));
}

#[test]
fn a_chosen_time_or_scn_holds_for_the_restore_and_for_the_recovery() {
    let site = Site::new();
    let until = "set until time \"to_date('2026-11-23 14:30:00','YYYY-MM-DD HH24:MI:SS')\";\n";
    for (option, value, until) in [
        ("--until-time", "2026-11-23 14:30:00", until),
        ("--until-scn", "1100", "set until scn 1100;\n"),
    ] {
        let said = site.run(&[option, value]);
        said.must_end_with(0).must_say("RRS008I");
        let commands = site.commands();
        assert!(
            commands.contains(&format!("{until}restore database;")),
            "{commands}"
        );
        assert!(
            commands.contains(&format!("{until}recover database;")),
            "{commands}"
        );
        assert_eq!(commands.matches("recover database").count(), 1);
        site.lose_all_again();
    }
    let said = site.run_with_rman("redo-ends-always", &["--until-scn", "5000"]);
    site.must_fail(
        &said,
        805,
        "the redo that is there ends before SCN 5000: log thread 1 sequence 8",
    );
    assert_eq!(site.state(), "mounted");
}

#[test]
fn logs_that_were_archived_since_the_backup_and_are_still_there_are_made_known() {
    let site = Site::new();
    let archive = site.host.path("archive");
    fs::create_dir(&archive).unwrap();
    fs::write(archive.join("SNDarch1_8.dbf"), "log").unwrap();
    let run = |place: &str| {
        site.lose_all_again();
        let mut command = site.command("192.0.2.1", &[]);
        command.env("STAND_IN_ARCHIVE", place);
        Said::of(&command.output().unwrap())
    };
    let archive = archive.to_str().unwrap();
    let prefix = format!("{archive}/SNDarch");
    let restore = site.restore().display().to_string();
    for (place, wanted) in [(archive, format!("{archive}/")), (&prefix, prefix.clone())] {
        run(place)
            .must_end_with(0)
            .must_say("RRS005I 5 files of the restore are new to RMAN");
        let wanted = format!(
            "catalog start with '{restore}/' noprompt;\ncatalog start with '{wanted}' noprompt;\n"
        );
        assert!(site.commands().contains(&wanted), "{}", site.commands());
    }
    for nowhere in ["/no/such/place", "+ARCHIVE/SND"] {
        run(nowhere).must_end_with(0);
        assert_eq!(site.commands().matches("catalog start").count(), 1);
    }
    run("/with 'quotes'/and blanks")
        .must_end_with(0)
        .must_say("RRS609W archived logs in /with 'quotes'/and blanks are left out");
}

#[test]
fn a_gap_in_the_redo_is_not_taken_for_its_end() {
    let site = Site::new();
    let places = [
        ("STAND_IN_LATER_LOG", "10"),
        ("STAND_IN_LATER_BACKED_UP_LOG", "9"),
    ];
    for (place, later) in places {
        let mut command = site.command("192.0.2.1", &[]);
        let said = Said::of(&command.env(place, later).output().unwrap());
        let gap = format!("log thread 1 sequence 8 is missing, and sequence {later} is there");
        site.must_fail(&said, 803, &gap);
        said.must_complain("--until-scn 1200 --force");
        assert!(!site.commands().contains("open resetlogs"));
        site.lose_all_again();
    }
    let mut command = site.command("192.0.2.1", &["--until-scn", "1200"]);
    command.env("STAND_IN_LATER_BACKED_UP_LOG", "9");
    Said::of(&command.output().unwrap()).must_end_with(0);
    site.lose_all_again();
    let said = site.run_with_rman("later-log-unknown", &[]);
    site.must_fail(
        &said,
        803,
        "whether redo after SCN 1200 is there is not known",
    );
}

#[test]
fn a_living_database_is_never_overwritten_unless_force_says_so() {
    for (state, number, reason) in [
        ("open", 501, "database SND is open: it would be overwritten"),
        (
            "mounted",
            501,
            "database SND is mounted: it would be overwritten",
        ),
        ("started", 502, "control files of SND are there: "),
        ("none", 502, "control01.ctl"),
    ] {
        let site = Site::new().with_living_database(state);
        let before = site.database_files();
        let said = site.run(&[]);
        site.must_fail(&said, number, reason);
        said.must_complain("--force");
        assert_eq!(site.database_files(), before, "{state}");
        assert_eq!(site.state(), state, "as it was found");
        assert_eq!(
            site.host.names_in("log").len(),
            1,
            "the log and nothing else"
        );

        let said = site.run(&["--force"]);
        said.must_end_with(0).must_say("RRS014I the control file ");
        assert_eq!(site.database_files()["system.dbf"], "restored\n");
        assert_eq!(site.state(), "open");
        let kept: Vec<String> = site.host.names_in("log");
        let kept = kept.iter().find(|name| name.ends_with(".old.ctl")).unwrap();
        assert_eq!(site.read(&format!("log/{kept}")), "alive");
    }
}

#[test]
fn files_that_only_the_control_file_knows_are_found_before_they_are_overwritten_and_all_is_put_back()
 {
    for left in ["users.dbf", "redo01.log"] {
        for state in ["none", "started"] {
            let site = Site::new();
            site.write(&format!("database/{left}"), "alive");
            site.write("stand-in/state", state);
            let said = site.run(&[]);
            site.must_fail(&said, 503, left);
            said.must_say("RRS015I the instance SND is as it was found");
            let left_alone = [(left.to_owned(), "alive".to_owned())];
            assert_eq!(
                site.database_files(),
                left_alone.into(),
                "the new control files are gone again"
            );
            assert_eq!(site.state(), state);
            site.run(&["--force"]).must_end_with(0);
        }
    }
}

#[test]
fn a_name_that_cannot_be_looked_for_counts_as_there() {
    for name in ["+DATA/SND/control01.ctl", "/tmp/r?stig.ctl"] {
        let site = Site::new();
        let mut command = site.command("192.0.2.1", &[]);
        command.env("STAND_IN_CONTROL_FILES", name);
        site.must_fail(&Said::of(&command.output().unwrap()), 502, name);
        let mut command = site.command("192.0.2.1", &["--force"]);
        command.env("STAND_IN_CONTROL_FILES", name);
        Said::of(&command.output().unwrap())
            .must_end_with(0)
            .must_say("RRS605W the control file that is overwritten could not be copied");
    }
}

#[test]
fn a_check_reads_every_backup_and_leaves_all_as_it_was() {
    let site = Site::new();
    let before = site.database_files();
    let said = site.run(&["--check", "--until-scn", "1100"]);
    said.must_end_with(0)
        .must_say("RRS012I every data file of database SND could be restored");
    let commands = site.commands();
    assert!(
        commands.contains(
            "set until scn 1100;\nrestore database preview;\nrestore database validate;\n}"
        ),
        "{commands}"
    );
    for forbidden in ["restore database;", "recover", "resetlogs", "uncatalog"] {
        assert!(!commands.contains(forbidden), "{forbidden}:\n{commands}");
    }
    assert_eq!(
        (site.database_files(), site.state().as_str()),
        (before.clone(), "none")
    );

    let said = site.run_with_rman("validation-fails", &["--check"]);
    site.must_fail(
        &said,
        701,
        "database SND could not be restored: RMAN failed with status 1",
    );
    assert_eq!(
        (site.database_files(), site.state().as_str()),
        (before, "none")
    );
}

#[test]
fn a_check_refuses_to_write_into_a_living_database() {
    for (state, reason) in [
        (
            "open",
            "database SND is open, and a check would have to write",
        ),
        (
            "mounted",
            "database SND is mounted, and a check would have to write",
        ),
        (
            "none",
            "control files of SND are there, and a check would overwrite them",
        ),
    ] {
        let site = Site::new().with_living_database(state);
        let before = site.database_files();
        let said = site.run(&["--check"]);
        site.must_fail(&said, 504, reason);
        assert_eq!(
            (site.database_files(), site.state().as_str()),
            (before, state)
        );
        assert!(!site.commands().contains("catalog"));
    }
}

#[test]
fn the_database_can_be_opened_on_the_copies_where_they_are() {
    let site = Site::new();
    let said = site.run(&["--use-copies"]);
    said.must_end_with(0)
        .must_say("keep it mounted, keep the restore");
    let commands = site.commands();
    assert!(
        commands.contains("switch database to copy;\n"),
        "{commands}"
    );
    assert!(
        !commands.contains("restore database"),
        "nothing is copied back:\n{commands}"
    );
    assert!(
        !commands.contains("uncatalog"),
        "the restore is the database now:\n{commands}"
    );
    assert_eq!(site.state(), "open");

    site.lose_all_again();
    let said = site.run_with_rman("no-copies", &["--use-copies"]);
    site.must_fail(
        &said,
        801,
        "RMAN-06571: datafile 1 does not have recoverable copy",
    );
    site.lose_all_again();
    let elsewhere = site.host.path("backup");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("data_1"), "copy").unwrap();
    let mut command = site.command("192.0.2.1", &["--use-copies"]);
    command.env("STAND_IN_COPIES", &elsewhere);
    let said = Said::of(&command.output().unwrap());
    site.must_fail(&said, 806, "RMAN chose copies outside the restore");
    assert!(
        !site.commands().contains("recover database"),
        "they are not touched"
    );
}

#[test]
fn copies_on_a_read_only_restore_cannot_be_a_database() {
    let site = Site::on(Host::with_mount("size=1m", "tmpfs"));
    let remount = |how: &str| {
        let status = std::process::Command::new("mount")
            .args(["-o", how])
            .arg(site.restore())
            .status();
        assert!(status.unwrap().success());
    };
    remount("remount,ro");
    let said = site.run(&["--use-copies"]);
    site.must_fail(
        &said,
        317,
        "cannot be written, and with --use-copies the database would live there",
    );
    site.run(&[]).must_end_with(0);
}

#[test]
fn one_data_file_comes_back_into_a_database_that_is_otherwise_intact() {
    for state in ["none", "started", "mounted"] {
        let site = Site::new().with_living_database(state);
        site.remove("database/users.dbf");
        let said = site.run(&["--datafile", "2"]);
        said.must_end_with(0)
            .must_say("RRS007I data file 2 is restored and recovered")
            .must_say("RRS010I database SND is open");
        assert!(
            !said.output.contains("full backup"),
            "the incarnation is the same"
        );
        let files = site.database_files();
        assert_eq!(
            (files["users.dbf"].as_str(), files["system.dbf"].as_str()),
            ("restored\n", "alive")
        );
        assert_eq!(files["control01.ctl"], "alive");
        let commands = site.commands();
        let wanted = "restore datafile 2;\nrecover datafile 2;\n}\nalter database open;\n";
        assert!(commands.contains(wanted), "{commands}");
        for forbidden in ["resetlogs", "controlfile", "crosscheck", "force"] {
            assert!(!commands.contains(forbidden), "{forbidden}:\n{commands}");
        }
    }
}

#[test]
fn a_data_file_that_is_there_or_a_database_that_is_open_needs_force() {
    let site = Site::new().with_living_database("none");
    let said = site.run(&["--datafile", "2"]);
    site.must_fail(&said, 503, "users.dbf");
    assert_eq!(
        (
            site.state().as_str(),
            site.database_files()["users.dbf"].as_str()
        ),
        ("none", "alive")
    );
    let said = site.run(&["--datafile", "7", "--force"]);
    site.must_fail(&said, 505, "the database has not all of the data files 7");
    site.run(&["--datafile", "2", "--force"]).must_end_with(0);

    let site = Site::new().with_living_database("open");
    let said = site.run(&["--datafile", "2"]);
    site.must_fail(&said, 501, "database SND is open");
    assert!(!site.commands().contains("offline"));
    site.run(&["--datafile", "2", "--force"]).must_end_with(0);
    let commands = site.commands();
    let (offline, online) = (
        commands.find("sql 'alter database datafile 2 offline';"),
        commands.find("sql 'alter database datafile 2 online';"),
    );
    let restored = commands.find("restore datafile 2;");
    assert!(
        offline.is_some() && offline < restored && restored < online,
        "{commands}"
    );
    assert!(!commands.contains("alter database open"), "{commands}");
}

#[test]
fn the_restore_is_deleted_only_when_the_database_is_open_and_lies_elsewhere() {
    let (site, store) = (Site::new(), Store::start());
    let run = |behaviour: &str, store: &Store| {
        let mut command = site.command(store.address(), &["--delete-restore"]);
        command.env("STAND_IN_RMAN", behaviour);
        let said = Said::of(&command.output().unwrap());
        site.lose_all_again();
        said
    };
    run("good", &store)
        .must_end_with(0)
        .must_say("RRS011I the store has deleted restore 12");
    assert_eq!(store.calls(), [DELETE]);
    assert_eq!(
        store.requests()[0].path,
        "/druva-phoenix/v1/mounts/testmount/restores/12"
    );

    let store = Store::start();
    for behaviour in [
        "disk-full",
        "recover-fails",
        "open-fails",
        "open-is-forgotten",
    ] {
        assert_eq!(run(behaviour, &store).code, Some(8), "{behaviour}");
    }
    // The directory itself, another place where the same restore is mounted, and a link to it.
    let mounted = Host::with_mount("size=1m", "192.0.2.1:/Phoenix/testmount/restores/12");
    let link = site.host.path("link");
    std::os::unix::fs::symlink(site.restore(), &link).unwrap();
    site.write("mount/temp.dbf", "");
    for directory in [site.restore(), mounted.mount(), link] {
        let mut command = site.command(store.address(), &["--delete-restore"]);
        command.env("STAND_IN_TEMPFILE", directory.join("temp.dbf"));
        let said = Said::of(&command.output().unwrap());
        site.must_fail(
            &said,
            903,
            "restore 12 is kept, since files of the database lie on it",
        );
        site.lose_all_again();
    }
    assert_eq!(store.calls(), Vec::<String>::new());
}

#[test]
fn a_restore_that_the_store_does_not_delete_is_told_apart_from_a_database_that_is_not_open() {
    let site = Site::new();
    let run = |answer: Answer| {
        let store = Store::that_answers(DELETE, &[answer]);
        let said = Said::of(
            &site
                .command(store.address(), &["--delete-restore"])
                .output()
                .unwrap(),
        );
        assert_eq!(
            (store.calls(), site.state().as_str()),
            (vec![DELETE.to_owned()], "open")
        );
        site.lose_all_again();
        said
    };
    let said = run(Answer::error(
        403,
        4295622920,
        "This address is not on the allow-list of the mount.",
    ));
    site.must_fail(
        &said,
        902,
        "the database is open, but the store refused to delete restore 12",
    );
    said.must_complain("curl -X DELETE http://127.0.0.1:");
    run(Answer::error(
        404,
        4295622663,
        "Restore Path is missing on Export Service.",
    ))
    .must_end_with(0)
    .must_say("the store has no restore 12 any more");
    for answer in [
        Answer::Bytes(Vec::new()),
        Answer::Http(502, "<html>Bad gateway</html>".to_owned()),
        Answer::Http(200, "y".repeat(70_000)),
        Answer::Http(200, "{\"error_code\": \"0\"}".to_owned()),
    ] {
        site.must_fail(
            &run(answer),
            901,
            "the database is open, but the store did not answer the DELETE",
        );
    }
}

#[test]
fn a_parameter_file_is_restored_only_where_none_is() {
    let site = Site::new();
    let said = site.run(&["--spfile"]);
    site.must_fail(&said, 318, "initSND.ora is there");
    site.remove("home/dbs/initSND.ora");
    let said = site.run(&[]);
    site.must_fail(&said, 602, "the instance has no parameter file");
    said.must_complain("--spfile");
    assert_eq!(site.state(), "none");
    site.run(&["--spfile"])
        .must_end_with(0)
        .must_say("with the parameters of 08spfile_1_1");
    let restore = site.restore().display().to_string();
    let wanted = format!(
        "set dbid 4711;\nstartup nomount;\nrestore spfile from '{restore}/08spfile_1_1';\nstartup force nomount;\n"
    );
    assert!(site.commands().contains(&wanted), "{}", site.commands());
}

#[test]
fn copies_that_stay_known_are_warned_of() {
    let site = Site::new();
    site.run_with_rman("uncatalog-fails", &[])
        .must_end_with(0)
        .must_say("RRS904W RMAN may still know the image copies in ");
}

#[test]
fn catalog_rman_is_not_run_as_it_stands() {
    let site = Site::new();
    let touched = site.host.path("touched");
    let hostile = format!(
        "HOST 'touch {0}';\n{CATALOG}RUN {{ HOST \"touch {0}\"; }}\nCATALOG START WITH '@RESTORE_DIRECTORY@/../..' NOPROMPT;\n\
         CATALOG START WITH '@RESTORE_DIRECTORY@' NOPROMPT; HOST 'touch {0}';\n",
        touched.display()
    );
    site.write("mount/catalog.rman", &hostile);
    site.run(&[]).must_end_with(0);
    let commands = site.commands().to_lowercase();
    assert!(
        !commands.contains("host") && !commands.contains(".."),
        "{commands}"
    );
    assert_eq!(
        commands.matches("catalog start with").count(),
        1,
        "{commands}"
    );
    assert!(!touched.exists());
}

#[test]
fn directories_below_the_restore_can_be_catalogued_each() {
    let site = Site::new();
    let below = CATALOG
        .replace("@' NOPROMPT", "@/day 1' NOPROMPT")
        .replace("day 1", "day1");
    site.write(
        "mount/catalog.rman",
        &format!("{below}catalog start with '@RESTORE_DIRECTORY@/day2/' noprompt;\n"),
    );
    site.run(&[]).must_end_with(0);
    let restore = site.restore().display().to_string();
    let wanted = format!(
        "catalog start with '{restore}/day1/' noprompt;\ncatalog start with '{restore}/day2/' noprompt;\n"
    );
    assert!(site.commands().contains(&wanted), "{}", site.commands());
}

#[test]
fn of_several_databases_the_one_with_the_name_of_the_sid_is_meant() {
    let site = Site::new();
    let two =
        format!("# database PRD DBID 4712\n# control file: prd.ctl\n# spfile: prd.spf\n{CATALOG}");
    site.write("mount/catalog.rman", &two);
    site.run(&[]).must_end_with(0);
    assert!(
        site.commands().contains("/control_D-SND_I-4711.ctl';"),
        "{}",
        site.commands()
    );

    site.lose_all_again();
    let neither = two.replace("database SND", "database TST");
    site.write("mount/catalog.rman", &neither);
    let said = site.run(&[]);
    site.must_fail(
        &said,
        312,
        "several databases, and none with the name of SND: PRD TST",
    );
    site.write("mount/other.ctl", "backup");
    site.run(&["--control-file", "other.ctl"]).must_end_with(0);
    assert!(
        site.commands().contains("/other.ctl';"),
        "{}",
        site.commands()
    );
}
