//! What keeps the repository true: CROSSCHECK, DELETE, SWITCH, CONFIGURE, VALIDATE, and where a log is.
//! What lives here: one order each. What does not: choosing what they are about.

use std::path::{Path, PathBuf};

use oracle::redo::LogReader;
use oracle::time::OracleTime;

use super::output::writing;
use super::piece::{GROUP_SLOTS, PieceReader};
use super::set::{file_state, known_file};
use super::source::Source;
use super::{LogPlace, Thing, Watch};
use crate::engine::backup_records::{CopyOf, CopyRecord, SetRecord, Status};
use crate::engine::control::{ArchivedRecord, Control, DatafileRecord};
use crate::engine::datafile;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::engine::instance::Instance;

/// Longest value of a setting, in bytes.
const SETTING_BYTES_MAX: usize = 4000;

impl Instance {
    /// Where the log with this sequence of the current incarnation is: on disk, in a backup set, or among the online
    /// redo, which a restored control file does not believe to be its own.
    pub(super) fn find_log(&self, sequence: u32) -> OraResult<LogPlace> {
        let control = self.lock().control()?.record.clone();
        let wanted = control.incarnation();
        let archived =
            control.archived.iter().rev().filter(|log| {
                log.sequence == sequence && log.incarnation == wanted && !log.deleted
            });
        let members = control.logs.iter().flat_map(|log| &log.members);
        let is_it = |path: &&PathBuf| {
            LogReader::open(path).is_ok_and(|reader| {
                let header = reader.header();
                (header.dbid, header.sequence.get()) == (control.dbid, sequence)
                    && header.resetlogs == wanted.resetlogs()
            })
        };
        if let Some(path) = archived.map(|log| &log.path).find(is_it) {
            return Ok(LogPlace::File(path.clone()));
        }
        let holds = |set: &&SetRecord| {
            set.logs
                .iter()
                .any(|log| log.sequence == sequence && log.incarnation == wanted)
        };
        let sets = control.backups.sets.iter().rev().filter(holds);
        if let Some(set) = sets.clone().find(|set| set.handle.exists()) {
            let missing = |sequence: &u32| {
                !control.archived.iter().any(|log| {
                    log.sequence == *sequence
                        && log.incarnation == wanted
                        && !log.deleted
                        && log.path.exists()
                })
            };
            let sequences = set
                .logs
                .iter()
                .filter(|log| log.incarnation == wanted)
                .map(|log| log.sequence);
            return Ok(LogPlace::Set {
                handle: set.handle.clone(),
                tag: set.tag.clone(),
                sequences: sequences
                    .filter(|other| *other >= sequence)
                    .filter(missing)
                    .collect(),
            });
        }
        Ok(members
            .clone()
            .find(is_it)
            .map_or(LogPlace::Missing, |path| LogPlace::File(path.clone())))
    }

    /// Looks whether files are there and what they should be, and notes it.
    ///
    /// Errors: ORA-01507.
    pub(super) fn crosscheck(&self, things: &[Thing], watch: Watch) -> OraResult<Vec<bool>> {
        let control = self.lock().control()?.record.clone();
        let mut found = Vec::new();
        for thing in things {
            watch()?;
            found.push(is_there(&control, *thing));
        }
        let mut core = self.lock();
        let control = core.control()?;
        for (thing, there) in things.iter().zip(&found) {
            note_status(&mut control.record, *thing, *there);
        }
        control.write()?;
        Ok(found)
    }

