//! brrecover: brings the database back, completely or to a point in time, unattended.
//! What lives here: the story, phase by phase. What does not: the phases themselves.

pub mod apply;
pub mod plan;
pub mod restore;
pub mod situation;
pub mod target;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use oracle::scn::Scn;
use oracle::time::OracleTime;

use crate::action_id::Tool;
use crate::brrestore::begin_log;
use crate::database::{Database, DatabaseError, InstanceStatus, ShutdownMode, StartupTarget};
use crate::messages::joined;
use crate::options::Parsed;
use crate::restore::file::RestoreError;
use crate::return_code::ReturnCode;
use crate::session::Session;
use apply::ApplyError;
use plan::{Impossible, Plan};
use situation::Situation;
use target::Target;

/// How long an instance that is just going up or down is waited for.
const STATUS_LIMIT: Duration = Duration::from_secs(60);
/// What to do about a damaged copy that is the only one.
const NO_OTHER_COPY: &str = "this copy is damaged and there is no other: bring a good one to its place and start brrecover again";
/// ORA-00275: media recovery has already been started.
const ALREADY_STARTED: u32 = 275;

/// Why a recovery ended early.
#[derive(Debug)]
enum Stop {
    /// Before anything was touched.
    Early(Impossible),
    /// Cut off by a signal.
    Signal(i32),
    /// A copy that is no good, and why.
    Copy(PathBuf, String),
    /// While working: message 9044 with what and a hint.
    Late(String, String),
}

impl From<DatabaseError> for Stop {
    fn from(error: DatabaseError) -> Stop {
        Stop::Late(
            joined(&error.to_string()),
            "see the alert log of the database; then start brrecover again".to_string(),
        )
    }
}

impl From<RestoreError> for Stop {
    fn from(error: RestoreError) -> Stop {
        match error {
            RestoreError::Interrupted(signal) => Stop::Signal(signal),
            RestoreError::Content { ref path } | RestoreError::Size { ref path, .. } => {
                Stop::Copy(path.clone(), error.to_string())
            }
            RestoreError::Io { .. } => Stop::Late(
                error.to_string(),
                "correct the cause and start brrecover again".to_string(),
            ),
        }
    }
}

/// A run from its command line.
pub fn main(options: &Parsed) -> ReturnCode {
    let target = match target_of(options) {
        Ok(target) => target,
        Err(why) => {
            eprintln!("{}", crate::messages::Message::error(9044, &[&why, &""]));
            eprintln!(
                "HINT: brrecover -t dbpit -m '2026-11-23 14.30.00', or -g <scn>, or -n <sequence>; brrecover -h"
            );
            return ReturnCode::FailedEarly;
        }
    };
    let function = if target == Target::Complete {
        "crv"
    } else {
        "dpt"
    };
    let recovery_type = if target == Target::Complete {
        "complete"
    } else {
        "dbpit"
    };
    let fields = [recovery_type.to_string()];
    let mut session = match Session::open(Tool::Brrecover, options, function, &fields) {
        Ok(session) => session,
        Err(code) => return code,
    };
    if options.value("c") != Some("force") && !options.has("q") {
        session.log.error(
            9044,
            &[
                &"menus are not part of this release",
                &"brrecover runs unattended only: give -c force, after looking at the plan with -q",
            ],
        );
        return session.close(ReturnCode::FailedEarly);
    }
    begin_log(&mut session, 707, 708, 709);
    let code = run(&mut session, target, options.has("q"));
    session.close(code)
}

