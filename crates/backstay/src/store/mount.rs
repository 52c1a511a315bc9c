//! `backstay mount …`.
//! What lives here: making, showing, repairing and deleting mounts. What does not: what the store does for it.

use std::net::SocketAddr;
use std::process::ExitCode;

use api::admin::{Driver, Job, Mount, MountRequest, MountState, Squash, Store};
use api::client::{Client, in_path};
use clap::{Args, Subcommand, ValueEnum};

use super::connection::StoreOptions;
use super::table::{Table, bytes, described};
use super::wait::{confirm, end_of, report};
use super::{Failure, finish, word};
use crate::practice::create::size;
use crate::said::{note, say, say_json};

/// Stands for an address that the reader knows better.
const UNKNOWN_HOST: &str = "STORE";

/// Make and look after backup mounts
#[derive(Debug, Subcommand)]
pub enum MountCommand {
    Create(Create),
    List(List),
    /// Everything about a mount
    Show(One),
    /// Accept that what an inconsistent mount misses will not come back
    Repair(One),
    Delete(Delete),
}

/// Make a mount and export it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay mount create prd --allow 192.0.2.0/28 --store-dir /var/lib/backstay\n  \
                  backstay mount create tst --allow 192.0.2.7 --quota 500GiB --squash all --anonymous-uid 54321 --anonymous-gid 54321\n\n\
                  Exit status: 0 made, 1 refused or failed, 2 wrong command line."
)]
pub struct Create {
    /// Name: a letter or digit, then letters, digits, '.', '-', '_'; upper and lower case differ
    name: String,
    /// Addresses that may mount it: 192.0.2.7, 192.0.2.0/28, * for all; repeat it for more [default: this machine only]
    #[arg(long, value_name = "CIDR")]
    allow: Vec<String>,
    /// Space that it may use, such as 500GiB [default: what the disk has]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quota: Option<u64>,
    /// Whose calls become the anonymous user's
    #[arg(long, value_enum, default_value = "root")]
    squash: SquashWord,
    /// The anonymous user
    #[arg(long, value_name = "NUMBER", default_value_t = api::admin::nobody())]
    anonymous_uid: u32,
    /// The anonymous user's group
    #[arg(long, value_name = "NUMBER", default_value_t = api::admin::nobody())]
    anonymous_gid: u32,
    /// How snapshots are taken; auto finds the best that the file system can do
    #[arg(long, value_enum, default_value = "auto")]
    driver: DriverWord,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the mount as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SquashWord {
    None,
    Root,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DriverWord {
    Auto,
    Btrfs,
    Reflink,
    Copy,
}

/// All mounts
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  backstay mount list --store-dir /var/lib/backstay\n\nExit status: 0 listed, 1 failed, 2 wrong command line."
)]
pub struct List {
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One mount (show: everything about it; repair: accept that what it misses will not come back)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay mount show prd\n  backstay mount repair prd\n\n\
                  repair forgets snapshots that are lost, and takes the directory that is there for the mount's data. \
                  Put back what is missing instead, if you can: then the mount is whole by itself.\n\n\
                  Exit status: 0 done, 1 refused or failed, 2 wrong command line."
)]
pub struct One {
    /// Its name
    name: String,
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Delete a mount with all that is in it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay mount delete tst\n  backstay mount delete tst --force --yes\n\n\
                  Refused while a backup is open or snapshots wait to become recovery points, unless --force is given.\n\n\
                  Exit status: 0 gone, 1 refused or failed, 2 wrong command line."
)]
pub struct Delete {
    /// Its name
    name: String,
    /// Even if snapshots that wait are lost by it
    #[arg(long)]
    force: bool,
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

/// Runs a command.
pub fn run(command: &MountCommand) -> ExitCode {
    finish(match command {
        MountCommand::Create(arguments) => create(arguments),
        MountCommand::List(arguments) => list(arguments),
        MountCommand::Show(arguments) => one(arguments, |client, path| Ok(client.get(path)?)),
        MountCommand::Repair(arguments) => one(arguments, |client, path| {
            Ok(client.post(&format!("{path}/repair"), &())?)
        }),
        MountCommand::Delete(arguments) => delete(arguments),
    })
}

fn create(arguments: &Create) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let request = MountRequest {
        name: arguments.name.clone(),
        allow: arguments.allow.clone(),
        quota_bytes: arguments.quota,
        squash: match arguments.squash {
            SquashWord::None => Squash::None,
            SquashWord::Root => Squash::Root,
            SquashWord::All => Squash::All,
        },
        anonymous_uid: arguments.anonymous_uid,
        anonymous_gid: arguments.anonymous_gid,
        driver: match arguments.driver {
            DriverWord::Auto => Driver::Auto,
            DriverWord::Btrfs => Driver::Btrfs,
            DriverWord::Reflink => Driver::Reflink,
            DriverWord::Copy => Driver::Copy,
        },
    };
    // Asked first: once the mount is there, nothing must be left that can fail.
    let store: Store = client.get("/store")?;
    let mount: Mount = client.post("/mounts", &request)?;
    if arguments.json {
        say_json(&mount);
        return Ok(());
    }
    say(format!(
        "The mount {} is exported as {}.",
        mount.name, mount.export_path
    ));
    say(format!(
        "Snapshots: {} ({}).",
        word(&mount.driver),
        mount.driver_reason
    ));
    say("On the database host, as root:");
    let local = format!("/local/{}", mount.name);
    say(format!("  mkdir -p {local}"));
    say(format!(
        "  {}",
        mount_command(&mount.export_path, &local, &store)
    ));
    if let Some(hint) = who_cannot_mount(&mount, &store) {
        say(hint);
    }
    Ok(())
}

