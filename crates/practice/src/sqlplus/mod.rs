//! The `sqlplus` look-alike: enough of SQL*Plus for scripts, for tools that talk to it, and for people.
//! What lives here: arguments, the greeting and the loop over lines. What does not: executing statements (`server`).

mod arguments;
mod command;
mod connection;
mod console;
mod layout;
mod page;
mod query;
mod recover;
mod session;
mod set;
mod settings;
mod startup;
mod variables;
mod whenever;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use arguments::{Action, Arguments};
use console::Console;
use session::Session;

/// What the first line of the greeting and `-V` say.
const RELEASE: &str = "SQL*Plus: Release 19.0.0.0.0 - look-alike of the Backstay practice database";

/// Where the look-alike is and what its environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// ORACLE_HOME.
    pub home: Option<PathBuf>,
    /// ORACLE_SID.
    pub sid: Option<String>,
    /// NLS_DATE_FORMAT.
    pub date_format: Option<String>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Environment {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Environment {
            home: std::env::var_os("ORACLE_HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from),
            sid: text("ORACLE_SID"),
            date_format: text("NLS_DATE_FORMAT"),
        }
    }
}

/// Runs `sqlplus` with the arguments after its name, on standard input and output.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_process(arguments, Environment::of_process())
}

/// Runs `sqlplus` in an environment of the caller's choice, on standard input and output.
pub fn run_process(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
) -> ExitCode {
    let arguments = arguments
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    let input = BufReader::new(std::io::stdin());
    ExitCode::from(run(
        &arguments,
        environment,
        Box::new(input),
        Box::new(std::io::stdout()),
    ))
}

/// Runs `sqlplus` on any input and output and gives its exit status.
pub fn run(
    arguments: &[String],
    environment: Environment,
    input: Box<dyn BufRead>,
    output: Box<dyn Write>,
) -> u8 {
    let mut console = Console::new(input, output);
    match arguments::parse(arguments) {
        Ok(Action::Version) => {
            console.line(RELEASE);
            0
        }
        Ok(Action::Help) => {
            arguments::USAGE.lines().for_each(|line| console.line(line));
            0
        }
        Ok(Action::Run(arguments)) => converse(arguments, environment, console),
        Err(wrong) => {
            console.line(&wrong);
            arguments::USAGE.lines().for_each(|line| console.line(line));
            1
        }
    }
}

fn converse(arguments: Arguments, environment: Environment, mut console: Console) -> u8 {
    let Some(home) = environment.home.clone() else {
        console.line("Error 6 initializing SQL*Plus");
        console.line("SP2-0667: Message file sp1<lang>.msb not found");
        console.line("SP2-0750: You may need to set ORACLE_HOME to your Oracle software directory");
        return 1;
    };
    console.silent = arguments.silent;
    if !arguments.silent {
        console.line("");
        console.line(RELEASE);
        console.line("");
    }
    let mut session = Session::new(console, home, environment);
    if let Err(status) = session.log_on(&arguments) {
        return status;
    }
    if let Some(script) = &arguments.script {
        session.run_script_argument(script, &arguments.parameters);
    }
    session.run()
}

#[cfg(test)]
mod tests;