/// What `-t`, `-m`, `-g` and `-n` mean together.
fn target_of(options: &Parsed) -> Result<Target, String> {
    let given: Vec<Target> = [
        options.value("m").map(|text| {
            OracleTime::parse(text).map(Target::Time).ok_or(format!(
                "'{text}' is no time of the form yyyy-mm-dd hh.mi.ss"
            ))
        }),
        options.value("g").map(|text| {
            text.parse()
                .map(|scn| Target::Change(Scn::new(scn)))
                .map_err(|_| format!("'{text}' is no SCN"))
        }),
        options.value("n").map(|text| {
            text.parse()
                .map(Target::Sequence)
                .map_err(|_| format!("'{text}' is no log sequence"))
        }),
    ]
    .into_iter()
    .flatten()
    .collect::<Result<_, _>>()?;
    match (options.value("t").unwrap_or("complete"), &given[..]) {
        ("complete", []) => Ok(Target::Complete),
        ("complete", _) => {
            Err("a complete recovery has no target; a point in time is -t dbpit".to_string())
        }
        (_, [target]) => Ok(*target),
        (_, []) => Err("-t dbpit needs a target".to_string()),
        (_, _) => Err("-t dbpit takes one target".to_string()),
    }
}

/// Recovers the database to the target. Every phase can be repeated by running the same command again.
pub fn run(session: &mut Session, target: Target, query_only: bool) -> ReturnCode {
    match recover(session, target, query_only) {
        Ok(()) => session.log.return_code(),
        Err(Stop::Early(impossible)) => {
            show_rejected(session, &impossible.rejected);
            session
                .log
                .error(9022, &[&impossible.what, &impossible.hint]);
            ReturnCode::FailedEarly
        }
        Err(Stop::Signal(signal)) => {
            let hint = "files that were restored are whole, the others are as they were before; the same command recovers from here";
            session.log.error(261, &[&"BRRECOVER", &signal, &hint]);
            ReturnCode::Cancelled
        }
        Err(Stop::Copy(_, what)) => {
            session.log.error(9044, &[&what, &NO_OTHER_COPY]);
            ReturnCode::Failed
        }
        Err(Stop::Late(what, hint)) => {
            session.log.error(9044, &[&what, &hint]);
            ReturnCode::Failed
        }
    }
}

fn recover(session: &mut Session, target: Target, query_only: bool) -> Result<(), Stop> {
    phase(session, 1, "looking at the database");
    session.log.info(9028, &[&target]);
    let found = session
        .database
        .settled_status(STATUS_LIMIT)
        .map_err(cannot_look)?;
    let mut situation =
        situation::look(&mut session.database, &session.environment).map_err(cannot_look)?;
    report(session, found, &situation);
    phase(session, 2, "planning");
    let mut damaged = BTreeSet::new();
    let planned = plan::make(&situation, target, &session.environment, &damaged);
    if query_only {
        leave_as_found(session, found)?;
    }
    let mut plan = planned.map_err(Stop::Early)?;
    show(session, &plan);
    if query_only {
        session.log.info(124, &[]);
        return Ok(());
    }
    if plan.is_empty() {
        session
            .log
            .info(9030, &[&"no file is lost and none needs recovery"]);
        return open(session, &plan);
    }
    if found == InstanceStatus::Open {
        remount(session, &plan)?;
        situation = situation::look(&mut session.database, &session.environment)?;
        plan =
            plan::make(&situation, target, &session.environment, &damaged).map_err(Stop::Early)?;
    }
    phase(session, 3, "restoring control files and data files");
    loop {
        match check_copies(session, &plan).and_then(|()| restore_files(session, &plan)) {
            Ok(()) => break,
            Err(Stop::Copy(path, why)) => {
                session
                    .log
                    .warning(9043, &[&why, &"another copy of it is looked for"]);
                if !damaged.insert(path) {
                    return Err(Stop::Late(why, NO_OTHER_COPY.to_owned()));
                }
                situation = situation::look(&mut session.database, &session.environment)?;
                plan = plan::make(&situation, target, &session.environment, &damaged)
                    .map_err(|none| Stop::Late(format!("{why}; {}", none.what), none.hint))?;
                show(session, &plan);
            }
            Err(other) => return Err(other),
        }
    }
    phase(session, 4, "restoring redo logs");
    let absent = restore::absent(&plan.stored_logs);
    if !plan.stored_logs.is_empty() {
        restore::bring_back(&plan.stored_logs, &mut session.log, &session.interrupt)?;
    }
    phase(session, 5, "applying redo");
    apply_redo(session, &plan, target)?;
    phase(session, 6, "opening the database");
    open(session, &plan)?;
    restore::remove_again(&absent, &mut session.log);
    Ok(())
}

