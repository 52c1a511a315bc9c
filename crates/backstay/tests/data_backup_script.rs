//! The data backup script at its work: the order of its calls, RMAN that fails in every way, signals and locks.
//! What lives here: what the script does on its host. What does not: a store that misbehaves (`data_backup_script_store`).

mod data_backup_world;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use data_backup_world::store_stand_in::{Answer, GET, POST, PUT, Store, UPLOAD, WHOLE_RUN};
use data_backup_world::{Host, Running, Said, script, wait_until};
use rustix::process::{Signal, test_kill_process};

#[test]
fn a_backup_is_made_in_the_documented_order_and_sealed() {
    let (host, store) = (Host::new(), Store::start());
    let said = host.run(store.address(), &[]);
    said.must_end_with(0).must_say("snapshot 4f1c_7");
    assert_eq!(said.errors, "");
    assert_eq!(store.calls(), WHOLE_RUN);
    for request in store.requests() {
        let base = "/druva-phoenix/v1/mounts/testmount/";
        assert!(request.path.starts_with(base), "{}", request.path);
        assert_eq!(request.headers["host"], store.address());
        if request.call() != UPLOAD {
            assert!(request.body.is_empty());
        }
    }
    let (name, log) = host.log();
    assert!(
        name.starts_with("rman_full_backup_2") && name.ends_with(".log"),
        "{name}"
    );
    for words in [
        "RDB001I",
        "Recovery Manager complete.",
        "RDB008I the store has sealed",
    ] {
        assert!(log.contains(words), "{words} is not in the log:\n{log}");
    }
}

#[test]
fn the_log_is_uploaded_as_a_file_with_the_mount_and_the_platform() {
    let (host, store) = (Host::new(), Store::start());
    host.run_with_rman(store.address(), "large-log")
        .must_end_with(0);
    let (name, log) = host.log();
    let upload = store.requests().remove(2);
    assert!(
        upload.body.len() > 2 << 20,
        "curl asks to continue before it sends so much"
    );
    let parts = upload.parts();
    let heads: Vec<&str> = parts
        .iter()
        .map(|(head, _)| head.lines().next().unwrap())
        .collect();
    assert_eq!(
        heads,
        [
            format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"").as_str(),
            "Content-Disposition: form-data; name=\"mountpoint\"",
            "Content-Disposition: form-data; name=\"platform\"",
        ]
    );
    let sent = String::from_utf8(parts[0].1.clone()).unwrap();
    assert!(log.starts_with(&sent), "the log as it was when it was sent");
    assert!(sent.contains("Recovery Manager complete.\n") && sent.contains("piece handle="));
    assert_eq!(parts[1].1, host.mount().to_str().unwrap().as_bytes());
    assert_eq!(parts[2].1, b"linux");
}

#[test]
fn image_copies_are_brought_up_to_date_and_everything_else_is_saved_too() {
    let (host, store) = (Host::new(), Store::start());
    host.run(store.address(), &["--channels", "3"])
        .must_end_with(0);
    let mount = host.mount();
    let commands = host.rman_noted("commands");
    let expected = format!(
        "report schema;
run {{
set controlfile autobackup format for device type disk to '{0}/%F';
allocate channel c1 device type disk format '{0}/%U';
allocate channel c2 device type disk format '{0}/%U';
allocate channel c3 device type disk format '{0}/%U';
crosscheck copy of database tag 'BS_TESTMOUNT';
delete noprompt expired copy of database tag 'BS_TESTMOUNT';
backup incremental level 1 for recover of copy with tag 'BS_TESTMOUNT' database;
recover copy of database with tag 'BS_TESTMOUNT';
delete noprompt backupset tag 'BS_TESTMOUNT';
sql 'alter system archive log current';
backup as backupset filesperset 4 tag 'BS_TESTMOUNT_LOG' archivelog all not backed up 1 times;
backup as backupset tag 'BS_TESTMOUNT_SPF' spfile;
backup as copy tag 'BS_TESTMOUNT_CTL' current controlfile format '{0}/control_D-%d_I-%I.ctl' reuse;
}}
exit;
",
        mount.display()
    );
    assert_eq!(commands, expected);
}

