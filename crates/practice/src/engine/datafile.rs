//! Data files: opening them, their header in block 1, reading and writing blocks.
//! What lives here: one file at a time. What does not: the cache, checkpoints, what a header should say.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use oracle::block;
use oracle::file_header::FileHeader;
use oracle::os_header::OsHeader;

use super::control::DatafileRecord;
use super::error::{OraError, OraResult};
use crate::content::{BLOCK_BYTES, BLOCK_FORMAT};

/// An open data file.
#[derive(Debug)]
pub struct DataFile {
    /// FILE#.
    pub number: u32,
    /// TS#.
    pub tablespace: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Blocks without block 0.
    pub blocks: u32,
    /// The header as last read or written.
    pub header: FileHeader,
    /// Counts the BEGIN BACKUPs of this instance; zero when the file is not in backup mode.
    pub backup_epoch: u64,
    /// The open file.
    pub file: std::sync::Arc<File>,
}

/// `ORA-01110: data file 5: '/path'`, the line that names the file under another error.
pub fn name_file(error: OraError, number: u32, path: &Path) -> OraError {
    error.and(1110, format!("data file {number}: '{}'", path.display()))
}

/// Opens a file for reading and writing and reads its header.
///
/// Errors: ORA-01157 (missing or not a file), ORA-01115 (unreadable), ORA-01210 (no data file header).
pub fn open(record: &DatafileRecord) -> OraResult<DataFile> {
    let (number, path) = (record.number, &record.path);
    let identify = |why: &str| {
        name_file(
            OraError::new(
                1157,
                format!("cannot identify/lock data file {number} - see DBWR trace file"),
            ),
            number,
            path,
        )
        .and(27037, format!("unable to obtain file status: {why}"))
    };
    let metadata = std::fs::metadata(path).map_err(|e| identify(&e.to_string()))?;
    if !metadata.is_file() && !metadata.file_type().is_block_device() {
        return Err(identify("not a regular file"));
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| identify(&e.to_string()))?;
    let header = read_header(&file).map_err(|error| name_file(error, number, path))?;
    let blocks = (metadata.len() / BLOCK_BYTES as u64).saturating_sub(1) as u32;
    if blocks < header.blocks {
        return Err(name_file(
            OraError::new(
                1122,
                format!("database file {number} failed verification check"),
            ),
            number,
            path,
        )
        .and(
            1200,
            format!(
                "actual file size of {blocks} is smaller than correct size of {} blocks",
                header.blocks
            ),
        ));
    }
    Ok(DataFile {
        number,
        tablespace: record.tablespace,
        path: path.clone(),
        blocks: header.blocks,
        header,
        backup_epoch: 0,
        file: std::sync::Arc::new(file),
    })
}

/// Reads block 1. ORA-01115 when it cannot be read, ORA-01210 when it is no data file header.
pub fn read_header(file: &File) -> OraResult<FileHeader> {
    let mut bytes = vec![0; BLOCK_BYTES];
    file.read_exact_at(&mut bytes, BLOCK_BYTES as u64)
        .map_err(|e| {
            OraError::new(1115, "IO error reading block from file (block # 1)")
                .and(27072, e.to_string())
        })?;
    if block::checksum(&bytes) != 0 {
        return Err(OraError::new(1210, "data file header is media corrupt"));
    }
    FileHeader::read(&bytes).map_err(|_| OraError::new(1210, "data file header is media corrupt"))
}

/// Writes block 1 and syncs the file: after a crash either the old or the new header is there.
pub fn write_header(file: &File, header: &FileHeader) -> std::io::Result<()> {
    let mut bytes = vec![0; BLOCK_BYTES];
    header.write(&mut bytes);
    file.write_all_at(&bytes, BLOCK_BYTES as u64)?;
    file.sync_data()
}

/// Writes block 0 of a file with `blocks` blocks.
pub fn write_os_header(file: &File, blocks: u32) -> std::io::Result<()> {
    let mut bytes = vec![0; BLOCK_BYTES];
    os_header(blocks, &mut bytes);
    file.write_all_at(&bytes, 0)
}

/// Fills `bytes` with block 0 of a file with `blocks` blocks.
pub fn os_header(blocks: u32, bytes: &mut [u8]) {
    bytes.fill(0);
    OsHeader {
        format: BLOCK_FORMAT,
        block_size: BLOCK_BYTES as u32,
        blocks,
        checked: false,
    }
    .write(bytes);
}

/// Whether a block as read is whole: tail and check value fit.
pub fn is_whole(bytes: &[u8]) -> bool {
    let header = block::BlockHeader::read(bytes);
    let tail = u32::from_le_bytes([
        bytes[BLOCK_BYTES - 4],
        bytes[BLOCK_BYTES - 3],
        bytes[BLOCK_BYTES - 2],
        bytes[BLOCK_BYTES - 1],
    ]);
    header.format == BLOCK_FORMAT
        && tail == block::expected_tail(&header)
        && block::checksum(bytes) == 0
}

/// Reads block `number`, checking it. ORA-01578 when it is damaged, ORA-01115 when it cannot be read.
pub fn read_block(file: &DataFile, number: u32, bytes: &mut [u8]) -> OraResult<()> {
    if number == 0 || number > file.blocks {
        return Err(name_file(
            OraError::new(
                1578,
                format!(
                    "ORACLE data block corrupted (file # {}, block # {number})",
                    file.number
                ),
            ),
            file.number,
            &file.path,
        ));
    }
    file.file
        .read_exact_at(bytes, u64::from(number) * BLOCK_BYTES as u64)
        .map_err(|e| {
            name_file(
                OraError::new(
                    1115,
                    format!(
                        "IO error reading block from file {} (block # {number})",
                        file.number
                    ),
                ),
                file.number,
                &file.path,
            )
            .and(27072, e.to_string())
        })?;
    let address = block::BlockHeader::read(bytes).address;
    let kind = bytes[0];
    if is_whole(bytes) && (address.block() == number || kind == block::kind::NEVER_FORMATTED) {
        return Ok(());
    }
    Err(name_file(
        OraError::new(
            1578,
            format!(
                "ORACLE data block corrupted (file # {}, block # {number})",
                file.number
            ),
        ),
        file.number,
        &file.path,
    ))
}
