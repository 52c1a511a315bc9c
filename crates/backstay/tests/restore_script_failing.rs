//! The restore script when something fails: RMAN in every way, checks, signals, locks; and what it says of each.
//! What lives here: ends that are not the wanted one. What does not: what a restore does when it works (`restore_script`).

mod data_backup_world;
mod restore_world;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use data_backup_world::{Host, Running, Said, wait_until};
use restore_world::{CATALOG, Site, restore_script};
use rustix::process::{Pid, Signal, test_kill_process};

/// What RMAN does before a data file is touched, the message's number, and a part of the reason or of the hint.
const EARLY: [(&str, u32, &str); 8] = [
    ("no-connection", 601, "ORA-01031: insufficient privileges"),
    ("no-connection", 601, "the owner of the Oracle software"),
    (
        "says-nothing",
        601,
        "RMAN was not connected to the instance",
    ),
    ("startup-fails", 602, "ORA-27102: out of memory"),
    (
        "control-file-fails",
        604,
        "ORA-19870: error while restoring",
    ),
    (
        "mount-fails",
        604,
        "is that of another database than the parameter file's",
    ),
    ("mount-is-forgotten", 603, "ORA-01507: database not mounted"),
    ("catalog-fails", 606, "ORA-19625: error identifying file x"),
];

#[test]
fn what_fails_before_a_data_file_is_touched_leaves_all_as_it_was() {
    for found in ["none", "started"] {
        let site = Site::new();
        for (behaviour, number, reason) in EARLY {
            if (behaviour, found) == ("startup-fails", "started") {
                continue;
            }
            site.write("stand-in/state", found);
            let said = site.run_with_rman(behaviour, &[]);
            println!("{behaviour}: {}", said.errors);
            site.must_fail(&said, number, reason);
            assert!(site.database_files().is_empty(), "{behaviour}");
            assert_eq!(site.state(), found, "{behaviour}");
        }
        let logs = site.host.names_in("log");
        assert!(
            logs.iter().all(|name| name.ends_with(".log")),
            "nothing else stays: {logs:?}"
        );
        site.run(&[]).must_end_with(0);
    }
}

/// What RMAN does with the data files, the message's number, and a part of the reason or of the hint.
const LATE: [(&str, u32, &str); 15] = [
    (
        "no-backup",
        801,
        "RMAN-06023: no backup or copy of datafile 2",
    ),
    ("no-backup", 801, "take an earlier recovery point"),
    ("disk-full", 801, "ORA-19504: failed to create file"),
    ("disk-full", 801, "the disk is full"),
    ("piece-is-damaged", 801, "ORA-19501: read error on file"),
    (
        "unfinished",
        801,
        "a step was begun and not finished: restore",
    ),
    (
        "restore-with-status-0",
        801,
        "ORA-19870: error while restoring",
    ),
    ("cut-off", 801, "the log is cut off"),
    ("log-is-lost", 801, "is gone or cannot be read"),
    ("status-1", 801, "RMAN failed with status 1"),
    ("recover-fails", 802, "ORA-00600: internal error code"),
    ("redo-ends-badly", 802, "ORA-01110: data file 1: x"),
    (
        "redo-ends-earlier-and-earlier",
        802,
        "RMAN-06054: media recovery requesting unknown",
    ),
    (
        "open-fails",
        807,
        "the redo ends before the backup of the data does",
    ),
    (
        "open-is-forgotten",
        808,
        "is not open, though RMAN reported no error: mounted",
    ),
];

#[test]
fn a_database_is_never_called_open_when_rman_failed_however_it_did() {
    let site = Site::new();
    for (behaviour, number, reason) in LATE {
        let said = site.run_with_rman(behaviour, &[]);
        println!("{behaviour}: {}", said.errors);
        site.must_fail(&said, number, reason);
        assert!(!said.output.contains("RRS010I"), "{}", said.output);
        assert_eq!(site.run(&[]).code, Some(5), "files are there now");
        site.run(&["--force"]).must_end_with(0);
        site.lose_all_again();
    }
}

