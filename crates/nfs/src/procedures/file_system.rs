//! What clients ask once, when they mount.
//! What lives here: FSSTAT, FSINFO, PATHCONF. What does not: anything that changes.

use super::lookup::NAME_BYTES_MAX;
use super::{Context, Refusal, Status, TRANSFER_BYTES_MAX};
use crate::xdr::{Reader, Writer};

/// What clients should ask a directory for at once.
const DIRECTORY_BYTES: u32 = 64 << 10;
/// Transfers should be a multiple of this.
const MULTIPLE_BYTES: u32 = 4096;
/// Links that a file may have: what ext4, the strictest, allows.
const LINKS_MAX: u32 = 65_000;
/// Hard links, symbolic links, "PATHCONF is the same everywhere", and times that can be set.
const PROPERTIES: u32 = 0x01 | 0x02 | 0x08 | 0x10;

/// FSSTAT. With a quota, the export is as large as the quota.
pub(super) fn status(
    context: &Context<'_>,
    _: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let stat = context.stat()?;
    let system = context.export.file_system()?;
    let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
    let mut sizes = [system.f_blocks, system.f_bfree, system.f_bavail].map(bytes);
    if let Some((quota, used)) = context.export.usage.state() {
        let left = quota.saturating_sub(used);
        let [total, free, available] = sizes;
        sizes = [total.min(quota), free.min(left), available.min(left)];
    }
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    for number in sizes
        .into_iter()
        .chain([system.f_files, system.f_ffree, system.f_favail])
    {
        reply.u64(number);
    }
    // Seconds for which this stays as it is.
    reply.u32(0);
    Ok(())
}

/// FSINFO.
pub(super) fn information(
    context: &Context<'_>,
    _: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let stat = context.stat()?;
    let transfer = TRANSFER_BYTES_MAX as u32;
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    // Longest, preferred, multiple; for reading and for writing.
    for number in [
        transfer,
        transfer,
        MULTIPLE_BYTES,
        transfer,
        transfer,
        MULTIPLE_BYTES,
        DIRECTORY_BYTES,
    ] {
        reply.u32(number);
    }
    reply.u64(i64::MAX as u64);
    // Times are exact to one nanosecond.
    reply.u32(0);
    reply.u32(1);
    reply.u32(PROPERTIES);
    Ok(())
}

/// PATHCONF.
pub(super) fn path_configuration(
    context: &Context<'_>,
    _: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let stat = context.stat()?;
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    reply.u32(LINKS_MAX);
    reply.u32(NAME_BYTES_MAX as u32);
    // Long names are refused, not cut; only root gives files away; case counts and is kept.
    for answer in [true, true, false, true] {
        reply.bool(answer);
    }
    Ok(())
}
