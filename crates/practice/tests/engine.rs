//! The engine from the inside: what SQL*Plus and the tools rely on, checked without a server process.
//! What lives here: life cycle, crash, hot backup, media recovery. What does not: SQL text, the workload's ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oracle::scn::Scn;
use oracle::time::OracleTime;
use practice::create::{CreateOptions, create};
use practice::engine::facts::Facts;
use practice::engine::{
    BackupScope, Instance, OpenMode, RecoverRequest, RecoverScope, RecoveryStep, ShutdownMode,
    Until,
};
use practice::protocol::{Answer, RowChange};

struct World {
    directory: tempfile::TempDir,
    instance: Arc<Instance>,
    /// Expected rows: key to transaction, with the SCN of each commit.
    commits: Vec<(u64, Scn, OracleTime, Vec<u64>)>,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("SND");
        let options = CreateOptions {
            home: home.clone(),
            sid: "SND".to_string(),
            size: 64 << 20,
            log_size: Some(4 << 20),
            seed: 7,
        };
        create(&options, &mut |_| ()).unwrap();
        let instance = startup(&home);
        World {
            directory,
            instance,
            commits: Vec::new(),
        }
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("SND")
    }

    fn facts(&self) -> Facts {
        self.instance.facts()
    }

    /// Commits `count` transactions of three rows each, spread over all blocks.
    fn work(&mut self, count: u64) {
        let (keys, _, _) = self.instance.capacity().unwrap();
        for _ in 0..count {
            let number = self.commits.len() as u64 + 1;
            let rows: Vec<u64> = (0..3)
                .map(|i| (number * 7919 + i * 104_729) % keys)
                .collect();
            let changes: Vec<RowChange> = rows
                .iter()
                .map(|key| RowChange {
                    key: *key,
                    text: (key % 20 != 3).then(|| practice::content::row_text(*key, number)),
                })
                .collect();
            let (scn, time) = self
                .instance
                .commit(number, (number % 8) as u32, &changes)
                .unwrap();
            self.commits.push((number, scn, time, rows));
        }
    }

    /// Compares the open database with the commits below `limit`.
    fn check(&self, limit: Scn) {
        let mut expected: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, _, _, rows) in self.commits.iter().filter(|(_, scn, _, _)| *scn < limit) {
            expected.extend(rows.iter().map(|key| (*key, *number)));
        }
        let mut found: BTreeMap<u64, u64> = BTreeMap::new();
        let mut damage = Vec::new();
        self.instance
            .scan(&mut |answer| {
                match answer {
                    Answer::Row(row) => {
                        damage.extend(row.damage.clone());
                        if row.transaction > 0 {
                            found.insert(row.key, row.transaction);
                        }
                    }
                    Answer::Damage { what, .. } => damage.push(what),
                    _ => {}
                }
                true
            })
            .unwrap();
        assert_eq!(damage, Vec::<String>::new());
        assert_eq!(found, expected);
    }

    fn copy_datafiles(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let database = self.facts().database.unwrap();
        database
            .datafiles
            .iter()
            .map(|file| (file.path.clone(), std::fs::read(&file.path).unwrap()))
            .collect()
    }

    fn restart(&mut self, mode: ShutdownMode) {
        self.instance.shutdown(mode).unwrap();
        self.instance = Instance::start(&self.home(), "SND").unwrap();
        self.instance.mount().unwrap();
    }
}

fn startup(home: &Path) -> Arc<Instance> {
    let instance = Instance::start(home, "SND").unwrap();
    instance.mount().unwrap();
    instance.open(OpenMode::Default).unwrap();
    instance
}

fn restore(copies: &[(PathBuf, Vec<u8>)]) {
    copies
        .iter()
        .for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
}

fn recover(until: Until, using_backup_controlfile: bool) -> RecoverRequest {
    RecoverRequest {
        scope: RecoverScope::Database,
        until,
        using_backup_controlfile,
        automatic: true,
    }
}

