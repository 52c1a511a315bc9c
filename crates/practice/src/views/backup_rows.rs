//! Views of backup sets: V$BACKUP_PIECE and V$BACKUP_REDOLOG, readable from MOUNT on.
//! What lives here: their columns and rows. What does not: the backup mode (`file_rows`), and what RMAN lists.

use super::World;
use super::catalog::{Cell, Column, Row, Rows, View, date, number, text, yes_no};
use crate::engine::facts::{BackupSetFacts, DatabaseFacts};

pub(super) const VIEWS: &[View] = &[
    View {
        name: "V$BACKUP_PIECE",
        columns: PIECE,
        rows: Rows::Control(pieces),
    },
    View {
        name: "V$BACKUP_REDOLOG",
        columns: REDOLOG,
        rows: Rows::Control(redologs),
    },
];

const PIECE: &[Column] = &[
    number("RECID"),
    number("STAMP"),
    number("SET_STAMP"),
    number("SET_COUNT"),
    number("PIECE#"),
    number("COPY#"),
    text("DEVICE_TYPE", 17),
    text("HANDLE", 513),
    text("TAG", 32),
    text("STATUS", 1),
    date("START_TIME"),
    date("COMPLETION_TIME"),
    number("ELAPSED_SECONDS"),
    text("DELETED", 3),
    number("BYTES"),
    text("COMPRESSED", 3),
    number("CON_ID"),
];

/// Each set is one piece. RMAN forgets what it deletes, so none is in the state D.
fn pieces(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |set: &BackupSetFacts| {
        vec![
            set.recid.into(),
            set.completion_time.raw().into(),
            set.stamp.raw().into(),
            set.count.into(),
            1u32.into(),
            1u32.into(),
            "DISK".into(),
            set.handle.as_path().into(),
            set.tag.as_str().into(),
            (if set.expired { "X" } else { "A" }).into(),
            set.stamp.into(),
            set.completion_time.into(),
            set.elapsed.into(),
            "NO".into(),
            set.bytes.into(),
            yes_no(set.compressed),
            0u32.into(),
        ]
    };
    facts.backup_sets.iter().map(one).collect()
}

const REDOLOG: &[Column] = &[
    number("RECID"),
    number("STAMP"),
    number("SET_STAMP"),
    number("SET_COUNT"),
    number("THREAD#"),
    number("SEQUENCE#"),
    number("RESETLOGS_CHANGE#"),
    date("RESETLOGS_TIME"),
    number("FIRST_CHANGE#"),
    date("FIRST_TIME"),
    number("NEXT_CHANGE#"),
    date("NEXT_TIME"),
    number("BLOCKS"),
    number("BLOCK_SIZE"),
    text("TERMINAL", 3),
    number("CON_ID"),
];

fn redologs(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let sets = facts.backup_sets.iter();
    let logs = sets.flat_map(|set| set.logs.iter().map(move |log| (set, log)));
    logs.zip(1u32..)
        .map(|((set, log), recid)| {
            vec![
                recid.into(),
                set.completion_time.raw().into(),
                set.stamp.raw().into(),
                set.count.into(),
                1u32.into(),
                log.sequence.get().into(),
                log.resetlogs_scn.into(),
                log.resetlogs_time.into(),
                log.first.0.into(),
                log.first.1.into(),
                log.next.0.into(),
                log.next.1.into(),
                log.blocks.into(),
                512u32.into(),
                "NO".into(),
                Cell::Whole(0),
            ]
        })
        .collect()
}
