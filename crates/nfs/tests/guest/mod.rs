//! A guest with a real Linux NFS client, running one of the scripts of tests/vm/guest against a server of a test.
//! What lives here: starting it, hearing what it says, its end. What does not: servers, and what a tree must hold.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod manifest;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that a guest may take; it is emulated, and the machine may be busy.
const SECONDS_MAX: u64 = 900;
/// Longest wait for anything that is not the end of a guest.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A running guest. Dropping it switches it off.
pub struct Guest {
    machine: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

fn vm() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vm")
}

/// Passes on each line of a stream until it ends.
fn listen(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}

impl Guest {
    /// Boots a guest that runs a script of tests/vm/guest against the server on a port of 127.0.0.1.
    pub fn start(script: &str, export: &str, port: u16, settings: &[(&str, &str)]) -> Guest {
        let mut command = Command::new(vm().join("run"));
        command.arg("--timeout").arg(SECONDS_MAX.to_string());
        command.arg("--with").arg(vm().join("guest/mount.sh"));
        command.arg("--set").arg(format!("EXPORT={export}"));
        command.arg("--set").arg(format!("PORT={port}"));
        for (name, value) in settings {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        let mut machine = command
            .arg(vm().join("guest").join(script))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tests/vm/run");
        let (sender, lines) = mpsc::channel();
        listen(machine.stdout.take().unwrap(), sender.clone());
        listen(machine.stderr.take().unwrap(), sender);
        Guest {
            machine,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits until the guest says a line that ends so.
    pub fn until(&mut self, ending: &str) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = line.ends_with(ending);
                    self.said.push(line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no '{ending}' in {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the guest ended without '{ending}': {:#?}", self.said)
                }
            }
        }
    }

    /// Waits for the end, which must be a good one; what the guest said.
    pub fn end(mut self) -> Vec<String> {
        // The streams end with the guest, and the guest ends in time: tests/vm/run sees to it.
        let rest: Vec<String> = self.lines.iter().collect();
        self.said.extend(rest);
        let status = self.machine.wait().expect("the end of tests/vm/run");
        assert!(status.success(), "{status}: {:#?}", self.said);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Killed or ended already: the emulator dies with tests/vm/run.
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}