#[test]
fn a_backup_that_another_one_stands_in_for_and_warnings_are_said_and_are_no_failure() {
    for (behaviour, warning) in [
        (
            "fails-over",
            "RRS804W RMAN warned: channel c1: ORA-19870: error while restoring",
        ),
        (
            "warn",
            "RRS804W RMAN warned: RMAN-06820: WARNING: something is odd",
        ),
    ] {
        let site = Site::new();
        site.run_with_rman(behaviour, &[])
            .must_end_with(0)
            .must_say(warning);
    }
    let site = Site::new();
    site.write("mount/data_3.bad", "no backup");
    site.run(&[])
        .must_end_with(0)
        .must_say("RRS608W RMAN does not know these files as backups: ")
        .must_say("data_3.bad");
}

#[test]
fn what_cannot_be_put_back_is_said() {
    let site = Site::new();
    site.write("database/users.dbf", "alive");
    let said = site.run_with_rman("shutdown-fails", &[]);
    site.must_fail(&said, 503, "users.dbf");
    said.must_say(
        "RRS506W the instance SND could not be brought back to where it was, it is mounted",
    );
    assert_eq!(site.database_files()["users.dbf"], "alive");
    assert!(
        site.database_files().contains_key("control01.ctl"),
        "in use, and so not removed"
    );
}

#[test]
fn an_instance_that_rman_started_without_parameters_is_not_restored_into() {
    let site = Site::new();
    site.write("stand-in/state", "started");
    let mut command = site.command("192.0.2.1", &[]);
    command.env("STAND_IN_NAME", "DUMMY");
    let said = Said::of(&command.output().unwrap());
    site.must_fail(&said, 601, "runs without its parameters");
    assert!(site.database_files().is_empty());
}

#[test]
fn the_control_file_of_another_database_is_not_gone_on_with() {
    let site = Site::new();
    let mut command = site.command("192.0.2.1", &[]);
    command.env("STAND_IN_DBID", "4712");
    let said = Said::of(&command.output().unwrap());
    site.must_fail(
        &said,
        607,
        "is of database SND with DBID 4712, and the restore is of DBID 4711",
    );
    assert!(site.database_files().is_empty());
}

#[test]
fn nothing_is_overwritten_when_sqlplus_does_not_tell_what_is_there() {
    let site = Site::new();
    for behaviour in ["fails", "cut-off"] {
        let mut command = site.command("192.0.2.1", &[]);
        command.env("STAND_IN_SQLPLUS", behaviour);
        let said = Said::of(&command.output().unwrap());
        site.must_fail(
            &said,
            603,
            "the control files of SND are not known: sqlplus ended with status",
        );
        assert!(site.database_files().is_empty(), "{behaviour}");
    }
}

#[test]
fn a_single_data_file_that_fails_is_named_with_what_to_do() {
    let site = Site::new().with_living_database("mounted");
    site.remove("database/users.dbf");
    for (behaviour, reason) in [
        (
            "recover-fails",
            "data file 2 was not restored, recovered and taken into use",
        ),
        ("open-fails", "ORA-01152"),
    ] {
        let said = site.run_with_rman(behaviour, &["--datafile", "2", "--force"]);
        site.must_fail(&said, 809, reason);
        assert_eq!(
            (
                site.state().as_str(),
                site.database_files()["system.dbf"].as_str()
            ),
            ("mounted", "alive")
        );
    }
    let said = site.run_with_rman("catalog-fails", &["--datafile", "2", "--force"]);
    site.must_fail(&said, 606, "were not made known to RMAN");
}

#[test]
fn a_restore_that_is_none_is_refused_before_the_instance_is_touched() {
    let site = Site::new();
    let refused = |number: u32, reason: &str, options: &[&str]| {
        let said = site.run(options);
        site.must_fail(&said, number, reason);
        assert_eq!(site.commands(), "");
        assert!(site.host.names_in("log").is_empty(), "not even a log");
    };
    for (catalog, number, reason) in [
        (
            "# nothing\n".to_owned(),
            311,
            "has no CATALOG START WITH '@RESTORE_DIRECTORY@' NOPROMPT;",
        ),
        (
            CATALOG.replace("@RESTORE_DIRECTORY@", "/Phoenix/x"),
            311,
            "has no CATALOG",
        ),
        (
            CATALOG.replace("# control file", "# no control file"),
            312,
            "names no control file of SND",
        ),
        (
            CATALOG.replace("control_D", "../control_D"),
            312,
            "is not a path inside the restore",
        ),
        (
            CATALOG.replace("control_D-SND_I", "a'b"),
            312,
            "is not a path inside the restore",
        ),
        (
            CATALOG.replace("control_D", "other_D"),
            313,
            "other_D-SND_I-4711.ctl is not there, or empty",
        ),
    ] {
        site.write("mount/catalog.rman", &catalog);
        refused(number, reason, &[]);
    }
    site.write(
        "mount/catalog.rman",
        &CATALOG.replace("# spfile", "# nothing"),
    );
    site.remove("home/dbs/initSND.ora");
    refused(
        314,
        "names no backup of the server parameter file",
        &["--spfile"],
    );
    site.remove("mount/catalog.rman");
    refused(310, "there is no catalog.rman in ", &[]);
    refused(
        308,
        "cannot be entered",
        &["--local-mount", "/no/such/place"],
    );
    for path in ["/mnt/a'b", "/mnt/a%b", "/mnt/a b", "relative"] {
        refused(
            307,
            "is not absolute, or has other characters",
            &["--local-mount", path],
        );
    }
}

