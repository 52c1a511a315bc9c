//! A database host for the data backup script: a mount, a stand-in for `rman`, and the script's ends and words.
//! What lives here: what the script finds around it. What does not: the store it talks to (`store_stand_in`), tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod store_stand_in;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// What the stand-in for `rman` does: the log of RMAN with `msgno`, and files where the commands want them.
const RMAN: &str = include_str!("rman_stand_in.sh");
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the script is; its shell is chosen by the caller.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/oracle_rman_data_backup.sh")
}

/// Waits for a condition, with a limit.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A host with an ORACLE_HOME, a directory of logs and the store's mount, which is a file system of its own.
pub struct Host {
    directory: tempfile::TempDir,
    mounted: bool,
    script: PathBuf,
    /// What runs the script.
    shell: &'static [&'static str],
}

impl Host {
    /// The mount is as large as a test ordinarily needs.
    pub fn new() -> Host {
        Host::with_mount("size=8m", "tmpfs")
    }

    /// A mount of other size or options, or of another device's name in /proc/mounts.
    pub fn with_mount(options: &str, device: &str) -> Host {
        let mut host = Host::without_mount();
        let mount = host.mount();
        run("mount", &["-t", "tmpfs", "-o", options, device], &mount);
        host.mounted = true;
        host
    }

    /// The mount is the data directory of a store on this very machine.
    pub fn on(directory: &Path) -> Host {
        let mut host = Host::without_mount();
        let mount = host.mount();
        run("mount", &["--bind", &directory.to_string_lossy()], &mount);
        host.mounted = true;
        host
    }

    /// The directory is there and nothing is mounted on it.
    pub fn without_mount() -> Host {
        let directory = tempfile::tempdir().unwrap();
        let host = Host {
            directory,
            mounted: false,
            script: script(),
            shell: &["dash"],
        };
        for below in ["log", "mount", "home/bin"] {
            fs::create_dir_all(host.path(below)).unwrap();
        }
        let rman = host.path("home/bin/rman");
        fs::write(&rman, RMAN).unwrap();
        fs::set_permissions(&rman, fs::Permissions::from_mode(0o755)).unwrap();
        host
    }

