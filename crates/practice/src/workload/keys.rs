//! Which keys a session of the workload may touch, and which of them hold a row.
//! What lives here: the share of a session and picking from it. What does not: what is written (changes.rs).

use crate::ledger::book::Book;

/// Random draws before another kind of change is made instead.
const DRAWS_MAX: u32 = 64;

/// The keys of one session: every `sessions`-th key. No other session touches them, so that the order of the changes
/// of a key is the order of one session's commits, which the ledger knows for certain.
#[derive(Debug, Clone)]
pub struct Share {
    session: u64,
    sessions: u64,
    live: Bits,
    /// Keys of commits in doubt. They are left alone, so that the judge can tell what became of the commit.
    avoided: Bits,
}

impl Share {
    /// The share of `session` in a database that holds what `book` says.
    pub fn new(book: &Book, loaded: u64, session: u32, sessions: u32) -> Share {
        let (session, sessions) = (u64::from(session), u64::from(sessions));
        let keys = book.keys.len() as u64;
        let length = (keys + sessions - 1 - session) / sessions;
        let mut share = Share {
            session,
            sessions,
            live: Bits::new(length),
            avoided: Bits::new(length),
        };
        for place in 0..length {
            let key = place * sessions + session;
            let state = book.keys[key as usize];
            let live = if state.transaction == 0 {
                key < loaded
            } else {
                state.hash.is_some()
            };
            share.live.set(place, live);
        }
        for row in book
            .in_doubt
            .iter()
            .flat_map(|doubt| &doubt.transaction.rows)
        {
            if row.key % sessions == session {
                share.avoided.set(row.key / sessions, true);
            }
        }
        share
    }

    /// A random key that holds a row (`live`) or holds none, is not avoided and not among `taken`.
    pub fn pick(&self, random: &mut fastrand::Rng, live: bool, taken: &[u64]) -> Option<u64> {
        if self.live.length == 0 {
            return None;
        }
        (0..DRAWS_MAX)
            .map(|_| random.u64(0..self.live.length))
            .find(|place| {
                let key = self.key(*place);
                self.live.get(*place) == live && !self.avoided.get(*place) && !taken.contains(&key)
            })
            .map(|place| self.key(place))
    }

    /// The key holds a row from now on, or none.
    pub fn set_live(&mut self, key: u64, live: bool) {
        self.live.set(key / self.sessions, live);
    }

    /// The key is never picked again.
    pub fn avoid(&mut self, key: u64) {
        self.avoided.set(key / self.sessions, true);
    }

    fn key(&self, place: u64) -> u64 {
        place * self.sessions + self.session
    }
}

/// A row of bits.
#[derive(Debug, Clone)]
struct Bits {
    words: Vec<u64>,
    length: u64,
}

impl Bits {
    fn new(length: u64) -> Bits {
        Bits {
            words: vec![0; length.div_ceil(64) as usize],
            length,
        }
    }

    fn get(&self, at: u64) -> bool {
        self.words[(at / 64) as usize] & (1 << (at % 64)) != 0
    }

    fn set(&mut self, at: u64, value: bool) {
        let word = &mut self.words[(at / 64) as usize];
        *word = *word & !(1 << (at % 64)) | u64::from(value) << (at % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::book::{InDoubt, KeyState};
    use crate::ledger::{RowFact, Transaction};

    fn book(keys: usize) -> Book {
        Book {
            keys: vec![KeyState::default(); keys],
            ..Book::default()
        }
    }

    #[test]
    fn shares_cover_every_key_exactly_once() {
        let book = book(103);
        let mut owners = vec![0; 103];
        for session in 0..7 {
            let share = Share::new(&book, 50, session, 7);
            (0..share.live.length).for_each(|place| owners[share.key(place) as usize] += 1);
        }
        assert!(owners.iter().all(|count| *count == 1), "{owners:?}");
    }

    #[test]
    fn a_share_knows_what_the_ledger_left() {
        let mut book = book(8);
        book.keys[2] = KeyState {
            transaction: 1,
            hash: None,
            ..KeyState::default()
        };
        book.keys[6] = KeyState {
            transaction: 2,
            hash: Some(7),
            ..KeyState::default()
        };
        let share = Share::new(&book, 4, 0, 2);
        let live: Vec<bool> = (0..4).map(|place| share.live.get(place)).collect();
        assert_eq!(live, [true, false, false, true]);
    }

    #[test]
    fn keys_in_doubt_and_keys_already_taken_are_not_picked() {
        let mut book = book(3);
        let rows = vec![RowFact {
            key: 0,
            hash: Some(1),
        }];
        let transaction = Transaction {
            number: 1,
            session: 0,
            rows,
        };
        book.in_doubt.push(InDoubt {
            transaction,
            beyond_target: false,
        });
        let mut share = Share::new(&book, 3, 0, 1);
        let mut random = fastrand::Rng::with_seed(1);
        assert_eq!(share.pick(&mut random, true, &[1]), Some(2));
        share.avoid(2);
        assert_eq!(share.pick(&mut random, true, &[1]), None);
        share.set_live(1, false);
        assert_eq!(share.pick(&mut random, false, &[]), Some(1));
    }
}
