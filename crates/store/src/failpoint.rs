//! Named places at which a test makes the store die or stand still.
//! What lives here: the switch. What does not: the places, which stand in the code that must survive them.
//!
//! `BACKSTAY_FAILPOINT=<place>[@<n>][=kill|stop]` sends the process SIGKILL (the default) or SIGSTOP when it comes to the
//! place for the n-th time (the first by default). Compiled in always, so that what is tested is what is shipped; one
//! comparison where the variable is not set. `PLACES` lists every place; any other name is refused at the first one passed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// Every place: those of a snapshot that is taken, of one that is destroyed, of the calls, then of recovery points.
pub(crate) const PLACES: [&str; 59] = [
    "snapshot-before-making",
    "snapshot-inside-making",
    "snapshot-before-sync",
    "snapshot-before-publish",
    "snapshot-after-publish",
    "snapshot-before-hiding",
    "snapshot-after-hiding",
    "snapshot-inside-removal",
    "snapshot-after-removal",
    "post-before-export",
    "post-before-commit",
    "post-after-commit",
    "log-before-publish",
    "log-before-commit",
    "log-after-commit",
    "put-before-intent",
    "put-after-intent",
    "put-quiesced",
    "put-frozen",
    "put-before-commit",
    "put-after-commit",
    "mount-create-before-intent",
    "mount-create-after-intent",
    "mount-create-before-commit",
    "mount-create-after-commit",
    "mount-delete-after-mark",
    "mount-delete-after-withdrawal",
    "mount-delete-after-snapshots",
    "mount-delete-after-data",
    "mount-delete-before-commit",
    "mount-delete-after-commit",
    "restore-delete-before",
    "restore-delete-after",
    "restore-before-commit",
    "ingest-begin",
    "ingest-pack-before",
    "ingest-pack-after",
    "ingest-index-before",
    "ingest-index-after",
    "ingest-trees-before",
    "ingest-snapshot-before",
    "ingest-snapshot-after",
    "verify-begin",
    "verify-end",
    "point-before-commit",
    "point-after-commit",
    "release-before",
    "release-after",
    "restore-files-written",
    "restore-before-publish",
    "restore-after-publish",
    "delete-before",
    "delete-after",
    "sweep-begin",
    "sweep-pack-before",
    "sweep-index-before",
    "sweep-remove-index",
    "sweep-remove-pack",
    "sweep-end",
];

struct Armed {
    place: String,
    passes_left: AtomicU32,
    signal: Signal,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Marks a place. Does nothing unless the environment names it.
pub(crate) fn reach(place: &'static str) {
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
        let armed = parse("snapshot-inside-making@3=stop").unwrap();
        assert_eq!(
            (
                armed.place.as_str(),
                armed.passes_left.into_inner(),
                armed.signal
            ),
            ("snapshot-inside-making", 3, Signal::STOP)
        );
        assert_eq!(parse("snapshot-before-sync").unwrap().signal, Signal::KILL);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "nowhere",
            "snapshot-before-sync@0",
            "snapshot-before-sync@x",
            "snapshot-before-sync=pause",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
