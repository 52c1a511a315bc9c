//! From a sealed snapshot to a recovery point.
//! What lives here: the order of the steps. What does not: jobs, retries and policy (the store).
//!
//! Order of writing: packs, the index files that name them, packs of directories, their index, the snapshot file. A crash
//! anywhere before the last leaves packs and index files that the next try finds and uses, or that a sweep removes; the
//! recovery point is there when its snapshot file is. The journal on the local disk makes the next try skip what is done.

mod journal;
mod own_files;
mod parent;
mod plan;
mod trees;
mod upload;
mod walk;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use crate::backend::FileKind;
use crate::error::RepositoryError;
use crate::lock::Use;
use crate::pack::PackBuilder;
use crate::point::{self, Point, PointFile, Summary};
use crate::tree::{Node, NodeKind};
use crate::watch::Watch;
use crate::{Repository, journals};
use journal::Journal;
use parent::Parent;
use plan::Plan;
use trees::Trees;
use upload::Uploads;
use walk::Walk;
use worker::Worker;

pub use parent::Changes;

/// Threads that read, hash and pack. Each has a pack and a segment in memory: 16 and 4 MiB.
const WORKERS_MAX: usize = 4;
/// Our own files in a recovery point are below this directory.
pub const OWN_DIRECTORY: &str = "backstay";

/// What is to become a recovery point.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The directory; nothing in it may change while it is read.
    pub path: &'a Path,
    /// Its name in the recovery point.
    pub name: &'a str,
    /// Small files of our own, by name.
    pub own_files: Vec<(String, Vec<u8>)>,
    /// The mount.
    pub mount: &'a str,
    /// The name of the snapshot: there is at most one recovery point of it.
    pub snapshot: &'a str,
    /// When the backup was sealed.
    pub time: Timestamp,
    /// The name of the machine.
    pub hostname: &'a str,
    /// What was written since an earlier recovery point, if that is certain.
    pub changes: Option<(Point, &'a Changes)>,
}

impl Repository {
    /// Makes a recovery point, or finds it made. It may be called again after any failure or crash, with the same source,
    /// and goes on where it was.
    ///
    /// # Errors
    /// Of the repository, or of a file by its name: nothing is left out.
    pub fn ingest(&self, source: &Source, watch: &dyn Watch) -> Result<Point, RepositoryError> {
        let _lock = self.lock(Use::Shared)?;
        self.refresh_index()?;
        let made = self
            .points()?
            .into_iter()
            .find(|point| point.snapshot.as_deref() == Some(source.snapshot));
        if let Some(point) = made {
            // A crash came behind the last step.
            let _ = std::fs::remove_file(self.journal_path(source.snapshot)?);
            return Ok(point);
        }
        watch.step("ingest-begin");
        let began = Timestamp::now();
        let (walk, root) = Walk::read(source.path, source.name)?;
        let plan = Plan::new(&walk.files, self.chunk_bytes);
        watch.counters().total.store(plan.bytes, Ordering::Relaxed);
        let journal = Journal::open(&self.journal_path(source.snapshot)?, &plan)?;
        let uploads = Uploads::new(self, watch);
        let parent_id = source.changes.as_ref().map(|(point, _)| point.id);
        let parent = Parent::new(self, source.name, source.changes.clone());
        let worker = Worker {
            repository: self,
            watch,
            root: &root,
            root_path: source.path,
            files: &walk.files,
            journal: &journal,
            parent: &parent,
            uploads: &uploads,
        };
        read_all(&worker, &plan, self.backend.writers());
        // What is in the repository is named even when something failed, so that it need not be done again.
        let indexed = uploads.write_index();
        if let Some(error) = uploads.take_failure() {
            return Err(error);
        }
        indexed?;
        watch.step("ingest-trees-before");
        let (tree, directories) = self.write_trees(source, &walk, &plan, &journal, &uploads)?;
        uploads.write_index()?;
        let added = uploads.added();
        let file = PointFile {
            time: source.time,
            parent: parent_id,
            tree,
            paths: vec![format!("/{}", source.name)],
            hostname: source.hostname.to_owned(),
            username: "backstay".to_owned(),
            uid: 0,
            gid: 0,
            tags: Some(point::tags(source.mount, source.snapshot)),
            program_version: concat!("backstay ", env!("CARGO_PKG_VERSION")).to_owned(),
            summary: Some(Summary {
                backup_start: began,
                backup_end: Timestamp::now(),
                files_new: walk.files.len() as u64,
                dirs_new: directories,
                data_blobs: added.data_blobs,
                tree_blobs: added.tree_blobs,
                data_added: added.bytes,
                data_added_packed: added.bytes_stored,
                total_files_processed: walk.files.len() as u64,
                total_bytes_processed: plan.bytes,
                ..Summary::default()
            }),
        };
        watch.step("ingest-snapshot-before");
        let id = self.write_file(FileKind::Snapshot, &file)?;
        watch.step("ingest-snapshot-after");
        journal.remove();
        Ok(Point::new(id, file))
    }

