//! What a channel does for BACKUP: one set or one image copy, with what is said before and after.
//! What lives here: the jobs. What does not: which jobs a command needs (`backup`).

use std::path::PathBuf;

use oracle::time::OracleTime;

use super::channels::{Bench, Channel, clock};
use super::failure::{Failure, Outcome};
use super::log::Line;
use super::numbers;
use super::session::date_text;
use crate::engine::backup::{CopyOrder, Done, Order, SetOrder, Thing};
use crate::engine::backup_records::{SetKind, SetRecord};
use crate::engine::control::{ArchivedRecord, DatafileRecord};

/// One backup set or image copy.
pub(super) enum Job {
    Set(SetJob),
    Copy(CopyJob),
}

/// A backup set with what is said before it is written.
pub(super) struct SetJob {
    pub order: SetOrder,
    /// `input datafile …` and the like.
    pub inputs: Vec<Line>,
    /// Archived logs that are deleted afterwards: RECID, STAMP, path.
    pub delete: Vec<(u32, u32, PathBuf)>,
    /// FORMAT of the command itself, which goes before the channel's.
    pub format: Option<String>,
}

/// An image copy.
pub(super) struct CopyJob {
    pub order: CopyOrder,
    /// `input datafile …` or `copying current control file`.
    pub input: Line,
    /// FORMAT of the command itself.
    pub format: Option<String>,
}

/// `input datafile …`.
pub(super) fn input_line(file: &DatafileRecord) -> Line {
    let text = format!(
        "input datafile file number={:05} name={}",
        file.number,
        file.path.display()
    );
    (numbers::INPUT_FILE, text)
}

/// `input archived log …`.
pub(super) fn log_line(log: &ArchivedRecord) -> Line {
    let text = format!(
        "input archived log thread=1 sequence={} RECID={} STAMP={}",
        log.sequence, log.recid, log.completed
    );
    (numbers::INPUT_LOG, text)
}

/// `piece handle=…`; that of an autobackup has no tag.
pub(super) fn handle_line(set: &SetRecord) -> Line {
    let handle = set.handle.display();
    match set.tag.is_empty() {
        true => (
            numbers::PIECE_HANDLE_NO_TAG,
            format!("piece handle={handle} comment=NONE"),
        ),
        false => (
            numbers::PIECE_HANDLE,
            format!("piece handle={handle} tag={} comment=NONE", set.tag),
        ),
    }
}

impl Job {
    /// Carries the job out on a channel.
    pub fn run(channel: &mut Channel, job: Job, bench: &Bench) -> Outcome<()> {
        match job {
            Job::Set(job) => job.run(channel, bench),
            Job::Copy(job) => job.run(channel, bench),
        }
    }
}

impl SetJob {
    fn run(mut self, channel: &mut Channel, bench: &Bench) -> Outcome<()> {
        self.order.format = format_of(self.format.take(), channel);
        self.specify(channel, bench);
        let Done::Set(set) = channel.order(Order::WriteSet(self.order.clone()))? else {
            return Err(Failure::new(
                600,
                "internal error: no backup set came of the order",
            ));
        };
        let now = date_text(OracleTime::now(), bench.date_format);
        bench.log.say_together(&[
            (
                numbers::FINISHED_PIECE,
                channel.line(format!("finished piece 1 at {now}")),
            ),
            handle_line(&set),
        ]);
        let elapsed = clock(u64::from(set.elapsed));
        bench.log.say(
            numbers::SET_COMPLETE,
            channel.line(format!("backup set complete, elapsed time: {elapsed}")),
        );
        self.delete_inputs(channel, bench)
    }

    /// Says what goes in. Lines without a channel's name are this channel's until `starting piece`.
    fn specify(&self, channel: &Channel, bench: &Bench) {
        let _open = bench.log.specification();
        let compressed = self.order.compressed;
        let kind = if compressed { "compressed " } else { "" };
        let (number, text) = match (self.order.kind, compressed) {
            (SetKind::Full, false) => (
                numbers::FULL_SET,
                format!("starting {kind}full datafile backup set"),
            ),
            (SetKind::Full, true) => (
                numbers::COMPRESSED_FULL_SET,
                format!("starting {kind}full datafile backup set"),
            ),
            (SetKind::Incremental(level), compressed) => {
                let text = format!("starting {kind}incremental level {level} datafile backup set");
                match compressed {
                    true => (numbers::COMPRESSED_INCREMENTAL_SET, text),
                    false => (numbers::INCREMENTAL_SET, text),
                }
            }
            (SetKind::ArchivedLogs, _) => (
                numbers::LOG_SET,
                format!("starting {kind}archived log backup set"),
            ),
        };
        bench.log.say(number, channel.line(text));
        let (number, what) = match self.order.kind {
            SetKind::ArchivedLogs => (numbers::SPECIFYING_LOGS, "archived log(s)"),
            _ => (numbers::SPECIFYING_FILES, "datafile(s)"),
        };
        bench.log.say(
            number,
            channel.line(format!("specifying {what} in backup set")),
        );
        for (number, text) in &self.inputs {
            bench.log.say(*number, text);
        }
        let now = date_text(OracleTime::now(), bench.date_format);
        bench.log.say(
            numbers::STARTING_PIECE,
            channel.line(format!("starting piece 1 at {now}")),
        );
    }

    fn delete_inputs(&self, channel: &mut Channel, bench: &Bench) -> Outcome<()> {
        if self.delete.is_empty() {
            return Ok(());
        }
        let mut lines = vec![(
            numbers::DELETING_LOGS,
            channel.line("deleting archived log(s)"),
        )];
        for (recid, stamp, path) in &self.delete {
            channel.order(Order::Delete {
                thing: Thing::Log(*recid),
                force: false,
            })?;
            let text = format!(
                "archived log file name={} RECID={recid} STAMP={stamp}",
                path.display()
            );
            lines.push((numbers::LOG_FILE, text));
        }
        bench.log.say_together(&lines);
        Ok(())
    }
}

impl CopyJob {
    fn run(mut self, channel: &mut Channel, bench: &Bench) -> Outcome<()> {
        self.order.format = format_of(self.format.take(), channel);
        // A set whose specification is open would take the line for one of its own.
        let open = bench.log.specification();
        bench.log.say_together(&[
            (
                numbers::STARTING_COPY,
                channel.line("starting datafile copy"),
            ),
            self.input.clone(),
        ]);
        drop(open);
        let begun = std::time::Instant::now();
        let Done::Copy(copy) = channel.order(Order::WriteCopy(self.order))? else {
            return Err(Failure::new(
                600,
                "internal error: no image copy came of the order",
            ));
        };
        let output = format!(
            "output file name={} tag={} RECID={} STAMP={}",
            copy.path.display(),
            copy.tag,
            copy.recid,
            copy.completed
        );
        let elapsed = clock(begun.elapsed().as_secs());
        bench.log.say_together(&[
            (numbers::OUTPUT_FILE, output),
            (
                numbers::COPY_COMPLETE,
                channel.line(format!("datafile copy complete, elapsed time: {elapsed}")),
            ),
        ]);
        Ok(())
    }
}

/// FORMAT of the command, or of the channel, or RMAN's own.
fn format_of(command: Option<String>, channel: &Channel) -> String {
    command
        .or_else(|| channel.format.clone())
        .unwrap_or_else(|| "%U".to_owned())
}
