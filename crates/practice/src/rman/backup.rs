//! BACKUP: which sets and copies a command makes, and what is said about each.
//! What lives here: from the command to orders for the channels. What does not: writing files (`engine`).

use oracle::time::OracleTime;

use super::backup_jobs::{CopyJob, Job, SetJob, handle_line, input_line, log_line};
use super::choose;
use super::command::{Backup, Object};
use super::failure::{Failure, Outcome};
use super::files;
use super::numbers;
use super::session::Session;
use crate::engine::backup::{CopyOrder, Done, Order, SetOrder};
use crate::engine::backup_records::SetKind;
use crate::engine::control::{ArchivedRecord, Control, DatafileRecord};
use crate::engine::error::OraError;
use crate::engine::facts::InstanceStatus;

/// FILESPERSET unless it is given.
const FILES_PER_SET: usize = 64;

impl Session {
    /// BACKUP.
    pub(super) fn backup(&mut self, backup: &Backup) -> Outcome<()> {
        let mut backup = backup.clone();
        if !backup.typed {
            self.apply_configured_type(&mut backup)?;
        }
        let now = OracleTime::now();
        let (year, month, day, hour, minute, second) = now.civil();
        let tag = format!("TAG{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}");
        let tag = backup.tag.clone().unwrap_or(tag);
        if backup.validate {
            return self.validate_objects(&backup);
        }
        if backup.plus_archivelog {
            self.back_up_logs(&backup, &tag)?;
        }
        self.begin("backup")?;
        for object in &backup.objects {
            let jobs = self.jobs_of(&backup, object, &tag)?;
            self.share_out("backup", jobs, Job::run)?;
        }
        self.finish("backup");
        if backup.plus_archivelog {
            self.back_up_logs(&backup, &tag)?;
        }
        self.settings.backed_up = true;
        match self.in_run {
            true => Ok(()),
            false => self.autobackup_if_configured(),
        }
    }

    /// The archived logs before and after BACKUP … PLUS ARCHIVELOG.
    fn back_up_logs(&mut self, backup: &Backup, tag: &str) -> Outcome<()> {
        self.begin("backup")?;
        let jobs = self.jobs_of(backup, &Object::ArchivedLogs, tag)?;
        self.share_out("backup", jobs, Job::run)?;
        self.finish("backup");
        Ok(())
    }

    fn jobs_of(&mut self, backup: &Backup, object: &Object, tag: &str) -> Outcome<Vec<Job>> {
        match object {
            Object::Files(files) => {
                let control = self.control()?;
                let files: Vec<DatafileRecord> = files::select(&control, files)?
                    .into_iter()
                    .cloned()
                    .collect();
                self.file_jobs(backup, &control, &files, tag)
            }
            Object::ArchivedLogs => self.log_jobs(backup, tag),
            Object::Controlfile => {
                let include = Include {
                    controlfile: true,
                    spfile: false,
                };
                Ok(vec![small_job(backup, include, tag)])
            }
            Object::Spfile => {
                let include = Include {
                    controlfile: false,
                    spfile: true,
                };
                Ok(vec![small_job(
                    &Backup {
                        as_copy: false,
                        ..backup.clone()
                    },
                    include,
                    tag,
                )])
            }
        }
    }

    fn file_jobs(
        &mut self,
        backup: &Backup,
        control: &Control,
        files: &[DatafileRecord],
        tag: &str,
    ) -> Outcome<Vec<Job>> {
        let mut jobs = Vec::new();
        for file in files.iter().filter(|file| file.in_backup) {
            let text = format!("WARNING: file {} is in backup mode", file.number);
            self.log.say(numbers::IN_BACKUP_MODE, text);
        }
        let Split { whole, changed } = self.split_by_parent(backup, control, files);
        if backup.as_copy || backup.for_copy.is_some() {
            // Copies that are brought up to date have the tag by which they are found.
            let copy_tag = backup.for_copy.as_deref().unwrap_or(tag);
            let level_0 = backup.level == Some(0) || backup.for_copy.is_some();
            jobs.extend(
                whole
                    .iter()
                    .map(|file| copy_job(backup, file, copy_tag, level_0)),
            );
        } else if !whole.is_empty() {
            let kind = backup
                .level
                .map_or(SetKind::Full, |_| SetKind::Incremental(0));
            let wanted: Vec<_> = whole.iter().map(|file| (*file, None)).collect();
            jobs.extend(self.set_jobs(backup, kind, wanted, tag));
        }
        if !changed.is_empty() {
            // The tag of the copies marks their increments as well.
            let set_tag = backup
                .tag
                .as_deref()
                .or(backup.for_copy.as_deref())
                .unwrap_or(tag);
            let kind = SetKind::Incremental(1);
            let wanted = changed
                .into_iter()
                .map(|(file, from)| (file, Some(from)))
                .collect();
            jobs.extend(self.set_jobs(backup, kind, wanted, set_tag));
        }
        let with_system = files.iter().any(|file| file.number == 1);
        if backup.include_controlfile || with_system && !is_autobackup_on(control) {
            jobs.extend(beside_system(backup, tag));
        }
        Ok(jobs)
    }

