//! The ledger: what the workload asked of the database and what the database acknowledged, kept outside of it.
//! What lives here: the facts, the form of their lines, appending. What does not: reading ([`reader`]), what follows
//! from the facts ([`book`]).
//!
//! A text file, one fact a line, `name=value` fields, a CRC-32 of the line as the last field:
//!
//! ```text
//! backstay-ledger version=1 sid=SND check=5f1b0c2e
//! intent number=17 session=3 rows=12:deadbeef,99:deleted check=…
//! acknowledged number=17 session=3 scn=5012 time=2026-03-07T01:44:38 rows=12:deadbeef,99:deleted check=…
//! truncate scn=4800 check=…
//! ```
//!
//! The intent is on file before the commit is sent, the acknowledgement after the answer came. A commit with an intent
//! and no acknowledgement is *in doubt*: its answer was lost, it may be in the database or not, but only whole.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use oracle::scn::Scn;
use oracle::time::OracleTime;
use rustix::fs::FlockOperation;

use crate::content::text_hash;
use crate::protocol::RowChange;

pub mod book;
pub mod reader;

/// Version of the form that this code writes and reads.
pub const VERSION: u32 = 1;
/// Longest line in bytes, line end included: 64 rows of at most 29 bytes and the other fields fit.
pub const LINE_BYTES_MAX: usize = 4096;
/// Most rows of one transaction.
pub const ROWS_MAX: usize = 64;

/// What a transaction leaves of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowFact {
    /// Row key.
    pub key: u64,
    /// CRC-32 of the new text; None when the row is deleted.
    pub hash: Option<u32>,
}

impl From<&RowChange> for RowFact {
    fn from(change: &RowChange) -> RowFact {
        RowFact {
            key: change.key,
            hash: change.text.as_ref().map(|text| text_hash(text.as_bytes())),
        }
    }
}

/// A numbered transaction of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number, unique and above zero.
    pub number: u64,
    /// The session that commits it.
    pub session: u32,
    /// What it leaves, 1 to [`ROWS_MAX`] rows.
    pub rows: Vec<RowFact>,
}

/// From where on commits do not count. Exclusive, as UNTIL CHANGE and UNTIL TIME are: a commit at the boundary is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// Commits with this SCN or a higher one are out.
    Scn(Scn),
    /// Commits at this time or later are out.
    Time(OracleTime),
}

impl fmt::Display for Boundary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Boundary::Scn(scn) => write!(formatter, "SCN {scn}"),
            Boundary::Time(time) => write!(formatter, "{time}"),
        }
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The transaction is about to be sent.
    Intent(Transaction),
    /// The database said that it is committed.
    Acknowledged {
        /// The transaction, as its intent had it.
        transaction: Transaction,
        /// Commit SCN.
        scn: Scn,
        /// Commit time.
        time: OracleTime,
    },
    /// The database was opened with RESETLOGS: of the commits before this line, those beyond the boundary are void.
    Truncate(Boundary),
}

impl Fact {
    /// One more than the highest key in it, zero without a key.
    fn keys_end(&self) -> u64 {
        match self {
            Fact::Intent(transaction) | Fact::Acknowledged { transaction, .. } => {
                let keys = transaction.rows.iter().map(|row| row.key.saturating_add(1));
                keys.max().unwrap_or_default()
            }
            Fact::Truncate(_) => 0,
        }
    }
}

/// Why a ledger cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The operating system refuses.
    #[error("ledger {}: cannot {action}: {source}", path.display())]
    Io {
        /// The ledger.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A line says something that no workload writes.
    #[error("ledger {}, line {line}: {what}. HINT: the file was edited or damaged; judge by an intact copy", path.display())]
    Line {
        /// The ledger.
        path: PathBuf,
        /// Line number from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Somebody else appends to it, or judges by it.
    #[error("ledger {}: a workload writes it or a judge reads it. HINT: stop that one or wait for its end", path.display())]
    InUse {
        /// The ledger.
        path: PathBuf,
    },
    /// A workload appends to it, so that what it demands of the database changes while it is read.
    #[error(
        "ledger {}: a workload is still writing it, so there is nothing to judge yet. HINT: stop the workload first \
         (Ctrl-C, or kill its process), or wait until it ends",
        path.display()
    )]
    BeingWritten {
        /// The ledger.
        path: PathBuf,
    },
}

