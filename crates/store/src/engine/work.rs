//! Jobs while they run: how far they are, and what steers them.
//! What lives here: handing a job to whoever does it, counters, pause, rate, failpoints. What does not: the jobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use api::admin::{Ingest, Job, JobKind, JobState, Progress, Severity};
use api::code::Code;
use repository::{Counters, Verdict, Watch};

use super::Engine;
use super::lanes::Done;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::{CatalogueError, jobs, settings};
use crate::failpoint;
use crate::refusal::Refusal;

/// Slowest rate that may be asked for, in bytes a second: slower, a pack takes longer than restic believes in a lock.
const RATE_MIN: u64 = 64 << 10;

struct Running {
    counters: Counters,
    begun: Instant,
}

/// The jobs that run, and how ingest is to go.
#[derive(Default)]
pub(super) struct AtWork {
    running: Mutex<HashMap<u64, Arc<Running>>>,
    ingest: Mutex<Option<Ingest>>,
}

impl AtWork {
    fn running(&self) -> MutexGuard<'_, HashMap<u64, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ingest(&self) -> MutexGuard<'_, Option<Ingest>> {
        self.ingest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Steers one job.
pub(super) struct JobWatch<'a> {
    engine: &'a Engine,
    job: u64,
    is_ingest: bool,
    running: Arc<Running>,
}

impl Watch for JobWatch<'_> {
    fn verdict(&self) -> Verdict {
        if self.engine.is_stopping() || self.engine.is_cancelled(self.job) {
            Verdict::Cancel
        } else if self.is_ingest && self.engine.ingest_settings().is_paused {
            // What is done is kept, so that the thread is free for others.
            Verdict::Cancel
        } else {
            Verdict::Go
        }
    }

    fn bytes_per_second(&self) -> Option<u64> {
        self.engine
            .ingest_settings()
            .bytes_per_second
            .filter(|_| self.is_ingest)
    }

    fn step(&self, place: &'static str) {
        failpoint::reach(place);
    }

    fn counters(&self) -> &Counters {
        &self.running.counters
    }
}

impl Drop for JobWatch<'_> {
    fn drop(&mut self) {
        self.engine.at_work.running().remove(&self.job);
    }
}

