//! The control file on disk: two areas of 16 KiB blocks, written in turn.
//! What lives here: from a record to blocks and back. What does not: copies, generations, what the record says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oracle::address::BlockAddress;
use oracle::block::{self, BlockHeader};
use oracle::os_header::OsHeader;
use oracle::scn::Scn;

use super::{BLOCK_BYTES, BLOCKS, Control};

const FORMAT: u8 = 0xc2;
const AREA_BLOCKS: u32 = BLOCKS / 2;
/// generation u64, total length u32, part number u32, CRC-32 of the whole record u32. Oracle's block sum alone does not see
/// equal changes of two words.
const PART_HEADER: usize = 20;
const PART_BYTES: usize = BLOCK_BYTES - block::HEADER_BYTES - PART_HEADER - block::TAIL_BYTES;

pub(super) fn format(file: &File) -> std::io::Result<()> {
    let mut bytes = os_header();
    file.write_all_at(&bytes, 0)?;
    for number in 1..=BLOCKS {
        bytes.fill(0);
        seal(&mut bytes, number);
        file.write_all_at(&bytes, u64::from(number) * BLOCK_BYTES as u64)?;
    }
    Ok(())
}

/// Block 0.
fn os_header() -> Vec<u8> {
    let mut bytes = vec![0; BLOCK_BYTES];
    OsHeader {
        format: FORMAT,
        block_size: BLOCK_BYTES as u32,
        blocks: BLOCKS,
        checked: true,
    }
    .write(&mut bytes);
    bytes
}

fn seal(bytes: &mut [u8], number: u32) {
    BlockHeader {
        kind: block::kind::CONTROL,
        format: FORMAT,
        address: BlockAddress::from_raw(number),
        scn: Scn::ZERO,
        sequence: 1,
        flags: 0,
        check_value: 0,
    }
    .write(bytes);
    block::seal(bytes);
}

pub(super) fn write(file: &File, record: &Control) -> std::io::Result<()> {
    for (number, bytes) in record_blocks(record)? {
        file.write_all_at(&bytes, u64::from(number) * BLOCK_BYTES as u64)?;
    }
    file.sync_data()
}

/// The blocks that hold a record, with their numbers.
fn record_blocks(record: &Control) -> std::io::Result<Vec<(u32, Vec<u8>)>> {
    let payload = serde_json::to_vec(record).map_err(std::io::Error::other)?;
    let parts = payload.chunks(PART_BYTES);
    if parts.len() > AREA_BLOCKS as usize {
        return Err(std::io::Error::other(
            "the control file record is larger than its area",
        ));
    }
    let first = 1 + AREA_BLOCKS * (record.generation % 2) as u32;
    let sum = crc32fast::hash(&payload);
    let block = |(index, part): (usize, &[u8])| {
        let mut bytes = vec![0; BLOCK_BYTES];
        let body = &mut bytes[block::HEADER_BYTES..];
        body[0..8].copy_from_slice(&record.generation.to_le_bytes());
        body[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        body[12..16].copy_from_slice(&(index as u32).to_le_bytes());
        body[16..20].copy_from_slice(&sum.to_le_bytes());
        body[PART_HEADER..PART_HEADER + part.len()].copy_from_slice(part);
        let number = first + index as u32;
        seal(&mut bytes, number);
        (number, bytes)
    };
    Ok(parts.enumerate().map(block).collect())
}

/// A whole control file with this record, in memory.
///
/// # Errors
/// The record is larger than its area.
pub fn image(record: &Control) -> std::io::Result<Vec<u8>> {
    let mut image = os_header();
    for number in 1..=BLOCKS {
        let mut bytes = vec![0; BLOCK_BYTES];
        seal(&mut bytes, number);
        image.extend_from_slice(&bytes);
    }
    for (number, bytes) in record_blocks(record)? {
        let at = number as usize * BLOCK_BYTES;
        image[at..at + BLOCK_BYTES].copy_from_slice(&bytes);
    }
    Ok(image)
}

/// Reads the record of one control file, or of a copy. The error says what is wrong with it.
pub fn read_file(path: &Path) -> Result<Control, String> {
    // A fifo would be waited for.
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|e| e.to_string())?;
    read(&file)
}

pub(super) fn read(file: &File) -> Result<Control, String> {
    read_newest(&|number, bytes| file.read_exact_at(bytes, u64::from(number) * BLOCK_BYTES as u64))
}

/// Reads the record of a control file in memory. The error says what is wrong with it.
pub fn read_image(image: &[u8]) -> Result<Control, String> {
    read_newest(&|number, bytes| {
        let at = number as usize * BLOCK_BYTES;
        let block = image.get(at..at + BLOCK_BYTES);
        bytes.copy_from_slice(block.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    })
}

/// How a block is read: its number, and where it goes.
type ReadBlock<'a> = &'a dyn Fn(u32, &mut [u8]) -> std::io::Result<()>;

fn read_newest(read_block: ReadBlock) -> Result<Control, String> {
    let newest = [0, 1]
        .into_iter()
        .filter_map(|area| read_area(read_block, 1 + AREA_BLOCKS * area).ok())
        .max_by_key(|c| c.generation);
    match newest {
        Some(record) => Ok(record),
        None => Err(read_area(read_block, 1).err().unwrap_or_default()),
    }
}

fn read_area(read_block: ReadBlock, first: u32) -> Result<Control, String> {
    let mut payload = Vec::new();
    let mut bytes = vec![0; BLOCK_BYTES];
    let mut head: Option<(u64, usize)> = None;
    for index in 0..AREA_BLOCKS {
        let number = first + index;
        read_block(number, &mut bytes).map_err(|e| format!("block {number}: {e}"))?;
        let header = BlockHeader::read(&bytes);
        if block::checksum(&bytes) != 0 || header.kind != block::kind::CONTROL {
            return Err(format!("block {number}, # blocks 1"));
        }
        let body = &bytes[block::HEADER_BYTES..];
        let number_at =
            |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let generation = u64::from(number_at(0)) | u64::from(number_at(4)) << 32;
        let (total, part, sum) = (number_at(8) as usize, number_at(12), number_at(16));
        if part != index
            || total == 0
            || *head.get_or_insert((generation, total)) != (generation, total)
        {
            return Err(format!(
                "block {number}: not part {index} of a whole record"
            ));
        }
        let wanted = (total - payload.len()).min(PART_BYTES);
        payload.extend_from_slice(&body[PART_HEADER..PART_HEADER + wanted]);
        if payload.len() == total {
            if crc32fast::hash(&payload) != sum {
                return Err(format!("block {first}: the record's sum is wrong"));
            }
            let record: Control =
                serde_json::from_slice(&payload).map_err(|e| format!("block {first}: {e}"))?;
            return if record.generation == generation {
                Ok(record)
            } else {
                Err(format!("block {first}: generation"))
            };
        }
    }
    Err(format!("block {first}: the record is longer than its area"))
}
