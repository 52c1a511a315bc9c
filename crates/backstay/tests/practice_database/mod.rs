//! A practice database of a test: created by the real binary, started and spoken to through its sqlplus.
//! What lives here: its life and death, load, judgement, and copying its files the hard way. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use practice::judge::{Target, Verdict, judge};
use practice::workload::{self, Handle, Options};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal};

pub const SID: &str = "SND";
const BINARY: &str = env!("CARGO_BIN_EXE_backstay");
/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A practice database in a temporary directory. Dropping it kills its server.
pub struct Database {
    directory: tempfile::TempDir,
    pub home: PathBuf,
}

impl Database {
    /// Creates one of 64 MiB; it is not started.
    pub fn create() -> Database {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        let output = Command::new(BINARY)
            .args([
                "practice", "create", "--sid", SID, "--size", "64MiB", "--home",
            ])
            .arg(&home)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Database { directory, home }
    }

    /// One that is there already, below a directory that the test owns.
    pub fn existing(directory: tempfile::TempDir, home: PathBuf) -> Database {
        Database { directory, home }
    }

    /// A created and opened one.
    pub fn open() -> Database {
        let database = Database::create();
        database.startup("");
        database
    }

    pub fn ledger(&self) -> PathBuf {
        self.directory.path().join("ledger")
    }

    /// A directory for copies.
    pub fn copies(&self) -> PathBuf {
        let directory = self.directory.path().join("copies");
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// STARTUP of a server with these planted faults.
    pub fn startup(&self, faults: &str) {
        let (success, output) = self.sqlplus_with(faults, "startup");
        assert!(success, "startup: {output}");
    }

    /// Runs a script as sysdba; its first error ends it. Whether it went through, and what it said.
    pub fn sqlplus(&self, script: &str) -> (bool, String) {
        self.sqlplus_with("", script)
    }

    /// As [`Self::sqlplus`], for a script that must go through.
    pub fn must(&self, script: &str) -> String {
        let (success, output) = self.sqlplus(script);
        assert!(success, "{script}: {output}");
        output
    }

    pub fn sqlplus_with(&self, faults: &str, script: &str) -> (bool, String) {
        let output = self.spawn(faults, script).wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.success(), text)
    }

    /// Has sqlplus begin with a script and does not wait for its end.
    pub fn begin(&self, script: &str) -> Child {
        self.spawn("", script)
    }

    fn spawn(&self, faults: &str, script: &str) -> Child {
        let mut child = Command::new(self.home.join("bin/sqlplus"))
            .args(["-S", "/", "as", "sysdba"])
            .env("ORACLE_HOME", &self.home)
            .env("ORACLE_SID", SID)
            .env("BACKSTAY_PRACTICE_FAULT", faults)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let script = format!("whenever sqlerror exit failure\n{script}\nexit\n");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        child
    }

    /// The server's process id, None when none runs.
    pub fn server(&self) -> Option<i32> {
        server_of(&self.home)
    }

    /// kill -9 of the server, then waits until it is gone.
    pub fn kill(&self) {
        if let Some(pid) = self.server().and_then(Pid::from_raw) {
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
            wait_until("the killed server to be gone", || self.server().is_none());
        }
    }

    /// Starts sessions that commit as fast as they can.
    pub fn load(&self, sessions: u32, seed: u64) -> Handle {
        let options = Options {
            sessions,
            seed,
            ..Options::new(&self.home, SID, self.ledger())
        };
        workload::start(options).unwrap()
    }

    pub fn verdict(&self, target: Target) -> Verdict {
        judge(&self.home, SID, &self.ledger(), target).unwrap()
    }

    /// The data files, in the order of their paths.
    pub fn datafiles(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories: Vec<PathBuf> = (1..=3)
            .map(|n| self.home.join(format!("sapdata{n}")))
            .collect();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if !path.components().any(|part| part.as_os_str() == "cntrl") {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.kill();
        } else if let Some(pid) = self.server().and_then(Pid::from_raw) {
            // The test has failed already; its server must not stay.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            eprintln!(
                "server log: {}",
                std::fs::read_to_string(self.home.join("saptrace/background/server_SND.log"))
                    .unwrap_or_default()
            );
        }
    }
}

/// Process id of the server of the database at `home`, None when none runs.
pub fn server_of(home: &Path) -> Option<i32> {
    let file = File::open(home.join(format!("dbs/lk{SID}"))).ok()?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    let mut text = String::new();
    (&file).take(32).read_to_string(&mut text).unwrap();
    text.trim().parse().ok()
}

/// Waits until something is so; a test that waits in vain fails.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "still waiting for {what}");
        std::thread::yield_now();
    }
}

/// Waits until the load got so many more acknowledgements.
pub fn wait_for_commits(load: &Handle, more: u64) {
    let goal = load.counters().acknowledged + more;
    wait_until("the load to get on", || {
        assert!(!load.is_finished(), "the load ended: {:?}", load.lost());
        load.counters().acknowledged >= goal
    });
}

/// Bytes that the hard copier reads at a time: half a block.
const PIECE_BYTES: u64 = 4096;
/// Parts of a copy between which the load gets on.
const PARTS: usize = 40;

/// Copies the files as no sane tool would and every tool might: in pieces of half a block, in random order over all
/// files, with the load getting on between the parts, the headers last of all.
///
/// `between` is called after each part and before the headers.
pub fn copy_the_hard_way(files: &[PathBuf], target: &Path, seed: u64, mut between: impl FnMut()) {
    let mut pieces = Vec::new();
    let mut open = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let source = File::open(path).unwrap();
        let length = source.metadata().unwrap().len();
        let copy = File::create(copy_of(target, path)).unwrap();
        copy.set_len(length).unwrap();
        pieces.extend((4..length / PIECE_BYTES).map(|piece| (index, piece)));
        open.push((source, copy));
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut pieces);
    for part in pieces.chunks(pieces.len().div_ceil(PARTS)) {
        part.iter()
            .for_each(|(index, piece)| copy_piece(&open[*index], *piece));
        between();
    }
    for files in &open {
        (0..4).for_each(|piece| copy_piece(files, piece));
    }
}

fn copy_piece((source, copy): &(File, File), piece: u64) {
    let mut bytes = [0; PIECE_BYTES as usize];
    source
        .read_exact_at(&mut bytes, piece * PIECE_BYTES)
        .unwrap();
    copy.write_all_at(&bytes, piece * PIECE_BYTES).unwrap();
}

/// Where the copy of a file is.
pub fn copy_of(target: &Path, path: &Path) -> PathBuf {
    target.join(path.file_name().unwrap())
}

/// Puts copies in the place of the files.
pub fn put_back(files: &[PathBuf], target: &Path) {
    for path in files {
        std::fs::remove_file(path).unwrap();
        std::fs::copy(copy_of(target, path), path).unwrap();
    }
}
