//! RESTORE, RECOVER and SWITCH.
//! What lives here: their words. What does not: which backups they lead to.

use super::{Cursor, Parsed};
use crate::rman::command::{Command, Files, Recover, Restore, Restored, Source, Switch, Until};

/// Reads what follows RESTORE. Options may stand before the object, as VALIDATE and PREVIEW often do.
pub(super) fn restore(cursor: &mut Cursor) -> Parsed<Restore> {
    let mut restore = Restore {
        what: Restored::Spfile,
        from: None,
        from_tag: None,
        to: None,
        until: None,
        validate: false,
        preview: false,
    };
    let mut what = None;
    loop {
        if what.is_none() {
            what = object(cursor)?;
            if what.is_some() {
                continue;
            }
        }
        if !option(cursor, &mut restore)? {
            break;
        }
    }
    restore.what = what.ok_or_else(|| {
        cursor.refuse("archivelog, controlfile, database, datafile, force, from, preview, spfile, tablespace, validate")
    })?;
    Ok(restore)
}

fn object(cursor: &mut Cursor) -> Parsed<Option<Restored>> {
    if let Some(files) = cursor.accept_files()? {
        return Ok(Some(Restored::Files(files)));
    }
    if cursor.accept(&["CONTROLFILE"]) {
        return Ok(Some(Restored::Controlfile));
    }
    if cursor.accept(&["SPFILE"]) {
        return Ok(Some(Restored::Spfile));
    }
    if cursor.accept(&["ARCHIVELOG"]) {
        return log_range(cursor).map(|(first, last)| Some(Restored::ArchivedLogs(first, last)));
    }
    Ok(None)
}

/// ALL, or sequences.
fn log_range(cursor: &mut Cursor) -> Parsed<(u32, u32)> {
    if cursor.accept(&["ALL"]) {
        return Ok((0, u32::MAX));
    }
    if cursor.accept(&["FROM", "SEQUENCE"]) {
        let first = cursor.number()?;
        let last = match cursor.accept(&["UNTIL", "SEQUENCE"]) {
            true => cursor.number()?,
            false => u32::MAX,
        };
        thread(cursor)?;
        return Ok((first, last));
    }
    if cursor.accept(&["SEQUENCE"]) {
        let sequence = cursor.number()?;
        thread(cursor)?;
        return Ok((sequence, sequence));
    }
    Err(cursor.refuse("all, from, sequence"))
}

/// THREAD n, if it comes; there is one only.
fn thread(cursor: &mut Cursor) -> Parsed<()> {
    if cursor.accept(&["THREAD"]) {
        let _: u32 = cursor.number()?;
    }
    Ok(())
}

fn option(cursor: &mut Cursor, restore: &mut Restore) -> Parsed<bool> {
    if cursor.accept(&["FROM", "AUTOBACKUP"]) {
        restore.from = Some(Source::Autobackup);
    } else if cursor.accept(&["FROM", "TAG"]) {
        restore.from_tag = Some(cursor.tag()?);
    } else if cursor.accept(&["FROM"]) {
        restore.from = Some(Source::File(cursor.text()?.into()));
    } else if cursor.accept(&["TO"]) {
        cursor.accept(&["PFILE"]);
        restore.to = Some(cursor.text()?.into());
    } else if cursor.accept(&["VALIDATE"]) {
        restore.validate = true;
    } else if cursor.accept(&["PREVIEW"]) {
        cursor.accept(&["SUMMARY"]);
        restore.preview = true;
    } else if cursor.accept(&["FORCE"]) {
        // Every file is restored, whatever is in its place.
    } else if let Some(until) = accept_until(cursor)? {
        restore.until = Some(until);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// UNTIL TIME, SCN or SEQUENCE, if it comes.
pub(super) fn accept_until(cursor: &mut Cursor) -> Parsed<Option<Until>> {
    if !cursor.accept(&["UNTIL"]) {
        return Ok(None);
    }
    if cursor.accept(&["TIME"]) {
        return cursor.text().map(|text| Some(Until::Time(text)));
    }
    if cursor.accept(&["SCN"]) {
        return cursor.number().map(|scn| Some(Until::Scn(scn)));
    }
    if cursor.accept(&["SEQUENCE"]) {
        let sequence = cursor.number()?;
        thread(cursor)?;
        return Ok(Some(Until::Sequence(sequence)));
    }
    Err(cursor.refuse("scn, sequence, time"))
}

/// Reads what follows RECOVER.
pub(super) fn recover(cursor: &mut Cursor) -> Parsed<Command> {
    if cursor.accept(&["COPY", "OF"]) {
        let files = cursor
            .accept_files()?
            .ok_or_else(|| cursor.refuse("database, datafile, tablespace"))?;
        let tag = match cursor.accept(&["WITH", "TAG"]) {
            true => Some(cursor.tag()?),
            false => None,
        };
        return Ok(Command::RecoverCopy { files, tag });
    }
    let files = cursor
        .accept_files()?
        .ok_or_else(|| cursor.refuse("copy, database, datafile, tablespace"))?;
    let mut recover = Recover {
        files,
        until: None,
        no_redo: false,
        delete_logs: false,
    };
    loop {
        if cursor.accept(&["NOREDO"]) {
            recover.no_redo = true;
        } else if cursor.accept(&["DELETE", "ARCHIVELOG"]) {
            recover.delete_logs = true;
        } else if let Some(until) = accept_until(cursor)? {
            recover.until = Some(until);
        } else {
            return Ok(Command::Recover(recover));
        }
    }
}

/// Reads what follows SWITCH.
pub(super) fn switch(cursor: &mut Cursor) -> Parsed<Switch> {
    if cursor.accept(&["DATAFILE", "ALL"]) {
        return Ok(Switch::AllRestored);
    }
    let files: Files = cursor
        .accept_files()?
        .ok_or_else(|| cursor.refuse("database, datafile, tablespace"))?;
    cursor.expect_all(&["TO", "COPY"])?;
    Ok(Switch::ToCopy(files))
}