#[test]
fn what_was_committed_is_there_after_a_clean_restart() {
    let mut world = World::new();
    world.work(300);
    world.check(Scn::OPEN_ENDED);
    world.restart(ShutdownMode::Immediate);
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
    world.work(50);
    world.check(Scn::OPEN_ENDED);
}

#[test]
fn what_was_committed_is_there_after_every_abort() {
    let mut world = World::new();
    for _ in 0..5 {
        world.work(400);
        world.restart(ShutdownMode::Abort);
        world.instance.open(OpenMode::Default).unwrap();
        world.check(Scn::OPEN_ENDED);
    }
}

#[test]
fn logs_switch_and_are_archived_under_load() {
    let mut world = World::new();
    world.work(100);
    for _ in 0..6 {
        world.work(30);
        world.instance.archive_log_current().unwrap();
    }
    let database = world.facts().database.unwrap();
    assert!(database.archived.len() >= 6, "{:?}", database.archived);
    for pair in database.archived.windows(2) {
        assert_eq!(pair[0].next_scn, pair[1].first_scn);
        oracle::redo::check_archived_log(&pair[0].path).unwrap();
    }
}

#[test]
fn a_hot_backup_comes_back_whole_and_no_commit_is_lost() {
    let mut world = World::new();
    world.work(200);
    world.instance.begin_backup(&BackupScope::Database).unwrap();
    assert_eq!(
        world
            .instance
            .begin_backup(&BackupScope::Database)
            .unwrap_err()
            .code(),
        1146
    );
    assert_eq!(
        world
            .instance
            .shutdown(ShutdownMode::Immediate)
            .unwrap_err()
            .code(),
        1149
    );
    let frozen = world.facts().database.unwrap().datafiles[1]
        .header
        .clone()
        .unwrap();
    world.work(200);
    world.instance.checkpoint().unwrap();
    let later = world.facts().database.unwrap().datafiles[1]
        .header
        .clone()
        .unwrap();
    assert_eq!(frozen.checkpoint_scn, later.checkpoint_scn);
    assert!(later.checkpoint_count > frozen.checkpoint_count);
    let copies = world.copy_datafiles();
    world.work(200);
    world.instance.end_backup(&BackupScope::Database).unwrap();
    assert_eq!(
        world
            .instance
            .end_backup(&BackupScope::Database)
            .unwrap_err()
            .code(),
        1142
    );
    world.work(200);
    world.instance.switch_logfile().unwrap();
    world.work(200);
    world.restart(ShutdownMode::Abort);
    restore(&copies);
    assert_eq!(
        world.instance.open(OpenMode::Default).unwrap_err().code(),
        1113
    );
    assert_eq!(
        world
            .instance
            .recover(&recover(Until::Complete, false))
            .unwrap(),
        RecoveryStep::Complete
    );
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
}

#[test]
fn recovery_to_a_change_keeps_what_came_before_and_nothing_else() {
    let mut world = World::new();
    world.work(50);
    world.instance.begin_backup(&BackupScope::Database).unwrap();
    world.work(100);
    let copies = world.copy_datafiles();
    world.instance.end_backup(&BackupScope::Database).unwrap();
    world.work(300);
    let target = world.commits[380].1;
    world.restart(ShutdownMode::Abort);
    restore(&copies);
    let step = world
        .instance
        .recover(&recover(Until::Change(target), false))
        .unwrap();
    assert_eq!(step, RecoveryStep::Complete);
    assert_eq!(
        world.instance.open(OpenMode::Default).unwrap_err().code(),
        1589
    );
    world.instance.open(OpenMode::ResetLogs).unwrap();
    world.check(target);
    let database = world.facts().database.unwrap();
    assert_eq!(database.resetlogs_scn, target);
    assert_eq!(database.incarnations.len(), 2);
    world.commits.truncate(380);
    world.work(100);
    world.restart(ShutdownMode::Abort);
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
}

