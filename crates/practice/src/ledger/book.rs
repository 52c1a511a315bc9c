//! What the facts of a ledger add up to: what every key must hold, and which commits are in doubt.
//! What lives here: replaying facts up to a target. What does not: comparing with a database (judge.rs).

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::Path;

use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::reader::Facts;
use super::{Boundary, Fact, LedgerError, RowFact, Transaction};
use crate::content::SESSIONS_MAX;

/// What a key holds by the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyState {
    /// The transaction that wrote it last; zero when none did since the database was created.
    pub transaction: u64,
    /// SCN of that transaction.
    pub scn: Scn,
    /// CRC-32 of the text it left, None when it deleted the row. Without meaning when `transaction` is zero.
    pub hash: Option<u32>,
}

/// A commit whose answer never came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    /// The transaction.
    pub transaction: Transaction,
    /// It was sent after an acknowledgement beyond the target came, so that it cannot lie before the target.
    pub beyond_target: bool,
}

/// What a session committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionTotal {
    /// Acknowledged commits that count.
    pub committed: u64,
    /// Number of the last of them.
    pub last_transaction: u64,
    /// Its SCN.
    pub scn: Scn,
}

/// The state that a ledger demands of a database.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// By key, for every key of the database.
    pub keys: Vec<KeyState>,
    /// Commits that are allowed either way, in the order of their intents.
    pub in_doubt: Vec<InDoubt>,
    /// By session number.
    pub sessions: BTreeMap<u32, SessionTotal>,
    /// Acknowledged commits that count.
    pub counted: u64,
    /// Acknowledged commits beyond the target.
    pub beyond_target: u64,
    /// Acknowledged commits that an OPEN RESETLOGS discarded.
    pub void: u64,
    /// Highest transaction number of any intent, zero for an empty ledger.
    pub highest_number: u64,
    /// Whether the ledger ended in a torn line.
    pub torn_end: bool,
}

