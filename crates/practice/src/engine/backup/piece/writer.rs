//! Writing a backup piece from its header to its trailer.
//! What lives here: groups and their payload. What does not: naming, syncing and publishing the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{BODY_BYTES, ENTRIES_MAX, Entry, Frame, FrameKind, GROUP_SLOTS, PARTS_MAX, compress};
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::SetRecord;

/// A piece that is being written.
pub struct PieceWriter {
    file: File,
    set: u32,
    stamp: u32,
    compressed: bool,
    frames: u32,
    /// Where the next frame goes, in blocks.
    place: u64,
    entries: Vec<Entry>,
    payload: Vec<u8>,
}

impl PieceWriter {
    /// Begins a piece in an empty file with its header.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(file: File, record: &SetRecord) -> io::Result<PieceWriter> {
        let mut writer = PieceWriter {
            file,
            set: record.set,
            stamp: record.stamp,
            compressed: record.compressed,
            frames: 0,
            place: 0,
            entries: Vec::new(),
            payload: Vec::new(),
        };
        writer.write_record(FrameKind::Header, record, 1)?;
        Ok(writer)
    }

    /// Adds chunk number `chunk` of a member: 8 KiB, or what is left of the file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn put(&mut self, member: u16, chunk: u32, bytes: &[u8]) -> io::Result<()> {
        let full = self.payload.len() + bytes.len() > GROUP_SLOTS as usize * BLOCK_BYTES;
        if full || self.entries.len() == ENTRIES_MAX {
            self.end_group()?;
        }
        let packed = self.compressed.then(|| compress::pack(bytes)).flatten();
        let stored = packed.as_deref().unwrap_or(bytes);
        self.entries.push(Entry {
            member,
            packed: packed.is_some(),
            chunk,
            offset: self.payload.len() as u32,
            stored: stored.len() as u32,
            length: bytes.len() as u32,
            sum: crc32fast::hash(bytes),
        });
        self.payload.extend_from_slice(stored);
        if !self.compressed {
            // Uncompressed chunks lie at block boundaries, so that what did not change is stored once.
            self.payload
                .resize(self.payload.len().next_multiple_of(BLOCK_BYTES), 0);
        }
        Ok(())
    }

    /// Leaves room for a chunk that is not stored, so that those behind it stay where they are from backup to backup.
    /// The room is a hole in the file.
    pub fn leave_out(&mut self) -> io::Result<()> {
        if self.compressed {
            return Ok(());
        }
        if self.payload.len() + BLOCK_BYTES > GROUP_SLOTS as usize * BLOCK_BYTES {
            self.end_group()?;
        }
        self.payload.resize(self.payload.len() + BLOCK_BYTES, 0);
        Ok(())
    }

    /// Closes the group. The next chunk begins a new one.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end_group(&mut self) -> io::Result<()> {
        if self.payload.is_empty() && self.entries.is_empty() {
            return Ok(());
        }
        let slots = self.payload.len().div_ceil(BLOCK_BYTES);
        let body: Vec<u8> = self.entries.iter().flat_map(Entry::encode).collect();
        self.write_frame(FrameKind::Group, (0, slots as u32), &body)?;
        self.write_payload()?;
        self.place += slots as u64;
        self.entries.clear();
        self.payload.clear();
        Ok(())
    }

    /// Writes the stored chunks, neighbours in one go, and nothing where there is none.
    fn write_payload(&self) -> io::Result<()> {
        let base = self.place * BLOCK_BYTES as u64;
        let mut runs = self
            .entries
            .iter()
            .map(|entry| (entry.offset as usize, entry.stored as usize));
        let Some((mut start, length)) = runs.next() else {
            return Ok(());
        };
        let mut end = start + length;
        for (offset, length) in runs {
            if offset.saturating_sub(end) >= BLOCK_BYTES {
                self.file
                    .write_all_at(&self.payload[start..end], base + start as u64)?;
                start = offset;
            }
            end = offset + length;
        }
        self.file
            .write_all_at(&self.payload[start..end], base + start as u64)
    }

    /// Ends the piece with its trailer and gives the file, which the caller syncs.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self, record: &mut SetRecord) -> io::Result<File> {
        self.end_group()?;
        // The size is in the trailer whose length decides it: room for the longest number, so that both fit.
        record.bytes = u64::MAX;
        let parts = json(record)?.len().div_ceil(BODY_BYTES);
        record.bytes = (self.place + parts as u64) * BLOCK_BYTES as u64;
        self.write_record(FrameKind::Trailer, record, parts)?;
        Ok(self.file)
    }

    /// Blocks written so far, for the message of a write that failed.
    pub fn blocks(&self) -> u64 {
        self.place
    }

    /// The record in so many frames as it needs, at least `parts_min`.
    fn write_record(
        &mut self,
        kind: FrameKind,
        record: &SetRecord,
        parts_min: usize,
    ) -> io::Result<()> {
        let text = json(record)?;
        let mut parts: Vec<&[u8]> = text.chunks(BODY_BYTES).collect();
        parts.resize(parts.len().max(parts_min), &[]);
        if parts.len() > PARTS_MAX {
            return Err(io::Error::other(
                "the record of the backup set is too long for its piece",
            ));
        }
        for (part, body) in parts.iter().enumerate() {
            self.write_frame(kind, (part as u32, parts.len() as u32), body)?;
        }
        Ok(())
    }

    fn write_frame(
        &mut self,
        kind: FrameKind,
        (part, parts): (u32, u32),
        body: &[u8],
    ) -> io::Result<()> {
        let frame = Frame {
            kind,
            set: self.set,
            stamp: self.stamp,
            number: self.frames,
            part,
            parts,
            length: body.len() as u32,
        };
        let place = self.place * BLOCK_BYTES as u64;
        self.file.write_all_at(&frame.encode(body), place)?;
        self.frames += 1;
        self.place += 1;
        Ok(())
    }
}

fn json(record: &SetRecord) -> io::Result<Vec<u8>> {
    serde_json::to_vec(record).map_err(io::Error::other)
}
