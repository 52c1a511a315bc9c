//! The statements that the practice database understands, as values.
//! What lives here: reading them. What does not: what they do (`server`), and queries beyond their first word (`views`).

mod alter;
pub mod lexer;
mod recover;
mod start;

use std::path::PathBuf;

use crate::engine::error::{OraError, OraResult};
use crate::engine::{BackupScope, FileReference, OpenMode, RecoverRequest, ShutdownMode};
use lexer::Cursor;

/// How far STARTUP goes, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartTarget {
    /// The instance only.
    NoMount,
    /// Control files too.
    Mount,
    /// Data files too.
    Open,
}

/// One statement of SQL or SQL*Plus.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// STARTUP; `force` aborts a running instance first.
    Startup {
        /// Whether FORCE was given.
        force: bool,
        /// How far to go.
        target: StartTarget,
    },
    /// SHUTDOWN.
    Shutdown(ShutdownMode),
    /// ALTER DATABASE MOUNT.
    Mount,
    /// ALTER DATABASE OPEN.
    Open(OpenMode),
    /// ALTER TABLESPACE or DATABASE BEGIN BACKUP.
    BeginBackup(BackupScope),
    /// ALTER TABLESPACE or DATABASE END BACKUP.
    EndBackup(BackupScope),
    /// ALTER DATABASE BACKUP CONTROLFILE TO 'f'.
    BackupControlfile {
        /// The file to write.
        path: PathBuf,
        /// Whether it may exist.
        reuse: bool,
    },
    /// ALTER DATABASE BACKUP CONTROLFILE TO TRACE.
    TraceControlfile {
        /// The file of AS 'f'; otherwise a trace file of the server's choice.
        path: Option<PathBuf>,
        /// Whether it may exist.
        reuse: bool,
    },
    /// ALTER SYSTEM SWITCH LOGFILE.
    SwitchLogfile,
    /// ALTER SYSTEM CHECKPOINT.
    Checkpoint,
    /// ALTER SYSTEM ARCHIVE LOG CURRENT.
    ArchiveLogCurrent,
    /// ARCHIVE LOG LIST.
    ArchiveLogList,
    /// ALTER DATABASE DATAFILE … ONLINE or OFFLINE [DROP].
    DatafileOnline {
        /// The files.
        files: Vec<FileReference>,
        /// ONLINE or OFFLINE.
        online: bool,
        /// Whether DROP was given.
        drop: bool,
    },
    /// ALTER DATABASE DATAFILE … END BACKUP.
    DatafileEndBackup(Vec<FileReference>),
    /// ALTER TABLESPACE … ADD DATAFILE.
    AddDatafile {
        /// Tablespace name.
        tablespace: String,
        /// The new file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Whether the file may exist.
        reuse: bool,
    },
    /// ALTER DATABASE ARCHIVELOG or NOARCHIVELOG.
    SetArchivelog(bool),
    /// RECOVER … or ALTER DATABASE RECOVER ….
    Recover {
        /// What to do.
        action: RecoverAction,
        /// True for the SQL*Plus command, which asks for logs with a prompt.
        interactive: bool,
    },
    /// ALTER SESSION SET name = value.
    SetSession {
        /// Parameter in upper case.
        name: String,
        /// Its value.
        value: String,
    },
    /// SHOW PARAMETER; the text filters by substring.
    ShowParameter(Option<String>),
    /// SHOW SGA.
    ShowSga,
    /// SELECT or WITH: the text, which `views` reads.
    Query(String),
}

/// A step of media recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverAction {
    /// Begin.
    Begin(RecoverRequest),
    /// LOGFILE 'f': apply this log.
    Logfile(PathBuf),
    /// CONTINUE [DEFAULT]: apply the log that was suggested.
    Continue,
    /// CANCEL: end where it stands.
    Cancel,
}

/// Why a text is no statement of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The database's refusal.
    Oracle(OraError),
    /// SQL*Plus's own refusal: number and text of an `SP2-` message.
    Plus(u32, String),
}

impl From<OraError> for Refusal {
    fn from(error: OraError) -> Refusal {
        Refusal::Oracle(error)
    }
}

impl Refusal {
    /// The refusal as a database server states it, which does not know SQL*Plus's messages.
    pub fn into_oracle(self) -> OraError {
        match self {
            Refusal::Oracle(error) => error,
            Refusal::Plus(..) => OraError::new(900, "invalid SQL statement"),
        }
    }
}

