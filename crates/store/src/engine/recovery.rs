//! What the store does at its start with what a crash may have left.
//! What lives here: finishing or undoing each transition. What does not: the transitions themselves.
//!
//! - A mount that was being created is removed: nobody was told of it.
//! - A seal whose snapshot is whole is finished, and the repeated PUT is answered with its name; otherwise it is undone,
//!   and the backup is open as before the PUT.
//! - Jobs that have not ended are done again by the threads of their lanes; each snapshot that waits has one.
//! - Files that nothing speaks of, hidden or of logs, are removed.

use std::collections::HashSet;
use std::fs;

use api::admin::{JobKind, JobState, Severity, SnapshotState};
use api::code::Code;

use super::Engine;
use super::backup::record_seal;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::catalogue::{CatalogueError, jobs, logs, snapshots};
use crate::refusal::Refusal;
use crate::snapshot::driver;

impl Engine {
    /// Brings everything in order. One mount that cannot be helped does not keep the others from being served.
    pub(super) fn recover(&self) -> Result<(), Refusal> {
        self.remove_stray_logs()?;
        let mounts = self.catalogue.read(mounts::list)?;
        self.name_unknown_directories(&mounts)?;
        let mut exported = Vec::new();
        for mount in mounts {
            let name = mount.name.clone();
            match self.recover_mount(mount) {
                Ok(Some(mount)) => exported.push(mount),
                Ok(None) => {}
                Err(refusal) => self.complain(&name, &format!("after the start: {refusal}"))?,
            }
        }
        for mount in exported {
            let data = self.directory.data(&mount.name);
            if let Err(refusal) = self.exporter.export(&mount, &data) {
                self.complain(&mount.name, &format!("it is not exported: {refusal}"))?;
            }
            if let Err(refusal) = self.export_restores(&mount) {
                self.complain(
                    &mount.name,
                    &format!("its restores are not exported: {refusal}"),
                )?;
            }
            // Says what is wrong with it, if anything is.
            self.examine(mount)?;
        }
        self.exporter.begin()?;
        self.queue_pending_snapshots()?;
        Ok(())
    }

    /// Directories that no mount has are left alone, and named.
    fn name_unknown_directories(&self, mounts: &[MountRow]) -> Result<(), Refusal> {
        let entries = fs::read_dir(self.directory.mounts())
            .map_err(|error| Refusal::of(Code::Internal, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !mounts.iter().any(|mount| mount.name == name) {
                self.complain(&name, "its directory is there and no such mount is known: was the catalogue lost? It is left alone")?;
            }
        }
        Ok(())
    }

    fn complain(&self, mount: &str, text: &str) -> Result<(), Refusal> {
        self.catalogue.change(|connection| {
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Critical, mount, text),
            )?;
            Ok(())
        })
    }

    /// The mount, if it is to be exported.
    fn recover_mount(&self, mount: MountRow) -> Result<Option<MountRow>, Refusal> {
        match mount.phase {
            Phase::Creating => {
                self.destroy_directories(&mount)?;
                self.catalogue
                    .change(|connection| mounts::remove(connection, mount.id))?;
                tracing::info!(mount = mount.name, "its creation was cut off and is undone");
                Ok(None)
            }
            Phase::MarkedForDelete => {
                self.queue_deletion_again(&mount)?;
                Ok(None)
            }
            Phase::Idle | Phase::Open | Phase::Sealing => {
                self.clean(&mount);
                // A directory that cannot be looked at now is settled by the next call.
                let settled = self.settle(mount.clone());
                Ok(Some(settled.unwrap_or_else(|refusal| {
                    tracing::warn!(mount = mount.name, "{refusal}");
                    mount
                })))
            }
        }
    }

    /// A seal that was cut off is finished or undone. The mount is held by the caller, so nobody is sealing it now.
    pub(super) fn settle(&self, mount: MountRow) -> Result<MountRow, Refusal> {
        let (Phase::Sealing, Some(job)) = (mount.phase, mount.open_job) else {
            return Ok(mount);
        };
        let rows = self
            .catalogue
            .read(|connection| snapshots::list(connection, Some(&mount.name)))?;
        let intended = rows
            .into_iter()
            .find(|row| row.state == SnapshotState::Intended);
        let Some(row) = intended else {
            let open = MountRow {
                phase: Phase::Open,
                ..mount
            };
            self.catalogue
                .change(|connection| mounts::set(connection, &open))?;
            return Ok(open);
        };
        let is_whole = driver(mount.driver)
            .is_whole(&self.directory.snapshots(&mount.name).join(&row.name))?;
        self.catalogue.change(|connection| {
            if is_whole {
                record_seal(connection, &mount, job, &row.name, None)?;
            } else {
                snapshots::remove(connection, &row.name)?;
                let open = MountRow {
                    phase: Phase::Open,
                    ..mount.clone()
                };
                mounts::set(connection, &open)?;
                let text = format!(
                    "the snapshot {} was cut off and is undone; the backup is still open",
                    row.name
                );
                events::add(
                    connection,
                    &NewEvent::of_mount(Severity::Warning, &mount.name, &text).of_job(job),
                )?;
            }
            Ok::<_, CatalogueError>(())
        })?;
        self.mount(&mount.name)
    }

    fn clean(&self, mount: &MountRow) {
        let driver = driver(mount.driver);
        for directory in [
            self.directory.mount(&mount.name),
            self.directory.snapshots(&mount.name),
            self.directory.restores(&mount.name),
        ] {
            match driver.clean(&directory) {
                Ok(removed) => {
                    for path in removed {
                        tracing::info!(
                            mount = mount.name,
                            "{}, half made or half removed, is gone",
                            path.display()
                        );
                    }
                }
                Err(error) => tracing::warn!(mount = mount.name, "{}", Refusal::from(error)),
            }
        }
    }

    fn queue_deletion_again(&self, mount: &MountRow) -> Result<(), Refusal> {
        self.catalogue.change(|connection| {
            let is_queued = jobs::unfinished(connection)?
                .iter()
                .any(|job| job.kind == JobKind::DeleteMount && job.mount == mount.name);
            if is_queued {
                return Ok(());
            }
            let subject = (mount.name.as_str(), "");
            jobs::add(
                connection,
                JobKind::DeleteMount,
                subject,
                JobState::Queued,
                "tried again at a start",
            )?;
            Ok(())
        })
    }

    fn remove_stray_logs(&self) -> Result<(), Refusal> {
        let known: HashSet<String> = self
            .catalogue
            .read(logs::with_content)?
            .iter()
            .map(u64::to_string)
            .collect();
        let entries = match fs::read_dir(self.directory.logs()) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!("{}: {error}", self.directory.logs().display());
                return Ok(());
            }
        };
        for entry in entries.flatten() {
            let is_known = entry
                .file_name()
                .to_str()
                .is_some_and(|name| known.contains(name));
            if !is_known && let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!("{} stays: {error}", entry.path().display());
            }
        }
        Ok(())
    }
}
