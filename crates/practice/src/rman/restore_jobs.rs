//! What a channel does for RESTORE: one set or copy, read to where its files go, with what is said about it.
//! What lives here: the jobs. What does not: which jobs a command needs (`restore`).

use std::path::PathBuf;

use super::channels::{Bench, Channel, clock};
use super::failure::Outcome;
use super::log::Line;
use super::numbers;
use crate::engine::backup::{Done, Order, Thing};
use crate::engine::backup_records::{CopyRecord, SetRecord};

/// One backup and what is restored from it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The backup.
    pub source: Source,
    /// FILE# and where it goes.
    pub files: Vec<(u32, PathBuf)>,
    /// Only to be read.
    pub validate: bool,
}

/// What is restored from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Set(SetRecord),
    Copy(CopyRecord),
}

impl Source {
    /// Its file.
    pub fn path(&self) -> &PathBuf {
        match self {
            Source::Set(set) => &set.handle,
            Source::Copy(copy) => &copy.path,
        }
    }
}

/// `input datafile copy …`.
pub(super) fn copy_line(copy: &CopyRecord) -> String {
    format!(
        "input datafile copy RECID={} STAMP={} file name={}",
        copy.recid,
        copy.completed,
        copy.path.display()
    )
}

/// What is said while a piece is read.
pub(super) fn piece_lines(channel: &Channel, handle: &std::path::Path, tag: &str) -> [Line; 2] {
    let handle = handle.display();
    [
        (
            numbers::RESTORED_HANDLE,
            channel.line(format!("piece handle={handle} tag={tag}")),
        ),
        (
            numbers::RESTORED_PIECE,
            channel.line("restored backup piece 1"),
        ),
    ]
}

/// Restores archived logs from one set and says so. Gives where they are.
pub(super) fn restore_logs_from(
    channel: &mut Channel,
    handle: &std::path::Path,
    tag: &str,
    sequences: Vec<u32>,
    bench: &Bench,
) -> Outcome<Vec<PathBuf>> {
    let mut lines = vec![(
        numbers::LOG_RESTORE,
        channel.line("starting archived log restore to default destination"),
    )];
    for sequence in &sequences {
        lines.push((
            numbers::RESTORING_LOG,
            channel.line("restoring archived log"),
        ));
        lines.push((
            numbers::LOG,
            format!("archived log thread=1 sequence={sequence}"),
        ));
    }
    lines.push((
        numbers::READING_PIECE,
        channel.line(format!("reading from backup piece {}", handle.display())),
    ));
    bench.log.say_together(&lines);
    let begun = std::time::Instant::now();
    let done = channel.order(Order::RestoreLogs {
        handle: handle.to_owned(),
        sequences,
    })?;
    bench.log.say_together(&piece_lines(channel, handle, tag));
    let elapsed = clock(begun.elapsed().as_secs());
    bench.log.say(
        numbers::RESTORE_COMPLETE,
        channel.line(format!("restore complete, elapsed time: {elapsed}")),
    );
    match done {
        Done::Files(files) => Ok(files),
        _ => Ok(Vec::new()),
    }
}

/// Reads a whole set and says so.
pub(super) fn validate_set(channel: &mut Channel, set: &SetRecord, bench: &Bench) -> Outcome<()> {
    let kind = if set.logs.is_empty() {
        "datafile"
    } else {
        "archived log"
    };
    bench.log.say_together(&[
        (
            numbers::STARTING_VALIDATION,
            channel.line(format!("starting validation of {kind} backup set")),
        ),
        (
            numbers::READING_PIECE,
            channel.line(format!(
                "reading from backup piece {}",
                set.handle.display()
            )),
        ),
    ]);
    let begun = std::time::Instant::now();
    channel.order(Order::Validate(Thing::Set(set.key)))?;
    bench
        .log
        .say_together(&piece_lines(channel, &set.handle, &set.tag));
    let elapsed = clock(begun.elapsed().as_secs());
    bench.log.say(
        numbers::VALIDATION_COMPLETE,
        channel.line(format!("validation complete, elapsed time: {elapsed}")),
    );
    Ok(())
}

impl Job {
    /// Carries the job out on a channel.
    pub fn run(self, channel: &mut Channel, bench: &Bench) -> Outcome<()> {
        match (&self.source, self.validate) {
            (Source::Set(set), true) => validate_set(channel, set, bench),
            (Source::Copy(copy), true) => {
                channel.order(Order::Validate(Thing::Copy(copy.recid)))?;
                bench.log.say(
                    numbers::VALIDATION_COMPLETE,
                    channel.line(format!(
                        "validation of datafile copy {} complete",
                        copy.path.display()
                    )),
                );
                Ok(())
            }
            (Source::Set(set), false) => self.restore_set(set, channel, bench),
            (Source::Copy(copy), false) => self.restore_copy(copy, channel, bench),
        }
    }

    fn restore_set(&self, set: &SetRecord, channel: &mut Channel, bench: &Bench) -> Outcome<()> {
        let mut lines = vec![
            (
                numbers::SET_RESTORE,
                channel.line("starting datafile backup set restore"),
            ),
            (
                numbers::SPECIFYING_RESTORE,
                channel.line("specifying datafile(s) to restore from backup set"),
            ),
        ];
        for (number, target) in &self.files {
            let text = format!("restoring datafile {number:05} to {}", target.display());
            lines.push((numbers::RESTORING_FILE, channel.line(text)));
        }
        lines.push((
            numbers::READING_PIECE,
            channel.line(format!(
                "reading from backup piece {}",
                set.handle.display()
            )),
        ));
        bench.log.say_together(&lines);
        let begun = std::time::Instant::now();
        channel.order(Order::RestoreFiles {
            handle: set.handle.clone(),
            files: self.files.clone(),
        })?;
        bench
            .log
            .say_together(&piece_lines(channel, &set.handle, &set.tag));
        let elapsed = clock(begun.elapsed().as_secs());
        bench.log.say(
            numbers::RESTORE_COMPLETE,
            channel.line(format!("restore complete, elapsed time: {elapsed}")),
        );
        Ok(())
    }

    fn restore_copy(&self, copy: &CopyRecord, channel: &mut Channel, bench: &Bench) -> Outcome<()> {
        for (number, target) in &self.files {
            bench.log.say_together(&[
                (
                    numbers::RESTORING_FILE,
                    channel.line(format!("restoring datafile {number:05}")),
                ),
                (numbers::INPUT_COPY, copy_line(copy)),
                (
                    numbers::DESTINATION,
                    format!(
                        "destination for restore of datafile {number:05}: {}",
                        target.display()
                    ),
                ),
            ]);
            channel.order(Order::RestoreCopy {
                recid: copy.recid,
                target: target.clone(),
            })?;
            bench.log.say_together(&[
                (
                    numbers::COPIED_COPY,
                    channel.line(format!("copied datafile copy of datafile {number:05}")),
                ),
                (
                    numbers::RESTORED_FILE,
                    format!("output file name={} RECID=0 STAMP=0", target.display()),
                ),
            ]);
        }
        Ok(())
    }
}
