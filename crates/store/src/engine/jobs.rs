//! Jobs, as they are shown and cancelled.
//! What lives here: asking and cancelling. What does not: doing them.

use api::admin::{Job, JobKind, Severity};
use api::code::Code;

use super::Engine;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::jobs;
use crate::catalogue::logs;
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::refusal::Refusal;

impl Engine {
    /// The job of this number.
    pub(crate) fn job(&self, id: u64) -> Result<Job, Refusal> {
        let found = self
            .catalogue
            .read(|connection| jobs::find(connection, id))?;
        let job = found.ok_or_else(|| {
            Refusal::new(
                Code::UnknownPath,
                format!("there is no job {id}"),
                "'backstay job list' shows them",
            )
        })?;
        Ok(self.with_progress(job))
    }

    /// The newest jobs first.
    pub(crate) fn list_jobs(&self, mount: Option<&str>, limit: u64) -> Result<Vec<Job>, Refusal> {
        let found = self
            .catalogue
            .read(|connection| jobs::list(connection, mount, limit))?;
        Ok(found
            .into_iter()
            .map(|job| self.with_progress(job))
            .collect())
    }

    pub(super) fn is_cancelled(&self, job: u64) -> bool {
        self.cancelled().contains(&job)
    }

    /// Ends a job where it can be ended. An open backup is given up; a snapshot that is being taken for it is broken off.
    /// What the script has written stays on the mount. A snapshot that was to become a recovery point waits on.
    pub(crate) fn cancel_job(&self, id: u64) -> Result<Job, Refusal> {
        let job = self.job(id)?;
        if job.ended.is_some() {
            return Err(Refusal::new(
                Code::BackupNotStarted,
                format!("job {id} has ended"),
                "'backstay job show' says how",
            ));
        }
        match job.kind {
            JobKind::Backup => self.cancel_backup(&job)?,
            JobKind::RecoveryPoint | JobKind::Restore | JobKind::Verify | JobKind::Check => {
                self.cancelled().insert(id);
                // One that waits or is paused is looked at now.
                self.lanes.forget_pauses();
            }
            _ => {
                return Err(Refusal::new(
                    Code::MountBusy,
                    format!("job {id} deletes what is marked for it, and cannot be cancelled"),
                    "half of it is gone already; wait for its end",
                ));
            }
        }
        self.job(id)
    }

    fn cancel_backup(&self, job: &Job) -> Result<(), Refusal> {
        self.cancelled().insert(job.id);
        let given_up = self.give_up(job);
        self.cancelled().remove(&job.id);
        self.remove_logs(&given_up?);
        self.decommission_if_drained()
    }

    fn give_up(&self, job: &Job) -> Result<Vec<u64>, Refusal> {
        let _lock = self.locks.take(&job.mount)?;
        let mount = self.settle(self.mount(&job.mount)?)?;
        if mount.open_job != Some(job.id) {
            return Ok(Vec::new()); // It has ended by itself meanwhile.
        }
        self.catalogue.change(|connection| {
            let why = Refusal::new(
                Code::BackupNotStarted,
                "the backup was cancelled",
                "begin a new one with POST",
            );
            jobs::fail(connection, job.id, &why)?;
            let idle = MountRow {
                phase: Phase::Idle,
                open_job: None,
                ..mount.clone()
            };
            mounts::set(connection, &idle)?;
            let event = NewEvent::of_mount(
                Severity::Warning,
                &job.mount,
                "the open backup was cancelled",
            );
            events::add(connection, &event.of_job(job.id))?;
            Ok::<_, Refusal>(logs::forget(connection, job.id)?)
        })
    }
}
