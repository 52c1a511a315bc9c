//! RESTORE of data files and archived logs.
//! What lives here: which backups are read to where, and what is said. What does not: the control file
//! (`control_restore`), choosing (`choose`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use oracle::time::OracleTime;

use super::choose::{self, Limit, Whole};
use super::command::{Files, Restore, Restored, Until};
use super::failure::{Failure, Outcome};
use super::files;
use super::numbers;
use super::restore_jobs::{Job, Source, restore_logs_from, validate_set};
use super::session::Session;
use crate::engine::backup::Order;
use crate::engine::backup::naming::{Named, Naming};
use crate::engine::backup_records::{SetRecord, Status};
use crate::engine::control::{Control, DatafileRecord};

/// A point in the redo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Point {
    /// The end.
    Complete,
    /// Below this SCN.
    Scn(u64),
    /// Before this second.
    Time(OracleTime),
}

impl Session {
    /// RESTORE.
    pub(super) fn restore(&mut self, restore: &Restore) -> Outcome<()> {
        match &restore.what {
            Restored::Controlfile => self.restore_controlfile(restore),
            Restored::Spfile => self.restore_spfile(restore),
            Restored::ArchivedLogs(first, last) => {
                self.restore_logs(*first, *last, restore.validate)
            }
            Restored::Files(files) => self.restore_datafiles(files, restore),
        }
    }

    fn restore_datafiles(&mut self, files: &Files, restore: &Restore) -> Outcome<()> {
        let what = if restore.validate {
            "validate"
        } else {
            "restore"
        };
        self.begin("restore")?;
        let mut limit = self.limit(restore.until.as_ref())?;
        limit.tag.clone_from(&restore.from_tag);
        let control = self.control()?;
        let mut wanted: Vec<DatafileRecord> = files::select(&control, files)?
            .into_iter()
            .cloned()
            .collect();
        let mut excluded = Vec::new();
        loop {
            let jobs = self.plan_restore(&control, &wanted, &limit, &excluded, restore.validate)?;
            self.log.plain("");
            if restore.preview {
                self.preview(&jobs);
                break;
            }
            let failed = Mutex::new(Vec::new());
            self.share_out(what, jobs, |channel, job, bench| {
                let kept = job.clone();
                match job.run(channel, bench) {
                    Err(failure) if is_unusable(&failure) => {
                        failure.print_lines(bench.log);
                        failed
                            .lock()
                            .expect("failures are only pushed")
                            .push((kept, failure));
                        Ok(())
                    }
                    other => other,
                }
            })?;
            let failed = failed.into_inner().expect("all channels have ended");
            let Some((_, failure)) = failed.first() else {
                break;
            };
            excluded.extend(failed.iter().map(|(job, _)| job.source.path().clone()));
            wanted.retain(|file| {
                failed
                    .iter()
                    .any(|(job, _)| job.files.iter().any(|(number, _)| *number == file.number))
            });
            let left = wanted
                .iter()
                .all(|file| choose::newest_whole(&control, file, &limit, &excluded).is_some());
            if !left {
                return Err(failure.clone());
            }
            self.log
                .say(numbers::OBJECTS, "failover to previous backup");
        }
        if !restore.validate && !restore.preview {
            self.note_renamed(&control, files)?;
        }
        self.finish("restore");
        Ok(())
    }

    /// What is restored from where. Nothing is touched unless every file has a backup.
    fn plan_restore(
        &self,
        control: &Control,
        wanted: &[DatafileRecord],
        limit: &Limit,
        excluded: &[PathBuf],
        validate: bool,
    ) -> Outcome<Vec<Job>> {
        let mut missing = Vec::new();
        let mut sets: BTreeMap<u32, Job> = BTreeMap::new();
        let mut jobs = Vec::new();
        for file in wanted {
            let target = self.target_of(control, file)?;
            match choose::newest_whole(control, file, limit, excluded) {
                None => missing.push(file.number),
                Some((Whole::Copy(copy), _)) => jobs.push(Job {
                    source: Source::Copy(copy.clone()),
                    files: vec![(file.number, target)],
                    validate,
                }),
                Some((Whole::Set(set), _)) => {
                    let empty = || Job {
                        source: Source::Set(set.clone()),
                        files: Vec::new(),
                        validate,
                    };
                    sets.entry(set.key)
                        .or_insert_with(empty)
                        .files
                        .push((file.number, target));
                }
            }
        }
        if !missing.is_empty() {
            let top = Failure::new(6026, "some targets not found - aborting restore");
            return Err(missing.iter().fold(top, |failure, number| {
                failure.and(
                    6023,
                    format!("no backup or copy of datafile {number} found to restore"),
                )
            }));
        }
        jobs.extend(sets.into_values());
        Ok(jobs)
    }

