//! Reading a data file for a backup while the database writes it.
//! What lives here: whole blocks, by reading torn ones again, and the highest SCN seen. What does not: where they go.
//!
//! No backup mode is needed: what is read is whole, and it has every change below the checkpoint SCN of the header,
//! which is read before the first block. Blocks may be newer than that; the copy's header tells how new.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use oracle::block::{self, BlockHeader};
use oracle::file_header::{FileHeader, status};
use oracle::scn::Scn;

use super::output::{identifying, reading};
use crate::content::BLOCK_BYTES;
use crate::engine::control::DatafileRecord;
use crate::engine::datafile::{self, name_file};
use crate::engine::error::{OraError, OraResult};
use crate::engine::faults::{Faults, LATE_SCNS};

/// How often a block is read again that is not whole. The database writer completes a block within milliseconds.
const REREADS_MAX: u32 = 400;
/// Pause before a block is read again.
const REREAD_PAUSE: Duration = Duration::from_millis(5);

/// Pause between two reads under planted bugs that show themselves only while the database goes on.
const FAULTY_PAUSE: Duration = Duration::from_millis(20);

/// A data file being read.
#[derive(Debug)]
pub struct Source {
    /// The control file's record of it, or of the file that a copy is of.
    pub record: DatafileRecord,
    /// Its header as it was before the first block was read.
    pub header: FileHeader,
    /// Highest SCN in the blocks read so far.
    pub highest: Scn,
    /// Blocks that had to be read again.
    pub reread: u64,
    file: File,
    /// Planted bugs.
    faults: Faults,
}

impl Source {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// ORA-19625 when it is not there, ORA-01210 when its header stays unreadable.
    pub fn open(record: &DatafileRecord) -> OraResult<Source> {
        let file = File::open(&record.path).map_err(|error| identifying(&record.path, &error))?;
        let mut left = REREADS_MAX;
        let header = loop {
            match datafile::read_header(&file) {
                Ok(header) => break header,
                Err(error) if left == 0 => {
                    return Err(name_file(error, record.number, &record.path));
                }
                Err(_) => {
                    left -= 1;
                    std::thread::sleep(REREAD_PAUSE);
                }
            }
        };
        Ok(Source {
            record: record.clone(),
            header,
            highest: Scn::ZERO,
            reread: 0,
            file,
            faults: Faults::default(),
        })
    }

    /// The same with planted bugs.
    pub fn with_faults(mut self, faults: Faults) -> Source {
        self.faults = faults;
        self
    }

    /// Reads `count` blocks from `first` on, each whole and in its place.
    ///
    /// # Errors
    /// ORA-19501, or ORA-19566 when a block stays torn or damaged.
    pub fn read(&mut self, first: u32, count: u32) -> OraResult<Vec<u8>> {
        if self.faults.backup_header_last || self.faults.backup_hides_fuzziness {
            std::thread::sleep(FAULTY_PAUSE);
        }
        let mut bytes = vec![0; count as usize * BLOCK_BYTES];
        let at = |number: u32| u64::from(number) * BLOCK_BYTES as u64;
        let failed = |number: u32, error| reading(&self.record.path, u64::from(number), &error);
        self.file
            .read_exact_at(&mut bytes, at(first))
            .map_err(|error| failed(first, error))?;
        for (number, block) in (first..).zip(bytes.chunks_exact_mut(BLOCK_BYTES)) {
            let mut left = REREADS_MAX;
            while !self.faults.backup_takes_torn_blocks && !self.is_good(number, block) {
                if left == 0 {
                    return Err(self.corrupt(number));
                }
                left -= 1;
                std::thread::sleep(REREAD_PAUSE);
                self.file
                    .read_exact_at(block, at(number))
                    .map_err(|error| failed(number, error))?;
            }
            self.reread += u64::from(left < REREADS_MAX);
            self.highest = self.highest.max(BlockHeader::read(block).scn);
        }
        if self.faults.backup_header_last
            && let Ok(header) = datafile::read_header(&self.file)
        {
            self.header = header;
        }
        Ok(bytes)
    }

    /// From which SCN on changed blocks go into a level 1 that is to begin at `from`: from there, without planted bugs.
    pub fn first_wanted(&self, from: u64) -> u64 {
        match self.faults.level_1_begins_late {
            true => from + LATE_SCNS,
            false => from,
        }
    }

    fn is_good(&self, number: u32, bytes: &[u8]) -> bool {
        let header = BlockHeader::read(bytes);
        let in_place = header.address.block() == number
            && (header.kind == block::kind::NEVER_FORMATTED
                || header.address.file() == self.header.relative_file);
        in_place && datafile::is_whole(bytes)
    }

    fn corrupt(&self, number: u32) -> OraError {
        let path = self.record.path.display();
        let text = format!("exceeded limit of 0 corrupt blocks for file {path}");
        let stack = OraError::new(19566, text).and(
            1578,
            format!(
                "ORACLE data block corrupted (file # {}, block # {number})",
                self.record.number
            ),
        );
        name_file(stack, self.record.number, &self.record.path)
    }

    /// The highest SCN, if recovery has to pass it because it is not below the checkpoint; zero otherwise.
    pub fn fuzzy_scn(&self) -> Scn {
        if self.faults.backup_hides_fuzziness {
            return Scn::ZERO;
        }
        let inherited = match self.header.status & status::ABSOLUTE_FUZZY {
            0 => Scn::ZERO,
            _ => self.header.absolute_fuzzy_scn,
        };
        let highest = self.highest.max(inherited);
        if highest >= self.header.checkpoint.scn {
            highest
        } else {
            Scn::ZERO
        }
    }

    /// The header of the copy, after all blocks have been read.
    ///
    /// It is out of backup mode and not online: only redo up to the highest SCN makes it consistent, which the bit
    /// 0x40 and the absolute fuzzy SCN say.
    pub fn copied_header(&self, level_0: bool) -> FileHeader {
        let fuzzy = self.fuzzy_scn();
        let mut header = self.header.clone();
        header.status &= status::ROOT_VALID | status::MEDIA_FUZZY;
        header.absolute_fuzzy_scn = fuzzy;
        if fuzzy > Scn::ZERO {
            header.status |= status::ABSOLUTE_FUZZY;
        }
        if level_0 {
            header.status |= status::LEVEL_0_COPY;
        }
        header
    }
}

/// Whether a block is exactly what a new file has in its place: it need not be stored.
pub fn is_unused(number: u32, bytes: &[u8]) -> bool {
    if bytes[0] != block::kind::NEVER_FORMATTED {
        return false;
    }
    let mut unused = vec![0; BLOCK_BYTES];
    block::never_formatted(&mut unused, number);
    unused == bytes
}
