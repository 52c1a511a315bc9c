//! What the judge found, for people and for programs.
//! What lives here: the counts, the named rows, how they are printed. What does not: finding them (comparison.rs).

use std::fmt;

use serde::Serialize;

/// Faults of one kind that are named; more are only counted.
pub const NAMED_MAX: usize = 20;

/// Faults of one kind: how many, and the first of them in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// How many there are.
    pub count: u64,
    /// The first [`NAMED_MAX`], a sentence each.
    pub first: Vec<String>,
}

impl Faults {
    /// Counts a fault and keeps its sentence if it is among the first.
    pub fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(what());
        }
    }
}

/// What became of the commits whose answer was lost. Either way is right as long as the commit is whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InDoubtCounts {
    /// Found whole.
    pub present: u64,
    /// Not there at all.
    pub absent: u64,
    /// Every row was written again later, so that it cannot be told.
    pub overwritten: u64,
}

/// The judgement of one database by one ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether there is no fault of any kind.
    pub clean: bool,
    /// Acknowledged commits that must be there.
    pub commits: u64,
    /// Acknowledged commits beyond the target, which must not be there.
    pub commits_beyond_target: u64,
    /// Acknowledged commits that an OPEN RESETLOGS discarded, which must not be there.
    pub commits_void: u64,
    /// Commits whose answer was lost.
    pub in_doubt: InDoubtCounts,
    /// Rows that the scan told, deleted ones included.
    pub rows: u64,
    /// Keys of which a row, or the newest change that must be there, is not.
    pub missing: Faults,
    /// Keys with a change that must not be there.
    pub extra: Faults,
    /// Rows, commits and blocks that contradict themselves or the text that was written.
    pub damaged: Faults,
    /// Session counters that do not fit each other or the ledger.
    pub counters: Faults,
    /// Whether the ledger ended in a torn line, which was left out.
    pub ledger_torn: bool,
}

impl Verdict {
    /// Sets `clean` from the counts.
    pub(super) fn conclude(mut self) -> Verdict {
        self.clean = [&self.missing, &self.extra, &self.damaged, &self.counters]
            .iter()
            .all(|kind| kind.count == 0);
        self
    }
}

/// A number and its noun.
fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "ledger    {} must be there",
            counted(self.commits, "commit")
        )?;
        if self.commits_beyond_target > 0 {
            write!(
                formatter,
                ", {} beyond the target must not",
                self.commits_beyond_target
            )?;
        }
        if self.commits_void > 0 {
            write!(formatter, ", {} discarded by RESETLOGS", self.commits_void)?;
        }
        writeln!(formatter)?;
        if self.ledger_torn {
            writeln!(
                formatter,
                "          its last line is torn and was left out"
            )?;
        }
        let InDoubtCounts {
            present,
            absent,
            overwritten,
        } = self.in_doubt;
        if present + absent + overwritten > 0 {
            write!(
                formatter,
                "in doubt  {} without an answer: ",
                counted(present + absent + overwritten, "commit")
            )?;
            writeln!(
                formatter,
                "{present} found whole, {absent} not there, {overwritten} overwritten since"
            )?;
        }
        writeln!(formatter, "database  {} scanned", counted(self.rows, "row"))?;
        for (name, faults) in [
            ("missing ", &self.missing),
            ("extra   ", &self.extra),
            ("damaged ", &self.damaged),
            ("counters", &self.counters),
        ] {
            writeln!(formatter, "{name}  {}", faults.count)?;
            for sentence in &faults.first {
                writeln!(formatter, "          {sentence}")?;
            }
            if faults.count > faults.first.len() as u64 {
                writeln!(
                    formatter,
                    "          … and {} more",
                    faults.count - faults.first.len() as u64
                )?;
            }
        }
        let verdict = if self.clean { "clean" } else { "NOT CLEAN" };
        write!(formatter, "verdict   {verdict}")
    }
}
