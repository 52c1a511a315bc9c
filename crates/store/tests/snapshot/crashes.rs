//! `kill -9` at every named place of `take` and `destroy`: what is left is whole or can be cleaned away.
//! What lives here: the crashes, and the store that dies or lacks privileges. What does not: power cuts.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use store::snapshot::{DriverKind, SnapshotDriver, SnapshotError, driver, probe};

use crate::disk::{Disk, FileSystem};
use crate::pictures::{names, picture, plant};
use crate::{EVERY_DRIVER, never};

/// Where `take` dies, and whether the snapshot must be there afterwards.
const IN_TAKE: [(&str, bool); 5] = [
    ("snapshot-before-making", false),
    ("snapshot-inside-making", false),
    ("snapshot-before-sync", false),
    ("snapshot-before-publish", false),
    ("snapshot-after-publish", true),
];
/// Where `destroy` dies, and whether the snapshot must be there afterwards.
const IN_DESTROY: [(&str, bool); 4] = [
    ("snapshot-before-hiding", true),
    ("snapshot-after-hiding", false),
    ("snapshot-inside-removal", false),
    ("snapshot-after-removal", false),
];

/// The process that dies: does one thing, as its environment says.
#[test]
#[ignore = "a process of the other tests, which start it with an environment"]
fn the_store_that_dies() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let driver = driver(variable("SNAPSHOT_DRIVER").parse().unwrap());
    let data = PathBuf::from(variable("SNAPSHOT_DATA"));
    let snapshot = PathBuf::from(variable("SNAPSHOT_PATH"));
    match variable("SNAPSHOT_DEED").as_str() {
        "take" => drop(driver.take(&data, &snapshot, &never).unwrap()),
        "destroy" => driver.destroy(&snapshot).unwrap(),
        "probe" => println!("{:?}", probe(&data).unwrap()),
        "destroy data" => driver.destroy_data(&data).unwrap(),
        other => panic!("no such deed: {other}"),
    }
}

fn store(kind: DriverKind, deed: &str, data: &Path, snapshot: &Path, place: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "crashes::the_store_that_dies"])
        .env("SNAPSHOT_DRIVER", kind.to_string())
        .env("SNAPSHOT_DEED", deed)
        .env("SNAPSHOT_DATA", data)
        .env("SNAPSHOT_PATH", snapshot)
        .env("BACKSTAY_FAILPOINT", place);
    command
}

/// Dies at the place, by a signal.
fn die(kind: DriverKind, deed: &str, disk: &Disk, snapshot: &Path, place: &str) {
    let output = store(kind, deed, &disk.data(), snapshot, place)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.signal(),
        Some(9),
        "{kind} did not die at {place}: {said}"
    );
}

/// A place in the middle of the tree, where there is one.
fn in_the_middle(place: &str, kind: DriverKind) -> String {
    match place {
        "snapshot-inside-making" | "snapshot-inside-removal" if kind != DriverKind::Btrfs => {
            format!("{place}@7")
        }
        place => place.to_owned(),
    }
}

fn planted(file_system: FileSystem, kind: DriverKind) -> (Disk, Box<dyn SnapshotDriver>) {
    let (disk, driver) = (Disk::new(file_system), driver(kind));
    driver.create_data(&disk.data()).unwrap();
    plant(&disk.data());
    (disk, driver)
}

#[test]
fn a_take_that_dies_leaves_a_whole_snapshot_or_what_can_be_cleaned() {
    for (file_system, kind) in EVERY_DRIVER {
        let (disk, driver) = planted(file_system, kind);
        for (number, (place, is_there)) in IN_TAKE.into_iter().enumerate() {
            // The kernel makes a subvolume durable by itself.
            if kind == DriverKind::Btrfs && place == "snapshot-before-sync" {
                continue;
            }
            let snapshot = disk.snapshot(format!("UID_{number}"));
            die(kind, "take", &disk, &snapshot, &in_the_middle(place, kind));
            let left = names(&disk.snapshots());
            assert_eq!(
                driver.is_whole(&snapshot).unwrap(),
                is_there,
                "{kind} {place}: {left:?}"
            );
            let hidden = left.iter().filter(|name| name.starts_with(".taking-"));
            let cleaned = driver.clean(&disk.snapshots()).unwrap();
            assert_eq!(hidden.count(), cleaned.len(), "{kind} {place}: {left:?}");
            if place == "snapshot-inside-making" {
                assert_eq!(cleaned.len(), 1, "{left:?}");
            }
            if is_there {
                assert_eq!(picture(&snapshot), picture(&disk.data()), "{kind} {place}");
                driver.destroy(&snapshot).unwrap();
            } else {
                driver.take(&disk.data(), &snapshot, &never).unwrap();
                assert_eq!(picture(&snapshot), picture(&disk.data()), "{kind} {place}");
                driver.destroy(&snapshot).unwrap();
            }
            assert!(names(&disk.snapshots()).is_empty(), "{kind} {place}");
        }
    }
}

