//! Backups and recovery with the practice database's `rman`: under load, after losing everything.
//! What lives here: whole ways there and back. What does not: the shipped script (`rman_script.rs`), the grammar.

mod practice_database;
mod rman_world;

use oracle::scn::Scn;
use practice::judge::Target;
use practice_database::wait_for_commits;
use rman_world::World;

/// Full backup sets on three channels, as scripts write them.
fn full_backup(world: &World) -> String {
    let m = world.m();
    world.must(&format!(
        "run {{\n\
         allocate channel c1 device type disk format '{m}/%U';\n\
         allocate channel c2 device type disk format '{m}/%U';\n\
         allocate channel c3 device type disk format '{m}/%U';\n\
         backup as backupset full filesperset 1 tag 'FULL' database;\n\
         sql 'alter system archive log current';\n\
         backup as backupset filesperset 4 tag 'FULL_LOG' archivelog all not backed up 1 times;\n\
         backup spfile tag 'FULL_SPF';\n\
         backup current controlfile tag 'FULL_CTL' format '{m}/control.bkp' reuse;\n\
         }}\nexit;\n"
    ))
}

/// SCN that the backed-up logs reach: that of the last log's end.
fn reached(log: &str) -> u64 {
    let text = log
        .lines()
        .filter_map(|line| line.rsplit_once("starting SCN of "))
        .next_back();
    text.expect("the missing log's SCN")
        .1
        .parse()
        .expect("a number")
}

#[test]
fn a_full_backup_under_load_comes_back_after_everything_is_lost() {
    let world = World::open();
    let load = world.load(1);
    let log = full_backup(&world);
    for part in [
        "channel c1: starting full datafile backup set",
        "channel c2: ",
        "channel c3: finished piece 1 at ",
    ] {
        assert!(log.contains(part), "'{part}' is not in\n{log}");
    }
    wait_for_commits(&load, 20);
    world.lose_everything();
    World::end(load);
    let m = world.m();
    let spfile = world.files("").into_iter().find(|path| {
        let said = log
            .lines()
            .skip_while(|line| !line.contains("including current SPFILE"))
            .find_map(|line| line.split("piece handle=").nth(1));
        said.is_some_and(|handle| handle.starts_with(&path.display().to_string()))
    });
    let spfile = spfile.expect("the piece with the parameter file");
    let parameters = world.database.home.join("dbs/initSND.ora");
    let before = std::fs::read(&parameters).unwrap();
    let restored = world.must_fail(&format!(
        "startup nomount;\n\
         restore spfile from '{}';\n\
         restore controlfile from '{m}/control.bkp';\n\
         alter database mount;\n\
         catalog start with '{m}/' noprompt;\n\
         restore database;\n\
         recover database;\n",
        spfile.display()
    ));
    assert!(
        restored
            .contains("RMAN-06054: media recovery requesting unknown archived log for thread 1"),
        "{restored}"
    );
    assert_eq!(std::fs::read(&parameters).unwrap(), before);
    let opened = world.must("alter database open resetlogs;\nlist incarnation;\n");
    assert!(
        opened.contains("PARENT") && opened.contains("CURRENT"),
        "{opened}"
    );
    world.must_be_whole(Target::Scn(Scn::new(reached(&restored))));
}