/// Reads one statement, which must not end with `;`.
///
/// # Errors
/// What Oracle or SQL*Plus would say to it.
pub fn parse(text: &str) -> Result<Statement, Refusal> {
    let mut cursor = Cursor::new(text)?;
    if cursor.sees("SELECT") || cursor.sees("WITH") || cursor.sees_symbol("(") {
        return Ok(Statement::Query(text.to_owned()));
    }
    if cursor.accept(&["STARTUP"]) {
        return start::startup(&mut cursor);
    }
    if cursor.accept(&["SHUTDOWN"]) {
        return start::shutdown(&mut cursor);
    }
    if cursor.accept(&["ARCHIVE", "LOG"]) {
        return archive_log(&mut cursor);
    }
    if cursor.accept(&["SHOW"]) {
        return show(&mut cursor, text);
    }
    let statement = if cursor.accept(&["ALTER"]) {
        alter::alter(&mut cursor)?
    } else if cursor.accept(&["RECOVER"]) {
        Statement::Recover {
            action: recover::action(&mut cursor)?,
            interactive: true,
        }
    } else {
        return Err(refuse(&cursor).into());
    };
    cursor.end()?;
    Ok(statement)
}

/// The refusal of a statement that is none of ours: known but not offered, or not SQL at all.
fn refuse(cursor: &Cursor) -> OraError {
    const DATA_CHANGES: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "MERGE", "LOCK", "TRUNCATE"];
    const DEFINITIONS: [&str; 9] = [
        "CREATE", "DROP", "GRANT", "REVOKE", "AUDIT", "NOAUDIT", "ANALYZE", "COMMENT", "PURGE",
    ];
    const BLOCKS: [&str; 3] = ["BEGIN", "DECLARE", "CALL"];
    const OTHER: [&str; 7] = [
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "SET",
        "EXPLAIN",
        "FLASHBACK",
        "RENAME",
    ];
    let starts_with = |words: &[&str]| words.iter().any(|word| cursor.sees(word));
    if starts_with(&DATA_CHANGES) {
        return not_offered(
            "changing rows with SQL (transactions come from the practice workload)",
        );
    }
    if starts_with(&DEFINITIONS) {
        return not_offered("data definition with SQL");
    }
    if starts_with(&BLOCKS) {
        return not_offered("PL/SQL");
    }
    if starts_with(&OTHER) {
        return not_offered("transaction control with SQL");
    }
    OraError::new(900, "invalid SQL statement")
}

/// The refusal of something that Oracle has and the practice database has not.
pub fn not_offered(what: &str) -> OraError {
    OraError::new(439, format!("feature not enabled: {what}"))
}

fn archive_log(cursor: &mut Cursor) -> Result<Statement, Refusal> {
    if cursor.accept(&["LIST"]) && cursor.at_end() {
        return Ok(Statement::ArchiveLogList);
    }
    Err(Refusal::Plus(718, "illegal ARCHIVE LOG option".into()))
}

fn show(cursor: &mut Cursor, text: &str) -> Result<Statement, Refusal> {
    if cursor.accept(&["PARAMETER"]) || cursor.accept(&["PARAMETERS"]) {
        let mark = cursor.mark();
        while cursor.take().is_some() {}
        let filter = cursor.text_since(mark).trim_matches(['\'', '"']).to_owned();
        return Ok(Statement::ShowParameter(
            Some(filter).filter(|filter| !filter.is_empty()),
        ));
    }
    if cursor.accept(&["SGA"]) && cursor.at_end() {
        return Ok(Statement::ShowSga);
    }
    let option = text.split_whitespace().nth(1).unwrap_or("").to_owned();
    Err(Refusal::Plus(
        158,
        format!("unknown SHOW option \"{option}\""),
    ))
}

/// A file name in quotes.
fn file_name(cursor: &mut Cursor) -> OraResult<PathBuf> {
    match cursor.accept_text() {
        Some(text) if !text.is_empty() && !text.contains('\0') => Ok(PathBuf::from(text)),
        _ => Err(OraError::new(2236, "invalid file name")),
    }
}

/// Data files by number or name, separated by commas.
fn file_references(cursor: &mut Cursor) -> OraResult<Vec<FileReference>> {
    let mut files = vec![file_reference(cursor)?];
    while cursor.accept_symbol(",") {
        files.push(file_reference(cursor)?);
    }
    Ok(files)
}

fn file_reference(cursor: &mut Cursor) -> OraResult<FileReference> {
    if let Some(number) = cursor.accept_whole_number() {
        let number = u32::try_from(number).map_err(|_| OraError::new(2236, "invalid file name"))?;
        return Ok(FileReference::Number(number));
    }
    file_name(cursor).map(FileReference::Path)
}

#[cfg(test)]
mod tests;
