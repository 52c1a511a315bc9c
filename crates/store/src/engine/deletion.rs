//! Deleting mounts and snapshots: marked in the catalogue first, then done by the worker, then forgotten.
//! What lives here: marking, the worker's steps, their failure. What does not: data of restores.
//!
//! Every step may be repeated: after a crash the job is done again from its beginning.

use std::fs;
use std::io;

use api::admin::{Job, JobKind, JobState, Severity, SnapshotState};
use api::code::Code;

use super::Engine;
use super::lanes::Done;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::catalogue::snapshots::{self, SnapshotRow};
use crate::catalogue::{CatalogueError, jobs};
use crate::failpoint;
use crate::refusal::Refusal;
use crate::snapshot::driver;

impl Engine {
    /// Marks a mount for deletion. While snapshots wait or a backup is open it is refused, unless it is forced.
    pub(crate) fn delete_mount(&self, name: &str, force: bool) -> Result<Job, Refusal> {
        let _lock = self.locks.take(name)?;
        let mount = self.mount(name)?;
        let job = self.catalogue.change(|connection| {
            let pending = snapshots::pending(connection, mount.id)?;
            if !force && pending > 0 {
                return Err(Refusal::new(
                    Code::TooManyPendingSnapshots,
                    format!("snapshots of {name} that wait to become recovery points would be lost: {pending}"),
                    "wait for them, or say --force",
                ));
            }
            if !force && mount.open_job.is_some() {
                return Err(Refusal::new(
                    Code::MountBusy,
                    format!("a backup of {name} is open"),
                    "wait for its PUT, cancel its job, or say --force",
                ));
            }
            if let Some(open) = mount.open_job {
                let why = Refusal::new(Code::MountMarkedForDelete, "the mount is being deleted", "begin again on another mount");
                jobs::fail(connection, open, &why)?;
            }
            let marked = MountRow {
                phase: Phase::MarkedForDelete,
                open_job: None,
                unanswered: None,
                ..mount.clone()
            };
            mounts::set(connection, &marked)?;
            events::add(connection, &NewEvent::of_mount(Severity::Warning, name, "the mount is marked for deletion"))?;
            let unfinished = jobs::unfinished(connection)?;
            if let Some(job) = unfinished.iter().find(|job| job.kind == JobKind::DeleteMount && job.mount == name) {
                return Ok(job.id);
            }
            Ok(jobs::add(connection, JobKind::DeleteMount, (name, ""), JobState::Queued, "")?)
        })?;
        failpoint::reach("mount-delete-after-mark");
        self.lanes.wake();
        self.job(job)
    }

