//! What a driver does not do: replace, follow, believe, leave something behind.
//! What lives here: tests of errors. What does not: crashes.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

use store::snapshot::{DriverKind, SnapshotError, driver};

use crate::disk::{Disk, FileSystem, Mounted, system};
use crate::pictures::{names, noise, picture, plant};
use crate::{EVERY_DRIVER, never};

#[test]
fn a_snapshot_that_exists_is_never_replaced() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        plant(&data);
        let snapshot = disk.snapshot("UID_1");
        driver.take(&data, &snapshot, &never).unwrap();
        let before = picture(&snapshot);
        fs::write(data.join("new"), b"new").unwrap();
        let error = driver.take(&data, &snapshot, &never).unwrap_err();
        assert!(matches!(error, SnapshotError::Exists(_)), "{error:?}");
        // One that appears only while another is taken.
        let other = disk.snapshot("UID_2");
        let appear = || fs::create_dir(&other).unwrap();
        let error = driver
            .take_and_tell(&data, &other, &never, &appear)
            .unwrap_err();
        assert!(matches!(error, SnapshotError::Exists(_)), "{error:?}");
        assert!(names(&other).is_empty());
        assert_eq!(picture(&snapshot), before);
        assert_eq!(names(&disk.snapshots()), ["UID_1", "UID_2"]);
    }
}

#[test]
fn everything_can_be_done_twice() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        fs::write(data.join("kept"), b"kept").unwrap();
        driver.create_data(&data).unwrap();
        assert_eq!(fs::read(data.join("kept")).unwrap(), b"kept");
        let snapshot = disk.snapshot("UID_1");
        driver.take(&data, &snapshot, &never).unwrap();
        for _ in 0..2 {
            driver.destroy(&snapshot).unwrap();
            driver.destroy_data(&data).unwrap();
            assert!(driver.clean(&disk.snapshots()).unwrap().is_empty());
        }
        let nowhere = disk.root().join("nowhere/UID_1");
        driver.destroy(&nowhere).unwrap();
        assert!(!driver.is_whole(&nowhere).unwrap());
        assert!(driver.clean(nowhere.parent().unwrap()).unwrap().is_empty());
        for error in [
            driver.create_data(&nowhere).unwrap_err(),
            driver.prepare(&data).unwrap_err(),
            driver.take(&data, &snapshot, &never).unwrap_err(),
        ] {
            assert!(matches!(error, SnapshotError::Missing(_)), "{error:?}");
        }
    }
}

#[test]
fn what_is_cancelled_leaves_nothing() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        plant(&data);
        let snapshot = disk.snapshot("UID_1");
        // At every moment at which it is asked, until it gets through.
        for moment in 0.. {
            let asked = Cell::new(0);
            let cancel = || asked.replace(asked.get() + 1) == moment;
            match driver.take(&data, &snapshot, &cancel) {
                Ok(_) => {
                    assert!(moment > 2, "{kind} asked {moment} times");
                    break;
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(matches!(error, SnapshotError::Cancelled(_)), "{error:?}");
                    assert!(said.contains("UID_1"), "{said}");
                }
            }
            assert!(
                names(&disk.snapshots()).is_empty(),
                "{kind}, moment {moment}"
            );
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_copied_is_an_error() {
    // It is asked whether to cancel when it comes to the file, and then before each piece of it.
    for (file_system, kind, moment) in [
        (FileSystem::Ext4, DriverKind::Copy, 0),
        (FileSystem::Ext4, DriverKind::Copy, 2),
        (FileSystem::Xfs, DriverKind::Reflink, 0),
    ] {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        fs::write(data.join("datafile.dbf"), noise(4 << 20, 1)).unwrap();
        let asked = Cell::new(0);
        let write = || {
            if asked.replace(asked.get() + 1) == moment {
                let path = data.join("datafile.dbf");
                let mut file = File::options().append(true).open(path).unwrap();
                file.write_all(b"more").unwrap();
            }
            false
        };
        let error = driver
            .take(&data, &disk.snapshot("UID_1"), &write)
            .unwrap_err();
        assert!(
            matches!(&error, SnapshotError::Changed(path) if path.ends_with("datafile.dbf")),
            "{error:?}"
        );
        assert!(names(&disk.snapshots()).is_empty());
    }
}

#[test]
fn names_and_places_that_would_harm_are_refused() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        fs::create_dir(data.join("inside")).unwrap();
        symlink(&data, disk.root().join("link")).unwrap();
        let refused = |error: SnapshotError| {
            assert!(matches!(error, SnapshotError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains("HINT"), "{error}");
        };
        for name in [".hidden", "..", &"n".repeat(201)] {
            refused(
                driver
                    .take(&data, &disk.snapshot(name), &never)
                    .unwrap_err(),
            );
        }
        let inside = data.join("inside/UID_1");
        let error = driver.take(&data, &inside, &never).unwrap_err();
        assert!(
            error.to_string().contains("lies inside the data"),
            "{error}"
        );
        refused(error);
        let link = disk.root().join("link");
        refused(driver.take(&link, &disk.snapshot("a"), &never).unwrap_err());
        refused(driver.prepare(&link).unwrap_err());
        refused(driver.create_data(&link).unwrap_err());
        // Destroying a link removes the link.
        driver.destroy_data(&link).unwrap();
        assert!(data.join("inside").is_dir());
        assert!(names(&disk.snapshots()).is_empty());
    }
}

