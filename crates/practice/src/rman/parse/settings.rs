//! SET, CONFIGURE and SHOW.
//! What lives here: their words, and how a setting is written down. What does not: what settings do.

use super::restore::accept_until;
use super::{Cursor, Parsed};
use crate::rman::command::{Command, Setting};

/// Reads what follows SET.
pub(super) fn set(cursor: &mut Cursor) -> Parsed<Setting> {
    if let Some(until) = accept_until(cursor)? {
        return Ok(Setting::Until(until));
    }
    if cursor.accept(&["NEWNAME", "FOR"]) {
        let files = cursor
            .accept_files()?
            .ok_or_else(|| cursor.refuse("database, datafile, tablespace"))?;
        cursor.expect("TO")?;
        return cursor.text().map(|format| Setting::NewName(files, format));
    }
    if cursor.accept(&["DBID"]) {
        return cursor.number().map(Setting::Dbid);
    }
    if cursor.accept(&["CONTROLFILE", "AUTOBACKUP", "FORMAT"]) {
        return autobackup_format(cursor).map(Setting::AutobackupFormat);
    }
    if cursor.accept(&["ECHO"]) {
        if !cursor.accept(&["ON"]) {
            cursor.expect("OFF")?;
        }
        return Ok(Setting::Ignored);
    }
    if cursor.accept(&["COMMAND", "ID", "TO"]) {
        cursor.text()?;
        return Ok(Setting::Ignored);
    }
    Err(cursor.refuse("command, controlfile, dbid, echo, newname, until"))
}

fn autobackup_format(cursor: &mut Cursor) -> Parsed<String> {
    cursor.expect_all(&["FOR", "DEVICE", "TYPE"])?;
    cursor.expect_disk()?;
    cursor.expect("TO")?;
    cursor.text()
}

/// Reads what follows CONFIGURE.
pub(super) fn configure(cursor: &mut Cursor) -> Parsed<Command> {
    let (name, value) = setting(cursor)?;
    Ok(Command::Configure(name, value))
}

/// The name of a setting, and its value as SHOW ALL prints it behind the name; None when it is cleared.
fn setting(cursor: &mut Cursor) -> Parsed<(String, Option<String>)> {
    if cursor.accept(&["RETENTION", "POLICY"]) {
        let name = "RETENTION POLICY".to_owned();
        return Ok((name, cleared_or(cursor, retention)?));
    }
    if cursor.accept(&["BACKUP", "OPTIMIZATION"]) {
        return Ok((
            "BACKUP OPTIMIZATION".to_owned(),
            cleared_or(cursor, on_or_off)?,
        ));
    }
    if cursor.accept(&["DEFAULT", "DEVICE", "TYPE"]) {
        let disk = |cursor: &mut Cursor| {
            cursor.expect("TO")?;
            cursor.expect_disk().map(|()| "TO DISK".to_owned())
        };
        return Ok(("DEFAULT DEVICE TYPE".to_owned(), cleared_or(cursor, disk)?));
    }
    if cursor.accept(&["CONTROLFILE", "AUTOBACKUP", "FORMAT"]) {
        cursor.expect_all(&["FOR", "DEVICE", "TYPE"])?;
        cursor.expect_disk()?;
        let format = |cursor: &mut Cursor| {
            cursor.expect("TO")?;
            cursor
                .text()
                .map(|format| format!("TO {}", quoted(&format)))
        };
        let name = "CONTROLFILE AUTOBACKUP FORMAT FOR DEVICE TYPE DISK".to_owned();
        return Ok((name, cleared_or(cursor, format)?));
    }
    if cursor.accept(&["CONTROLFILE", "AUTOBACKUP"]) {
        return Ok((
            "CONTROLFILE AUTOBACKUP".to_owned(),
            cleared_or(cursor, on_or_off)?,
        ));
    }
    if cursor.accept(&["DEVICE", "TYPE"]) {
        cursor.expect_disk()?;
        return Ok((
            "DEVICE TYPE DISK".to_owned(),
            cleared_or(cursor, parallelism)?,
        ));
    }
    if cursor.accept(&["CHANNEL"]) {
        return channel(cursor);
    }
    Err(cursor.refuse("backup, channel, controlfile, default, device, retention"))
}

