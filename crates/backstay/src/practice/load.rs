//! `backstay practice workload`.
//! What lives here: its options. What does not: the sessions and the ledger.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use practice::workload::{self, Options};

use super::Database;
use crate::said::{fail, say, say_json};

/// Commit numbered transactions and keep a ledger of what was acknowledged
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Ends at --seconds or --transactions, or at SIGINT or SIGTERM; all are clean ends. A database that goes \
                        away is waited for. One database has one ledger: another one is refused.\n\n\
                        Example: backstay practice workload --home /tmp/practice/SND --ledger /tmp/practice/ledger --seconds 60\n\n\
                        Exit status: 0 ended as asked, 1 could not start or had to end."
)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,
    /// The ledger: made when it is missing, else continued; keep it outside the database
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// How many sessions commit at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    sessions: u32,
    /// Most commits a second of all sessions together; 0 is as fast as possible
    #[arg(long, value_name = "COMMITS", default_value_t = 0)]
    rate: u32,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// End after so many transactions
    #[arg(long, value_name = "NUMBER")]
    transactions: Option<u64>,
    /// Seed of the choice of rows and texts
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Have every line of the ledger on disk before going on: for a machine that may crash
    #[arg(long)]
    sync_ledger: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the workload.
pub fn run(arguments: Arguments) -> ExitCode {
    let options = Options {
        home: arguments.database.home(),
        sid: arguments.database.sid,
        ledger: arguments.ledger,
        sessions: arguments.sessions,
        rate: arguments.rate,
        duration: arguments.seconds.map(Duration::from_secs),
        transactions: arguments.transactions,
        sync_ledger: arguments.sync_ledger,
        seed: arguments.seed,
    };
    match workload::run(options) {
        Ok(outcome) if arguments.json => say_json(&outcome),
        Ok(outcome) => say(outcome),
        Err(error) => return fail(1, error),
    }
    ExitCode::SUCCESS
}
