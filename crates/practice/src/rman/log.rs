//! RMAN's log: lines with or without their numbers, written by several channels at a time.
//! What lives here: who may write when. What does not: what is said.
//!
//! A line that names no channel belongs to the channel whose *specification* is open, so only one may be open at a
//! time; between its lines those of other channels may stand, except where two lines belong together.

use std::io::Write;
use std::sync::{Mutex, MutexGuard};

/// One line: number and text.
pub(super) type Line = (u32, String);

/// Where lines go.
struct Paper {
    output: Box<dyn Write + Send>,
    /// The last line was empty: one empty line is enough.
    is_apart: bool,
}

/// The log of a run.
pub(super) struct Log {
    output: Mutex<Paper>,
    /// Held while a channel says what goes into its backup set.
    specification: Mutex<()>,
    numbers: bool,
}

impl Log {
    pub fn new(output: Box<dyn Write + Send>, numbers: bool) -> Log {
        Log {
            output: Mutex::new(Paper {
                output,
                is_apart: false,
            }),
            specification: Mutex::new(()),
            numbers,
        }
    }

    /// Writes a message.
    pub fn say(&self, number: u32, text: impl AsRef<str>) {
        self.write(&mut self.lock(), number, text.as_ref());
    }

    /// Writes messages between which no other may stand.
    pub fn say_together(&self, lines: &[Line]) {
        let mut output = self.lock();
        for (number, text) in lines {
            self.write(&mut output, *number, text);
        }
    }

    /// Writes text as it is, with its line end: what is no message.
    pub fn plain(&self, text: &str) {
        let mut paper = self.lock();
        if text.is_empty() && std::mem::replace(&mut paper.is_apart, true) {
            return;
        }
        paper.is_apart = text.is_empty();
        // Nobody to read it is no reason to leave a backup half done.
        let _ = writeln!(paper.output, "{text}");
    }

    /// Writes text without a line end.
    pub fn part(&self, text: &str) {
        let mut paper = self.lock();
        paper.is_apart = false;
        let _ = write!(paper.output, "{text}").and_then(|()| paper.output.flush());
    }

    /// Writes what is complete.
    pub fn flush(&self) {
        let _ = self.lock().output.flush();
    }

    /// Waits for the right to say what goes into a backup set; it ends with the guard.
    pub fn specification(&self) -> MutexGuard<'_, ()> {
        self.specification
            .lock()
            .expect("a channel that panics ends the run")
    }

    fn write(&self, paper: &mut Paper, number: u32, text: &str) {
        paper.is_apart = false;
        let _ = match self.numbers {
            true => writeln!(paper.output, "RMAN-{number:05}: {text}"),
            false => writeln!(paper.output, "{text}"),
        };
        let _ = paper.output.flush();
    }

    fn lock(&self) -> MutexGuard<'_, Paper> {
        self.output.lock().expect("a line is written whole")
    }
}
