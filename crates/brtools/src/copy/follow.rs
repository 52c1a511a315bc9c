//! Reading a growing copy right behind its writer.
//! What lives here: the reader. What does not: the writer, and the verdict (`judge`).

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use super::CopyRequest;
use super::error::CopyError;
use super::judge::{Judge, Judged};
use crate::failpoint;

/// Read at once; a multiple of every block size.
const CHUNK_BYTES: usize = 1 << 20;

/// Where the reading has got to.
pub(super) struct Follower<'a> {
    request: &'a CopyRequest<'a>,
    judge: Judge<'a>,
    target: Option<File>,
    buffer: Vec<u8>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        request: &'a CopyRequest<'a>,
        source: &'a File,
    ) -> Result<Follower<'a>, CopyError> {
        Ok(Follower {
            request,
            judge: Judge::new(request.source, request.content, source)?,
            target: None,
            buffer: vec![0; CHUNK_BYTES],
        })
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.judge.position()
    }

    /// Reads what has been written since; says whether that was anything. `to_the_end` takes a last incomplete block too.
    ///
    /// What lies below the size of the file is final: both tools write in order, and a file grows after its bytes are there.
    pub(super) fn advance(&mut self, to_the_end: bool) -> Result<bool, CopyError> {
        let Some(mut available) = self.available()? else {
            return Ok(false);
        };
        let begun_at = self.bytes();
        if !to_the_end {
            available -= (available - begun_at) % self.judge.unit() as u64;
        }
        while self.bytes() < available {
            let wanted = usize::try_from(available - self.bytes())
                .unwrap_or(CHUNK_BYTES)
                .min(CHUNK_BYTES);
            let mut buffer = std::mem::take(&mut self.buffer);
            let outcome = self.take_chunk(&mut buffer[..wanted]);
            self.buffer = buffer;
            outcome?;
            if let Some(place) = self.request.failpoint {
                failpoint::reach(place);
            }
            if !to_the_end {
                break; // The caller looks at the tool and at signals between chunks.
            }
        }
        Ok(self.bytes() > begun_at)
    }

    /// The verdict over the whole copy.
    pub(super) fn finish(self) -> Result<Judged, CopyError> {
        self.judge.finish()
    }

    /// How long the copy is by now; None before the tool has created it.
    fn available(&mut self) -> Result<Option<u64>, CopyError> {
        if self.target.is_none() {
            match File::open(self.request.target) {
                Ok(file) => self.target = Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(self.target_failed("opening", source)),
            }
        }
        let Some(target) = &self.target else {
            return Ok(None);
        };
        let length = target
            .metadata()
            .map_err(|source| self.target_failed("asking for the size of", source))?
            .len();
        Ok(Some(length.max(self.bytes())))
    }

    fn take_chunk(&mut self, chunk: &mut [u8]) -> Result<(), CopyError> {
        let target = self.target.as_ref().expect("available has opened it");
        let position = self.bytes();
        target
            .read_exact_at(chunk, position)
            .map_err(|source| self.target_failed("reading back", source))?;
        let block_bytes = self.judge.unit();
        for offset in self.judge.take(chunk)? {
            // What was replaced lies in this chunk.
            let start = usize::try_from(offset - position).unwrap_or(0);
            self.replace_block(offset, &chunk[start..start + block_bytes])?;
        }
        Ok(())
    }

    /// Puts the block that was good when read again into the copy.
    fn replace_block(&self, offset: u64, block: &[u8]) -> Result<(), CopyError> {
        let target = OpenOptions::new().write(true).open(self.request.target);
        target
            .and_then(|target| target.write_all_at(block, offset))
            .map_err(|source| self.target_failed("writing a block of", source))
    }

    fn target_failed(&self, doing: &'static str, source: std::io::Error) -> CopyError {
        CopyError::Target {
            doing,
            path: self.request.target.to_owned(),
            source,
        }
    }
}
