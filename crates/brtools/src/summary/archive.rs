//! `arch<SID>.log`: what has happened to each offline redo log. brarchive decides from it alone.
//! What lives here: its lines and the copy states. What does not: copying and deleting logs.
//!
//! One block a log, in ascending order within an incarnation:
//! ```text
//! #ARCHIVE. <sequence> <file> <creation date> <time> <bytes> <first SCN> <thread>
//! #RESET... <resetlogs id>                                        (ours)
//! #SAVED... <id> <function> #<id>/<position> <date> <time> 0.0000 0
//! #STORED.. blake3:<hex> <bytes> <copy>                           (ours, follows SAVED or COPIED)
//! #UNREAD.. <id>                                                  (ours: on tape, not read back)
//! #COPIED.. as SAVED, the second copy
//! #DELETED. <id> <function> <date> <time>
//! ```
//! Keywords are filled with dots to nine characters. The file is replaced whole at each change; a line that cannot be
//! read is named, and the file is then not written to.

use std::io;
use std::path::{Path, PathBuf};

use crate::action_id::{ActionId, Stamp};
use crate::bounded;
use crate::durable;
use crate::run_log::reader;

/// Largest `arch<SID>.log` that is read, in bytes.
pub const BYTES_MAX: u64 = 256 << 20;

/// A stored copy of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCopy {
    /// Run that made it.
    pub id: ActionId,
    /// Its function id.
    pub function: String,
    /// Symbolic volume and position with the letter of the copy's kind before it: `#aczfsceu/1`.
    pub volume: String,
    /// When it was complete, as printed.
    pub end: String,
    /// Hash, bytes and place; absent in lines of other tools. The place on a tape is the bare name.
    pub stored: Option<(blake3::Hash, u64, PathBuf)>,
    /// On a tape, and not read back yet: the run that wrote it was killed, or is still at work. It counts as no copy.
    pub is_unread: bool,
}

/// A log and what has happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedLogEntry {
    /// Log sequence.
    pub sequence: u32,
    /// Where Oracle wrote it.
    pub path: PathBuf,
    /// When, as printed.
    pub created: String,
    /// Bytes.
    pub bytes: u64,
    /// First SCN.
    pub first_scn: u64,
    /// Redo thread.
    pub thread: u16,
    /// Resetlogs id of its incarnation; absent in lines of other tools.
    pub resetlogs_id: Option<u32>,
    /// First copy.
    pub saved: Option<StoredCopy>,
    /// Second copy.
    pub copied: Option<StoredCopy>,
    /// Run that deleted the original, its function id, and when.
    pub deleted: Option<(ActionId, String, String)>,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveSummaryError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line makes no sense.
    #[error("line {line} of {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
}

/// `arch<SID>.log` in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSummary {
    path: PathBuf,
    /// All logs, oldest first.
    pub entries: Vec<ArchivedLogEntry>,
}