#[test]
fn a_backup_whose_end_is_not_reached_does_not_open() {
    let mut world = World::new();
    world.instance.begin_backup(&BackupScope::Database).unwrap();
    world.work(100);
    let copies = world.copy_datafiles();
    world.work(100);
    let before_end = world.commits[150].1;
    world.instance.end_backup(&BackupScope::Database).unwrap();
    world.work(100);
    world.restart(ShutdownMode::Abort);
    restore(&copies);
    let error = world
        .instance
        .recover(&recover(Until::Change(before_end), false))
        .unwrap_err();
    assert!(
        error.has(1547) && error.has(1195) && error.has(1110),
        "{error}"
    );
    assert!(
        world
            .instance
            .open(OpenMode::ResetLogs)
            .unwrap_err()
            .has(1195)
    );
}

#[test]
fn a_missing_log_stops_recovery_and_the_database_stays_shut() {
    let mut world = World::new();
    world.instance.begin_backup(&BackupScope::Database).unwrap();
    world.work(50);
    let copies = world.copy_datafiles();
    let first = world
        .facts()
        .database
        .unwrap()
        .logs
        .iter()
        .find(|log| log.status == "CURRENT")
        .unwrap()
        .sequence;
    for _ in 0..6 {
        world.work(20);
        world.instance.archive_log_current().unwrap();
    }
    world.instance.end_backup(&BackupScope::Database).unwrap();
    world.work(10);
    world.restart(ShutdownMode::Abort);
    restore(&copies);
    std::fs::remove_file(
        world
            .home()
            .join(format!("saparch/SNDarch1_{}.dbf", first.get() + 1)),
    )
    .unwrap();
    let step = world
        .instance
        .recover(&recover(Until::Cancel, false))
        .unwrap();
    let RecoveryStep::NeedsLog { sequence, note, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(sequence.get(), first.get() + 1);
    assert!(note.unwrap().has(308));
    let error = world.instance.recover_cancel().unwrap_err();
    assert!(error.has(1195), "{error}");
    assert!(world.instance.open(OpenMode::ResetLogs).is_err());
}

#[test]
fn with_a_restored_control_file_and_the_online_log_nothing_is_lost() {
    let mut world = World::new();
    world.instance.begin_backup(&BackupScope::Database).unwrap();
    world.work(100);
    let copies = world.copy_datafiles();
    world.instance.end_backup(&BackupScope::Database).unwrap();
    let saved = world.directory.path().join("cntrl.dbf");
    world.instance.backup_controlfile(&saved, false).unwrap();
    assert!(
        world
            .instance
            .backup_controlfile(&saved, false)
            .unwrap_err()
            .has(27038)
    );
    world.work(50);
    world.instance.archive_log_current().unwrap();
    world.work(150);
    let database = world.facts().database.unwrap();
    world.instance.shutdown(ShutdownMode::Abort).unwrap();
    restore(&copies);
    for (path, _, _) in &database.controlfiles {
        std::fs::copy(&saved, path).unwrap();
    }
    world.instance = Instance::start(&world.home(), "SND").unwrap();
    world.instance.mount().unwrap();
    assert!(
        world
            .instance
            .recover(&recover(Until::Complete, false))
            .unwrap_err()
            .has(1610)
    );
    let mut step = world
        .instance
        .recover(&recover(Until::Cancel, true))
        .unwrap();
    while let RecoveryStep::NeedsLog { sequence, .. } = step {
        let log = database
            .logs
            .iter()
            .find(|log| log.sequence == sequence)
            .unwrap();
        step = world.instance.recover_with(&log.members[0]).unwrap();
    }
    assert!(
        world
            .instance
            .open(OpenMode::NoResetLogs)
            .unwrap_err()
            .has(1588)
    );
    world.instance.open(OpenMode::ResetLogs).unwrap();
    world.check(Scn::OPEN_ENDED);
}

#[test]
fn a_crash_in_backup_mode_is_cured_by_end_backup() {
    let mut world = World::new();
    world.work(50);
    world
        .instance
        .begin_backup(&BackupScope::Tablespace("PSAP40BD".to_string()))
        .unwrap();
    world.work(200);
    world.restart(ShutdownMode::Abort);
    assert_eq!(
        world.instance.open(OpenMode::Default).unwrap_err().code(),
        10873
    );
    world.instance.end_backup(&BackupScope::Database).unwrap();
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
}

#[test]
fn one_lost_file_is_recovered_while_the_others_stay() {
    let mut world = World::new();
    world
        .instance
        .begin_backup(&BackupScope::Tablespace("PSAP40BI".to_string()))
        .unwrap();
    let copies = world.copy_datafiles();
    world
        .instance
        .end_backup(&BackupScope::Tablespace("PSAP40BI".to_string()))
        .unwrap();
    world.work(300);
    world.restart(ShutdownMode::Abort);
    std::fs::remove_file(&copies[3].0).unwrap();
    let error = world.instance.open(OpenMode::Default).unwrap_err();
    assert!(error.code() == 1157 && error.has(1110), "{error}");
    assert_eq!(
        world.facts().database.unwrap().recover[0].error,
        "FILE NOT FOUND"
    );
    restore(&copies[3..4]);
    world
        .instance
        .recover(&recover(Until::Complete, false))
        .unwrap();
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
}

#[test]
fn a_file_added_after_the_backup_is_made_anew_by_recovery() {
    let mut world = World::new();
    world.instance.begin_backup(&BackupScope::Database).unwrap();
    let copies = world.copy_datafiles();
    world.instance.end_backup(&BackupScope::Database).unwrap();
    let saved = world.directory.path().join("cntrl.dbf");
    world.instance.backup_controlfile(&saved, false).unwrap();
    let added = world.home().join("sapdata3/roll_2/roll.data2");
    world
        .instance
        .add_datafile("PSAPROLL", &added, 1 << 20)
        .unwrap();
    let again = world
        .instance
        .add_datafile("PSAPROLL", &added, 1 << 20)
        .unwrap_err();
    assert_eq!(again.code(), 1537);
    world.work(50);
    let database = world.facts().database.unwrap();
    world.instance.shutdown(ShutdownMode::Abort).unwrap();
    std::fs::remove_file(&added).unwrap();
    restore(&copies);
    for (path, _, _) in &database.controlfiles {
        std::fs::copy(&saved, path).unwrap();
    }
    world.instance = Instance::start(&world.home(), "SND").unwrap();
    world.instance.mount().unwrap();
    let mut step = world
        .instance
        .recover(&recover(Until::Cancel, true))
        .unwrap();
    while let RecoveryStep::NeedsLog { sequence, .. } = step {
        let log = database
            .logs
            .iter()
            .find(|log| log.sequence == sequence)
            .unwrap();
        step = world.instance.recover_with(&log.members[0]).unwrap();
    }
    world.instance.open(OpenMode::ResetLogs).unwrap();
    world.check(Scn::OPEN_ENDED);
    let files = world.facts().database.unwrap().datafiles;
    assert_eq!(
        files.last().map(|file| file.path.clone()),
        Some(added.clone())
    );
    assert!(added.exists());
}

#[test]
fn a_file_taken_offline_under_load_stops_nobody_and_comes_back_by_recovery() {
    let mut world = World::new();
    world.work(50);
    let file = practice::engine::FileReference::Number(2);
    world.instance.datafile_online(&file, false, false).unwrap();
    // Commits that need the file are refused; the writer and the shutdown do not wait for it.
    world.instance.checkpoint().unwrap();
    world.instance.switch_logfile().unwrap();
    world.restart(ShutdownMode::Immediate);
    let recover_file = |world: &World| {
        world.instance.recover(&RecoverRequest {
            scope: RecoverScope::Datafiles(vec![practice::engine::FileReference::Number(2)]),
            automatic: true,
            ..recover(Until::Complete, false)
        })
    };
    world.instance.datafile_online(&file, true, false).unwrap();
    let refused = world.instance.open(OpenMode::Default).unwrap_err();
    assert_eq!(refused.code(), 1113, "{refused}");
    assert!(matches!(recover_file(&world), Ok(RecoveryStep::Complete)));
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
    world.work(50);
    world.restart(ShutdownMode::Abort);
    world.instance.open(OpenMode::Default).unwrap();
    world.check(Scn::OPEN_ENDED);
}
