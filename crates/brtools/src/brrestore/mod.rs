//! brrestore: brings files of a backup, or archived redo logs, back to disk.
//! What lives here: the story. What does not: choosing (`selection`), copying (`restore::file`).

pub mod selection;

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use crate::action_id::Tool;
use crate::brrecover::restore::bring_back;
use crate::copy::free_bytes;
use crate::database::InstanceStatus;
use crate::durable;
use crate::faults::Faults;
use crate::messages::Message;
use crate::options::Parsed;
use crate::prompt;
use crate::restore;
use crate::restore::backups::{self, Backup, Media};
use crate::restore::file::{self, RestoreError, RestoreItem};
use crate::return_code::ReturnCode;
use crate::run_log::megabytes;
use crate::session::Session;
use crate::summary::archive::ArchiveSummary;
use crate::values::Values;
use crate::volume::settings::{Pool, TapeSettings};
use crate::volume::station;
use selection::SelectionError;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `-b <backup> -m <mode>`.
    Backup {
        /// `last` or the name of a log.
        backup: String,
        /// Words of `-m`.
        mode: String,
    },
    /// `-a <list>` or `-a2 <list>`.
    Logs {
        /// Numbers and ranges.
        list: String,
        /// Second copies.
        second: bool,
    },
}

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// `-c force`: overwrite without asking.
    pub force: bool,
    /// `-q`: show the plan, do nothing.
    pub query: bool,
}

/// Why a restore ended early: the messages are in the log.
struct Stop(ReturnCode);

/// A run from its command line.
pub fn main(options: &Parsed) -> ReturnCode {
    if let Err(contradiction) = one_way(options) {
        return Faults::one(contradiction).print();
    }
    let query = options.has("q");
    let second = options.value("a2").map(|list| Wanted::Logs {
        list: list.to_string(),
        second: true,
    });
    let first = options.value("a").map(|list| Wanted::Logs {
        list: list.to_string(),
        second: false,
    });
    let function = match (query, second.is_some() || first.is_some()) {
        (true, _) => "qur",
        (false, true) => "rsa",
        (false, false) => "rsb",
    };
    let mut session = match Session::open(Tool::Brrestore, options, function, &[]) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let mode = options
        .value("m")
        .or(session.profile.value("restore_mode"))
        .unwrap_or("all")
        .to_string();
    let backup = options.value("b").unwrap_or("last").to_string();
    session.fields = vec![mode.clone(), "disk".to_string()];
    let wanted = second.or(first).unwrap_or(Wanted::Backup { backup, mode });
    let consent = Consent {
        force: options.value("c") == Some("force"),
        query,
    };
    begin_log(&mut session, 407, 408, 409);
    let tapes = match tapes(&session, options, &wanted) {
        Ok(tapes) => tapes,
        Err(faults) => {
            faults.report(&mut session.log);
            return session.close(ReturnCode::FailedEarly);
        }
    };
    let code = run(&mut session, &wanted, consent, tapes.as_ref());
    session.close(code)
}

/// Drives and what a run says of itself there.
pub struct Tapes {
    settings: TapeSettings,
    run: station::Run,
}

