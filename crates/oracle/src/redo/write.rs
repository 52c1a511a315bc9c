//! One write of the log writer (LWN): some records, laid out over whole blocks.
//! What lives here: from records to blocks and back. What does not: files.
//!
//! A log write starts at a block boundary. Its first record says in how many blocks it lies, so a reader can tell a
//! write that is wholly on disk from one that is not. Records flow over block ends; where fewer than 20 bytes are left
//! in a block the next record starts in the next block. The first record carries, in its long header: number of the
//! write u16 at 24, 1 at 26, length in blocks u32 at 28, SCN at 40, time at 64.

use super::record::{LONG_HEADER, RedoRecord, SHORT_HEADER, VALID_LONG};
use super::{RECORD_START_MIN, REDO_BLOCK_BYTES, REDO_HEADER_BYTES, RedoBlockHeader};
use crate::layout::{put, scn_at, u16_at, u32_at};
use crate::scn::{LogSequence, Scn};
use crate::time::OracleTime;

/// Most blocks of one log write.
pub(super) const BLOCKS_MAX: u32 = 1 << 17;
const PAYLOAD: usize = REDO_BLOCK_BYTES - REDO_HEADER_BYTES;

/// Records that reached the disk together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogWrite {
    /// Counts the writes, wrapping.
    pub number: u16,
    /// SCN of the first record.
    pub scn: Scn,
    /// When it was written.
    pub time: OracleTime,
    /// At least one.
    pub records: Vec<RedoRecord>,
}

/// Lays a log write out in sealed 512-byte blocks, the first of which is number `first_block` of the log.
pub fn encode_log_write(write: &LogWrite, sequence: LogSequence, first_block: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut starts = Vec::with_capacity(write.records.len());
    for (index, record) in write.records.iter().enumerate() {
        let left = PAYLOAD - payload.len() % PAYLOAD;
        if left < RECORD_START_MIN {
            payload.resize(payload.len() + left, 0);
        }
        starts.push(payload.len());
        record.encode(index == 0, &mut payload);
    }
    let blocks = payload.len().div_ceil(PAYLOAD);
    if blocks > 0 {
        put(&mut payload, 24, &write.number.to_le_bytes());
        put(&mut payload, 26, &1u16.to_le_bytes());
        put(&mut payload, 28, &(blocks as u32).to_le_bytes());
        put(&mut payload, 40, &write.scn.encode());
        put(&mut payload, 64, &write.time.raw().to_le_bytes());
    }
    seal_blocks(&payload, &starts, sequence, first_block)
}

fn seal_blocks(
    payload: &[u8],
    starts: &[usize],
    sequence: LogSequence,
    first_block: u32,
) -> Vec<u8> {
    let blocks = payload.len().div_ceil(PAYLOAD);
    let mut out = vec![0; blocks * REDO_BLOCK_BYTES];
    let mut starts = starts.iter().copied().peekable();
    for (index, (block, part)) in out
        .chunks_exact_mut(REDO_BLOCK_BYTES)
        .zip(payload.chunks(PAYLOAD))
        .enumerate()
    {
        block[REDO_HEADER_BYTES..REDO_HEADER_BYTES + part.len()].copy_from_slice(part);
        let end = (index + 1) * PAYLOAD;
        let mut first_record = match starts.peek() {
            Some(start) if *start < end => REDO_HEADER_BYTES + start % PAYLOAD,
            _ if index + 1 == blocks && part.len() < PAYLOAD => REDO_HEADER_BYTES + part.len(),
            _ => 0,
        };
        while starts.next_if(|start| *start < end).is_some() {}
        first_record &= 0x7fff;
        RedoBlockHeader {
            format: 0x22,
            block: first_block + index as u32,
            sequence,
            first_record: first_record as u16,
        }
        .seal(block);
    }
    out
}

/// How many blocks the log write takes whose first block's payload this is. None when no log write starts here.
pub(super) fn blocks_of(first_payload: &[u8]) -> Option<u32> {
    let long = first_payload.len() >= LONG_HEADER && first_payload[4] & VALID_LONG != 0;
    let blocks = long.then(|| u32_at(first_payload, 28))?;
    (1..=BLOCKS_MAX).contains(&blocks).then_some(blocks)
}