    /// Another shell, as other distributions have under the name of sh.
    pub fn with_shell(mut self, shell: &'static [&'static str]) -> Host {
        self.shell = shell;
        self
    }

    /// Another script than the one for data.
    pub fn with_script(mut self, script: &Path) -> Host {
        self.script = script.to_path_buf();
        self
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub fn mount(&self) -> PathBuf {
        self.path("mount")
    }

    /// The script with everything that it needs, in its place on the command line.
    pub fn command(&self, store: &str, options: &[&str]) -> Command {
        let mut command = self.bare_command();
        command
            .arg("--local-mount")
            .arg(self.mount())
            .args(options)
            .arg(self.path("log"))
            .args([store, "testmount"]);
        command
    }

    /// The script without arguments, and without what the tester's own environment says of databases.
    pub fn bare_command(&self) -> Command {
        // A shell cannot catch what was ignored when it began, as SIGHUP is under nohup and SIGINT in the background.
        let mut command = Command::new("/usr/bin/env");
        command
            .arg("--default-signal")
            .args(self.shell)
            .arg(&self.script)
            .env("ORACLE_SID", "SND")
            .env("ORACLE_HOME", self.path("home"))
            .env("TWO_TASK", "elsewhere")
            .env("NLS_LANG", "GERMAN_GERMANY.WE8ISO8859P1")
            .env("http_proxy", "http://127.0.0.1:1")
            .env("ORATAB", self.path("oratab"))
            .env("STAND_IN", self.path("stand-in"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        fs::create_dir_all(self.path("stand-in")).unwrap();
        command
    }

    pub fn run(&self, store: &str, options: &[&str]) -> Said {
        Said::of(&self.command(store, options).output().unwrap())
    }

    /// As [`Host::run`], with an `rman` that behaves as named in `rman_stand_in.sh`.
    pub fn run_with_rman(&self, store: &str, behaviour: &str) -> Said {
        let mut command = self.command(store, &[]);
        command.env("STAND_IN_RMAN", behaviour);
        Said::of(&command.output().unwrap())
    }

    /// Starts the script with an `rman` that writes until it is stopped, and waits until it does.
    pub fn start_with_endless_rman(&self, store: &str) -> Running {
        let mut command = self.command(store, &[]);
        command.env("STAND_IN_RMAN", "endless");
        let running = Running::of(command);
        let written = self.path("mount/still_writing");
        wait_until("rman to write", || written.exists());
        running
    }

    /// The process of the last `rman`.
    pub fn rman(&self) -> Pid {
        let text = fs::read_to_string(self.path("stand-in/pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    pub fn rman_was_called(&self) -> bool {
        self.path("stand-in/pid").exists()
    }

    /// What the stand-in noted: `arguments`, `environment`, `commands` or `deletion`.
    pub fn rman_noted(&self, what: &str) -> String {
        let path = self.path("stand-in").join(what);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Names in a directory below, sorted.
    pub fn names_in(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(below)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A script leaves its lock file, named after the mount or the home, because removing it would be a race.
    fn remove_locks(&self) {
        self.remove_lock(&self.mount());
        self.remove_lock(&self.path("home"));
    }

    fn remove_lock(&self, locked: &Path) {
        let cksum = "printf %s \"$1\" | cksum | cut -d' ' -f1";
        let output = Command::new("sh")
            .args(["-c", cksum, "sh"])
            .arg(locked)
            .output();
        let sum = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let (Ok(sum), Ok(entries)) = (sum, fs::read_dir("/tmp")) else {
            return;
        };
        let ours = |path: &PathBuf| path.to_string_lossy().ends_with(&format!(".{sum}.lock"));
        for path in entries.flatten().map(|entry| entry.path()).filter(ours) {
            drop(fs::remove_file(path));
        }
    }

    /// Name and text of the one log.
    #[track_caller]
    pub fn log(&self) -> (String, String) {
        let names = self.names_in("log");
        assert_eq!(names.len(), 1, "one log and nothing else: {names:?}");
        let text = fs::read(self.path("log").join(&names[0])).unwrap();
        (
            names[0].clone(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.mounted {
            run("umount", &["-l"], &self.mount());
        }
        self.remove_locks();
    }
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .arg(directory)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// A run of the script beside the test.
pub struct Running {
    child: Child,
}

impl Running {
    pub fn of(mut command: Command) -> Running {
        let child = command.spawn().unwrap();
        Running { child }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn end(self) -> Said {
        Said::of(&self.child.wait_with_output().unwrap())
    }

    /// Waits for the end without reading: after a kill, an orphan may keep the pipes open.
    pub fn reap(mut self) {
        self.child.wait().unwrap();
    }
}

/// What the script said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub output: String,
    pub errors: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Said {
    pub fn of(output: &Output) -> Said {
        Said {
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
            signal: output.status.signal(),
        }
    }

    /// Fails the test with everything that was said, unless the script ended with this status.
    #[track_caller]
    pub fn must_end_with(&self, code: i32) -> &Said {
        assert_eq!(
            self.code,
            Some(code),
            "signal {:?}\n{}{}",
            self.signal,
            self.output,
            self.errors
        );
        self
    }

    /// The script failed with the status that the number of its first message begins with, and gave this reason.
    #[track_caller]
    pub fn must_fail_with(&self, number: u32, reason: &str) -> &Said {
        self.must_fail_as("RDB", number, reason)
    }

    /// As [`Said::must_fail_with`], for a script whose messages begin otherwise.
    #[track_caller]
    pub fn must_fail_as(&self, letters: &str, number: u32, reason: &str) -> &Said {
        self.must_end_with(i32::try_from(number / 100).unwrap());
        self.must_complain(&format!("{letters}{number}E "));
        self.must_complain(reason)
    }

    #[track_caller]
    pub fn must_complain(&self, part: &str) -> &Said {
        assert!(
            self.errors.contains(part),
            "no complaint '{part}':\n{}{}",
            self.output,
            self.errors
        );
        self
    }

    #[track_caller]
    pub fn must_say(&self, part: &str) -> &Said {
        assert!(
            self.output.contains(part),
            "'{part}' is not said:\n{}{}",
            self.output,
            self.errors
        );
        self
    }
}
