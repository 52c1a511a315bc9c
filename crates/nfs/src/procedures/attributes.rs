//! Attributes of files.
//! What lives here: GETATTR, and how attributes are written. What does not: setting them.

use rustix::fs::{FileType, OFlags, Stat};

use super::{Context, Refusal, Status};
use crate::xdr::{Reader, Writer};

/// Bytes of the attributes of a file on the wire.
pub(super) const ATTRIBUTES_BYTES: usize = 84;

/// GETATTR.
pub(super) fn get(context: &Context<'_>, _: Reader<'_>, reply: &mut Writer) -> Result<(), Refusal> {
    let stat = context.stat()?;
    reply.u32(Status::Ok as u32);
    context.put_attributes(reply, &stat);
    Ok(())
}

impl Context<'_> {
    /// The attributes of the first argument.
    pub(super) fn stat(&self) -> Result<Stat, Refusal> {
        match self.export.open_files.get(&self.file) {
            Some(open) => Ok(open.stat()?),
            None => Ok(self.export.open(&self.file, OFlags::PATH)?.1),
        }
    }

    pub(super) fn put_attributes(&self, reply: &mut Writer, stat: &Stat) {
        reply.u32(kind(stat));
        reply.u32(stat.st_mode & 0o7777);
        reply.u32(u32::try_from(stat.st_nlink).unwrap_or(u32::MAX));
        reply.u32(stat.st_uid);
        reply.u32(stat.st_gid);
        reply.u64(u64::try_from(stat.st_size).unwrap_or(0));
        reply.u64(crate::open_files::allocated(stat));
        reply.u32(rustix::fs::major(stat.st_rdev));
        reply.u32(rustix::fs::minor(stat.st_rdev));
        // The export stands for its file system: the number of a device may be another one after a restart.
        reply.u64(self.export.id);
        reply.u64(stat.st_ino);
        put_time(reply, stat.st_atime, stat.st_atime_nsec as i64);
        put_time(reply, stat.st_mtime, stat.st_mtime_nsec as i64);
        put_time(reply, stat.st_ctime, stat.st_ctime_nsec as i64);
    }

    /// Attributes that may be absent.
    pub(super) fn put_optional_attributes(&self, reply: &mut Writer, stat: Option<&Stat>) {
        reply.bool(stat.is_some());
        if let Some(stat) = stat {
            self.put_attributes(reply, stat);
        }
    }

    /// Attributes before and after a change. Those before are given only where nobody else could change the file in
    /// between: a client concludes from them that what it has cached is still true.
    pub(super) fn put_change(
        &self,
        reply: &mut Writer,
        before: Option<&Stat>,
        after: Option<&Stat>,
    ) {
        reply.bool(before.is_some());
        if let Some(before) = before {
            reply.u64(u64::try_from(before.st_size).unwrap_or(0));
            put_time(reply, before.st_mtime, before.st_mtime_nsec as i64);
            put_time(reply, before.st_ctime, before.st_ctime_nsec as i64);
        }
        self.put_optional_attributes(reply, after);
    }
}

fn kind(stat: &Stat) -> u32 {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => 2,
        FileType::BlockDevice => 3,
        FileType::CharacterDevice => 4,
        FileType::Symlink => 5,
        FileType::Socket => 6,
        FileType::Fifo => 7,
        FileType::RegularFile | FileType::Unknown => 1,
    }
}

/// A time on the wire: seconds since 1970, as far as 32 bits go.
pub(super) fn wire_time(seconds: i64, nanoseconds: i64) -> (u32, u32) {
    let seconds = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
    (seconds, u32::try_from(nanoseconds).unwrap_or(0))
}

fn put_time(reply: &mut Writer, seconds: i64, nanoseconds: i64) {
    let (seconds, nanoseconds) = wire_time(seconds, nanoseconds);
    reply.u32(seconds);
    reply.u32(nanoseconds);
}
