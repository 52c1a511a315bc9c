//! brrecover: brings the database back, completely or to a point in time, unattended.
//! What lives here: the story, phase by phase. What does not: the phases themselves.

pub mod apply;
pub mod plan;
pub mod restore;
pub mod situation;
pub mod target;

use oracle::scn::Scn;
use oracle::time::OracleTime;

use crate::action_id::Tool;
use crate::brrestore::begin_log;
use crate::database::{Database, DatabaseError, InstanceStatus, ShutdownMode};
use crate::messages::joined;
use crate::options::Parsed;
use crate::restore::file::RestoreError;
use crate::return_code::ReturnCode;
use crate::session::Session;
use apply::ApplyError;
use plan::{Impossible, Plan};
use situation::Situation;
use target::Target;

/// Why a recovery ended early.
#[derive(Debug)]
enum Stop {
    /// Before anything was touched.
    Early(Impossible),
    /// Cut off by a signal.
    Signal(i32),
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
            RestoreError::Content { .. } | RestoreError::Size { .. } => {
                let hint = "this copy is damaged: use another backup with -b, or bring a good copy of it to its place";
                Stop::Late(error.to_string(), hint.to_string())
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
            session.log.error(261, &[&"BRRECOVER", &signal]);
            ReturnCode::Cancelled
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
    let situation = look(session, target)?;
    phase(session, 2, "planning");
    let plan = plan::make(&situation, target, &session.environment).map_err(Stop::Early)?;
    show(session, &plan);
    if query_only {
        session.log.info(124, &[]);
        return Ok(());
    }
    if plan.datafiles.is_empty() && plan.control_files.is_empty() && plan.logs.is_empty() {
        session
            .log
            .info(9030, &[&"no file is lost and none needs recovery"]);
        return open(session, &plan);
    }
    phase(session, 3, "restoring control files and data files");
    restore_files(session, &plan)?;
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

fn phase(session: &mut Session, number: u32, name: &str) {
    session.log.blank();
    session.log.stamp();
    session.log.info(9020, &[&number, &name]);
}

/// A point in time needs the data files closed, so an open database is shut down first.
fn look(session: &mut Session, target: Target) -> Result<Situation, Stop> {
    let status = session.database.status()?;
    if status == InstanceStatus::Open && target != Target::Complete {
        session.log.info(750, &[&session.environment.sid]);
        session.log.info(307, &[&session.environment.sid]);
        session.database.shutdown(ShutdownMode::Immediate)?;
        session.log.info(308, &[&session.environment.sid]);
    }
    let mut situation = situation::look(&mut session.database, &session.environment)?;
    let lost = |situation: &Situation| {
        situation.mounted.as_ref().is_ok_and(|mounted| {
            mounted
                .files
                .iter()
                .any(|file| file.lost.is_some() || file.needs_recovery)
        })
    };
    if status == InstanceStatus::Open && lost(&situation) {
        // An open database goes on writing into files that have no name any more; only a restart lets go of them.
        session.log.info(750, &[&session.environment.sid]);
        session.database.shutdown(ShutdownMode::Abort)?;
        situation = situation::look(&mut session.database, &session.environment)?;
    }
    let state = match &situation.mounted {
        Ok(_) => "mounted".to_string(),
        Err(why) => format!("started, but its control files are lost ({why})"),
    };
    session.log.info(614, &[&session.environment.sid, &state]);
    if let Ok(mounted) = &situation.mounted {
        for file in mounted.files.iter().filter(|file| file.lost.is_some()) {
            let why = file.lost.as_deref().unwrap_or_default();
            session.log.info(
                9045,
                &[&format!(
                    "data file {} {} is lost: {why}",
                    file.number,
                    file.path.display()
                )],
            );
        }
    }
    Ok(situation)
}

fn show_rejected(session: &mut Session, rejected: &[crate::restore::backups::Rejected]) {
    for rejected in rejected {
        session.log.info(
            9045,
            &[&format!(
                "backup {} is not used: {}",
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
        let current = if last
            .header
            .as_ref()
            .is_some_and(|h| h.next_scn == oracle::scn::Scn::OPEN_ENDED)
        {
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
    let statement = target.statement(plan.using_backup_controlfile);
    session.log.info(9045, &[&statement]);
    apply::apply(
        &mut session.database,
        &statement,
        target,
        &plan.logs,
        &mut session.log,
    )
    .map_err(|error| match error {
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
