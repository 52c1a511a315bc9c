//! Backups and recovery with the practice database's `rman`: under load, after losing everything.
//! What lives here: whole ways there and back. What does not: the shipped script (`rman_script.rs`), the grammar.

mod practice_database;
mod rman_world;

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, MetadataExt};

use oracle::file_header::FileHeader;
use oracle::scn::Scn;
use practice::judge::Target;
use practice_database::wait_for_commits;
use rman_world::{World, reached};

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
    // The other channel may finish a piece between this one's words and its handle.
    let account = oracle::rman::read_log(log.as_bytes()).unwrap();
    let mut sets = account.databases.iter().flat_map(|database| &database.sets);
    let spfile = sets.find(|set| set.includes_spfile);
    let spfile = &spfile.expect("the set with the parameter file").pieces[0].handle;
    let parameters = world.database.home.join("dbs/initSND.ora");
    let before = std::fs::read(&parameters).unwrap();
    let restored = world.must_fail(&format!(
        "startup nomount;\n\
         restore spfile from '{spfile}';\n\
         restore controlfile from '{m}/control.bkp';\n\
         alter database mount;\n\
         catalog start with '{m}/' noprompt;\n\
         restore database;\n\
         recover database;\n"
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

/// One run of the incremental-forever strategy, as the shipped script has it.
fn incremental_backup(world: &World) -> String {
    let m = world.m();
    world.must(&format!(
        "run {{\n\
         allocate channel c1 device type disk format '{m}/%U';\n\
         allocate channel c2 device type disk format '{m}/%U';\n\
         crosscheck copy of database tag 'DAY';\n\
         delete noprompt expired copy of database tag 'DAY';\n\
         backup incremental level 1 for recover of copy with tag 'DAY' database;\n\
         recover copy of database with tag 'DAY';\n\
         delete noprompt backupset tag 'DAY';\n\
         sql 'alter system archive log current';\n\
         backup as backupset filesperset 4 tag 'DAY_LOG' archivelog all not backed up 1 times;\n\
         backup as copy tag 'DAY_CTL' current controlfile format '{m}/control_D-%d_I-%I.ctl' reuse;\n\
         }}\n"
    ))
}

/// Three days with a load between them: copies, then twice a level 1 that is merged at once. Then everything is lost,
/// and the control file of the last day is mounted and knows what lies on the mount.
fn three_days(world: &World) {
    let load = world.load(2);
    let first = incremental_backup(world);
    assert!(
        first.contains("no parent backup or copy of datafile 1 found"),
        "{first}"
    );
    assert!(
        first.contains("no copy of datafile 1 found to recover"),
        "{first}"
    );
    assert_eq!(world.files("data_D-SND").len(), 7, "{first}");
    for _ in 2..=3 {
        wait_for_commits(&load, 200);
        let log = incremental_backup(world);
        for part in [
            "starting incremental level 1 datafile backup set",
            "specifying datafile copies to recover",
            "recovering datafile copy file number=00002 name=",
            "deleted backup piece",
        ] {
            assert!(log.contains(part), "'{part}' is not in\n{log}");
        }
        assert_eq!(world.files("data_D-SND").len(), 7, "the same files");
    }
    wait_for_commits(&load, 20);
    world.lose_everything();
    World::end(load);
    let control = world.files("control_D-SND").remove(0);
    world.must(&format!(
        "startup nomount;\n\
         restore controlfile from '{}';\n\
         alter database mount;\n\
         catalog start with '{}/' noprompt;\n",
        control.display(),
        world.m()
    ));
}

/// Recovers as far as the logs go, opens, and judges that nothing up to there is missing.
fn recover_open_and_judge(world: &World) {
    let log = world.must_fail("recover database;\n");
    assert!(
        log.contains(
            "RMAN-06054: media recovery requesting unknown archived log for thread 1 with sequence "
        ),
        "{log}"
    );
    world.must("alter database open resetlogs;\n");
    world.must_be_whole(Target::Scn(Scn::new(reached(&log))));
}

#[test]
fn copies_brought_up_to_date_for_three_days_are_switched_to() {
    let world = World::open();
    three_days(&world);
    let log = world.must("switch database to copy;\n");
    assert!(
        log.contains("datafile 7 switched to datafile copy \""),
        "{log}"
    );
    recover_open_and_judge(&world);
    let elsewhere = format!(
        "select count(*) from v$datafile where name like '{}/%'",
        world.m()
    );
    assert_eq!(world.number(&elsewhere), 7);
    // The database lives on, and can be backed up where it is now.
    full_backup(&world);
}

#[test]
fn copies_brought_up_to_date_for_three_days_are_restored() {
    let world = World::open();
    three_days(&world);
    let log = world.must("restore database;\n");
    assert!(log.contains("input datafile copy RECID="), "{log}");
    assert!(
        log.contains("copied datafile copy of datafile 00001"),
        "{log}"
    );
    recover_open_and_judge(&world);
    assert_eq!(world.files("data_D-SND").len(), 7);
}

#[test]
fn merging_rewrites_only_what_has_changed() {
    let world = World::open();
    let load = world.load(4);
    incremental_backup(&world);
    let copy = world.files("TS-PSAPTEMP").remove(0);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&copy)
        .unwrap();
    // A block that the database never changes gets a mark that is no damage.
    let mut block = vec![0; 8192];
    file.read_exact_at(&mut block, 40 * 8192).unwrap();
    block[5000] = 0x77;
    oracle::block::seal(&mut block);
    file.write_all_at(&block, 40 * 8192).unwrap();
    let checkpoint = || {
        let mut header = vec![0; 8192];
        file.read_exact_at(&mut header, 8192).unwrap();
        FileHeader::read(&header).unwrap().checkpoint.scn
    };
    let before = checkpoint();
    wait_for_commits(&load, 50);
    let log = incremental_backup(&world);
    assert!(
        log.contains("recovering datafile copy file number=00007"),
        "{log}"
    );
    let mut after = vec![0; 8192];
    file.read_exact_at(&mut after, 40 * 8192).unwrap();
    assert!(after == block, "the block was written again");
    assert!(checkpoint() > before, "the header has moved on");
    World::end(load);
}

#[test]
fn a_level_1_is_small_and_brings_a_restored_level_0_onwards() {
    let world = World::open();
    let m = world.m();
    world.must(&format!(
        "backup incremental level 0 filesperset 1 format '{m}/zero_%U' database;\n"
    ));
    // What changed is bounded, however slow the machine is: the load ends before its size is asked for.
    world.load(5).stop().unwrap();
    world.must(&format!(
        "backup incremental level 1 format '{m}/one_%U' database;\n"
    ));
    let load = world.load(6);
    wait_for_commits(&load, 100);
    let log = world.must(&format!(
        "backup incremental level 1 cumulative as compressed backupset format '{m}/cum_%U' database;\n\
         backup archivelog all format '{m}/logs_%U' delete input;\n"
    ));
    assert!(
        log.contains("starting compressed incremental level 1 datafile backup set"),
        "{log}"
    );
    assert!(
        log.contains("channel ORA_DISK_1: deleting archived log(s)"),
        "{log}"
    );
    let bytes = |part: &str| -> u64 {
        let blocks = |path: &std::path::PathBuf| std::fs::metadata(path).unwrap().blocks() * 512;
        world.files(part).iter().map(blocks).sum()
    };
    let (zero, one) = (bytes("zero_"), bytes("one_"));
    assert!(one * 2 < zero, "level 1 has {one} bytes, level 0 {zero}");
    load.stop().unwrap();
    world.database.must("shutdown immediate");
    for file in world.database.datafiles() {
        std::fs::remove_file(file).unwrap();
    }
    let log =
        world.must("startup mount;\nrestore database;\nrecover database;\nalter database open;\n");
    assert!(
        log.contains("starting incremental datafile backup set restore"),
        "{log}"
    );
    assert!(
        log.contains("destination for restore of datafile 00002: "),
        "{log}"
    );
    world.must_be_whole(Target::Everything);
}

#[test]
fn catalogued_logs_are_read_where_they_lie() {
    let world = World::open();
    let m = world.m();
    world.must(&format!("backup database format '{m}/%U';\n"));
    let load = world.load(6);
    wait_for_commits(&load, 300);
    load.stop().unwrap();
    // Five logs more, so that the first are not among the online ones any longer.
    world
        .database
        .must(&"alter system archive log current;\n".repeat(5));
    let elsewhere = world.mount.join("logs");
    std::fs::create_dir(&elsewhere).unwrap();
    for entry in std::fs::read_dir(world.database.home.join("saparch")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, elsewhere.join(path.file_name().unwrap())).unwrap();
        std::fs::remove_file(path).unwrap();
    }
    world.lose_datafiles();
    let log = world.must(&format!(
        "startup mount;\n\
         catalog start with '{m}/logs' noprompt;\n\
         restore database;\n\
         recover database;\n\
         alter database open;\n"
    ));
    assert!(
        log.contains(&format!("archived log file name={m}/logs/SNDarch1_")),
        "{log}"
    );
    assert!(!log.contains("archived log restore"), "{log}");
    world.must_be_whole(Target::Everything);
}

