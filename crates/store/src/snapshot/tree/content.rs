//! The content of one file: cloned, or copied with its holes.
//! What lives here: bytes. What does not: what the file is called and who owns it.

use std::os::fd::OwnedFd;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::super::error::{Fault, doing};

/// Read and written at once: little enough to stay in the processor's cache between the two. With a
/// MiB `bench/snapshots` took more than twice as long on XFS.
const CHUNK_BYTES: usize = 256 << 10;

/// How content comes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Method {
    /// Shared blocks: FICLONE.
    Clone,
    /// Bytes.
    Copy,
}

/// Brings content over, with the buffer for it.
pub(super) struct Content<'a> {
    method: Method,
    buffer: Vec<u8>,
    cancel: &'a dyn Fn() -> bool,
}

impl<'a> Content<'a> {
    pub(super) fn new(method: Method, cancel: &'a dyn Fn() -> bool) -> Content<'a> {
        let buffer = match method {
            Method::Clone => Vec::new(),
            Method::Copy => vec![0; CHUNK_BYTES],
        };
        Content {
            method,
            buffer,
            cancel,
        }
    }

    /// All `bytes` of a file, into an empty one.
    pub(super) fn bring(&mut self, from: &OwnedFd, to: &OwnedFd, bytes: u64) -> Result<(), Fault> {
        if bytes == 0 {
            return Ok(());
        }
        match self.method {
            Method::Clone => rustix::fs::ioctl_ficlone(to, from).map_err(clone_fault),
            Method::Copy => self.copy(from, to, bytes),
        }
    }

    /// Only what is data: a hole stays one.
    fn copy(&mut self, from: &OwnedFd, to: &OwnedFd, bytes: u64) -> Result<(), Fault> {
        rustix::fs::ftruncate(to, bytes).map_err(doing("set the size of the copy of"))?;
        let mut at = 0;
        while at < bytes {
            let begin = match rustix::fs::seek(from, SeekFrom::Data(at)) {
                Ok(begin) => begin,
                Err(Errno::NXIO) => break,
                Err(errno) => return Err(doing("look for holes in")(errno)),
            };
            if begin >= bytes {
                break;
            }
            let end = rustix::fs::seek(from, SeekFrom::Hole(begin))
                .map_err(doing("look for holes in"))?
                .min(bytes);
            if end <= begin {
                return Err(Fault::Changed);
            }
            self.copy_range(from, to, begin, end)?;
            at = end;
        }
        Ok(())
    }

    fn copy_range(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        begin: u64,
        end: u64,
    ) -> Result<(), Fault> {
        let mut at = begin;
        while at < end {
            if (self.cancel)() {
                return Err(Fault::Cancelled);
            }
            let wanted =
                usize::try_from(end - at).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            let chunk = self.buffer.get_mut(..wanted).unwrap_or_default();
            let read = match rustix::io::pread(from, &mut *chunk, at) {
                Ok(0) => return Err(Fault::Changed),
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(doing("read")(errno)),
            };
            write_all(to, chunk.get(..read).unwrap_or_default(), at)?;
            at += read as u64;
        }
        Ok(())
    }
}

fn write_all(to: &OwnedFd, mut bytes: &[u8], mut at: u64) -> Result<(), Fault> {
    while !bytes.is_empty() {
        let written = match rustix::io::pwrite(to, bytes, at) {
            Err(Errno::INTR) => continue,
            written => written.map_err(doing("write the copy of"))?,
        };
        bytes = bytes.get(written..).unwrap_or_default();
        at += written as u64;
    }
    Ok(())
}

fn clone_fault(errno: Errno) -> Fault {
    match errno {
        Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL | Errno::NOSYS => Fault::Refused {
            why: "cannot be cloned: its file system does not share blocks between files, or not those of this one",
            hint: "use the driver copy for this mount, or move it to XFS (reflink=1) or Btrfs",
        },
        errno => doing("clone")(errno),
    }
}
