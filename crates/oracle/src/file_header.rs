//! The header of a data file, in block 1.
//! What lives here: its layout and status bits. What does not: what a header must say, which is recovery's business.
//!
//! Offsets are of the block; checked against two 11.2.0.4 headers, names from published dumps.
//!
//! | offset | field | offset | field |
//! |---|---|---|---|
//! | 24 | compatible version | 140 | checkpoint count |
//! | 28 | DBID | 148 | control file's checkpoint count |
//! | 32 | database name, 8 bytes | 312 | blocks at BEGIN BACKUP |
//! | 40 | control file sequence | 332 | TS# |
//! | 44 | blocks | 336 | length of the tablespace name, which is at 338 (30 bytes) |
//! | 48 | block size | 368 | relative file number |
//! | 52 | FILE# (2) | 384 | absolute fuzzy SCN |
//! | 54 | file type (2) | 416, 420 | previous resetlogs time and SCN |
//! | 96 | root address | 484 | checkpoint SCN |
//! | 100, 108 | creation SCN and time | 492 | checkpoint time |
//! | 112, 116 | resetlogs time and SCN | 496 | checkpoint thread (2) |
//! | 124, 128, 136 | backup time, SCN, thread (2) | 500, 504, 508 | redo address: sequence, block, offset (2) |
//! | 138 | status (2) | | |

use crate::address::BlockAddress;
use crate::block::{self, BlockHeader, BlockSize};
use crate::layout::{put, put_text, scn_at, text_at, u16_at, u32_at};
pub use crate::os_header::HeaderError;
use crate::redo::RedoAddress;
use crate::scn::{LogSequence, Scn};
use crate::time::OracleTime;

/// Bytes that a reader needs.
const BYTES_MIN: usize = 512;
/// Longest tablespace name, in bytes.
const TABLESPACE_NAME_MAX: usize = 30;

/// Bits of the status word.
pub mod status {
    /// Hot backup in progress.
    pub const HOT_BACKUP: u16 = 0x01;
    /// The file was online when the database was open.
    pub const ONLINE_FUZZY: u16 = 0x04;
    /// Media recovery has not come to its end.
    pub const MEDIA_FUZZY: u16 = 0x10;
    /// Blocks may be newer than the checkpoint.
    pub const ABSOLUTE_FUZZY: u16 = 0x40;
    /// The checkpoint is not to be relied on.
    pub const BAD_CHECKPOINT: u16 = 0x100;
    /// RESETLOGS did not come to its end.
    pub const RESETLOGS_UNFINISHED: u16 = 0x200;
    /// All-zero blocks are legal.
    pub const ZEROED_ALLOWED: u16 = 0x800;
    /// Proxy copy.
    pub const PROXY_COPY: u16 = 0x1000;
    /// The root address is valid: a file of SYSTEM.
    pub const ROOT_VALID: u16 = 0x2000;
    /// Standby fuzzy.
    pub const STANDBY_FUZZY: u16 = 0x4000;
    /// Incremental level 0 copy.
    pub const LEVEL_0_COPY: u16 = 0x8000;
}

/// Which incarnation something belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ResetLogs {
    /// Its number is the resetlogs id, `%r` of archived log names.
    pub time: OracleTime,
    /// First SCN of the incarnation.
    pub scn: Scn,
}

/// A checkpoint: every change below the SCN is in the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Checkpoint {
    /// The SCN.
    pub scn: Scn,
    /// When.
    pub time: OracleTime,
    /// Redo thread.
    pub thread: u16,
    /// Where recovery begins to read.
    pub rba: RedoAddress,
}

