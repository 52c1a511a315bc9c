//! A place in a tree: one open directory, and the way back up.
//! What lives here: going down and up. What does not: what is done on the way.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::path::Arg;

use super::super::error::{Fault, doing};
use super::{Facts, Identity};

/// Neither links nor mount points lead out of the tree.
const STAY: ResolveFlags = ResolveFlags::NO_SYMLINKS
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory in a tree. However deep it lies, only one descriptor is open: the way up leads through `..`, which must be
/// the directory that one came from.
#[derive(Debug)]
pub(super) struct Cursor {
    directory: OwnedFd,
    above: Vec<Identity>,
}

impl Cursor {
    /// Begins at the root of a tree.
    pub(super) fn at(root: OwnedFd) -> Cursor {
        Cursor {
            directory: root,
            above: Vec::new(),
        }
    }

    /// The directory where it stands.
    pub(super) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// Directories above this one, up to the root of the tree.
    pub(super) fn depth(&self) -> usize {
        self.above.len()
    }

    /// Into a directory.
    pub(super) fn down(&mut self, name: impl Arg) -> Result<(), Fault> {
        let here = facts_of(&self.directory)?.identity;
        let below =
            open_beneath(&self.directory, name, DIRECTORY).map_err(doing("open the directory"))?;
        self.directory = below;
        self.above.push(here);
        Ok(())
    }

    /// Back to where one came from. At the root it stays where it is.
    pub(super) fn up(&mut self) -> Result<(), Fault> {
        let Some(expected) = self.above.pop() else {
            return Ok(());
        };
        let above = open_beneath(&self.directory, "..", DIRECTORY)
            .map_err(doing("go up from the directory"))?;
        // Somebody who moves directories about must not lead us out of the tree.
        if facts_of(&above)?.identity != expected {
            return Err(Fault::Changed);
        }
        self.directory = above;
        Ok(())
    }
}

/// Opens what has a name in a directory, only if it is there itself: no link, no other file system.
pub(in super::super) fn open_beneath(
    directory: &OwnedFd,
    name: impl Arg,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(
        directory,
        name,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        STAY,
    )
}

/// What the system says of an open file.
pub(super) fn facts_of(file: &OwnedFd) -> Result<Facts, Fault> {
    let stat = rustix::fs::fstat(file).map_err(doing("look at"))?;
    Ok(Facts::from(&stat))
}

/// What the system says of a name in a directory; a link is not followed.
pub(super) fn facts_at(directory: &OwnedFd, name: impl Arg) -> Result<Facts, Fault> {
    let stat =
        rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(doing("look at"))?;
    Ok(Facts::from(&stat))
}
