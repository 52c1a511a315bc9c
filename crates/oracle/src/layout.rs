//! Little-endian fields at fixed offsets of a block.
//! What lives here: reading and writing one field. What does not: which field lies where.

use crate::scn::Scn;

/// Two bytes at an offset.
pub fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

/// Four bytes at an offset.
pub fn u32_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// An SCN of eight bytes at an offset.
pub fn scn_at(block: &[u8], at: usize) -> Scn {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[at..at + 8]);
    Scn::decode(bytes)
}

/// Text of at most `length` bytes at an offset, up to the first NUL; bytes that are no UTF-8 are replaced.
pub fn text_at(block: &[u8], at: usize, length: usize) -> String {
    let bytes = &block[at..at + length];
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(length);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Writes bytes at an offset.
pub fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes text of at most `length` bytes at an offset, cut if longer.
pub fn put_text(block: &mut [u8], at: usize, text: &str, length: usize) {
    let bytes = text.as_bytes();
    put(block, at, &bytes[..bytes.len().min(length)]);
}
