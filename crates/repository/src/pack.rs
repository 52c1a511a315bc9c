//! Packs: blobs behind one another, with a header at the end.
//! What lives here: building one and reading its header. What does not: which blob goes into which pack.
//!
//! Source: "Pack Format" in restic's design document: sealed blobs, the sealed header, its length (u32, little endian). An
//! entry of the header is the kind (0 data, 1 tree, 2 and 3 the same with zstd), the length of the sealed blob (u32), with
//! zstd the plain length (u32), and the blob's name.

use crate::compression;
use crate::crypto::MasterKey;
use crate::files::{BlobKind, IndexedBlob, IndexedPack};
use crate::id::Id;
use crate::room::room;

/// A pack is closed when it has so many bytes.
pub(crate) const PACK_BYTES: usize = 16 << 20;
/// What the last chunk and the header may add to that, in chunks of the usual size.
const PACK_SLACK_BYTES: usize = 512 << 10;
/// Longest plain blob that is read, in bytes. Trees are the long ones: 67 bytes a chunk.
pub(crate) const BLOB_BYTES_MAX: usize = 256 << 20;
/// Entries have 37 or 41 bytes; so many fit a header that is still read.
pub(crate) const HEADER_BYTES_MAX: u64 = 64 << 20;

/// A pack that is being filled.
pub(crate) struct PackBuilder {
    bytes: Vec<u8>,
    blobs: Vec<IndexedBlob>,
    packer: compression::Packer,
}

/// A pack that is ready.
pub(crate) struct Pack {
    pub bytes: Vec<u8>,
    pub index: IndexedPack,
}

impl PackBuilder {
    pub(crate) fn new() -> PackBuilder {
        PackBuilder {
            bytes: Vec::new(),
            blobs: Vec::new(),
            packer: compression::Packer::new(),
        }
    }

