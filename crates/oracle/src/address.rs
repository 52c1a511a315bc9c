//! Block addresses: the four bytes that say which block of which file a block is.
//! What lives here: both forms, smallfile and bigfile. What does not: file names.

use std::fmt;

/// A relative data block address.
///
/// Smallfile: ten bits of relative file number, 22 bits of block number. Bigfile tablespaces have one file, so all 32
/// bits are the block number; which of the two it is, only the file header tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BlockAddress(u32);

/// Highest block number of a smallfile address.
pub const SMALLFILE_BLOCK_MAX: u32 = (1 << 22) - 1;
/// Highest relative file number.
pub const RELATIVE_FILE_MAX: u16 = 1023;

impl BlockAddress {
    /// Address of a block of a smallfile tablespace; both numbers are cut to their bits.
    pub const fn smallfile(file: u16, block: u32) -> BlockAddress {
        BlockAddress(((file & RELATIVE_FILE_MAX) as u32) << 22 | block & SMALLFILE_BLOCK_MAX)
    }

    /// Address of a block of a bigfile tablespace.
    pub const fn bigfile(block: u32) -> BlockAddress {
        BlockAddress(block)
    }

    /// From its four bytes as a number.
    pub const fn from_raw(number: u32) -> BlockAddress {
        BlockAddress(number)
    }

    /// Its four bytes as a number; of a bigfile the block number.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Relative file number of a smallfile address.
    pub const fn file(self) -> u16 {
        (self.0 >> 22) as u16
    }

    /// Block number of a smallfile address.
    pub const fn block(self) -> u32 {
        self.0 & SMALLFILE_BLOCK_MAX
    }
}

impl fmt::Display for BlockAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_file_and_block() {
        let address = BlockAddress::smallfile(5, 130);
        assert_eq!(
            (address.file(), address.block(), address.raw()),
            (5, 130, 0x0140_0082)
        );
        assert_eq!(
            BlockAddress::smallfile(1023, SMALLFILE_BLOCK_MAX).raw(),
            u32::MAX
        );
        assert_eq!(BlockAddress::bigfile(u32::MAX).raw(), u32::MAX);
    }
}
