//! Backup mode that is never left behind: begun through a journal, ended by a guard, and healed after a kill -9.
//! What lives here: BEGIN and END BACKUP and the judgement whose backup mode it is. What does not: copying.
//!
//! The rule: this tool ends every backup mode that it has begun and no other. Ours is one whose V$BACKUP CHANGE# and TIME
//! stand in the journal; or, when the tool died between asking and noting, one that began at or after the asking and
//! within [`BEGIN_SECONDS_MAX`] of it. Everything else is somebody else's and is only reported.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oracle::time::OracleTime;

use super::inventory::{BackupState, Inventory, Tablespace};
use super::journal::{self, Entry, EntryFile, EntryState, FileIdentity, Journal, ProcessMark};
use super::{Database, DatabaseError, InstanceStatus};
use crate::failpoint;

/// BEGIN BACKUP takes its SCN and time when it starts, however long its checkpoint lasts afterwards.
const BEGIN_SECONDS_MAX: i64 = 120;
/// END BACKUP is short; a hanging one must not hang the way out.
const END_LIMIT: Duration = Duration::from_secs(300);
/// How often END BACKUP is tried, each time over a new session.
const END_ATTEMPTS: u32 = 3;
/// ORA-01142: none of the files is in backup mode.
const NONE_IN_BACKUP: u32 = 1142;

/// The backup modes of one run. Nothing is written before the first one begins.
#[derive(Debug)]
pub struct BackupModes {
    path: PathBuf,
    journal: Journal,
}

impl BackupModes {
    /// For a run with this action id, on the database with this DBID.
    ///
    /// Only after [`heal`], because a journal that is there already would be replaced.
    pub fn new(sapbackup: &Path, oracle_sid: &str, action_id: &str, dbid: u32) -> BackupModes {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let journal = Journal {
            action: action_id.to_owned(),
            host,
            pid: std::process::id(),
            session: ProcessMark::default(),
            dbid,
            entries: Vec::new(),
        };
        BackupModes {
            path: journal::path_for(sapbackup, oracle_sid),
            journal,
        }
    }

    /// Puts a tablespace into backup mode. Whatever happens to this process from now on, the next run knows of it.
    pub fn begin<'a>(
        &'a mut self,
        database: &'a mut Database,
        tablespace: &Tablespace,
    ) -> Result<BackupMode<'a>, DatabaseError> {
        refuse_active(&database.backup_states()?, std::slice::from_ref(tablespace))?;
        let asked_at = database.current_scn()?;
        let file = |file: &super::Datafile| EntryFile {
            number: file.number,
            identity: FileIdentity::of(&file.path),
            state: EntryState::Asked(asked_at),
        };
        self.journal.entries.push(Entry {
            tablespace_number: tablespace.number,
            tablespace: tablespace.name.clone(),
            asked: OracleTime::now(),
            files: tablespace.files.iter().map(file).collect(),
        });
        self.journal.session = database
            .session_process()
            .map_or(ProcessMark::default(), ProcessMark::of);
        journal::write(&self.path, &self.journal)?;
        failpoint::reach("inside-begin");
        // From here on the guard exists, so that every way out ends what may have begun.
        let mut mode = BackupMode {
            modes: self,
            database,
            tablespace: tablespace.clone(),
            over: false,
        };
        mode.database.execute(&format!(
            "ALTER TABLESPACE {} BEGIN BACKUP",
            quote_name(&tablespace.name)
        ))?;
        failpoint::reach("begin-not-noted");
        mode.note_begun()?;
        Ok(mode)
    }

    fn forget(&mut self, tablespace_number: u32) -> Result<(), DatabaseError> {
        self.journal
            .entries
            .retain(|entry| entry.tablespace_number != tablespace_number);
        store(&self.path, &self.journal)
    }
}

