//! Every class of fault, by hand-made ledgers and scans.
//! What lives here: what the judge must find and what it must let pass. What does not: a real database.

use super::comparison::Comparison;
use super::verdict::NAMED_MAX;
use super::*;
use crate::content::{initial_text, text_hash};
use crate::ledger::tests::{acknowledged, book_of, commit, deleted, intent, row};
use crate::ledger::{Fact, RowFact};
use crate::protocol::{ScannedRow, ScannedSession};

const SEED: u64 = 4711;
const LOADED: u64 = 6;

/// Row 0 untouched, 1 updated, 2 deleted, 7 inserted; by sessions 0 and 1.
fn facts() -> Vec<Fact> {
    let mut facts = commit(1, 0, 100, &[row(1, 11), row(7, 77)]);
    facts.extend(commit(2, 1, 101, &[deleted(2)]));
    facts.extend(commit(3, 0, 102, &[row(1, 12)]));
    facts
}

/// A database as a scan tells it.
#[derive(Clone)]
struct Scan {
    rows: Vec<ScannedRow>,
    sessions: Vec<ScannedSession>,
}

fn scanned(key: u64, transaction: u64, scn: u64, hash: Option<u32>) -> ScannedRow {
    ScannedRow {
        key,
        transaction,
        scn,
        deleted: hash.is_none(),
        hash: hash.unwrap_or(0),
        damage: None,
    }
}

fn initial(key: u64) -> ScannedRow {
    scanned(
        key,
        0,
        0,
        Some(text_hash(initial_text(SEED, key).as_bytes())),
    )
}

fn counter(session: u32, last_transaction: u64, committed: u64, scn: u64) -> ScannedSession {
    ScannedSession {
        session,
        last_transaction,
        committed,
        committed_rollback: committed,
        scn,
    }
}

impl Scan {
    /// What the database must hold by [`facts`].
    fn right() -> Scan {
        let mut rows: Vec<ScannedRow> = (0..LOADED).map(initial).collect();
        rows[1] = scanned(1, 3, 102, Some(12));
        rows[2] = scanned(2, 2, 101, None);
        rows.push(scanned(7, 1, 100, Some(77)));
        Scan {
            rows,
            sessions: vec![counter(0, 3, 2, 102), counter(1, 2, 1, 101)],
        }
    }

    fn row(&mut self, key: u64) -> &mut ScannedRow {
        self.rows.iter_mut().find(|row| row.key == key).unwrap()
    }

    fn without(mut self, key: u64) -> Scan {
        self.rows.retain(|row| row.key != key);
        self
    }

    fn with(mut self, row: ScannedRow) -> Scan {
        self = self.without(row.key);
        self.rows.push(row);
        self
    }

    fn verdict(&self, facts: &[Fact], target: Target) -> Verdict {
        let book = book_of(facts, target.boundary()).unwrap();
        let mut comparison = Comparison::new(book, LOADED, SEED);
        self.rows.iter().for_each(|row| comparison.row(row));
        self.sessions
            .iter()
            .for_each(|session| comparison.session(session));
        comparison.finish()
    }

    fn faults(&self, facts: &[Fact]) -> [u64; 4] {
        counts(&self.verdict(facts, Target::Everything))
    }
}

/// Missing, extra, damaged, counters.
fn counts(verdict: &Verdict) -> [u64; 4] {
    let counts = [
        &verdict.missing,
        &verdict.extra,
        &verdict.damaged,
        &verdict.counters,
    ]
    .map(|kind| kind.count);
    assert_eq!(verdict.clean, counts == [0; 4]);
    counts
}

#[test]
fn a_database_that_holds_what_the_ledger_says_is_clean() {
    let verdict = Scan::right().verdict(&facts(), Target::Everything);
    assert!(verdict.clean, "{verdict}");
    assert_eq!((verdict.commits, verdict.rows), (3, 7));
    assert!(
        verdict.to_string().ends_with("verdict   clean"),
        "{verdict}"
    );
}

#[test]
fn a_lost_row_a_lost_update_and_a_lost_delete_are_missing() {
    assert_eq!(Scan::right().without(7).faults(&facts()), [1, 0, 0, 0]);
    assert_eq!(Scan::right().without(0).faults(&facts()), [1, 0, 0, 0]);
    assert_eq!(
        Scan::right()
            .with(scanned(1, 1, 100, Some(11)))
            .faults(&facts()),
        [1, 0, 0, 0]
    );
    assert_eq!(
        Scan::right().with(initial(1)).faults(&facts()),
        [1, 0, 0, 0]
    );
    let verdict = Scan::right()
        .with(initial(2))
        .verdict(&facts(), Target::Everything);
    assert_eq!(counts(&verdict), [1, 0, 0, 0]);
    assert_eq!(
        verdict.missing.first,
        ["key 2: transaction 2 (SCN 101) is lost, the row is of the initial load"]
    );
}

