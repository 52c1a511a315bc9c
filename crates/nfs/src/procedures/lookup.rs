//! From a name to a file.
//! What lives here: LOOKUP, and what a name may be. What does not: names that change (create.rs, remove.rs, names.rs).

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Context, Refusal, Status};
use crate::identity;
use crate::kernel;
use crate::xdr::{Reader, Writer};

/// Bytes of the longest name, in all file systems that can be exported.
pub(super) const NAME_BYTES_MAX: usize = 255;
/// Directories between the root of an export and the deepest one.
const DEPTH_MAX: usize = 4096;

/// A name of one part, which may be `.` or `..`.
pub(super) fn any_name<'a>(arguments: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let name = arguments.opaque(usize::MAX)?;
    match name {
        [] => Err(Status::Invalid.into()),
        name if name.len() > NAME_BYTES_MAX => Err(Status::NameTooLong.into()),
        name if name.contains(&b'/') || name.contains(&0) => Err(Status::Invalid.into()),
        name => Ok(name),
    }
}

/// A name that can be given to a file.
pub(super) fn name<'a>(arguments: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    match any_name(arguments)? {
        b"." | b".." => Err(Status::Invalid.into()),
        name => Ok(name),
    }
}

/// LOOKUP.
pub(super) fn lookup(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = any_name(&mut arguments)?;
    let (directory, stat) = context.export.open(&context.file, OFlags::PATH)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(Status::NotDirectory.into());
    }
    let found = match name {
        b".." => parent(context, &directory, &stat),
        name => {
            let _assumed = context.identity.assume()?;
            context
                .export
                .open_child(&directory, name)
                .map_err(Refusal::from)
        }
    };
    let found = found.and_then(|(file, attributes)| Ok((kernel::handle_of(&file)?, attributes)));
    match found {
        Ok((handle, attributes)) => {
            reply.u32(Status::Ok as u32);
            context.put_handle(reply, &handle);
            context.put_optional_attributes(reply, Some(&attributes));
        }
        // With the attributes of the directory a client can remember that the name is not there.
        Err(Refusal::Status(status)) => reply.u32(status as u32),
        Err(Refusal::Garbage) => return Err(Refusal::Garbage),
    }
    context.put_optional_attributes(reply, Some(&stat));
    Ok(())
}

/// The directory above, never one above the root of the export. Solaris and AIX ask for it by its name.
fn parent(
    context: &Context<'_>,
    directory: &OwnedFd,
    stat: &Stat,
) -> Result<(OwnedFd, Stat), Refusal> {
    if context.export.is_root(stat) {
        return Ok(context.export.open(&context.file, OFlags::PATH)?);
    }
    let above = {
        let _assumed = context.identity.assume()?;
        step_up(directory)?
    };
    // Somebody may have moved the directory out of the export: it is asked whether the way up leads to the root.
    identity::be_root()?;
    let mut place = above.0.try_clone()?;
    let mut place_stat = above.1;
    for _ in 0..DEPTH_MAX {
        if context.export.is_root(&place_stat) {
            return Ok(above);
        }
        let next = step_up(&place)?;
        if next.1.st_ino == place_stat.st_ino {
            break;
        }
        (place, place_stat) = next;
    }
    Err(Status::Stale.into())
}

fn step_up(directory: impl AsFd) -> Result<(OwnedFd, Stat), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = rustix::fs::ResolveFlags::NO_XDEV;
    let above = rustix::fs::openat2(directory, "..", flags, Mode::empty(), resolve)?;
    let stat = rustix::fs::fstat(&above)?;
    Ok((above, stat))
}
