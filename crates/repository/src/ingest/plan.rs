//! How files are cut: chunk sizes, segments, and their numbers.
//! What lives here: the arithmetic, the same in every run over the same snapshot. What does not: reading.

use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;

use super::walk::WalkedFile;
use crate::id::Id;

/// Chunks of a segment, the unit of work and of resuming.
pub(super) const SEGMENT_CHUNKS: u64 = 64;
/// Chunks of a file: above this its chunks become larger, so that its list stays readable.
pub(crate) const FILE_CHUNKS_MAX: u64 = 1 << 19;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Counted through all files.
    pub number: u64,
    pub file: usize,
    /// In bytes.
    pub offset: u64,
    pub length: u64,
    pub chunk_bytes: u64,
}

/// All files' segments.
pub(super) struct Plan {
    /// Of each file: its first segment's number, its size and its chunk size.
    files: Vec<(u64, u64, u64)>,
    pub segments: u64,
    pub bytes: u64,
    /// Says whether two plans are of the same snapshot.
    pub fingerprint: Id,
}

/// Bytes of a chunk of a file of so many bytes.
pub(crate) fn chunk_bytes(base: u64, size: u64) -> u64 {
    let mut bytes = base;
    while size.div_ceil(bytes) > FILE_CHUNKS_MAX {
        bytes *= 2;
    }
    bytes
}

impl Plan {
    pub(super) fn new(files: &[WalkedFile], base: u64) -> Plan {
        let (mut segments, mut bytes) = (0, 0);
        let mut hash = Sha256::new();
        let mut planned = Vec::with_capacity(files.len());
        hash.update(base.to_le_bytes());
        for file in files {
            let size = file.node.size;
            let chunk = chunk_bytes(base, size);
            planned.push((segments, size, chunk));
            segments += size.div_ceil(chunk * SEGMENT_CHUNKS);
            bytes += size;
            hash.update(file.path.as_os_str().as_bytes());
            hash.update([0]);
            hash.update(size.to_le_bytes());
            hash.update(file.node.mtime.as_nanosecond().to_le_bytes());
        }
        Plan {
            files: planned,
            segments,
            bytes,
            fingerprint: Id::new(hash.finalize().into()),
        }
    }

    /// The numbers of a file's segments.
    pub(super) fn of_file(&self, file: usize) -> impl Iterator<Item = Segment> + use<> {
        let (first, size, chunk_bytes) = self.files[file];
        let step = chunk_bytes * SEGMENT_CHUNKS;
        (0..size.div_ceil(step)).map(move |place| Segment {
            number: first + place,
            file,
            offset: place * step,
            length: step.min(size - place * step),
            chunk_bytes,
        })
    }

    /// Chunks of a file.
    pub(super) fn chunks(&self, file: usize) -> u64 {
        let (_, size, chunk_bytes) = self.files[file];
        size.div_ceil(chunk_bytes)
    }
}

impl Segment {
    pub(super) fn chunks(&self) -> u64 {
        self.length.div_ceil(self.chunk_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_with_the_file() {
        let base = 64 << 10;
        assert_eq!(chunk_bytes(base, 0), base);
        assert_eq!(chunk_bytes(base, 32 << 30), base);
        assert_eq!(chunk_bytes(base, (32 << 30) + 1), 2 * base);
        assert_eq!(chunk_bytes(base, 10 << 40), 32 << 20);
    }
}