    /// Which files are backed up whole, and of which only what has changed since an SCN.
    fn split_by_parent<'a>(
        &self,
        backup: &Backup,
        control: &Control,
        files: &'a [DatafileRecord],
    ) -> Split<'a> {
        let mut split = Split::default();
        for file in files {
            let parent = match (&backup.for_copy, backup.level) {
                (Some(tag), _) => choose::copy_parent(control, file, tag),
                (None, Some(1)) => choose::parent(control, file, backup.cumulative),
                _ => {
                    split.whole.push(file);
                    continue;
                }
            };
            match parent {
                Some(from) => split.changed.push((file, from)),
                None => {
                    let text =
                        format!("no parent backup or copy of datafile {} found", file.number);
                    self.log.say(numbers::NO_PARENT, text);
                    split.whole.push(file);
                }
            }
        }
        split
    }

    /// Data files in sets: large ones first, in as many sets as there are channels at least.
    fn set_jobs(
        &self,
        backup: &Backup,
        kind: SetKind,
        mut files: Vec<(&DatafileRecord, Option<u64>)>,
        tag: &str,
    ) -> Vec<Job> {
        files.sort_by_key(|(file, _)| std::cmp::Reverse(file.blocks));
        let per_set = per_set(backup, files.len(), self.channels.len());
        let job = |chunk: &[(&DatafileRecord, Option<u64>)]| {
            let inputs = chunk.iter().map(|(file, _)| input_line(file));
            Job::Set(SetJob {
                order: SetOrder {
                    files: chunk
                        .iter()
                        .map(|(file, from)| (file.number, *from))
                        .collect(),
                    ..set_order(backup, kind, tag)
                },
                inputs: inputs.collect(),
                delete: Vec::new(),
                format: backup.format.clone(),
            })
        };
        files.chunks(per_set).map(job).collect()
    }

    /// Archived logs in sets, after the current one has been archived.
    fn log_jobs(&mut self, backup: &Backup, tag: &str) -> Outcome<Vec<Job>> {
        let target = self.target()?;
        if target.describe()?.status == InstanceStatus::Open {
            target.execute("ALTER SYSTEM ARCHIVE LOG CURRENT")?;
            self.log
                .say(numbers::CURRENT_LOG_ARCHIVED, "current log archived");
        }
        let control = self.control()?;
        let logs = self.wanted_logs(&control, backup);
        if logs.is_empty() {
            let text = "specification does not match any archived log in the repository";
            self.log.say(numbers::NO_MATCH, text);
            let text = "backup cancelled because there are no files to backup";
            self.log.say(numbers::BACKUP_CANCELLED, text);
            return Ok(Vec::new());
        }
        let per_set = per_set(backup, logs.len(), self.channels.len());
        let format = backup.format.clone();
        let job = |chunk: &[&ArchivedRecord]| {
            let record = |log: &&ArchivedRecord| (log.recid, log.completed, log.path.clone());
            let delete = match backup.delete_input {
                true => chunk.iter().map(record).collect(),
                false => Vec::new(),
            };
            Job::Set(SetJob {
                order: SetOrder {
                    logs: chunk.iter().map(|log| log.recid).collect(),
                    ..set_order(backup, SetKind::ArchivedLogs, tag)
                },
                inputs: chunk.iter().map(|log| log_line(log)).collect(),
                delete,
                format: format.clone(),
            })
        };
        Ok(logs.chunks(per_set).map(job).collect())
    }

    /// The logs to back up: each once, wherever it lies, unless enough sets have it.
    fn wanted_logs<'a>(&self, control: &'a Control, backup: &Backup) -> Vec<&'a ArchivedRecord> {
        let mut wanted: Vec<&ArchivedRecord> = Vec::new();
        let mut skipped = Vec::new();
        for log in control
            .archived
            .iter()
            .filter(|log| !log.deleted && !log.expired)
        {
            let times = choose::times_backed_up(control, log.sequence, log.incarnation);
            let known = wanted.iter().any(|other| {
                (other.sequence, other.incarnation) == (log.sequence, log.incarnation)
            });
            if backup.not_backed_up.is_some_and(|enough| times >= enough) {
                skipped.push(log.sequence);
            } else if !known {
                wanted.push(log);
            }
        }
        if let (Some(first), Some(last)) = (skipped.iter().min(), skipped.iter().max()) {
            let text = match first == last {
                true => format!(
                    "skipping archived log of thread 1 with sequence {first}; already backed up"
                ),
                false => format!(
                    "skipping archived logs of thread 1 from sequence {first} to {last}; already backed up"
                ),
            };
            self.log.say(numbers::SKIPPING_LOGS, text);
        }
        wanted
    }

    /// The autobackup of control file and parameter file, if CONFIGURE has switched it on.
    pub(super) fn autobackup_if_configured(&mut self) -> Outcome<()> {
        self.settings.backed_up = false;
        let control = self.control()?;
        if !is_autobackup_on(&control) {
            return Ok(());
        }
        let format = self.autobackup_format(&control);
        let name = "Control File and SPFILE Autobackup";
        let now = self.time(OracleTime::now());
        self.log.plain("");
        self.log
            .say(numbers::STARTING, format!("Starting {name} at {now}"));
        let order = SetOrder {
            controlfile: true,
            spfile: true,
            format,
            autobackup: true,
            ..set_order(&Backup::default(), SetKind::Full, "")
        };
        match self.order(Order::WriteSet(order))? {
            Done::Set(set) => self.log.say_together(&[handle_line(&set)]),
            other => return Err(unexpected(&other)),
        }
        self.finish(name);
        Ok(())
    }
}