    /// Marks a snapshot for removal. An administrator decides that; the store itself never does.
    pub(crate) fn delete_snapshot(&self, name: &str) -> Result<Job, Refusal> {
        let missing = || {
            Refusal::new(
                Code::UnknownPath,
                format!("there is no snapshot {name}"),
                "'backstay snapshot list' shows them",
            )
        };
        let find = || {
            self.catalogue
                .read(|connection| snapshots::find(connection, name))?
                .ok_or_else(missing)
        };
        let _lock = self.locks.take(&find()?.mount)?;
        let row = find()?;
        if row.state == SnapshotState::Intended {
            return Err(Refusal::new(
                Code::MountBusy,
                format!("the snapshot {name} is only being taken"),
                "cancel its job, or wait",
            ));
        }
        let job = self.catalogue.change(|connection| {
            let removing = SnapshotRow {
                state: SnapshotState::Removing,
                ..row.clone()
            };
            snapshots::set(connection, &removing)?;
            let text = format!("the snapshot {name} is being removed");
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Warning, &row.mount, &text),
            )?;
            jobs::add(
                connection,
                JobKind::DeleteSnapshot,
                (&row.mount, name),
                JobState::Queued,
                "",
            )
        })?;
        self.lanes.wake();
        self.job(job)
    }

    /// A deletion's turn. One that fails is tried again at the next start.
    pub(super) fn carry_out_deletion(&self, job: &Job) -> Done {
        let result = match job.kind {
            JobKind::DeleteMount => self.carry_out_mount(job),
            _ => self.carry_out_snapshot(job),
        };
        if let Err(refusal) = result {
            self.note_failed(
                job,
                &refusal,
                "a deletion failed and is tried again at the next start",
            );
        }
        Done::Ended
    }

    fn carry_out_mount(&self, job: &Job) -> Result<(), Refusal> {
        let _lock = self.locks.wait_for(&job.mount);
        let found = self
            .catalogue
            .read(|connection| mounts::find(connection, &job.mount))?;
        // Nothing to do: it was done, and the job's end was cut off, or a new mount has the name.
        if let Some(mount) = found.filter(|mount| mount.phase == Phase::MarkedForDelete) {
            self.exporter.withdraw(&mount)?;
            self.withdraw_restores(&mount)?;
            if let Some(changes) = self.exporter.changes() {
                changes.forget(mount.id);
            }
            failpoint::reach("mount-delete-after-withdrawal");
            self.destroy_directories(&mount)?;
            failpoint::reach("mount-delete-before-commit");
            let logs = self.catalogue.change(|connection| {
                let logs = mounts::remove(connection, mount.id)?;
                jobs::succeed(connection, job.id, "the mount is gone")?;
                events::add(
                    connection,
                    &NewEvent::of_mount(Severity::Info, &mount.name, "the mount is gone")
                        .of_job(job.id),
                )?;
                Ok::<_, CatalogueError>(logs)
            })?;
            failpoint::reach("mount-delete-after-commit");
            self.remove_logs(&logs);
        } else {
            self.catalogue.change(|connection| {
                jobs::succeed(connection, job.id, "the mount was gone already")
            })?;
        }
        self.decommission_if_drained()
    }

    fn carry_out_snapshot(&self, job: &Job) -> Result<(), Refusal> {
        let _lock = self.locks.wait_for(&job.mount);
        let (name, row, mount) = self.catalogue.read(|connection| {
            let name = jobs::subject(connection, job.id)?;
            let row = snapshots::find(connection, &name)?;
            Ok::<_, CatalogueError>((name, row, mounts::find(connection, &job.mount)?))
        })?;
        if let (Some(_), Some(mount)) = (row, mount) {
            let path = self.directory.snapshots(&mount.name).join(&name);
            driver(mount.driver).destroy(&path)?;
        }
        let logs = self.catalogue.change(|connection| {
            let logs = snapshots::remove(connection, &name)?;
            jobs::succeed(connection, job.id, &format!("the snapshot {name} is gone"))?;
            Ok::<_, CatalogueError>(logs)
        })?;
        self.remove_logs(&logs);
        self.decommission_if_drained()
    }

    /// Removes everything of a mount from the disk. What is not there is no error, so that it can be repeated.
    pub(super) fn destroy_directories(&self, mount: &MountRow) -> Result<(), Refusal> {
        let driver = driver(mount.driver);
        let directory = self.directory.mount(&mount.name);
        let snapshots = self.directory.snapshots(&mount.name);
        for below in [&snapshots, &self.directory.restores(&mount.name)] {
            for path in entries(below)? {
                driver.destroy(&path)?;
            }
            if below.is_dir() {
                driver.clean(below)?;
            }
        }
        failpoint::reach("mount-delete-after-snapshots");
        driver.destroy_data(&self.directory.data(&mount.name))?;
        failpoint::reach("mount-delete-after-data");
        if directory.is_dir() {
            driver.clean(&directory)?;
        }
        for path in [
            &snapshots,
            &self.directory.restores(&mount.name),
            &directory,
        ] {
            match fs::remove_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let why = format!("{}: {error}", path.display());
                    return Err(Refusal::new(
                        Code::Internal,
                        why,
                        "remove by hand what should not be there",
                    ));
                }
                _ => {}
            }
        }
        crate::directory::sync(&self.directory.mounts())
            .map_err(|error| Refusal::of(Code::Internal, &error))
    }
}

/// What lies in a directory under a visible name; nothing if it is not there.
fn entries(directory: &std::path::Path) -> Result<Vec<std::path::PathBuf>, Refusal> {
    let failed = |error: io::Error| {
        Refusal::new(
            Code::Internal,
            format!("{}: {error}", directory.display()),
            "check the disk and the kernel's log",
        )
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}
