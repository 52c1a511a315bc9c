//! Redo records and the change vectors in them.
//! What lives here: their bytes. What does not: how records lie in blocks (`write`), what a vector means.
//!
//! Record: length u32, `vld` u8 at 4, SCN wrap u16 at 6, SCN base u32 at 8, sub-SCN u16 at 12; the header has 68 bytes
//! when `vld` has bit 4 (first record of a log write), else 24. Vector: layer and code, class u16 at 2, absolute file
//! u16 at 4, block address at 8, SCN at 12, sequence at 20, type at 21 (the form of 12.1 and later, 32 bytes), then a
//! list of field lengths (u16 each, the first is the list's own size), then the fields, everything aligned to 4 bytes.

use crate::address::BlockAddress;
use crate::layout::{put, scn_at, u16_at, u32_at};
use crate::scn::Scn;

/// Header of the first record of a log write.
pub(super) const LONG_HEADER: usize = 68;
/// Header of the others.
pub(super) const SHORT_HEADER: usize = 24;
/// Bit of `vld` that tells the two apart.
pub(super) const VALID_LONG: u8 = 0x04;
const VECTOR_HEADER: usize = 32;

/// One change of one block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeVector {
    /// Layer of the operation, for example 11 for rows.
    pub layer: u8,
    /// Code of the operation in its layer.
    pub code: u8,
    /// Block class.
    pub class: u16,
    /// Absolute file number.
    pub file: u16,
    /// Which block.
    pub address: BlockAddress,
    /// SCN of the block before the change.
    pub scn: Scn,
    /// Sequence of the block before the change.
    pub sequence: u8,
    /// Block type.
    pub kind: u8,
    /// The operation's arguments; each at most 65,535 bytes.
    pub fields: Vec<Vec<u8>>,
}

/// Changes that happen together or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedoRecord {
    /// SCN of the changes.
    pub scn: Scn,
    /// Counts records of the same SCN.
    pub sub_scn: u16,
    /// The changes, in order.
    pub vectors: Vec<ChangeVector>,
}

const fn aligned(bytes: usize) -> usize {
    (bytes + 3) & !3
}

impl RedoRecord {
    /// Appends the record's bytes; the log write's own fields of a long header are left zero.
    pub(super) fn encode(&self, long: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + if long { LONG_HEADER } else { SHORT_HEADER }, 0);
        self.vectors
            .iter()
            .for_each(|vector| vector.encode(start, out));
        let length = (out.len() - start) as u32;
        let header = &mut out[start..];
        put(header, 0, &length.to_le_bytes());
        header[4] = if long { 0x09 | VALID_LONG } else { 0x01 };
        put(header, 6, &self.scn.wrap().to_le_bytes());
        put(header, 8, &self.scn.base().to_le_bytes());
        put(header, 12, &self.sub_scn.to_le_bytes());
    }

    /// Reads a whole record. None when anything in it does not fit.
    pub(super) fn decode(bytes: &[u8]) -> Option<RedoRecord> {
        let mut at = if bytes.get(4)? & VALID_LONG != 0 {
            LONG_HEADER
        } else {
            SHORT_HEADER
        };
        if bytes.len() < at {
            return None;
        }
        let scn = Scn::new(u64::from(u32_at(bytes, 8)) | u64::from(u16_at(bytes, 6)) << 32);
        let mut vectors = Vec::new();
        while at < bytes.len() {
            let (vector, next) = ChangeVector::decode(bytes, at)?;
            vectors.push(vector);
            at = next;
        }
        Some(RedoRecord {
            scn,
            sub_scn: u16_at(bytes, 12),
            vectors,
        })
    }
}

impl ChangeVector {
    fn encode(&self, record_start: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let list_bytes = 2 * (self.fields.len() + 1);
        out.resize(start + VECTOR_HEADER + aligned(list_bytes), 0);
        let vector = &mut out[start..];
        vector[0] = self.layer;
        vector[1] = self.code;
        put(vector, 2, &self.class.to_le_bytes());
        put(vector, 4, &self.file.to_le_bytes());
        put(vector, 8, &self.address.raw().to_le_bytes());
        put(vector, 12, &self.scn.encode());
        vector[20] = self.sequence;
        vector[21] = self.kind;
        put(vector, VECTOR_HEADER, &(list_bytes as u16).to_le_bytes());
        for (index, field) in self.fields.iter().enumerate() {
            assert!(
                field.len() <= usize::from(u16::MAX),
                "a redo field is longer than its length can say"
            );
            put(
                vector,
                VECTOR_HEADER + 2 * (index + 1),
                &(field.len() as u16).to_le_bytes(),
            );
        }
        for field in &self.fields {
            out.extend_from_slice(field);
            out.resize(record_start + aligned(out.len() - record_start), 0);
        }
    }

    fn decode(bytes: &[u8], at: usize) -> Option<(ChangeVector, usize)> {
        let vector = bytes.get(at..)?;
        if vector.len() < VECTOR_HEADER + 4 {
            return None;
        }
        let list_bytes = usize::from(u16_at(vector, VECTOR_HEADER));
        if list_bytes < 2 || list_bytes % 2 != 0 {
            return None;
        }
        let list = vector.get(VECTOR_HEADER + 2..VECTOR_HEADER + list_bytes)?;
        let mut position = VECTOR_HEADER + aligned(list_bytes);
        let mut fields = Vec::with_capacity(list.len() / 2);
        for length in list.chunks_exact(2) {
            let end = position + usize::from(u16_at(length, 0));
            fields.push(vector.get(position..end)?.to_vec());
            position = aligned(end);
        }
        let decoded = ChangeVector {
            layer: vector[0],
            code: vector[1],
            class: u16_at(vector, 2),
            file: u16_at(vector, 4),
            address: BlockAddress::from_raw(u32_at(vector, 8)),
            scn: scn_at(vector, 12),
            sequence: vector[20],
            kind: vector[21],
            fields,
        };
        Some((decoded, at + position))
    }
}
