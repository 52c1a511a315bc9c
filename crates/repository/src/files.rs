//! The small files of a repository: index, snapshot and lock.
//! What lives here: how they are sealed and opened, and the JSON of index and snapshot. What does not: packs.
//!
//! Source: "Unpacked Data Format" in restic's design document: the byte 2, then zstd, then sealed; the name is the
//! SHA-256 of the sealed form. JSON that begins with a brace was stored without zstd.

use serde::{Deserialize, Serialize};

use crate::backend::{Backend, FILE_BYTES_MAX, FileKind};
use crate::compression;
use crate::crypto::MasterKey;
use crate::error::RepositoryError;
use crate::id::Id;

const PACKED: u8 = 2;

/// The stored form of a file, and its name.
pub(crate) fn seal(key: &MasterKey, content: &impl Serialize) -> (Id, Vec<u8>) {
    let json = serde_json::to_vec(content).expect("our own types become JSON");
    let mut plain = vec![PACKED];
    plain.extend(compression::pack(&json));
    let sealed = key.seal(&plain);
    (Id::of(&sealed), sealed)
}

/// What a stored form says. The name is compared, so that no bit can change.
pub(crate) fn open<T: for<'de> Deserialize<'de>>(
    key: &MasterKey,
    kind: FileKind,
    id: &Id,
    sealed: &[u8],
) -> Result<T, RepositoryError> {
    let damaged = |why: String| RepositoryError::damaged_file(kind, id, why);
    if Id::of(sealed) != *id {
        return Err(damaged("its content is not what its name says".to_owned()));
    }
    let plain = key
        .open(sealed)
        .map_err(|error| damaged(error.to_string()))?;
    let json = match plain.split_first() {
        Some((&PACKED, packed)) => {
            compression::unpack(packed, FILE_BYTES_MAX as usize).map_err(damaged)?
        }
        _ => plain,
    };
    serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))
}

/// Reads and opens a file.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(
    backend: &dyn Backend,
    key: &MasterKey,
    kind: FileKind,
    id: &Id,
) -> Result<T, RepositoryError> {
    open(key, kind, id, &backend.read(kind, id)?)
}

/// What a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BlobKind {
    /// A part of a file.
    Data,
    /// A directory.
    Tree,
}

/// A blob in an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexedBlob {
    pub id: Id,
    #[serde(rename = "type")]
    pub kind: BlobKind,
    pub offset: u32,
    pub length: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompressed_length: Option<u32>,
}

/// A pack in an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexedPack {
    pub id: Id,
    pub blobs: Vec<IndexedBlob>,
}

/// An index file. Packs that rustic has marked for deletion are not among `packs`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct IndexFile {
    pub packs: Vec<IndexedPack>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_says_or_it_is_damaged() {
        let key = MasterKey::random().unwrap();
        let file = IndexFile::default();
        let (id, sealed) = seal(&key, &file);
        assert!(open::<IndexFile>(&key, FileKind::Index, &id, &sealed).is_ok());
        for byte in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[byte] ^= 1;
            let error = open::<IndexFile>(&key, FileKind::Index, &id, &changed).unwrap_err();
            assert!(error.to_string().contains(&id.to_string()), "{error}");
            // A name that fits does not make a forgery of it.
            let error =
                open::<IndexFile>(&key, FileKind::Index, &Id::of(&changed), &changed).unwrap_err();
            assert!(error.to_string().contains("authentication"), "{error}");
        }
    }
}
