//! Saying something on standard output or standard error, to somebody who may have stopped listening.
//! What lives here: lines, JSON documents, failures. What does not: progress.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

/// A number of commits in words.
pub fn commits(count: u64) -> String {
    match count {
        1 => "1 commit".to_string(),
        count => format!("{count} commits"),
    }
}

/// Prints lines. A closed pipe is the reader's choice, not our failure.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a remark on standard error, where it does not get into a list.
pub fn note(text: impl Display) {
    // As with say.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints one JSON document.
pub fn say_json(document: &impl Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => say(text),
        Err(error) => panic!("our own documents can be written as JSON: {error}"),
    }
}

/// Prints what went wrong and gives the exit status for it.
pub fn fail(status: u8, error: impl Display) -> ExitCode {
    // As with say.
    let _ = writeln!(std::io::stderr(), "backstay: {error}");
    ExitCode::from(status)
}
