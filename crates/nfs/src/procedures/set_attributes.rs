//! Setting attributes.
//! What lives here: SETATTR, and the attributes that a new file is given. What does not: showing attributes.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid,
};
use rustix::io::Errno;

use super::attributes::wire_time;
use super::{Context, Refusal, Status};
use crate::kernel::KernelHandle;
use crate::open_files::OpenFile;
use crate::xdr::{Garbage, Reader, Writer};

const MODE_BITS: u32 = 0o7777;

/// What a client wants the attributes to be; None: as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NewAttributes {
    pub(super) mode: Option<u32>,
    user: Option<u32>,
    group: Option<u32>,
    pub(super) size: Option<u64>,
    accessed: NewTime,
    modified: NewTime,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NewTime {
    Keep,
    Now,
    At(u32, u32),
}

impl NewAttributes {
    pub(super) fn read(arguments: &mut Reader<'_>) -> Result<NewAttributes, Garbage> {
        Ok(NewAttributes {
            mode: optional(arguments, Reader::u32)?.map(|mode| mode & MODE_BITS),
            user: optional(arguments, Reader::u32)?,
            group: optional(arguments, Reader::u32)?,
            size: optional(arguments, Reader::u64)?,
            accessed: NewTime::read(arguments)?,
            modified: NewTime::read(arguments)?,
        })
    }

    /// Gives an object that was just made what it was not made with. The thread acts as the user.
    pub(super) fn finish(&self, object: impl AsFd) -> Result<(), Refusal> {
        self.set_owner(&object)?;
        self.set_times(&object)
    }

    fn set_owner(&self, object: impl AsFd) -> Result<(), Refusal> {
        // The number of nobody would mean "as it is".
        if self.user == Some(u32::MAX) || self.group == Some(u32::MAX) {
            return Err(Status::Invalid.into());
        }
        if self.user.is_some() || self.group.is_some() {
            let (user, group) = (self.user.map(Uid::from_raw), self.group.map(Gid::from_raw));
            rustix::fs::chownat(object, "", user, group, AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }

    fn set_times(&self, object: impl AsFd) -> Result<(), Refusal> {
        // Setting the size sets the time of modification, for which a user needs not be the owner.
        let by_size =
            self.size.is_some() && self.modified == NewTime::Now && self.accessed == NewTime::Keep;
        if by_size || (self.accessed, self.modified) == (NewTime::Keep, NewTime::Keep) {
            return Ok(());
        }
        let times = Timestamps {
            last_access: self.accessed.specification(),
            last_modification: self.modified.specification(),
        };
        Ok(rustix::fs::utimensat(
            object,
            "",
            &times,
            AtFlags::EMPTY_PATH,
        )?)
    }
}

fn optional<'a, T>(
    arguments: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Garbage>,
) -> Result<Option<T>, Garbage> {
    if arguments.bool()? {
        read(arguments).map(Some)
    } else {
        Ok(None)
    }
}

impl NewTime {
    fn read(arguments: &mut Reader<'_>) -> Result<NewTime, Garbage> {
        match arguments.u32()? {
            0 => Ok(NewTime::Keep),
            1 => Ok(NewTime::Now),
            2 => Ok(NewTime::At(arguments.u32()?, arguments.u32()?)),
            _ => Err(Garbage),
        }
    }

