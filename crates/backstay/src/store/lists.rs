//! `backstay snapshot …`, `backstay job …` and the store's own state and events.
//! What lives here: asking for them and laying them out. What does not: mounts.

use std::process::ExitCode;

use api::admin::{Event, Job, Snapshot, Store, StoreChange, StoreState};
use api::client::in_path;
use clap::{Args, Subcommand};

use super::connection::StoreOptions;
use super::progress;
use super::table::{Table, bytes, described};
use super::wait::{confirm, end_of, report, wait_for};
use super::{Failure, finish, word};
use crate::said::{note, say, say_json};

/// Entries that the store lists at most.
const LIMIT_MAX: u64 = 10_000;

/// Look at snapshots and remove them
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    List(SnapshotList),
    Delete(SnapshotDelete),
}

/// Look at jobs and cancel them
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// The newest jobs, the newest first
    List(ListArguments),
    /// Everything about a job
    Show(JobArguments),
    /// Wait for the end of a job; one that did not do all that it was for is a failure
    Wait(JobArguments),
    /// Give an open backup up, or stop work on a recovery point
    Cancel(JobArguments),
}

/// All snapshots, oldest first
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay snapshot list --mount prd\n  backstay snapshot list --json\n\n\
                  States: pending, it waits to become a recovery point; saved, it is one too and is kept for now; lost, it is \
                  not there any more; intended and removing pass by themselves.\n\n\
                  Exit status: 0 listed, 1 failed, 2 wrong command line."
)]
pub struct SnapshotList {
    /// Only those of this mount
    #[arg(long, value_name = "NAME")]
    mount: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// List the newest
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay job list --mount prd --limit 20\n  backstay store events --mount prd\n\n\
                  Exit status: 0 listed, 1 failed, 2 wrong command line."
)]
pub struct ListArguments {
    /// Only those of this mount
    #[arg(long, value_name = "NAME")]
    mount: Option<String>,
    /// So many of the newest, 1 to 10000
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
    limit: u64,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Remove a snapshot; what it alone holds is lost
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  backstay snapshot delete 6D9C3C855FC1C837_1 --yes\n\nExit status: 0 gone, 1 refused or failed, 2 wrong command line."
)]
pub struct SnapshotDelete {
    /// Its name, as PUT answered it
    name: String,
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

/// One job (show: everything about it; wait: for its end; cancel: give it up)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay job show 7\n  backstay job wait 7\n  backstay job cancel 7\n\n\
                  A job goes on when nobody waits for it any more.\n\n\
                  Exit status: 0 done, 1 refused or failed, 2 wrong command line."
)]
pub struct JobArguments {
    /// Its number
    id: u64,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The store itself
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay store show\n  backstay store register\n\n\
                  register takes a store into service again that was taken out of it.\n\n\
                  Exit status: 0 done, 1 failed, 2 wrong command line."
)]
pub struct StoreArguments {
    #[command(flatten)]
    store: StoreOptions,
    /// Print the store as JSON
    #[arg(long)]
    json: bool,
}

/// Take the store out of service
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay store decommission\n  backstay store decommission --yes\n\n\
                  New backups are refused at once. It is complete when no backup is open and no snapshot waits; until then \
                  'backstay store show' says 'decommission in progress'. 'backstay store register' takes it back.\n\n\
                  Exit status: 0 begun or complete, 1 refused or failed, 2 wrong command line."
)]
pub struct Decommission {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the store as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub fn run_snapshot(command: &SnapshotCommand) -> ExitCode {
    finish(match command {
        SnapshotCommand::List(arguments) => list_snapshots(arguments),
        SnapshotCommand::Delete(arguments) => delete_snapshot(arguments),
    })
}

/// Runs a command.
pub fn run_job(command: &JobCommand) -> ExitCode {
    finish(match command {
        JobCommand::List(arguments) => list_jobs(arguments),
        JobCommand::Show(arguments) => show_job(arguments),
        JobCommand::Wait(arguments) => wait_for_job(arguments),
        JobCommand::Cancel(arguments) => cancel_job(arguments),
    })
}

/// A query with what was given.
fn query(path: &str, mount: Option<&str>, limit: Option<u64>) -> String {
    let mount = mount.map(|mount| format!("mount={}", in_path(mount)));
    let limit = limit.map(|limit| format!("limit={limit}"));
    let parameters: Vec<String> = mount.into_iter().chain(limit).collect();
    if parameters.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", parameters.join("&"))
}

impl ListArguments {
    fn path(&self, path: &str) -> String {
        query(path, self.mount.as_deref(), Some(self.limit))
    }

