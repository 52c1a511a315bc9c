//! A repository in memory that fails when told to, for tests.
//! What lives here: the map and the failures. What does not: anything that is shipped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{Backend, FileKind, name};
use crate::error::RepositoryError;
use crate::id::Id;

/// Files by name. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct MemoryBackend {
    pub(crate) files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub(crate) is_down: Arc<AtomicBool>,
    /// Bytes that were read with `read_range` and `read`.
    pub(crate) bytes_read: Arc<AtomicU64>,
    /// Writes that still work; the one behind fails, and so do all others.
    pub(crate) writes_left: Arc<Mutex<Option<u64>>>,
    /// The same for writes and removals, other than of locks.
    pub(crate) changes_left: Arc<Mutex<Option<u64>>>,
}

impl MemoryBackend {
    fn look(&self, doing: &str) -> Result<(), RepositoryError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(RepositoryError::Unreachable {
                location: self.location(),
                why: doing.to_owned(),
            });
        }
        Ok(())
    }

    /// Takes one of what is left; an error when nothing is.
    fn spend(&self, left: &Mutex<Option<u64>>, doing: String) -> Result<(), RepositoryError> {
        match left.lock().unwrap().as_mut() {
            Some(0) => Err(RepositoryError::Unreachable {
                location: self.location(),
                why: doing,
            }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn missing(&self, kind: FileKind, id: &Id) -> RepositoryError {
        RepositoryError::Missing {
            kind,
            name: name(kind, id),
            location: self.location(),
        }
    }
}

impl Backend for MemoryBackend {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self, kind: FileKind) -> Result<Vec<(Id, u64)>, RepositoryError> {
        self.look("listing")?;
        if kind == FileKind::Config {
            let found = self.has_config()?;
            return Ok(found.then(|| (Id::default(), 0)).into_iter().collect());
        }
        let prefix = format!("{}/", kind.directory());
        let files = self.files.lock().unwrap();
        let of_kind = files.iter().filter(|(name, _)| name.starts_with(&prefix));
        Ok(of_kind
            .filter_map(|(name, content)| {
                Some((name.rsplit('/').next()?.parse().ok()?, content.len() as u64))
            })
            .collect())
    }

    fn read(&self, kind: FileKind, id: &Id) -> Result<Vec<u8>, RepositoryError> {
        self.look("reading")?;
        let files = self.files.lock().unwrap();
        let content = files
            .get(&name(kind, id))
            .ok_or_else(|| self.missing(kind, id))?;
        self.bytes_read
            .fetch_add(content.len() as u64, Ordering::SeqCst);
        Ok(content.clone())
    }

    fn read_range(
        &self,
        kind: FileKind,
        id: &Id,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, RepositoryError> {
        self.look("reading")?;
        let files = self.files.lock().unwrap();
        let content = files
            .get(&name(kind, id))
            .ok_or_else(|| self.missing(kind, id))?;
        self.bytes_read.fetch_add(length as u64, Ordering::SeqCst);
        let begin = usize::try_from(offset).unwrap();
        content
            .get(begin..begin + length)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| RepositoryError::damaged_file(kind, id, "it is too short"))
    }

    fn write(&self, kind: FileKind, id: &Id, content: &[u8]) -> Result<(), RepositoryError> {
        self.look("writing")?;
        self.spend(&self.writes_left, format!("writing {}", name(kind, id)))?;
        if kind != FileKind::Lock {
            self.spend(&self.changes_left, format!("writing {}", name(kind, id)))?;
        }
        self.files
            .lock()
            .unwrap()
            .insert(name(kind, id), content.to_vec());
        Ok(())
    }

    fn remove(&self, kind: FileKind, id: &Id) -> Result<(), RepositoryError> {
        self.look("removing")?;
        if kind != FileKind::Lock {
            self.spend(&self.changes_left, format!("removing {}", name(kind, id)))?;
        }
        self.files.lock().unwrap().remove(&name(kind, id));
        Ok(())
    }

    fn create(&self) -> Result<(), RepositoryError> {
        self.look("making")
    }

    fn writers(&self) -> usize {
        2
    }
}
