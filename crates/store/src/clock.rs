//! The time of day as the catalogue and the administration API write it.
//! What lives here: RFC 3339 in UTC, to the millisecond. What does not: durations.

use jiff::Timestamp;

/// Now, as `2026-11-23T17:05:09.123Z`.
pub(crate) fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_one_length_and_so_sort_as_texts() {
        let now = super::now();
        assert_eq!(now.len(), "2026-11-23T17:05:09.123Z".len(), "{now}");
        assert!(now.ends_with('Z'));
    }
}