#[test]
fn the_restore_is_found_by_the_address_of_the_store_the_mount_and_the_number() {
    let site = Site::on(Host::with_mount(
        "size=1m",
        "127.0.0.1:/Phoenix/found-2/restores/12",
    ));
    let run = |store: &str, job: &str, options: &[&str]| {
        let mut command = site.bare_command();
        command
            .args(options)
            .arg(site.host.path("log"))
            .args([store, "found-2", job]);
        Said::of(&command.output().unwrap())
    };
    run("127.0.0.1", "12", &[])
        .must_end_with(0)
        .must_say(site.restore().to_str().unwrap());
    for (store, job) in [
        ("127.0.0.1", "1"),
        ("127.0.0.1", "121"),
        ("192.0.2.9", "12"),
    ] {
        let said = run(store, job, &[]);
        site.must_fail(
            &said,
            306,
            &format!("the restore {job} of mount found-2 is not mounted here"),
        );
        said.must_complain(&format!(
            "{store}:/Phoenix/found-2/restores/{job} DIRECTORY"
        ));
    }
    let directory = site.restore().to_str().unwrap().to_owned();
    let said = run("127.0.0.1", "13", &["--local-mount", &directory]);
    site.must_fail(
        &said,
        319,
        "restores/12, which is not restore 13 of mount found-2",
    );
}

#[test]
fn the_host_is_checked_before_anything() {
    let site = Site::new();
    let no_curl = site.host.path("no curl here").to_str().unwrap().to_owned();
    fs::create_dir(&no_curl).unwrap();
    for name in ["dash", "tr", "date"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{name}"), Path::new(&no_curl).join(name))
            .unwrap();
    }
    for (name, value, number, reason) in [
        ("ORACLE_SID", "", 303, "no database is named"),
        ("ORACLE_SID", "SND;id", 303, "is not a SID"),
        ("ORACLE_HOME", "", 304, "ORACLE_HOME of SND is not known"),
        (
            "ORACLE_HOME",
            "/nowhere",
            305,
            "/nowhere/bin/rman is not a program",
        ),
        (
            "PATH",
            no_curl.as_str(),
            301,
            "the program curl is not there",
        ),
    ] {
        let mut command = site.command("192.0.2.1", &[]);
        command.env(name, value);
        let said = Said::of(&command.output().unwrap());
        site.must_fail(&said, number, reason);
        assert_eq!(site.commands(), "");
    }
    site.remove("home/bin/sqlplus");
    site.must_fail(&site.run(&[]), 305, "/bin/sqlplus is not a program");
    fs::remove_dir(site.host.path("log")).unwrap();
    site.must_fail(&site.run(&[]), 302, "the log directory ");
}

/// Starts the script with an `rman` that restores until it is stopped, and waits until it does.
fn start_endless(site: &Site, behaviour: &str, options: &[&str]) -> (Running, Pid) {
    let mut command = site.command("192.0.2.1", options);
    command.env("STAND_IN_RMAN", behaviour);
    let running = Running::of(command);
    let pid = site.host.path("stand-in/pid");
    wait_until("rman to restore", || pid.exists());
    (running, site.host.rman())
}

