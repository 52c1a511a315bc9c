//! One log after the other: checked, copied, entered, and only then deleted.
//! What lives here: the steps of one log, in an order that a crash cannot hurt. What does not: choosing logs.
//!
//! The copy is written under a hidden name with this run's id, compared with the original, synced and renamed; then
//! `arch<SID>.log` is replaced; then the original is removed; then `arch<SID>.log` says so. A crash at any point leaves
//! the original, or an entry that names a good copy. A log that fails its checks is put aside and stays where it is;
//! the others go on.

use std::fs;
use std::path::{Path, PathBuf};

use oracle::redo::{ArchivedLogReport, LogHeader};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::inspect::{KnownLogs, Neighbour, compare_neighbours, stored_header};
use super::plan::{self, Handled, Item, Plan};
use super::run::{Run, Stop};
use super::tape;
use crate::action_id::{ActionId, Stamp};
use crate::copy::{self, Content, CopyError, CopyReport, CopyRequest, hash_file, require_space};
use crate::durable;
use crate::failpoint;
use crate::run_log::megabytes;
use crate::summary::archive::{ArchivedLogEntry, StoredCopy, stored_now};

/// Processes the plan. Stops only where no other log could succeed either.
pub(super) fn all(run: &mut Run, plan: &Plan, known: Option<&KnownLogs>) -> Result<(), Stop> {
    let (mut done, mut bytes) = (0, 0);
    let mut before: Option<LogHeader> = None;
    for item in &plan.items {
        if run.is_asked_to_stop()? {
            break;
        }
        run.handled.insert(Handled::of(&item.log));
        run.logs_left = run.logs_left.saturating_sub(1);
        run.log.blank();
        run.log.stamp();
        if let Some(header) = one(run, item, known, before.as_ref())? {
            done += 1;
            bytes += item.log.bytes;
            run.log.info(
                14,
                &[
                    &done,
                    &plan.items.len(),
                    &megabytes(bytes),
                    &megabytes(plan.bytes()),
                ],
            );
            before = Some(header);
        }
        if tape::is_full(run) {
            break;
        }
        failpoint::reach("archive-between-logs");
    }
    run.log.blank();
    run.log.info(16, &[&done, &megabytes(bytes)]);
    Ok(())
}

/// Processes one log. None: it was left, and why has been said.
fn one(
    run: &mut Run,
    item: &Item,
    known: Option<&KnownLogs>,
    before: Option<&LogHeader>,
) -> Result<Option<LogHeader>, Stop> {
    let path = &item.log.path;
    let report = match item.log.check(known) {
        Ok(report) => report,
        Err(why) => {
            put_aside(run, path, &why)?;
            return Ok(None);
        }
    };
    let may_delete = check_neighbour(run, before, &report.header);
    for (place, wanted) in [
        (Place::First, item.steps.save),
        (Place::Second, item.steps.copy),
    ] {
        if wanted && !save(run, item, &report, place)? {
            return Ok(None);
        }
    }
    if item.steps.delete && may_delete && !tape::delete_later(run, item) {
        delete(run, item)?;
    }
    Ok(Some(report.header))
}

/// Says where logs are missing or contradict each other. One that contradicts its neighbour is saved and not deleted.
fn check_neighbour(run: &mut Run, before: Option<&LogHeader>, header: &LogHeader) -> bool {
    let entry = plan::entry_before(&run.summary, header).map_or(0, |entry| entry.sequence);
    // The nearest of those that are known counts: logs of earlier runs may lie between two of this one.
    let is_nearest = |before: &&LogHeader| {
        before.thread == header.thread
            && before.resetlogs == header.resetlogs
            && before.sequence.get() >= entry
    };
    let neighbour = match before.filter(is_nearest) {
        Some(before) => compare_neighbours(Some(before), header),
        None => compare_with_summary(run, header),
    };
    match neighbour {
        Neighbour::Follows => true,
        Neighbour::Gap(first, last) => {
            run.log.warning(
                9012,
                &[&format!(
                    "sequence {first} to {last} before {} were never seen",
                    header.sequence
                )],
            );
            true
        }
        Neighbour::Contradicts(why) => {
            run.log.warning(9012, &[&why]);
            false
        }
    }
}

