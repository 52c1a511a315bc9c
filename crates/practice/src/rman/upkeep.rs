//! CROSSCHECK, DELETE and VALIDATE.
//! What lives here: which records they are about, and what is said. What does not: looking and deleting (`engine`).

use std::path::PathBuf;

use oracle::time::OracleTime;

use super::change::is_like;
use super::choose;
use super::command::{Backup, Delete, Kind, Object, Of, Selection, Validate};
use super::failure::{Failure, Outcome};
use super::feed::Feed;
use super::files;
use super::log::Line;
use super::numbers;
use super::restore_jobs::validate_set;
use super::session::Session;
use crate::engine::backup::{Done, Order, Thing};
use crate::engine::backup_records::{CopyOf, CopyRecord, SetKind, SetRecord, Status};
use crate::engine::control::Control;

/// A record that a command is about.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub thing: Thing,
    pub path: PathBuf,
    /// RECID and STAMP.
    pub record: (u32, u32),
    pub of_control: bool,
}

impl Session {
    /// The records that a selection means.
    pub(super) fn choose(
        &mut self,
        control: &Control,
        selection: &Selection,
    ) -> Outcome<Vec<Chosen>> {
        let before = match &selection.completed_before {
            Some(text) => Some(self.evaluate_time(text)?),
            None => None,
        };
        let mut chosen = Vec::new();
        if matches!(selection.kind, Kind::Sets | Kind::Both) {
            let sets = control
                .backups
                .sets
                .iter()
                .filter(|set| is_set_chosen(set, selection, before));
            chosen.extend(sets.map(set_chosen));
        }
        if matches!(selection.kind, Kind::Copies | Kind::Both) {
            let copies = control
                .backups
                .copies
                .iter()
                .filter(|copy| is_copy_chosen(copy, selection, before));
            chosen.extend(copies.map(copy_chosen));
        }
        if selection.kind == Kind::ArchivedLogs {
            let early = |completed: u32| {
                before.is_none_or(|before| OracleTime::from_raw(completed) < before)
            };
            let logs = control
                .archived
                .iter()
                .filter(|log| !log.deleted && early(log.completed));
            chosen.extend(logs.map(|log| Chosen {
                thing: Thing::Log(log.recid),
                path: log.path.clone(),
                record: (log.recid, log.completed),
                of_control: false,
            }));
        }
        Ok(chosen)
    }

