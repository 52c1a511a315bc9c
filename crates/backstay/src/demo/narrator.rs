//! How the demo is told: what a DBA would have typed, then one line of figures.
//! What lives here: the form of the lines, the progress line, the JSON document. What does not: what happens.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use practice::judge::Verdict;
use serde::Serialize;

use crate::said::say;

/// Column where the figures begin.
const FIGURES_COLUMN: usize = 46;

/// What a step came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Step {
    /// What was done, in a few words.
    pub what: String,
    /// What a DBA would have typed.
    pub typed: Vec<String>,
    /// Bytes that were moved, where that makes sense.
    pub bytes: Option<u64>,
    /// How long it took, where that makes sense.
    pub seconds: Option<f64>,
    /// Anything else worth a word.
    pub note: String,
}

impl Step {
    /// A step without figures.
    pub fn new(what: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            ..Step::default()
        }
    }

    /// With what a DBA would have typed.
    pub fn typed(mut self, command: impl Into<String>) -> Step {
        self.typed.push(command.into());
        self
    }

    /// With the bytes it moved.
    pub fn bytes(mut self, bytes: u64) -> Step {
        self.bytes = Some(bytes);
        self
    }

    /// With the time it took.
    pub fn took(mut self, duration: Duration) -> Step {
        self.seconds = Some(duration.as_secs_f64());
        self
    }

    /// With a remark.
    pub fn note(mut self, note: impl Into<String>) -> Step {
        self.note = note.into();
        self
    }

    /// The line of figures: what, MiB, seconds, MiB/s, remark.
    fn line(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let size = self.bytes.map_or(String::new(), |bytes| {
            format!("{} MiB", thousands(mib(bytes).round() as u64))
        });
        let time = self
            .seconds
            .map_or(String::new(), |seconds| format!("{seconds:.1} s"));
        let speed = match (self.bytes, self.seconds) {
            (Some(bytes), Some(seconds)) if seconds > 0.0 => {
                format!("{} MiB/s", thousands((mib(bytes) / seconds).round() as u64))
            }
            _ => String::new(),
        };
        let width = FIGURES_COLUMN;
        let line = format!(
            "  {:<width$}{size:>11}{time:>9}{speed:>13}   {}",
            self.what, self.note
        );
        line.trim_end().to_string()
    }
}

/// A number with its thousands apart: 12,345.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A judgement with the name of what was judged.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// `complete recovery`, or `recovery to` a moment or an SCN.
    pub what: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// What a recovery point came to.
#[derive(Debug, Clone, Serialize)]
pub struct PointFigures {
    /// Its identifier.
    pub id: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes that it added to the repository.
    pub bytes_added: u64,
    /// From the seal until it was made and read back.
    pub seconds: f64,
}

/// Tells the story on standard output, progress on standard error when that is a terminal.
#[derive(Debug)]
pub struct Narrator {
    json: bool,
    progress: bool,
    /// Steps so far.
    pub steps: Vec<Step>,
    /// Judgements so far.
    pub judged: Vec<Judged>,
    /// Recovery points so far.
    pub points: Vec<PointFigures>,
    /// Why the third chapter was left out, if it was.
    pub left_out: Option<String>,
}

impl Narrator {
    /// With `json`, only the JSON document goes to standard output.
    pub fn new(json: bool) -> Narrator {
        Narrator {
            json,
            progress: std::io::stderr().is_terminal(),
            steps: Vec::new(),
            judged: Vec::new(),
            points: Vec::new(),
            left_out: None,
        }
    }

    /// Whether the JSON document is wanted.
    pub fn wants_json(&self) -> bool {
        self.json
    }

    /// A line of the story.
    pub fn say(&self, line: &str) {
        self.clear_progress();
        if !self.json {
            say(line);
        }
    }

    /// A new part of the story.
    pub fn chapter(&self, title: &str) {
        self.say(&format!("\n{title}\n"));
    }

    /// Shows that something goes on.
    pub fn progress(&self, line: &str) {
        if self.progress {
            eprint!("\r\x1b[K  {line}");
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    fn clear_progress(&self) {
        if self.progress {
            eprint!("\r\x1b[K");
        }
    }

    /// Tells a finished step.
    pub fn step(&mut self, step: Step) {
        for command in &step.typed {
            self.say(&format!("$ {command}"));
        }
        self.say(&step.line());
        self.steps.push(step);
    }

    /// Tells a step whose result is what a program said: the first lines of it.
    pub fn quote(&mut self, step: Step, said: &str, lines_max: usize) {
        for command in &step.typed {
            self.say(&format!("$ {command}"));
        }
        for line in said.lines().take(lines_max) {
            self.say(format!("  {line}").trim_end());
        }
        if said.lines().count() > lines_max {
            self.say("  …");
        }
        self.steps.push(step);
    }

    /// Tells that the rest of the chapter is left out, and what a program said of the reason.
    pub fn leave_out(&mut self, typed: &str, said: &str) {
        self.say(&format!(
            "$ {typed}\n  {said}\n  The rest of this chapter is left out."
        ));
        self.left_out = Some(said.to_string());
    }

    /// Keeps a verdict for the end and shows its faults, if it has any.
    pub fn judged(&mut self, what: String, verdict: Verdict) {
        if !verdict.clean {
            self.say(&verdict.to_string());
        }
        self.judged.push(Judged { what, verdict });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_columns() {
        let step = Step::new("data files copied")
            .bytes(1 << 30)
            .took(Duration::from_millis(6200))
            .note("12 files");
        let line = step.line();
        assert!(line.starts_with("  data files copied   "), "{line}");
        assert!(
            line.ends_with("1,024 MiB    6.2 s    165 MiB/s   12 files"),
            "{line}"
        );
        assert_eq!(Step::new("done").line(), "  done");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
