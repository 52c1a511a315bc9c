//! Reading data.
//! What lives here: READ and READLINK. What does not: directories.

use rustix::fs::{Access, FileType, OFlags};
use rustix::io::Errno;

use super::attributes::ATTRIBUTES_BYTES;
use super::{Context, Refusal, Status, TRANSFER_BYTES_MAX};
use crate::xdr::{Garbage, Reader, Writer};

/// Bytes of the reply before the data: status, "attributes follow", attributes, count, end of file, length.
const HEAD_BYTES: usize = 4 + 4 + ATTRIBUTES_BYTES + 4 + 4 + 4;

/// Where to read, and how much of it at most.
pub(super) fn range(arguments: &mut Reader<'_>) -> Result<(u64, usize), Garbage> {
    let (offset, count) = (arguments.u64()?, arguments.u32()? as usize);
    Ok((offset, count.min(TRANSFER_BYTES_MAX)))
}

/// READ.
pub(super) fn read(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let (offset, count) = range(&mut arguments)?;
    let file = context.export.open_file(&context.file)?;
    let _assumed = context.identity.assume()?;
    let before = file.stat()?;
    context
        .check(&file, &before, Access::READ_OK)
        // A program is read to be run.
        .or_else(|_| context.check(&file, &before, Access::EXEC_OK))?;
    let begun = reply.len();
    let place = reply.space(HEAD_BYTES + count);
    let mut done = 0;
    // Beyond what the kernel can count there is nothing.
    while done < count
        && offset
            .checked_add(count as u64)
            .is_some_and(|end| i64::try_from(end).is_ok())
    {
        match rustix::io::pread(&file, &mut place[HEAD_BYTES + done..], offset + done as u64) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let stat = file.stat()?;
    let end = done < count || offset + done as u64 >= u64::try_from(stat.st_size).unwrap_or(0);
    // The head is written before the data, which lie in their place already.
    reply.truncate(begun);
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    let length = u32::try_from(done).unwrap_or(0);
    reply.u32(length);
    reply.bool(end);
    reply.u32(length);
    reply.space(done);
    reply.pad(done);
    Ok(())
}

/// READLINK.
pub(super) fn read_link(
    context: &Context<'_>,
    _: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let (link, stat) = context.export.open(&context.file, OFlags::PATH)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Err(Status::Invalid.into());
    }
    let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    reply.opaque(target.as_bytes());
    Ok(())
}
