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
    let sid = run.settings.environment.sid.clone();
    match run.database.status() {
        Ok(InstanceStatus::Mounted | InstanceStatus::Open) => {}
        Ok(_) => {
            run.log.info(
                9045,
                &[&format!(
                    "database instance {sid} is down: logs are judged by their headers alone"
                )],
            );
            return Ok(None);
        }
        Err(error) => {
            let (what, hint) = split_hint(&error.to_string());
            run.log.warning(9043, &[&what, &hint]);
            run.log
                .info(9045, &[&"logs are judged by their headers alone"]);
            return Ok(None);
        }
    }
    known_logs(run)
        .map(Some)
        .map_err(|error| run.refused("v$archived_log", &error))
}

fn known_logs(run: &mut Run) -> Result<KnownLogs, DatabaseError> {
    let identity = run.database.identity()?;
    let archived = run.database.archived_logs()?;
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

/// The logs of the archive directory.
pub(super) fn find(run: &mut Run, known: Option<&KnownLogs>) -> Result<Vec<FoundLog>, Stop> {
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
    let destination =
        Destination::new(&parameters, &run.settings.environment).map_err(|error| {
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
    inspect::find_logs(&destination).map_err(|error| {
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
