//! Choosing backups: the newest that reaches a point, parents of increments, and increments to apply.
//! What lives here: plain decisions over what the control file says. What does not: acting on them.

use crate::engine::backup_records::{CopyRecord, FileState, SetKind, SetRecord, Status};
use crate::engine::control::{Control, DatafileRecord};

/// The point that a backup must not lie behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Limit {
    /// Changes from this SCN on are not wanted.
    pub scn: Option<u64>,
    /// Changes from this second on are not wanted, a time number.
    pub time: Option<u32>,
    /// Only backups with this tag.
    pub tag: Option<String>,
}

impl Limit {
    /// Whether a backup can be recovered to the point: nothing in it is newer.
    fn allows(&self, state: &FileState, completed: u32, tag: &str) -> bool {
        let by_scn = self
            .scn
            .is_none_or(|scn| state.checkpoint.0 <= scn && state.fuzzy_scn < scn);
        let by_time = self.time.is_none_or(|time| {
            // A backup without newer blocks is as old as its checkpoint, whenever it was completed.
            let newest = if state.fuzzy_scn > 0 {
                completed
            } else {
                state.checkpoint.1
            };
            newest < time
        });
        by_scn && by_time && self.tag.as_deref().is_none_or(|wanted| wanted == tag)
    }
}

/// A backup of a whole data file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whole<'a> {
    Set(&'a SetRecord),
    Copy(&'a CopyRecord),
}

/// Whether a backup is of this very file, in this incarnation.
fn is_of(control: &Control, file: &DatafileRecord, state: &FileState) -> bool {
    state.number == file.number
        && state.creation_scn == file.creation_scn
        && state.incarnation == control.incarnation()
}

fn state_in<'a>(
    set: &'a SetRecord,
    control: &Control,
    file: &DatafileRecord,
) -> Option<&'a FileState> {
    set.files.iter().find(|state| is_of(control, file, state))
}

/// The newest backup of a whole file within a limit; of equal ones the image copy, which is faster.
///
/// `excluded` are handles and copies that turned out to be unusable.
pub(super) fn newest_whole<'a>(
    control: &'a Control,
    file: &DatafileRecord,
    limit: &Limit,
    excluded: &[std::path::PathBuf],
) -> Option<(Whole<'a>, &'a FileState)> {
    let sets = control
        .backups
        .sets
        .iter()
        .filter(|set| set.status == Status::Available && !excluded.contains(&set.handle));
    let sets = sets.filter_map(|set| {
        let state = state_in(set, control, file)?;
        let whole = state.from_scn.is_none() && limit.allows(state, set.completed, &set.tag);
        whole.then_some((Whole::Set(set), state))
    });
    let copies = control
        .backups
        .copies
        .iter()
        .filter(|copy| copy.status == Status::Available && !excluded.contains(&copy.path));
    let copies = copies.filter_map(|copy| {
        let state = copy.file().filter(|state| is_of(control, file, state))?;
        limit
            .allows(state, copy.completed, &copy.tag)
            .then_some((Whole::Copy(copy), state))
    });
    sets.chain(copies)
        .max_by_key(|(_, state)| state.checkpoint.0)
}

/// The newest image copy of a file, whatever its tag unless one is given.
pub(super) fn newest_copy<'a>(
    control: &'a Control,
    file: &DatafileRecord,
    tag: Option<&str>,
) -> Option<(&'a CopyRecord, &'a FileState)> {
    let copies =
        control.backups.copies.iter().filter(|copy| {
            copy.status == Status::Available && tag.is_none_or(|tag| copy.tag == tag)
        });
    copies
        .filter_map(|copy| {
            Some((
                copy,
                copy.file().filter(|state| is_of(control, file, state))?,
            ))
        })
        .max_by_key(|(_, state)| state.checkpoint.0)
}

/// The level 1 backups that bring a file from a checkpoint onwards, in the order in which they are applied.
///
/// Each begins at or before where the one before it ends; the one that leads furthest is taken.
pub(super) fn increments<'a>(
    control: &'a Control,
    file: &DatafileRecord,
    checkpoint: u64,
    limit: &Limit,
) -> Vec<&'a SetRecord> {
    let mut reached = checkpoint;
    let mut chain = Vec::new();
    loop {
        let sets =
            control.backups.sets.iter().filter(|set| {
                set.status == Status::Available && set.kind == SetKind::Incremental(1)
            });
        let onwards = sets.filter_map(|set| {
            let state = state_in(set, control, file)?;
            let fits = state.from_scn.is_some_and(|from| from <= reached)
                && state.checkpoint.0 > reached
                && limit.allows(state, set.completed, &set.tag);
            fits.then_some((set, state.checkpoint.0))
        });
        let Some((set, end)) = onwards.max_by_key(|(_, end)| *end) else {
            return chain;
        };
        reached = end;
        chain.push(set);
    }
}

/// From which SCN on a level 1 for the copies with a tag has to hold changed blocks; None when there is no copy.
///
/// That is where the copy and the level 1 backups that wait to be applied to it end.
pub(super) fn copy_parent(control: &Control, file: &DatafileRecord, tag: &str) -> Option<u64> {
    let (_, state) = newest_copy(control, file, Some(tag))?;
    let limit = Limit {
        tag: Some(tag.to_owned()),
        ..Limit::default()
    };
    let waiting = increments(control, file, state.checkpoint.0, &limit);
    let end = |set: &&SetRecord| state_in(set, control, file).map(|state| state.checkpoint.0);
    Some(waiting.last().and_then(end).unwrap_or(state.checkpoint.0))
}

/// From which SCN on a level 1 has to hold changed blocks; None when there is no parent.
///
/// The parent is the newest level 0, or with a differential backup the newest level 1 after it.
pub(super) fn parent(control: &Control, file: &DatafileRecord, cumulative: bool) -> Option<u64> {
    let sets = control
        .backups
        .sets
        .iter()
        .filter(|set| set.status == Status::Available && set.kind == SetKind::Incremental(0));
    let sets = sets
        .filter_map(|set| state_in(set, control, file))
        .filter(|state| state.from_scn.is_none());
    let copies = control
        .backups
        .copies
        .iter()
        .filter(|copy| copy.status == Status::Available && copy.level_0);
    let copies = copies
        .filter_map(CopyRecord::file)
        .filter(|state| is_of(control, file, state));
    let base = sets.chain(copies).map(|state| state.checkpoint.0).max()?;
    if cumulative {
        return Some(base);
    }
    let chain = increments(control, file, base, &Limit::default());
    let end = |set: &&SetRecord| state_in(set, control, file).map(|state| state.checkpoint.0);
    Some(chain.last().and_then(end).unwrap_or(base))
}

/// In how many sets an archived log is.
pub(super) fn times_backed_up(
    control: &Control,
    sequence: u32,
    incarnation: crate::engine::control::Incarnation,
) -> usize {
    let sets = control
        .backups
        .sets
        .iter()
        .filter(|set| set.status == Status::Available);
    sets.filter(|set| {
        set.logs
            .iter()
            .any(|log| (log.sequence, log.incarnation) == (sequence, incarnation))
    })
    .count()
}

#[cfg(test)]
mod tests;
