//! The `rman` look-alike: enough of Recovery Manager for scripts that back up to disk, restore and recover.
//! What lives here: the greeting and the loop over statements. What does not: reading and writing files (`engine`).

mod arguments;
mod backup;
mod backup_jobs;
mod catalog;
mod change;
mod channels;
mod choose;
mod command;
mod control_restore;
mod failure;
mod feed;
mod files;
mod instance;
mod lexer;
mod listing;
mod log;
mod merging;
mod numbers;
mod parse;
mod recover;
mod restore;
mod restore_jobs;
mod session;
mod settings;
mod switching;
mod target;
mod upkeep;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use oracle::time::OracleTime;

use crate::engine::alert::time_line;
use crate::sqlplus::Environment;
use arguments::Arguments;
use feed::Feed;
use log::Log;
use session::Session;

/// Where this says which release it looks like.
const RELEASE: &str =
    "Recovery Manager: Release 19.0.0.0.0 - look-alike of the Backstay practice database";

/// Runs `rman` with the arguments after its name, on standard input and output.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_process(arguments, Environment::of_process())
}

/// Runs `rman` in an environment of the caller's choice, on standard input and output.
pub fn run_process(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
) -> ExitCode {
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let input = Box::new(BufReader::new(std::io::stdin()));
    ExitCode::from(run(
        &arguments,
        environment,
        input,
        Box::new(std::io::stdout()),
    ))
}

/// Runs `rman` on any input and output and gives its exit status: 0, or 1 when a command failed.
pub fn run(
    arguments: &[String],
    environment: Environment,
    input: Box<dyn BufRead>,
    mut output: Box<dyn Write + Send>,
) -> u8 {
    let arguments = match arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            // As with every other line: nobody to read it changes nothing.
            let _ = writeln!(output, "{wrong}\n{}", arguments::USAGE);
            return 1;
        }
    };
    if arguments.help {
        let _ = writeln!(output, "{}", arguments::USAGE);
        return 0;
    }
    match prepare(&arguments, input, output) {
        Ok((feed, log)) => converse(&arguments, environment, feed, log),
        Err(status) => status,
    }
}

/// Opens the log and the command file. Err is the exit status.
fn prepare(
    arguments: &Arguments,
    input: Box<dyn BufRead>,
    output: Box<dyn Write + Send>,
) -> Result<(Feed, Log), u8> {
    let unopened = |output: Box<dyn Write + Send>, path: &Path, error: &std::io::Error| {
        let log = Log::new(output, false);
        failure::Failure::new(553, "internal recovery manager package not found")
            .and(4003, format!("cannot open {}: {error}", path.display()))
            .print(&log);
        1
    };
    let output: Box<dyn Write + Send> = match &arguments.log {
        None => output,
        Some(path) => match open_log(path, arguments.append) {
            Ok(file) => Box::new(file),
            Err(error) => return Err(unopened(output, path, &error)),
        },
    };
    let feed = match &arguments.command_file {
        None => Feed::new(input, "standard input", false),
        Some(path) => match File::open(path) {
            Ok(file) => Feed::new(
                Box::new(BufReader::new(file)),
                &path.to_string_lossy(),
                true,
            ),
            Err(error) => return Err(unopened(output, path, &error)),
        },
    };
    Ok((feed, Log::new(output, arguments.message_numbers)))
}

fn open_log(path: &Path, append: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true);
    if append {
        options.append(true);
    } else {
        options.write(true).truncate(true);
    }
    options.open(path)
}

fn converse(arguments: &Arguments, environment: Environment, mut feed: Feed, log: Log) -> u8 {
    log.plain("");
    log.plain(&format!("{RELEASE} on {}", time_line(OracleTime::now())));
    log.plain("");
    let mut session = Session::new(log, environment);
    if let Some(target) = &arguments.target
        && let Err(failure) = session.connect(target)
    {
        failure::Failure::new(
            554,
            "initialization of internal recovery manager package failed",
        )
        .and_all(failure)
        .print(&session.log);
        session.say_end();
        return 1;
    }
    if arguments.no_catalog {
        session.say_repository();
    }
    let stops_at_error = arguments.command_file.is_some();
    session.run(&mut feed, stops_at_error);
    session.say_end();
    u8::from(session.failed)
}

#[cfg(test)]
mod tests;
