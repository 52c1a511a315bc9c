//! DATE values as seconds, and the format masks of TO_CHAR and TO_DATE.
//! What lives here: calendar and masks. What does not: Oracle's four-byte file times, which `oracle::time` knows.
//!
//! A DATE has no zone. It is held as seconds from 1970-01-01 00:00:00 of its own calendar.

use oracle::time::OracleTime;

use crate::engine::error::{OraError, OraResult};

const SECONDS_PER_DAY: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];
const DAYS: [&str; 7] = [
    "SUNDAY",
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
];

/// Elements of a mask, longest first where one begins another.
const ELEMENTS: [&str; 31] = [
    "SYYYY", "YYYY", "YYY", "YY", "Y", "RRRR", "RR", "MONTH", "MON", "MM", "MI", "DDD", "DD",
    "DAY", "DY", "D", "HH24", "HH12", "HH", "SSSSS", "SS", "A.M.", "P.M.", "AM", "PM", "CC", "IW",
    "WW", "W", "Q", "J",
];

/// A date taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Moment {
    /// From seconds.
    pub fn from_seconds(seconds: i64) -> Moment {
        let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
        let rest = seconds.rem_euclid(SECONDS_PER_DAY);
        Moment {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// To seconds.
    pub fn seconds(self) -> i64 {
        days(self.year, self.month, self.day) * SECONDS_PER_DAY
            + self.hour * 3600
            + self.minute * 60
            + self.second
    }
}

/// A file time as a DATE.
pub(super) fn from_oracle_time(time: OracleTime) -> i64 {
    let (year, month, day, hour, minute, second) = time.civil();
    Moment {
        year: year.into(),
        month: month.into(),
        day: day.into(),
        hour: hour.into(),
        minute: minute.into(),
        second: second.into(),
    }
    .seconds()
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How many days the month has.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days(next_year, next_month, 1) - days(year, month, 1)
}

/// One piece of a mask.
enum Piece<'a> {
    /// An element, with its text as written, whose case shapes names.
    Element(&'static str, &'a str),
    Literal(&'a str),
    FillMode,
}

fn pieces(mask: &str) -> OraResult<Vec<Piece<'_>>> {
    let mut found = Vec::new();
    let mut rest = mask;
    while let Some(first) = rest.chars().next() {
        let upper = rest.to_ascii_uppercase();
        let length = if upper.starts_with("FM") {
            found.push(Piece::FillMode);
            2
        } else if let Some(element) = ELEMENTS.iter().find(|element| upper.starts_with(**element)) {
            found.push(Piece::Element(element, &rest[..element.len()]));
            element.len()
        } else if first == '"' {
            let end = rest[1..].find('"').ok_or_else(not_recognized)?;
            found.push(Piece::Literal(&rest[1..=end]));
            end + 2
        } else if first.is_alphanumeric() {
            return Err(not_recognized());
        } else {
            found.push(Piece::Literal(&rest[..first.len_utf8()]));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    Ok(found)
}

fn not_recognized() -> OraError {
    OraError::new(1821, "date format not recognized")
}

/// TO_CHAR of a date.
///
/// # Errors
/// ORA-01821 for a mask that is none.
pub(super) fn format(seconds: i64, mask: &str) -> OraResult<String> {
    let moment = Moment::from_seconds(seconds);
    let mut fill = true;
    let mut text = String::new();
    for piece in pieces(mask)? {
        match piece {
            Piece::FillMode => fill = !fill,
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Element(element, written) => {
                text.push_str(&element_text(element, written, moment, fill))
            }
        }
    }
    Ok(text)
}

fn element_text(element: &str, written: &str, moment: Moment, fill: bool) -> String {
    let number = |value: i64, width: usize| {
        if fill {
            format!("{value:0width$}")
        } else {
            value.to_string()
        }
    };
    let day_number = days(moment.year, moment.month, moment.day);
    let of_year = day_number - days(moment.year, 1, 1) + 1;
    let weekday = (day_number + 4).rem_euclid(7);
    let twelve = if moment.hour % 12 == 0 {
        12
    } else {
        moment.hour % 12
    };
    let name = |name: &str, width: usize| {
        let shaped = in_case_of(name, written);
        if fill {
            format!("{shaped:width$}")
        } else {
            shaped
        }
    };
    match element {
        "SYYYY" => format!(" {}", number(moment.year, 4)),
        "YYYY" | "RRRR" => number(moment.year, 4),
        "YYY" => number(moment.year % 1000, 3),
        "YY" | "RR" => number(moment.year % 100, 2),
        "Y" => (moment.year % 10).to_string(),
        "MONTH" => name(MONTHS[(moment.month - 1) as usize], 9),
        "MON" => name(&MONTHS[(moment.month - 1) as usize][..3], 3),
        "MM" => number(moment.month, 2),
        "MI" => number(moment.minute, 2),
        "DDD" => number(of_year, 3),
        "DD" => number(moment.day, 2),
        "DAY" => name(DAYS[weekday as usize], 9),
        "DY" => name(&DAYS[weekday as usize][..3], 3),
        "D" => (weekday + 1).to_string(),
        "HH24" => number(moment.hour, 2),
        "HH12" | "HH" => number(twelve, 2),
        "SSSSS" => number(moment.hour * 3600 + moment.minute * 60 + moment.second, 5),
        "SS" => number(moment.second, 2),
        "A.M." | "P.M." => in_case_of(if moment.hour < 12 { "A.M." } else { "P.M." }, written),
        "AM" | "PM" => in_case_of(if moment.hour < 12 { "AM" } else { "PM" }, written),
        "CC" => number((moment.year + 99) / 100, 2),
        "IW" => number(iso_week(day_number), 2),
        "WW" => number((of_year - 1) / 7 + 1, 2),
        "W" => ((moment.day - 1) / 7 + 1).to_string(),
        "Q" => ((moment.month - 1) / 3 + 1).to_string(),
        _ => (day_number + 2_440_588).to_string(),
    }
}

/// Week that holds the Thursday of this day's week.
fn iso_week(day_number: i64) -> i64 {
    let thursday = day_number - (day_number + 3).rem_euclid(7) + 3;
    let (of_year, _, _) = civil(thursday);
    (thursday - days(of_year, 1, 1)) / 7 + 1
}

/// `MON` gives FEB, `Mon` Feb, `mon` feb.
fn in_case_of(name: &str, written: &str) -> String {
    let mut letters = written.chars().filter(|c| c.is_alphabetic());
    let first_upper = letters.next().is_some_and(char::is_uppercase);
    let second_upper = letters.next().is_some_and(char::is_uppercase);
    match (first_upper, second_upper) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{}{}", &name[..1], name[1..].to_lowercase()),
        (false, _) => name.to_lowercase(),
    }
}

/// TO_DATE.
///
/// # Errors
/// ORA-01821 for the mask, ORA-018xx for a text that does not match it.
pub(super) fn parse(text: &str, mask: &str, today: i64) -> OraResult<i64> {
    let now = Moment::from_seconds(today);
    let mut reader = Reader {
        rest: text.trim(),
        moment: Moment {
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            ..now
        },
        century: now.year - now.year % 100,
        afternoon: None,
    };
    for piece in pieces(mask)? {
        match piece {
            Piece::FillMode => {}
            Piece::Literal(_) => reader.skip_punctuation()?,
            Piece::Element(element, _) => reader.element(element)?,
        }
    }
    if !reader.rest.trim().is_empty() {
        let text = "date format picture ends before converting entire input string";
        return Err(OraError::new(1830, text));
    }
    reader.finish()
}

struct Reader<'a> {
    rest: &'a str,
    moment: Moment,
    century: i64,
    afternoon: Option<bool>,
}

