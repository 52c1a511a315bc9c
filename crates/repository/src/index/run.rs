//! A run: entries of the index, sorted by the blob's name, in a file that never changes.
//! What lives here: its bytes, looking up in it, merging two. What does not: which runs there are.
//!
//! An entry has 48 bytes: name (32), pack number with the blob's kind in the highest bit, offset, length, plain length (u32
//! each, little endian; a plain length of 0 is "not packed", and of an empty blob nothing else could be said).

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files::{BlobKind, IndexedBlob};
use crate::id::Id;

const ENTRY_BYTES: usize = 48;
/// One name in so many is remembered.
const STRIDE: usize = 128;
const TREE: u32 = 1 << 31;
/// Packs that can be numbered.
pub(super) const PACKS_MAX: u32 = TREE - 1;

/// What is known of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub pack: u32,
    is_tree: bool,
    offset: u32,
    length: u32,
    plain: u32,
}

impl Entry {
    pub(super) fn new(pack: u32, blob: &IndexedBlob) -> Entry {
        Entry {
            pack,
            is_tree: blob.kind == BlobKind::Tree,
            offset: blob.offset,
            length: blob.length,
            plain: blob.uncompressed_length.unwrap_or(0),
        }
    }

    pub(super) fn blob(&self, id: Id) -> IndexedBlob {
        IndexedBlob {
            id,
            kind: if self.is_tree {
                BlobKind::Tree
            } else {
                BlobKind::Data
            },
            offset: self.offset,
            length: self.length,
            uncompressed_length: (self.plain > 0).then_some(self.plain),
        }
    }

    fn encode(&self, id: &Id) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..32].copy_from_slice(id.bytes());
        let pack = self.pack | if self.is_tree { TREE } else { 0 };
        for (place, value) in [pack, self.offset, self.length, self.plain]
            .into_iter()
            .enumerate()
        {
            bytes[32 + place * 4..][..4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; ENTRY_BYTES]) -> (Id, Entry) {
        let (name, rest) = bytes
            .split_first_chunk::<32>()
            .expect("an entry is longer than a name");
        let value = |place: usize| {
            let bytes = rest[place * 4..]
                .first_chunk::<4>()
                .expect("an entry has four numbers");
            u32::from_le_bytes(*bytes)
        };
        let pack = value(0);
        let entry = Entry {
            pack: pack & !TREE,
            is_tree: pack & TREE != 0,
            offset: value(1),
            length: value(2),
            plain: value(3),
        };
        (Id::new(*name), entry)
    }
}

/// A run that is open.
pub(super) struct Run {
    number: u64,
    file: File,
    count: u64,
    /// Every `STRIDE`th name.
    samples: Vec<Id>,
    sha256: Id,
}

type Entries<'a> = Box<dyn Iterator<Item = io::Result<(Id, Entry)>> + 'a>;

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}.run"))
}

impl Run {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn sha256(&self) -> Id {
        self.sha256
    }

    /// Entries.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Opens a run, and reads all of it once to see that it is what was written.
    pub(super) fn open(
        directory: &Path,
        number: u64,
        sha256: Id,
        packs: usize,
    ) -> Result<Run, String> {
        let file = File::open(path(directory, number)).map_err(|error| error.to_string())?;
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let (mut hash, mut samples, mut count) = (Sha256::new(), Vec::new(), 0_u64);
        let mut bytes = [0; ENTRY_BYTES];
        while read_entry(&mut reader, &mut bytes).map_err(|error| error.to_string())? {
            hash.update(bytes);
            let (id, entry) = Entry::decode(&bytes);
            if entry.pack as usize >= packs {
                return Err("it names a pack that is not there".to_owned());
            }
            if count.is_multiple_of(STRIDE as u64) {
                samples.push(id);
            }
            count += 1;
        }
        let found = Id::new(hash.finalize().into());
        if found != sha256 {
            return Err(format!("{number}.run is not as it was written"));
        }
        Ok(Run {
            number,
            file,
            count,
            samples,
            sha256,
        })
    }

