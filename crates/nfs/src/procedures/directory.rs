//! Listing directories.
//! What lives here: READDIR and READDIRPLUS. What does not: single names (lookup.rs).
//!
//! The cookie of an entry is the kernel's own position behind it, so a listing goes on where it was, also after a restart
//! and while names come and go.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{Access, OFlags, RawDir, RawDirEntry, SeekFrom, Stat};

use super::attributes::ATTRIBUTES_BYTES;
use super::{Context, Refusal, Status, TRANSFER_BYTES_MAX};
use crate::handle::WIRE_BYTES_MAX;
use crate::kernel;
use crate::xdr::{Garbage, Reader, Writer};

/// What the kernel gives at once.
const BUFFER_BYTES: usize = 32 << 10;
/// What follows the last entry: "no more" and "the end".
const TAIL_BYTES: usize = 4 + 4;
/// What an entry has beside its name: "follows", number, length, cookie; with attributes and handle also those.
const ENTRY_BYTES: usize = 4 + 8 + 4 + 8;
const ENTRY_PLUS_BYTES: usize = 4 + ATTRIBUTES_BYTES + 4 + 4 + WIRE_BYTES_MAX;

/// Where a listing goes on, and how much of it a client takes at once.
pub(super) struct Wanted {
    cookie: u64,
    /// Bytes of the whole reply.
    all: usize,
    /// Bytes of numbers, names and cookies.
    names: usize,
    /// With attributes and handles.
    plus: bool,
}

impl Wanted {
    pub(super) fn read(arguments: &mut Reader<'_>, plus: bool) -> Result<Wanted, Garbage> {
        let (cookie, _verifier) = (arguments.u64()?, arguments.u64()?);
        let names = if plus {
            arguments.u32()? as usize
        } else {
            usize::MAX
        };
        Ok(Wanted {
            cookie,
            all: (arguments.u32()? as usize).min(TRANSFER_BYTES_MAX),
            names,
            plus,
        })
    }
}

/// READDIR.
pub(super) fn read(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    list(context, &Wanted::read(&mut arguments, false)?, reply)
}

/// READDIRPLUS.
pub(super) fn read_plus(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    list(context, &Wanted::read(&mut arguments, true)?, reply)
}

fn list(context: &Context<'_>, wanted: &Wanted, reply: &mut Writer) -> Result<(), Refusal> {
    let (directory, stat) = context
        .export
        .open(&context.file, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let _assumed = context.identity.assume()?;
    kernel::access(&directory, Access::READ_OK)?;
    rustix::fs::seek(&directory, SeekFrom::Start(wanted.cookie)).map_err(|_| Status::BadCookie)?;
    let begun = reply.len();
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    // Positions stay good for ever: there is nothing to verify.
    reply.u64(0);
    let all = begun + wanted.all;
    let mut names = wanted.names;
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
    let mut entries = RawDir::new(&directory, &mut buffer);
    let first = reply.len();
    let end = loop {
        let Some(entry) = entries.next() else {
            break true;
        };
        let entry = entry?;
        let name_bytes = ENTRY_BYTES + entry.file_name().to_bytes().len().next_multiple_of(4);
        let bytes = name_bytes + if wanted.plus { ENTRY_PLUS_BYTES } else { 0 };
        if reply.len() + bytes + TAIL_BYTES > all || name_bytes > names {
            if reply.len() == first {
                return Err(Status::TooSmall.into());
            }
            break false;
        }
        names -= name_bytes;
        put_entry(context, &directory, &stat, &entry, wanted.plus, reply);
    };
    reply.bool(false);
    reply.bool(end);
    Ok(())
}

fn put_entry(
    context: &Context<'_>,
    directory: &OwnedFd,
    stat: &Stat,
    entry: &RawDirEntry<'_>,
    plus: bool,
    reply: &mut Writer,
) {
    let name = entry.file_name().to_bytes();
    // What lies above the root of an export is nobody's business.
    let above_root = name == b".." && context.export.is_root(stat);
    reply.bool(true);
    reply.u64(if above_root { stat.st_ino } else { entry.ino() });
    reply.opaque(name);
    reply.u64(entry.next_entry_cookie());
    if !plus {
        return;
    }
    // The client knows the directory, and asks for the one above by its name if it wants to know more. A name that is gone
    // by now, or may not be looked up, is listed without more.
    let child = match name {
        b"." | b".." => None,
        name => context.export.open_child(directory, name).ok(),
    };
    context.put_optional_attributes(reply, child.as_ref().map(|(_, stat)| stat));
    match child {
        Some((file, _)) => context.put_optional_handle(reply, file),
        None => reply.bool(false),
    }
}
