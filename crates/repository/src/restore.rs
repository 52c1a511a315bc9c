//! From a recovery point to files.
//! What lives here: which files, reading each pack's parts once and in large pieces, holes, owners and times. What does
//! not: where the files are put in the end and who may see them (the store).
//!
//! The destination is a new directory that nobody uses before all is done; each file is synced, then the directories.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Repository;
use crate::backend::FileKind;
use crate::error::RepositoryError;
use crate::files::IndexedBlob;
use crate::id::Id;
use crate::lock::Use;
use crate::pack;
use crate::point::Point;
use crate::tree::{Node, NodeKind};
use crate::watch::{Counters, Watch, obey};

/// Chunks that are planned at once: 1 GiB in chunks of 64 KiB, and about 4 MiB of plan.
const WINDOW_CHUNKS: usize = 16_384;
/// Files that are open at once.
const WINDOW_FILES: usize = 256;
/// Longest piece of a pack that is read at once, in bytes.
const READ_BYTES_MAX: u64 = 8 << 20;
/// Parts of a pack that are so near are read together, with what is between them.
const GAP_BYTES_MAX: u64 = 32 << 10;
/// Reads at once: object storage answers late and much.
const READERS: usize = 4;

/// What was restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were read from the repository for their content.
    pub bytes_read: u64,
}

/// A file that is being written.
struct Target {
    path: PathBuf,
    file: File,
}

/// A chunk's places: in a file of the window, at a byte.
type Targets = Vec<(usize, u64)>;

/// Files whose chunks are fetched together.
#[derive(Default)]
struct Window {
    files: Vec<Target>,
    /// By pack and blob.
    wanted: HashMap<Id, HashMap<Id, (IndexedBlob, Targets)>>,
    chunks: usize,
}

/// A piece of a pack, and the blobs in it.
struct Piece {
    pack: Id,
    offset: u64,
    length: u64,
    blobs: Vec<(IndexedBlob, Targets)>,
}

impl Repository {
    /// Puts the chosen files below `directory` of a recovery point into `destination`, which must be there and empty.
    ///
    /// # Errors
    /// Of the repository or the disk; what was written then is not whole. [`RepositoryError::NothingChosen`] if nothing is.
    pub fn restore(
        &self,
        point: &Point,
        directory: &str,
        chosen: &dyn Fn(&Path) -> bool,
        destination: &Path,
        watch: &dyn Watch,
    ) -> Result<Restored, RepositoryError> {
        let _lock = self.lock(Use::Shared)?;
        self.refresh_index()?;
        let mut restored = Restored::default();
        let mut total = 0;
        let mut directories = Vec::new();
        let mut others: Vec<(PathBuf, Node)> = Vec::new();
        let mut files: Vec<(PathBuf, Node)> = Vec::new();
        self.walk(point, |path, mut node| {
            let Ok(below) = path.strip_prefix(directory) else {
                return Ok(());
            };
            match node.kind {
                _ if below.as_os_str().is_empty() => {}
                NodeKind::Dir => directories.push((below.to_owned(), node)),
                _ if !chosen(below) => {}
                NodeKind::File => {
                    total += node.size;
                    // The lists of chunks of all files could be long: they are read again when it is the file's turn.
                    node.content = None;
                    files.push((below.to_owned(), node));
                }
                _ => others.push((below.to_owned(), node)),
            }
            Ok(())
        })?;
        if files.is_empty() && others.is_empty() {
            return Err(RepositoryError::NothingChosen(format!(
                "no file of recovery point {} was chosen. HINT: 'backstay recovery-point show' lists them",
                point.id.short()
            )));
        }
        watch.counters().total.store(total, Ordering::Relaxed);
        let parents = make_parents(
            destination,
            files.iter().chain(&others).map(|(path, _)| path.as_path()),
        )?;
        self.restore_files(point, directory, chosen, destination, watch, &mut restored)?;
        watch.step("restore-files-written");
        for (path, node) in &others {
            make_other(&destination.join(path), node)?;
        }
        for (path, node) in &files {
            settle(&destination.join(path), node)?;
        }
        // From the inside to the outside: setting times inside changes those outside.
        for (path, node) in directories
            .iter()
            .rev()
            .filter(|(path, _)| parents.contains(path))
        {
            settle(&destination.join(path), node)?;
        }
        crate::disk::sync_directory(destination)
            .map_err(|error| RepositoryError::file(destination, error))?;
        Ok(restored)
    }

