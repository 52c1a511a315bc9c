//! The cache block: its 20-byte header, its tail and its check value.
//! What lives here: layout, sum and sealing of one block. What does not: judging whole files, which is `verify`'s.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | type, see [`kind`] |
//! | 1 | 1 | format: the block size, see [`BlockSize::format_code`] |
//! | 4 | 4 | block address |
//! | 8 | 4+2 | SCN base and wrap |
//! | 14 | 1 | sequence of the change at this SCN; 0xff marks the block corrupt |
//! | 15 | 1 | flags, see [`flag`] |
//! | 16 | 2 | check value |
//! | last 4 | 4 | tail: low half of the SCN base, type, sequence |
//!
//! Source: block dumps of 10g to 19c and the bytes of published redo logs and headers.

use crate::address::BlockAddress;
use crate::layout::{put, u16_at, u32_at};
use crate::scn::Scn;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 20;
/// Bytes of the tail.
pub const TAIL_BYTES: usize = 4;
/// Sequence of a block that was marked corrupt.
pub const SEQUENCE_CORRUPT: u8 = 0xff;

/// Block types.
pub mod kind {
    /// Never formatted.
    pub const NEVER_FORMATTED: u8 = 0;
    /// Undo segment header.
    pub const UNDO_HEADER: u8 = 1;
    /// Undo.
    pub const UNDO: u8 = 2;
    /// Segment header.
    pub const SEGMENT_HEADER: u8 = 5;
    /// Transaction data: table or index.
    pub const DATA: u8 = 6;
    /// Data file header.
    pub const FILE_HEADER: u8 = 0x0b;
    /// Unlimited segment header.
    pub const UNLIMITED_SEGMENT_HEADER: u8 = 0x10;
    /// Control file.
    pub const CONTROL: u8 = 0x15;
    /// File space header.
    pub const SPACE_HEADER: u8 = 0x1d;
    /// File space bitmap.
    pub const SPACE_BITMAP: u8 = 0x1e;
    /// First-level segment space bitmap.
    pub const SEGMENT_BITMAP_1: u8 = 0x20;
    /// Second-level segment space bitmap.
    pub const SEGMENT_BITMAP_2: u8 = 0x21;
    /// Third-level segment space bitmap.
    pub const SEGMENT_BITMAP_3: u8 = 0x22;
    /// Page table segment header.
    pub const PAGETABLE_SEGMENT_HEADER: u8 = 0x23;
    /// Highest type that is known to exist.
    pub const MAX: u8 = 0x47;
}

/// Flags at offset 15.
pub mod flag {
    /// New or zeroed.
    pub const NEW: u8 = 0x01;
    /// Delayed logging.
    pub const DELAYED: u8 = 0x02;
    /// The check value is set.
    pub const CHECKED: u8 = 0x04;
    /// Temporary.
    pub const TEMPORARY: u8 = 0x08;
}

/// Sizes of database blocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BlockSize {
    /// 2,048 bytes.
    K2,
    /// 4,096 bytes.
    K4,
    /// 8,192 bytes.
    K8,
    /// 16,384 bytes.
    K16,
    /// 32,768 bytes.
    K32,
}

impl BlockSize {
    /// All of them, smallest first.
    pub const ALL: [BlockSize; 5] = [
        BlockSize::K2,
        BlockSize::K4,
        BlockSize::K8,
        BlockSize::K16,
        BlockSize::K32,
    ];

    /// In bytes.
    pub const fn bytes(self) -> usize {
        match self {
            BlockSize::K2 => 2048,
            BlockSize::K4 => 4096,
            BlockSize::K8 => 8192,
            BlockSize::K16 => 16384,
            BlockSize::K32 => 32768,
        }
    }

    /// The byte at offset 1 of every block of this size.
    pub const fn format_code(self) -> u8 {
        match self {
            BlockSize::K2 => 0x62,
            BlockSize::K4 => 0x82,
            BlockSize::K8 => 0xa2,
            BlockSize::K16 => 0xc2,
            BlockSize::K32 => 0xe2,
        }
    }

    /// The size with so many bytes.
    pub fn from_bytes(bytes: u32) -> Option<BlockSize> {
        BlockSize::ALL
            .into_iter()
            .find(|size| size.bytes() == bytes as usize)
    }
}

/// The header of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// One of [`kind`].
    pub kind: u8,
    /// See [`BlockSize::format_code`].
    pub format: u8,
    /// Which block it is.
    pub address: BlockAddress,
    /// SCN of the last change.
    pub scn: Scn,
    /// Counts the changes at this SCN.
    pub sequence: u8,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Meaningful only with [`flag::CHECKED`].
    pub check_value: u16,
}

impl BlockHeader {
    /// Reads the first 20 bytes of a block; panics when there are fewer.
    pub fn read(block: &[u8]) -> BlockHeader {
        BlockHeader {
            kind: block[0],
            format: block[1],
            address: BlockAddress::from_raw(u32_at(block, 4)),
            scn: Scn::new(u64::from(u32_at(block, 8)) | u64::from(u16_at(block, 12)) << 32),
            sequence: block[14],
            flags: block[15],
            check_value: u16_at(block, 16),
        }
    }