    /// Writes sorted entries; of equal names the first stays.
    pub(super) fn write(
        directory: &Path,
        number: u64,
        entries: impl Iterator<Item = io::Result<(Id, Entry)>>,
    ) -> io::Result<Run> {
        let path = path(directory, number);
        let mut writer = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let (mut hash, mut samples, mut count) = (Sha256::new(), Vec::new(), 0_u64);
        let mut before = None;
        for entry in entries {
            let (id, entry) = entry?;
            if before == Some(id) {
                continue;
            }
            before = Some(id);
            let bytes = entry.encode(&id);
            hash.update(bytes);
            writer.write_all(&bytes)?;
            if count.is_multiple_of(STRIDE as u64) {
                samples.push(id);
            }
            count += 1;
        }
        writer.into_inner().map_err(io::Error::other)?.sync_all()?;
        Ok(Run {
            number,
            file: File::open(&path)?,
            count,
            samples,
            sha256: Id::new(hash.finalize().into()),
        })
    }

    /// One run out of two; `newer` is believed where both know a blob.
    pub(super) fn merge(
        directory: &Path,
        number: u64,
        older: &Run,
        newer: &Run,
    ) -> io::Result<Run> {
        let mut old = older.entries()?.peekable();
        let mut new = newer.entries()?.peekable();
        let merged = std::iter::from_fn(|| match (new.peek(), old.peek()) {
            (Some(Ok((first, _))), Some(Ok((second, _)))) if first > second => old.next(),
            (Some(_), _) => new.next(),
            (None, _) => old.next(),
        });
        Run::write(directory, number, merged)
    }

    /// All entries in order.
    pub(super) fn entries(&self) -> io::Result<Entries<'_>> {
        let mut offset = 0;
        let mut buffer = Vec::new();
        let mut place = 0;
        let total = self.count * ENTRY_BYTES as u64;
        Ok(Box::new(std::iter::from_fn(move || {
            if place == buffer.len() {
                let length = (total - offset).min((ENTRY_BYTES * 16_384) as u64) as usize;
                if length == 0 {
                    return None;
                }
                buffer.resize(length, 0);
                if let Err(error) = self.file.read_exact_at(&mut buffer, offset) {
                    offset = total;
                    buffer.clear();
                    return Some(Err(error));
                }
                offset += length as u64;
                place = 0;
            }
            let bytes = buffer[place..].first_chunk::<ENTRY_BYTES>()?;
            place += ENTRY_BYTES;
            Some(Ok(Entry::decode(bytes)))
        })))
    }

    /// The blob's entry.
    pub(super) fn find(&self, id: &Id) -> io::Result<Option<Entry>> {
        let Some(block) = self
            .samples
            .partition_point(|sample| sample <= id)
            .checked_sub(1)
        else {
            return Ok(None);
        };
        let first = (block * STRIDE) as u64;
        let count = (self.count - first).min(STRIDE as u64) as usize;
        let mut bytes = [0; STRIDE * ENTRY_BYTES];
        let bytes = &mut bytes[..count * ENTRY_BYTES];
        self.file.read_exact_at(bytes, first * ENTRY_BYTES as u64)?;
        let entries = bytes.as_chunks::<ENTRY_BYTES>().0;
        let found = entries.binary_search_by(|entry| entry[..32].cmp(id.bytes()));
        Ok(found.ok().map(|place| Entry::decode(&entries[place]).1))
    }

    pub(super) fn remove(self, directory: &Path) {
        // One that stays is removed at the next start.
        let _ = fs::remove_file(path(directory, self.number));
    }
}

/// False at the end; a part of an entry is an error.
fn read_entry(reader: &mut impl Read, bytes: &mut [u8; ENTRY_BYTES]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < ENTRY_BYTES {
        match reader.read(&mut bytes[filled..])? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => filled += length,
        }
    }
    Ok(true)
}
