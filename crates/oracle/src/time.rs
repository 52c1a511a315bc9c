//! Oracle's 32-bit times: seconds of a calendar in which every month has 31 days.
//! What lives here: the number, its civil form, the local clock. What does not: zones; the number has none.

use std::fmt;

/// A local time to the second, from 1988 on; also the STAMP of RMAN and the resetlogs id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct OracleTime(u32);

impl OracleTime {
    /// From its number.
    pub const fn from_raw(number: u32) -> OracleTime {
        OracleTime(number)
    }

    /// Its number.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// From year, month, day, hour, minute, second. None outside 1988 to 2120 or for an impossible field.
    pub fn from_civil(
        year: i32,
        month: u8,
        day: u8,
        hour: u8,
        minute: u8,
        second: u8,
    ) -> Option<OracleTime> {
        let possible = (1988..=2120).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !possible {
            return None;
        }
        let days = ((year - 1988) as u32 * 12 + u32::from(month) - 1) * 31 + u32::from(day) - 1;
        Some(OracleTime(
            ((days * 24 + u32::from(hour)) * 60 + u32::from(minute)) * 60 + u32::from(second),
        ))
    }

    /// Year, month, day, hour, minute, second.
    pub const fn civil(self) -> (i32, u8, u8, u8, u8, u8) {
        let (minutes, second) = (self.0 / 60, self.0 % 60);
        let (hours, minute) = (minutes / 60, minutes % 60);
        let (days, hour) = (hours / 24, hours % 24);
        let (months, day) = (days / 31, days % 31 + 1);
        let (year, month) = (1988 + months / 12, months % 12 + 1);
        (
            year as i32,
            month as u8,
            day as u8,
            hour as u8,
            minute as u8,
            second as u8,
        )
    }

    /// What the local clock says.
    pub fn now() -> OracleTime {
        let now = jiff::ZonedDateTime::now();
        let field = |value: i8| u8::try_from(value).unwrap_or_default();
        OracleTime::from_civil(
            i32::from(now.year()),
            field(now.month()),
            field(now.day()),
            field(now.hour()),
            field(now.minute()),
            field(now.second()).min(59),
        )
        .unwrap_or_default()
    }

    /// Reads `YYYY-MM-DD HH:MM:SS`; dots in the time and `:` or `T` before it are taken too.
    pub fn parse(text: &str) -> Option<OracleTime> {
        let text = text.trim();
        if text.len() != 19 || !text.is_ascii() {
            return None;
        }
        let bytes = text.as_bytes();
        let separators = bytes[4] == b'-'
            && bytes[7] == b'-'
            && matches!(bytes[10], b' ' | b':' | b'T')
            && matches!(bytes[13], b':' | b'.')
            && bytes[16] == bytes[13];
        let number = |from: usize, to: usize| -> Option<u16> {
            let digits = &text[from..to];
            digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| digits.parse().ok())?
        };
        let small = |from: usize| number(from, from + 2).and_then(|value| u8::try_from(value).ok());
        let time = OracleTime::from_civil(
            i32::from(number(0, 4)?),
            small(5)?,
            small(8)?,
            small(11)?,
            small(14)?,
            small(17)?,
        );
        time.filter(|_| separators)
    }
}

impl fmt::Display for OracleTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_number_is_the_published_time() {
        let time = OracleTime::from_raw(1_227_231_878);
        assert_eq!(time.to_string(), "2026-03-07 01:44:38");
        assert_eq!(OracleTime::parse("2026-03-07 01.44.38"), Some(time));
        assert_eq!(OracleTime::parse("2026-03-07:01:44:38"), Some(time));
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "2026-13-07 01:44:38",
            "2026-03-07 24:00:00",
            "2026-03-07",
            "2026-03-07 01:44.38",
            "x",
            "20x6-03-07 01:44:38",
        ] {
            assert_eq!(OracleTime::parse(text), None, "{text}");
        }
        assert_eq!(OracleTime::from_civil(1987, 1, 1, 0, 0, 0), None);
        assert!(OracleTime::from_civil(2120, 12, 31, 23, 59, 59).is_some());
        assert!(OracleTime::now() > OracleTime::from_civil(2024, 1, 1, 0, 0, 0).unwrap());
    }
}
