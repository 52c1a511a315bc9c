//! Named places at which a test makes a tool die or stand still.
//! What lives here: the switch. What does not: the places, which stand in the commands.
//!
//! `BACKSTAY_FAILPOINT=<place>[@<n>][=kill|stop]` sends the process SIGKILL (the default) or SIGSTOP when it comes to the
//! place for the n-th time (the first by default). Compiled in always, so that what is tested is what is shipped; one
//! comparison where the variable is not set. `PLACES` lists every place; any other name is refused at the first one passed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// Every place, in the order in which a run comes by: `brbackup`, then `brarchive`.
pub const PLACES: [&str; 21] = [
    "before-begin",
    "inside-begin",
    "begin-not-noted",
    "after-begin",
    "inside-copy",
    "between-files",
    "between-volumes",
    "after-trailer",
    "before-end",
    "after-end",
    "before-log-switch",
    "before-summary-log",
    "archive-before-copy",
    "archive-inside-copy",
    "archive-before-publish",
    "archive-before-summary",
    "archive-before-delete",
    "archive-after-delete",
    "archive-between-logs",
    "archive-before-end",
    "offline-down",
];

struct Armed {
    place: String,
    passes_left: AtomicU32,
    signal: Signal,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Marks a place. Does nothing unless the environment names it.
pub fn reach(place: &'static str) {
    debug_assert!(
        PLACES.contains(&place),
        "failpoint {place} is not in the list"
    );
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var("BACKSTAY_FAILPOINT").ok()?;
        Some(parse(&text).unwrap_or_else(|| {
            panic!(
                "BACKSTAY_FAILPOINT={text}: no such place; there are {}",
                PLACES.join(", ")
            )
        }))
    });
    let Some(armed) = armed.as_ref().filter(|armed| armed.place == place) else {
        return;
    };
    if armed.passes_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        kill_process(getpid(), armed.signal).expect("a process may signal itself");
    }
}

fn parse(text: &str) -> Option<Armed> {
    let (rest, signal) = match text.split_once('=') {
        None => (text, Signal::KILL),
        Some((rest, "kill")) => (rest, Signal::KILL),
        Some((rest, "stop")) => (rest, Signal::STOP),
        Some(_) => return None,
    };
    let (place, count) = rest
        .split_once('@')
        .map_or((rest, Some(1)), |(place, count)| {
            (place, count.parse().ok())
        });
    let count = count.filter(|count| *count > 0)?;
    PLACES.contains(&place).then(|| Armed {
        place: place.to_owned(),
        passes_left: AtomicU32::new(count),
        signal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_count_and_signal_are_read() {
        let armed = parse("inside-copy@3=stop").unwrap();
        assert_eq!(
            (
                armed.place.as_str(),
                armed.passes_left.into_inner(),
                armed.signal
            ),
            ("inside-copy", 3, Signal::STOP)
        );
        assert_eq!(parse("before-end").unwrap().signal, Signal::KILL);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "nowhere",
            "before-end@0",
            "before-end@x",
            "before-end=pause",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
