//! The server is killed at random moments under load; after every start each acknowledged commit must be there.
//! What lives here: the rounds and their figures. What does not: crashes of the backup tools.
//!
//! `BACKSTAY_CRASH_ROUNDS=50` makes it as many rounds; `bench/crash-rounds` does that and shows the figures.

mod practice_database;

use std::time::Instant;

use practice::judge::Target;
use practice_database::{Database, SID, wait_for_commits, wait_until};

const ROUNDS: u64 = 4;
const SESSIONS: u32 = 8;

#[test]
fn no_acknowledged_commit_is_lost_when_the_server_is_killed() {
    let rounds = match std::env::var("BACKSTAY_CRASH_ROUNDS") {
        Ok(text) => text.parse().expect("BACKSTAY_CRASH_ROUNDS is a number"),
        Err(_) => ROUNDS,
    };
    let database = Database::open();
    let mut random = fastrand::Rng::with_seed(20260307);
    println!("round  commits  in doubt  start s  judge s  missing  extra  damaged");
    let (mut commits, mut in_doubt) = (0, 0);
    for round in 1..=rounds {
        let load = database.load(SESSIONS, round);
        wait_for_commits(&load, random.u64(1..1500));
        database.kill();
        // In every other round the load that saw the crash goes on in the restarted database.
        let (stopped, surviving) = if round.is_multiple_of(2) {
            (None, Some(load))
        } else {
            (Some(load.stop().unwrap()), None)
        };
        let started = Instant::now();
        database.startup("");
        let start_seconds = started.elapsed().as_secs_f64();
        let counters = stopped.unwrap_or_else(|| {
            let load = surviving.unwrap();
            wait_for_commits(&load, 100);
            load.stop().unwrap()
        });
        let judged = Instant::now();
        let verdict = database.verdict(Target::Everything);
        println!(
            "{round:>5}  {:>7}  {:>8}  {start_seconds:>7.2}  {:>7.2}  {:>7}  {:>5}  {:>7}",
            counters.acknowledged,
            counters.in_doubt,
            judged.elapsed().as_secs_f64(),
            verdict.missing.count,
            verdict.extra.count,
            verdict.damaged.count + verdict.counters.count,
        );
        assert!(verdict.clean, "round {round}: {verdict}");
        commits += counters.acknowledged;
        in_doubt += counters.in_doubt;
    }
    let verdict = database.verdict(Target::Everything);
    println!(
        "{rounds} rounds, {commits} commits acknowledged, {in_doubt} in doubt: nothing missing"
    );
    assert_eq!(verdict.commits, commits);
}

#[test]
fn a_server_killed_while_it_recovers_recovers_at_the_next_start() {
    let database = Database::open();
    for round in 1..=ROUNDS {
        let load = database.load(SESSIONS, round);
        wait_for_commits(&load, 1000);
        database.kill();
        load.stop().unwrap();
        let recoveries = recoveries_begun(&database);
        let mut startup = database.begin("startup");
        wait_until("the recovery to begin", || {
            recoveries_begun(&database) > recoveries
        });
        database.kill();
        startup.wait().unwrap();
        database.startup("");
        let verdict = database.verdict(Target::Everything);
        assert!(verdict.clean, "round {round}: {verdict}");
    }
}

/// How many crash recoveries the alert log tells of.
fn recoveries_begun(database: &Database) -> usize {
    let log = database
        .home
        .join(format!("saptrace/background/alert_{SID}.log"));
    let text = std::fs::read_to_string(log).unwrap();
    text.matches("Beginning crash recovery").count()
}