#[test]
fn full_backup_sets_are_made_and_old_ones_deleted_only_when_asked_for() {
    let (host, store) = (Host::new(), Store::start());
    host.run(store.address(), &["--full", "--tag", "nightly"])
        .must_end_with(0);
    let commands = host.rman_noted("commands");
    assert!(
        commands.contains("backup as backupset full filesperset 1 tag 'NIGHTLY' database force;\n")
    );
    assert!(
        !commands.contains("copy with tag") && !commands.contains("delete"),
        "{commands}"
    );
    assert_eq!(store.calls(), WHOLE_RUN);

    host.run(
        store.address(),
        &["--full", "--tag", "nightly", "--keep-days", "8"],
    )
    .must_end_with(0);
    let commands = host.rman_noted("commands");
    let deletions = "delete noprompt backupset tag 'NIGHTLY_LOG' completed before 'sysdate-8';\ndelete noprompt backupset tag 'NIGHTLY' completed before 'sysdate-8';\n";
    let (made, deleted) = (commands.find("archivelog all"), commands.find(deletions));
    assert!(made < deleted, "deleted after the new is made:\n{commands}");
}

#[test]
fn rman_gets_the_right_database_and_a_language_that_the_log_can_be_read_in() {
    let (host, store) = (Host::new(), Store::start());
    host.run(store.address(), &["--database", "PRD"])
        .must_end_with(0);
    let arguments = host.rman_noted("arguments");
    assert!(
        arguments.starts_with("target / nocatalog msgno cmdfile=rman_full_backup_"),
        "{arguments}"
    );
    let environment = host.rman_noted("environment");
    for line in [
        "ORACLE_SID=PRD",
        &format!("ORACLE_HOME={}", host.path("home").display()),
        "NLS_LANG=AMERICAN_AMERICA",
        "NLS_DATE_FORMAT=YYYY-MM-DD HH24:MI:SS",
    ] {
        assert!(
            environment.lines().any(|found| found == line),
            "{line}:\n{environment}"
        );
    }
    assert!(
        !environment.contains("TWO_TASK"),
        "it would lead to another database"
    );
}

#[test]
fn the_home_of_a_database_is_looked_up_when_the_environment_is_of_another() {
    let (host, store) = (Host::new(), Store::start());
    let oratab = format!(
        "# PRD:/no\nXPRD:/no:N\nPRD:{}:N\n",
        host.path("home").display()
    );
    fs::write(host.path("oratab"), oratab).unwrap();
    let mut command = host.command(store.address(), &["--database", "PRD"]);
    let said = Said::of(&command.env("ORACLE_HOME", "/of/another").output().unwrap());
    said.must_end_with(0);
}

/// What RMAN does, the message's number, and a part of the reason.
const FAILURES: [(&str, u32, &str); 17] = [
    (
        "fail",
        801,
        "RMAN failed with status 1: RMAN-03002: failure of backup command",
    ),
    ("fail-silently", 801, "RMAN failed with status 3"),
    ("good-but-status-1", 801, "RMAN failed with status 1"),
    ("fail-with-status-0", 802, "ORA-19809: limit exceeded"),
    (
        "bare-error",
        802,
        "ORA-19566: exceeded limit of 0 corrupt blocks",
    ),
    (
        "failed-command",
        802,
        "RMAN-03009: failure of backup command on c1 channel",
    ),
    ("cut-off", 802, "the log is cut off"),
    ("unfinished", 802, "a step was begun and not finished"),
    ("not-connected", 802, "RMAN was not connected"),
    ("no-log", 803, "is gone or cannot be read"),
    ("log-is-a-directory", 803, "is gone or cannot be read"),
    ("no-files", 805, "names no file that was written"),
    ("missing-file", 806, "FNO-1_01abcd, and it is not there"),
    (
        "empty-file",
        806,
        "FNO-1_01abcd, and it is not there, or empty",
    ),
    (
        "elsewhere",
        807,
        "/oracle/SND/dbs/0xyz_1_1, which is not on the mount",
    ),
    ("copy-elsewhere", 807, "/backup/other/data_D-SND"),
    ("disk-full", 801, "ORA-19502: write error on file"),
];

#[test]
fn nothing_is_sealed_when_rman_failed_however_it_did() {
    let host = Host::with_mount("size=4m", "tmpfs");
    for (behaviour, number, reason) in FAILURES {
        let store = Store::start();
        let said = host.run_with_rman(store.address(), behaviour);
        println!("{behaviour}: {}", said.errors);
        said.must_fail_with(number, reason).must_complain("HINT: ");
        assert_eq!(store.calls(), [GET, POST], "after {behaviour}");
        fs::remove_dir_all(host.path("log")).unwrap();
        fs::create_dir(host.path("log")).unwrap();
    }
}

