//! restic and a store in one repository at the same time.
//! What lives here: `restic prune` and `restic backup` beside an ingest, `restic forget` of our points. What does not: what
//! restic reads of us (recovery_points).

mod repository_world;
mod store_world;

use std::fs;

use api::admin::{Ingest, Job, RestoreRequest};
use repository_world::{
    Restic, await_points, backup, fill, noise, points, restore, story, world_with_ingest,
};
use store_world::wait_until;

#[test]
fn a_prune_beside_an_ingest_harms_nothing() {
    let world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 1);
    backup(&world, "m");
    let first = await_points(&world, "m", 1).remove(0);
    let restic = Restic::of(&world);
    // Something for prune to do.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("file"), noise(5_000_000, 2)).unwrap();
    restic.must(&["backup", &other.path().display().to_string()]);
    let theirs = restic
        .snapshots()
        .into_iter()
        .find(|(id, _)| *id != first.id)
        .unwrap()
        .0;
    restic.must(&["forget", &theirs]);
    // A limit makes the ingest slow; prune starts in the middle of it.
    fs::write(world.data("m").join("big"), noise(60_000_000, 3)).unwrap();
    let slow = Ingest {
        is_paused: false,
        bytes_per_second: Some(10_000_000),
    };
    let _: Ingest = world.client().post("/repository/ingest", &slow).unwrap();
    backup(&world, "m");
    wait_until("a pack to be written", || {
        let progress = world.jobs("m")[0].progress;
        progress.is_some_and(|progress| progress.bytes_written > 0)
    });
    let refused = restic.command(&["prune"]).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("locked"), "{said}");
    // Others may read and add.
    restic.must(&["backup", &other.path().display().to_string()]);
    let _: Ingest = world
        .client()
        .post("/repository/ingest", &Ingest::default())
        .unwrap();
    let second = await_points(&world, "m", 2).remove(1);
    restic.must(&["prune"]);
    restic.must(&["check", "--read-data"]);
    // What prune wrote anew is found, although it removed the index files that the store knew.
    for point in [&first, &second] {
        assert_eq!(
            story(&restic.restore(&point.id).join("oracle_data")),
            story(&restore(&world, point, &RestoreRequest::default()).without_catalog())
        );
    }
    backup(&world, "m");
    await_points(&world, "m", 3);
    restic.must(&["check", "--read-data"]);
}

#[test]
fn a_store_waits_for_a_restic_that_works_alone() {
    let world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 5);
    backup(&world, "m");
    await_points(&world, "m", 1);
    let restic = Restic::of(&world);
    // restic holds the repository alone while it asks for a password that never comes.
    let lock = world.directory.join("repository/locks");
    let mut prune = restic.command(&["prune", "--verbose"]);
    // A pipe that nobody reads stops it in the middle of its output, once it is full; its lock is there long before.
    let (reader, writer) = std::io::pipe().unwrap();
    fill_pipe(&writer);
    let mut child = prune
        .stdout(writer)
        .stdin(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("restic's lock", || fs::read_dir(&lock).unwrap().count() > 0);
    fs::write(world.data("m").join("more"), noise(100_000, 6)).unwrap();
    backup(&world, "m");
    wait_until("the job to wait", || {
        world
            .jobs("m")
            .iter()
            .any(|job| job.ended.is_none() && job.detail.contains("locked by"))
    });
    assert_eq!(points(&world, "m").len(), 1);
    drop(reader);
    let _ = child.kill();
    child.wait().unwrap();
    // The lock of the dead process is seen to be stale.
    await_points(&world, "m", 2);
    restic.must(&["check", "--read-data"]);
}

fn fill_pipe(writer: &std::io::PipeWriter) {
    use std::io::Write;
    rustix::io::ioctl_fionbio(writer, true).unwrap();
    let mut writer = writer.try_clone().unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
}

#[test]
fn points_that_restic_forgot_are_noticed() {
    let mut world = world_with_ingest();
    world.create("m");
    fill(&world.data("m"), 7);
    backup(&world, "m");
    let point = await_points(&world, "m", 1).remove(0);
    Restic::of(&world).must(&["forget", &point.id]);
    let job: Result<Job, _> = world
        .client()
        .post(&format!("/recovery-points/{}/verify", point.id), &());
    let job = world.wait_for(job.unwrap().id);
    assert!(
        job.error_message.contains("there is no recovery point"),
        "{job:?}"
    );
    world.stop();
    world.start();
    let _: api::admin::RepositoryStats = world.client().get("/repository").unwrap();
    assert!(points(&world, "m").is_empty());
    let events: Vec<api::admin::Event> = world.client().get("/events").unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.text.contains("somebody else deleted it")),
        "{events:?}"
    );
}
