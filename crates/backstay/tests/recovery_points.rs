//! From a PUT to a recovery point and back, with Debian's restic as the witness.
//! What lives here: making, listing, restoring, deleting, damage. What does not: real databases (recovery_circle), kills
//! (recovery_points_killed), S3 (repository_s3).

mod repository_world;
mod store_world;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use api::admin::{
    Hold, Ingest, Job, JobState, PointState, RecoveryPoint, RecoveryPointContent, RestoreRequest,
    RestoredData, RetentionPlan, RetentionRules, SnapshotState,
};
use api::code::Code;
use repository_world::{
    Restic, await_points, backup, fill, noise, points, restore, story, world_with_ingest,
};
use store_world::wait_until;

#[test]
fn each_put_becomes_a_recovery_point_that_restic_reads_and_we_restore() {
    let world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 1);
    let sealed = backup(&world, "m");
    let first = await_points(&world, "m", 1).remove(0);
    assert_eq!(
        (first.snapshot.as_str(), first.state),
        (sealed.as_str(), PointState::Usable)
    );
    assert!(first.verified.is_some());
    let snapshot = &world.snapshots("m")[0];
    assert_eq!(
        (snapshot.state, &snapshot.time),
        (SnapshotState::Saved, &first.time)
    );
    let before = story(&world.data("m"));

    fs::write(world.data("m").join("second"), noise(300_000, 2)).unwrap();
    fs::remove_file(world.data("m").join("text")).unwrap();
    backup(&world, "m");
    let second = await_points(&world, "m", 2).remove(1);
    let after = story(&world.data("m"));
    // One local snapshot is kept.
    wait_until("the first snapshot to be released", || {
        world.snapshots("m").len() == 1
    });
    assert_eq!(world.snapshots("m")[0].name, second.snapshot);

    let restic = Restic::of(&world);
    let listed: Vec<String> = restic.snapshots().into_iter().map(|(id, _)| id).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&first.id) && listed.contains(&second.id));
    restic.must(&["check", "--read-data"]);
    for (point, expected) in [(&first, &before), (&second, &after)] {
        let ours = restore(&world, point, &RestoreRequest::default());
        assert_eq!(&story(&ours.without_catalog()), expected);
        let theirs = restic.restore(&point.id);
        assert_eq!(&story(&theirs.join("oracle_data")), expected);
    }
}

#[test]
fn the_time_and_the_log_travel_with_it_and_a_lost_catalogue_is_made_anew() {
    let mut world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 3);
    world.post("m").must_succeed();
    let log = world.directory.join("sent.log");
    fs::write(&log, "Recovery Manager: Release 19.0.0.0.0\n").unwrap();
    let part = format!("file=@{}", log.display());
    let parts = [
        "-F",
        &part,
        "-F",
        "mountpoint=/local/m",
        "-F",
        "platform=linux",
    ];
    world.curl("POST", "m/uploadlog", &parts).must_succeed();
    world.put("m").must_succeed();
    let before = await_points(&world, "m", 1).remove(0);
    let shown: RecoveryPointContent = world
        .client()
        .get(&format!("/recovery-points/{}", &before.id[..8]))
        .unwrap();
    assert_eq!(shown.logs.len(), 1);
    assert_eq!(shown.logs[0].outcome, "nothing_found");
    assert_eq!(shown.additional.len() as u64, before.files);
    let restic = Restic::of(&world);
    let root = restic.restore(&before.id);
    assert_eq!(
        fs::read(root.join("backstay/rman.log")).unwrap(),
        fs::read(&log).unwrap()
    );
    assert_eq!(
        restic.snapshots()[0].1,
        before.time.trim_end_matches('Z').to_owned()
    );

    world.stop();
    fs::remove_file(world.directory.join("catalogue.sqlite")).unwrap();
    fs::remove_dir_all(world.directory.join("repository.state")).unwrap();
    fs::remove_dir_all(world.directory.join("mounts")).unwrap();
    world.start();
    // The first use finds them.
    let _: api::admin::RepositoryStats = world.client().get("/repository").unwrap();
    let after = points(&world, "m").remove(0);
    assert_eq!(
        (&after.id, &after.time, &after.snapshot),
        (&before.id, &before.time, &before.snapshot)
    );
    world.create("other");
    let request = RestoreRequest {
        mount: Some("other".to_owned()),
        paths: vec!["**/large".to_owned()],
        ..RestoreRequest::default()
    };
    let ours = restore(&world, &after, &request);
    assert_eq!(
        fs::read(ours.path.join("below/large")).unwrap(),
        noise(5_000_001, 3)
    );
    assert!(!ours.path.join("text").exists());
}