    /// CROSSCHECK.
    pub(super) fn crosscheck(&mut self, selection: &Selection) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        self.want_channels()?;
        let chosen = self.choose(&control, selection)?;
        if chosen.is_empty() {
            self.say_no_match(selection.kind);
            return Ok(());
        }
        let things = chosen.iter().map(|chosen| chosen.thing).collect();
        let Done::Found(found) = self.order(Order::Crosscheck(things))? else {
            return Ok(());
        };
        for (chosen, there) in chosen.iter().zip(found) {
            let verdict = match (chosen.thing, there) {
                (Thing::Set(_), true) => (
                    numbers::CROSSCHECKED_PIECE,
                    "crosschecked backup piece: found to be 'AVAILABLE'".to_owned(),
                ),
                (Thing::Set(_), false) => (
                    numbers::CROSSCHECKED_PIECE,
                    "crosschecked backup piece: found to be 'EXPIRED'".to_owned(),
                ),
                (_, true) => (
                    numbers::VALIDATION_SUCCEEDED,
                    format!("validation succeeded for {}", chosen.kind()),
                ),
                (_, false) => (
                    numbers::VALIDATION_FAILED,
                    format!("validation failed for {}", chosen.kind()),
                ),
            };
            self.log.say_together(&[verdict, chosen.line()]);
        }
        self.log.say(
            numbers::OBJECTS,
            format!("Crosschecked {} objects", chosen.len()),
        );
        self.log.plain("");
        Ok(())
    }

    pub(super) fn say_no_match(&self, kind: Kind) {
        let what = match kind {
            Kind::Sets | Kind::Both => "backup",
            Kind::Copies => "datafile copy",
            Kind::ArchivedLogs => "archived log",
        };
        let text = format!("specification does not match any {what} in the repository");
        self.log.say(numbers::NO_MATCH, text);
    }

    /// DELETE.
    pub(super) fn delete(&mut self, delete: &Delete, feed: &mut Feed) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        self.want_channels()?;
        let chosen = if delete.obsolete {
            self.obsolete(&control)
        } else {
            self.choose(&control, &delete.selection)?
        };
        let chosen: Vec<Chosen> = chosen
            .into_iter()
            .filter(|chosen| is_deletable(&control, chosen, delete))
            .collect();
        if chosen.is_empty() {
            match delete.obsolete {
                true => self.log.say(numbers::NO_MATCH, "no obsolete backups found"),
                false => self.say_no_match(delete.selection.kind),
            }
            return Ok(());
        }
        self.log.plain("");
        for chosen in &chosen {
            self.log.say(
                numbers::LISTED,
                format!("{} {}", chosen.record.0, chosen.path.display()),
            );
        }
        let question = "Do you really want to delete the above objects (enter YES or NO)? ";
        if delete.prompt && !self.is_confirmed(question, feed) {
            return Ok(());
        }
        let count = chosen.len();
        for chosen in chosen {
            self.order(Order::Delete {
                thing: chosen.thing,
                force: delete.force || delete.expired,
            })?;
            self.log.say_together(&[chosen.deleted(), chosen.line()]);
        }
        self.log.plain("");
        let what = if delete.expired {
            "EXPIRED objects"
        } else {
            "objects"
        };
        self.log
            .say(numbers::OBJECTS, format!("Deleted {count} {what}"));
        self.log.plain("");
        Ok(())
    }

    /// What the retention policy does not need: all but the newest backups of each data file, and what only they need.
    pub(super) fn obsolete(&self, control: &Control) -> Vec<Chosen> {
        let policy = control
            .backups
            .setting("RETENTION POLICY")
            .unwrap_or("TO REDUNDANCY 1");
        let mut words = policy.split(' ').skip(1);
        let (kind, last) = (
            words.next(),
            words.find_map(|word| word.parse::<u32>().ok()),
        );
        let oldest_needed = match (kind, last) {
            (Some("REDUNDANCY"), Some(copies)) => needed_from(control, copies.max(1) as usize),
            (Some("RECOVERY"), Some(days)) => needed_for_window(control, days),
            _ => None,
        };
        let Some((scn, time)) = oldest_needed else {
            return Vec::new();
        };
        let old_set = |set: &&SetRecord| {
            let files = set.files.iter().all(|file| file.checkpoint.0 < scn);
            let logs = set.logs.iter().all(|log| log.next.0 <= scn);
            let control = set
                .controlfile
                .is_none_or(|(checkpoint, _)| checkpoint < scn);
            files && logs && control && set.completed < time
        };
        let old_copy = |copy: &&CopyRecord| match &copy.of {
            CopyOf::Datafile(file) => file.checkpoint.0 < scn,
            CopyOf::Controlfile(checkpoint, _) => *checkpoint < scn,
        };
        let sets = control.backups.sets.iter().filter(old_set).map(set_chosen);
        sets.chain(
            control
                .backups
                .copies
                .iter()
                .filter(old_copy)
                .map(copy_chosen),
        )
        .collect()
    }

    /// VALIDATE.
    pub(super) fn validate(&mut self, validate: &Validate) -> Outcome<()> {
        self.begin("validate")?;
        let control = self.control()?;
        match validate {
            Validate::Files(chosen) => {
                let numbers = files::select(&control, chosen)?
                    .iter()
                    .map(|file| (file.number, file.path.clone()))
                    .collect();
                self.validate_datafiles(numbers)?;
            }
            Validate::Sets(keys) => {
                let mut sets = Vec::new();
                for key in keys {
                    let set = control.backups.sets.iter().find(|set| set.key == *key);
                    let missing = || {
                        Failure::new(20215, "backup set not found in the recovery catalog")
                            .and(6159, format!("error while looking up backup set {key}"))
                    };
                    sets.push(set.cloned().ok_or_else(missing)?);
                }
                self.share_out("validate", sets, |channel, set, bench| {
                    validate_set(channel, &set, bench)
                })?;
            }
            Validate::Copies => {
                let copies = control
                    .backups
                    .copies
                    .iter()
                    .filter(|copy| copy.status == Status::Available);
                let copies: Vec<_> = copies.map(|copy| (copy.recid, copy.path.clone())).collect();
                self.share_out("validate", copies, |channel, (recid, path), bench| {
                    channel.order(Order::Validate(Thing::Copy(recid)))?;
                    let text = channel.line(format!(
                        "validation of datafile copy {} complete",
                        path.display()
                    ));
                    bench.log.say(numbers::VALIDATION_COMPLETE, text);
                    Ok(())
                })?;
            }
        }
        self.finish("validate");
        Ok(())
    }

    fn validate_datafiles(&mut self, files: Vec<(u32, PathBuf)>) -> Outcome<()> {
        self.share_out("validate", files, |channel, (number, path), bench| {
            bench.log.say_together(&[
                (
                    numbers::STARTING_VALIDATION,
                    channel.line("starting validation of datafile"),
                ),
                (
                    numbers::INPUT_FILE,
                    format!(
                        "input datafile file number={number:05} name={}",
                        path.display()
                    ),
                ),
            ]);
            channel.order(Order::Validate(Thing::Datafile(number)))?;
            bench.log.say(
                numbers::VALIDATION_COMPLETE,
                channel.line("validation complete"),
            );
            Ok(())
        })
    }

    /// BACKUP VALIDATE: the data files are read, nothing is written.
    pub(super) fn validate_objects(&mut self, backup: &Backup) -> Outcome<()> {
        self.begin("backup")?;
        for object in &backup.objects {
            if let Object::Files(chosen) = object {
                let control = self.control()?;
                let numbers = files::select(&control, chosen)?
                    .iter()
                    .map(|file| (file.number, file.path.clone()))
                    .collect();
                self.validate_datafiles(numbers)?;
            }
        }
        self.finish("backup");
        Ok(())
    }
}

