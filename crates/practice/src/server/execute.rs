//! What each statement does.
//! What lives here: the way from a statement to the engine and Oracle's words for the result. What does not: parsing.

use std::io::Write;
use std::path::{Path, PathBuf};

use oracle::time::OracleTime;

use super::connection::{Next, Session};
use super::{recovery, report, shutdown};
use crate::engine::backup::naming::absolute;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::Facts;
use crate::engine::{BackupScope, FileReference};
use crate::protocol::Outcome;
use crate::statement::{self, Statement, not_offered};
use crate::views::{self, World};

/// Executes a statement for a session.
pub(super) fn execute(session: &mut Session, text: &str) -> (OraResult<Outcome>, Next) {
    match statement::parse(text) {
        Ok(Statement::Shutdown(mode)) => shutdown::shutdown(session, mode),
        Ok(statement) => (run(session, statement), Next::Continue),
        Err(refusal) => (Err(refusal.into_oracle()), Next::Continue),
    }
}

/// An outcome that is only feedback.
pub(super) fn feedback(text: &str) -> Outcome {
    Outcome {
        feedback: Some(text.to_owned()),
        ..Outcome::default()
    }
}

/// An outcome that is only lines.
pub(super) fn messages(lines: Vec<String>) -> Outcome {
    Outcome {
        messages: lines,
        ..Outcome::default()
    }
}

fn run(session: &mut Session, statement: Statement) -> OraResult<Outcome> {
    let instance = &session.shared.instance;
    let database = |()| feedback("Database altered.");
    let tablespace = |()| feedback("Tablespace altered.");
    let system = |()| feedback("System altered.");
    match statement {
        Statement::Query(text) => query(session, &text),
        Statement::Mount => instance.mount().map(database),
        Statement::Open(mode) => instance.open(mode).map(database),
        Statement::BeginBackup(scope) => instance
            .begin_backup(&scope)
            .map(|()| backup_feedback(&scope)),
        Statement::EndBackup(scope) => instance
            .end_backup(&scope)
            .map(|()| backup_feedback(&scope)),
        Statement::DatafileEndBackup(files) => end_backup_of(session, &files).map(database),
        Statement::BackupControlfile { path, reuse } => instance
            .backup_controlfile(&absolute(&session.shared.home, &path), reuse)
            .map(database),
        Statement::TraceControlfile { path, reuse } => {
            trace_controlfile(session, path, reuse).map(database)
        }
        Statement::SetArchivelog(on) => instance.set_archivelog(on).map(database),
        Statement::DatafileOnline {
            files,
            online,
            drop,
        } => files
            .iter()
            .try_for_each(|file| instance.datafile_online(file, online, drop))
            .map(database),
        Statement::AddDatafile {
            tablespace: name,
            path,
            bytes,
            reuse,
        } => add_datafile(session, &name, path, bytes, reuse).map(tablespace),
        Statement::SwitchLogfile => instance.switch_logfile().map(system),
        Statement::Checkpoint => instance.checkpoint().map(system),
        Statement::ArchiveLogCurrent => instance.archive_log_current().map(system),
        Statement::ArchiveLogList => report::archive_log_list(&instance.facts()).map(messages),
        Statement::ShowParameter(filter) => {
            Ok(report::parameters(&instance.facts(), filter.as_deref()))
        }
        Statement::ShowSga => Ok(messages(report::sga(&instance.facts()))),
        Statement::Recover {
            action,
            interactive,
        } => recovery::run(session, action, interactive),
        Statement::SetSession { name, value } => set_session(session, &name, value),
        Statement::Startup { .. } => Err(OraError::new(
            1081,
            "cannot start already-running ORACLE - shut it down first",
        )),
        // SHUTDOWN ends the process and is handled above.
        Statement::Shutdown(_) => Err(OraError::new(900, "invalid SQL statement")),
    }
}

fn backup_feedback(scope: &BackupScope) -> Outcome {
    match scope {
        BackupScope::Tablespace(_) => feedback("Tablespace altered."),
        BackupScope::Database | BackupScope::Datafile(_) => feedback("Database altered."),
    }
}

fn query(session: &Session, text: &str) -> OraResult<Outcome> {
    let facts = session.shared.instance.facts();
    let sessions = session.shared.registry.sessions();
    let world = World {
        facts: &facts,
        sessions: &sessions,
        date_format: &session.date_format,
        now: OracleTime::now(),
    };
    views::query(text, &world)
}