/// A tablespace in backup mode. Dropping it ends the backup mode; [`BackupMode::end`] does so and tells the result.
pub struct BackupMode<'a> {
    modes: &'a mut BackupModes,
    database: &'a mut Database,
    tablespace: Tablespace,
    over: bool,
}

impl BackupMode<'_> {
    /// The database, for what must be asked while the mode lasts.
    pub fn database(&mut self) -> &mut Database {
        self.database
    }

    /// ALTER TABLESPACE … END BACKUP, tried over new sessions where the old one is lost.
    ///
    /// On failure the journal keeps the entry, and the next run tries again.
    pub fn end(mut self) -> Result<(), DatabaseError> {
        failpoint::reach("before-end");
        self.end_now()
    }

    fn end_now(&mut self) -> Result<(), DatabaseError> {
        self.over = true;
        let statement = format!(
            "ALTER TABLESPACE {} END BACKUP",
            quote_name(&self.tablespace.name)
        );
        let mut attempt = 1;
        loop {
            match self.try_end(&statement) {
                Ok(()) => break,
                Err(_) if attempt < END_ATTEMPTS => {
                    attempt += 1;
                    self.database.disconnect();
                }
                Err(error) => return Err(error),
            }
        }
        failpoint::reach("after-end");
        self.modes.forget(self.tablespace.number)
    }

    /// Only V$BACKUP says that it is over: an answer may have been lost, and ORA-01142 may mean that somebody else was faster.
    fn try_end(&mut self, statement: &str) -> Result<(), DatabaseError> {
        let states = self.database.backup_states()?;
        if !self.is_active(&states) {
            return Ok(());
        }
        match self.database.execute_within(statement, END_LIMIT) {
            Err(error) if !error.has_oracle_code(NONE_IN_BACKUP) => return Err(error),
            _ => {}
        }
        let states = self.database.backup_states()?;
        if self.is_active(&states) {
            return Err(DatabaseError::Unexpected(format!(
                "tablespace {} is still in backup mode after END BACKUP",
                self.tablespace.name
            )));
        }
        Ok(())
    }

    fn is_active(&self, states: &[BackupState]) -> bool {
        states.iter().any(|state| {
            state.is_active()
                && self
                    .tablespace
                    .files
                    .iter()
                    .any(|file| file.number == state.file)
        })
    }

    /// Completes the journal with what V$BACKUP says of our BEGIN.
    fn note_begun(&mut self) -> Result<(), DatabaseError> {
        let states = self.database.backup_states()?;
        let entry = self
            .modes
            .journal
            .entries
            .last_mut()
            .expect("begin has pushed the entry");
        for file in &mut entry.files {
            let state = states.iter().find(|state| state.file == file.number);
            match state
                .filter(|state| state.is_active())
                .and_then(|state| Some((state.scn, state.time?)))
            {
                Some((scn, time)) => file.state = EntryState::Begun(scn, time),
                None => {
                    return Err(DatabaseError::Unexpected(format!(
                        "data file {} of tablespace {} is not in backup mode after BEGIN BACKUP",
                        file.number, self.tablespace.name
                    )));
                }
            }
        }
        journal::write(&self.modes.path, &self.modes.journal)
    }
}

impl Drop for BackupMode<'_> {
    fn drop(&mut self) {
        if !self.over {
            // Only a failed BEGIN or a panic comes here. The journal keeps what could not be ended.
            let _ = self.end_now();
        }
    }
}

/// Refuses when a file of these tablespaces is in backup mode already: somebody else needs it.
pub fn refuse_active(
    states: &[BackupState],
    tablespaces: &[Tablespace],
) -> Result<(), DatabaseError> {
    for tablespace in tablespaces {
        for file in &tablespace.files {
            if let Some(state) = states
                .iter()
                .find(|state| state.file == file.number && state.is_active())
            {
                return Err(DatabaseError::AlreadyInBackup {
                    tablespace: tablespace.name.clone(),
                    path: file.path.clone(),
                    since: state
                        .time
                        .map_or_else(|| "an unknown time".to_owned(), |time| time.to_string()),
                });
            }
        }
    }
    Ok(())
}

