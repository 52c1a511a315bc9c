//! `kill -9` of the store at every named place: after the next start each transition is done or undone, nothing leaks, and
//! what was acknowledged is there.
//! What lives here: the places of POST, uploadlog, PUT, DELETE, and of making and deleting mounts and snapshots. What does
//! not: the snapshot drivers on their own (crate store).

mod store_world;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use api::admin::{Job, MountState, SnapshotState};
use api::code::Code;
use store_world::{StoreWorld, wait_until};

const POST: [&str; 3] = [
    "post-before-export",
    "post-before-commit",
    "post-after-commit",
];
const LOG: [&str; 3] = [
    "log-before-publish",
    "log-before-commit",
    "log-after-commit",
];
const PUT: [&str; 11] = [
    "put-before-intent",
    "put-after-intent",
    "put-quiesced",
    "snapshot-before-making",
    "snapshot-inside-making",
    "put-frozen",
    "snapshot-before-sync",
    "snapshot-before-publish",
    "snapshot-after-publish",
    "put-before-commit",
    "put-after-commit",
];
const CREATE: [&str; 4] = [
    "mount-create-before-intent",
    "mount-create-after-intent",
    "mount-create-before-commit",
    "mount-create-after-commit",
];
const DELETE: [&str; 6] = [
    "mount-delete-after-mark",
    "mount-delete-after-withdrawal",
    "mount-delete-after-snapshots",
    "mount-delete-after-data",
    "mount-delete-before-commit",
    "mount-delete-after-commit",
];
const REMOVE: [&str; 4] = [
    "snapshot-before-hiding",
    "snapshot-after-hiding",
    "snapshot-inside-removal",
    "snapshot-after-removal",
];
const RESTORE: [&str; 2] = ["restore-delete-before", "restore-delete-after"];

/// A store that is to die at a place, with a mount that holds two files.
fn world_with_mount() -> StoreWorld {
    let mut world = StoreWorld::started();
    world.create("m");
    fs::write(world.data("m").join("one"), "first").unwrap();
    fs::create_dir(world.data("m").join("below")).unwrap();
    fs::write(world.data("m").join("below/two"), vec![7; 100_000]).unwrap();
    assert_eq!(world.stop(), 0);
    world
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory)
        .map(|entries| entries.flatten().collect())
        .unwrap_or_else(|_| Vec::new());
    entries
        .into_iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// What lies on the disk is what the catalogue knows.
#[track_caller]
fn nothing_leaks(world: &StoreWorld, place: &str) {
    let mounts: Vec<api::admin::Mount> = world.client().get("/mounts").unwrap();
    let known: BTreeSet<String> = mounts.iter().map(|mount| mount.name.clone()).collect();
    assert_eq!(
        names(&world.directory.join("mounts")),
        known,
        "mounts after {place}"
    );
    for mount in known {
        let directory = world.directory.join("mounts").join(&mount);
        let parts = ["oracle_data", "restores", "snapshots"].map(str::to_owned);
        assert_eq!(
            names(&directory),
            BTreeSet::from(parts),
            "{mount} after {place}"
        );
        let snapshots: BTreeSet<String> = world
            .snapshots(&mount)
            .into_iter()
            .map(|snapshot| snapshot.name)
            .collect();
        assert_eq!(
            names(&directory.join("snapshots")),
            snapshots,
            "snapshots of {mount} after {place}"
        );
    }
}

#[track_caller]
fn is_what_was_there(directory: &str, place: &str) {
    let directory = PathBuf::from(directory);
    assert_eq!(
        names(&directory),
        BTreeSet::from(["below", "one"].map(str::to_owned)),
        "{place}"
    );
    assert_eq!(
        fs::read(directory.join("below/two")).unwrap(),
        vec![7; 100_000],
        "{place}"
    );
}

#[test]
fn every_place_is_tried() {
    let source = include_str!("../../store/src/failpoint.rs");
    let list = source
        .split("const PLACES")
        .nth(1)
        .unwrap()
        .split("];")
        .next()
        .unwrap();
    let places: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let tried: BTreeSet<&str> = [&POST[..], &LOG, &PUT, &CREATE, &DELETE, &REMOVE, &RESTORE]
        .concat()
        .into_iter()
        .collect();
    // Those of recovery points are tried in recovery_points_killed.rs.
    let there = include_str!("recovery_points_killed.rs");
    let elsewhere: BTreeSet<&str> = places
        .iter()
        .copied()
        .filter(|place| there.contains(&format!("\"{place}\"")))
        .collect();
    assert_eq!(&tried | &elsewhere, places);
    assert!(tried.is_disjoint(&elsewhere));
}

#[test]
fn a_post_is_done_or_undone() {
    for place in POST {
        let mut world = world_with_mount();
        world.start_at(place);
        assert_eq!(world.post("m").status, 0, "{place}");
        world.must_have_died(place);
        world.start();
        let is_done = place == "post-after-commit";
        let expected = if is_done {
            MountState::Open
        } else {
            MountState::Idle
        };
        assert_eq!(world.mount("m").state, expected, "{place}");
        assert_eq!(world.jobs("m").len(), usize::from(is_done), "{place}");
        nothing_leaks(&world, place);
        world.post("m").must_succeed();
        world.put("m").must_succeed();
        is_what_was_there(&world.snapshots("m")[0].directory, place);
    }
}

