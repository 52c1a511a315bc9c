//! A practice database that is backed up with `rman` onto a directory beside it.
//! What lives here: running rman, losing everything, judging what came back. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use practice::engine::backup::piece::PieceReader;
use practice::judge::Target;
use practice::workload::Handle;

use crate::practice_database::{Database, SID, wait_for_commits};

/// A database with a directory for its backups.
pub struct World {
    pub database: Database,
    pub mount: PathBuf,
}

impl World {
    /// An open database.
    pub fn open() -> World {
        let database = Database::open();
        let mount = database.copies().join("mount");
        std::fs::create_dir_all(&mount).unwrap();
        World { database, mount }
    }

    /// The mount's path as text for commands.
    pub fn m(&self) -> String {
        self.mount.display().to_string()
    }

    /// Runs rman with these arguments and commands on standard input.
    pub fn rman_with(&self, arguments: &[&str], commands: &str) -> Output {
        let home = &self.database.home;
        let mut child = Command::new(home.join("bin/rman"))
            .args(arguments)
            .env("ORACLE_HOME", home)
            .env("ORACLE_SID", SID)
            .env("NLS_DATE_FORMAT", "YYYY-MM-DD HH24:MI:SS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(commands.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs commands from a file. Whether all went well, and the log.
    pub fn rman(&self, commands: &str) -> (bool, String) {
        let file = self.database.copies().join("commands.rman");
        std::fs::write(&file, commands).unwrap();
        let argument = format!("cmdfile={}", file.display());
        let output = self.rman_with(&["target", "/", "nocatalog", "msgno", &argument], "");
        let log = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&log).into_owned(),
        )
    }

    /// As [`World::rman`], for commands that must go well.
    #[track_caller]
    pub fn must(&self, commands: &str) -> String {
        let (success, log) = self.rman(commands);
        assert!(success, "{commands}\n{log}");
        assert!(log.ends_with("Recovery Manager complete.\n"), "{log}");
        log
    }

    /// As [`World::rman`], for commands that must fail. The log.
    #[track_caller]
    pub fn must_fail(&self, commands: &str) -> String {
        let (success, log) = self.rman(commands);
        assert!(!success, "{commands}\n{log}");
        assert!(
            log.contains("RMAN-00569: =============== ERROR MESSAGE STACK FOLLOWS"),
            "{log}"
        );
        log
    }

    /// Kills the server and deletes every file of the database: data, control, redo, archived logs, journal.
    pub fn lose_everything(&self) {
        self.database.kill();
        for directory in [
            "sapdata1", "sapdata2", "sapdata3", "origlogA", "origlogB", "mirrlogA", "mirrlogB",
            "saparch",
        ] {
            remove_files(&self.database.home.join(directory));
        }
        let _ = std::fs::remove_file(
            self.database
                .home
                .join(format!("dbs/doublewrite_{SID}.dbf")),
        );
    }

    /// Deletes the data files only.
    pub fn lose_datafiles(&self) {
        self.database.kill();
        for file in self.database.datafiles() {
            std::fs::remove_file(file).unwrap();
        }
    }

    /// Ends a load whose server may be gone.
    pub fn end(load: Handle) {
        // It ends with an error when its server was killed; what it noted is all that matters.
        let _ = load.stop();
    }

    /// A load of four sessions that has got going.
    pub fn load(&self, seed: u64) -> Handle {
        let load = self.database.load(4, seed);
        wait_for_commits(&load, 50);
        load
    }

    #[track_caller]
    pub fn must_be_whole(&self, target: Target) {
        let verdict = self.database.verdict(target);
        assert!(verdict.clean, "{verdict}");
    }

    /// Files in the mount whose names have this part, sorted.
    pub fn files(&self, part: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.mount).unwrap();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().contains(part))
            .collect();
        files.sort();
        files
    }

    /// One number that a query gives.
    pub fn number(&self, query: &str) -> u64 {
        let said = self
            .database
            .must(&format!("set heading off feedback off\n{query};"));
        said.trim()
            .parse()
            .unwrap_or_else(|_| panic!("{query}: {said}"))
    }
}

/// Removes every file below a directory; the directories stay.
fn remove_files(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_files(&path);
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// Highest checkpoint SCN of a data file in the backup sets of the mount.
pub fn newest_checkpoint(world: &World) -> u64 {
    let files = world.files("_1_1").into_iter().flat_map(|path| {
        let piece = PieceReader::open(&path).unwrap();
        piece.record().files.clone()
    });
    files.map(|file| file.checkpoint.0).max().unwrap()
}

/// SCN that the backed-up logs reach: that of the last log's end.
pub fn reached(log: &str) -> u64 {
    let text = log
        .lines()
        .filter_map(|line| line.rsplit_once("starting SCN of "))
        .next_back();
    text.expect("the missing log's SCN")
        .1
        .parse()
        .expect("a number")
}

impl World {
    /// Waits for the database's clock to go on by a second, which is what its times are told apart by.
    pub fn practice_second(&self) {
        let clock = || {
            self.database
                .must("set heading off\nselect to_char(sysdate, 'SSSSS') from dual;")
        };
        let before = clock();
        crate::practice_database::wait_until("the next second", || clock() != before);
    }
}
