//! RECOVER of SQL*Plus and ALTER DATABASE RECOVER of SQL.
//! What lives here: scope, target and options of a media recovery. What does not: recovering.

use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::lexer::Cursor;
use super::{RecoverAction, file_name, file_references, not_offered};
use crate::engine::error::{OraError, OraResult};
use crate::engine::{RecoverRequest, RecoverScope, Until};

/// Reads what follows RECOVER, of SQL*Plus or of ALTER DATABASE.
pub(super) fn action(cursor: &mut Cursor) -> OraResult<RecoverAction> {
    if cursor.sees("MANAGED") || cursor.sees("STANDBY") {
        return Err(not_offered("standby recovery"));
    }
    if cursor.accept(&["CANCEL"]) {
        return Ok(RecoverAction::Cancel);
    }
    if cursor.accept(&["CONTINUE"]) {
        cursor.accept(&["DEFAULT"]);
        return Ok(RecoverAction::Continue);
    }
    if cursor.accept(&["LOGFILE"]) {
        return file_name(cursor).map(RecoverAction::Logfile);
    }
    request(cursor).map(RecoverAction::Begin)
}

fn request(cursor: &mut Cursor) -> OraResult<RecoverRequest> {
    let automatic = cursor.accept(&["AUTOMATIC"]);
    if cursor.accept(&["FROM"]) {
        return Err(not_offered("RECOVER FROM another log directory"));
    }
    let scope = scope(cursor)?;
    let mut request = RecoverRequest {
        scope,
        until: Until::Complete,
        using_backup_controlfile: false,
        automatic,
    };
    while !cursor.at_end() {
        option(cursor, &mut request)?;
    }
    if request.scope != RecoverScope::Database
        && (request.using_backup_controlfile || request.until != Until::Complete)
    {
        return Err(OraError::new(
            274,
            "illegal recovery option UNTIL or USING for part of a database",
        ));
    }
    Ok(request)
}

fn scope(cursor: &mut Cursor) -> OraResult<RecoverScope> {
    if cursor.accept(&["TABLESPACE"]) {
        let mut names = vec![tablespace_name(cursor)?];
        while cursor.accept_symbol(",") {
            names.push(tablespace_name(cursor)?);
        }
        return Ok(RecoverScope::Tablespaces(names));
    }
    if cursor.accept(&["DATAFILE"]) {
        return file_references(cursor).map(RecoverScope::Datafiles);
    }
    // SQL*Plus reads a bare RECOVER as RECOVER DATABASE.
    if cursor.accept(&["DATABASE"])
        || cursor.at_end()
        || cursor.sees("UNTIL")
        || cursor.sees("USING")
    {
        return Ok(RecoverScope::Database);
    }
    Err(OraError::new(905, "missing keyword"))
}

/// A tablespace's name.
pub(super) fn tablespace_name(cursor: &mut Cursor) -> OraResult<String> {
    cursor
        .accept_name()
        .ok_or_else(|| OraError::new(2216, "tablespace name expected"))
}

fn option(cursor: &mut Cursor, request: &mut RecoverRequest) -> OraResult<()> {
    if cursor.accept(&["USING", "BACKUP", "CONTROLFILE"]) {
        request.using_backup_controlfile = true;
        return Ok(());
    }
    if cursor.accept(&["UNTIL"]) {
        if request.until != Until::Complete {
            return Err(OraError::new(
                274,
                "illegal recovery option UNTIL given twice",
            ));
        }
        request.until = until(cursor)?;
        return Ok(());
    }
    for unknown in [
        "PARALLEL",
        "NOPARALLEL",
        "ALLOW",
        "TEST",
        "SNAPSHOT",
        "STANDBY",
    ] {
        if cursor.sees(unknown) {
            return Err(not_offered(&format!("recovery option {unknown}")));
        }
    }
    let word = cursor.accept_name().unwrap_or_default();
    Err(OraError::new(
        274,
        format!("illegal recovery option {word}"),
    ))
}

fn until(cursor: &mut Cursor) -> OraResult<Until> {
    if cursor.accept(&["CANCEL"]) {
        return Ok(Until::Cancel);
    }
    if cursor.accept(&["CHANGE"]) || cursor.accept(&["SCN"]) {
        let scn = cursor
            .accept_whole_number()
            .ok_or_else(|| OraError::new(1849, "SCN must be a whole number"))?;
        return Ok(Until::Change(Scn::new(scn)));
    }
    if cursor.accept(&["TIME"]) {
        let text = cursor
            .accept_text()
            .ok_or_else(|| OraError::new(285, "TIME not given as a string constant"))?;
        return recovery_time(&text).map(Until::Time);
    }
    let word = cursor.accept_name().unwrap_or_default();
    Err(OraError::new(
        277,
        format!("illegal option to the UNTIL recovery flag {word}"),
    ))
}

/// `YYYY-MM-DD:HH24:MI:SS`, which recovery wants whatever NLS_DATE_FORMAT says; a blank may replace the first colon.
fn recovery_time(text: &str) -> OraResult<OracleTime> {
    let spaced = match text.char_indices().nth(10) {
        Some((offset, ':')) => format!("{} {}", &text[..offset], &text[offset + 1..]),
        _ => text.to_owned(),
    };
    OracleTime::parse(&spaced).ok_or_else(|| {
        OraError::new(1861, "literal does not match format string")
            .and(285, "TIME must be written 'YYYY-MM-DD:HH24:MI:SS'")
    })
}
