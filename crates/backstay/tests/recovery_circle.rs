//! The whole circle: a database under load, the shipped script, a store, recovery points, everything lost, everything back.
//! What lives here: five days of backups of which each one is restored. What does not: the script's options
//! (`restore_script_lookalike`), the store's ends (`recovery_points`).

mod data_backup_world;
mod practice_database;
mod repository_world;
mod restore_world;
mod rman_world;
mod store_world;

use std::path::{Path, PathBuf};
use std::process::Command;

use api::admin::RecoveryPoint;
use data_backup_world::{Host, Said};
use oracle::scn::Scn;
use practice::judge::Target;
use practice::workload::Handle;
use practice_database::{Database, SID, wait_for_commits};
use repository_world::{Restic, await_points, points, world_with_ingest};
use restore_world::restore_script;
use rman_world::World;
use store_world::StoreWorld;

const MOUNT: &str = "testmount";
const DAYS: usize = 5;

/// What was known of the database around one backup.
struct Day {
    point: RecoveryPoint,
    /// Its SCN before the backup began: everything up to it must come back.
    before: u64,
    /// Its SCN after the backup was sealed: nothing after it can come back.
    after: u64,
}

/// A database under load, its host with the mount of a store, and the store.
struct Circle {
    store: StoreWorld,
    host: Host,
    world: World,
    load: Option<Handle>,
}

impl Circle {
    fn new(seed: u64) -> Circle {
        let store = world_with_ingest();
        store.create(MOUNT);
        let host = Host::on(&store.data(MOUNT));
        let world = World {
            mount: host.mount(),
            database: Database::open(),
        };
        let load = Some(world.load(seed));
        Circle {
            store,
            host,
            world,
            load,
        }
    }

    fn home(&self) -> String {
        self.world.database.home.display().to_string()
    }

    fn scn(&self) -> u64 {
        self.world.number("select current_scn from v$database")
    }

    /// A day's work and its backup; it has become a recovery point when this returns.
    fn day(&self, number: usize, options: &[&str]) -> Day {
        wait_for_commits(self.load.as_ref().expect("the load goes on"), 100);
        let before = self.scn();
        let address = self.store.running().api.to_string();
        let home = self.home();
        let mut all = vec!["--oracle-home", home.as_str(), "--database", SID];
        all.extend_from_slice(options);
        self.host
            .run(&address, &all)
            .must_end_with(0)
            .must_say("RDB008I");
        let after = self.scn();
        let mut found = await_points(&self.store, MOUNT, number);
        Day {
            point: found.pop().expect("the newest one"),
            before,
            after,
        }
    }

    /// The load ends; the database with all its redo goes, and what the mount has of it.
    fn lose_everything(&mut self) {
        if let Some(load) = self.load.take() {
            World::end(load);
        }
        self.world.lose_everything();
        for file in self.world.files("") {
            std::fs::remove_file(file).unwrap();
        }
    }

    /// `backstay recovery-point restore`, and where its files are.
    fn restore_from_the_store(&self, point: &RecoveryPoint) -> (u64, PathBuf) {
        let output = Command::new(env!("CARGO_BIN_EXE_backstay"))
            .args(["recovery-point", "restore", &point.id[..8], "--json"])
            .env("BACKSTAY_STORE_DIR", &self.store.directory)
            .output()
            .unwrap();
        Said::of(&output).must_end_with(0);
        let job: api::admin::Job = serde_json::from_slice(&output.stdout).unwrap();
        let directory = self.store.directory.join("mounts").join(MOUNT);
        (job.id, directory.join("restores").join(job.id.to_string()))
    }

    /// Everything is lost, and one day's recovery point brings back exactly what was committed by then.
    fn must_come_back(&mut self, day: &Day) {
        self.lose_everything();
        let (job, files) = self.restore_from_the_store(&day.point);
        let host = Host::on(&files).with_script(&restore_script());
        let mut command = host.bare_command();
        command
            .args(["--oracle-home", &self.home(), "--database", SID])
            .arg("--local-mount")
            .arg(host.mount())
            .arg(host.path("log"))
            .args(["127.0.0.1", MOUNT, &job.to_string()]);
        let said = Said::of(&command.output().unwrap());
        said.must_end_with(0)
            .must_say("RRS010I database SND is open");
        let scn = recovered_to(&said);
        assert!(
            (day.before..=day.after).contains(&scn),
            "{scn} is not within {}..={}",
            day.before,
            day.after
        );
        self.world.must_be_whole(Target::Scn(Scn::new(scn)));
        let gone = self
            .store
            .curl("DELETE", &format!("{MOUNT}/restores/{job}"), &[]);
        gone.must_succeed();
    }

    /// Debian's restic finds all of it, and nothing damaged.
    fn must_please_restic(&self, days: &[Day]) {
        let restic = Restic::of(&self.store);
        restic.must(&["check", "--read-data"]);
        let mut theirs: Vec<String> = restic.snapshots().into_iter().map(|one| one.0).collect();
        let mut ours: Vec<String> = days.iter().map(|day| day.point.id.clone()).collect();
        theirs.sort();
        ours.sort();
        assert_eq!(theirs, ours);
    }
}

/// Where the recovery ended, from the script's words.
fn recovered_to(said: &Said) -> u64 {
    let rest = said.output.split("is recovered to SCN ").nth(1);
    let digits = rest.and_then(|rest| rest.split(',').next());
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("no SCN: {}", said.output))
}

/// Five days, then each of their recovery points in an order in which none builds on the one before.
fn five_days_come_back(seed: u64, options: &[&str]) {
    let mut circle = Circle::new(seed);
    let days: Vec<Day> = (1..=DAYS)
        .map(|number| circle.day(number, options))
        .collect();
    circle.must_please_restic(&days);
    for number in [3, 1, 5, 2, 4] {
        circle.must_come_back(&days[number - 1]);
    }
    assert_eq!(points(&circle.store, MOUNT).len(), DAYS);
    let left = circle
        .store
        .directory
        .join("mounts")
        .join(MOUNT)
        .join("restores");
    assert_eq!(entries(&left), 0, "each restore was removed");
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn each_of_five_days_of_full_sets_comes_back() {
    five_days_come_back(51, &["--full", "--channels", "2", "--keep-days", "8"]);
}

#[test]
fn each_of_five_days_of_copies_that_are_brought_up_to_date_comes_back() {
    five_days_come_back(52, &["--channels", "2"]);
}
