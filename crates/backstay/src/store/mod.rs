//! `backstay store …`, and the commands that administer it, from `mount …` to `repository …`.
//! What lives here: the choice of command, and how a failure is said. What does not: any command's work.

pub mod connection;
mod content;
pub mod lists;
mod moment;
pub mod mount;
pub mod points;
pub mod progress;
pub mod repository;
mod restore;
pub mod restores;
pub mod retention;
mod serve;
pub mod table;
mod wait;

use std::process::ExitCode;

use api::admin::StoreState;
use api::client::ClientError;
use clap::Subcommand;
use serde::Serialize;

use crate::said::fail;
use connection::ConnectionError;

/// Run and administer a backup store
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    Serve(serve::Arguments),
    /// What the store is and whether it takes backups
    Show(lists::StoreArguments),
    Decommission(lists::Decommission),
    /// Take the store into service again
    Register(lists::StoreArguments),
    /// What has happened, oldest first
    Events(lists::ListArguments),
}

/// Why a command of administration did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No store can be spoken to.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The store refused, or could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Nobody said yes.
    #[error("{0}")]
    NotConfirmed(&'static str),
    /// The job did not do all that it was for: its number, state and why.
    #[error(
        "job {0}: {1}: {2}. HINT: 'backstay job show {0}' and 'backstay store events' say more"
    )]
    Job(u64, String, String),
    /// The job was not waited for to its end, and why.
    #[error(
        "the end of job {0} is not known; it goes on, and 'backstay job show {0}' says how it stands: {1}"
    )]
    StillRunning(u64, String),
}

/// Runs a command of the store.
pub fn run(command: StoreCommand) -> ExitCode {
    let change = |arguments: &lists::StoreArguments, state| finish(lists::store(arguments, state));
    match command {
        StoreCommand::Serve(arguments) => serve::run(&arguments),
        StoreCommand::Show(arguments) => change(&arguments, None),
        StoreCommand::Decommission(arguments) => finish(lists::decommission(&arguments)),
        StoreCommand::Register(arguments) => change(&arguments, Some(StoreState::Active)),
        StoreCommand::Events(arguments) => finish(lists::events(&arguments)),
    }
}

/// The exit status.
fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Connection(error)) if error.is_of_command_line() => fail(2, error),
        Err(error) => fail(1, error),
    }
}

/// A word of the API for people: `marked for delete`.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        other => format!("{other:?}"),
    }
}
