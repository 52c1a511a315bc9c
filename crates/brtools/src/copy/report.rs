//! What the log says of a copy, good or failed.
//! What lives here: from results to numbered messages. What does not: what a run does after a failure.

use std::io;
use std::path::Path;

use super::{CopyError, CopyReport};
use crate::messages::counted;
use crate::run_log::{RunLog, megabytes};

/// Torn blocks that a message names.
const NAMED_BLOCKS_MAX: usize = 10;

/// Reports a finished copy: figures, and what was noticed on the way.
pub fn success(log: &mut RunLog, source: &Path, report: &CopyReport) {
    let seconds = report.elapsed.as_secs_f64().max(0.001);
    let speed = report.bytes as f64 / (1024.0 * 1024.0) / seconds;
    let torn = report.blocks_left_torn.len();
    let seconds = format!("{seconds:.1}");
    log.info(
        9004,
        &[
            &megabytes(report.bytes),
            &seconds,
            &format!("{speed:.1}"),
            &report.blocks,
            &torn,
        ],
    );
    if report.blocks_read_again > 0 {
        let what = format!(
            "{} of {} being written while copied; whole when read again",
            counted(report.blocks_read_again, "block"),
            source.display()
        );
        log.info(9045, &[&what]);
    }
    if torn > 0 {
        let first: Vec<String> = report
            .blocks_left_torn
            .iter()
            .take(NAMED_BLOCKS_MAX)
            .map(u32::to_string)
            .collect();
        log.warning(9006, &[&counted(torn, "block"), &source.display()]);
        log.info(
            9045,
            &[&format!(
                "torn blocks: {}{}",
                first.join(", "),
                if torn > first.len() { ", ..." } else { "" }
            )],
        );
    }
    if report.blocks_zero > 0 {
        let what = format!(
            "{} of {} with nothing but zeros",
            counted(report.blocks_zero, "block"),
            source.display()
        );
        log.info(9045, &[&what]);
    }
    if report.blocks_marked_corrupt > 0 {
        let what = format!(
            "{} of {} marked corrupt",
            counted(report.blocks_marked_corrupt, "block"),
            source.display()
        );
        log.warning(9043, &[&what, &"they were so before and are so in the copy: find the objects in DBA_EXTENTS and rebuild them"]);
    }
    if !report.tool_output.is_empty() {
        log.warning(
            278,
            &[
                &report.command_line,
                &report.tool_output.lines().next().unwrap_or_default(),
            ],
        );
        report
            .tool_output
            .lines()
            .skip(1)
            .for_each(|line| log.line(line));
    }
}

/// Reports a failed copy: the reason first, then that it failed. A signal is reported by whoever ends the run.
pub fn failure(log: &mut RunLog, source: &Path, target: &Path, error: &CopyError) {
    match error {
        CopyError::Interrupted { .. } => return,
        CopyError::Source { path, source } if source.kind() == io::ErrorKind::NotFound => {
            log.error(80, &[&path.display()])
        }
        CopyError::Source { path, source } => system(log, "read", path, source),
        CopyError::Target {
            doing,
            path,
            source,
        } => system(log, doing, path, source),
        CopyError::Space {
            directory,
            free_bytes,
            needed_bytes,
        } => {
            log.error(
                227,
                &[
                    &directory.display(),
                    &megabytes(needed_bytes.saturating_sub(*free_bytes)),
                ],
            );
        }
        CopyError::ToolStart {
            command_line,
            source,
        } => {
            log.error(278, &[command_line, &"could not be started"]);
            log.error(253, &[source]);
        }
        CopyError::Tool {
            command_line,
            code,
            output,
        } => tool(log, target, command_line, *code, output),
        CopyError::Size { path, .. } => {
            other(log, error);
            log.error(366, &[&path.display()]);
        }
        CopyError::Damaged { path, count, first } => log.error(
            9005,
            &[
                &counted(*count, "bad block"),
                &path.display(),
                &first.join(", "),
            ],
        ),
        CopyError::Different { path, target } => {
            log.error(9013, &[&target.display(), &path.display()])
        }
        CopyError::TargetExists { path } => log.error(9014, &[&path.display()]),
        CopyError::NotRegular { .. }
        | CopyError::NoArchive { .. }
        | CopyError::BlockSize { .. }
        | CopyError::SourceChanged { .. } => other(log, error),
    }
    log.error(222, &[&source.display(), &target.display()]);
}

fn system(log: &mut RunLog, function: &str, path: &Path, source: &io::Error) {
    log.error(252, &[&function, &path.display()]);
    log.error(253, &[source]);
}

fn tool(log: &mut RunLog, target: &Path, command_line: &str, code: i32, output: &str) {
    log.error(
        278,
        &[&command_line, &output.lines().next().unwrap_or("(nothing)")],
    );
    output.lines().skip(1).for_each(|line| log.line(line));
    log.error(279, &[&command_line, &code]);
    let no_space =
        io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()).to_string();
    let no_space = no_space.split(" (os error").next().unwrap_or_default();
    if output.contains(no_space) {
        log.error(
            227,
            &[&target.parent().unwrap_or(target).display(), &"some"],
        );
    }
}

fn other(log: &mut RunLog, error: &CopyError) {
    let (what, hint) = split_hint(&error.to_string());
    log.error(9044, &[&what, &hint]);
}

/// An error's text and the hint in it, which the log prints on a line of its own.
pub fn split_hint(text: &str) -> (String, String) {
    match text
        .split_once(". HINT: ")
        .or_else(|| text.split_once(" HINT: "))
    {
        Some((what, hint)) => (what.to_owned(), hint.to_owned()),
        None => (
            text.to_owned(),
            "the message above says what is wrong".to_owned(),
        ),
    }
}
