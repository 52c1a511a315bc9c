//! The messages of the tools: one catalogue with number, severity, text and hint.
//! What lives here: looking a message up and filling in its arguments. What does not: when it is printed.

use std::fmt::{self, Display};
use std::sync::LazyLock;

const CATALOGUE: &str = include_str!("catalogue.tsv");

/// How bad a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What happens.
    Info,
    /// Something to look at; the run goes on.
    Warning,
    /// Something failed.
    Error,
}

impl Severity {
    /// I, W or E.
    pub const fn letter(self) -> char {
        match self {
            Severity::Info => 'I',
            Severity::Warning => 'W',
            Severity::Error => 'E',
        }
    }

    fn from_letter(letter: &str) -> Option<Severity> {
        [Severity::Info, Severity::Warning, Severity::Error]
            .into_iter()
            .find(|s| letter == s.letter().to_string())
    }
}

/// Which wording the logs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// Four-digit numbers and the texts of 7.x.
    Release7,
    /// Three-digit numbers and the texts of 4.0B.
    Release40b,
}

impl LogForm {
    /// What `BACKSTAY_LOG_FORM` says: `4.0B`, or anything else for the 7.x form.
    pub fn from_environment() -> LogForm {
        match std::env::var("BACKSTAY_LOG_FORM").as_deref() {
            Ok("4.0B" | "4.0b") => LogForm::Release40b,
            _ => LogForm::Release7,
        }
    }
}

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number.
    pub number: u16,
    /// Severity.
    pub severity: Severity,
    /// Text with `{0}` and so on.
    pub text: &'static str,
    /// Text of the 4.0B form; equal to `text` where it does not differ.
    pub text_40b: &'static str,
    /// What to do; empty for most of severity I.
    pub hint: &'static str,
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    CATALOGUE
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(entry)
        .collect()
});

fn entry(line: &'static str) -> Entry {
    let mut columns = line.split('\t');
    let mut next = || columns.next().unwrap_or_default();
    let number = next()
        .parse()
        .unwrap_or_else(|_| panic!("catalogue: no number in '{line}'"));
    let severity = Severity::from_letter(next())
        .unwrap_or_else(|| panic!("catalogue: no severity in '{line}'"));
    let (text, text_40b, hint) = (next(), next(), next());
    Entry {
        number,
        severity,
        text,
        text_40b: if text_40b.is_empty() { text } else { text_40b },
        hint,
    }
}

/// The whole catalogue, in its own order.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// The entry of a number and severity. Panics when there is none: every use is covered by a test.
pub fn find(number: u16, severity: Severity) -> &'static Entry {
    ENTRIES
        .iter()
        .find(|entry| entry.number == number && entry.severity == severity)
        .unwrap_or_else(|| {
            panic!(
                "message {number}{} is not in the catalogue",
                severity.letter()
            )
        })
}

/// A message with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    entry: &'static Entry,
    arguments: Vec<String>,
}

impl Message {
    /// A message of this number and severity.
    pub fn new(number: u16, severity: Severity, arguments: &[&dyn Display]) -> Message {
        let arguments = arguments
            .iter()
            .map(|argument| one_line(&argument.to_string()))
            .collect();
        Message {
            entry: find(number, severity),
            arguments,
        }
    }

    /// Shorthand for severity I.
    pub fn info(number: u16, arguments: &[&dyn Display]) -> Message {
        Message::new(number, Severity::Info, arguments)
    }

    /// Shorthand for severity W.
    pub fn warning(number: u16, arguments: &[&dyn Display]) -> Message {
        Message::new(number, Severity::Warning, arguments)
    }

    /// Shorthand for severity E.
    pub fn error(number: u16, arguments: &[&dyn Display]) -> Message {
        Message::new(number, Severity::Error, arguments)
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.entry.number
    }

    /// Its severity.
    pub fn severity(&self) -> Severity {
        self.entry.severity
    }

    /// The line of the log: `BR0315I 'Alter tablespace SYSTEM begin backup' successful`.
    pub fn line(&self, form: LogForm) -> String {
        let letter = self.entry.severity.letter();
        match form {
            LogForm::Release7 => format!(
                "BR{:04}{letter} {}",
                self.entry.number,
                fill(self.entry.text, &self.arguments)
            ),
            LogForm::Release40b => {
                format!(
                    "BR{:03}{letter} {}",
                    self.entry.number,
                    fill(self.entry.text_40b, &self.arguments)
                )
            }
        }
    }

    /// What to do, if the catalogue knows.
    pub fn hint(&self) -> Option<String> {
        let hint = fill(self.entry.hint, &self.arguments);
        (!hint.is_empty()).then_some(hint)
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(LogForm::Release7))
    }
}

/// A message is one line: anything else could forge log lines.
fn one_line(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn fill(template: &str, arguments: &[String]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after
            .split_once('}')
            .and_then(|(index, tail)| Some((index.parse::<usize>().ok()?, tail)))
        {
            Some((index, tail)) => {
                out.push_str(arguments.get(index).map_or("", String::as_str));
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A number with its noun: `1 bad block`, `2 bad blocks`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // What does not fit is more than one in any case.
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// The lines of an error as Oracle or the system printed it, for a message of one line.
pub fn joined(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalogue_is_whole() {
        let mut seen = BTreeSet::new();
        for entry in entries() {
            assert!(
                seen.insert((entry.number, entry.severity)),
                "BR{:04} is there twice",
                entry.number
            );
            assert!(!entry.text.is_empty(), "BR{:04} has no text", entry.number);
            let needs_hint = entry.severity != Severity::Info;
            assert!(
                !needs_hint || !entry.hint.is_empty(),
                "BR{:04}{} has no hint",
                entry.number,
                entry.severity.letter()
            );
            let arguments: Vec<String> = (0..6).map(|index| format!("<{index}>")).collect();
            for text in [entry.text, entry.text_40b, entry.hint] {
                assert!(
                    !fill(text, &arguments).contains('{'),
                    "BR{:04}: {text}",
                    entry.number
                );
            }
        }
        assert!(seen.len() > 150);
    }

    #[test]
    fn both_forms_are_as_the_logs_have_them() {
        let stamp = Message::info(280, &[&"BRBACKUP", &"1999-02-07 23.19.33"]);
        assert_eq!(
            stamp.line(LogForm::Release7),
            "BR0280I BRBACKUP time stamp: 1999-02-07 23.19.33"
        );
        assert_eq!(
            stamp.line(LogForm::Release40b),
            "BR280I Time stamp 1999-02-07 23.19.33"
        );
        let begin = Message::info(315, &[&"SYSTEM"]);
        assert_eq!(
            begin.line(LogForm::Release7),
            "BR0315I 'Alter tablespace SYSTEM begin backup' successful"
        );
        assert_eq!(
            begin.line(LogForm::Release40b),
            "BR315I Alter tablespace SYSTEM begin backup successful"
        );
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(0u32, "block"), "0 blocks");
        assert_eq!(counted(1usize, "bad block"), "1 bad block");
        assert_eq!(counted(2u64, "block"), "2 blocks");
    }

    #[test]
    fn an_argument_cannot_forge_a_line() {
        let message = Message::info(9045, &[&"one\nBR0052I BRBACKUP completed successfully"]);
        assert_eq!(message.line(LogForm::Release7).lines().count(), 1);
    }
}
