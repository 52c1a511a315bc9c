//! What `rman` says and does when something is wrong: names that exist, full disks, damaged pieces, lost clients.
//! What lives here: failures and what they leave. What does not: the ways that go well (`rman`).

mod practice_database;
mod rman_world;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use practice_database::{SID, wait_until};
use rman_world::World;
use rustix::process::{Pid, Signal};

const BANNER: &str = "RMAN-00571: ===========================================================\n\
    RMAN-00569: =============== ERROR MESSAGE STACK FOLLOWS ===============\n\
    RMAN-00571: ===========================================================\n";

/// The lines behind the banner.
fn stack(log: &str) -> Vec<&str> {
    let (_, behind) = log.split_once(BANNER).expect("an error banner");
    behind.lines().take_while(|line| !line.is_empty()).collect()
}

#[test]
fn a_name_that_exists_is_not_written_over() {
    let world = World::open();
    let taken = world.mount.join("taken");
    std::fs::write(&taken, "somebody's").unwrap();
    for command in [
        "backup datafile 1",
        "backup as copy datafile 1",
        "backup as copy current controlfile",
    ] {
        let log = world.must_fail(&format!(
            "{command} format '{}';\nbackup spfile;\n",
            taken.display()
        ));
        let stack = stack(&log);
        assert!(
            stack[0].starts_with("RMAN-03009: failure of backup command on ORA_DISK_1 channel at "),
            "{log}"
        );
        assert_eq!(
            stack[1],
            format!("ORA-19504: failed to create file \"{}\"", taken.display())
        );
        assert_eq!(stack[2], "ORA-27038: created file already exists");
        assert!(
            !log.contains("RMAN> backup spfile"),
            "the command file ends: {log}"
        );
        assert_eq!(std::fs::read(&taken).unwrap(), b"somebody's");
    }
    world.must(&format!(
        "backup as copy current controlfile format '{}' reuse;\n",
        taken.display()
    ));
    assert!(std::fs::metadata(&taken).unwrap().len() > 1 << 20);
}

#[test]
fn an_error_ends_run_and_the_other_channels_finish_their_jobs() {
    let world = World::open();
    let m = world.m();
    let log = world.must_fail(&format!(
        "run {{\n\
         allocate channel c1 device type disk format '{m}/no/such/%U';\n\
         allocate channel c2 device type disk format '{m}/%U';\n\
         backup filesperset 1 tag 'HALF' database;\n\
         backup spfile tag 'NEVER';\n\
         }}\n\
         list backup;\n"
    ));
    let why = "ORA-27040: file create error, unable to create file\n\
               Linux-x86_64 Error: 2: No such file or directory";
    assert!(log.contains(why), "{log}");
    assert!(
        log.contains("RMAN-12019: continuing other job steps, job failed will not be re-run"),
        "{log}"
    );
    assert!(log.contains("channel c2: backup set complete"), "{log}");
    assert!(!log.contains("NEVER comment"), "{log}");
    assert!(!log.contains("Finished backup"), "{log}");
    assert!(
        stack(&log)[0].starts_with("RMAN-03009: failure of backup command on c1 channel at "),
        "{log}"
    );
    let status = world.rman_with(&["target", "/"], "list backup summary;\n");
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.success() && said.contains("HALF"), "{said}");
}

