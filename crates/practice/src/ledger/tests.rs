//! Tests of the ledger's form, of its reader and of what its facts add up to.
//! What lives here: ledgers written by hand. What does not: scans (judge/tests.rs).

use std::io::Write;

use super::book::{Book, KeyState};
use super::reader::Facts;
use super::*;

pub(crate) fn row(key: u64, hash: u32) -> RowFact {
    RowFact {
        key,
        hash: Some(hash),
    }
}

pub(crate) fn deleted(key: u64) -> RowFact {
    RowFact { key, hash: None }
}

pub(crate) fn intent(number: u64, session: u32, rows: &[RowFact]) -> Fact {
    Fact::Intent(Transaction {
        number,
        session,
        rows: rows.to_vec(),
    })
}

pub(crate) fn acknowledged(number: u64, session: u32, scn: u64, rows: &[RowFact]) -> Fact {
    let transaction = Transaction {
        number,
        session,
        rows: rows.to_vec(),
    };
    Fact::Acknowledged {
        transaction,
        scn: Scn::new(scn),
        time: time_of(scn),
    }
}

/// Commit times rise with the SCN: one second each.
pub(crate) fn time_of(scn: u64) -> OracleTime {
    let second = scn as u32;
    OracleTime::from_civil(
        2026,
        3,
        7,
        (second / 3600) as u8,
        (second / 60 % 60) as u8,
        (second % 60) as u8,
    )
    .unwrap()
}

/// A commit: intent and acknowledgement.
pub(crate) fn commit(number: u64, session: u32, scn: u64, rows: &[RowFact]) -> Vec<Fact> {
    vec![
        intent(number, session, rows),
        acknowledged(number, session, scn, rows),
    ]
}

pub(crate) fn text_of(facts: &[Fact]) -> Vec<u8> {
    let mut text = sealed_line("backstay-ledger version=1 sid=SND");
    facts
        .iter()
        .for_each(|fact| text.push_str(&sealed_line(&fact.to_string())));
    text.into_bytes()
}

/// The book of a ledger held in memory, for a database of ten keys.
pub(crate) fn book_of(facts: &[Fact], target: Option<Boundary>) -> Result<Book, LedgerError> {
    book_of_text(&text_of(facts), target)
}

fn book_of_text(text: &[u8], target: Option<Boundary>) -> Result<Book, LedgerError> {
    let truncations: Vec<(u64, Boundary)> = Facts::new(Path::new("memory"), text)?
        .filter_map(|item| match item {
            Ok((line, Fact::Truncate(boundary))) => Some((line, boundary)),
            _ => None,
        })
        .collect();
    Book::replay(
        &mut Facts::new(Path::new("memory"), text)?,
        &truncations,
        target,
        10,
    )
}

fn bad_line(text: &[u8]) -> (u64, String) {
    match book_of_text(text, None) {
        Err(LedgerError::Line { line, what, .. }) => (line, what),
        other => panic!("a bad ledger passed: {other:?}"),
    }
}

#[test]
fn facts_are_read_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let mut facts = commit(1, 3, 100, &[row(7, 0xdead_beef), deleted(9)]);
    facts.push(Fact::Truncate(Boundary::Scn(Scn::new(90))));
    facts.push(Fact::Truncate(Boundary::Time(time_of(80))));
    let writer = LedgerWriter::open(&path, "SND", true).unwrap();
    facts.iter().for_each(|fact| writer.append(fact).unwrap());
    let read: Vec<Fact> = Facts::open(&path)
        .unwrap()
        .map(|item| item.unwrap().1)
        .collect();
    assert_eq!(read, facts);
    assert!(looks_like_a_ledger(&path));
}

#[test]
fn threads_append_whole_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let writer = LedgerWriter::open(&path, "SND", false).unwrap();
    std::thread::scope(|scope| {
        for session in 0..4 {
            let writer = &writer;
            scope.spawn(move || {
                for number in 1..=200 {
                    let number = number * 4 + u64::from(session);
                    let rows = [row(u64::from(session), 1)];
                    commit(number, session, number, &rows)
                        .iter()
                        .for_each(|fact| writer.append(fact).unwrap());
                }
            });
        }
    });
    let book = Book::read(&path, None, 10).unwrap();
    assert_eq!(
        (book.counted, book.in_doubt.len(), book.highest_number),
        (800, 0, 803)
    );
}

#[test]
fn a_second_writer_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let first = LedgerWriter::open(&path, "SND", false).unwrap();
    assert!(matches!(
        LedgerWriter::open(&path, "SND", false),
        Err(LedgerError::InUse { .. })
    ));
    drop(first);
    LedgerWriter::open(&path, "SND", false).unwrap();
    assert!(
        LedgerWriter::open(&path, "QAS", false).is_err(),
        "the ledger of another database was continued"
    );
}

