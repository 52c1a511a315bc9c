//! The template script against a real store: what it has sealed, and that it seals nothing that failed.
//! What lives here: script and store together. What does not: the script's many ends (data_backup_script).

mod data_backup_world;
mod store_world;

use std::fs;

use api::admin::{Job, JobKind, JobState, MountState, StoreState};
use data_backup_world::Host;
use store_world::StoreWorld;

fn world_and_host(settings: &str) -> (StoreWorld, Host, String) {
    let mut world = StoreWorld::new();
    world.settings = settings.to_owned();
    world.start();
    world.create("testmount");
    let host = Host::on(&world.data("testmount"));
    let address = world.running().api.to_string();
    (world, host, address)
}

/// The jobs from POST to PUT, without the recovery points that each PUT queues.
fn backups(world: &StoreWorld) -> Vec<Job> {
    let mut jobs = world.jobs("testmount");
    jobs.retain(|job| job.kind == JobKind::Backup);
    jobs
}

#[test]
fn a_backup_is_sealed_with_its_files_and_its_log() {
    let (world, host, store) = world_and_host("");
    host.run(&store, &[]).must_end_with(0);
    let snapshots = world.snapshots("testmount");
    assert_eq!((snapshots.len(), snapshots[0].logs), (1, 1));
    assert!(snapshots[0].files > 1 && snapshots[0].bytes > 0);
    let mut sealed: Vec<_> = fs::read_dir(&snapshots[0].directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let mut written: Vec<_> = fs::read_dir(host.mount())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    sealed.sort();
    written.sort();
    assert_eq!(sealed, written);
    let (_, log) = host.log();
    let kept = fs::read_dir(world.directory.join("logs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let sent = fs::read_to_string(kept.path()).unwrap();
    assert!(
        sent.contains("Recovery Manager complete.") && log.starts_with(&sent),
        "{sent}"
    );
    assert_eq!(backups(&world)[0].state, JobState::Successful);
}

#[test]
fn a_store_on_the_same_host_is_written_to_without_a_mount() {
    let (world, _, store) = world_and_host("");
    let host = Host::without_mount();
    let data = world.data("testmount");
    let data = data.to_str().unwrap();
    // The last one that is given counts.
    host.run(&store, &["--local-mount", data])
        .must_end_with(0)
        .must_say("RDB008I");
    assert!(world.snapshots("testmount")[0].files > 1);

    world.create("other");
    for elsewhere in ["other/oracle_data", "testmount"] {
        let directory = world.directory.join("mounts").join(elsewhere);
        host.run(&store, &["--local-mount", directory.to_str().unwrap()])
            .must_fail_with(310, "nothing is mounted there");
    }
    let alike = host.path("mounts/testmount/oracle_data");
    fs::create_dir_all(&alike).unwrap();
    host.run(&store, &["--local-mount", alike.to_str().unwrap()])
        .must_fail_with(310, "nothing is mounted there");
    assert_eq!(world.snapshots("testmount").len(), 1);
}

#[test]
fn archived_logs_are_sealed_with_the_data_that_lies_there() {
    let (world, host, store) = world_and_host("");
    host.run(&store, &[]).must_end_with(0);
    let logs = data_backup_world::script().with_file_name("oracle_rman_archivelog_backup.sh");
    let host = host.with_script(&logs);
    host.run(&store, &["--delete-input-days", "2"])
        .must_end_with(0)
        .must_say("RDB009I 2 archived logs older than 2 days are deleted");
    let snapshots = world.snapshots("testmount");
    assert_eq!(snapshots.len(), 2);
    assert_eq!(snapshots[0].files, snapshots[1].files);
    let jobs = backups(&world);
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().all(|job| job.state == JobState::Successful));
}

#[test]
fn nothing_is_sealed_that_failed_and_the_next_run_begins_anew() {
    let (world, host, store) = world_and_host("");
    for (behaviour, number) in [("fail", 801), ("no-log", 803), ("missing-file", 806)] {
        host.run_with_rman(&store, behaviour)
            .must_fail_with(number, "HINT");
        assert_eq!(
            world.mount("testmount").state,
            MountState::Open,
            "{behaviour}"
        );
        assert!(world.snapshots("testmount").is_empty(), "{behaviour}");
    }
    host.run(&store, &[]).must_end_with(0);
    assert_eq!(world.snapshots("testmount").len(), 1);
    let jobs = world.jobs("testmount");
    assert_eq!(
        jobs.iter()
            .filter(|job| job.state == JobState::Failed)
            .count(),
        3
    );
}

#[test]
fn a_full_mount_ends_the_run_and_leaves_the_store_as_it_was() {
    let small = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let status = std::process::Command::new(program)
            .args(arguments)
            .arg(small.path())
            .status();
        assert!(status.unwrap().success());
    };
    run("mount", &["-t", "tmpfs", "-o", "size=6m", "small"]);
    let mut world = StoreWorld::below(small.path());
    world.start();
    world.create("testmount");
    let host = Host::on(&world.data("testmount"));
    let store = world.running().api.to_string();
    host.run_with_rman(&store, "disk-full")
        .must_fail_with(801, "ORA-19502: write error on file");
    assert!(world.snapshots("testmount").is_empty());
    assert_eq!(world.mount("testmount").state, MountState::Open);
    drop(host);
    drop(world);
    run("umount", &["-l"]);
}

#[test]
fn a_store_that_takes_no_backup_is_told_apart() {
    let (mut world, host, store) = world_and_host("max_pending_snapshots = 1");
    host.run(&store, &[]).must_end_with(0);
    host.run(&store, &[]).must_end_with(7);
    world.change(StoreState::DecommissionInProgress);
    host.run(&store, &[])
        .must_fail_with(601, "Store Decommission in progress.");
    assert_eq!(world.stop(), 0);
    host.run(&store, &[]).must_end_with(5);
    assert!(
        !host
            .path("log")
            .read_dir()
            .unwrap()
            .any(|entry| entry.is_err())
    );
}