    /// Writes the 20 bytes; the spare ones become zero.
    pub fn write(&self, block: &mut [u8]) {
        block[..HEADER_BYTES].fill(0);
        block[0] = self.kind;
        block[1] = self.format;
        put(block, 4, &self.address.raw().to_le_bytes());
        put(block, 8, &self.scn.base().to_le_bytes());
        put(block, 12, &self.scn.wrap().to_le_bytes());
        block[14] = self.sequence;
        block[15] = self.flags;
        put(block, 16, &self.check_value.to_le_bytes());
    }
}

/// XOR of the block's 64-bit words, folded to 16 bits, with the check value in it: 0 when that is right.
///
/// The same sum serves data blocks, block 0, redo blocks and file headers. It does not see swapped words, and equal
/// changes cancel; it detects damage, it proves no identity.
pub fn checksum(block: &[u8]) -> u16 {
    const LANES: usize = 8;
    let mut lanes = [0u64; LANES];
    let mut chunks = block.chunks_exact(8 * LANES);
    for chunk in &mut chunks {
        for (lane, word) in lanes.iter_mut().zip(chunk.chunks_exact(8)) {
            *lane ^= u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
        }
    }
    let mut sum = lanes.iter().fold(0, |sum, lane| sum ^ lane);
    for rest in chunks.remainder().chunks(8) {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        sum ^= u64::from_le_bytes(word);
    }
    sum ^= sum >> 32;
    sum ^= sum >> 16;
    sum as u16
}

/// What the last four bytes of a block with this header must be.
pub const fn expected_tail(header: &BlockHeader) -> u32 {
    (header.scn.base() & 0xffff) << 16 | (header.kind as u32) << 8 | header.sequence as u32
}

/// The last four bytes of a block.
pub fn tail(block: &[u8]) -> u32 {
    u32_at(block, block.len() - TAIL_BYTES)
}

/// Sets tail, [`flag::CHECKED`] and check value to fit header and content.
pub fn seal(block: &mut [u8]) {
    put_tail(block);
    block[15] |= flag::CHECKED;
    put(block, 16, &[0, 0]);
    let sum = checksum(block);
    put(block, 16, &sum.to_le_bytes());
}

/// Sets the tail and clears the check value, as with DB_BLOCK_CHECKSUM = OFF.
pub fn seal_unchecked(block: &mut [u8]) {
    put_tail(block);
    block[15] &= !flag::CHECKED;
    put(block, 16, &[0, 0]);
}

fn put_tail(block: &mut [u8]) {
    let tail = expected_tail(&BlockHeader::read(block)).to_le_bytes();
    let at = block.len() - TAIL_BYTES;
    put(block, at, &tail);
}

/// Fills a block as a new file has it where nothing was ever stored: type 0, file part 0, sequence 1, flags 5.
pub fn never_formatted(block: &mut [u8], block_number: u32) {
    block.fill(0);
    let size = BlockSize::from_bytes(block.len() as u32).unwrap_or(BlockSize::K8);
    BlockHeader {
        kind: kind::NEVER_FORMATTED,
        format: size.format_code(),
        address: BlockAddress::from_raw(block_number),
        scn: Scn::ZERO,
        sequence: 1,
        flags: flag::NEW,
        check_value: 0,
    }
    .write(block);
    seal(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_block_has_the_published_sum() {
        let mut block = vec![0xaa; 8192];
        never_formatted(&mut block, 9);
        let header = BlockHeader::read(&block);
        assert_eq!(
            (header.check_value, header.flags, tail(&block)),
            (0xa709, 5, 1)
        );
        assert_eq!(checksum(&block), 0);
    }

    #[test]
    fn a_sealed_block_of_any_size_is_good_and_a_flipped_bit_is_seen() {
        for size in BlockSize::ALL {
            let mut block: Vec<u8> = (0..size.bytes()).map(|at| (at * 7 % 251) as u8).collect();
            block[15] = 0;
            seal(&mut block);
            assert_eq!(checksum(&block), 0);
            assert_eq!(tail(&block), expected_tail(&BlockHeader::read(&block)));
            let last = block.len() - 5;
            block[last] ^= 0x10;
            assert_ne!(checksum(&block), 0);
            seal_unchecked(&mut block);
            assert_eq!(
                (block[15] & flag::CHECKED, &block[16..18]),
                (0, &[0u8, 0][..])
            );
        }
    }

    #[test]
    fn a_header_reads_back() {
        let header = BlockHeader {
            kind: kind::DATA,
            format: 0xa2,
            address: BlockAddress::smallfile(5, 130),
            scn: Scn::new(0x0003_1234_5678),
            sequence: 4,
            flags: flag::CHECKED,
            check_value: 0xbeef,
        };
        let mut block = [0xff; 64];
        header.write(&mut block);
        assert_eq!(BlockHeader::read(&block), header);
        assert_eq!(expected_tail(&header), 0x5678_0604);
    }
}
