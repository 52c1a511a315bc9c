//! A conversation: lines in, results out, until EXIT or the end of input.
//! What lives here: the state, logging on, executing statements, reacting to errors. What does not: commands (`command`).

use std::path::PathBuf;
use std::time::Instant;

use super::arguments::{Arguments, Logon};
use super::connection::{Connection, Failure, Who, who};
use super::console::Console;
use super::page;
use super::query::{Buffer, Typed};
use super::settings::Settings;
use super::variables::Variables;
use super::whenever::Reaction;
use super::{Environment, RELEASE};
use crate::engine::Home;
use crate::engine::error::{OraError, OraResult};
use crate::protocol::Outcome;

/// Attempts to log on that SQL*Plus allows.
const ATTEMPTS: usize = 3;

/// The state of one run.
pub(super) struct Session {
    pub console: Console,
    pub home: Home,
    pub connection: Connection,
    pub settings: Settings,
    pub variables: Variables,
    pub buffer: Buffer,
    /// Whether lines are added to the statement in the buffer.
    pub typing: bool,
    /// Whether a `/*` comment is open.
    pub in_comment: bool,
    pub on_sql_error: Reaction,
    pub on_system_error: Reaction,
    /// Set when the run is to end.
    pub exit: Option<u8>,
    /// Number of the last ORA error: SQL.SQLCODE.
    pub last_code: u32,
    /// The server process, when this run started it.
    pub server: Option<std::process::Child>,
    date_format: Option<String>,
}

impl Session {
    pub fn new(console: Console, home: PathBuf, environment: Environment) -> Session {
        Session {
            console,
            home: Home::new(home, environment.sid.unwrap_or_default()),
            connection: Connection::None,
            settings: Settings::default(),
            variables: Variables::default(),
            buffer: Buffer::default(),
            typing: false,
            in_comment: false,
            on_sql_error: Reaction::Continue,
            on_system_error: Reaction::Continue,
            exit: None,
            last_code: 0,
            server: None,
            date_format: environment.date_format,
        }
    }

    /// Logs on as the command line says. Err is the exit status when that failed.
    pub fn log_on(&mut self, arguments: &Arguments) -> Result<(), u8> {
        let mut next = match &arguments.logon {
            Logon::None => return Ok(()),
            Logon::As(text) => Some(text.clone()),
            Logon::Ask => None,
        };
        for _ in 0..if arguments.one_attempt { 1 } else { ATTEMPTS } {
            let text = match next.take() {
                Some(text) => text,
                None => self.console.ask("Enter user-name: ").ok_or(1)?,
            };
            match self.connect(&text) {
                Ok(greeting) => {
                    if !self.console.silent {
                        self.console.line(greeting);
                        self.console.line("");
                    }
                    return Ok(());
                }
                Err(error) => self.print_logon_error(&error),
            }
        }
        self.console.line(if arguments.one_attempt {
            "SP2-0751: Unable to connect to Oracle.  Exiting SQL*Plus"
        } else {
            "SP2-0157: unable to CONNECT to ORACLE after 3 attempts, exiting SQL*Plus"
        });
        self.console.flush();
        Err(1)
    }