    /// Adds a blob, packed when that makes it shorter.
    pub(crate) fn add(&mut self, key: &MasterKey, kind: BlobKind, id: Id, plain: &[u8]) {
        let offset = self.bytes.len();
        if offset == 0 {
            self.bytes = room(PACK_BYTES + PACK_SLACK_BYTES);
        }
        let packed = self.packer.pack(plain);
        let is_packed = packed.len() < plain.len();
        key.seal_to(if is_packed { &packed } else { plain }, &mut self.bytes);
        let limited =
            |length: usize| u32::try_from(length).expect("a pack is closed long before 4 GiB");
        self.blobs.push(IndexedBlob {
            id,
            kind,
            offset: limited(offset),
            length: limited(self.bytes.len() - offset),
            uncompressed_length: is_packed.then(|| limited(plain.len())),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= PACK_BYTES
    }

    /// Closes the pack; the builder is empty again.
    pub(crate) fn finish(&mut self, key: &MasterKey) -> Pack {
        let mut bytes = std::mem::take(&mut self.bytes);
        let blobs = std::mem::take(&mut self.blobs);
        let mut header = Vec::with_capacity(blobs.len() * 41);
        for blob in &blobs {
            let is_tree = u8::from(blob.kind == BlobKind::Tree);
            let is_packed = u8::from(blob.uncompressed_length.is_some()) * 2;
            header.push(is_tree + is_packed);
            header.extend(blob.length.to_le_bytes());
            if let Some(length) = blob.uncompressed_length {
                header.extend(length.to_le_bytes());
            }
            header.extend(blob.id.bytes());
        }
        let before = bytes.len();
        key.seal_to(&header, &mut bytes);
        let length = (bytes.len() - before) as u32;
        bytes.extend(length.to_le_bytes());
        Pack {
            index: IndexedPack {
                id: Id::of(&bytes),
                blobs,
            },
            bytes,
        }
    }
}

/// What the header of a whole pack says.
pub(crate) fn read_header(key: &MasterKey, pack: &[u8]) -> Result<Vec<IndexedBlob>, String> {
    let short = || "it is too short for a pack".to_owned();
    let (rest, length) = pack.split_last_chunk::<4>().ok_or_else(short)?;
    let length = u64::from(u32::from_le_bytes(*length));
    if length > HEADER_BYTES_MAX {
        return Err(format!("its header would have {length} bytes"));
    }
    let begin = rest.len().checked_sub(length as usize).ok_or_else(short)?;
    let header = key
        .open(&rest[begin..])
        .map_err(|error| format!("its header: {error}"))?;
    let blobs = parse_header(&header)?;
    let end = blobs
        .last()
        .map_or(0, |blob| u64::from(blob.offset) + u64::from(blob.length));
    if end != begin as u64 {
        return Err("its blobs and its header do not meet".to_owned());
    }
    Ok(blobs)
}

fn parse_header(header: &[u8]) -> Result<Vec<IndexedBlob>, String> {
    let cut = || "its header is cut off".to_owned();
    let mut blobs = Vec::new();
    let mut rest = header;
    let mut offset: u32 = 0;
    while let Some((&kind, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length);
        let (uncompressed_length, behind) = if kind & 2 != 0 {
            let (plain, behind) = behind.split_first_chunk::<4>().ok_or_else(cut)?;
            (Some(u32::from_le_bytes(*plain)), behind)
        } else {
            (None, behind)
        };
        let (id, behind) = behind.split_first_chunk::<32>().ok_or_else(cut)?;
        let kind = match kind {
            0 | 2 => BlobKind::Data,
            1 | 3 => BlobKind::Tree,
            other => return Err(format!("a blob of the unknown kind {other}")),
        };
        blobs.push(IndexedBlob {
            id: Id::new(*id),
            kind,
            offset,
            length,
            uncompressed_length,
        });
        offset = offset
            .checked_add(length)
            .ok_or_else(|| "it is longer than 4 GiB".to_owned())?;
        rest = behind;
    }
    Ok(blobs)
}

/// Opens a sealed blob and compares it with its name.
pub(crate) fn open_blob(
    key: &MasterKey,
    blob: &IndexedBlob,
    sealed: &[u8],
) -> Result<Vec<u8>, String> {
    let opened = key.open(sealed).map_err(|error| error.to_string())?;
    let plain = match blob.uncompressed_length {
        Some(length) if length as usize > BLOB_BYTES_MAX => {
            return Err(format!("it would unpack to {length} bytes"));
        }
        Some(length) => compression::unpack(&opened, length as usize)?,
        None => opened,
    };
    if Id::of(&plain) != blob.id {
        return Err("its content is not what its name says".to_owned());
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_in_the_header_and_opens() {
        let key = MasterKey::random().unwrap();
        let mut builder = PackBuilder::new();
        let mut noise = vec![0; 1000];
        getrandom::fill(&mut noise).unwrap();
        let contents = [vec![7_u8; 70_000], noise, Vec::new()];
        for content in &contents {
            builder.add(&key, BlobKind::Data, Id::of(content), content);
        }
        let pack = builder.finish(&key);
        assert!(builder.is_empty());
        let blobs = read_header(&key, &pack.bytes).unwrap();
        assert_eq!(blobs, pack.index.blobs);
        assert!(blobs[0].uncompressed_length.is_some());
        assert_eq!(blobs[1].uncompressed_length, None);
        for (blob, content) in blobs.iter().zip(&contents) {
            let sealed = &pack.bytes[blob.offset as usize..][..blob.length as usize];
            assert_eq!(open_blob(&key, blob, sealed).unwrap(), *content);
            let wrong = IndexedBlob {
                id: Id::of(b"other"),
                ..blob.clone()
            };
            assert!(open_blob(&key, &wrong, sealed).is_err());
        }
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let key = MasterKey::random().unwrap();
        assert!(read_header(&key, b"").is_err());
        assert!(read_header(&key, &[0xff; 40]).is_err());
        for plain in [
            vec![9; 37],
            vec![0; 36],
            vec![2; 40],
            [0, 0xff, 0xff, 0xff, 0xff].repeat(20),
        ] {
            let mut pack = key.seal(&plain);
            let length = pack.len() as u32;
            pack.extend(length.to_le_bytes());
            assert!(read_header(&key, &pack).is_err(), "{plain:?}");
        }
    }
}
