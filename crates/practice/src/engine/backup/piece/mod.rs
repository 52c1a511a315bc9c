//! Backup pieces: the files that hold backup sets. The form is ours, docs/PRACTICE-DATABASE.md draws it.
//! What lives here: the frame, which is a block of our own, and what both ends share. What does not: what goes in.
//!
//! A piece is a run of 8 KiB blocks: a header, groups, a trailer. Header and trailer are the record of the set as JSON,
//! cut into frames; a group is one frame that lists what its payload blocks hold, and the payload. Every frame has a
//! CRC-32 of itself and every chunk of payload one in the list, so nothing has to be believed.

mod compress;
mod reader;
mod writer;

pub use reader::{Chunk, PieceReader};
pub use writer::PieceWriter;

use crate::content::BLOCK_BYTES;

/// First bytes of every frame.
const MAGIC: &[u8; 8] = b"BSPIECE1";
/// Bytes of a frame before its body.
const HEADER_BYTES: usize = 40;
/// Bytes of a frame's body.
const BODY_BYTES: usize = BLOCK_BYTES - HEADER_BYTES;
/// Payload blocks of a group. Full groups of whole files cover so many blocks of the file each.
pub const GROUP_SLOTS: u32 = 256;
/// Bytes of an entry in the list of a group.
const ENTRY_BYTES: usize = 24;
/// Most entries of a group.
const ENTRIES_MAX: usize = BODY_BYTES / ENTRY_BYTES;
/// Most frames of a header or a trailer: a record of at most 1 MB.
const PARTS_MAX: usize = 128;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum FrameKind {
    Header = 1,
    Group = 2,
    Trailer = 3,
}

/// A frame, apart from its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    kind: FrameKind,
    /// Set number and stamp, so that no frame of another piece is taken for one of this.
    set: u32,
    stamp: u32,
    /// Counts the frames of the piece from 0.
    number: u32,
    /// Which part of a header or trailer, and of how many; of a group 0 and its payload blocks.
    part: u32,
    parts: u32,
    /// Bytes of the body in use.
    length: u32,
}

impl Frame {
    /// The frame as a block.
    fn encode(&self, body: &[u8]) -> Vec<u8> {
        let mut block = vec![0; BLOCK_BYTES];
        block[..8].copy_from_slice(MAGIC);
        block[8] = self.kind as u8;
        for (at, value) in [
            (12, self.set),
            (16, self.stamp),
            (20, self.number),
            (24, self.part),
            (28, self.parts),
            (32, self.length),
        ] {
            block[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        block[HEADER_BYTES..HEADER_BYTES + body.len()].copy_from_slice(body);
        let sum = crc32fast::hash(&block);
        block[36..40].copy_from_slice(&sum.to_le_bytes());
        block
    }

    /// The frame in a block, with its body. None when it is not one, or not whole.
    fn decode(block: &[u8]) -> Option<(Frame, &[u8])> {
        if block.len() != BLOCK_BYTES || &block[..8] != MAGIC {
            return None;
        }
        let number = |at: usize| {
            u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
        };
        let mut sum = crc32fast::Hasher::new();
        sum.update(&block[..36]);
        sum.update(&[0; 4]);
        sum.update(&block[40..]);
        if sum.finalize() != number(36) {
            return None;
        }
        let kind = match block[8] {
            1 => FrameKind::Header,
            2 => FrameKind::Group,
            3 => FrameKind::Trailer,
            _ => return None,
        };
        let length = number(32);
        let body = block[HEADER_BYTES..].get(..length as usize)?;
        let frame = Frame {
            kind,
            set: number(12),
            stamp: number(16),
            number: number(20),
            part: number(24),
            parts: number(28),
            length,
        };
        Some((frame, body))
    }
}

/// One chunk as the list of its group names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Place of its file among the members of the set.
    member: u16,
    /// Whether it is compressed.
    packed: bool,
    /// Its number in the file, in units of 8 KiB.
    chunk: u32,
    /// First byte in the payload of the group.
    offset: u32,
    /// Bytes in the payload.
    stored: u32,
    /// Bytes of the chunk.
    length: u32,
    /// CRC-32 of the chunk.
    sum: u32,
}

impl Entry {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[0..2].copy_from_slice(&self.member.to_le_bytes());
        bytes[2] = u8::from(self.packed);
        for (at, value) in [
            (4, self.chunk),
            (8, self.offset),
            (12, self.stored),
            (16, self.length),
            (20, self.sum),
        ] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Entry {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Entry {
            member: u16::from_le_bytes([bytes[0], bytes[1]]),
            packed: bytes[2] != 0,
            chunk: number(4),
            offset: number(8),
            stored: number(12),
            length: number(16),
            sum: number(20),
        }
    }
}

#[cfg(test)]
mod tests;
