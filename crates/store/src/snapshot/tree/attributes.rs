//! What a file has besides its content: owner, mode, times, extended attributes.
//! What lives here: carrying them over. What does not: content.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, XattrFlags};
use rustix::io::Errno;

use super::super::error::{Fault, doing};
use super::Facts;

/// The most that Linux allows for the list of names and for one value.
const EXTENDED_BYTES_MAX: usize = 64 * 1024;
/// What is carried over. Labels of security modules are not: the system gives them by its own rules.
const EXTENDED_KEPT: [&[u8]; 4] = [
    b"user.",
    b"trusted.",
    b"system.posix_acl_",
    b"security.capability",
];

/// Carries attributes over, with the buffers for it.
pub(super) struct Attributes {
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Attributes {
    pub(super) fn new() -> Attributes {
        Attributes {
            names: vec![0; EXTENDED_BYTES_MAX],
            value: vec![0; EXTENDED_BYTES_MAX],
        }
    }

    /// For an open file or directory. Owner first, because it takes set-user-id bits and capabilities away; times last.
    pub(super) fn carry(
        &mut self,
        from: &OwnedFd,
        facts: &Facts,
        to: &OwnedFd,
    ) -> Result<(), Fault> {
        rustix::fs::fchown(to, Some(facts.owner), Some(facts.group))
            .map_err(doing("give its owner to the copy of"))?;
        self.carry_extended(from, to)?;
        rustix::fs::fchmod(to, Mode::from_raw_mode(facts.mode))
            .map_err(doing("set the mode of the copy of"))?;
        rustix::fs::futimens(to, &facts.times.stamps())
            .map_err(doing("set the times of the copy of"))
    }

    fn carry_extended(&mut self, from: &OwnedFd, to: &OwnedFd) -> Result<(), Fault> {
        let length = match rustix::fs::flistxattr(from, &mut self.names[..]) {
            Ok(length) => length,
            Err(Errno::OPNOTSUPP) => return Ok(()),
            Err(errno) => return Err(doing("list the extended attributes of")(errno)),
        };
        let names = self.names.get(..length).unwrap_or_default();
        for name in names.split_inclusive(|byte| *byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else {
                continue;
            };
            let bytes = name.to_bytes();
            if !EXTENDED_KEPT.iter().any(|kept| bytes.starts_with(kept)) {
                continue;
            }
            let length = match rustix::fs::fgetxattr(from, name, &mut self.value[..]) {
                Ok(length) => length,
                Err(Errno::NODATA | Errno::RANGE) => return Err(Fault::Changed),
                Err(errno) => return Err(doing("read an extended attribute of")(errno)),
            };
            let value = self.value.get(..length).unwrap_or_default();
            rustix::fs::fsetxattr(to, name, value, XattrFlags::empty())
                .map_err(doing("set an extended attribute of the copy of"))?;
        }
        Ok(())
    }
}

/// For what cannot be opened: a symbolic link, or a FIFO, socket or device that was just made.
pub(super) fn carry_by_name(directory: &OwnedFd, name: &CStr, facts: &Facts) -> Result<(), Fault> {
    let (owner, group) = (Some(facts.owner), Some(facts.group));
    rustix::fs::chownat(directory, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(doing("give its owner to the copy of"))?;
    if !facts.kind.is_symlink() {
        rustix::fs::chmodat(
            directory,
            name,
            Mode::from_raw_mode(facts.mode),
            AtFlags::empty(),
        )
        .map_err(doing("set the mode of the copy of"))?;
    }
    rustix::fs::utimensat(
        directory,
        name,
        &facts.times.stamps(),
        AtFlags::SYMLINK_NOFOLLOW,
    )
    .map_err(doing("set the times of the copy of"))
}
