//! Recovery points: listing, reading back, holding, deleting; and the repository as a whole.
//! What lives here: these calls and their jobs. What does not: making them (ingest) and bringing them back (restore).

use std::collections::HashSet;

use api::admin::{Job, JobKind, PointState, RecoveryPoint, RecoveryPointContent, Severity};
use api::code::Code;
use repository::{Depth, Finding, Repository, RepositoryError};

use super::Engine;
use super::ingest::{point_row, refuse_damage};
use super::story::{self, Story};
use super::work::JobWatch;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::{CatalogueError, jobs, points};
use crate::refusal::Refusal;

/// Findings that a job tells.
const FINDINGS_MAX: usize = 100;
/// Fewest digits that name a recovery point.
const DIGITS_MIN: usize = 4;

impl Engine {
    /// Recovery points, oldest first.
    pub(crate) fn list_points(&self, mount: Option<&str>) -> Result<Vec<RecoveryPoint>, Refusal> {
        Ok(self
            .catalogue
            .read(|connection| points::list(connection, mount))?)
    }

    /// The one that these digits name.
    pub(super) fn find_point(&self, digits: &str) -> Result<RecoveryPoint, Refusal> {
        let digits = digits.to_ascii_lowercase();
        let is_name =
            digits.len() >= DIGITS_MIN && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let mut found: Vec<RecoveryPoint> = self.list_points(None)?;
        found.retain(|point| is_name && point.id.starts_with(&digits));
        match found.len() {
            0 => Err(Refusal::new(
                Code::UnknownPath,
                format!(
                    "there is no recovery point {}",
                    digits.chars().take(80).collect::<String>().escape_debug()
                ),
                format!(
                    "'backstay recovery-point list' shows them; {DIGITS_MIN} digits or more name one"
                ),
            )),
            1 => Ok(found.remove(0)),
            count => Err(Refusal::bad_request(
                format!("{count} recovery points begin with {digits}"),
                "give more digits",
            )),
        }
    }

    /// What is in a recovery point, read from the repository.
    pub(crate) fn show_point(&self, digits: &str) -> Result<RecoveryPointContent, Refusal> {
        let row = self.find_point(digits)?;
        let repository = self.repository()?;
        repository.refresh()?;
        let point = repository.point(&row.id)?;
        let story = Story::of(&repository, &point)?;
        let files = story::data_files(&repository, &point)?;
        Ok(story::content(row, story.as_ref(), &files))
    }

