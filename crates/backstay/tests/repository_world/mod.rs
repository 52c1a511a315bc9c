//! Stores that make recovery points, and restic beside them.
//! What lives here: filling mounts, waiting for points, restoring, restic's commands. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use api::admin::{Job, JobState, RecoveryPoint, RestoreRequest};

use crate::store_world::{StoreWorld, wait_until};

/// A store that makes recovery points of its snapshots.
pub fn world_with_ingest() -> StoreWorld {
    let mut world = StoreWorld::new();
    world.ingest = true;
    world.start();
    world
}

/// Bytes that no compression makes shorter, the same for the same seed.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut content = vec![0; bytes];
    random.fill(&mut content);
    content
}

/// A directory with files of several kinds.
pub fn fill(data: &Path, seed: u64) {
    fs::create_dir(data.join("below")).unwrap();
    fs::write(data.join("below/large"), noise(5_000_001, seed)).unwrap();
    fs::write(data.join("empty"), b"").unwrap();
    fs::write(data.join("text"), "a line\n".repeat(20_000)).unwrap();
    fs::write(data.join("ümläut and blank"), noise(10, seed)).unwrap();
    let sparse = fs::File::create(data.join("sparse")).unwrap();
    sparse.set_len(3_000_000).unwrap();
    std::os::unix::fs::symlink("below/large", data.join("link")).unwrap();
}

/// Everything of a tree that has to come back.
pub fn story(path: &Path) -> BTreeMap<PathBuf, String> {
    fn collect(root: &Path, path: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode();
            let told = if metadata.is_symlink() {
                format!("{:?}", fs::read_link(&path).unwrap())
            } else if metadata.is_dir() {
                collect(root, &path, found);
                format!("{mode:o}")
            } else {
                let content = fs::read(&path).unwrap();
                let hash = content.iter().fold(0_u64, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
                });
                format!(
                    "{mode:o} {:?} {} {hash:x}",
                    metadata.modified().unwrap(),
                    content.len()
                )
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), told);
        }
    }
    let mut found = BTreeMap::new();
    collect(path, path, &mut found);
    found
}

/// POST and PUT; the snapshot's name.
#[track_caller]
pub fn backup(world: &StoreWorld, mount: &str) -> String {
    world.post(mount).must_succeed();
    world.put(mount).must_succeed().snapshot().unwrap()
}

pub fn points(world: &StoreWorld, mount: &str) -> Vec<RecoveryPoint> {
    world
        .client()
        .get(&format!("/recovery-points?mount={mount}"))
        .unwrap()
}

/// Waits until a mount has so many recovery points, and no work is left.
#[track_caller]
pub fn await_points(world: &StoreWorld, mount: &str, count: usize) -> Vec<RecoveryPoint> {
    wait_until(
        &format!("{count} recovery points of {mount}\n{}", world.said()),
        || {
            let jobs: Vec<Job> = world.client().get("/jobs").unwrap();
            points(world, mount).len() >= count && jobs.iter().all(|job| job.ended.is_some())
        },
    );
    let found = points(world, mount);
    assert_eq!(found.len(), count);
    found
}

/// A restore that is there.
pub struct Restore {
    pub job: u64,
    pub path: PathBuf,
    pub told: String,
}

impl Restore {
    /// The directory as it was backed up.
    pub fn without_catalog(&self) -> PathBuf {
        let catalog = self.path.join("catalog.rman");
        assert!(catalog.exists());
        fs::remove_file(catalog).unwrap();
        self.path.clone()
    }
}

/// Restores, and waits for it.
#[track_caller]
pub fn restore(world: &StoreWorld, point: &RecoveryPoint, request: &RestoreRequest) -> Restore {
    let job: Job = world
        .client()
        .post(&format!("/recovery-points/{}/restore", point.id), request)
        .unwrap();
    let job = world.wait_for(job.id);
    assert_eq!(job.state, JobState::Successful, "{job:?}");
    Restore {
        job: job.id,
        path: world
            .directory
            .join("mounts")
            .join(&job.mount)
            .join("restores")
            .join(job.id.to_string()),
        told: job.detail,
    }
}

/// Debian's restic in the store's repository.
pub struct Restic {
    repository: String,
    password_file: PathBuf,
    scratch: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Restic {
    pub fn of(world: &StoreWorld) -> Restic {
        Restic::at(
            &world.directory.join("repository").display().to_string(),
            world,
        )
    }

    pub fn at(repository: &str, world: &StoreWorld) -> Restic {
        Restic {
            repository: repository.to_owned(),
            password_file: world.directory.join("repository.key"),
            scratch: tempfile::tempdir().unwrap(),
            environment: world.environment.clone(),
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("restic");
        command
            .args(["--no-cache", "--repo", &self.repository, "--password-file"])
            .arg(&self.password_file)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(arguments);
        command
    }

    #[track_caller]
    pub fn must(&self, arguments: &[&str]) -> String {
        let out = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success(),
            "{arguments:?}: {said}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
        said
    }

    /// Names and times of all snapshots.
    #[track_caller]
    pub fn snapshots(&self) -> Vec<(String, String)> {
        let json: serde_json::Value =
            serde_json::from_str(&self.must(&["snapshots", "--json"])).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        json.as_array()
            .unwrap()
            .iter()
            .map(|snapshot| {
                (
                    text(&snapshot["id"]),
                    text(&snapshot["time"]).trim_end_matches('Z').to_owned(),
                )
            })
            .collect()
    }

    /// The root of what it restores.
    #[track_caller]
    pub fn restore(&self, id: &str) -> PathBuf {
        let target = self.scratch.path().join(id);
        self.must(&["restore", id, "--target", &target.display().to_string()]);
        target
    }
}
