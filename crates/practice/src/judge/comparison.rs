//! A scan compared with a book, row by row, in memory bounded by the number of keys.
//! What lives here: the classes of fault and the rules that tell them apart. What does not: sockets and files.

use std::collections::{BTreeMap, HashMap};

use oracle::scn::Scn;

use super::verdict::Verdict;
use crate::content::{initial_text, text_hash};
use crate::ledger::RowFact;
use crate::ledger::book::{Book, InDoubt, KeyState};
use crate::protocol::{ScannedRow, ScannedSession};

/// What the scan told about one row of a commit in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// The row is of that commit.
    Present,
    /// The row is of an older one.
    Absent,
    /// The row is of a newer one, or damaged.
    Hidden,
}

/// Takes what a scan tells and finishes with the verdict.
#[derive(Debug)]
pub struct Comparison {
    book: Book,
    loaded: u64,
    seed: u64,
    seen: Vec<bool>,
    /// By key: the commits in doubt that would have written it, by position in the book, oldest first.
    doubts: HashMap<u64, Vec<usize>>,
    traces: Vec<Vec<Trace>>,
    sessions: BTreeMap<u32, ScannedSession>,
    verdict: Verdict,
}

impl Comparison {
    /// A comparison with a book whose keys below `loaded` were filled from `seed` at creation.
    pub fn new(book: Book, loaded: u64, seed: u64) -> Comparison {
        let mut doubts: HashMap<u64, Vec<usize>> = HashMap::new();
        for (position, in_doubt) in book.in_doubt.iter().enumerate() {
            for row in &in_doubt.transaction.rows {
                doubts.entry(row.key).or_default().push(position);
            }
        }
        let verdict = Verdict {
            commits: book.counted,
            commits_beyond_target: book.beyond_target,
            commits_void: book.void,
            ledger_torn: book.torn_end,
            ..Verdict::default()
        };
        Comparison {
            seen: vec![false; book.keys.len()],
            traces: vec![Vec::new(); book.in_doubt.len()],
            sessions: BTreeMap::new(),
            book,
            loaded,
            seed,
            doubts,
            verdict,
        }
    }

    /// The scan found this row.
    pub fn row(&mut self, row: &ScannedRow) {
        self.verdict.rows += 1;
        let key = row.key;
        let Some(seen) = self.seen.get_mut(key as usize) else {
            self.verdict
                .extra
                .add(|| format!("key {key}: the database has no such key"));
            return;
        };
        if std::mem::replace(seen, true) {
            self.verdict
                .damaged
                .add(|| format!("key {key}: the scan told it twice"));
        } else if let Some(what) = &row.damage {
            self.verdict.damaged.add(|| format!("key {key}: {what}"));
            self.trace(key, |_| Trace::Hidden);
        } else if !self.is_in_doubt(row) {
            self.compare(row, self.book.keys[key as usize]);
            self.trace(key, |doubt| {
                if row.transaction > doubt {
                    Trace::Hidden
                } else {
                    Trace::Absent
                }
            });
        }
    }

    /// Judges a row that a commit in doubt wrote; false when none did.
    fn is_in_doubt(&mut self, row: &ScannedRow) -> bool {
        let ScannedRow {
            key, transaction, ..
        } = *row;
        let writer = self.doubts.get(&key).and_then(|positions| {
            positions
                .iter()
                .map(|at| &self.book.in_doubt[*at])
                .find(|doubt| doubt.transaction.number == transaction)
        });
        let Some(InDoubt {
            transaction: intent,
            beyond_target,
        }) = writer
        else {
            return false;
        };
        if *beyond_target {
            self.verdict
                .extra
                .add(|| format!("key {key}: transaction {transaction}, sent after the target"));
        } else if !intent.rows.contains(&RowFact {
            key,
            hash: (!row.deleted).then_some(row.hash),
        }) {
            self.verdict
                .damaged
                .add(|| format!("key {key}: not as transaction {transaction} (in doubt) wrote it"));
        }
        self.trace(key, |doubt| match doubt.cmp(&transaction) {
            std::cmp::Ordering::Less => Trace::Hidden,
            std::cmp::Ordering::Equal => Trace::Present,
            std::cmp::Ordering::Greater => Trace::Absent,
        });
        true
    }

    /// Notes for every commit in doubt that would have written `key` what became of it.
    fn trace(&mut self, key: u64, judge: impl Fn(u64) -> Trace) {
        for position in self.doubts.get(&key).into_iter().flatten() {
            self.traces[*position].push(judge(self.book.in_doubt[*position].transaction.number));
        }
    }

    fn compare(&mut self, row: &ScannedRow, expected: KeyState) {
        let ScannedRow {
            key,
            transaction,
            scn,
            ..
        } = *row;
        if transaction != expected.transaction {
            if transaction == 0 || Scn::new(scn) < expected.scn {
                let found = writer(transaction, scn);
                self.verdict.missing.add(|| {
                    format!(
                        "key {key}: {} is lost, the row is of {found}",
                        writer_of(expected)
                    )
                });
            } else {
                let wanted = writer_of(expected);
                self.verdict.extra.add(|| {
                    format!(
                        "key {key}: {} must not be there, the last was {wanted}",
                        writer(transaction, scn)
                    )
                });
            }
        } else if transaction == 0 {
            self.compare_initial(row);
        } else if Scn::new(scn) != expected.scn {
            self.verdict
                .damaged
                .add(|| format!("key {key}: SCN {scn}, acknowledged with {}", expected.scn));
        } else if row.deleted != expected.hash.is_none()
            || expected.hash.is_some_and(|hash| hash != row.hash)
        {
            self.verdict.damaged.add(|| {
                format!("key {key}: not as transaction {transaction} (SCN {scn}) wrote it")
            });
        }
    }

