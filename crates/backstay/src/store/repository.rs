//! `backstay repository …`.
//! What lives here: its figures, looking at it, sweeping it, and how fast it is filled. What does not: single points.

use std::process::ExitCode;

use api::admin::{CheckRequest, Ingest, Job, RepositoryStats};
use clap::{Args, Subcommand};

use super::connection::StoreOptions;
use super::table::{bytes, described, line};
use super::wait::{end_of, report};
use super::{Failure, finish};
use crate::practice::create::size;
use crate::said::{say, say_json};

/// Look after the repository, which holds the recovery points
#[derive(Debug, Subcommand)]
pub enum RepositoryCommand {
    /// Make the repository where 'backstay store serve' was told to keep it
    #[command(after_help = "Example:\n  backstay repository init\n\n\
                      Exit status: 0 it is there, 1 refused or failed, 2 wrong command line.")]
    Init(Figures),
    /// How much it holds, in how little space
    #[command(
        after_help = "Example:\n  backstay repository stats\n\nExit status: 0 shown, 1 refused or failed, 2 wrong command line."
    )]
    Stats(Figures),
    Check(Check),
    Sweep(Sweep),
    Ingest(Change),
}

/// The repository
#[derive(Debug, Args)]
pub struct Figures {
    #[command(flatten)]
    store: StoreOptions,
    /// Print its figures as JSON
    #[arg(long)]
    json: bool,
}

/// Look for damage in the whole repository
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay repository check\n  backstay repository check --read-data --no-wait\n\n\
                  Without --read-data it looks whether everything is there; with it, whether every byte is right too. \
                  Each finding is a line of standard output. If there is damage, sweep nothing until it is understood; \
                  'backstay recovery-point verify ID' tells which recovery points it concerns.\n\n\
                  Exit status: 0 no damage, 1 damage, refused or failed, 2 wrong command line."
)]
pub struct Check {
    /// Read every byte
    #[arg(long)]
    read_data: bool,
    /// Do not wait until it has looked
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// Return the space of deleted recovery points
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay repository sweep\n  backstay repository sweep --no-wait\n\n\
                  Exit status: 0 swept, 1 refused or failed, 2 wrong command line."
)]
pub struct Sweep {
    /// Do not wait until it has swept
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// Show or change how snapshots become recovery points
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay repository ingest\n  backstay repository ingest --pause\n  \
                  backstay repository ingest --resume --limit 50MiB\n  backstay repository ingest --limit none\n\n\
                  While it is paused snapshots wait, and when too many do, backups are refused.\n\n\
                  Exit status: 0 shown or changed, 1 refused or failed, 2 wrong command line."
)]
pub struct Change {
    /// Let snapshots wait
    #[arg(long, conflicts_with = "resume")]
    pause: bool,
    /// Go on
    #[arg(long)]
    resume: bool,
    /// Most bytes a second that go to the repository, such as 50MiB; none: as many as it takes
    #[arg(long, value_name = "SIZE|none", value_parser = limit)]
    limit: Option<Limit>,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A wish for the most bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    None,
    BytesPerSecond(u64),
}

fn limit(text: &str) -> Result<Limit, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Limit::None);
    }
    size(text.strip_suffix("/s").unwrap_or(text))
        .map(Limit::BytesPerSecond)
        .map_err(|wanted| format!("no limit. HINT: none, or {wanted}, which are bytes a second"))
}

/// Runs a command.
pub fn run(command: &RepositoryCommand) -> ExitCode {
    finish(match command {
        RepositoryCommand::Init(arguments) => init(arguments),
        RepositoryCommand::Stats(arguments) => stats(arguments),
        RepositoryCommand::Check(arguments) => check(arguments),
        RepositoryCommand::Sweep(arguments) => sweep(arguments),
        RepositoryCommand::Ingest(arguments) => ingest(arguments),
    })
}

