//! CATALOG, CHANGE, LIST, CROSSCHECK, DELETE, REPORT and VALIDATE.
//! What lives here: their words. What does not: what they find.

use super::{Cursor, Parsed};
use crate::rman::command::{Catalog, Command, Delete, Kind, List, Of, Selection, Validate};

/// Reads what follows CATALOG.
pub(super) fn catalog(cursor: &mut Cursor) -> Parsed<Catalog> {
    if cursor.accept(&["START", "WITH"]) {
        let prefix = cursor.text()?.into();
        let prompt = !cursor.accept(&["NOPROMPT"]);
        return Ok(Catalog::StartWith { prefix, prompt });
    }
    let kinds = [
        "DATAFILECOPY",
        "BACKUPPIECE",
        "ARCHIVELOG",
        "CONTROLFILECOPY",
    ];
    if !kinds.iter().any(|kind| cursor.accept(&[kind])) {
        return Err(cursor.refuse("archivelog, backuppiece, controlfilecopy, datafilecopy, start"));
    }
    let mut files = vec![cursor.text()?.into()];
    while cursor.accept_symbol(',') {
        files.push(cursor.text()?.into());
    }
    // Files that are named are not asked about.
    cursor.accept(&["NOPROMPT"]);
    Ok(Catalog::Files(files))
}

/// Reads what follows LIST.
pub(super) fn list(cursor: &mut Cursor) -> Parsed<List> {
    if cursor.accept(&["INCARNATION"]) {
        cursor.accept(&["OF", "DATABASE"]);
        return Ok(List {
            selection: everything(Kind::Both),
            summary: false,
            incarnations: true,
        });
    }
    let selection = selection(cursor)?;
    Ok(List {
        selection,
        summary: cursor.accept(&["SUMMARY"]),
        incarnations: false,
    })
}

fn everything(kind: Kind) -> Selection {
    Selection {
        kind,
        of: Of::Anything,
        tag: None,
        completed_before: None,
        keys: Vec::new(),
        names: Vec::new(),
        like: None,
    }
}

/// Reads a choice of backups: BACKUP, BACKUPSET, COPY, ARCHIVELOG ALL, DATAFILECOPY, BACKUPPIECE with their conditions.
pub(super) fn selection(cursor: &mut Cursor) -> Parsed<Selection> {
    let mut selection = if cursor.accept(&["BACKUP"]) {
        everything(Kind::Sets)
    } else if cursor.accept(&["COPY"]) {
        everything(Kind::Copies)
    } else if cursor.accept(&["ARCHIVELOG"]) {
        cursor.expect("ALL")?;
        everything(Kind::ArchivedLogs)
    } else if cursor.accept(&["BACKUPSET"]) {
        let keys = keys(cursor)?;
        Selection {
            keys,
            ..everything(Kind::Sets)
        }
    } else if cursor.accept(&["BACKUPPIECE"]) {
        let names = names(cursor)?;
        Selection {
            names,
            ..everything(Kind::Sets)
        }
    } else if cursor.accept(&["DATAFILECOPY"]) {
        let names = names(cursor)?;
        Selection {
            names,
            of: Of::Database,
            ..everything(Kind::Copies)
        }
    } else {
        return Err(cursor.refuse("archivelog, backup, backuppiece, backupset, copy, datafilecopy"));
    };
    while condition(cursor, &mut selection)? {}
    Ok(selection)
}

fn keys(cursor: &mut Cursor) -> Parsed<Vec<u32>> {
    let Some(first) = cursor.accept_number() else {
        return Ok(Vec::new());
    };
    let mut keys = vec![first];
    while cursor.accept_symbol(',') {
        keys.push(cursor.number()?);
    }
    Ok(keys)
}

/// Names in quotes; none when the conditions begin at once.
fn names(cursor: &mut Cursor) -> Parsed<Vec<std::path::PathBuf>> {
    let mut names = Vec::new();
    while let Some(name) = cursor.accept_text() {
        names.push(name.into());
        if !cursor.accept_symbol(',') {
            break;
        }
    }
    Ok(names)
}

