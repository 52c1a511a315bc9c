//! Reading a backup piece: its record, and its chunks, each checked before it is given to anybody.
//! What lives here: what makes a piece believable. What does not: what is done with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{ENTRY_BYTES, Entry, Frame, FrameKind, GROUP_SLOTS, PARTS_MAX, compress};
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::SetRecord;
use crate::engine::error::{OraError, OraResult};

/// One chunk of a member.
pub struct Chunk<'a> {
    /// Place of its file among the members of the set: data files, then logs, then control file, then parameter file.
    pub member: u16,
    /// Its number in the file, in units of 8 KiB.
    pub number: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A piece whose header and trailer are whole and agree.
#[derive(Debug)]
pub struct PieceReader {
    file: File,
    path: PathBuf,
    record: SetRecord,
    /// First block and frame behind the header.
    first: u32,
    /// First block of the trailer.
    trailer: u64,
}

impl PieceReader {
    /// Opens a piece and checks header and trailer.
    ///
    /// # Errors
    /// ORA-19505 when it cannot be opened, ORA-19505 with ORA-27048 when it is no piece, or was not finished.
    pub fn open(path: &Path) -> OraResult<PieceReader> {
        let unidentified = || {
            OraError::new(
                19505,
                format!("failed to identify file \"{}\"", path.display()),
            )
        };
        let unreadable =
            |e: io::Error| unidentified().and(27037, format!("unable to obtain file status: {e}"));
        let no_piece = |why: &str| {
            unidentified().and(
                27048,
                format!("skgfifi: file header information is invalid: {why}"),
            )
        };
        // A fifo would be waited for.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(no_piece("not a regular file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let blocks = length / BLOCK_BYTES as u64;
        if length % BLOCK_BYTES as u64 != 0 || blocks < 2 || blocks > u64::from(u32::MAX) {
            return Err(no_piece("its size is none of a backup piece"));
        }
        let (header, parts) =
            read_record(&file, FrameKind::Header, 0).ok_or_else(|| no_piece("no header"))?;
        let cut = "it has no trailer: it was not finished, or is cut off";
        let trailer = trailer_start(&file, blocks).ok_or_else(|| no_piece(cut))?;
        let (record, _) =
            read_record(&file, FrameKind::Trailer, trailer).ok_or_else(|| no_piece(cut))?;
        let same = (header.set, header.stamp, &header.database)
            == (record.set, record.stamp, &record.database);
        if !same || record.bytes != length {
            return Err(no_piece("header and trailer do not belong together"));
        }
        Ok(PieceReader {
            file,
            path: path.to_owned(),
            record,
            first: parts,
            trailer,
        })
    }

    /// What the piece says of itself.
    pub fn record(&self) -> &SetRecord {
        &self.record
    }

    /// Gives every chunk in the order of the piece, each checked. All of the piece has been checked at the end.
    ///
    /// # Errors
    /// ORA-19870 with ORA-19599 for a damaged block; those of `take`.
    pub fn each(&self, mut take: impl FnMut(Chunk) -> OraResult<()>) -> OraResult<()> {
        let (mut place, mut number) = (u64::from(self.first), self.first);
        while place < self.trailer {
            let corrupt = || self.corrupt(place);
            let block = self.read(place, 1)?;
            let (frame, body) = Frame::decode(&block).ok_or_else(corrupt)?;
            let fits = frame.kind == FrameKind::Group
                && (frame.set, frame.stamp, frame.number)
                    == (self.record.set, self.record.stamp, number)
                && frame.parts <= GROUP_SLOTS
                && place + 1 + u64::from(frame.parts) <= self.trailer
                && body.len() % ENTRY_BYTES == 0;
            if !fits {
                return Err(corrupt());
            }
            let payload = self.read(place + 1, frame.parts)?;
            for entry in body.chunks_exact(ENTRY_BYTES).map(Entry::decode) {
                let bytes = unpack(&entry, &payload).ok_or_else(|| {
                    self.corrupt(place + 1 + u64::from(entry.offset) / BLOCK_BYTES as u64)
                })?;
                take(Chunk {
                    member: entry.member,
                    number: entry.chunk,
                    bytes: &bytes,
                })?;
            }
            place += 1 + u64::from(frame.parts);
            number += 1;
        }
        // A group that is missing would leave a gap before the trailer's number.
        match self
            .read(self.trailer, 1)
            .map(|block| Frame::decode(&block).map(|(frame, _)| frame.number))?
        {
            Some(last) if last == number => Ok(()),
            _ => Err(self.corrupt(self.trailer)),
        }
    }