    /// Keeps a recovery point from being deleted, or no longer.
    pub(crate) fn hold_point(&self, digits: &str, is_held: bool) -> Result<RecoveryPoint, Refusal> {
        let row = self.find_point(digits)?;
        if row.state == PointState::Deleting {
            return Err(is_being_deleted(&row));
        }
        self.catalogue.change(|connection| {
            points::hold(connection, &row.id, is_held)?;
            let what = if is_held {
                "is held"
            } else {
                "is held no longer"
            };
            let text = format!("recovery point {} {what}", &row.id[..8]);
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Warning, &row.mount, &text),
            )
        })?;
        self.find_point(&row.id)
    }

    /// Queues reading one back.
    pub(crate) fn queue_verification(&self, digits: &str) -> Result<Job, Refusal> {
        let row = self.find_point(digits)?;
        self.queue(JobKind::Verify, &row.mount, &row.id)
    }

    /// Queues deleting one. Somebody decides that; rules never delete the newest usable one.
    pub(crate) fn delete_point(&self, digits: &str) -> Result<Job, Refusal> {
        let row = self.find_point(digits)?;
        if row.is_held {
            return Err(is_held(&row));
        }
        self.queue_deletion(&row)
    }

    pub(super) fn queue_deletion(&self, row: &RecoveryPoint) -> Result<Job, Refusal> {
        let is_marked = self
            .catalogue
            .change(|connection| points::mark_deleting(connection, &row.id))?;
        if !is_marked {
            return Err(is_held(row));
        }
        self.queue(JobKind::DeleteRecoveryPoint, &row.mount, &row.id)
    }

    /// The job.
    pub(super) fn forget_point(&self, job: &Job, watch: &JobWatch) -> Result<(), Refusal> {
        let id = self.subject(job)?;
        let name = id
            .parse()
            .map_err(|_| CatalogueError::Nonsense(id.clone()))?;
        self.repository()?.forget(&name, watch)?;
        self.catalogue
            .change(|connection| points::remove(connection, &id))?;
        self.note_done(
            job,
            &format!(
                "recovery point {} is deleted; a sweep returns its space",
                &id[..8]
            ),
        )
    }

    /// The job.
    pub(super) fn verify_point(&self, job: &Job, watch: &JobWatch) -> Result<(), Refusal> {
        let id = self.subject(job)?;
        let repository = self.repository()?;
        let looked = repository
            .point(&id)
            .and_then(|point| repository.verify(&point, Depth::All, watch));
        let findings = match looked {
            // Damage that keeps it from being looked at is damage.
            Err(error @ (RepositoryError::Damaged { .. } | RepositoryError::Missing { .. })) => {
                vec![Finding {
                    what: error.to_string(),
                    is_damage: true,
                }]
            }
            other => other?,
        };
        let verdict = refuse_damage(&id, &findings);
        let state = if verdict.is_ok() {
            PointState::Usable
        } else {
            PointState::Damaged
        };
        self.catalogue
            .change(|connection| points::set_state(connection, &id, state))?;
        match verdict {
            Ok(()) => self.note_done(
                job,
                &format!("recovery point {} was read back and is whole", &id[..8]),
            ),
            Err(refusal) => self.note_findings(job, &refusal, &findings),
        }
    }

    /// Queues looking at the whole repository.
    pub(crate) fn queue_check(&self, read_data: bool) -> Result<Job, Refusal> {
        self.queue(JobKind::Check, "", if read_data { "read-data" } else { "" })
    }

    /// The job.
    pub(super) fn check_repository(&self, job: &Job, watch: &JobWatch) -> Result<(), Refusal> {
        let read_data = self.subject(job)? == "read-data";
        let findings = self.repository()?.check(read_data, watch)?;
        let damage = findings.iter().filter(|finding| finding.is_damage).count();
        if damage > 0 {
            let refusal = Refusal::new(
                Code::RepositoryDamaged,
                format!("{damage} things in the repository are damaged or missing"),
                "'backstay recovery-point verify' tells which recovery points are still whole",
            );
            return self.note_findings(job, &refusal, &findings);
        }
        let read = if read_data {
            "every byte was read"
        } else {
            "contents were not read"
        };
        let mut detail = format!("no damage was found; {read}");
        for finding in &findings {
            detail.push('\n');
            detail.push_str(&finding.what);
        }
        self.note_done(job, &detail)
    }

    /// Queues returning the space of what was deleted.
    pub(crate) fn queue_sweep(&self) -> Result<Job, Refusal> {
        self.queue(JobKind::Sweep, "", "")
    }

    /// The job.
    pub(super) fn sweep_repository(&self, job: &Job, watch: &JobWatch) -> Result<(), Refusal> {
        let swept = self.repository()?.sweep(watch)?;
        let returned = swept.bytes_before.saturating_sub(swept.bytes_after);
        self.note_done(
            job,
            &format!(
                "{returned} bytes returned, {} left; {} packs removed, {} written",
                swept.bytes_after, swept.packs_removed, swept.packs_written
            ),
        )
    }

    /// A job has found damage.
    fn note_findings(
        &self,
        job: &Job,
        refusal: &Refusal,
        findings: &[Finding],
    ) -> Result<(), Refusal> {
        let told: Vec<&str> = findings
            .iter()
            .take(FINDINGS_MAX)
            .map(|finding| finding.what.as_str())
            .collect();
        self.catalogue.change(|connection| {
            jobs::fail_with_findings(connection, job.id, refusal, &told.join("\n"))?;
            let event = NewEvent {
                severity: Severity::Critical,
                mount: Some(job.mount.as_str()).filter(|mount| !mount.is_empty()),
                job: Some(job.id),
                text: &refusal.to_string(),
            };
            Ok(events::add(connection, &event)?)
        })
    }

    /// Brings the catalogue up to date with the repository: points that somebody else made or deleted, or all of them after
    /// the catalogue was lost.
    pub(super) fn sync_points(&self, repository: &Repository) -> Result<(), Refusal> {
        let rows = self.list_points(None)?;
        let known: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let there = repository.points()?;
        if let Err(error) = repository.refresh() {
            tracing::warn!(
                "the index cannot be read, so that recovery points' databases are not known: {error}"
            );
        }
        for point in &there {
            if known.contains(point.id.to_string().as_str()) {
                continue;
            }
            // A story that cannot be read does not keep the point from being known.
            let story = Story::of(repository, point).unwrap_or_else(|refusal| {
                tracing::warn!("recovery point {}: {refusal}", point.id);
                None
            });
            let row = point_row(point, PointState::Unverified, story.as_ref());
            self.catalogue
                .change(|connection| points::put(connection, &row))?;
        }
        let names: HashSet<String> = there.iter().map(|point| point.id.to_string()).collect();
        for row in rows.iter().filter(|row| !names.contains(&row.id)) {
            self.catalogue.change(|connection| {
                points::remove(connection, &row.id)?;
                if row.state != PointState::Deleting {
                    let text = format!("recovery point {} of {} is not in the repository any more; somebody else deleted it", &row.id[..8], row.time);
                    events::add(connection, &NewEvent::of_mount(Severity::Critical, &row.mount, &text))?;
                }
                Ok::<_, CatalogueError>(())
            })?;
        }
        Ok(())
    }
}

fn is_held(row: &RecoveryPoint) -> Refusal {
    Refusal::new(
        Code::MountBusy,
        format!("recovery point {} is held", &row.id[..8]),
        "'backstay recovery-point keep ID --release' first",
    )
}

pub(super) fn is_being_deleted(row: &RecoveryPoint) -> Refusal {
    Refusal::new(
        Code::UnknownPath,
        format!("recovery point {} is being deleted", &row.id[..8]),
        "'backstay recovery-point list' shows the others",
    )
}
