//! The store's own threads, and which job each does next.
//! What lives here: lanes, waiting, trying again later. What does not: the jobs.
//!
//! The catalogue is the queue: a job that has not ended is done, again after a crash. Jobs of one lane are done one after
//! the other, those of different lanes at once.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::admin::{Job, JobKind};

use super::Engine;
use crate::catalogue::jobs;
use crate::refusal::Refusal;

/// Until a job is tried again: the first time, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A thread that nobody wakes looks for itself.
const LOOK: Duration = Duration::from_secs(30);

/// Jobs that are done one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Deleting on the local disk.
    Deletion,
    /// What writes into the repository, or deletes there.
    Writing,
    /// What reads from it: nobody who waits for a restore waits for an ingest.
    Reading,
}

impl Lane {
    pub(super) const ALL: [Lane; 3] = [Lane::Deletion, Lane::Writing, Lane::Reading];

    /// The lane of a kind of job; backups belong to their scripts.
    pub(super) fn of(kind: JobKind) -> Option<Lane> {
        match kind {
            JobKind::Backup => None,
            JobKind::DeleteMount | JobKind::DeleteSnapshot => Some(Lane::Deletion),
            JobKind::RecoveryPoint | JobKind::DeleteRecoveryPoint | JobKind::Sweep => {
                Some(Lane::Writing)
            }
            JobKind::Restore | JobKind::Verify | JobKind::Check => Some(Lane::Reading),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Lane::Deletion => "deletion",
            Lane::Writing => "writing",
            Lane::Reading => "reading",
        }
    }
}

/// What became of a job.
#[derive(Debug)]
pub(super) enum Done {
    /// It has ended, well or not; the catalogue says how.
    Ended,
    /// It could not be done now, and may be later.
    Later(Refusal),
    /// Somebody wants it to wait; it goes on where it was.
    Paused,
    /// The store stops; the next start does it again.
    Stopped,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Goes up when there may be something to do.
    turn: u64,
    /// Jobs that are tried again, when, and after which pause.
    later: HashMap<u64, (Instant, Duration)>,
}

/// Where the threads wait.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Lanes {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There may be something to do.
    pub(super) fn wake(&self) {
        self.waiting().turn += 1;
        self.changed.notify_all();
    }

    /// Somebody thinks that what hindered is gone.
    pub(super) fn forget_pauses(&self) {
        let mut waiting = self.waiting();
        for (again, pause) in waiting.later.values_mut() {
            (*again, *pause) = (Instant::now(), FIRST_PAUSE);
        }
        drop(waiting);
        self.wake();
    }

    /// Whether this job's pause is not over; true for how long.
    fn pause_of(&self, job: u64) -> Option<Duration> {
        let waiting = self.waiting();
        let (again, _) = waiting.later.get(&job)?;
        again
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// Returns whether it is the first time that the job has to wait.
    fn postpone(&self, job: u64) -> bool {
        let mut waiting = self.waiting();
        let before = waiting.later.get(&job).map(|(_, pause)| *pause);
        let pause = before.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        waiting.later.insert(job, (Instant::now() + pause, pause));
        before.is_none()
    }

    fn forget(&self, job: u64) {
        self.waiting().later.remove(&job);
    }

    fn wait(&self, turn: u64, limit: Duration) {
        let waiting = self.waiting();
        // Spurious wakings only cost a look.
        drop(
            self.changed
                .wait_timeout_while(waiting, limit, |waiting| waiting.turn == turn),
        );
    }
}

impl Engine {
    /// A lane's thread, until the store stops.
    pub(super) fn work_on(&self, lane: Lane) {
        while !self.is_stopping() {
            let turn = self.lanes.waiting().turn;
            match self.next_job(lane) {
                Ok(Ok(job)) => self.do_next(&job),
                Ok(Err(pause)) => self.lanes.wait(turn, pause),
                Err(refusal) => {
                    tracing::error!("{refusal}");
                    self.lanes.wait(turn, FIRST_PAUSE);
                }
            }
        }
    }

    fn do_next(&self, job: &Job) {
        match self.do_job(job) {
            Done::Ended => self.lanes.forget(job.id),
            Done::Stopped => {}
            Done::Paused => {
                let paused = self
                    .catalogue
                    .change(|connection| jobs::postpone(connection, job.id, "paused"));
                if let Err(error) = paused {
                    tracing::error!("{}", Refusal::from(error));
                }
            }
            Done::Later(refusal) => {
                let is_first = self.lanes.postpone(job.id);
                self.note_postponed(job, &refusal, is_first);
            }
        }
    }

    /// The lane's oldest job whose pause is over, or until when there is none.
    fn next_job(&self, lane: Lane) -> Result<Result<Job, Duration>, Refusal> {
        let mut shortest = LOOK;
        for job in self.catalogue.read(jobs::unfinished)? {
            let may_work = self.may_work(job.kind) || self.is_cancelled(job.id);
            if Lane::of(job.kind) != Some(lane) || !may_work {
                continue;
            }
            match self.lanes.pause_of(job.id) {
                None => return Ok(Ok(job)),
                Some(left) => shortest = shortest.min(left),
            }
        }
        Ok(Err(shortest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_forgotten() {
        let lanes = Lanes::default();
        assert_eq!(lanes.pause_of(1), None);
        assert!(lanes.postpone(1));
        for _ in 0..10 {
            assert!(!lanes.postpone(1));
        }
        let left = lanes.pause_of(1).unwrap();
        assert!(
            left > LONGEST_PAUSE / 2 && left <= LONGEST_PAUSE,
            "{left:?}"
        );
        assert_eq!(lanes.pause_of(2), None);
        lanes.forget_pauses();
        assert_eq!(lanes.pause_of(1), None);
    }
}
