//! Locks in the repository, as restic has them.
//! What lives here: taking, keeping alive, letting go; what of others is honoured. What does not: what is done under them.
//!
//! Source: "Locks" in restic's design document and its `internal/restic/lock.go`: a lock is a file that says who, when
//! and whether alone; one is written first and the others are looked at after it, so that of two at most one goes on. A
//! lock is stale when it is older than 30 minutes, or of a process of this machine that does not live.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, FileKind};
use crate::crypto::MasterKey;
use crate::error::RepositoryError;
use crate::files;
use crate::id::Id;

/// After so long without a sign of life a lock does not hold any more.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// A sign of life.
const REFRESH: Duration = Duration::from_secs(300);
/// Between the own lock and the second look at others', so that storage that shows files late shows them.
const SETTLE: Duration = Duration::from_millis(200);

/// The content of a lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LockFile {
    time: Timestamp,
    exclusive: bool,
    hostname: String,
    username: String,
    pid: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
}

/// How a repository is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Others may read and add.
    Shared,
    /// Nobody else may do anything: packs are going to be deleted.
    Alone,
}

/// A lock that is kept alive until it is dropped.
pub(crate) struct Lock {
    shared: Arc<Kept>,
    stop: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

struct Kept {
    backend: Arc<dyn Backend>,
    key: MasterKey,
    wanted: Use,
    hostname: String,
    current: Mutex<Id>,
}

impl Lock {
    /// Takes a lock, or says who stands in the way.
    pub(crate) fn take(
        backend: &Arc<dyn Backend>,
        key: &MasterKey,
        hostname: &str,
        wanted: Use,
    ) -> Result<Lock, RepositoryError> {
        look_for_others(backend.as_ref(), key, hostname, wanted, None)?;
        let kept = Kept {
            backend: Arc::clone(backend),
            key: key.clone(),
            wanted,
            hostname: hostname.to_owned(),
            current: Mutex::new(Id::default()),
        };
        let own = kept.write()?;
        kept.set(own);
        std::thread::sleep(SETTLE);
        if let Err(error) = look_for_others(backend.as_ref(), key, hostname, wanted, Some(own)) {
            let _ = backend.remove(FileKind::Lock, &own);
            return Err(error);
        }
        let shared = Arc::new(kept);
        let (stop, stopped) = mpsc::channel();
        let keeping = Arc::clone(&shared);
        let keeper = std::thread::Builder::new()
            .name("lock".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
                    keeping.refresh();
                }
            })
            .map_err(|error| RepositoryError::Limit(format!("no thread for the lock: {error}")))?;
        Ok(Lock {
            shared,
            stop: Some(stop),
            keeper: Some(keeper),
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        let own = *self
            .shared
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.shared.backend.remove(FileKind::Lock, &own) {
            tracing::warn!("a lock stays in the repository until it is stale: {error}");
        }
    }
}

impl Kept {
    fn write(&self) -> Result<Id, RepositoryError> {
        let file = LockFile {
            time: Timestamp::now(),
            exclusive: self.wanted == Use::Alone,
            hostname: self.hostname.clone(),
            username: "backstay".to_owned(),
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            uid: Some(rustix::process::getuid().as_raw()),
            gid: Some(rustix::process::getgid().as_raw()),
        };
        let (id, sealed) = files::seal(&self.key, &file);
        self.backend.write(FileKind::Lock, &id, &sealed)?;
        Ok(id)
    }

    fn set(&self, id: Id) -> Id {
        std::mem::replace(
            &mut *self.current.lock().unwrap_or_else(PoisonError::into_inner),
            id,
        )
    }

    /// The new one is there before the old one goes.
    fn refresh(&self) {
        let refreshed = self.write().and_then(|new| {
            let old = self.set(new);
            self.backend.remove(FileKind::Lock, &old)
        });
        if let Err(error) = refreshed {
            tracing::warn!(
                "the lock in the repository could not be refreshed, it is tried again: {error}"
            );
        }
    }
}

fn is_stale(lock: &LockFile, hostname: &str) -> bool {
    if Timestamp::now().duration_since(lock.time) > STALE_AFTER {
        return true;
    }
    if lock.hostname != hostname {
        return false;
    }
    let lives = Pid::from_raw(lock.pid)
        .is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)));
    !lives
}

