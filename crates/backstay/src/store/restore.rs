//! `backstay recovery-point restore`: a recovery point comes back as files.
//! What lives here: the call, and what to do with the files on the database host. What does not: bringing them back.

use std::path::Path;

use api::admin::{Job, Mount, RestoreRequest, Store};
use api::client::in_path;
use clap::Args;

use super::Failure;
use super::connection::StoreOptions;
use super::mount::{host_of, mount_command, who_cannot_mount};
use super::points::identifier;
use super::wait::{end_of, report};
use crate::said::say;

/// Bring a recovery point, or a part of it, back as files below the mount's 'restores'
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay recovery-point restore 6d9c3c85\n  backstay recovery-point restore 6d9c3c85 --database PRD\n  \
                  backstay recovery-point restore 6d9c3c85 --datafile 4,7 --mount tst\n  \
                  backstay recovery-point restore 6d9c3c85 --path 'PRD/**/*.bkp'\n\n\
                  Nothing that is there is touched: the files get a directory of their own, with the number of the job, and \
                  with catalog.rman, which makes RMAN know them. At the end it says how the database host gets at them. \
                  Without --path, --database and --datafile all comes back. In a pattern '*' does not cross a '/', '**' does.\n\n\
                  Exit status: 0 all is there, 1 refused or failed, 2 wrong command line."
)]
pub struct Restore {
    /// Its identifier, or the first digits of it
    #[arg(value_parser = identifier)]
    id: String,
    /// The mount below which it appears [default: the one that it was made on]
    #[arg(long, value_name = "NAME")]
    mount: Option<String>,
    /// Only files whose path below the mount's root is so; repeat it for more
    #[arg(long, value_name = "GLOB")]
    path: Vec<String>,
    /// Only files of this database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only pieces and copies that have this data file; repeat it for more, or put commas between
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    datafile: Vec<u32>,
    /// Do not wait until it is there
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    fn request(&self) -> RestoreRequest {
        RestoreRequest {
            mount: self.mount.clone(),
            paths: self.path.clone(),
            database: self.database.clone(),
            datafiles: self.datafile.clone(),
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Restore) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    // Asked first: once the restore is there, little must be left that can fail.
    let store: Store = client.get("/store")?;
    let path = format!("/recovery-points/{}/restore", in_path(&arguments.id));
    let job: Job = client.post(&path, &arguments.request())?;
    let job = end_of(&client, job, arguments.no_wait)?;
    report(&job, arguments.json)?;
    if arguments.json {
        return Ok(());
    }
    let name = arguments.mount.as_ref().unwrap_or(&job.mount);
    let place = Place {
        job: job.id,
        name,
        // The restore has succeeded; that its mount cannot be asked for takes one line from what is told.
        mount: client.get(&format!("/mounts/{}", in_path(name))).ok(),
        store: &store,
        datafiles: &arguments.datafile,
        has_ended: job.ended.is_some(),
    };
    say(place.told());
    Ok(())
}

/// Where a restore is, or will be.
struct Place<'a> {
    job: u64,
    name: &'a str,
    mount: Option<Mount>,
    store: &'a Store,
    datafiles: &'a [u32],
    has_ended: bool,
}