fn is_set_chosen(set: &SetRecord, selection: &Selection, before: Option<OracleTime>) -> bool {
    let of = match selection.of {
        Of::Anything => true,
        Of::Database => !set.files.is_empty(),
        Of::ArchivedLogs => !set.logs.is_empty(),
        Of::Controlfile => set.controlfile.is_some(),
        Of::Spfile => set.spfile,
    };
    of && selection.tag.as_ref().is_none_or(|tag| *tag == set.tag)
        && before.is_none_or(|before| OracleTime::from_raw(set.completed) < before)
        && (selection.keys.is_empty() || selection.keys.contains(&set.key))
        && (selection.names.is_empty() || selection.names.contains(&set.handle))
}

fn is_copy_chosen(copy: &CopyRecord, selection: &Selection, before: Option<OracleTime>) -> bool {
    let of = match selection.of {
        Of::Anything => true,
        Of::Database => copy.file().is_some(),
        Of::Controlfile => copy.file().is_none(),
        Of::ArchivedLogs | Of::Spfile => false,
    };
    of && selection.tag.as_ref().is_none_or(|tag| *tag == copy.tag)
        && before.is_none_or(|before| OracleTime::from_raw(copy.completed) < before)
        && (selection.names.is_empty() || selection.names.contains(&copy.path))
        && selection
            .like
            .as_ref()
            .is_none_or(|pattern| is_like(&copy.path.to_string_lossy(), pattern))
}

fn set_chosen(set: &SetRecord) -> Chosen {
    Chosen {
        thing: Thing::Set(set.key),
        path: set.handle.clone(),
        record: (set.key, set.completed),
        of_control: false,
    }
}

fn copy_chosen(copy: &CopyRecord) -> Chosen {
    Chosen {
        thing: Thing::Copy(copy.recid),
        path: copy.path.clone(),
        record: (copy.recid, copy.completed),
        of_control: copy.file().is_none(),
    }
}

