//! Judging one block by where it lies.
//! What lives here: what a place demands, and the order of the verdicts. What does not: reading files.

use super::verdict::{Content, HeaderFault, Verdict};
use crate::address::{BlockAddress, SMALLFILE_BLOCK_MAX};
use crate::block::{self, BlockSize, HEADER_BYTES, SEQUENCE_CORRUPT, TAIL_BYTES, flag, kind};
use crate::os_header::OsHeader;
use crate::redo;
use crate::scn::{LogSequence, Scn};

/// Format byte of blocks that 9i and older wrote, for every block size; upgraded databases still hold some.
const FORMAT_BEFORE_10G: u8 = 0x02;
/// Header of an automatically managed undo segment.
const MANAGED_UNDO_HEADER: u8 = 0x26;
/// Where a block of type 6 says what it holds; 2 is an index.
const HOLDS_AT: usize = 20;
const HOLDS_INDEX: u8 = 2;

/// In which order the bytes of numbers lie.
///
/// Big-endian files (AIX, HP-UX, SPARC) are read by the definition of the fields; no real one was at hand to check it on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ByteOrder {
    /// As on x86.
    #[default]
    Little,
    /// As on SPARC and POWER.
    Big,
}

/// Which addresses the blocks of a data file carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Addresses {
    /// Not known: the block number must fit, in either form, the file number may be any.
    #[default]
    Unknown,
    /// This relative file number with the block number in 22 bits.
    Smallfile(u16),
    /// The block number in 32 bits.
    Bigfile,
}

/// What the blocks of a file must look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expectations {
    /// Blocks of the buffer cache.
    Datafile {
        /// Addresses.
        addresses: Addresses,
        /// Whether blocks of zeros may be anywhere.
        zero_allowed: bool,
        /// Blocks without block 0, as block 0 says; zeros behind them are no corruption. None: not known.
        formatted_blocks: Option<u32>,
    },
    /// Blocks of a control file.
    ControlFile,
    /// Blocks of a redo log, online or archived.
    RedoLog {
        /// Its sequence; None: not known.
        sequence: Option<LogSequence>,
        /// First block that holds no redo any more; None while the log is current.
        end: Option<u32>,
    },
}

impl Expectations {
    /// Those of a data file of which nothing is known but its block size.
    pub const fn datafile() -> Expectations {
        Expectations::Datafile {
            addresses: Addresses::Unknown,
            zero_allowed: false,
            formatted_blocks: None,
        }
    }
}

/// Judges the blocks of one file, each in one pass.
#[derive(Clone, Copy, Debug)]
pub struct BlockJudge {
    block_bytes: usize,
    format: u8,
    order: ByteOrder,
    expectations: Expectations,
}

impl BlockJudge {
    /// A judge for blocks of `block_size` bytes. None when no file of that kind has such blocks: cache blocks are of 2K to
    /// 32K, redo blocks of 512, 1024 or 4096 bytes.
    pub fn new(block_size: u32, expectations: Expectations) -> Option<BlockJudge> {
        let format = match expectations {
            Expectations::RedoLog { .. } => redo::format_code(block_size)?,
            _ => BlockSize::from_bytes(block_size)?.format_code(),
        };
        Some(BlockJudge {
            block_bytes: block_size as usize,
            format,
            order: ByteOrder::Little,
            expectations,
        })
    }

    /// The same for a file of this byte order.
    pub fn with_order(self, order: ByteOrder) -> BlockJudge {
        BlockJudge { order, ..self }
    }

    /// Bytes of a block.
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// What is expected of the blocks.
    pub fn expectations(&self) -> Expectations {
        self.expectations
    }

    /// The verdict on what lies `block_number` blocks into the file. A slice that is no whole block is incomplete.
    pub fn judge(&self, block_number: u32, block: &[u8]) -> Verdict {
        if block.len() != self.block_bytes {
            return Verdict::BadHeader(HeaderFault::Incomplete { bytes: block.len() });
        }
        // A header of zeros is rare; only then the rest is looked at for nothing but zeros.
        if block[..HEADER_BYTES] == [0; HEADER_BYTES] && is_zero(block) {
            return self.judge_zero(block_number);
        }
        if block_number == 0 {
            return self.judge_os_header(block);
        }
        match self.expectations {
            Expectations::RedoLog { sequence, end } => {
                self.judge_redo(block_number, block, sequence, end)
            }
            Expectations::Datafile { addresses, .. } => {
                self.judge_cache(block_number, block, addresses)
            }
            Expectations::ControlFile => self.judge_cache(block_number, block, Addresses::Bigfile),
        }
    }

