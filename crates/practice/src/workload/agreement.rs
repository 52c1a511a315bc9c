//! Whether ledger and database agree on what was committed so far, before a workload adds to both.
//! What lives here: comparing the sessions' counters. What does not: rows, which only the judge looks at.

use std::collections::{BTreeMap, BTreeSet};

use super::{Options, WorkloadError, connection};
use crate::ledger::book::Book;
use crate::protocol::{Answer, Client, Request};

/// Compares what each session committed. When a counter cannot be read, nothing is refused: the judge will name it.
pub(super) fn agree(
    client: &mut Client,
    options: &Options,
    book: &Book,
) -> Result<(), WorkloadError> {
    let Some(committed) = committed(client, options)? else {
        return Ok(());
    };
    let (lost, foreign) = differences(book, &committed);
    let ledger = options.ledger.clone();
    if foreign > 0 {
        let count = foreign;
        return Err(WorkloadError::Foreign { ledger, count });
    }
    if lost > 0 {
        let count = lost;
        return Err(WorkloadError::Lost { ledger, count });
    }
    Ok(())
}

/// Commits by session; None when not every counter can be read.
fn committed(
    client: &mut Client,
    options: &Options,
) -> Result<Option<BTreeMap<u32, u64>>, WorkloadError> {
    let connection = |source| connection(options, source);
    client.send(&Request::Sessions).map_err(connection)?;
    let (mut committed, mut readable) = (BTreeMap::new(), true);
    loop {
        match client.receive().map_err(connection)? {
            Answer::Session(session) => {
                committed.insert(session.session, session.committed);
            }
            Answer::Damage { .. } => readable = false,
            Answer::End => return Ok(readable.then_some(committed)),
            Answer::Error(error) => return Err(WorkloadError::Database(error)),
            other => {
                return Err(connection(std::io::Error::other(format!(
                    "{other:?} to a question for the sessions"
                ))));
            }
        }
    }
}

/// How many commits of the book the database lacks, and how many of its commits the book does not know. A commit in
/// doubt may be there or not.
fn differences(book: &Book, committed: &BTreeMap<u32, u64>) -> (u64, u64) {
    let mut doubts: BTreeMap<u32, u64> = BTreeMap::new();
    for in_doubt in &book.in_doubt {
        *doubts.entry(in_doubt.transaction.session).or_default() += 1;
    }
    let sessions: BTreeSet<u32> = committed
        .keys()
        .chain(book.sessions.keys())
        .copied()
        .collect();
    let (mut lost, mut foreign) = (0, 0);
    for session in sessions {
        let found = committed.get(&session).copied().unwrap_or_default();
        let least = book
            .sessions
            .get(&session)
            .map_or(0, |total| total.committed);
        let most = least + doubts.get(&session).copied().unwrap_or_default();
        lost += least.saturating_sub(found);
        foreign += found.saturating_sub(most);
    }
    (lost, foreign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{book_of, commit, intent, row};

    #[test]
    fn sessions_are_compared_one_by_one_and_doubts_are_allowed_either_way() {
        let mut facts = commit(1, 0, 100, &[row(1, 1)]);
        facts.extend(commit(2, 0, 101, &[row(1, 2)]));
        facts.extend(commit(3, 1, 102, &[row(2, 3)]));
        facts.push(intent(4, 1, &[row(3, 4)]));
        let book = book_of(&facts, None).unwrap();
        for (committed, expected) in [
            (&[(0, 2), (1, 1)][..], (0, 0)),
            (&[(0, 2), (1, 2)], (0, 0)),
            (&[(0, 2), (1, 3)], (0, 1)),
            (&[(0, 1), (1, 1)], (1, 0)),
            (&[(0, 3), (1, 0)], (1, 1)),
            (&[(0, 2), (1, 1), (7, 5)], (0, 5)),
            (&[], (3, 0)),
        ] {
            let committed = committed.iter().copied().collect();
            assert_eq!(differences(&book, &committed), expected, "{committed:?}");
        }
    }
}
