//! Making files, directories, links and pipes.
//! What lives here: CREATE, MKDIR, SYMLINK, MKNOD. What does not: hard links (names.rs).

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};

use super::change::in_directory;
use super::lookup::name;
use super::set_attributes::{NewAttributes, set_size_of_existing};
use super::{Context, Refusal, Status};
use crate::kernel::{self, KernelHandle};
use crate::open_files::allocated;
use crate::xdr::{Reader, Writer};

/// What a new object needs on the disk at least, for the quota.
const OBJECT_BYTES: u64 = 4096;
/// Modes where the client names none.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// Bytes of the longest target of a symbolic link (PATH_MAX without its end).
const TARGET_BYTES_MAX: usize = 4095;

/// How a file is to be created.
pub(super) enum How {
    /// If it is there, it is taken.
    Unchecked(NewAttributes),
    /// If it is there, that is an error.
    Guarded(NewAttributes),
    /// If it is there, it must be the one that this very call made before.
    Exclusive([u32; 2]),
}

impl How {
    pub(super) fn read(arguments: &mut Reader<'_>) -> Result<How, Refusal> {
        match arguments.u32()? {
            0 => Ok(How::Unchecked(NewAttributes::read(arguments)?)),
            1 => Ok(How::Guarded(NewAttributes::read(arguments)?)),
            // The verifier is kept in the times of the file, in seconds that every file system can hold.
            2 => Ok(How::Exclusive([
                arguments.u32()? & 0x7fff_ffff,
                arguments.u32()? & 0x7fff_ffff,
            ])),
            _ => Err(Refusal::Garbage),
        }
    }
}

/// An object that was made, or found.
struct Made {
    handle: KernelHandle,
    stat: Stat,
    is_new: bool,
}

impl Made {
    fn new(object: impl AsFd, is_new: bool) -> Result<Made, Refusal> {
        let stat = rustix::fs::fstat(&object)?;
        Ok(Made {
            handle: kernel::handle_of(object)?,
            stat,
            is_new,
        })
    }
}

/// CREATE.
pub(super) fn create(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = name(&mut arguments)?;
    let how = How::read(&mut arguments)?;
    let size = match &how {
        How::Unchecked(new) => new.size,
        How::Guarded(_) | How::Exclusive(_) => None,
    };
    make(context, reply, size, |directory| {
        match create_new(directory, name, &how) {
            Err(Refusal::Status(Status::Exists)) => take_existing(context, directory, name, &how),
            made => made,
        }
    })
}

fn create_new(directory: &OwnedFd, name: &[u8], how: &How) -> Result<Made, Refusal> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = match how {
        How::Unchecked(new) | How::Guarded(new) => new.mode.unwrap_or(FILE_MODE),
        How::Exclusive(_) => FILE_MODE,
    };
    let file = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(mode))?;
    let finished = match how {
        How::Unchecked(new) | How::Guarded(new) => finish_file(&file, new),
        How::Exclusive(verifier) => set_verifier(&file, *verifier),
    };
    finish(finished, directory, name, AtFlags::empty())?;
    rustix::fs::fsync(&file)?;
    Made::new(file, true)
}

fn finish_file(file: &OwnedFd, new: &NewAttributes) -> Result<(), Refusal> {
    if let Some(size) = new.size {
        rustix::fs::ftruncate(file, size)?;
    }
    new.finish(file)
}

fn set_verifier(file: &OwnedFd, [accessed, modified]: [u32; 2]) -> Result<(), Refusal> {
    let time = |seconds: u32| Timespec {
        tv_sec: seconds.into(),
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time(accessed),
        last_modification: time(modified),
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

/// If the object cannot be given its attributes, its name goes again: the client hears of a failure.
fn finish(
    finished: Result<(), Refusal>,
    directory: &OwnedFd,
    name: &[u8],
    kind: AtFlags,
) -> Result<(), Refusal> {
    finished.inspect_err(|_| {
        // The failure that counts is the first.
        let _ = rustix::fs::unlinkat(directory, name, kind);
    })
}

fn take_existing(
    context: &Context<'_>,
    directory: &OwnedFd,
    name: &[u8],
    how: &How,
) -> Result<Made, Refusal> {
    let exists = Err(Status::Exists.into());
    let (file, stat) = context.export.open_child(directory, name)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return exists;
    }
    match how {
        How::Unchecked(_) => Made::new(file, false),
        How::Exclusive([accessed, modified])
            if (stat.st_size, stat.st_atime, stat.st_mtime)
                == (0, i64::from(*accessed), i64::from(*modified)) =>
        {
            Made::new(file, false)
        }
        How::Guarded(_) | How::Exclusive(_) => exists,
    }
}

/// MKDIR.
pub(super) fn make_directory(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = name(&mut arguments)?;
    let new = NewAttributes::read(&mut arguments)?;
    make(context, reply, None, |directory| {
        let mode = new.mode.unwrap_or(DIRECTORY_MODE);
        rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(mode))?;
        let (made, _) = context.export.open_child(directory, name)?;
        finish(
            finish_directory(&made, mode, &new),
            directory,
            name,
            AtFlags::REMOVEDIR,
        )?;
        Made::new(made, true)
    })
}

