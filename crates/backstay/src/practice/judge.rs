//! `backstay practice verify`.
//! What lives here: its options and exit status. What does not: the judgement.

use std::path::PathBuf;
use std::process::ExitCode;

use oracle::scn::Scn;
use oracle::time::OracleTime;
use practice::judge::{Target, judge};

use super::Database;
use crate::said::{fail, say, say_json};

/// Compare the open database with its ledger
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Nothing may commit meanwhile: stop the workload first, a ledger that is being written is refused. Without a target every acknowledged commit must be there; with one, those \
                        before it and no others, as after RECOVER DATABASE UNTIL. To go on with a ledger after such a recovery: backstay practice ledger cut.\n\n\
                        Examples:\n  backstay practice verify --home /tmp/practice/SND --ledger /tmp/practice/ledger\n  \
                        backstay practice verify --home /tmp/practice/SND --ledger /tmp/practice/ledger --until-time '2026-03-07 01:44:38'\n\n\
                        Exit status: 0 nothing missing, extra or damaged; 1 something is; 2 it cannot be judged."
)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,
    /// The ledger that the workload kept
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// Commits with a lower SCN must be there
    #[arg(long, value_name = "SCN", conflicts_with = "until_time")]
    until_scn: Option<u64>,
    /// Commits before this second must be there, YYYY-MM-DD HH:MM:SS
    #[arg(long, value_name = "TIME", value_parser = time)]
    until_time: Option<OracleTime>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A time of the command line.
pub(super) fn time(text: &str) -> Result<OracleTime, String> {
    OracleTime::parse(text).ok_or_else(|| "a time as YYYY-MM-DD HH:MM:SS".to_owned())
}

/// Judges the database.
pub fn run(arguments: &Arguments) -> ExitCode {
    let target = match (arguments.until_scn, arguments.until_time) {
        (Some(scn), _) => Target::Scn(Scn::new(scn)),
        (None, Some(time)) => Target::Time(time),
        (None, None) => Target::Everything,
    };
    let database = &arguments.database;
    let verdict = match judge(&database.home(), &database.sid, &arguments.ledger, target) {
        Ok(verdict) => verdict,
        Err(error) => return fail(2, error),
    };
    if arguments.json {
        say_json(&verdict);
    } else {
        say(&verdict);
    }
    ExitCode::from(u8::from(!verdict.clean))
}