    /// The verdict on a block of zeros, which needs no bytes: a hole in a sparse file is one.
    pub fn judge_zero(&self, block_number: u32) -> Verdict {
        let allowed = match self.expectations {
            Expectations::Datafile {
                zero_allowed,
                formatted_blocks,
                ..
            } => zero_allowed || formatted_blocks.is_some_and(|blocks| block_number > blocks),
            Expectations::ControlFile => block_number > 1,
            Expectations::RedoLog { end, .. } => {
                block_number > 1 && end.is_none_or(|end| block_number >= end)
            }
        };
        Verdict::Zero {
            allowed: allowed && block_number > 0,
        }
    }

    /// Block numbers at which [`Self::judge_zero`] may change its mind, in order.
    pub(super) fn zero_cuts(&self) -> [u32; 3] {
        let end = match self.expectations {
            Expectations::Datafile {
                formatted_blocks, ..
            } => formatted_blocks.map(|blocks| blocks.saturating_add(1)),
            Expectations::RedoLog { end, .. } => end,
            Expectations::ControlFile => None,
        };
        [1, 2, end.unwrap_or(2).max(2)]
    }

    fn judge_os_header(&self, block: &[u8]) -> Verdict {
        let header = match OsHeader::read(block) {
            Ok(header) => header,
            Err(crate::os_header::HeaderError::Wrong(what)) => {
                return Verdict::BadHeader(HeaderFault::OsHeader(what));
            }
            Err(crate::os_header::HeaderError::TooShort { found, .. }) => {
                return Verdict::BadHeader(HeaderFault::Incomplete { bytes: found });
            }
        };
        if header.block_size as usize != self.block_bytes {
            return Verdict::BadHeader(HeaderFault::OsHeader(
                "block 0 names another block size than this file has",
            ));
        }
        if header.format != self.format && header.format != FORMAT_BEFORE_10G {
            return self.wrong_format(header.format);
        }
        // The sum is there whatever the flag says, but for files written without any.
        let stored = self.u16(block, 16);
        if !header.checked && stored == 0 {
            return sound(Content::Other, Scn::ZERO);
        }
        self.check_sum(block, stored)
            .unwrap_or(sound(Content::Other, Scn::ZERO))
    }

    fn judge_cache(&self, number: u32, block: &[u8], addresses: Addresses) -> Verdict {
        let (block_kind, format) = (block[0], block[1]);
        if block_kind > kind::MAX || !self.may_hold(block_kind) {
            return Verdict::BadHeader(HeaderFault::Kind(block_kind));
        }
        if format != self.format && format != FORMAT_BEFORE_10G {
            return self.wrong_format(format);
        }
        let found = self.u32(block, 4);
        if let Some(fault) = wrong_address(number, found, addresses, block_kind) {
            return Verdict::BadHeader(fault);
        }
        let (base, wrap, sequence) = (self.u32(block, 8), self.u16(block, 12), block[14]);
        let expected_tail =
            (base & 0xffff) << 16 | u32::from(block_kind) << 8 | u32::from(sequence);
        let found_tail = self.u32(block, block.len() - TAIL_BYTES);
        if found_tail != expected_tail {
            return Verdict::Fractured {
                expected_tail,
                found_tail,
            };
        }
        if sequence == SEQUENCE_CORRUPT {
            return Verdict::MarkedCorrupt;
        }
        if block[15] & flag::CHECKED != 0
            && let Some(bad) = self.check_sum(block, self.u16(block, 16))
        {
            return bad;
        }
        let scn = Scn::new(u64::from(base) | u64::from(wrap) << 32);
        sound(content(block), scn)
    }