/// How long a lock is asked for before it counts as another's.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);

/// Keeps every workload from writing a ledger as long as it lives. Several can hold the same ledger.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

impl Hold {
    /// Holds the ledger at `path`. Errors: [`LedgerError::BeingWritten`] when a workload has it open.
    pub fn take(path: &Path) -> Result<Hold, LedgerError> {
        let io = |action| {
            move |source| LedgerError::Io {
                path: path.to_path_buf(),
                action,
                source,
            }
        };
        let file = File::open(path).map_err(io("open"))?;
        match lock_soon(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Hold { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerError::BeingWritten {
                path: path.to_path_buf(),
            }),
            Err(errno) => Err(io("lock")(errno.into())),
        }
    }
}

/// Takes a lock, if need be within [`LOCK_PATIENCE`]: a program that a process is just starting shares all its open files,
/// and so their locks, until it begins.
fn lock_soon(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    let limit = Instant::now() + LOCK_PATIENCE;
    loop {
        match rustix::fs::flock(file, operation) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < limit => {
                std::thread::sleep(Duration::from_millis(5));
            }
            locked => return locked,
        }
    }
}

/// Appends facts. Shared by the sessions of one process; a second process, and a judge, are kept out by a file lock.
///
/// A line is one `write()` to a file opened for appending, so it is whole or, after a crash of the machine or on a full
/// disk, torn at the end of the file. Opening removes such a torn end: an intent in it was never sent, an
/// acknowledgement in it leaves its commit in doubt, which is what is then known.
#[derive(Debug)]
pub struct LedgerWriter {
    path: PathBuf,
    file: Mutex<File>,
    sync: bool,
}

impl LedgerWriter {
    /// Opens or creates the ledger of the database `sid`. With `sync`, every fact is on disk when [`Self::append`]
    /// returns; without, it survives the death of the process but not of the machine.
    pub fn open(path: &Path, sid: &str, sync: bool) -> Result<LedgerWriter, LedgerError> {
        let io = |action| {
            move |source| LedgerError::Io {
                path: path.to_path_buf(),
                action,
                source,
            }
        };
        let file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(io("open"))?;
        match lock_soon(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LedgerError::InUse {
                    path: path.to_path_buf(),
                });
            }
            Err(errno) => return Err(io("lock")(errno.into())),
        }
        let whole = whole_lines_end(&file).map_err(io("read"))?;
        file.set_len(whole).map_err(io("truncate"))?;
        let writer = LedgerWriter {
            path: path.to_path_buf(),
            file: Mutex::new(file),
            sync,
        };
        if whole == 0 {
            writer.append_line(&sealed_line(&format!(
                "backstay-ledger version={VERSION} sid={sid}"
            )))?;
        } else {
            let ledger_sid = reader::Facts::open(path)?.sid().to_string();
            if ledger_sid != sid {
                let what = format!("this is the ledger of {ledger_sid}, not of {sid}");
                return Err(LedgerError::Line {
                    path: path.to_path_buf(),
                    line: 1,
                    what,
                });
            }
        }
        Ok(writer)
    }

    /// Appends one fact. After an error the file ends where it ended before.
    pub fn append(&self, fact: &Fact) -> Result<(), LedgerError> {
        self.append_line(&sealed_line(&fact.to_string()))
    }

    fn append_line(&self, line: &str) -> Result<(), LedgerError> {
        let io = |action| {
            move |source| LedgerError::Io {
                path: self.path.clone(),
                action,
                source,
            }
        };
        let mut file = self.file.lock().expect("no thread panics while it appends");
        let before = file.seek(SeekFrom::End(0)).map_err(io("find the end"))?;
        let written = match file.write(line.as_bytes()) {
            Ok(length) if length == line.len() => Ok(()),
            Ok(_) => Err(std::io::Error::from(std::io::ErrorKind::StorageFull)),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            file.set_len(before).map_err(io("remove a torn line"))?;
            return Err(io("append")(error));
        }
        if self.sync {
            file.sync_data().map_err(io("sync"))?;
        }
        Ok(())
    }
}