#[test]
fn a_ledger_is_held_against_writers_and_only_when_none_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let writer = LedgerWriter::open(&path, "SND", false).unwrap();
    let refused = Hold::take(&path).unwrap_err();
    assert!(matches!(refused, LedgerError::BeingWritten { .. }));
    let said = refused.to_string();
    assert!(said.contains("HINT: stop the workload first"), "{said}");
    drop(writer);
    let holds = [Hold::take(&path).unwrap(), Hold::take(&path).unwrap()];
    assert!(matches!(
        LedgerWriter::open(&path, "SND", false),
        Err(LedgerError::InUse { .. })
    ));
    drop(holds);
    LedgerWriter::open(&path, "SND", false).unwrap();
}

#[test]
fn a_torn_last_line_is_left_out_and_removed_before_the_next_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let whole = text_of(&commit(1, 0, 100, &[row(1, 5)]));
    for torn in 1..whole.len() {
        std::fs::write(&path, &whole[..torn]).unwrap();
        let lines = whole[..torn].iter().filter(|byte| **byte == b'\n').count();
        if lines == 0 {
            assert!(
                Book::read(&path, None, 10).is_err(),
                "a ledger without a header was read"
            );
        } else {
            let book = Book::read(&path, None, 10).unwrap();
            assert_eq!(book.torn_end, whole[torn - 1] != b'\n');
            assert_eq!(
                book.in_doubt.len(),
                lines - 1,
                "the intent is there, its acknowledgement is not"
            );
        }
        let writer = LedgerWriter::open(&path, "SND", false).unwrap();
        commit(2, 0, 101, &[row(2, 6)])
            .iter()
            .for_each(|fact| writer.append(fact).unwrap());
        let book = Book::read(&path, None, 10).unwrap();
        assert_eq!((book.counted, book.torn_end), (1, false));
    }
}

#[test]
fn any_changed_byte_is_found_and_its_line_named() {
    let text = text_of(&commit(1, 0, 100, &[row(1, 5), deleted(2)]));
    let mut line = 1;
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 0x04;
        if text[at] != b'\n' {
            let (found, what) = bad_line(&changed);
            assert_eq!(found, line, "byte {at}: {what}");
        } else {
            line += 1;
        }
    }
}

#[test]
fn nonsense_with_a_right_check_value_is_refused() {
    for (nonsense, sense) in [
        ("intent number=0 session=0 rows=1:deleted", "number 0"),
        ("intent number=1 session=0 rows=", "rows"),
        ("intent number=1 session=0 rows=1", "row '1'"),
        ("intent number=1 session=0 rows=1:5", "row '1:5'"),
        (
            "intent number=1 session=0 rows=1:+0000005",
            "row '1:+0000005'",
        ),
        (
            "intent number=1 session=0 rows=1:deleted more=1",
            "does not belong",
        ),
        ("intent session=0 number=1 rows=1:deleted", "'number'"),
        (
            "intent number=1 session=1024 rows=1:deleted",
            "session 1024",
        ),
        ("intent number=1 session=0 rows=10:deleted", "key 10"),
        (
            "intent number=99999999999999999999 session=0 rows=1:deleted",
            "fits",
        ),
        (
            "acknowledged number=1 session=0 scn=5 time=2026-13-07T01:00:00 rows=1:deleted",
            "not a time",
        ),
        (
            "acknowledged number=1 session=0 scn=5 time=2026-03-07T01:00:00 rows=1:deleted",
            "intent",
        ),
        ("truncate scn=-1", "'-1'"),
        ("truncate", "'time'"),
        ("committed number=1", "unknown fact"),
        ("", "unknown fact"),
    ] {
        let mut text = text_of(&[]);
        text.extend_from_slice(sealed_line(nonsense).as_bytes());
        let (line, what) = bad_line(&text);
        assert_eq!(line, 2);
        assert!(what.contains(sense), "{nonsense}: {what}");
    }
    let (line, what) = bad_line(sealed_line("backstay-ledger version=2 sid=SND").as_bytes());
    assert!(line == 1 && what.contains("version 2"), "{what}");
    assert!(
        bad_line(b"-----BEGIN CERTIFICATE-----\n")
            .1
            .contains("not a ledger")
    );
}

#[test]
fn a_line_without_end_and_bytes_that_are_no_text_are_refused() {
    let mut endless = text_of(&[]);
    endless.resize(endless.len() + 2 * LINE_BYTES_MAX, b'x');
    assert!(bad_line(&endless).1.contains("longer than"));
    let mut binary = text_of(&[]);
    binary.write_all(b"\xff\xfe\x00\n").unwrap();
    assert!(bad_line(&binary).1.contains("not text"));
}

#[test]
fn facts_that_contradict_each_other_are_refused() {
    let mut other_rows = commit(1, 0, 100, &[row(1, 5)]);
    other_rows[1] = acknowledged(1, 0, 100, &[row(1, 6)]);
    let mut twice = commit(1, 0, 100, &[row(1, 5)]);
    twice.push(twice[1].clone());
    let mut falling = commit(2, 0, 100, &[row(1, 5)]);
    falling.extend(commit(1, 0, 101, &[row(1, 5)]));
    for facts in [other_rows, twice, falling] {
        assert!(book_of(&facts, None).is_err(), "{facts:?}");
    }
}

