//! Totals over many blocks, counted as DBVERIFY counts them.
//! What lives here: the counters. What does not: which block was what.

use super::{Content, Verdict};
use crate::scn::Scn;

/// DBVERIFY's totals, and the classes that it does not tell apart.
///
/// Block 0 counts only when something is wrong with it: DBVERIFY does not examine it. DBVERIFY's *Failing* totals come from
/// looking into rows and index entries, which nobody does here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Blocks judged, without block 0.
    pub examined: u64,
    /// Sound blocks with rows.
    pub data: u64,
    /// Sound blocks with index entries.
    pub index: u64,
    /// Sound headers of undo segments.
    pub segment: u64,
    /// Other sound blocks that are in use.
    pub other: u64,
    /// Never used blocks.
    pub empty: u64,
    /// Blocks of zeros where they may be: a warning.
    pub zero_allowed: u64,
    /// Blocks of zeros where they may not be.
    pub zero: u64,
    /// Blocks with an impossible header.
    pub bad_header: u64,
    /// Blocks whose head and tail do not fit.
    pub fractured: u64,
    /// Blocks with sequence 0xff.
    pub given_up: u64,
    /// Blocks with a bad check value.
    pub bad_check_value: u64,
    /// Highest SCN of a sound block.
    pub highest_scn: Scn,
}

impl Summary {
    /// Counts one block.
    pub fn add(&mut self, block_number: u32, verdict: Verdict) {
        self.add_many(u64::from(block_number), 1, verdict);
    }

    /// Counts `count` blocks from `first` on that share a verdict: the blocks of a hole.
    pub fn add_many(&mut self, first: u64, count: u64, verdict: Verdict) {
        if count == 0 {
            return;
        }
        self.examined += if first == 0 { count - 1 } else { count };
        if first == 0 && count == 1 && !verdict.is_corrupt() {
            return;
        }
        match verdict {
            Verdict::Sound { content, scn } => {
                self.highest_scn = self.highest_scn.max(scn);
                match content {
                    Content::Data => self.data += count,
                    Content::Index => self.index += count,
                    Content::Segment => self.segment += count,
                    Content::Other => self.other += count,
                    Content::Empty => self.empty += count,
                }
            }
            Verdict::Zero { allowed: true } => self.zero_allowed += count,
            Verdict::Zero { allowed: false } => self.zero += count,
            Verdict::BadHeader(_) => self.bad_header += count,
            Verdict::Fractured { .. } => self.fractured += count,
            Verdict::MarkedCorrupt => self.given_up += count,
            Verdict::BadCheckValue { .. } => self.bad_check_value += count,
        }
    }

    /// Adds the totals of other blocks.
    pub fn merge(&mut self, other: &Summary) {
        for (total, more) in [
            (&mut self.examined, other.examined),
            (&mut self.data, other.data),
            (&mut self.index, other.index),
            (&mut self.segment, other.segment),
            (&mut self.other, other.other),
            (&mut self.empty, other.empty),
            (&mut self.zero_allowed, other.zero_allowed),
            (&mut self.zero, other.zero),
            (&mut self.bad_header, other.bad_header),
            (&mut self.fractured, other.fractured),
            (&mut self.given_up, other.given_up),
            (&mut self.bad_check_value, other.bad_check_value),
        ] {
            *total += more;
        }
        self.highest_scn = self.highest_scn.max(other.highest_scn);
    }

    /// DBVERIFY's *Marked Corrupt*: every corrupt block, whatever is wrong with it, the influx ones among them.
    pub fn marked_corrupt(&self) -> u64 {
        self.zero + self.bad_header + self.fractured + self.given_up + self.bad_check_value
    }

    /// DBVERIFY's *Influx*: the fractured blocks.
    pub fn influx(&self) -> u64 {
        self.fractured
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::HeaderFault;

    #[test]
    fn every_block_is_counted_once_and_block_0_only_when_bad() {
        let sound = |content, scn| Verdict::Sound {
            content,
            scn: Scn::new(scn),
        };
        let mut summary = Summary::default();
        summary.add(0, sound(Content::Other, 0));
        summary.add(1, sound(Content::Data, 9));
        summary.add(2, sound(Content::Index, 12));
        summary.add(3, sound(Content::Empty, 0));
        summary.add_many(4, 10, Verdict::Zero { allowed: true });
        summary.add(14, Verdict::MarkedCorrupt);
        let fractured = Verdict::Fractured {
            expected_tail: 1,
            found_tail: 2,
        };
        summary.add(15, fractured);
        assert_eq!((summary.examined, summary.other), (15, 0));
        assert_eq!(
            (summary.marked_corrupt(), summary.influx(), summary.empty),
            (2, 1, 1)
        );
        assert_eq!(summary.highest_scn, Scn::new(12));
        let mut other = Summary::default();
        other.add(0, Verdict::BadHeader(HeaderFault::OsHeader("no")));
        assert_eq!((other.examined, other.marked_corrupt()), (0, 1));
        other.merge(&summary);
        assert_eq!((other.examined, other.marked_corrupt()), (15, 3));
    }
}