#[test]
fn warnings_and_a_channel_that_takes_over_are_said_and_are_no_failure() {
    let host = Host::new();
    for (behaviour, warning) in [
        (
            "warn",
            "RDB804W RMAN warned: RMAN-08120: WARNING: archived log not deleted",
        ),
        ("warn", "RDB804W RMAN warned: ORA-17629"),
        (
            "channel-takes-over",
            "RDB804W RMAN warned: RMAN-03009: failure of backup command on c2",
        ),
    ] {
        let store = Store::start();
        host.run_with_rman(store.address(), behaviour)
            .must_end_with(0)
            .must_say(warning);
        assert_eq!(store.calls(), WHOLE_RUN);
    }
}

#[test]
fn a_piece_that_was_deleted_again_in_the_same_run_is_not_missed() {
    let (host, store) = (Host::new(), Store::start());
    host.run_with_rman(store.address(), "deletes-pieces")
        .must_end_with(0);
}

#[test]
fn a_signal_stops_rman_and_nothing_is_sealed() {
    // Beside each other, because the script gives RMAN some seconds to end by itself.
    std::thread::scope(|scope| {
        for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1)] {
            scope.spawn(move || a_signal_stops_rman(signal, number));
        }
    });
}

fn a_signal_stops_rman(signal: Signal, number: i32) {
    let (host, store) = (Host::new(), Store::start());
    let running = host.start_with_endless_rman(store.address());
    running.signal(signal);
    let said = running.end();
    said.must_end_with(128 + number)
        .must_complain("RDB101E ended by signal ")
        .must_complain("during RMAN; RMAN is being stopped, nothing is sealed");
    assert!(test_kill_process(host.rman()).is_err(), "rman lives");
    fs::remove_file(host.path("mount/still_writing")).unwrap();
    assert_eq!(store.calls(), [GET, POST]);
    let (_, log) = host.log();
    assert!(log.contains("RDB101E"), "{log}");
    host.run(store.address(), &[]).must_end_with(0);
    let writes = host.path("mount/still_writing").exists();
    assert!(!writes, "something of rman still writes");
}

#[test]
fn a_signal_while_the_store_seals_says_that_nobody_knows() {
    let (host, store) = (Host::new(), Store::that_answers(PUT, &[Answer::Silence]));
    let running = Running::of(host.command(store.address(), &[]));
    wait_until("the PUT", || store.calls().len() == WHOLE_RUN.len());
    running.signal(Signal::TERM);
    let said = running.end();
    said.must_end_with(143).must_complain(
        "RDB101E ended by signal TERM during the PUT; whether the backup is sealed is not known",
    );
    assert_eq!(host.names_in("log").len(), 1, "the log and nothing else");
}

#[test]
fn another_shell_does_the_same() {
    // What /bin/sh is on the hosts that Oracle certifies.
    let host = Host::new().with_shell(&["bash", "--posix"]);
    let store = Store::start();
    host.run(store.address(), &[]).must_end_with(0);
    host.run_with_rman(store.address(), "fail-with-status-0")
        .must_fail_with(802, "ORA-19809");
    let running = host.start_with_endless_rman(store.address());
    running.signal(Signal::TERM);
    running.end().must_end_with(143);
    assert!(test_kill_process(host.rman()).is_err(), "rman lives");
    let huge = Answer::Http(200, "y".repeat(70_000));
    let store = Store::that_answers(POST, &[huge]);
    host.run(store.address(), &[])
        .must_fail_with(502, "is longer than 64 KiB");
}

#[test]
fn an_rman_that_does_not_listen_is_killed() {
    let (host, store) = (Host::new(), Store::start());
    let mut command = host.command(store.address(), &[]);
    command.env("STAND_IN_RMAN", "stubborn");
    let running = Running::of(command);
    let written = host.path("mount/still_writing");
    wait_until("rman to write", || written.exists());
    running.signal(Signal::TERM);
    running.end().must_end_with(143);
    assert!(test_kill_process(host.rman()).is_err(), "rman lives");
}

/// Each number that the script, or the one that only calls it, can say.
fn numbers_in_the_script() -> BTreeSet<String> {
    let caller = script().with_file_name("oracle_rman_archivelog_backup.sh");
    let text = [script(), caller].map(|path| fs::read_to_string(path).unwrap());
    let text = text.join("\n");
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']));
    let calls = [
        "fail",
        "complain",
        "warn",
        "wrong_usage",
        "refused_before_rman",
    ];
    let pairs = words.clone().zip(words.skip(1));
    let mut numbers: BTreeSet<String> = pairs
        .filter(|(call, number)| calls.contains(call) && number.parse::<u32>().is_ok())
        .map(|(_, number)| format!("RDB{number}"))
        .collect();
    let notes = text.split("RDB").skip(1).filter_map(|rest| rest.get(..3));
    let spelled = notes.filter(|number| number.parse::<u32>().is_ok());
    numbers.extend(spelled.map(|number| format!("RDB{number}")));
    numbers
}