    fn specification(self) -> Timespec {
        let (tv_sec, tv_nsec) = match self {
            NewTime::Keep => (0, UTIME_OMIT),
            NewTime::Now => (0, UTIME_NOW),
            NewTime::At(seconds, nanoseconds) => (
                i64::from(seconds),
                i64::from(nanoseconds.min(999_999_999)) as _,
            ),
        };
        Timespec { tv_sec, tv_nsec }
    }
}

/// When the object was last changed as far as the client knows, if it is to be changed only then.
pub(super) fn guard(arguments: &mut Reader<'_>) -> Result<Option<(u32, u32)>, Garbage> {
    optional(arguments, |arguments| {
        Ok((arguments.u32()?, arguments.u32()?))
    })
}

/// SETATTR.
pub(super) fn set(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let new = NewAttributes::read(&mut arguments)?;
    let guard = guard(&mut arguments)?;
    let (looked_at, stat) = context.export.open(&context.file, OFlags::PATH)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    // Changing the mode and syncing need a descriptor of the usual kind; opening others could have effects.
    let object = match kind {
        FileType::RegularFile | FileType::Directory => {
            context.export.open(&context.file, OFlags::RDONLY)?.0
        }
        _ => looked_at,
    };
    let sized = match new.size {
        None => None,
        Some(size) => Some((context.export.open_file(&context.file)?, size)),
    };
    let lock = context.export.lock_directory(&stat);
    let before = rustix::fs::fstat(&object)?;
    if guard.is_some_and(|guard| guard != wire_time(before.st_ctime, before.st_ctime_nsec as i64)) {
        return Err(Status::NotSync.into());
    }
    let result = {
        let _assumed = context.identity.assume()?;
        apply(
            context,
            &new,
            &object,
            kind,
            sized.as_ref().map(|(file, size)| (&**file, *size)),
        )
    };
    let after = rustix::fs::fstat(&object)?;
    drop(lock);
    let synced = result.and_then(|()| match kind {
        FileType::RegularFile | FileType::Directory => Ok(rustix::fs::fsync(&object)?),
        _ => Ok(()),
    });
    match synced {
        Ok(()) => reply.u32(Status::Ok as u32),
        Err(Refusal::Status(status)) => reply.u32(status as u32),
        Err(Refusal::Garbage) => return Err(Refusal::Garbage),
    }
    context.put_change(reply, Some(&before), Some(&after));
    Ok(())
}

/// In this order: a new owner clears bits of the mode, and all of it touches the times.
fn apply(
    context: &Context<'_>,
    new: &NewAttributes,
    object: impl AsFd + Copy,
    kind: FileType,
    sized: Option<(&OpenFile, u64)>,
) -> Result<(), Refusal> {
    if let Some((file, size)) = sized {
        set_size(context, file, size)?;
    }
    new.set_owner(object)?;
    if let Some(mode) = new.mode {
        set_mode(object, kind, mode)?;
    }
    new.set_times(object)
}

/// Sets the size of a file. The thread acts as the user.
fn set_size(context: &Context<'_>, file: &OpenFile, size: u64) -> Result<(), Refusal> {
    if i64::try_from(size).is_err() {
        return Err(Status::TooLarge.into());
    }
    let before = file.stat()?;
    context.check(file, &before, rustix::fs::Access::WRITE_OK)?;
    let descriptor = file.writable()?;
    let old = u64::try_from(before.st_size).unwrap_or(0);
    if let (Some(observer), true) = (&context.shared.observer, old != size) {
        observer.written(
            context.export.id,
            file.key(),
            old.min(size),
            old.abs_diff(size),
        );
    }
    let set = loop {
        match rustix::fs::ftruncate(descriptor, size) {
            Err(Errno::INTR) => {}
            set => break set,
        }
    };
    file.count(&file.stat()?, &context.export.usage);
    Ok(set?)
}

/// Sets the size of a file that was found when it was to be created, and syncs it.
pub(super) fn set_size_of_existing(
    context: &Context<'_>,
    handle: &KernelHandle,
    size: u64,
) -> Result<Stat, Refusal> {
    let file = context.export.open_file(handle)?;
    {
        let _assumed = context.identity.assume()?;
        set_size(context, &file, size)?;
    }
    file.sync(context.export.sync_failures())?;
    Ok(file.stat()?)
}

fn set_mode(object: impl AsFd, kind: FileType, mode: u32) -> Result<(), Refusal> {
    let mode = Mode::from_raw_mode(mode);
    match kind {
        FileType::RegularFile | FileType::Directory => Ok(rustix::fs::fchmod(object, mode)?),
        FileType::Symlink => Err(Status::NotSupported.into()),
        // The descriptor of a pipe or socket was not opened for real; its entry in /proc stands for the file.
        _ => Ok(rustix::fs::chmod(proc_path(object), mode)?),
    }
}

/// A path that leads to the open file itself, whatever its name is now.
pub(super) fn proc_path(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(bytes in prop::collection::vec(0_u8..3, 0..80)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(new) = NewAttributes::read(&mut reader) {
                prop_assert!(new.mode.is_none_or(|mode| mode <= MODE_BITS));
            }
        }
    }
}
