//! The store as a whole: its state, its snapshots and events.
//! What lives here: taking it out of service and back, and lists. What does not: mounts and jobs.

use std::path::PathBuf;

use api::admin::{Event, Severity, Snapshot, SnapshotState, Store, StoreState};
use api::code::Code;

use super::Engine;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts;
use crate::catalogue::snapshots::{self, SnapshotRow};
use crate::catalogue::store::{self, StoreRow};
use crate::refusal::Refusal;

impl Engine {
    /// The store for the administrator.
    pub(crate) fn show_store(&self) -> Result<Store, Refusal> {
        let row = self.catalogue.read(store::get)?;
        let space = rustix::fs::statvfs(self.directory.path())
            .map_err(|error| Refusal::of(Code::Internal, &std::io::Error::from(error)))?;
        Ok(Store {
            uid: row.uid,
            state: row.state,
            registrations: row.registrations,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            max_pending_snapshots: self.max_pending_snapshots,
            export: self.exporter.name().to_owned(),
            nfs_address: self.exporter.address(),
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }

    /// Takes the store out of service, or back into it. While backups are open or snapshots wait it is only on its way out.
    pub(crate) fn change_store(&self, wanted: StoreState) -> Result<Store, Refusal> {
        self.catalogue.change(|connection| {
            let row = store::get(connection)?;
            let (state, registrations) = match (row.state, wanted) {
                (StoreState::Decommissioned, StoreState::Active) => {
                    (StoreState::Active, row.registrations + 1)
                }
                (_, StoreState::Active) => (StoreState::Active, row.registrations),
                (StoreState::Decommissioned, _) => (StoreState::Decommissioned, row.registrations),
                _ => (StoreState::DecommissionInProgress, row.registrations),
            };
            if state == row.state {
                return Ok::<_, Refusal>(());
            }
            store::set(
                connection,
                &StoreRow {
                    state,
                    registrations,
                    uid: row.uid,
                },
            )?;
            let text = match state {
                StoreState::Active => "the store takes backups again",
                _ => "the store is being taken out of service",
            };
            events::add(
                connection,
                &NewEvent {
                    severity: Severity::Warning,
                    ..NewEvent::info(text)
                },
            )?;
            Ok(())
        })?;
        self.decommission_if_drained()?;
        self.show_store()
    }

    /// A store on its way out is out once no backup is open and no snapshot waits.
    pub(super) fn decommission_if_drained(&self) -> Result<(), Refusal> {
        self.catalogue.change(|connection| {
            let row = store::get(connection)?;
            if row.state != StoreState::DecommissionInProgress {
                return Ok(());
            }
            let is_open = mounts::list(connection)?
                .iter()
                .any(|mount| mount.open_job.is_some());
            let waits = snapshots::list(connection, None)?
                .iter()
                .any(|snapshot| snapshot.state == SnapshotState::Pending);
            if is_open || waits {
                return Ok(());
            }
            let out = StoreRow {
                state: StoreState::Decommissioned,
                ..row
            };
            store::set(connection, &out)?;
            let event = NewEvent {
                severity: Severity::Warning,
                ..NewEvent::info("the store is out of service")
            };
            Ok(events::add(connection, &event)?)
        })
    }

    /// Snapshots, oldest first.
    pub(crate) fn list_snapshots(&self, mount: Option<&str>) -> Result<Vec<Snapshot>, Refusal> {
        let rows = self
            .catalogue
            .read(|connection| snapshots::list(connection, mount))?;
        let shown = |row: SnapshotRow| {
            let directory: PathBuf = self.directory.snapshots(&row.mount).join(&row.name);
            Snapshot {
                directory: directory.display().to_string(),
                name: row.name,
                mount: row.mount,
                state: row.state,
                time: row.time,
                job: row.job,
                files: row.files,
                bytes: row.bytes,
                pause_milliseconds: row.pause_milliseconds,
                logs: row.logs,
            }
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// The newest events behind a number, oldest first.
    pub(crate) fn list_events(
        &self,
        after: u64,
        mount: Option<&str>,
        limit: u64,
    ) -> Result<Vec<Event>, Refusal> {
        Ok(self
            .catalogue
            .read(|connection| events::list(connection, after, mount, limit))?)
    }
}
