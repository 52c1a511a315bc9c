//! `backstay recovery-point …`.
//! What lives here: the commands, and the list of recovery points. What does not: what is in one (content), restoring.

use std::collections::BTreeSet;
use std::process::ExitCode;

use api::admin::{Hold, Job, RecoveryPoint, RecoveryPointContent};
use api::client::{Client, in_path};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::connection::StoreOptions;
use super::content;
use super::moment::{Moment, moment};
use super::restore::{self, Restore};
use super::table::{Table, bytes};
use super::wait::{confirm, end_of, must_be_able_to_ask, report};
use super::{Failure, finish, word};
use crate::said::{note, say, say_json};

/// Digits of an identifier that are shown, if they are enough.
const SHOWN_DIGITS: usize = 8;
/// Digits of an identifier that must be given at least.
const DIGITS_MIN: usize = 4;
/// Digits of a whole identifier.
const DIGITS: usize = 64;

/// Look at recovery points, bring them back and remove them
#[derive(Debug, Subcommand)]
pub enum PointCommand {
    List(List),
    Show(Show),
    Restore(Restore),
    Verify(Verify),
    Delete(Delete),
    Keep(Keep),
    Create(Create),
}

/// Recovery points, oldest first
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay recovery-point list --mount prd\n  \
                  backstay recovery-point list --database PRD --since 2026-11-01 --until 2026-11-23T14:30:00Z\n\n\
                  States: usable, it was read back and is whole; unverified, it was not read back yet; damaged; deleting; \
                  'held' is added to what nothing deletes ('backstay recovery-point keep').\n\n\
                  Exit status: 0 listed, 1 failed, 2 wrong command line."
)]
pub struct List {
    /// Only those of this mount
    #[arg(long, value_name = "NAME")]
    mount: Option<String>,
    /// Only those with files of this database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only those of this time and later: a day of UTC (2026-11-23), or a date-time with its offset (2026-11-23T14:30:00Z)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Only those of this time and earlier; a day counts to its end
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is in a recovery point: databases with their data files and archived logs, and the files that no log claims
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay recovery-point show 6d9c3c85\n  backstay recovery-point show 6d9c3c85 --files\n\n\
                  Exit status: 0 shown, 1 refused or failed, 2 wrong command line."
)]
pub struct Show {
    /// Its identifier, or the first digits of it
    #[arg(value_parser = identifier)]
    id: String,
    /// List all files of each database too
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON, with all files
    #[arg(long)]
    json: bool,
}

/// Read a recovery point back, and find out whether a restore can work
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  backstay recovery-point verify 6d9c3c85\n\n\
                  Exit status: 0 whole, 1 damaged, refused or failed, 2 wrong command line.")]
pub struct Verify {
    /// Its identifier, or the first digits of it
    #[arg(value_parser = identifier)]
    id: String,
    /// Do not wait until it was read
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// Delete a recovery point; what it alone holds is lost
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay recovery-point delete 6d9c3c85\n  backstay recovery-point delete 6d9c3c85 --yes --no-wait\n\n\
                  Its space comes back with 'backstay repository sweep'.\n\n\
                  Exit status: 0 gone, 1 refused or failed, 2 wrong command line."
)]
pub struct Delete {
    /// Its identifier, or the first digits of it
    #[arg(value_parser = identifier)]
    id: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Do not wait until it is gone
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// Hold a recovery point, whatever the rules of its mount say, or release it again
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay recovery-point keep 6d9c3c85\n  backstay recovery-point keep 6d9c3c85 --release\n\n\
                  Exit status: 0 done, 1 refused or failed, 2 wrong command line."
)]
pub struct Keep {
    /// Its identifier, or the first digits of it
    #[arg(value_parser = identifier)]
    id: String,
    /// Rules may delete it again
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the recovery point as JSON
    #[arg(long)]
    json: bool,
}