/// An error when somebody's lock does not go together with this use. Stale locks of dead processes of this machine are
/// removed on the way, as restic does.
fn look_for_others(
    backend: &dyn Backend,
    key: &MasterKey,
    hostname: &str,
    wanted: Use,
    own: Option<Id>,
) -> Result<(), RepositoryError> {
    for (id, _) in backend.list(FileKind::Lock)? {
        if own == Some(id) {
            continue;
        }
        let lock: LockFile = match files::read(backend, key, FileKind::Lock, &id) {
            Ok(lock) => lock,
            // Let go of meanwhile.
            Err(RepositoryError::Missing { .. }) => continue,
            // Half written by a dying server, or not ours to read: who it is cannot be known, so nobody works alone.
            Err(error @ RepositoryError::Damaged { .. }) if wanted == Use::Alone => {
                return Err(error);
            }
            Err(RepositoryError::Damaged { .. }) => continue,
            Err(error) => return Err(error),
        };
        if is_stale(&lock, hostname) {
            tracing::info!(
                "a stale lock of process {} on {} is removed",
                lock.pid,
                lock.hostname
            );
            backend.remove(FileKind::Lock, &id)?;
            continue;
        }
        if lock.exclusive || wanted == Use::Alone {
            let alone = if lock.exclusive { ", alone" } else { "" };
            return Err(RepositoryError::Locked {
                holder: format!(
                    "process {} of {} on {}{alone}, last sign of life {}",
                    lock.pid, lock.username, lock.hostname, lock.time
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::memory::MemoryBackend;

    fn place() -> (Arc<dyn Backend>, MasterKey) {
        (
            Arc::new(MemoryBackend::default()),
            MasterKey::random().unwrap(),
        )
    }

    fn plant(
        backend: &Arc<dyn Backend>,
        key: &MasterKey,
        age: SignedDuration,
        hostname: &str,
        pid: i32,
    ) {
        let file = LockFile {
            time: Timestamp::now() - age,
            exclusive: true,
            hostname: hostname.to_owned(),
            username: "root".to_owned(),
            pid,
            uid: None,
            gid: None,
        };
        let (id, sealed) = files::seal(key, &file);
        backend.write(FileKind::Lock, &id, &sealed).unwrap();
    }

    #[test]
    fn shared_goes_with_shared_and_nothing_with_alone() {
        let (backend, key) = place();
        let take = |wanted| Lock::take(&backend, &key, "here", wanted);
        let first = take(Use::Shared).unwrap();
        let second = take(Use::Shared).unwrap();
        assert!(matches!(
            take(Use::Alone),
            Err(RepositoryError::Locked { .. })
        ));
        drop(first);
        drop(second);
        let alone = take(Use::Alone).unwrap();
        assert!(take(Use::Shared).is_err());
        drop(alone);
        assert!(backend.list(FileKind::Lock).unwrap().is_empty());
    }

    #[test]
    fn a_living_lock_holds_and_a_stale_one_does_not() {
        let (backend, key) = place();
        plant(
            &backend,
            &key,
            SignedDuration::from_mins(29),
            "elsewhere",
            1,
        );
        assert!(Lock::take(&backend, &key, "here", Use::Shared).is_err());

        let (backend, key) = place();
        plant(
            &backend,
            &key,
            SignedDuration::from_mins(31),
            "elsewhere",
            1,
        );
        drop(Lock::take(&backend, &key, "here", Use::Shared).unwrap());

        let (backend, key) = place();
        // Above the largest number that Linux gives to a process.
        plant(&backend, &key, SignedDuration::ZERO, "here", 4_194_305);
        drop(Lock::take(&backend, &key, "here", Use::Alone).unwrap());
    }
}