#[test]
fn the_document_explains_each_message() {
    let path = script().with_file_name("../docs/RMAN-SCRIPT.md");
    let document = fs::read_to_string(path).unwrap();
    let numbers = numbers_in_the_script();
    assert!(numbers.len() > 40, "{numbers:?}");
    assert!(numbers.contains("RDB316") && numbers.contains("RDB1001"));
    let missing: Vec<_> = numbers
        .iter()
        .filter(|number| !document.contains(number.as_str()))
        .collect();
    assert!(missing.is_empty(), "not explained: {missing:?}");
}

#[test]
fn two_runs_for_one_mount_do_not_overlap_even_when_the_first_was_killed_and_its_rman_lives() {
    let (host, store) = (Host::new(), Store::start());
    let running = host.start_with_endless_rman(store.address());
    let (calls, rman) = (store.calls(), host.rman());
    let second = || host.run(store.address(), &[]);
    second().must_fail_with(401, "another run for ");
    running.signal(Signal::KILL);
    running.reap();
    second().must_fail_with(401, "RMAN of one that was killed (process ");
    assert_eq!(
        store.calls(),
        calls,
        "the second run asked the store for nothing"
    );
    rustix::process::kill_process_group(rman, Signal::KILL).unwrap();
    wait_until("the group of rman to end", || {
        test_kill_process(rman).is_err()
    });
    wait_until("the lock to be free", || second().code == Some(0));
}

#[test]
fn checks_come_before_the_store_is_asked() {
    let store = Store::start();
    let host = Host::without_mount();
    let mount = host.mount();
    let refused = |number, reason: &str, change: &dyn Fn(&mut Command)| {
        let mut command = host.command(store.address(), &[]);
        change(&mut command);
        Said::of(&command.output().unwrap()).must_fail_with(number, reason);
        assert_eq!(store.calls(), Vec::<String>::new());
        assert_eq!(
            fs::read_dir(&mount).unwrap().count(),
            0,
            "nothing stays there"
        );
    };
    refused(310, "nothing is mounted there", &|_| ());
    refused(303, "no database is named", &|command| {
        command.env_remove("ORACLE_SID");
    });
    refused(303, "is not a SID", &|command| {
        command.env("ORACLE_SID", "SND;id");
    });
    refused(304, "ORACLE_HOME of SND is not known", &|command| {
        command.env_remove("ORACLE_HOME");
    });
    refused(305, "/bin/rman is not a program", &|command| {
        command.env("ORACLE_HOME", "/nowhere");
    });
    refused(301, "the program curl is not there", &|command| {
        command.env("PATH", host.path("no curl here"));
        for name in ["dash", "tr", "date", "sh"] {
            let link = host.path("no curl here").join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            drop(std::os::unix::fs::symlink(format!("/usr/bin/{name}"), link));
        }
    });
}

#[test]
fn a_log_directory_or_a_mount_that_cannot_be_written_is_refused_first() {
    let store = Store::start();
    let host = Host::with_mount("size=64k", "tmpfs");
    let no_log = Command::new("dash")
        .arg(script())
        .args([
            "--local-mount",
            "/",
            "/no/such/place",
            store.address(),
            "testmount",
        ])
        .output()
        .unwrap();
    Said::of(&no_log).must_fail_with(302, "/no/such/place is not there");
    fs::write(host.path("mount/ballast"), vec![1; 65536]).unwrap();
    host.run(store.address(), &[])
        .must_fail_with(311, "No space left on device");
    let host = Host::with_mount("ro", "tmpfs");
    host.run(store.address(), &[])
        .must_fail_with(311, "Read-only file system");
    assert_eq!(store.calls(), Vec::<String>::new());
}

