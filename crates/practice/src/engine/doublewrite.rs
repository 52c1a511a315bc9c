//! The writer's journal: every block goes here, synced, before it is written in place.
//! What lives here: the journal file and repairing torn blocks from it. What does not: choosing what to write.
//!
//! The database writer writes blocks in two halves; a crash between them leaves a torn block that crash recovery alone
//! could not use (its redo holds changes, not whole blocks). Oracle relies on the storage to write a block whole; this
//! engine tears its blocks on purpose and so needs the journal. It never helps a restored file: an entry is used only
//! when the file's header has the checkpoint count under which the entry was written.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::datafile::{self, DataFile};
use crate::content::BLOCK_BYTES;

/// Most blocks of one write.
pub const BLOCKS_MAX: usize = 128;
const ENTRY_BYTES: usize = 16;
const MAGIC: u32 = 0x4253_4457;

/// A block about to be written.
pub struct Entry {
    /// FILE#.
    pub file: u32,
    /// Block number.
    pub block: u32,
    /// Checkpoint count in the file's header.
    pub checkpoint_count: u32,
    /// The sealed block.
    pub bytes: Box<[u8]>,
}

/// The open journal.
#[derive(Debug)]
pub struct Doublewrite {
    file: File,
}

impl Doublewrite {
    /// Opens or creates the journal.
    pub fn open(path: &Path) -> std::io::Result<Doublewrite> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Doublewrite { file })
    }

    /// Records the entries, synced. The entries before them must be safely in place.
    pub fn record(&self, entries: &[Entry]) -> std::io::Result<()> {
        let mut bytes = vec![0u8; BLOCK_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&(entries.len() as u32).to_le_bytes());
        for (index, entry) in entries.iter().enumerate() {
            let at = ENTRY_BYTES * (index + 1);
            bytes[at..at + 4].copy_from_slice(&entry.file.to_le_bytes());
            bytes[at + 4..at + 8].copy_from_slice(&entry.block.to_le_bytes());
            bytes[at + 8..at + 12].copy_from_slice(&entry.checkpoint_count.to_le_bytes());
        }
        let sum = crc32fast::hash(&bytes[..BLOCK_BYTES - 4]);
        bytes[BLOCK_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
        for entry in entries {
            bytes.extend_from_slice(&entry.bytes);
        }
        self.file.write_all_at(&bytes, 0)?;
        self.file.sync_data()
    }

    /// Puts whole blocks from the journal over torn ones of the given files. Returns what was repaired.
    ///
    /// A journal that is itself torn is ignored: then no block was being written in place.
    pub fn repair(&self, files: &[DataFile]) -> std::io::Result<Vec<(u32, u32)>> {
        let mut index = vec![0u8; BLOCK_BYTES];
        if self.file.read_exact_at(&mut index, 0).is_err() {
            return Ok(Vec::new());
        }
        let number = |at: usize| {
            u32::from_le_bytes([index[at], index[at + 1], index[at + 2], index[at + 3]])
        };
        let count = number(4) as usize;
        let sum = crc32fast::hash(&index[..BLOCK_BYTES - 4]);
        if number(0) != MAGIC || count > BLOCKS_MAX || sum != number(BLOCK_BYTES - 4) {
            return Ok(Vec::new());
        }
        let mut repaired = Vec::new();
        let (mut saved, mut present) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
        for position in 0..count {
            let at = ENTRY_BYTES * (position + 1);
            let (file_number, block, checkpoint_count) =
                (number(at), number(at + 4), number(at + 8));
            let Some(file) = files.iter().find(|file| file.number == file_number) else {
                continue;
            };
            let counts = checkpoint_count..=checkpoint_count.saturating_add(1);
            if !counts.contains(&file.header.checkpoint_count) || block == 0 || block > file.blocks
            {
                continue;
            }
            let offset = u64::from(block) * BLOCK_BYTES as u64;
            self.file
                .read_exact_at(&mut saved, (position as u64 + 1) * BLOCK_BYTES as u64)?;
            file.file.read_exact_at(&mut present, offset)?;
            if datafile::is_whole(&saved) && !datafile::is_whole(&present) {
                file.file.write_all_at(&saved, offset)?;
                file.file.sync_data()?;
                repaired.push((file_number, block));
            }
        }
        Ok(repaired)
    }
}
