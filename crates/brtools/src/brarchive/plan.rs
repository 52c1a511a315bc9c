//! From what there is to what is done: which logs, in which order, with which steps.
//! What lives here: the decision, made from `arch<SID>.log` and the files. What does not: carrying it out.

use std::collections::HashMap;
use std::path::PathBuf;

use oracle::redo::LogHeader;

use super::function::{ArchiveFunction, CopyState, Steps};
use super::inspect::{Completeness, FoundLog, KnownLogs, stored_header};
use super::run::Run;
use crate::copy::hash_file;
use crate::summary::archive::{ArchiveSummary, ArchivedLogEntry, StoredCopy};

/// Logs to process, oldest first.
pub(super) struct Plan {
    pub items: Vec<Item>,
}

/// One log and what is done to it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub log: FoundLog,
    pub steps: Steps,
}

/// A log that this run has dealt with: it is not taken up again, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Handled {
    path: PathBuf,
    bytes: u64,
    written: String,
}

impl Handled {
    pub(super) fn of(log: &FoundLog) -> Handled {
        Handled {
            path: log.path.clone(),
            bytes: log.bytes,
            written: log.created.clone(),
        }
    }
}

impl Plan {
    pub(super) fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.log.bytes).sum()
    }
}

/// Chooses the logs. Those that Oracle has not finished are named and left.
pub(super) fn make(run: &mut Run, found: Vec<FoundLog>, known: Option<&KnownLogs>) -> Plan {
    let mut items = Vec::new();
    let index = EntryIndex::new(&run.summary);
    let mut unfinished = Vec::new();
    let mut is_full = false;
    for log in found {
        if run.handled.contains(&Handled::of(&log)) {
            continue;
        }
        let function = run.settings.function;
        let entry = index.entry_of(&run.summary, &log);
        let mut steps = function.steps(state_of(entry));
        steps.delete |= entry.is_some_and(|entry| was_to_go(entry, function));
        if steps == Steps::default() {
            continue;
        }
        if items.len() >= run.logs_left {
            is_full = true;
            break;
        }
        match log.completeness(known) {
            Completeness::Complete => items.push(Item { log, steps }),
            Completeness::Unfinished(why) => unfinished.push((log.path, why)),
        }
    }
    for (path, why) in unfinished {
        run.say_once(format!(
            "{} is left for the next run: {why}",
            path.display()
        ));
    }
    if is_full {
        run.say_once(format!(
            "the other logs are left for the next run: -n {}",
            run.settings.logs_max
        ));
    }
    Plan { items }
}

/// Entries by thread and sequence: looking through all of them for each of ten thousand logs would take long.
struct EntryIndex(HashMap<(u16, u32), Vec<usize>>);

impl EntryIndex {
    fn new(summary: &ArchiveSummary) -> EntryIndex {
        let mut places: HashMap<(u16, u32), Vec<usize>> = HashMap::new();
        for (place, entry) in summary.entries.iter().enumerate() {
            places
                .entry((entry.thread, entry.sequence))
                .or_default()
                .push(place);
        }
        EntryIndex(places)
    }

    /// As [`entry_of`].
    fn entry_of<'a>(
        &self,
        summary: &'a ArchiveSummary,
        log: &FoundLog,
    ) -> Option<&'a ArchivedLogEntry> {
        let header = log.header.as_ref().ok()?;
        let places = self.0.get(&(header.thread, header.sequence.get()))?;
        let entries = places
            .iter()
            .rev()
            .filter_map(|place| summary.entries.get(*place));
        entries.into_iter().find(|entry| is_of(entry, log, header))
    }
}

/// Whether an earlier run of the same function made the last copy and was killed before it could delete the original.
fn was_to_go(entry: &ArchivedLogEntry, function: ArchiveFunction) -> bool {
    let last = entry.copied.as_ref().or(entry.saved.as_ref());
    let deletes = [CopyState::New, CopyState::Saved]
        .into_iter()
        .any(|state| function.steps(state).delete);
    deletes && last.is_some_and(|copy| copy.function == function.id)
}

