//! The workload against a database in memory that loses connections as a dying server does.
//! What lives here: that database, and what workload and judge make of it. What does not: the engine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::*;
use crate::content::{initial_text, text_hash};
use crate::engine::home::Home;
use crate::judge::{Target, Verdict, judge};
use crate::protocol::{RowChange, ScannedRow, ScannedSession};

const KEYS: u64 = 400;
const LOADED: u64 = 300;
const SEED: u64 = 99;

/// What happens to every tenth commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    None,
    /// In turn: committed but the answer is lost, not committed and the connection is lost, an error is the answer.
    Lost,
    /// It is never answered and the connection stays.
    Silence,
}

#[derive(Debug, Default)]
struct State {
    scn: u64,
    commits: u64,
    rows: BTreeMap<u64, ScannedRow>,
    sessions: BTreeMap<u32, ScannedSession>,
}

/// A database in memory behind a practice socket.
struct Memory {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

impl Memory {
    fn start(mishap: Mishap) -> Memory {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::new(directory.path(), "SND");
        std::fs::create_dir(directory.path().join("dbs")).unwrap();
        let listener =
            UnixListener::bind(directory.path().join("dbs").join(home.socket_name())).unwrap();
        let initial = |key| ScannedRow {
            key,
            transaction: 0,
            scn: 0,
            deleted: false,
            hash: text_hash(initial_text(SEED, key).as_bytes()),
            damage: None,
        };
        let rows = (0..LOADED).map(|key| (key, initial(key))).collect();
        let state = Arc::new(Mutex::new(State {
            scn: 1000,
            rows,
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || converse(&stream, &state, mishap));
            }
        });
        Memory { directory, state }
    }

    fn home(&self) -> &Path {
        self.directory.path()
    }

    fn ledger(&self) -> PathBuf {
        self.directory.path().join("ledger")
    }

    fn options(&self, transactions: u64) -> Options {
        Options {
            transactions: Some(transactions),
            ..Options::new(self.home(), "SND", self.ledger())
        }
    }

    fn verdict(&self) -> Verdict {
        judge(self.home(), "SND", &self.ledger(), Target::Everything).unwrap()
    }
}

/// Serves one connection until it is over.
fn converse(stream: &UnixStream, state: &Mutex<State>, mishap: Mishap) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
        let answers = match serde_json::from_str(&line).unwrap() {
            Request::Capacity => vec![Answer::Capacity {
                keys: KEYS,
                loaded: LOADED,
                seed: SEED,
            }],
            Request::Scan => scan(&state.lock().unwrap()),
            Request::Sessions => sessions(&state.lock().unwrap()),
            Request::Commit {
                number,
                session,
                changes,
            } => match commit(&mut state.lock().unwrap(), mishap, number, session, changes) {
                Some(answer) => vec![answer],
                None if mishap == Mishap::Silence => vec![],
                None => return,
            },
            Request::Execute(statement) => panic!("the workload executes {statement}"),
            Request::Rman(order) => panic!("the workload orders {order:?}"),
        };
        for answer in answers {
            let mut line = serde_json::to_vec(&answer).unwrap();
            line.push(b'\n');
            if (&mut &*stream).write_all(&line).is_err() {
                return;
            }
        }
        line.clear();
    }
}

fn scan(state: &State) -> Vec<Answer> {
    let rows = state.rows.values().cloned().map(Answer::Row);
    rows.chain(sessions(state)).collect()
}

fn sessions(state: &State) -> Vec<Answer> {
    let sessions = state.sessions.values().cloned().map(Answer::Session);
    sessions.chain([Answer::End]).collect()
}

/// The answer, or None when there is to be none.
fn commit(
    state: &mut State,
    mishap: Mishap,
    number: u64,
    session: u32,
    changes: Vec<RowChange>,
) -> Option<Answer> {
    state.commits += 1;
    let unlucky = mishap != Mishap::None && state.commits.is_multiple_of(10);
    if unlucky && mishap == Mishap::Silence {
        return None;
    }
    match (unlucky, state.commits / 10 % 3) {
        (true, 1) => return None,
        (true, 2) => return Some(Answer::Error(OraError::new(1109, "database not open"))),
        _ => {}
    }
    state.scn += 1;
    let scn = state.scn;
    for change in changes {
        let (deleted, hash) = (
            change.text.is_none(),
            change.text.map_or(0, |text| text_hash(text.as_bytes())),
        );
        let row = ScannedRow {
            key: change.key,
            transaction: number,
            scn,
            deleted,
            hash,
            damage: None,
        };
        state.rows.insert(change.key, row);
    }
    let counter = state.sessions.entry(session).or_insert(ScannedSession {
        session,
        last_transaction: 0,
        committed: 0,
        committed_rollback: 0,
        scn,
    });
    counter.last_transaction = number;
    counter.committed += 1;
    counter.committed_rollback += 1;
    counter.scn = scn;
    (!unlucky).then_some(Answer::Committed {
        scn,
        time: OracleTime::now().raw(),
    })
}

fn wait_until_finished(handle: &Handle) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !handle.is_finished() {
        assert!(
            Instant::now() < limit,
            "the workload does not end: {:?}",
            handle.counters()
        );
        std::thread::yield_now();
    }
}

