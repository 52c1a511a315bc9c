//! The three shipped scripts against the practice database's own `rman` and `sqlplus`: saved under load, lost, brought back.
//! What lives here: whole ways, with the `catalog.rman` that a store writes. What does not: how a script fails
//! (`restore_script_failing`), and what a store does.

mod data_backup_world;
mod practice_database;
mod restore_world;
mod rman_world;

use std::path::Path;

use data_backup_world::store_stand_in::Store;
use data_backup_world::{Host, Said, script};
use oracle::rman::{
    CATALOG_FILE, CatalogHead, Map, Outcome, RelativePath, SnapshotFiles, catalog_commands,
    read_log,
};
use oracle::scn::Scn;
use practice::judge::Target;
use practice::ledger::{Boundary, record_truncate};
use practice::workload::Handle;
use practice_database::{Database, SID, wait_for_commits};
use restore_world::restore_script;
use rman_world::{World, reached};

/// A database under load, the host with its backup mount, and where a restore will be mounted.
struct Site {
    world: World,
    backup: Host,
    restore: Host,
    /// The number of the restore, which is mounted once on this machine.
    job: String,
    load: Option<Handle>,
}

impl Site {
    fn new(seed: u64) -> Site {
        let backup = Host::with_mount("size=512m", "tmpfs");
        let job = format!("{}{seed}", std::process::id());
        let export = format!("127.0.0.1:/Phoenix/testmount/restores/{job}");
        let restore = Host::with_mount("size=512m", &export).with_script(&restore_script());
        let world = World {
            mount: backup.mount(),
            database: Database::open(),
        };
        let load = Some(world.load(seed));
        Site {
            world,
            backup,
            restore,
            job,
            load,
        }
    }

    fn home(&self) -> String {
        self.world.database.home.display().to_string()
    }

    fn commits(&self, more: u64) {
        wait_for_commits(self.load.as_ref().expect("the load goes on"), more);
    }

    /// One run of a backup script, which must be sealed; what its log tells of the mount.
    fn back_up(&self, script: &Path, options: &[&str]) -> Map {
        let store = Store::start();
        let mut command = std::process::Command::new("dash");
        command
            .arg(script)
            .args(["--oracle-home", &self.home(), "--database", SID])
            .arg("--local-mount")
            .arg(&self.world.mount)
            .args(options)
            .arg(self.backup.path("log"))
            .args([store.address(), "testmount"]);
        Said::of(&command.output().unwrap())
            .must_end_with(0)
            .must_say("RDB008I");
        let logs = self.backup.names_in("log");
        let newest = logs.iter().max_by_key(|name| {
            let path = self.backup.path("log").join(name);
            std::fs::metadata(path).unwrap().modified().unwrap()
        });
        let log = self.backup.path("log").join(newest.expect("a log"));
        let account = read_log(std::fs::read(log).unwrap().as_slice()).unwrap();
        let map = account.in_directory(&self.world.m(), &files_in(&self.world.mount));
        assert_eq!(map.outcome, Outcome::Parsed);
        map
    }

    fn back_up_data(&self, options: &[&str]) -> Map {
        self.back_up(&script(), options)
    }

    fn scn(&self) -> u64 {
        self.world.number("select current_scn from v$database")
    }

    /// The files of the mount whose names have this part are laid ready as a restore, with what a store says of them.
    fn lay_ready(&self, map: &Map, part: &str) -> String {
        for file in self.world.files(part) {
            let name = file.file_name().unwrap();
            std::fs::copy(&file, self.restore.mount().join(name)).unwrap();
        }
        let head = CatalogHead {
            recovery_point: "9f3a of testmount",
            time: "2026-11-24 05:00:09",
        };
        let text = catalog_commands(map, &files_in(&self.restore.mount()), &head);
        std::fs::write(self.restore.mount().join(CATALOG_FILE), &text).unwrap();
        text
    }

    /// The load ends and the database with its host: data, control files, all redo, and the backup mount.
    fn lose_everything(&mut self) {
        World::end(self.load.take().expect("the load goes on"));
        self.lose_files();
    }

    fn lose_files(&self) {
        self.world.lose_everything();
        for file in self.world.files("") {
            std::fs::remove_file(file).unwrap();
        }
    }

    /// The restore script, which finds the restore where it is mounted.
    fn restore(&self, options: &[&str]) -> Said {
        let mut command = self.restore.bare_command();
        command
            .args(["--oracle-home", &self.home(), "--database", SID])
            .args(options)
            .arg(self.restore.path("log"))
            .args(["127.0.0.1", "testmount", &self.job]);
        Said::of(&command.output().unwrap())
    }