/// Nothing has been touched yet.
fn cannot_look(error: DatabaseError) -> Stop {
    Stop::Early(Impossible {
        what: joined(&error.to_string()),
        hint: "see the alert log of the database; then start brrecover again".to_owned(),
        rejected: Vec::new(),
    })
}

fn phase(session: &mut Session, number: u32, name: &str) {
    session.log.blank();
    session.log.stamp();
    session.log.info(9020, &[&number, &name]);
}

/// A query leaves the instance as it found it: one that was mounted for looking goes back.
fn leave_as_found(session: &mut Session, found: InstanceStatus) -> Result<(), Stop> {
    let target = match found {
        InstanceStatus::Open | InstanceStatus::Mounted => return Ok(()),
        InstanceStatus::Started => Some(StartupTarget::NoMount),
        InstanceStatus::Idle => None,
    };
    session.database.shutdown(ShutdownMode::Abort)?;
    if let Some(target) = target {
        session.database.startup(target)?;
    }
    Ok(())
}

/// Data files are restored with the database closed. One with lost files goes on writing into files that have no name
/// any more, and cannot be shut down in order.
fn remount(session: &mut Session, plan: &Plan) -> Result<(), Stop> {
    session.log.info(750, &[&session.environment.sid]);
    session.log.info(307, &[&session.environment.sid]);
    let in_order = plan.datafiles.iter().all(|item| item.target.is_file());
    let mode = match in_order {
        true => ShutdownMode::Immediate,
        false => ShutdownMode::Abort,
    };
    session.database.shutdown(mode)?;
    session.log.info(308, &[&session.environment.sid]);
    Ok(())
}

fn report(session: &mut Session, found: InstanceStatus, situation: &Situation) {
    let state = match (&situation.mounted, found) {
        (Ok(_), InstanceStatus::Open) => "open".to_string(),
        (Ok(_), _) => "mounted".to_string(),
        (Err(why), _) => format!("started, but its control files are lost ({why})"),
    };
    session.log.info(614, &[&session.environment.sid, &state]);
    let files = situation.mounted.iter().flat_map(|mounted| &mounted.files);
    for file in files {
        let what = match &file.lost {
            Some(why) => format!("is lost: {why}"),
            None if file.is_offline => "is offline".to_owned(),
            None => continue,
        };
        let line = format!("data file {} {} {what}", file.number, file.path.display());
        session.log.info(9045, &[&line]);
    }
}

/// Before the first file that is still there is replaced, all copies are read: a damaged one is found while nothing
/// has been touched. Where all files are lost this would only take time, each copy is checked on its way back.
fn check_copies(session: &mut Session, plan: &Plan) -> Result<(), Stop> {
    if !plan.datafiles.iter().any(|item| item.target.is_file()) {
        return Ok(());
    }
    for item in plan.control_files.iter().take(1).chain(&plan.datafiles) {
        crate::restore::file::check(item, &session.interrupt)?;
    }
    Ok(())
}

fn show_rejected(session: &mut Session, rejected: &[crate::restore::backups::Rejected]) {
    for rejected in rejected {
        let kind = if rejected.what.starts_with("redo log") {
            ""
        } else {
            "backup "
        };
        session.log.info(
            9045,
            &[&format!(
                "{kind}{} is not used: {}",
                rejected.what, rejected.why
            )],
        );
    }
}

