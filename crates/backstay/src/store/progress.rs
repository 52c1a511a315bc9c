//! How far a job is, for people.
//! What lives here: the words, and the bar that shows them. What does not: waiting for the job's end.

use std::time::Duration;

use api::admin::{Job, Progress};
use indicatif::{FormattedDuration, ProgressBar, ProgressStyle};

use super::table::{bytes, line};
use super::word;

/// What a terminal shows while a job is waited for. Hidden by itself when standard error is no terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// Nothing is shown yet.
    pub fn new() -> Bar {
        Bar(ProgressBar::new_spinner())
    }

    /// Shows where the job is.
    pub fn show(&self, job: &Job) {
        let measured = job.progress.filter(|progress| progress.bytes_total > 0);
        let template = match measured {
            Some(_) => "{bar:10} {wide_msg}",
            None => "{spinner} {wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        if let Some(progress) = measured {
            self.0.set_length(progress.bytes_total);
            self.0
                .set_position(progress.bytes_done.min(progress.bytes_total));
        }
        self.0.set_message(message(job));
        self.0.tick();
    }

    /// Leaves the terminal as it was.
    pub fn end(self) {
        self.0.finish_and_clear();
    }
}

/// One line: which job, how far, and what it says itself.
fn message(job: &Job) -> String {
    // What does not fit on a terminal is cut off: what matters most stands first.
    let far = job.progress.as_ref().map(words).unwrap_or_default();
    let far = match far.as_str() {
        "" => word(&job.state),
        _ => far,
    };
    let detail = match job.detail.as_str() {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    line(&format!("job {}: {far}{detail}", job.id))
}

/// `1.00 GiB of 4.00 GiB, 25 %, 00:00:30 left, 100.00 MiB a second`.
pub fn words(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if progress.bytes_total > 0 {
        parts.push(format!(
            "{} of {}",
            bytes(progress.bytes_done),
            bytes(progress.bytes_total)
        ));
        parts.push(format!("{} %", hundredths(progress)));
    } else if progress.bytes_done > 0 {
        parts.push(format!("{} done", bytes(progress.bytes_done)));
    }
    if progress.is_paused {
        parts.push("paused".to_owned());
        return parts.join(", ");
    }
    if let Some(seconds) = progress.seconds_left {
        let left = FormattedDuration(Duration::from_secs(seconds));
        parts.push(format!("{left} left"));
    }
    if progress.bytes_per_second > 0 {
        parts.push(format!("{} a second", bytes(progress.bytes_per_second)));
    }
    parts.join(", ")
}

/// Rounded down, so that 100 is said only when it is done.
fn hundredths(progress: &Progress) -> u128 {
    let done = u128::from(progress.bytes_done) * 100;
    done.checked_div(u128::from(progress.bytes_total))
        .map_or(0, |percent| percent.min(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_WAY: Progress = Progress {
        bytes_total: 4 << 30,
        bytes_done: 1 << 30,
        bytes_read: 1 << 30,
        bytes_written: 1 << 20,
        bytes_per_second: 100 << 20,
        seconds_left: Some(3661),
        is_paused: false,
    };

    fn job(progress: Option<Progress>) -> Job {
        Job {
            progress,
            ..serde_json::from_value(serde_json::json!({
                "id": 7, "kind": "restore", "mount": "m", "state": "Running", "started": "", "ended": null,
                "error_code": 0, "error_message": "", "detail": "a\nb\u{1b}[2J"
            }))
            .unwrap()
        }
    }

    #[test]
    fn progress_says_how_much_how_fast_and_how_long() {
        assert_eq!(
            words(&HALF_WAY),
            "1.00 GiB of 4.00 GiB, 25 %, 01:01:01 left, 100.00 MiB a second"
        );
        let paused = Progress {
            is_paused: true,
            ..HALF_WAY
        };
        assert_eq!(words(&paused), "1.00 GiB of 4.00 GiB, 25 %, paused");
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(words(&Progress::default()), "");
        let uncounted = Progress {
            bytes_done: 5,
            ..Progress::default()
        };
        assert_eq!(words(&uncounted), "5 B done");
    }

    #[test]
    fn numbers_that_cannot_be_are_shown_without_harm() {
        let strange = Progress {
            bytes_total: 1,
            bytes_done: u64::MAX,
            seconds_left: Some(u64::MAX),
            ..HALF_WAY
        };
        assert!(words(&strange).contains("100 %"), "{}", words(&strange));
        let bar = Bar::new();
        bar.show(&job(Some(strange)));
        bar.end();
    }

    #[test]
    fn what_a_job_says_stays_on_its_line() {
        assert_eq!(message(&job(None)), "job 7: Running: a b [2J");
        let said = message(&job(Some(HALF_WAY)));
        assert!(said.contains("25 %") && !said.contains('\n'), "{said}");
    }
}
