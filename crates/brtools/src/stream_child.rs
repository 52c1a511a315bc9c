//! A child process at one end of a stream of data: `cpio` or `dd` in front of a tape, or behind it.
//! What lives here: starting, ending, killing. What does not: what flows (`copy::stream`, `volume`).
//!
//! No watcher is needed for the day on which this process is killed: the pipe breaks, and with it the program ends.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::watched_child::{ChildEnd, Kept, code_of, keep};

/// How much of a program's talk is kept for the log.
const TALK_BYTES_MAX: usize = 16 * 1024;

/// A running program in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub struct StreamChild {
    command_line: String,
    child: Child,
    talk: Arc<Mutex<Kept>>,
    readers: Vec<JoinHandle<()>>,
    over: bool,
}

impl StreamChild {
    /// Starts a program whose standard output is read. `command_line` is what the log shows.
    pub fn producer(
        words: &[OsString],
        command_line: String,
    ) -> std::io::Result<(StreamChild, ChildStdout)> {
        let mut command = command(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let (child, mut parts) = StreamChild::start(command, command_line)?;
        let stdout = parts.child_stdout.take().expect("it was asked for");
        Ok((child, stdout))
    }

    /// Starts a program whose standard input is written.
    pub fn consumer(
        words: &[OsString],
        command_line: String,
    ) -> std::io::Result<(StreamChild, ChildStdin)> {
        let mut command = command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut child, mut parts) = StreamChild::start(command, command_line)?;
        if let Some(stdout) = parts.child_stdout.take() {
            let talk = Arc::clone(&child.talk);
            child
                .readers
                .push(std::thread::spawn(move || keep(stdout, &talk)));
        }
        let stdin = parts.child_stdin.take().expect("it was asked for");
        Ok((child, stdin))
    }

    fn start(mut command: Command, command_line: String) -> std::io::Result<(StreamChild, Parts)> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let talk = Arc::new(Mutex::new(Kept {
            bytes: Vec::new(),
            bytes_max: TALK_BYTES_MAX,
            is_cut: false,
        }));
        let mut readers = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            let talk = Arc::clone(&talk);
            readers.push(std::thread::spawn(move || keep(stderr, &talk)));
        }
        let parts = Parts {
            child_stdin: child.stdin.take(),
            child_stdout: child.stdout.take(),
        };
        Ok((
            StreamChild {
                command_line,
                child,
                talk,
                readers,
                over: false,
            },
            parts,
        ))
    }

    /// The command as a person would type it.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// Waits for its end, after the stream has come to its own.
    pub fn end(mut self) -> ChildEnd {
        let code = self.child.wait().map_or(-1, code_of);
        self.over = true;
        for reader in self.readers.drain(..) {
            // A reader cannot panic; its output is complete when it has ended.
            let _ = reader.join();
        }
        let (bytes, is_cut) = self.talk.lock().map_or((Vec::new(), true), |mut kept| {
            (std::mem::take(&mut kept.bytes), kept.is_cut)
        });
        ChildEnd {
            code,
            output: String::from_utf8_lossy(&bytes).into_owned(),
            is_cut,
        }
    }
}

struct Parts {
    child_stdin: Option<ChildStdin>,
    child_stdout: Option<ChildStdout>,
}

impl Drop for StreamChild {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // Failure means that it has just ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // Reaped; its status is of no interest after a kill.
        let _ = self.child.wait();
    }
}

fn command(words: &[OsString]) -> Command {
    let mut command = Command::new(words.first().map_or("true".as_ref(), OsString::as_os_str));
    command.args(words.get(1..).unwrap_or_default());
    command.env("LANG", "C").env("LC_ALL", "C").process_group(0);
    command
}