    fn judge_redo(
        &self,
        number: u32,
        block: &[u8],
        expected: Option<LogSequence>,
        end: Option<u32>,
    ) -> Verdict {
        if block[0] != 1 {
            return Verdict::BadHeader(HeaderFault::Kind(block[0]));
        }
        if block[1] != self.format {
            return self.wrong_format(block[1]);
        }
        let found = self.u32(block, 4);
        if found != number {
            return Verdict::BadHeader(HeaderFault::RedoBlock(found));
        }
        let found = LogSequence::new(self.u32(block, 8));
        let foreign = expected.filter(|expected| *expected != found);
        if let (Some(expected), Some(end)) = (foreign, end)
            && number < end
        {
            return Verdict::BadHeader(HeaderFault::RedoSequence { expected, found });
        }
        if let Some(bad) = self.check_sum(block, self.u16(block, 14)) {
            return bad;
        }
        // An online log is written over from its start: behind the newest redo lies that of an older log.
        let left_over = foreign.is_some() || end.is_some_and(|end| number >= end);
        let content = if left_over {
            Content::Empty
        } else {
            Content::Other
        };
        sound(content, Scn::ZERO)
    }

    fn may_hold(&self, block_kind: u8) -> bool {
        match self.expectations {
            Expectations::ControlFile => {
                matches!(block_kind, kind::CONTROL | kind::NEVER_FORMATTED)
            }
            _ => block_kind != kind::CONTROL,
        }
    }

    fn wrong_format(&self, found: u8) -> Verdict {
        Verdict::BadHeader(HeaderFault::Format {
            expected: self.format,
            found,
        })
    }

    /// None when the sum is right. The fold of the sum has the file's byte order, so the stored value is what it would
    /// have to be on this machine, and the sum over all is zero in either order.
    fn check_sum(&self, block: &[u8], stored: u16) -> Option<Verdict> {
        let difference = block::checksum(block);
        let difference = match self.order {
            ByteOrder::Little => difference,
            ByteOrder::Big => difference.swap_bytes(),
        };
        (difference != 0).then_some(Verdict::BadCheckValue {
            stored,
            computed: stored ^ difference,
        })
    }

    fn u16(&self, block: &[u8], at: usize) -> u16 {
        let value = crate::layout::u16_at(block, at);
        match self.order {
            ByteOrder::Little => value,
            ByteOrder::Big => value.swap_bytes(),
        }
    }

    fn u32(&self, block: &[u8], at: usize) -> u32 {
        let value = crate::layout::u32_at(block, at);
        match self.order {
            ByteOrder::Little => value,
            ByteOrder::Big => value.swap_bytes(),
        }
    }
}

fn sound(content: Content, scn: Scn) -> Verdict {
    Verdict::Sound { content, scn }
}

fn is_zero(block: &[u8]) -> bool {
    block
        .chunks(512)
        .all(|chunk| chunk.iter().fold(0, |seen, byte| seen | byte) == 0)
}

fn content(block: &[u8]) -> Content {
    match block[0] {
        kind::NEVER_FORMATTED => Content::Empty,
        kind::DATA if block[HOLDS_AT] == HOLDS_INDEX => Content::Index,
        kind::DATA => Content::Data,
        kind::UNDO_HEADER | MANAGED_UNDO_HEADER => Content::Segment,
        _ => Content::Other,
    }
}

/// Never formatted blocks carry file number 0, whatever the file.
fn wrong_address(
    number: u32,
    found: u32,
    addresses: Addresses,
    block_kind: u8,
) -> Option<HeaderFault> {
    let expected = match addresses {
        Addresses::Bigfile => BlockAddress::bigfile(number),
        Addresses::Smallfile(file) => BlockAddress::smallfile(file, number),
        Addresses::Unknown => BlockAddress::smallfile(BlockAddress::from_raw(found).file(), number),
    };
    let never_formatted = block_kind == kind::NEVER_FORMATTED && found == number;
    let smallfile_possible = number <= SMALLFILE_BLOCK_MAX || addresses == Addresses::Bigfile;
    let fits = found == expected.raw() && smallfile_possible;
    if fits || never_formatted || addresses == Addresses::Unknown && found == number {
        return None;
    }
    Some(HeaderFault::Address {
        expected: (addresses != Addresses::Unknown).then_some(expected),
        found: BlockAddress::from_raw(found),
    })
}

#[cfg(test)]
mod tests;
