//! The table of exports, changed while servers serve them.
//! What lives here: adding, removing, changing and pausing exports. What does not: calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use crate::error::ExportError;
use crate::export::{Export, LiveExport};
use crate::gate::Pause;
use crate::open_files::SyncFailures;
use crate::policy::ExportPolicy;

/// Bytes of the longest name of an export (RFC 1813, MNTPATHLEN).
pub(crate) const NAME_BYTES_MAX: usize = 1024;

/// The exports of one or several servers; clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct Exports(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    by_id: RwLock<BTreeMap<u64, Arc<LiveExport>>>,
    sync_failures: Arc<SyncFailures>,
}

impl Exports {
    /// None yet.
    pub fn new() -> Exports {
        Exports::default()
    }

    fn by_id(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Arc<LiveExport>>> {
        self.0.by_id.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn with_id(&self, id: u64) -> Option<Arc<LiveExport>> {
        self.by_id().get(&id).map(Arc::clone)
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<LiveExport>> {
        self.by_id()
            .values()
            .find(|export| export.name == name)
            .map(Arc::clone)
    }

    pub(crate) fn all(&self) -> Vec<Arc<LiveExport>> {
        self.by_id().values().map(Arc::clone).collect()
    }

    pub(crate) fn sync_failures(&self) -> &SyncFailures {
        &self.0.sync_failures
    }

    fn find(&self, name: &str) -> Result<Arc<LiveExport>, ExportError> {
        self.named(name)
            .ok_or_else(|| ExportError::Unknown(name.to_owned()))
    }

    /// Serves a directory from now on. With a quota, what it holds is counted first, which takes its time with many files.
    pub fn add(&self, export: Export) -> Result<(), ExportError> {
        check_name(&export.name)?;
        self.check_free(&export.name, export.id, &self.by_id())?;
        let live = LiveExport::new(export, Arc::clone(&self.0.sync_failures))?;
        let mut by_id = self.0.by_id.write().unwrap_or_else(PoisonError::into_inner);
        // Asked again: meanwhile somebody else may have come.
        self.check_free(&live.name, live.id, &by_id)?;
        by_id.insert(live.id, Arc::new(live));
        Ok(())
    }

    fn check_free(
        &self,
        name: &str,
        id: u64,
        by_id: &BTreeMap<u64, Arc<LiveExport>>,
    ) -> Result<(), ExportError> {
        if by_id.values().any(|export| export.name == name) {
            return Err(ExportError::NameTaken(name.to_owned()));
        }
        by_id.get(&id).map_or(Ok(()), |other| {
            Err(ExportError::IdTaken {
                name: name.to_owned(),
                id,
                other: other.name.clone(),
            })
        })
    }

    /// Ends the service of an export. When it returns, no call is inside, what clients had written is synced, and all files
    /// and the directory are closed, so that it can be unmounted or destroyed. Clients see stale handles from the first
    /// moment on.
    pub fn remove(&self, name: &str) -> Result<(), ExportError> {
        let export = {
            let mut by_id = self.0.by_id.write().unwrap_or_else(PoisonError::into_inner);
            let id = by_id
                .values()
                .find(|export| export.name == name)
                .map(|export| export.id);
            id.and_then(|id| by_id.remove(&id))
        };
        export
            .ok_or_else(|| ExportError::Unknown(name.to_owned()))?
            .close();
        Ok(())
    }

    /// Changes who may do what. When it returns, no changing call is under way that the new policy might not allow.
    pub fn set_policy(&self, name: &str, policy: ExportPolicy) -> Result<(), ExportError> {
        let export = self.find(name)?;
        export.set_policy(policy);
        // Calls ask for the policy inside the gate. Waiting until it was empty once is enough.
        drop(export.gate.pause(None));
        Ok(())
    }

    /// The names of all exports.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .by_id()
            .values()
            .map(|export| export.name.clone())
            .collect();
        names.sort();
        names
    }

    /// Bytes that an export with a quota holds, as they are counted; None: it has no quota.
    pub fn used_bytes(&self, name: &str) -> Result<Option<u64>, ExportError> {
        Ok(self.find(name)?.usage.state().map(|(_, used)| used))
    }

    /// Counts anew what an export with a quota holds. To be called after its directory was changed from outside.
    pub fn recount(&self, name: &str) -> Result<(), ExportError> {
        let export = self.find(name)?;
        export
            .recount()
            .map_err(|error| ExportError::Count(name.to_owned(), error))
    }

    /// Brings an export to rest for a snapshot: calls that would change something wait, without an error for their client;
    /// those under way have ended; all data that clients wrote is on the disk. It may take `limit` at most, otherwise
    /// everything goes on as before. The rest lasts until what is given here is dropped.
    ///
    /// Data is synced before the calls are held, and once more, which is short, while they are.
    pub fn quiesce(&self, name: &str, limit: Duration) -> Result<Quiesced, ExportError> {
        let export = self.find(name)?;
        let deadline = Instant::now() + limit;
        let busy = || ExportError::Busy {
            name: name.to_owned(),
            limit,
        };
        let sync = || {
            let synced = export.open_files.sync(export.sync_failures());
            synced.map_err(|error| ExportError::Sync(name.to_owned(), error))
        };
        sync()?;
        if Instant::now() > deadline {
            return Err(busy());
        }
        let begun = Instant::now();
        let pause = export.gate.pause(Some(deadline)).ok_or_else(busy)?;
        sync()?;
        if Instant::now() > deadline {
            return Err(busy());
        }
        Ok(Quiesced {
            _pause: pause,
            begun,
        })
    }
}

/// A name is the path from the root that clients mount.
fn check_name(name: &str) -> Result<(), ExportError> {
    let parts = name
        .strip_prefix('/')
        .map(|parts| parts.split('/').collect::<Vec<&str>>());
    let good =
        |part: &&str| !matches!(*part, "" | "." | "..") && !part.chars().any(char::is_control);
    match parts {
        Some(parts) if parts.iter().all(good) && name.len() <= NAME_BYTES_MAX => Ok(()),
        _ => Err(ExportError::Name(name.to_owned())),
    }
}

/// An export at rest. Dropping it lets the clients go on.
#[must_use = "the export is at rest only as long as this lives"]
pub struct Quiesced {
    _pause: Pause,
    begun: Instant,
}

impl Quiesced {
    /// How long clients have been held.
    pub fn held(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl fmt::Debug for Quiesced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Quiesced for {:?}", self.held())
    }
}