fn show(session: &mut Session, plan: &Plan) {
    show_rejected(session, &plan.rejected);
    let log = &mut session.log;
    if !plan.backups.is_empty() {
        log.info(419, &[&plan.backups.join(", ")]);
    }
    for (what, items) in [
        ("control file", &plan.control_files),
        ("data file", &plan.datafiles),
        ("redo log", &plan.stored_logs),
    ] {
        for item in items {
            log.info(
                9021,
                &[&format!(
                    "restore {what} {} from {}",
                    item.target.display(),
                    item.source.display()
                )],
            );
        }
    }
    if let (Some(first), Some(last)) = (plan.logs.first(), plan.logs.last()) {
        let current = if last.is_open() {
            ", the last of them the current online log"
        } else {
            ""
        };
        log.info(
            9021,
            &[&format!(
                "apply redo logs {} to {}{current}",
                first.sequence, last.sequence
            )],
        );
    }
    for number in &plan.online_again {
        log.info(9021, &[&format!("bring data file {number} online again")]);
    }
    let how = if plan.resetlogs {
        "open with RESETLOGS"
    } else {
        "open"
    };
    log.info(9021, &[&how]);
}

fn restore_files(session: &mut Session, plan: &Plan) -> Result<(), Stop> {
    if !plan.control_files.is_empty() {
        if session.database.status()? != InstanceStatus::Idle {
            session.database.shutdown(ShutdownMode::Abort)?;
        }
        let kept = session
            .environment
            .sapbackup
            .join(session.log.id().to_string());
        restore::keep_old(&plan.control_files, &kept, &mut session.log)?;
        restore::bring_back(&plan.control_files, &mut session.log, &session.interrupt)?;
    }
    if !plan.datafiles.is_empty() {
        restore::bring_back(&plan.datafiles, &mut session.log, &session.interrupt)?;
    }
    mount(&mut session.database)?;
    Ok(())
}

fn mount(database: &mut Database) -> Result<(), DatabaseError> {
    match database.status()? {
        InstanceStatus::Mounted | InstanceStatus::Open => Ok(()),
        InstanceStatus::Started => database.execute("ALTER DATABASE MOUNT").map(drop),
        InstanceStatus::Idle => database.startup(crate::database::StartupTarget::Mount),
    }
}

fn apply_redo(session: &mut Session, plan: &Plan, target: Target) -> Result<(), Stop> {
    for number in &plan.online_again {
        let statement = format!("ALTER DATABASE DATAFILE {number} ONLINE");
        session.log.info(9045, &[&statement]);
        session.database.execute(&statement)?;
    }
    let statement = target.statement(plan.using_backup_controlfile);
    session.log.info(9045, &[&statement]);
    let apply = |session: &mut Session| {
        let (database, log) = (&mut session.database, &mut session.log);
        apply::apply(database, &statement, target, &plan.logs, log)
    };
    let mut applied = apply(session);
    if let Err(ApplyError::Statement(_, error)) = &applied
        && error.has_oracle_code(ALREADY_STARTED)
    {
        // A killed run left its recovery open in the instance; only a restart ends it without leaving a mark.
        session.database.shutdown(ShutdownMode::Abort)?;
        mount(&mut session.database)?;
        applied = apply(session);
    }
    applied.map_err(|error| match error {
        ApplyError::Statement(statement, error) => Stop::Late(
            format!("{statement}: {}", joined(&error.to_string())),
            "the database is left mounted; see the alert log, then start brrecover again"
                .to_string(),
        ),
        ApplyError::Missing(sequence, why) => Stop::Late(
            format!("redo log {sequence} is needed and cannot be applied: {why}"),
            format!("bring log {sequence} into the archive directory and start brrecover again"),
        ),
    })
}

fn open(session: &mut Session, plan: &Plan) -> Result<(), Stop> {
    if session.database.status()? != InstanceStatus::Open {
        mount(&mut session.database)?;
        let statement = if plan.resetlogs {
            "ALTER DATABASE OPEN RESETLOGS"
        } else {
            "ALTER DATABASE OPEN"
        };
        session.log.info(9045, &[&statement]);
        session
            .database
            .execute_within(statement, std::time::Duration::from_secs(3600))?;
    }
    session.log.info(614, &[&session.environment.sid, &"open"]);
    if plan.resetlogs {
        let identity = session.database.identity()?;
        session.log.info(
            9024,
            &[&identity.resetlogs.time.raw(), &identity.resetlogs.scn],
        );
        session.log.info(
            9045,
            &[&"A new whole backup is needed now: brbackup -t online -d disk -m all -c"],
        );
    }
    Ok(())
}