#[test]
fn what_the_workload_commits_the_judge_finds() {
    let memory = Memory::start(Mishap::None);
    let handle = start(memory.options(2000)).unwrap();
    wait_until_finished(&handle);
    let counters = handle.stop().unwrap();
    assert_eq!((counters.acknowledged, counters.in_doubt), (2000, 0));
    let verdict = memory.verdict();
    assert!(verdict.clean, "{verdict}");
    assert_eq!(verdict.commits, 2000);
    let lost = memory
        .state
        .lock()
        .unwrap()
        .rows
        .values_mut()
        .find(|row| row.transaction > 0)
        .map(|row| row.transaction = 0);
    assert!(lost.is_some());
    assert_eq!(memory.verdict().missing.count, 1);
}

#[test]
fn while_the_workload_runs_there_is_no_verdict_but_a_hint() {
    let memory = Memory::start(Mishap::None);
    let handle = start(memory.options(u64::from(u32::MAX))).unwrap();
    let refused = judge(memory.home(), "SND", &memory.ledger(), Target::Everything).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("HINT: stop the workload first"),
        "{refused}"
    );
    handle.stop().unwrap();
    assert!(memory.verdict().clean);
}

#[test]
fn the_workload_outlives_lost_connections_and_leaves_the_unanswered_in_doubt() {
    let memory = Memory::start(Mishap::Lost);
    let handle = start(memory.options(600)).unwrap();
    wait_until_finished(&handle);
    let counters = handle.stop().unwrap();
    assert!(
        counters.in_doubt >= 30 && counters.connections > 30,
        "{counters:?}"
    );
    assert_eq!(counters.acknowledged + counters.in_doubt, 600);
    let verdict = memory.verdict();
    assert!(verdict.clean, "{verdict}");
    assert!(
        verdict.in_doubt.present > 0 && verdict.in_doubt.absent > 0,
        "{verdict}"
    );
    assert_eq!(
        verdict.in_doubt.overwritten, 0,
        "keys in doubt are left alone"
    );
}

#[test]
fn a_later_workload_continues_the_ledger_with_other_sessions() {
    let memory = Memory::start(Mishap::Lost);
    for sessions in [3, 1, 7] {
        let handle = start(Options {
            sessions,
            ..memory.options(200)
        })
        .unwrap();
        wait_until_finished(&handle);
        handle.stop().unwrap();
    }
    let verdict = memory.verdict();
    assert!(verdict.clean, "{verdict}");
    assert!(verdict.commits > 500);
}

#[test]
fn a_second_ledger_of_a_database_is_refused_and_not_left_behind() {
    let memory = Memory::start(Mishap::None);
    let handle = start(memory.options(30)).unwrap();
    wait_until_finished(&handle);
    handle.stop().unwrap();
    let second = memory.home().join("second");
    let refused = start(Options {
        ledger: second.clone(),
        ..memory.options(1)
    });
    let said = refused.unwrap_err().to_string();
    assert!(
        said.contains("30 commits of this database are not in ledger") && said.contains("HINT: "),
        "{said}"
    );
    assert!(!second.exists());
    assert!(memory.verdict().clean);
}

#[test]
fn a_database_that_lacks_commits_of_the_ledger_is_not_loaded() {
    let memory = Memory::start(Mishap::None);
    let handle = start(memory.options(30)).unwrap();
    wait_until_finished(&handle);
    handle.stop().unwrap();
    memory.state.lock().unwrap().sessions.clear();
    let said = start(memory.options(1)).unwrap_err().to_string();
    assert!(
        said.contains("30 commits of ledger") && said.contains("practice ledger cut"),
        "{said}"
    );
    assert!(memory.ledger().exists());
}

#[test]
fn a_commit_that_is_never_answered_does_not_keep_the_workload_from_stopping() {
    let memory = Memory::start(Mishap::Silence);
    let handle = start(Options {
        sessions: 1,
        ..memory.options(100)
    })
    .unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    while handle.counters().acknowledged < 9 {
        assert!(Instant::now() < limit, "{:?}", handle.counters());
        std::thread::yield_now();
    }
    let shared = Arc::clone(&handle.shared);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !shared.stopping() || shared.closers.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            shared
                .closers
                .lock()
                .unwrap()
                .values()
                .for_each(Closer::close);
        });
        assert_eq!(handle.stop().unwrap().in_doubt, 1);
    });
    drop(shared); // It has the ledger open.
    assert!(memory.verdict().clean);
}

#[test]
fn a_ledger_that_cannot_be_written_keeps_the_workload_from_starting() {
    let memory = Memory::start(Mishap::None);
    let full = Path::new("/dev/full");
    assert!(
        start(Options {
            ledger: full.to_path_buf(),
            ..memory.options(1)
        })
        .is_err()
    );
}

#[test]
fn without_a_server_the_workload_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let error = start(Options::new(
        directory.path(),
        "SND",
        directory.path().join("ledger"),
    ))
    .unwrap_err();
    assert!(
        error.to_string().contains("HINT: start the database first"),
        "{error}"
    );
}
