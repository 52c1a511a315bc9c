//! Making a second tree of a first one.
//! What lives here: what becomes of each kind of file. What does not: how content and attributes come over.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::super::error::{Fault, SnapshotError, cannot, doing};
use super::attributes::{Attributes, carry_by_name};
use super::content::{Content, Method};
use super::cursor::{Cursor, facts_of, open_beneath};
use super::walk::{Visitor, walk};
use super::{Facts, Identity};
use crate::failpoint;

/// The new tree in its staging directory.
pub(in super::super) const TREE: &CStr = c"tree";
/// Beside it, while it is made: a name for every file that has several.
const LINKS: &CStr = c"links";

/// What was copied.
#[derive(Clone, Copy, Default, Debug)]
pub(in super::super) struct Copied {
    /// Names of regular files.
    pub(in super::super) files: u64,
    /// Bytes that reading them yields.
    pub(in super::super) bytes: u64,
}

struct Copy<'a> {
    destination: Cursor,
    links: OwnedFd,
    content: Content<'a>,
    attributes: Attributes,
    cancel: &'a dyn Fn() -> bool,
    copied: Copied,
}

/// Copies the tree `from` to a directory `tree` in the empty directory `staging`. Nothing is synced yet.
///
/// The paths are for messages. Files with several names are found again by a directory of links and not in memory: there
/// may be any number of them, and those names lie in directories that are not open any more.
pub(in super::super) fn copy(
    from: OwnedFd,
    from_path: &Path,
    staging: &OwnedFd,
    staging_path: &Path,
    method: Method,
    cancel: &dyn Fn() -> bool,
) -> Result<Copied, SnapshotError> {
    let make = |name: &CStr| {
        rustix::fs::mkdirat(staging, name, Mode::RWXU)
            .and_then(|()| open_beneath(staging, name, OFlags::RDONLY | OFlags::DIRECTORY))
            .map_err(cannot("make a directory in", staging_path))
    };
    let mut copy = Copy {
        destination: Cursor::at(make(TREE)?),
        links: make(LINKS)?,
        content: Content::new(method, cancel),
        attributes: Attributes::new(),
        cancel,
        copied: Copied::default(),
    };
    walk(from, from_path, &mut copy)?;
    let path = staging_path.join("links");
    super::remove(staging, LINKS, &path)?;
    Ok(copy.copied)
}

impl Visitor for Copy<'_> {
    fn entry(&mut self, directory: &OwnedFd, name: &CStr, facts: &Facts) -> Result<(), Fault> {
        failpoint::reach("snapshot-inside-making");
        if (self.cancel)() {
            return Err(Fault::Cancelled);
        }
        if facts.kind == FileType::RegularFile {
            self.copied.files += 1;
            self.copied.bytes = self.copied.bytes.saturating_add(facts.bytes);
        }
        if facts.links > 1 && self.is_linked(name, facts.identity)? {
            return Ok(());
        }
        match facts.kind {
            FileType::RegularFile => self.file(directory, name, facts)?,
            FileType::Symlink => self.symbolic_link(directory, name, facts)?,
            _ => self.node(name, facts)?,
        }
        match facts.links {
            0 | 1 => Ok(()),
            _ => self.remember(name, facts.identity),
        }
    }

    fn enter(&mut self, name: &CStr, _facts: &Facts) -> Result<(), Fault> {
        rustix::fs::mkdirat(self.destination.directory(), name, Mode::RWXU)
            .map_err(doing("make the copy of"))?;
        self.destination.down(name)
    }

    fn leave(&mut self, directory: &OwnedFd, facts: &Facts) -> Result<(), Fault> {
        if !facts.is_unchanged(&facts_of(directory)?) {
            return Err(Fault::Changed);
        }
        let copy = self.destination.directory();
        self.attributes.carry(directory, facts, copy)?;
        self.destination.up()
    }
}

impl Copy<'_> {
    fn file(&mut self, directory: &OwnedFd, name: &CStr, facts: &Facts) -> Result<(), Fault> {
        let from = open_to_read(directory, name, facts)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let private = Mode::RUSR | Mode::WUSR;
        let to = rustix::fs::openat(self.destination.directory(), name, flags, private)
            .map_err(doing("make the copy of"))?;
        self.content.bring(&from, &to, facts.bytes)?;
        if !facts.is_unchanged(&facts_of(&from)?) {
            return Err(Fault::Changed);
        }
        self.attributes.carry(&from, facts, &to)
    }

    fn symbolic_link(
        &mut self,
        directory: &OwnedFd,
        name: &CStr,
        facts: &Facts,
    ) -> Result<(), Fault> {
        let target =
            rustix::fs::readlinkat(directory, name, Vec::new()).map_err(doing("read the link"))?;
        let to = self.destination.directory();
        rustix::fs::symlinkat(&*target, to, name).map_err(doing("make the copy of"))?;
        carry_by_name(to, name, facts)
    }

    /// A FIFO, a socket or a device: made anew, never opened.
    fn node(&mut self, name: &CStr, facts: &Facts) -> Result<(), Fault> {
        let to = self.destination.directory();
        let private = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(to, name, facts.kind, private, facts.node)
            .map_err(doing("make the copy of"))?;
        carry_by_name(to, name, facts)
    }

    /// Gives a further name to a file that has been copied under another one; false if it has not.
    fn is_linked(&self, name: &CStr, identity: Identity) -> Result<bool, Fault> {
        let (key, to) = (key(identity), self.destination.directory());
        match rustix::fs::linkat(&self.links, &*key, to, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            // The file has all the names that it can have, one of them ours: it must be the last that is asked for.
            Err(Errno::MLINK) => rustix::fs::renameat(&self.links, &*key, to, name)
                .map(|()| true)
                .map_err(doing("link the copy of")),
            Err(errno) => Err(doing("link the copy of")(errno)),
        }
    }

    fn remember(&self, name: &CStr, identity: Identity) -> Result<(), Fault> {
        let (key, from) = (key(identity), self.destination.directory());
        rustix::fs::linkat(from, name, &self.links, &*key, AtFlags::empty())
            .map_err(doing("link the copy of"))
    }
}

fn key(identity: Identity) -> CString {
    CString::new(format!("{}-{}", identity.device, identity.inode)).unwrap_or_default()
}

/// Opens a regular file, and never waits: should something else have taken its place, that is not read.
fn open_to_read(directory: &OwnedFd, name: &CStr, facts: &Facts) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = match open_beneath(directory, name, flags | OFlags::NOATIME) {
        // Only the owner and root may leave the time of the last reading alone.
        Err(Errno::PERM) => open_beneath(directory, name, flags),
        opened => opened,
    };
    let opened = opened.map_err(|errno| match errno {
        Errno::NOENT | Errno::LOOP | Errno::NXIO => Fault::Changed,
        errno => doing("open")(errno),
    })?;
    match facts.is_unchanged(&facts_of(&opened)?) {
        true => Ok(opened),
        false => Err(Fault::Changed),
    }
}
