//! What a transaction of the workload changes.
//! What lives here: the mix of inserts, updates and deletes. What does not: sending them (session.rs).

use super::keys::Share;
use crate::content::row_text;
use crate::ledger::{RowFact, Transaction};
use crate::protocol::RowChange;

/// Most rows that one transaction changes.
const ROWS_MAX: usize = 4;
/// Share of deletes among the changes, in percent.
const DELETES_PERCENT: u32 = 5;
/// Share of inserts, in percent; the rest are updates.
const INSERTS_PERCENT: u32 = 25;

/// Random changes of one to four keys of the share; empty when the share has no key left to change.
pub fn changes(share: &Share, number: u64, random: &mut fastrand::Rng) -> Vec<RowChange> {
    let mut taken = Vec::with_capacity(ROWS_MAX);
    let mut changes = Vec::with_capacity(ROWS_MAX);
    for _ in 0..random.usize(1..=ROWS_MAX) {
        let kind = random.u32(0..100);
        let (live, delete) = match kind {
            _ if kind < DELETES_PERCENT => (true, true),
            _ if kind < DELETES_PERCENT + INSERTS_PERCENT => (false, false),
            _ => (true, false),
        };
        // A full or an empty database has no key of one kind; then the change writes to one of the other.
        let (key, delete) = match share.pick(random, live, &taken) {
            Some(key) => (key, delete),
            None => match share.pick(random, !live, &taken) {
                Some(key) => (key, false),
                None => continue,
            },
        };
        taken.push(key);
        let text = (!delete).then(|| row_text(key, number ^ random.u64(..)));
        changes.push(RowChange { key, text });
    }
    changes
}

/// The ledger's view of the changes.
pub fn transaction(number: u64, session: u32, changes: &[RowChange]) -> Transaction {
    Transaction {
        number,
        session,
        rows: changes.iter().map(RowFact::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::book::{Book, KeyState};

    #[test]
    fn the_mix_holds_and_keys_are_distinct() {
        let book = Book {
            keys: vec![KeyState::default(); 1000],
            ..Book::default()
        };
        let share = Share::new(&book, 700, 0, 1);
        let mut random = fastrand::Rng::with_seed(3);
        let (mut deletes, mut inserts, mut total) = (0, 0, 0);
        for number in 1..=2000 {
            let changes = changes(&share, number, &mut random);
            assert!((1..=ROWS_MAX).contains(&changes.len()));
            let mut keys: Vec<u64> = changes.iter().map(|change| change.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), changes.len());
            total += changes.len();
            deletes += changes
                .iter()
                .filter(|change| change.text.is_none())
                .count();
            inserts += changes
                .iter()
                .filter(|change| change.text.is_some() && change.key >= 700)
                .count();
        }
        assert!(
            (3..8).contains(&(deletes * 100 / total)),
            "{deletes} deletes of {total}"
        );
        assert!(
            (20..30).contains(&(inserts * 100 / total)),
            "{inserts} inserts of {total}"
        );
    }

    #[test]
    fn a_share_without_rows_gets_inserts_only() {
        let book = Book {
            keys: vec![KeyState::default(); 100],
            ..Book::default()
        };
        let share = Share::new(&book, 0, 0, 1);
        let mut random = fastrand::Rng::with_seed(3);
        assert!((1..200).all(|number| {
            changes(&share, number, &mut random)
                .iter()
                .all(|change| change.text.is_some())
        }));
    }

    #[test]
    fn a_share_without_keys_gets_nothing() {
        let share = Share::new(&Book::default(), 0, 0, 1);
        assert!(changes(&share, 1, &mut fastrand::Rng::with_seed(3)).is_empty());
    }
}