/// The header of a data file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those of the offset table above")]
pub struct FileHeader {
    pub compat: u32,
    pub dbid: u32,
    pub db_name: String,
    pub control_sequence: u32,
    pub blocks: u32,
    pub block_size: u32,
    pub file_number: u16,
    /// 1 control, 2 log, 3 data, 6 temporary.
    pub file_type: u16,
    pub root_address: u32,
    pub creation_scn: Scn,
    pub creation_time: OracleTime,
    pub resetlogs: ResetLogs,
    pub previous_resetlogs: ResetLogs,
    pub backup_begin_time: Option<OracleTime>,
    pub backup_begin_scn: Scn,
    pub backup_thread: u16,
    /// Bits of [`status`].
    pub status: u16,
    pub checkpoint_count: u32,
    pub control_checkpoint_count: u32,
    pub blocks_at_backup: u32,
    pub tablespace_number: u32,
    pub tablespace_name: String,
    pub relative_file: u16,
    pub absolute_fuzzy_scn: Scn,
    pub checkpoint: Checkpoint,
}

impl FileHeader {
    /// Reads block 1. Errors: too short, not of type 0x0b, impossible block size. The sum is not looked at.
    pub fn read(block: &[u8]) -> Result<FileHeader, HeaderError> {
        if block.len() < BYTES_MIN {
            return Err(HeaderError::TooShort {
                needed: BYTES_MIN,
                found: block.len(),
            });
        }
        if block[0] != block::kind::FILE_HEADER {
            return Err(HeaderError::Wrong(
                "block 1 is not of type 0x0b, data file header",
            ));
        }
        if BlockSize::from_bytes(u32_at(block, 48)).is_none() {
            return Err(HeaderError::Wrong(
                "the block size in the data file header is none of 2K to 32K",
            ));
        }
        let time = |at| OracleTime::from_raw(u32_at(block, at));
        let name_length = usize::from(u16_at(block, 336)).min(TABLESPACE_NAME_MAX);
        Ok(FileHeader {
            compat: u32_at(block, 24),
            dbid: u32_at(block, 28),
            db_name: text_at(block, 32, 8),
            control_sequence: u32_at(block, 40),
            blocks: u32_at(block, 44),
            block_size: u32_at(block, 48),
            file_number: u16_at(block, 52),
            file_type: u16_at(block, 54),
            root_address: u32_at(block, 96),
            creation_scn: scn_at(block, 100),
            creation_time: time(108),
            resetlogs: ResetLogs {
                time: time(112),
                scn: scn_at(block, 116),
            },
            previous_resetlogs: ResetLogs {
                time: time(416),
                scn: scn_at(block, 420),
            },
            backup_begin_time: Some(time(124)).filter(|time| time.raw() != 0),
            backup_begin_scn: scn_at(block, 128),
            backup_thread: u16_at(block, 136),
            status: u16_at(block, 138),
            checkpoint_count: u32_at(block, 140),
            control_checkpoint_count: u32_at(block, 148),
            blocks_at_backup: u32_at(block, 312),
            tablespace_number: u32_at(block, 332),
            tablespace_name: text_at(block, 338, name_length),
            relative_file: u16_at(block, 368),
            absolute_fuzzy_scn: scn_at(block, 384),
            checkpoint: Checkpoint {
                scn: scn_at(block, 484),
                time: time(492),
                thread: u16_at(block, 496),
                rba: RedoAddress {
                    sequence: LogSequence::new(u32_at(block, 500)),
                    block: u32_at(block, 504),
                    offset: u16_at(block, 508),
                },
            },
        })
    }

    /// Writes the whole block, sealed. Its own block header is always SCN 0, sequence 1.
    pub fn write(&self, block: &mut [u8]) {
        block.fill(0);
        let size = BlockSize::from_bytes(self.block_size).unwrap_or(BlockSize::K8);
        BlockHeader {
            kind: block::kind::FILE_HEADER,
            format: size.format_code(),
            address: BlockAddress::smallfile(self.relative_file, 1),
            scn: Scn::ZERO,
            sequence: 1,
            flags: block::flag::CHECKED,
            check_value: 0,
        }
        .write(block);
        self.write_numbers(block);
        self.write_scns(block);
        put_text(block, 32, &self.db_name, 8);
        put_text(block, 338, &self.tablespace_name, TABLESPACE_NAME_MAX);
        block::seal(block);
    }

