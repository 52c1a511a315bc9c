//! The archived log backup script: what it saves, what it deletes and when, and what it shares with the data script.
//! What lives here: what is its own. What does not: what both do on the host and with the store (`data_backup_script*`).

mod data_backup_world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_backup_world::store_stand_in::{Answer, GET, POST, PUT, Store, WHOLE_RUN};
use data_backup_world::{Host, Said, script};

fn archivelog_script() -> PathBuf {
    script().with_file_name("oracle_rman_archivelog_backup.sh")
}

fn host() -> Host {
    Host::new().with_script(&archivelog_script())
}

#[test]
fn archived_logs_and_the_control_file_are_saved_and_sealed_and_no_data() {
    let (host, store) = (host(), Store::start());
    let said = host.run(store.address(), &["--channels", "2"]);
    said.must_end_with(0)
        .must_say("RDB001I backup of the archived logs of database SND onto mount testmount")
        .must_say("RDB005I RMAN begins: archived logs only")
        .must_say("snapshot 4f1c_7");
    assert_eq!(said.errors, "");
    assert_eq!(store.calls(), WHOLE_RUN);
    let expected = format!(
        "report schema;
run {{
set controlfile autobackup format for device type disk to '{0}/%F';
allocate channel c1 device type disk format '{0}/%U';
allocate channel c2 device type disk format '{0}/%U';
sql 'alter system archive log current';
backup as backupset filesperset 4 tag 'BS_TESTMOUNT_LOG' archivelog all not backed up 1 times;
backup as copy tag 'BS_TESTMOUNT_CTL' current controlfile format '{0}/control_D-%d_I-%I.ctl' reuse;
}}
exit;
",
        host.mount().display()
    );
    assert_eq!(host.rman_noted("commands"), expected);
    let (name, log) = host.log();
    assert!(
        name.starts_with("rman_archivelog_backup_2") && name.ends_with(".log"),
        "{name}"
    );
    let upload = store.requests().remove(2);
    let (head, sent) = upload.parts().remove(0);
    assert!(head.contains(&format!("filename=\"{name}\"")), "{head}");
    let sent = String::from_utf8(sent).unwrap();
    assert!(log.starts_with(&sent) && sent.contains("Recovery Manager complete.\n"));
}

#[test]
fn old_pieces_are_deleted_after_the_new_ones_are_made_when_it_is_asked_for() {
    let (host, store) = (host(), Store::start());
    host.run(store.address(), &["--keep-days", "8", "--tag", "logs"])
        .must_end_with(0);
    let commands = host.rman_noted("commands");
    let made = commands.find("archivelog all not backed up").unwrap();
    let deleted = commands
        .find("delete noprompt backupset tag 'LOGS_LOG' completed before 'sysdate-8';\n")
        .unwrap();
    assert!(made < deleted, "{commands}");
    assert_eq!(commands.matches("delete").count(), 1, "{commands}");
    assert!(!host.path("stand-in/deletion").exists());
}

#[test]
fn logs_on_the_databases_disk_are_deleted_after_the_seal_and_only_what_is_in_a_backup_that_is_there()
 {
    let (host, store) = (host(), Store::start());
    let said = host.run(store.address(), &["--delete-input-days", "2"]);
    said.must_end_with(0)
        .must_say("RDB009I 2 archived logs older than 2 days are deleted");
    let deletion = host.rman_noted("deletion");
    assert_eq!(
        deletion,
        "crosscheck backup of archivelog all;
delete noprompt archivelog all completed before 'sysdate-2' backed up 1 times to device type disk;
exit;
"
    );
    let (_, log) = host.log();
    let sealed = log.find("RDB008I").unwrap();
    assert!(sealed < log.find("deleted archived log").unwrap(), "{log}");
    let upload = store.requests().remove(2);
    let (_, sent) = upload.parts().remove(0);
    let sent = String::from_utf8(sent).unwrap();
    assert!(
        !sent.contains("deleted archived log"),
        "what was sent is what is sealed"
    );
}

#[test]
fn nothing_is_deleted_from_the_databases_disk_unless_the_store_has_sealed() {
    let host = host();
    let refusal = Answer::error(409, 4295622659, "START_BACKUP cmd not received yet.");
    for (call, number) in [(GET, 601), (POST, 602), (PUT, 903)] {
        let store = Store::that_answers(call, std::slice::from_ref(&refusal));
        host.run(store.address(), &["--delete-input-days", "2"])
            .must_fail_with(number, "error 4295622659");
        assert!(!host.path("stand-in/deletion").exists(), "after {call}");
    }
    let store = Store::start();
    let mut command = host.command(store.address(), &["--delete-input-days", "2"]);
    command.env("STAND_IN_RMAN", "missing-piece");
    Said::of(&command.output().unwrap()).must_fail_with(806, "07arch_1_1, and it is not there");
    assert!(!host.path("stand-in/deletion").exists());
}