impl Engine {
    pub(super) fn watch(&self, job: &Job) -> JobWatch<'_> {
        let running = Arc::new(Running {
            counters: Counters::default(),
            begun: Instant::now(),
        });
        self.at_work.running().insert(job.id, Arc::clone(&running));
        JobWatch {
            engine: self,
            job: job.id,
            is_ingest: job.kind == JobKind::RecoveryPoint,
            running,
        }
    }

    /// A job with how far it is.
    pub(super) fn with_progress(&self, job: Job) -> Job {
        let running = self.at_work.running().get(&job.id).cloned();
        let is_paused = job.kind == JobKind::RecoveryPoint && self.ingest_settings().is_paused;
        let progress = match running {
            _ if job.ended.is_some() => None,
            Some(running) => Some(progress(&running, is_paused)),
            None if is_paused => Some(Progress {
                is_paused,
                ..Progress::default()
            }),
            None => None,
        };
        Job { progress, ..job }
    }

    /// Whether jobs of this kind are done at all.
    pub(super) fn may_work(&self, kind: JobKind) -> bool {
        kind != JobKind::RecoveryPoint
            || (self.repository.is_on() && !self.ingest_settings().is_paused)
    }

    /// Does a job.
    pub(super) fn do_job(&self, job: &Job) -> Done {
        let begun = self
            .catalogue
            .change(|connection| jobs::begin(connection, job.id));
        if let Err(error) = begun {
            return Done::Later(error.into());
        }
        let done = match job.kind {
            JobKind::DeleteMount | JobKind::DeleteSnapshot => self.carry_out_deletion(job),
            JobKind::RecoveryPoint => self.carry_out(job, Engine::make_recovery_point),
            JobKind::Restore => self.carry_out(job, Engine::make_restore),
            JobKind::Verify => self.carry_out(job, Engine::verify_point),
            JobKind::DeleteRecoveryPoint => self.carry_out(job, Engine::forget_point),
            JobKind::Check => self.carry_out(job, Engine::check_repository),
            JobKind::Sweep => self.carry_out(job, Engine::sweep_repository),
            JobKind::Backup => Done::Ended, // Belongs to its script, never to a thread.
        };
        self.cancelled().remove(&job.id);
        done
    }

    /// Does a job of the repository. Its work says how it ended; what hinders it for a while does not end it.
    fn carry_out(
        &self,
        job: &Job,
        work: fn(&Engine, &Job, &JobWatch) -> Result<(), Refusal>,
    ) -> Done {
        let watch = self.watch(job);
        let worked = if self.is_cancelled(job.id) {
            Err(Code::BackupNotStarted.into())
        } else {
            work(self, job, &watch)
        };
        let Err(refusal) = worked else {
            return Done::Ended;
        };
        if self.is_stopping() {
            return Done::Stopped;
        }
        if self.is_cancelled(job.id) {
            let why = Refusal::new(
                Code::BackupNotStarted,
                "it was cancelled",
                "begin it again if that was not meant",
            );
            self.note_failed(job, &why, "a job was cancelled");
            return Done::Ended;
        }
        if job.kind == JobKind::RecoveryPoint && self.ingest_settings().is_paused {
            return Done::Paused;
        }
        if matches!(refusal.code, Code::RepositoryUnavailable | Code::NoSpace) {
            return Done::Later(refusal);
        }
        self.note_failed(job, &refusal, "a job failed");
        Done::Ended
    }

    /// A job has failed for good.
    pub(super) fn note_failed(&self, job: &Job, refusal: &Refusal, what: &str) {
        let recorded = self.catalogue.change(|connection| {
            jobs::fail(connection, job.id, refusal)?;
            let text = format!("{what}: {refusal}");
            events::add(connection, &event(job, Severity::Critical, &text))
        });
        if let Err(error) = recorded {
            tracing::error!("{}", Refusal::from(error));
        }
    }

    /// A job waits; the first time it is an event.
    pub(super) fn note_postponed(&self, job: &Job, refusal: &Refusal, is_first: bool) {
        let recorded = self.catalogue.change(|connection| {
            jobs::postpone(
                connection,
                job.id,
                &format!("waits, and is tried again: {refusal}"),
            )?;
            if is_first {
                let text = format!("a job waits, and is tried again: {refusal}");
                events::add(connection, &event(job, Severity::Warning, &text))?;
            }
            Ok::<_, CatalogueError>(())
        });
        if let Err(error) = recorded {
            tracing::error!("{}", Refusal::from(error));
        }
    }

    /// A job has ended well.
    pub(super) fn note_done(&self, job: &Job, detail: &str) -> Result<(), Refusal> {
        self.catalogue.change(|connection| {
            jobs::succeed(connection, job.id, detail)?;
            Ok(events::add(
                connection,
                &event(job, Severity::Info, detail),
            )?)
        })
    }

    /// Queues a job, or names the one that is queued already.
    pub(super) fn queue(&self, kind: JobKind, mount: &str, subject: &str) -> Result<Job, Refusal> {
        let id = self.catalogue.change(|connection| {
            match jobs::unfinished_of(connection, kind, subject)? {
                Some(id) => Ok::<_, CatalogueError>(id),
                None => jobs::add(connection, kind, (mount, subject), JobState::Queued, ""),
            }
        })?;
        self.lanes.wake();
        self.job(id)
    }

    pub(super) fn subject(&self, job: &Job) -> Result<String, Refusal> {
        Ok(self
            .catalogue
            .read(|connection| jobs::subject(connection, job.id))?)
    }

    /// How snapshots become recovery points.
    pub(crate) fn ingest_settings(&self) -> Ingest {
        let mut known = self.at_work.ingest();
        match *known {
            Some(ingest) => ingest,
            None => {
                let ingest = self.catalogue.read(settings::ingest).unwrap_or_default();
                *known = Some(ingest);
                ingest
            }
        }
    }

    /// Sets how; what runs follows at once.
    pub(crate) fn change_ingest(&self, wanted: Ingest) -> Result<Ingest, Refusal> {
        if let Some(rate) = wanted.bytes_per_second
            && rate < RATE_MIN
        {
            return Err(Refusal::bad_request(
                format!("a limit of {rate} bytes a second"),
                format!("at least {RATE_MIN}; to stop it, pause it"),
            ));
        }
        self.catalogue
            .change(|connection| settings::set_ingest(connection, &wanted))?;
        *self.at_work.ingest() = Some(wanted);
        self.lanes.wake();
        Ok(wanted)
    }
}

fn event<'a>(job: &'a Job, severity: Severity, text: &'a str) -> NewEvent<'a> {
    NewEvent {
        severity,
        mount: Some(job.mount.as_str()).filter(|mount| !mount.is_empty()),
        job: Some(job.id),
        text,
    }
}

fn progress(running: &Running, is_paused: bool) -> Progress {
    let [bytes_total, bytes_done, bytes_read, bytes_written] = running.counters.values();
    let seconds = running.begun.elapsed().as_secs_f64();
    let rate = if seconds > 0.0 {
        bytes_done as f64 / seconds
    } else {
        0.0
    };
    let left = bytes_total.saturating_sub(bytes_done) as f64;
    Progress {
        bytes_total,
        bytes_done,
        bytes_read,
        bytes_written,
        bytes_per_second: rate as u64,
        seconds_left: (rate >= 1.0 && bytes_total > 0 && !is_paused)
            .then(|| (left / rate).ceil() as u64),
        is_paused,
    }
}
