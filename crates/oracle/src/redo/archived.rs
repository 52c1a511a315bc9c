//! Everything that can be said of one archived log before its original is deleted, and of two neighbours.
//! What lives here: the checks. What does not: comparing with V$ARCHIVED_LOG or with a stored copy.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{
    FIRST_REDO_BLOCK, LogHeader, LogReader, REDO_HEADER_BYTES, RedoBlockHeader, RedoError,
};
use crate::block::checksum;
use crate::scn::{LogSequence, Scn};

/// Read at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// What a good archived log says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchivedLogReport {
    /// Its header.
    pub header: LogHeader,
    /// Blocks without block 0.
    pub blocks: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// Log writes in it.
    pub log_writes: u64,
    /// Records in it.
    pub records: u64,
}

/// What is wrong with an archived log.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// It cannot be opened, read or recognised.
    #[error(transparent)]
    Unreadable(#[from] RedoError),
    /// The file is shorter or longer than block 0 says: still being written, truncated, or something was appended.
    #[error("the file has {found} bytes, its block 0 says {expected}")]
    Size {
        /// By block 0.
        expected: u64,
        /// In the file.
        found: u64,
    },
    /// The log is still current: its next SCN is open.
    #[error("the log is still being written, its next SCN is not known yet")]
    StillOpen,
    /// The header contradicts itself.
    #[error("the log header contradicts itself: {0}")]
    Header(&'static str),
    /// A block is damaged or of another log.
    #[error("block {block}: {what}")]
    Block {
        /// Which.
        block: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The chain of log writes does not end where the header says.
    #[error("the redo ends at block {found}, the header says {expected}")]
    Chain {
        /// By the header.
        expected: u32,
        /// By the log writes.
        found: u32,
    },
}

/// Why one log does not follow another.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContinuityFault {
    /// Another database, thread or incarnation.
    #[error("log {second} is of another {what} than log {first}")]
    Foreign {
        /// Earlier log.
        first: LogSequence,
        /// Later log.
        second: LogSequence,
        /// Database, redo thread or incarnation.
        what: &'static str,
    },
    /// A sequence number is missing or repeated.
    #[error("log {first} is followed by log {second}")]
    Sequence {
        /// Earlier log.
        first: LogSequence,
        /// Later log.
        second: LogSequence,
    },
    /// The SCNs leave a gap or overlap.
    #[error("log {sequence} ends at SCN {next}, the one after it begins at {first}")]
    Scn {
        /// Earlier log.
        sequence: LogSequence,
        /// Where it ends.
        next: Scn,
        /// Where the later one begins.
        first: Scn,
    },
}

/// Checks size, every block, header and the chain of log writes of one archived log; reads it twice at most.
pub fn check_archived_log(path: impl AsRef<Path>) -> Result<ArchivedLogReport, LogFault> {
    let path = path.as_ref();
    let reader = LogReader::open(path)?;
    let io = |source: io::Error| LogFault::Unreadable(RedoError::Io { block: 0, source });
    let file = File::open(path).map_err(io)?;
    let header = reader.header().clone();
    let blocks = reader.os_header().blocks;
    let found = file.metadata().map_err(io)?.len();
    let expected = (u64::from(blocks) + 1) * u64::from(header.block_size);
    if found != expected {
        return Err(LogFault::Size { expected, found });
    }
    check_header(&header, blocks)?;
    check_blocks(&file, &header, blocks)?;
    let (mut block, mut log_writes, mut records) = (FIRST_REDO_BLOCK, 0, 0);
    while let Some((write, next)) = reader.read_log_write(block)? {
        log_writes += 1;
        records += write.records.len() as u64;
        block = next;
    }
    if block != header.next_available_block {
        return Err(LogFault::Chain {
            expected: header.next_available_block,
            found: block,
        });
    }
    Ok(ArchivedLogReport {
        header,
        blocks,
        bytes: found,
        log_writes,
        records,
    })
}

fn check_header(header: &LogHeader, blocks: u32) -> Result<(), LogFault> {
    if header.next_scn == Scn::OPEN_ENDED {
        return Err(LogFault::StillOpen);
    }
    if header.next_available_block != blocks + 1 {
        return Err(LogFault::Header(
            "its next available block is not the size of the file",
        ));
    }
    if header.sequence.get() == 0 {
        return Err(LogFault::Header("its sequence is zero"));
    }
    if header.next_scn < header.first_scn {
        return Err(LogFault::Header("its next SCN is below its first"));
    }
    if header.first_scn < header.resetlogs.scn {
        return Err(LogFault::Header("its first SCN is below the resetlogs SCN"));
    }
    Ok(())
}

fn check_blocks(file: &File, header: &LogHeader, blocks: u32) -> Result<(), LogFault> {
    let size = header.block_size as usize;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut next = 0;
    while next <= blocks {
        let count = ((BUFFER_BYTES / size) as u32).min(blocks + 1 - next);
        let bytes = &mut buffer[..count as usize * size];
        file.read_exact_at(bytes, u64::from(next) * size as u64)
            .map_err(|source| RedoError::Io {
                block: next,
                source,
            })?;
        for (number, block) in (next..).zip(bytes.chunks_exact(size)) {
            check_block(block, number, header).map_err(|what| LogFault::Block {
                block: number,
                what,
            })?;
        }
        next += count;
    }
    Ok(())
}

fn check_block(block: &[u8], number: u32, header: &LogHeader) -> Result<(), &'static str> {
    if number == 0 {
        return if checksum(block) == 0 {
            Ok(())
        } else {
            Err("bad check value")
        };
    }
    if block[..REDO_HEADER_BYTES].iter().all(|byte| *byte == 0) {
        return Err("the block is empty");
    }
    if block[0] != 1 {
        return Err("no redo block signature");
    }
    let found = RedoBlockHeader::read(block).ok_or("bad check value")?;
    if found.block != number {
        return Err("the block carries another block's number");
    }
    if found.sequence != header.sequence {
        return Err("the block is of another log sequence");
    }
    Ok(())
}

