//! The header of a redo log, in block 1.
//! What lives here: its layout. What does not: whether a log is the one that is wanted.
//!
//! | offset | field | offset | field |
//! |---|---|---|---|
//! | 20 | compatible version | 172 | heartbeat sequence |
//! | 24 | DBID | 176 | thread (2) |
//! | 28 | database name, 8 bytes | 180, 188 | first SCN and time |
//! | 36 | control file sequence | 192, 200 | next SCN and time; all ones while current |
//! | 40 | size of the online log in blocks | 204 | end of thread (1) |
//! | 44 | block size | 208 | enabled SCN |
//! | 48 | group (2) | 236 | flags; bit 0x02 end of redo |
//! | 50 | file type, 2 (2) | 284, 292 | previous resetlogs SCN and id |
//! | 52 | activation id | | |
//! | 92 | text, 64 bytes | | |
//! | 156 | next available block, the size of an archived log with block 0 | | |
//! | 160, 164 | resetlogs id and SCN | | |

use super::{RedoBlockHeader, format_code};
use crate::file_header::ResetLogs;
use crate::layout::{put, put_text, scn_at, text_at, u16_at, u32_at};
use crate::os_header::HeaderError;
use crate::scn::{LogSequence, Scn};
use crate::time::OracleTime;

const END_OF_REDO: u32 = 0x02;

/// The content of block 1 of a redo log.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those of the offset table above")]
pub struct LogHeader {
    pub compat: u32,
    pub dbid: u32,
    pub db_name: String,
    pub control_sequence: u32,
    pub online_blocks: u32,
    pub block_size: u32,
    pub group: u16,
    pub activation_id: u32,
    pub thread: u16,
    pub sequence: LogSequence,
    pub text: String,
    /// All ones while the log is current.
    pub next_available_block: u32,
    pub resetlogs: ResetLogs,
    pub previous_resetlogs: ResetLogs,
    pub first_scn: Scn,
    pub first_time: OracleTime,
    /// [`Scn::OPEN_ENDED`] while the log is current.
    pub next_scn: Scn,
    pub next_time: Option<OracleTime>,
    pub enabled_scn: Scn,
    pub end_of_thread: bool,
    pub end_of_redo: bool,
}

impl LogHeader {
    /// Reads block 1. Errors: no sealed redo block, not number 1, impossible block size, not a log.
    pub fn read(block: &[u8]) -> Result<LogHeader, HeaderError> {
        let header = RedoBlockHeader::read(block).ok_or(HeaderError::Wrong(
            "block 1 is no redo block, or its check value is wrong",
        ))?;
        if header.block != 1 {
            return Err(HeaderError::Wrong("block 1 carries another block's number"));
        }
        let block_size = u32_at(block, 44);
        if format_code(block_size) != Some(header.format) {
            return Err(HeaderError::Wrong(
                "the block size in the log header is none of 512, 1024, 4096",
            ));
        }
        if u16_at(block, 50) != 2 {
            return Err(HeaderError::Wrong(
                "the file type in the log header is not 2, redo log",
            ));
        }
        let time = |at| OracleTime::from_raw(u32_at(block, at));
        Ok(LogHeader {
            compat: u32_at(block, 20),
            dbid: u32_at(block, 24),
            db_name: text_at(block, 28, 8),
            control_sequence: u32_at(block, 36),
            online_blocks: u32_at(block, 40),
            block_size,
            group: u16_at(block, 48),
            activation_id: u32_at(block, 52),
            thread: u16_at(block, 176),
            sequence: header.sequence,
            text: text_at(block, 92, 64),
            next_available_block: u32_at(block, 156),
            resetlogs: ResetLogs {
                time: time(160),
                scn: scn_at(block, 164),
            },
            previous_resetlogs: ResetLogs {
                time: time(292),
                scn: scn_at(block, 284),
            },
            first_scn: scn_at(block, 180),
            first_time: time(188),
            next_scn: scn_at(block, 192),
            next_time: Some(time(200)).filter(|time| time.raw() != 0),
            enabled_scn: scn_at(block, 208),
            end_of_thread: block[204] != 0,
            end_of_redo: u32_at(block, 236) & END_OF_REDO != 0,
        })
    }

    /// Writes the whole block, sealed.
    pub fn write(&self, block: &mut [u8]) {
        block.fill(0);
        for (at, value) in [
            (20, self.compat),
            (24, self.dbid),
            (36, self.control_sequence),
            (40, self.online_blocks),
            (44, self.block_size),
            (52, self.activation_id),
            (156, self.next_available_block),
            (160, self.resetlogs.time.raw()),
            (188, self.first_time.raw()),
            (200, self.next_time.map_or(0, OracleTime::raw)),
            (236, if self.end_of_redo { END_OF_REDO } else { 0 }),
            (292, self.previous_resetlogs.time.raw()),
        ] {
            put(block, at, &value.to_le_bytes());
        }
        for (at, value) in [(48, self.group), (50, 2), (176, self.thread)] {
            put(block, at, &value.to_le_bytes());
        }
        for (at, scn) in [
            (164, self.resetlogs.scn),
            (180, self.first_scn),
            (192, self.next_scn),
            (208, self.enabled_scn),
            (284, self.previous_resetlogs.scn),
        ] {
            put(block, at, &scn.encode());
        }
        put_text(block, 28, &self.db_name, 8);
        put_text(block, 92, &self.text, 64);
        block[204] = u8::from(self.end_of_thread);
        let format = format_code(self.block_size).unwrap_or(0x22);
        RedoBlockHeader {
            format,
            block: 1,
            sequence: self.sequence,
            first_record: 0,
        }
        .seal(block);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn header() -> LogHeader {
        let time = OracleTime::from_raw;
        LogHeader {
            compat: 0x1706_0000,
            dbid: 77,
            db_name: "SND".to_string(),
            control_sequence: 5,
            online_blocks: 8192,
            block_size: 512,
            group: 13,
            activation_id: 99,
            thread: 1,
            sequence: LogSequence::new(15),
            text: "T 0001, S 0000000015".to_string(),
            next_available_block: 598,
            resetlogs: ResetLogs {
                time: time(1_227_231_878),
                scn: Scn::new(1),
            },
            previous_resetlogs: ResetLogs {
                time: time(3),
                scn: Scn::new(2),
            },
            first_scn: Scn::new(0x22_0000),
            first_time: time(1_227_231_900),
            next_scn: Scn::new(0x22_9a45),
            next_time: Some(time(1_227_231_990)),
            enabled_scn: Scn::new(1),
            end_of_thread: false,
            end_of_redo: false,
        }
    }

    #[test]
    fn a_log_header_reads_back() {
        let mut block = vec![0x55; 512];
        for current in [false, true] {
            let mut wanted = header();
            if current {
                wanted.next_scn = Scn::OPEN_ENDED;
                wanted.next_time = None;
            }
            wanted.write(&mut block);
            assert_eq!(LogHeader::read(&block), Ok(wanted));
        }
        block[300] ^= 1;
        assert!(LogHeader::read(&block).is_err());
    }
}
