//! One call at a time for each mount.
//! What lives here: waiting for a mount, and giving up. What does not: what is done with it.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::code::Code;

use crate::refusal::Refusal;

/// How long a call waits for another of its mount. Sealing with the copy driver may take longer; then the caller hears it.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// The mounts that are held, by name.
#[derive(Debug, Default)]
pub(super) struct MountLocks {
    held: Mutex<HashSet<String>>,
    released: Condvar,
}

/// A mount that is held until this is dropped.
#[derive(Debug)]
#[must_use = "the mount is held only as long as this lives"]
pub(super) struct MountLock<'a> {
    locks: &'a MountLocks,
    name: String,
}

impl MountLocks {
    /// Takes a mount, and waits for it as long as a call may.
    pub(super) fn take(&self, name: &str) -> Result<MountLock<'_>, Refusal> {
        self.take_within(name, WAIT_LIMIT).ok_or_else(|| {
            Refusal::new(
                Code::MountBusy,
                format!(
                    "another call has held the mount {name} for {} s",
                    WAIT_LIMIT.as_secs()
                ),
                "it may be taking a snapshot; try again",
            )
        })
    }

    /// Takes a mount, however long it takes.
    pub(super) fn wait_for(&self, name: &str) -> MountLock<'_> {
        loop {
            if let Some(lock) = self.take_within(name, WAIT_LIMIT) {
                return lock;
            }
        }
    }

    fn take_within(&self, name: &str, limit: Duration) -> Option<MountLock<'_>> {
        let deadline = Instant::now() + limit;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while held.contains(name) {
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.released.wait_timeout(held, left);
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        held.insert(name.to_owned());
        Some(MountLock {
            locks: self,
            name: name.to_owned(),
        })
    }
}

impl Drop for MountLock<'_> {
    fn drop(&mut self) {
        let mut held = self
            .locks
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.name);
        self.locks.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_held_by_one_and_others_are_free() {
        let locks = MountLocks::default();
        let first = locks.take("a").unwrap();
        assert!(locks.take_within("a", Duration::ZERO).is_none());
        drop(locks.take("b").unwrap());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(locks.wait_for("a")));
            assert!(locks.take_within("a", Duration::from_millis(1)).is_none());
            drop(first);
            waiting.join().unwrap();
        });
        assert!(locks.take_within("a", Duration::ZERO).is_some());
    }
}
