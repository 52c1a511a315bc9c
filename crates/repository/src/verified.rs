//! Packs that were read back since they were written.
//! What lives here: a list on the local disk, to which names are only added. What does not: reading packs (verify).
//!
//! It saves reading what was read: after each ingest only its new packs are. Who wants to know what has become of the old
//! ones says `recovery-point verify`. A list that is lost or cut makes the next verification read more.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::RepositoryError;
use crate::id::Id;

pub(crate) struct Verified {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Verified {
    pub(crate) fn new(path: &Path) -> Verified {
        Verified {
            path: path.to_owned(),
            file: Mutex::new(None),
        }
    }

    /// Whoever sweeps deletes packs; their names say nothing any more.
    pub(crate) fn keep_only(&self, there: &HashSet<Id>) -> Result<(), RepositoryError> {
        let kept = self.names()?;
        let mut content = Vec::new();
        for id in kept.intersection(there) {
            content.extend(id.bytes());
        }
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        crate::disk::replace(&self.path, &content)
            .map_err(|error| RepositoryError::file(&self.path, error))
    }

    pub(crate) fn names(&self) -> Result<HashSet<Id>, RepositoryError> {
        let mut content = Vec::new();
        match File::open(&self.path).and_then(|mut file| file.read_to_end(&mut content)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(RepositoryError::file(&self.path, error));
            }
            _ => {}
        }
        let (names, _) = content.as_chunks::<{ Id::BYTES }>();
        Ok(names.iter().map(|bytes| Id::new(*bytes)).collect())
    }

    pub(crate) fn note(&self, id: &Id) -> Result<(), RepositoryError> {
        let failed = |error| RepositoryError::file(&self.path, error);
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path)
                .map_err(failed)?;
            // A name that a crash cut in two would shift all behind it.
            let length = file.metadata().map_err(failed)?.len();
            file.set_len(length - length % Id::BYTES as u64)
                .map_err(failed)?;
            *held = Some(file);
        }
        match held.as_mut() {
            Some(file) => file.write_all(id.bytes()).map_err(failed),
            None => Ok(()),
        }
    }

    pub(crate) fn sync(&self) -> Result<(), RepositoryError> {
        match &*self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file
                .sync_all()
                .map_err(|error| RepositoryError::file(&self.path, error)),
            None => Ok(()),
        }
    }
}