fn condition(cursor: &mut Cursor, selection: &mut Selection) -> Parsed<bool> {
    if cursor.accept(&["OF"]) {
        selection.of = of(cursor)?;
    } else if cursor.accept(&["TAG"]) {
        selection.tag = Some(cursor.tag()?);
    } else if selection.kind == Kind::Copies && cursor.accept(&["LIKE"]) {
        selection.like = Some(cursor.text()?);
    } else if cursor.accept(&["COMPLETED", "BEFORE"]) {
        selection.completed_before = Some(cursor.text()?);
    } else if cursor.accept(&["DEVICE", "TYPE"]) {
        cursor.expect_disk()?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn of(cursor: &mut Cursor) -> Parsed<Of> {
    if cursor.accept(&["DATABASE"]) {
        return Ok(Of::Database);
    }
    if cursor.accept(&["ARCHIVELOG", "ALL"]) {
        return Ok(Of::ArchivedLogs);
    }
    if cursor.accept(&["CONTROLFILE"]) {
        return Ok(Of::Controlfile);
    }
    if cursor.accept(&["SPFILE"]) {
        return Ok(Of::Spfile);
    }
    Err(cursor.refuse("archivelog, controlfile, database, spfile"))
}

/// Reads what follows CHANGE. The practice database has no other status of a backup than that it is there or not.
pub(super) fn change(cursor: &mut Cursor) -> Parsed<Selection> {
    let selection = selection(cursor)?;
    cursor.expect("UNCATALOG")?;
    Ok(selection)
}

/// Reads what follows DELETE.
pub(super) fn delete(cursor: &mut Cursor) -> Parsed<Delete> {
    let mut delete = Delete {
        selection: everything(Kind::Both),
        prompt: true,
        expired: false,
        obsolete: false,
        force: false,
        backed_up: None,
    };
    loop {
        if cursor.accept(&["NOPROMPT"]) {
            delete.prompt = false;
        } else if cursor.accept(&["FORCE"]) {
            delete.force = true;
        } else if cursor.accept(&["EXPIRED"]) {
            delete.expired = true;
        } else {
            break;
        }
    }
    if cursor.accept(&["OBSOLETE"]) {
        delete.obsolete = true;
        return Ok(delete);
    }
    delete.selection = selection(cursor)?;
    if cursor.accept(&["BACKED", "UP"]) {
        delete.backed_up = Some(cursor.number()?);
        cursor.expect("TIMES")?;
        if cursor.accept(&["TO"]) {
            cursor.expect_all(&["DEVICE", "TYPE"])?;
            cursor.expect_disk()?;
        }
    }
    Ok(delete)
}

/// Reads what follows REPORT.
pub(super) fn report(cursor: &mut Cursor) -> Parsed<Command> {
    if cursor.accept(&["SCHEMA"]) {
        return Ok(Command::ReportSchema);
    }
    if cursor.accept(&["OBSOLETE"]) {
        return Ok(Command::ReportObsolete);
    }
    Err(cursor.refuse("obsolete, schema"))
}

/// Reads what follows VALIDATE.
pub(super) fn validate(cursor: &mut Cursor) -> Parsed<Validate> {
    cursor.accept(&["CHECK", "LOGICAL"]);
    if let Some(files) = cursor.accept_files()? {
        return Ok(Validate::Files(files));
    }
    if cursor.accept(&["BACKUPSET"]) {
        return keys(cursor).map(Validate::Sets);
    }
    if cursor.accept(&["COPY", "OF", "DATABASE"]) || cursor.accept(&["DATAFILECOPY", "ALL"]) {
        return Ok(Validate::Copies);
    }
    Err(cursor.refuse("backupset, copy, database, datafile, datafilecopy, tablespace"))
}
