//! Hot copies taken in the worst way while sessions commit: blocks in random order, in halves, the header last.
//! What lives here: that such a copy, taken in backup mode, comes back whole. What does not: the tools' own copying.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use oracle::scn::Scn;
use practice::content::row_text;
use practice::create::{CreateOptions, create};
use practice::engine::{
    BackupScope, Instance, OpenMode, RecoverRequest, RecoverScope, RecoveryStep, ShutdownMode,
    Until,
};
use practice::protocol::{Answer, RowChange};

const SESSIONS: u64 = 6;

/// Acknowledged commits: SCN, transaction, keys.
type Commits = Arc<Mutex<Vec<(Scn, u64, Vec<u64>)>>>;

struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    /// Sessions that commit until stopped; session `s` changes keys congruent to `s` only.
    fn start(instance: &Arc<Instance>, commits: &Commits, round: u64) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let keys = instance.capacity().unwrap().0;
        let threads = (0..SESSIONS)
            .map(|session| {
                let (instance, commits, stop) =
                    (Arc::clone(instance), Arc::clone(commits), Arc::clone(&stop));
                std::thread::spawn(move || {
                    let mut random = fastrand::Rng::with_seed(round * 100 + session);
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        count += 1;
                        let number = (round * 1_000_000 + count) * SESSIONS + session;
                        let mut rows: Vec<u64> = (0..3)
                            .map(|_| random.u64(0..keys / SESSIONS) * SESSIONS + session)
                            .collect();
                        rows.sort_unstable();
                        rows.dedup();
                        let changes: Vec<RowChange> = rows
                            .iter()
                            .map(|key| RowChange {
                                key: *key,
                                text: Some(row_text(*key, number)),
                            })
                            .collect();
                        let (scn, _) = instance.commit(number, session as u32, &changes).unwrap();
                        commits.lock().unwrap().push((scn, number, rows));
                    }
                })
            })
            .collect();
        Load { stop, threads }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}

/// Copies a file in 4 KiB reads, in random order, block 1 after all others.
fn copy_badly(source: &Path, target: &Path, random: &mut fastrand::Rng) {
    let from = std::fs::File::open(source).unwrap();
    let to = std::fs::File::create(target).unwrap();
    let halves = from.metadata().unwrap().len() / 4096;
    let mut order: Vec<u64> = (0..halves).filter(|half| !(2..4).contains(half)).collect();
    random.shuffle(&mut order);
    order.extend([2, 3]);
    let mut bytes = [0; 4096];
    for half in order {
        from.read_exact_at(&mut bytes, half * 4096).unwrap();
        to.write_all_at(&bytes, half * 4096).unwrap();
    }
}

fn rows_of(instance: &Instance) -> (BTreeMap<u64, u64>, Vec<String>) {
    let (mut rows, mut damage) = (BTreeMap::new(), Vec::new());
    instance
        .scan(&mut |answer| {
            match answer {
                Answer::Row(row) => {
                    damage.extend(row.damage);
                    if row.transaction > 0 {
                        rows.insert(row.key, row.transaction);
                    }
                }
                Answer::Damage { what, .. } => damage.push(what),
                Answer::Session(session) if session.committed != session.committed_rollback => {
                    damage.push(format!("session {} counts differ", session.session));
                }
                _ => {}
            }
            true
        })
        .unwrap();
    (rows, damage)
}

fn expected(commits: &Commits, limit: Scn) -> BTreeMap<u64, u64> {
    let mut commits = commits.lock().unwrap().clone();
    commits.sort_by_key(|(scn, ..)| *scn);
    let below = commits.iter().filter(|(scn, ..)| *scn < limit);
    below
        .flat_map(|(_, number, rows)| rows.iter().map(|key| (*key, *number)))
        .collect()
}

fn recover(instance: &Arc<Instance>, until: Until) {
    let request = RecoverRequest {
        scope: RecoverScope::Database,
        until,
        using_backup_controlfile: false,
        automatic: true,
    };
    assert_eq!(instance.recover(&request).unwrap(), RecoveryStep::Complete);
}

#[test]
fn a_copy_taken_in_the_worst_way_comes_back_whole_in_backup_mode() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("SND");
    let options = CreateOptions {
        home: home.clone(),
        sid: "SND".to_string(),
        size: 64 << 20,
        log_size: Some(8 << 20),
        seed: 3,
    };
    create(&options, &mut |_| ()).unwrap();
    let commits: Commits = Arc::default();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 1..=2 {
        let instance = Instance::start(&home, "SND").unwrap();
        instance.mount().unwrap();
        instance.open(OpenMode::Default).unwrap();
        let load = Load::start(&instance, &commits, round);
        let mut copies: Vec<(PathBuf, PathBuf)> = Vec::new();
        for (_, tablespace) in instance.facts().database.unwrap().tablespaces {
            let scope = BackupScope::Tablespace(tablespace.clone());
            instance.begin_backup(&scope).unwrap();
            for file in instance.facts().database.unwrap().datafiles {
                if file.tablespace == tablespace {
                    let target = directory.path().join(format!("copy{}", file.number));
                    copy_badly(&file.path, &target, &mut random);
                    copies.push((file.path, target));
                }
            }
            instance.end_backup(&scope).unwrap();
        }
        let enough = commits.lock().unwrap().len() + 500;
        while commits.lock().unwrap().len() < enough {
            std::thread::yield_now();
        }
        load.end();
        let until = match round {
            1 => Until::Complete,
            _ => Until::Change(commits.lock().unwrap()[enough - 100].0),
        };
        instance.shutdown(ShutdownMode::Abort).unwrap();
        for (file, copy) in &copies {
            std::fs::copy(copy, file).unwrap();
        }
        let instance = Instance::start(&home, "SND").unwrap();
        instance.mount().unwrap();
        recover(&instance, until);
        let (mode, limit) = match until {
            Until::Change(limit) => (OpenMode::ResetLogs, limit),
            _ => (OpenMode::Default, Scn::OPEN_ENDED),
        };
        instance.open(mode).unwrap();
        let (rows, damage) = rows_of(&instance);
        assert_eq!(damage, Vec::<String>::new(), "round {round}");
        assert!(
            rows == expected(&commits, limit),
            "round {round}: rows differ from the commits"
        );
        instance.shutdown(ShutdownMode::Immediate).unwrap();
    }
}
