//! Planted bugs: each fault switch of the engine makes a round fail that passes without it.
//! What lives here: the rounds that catch them. What does not: the switches (practice's engine/faults.rs).
//!
//! A round backs the database up under load in the hard way (random order, half blocks, headers last), loses the
//! files, brings the copies back, recovers and judges by the ledger.

mod practice_database;

use practice::judge::Target;
use practice::workload::Handle;
use practice_database::{Database, copy_of, copy_the_hard_way, put_back, wait_for_commits};

/// Rounds after which a bug that showed itself in none of them counts as not caught.
const ROUNDS_MAX: u64 = 10;
const SESSIONS: u32 = 8;
/// Commits of the load between two parts of a copy.
const COMMITS_BETWEEN: u64 = 15;
/// What is said of blocks that the redo did not make whole: torn, of another version, or with the wrong rows.
const UNREPAIRED: &[&str] = &[
    "ORA-01578",
    "ORA-00600: internal error code, arguments: [3020]",
    "NOT CLEAN",
];

/// How a round ended: the database holds exactly what the ledger says, or why it does not open or is not clean.
type End = Result<(), String>;

fn judge(database: &Database) -> End {
    let verdict = database.verdict(Target::Everything);
    if verdict.clean {
        Ok(())
    } else {
        Err(verdict.to_string())
    }
}

/// Copies a running database between two statements, loses the files, and brings the copies back.
struct Round {
    database: Database,
    load: Handle,
    seed: u64,
}

impl Round {
    fn start(faults: &str, seed: u64) -> Round {
        let database = Database::create();
        database.startup(faults);
        let load = database.load(SESSIONS, seed);
        wait_for_commits(&load, 50);
        Round {
            database,
            load,
            seed,
        }
    }

    /// Copies all data files while the load runs; a checkpoint moves the headers before they are copied.
    fn copy(&self) {
        let files = self.database.datafiles();
        let mut part = 0;
        copy_the_hard_way(&files, &self.database.copies(), self.seed, || {
            wait_for_commits(&self.load, COMMITS_BETWEEN);
            part += 1;
            if part % 10 == 0 {
                self.database.must("alter system checkpoint;");
            }
        });
    }

    /// Commits on, dies, gets the copies for its files, recovers with every log there is, and is judged.
    fn lose_and_recover(self) -> End {
        let Round { database, load, .. } = self;
        wait_for_commits(&load, 200);
        database.kill();
        load.stop().unwrap();
        put_back(&database.datafiles(), &database.copies());
        let (success, output) = database.sqlplus("startup mount");
        assert!(success, "{output}");
        let (success, output) = database.sqlplus("alter database recover automatic database;");
        if !success && !output.contains("ORA-00264: no recovery required") {
            return Err(output);
        }
        let (success, output) = database.sqlplus("alter database open;");
        if !success {
            return Err(output);
        }
        judge(&database)
    }
}

/// A round in backup mode, with planted faults while the backup is made.
fn backup_round(faults: &str, seed: u64) -> End {
    let round = Round::start(faults, seed);
    round.database.must("alter database begin backup;");
    round.copy();
    round
        .database
        .must("alter database end backup;\nalter system archive log current;");
    round.lose_and_recover()
}

/// The round passes without the fault, and with it fails within the limit, for one of the reasons that the fault gives.
fn must_be_caught(fault: &str, reasons: &[&str], round: impl Fn(&str, u64) -> End) {
    let sound = round("", 1);
    assert_eq!(sound, Ok(()), "without {fault}");
    let failure = (1..=ROUNDS_MAX).find_map(|seed| round(fault, seed).err());
    let failure =
        failure.unwrap_or_else(|| panic!("{fault} was not caught in {ROUNDS_MAX} rounds"));
    println!("{fault}: {failure}");
    assert!(
        reasons.iter().any(|reason| failure.contains(reason)),
        "{fault} failed otherwise: {failure}"
    );
}

#[test]
fn missing_block_images_in_backup_mode_are_caught() {
    must_be_caught("no-block-images", UNREPAIRED, backup_round);
}

#[test]
fn a_missing_end_marker_is_caught() {
    must_be_caught("no-end-marker", &["ORA-01195"], backup_round);
}

#[test]
fn a_header_that_moves_in_backup_mode_is_caught() {
    must_be_caught("header-not-frozen", UNREPAIRED, backup_round);
}

#[test]
fn an_acknowledgement_before_the_redo_is_on_disk_is_caught() {
    must_be_caught("ack-before-fsync", &["is lost"], |faults, seed| {
        let Round { database, load, .. } = Round::start(faults, seed);
        wait_for_commits(&load, 100 * seed);
        database.kill();
        load.stop().unwrap();
        database.startup("");
        judge(&database)
    });
}

#[test]
fn a_copy_outside_backup_mode_is_torn_or_cannot_be_recovered() {
    for seed in 1..=ROUNDS_MAX {
        let round = Round::start("", seed);
        round.copy();
        let torn = torn_blocks(&round.database);
        let end = round.lose_and_recover();
        if torn > 0 || end.is_err() {
            println!("round {seed}: {torn} torn blocks, {end:?}");
            return;
        }
    }
    panic!("{ROUNDS_MAX} copies of a running database were sound by chance");
}

/// Blocks of the copies whose head and tail are of different versions.
fn torn_blocks(database: &Database) -> usize {
    let mut torn = 0;
    for path in database.datafiles() {
        let bytes = std::fs::read(copy_of(&database.copies(), &path)).unwrap();
        torn += bytes
            .chunks_exact(8192)
            .filter(|block| {
                let header = oracle::block::BlockHeader::read(block);
                let tail = u32::from_le_bytes(block[8188..].try_into().unwrap());
                header.kind != 0 && oracle::block::expected_tail(&header) != tail
            })
            .count();
    }
    torn
}