impl Reader<'_> {
    /// Oracle lets any punctuation stand for any other, and lets it be missing at the end.
    fn skip_punctuation(&mut self) -> OraResult<()> {
        match self.rest.chars().next() {
            Some(character) if !character.is_alphanumeric() => {
                self.rest = &self.rest[character.len_utf8()..];
                Ok(())
            }
            Some(_) => Err(OraError::new(1861, "literal does not match format string")),
            None => Ok(()),
        }
    }

    fn element(&mut self, element: &str) -> OraResult<()> {
        // A text that ends early leaves the time of day at midnight.
        if self.rest.is_empty() && matches!(element, "HH24" | "HH12" | "HH" | "MI" | "SS") {
            return Ok(());
        }
        match element {
            "YYYY" | "SYYYY" | "RRRR" => self.moment.year = self.number(4, 1, 9999, 1841, YEAR)?,
            "YY" => self.moment.year = self.century + self.number(2, 0, 99, 1841, YEAR)?,
            "RR" => {
                let short = self.number(2, 0, 99, 1841, YEAR)?;
                self.moment.year = if short < 50 {
                    2000 + short
                } else {
                    1900 + short
                };
            }
            "MM" => self.moment.month = self.number(2, 1, 12, 1843, "not a valid month")?,
            "MON" | "MONTH" => self.month_name()?,
            "DD" => self.moment.day = self.number(2, 1, 31, 1847, DAY)?,
            "HH24" => {
                self.moment.hour = self.number(2, 0, 23, 1850, "hour must be between 0 and 23")?
            }
            "HH12" | "HH" => {
                self.moment.hour = self.number(2, 1, 12, 1849, "hour must be between 1 and 12")?
            }
            "MI" => {
                self.moment.minute =
                    self.number(2, 0, 59, 1851, "minutes must be between 0 and 59")?
            }
            "SS" => {
                self.moment.second =
                    self.number(2, 0, 59, 1852, "seconds must be between 0 and 59")?
            }
            "AM" | "PM" | "A.M." | "P.M." => self.half_of_day(element.len())?,
            _ => {
                return Err(OraError::new(
                    1820,
                    "format code cannot appear in date input format",
                ));
            }
        }
        Ok(())
    }

    fn number(
        &mut self,
        width: usize,
        low: i64,
        high: i64,
        code: u32,
        text: &str,
    ) -> OraResult<i64> {
        let digits = self
            .rest
            .bytes()
            .take(width)
            .take_while(u8::is_ascii_digit)
            .count();
        if self.rest.is_empty() {
            return Err(OraError::new(
                1840,
                "input value not long enough for date format",
            ));
        }
        let Ok(value) = self.rest[..digits].parse() else {
            return Err(OraError::new(
                1858,
                "a non-numeric character was found where a numeric was expected",
            ));
        };
        self.rest = &self.rest[digits..];
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(OraError::new(code, text))
        }
    }

    fn month_name(&mut self) -> OraResult<()> {
        let upper = self.rest.to_uppercase();
        let found = MONTHS.iter().enumerate().find_map(|(index, name)| {
            let length = if upper.starts_with(name) {
                name.len()
            } else {
                3
            };
            upper.starts_with(&name[..3]).then_some((index, length))
        });
        let Some((index, length)) = found else {
            return Err(OraError::new(1843, "not a valid month"));
        };
        self.moment.month = index as i64 + 1;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(())
    }

    fn half_of_day(&mut self, length: usize) -> OraResult<()> {
        let given = self.rest.get(..length).unwrap_or_default().to_uppercase();
        self.afternoon = match given.as_bytes().first() {
            Some(b'A') => Some(false),
            Some(b'P') => Some(true),
            _ => return Err(OraError::new(1855, "AM/A.M. or PM/P.M. required")),
        };
        self.rest = &self.rest[length..];
        Ok(())
    }

    fn finish(mut self) -> OraResult<i64> {
        if let Some(afternoon) = self.afternoon {
            self.moment.hour = self.moment.hour % 12 + if afternoon { 12 } else { 0 };
        }
        if self.moment.day > days_in_month(self.moment.year, self.moment.month) {
            return Err(OraError::new(1839, "date not valid for month specified"));
        }
        Ok(self.moment.seconds())
    }
}

