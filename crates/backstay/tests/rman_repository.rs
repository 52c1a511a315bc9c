//! `rman` and its repository in the control file: settings, names, lists, deletion, files restored elsewhere.
//! What lives here: commands beside plain backup and recovery. What does not: failures (`rman_failing`).

mod practice_database;
mod rman_world;

use practice::judge::Target;
use rman_world::World;

#[test]
fn settings_are_kept_and_shown_and_used() {
    let world = World::open();
    let m = world.m();
    let log = world.must(&format!(
        "configure device type disk parallelism 2 backup type to copy;\n\
         configure channel device type disk format '{m}/conf_%U';\n\
         configure controlfile autobackup on;\n\
         configure controlfile autobackup format for device type disk to '{m}/%F';\n\
         configure retention policy to recovery window of 8 days;\n\
         configure retention policy to redundancy 2;\n"
    ));
    assert!(
        log.contains("new RMAN configuration parameters are successfully stored"),
        "{log}"
    );
    assert!(log.contains("old RMAN configuration parameters:"), "{log}");
    // They survive a crash.
    world.database.kill();
    world.database.startup("");
    let shown = world.must("show all;\n");
    for line in [
        "CONFIGURE RETENTION POLICY TO REDUNDANCY 2;".to_owned(),
        "CONFIGURE BACKUP OPTIMIZATION OFF; # default".to_owned(),
        "CONFIGURE CONTROLFILE AUTOBACKUP ON;".to_owned(),
        format!("CONFIGURE CONTROLFILE AUTOBACKUP FORMAT FOR DEVICE TYPE DISK TO '{m}/%F';"),
        "CONFIGURE DEVICE TYPE DISK PARALLELISM 2 BACKUP TYPE TO COPY;".to_owned(),
        format!("CONFIGURE CHANNEL DEVICE TYPE DISK FORMAT   '{m}/conf_%U';"),
    ] {
        assert!(shown.contains(&line), "'{line}' is not in {shown}");
    }
    let log = world
        .must("backup datafile 1, 7;\nbackup spfile;\nconfigure controlfile autobackup clear;\n");
    assert!(log.contains("allocated channel: ORA_DISK_2"), "{log}");
    assert!(log.contains("using channel ORA_DISK_1"), "{log}");
    assert!(log.contains("starting datafile copy"), "{log}");
    assert_eq!(
        log.matches("Starting Control File and SPFILE Autobackup at ")
            .count(),
        2,
        "{log}"
    );
    assert_eq!(world.files("conf_data_D-SND").len(), 2);
    let autobackups = world.files("c-");
    let names: Vec<String> = autobackups
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert!(
        names.len() == 2 && names[0].ends_with("-00") && names[1].ends_with("-01"),
        "{names:?}"
    );
    assert!(
        log.contains(&format!(
            "RMAN-08503: piece handle={} comment=NONE",
            names[0]
        )),
        "{log}"
    );
}

#[test]
fn an_autobackup_is_found_by_its_day_and_count() {
    let world = World::open();
    let m = world.m();
    let dbid = world.number("select dbid from v$database");
    world.must(&format!(
        "configure controlfile autobackup on;\n\
         configure controlfile autobackup format for device type disk to '{m}/%F';\n\
         backup database format '{m}/%U' plus archivelog;\n"
    ));
    world.lose_everything();
    let parameters = world.database.home.join("dbs/initSND.ora");
    let before = std::fs::read(&parameters).unwrap();
    std::fs::remove_file(&parameters).unwrap();
    let log = world.must_fail(&format!(
        "set dbid {dbid};\n\
         startup nomount;\n\
         run {{\n\
         set controlfile autobackup format for device type disk to '{m}/%F';\n\
         restore spfile from autobackup;\n\
         }}\n\
         startup force nomount;\n\
         run {{\n\
         set controlfile autobackup format for device type disk to '{m}/%F';\n\
         restore controlfile from autobackup;\n\
         }}\n\
         alter database mount;\n\
         restore database;\n\
         recover database;\n"
    ));
    assert!(
        log.contains(&format!("AUTOBACKUP found: {m}/c-{dbid}-")),
        "{log}"
    );
    assert!(
        log.contains("starting Oracle instance without parameter file for retrieval of spfile"),
        "{log}"
    );
    assert_eq!(std::fs::read(&parameters).unwrap(), before);
    assert!(log.contains("RMAN-06054"), "{log}");
    world.must("alter database open resetlogs;\nshutdown immediate;\nstartup;\n");
}

