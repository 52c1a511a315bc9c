//! Reading a detail log back: what was saved, what the database looked like, how the run ended.
//! What lives here: parsing, with limits. What does not: deciding which backup to use.

use std::io;
use std::path::{Path, PathBuf};

use super::inventory::{self, ListedDatafile, ListedRedoLog};
use crate::action_id::ActionId;
use crate::bounded;

/// Largest detail log that is read, in bytes.
pub const BYTES_MAX: u64 = 256 << 20;

/// What kind of file a marker speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedKind {
    /// `#FILE`: data file, control file or online redo log.
    File,
    /// `#ARCHIVE`: offline redo log.
    OfflineRedoLog,
}

/// A file that the run saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFile {
    /// What it is.
    pub kind: SavedKind,
    /// Where it was.
    pub original: PathBuf,
    /// Where the copy is.
    pub copy: PathBuf,
    /// Symbolic volume and position.
    pub volume: String,
    /// BLAKE3 of the content and its length in bytes; absent in logs of other tools.
    pub check: Option<(blake3::Hash, u64)>,
}

/// How the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// No result line: killed, or still running.
    Missing,
    /// Successfully, perhaps with warnings.
    Good,
    /// With errors.
    Bad,
}

/// A detail log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailLog {
    /// The run.
    pub id: Option<ActionId>,
    /// Saved files, in order.
    pub saved: Vec<SavedFile>,
    /// Data files of the database.
    pub datafiles: Vec<ListedDatafile>,
    /// Online redo logs of the database.
    pub redo_logs: Vec<ListedRedoLog>,
    /// Control files of the database.
    pub control_files: Vec<PathBuf>,
    /// Number of online redo log at the log switch, as `BR0340I` is followed by it.
    pub ending: Ending,
}

/// Section the reader is in.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    None,
    Datafiles,
    RedoLogs,
    ControlFiles,
}

impl DetailLog {
    /// Reads a log. Errors: input and output, no regular file, or larger than [`BYTES_MAX`].
    pub fn read(path: &Path) -> io::Result<DetailLog> {
        let text = bounded::read_text(path, BYTES_MAX)?;
        let id = path
            .file_stem()
            .and_then(|stem| stem.to_string_lossy().parse().ok());
        Ok(DetailLog {
            id,
            ..DetailLog::parse(&text)
        })
    }

    /// Parses the text of a log; unknown lines are passed over.
    pub fn parse(text: &str) -> DetailLog {
        let mut log = DetailLog {
            id: None,
            saved: Vec::new(),
            datafiles: Vec::new(),
            redo_logs: Vec::new(),
            control_files: Vec::new(),
            ending: Ending::Missing,
        };
        let mut section = Section::None;
        let mut original: Option<(SavedKind, PathBuf)> = None;
        for line in text.lines() {
            if let Some((number, _)) = message_number(line) {
                section = match number {
                    118 => Section::Datafiles,
                    119 => Section::RedoLogs,
                    120 => Section::ControlFiles,
                    _ => Section::None,
                };
                log.note_result(number);
            } else if let Some((keyword, value)) = marker(line) {
                log.note_marker(keyword, value, &mut original);
            } else {
                log.note_row(section, line);
            }
        }
        log
    }

    fn note_result(&mut self, number: u16) {
        match number {
            3 | 4 | 52 | 53 => self.ending = Ending::Good,
            5 | 54 => self.ending = Ending::Bad,
            _ => {}
        }
    }

    fn note_marker(
        &mut self,
        keyword: &str,
        value: &str,
        original: &mut Option<(SavedKind, PathBuf)>,
    ) {
        match keyword {
            "FILE" => *original = Some((SavedKind::File, PathBuf::from(value))),
            "ARCHIVE" => *original = Some((SavedKind::OfflineRedoLog, PathBuf::from(value))),
            "SAVED" => {
                let Some((kind, original)) = original.take() else {
                    return;
                };
                let Some((copy, volume)) = value.rsplit_once(' ') else {
                    return;
                };
                let (copy, volume) = (PathBuf::from(copy), volume.to_string());
                self.saved.push(SavedFile {
                    kind,
                    original,
                    copy,
                    volume,
                    check: None,
                });
            }
            "CHECK" => {
                if let Some(last) = self.saved.last_mut() {
                    last.check = check(value);
                }
            }
            _ => {}
        }
    }

