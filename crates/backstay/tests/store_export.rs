//! Stores on the file systems that freeze at once, and the kernel's way to export.
//! What lives here: the choice of the driver, and exportfs. What does not: the drivers (crate store), NFS (store_nfs).

#[path = "../../store/tests/snapshot/disk.rs"]
#[allow(dead_code, reason = "shared with the tests of the drivers")]
mod disk;
mod store_world;

use std::fs;
use std::path::{Path, PathBuf};

use api::admin::{Driver, Job, Mount, MountRequest};
use api::client::ClientError;
use api::code::Code;
use disk::{Disk, FileSystem};
use store_world::{StoreWorld, request};

#[test]
fn each_file_system_gets_the_best_driver_that_it_can_have() {
    for (file_system, driver) in [
        (FileSystem::Btrfs, Driver::Btrfs),
        (FileSystem::Xfs, Driver::Reflink),
        (FileSystem::Ext4, Driver::Copy),
    ] {
        let disk = Disk::new(file_system);
        let mut world = StoreWorld::below(&disk.root());
        world.start();
        let mount = world.create("m");
        assert_eq!(mount.driver, driver, "{}", mount.driver_reason);
        world.post("m").must_succeed();
        fs::write(world.data("m").join("piece"), vec![5; 3 << 20]).unwrap();
        world.put("m").must_succeed();
        fs::write(world.data("m").join("piece"), "later").unwrap();
        world.kill();
        world.start();
        let snapshot = world.snapshots("m").remove(0);
        println!(
            "{file_system:?}: writers waited {} ms",
            snapshot.pause_milliseconds
        );
        assert_eq!(
            fs::read(Path::new(&snapshot.directory).join("piece")).unwrap(),
            vec![5; 3 << 20]
        );
        let job: Job = world.client().delete("/mounts/m?force=true").unwrap();
        assert!(world.wait_for(job.id).error_message.is_empty());
        assert!(!world.directory.join("mounts/m").exists());
    }
}

/// `/Phoenix`, as the kernel's server needs it, and our file of exports; both are gone afterwards.
struct Kernel {
    exports: PathBuf,
}

impl Kernel {
    fn of(world: &StoreWorld) -> Kernel {
        std::os::unix::fs::symlink(world.directory.join("mounts"), "/Phoenix")
            .expect("/Phoenix is not there yet");
        fs::create_dir_all("/etc/exports.d").unwrap();
        Kernel {
            exports: PathBuf::from("/etc/exports.d/backstay-test.exports"),
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _ = fs::remove_file("/Phoenix");
        let _ = fs::remove_file(&self.exports);
        let _ = fs::remove_file("/etc/exports.d/dead.exports");
        let _ = std::process::Command::new("exportfs").arg("-ra").status();
    }
}

/// What exportfs has told the kernel's server.
fn table() -> String {
    fs::read_to_string("/var/lib/nfs/etab").unwrap_or_default()
}

#[test]
fn the_kernels_server_is_told_of_each_mount_and_a_failure_has_its_code() {
    let mut world = StoreWorld::new();
    fs::create_dir_all(world.directory.join("mounts")).unwrap();
    let kernel = Kernel::of(&world);
    world.settings = format!(
        "export = 'kernel'\nexports_file = '{}'",
        kernel.exports.display()
    );
    world.start();
    let wanted = |name: &str| MountRequest {
        allow: vec!["192.0.2.0/28".to_owned()],
        ..request(name)
    };
    world
        .client()
        .post::<Mount>("/mounts", &wanted("m"))
        .unwrap();
    let data = world.data("m").display().to_string();
    let line = |table: &str| {
        table
            .lines()
            .find(|line| line.starts_with(&data) && line.contains("192.0.2.0/28"))
            .map(str::to_owned)
    };
    assert!(
        line(&table()).is_some_and(|line| line.contains("root_squash")),
        "{}",
        table()
    );
    world.post("m").must_succeed();
    world.put("m").must_succeed();
    // A dead path in the exports, the documented reason of this failure.
    fs::write(
        "/etc/exports.d/dead.exports",
        "/nowhere/at/all 192.0.2.9(rw,no_subtree_check)\n",
    )
    .unwrap();
    world.post("m").must_be(Code::ExportFailed);
    let refused = world
        .client()
        .post::<Mount>("/mounts", &wanted("n"))
        .unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(problem) if problem.message.contains("exportfs")),
        "{refused}"
    );
    assert!(!world.directory.join("mounts/n").exists());
    assert!(!fs::read_to_string(&kernel.exports).unwrap().contains("/n/"));
    fs::remove_file("/etc/exports.d/dead.exports").unwrap();
    world.post("m").must_succeed();
    world.put("m").must_succeed();
    let quota = MountRequest {
        quota_bytes: Some(1 << 30),
        ..wanted("q")
    };
    assert!(
        world.client().post::<Mount>("/mounts", &quota).is_err(),
        "a quota cannot be kept"
    );
    let job: Job = world.client().delete("/mounts/m?force=true").unwrap();
    world.wait_for(job.id);
    assert_eq!(line(&table()), None);
}
