//! Action ids: the eight letters that name a run, and the local time that they stand for.
//! What lives here: coding, decoding and finding a fresh one. What does not: function ids, which the commands choose.
//!
//! One letter for the program, then the seconds since 1970 UTC in base 26, seven letters, `a` is 0. Derived from
//! published logs; ten pairs of id and printed time agree to the second.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Letters after the program's.
const DIGITS: usize = 7;

/// Which program a run is of, as the first letter of its id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// `brbackup`.
    Brbackup,
    /// `brarchive`.
    Brarchive,
    /// `brrestore`.
    Brrestore,
    /// `brrecover`.
    Brrecover,
}

impl Tool {
    /// All of them.
    pub const ALL: [Tool; 4] = [
        Tool::Brbackup,
        Tool::Brarchive,
        Tool::Brrestore,
        Tool::Brrecover,
    ];

    /// First letter of its ids.
    pub const fn letter(self) -> char {
        match self {
            Tool::Brbackup => 'b',
            Tool::Brarchive => 'a',
            Tool::Brrestore => 'r',
            Tool::Brrecover => 'v',
        }
    }

    /// Name in capitals, as the logs print it.
    pub const fn name(self) -> &'static str {
        match self {
            Tool::Brbackup => "BRBACKUP",
            Tool::Brarchive => "BRARCHIVE",
            Tool::Brrestore => "BRRESTORE",
            Tool::Brrecover => "BRRECOVER",
        }
    }
}

/// Seconds since 1970 UTC, printed as local time the way the logs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

impl Stamp {
    /// Now.
    pub fn now() -> Stamp {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        Stamp(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// From seconds since 1970 UTC.
    pub const fn from_seconds(seconds: i64) -> Stamp {
        Stamp(seconds)
    }

    /// Seconds since 1970 UTC.
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Stamp {
    /// `1999-02-07 23.19.19`, local time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(moment) = Timestamp::from_second(self.0) else {
            return f.write_str("0000-00-00 00.00.00");
        };
        let local = TimeZone::system().to_datetime(moment);
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}.{:02}.{:02}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        )
    }
}

/// The id of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId {
    tool: char,
    stamp: Stamp,
}

/// Why some text is no action id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no action id: eight small letters, the first of them b, a, r, v, c or s")]
pub struct NoActionId(String);

impl ActionId {
    /// The id of a run that starts at `stamp`.
    pub const fn new(tool: Tool, stamp: Stamp) -> ActionId {
        ActionId {
            tool: tool.letter(),
            stamp,
        }
    }

    /// An id of this second that no log in `directory` has yet; waits for the next second when there is one.
    ///
    /// The caller holds the program's lock, so nobody else takes the id meanwhile.
    pub fn fresh(tool: Tool, directory: &Path) -> std::io::Result<ActionId> {
        loop {
            let id = ActionId::new(tool, Stamp::now());
            if !is_taken(directory, &id.to_string())? {
                return Ok(id);
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// When the run started.
    pub const fn stamp(self) -> Stamp {
        self.stamp
    }

    /// First letter.
    pub const fn letter(self) -> char {
        self.tool
    }
}

fn is_taken(directory: &Path, id: &str) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        if entry?.file_name().to_string_lossy().starts_with(id) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = [b'a'; DIGITS];
        let mut rest = self.stamp.0.max(0);
        for letter in letters.iter_mut().rev() {
            *letter = b'a' + (rest % 26) as u8;
            rest /= 26;
        }
        write!(f, "{}{}", self.tool, String::from_utf8_lossy(&letters))
    }
}

impl FromStr for ActionId {
    type Err = NoActionId;

    fn from_str(text: &str) -> Result<ActionId, NoActionId> {
        let bytes = text.as_bytes();
        let letters = bytes.len() == DIGITS + 1 && bytes.iter().all(u8::is_ascii_lowercase);
        if !letters || !b"barvcs".contains(&bytes[0]) {
            return Err(NoActionId(text.chars().take(40).collect()));
        }
        let seconds = bytes[1..]
            .iter()
            .fold(0i64, |sum, letter| sum * 26 + i64::from(letter - b'a'));
        Ok(ActionId {
            tool: char::from(bytes[0]),
            stamp: Stamp(seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, and the UTC second that the printed local time stands for.
    const PUBLISHED: [(&str, &str); 10] = [
        ("bczhvugd", "1999-02-08T04:19:19Z"),
        ("acvojvun", "1997-09-10T17:03:45Z"),
        ("sdkxdoyh", "2003-06-20T18:39:19Z"),
        ("sdkxdpvr", "2003-06-20T18:49:27Z"),
        ("sdkxdqes", "2003-06-20T18:53:22Z"),
        ("sdkxdqhu", "2003-06-20T18:54:42Z"),
        ("sdkxrftz", "2003-06-23T13:17:07Z"),
        ("sdlfavte", "2003-08-01T12:47:18Z"),
        ("sdljsvqc", "2003-08-26T08:23:50Z"),
        ("bebchpaa", "2009-07-26T07:00:04Z"),
    ];

    #[test]
    fn published_ids_stand_for_their_published_times() {
        for (text, time) in PUBLISHED {
            let id: ActionId = text.parse().unwrap();
            let wanted: Timestamp = time.parse().unwrap();
            assert_eq!(id.stamp().seconds(), wanted.as_second(), "{text}");
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "bczhvug",
            "bczhvugdd",
            "Bczhvugd",
            "xczhvugd",
            "bczhvug1",
            "bczhvugé",
        ] {
            assert!(text.parse::<ActionId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_that_has_a_log_is_not_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let first = ActionId::fresh(Tool::Brbackup, directory.path()).unwrap();
        std::fs::write(directory.path().join(format!("{first}.and")), "").unwrap();
        let second = ActionId::fresh(Tool::Brbackup, directory.path()).unwrap();
        assert!(second > first);
    }
}
