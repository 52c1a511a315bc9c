//! What is left to others: sweeping what no recovery point needs, and a second opinion.
//! What lives here: the trait, and forgetting and sweeping with its locks. What does not: who does it (rustic).

mod rustic;

use std::collections::HashSet;

use crate::Repository;
use crate::backend::FileKind;
use crate::error::RepositoryError;
use crate::id::Id;
use crate::lock::Use;
use crate::verify::Finding;
use crate::watch::Watch;

pub(crate) use rustic::{Rustic, init};

/// Someone who can sweep and check a repository in the restic format.
pub(crate) trait Maintenance {
    /// Removes what no recovery point needs. Nobody else uses the repository meanwhile. After a crash at any point every
    /// recovery point is whole, and the next sweep removes the rest.
    fn sweep(&self, watch: &dyn Watch) -> Result<(), RepositoryError>;

    /// Looks whether directories, index and packs fit one another.
    fn check(&self) -> Result<Vec<Finding>, RepositoryError>;
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Bytes of all packs before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Packs that were written: what was still needed of those removed.
    pub packs_written: u64,
}

impl Repository {
    /// Deletes a recovery point. The room is returned by the next sweep.
    pub fn forget(&self, id: &Id, watch: &dyn Watch) -> Result<(), RepositoryError> {
        let _lock = self.lock(Use::Shared)?;
        watch.step("delete-before");
        self.backend.remove(FileKind::Snapshot, id)?;
        watch.step("delete-after");
        Ok(())
    }

    /// Removes what no recovery point needs. Needs the repository alone.
    ///
    /// # Errors
    /// [`RepositoryError::Locked`] if somebody uses it; it may be tried again.
    pub fn sweep(&self, watch: &dyn Watch) -> Result<Swept, RepositoryError> {
        let _lock = self.lock(Use::Alone)?;
        watch.step("sweep-begin");
        let before = self.backend.list(FileKind::Pack)?;
        Rustic::new(self).sweep(watch)?;
        watch.step("sweep-end");
        let after = self.backend.list(FileKind::Pack)?;
        self.refresh_index()?;
        let names = |packs: &[(Id, u64)]| packs.iter().map(|(id, _)| *id).collect::<HashSet<Id>>();
        let bytes = |packs: &[(Id, u64)]| packs.iter().map(|(_, bytes)| bytes).sum();
        let (old, new) = (names(&before), names(&after));
        self.verified.keep_only(&new)?;
        Ok(Swept {
            bytes_before: bytes(&before),
            bytes_after: bytes(&after),
            packs_removed: old.difference(&new).count() as u64,
            packs_written: new.difference(&old).count() as u64,
        })
    }
}