    /// Where a data file goes: its own place, or where SET NEWNAME wants it.
    fn target_of(&self, control: &Control, file: &DatafileRecord) -> Outcome<PathBuf> {
        for (files, format) in &self.settings.new_names {
            if files::select(control, files)?
                .iter()
                .all(|chosen| chosen.number != file.number)
            {
                continue;
            }
            let naming = Naming {
                database: &control.name,
                dbid: control.dbid,
                time: OracleTime::now(),
                set: control.backups.last_set + 1,
                of: Named::Datafile(file, control.tablespace_name(file.tablespace)),
                autobackup: 0,
            };
            return Ok(naming.path(&self.home, format)?);
        }
        Ok(file.path.clone())
    }

    /// Files that were restored elsewhere become copies, which SWITCH finds.
    fn note_renamed(&mut self, control: &Control, files: &Files) -> Outcome<()> {
        let mut renamed = Vec::new();
        for file in files::select(control, files)? {
            let target = self.target_of(control, file)?;
            if target != file.path {
                renamed.push((file.number, target));
            }
        }
        if renamed.is_empty() {
            return Ok(());
        }
        self.order(Order::Renamed(renamed.clone()))?;
        self.settings.renamed.extend(renamed);
        Ok(())
    }

    fn preview(&self, jobs: &[Job]) {
        self.log
            .say(numbers::OBJECTS, "List of Backups to be restored");
        for job in jobs {
            let files: Vec<String> = job
                .files
                .iter()
                .map(|(number, _)| number.to_string())
                .collect();
            let files = files.join(", ");
            let path = job.source.path().display();
            let text = match &job.source {
                Source::Set(set) => {
                    format!("  Datafile {files}: backup set {}, piece {path}", set.key)
                }
                Source::Copy(copy) => {
                    format!("  Datafile {files}: image copy {}, file {path}", copy.recid)
                }
            };
            self.log.say(numbers::LISTED, text);
        }
    }

    /// How far a command goes: its own UNTIL, or that of SET.
    pub(super) fn point(&mut self, until: Option<&Until>) -> Outcome<Point> {
        let until = until.cloned().or_else(|| self.settings.until.clone());
        match until {
            None => Ok(Point::Complete),
            Some(Until::Scn(scn)) => Ok(Point::Scn(scn)),
            Some(Until::Time(text)) => self.evaluate_time(&text).map(Point::Time),
            Some(Until::Sequence(sequence)) => {
                first_scn(&self.control()?, sequence).map(Point::Scn)
            }
        }
    }

    fn limit(&mut self, until: Option<&Until>) -> Outcome<Limit> {
        let mut limit = Limit::default();
        match self.point(until)? {
            Point::Complete => {}
            Point::Scn(scn) => limit.scn = Some(scn),
            Point::Time(time) => limit.time = Some(time.raw()),
        }
        Ok(limit)
    }

    /// A date literal in NLS_DATE_FORMAT, or an expression such as `SYSDATE-7`.
    pub(super) fn evaluate_time(&mut self, text: &str) -> Outcome<OracleTime> {
        if let Some(time) = OracleTime::parse(text) {
            return Ok(time);
        }
        let literal = format!("to_date('{}')", text.replace('\'', "''"));
        let upper = text.to_uppercase();
        let is_expression = upper.contains("SYSDATE") || upper.contains("TO_DATE");
        let expression = if is_expression { text } else { &literal };
        let query = format!("select to_char({expression}, 'YYYY-MM-DD HH24:MI:SS') from dual");
        let outcome = self.target()?.execute(&query)?;
        let value = outcome
            .rows
            .first()
            .and_then(|row| row.first())
            .cloned()
            .flatten();
        let time = value.as_deref().and_then(OracleTime::parse);
        time.ok_or_else(|| Failure::new(6007, format!("'{text}' is no date")))
    }

