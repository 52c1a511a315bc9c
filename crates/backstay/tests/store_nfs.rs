//! A real Linux NFS client, in the emulated guest, on the mount of a real store.
//! What lives here: what a database host sees of the store. What does not: the NFS server on its own (crate nfs).

#[path = "../../nfs/tests/guest/mod.rs"]
mod guest;
mod store_world;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use api::admin::{Job, MountRequest, MountState, Squash};
use guest::{Guest, manifest};
use store_world::{StoreWorld, request, wait_until};

const MIB: u64 = 1 << 20;

/// A store with a mount on which the guest's root is root.
fn world() -> StoreWorld {
    let world = StoreWorld::started();
    let wanted = MountRequest {
        squash: Squash::None,
        ..request("m")
    };
    world
        .client()
        .post::<api::admin::Mount>("/mounts", &wanted)
        .unwrap();
    world
}

fn start(world: &StoreWorld, script: &str, settings: &[(&str, &str)]) -> Guest {
    Guest::start(script, "/Phoenix/m/oracle_data", world.nfs_port(), settings)
}

#[test]
fn a_host_in_mid_write_survives_kill_9_of_the_store_and_a_put_freezes_what_was_written() {
    const SIZE_MIB: u64 = 96;
    let mut world = world();
    world.post("m").must_succeed();
    let mut guest = start(&world, "endure.sh", &[("SIZE_MIB", &SIZE_MIB.to_string())]);
    for (phase, file) in [("writing", "written"), ("copying", "copied")] {
        guest.until(phase);
        let path = world.data("m").join(file);
        let bytes = || fs::metadata(&path).map_or(0, |metadata| metadata.len());
        wait_until("a quarter of it", || bytes() > SIZE_MIB / 4 * MIB);
        world.kill();
        assert!(bytes() < SIZE_MIB * MIB, "killed after the end");
        // Not a wait for something: so long the client must bear that nobody answers.
        std::thread::sleep(Duration::from_secs(2));
        world.start();
    }
    guest.end();
    assert_eq!(world.mount("m").state, MountState::Open);
    world.put("m").must_succeed();
    let snapshot = world.snapshots("m").remove(0);
    let read = |directory: &Path, name: &str| fs::read(directory.join(name)).unwrap();
    let written = read(&world.data("m"), "written");
    assert!(written.len() as u64 > SIZE_MIB * MIB);
    for name in ["written", "copied"] {
        assert!(
            read(Path::new(&snapshot.directory), name) == written,
            "{name} in the snapshot"
        );
    }
}

#[test]
fn a_snapshot_while_a_host_stamps_two_files_is_a_state_of_one_instant() {
    let mut world = world();
    let mut guest = start(&world, "stamp.sh", &[]);
    guest.until("stamping");
    let mut last = 0;
    for turn in 0..5 {
        world.post("m").must_succeed();
        world.put("m").must_succeed();
        let snapshot = world.snapshots("m").pop().unwrap();
        let stamp = |name: &str| -> u64 {
            let text = fs::read_to_string(Path::new(&snapshot.directory).join(name)).unwrap();
            text.trim_end().parse().expect("a whole stamp")
        };
        let (left, right) = (stamp("left"), stamp("right"));
        assert!(
            left == right || left == right + 1,
            "left {left} and right {right} were never there at once"
        );
        assert!(left >= last, "snapshot {turn} is older than the one before");
        last = left;
        println!(
            "snapshot {turn}: {left}/{right}, writers waited {} ms",
            snapshot.pause_milliseconds
        );
        let job: Job = world
            .client()
            .delete(&format!("/snapshots/{}", snapshot.name))
            .unwrap();
        world.wait_for(job.id);
    }
    assert!(last > 0, "nothing was stamped");
    fs::write(world.data("m").join("end"), "").unwrap();
    guest.end();
    assert_eq!(world.stop(), 0);
}

#[test]
fn a_tree_of_a_real_client_is_in_the_snapshot_as_it_was_written() {
    let world = world();
    world.post("m").must_succeed();
    let size = std::env::var("BACKSTAY_TREE_MIB").unwrap_or_else(|_| "96".to_owned());
    let written = manifest::of_the_guest(&start(&world, "tree.sh", &[("SIZE_MIB", &size)]).end());
    assert!(written.len() > 2700, "a tree of {} paths?", written.len());
    world.put("m").must_succeed();
    let snapshot = world.snapshots("m").remove(0);
    let differences = manifest::differences(
        &written,
        &manifest::of_the_directory(Path::new(&snapshot.directory)),
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// libnfs, as a user.
fn libnfs(world: &StoreWorld, mount: &str, from: &str, to: &str) -> bool {
    let port = world.nfs_port();
    let url = |name: &str| {
        format!(
            "nfs://127.0.0.1/Phoenix/{mount}/oracle_data/{name}?version=3&nfsport={port}&mountport={port}"
        )
    };
    let place = |text: &str| {
        text.strip_prefix("nfs:")
            .map_or_else(|| text.to_owned(), url)
    };
    let output = Command::new("nfs-cp")
        .args([place(from), place(to)])
        .output()
        .expect("nfs-cp of libnfs-utils");
    output.status.success()
}

#[test]
fn another_client_writes_and_reads_and_a_mount_that_is_gone_or_unknown_is_refused() {
    let world = world();
    let directory = tempfile::tempdir().unwrap();
    let (sent, back) = (directory.path().join("sent"), directory.path().join("back"));
    fs::write(&sent, vec![3; 3_000_000]).unwrap();
    let [sent_path, back_path] = [&sent, &back].map(|path| path.to_string_lossy().into_owned());
    assert!(libnfs(&world, "m", &sent_path, "nfs:piece"));
    assert!(libnfs(&world, "m", "nfs:piece", &back_path));
    assert_eq!(fs::read(&back).unwrap(), fs::read(&sent).unwrap());
    assert!(!libnfs(&world, "n", &sent_path, "nfs:piece"));
    let job: Job = world.client().delete("/mounts/m").unwrap();
    world.wait_for(job.id);
    assert!(!libnfs(&world, "m", &sent_path, "nfs:other"));
}