#[test]
fn what_makes_no_sense_is_refused_with_a_hint() {
    let world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 4);
    backup(&world, "m");
    let point = await_points(&world, "m", 1).remove(0);
    let path = format!("/recovery-points/{}/restore", point.id);
    let wrong = |request: RestoreRequest| {
        let job: Result<Job, _> = world.client().post(&path, &request);
        match job {
            Err(error) => error.to_string(),
            Ok(job) => world.wait_for(job.id).error_message,
        }
    };
    for (request, told) in [
        (
            RestoreRequest {
                mount: Some("none".to_owned()),
                ..RestoreRequest::default()
            },
            "no mount",
        ),
        (
            RestoreRequest {
                paths: vec!["[".to_owned()],
                ..RestoreRequest::default()
            },
            "[",
        ),
        (
            RestoreRequest {
                paths: vec!["nothing/*".to_owned()],
                ..RestoreRequest::default()
            },
            "no file",
        ),
        (
            RestoreRequest {
                database: Some("PRD".to_owned()),
                ..RestoreRequest::default()
            },
            "database",
        ),
        (
            RestoreRequest {
                datafiles: vec![4],
                ..RestoreRequest::default()
            },
            "database",
        ),
    ] {
        let said = wrong(request);
        assert!(said.contains(told) && said.contains("HINT"), "{said}");
    }
    for id in ["", "0", "zzzz", "%2e%2e", "ffffffffffff"] {
        assert!(
            world
                .client()
                .get::<RecoveryPointContent>(&format!("/recovery-points/{id}"))
                .is_err(),
            "{id}"
        );
    }
    world
        .curl("DELETE", "m/restores/99", &[])
        .must_be(Code::RestorePathMissing);
    assert_eq!(
        fs::read_dir(world.directory.join("mounts/m/restores"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_restore_is_exported_and_only_it_is_deleted() {
    let mut world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 5);
    backup(&world, "m");
    let point = await_points(&world, "m", 1).remove(0);
    let one = restore(&world, &point, &RestoreRequest::default());
    let two = restore(
        &world,
        &point,
        &RestoreRequest {
            paths: vec!["text".to_owned()],
            ..RestoreRequest::default()
        },
    );
    for _ in 0..2 {
        // A real client reads it over NFS, also after a restart.
        let url = format!(
            "nfs://127.0.0.1/Phoenix/m/restores/{}/text?version=3&nfsport={port}&mountport={port}",
            one.job,
            port = world.nfs_port()
        );
        let copy = world.directory.join("copy");
        let out = std::process::Command::new("nfs-cp")
            .arg(&url)
            .arg(&copy)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert_eq!(
            fs::read(&copy).unwrap(),
            "a line\n".repeat(20_000).as_bytes()
        );
        fs::remove_file(&copy).unwrap();
        world.stop();
        world.start();
    }
    world
        .curl("DELETE", &format!("m/restores/{}", one.job), &[])
        .must_succeed();
    assert!(!one.path.exists() && two.path.join("text").exists());
    world
        .curl("DELETE", &format!("m/restores/{}", one.job), &[])
        .must_be(Code::RestorePathMissing);

    // The administrator's way to the same.
    let left: Vec<RestoredData> = world.client().get("/restores?mount=m").unwrap();
    let paths: Vec<&Path> = left.iter().map(|one| Path::new(&one.directory)).collect();
    assert_eq!(paths, [two.path.as_path()]);
    assert!(left[0].since.is_some() && left[0].detail.starts_with("1 file, "));
    let path = format!("/restores/{}", two.job);
    let gone: RestoredData = world.client().delete(&path).unwrap();
    assert_eq!(gone, left[0]);
    assert!(!two.path.exists());
    let again: Result<RestoredData, _> = world.client().delete(&path);
    assert!(again.unwrap_err().to_string().contains("HINT"));
    let none: Vec<RestoredData> = world.client().get("/restores").unwrap();
    assert!(none.is_empty());
}

#[test]
fn deleting_and_sweeping_return_the_space_and_the_rest_is_whole() {
    let world = world_with_ingest();
    world.create("m");
    let mut sizes = Vec::new();
    for day in 0..4 {
        fs::write(world.data("m").join("daily"), noise(20_000_000, 10 + day)).unwrap();
        backup(&world, "m");
        await_points(&world, "m", day as usize + 1);
        sizes.push(stored(&world.directory));
    }
    let rules = RetentionRules {
        last: 1,
        ..RetentionRules::default()
    };
    let plan: RetentionPlan = world.client().post("/mounts/m/retention", &rules).unwrap();
    assert_eq!(plan.points.iter().filter(|point| point.keep).count(), 1);
    assert!(
        plan.points[0].keep && plan.points[0].reasons[0].contains("newest usable"),
        "{plan:?}"
    );
    // What is held stays.
    let oldest = points(&world, "m").remove(0);
    let hold = format!("/recovery-points/{}/hold", oldest.id);
    let _: RecoveryPoint = world.client().post(&hold, &Hold { is_held: true }).unwrap();
    assert!(
        world
            .client()
            .delete::<Job>(&format!("/recovery-points/{}", oldest.id))
            .is_err()
    );
    let _: RetentionPlan = world
        .client()
        .post("/mounts/m/retention/apply", &())
        .unwrap();
    wait_until("two points to be deleted", || {
        points(&world, "m").len() == 2
    });
    wait_until("the sweep to end", || {
        world
            .client()
            .get::<Vec<Job>>("/jobs")
            .unwrap()
            .iter()
            .all(|job| job.ended.is_some())
    });
    let after = stored(&world.directory);
    assert!(after < sizes[3] - 35_000_000, "{sizes:?} {after}");
    let restic = Restic::of(&world);
    restic.must(&["check", "--read-data"]);
    assert_eq!(restic.snapshots().len(), 2);
    for (point, seed) in points(&world, "m").iter().zip([10, 13]) {
        let ours = restore(&world, point, &RestoreRequest::default());
        assert_eq!(
            fs::read(ours.path.join("daily")).unwrap(),
            noise(20_000_000, seed)
        );
    }
}

fn stored(directory: &Path) -> u64 {
    let mut bytes = 0;
    let mut directories = vec![directory.join("repository")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            match entry.metadata().unwrap() {
                metadata if metadata.is_dir() => directories.push(entry.path()),
                metadata => bytes += metadata.len(),
            }
        }
    }
    bytes
}

#[test]
fn a_flipped_bit_is_found_and_never_restored() {
    let world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 6);
    backup(&world, "m");
    let point = await_points(&world, "m", 1).remove(0);
    let mut files = Vec::new();
    let mut directories = vec![world.directory.join("repository")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    assert!(files.len() >= 6, "{files:?}");
    for path in files {
        let whole = fs::read(&path).unwrap();
        let place = whole.len() as u64 / 2;
        let flip = |bit: u8| {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.write_all_at(&[whole[place as usize] ^ bit], place)
                .unwrap();
        };
        flip(16);
        let check: Job = world
            .client()
            .post(
                "/repository/check",
                &api::admin::CheckRequest { read_data: true },
            )
            .unwrap();
        let check = world.wait_for(check.id);
        assert_eq!(
            check.state,
            JobState::Failed,
            "{}: {check:?}",
            path.display()
        );
        let verify: Job = world
            .client()
            .post(&format!("/recovery-points/{}/verify", point.id), &())
            .unwrap();
        let verify = world.wait_for(verify.id);
        assert_eq!(
            verify.state,
            JobState::Failed,
            "{}: {verify:?}",
            path.display()
        );
        assert_eq!(points(&world, "m")[0].state, PointState::Damaged);
        let job: Job = world
            .client()
            .post(
                &format!("/recovery-points/{}/restore", point.id),
                &RestoreRequest::default(),
            )
            .unwrap();
        let job = world.wait_for(job.id);
        let target = world
            .directory
            .join(format!("mounts/m/restores/{}", job.id));
        if job.state == JobState::Successful {
            // Nothing of this file was needed for it.
            assert_eq!(
                fs::read(target.join("below/large")).unwrap(),
                noise(5_000_001, 6)
            );
        } else {
            assert!(!target.exists(), "{}", path.display());
        }
        flip(0);
        let verify: Job = world
            .client()
            .post(&format!("/recovery-points/{}/verify", point.id), &())
            .unwrap();
        assert_eq!(
            world.wait_for(verify.id).state,
            JobState::Successful,
            "{}",
            path.display()
        );
    }
    assert_eq!(points(&world, "m")[0].state, PointState::Usable);
}

#[test]
fn ingest_is_paused_limited_cancelled_and_taken_up_again() {
    let mut world = world_with_ingest();
    world.create("m");
    let paused = Ingest {
        is_paused: true,
        bytes_per_second: None,
    };
    let _: Ingest = world.client().post("/repository/ingest", &paused).unwrap();
    fs::write(world.data("m").join("file"), noise(30_000_000, 8)).unwrap();
    let sealed = backup(&world, "m");
    let running = || {
        world_jobs(&world)
            .into_iter()
            .find(|job| job.ended.is_none())
    };
    wait_until("the job to stand still", || {
        running().is_some_and(|job| job.progress.is_some_and(|progress| progress.is_paused))
    });
    let job = running().unwrap();
    let _: Job = world
        .client()
        .post(&format!("/jobs/{}/cancel", job.id), &())
        .unwrap();
    let job = world.wait_for(job.id);
    assert!(
        job.state == JobState::Failed && job.error_message.contains("cancelled"),
        "{job:?}"
    );
    assert_eq!(world.snapshots("m")[0].state, SnapshotState::Pending);
    let again: Job = world
        .client()
        .post(&format!("/snapshots/{sealed}/recovery-point"), &())
        .unwrap();
    // A limit under which it would take five minutes: it is interrupted half way, and goes on after a restart.
    let slow = Ingest {
        is_paused: false,
        bytes_per_second: Some(100_000),
    };
    let _: Ingest = world.client().post("/repository/ingest", &slow).unwrap();
    wait_until("a pack to be written", || {
        let job: Job = world.client().get(&format!("/jobs/{}", again.id)).unwrap();
        job.progress.is_some_and(|progress| progress.bytes_done > 0)
    });
    world.kill();
    world.start();
    assert_eq!(
        world.client().get::<Ingest>("/repository/ingest").unwrap(),
        slow
    );
    let _: Ingest = world
        .client()
        .post("/repository/ingest", &Ingest::default())
        .unwrap();
    let point = await_points(&world, "m", 1).remove(0);
    let ours = restore(&world, &point, &RestoreRequest::default());
    assert_eq!(
        fs::read(ours.path.join("file")).unwrap(),
        noise(30_000_000, 8)
    );
}

fn world_jobs(world: &store_world::StoreWorld) -> Vec<Job> {
    world.client().get("/jobs?mount=m").unwrap()
}

#[test]
fn an_unreadable_file_fails_the_job_by_name_and_the_snapshot_waits_on() {
    let mut world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 9);
    let _: Ingest = world
        .client()
        .post(
            "/repository/ingest",
            &Ingest {
                is_paused: true,
                bytes_per_second: None,
            },
        )
        .unwrap();
    let sealed = backup(&world, "m");
    let snapshot = world.directory.join("mounts/m/snapshots").join(&sealed);
    // As a disk does that has lost the file behind its name: a name that cannot be opened for reading.
    let lost = snapshot.join("below/large");
    let whole = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    drop(reader);
    std::os::unix::net::UnixListener::bind(world.directory.join("sock")).unwrap();
    fs::create_dir(snapshot.join("below/deep")).unwrap();
    let mut deep = snapshot.join("below/deep");
    for _ in 0..110 {
        deep = deep.join("d");
        fs::create_dir(&deep).unwrap();
    }
    let _: Ingest = world
        .client()
        .post("/repository/ingest", &Ingest::default())
        .unwrap();
    let mut failed = None;
    wait_until("the job to fail", || {
        failed = world_jobs(&world)
            .into_iter()
            .find(|job| job.state == JobState::Failed);
        failed.is_some()
    });
    let failed = failed.unwrap();
    assert!(failed.error_message.contains("below/deep"), "{failed:?}");
    assert_eq!(world.snapshots("m")[0].state, SnapshotState::Pending);
    assert!(points(&world, "m").is_empty());
    fs::remove_dir_all(snapshot.join("below/deep")).unwrap();
    fs::write(&lost, whole).unwrap();
    // A start takes it up again.
    world.stop();
    world.start();
    await_points(&world, "m", 1);
}
