//! Changing what is in a directory.
//! What lives here: the frame of every such change: lock, attributes before and after, on the disk before the answer. What
//! does not: the changes.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, Stat};

use super::{Context, Refusal, Status};
use crate::kernel::KernelHandle;
use crate::open_files::allocated;
use crate::xdr::Writer;

/// An opened directory with its attributes before the change.
pub(super) struct Directory {
    pub(super) descriptor: OwnedFd,
    pub(super) before: Stat,
}

/// What became of a change.
pub(super) struct Changed<T> {
    pub(super) before: Stat,
    pub(super) after: Option<Stat>,
    pub(super) result: Result<T, Refusal>,
}

impl Directory {
    /// As root; the change itself is checked for the user.
    pub(super) fn open(context: &Context<'_>, handle: &KernelHandle) -> Result<Directory, Refusal> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let (descriptor, before) = context.export.open(handle, flags)?;
        Ok(Directory { descriptor, before })
    }

    /// To be called under the directory's lock.
    pub(super) fn look_again(&mut self) -> Result<(), Refusal> {
        self.before = rustix::fs::fstat(&self.descriptor)?;
        Ok(())
    }

    /// Attributes after the change; what was done is on the disk when it returns without an error.
    pub(super) fn finish<T>(self, result: Result<T, Refusal>, after: Option<Stat>) -> Changed<T> {
        let result = result.and_then(|done| {
            rustix::fs::fsync(&self.descriptor)?;
            Ok(done)
        });
        Changed {
            before: self.before,
            after,
            result,
        }
    }
}

/// Does something in the directory that is the first argument, for the user of the call.
pub(super) fn in_directory<T>(
    context: &Context<'_>,
    act: impl FnOnce(&OwnedFd) -> Result<T, Refusal>,
) -> Result<Changed<T>, Refusal> {
    let mut directory = Directory::open(context, &context.file)?;
    let lock = context.export.lock_directory(&directory.before);
    directory.look_again()?;
    let result = {
        let _assumed = context.identity.assume()?;
        act(&directory.descriptor)
    };
    let after = rustix::fs::fstat(&directory.descriptor).ok();
    // Syncing takes as long as the disk takes; the attributes are known already.
    drop(lock);
    Ok(directory.finish(result, after))
}

impl<T> Changed<T> {
    /// Writes the status, then for a success what `put` writes, then the attributes of the directory.
    pub(super) fn reply(
        self,
        context: &Context<'_>,
        reply: &mut Writer,
        put: impl FnOnce(&mut Writer, T),
    ) -> Result<(), Refusal> {
        match self.result {
            Ok(done) => {
                reply.u32(Status::Ok as u32);
                put(reply, done);
            }
            Err(Refusal::Status(status)) => reply.u32(status as u32),
            Err(Refusal::Garbage) => return Err(Refusal::Garbage),
        }
        context.put_change(reply, Some(&self.before), self.after.as_ref());
        Ok(())
    }
}

/// After a name was taken from a file: if it was the last, the file's space is free.
pub(super) fn forget_if_gone(context: &Context<'_>, file: impl AsFd) {
    // The worst that can come of an error is a count that is too high until the next recount.
    if let Ok(stat) = rustix::fs::fstat(file)
        && stat.st_nlink == 0
    {
        context.export.open_files.remove(stat.st_ino);
        context.export.usage.change(allocated(&stat), 0);
    }
}