#[test]
fn the_last_commit_of_a_key_wins_and_the_target_is_exclusive() {
    let mut facts = commit(1, 0, 100, &[row(1, 5)]);
    facts.extend(commit(2, 0, 101, &[deleted(1), row(2, 6)]));
    let everything = book_of(&facts, None).unwrap();
    assert_eq!(
        everything.keys[1],
        KeyState {
            transaction: 2,
            scn: Scn::new(101),
            hash: None
        }
    );
    for target in [Boundary::Scn(Scn::new(101)), Boundary::Time(time_of(101))] {
        let book = book_of(&facts, Some(target)).unwrap();
        assert_eq!((book.counted, book.beyond_target), (1, 1));
        assert_eq!(
            book.keys[1],
            KeyState {
                transaction: 1,
                scn: Scn::new(100),
                hash: Some(5)
            }
        );
        assert_eq!(book.keys[2], KeyState::default());
        assert_eq!(book.sessions[&0].committed, 1);
    }
    for target in [Boundary::Scn(Scn::new(102)), Boundary::Time(time_of(102))] {
        assert_eq!(book_of(&facts, Some(target)).unwrap().counted, 2);
    }
}

#[test]
fn a_truncation_voids_what_came_before_it_and_nothing_after_it() {
    for boundary in [Boundary::Scn(Scn::new(101)), Boundary::Time(time_of(101))] {
        let mut facts = commit(1, 0, 100, &[row(1, 5)]);
        facts.extend(commit(2, 0, 105, &[row(1, 6)]));
        facts.push(Fact::Truncate(boundary));
        facts.extend(commit(3, 0, 103, &[row(2, 7)]));
        let book = book_of(&facts, None).unwrap();
        assert_eq!((book.counted, book.void), (2, 1));
        assert_eq!(book.keys[1].transaction, 1);
        assert_eq!(book.keys[2].transaction, 3);
        assert_eq!(book.sessions[&0].committed, 2);
    }
}

#[test]
fn a_cut_says_what_it_made_void_and_needs_a_ledger_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let boundary = Boundary::Scn(Scn::new(101));
    assert!(cut(&path, boundary).is_err());
    assert!(!path.exists(), "a mistyped name made a ledger");
    let mut facts = commit(1, 0, 100, &[row(7, 5)]);
    facts.extend(commit(2, 0, 101, &[row(1, 6)]));
    facts.extend(commit(3, 0, 102, &[row(1, 7)]));
    std::fs::write(&path, text_of(&facts)).unwrap();
    let made = |kept, void| Cut {
        sid: "SND".to_string(),
        kept,
        void,
    };
    assert_eq!(cut(&path, boundary).unwrap(), made(1, 2));
    assert_eq!(cut(&path, boundary).unwrap(), made(1, 0));
    let book = Book::read(&path, None, 10).unwrap();
    assert_eq!((book.counted, book.void), (1, 2));
    let writer = LedgerWriter::open(&path, "SND", false).unwrap();
    assert!(
        cut(&path, boundary).is_err(),
        "cut under a running workload"
    );
    drop(writer);
}

#[test]
fn the_strictest_of_several_truncations_holds() {
    let mut facts = commit(1, 0, 100, &[row(1, 1)]);
    facts.extend(commit(2, 0, 110, &[row(2, 2)]));
    facts.push(Fact::Truncate(Boundary::Scn(Scn::new(111))));
    facts.extend(commit(3, 0, 112, &[row(3, 3)]));
    facts.push(Fact::Truncate(Boundary::Scn(Scn::new(105))));
    facts.extend(commit(4, 0, 120, &[row(4, 4)]));
    let book = book_of(&facts, None).unwrap();
    let writers: Vec<u64> = (1..5).map(|key| book.keys[key].transaction).collect();
    assert_eq!((writers, book.void), (vec![1, 0, 0, 4], 2));
}

#[test]
fn an_intent_without_acknowledgement_is_in_doubt_unless_it_was_sent_beyond_the_target() {
    let mut facts = vec![intent(1, 0, &[row(1, 1)]), intent(2, 1, &[row(2, 2)])];
    facts.extend(commit(3, 0, 100, &[row(3, 3)]));
    facts.push(intent(4, 2, &[row(4, 4)]));
    let numbers = |book: &Book| -> Vec<(u64, bool)> {
        book.in_doubt
            .iter()
            .map(|doubt| (doubt.transaction.number, doubt.beyond_target))
            .collect()
    };
    let everything = book_of(&facts, None).unwrap();
    assert_eq!(numbers(&everything), [(1, false), (2, false), (4, false)]);
    let before = book_of(&facts, Some(Boundary::Scn(Scn::new(100)))).unwrap();
    assert_eq!(numbers(&before), [(1, false), (2, false), (4, true)]);
}

#[test]
fn an_acknowledgement_cannot_come_after_a_truncation() {
    let rows = [row(1, 1)];
    let facts = [
        intent(1, 0, &rows),
        Fact::Truncate(Boundary::Scn(Scn::new(50))),
        acknowledged(1, 0, 100, &rows),
    ];
    assert!(book_of(&facts, None).is_err());
}