/// Make a recovery point of a snapshot again, after that failed or was cancelled
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay recovery-point create 6D9C3C855FC1C837_1\n  \
                  backstay recovery-point create 6D9C3C855FC1C837_1 --no-wait\n\n\
                  Each snapshot becomes a recovery point by itself; 'backstay snapshot list' shows which wait.\n\n\
                  Exit status: 0 made, 1 refused or failed, 2 wrong command line."
)]
pub struct Create {
    /// The snapshot's name, as PUT answered it
    snapshot: String,
    /// Do not wait until it is made
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// An identifier, or its first digits, as it stands in a path.
pub fn identifier(text: &str) -> Result<String, String> {
    let is_good = (DIGITS_MIN..=DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_good {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "no identifier. HINT: {DIGITS_MIN} to {DIGITS} hexadecimal digits; 'backstay recovery-point list' shows them"
    ))
}

/// Runs a command.
pub fn run(command: &PointCommand) -> ExitCode {
    finish(match command {
        PointCommand::List(arguments) => list(arguments),
        PointCommand::Show(arguments) => show(arguments),
        PointCommand::Restore(arguments) => restore::run(arguments),
        PointCommand::Verify(arguments) => verify(arguments),
        PointCommand::Delete(arguments) => delete(arguments),
        PointCommand::Keep(arguments) => keep(arguments),
        PointCommand::Create(arguments) => create(arguments),
    })
}

fn list(arguments: &List) -> Result<(), Failure> {
    let path = match &arguments.mount {
        Some(mount) => format!("/recovery-points?mount={}", in_path(mount)),
        None => "/recovery-points".to_owned(),
    };
    let mut points: Vec<RecoveryPoint> = arguments.store.connect()?.get(&path)?;
    let digits = digits(points.iter().map(|point| point.id.as_str()));
    let all = points.len();
    points.retain(|point| arguments.is_wanted(point));
    if arguments.json {
        say_json(&points);
    } else if points.is_empty() && all > 0 {
        note(format!(
            "No recovery point is like that, of {all}. HINT: leave out --database, --since or --until"
        ));
    } else if points.is_empty() {
        note(
            "There is no recovery point. HINT: 'backstay snapshot list' shows what waits to become one, \
             'backstay repository ingest' whether it is paused",
        );
    } else {
        say(table(&points, digits));
    }
    Ok(())
}

impl List {
    /// A time that cannot be read hides no recovery point.
    fn is_wanted(&self, point: &RecoveryPoint) -> bool {
        let has_database = self.database.as_ref().is_none_or(|wanted| {
            let mut names = point.databases.iter();
            names.any(|name| name.eq_ignore_ascii_case(wanted))
        });
        let is_in_time = point.time.parse().map_or(true, |time: Timestamp| {
            self.since.is_none_or(|since| since.has_begun_at(time))
                && self.until.is_none_or(|until| until.is_not_over_at(time))
        });
        has_database && is_in_time
    }
}

/// How many digits tell identifiers apart; eight if they do.
pub fn digits<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> usize {
    let all = ids.clone().collect::<BTreeSet<_>>().len();
    (SHOWN_DIGITS..DIGITS)
        .find(|digits| {
            let short: BTreeSet<String> = ids.clone().map(|id| shortened(id, *digits)).collect();
            short.len() == all
        })
        .unwrap_or(DIGITS)
}

/// The first digits of an identifier.
pub fn shortened(id: &str, digits: usize) -> String {
    id.chars().take(digits).collect()
}

fn table(points: &[RecoveryPoint], digits: usize) -> Table {
    let mut table = Table::new([
        "ID",
        "TIME",
        "MOUNT",
        "DATABASES",
        "FILES",
        "SIZE",
        "ADDED",
        "STATE",
    ]);
    let or_none = |text: String| if text.is_empty() { "-".into() } else { text };
    for point in points {
        let held = if point.is_held { ", held" } else { "" };
        table.row([
            shortened(&point.id, digits),
            point.time.clone(),
            or_none(point.mount.clone()),
            or_none(point.databases.join(", ")),
            point.files.to_string(),
            bytes(point.bytes),
            bytes(point.bytes_added),
            format!("{}{held}", word(&point.state)),
        ]);
    }
    table
}

fn find(client: &Client, id: &str) -> Result<RecoveryPointContent, Failure> {
    Ok(client.get(&format!("/recovery-points/{}", in_path(id)))?)
}

fn show(arguments: &Show) -> Result<(), Failure> {
    let content = find(&arguments.store.connect()?, &arguments.id)?;
    if arguments.json {
        say_json(&content);
    } else {
        say(content::render(&content, arguments.files));
    }
    Ok(())
}

fn verify(arguments: &Verify) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let path = format!("/recovery-points/{}/verify", in_path(&arguments.id));
    let job: Job = client.post(&path, &())?;
    report(&end_of(&client, job, arguments.no_wait)?, arguments.json)
}

fn delete(arguments: &Delete) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    must_be_able_to_ask(arguments.yes)?;
    let mut id = arguments.id.clone();
    if !arguments.yes {
        // Who deletes by eight digits is told first what they are.
        let point = find(&client, &id)?.point;
        note(content::point(&point));
        id = point.id;
    }
    confirm(
        arguments.yes,
        &format!(
            "Delete the recovery point {}?",
            shortened(&id, SHOWN_DIGITS)
        ),
    )?;
    let job: Job = client.delete(&format!("/recovery-points/{}", in_path(&id)))?;
    report(&end_of(&client, job, arguments.no_wait)?, arguments.json)
}

