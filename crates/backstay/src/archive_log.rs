//! `backstay archive-log`: `arch<SID>.log`, which brarchive decides from, when it is lost or damaged.
//! What lives here: options, questions, what it says. What does not: making it anew (`brtools::summary::rebuild`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use brtools::environment::Environment;
use brtools::summary::rebuild::{self, Rebuilt};
use clap::Subcommand;
use serde_json::json;

use crate::said::{fail, note, say, say_json};

const FAILED: u8 = 1;

/// Make arch<SID>.log anew from detail logs and copies
#[derive(Debug, Clone, Subcommand)]
pub enum ArchiveLogCommand {
    /// Read the detail logs of brarchive and every copy that they name, and write arch<SID>.log anew
    Rebuild(RebuildArguments),
}

/// What it is made from.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RebuildArguments {
    /// A directory with detail logs of brarchive, beside saparch and sapbackup; repeat it for more
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  backstay archive-log rebuild --dry-run
  backstay archive-log rebuild --from /backup/SND

ORACLE_SID, ORACLE_HOME and SAPDATA_HOME say which database. A copy is entered when it can be read and has the hash that its
run gave it; reading them takes as long as reading all copies. What was there is kept beside it. brarchive must not be at work.

Exit status: 0 written, and nothing was left out; 1 something was left out, or it failed and nothing was changed; \
2 wrong command line.";

/// Runs the command.
pub fn run(command: &ArchiveLogCommand) -> ExitCode {
    let ArchiveLogCommand::Rebuild(arguments) = command;
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(faults) => {
            for fault in faults {
                note(format_args!(
                    "backstay: {}. HINT: {}",
                    fault.what, fault.hint
                ));
            }
            return ExitCode::from(FAILED);
        }
    };
    let done = if arguments.dry_run {
        rebuild::gather(&environment, &arguments.from).map(|rebuilt| (rebuilt, None))
    } else {
        rebuild::replace(&environment, &arguments.from)
    };
    match done {
        Ok((rebuilt, kept)) => {
            tell(arguments, &rebuilt, kept.as_deref());
            ExitCode::from(if rebuilt.left_out.is_empty() {
                0
            } else {
                FAILED
            })
        }
        Err(error) => fail(FAILED, error),
    }
}

fn tell(arguments: &RebuildArguments, rebuilt: &Rebuilt, kept: Option<&Path>) {
    let entries = &rebuilt.summary.entries;
    let copies: usize = entries.iter().map(|entry| entry.copies().count()).sum();
    if arguments.json {
        let left_out: Vec<_> = rebuilt
            .left_out
            .iter()
            .map(|(path, why)| json!({ "path": path, "why": why }))
            .collect();
        say_json(&json!({
            "written": !arguments.dry_run, "logs": entries.len(), "copies": copies, "detail_logs": rebuilt.logs,
            "left_out": left_out, "kept": kept,
        }));
        return;
    }
    for (path, why) in &rebuilt.left_out {
        note(format_args!("left out: {}: {why}", path.display()));
    }
    let verb = if arguments.dry_run {
        "would have"
    } else {
        "has"
    };
    say(format_args!(
        "{} {verb} {} offline redo logs with {copies} copies, from {} detail logs",
        rebuilt.summary.path().display(),
        entries.len(),
        rebuilt.logs
    ));
    if let Some(kept) = kept {
        say(format_args!("What was there is now {}", kept.display()));
    }
}