    fn restore_files(
        &self,
        point: &Point,
        directory: &str,
        chosen: &dyn Fn(&Path) -> bool,
        destination: &Path,
        watch: &dyn Watch,
        restored: &mut Restored,
    ) -> Result<(), RepositoryError> {
        let mut window = Window::default();
        self.walk(point, |path, node| {
            let below = match path.strip_prefix(directory) {
                Ok(below)
                    if node.kind == NodeKind::File
                        && !below.as_os_str().is_empty()
                        && chosen(below) =>
                {
                    below
                }
                _ => return Ok(()),
            };
            restored.files += 1;
            restored.bytes += node.size;
            self.plan_file(
                &mut window,
                &destination.join(below),
                &node,
                watch,
                restored,
            )
        })?;
        restored.bytes_read += self.fetch(&mut window, watch)?;
        Ok(())
    }

    fn plan_file(
        &self,
        window: &mut Window,
        path: &Path,
        node: &Node,
        watch: &dyn Watch,
        restored: &mut Restored,
    ) -> Result<(), RepositoryError> {
        window.open(path, node.size)?;
        let mut offset = 0;
        for id in node.content.iter().flatten() {
            let place = self.place(id)?;
            let length = place.plain_bytes();
            window.want(place.pack, place.blob, offset);
            offset += length;
            if offset > node.size {
                break;
            }
            if window.chunks >= WINDOW_CHUNKS {
                restored.bytes_read += self.fetch(window, watch)?;
                window.reopen(path)?;
            }
        }
        if offset != node.size {
            let why = format!("its chunks have {offset} bytes and it has {}", node.size);
            return Err(RepositoryError::damaged(path.display().to_string(), why));
        }
        if window.files.len() >= WINDOW_FILES {
            restored.bytes_read += self.fetch(window, watch)?;
        }
        Ok(())
    }

