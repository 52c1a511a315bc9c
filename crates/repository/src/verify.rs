//! Reading back: is what is in the repository what was written?
//! What lives here: one recovery point, or all of the repository. What does not: repairing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::backend::{FILE_BYTES_MAX, FileKind};
use crate::error::RepositoryError;
use crate::files::{self, IndexFile, IndexedBlob};
use crate::id::Id;
use crate::lock::Use;
use crate::maintenance::{Maintenance, Rustic};
use crate::pack;
use crate::point::Point;
use crate::tree::NodeKind;
use crate::watch::{Counters, Watch, obey};
use crate::{Repository, keys};

/// Packs that are read at once; each takes 16 MiB, and as much for the longest blob.
const READERS: usize = 2;
/// Findings that are kept.
const FINDINGS_MAX: usize = 1000;

/// What is wrong with a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is damaged or missing, and how one can tell.
    pub what: String,
    /// Whether data are lost by it. Otherwise it only takes room.
    pub is_damage: bool,
}

/// Which packs of a recovery point are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Those that were not read back since they were written.
    New,
    /// All.
    All,
}

/// Findings of several threads.
struct Findings(Mutex<Vec<Finding>>);

impl Findings {
    fn new() -> Findings {
        Findings(Mutex::new(Vec::new()))
    }

    fn note(&self, what: impl ToString, is_damage: bool) {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < FINDINGS_MAX {
            findings.push(Finding {
                what: what.to_string(),
                is_damage,
            });
        }
    }