    /// RESTORE ARCHIVELOG: those that are not on disk.
    fn restore_logs(&mut self, first: u32, last: u32, validate: bool) -> Outcome<()> {
        self.begin("restore")?;
        let control = self.control()?;
        let wanted = control.incarnation();
        let mut jobs: BTreeMap<u32, (SetRecord, Vec<u32>)> = BTreeMap::new();
        let mut seen = Vec::new();
        for set in control
            .backups
            .sets
            .iter()
            .rev()
            .filter(|set| set.status == Status::Available)
        {
            for log in set
                .logs
                .iter()
                .filter(|log| log.incarnation == wanted && (first..=last).contains(&log.sequence))
            {
                if seen.contains(&log.sequence) {
                    continue;
                }
                seen.push(log.sequence);
                let on_disk = control.archived.iter().find(|known| {
                    (known.sequence, known.incarnation) == (log.sequence, wanted)
                        && !known.deleted
                        && known.path.exists()
                });
                match on_disk {
                    Some(known) if !validate => self.log.say(
                        numbers::LOG_ON_DISK,
                        on_disk_text(known.sequence, &known.path),
                    ),
                    _ => jobs
                        .entry(set.key)
                        .or_insert_with(|| (set.clone(), Vec::new()))
                        .1
                        .push(log.sequence),
                }
            }
        }
        if seen.is_empty() {
            return Err(Failure::new(6026, "some targets not found - aborting restore")
                .and(6025, format!("no backup of archived log for thread 1 with sequence {first} found to restore")));
        }
        let jobs: Vec<_> = jobs.into_values().collect();
        self.share_out("restore", jobs, |channel, (set, mut sequences), bench| {
            sequences.sort_unstable();
            match validate {
                true => validate_set(channel, &set, bench),
                false => {
                    restore_logs_from(channel, &set.handle, &set.tag, sequences, bench).map(drop)
                }
            }
        })?;
        self.finish("restore");
        Ok(())
    }
}

/// `archived log … is already on disk as file …`.
pub(super) fn on_disk_text(sequence: u32, path: &std::path::Path) -> String {
    format!(
        "archived log for thread 1 with sequence {sequence} is already on disk as file {}",
        path.display()
    )
}

/// First SCN of a log: UNTIL SEQUENCE leaves out what is in it and behind it.
fn first_scn(control: &Control, sequence: u32) -> Outcome<u64> {
    let wanted = control.incarnation();
    let archived = control
        .archived
        .iter()
        .filter(|log| log.incarnation == wanted)
        .map(|log| (log.sequence, log.first.0, log.next.0));
    let sets = control.backups.sets.iter().flat_map(|set| &set.logs);
    let stored = sets
        .filter(|log| log.incarnation == wanted)
        .map(|log| (log.sequence, log.first.0, log.next.0));
    let online = control
        .logs
        .iter()
        .filter(|log| log.sequence > 0)
        .map(|log| (log.sequence, log.first_scn, log.next_scn));
    let scn = |(known, first, next): (u32, u64, u64)| match known {
        _ if known == sequence => Some(first),
        _ if known.checked_add(1) == Some(sequence) && next != u64::MAX => Some(next),
        _ => None,
    };
    archived
        .chain(stored)
        .chain(online)
        .find_map(scn)
        .ok_or_else(|| {
            Failure::new(20206, "log sequence not found in the recovery catalog").and(
                6004,
                format!("thread 1 has no log with sequence {sequence}"),
            )
        })
}

/// Whether another backup may do where this one did not.
fn is_unusable(failure: &Failure) -> bool {
    [
        "ORA-19505",
        "ORA-19870",
        "ORA-19599",
        "ORA-19566",
        "ORA-19625",
        "ORA-01210",
    ]
    .iter()
    .any(|head| failure.has(head))
}
