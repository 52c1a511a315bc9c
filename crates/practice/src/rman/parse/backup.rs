//! BACKUP: options and objects in any order, as RMAN takes them.
//! What lives here: its words. What does not: which options go together at run time.

use super::{Cursor, Parsed};
use crate::rman::command::{Backup, Object};
use crate::rman::failure::Failure;

/// What may follow BACKUP, for the message of a syntax error.
const EXPECTING: &str = "archivelog, as, channel, check, controlfile, cumulative, current, database, datafile, \
    device, filesperset, for, force, format, full, include, incremental, reuse, spfile, tablespace, tag, validate";

/// Reads what follows BACKUP.
pub(super) fn backup(cursor: &mut Cursor) -> Parsed<Backup> {
    let mut backup = Backup::default();
    while cursor.peek().is_some_and(|token| !is_end(token)) {
        if !kind(cursor, &mut backup)?
            && !object(cursor, &mut backup)?
            && !option(cursor, &mut backup)?
        {
            return Err(cursor.refuse(EXPECTING));
        }
    }
    if backup.objects.is_empty() {
        return Err(cursor.refuse(EXPECTING));
    }
    if backup.for_copy.is_some() && backup.level != Some(1) {
        return Err(wrong("FOR RECOVER OF COPY wants INCREMENTAL LEVEL 1"));
    }
    if backup.as_copy && backup.level == Some(1) && backup.for_copy.is_none() {
        return Err(wrong("image copies have no incremental level 1"));
    }
    Ok(backup)
}

fn is_end(token: &crate::rman::lexer::Token) -> bool {
    matches!(token, crate::rman::lexer::Token::Symbol(';' | '}'))
}

fn wrong(text: &str) -> Failure {
    Failure::new(558, "error encountered while parsing input commands").and(6410, text)
}

/// What kind of backup it is.
fn kind(cursor: &mut Cursor, backup: &mut Backup) -> Parsed<bool> {
    if cursor.accept(&["AS"]) {
        backup.typed = true;
        backup.compressed = cursor.accept(&["COMPRESSED"]);
        backup.as_copy = !backup.compressed && cursor.accept(&["COPY"]);
        if !backup.as_copy {
            cursor.expect("BACKUPSET")?;
        }
    } else if cursor.accept(&["FULL"]) {
        backup.level = None;
    } else if cursor.accept(&["INCREMENTAL"]) {
        cursor.expect("LEVEL")?;
        backup.level = Some(cursor.number()?);
        if backup.level > Some(1) {
            return Err(wrong("the incremental level is 0 or 1"));
        }
    } else if cursor.accept(&["CUMULATIVE"]) {
        backup.cumulative = true;
    } else if cursor.accept(&["FOR"]) {
        cursor.expect_all(&["RECOVER", "OF", "COPY"])?;
        // Without a tag RMAN takes copies of any; here it is part of what is asked for.
        cursor.expect_all(&["WITH", "TAG"])?;
        backup.for_copy = Some(cursor.tag()?);
    } else if cursor.accept(&["VALIDATE"]) {
        backup.validate = true;
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn object(cursor: &mut Cursor, backup: &mut Backup) -> Parsed<bool> {
    if let Some(files) = cursor.accept_files()? {
        backup.objects.push(Object::Files(files));
    } else if cursor.accept(&["PLUS", "ARCHIVELOG"]) {
        backup.plus_archivelog = true;
    } else if cursor.accept(&["ARCHIVELOG"]) {
        cursor.expect("ALL")?;
        backup.objects.push(Object::ArchivedLogs);
    } else if cursor.accept(&["CURRENT", "CONTROLFILE"]) {
        backup.objects.push(Object::Controlfile);
    } else if cursor.accept(&["SPFILE"]) {
        backup.objects.push(Object::Spfile);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn option(cursor: &mut Cursor, backup: &mut Backup) -> Parsed<bool> {
    if cursor.accept(&["TAG"]) {
        backup.tag = Some(cursor.tag()?);
    } else if cursor.accept(&["FORMAT"]) {
        backup.format = Some(cursor.text()?);
    } else if cursor.accept(&["FILESPERSET"]) {
        let files: usize = cursor.number()?;
        if files == 0 {
            return Err(wrong("FILESPERSET is at least 1"));
        }
        backup.files_per_set = Some(files);
    } else if cursor.accept(&["REUSE"]) {
        backup.reuse = true;
    } else if cursor.accept(&["NOT", "BACKED", "UP"]) {
        backup.not_backed_up = Some(cursor.accept_number().unwrap_or(1));
        cursor.accept(&["TIMES"]);
    } else if cursor.accept(&["DELETE"]) {
        cursor.accept(&["ALL"]);
        cursor.expect("INPUT")?;
        backup.delete_input = true;
    } else if cursor.accept(&["INCLUDE", "CURRENT", "CONTROLFILE"]) {
        backup.include_controlfile = true;
    } else if cursor.accept(&["DEVICE", "TYPE"]) {
        cursor.expect_disk()?;
    } else {
        // FORCE: nothing is left out here that it would put in. CHECK LOGICAL: every block is checked anyway.
        return Ok(cursor.accept(&["FORCE"]) || cursor.accept(&["CHECK", "LOGICAL"]));
    }
    Ok(true)
}
