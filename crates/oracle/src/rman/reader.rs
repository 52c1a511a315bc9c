//! The messages of a log, one after the other, put together: which line belongs to which channel, set, piece or copy.
//! What lives here: the state between two lines. What does not: wording, and the limits of what is kept.

mod copies;
mod sets;

use std::collections::{BTreeSet, HashMap};

use super::account::{Account, CopiedFile, Notes, Outcome, SetKind, SetState, Shortcoming};
use super::ledger::{Ledger, SetAt};
use super::lines::{Line, head};
use super::message::{Listed, Message, Run, recognise};
use super::{CHANNELS_MAX, FAILURE_BYTES_MAX, FAILURES_MAX, RECORDS_MAX, foreign};

/// So deep runs lie in each other: an autobackup in a backup, a restore in a duplication.
const RUNS_MAX: usize = 16;

/// What a channel is at.
#[derive(Default)]
struct Channel {
    set: Option<SetAt>,
    piece: Option<(u32, String)>,
    copy: Option<CopyBegun>,
}

/// A copy that was begun.
struct CopyBegun {
    of: CopiedFile,
    written: bool,
}

/// Whose the following lines without a channel are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heading {
    Set,
    Copy,
}

/// The piece that was finished last: the next handles are its (trap 2).
struct Finished {
    set: SetAt,
    number: u32,
    started: Option<String>,
    finished: String,
    tag: Option<String>,
}

struct OpenRun {
    run: Run,
    has_content: bool,
}

/// Reads messages into an account.
#[derive(Default)]
pub(super) struct Reader {
    ledger: Ledger,
    names: HashMap<String, usize>,
    channels: Vec<Channel>,
    /// Open headings, the latest last.
    headings: Vec<(usize, Heading)>,
    finished: Option<Finished>,
    /// The set whose last data file was named last; none after a copy's, which is one file whatever its sections.
    last_datafile: Option<SetAt>,
    /// A piece whose set's beginning is missing: the next end of a set is its end.
    orphan: Option<SetAt>,
    /// Copies written while more than one channel copies: the next end of a copy tells whose the last one is.
    outputs: Vec<(String, Option<String>)>,
    runs: Vec<OpenRun>,
    /// After a failure RMAN finishes no run, and what other channels still say belongs to none.
    after_failure: bool,
    /// What is being deleted, and whether by more than one line.
    deleting: Option<(Listed, bool)>,
    in_stack: bool,
    begun: bool,
    ended: bool,
    failures: Vec<String>,
    short_of: BTreeSet<Shortcoming>,
    began: Option<String>,
    finished_at: Option<String>,
    notes: Notes,
}