fn compare_with_summary(run: &Run, header: &LogHeader) -> Neighbour {
    let Some(entry) = plan::entry_before(&run.summary, header) else {
        return Neighbour::Follows;
    };
    let stored = entry
        .copies()
        .filter_map(|copy| stored_header(&copy.stored.as_ref()?.2))
        .next();
    let follows = entry.sequence + 1 == header.sequence.get();
    match stored {
        Some(stored) => compare_neighbours(Some(&stored), header),
        // The copy has moved on to another medium: only the number can be compared.
        None if follows => Neighbour::Follows,
        None => Neighbour::Gap(
            oracle::scn::LogSequence::new(entry.sequence + 1),
            oracle::scn::LogSequence::new(header.sequence.get() - 1),
        ),
    }
}

/// Which of the two copies is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Second,
}

/// Copies and enters a log. False: it was left, and why has been said.
fn save(
    run: &mut Run,
    item: &Item,
    report: &ArchivedLogReport,
    place: Place,
) -> Result<bool, Stop> {
    if run.tapes.is_some() {
        return tape::save(run, item, report, place);
    }
    let path = &item.log.path;
    let wanted = run.settings.directories[place as usize].join(item.log.name());
    run.log.info(202, &[&path.display()]);
    run.log.info(203, &[&wanted.display()]);
    failpoint::reach("archive-before-copy");
    let Some(stored) = store(run, path, &wanted)? else {
        return Ok(false);
    };
    failpoint::reach("archive-before-summary");
    run.position += 1;
    let position = run.position;
    let copy = stored_now(
        run.log.id(),
        run.log.function(),
        position,
        (stored.hash, stored.bytes, stored.path.clone()),
    );
    enter(run, item, report, place, copy);
    run.write_summary()?;
    run.log.saved(
        "ARCHIVE",
        path,
        &stored.path,
        position,
        (&stored.hash, stored.bytes),
    );
    Ok(true)
}

/// A copy in its place.
struct Stored {
    path: PathBuf,
    hash: blake3::Hash,
    bytes: u64,
}

/// Brings the copy to its place. None: this log cannot be copied, others may.
fn store(run: &mut Run, source: &Path, wanted: &Path) -> Result<Option<Stored>, Stop> {
    let (mut target, id) = (wanted.to_owned(), run.log.id());
    if wanted.exists() {
        if let Some(found) = adopt(source, wanted) {
            run.log.info(
                9045,
                &[&format!(
                    "{} is there already and is this log",
                    wanted.display()
                )],
            );
            return Ok(Some(found));
        }
        target = renamed(wanted, id);
        run.log.info(
            9045,
            &[&format!(
                "{} is another log; this one goes to {}",
                wanted.display(),
                target.display()
            )],
        );
    }
    let part = durable::beside(&target, &id.to_string());
    let copied = copy_log(run, source, &part).and_then(|report| {
        failpoint::reach("archive-before-publish");
        publish(&part, &target).map_err(|source| CopyError::Target {
            doing: "naming",
            path: target.clone(),
            source,
        })?;
        Ok(Stored {
            path: target.clone(),
            hash: report.hash,
            bytes: report.bytes,
        })
    });
    match copied {
        Ok(stored) => Ok(Some(stored)),
        Err(CopyError::Interrupted { signal }) => Err(Stop::Signal(signal)),
        Err(error) => {
            copy::report::failure(&mut run.log, source, &target, &error);
            let concerns_source = matches!(
                error,
                CopyError::Source { .. }
                    | CopyError::SourceChanged { .. }
                    | CopyError::NotRegular { .. }
            );
            if concerns_source {
                Ok(None)
            } else {
                Err(Stop::Failed)
            }
        }
    }
}

