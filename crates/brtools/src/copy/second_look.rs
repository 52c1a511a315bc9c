//! A suspicious block is read again from the source before it is believed to be bad.
//! What lives here: when, how often, and what is excused. What does not: what a good block looks like (`oracle::verify`).
//!
//! A copier that is not Oracle may read a block while it is being written and get two halves of different age. Read again
//! a moment later it is whole. In backup mode a block that stays torn is excused, because its whole image is in the redo;
//! anywhere else, and for any other damage, a block that stays bad is bad in the database itself.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

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
    /// All zero.
    Zero,
    /// Bad in the copy, good when read again; the buffer holds the good one.
    GoodAgain,
    /// Torn however often it was read, and in backup mode.
    Torn,
    /// Bad however often it was read.
    Damaged(String),
}

/// What one reading of a block shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Zero,
    Torn,
    Damaged(String),
}

/// The judge of one file's blocks.
pub(super) struct SecondLook<'a> {
    source: &'a File,
    block_bytes: usize,
    in_backup_mode: bool,
    patient_blocks_left: u32,
    again: Vec<u8>,
}

impl<'a> SecondLook<'a> {
    pub(super) fn new(source: &'a File, block_bytes: u32, in_backup_mode: bool) -> SecondLook<'a> {
        let block_bytes = (block_bytes as usize).max(512);
        SecondLook {
            source,
            block_bytes,
            in_backup_mode,
            patient_blocks_left: PATIENT_BLOCKS_MAX,
            again: vec![0; block_bytes],
        }
    }

    pub(super) fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Judges a block of the copy; may replace it by what the source holds now. Fails only when the source cannot be read.
    pub(super) fn judge(&mut self, number: u64, block: &mut [u8]) -> std::io::Result<Look> {
        match self.verdict(number, block) {
            Verdict::Good => Ok(Look::Good),
            Verdict::Zero => Ok(Look::Zero),
            _ if block.len() < self.block_bytes => Ok(Look::Damaged("incomplete".to_owned())),
            first => self.look_again(number, block, first),
        }
    }

    fn look_again(
        &mut self,
        number: u64,
        block: &mut [u8],
        first: Verdict,
    ) -> std::io::Result<Look> {
        let mut last = first;
        let patient = self.patient_blocks_left > 0;
        let mut pause = FIRST_PAUSE;
        for _ in 0..if patient { ATTEMPTS } else { 1 } {
            let mut again = std::mem::take(&mut self.again);
            let read = self
                .source
                .read_exact_at(&mut again, number * self.block_bytes as u64);
            last = self.verdict(number, &again);
            if read.is_ok() && matches!(last, Verdict::Good | Verdict::Zero) {
                block.copy_from_slice(&again);
            }
            self.again = again;
            read?;
            if matches!(last, Verdict::Good | Verdict::Zero) {
                return Ok(Look::GoodAgain);
            }
            if patient {
                std::thread::sleep(pause);
                pause *= 2;
            }
        }
        self.patient_blocks_left = self.patient_blocks_left.saturating_sub(1);
        Ok(match last {
            Verdict::Torn if self.in_backup_mode => Look::Torn,
            Verdict::Torn => Look::Damaged("fractured".to_owned()),
            Verdict::Damaged(what) => Look::Damaged(what),
            Verdict::Good | Verdict::Zero => Look::GoodAgain,
        })
    }
}

impl SecondLook<'_> {
    fn verdict(&mut self, _number: u64, block: &[u8]) -> Verdict {
        use oracle::block::{BlockHeader, checksum, expected_tail};
        if block.iter().all(|byte| *byte == 0) {
            return Verdict::Zero;
        }
        if block.len() < self.block_bytes {
            return Verdict::Damaged("incomplete".to_owned());
        }
        let header = BlockHeader::read(block);
        let tail: [u8; 4] = block[block.len() - 4..].try_into().expect("four bytes");
        if _number > 0 && u32::from_le_bytes(tail) != expected_tail(&header) {
            return Verdict::Torn;
        }
        if _number > 0 && checksum(block) != 0 {
            return Verdict::Damaged("bad check value".to_owned());
        }
        Verdict::Good
    }
}