const YEAR: &str = "(full) year must be between -4713 and +9999, and not be 0";
const DAY: &str = "day of month must be between 1 and last day of month";

/// TRUNC of a date.
///
/// # Errors
/// ORA-01899 for a unit that is none.
pub(super) fn truncate(seconds: i64, unit: &str) -> OraResult<i64> {
    let moment = Moment::from_seconds(seconds);
    let day = Moment {
        hour: 0,
        minute: 0,
        second: 0,
        ..moment
    };
    let truncated = match unit.to_ascii_uppercase().as_str() {
        "DD" | "DDD" | "J" => day,
        "HH" | "HH12" | "HH24" => Moment {
            minute: 0,
            second: 0,
            ..moment
        },
        "MI" => Moment {
            second: 0,
            ..moment
        },
        "MM" | "MON" | "MONTH" => Moment { day: 1, ..day },
        "Q" => Moment {
            day: 1,
            month: (day.month - 1) / 3 * 3 + 1,
            ..day
        },
        "Y" | "YY" | "YYY" | "YYYY" | "YEAR" => Moment {
            day: 1,
            month: 1,
            ..day
        },
        _ => return Err(OraError::new(1899, "bad precision specifier")),
    };
    Ok(truncated.seconds())
}

/// ADD_MONTHS: the last day of a month stays the last.
pub(super) fn add_months(seconds: i64, months: i64) -> i64 {
    let moment = Moment::from_seconds(seconds);
    let count = moment.year * 12 + moment.month - 1 + months.clamp(-120_000, 120_000);
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
    let last = days_in_month(year, month);
    let was_last = moment.day == days_in_month(moment.year, moment.month);
    let day = if was_last { last } else { moment.day.min(last) };
    Moment {
        year,
        month,
        day,
        ..moment
    }
    .seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> i64 {
        Moment {
            year,
            month,
            day,
            hour,
            minute,
            second,
        }
        .seconds()
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -1000..146_097 {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
        }
    }

    #[test]
    fn masks_shape_a_date() {
        let moment = at(2026, 3, 7, 13, 4, 38);
        let shown = |mask: &str| format(moment, mask).unwrap();
        assert_eq!(shown("YYYY-MM-DD HH24:MI:SS"), "2026-03-07 13:04:38");
        assert_eq!(shown("DD-MON-RR"), "07-MAR-26");
        assert_eq!(
            shown("Dy Mon DD HH:MI:SS PM YYYY"),
            "Sat Mar 07 01:04:38 PM 2026"
        );
        assert_eq!(shown("fmMonth DD\"th\""), "March 7th");
        assert_eq!(
            shown("Month|J|Q|WW|IW|DDD"),
            "March    |2461107|1|10|10|066"
        );
        assert_eq!(shown("YYYYMMDDHH24MISS"), "20260307130438");
        assert_eq!(format(moment, "YYYY-XX").unwrap_err().code(), 1821);
    }

    #[test]
    fn texts_are_read_by_their_mask_or_refused_by_number() {
        let read = |text: &str, mask: &str| parse(text, mask, at(2026, 3, 7, 0, 0, 0));
        assert_eq!(
            read("2026-03-07 13:04:38", "YYYY-MM-DD HH24:MI:SS").unwrap(),
            at(2026, 3, 7, 13, 4, 38)
        );
        assert_eq!(
            read("07-mar-26", "DD-MON-RR").unwrap(),
            at(2026, 3, 7, 0, 0, 0)
        );
        assert_eq!(
            read("20260307", "YYYYMMDDHH24MISS").unwrap(),
            at(2026, 3, 7, 0, 0, 0)
        );
        assert_eq!(
            read("12:30 am", "HH:MI AM").unwrap(),
            at(2026, 3, 1, 0, 30, 0)
        );
        let code = |text: &str, mask: &str| read(text, mask).unwrap_err().code();
        assert_eq!(code("2026-13-01", "YYYY-MM-DD"), 1843);
        assert_eq!(code("2026-02-30", "YYYY-MM-DD"), 1839);
        assert_eq!(code("2026-02-01 x", "YYYY-MM-DD"), 1830);
        assert_eq!(code("moon", "YYYY-MM-DD"), 1858);
        assert_eq!(code("2026", "YYYY-MM-DD"), 1840);
    }

    #[test]
    fn months_are_added_to_the_last_day() {
        assert_eq!(
            add_months(at(2026, 1, 31, 5, 0, 0), 1),
            at(2026, 2, 28, 5, 0, 0)
        );
        assert_eq!(
            add_months(at(2026, 2, 28, 0, 0, 0), 1),
            at(2026, 3, 31, 0, 0, 0)
        );
        assert_eq!(
            add_months(at(2026, 1, 15, 0, 0, 0), -13),
            at(2024, 12, 15, 0, 0, 0)
        );
    }

    #[test]
    fn a_file_time_is_the_same_moment() {
        let time = OracleTime::from_civil(2026, 3, 7, 1, 44, 38).unwrap();
        assert_eq!(from_oracle_time(time), at(2026, 3, 7, 1, 44, 38));
    }
}
