//! The small files that we put beside the data: log, map, names.
//! What lives here: their chunks and nodes. What does not: what is in them (the store).

use super::Source;
use super::upload::Uploads;
use crate::Repository;
use crate::error::RepositoryError;
use crate::files::BlobKind;
use crate::id::Id;
use crate::pack::PackBuilder;
use crate::tree::{Node, NodeKind};

/// Writes the files' chunks; returns their nodes.
pub(super) fn write(
    repository: &Repository,
    source: &Source,
    uploads: &Uploads,
) -> Result<Vec<Node>, RepositoryError> {
    let mut pack = PackBuilder::new();
    let mut nodes = Vec::with_capacity(source.own_files.len());
    for (name, content) in &source.own_files {
        let mut node = Node::new(name.as_ref(), NodeKind::File, 0o600, source.time, (0, 0));
        node.size = content.len() as u64;
        let mut ids = Vec::new();
        for chunk in content.chunks(repository.chunk_bytes as usize) {
            let id = Id::of(chunk);
            if uploads.under_way.claim(&id) {
                if repository.has(&id, BlobKind::Data)? {
                    uploads.under_way.release(&id);
                } else {
                    pack.add(&repository.key, BlobKind::Data, id, chunk);
                }
            }
            if pack.is_full() {
                uploads.write(pack.finish(&repository.key))?;
            }
            ids.push(id);
        }
        node.content = Some(ids);
        nodes.push(node);
    }
    if !pack.is_empty() {
        uploads.write(pack.finish(&repository.key))?;
    }
    Ok(nodes)
}
