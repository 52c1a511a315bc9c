//! Taking names away.
//! What lives here: REMOVE and RMDIR. What does not: renaming over something (names.rs).

use rustix::fs::{AtFlags, FileType};

use super::change::{forget_if_gone, in_directory};
use super::lookup::name;
use super::{Context, Refusal, Status};
use crate::open_files::allocated;
use crate::xdr::{Reader, Writer};

/// REMOVE: everything but a directory.
pub(super) fn remove(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = name(&mut arguments)?;
    let changed = in_directory(context, |directory| {
        let (file, stat) = context.export.open_child(directory, name)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(Status::IsDirectory.into());
        }
        rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
        forget_if_gone(context, file);
        Ok(())
    })?;
    changed.reply(context, reply, |_, ()| {})
}

/// RMDIR: an empty directory.
pub(super) fn remove_directory(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = name(&mut arguments)?;
    let changed = in_directory(context, |directory| {
        let (_, stat) = context.export.open_child(directory, name)?;
        rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)?;
        context.export.usage.change(allocated(&stat), 0);
        Ok(())
    })?;
    changed.reply(context, reply, |_, ()| {})
}