#[test]
fn a_signal_stops_rman_and_says_how_far_it_was() {
    std::thread::scope(|scope| {
        for (signal, number, behaviour) in [
            (Signal::TERM, 15, "endless"),
            (Signal::INT, 2, "endless"),
            (Signal::HUP, 1, "endless"),
            (Signal::TERM, 15, "stubborn"),
        ] {
            scope.spawn(move || {
                let site = Site::new();
                let (running, rman) = start_endless(&site, behaviour, &[]);
                running.signal(signal);
                let said = running.end();
                said.must_end_with(128 + number)
                    .must_complain("RRS101E ended by signal ")
                    .must_complain(
                        "during the restore of the data files; database SND is half restored",
                    )
                    .must_complain("HINT: run this again with --force");
                assert!(test_kill_process(rman).is_err(), "rman lives");
                site.run(&["--force"]).must_end_with(0);
            });
        }
    });
}

#[test]
fn a_signal_before_a_data_file_is_touched_leaves_all_as_it_was() {
    let site = Site::new();
    let (running, rman) = start_endless(&site, "endless-check", &["--check"]);
    assert_eq!(site.state(), "mounted");
    running.signal(Signal::TERM);
    let said = running.end();
    said.must_end_with(143)
        .must_complain("during the check; no data file was touched")
        .must_say("RRS015I the instance SND is as it was found: not started");
    assert!(test_kill_process(rman).is_err(), "rman lives");
    assert!(site.database_files().is_empty());
    assert_eq!(site.state(), "none");
}

#[test]
fn a_directory_that_is_missing_is_named_before_anything_is_written() {
    let site = Site::new();
    let mut command = site.command("192.0.2.1", &[]);
    command.env("STAND_IN_CONTROL_FILES", "/no/such/place/control01.ctl");
    let said = Said::of(&command.output().unwrap());
    site.must_fail(
        &said,
        610,
        "directories of the control files of SND are missing",
    );
    said.must_complain("mkdir -p /no/such/place/");
    let files = format!("{}\n/no/such/disk/users.dbf\n", site.database("system.dbf"));
    site.write("stand-in/datafiles", &files);
    for options in [&[] as &[&str], &["--force"]] {
        let said = site.run(options);
        site.must_fail(&said, 610, "/no/such/disk/");
        assert!(site.database_files().is_empty());
        assert_eq!(site.state(), "none");
    }
    site.run(&["--check"]).must_end_with(0);
    let site = Site::new().with_living_database("mounted");
    site.write("stand-in/datafiles", &files);
    let said = site.run(&["--datafile", "2"]);
    site.must_fail(
        &said,
        610,
        "directories of the data file 2 of SND are missing",
    );
}

#[test]
fn two_runs_for_one_database_do_not_overlap_even_when_the_first_was_killed_and_its_rman_lives() {
    let site = Site::new();
    let (running, rman) = start_endless(&site, "endless", &[]);
    let before = site.commands();
    let second = || site.run(&["--force"]);
    site.must_fail(&second(), 401, "another run for SND is going on");
    running.signal(Signal::KILL);
    running.reap();
    site.must_fail(&second(), 401, "RMAN of one that was killed (process ");
    assert_eq!(site.commands(), before);
    rustix::process::kill_process(rman, Signal::KILL).unwrap();
    wait_until("the lock to be free", || second().code == Some(0));
}

#[test]
fn an_instance_that_lives_on_does_not_keep_the_lock() {
    let site = Site::new();
    let mut command = site.command("192.0.2.1", &[]);
    // It also keeps what rman says open: the output goes to a file, or reading it would wait for the instance.
    let said = fs::File::create(site.host.path("said")).unwrap();
    let status = command
        .env("STAND_IN_INSTANCE_SECONDS", "600")
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .status()
        .unwrap();
    assert!(status.success(), "{}", site.read("said"));
    let instance = children_named(&site, "sleep");
    assert_eq!(instance.len(), 1, "the instance lives");
    site.run(&["--force"]).must_end_with(0);
    for pid in instance {
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }
}

/// Processes of this name that have the home of this site in their environment.
fn children_named(site: &Site, name: &str) -> Vec<Pid> {
    let home = format!("ORACLE_HOME={}", site.host.path("home").display());
    let is_one = |directory: &Path| {
        let environment = fs::read(directory.join("environ")).unwrap_or_default();
        let command = fs::read_to_string(directory.join("comm")).unwrap_or_default();
        command.trim() == name
            && environment
                .split(|byte| *byte == 0)
                .any(|one| one == home.as_bytes())
    };
    let processes = fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    processes
        .filter(|directory| is_one(directory))
        .filter_map(|directory| Pid::from_raw(directory.file_name()?.to_str()?.parse().ok()?))
        .collect()
}

