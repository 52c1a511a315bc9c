//! A database with the tools, a load and a backup, as the tests of the way back use it.
//! What lives here: calling the tools and losing files. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use practice::judge::Target;
use practice::workload::Handle;

use crate::practice_database::{Database, wait_for_commits};

pub const COMPLETE: [&str; 4] = ["-t", "complete", "-c", "force"];

/// A database with the tools, a running load and one online backup of everything, its logs saved and deleted.
pub struct World {
    pub database: Database,
    pub load: Option<Handle>,
}

pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

impl World {
    pub fn backed_up() -> World {
        let database = Database::open();
        let links = Command::new(env!("CARGO_BIN_EXE_backstay"))
            .arg("install-links")
            .arg(database.home.join("bin"))
            .output()
            .expect("the links of the tools");
        assert!(links.status.success(), "{}", text(&links));
        let load = database.load(4, 7);
        wait_for_commits(&load, 50);
        let world = World {
            database,
            load: Some(load),
        };
        world.must(
            "brbackup",
            &[
                "-t", "online", "-d", "disk", "-m", "all", "-c", "-a", "-sd", "-c",
            ],
        );
        world
    }

    pub fn tool(&self, name: &str, arguments: &[&str]) -> Output {
        let home = &self.database.home;
        Command::new(home.join("bin").join(name))
            .args(arguments)
            .env("ORACLE_HOME", home)
            .env("SAPDATA_HOME", home)
            .env("ORACLE_SID", "SND")
            .env_remove("TWO_TASK")
            .output()
            .expect("a tool that can be started")
    }

    pub fn must(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.tool(name, arguments);
        assert!(
            output.status.success(),
            "{name} {arguments:?}:\n{}",
            text(&output)
        );
        text(&output)
    }

    /// Some more commits, then the load ends.
    pub fn more_load(&mut self, commits: u64) {
        let load = self.load.take().expect("a running load");
        wait_for_commits(&load, commits);
        load.stop().expect("a load that ends well");
    }

    pub fn lose(&self, files: &[PathBuf]) {
        self.database.kill();
        for file in files {
            fs::remove_file(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }

    pub fn control_files(&self) -> Vec<PathBuf> {
        ["sapdata1/cntrl/cntrlSND.dbf", "sapdata2/cntrl/cntrlSND.dbf"]
            .iter()
            .map(|name| self.database.home.join(name))
            .collect()
    }

    pub fn online_logs(&self) -> Vec<PathBuf> {
        let directories = ["origlogA", "origlogB", "mirrlogA", "mirrlogB"];
        directories
            .iter()
            .flat_map(|name| files_in(&self.database.home.join(name)))
            .collect()
    }

    pub fn must_be_whole(&self, target: Target) {
        let verdict = self.database.verdict(target);
        assert!(verdict.clean, "{verdict}");
    }
}

pub fn files_in(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

pub fn find_below(directory: &Path, name: &std::ffi::OsStr) -> Option<PathBuf> {
    files_in(directory)
        .into_iter()
        .find_map(|path| match path.is_dir() {
            true => find_below(&path, name),
            false => (path.file_name() == Some(name)).then_some(path),
        })
}

pub fn remove_below(directory: &Path, name: &std::ffi::OsStr) {
    for path in files_in(directory) {
        if path.is_dir() {
            remove_below(&path, name);
        } else if path.file_name() == Some(name) {
            fs::remove_file(&path).expect("a stored log");
        }
    }
}