impl Place<'_> {
    fn export(&self) -> String {
        format!("/Phoenix/{}/restores/{}", self.name, self.job)
    }

    /// Beside the mount's data.
    fn directory(&self) -> Option<String> {
        let data = Path::new(&self.mount.as_ref()?.directory);
        let directory = data.parent()?.join("restores").join(self.job.to_string());
        Some(directory.display().to_string())
    }

    /// What the database host is to do.
    fn told(&self) -> String {
        let (job, name) = (self.job, self.name);
        let local = format!("/local/{name}_restore_{job}");
        let export = self.export();
        let mut lines = Vec::new();
        if !self.has_ended {
            lines.push(format!(
                "It is at work ('backstay job wait {job}' waits for its end). When it has ended:"
            ));
        }
        if let Some(directory) = self.directory() {
            lines.push(format!("The files are in {directory} on the store."));
        }
        lines.push(format!("They are exported as {export}."));
        lines.push("On the database host, as root:".to_owned());
        lines.push(format!("  mkdir -p {local}"));
        lines.push(format!("  {}", mount_command(&export, &local, self.store)));
        lines.push(format!(
            "{local}/catalog.rman makes RMAN know the files, and names the control file and the commands that fit."
        ));
        lines.push(
            "There, as the owner of the Oracle software; --help says what --check and --force do:"
                .to_owned(),
        );
        lines.push(format!("  {}", self.script()));
        lines.push(
            "The files stay until they are deleted, which --delete-restore does when the database is open.".to_owned(),
        );
        let hint = self.mount.as_ref();
        lines.extend(hint.and_then(|mount| Some(who_cannot_mount(mount, self.store)?.to_owned())));
        lines.join("\n")
    }

    fn script(&self) -> String {
        let numbers: Vec<String> = self.datafiles.iter().map(u32::to_string).collect();
        let datafiles = match numbers.join(",") {
            none if none.is_empty() => none,
            numbers => format!(" --datafile {numbers}"),
        };
        let host = host_of(self.store);
        format!(
            "oracle_rman_restore.sh --database SID{datafiles} /home/oracle/log {host} {} {}",
            self.name, self.job
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount() -> Mount {
        serde_json::from_value(serde_json::json!({
            "name": "prd", "state": "idle", "reason": null, "export_path": "/Phoenix/prd/oracle_data",
            "directory": "/store/mounts/prd/oracle_data", "allow": ["192.0.2.7"], "quota_bytes": null, "squash": "root",
            "anonymous_uid": 1, "anonymous_gid": 1, "driver": "copy", "driver_reason": "", "created": "",
            "pending_snapshots": 0, "open_job": null, "last_snapshot": null
        }))
        .unwrap()
    }

    fn store(address: &str) -> Store {
        serde_json::from_value(serde_json::json!({
            "uid": "A", "state": "active", "registrations": 1, "version": "0", "max_pending_snapshots": 5,
            "export": "own", "nfs_address": address, "free_bytes": 1
        }))
        .unwrap()
    }

    fn place<'a>(store: &'a Store, mount: Option<Mount>) -> Place<'a> {
        Place {
            job: 12,
            name: "prd",
            mount,
            store,
            datafiles: &[],
            has_ended: true,
        }
    }

    #[test]
    fn who_restored_learns_where_the_files_are_and_how_to_get_at_them() {
        let store = store("192.0.2.1:2049");
        let told = place(&store, Some(mount())).told();
        let expected = "\
The files are in /store/mounts/prd/restores/12 on the store.
They are exported as /Phoenix/prd/restores/12.
On the database host, as root:
  mkdir -p /local/prd_restore_12
  mount -t nfs -o rw,bg,hard,tcp,vers=3,nolock,timeo=600,rsize=1048576,wsize=1048576,port=2049,mountport=2049,mountproto=tcp \
192.0.2.1:/Phoenix/prd/restores/12 /local/prd_restore_12
/local/prd_restore_12/catalog.rman makes RMAN know the files, and names the control file and the commands that fit.
There, as the owner of the Oracle software; --help says what --check and --force do:
  oracle_rman_restore.sh --database SID /home/oracle/log 192.0.2.1 prd 12
The files stay until they are deleted, which --delete-restore does when the database is open.";
        assert_eq!(told, expected);
    }

    #[test]
    fn data_files_that_were_chosen_are_chosen_for_the_script_too() {
        let store = store("0.0.0.0:2049");
        let place = Place {
            datafiles: &[4, 7],
            ..place(&store, Some(mount()))
        };
        let script = place.script();
        assert!(
            script.contains(" --datafile 4,7 ") && script.contains(" STORE prd 12"),
            "{script}"
        );
    }

    #[test]
    fn what_is_at_work_or_out_of_reach_is_not_said_to_be_there() {
        let store = store("127.0.0.1:2049");
        let place = Place {
            has_ended: false,
            ..place(&store, None)
        };
        let told = place.told();
        assert!(told.starts_with("It is at work"), "{told}");
        assert!(!told.contains("The files are in"), "{told}");
        let local = super::Place {
            mount: Some(mount()),
            ..place
        };
        assert!(local.told().contains("HINT: "), "{}", local.told());
    }

    #[test]
    fn the_request_has_what_was_given() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            restore: Restore,
        }
        let parse = |options: &[&str]| {
            let arguments = ["restore", "ABCD"].iter().chain(options);
            <Line as clap::Parser>::try_parse_from(arguments).map(|line| line.restore)
        };
        let all = [
            "--mount",
            "tst",
            "--path",
            "a/*",
            "--path",
            "b",
            "--database",
            "PRD",
            "--datafile",
            "4,7",
            "--datafile",
            "9",
        ];
        let given = parse(&all).unwrap();
        assert_eq!(given.id, "abcd");
        assert_eq!(
            given.request(),
            RestoreRequest {
                mount: Some("tst".to_owned()),
                paths: vec!["a/*".to_owned(), "b".to_owned()],
                database: Some("PRD".to_owned()),
                datafiles: vec![4, 7, 9],
            }
        );
        assert_eq!(parse(&[]).unwrap().request(), RestoreRequest::default());
        assert!(parse(&["--datafile", "0"]).is_err() && parse(&["--datafile", "x"]).is_err());
    }
}
