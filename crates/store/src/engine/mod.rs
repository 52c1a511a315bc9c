//! What the store does, whoever asks: the state machine of its mounts.
//! What lives here: the engine's parts, and what every call checks first. What does not: HTTP (http), rows (catalogue).
//!
//! Calls run on threads of their own and may wait. Of one mount, one call at a time changes something. The catalogue
//! records an intent before the disk is touched and the result after it; `recovery` finishes or undoes the rest. What
//! takes long is a job that a thread of its lane does (`lanes`).

mod administration;
mod backup;
mod choice;
mod deletion;
mod health;
mod ingest;
mod jobs;
mod lanes;
mod mount_locks;
mod mounts;
mod points;
mod recovery;
mod repository;
mod restore;
mod restores;
mod retention;
mod story;
mod upload;
mod work;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::admin::StoreState;
use api::code::Code;

use crate::catalogue::mounts::{MountRow, Phase};
use crate::catalogue::{self, Catalogue, store};
use crate::directory::Directory;
use crate::export::Exporter;
use crate::refusal::Refusal;
use lanes::{Lane, Lanes};
use mount_locks::MountLocks;
use repository::Holder;
use work::AtWork;

pub(crate) use repository::RepositoryParts;
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
    /// Where the store's own threads wait.
    lanes: Lanes,
    /// How far running jobs are.
    at_work: AtWork,
    repository: Holder,
    keep_local_snapshots: u64,
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub directory: Directory,
    pub catalogue: Catalogue,
    pub exporter: Box<dyn Exporter>,
    pub max_pending_snapshots: u64,
    pub repository: RepositoryParts,
}

/// The threads that do jobs.
pub(crate) struct Worker {
    engine: Arc<Engine>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Engine {
    /// Brings what a crash may have left in order, exports all mounts and starts the worker.
    pub(crate) fn start(parts: Parts) -> Result<Worker, Refusal> {
        let fresh = crate::directory::random_hex::<8>()
            .map_err(|error| Refusal::of(Code::Internal, &error))?;
        let row = parts
            .catalogue
            .change(|connection| store::get_or_create(connection, &fresh))?;
        let engine = Arc::new(Engine {
            directory: parts.directory,
            catalogue: parts.catalogue,
            exporter: parts.exporter,
            uid: row.uid,
            max_pending_snapshots: parts.max_pending_snapshots,
            locks: MountLocks::default(),
            cancelled: Mutex::default(),
            stopping: AtomicBool::new(false),
            lanes: Lanes::default(),
            at_work: AtWork::default(),
            keep_local_snapshots: parts.repository.keep_local_snapshots,
            repository: Holder::new(parts.repository),
        });
        engine.recover()?;
        let mut threads = Vec::new();
        for lane in Lane::ALL {
            let at_work = Arc::clone(&engine);
            let thread = std::thread::Builder::new()
                .name(lane.name().to_owned())
                .spawn(move || at_work.work_on(lane))
                .map_err(|error| Refusal::of(Code::Internal, &error))?;
            threads.push(thread);
        }
        Ok(Worker { engine, threads })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn cancelled(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        self.engine.lanes.wake();
    }

    /// Waits for the jobs that are under way, which end where they can go on at the next start, and ends the exports.
    pub(crate) fn stop(self) {
        self.announce_stop();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread panicked; its job is taken up at the next start");
            }
        }
        self.engine.exporter.stop();
    }
}
