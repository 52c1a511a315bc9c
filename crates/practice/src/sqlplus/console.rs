//! Where lines come from and where they go: standard input, scripts, standard output, the spool file.
//! What lives here: the stack of inputs and the copies of output. What does not: what lines mean.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Deepest nesting of scripts.
const SCRIPTS_MAX: usize = 20;
/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Largest script, in bytes.
const SCRIPT_BYTES_MAX: u64 = 16 << 20;

/// A script that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScriptError {
    /// Not there, or unreadable.
    Unreadable,
    /// Nested too deep.
    Depth,
}

/// Input and output of one run.
pub(super) struct Console {
    input: Box<dyn BufRead>,
    output: Box<dyn Write>,
    scripts: Vec<VecDeque<String>>,
    spool: Option<BufWriter<File>>,
    /// `-S`.
    pub silent: bool,
    /// SET TERMOUT; only scripts can be without it.
    pub termout: bool,
    /// SET TRIMSPOOL.
    pub trim_spool: bool,
    /// SET TRIMOUT.
    pub trim_output: bool,
}

impl Console {
    pub fn new(input: Box<dyn BufRead>, output: Box<dyn Write>) -> Console {
        Console {
            input,
            output,
            scripts: Vec::new(),
            spool: None,
            silent: false,
            termout: true,
            trim_spool: false,
            trim_output: true,
        }
    }

    /// Writes a line. Nobody to read it is no reason to stop: SQL*Plus runs its script to the end.
    pub fn line(&mut self, line: &str) {
        let trimmed = line.trim_end_matches(' ');
        if self.termout || self.scripts.is_empty() {
            let _ = writeln!(
                self.output,
                "{}",
                if self.trim_output { trimmed } else { line }
            );
        }
        if let Some(spool) = &mut self.spool {
            let _ = writeln!(spool, "{}", if self.trim_spool { trimmed } else { line });
        }
    }

    /// Writes text that may be several lines.
    pub fn text(&mut self, text: &str) {
        text.split('\n').for_each(|line| self.line(line));
    }

    /// Reads the next line of the innermost script or of standard input, after showing `prompt` for the latter.
    pub fn read(&mut self, prompt: &str) -> Option<String> {
        while let Some(script) = self.scripts.last_mut() {
            if let Some(line) = script.pop_front() {
                return Some(line);
            }
            self.scripts.pop();
        }
        self.ask(prompt)
    }

    /// Reads a line of standard input, past any script.
    pub fn ask(&mut self, prompt: &str) -> Option<String> {
        if !self.silent && !prompt.is_empty() {
            let _ = write!(self.output, "{prompt}");
        }
        self.flush();
        let mut line = Vec::new();
        let read = self
            .input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line);
        if read.is_err() || line.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(&line);
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Whether lines come from a script now.
    pub fn in_script(&self) -> bool {
        !self.scripts.is_empty()
    }

    /// Shows what leaves the process.
    pub fn flush(&mut self) {
        // As with line: the script goes on.
        let _ = self.output.flush();
        if let Some(spool) = &mut self.spool {
            let _ = spool.flush();
        }
    }

    /// Begins to read a script.
    pub fn run(&mut self, path: &Path) -> Result<(), ScriptError> {
        if self.scripts.len() >= SCRIPTS_MAX {
            return Err(ScriptError::Depth);
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(SCRIPT_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|_| ScriptError::Unreadable)?;
        let text = String::from_utf8_lossy(&bytes);
        self.scripts.push(text.lines().map(str::to_owned).collect());
        Ok(())
    }

    /// Copies output to a file from now on.
    pub fn spool_to(&mut self, path: &PathBuf, append: bool) -> std::io::Result<()> {
        let file = if append {
            File::options().append(true).create(true).open(path)?
        } else {
            File::create(path)?
        };
        self.spool = Some(BufWriter::new(file));
        Ok(())
    }

    /// Ends the copy; false when there was none.
    pub fn spool_off(&mut self) -> bool {
        self.flush();
        self.spool.take().is_some()
    }
}