    /// Connects as the words after CONNECT say, and tells what SQL*Plus says to it.
    pub fn connect(&mut self, text: &str) -> OraResult<&'static str> {
        self.connection = Connection::None;
        if self.home.sid.is_empty() {
            return Err(OraError::new(
                12162,
                "TNS:net service name is incorrectly specified",
            ));
        }
        let opened = Connection::open(&self.home)?;
        match (who(text), &opened) {
            (Who::Other, Connection::Up(_)) => {
                return Err(OraError::new(
                    1017,
                    "invalid username/password; logon denied",
                ));
            }
            (Who::Other, _) => {
                return Err(OraError::new(1034, "ORACLE not available")
                    .and(27101, "shared memory realm does not exist"));
            }
            (Who::OperatingSystem, _) => {}
        }
        self.connection = opened;
        self.greet_session();
        Ok(if matches!(self.connection, Connection::Up(_)) {
            "Connected."
        } else {
            "Connected to an idle instance."
        })
    }

    /// Tells a new session the date format of the environment.
    pub fn greet_session(&mut self) {
        let Connection::Up(_) = self.connection else {
            return;
        };
        let Some(format) = &self.date_format else {
            return;
        };
        let statement = format!(
            "ALTER SESSION SET NLS_DATE_FORMAT = '{}'",
            format.replace('\'', "''")
        );
        // A format that is none is ignored here as Oracle ignores it until a date is shown.
        let _ = self.connection.execute(&statement);
    }

    /// Prints the error of a CONNECT.
    pub fn print_logon_error(&mut self, error: &OraError) {
        self.console.line("ERROR:");
        self.console.text(&error.to_string());
        self.console.line("");
        self.console.line("");
        self.last_code = error.code();
    }

    /// Runs until EXIT or the end of input, and gives the exit status.
    pub fn run(&mut self) -> u8 {
        while self.exit.is_none() {
            let prompt = self.prompt();
            let in_script = self.console.in_script();
            let Some(line) = self.console.read(&prompt) else {
                break;
            };
            if in_script && self.settings.echo {
                self.console.line(&format!("{prompt}{line}"));
            }
            self.line(&line);
        }
        if !self.console.silent && matches!(self.connection, Connection::Up(_)) {
            self.console.line(&format!(
                "Disconnected from {}",
                RELEASE.trim_start_matches("SQL*Plus: ")
            ));
        }
        self.console.spool_off();
        self.exit.unwrap_or(0)
    }

    fn prompt(&self) -> String {
        match (self.typing, self.settings.statement_numbers) {
            (true, true) => format!("{:>3}  ", self.buffer.lines.len() + 1),
            _ => self.settings.prompt.clone(),
        }
    }

    /// Takes one line: a piece of a statement or a command.
    fn line(&mut self, line: &str) {
        if self.in_comment {
            self.in_comment = !line.contains("*/");
            return;
        }
        if !self.typing {
            return self.command(line);
        }
        let Some(line) = self.substituted(line) else {
            self.typing = false;
            return;
        };
        let typed = self.buffer.add(&line, self.settings.blank_lines_in_sql);
        self.typed(typed);
    }

    /// Goes on after a line of a statement.
    pub fn typed(&mut self, typed: Typed) {
        self.typing = typed == Typed::More;
        if typed == Typed::Run {
            self.execute_buffer();
        }
    }

    /// Executes the statement in the buffer.
    pub fn execute_buffer(&mut self) {
        let text = self.buffer.text();
        if text.trim().is_empty() {
            return self.console.line("SP2-0103: Nothing in SQL buffer to run.");
        }
        self.execute(&text);
    }

    /// Executes a statement and shows what comes of it.
    pub fn execute(&mut self, text: &str) {
        self.console.flush();
        let begun = Instant::now();
        match self.connection.execute(text) {
            Ok(outcome) => {
                self.print(&outcome);
                self.keep_new_values(&outcome);
            }
            Err(Failure::NotConnected) => self.console.line("SP2-0640: Not connected"),
            Err(Failure::Oracle(error)) => {
                self.print_statement_error(text, &error);
                self.react_to(&error);
            }
        }
        if self.settings.timing {
            let elapsed = begun.elapsed();
            let (seconds, hundredths) = (elapsed.as_secs(), elapsed.subsec_millis() / 10);
            let clock = format!(
                "{:02}:{:02}:{:02}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            );
            self.console
                .line(&format!("Elapsed: {clock}.{hundredths:02}"));
        }
    }

    /// A request whose refusals SQL*Plus's own commands report.
    pub fn request(&mut self, text: &str) -> OraResult<Outcome> {
        self.connection
            .execute(text)
            .map_err(|failure| match failure {
                Failure::NotConnected => OraError::new(1012, "not logged on"),
                Failure::Oracle(error) => error,
            })
    }

    fn print(&mut self, outcome: &Outcome) {
        outcome
            .messages
            .iter()
            .for_each(|line| self.console.line(line));
        if !outcome.columns.is_empty() {
            page::table(outcome, &self.settings)
                .iter()
                .for_each(|line| self.console.line(line));
        }
        if let (Some(feedback), Some(_)) = (&outcome.feedback, self.settings.feedback) {
            ["", feedback, ""]
                .iter()
                .for_each(|line| self.console.line(line));
        }
    }

    /// COLUMN … NEW_VALUE: the last row's value goes into a variable.
    fn keep_new_values(&mut self, outcome: &Outcome) {
        let Some(row) = outcome.rows.last() else {
            return;
        };
        for (name, value) in outcome.columns.iter().zip(row) {
            let format = self.settings.columns.get(&name.to_uppercase());
            if let Some(variable) = format.and_then(|format| format.new_value.as_ref()) {
                self.variables
                    .set(variable, value.as_deref().unwrap_or_default());
            }
        }
    }

    /// The block of an SQL error: the line, a star below the place, the stack.
    fn print_statement_error(&mut self, text: &str, error: &OraError) {
        let (number, column) = place_of_error(text, error);
        let line = text.lines().nth(number).unwrap_or_default();
        self.console.line(line);
        self.console.line(&format!("{}*", " ".repeat(column)));
        self.console.line(&format!("ERROR at line {}:", number + 1));
        self.console.text(&error.to_string());
        self.console.line("");
        self.console.line("");
    }

    /// The result of one of SQL*Plus's own commands.
    pub fn finish(&mut self, result: Result<(), Failure>) {
        match result {
            Ok(()) => {}
            Err(Failure::NotConnected) => self.console.line("SP2-0640: Not connected"),
            Err(Failure::Oracle(error)) => {
                self.console.text(&error.to_string());
                self.react_to(&error);
            }
        }
    }

    /// WHENEVER SQLERROR.
    pub fn react_to(&mut self, error: &OraError) {
        self.last_code = error.code();
        if let Reaction::Exit(status) = self.on_sql_error {
            self.exit = Some(status.value(self.last_code));
        }
    }

    /// WHENEVER OSERROR.
    pub fn react_to_system(&mut self) {
        if let Reaction::Exit(status) = self.on_system_error {
            self.exit = Some(status.value(self.last_code));
        }
    }
}

impl From<OraError> for Failure {
    fn from(error: OraError) -> Failure {
        Failure::Oracle(error)
    }
}

/// Line and column, from 0, of the name that an ORA-00904 is about; otherwise the beginning.
fn place_of_error(text: &str, error: &OraError) -> (usize, usize) {
    let first = error.lines.first();
    // `"T"."MOON": invalid identifier`: the last name in quotes is the unknown one.
    let name = first
        .filter(|line| line.code == 904)
        .and_then(|line| line.text.rsplit('"').nth(1));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return (0, 0);
    };
    for (number, line) in text.lines().enumerate() {
        if let Some(offset) = line.to_uppercase().find(&name.to_uppercase()) {
            return (
                number,
                line.get(..offset)
                    .map_or(0, |before| before.chars().count()),
            );
        }
    }
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_star_stands_below_an_unknown_name() {
        let error = OraError::new(904, "\"T\".\"MOON\": invalid identifier");
        assert_eq!(
            place_of_error("select 1,\n  t.moon from dual t", &error),
            (1, 4)
        );
        assert_eq!(place_of_error("x", &OraError::new(942, "\"X\"")), (0, 0));
    }
}