fn set_session(session: &mut Session, name: &str, value: String) -> OraResult<Outcome> {
    match name {
        "NLS_DATE_FORMAT" => {
            views::check_date_format(&value)?;
            session.date_format = value;
        }
        "NLS_LANGUAGE" | "NLS_DATE_LANGUAGE" if value.eq_ignore_ascii_case("AMERICAN") => {}
        "NLS_TERRITORY" if value.eq_ignore_ascii_case("AMERICA") => {}
        "NLS_NUMERIC_CHARACTERS" if value == ".," => {}
        "CURRENT_SCHEMA" if value.eq_ignore_ascii_case("SYS") => {}
        _ if name.starts_with("NLS_") => return Err(not_offered(&format!("{name} = {value}"))),
        _ => return Err(OraError::new(2248, "invalid option for ALTER SESSION")),
    }
    Ok(feedback("Session altered."))
}

fn end_backup_of(session: &Session, files: &[FileReference]) -> OraResult<()> {
    let facts = session.shared.instance.facts();
    for file in files {
        let number = file_number(&facts, file)?;
        session
            .shared
            .instance
            .end_backup(&BackupScope::Datafile(number))?;
    }
    Ok(())
}

fn file_number(facts: &Facts, file: &FileReference) -> OraResult<u32> {
    let database = facts
        .database
        .as_ref()
        .ok_or_else(|| OraError::new(1507, "database not mounted"))?;
    let found = database.datafiles.iter().find(|known| match file {
        FileReference::Number(number) => known.number == *number,
        FileReference::Path(path) => known.path == *path,
    });
    found.map(|known| known.number).ok_or_else(|| {
        let name = match file {
            FileReference::Number(number) => number.to_string(),
            FileReference::Path(path) => path.display().to_string(),
        };
        OraError::new(
            1516,
            format!("nonexistent log file, data file, or temporary file \"{name}\""),
        )
    })
}

fn add_datafile(
    session: &Session,
    tablespace: &str,
    path: PathBuf,
    bytes: u64,
    reuse: bool,
) -> OraResult<()> {
    let path = absolute(&session.shared.home, &path);
    if reuse && path.exists() {
        return Err(not_offered("ADD DATAFILE … REUSE of a file that exists"));
    }
    session
        .shared
        .instance
        .add_datafile(tablespace, &path, bytes)
}

/// Writes the script to the file that was asked for, or to a trace file beside the alert log.
fn trace_controlfile(session: &Session, path: Option<PathBuf>, reuse: bool) -> OraResult<()> {
    let home = &session.shared.home;
    let text = session.shared.instance.trace_controlfile()?;
    let (path, replace) = match path {
        Some(path) => (absolute(home, &path), reuse),
        None => {
            let name = format!(
                "saptrace/background/{}_ora_{}.trc",
                home.sid.to_lowercase(),
                std::process::id()
            );
            (home.path.join(name), true)
        }
    };
    write_text(&path, &text, replace).map_err(|error| {
        let file = path.display();
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                OraError::new(1580, format!("error creating control backup file {file}"))
                    .and(27038, "created file already exists")
            }
            _ => OraError::new(1580, format!("error creating control backup file {file}")).and(
                27040,
                format!("file create error, unable to create file: {error}"),
            ),
        }
    })?;
    session.shared.instance.alert(&format!(
        "Backup controlfile written to trace file {}",
        path.display()
    ));
    Ok(())
}

fn write_text(path: &Path, text: &str, replace: bool) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if replace {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Home;

    #[test]
    fn file_names_are_understood_from_the_home() {
        let home = Home::new("/oracle/SND", "SND");
        assert_eq!(absolute(&home, Path::new("/b/c")), PathBuf::from("/b/c"));
        assert_eq!(
            absolute(&home, Path::new("c.ctl")),
            PathBuf::from("/oracle/SND/dbs/c.ctl")
        );
        assert_eq!(
            absolute(&home, Path::new("?/sapbackup/c")),
            PathBuf::from("/oracle/SND/sapbackup/c")
        );
    }

    #[test]
    fn a_script_replaces_nothing_unless_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace");
        write_text(&path, "first and longer", false).unwrap();
        assert_eq!(
            write_text(&path, "x", false).unwrap_err().kind(),
            std::io::ErrorKind::AlreadyExists
        );
        write_text(&path, "second", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
    }
}
