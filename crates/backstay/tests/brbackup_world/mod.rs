//! A practice database with the tools installed, as the tests of brbackup and brarchive use it.
//! What lives here: calling, killing, stopping and continuing the tools. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal};

use crate::practice_database::{Database, wait_until};

/// The whole database, unattended.
pub const ALL: [&str; 7] = ["-t", "online", "-d", "disk", "-m", "all", "-c"];

pub struct World {
    pub database: Database,
}

/// What a tool said and how it ended.
pub struct Said {
    pub text: String,
    /// Exit status; None when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Said {
    fn of(output: &Output) -> Said {
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        Said {
            text: String::from_utf8_lossy(&text).into_owned(),
            code: output.status.code(),
            signal: output.status.signal(),
        }
    }

    /// Fails the test with everything that was said, unless the tool ended with this code.
    #[track_caller]
    pub fn must_end_with(&self, code: i32) -> &Said {
        assert_eq!(
            self.code,
            Some(code),
            "signal {:?}\n{}",
            self.signal,
            self.text
        );
        self
    }

    #[track_caller]
    pub fn must_say(&self, part: &str) -> &Said {
        assert!(
            self.text.contains(part),
            "'{part}' is not said:\n{}",
            self.text
        );
        self
    }

    #[track_caller]
    pub fn must_not_say(&self, part: &str) -> &Said {
        assert!(
            !self.text.contains(part),
            "'{part}' is said:\n{}",
            self.text
        );
        self
    }

    #[track_caller]
    pub fn must_be_killed(&self) -> &Said {
        assert_eq!(self.signal, Some(9), "code {:?}\n{}", self.code, self.text);
        self
    }

    /// The action id in the start line.
    #[track_caller]
    pub fn id(&self) -> String {
        let line = self.text.lines().find(|line| line.contains("Start of "));
        let word = line
            .and_then(|line| line.split_once(": "))
            .and_then(|(_, rest)| rest.split('.').next());
        word.unwrap_or_else(|| panic!("no start line:\n{}", self.text))
            .to_owned()
    }
}

/// A tool that runs beside the test.
pub struct Running {
    child: Child,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the tool has stopped itself at its failpoint.
    pub fn wait_until_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        wait_until("the tool to stop at its failpoint", || {
            let text = std::fs::read_to_string(&stat).unwrap_or_default();
            let state = text
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.chars().next());
            assert!(
                state != Some('Z') && state.is_some(),
                "the tool ended before its failpoint"
            );
            state == Some('T')
        });
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn end(self) -> Said {
        Said::of(&self.child.wait_with_output().unwrap())
    }

    /// Lets a stopped tool go on to its end.
    pub fn go_on(self) -> Said {
        self.signal(Signal::CONT);
        self.end()
    }
}