#[test]
fn a_full_disk_fails_the_backup_and_leaves_no_piece() {
    let world = World::open();
    let small = world.mount.join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = |arguments: &[&str]| {
        let output = Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(&small)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    mount(&["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs"]);
    let log = world.must_fail(&format!(
        "backup as copy datafile 2 format '{}/%U';\n",
        small.display()
    ));
    let left = std::fs::read_dir(&small).unwrap().count();
    mount(&["umount", "-l"]);
    assert!(log.contains("ORA-19502: write error on file \""), "{log}");
    assert!(
        log.contains("Linux-x86_64 Error: 28: No space left on device"),
        "{log}"
    );
    assert_eq!(left, 0);
    assert!(world.must("list copy;\n").contains("does not match any"));
}

#[test]
fn a_point_that_no_backup_reaches_touches_nothing() {
    let world = World::open();
    let early = world.number("select current_scn from v$database");
    world.must(&format!("backup database format '{}/%U';\n", world.m()));
    world.database.must("shutdown immediate\nstartup mount");
    let before = contents(&world);
    let log = world.must_fail(&format!("restore database until scn {early};\n"));
    let stack = stack(&log);
    assert!(
        stack[0].starts_with("RMAN-03002: failure of restore command at "),
        "{log}"
    );
    assert_eq!(
        stack[1],
        "RMAN-06026: some targets not found - aborting restore"
    );
    assert_eq!(
        stack[2],
        "RMAN-06023: no backup or copy of datafile 1 found to restore"
    );
    assert_eq!(stack.len(), 9, "{log}");
    assert!(contents(&world) == before);
    let log = world.must_fail("restore datafile 99;\n");
    assert!(
        log.contains("RMAN-20201: datafile not found in the recovery catalog"),
        "{log}"
    );
    let log = world.must_fail("restore tablespace moon;\n");
    assert!(
        log.contains("RMAN-06019: could not translate tablespace name \"MOON\""),
        "{log}"
    );
}

fn contents(world: &World) -> Vec<Vec<u8>> {
    world
        .database
        .datafiles()
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[test]
fn a_file_of_the_open_database_is_not_restored_over() {
    let world = World::open();
    world.must(&format!("backup datafile 2 format '{}/%U';\n", world.m()));
    let log = world.must_fail("restore datafile 2;\n");
    assert!(
        log.contains("ORA-19573: cannot obtain exclusive enqueue for datafile 2"),
        "{log}"
    );
    world.database.must("alter system checkpoint;");
}

/// Flips a bit in the middle of a file.
fn damage(path: &Path) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let at = file.metadata().unwrap().len() / 3;
    let mut byte = [0];
    // A hole would not do: it is not part of the backup.
    let at = (at..at + (1 << 20)).find(|at| {
        file.read_exact_at(&mut byte, *at).unwrap();
        byte[0] != 0
    });
    let at = at.expect("a byte in use");
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn a_damaged_piece_is_not_restored_and_an_older_backup_takes_its_place() {
    let world = World::open();
    let m = world.m();
    world.must(&format!(
        "backup datafile 2 format '{m}/newer_%U' tag newer;\n"
    ));
    damage(&world.files("newer_")[0]);
    let log = world.must_fail("validate backupset 1;\n");
    assert!(
        log.contains("ORA-19870: error while restoring backup piece "),
        "{log}"
    );
    assert!(log.contains("ORA-19599: block number "), "{log}");
    world.database.must("shutdown immediate\nstartup mount");
    let before = contents(&world);
    let log = world.must_fail("restore datafile 2;\n");
    assert!(log.contains("ORA-19599"), "{log}");
    assert!(
        contents(&world) == before,
        "a damaged backup replaced a file"
    );
    world.must(&format!(
        "backup datafile 2 format '{m}/older_%U' tag older;\n\
         backup as copy datafile 2 format '{m}/copy_%U';\n"
    ));
    damage(&world.files("copy_")[0]);
    let log = world.must("restore datafile 2;\n");
    assert!(log.contains("failover to previous backup"), "{log}");
    assert!(log.contains("older_"), "{log}");
    world.database.must("alter database open;");
}

#[test]
fn what_is_cut_off_or_foreign_is_not_catalogued() {
    let world = World::open();
    let m = world.m();
    world.must(&format!("backup datafile 1 format '{m}/piece';\n"));
    let piece = std::fs::read(world.mount.join("piece")).unwrap();
    std::fs::create_dir(world.mount.join("odd")).unwrap();
    std::fs::write(world.mount.join("odd/cut"), &piece[..piece.len() - 8192]).unwrap();
    std::fs::write(world.mount.join("odd/empty"), "").unwrap();
    std::fs::write(world.mount.join("odd/text"), "not a backup\n".repeat(5000)).unwrap();
    std::fs::write(world.mount.join("odd/good"), &piece).unwrap();
    // The id of a database is made of the second of its creation.
    world.practice_second();
    let other = World::open();
    other.must(&format!(
        "backup datafile 1 format '{m}/odd/foreign';\n\
         backup as copy datafile 1 format '{m}/odd/foreign_copy';\n"
    ));
    let log = world.must(&format!("catalog start with '{m}/odd/' noprompt;\n"));
    let (_, refused) = log
        .split_once("List of Files Which Were Not Cataloged")
        .expect("refused files");
    for name in ["cut", "empty", "foreign", "foreign_copy", "text"] {
        assert!(
            refused.contains(&format!("{m}/odd/{name}\n")),
            "{name}: {log}"
        );
    }
    assert!(
        refused.contains("RMAN-07517: Reason: The file header is corrupted"),
        "{log}"
    );
    assert!(
        refused.contains("RMAN-07518: Reason: Foreign database file DBID: "),
        "{log}"
    );
    let (_, done) = log.split_once("List of Cataloged Files").unwrap();
    assert!(
        done.split("Not Cataloged")
            .next()
            .unwrap()
            .contains(&format!("{m}/odd/good\n")),
        "{log}"
    );
    let log = world.must_fail(&format!("catalog backuppiece '{m}/odd/cut';\n"));
    assert!(log.contains("RMAN-07517"), "{log}");
    let again = world.must(&format!("catalog start with '{m}/piece' noprompt;\n"));
    assert!(
        again.contains("no files found to be unknown to the database"),
        "{again}"
    );
}

#[test]
fn a_client_that_is_killed_leaves_no_half_written_piece() {
    let world = World::open();
    let m = world.m();
    // So many copies that it is still at work when it is killed.
    let commands = format!("backup as copy format '{m}/%U' database;\n").repeat(40);
    let mut child = Command::new(world.database.home.join("bin/rman"))
        .args(["target", "/"])
        .env("ORACLE_HOME", &world.database.home)
        .env("ORACLE_SID", SID)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, commands.as_bytes()).unwrap();
    wait_until("the second file to be written", || {
        world.files("data_D").len() > 3
    });
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    child.wait().unwrap();
    // The server ends what it was at, and then nothing more appears.
    wait_until("the server to notice", || {
        let sessions = world.number("select count(*) from v$session where program like 'rman%'");
        sessions == 0
    });
    let listed = world.must("list copy;\n");
    for file in world.files("data_D") {
        assert!(
            listed.contains(&file.display().to_string()),
            "{} is nobody's",
            file.display()
        );
    }
}

#[test]
fn a_crash_in_the_middle_of_a_backup_leaves_what_was_complete() {
    let world = World::open();
    let m = world.m();
    let load = world.load(1);
    std::thread::scope(|scope| {
        let backup = scope.spawn(|| {
            world.rman(&format!(
                "backup filesperset 1 format '{m}/%U' database;\n\
                 backup as copy format '{m}/%U' database;\n"
            ))
        });
        wait_until("a few pieces", || world.files("").len() > 4);
        world.database.kill();
        let (success, log) = backup.join().unwrap();
        assert!(!success, "{log}");
        assert!(
            log.contains("ORA-03113") || log.contains("ORA-01034") || log.contains("ORA-12547"),
            "{log}"
        );
    });
    World::end(load);
    world.database.startup("");
    // What the control file lists is whole; a torn piece is refused by CATALOG.
    let checked = world.must("crosscheck backup;\ncrosscheck copy;\n");
    assert!(
        !checked.contains("EXPIRED") && !checked.contains("validation failed"),
        "{checked}"
    );
    world.must(&format!(
        "catalog start with '{m}/' noprompt;\nbackup filesperset 1 format '{m}/%U' database;\n"
    ));
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let world = World::open();
    let m = world.m();
    let log = world.must_fail(&format!("restore controlfile from '{m}/x';\n"));
    assert!(
        log.contains("ORA-19573: cannot obtain exclusive enqueue for control file"),
        "{log}"
    );
    world.database.must(
        "shutdown immediate\nstartup mount\nalter database noarchivelog;\nalter database open;",
    );
    let log = world.must_fail(&format!("backup database format '{m}/%U';\n"));
    assert!(
        log.contains("ORA-19602: cannot backup or copy active file in NOARCHIVELOG mode"),
        "{log}"
    );
    world.database.must("shutdown immediate\nstartup nomount");
    for command in [
        "backup database;",
        "list backup;",
        "restore database;",
        "recover database;",
        "catalog start with '/tmp/x' noprompt;",
    ] {
        let log = world.must_fail(&format!("{command}\n"));
        assert!(
            log.contains("ORA-01507: database not mounted"),
            "{command}: {log}"
        );
    }
    let log = world.must_fail("restore controlfile from autobackup;\n");
    assert!(
        log.contains("RMAN-06495: must explicitly specify DBID with SET DBID command"),
        "{log}"
    );
    let log = world.must_fail(&format!("restore controlfile from '{m}/nothing';\n"));
    assert!(log.contains("ORA-19505: failed to identify file"), "{log}");
}

#[test]
fn words_that_are_none_are_refused_before_anything_is_done() {
    let world = World::open();
    let log = world.must_fail("run {\nbackup spfile;\nbakup database;\n}\n");
    let stack = stack(&log);
    assert_eq!(
        stack[0],
        "RMAN-00558: error encountered while parsing input commands"
    );
    assert!(
        stack[1].starts_with("RMAN-01009: syntax error: found \"identifier\": expecting one of: "),
        "{log}"
    );
    assert_eq!(stack[2], "RMAN-01008: the bad identifier was: bakup");
    assert!(
        stack[3].starts_with("RMAN-01007: at line 3 column 1 file: "),
        "{log}"
    );
    assert!(!log.contains("Starting backup"), "{log}");
}