#[test]
fn a_destroy_that_dies_leaves_a_whole_snapshot_or_what_can_be_cleaned() {
    for (file_system, kind) in EVERY_DRIVER {
        let (disk, driver) = planted(file_system, kind);
        let snapshot = disk.snapshot("UID_1");
        for by_cleaning in [true, false] {
            for (place, is_there) in IN_DESTROY {
                driver.take(&disk.data(), &snapshot, &never).unwrap();
                die(
                    kind,
                    "destroy",
                    &disk,
                    &snapshot,
                    &in_the_middle(place, kind),
                );
                assert_eq!(
                    driver.is_whole(&snapshot).unwrap(),
                    is_there,
                    "{kind} {place}"
                );
                if is_there {
                    assert_eq!(picture(&snapshot), picture(&disk.data()), "{kind} {place}");
                }
                if by_cleaning && !is_there {
                    let left = names(&disk.snapshots());
                    let cleaned = driver.clean(&disk.snapshots()).unwrap();
                    assert_eq!(cleaned.len(), left.len(), "{kind} {place}: {left:?}");
                } else {
                    driver.destroy(&snapshot).unwrap();
                }
                assert!(names(&disk.snapshots()).is_empty(), "{kind} {place}");
            }
        }
    }
}

#[test]
fn data_that_was_half_destroyed_goes_with_the_second_try() {
    for (file_system, kind) in EVERY_DRIVER {
        let (disk, driver) = planted(file_system, kind);
        let snapshot = disk.snapshot("UID_1");
        driver.take(&disk.data(), &snapshot, &never).unwrap();
        let place = in_the_middle("snapshot-inside-removal", kind);
        die(kind, "destroy data", &disk, &snapshot, &place);
        assert!(!disk.data().exists());
        let is_hidden = |name: &String| name.starts_with(".destroying-");
        assert_eq!(
            names(&disk.root())
                .iter()
                .filter(|name| is_hidden(name))
                .count(),
            1
        );
        driver.destroy_data(&disk.data()).unwrap();
        assert_eq!(
            names(&disk.root())
                .iter()
                .filter(|name| is_hidden(name))
                .count(),
            0
        );
        assert!(driver.is_whole(&snapshot).unwrap());
    }
}

#[test]
fn cleaning_does_not_touch_a_snapshot_that_is_being_taken() {
    let (disk, driver) = planted(FileSystem::Ext4, DriverKind::Copy);
    let snapshot = disk.snapshot("UID_1");
    let place = "snapshot-before-publish=stop";
    let mut child = store(DriverKind::Copy, "take", &disk.data(), &snapshot, place)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let options = rustix::process::WaitOptions::UNTRACED;
    let (_, status) = rustix::process::waitpid(Some(pid), options)
        .unwrap()
        .unwrap();
    assert!(status.stopped(), "{status:?}");

    let error = driver.clean(&disk.snapshots()).unwrap_err();
    assert!(matches!(error, SnapshotError::Busy(_)), "{error:?}");
    // Others may work beside it.
    driver
        .take(&disk.data(), &disk.snapshot("UID_2"), &never)
        .unwrap();
    driver.destroy(&disk.snapshot("UID_2")).unwrap();

    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let status: ExitStatus = child.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(driver.clean(&disk.snapshots()).unwrap().is_empty());
    assert_eq!(picture(&snapshot), picture(&disk.data()));
}

#[test]
fn a_store_that_may_not_delete_subvolumes_clones_files_and_says_why() {
    let disk = Disk::new(FileSystem::Btrfs);
    // Still user 0, so that it reads its own program, and without any privilege.
    let output = Command::new("setpriv")
        .args(["--bounding-set", "-all", "--inh-caps", "-all"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("crashes::the_store_that_dies")
        .env("SNAPSHOT_DRIVER", "btrfs")
        .env("SNAPSHOT_DEED", "probe")
        .env("SNAPSHOT_DATA", disk.root())
        .env("SNAPSHOT_PATH", disk.root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("(Reflink, "), "{said}");
    assert!(
        said.contains("no subvolumes, because btrfs subvolume delete"),
        "{said}"
    );
    assert!(names(&disk.root()).is_empty(), "{:?}", names(&disk.root()));
}

#[test]
fn cleaning_leaves_alone_what_is_not_its_own() {
    let (disk, driver) = planted(FileSystem::Xfs, DriverKind::Reflink);
    let at = |name: &str| disk.snapshots().join(name);
    for name in ["UID_1", ".other", "taking-UID_1.1-1"] {
        fs::create_dir(at(name)).unwrap();
    }
    for name in [
        ".taking-UID_2.1-1",
        ".destroying-UID_3.99-4",
        ".probing-trial.7-1",
    ] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("file"), b"file").unwrap();
    }
    let mut cleaned = driver.clean(&disk.snapshots()).unwrap();
    cleaned.sort();
    assert_eq!(
        cleaned,
        [
            ".destroying-UID_3.99-4",
            ".probing-trial.7-1",
            ".taking-UID_2.1-1"
        ]
        .map(at)
    );
    assert_eq!(
        names(&disk.snapshots()),
        [".other", "UID_1", "taking-UID_1.1-1"]
    );
    // A name that only begins like another is another.
    fs::create_dir(at(".destroying-UID.1.5-5")).unwrap();
    driver.destroy(&at("UID")).unwrap();
    assert!(at(".destroying-UID.1.5-5").exists());
    driver.destroy(&at("UID.1")).unwrap();
    assert!(!at(".destroying-UID.1.5-5").exists());
}
