//! A log's lines, whatever bytes it has: bounded, decoded, and freed of what prompts and line ends add.
//! What lives here: bytes to lines, and the message number at a line's head. What does not: what a line means.

use std::io::{self, BufRead, ErrorKind};

use super::{LINE_BYTES_MAX, LOG_BYTES_MAX};

/// A log, line by line.
pub(super) struct Lines<R> {
    source: R,
    left: u64,
    bytes: Vec<u8>,
    /// Lines given so far.
    pub(super) count: u64,
    /// The log goes on after the last byte that is read of it.
    pub(super) is_too_long: bool,
}

/// One line as it was found.
pub(super) enum Line {
    /// A whole one.
    Whole(String),
    /// Longer than [`LINE_BYTES_MAX`]. No line of RMAN is: a name has at most 513 bytes. What is left of it could be read
    /// wrongly, so nobody reads it.
    Cut,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R) -> Lines<R> {
        Lines {
            source,
            left: LOG_BYTES_MAX,
            bytes: Vec::new(),
            count: 0,
            is_too_long: false,
        }
    }

    /// The next line; `None` at the end of the log, or of what is read of it.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        self.bytes.clear();
        let mut any = false;
        let mut cut = false;
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            if self.left == 0 {
                self.is_too_long = true;
                break;
            }
            any = true;
            let readable = buffer
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let window = buffer.get(..readable).unwrap_or(buffer);
            let end = window.iter().position(|byte| *byte == b'\n');
            let text = window.get(..end.unwrap_or(readable)).unwrap_or(window);
            let room = LINE_BYTES_MAX - self.bytes.len();
            cut |= text.len() > room;
            self.bytes
                .extend_from_slice(text.get(..room).unwrap_or(text));
            let taken = end.map_or(readable, |end| end + 1);
            self.source.consume(taken);
            self.left -= taken as u64;
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.count += 1;
        // A line that the end of the reading cuts is as unreadable as one that is too long.
        if cut || self.is_too_long {
            return Ok(Some(Line::Cut));
        }
        Ok(Some(Line::Whole(decode(&mut self.bytes))))
    }
}

/// Text of whatever encoding, with ASCII kept: all structure of a log is ASCII, and of names in another character set
/// than UTF-8 only the ASCII part can be compared. PowerShell writes UTF-16, of which the ASCII part stays when the
/// zeros and the mark at the beginning are taken away.
fn decode(bytes: &mut Vec<u8>) -> String {
    bytes.retain(|byte| *byte != 0);
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    let text = marks
        .iter()
        .find_map(|mark| bytes.strip_prefix(*mark))
        .unwrap_or(bytes);
    String::from_utf8_lossy(text).into_owned()
}

/// A line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The line without prompts, and without blanks at both ends.
    pub(super) whole: &'a str,
    /// Its message number.
    pub(super) number: Option<u32>,
    /// What follows the number.
    pub(super) text: &'a str,
}

/// Takes a line apart.
///
/// RMAN echoes no line end after a prompt, so the prompts of a script stand before its first message [V: trap 11];
/// with `msgno` each message has its number [V].
pub(super) fn head(line: &str) -> Head<'_> {
    let whole = without_prompts(line.trim());
    let (number, text) = match number(whole) {
        Some((number, rest)) => (Some(number), rest),
        None => (None, whole),
    };
    Head {
        whole,
        number,
        text,
    }
}

fn without_prompts(mut text: &str) -> &str {
    // The question that DELETE asks; its answer comes from a script and is not echoed.
    if let Some((_, rest)) = text.split_once("(enter YES or NO)?") {
        text = rest.trim_start();
        text = text.strip_prefix("yes").map_or(text, str::trim_start);
    }
    loop {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = match text.strip_prefix("RMAN>") {
            Some(rest) => rest,
            None if digits > 0 => {
                match text.get(digits..).and_then(|rest| rest.strip_prefix('>')) {
                    Some(rest) => rest,
                    None => return text,
                }
            }
            None => return text,
        };
        text = rest.trim_start();
    }
}

/// `RMAN-nnnnn: ` at the head of a line.
fn number(text: &str) -> Option<(u32, &str)> {
    let rest = text.strip_prefix("RMAN-")?;
    let digits = rest.get(..5)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = rest.get(5..)?.strip_prefix(':')?;
    Some((digits.parse().ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Option<String>> {
        let mut source = Lines::new(bytes);
        let mut found = Vec::new();
        while let Some(line) = source.next().expect("a slice gives no errors") {
            found.push(match line {
                Line::Whole(text) => Some(text),
                Line::Cut => None,
            });
        }
        found
    }

    fn whole(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn lines_end_at_line_feeds_and_at_the_end() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\r\n\nb"), [whole("a\r"), whole(""), whole("b")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let mut log = vec![b'x'; LINE_BYTES_MAX];
        log.push(b'\n');
        assert_eq!(lines(&log), [whole(&"x".repeat(LINE_BYTES_MAX))]);
        log.insert(0, b'x');
        log.extend_from_slice(b"next\n");
        assert_eq!(lines(&log), [None, whole("next")]);
    }

    #[test]
    fn a_log_that_is_too_long_is_read_up_to_the_limit() {
        let mut source = Lines::new("a line\nanother\nlast".as_bytes());
        source.left = 10;
        assert!(matches!(source.next(), Ok(Some(Line::Whole(text))) if text == "a line"));
        assert!(matches!(source.next(), Ok(Some(Line::Cut))));
        assert!(matches!(source.next(), Ok(None)));
        assert!(source.is_too_long);
    }

    #[test]
    fn what_powershell_writes_is_read() {
        let utf16: Vec<u8> = "\u{feff}Starting\r\nnext"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(lines(&utf16), [whole("Starting\r"), whole("next")]);
    }

    #[test]
    fn prompts_blanks_and_numbers_are_taken_off() {
        let parts = |line| {
            let head: Head = head(line);
            (head.number, head.text)
        };
        assert_eq!(parts("\tStarting \r"), (None, "Starting"));
        assert_eq!(parts("RMAN> 2> 13>Starting"), (None, "Starting"));
        assert_eq!(
            parts("RMAN> RMAN-03090: Starting"),
            (Some(3090), "Starting")
        );
        assert_eq!(
            parts("Do you really want to delete the above objects (enter YES or NO)? yes"),
            (None, "")
        );
        assert_eq!(parts("RMAN-1: x"), (None, "RMAN-1: x"));
        assert_eq!(parts("RMAN-+1234: x"), (None, "RMAN-+1234: x"));
        assert_eq!(parts("12345"), (None, "12345"));
        assert_eq!(parts("RMAN-0é00: x"), (None, "RMAN-0é00: x"));
    }
}
