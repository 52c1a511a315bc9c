//! Where each blob lies: the repository's index, kept on the local disk in sorted runs.
//! What lives here: looking up, adding, and bringing the local copy up to date. What does not: the runs' bytes (run).
//!
//! An index of 10 TiB in chunks of 64 KiB has 168 million entries; in memory it would take gigabytes. Here a run is a
//! sorted file, of which one entry in 128 is remembered. What was just added is in memory until it becomes a run. Runs
//! grow by merging, so there are few. The local copy is nothing but a copy: when index files have vanished from the
//! repository, or it does not fit its checksums, it is made anew.

mod run;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backend::{Backend, FileKind};
use crate::crypto::MasterKey;
use crate::error::RepositoryError;
use crate::files::{self, BlobKind, IndexFile, IndexedBlob, IndexedPack};
use crate::id::Id;
use run::{Entry, Run};

/// Entries in memory that become a run: about 80 MiB.
const FRESH_MAX: usize = 1 << 20;

/// Where a blob lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub pack: Id,
    pub blob: IndexedBlob,
}

impl Place {
    /// Bytes of the blob when it is opened.
    pub(crate) fn plain_bytes(&self) -> u64 {
        let stored = u64::from(self.blob.length).saturating_sub(crate::crypto::OVERHEAD as u64);
        self.blob.uncompressed_length.map_or(stored, u64::from)
    }
}

/// The local copy of a repository's index.
pub(crate) struct Index {
    directory: PathBuf,
    packs: Vec<Id>,
    numbers: HashMap<Id, u32>,
    runs: Vec<Run>,
    fresh: HashMap<Id, Entry>,
    /// Index files of the repository whose entries are here.
    files: BTreeSet<Id>,
    /// Of these, those whose entries are in runs on the disk.
    next_run: u64,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    repository: Id,
    packs: Vec<Id>,
    files: BTreeSet<Id>,
    runs: Vec<RunName>,
    next_run: u64,
}

#[derive(Serialize, Deserialize)]
struct RunName {
    number: u64,
    sha256: Id,
}

fn local(path: &Path, doing: &str, error: &io::Error) -> RepositoryError {
    RepositoryError::file(
        path,
        format!(
            "{doing}: {error}. HINT: the local copy of the index needs about 60 bytes for each chunk"
        ),
    )
}

impl Index {
    /// The local copy in a directory, as far as it is good.
    pub(crate) fn load(directory: &Path, repository: Id) -> Result<Index, RepositoryError> {
        fs::create_dir_all(directory).map_err(|error| local(directory, "making it", &error))?;
        let empty = || Index {
            directory: directory.to_owned(),
            packs: Vec::new(),
            numbers: HashMap::new(),
            runs: Vec::new(),
            fresh: HashMap::new(),
            files: BTreeSet::new(),
            next_run: 0,
        };
        let index = match Index::try_load(directory, repository) {
            Ok(Some(index)) => index,
            Ok(None) => empty(),
            Err(why) => {
                tracing::warn!(
                    "the local copy of the index in {} is made anew: {why}",
                    directory.display()
                );
                empty()
            }
        };
        index.remove_strays();
        Ok(index)
    }

