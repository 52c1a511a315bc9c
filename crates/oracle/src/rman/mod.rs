//! The log of an RMAN run, read into an account: databases, backup sets, pieces, image copies, and what became of them.
//! What lives here: the entrance, its limits and its error. What does not: files; this is a function of hostile text.
//!
//! The grammar and its traps are section 6.1 of the collected facts about Oracle, measured on 66 published logs. \[V\]
//! beside a fact says that it was read in such a log, \[M\] that it is general knowledge and was not.

mod account;
mod catalog;
mod copy_name;
pub mod dates;
mod english;
mod foreign;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod ledger;
mod lines;
mod map;
mod matching;
mod message;
mod numbered;
mod reader;
mod snapshot_files;
#[cfg(test)]
mod tests;

use std::io::BufRead;

pub use account::{
    Account, ArchivedLog, BackupSet, BlockRange, Content, CopiedFile, Database, Fate, ImageCopy,
    KeptFile, Notes, Outcome, Piece, SetDatafile, SetKind, SetState, Shortcoming,
};
pub use catalog::{CATALOG_BYTES_MAX, CATALOG_FILE, CatalogHead, catalog_commands};
pub use copy_name::CopyName;
pub use map::{
    FoundByTail, Map, MappedCopy, MappedDatabase, MappedDatafile, MappedLog, MappedPiece,
    MissingFile,
};
pub use snapshot_files::{NoRelativePath, RelativePath, SnapshotFiles};

/// So much of a log is read: a run over thousands of files writes a few mebibytes.
pub const LOG_BYTES_MAX: u64 = 64 << 20;
/// So much of a line is kept; a handle has at most 513 bytes.
pub const LINE_BYTES_MAX: usize = 4 << 10;
/// So many files, archived logs, sets and copies an account has; a database has at most 65,533 data files.
pub const RECORDS_MAX: usize = 200_000;
/// So many bytes the names of those files have together: an account and its map, with all indexes, take
/// some four times that.
pub const NAME_BYTES_MAX: usize = 32 << 20;
/// So many pieces a set has; RMAN makes at most 256 sections of a file.
pub const PIECES_PER_SET_MAX: usize = 4096;
/// So many channels a run has: RMAN allows 255.
pub const CHANNELS_MAX: usize = 255;
/// So many databases a log tells of.
pub const DATABASES_MAX: usize = 256;
/// So many links from data files and logs to files a map has: each piece of a set may have all its files in it.
pub const LINKS_MAX: usize = 1_000_000;
/// So many lines of error stacks are kept.
pub const FAILURES_MAX: usize = 64;
/// So many bytes of each such line are kept.
pub const FAILURE_BYTES_MAX: usize = 512;

/// A log could not be read to its end. What was read of it is not used: a file half read tells half a story.
#[derive(Debug, thiserror::Error)]
#[error(
    "the RMAN log cannot be read after line {lines}. HINT: check the disk or file system that it lies on"
)]
pub struct LogError {
    /// Lines read before.
    pub lines: u64,
    /// What the system said.
    pub source: std::io::Error,
}

/// Reads a log. Whatever its bytes are, memory and time are bounded by the constants of this module; nothing but the
/// reading itself can fail.
///
/// # Errors
/// The source's, with the place.
pub fn read_log(log: impl BufRead) -> Result<Account, LogError> {
    let mut lines = lines::Lines::new(log);
    let mut reader = reader::Reader::default();
    loop {
        match lines.next() {
            Ok(Some(line)) => reader.take(&line),
            Ok(None) => break,
            Err(source) => {
                let lines = lines.count;
                return Err(LogError { lines, source });
            }
        }
    }
    Ok(reader.finish(lines.count, lines.is_too_long))
}
