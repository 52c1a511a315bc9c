//! Block 0 of every Oracle file: what the operating system's tools need to know of it.
//! What lives here: its layout. What does not: block 1, which each kind of file has for itself.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 1 | 1 | format code of the block size |
//! | 4 | 4 | block address, always `ffc00000` |
//! | 15 | 1 | flags: 0 in data files, 4 in redo logs |
//! | 16 | 2 | check value, right even where the flag is 0 |
//! | 20 | 4 | block size |
//! | 24 | 4 | number of blocks without this one |
//! | 28 | 4 | `7d 7c 7b 7a`; `7a 7b 7c 7d` in a big-endian file |

use crate::block;
use crate::layout::{put, u32_at};

/// Bytes that a reader needs.
pub const BYTES_MIN: usize = 32;
const MAGIC: u32 = 0x7a7b_7c7d;
const ADDRESS: u32 = 0xffc0_0000;

/// Why a block is not the header that it should be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderError {
    /// Fewer bytes than the header has.
    #[error("{found} bytes, the header has {needed}")]
    TooShort {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        found: usize,
    },
    /// Something that must be there is not.
    #[error("{0}")]
    Wrong(&'static str),
}

/// The content of block 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OsHeader {
    /// Format code.
    pub format: u8,
    /// Block size in bytes.
    pub block_size: u32,
    /// Blocks without this one.
    pub blocks: u32,
    /// Whether the flag says that the check value is set.
    pub checked: bool,
}

impl OsHeader {
    /// Reads block 0 in either byte order. Errors: too short, no magic number, impossible block size.
    pub fn read(block: &[u8]) -> Result<OsHeader, HeaderError> {
        if block.len() < BYTES_MIN {
            return Err(HeaderError::TooShort {
                needed: BYTES_MIN,
                found: block.len(),
            });
        }
        let swap = match u32_at(block, 28) {
            MAGIC => |value: u32| value,
            other if other.swap_bytes() == MAGIC => |value: u32| value.swap_bytes(),
            _ => {
                return Err(HeaderError::Wrong(
                    "no magic number 7d7c7b7a at byte 28 of block 0",
                ));
            }
        };
        let block_size = swap(u32_at(block, 20));
        if !(512..=32768).contains(&block_size) || !block_size.is_power_of_two() {
            return Err(HeaderError::Wrong(
                "the block size in block 0 is none of 512 to 32768",
            ));
        }
        let checked = block[15] & block::flag::CHECKED != 0;
        Ok(OsHeader {
            format: block[1],
            block_size,
            blocks: swap(u32_at(block, 24)),
            checked,
        })
    }

    /// Whether a block 0 is of a big-endian file; None when it is no block 0.
    pub fn is_big_endian(block: &[u8]) -> Option<bool> {
        let magic = (block.len() >= BYTES_MIN).then(|| u32_at(block, 28))?;
        match magic {
            MAGIC => Some(false),
            other => (other.swap_bytes() == MAGIC).then_some(true),
        }
    }

    /// Writes the whole block, little-endian, with its check value.
    pub fn write(&self, block: &mut [u8]) {
        block.fill(0);
        block[1] = self.format;
        put(block, 4, &ADDRESS.to_le_bytes());
        block[15] = if self.checked {
            block::flag::CHECKED
        } else {
            0
        };
        put(block, 20, &self.block_size.to_le_bytes());
        put(block, 24, &self.blocks.to_le_bytes());
        put(block, 28, &MAGIC.to_le_bytes());
        let sum = block::checksum(block);
        put(block, 16, &sum.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_byte_order_is_read() {
        let header = OsHeader {
            format: 0xa2,
            block_size: 8192,
            blocks: 106_240,
            checked: false,
        };
        let mut block = vec![0xee; 8192];
        header.write(&mut block);
        assert_eq!(
            (OsHeader::read(&block), block::checksum(&block)),
            (Ok(header), 0)
        );
        for at in [20, 24, 28] {
            block[at..at + 4].reverse();
        }
        assert_eq!(
            (OsHeader::read(&block), OsHeader::is_big_endian(&block)),
            (Ok(header), Some(true))
        );
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(OsHeader::read(&[0; 31]).is_err());
        assert!(OsHeader::read(&[0; 512]).is_err());
        let mut block = vec![0; 512];
        OsHeader {
            format: 0x22,
            block_size: 513,
            blocks: 1,
            checked: true,
        }
        .write(&mut block);
        assert!(OsHeader::read(&block).is_err());
    }
}
