//! Bytes that are no log, and logs with lines shuffled, lost and damaged: no panic, and what comes out is within limits.
//! What lives here: the damage. What does not: the checks, which fuzz/ makes too (fuzzing.rs).

use std::fmt::Write;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::rman::{CHANNELS_MAX, LINE_BYTES_MAX, PIECES_PER_SET_MAX, RECORDS_MAX, fuzzing};

/// The lines of all fixtures.
fn fixture_lines() -> &'static [Vec<u8>] {
    static LINES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    LINES.get_or_init(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rman/fixtures");
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("the fixtures")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        assert!(paths.len() >= 26, "{} fixtures", paths.len());
        let bytes = paths
            .iter()
            .map(|path| std::fs::read(path).expect("a fixture"));
        bytes
            .flat_map(|bytes| {
                let lines = bytes.split(|byte| *byte == b'\n');
                lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_the_bytes_are_there_is_an_account(bytes: Vec<u8>) {
        fuzzing::log(&bytes);
    }

    #[test]
    fn lines_in_any_order_give_an_account(
        lines in proptest::collection::vec(select(fixture_lines()), 0..80),
        cut: Index,
        damage: (Index, u8),
    ) {
        let mut log = lines.join(&b'\n');
        log.truncate(cut.index(log.len() + 1));
        if !log.is_empty() {
            let at = damage.0.index(log.len());
            log[at] = damage.1;
        }
        fuzzing::log(&log);
    }

    #[test]
    fn whole_logs_with_lines_lost_or_twice_give_an_account(
        begin: Index,
        length in 0usize..200,
        lost: Vec<Index>,
        twice: Vec<Index>,
    ) {
        let all = fixture_lines();
        let begin = begin.index(all.len());
        let mut lines: Vec<&[u8]> = all[begin..].iter().take(length).map(Vec::as_slice).collect();
        for at in lost.iter().take(20) {
            if !lines.is_empty() {
                lines.remove(at.index(lines.len()));
            }
        }
        for at in twice.iter().take(20) {
            if !lines.is_empty() {
                let at = at.index(lines.len());
                lines.insert(at, lines[at]);
            }
        }
        fuzzing::log(&lines.join(&b'\n'));
    }
}

/// What a log of many equal lines gives.
fn account_of(log: &str) -> Account {
    read_log(log.as_bytes()).expect("a slice gives no errors")
}

fn is_too_much(account: &Account) -> bool {
    matches!(&account.outcome, Outcome::Partial { because } if because.contains(&Shortcoming::TooMuch))
}

#[test]
fn more_files_than_a_database_has_are_counted_out() {
    let mut log = String::from(
        "connected to target database: PRD (DBID=1)\nStarting backup at x\n\
         channel c: starting full datafile backup set\nchannel c: specifying datafile(s) in backup set\n",
    );
    for number in 0..=RECORDS_MAX {
        let _ = writeln!(log, "input datafile file number={number} name=/x");
    }
    let account = account_of(&log);
    assert!(is_too_much(&account));
    assert_eq!(
        account.databases[0].sets[0].datafiles.len(),
        RECORDS_MAX - 1
    );
}

#[test]
fn more_pieces_than_a_set_has_and_all_their_links_are_counted_out() {
    let mut log = String::from(
        "Starting backup at x\nchannel c: starting full datafile backup set\n\
         channel c: specifying datafile(s) in backup set\n",
    );
    for number in 0..20_000 {
        let _ = writeln!(log, "input datafile file number={number} name=/x");
    }
    for number in 0..=PIECES_PER_SET_MAX {
        let _ = writeln!(
            log,
            "channel c: finished piece {number} at x\npiece handle=/m/{number} comment=NONE"
        );
    }
    log.push_str("channel c: backup set complete, elapsed time: 1\n");
    let account = account_of(&log);
    assert!(is_too_much(&account));
    assert_eq!(
        account.databases[0].sets[0].pieces.len(),
        PIECES_PER_SET_MAX
    );
    let names: Vec<String> = (0..PIECES_PER_SET_MAX)
        .map(|name| name.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let map = account.in_directory("/m", &files(&names));
    assert!(map.is_cut);
    assert_eq!(map.databases[0].pieces.len(), PIECES_PER_SET_MAX);
}

#[test]
fn more_channels_than_rman_allows_are_counted_out() {
    let mut log = String::from("Starting backup at x\n");
    for number in 0..=CHANNELS_MAX {
        let _ = writeln!(log, "channel c{number}: starting full datafile backup set");
    }
    let account = account_of(&log);
    assert!(is_too_much(&account));
    assert_eq!(account.databases[0].sets.len(), CHANNELS_MAX);
}

#[test]
fn a_line_that_is_too_long_is_counted_and_not_read() {
    let log = format!(
        "Starting backup at x\nchannel c: starting datafile copy\ncopying current control file\n\
         output file name=/{}\noutput file name=/short tag=T RECID=1 STAMP=1\n",
        "x".repeat(LINE_BYTES_MAX)
    );
    let account = account_of(&log);
    assert_eq!(account.notes.lines_cut, 1);
    assert_eq!(
        told(&account),
        ["? ?", "copy of control file tag 'T' > /short"]
    );
}

#[test]
fn a_source_that_fails_is_an_error_that_tells_where() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    use std::io::Read as _;
    let log = std::io::BufReader::new(b"one\ntwo\n".chain(Failing));
    let error = read_log(log).expect_err("the source fails");
    assert_eq!(error.lines, 2);
    assert!(error.to_string().contains("after line 2"), "{error}");
}
