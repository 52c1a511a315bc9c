//! The compression of AS COMPRESSED BACKUPSET: runs of zeros are counted, everything else is kept.
//! What lives here: both directions for one chunk. What does not: when to use it.
//!
//! Form: pairs of a literal length (u16), so many bytes, and a count of zeros (u16).

/// Shortest run of zeros that is worth a pair.
const RUN_MIN: usize = 8;

/// The packed form, or None when it would be no shorter.
pub fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packed = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let literal = literal_length(&bytes[at..]);
        let zeros = zeros(&bytes[at + literal..]);
        packed.extend_from_slice(&u16::try_from(literal).ok()?.to_le_bytes());
        packed.extend_from_slice(&bytes[at..at + literal]);
        packed.extend_from_slice(&u16::try_from(zeros).ok()?.to_le_bytes());
        at += literal + zeros;
    }
    (packed.len() < bytes.len()).then_some(packed)
}

fn zeros(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

/// Bytes before the next run of zeros, or all.
fn literal_length(bytes: &[u8]) -> usize {
    let mut run = 0;
    for (index, byte) in bytes.iter().enumerate() {
        run = if *byte == 0 { run + 1 } else { 0 };
        if run == RUN_MIN {
            return index + 1 - RUN_MIN;
        }
    }
    bytes.len()
}

/// The bytes of a packed form; None unless they are exactly `length` bytes.
pub fn unpack(mut packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while !packed.is_empty() {
        let literal = take_length(&mut packed)?;
        bytes.extend_from_slice(packed.get(..literal)?);
        packed = &packed[literal..];
        let zeros = take_length(&mut packed)?;
        if bytes.len() + zeros > length {
            return None;
        }
        bytes.resize(bytes.len() + zeros, 0);
    }
    (bytes.len() == length).then_some(bytes)
}

fn take_length(packed: &mut &[u8]) -> Option<usize> {
    let (length, rest) = packed.split_first_chunk::<2>()?;
    *packed = rest;
    Some(usize::from(u16::from_le_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let mut block = vec![0; 8192];
        block[100..140].fill(7);
        block[8000] = 1;
        let mut rows: Vec<u8> = (0..8192u32).map(|at| (at % 64) as u8).collect();
        rows[3000..5000].fill(0);
        for bytes in [block, rows, vec![0; 8192], vec![0; 512]] {
            let packed = pack(&bytes).unwrap();
            assert!(packed.len() < bytes.len());
            assert_eq!(unpack(&packed, bytes.len()), Some(bytes));
        }
        assert_eq!(pack(&[1; 8192]), None);
    }

    #[test]
    fn broken_forms_are_refused_within_bounds() {
        let packed = pack(&[0; 8192]).unwrap();
        assert_eq!(unpack(&packed, 8191), None);
        assert_eq!(unpack(&packed[..packed.len() - 1], 8192), None);
        assert_eq!(unpack(&[255, 255, 1], 8192), None);
        assert_eq!(unpack(&[0, 0, 255, 255], 8192), None);
        assert_eq!(unpack(&[], 1), None);
    }
}
