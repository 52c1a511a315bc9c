//! From a snapshot that waits to a recovery point, and then away with what is not kept.
//! What lives here: the steps of the job, hints of what changed, releasing snapshots. What does not: reading and writing
//! (repository).
//!
//! Each step may be repeated: the repository finds a recovery point that was made, what was read back is read back again,
//! and only what the catalogue calls saved is released.

use std::fs;
use std::path::PathBuf;

use api::admin::{Job, JobKind, JobState, PointState, RecoveryPoint, Severity, SnapshotState};
use api::code::Code;
use jiff::Timestamp;
use repository::{Changes, Depth, Finding, Point, Repository, RepositoryError, Source, Watch};
use rusqlite::Connection;

use super::Engine;
use super::story::{DATA, Story};
use super::work::JobWatch;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::snapshots::{self, SnapshotRow};
use crate::catalogue::{CatalogueError, jobs, mounts, points};
use crate::directory::write_private;
use crate::export::ChangedFiles;
use crate::refusal::Refusal;
use crate::snapshot::driver;

/// Queues the making of a recovery point, unless it is queued.
pub(super) fn queue(
    connection: &Connection,
    mount: &str,
    snapshot: &str,
) -> Result<(), CatalogueError> {
    if jobs::unfinished_of(connection, JobKind::RecoveryPoint, snapshot)?.is_none() {
        jobs::add(
            connection,
            JobKind::RecoveryPoint,
            (mount, snapshot),
            JobState::Queued,
            "",
        )?;
    }
    Ok(())
}

