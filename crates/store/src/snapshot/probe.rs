//! Which driver a directory can have, found out by trying.
//! What lives here: the trials. What does not: the drivers.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::{SnapshotError, cannot};
use super::place::{Hidden, Place, open_directory};
use super::{DriverKind, btrfs, removal};

/// A block of every file system that shares blocks, so that there is something to share.
const TRIAL_BYTES: usize = 64 * 1024;
/// The names of those file systems that stores are met on, by what `statfs` calls them.
const FILE_SYSTEMS: [(u64, &str); 7] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "XFS"),
    (0x9123_683E, "Btrfs"),
    (0x2FC1_2FC1, "ZFS"),
    (0x0102_1994, "tmpfs"),
    (0x794C_7630, "overlay"),
    (0x6969, "NFS"),
];

/// The best driver for snapshots in a directory, and why it is that one, for people.
///
/// Nothing is believed that was not tried: a subvolume is made, frozen and deleted, a file is cloned. Afterwards the
/// directory is as before; a crash in between can leave a hidden subvolume, which `clean` removes.
pub fn probe(directory: &Path) -> Result<(DriverKind, String), SnapshotError> {
    let opened = open_directory(directory)?;
    let magic = magic(&opened).map_err(cannot("ask for the file system of", directory))?;
    let named = name_of(magic);
    let objection = match btrfs::is_btrfs(&opened) {
        Ok(true) => match try_subvolumes(directory) {
            Ok(()) => {
                let why = "Btrfs, and subvolumes can be made, frozen and deleted here";
                return Ok((DriverKind::Btrfs, why.to_owned()));
            }
            Err(error) => format!("; no subvolumes, because {error}"),
        },
        _ => String::new(),
    };
    match try_clone(&opened) {
        Ok(()) => Ok((
            DriverKind::Reflink,
            format!("{named}, and a file could be cloned (FICLONE){objection}"),
        )),
        Err(errno) if cannot_clone(errno) => Ok((
            DriverKind::Copy,
            format!(
                "{named} does not clone files (FICLONE): every snapshot copies every byte, and takes as much time and \
                 space{objection}"
            ),
        )),
        Err(errno) => Err(cannot("write a file for a trial in", directory)(errno)),
    }
}

/// What `statfs` calls the file system.
pub(super) fn magic(directory: &OwnedFd) -> rustix::io::Result<u64> {
    // The field has another type on other machines; the numbers have 32 bits.
    #[allow(clippy::unnecessary_cast)]
    let magic = rustix::fs::fstatfs(directory)?.f_type as u64;
    Ok(magic & 0xFFFF_FFFF)
}

fn name_of(magic: u64) -> String {
    FILE_SYSTEMS
        .iter()
        .find(|(number, _)| *number == magic)
        .map_or_else(
            || format!("the file system of type {magic:#x}"),
            |(_, name)| (*name).to_owned(),
        )
}

fn try_subvolumes(directory: &Path) -> Result<(), SnapshotError> {
    let place = Place::of(&directory.join("trial"))?;
    place.lock_for_work(&|| false)?;
    let data = place.hidden(Hidden::Probing)?;
    let frozen = place.hidden(Hidden::Probing)?;
    let path = |name| place.parent_path.join(name);
    let made = btrfs::create_subvolume(&path(&data), &place.parent)
        .and_then(|()| btrfs::snapshot(&path(&data), &path(&frozen), &place.parent));
    let tried = [&frozen, &data]
        .map(|name| removal::remove(&place.parent, &place.parent_path, name))
        .into_iter()
        .fold(made, Result::and);
    if tried.is_err() {
        // Who may not delete subvolumes may still remove empty directories. What stays all the same, `clean` removes.
        for name in [&frozen, &data] {
            let _ = rustix::fs::unlinkat(&place.parent, name, AtFlags::REMOVEDIR);
        }
    }
    tried
}

/// Clones a file without a name, so that nothing can be left of it.
fn try_clone(directory: &OwnedFd) -> rustix::io::Result<()> {
    let nameless = || {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        rustix::fs::openat(directory, ".", flags, Mode::RUSR | Mode::WUSR)
    };
    let (from, to) = (nameless()?, nameless()?);
    let pattern: Vec<u8> = (0..TRIAL_BYTES).map(|at| (at % 251) as u8).collect();
    if rustix::io::pwrite(&from, &pattern, 0)? != TRIAL_BYTES {
        return Err(Errno::NOSPC);
    }
    rustix::fs::ioctl_ficlone(&to, &from)?;
    let mut cloned = vec![0; TRIAL_BYTES];
    match rustix::io::pread(&to, &mut cloned[..], 0)? == TRIAL_BYTES && cloned == pattern {
        true => Ok(()),
        false => Err(Errno::OPNOTSUPP),
    }
}

/// An answer that says no, and not that something is wrong; also that of a file system without nameless files.
fn cannot_clone(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL | Errno::XDEV | Errno::NOSYS | Errno::ISDIR
    )
}
