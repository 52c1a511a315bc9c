//! What a snapshot keeps, and that it stays so.
//! What lives here: tests of whole snapshots. What does not: refusals and crashes.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

use store::snapshot::{DriverKind, driver, probe};

use crate::disk::{Disk, FileSystem};
use crate::pictures::{names, noise, picture, plant};
use crate::{EVERY_DRIVER, EVERY_WAY, never};

#[test]
fn a_snapshot_shows_everything_that_was_there() {
    for (file_system, kind) in EVERY_WAY {
        let disk = Disk::new(file_system);
        let driver = driver(kind);
        driver.create_data(&disk.data()).unwrap();
        plant(&disk.data());
        let accessed = fs::metadata(disk.data().join("datafile.dbf")).unwrap();
        driver.prepare(&disk.data()).unwrap();
        let taken = driver
            .take(&disk.data(), &disk.snapshot("UID_1"), &never)
            .unwrap_or_else(|error| panic!("{kind} on {file_system:?}: {error:?}"));
        assert!(driver.is_whole(&disk.snapshot("UID_1")).unwrap());

        for root in [disk.data(), disk.snapshot("UID_1")] {
            let seen = fs::metadata(root.join("datafile.dbf")).unwrap();
            let time = |seen: &fs::Metadata| (seen.atime(), seen.atime_nsec());
            assert_eq!(time(&seen), time(&accessed), "{kind} on {file_system:?}");
        }
        assert_eq!(
            picture(&disk.snapshot("UID_1")),
            picture(&disk.data()),
            "{kind} on {file_system:?}"
        );
        // empty, odd with three names, datafile.dbf, sparse.dbf, the one with an odd name, the one with a long name.
        assert_eq!(taken.files, 8, "{kind} on {file_system:?}");
        let bytes = 3 * 12_345 + (3 << 20) + 8192 + (64 << 20) + 4 + 9;
        assert_eq!(taken.bytes, bytes, "{kind} on {file_system:?}");
        assert_eq!(names(&disk.snapshots()), ["UID_1"]);
    }
}

#[test]
fn what_is_written_later_changes_no_snapshot() {
    for (file_system, kind) in EVERY_WAY {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        plant(&data);
        // Dirty at the moment of the snapshot, and not synced by anybody.
        fs::write(data.join("dirty"), noise(1 << 20, 5)).unwrap();
        driver.take(&data, &disk.snapshot("a"), &never).unwrap();
        let before = picture(&disk.snapshot("a"));
        assert_eq!(before, picture(&data), "{kind} on {file_system:?}");

        let file = fs::File::options()
            .write(true)
            .open(data.join("datafile.dbf"))
            .unwrap();
        file.write_all_at(&noise(8192, 6), 1 << 20).unwrap();
        file.set_len(2 << 20).unwrap();
        file.sync_all().unwrap();
        fs::write(data.join("odd"), b"other").unwrap();
        fs::remove_dir_all(data.join("deep")).unwrap();
        fs::rename(data.join("dirty"), data.join("sparse.dbf")).unwrap();
        driver.take(&data, &disk.snapshot("b"), &never).unwrap();

        assert_eq!(
            picture(&disk.snapshot("a")),
            before,
            "{kind} on {file_system:?}"
        );
        assert_eq!(picture(&disk.snapshot("b")), picture(&data));
        driver.destroy_data(&data).unwrap();
        assert!(!data.exists());
        assert_eq!(
            picture(&disk.snapshot("a")),
            before,
            "{kind} on {file_system:?}"
        );
        driver.destroy(&disk.snapshot("a")).unwrap();
        assert!(!driver.is_whole(&disk.snapshot("a")).unwrap());
        assert_eq!(names(&disk.snapshots()), ["b"]);
    }
}

#[test]
fn a_snapshot_is_on_the_device_when_take_returns() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        plant(&data);
        let snapshot = disk.snapshot("UID_1");
        driver.take(&data, &snapshot, &never).unwrap();
        let promised = picture(&snapshot);
        let disk = disk.after_a_power_cut();
        assert!(driver.is_whole(&disk.snapshot("UID_1")).unwrap());
        assert_eq!(
            picture(&disk.snapshot("UID_1")),
            promised,
            "{kind} on {file_system:?}"
        );
    }
}

#[test]
fn data_and_destruction_are_on_the_device_when_they_return() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let driver = driver(kind);
        driver.create_data(&disk.data()).unwrap();
        let disk = disk.after_a_power_cut();
        assert!(disk.data().is_dir(), "{kind} on {file_system:?}");
        let snapshot = disk.snapshot("UID_1");
        driver.take(&disk.data(), &snapshot, &never).unwrap();
        driver.destroy(&snapshot).unwrap();
        let disk = disk.after_a_power_cut();
        assert!(disk.data().is_dir(), "{kind} on {file_system:?}");
        assert!(
            names(&disk.snapshots()).is_empty(),
            "{kind} on {file_system:?}"
        );
    }
}

#[test]
fn writers_may_go_on_as_soon_as_they_are_told() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (driver, data) = (driver(kind), disk.data());
        driver.create_data(&data).unwrap();
        plant(&data);
        let before = picture(&data);
        let frozen = || {
            fs::write(data.join("datafile.dbf"), b"new").unwrap();
            fs::remove_dir_all(data.join("deep")).unwrap();
        };
        let snapshot = disk.snapshot("UID_1");
        driver
            .take_and_tell(&data, &snapshot, &never, &frozen)
            .unwrap();
        assert_eq!(picture(&snapshot), before, "{kind} on {file_system:?}");
        assert!(!data.join("deep").exists());
    }
}

#[test]
fn every_file_system_gets_its_best_driver() {
    for (file_system, kind) in EVERY_DRIVER {
        let disk = Disk::new(file_system);
        let (found, why) = probe(&disk.root()).unwrap();
        assert_eq!(found, kind, "{why}");
        let named = format!("{file_system:?}").to_lowercase();
        assert!(why.to_lowercase().contains(&named), "{why}");
        let left: Vec<String> = names(&disk.root());
        let left: Vec<&String> = left.iter().filter(|name| *name != "lost+found").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_driver_has_one_name_everywhere() {
    for kind in DriverKind::ALL {
        let name = kind.to_string();
        assert_eq!(name.parse::<DriverKind>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
    }
    let message = "zfs".parse::<DriverKind>().unwrap_err().to_string();
    assert!(
        message.contains("zfs") && message.contains("HINT"),
        "{message}"
    );
}

#[test]
fn a_tree_deeper_than_any_path_is_kept_and_removed() {
    let disk = Disk::new(FileSystem::Xfs);
    let driver = driver(DriverKind::Reflink);
    driver.create_data(&disk.data()).unwrap();
    crate::room::dig(&disk.data(), 3000);
    let taken = driver
        .take(&disk.data(), &disk.snapshot("deep"), &never)
        .unwrap();
    assert_eq!(taken.files, 1);
    assert_eq!(crate::room::depth(&disk.snapshot("deep")), 3000);
    driver.destroy(&disk.snapshot("deep")).unwrap();
    driver.destroy_data(&disk.data()).unwrap();
    assert_eq!(names(&disk.root()), ["snapshots"]);
}