fn finish_directory(made: &OwnedFd, mode: u32, new: &NewAttributes) -> Result<(), Refusal> {
    const SPECIAL_BITS: u32 = 0o6000;
    // The kernel makes a directory without these, but for the group bit of the directory above.
    if mode & SPECIAL_BITS != 0 {
        rustix::fs::chmod(
            super::set_attributes::proc_path(made),
            Mode::from_raw_mode(mode),
        )?;
    }
    new.finish(made)
}

/// Where a symbolic link is to lead.
pub(super) fn target<'a>(arguments: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let target = arguments.opaque(usize::MAX)?;
    if target.len() > TARGET_BYTES_MAX {
        return Err(Status::NameTooLong.into());
    }
    Ok(target)
}

/// SYMLINK. The target is the client's business; the server never follows it.
pub(super) fn symbolic_link(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = name(&mut arguments)?;
    let new = NewAttributes::read(&mut arguments)?;
    let target = target(&mut arguments)?;
    make(context, reply, None, |directory| {
        rustix::fs::symlinkat(target, directory, name)?;
        let (made, _) = context.export.open_child(directory, name)?;
        finish(new.finish(&made), directory, name, AtFlags::empty())?;
        Made::new(made, true)
    })
}

/// A pipe or a socket. A device made by a client would be one of this machine.
pub(super) fn special_kind(arguments: &mut Reader<'_>) -> Result<FileType, Refusal> {
    const BLOCK: u32 = 3;
    const CHARACTER: u32 = 4;
    const SOCKET: u32 = 6;
    const PIPE: u32 = 7;
    match arguments.u32()? {
        SOCKET => Ok(FileType::Socket),
        PIPE => Ok(FileType::Fifo),
        BLOCK | CHARACTER => Err(Status::NotSupported.into()),
        _ => Err(Status::BadType.into()),
    }
}

/// MKNOD: pipes and sockets.
pub(super) fn special(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let name = name(&mut arguments)?;
    let kind = special_kind(&mut arguments)?;
    let new = NewAttributes::read(&mut arguments)?;
    make(context, reply, None, |directory| {
        let mode = Mode::from_raw_mode(new.mode.unwrap_or(FILE_MODE));
        rustix::fs::mknodat(directory, name, kind, mode, 0)?;
        let (made, _) = context.export.open_child(directory, name)?;
        finish(new.finish(&made), directory, name, AtFlags::empty())?;
        Made::new(made, true)
    })
}

/// The frame of all four: quota, change, reply. `size` is what a file that was there already is set to.
fn make(
    context: &Context<'_>,
    reply: &mut Writer,
    size: Option<u64>,
    act: impl FnOnce(&OwnedFd) -> Result<Made, Refusal>,
) -> Result<(), Refusal> {
    let reserved = context.export.reserve(OBJECT_BYTES)?;
    let mut changed = in_directory(context, act)?;
    if let Ok(made) = &mut changed.result {
        if made.is_new {
            context.export.usage.change(0, allocated(&made.stat));
        } else if let Some(size) = size {
            match set_size_of_existing(context, &made.handle, size) {
                Ok(stat) => made.stat = stat,
                Err(refusal) => changed.result = Err(refusal),
            }
        }
    }
    drop(reserved);
    changed.reply(context, reply, |reply, made| {
        reply.bool(true);
        context.put_handle(reply, &made.handle);
        context.put_optional_attributes(reply, Some(&made.stat));
    })
}
