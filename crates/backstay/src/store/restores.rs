//! `backstay restore …`: the data that restores have brought back.
//! What lives here: listing and deleting them. What does not: bringing them back (`restore`).

use std::process::ExitCode;

use api::admin::RestoredData;
use api::client::in_path;
use clap::{Args, Subcommand};

use super::connection::StoreOptions;
use super::table::Table;
use super::wait::confirm;
use super::{Failure, finish};
use crate::said::{note, say, say_json};

/// Look at the data that restores have brought back, and delete them
#[derive(Debug, Subcommand)]
pub enum RestoreCommand {
    List(RestoreList),
    Delete(RestoreDelete),
}

/// The data of all restores, by the numbers of their jobs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  backstay restore list --mount prd\n\n\
                  'backstay recovery-point restore' brings data back.\n\n\
                  Exit status: 0 listed, 1 failed, 2 wrong command line.")]
pub struct RestoreList {
    /// Only those on this mount
    #[arg(long, value_name = "NAME")]
    mount: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Delete the data of a restore; the recovery point stays
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  backstay restore delete 12 --yes\n\n\
                  Whoever has it mounted, and a database that lives on its copies, loses it at once.\n\n\
                  Exit status: 0 gone, 1 refused or failed, 2 wrong command line.")]
pub struct RestoreDelete {
    /// The number of the restore's job
    job: u64,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print what was deleted as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub fn run(command: &RestoreCommand) -> ExitCode {
    finish(match command {
        RestoreCommand::List(arguments) => list(arguments),
        RestoreCommand::Delete(arguments) => delete(arguments),
    })
}

fn list(arguments: &RestoreList) -> Result<(), Failure> {
    let path = match &arguments.mount {
        Some(mount) => format!("/restores?mount={}", in_path(mount)),
        None => "/restores".to_owned(),
    };
    let restores: Vec<RestoredData> = arguments.store.connect()?.get(&path)?;
    if arguments.json {
        say_json(&restores);
        return Ok(());
    }
    if restores.is_empty() {
        note("No data of a restore are there; 'backstay recovery-point restore' brings some.");
        return Ok(());
    }
    let mut table = Table::new(["JOB", "MOUNT", "SINCE", "EXPORT", "WHAT"]);
    for restored in restores {
        table.row([
            restored.job.to_string(),
            restored.mount,
            restored.since.unwrap_or_else(|| "-".to_owned()),
            restored.export,
            restored.detail,
        ]);
    }
    say(table);
    Ok(())
}

fn delete(arguments: &RestoreDelete) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    confirm(
        arguments.yes,
        &format!("Delete the data of restore {}?", arguments.job),
    )?;
    let gone: RestoredData = client.delete(&format!("/restores/{}", arguments.job))?;
    if arguments.json {
        say_json(&gone);
    } else {
        say(format_args!("{} is deleted", gone.directory));
    }
    Ok(())
}
