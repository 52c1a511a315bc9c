//! Snapshots on real file systems, each on a loop device of its own. Needs root.
//! What lives here: the rooms, and what the tests share. What does not: a single test.

mod crashes;
mod disk;
mod keeping;
mod pictures;
mod refusing;
mod room;

use disk::FileSystem;
use store::snapshot::DriverKind;

/// Every driver on every file system that can have it.
const EVERY_WAY: [(FileSystem, DriverKind); 6] = [
    (FileSystem::Btrfs, DriverKind::Btrfs),
    (FileSystem::Btrfs, DriverKind::Reflink),
    (FileSystem::Btrfs, DriverKind::Copy),
    (FileSystem::Xfs, DriverKind::Reflink),
    (FileSystem::Xfs, DriverKind::Copy),
    (FileSystem::Ext4, DriverKind::Copy),
];

/// Each driver where it is at home.
const EVERY_DRIVER: [(FileSystem, DriverKind); 3] = [
    (FileSystem::Btrfs, DriverKind::Btrfs),
    (FileSystem::Xfs, DriverKind::Reflink),
    (FileSystem::Ext4, DriverKind::Copy),
];

/// For `take`: nobody cancels.
fn never() -> bool {
    false
}
