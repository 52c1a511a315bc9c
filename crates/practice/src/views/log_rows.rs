//! Views of redo: V$LOG, V$LOGFILE, V$ARCHIVED_LOG and the like, readable from MOUNT on.
//! What lives here: their columns and rows. What does not: data files.

use super::World;
use super::catalog::{Cell, Column, Row, Rows, View, date, number, text, yes_no};
use crate::engine::facts::{ArchivedLogFacts, DatabaseFacts, InstanceStatus, LogFacts};

pub(super) const VIEWS: &[View] = &[
    View {
        name: "V$LOG",
        columns: LOG,
        rows: Rows::Control(log),
    },
    View {
        name: "V$LOGFILE",
        columns: LOGFILE,
        rows: Rows::Control(logfile),
    },
    View {
        name: "V$STANDBY_LOG",
        columns: STANDBY_LOG,
        rows: Rows::Control(|_, _| Vec::new()),
    },
    View {
        name: "V$ARCHIVED_LOG",
        columns: ARCHIVED_LOG,
        rows: Rows::Control(archived_log),
    },
    View {
        name: "V$ARCHIVE_DEST",
        columns: ARCHIVE_DEST,
        rows: Rows::Control(archive_dest),
    },
    View {
        name: "V$LOG_HISTORY",
        columns: LOG_HISTORY,
        rows: Rows::Control(log_history),
    },
    View {
        name: "V$RECOVERY_LOG",
        columns: RECOVERY_LOG,
        rows: Rows::Control(recovery_log),
    },
    View {
        name: "V$THREAD",
        columns: THREAD,
        rows: Rows::Control(thread),
    },
];

const LOG: &[Column] = &[
    number("GROUP#"),
    number("THREAD#"),
    number("SEQUENCE#"),
    number("BYTES"),
    number("BLOCKSIZE"),
    number("MEMBERS"),
    text("ARCHIVED", 3),
    text("STATUS", 16),
    number("FIRST_CHANGE#"),
    date("FIRST_TIME"),
    number("NEXT_CHANGE#"),
    date("NEXT_TIME"),
    number("CON_ID"),
];

fn log(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let next_time = |log: &LogFacts| {
        facts
            .logs
            .iter()
            .find(|other| other.sequence.get() == log.sequence.get() + 1)
            .and_then(|next| next.first_time)
    };
    let one = |log: &LogFacts| {
        vec![
            log.group.into(),
            1u32.into(),
            log.sequence.get().into(),
            log.bytes.into(),
            log.block_size.into(),
            (log.members.len() as u64).into(),
            yes_no(log.archived),
            log.status.as_str().into(),
            log.first_scn.into(),
            log.first_time.into(),
            // An unused group has no range yet.
            if log.status == "UNUSED" {
                Cell::Whole(0)
            } else {
                log.next_scn.into()
            },
            next_time(log).into(),
            0u32.into(),
        ]
    };
    facts.logs.iter().map(one).collect()
}

const LOGFILE: &[Column] = &[
    number("GROUP#"),
    text("STATUS", 7),
    text("TYPE", 7),
    text("MEMBER", 513),
    text("IS_RECOVERY_DEST_FILE", 3),
    number("CON_ID"),
];

fn logfile(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let members = facts
        .logs
        .iter()
        .flat_map(|log| log.members.iter().map(move |member| (log.group, member)));
    members
        .map(|(group, member)| {
            vec![
                group.into(),
                Cell::Null,
                "ONLINE".into(),
                member.as_path().into(),
                "NO".into(),
                0u32.into(),
            ]
        })
        .collect()
}

const STANDBY_LOG: &[Column] = &[
    number("GROUP#"),
    text("DBID", 40),
    number("THREAD#"),
    number("SEQUENCE#"),
    number("BYTES"),
    text("STATUS", 10),
];

const ARCHIVED_LOG: &[Column] = &[
    number("RECID"),
    number("STAMP"),
    text("NAME", 513),
    number("DEST_ID"),
    number("THREAD#"),
    number("SEQUENCE#"),
    number("RESETLOGS_CHANGE#"),
    date("RESETLOGS_TIME"),
    number("RESETLOGS_ID"),
    number("FIRST_CHANGE#"),
    date("FIRST_TIME"),
    number("NEXT_CHANGE#"),
    date("NEXT_TIME"),
    number("BLOCKS"),
    number("BLOCK_SIZE"),
    text("CREATOR", 7),
    text("REGISTRAR", 7),
    text("STANDBY_DEST", 3),
    text("ARCHIVED", 3),
    text("APPLIED", 9),
    text("DELETED", 3),
    text("STATUS", 1),
    date("COMPLETION_TIME"),
    text("DICTIONARY_BEGIN", 3),
    text("DICTIONARY_END", 3),
    text("END_OF_REDO", 3),
    number("BACKUP_COUNT"),
    number("ARCHIVAL_THREAD#"),
    text("IS_RECOVERY_DEST_FILE", 3),
    text("COMPRESSED", 3),
    text("FAL", 3),
    text("END_OF_REDO_TYPE", 10),
    number("CON_ID"),
];

