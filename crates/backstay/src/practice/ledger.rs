//! `backstay practice ledger …`.
//! What lives here: its options and what it says. What does not: the ledger.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use oracle::scn::Scn;
use oracle::time::OracleTime;
use practice::ledger::{Boundary, cut};

use super::judge::time;
use crate::said::{commits, fail, say};

/// Keep a ledger in step with its database
#[derive(Debug, Subcommand)]
pub enum Command {
    Cut(CutArguments),
}

/// Record that the database was recovered to a point in time, so that the ledger goes on from there
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "A recovery to a point in time discards commits on purpose. Judge it first, with the same target; then cut the \
                        ledger, and only then load the database again. The commits from the target on are void from then on: \
                        they must not be there. Nothing is removed: the cut is one line at the end of the ledger, and a wrong one \
                        is undone by deleting that line.\n\n\
                        Example:\n  \
                        brrecover -t dbpit -m '2026-03-07 01.44.38' -c force\n  \
                        backstay practice verify --ledger /tmp/practice/ledger --until-time '2026-03-07 01:44:38'\n  \
                        backstay practice ledger cut --ledger /tmp/practice/ledger --until-time '2026-03-07 01:44:38'\n\n\
                        Exit status: 0 recorded, 1 not."
)]
pub struct CutArguments {
    /// The ledger that the workload kept; no workload may be writing it
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Where the recovery ended.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Commits with this SCN or a higher one are void
    #[arg(long, value_name = "SCN")]
    until_scn: Option<u64>,
    /// Commits at this second or later are void, YYYY-MM-DD HH:MM:SS
    #[arg(long, value_name = "TIME", value_parser = time)]
    until_time: Option<OracleTime>,
}

/// Runs a command.
pub fn run(command: &Command) -> ExitCode {
    let Command::Cut(arguments) = command;
    let boundary = match (arguments.target.until_scn, arguments.target.until_time) {
        (Some(scn), _) => Boundary::Scn(Scn::new(scn)),
        (None, Some(time)) => Boundary::Time(time),
        (None, None) => unreachable!("the command line demands one of them"),
    };
    match cut(&arguments.ledger, boundary) {
        Ok(cut) => {
            say(format!(
                "cut the ledger of {} at {boundary}: {} before it must be there, {} from there on are void",
                cut.sid,
                commits(cut.kept),
                commits(cut.void)
            ));
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, error),
    }
}
