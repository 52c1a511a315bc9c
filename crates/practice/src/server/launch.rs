//! Starting the server process of an instance, from a client.
//! What lives here: spawning it and hearing that it is ready. What does not: its life, mounting and opening.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::engine::Home;
use crate::engine::error::{OraError, OraLine, OraResult};
use crate::protocol::Client;

/// How long a server may take until it answers. It reads one small file and binds a socket.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest report of a server that could not start, in bytes.
const REPORT_BYTES_MAX: u64 = 64 << 10;

/// Starts the server process and connects to it. The process outlives us.
///
/// Errors: the server's own, ORA-00443 when it does not say what is wrong.
pub(crate) fn start(home: &Home, without_parameters: bool) -> OraResult<(Client, Child)> {
    let failed = |why: String| {
        OraError::new(
            443,
            format!("background process \"server\" did not start: {why}"),
        )
    };
    // The running executable under its own name: by the name of a client it would be that client again.
    let mut child = Command::new("/proc/self/exe")
        .arg0("backstay")
        .args(["practice", "server", "--sid", &home.sid, "--home"])
        .arg(&home.path)
        .args(without_parameters.then_some("--without-parameters"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(server_log(home))
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let report = child.stdout.take().map(await_report).unwrap_or_default();
    if report.trim() == super::READY {
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
            if text.trim() == super::READY {
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
