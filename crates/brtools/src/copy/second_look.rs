//! A suspicious block is read again from the source before it is believed to be bad.
//! What lives here: when, how often, and what is excused. What does not: what a good block looks like (`oracle::verify`).
//!
//! A copier that is not Oracle may read a block while it is being written and get two halves of different age. Read again
//! a moment later it is whole. In backup mode a block that stays torn is excused, because its whole image is in the redo;
//! anywhere else, and for any other damage, a block that stays bad is bad in the database itself.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use oracle::address::BlockAddress;
use oracle::block::BlockHeader;
use oracle::file_header::{FileHeader, status};
use oracle::os_header::OsHeader;
use oracle::verify::{Addresses, BlockJudge, Expectations, Verdict};

/// How often a block is read again, with twice the pause each time: about half a second in all.
const ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Blocks of one file that are waited for. After so many the trouble is not a passing one.
const PATIENT_BLOCKS_MAX: u32 = 100;

/// What came out of looking at a block, twice where needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// Good at once.
    Good,
    /// All zero, where that may be.
    Zero,
    /// Given up by somebody, on purpose; it was so before and no copy can help it.
    MarkedCorrupt,
    /// Bad in the copy, good when read again; the buffer holds the good one.
    GoodAgain,
    /// Torn however often it was read, and in backup mode.
    Torn,
    /// Bad however often it was read.
    Damaged(String),
}

/// The judge of one file's blocks.
pub(super) struct SecondLook<'a> {
    source: &'a File,
    judge: BlockJudge,
    in_backup_mode: bool,
    patient_blocks_left: u32,
    again: Vec<u8>,
}

impl<'a> SecondLook<'a> {
    /// None when no data file has such blocks.
    pub(super) fn new(
        source: &'a File,
        block_bytes: u32,
        in_backup_mode: bool,
    ) -> Option<SecondLook<'a>> {
        let judge = BlockJudge::new(block_bytes, expectations(source, block_bytes))?;
        let again = vec![0; judge.block_bytes()];
        Some(SecondLook {
            source,
            judge,
            in_backup_mode,
            patient_blocks_left: PATIENT_BLOCKS_MAX,
            again,
        })
    }

    pub(super) fn block_bytes(&self) -> usize {
        self.judge.block_bytes()
    }

    /// Judges a block of the copy; may replace it by what the source holds now. Fails only when the source cannot be read.
    pub(super) fn judge(&mut self, number: u32, block: &mut [u8]) -> std::io::Result<Look> {
        let first = self.judge.judge(number, block);
        match accepted(first) {
            Some(look) => Ok(look),
            None if block.len() < self.block_bytes() => Ok(Look::Damaged(first.to_string())),
            None => self.look_again(number, block, first),
        }
    }

    fn look_again(
        &mut self,
        number: u32,
        block: &mut [u8],
        first: Verdict,
    ) -> std::io::Result<Look> {
        let mut last = first;
        let patient = self.patient_blocks_left > 0;
        let offset = u64::from(number) * self.block_bytes() as u64;
        let mut pause = FIRST_PAUSE;
        for _ in 0..if patient { ATTEMPTS } else { 1 } {
            self.source.read_exact_at(&mut self.again, offset)?;
            last = self.judge.judge(number, &self.again);
            if accepted(last).is_some() {
                block.copy_from_slice(&self.again);
                return Ok(Look::GoodAgain);
            }
            if patient {
                std::thread::sleep(pause);
                pause *= 2;
            }
        }
        self.patient_blocks_left = self.patient_blocks_left.saturating_sub(1);
        Ok(match last {
            Verdict::Fractured { .. } if self.in_backup_mode => Look::Torn,
            bad => Look::Damaged(bad.to_string()),
        })
    }
}

/// What needs no second look.
fn accepted(verdict: Verdict) -> Option<Look> {
    match verdict {
        Verdict::Sound { .. } => Some(Look::Good),
        Verdict::Zero { allowed: true } => Some(Look::Zero),
        Verdict::MarkedCorrupt => Some(Look::MarkedCorrupt),
        Verdict::Zero { allowed: false }
        | Verdict::BadHeader(_)
        | Verdict::Fractured { .. }
        | Verdict::BadCheckValue { .. } => None,
    }
}

/// What the file's own first blocks say of the others. Where they cannot be read nothing is assumed; they are then
/// judged as blocks like all others.
fn expectations(source: &File, block_bytes: u32) -> Expectations {
    let mut first = vec![0; block_bytes as usize * 2];
    if source.read_exact_at(&mut first, 0).is_err() {
        return Expectations::datafile();
    }
    let (os_block, header_block) = first.split_at(block_bytes as usize);
    let Ok(header) = FileHeader::read(header_block) else {
        return Expectations::datafile();
    };
    // The header carries its own address: block 1 of its relative file, or 1 alone in a bigfile tablespace.
    let address = BlockHeader::read(header_block).address;
    let addresses = if address == BlockAddress::bigfile(1) {
        Addresses::Bigfile
    } else {
        Addresses::Smallfile(address.file())
    };
    Expectations::Datafile {
        addresses,
        zero_allowed: header.status & status::ZEROED_ALLOWED != 0,
        formatted_blocks: OsHeader::read(os_block).ok().map(|header| header.blocks),
    }
}
