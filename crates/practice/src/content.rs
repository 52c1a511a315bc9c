//! What the blocks of a practice database hold: rows, index entries, session counters, and the text in them.
//! What lives here: places and layouts inside blocks, the generator of realistic text. What does not: redo, files.
//!
//! Keys have fixed places, so that a scan needs no index to be right and the index can be judged against the rows:
//! row `k` is slot `k % 31` of data block `k / 31`, its index entry slot `k % 62` of index block `k / 62`.

use oracle::block::{self, BlockHeader};

/// Bytes of a database block.
pub const BLOCK_BYTES: usize = 8192;
/// Format code of an 8 KiB block.
pub const BLOCK_FORMAT: u8 = 0xa2;
/// First byte of the slots of a block; before it lie the block header and the transaction header.
pub const SLOTS_OFFSET: usize = 192;
/// Bytes of a row slot.
pub const ROW_BYTES: usize = 256;
/// Rows in a data block.
pub const ROWS_PER_BLOCK: u64 = 31;
/// Bytes of an index entry.
pub const ENTRY_BYTES: usize = 128;
/// Entries in an index block.
pub const ENTRIES_PER_BLOCK: u64 = 62;
/// Bytes of a session's counter slot, in SYSTEM and in PSAPROLL.
pub const SESSION_BYTES: usize = 64;
/// Session slots in a block.
pub const SESSIONS_PER_BLOCK: u32 = 124;
/// Highest session number plus one.
pub const SESSIONS_MAX: u32 = 1024;
/// Longest text of a row, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 220;
/// Blocks 0 to 7 of a data file are headers and space management; content begins here.
pub const FIRST_CONTENT_BLOCK: u32 = 8;

/// State byte of a slot.
pub mod slot_state {
    /// Never used.
    pub const FREE: u8 = 0;
    /// Holds a row.
    pub const LIVE: u8 = 1;
    /// Held a row; number and SCN of the deleting transaction remain.
    pub const DELETED: u8 = 2;
}

/// What a block is for: its type byte and the byte at offset 20 by which DBVERIFY tells table from index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Rows.
    Table = 1,
    /// Index entries.
    Index = 2,
    /// Session counters of the dictionary, in SYSTEM.
    Sessions = 3,
    /// The transaction table, in PSAPROLL.
    Transactions = 4,
}

impl Purpose {
    /// From its number in a format vector.
    pub fn from_code(code: u8) -> Option<Purpose> {
        [
            Purpose::Table,
            Purpose::Index,
            Purpose::Sessions,
            Purpose::Transactions,
        ]
        .into_iter()
        .find(|purpose| *purpose as u8 == code)
    }

    fn block_kind(self) -> u8 {
        match self {
            Purpose::Transactions => block::kind::UNDO,
            _ => block::kind::DATA,
        }
    }
}

/// Fills `bytes` with an empty, unsealed block of this purpose; SCN and sequence are the caller's to set.
pub fn format_block(bytes: &mut [u8], address: oracle::address::BlockAddress, purpose: Purpose) {
    bytes.fill(0);
    let header = BlockHeader {
        kind: purpose.block_kind(),
        format: BLOCK_FORMAT,
        address,
        scn: oracle::scn::Scn::ZERO,
        sequence: 0,
        flags: 0,
        check_value: 0,
    };
    header.write(bytes);
    if purpose != Purpose::Transactions {
        bytes[20] = if purpose == Purpose::Index { 2 } else { 1 };
        bytes[24..28].copy_from_slice(&(1000 + purpose as u32).to_le_bytes());
        bytes[36] = 1;
    }
}

/// A row, an index entry or nothing, as one slot says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// One of [`slot_state`].
    pub state: u8,
    /// CRC-32 of the row's text.
    pub hash: u32,
    /// Row key.
    pub key: u64,
    /// Transaction that wrote it.
    pub transaction: u64,
    /// Its SCN.
    pub scn: u64,
    /// The text: a row's own, or the descriptive text of an index entry.
    pub text: Vec<u8>,
}