    fn read(&self, place: u64, blocks: u32) -> OraResult<Vec<u8>> {
        let mut bytes = vec![0; blocks as usize * BLOCK_BYTES];
        let read = self
            .file
            .read_exact_at(&mut bytes, place * BLOCK_BYTES as u64);
        read.map_err(|error| {
            restoring(&self.path)
                .and(
                    19502,
                    format!(
                        "read error on file \"{}\", block number {place} (block size=8192)",
                        self.path.display()
                    ),
                )
                .and(27072, error.to_string())
        })?;
        Ok(bytes)
    }

    fn corrupt(&self, place: u64) -> OraError {
        restoring(&self.path).and(
            19599,
            format!(
                "block number {place} is corrupt in backup piece \"{}\"",
                self.path.display()
            ),
        )
    }
}

/// ORA-19870, the first line of every error in reading a piece.
fn restoring(path: &Path) -> OraError {
    OraError::new(
        19870,
        format!("error while restoring backup piece {}", path.display()),
    )
}

/// A chunk's bytes, if they are what its entry says.
fn unpack<'a>(entry: &Entry, payload: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
    let from = entry.offset as usize;
    let stored = payload.get(from..from.checked_add(entry.stored as usize)?)?;
    let length = entry.length as usize;
    if length > BLOCK_BYTES {
        return None;
    }
    let bytes: std::borrow::Cow<[u8]> = if entry.packed {
        compress::unpack(stored, length)?.into()
    } else {
        stored.into()
    };
    (bytes.len() == length && crc32fast::hash(&bytes) == entry.sum).then_some(bytes)
}

/// Where the trailer begins: its last frame, the last block of the file, says so.
fn trailer_start(file: &File, blocks: u64) -> Option<u64> {
    let mut block = vec![0; BLOCK_BYTES];
    file.read_exact_at(&mut block, (blocks - 1) * BLOCK_BYTES as u64)
        .ok()?;
    let (last, _) = Frame::decode(&block)?;
    if last.kind != FrameKind::Trailer || last.part + 1 != last.parts {
        return None;
    }
    blocks
        .checked_sub(u64::from(last.parts))
        .filter(|start| *start > 0)
}

/// The record in header or trailer, which begins at `place`, and its number of frames.
fn read_record(file: &File, kind: FrameKind, place: u64) -> Option<(SetRecord, u32)> {
    let mut text = Vec::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut first: Option<Frame> = None;
    for part in 0..PARTS_MAX as u32 {
        let at = (place + u64::from(part)) * BLOCK_BYTES as u64;
        file.read_exact_at(&mut block, at).ok()?;
        let (frame, body) = Frame::decode(&block)?;
        let begun = *first.get_or_insert(frame);
        let fits = frame.kind == kind
            && (frame.set, frame.stamp, frame.parts) == (begun.set, begun.stamp, begun.parts)
            && frame.part == part
            && frame.number == begun.number + part;
        if !fits || kind == FrameKind::Header && begun.number != 0 {
            return None;
        }
        text.extend_from_slice(body);
        if part + 1 == frame.parts {
            let record: SetRecord = serde_json::from_slice(&text).ok()?;
            let same = (record.set, record.stamp) == (frame.set, frame.stamp);
            return same.then_some((record, frame.parts));
        }
    }
    None
}
