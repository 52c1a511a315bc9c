//! Phase 2: the plan. Everything that cannot work is found here, before anything is touched.
//! What lives here: choosing backups, files and logs as values that can be shown. What does not: doing any of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oracle::file_header::{FileHeader, ResetLogs};
use oracle::redo::check_archived_log;
use oracle::time::OracleTime;

use super::situation::{Mounted, Situation};
use super::target::Target;
use crate::environment::Environment;
use crate::restore::backups::{self, Backup, Backups, Media, Rejected};
use crate::restore::file::{self, RestoreItem};
use crate::restore::redo_chain::{ChainLog, Incarnation, LogPlace, RedoChain};
use crate::run_log::reader::SavedFile;

/// What will be done.
#[derive(Debug)]
pub struct Plan {
    /// Copies of the control file to put in place; empty when the present one serves.
    pub control_files: Vec<RestoreItem>,
    /// Data files to bring back.
    pub datafiles: Vec<RestoreItem>,
    /// Backups they come from, as `<id>.<function>`.
    pub backups: Vec<String>,
    /// Archived logs to bring back.
    pub stored_logs: Vec<RestoreItem>,
    /// All logs to apply, in order.
    pub logs: Vec<ChainLog>,
    /// Whether the control file is a restored one.
    pub using_backup_controlfile: bool,
    /// Whether OPEN needs RESETLOGS.
    pub resetlogs: bool,
    /// Data files that were taken offline and come online again.
    pub online_again: Vec<u32>,
    /// Backups that were looked at and not taken.
    pub rejected: Vec<Rejected>,
}

impl Plan {
    /// Whether there is nothing to do but open the database.
    pub fn is_empty(&self) -> bool {
        self.datafiles.is_empty()
            && self.control_files.is_empty()
            && self.logs.is_empty()
            && self.online_again.is_empty()
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// What stands against it.
    pub what: String,
    /// What could be done instead.
    pub hint: String,
    /// Backups that were looked at and not taken.
    pub rejected: Vec<Rejected>,
}

/// A file of the plan with its header: from where it needs redo.
struct Start {
    header: FileHeader,
}

/// Makes the plan. Copies in `damaged` are not used: an earlier attempt has found them so.
pub fn make(
    situation: &Situation,
    target: Target,
    environment: &Environment,
    damaged: &BTreeSet<PathBuf>,
) -> Result<Plan, Impossible> {
    let found =
        backups::find(&environment.sapbackup, &environment.sid, Media::Disk).map_err(|error| {
            Impossible {
                what: format!("the summary log of the backups cannot be read: {error}"),
                hint: format!(
                    "look at back{}.log in {}",
                    environment.sid,
                    environment.sapbackup.display()
                ),
                rejected: Vec::new(),
            }
        })?;
    let rejected = found.rejected.clone();
    let chooser = Chooser {
        situation,
        target,
        environment,
        found,
        damaged,
    };
    let plan = match target {
        Target::Complete => chooser.complete(),
        _ => chooser.point_in_time(),
    };
    plan.map_err(|mut impossible| {
        impossible.rejected.extend(rejected);
        impossible
    })
}

struct Chooser<'a> {
    situation: &'a Situation,
    target: Target,
    environment: &'a Environment,
    found: Backups,
    damaged: &'a BTreeSet<PathBuf>,
}

fn impossible(what: impl Into<String>, hint: impl Into<String>) -> Impossible {
    Impossible {
        what: what.into(),
        hint: hint.into(),
        rejected: Vec::new(),
    }
}

