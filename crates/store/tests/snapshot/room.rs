//! Full disks, deep trees, wide trees.
//! What lives here: tests of limits, and the making of deep trees. What does not: what is kept of an ordinary tree.

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use store::snapshot::{DriverKind, SnapshotError, driver};

use crate::disk::{Disk, FileSystem};
use crate::never;
use crate::pictures::{names, noise};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Makes directories below each other, and a file in the last.
pub fn dig(root: &Path, depth: usize) {
    let mut here = rustix::fs::openat(CWD, root, DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&here, "down", Mode::RWXU).unwrap();
        here = rustix::fs::openat(&here, "down", DIRECTORY, Mode::empty()).unwrap();
    }
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let bottom = rustix::fs::openat(&here, "bottom", flags, Mode::RUSR).unwrap();
    rustix::io::write(&bottom, b"bottom").unwrap();
}

/// How deep it goes down.
pub fn depth(root: &Path) -> usize {
    let mut here = rustix::fs::openat(CWD, root, DIRECTORY, Mode::empty()).unwrap();
    let mut depth = 0;
    while let Ok(below) = rustix::fs::openat(&here, "down", DIRECTORY, Mode::empty()) {
        here = below;
        depth += 1;
    }
    depth
}

#[test]
fn a_tree_that_was_made_to_harm_is_refused_and_can_be_removed() {
    let disk = Disk::new(FileSystem::Xfs);
    let driver = driver(DriverKind::Reflink);
    driver.create_data(&disk.data()).unwrap();
    dig(&disk.data(), 17_000);
    let error = driver
        .take(&disk.data(), &disk.snapshot("deep"), &never)
        .unwrap_err();
    assert!(matches!(error, SnapshotError::Refused { .. }), "{error:?}");
    assert!(error.to_string().len() < 8192, "{error}");
    assert!(names(&disk.snapshots()).is_empty());
    driver.destroy_data(&disk.data()).unwrap();
    assert_eq!(names(&disk.root()), ["snapshots"]);
}

#[test]
fn many_directories_beside_each_other_are_kept_and_removed() {
    let disk = Disk::new(FileSystem::Ext4);
    let (driver, data) = (driver(DriverKind::Copy), disk.data());
    driver.create_data(&data).unwrap();
    // More than are held in memory at once when they are removed.
    for number in 0..700 {
        let below = data.join(format!("directory {number}"));
        fs::create_dir(&below).unwrap();
        fs::write(below.join("file"), format!("{number}")).unwrap();
    }
    let snapshot = disk.snapshot("wide");
    assert_eq!(driver.take(&data, &snapshot, &never).unwrap().files, 700);
    for number in 0..700 {
        let copy = snapshot.join(format!("directory {number}/file"));
        assert_eq!(fs::read_to_string(copy).unwrap(), format!("{number}"));
    }
    driver.destroy(&snapshot).unwrap();
    assert!(names(&disk.snapshots()).is_empty());
}

#[test]
fn a_full_disk_leaves_no_half_snapshot_and_says_what_to_do() {
    let disk = Disk::of_size(FileSystem::Ext4, 64);
    let (driver, data) = (driver(DriverKind::Copy), disk.data());
    driver.create_data(&data).unwrap();
    for number in 0..6_u64 {
        let path = data.join(format!("datafile{number}.dbf"));
        fs::write(path, noise(5 << 20, number)).unwrap();
    }
    driver.prepare(&data).unwrap();
    let free = disk.free();
    assert!(free < 30 << 20, "the test needs a disk that is too small");
    let error = driver
        .take(&data, &disk.snapshot("UID_1"), &never)
        .unwrap_err();
    assert!(matches!(error, SnapshotError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("HINT: free space"), "{error}");
    assert!(!driver.is_whole(&disk.snapshot("UID_1")).unwrap());
    assert!(names(&disk.snapshots()).is_empty());
    driver.prepare(&data).unwrap();
    // A block for the directory of snapshots is the most that may be missing.
    assert!(
        disk.free() + 8192 >= free,
        "{} of {free} are free",
        disk.free()
    );
}

#[test]
fn a_file_may_have_as_many_names_as_the_file_system_allows() {
    let disk = Disk::new(FileSystem::Ext4);
    let (driver, data) = (driver(DriverKind::Copy), disk.data());
    driver.create_data(&data).unwrap();
    fs::write(data.join("0"), b"one file").unwrap();
    let mut links = 1;
    while fs::hard_link(data.join("0"), data.join(links.to_string())).is_ok() {
        links += 1;
    }
    assert_eq!(links, 65_000, "what ext4 allows");
    let snapshot = disk.snapshot("linked");
    assert_eq!(driver.take(&data, &snapshot, &never).unwrap().files, links);
    let seen = fs::metadata(snapshot.join("64999")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&seen), links);
}