fn init(arguments: &Figures) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let stats: RepositoryStats = client.post("/repository/init", &())?;
    if arguments.json {
        say_json(&stats);
        return Ok(());
    }
    say(line(&format!("The repository is at {}.", stats.location)));
    say(password_warning(&stats));
    Ok(())
}

fn stats(arguments: &Figures) -> Result<(), Failure> {
    let stats: RepositoryStats = arguments.store.connect()?.get("/repository")?;
    if arguments.json {
        say_json(&stats);
        return Ok(());
    }
    say(figures(&stats));
    say(password_warning(&stats));
    Ok(())
}

fn figures(stats: &RepositoryStats) -> String {
    described(&[
        ("Repository", stats.id.clone()),
        ("Location", stats.location.clone()),
        ("Recovery points", stats.points.to_string()),
        ("Their files", bytes(stats.bytes_of_points)),
        (
            "Unique",
            format!(
                "{} in {} chunks and directories",
                bytes(stats.bytes_unique),
                stats.blobs
            ),
        ),
        (
            "Stored",
            format!("{} in {} packs", bytes(stats.bytes_stored), stats.packs),
        ),
        ("Ratio", ratio(stats)),
        ("Password file", stats.password_file.clone()),
    ])
}

/// Bytes of all files to bytes that are stored, to a tenth: `33.3 to 1`.
fn ratio(stats: &RepositoryStats) -> String {
    let tenths = u128::from(stats.bytes_of_points) * 10;
    match tenths.checked_div(u128::from(stats.bytes_stored)) {
        Some(tenths) => format!("{}.{} to 1", tenths / 10, tenths % 10),
        None => "-".to_owned(),
    }
}

fn password_warning(stats: &RepositoryStats) -> String {
    line(&format!(
        "Without its password nobody can read the repository, nor restore from it. Keep {} in another place than this \
         store too.",
        stats.password_file
    ))
}

fn check(arguments: &Check) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let request = CheckRequest {
        read_data: arguments.read_data,
    };
    let job: Job = client.post("/repository/check", &request)?;
    let job = end_of(&client, job, arguments.no_wait)?;
    if !arguments.json {
        for finding in findings(&job) {
            say(finding);
        }
    }
    report(&job, arguments.json)
}

/// What is damaged, a line each.
fn findings(job: &Job) -> Vec<String> {
    if !super::wait::has_failed(job) {
        return Vec::new();
    }
    let lines = job.detail.lines().map(line);
    lines.filter(|line| !line.is_empty()).collect()
}

fn sweep(arguments: &Sweep) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let job: Job = client.post("/repository/sweep", &())?;
    report(&end_of(&client, job, arguments.no_wait)?, arguments.json)
}

fn ingest(arguments: &Change) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let before: Ingest = client.get("/repository/ingest")?;
    let wanted = arguments.changed(before);
    let ingest = if arguments.changes_something() {
        client.post("/repository/ingest", &wanted)?
    } else {
        before
    };
    if arguments.json {
        say_json(&ingest);
    } else {
        say(how(ingest));
    }
    Ok(())
}

impl Change {
    fn changes_something(&self) -> bool {
        self.pause || self.resume || self.limit.is_some()
    }

    fn changed(&self, before: Ingest) -> Ingest {
        Ingest {
            is_paused: (before.is_paused || self.pause) && !self.resume,
            bytes_per_second: match self.limit {
                None => before.bytes_per_second,
                Some(Limit::None) => None,
                Some(Limit::BytesPerSecond(limit)) => Some(limit),
            },
        }
    }
}