    /// The database came back to the end of the redo in the restore, which is not before this SCN.
    #[track_caller]
    fn must_be_back(&self, said: &Said, at_least: u64) {
        said.must_end_with(0)
            .must_say("RRS009I")
            .must_say("RRS010I database SND is open");
        assert_eq!(said.errors, "");
        let end = said.output.split("is recovered to SCN ").nth(1);
        let digits = end.and_then(|rest| rest.split(',').next());
        let scn: u64 = digits.expect("an SCN").parse().unwrap();
        assert!(scn >= at_least, "{scn} is before {at_least}");
        self.world.must_be_whole(Target::Scn(Scn::new(scn)));
    }

    fn commands_of_the_file(&self, catalog: &str) -> (String, Vec<String>) {
        let restore = self.restore.mount().display().to_string();
        let mine = catalog.replace("@RESTORE_DIRECTORY@", &restore);
        let steps = mine.lines().filter_map(|line| line.strip_prefix("#   "));
        let steps = steps.map(str::to_owned).collect();
        (mine, steps)
    }
}

fn files_in(directory: &Path) -> SnapshotFiles {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        RelativePath::new(&name).unwrap()
    });
    SnapshotFiles::new(names)
}

#[test]
fn full_sets_come_back_by_the_script_after_a_check_that_changed_nothing() {
    let mut site = Site::new(31);
    let before = site.scn();
    let map = site.back_up_data(&["--full", "--channels", "3"]);
    let catalog = site.lay_ready(&map, "");
    assert!(catalog.contains("\n#   RESTORE DATABASE;\n"), "{catalog}");
    assert!(!catalog.contains("SWITCH"), "{catalog}");
    site.lose_everything();
    site.restore(&["--check"])
        .must_end_with(0)
        .must_say("RRS012I")
        .must_say("RRS015I");
    assert_eq!(
        site.world.database.datafiles(),
        Vec::<std::path::PathBuf>::new()
    );
    assert_eq!(site.world.database.server(), None);
    let said = site.restore(&["--channels", "2"]);
    site.must_be_back(&said, before);
}

#[test]
fn image_copies_that_were_brought_up_to_date_come_back_and_are_forgotten() {
    let mut site = Site::new(32);
    site.back_up_data(&["--channels", "2"]);
    site.commits(100);
    let before = site.scn();
    let map = site.back_up_data(&["--channels", "2"]);
    let catalog = site.lay_ready(&map, "");
    assert!(
        catalog.contains("\n#   SWITCH DATABASE TO COPY;\n"),
        "{catalog}"
    );
    site.lose_everything();
    let said = site.restore(&[]);
    site.must_be_back(&said, before);
    let (_, log) = site.restore.log();
    assert_eq!(log.matches(": uncataloged datafile copy\n").count(), 7);
    let copies = site.world.must("list copy of database;\n");
    let restore = site.restore.mount().display().to_string();
    assert!(
        !copies.contains(&restore),
        "the next backup would bring them up to date: {copies}"
    );
    // The full backup that the script asks for.
    site.back_up_data(&[]);
    assert_eq!(site.world.files("data_D-SND").len(), 7);
}

#[test]
fn a_living_database_is_overwritten_by_force_only_and_its_own_redo_is_used() {
    let mut site = Site::new(38);
    let map = site.back_up_data(&["--full", "--channels", "2"]);
    site.lay_ready(&map, "");
    site.commits(200);
    World::end(site.load.take().unwrap());
    let said = site.restore(&[]);
    said.must_fail_as("RRS", 501, "database SND is open: it would be overwritten");
    site.restore(&["--force"])
        .must_end_with(0)
        .must_say("RRS014I")
        .must_say("recovered to the end of the redo that is there");
    site.world.must_be_whole(Target::Everything);
}

#[test]
fn the_database_comes_back_as_it_was_at_a_chosen_scn() {
    let mut site = Site::new(39);
    site.back_up_data(&["--full"]);
    site.commits(100);
    let wanted = site.scn();
    site.commits(100);
    let logs = script().with_file_name("oracle_rman_archivelog_backup.sh");
    let map = site.back_up(&logs, &[]);
    site.lay_ready(&map, "");
    site.lose_everything();
    site.restore(&["--until-scn", &wanted.to_string()])
        .must_end_with(0)
        .must_say(&format!("database SND is recovered to SCN {wanted}\n"));
    site.world.must_be_whole(Target::Scn(Scn::new(wanted)));
}

#[test]
fn redo_that_was_given_up_by_an_earlier_resetlogs_is_no_gap() {
    let mut site = Site::new(41);
    site.back_up_data(&["--full"]);
    let wanted = site.scn();
    let logs = script().with_file_name("oracle_rman_archivelog_backup.sh");
    let mut map = None;
    for _ in 0..2 {
        site.commits(300);
        map = Some(site.back_up(&logs, &[]));
    }
    site.lay_ready(&map.expect("two backups of logs"), "");
    let given_up = site.scn();
    site.lose_everything();
    site.restore(&["--until-scn", &wanted.to_string()])
        .must_end_with(0);
    let boundary = Boundary::Scn(Scn::new(wanted));
    record_truncate(&site.world.database.ledger(), SID, boundary).unwrap();

    let map = site.back_up_data(&["--full"]);
    site.lay_ready(&map, "");
    let before = site.scn();
    assert!(before + 100 < given_up, "{before} is not below {given_up}");
    site.lose_files();
    let said = site.restore(&[]);
    site.must_be_back(&said, 1);
}