/// Whether DELETE's own conditions hold: expired, or often enough backed up.
fn is_deletable(control: &Control, chosen: &Chosen, delete: &Delete) -> bool {
    let expired = match chosen.thing {
        Thing::Set(key) => control
            .backups
            .sets
            .iter()
            .any(|set| set.key == key && set.status == Status::Expired),
        Thing::Copy(recid) => control
            .backups
            .copies
            .iter()
            .any(|copy| copy.recid == recid && copy.status == Status::Expired),
        Thing::Log(recid) => control
            .archived
            .iter()
            .any(|log| log.recid == recid && log.expired),
        Thing::Datafile(_) => false,
    };
    let backed_up = || match (chosen.thing, delete.backed_up) {
        (Thing::Log(recid), Some(enough)) => control.archived.iter().any(|log| {
            log.recid == recid
                && choose::times_backed_up(control, log.sequence, log.incarnation) >= enough
        }),
        _ => true,
    };
    (!delete.expired || expired) && backed_up()
}

/// Checkpoint SCN and completion time of the oldest whole backup that a redundancy needs.
fn needed_from(control: &Control, copies: usize) -> Option<(u64, u32)> {
    let of_file = |number: u32| {
        let mut wholes = wholes(control, number);
        wholes.sort_unstable_by(|one, other| other.cmp(one));
        wholes.get(copies - 1).copied()
    };
    control
        .datafiles
        .iter()
        .map(|file| of_file(file.number))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .min()
}

/// The same for a window of days: the newest whole backup of each file from before it.
fn needed_for_window(control: &Control, days: u32) -> Option<(u64, u32)> {
    // Calendar seconds of a time number count months of 31 days: a window that begins a little earlier keeps more.
    let begin = OracleTime::now()
        .raw()
        .saturating_sub(days.saturating_mul(86_400));
    let of_file = |number: u32| {
        wholes(control, number)
            .into_iter()
            .filter(|(_, completed)| *completed <= begin)
            .max()
    };
    control
        .datafiles
        .iter()
        .map(|file| of_file(file.number))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .min()
}

/// Checkpoint SCN and completion time of every whole backup of a file.
fn wholes(control: &Control, number: u32) -> Vec<(u64, u32)> {
    let sets = control
        .backups
        .sets
        .iter()
        .filter(|set| set.kind != SetKind::Incremental(1));
    let in_sets = sets.flat_map(|set| {
        set.files
            .iter()
            .filter(|file| file.number == number)
            .map(|file| (file.checkpoint.0, set.completed))
    });
    let copies = control.backups.copies.iter();
    let in_copies = copies.filter_map(|copy| {
        copy.file()
            .filter(|file| file.number == number)
            .map(|file| (file.checkpoint.0, copy.completed))
    });
    in_sets.chain(in_copies).collect()
}

impl Chosen {
    pub(super) fn kind(&self) -> &'static str {
        match (self.thing, self.of_control) {
            (Thing::Set(_), _) => "backup piece",
            (Thing::Copy(_), true) => "control file copy",
            (Thing::Copy(_), false) => "datafile copy",
            (Thing::Log(_), _) => "archived log",
            (Thing::Datafile(_), _) => "datafile",
        }
    }

    /// `deleted backup piece` and the like.
    fn deleted(&self) -> Line {
        let number = match (self.thing, self.of_control) {
            (Thing::Set(_), _) => numbers::DELETED_PIECE,
            (Thing::Copy(_), true) => numbers::DELETED_CONTROL_COPY,
            (Thing::Copy(_), false) => numbers::DELETED_COPY,
            _ => numbers::DELETED_LOG,
        };
        (number, format!("deleted {}", self.kind()))
    }

    /// The line that names the file under another.
    pub(super) fn line(&self) -> Line {
        let (number, name) = match (self.thing, self.of_control) {
            (Thing::Set(_), _) => (numbers::PIECE_RECORD, "backup piece handle"),
            (Thing::Copy(_), true) => (numbers::CONTROL_COPY_RECORD, "control file copy file name"),
            (Thing::Copy(_), false) => (numbers::COPY_RECORD, "datafile copy file name"),
            _ => (numbers::LOG_FILE, "archived log file name"),
        };
        let (recid, stamp) = self.record;
        (
            number,
            format!("{name}={} RECID={recid} STAMP={stamp}", self.path.display()),
        )
    }
}