    fn write_trees(
        &self,
        source: &Source,
        walk: &Walk,
        plan: &Plan,
        journal: &Journal,
        uploads: &Uploads,
    ) -> Result<(crate::id::Id, u64), RepositoryError> {
        let own = own_files::write(self, source, uploads)?;
        // So that no chunk is under way that could have the name of a directory.
        uploads.write_index()?;
        let mut trees = Trees {
            repository: self,
            walk,
            plan,
            journal,
            uploads,
            pack: PackBuilder::new(),
            directories: 0,
        };
        let mut data = walk.root.node.clone();
        data.subtree = Some(trees.directory(&walk.root)?);
        let mut nodes = vec![data];
        if !own.is_empty() {
            let mut node = Node::new(
                OWN_DIRECTORY.as_ref(),
                NodeKind::Dir,
                0o700,
                source.time,
                (0, 0),
            );
            node.subtree = Some(trees.tree(own)?);
            nodes.push(node);
        }
        let tree = trees.tree(nodes)?;
        trees.flush()?;
        Ok((tree, trees.directories))
    }

    fn journal_path(&self, snapshot: &str) -> Result<PathBuf, RepositoryError> {
        let directory = journals(&self.state);
        std::fs::create_dir_all(&directory)
            .map_err(|error| RepositoryError::file(&directory, error))?;
        Ok(directory.join(journal_name(snapshot)))
    }

    /// Removes what is known of ingests of other snapshots than these: nobody will go on with them.
    pub fn forget_ingests_but(&self, snapshots: &[&str]) {
        let names: Vec<String> = snapshots.iter().map(|name| journal_name(name)).collect();
        let entries = std::fs::read_dir(journals(&self.state));
        for entry in entries.into_iter().flatten().flatten() {
            if !names.iter().any(|name| name.as_str() == entry.file_name()) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn journal_name(snapshot: &str) -> String {
    crate::id::Id::of(snapshot.as_bytes()).short()
}

/// Reads and packs all segments; failures are with the uploads.
fn read_all(worker: &Worker, plan: &Plan, writers: usize) {
    let readers = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, WORKERS_MAX);
    let (segments_in, segments) = crossbeam_channel::bounded(readers * 2);
    let (packs_in, packs) = crossbeam_channel::bounded(1);
    std::thread::scope(|scope| {
        for _ in 0..writers {
            let packs = packs.clone();
            scope.spawn(move || worker.uploads.run(&packs));
        }
        for _ in 0..readers {
            let (segments, packs_in) = (segments.clone(), packs_in.clone());
            scope.spawn(move || worker.run(&segments, &packs_in));
        }
        drop((packs_in, segments));
        'all: for file in 0..worker.files.len() {
            for segment in plan.of_file(file) {
                if worker.uploads.has_failed() || segments_in.send(segment).is_err() {
                    break 'all;
                }
            }
        }
        drop(segments_in);
    });
}
