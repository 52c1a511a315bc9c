//! The store of the demo: a real one, in a process of its own.
//! What lives here: starting it, asking it, ending it. What does not: what is done with its recovery points (`points`).

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use api::client::Client;
use rustix::process::Signal;

use super::narrator::{Narrator, Step};
use super::stage::{DemoError, Stage, io, signal, tail};
use crate::store::connection::StoreOptions;

/// Name of the mount.
pub const MOUNT: &str = "demo";
/// What a store says of a directory that its NFS server cannot export on this machine.
const NOT_EXPORTED: &str = " cannot be exported: ";
/// Longest wait until the store answers.
const START_SECONDS_MAX: u64 = 60;
/// How long it may take to end what is under way, before it is killed.
const END_SECONDS_MAX: u64 = 20;
/// Any free port of this machine.
const ANY_PORT: &str = "127.0.0.1:0";

/// The running store.
#[derive(Debug)]
pub struct StoreProcess {
    child: Child,
    /// Where backup scripts call it.
    pub api: String,
}

/// What starts it, the directory left out.
pub const OPTIONS: [&str; 6] = [
    "--listen",
    ANY_PORT,
    "--nfs-listen",
    ANY_PORT,
    "--admin-listen",
    ANY_PORT,
];

/// Starts the store and waits until it answers.
pub fn start(stage: &mut Stage, narrator: &mut Narrator) -> Result<(), DemoError> {
    let started = Instant::now();
    let directory = stage.store_directory().display().to_string();
    let command: Vec<&str> = ["backstay", "store", "serve", "--dir", &directory]
        .into_iter()
        .chain(OPTIONS)
        .collect();
    let transcript = stage.next_transcript("store");
    let output = File::create(&transcript).map_err(io("write", &transcript))?;
    let errors = output.try_clone().map_err(io("write", &transcript))?;
    let child = stage
        .command(&command)
        // Ctrl-C is for us: the store must be there as long as somebody talks to it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(io("run", &stage.tools().join("backstay")))?;
    let mut process = StoreProcess {
        child,
        api: String::new(),
    };
    let mut ended = None;
    stage.wait_for(narrator, "the store to answer", START_SECONDS_MAX, |_| {
        ended = process.child.try_wait().ok().flatten();
        process.api = api_of(&std::fs::read_to_string(&transcript).unwrap_or_default());
        ended.is_some() || !process.api.is_empty()
    })?;
    if let Some(status) = ended {
        return Err(DemoError::Program {
            command: stage.narrated(&command),
            status,
            output: tail(&transcript),
        });
    }
    stage.store = Some(process);
    let typed = stage.narrated(&command) + " &";
    let step = Step::new("started a store").typed(typed);
    narrator.step(step.took(started.elapsed()));
    Ok(())
}

/// What a started store says of the address for scripts; nothing before it has said all.
fn api_of(said: &str) -> String {
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("backup API"));
    let address = line
        .filter(|_| said.contains("\nNext: "))
        .and_then(|rest| rest.trim().strip_prefix("http://")?.split('/').next());
    address.unwrap_or_default().to_string()
}

/// Makes the mount that the database is backed up to. False if nothing can be exported here, as by an ordinary user or
/// on the file system of a container: then the store is ended, and the chapter left out.
pub fn create_mount(stage: &mut Stage, narrator: &mut Narrator) -> Result<bool, DemoError> {
    let command = ["backstay", "mount", "create", MOUNT];
    let made = stage.program(narrator, &command, "");
    let step = Step::new("made a mount").typed(stage.narrated(&command));
    match made {
        Err(DemoError::Program { output, .. }) if output.contains(NOT_EXPORTED) => {
            drop(stage.store.take());
            narrator.leave_out(&stage.narrated(&command), &output);
            Ok(false)
        }
        made => {
            narrator.step(step.took(made?));
            Ok(true)
        }
    }
}

/// A client of the store.
pub fn client(stage: &Stage) -> Result<Client, DemoError> {
    Ok(StoreOptions::of_directory(stage.store_directory()).connect()?)
}

/// What the store exports as the mount.
pub fn data(stage: &Stage) -> PathBuf {
    mount_directory(stage).join("oracle_data")
}

/// Where the mount is, with its snapshots and restores.
pub fn mount_directory(stage: &Stage) -> PathBuf {
    stage.store_directory().join("mounts").join(MOUNT)
}

/// Ends it as an administrator does, however the demo ends; kills it if that takes too long.
impl Drop for StoreProcess {
    fn drop(&mut self) {
        signal(self.child.id(), Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed().as_secs() >= END_SECONDS_MAX {
                // Whatever fails here, it has ended by itself.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_when_the_store_has_said_all() {
        let said =
            "The store in /s is open.\n  backup API      http://127.0.0.1:42/druva-phoenix/v1/\n";
        assert_eq!(api_of(said), "");
        let all = format!("{said}Next: backstay mount create\n");
        assert_eq!(api_of(&all), "127.0.0.1:42");
        assert_eq!(api_of("\nNext: "), "");
    }
}
