//! What an ingest knows already: the names of the chunks of each finished segment.
//! What lives here: a file that is only appended to. What does not: whether the repository has those chunks.
//!
//! The head has a magic word and the plan's fingerprint. A record has the segment's number (u64), the count of names (u32),
//! the names, and a CRC-32 of all that; little endian. A crash leaves at most one half record at the end, which is cut off.
//! It is no promise of anything: a segment whose chunks the index does not have is done again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::plan::{Plan, SEGMENT_CHUNKS, Segment};
use crate::error::RepositoryError;
use crate::id::Id;

const MAGIC: &[u8; 16] = b"backstay-ingest1";
const HEAD_BYTES: u64 = 48;
/// No record of a segment: offset 0 is the head's.
const NOWHERE: u64 = 0;

pub(super) struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    end: u64,
    /// Where each segment's names begin.
    places: Vec<u64>,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> RepositoryError + '_ {
    move |error| {
        RepositoryError::file(
            path,
            format!("{error}. HINT: the store's own directory needs 32 bytes for each chunk"),
        )
    }
}

impl Journal {
    /// Opens the journal of an ingest that was interrupted, or begins one.
    pub(super) fn open(path: &Path, plan: &Plan) -> Result<Journal, RepositoryError> {
        let segments = usize::try_from(plan.segments).unwrap_or(usize::MAX);
        let open = || {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            let mut places = vec![NOWHERE; segments];
            let mut head = MAGIC.to_vec();
            head.extend(plan.fingerprint.bytes());
            let mut found = vec![0; head.len()];
            let is_ours = file.read_exact(&mut found).is_ok() && found == head;
            let end = if is_ours {
                read_records(&file, &mut places)?
            } else {
                file.set_len(0)?;
                file.write_all_at(&head, 0)?;
                HEAD_BYTES
            };
            file.set_len(end)?;
            Ok(Inner { file, end, places })
        };
        Ok(Journal {
            path: path.to_owned(),
            inner: Mutex::new(open().map_err(failed(path))?),
        })
    }

    /// Notes a finished segment.
    pub(super) fn note(&self, segment: &Segment, ids: &[Id]) -> Result<(), RepositoryError> {
        let mut record = Vec::with_capacity(16 + ids.len() * Id::BYTES);
        record.extend(segment.number.to_le_bytes());
        record.extend((ids.len() as u32).to_le_bytes());
        for id in ids {
            record.extend(id.bytes());
        }
        let crc = crc32fast::hash(&record);
        record.extend(crc.to_le_bytes());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let end = inner.end;
        inner
            .file
            .write_all_at(&record, end)
            .map_err(failed(&self.path))?;
        inner.end += record.len() as u64;
        if let Some(place) = inner.places.get_mut(segment.number as usize) {
            *place = end + 12;
        }
        Ok(())
    }

    /// The names of a segment's chunks, if it is finished.
    pub(super) fn ids(&self, segment: &Segment) -> Result<Option<Vec<Id>>, RepositoryError> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let place = inner
            .places
            .get(segment.number as usize)
            .copied()
            .unwrap_or(NOWHERE);
        if place == NOWHERE {
            return Ok(None);
        }
        let mut bytes = vec![0; segment.chunks() as usize * Id::BYTES];
        inner
            .file
            .read_exact_at(&mut bytes, place)
            .map_err(failed(&self.path))?;
        let (ids, _) = bytes.as_chunks::<{ Id::BYTES }>();
        Ok(Some(ids.iter().map(|bytes| Id::new(*bytes)).collect()))
    }

    /// The recovery point is there: the journal is of no use any more.
    pub(super) fn remove(self) {
        // One that stays is of another plan, or finds its recovery point made.
        let _ = fs::remove_file(&self.path);
    }
}

/// Notes where each whole record is; returns the end of the last.
fn read_records(file: &File, places: &mut [u64]) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut end = HEAD_BYTES;
    loop {
        let mut head = [0; 12];
        if reader.read_exact(&mut head).is_err() {
            return Ok(end);
        }
        let (number, count) = head.split_at(8);
        let number = u64::from_le_bytes(number.try_into().map_err(io::Error::other)?);
        let count = u64::from(u32::from_le_bytes(
            count.try_into().map_err(io::Error::other)?,
        ));
        if count > SEGMENT_CHUNKS {
            return Ok(end);
        }
        let mut rest = vec![0; count as usize * Id::BYTES + 4];
        if reader.read_exact(&mut rest).is_err() {
            return Ok(end);
        }
        let (ids, crc) = rest.split_at(rest.len() - 4);
        let mut hash = crc32fast::Hasher::new();
        hash.update(&head);
        hash.update(ids);
        if hash.finalize().to_le_bytes() != crc {
            return Ok(end);
        }
        if let Some(place) = usize::try_from(number)
            .ok()
            .and_then(|number| places.get_mut(number))
        {
            *place = end + 12;
        }
        end += (head.len() + rest.len()) as u64;
    }
}
