//! Why a file was not copied, with what to do about it.
//! What lives here: the error. What does not: its number in the log, which `report` gives.

use std::path::PathBuf;

use crate::messages::counted;

/// A copy that failed. What had been written of the target is gone again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The source cannot be opened or read.
    #[error("{} cannot be read: {source}. HINT: check that it exists and that this user may read it", path.display())]
    Source {
        /// The source.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The source is a directory, a socket or the like.
    #[error("{} is not a regular file. HINT: only files of a file system can be copied to disk", path.display())]
    NotRegular {
        /// The source.
        path: PathBuf,
    },
    /// The target exists already.
    #[error("{} exists already and is not overwritten. HINT: move it away", path.display())]
    TargetExists {
        /// The target.
        path: PathBuf,
    },
    /// The target cannot be created, written, read back or synced.
    #[error("{doing} {} failed: {source}. HINT: check permissions, mount options and the disk of the target", path.display())]
    Target {
        /// What was being done.
        doing: &'static str,
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not enough room before the copy begins.
    #[error("{} has {free_bytes} bytes free, {needed_bytes} are needed. HINT: free some space or choose another directory", directory.display())]
    Space {
        /// Where the target would go.
        directory: PathBuf,
        /// Free bytes.
        free_bytes: u64,
        /// Needed bytes.
        needed_bytes: u64,
    },
    /// The tool could not be started.
    #[error("'{command_line}' could not be started: {source}")]
    ToolStart {
        /// The command.
        command_line: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tool failed.
    #[error("'{command_line}' ended with {code}: {output}")]
    Tool {
        /// The command.
        command_line: String,
        /// Exit code, or 128 and the signal.
        code: i32,
        /// What it said, bounded.
        output: String,
    },
    /// What cpio wrote cannot be read.
    #[error("the archive of {} cannot be read. HINT: cpio_flags choose a form that is not known here; use -ovB, -ocvB or -o -H odc", path.display())]
    NoArchive {
        /// The source.
        path: PathBuf,
    },
    /// The copy has not the size it must have.
    #[error("the copy {} has {copied_bytes} bytes, {expected_bytes} are expected. HINT: {hint}", path.display())]
    Size {
        /// The copy.
        path: PathBuf,
        /// Its size.
        copied_bytes: u64,
        /// The size of the source.
        expected_bytes: u64,
        /// What may be the reason.
        hint: &'static str,
    },
    /// The source was replaced, shrunk or removed while it was copied.
    #[error("{} changed while it was copied: {what}. HINT: {hint}", path.display())]
    SourceChanged {
        /// The source.
        path: PathBuf,
        /// What changed.
        what: String,
        /// What may be the reason.
        hint: &'static str,
    },
    /// Blocks of the source are damaged, also when read again.
    #[error("{} has {}: {}. HINT: see 'backstay verify', then recover the blocks or restore the file", path.display(), counted(*count, "damaged block"), first.join(", "))]
    Damaged {
        /// The source.
        path: PathBuf,
        /// How many blocks.
        count: u64,
        /// The first of them, with their verdicts.
        first: Vec<String>,
    },
    /// The database says a block size that no data file has.
    #[error("{} is said to have blocks of {block_bytes} bytes. HINT: look at V$DATAFILE.BLOCK_SIZE", path.display())]
    BlockSize {
        /// The source.
        path: PathBuf,
        /// What was said.
        block_bytes: u32,
    },
    /// The copy does not hold what the source holds.
    #[error("{} and its copy {} are different. HINT: the disk or the file system of the copy damages data", path.display(), target.display())]
    Different {
        /// The source.
        path: PathBuf,
        /// The copy.
        target: PathBuf,
    },
    /// A signal asked to stop.
    #[error("stopped by signal {signal}")]
    Interrupted {
        /// The signal.
        signal: i32,
    },
}
