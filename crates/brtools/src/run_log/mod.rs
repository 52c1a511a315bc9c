//! The detail log of a run.
//! What lives here: writing it line by line, to the file and to standard output. What does not: reading it (`reader`).
//!
//! Frame: version, start, log file, parameters, time stamp, …, end, time stamp, result. Marker lines carry what a
//! restore needs, each keyword filled with dots to ten characters:
//! `#FILE..... <original>`, `#ARCHIVE.. <original>`, then `#SAVED.... <copy> <action id>/<position>` and, ours,
//! `#CHECK.... blake3:<hex> <bytes>`. Restores write `#RESTORED. <copy>`.

pub mod inventory;
pub mod reader;

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::action_id::{ActionId, Stamp, Tool};
use crate::messages::{LogForm, Message, Severity};
use crate::return_code::ReturnCode;

/// Version that the logs print.
pub const VERSION: &str = concat!("Backstay ", env!("CARGO_PKG_VERSION"));
const NAME_COLUMN: usize = 31;

/// Message numbers of a tool's frame: version, start, end, success, warnings, errors.
const fn frame(tool: Tool) -> [u16; 6] {
    match tool {
        Tool::Brbackup => [51, 55, 56, 52, 53, 54],
        Tool::Brarchive => [2, 6, 7, 3, 4, 5],
        Tool::Brrestore => [401, 405, 406, 402, 403, 404],
        Tool::Brrecover => [701, 705, 706, 702, 703, 704],
    }
}

/// An open detail log. A line that cannot be written goes to standard error, and the run ends with at least a warning.
#[derive(Debug)]
pub struct RunLog {
    tool: Tool,
    id: ActionId,
    function: String,
    form: LogForm,
    path: PathBuf,
    file: File,
    worst: Severity,
    quiet: bool,
}

impl RunLog {
    /// Creates `<directory>/<id>.<function>` and writes version, start and log file.
    pub fn create(
        tool: Tool,
        id: ActionId,
        function: &str,
        directory: &Path,
    ) -> io::Result<RunLog> {
        let path = directory.join(format!("{id}.{function}"));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)?;
        crate::durable::sync_directory(directory)?;
        let form = LogForm::from_environment();
        let mut log = RunLog {
            tool,
            id,
            function: function.to_string(),
            form,
            path,
            file,
            worst: Severity::Info,
            quiet: false,
        };
        let version = if form == LogForm::Release40b {
            "4.0B"
        } else {
            VERSION
        };
        log.info(frame(tool)[0], &[&version]);
        log.info(frame(tool)[1], &[&id, &log.function.clone(), &id.stamp()]);
        if form == LogForm::Release7 {
            let shown = log.path.display().to_string();
            log.info(484, &[&tool.name(), &shown]);
        }
        Ok(log)
    }

    /// No echo on standard output from here on.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The run's id.
    pub fn id(&self) -> ActionId {
        self.id
    }

    /// The run's function id, the extension of the log.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The worst severity so far.
    pub fn worst(&self) -> Severity {
        self.worst
    }

    /// A message; its hint follows on a line of its own.
    pub fn message(&mut self, message: &Message) {
        self.worst = self.worst.max(message.severity());
        self.line(&message.line(self.form));
        if let Some(hint) = message.hint() {
            self.line(&format!("HINT: {hint}"));
        }
    }

    /// A message of severity I.
    pub fn info(&mut self, number: u16, arguments: &[&dyn Display]) {
        self.message(&Message::info(number, arguments));
    }

    /// A message of severity W.
    pub fn warning(&mut self, number: u16, arguments: &[&dyn Display]) {
        self.message(&Message::warning(number, arguments));
    }

    /// A message of severity E.
    pub fn error(&mut self, number: u16, arguments: &[&dyn Display]) {
        self.message(&Message::error(number, arguments));
    }

    /// The time stamp line.
    pub fn stamp(&mut self) {
        self.info(280, &[&self.tool.name(), &Stamp::now()]);
    }

    /// Any line as it is, such as a table's row or a command's output.
    pub fn line(&mut self, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(b'\n');
        if let Err(error) = self.file.write_all(&bytes) {
            eprintln!("{}: {error}", self.path.display());
            self.worst = self.worst.max(Severity::Warning);
        }
        if !self.quiet {
            // A closed standard output (a pipe to `head`) must not end a backup.
            drop(io::stdout().write_all(&bytes));
        }
    }

    /// An empty line, between sections of the 7.x form.
    pub fn blank(&mut self) {
        if self.form == LogForm::Release7 {
            self.line("");
        }
    }

    /// A marker line: keyword without `#` and dots, then its value.
    pub fn marker(&mut self, keyword: &str, value: &str) {
        self.line(&format!("#{keyword:.<9} {value}"));
    }

    /// The parameter section.
    pub fn parameters(&mut self, rows: &[(&str, String)]) {
        self.blank();
        self.info(101, &[]);
        self.blank();
        if self.form == LogForm::Release7 {
            self.line(&format!("{:<NAME_COLUMN$}Value", "Name"));
            self.blank();
        }
        for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(&format!("{name:<NAME_COLUMN$}{value}"));
        }
        self.blank();
    }

    /// A file saved to disk: what it was, where the copy is, its symbolic volume position, its content.
    pub fn saved(
        &mut self,
        keyword: &str,
        original: &Path,
        copy: &Path,
        position: u32,
        check: (&blake3::Hash, u64),
    ) {
        let id = self.id.to_string();
        self.saved_on(keyword, original, copy, (&id, position), check);
    }

    /// A file saved on a volume: what it was, its name there, volume and position, its content.
    pub fn saved_on(
        &mut self,
        keyword: &str,
        original: &Path,
        name: &Path,
        (volume, position): (&str, u32),
        check: (&blake3::Hash, u64),
    ) {
        self.marker(keyword, &original.display().to_string());
        self.marker("SAVED", &format!("{} {volume}/{position}", name.display()));
        self.marker("CHECK", &format!("blake3:{} {}", check.0.to_hex(), check.1));
    }

    /// The return code as the messages so far make it: 5 after an error, 1 after a warning, else 0.
    pub fn return_code(&self) -> ReturnCode {
        match self.worst {
            Severity::Info => ReturnCode::Success,
            Severity::Warning => ReturnCode::Warnings,
            Severity::Error => ReturnCode::Failed,
        }
    }

    /// End, time stamp and result; the file is synced. A restore looks for the result line.
    pub fn finish(mut self, code: ReturnCode) -> io::Result<()> {
        let [_, _, end, success, warnings, errors] = frame(self.tool);
        let result = match code {
            ReturnCode::Success => success,
            ReturnCode::Warnings => warnings,
            _ => errors,
        };
        self.blank();
        let (id, function) = (self.id, self.function.clone());
        self.info(end, &[&id, &function, &Stamp::now()]);
        self.stamp();
        self.info(result, &[]);
        self.file.sync_all()
    }
}

/// Mebibytes with three decimals, as the logs print sizes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.3}", bytes as f64 / (1024.0 * 1024.0))
}
