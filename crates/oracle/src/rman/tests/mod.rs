//! The fixtures, written by hand from the grammar, each with what it must tell, written by hand too.
//! What lives here: reading a fixture, and an account in a few lines of text. What does not: the expectations.

mod catalog;
mod copies;
mod failures;
mod hostile;
mod json;
mod maps;
mod order;
mod sets;

use std::fmt::Write;

use super::{
    Account, BackupSet, CopiedFile, Database, Fate, ImageCopy, Outcome, RelativePath, SetKind,
    SetState, Shortcoming, SnapshotFiles, read_log,
};

/// A fixture's account; it must come back from its JSON unchanged.
fn account(fixture: &str) -> Account {
    let path = format!(
        "{}/src/rman/fixtures/{fixture}.log",
        env!("CARGO_MANIFEST_DIR")
    );
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let account = read_log(bytes.as_slice()).expect("a slice gives no errors");
    let json = serde_json::to_string(&account).expect("an account is JSON");
    let back: Account = serde_json::from_str(&json).expect("JSON is an account");
    assert_eq!(back, account, "{json}");
    account
}

/// The fixture tells exactly this, and nothing is missing in it.
fn tells(fixture: &str, expected: &[&str]) {
    let account = account(fixture);
    assert_eq!(account.outcome, Outcome::Parsed, "{fixture}");
    assert_eq!(account.failures, Vec::<String>::new(), "{fixture}");
    assert_eq!(told(&account), expected, "{fixture}");
}

/// The fixture tells this, but it need not be everything.
fn tells_in_part(fixture: &str, because: &[Shortcoming], expected: &[&str]) -> Account {
    let account = account(fixture);
    let because = because.to_vec();
    assert_eq!(account.outcome, Outcome::Partial { because }, "{fixture}");
    assert_eq!(told(&account), expected, "{fixture}");
    account
}

/// The files of a snapshot.
fn files(paths: &[&str]) -> SnapshotFiles {
    let path = |path: &&str| RelativePath::new(path).expect("a relative path");
    SnapshotFiles::new(paths.iter().map(path))
}

/// A line for each database, set and copy.
fn told(account: &Account) -> Vec<String> {
    account.databases.iter().flat_map(told_of).collect()
}

fn told_of(database: &Database) -> Vec<String> {
    let name = database.name.as_deref().unwrap_or("?");
    let dbid = database
        .dbid
        .map_or("?".to_owned(), |dbid| dbid.to_string());
    let mut lines = vec![format!("{name} {dbid}")];
    lines.extend(database.sets.iter().map(set));
    lines.extend(database.copies.iter().map(copy));
    lines
}

fn set(set: &BackupSet) -> String {
    let kind = match set.kind {
        SetKind::Unknown => "unknown".to_owned(),
        SetKind::Full => "full".to_owned(),
        SetKind::Incremental { level } => format!("level {level}"),
        SetKind::ArchivedLogs => "logs".to_owned(),
    };
    let state = match set.state {
        SetState::Unfinished => "UNFINISHED",
        SetState::Complete => "complete",
        SetState::Cancelled => "CANCELLED",
        SetState::Failed => "FAILED",
    };
    let mut line = format!("{} {kind} {state}", set.channel.as_deref().unwrap_or("-"));
    if set.compressed {
        line.push_str(" compressed");
    }
    if set.is_autobackup {
        line.push_str(" autobackup");
    }
    if let Some(tag) = &set.tag {
        let _ = write!(line, " tag '{tag}'");
    }
    for file in &set.datafiles {
        let _ = write!(line, " | {}={}", file.number, file.name);
        if let Some(blocks) = file.blocks {
            let _ = write!(line, " blocks {}-{}", blocks.first, blocks.last);
        }
        line.push_str(if file.skipped { " SKIPPED" } else { "" });
        line.push_str(if file.from_copy { " from copy" } else { "" });
    }
    for log in &set.archived_logs {
        let _ = write!(line, " | log {}/{}", log.thread, log.sequence);
        if let (Some(recid), Some(stamp)) = (log.recid, log.stamp) {
            let _ = write!(line, " {recid}@{stamp}");
        }
    }
    for (is_there, what) in [
        (set.includes_control_file, " | control file"),
        (set.includes_standby_control_file, " | standby control file"),
        (set.includes_spfile, " | spfile"),
    ] {
        line.push_str(if is_there { what } else { "" });
    }
    for piece in &set.pieces {
        let number = piece.number.map_or("?".to_owned(), |it| it.to_string());
        let _ = write!(line, " > {number}:{}{}", piece.handle, fate(piece.fate));
    }
    line
}

fn copy(copy: &ImageCopy) -> String {
    let of = match &copy.of {
        CopiedFile::Datafile { number, name } => format!(
            "{}={}",
            number.map_or("?".to_owned(), |number| number.to_string()),
            name.as_deref().unwrap_or("?")
        ),
        CopiedFile::ControlFile => "control file".to_owned(),
        CopiedFile::StandbyControlFile => "standby control file".to_owned(),
        CopiedFile::ArchivedLog { log } => log.map_or("log ?".to_owned(), |log| {
            format!("log {}/{}", log.thread, log.sequence)
        }),
    };
    let merged = if copy.merged { " merged" } else { "" };
    let mut line = format!("copy{merged} of {of}");
    if let Some(tag) = &copy.tag {
        let _ = write!(line, " tag '{tag}'");
    }
    if let Some(name) = &copy.name_says {
        let _ = write!(line, " in {}", name.tablespace);
    }
    let _ = write!(line, " > {}{}", copy.path, fate(copy.fate));
    line
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Kept => "",
        Fate::Deleted => " DELETED",
        Fate::Overwritten => " OVERWRITTEN",
    }
}