    /// Reads what a window wants and writes it; the files are synced and closed. Returns the bytes read.
    fn fetch(&self, window: &mut Window, watch: &dyn Watch) -> Result<u64, RepositoryError> {
        let pieces = window.pieces();
        let files = &window.files;
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<RepositoryError>> = Mutex::new(None);
        let work = || {
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                if failure
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_some()
                {
                    return;
                }
                if let Err(error) = obey(watch).and_then(|()| self.fetch_piece(piece, files, watch))
                {
                    failure
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..READERS.min(pieces.len()) {
                scope.spawn(work);
            }
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        for target in files {
            target
                .file
                .sync_all()
                .map_err(|error| RepositoryError::file(&target.path, error))?;
        }
        *window = Window::default();
        Ok(pieces.iter().map(|piece| piece.length).sum())
    }

    fn fetch_piece(
        &self,
        piece: &Piece,
        files: &[Target],
        watch: &dyn Watch,
    ) -> Result<(), RepositoryError> {
        let counters = watch.counters();
        let bytes = self.backend.read_range(
            FileKind::Pack,
            &piece.pack,
            piece.offset,
            piece.length as usize,
        )?;
        Counters::add(&counters.read, piece.length);
        for (blob, targets) in &piece.blobs {
            let begin = (u64::from(blob.offset) - piece.offset) as usize;
            let damaged = |why: String| {
                RepositoryError::damaged_file(
                    FileKind::Pack,
                    &piece.pack,
                    format!("blob {}: {why}", blob.id),
                )
            };
            let sealed = bytes
                .get(begin..begin + blob.length as usize)
                .ok_or_else(|| damaged("it lies outside of its pack".to_owned()))?;
            let plain = pack::open_blob(&self.key, blob, sealed).map_err(damaged)?;
            let is_zero = plain.iter().all(|byte| *byte == 0);
            for (file, offset) in targets {
                let Some(target) = files.get(*file) else {
                    continue;
                };
                // What was never written is a hole, as it may have been before.
                if !is_zero {
                    let written = target.file.write_all_at(&plain, *offset);
                    written.map_err(|error| RepositoryError::file(&target.path, error))?;
                    Counters::add(&counters.written, plain.len() as u64);
                }
                Counters::add(&counters.done, plain.len() as u64);
            }
        }
        Ok(())
    }
}

impl Window {
    fn open(&mut self, path: &Path, size: u64) -> Result<(), RepositoryError> {
        let open = || {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.set_len(size)?;
            Ok::<_, std::io::Error>(file)
        };
        self.files.push(Target {
            path: path.to_owned(),
            file: open().map_err(|error| RepositoryError::file(path, error))?,
        });
        Ok(())
    }

    /// Goes on with a file in a new window.
    fn reopen(&mut self, path: &Path) -> Result<(), RepositoryError> {
        let file = OpenOptions::new().write(true).open(path);
        self.files.push(Target {
            path: path.to_owned(),
            file: file.map_err(|error| RepositoryError::file(path, error))?,
        });
        Ok(())
    }

    /// The file that was opened last wants a blob.
    fn want(&mut self, pack: Id, blob: IndexedBlob, offset: u64) {
        let file = self.files.len().saturating_sub(1);
        let blobs = self.wanted.entry(pack).or_default();
        let (_, targets) = blobs
            .entry(blob.id)
            .or_insert_with(|| (blob, Targets::new()));
        targets.push((file, offset));
        self.chunks += 1;
    }

    fn pieces(&mut self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (pack, blobs) in self.wanted.drain() {
            let mut blobs: Vec<_> = blobs.into_values().collect();
            blobs.sort_by_key(|(blob, _)| blob.offset);
            let mut current: Option<Piece> = None;
            for (blob, targets) in blobs {
                let (begin, end) = (
                    u64::from(blob.offset),
                    u64::from(blob.offset) + u64::from(blob.length),
                );
                match &mut current {
                    Some(piece)
                        if begin <= piece.offset + piece.length + GAP_BYTES_MAX
                            && end - piece.offset <= READ_BYTES_MAX =>
                    {
                        piece.length = piece.length.max(end - piece.offset);
                        piece.blobs.push((blob, targets));
                    }
                    _ => {
                        let piece = Piece {
                            pack,
                            offset: begin,
                            length: end - begin,
                            blobs: vec![(blob, targets)],
                        };
                        pieces.extend(current.replace(piece));
                    }
                }
            }
            pieces.extend(current);
        }
        pieces
    }
}

/// Makes the directories that files need; returns their paths.
fn make_parents<'a>(
    destination: &Path,
    paths: impl Iterator<Item = &'a Path>,
) -> Result<std::collections::HashSet<PathBuf>, RepositoryError> {
    let mut made = std::collections::HashSet::new();
    for path in paths {
        let mut below = PathBuf::new();
        let Some(parent) = path.parent() else {
            continue;
        };
        for component in parent.components() {
            let Component::Normal(name) = component else {
                return Err(RepositoryError::damaged(
                    path.display().to_string(),
                    "its path leads elsewhere",
                ));
            };
            below.push(name);
            if made.insert(below.clone()) {
                let full = destination.join(&below);
                let created = DirBuilder::new().mode(0o700).create(&full);
                created.map_err(|error| RepositoryError::file(&full, error))?;
            }
        }
    }
    Ok(made)
}

/// Links are made when all files are there; what is neither file nor link is no part of a backup.
fn make_other(path: &Path, node: &Node) -> Result<(), RepositoryError> {
    let failed = |error: std::io::Error| RepositoryError::file(path, error);
    match node.kind {
        NodeKind::Symlink => {
            std::os::unix::fs::symlink(node.link_target(), path).map_err(failed)?;
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::lchown(path, Some(node.uid), Some(node.gid)).map_err(failed)?;
            }
        }
        kind => tracing::warn!("{}: a {kind:?} is not restored", path.display()),
    }
    Ok(())
}

/// Owner, permissions and time of a file or directory, and its being on the disk.
fn settle(path: &Path, node: &Node) -> Result<(), RepositoryError> {
    let set = || {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)?;
        if rustix::process::geteuid().is_root() {
            let now = file.metadata()?;
            if (now.uid(), now.gid()) != (node.uid, node.gid) {
                std::os::unix::fs::fchown(&file, Some(node.uid), Some(node.gid))?;
            }
        }
        file.set_permissions(fs::Permissions::from_mode(node.unix_mode()))?;
        let time = std::time::SystemTime::try_from(node.mtime).map_err(std::io::Error::other)?;
        file.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time))?;
        file.sync_all()
    };
    set().map_err(|error| RepositoryError::file(path, error))
}
