//! A file system of one's own, in an image file behind a loop device.
//! What lives here: making, mounting and the power cut. What does not: what is put on it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What mkfs makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileSystem {
    Btrfs,
    Xfs,
    Ext4,
}

/// Enough for each of them; the image is sparse.
const MEBIBYTES: u64 = 512;

/// A mounted file system, gone with its image when dropped.
pub struct Disk {
    directory: TempDir,
    mounted: bool,
}

impl Disk {
    pub fn new(kind: FileSystem) -> Disk {
        Disk::of_size(kind, MEBIBYTES)
    }

    pub fn of_size(kind: FileSystem, mebibytes: u64) -> Disk {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut disk = Disk {
            directory,
            mounted: false,
        };
        fs::create_dir(disk.root()).expect("the mount point");
        let image = fs::File::create(disk.image()).expect("the image");
        image.set_len(mebibytes << 20).expect("its size");
        match kind {
            FileSystem::Btrfs => system("mkfs.btrfs", &["-q".as_ref(), disk.image().as_ref()]),
            FileSystem::Xfs => system(
                "mkfs.xfs",
                &[
                    "-q".as_ref(),
                    "-m".as_ref(),
                    "reflink=1".as_ref(),
                    disk.image().as_ref(),
                ],
            ),
            FileSystem::Ext4 => system("mkfs.ext4", &["-q".as_ref(), disk.image().as_ref()]),
        }
        disk.mount();
        disk
    }

    /// Where it is mounted.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// The mount's data, as a store lays it out.
    pub fn data(&self) -> PathBuf {
        self.root().join("oracle_data")
    }

    /// A snapshot, in a directory for them.
    pub fn snapshot(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.snapshots().join(name.as_ref())
    }

    /// That directory.
    pub fn snapshots(&self) -> PathBuf {
        let snapshots = self.root().join("snapshots");
        fs::create_dir_all(&snapshots).expect("the directory of snapshots");
        snapshots
    }

    /// Bytes free for use.
    pub fn free(&self) -> u64 {
        let said = rustix::fs::statvfs(self.root()).expect("statvfs");
        said.f_bavail * said.f_frsize
    }

    /// What the device holds at this moment and nothing of what the kernel still has in memory: mounts a copy of the image.
    pub fn after_a_power_cut(mut self) -> Disk {
        let held = self.directory.path().join("held");
        system(
            "cp",
            &[
                "--sparse=always".as_ref(),
                "--reflink=never".as_ref(),
                self.image().as_ref(),
                held.as_ref(),
            ],
        );
        self.unmount();
        fs::rename(held, self.image()).expect("the image of before");
        self.mount();
        self
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn mount(&mut self) {
        system(
            "mount",
            &[
                "-o".as_ref(),
                "loop".as_ref(),
                self.image().as_ref(),
                self.root().as_ref(),
            ],
        );
        self.mounted = true;
    }

    fn unmount(&mut self) {
        system("umount", &[self.root().as_ref()]);
        self.mounted = false;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // A test that failed may have something mounted or open inside.
            let _ = command("umount", &["--recursive".as_ref(), self.root().as_ref()]).output();
            let _ = command("umount", &["--lazy".as_ref(), self.root().as_ref()]).output();
        }
    }
}

/// Something mounted inside a disk.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn tmpfs(at: &Path) -> Mounted {
        system(
            "mount",
            &[
                "-t".as_ref(),
                "tmpfs".as_ref(),
                "none".as_ref(),
                at.as_ref(),
            ],
        );
        Mounted(at.to_owned())
    }

    pub fn moved_to(mut self, at: PathBuf) -> Mounted {
        self.0 = at;
        self
    }

    pub fn at(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = command("umount", &[self.0.as_ref()]).output();
    }
}

/// Runs a system program that must succeed.
pub fn system(program: &str, arguments: &[&OsStr]) {
    let output = command(program, arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; ./test installs it"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn command(program: &str, arguments: &[&OsStr]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C");
    command
}