#[test]
fn what_is_mounted_inside_the_data_is_neither_copied_nor_removed() {
    for (file_system, kind) in [
        (FileSystem::Ext4, DriverKind::Copy),
        (FileSystem::Xfs, DriverKind::Reflink),
    ] {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        fs::create_dir(data.join("mounted")).unwrap();
        let mounted = Mounted::tmpfs(&data.join("mounted"));
        fs::write(data.join("mounted/foreign"), b"foreign").unwrap();
        let error = driver
            .take(&data, &disk.snapshot("UID_1"), &never)
            .unwrap_err();
        assert!(
            matches!(&error, SnapshotError::Refused { path, .. } if path.ends_with("mounted")),
            "{error:?}"
        );
        assert!(names(&disk.snapshots()).is_empty());
        driver.destroy_data(&data).unwrap_err();
        let hidden = names(&disk.root())
            .into_iter()
            .find(|name| name.starts_with(".destroying-oracle_data."))
            .unwrap();
        // The mount went with the directory.
        let mounted = mounted.moved_to(disk.root().join(hidden).join("mounted"));
        assert_eq!(fs::read(mounted.at().join("foreign")).unwrap(), b"foreign");
        drop(mounted);
        driver.destroy_data(&data).unwrap();
    }
}

#[test]
fn a_subvolume_inside_the_data_is_no_silent_hole_in_a_snapshot() {
    let disk = Disk::new(FileSystem::Btrfs);
    let (driver, data) = (driver(DriverKind::Btrfs), disk.data());
    driver.create_data(&data).unwrap();
    let inside = data.join("inside");
    system(
        "btrfs",
        &["subvolume".as_ref(), "create".as_ref(), inside.as_ref()],
    );
    fs::write(inside.join("datafile.dbf"), b"important").unwrap();
    let error = driver
        .take(&data, &disk.snapshot("UID_1"), &never)
        .unwrap_err();
    assert!(
        matches!(&error, SnapshotError::Refused { path, .. } if path.ends_with("inside")),
        "{error:?}"
    );
    assert!(names(&disk.snapshots()).is_empty());
}

#[test]
fn a_driver_says_what_it_cannot_do_here() {
    let disk = Disk::new(FileSystem::Ext4);
    fs::create_dir(disk.data()).unwrap();
    fs::write(disk.data().join("file"), b"file").unwrap();
    let reflink = driver(DriverKind::Reflink);
    let error = reflink
        .take(&disk.data(), &disk.snapshot("UID_1"), &never)
        .unwrap_err();
    assert!(
        error.to_string().contains("HINT: use the driver copy"),
        "{error}"
    );
    let btrfs = driver(DriverKind::Btrfs);
    let error = btrfs.create_data(&disk.root().join("other")).unwrap_err();
    assert!(matches!(error, SnapshotError::Program { .. }), "{error:?}");
    let error = btrfs.create_data(&disk.data()).unwrap_err();
    assert!(error.to_string().contains("no Btrfs subvolume"), "{error}");
    assert!(names(&disk.snapshots()).is_empty());
}
