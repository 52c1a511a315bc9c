//! A detail log as a short story: when, what, how much, where to, what went wrong, how it ended.
//! What lives here: gathering it from the lines. What does not: how it is shown.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::bounded;
use crate::messages::Severity;
use crate::run_log::reader::{BYTES_MAX, DetailLog, Ending, last_stamp, message_number};

/// A warning or an error of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How bad.
    pub severity: Severity,
    /// The line.
    pub line: String,
    /// What to do, where the log or the catalogue knows.
    pub hint: Option<String>,
}

/// What a detail log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Date and time of the start, as printed.
    pub start: Option<String>,
    /// Date and time of the end, as printed.
    pub end: Option<String>,
    /// How it ended.
    pub ending: Ending,
    /// Files saved.
    pub files: usize,
    /// Of these, those with a strong hash in the log.
    pub files_hashed: usize,
    /// Bytes of those with a hash.
    pub bytes: u64,
    /// Volumes or directories they went to.
    pub places: Vec<String>,
    /// Offline redo logs deleted.
    pub logs_deleted: usize,
    /// Files restored.
    pub restored: usize,
    /// Warnings and errors, in order.
    pub remarks: Vec<Remark>,
}

/// A log names its start and end in messages of these numbers.
const STARTS: [u16; 5] = [6, 55, 405, 705, 805];
const ENDS: [u16; 5] = [7, 56, 406, 706, 806];
/// `Offline redo log file … deleted`.
const LOG_DELETED: u16 = 15;

impl Story {
    /// Reads a log. Errors: input and output, no regular file, larger than the reader's limit.
    pub fn read(path: &Path) -> io::Result<Story> {
        Ok(Story::of(&bounded::read_text(path, BYTES_MAX)?))
    }

    /// From the text of a log.
    pub fn of(text: &str) -> Story {
        let log = DetailLog::parse(text);
        let hashed = || log.saved.iter().filter_map(|saved| saved.check);
        let places: BTreeSet<String> = log
            .saved
            .iter()
            .map(|saved| place_of(&saved.copy, &saved.volume))
            .collect();
        let mut story = Story {
            start: None,
            end: None,
            ending: log.ending,
            files: log.saved.len(),
            files_hashed: hashed().count(),
            bytes: hashed().map(|(_, bytes)| bytes).sum(),
            places: places.into_iter().collect(),
            logs_deleted: 0,
            restored: text
                .lines()
                .filter(|line| line.starts_with("#RESTORED"))
                .count(),
            remarks: Vec::new(),
        };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((number, _)) = message_number(line) else {
                continue;
            };
            let hint = lines.peek().and_then(|next| next.strip_prefix("HINT: "));
            story.note(number, line, hint);
        }
        story
    }

    fn note(&mut self, number: u16, line: &str, hint: Option<&str>) {
        if STARTS.contains(&number) {
            self.start = last_stamp(line);
        } else if ENDS.contains(&number) {
            self.end = last_stamp(line);
        } else if number == LOG_DELETED {
            self.logs_deleted += 1;
        }
        let severity = match line
            .trim_start_matches("BR")
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .chars()
            .next()
        {
            Some('W') => Severity::Warning,
            Some('E') => Severity::Error,
            _ => return,
        };
        let catalogued = || {
            let entry = crate::messages::entries()
                .iter()
                .find(|entry| entry.number == number && entry.severity == severity)?;
            // A hint with blanks to fill in says nothing without its message's arguments.
            (!entry.hint.is_empty() && !entry.hint.contains('{')).then(|| entry.hint.to_owned())
        };
        self.remarks.push(Remark {
            severity,
            line: line.to_owned(),
            hint: hint.map(str::to_owned).or_else(catalogued),
        });
    }
}

/// `SNDB06` of a copy on a volume; of one on disk, its directory.
fn place_of(copy: &Path, volume: &str) -> String {
    match copy.parent() {
        Some(directory) if copy.is_absolute() => directory.display().to_string(),
        _ => volume.split('/').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAPE: &str = "BR051I BRBACKUP 4.0B\n\
        BR055I Start of database backup: bczhvugd.pnt 1999-02-07 23.19.19\n\
        BR202I Saving /oracle/SND/sapdata1/system_1/system.data1\n\
        #FILE..... /oracle/SND/sapdata1/system_1/system.data1\n\
        #SAVED.... system.data1 SNDB06/4\n\
        BR235W Use count of volume SNDB06 exceeded\n\
        BR056I End of database backup: bczhvugd.pnt 1999-02-07 23.31.00\n\
        BR053I BRBACKUP terminated with warnings.\n";

    #[test]
    fn a_log_of_the_old_tools_is_told() {
        let story = Story::of(TAPE);
        assert_eq!(story.start.as_deref(), Some("1999-02-07 23.19.19"));
        assert_eq!(story.end.as_deref(), Some("1999-02-07 23.31.00"));
        assert_eq!((story.files, story.files_hashed), (1, 0));
        assert_eq!(story.places, ["SNDB06"]);
        assert_eq!(story.ending, Ending::Good);
        assert_eq!(story.remarks.len(), 1);
        assert_eq!(story.remarks[0].severity, Severity::Warning);
    }

    #[test]
    fn a_log_that_breaks_off_has_no_ending() {
        let cut = TAPE.find("BR056I").unwrap();
        let story = Story::of(&TAPE[..cut]);
        assert_eq!((story.ending, story.end), (Ending::Missing, None));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(lines in prop::collection::vec("(BR[0-9]{2,5}[IWE] .{0,40}|#[A-Z.]{1,12} .{0,20}|HINT: .{0,9}|.{0,40})", 0..20)) {
            let _any = Story::of(&lines.join("\n"));
        }
    }
}
