//! Directories of a recovery point, from the inside to the outside.
//! What lives here: nodes with their chunks, boxes around large files, tree blobs. What does not: files' bytes.

use std::ffi::OsString;

use super::journal::Journal;
use super::plan::Plan;
use super::upload::Uploads;
use super::walk::{Directory, Entry, Walk};
use crate::Repository;
use crate::boxes;
use crate::error::RepositoryError;
use crate::files::BlobKind;
use crate::id::Id;
use crate::pack::PackBuilder;
use crate::tree::{Node, Tree};

/// Chunks that a directory lists itself: 67 bytes of JSON for each.
const DIRECTORY_CHUNKS_MAX: u64 = 1 << 18;
/// A file with fewer chunks needs no box.
const BOXED_CHUNKS_MIN: u64 = 1 << 10;

pub(super) struct Trees<'a> {
    pub repository: &'a Repository,
    pub walk: &'a Walk,
    pub plan: &'a Plan,
    pub journal: &'a Journal,
    pub uploads: &'a Uploads<'a>,
    pub pack: PackBuilder,
    pub directories: u64,
}

impl Trees<'_> {
    /// Packs a directory and all below it; returns its name.
    pub(super) fn directory(&mut self, directory: &Directory) -> Result<Id, RepositoryError> {
        self.directories += 1;
        let own_chunks = directory.entries.iter().map(|entry| match entry {
            Entry::File(file) => self.plan.chunks(*file),
            _ => 0,
        });
        let has_boxes = own_chunks.sum::<u64>() > DIRECTORY_CHUNKS_MAX;
        let mut nodes = Vec::with_capacity(directory.entries.len());
        for entry in &directory.entries {
            match entry {
                Entry::Other(node) => nodes.push(node.clone()),
                Entry::Directory(below) => {
                    let subtree = self.directory(below)?;
                    let mut node = below.node.clone();
                    node.subtree = Some(subtree);
                    nodes.push(if boxes::needs_box(&node) {
                        self.boxed(node)?
                    } else {
                        node
                    });
                }
                Entry::File(file) => {
                    let node = self.file(*file)?;
                    let is_boxed = has_boxes && self.plan.chunks(*file) >= BOXED_CHUNKS_MIN;
                    nodes.push(if is_boxed { self.boxed(node)? } else { node });
                }
            }
        }
        self.tree(nodes)
    }

    fn file(&self, file: usize) -> Result<Node, RepositoryError> {
        let walked = &self.walk.files[file];
        let mut node = walked.node.clone();
        let mut content = Vec::with_capacity(self.plan.chunks(file) as usize);
        for segment in self.plan.of_file(file) {
            let ids = self.journal.ids(&segment)?;
            content.extend(
                ids.ok_or_else(|| {
                    RepositoryError::file(&walked.path, "a part of it was not read")
                })?,
            );
        }
        node.content = Some(content);
        Ok(node)
    }

    fn boxed(&mut self, node: Node) -> Result<Node, RepositoryError> {
        let mut outside = boxes::around(&node);
        outside.subtree = Some(self.tree(vec![node])?);
        Ok(outside)
    }

    /// Packs a directory's nodes.
    pub(super) fn tree(&mut self, mut nodes: Vec<Node>) -> Result<Id, RepositoryError> {
        // restic compares the unquoted names' bytes; boxes have other names than what is in them.
        let mut named: Vec<(OsString, Node)> = Vec::with_capacity(nodes.len());
        for node in nodes.drain(..) {
            let name = node
                .name()
                .map_err(|why| RepositoryError::damaged("a directory", why))?;
            named.push((name, node));
        }
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        let tree = Tree {
            nodes: named.into_iter().map(|(_, node)| node).collect(),
        };
        let mut json = serde_json::to_vec(&tree)
            .map_err(|error| RepositoryError::damaged("a directory", error))?;
        drop(tree);
        json.push(b'\n');
        if json.len() > crate::pack::BLOB_BYTES_MAX {
            return Err(RepositoryError::Limit(format!(
                "a directory's list has {} bytes, the limit is {}. HINT: use more directories",
                json.len(),
                crate::pack::BLOB_BYTES_MAX
            )));
        }
        let id = Id::of(&json);
        if self.uploads.under_way.claim(&id) {
            if self.repository.has(&id, BlobKind::Tree)? {
                self.uploads.under_way.release(&id);
            } else {
                self.pack
                    .add(&self.repository.key, BlobKind::Tree, id, &json);
                if self.pack.is_full() {
                    self.flush()?;
                }
            }
        }
        Ok(id)
    }

    pub(super) fn flush(&mut self) -> Result<(), RepositoryError> {
        if self.pack.is_empty() {
            return Ok(());
        }
        self.uploads.write(self.pack.finish(&self.repository.key))
    }
}