/// What a run that was killed has left behind, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Action id of the run that left it.
    pub action: String,
    /// Host of that run.
    pub host: String,
    /// Process number of that run.
    pub pid: u32,
    /// One finding a tablespace.
    pub findings: Vec<Finding>,
}

impl Healed {
    /// Whether something is left that a person must look at.
    pub fn needs_attention(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| matches!(finding.outcome, Outcome::NotLive { .. }))
    }
}

/// One tablespace of a [`Healed`] journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Tablespace name.
    pub tablespace: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a backup mode found in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was ours and is ended now.
    Ended,
    /// It had never begun or was ended by somebody.
    WasOver,
    /// The tablespace is in backup mode, but in another one than ours. Left alone.
    SomebodyElses {
        /// A file of it.
        path: PathBuf,
        /// Since when.
        since: String,
    },
    /// The database is mounted and this file is not the one that was put into backup mode: a restored copy.
    /// It must not be taken out of backup mode; it needs recovery. The journal keeps the entry.
    NotLive {
        /// The file.
        path: PathBuf,
    },
}

/// Whether a journal is there, without asking the database.
pub fn is_journal_present(sapbackup: &Path, oracle_sid: &str) -> bool {
    journal::path_for(sapbackup, oracle_sid).exists()
}

/// Ends the backup modes that an earlier run has begun and left, and no others. None where there is no journal.
///
/// The caller holds the lock of brbackup, so the run that wrote the journal is dead. Needs a mounted or open database.
/// A mounted one that cannot open because of ORA-10873 is cured by this, if the files are the live ones.
pub fn heal(database: &mut Database, sapbackup: &Path) -> Result<Option<Healed>, DatabaseError> {
    let path = journal::path_for(sapbackup, database.oracle_sid());
    let Some(mut journal) = journal::read(&path)? else {
        return Ok(None);
    };
    let refuse = |why: String| DatabaseError::Journal {
        what: "acting on",
        path: path.clone(),
        why,
    };
    let identity = database.identity()?;
    if identity.dbid != journal.dbid {
        return Err(refuse(format!(
            "it was written for DBID {}, this database has {}. HINT: if that database is gone, remove the file",
            journal.dbid, identity.dbid
        )));
    }
    if identity.backup_controlfile {
        return Err(refuse("the control file is a restored one, so V$BACKUP proves nothing. HINT: recover and open the database first".to_owned()));
    }
    wait_for(journal.session).map_err(refuse)?;
    let open = database.status()? == InstanceStatus::Open;
    let restored_since = !open
        && is_newer(
            &sapbackup.join(format!("rest{}.log", database.oracle_sid())),
            &path,
        );
    let inventory = database.inventory()?;
    let mut findings = Vec::new();
    for entry in &journal.entries {
        let outcome = judge_and_end(database, &inventory, entry, open, restored_since)?;
        findings.push(Finding {
            tablespace: entry.tablespace.clone(),
            outcome,
        });
    }
    let kept: Vec<bool> = findings
        .iter()
        .map(|finding| matches!(finding.outcome, Outcome::NotLive { .. }))
        .collect();
    let mut keep = kept.iter();
    journal.entries.retain(|_| keep.next() == Some(&true));
    let healed = Healed {
        action: journal.action.clone(),
        host: journal.host.clone(),
        pid: journal.pid,
        findings,
    };
    store(&path, &journal)?;
    Ok(Some(healed))
}

