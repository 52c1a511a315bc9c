//! Opening a file that is to be judged, without waiting for anybody and without harm.
//! What lives here: what may be judged, its size, where its holes are. What does not: what is in it.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags};
use rustix::io::Errno;

/// Why a file cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotJudge {
    /// There is no such file.
    #[error("{} does not exist. HINT: check the path: V$DATAFILE, V$CONTROLFILE, V$LOGFILE and V$ARCHIVED_LOG have those of the database", .0.display())]
    Missing(PathBuf),
    /// This user may not read it.
    #[error("{} may not be read by this user. HINT: run as the owner of the database files, or let the group read them", .0.display())]
    Denied(PathBuf),
    /// It is no file with blocks.
    #[error("{} is {what}. HINT: name the file itself", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// A directory, a socket, …
        what: &'static str,
    },
    /// It has no bytes.
    #[error("{} is empty: 0 bytes. HINT: was its copy cut off? Take it from another backup", .0.display())]
    Empty(PathBuf),
    /// It is not even two blocks long.
    #[error("{} has {bytes} bytes, less than the two header blocks of any Oracle file. HINT: was its copy cut off? Take it from another backup", path.display())]
    TooShort {
        /// Which.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Nothing in its beginning is a block.
    #[error("{} does not begin like an Oracle file. HINT: backup pieces and dumps are none; a data file whose beginning is lost is judged with --block-size", .0.display())]
    NotOracle(PathBuf),
    /// No such block size.
    #[error("{}: no Oracle file has blocks of {block_size} bytes. HINT: 2048, 4096, 8192, 16384 or 32768, for redo logs 512, 1024 or 4096", path.display())]
    BlockSize {
        /// Which.
        path: PathBuf,
        /// The size.
        block_size: u32,
    },
    /// The caller names another block size than the file.
    #[error("{} has blocks of {found} bytes, not of {given}. HINT: leave --block-size out, it is for files whose block 0 is lost", path.display())]
    OtherBlockSize {
        /// Which.
        path: PathBuf,
        /// The caller's.
        given: u32,
        /// The file's.
        found: u32,
    },
    /// More blocks than have numbers.
    #[error("{} has {blocks} blocks, more than an address can name. HINT: is this one file? Name the data file itself", path.display())]
    TooManyBlocks {
        /// Which.
        path: PathBuf,
        /// How many.
        blocks: u64,
    },
    /// It became shorter meanwhile.
    #[error("{} became shorter while it was read, at byte {at}. HINT: somebody writes it; try again when that is over", path.display())]
    Shrunk {
        /// Which.
        path: PathBuf,
        /// Where it ended.
        at: u64,
    },
    /// The system cannot read it.
    #[error("{} cannot be read at byte {at}: {source}. HINT: see the system's log for errors of the disk or the network", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Where.
        at: u64,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A file, opened for judging.
#[derive(Debug)]
pub(super) struct Opened {
    pub file: File,
    pub bytes: u64,
    /// A raw device: its size says nothing about the size of what is on it.
    pub is_device: bool,
}

/// Opens a regular file or a block device; anything else is refused before it is opened, because opening a fifo waits
/// for its other end and opening a device can do things.
pub(super) fn open(path: &Path) -> Result<Opened, CannotJudge> {
    let failed = |source: std::io::Error| explain(path, source);
    require_blocks(path, &std::fs::metadata(path).map_err(failed)?)?;
    let mut file = OpenOptions::new()
        .read(true)
        // Somebody may have put a fifo in its place since.
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    require_blocks(path, &metadata)?;
    let is_device = metadata.file_type().is_block_device();
    let bytes = if is_device {
        file.seek(SeekFrom::End(0)).map_err(failed)?
    } else {
        metadata.len()
    };
    // Only advice: a file system that does not take it reads the same bytes.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
    if bytes == 0 {
        return Err(CannotJudge::Empty(path.to_owned()));
    }
    Ok(Opened {
        file,
        bytes,
        is_device,
    })
}

impl Opened {
    /// The next bytes from `from` on that are not in a hole, as start and end; None when only a hole is left.
    ///
    /// Where the file system knows no holes, everything is data.
    pub fn next_data(&self, from: u64) -> Option<(u64, u64)> {
        let start = match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Data(from)) {
            Ok(start) => start,
            Err(Errno::NXIO) if !self.is_device => return None,
            Err(_) => return Some((from, self.bytes)),
        };
        let end = rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Hole(start));
        Some((start, end.unwrap_or(self.bytes).clamp(start, self.bytes)))
    }
}

fn explain(path: &Path, source: std::io::Error) -> CannotJudge {
    match source.kind() {
        std::io::ErrorKind::NotFound => CannotJudge::Missing(path.to_owned()),
        std::io::ErrorKind::PermissionDenied => CannotJudge::Denied(path.to_owned()),
        _ => CannotJudge::Io {
            path: path.to_owned(),
            at: 0,
            source,
        },
    }
}

fn require_blocks(path: &Path, metadata: &Metadata) -> Result<(), CannotJudge> {
    let file_type = metadata.file_type();
    if file_type.is_file() || file_type.is_block_device() {
        return Ok(());
    }
    Err(CannotJudge::NotAFile {
        path: path.to_owned(),
        what: describe(file_type),
    })
}

fn describe(file_type: FileType) -> &'static str {
    match file_type {
        other if other.is_dir() => "a directory",
        other if other.is_socket() => "a socket",
        other if other.is_fifo() => "a named pipe",
        other if other.is_char_device() => "a character device",
        _ => "no regular file",
    }
}