impl ArchiveSummary {
    /// A log of these entries, which is not written yet.
    pub fn new(path: &Path, entries: Vec<ArchivedLogEntry>) -> ArchiveSummary {
        ArchiveSummary {
            path: path.to_owned(),
            entries,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; a missing one is empty.
    pub fn read(path: &Path) -> Result<ArchiveSummary, ArchiveSummaryError> {
        let io = |source| ArchiveSummaryError::Io {
            path: path.to_owned(),
            source,
        };
        let text = match bounded::read_text(path, BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(io)?,
        };
        let mut entries: Vec<ArchivedLogEntry> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if note(&mut entries, line).is_none() {
                return Err(ArchiveSummaryError::Damaged {
                    path: path.to_owned(),
                    line: index + 1,
                });
            }
        }
        Ok(ArchiveSummary {
            path: path.to_owned(),
            entries,
        })
    }

    /// Writes the file: after a crash the old or the new state is there.
    pub fn write(&self) -> Result<(), ArchiveSummaryError> {
        let text: String = self.entries.iter().map(ArchivedLogEntry::text).collect();
        durable::replace(&self.path, text.as_bytes()).map_err(|source| ArchiveSummaryError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// The entry of a log of an incarnation, newest first: sequence numbers come again after RESETLOGS.
    pub fn find(&self, sequence: u32, resetlogs_id: Option<u32>) -> Option<&ArchivedLogEntry> {
        self.entries.iter().rev().find(|entry| {
            entry.sequence == sequence
                && (resetlogs_id.is_none()
                    || entry.resetlogs_id.is_none()
                    || entry.resetlogs_id == resetlogs_id)
        })
    }

    /// As [`ArchiveSummary::find`], to be changed.
    pub fn find_mut(
        &mut self,
        sequence: u32,
        resetlogs_id: Option<u32>,
    ) -> Option<&mut ArchivedLogEntry> {
        let position = self.entries.iter().rposition(|entry| {
            entry.sequence == sequence
                && (resetlogs_id.is_none()
                    || entry.resetlogs_id.is_none()
                    || entry.resetlogs_id == resetlogs_id)
        })?;
        self.entries.get_mut(position)
    }
}

impl ArchivedLogEntry {
    /// Copies that can be restored from, first the first.
    pub fn copies(&self) -> impl Iterator<Item = &StoredCopy> {
        self.saved
            .iter()
            .chain(self.copied.iter())
            .filter(|copy| !copy.is_unread)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line =
            |keyword: &str, value: String| text.push_str(&format!("#{keyword:.<8} {value}\n"));
        line(
            "ARCHIVE",
            format!(
                "{} {}  {} {} {} {}",
                self.sequence,
                self.path.display(),
                self.created,
                self.bytes,
                self.first_scn,
                self.thread
            ),
        );
        if let Some(id) = self.resetlogs_id {
            line("RESET", id.to_string());
        }
        for (keyword, copy) in [("SAVED", &self.saved), ("COPIED", &self.copied)] {
            let Some(copy) = copy else { continue };
            line(
                keyword,
                format!(
                    "{} {} {} {} 0.0000 0",
                    copy.id, copy.function, copy.volume, copy.end
                ),
            );
            if copy.is_unread {
                line("UNREAD", copy.id.to_string());
            }
            if let Some((hash, bytes, path)) = &copy.stored {
                line(
                    "STORED",
                    format!("blake3:{} {bytes} {}", hash.to_hex(), path.display()),
                );
            }
        }
        if let Some((id, function, when)) = &self.deleted {
            line("DELETED", format!("{id} {function} {when}"));
        }
        text
    }
}

/// Takes a line in. None when it is damaged; unknown keywords and blank lines are passed over.
fn note(entries: &mut Vec<ArchivedLogEntry>, line: &str) -> Option<()> {
    if line.trim().is_empty() {
        return Some(());
    }
    let (keyword, value) = reader::marker(line)?;
    match keyword {
        "ARCHIVE" => entries.push(entry(value)?),
        "RESET" => entries.last_mut()?.resetlogs_id = Some(value.trim().parse().ok()?),
        "SAVED" => entries.last_mut()?.saved = Some(copy(value)?),
        "COPIED" => entries.last_mut()?.copied = Some(copy(value)?),
        "UNREAD" => {
            let entry = entries.last_mut()?;
            entry.copied.as_mut().or(entry.saved.as_mut())?.is_unread = true;
        }
        "STORED" => {
            let entry = entries.last_mut()?;
            let target = entry.copied.as_mut().or(entry.saved.as_mut())?;
            let mut words = value.splitn(3, ' ');
            let (hash, bytes, path) = (words.next()?, words.next()?, words.next()?);
            let (hash, bytes) = reader::check(&format!("{hash} {bytes}"))?;
            target.stored = Some((hash, bytes, PathBuf::from(path)));
        }
        "DELETED" => {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            let [id, function, day, time] = words[..] else {
                return None;
            };
            entries.last_mut()?.deleted = Some((
                id.parse().ok()?,
                function.to_string(),
                format!("{day} {time}"),
            ));
        }
        _ => {}
    }
    Some(())
}

/// `<sequence> <file>  <date> <time> <bytes> <scn> <thread>`; the file name may hold blanks.
fn entry(value: &str) -> Option<ArchivedLogEntry> {
    let (sequence, rest) = value.split_once(' ')?;
    let mut right = rest.rsplitn(6, ' ');
    let (thread, scn, bytes) = (right.next()?, right.next()?, right.next()?);
    let (time, day, path) = (right.next()?, right.next()?, right.next()?);
    let path = PathBuf::from(path.trim_end());
    path.is_absolute().then_some(())?;
    Some(ArchivedLogEntry {
        sequence: sequence.parse().ok()?,
        path,
        created: format!("{day} {time}"),
        bytes: bytes.parse().ok()?,
        first_scn: scn.parse().ok()?,
        thread: thread.parse().ok()?,
        resetlogs_id: None,
        saved: None,
        copied: None,
        deleted: None,
    })
}

fn copy(value: &str) -> Option<StoredCopy> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let [id, function, volume, day, time, ..] = words[..] else {
        return None;
    };
    Some(StoredCopy {
        id: id.parse().ok()?,
        function: function.to_string(),
        volume: volume.to_string(),
        end: format!("{day} {time}"),
        stored: None,
        is_unread: false,
    })
}

/// A copy that was made just now.
pub fn stored_now(
    id: ActionId,
    function: &str,
    position: u32,
    stored: (blake3::Hash, u64, PathBuf),
) -> StoredCopy {
    StoredCopy {
        id,
        function: function.to_string(),
        volume: format!("#{id}/{position}"),
        end: Stamp::now().to_string(),
        stored: Some(stored),
        is_unread: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action_id::Tool;
    use proptest::prelude::*;
    use std::fs;

    fn summary(path: &Path) -> ArchiveSummary {
        let id = ActionId::new(Tool::Brarchive, Stamp::from_seconds(1_700_000_000));
        let hash = blake3::hash(b"log");
        let entries = (1..=2)
            .map(|sequence| ArchivedLogEntry {
                sequence,
                path: PathBuf::from(format!("/o/sap arch/SNDarch1_{sequence}.dbf")),
                created: "1999-02-07 23.19.19".to_string(),
                bytes: 512,
                first_scn: 4711,
                thread: 1,
                resetlogs_id: Some(77),
                saved: Some(stored_now(
                    id,
                    "svd",
                    sequence,
                    (hash, 3, PathBuf::from("/b/a b.dbf")),
                )),
                copied: (sequence == 1)
                    .then(|| stored_now(id, "cpy", 9, (hash, 3, PathBuf::from("/c/a.dbf")))),
                deleted: (sequence == 1)
                    .then(|| (id, "svd".to_string(), "1999-02-07 23.31.00".to_string())),
            })
            .collect();
        ArchiveSummary {
            path: path.to_owned(),
            entries,
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archSND.log");
        let wanted = summary(&path);
        wanted.write().unwrap();
        let read = ArchiveSummary::read(&path).unwrap();
        assert_eq!(read, wanted);
        assert_eq!(
            read.find(1, Some(77)).map(|entry| entry.copies().count()),
            Some(2)
        );
        assert!(read.find(1, Some(78)).is_none() && read.find(3, None).is_none());
    }

    #[test]
    fn a_damaged_line_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archSND.log");
        summary(&path).write().unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for (damage, line) in [
            ("#ARCHIVE. x", 1),
            ("#SAVED... aczfsceu", 3),
            ("garbage", 2),
        ] {
            let mut lines: Vec<&str> = good.lines().collect();
            lines[line - 1] = damage;
            fs::write(&path, lines.join("\n")).unwrap();
            match ArchiveSummary::read(&path) {
                Err(ArchiveSummaryError::Damaged { line: found, .. }) => assert_eq!(found, line),
                other => panic!("{damage}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(lines in prop::collection::vec("(#(ARCHIVE|SAVED|COPIED|STORED|DELETED|RESET)[.]{1,4} .{0,60}|.{0,60})", 0..12)) {
            let mut entries = Vec::new();
            for line in lines {
                let _either = note(&mut entries, &line);
            }
        }
    }
}
