//! What there is: the database's knowledge of its logs, and the files of the archive directory.
//! What lives here: looking. What does not: deciding.

use super::destination::{ArchiveParameters, Destination};
use super::inspect::{self, FoundLog, KnownLogs};
use super::run::{Run, Stop};
use crate::copy::report::split_hint;
use crate::database::{DatabaseError, InstanceStatus};
use crate::durable;
use oracle::scn::LogSequence;

/// What the database knows, if it is mounted or open. One that is down is no obstacle: the logs speak for themselves.
pub(super) fn ask_database(run: &mut Run) -> Result<Option<KnownLogs>, Stop> {
    match knows_logs(run) {
        Ok(true) => known_logs(run)
            .map(Some)
            .map_err(|error| run.refused("v$archived_log", &error)),
        Ok(false) => Ok(None),
        Err(error) => {
            let (what, hint) = split_hint(&error.to_string());
            run.log.warning(9043, &[&what, &hint]);
            run.log
                .info(9045, &[&"logs are judged by their headers alone"]);
            Ok(None)
        }
    }
}

/// As [`ask_database`], for a run that asks again: a database that goes down between two questions does not end it.
pub(super) fn ask_patiently(run: &mut Run) -> Option<KnownLogs> {
    let known = match knows_logs(run) {
        Ok(true) => known_logs(run).map(Some),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    known.unwrap_or_else(|error| {
        run.say_once(format!(
            "{error}; logs are judged by their headers until the database answers"
        ));
        None
    })
}

/// Whether the database is mounted or open, so that it can be asked.
fn knows_logs(run: &mut Run) -> Result<bool, DatabaseError> {
    let status = run.database.status()?;
    let is_up = matches!(status, InstanceStatus::Mounted | InstanceStatus::Open);
    if !is_up {
        let sid = run.settings.environment.sid.clone();
        run.say_once(format!(
            "database instance {sid} is down: logs are judged by their headers alone"
        ));
    }
    Ok(is_up)
}

fn known_logs(run: &mut Run) -> Result<KnownLogs, DatabaseError> {
    let identity = run.database.identity()?;
    let archived = run.database.archived_logs()?.into_iter();
    let archived = archived.map(|row| (row.path.clone(), row)).collect();
    // In NOARCHIVELOG mode nothing is archived, and nothing is being written either.
    let next_to_archive = if identity.archivelog {
        run.database.archive_log_list()?.next_to_archive
    } else {
        None
    };
    Ok(KnownLogs {
        archived,
        resetlogs: identity.resetlogs,
        next_to_archive: next_to_archive.unwrap_or(LogSequence::new(u32::MAX)),
        dbid: identity.dbid,
    })
}

/// The archive directory, which is none of those that copies go to.
pub(super) fn destination(run: &mut Run, known: Option<&KnownLogs>) -> Result<Destination, Stop> {
    let parameters = match known {
        Some(_) => {
            parameters_of_instance(run).map_err(|error| run.refused("v$parameter", &error))?
        }
        None => match ArchiveParameters::from_file(&run.settings.environment) {
            Ok(parameters) => parameters,
            Err(error) => {
                run.log.error(
                    9044,
                    &[&error, &"the parameter file tells where the logs are"],
                );
                return Err(Stop::Failed);
            }
        },
    };
    resolve(run, &parameters)
}

/// As [`destination`], for a run that asks again: where the database does not answer, what it said before counts.
pub(super) fn destination_patiently(
    run: &mut Run,
    known: Option<&KnownLogs>,
    before: Option<&Destination>,
) -> Result<Destination, Stop> {
    let Some(before) = before else {
        return destination(run, known);
    };
    if known.is_none() {
        return Ok(before.clone());
    }
    match parameters_of_instance(run) {
        Ok(parameters) => resolve(run, &parameters),
        Err(error) => {
            run.say_once(format!(
                "{error}; the archive directory is taken to be as before"
            ));
            Ok(before.clone())
        }
    }
}

fn resolve(run: &mut Run, parameters: &ArchiveParameters) -> Result<Destination, Stop> {
    let destination = Destination::new(parameters, &run.settings.environment).map_err(|error| {
        let (what, hint) = split_hint(&error.to_string());
        run.log.error(9044, &[&what, &hint]);
        Stop::Failed
    })?;
    let directory = &destination.directory;
    if let Some(copies) = run
        .settings
        .directories
        .iter()
        .find(|copies| durable::is_same_file(copies, directory))
    {
        run.log.error(
            9044,
            &[
                &format!("{} is the archive directory {}", copies.display(), directory.display()),
                &"a log is no copy of itself: name another directory in archive_copy_dir and backup_root_dir",
            ],
        );
        return Err(Stop::Failed);
    }
    Ok(destination)
}

/// The logs of the archive directory.
pub(super) fn find(run: &mut Run, destination: &Destination) -> Result<Vec<FoundLog>, Stop> {
    inspect::find_logs(destination).map_err(|error| {
        run.log
            .error(252, &[&"readdir", &destination.directory.display()]);
        run.log.error(253, &[&error]);
        Stop::Failed
    })
}

fn parameters_of_instance(run: &mut Run) -> Result<ArchiveParameters, DatabaseError> {
    Ok(ArchiveParameters {
        destination: run.database.parameter("log_archive_dest")?,
        first_destination: run.database.parameter("log_archive_dest_1")?,
        format: run.database.parameter("log_archive_format")?,
    })
}