/// The drives, where the device type says that there are any.
fn tapes(session: &Session, options: &Parsed, wanted: &Wanted) -> Result<Option<Tapes>, Faults> {
    let values = Values {
        options,
        profile: &session.profile,
    };
    let (pool, volumes_parameter) = match wanted {
        Wanted::Backup { .. } => (Pool::Backup, "volume_backup"),
        Wanted::Logs { .. } => (Pool::Archive, "volume_archive"),
    };
    let mut faults = Faults::default();
    let settings = TapeSettings::read(&values, pool, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let run = station::Run {
        id: session.log.id(),
        function: session.log.function().to_owned(),
        environment: session.environment.clone(),
        profile_path: session.environment.profile(options.value("p")),
        program: "BRRESTORE",
        volumes_parameter,
        confirmation: values.confirmation(),
    };
    Ok(settings.map(|settings| Tapes { settings, run }))
}

/// `-b` and `-m` choose files of a backup, `-a` and `-a2` archived logs: one of them a run.
fn one_way(options: &Parsed) -> Result<(), Message> {
    let given = |names: &[&'static str]| names.iter().copied().find(|name| options.has(name));
    let pair = match (given(&["m", "b"]), given(&["a", "a2"])) {
        (Some(backup), Some(logs)) => (backup, logs),
        _ if options.has("a") && options.has("a2") => ("a", "a2"),
        _ => return Ok(()),
    };
    Err(Message::error(
        430,
        &[&format!("-{}", pair.0), &format!("-{}", pair.1)],
    ))
}

/// Database, action id and function id, as every log has them after its frame.
pub fn begin_log(session: &mut Session, database: u16, action: u16, function: u16) {
    let sid = session.environment.sid.clone();
    let (id, name) = (session.log.id(), session.log.function().to_string());
    session.log.parameters(&[
        ("oracle_sid", sid.clone()),
        (
            "oracle_home",
            session.environment.oracle_home.display().to_string(),
        ),
        (
            "sapdata_home",
            session.environment.sapdata_home.display().to_string(),
        ),
        ("backup_dev_type", "disk".to_string()),
    ]);
    session.log.stamp();
    session.log.info(database, &[&sid]);
    session.log.info(action, &[&id]);
    session.log.info(function, &[&name]);
}

/// Restores what is wanted.
pub fn run(
    session: &mut Session,
    wanted: &Wanted,
    consent: Consent,
    tapes: Option<&Tapes>,
) -> ReturnCode {
    match restore(session, wanted, consent, tapes) {
        Ok(()) => session.log.return_code(),
        Err(Stop(code)) => code,
    }
}

fn restore(
    session: &mut Session,
    wanted: &Wanted,
    consent: Consent,
    tapes: Option<&Tapes>,
) -> Result<(), Stop> {
    let (items, online_logs) = match wanted {
        Wanted::Backup { backup, mode } => select(session, backup, mode)?,
        Wanted::Logs { list, second } => (select_logs(session, list, *second)?, Vec::new()),
    };
    require_drive(session, &items, tapes)?;
    show(session, &items)?;
    if consent.query {
        session.log.info(124, &[]);
        return Ok(());
    }
    refuse_files_in_use(session, &items)?;
    require_space(session, &items)?;
    warn_of_online_logs(session, &items, &online_logs);
    confirm(session, &items, consent)?;
    session.log.stamp();
    let (on_tape, on_disk): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|item| item.on_tape.is_some());
    if !on_disk.is_empty() {
        bring_back(&on_disk, &mut session.log, &session.interrupt)
            .map(drop)
            .map_err(|error| failed(session, &on_disk, error))?;
    }
    match tapes {
        Some(Tapes { settings, run }) if !on_tape.is_empty() => restore::tape::bring_back(
            &on_tape,
            settings,
            run,
            &mut session.log,
            &session.interrupt,
        )
        .map_err(|stop| ended(session, stop)),
        _ => Ok(()),
    }
}

/// A restore from tape that did not come to its end.
fn ended(session: &mut Session, stop: prompt::Stop) -> Stop {
    Stop(prompt::code_of(
        &mut session.log,
        "BRRESTORE",
        true,
        Err(stop),
    ))
}

/// What is on tape needs a drive.
fn require_drive(
    session: &mut Session,
    items: &[RestoreItem],
    tapes: Option<&Tapes>,
) -> Result<(), Stop> {
    let Some(item) = items.iter().find(|item| item.on_tape.is_some()) else {
        return Ok(());
    };
    if tapes.is_some() {
        return Ok(());
    }
    let what = format!(
        "{} is on tape, {}, and the device type is no tape",
        item.original.display(),
        item.source.display()
    );
    Err(early(session, 9044, &[&what, &"give -d tape"]))
}

/// Writes an error and gives the code of a failure before anything was done.
fn early(session: &mut Session, number: u16, arguments: &[&dyn std::fmt::Display]) -> Stop {
    session.log.error(number, arguments);
    Stop(ReturnCode::FailedEarly)
}

/// The items of `-m`, and where the database of that backup had its online redo logs.
fn select(
    session: &mut Session,
    backup: &str,
    mode: &str,
) -> Result<(Vec<RestoreItem>, Vec<PathBuf>), Stop> {
    let chosen = if backup == "last" {
        last(session, mode)?
    } else {
        named(session, backup)?
    };
    session
        .log
        .info(419, &[&format!("{}.{}", chosen.id, chosen.function)]);
    session.log.info(411, &[&mode]);
    let held_by = format!("backup {}.{}", chosen.id, chosen.function);
    let items = selection::from_backup(&chosen, mode, &[])
        .map_err(|error| refused(session, ("-m", mode), &held_by, &error))?;
    let online_logs = chosen.detail.redo_logs.into_iter().map(|log| log.path);
    Ok((items, online_logs.collect()))
}

/// What cannot be chosen, said with what to do. `held_by` is where it was looked for.
fn refused(
    session: &mut Session,
    (option, value): (&str, &str),
    held_by: &str,
    error: &SelectionError,
) -> Stop {
    match error {
        SelectionError::Unknown(word) => early(
            session,
            9044,
            &[
                &format!("{option} {word}: no such tablespace, file id or path is in {held_by}"),
                &"brrestore -b <log> -m all -q shows what a backup holds",
            ],
        ),
        SelectionError::Collision { .. } => early(
            session,
            9044,
            &[
                error,
                &"give each a directory of its own: -m <file id>=<directory>,<file id>=<directory>",
            ],
        ),
        _ => early(session, 156, &[&value, &option, error]),
    }
}

/// The newest successful backup that holds what is wanted. Others are named with the reason.
fn last(session: &mut Session, mode: &str) -> Result<Backup, Stop> {
    let summary = session
        .environment
        .sapbackup
        .join(format!("back{}.log", session.environment.sid));
    let found = match backups::find(
        &session.environment.sapbackup,
        &session.environment.sid,
        Media::All,
    ) {
        Ok(found) => found,
        Err(error) => {
            session
                .log
                .error(253, &[&format!("{}: {error}", summary.display())]);
            return Err(early(session, 121, &[&summary.display()]));
        }
    };
    for rejected in &found.rejected {
        session.log.info(
            9045,
            &[&format!(
                "backup {} is not used: {}",
                rejected.what, rejected.why
            )],
        );
    }
    let whole = selection::wants_whole(mode);
    let mut missing = None;
    for backup in found.usable {
        match selection::from_backup(&backup, mode, &[]) {
            Err(unknown @ SelectionError::Unknown(_)) => missing = Some(unknown),
            // Another backup would not make it right; the caller says what is wrong with it.
            Err(_) => return Ok(backup),
            Ok(_) if !whole || backup.is_whole() => return Ok(backup),
            Ok(_) => missing = None,
        }
        session.log.info(
            9045,
            &[&format!(
                "backup {} is not used: it does not hold {mode}",
                backup.id
            )],
        );
    }
    match missing {
        Some(unknown) => {
            let held_by = format!("any good backup of {}", summary.display());
            Err(refused(session, ("-m", mode), &held_by, &unknown))
        }
        None => Err(early(session, 435, &[&summary.display()])),
    }
}

fn named(session: &mut Session, name: &str) -> Result<Backup, Stop> {
    let backup = Backup::named(
        &session.environment.sapbackup,
        &session.environment.sid,
        name,
    )
    .map_err(|why| early(session, 454, &[&name, &why]))?;
    if !backup.code.is_usable() {
        session.log.warning(459, &[&name, &backup.code.number()]);
    }
    Ok(backup)
}

fn select_logs(session: &mut Session, list: &str, second: bool) -> Result<Vec<RestoreItem>, Stop> {
    let sid = session.environment.sid.clone();
    let path = session.environment.saparch.join(format!("arch{sid}.log"));
    let summary = match ArchiveSummary::read(&path) {
        Ok(summary) => summary,
        Err(error) => {
            session.log.error(
                9044,
                &[
                    &error,
                    &"restore arch<SID>.log from its last copy in the backup directory",
                ],
            );
            return Err(early(session, 121, &[&path.display()]));
        }
    };
    session.log.info(414, &[&sid, &list]);
    selection::from_archive(&summary, list, second)
        .map_err(|error| refused(session, ("-a", list), "the archive log", &error))
}

fn show(session: &mut Session, items: &[RestoreItem]) -> Result<(), Stop> {
    if items.is_empty() {
        return Err(early(session, 417, &[]));
    }
    let mut total = 0;
    for item in items {
        match file::source_bytes(item) {
            Ok(bytes) => total += bytes,
            Err(error) => {
                session.log.error(
                    9044,
                    &[
                        &error,
                        &"nothing was restored: use another backup with -b <log>",
                    ],
                );
                return Err(Stop(ReturnCode::FailedEarly));
            }
        }
        session.log.info(
            9021,
            &[&format!(
                "restore {} from {}",
                item.target.display(),
                item.source.display()
            )],
        );
    }
    session.log.info(416, &[&items.len(), &megabytes(total)]);
    Ok(())
}

/// Files that a running database has open must not be replaced under it.
fn refuse_files_in_use(session: &mut Session, items: &[RestoreItem]) -> Result<(), Stop> {
    let status = match session.database.status() {
        Ok(status) => status,
        // Without an answer from sqlplus there is no instance that this tool could ask; the lock file of a
        // running one still refuses a second start.
        Err(error) => {
            session.log.warning(
                9043,
                &[
                    &format!("the state of the database is not known: {error}"),
                    &"make sure that it is down",
                ],
            );
            return Ok(());
        }
    };
    if status < InstanceStatus::Mounted {
        return Ok(());
    }
    let Ok(inventory) = session.database.inventory() else {
        return Ok(());
    };
    let in_use = items.iter().find(|item| {
        let control = inventory
            .control_files
            .iter()
            .any(|file| file.path == item.target);
        let redo = inventory
            .redo_groups
            .iter()
            .any(|group| group.members.contains(&item.target));
        let online = inventory
            .find_datafile(&item.target)
            .is_some_and(|(_, file)| {
                status == InstanceStatus::Open
                    && file.status != "OFFLINE"
                    && file.status != "RECOVER"
            });
        control || redo || online
    });
    match in_use {
        None => Ok(()),
        Some(item) => {
            let sid = session.environment.sid.clone();
            session.log.error(342, &[&sid]);
            let what = format!("{} is in use by the database", item.target.display());
            Err(early(
                session,
                9044,
                &[
                    &what,
                    &"SHUTDOWN the database, or take the data file offline",
                ],
            ))
        }
    }
}

fn require_space(session: &mut Session, items: &[RestoreItem]) -> Result<(), Stop> {
    let mut needs: Vec<(PathBuf, u64)> = Vec::new();
    for item in items {
        let directory = item
            .target
            .ancestors()
            .skip(1)
            .find(|path| path.is_dir())
            .unwrap_or(durable::parent(&item.target));
        let bytes = file::source_bytes(item).unwrap_or(0);
        match needs.iter_mut().find(|(known, _)| known == directory) {
            Some((_, sum)) => *sum += bytes,
            None => needs.push((directory.to_owned(), bytes)),
        }
    }
    for (directory, bytes) in needs {
        // A file is written beside the one that it replaces, so both need room for a while.
        if let Ok(free) = free_bytes(&directory)
            && free < bytes
        {
            return Err(early(
                session,
                360,
                &[&directory.display(), &megabytes(bytes - free)],
            ));
        }
    }
    Ok(())
}

/// What was committed since the backup may be in the online redo logs and nowhere else.
fn warn_of_online_logs(session: &mut Session, items: &[RestoreItem], online_logs: &[PathBuf]) {
    let replaced: Vec<String> = items
        .iter()
        .filter(|item| online_logs.contains(&item.target) && item.target.exists())
        .map(|item| item.target.display().to_string())
        .collect();
    if replaced.is_empty() {
        return;
    }
    let what = format!(
        "online redo logs that are there are replaced by those of the backup: {}",
        replaced.join(", ")
    );
    let hint = "their redo is lost, and with it what was committed after the backup and is in no archived log: copy them away first, or restore -m all and use brrecover";
    session.log.warning(9043, &[&what, &hint]);
}

fn confirm(session: &mut Session, items: &[RestoreItem], consent: Consent) -> Result<(), Stop> {
    let existing: Vec<&RestoreItem> = items.iter().filter(|item| item.target.exists()).collect();
    if existing.is_empty() || consent.force {
        return Ok(());
    }
    for item in existing {
        session.log.info(
            9045,
            &[&format!(
                "{} exists and will be overwritten",
                item.target.display()
            )],
        );
    }
    session.log.info(256, &[&"BRRESTORE"]);
    let mut reply = String::new();
    let read = io::stdin().lock().read_line(&mut reply);
    let reply = reply.trim();
    session.log.info(257, &[&reply]);
    if read.is_ok() && matches!(reply, "c" | "cont") {
        session.log.info(259, &[]);
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        session.log.info(
            9045,
            &[&"there is no terminal to ask on: give -c force to overwrite"],
        );
    }
    session.log.error(260, &[]);
    Err(Stop(ReturnCode::CancelledEarly))
}

fn failed(session: &mut Session, items: &[RestoreItem], error: RestoreError) -> Stop {
    if let RestoreError::Interrupted(signal) = error {
        let hint =
            "files that were restored are whole, the others are as they were before; start again";
        session.log.error(261, &[&"BRRESTORE", &signal, &hint]);
        return Stop(ReturnCode::Cancelled);
    }
    let source = match &error {
        RestoreError::Io { path, .. }
        | RestoreError::Size { path, .. }
        | RestoreError::Content { path } => path.clone(),
        RestoreError::Interrupted(_) => PathBuf::new(),
    };
    // What the system refused may also be the target, its temporary name, or a directory above it.
    let concerned = items.iter().find(|item| {
        item.source == source
            || durable::beside(&item.target, "restoring") == source
            || item.target.starts_with(&source)
    });
    let (shown, source) = concerned.map_or_else(
        || (source.clone(), source.clone()),
        |item| (item.target.clone(), item.source.clone()),
    );
    if matches!(
        error,
        RestoreError::Content { .. } | RestoreError::Size { .. }
    ) {
        session.log.error(9027, &[&source.display()]);
    }
    session.log.error(253, &[&error]);
    session
        .log
        .error(359, &[&shown.display(), &source.display()]);
    Stop(ReturnCode::Failed)
}
