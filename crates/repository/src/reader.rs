//! Reading out of a repository: blobs, directories, files.
//! What lives here: finding a blob and opening it, listing with boxes taken away. What does not: many blobs at once
//! (restore), and the index itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Repository;
use crate::backend::FileKind;
use crate::boxes;
use crate::error::RepositoryError;
use crate::files::{self, BlobKind};
use crate::id::Id;
use crate::index::Place;
use crate::pack;
use crate::point::Point;
use crate::tree::{Node, NodeKind, Tree};

/// Directories inside one another.
const DEPTH_MAX: usize = 200;
/// Longest file that is read into memory, in bytes.
const WHOLE_FILE_BYTES_MAX: u64 = 80 << 20;

impl Repository {
    /// Where a blob is; an error if nowhere.
    pub(crate) fn place(&self, id: &Id) -> Result<Place, RepositoryError> {
        let found = self.index()?.find(id)?;
        found.ok_or_else(|| {
            RepositoryError::damaged(
                "the repository",
                format!("no index file names the blob {id}, which a recovery point needs"),
            )
        })
    }

    /// A blob's plain bytes, compared with its name.
    pub(crate) fn blob(&self, id: &Id) -> Result<Vec<u8>, RepositoryError> {
        let place = self.place(id)?;
        let blob = &place.blob;
        let sealed = self.backend.read_range(
            FileKind::Pack,
            &place.pack,
            u64::from(blob.offset),
            blob.length as usize,
        )?;
        pack::open_blob(&self.key, blob, &sealed).map_err(|why| {
            RepositoryError::damaged_file(FileKind::Pack, &place.pack, format!("blob {id}: {why}"))
        })
    }

    /// A directory as it is stored.
    pub(crate) fn tree(&self, id: &Id) -> Result<Tree, RepositoryError> {
        let json = self.blob(id)?;
        serde_json::from_slice(&json)
            .map_err(|error| RepositoryError::damaged(format!("the directory {id}"), error))
    }

    /// The entries of a directory by their names, boxes taken away.
    pub(crate) fn directory(&self, id: &Id) -> Result<Vec<(OsString, Node)>, RepositoryError> {
        let mut entries = Vec::new();
        for node in self.tree(id)?.nodes {
            let name = node
                .name()
                .map_err(|why| RepositoryError::damaged(format!("the directory {id}"), why))?;
            let inside = match (node.kind, boxes::stem(&name), &node.subtree) {
                (NodeKind::Dir, Some(stem), Some(subtree)) => {
                    self.unbox(stem.to_owned(), subtree)?
                }
                _ => None,
            };
            entries.push(inside.unwrap_or((name, node)));
        }
        Ok(entries)
    }

    fn unbox(
        &self,
        stem: OsString,
        subtree: &Id,
    ) -> Result<Option<(OsString, Node)>, RepositoryError> {
        let mut nodes = self.tree(subtree)?.nodes;
        match (nodes.pop(), nodes.is_empty()) {
            (Some(node), true) if node.name().is_ok_and(|name| name == stem) => {
                Ok(Some((stem, node)))
            }
            _ => Ok(None),
        }
    }

    /// Calls with each entry of a recovery point, by its path; a directory comes before what is in it.
    pub(crate) fn walk(
        &self,
        point: &Point,
        mut visit: impl FnMut(&Path, Node) -> Result<(), RepositoryError>,
    ) -> Result<(), RepositoryError> {
        self.walk_below(&point.tree, Path::new(""), 0, &mut visit)
    }

    fn walk_below(
        &self,
        tree: &Id,
        path: &Path,
        depth: usize,
        visit: &mut dyn FnMut(&Path, Node) -> Result<(), RepositoryError>,
    ) -> Result<(), RepositoryError> {
        if depth > DEPTH_MAX {
            return Err(RepositoryError::Limit(format!(
                "more than {DEPTH_MAX} directories inside one another"
            )));
        }
        for (name, node) in self.directory(tree)? {
            let path = path.join(name);
            let below = node.subtree.filter(|_| node.kind == NodeKind::Dir);
            visit(&path, node)?;
            if let Some(below) = below {
                self.walk_below(&below, &path, depth + 1, visit)?;
            }
        }
        Ok(())
    }

    /// Paths and sizes in bytes of all files of a recovery point.
    pub fn files_of(&self, point: &Point) -> Result<Vec<(PathBuf, u64)>, RepositoryError> {
        let mut files = Vec::new();
        self.walk(point, |path, node| {
            if node.kind == NodeKind::File {
                files.push((path.to_owned(), node.size));
            }
            Ok(())
        })?;
        Ok(files)
    }

    /// The whole content of a small file, by its path; none if it is not there.
    pub fn read_small(
        &self,
        point: &Point,
        path: &Path,
    ) -> Result<Option<Vec<u8>>, RepositoryError> {
        let mut tree = Some(point.tree);
        let mut found = None;
        for name in path.iter() {
            let Some(id) = tree.take() else {
                return Ok(None);
            };
            let entry = self
                .directory(&id)?
                .into_iter()
                .find(|(entry, _)| entry == name);
            let Some((_, node)) = entry else {
                return Ok(None);
            };
            tree = node.subtree;
            found = Some(node);
        }
        let Some(node) = found.filter(|node| node.kind == NodeKind::File) else {
            return Ok(None);
        };
        if node.size > WHOLE_FILE_BYTES_MAX {
            return Err(RepositoryError::Limit(format!(
                "{} has {} bytes, too many to read at once",
                path.display(),
                node.size
            )));
        }
        let mut content = Vec::new();
        for id in node.content.iter().flatten() {
            content.extend(self.blob(id)?);
            if content.len() as u64 > node.size {
                break;
            }
        }
        if content.len() as u64 != node.size {
            return Err(RepositoryError::damaged(
                path.display().to_string(),
                "its chunks have another length than it",
            ));
        }
        Ok(Some(content))
    }

    /// Whether the repository has a blob.
    pub(crate) fn has(&self, id: &Id, kind: BlobKind) -> Result<bool, RepositoryError> {
        Ok(self
            .index()?
            .find(id)?
            .is_some_and(|place| place.blob.kind == kind))
    }

    pub(crate) fn has_all(&self, ids: &[Id]) -> Result<bool, RepositoryError> {
        let index = self.index()?;
        for id in ids {
            if !index.contains(id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn write_file(
        &self,
        kind: FileKind,
        content: &impl serde::Serialize,
    ) -> Result<Id, RepositoryError> {
        let (id, sealed) = files::seal(&self.key, content);
        self.backend.write(kind, &id, &sealed)?;
        Ok(id)
    }
}