/// Why a database host cannot mount what is below a mount, if none can.
pub fn who_cannot_mount(mount: &Mount, store: &Store) -> Option<&'static str> {
    if mount.allow.is_empty() {
        return Some(
            "Only this machine may mount it. HINT: --allow of 'backstay mount create' names the database hosts",
        );
    }
    is_local(store).then_some(
        "The store's NFS server listens to this machine only. HINT: backstay store serve --nfs-listen 0.0.0.0:2049",
    )
}

/// Whether no other host can reach the NFS server. Where the kernel exports, it is not ours to say.
fn is_local(store: &Store) -> bool {
    let address = store.nfs_address.as_deref().unwrap_or_default();
    address
        .parse::<SocketAddr>()
        .is_ok_and(|address| address.ip().is_loopback())
}

/// The store's address for a database host, and the port of its NFS server, as far as they are known.
fn address(store: &Store) -> (&str, Option<&str>) {
    let address = store.nfs_address.as_deref();
    match address.and_then(|address| address.rsplit_once(':')) {
        Some(("0.0.0.0" | "[::]", port)) => (UNKNOWN_HOST, Some(port)),
        Some((host, port)) => (host, Some(port)),
        None => (UNKNOWN_HOST, None),
    }
}

/// The store's address for a database host, if it is known.
pub fn host_of(store: &Store) -> &str {
    address(store).0
}

/// What a Linux host mounts with.
pub fn mount_command(export: &str, local: &str, store: &Store) -> String {
    let (host, port) = address(store);
    let port = port.map_or_else(String::new, |port| {
        format!(",port={port},mountport={port},mountproto=tcp")
    });
    format!(
        "mount -t nfs -o rw,bg,hard,tcp,vers=3,nolock,timeo=600,rsize=1048576,wsize=1048576{port} {host}:{export} {local}"
    )
}

fn list(arguments: &List) -> Result<(), Failure> {
    let mounts: Vec<Mount> = arguments.store.connect()?.get("/mounts")?;
    if arguments.json {
        say_json(&mounts);
        return Ok(());
    }
    if mounts.is_empty() {
        note("There is no mount yet. HINT: backstay mount create NAME");
        return Ok(());
    }
    let mut table = Table::new([
        "NAME",
        "STATE",
        "PENDING",
        "LAST SNAPSHOT",
        "DRIVER",
        "EXPORT",
    ]);
    for mount in mounts {
        table.row([
            mount.name,
            word(&mount.state),
            mount.pending_snapshots.to_string(),
            mount.last_snapshot.unwrap_or_else(|| "-".to_owned()),
            word(&mount.driver),
            mount.export_path,
        ]);
    }
    say(table);
    Ok(())
}