    /// Says that there may be more than what is shown.
    fn note_limit(&self, shown: usize) {
        if shown as u64 >= self.limit {
            note(format!(
                "These are the newest {shown}; there may be more. HINT: --limit NUMBER"
            ));
        }
    }
}

fn list_snapshots(arguments: &SnapshotList) -> Result<(), Failure> {
    let path = query("/snapshots", arguments.mount.as_deref(), None);
    let snapshots: Vec<Snapshot> = arguments.store.connect()?.get(&path)?;
    if arguments.json {
        say_json(&snapshots);
        return Ok(());
    }
    if snapshots.is_empty() {
        note("There is no snapshot; a PUT makes one.");
        return Ok(());
    }
    say(snapshot_table(snapshots));
    Ok(())
}

fn snapshot_table(snapshots: Vec<Snapshot>) -> Table {
    let mut table = Table::new([
        "NAME", "MOUNT", "STATE", "TIME", "FILES", "SIZE", "PAUSE", "LOGS",
    ]);
    for snapshot in snapshots {
        table.row([
            snapshot.name,
            snapshot.mount,
            word(&snapshot.state),
            snapshot.time,
            snapshot.files.to_string(),
            bytes(snapshot.bytes),
            format!("{} ms", snapshot.pause_milliseconds),
            snapshot.logs.to_string(),
        ]);
    }
    table
}

fn delete_snapshot(arguments: &SnapshotDelete) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    confirm(
        arguments.yes,
        &format!("Remove the snapshot {}?", arguments.name),
    )?;
    let job: Job = client.delete(&format!("/snapshots/{}", in_path(&arguments.name)))?;
    report(&end_of(&client, job, arguments.no_wait)?, arguments.json)
}

fn list_jobs(arguments: &ListArguments) -> Result<(), Failure> {
    let jobs: Vec<Job> = arguments.store.connect()?.get(&arguments.path("/jobs"))?;
    if arguments.json {
        say_json(&jobs);
        return Ok(());
    }
    if jobs.is_empty() {
        note("There is no job yet; a POST begins one.");
        return Ok(());
    }
    let mut table = Table::new(["JOB", "KIND", "MOUNT", "STATE", "STARTED", "ENDED", "WHAT"]);
    let shown = jobs.len();
    for job in jobs {
        table.row([
            job.id.to_string(),
            word(&job.kind),
            job.mount,
            word(&job.state),
            job.started,
            job.ended.unwrap_or_else(|| "-".to_owned()),
            if job.error_message.is_empty() {
                job.detail
            } else {
                job.error_message
            },
        ]);
    }
    say(table);
    arguments.note_limit(shown);
    Ok(())
}

fn show(job: Job, as_json: bool) {
    if as_json {
        say_json(&job);
    } else {
        say(everything(job));
    }
}

fn everything(job: Job) -> String {
    let mut pairs = vec![
        ("Job", job.id.to_string()),
        ("Kind", word(&job.kind)),
        ("Mount", job.mount),
        ("State", word(&job.state)),
        ("Started", job.started),
        ("Ended", job.ended.unwrap_or_else(|| "-".to_owned())),
        (
            "Error",
            format!("{} {}", job.error_code, job.error_message)
                .trim_end()
                .to_owned(),
        ),
        ("Detail", job.detail),
    ];
    if let Some(progress) = job.progress {
        pairs.insert(4, ("Progress", progress::words(&progress)));
    }
    described(&pairs)
}

fn show_job(arguments: &JobArguments) -> Result<(), Failure> {
    show(
        arguments
            .store
            .connect()?
            .get(&format!("/jobs/{}", arguments.id))?,
        arguments.json,
    );
    Ok(())
}

fn wait_for_job(arguments: &JobArguments) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let job: Job = client.get(&format!("/jobs/{}", arguments.id))?;
    report(&wait_for(&client, job)?, arguments.json)
}