#[test]
fn one_lost_file_is_restored_and_recovered_while_the_others_stay() {
    let world = World::open();
    let m = world.m();
    world.must(&format!("backup database format '{m}/%U';\n"));
    let load = world.load(7);
    load.stop().unwrap();
    world.database.must("shutdown immediate");
    let files = world.database.datafiles();
    let lost = files
        .iter()
        .find(|file| file.ends_with("roll.data1"))
        .unwrap();
    let kept = files
        .iter()
        .find(|file| file.ends_with("40bd.data1"))
        .unwrap();
    std::fs::remove_file(lost).unwrap();
    let before = std::fs::metadata(kept).unwrap().ino();
    let log = world.must(
        "startup mount;\n\
         restore tablespace psaproll;\n\
         recover datafile 6;\n\
         alter database open;\n",
    );
    assert_eq!(log.matches("restoring datafile ").count(), 1, "{log}");
    assert_eq!(std::fs::metadata(kept).unwrap().ino(), before);
    world.must_be_whole(Target::Everything);
}

#[test]
fn a_log_that_is_missing_for_a_while_does_not_cost_the_rest() {
    let world = World::open();
    let m = world.m();
    world.must(&format!("backup database format '{m}/%U';\n"));
    let load = world.load(8);
    wait_for_commits(&load, 300);
    load.stop().unwrap();
    // Five logs more, so that the first are not among the online ones any longer.
    world
        .database
        .must(&"alter system archive log current;\n".repeat(5));
    world.lose_datafiles();
    let log = world.database.home.join("saparch/SNDarch1_2.dbf");
    let aside = world.mount.join("aside");
    std::fs::rename(&log, &aside).unwrap();
    let failed = world.must_fail("startup mount;\nrestore database;\nrecover database;\n");
    assert!(failed.contains("unable to find archived log"), "{failed}");
    assert!(
        failed.contains("for thread 1 with sequence 2 and starting SCN of"),
        "{failed}"
    );
    std::fs::rename(&aside, &log).unwrap();
    world.must("recover database;\nalter database open;\n");
    world.must_be_whole(Target::Everything);
}

#[test]
fn a_file_in_backup_mode_is_backed_up_with_a_warning_and_comes_back() {
    let world = World::open();
    let m = world.m();
    let load = world.load(9);
    world
        .database
        .must("alter tablespace psap40bd begin backup;");
    wait_for_commits(&load, 50);
    let log = world.must(&format!("backup as copy format '{m}/%U' database;\n"));
    assert!(
        log.contains("RMAN-06554: WARNING: file 2 is in backup mode"),
        "{log}"
    );
    world.database.must("alter tablespace psap40bd end backup;");
    load.stop().unwrap();
    world.lose_datafiles();
    world.must("startup mount;\nrestore database;\nrecover database;\nalter database open;\n");
    world.must_be_whole(Target::Everything);
}
