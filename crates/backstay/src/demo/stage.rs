//! The stage of the demo: its directory, the programs it calls, and leaving nothing behind.
//! What lives here: child processes, signals, cleaning up. What does not: the story and its words.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::client::ClientError;
use practice::judge::JudgeError;
use practice::ledger::LedgerError;
use practice::workload::{Handle, WorkloadError};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::narrator::{Narrator, Step};
use super::store::{self, StoreProcess};
use super::{Arguments, scripts};
use crate::install_links::{LinkError, TOOLS, link, own_program};
use crate::store::connection::ConnectionError;

/// Name of the ledger in the demo's directory.
pub const LEDGER: &str = "ledger.txt";
/// SID of the demo's database.
pub const SID: &str = "SND";
/// What of a failed program's output is shown, in bytes from its end.
const OUTPUT_TAIL_BYTES: usize = 4000;
/// How long an interrupted program may take to leave the database in order: longer than a script gives RMAN.
const CLEAN_UP_SECONDS: u64 = 45;
/// Space that a demo needs, in sizes of its database: the database, two backups, redo; image copies on the mount, two
/// snapshots of them, the repository.
const SPACE_FACTOR: u64 = 8;

/// Why the demo did not come to its verdict.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The operating system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The directory cannot be used.
    #[error("{} {why}. HINT: {hint}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// A tool cannot get its name.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A program that the shipped scripts call is missing.
    #[error(
        "the program {0} is not there, and the RMAN scripts need it. HINT: install it, or add its directory to PATH"
    )]
    NoProgram(&'static str),
    /// A program failed.
    #[error("{command}: {status}. It said:\n{output}")]
    Program {
        /// As it would be typed.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        output: String,
    },
    /// Something that must come does not.
    #[error("{0}")]
    Stuck(String),
    /// Nothing is said of how to reach the store.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The store does not answer, or refuses.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The load ended with an error.
    #[error("the load: {0}")]
    Load(#[from] WorkloadError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The judge cannot judge.
    #[error("the judge: {0}")]
    Judge(#[from] JudgeError),
    /// A signal asked for the end.
    #[error("interrupted")]
    Interrupted,
}

/// Directory, environment and processes of one demo.
#[derive(Debug)]
pub struct Stage {
    /// Everything of the demo is below it.
    pub root: PathBuf,
    /// ORACLE_HOME and SAPDATA_HOME.
    pub home: PathBuf,
    /// The running load.
    pub load: Option<Handle>,
    /// The running store.
    pub store: Option<StoreProcess>,
    keep: bool,
    made_root: bool,
    interrupted: Arc<AtomicBool>,
    programs_run: u32,
    /// Where the output of the last program is.
    transcript: PathBuf,
}

impl Stage {
    /// Prepares the directory, the tools' names in it, and the signals.
    pub fn set_up(arguments: &Arguments) -> Result<Stage, DemoError> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(io("catch signals for", Path::new("the demo")))?;
        }
        let (root, made_root) = match &arguments.dir {
            Some(directory) => new_or_empty(directory)?,
            None => {
                let directory = tempfile::Builder::new().prefix("backstay-demo-").tempdir();
                let directory =
                    directory.map_err(io("make a directory in", &std::env::temp_dir()))?;
                let path = directory.path().canonicalize();
                let path = path.map_err(io("find", directory.path()))?;
                // It stays until the demo ends, which removes it by itself.
                let _ = directory.keep();
                (path, true)
            }
        };
        let home = root.join("oracle").join(SID);
        let stage = Stage {
            root,
            home,
            load: None,
            store: None,
            keep: arguments.keep,
            made_root,
            interrupted,
            programs_run: 0,
            transcript: PathBuf::new(),
        };
        scripts::check(&stage.root)?;
        stage.check_space(arguments.size)?;
        stage.make_directories()?;
        Ok(stage)
    }

    fn check_space(&self, size: u64) -> Result<(), DemoError> {
        let space = rustix::fs::statvfs(&self.root)
            .map_err(|errno| io("look at", &self.root)(errno.into()))?;
        let (free, needed) = (space.f_bavail * space.f_frsize, size * SPACE_FACTOR);
        if free < needed {
            return Err(DemoError::Directory {
                path: self.root.clone(),
                why: format!(
                    "has {} MiB free, the demo needs {} MiB",
                    free >> 20,
                    needed >> 20
                ),
                hint: "name a roomier place with --dir, or a smaller database with --size",
            });
        }
        Ok(())
    }

    fn make_directories(&self) -> Result<(), DemoError> {
        for directory in [self.tools(), self.transcripts(), self.root.join("oracle")] {
            std::fs::create_dir_all(&directory).map_err(io("make", &directory))?;
        }
        let program = own_program()?;
        for name in TOOLS.iter().chain(&["backstay"]) {
            link(&program, &self.tools().join(name))?;
        }
        scripts::write(&self.tools())
    }

    /// Where the tools are, under their own names.
    pub fn tools(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Where each program's output is kept.
    pub fn transcripts(&self) -> PathBuf {
        self.root.join("transcripts")
    }

    /// What the store is told to use.
    pub fn store_directory(&self) -> PathBuf {
        self.root.join("store")
    }

    /// What the load asked and was told.
    pub fn ledger(&self) -> PathBuf {
        self.root.join(LEDGER)
    }

    /// What a DBA types in a new shell before the commands of the narration work.
    pub fn exports(&self) -> [String; 2] {
        let root = self.root.display().to_string();
        let home = format!("$PWD/oracle/{SID}");
        [
            format!("cd {}", shown(&[&root])),
            format!(
                "export ORACLE_SID={SID} ORACLE_HOME={home} SAPDATA_HOME={home} BACKSTAY_STORE_DIR=$PWD/store PATH=$PWD/bin:{home}/bin:$PATH"
            ),
        ]
    }

    /// The same for a program that we start.
    fn environment(&self) -> [(&'static str, OsString); 5] {
        let home = self.home.as_os_str();
        let mut path = self.tools().into_os_string();
        for part in [
            self.home.join("bin").as_os_str(),
            &std::env::var_os("PATH").unwrap_or_default(),
        ] {
            path.push(":");
            path.push(part);
        }
        [
            ("ORACLE_SID", SID.into()),
            ("ORACLE_HOME", home.into()),
            ("SAPDATA_HOME", home.into()),
            ("BACKSTAY_STORE_DIR", self.store_directory().into()),
            ("PATH", path),
        ]
    }

    /// Runs a program as a DBA would, its output into a file of its own. An interruption ends it in order.
    pub fn program(
        &mut self,
        narrator: &Narrator,
        command: &[&str],
        input: &str,
    ) -> Result<Duration, DemoError> {
        self.check_interrupted()?;
        let transcript = self.next_transcript(command[0]);
        self.transcript.clone_from(&transcript);
        let output = File::create(&transcript).map_err(io("write", &transcript))?;
        let errors = output.try_clone().map_err(io("write", &transcript))?;
        let started = Instant::now();
        let mut child = self
            .command(command)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(io("run", Path::new(command[0])))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading its input has its say in its exit status.
            let _ = stdin.write_all(input.as_bytes());
        }
        let status = self.wait(narrator, command[0], &mut child, started)?;
        if status.success() {
            return Ok(started.elapsed());
        }
        // Ctrl-C reaches the program as well, and may end it before we have noticed ours.
        let ended_by = status.signal().unwrap_or_default();
        if [SIGINT, SIGTERM, SIGHUP].contains(&ended_by) {
            return Err(DemoError::Interrupted);
        }
        self.check_interrupted()?;
        let output = tail(&transcript);
        Err(DemoError::Program {
            command: shown(command),
            status,
            output,
        })
    }

    /// Has sqlplus execute one command as sysdba, and tells the step.
    pub fn sqlplus(
        &mut self,
        narrator: &mut Narrator,
        command: &str,
        what: &str,
    ) -> Result<(), DemoError> {
        let script = format!("whenever sqlerror exit failure\n{command}\nexit\n");
        let took = self.program(narrator, &["sqlplus", "-S", "/", "as", "sysdba"], &script)?;
        let typed = format!("sqlplus / as sysdba <<< {}", shown(&[command]));
        narrator.step(Step::new(what).typed(typed).took(took));
        Ok(())
    }

    /// Where the next program's output goes.
    pub fn next_transcript(&mut self, name: &str) -> PathBuf {
        self.programs_run += 1;
        self.transcripts()
            .join(format!("{:02}-{name}.log", self.programs_run))
    }

    /// What the last program said.
    pub fn said(&self) -> Result<String, DemoError> {
        std::fs::read_to_string(&self.transcript).map_err(io("read", &self.transcript))
    }

    /// A program with the environment that a DBA would have set.
    pub fn command(&self, command: &[&str]) -> Command {
        let name = command.first().copied().unwrap_or_default();
        let mut called = if ["sqlplus", "rman"].contains(&name) {
            Command::new(self.home.join("bin").join(name))
        } else if name.ends_with(".sh") {
            // By its shell: the directory may be on a file system that nothing is executed from.
            let mut shell = Command::new("sh");
            shell.arg(self.tools().join(name));
            shell
        } else {
            Command::new(self.tools().join(name))
        };
        called
            .args(command.iter().skip(1))
            .envs(self.environment())
            // They would name another store than ours.
            .env_remove("BACKSTAY_STORE")
            .env_remove("BACKSTAY_STORE_CERTIFICATE")
            .current_dir(&self.root);
        called
    }

    /// A command as it would be typed after [`Stage::exports`].
    pub fn narrated(&self, command: &[&str]) -> String {
        shown(command).replace(&self.root.display().to_string(), "$PWD")
    }

    fn wait(
        &self,
        narrator: &Narrator,
        name: &str,
        child: &mut Child,
        started: Instant,
    ) -> Result<ExitStatus, DemoError> {
        let mut terminated: Option<Instant> = None;
        loop {
            let status = child.try_wait().map_err(io("wait for", Path::new(name)))?;
            match (status, terminated) {
                (Some(status), None) => return Ok(status),
                (Some(_), Some(_)) => return Err(DemoError::Interrupted),
                (None, None) if self.interrupted.load(Ordering::SeqCst) => {
                    signal(child.id(), Signal::TERM);
                    terminated = Some(Instant::now());
                }
                (None, Some(since)) if since.elapsed().as_secs() >= CLEAN_UP_SECONDS => {
                    signal(child.id(), Signal::KILL)
                }
                _ => {}
            }
            narrator.progress(&format!(
                "{name} … {:.0} s{}",
                started.elapsed().as_secs_f64(),
                self.load_words()
            ));
            std::thread::sleep(Duration::from_millis(if started.elapsed().as_secs() < 2 {
                5
            } else {
                50
            }));
        }
    }

    fn load_words(&self) -> String {
        let commits = self.load.as_ref().map(|load| load.counters().acknowledged);
        commits.map_or(String::new(), |commits| {
            format!(", {} commits", super::narrator::thousands(commits))
        })
    }

    /// Err when a signal asked for the end.
    pub fn check_interrupted(&self) -> Result<(), DemoError> {
        if self.interrupted.load(Ordering::SeqCst) {
            Err(DemoError::Interrupted)
        } else {
            Ok(())
        }
    }

    /// Waits until `done`, looking every few milliseconds, and tells what it waits for.
    pub fn wait_for(
        &self,
        narrator: &Narrator,
        what: &str,
        seconds_max: u64,
        mut done: impl FnMut(&Stage) -> bool,
    ) -> Result<(), DemoError> {
        let started = Instant::now();
        while !done(self) {
            self.check_interrupted()?;
            if started.elapsed().as_secs() >= seconds_max {
                return Err(DemoError::Stuck(format!(
                    "after {seconds_max} s still waiting for {what}"
                )));
            }
            narrator.progress(&format!("{what} …{}", self.load_words()));
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Process id of the running instance, None when none runs.
    pub fn instance(&self) -> Option<u32> {
        let file = File::open(self.home.join("dbs").join(format!("lk{SID}"))).ok()?;
        if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        let mut text = String::new();
        (&file).take(32).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// kill -9 of the instance, if it runs.
    pub fn kill_instance(&self) -> Option<u32> {
        let id = self.instance()?;
        signal(id, Signal::KILL);
        Some(id)
    }
}

/// Ends every process of the demo and removes its directory unless that shall be kept, however the demo ends.
impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.load.take());
        self.kill_instance();
        drop(self.store.take());
        scripts::remove_locks(store::MOUNT, &store::data(self), &self.home);
        if self.keep {
            return;
        }
        let removed = if self.made_root {
            std::fs::remove_dir_all(&self.root)
        } else {
            empty(&self.root)
        };
        if let Err(error) = removed {
            eprintln!("cannot remove {}: {error}", self.root.display());
        }
    }
}

/// The directory as an absolute path, and whether it was made now.
fn new_or_empty(directory: &Path) -> Result<(PathBuf, bool), DemoError> {
    let made = match std::fs::create_dir(directory) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(io("make", directory)(error)),
    };
    let path = directory.canonicalize().map_err(io("find", directory))?;
    let mut entries = std::fs::read_dir(&path).map_err(io("list", &path))?;
    if entries.next().is_some() {
        return Err(DemoError::Directory {
            path,
            why: "is not empty".to_string(),
            hint: "name a new directory: the demo deletes what it made",
        });
    }
    Ok((path, made))
}

/// Removes everything in a directory that stays.
fn empty(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Sends a signal to a process of ours.
pub fn signal(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have ended in this very moment, which is what the signal is for.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// The end of what a program said.
pub fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(OUTPUT_TAIL_BYTES)..])
        .trim_end()
        .to_string()
}

/// A command as it would be typed.
pub fn shown(command: &[&str]) -> String {
    let quoted = command.iter().map(|word| {
        let plain = !word.is_empty() && !word.contains([' ', '\'', '"', '$', '*']);
        if plain {
            (*word).to_string()
        } else {
            format!("'{word}'")
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// An operating system error with what was tried.
pub fn io<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> DemoError + 'a {
    move |source| DemoError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}
