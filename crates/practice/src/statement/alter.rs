//! ALTER DATABASE, ALTER TABLESPACE, ALTER SYSTEM and ALTER SESSION.
//! What lives here: their words. What does not: RECOVER, which has a file of its own.

use super::lexer::{Cursor, Token};
use super::recover::{self, tablespace_name};
use super::{Statement, file_name, file_references, not_offered};
use crate::engine::error::{OraError, OraResult};
use crate::engine::{BackupScope, OpenMode};

/// Reads what follows ALTER.
pub(super) fn alter(cursor: &mut Cursor) -> OraResult<Statement> {
    if cursor.accept(&["DATABASE"]) {
        return alter_database(cursor);
    }
    if cursor.accept(&["TABLESPACE"]) {
        return alter_tablespace(cursor);
    }
    if cursor.accept(&["SYSTEM"]) {
        return alter_system(cursor);
    }
    if cursor.accept(&["SESSION"]) {
        return alter_session(cursor);
    }
    for known in [
        "USER",
        "TABLE",
        "INDEX",
        "PLUGGABLE",
        "PROFILE",
        "ROLE",
        "SEQUENCE",
        "VIEW",
    ] {
        if cursor.sees(known) {
            return Err(not_offered(&format!("ALTER {known}")));
        }
    }
    Err(OraError::new(940, "invalid ALTER command"))
}

fn alter_database(cursor: &mut Cursor) -> OraResult<Statement> {
    if cursor.accept(&["MOUNT"]) {
        return Ok(Statement::Mount);
    }
    if cursor.accept(&["OPEN"]) {
        return open(cursor);
    }
    if cursor.accept(&["RECOVER"]) {
        let action = recover::action(cursor)?;
        return Ok(Statement::Recover {
            action,
            interactive: false,
        });
    }
    if cursor.accept(&["BEGIN", "BACKUP"]) {
        return Ok(Statement::BeginBackup(BackupScope::Database));
    }
    if cursor.accept(&["END", "BACKUP"]) {
        return Ok(Statement::EndBackup(BackupScope::Database));
    }
    if cursor.accept(&["BACKUP", "CONTROLFILE", "TO"]) {
        return backup_controlfile(cursor);
    }
    if cursor.accept(&["DATAFILE"]) {
        return datafile(cursor);
    }
    if cursor.accept(&["ARCHIVELOG"]) {
        return Ok(Statement::SetArchivelog(true));
    }
    if cursor.accept(&["NOARCHIVELOG"]) {
        return Ok(Statement::SetArchivelog(false));
    }
    let known = [
        "CLOSE",
        "DISMOUNT",
        "RENAME",
        "ADD",
        "DROP",
        "CREATE",
        "CLEAR",
        "ENABLE",
        "DISABLE",
        "FLASHBACK",
        "FORCE",
        "TEMPFILE",
        "DEFAULT",
        "SET",
        "REGISTER",
        "MOVE",
        "ACTIVATE",
        "CONVERT",
        "GUARD",
    ];
    match known.iter().find(|word| cursor.sees(word)) {
        Some(word) => Err(not_offered(&format!("ALTER DATABASE {word}"))),
        None => Err(OraError::new(
            2231,
            "missing or invalid option to ALTER DATABASE",
        )),
    }
}

fn open(cursor: &mut Cursor) -> OraResult<Statement> {
    if cursor.accept(&["READ", "ONLY"]) {
        return Err(not_offered("ALTER DATABASE OPEN READ ONLY"));
    }
    cursor.accept(&["READ", "WRITE"]);
    let mode = if cursor.accept(&["RESETLOGS"]) {
        OpenMode::ResetLogs
    } else if cursor.accept(&["NORESETLOGS"]) {
        OpenMode::NoResetLogs
    } else {
        OpenMode::Default
    };
    Ok(Statement::Open(mode))
}

fn backup_controlfile(cursor: &mut Cursor) -> OraResult<Statement> {
    if !cursor.accept(&["TRACE"]) {
        let path = file_name(cursor)?;
        return Ok(Statement::BackupControlfile {
            path,
            reuse: cursor.accept(&["REUSE"]),
        });
    }
    let path = if cursor.accept(&["AS"]) {
        Some(file_name(cursor)?)
    } else {
        None
    };
    let reuse = path.is_some() && cursor.accept(&["REUSE"]);
    // Both kinds of script are in the text that the engine writes, as without the word.
    let _both_are_written = cursor.accept(&["RESETLOGS"]) || cursor.accept(&["NORESETLOGS"]);
    Ok(Statement::TraceControlfile { path, reuse })
}

