//! Summary logs: one line a run in `back<SID>.log`, `rest<SID>.log` and `recov<SID>.log`.
//! What lives here: writing a record at start and again at the end, reading them back. What does not: `arch<SID>.log`,
//! which is in `archive`.
//!
//! `<id> <function> <start> <start time>  <end> <end time> <rc> <field> … <version>`. While the run goes on the end is
//! `0000-00-00 00.00.00` and the return code 6, which is also what a killed run leaves. The file is replaced whole.

pub mod archive;
pub mod rebuild;

use std::io;
use std::path::{Path, PathBuf};

use crate::action_id::{ActionId, Stamp};
use crate::bounded;
use crate::durable;
use crate::return_code::ReturnCode;
use crate::run_log::VERSION;

/// Largest summary log that is read, in bytes.
pub const BYTES_MAX: u64 = 64 << 20;
const NO_END: &str = "0000-00-00 00.00.00";

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The run.
    pub id: ActionId,
    /// Function id.
    pub function: String,
    /// When it started, as printed.
    pub start: String,
    /// When it ended; None while it runs or when it was killed.
    pub end: Option<String>,
    /// Return code.
    pub code: ReturnCode,
    /// What the program adds: for brbackup log sequence, files saved/found, mode, type, device.
    pub fields: Vec<String>,
}

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedLine {
    /// Line number, from 1.
    pub line: usize,
}

/// A summary log.
#[derive(Debug, Clone)]
pub struct SummaryLog {
    path: PathBuf,
}

impl SummaryLog {
    /// The log at a path; it need not exist yet.
    pub fn new(path: PathBuf) -> SummaryLog {
        SummaryLog { path }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the record of a run that starts.
    pub fn begin(&self, id: ActionId, function: &str, fields: &[String]) -> io::Result<()> {
        let record = Record {
            id,
            function: function.to_string(),
            start: id.stamp().to_string(),
            end: None,
            code: ReturnCode::Aborted,
            fields: fields.to_vec(),
        };
        let mut text = self.text()?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&record.line());
        durable::replace(&self.path, text.as_bytes())
    }

    /// Rewrites the record of a run that ends. Other lines stay as they are, damaged ones too.
    pub fn finish(&self, id: ActionId, code: ReturnCode, fields: &[String]) -> io::Result<()> {
        let text = self.text_with(id, code, fields)?;
        durable::replace(&self.path, text.as_bytes())
    }

    /// The whole text as it will be when a run ends so, for a copy beside the backup.
    pub fn text_with(
        &self,
        id: ActionId,
        code: ReturnCode,
        fields: &[String],
    ) -> io::Result<String> {
        let text = self.text()?;
        let mut out = String::with_capacity(text.len());
        for line in text.lines() {
            match parse(line) {
                Some(mut record) if record.id == id => {
                    record.end = Some(Stamp::now().to_string());
                    record.code = code;
                    record.fields = fields.to_vec();
                    out.push_str(&record.line());
                }
                _ => {
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        Ok(out)
    }

    /// All records, oldest first, and the lines that are none. A missing file has no records.
    pub fn read(&self) -> io::Result<(Vec<Record>, Vec<DamagedLine>)> {
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for (index, line) in self
            .text()?
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            match parse(line) {
                Some(record) => records.push(record),
                None => damaged.push(DamagedLine { line: index + 1 }),
            }
        }
        Ok((records, damaged))
    }

    fn text(&self) -> io::Result<String> {
        match bounded::read_text(&self.path, BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        }
    }
}

impl Record {
    fn line(&self) -> String {
        let end = self.end.as_deref().unwrap_or(NO_END);
        let fields: String = self
            .fields
            .iter()
            .map(|field| format!(" {}", field.replace(char::is_whitespace, "_")))
            .collect();
        format!(
            "{} {} {}  {end} {}{fields}  {VERSION}\n",
            self.id,
            self.function,
            self.start,
            self.code.number()
        )
    }
}

/// A record, if the line is one.
fn parse(line: &str) -> Option<Record> {
    let mut words = line.split_ascii_whitespace();
    let id = words.next()?.parse().ok()?;
    let function = words.next()?;
    let mut moment = || {
        let (day, time) = (words.next()?, words.next()?);
        let digits = |text: &str, mark: u8| text.bytes().all(|b| b.is_ascii_digit() || b == mark);
        (day.len() == 10 && time.len() == 8 && digits(day, b'-') && digits(time, b'.'))
            .then(|| format!("{day} {time}"))
    };
    let (start, end) = (moment()?, moment()?);
    let code = ReturnCode::from_number(words.next()?.parse().ok()?)?;
    let mut fields: Vec<String> = words.map(str::to_string).collect();
    fields.truncate(fields.len().saturating_sub(VERSION.split(' ').count()));
    let end = (end != NO_END).then_some(end);
    let known = function.len() == 3 && function.bytes().all(|byte| byte.is_ascii_lowercase());
    known.then(|| Record {
        id,
        function: function.to_string(),
        start,
        end,
        code,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action_id::Tool;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn a_run_is_visible_while_it_runs_and_after() {
        let directory = tempfile::tempdir().unwrap();
        let log = SummaryLog::new(directory.path().join("backSND.log"));
        assert!(log.read().unwrap().0.is_empty());
        let ids = [1_700_000_000, 1_700_000_100]
            .map(|seconds| ActionId::new(Tool::Brbackup, Stamp::from_seconds(seconds)));
        for id in ids {
            log.begin(id, "and", &["all".to_string()]).unwrap();
        }
        let running = log.read().unwrap().0;
        assert_eq!(
            (running[1].end.as_ref(), running[1].code),
            (None, ReturnCode::Aborted)
        );
        log.finish(
            ids[0],
            ReturnCode::Warnings,
            &["17".to_string(), "all online".to_string()],
        )
        .unwrap();
        let (records, damaged) = log.read().unwrap();
        assert_eq!((records.len(), damaged.len()), (2, 0));
        assert_eq!(
            (records[0].code, records[0].fields.clone()),
            (ReturnCode::Warnings, vec!["17".into(), "all_online".into()])
        );
        assert_eq!(records[1].code, ReturnCode::Aborted);
    }

    #[test]
    fn damaged_lines_are_named_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backSND.log");
        fs::write(
            &path,
            "nonsense\nbczhvugd and 1999-02-07 23.19.19  1999-02-07 23.59.59 77 x\n",
        )
        .unwrap();
        let log = SummaryLog::new(path.clone());
        log.begin(
            ActionId::new(Tool::Brbackup, Stamp::from_seconds(9)),
            "and",
            &[],
        )
        .unwrap();
        let (records, damaged) = log.read().unwrap();
        assert_eq!(
            (records.len(), damaged),
            (1, vec![DamagedLine { line: 1 }, DamagedLine { line: 2 }])
        );
        assert!(fs::read_to_string(path).unwrap().starts_with("nonsense\n"));
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in ".{0,200}") {
            let _any = parse(&line);
        }
    }
}