impl Chooser<'_> {
    /// Only what is lost comes back; all redo is applied.
    fn complete(&self) -> Result<Plan, Impossible> {
        if let Some(last) = self.redo_beyond_the_control_file()? {
            return Err(impossible(
                format!(
                    "control files and online redo logs are an old state that came from a backup; the saved redo goes on to log {last}"
                ),
                format!(
                    "apply it with brrecover -t dbpit -n {last} -c force; or give up everything since that backup on purpose with ALTER DATABASE OPEN"
                ),
            ));
        }
        let mut names = Vec::new();
        let (control_files, lost, present, members) = match &self.situation.mounted {
            Ok(mounted) => {
                let lost: Vec<PathBuf> = mounted
                    .files
                    .iter()
                    .filter(|f| f.lost.is_some())
                    .map(|f| f.path.clone())
                    .collect();
                let present = mounted
                    .files
                    .iter()
                    .filter(|file| {
                        file.lost.is_none()
                            && (file.needs_recovery || mounted.identity.backup_controlfile)
                    })
                    .map(|file| file.path.clone())
                    .collect();
                (Vec::new(), lost, present, mounted.members.clone())
            }
            Err(_) => {
                let backup = self.newest_with_control_file()?;
                names.push(name_of(backup));
                let all = backup.detail.datafiles.iter().map(|file| file.path.clone());
                let (lost, present): (Vec<PathBuf>, Vec<PathBuf>) = all.partition(|path| {
                    backups::saved_header(path, backups::block_bytes(path)).is_err()
                });
                let members = backup
                    .detail
                    .redo_logs
                    .iter()
                    .map(|log| log.path.clone())
                    .collect();
                (self.control_items(backup)?, lost, present, members)
            }
        };
        let mut datafiles = Vec::new();
        for path in &lost {
            let (backup, saved) = self.newest_copy(path)?;
            if !names.contains(&name_of(backup)) {
                names.push(name_of(backup));
            }
            datafiles.push(item(saved, path));
        }
        let restored_control = !control_files.is_empty()
            || self
                .situation
                .mounted
                .as_ref()
                .is_ok_and(|mounted| mounted.identity.backup_controlfile);
        let mut starts = headers(datafiles.iter().map(|item| item.source.as_path()))?;
        starts.extend(headers(present.iter().map(PathBuf::as_path))?);
        let mut plan = Plan {
            control_files,
            datafiles,
            backups: names,
            stored_logs: Vec::new(),
            logs: Vec::new(),
            using_backup_controlfile: restored_control,
            resetlogs: restored_control,
            online_again: self.offline_files(),
            rejected: self.found.rejected.clone(),
        };
        if !starts.is_empty() {
            self.take_logs(&mut plan, &starts, &members)?;
        }
        Ok(plan)
    }

    /// All data files come back from the newest backup that ended before the target.
    fn point_in_time(&self) -> Result<Plan, Impossible> {
        let mut rejected = self.found.rejected.clone();
        let mut first_hint = None;
        for backup in &self.found.usable {
            match self.point_in_time_from(backup) {
                Ok(mut plan) => {
                    plan.rejected = rejected;
                    return Ok(plan);
                }
                Err(why) => {
                    first_hint.get_or_insert(why.hint);
                    rejected.push(Rejected {
                        what: name_of(backup),
                        why: why.what,
                    });
                }
            }
        }
        let reasons: Vec<String> = rejected
            .iter()
            .map(|r| format!("{}: {}", r.what, r.why))
            .collect();
        Err(impossible(
            format!("no backup reaches the target ({})", reasons.join("; ")),
            first_hint
                .filter(|hint| !hint.is_empty())
                .unwrap_or_else(|| {
                    "choose a later target, or bring back the missing logs or backups".to_owned()
                }),
        ))
    }

    fn point_in_time_from(&self, backup: &Backup) -> Result<Plan, Impossible> {
        if !backup.is_whole() {
            return Err(impossible("it does not hold all data files", ""));
        }
        let datafiles: Vec<RestoreItem> = backup
            .datafiles()
            .map(|(file, saved)| item(saved, &file.path))
            .collect();
        if let Some(why) = datafiles.iter().find_map(|item| self.unusable(item)) {
            return Err(impossible(why, ""));
        }
        let starts = headers(datafiles.iter().map(|item| item.source.as_path()))?;
        let is_old_state = self.redo_beyond_the_control_file()?.is_some();
        let same_incarnation = |mounted: &&Mounted| {
            starts
                .iter()
                .all(|start| start.header.resetlogs == mounted.identity.resetlogs)
                && !mounted.identity.backup_controlfile
                && !is_old_state
        };
        let serves = self
            .situation
            .mounted
            .as_ref()
            .ok()
            .filter(same_incarnation);
        let control_files = if serves.is_some() {
            Vec::new()
        } else {
            self.control_items(backup)?
        };
        let mut members: Vec<PathBuf> = backup
            .detail
            .redo_logs
            .iter()
            .map(|log| log.path.clone())
            .collect();
        if let Ok(mounted) = &self.situation.mounted {
            members.extend(
                mounted
                    .members
                    .iter()
                    .filter(|path| !members.contains(path))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        let mut plan = Plan {
            using_backup_controlfile: !control_files.is_empty(),
            control_files,
            datafiles,
            backups: vec![name_of(backup)],
            stored_logs: Vec::new(),
            logs: Vec::new(),
            resetlogs: true,
            online_again: self.offline_files(),
            rejected: Vec::new(),
        };
        self.take_logs(&mut plan, &starts, &members)?;
        if let Some(why) = plan
            .logs
            .last()
            .and_then(|log| self.before_its_end(backup, log))
        {
            return Err(impossible(why, ""));
        }
        Ok(plan)
    }

    /// An online backup is consistent only behind its last END BACKUP. Why the target, which lies in `log`, is not
    /// certainly behind it: that is known by the log switch at the end of the backup, else by the clock.
    fn before_its_end(&self, backup: &Backup, log: &ChainLog) -> Option<String> {
        if !backup.is_online() || backup.log_after.is_some_and(|after| log.sequence >= after) {
            return None;
        }
        let (end, target) = (OracleTime::parse(&backup.end)?, self.target.time(log)?);
        (target <= end).then(|| format!("it ended at {end}, not before the target"))
    }

    /// The logs from the oldest start to the target, without a gap.
    fn take_logs(
        &self,
        plan: &mut Plan,
        starts: &[Start],
        members: &[PathBuf],
    ) -> Result<(), Impossible> {
        let Some(first) = starts
            .iter()
            .min_by_key(|start| start.header.checkpoint.scn)
        else {
            return Ok(());
        };
        let incarnation = Incarnation {
            dbid: first.header.dbid,
            resetlogs: first.header.resetlogs,
        };
        if let Some(other) = starts.iter().find(|start| {
            start.header.dbid != incarnation.dbid || start.header.resetlogs != incarnation.resetlogs
        }) {
            return Err(impossible(
                format!(
                    "data file {} is of another database or incarnation than the others",
                    other.header.file_number
                ),
                "use a backup of one incarnation, or recover to a point in time",
            ));
        }
        let start = first.header.checkpoint.rba.sequence.get();
        let from = first.header.checkpoint.scn;
        let mut damaged = self.damaged.clone();
        loop {
            let chain = self.chain(incarnation, members, &damaged)?;
            if let Some(child) = self.child_before_target(incarnation, &chain) {
                return Err(impossible(
                    format!(
                        "it is older than the RESETLOGS of {} at SCN {}, which no recovery of this release passes",
                        child.time, child.scn
                    ),
                    format!(
                        "keep all files and redo logs as they are, they hold the commits since then; a target before {} can be reached",
                        child.time
                    ),
                ));
            }
            let reached = chain.reach(start, from, |log| self.target.lies_in(log));
            if !reached.is_enough {
                return Err(gap(&chain, &reached.logs, start));
            }
            // A damaged log is found now, while another copy can still be chosen and nothing has been touched.
            let bad = reached.logs.iter().find_map(|log| match &log.place {
                LogPlace::Online { .. } => None,
                place => check_archived_log(place.path())
                    .err()
                    .map(|why| (place.path().to_owned(), why.to_string())),
            });
            let Some((path, why)) = bad else {
                plan.logs = reached.logs;
                break;
            };
            plan.rejected.push(Rejected {
                what: format!("redo log {}", path.display()),
                why,
            });
            damaged.insert(path);
        }
        plan.stored_logs = plan
            .logs
            .iter()
            .filter_map(|log| match &log.place {
                LogPlace::Stored(item) => Some(item.clone()),
                LogPlace::Archived(_) | LogPlace::Online { .. } => None,
            })
            .collect();
        Self::make_way(plan);
        Ok(())
    }

    /// A stored log whose name in the archive directory is taken by another file goes beside it.
    fn make_way(plan: &mut Plan) {
        for item in &mut plan.stored_logs {
            if item.target.exists() {
                let name = item
                    .target
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy();
                item.target = item.target.with_file_name(format!("{name}.recover"));
            }
        }
        let stored = plan.logs.iter_mut().filter_map(|log| match &mut log.place {
            LogPlace::Stored(item) => Some(item),
            LogPlace::Archived(_) | LogPlace::Online { .. } => None,
        });
        for (item, stored) in stored.zip(&plan.stored_logs) {
            item.target.clone_from(&stored.target);
        }
    }

    fn chain(
        &self,
        incarnation: Incarnation,
        members: &[PathBuf],
        damaged: &BTreeSet<PathBuf>,
    ) -> Result<RedoChain, Impossible> {
        let summary = self
            .environment
            .saparch
            .join(format!("arch{}.log", self.environment.sid));
        RedoChain::find(
            incarnation,
            &self.situation.archive_directory,
            &summary,
            members,
            damaged,
        )
        .map_err(|error| {
            impossible(
                error.to_string(),
                "restore the summary log of brarchive from its last copy",
            )
        })
    }

    /// The RESETLOGS between a backup and the target, if there is one. Redo of the old incarnation behind it was
    /// given up; it must not come back unasked.
    fn child_before_target(
        &self,
        incarnation: Incarnation,
        chain: &RedoChain,
    ) -> Option<ResetLogs> {
        let current = self.situation.mounted.as_ref().ok();
        let current = current
            .filter(|mounted| !mounted.identity.backup_controlfile)
            .map(|mounted| mounted.identity.resetlogs)
            .filter(|resetlogs| resetlogs.scn > incarnation.resetlogs.scn);
        let children = chain.children.iter().copied().chain(current);
        let is_before = |child: &ResetLogs| match self.target {
            Target::Complete | Target::Sequence(_) => true,
            Target::Time(time) => child.time <= time,
            Target::Change(scn) => child.scn < scn,
        };
        children.filter(is_before).min_by_key(|child| child.scn)
    }

    /// The highest saved log behind the mounted control file, when that is an old state that came from a backup.
    fn redo_beyond_the_control_file(&self) -> Result<Option<u32>, Impossible> {
        let Ok(mounted) = &self.situation.mounted else {
            return Ok(None);
        };
        if mounted.identity.backup_controlfile {
            return Ok(None);
        }
        let incarnation = Incarnation {
            dbid: mounted.identity.dbid,
            resetlogs: mounted.identity.resetlogs,
        };
        let chain = self.chain(incarnation, &mounted.members, self.damaged)?;
        let is_old = !chain.went_on.is_empty() && !chain.all().any(ChainLog::is_open);
        let last = chain.all().map(|log| log.sequence).max();
        Ok(last.filter(|_| is_old))
    }

    /// Files that somebody took offline: recovery brings them back with the others.
    fn offline_files(&self) -> Vec<u32> {
        let mounted = self.situation.mounted.iter();
        let files = mounted.flat_map(|mounted| &mounted.files);
        files
            .filter(|file| file.is_offline)
            .map(|file| file.number)
            .collect()
    }

    /// Why a copy cannot be used, as far as can be told without reading it.
    fn unusable(&self, item: &RestoreItem) -> Option<String> {
        if self.damaged.contains(&item.source) {
            return Some(format!("{} is damaged", item.source.display()));
        }
        file::source_bytes(item)
            .err()
            .map(|error| error.to_string())
    }

    fn newest_with_control_file(&self) -> Result<&Backup, Impossible> {
        self.found
            .usable
            .iter()
            .find(|backup| {
                let saved = backup.control_file();
                saved.is_some_and(|saved| self.unusable(&item(saved, &saved.original)).is_none())
            })
            .ok_or_else(|| {
                impossible(
                    "all control files are lost and no usable backup holds one",
                    "CREATE CONTROLFILE from a trace, or find an older copy",
                )
            })
    }

    fn newest_copy(&self, path: &Path) -> Result<(&Backup, &SavedFile), Impossible> {
        self.found
            .usable
            .iter()
            .find_map(|backup| {
                let saved = backup.detail.copy_of(path)?;
                self.unusable(&item(saved, path))
                    .is_none()
                    .then_some((backup, saved))
            })
            .ok_or_else(|| {
                impossible(
                    format!("no usable backup holds data file {}", path.display()),
                    "find a copy elsewhere",
                )
            })
    }

    fn control_items(&self, backup: &Backup) -> Result<Vec<RestoreItem>, Impossible> {
        let saved = backup
            .control_file()
            .ok_or_else(|| impossible("it holds no control file", "choose a backup that does"))?;
        let places = match self.situation.control_files.is_empty() {
            true => &backup.detail.control_files,
            false => &self.situation.control_files,
        };
        Ok(places.iter().map(|place| item(saved, place)).collect())
    }
}

fn gap(chain: &RedoChain, reached: &[ChainLog], start: u32) -> Impossible {
    let missing = reached.last().map_or(start, |log| log.sequence + 1);
    let place = if chain.continues_after(missing) {
        "a gap: no redo log"
    } else {
        "the end: no redo log"
    };
    let strays: Vec<String> = chain
        .passed_over
        .iter()
        .map(|(path, why)| format!("{} ({why})", path.display()))
        .collect();
    let strays = if strays.is_empty() {
        String::new()
    } else {
        format!("; passed over: {}", strays.join(", "))
    };
    let hint = match reached.last() {
        Some(log) => format!(
            "bring back log {missing}, or recover with -t dbpit -n {} (up to SCN {}) and give up what came after",
            log.sequence, log.header.next_scn
        ),
        None => format!("bring back log {start}: without it this backup is of no use"),
    };
    impossible(
        format!(
            "redo is needed from sequence {start} on, and after {} logs there is {place} {missing} that follows{strays}",
            reached.len()
        ),
        hint,
    )
}

fn name_of(backup: &Backup) -> String {
    format!("{}.{}", backup.id, backup.function)
}

fn item(saved: &SavedFile, target: &Path) -> RestoreItem {
    RestoreItem {
        original: saved.original.clone(),
        source: saved.copy.clone(),
        target: target.to_owned(),
        on_tape: None,
        check: saved.check,
    }
}

fn headers<'a>(files: impl Iterator<Item = &'a Path>) -> Result<Vec<Start>, Impossible> {
    files
        .map(|path| {
            backups::saved_header(path, backups::block_bytes(path))
                .map(|header| Start { header })
                .map_err(|why| impossible(why, "this copy is of no use: choose another backup"))
        })
        .collect()
}