/// Whether CONFIGURE CONTROLFILE AUTOBACKUP ON holds.
fn is_autobackup_on(control: &Control) -> bool {
    control.backups.setting("CONTROLFILE AUTOBACKUP") == Some("ON")
}

#[derive(Default)]
struct Split<'a> {
    whole: Vec<&'a DatafileRecord>,
    changed: Vec<(&'a DatafileRecord, u64)>,
}

#[derive(Clone, Copy)]
struct Include {
    controlfile: bool,
    spfile: bool,
}

fn per_set(backup: &Backup, files: usize, channels: usize) -> usize {
    let most = backup
        .files_per_set
        .unwrap_or(FILES_PER_SET)
        .min(FILES_PER_SET);
    files.div_ceil(channels.max(1)).clamp(1, most)
}

fn set_order(backup: &Backup, kind: SetKind, tag: &str) -> SetOrder {
    SetOrder {
        kind,
        files: Vec::new(),
        logs: Vec::new(),
        controlfile: false,
        spfile: false,
        tag: tag.to_owned(),
        format: String::new(),
        compressed: backup.compressed,
        reuse: backup.reuse,
        autobackup: false,
    }
}

/// Control file and parameter file go with SYSTEM: as copies with copies, in a set with sets.
fn beside_system(backup: &Backup, tag: &str) -> Vec<Job> {
    let both = Include {
        controlfile: true,
        spfile: true,
    };
    let (controlfile, spfile) = (
        Include {
            spfile: false,
            ..both
        },
        Include {
            controlfile: false,
            ..both
        },
    );
    // A FORMAT without %U names one file: the others would not find their place.
    let beside = Backup {
        format: backup.format.clone().filter(|format| {
            format.contains("%U") || format.contains("%u") || format.contains("%s")
        }),
        ..backup.clone()
    };
    let sets = Backup {
        as_copy: false,
        ..beside.clone()
    };
    match backup.as_copy {
        true => vec![
            small_job(&beside, controlfile, tag),
            small_job(&sets, spfile, tag),
        ],
        false => vec![small_job(&sets, both, tag)],
    }
}

/// A job for control file and parameter file.
fn small_job(backup: &Backup, include: Include, tag: &str) -> Job {
    if backup.as_copy {
        return Job::Copy(CopyJob {
            order: CopyOrder {
                file: None,
                tag: tag.to_owned(),
                format: String::new(),
                level_0: false,
                reuse: backup.reuse,
            },
            input: (
                numbers::COPYING_CONTROLFILE,
                "copying current control file".to_owned(),
            ),
            format: backup.format.clone(),
        });
    }
    let lines = [
        (
            include.controlfile,
            numbers::INCLUDING_CONTROLFILE,
            "including current control file in backup set",
        ),
        (
            include.spfile,
            numbers::INCLUDING_SPFILE,
            "including current SPFILE in backup set",
        ),
    ];
    Job::Set(SetJob {
        order: SetOrder {
            controlfile: include.controlfile,
            spfile: include.spfile,
            ..set_order(backup, SetKind::Full, tag)
        },
        inputs: lines
            .iter()
            .filter(|(wanted, ..)| *wanted)
            .map(|(_, number, text)| (*number, (*text).to_owned()))
            .collect(),
        delete: Vec::new(),
        format: backup.format.clone(),
    })
}

fn copy_job(backup: &Backup, file: &DatafileRecord, tag: &str, level_0: bool) -> Job {
    Job::Copy(CopyJob {
        order: CopyOrder {
            file: Some(file.number),
            tag: tag.to_owned(),
            format: String::new(),
            level_0,
            reuse: backup.reuse,
        },
        input: input_line(file),
        format: backup.format.clone(),
    })
}

fn unexpected(done: &Done) -> Failure {
    OraError::new(3106, format!("unexpected answer: {done:?}")).into()
}