fn cleared_or(
    cursor: &mut Cursor,
    value: impl Fn(&mut Cursor) -> Parsed<String>,
) -> Parsed<Option<String>> {
    match cursor.accept(&["CLEAR"]) {
        true => Ok(None),
        false => value(cursor).map(Some),
    }
}

fn on_or_off(cursor: &mut Cursor) -> Parsed<String> {
    if cursor.accept(&["ON"]) {
        return Ok("ON".to_owned());
    }
    cursor.expect("OFF").map(|()| "OFF".to_owned())
}

fn retention(cursor: &mut Cursor) -> Parsed<String> {
    cursor.expect("TO")?;
    if cursor.accept(&["NONE"]) {
        return Ok("TO NONE".to_owned());
    }
    if cursor.accept(&["REDUNDANCY"]) {
        let copies: u32 = cursor.number()?;
        return Ok(format!("TO REDUNDANCY {copies}"));
    }
    cursor.expect_all(&["RECOVERY", "WINDOW", "OF"])?;
    let days: u32 = cursor.number()?;
    cursor.expect("DAYS")?;
    Ok(format!("TO RECOVERY WINDOW OF {days} DAYS"))
}

/// PARALLELISM n [BACKUP TYPE TO …], in either order.
fn parallelism(cursor: &mut Cursor) -> Parsed<String> {
    let (mut channels, mut kind) = (1u32, "BACKUPSET");
    let mut given = false;
    loop {
        if cursor.accept(&["PARALLELISM"]) {
            channels = cursor.number()?;
        } else if cursor.accept(&["BACKUP", "TYPE", "TO"]) {
            kind = if cursor.accept(&["COPY"]) {
                "COPY"
            } else if cursor.accept(&["COMPRESSED", "BACKUPSET"]) {
                "COMPRESSED BACKUPSET"
            } else {
                cursor.expect("BACKUPSET")?;
                "BACKUPSET"
            };
        } else if given && (1..=64).contains(&channels) {
            return Ok(format!("PARALLELISM {channels} BACKUP TYPE TO {kind}"));
        } else {
            return Err(cursor.refuse("backup, clear, parallelism"));
        }
        given = true;
    }
}

/// CHANNEL [n] DEVICE TYPE DISK FORMAT 'f'.
fn channel(cursor: &mut Cursor) -> Parsed<(String, Option<String>)> {
    let number: Option<u32> = cursor.accept_number();
    cursor.expect_all(&["DEVICE", "TYPE"])?;
    cursor.expect_disk()?;
    let name = match number {
        Some(number) => format!("CHANNEL {number} DEVICE TYPE DISK"),
        None => "CHANNEL DEVICE TYPE DISK".to_owned(),
    };
    let format = |cursor: &mut Cursor| {
        cursor.expect("FORMAT")?;
        cursor
            .text()
            .map(|format| format!("FORMAT   {}", quoted(&format)))
    };
    Ok((name, cleared_or(cursor, format)?))
}

/// A text as a command would have it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Reads what follows SHOW.
pub(super) fn show(cursor: &mut Cursor) -> Parsed<Command> {
    if cursor.accept(&["ALL"]) {
        return Ok(Command::Show(None));
    }
    for name in [
        "RETENTION POLICY",
        "BACKUP OPTIMIZATION",
        "DEFAULT DEVICE TYPE",
        "CONTROLFILE AUTOBACKUP FORMAT",
        "CONTROLFILE AUTOBACKUP",
        "DEVICE TYPE",
        "CHANNEL",
    ] {
        let words: Vec<&str> = name.split(' ').collect();
        if cursor.accept(&words) {
            return Ok(Command::Show(Some(name.to_owned())));
        }
    }
    Err(cursor.refuse("all, backup, channel, controlfile, default, device, retention"))
}
