//! Which recovery points stay, by rules.
//! What lives here: the plan and the reason for each point. What does not: deleting them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// How many points of each kind stay. A point can stay for several reasons. All zero: every point stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepRules {
    /// The newest so many.
    pub last: u32,
    /// The newest of each day, for so many days that have one.
    pub daily: u32,
    /// The newest of each week (Monday to Sunday).
    pub weekly: u32,
    /// The newest of each month.
    pub monthly: u32,
    /// The newest of each year.
    pub yearly: u32,
}

impl KeepRules {
    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        *self == KeepRules::default()
    }
}

/// What a plan needs to know of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub id: String,
    /// Its time.
    pub time: Timestamp,
    /// Whether a restore from it can work: it was verified and is not known to be damaged.
    pub is_usable: bool,
    /// Whether somebody said that it stays.
    pub is_held: bool,
}

/// What becomes of a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The point.
    pub id: String,
    /// Whether it stays.
    pub keep: bool,
    /// Why, in words.
    pub reasons: Vec<String>,
}

type Period = (&'static str, fn(Date) -> (i16, i16));

fn day(date: Date) -> (i16, i16) {
    (date.year(), date.day_of_year())
}

fn week(date: Date) -> (i16, i16) {
    let week = date.iso_week_date();
    (week.year(), i16::from(week.week()))
}

fn month(date: Date) -> (i16, i16) {
    (date.year(), i16::from(date.month()))
}

fn year(date: Date) -> (i16, i16) {
    (date.year(), 0)
}

/// Decides about all points of one mount; the newest first. Days begin in this time zone.
///
/// The newest usable point always stays, whatever the rules say. A damaged point does not count as the newest of its
/// period, and goes only when no rule could mean it.
pub fn plan(points: &[Candidate], rules: &KeepRules, zone: &TimeZone) -> Vec<Decision> {
    let mut sorted: Vec<&Candidate> = points.iter().collect();
    sorted.sort_by(|one, other| (other.time, &other.id).cmp(&(one.time, &one.id)));
    let mut reasons: Vec<Vec<String>> = vec![Vec::new(); sorted.len()];
    if let Some(newest) = sorted.iter().position(|point| point.is_usable) {
        reasons[newest].push("the newest usable recovery point".to_owned());
    }
    for (point, reasons) in sorted.iter().zip(&mut reasons) {
        if point.is_held {
            reasons.push("held".to_owned());
        }
        if rules.is_empty() {
            reasons.push("no rules".to_owned());
        }
    }
    let usable = || {
        sorted
            .iter()
            .enumerate()
            .filter(|(_, point)| point.is_usable)
    };
    for (number, (place, _)) in usable().enumerate().take(rules.last as usize) {
        reasons[place].push(format!("last {} of {}", number + 1, rules.last));
    }
    let periods: [(u32, Period); 4] = [
        (rules.daily, ("daily", day)),
        (rules.weekly, ("weekly", week)),
        (rules.monthly, ("monthly", month)),
        (rules.yearly, ("yearly", year)),
    ];
    for (count, (word, period)) in periods {
        let mut taken = 0;
        let mut before = None;
        for (place, point) in usable() {
            let of = period(zone.to_datetime(point.time).date());
            if taken == count {
                break;
            }
            if before == Some(of) {
                continue;
            }
            before = Some(of);
            taken += 1;
            reasons[place].push(format!("{word} {taken} of {count}"));
        }
    }
    let decide = |(point, reasons): (&&Candidate, Vec<String>)| {
        let keep = !reasons.is_empty();
        let reasons = match (keep, point.is_usable) {
            (true, _) => reasons,
            (false, true) => vec!["no rule keeps it".to_owned()],
            (false, false) => vec!["it cannot be used, and no rule keeps it".to_owned()],
        };
        Decision {
            id: point.id.clone(),
            keep,
            reasons,
        }
    };
    sorted.iter().zip(reasons).map(decide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(id: &str, time: &str) -> Candidate {
        Candidate {
            id: id.to_owned(),
            time: time.parse().unwrap(),
            is_usable: true,
            is_held: false,
        }
    }

    fn kept(points: &[Candidate], rules: KeepRules) -> Vec<String> {
        let plan = plan(points, &rules, &TimeZone::UTC);
        plan.into_iter()
            .filter(|decision| decision.keep)
            .map(|decision| decision.id)
            .collect()
    }

    #[test]
    fn each_period_keeps_its_newest() {
        let points = [
            point("a", "2025-12-30T01:00:00Z"),
            point("b", "2025-12-31T01:00:00Z"),
            point("c", "2026-01-01T01:00:00Z"),
            point("d", "2026-01-05T01:00:00Z"),
            point("e", "2026-01-05T13:00:00Z"),
        ];
        let rules = |last, daily, weekly, monthly, yearly| KeepRules {
            last,
            daily,
            weekly,
            monthly,
            yearly,
        };
        assert_eq!(kept(&points, rules(2, 0, 0, 0, 0)), ["e", "d"]);
        assert_eq!(kept(&points, rules(0, 2, 0, 0, 0)), ["e", "c"]);
        // 29 December to 4 January is one week, of the year 2026.
        assert_eq!(kept(&points, rules(0, 0, 9, 0, 0)), ["e", "c"]);
        assert_eq!(kept(&points, rules(0, 0, 0, 2, 0)), ["e", "b"]);
        assert_eq!(kept(&points, rules(0, 0, 0, 0, 1)), ["e"]);
        assert_eq!(kept(&points, rules(0, 0, 0, 0, 0)).len(), 5);
    }

    #[test]
    fn a_day_begins_where_the_users_live() {
        let points = [
            point("evening", "2026-01-05T22:30:00Z"),
            point("night", "2026-01-05T23:30:00Z"),
        ];
        let rules = KeepRules {
            daily: 2,
            ..KeepRules::default()
        };
        assert_eq!(kept(&points, rules), ["night"]);
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(
            plan(&points, &rules, &berlin)
                .iter()
                .filter(|decision| decision.keep)
                .count(),
            2
        );
    }

    #[test]
    fn damaged_points_do_not_push_out_good_ones_and_held_ones_stay() {
        let mut points = [
            point("good", "2026-01-01T00:00:00Z"),
            point("held", "2025-01-01T00:00:00Z"),
            point("bad", "2026-01-02T00:00:00Z"),
        ];
        points[2].is_usable = false;
        points[1].is_held = true;
        let rules = KeepRules {
            last: 1,
            ..KeepRules::default()
        };
        assert_eq!(kept(&points, rules), ["good", "held"]);
    }

    proptest! {
        #[test]
        fn the_newest_usable_point_is_never_deleted(
            points in proptest::collection::vec((0_i64..4_000_000_000, any::<bool>()), 0..40),
            last in 0_u32..3, daily in 0_u32..3, yearly in 0_u32..3,
        ) {
            let points: Vec<Candidate> = points.iter().enumerate().map(|(number, (time, is_usable))| Candidate {
                id: number.to_string(),
                time: Timestamp::from_second(*time).unwrap(),
                is_usable: *is_usable,
                is_held: false,
            }).collect();
            let rules = KeepRules { last, daily, yearly, ..KeepRules::default() };
            let plan = plan(&points, &rules, &TimeZone::UTC);
            prop_assert_eq!(plan.len(), points.len());
            let usable = points.iter().filter(|point| point.is_usable);
            if let Some(newest) = usable.max_by_key(|point| (point.time, point.id.clone())) {
                prop_assert!(plan.iter().any(|decision| decision.id == newest.id && decision.keep));
            }
        }
    }
}
