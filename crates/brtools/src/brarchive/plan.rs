//! From what there is to what is done: which logs, in which order, with which steps.
//! What lives here: the decision, made from `arch<SID>.log` and the files. What does not: carrying it out.

use oracle::redo::LogHeader;

use super::function::{ArchiveFunction, CopyState, Steps};
use super::inspect::{Completeness, FoundLog, KnownLogs};
use super::run::Run;
use crate::summary::archive::{ArchiveSummary, ArchivedLogEntry};

/// Logs to process, oldest first.
pub(super) struct Plan {
    pub items: Vec<Item>,
}

/// One log and what is done to it.
pub(super) struct Item {
    pub log: FoundLog,
    pub steps: Steps,
}

impl Plan {
    pub(super) fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.log.bytes).sum()
    }
}

/// Chooses the logs. Those that Oracle has not finished are named and left.
pub(super) fn make(run: &mut Run, found: Vec<FoundLog>, known: Option<&KnownLogs>) -> Plan {
    let mut items = Vec::new();
    for log in found {
        let function = run.settings.function;
        let mut steps = function.steps(state_of(&run.summary, &log));
        steps.delete |=
            entry_of(&run.summary, &log).is_some_and(|entry| was_to_go(entry, function));
        if steps == Steps::default() {
            continue;
        }
        if items.len() >= run.settings.logs_max {
            run.log.info(
                9045,
                &[&format!(
                    "the other logs are left for the next run: -n {}",
                    run.settings.logs_max
                )],
            );
            break;
        }
        match log.completeness(known) {
            Completeness::Complete => items.push(Item { log, steps }),
            Completeness::Unfinished(why) => {
                run.log.info(
                    9045,
                    &[&format!(
                        "{} is left for the next run: {why}",
                        log.path.display()
                    )],
                );
            }
        }
    }
    Plan { items }
}

/// Whether an earlier run of the same function made the last copy and was killed before it could delete the original.
fn was_to_go(entry: &ArchivedLogEntry, function: ArchiveFunction) -> bool {
    let last = entry.copied.as_ref().or(entry.saved.as_ref());
    let deletes = [CopyState::New, CopyState::Saved]
        .into_iter()
        .any(|state| function.steps(state).delete);
    deletes && last.is_some_and(|copy| copy.function == function.id)
}

fn state_of(summary: &ArchiveSummary, log: &FoundLog) -> CopyState {
    match entry_of(summary, log) {
        Some(ArchivedLogEntry {
            copied: Some(_), ..
        }) => CopyState::Copied,
        Some(ArchivedLogEntry { saved: Some(_), .. }) => CopyState::Saved,
        _ => CopyState::New,
    }
}

/// The entry of this very log. One of the same number, incarnation and thread with another content is another log:
/// a database that was restored without RESETLOGS writes its sequences again.
pub(super) fn entry_of<'a>(
    summary: &'a ArchiveSummary,
    log: &FoundLog,
) -> Option<&'a ArchivedLogEntry> {
    let header = log.header.as_ref().ok()?;
    summary
        .entries
        .iter()
        .rev()
        .find(|entry| is_of(entry, header, log.bytes))
}

/// As [`entry_of`], to be changed.
pub(super) fn entry_mut<'a>(
    summary: &'a mut ArchiveSummary,
    header: &LogHeader,
    bytes: u64,
) -> Option<&'a mut ArchivedLogEntry> {
    summary
        .entries
        .iter_mut()
        .rev()
        .find(|entry| is_of(entry, header, bytes))
}

fn is_of(entry: &ArchivedLogEntry, header: &LogHeader, bytes: u64) -> bool {
    entry.sequence == header.sequence.get()
        && entry.thread == header.thread
        && entry.first_scn == header.first_scn.get()
        && entry.bytes == bytes
        && entry
            .resetlogs_id
            .is_none_or(|id| id == header.resetlogs.time.raw())
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