/// The `sqlplus` of a killed run goes on with its BEGIN BACKUP; before it has ended, V$BACKUP does not tell the outcome.
fn wait_for(session: ProcessMark) -> Result<(), String> {
    let deadline = Instant::now() + END_LIMIT;
    while session.is_alive() {
        if Instant::now() > deadline {
            return Err(format!(
                "sqlplus of the killed run (process {}) is still at work. HINT: see what it waits for, or kill it",
                session.pid
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn judge_and_end(
    database: &mut Database,
    inventory: &Inventory,
    entry: &Entry,
    open: bool,
    restored_since: bool,
) -> Result<Outcome, DatabaseError> {
    let states = database.backup_states()?;
    let active: Vec<&BackupState> = states
        .iter()
        .filter(|state| {
            state.is_active() && entry.files.iter().any(|file| file.number == state.file)
        })
        .collect();
    let path_of = |number: u32| {
        let found = inventory
            .datafiles()
            .find(|(_, file)| file.number == number);
        found.map_or_else(
            || PathBuf::from(format!("(file {number})")),
            |(_, file)| file.path.clone(),
        )
    };
    if active.is_empty() {
        return Ok(Outcome::WasOver);
    }
    for state in &active {
        let file = entry
            .files
            .iter()
            .find(|file| file.number == state.file)
            .expect("active was filtered by the entry");
        if !is_ours(entry, file, state) {
            let since = state
                .time
                .map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
            return Ok(Outcome::SomebodyElses {
                path: path_of(state.file),
                since,
            });
        }
        let path = path_of(state.file);
        if !open && (restored_since || FileIdentity::of(&path) != file.identity) {
            return Ok(Outcome::NotLive { path });
        }
    }
    if open {
        database.execute_within(
            &format!(
                "ALTER TABLESPACE {} END BACKUP",
                quote_name(&entry.tablespace)
            ),
            END_LIMIT,
        )?;
    } else {
        for state in &active {
            database.execute_within(
                &format!("ALTER DATABASE DATAFILE {} END BACKUP", state.file),
                END_LIMIT,
            )?;
        }
    }
    let states = database.backup_states()?;
    match states
        .iter()
        .find(|state| state.is_active() && active.iter().any(|was| was.file == state.file))
    {
        None => Ok(Outcome::Ended),
        Some(state) => Err(DatabaseError::Unexpected(format!(
            "data file {} is still in backup mode after END BACKUP",
            path_of(state.file).display()
        ))),
    }
}

fn is_ours(entry: &Entry, file: &EntryFile, state: &BackupState) -> bool {
    let Some(time) = state.time else { return false };
    match file.state {
        EntryState::Begun(scn, begun) => (scn, begun) == (state.scn, time),
        EntryState::Asked(scn) => {
            state.scn >= scn
                && (0..=BEGIN_SECONDS_MAX).contains(&seconds_between(entry.asked, time))
        }
    }
}

/// By the calendar: Oracle's time numbers give every month 31 days, so their difference is wrong at the end of one.
fn seconds_between(from: OracleTime, to: OracleTime) -> i64 {
    let moment = |time: OracleTime| {
        let (year, month, day, hour, minute, second) = time.civil();
        let part = |value: u8| i8::try_from(value).unwrap_or(i8::MAX);
        jiff::civil::DateTime::new(
            i16::try_from(year).ok()?,
            part(month),
            part(day),
            part(hour),
            part(minute),
            part(second),
            0,
        )
        .ok()
    };
    match (moment(from), moment(to)) {
        (Some(from), Some(to)) => to.duration_since(from).as_secs(),
        _ => i64::MAX, // No such time: never ours.
    }
}

fn is_newer(file: &Path, reference: &Path) -> bool {
    let modified = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    match (modified(file), modified(reference)) {
        (Some(file), Some(reference)) => file > reference,
        _ => false,
    }
}

fn store(path: &Path, journal: &Journal) -> Result<(), DatabaseError> {
    if journal.entries.is_empty() {
        journal::remove(path)
    } else {
        journal::write(path, journal)
    }
}

/// Names that need no quotes go without, as a person would type them.
fn quote_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "_$#".contains(c));
    if plain {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

#[cfg(test)]
mod tests;
