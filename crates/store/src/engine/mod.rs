//! What the store does, whoever asks: the state machine of its mounts.
//! What lives here: the engine's parts, and what every call checks first. What does not: HTTP (http), rows (catalogue).
//!
//! Calls run on threads of their own and may wait. Of one mount, one call at a time changes something. The catalogue
//! records an intent before the disk is touched and the result after it; `recovery` finishes or undoes the rest.

mod administration;
mod backup;
mod deletion;
mod health;
mod jobs;
mod mount_locks;
mod mounts;
mod recovery;
mod restores;
mod upload;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use api::admin::StoreState;
use api::code::Code;

use crate::catalogue::mounts::{MountRow, Phase};
use crate::catalogue::{self, Catalogue, store};
use crate::directory::Directory;
use crate::export::Exporter;
use crate::refusal::Refusal;
use mount_locks::MountLocks;

pub(crate) use upload::{Incoming, LOG_BYTES_MAX, LogParts};

/// A store at work.
pub(crate) struct Engine {
    directory: Directory,
    catalogue: Catalogue,
    exporter: Box<dyn Exporter>,
    uid: String,
    max_pending_snapshots: u64,
    locks: MountLocks,
    /// Jobs that somebody wants to end.
    cancelled: Mutex<HashSet<u64>>,
    stopping: AtomicBool,
    /// To the worker that deletes.
    work: mpsc::Sender<Work>,
}

/// What the worker is told.
enum Work {
    /// A job of the catalogue.
    Job(u64),
    /// There will be no more.
    End,
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub directory: Directory,
    pub catalogue: Catalogue,
    pub exporter: Box<dyn Exporter>,
    pub max_pending_snapshots: u64,
}

/// The thread that does deletions, one after the other.
pub(crate) struct Worker {
    engine: Arc<Engine>,
    thread: std::thread::JoinHandle<()>,
}

impl Engine {
    /// Brings what a crash may have left in order, exports all mounts and starts the worker.
    pub(crate) fn start(parts: Parts) -> Result<Worker, Refusal> {
        let fresh = crate::directory::random_hex::<8>()
            .map_err(|error| Refusal::of(Code::Internal, &error))?;
        let row = parts
            .catalogue
            .change(|connection| store::get_or_create(connection, &fresh))?;
        let (work, orders) = mpsc::channel();
        let engine = Arc::new(Engine {
            directory: parts.directory,
            catalogue: parts.catalogue,
            exporter: parts.exporter,
            uid: row.uid,
            max_pending_snapshots: parts.max_pending_snapshots,
            locks: MountLocks::default(),
            cancelled: Mutex::default(),
            stopping: AtomicBool::new(false),
            work,
        });
        engine.recover()?;
        let at_work = Arc::clone(&engine);
        let thread = std::thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                while let Ok(Work::Job(job)) = orders.recv() {
                    if at_work.is_stopping() {
                        break; // The next start finds the job in the catalogue.
                    }
                    at_work.do_job(job);
                }
            })
            .map_err(|error| Refusal::of(Code::Internal, &error))?;
        Ok(Worker { engine, thread })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn cancelled(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, job: u64) {
        // The worker lives as long as calls are answered; without it the next start does the job.
        let _ = self.work.send(Work::Job(job));
    }

    /// The mount, if it is one that calls may see.
    fn mount(&self, name: &str) -> Result<MountRow, Refusal> {
        let found = self
            .catalogue
            .read(|connection| catalogue::mounts::find(connection, name))?;
        match found {
            Some(mount) if mount.phase != Phase::Creating => Ok(mount),
            _ => Err(Code::MountMissing.into()),
        }
    }

    /// What every call of the documented API asks first, in this order: is the store there, is the mount there, may this
    /// client see it, is it being deleted, is it whole.
    fn admit(&self, name: &str, client: IpAddr, asks: Asks) -> Result<MountRow, Refusal> {
        if self.is_stopping() {
            return Err(Code::Stopping.into());
        }
        let state = self.catalogue.read(store::get)?.state;
        if state == StoreState::Decommissioned {
            return Err(Code::Decommissioned.into());
        }
        let mount = self.mount(name);
        let has_open_backup = || {
            mount
                .as_ref()
                .is_ok_and(|mount| matches!(mount.phase, Phase::Open | Phase::Sealing))
        };
        if state == StoreState::DecommissionInProgress
            && asks != Asks::ToDeleteRestore
            && !(asks == Asks::ForOpenBackup && has_open_backup())
        {
            return Err(Code::DecommissionInProgress.into());
        }
        let mount = mount?;
        if !client.to_canonical().is_loopback() && !self.may_call(&mount, client) {
            return Err(Code::ClientNotAllowed.into());
        }
        if mount.phase == Phase::MarkedForDelete {
            return Err(Code::MountMarkedForDelete.into());
        }
        let mount = self.examine(mount)?;
        match &mount.reason {
            Some(reason) => {
                tracing::warn!(mount = mount.name, "refused: {reason}");
                Err(Code::MountInconsistent.into())
            }
            None => Ok(mount),
        }
    }

    fn may_call(&self, mount: &MountRow, client: IpAddr) -> bool {
        crate::export::allowed(mount)
            .iter()
            .any(|range| range.contains(client))
    }
}

/// What a call of the documented API is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// A new backup: GET and POST.
    ForNewBackup,
    /// What is open: uploadlog and PUT. It may go on while the store is taken out of service.
    ForOpenBackup,
    /// Nothing of backups.
    ToDeleteRestore,
}

impl Worker {
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// No call begins from now on.
    pub(crate) fn announce_stop(&self) {
        self.engine.stopping.store(true, Ordering::SeqCst);
    }

    /// Waits for the deletion that is under way and ends the exports.
    pub(crate) fn stop(self) {
        self.announce_stop();
        let _ = self.engine.work.send(Work::End);
        if self.thread.join().is_err() {
            tracing::error!("the worker panicked; its job is taken up at the next start");
        }
        self.engine.exporter.stop();
    }
}
