//! Phase 2: the plan. Everything that cannot work is found here, before anything is touched.
//! What lives here: choosing backups, files and logs as values that can be shown. What does not: doing any of it.

use std::path::{Path, PathBuf};

use oracle::file_header::FileHeader;
use oracle::time::OracleTime;

use super::situation::{Mounted, Situation};
use super::target::Target;
use crate::environment::Environment;
use crate::restore::backups::{self, Backup, Backups, Rejected};
use crate::restore::file::RestoreItem;
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
    /// Backups that were looked at and not taken.
    pub rejected: Vec<Rejected>,
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

/// Makes the plan.
pub fn make(
    situation: &Situation,
    target: Target,
    environment: &Environment,
) -> Result<Plan, Impossible> {
    let found =
        backups::find(&environment.sapbackup, &environment.sid).map_err(|error| Impossible {
            what: format!("the summary log of the backups cannot be read: {error}"),
            hint: format!(
                "look at back{}.log in {}",
                environment.sid,
                environment.sapbackup.display()
            ),
            rejected: Vec::new(),
        })?;
    let rejected = found.rejected.clone();
    let chooser = Chooser {
        situation,
        target,
        environment,
        found,
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
        for backup in &self.found.usable {
            match self.point_in_time_from(backup) {
                Ok(mut plan) => {
                    plan.rejected = rejected;
                    return Ok(plan);
                }
                Err(why) => rejected.push(Rejected {
                    what: name_of(backup),
                    why: why.what,
                }),
            }
        }
        let reasons: Vec<String> = rejected
            .iter()
            .map(|r| format!("{}: {}", r.what, r.why))
            .collect();
        Err(impossible(
            format!("no backup reaches the target ({})", reasons.join("; ")),
            "choose a later target, or bring back the missing logs or backups",
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
        let starts = headers(datafiles.iter().map(|item| item.source.as_path()))?;
        let same_incarnation = |mounted: &&Mounted| {
            starts
                .iter()
                .all(|start| start.header.resetlogs == mounted.identity.resetlogs)
                && !mounted.identity.backup_controlfile
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
        let summary = self
            .environment
            .saparch
            .join(format!("arch{}.log", self.environment.sid));
        let chain = RedoChain::find(
            incarnation,
            &self.situation.archive_directory,
            &summary,
            members,
        )
        .map_err(|error| {
            impossible(
                error.to_string(),
                "restore the summary log of brarchive from its last copy",
            )
        })?;
        let start = first.header.checkpoint.rba.sequence.get();
        let (reached, missing) = chain.reach(start);
        let until = reached.iter().position(|log| self.target.lies_in(log));
        let Some(until) = until else {
            return Err(self.gap(&chain, &reached, start, missing));
        };
        plan.logs = reached[..=until].iter().map(|log| (*log).clone()).collect();
        plan.stored_logs = plan
            .logs
            .iter()
            .filter_map(|log| match &log.place {
                LogPlace::Stored(item) => Some(item.clone()),
                LogPlace::Archived(_) | LogPlace::Online { .. } => None,
            })
            .collect();
        Ok(())
    }

    fn gap(
        &self,
        chain: &RedoChain,
        reached: &[&ChainLog],
        start: u32,
        missing: u32,
    ) -> Impossible {
        let place = if chain.continues_after(missing) {
            "a gap: redo log"
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
        let hint = match reached.last().and_then(|log| log.header.as_ref()) {
            Some(header) => format!(
                "bring back log {missing}, or recover with -t dbpit -n {} (up to SCN {})",
                header.sequence, header.next_scn
            ),
            None => format!("bring back log {start}: without it this backup is of no use"),
        };
        impossible(
            format!(
                "redo is needed from sequence {start} on, and after {} logs there is {place} {missing}{strays}",
                reached.len()
            ),
            hint,
        )
    }

    fn newest_with_control_file(&self) -> Result<&Backup, Impossible> {
        self.found
            .usable
            .iter()
            .find(|backup| backup.control_file().is_some())
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
            .find_map(|backup| backup.detail.copy_of(path).map(|saved| (backup, saved)))
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

fn name_of(backup: &Backup) -> String {
    format!("{}.{}", backup.id, backup.function)
}

fn item(saved: &SavedFile, target: &Path) -> RestoreItem {
    RestoreItem {
        original: saved.original.clone(),
        source: saved.copy.clone(),
        target: target.to_owned(),
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
