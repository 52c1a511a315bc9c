//! Views of the data dictionary, readable only while the database is open.
//! What lives here: their columns and rows. What does not: the V$ views, which need no dictionary.

use super::World;
use super::catalog::{Cell, Column, Row, Rows, View, number, text};
use crate::engine::facts::{DatabaseFacts, DatafileFacts};

pub(super) const VIEWS: &[View] = &[
    View {
        name: "DBA_DATA_FILES",
        columns: DATA_FILES,
        rows: Rows::Dictionary(data_files),
    },
    View {
        name: "DBA_TABLESPACES",
        columns: TABLESPACES,
        rows: Rows::Dictionary(tablespaces),
    },
    View {
        name: "DBA_TEMP_FILES",
        columns: DATA_FILES,
        rows: Rows::Dictionary(|_, _| Vec::new()),
    },
];

/// Bytes that the first block of a data file takes from what users can fill.
const HEADER_BLOCKS: u32 = 1;

const DATA_FILES: &[Column] = &[
    text("FILE_NAME", 513),
    number("FILE_ID"),
    text("TABLESPACE_NAME", 30),
    number("BYTES"),
    number("BLOCKS"),
    text("STATUS", 9),
    number("RELATIVE_FNO"),
    text("AUTOEXTENSIBLE", 3),
    number("MAXBYTES"),
    number("MAXBLOCKS"),
    number("INCREMENT_BY"),
    number("USER_BYTES"),
    number("USER_BLOCKS"),
    text("ONLINE_STATUS", 7),
];

fn data_files(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |file: &DatafileFacts| {
        let user_blocks = file.blocks.saturating_sub(HEADER_BLOCKS);
        vec![
            file.path.as_path().into(),
            file.number.into(),
            file.tablespace.as_str().into(),
            file.bytes.into(),
            file.blocks.into(),
            "AVAILABLE".into(),
            file.number.into(),
            "NO".into(),
            0u32.into(),
            0u32.into(),
            0u32.into(),
            (u64::from(user_blocks) * u64::from(file.block_size)).into(),
            user_blocks.into(),
            file.status.as_str().into(),
        ]
    };
    facts.datafiles.iter().map(one).collect()
}

const TABLESPACES: &[Column] = &[
    text("TABLESPACE_NAME", 30),
    number("BLOCK_SIZE"),
    text("STATUS", 9),
    text("CONTENTS", 21),
    text("LOGGING", 9),
    text("FORCE_LOGGING", 3),
    text("EXTENT_MANAGEMENT", 10),
    text("SEGMENT_SPACE_MANAGEMENT", 6),
    text("BIGFILE", 3),
    text("ENCRYPTED", 3),
];

fn tablespaces(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, name) in &facts.tablespaces {
        let file = facts
            .datafiles
            .iter()
            .find(|file| file.tablespace_number == *number);
        rows.push(vec![
            name.as_str().into(),
            file.map_or(Cell::Null, |file| file.block_size.into()),
            "ONLINE".into(),
            "PERMANENT".into(),
            "LOGGING".into(),
            "NO".into(),
            "LOCAL".into(),
            "MANUAL".into(),
            "NO".into(),
            "NO".into(),
        ]);
    }
    rows
}
