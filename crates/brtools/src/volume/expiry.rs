//! For how long a volume is locked after it was written.
//! What lives here: the calendar. What does not: where the date comes from (a label, or a log).
//!
//! Documented: the lock holds for `expir_period` days counted by calendar date, in local time, so a tape written at 23:59
//! with a period of one day is free a minute later; today's value of the parameter counts; 0 locks nothing.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::action_id::Stamp;

/// The first day on which the volume is free again.
pub fn free_on(written: Stamp, period_days: u32) -> Date {
    let day = day_of(written);
    // Beyond the calendar's end it is locked for ever.
    Span::new()
        .try_days(i64::from(period_days))
        .and_then(|days| day.checked_add(days))
        .unwrap_or(Date::MAX)
}

/// Whether it is still locked at this moment.
pub fn is_locked(written: Stamp, period_days: u32, now: Stamp) -> bool {
    day_of(now) < free_on(written, period_days)
}

fn day_of(stamp: Stamp) -> Date {
    Timestamp::from_second(stamp.seconds()).map_or(Date::MIN, |moment| {
        TimeZone::system().to_datetime(moment).date()
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(hour: i8, minute: i8) -> Stamp {
        let moment = date(2026, 11, 23).at(hour, minute, 0, 0);
        Stamp::from_seconds(TimeZone::system().to_timestamp(moment).unwrap().as_second())
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let (late, midnight) = (at(23, 59), Stamp::from_seconds(at(23, 59).seconds() + 60));
        assert!(is_locked(late, 1, late));
        assert!(!is_locked(late, 1, midnight));
        assert!(is_locked(late, 2, midnight));
        assert!(!is_locked(late, 0, late));
        assert_eq!(free_on(late, 30), date(2026, 12, 23));
        assert!(is_locked(late, u32::MAX, midnight));
    }
}