    /// Deletes the file, then its record.
    ///
    /// A crash in between leaves a record without a file, which CROSSCHECK finds. Errors: ORA-01507, ORA-19571,
    /// ORA-19606 (the file is part of the database), ORA-27056 (cannot be deleted).
    pub(super) fn delete(&self, thing: Thing, force: bool) -> OraResult<()> {
        let control = self.lock().control()?.record.clone();
        let path = path_of(&control, thing)
            .ok_or_else(|| OraError::new(19571, "record not found in control file"))?;
        let in_use = control.datafiles.iter().any(|file| file.path == path)
            || control.logs.iter().any(|log| log.members.contains(&path))
            || self.parameters.control_files.contains(&path);
        if in_use {
            return Err(OraError::new(
                19606,
                format!(
                    "Cannot copy over or delete {}: it is part of the database",
                    path.display()
                ),
            ));
        }
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound || force => {}
            Err(error) => {
                return Err(OraError::new(
                    27056,
                    format!("could not delete file {}: {error}", path.display()),
                ));
            }
        }
        let mut core = self.lock();
        let control = core.control()?;
        forget(&mut control.record, thing);
        control.write()
    }

    /// Forgets a file, which stays where it is; CATALOG knows it again.
    ///
    /// Errors: ORA-01507, ORA-19571.
    pub(super) fn uncatalog(&self, thing: Thing) -> OraResult<()> {
        let mut core = self.lock();
        let control = core.control()?;
        path_of(&control.record, thing)
            .ok_or_else(|| OraError::new(19571, "record not found in control file"))?;
        forget(&mut control.record, thing);
        control.write()
    }

    /// Makes image copies the data files. What was the data file until now becomes a copy, if it is there.
    ///
    /// Gives RECID and STAMP of each copy. Errors: ORA-01507, ORA-19571, ORA-01126 when the database is open.
    pub(super) fn switch_to_copies(&self, files: &[(u32, u32)]) -> OraResult<Vec<(u32, u32)>> {
        let mut core = self.lock();
        must_be_closed(core.status)?;
        let control = core.control()?;
        let mut switched = Vec::new();
        for (number, recid) in files {
            let copies = &mut control.record.backups.copies;
            let position = copies.iter().position(|copy| {
                copy.recid == *recid && copy.file().is_some_and(|file| file.number == *number)
            });
            let position = position.ok_or_else(|| {
                OraError::new(
                    19571,
                    format!("datafile-copy RECID {recid} not found in control file"),
                )
            })?;
            let copy = copies.remove(position);
            switched.push((copy.recid, copy.completed));
            let known = control.record.clone();
            let file = control
                .record
                .datafiles
                .iter_mut()
                .find(|file| file.number == *number);
            let file = file.ok_or_else(|| {
                OraError::new(
                    19576,
                    format!("datafile {number} not defined in control file"),
                )
            })?;
            let before = file.clone();
            file.path.clone_from(&copy.path);
            if let Some(record) = former_file(&known, &before) {
                control.record.backups.add_copy(record);
            }
        }
        control.write()?;
        Ok(switched)
    }

    /// Notes data files that were restored under other names as copies, which SWITCH DATAFILE ALL looks for.
    ///
    /// Errors: ORA-01507, ORA-19576, and those of reading the headers.
    pub(super) fn note_renamed(&self, files: &[(u32, PathBuf)]) -> OraResult<Vec<(u32, u32)>> {
        let control = self.lock().control()?.record.clone();
        let mut noted = Vec::new();
        for (number, path) in files {
            let record = known_file(&control, *number)?;
            let source = Source::open(&DatafileRecord {
                path: path.clone(),
                ..record.clone()
            })?;
            let mut state = file_state(&control, &source, None);
            state.path.clone_from(&record.path);
            let record = self.note_copy(CopyRecord {
                recid: 0,
                of: CopyOf::Datafile(state),
                tag: String::new(),
                path: path.clone(),
                level_0: false,
                completed: OracleTime::now().raw(),
                status: Status::Available,
            })?;
            noted.push((record.recid, record.completed));
        }
        Ok(noted)
    }

    /// CONFIGURE.
    ///
    /// Errors: ORA-01507, ORA-19704 for a value that is too long.
    pub(super) fn configure(&self, name: &str, value: Option<String>) -> OraResult<()> {
        if value
            .as_ref()
            .is_some_and(|value| value.len() > SETTING_BYTES_MAX)
        {
            return Err(OraError::new(
                19704,
                format!("a setting of more than {SETTING_BYTES_MAX} bytes"),
            ));
        }
        let mut core = self.lock();
        let control = core.control()?;
        control.record.backups.configure(name, value);
        control.write()
    }

    /// Reads everything of a set, a copy or a data file.
    ///
    /// Errors: what is wrong with it.
    pub(super) fn validate(&self, thing: Thing, watch: Watch) -> OraResult<()> {
        let control = self.lock().control()?.record.clone();
        let path = path_of(&control, thing)
            .ok_or_else(|| OraError::new(19571, "record not found in control file"))?;
        match thing {
            Thing::Set(_) => {
                PieceReader::open(&path)?.each(|chunk| match chunk.number % GROUP_SLOTS {
                    0 => watch(),
                    _ => Ok(()),
                })
            }
            Thing::Log(_) => oracle::redo::check_archived_log(&path)
                .map(drop)
                .map_err(|fault| {
                    OraError::new(
                        19599,
                        format!("archived log \"{}\" is corrupt: {fault}", path.display()),
                    )
                }),
            Thing::Copy(_) | Thing::Datafile(_) => read_all(&control, thing, &path, watch),
        }
    }
}

fn must_be_closed(status: InstanceStatus) -> OraResult<()> {
    match status {
        InstanceStatus::Open => Err(OraError::new(
            1126,
            "database must be mounted in this instance and not open in any instance",
        )),
        _ => Ok(()),
    }
}

fn find_copy(control: &Control, recid: u32) -> Option<&CopyRecord> {
    control
        .backups
        .copies
        .iter()
        .find(|copy| copy.recid == recid)
}

