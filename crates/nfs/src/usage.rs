//! How much an export holds, and how much it may.
//! What lives here: the running count against the quota. What does not: counting a tree (export.rs), and attributes.
//!
//! Bytes are allocated bytes. The count follows what calls do; what others do to the directory, and what a file system
//! allocates late, is found by a recount.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A call that hits the quota has the tree counted again, but not more often than this.
const RECOUNT_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Usage {
    quota: Option<u64>,
    used: AtomicU64,
    counted: Mutex<Option<Instant>>,
}

/// The quota does not allow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct QuotaExceeded;

/// Bytes that a call may allocate. Given back when dropped; by then what it did allocate is counted.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    usage: &'a Usage,
    bytes: u64,
}

impl Usage {
    pub(crate) fn new(quota: Option<u64>) -> Usage {
        Usage {
            quota,
            used: AtomicU64::new(0),
            counted: Mutex::new(None),
        }
    }

    /// Quota and bytes used; None: there is no quota, and nothing is counted.
    pub(crate) fn state(&self) -> Option<(u64, u64)> {
        self.quota
            .map(|quota| (quota, self.used.load(Ordering::Relaxed)))
    }

    /// Whether so many bytes more would fit just now.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.state()
            .is_none_or(|(quota, used)| used.saturating_add(bytes) <= quota)
    }

    /// Sets bytes aside, so that calls that run at the same time do not pass the quota together.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, QuotaExceeded> {
        let Some(quota) = self.quota else {
            return Ok(Reservation {
                usage: self,
                bytes: 0,
            });
        };
        let fits = |used: u64| used.checked_add(bytes).filter(|after| *after <= quota);
        match self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
        {
            Ok(_) => Ok(Reservation { usage: self, bytes }),
            Err(_) => Err(QuotaExceeded),
        }
    }

    /// A file holds `after` bytes, where it held `before`.
    pub(crate) fn change(&self, before: u64, after: u64) {
        if self.quota.is_some() {
            let changed = |used: u64| Some(used.saturating_add(after).saturating_sub(before));
            // The closure never declines.
            let _ = self
                .used
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        }
    }

    /// Replaces the count by that of the tree. What calls do meanwhile may be missed or counted twice; the next recount
    /// puts it right.
    pub(crate) fn recount<E>(&self, count: impl FnOnce() -> Result<u64, E>) -> Result<(), E> {
        if self.quota.is_some() {
            self.used.store(count()?, Ordering::Relaxed);
            *self
                .counted
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Instant::now());
        }
        Ok(())
    }

    /// As [`Usage::recount`], unless it was done a moment ago or somebody is at it.
    pub(crate) fn recount_now_and_then<E>(
        &self,
        count: impl FnOnce() -> Result<u64, E>,
    ) -> Result<(), E> {
        let Ok(mut counted) = self.counted.try_lock() else {
            return Ok(());
        };
        if counted.is_none_or(|counted| counted.elapsed() >= RECOUNT_PAUSE) {
            self.used.store(count()?, Ordering::Relaxed);
            *counted = Some(Instant::now());
        }
        Ok(())
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.usage.change(self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_do_not_pass_the_quota_together() {
        let usage = Usage::new(Some(100));
        let first = usage.reserve(60).unwrap();
        assert!(usage.reserve(41).is_err());
        let second = usage.reserve(40).unwrap();
        usage.change(0, 50);
        drop((first, second));
        assert_eq!(usage.state(), Some((100, 50)));
        assert!(usage.has_room(50) && !usage.has_room(51));
    }

    #[test]
    fn a_count_never_falls_below_nothing_and_is_replaced_by_a_recount() {
        let usage = Usage::new(Some(100));
        usage.change(70, 0);
        assert_eq!(usage.state(), Some((100, 0)));
        usage.recount(|| Ok::<u64, ()>(30)).unwrap();
        assert_eq!(usage.state(), Some((100, 30)));
        // It was counted a moment ago.
        usage.recount_now_and_then(|| Ok::<u64, ()>(40)).unwrap();
        assert_eq!(usage.state(), Some((100, 30)));
    }

    #[test]
    fn without_a_quota_everything_fits() {
        let usage = Usage::new(None);
        assert!(usage.reserve(u64::MAX).is_ok() && usage.has_room(u64::MAX));
        assert_eq!(usage.state(), None);
    }
}
