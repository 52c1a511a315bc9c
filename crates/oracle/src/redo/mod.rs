//! Redo logs, online and archived: their blocks, headers, records and change vectors.
//! What lives here: the rooms, and the 16-byte header of every redo block. What does not: what a vector does to a block.
//!
//! | offset | bytes | field of a redo block |
//! |---|---|---|
//! | 0 | 2 | `01 22`; `01 82` with 4,096-byte blocks |
//! | 4 | 4 | block number |
//! | 8 | 4 | log sequence |
//! | 12 | 2 | 0x8000 plus the offset at which the first record of the block starts; 0 when none does |
//! | 14 | 2 | check value |
//!
//! Block 0 is the operating-system header, block 1 the log header, redo begins in block 2. Source: two complete public
//! logs, of which every block and record was read.

mod archived;
mod header;
mod reader;
mod record;
mod write;

pub use archived::{
    ArchivedLogReport, ContinuityFault, LogFault, check_archived_log, check_continuity,
};
pub use header::LogHeader;
pub use reader::{LogReader, RedoError};
pub use record::{ChangeVector, RedoRecord};
pub use write::{LogWrite, encode_log_write};

use crate::block::checksum;
use crate::layout::{put, u16_at, u32_at};
use crate::scn::LogSequence;

/// Bytes of a redo block on nearly all platforms.
pub const REDO_BLOCK_BYTES: usize = 512;
/// Bytes of the header of a redo block.
pub const REDO_HEADER_BYTES: usize = 16;
/// First block that holds redo.
pub const FIRST_REDO_BLOCK: u32 = 2;
/// A record does not start when fewer bytes than this are left in a block.
const RECORD_START_MIN: usize = 20;

/// Address of a redo record: log, block, byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RedoAddress {
    /// Which log.
    pub sequence: LogSequence,
    /// Which block of it.
    pub block: u32,
    /// Which byte of that.
    pub offset: u16,
}

/// The header of a redo block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RedoBlockHeader {
    /// Format code of the block size.
    pub format: u8,
    /// Its number.
    pub block: u32,
    /// The log it belongs to.
    pub sequence: LogSequence,
    /// Where the first record of the block starts; zero when none does.
    pub first_record: u16,
}

impl RedoBlockHeader {
    /// Reads the header of a block; None when the block has no redo signature, is too short or its sum is wrong.
    pub fn read(block: &[u8]) -> Option<RedoBlockHeader> {
        let sealed = block.len() >= REDO_BLOCK_BYTES && block[0] == 1 && checksum(block) == 0;
        sealed.then(|| RedoBlockHeader {
            format: block[1],
            block: u32_at(block, 4),
            sequence: LogSequence::new(u32_at(block, 8)),
            first_record: u16_at(block, 12) & 0x7fff,
        })
    }

    /// Writes the header and the check value over a block whose content is in place.
    pub fn seal(&self, block: &mut [u8]) {
        block[..REDO_HEADER_BYTES].fill(0);
        block[0] = 1;
        block[1] = self.format;
        put(block, 4, &self.block.to_le_bytes());
        put(block, 8, &self.sequence.get().to_le_bytes());
        put(block, 12, &(0x8000 | self.first_record).to_le_bytes());
        let sum = checksum(block);
        put(block, 14, &sum.to_le_bytes());
    }
}

/// Format code of a redo block size.
pub(crate) fn format_code(block_size: u32) -> Option<u8> {
    match block_size {
        512 => Some(0x22),
        1024 => Some(0x42),
        4096 => Some(0x82),
        _ => None,
    }
}
