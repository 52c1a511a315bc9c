//! Reading a growing copy right behind its writer: every byte hashed, every block judged, once.
//! What lives here: the reader. What does not: the writer, and what a block must look like.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use super::error::CopyError;
use super::second_look::{Look, SecondLook};
use super::{Content, CopyRequest};
use crate::failpoint;

/// Read at once; a multiple of every block size.
const CHUNK_BYTES: usize = 1 << 20;
/// Damaged blocks that a message names.
const NAMED_BLOCKS_MAX: usize = 8;
/// Torn blocks that a report names.
const LEFT_TORN_MAX: usize = 10_000;

/// What the follower has found by the end.
#[derive(Debug)]
pub(super) struct Judged {
    pub hash: blake3::Hash,
    pub blocks: u64,
    pub read_again: u64,
    pub left_torn: Vec<u32>,
    pub zero: u64,
    pub marked_corrupt: u64,
}

/// Where the reading has got to.
pub(super) struct Follower<'a> {
    request: &'a CopyRequest<'a>,
    second_look: Option<SecondLook<'a>>,
    target: Option<File>,
    position: u64,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    blocks: u64,
    read_again: u64,
    left_torn: Vec<u32>,
    zero: u64,
    marked_corrupt: u64,
    damaged: u64,
    first_damaged: Vec<String>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        request: &'a CopyRequest<'a>,
        source: &'a File,
    ) -> Result<Follower<'a>, CopyError> {
        let judge = |block_bytes, in_backup_mode| {
            let wrong = CopyError::BlockSize {
                path: request.source.to_owned(),
                block_bytes,
            };
            SecondLook::new(source, block_bytes, in_backup_mode)
                .ok_or(wrong)
                .map(Some)
        };
        let second_look = match request.content {
            Content::Opaque => None,
            Content::DatafileAtRest { block_bytes } => judge(block_bytes, false)?,
            Content::DatafileInBackupMode { block_bytes } => judge(block_bytes, true)?,
        };
        Ok(Follower {
            request,
            second_look,
            target: None,
            position: 0,
            buffer: vec![0; CHUNK_BYTES],
            hasher: blake3::Hasher::new(),
            blocks: 0,
            read_again: 0,
            left_torn: Vec::new(),
            zero: 0,
            marked_corrupt: 0,
            damaged: 0,
            first_damaged: Vec::new(),
        })
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.position
    }

    /// Reads what has been written since; says whether that was anything. `to_the_end` takes a last incomplete block too.
    ///
    /// What lies below the size of the file is final: both tools write in order, and a file grows after its bytes are there.
    pub(super) fn advance(&mut self, to_the_end: bool) -> Result<bool, CopyError> {
        let Some(mut available) = self.available()? else {
            return Ok(false);
        };
        let unit = self.second_look.as_ref().map_or(1, SecondLook::block_bytes) as u64;
        if !to_the_end {
            available -= (available - self.position) % unit;
        }
        let begun_at = self.position;
        while self.position < available {
            let wanted = usize::try_from(available - self.position)
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
        Ok(self.position > begun_at)
    }

    /// The verdict over the whole copy.
    pub(super) fn finish(self) -> Result<Judged, CopyError> {
        if self.damaged > 0 {
            return Err(CopyError::Damaged {
                path: self.request.source.to_owned(),
                count: self.damaged,
                first: self.first_damaged,
            });
        }
        Ok(Judged {
            hash: self.hasher.finalize(),
            blocks: self.blocks,
            read_again: self.read_again,
            left_torn: self.left_torn,
            zero: self.zero,
            marked_corrupt: self.marked_corrupt,
        })
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
        Ok(Some(length.max(self.position)))
    }

    fn take_chunk(&mut self, chunk: &mut [u8]) -> Result<(), CopyError> {
        let target = self.target.as_ref().expect("available has opened it");
        target
            .read_exact_at(chunk, self.position)
            .map_err(|source| self.target_failed("reading back", source))?;
        if let Some(mut second_look) = self.second_look.take() {
            let outcome = self.judge_chunk(&mut second_look, chunk);
            self.second_look = Some(second_look);
            outcome?;
        }
        self.hasher.update(chunk);
        self.position += chunk.len() as u64;
        Ok(())
    }

    fn judge_chunk(
        &mut self,
        second_look: &mut SecondLook,
        chunk: &mut [u8],
    ) -> Result<(), CopyError> {
        let block_bytes = second_look.block_bytes();
        // Oracle counts blocks in 32 bits: what lies beyond gets a number that no good block can have.
        let first = u32::try_from(self.position / block_bytes as u64).unwrap_or(u32::MAX);
        for (index, block) in chunk.chunks_mut(block_bytes).enumerate() {
            let number = first.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
            self.blocks += 1;
            match second_look
                .judge(number, block)
                .map_err(|source| CopyError::Source {
                    path: self.request.source.to_owned(),
                    source,
                })? {
                Look::Good => {}
                Look::Zero => self.zero += 1,
                Look::MarkedCorrupt => self.marked_corrupt += 1,
                Look::GoodAgain => {
                    self.read_again += 1;
                    self.replace_block(u64::from(number) * block_bytes as u64, block)?;
                }
                Look::Torn => {
                    if self.left_torn.len() < LEFT_TORN_MAX {
                        self.left_torn.push(number);
                    }
                }
                Look::Damaged(verdict) => {
                    self.damaged += 1;
                    if self.first_damaged.len() < NAMED_BLOCKS_MAX {
                        self.first_damaged
                            .push(format!("block {number} ({verdict})"));
                    }
                }
            }
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
