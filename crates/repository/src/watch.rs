//! How long work is watched and steered.
//! What lives here: the trait that a caller implements, the counters, the throttle. What does not: jobs and terminals.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::RepositoryError;

/// Between two looks at a verdict while work is paused.
const PAUSE: Duration = Duration::from_millis(100);

/// What work is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Go,
    /// Stand still until there is another verdict.
    Pause,
    /// End with [`RepositoryError::Cancelled`]; what was done may be gone on with later.
    Cancel,
}

/// How far work is, in bytes.
#[derive(Debug, Default)]
pub struct Counters {
    /// To do in all; 0 until it is known.
    pub total: AtomicU64,
    /// Done, whether read, known or skipped.
    pub done: AtomicU64,
    /// Read from files, or from the repository.
    pub read: AtomicU64,
    /// Written to the repository, or to files.
    pub written: AtomicU64,
}

impl Counters {
    /// All four: total, done, read, written.
    pub fn values(&self) -> [u64; 4] {
        [&self.total, &self.done, &self.read, &self.written]
            .map(|counter| counter.load(Ordering::Relaxed))
    }

    pub(crate) fn add(counter: &AtomicU64, bytes: u64) {
        counter.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The caller of long work.
pub trait Watch: Sync {
    /// What is to be done next; asked several times a second.
    fn verdict(&self) -> Verdict {
        Verdict::Go
    }

    /// Most bytes a second that may go to the repository; none is no limit. Asked again and again.
    fn bytes_per_second(&self) -> Option<u64> {
        None
    }

    /// A named step was reached. After any of them the process may die, and nothing is lost.
    fn step(&self, _place: &'static str) {}

    /// Where the work counts.
    fn counters(&self) -> &Counters;
}

/// Nobody watches.
#[derive(Debug, Default)]
pub struct Unwatched(Counters);

impl Watch for Unwatched {
    fn counters(&self) -> &Counters {
        &self.0
    }
}

/// Waits as long as work is paused; an error when it is to end.
pub(crate) fn obey(watch: &dyn Watch) -> Result<(), RepositoryError> {
    loop {
        match watch.verdict() {
            Verdict::Go => return Ok(()),
            Verdict::Cancel => return Err(RepositoryError::Cancelled),
            Verdict::Pause => std::thread::sleep(PAUSE),
        }
    }
}

/// Spreads writing over time, so that it stays below a rate.
pub(crate) struct Throttle {
    free_at: Mutex<Instant>,
}

impl Throttle {
    pub(crate) fn new() -> Throttle {
        Throttle {
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Waits until so many bytes may be written.
    pub(crate) fn admit(&self, watch: &dyn Watch, bytes: u64) -> Result<(), RepositoryError> {
        let Some(rate) = watch.bytes_per_second() else {
            return Ok(());
        };
        let takes = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let begin = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = (*free_at).max(Instant::now());
            *free_at = begin + takes;
            begin
        };
        while let Some(left) = begin
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            obey(watch)?;
            std::thread::sleep(left.min(PAUSE));
        }
        Ok(())
    }
}
