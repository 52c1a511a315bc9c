//! Times as they are typed: a day or an instant.
//! What lives here: reading them, and whether another time is before or after. What does not: whose times they are.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Letters of a date, `2026-11-23`.
const DATE_LENGTH: usize = 10;

/// A time that bounds a list. Days are those of UTC, as all times of the store are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A whole day.
    Day(Date),
    /// An instant.
    Instant(Timestamp),
}

/// Reads a date or a date-time of RFC 3339.
pub fn moment(text: &str) -> Result<Moment, String> {
    // The parser of dates would also take a date-time, and forget its time.
    let day = || (text.len() == DATE_LENGTH).then(|| text.parse().ok())?;
    text.parse()
        .ok()
        .map(Moment::Instant)
        .or_else(|| day().map(Moment::Day))
        .ok_or_else(|| {
            "no time. HINT: a date such as 2026-11-23, which is a day of UTC, or a date-time with its offset, such as \
             2026-11-23T14:30:00Z or 2026-11-23T15:30:00+01:00"
                .to_owned()
        })
}

impl Moment {
    /// Whether a time is this instant or in this day, or later.
    pub fn has_begun_at(self, time: Timestamp) -> bool {
        match self {
            Moment::Day(day) => TimeZone::UTC.to_datetime(time).date() >= day,
            Moment::Instant(instant) => time >= instant,
        }
    }

    /// Whether a time is this instant or in this day, or earlier.
    pub fn is_not_over_at(self, time: Timestamp) -> bool {
        match self {
            Moment::Day(day) => TimeZone::UTC.to_datetime(time).date() <= day,
            Moment::Instant(instant) => time <= instant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_and_an_instant_are_told_apart() {
        assert!(matches!(moment("2026-11-23"), Ok(Moment::Day(_))));
        let utc = moment("2026-11-23T14:30:00Z");
        assert_eq!(utc, moment("2026-11-23T15:30:00+01:00"));
        assert_eq!(
            utc,
            Ok(Moment::Instant(time("2026-11-23T14:30:00.000Z"))),
            "as the store writes it"
        );
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_refused() {
        for wrong in [
            "",
            "yesterday",
            "2026-11-23T14:30:00",
            "2026-11-23T14:30",
            "2026-02-30",
            "2026-13-01",
            "2026-11",
            "23.11.2026",
            "20261123",
            "1764000000",
            "2026-11-23T25:00:00Z",
        ] {
            let error = moment(wrong).unwrap_err();
            assert!(error.contains("HINT: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_day_holds_all_its_times() {
        let day = moment("2026-11-23").unwrap();
        for (at, has_begun, is_not_over) in [
            ("2026-11-22T23:59:59.999Z", false, true),
            ("2026-11-23T00:00:00Z", true, true),
            ("2026-11-23T23:59:59.999Z", true, true),
            ("2026-11-24T00:00:00Z", true, false),
        ] {
            assert_eq!(day.has_begun_at(time(at)), has_begun, "{at}");
            assert_eq!(day.is_not_over_at(time(at)), is_not_over, "{at}");
        }
    }

    #[test]
    fn an_instant_is_before_and_after_itself() {
        let noon = moment("2026-11-23T12:00:00Z").unwrap();
        for (at, has_begun, is_not_over) in [
            ("2026-11-23T11:59:59.999Z", false, true),
            ("2026-11-23T12:00:00.000Z", true, true),
            ("2026-11-23T12:00:00.001Z", true, false),
        ] {
            assert_eq!(noon.has_begun_at(time(at)), has_begun, "{at}");
            assert_eq!(noon.is_not_over_at(time(at)), is_not_over, "{at}");
        }
    }
}
