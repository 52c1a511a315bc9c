//! `kill -9` of the store at every named step of ingest, verification, release, restore, delete and sweep.
//! What lives here: for each step, what the next start makes of it. What does not: steps of the documented calls
//! (store_crash).

mod repository_world;
mod store_world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use api::admin::{Job, JobState, PointState, RecoveryPoint, RestoreRequest, SnapshotState};
use repository_world::{Restic, await_points, backup, fill, noise, points, restore, story};
use store_world::{StoreWorld, wait_until};

const INGEST: [&str; 12] = [
    "ingest-begin",
    "ingest-pack-before",
    "ingest-pack-after",
    "ingest-index-before",
    "ingest-index-after",
    "ingest-trees-before",
    "ingest-snapshot-before",
    "ingest-snapshot-after",
    "verify-begin",
    "verify-end",
    "point-before-commit",
    "point-after-commit",
];
const RELEASE: [&str; 2] = ["release-before", "release-after"];
const RESTORE: [&str; 4] = [
    "restore-files-written",
    "restore-before-publish",
    "restore-after-publish",
    "restore-before-commit",
];
const DELETE: [&str; 2] = ["delete-before", "delete-after"];
const SWEEP: [&str; 6] = [
    "sweep-begin",
    "sweep-pack-before",
    "sweep-index-before",
    "sweep-remove-index",
    "sweep-remove-pack",
    "sweep-end",
];

/// A stopped store with a filled mount.
fn world() -> StoreWorld {
    let mut world = StoreWorld::new();
    world.ingest = true;
    world.start();
    world.create("m");
    fill(&world.data("m"), 1);
    world
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(below(&path)),
            path => found.push(path),
        }
    }
    found
}

