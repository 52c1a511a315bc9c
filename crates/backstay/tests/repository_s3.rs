//! Recovery points in a bucket: a real S3 server, which is killed and started again.
//! What lives here: the server, and what a store does without it. What does not: recovery points on a disk.

mod repository_world;
mod store_world;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use api::admin::{Ingest, Job, JobState, RepositoryStats, RestoreRequest, SnapshotState};
use api::code::Code;
use repository_world::{Restic, await_points, backup, fill, noise, points, restore, story};
use store_world::{StoreWorld, wait_until};

/// `s3s-fs` over a directory.
struct Server {
    root: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    fn start(root: &Path) -> Server {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Server {
            root: root.to_owned(),
            port: free,
            child: None,
        };
        server.resume();
        server
    }

    fn resume(&mut self) {
        let child = Command::new("s3s-fs")
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--access-key", "key", "--secret-key", "secret"])
            .arg(&self.root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("s3s-fs; ./test installs it");
        self.child = Some(child);
        wait_until("the S3 server", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The repository as files. restic reads it there: s3s-fs takes the empty delimiter, with which restic lists packs, for
    /// one, and shows none, also in a repository of restic's own.
    fn directory(&self) -> String {
        self.root.join("backups/prd").display().to_string()
    }

    fn location(&self) -> String {
        format!("s3:http://127.0.0.1:{}/backups/prd", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn world(server: &Server) -> StoreWorld {
    let mut world = StoreWorld::new();
    world.ingest = true;
    world.settings = format!(
        "repository = '{}'\nmax_pending_snapshots = 2\n",
        server.location()
    );
    let secret = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    world.environment = secret
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    world.start();
    world
}

#[test]
fn a_bucket_is_made_used_and_read_by_restic() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    let world = world(&server);
    world.create("m");
    fill(&world.data("m"), 1);
    // A bucket is not made by itself: the name could be misspelt.
    let sealed = backup(&world, "m");
    wait_until("the job to wait", || {
        world
            .jobs("m")
            .iter()
            .any(|job| job.detail.contains("repository init"))
    });
    assert_eq!(world.snapshots("m")[0].state, SnapshotState::Pending);
    let stats: RepositoryStats = world.client().post("/repository/init", &()).unwrap();
    assert_eq!(stats.location, server.location());
    let point = await_points(&world, "m", 1).remove(0);
    assert_eq!(point.snapshot, sealed);
    let restic = Restic::at(&server.directory(), &world);
    restic.must(&["check", "--read-data"]);
    assert_eq!(
        story(&restic.restore(&point.id).join("oracle_data")),
        story(&world.data("m"))
    );
    assert_eq!(
        story(&restore(&world, &point, &RestoreRequest::default()).without_catalog()),
        story(&world.data("m"))
    );
    // Deleting and sweeping work there, too.
    fs::write(world.data("m").join("below/large"), noise(6_000_000, 2)).unwrap();
    backup(&world, "m");
    await_points(&world, "m", 2);
    let job: Job = world
        .client()
        .delete(&format!("/recovery-points/{}", point.id))
        .unwrap();
    assert_eq!(world.wait_for(job.id).state, JobState::Successful);
    let before: RepositoryStats = world.client().get("/repository").unwrap();
    let job: Job = world.client().post("/repository/sweep", &()).unwrap();
    assert_eq!(world.wait_for(job.id).state, JobState::Successful);
    let after: RepositoryStats = world.client().get("/repository").unwrap();
    assert!(
        after.bytes_stored < before.bytes_stored - 4_000_000,
        "{before:?} {after:?}"
    );
    restic.must(&["check", "--read-data"]);
}

#[test]
fn while_the_repository_is_away_backups_go_on_to_the_limit_and_then_all_drain() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::start(root.path());
    let mut world = world(&server);
    let _: RepositoryStats = world.client().post("/repository/init", &()).unwrap();
    world.create("m");
    fill(&world.data("m"), 3);
    // It dies in the middle of an ingest, which a limit makes slow.
    fs::write(world.data("m").join("big"), noise(40_000_000, 4)).unwrap();
    let slow = Ingest {
        is_paused: false,
        bytes_per_second: Some(8_000_000),
    };
    let _: Ingest = world.client().post("/repository/ingest", &slow).unwrap();
    backup(&world, "m");
    wait_until("half of it", || {
        let progress = world.jobs("m")[0].progress;
        progress.is_some_and(|progress| progress.bytes_written > 0)
    });
    server.kill();
    let _: Ingest = world
        .client()
        .post("/repository/ingest", &Ingest::default())
        .unwrap();
    let first = story(&world.data("m"));
    fs::write(world.data("m").join("second"), noise(100_000, 5)).unwrap();
    world.get("m").must_succeed();
    backup(&world, "m");
    let second = story(&world.data("m"));
    // The limit: nothing is lost, and the script hears it.
    let preflight = world.get("m");
    assert_eq!(
        preflight.json()["result"]["is_reached_max_snapshots"],
        true,
        "{preflight:?}"
    );
    world.post("m").must_be(Code::TooManyPendingSnapshots);
    wait_until("the jobs to say what they wait for", || {
        world
            .jobs("m")
            .iter()
            .any(|job| job.ended.is_none() && job.detail.contains("cannot be reached"))
    });
    // Also over a restart.
    world.stop();
    world.start();
    world.post("m").must_be(Code::TooManyPendingSnapshots);
    assert!(points(&world, "m").is_empty());
    server.resume();
    let found = await_points(&world, "m", 2);
    for (point, expected) in found.iter().zip([&first, &second]) {
        let restored = restore(&world, point, &RestoreRequest::default());
        assert_eq!(&story(&restored.without_catalog()), expected);
    }
    backup(&world, "m");
    await_points(&world, "m", 3);
    Restic::at(&server.directory(), &world).must(&["check", "--read-data"]);
}
