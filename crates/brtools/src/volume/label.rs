//! The label of a volume: the first file of a tape.
//! What lives here: its form, reading and printing it. What does not: whether a volume may be used (`expiry`).
//!
//! What a label tells is documented: name, time of the run that used the volume, ORACLE_SID, action id, function id, use
//! count. How SAP's tools write it down is not; this is our own form, one value a line, so that `cpio -i` and `cat` show it.

use std::fmt;
use std::str::FromStr;

use crate::action_id::{ActionId, Stamp};

/// Name of a volume that any other name may be given.
pub const SCRATCH: &str = "SCRATCH";
/// Longest name of a volume. Source: SAP's documentation.
pub const NAME_CHARACTERS_MAX: usize = 10;
/// Longest label that is read, in bytes.
pub const BYTES_MAX: usize = 4096;
/// First line, which tells a label from other text.
const MAGIC: &str = "backstay volume label 1";

/// What stands on a volume about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Name.
    pub volume: String,
    /// When the run that used it last, or labelled it, began.
    pub written: Stamp,
    /// ORACLE_SID of that run.
    pub sid: String,
    /// That run.
    pub action: ActionId,
    /// Its function id.
    pub function: String,
    /// How often it was written from its beginning since it was labelled.
    pub use_count: u32,
}

/// Why some text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLabel {
    /// It does not begin as one.
    #[error("it does not begin with the line '{MAGIC}'")]
    Other,
    /// A line is missing or not understood.
    #[error("its line '{0}' is missing or not understood")]
    Line(&'static str),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}")?;
        for (name, value) in self.rows() {
            writeln!(f, "{name:<16}{value}")?;
        }
        writeln!(f, "{:<16}{}", "seconds", self.written.seconds())
    }
}

impl Label {
    /// Names and values, as `-i show` and the volume have them.
    pub fn rows(&self) -> [(&'static str, String); 6] {
        [
            ("volume", self.volume.clone()),
            ("time_stamp", self.written.to_string()),
            ("oracle_sid", self.sid.clone()),
            ("action_id", self.action.to_string()),
            ("function_id", self.function.clone()),
            ("use_count", self.use_count.to_string()),
        ]
    }

    /// Whether any other name may be given to it.
    pub fn is_scratch(&self) -> bool {
        self.volume == SCRATCH
    }
}

impl FromStr for Label {
    type Err = NoLabel;

    fn from_str(text: &str) -> Result<Label, NoLabel> {
        let mut lines = text.lines();
        if lines.next() != Some(MAGIC) {
            return Err(NoLabel::Other);
        }
        let rows: Vec<(&str, &str)> = lines
            .filter_map(|line| line.split_once(' '))
            .map(|(name, value)| (name, value.trim()))
            .collect();
        let value = |wanted: &'static str| {
            let found = rows.iter().find(|(name, _)| *name == wanted);
            found
                .map(|(_, value)| *value)
                .filter(|value| !value.is_empty())
                .ok_or(NoLabel::Line(wanted))
        };
        let word = |wanted: &'static str| {
            value(wanted)
                .ok()
                .filter(|value| {
                    value.len() <= 16 && value.bytes().all(|byte| byte.is_ascii_graphic())
                })
                .map(str::to_owned)
                .ok_or(NoLabel::Line(wanted))
        };
        let volume = word("volume")?;
        if !is_name(&volume) {
            return Err(NoLabel::Line("volume"));
        }
        let number =
            |wanted: &'static str| value(wanted)?.parse().map_err(|_| NoLabel::Line(wanted));
        Ok(Label {
            volume,
            written: Stamp::from_seconds(number("seconds")?),
            sid: word("oracle_sid")?,
            action: value("action_id")?
                .parse()
                .map_err(|_| NoLabel::Line("action_id"))?,
            function: word("function_id")?,
            use_count: u32::try_from(number("use_count")?)
                .map_err(|_| NoLabel::Line("use_count"))?,
        })
    }
}

/// Whether a volume may be called so.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',' | b'#' | b'"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_label()(
            volume in "[A-Z0-9_.-]{1,10}", seconds in 0i64..8_000_000_000, sid in "[A-Z0-9]{1,8}",
            function in "[a-z]{3}", use_count in any::<u32>(),
        ) -> Label {
            let written = Stamp::from_seconds(seconds);
            let action = ActionId::new(crate::action_id::Tool::Brbackup, written);
            Label { volume, written, sid, action, function, use_count }
        }
    }

    proptest! {
        #[test]
        fn a_label_reads_back(label in any_label()) {
            prop_assert_eq!(label.to_string().parse(), Ok(label));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(backstay volume label 1\n)?(.|\n){0,200}") {
            let _any = text.parse::<Label>();
        }

        #[test]
        fn a_damaged_label_is_no_label_or_an_honest_one(label in any_label(), at in 0usize..200, byte in b' '..b'~') {
            let mut text = label.to_string().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            if let Ok(read) = String::from_utf8(text).unwrap().parse::<Label>() {
                prop_assert!(is_name(&read.volume));
            }
        }
    }
}