fn find_set(control: &Control, key: u32) -> Option<&SetRecord> {
    control.backups.sets.iter().find(|set| set.key == key)
}

fn find_archived(control: &Control, recid: u32) -> Option<&ArchivedRecord> {
    control.archived.iter().find(|log| log.recid == recid)
}

fn path_of(control: &Control, thing: Thing) -> Option<PathBuf> {
    match thing {
        Thing::Set(key) => find_set(control, key).map(|set| set.handle.clone()),
        Thing::Copy(recid) => find_copy(control, recid).map(|copy| copy.path.clone()),
        Thing::Log(recid) => find_archived(control, recid).map(|log| log.path.clone()),
        Thing::Datafile(number) => known_file(control, number)
            .ok()
            .map(|file| file.path.clone()),
    }
}

fn is_there(control: &Control, thing: Thing) -> bool {
    let Some(path) = path_of(control, thing) else {
        return false;
    };
    match thing {
        Thing::Set(key) => {
            let found = PieceReader::open(&path);
            let known = find_set(control, key).map(|set| (set.set, set.stamp));
            found.is_ok_and(|reader| Some((reader.record().set, reader.record().stamp)) == known)
        }
        Thing::Log(recid) => {
            let sequence = find_archived(control, recid).map(|log| log.sequence);
            LogReader::open(&path)
                .is_ok_and(|reader| Some(reader.header().sequence.get()) == sequence)
        }
        Thing::Copy(recid) => match find_copy(control, recid).and_then(CopyRecord::file) {
            Some(file) => has_header_of(&path, file.number),
            None => crate::engine::control::read_file(&path).is_ok(),
        },
        Thing::Datafile(number) => has_header_of(&path, number),
    }
}

fn has_header_of(path: &Path, number: u32) -> bool {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let header = is_file.then(|| std::fs::File::open(path).ok()).flatten();
    header.is_some_and(|file| {
        datafile::read_header(&file).is_ok_and(|header| u32::from(header.file_number) == number)
    })
}

fn note_status(control: &mut Control, thing: Thing, there: bool) {
    let status = if there {
        Status::Available
    } else {
        Status::Expired
    };
    let Control {
        backups, archived, ..
    } = control;
    match thing {
        Thing::Set(key) => backups
            .sets
            .iter_mut()
            .filter(|set| set.key == key)
            .for_each(|set| set.status = status),
        Thing::Copy(recid) => backups
            .copies
            .iter_mut()
            .filter(|copy| copy.recid == recid)
            .for_each(|copy| copy.status = status),
        Thing::Log(recid) => archived
            .iter_mut()
            .filter(|log| log.recid == recid)
            .for_each(|log| log.expired = !there),
        Thing::Datafile(_) => {}
    }
}

fn forget(control: &mut Control, thing: Thing) {
    match thing {
        Thing::Set(key) => control.backups.sets.retain(|set| set.key != key),
        Thing::Copy(recid) => control.backups.copies.retain(|copy| copy.recid != recid),
        Thing::Log(recid) => control
            .archived
            .iter_mut()
            .filter(|log| log.recid == recid)
            .for_each(|log| log.deleted = true),
        Thing::Datafile(_) => {}
    }
}

/// The record of what was a data file until SWITCH; None when it is not there any more.
fn former_file(control: &Control, file: &DatafileRecord) -> Option<CopyRecord> {
    if !has_header_of(&file.path, file.number) {
        return None;
    }
    let source = Source::open(file).ok()?;
    Some(CopyRecord {
        recid: 0,
        of: CopyOf::Datafile(file_state(control, &source, None)),
        tag: String::new(),
        path: file.path.clone(),
        level_0: false,
        completed: OracleTime::now().raw(),
        status: Status::Available,
    })
}

fn read_all(control: &Control, thing: Thing, path: &Path, watch: Watch) -> OraResult<()> {
    let number = match thing {
        Thing::Datafile(number) => number,
        Thing::Copy(recid) => match find_copy(control, recid).and_then(CopyRecord::file) {
            Some(file) => file.number,
            None => {
                let read = crate::engine::control::read_file(path);
                return read.map(drop).map_err(|what| {
                    OraError::new(
                        227,
                        format!("corrupt block detected in control file: ({what})"),
                    )
                });
            }
        },
        Thing::Set(_) | Thing::Log(_) => {
            return Err(writing(path, 0, &std::io::ErrorKind::InvalidInput.into()));
        }
    };
    let record = known_file(control, number)?;
    let mut source = Source::open(&DatafileRecord {
        path: path.to_owned(),
        ..record.clone()
    })?;
    let blocks = source.header.blocks;
    let mut first = 2;
    while first <= blocks {
        watch()?;
        let count = (blocks - first + 1).min(GROUP_SLOTS);
        source.read(first, count)?;
        first += count;
    }
    Ok(())
}