#[test]
fn rows_nobody_wrote_are_extra() {
    assert_eq!(
        Scan::right()
            .with(scanned(8, 9, 200, Some(1)))
            .faults(&facts()),
        [0, 1, 0, 0]
    );
    assert_eq!(
        Scan::right()
            .with(scanned(8, 0, 0, Some(1)))
            .faults(&facts()),
        [0, 1, 0, 0]
    );
    assert_eq!(
        Scan::right()
            .with(scanned(1, 9, 200, Some(1)))
            .faults(&facts()),
        [0, 1, 0, 0]
    );
    assert_eq!(
        Scan::right()
            .with(scanned(1, 9, 200, None))
            .faults(&facts()),
        [0, 1, 0, 0]
    );
    assert_eq!(
        Scan::right()
            .with(scanned(10, 0, 0, Some(1)))
            .faults(&facts()),
        [0, 1, 0, 0]
    );
}

#[test]
fn commits_beyond_the_target_are_extra_and_without_them_it_is_clean() {
    let target = Target::Scn(Scn::new(102));
    let late = Scan::right().verdict(&facts(), target);
    assert_eq!(counts(&late)[..3], [0, 1, 0], "{late}");
    assert!(
        late.counters.count > 0,
        "the counters are those of a later moment"
    );
    let mut right = Scan::right().with(scanned(1, 1, 100, Some(11)));
    right.sessions[0] = counter(0, 1, 1, 100);
    let verdict = right.verdict(&facts(), target);
    assert!(verdict.clean, "{verdict}");
    assert_eq!((verdict.commits, verdict.commits_beyond_target), (2, 1));
    assert_eq!(
        counts(&right.verdict(&facts(), Target::Time(crate::ledger::tests::time_of(102)))),
        [0; 4]
    );
}

#[test]
fn wrong_text_wrong_state_and_wrong_scn_are_damage() {
    let mut text = Scan::right();
    text.row(7).hash ^= 1;
    let mut initial_text = Scan::right();
    initial_text.row(0).hash ^= 1;
    let mut resurrected = Scan::right();
    resurrected.row(2).deleted = false;
    let mut scn = Scan::right();
    scn.row(7).scn += 1;
    let mut reported = Scan::right();
    reported.row(7).damage = Some("the index entry is of transaction 9".to_string());
    let mut twice = Scan::right();
    twice.rows.push(initial(0));
    for scan in [text, initial_text, resurrected, scn, reported, twice] {
        assert_eq!(scan.faults(&facts()), [0, 0, 1, 0]);
    }
}

#[test]
fn an_unreadable_block_is_damage_and_named() {
    let mut comparison = Comparison::new(book_of(&[], None).unwrap(), 0, SEED);
    comparison.damage(5, 99, "fractured");
    let verdict = comparison.finish();
    assert_eq!(counts(&verdict), [0, 0, 1, 0]);
    assert_eq!(verdict.damaged.first, ["file 5, block 99: fractured"]);
}

#[test]
fn counters_are_compared_with_each_other_and_with_the_ledger() {
    let mut rollback = Scan::right();
    rollback.sessions[0].committed_rollback -= 1;
    let mut both = Scan::right();
    both.sessions[0] = counter(0, 3, 3, 102);
    let mut last = Scan::right();
    last.sessions[0].last_transaction = 1;
    let mut lost = Scan::right();
    lost.sessions.pop();
    let mut unknown = Scan::right();
    unknown.sessions.push(counter(5, 0, 0, 0));
    unknown.sessions.push(counter(5, 0, 0, 0));
    for scan in [rollback, both, last, lost, unknown] {
        assert_eq!(scan.faults(&facts()), [0, 0, 0, 1]);
    }
}

fn with_doubt(rows: &[RowFact]) -> Vec<Fact> {
    let mut facts = facts();
    facts.push(intent(4, 1, rows));
    facts
}

#[test]
fn a_commit_in_doubt_may_be_there_or_not_but_only_whole() {
    let facts = with_doubt(&[row(3, 33), deleted(4), row(8, 88)]);
    let absent = Scan::right().verdict(&facts, Target::Everything);
    assert!(absent.clean && absent.in_doubt.absent == 1, "{absent}");
    let mut there = Scan::right()
        .with(scanned(3, 4, 110, Some(33)))
        .with(scanned(4, 4, 110, None))
        .with(scanned(8, 4, 110, Some(88)));
    there.sessions[1] = counter(1, 4, 2, 110);
    let present = there.verdict(&facts, Target::Everything);
    assert!(present.clean && present.in_doubt.present == 1, "{present}");
    for lost in [3, 4] {
        let half = there
            .clone()
            .with(initial(lost))
            .verdict(&facts, Target::Everything);
        assert_eq!(counts(&half), [0, 0, 1, 0], "{half}");
        assert!(half.damaged.first[0].contains("in part"), "{half}");
    }
    assert_eq!(there.clone().without(8).faults(&facts), [0, 0, 1, 0]);
    there.row(3).hash = 34;
    assert_eq!(there.faults(&facts), [0, 0, 1, 0]);
}

