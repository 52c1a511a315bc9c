//! `backstay verify`: every block of Oracle files judged, without a database.
//! What lives here: options, files in their order, exit status. What does not: the judgement, and how it is worded.

mod document;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use oracle::verify::{CannotJudge, FileReport, Options, verify_file};

use crate::said::{fail, say, say_json};

const CORRUPT: u8 = 1;
const NOT_JUDGED: u8 = 2;

/// Judge every block of data files, control files and redo logs
#[derive(Debug, Clone, clap::Args)]
#[command(
    long_about = "Judges every block of data files, control files and redo logs, as DBVERIFY does for data files, without a \
                  database.\n\n\
                  The first thing wrong with a block is its verdict, in Oracle's order: all zero; bad header (type, format or \
                  address cannot be in this place); fractured, also called influx (head and tail are of different versions); \
                  marked corrupt; bad check value. Rows and index entries are not looked into, so the Failing totals are \
                  always 0, and so is Encrypted.\n\n\
                  Blocks of zeros are corruption, because a lost write looks like that, unless they may be there: the file \
                  header allows them, the file is temporary or longer than it says, or it is the unused part of a control file \
                  or redo log. Then they are counted and named, but no corruption. Never used blocks of a data file are not \
                  zero but empty.\n\n\
                  Files may be in use: a block that looks corrupt is read again before it is reported.",
    after_help = EXAMPLES
)]
pub struct VerifyArguments {
    /// Files to judge
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Block size in bytes, for files whose block 0 is lost
    #[arg(long, value_name = "BYTES")]
    block_size: Option<u32>,
    /// Most corrupt blocks, and most ranges of zeros, to name of each file
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    list_max: usize,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Say nothing of clean files
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  backstay verify /oracle/SND/sapdata*/*/*.data*
  backstay verify --json /oracle/SND/saparch/SNDarch1_15.dbf
  backstay verify --block-size 8192 btab.data1     # its block 0 is lost

Exit status: 0 every file is clean; 1 corruption found, even when another file could not be judged; \
2 a file could not be judged, or the command line is wrong.";

/// What came out for one file.
struct Outcome<'a> {
    path: &'a Path,
    judged: Result<FileReport, CannotJudge>,
    seconds: f64,
}

/// Judges the files one after another; each is reported when it is done, in JSON all at the end.
pub fn run(arguments: &VerifyArguments) -> ExitCode {
    let mut status = 0;
    let mut documents = Vec::new();
    for path in &arguments.files {
        let outcome = judge(path, arguments);
        status = worse(status, status_of(&outcome));
        if arguments.json {
            documents.push(document::of_file(&outcome));
        } else {
            show(&outcome, arguments.quiet);
        }
    }
    if arguments.json {
        say_json(&document::Document::new(documents));
    }
    ExitCode::from(status)
}

fn judge<'a>(path: &'a Path, arguments: &VerifyArguments) -> Outcome<'a> {
    let options = Options {
        block_size: arguments.block_size,
        listed_max: arguments.list_max,
    };
    let begun = Instant::now();
    let bar = progress_bar(path);
    let judged = verify_file(path, &options, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Outcome {
        path,
        judged,
        seconds: begun.elapsed().as_secs_f64(),
    }
}

fn show(outcome: &Outcome, quiet: bool) {
    match &outcome.judged {
        Ok(report) if quiet && report.is_clean() => {}
        Ok(report) => say(text::Report {
            report,
            seconds: outcome.seconds,
        }),
        Err(error) => {
            let _ = fail(NOT_JUDGED, error); // Its status is taken from the outcome.
        }
    }
}

fn status_of(outcome: &Outcome) -> u8 {
    match &outcome.judged {
        Ok(report) if report.is_clean() => 0,
        Ok(_) => CORRUPT,
        Err(_) => NOT_JUDGED,
    }
}

/// Corruption that was found outweighs what could not be looked at.
fn worse(one: u8, other: u8) -> u8 {
    match (one, other) {
        (CORRUPT, _) | (_, CORRUPT) => CORRUPT,
        _ => one.max(other),
    }
}

/// Hidden by itself when standard error is no terminal.
fn progress_bar(path: &Path) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let template = "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
    .with_prefix(name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corruption_outweighs_what_could_not_be_judged() {
        let after = |statuses: &[u8]| statuses.iter().copied().fold(0, worse);
        assert_eq!(after(&[0, 0]), 0);
        assert_eq!(after(&[0, NOT_JUDGED, 0]), NOT_JUDGED);
        assert_eq!(after(&[NOT_JUDGED, CORRUPT]), CORRUPT);
        assert_eq!(after(&[CORRUPT, 0, NOT_JUDGED]), CORRUPT);
    }
}