impl Reader {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &Line) {
        let Line::Whole(line) = line else {
            self.notes.lines_cut += 1;
            self.deleting = None;
            return;
        };
        let head = head(line);
        if head.whole.is_empty() {
            return;
        }
        let names = &self.names;
        let known = |word: &str| names.contains_key(word);
        let Some(recognised) = recognise(head.number, head.text, &known) else {
            return self.other(head.whole);
        };
        let message = recognised.message;
        let of_a_failure = matches!(
            message,
            Message::ErrorBanner | Message::CommandFailed | Message::ChannelFailed { .. }
        );
        let unnamed = matches!(
            message,
            Message::RunStarted(Run::Other, _) | Message::RunFinished(Run::Other, _)
        );
        if recognised.by_number && !of_a_failure && !unnamed {
            self.notes.foreign_lines += 1;
        }
        if of_a_failure {
            self.note_failure(head.whole);
        } else {
            self.in_stack = false;
        }
        self.apply(message);
    }

    /// A line that tells nothing about files.
    fn other(&mut self, line: &str) {
        self.deleting = None;
        if foreign::is_rman(line) {
            self.notes.foreign_lines += 1;
        }
        if self.in_stack && foreign::continues_a_stack(line) {
            self.note_failure(line);
            return;
        }
        self.in_stack = false;
        if line.starts_with("ORA-") {
            self.notes.errors_outside_stacks += 1;
        }
    }

    fn note_failure(&mut self, line: &str) {
        let is_frame = line.contains("=====");
        if is_frame || self.failures.len() >= FAILURES_MAX {
            return;
        }
        let mut end = line.len().min(FAILURE_BYTES_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        self.failures
            .push(line.get(..end).unwrap_or_default().to_owned());
    }

    fn apply(&mut self, message: Message<'_>) {
        let deleting = self.deleting.take();
        let is_end = message == Message::End;
        match message {
            Message::Banner => self.end_session(),
            Message::End => self.end_runs(),
            Message::Connected { name, dbid } => {
                self.end_session();
                self.ledger.connect(name, dbid);
            }
            Message::RunStarted(run, at) => {
                self.start_run(run);
                self.began = self.began.take().or_else(|| at.map(str::to_owned));
            }
            Message::RunFinished(run, at) => {
                self.finish_run(run);
                self.finished_at = at.map(str::to_owned);
            }
            Message::ChannelKnown(name) => {
                self.channel(name);
            }
            Message::ErrorBanner | Message::CommandFailed => self.fail_command(),
            Message::ChannelFailed { channel } => self.fail_channel(channel),
            Message::Restoring => self.finished = None,
            Message::Deleted(what) => self.deleting = Some((what, false)),
            Message::DeletingArchivedLogs => self.deleting = Some((Listed::ArchivedLog, true)),
            Message::ListedFile { what, path } => {
                if let Some((_, many)) = deleting.filter(|(wanted, _)| *wanted == what) {
                    self.ledger.delete(path);
                    self.deleting = many.then_some((what, many));
                }
            }
            Message::RecoveringCopy { number, path } => self.ledger.merge_copy(number, path),
            Message::NoCopyToRecover(number) => {
                if self.notes.without_copy.len() < RECORDS_MAX {
                    self.notes.without_copy.push(number);
                }
            }
            message => self.apply_to_file(message),
        }
        if is_end {
            self.ended = true;
        } else {
            self.begun = true;
            self.ended = false;
        }
    }

    /// What is said of sets, pieces and copies. In a restore nothing of it is a backup.
    fn apply_to_file(&mut self, message: Message<'_>) {
        if !self.is_in_backup() {
            return;
        }
        match message {
            Message::SetStarted {
                channel,
                kind,
                compressed,
            } => self.start_set(channel, kind, compressed),
            Message::Specifying { channel, kind } => self.specify(channel, kind),
            Message::InputDatafile { number, name } => self.input_datafile(number, name),
            Message::InputDatafileCopy { number } => {
                self.last_datafile = self.specified_set();
                if let Some(set) = self.last_datafile {
                    self.ledger.add_datafile(set, number, "", true);
                }
            }
            Message::InputFileName(name) => {
                if let Some(set) = self.last_datafile {
                    self.ledger.name_last_copy(set, name);
                }
            }
            Message::Blocks(blocks) => {
                if let Some(set) = self.last_datafile {
                    self.ledger.limit_last(set, blocks);
                }
            }
            Message::SkippedDatafile(number) => self.skip(number),
            Message::InputArchivedLog(log) => self.input_archived_log(log),
            Message::ControlFile | Message::StandbyControlFile | Message::Spfile => {
                self.include(&message);
            }
            Message::PieceStarted {
                channel,
                number,
                at,
            } => {
                if let Some((channel, _)) = self.set_of(channel) {
                    self.close_heading(channel);
                    if let Some(channel) = self.channels.get_mut(channel) {
                        channel.piece = Some((number, at.to_owned()));
                    }
                }
            }
            Message::PieceFinished {
                channel,
                number,
                at,
                tag,
            } => self.finish_piece(channel, number, at, tag),
            Message::PieceHandle { handle, tag } => self.name_piece(handle, tag),
            Message::SetComplete(channel) => self.complete_set(channel),
            Message::SetCancelled(channel) => self.cancel_set(channel),
            Message::CopyStarted { channel, of } => self.start_copy(channel, of),
            Message::CopyingControlFile { standby } => {
                let of = if standby {
                    CopiedFile::StandbyControlFile
                } else {
                    CopiedFile::ControlFile
                };
                self.input_of_copy(of);
            }
            Message::Output { path, tag } => self.output(path, tag),
            Message::CopyComplete(channel) => self.complete_copy(channel),
            _ => {}
        }
    }

    // ---- Sessions and runs ------------------------------------------------------------------------------------------

    /// Whether files that are written now are backups. Without any run the log's beginning is missing.
    fn is_in_backup(&self) -> bool {
        self.runs.last().is_none_or(|open| open.run != Run::Other)
    }

    /// A set or copy was begun here.
    fn note_content(&mut self) {
        match self.runs.last_mut() {
            Some(open) => open.has_content = true,
            None if self.after_failure => {}
            None => {
                self.short_of.insert(Shortcoming::HeadMissing);
            }
        }
    }

    fn start_run(&mut self, run: Run) {
        self.after_failure = false;
        self.finished = None;
        // Scripts announce `Starting backup at` too, so one without content was none of RMAN's.
        if let Some(at) = self.runs.iter().position(|open| open.run == run) {
            if self.runs.iter().skip(at).any(|open| open.has_content) {
                self.short_of.insert(Shortcoming::TailMissing);
            }
            self.runs.truncate(at);
        }
        if self.runs.len() >= RUNS_MAX {
            self.runs.remove(0);
        }
        self.runs.push(OpenRun {
            run,
            has_content: false,
        });
    }

    fn finish_run(&mut self, run: Run) {
        self.finished = None;
        self.settle_outputs();
        let found = self
            .runs
            .iter()
            .rposition(|open| open.run == run || run == Run::Unnamed || open.run == Run::Unnamed);
        match found {
            Some(at) => self.runs.truncate(at),
            None if self.after_failure => {}
            None => {
                self.short_of.insert(Shortcoming::HeadMissing);
            }
        }
    }

    /// RMAN says that it ends: whatever is open then was cut off.
    fn end_runs(&mut self) {
        self.settle_outputs();
        let open = |channel: &Channel| {
            channel.set.is_some() || channel.copy.as_ref().is_some_and(|copy| !copy.written)
        };
        if !self.after_failure && (!self.runs.is_empty() || self.channels.iter().any(open)) {
            self.short_of.insert(Shortcoming::TailMissing);
        }
        self.runs.clear();
        self.names.clear();
        self.channels.clear();
        self.headings.clear();
        self.finished = None;
        self.last_datafile = None;
        self.orphan = None;
        self.in_stack = false;
        self.after_failure = false;
    }

    /// Another session begins. The connection of the one that has just begun is no end of it.
    fn end_session(&mut self) {
        // A script may have announced `Starting backup at` before it started RMAN.
        self.runs.retain(|open| open.has_content);
        let was_busy = !self.runs.is_empty() || !self.channels.is_empty();
        if was_busy && !self.ended {
            self.short_of.insert(Shortcoming::TailMissing);
        }
        if !was_busy && self.finished_at.is_none() {
            self.began = None;
        }
        self.end_runs();
    }

    // ---- Channels ---------------------------------------------------------------------------------------------------

    /// The place of a channel, new ones included.
    fn channel(&mut self, name: &str) -> Option<usize> {
        if let Some(at) = self.names.get(name) {
            return Some(*at);
        }
        if self.channels.len() >= CHANNELS_MAX {
            self.short_of.insert(Shortcoming::TooMuch);
            return None;
        }
        let at = self.channels.len();
        self.names.insert(name.to_owned(), at);
        self.channels.push(Channel::default());
        Some(at)
    }

    fn close_heading(&mut self, channel: usize) {
        self.headings.retain(|(of, _)| *of != channel);
    }

    fn open_heading(&mut self, channel: usize, heading: Heading) {
        self.close_heading(channel);
        self.headings.push((channel, heading));
    }

    /// The set of the channel whose specification is open, not of the one that spoke last (trap 1).
    fn specified_set(&mut self) -> Option<SetAt> {
        let mut open = self
            .headings
            .iter()
            .rev()
            .filter(|(_, heading)| *heading == Heading::Set);
        let Some((channel, _)) = open.next().copied() else {
            self.note_content();
            return None;
        };
        if open.next().is_some() {
            self.notes.ambiguous_lines += 1;
        }
        self.channels.get(channel)?.set
    }

    /// A channel and its set. If the log has no beginning of the set, it begins here and nobody knows what is in it.
    fn set_of(&mut self, channel: &str) -> Option<(usize, SetAt)> {
        let at = self.channel(channel)?;
        if let Some(set) = self.channels.get(at)?.set {
            return Some((at, set));
        }
        self.short_of.insert(Shortcoming::HeadMissing);
        let set = self
            .ledger
            .begin_set(Some(channel), SetKind::Unknown, false)?;
        self.channels.get_mut(at)?.set = Some(set);
        Some((at, set))
    }

    // ---- Failures ---------------------------------------------------------------------------------------------------

    /// The banner ends the command, and with it all that is open. What another channel still finishes is finished.
    fn fail_command(&mut self) {
        self.in_stack = true;
        self.after_failure = true;
        self.short_of.insert(Shortcoming::CommandFailed);
        self.settle_outputs();
        self.runs.clear();
        self.headings.clear();
        for channel in &mut self.channels {
            channel.copy = None;
            if let Some(set) = channel.set.and_then(|set| self.ledger.set(set)) {
                set.state = SetState::Failed;
            }
        }
    }

    /// RMAN-03009, also without the banner: the others go on (trap 8).
    fn fail_channel(&mut self, name: Option<&str>) {
        self.in_stack = true;
        self.short_of.insert(Shortcoming::ChannelFailed);
        let Some(at) = name.and_then(|name| self.names.get(name)).copied() else {
            return;
        };
        self.close_heading(at);
        self.end_set(at, SetState::Failed);
        if let Some(channel) = self.channels.get_mut(at) {
            channel.copy = None;
        }
    }

    // ---- The end ----------------------------------------------------------------------------------------------------

    /// The account, after the last line.
    pub(super) fn finish(mut self, lines: u64, is_too_long: bool) -> Account {
        self.notes.lines = lines;
        let foreign = self.notes.foreign_lines > 0;
        self.end_runs();
        // In another language the last line is another one.
        if self.begun && !self.ended && !foreign {
            self.short_of.insert(Shortcoming::TailMissing);
        }
        if is_too_long {
            self.short_of.insert(Shortcoming::LogTooLong);
        }
        if self.ledger.too_much {
            self.short_of.insert(Shortcoming::TooMuch);
        }
        let cut_short = is_too_long || self.ledger.too_much;
        let databases = self.ledger.into_databases();
        let any = databases.iter().any(|database| {
            let real =
                |set: &super::BackupSet| !set.pieces.is_empty() || set.state != SetState::Complete;
            !database.copies.is_empty() || database.sets.iter().any(real)
        });
        if foreign {
            self.short_of.insert(Shortcoming::AnotherLanguage);
        }
        let outcome = if !any && foreign {
            Outcome::Localised
        } else if !any && !cut_short {
            Outcome::NothingFound
        } else if self.short_of.is_empty() {
            Outcome::Parsed
        } else {
            Outcome::Partial {
                because: self.short_of.into_iter().collect(),
            }
        };
        Account {
            outcome,
            began: self.began,
            finished: self.finished_at,
            databases,
            failures: self.failures,
            notes: self.notes,
        }
    }
}
