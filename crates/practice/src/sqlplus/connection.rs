//! The client's tie to the instance: CONNECT, requests, and what to say when there is none.
//! What lives here: states of the connection and their errors. What does not: starting a server (`startup`).

use std::io::ErrorKind;

use crate::engine::Home;
use crate::engine::error::{OraError, OraResult};
use crate::protocol::{Answer, Client, Outcome, Request};

/// Where a session stands.
pub(super) enum Connection {
    /// No CONNECT yet.
    None,
    /// CONNECT found no server, or SHUTDOWN ended it.
    Idle,
    /// Connected.
    Up(Client),
    /// The server went away.
    Lost,
}

/// What a request led to.
pub(super) enum Failure {
    /// SP2-0640.
    NotConnected,
    Oracle(OraError),
}

impl Connection {
    /// Connects to the running instance, or finds it idle.
    pub fn open(home: &Home) -> OraResult<Connection> {
        match Client::connect(&home.path, &home.sid) {
            Ok(client) => Ok(Connection::Up(client)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(Connection::Idle)
            }
            Err(error) => Err(OraError::new(12547, format!("TNS:lost contact: {error}"))),
        }
    }

    /// Executes a statement.
    pub fn execute(&mut self, text: &str) -> Result<Outcome, Failure> {
        let client = match self {
            Connection::None => return Err(Failure::NotConnected),
            Connection::Idle => return Err(Failure::Oracle(not_available())),
            Connection::Lost => {
                return Err(Failure::Oracle(OraError::new(
                    3114,
                    "not connected to ORACLE",
                )));
            }
            Connection::Up(client) => client,
        };
        match client.request(&Request::Execute(text.to_owned())) {
            Ok(Answer::Done(outcome)) => Ok(outcome),
            Ok(Answer::Error(error)) => Err(Failure::Oracle(error)),
            Ok(other) => Err(Failure::Oracle(OraError::new(
                3106,
                format!("fatal two-task communication protocol error: {other:?}"),
            ))),
            Err(_) => {
                *self = Connection::Lost;
                Err(Failure::Oracle(OraError::new(
                    3113,
                    "end-of-file on communication channel",
                )))
            }
        }
    }

    /// Waits for the end of the server after its last answer.
    pub fn wait_for_end(&mut self) {
        if let Connection::Up(client) = self {
            // Nothing more comes: the answer to nothing is the end of the process.
            while client.receive().is_ok() {}
        }
        *self = Connection::Idle;
    }
}

/// ORA-01034, for an instance that is not started.
fn not_available() -> OraError {
    OraError::new(1034, "ORACLE not available").and(27101, "shared memory realm does not exist")
}

/// Who asks to be connected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// `/ as sysdba` or its like: whom the operating system lets to the socket.
    OperatingSystem,
    /// Anybody else.
    Other,
}

/// Reads the words after CONNECT.
pub(super) fn who(text: &str) -> Who {
    let words: Vec<String> = text
        .split_whitespace()
        .map(str::to_ascii_uppercase)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["/", "AS", "SYSDBA" | "SYSBACKUP" | "SYSOPER"] => Who::OperatingSystem,
        _ => Who::Other,
    }
}