fn copy_log(run: &Run, source: &Path, part: &Path) -> Result<CopyReport, CopyError> {
    let bytes = fs::metadata(source).map_or(0, |metadata| metadata.len());
    require_space(durable::parent(part), bytes)?;
    let request = CopyRequest {
        source,
        target: part,
        tool: &run.settings.tool,
        content: Content::Opaque,
        failpoint: Some("archive-inside-copy"),
    };
    copy::copy_file(&request, &run.interrupt)
}

/// A copy that a killed run had finished and not entered: equal to the last byte, so it is as good as a new one.
fn adopt(source: &Path, target: &Path) -> Option<Stored> {
    if durable::is_same_file(source, target) {
        return None; // One file under two names is no copy.
    }
    let bytes = fs::metadata(source).ok()?.len();
    if fs::metadata(target).ok()?.len() != bytes {
        return None;
    }
    let hash = hash_file(target).ok()?;
    (hash == hash_file(source).ok()? && copy::sync(target).is_ok()).then(|| Stored {
        path: target.to_owned(),
        hash,
        bytes,
    })
}

fn renamed(path: &Path, id: ActionId) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{id}"))
}

/// Gives the copy its name; an existing file is never replaced.
fn publish(part: &Path, target: &Path) -> std::io::Result<()> {
    let renamed = renameat_with(CWD, part, CWD, target, RenameFlags::NOREPLACE);
    match renamed {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            // This file system cannot rename without replacing; a second name fails where the first is taken.
            fs::hard_link(part, target)?;
            fs::remove_file(part)?;
        }
        other => other?,
    }
    durable::sync_directory(durable::parent(target))
}

/// Enters a copy in `arch<SID>.log`, which is not written yet.
pub(super) fn enter(
    run: &mut Run,
    item: &Item,
    report: &ArchivedLogReport,
    place: Place,
    stored: StoredCopy,
) {
    let header = &report.header;
    if let Some(entry) = plan::entry_mut(&mut run.summary, &item.log) {
        entry.deleted = None;
        match place {
            Place::First => entry.saved = Some(stored),
            Place::Second => entry.copied = Some(stored),
        }
        return;
    }
    let place = plan::place_of(&run.summary, header);
    run.summary.entries.insert(
        place,
        ArchivedLogEntry {
            sequence: header.sequence.get(),
            path: item.log.path.clone(),
            created: item.log.created.clone(),
            bytes: item.log.bytes,
            first_scn: header.first_scn.get(),
            thread: header.thread,
            resetlogs_id: Some(header.resetlogs.time.raw()),
            saved: Some(stored),
            copied: None,
            deleted: None,
        },
    );
}

