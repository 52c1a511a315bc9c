//! Boxes: directories of one entry, around files whose lists of chunks would make their directory's list too long.
//! What lives here: their names and how they are told from other directories. What does not: when one is made (ingest).
//!
//! A directory is read as a whole, so a directory of many large files would take gigabytes. `NAME` is then stored as
//! `NAME.backstay-file/NAME`. A directory whose own name ends so is put into a box itself; thus every name that ends so is
//! a box, if its only entry has the rest of the name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::tree::{Node, NodeKind};

const SUFFIX: &[u8] = b".backstay-file";

/// Whether this directory could be taken for a box.
pub(crate) fn needs_box(node: &Node) -> bool {
    node.name().is_ok_and(|name| stem(&name).is_some())
}

/// The name of what is in a box of this name.
pub(crate) fn stem(name: &OsStr) -> Option<&OsStr> {
    let stem = name.as_bytes().strip_suffix(SUFFIX)?;
    (!stem.is_empty()).then(|| OsStr::from_bytes(stem))
}

/// The box for an entry.
pub(crate) fn around(node: &Node) -> Node {
    let mut name = node.name().unwrap_or_default().into_vec();
    name.extend(SUFFIX);
    Node::new(
        &OsString::from_vec(name),
        NodeKind::Dir,
        0o700,
        node.mtime,
        (node.uid, node.gid),
    )
}
