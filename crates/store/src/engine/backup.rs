//! A backup as the documented API knows it: GET looks, POST opens, PUT seals.
//! What lives here: the three calls and their order of steps. What does not: HTTP, and what a crash leaves (recovery).

use std::cell::RefCell;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use api::admin::{JobKind, JobState, Severity, SnapshotState};
use api::code::Code;
use api::envelope::{MountParameters, Preflight, Sealed, Started};

use super::{Asks, Engine};
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::catalogue::snapshots::{self, SnapshotRow};
use crate::catalogue::{CatalogueError, jobs, logs};
use crate::refusal::Refusal;
use crate::snapshot::{Taken, driver};
use crate::{clock, failpoint};

/// What a snapshot turned out to be.
pub(super) struct Seal {
    pub taken: Taken,
    pub pause_milliseconds: u64,
}

impl Engine {
    /// GET: may a backup begin?
    pub(crate) fn preflight(&self, name: &str, client: IpAddr) -> Result<Preflight, Refusal> {
        let mount = self.admit(name, client, Asks::ForNewBackup)?;
        Ok(Preflight {
            is_reached_max_snapshots: self.has_too_many_pending(&mount)?,
            mount_name: mount.name,
        })
    }

    fn has_too_many_pending(&self, mount: &MountRow) -> Result<bool, Refusal> {
        let pending = self
            .catalogue
            .read(|connection| snapshots::pending(connection, mount.id))?;
        Ok(pending >= self.max_pending_snapshots)
    }

    /// POST: opens a backup. One that is open is given up: its script has died, or it would have sent the PUT.
    pub(crate) fn start_backup(&self, name: &str, client: IpAddr) -> Result<Started, Refusal> {
        let _lock = self.locks.take(name)?;
        let mount = self.settle(self.admit(name, client, Asks::ForNewBackup)?)?;
        if self.has_too_many_pending(&mount)? {
            return Err(Code::TooManyPendingSnapshots.into());
        }
        failpoint::reach("post-before-export");
        self.exporter
            .export(&mount, &self.directory.data(&mount.name))?;
        failpoint::reach("post-before-commit");
        let forgotten = self
            .catalogue
            .change(|connection| open_backup(connection, &mount))?;
        failpoint::reach("post-after-commit");
        self.remove_logs(&forgotten);
        Ok(Started {
            mount_path: mount.export_path(),
            mount_name: mount.name,
            mount_params: MountParameters::DOCUMENTED,
        })
    }

    /// PUT: seals the backup. When it returns a name, that snapshot is on the disk and survives anything but the loss of
    /// the disk. When it does not, the backup is open as before, and the PUT may be repeated.
    pub(crate) fn finish_backup(&self, name: &str, client: IpAddr) -> Result<Sealed, Refusal> {
        let _lock = self.locks.take(name)?;
        let mount = self.settle(self.admit(name, client, Asks::ForOpenBackup)?)?;
        if mount.phase == Phase::Idle {
            return self.answer_again(mount);
        }
        let job = mount.open_job.ok_or(Code::BackupNotStarted)?;
        failpoint::reach("put-before-intent");
        let time = clock::now();
        let snapshot = self.catalogue.change(|connection| {
            let snapshot = snapshots::intend(connection, &self.uid, mount.id, job, &time)?;
            let sealing = MountRow {
                phase: Phase::Sealing,
                ..mount.clone()
            };
            mounts::set(connection, &sealing)?;
            Ok::<_, CatalogueError>(snapshot)
        })?;
        failpoint::reach("put-after-intent");
        let seal = match self.take_snapshot(&mount, job, &snapshot) {
            Ok(seal) => seal,
            Err(refusal) => {
                self.take_back_intent(&mount, job, &snapshot, &refusal)?;
                // Whoever cancelled it waits for the mount, and ends the job.
                let is_given_up = self.is_cancelled(job);
                return Err(if is_given_up {
                    Code::BackupNotStarted.into()
                } else {
                    refusal
                });
            }
        };
        failpoint::reach("put-before-commit");
        self.catalogue
            .change(|connection| record_seal(connection, &mount, job, &snapshot, Some(&seal)))?;
        failpoint::reach("put-after-commit");
        self.lanes.wake();
        self.note_answered(&snapshot);
        self.decommission_if_drained()?;
        Ok(Sealed {
            snap_name: snapshot,
            mount_name: mount.name,
        })
    }

    /// A PUT whose answer a crash has swallowed is answered when it is repeated, once and until the next POST.
    fn answer_again(&self, mount: MountRow) -> Result<Sealed, Refusal> {
        let snapshot = mount.unanswered.ok_or(Code::BackupNotStarted)?;
        self.note_answered(&snapshot);
        Ok(Sealed {
            snap_name: snapshot,
            mount_name: mount.name,
        })
    }

    /// From here on the answer counts as given. Nothing is told afterwards that it is sealed by this snapshot: a second
    /// writer on the mount would take it for his own seal.
    fn note_answered(&self, snapshot: &str) {
        let noted = self
            .catalogue
            .change(|connection| mounts::forget_unanswered(connection, snapshot));
        if let Err(error) = noted {
            tracing::warn!("{}", Refusal::from(error));
        }
    }