#[test]
fn another_shell_does_the_same() {
    // What /bin/sh is on the hosts that Oracle certifies.
    let site = Site::on(Host::without_mount().with_shell(&["bash", "--posix"]));
    site.run(&[])
        .must_end_with(0)
        .must_say("recovered to SCN 1200");
    let said = site.run(&[]);
    site.must_fail(&said, 501, "database SND is open");
    site.lose_all_again();
    site.run(&["--check"]).must_end_with(0);
    let (running, rman) = start_endless(&site, "endless", &[]);
    running.signal(Signal::TERM);
    running.end().must_end_with(143);
    assert!(test_kill_process(rman).is_err(), "rman lives");
}

#[test]
fn wrong_command_lines_are_refused_and_help_names_every_exit_status() {
    let site = Site::new();
    let four = ["log", "192.0.2.1", "testmount", "12"];
    for (number, options) in [
        (201, &["--channels"] as &[&str]),
        (202, &["--no-such-option"]),
        (203, &["one", "two", "three"]),
        (204, &["--channels", "65"]),
        (205, &["--until-time", "yesterday"]),
        (205, &["--until-time", "2026-02-30 00:00:00"]),
        (205, &["--until-time", "2026-11-23 14:30:00'); host"]),
        (206, &["--until-scn", "1;x"]),
        (207, &["--datafile", "1,,2"]),
        (207, &["--datafile", "0"]),
        (207, &["--datafile", "123456"]),
        (207, &["--datafile", ","]),
        (208, &["log", "fe80::1", "testmount", "12"]),
        (209, &["log", "a@b", "testmount", "12"]),
        (210, &["log", "192.0.2.1:0", "testmount", "12"]),
        (211, &["log", "192.0.2.1", "../etc", "12"]),
        (212, &["log", "192.0.2.1", "testmount", "012"]),
        (212, &["log", "192.0.2.1", "testmount", "1/../2"]),
        (
            213,
            &["--until-scn", "1", "--until-time", "2026-11-23 14:30:00"],
        ),
        (213, &["--datafile", "1", "--until-scn", "1"]),
        (213, &["--datafile", "1", "--use-copies"]),
        (213, &["--check", "--force"]),
        (213, &["--check", "--spfile"]),
        (213, &["--use-copies", "--delete-restore"]),
        (214, &["--control-file", "/etc/passwd"]),
        (214, &["--control-file", "a/../../b"]),
        (214, &["--control-file", "a'b"]),
        (215, &["--timeout", "0"]),
    ] {
        let mut command = site.bare_command();
        command.args(options);
        if options[0].starts_with("--") && number > 203 {
            command.args(four);
        }
        let said = Said::of(&command.output().unwrap());
        println!("{options:?}");
        site.must_fail(&said, number, "RRS2");
    }
    let help = Said::of(&site.bare_command().arg("--help").output().unwrap());
    help.must_end_with(0).must_say("Examples:");
    for status in [0, 2, 3, 4, 5, 6, 7, 8, 9] {
        help.must_say(&format!("\n{status:5}  "));
    }
    help.must_say("129, 130, 143");
}

/// Each number that the script can say.
fn numbers_in_the_script() -> BTreeSet<String> {
    let text = fs::read_to_string(restore_script()).unwrap();
    let words = text.split_whitespace();
    let calls = ["fail", "give_up", "complain", "warn", "wrong_usage"];
    let pairs = words.clone().zip(words.skip(1));
    let mut numbers: BTreeSet<String> = pairs
        .filter(|(call, number)| calls.contains(call) && number.parse::<u32>().is_ok())
        .map(|(_, number)| format!("RRS{number}"))
        .collect();
    let spelled = text.split("RRS").skip(1).filter_map(|rest| rest.get(..3));
    let spelled = spelled.filter(|number| number.parse::<u32>().is_ok());
    numbers.extend(spelled.map(|number| format!("RRS{number}")));
    numbers
}

#[test]
fn the_document_explains_each_message() {
    let path = restore_script().with_file_name("../docs/RMAN-RESTORE-SCRIPT.md");
    let document = fs::read_to_string(path).unwrap();
    let numbers = numbers_in_the_script();
    assert!(numbers.len() > 60, "{numbers:?}");
    let is_missing = |number: &&String| !document.contains(number.as_str());
    let missing: Vec<_> = numbers.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "not explained: {missing:?}");
}