#[test]
fn sets_are_listed_expire_and_are_deleted() {
    let world = World::open();
    let m = world.m();
    world.must(&format!(
        "backup as compressed backupset tag one format '{m}/one_%U' datafile 1, 6;\n\
         backup tag two format '{m}/two_%U' datafile 1;\n\
         backup as copy tag three format '{m}/three_%U' tablespace psaproll;\n"
    ));
    let listed =
        world.must("list backup;\nlist copy of database;\nlist backup of controlfile summary;\n");
    for part in [
        "Compressed: YES  Tag: ONE",
        "List of Datafiles in backup set 1",
        "List of Datafile Copies",
        "Tag: THREE",
    ] {
        assert!(listed.contains(part), "'{part}' is not in {listed}");
    }
    let before = world.must("delete noprompt backupset tag two completed before 'sysdate-1';\n");
    assert!(
        before.contains("specification does not match any backup in the repository"),
        "{before}"
    );
    let refused = world.rman_with(
        &["target", "/"],
        "delete backupset tag two;\nno\nlist backup tag two;\n",
    );
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(
        said.contains("enter YES or NO") && said.contains("Tag: TWO"),
        "{said}"
    );
    let deleted = world.must("delete noprompt backupset tag two;\n");
    assert!(
        deleted.contains("RMAN-08073: deleted backup piece\nRMAN-08517: backup piece handle="),
        "{deleted}"
    );
    assert_eq!(world.files("two_").len(), 0);
    for file in world.files("one_").iter().chain(&world.files("three_")) {
        std::fs::remove_file(file).unwrap();
    }
    let checked = world.must(
        "crosscheck backup;\n\
         crosscheck copy of database tag three;\n\
         delete noprompt expired backup;\n\
         delete noprompt expired copy;\n",
    );
    assert!(
        checked.contains("crosschecked backup piece: found to be 'EXPIRED'"),
        "{checked}"
    );
    assert!(
        checked.contains("validation failed for datafile copy"),
        "{checked}"
    );
    assert!(checked.contains("deleted datafile copy"), "{checked}");
    let empty = world.must("list backup;\nlist copy;\n");
    assert_eq!(
        empty
            .matches("does not match any backup in the repository")
            .count(),
        2,
        "{empty}"
    );
}

#[test]
fn uncataloged_copies_are_forgotten_and_stay() {
    let world = World::open();
    let m = world.m();
    world.must(&format!(
        "backup as copy tag one format '{m}/one_%U' tablespace psaproll;\n\
         backup as copy tag two format '{m}/two_%U' tablespace psaproll;\n\
         backup tag three format '{m}/three_%U' datafile 1;\n"
    ));
    let said = world.must(&format!(
        "change copy of database like '{m}/one%' uncatalog;\n"
    ));
    assert!(said.contains("uncataloged datafile copy\n"), "{said}");
    assert!(said.contains("Uncataloged 1 objects"), "{said}");
    let listed = world.must("list copy of database;\n");
    assert!(
        listed.contains("Tag: TWO") && !listed.contains("Tag: ONE"),
        "{listed}"
    );
    assert_eq!(world.files("one_").len(), 1, "the file stays");
    let again = world.must(&format!(
        "change copy of database like '{m}/one%' uncatalog;\n"
    ));
    assert!(
        again.contains("specification does not match any datafile copy"),
        "{again}"
    );
    let piece = world.files("three_").remove(0);
    world.must(&format!(
        "change backuppiece '{}' uncatalog;\n",
        piece.display()
    ));
    let found = world.must(&format!(
        "catalog start with '{m}/' noprompt;\nlist copy;\nlist backup;\n"
    ));
    for part in ["Tag: ONE", "Tag: TWO", "Tag: THREE"] {
        assert!(found.contains(part), "'{part}' is not in {found}");
    }
}

#[test]
fn what_the_retention_policy_does_not_need_is_obsolete() {
    let world = World::open();
    let m = world.m();
    let backup = format!("backup database format '{m}/%U';\n");
    world.must(&backup);
    let first = world.files("").len();
    assert!(
        world
            .must("report obsolete;\n")
            .contains("no obsolete backups found")
    );
    world.practice_second();
    world.must(&format!("{backup}backup archivelog all format '{m}/%U';\n"));
    let reported = world.must("report obsolete;\n");
    assert!(
        reported.contains("Report of obsolete backups and copies"),
        "{reported}"
    );
    let all = world.files("").len();
    world.must("delete noprompt obsolete;\n");
    assert_eq!(world.files("").len(), all - first);
    world.database.must("shutdown immediate\nstartup mount");
    world.must("restore database;\nrecover database;\nalter database open;\n");
}