fn archived_log(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |log: &ArchivedLogFacts| {
        vec![
            log.recid.into(),
            log.completion_time.raw().into(),
            name(log),
            1u32.into(),
            1u32.into(),
            log.sequence.get().into(),
            log.resetlogs_scn.into(),
            log.resetlogs_time.into(),
            log.resetlogs_time.raw().into(),
            log.first_scn.into(),
            log.first_time.into(),
            log.next_scn.into(),
            log.next_time.into(),
            log.blocks.into(),
            log.block_size.into(),
            "ARCH".into(),
            "ARCH".into(),
            "NO".into(),
            "YES".into(),
            "NO".into(),
            (if log.deleted { "YES" } else { "NO" }).into(),
            status(log).into(),
            log.completion_time.into(),
            "NO".into(),
            "NO".into(),
            "NO".into(),
            log.backups.into(),
            1u32.into(),
            "NO".into(),
            "NO".into(),
            "NO".into(),
            Cell::Null,
            0u32.into(),
        ]
    };
    facts.archived.iter().map(one).collect()
}

/// A log that was deleted has no name.
fn name(log: &ArchivedLogFacts) -> Cell {
    match log.deleted {
        true => Cell::Null,
        false => log.path.as_path().into(),
    }
}

/// Available, deleted or expired.
fn status(log: &ArchivedLogFacts) -> &'static str {
    match (log.deleted, log.expired) {
        (true, _) => "D",
        (false, true) => "X",
        (false, false) => "A",
    }
}

const ARCHIVE_DEST: &[Column] = &[
    number("DEST_ID"),
    text("DEST_NAME", 256),
    text("STATUS", 9),
    text("BINDING", 9),
    text("NAME_SPACE", 7),
    text("TARGET", 16),
    text("ARCHIVER", 10),
    text("DESTINATION", 256),
    number("LOG_SEQUENCE"),
    text("ERROR", 256),
    text("VALID_NOW", 16),
    number("CON_ID"),
];

fn archive_dest(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let newest = facts
        .archived
        .iter()
        .map(|log| log.sequence.get())
        .max()
        .unwrap_or(0);
    vec![vec![
        1u32.into(),
        "LOG_ARCHIVE_DEST_1".into(),
        (if facts.archive_error.is_empty() {
            "VALID"
        } else {
            "ERROR"
        })
        .into(),
        "MANDATORY".into(),
        "SYSTEM".into(),
        "PRIMARY".into(),
        "ARCH".into(),
        facts.archive_destination.as_path().into(),
        newest.into(),
        facts.archive_error.as_str().into(),
        "YES".into(),
        0u32.into(),
    ]]
}

const LOG_HISTORY: &[Column] = &[
    number("RECID"),
    number("STAMP"),
    number("THREAD#"),
    number("SEQUENCE#"),
    number("FIRST_CHANGE#"),
    date("FIRST_TIME"),
    number("NEXT_CHANGE#"),
    number("RESETLOGS_CHANGE#"),
    date("RESETLOGS_TIME"),
    number("CON_ID"),
];

fn log_history(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let mut seen = std::collections::HashSet::new();
    let mut rows = Vec::new();
    for log in &facts.archived {
        if seen.insert((log.resetlogs_time.raw(), log.sequence)) {
            rows.push(vec![
                log.recid.into(),
                log.next_time.raw().into(),
                1u32.into(),
                log.sequence.get().into(),
                log.first_scn.into(),
                log.first_time.into(),
                log.next_scn.into(),
                log.resetlogs_scn.into(),
                log.resetlogs_time.into(),
                0u32.into(),
            ]);
        }
    }
    rows
}

const RECOVERY_LOG: &[Column] = &[
    number("THREAD#"),
    number("SEQUENCE#"),
    date("TIME"),
    text("ARCHIVE_NAME", 513),
    number("CON_ID"),
];

/// Archived logs that a complete recovery of the files in V$RECOVER_FILE would read.
fn recovery_log(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let Some(start) = facts.recover.iter().map(|file| file.scn).min() else {
        return Vec::new();
    };
    let needed = facts
        .archived
        .iter()
        .filter(|log| log.next_scn > start && !log.deleted);
    needed
        .map(|log| {
            vec![
                1u32.into(),
                log.sequence.get().into(),
                log.first_time.into(),
                log.path.as_path().into(),
                0u32.into(),
            ]
        })
        .collect()
}

const THREAD: &[Column] = &[
    number("THREAD#"),
    text("STATUS", 6),
    text("ENABLED", 8),
    number("GROUPS"),
    text("INSTANCE", 80),
    date("OPEN_TIME"),
    number("CURRENT_GROUP#"),
    number("SEQUENCE#"),
    number("CHECKPOINT_CHANGE#"),
    date("CHECKPOINT_TIME"),
    number("ENABLE_CHANGE#"),
    date("ENABLE_TIME"),
    number("CON_ID"),
];

fn thread(facts: &DatabaseFacts, world: &World) -> Vec<Row> {
    let open = world.facts.status == InstanceStatus::Open;
    let current = facts.logs.iter().find(|log| log.status == "CURRENT");
    vec![vec![
        1u32.into(),
        (if open { "OPEN" } else { "CLOSED" }).into(),
        "PUBLIC".into(),
        (facts.logs.len() as u64).into(),
        world.facts.sid.as_str().into(),
        world.facts.startup_time.into(),
        current.map_or(Cell::Whole(0), |log| log.group.into()),
        current.map_or(Cell::Whole(0), |log| log.sequence.get().into()),
        facts.checkpoint_scn.into(),
        Cell::Null,
        facts.resetlogs_scn.into(),
        facts.resetlogs_time.into(),
        0u32.into(),
    ]]
}
