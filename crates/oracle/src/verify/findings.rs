//! The blocks that a report names.
//! What lives here: runs of blocks, bounded. What does not: totals, which count every block.

use super::Verdict;

/// Blocks that follow one another and share a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// First block.
    pub first: u32,
    /// Last block; the same as the first but for blocks of zeros.
    pub last: u32,
    /// What is wrong.
    pub verdict: Verdict,
}

impl Finding {
    /// How many blocks.
    pub fn blocks(&self) -> u64 {
        u64::from(self.last - self.first) + 1
    }
}

/// Findings in the order of the file, at most so many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Findings {
    listed: Vec<Finding>,
    max: usize,
    blocks_left_out: u64,
}

impl Findings {
    /// None yet, and room for `max`.
    pub fn new(max: usize) -> Findings {
        Findings {
            listed: Vec::new(),
            max,
            blocks_left_out: 0,
        }
    }

    /// The ones that fitted in.
    pub fn listed(&self) -> &[Finding] {
        &self.listed
    }

    /// Blocks that are counted but not listed.
    pub fn blocks_left_out(&self) -> u64 {
        self.blocks_left_out
    }

    /// Adds one. Zeros that go on where the last finding ended lengthen that one.
    pub fn push(&mut self, finding: Finding) {
        if let Some(before) = self.listed.last_mut()
            && matches!(finding.verdict, Verdict::Zero { .. })
            && before.verdict == finding.verdict
            && before.last.checked_add(1) == Some(finding.first)
        {
            before.last = finding.last;
        } else if self.listed.len() < self.max {
            self.listed.push(finding);
        } else {
            self.blocks_left_out += finding.blocks();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_become_ranges_and_the_list_is_bounded() {
        let zero = Verdict::Zero { allowed: false };
        let mut findings = Findings::new(2);
        for (first, last, verdict) in [
            (3, 3, zero),
            (4, 9, zero),
            (10, 10, Verdict::MarkedCorrupt),
            (11, 11, Verdict::MarkedCorrupt),
            (20, 22, zero),
        ] {
            findings.push(Finding {
                first,
                last,
                verdict,
            });
        }
        let listed: Vec<(u32, u64)> = findings
            .listed()
            .iter()
            .map(|finding| (finding.first, finding.blocks()))
            .collect();
        assert_eq!(listed, [(3, 7), (10, 1)]);
        assert_eq!(findings.blocks_left_out(), 4);
    }
}
