//! The shipped data backup script against the practice database's `rman`, in both its modes.
//! What lives here: that the very commands of the script run, and that what it made comes back. What does not: the
//! script's own ways to fail (`data_backup_script`).

mod data_backup_world;
mod practice_database;
mod rman_world;

use data_backup_world::Host;
use data_backup_world::store_stand_in::{Store, WHOLE_RUN};
use oracle::scn::Scn;
use practice::judge::Target;
use practice_database::{Database, wait_for_commits};
use rman_world::{World, reached};

/// A host whose mount has room for backups of a practice database, and that database, open.
fn host_and_world() -> (Host, World) {
    let host = Host::with_mount("size=512m", "tmpfs");
    let mount = host.mount();
    let database = Database::open();
    (host, World { database, mount })
}

/// One run of the script, which must be sealed.
#[track_caller]
fn run(host: &Host, world: &World, options: &[&str]) -> String {
    let store = Store::start();
    let home = world.database.home.display().to_string();
    let mut all = vec!["--oracle-home", &home, "--database", "SND"];
    all.extend_from_slice(options);
    host.run(store.address(), &all)
        .must_end_with(0)
        .must_say("RDB008I");
    assert_eq!(store.calls(), WHOLE_RUN);
    let mut logs = host.names_in("log");
    let newest = logs.pop().expect("a log");
    std::fs::read_to_string(host.path("log").join(newest)).unwrap()
}

/// Everything is lost; the mount has all that is needed.
fn come_back(world: &World, restore: &str) {
    world.lose_everything();
    let control = world.files("control_D-SND").remove(0);
    let log = world.must_fail(&format!(
        "startup nomount;\n\
         restore controlfile from '{}';\n\
         alter database mount;\n\
         catalog start with '{}/' noprompt;\n\
         {restore}\n\
         recover database;\n",
        control.display(),
        world.m()
    ));
    world.must("alter database open resetlogs;\n");
    world.must_be_whole(Target::Scn(Scn::new(reached(&log))));
}

#[test]
fn full_sets_of_the_script_are_sealed_and_come_back() {
    let (host, world) = host_and_world();
    let load = world.load(1);
    let options = ["--full", "--channels", "3", "--keep-days", "8"];
    let log = run(&host, &world, &options);
    assert!(
        log.contains("RMAN-08008: channel c3: starting full datafile backup set"),
        "{log}"
    );
    assert!(log.contains("RMAN-06005: connected to target database: SND (DBID="));
    wait_for_commits(&load, 50);
    run(&host, &world, &options);
    World::end(load);
    come_back(&world, "restore database;");
}

#[test]
fn copies_of_the_script_are_brought_up_to_date_at_every_run_and_come_back() {
    let (host, world) = host_and_world();
    let load = world.load(2);
    let first = run(&host, &world, &["--channels", "2"]);
    assert!(
        first.contains("RMAN-08580: channel c2: starting datafile copy"),
        "{first}"
    );
    for _ in 0..2 {
        wait_for_commits(&load, 100);
        let log = run(&host, &world, &["--channels", "2"]);
        assert!(
            log.contains("recovering datafile copy file number=00001 name="),
            "{log}"
        );
    }
    World::end(load);
    come_back(&world, "switch database to copy;");
}

#[test]
fn a_mount_that_was_cleared_gets_new_copies() {
    let (host, world) = host_and_world();
    run(&host, &world, &[]);
    for file in world.files("") {
        std::fs::remove_file(file).unwrap();
    }
    let log = run(&host, &world, &[]);
    assert!(log.contains("validation failed for datafile copy"), "{log}");
    assert!(
        log.contains("no parent backup or copy of datafile 1 found"),
        "{log}"
    );
    assert_eq!(world.files("data_D-SND").len(), 7);
}