fn datafile(cursor: &mut Cursor) -> OraResult<Statement> {
    let files = file_references(cursor)?;
    if cursor.accept(&["END", "BACKUP"]) {
        return Ok(Statement::DatafileEndBackup(files));
    }
    if cursor.accept(&["ONLINE"]) {
        return Ok(Statement::DatafileOnline {
            files,
            online: true,
            drop: false,
        });
    }
    if cursor.accept(&["OFFLINE"]) {
        let drop = cursor.accept(&["FOR", "DROP"]) || cursor.accept(&["DROP"]);
        return Ok(Statement::DatafileOnline {
            files,
            online: false,
            drop,
        });
    }
    match ["RESIZE", "AUTOEXTEND"]
        .iter()
        .find(|word| cursor.sees(word))
    {
        Some(word) => Err(not_offered(&format!("ALTER DATABASE DATAFILE … {word}"))),
        None => Err(OraError::new(
            2231,
            "missing or invalid option to ALTER DATABASE",
        )),
    }
}

fn alter_tablespace(cursor: &mut Cursor) -> OraResult<Statement> {
    let tablespace = tablespace_name(cursor)?;
    if cursor.accept(&["BEGIN", "BACKUP"]) {
        return Ok(Statement::BeginBackup(BackupScope::Tablespace(tablespace)));
    }
    if cursor.accept(&["END", "BACKUP"]) {
        return Ok(Statement::EndBackup(BackupScope::Tablespace(tablespace)));
    }
    if cursor.accept(&["ADD", "DATAFILE"]) {
        return add_datafile(cursor, tablespace);
    }
    let known = [
        "ADD",
        "DROP",
        "ONLINE",
        "OFFLINE",
        "READ",
        "RENAME",
        "RESIZE",
        "AUTOEXTEND",
        "COALESCE",
        "DEFAULT",
    ];
    match known.iter().find(|word| cursor.sees(word)) {
        Some(word) => Err(not_offered(&format!("ALTER TABLESPACE … {word}"))),
        None => Err(OraError::new(
            2142,
            "missing or invalid ALTER TABLESPACE option",
        )),
    }
}

fn add_datafile(cursor: &mut Cursor, tablespace: String) -> OraResult<Statement> {
    let path = file_name(cursor)?;
    if !cursor.accept(&["SIZE"]) {
        return Err(not_offered("ADD DATAFILE without SIZE"));
    }
    let bytes = size(cursor)?;
    let reuse = cursor.accept(&["REUSE"]);
    if cursor.accept(&["AUTOEXTEND", "OFF"]) || !cursor.sees("AUTOEXTEND") {
        return Ok(Statement::AddDatafile {
            tablespace,
            path,
            bytes,
            reuse,
        });
    }
    Err(not_offered("AUTOEXTEND"))
}

/// A number of bytes with K, M, G or T.
fn size(cursor: &mut Cursor) -> OraResult<u64> {
    let invalid = || OraError::new(2237, "invalid file size");
    let number = cursor.accept_whole_number().ok_or_else(invalid)?;
    let shift = match cursor.peek() {
        Some(Token::Word(unit)) => match unit.as_str() {
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => 0,
        },
        _ => 0,
    };
    if shift > 0 {
        cursor.take();
    }
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(invalid)
}

fn alter_system(cursor: &mut Cursor) -> OraResult<Statement> {
    if cursor.accept(&["SWITCH", "LOGFILE"]) {
        return Ok(Statement::SwitchLogfile);
    }
    if cursor.accept(&["CHECKPOINT"]) {
        let _one_instance_either_way = cursor.accept(&["GLOBAL"]) || cursor.accept(&["LOCAL"]);
        return Ok(Statement::Checkpoint);
    }
    if cursor.accept(&["ARCHIVE", "LOG", "CURRENT"]) {
        return Ok(Statement::ArchiveLogCurrent);
    }
    let known = [
        "ARCHIVE", "SET", "RESET", "KILL", "FLUSH", "ENABLE", "DISABLE", "SUSPEND", "RESUME",
        "QUIESCE", "REGISTER",
    ];
    match known.iter().find(|word| cursor.sees(word)) {
        Some(word) => Err(not_offered(&format!("ALTER SYSTEM {word}"))),
        None => Err(OraError::new(2065, "illegal option for ALTER SYSTEM")),
    }
}

fn alter_session(cursor: &mut Cursor) -> OraResult<Statement> {
    if !cursor.accept(&["SET"]) {
        return Err(OraError::new(2248, "invalid option for ALTER SESSION"));
    }
    let name = cursor
        .accept_name()
        .ok_or_else(|| OraError::new(2248, "invalid option for ALTER SESSION"))?;
    if !cursor.accept_symbol("=") {
        return Err(OraError::new(927, "missing equal sign"));
    }
    let value = cursor
        .accept_text()
        .or_else(|| cursor.accept_name())
        .or_else(|| {
            cursor
                .accept_whole_number()
                .map(|number| number.to_string())
        })
        .ok_or_else(|| OraError::new(2017, "integer value required"))?;
    Ok(Statement::SetSession {
        name: name.to_uppercase(),
        value,
    })
}