#[test]
fn archived_logs_are_saved_once_and_deleted_when_saved_often_enough() {
    let world = World::open();
    let m = world.m();
    let load = world.load(1);
    load.stop().unwrap();
    let logs = || {
        std::fs::read_dir(world.database.home.join("saparch"))
            .unwrap()
            .count()
    };
    let first = world.must(&format!(
        "backup archivelog all not backed up 1 times format '{m}/%U';\n"
    ));
    assert!(
        first.contains("RMAN-08009: channel ORA_DISK_1: starting archived log backup set"),
        "{first}"
    );
    let again = world.must(&format!(
        "backup archivelog all not backed up 1 times format '{m}/%U';\n"
    ));
    assert!(again.contains("; already backed up"), "{again}");
    assert_eq!(
        again.matches("input archived log thread=1").count(),
        1,
        "only the new one: {again}"
    );
    let before = logs();
    let kept =
        world.must("delete noprompt archivelog all backed up 2 times to device type disk;\n");
    assert!(kept.contains("does not match any archived log"), "{kept}");
    world.must("delete noprompt archivelog all backed up 1 times to device type disk;\n");
    assert!(before > 0 && logs() == 0, "{before} logs, {} left", logs());
    let restored = world.must("restore archivelog all;\n");
    assert!(
        restored.contains("restoring archived log\nRMAN-08510: archived log thread=1 sequence=1"),
        "{restored}"
    );
    assert_eq!(logs(), before);
    world.must(&format!(
        "backup archivelog all format '{m}/%U' delete all input;\n"
    ));
    assert_eq!(logs(), 0);
}

#[test]
fn a_database_is_restored_elsewhere_by_new_names() {
    let world = World::open();
    let m = world.m();
    let load = world.load(1);
    world.must(&format!(
        "backup database format '{m}/%U' plus archivelog;\n"
    ));
    load.stop().unwrap();
    world.database.must("shutdown immediate");
    for file in world.database.datafiles() {
        std::fs::remove_file(file).unwrap();
    }
    let new = world.mount.join("new");
    std::fs::create_dir(&new).unwrap();
    let new = new.display();
    let log = world.must(&format!(
        "startup mount;\n\
         run {{\n\
         set newname for database to '{new}/%b';\n\
         set newname for datafile 7 to '{new}/seven_%f.dbf';\n\
         restore database;\n\
         switch datafile all;\n\
         recover database;\n\
         }}\n\
         alter database open;\n"
    ));
    assert!(
        log.contains(
            "datafile 7 switched to datafile copy\nRMAN-08507: input datafile copy RECID="
        ),
        "{log}"
    );
    world.must_be_whole(Target::Everything);
    let schema = world.must("report schema;\n");
    assert!(
        schema.contains(&format!("{new}/seven_7.dbf"))
            && schema.contains(&format!("{new}/40bd.data1")),
        "{schema}"
    );
}

#[test]
fn recovery_to_a_time_a_log_and_a_change_ends_there() {
    let world = World::open();
    let m = world.m();
    world.must(&format!("backup database format '{m}/%U';\n"));
    let load = world.load(1);
    load.stop().unwrap();
    world.database.must("alter system archive log current;");
    let sequence = world.number("select sequence# from v$log where status = 'CURRENT'");
    let end = world.number("select first_change# from v$log where status = 'CURRENT'");
    let load = world.load(2);
    load.stop().unwrap();
    world.lose_datafiles();
    let log = world.must(&format!(
        "startup mount;\n\
         run {{\n\
         set until sequence {sequence} thread 1;\n\
         restore database;\n\
         recover database;\n\
         }}\n\
         alter database open resetlogs;\n"
    ));
    assert!(log.contains("executing command: SET until clause"), "{log}");
    world.must_be_whole(Target::Scn(oracle::scn::Scn::new(end)));
}

#[test]
fn preview_and_validate_read_and_write_nothing() {
    let world = World::open();
    let m = world.m();
    world.must(&format!(
        "backup database format '{m}/%U' plus archivelog;\n\
         backup as copy datafile 6 format '{m}/%U';\n"
    ));
    let files = world.files("").len();
    let log = world.must(
        "restore database preview;\nrestore database validate;\nrestore archivelog all validate;\n\
         validate database;\nvalidate datafile 1;\nbackup validate database;\n",
    );
    assert!(log.contains("List of Backups to be restored"), "{log}");
    assert!(
        log.contains("starting validation of datafile backup set"),
        "{log}"
    );
    assert!(
        log.contains("starting validation of archived log backup set"),
        "{log}"
    );
    assert_eq!(world.files("").len(), files);
}