fn one(
    arguments: &One,
    ask: impl FnOnce(&Client, &str) -> Result<Mount, Failure>,
) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let mount = ask(&client, &format!("/mounts/{}", in_path(&arguments.name)))?;
    if arguments.json {
        say_json(&mount);
        return Ok(());
    }
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let allowed = if mount.allow.is_empty() {
        "this machine only".to_owned()
    } else {
        mount.allow.join(", ")
    };
    let mut pairs = vec![
        ("Name", mount.name),
        ("State", word(&mount.state)),
        ("Export", mount.export_path),
        ("Directory", mount.directory),
        ("Allowed", allowed),
        ("Quota", or_none(mount.quota_bytes.map(bytes))),
        (
            "Squash",
            format!(
                "{}, anonymous is {}:{}",
                word(&mount.squash),
                mount.anonymous_uid,
                mount.anonymous_gid
            ),
        ),
        (
            "Driver",
            format!("{} ({})", word(&mount.driver), mount.driver_reason),
        ),
        ("Created", mount.created),
        (
            "Open job",
            or_none(mount.open_job.map(|job| job.to_string())),
        ),
        ("Pending snapshots", mount.pending_snapshots.to_string()),
        ("Last snapshot", or_none(mount.last_snapshot)),
    ];
    if let (MountState::Inconsistent, Some(reason)) = (mount.state, mount.reason) {
        pairs.insert(2, ("Reason", reason));
    }
    say(described(&pairs));
    Ok(())
}

fn delete(arguments: &Delete) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    confirm(
        arguments.yes,
        &format!("Delete the mount {} with everything in it?", arguments.name),
    )?;
    let path = format!(
        "/mounts/{}?force={}",
        in_path(&arguments.name),
        arguments.force
    );
    let job: Job = client.delete(&path)?;
    report(&end_of(&client, job, arguments.no_wait)?, arguments.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_command_says_the_port_and_the_host_if_it_is_known() {
        let mount: Mount = serde_json::from_value(serde_json::json!({
            "name": "m", "state": "idle", "reason": null, "export_path": "/Phoenix/m/oracle_data", "directory": "/d",
            "allow": [], "quota_bytes": null, "squash": "root", "anonymous_uid": 1, "anonymous_gid": 1, "driver": "copy",
            "driver_reason": "", "created": "", "pending_snapshots": 0, "open_job": null, "last_snapshot": null
        }))
        .unwrap();
        let store = |address: Option<&str>| -> Store {
            serde_json::from_value(serde_json::json!({
                "uid": "A", "state": "active", "registrations": 1, "version": "0", "max_pending_snapshots": 5,
                "export": "own", "nfs_address": address, "free_bytes": 1
            }))
            .unwrap()
        };
        let command = |store: &Store| mount_command("/Phoenix/m/oracle_data", "/local/m", store);
        let own = command(&store(Some("192.0.2.1:2049")));
        assert!(
            own.contains(",port=2049,mountport=2049")
                && own.contains(" 192.0.2.1:/Phoenix/m/oracle_data /local/m"),
            "{own}"
        );
        assert!(command(&store(Some("0.0.0.0:2049"))).contains(" STORE:/Phoenix/m"));
        assert!(!command(&store(None)).contains("port="));
        assert!(who_cannot_mount(&mount, &store(None)).is_some_and(|why| why.contains("--allow")));
        let open = Mount {
            allow: vec!["*".to_owned()],
            ..mount
        };
        let why = |address| who_cannot_mount(&open, &store(address));
        assert!(why(Some("127.0.0.1:2049")).is_some_and(|why| why.contains("--nfs-listen")));
        assert_eq!(why(Some("0.0.0.0:2049")), None);
        assert!(is_local(&store(Some("127.0.0.1:2049"))) && is_local(&store(Some("[::1]:1"))));
        assert!(!is_local(&store(Some("0.0.0.0:2049"))) && !is_local(&store(None)));
    }
}
