//! What an earlier recovery point knows of files of which only parts were written since.
//! What lives here: the written ranges, the parent's chunks, and when they may be believed. What does not: who watched the
//! writing (the store).

use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::Segment;
use crate::Repository;
use crate::error::RepositoryError;
use crate::files::BlobKind;
use crate::id::Id;
use crate::point::Point;
use crate::tree::{Node, NodeKind};

/// Directories of the parent that are remembered: files come in the order of their paths.
const DIRECTORIES: usize = 8;

/// Which parts of which files were written since a recovery point. A file that is not in it is read as a whole; one with no
/// ranges was not written.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    files: HashMap<PathBuf, Vec<Range<u64>>>,
}

impl Changes {
    /// Of the written bytes of each file, in any order, by its path below the root, as it is now.
    pub fn new(files: impl IntoIterator<Item = (PathBuf, Vec<Range<u64>>)>) -> Changes {
        Changes {
            files: files
                .into_iter()
                .map(|(path, ranges)| (path, in_order(ranges)))
                .collect(),
        }
    }

    /// Whether any of these bytes were written. There may be as many ranges as chunks, and every chunk asks.
    fn is_written(ranges: &[Range<u64>], begin: u64, end: u64) -> bool {
        let next = ranges.partition_point(|range| range.end <= begin);
        ranges.get(next).is_some_and(|range| range.start < end)
    }
}

/// Ascending, those that meet made one, and without empty ones.
fn in_order(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

type Listing = Arc<HashMap<OsString, Arc<Node>>>;

pub(super) struct Parent<'a> {
    repository: &'a Repository,
    known: Option<(Point, &'a Changes)>,
    name: &'a str,
    directories: Mutex<Vec<(PathBuf, Option<Listing>)>>,
}

impl<'a> Parent<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        name: &'a str,
        known: Option<(Point, &'a Changes)>,
    ) -> Parent<'a> {
        Parent {
            repository,
            known,
            name,
            directories: Mutex::new(Vec::new()),
        }
    }

    /// For each chunk of the segment its name, if it was not written and the repository has it. None: nothing is known.
    pub(super) fn ids(
        &self,
        path: &Path,
        segment: &Segment,
    ) -> Result<Option<Vec<Option<Id>>>, RepositoryError> {
        let Some((_, changes)) = &self.known else {
            return Ok(None);
        };
        let Some(written) = changes.files.get(path) else {
            return Ok(None);
        };
        let Some(node) = self.node(path)? else {
            return Ok(None);
        };
        let Some(content) = &node.content else {
            return Ok(None);
        };
        // With another chunk size or another length the chunks are not the same ones.
        if content.len() as u64 != node.size.div_ceil(segment.chunk_bytes) {
            return Ok(None);
        }
        let first = segment.offset / segment.chunk_bytes;
        let mut ids = Vec::with_capacity(segment.chunks() as usize);
        for chunk in first..first + segment.chunks() {
            let begin = chunk * segment.chunk_bytes;
            let end = (begin + segment.chunk_bytes).min(segment.offset + segment.length);
            // The parent's chunk must have covered the same bytes: its last one may have been shorter.
            let was_same =
                end <= node.size && (end - begin == segment.chunk_bytes || end == node.size);
            let is_written = Changes::is_written(written, begin, end);
            let id = content
                .get(chunk as usize)
                .filter(|_| was_same && !is_written);
            ids.push(match id {
                Some(id) if self.repository.has(id, BlobKind::Data)? => Some(*id),
                _ => None,
            });
        }
        Ok(Some(ids))
    }

    fn node(&self, path: &Path) -> Result<Option<Arc<Node>>, RepositoryError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(None);
        };
        let Some(listing) = self.listing(parent)? else {
            return Ok(None);
        };
        Ok(listing
            .get(name)
            .filter(|node| node.kind == NodeKind::File)
            .cloned())
    }

    fn listing(&self, path: &Path) -> Result<Option<Listing>, RepositoryError> {
        let mut directories = self
            .directories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, listing)) = directories.iter().find(|(known, _)| known == path) {
            return Ok(listing.clone());
        }
        let listing = self.read_listing(path)?;
        if directories.len() >= DIRECTORIES {
            directories.remove(0);
        }
        directories.push((path.to_owned(), listing.clone()));
        Ok(listing)
    }

    fn read_listing(&self, path: &Path) -> Result<Option<Listing>, RepositoryError> {
        let Some((point, _)) = &self.known else {
            return Ok(None);
        };
        let mut tree = point.tree;
        let names = std::iter::once(std::ffi::OsStr::new(self.name)).chain(path.iter());
        for name in names {
            let nodes = self.repository.directory(&tree)?;
            let found = nodes.into_iter().find(|(found, _)| found == name);
            match found.and_then(|(_, node)| node.subtree) {
                Some(subtree) => tree = subtree,
                None => return Ok(None),
            }
        }
        let nodes = self.repository.directory(&tree)?;
        Ok(Some(Arc::new(
            nodes
                .into_iter()
                .map(|(name, node)| (name, Arc::new(node)))
                .collect(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_byte_is_written_if_a_range_has_it_in_whatever_order_they_came(
            ranges in proptest::collection::vec((0_u64..300, 0_u64..40), 0..40),
            begin in 0_u64..300,
            length in 1_u64..60,
        ) {
            let ranges: Vec<Range<u64>> = ranges
                .into_iter()
                .map(|(start, length)| start..start + length)
                .collect();
            let end = begin + length;
            let expected = (begin..end).any(|byte| ranges.iter().any(|range| range.contains(&byte)));
            let changes = Changes::new([(PathBuf::from("file"), ranges)]);
            let known = &changes.files[Path::new("file")];
            prop_assert_eq!(Changes::is_written(known, begin, end), expected);
        }
    }
}
