//! A thread that reads segments, names their chunks, and packs those that are new.
//! What lives here: reading and cutting, holes, what the parent knows. What does not: writing packs (upload).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crossbeam_channel::{Receiver, Sender};
use rustix::fs::{OFlags, SeekFrom};

use super::journal::Journal;
use super::parent::Parent;
use super::plan::Segment;
use super::upload::Uploads;
use super::walk::{WalkedFile, open_below};
use crate::Repository;
use crate::error::RepositoryError;
use crate::files::BlobKind;
use crate::id::Id;
use crate::pack::{Pack, PackBuilder};
use crate::watch::{Counters, Watch, obey};

pub(super) struct Worker<'a> {
    pub repository: &'a Repository,
    pub watch: &'a dyn Watch,
    pub root: &'a File,
    pub root_path: &'a Path,
    pub files: &'a [WalkedFile],
    pub journal: &'a Journal,
    pub parent: &'a Parent<'a>,
    pub uploads: &'a Uploads<'a>,
}

/// What a worker has open.
struct Hands<'a> {
    file: Option<(usize, File)>,
    buffer: Vec<u8>,
    pack: PackBuilder,
    packs: &'a Sender<Pack>,
    zero: Option<(usize, Id)>,
}

impl Worker<'_> {
    /// Works until there are no more segments, or something failed.
    pub(super) fn run(&self, segments: &Receiver<Segment>, packs: &Sender<Pack>) {
        let mut hands = Hands {
            file: None,
            buffer: Vec::new(),
            pack: PackBuilder::new(),
            packs,
            zero: None,
        };
        for segment in segments {
            if self.uploads.has_failed() {
                continue;
            }
            if let Err(error) = self.segment(&segment, &mut hands) {
                self.uploads.fail(error);
            }
        }
        // Also after a failure: what is packed and written is not done again.
        self.send(&mut hands);
    }

    fn send(&self, hands: &mut Hands) {
        if !hands.pack.is_empty() {
            // The receivers live as long as the workers.
            let _ = hands.packs.send(hands.pack.finish(&self.repository.key));
        }
    }

    fn segment(&self, segment: &Segment, hands: &mut Hands) -> Result<(), RepositoryError> {
        obey(self.watch)?;
        let counters = self.watch.counters();
        if let Some(ids) = self.journal.ids(segment)?
            && self.repository.has_all(&ids)?
        {
            Counters::add(&counters.done, segment.length);
            return Ok(());
        }
        let file = &self.files[segment.file];
        let known = self.parent.ids(&file.path, segment)?;
        let ids = match known {
            // Each chunk of the segment is as it was, and the repository has it.
            Some(known) if known.iter().all(Option::is_some) => {
                known.into_iter().flatten().collect()
            }
            known => self.read(segment, known.unwrap_or_default(), hands)?,
        };
        self.journal.note(segment, &ids)?;
        Counters::add(&counters.done, segment.length);
        Ok(())
    }

    fn read(
        &self,
        segment: &Segment,
        known: Vec<Option<Id>>,
        hands: &mut Hands,
    ) -> Result<Vec<Id>, RepositoryError> {
        let path = &self.files[segment.file].path;
        let cannot = |error: io::Error| {
            let why = match error.kind() {
                io::ErrorKind::UnexpectedEof => "it became shorter while it was read".to_owned(),
                _ => error.to_string(),
            };
            RepositoryError::file(
                self.root_path.join(path),
                format!(
                    "reading at byte {}: {why}. HINT: nothing is left out of a recovery point; look at its disk",
                    segment.offset
                ),
            )
        };
        if hands
            .file
            .as_ref()
            .is_none_or(|(file, _)| *file != segment.file)
        {
            let handle = open_below(self.root.as_fd(), path, OFlags::RDONLY)
                .map_err(|error| cannot(error.into()))?;
            hands.file = Some((segment.file, File::from(handle)));
        }
        let Some((_, file)) = &hands.file else {
            return Err(cannot(io::ErrorKind::NotFound.into()));
        };
        let is_hole = !known.iter().any(Option::is_some) && is_hole(file, segment);
        let length = segment.length as usize;
        let step = segment.chunk_bytes as usize;
        let mut buffer = std::mem::take(&mut hands.buffer);
        buffer.clear();
        buffer.resize(length, 0);
        let mut ids = Vec::with_capacity(segment.chunks() as usize);
        let mut place = 0;
        while place < length {
            let first = place / step;
            // Neighbours that have to be read are read together.
            let is_known = |chunk: usize| known.get(chunk).copied().flatten();
            if let Some(id) = is_known(first) {
                ids.push(id);
                place += step;
                continue;
            }
            let mut end = place;
            while end < length && is_known(end / step).is_none() {
                end = (end + step).min(length);
            }
            if !is_hole {
                file.read_exact_at(&mut buffer[place..end], segment.offset + place as u64)
                    .map_err(cannot)?;
                Counters::add(&self.watch.counters().read, (end - place) as u64);
            }
            for chunk in buffer[place..end].chunks(step) {
                ids.push(self.chunk(chunk, &mut hands.pack, &mut hands.zero)?);
                if hands.pack.is_full() {
                    let pack = hands.pack.finish(&self.repository.key);
                    let _ = hands.packs.send(pack);
                }
            }
            place = end;
        }
        hands.buffer = buffer;
        Ok(ids)
    }

    /// Names a chunk and packs it if nobody has.
    fn chunk(
        &self,
        chunk: &[u8],
        pack: &mut PackBuilder,
        zero: &mut Option<(usize, Id)>,
    ) -> Result<Id, RepositoryError> {
        let id = if is_zero(chunk) {
            match zero {
                Some((length, id)) if *length == chunk.len() => *id,
                _ => {
                    let id = Id::of(chunk);
                    *zero = Some((chunk.len(), id));
                    id
                }
            }
        } else {
            Id::of(chunk)
        };
        // Claimed before the index is asked: whoever finishes a claim has put it into the index before.
        if self.uploads.under_way.claim(&id) {
            if self.repository.has(&id, BlobKind::Data)? {
                self.uploads.under_way.release(&id);
            } else {
                pack.add(&self.repository.key, BlobKind::Data, id, chunk);
            }
        }
        Ok(id)
    }
}

/// Whether the file system has no data there. When it does not know, there may be.
fn is_hole(file: &File, segment: &Segment) -> bool {
    match rustix::fs::seek(file, SeekFrom::Data(segment.offset)) {
        Ok(data) => data >= segment.offset + segment.length,
        // No data up to the end of the file.
        Err(rustix::io::Errno::NXIO) => file
            .metadata()
            .is_ok_and(|file| file.len() >= segment.offset + segment.length),
        Err(_) => false,
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<64>();
    words.iter().all(|word| word == &[0; 64]) && rest.iter().all(|byte| *byte == 0)
}