    /// Damage becomes a finding; what hinders looking stays an error.
    fn catch<T>(&self, result: Result<T, RepositoryError>) -> Result<Option<T>, RepositoryError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ (RepositoryError::Damaged { .. } | RepositoryError::Missing { .. })) => {
                self.note(error, true);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn finish(self) -> Vec<Finding> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blobs that an index names, by pack.
type Named = HashMap<Id, Vec<IndexedBlob>>;

impl Repository {
    /// Reads a recovery point back: its snapshot file, config, keys and index, all its directories, and the packs with its
    /// data. Returns what is damaged; nothing means that a restore gives every byte.
    ///
    /// # Errors
    /// When the repository cannot be read at all, or the caller wants it to end.
    pub fn verify(
        &self,
        point: &Point,
        depth: Depth,
        watch: &dyn Watch,
    ) -> Result<Vec<Finding>, RepositoryError> {
        let _lock = self.lock(Use::Shared)?;
        self.refresh_index()?;
        watch.step("verify-begin");
        let findings = Findings::new();
        if depth == Depth::All {
            for kind in [FileKind::Key, FileKind::Index] {
                self.check_small_files(kind, &findings)?;
            }
            findings.catch(keys::read_config(self.backend.as_ref(), &self.key))?;
        }
        findings.catch(crate::point::read(
            self.backend.as_ref(),
            &self.key,
            &point.id,
        ))?;
        let mut packs = self.packs_of(point, &findings)?;
        if depth == Depth::New {
            let verified = self.verified.names()?;
            packs.retain(|pack| !verified.contains(pack));
        }
        let packs: Vec<Id> = packs.into_iter().collect();
        self.read_packs(&packs, None, &findings, watch)?;
        watch.step("verify-end");
        Ok(findings.finish())
    }

    /// The packs that a recovery point needs; what is missing of it becomes a finding.
    fn packs_of(
        &self,
        point: &Point,
        findings: &Findings,
    ) -> Result<BTreeSet<Id>, RepositoryError> {
        let mut packs = BTreeSet::new();
        let mut trees = vec![point.tree];
        let mut seen = HashSet::new();
        while let Some(id) = trees.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(tree) = findings.catch(self.tree(&id))? else {
                continue;
            };
            packs.insert(self.place(&id)?.pack);
            for node in tree.nodes {
                if node.kind == NodeKind::Dir {
                    match node.subtree {
                        Some(subtree) => trees.push(subtree),
                        None => findings.note(format!("a directory in {id} has no list"), true),
                    }
                }
                if node.kind == NodeKind::File {
                    self.check_file(&node, &mut packs, findings)?;
                }
            }
        }
        Ok(packs)
    }

    fn check_file(
        &self,
        node: &crate::tree::Node,
        packs: &mut BTreeSet<Id>,
        findings: &Findings,
    ) -> Result<(), RepositoryError> {
        let index = self.index()?;
        let mut bytes = 0;
        for id in node.content.iter().flatten() {
            match index.find(id)? {
                Some(place) => {
                    bytes += place.plain_bytes();
                    packs.insert(place.pack);
                }
                None => {
                    findings.note(
                        format!("{}: its chunk {id} is in no index file", node.name),
                        true,
                    );
                    return Ok(());
                }
            }
        }
        if bytes != node.size {
            findings.note(
                format!(
                    "{}: its chunks have {bytes} bytes and it has {}",
                    node.name, node.size
                ),
                true,
            );
        }
        Ok(())
    }

    /// Reads packs as a whole. With `named` it is compared with what the index files say, too.
    fn read_packs(
        &self,
        packs: &[Id],
        named: Option<&Named>,
        findings: &Findings,
        watch: &dyn Watch,
    ) -> Result<(), RepositoryError> {
        let next = AtomicUsize::new(0);
        let has_failed = AtomicBool::new(false);
        let work = || -> Result<(), RepositoryError> {
            while let Some(id) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if has_failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                obey(watch)?;
                if findings.catch(self.read_pack(id, named, watch))?.is_some() {
                    self.verified.note(id)?;
                }
            }
            Ok(())
        };
        let mut first = Ok(());
        std::thread::scope(|scope| {
            let work = || work().inspect_err(|_| has_failed.store(true, Ordering::Relaxed));
            let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(work)).collect();
            for reader in readers {
                let ended = reader.join().unwrap_or_else(|_| {
                    Err(RepositoryError::Maintenance {
                        doing: "reading packs",
                        why: "a thread panicked".to_owned(),
                    })
                });
                if first.is_ok() {
                    first = ended;
                }
            }
        });
        self.verified.sync()?;
        first
    }

    fn read_pack(
        &self,
        id: &Id,
        named: Option<&Named>,
        watch: &dyn Watch,
    ) -> Result<(), RepositoryError> {
        let damaged = |why: String| RepositoryError::damaged_file(FileKind::Pack, id, why);
        let bytes = self.backend.read(FileKind::Pack, id)?;
        Counters::add(&watch.counters().read, bytes.len() as u64);
        let is_as_named = Id::of(&bytes) == *id;
        // The header and the blobs are opened even so: what they say helps who has to find out what is lost.
        if !is_as_named {
            return Err(damaged("its content is not what its name says".to_owned()));
        }
        let blobs = pack::read_header(&self.key, &bytes).map_err(damaged)?;
        for blob in &blobs {
            let sealed = bytes
                .get(blob.offset as usize..)
                .and_then(|rest| rest.get(..blob.length as usize))
                .ok_or_else(|| damaged(format!("blob {} lies outside of it", blob.id)))?;
            pack::open_blob(&self.key, blob, sealed)
                .map_err(|why| damaged(format!("blob {}: {why}", blob.id)))?;
        }
        if let Some(named) = named.and_then(|named| named.get(id)) {
            for blob in named {
                if !blobs.contains(blob) {
                    return Err(damaged(format!(
                        "an index file places blob {} in it where it is not",
                        blob.id
                    )));
                }
            }
        }
        Ok(())
    }

    fn check_small_files(
        &self,
        kind: FileKind,
        findings: &Findings,
    ) -> Result<Vec<Id>, RepositoryError> {
        let mut whole = Vec::new();
        for (id, _) in self.backend.list(kind)? {
            let Some(content) = findings.catch(self.backend.read(kind, &id))? else {
                continue;
            };
            if Id::of(&content) == id {
                whole.push(id);
            } else {
                findings.note(
                    format!("{kind} {id}: its content is not what its name says"),
                    true,
                );
            }
        }
        Ok(whole)
    }

    /// Looks at the whole repository: each small file, each pack that an index file names, each recovery point's
    /// directories; with `read_data` each byte of each pack.
    ///
    /// # Errors
    /// When the repository cannot be read at all, or the caller wants it to end.
    pub fn check(
        &self,
        read_data: bool,
        watch: &dyn Watch,
    ) -> Result<Vec<Finding>, RepositoryError> {
        let _lock = self.lock(Use::Shared)?;
        let findings = Findings::new();
        findings.catch(keys::read_config(self.backend.as_ref(), &self.key))?;
        self.check_small_files(FileKind::Key, &findings)?;
        let snapshots = self.check_small_files(FileKind::Snapshot, &findings)?;
        let index = self.check_small_files(FileKind::Index, &findings)?;
        let named = self.named(&index, &findings)?;
        let there: HashMap<Id, u64> = self.backend.list(FileKind::Pack)?.into_iter().collect();
        for (id, blobs) in &named {
            let Some(size) = there.get(id) else {
                findings.note(
                    format!("pack {id} is missing; an index file names it"),
                    true,
                );
                continue;
            };
            let end = blobs
                .iter()
                .map(|blob| u64::from(blob.offset) + u64::from(blob.length))
                .max();
            if end.unwrap_or(0) > *size {
                findings.note(
                    format!("pack {id} has {size} bytes, too few for its blobs"),
                    true,
                );
            }
        }
        let unnamed = there.keys().filter(|id| !named.contains_key(id)).count();
        if unnamed > 0 {
            findings.note(format!("{unnamed} packs are named by no index file: an ingest under way, or the rest of one; a sweep removes them"), false);
        }
        let total = there
            .iter()
            .filter(|(_, size)| **size <= FILE_BYTES_MAX)
            .map(|(_, size)| *size)
            .sum();
        if read_data {
            watch.counters().total.store(total, Ordering::Relaxed);
            let mut packs: Vec<Id> = there.into_keys().collect();
            packs.sort_unstable();
            self.read_packs(&packs, Some(&named), &findings, watch)?;
        }
        if findings.catch(self.refresh_index())?.is_some() {
            for id in snapshots {
                if let Some(point) =
                    findings.catch(crate::point::read(self.backend.as_ref(), &self.key, &id))?
                {
                    self.packs_of(&point, &findings)?;
                }
            }
        }
        let mut findings = findings.finish();
        if !findings.iter().any(|finding| finding.is_damage) {
            // A second opinion, by other people's code.
            findings.extend(Rustic::new(self).check()?);
        }
        Ok(findings)
    }

    fn named(&self, index: &[Id], findings: &Findings) -> Result<Named, RepositoryError> {
        let mut named = Named::new();
        for id in index {
            let file: Result<IndexFile, _> =
                files::read(self.backend.as_ref(), &self.key, FileKind::Index, id);
            for pack in findings
                .catch(file)?
                .into_iter()
                .flat_map(|file| file.packs)
            {
                named.entry(pack.id).or_default().extend(pack.blobs);
            }
        }
        Ok(named)
    }
}