fn named(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn must_end_well(world: &StoreWorld, path: &str, place: &str) -> Job {
    let job: Job = world.client().post(path, &serde_json::json!(null)).unwrap();
    let job = world.wait_for(job.id);
    assert_eq!(
        job.state,
        JobState::Successful,
        "{place}: {job:?}\n{}",
        world.said()
    );
    job
}

/// After a sweep everything that is there is needed, and every point is whole.
#[track_caller]
fn nothing_leaks(world: &StoreWorld, place: &str) {
    must_end_well(world, "/repository/sweep", place);
    let check: Job = world
        .client()
        .post("/repository/check", &serde_json::json!({"read_data": true}))
        .unwrap();
    let check = world.wait_for(check.id);
    assert_eq!(
        check.detail, "no damage was found; every byte was read",
        "{place}"
    );
    let repository = world.directory.join("repository");
    for directory in [
        repository.join("tmp"),
        repository.join("locks"),
        world.directory.join("repository.state/ingest"),
        world.directory.join("changes"),
    ] {
        assert_eq!(below(&directory), Vec::<PathBuf>::new(), "{place}");
    }
    let kept: Vec<String> = world
        .snapshots("m")
        .into_iter()
        .map(|snapshot| snapshot.name)
        .collect();
    assert_eq!(
        named(&world.directory.join("mounts/m/snapshots")),
        kept,
        "{place}"
    );
    for point in points(world, "m") {
        assert_eq!(point.state, PointState::Usable, "{place}");
    }
    Restic::of(world).must(&["check", "--read-data"]);
}

#[track_caller]
fn comes_back(
    world: &StoreWorld,
    point: &RecoveryPoint,
    expected: &BTreeMap<PathBuf, String>,
    place: &str,
) {
    let restored = restore(world, point, &RestoreRequest::default());
    assert_eq!(&story(&restored.without_catalog()), expected, "{place}");
    world
        .curl("DELETE", &format!("m/restores/{}", restored.job), &[])
        .must_succeed();
}

#[test]
fn every_step_is_tried() {
    let source = include_str!("../../store/src/failpoint.rs");
    for place in [&INGEST[..], &RELEASE, &RESTORE, &DELETE, &SWEEP].concat() {
        assert!(source.contains(&format!("\"{place}\"")), "{place}");
    }
}

#[test]
fn an_acknowledged_backup_becomes_a_recovery_point_whenever_the_store_dies() {
    for place in INGEST {
        let mut world = world();
        world.stop();
        world.start_at(place);
        let sealed = backup(&world, "m");
        world.must_have_died(place);
        world.start();
        let point = await_points(&world, "m", 1).remove(0);
        assert_eq!(point.snapshot, sealed, "{place}");
        assert_eq!(
            world.snapshots("m")[0].state,
            SnapshotState::Saved,
            "{place}"
        );
        comes_back(&world, &point, &story(&world.data("m")), place);
        nothing_leaks(&world, place);
    }
}

#[test]
fn a_snapshot_is_released_once_and_only_when_it_is_saved() {
    for place in RELEASE {
        let mut world = world();
        backup(&world, "m");
        await_points(&world, "m", 1);
        world.stop();
        world.start_at(place);
        let second = backup(&world, "m");
        world.must_have_died(place);
        world.start();
        let found = await_points(&world, "m", 2);
        wait_until("one snapshot to be left", || {
            world.snapshots("m").len() == 1
        });
        assert_eq!(world.snapshots("m")[0].name, second, "{place}");
        for point in &found {
            comes_back(&world, point, &story(&world.data("m")), place);
        }
        nothing_leaks(&world, place);
    }
}

#[test]
fn a_restore_that_was_cut_off_is_done_again_and_whole() {
    for place in RESTORE {
        let mut world = world();
        backup(&world, "m");
        let point = await_points(&world, "m", 1).remove(0);
        world.stop();
        world.start_at(place);
        let path = format!("/recovery-points/{}/restore", point.id);
        // The answer may come before or after the death.
        let _ = world
            .client()
            .post::<Job>(&path, &RestoreRequest::default());
        world.must_have_died(place);
        world.start();
        let job = world.jobs("m").remove(0);
        let job = world.wait_for(job.id);
        assert_eq!(job.state, JobState::Successful, "{place}: {job:?}");
        let restores = world.directory.join("mounts/m/restores");
        assert_eq!(named(&restores), [job.id.to_string()], "{place}");
        let restored = restores.join(job.id.to_string());
        fs::remove_file(restored.join("catalog.rman")).unwrap();
        assert_eq!(story(&restored), story(&world.data("m")), "{place}");
        world
            .curl("DELETE", &format!("m/restores/{}", job.id), &[])
            .must_succeed();
        nothing_leaks(&world, place);
    }
}

#[test]
fn a_deletion_is_done_or_done_later_and_takes_nothing_else() {
    for place in DELETE {
        let mut world = world();
        backup(&world, "m");
        await_points(&world, "m", 1);
        fs::write(world.data("m").join("more"), noise(1_000_000, 2)).unwrap();
        backup(&world, "m");
        let found = await_points(&world, "m", 2);
        world.stop();
        world.start_at(place);
        let _ = world
            .client()
            .delete::<Job>(&format!("/recovery-points/{}", found[0].id));
        world.must_have_died(place);
        world.start();
        wait_until("the point to be gone", || points(&world, "m").len() == 1);
        assert_eq!(points(&world, "m")[0].id, found[1].id, "{place}");
        comes_back(&world, &found[1], &story(&world.data("m")), place);
        nothing_leaks(&world, place);
    }
}

#[test]
fn a_sweep_that_was_cut_off_hurts_no_point_and_the_next_one_ends_it() {
    for place in SWEEP {
        let mut world = world();
        // Packs of which a half is still needed have to be written anew.
        for day in 0..3 {
            for part in 0..10 {
                let seed = if part % 2 == 0 {
                    100 + part
                } else {
                    1000 + part * 10 + day
                };
                fs::write(
                    world.data("m").join(format!("part{part}")),
                    noise(1_000_000, seed),
                )
                .unwrap();
            }
            backup(&world, "m");
            await_points(&world, "m", day as usize + 1);
        }
        let found = points(&world, "m");
        for point in &found[..2] {
            let job: Job = world
                .client()
                .delete(&format!("/recovery-points/{}", point.id))
                .unwrap();
            assert_eq!(world.wait_for(job.id).state, JobState::Successful);
        }
        let before: u64 = below(&world.directory.join("repository"))
            .iter()
            .map(|path| fs::metadata(path).unwrap().len())
            .sum();
        world.stop();
        world.start_at(place);
        let _ = world.client().post::<Job>("/repository/sweep", &());
        world.must_have_died(place);
        world.start();
        wait_until("the sweep's end", || {
            let jobs: Vec<Job> = world.client().get("/jobs").unwrap();
            jobs.iter().all(|job| job.ended.is_some())
        });
        comes_back(&world, &found[2], &story(&world.data("m")), place);
        nothing_leaks(&world, place);
        let after: u64 = below(&world.directory.join("repository"))
            .iter()
            .map(|path| fs::metadata(path).unwrap().len())
            .sum();
        assert!(after < before - 9_000_000, "{place}: {before} {after}");
    }
}
