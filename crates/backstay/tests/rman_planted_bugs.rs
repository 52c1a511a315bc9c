//! Planted bugs of RMAN's backups: each makes a way there and back fail that goes well without it.
//! What lives here: the rounds that catch them. What does not: the switches (practice's engine/faults.rs).

mod practice_database;
mod rman_world;

use std::sync::atomic::{AtomicBool, Ordering};

use practice::judge::Target;
use practice_database::{Database, wait_for_commits};
use rman_world::World;

/// Rounds after which a bug that showed itself in none of them counts as not caught.
const ROUNDS_MAX: u64 = 12;
/// What is said of blocks that recovery could not make right.
const UNREPAIRED: &[&str] = &[
    "ORA-01578",
    "ORA-19566",
    "ORA-19599",
    "ORA-00600: internal error code, arguments: [3020]",
    "NOT CLEAN",
];

/// How a round ended: the database holds exactly what the ledger says, or why it does not open or is not clean.
type End = Result<(), String>;

/// A world whose server has planted bugs, and whose load is running.
fn start(faults: &str, seed: u64) -> (World, practice::workload::Handle) {
    let database = Database::create();
    database.startup(faults);
    let mount = database.copies().join("mount");
    std::fs::create_dir_all(&mount).unwrap();
    let world = World { database, mount };
    let load = world.database.load(8, seed);
    wait_for_commits(&load, 100);
    (world, load)
}

/// Loses the data files and brings them back with these commands, behind the restore.
fn come_back(world: &World, recover: &str) -> End {
    world.lose_datafiles();
    let (success, log) = world.rman(&format!("startup mount;\nrestore database;\n{recover}"));
    match success {
        true => Ok(()),
        false => Err(log),
    }
}

fn judge(world: &World, target: Target) -> End {
    let verdict = world.database.verdict(target);
    match verdict.clean {
        true => Ok(()),
        false => Err(verdict.to_string()),
    }
}

fn must_be_caught(fault: &str, reasons: &[&str], round: impl Fn(&str, u64) -> End) {
    assert_eq!(round("", 1), Ok(()), "without {fault}");
    let failure = (1..=ROUNDS_MAX).find_map(|seed| round(fault, seed).err());
    let failure =
        failure.unwrap_or_else(|| panic!("{fault} was not caught in {ROUNDS_MAX} rounds"));
    assert!(
        reasons.iter().any(|reason| failure.contains(reason)),
        "{fault} failed otherwise: {failure}"
    );
}

/// A backup on four channels while checkpoints move the headers.
fn backup_among_checkpoints(world: &World, how: &str) -> (bool, String) {
    let over = AtomicBool::new(false);
    let allocate = |number| {
        let format = format!("{}/%U", world.m());
        format!("allocate channel c{number} device type disk format '{format}';\n")
    };
    let channels: String = (1..=4).map(allocate).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                world.database.must("alter system checkpoint;");
            }
        });
        let done = world.rman(&format!("run {{\n{channels}backup {how} database;\n}}\n"));
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// A full backup under load, all of it or as copies, and complete recovery.
fn full_round(how: &str, faults: &str, seed: u64) -> End {
    let (world, load) = start(faults, seed);
    let (success, log) = backup_among_checkpoints(&world, how);
    if !success {
        return Err(log);
    }
    wait_for_commits(&load, 100);
    world.database.kill();
    // The server is gone, which the load notices.
    let _ = load.stop();
    come_back(&world, "recover database;\nalter database open;\n")?;
    judge(&world, Target::Everything)
}

#[test]
fn torn_blocks_in_a_backup_are_caught() {
    must_be_caught("backup-takes-torn-blocks", UNREPAIRED, |faults, seed| {
        full_round("as backupset filesperset 1", faults, seed)
    });
}

#[test]
fn a_header_that_is_newer_than_the_blocks_is_caught() {
    must_be_caught("backup-header-last", UNREPAIRED, |faults, seed| {
        full_round("as copy", faults, seed)
    });
}

#[test]
fn an_increment_that_leaves_changes_out_is_caught() {
    must_be_caught("level-1-begins-late", UNREPAIRED, |faults, seed| {
        let (world, load) = start(faults, seed);
        let format = format!("{}/%U", world.m());
        for _ in 0..2 {
            world.must(&format!(
                "backup incremental level 1 for recover of copy with tag day format '{format}' database;\n\
                 recover copy of database with tag day;\n"
            ));
            wait_for_commits(&load, 300);
        }
        world.database.kill();
        let _ = load.stop();
        come_back(&world, "recover database;\nalter database open;\n")?;
        judge(&world, Target::Everything)
    });
}

#[test]
fn a_copy_that_hides_how_new_it_is_is_caught() {
    must_be_caught("backup-hides-fuzziness", &["NOT CLEAN"], |faults, seed| {
        let (world, load) = start(faults, seed);
        let (success, log) = backup_among_checkpoints(&world, "as backupset filesperset 1");
        assert!(success, "{log}");
        load.stop().unwrap();
        world.database.must("alter system archive log current;");
        // The newest checkpoint in the backup: other files in it have newer blocks, made while they were read. (Image
        // copies would not do: their restore looks at the blocks itself.)
        let newest = rman_world::newest_checkpoint(&world);
        let until = format!("until scn {newest}");
        world.lose_datafiles();
        let (success, log) = world.rman(&format!(
            "startup mount;\nrestore database {until};\nrecover database {until};\nalter database open resetlogs;\n"
        ));
        if !success {
            let refused = log.contains("RMAN-06023") || log.contains("ORA-01194");
            assert!(refused, "{log}");
            return Ok(());
        }
        judge(&world, Target::Scn(oracle::scn::Scn::new(newest)))
    });
}
