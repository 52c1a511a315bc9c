//! `backstay snapshot …`, `backstay job …` and the store's own state and events.
//! What lives here: asking for them and laying them out. What does not: mounts.

use std::process::ExitCode;

use api::admin::{Event, Job, Snapshot, Store, StoreChange, StoreState};
use api::client::in_path;
use clap::{Args, Subcommand};

use super::connection::StoreOptions;
use super::mount::{confirm, report, wait_for};
use super::table::{Table, bytes, described};
use super::{Failure, finish, word};
use crate::said::{say, say_json};

/// Look at snapshots and remove them
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    List(ListArguments),
    Delete(SnapshotDelete),
}

/// Look at jobs and cancel them
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    List(ListArguments),
    Show(JobArguments),
    Cancel(JobArguments),
}

/// List them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay job list --mount prd --limit 20\n  backstay snapshot list --json\n  backstay store events --mount prd\n\n\
                  Exit status: 0 listed, 1 failed, 2 wrong command line."
)]
pub struct ListArguments {
    /// Only those of this mount
    #[arg(long, value_name = "NAME")]
    mount: Option<String>,
    /// So many of the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
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
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// One job (show: everything about it; cancel: give an open backup up)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay job show 7\n  backstay job cancel 7\n\nExit status: 0 done, 1 refused or failed, 2 wrong command line."
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
    after_help = "Examples:\n  backstay store show\n  backstay store decommission\n  backstay store register\n\n\
                  decommission refuses new backups at once, and is complete when nothing is open and no snapshot waits;\n\
                  register takes the store into service again.\n\n\
                  Exit status: 0 done, 1 failed, 2 wrong command line."
)]
pub struct StoreArguments {
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
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
        JobCommand::Cancel(arguments) => cancel_job(arguments),
    })
}

impl ListArguments {
    fn path(&self, what: &str, limited: bool) -> String {
        let mount = self
            .mount
            .as_deref()
            .map(|mount| format!("mount={}", in_path(mount)));
        let limit = limited.then(|| format!("limit={}", self.limit));
        let query: Vec<String> = mount.into_iter().chain(limit).collect();
        format!("/{what}?{}", query.join("&"))
    }
}

fn list_snapshots(arguments: &ListArguments) -> Result<(), Failure> {
    let mut snapshots: Vec<Snapshot> = arguments
        .store
        .connect()?
        .get(&arguments.path("snapshots", false))?;
    let surplus = snapshots
        .len()
        .saturating_sub(usize::try_from(arguments.limit).unwrap_or(usize::MAX));
    snapshots.drain(..surplus);
    if arguments.json {
        say_json(&snapshots);
        return Ok(());
    }
    if snapshots.is_empty() {
        eprintln!("There is no snapshot yet; a PUT makes one.");
        return Ok(());
    }
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
    say(table);
    Ok(())
}

fn delete_snapshot(arguments: &SnapshotDelete) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    confirm(
        arguments.yes,
        &format!("Remove the snapshot {}?", arguments.name),
    )?;
    let job: Job = client.delete(&format!("/snapshots/{}", in_path(&arguments.name)))?;
    report(&wait_for(&client, job)?, arguments.json)
}

fn list_jobs(arguments: &ListArguments) -> Result<(), Failure> {
    let jobs: Vec<Job> = arguments
        .store
        .connect()?
        .get(&arguments.path("jobs", true))?;
    if arguments.json {
        say_json(&jobs);
        return Ok(());
    }
    if jobs.is_empty() {
        eprintln!("There is no job yet; a POST begins one.");
        return Ok(());
    }
    let mut table = Table::new(["JOB", "KIND", "MOUNT", "STATE", "STARTED", "ENDED", "WHAT"]);
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
    Ok(())
}

fn show(job: Job, as_json: bool) {
    if as_json {
        say_json(&job);
        return;
    }
    say(described(&[
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
    ]));
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

fn cancel_job(arguments: &JobArguments) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    show(
        client.post(&format!("/jobs/{}/cancel", arguments.id), &())?,
        arguments.json,
    );
    Ok(())
}

/// `backstay store show`, or a change of its state first.
pub fn store(arguments: &StoreArguments, wanted: Option<StoreState>) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let store: Store = match wanted {
        Some(state) => client.post("/store", &StoreChange { state })?,
        None => client.get("/store")?,
    };
    if arguments.json {
        say_json(&store);
        return Ok(());
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
    Ok(())
}

/// `backstay store events`.
pub fn events(arguments: &ListArguments) -> Result<(), Failure> {
    let events: Vec<Event> = arguments
        .store
        .connect()?
        .get(&arguments.path("events", true))?;
    if arguments.json {
        say_json(&events);
        return Ok(());
    }
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
    Ok(())
}