/// Offset behind the last line end.
fn whole_lines_end(file: &File) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = vec![0; LINE_BYTES_MAX];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let bytes = &mut piece[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The line with its check value and line end.
pub(crate) fn sealed_line(text: &str) -> String {
    format!("{text} check={:08x}\n", crc32fast::hash(text.as_bytes()))
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Intent(transaction) => {
                write!(
                    formatter,
                    "intent number={} session={} ",
                    transaction.number, transaction.session
                )?;
                write_rows(formatter, &transaction.rows)
            }
            Fact::Acknowledged {
                transaction,
                scn,
                time,
            } => {
                write!(
                    formatter,
                    "acknowledged number={} session={} ",
                    transaction.number, transaction.session
                )?;
                write!(formatter, "scn={scn} time={} ", time_field(*time))?;
                write_rows(formatter, &transaction.rows)
            }
            Fact::Truncate(Boundary::Scn(scn)) => write!(formatter, "truncate scn={scn}"),
            Fact::Truncate(Boundary::Time(time)) => {
                write!(formatter, "truncate time={}", time_field(*time))
            }
        }
    }
}

fn time_field(time: OracleTime) -> String {
    time.to_string().replace(' ', "T")
}

fn write_rows(formatter: &mut fmt::Formatter<'_>, rows: &[RowFact]) -> fmt::Result {
    for (index, row) in rows.iter().enumerate() {
        let separator = if index == 0 { "rows=" } else { "," };
        match row.hash {
            Some(hash) => write!(formatter, "{separator}{}:{hash:08x}", row.key)?,
            None => write!(formatter, "{separator}{}:deleted", row.key)?,
        }
    }
    Ok(())
}

/// What a cut made of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// SID of the database whose ledger it is.
    pub sid: String,
    /// Acknowledged commits that still count.
    pub kept: u64,
    /// Acknowledged commits that this cut made void.
    pub void: u64,
}

/// Cuts the ledger of a database that was recovered to `boundary` and opened with RESETLOGS: [`record_truncate`] for a
/// ledger that is there, with the counts that follow from it.
pub fn cut(path: &Path, boundary: Boundary) -> Result<Cut, LedgerError> {
    let mut facts = reader::Facts::open(path)?;
    let sid = facts.sid().to_string();
    let keys = facts.try_fold(0, |keys, item| {
        item.map(|(_, fact)| fact.keys_end().max(keys))
    })?;
    let book = book::Book::read(path, Some(boundary), keys)?;
    record_truncate(path, &sid, boundary)?;
    Ok(Cut {
        sid,
        kept: book.counted,
        void: book.beyond_target,
    })
}

/// Appends that the database was opened with RESETLOGS at `boundary`, for a ledger that no workload has open.
pub fn record_truncate(path: &Path, sid: &str, boundary: Boundary) -> Result<(), LedgerError> {
    LedgerWriter::open(path, sid, true)?.append(&Fact::Truncate(boundary))
}

/// Whether the file begins like a ledger; for commands that are given a file by hand.
pub fn looks_like_a_ledger(path: &Path) -> bool {
    let mut start = [0; 16];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok()
        && start == *b"backstay-ledger "
}

#[cfg(test)]
pub(crate) mod tests;