impl Engine {
    /// At a start: each snapshot that waits has a job, also one whose job has failed; what belongs to none is removed.
    pub(super) fn queue_pending_snapshots(&self) -> Result<(), Refusal> {
        let rows = self.catalogue.change(|connection| {
            let rows = snapshots::list(connection, None)?;
            for row in rows
                .iter()
                .filter(|row| row.state == SnapshotState::Pending)
            {
                queue(connection, &row.mount, &row.name)?;
            }
            Ok::<_, CatalogueError>(rows)
        })?;
        for entry in fs::read_dir(self.directory.changes())
            .into_iter()
            .flatten()
            .flatten()
        {
            if !rows
                .iter()
                .any(|row| row.name.as_str() == entry.file_name())
            {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Makes a recovery point of a snapshot that waits, again after a failure.
    pub(crate) fn create_recovery_point(&self, snapshot: &str) -> Result<Job, Refusal> {
        let found = self
            .catalogue
            .read(|connection| snapshots::find(connection, snapshot))?;
        match found.filter(|row| row.state == SnapshotState::Pending) {
            Some(row) => self.queue(JobKind::RecoveryPoint, &row.mount, &row.name),
            None => Err(Refusal::new(
                Code::UnknownPath,
                format!("no snapshot {snapshot} waits to become a recovery point"),
                "'backstay snapshot list' shows them",
            )),
        }
    }

    /// The job.
    pub(super) fn make_recovery_point(&self, job: &Job, watch: &JobWatch) -> Result<(), Refusal> {
        let snapshot = self.subject(job)?;
        let Some(row) = self
            .catalogue
            .read(|connection| snapshots::find(connection, &snapshot))?
        else {
            return self.note_done(job, &format!("the snapshot {snapshot} is gone"));
        };
        let detail = match row.state {
            SnapshotState::Pending => self.save(job, &row, watch)?,
            SnapshotState::Saved => format!("the snapshot {snapshot} is a recovery point already"),
            state => {
                return Err(Refusal::new(
                    Code::MountInconsistent,
                    format!("the snapshot {snapshot} is {state:?}"),
                    "'backstay mount show' says what is wrong",
                ));
            }
        };
        let _ = fs::remove_file(self.changes_file(&snapshot));
        self.release_snapshots(&job.mount)?;
        self.note_done(job, &detail)?;
        self.apply_rules_after_point(&job.mount);
        self.decommission_if_drained()
    }

    fn save(&self, job: &Job, row: &SnapshotRow, watch: &JobWatch) -> Result<String, Refusal> {
        let repository = self.repository()?;
        let data = self.directory.snapshots(&row.mount).join(&row.name);
        let (story, own_files) = self.write_story(row, &data)?;
        let hints = self.hints(&repository, row)?;
        let time: Timestamp = row
            .time
            .parse()
            .map_err(|_| CatalogueError::Nonsense(row.time.clone()))?;
        let source = Source {
            path: &data,
            name: DATA,
            own_files,
            mount: &row.mount,
            snapshot: &row.name,
            time,
            hostname: &super::repository::hostname(),
            changes: hints
                .as_ref()
                .map(|(point, changes)| (point.clone(), changes)),
        };
        let point = repository.ingest(&source, watch)?;
        let counted = watch.counters().values();
        let findings = repository.verify(&point, Depth::New, watch)?;
        refuse_damage(&point.id.to_string(), &findings)?;
        let detail = format!(
            "recovery point {}: {} files, {} bytes, {} read, {} added, read back",
            point.id, point.files, point.bytes, counted[2], point.bytes_added
        );
        watch.step("point-before-commit");
        self.catalogue.change(|connection| {
            points::put(
                connection,
                &point_row(&point, PointState::Usable, Some(&story)),
            )?;
            points::set_state(connection, &point.id.to_string(), PointState::Usable)?;
            // Only what waits still waits: it may have been deleted meanwhile.
            if let Some(now) = snapshots::find(connection, &row.name)?
                && now.state == SnapshotState::Pending
            {
                let saved = SnapshotRow {
                    state: SnapshotState::Saved,
                    ..now
                };
                snapshots::set(connection, &saved)?;
            }
            jobs::say(connection, job.id, &detail)
        })?;
        watch.step("point-after-commit");
        Ok(detail)
    }

    /// Removes those saved snapshots of a mount that are not the newest few.
    fn release_snapshots(&self, mount: &str) -> Result<(), Refusal> {
        let keep = usize::try_from(self.keep_local_snapshots).unwrap_or(usize::MAX);
        let rows = self
            .catalogue
            .read(|connection| snapshots::list(connection, Some(mount)))?;
        let saved = rows
            .into_iter()
            .filter(|row| row.state == SnapshotState::Saved);
        for row in saved.rev().skip(keep) {
            self.release(&row)?;
        }
        Ok(())
    }

    fn release(&self, row: &SnapshotRow) -> Result<(), Refusal> {
        let _lock = self.locks.wait_for(&row.mount);
        let found = self
            .catalogue
            .read(|connection| mounts::find(connection, &row.mount))?;
        let Some(mount) = found else {
            return Ok(());
        };
        crate::failpoint::reach("release-before");
        driver(mount.driver).destroy(&self.directory.snapshots(&mount.name).join(&row.name))?;
        crate::failpoint::reach("release-after");
        let logs = self.catalogue.change(|connection| {
            let logs = snapshots::remove(connection, &row.name)?;
            let text = format!(
                "the snapshot {} is a recovery point, and was released",
                row.name
            );
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Info, &row.mount, &text),
            )?;
            Ok::<_, CatalogueError>(logs)
        })?;
        self.remove_logs(&logs);
        Ok(())
    }

    fn changes_file(&self, snapshot: &str) -> PathBuf {
        self.directory.changes().join(snapshot)
    }

    /// Keeps what is known of changes with a snapshot. Without it the snapshot is read as a whole.
    pub(super) fn keep_changed_files(&self, snapshot: &str, changed: Option<ChangedFiles>) {
        let Some(changed) = changed else {
            return;
        };
        let kept = serde_json::to_vec(&changed)
            .map_err(std::io::Error::other)
            .and_then(|json| write_private(&self.changes_file(snapshot), &json));
        if let Err(error) = kept {
            tracing::warn!(
                "what changed since the last snapshot cannot be kept, {snapshot} is read as a whole: {error}"
            );
        }
    }

    /// What was written since a recovery point that is there, if that is certain.
    fn hints(
        &self,
        repository: &Repository,
        row: &SnapshotRow,
    ) -> Result<Option<(Point, Changes)>, Refusal> {
        let Ok(json) = fs::read(self.changes_file(&row.name)) else {
            return Ok(None);
        };
        let Ok(changed) = serde_json::from_slice::<ChangedFiles>(&json) else {
            return Ok(None);
        };
        let points = self
            .catalogue
            .read(|connection| points::list(connection, Some(&row.mount)))?;
        // What could not be read back is no ground to build on.
        let parent = points
            .into_iter()
            .find(|point| point.snapshot == changed.since && point.state == PointState::Usable);
        let Some(parent) = parent else {
            return Ok(None);
        };
        match repository.point(&parent.id) {
            Ok(point) => Ok(Some((point, Changes::new(changed.files)))),
            Err(RepositoryError::NoPoint(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Damage that was found as a refusal.
pub(super) fn refuse_damage(id: &str, findings: &[Finding]) -> Result<(), Refusal> {
    let damage: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.is_damage)
        .map(|finding| finding.what.as_str())
        .collect();
    match damage.first() {
        None => Ok(()),
        Some(first) => Err(Refusal::new(
            Code::RepositoryDamaged,
            format!(
                "recovery point {} cannot be read back, {} things are damaged; the first: {first}",
                &id[..8],
                damage.len()
            ),
            "look at the repository's disk; 'backstay repository check --read-data' names all that is damaged",
        )),
    }
}

/// A recovery point as the catalogue has it.
pub(super) fn point_row(point: &Point, state: PointState, story: Option<&Story>) -> RecoveryPoint {
    RecoveryPoint {
        id: point.id.to_string(),
        mount: point.mount.clone().unwrap_or_default(),
        snapshot: point.snapshot.clone().unwrap_or_default(),
        time: format!("{:.3}", point.time),
        state,
        verified: None,
        is_held: false,
        files: point.files,
        bytes: point.bytes,
        bytes_added: point.bytes_added,
        databases: story.map(Story::databases).unwrap_or_default(),
    }
}