impl World {
    /// An open database with the links of the tools.
    pub fn open() -> World {
        let database = Database::open();
        let output = Command::new(env!("CARGO_BIN_EXE_backstay"))
            .arg("install-links")
            .arg(database.home.join("bin"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        World { database }
    }

    pub fn home(&self) -> &Path {
        &self.database.home
    }

    pub fn path(&self, below_home: &str) -> PathBuf {
        self.database.home.join(below_home)
    }

    fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let home = self.home();
        let mut command = Command::new(home.join("bin").join(tool));
        command
            .args(arguments)
            .env("ORACLE_HOME", home)
            .env("SAPDATA_HOME", home)
            .env("ORACLE_SID", "SND")
            .env_remove("TWO_TASK")
            .env_remove("BACKSTAY_FAILPOINT")
            .env_remove("BACKSTAY_LOG_FORM")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn tool(&self, tool: &str, arguments: &[&str]) -> Said {
        Said::of(&self.command(tool, arguments).output().unwrap())
    }

    /// As [`World::tool`], with arguments of any bytes.
    pub fn tool_with_bytes(&self, tool: &str, arguments: &[&[u8]]) -> Said {
        let mut command = self.command(tool, &[]);
        command.args(arguments.iter().map(|bytes| OsStr::from_bytes(bytes)));
        Said::of(&command.output().unwrap())
    }

    pub fn tool_with(&self, tool: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = self.command(tool, arguments);
        command.envs(environment.iter().copied());
        Said::of(&command.output().unwrap())
    }

    pub fn tool_without(&self, tool: &str, arguments: &[&str], variables: &[&str]) -> Said {
        let mut command = self.command(tool, arguments);
        for name in variables {
            command.env_remove(name);
        }
        Said::of(&command.output().unwrap())
    }

    /// As [`World::tool`], killed at a failpoint.
    pub fn tool_at(&self, tool: &str, arguments: &[&str], failpoint: &str) -> Said {
        self.tool_with(tool, arguments, &[("BACKSTAY_FAILPOINT", failpoint)])
    }

    /// Starts a tool that stops itself at a failpoint, and waits until it has.
    pub fn stopped_at(&self, tool: &str, arguments: &[&str], failpoint: &str) -> Running {
        let child = self
            .command(tool, arguments)
            .env("BACKSTAY_FAILPOINT", format!("{failpoint}=stop"))
            .spawn()
            .unwrap();
        let running = Running { child };
        running.wait_until_stopped();
        running
    }

    /// Starts a tool that works beside the test.
    pub fn started(&self, tool: &str, arguments: &[&str]) -> Running {
        let child = self.command(tool, arguments).spawn().unwrap();
        Running { child }
    }

    pub fn backup(&self) -> Said {
        self.tool("brbackup", &ALL)
    }

    /// Files in backup mode, as V$BACKUP says.
    pub fn active_files(&self) -> usize {
        let text = self.database.must("set pagesize 0 feedback off heading off\nselect count(*) from v$backup where status = 'ACTIVE';");
        text.split_whitespace()
            .last()
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("no count: {text}"))
    }

    #[track_caller]
    pub fn must_have_no_backup_mode(&self) {
        assert_eq!(self.active_files(), 0, "files in backup mode");
        let journal = self.path("sapbackup/.backup_mode.SND");
        assert!(!journal.exists(), "{}", journal.display());
    }

    /// The profile with some lines after it: the last value of a parameter counts.
    pub fn profile_with(&self, name: &str, lines: &str) -> String {
        let original = std::fs::read_to_string(self.path("dbs/initSND.sap")).unwrap();
        let names: Vec<&str> = lines
            .lines()
            .filter_map(|line| line.split('=').next())
            .map(str::trim)
            .collect();
        let kept = original.lines().filter(|line| {
            !names
                .iter()
                .any(|name| line.split('=').next().map(str::trim) == Some(name))
        });
        let text = kept
            .chain(lines.lines())
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        std::fs::write(self.path("dbs").join(name), text).unwrap();
        name.to_owned()
    }

    /// A profile whose first and second copies of logs go to two new directories: first, second, profile.
    pub fn two_places(&self) -> (PathBuf, PathBuf, String) {
        let (first, second) = (self.path("first"), self.path("second"));
        for directory in [&first, &second] {
            std::fs::create_dir(directory).unwrap();
        }
        let lines = format!(
            "backup_root_dir = ({first}, {second})\narchive_copy_dir = {first}",
            first = first.display(),
            second = second.display()
        );
        let profile = self.profile_with("initTWO.sap", &lines);
        (first, second, profile)
    }

    /// The backup that `brrestore -b last` would take.
    pub fn offered(&self) -> Option<String> {
        let said = self.tool(
            "brrestore",
            &["-b", "last", "-m", "all", "-q", "-c", "force"],
        );
        let line = said.text.lines().find(|line| line.starts_with("BR0419I"))?;
        let word = line.rsplit(' ').next()?;
        Some(word.split('.').next()?.to_owned())
    }

    pub fn files_below(&self, directory: &str) -> Vec<PathBuf> {
        files_below(&self.path(directory))
    }
}

/// All files below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if entry.is_dir() {
            files.extend(files_below(&entry));
        } else {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// A small file system of its own; unmounted when dropped. The tests run as root, as their documentation says.
pub struct SmallDisk {
    pub path: PathBuf,
}

impl SmallDisk {
    pub fn mount(path: PathBuf, size: &str) -> SmallDisk {
        std::fs::create_dir(&path).unwrap();
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size}"),
                "tmpfs",
                path.to_str().unwrap(),
            ],
        );
        SmallDisk { path }
    }

    pub fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro", self.path.to_str().unwrap()]);
    }

    /// Fills the disk, whoever else writes to it, then gives so many bytes back.
    pub fn fill_up_to(&self, free: u64) {
        let mut ballast = std::fs::File::create(self.path.join("ballast")).unwrap();
        let mut bytes = 0;
        while let Ok(written @ 1..) = ballast.write(&[1; 65536]) {
            bytes += written as u64;
        }
        ballast.set_len(bytes.saturating_sub(free)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l", self.path.to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
