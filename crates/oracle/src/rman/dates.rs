//! The times in a log: text whose form follows the language of the session, and the one form that can be read.
//! What lives here: finding and reading that form. What does not: the others; 12-09-09 is three different days.

use crate::time::OracleTime;

/// The form that the shipped scripts ask for, `NLS_DATE_FORMAT='YYYY-MM-DD HH24:MI:SS'`; zeros stand for digits.
const FORM: &[u8; 19] = b"0000-00-00 00:00:00";

/// Reads a time of the log, if it is in the form that the shipped scripts ask for (trap 10). It is the local time of the
/// database's host; the log does not tell its zone.
pub fn read(text: &str) -> Option<OracleTime> {
    if is_of_our_form(text.as_bytes()) {
        OracleTime::parse(text)
    } else {
        None
    }
}

/// The part of a line that is a time in our form: in another language other words are around it.
pub(super) fn find(line: &str) -> Option<&str> {
    let at = line
        .as_bytes()
        .windows(FORM.len())
        .position(is_of_our_form)?;
    line.get(at..at + FORM.len())
}

fn is_of_our_form(text: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    text.len() == FORM.len() && text.iter().zip(FORM).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_form_is_read() {
        assert_eq!(
            read("2020-08-05 04:21:52"),
            OracleTime::from_civil(2020, 8, 5, 4, 21, 52)
        );
        // Each from a published log; which is day and which is month, nobody knows.
        for other in [
            "01-NOV-24",
            "12/08/2013 15:52:15",
            "12-09-09",
            "[05:35:42]",
            "2020-08-05T04:21:52",
            "2020-08-05 04.21.52",
            "2020-13-05 04:21:52",
            "+020-08-05 04:21:52",
            "",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn our_form_is_found_among_other_words() {
        assert_eq!(
            find("从 2026-11-23 12:00:01 开始进行 backup"),
            Some("2026-11-23 12:00:01")
        );
        assert_eq!(find("Starten backup um 24.11.26"), None);
    }
}