#[test]
fn a_log_is_kept_whole_or_not_at_all() {
    for place in LOG {
        let mut world = world_with_mount();
        let log = world.directory.join("sent.log");
        fs::write(&log, vec![b'x'; 300_000]).unwrap();
        world.start_at(place);
        world.post("m").must_succeed();
        let part = format!("file=@{}", log.display());
        let send = |world: &StoreWorld| {
            let parts = [
                "-F",
                &part,
                "-F",
                "mountpoint=/local/m",
                "-F",
                "platform=linux",
            ];
            world.curl("POST", "m/uploadlog", &parts)
        };
        assert_eq!(send(&world).status, 0, "{place}");
        world.must_have_died(place);
        world.start();
        let is_done = place == "log-after-commit";
        assert_eq!(
            names(&world.directory.join("logs")).len(),
            usize::from(is_done),
            "{place}"
        );
        send(&world).must_succeed();
        world.put("m").must_succeed();
        let kept = names(&world.directory.join("logs"));
        assert_eq!(world.snapshots("m")[0].logs as usize, kept.len());
        for name in kept {
            assert_eq!(
                fs::metadata(world.directory.join("logs").join(name))
                    .unwrap()
                    .len(),
                300_000
            );
        }
    }
}

#[test]
fn a_put_is_done_or_undone_and_its_repetition_is_answered() {
    for place in PUT {
        let mut world = world_with_mount();
        world.start_at(place);
        world.post("m").must_succeed();
        assert_eq!(world.put("m").status, 0, "{place}");
        world.must_have_died(place);
        world.start();
        nothing_leaks(&world, place);
        let before = world.snapshots("m");
        let is_sealed = match world.mount("m").state {
            MountState::Open => false,
            MountState::Idle => true,
            other => panic!("{place}: {other:?}"),
        };
        assert_eq!(before.len(), usize::from(is_sealed), "{place}");
        let is_late = [
            "snapshot-after-publish",
            "put-before-commit",
            "put-after-commit",
        ]
        .contains(&place);
        assert_eq!(is_sealed, is_late, "{place}");
        // The script repeats its PUT.
        let name = world.put("m").must_succeed().snapshot().unwrap();
        let after = world.snapshots("m");
        assert_eq!((after.len(), &after[0].name), (1, &name), "{place}");
        assert_eq!(after[0].state, SnapshotState::Pending);
        is_what_was_there(&after[0].directory, place);
        world.put("m").must_be(Code::BackupNotStarted);
        nothing_leaks(&world, place);
        // And what was acknowledged is there after one more power failure.
        world.kill();
        world.start();
        is_what_was_there(&world.snapshots("m")[0].directory, place);
        world.get("m").must_succeed();
    }
}

#[test]
fn a_mount_is_made_or_not() {
    for place in CREATE {
        let mut world = StoreWorld::new();
        world.start_at(place);
        assert!(world.try_create("m").is_err());
        world.must_have_died(place);
        world.start();
        nothing_leaks(&world, place);
        let is_done = place == "mount-create-after-commit";
        assert_eq!(world.get("m").code() == 0, is_done, "{place}");
        assert_eq!(world.try_create("m").is_err(), is_done, "{place}");
        world.post("m").must_succeed();
        world.put("m").must_succeed();
    }
}

#[test]
fn a_mount_that_was_marked_goes() {
    for place in DELETE {
        let mut world = world_with_mount();
        world.start();
        world.post("m").must_succeed();
        world.put("m").must_succeed();
        world.stop();
        world.start_at(place);
        // The answer may come before or after the death.
        let _ = world.client().delete::<Job>("/mounts/m?force=true");
        world.must_have_died(place);
        world.start();
        wait_until("the mount to be gone", || {
            world.get("m").code() == Code::MountMissing.number()
        });
        let job = world.jobs("m").into_iter().next().unwrap();
        world.wait_for(job.id);
        nothing_leaks(&world, place);
        world.create("m");
        assert!(world.snapshots("m").is_empty());
        world.get("m").must_succeed();
    }
}

#[test]
fn a_snapshot_that_is_being_removed_goes_and_no_other() {
    for place in REMOVE {
        let mut world = world_with_mount();
        world.start();
        let mut sealed = Vec::new();
        for _ in 0..2 {
            world.post("m").must_succeed();
            sealed.push(world.put("m").must_succeed().snapshot().unwrap());
        }
        world.stop();
        world.start_at(place);
        let _ = world
            .client()
            .delete::<Job>(&format!("/snapshots/{}", sealed[0]));
        world.must_have_died(place);
        world.start();
        wait_until("the snapshot to be gone", || {
            world.snapshots("m").len() == 1
        });
        nothing_leaks(&world, place);
        assert_eq!(world.snapshots("m")[0].name, sealed[1], "{place}");
        is_what_was_there(&world.snapshots("m")[0].directory, place);
        world.get("m").must_succeed();
    }
}

#[test]
fn a_restore_is_deleted_or_there_and_nothing_else_is() {
    for place in RESTORE {
        let mut world = world_with_mount();
        let restores = world.directory.join("mounts/m/restores");
        for name in ["1/deep/er", "2"] {
            fs::create_dir_all(restores.join(name)).unwrap();
        }
        world.start_at(place);
        assert_eq!(world.curl("DELETE", "m/restores/1", &[]).status, 0);
        world.must_have_died(place);
        world.start();
        let is_done = place == "restore-delete-after";
        assert_eq!(restores.join("1/deep/er").exists(), !is_done, "{place}");
        assert!(restores.join("2").exists());
        if !is_done {
            world.curl("DELETE", "m/restores/1", &[]).must_succeed();
        }
        world
            .curl("DELETE", "m/restores/1", &[])
            .must_be(Code::RestorePathMissing);
        assert_eq!(names(&restores), BTreeSet::from(["2".to_owned()]));
    }
}
