//! Writing data.
//! What lives here: WRITE and COMMIT. What does not: sizes that are set (set_attributes.rs).

use std::io::IoSlice;
use std::os::fd::AsFd;

use rustix::fs::{Access, OFlags, SeekFrom, Stat};
use rustix::io::{Errno, ReadWriteFlags};

use super::read::range;
use super::{Context, Refusal, Status, TRANSFER_BYTES_MAX};
use crate::open_files::{OpenFile, allocated};
use crate::usage::Reservation;
use crate::xdr::{Reader, Writer};

const UNSTABLE: u32 = 0;
const DATA_SYNC: u32 = 1;
const FILE_SYNC: u32 = 2;

/// What to write, and where; it ends where the kernel can count.
pub(super) struct Data<'a> {
    offset: u64,
    stable: u32,
    bytes: &'a [u8],
}

impl<'a> Data<'a> {
    pub(super) fn read(arguments: &mut Reader<'a>) -> Result<Data<'a>, Refusal> {
        let (offset, count, stable) = (arguments.u64()?, arguments.u32()?, arguments.u32()?);
        let bytes = arguments.opaque(TRANSFER_BYTES_MAX)?;
        if bytes.len() != count as usize || stable > FILE_SYNC {
            return Err(Refusal::Garbage);
        }
        if offset
            .checked_add(count.into())
            .is_none_or(|end| i64::try_from(end).is_err())
        {
            return Err(Status::TooLarge.into());
        }
        Ok(Data {
            offset,
            stable,
            bytes,
        })
    }
}

/// WRITE.
pub(super) fn write(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let Data {
        offset,
        stable,
        bytes: data,
    } = Data::read(&mut arguments)?;
    let file = context.export.open_file(&context.file)?;
    let before = file.stat()?;
    let reserved = reserve(context, &file, &before, offset, data.len() as u64)?;
    let _assumed = context.identity.assume()?;
    context.check(&file, &before, Access::WRITE_OK)?;
    let descriptor = file.writable()?;
    if let (Some(observer), false) = (&context.shared.observer, data.is_empty()) {
        observer.written(context.export.id, file.key(), offset, data.len() as u64);
    }
    // The verifier of before: should a sync fail meanwhile, the client must not believe that this data was not concerned.
    let verifier = context.shared.write_verifier();
    let written = write_all(context, &file, descriptor, offset, data, stable);
    let after = file.stat()?;
    file.count(&after, &context.export.usage);
    drop(reserved);
    let written = written?;
    reply.u32(Status::Ok as u32);
    context.put_change(reply, None, Some(&after));
    reply.u32(u32::try_from(written).unwrap_or(0));
    reply.u32(stable);
    reply.u64(verifier);
    Ok(())
}

/// How many bytes were written, at least one of them if there is any; an error only if none was.
fn write_all(
    context: &Context<'_>,
    file: &OpenFile,
    descriptor: impl AsFd + Copy,
    offset: u64,
    data: &[u8],
    stable: u32,
) -> Result<usize, Errno> {
    let flags = match stable {
        UNSTABLE => ReadWriteFlags::empty(),
        DATA_SYNC => ReadWriteFlags::DSYNC,
        _ => ReadWriteFlags::SYNC,
    };
    if stable == UNSTABLE {
        file.will_be_unsynced();
    }
    let mut done = 0;
    while done < data.len() {
        let rest = [IoSlice::new(&data[done..])];
        match rustix::io::pwritev2(descriptor, &rest, offset + done as u64, flags) {
            Ok(0) => return Err(Errno::IO),
            Ok(bytes) => done += bytes,
            Err(Errno::INTR) => {}
            Err(error) => {
                if stable != UNSTABLE {
                    // It may have been the syncing that failed, and that of data of others.
                    context
                        .export
                        .sync_failures()
                        .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
                if done == 0 {
                    return Err(error);
                }
                break;
            }
        }
    }
    Ok(done)
}

/// Sets aside what the data may need at most. Only near the quota it is looked at closely what has its place already.
fn reserve<'a>(
    context: &Context<'a>,
    file: &OpenFile,
    before: &Stat,
    offset: u64,
    length: u64,
) -> Result<Reservation<'a>, Refusal> {
    let size = u64::try_from(before.st_size).unwrap_or(0);
    let end = offset + length;
    let behind_the_end = end.saturating_sub(size.max(offset));
    // Only a file with holes can need more.
    let at_most = if allocated(before) < size {
        length
    } else {
        behind_the_end
    };
    let near_the_quota = !context.export.usage.has_room(at_most);
    if near_the_quota && is_allocated(file, offset, end.min(size)) {
        return Ok(context.export.reserve(behind_the_end)?);
    }
    Ok(context.export.reserve(at_most)?)
}

/// Whether there is no hole between the two places.
fn is_allocated(file: &OpenFile, from: u64, to: u64) -> bool {
    from >= to || rustix::fs::seek(file, SeekFrom::Hole(from)).is_ok_and(|hole| hole >= to)
}

/// COMMIT.
pub(super) fn commit(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let (_offset, _count) = range(&mut arguments)?;
    let after = match context.export.open_file(&context.file) {
        Ok(file) => {
            // The whole file: parts cannot be told apart afterwards when something fails.
            file.sync(context.export.sync_failures())?;
            file.stat()?
        }
        Err(error) if Errno::from_io_error(&error) == Some(Errno::ISDIR) => {
            let (directory, stat) = context
                .export
                .open(&context.file, OFlags::RDONLY | OFlags::DIRECTORY)?;
            rustix::fs::fsync(&directory)?;
            stat
        }
        Err(error) => return Err(error.into()),
    };
    reply.u32(Status::Ok as u32);
    context.put_change(reply, None, Some(&after));
    // The verifier of after: a failure that another call was told of, and this one was not, must show in it.
    reply.u64(context.shared.write_verifier());
    Ok(())
}