#[test]
fn a_deletion_that_fails_is_told_apart_from_a_backup_that_fails() {
    let host = host();
    for (behaviour, reason) in [
        ("deletion-fails", "RMAN-03002: failure of backup command"),
        (
            "deletion-fails-with-status-0",
            "ORA-27056: could not delete",
        ),
        ("deletion-is-cut-off", "the log is cut off"),
    ] {
        let store = Store::start();
        let mut command = host.command(store.address(), &["--delete-input-days", "2"]);
        command.env("STAND_IN_RMAN", behaviour);
        let said = Said::of(&command.output().unwrap());
        said.must_fail_with(1001, reason)
            .must_complain("the backup is sealed, but archived logs older than 2 days")
            .must_complain("HINT: ");
        assert_eq!(store.calls(), WHOLE_RUN, "{behaviour}");
    }
}

#[test]
fn nothing_is_sealed_when_rman_failed() {
    let host = host();
    for (behaviour, number, reason) in [
        ("fail", 801, "RMAN failed with status 1"),
        ("cut-off", 802, "the log is cut off"),
        ("missing-piece", 806, "07arch_1_1, and it is not there"),
        ("no-log", 803, "is gone or cannot be read"),
    ] {
        let store = Store::start();
        host.run_with_rman(store.address(), behaviour)
            .must_fail_with(number, reason);
        assert_eq!(store.calls(), [GET, POST], "after {behaviour}");
        fs::remove_dir_all(host.path("log")).unwrap();
        fs::create_dir(host.path("log")).unwrap();
    }
}

#[test]
fn a_run_for_logs_waits_for_no_run_for_data_and_does_not_begin_beside_it() {
    let (host, store) = (Host::new(), Store::start());
    let running = host.start_with_endless_rman(store.address());
    let calls = store.calls();
    let host = host.with_script(&archivelog_script());
    host.run(store.address(), &[])
        .must_fail_with(401, "another run for ");
    assert_eq!(store.calls(), calls, "a POST would begin the mount anew");
    running.signal(rustix::process::Signal::TERM);
    running.end().must_end_with(143);
    host.run(store.address(), &[]).must_end_with(0);
}

#[test]
fn the_option_of_the_data_script_does_the_same() {
    let (host, store) = (Host::new(), Store::start());
    host.run(store.address(), &["--archived-logs"])
        .must_end_with(0)
        .must_say("archived logs only");
    assert!(!host.rman_noted("commands").contains("database"));
    for options in [
        &["--full", "--archived-logs"] as &[&str],
        &["--archived-logs", "--full"],
    ] {
        host.run(store.address(), options)
            .must_fail_with(212, "exclude each other");
    }
    for days in ["0", "-1", "x", "36501"] {
        host.run(store.address(), &["--delete-input-days", days])
            .must_fail_with(213, "is a number of days");
    }
}

/// The script alone in a directory, or a link to it, as `beside` says.
fn elsewhere(place: &Path, link: bool) -> PathBuf {
    let copy = place.join("oracle_rman_archivelog_backup.sh");
    match link {
        true => std::os::unix::fs::symlink(fs::canonicalize(archivelog_script()).unwrap(), &copy)
            .unwrap(),
        false => drop(fs::copy(archivelog_script(), &copy).unwrap()),
    }
    copy
}

#[test]
fn copied_without_the_data_script_it_says_what_is_missing_and_where() {
    let place = tempfile::tempdir().unwrap();
    let lonely = elsewhere(place.path(), false);
    let run = || Said::of(&Command::new(&lonely).arg("--help").output().unwrap());
    run()
        .must_fail_with(
            316,
            "oracle_rman_data_backup.sh, which does the work, is not beside",
        )
        .must_complain(&format!(
            "HINT: copy it from scripts/ of Backstay into {}",
            place.path().display()
        ));
    fs::copy(script(), place.path().join("oracle_rman_data_backup.sh")).unwrap();
    run().must_end_with(0).must_say("Exit status:");
}

#[test]
fn a_link_to_it_finds_the_data_script_where_the_link_leads() {
    let place = tempfile::tempdir().unwrap();
    let linked = elsewhere(place.path(), true);
    let said = Said::of(&Command::new(linked).arg("--help").output().unwrap());
    said.must_end_with(0)
        .must_say("is oracle_rman_data_backup.sh --archived-logs")
        .must_say("\n   10  the backup is made and sealed");
}