/// Reads the records out of the payload of all blocks of a log write, each block having `block_payload` bytes of it.
/// The error is the offset in the payload at which something does not fit.
pub(super) fn decode(payload: &[u8], block_payload: usize) -> Result<LogWrite, usize> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let left = block_payload - at % block_payload;
        if left < RECORD_START_MIN {
            at += left;
            continue;
        }
        let length = u32_at(payload, at) as usize;
        if length == 0 {
            break;
        }
        let bytes = payload
            .get(at..at.saturating_add(length))
            .filter(|bytes| bytes.len() >= SHORT_HEADER)
            .ok_or(at)?;
        records.push(RedoRecord::decode(bytes).ok_or(at)?);
        at += (length + 3) & !3;
    }
    if records.is_empty() {
        return Err(0);
    }
    Ok(LogWrite {
        number: u16_at(payload, 24),
        scn: scn_at(payload, 40),
        time: OracleTime::from_raw(u32_at(payload, 64)),
        records,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::record::ChangeVector;
    use super::*;
    use crate::address::BlockAddress;
    use proptest::prelude::*;

    pub fn write_of(sizes: &[usize]) -> LogWrite {
        let records = sizes
            .iter()
            .enumerate()
            .map(|(index, size)| RedoRecord {
                scn: Scn::new(1000 + index as u64),
                sub_scn: 1,
                vectors: vec![ChangeVector {
                    layer: 11,
                    code: 2,
                    class: 1,
                    file: 5,
                    address: BlockAddress::smallfile(5, 9),
                    scn: Scn::new(999),
                    sequence: 3,
                    kind: 6,
                    fields: vec![vec![index as u8; *size], vec![], vec![1, 2, 3]],
                }],
            })
            .collect();
        LogWrite {
            number: 4,
            scn: Scn::new(1000),
            time: OracleTime::from_raw(77),
            records,
        }
    }

    fn read_back(blocks: &[u8]) -> Result<LogWrite, usize> {
        let payload: Vec<u8> = blocks
            .chunks_exact(REDO_BLOCK_BYTES)
            .flat_map(|block| block[REDO_HEADER_BYTES..].to_vec())
            .collect();
        assert_eq!(
            blocks_of(&payload),
            Some((blocks.len() / REDO_BLOCK_BYTES) as u32)
        );
        decode(&payload, PAYLOAD)
    }

    #[test]
    fn each_block_says_where_its_first_record_starts() {
        let blocks = encode_log_write(&write_of(&[1000, 10]), LogSequence::new(9), 2);
        let headers: Vec<_> = blocks
            .chunks_exact(REDO_BLOCK_BYTES)
            .map(|block| RedoBlockHeader::read(block).unwrap())
            .collect();
        assert_eq!(
            headers
                .iter()
                .map(|header| header.block)
                .collect::<Vec<_>>(),
            [2, 3, 4]
        );
        assert_eq!((headers[0].first_record, headers[1].first_record), (16, 0));
        assert!(headers[2].first_record > 16);
    }

    proptest! {
        #[test]
        fn any_log_write_reads_back(sizes in prop::collection::vec(0usize..9000, 1..12)) {
            let write = write_of(&sizes);
            let blocks = encode_log_write(&write, LogSequence::new(3), 100);
            prop_assert_eq!(read_back(&blocks), Ok(write));
        }

        #[test]
        fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 496..1500)) {
            let whole = bytes.len() / PAYLOAD * PAYLOAD;
            let _nonsense_is_an_error_or_a_value = decode(&bytes[..whole], PAYLOAD);
            let _likewise = blocks_of(&bytes);
        }

        #[test]
        fn a_damaged_log_write_never_panics(sizes in prop::collection::vec(0usize..600, 1..5), at in 0usize..2000, value in any::<u8>()) {
            let blocks = encode_log_write(&write_of(&sizes), LogSequence::new(3), 100);
            let mut payload: Vec<u8> = blocks.chunks_exact(REDO_BLOCK_BYTES).flat_map(|block| block[REDO_HEADER_BYTES..].to_vec()).collect();
            let at = at % payload.len();
            payload[at] = value;
            let _either = decode(&payload, PAYLOAD);
        }
    }
}