    fn compare_initial(&mut self, row: &ScannedRow) {
        let key = row.key;
        if key >= self.loaded {
            self.verdict.extra.add(|| {
                format!("key {key}: never written, but there is a row of the initial load")
            });
        } else if row.deleted || row.hash != text_hash(initial_text(self.seed, key).as_bytes()) {
            self.verdict
                .damaged
                .add(|| format!("key {key}: not as the initial load wrote it"));
        }
    }

    /// The scan found these counters.
    pub fn session(&mut self, session: &ScannedSession) {
        if self
            .sessions
            .insert(session.session, session.clone())
            .is_some()
        {
            self.verdict
                .counters
                .add(|| format!("session {}: the scan told it twice", session.session));
        }
    }

    /// The scan met something unreadable.
    pub fn damage(&mut self, file: u32, block: u32, what: &str) {
        self.verdict
            .damaged
            .add(|| format!("file {file}, block {block}: {what}"));
    }

    /// The scan is over.
    pub fn finish(mut self) -> Verdict {
        self.unseen_keys();
        let allowed = self.doubts_resolved();
        self.session_counters(&allowed);
        self.verdict.conclude()
    }

    /// Keys that the scan did not tell must never have been written.
    fn unseen_keys(&mut self) {
        for key in 0..self.seen.len() as u64 {
            if self.seen[key as usize] {
                continue;
            }
            let expected = self.book.keys[key as usize];
            if expected.transaction != 0 || key < self.loaded {
                self.verdict
                    .missing
                    .add(|| format!("key {key}: no row, {} is lost", writer_of(expected)));
            }
            self.trace(key, |_| Trace::Absent);
        }
    }

    /// Judges whether commits in doubt are whole. Returns per session the numbers of those that are there for certain
    /// and of those that may be.
    fn doubts_resolved(&mut self) -> BTreeMap<u32, Allowance> {
        let mut allowed: BTreeMap<u32, Allowance> = BTreeMap::new();
        for (in_doubt, traces) in self.book.in_doubt.iter().zip(&self.traces) {
            let number = in_doubt.transaction.number;
            let session = allowed.entry(in_doubt.transaction.session).or_default();
            match (
                traces.contains(&Trace::Present),
                traces.contains(&Trace::Absent),
            ) {
                (true, false) => {
                    self.verdict.in_doubt.present += 1;
                    session.certain.push(number);
                }
                (false, true) => self.verdict.in_doubt.absent += 1,
                (false, false) => {
                    self.verdict.in_doubt.overwritten += 1;
                    session.possible.push(number);
                }
                (true, true) => {
                    session.possible.push(number);
                    self.verdict.damaged.add(|| {
                        format!("transaction {number} (in doubt) is there in part: {traces:?}, row by row")
                    });
                }
            }
        }
        allowed
    }

    fn session_counters(&mut self, allowed: &BTreeMap<u32, Allowance>) {
        let nothing = Allowance::default();
        for (session, total) in &self.book.sessions {
            if !self.sessions.contains_key(session) {
                let committed = total.committed;
                self.verdict.counters.add(|| {
                    format!("session {session}: no counter, {committed} commits by the ledger")
                });
            }
        }
        for (session, scanned) in &self.sessions {
            let ScannedSession {
                committed,
                committed_rollback,
                last_transaction,
                ..
            } = *scanned;
            if committed != committed_rollback {
                self.verdict.counters.add(|| {
                    format!("session {session}: {committed} commits in SYSTEM, {committed_rollback} in PSAPROLL")
                });
            }
            let total = self.book.sessions.get(session).copied().unwrap_or_default();
            let Allowance { certain, possible } = allowed.get(session).unwrap_or(&nothing);
            let least = total.committed + certain.len() as u64;
            let most = least + possible.len() as u64;
            if !(least..=most).contains(&committed) {
                self.verdict.counters.add(|| {
                    let ledger = if least == most {
                        least.to_string()
                    } else {
                        format!("{least} to {most}")
                    };
                    format!(
                        "session {session}: {committed} commits in SYSTEM, {ledger} by the ledger"
                    )
                });
            }
            let last = certain
                .iter()
                .copied()
                .max()
                .unwrap_or_default()
                .max(total.last_transaction);
            if last_transaction != last && !possible.contains(&last_transaction) {
                self.verdict.counters.add(|| {
                    format!("session {session}: last transaction {last_transaction}, by the ledger {last}")
                });
            }
        }
    }
}

/// Commits in doubt of one session, by number.
#[derive(Debug, Default)]
struct Allowance {
    certain: Vec<u64>,
    possible: Vec<u64>,
}

fn writer_of(state: KeyState) -> String {
    writer(state.transaction, state.scn.get())
}

fn writer(transaction: u64, scn: u64) -> String {
    match transaction {
        0 => "the initial load".to_string(),
        number => format!("transaction {number} (SCN {scn})"),
    }
}
