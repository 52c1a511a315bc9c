//! `backstay store …`: the store and its administration.
//! What lives here: the choice of command. What does not: any command's work.

mod serve;

use std::process::ExitCode;

use clap::Subcommand;

/// Run and administer a backup store
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    Serve(serve::Arguments),
}

/// Runs a command of the store.
pub fn run(command: StoreCommand) -> ExitCode {
    match command {
        StoreCommand::Serve(arguments) => serve::run(&arguments),
    }
}