fn keep(arguments: &Keep) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let hold = Hold {
        is_held: !arguments.release,
    };
    let path = format!("/recovery-points/{}/hold", in_path(&arguments.id));
    let point: RecoveryPoint = client.post(&path, &hold)?;
    if arguments.json {
        say_json(&point);
        return Ok(());
    }
    let id = shortened(&point.id, SHOWN_DIGITS);
    if point.is_held {
        say(format!(
            "The recovery point {id} of {} is held: nothing deletes it.",
            point.time
        ));
    } else {
        say(format!(
            "The recovery point {id} of {} is not held: the rules of its mount decide about it.",
            point.time
        ));
    }
    Ok(())
}

fn create(arguments: &Create) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let path = format!("/snapshots/{}/recovery-point", in_path(&arguments.snapshot));
    let job: Job = client.post(&path, &())?;
    report(&end_of(&client, job, arguments.no_wait)?, arguments.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(id: &str, time: &str, databases: &[&str], is_held: bool) -> RecoveryPoint {
        serde_json::from_value(serde_json::json!({
            "id": id, "mount": "prd", "snapshot": "A_1", "time": time, "state": "usable", "verified": null,
            "is_held": is_held, "files": 4, "bytes": 1_u64 << 30, "bytes_added": 77, "databases": databases
        }))
        .unwrap()
    }

    fn wanted(options: &[&str]) -> List {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            list: List,
        }
        let arguments = ["list"].iter().chain(options);
        <Line as clap::Parser>::try_parse_from(arguments)
            .unwrap()
            .list
    }

    #[test]
    fn the_list_has_short_identifiers_and_says_what_is_held() {
        let id = |head: &str| format!("{head:0<64}");
        let mut points = vec![
            point(
                &id("aaaaaaaa1"),
                "2026-11-22T01:00:00.000Z",
                &["PRD", "TST"],
                true,
            ),
            point(&id("bbbbbbbb"), "2026-11-23T01:00:00.000Z", &[], false),
        ];
        let shown = |points: &[RecoveryPoint]| {
            let digits = digits(points.iter().map(|point| point.id.as_str()));
            table(points, digits).to_string()
        };
        assert_eq!(
            shown(&points),
            "\
ID        TIME                      MOUNT  DATABASES  FILES  SIZE      ADDED  STATE
aaaaaaaa  2026-11-22T01:00:00.000Z  prd    PRD, TST   4      1.00 GiB  77 B   usable, held
bbbbbbbb  2026-11-23T01:00:00.000Z  prd    -          4      1.00 GiB  77 B   usable"
        );
        points.push(point(&id("aaaaaaaa2"), "", &[], false));
        let longer = shown(&points);
        assert!(
            longer.contains("\naaaaaaaa1  ") && longer.contains("\naaaaaaaa2  "),
            "what is typed from the list must mean one point: {longer}"
        );
    }

    #[test]
    fn identifiers_that_are_not_what_they_should_be_are_shown_nevertheless() {
        let ids = ["ü", "ü", "", "x"];
        assert_eq!(digits(ids.into_iter()), SHOWN_DIGITS);
        assert_eq!(shortened("üüüüüüüüüü", 8), "üüüüüüüü");
        assert_eq!(digits(std::iter::empty()), SHOWN_DIGITS);
        let long = ["a".repeat(100), "a".repeat(101)];
        assert_eq!(digits(long.iter().map(String::as_str)), DIGITS);
    }

    #[test]
    fn filters_are_and() {
        let point = point("a", "2026-11-23T14:30:00.000Z", &["PRD", "tst"], false);
        for (options, is_wanted) in [
            (&[][..], true),
            (&["--database", "prd"], true),
            (&["--database", "TST"], true),
            (&["--database", "PR"], false),
            (&["--since", "2026-11-23", "--until", "2026-11-23"], true),
            (&["--since", "2026-11-24"], false),
            (&["--until", "2026-11-22"], false),
            (&["--until", "2026-11-23T15:29:59+01:00"], false),
            (&["--since", "2026-11-23", "--database", "DEV"], false),
        ] {
            assert_eq!(wanted(options).is_wanted(&point), is_wanted, "{options:?}");
        }
    }

    #[test]
    fn a_point_without_a_readable_time_is_not_hidden() {
        let point = point("a", "then", &["PRD"], false);
        assert!(wanted(&["--since", "2026-11-24"]).is_wanted(&point));
        assert!(!wanted(&["--database", "DEV"]).is_wanted(&point));
    }

    #[test]
    fn only_digits_can_name_a_point() {
        assert_eq!(identifier("6D9c"), Ok("6d9c".to_owned()));
        assert!(identifier(&"a".repeat(64)).is_ok());
        for wrong in ["", "6d9", "latest", "../x", &"a".repeat(65), "６ｄ９ｃ"] {
            let error = identifier(wrong).unwrap_err();
            assert!(error.contains("HINT: "), "{wrong}: {error}");
        }
    }
}
