//! The verdict over one copy, taken piece by piece in the order of the file: every byte hashed, every block judged, once.
//! What lives here: counting and remembering what was found. What does not: where the pieces come from.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Content;
use super::error::CopyError;
use super::second_look::{Look, SecondLook};

/// Damaged blocks that a message names.
const NAMED_BLOCKS_MAX: usize = 8;
/// Torn blocks that a report names.
const LEFT_TORN_MAX: usize = 10_000;

/// What was found by the end.
#[derive(Debug)]
pub(super) struct Judged {
    pub hash: blake3::Hash,
    pub blocks: u64,
    pub read_again: u64,
    pub left_torn: Vec<u32>,
    pub zero: u64,
    pub marked_corrupt: u64,
}

/// How far the judging has got.
pub(super) struct Judge<'a> {
    path: PathBuf,
    second_look: Option<SecondLook<'a>>,
    position: u64,
    hasher: blake3::Hasher,
    blocks: u64,
    read_again: u64,
    left_torn: Vec<u32>,
    zero: u64,
    marked_corrupt: u64,
    damaged: u64,
    first_damaged: Vec<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        path: &Path,
        content: Content,
        source: &'a File,
    ) -> Result<Judge<'a>, CopyError> {
        let look = |block_bytes, in_backup_mode| {
            let wrong = CopyError::BlockSize {
                path: path.to_owned(),
                block_bytes,
            };
            SecondLook::new(source, block_bytes, in_backup_mode)
                .ok_or(wrong)
                .map(Some)
        };
        let second_look = match content {
            Content::Opaque => None,
            Content::DatafileAtRest { block_bytes } => look(block_bytes, false)?,
            Content::DatafileInBackupMode { block_bytes } => look(block_bytes, true)?,
        };
        Ok(Judge {
            path: path.to_owned(),
            second_look,
            position: 0,
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

    /// Bytes that were judged.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// A piece must be a multiple of this, but for the last one.
    pub(super) fn unit(&self) -> usize {
        self.second_look.as_ref().map_or(1, SecondLook::block_bytes)
    }

    /// Judges the next piece. A block that was good only when read again is put into it; the result says at which offsets
    /// in the file.
    pub(super) fn take(&mut self, piece: &mut [u8]) -> Result<Vec<u64>, CopyError> {
        let mut replaced = Vec::new();
        if let Some(mut second_look) = self.second_look.take() {
            let outcome = self.judge_blocks(&mut second_look, piece, &mut replaced);
            self.second_look = Some(second_look);
            outcome?;
        }
        self.hasher.update(piece);
        self.position += piece.len() as u64;
        Ok(replaced)
    }

    fn judge_blocks(
        &mut self,
        second_look: &mut SecondLook,
        piece: &mut [u8],
        replaced: &mut Vec<u64>,
    ) -> Result<(), CopyError> {
        let block_bytes = second_look.block_bytes();
        // Oracle counts blocks in 32 bits: what lies beyond gets a number that no good block can have.
        let first = u32::try_from(self.position / block_bytes as u64).unwrap_or(u32::MAX);
        for (index, block) in piece.chunks_mut(block_bytes).enumerate() {
            let number = first.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
            self.blocks += 1;
            match second_look
                .judge(number, block)
                .map_err(|source| CopyError::Source {
                    path: self.path.clone(),
                    source,
                })? {
                Look::Good => {}
                Look::Zero => self.zero += 1,
                Look::MarkedCorrupt => self.marked_corrupt += 1,
                Look::GoodAgain => {
                    self.read_again += 1;
                    replaced.push(u64::from(number) * block_bytes as u64);
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

    /// The verdict over the whole copy.
    pub(super) fn finish(self) -> Result<Judged, CopyError> {
        if self.damaged > 0 {
            return Err(CopyError::Damaged {
                path: self.path,
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
}
