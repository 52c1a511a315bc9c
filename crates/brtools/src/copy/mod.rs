//! One file copied to disk by the system's own tool, and judged block by block while it is written.
//! What lives here: the story of one copy. What does not: which files are copied, and what the log says of it.
//!
//! The tool (`cp` or `dd`, as the profile says) does the copying; this process follows the growing copy a little behind,
//! out of the page cache, judges every block, hashes every byte, and has a suspicious block read again from the source.
//! A copy counts only when the tool ended well, the size is right, every block is good or excused, and file and
//! directory are synced. Otherwise the target is removed and nothing else is touched.

mod error;
mod follow;
mod judge;
pub mod member;
pub mod report;
mod second_look;
pub mod stream;
mod tool;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use error::CopyError;
pub use tool::CopyTool;

use crate::interrupt::Interrupt;
use follow::Follower;
use tool::RunningTool;

/// How often the growing copy is looked at when nothing new has been written.
const PAUSE: Duration = Duration::from_millis(2);
/// Read at once when a whole file is hashed.
const HASH_BUFFER_BYTES: usize = 1 << 20;

/// What the file holds, which decides how the copy is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A data file whose tablespace is in backup mode: it changes and may grow, and the redo repairs torn blocks.
    DatafileInBackupMode {
        /// Block size in bytes.
        block_bytes: u32,
    },
    /// A data file that nobody writes: closed, offline or read-only.
    DatafileAtRest {
        /// Block size in bytes.
        block_bytes: u32,
    },
    /// Anything else that nobody writes: source and copy must be equal to the last byte.
    Opaque,
}

/// One copy to make.
#[derive(Debug, Clone)]
pub struct CopyRequest<'a> {
    /// What to copy.
    pub source: &'a Path,
    /// Where to; must not exist, its directory must.
    pub target: &'a Path,
    /// With what.
    pub tool: &'a CopyTool,
    /// What is in it.
    pub content: Content,
    /// Failpoint after each piece of the copy.
    pub failpoint: Option<&'static str>,
}

/// What a finished copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// Size of the copy.
    pub bytes: u64,
    /// BLAKE3 of the copy.
    pub hash: blake3::Hash,
    /// Blocks that were judged.
    pub blocks: u64,
    /// Blocks that were torn or damaged in the copy and good when read again: the good one is in the copy.
    pub blocks_read_again: u64,
    /// Torn blocks that stayed torn, in backup mode, where recovery repairs them.
    pub blocks_left_torn: Vec<u32>,
    /// Blocks of zeros only, where that may be.
    pub blocks_zero: u64,
    /// Blocks that were given up on purpose before.
    pub blocks_marked_corrupt: u64,
    /// What the tool said although it succeeded.
    pub tool_output: String,
    /// The tool's command line.
    pub command_line: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// Makes one copy. On success it is complete, judged and on disk; on failure the target does not exist.
pub fn copy_file(request: &CopyRequest, interrupt: &Interrupt) -> Result<CopyReport, CopyError> {
    let begun = Instant::now();
    let source = Source::open(request.source)?;
    refuse_existing(request.target)?;
    let outcome = copy_and_judge(request, &source, interrupt, begun);
    if outcome.is_err() {
        remove_target(request.target);
    }
    outcome
}

/// Refuses a target directory that has not the room for so many bytes.
pub fn require_space(directory: &Path, needed_bytes: u64) -> Result<(), CopyError> {
    let free_bytes = free_bytes(directory)?;
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    Err(CopyError::Space {
        directory: directory.to_owned(),
        free_bytes,
        needed_bytes,
    })
}

/// Bytes that this user may still write below a directory.
pub fn free_bytes(directory: &Path) -> Result<u64, CopyError> {
    let failed = |source| CopyError::Target {
        doing: "asking for the free space of",
        path: directory.to_owned(),
        source,
    };
    let statistics = rustix::fs::statvfs(directory).map_err(|errno| failed(errno.into()))?;
    Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
}

/// BLAKE3 of a whole file.
pub fn hash_file(path: &Path) -> std::io::Result<blake3::Hash> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
    }
}