#[test]
fn the_database_lives_on_the_copies_of_the_restore_when_it_is_told_to() {
    let mut site = Site::new(33);
    let before = site.scn();
    let map = site.back_up_data(&[]);
    site.lay_ready(&map, "");
    site.lose_everything();
    let said = site.restore(&["--use-copies"]);
    site.must_be_back(&said, before);
    let restore = site.restore.mount().display().to_string();
    let inside = site.world.number(&format!(
        "select count(*) from v$datafile where name like '{restore}/%'"
    ));
    assert_eq!(inside, 7);
}

#[test]
fn newer_copies_on_a_backup_mount_that_is_still_there_are_left_alone() {
    let mut site = Site::new(40);
    let map = site.back_up_data(&[]);
    site.lay_ready(&map, "");
    site.commits(100);
    site.back_up_data(&[]);
    World::end(site.load.take().unwrap());
    site.world.lose_everything();
    let copies = || {
        let files = site.world.files("data_D-SND");
        files
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect::<Vec<_>>()
    };
    let before = copies();
    let said = site.restore(&["--use-copies"]);
    site.must_be_back(&said, 1);
    assert!(
        copies() == before,
        "the next backup would build on what was recovered"
    );
}

#[test]
fn logs_of_the_archivelog_script_lead_the_older_data_beside_them_onwards() {
    let mut site = Site::new(34);
    site.back_up_data(&["--full"]);
    site.commits(200);
    let before = site.scn();
    let logs = script().with_file_name("oracle_rman_archivelog_backup.sh");
    let map = site.back_up(&logs, &["--channels", "2"]);
    let catalog = site.lay_ready(&map, "");
    for part in [
        "\n#   RESTORE ARCHIVELOG FROM SEQUENCE ",
        " files are here that the log does not tell of.",
    ] {
        assert!(catalog.contains(part), "'{part}' is not in {catalog}");
    }
    site.lose_everything();
    let said = site.restore(&[]);
    site.must_be_back(&said, before);
}

#[test]
fn one_data_file_comes_back_from_a_part_of_the_recovery_point_into_what_is_intact() {
    let mut site = Site::new(35);
    let map = site.back_up_data(&[]);
    let catalog = site.lay_ready(&map, "_FNO-3_");
    assert!(
        catalog.contains("\n#   SWITCH DATAFILE 3 TO COPY;\n#   RECOVER DATAFILE 3;\n"),
        "{catalog}"
    );
    site.commits(100);
    World::end(site.load.take().unwrap());
    site.world.database.kill();
    let lost = site.world.database.home.join("sapdata1/40bd_2/40bd.data2");
    std::fs::remove_file(lost).unwrap();
    site.restore(&["--datafile", "3"])
        .must_end_with(0)
        .must_say("RRS010I");
    site.world.must_be_whole(Target::Everything);
}

#[test]
fn by_hand_the_commands_of_the_file_do_it_too() {
    for (options, first) in [
        (&["--full"] as &[&str], "RESTORE DATABASE;"),
        (&[], "SWITCH DATABASE TO COPY;"),
    ] {
        let mut site = Site::new(36 + u64::from(options.is_empty()));
        let map = site.back_up_data(options);
        let catalog = site.lay_ready(&map, "");
        site.lose_everything();
        let (file, steps) = site.commands_of_the_file(&catalog);
        let at = |wanted: &str| {
            let at = steps.iter().position(|step| step == wanted);
            at.unwrap_or_else(|| panic!("{wanted} is not in {catalog}"))
        };
        let lost_control = &steps[at(&format!("SET DBID {};", dbid(&map)))..at(first)];
        site.world.must(&(lost_control.join("\n") + "\n"));
        // As it stands it makes the backups known, and that is all.
        site.world.must(&file);
        assert_eq!(site.world.database.datafiles().len(), 0);
        let log = site
            .world
            .must_fail(&format!("{first}\nRECOVER DATABASE;\n"));
        let scn = reached(&log);
        let last = &steps[at("RUN { SET UNTIL SCN n; RECOVER DATABASE; }")..];
        site.world
            .must(&(last.join("\n").replace("SCN n;", &format!("SCN {scn};")) + "\n"));
        site.world.must_be_whole(Target::Scn(Scn::new(scn)));
    }
}

fn dbid(map: &Map) -> u64 {
    map.databases[0].dbid.expect("a DBID")
}