fn state_of(entry: Option<&ArchivedLogEntry>) -> CopyState {
    match entry {
        None => CopyState::New,
        Some(entry) => {
            let is_there =
                |copy: &Option<StoredCopy>| copy.as_ref().is_some_and(|copy| !copy.is_unread);
            match (is_there(&entry.saved), is_there(&entry.copied)) {
                (_, true) => CopyState::Copied,
                (true, false) => CopyState::Saved,
                (false, false) => CopyState::New,
            }
        }
    }
}

/// The entry of this very log.
pub(super) fn entry_of<'a>(
    summary: &'a ArchiveSummary,
    log: &FoundLog,
) -> Option<&'a ArchivedLogEntry> {
    summary.entries.get(entry_index(summary, log)?)
}

/// As [`entry_of`], to be changed.
pub(super) fn entry_mut<'a>(
    summary: &'a mut ArchiveSummary,
    log: &FoundLog,
) -> Option<&'a mut ArchivedLogEntry> {
    let index = entry_index(summary, log)?;
    summary.entries.get_mut(index)
}

/// Where the entry of this very log is.
///
/// Its numbers alone do not tell: a database that was restored without RESETLOGS writes its sequences again, from the
/// same first SCN and to the same size. What tells is the header of the stored copy, which has the end of the log and
/// its times; where no copy can be read, the time of the file's last change or the copy's recorded hash.
fn entry_index(summary: &ArchiveSummary, log: &FoundLog) -> Option<usize> {
    let header = log.header.as_ref().ok()?;
    summary
        .entries
        .iter()
        .rposition(|entry| is_of(entry, log, header))
}

fn is_of(entry: &ArchivedLogEntry, log: &FoundLog, header: &LogHeader) -> bool {
    has_numbers_of(entry, header, log.bytes) && is_same_log(entry, log, header)
}

fn has_numbers_of(entry: &ArchivedLogEntry, header: &LogHeader, bytes: u64) -> bool {
    entry.sequence == header.sequence.get()
        && entry.thread == header.thread
        && entry.first_scn == header.first_scn.get()
        && entry.bytes == bytes
        && entry
            .resetlogs_id
            .is_none_or(|id| id == header.resetlogs.time.raw())
}

fn is_same_log(entry: &ArchivedLogEntry, log: &FoundLog, header: &LogHeader) -> bool {
    let stored = || entry.copies().filter_map(|copy| copy.stored.as_ref());
    if let Some(copy) = stored().find_map(|(_, _, path)| stored_header(path)) {
        return copy == *header;
    }
    entry.created == log.created
        || hash_file(&log.path).is_ok_and(|hash| stored().any(|(stored, _, _)| *stored == hash))
}

/// Where a new entry belongs: behind the last smaller sequence of its incarnation and thread, so that they ascend.
pub(super) fn place_of(summary: &ArchiveSummary, header: &LogHeader) -> usize {
    let same = |entry: &ArchivedLogEntry| {
        entry.thread == header.thread
            && entry
                .resetlogs_id
                .is_none_or(|id| id == header.resetlogs.time.raw())
    };
    let sequence = header.sequence.get();
    let after_smaller = summary
        .entries
        .iter()
        .rposition(|entry| same(entry) && entry.sequence <= sequence)
        .map(|index| index + 1);
    let before_greater = || {
        summary
            .entries
            .iter()
            .position(|entry| same(entry) && entry.sequence > sequence)
    };
    after_smaller
        .or_else(before_greater)
        .unwrap_or(summary.entries.len())
}

/// The newest entry below a log in its incarnation and thread.
pub(super) fn entry_before<'a>(
    summary: &'a ArchiveSummary,
    header: &LogHeader,
) -> Option<&'a ArchivedLogEntry> {
    let same = |entry: &&ArchivedLogEntry| {
        entry.thread == header.thread
            && entry.resetlogs_id == Some(header.resetlogs.time.raw())
            && entry.sequence < header.sequence.get()
    };
    summary
        .entries
        .iter()
        .filter(same)
        .max_by_key(|entry| entry.sequence)
}
