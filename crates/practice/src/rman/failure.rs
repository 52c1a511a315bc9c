//! Errors as RMAN shows them: a stack of RMAN- and ORA- lines under a banner.
//! What lives here: building and printing stacks. What does not: who raises which.

use oracle::time::OracleTime;

use super::log::Log;
use crate::engine::error::OraError;

/// A stack of errors, the most general line first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    lines: Vec<String>,
}

/// What every step of the client returns.
pub(super) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A stack of one line of RMAN's.
    pub fn new(number: u32, text: impl AsRef<str>) -> Failure {
        Failure {
            lines: vec![format!("RMAN-{number:05}: {}", text.as_ref())],
        }
    }

    /// The same stack with one more line of RMAN's below.
    pub fn and(mut self, number: u32, text: impl AsRef<str>) -> Failure {
        self.lines
            .push(format!("RMAN-{number:05}: {}", text.as_ref()));
        self
    }

    /// The same stack with another below.
    pub fn and_all(mut self, below: Failure) -> Failure {
        self.lines.extend(below.lines);
        self
    }

    /// The same stack below the line that says which command failed, unless a channel has said so.
    pub fn of_command(self, command: &str) -> Failure {
        let known = ["RMAN-03002:", "RMAN-03009:", "RMAN-00558:"];
        if self
            .lines
            .iter()
            .any(|line| known.iter().any(|head| line.starts_with(head)))
        {
            return self;
        }
        Failure::new(3002, format!("failure of {command} command at {}", now())).and_all(self)
    }

    /// The same stack below the line that says on which channel a command failed.
    pub fn on_channel(self, command: &str, channel: &str) -> Failure {
        Failure::new(
            3009,
            format!(
                "failure of {command} command on {channel} channel at {}",
                now()
            ),
        )
        .and_all(self)
    }

    /// Prints the lines alone, as RMAN does while other channels go on.
    pub fn print_lines(&self, log: &Log) {
        self.lines.iter().for_each(|line| log.plain(line));
    }

    /// Prints the stack with its banner.
    pub fn print(&self, log: &Log) {
        const RULE: &str =
            "RMAN-00571: ===========================================================";
        log.plain(RULE);
        log.plain("RMAN-00569: =============== ERROR MESSAGE STACK FOLLOWS ===============");
        log.plain(RULE);
        self.print_lines(log);
    }

    /// Whether a line of the stack begins with this.
    pub fn has(&self, head: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(head))
    }
}

impl From<OraError> for Failure {
    fn from(error: OraError) -> Failure {
        // RMAN's own complaints come from the server too, under numbers below its first.
        let lines = error.lines.iter().map(|line| match line.code {
            6059 => format!("RMAN-{:05}: {}", line.code, line.text),
            _ => line.to_string(),
        });
        Failure {
            lines: lines.collect(),
        }
    }
}

/// The time in the lines of failures, whatever NLS_DATE_FORMAT says.
fn now() -> String {
    let (year, month, day, hour, minute, second) = OracleTime::now().civil();
    format!("{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}")
}