/// Whether `second` begins where `first` ends.
pub fn check_continuity(first: &LogHeader, second: &LogHeader) -> Result<(), ContinuityFault> {
    let foreign = |what| ContinuityFault::Foreign {
        first: first.sequence,
        second: second.sequence,
        what,
    };
    if first.dbid != second.dbid {
        return Err(foreign("database"));
    }
    if first.thread != second.thread {
        return Err(foreign("redo thread"));
    }
    if first.resetlogs != second.resetlogs {
        return Err(foreign("incarnation"));
    }
    if first.sequence.next() != second.sequence {
        return Err(ContinuityFault::Sequence {
            first: first.sequence,
            second: second.sequence,
        });
    }
    if first.next_scn != second.first_scn {
        return Err(ContinuityFault::Scn {
            sequence: first.sequence,
            next: first.next_scn,
            first: second.first_scn,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::header;
    use super::super::write::tests::write_of;
    use super::super::{REDO_BLOCK_BYTES, encode_log_write};
    use super::*;
    use crate::os_header::OsHeader;

    /// A log of two log writes.
    fn log() -> Vec<u8> {
        let mut header = header();
        let mut redo = encode_log_write(&write_of(&[100, 2000]), header.sequence, 2);
        let second = 2 + (redo.len() / REDO_BLOCK_BYTES) as u32;
        redo.extend(encode_log_write(&write_of(&[30]), header.sequence, second));
        let blocks = 1 + (redo.len() / REDO_BLOCK_BYTES) as u32;
        header.next_available_block = blocks + 1;
        let mut bytes = vec![0; 2 * REDO_BLOCK_BYTES];
        OsHeader {
            format: 0x22,
            block_size: 512,
            blocks,
            checked: true,
        }
        .write(&mut bytes[..512]);
        header.write(&mut bytes[512..]);
        bytes.extend(redo);
        bytes
    }

    fn check(bytes: &[u8]) -> Result<ArchivedLogReport, LogFault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        check_archived_log(file.path())
    }

    #[test]
    fn a_good_log_is_good() {
        let report = check(&log()).unwrap();
        assert_eq!(
            (report.log_writes, report.records, report.bytes),
            (2, 3, log().len() as u64)
        );
    }

    #[test]
    fn every_kind_of_damage_is_named() {
        let good = log();
        let cut = &good[..good.len() - 512];
        assert!(matches!(check(cut), Err(LogFault::Size { .. })));
        for at in [600, 1100, good.len() - 3] {
            let mut bad = good.clone();
            bad[at] ^= 4;
            assert!(check(&bad).is_err(), "byte {at}");
        }
        let mut swapped = good.clone();
        swapped[1024..1536].copy_from_slice(&good[1536..2048]);
        assert!(matches!(
            check(&swapped),
            Err(LogFault::Block { block: 2, .. })
        ));
        assert!(matches!(check(b"no log"), Err(LogFault::Unreadable(_))));
    }

    #[test]
    fn a_current_log_is_not_archived_yet() {
        let mut bytes = log();
        let mut header = LogHeader::read(&bytes[512..1024]).unwrap();
        header.next_scn = Scn::OPEN_ENDED;
        header.write(&mut bytes[512..1024]);
        assert!(matches!(check(&bytes), Err(LogFault::StillOpen)));
    }

    #[test]
    fn a_chain_that_ends_early_is_seen() {
        let mut bytes = log();
        let last = bytes.len() - 512;
        let block = RedoBlockHeader::read(&bytes[last..]).unwrap();
        bytes[last + 20] = 0;
        block.seal(&mut bytes[last..]);
        assert!(check(&bytes).is_err());
    }

    #[test]
    fn neighbours_must_fit() {
        let first = header();
        let second = LogHeader {
            sequence: first.sequence.next(),
            first_scn: first.next_scn,
            ..first.clone()
        };
        assert_eq!(check_continuity(&first, &second), Ok(()));
        let gap = LogHeader {
            sequence: second.sequence.next(),
            ..second.clone()
        };
        assert!(matches!(
            check_continuity(&first, &gap),
            Err(ContinuityFault::Sequence { .. })
        ));
        let later = LogHeader {
            first_scn: second.first_scn.next(),
            ..second.clone()
        };
        assert!(matches!(
            check_continuity(&first, &later),
            Err(ContinuityFault::Scn { .. })
        ));
        let foreign = LogHeader { dbid: 1, ..second };
        assert!(matches!(
            check_continuity(&first, &foreign),
            Err(ContinuityFault::Foreign { .. })
        ));
    }
}
