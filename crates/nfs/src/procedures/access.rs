//! What a user may do with a file.
//! What lives here: ACCESS, and the check before READ and WRITE. What does not: checks that the kernel makes by itself.

use std::os::fd::AsFd;

use rustix::fs::{Access, FileType, OFlags, Stat};
use rustix::io::Errno;

use super::{Context, Refusal, Status};
use crate::kernel;
use crate::xdr::{Reader, Writer};

const READ: u32 = 0x01;
const LOOKUP: u32 = 0x02;
const MODIFY: u32 = 0x04;
const EXTEND: u32 = 0x08;
const DELETE: u32 = 0x10;
const EXECUTE: u32 = 0x20;

/// ACCESS.
pub(super) fn access(
    context: &Context<'_>,
    mut arguments: Reader<'_>,
    reply: &mut Writer,
) -> Result<(), Refusal> {
    let asked = arguments.u32()?;
    let (file, stat) = context.export.open(&context.file, OFlags::PATH)?;
    let (write, execute) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => (MODIFY | EXTEND | DELETE, LOOKUP),
        _ => (MODIFY | EXTEND, EXECUTE),
    };
    let _assumed = context.identity.assume()?;
    let mut granted = 0;
    for (rights, right) in [
        (READ, Access::READ_OK),
        (write, Access::WRITE_OK),
        (execute, Access::EXEC_OK),
    ] {
        if asked & rights != 0 && kernel_grants(&file, right)? {
            granted |= rights;
        }
    }
    if context.export.policy().read_only {
        granted &= !write;
    }
    reply.u32(Status::Ok as u32);
    context.put_optional_attributes(reply, Some(&stat));
    reply.u32(granted & asked);
    Ok(())
}

/// Asks the kernel, for the user that the thread acts as; access lists count.
fn kernel_grants(file: impl AsFd, right: Access) -> Result<bool, Refusal> {
    match kernel::access(file, right) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Context<'_> {
    /// Whether the user may read or write an open file. The thread must act as the user.
    ///
    /// The owner always may: the client has checked the mode when the file was opened, and a program may write into a file
    /// that it created read-only.
    pub(super) fn check(&self, file: impl AsFd, stat: &Stat, right: Access) -> Result<(), Refusal> {
        if self.identity.is_root()
            || self.identity.user() == stat.st_uid
            || kernel_grants(file, right)?
        {
            Ok(())
        } else {
            Err(Status::Access.into())
        }
    }
}