    /// Freezes the mount's data. Writers wait from `quiesced` until nothing depends on the data any more.
    fn take_snapshot(&self, mount: &MountRow, job: u64, snapshot: &str) -> Result<Seal, Refusal> {
        let data = self.directory.data(&mount.name);
        let target = self.directory.snapshots(&mount.name).join(snapshot);
        let driver = driver(mount.driver);
        driver.prepare(&data)?;
        let rest = RefCell::new(Some(self.exporter.quiesce(mount)?));
        let begun = Instant::now();
        let changes = self.exporter.changes();
        let mut rested = changes.map(|changes| changes.at_rest(mount.id, &data));
        failpoint::reach("put-quiesced");
        let pause = RefCell::new(None);
        let release = || {
            if rest.borrow_mut().take().is_some() {
                pause.replace(Some(begun.elapsed()));
            }
            failpoint::reach("put-frozen");
        };
        let is_cancelled = || self.is_cancelled(job);
        let taken = driver.take_and_tell(&data, &target, &is_cancelled, &release);
        if let (Some(changes), Some(mut rested)) = (changes, rested.take()) {
            if taken.is_ok() {
                self.keep_changed_files(snapshot, rested.changed.take());
                changes.sealed(mount.id, snapshot, rested);
            } else {
                changes.broken_off(mount.id, rested);
            }
        }
        let taken = taken?;
        let pause = pause.into_inner().unwrap_or_else(|| begun.elapsed());
        Ok(Seal {
            taken,
            pause_milliseconds: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn take_back_intent(
        &self,
        mount: &MountRow,
        job: u64,
        snapshot: &str,
        why: &Refusal,
    ) -> Result<(), Refusal> {
        self.catalogue.change(|connection| {
            snapshots::remove(connection, snapshot)?;
            mounts::set(connection, mount)?;
            jobs::say(connection, job, &format!("a snapshot failed: {why}"))?;
            let text = format!("the snapshot {snapshot} failed, the backup is still open: {why}");
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Critical, &mount.name, &text).of_job(job),
            )?;
            Ok::<_, Refusal>(())
        })
    }

    /// Removes the files of logs whose rows are gone. What is left is removed at the next start.
    pub(super) fn remove_logs(&self, ids: &[u64]) {
        for id in ids {
            let path = self.directory.logs().join(id.to_string());
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!("{} stays for now: {error}", path.display());
            }
        }
    }
}

fn open_backup(
    connection: &rusqlite::Connection,
    mount: &MountRow,
) -> Result<Vec<u64>, CatalogueError> {
    let mut forgotten = Vec::new();
    let mut detail = String::new();
    if let Some(old) = mount.open_job {
        forgotten = logs::forget(connection, old)?;
        let why = Refusal::new(
            Code::BackupNotStarted,
            "the backup was given up: another POST came before its PUT",
            "the new job goes on in its place; look at the script's log if it was not meant to",
        );
        jobs::fail(connection, old, &why)?;
        detail = format!("begun anew in place of job {old}, which was still open");
    }
    let subject = (mount.name.as_str(), "");
    let job = jobs::add(
        connection,
        JobKind::Backup,
        subject,
        JobState::Running,
        &detail,
    )?;
    let open = MountRow {
        phase: Phase::Open,
        open_job: Some(job),
        unanswered: None,
        ..mount.clone()
    };
    mounts::set(connection, &open)?;
    let text = if detail.is_empty() {
        "a backup was opened".to_owned()
    } else {
        format!("a backup was {detail}")
    };
    events::add(
        connection,
        &NewEvent::of_mount(Severity::Info, &mount.name, &text).of_job(job),
    )?;
    Ok(forgotten)
}

/// The snapshot is pending from now on, the job done, the mount idle. Without a seal it was found after a crash.
pub(super) fn record_seal(
    connection: &rusqlite::Connection,
    mount: &MountRow,
    job: u64,
    snapshot: &str,
    seal: Option<&Seal>,
) -> Result<(), CatalogueError> {
    let Some(row) = snapshots::find(connection, snapshot)? else {
        return Err(CatalogueError::Nonsense(snapshot.to_owned()));
    };
    let row = SnapshotRow {
        state: SnapshotState::Pending,
        ..row
    };
    let row = match seal {
        Some(seal) => SnapshotRow {
            files: seal.taken.files,
            bytes: seal.taken.bytes,
            pause_milliseconds: seal.pause_milliseconds,
            method: seal.taken.method.clone(),
            ..row
        },
        None => SnapshotRow {
            method: "found whole after a restart; not counted".to_owned(),
            ..row
        },
    };
    snapshots::set(connection, &row)?;
    let subject = (mount.name.as_str(), snapshot);
    jobs::add(
        connection,
        JobKind::RecoveryPoint,
        subject,
        JobState::Queued,
        "",
    )?;
    let count = logs::attach(connection, job, snapshot)?;
    let detail = format!(
        "snapshot {snapshot}: {} files, {} bytes, writers waited {} ms, {count} logs, {}",
        row.files, row.bytes, row.pause_milliseconds, row.method
    );
    jobs::succeed(connection, job, &detail)?;
    let idle = MountRow {
        phase: Phase::Idle,
        open_job: None,
        unanswered: Some(snapshot.to_owned()),
        ..mount.clone()
    };
    mounts::set(connection, &idle)?;
    events::add(
        connection,
        &NewEvent::of_mount(Severity::Info, &mount.name, &detail).of_job(job),
    )
}

/// Whether a name can be the number of a restore job.
pub(super) fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}
