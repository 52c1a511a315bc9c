//! The workload as a command: runs until a limit or a signal, shows progress, sums up.
//! What lives here: signals, the progress line, the summary. What does not: the sessions.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{Counters, Handle, Options, WorkloadError, start};

/// How often the progress line is renewed.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// What a workload did. Displays as a sentence; its JSON is `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// What was done.
    #[serde(flatten)]
    pub counters: Counters,
    /// How long it took.
    pub seconds: f64,
    /// Acknowledged commits a second.
    pub commits_per_second: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters {
            acknowledged,
            rows,
            in_doubt,
            ..
        } = self.counters;
        write!(
            formatter,
            "{acknowledged} commits acknowledged ({rows} rows) in {:.1} s, ",
            self.seconds
        )?;
        write!(
            formatter,
            "{:.0} commits/s, {in_doubt} in doubt",
            self.commits_per_second
        )
    }
}

/// Runs a workload until its limits are reached or SIGTERM, SIGINT or SIGHUP comes; all ends are clean.
///
/// Progress goes to standard error when that is a terminal. A database that goes away is waited for.
pub fn run(options: Options) -> Result<Outcome, WorkloadError> {
    let signal = Arc::new(AtomicBool::new(false));
    for number in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(number, Arc::clone(&signal)).map_err(|error| {
            WorkloadError::Options(format!("cannot catch signal {number}: {error}"))
        })?;
    }
    let handle = start(options)?;
    let mut shown = Instant::now();
    let mut before = 0;
    while !handle.is_finished() {
        if signal.load(Ordering::SeqCst) {
            handle.request_stop();
        }
        std::thread::sleep(Duration::from_millis(10));
        if shown.elapsed() >= PROGRESS_INTERVAL && std::io::stderr().is_terminal() {
            let acknowledged = handle.counters().acknowledged;
            show(
                &handle,
                (acknowledged - before) as f64 / shown.elapsed().as_secs_f64(),
            );
            (shown, before) = (Instant::now(), acknowledged);
        }
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let seconds = handle.elapsed().as_secs_f64();
    let counters = handle.stop()?;
    Ok(Outcome {
        counters,
        seconds,
        commits_per_second: counters.acknowledged as f64 / seconds.max(0.001),
    })
}

fn show(handle: &Handle, rate: f64) {
    let counters = handle.counters();
    let state = handle.lost().map_or(String::new(), |why| {
        format!(", waiting: {}", why.lines().next().unwrap_or_default())
    });
    let line = format!(
        "{} commits, {rate:.0}/s, SCN {}, {} in doubt{state}",
        counters.acknowledged, counters.scn, counters.in_doubt
    );
    eprint!("\r\x1b[K{line}");
    // Progress that cannot be shown is no reason to stop.
    let _ = std::io::stderr().flush();
}