#[test]
fn a_counter_must_fit_what_became_of_the_commit_in_doubt() {
    let facts = with_doubt(&[row(3, 33)]);
    let mut counted_but_absent = Scan::right();
    counted_but_absent.sessions[1] = counter(1, 4, 2, 110);
    assert_eq!(counted_but_absent.faults(&facts), [0, 0, 0, 2]);
    let present_but_not_counted = Scan::right().with(scanned(3, 4, 110, Some(33)));
    assert_eq!(present_but_not_counted.faults(&facts), [0, 0, 0, 2]);
}

#[test]
fn a_commit_in_doubt_that_was_overwritten_may_count_either_way() {
    let mut facts = with_doubt(&[row(3, 33)]);
    facts.extend(commit(5, 1, 120, &[row(3, 35)]));
    let mut scan = Scan::right().with(scanned(3, 5, 120, Some(35)));
    for committed in [2, 3] {
        scan.sessions[1] = counter(1, 5, committed, 120);
        let verdict = scan.verdict(&facts, Target::Everything);
        assert!(
            verdict.clean && verdict.in_doubt.overwritten == 1,
            "{verdict}"
        );
    }
    scan.sessions[1] = counter(1, 5, 4, 120);
    assert_eq!(scan.faults(&facts), [0, 0, 0, 1]);
}

#[test]
fn a_commit_in_doubt_that_was_sent_beyond_the_target_is_extra() {
    let facts = with_doubt(&[row(3, 33)]);
    let mut scan = Scan::right()
        .with(scanned(3, 4, 110, Some(33)))
        .with(scanned(1, 1, 100, Some(11)));
    scan.sessions = vec![counter(0, 1, 1, 100), counter(1, 4, 2, 110)];
    assert_eq!(
        counts(&scan.verdict(&facts, Target::Scn(Scn::new(102)))),
        [0, 1, 0, 0]
    );
}

#[test]
fn after_a_truncation_the_discarded_commits_are_extra() {
    let mut facts = facts();
    facts.push(Fact::Truncate(crate::ledger::Boundary::Scn(Scn::new(102))));
    facts.extend(commit(9, 0, 110, &[row(5, 55)]));
    let mut scan = Scan::right().with(scanned(5, 9, 110, Some(55)));
    scan.sessions[0] = counter(0, 9, 2, 110);
    let verdict = scan.verdict(&facts, Target::Everything);
    assert_eq!(counts(&verdict), [0, 1, 0, 0], "{verdict}");
    assert_eq!(
        counts(
            &scan
                .with(scanned(1, 1, 100, Some(11)))
                .verdict(&facts, Target::Everything)
        ),
        [0; 4]
    );
}

#[test]
fn twenty_faults_of_a_kind_are_named_and_all_are_counted() {
    let mut comparison = Comparison::new(book_of(&[], None).unwrap(), 0, SEED);
    (0..50).for_each(|block| comparison.damage(1, block, "bad check value"));
    let verdict = comparison.finish();
    assert_eq!(
        (verdict.damaged.count, verdict.damaged.first.len()),
        (50, NAMED_MAX)
    );
    assert!(verdict.to_string().contains("… and 30 more"), "{verdict}");
}

#[test]
fn an_acknowledged_commit_with_half_its_rows_lost_names_the_lost_half() {
    let verdict = Scan::right()
        .without(7)
        .verdict(&facts(), Target::Everything);
    assert_eq!(
        verdict.missing.first,
        ["key 7: no row, transaction 1 (SCN 100) is lost"]
    );
    let twice = [
        intent(4, 1, &[row(3, 1)]),
        acknowledged(4, 1, 111, &[row(3, 1)]),
    ];
    let facts: Vec<Fact> = facts().into_iter().chain(twice).collect();
    assert_eq!(Scan::right().faults(&facts), [1, 0, 0, 2]);
}

#[test]
fn one_commit_is_said_in_the_singular() {
    let verdict = Verdict {
        commits: 1,
        rows: 2,
        ..Verdict::default()
    };
    let said = verdict.to_string();
    assert!(said.contains("ledger    1 commit must be there"), "{said}");
    assert!(said.contains("database  2 rows scanned"), "{said}");
}