    fn try_load(directory: &Path, repository: Id) -> Result<Option<Index>, String> {
        let manifest = match fs::read(directory.join("manifest.json")) {
            Ok(manifest) => manifest,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let manifest: Manifest =
            serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        if manifest.repository != repository {
            return Err("it is of another repository".to_owned());
        }
        let mut runs = Vec::new();
        for name in &manifest.runs {
            runs.push(Run::open(
                directory,
                name.number,
                name.sha256,
                manifest.packs.len(),
            )?);
        }
        Ok(Some(Index {
            directory: directory.to_owned(),
            numbers: (0..)
                .zip(&manifest.packs)
                .map(|(number, id)| (*id, number))
                .collect(),
            packs: manifest.packs,
            runs,
            fresh: HashMap::new(),
            files: manifest.files,
            next_run: manifest.next_run,
        }))
    }

    /// Runs that no manifest names: a crash came between them.
    fn remove_strays(&self) {
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name
                .strip_suffix(".run")
                .and_then(|number| number.parse::<u64>().ok());
            let is_known =
                number.is_some_and(|number| self.runs.iter().any(|run| run.number() == number));
            if name.ends_with(".run") && !is_known {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Brings the copy up to date with the repository.
    pub(crate) fn refresh(
        &mut self,
        backend: &dyn Backend,
        key: &MasterKey,
        repository: Id,
    ) -> Result<(), RepositoryError> {
        let there: BTreeSet<Id> = backend
            .list(FileKind::Index)?
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        if !self.files.is_subset(&there) {
            // Swept, here or by somebody else: what the old files said may not be true any more.
            self.clear(repository)?;
        }
        let missing: Vec<Id> = there.difference(&self.files).copied().collect();
        for id in &missing {
            let file: IndexFile = files::read(backend, key, FileKind::Index, id)?;
            for pack in &file.packs {
                self.add(pack)?;
            }
            self.files.insert(*id);
            if self.fresh.len() >= FRESH_MAX {
                self.settle(repository)?;
            }
        }
        if missing.is_empty() {
            Ok(())
        } else {
            self.settle(repository)
        }
    }

    fn clear(&mut self, repository: Id) -> Result<(), RepositoryError> {
        self.packs.clear();
        self.numbers.clear();
        self.runs.clear();
        self.fresh.clear();
        self.files.clear();
        self.write_manifest(repository)?;
        self.remove_strays();
        Ok(())
    }

    /// Where the blob lies.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<Place>, RepositoryError> {
        let mut entry = self.fresh.get(id).copied();
        for run in self.runs.iter().rev() {
            if entry.is_some() {
                break;
            }
            entry = run
                .find(id)
                .map_err(|error| local(&self.directory, "reading it", &error))?;
        }
        Ok(entry.and_then(|entry| {
            let pack = *self.packs.get(entry.pack as usize)?;
            Some(Place {
                pack,
                blob: entry.blob(*id),
            })
        }))
    }

    pub(crate) fn contains(&self, id: &Id) -> Result<bool, RepositoryError> {
        Ok(self.find(id)?.is_some())
    }

    /// Adds a pack that an index file of the repository names.
    pub(crate) fn add(&mut self, pack: &IndexedPack) -> Result<(), RepositoryError> {
        let number = match self.numbers.get(&pack.id) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.packs.len())
                    .ok()
                    .filter(|number| *number < run::PACKS_MAX)
                    .ok_or_else(|| {
                        RepositoryError::Limit(format!(
                            "the repository has more than {} packs",
                            run::PACKS_MAX
                        ))
                    })?;
                self.packs.push(pack.id);
                self.numbers.insert(pack.id, number);
                number
            }
        };
        for blob in &pack.blobs {
            self.fresh.insert(blob.id, Entry::new(number, blob));
        }
        Ok(())
    }

    /// Notes that an index file of this name holds what was added last, and puts it on the disk.
    pub(crate) fn note_file(&mut self, file: Id, repository: Id) -> Result<(), RepositoryError> {
        self.files.insert(file);
        self.settle(repository)
    }

    /// What is in memory becomes a run.
    fn settle(&mut self, repository: Id) -> Result<(), RepositoryError> {
        let failed = |error: io::Error| local(&self.directory, "writing it", &error);
        let mut old = Vec::new();
        if !self.fresh.is_empty() {
            let mut entries: Vec<(Id, Entry)> =
                self.fresh.iter().map(|(id, entry)| (*id, *entry)).collect();
            entries.sort_unstable_by_key(|(id, _)| *id);
            let run = Run::write(&self.directory, self.next_run, entries.into_iter().map(Ok))
                .map_err(failed)?;
            self.next_run += 1;
            self.runs.push(run);
            // Like a counter in base two: each entry is merged a logarithmic number of times.
            while let [.., before, last] = &self.runs[..] {
                if before.len() > last.len() * 2 {
                    break;
                }
                let merged =
                    Run::merge(&self.directory, self.next_run, before, last).map_err(failed)?;
                self.next_run += 1;
                old.extend(self.runs.pop());
                old.extend(self.runs.pop());
                self.runs.push(merged);
            }
        }
        self.write_manifest(repository)?;
        self.fresh.clear();
        for run in old {
            run.remove(&self.directory);
        }
        Ok(())
    }

    fn write_manifest(&self, repository: Id) -> Result<(), RepositoryError> {
        let manifest = Manifest {
            repository,
            packs: self.packs.clone(),
            files: self.files.clone(),
            runs: self
                .runs
                .iter()
                .map(|run| RunName {
                    number: run.number(),
                    sha256: run.sha256(),
                })
                .collect(),
            next_run: self.next_run,
        };
        let json = serde_json::to_vec(&manifest).expect("our own types become JSON");
        crate::disk::replace(&self.directory.join("manifest.json"), &json)
            .map_err(|error| local(&self.directory, "writing it", &error))
    }

    /// Blobs and packs that are known. Blobs that several runs hold count each time.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let blobs = self.runs.iter().map(Run::len).sum::<u64>() + self.fresh.len() as u64;
        (blobs, self.packs.len() as u64)
    }

    /// Calls with every entry of every run: plain and stored bytes.
    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(BlobKind, u64, u64),
    ) -> Result<(), RepositoryError> {
        for run in &self.runs {
            for entry in run
                .entries()
                .map_err(|error| local(&self.directory, "reading it", &error))?
            {
                let (id, entry) =
                    entry.map_err(|error| local(&self.directory, "reading it", &error))?;
                let blob = entry.blob(id);
                let stored = u64::from(blob.length);
                let plain = blob.uncompressed_length.map_or_else(
                    || stored.saturating_sub(crate::crypto::OVERHEAD as u64),
                    u64::from,
                );
                visit(blob.kind, plain, stored);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::memory::MemoryBackend;

    fn pack(number: u32, blobs: u32) -> IndexedPack {
        IndexedPack {
            id: Id::of(&number.to_le_bytes()),
            blobs: (0..blobs)
                .map(|blob| IndexedBlob {
                    id: Id::of(format!("{number}/{blob}").as_bytes()),
                    kind: if blob % 7 == 0 {
                        BlobKind::Tree
                    } else {
                        BlobKind::Data
                    },
                    offset: blob * 100,
                    length: 100,
                    uncompressed_length: (blob % 2 == 0).then_some(500),
                })
                .collect(),
        }
    }

    fn store(backend: &MemoryBackend, key: &MasterKey, packs: Vec<IndexedPack>) -> Id {
        let (id, sealed) = files::seal(key, &IndexFile { packs });
        backend.write(FileKind::Index, &id, &sealed).unwrap();
        id
    }

    #[test]
    fn blobs_are_found_after_merging_after_a_restart_and_after_a_sweep() {
        let directory = tempfile::tempdir().unwrap();
        let (backend, key) = (MemoryBackend::default(), MasterKey::random().unwrap());
        let repository = Id::of(b"repository");
        let mut index = Index::load(directory.path(), repository).unwrap();
        let mut last = Id::default();
        for number in 0..20 {
            last = store(&backend, &key, vec![pack(number, 200)]);
            index.refresh(&backend, &key, repository).unwrap();
        }
        assert!(index.runs.len() < 6, "{}", index.runs.len());
        let check = |index: &Index, numbers: std::ops::Range<u32>| {
            for number in numbers {
                let pack = pack(number, 200);
                for blob in &pack.blobs {
                    let place = index.find(&blob.id).unwrap().unwrap();
                    assert_eq!((place.pack, &place.blob), (pack.id, blob));
                }
            }
            assert!(!index.contains(&Id::of(b"none")).unwrap());
        };
        check(&index, 0..20);
        drop(index);
        let mut index = Index::load(directory.path(), repository).unwrap();
        check(&index, 0..20);

        backend.remove(FileKind::Index, &last).unwrap();
        index.refresh(&backend, &key, repository).unwrap();
        check(&index, 0..19);
        assert!(!index.contains(&pack(19, 1).blobs[0].id).unwrap());
        let runs = fs::read_dir(directory.path()).unwrap().count();
        assert!(
            runs <= 1 + index.runs.len(),
            "runs that nobody needs are left"
        );
    }

    #[test]
    fn a_local_copy_with_a_changed_bit_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (backend, key) = (MemoryBackend::default(), MasterKey::random().unwrap());
        let repository = Id::of(b"repository");
        store(&backend, &key, vec![pack(1, 300)]);
        let mut index = Index::load(directory.path(), repository).unwrap();
        index.refresh(&backend, &key, repository).unwrap();
        drop(index);
        let path = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "run"))
            .unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut index = Index::load(directory.path(), repository).unwrap();
        assert_eq!(index.counts(), (0, 0));
        index.refresh(&backend, &key, repository).unwrap();
        assert!(index.contains(&pack(1, 300).blobs[299].id).unwrap());
    }
}