    fn write_numbers(&self, block: &mut [u8]) {
        let name_length = self.tablespace_name.len().min(TABLESPACE_NAME_MAX) as u16;
        let backup_time = self.backup_begin_time.map_or(0, OracleTime::raw);
        for (at, value) in [
            (24, self.compat),
            (28, self.dbid),
            (40, self.control_sequence),
            (44, self.blocks),
            (48, self.block_size),
            (96, self.root_address),
            (108, self.creation_time.raw()),
            (112, self.resetlogs.time.raw()),
            (124, backup_time),
            (140, self.checkpoint_count),
            (148, self.control_checkpoint_count),
            (312, self.blocks_at_backup),
            (332, self.tablespace_number),
            (416, self.previous_resetlogs.time.raw()),
            (492, self.checkpoint.time.raw()),
            (500, self.checkpoint.rba.sequence.get()),
            (504, self.checkpoint.rba.block),
        ] {
            put(block, at, &value.to_le_bytes());
        }
        for (at, value) in [
            (52, self.file_number),
            (54, self.file_type),
            (336, name_length),
            (368, self.relative_file),
            (496, self.checkpoint.thread),
            (508, self.checkpoint.rba.offset),
        ] {
            put(block, at, &value.to_le_bytes());
        }
    }

    fn write_scns(&self, block: &mut [u8]) {
        for (at, scn) in [
            (100, self.creation_scn),
            (116, self.resetlogs.scn),
            (128, self.backup_begin_scn),
            (384, self.absolute_fuzzy_scn),
            (420, self.previous_resetlogs.scn),
            (484, self.checkpoint.scn),
        ] {
            put(block, at, &scn.encode());
        }
        put(block, 136, &self.backup_thread.to_le_bytes());
        put(block, 138, &self.status.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FileHeader {
        let time = OracleTime::from_raw;
        FileHeader {
            compat: 0x0b20_0400,
            dbid: 0xdead_beef,
            db_name: "SND".to_string(),
            control_sequence: 7,
            blocks: 1279,
            block_size: 8192,
            file_number: 5,
            file_type: 3,
            root_address: 0x0040_0208,
            creation_scn: Scn::new(5),
            creation_time: time(10),
            resetlogs: ResetLogs {
                time: time(11),
                scn: Scn::new(12),
            },
            previous_resetlogs: ResetLogs {
                time: time(13),
                scn: Scn::new(14),
            },
            backup_begin_time: Some(time(15)),
            backup_begin_scn: Scn::new(0x0001_0000_0000),
            backup_thread: 1,
            status: status::HOT_BACKUP | status::ROOT_VALID,
            checkpoint_count: 634,
            control_checkpoint_count: 633,
            blocks_at_backup: 1279,
            tablespace_number: 4,
            tablespace_name: "PSAP40BD".to_string(),
            relative_file: 5,
            absolute_fuzzy_scn: Scn::new(16),
            checkpoint: Checkpoint {
                scn: Scn::new(0x47_0b09),
                time: time(17),
                thread: 1,
                rba: RedoAddress {
                    sequence: LogSequence::new(1171),
                    block: 2,
                    offset: 16,
                },
            },
        }
    }

    #[test]
    fn a_header_reads_back_and_is_sealed() {
        let mut block = vec![0xcc; 8192];
        header().write(&mut block);
        assert_eq!(FileHeader::read(&block), Ok(header()));
        assert_eq!((block::checksum(&block), block::tail(&block)), (0, 0x0b01));
        assert_eq!(
            (u16_at(&block, 138), u32_at(&block, 484)),
            (0x2001, 0x47_0b09)
        );
    }

    #[test]
    fn other_blocks_are_no_header() {
        let mut block = vec![0; 8192];
        assert!(FileHeader::read(&block).is_err());
        assert!(FileHeader::read(&block[..100]).is_err());
        header().write(&mut block);
        block[48] = 1;
        assert!(FileHeader::read(&block).is_err());
    }
}