#[test]
fn the_mount_is_found_by_the_address_of_the_store_and_the_path_of_the_export() {
    let store = Store::start();
    store.answer(
        GET,
        &[answer_for(
            "found-1",
            r#", "is_reached_max_snapshots": false"#,
        )],
    );
    store.answer(
        POST,
        &[answer_for(
            "found-1",
            r#", "mount_path": "/Phoenix/found-1/oracle_data""#,
        )],
    );
    store.answer(UPLOAD, &[answer_for("found-1", "")]);
    store.answer(PUT, &[answer_for("found-1", r#", "snap_name": "1_1""#)]);
    let _other = Host::with_mount("size=1m", "192.0.2.9:/Phoenix/found-1/oracle_data");
    let host = Host::with_mount("size=8m", "127.0.0.1:/Phoenix/found-1/oracle_data");
    let run = |mount: &str| {
        let mut command = host.bare_command();
        let said = command
            .arg(host.path("log"))
            .args([store.address(), mount])
            .output();
        Said::of(&said.unwrap())
    };
    run("found-1")
        .must_end_with(0)
        .must_say(host.mount().to_str().unwrap());
    let commands = host.rman_noted("commands");
    assert!(
        commands.contains("tag 'BS_FOUND_1_"),
        "two mounts never share a tag:\n{commands}"
    );
    run("Found-1").must_fail_with(308, "/local/Found-1 cannot be entered");
}

fn answer_for(mount: &str, rest: &str) -> Answer {
    let result = format!("{{\"mount_name\": \"{mount}\"{rest}}}");
    Answer::result(&result)
}

#[test]
fn another_export_than_the_stores_is_refused_before_rman_writes_to_it() {
    let host = Host::with_mount("size=8m", "192.0.2.9:/Phoenix/another/oracle_data");
    let store = Store::start();
    host.run(store.address(), &[]).must_fail_with(
        504,
        "is 192.0.2.9:/Phoenix/another/oracle_data, and the store exports testmount as",
    );
    assert!(!host.rman_was_called());
}

#[test]
fn odd_names_are_refused_and_odd_log_directories_are_quoted() {
    let (host, store) = (Host::new(), Store::start());
    for mount in ["../etc", "a b", "a/b", "$(id)", "-x", "a'b", "", "ä"] {
        let said = host
            .bare_command()
            .args(["--", "/tmp", store.address(), mount])
            .output();
        Said::of(&said.unwrap()).must_fail_with(211, "is not the name of a mount");
    }
    for (address, number) in [
        ("192.0.2.1:0", 210),
        ("192.0.2.1:65536", 210),
        ("192.0.2.1:x", 210),
        ("192.0.2.1/x", 209),
        ("a@b", 209),
        ("fe80::1", 208),
        ("[fe80::1;]", 209),
        ("-x", 209),
    ] {
        let said = host
            .bare_command()
            .args(["--", "/tmp", address, "testmount"])
            .output();
        Said::of(&said.unwrap()).must_fail_with(number, "RDB2");
    }
    for path in ["/mnt/a'b", "/mnt/a%b", "/mnt/a b", "relative"] {
        let said = host.run(store.address(), &["--local-mount", path]);
        said.must_fail_with(307, "is not absolute, or has other characters");
    }
    assert_eq!(store.calls(), Vec::<String>::new());

    let odd = host.path("log; of \"the\" $(night), 'x'");
    fs::create_dir(&odd).unwrap();
    let mut command = host.bare_command();
    command.arg("--local-mount").arg(host.mount()).arg(&odd);
    let said = Said::of(
        &command
            .args([store.address(), "testmount"])
            .output()
            .unwrap(),
    );
    said.must_end_with(0);
    assert_eq!(
        fs::read_dir(&odd).unwrap().count(),
        1,
        "the log and nothing else"
    );
}

#[test]
fn wrong_options_are_refused_and_help_names_every_exit_status() {
    let host = Host::without_mount();
    for options in [
        &["--channels", "0"] as &[&str],
        &["--channels", "65"],
        &["--channels", "1;x"],
        &["--tag", "a b"],
        &["--tag", "a23456789012345678901234567"],
        &["--keep-days", "-1"],
        &["--delete-input-days", "0"],
        &["--timeout", "0"],
        &["--timeout"],
        &["--no-such-option"],
        &["one", "two"],
        &["one", "two", "three", "four"],
    ] {
        let said = Said::of(&host.bare_command().args(options).output().unwrap());
        said.must_end_with(2)
            .must_complain("RDB2")
            .must_complain("HINT: ");
    }
    let help = Said::of(&host.bare_command().arg("--help").output().unwrap());
    help.must_end_with(0).must_say("Examples:");
    for status in [0, 2, 3, 4, 5, 6, 7, 8, 9, 10] {
        help.must_say(&format!("\n{status:5}  "));
    }
    help.must_say("129, 130, 143");
}