/// Removes the original, after looking once more that the copies which `arch<SID>.log` names are there and whole.
pub(super) fn delete(run: &mut Run, item: &Item) -> Result<(), Stop> {
    let path = &item.log.path;
    let copies: Vec<StoredCopy> = plan::entry_of(&run.summary, &item.log)
        .map(|entry| entry.copies().cloned().collect())
        .unwrap_or_default();
    if copies.is_empty() || copies.iter().any(|copy| copy.stored.is_none()) {
        run.log.warning(
            9043,
            &[
                &format!(
                    "{} is not deleted: its copy cannot be checked",
                    path.display()
                ),
                &"save it again with brarchive -s",
            ],
        );
        return Ok(());
    }
    let mut original = None;
    // What is on a tape was compared when it was written; now the original must be what it was then.
    for (hash, _, name) in copies
        .iter()
        .filter(|copy| tape::is_proven(copy))
        .filter_map(|copy| copy.stored.as_ref())
    {
        let hash_now = *original.get_or_insert_with(|| hash_file(path).ok());
        if hash_now != Some(*hash) {
            run.log.error(9013, &[&name.display(), &path.display()]);
            return Ok(());
        }
    }
    for (made_by, (hash, bytes, copy)) in copies
        .iter()
        .filter(|copy| !tape::is_proven(copy))
        .filter_map(|copy| Some((copy.id, copy.stored.as_ref()?)))
    {
        if durable::is_same_file(path, copy) {
            run.log.error(
                9044,
                &[
                    &format!("{} is its own copy and is not deleted", path.display()),
                    &"copies belong into a directory of their own: correct archive_copy_dir and backup_root_dir",
                ],
            );
            return Ok(());
        }
        // A copy made by this run has just been compared; one of an earlier run may have suffered since, and the
        // original may be another log that has come to the same name.
        let is_new = made_by == run.log.id();
        let is_long_enough = fs::metadata(copy).is_ok_and(|metadata| metadata.len() == *bytes);
        if !is_long_enough || !is_new && hash_file(copy).ok() != Some(*hash) {
            run.log.error(9013, &[&copy.display(), &path.display()]);
            return Ok(());
        }
        if !is_new {
            let hash_now = *original.get_or_insert_with(|| hash_file(path).ok());
            if hash_now != Some(*hash) {
                run.log.error(
                    9044,
                    &[
                        &format!("{} is not what {} is a copy of, and is not deleted", path.display(), copy.display()),
                        &"move the log to another name in the archive directory and save it with brarchive -s",
                    ],
                );
                return Ok(());
            }
        }
    }
    failpoint::reach("archive-before-delete");
    if let Err(error) = durable::remove(path) {
        run.log.error(252, &[&"unlink", &path.display()]);
        run.log.error(253, &[&error]);
        return Ok(());
    }
    failpoint::reach("archive-after-delete");
    run.log.info(15, &[&path.display()]);
    let deleted = (
        run.log.id(),
        run.log.function().to_owned(),
        Stamp::now().to_string(),
    );
    if let Some(entry) = plan::entry_mut(&mut run.summary, &item.log) {
        entry.deleted = Some(deleted);
    }
    run.write_summary()
}

/// A damaged log: the alarm, and a copy of what there is. The original stays, and no entry is made.
fn put_aside(run: &mut Run, path: &Path, why: &str) -> Result<(), Stop> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let target = run.settings.directories[0].join(format!("{name}.damaged"));
    run.log
        .error(9010, &[&path.display(), &why, &target.display()]);
    if adopt(path, &target).is_some() {
        return Ok(()); // An earlier run has put the same bytes aside.
    }
    let target = if target.exists() {
        renamed(&target, run.log.id())
    } else {
        target
    };
    match copy_log(run, path, &target) {
        Ok(_) => Ok(()),
        Err(CopyError::Interrupted { signal }) => Err(Stop::Signal(signal)),
        Err(error) => {
            // The original is all there is then, and it stays; the next log may still be saved.
            copy::report::failure(&mut run.log, path, &target, &error);
            Ok(())
        }
    }
}

/// Removes what killed runs left half written: hidden names with a run's id, which no entry ever mentions.
pub(super) fn remove_leftovers(run: &mut Run) {
    let directories = run.settings.directories.clone();
    let entries = directories
        .iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten();
    for path in entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_leftover(path))
    {
        match fs::remove_file(&path) {
            Ok(()) => run.log.info(
                9045,
                &[&format!(
                    "{}, half written by a killed run, removed",
                    path.display()
                )],
            ),
            Err(error) => run.log.warning(
                9043,
                &[
                    &format!("{}: {error}", path.display()),
                    &"remove it by hand",
                ],
            ),
        }
    }
}

fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = name
        .strip_prefix('.')
        .and_then(|rest| rest.rsplit_once('.'))
        .map(|(_, id)| id.parse::<ActionId>());
    matches!(id, Some(Ok(id)) if id.letter() == 'a')
}