impl Book {
    /// Replays the ledger at `path` for a database of `keys` keys; commits beyond `target` do not count.
    ///
    /// Errors name the line: keys or sessions that do not exist, an acknowledgement without its intent, numbers that
    /// do not rise within their session.
    pub fn read(path: &Path, target: Option<Boundary>, keys: u64) -> Result<Book, LedgerError> {
        let truncations = Facts::open(path)?
            .filter_map(|item| match item {
                Ok((line, Fact::Truncate(boundary))) => Some(Ok((line, boundary))),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Book::replay(&mut Facts::open(path)?, &truncations, target, keys)
    }

    /// Replays facts whose truncations are known beforehand, by line and in order.
    pub(crate) fn replay<R: BufRead>(
        facts: &mut Facts<R>,
        truncations: &[(u64, Boundary)],
        target: Option<Boundary>,
        keys: u64,
    ) -> Result<Book, LedgerError> {
        let mut states = Vec::new();
        states
            .try_reserve_exact(usize::try_from(keys).unwrap_or(usize::MAX))
            .map_err(|_| facts.bad(format!("no memory for the state of {keys} keys")))?;
        states.resize(keys as usize, KeyState::default());
        let mut replay = Replay {
            book: Book {
                keys: states,
                ..Book::default()
            },
            limits: Limits::new(truncations, target),
            open: HashMap::new(),
            last_numbers: HashMap::new(),
            newest: None,
        };
        while let Some(item) = facts.next() {
            let (line, fact) = item?;
            replay.see(line, fact).map_err(|what| facts.bad(what))?;
        }
        replay.book.torn_end = facts.torn_end();
        Ok(replay.finish())
    }
}

/// Which commits count, as the reader moves down the ledger: those before the target and before every truncation
/// that is still to come.
struct Limits {
    target: Option<Boundary>,
    /// By line, from the last truncation to the first; what is behind the reader is popped.
    ahead: Vec<(u64, Boundary)>,
}

impl Limits {
    fn new(truncations: &[(u64, Boundary)], target: Option<Boundary>) -> Limits {
        Limits {
            target,
            ahead: truncations.iter().rev().copied().collect(),
        }
    }

    fn pass(&mut self, line: u64) {
        while self.ahead.last().is_some_and(|(at, _)| *at <= line) {
            self.ahead.pop();
        }
    }

    fn is_void(&self, commit: (Scn, OracleTime)) -> bool {
        self.ahead
            .iter()
            .any(|(_, boundary)| beyond(commit, *boundary))
    }

    fn is_beyond_target(&self, commit: (Scn, OracleTime)) -> bool {
        self.target.is_some_and(|boundary| beyond(commit, boundary))
    }
}

fn beyond((scn, time): (Scn, OracleTime), boundary: Boundary) -> bool {
    match boundary {
        Boundary::Scn(limit) => scn >= limit,
        Boundary::Time(limit) => time >= limit,
    }
}

struct Replay {
    book: Book,
    limits: Limits,
    /// The intent of each session that waits for its acknowledgement.
    open: HashMap<u32, InDoubt>,
    last_numbers: HashMap<u32, u64>,
    /// The newest acknowledgement since the last truncation: what is sent after it commits after it.
    newest: Option<(Scn, OracleTime)>,
}

impl Replay {
    fn see(&mut self, line: u64, fact: Fact) -> Result<(), String> {
        match fact {
            Fact::Intent(transaction) => self.intent(transaction),
            Fact::Acknowledged {
                transaction,
                scn,
                time,
            } => self.acknowledged(transaction, scn, time),
            Fact::Truncate(_) => {
                self.limits.pass(line);
                self.newest = None;
                let open = self.open.drain().map(|(_, in_doubt)| in_doubt);
                self.book.in_doubt.extend(open);
                Ok(())
            }
        }
    }

    fn intent(&mut self, transaction: Transaction) -> Result<(), String> {
        let (number, session) = (transaction.number, transaction.session);
        if session >= SESSIONS_MAX {
            return Err(format!(
                "session {session}; the highest is {}",
                SESSIONS_MAX - 1
            ));
        }
        if let Some(row) = transaction
            .rows
            .iter()
            .find(|row| row.key >= self.book.keys.len() as u64)
        {
            return Err(format!(
                "key {}, but the database has {} keys",
                row.key,
                self.book.keys.len()
            ));
        }
        let last = self
            .last_numbers
            .insert(session, number)
            .unwrap_or_default();
        if number <= last {
            return Err(format!(
                "transaction {number} of session {session} comes after its transaction {last}"
            ));
        }
        self.book.highest_number = self.book.highest_number.max(number);
        let beyond_target = self.newest.is_some_and(|commit| {
            self.limits.is_void(commit) || self.limits.is_beyond_target(commit)
        });
        if let Some(unanswered) = self.open.insert(
            session,
            InDoubt {
                transaction,
                beyond_target,
            },
        ) {
            self.book.in_doubt.push(unanswered);
        }
        Ok(())
    }

    fn acknowledged(
        &mut self,
        transaction: Transaction,
        scn: Scn,
        time: OracleTime,
    ) -> Result<(), String> {
        let Transaction {
            number,
            session,
            rows,
        } = &transaction;
        match self.open.remove(session) {
            Some(intent) if intent.transaction == transaction => {}
            _ => {
                return Err(format!(
                    "transaction {number} is acknowledged, but its intent is not the session's last"
                ));
            }
        }
        if self.newest.is_none_or(|(newest, _)| newest < scn) {
            self.newest = Some((scn, time));
        }
        if self.limits.is_void((scn, time)) {
            self.book.void += 1;
        } else if self.limits.is_beyond_target((scn, time)) {
            self.book.beyond_target += 1;
        } else {
            self.book.counted += 1;
            let total = self.book.sessions.entry(*session).or_default();
            *total = SessionTotal {
                committed: total.committed + 1,
                last_transaction: *number,
                scn,
            };
            for RowFact { key, hash } in rows {
                self.book.keys[*key as usize] = KeyState {
                    transaction: *number,
                    scn,
                    hash: *hash,
                };
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Book {
        self.book.in_doubt.extend(self.open.into_values());
        self.book
            .in_doubt
            .sort_by_key(|in_doubt| in_doubt.transaction.number);
        self.book
    }
}