fn copy_and_judge(
    request: &CopyRequest,
    source: &Source,
    interrupt: &Interrupt,
    begun: Instant,
) -> Result<CopyReport, CopyError> {
    let mut follower = Follower::new(request, &source.file)?;
    let mut tool = RunningTool::start(request.tool, request.source, request.target)?;
    let end = loop {
        if let Some(signal) = interrupt.signal() {
            return Err(CopyError::Interrupted { signal });
        }
        // Asked before the copy is read: what the tool wrote before it ended is then read for certain.
        let end = tool.try_end();
        let advanced = follower.advance(end.is_some())?;
        if let Some(end) = end {
            break end;
        }
        if !advanced {
            std::thread::sleep(PAUSE);
        }
    };
    let command_line = tool.command_line().to_owned();
    if end.code != 0 {
        return Err(CopyError::Tool {
            command_line,
            code: end.code,
            output: end.output,
        });
    }
    let copied_bytes = follower.bytes();
    source.check_unchanged(request.content, request.target, copied_bytes)?;
    let judged = follower.finish()?;
    if request.content == Content::Opaque {
        require_hash(request.source, request.target, judged.hash)?;
    }
    sync(request.target)?;
    Ok(CopyReport {
        bytes: copied_bytes,
        hash: judged.hash,
        blocks: judged.blocks,
        blocks_read_again: judged.read_again,
        blocks_left_torn: judged.left_torn,
        blocks_zero: judged.zero,
        blocks_marked_corrupt: judged.marked_corrupt,
        tool_output: end.output,
        command_line,
        elapsed: begun.elapsed(),
    })
}

/// The file to copy, held open so that it can be recognised and read again.
struct Source {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Source {
    fn open(path: &Path) -> Result<Source, CopyError> {
        let failed = |source| CopyError::Source {
            path: path.to_owned(),
            source,
        };
        // Asked before it is opened: opening a pipe or a device may wait or do harm.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(CopyError::NotRegular {
                path: path.to_owned(),
            });
        }
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok(Source {
            path: path.to_owned(),
            file,
            bytes,
        })
    }

    /// The source is still the same file, and the copy has its size.
    fn check_unchanged(
        &self,
        content: Content,
        target: &Path,
        copied_bytes: u64,
    ) -> Result<(), CopyError> {
        let changed = |what: String, hint| {
            Err(CopyError::SourceChanged {
                path: self.path.clone(),
                what,
                hint,
            })
        };
        let opened = self.file.metadata().map_err(|source| CopyError::Source {
            path: self.path.clone(),
            source,
        })?;
        match fs::metadata(&self.path) {
            Ok(now) if (now.dev(), now.ino()) == (opened.dev(), opened.ino()) => {}
            Ok(_) => {
                return changed(
                    "another file has taken its name".to_owned(),
                    "find out who moved it, then start again",
                );
            }
            Err(_) => {
                return changed(
                    "it was removed".to_owned(),
                    "find out who removed it; the database needs it too",
                );
            }
        }
        let wrong_size = |expected_bytes, hint| {
            Err(CopyError::Size {
                path: target.to_owned(),
                copied_bytes,
                expected_bytes,
                hint,
            })
        };
        match content {
            Content::DatafileInBackupMode { block_bytes } => {
                if opened.len() < self.bytes {
                    return changed(
                        format!("it shrank from {} to {} bytes", self.bytes, opened.len()),
                        "was the data file resized? Start again",
                    );
                }
                let whole_blocks = copied_bytes.is_multiple_of(u64::from(block_bytes.max(1)));
                if copied_bytes < self.bytes || copied_bytes > opened.len() || !whole_blocks {
                    return wrong_size(self.bytes, "the disk of the copy may be full or damaged");
                }
            }
            Content::DatafileAtRest { .. } | Content::Opaque => {
                if opened.len() != self.bytes {
                    return changed(
                        format!(
                            "its size went from {} to {} bytes",
                            self.bytes,
                            opened.len()
                        ),
                        "somebody still writes it; start again when that is over",
                    );
                }
                if copied_bytes != self.bytes {
                    return wrong_size(self.bytes, "the disk of the copy may be full or damaged");
                }
            }
        }
        Ok(())
    }
}

fn require_hash(path: &Path, target: &Path, copy: blake3::Hash) -> Result<(), CopyError> {
    let source = hash_file(path).map_err(|source| CopyError::Source {
        path: path.to_owned(),
        source,
    })?;
    if source == copy {
        return Ok(());
    }
    Err(CopyError::Different {
        path: path.to_owned(),
        target: target.to_owned(),
    })
}

fn refuse_existing(target: &Path) -> Result<(), CopyError> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(CopyError::TargetExists {
            path: target.to_owned(),
        }),
        Err(source) => Err(CopyError::Target {
            doing: "looking at",
            path: target.to_owned(),
            source,
        }),
    }
}

/// Makes content and name of a file durable.
pub fn sync(path: &Path) -> Result<(), CopyError> {
    let failed = |doing, path: &Path, source| CopyError::Target {
        doing,
        path: path.to_owned(),
        source,
    };
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| failed("syncing", path, source))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|source| failed("syncing", directory, source))
}

fn remove_target(target: &Path) {
    // Nothing there is what is wanted; anything else shows as an existing target at the next try, and the error that
    // brought us here is the one to report.
    let _ = fs::remove_file(target);
}

#[cfg(test)]
mod tests;
