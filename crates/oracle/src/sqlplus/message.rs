//! Error lines in what `sqlplus` prints: `ORA-01034: ORACLE not available` and its relatives.
//! What lives here: finding and naming them. What does not: what a number means for a backup.

use std::fmt;

/// The families of numbers that mean failure. LRM is the parameter file parser's, which STARTUP speaks through.
const FACILITIES: [&str; 6] = ["ORA", "SP2", "PLS", "TNS", "LRM", "RMAN"];

/// One error line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleMessage {
    /// `ORA`, `SP2`, `PLS`, `TNS`, `LRM` or `RMAN`.
    pub facility: &'static str,
    /// The number without leading zeros.
    pub code: u32,
    /// What follows the colon, with the unnumbered lines that continue it.
    pub text: String,
}

impl fmt::Display for OracleMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.facility == "SP2" { 4 } else { 5 };
        write!(f, "{}-{:0width$}: {}", self.facility, self.code, self.text)
    }
}

/// All error lines of one answer, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OracleMessages(Vec<OracleMessage>);

impl OracleMessages {
    /// The messages, most general first, as Oracle orders them.
    pub fn iter(&self) -> impl Iterator<Item = &OracleMessage> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message with this `ORA-` number.
    pub fn find(&self, code: u32) -> Option<&OracleMessage> {
        self.0
            .iter()
            .find(|message| message.facility == "ORA" && message.code == code)
    }

    /// Whether an `ORA-` number is among them.
    pub fn has_oracle_code(&self, code: u32) -> bool {
        self.find(code).is_some()
    }

    /// The messages whose `ORA-` number is not among `tolerated`.
    #[must_use]
    pub fn without(self, tolerated: &[u32]) -> OracleMessages {
        let keep = |message: &OracleMessage| {
            message.facility != "ORA" || !tolerated.contains(&message.code)
        };
        OracleMessages(self.0.into_iter().filter(keep).collect())
    }
}

impl From<Vec<OracleMessage>> for OracleMessages {
    fn from(messages: Vec<OracleMessage>) -> OracleMessages {
        OracleMessages(messages)
    }
}

impl fmt::Display for OracleMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, message) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{message}")?;
        }
        Ok(())
    }
}

/// Finds the error lines of an answer. A line directly after one, without a number of its own, continues its text:
/// Oracle breaks long messages (`ORA-01110: data file 1:` is followed by the name on some releases).
pub(super) fn scan(lines: &[String]) -> OracleMessages {
    let mut found: Vec<OracleMessage> = Vec::new();
    let mut continues = false;
    for line in lines {
        if let Some(message) = parse(line) {
            found.push(message);
            continues = true;
        } else if line.trim().is_empty() {
            continues = false;
        } else if let (true, Some(last)) = (continues, found.last_mut()) {
            last.text.push(' ');
            last.text.push_str(line.trim());
        }
    }
    OracleMessages(found)
}

fn parse(line: &str) -> Option<OracleMessage> {
    let line = line.trim_start();
    let (facility, rest) = FACILITIES
        .iter()
        .find_map(|facility| Some((*facility, line.strip_prefix(facility)?.strip_prefix('-')?)))?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(3..=5).contains(&digits) {
        return None;
    }
    let code = rest[..digits].parse().ok()?;
    let text = rest[digits..]
        .strip_prefix(':')
        .unwrap_or(&rest[digits..])
        .trim()
        .to_owned();
    Some(OracleMessage {
        facility,
        code,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_text(text: &str) -> OracleMessages {
        scan(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_family_of_numbers_is_found_wherever_it_stands() {
        let messages = scan_text(
            "noise\nORA-01034: ORACLE not available\n  SP2-0640: Not connected\nPLS-00201: x\nTNS-12541: no\nLRM-00109: could not open",
        );
        let numbers: Vec<_> = messages
            .iter()
            .map(|message| (message.facility, message.code))
            .collect();
        assert_eq!(
            numbers,
            [
                ("ORA", 1034),
                ("SP2", 640),
                ("PLS", 201),
                ("TNS", 12541),
                ("LRM", 109)
            ]
        );
    }

    #[test]
    fn a_message_prints_back_as_it_came() {
        for line in ["ORA-01034: ORACLE not available", "SP2-0640: Not connected"] {
            assert_eq!(scan_text(line).to_string(), line);
        }
    }

    #[test]
    fn words_that_only_look_like_errors_are_left_alone() {
        assert!(
            scan_text("ORACLE instance shut down.\nORA-x\nORA-\nORA-1\nsee ORA-01034\n|ORA-01034|")
                .is_empty()
        );
    }

    #[test]
    fn an_unnumbered_line_continues_the_message_before_it() {
        let messages = scan_text("ORA-01110: data file 1:\n'/oracle/SND/system.data1'\n\nElapsed");
        assert_eq!(
            messages.find(1110).map(|message| message.text.as_str()),
            Some("data file 1: '/oracle/SND/system.data1'")
        );
    }

    #[test]
    fn tolerated_numbers_are_taken_out_and_only_those() {
        let messages =
            scan_text("ORA-01109: database not open\nORA-00600: internal").without(&[1109]);
        assert!(messages.has_oracle_code(600) && !messages.has_oracle_code(1109));
    }
}