fn cancel_job(arguments: &JobArguments) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    show(
        client.post(&format!("/jobs/{}/cancel", arguments.id), &())?,
        arguments.json,
    );
    Ok(())
}

/// `backstay store show`, or `register`, which changes its state first.
pub fn store(arguments: &StoreArguments, wanted: Option<StoreState>) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let store = match wanted {
        Some(state) => client.post("/store", &StoreChange { state })?,
        None => client.get("/store")?,
    };
    show_store(store, arguments.json);
    Ok(())
}

/// `backstay store decommission`.
pub fn decommission(arguments: &Decommission) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    confirm(
        arguments.yes,
        "Take the store out of service? It will refuse every new backup.",
    )?;
    let state = StoreState::DecommissionInProgress;
    show_store(
        client.post("/store", &StoreChange { state })?,
        arguments.json,
    );
    Ok(())
}

fn show_store(store: Store, as_json: bool) {
    if as_json {
        say_json(&store);
        return;
    }
    say(described(&[
        ("Store", store.uid),
        ("State", word(&store.state)),
        ("Registrations", store.registrations.to_string()),
        ("Release", store.version),
        ("Export", store.export),
        (
            "NFS",
            store
                .nfs_address
                .unwrap_or_else(|| "by the kernel".to_owned()),
        ),
        (
            "Pending snapshots",
            format!("{} at most for each mount", store.max_pending_snapshots),
        ),
        ("Free", bytes(store.free_bytes)),
    ]));
}

/// `backstay store events`.
pub fn events(arguments: &ListArguments) -> Result<(), Failure> {
    let events: Vec<Event> = arguments.store.connect()?.get(&arguments.path("/events"))?;
    if arguments.json {
        say_json(&events);
        return Ok(());
    }
    if events.is_empty() {
        note("There is no event yet.");
        return Ok(());
    }
    let shown = events.len();
    let mut table = Table::new(["TIME", "SEVERITY", "MOUNT", "JOB", "WHAT"]);
    for event in events {
        table.row([
            event.time,
            word(&event.severity),
            event.mount.unwrap_or_else(|| "-".to_owned()),
            event
                .job
                .map_or_else(|| "-".to_owned(), |job| job.to_string()),
            event.text,
        ]);
    }
    say(table);
    arguments.note_limit(shown);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_at_work_says_how_far_it_is() {
        let job = |progress: serde_json::Value| -> Job {
            serde_json::from_value(serde_json::json!({
                "id": 7, "kind": "recovery_point", "mount": "m", "state": "Running", "started": "then", "ended": null,
                "error_code": 0, "error_message": "", "detail": "reading", "progress": progress
            }))
            .unwrap()
        };
        let shown = everything(job(serde_json::json!({
            "bytes_total": 200, "bytes_done": 50, "bytes_read": 50, "bytes_written": 5, "bytes_per_second": 10,
            "seconds_left": 15, "is_paused": false
        })));
        assert_eq!(
            shown,
            "\
Job       7
Kind      recovery point
Mount     m
State     Running
Progress  50 B of 200 B, 25 %, 00:00:15 left, 10 B a second
Started   then
Ended     -
Error     0
Detail    reading"
        );
        assert!(!everything(job(serde_json::Value::Null)).contains("Progress"));
    }

    #[test]
    fn a_snapshot_that_is_a_recovery_point_too_is_saved() {
        let snapshot: Snapshot = serde_json::from_value(serde_json::json!({
            "name": "A_1", "mount": "m", "state": "saved", "time": "then", "job": 1, "directory": "/d", "files": 2,
            "bytes": 3, "pause_milliseconds": 4, "logs": 1
        }))
        .unwrap();
        let shown = snapshot_table(vec![snapshot]).to_string();
        assert_eq!(
            shown.lines().nth(1),
            Some("A_1   m      saved  then  2      3 B   4 ms   1")
        );
    }

    #[test]
    fn queries_have_what_was_given() {
        assert_eq!(query("/snapshots", None, None), "/snapshots");
        assert_eq!(
            query("/snapshots", Some("a&b"), None),
            "/snapshots?mount=a%26b"
        );
        assert_eq!(query("/jobs", Some("m"), Some(7)), "/jobs?mount=m&limit=7");
    }
}