impl Slot {
    /// Reads a slot. The text is cut at the slot's end when its length is nonsense.
    pub fn read(bytes: &[u8]) -> Slot {
        let length = usize::from(u16::from_le_bytes([bytes[2], bytes[3]])).min(bytes.len() - 32);
        Slot {
            state: bytes[0],
            hash: u32_at(bytes, 4),
            key: u64_at(bytes, 8),
            transaction: u64_at(bytes, 16),
            scn: u64_at(bytes, 24),
            text: bytes[32..32 + length].to_vec(),
        }
    }

    /// Writes the slot over all of `bytes`.
    pub fn write(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        let length = self.text.len().min(bytes.len() - 32);
        bytes[0] = self.state;
        bytes[2..4].copy_from_slice(&(length as u16).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.hash.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.key.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.transaction.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.scn.to_le_bytes());
        bytes[32..32 + length].copy_from_slice(&self.text[..length]);
    }
}

/// A session's counter slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionSlot {
    /// Session number plus one; zero is an unused slot.
    pub session_plus_one: u32,
    /// Transactions it committed.
    pub committed: u64,
    /// Its last transaction.
    pub last_transaction: u64,
    /// SCN of that.
    pub scn: u64,
}

impl SessionSlot {
    /// Reads a slot.
    pub fn read(bytes: &[u8]) -> SessionSlot {
        SessionSlot {
            session_plus_one: u32_at(bytes, 0),
            committed: u64_at(bytes, 8),
            last_transaction: u64_at(bytes, 16),
            scn: u64_at(bytes, 24),
        }
    }

    /// The slot's bytes.
    pub fn bytes(&self) -> [u8; SESSION_BYTES] {
        let mut bytes = [0; SESSION_BYTES];
        bytes[0..4].copy_from_slice(&self.session_plus_one.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.committed.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.last_transaction.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.scn.to_le_bytes());
        bytes
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// CRC-32 of a row's text, the hash that ledger, index and scan compare.
pub fn text_hash(text: &[u8]) -> u32 {
    crc32fast::hash(text)
}

/// The text that key `key` had at creation.
pub fn initial_text(seed: u64, key: u64) -> String {
    row_text(key, seed ^ key.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A row like those of an accounting table: fixed words, dates and zeros around a random half, so that a general
/// compressor removes about 55 % of it. The same `key` and `version` always give the same text.
pub fn row_text(key: u64, version: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let mut random = fastrand::Rng::with_seed(version ^ 0x5851_f42d_4c95_7f2d);
    let mut text = String::with_capacity(PAYLOAD_BYTES_MAX);
    text.push_str("800 0001 ");
    push_digits(&mut text, key, 10);
    text.push_str(" 1999 SA EUR 0000");
    push_digits(&mut text, random.u64(0..10_000_000), 7);
    text.push_str(".00 S 0000113100 0000400000 POSTING TEXT ");
    let length = 110 + random.usize(0..24);
    let mut bits = 0u64;
    for index in 0..length {
        if index % 10 == 0 {
            bits = random.u64(..);
        }
        text.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
    text
}

fn push_digits(text: &mut String, number: u64, width: u32) {
    for position in (0..width).rev() {
        text.push(char::from(b'0' + (number / 10u64.pow(position) % 10) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_read_back_what_was_written() {
        let text = row_text(7, 1).into_bytes();
        let slot = Slot {
            state: slot_state::LIVE,
            hash: text_hash(&text),
            key: 7,
            transaction: 9,
            scn: 11,
            text,
        };
        let mut bytes = [0xff; ROW_BYTES];
        slot.write(&mut bytes);
        assert_eq!(Slot::read(&bytes), slot);
    }

    #[test]
    fn texts_fit_their_slot_and_differ_by_version() {
        for version in 0..500 {
            let text = row_text(u64::MAX, version);
            assert!(text.len() <= PAYLOAD_BYTES_MAX && text.is_ascii());
            assert_ne!(text, row_text(u64::MAX, version + 1));
        }
    }

    #[test]
    fn slots_of_every_purpose_end_before_the_tail() {
        let end = BLOCK_BYTES - block::TAIL_BYTES;
        assert!(SLOTS_OFFSET + ROWS_PER_BLOCK as usize * ROW_BYTES <= end);
        assert!(SLOTS_OFFSET + ENTRIES_PER_BLOCK as usize * ENTRY_BYTES <= end);
        assert!(SLOTS_OFFSET + SESSIONS_PER_BLOCK as usize * SESSION_BYTES <= end);
    }
}