    fn note_row(&mut self, section: Section, line: &str) {
        match section {
            Section::None => {}
            Section::Datafiles => self.datafiles.extend(inventory::datafile(line)),
            Section::RedoLogs => self.redo_logs.extend(inventory::redo_log(line)),
            Section::ControlFiles => self.control_files.extend(inventory::control_file(line)),
        }
    }

    /// The saved copy of a file of the database.
    pub fn copy_of(&self, original: &Path) -> Option<&SavedFile> {
        self.saved.iter().find(|saved| saved.original == original)
    }
}

/// Number and rest of a message line in either form.
pub fn message_number(line: &str) -> Option<(u16, &str)> {
    let rest = line.strip_prefix("BR")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let tail = rest.get(digits..)?;
    let severity = tail.bytes().next()?;
    let blank = tail.as_bytes().get(1).is_none_or(|byte| *byte == b' ');
    let known = (3..=4).contains(&digits) && b"IWE".contains(&severity) && blank;
    known.then(|| Some((rest[..digits].parse().ok()?, tail[1..].trim_start())))?
}

/// Keyword and value of a marker line.
pub fn marker(line: &str) -> Option<(&str, &str)> {
    let (keyword, value) = line.strip_prefix('#')?.split_once(' ')?;
    let keyword = keyword.trim_end_matches('.');
    let known = !keyword.is_empty()
        && keyword
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'*');
    known.then_some((keyword, value))
}

/// The date and time at the end of a line.
pub fn last_stamp(line: &str) -> Option<String> {
    let mut words = line.rsplit(' ');
    let (time, day) = (words.next()?, words.next()?);
    let digits = |text: &str, length, between| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == between)
    };
    (digits(day, 10, b'-') && digits(time, 8, b'.')).then(|| format!("{day} {time}"))
}

/// `blake3:<hex> <bytes>`.
pub fn check(value: &str) -> Option<(blake3::Hash, u64)> {
    let (hash, bytes) = value.strip_prefix("blake3:")?.split_once(' ')?;
    Some((
        blake3::Hash::from_hex(hash).ok()?,
        bytes.trim().parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action_id::{Stamp, Tool};
    use crate::return_code::ReturnCode;
    use crate::run_log::RunLog;
    use proptest::prelude::*;

    #[test]
    fn a_log_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let id = ActionId::new(Tool::Brbackup, Stamp::from_seconds(1_700_000_000));
        let mut log = RunLog::create(Tool::Brbackup, id, "and", directory.path()).unwrap();
        log.set_quiet(true);
        let hash = blake3::hash(b"x");
        log.saved(
            "FILE",
            Path::new("/o/system data1"),
            Path::new("/b/x y/system.data1"),
            4,
            (&hash, 1),
        );
        let path = log.path().to_owned();
        assert_eq!(DetailLog::read(&path).unwrap().ending, Ending::Missing);
        log.finish(ReturnCode::Success).unwrap();
        let read = DetailLog::read(&path).unwrap();
        assert_eq!((read.ending, read.id), (Ending::Good, Some(id)));
        let saved = read.copy_of(Path::new("/o/system data1")).unwrap();
        assert_eq!(
            (saved.copy.as_path(), saved.check),
            (Path::new("/b/x y/system.data1"), Some((hash, 1)))
        );
        assert_eq!(saved.volume, format!("{id}/4"));
    }

    #[test]
    fn both_forms_of_messages_are_recognised() {
        assert_eq!(
            message_number("BR0280I BRBACKUP time stamp: x"),
            Some((280, "BRBACKUP time stamp: x"))
        );
        assert_eq!(
            message_number("BR280I Time stamp x"),
            Some((280, "Time stamp x"))
        );
        for line in ["BR28I x", "BR0280X x", "BR0280", "br0280I x", "BR0280Ix"] {
            assert_eq!(message_number(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).{0,400}") {
            let _any = DetailLog::parse(&text);
        }

        #[test]
        fn no_marker_soup_makes_the_reader_panic(lines in prop::collection::vec("(#(FILE|SAVED|CHECK|ARCHIVE)[. ]{1,8}.{0,30}|BR01(18|19|20)I.{0,9}|.{0,60})", 0..30)) {
            let _any = DetailLog::parse(&lines.join("\n"));
        }
    }
}
