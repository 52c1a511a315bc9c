//! Names that move, and second names.
//! What lives here: RENAME and LINK. What does not: the first name of a file (create.rs).

use rustix::fs::{AtFlags, OFlags};

use super::change::{Directory, forget_if_gone, in_directory};
use super::lookup::name;
use super::set_attributes::proc_path;
use super::{Context, Refusal, Status};
use crate::handle::WIRE_BYTES_MAX;
use crate::xdr::{Reader, Writer};

/// The directory that is the second handle of the arguments, and a name in it.
pub(super) struct Place<'a> {
    directory: &'a [u8],
    name: &'a [u8],
}

impl<'a> Place<'a> {
    pub(super) fn read(arguments: &mut Reader<'a>) -> Result<Place<'a>, Refusal> {
        Ok(Place {
            directory: arguments.opaque(WIRE_BYTES_MAX)?,
            name: name(arguments)?,
        })
    }
}

/// RENAME.
pub(super) fn rename(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let old_name = name(&mut arguments)?;
    let new = Place::read(&mut arguments)?;
    let (new_handle, new_name) = (context.second_handle(new.directory)?, new.name);
    let mut from = Directory::open(context, &context.file)?;
    let mut to = Directory::open(context, &new_handle)?;
    let locks = context.export.lock_directories(&from.before, &to.before);
    from.look_again()?;
    to.look_again()?;
    let result = {
        let _assumed = context.identity.assume()?;
        // What is at the new place, if anything, loses its name.
        let replaced = context.export.open_child(&to.descriptor, new_name).ok();
        rustix::fs::renameat(&from.descriptor, old_name, &to.descriptor, new_name)
            .map(|()| replaced)
    };
    let from_after = rustix::fs::fstat(&from.descriptor).ok();
    let to_after = rustix::fs::fstat(&to.descriptor).ok();
    drop(locks);
    if let Ok(Some((replaced, _))) = &result {
        forget_if_gone(context, replaced);
    }
    let renamed = result.map(drop).map_err(Refusal::from);
    // The new name first: should the machine stop in between, the file has two names rather than none.
    let to = to.finish(renamed, to_after);
    let from = from.finish(to.result, from_after);
    match from.result {
        Ok(()) => reply.u32(Status::Ok as u32),
        Err(Refusal::Status(status)) => reply.u32(status as u32),
        Err(Refusal::Garbage) => return Err(Refusal::Garbage),
    }
    context.put_change(reply, Some(&from.before), from.after.as_ref());
    context.put_change(reply, Some(&to.before), to.after.as_ref());
    Ok(())
}

/// LINK.
pub(super) fn link(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let new = Place::read(&mut arguments)?;
    let (directory_handle, name) = (context.second_handle(new.directory)?, new.name);
    let (file, _) = context.export.open(&context.file, OFlags::PATH)?;
    let directory = Context {
        shared: context.shared,
        export: context.export,
        identity: context.identity.clone(),
        file: directory_handle,
    };
    let changed = in_directory(&directory, |directory| {
        // Through /proc, because a user who is not root may not link a descriptor itself.
        Ok(rustix::fs::linkat(
            rustix::fs::CWD,
            proc_path(&file),
            directory,
            name,
            AtFlags::SYMLINK_FOLLOW,
        )?)
    })?;
    match changed.result {
        Ok(()) => reply.u32(Status::Ok as u32),
        Err(Refusal::Status(status)) => reply.u32(status as u32),
        Err(Refusal::Garbage) => return Err(Refusal::Garbage),
    }
    context.put_optional_attributes(reply, rustix::fs::fstat(&file).ok().as_ref());
    context.put_change(reply, Some(&changed.before), changed.after.as_ref());
    Ok(())
}