fn how(ingest: Ingest) -> String {
    let state = if ingest.is_paused {
        "paused: snapshots wait. HINT: backstay repository ingest --resume"
    } else {
        "at work: snapshots become recovery points"
    };
    let limit = ingest.bytes_per_second.map_or_else(
        || "none".to_owned(),
        |limit| format!("{} a second", bytes(limit)),
    );
    described(&[("Ingest", state.to_owned()), ("Limit", limit)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> RepositoryStats {
        serde_json::from_value(serde_json::json!({
            "id": "abc", "location": "s3:https://host/bucket", "password_file": "/store/repository.key", "points": 12,
            "packs": 3, "bytes_stored": 3_u64 << 30, "blobs": 77, "bytes_unique": 7_u64 << 30,
            "bytes_of_points": 100_u64 << 30
        }))
        .unwrap()
    }

    #[test]
    fn figures_say_how_little_space_holds_how_much() {
        assert_eq!(
            figures(&stats()),
            "\
Repository       abc
Location         s3:https://host/bucket
Recovery points  12
Their files      100.00 GiB
Unique           7.00 GiB in 77 chunks and directories
Stored           3.00 GiB in 3 packs
Ratio            33.3 to 1
Password file    /store/repository.key"
        );
        assert!(password_warning(&stats()).contains("Keep /store/repository.key in another place"));
    }

    #[test]
    fn an_empty_repository_has_no_ratio() {
        let empty = RepositoryStats {
            bytes_stored: 0,
            ..stats()
        };
        assert_eq!(ratio(&empty), "-");
        let strange = RepositoryStats {
            bytes_stored: 1,
            bytes_of_points: u64::MAX,
            ..stats()
        };
        assert_eq!(ratio(&strange), "18446744073709551615.0 to 1");
    }

    #[test]
    fn limits_are_sizes_or_none() {
        assert_eq!(limit("none"), Ok(Limit::None));
        assert_eq!(limit("50MiB"), Ok(Limit::BytesPerSecond(50 << 20)));
        assert_eq!(limit("50M/s"), Ok(Limit::BytesPerSecond(50 << 20)));
        assert_eq!(limit("8192"), Ok(Limit::BytesPerSecond(8192)));
        for wrong in ["", "0", "-1M", "all", "1.5M", "/s", "50M/h", "none/s"] {
            let error = limit(wrong).unwrap_err();
            assert!(error.contains("HINT: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            change: Change,
        }
        let parse = |options: &[&str]| {
            let arguments = ["ingest"].iter().chain(options);
            <Line as clap::Parser>::try_parse_from(arguments).map(|line| line.change)
        };
        let ingest = |is_paused, bytes_per_second| Ingest {
            is_paused,
            bytes_per_second,
        };
        for (options, before, after) in [
            (&[][..], ingest(true, Some(5)), ingest(true, Some(5))),
            (&["--pause"], ingest(false, Some(5)), ingest(true, Some(5))),
            (&["--resume"], ingest(true, Some(5)), ingest(false, Some(5))),
            (
                &["--limit", "none"],
                ingest(true, Some(5)),
                ingest(true, None),
            ),
            (
                &["--limit", "1K", "--pause"],
                ingest(false, None),
                ingest(true, Some(1024)),
            ),
        ] {
            let change = parse(options).unwrap();
            assert_eq!(change.changed(before), after, "{options:?}");
            assert_eq!(change.changes_something(), !options.is_empty());
        }
        assert!(parse(&["--pause", "--resume"]).is_err());
    }

    #[test]
    fn each_finding_is_a_line_that_moves_no_cursor() {
        let job = |state: &str| -> Job {
            serde_json::from_value(serde_json::json!({
                "id": 7, "kind": "check", "mount": "", "state": state, "started": "", "ended": "now", "error_code": 1,
                "error_message": "there is damage", "detail": "pack ab: \u{1b}[2Jcut off\n\nindex cd: gone\n"
            }))
            .unwrap()
        };
        assert_eq!(
            findings(&job("Failed")),
            ["pack ab:  [2Jcut off", "index cd: gone"]
        );
        assert_eq!(findings(&job("Successful")), [""; 0]);
    }

    #[test]
    fn a_pause_says_how_it_ends() {
        let paused = how(Ingest {
            is_paused: true,
            bytes_per_second: Some(50 << 20),
        });
        assert!(
            paused.contains("--resume") && paused.contains("50.00 MiB a second"),
            "{paused}"
        );
        assert!(how(Ingest::default()).ends_with("Limit   none"));
    }
}
