//! Reading a redo log from a file, log write by log write.
//! What lives here: opening, and telling redo from the end of redo. What does not: judging a whole archived log.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::write::{blocks_of, decode};
use super::{LogHeader, LogWrite, REDO_HEADER_BYTES, RedoBlockHeader, format_code};
use crate::os_header::{HeaderError, OsHeader};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RedoError {
    /// The system refused.
    #[error("cannot read block {block}: {source}")]
    Io {
        /// Where.
        block: u32,
        /// Why.
        source: io::Error,
    },
    /// Not a regular file.
    #[error("not a regular file")]
    NotAFile,
    /// Block 0 or 1 is none of a redo log.
    #[error("not a redo log: {0}")]
    NotALog(#[from] HeaderError),
    /// Blocks with right numbers and sums hold records that make no sense.
    #[error("redo block {block} has a good check value, but no record can be read from it")]
    Nonsense {
        /// First block of the log write.
        block: u32,
    },
}

/// An open redo log.
#[derive(Debug)]
pub struct LogReader<F> {
    file: F,
    os_header: OsHeader,
    header: LogHeader,
}

impl LogReader<File> {
    /// Opens a log and reads both its headers. A fifo or a device is refused, not waited for.
    pub fn open(path: impl AsRef<Path>) -> Result<LogReader<File>, RedoError> {
        let io = |source| RedoError::Io { block: 0, source };
        let path = path.as_ref();
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(RedoError::NotAFile);
        }
        LogReader::new(File::open(path).map_err(io)?)
    }
}

impl<F: FileExt> LogReader<F> {
    /// Reads the headers of an open log.
    pub fn new(file: F) -> Result<LogReader<F>, RedoError> {
        let mut first = [0; 512];
        file.read_exact_at(&mut first, 0)
            .map_err(|source| RedoError::Io { block: 0, source })?;
        let os_header = OsHeader::read(&first)?;
        if format_code(os_header.block_size) != Some(os_header.format) {
            return Err(RedoError::NotALog(HeaderError::Wrong(
                "block 0 is not of a redo log",
            )));
        }
        let mut second = vec![0; os_header.block_size as usize];
        file.read_exact_at(&mut second, u64::from(os_header.block_size))
            .map_err(|source| RedoError::Io { block: 1, source })?;
        let header = LogHeader::read(&second)?;
        Ok(LogReader {
            file,
            os_header,
            header,
        })
    }

    /// Block 1.
    pub fn header(&self) -> &LogHeader {
        &self.header
    }

    /// Block 0.
    pub fn os_header(&self) -> OsHeader {
        self.os_header
    }

    /// The log write that starts in a block, and the block behind it.
    ///
    /// None is the end of redo: the block is past the log's end, of another sequence, or part of a write that never
    /// came to its end. Errors: input and output, or records that make no sense in blocks whose sums are right.
    pub fn read_log_write(&self, block: u32) -> Result<Option<(LogWrite, u32)>, RedoError> {
        let Some(first) = self.read_blocks(block, 1)? else {
            return Ok(None);
        };
        let payload_bytes = self.header.block_size as usize - REDO_HEADER_BYTES;
        let Some(count) = blocks_of(&first) else {
            return Err(RedoError::Nonsense { block });
        };
        let payload = match count {
            1 => first,
            _ => match self.read_blocks(block, count)? {
                Some(payload) => payload,
                None => return Ok(None),
            },
        };
        let write = decode(&payload, payload_bytes).map_err(|_| RedoError::Nonsense { block })?;
        Ok(Some((write, block + count)))
    }

    /// The payload of `count` blocks. None when one of them is not a sealed block of this log at this place.
    fn read_blocks(&self, block: u32, count: u32) -> Result<Option<Vec<u8>>, RedoError> {
        let size = self.header.block_size as usize;
        let limit = u64::from(
            self.os_header
                .blocks
                .min(self.header.next_available_block.saturating_sub(1)),
        );
        if u64::from(block) + u64::from(count) - 1 > limit {
            return Ok(None);
        }
        let mut bytes = vec![0; size * count as usize];
        match self
            .file
            .read_exact_at(&mut bytes, u64::from(block) * size as u64)
        {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(source) => return Err(RedoError::Io { block, source }),
        }
        let mut payload = Vec::with_capacity(bytes.len());
        for (number, bytes) in (block..).zip(bytes.chunks_exact(size)) {
            let wanted = |header: &RedoBlockHeader| {
                header.block == number
                    && header.sequence == self.header.sequence
                    && header.format == self.os_header.format
            };
            if !RedoBlockHeader::read(bytes).is_some_and(|header| wanted(&header)) {
                return Ok(None);
            }
            payload.extend_from_slice(&bytes[REDO_HEADER_BYTES..]);
        }
        Ok(Some(payload))
    }
}
