//! STARTUP and SHUTDOWN: the client starts the server process and sees it end.
//! What lives here: spawning and waiting. What does not: the server's life (`server`).

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::connection::{Connection, Failure};
use super::session::Session;
use crate::engine::Home;
use crate::engine::error::{OraError, OraLine, OraResult};
use crate::protocol::Client;
use crate::server;
use crate::statement::StartTarget;

/// How long a server may take until it answers. It reads one small file and binds a socket.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest report of a server that could not start, in bytes.
const REPORT_BYTES_MAX: u64 = 64 << 10;

impl Session {
    /// STARTUP. Errors are printed; the last one is given back.
    pub(super) fn startup(&mut self, force: bool, target: StartTarget) -> Result<(), OraError> {
        if matches!(self.connection, Connection::None) {
            return Err(OraError::new(1031, "insufficient privileges"));
        }
        match Connection::open(&self.home)? {
            Connection::Up(client) if force => {
                let mut running = Connection::Up(client);
                if let Err(Failure::Oracle(error)) = running.execute("SHUTDOWN ABORT") {
                    return Err(error);
                }
                running.wait_for_end();
            }
            Connection::Up(_) => {
                return Err(OraError::new(
                    1081,
                    "cannot start already-running ORACLE - shut it down first",
                ));
            }
            _ => {}
        }
        let (client, server) = start(&self.home)?;
        self.connection = Connection::Up(client);
        self.server = Some(server);
        self.greet_session();
        self.console.line("ORACLE instance started.");
        self.print_lines("SHOW SGA")?;
        if target >= StartTarget::Mount {
            self.silently("ALTER DATABASE MOUNT")?;
            self.console.line("Database mounted.");
        }
        if target >= StartTarget::Open {
            self.silently("ALTER DATABASE OPEN")?;
            self.console.line("Database opened.");
        }
        Ok(())
    }

    /// SHUTDOWN, as it was typed.
    pub(super) fn shutdown(&mut self, text: &str) -> Result<(), Failure> {
        let outcome = self.connection.execute(text)?;
        self.connection.wait_for_end();
        if let Some(mut server) = self.server.take() {
            // Our own child, which is ending: collected so that no zombie keeps its process id.
            let _ = server.wait();
        }
        outcome
            .messages
            .iter()
            .for_each(|line| self.console.line(line));
        Ok(())
    }

    fn print_lines(&mut self, text: &str) -> OraResult<()> {
        let outcome = self.request(text)?;
        outcome
            .messages
            .iter()
            .for_each(|line| self.console.line(line));
        Ok(())
    }

    fn silently(&mut self, text: &str) -> OraResult<()> {
        self.console.flush();
        self.request(text).map(|_| ())
    }
}

/// Starts the server process and connects to it. The process outlives us.
fn start(home: &Home) -> OraResult<(Client, Child)> {
    let failed = |why: String| {
        OraError::new(
            443,
            format!("background process \"server\" did not start: {why}"),
        )
    };
    // The running executable under its own name: by the name sqlplus it would be sqlplus again.
    let mut child = Command::new("/proc/self/exe")
        .arg0("backstay")
        .args(["practice", "server", "--sid", &home.sid, "--home"])
        .arg(&home.path)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(server_log(home))
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let report = child.stdout.take().map(await_report).unwrap_or_default();
    if report.trim() == server::READY {
        let client = Client::connect(&home.path, &home.sid);
        return client
            .map(|client| (client, child))
            .map_err(|error| failed(error.to_string()));
    }
    match errors(&report) {
        Some(error) => Err(error),
        None => Err(failed(format!("see {}", home.server_log().display()))),
    }
}

/// Where the server's complaints go; nowhere when that cannot be written.
fn server_log(home: &Home) -> Stdio {
    let path = home.server_log();
    let file: std::io::Result<File> = OpenOptions::new().append(true).create(true).open(path);
    file.map_or_else(|_| Stdio::null(), Stdio::from)
}

/// The first line of the server, or all it says when it ends without being ready. Empty when it takes too long.
fn await_report(output: ChildStdout) -> String {
    let (sender, report) = sync_channel(1);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output.take(REPORT_BYTES_MAX));
        let mut text = String::new();
        while reader.read_line(&mut text).is_ok_and(|bytes| bytes > 0) {
            if text.trim() == server::READY {
                break;
            }
        }
        // Nobody waits any more after the time limit.
        let _ = sender.send(text);
    });
    report.recv_timeout(READY_TIME_MAX).unwrap_or_default()
}

/// The error stack in what a server said.
fn errors(report: &str) -> Option<OraError> {
    let line = |line: &str| {
        let (code, text) = line.strip_prefix("ORA-")?.split_once(": ")?;
        Some(OraLine {
            code: code.parse().ok()?,
            text: text.to_owned(),
        })
    };
    let lines: Vec<OraLine> = report.lines().filter_map(line).collect();
    if lines.is_empty() {
        None
    } else {
        Some(OraError { lines })
    }
}
