//! Views of the database and its files: V$DATABASE, V$DATAFILE, V$BACKUP and the like, readable from MOUNT on.
//! What lives here: their columns and rows. What does not: redo logs.

use super::World;
use super::catalog::{Cell, Column, Row, Rows, View, date, number, text, yes_no};
use crate::engine::facts::{DatabaseFacts, DatafileFacts, InstanceStatus};

pub(super) const VIEWS: &[View] = &[
    View {
        name: "V$DATABASE",
        columns: DATABASE,
        rows: Rows::Control(database),
    },
    View {
        name: "V$DATABASE_INCARNATION",
        columns: INCARNATION,
        rows: Rows::Control(incarnation),
    },
    View {
        name: "V$TABLESPACE",
        columns: TABLESPACE,
        rows: Rows::Control(tablespace),
    },
    View {
        name: "V$DATAFILE",
        columns: DATAFILE,
        rows: Rows::Control(datafile),
    },
    View {
        name: "V$DATAFILE_HEADER",
        columns: HEADER,
        rows: Rows::Control(header),
    },
    View {
        name: "V$TEMPFILE",
        columns: TEMPFILE,
        rows: Rows::Control(|_, _| Vec::new()),
    },
    View {
        name: "V$BACKUP",
        columns: BACKUP,
        rows: Rows::Control(backup),
    },
    View {
        name: "V$RECOVER_FILE",
        columns: RECOVER,
        rows: Rows::Control(recover),
    },
    View {
        name: "V$BLOCK_CHANGE_TRACKING",
        columns: TRACKING,
        rows: Rows::Control(tracking),
    },
    View {
        name: "V$DATABASE_BLOCK_CORRUPTION",
        columns: CORRUPTION,
        rows: Rows::Control(|_, _| Vec::new()),
    },
];

const DATABASE: &[Column] = &[
    number("DBID"),
    text("NAME", 9),
    date("CREATED"),
    number("RESETLOGS_CHANGE#"),
    date("RESETLOGS_TIME"),
    number("PRIOR_RESETLOGS_CHANGE#"),
    date("PRIOR_RESETLOGS_TIME"),
    text("LOG_MODE", 12),
    number("CHECKPOINT_CHANGE#"),
    number("ARCHIVE_CHANGE#"),
    text("CONTROLFILE_TYPE", 7),
    date("CONTROLFILE_CREATED"),
    text("OPEN_RESETLOGS", 11),
    text("OPEN_MODE", 20),
    text("PROTECTION_MODE", 20),
    text("DATABASE_ROLE", 16),
    text("FORCE_LOGGING", 39),
    text("PLATFORM_NAME", 101),
    number("CURRENT_SCN"),
    text("FLASHBACK_ON", 18),
    text("DB_UNIQUE_NAME", 30),
    text("CDB", 3),
    number("CON_ID"),
];

fn database(facts: &DatabaseFacts, world: &World) -> Vec<Row> {
    let open = world.facts.status == InstanceStatus::Open;
    let current = facts
        .incarnations
        .iter()
        .position(|incarnation| incarnation.current);
    let prior = current
        .and_then(|index| index.checked_sub(1))
        .map(|index| &facts.incarnations[index]);
    vec![vec![
        facts.dbid.into(),
        facts.name.as_str().into(),
        facts.created.into(),
        facts.resetlogs_scn.into(),
        facts.resetlogs_time.into(),
        prior.map_or(Cell::Whole(0), |incarnation| {
            incarnation.resetlogs_scn.into()
        }),
        prior.map(|incarnation| incarnation.resetlogs_time).into(),
        (if facts.archivelog {
            "ARCHIVELOG"
        } else {
            "NOARCHIVELOG"
        })
        .into(),
        facts.checkpoint_scn.into(),
        facts.checkpoint_scn.into(),
        (if facts.backup_controlfile {
            "BACKUP"
        } else {
            "CURRENT"
        })
        .into(),
        facts.created.into(),
        facts.open_resetlogs.as_str().into(),
        (if open { "READ WRITE" } else { "MOUNTED" }).into(),
        "MAXIMUM PERFORMANCE".into(),
        "PRIMARY".into(),
        "NO".into(),
        "Linux x86 64-bit".into(),
        facts.current_scn.into(),
        "NO".into(),
        facts.name.as_str().into(),
        "NO".into(),
        0u32.into(),
    ]]
}

const INCARNATION: &[Column] = &[
    number("INCARNATION#"),
    number("RESETLOGS_CHANGE#"),
    date("RESETLOGS_TIME"),
    number("PRIOR_RESETLOGS_CHANGE#"),
    date("PRIOR_RESETLOGS_TIME"),
    text("STATUS", 7),
    number("RESETLOGS_ID"),
    number("PRIOR_INCARNATION#"),
    number("CON_ID"),
];

fn incarnation(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, incarnation) in facts.incarnations.iter().enumerate() {
        let prior = index.checked_sub(1).map(|index| &facts.incarnations[index]);
        rows.push(vec![
            incarnation.number.into(),
            incarnation.resetlogs_scn.into(),
            incarnation.resetlogs_time.into(),
            prior.map_or(Cell::Whole(0), |prior| prior.resetlogs_scn.into()),
            prior.map(|prior| prior.resetlogs_time).into(),
            (if incarnation.current {
                "CURRENT"
            } else {
                "PARENT"
            })
            .into(),
            incarnation.resetlogs_time.raw().into(),
            prior.map_or(Cell::Whole(0), |prior| prior.number.into()),
            0u32.into(),
        ]);
    }
    rows
}

const TABLESPACE: &[Column] = &[
    number("TS#"),
    text("NAME", 30),
    text("INCLUDED_IN_DATABASE_BACKUP", 3),
    text("BIGFILE", 3),
    text("FLASHBACK_ON", 3),
    text("ENCRYPT_IN_BACKUP", 3),
    number("CON_ID"),
];

fn tablespace(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |(number, name): &(u32, String)| {
        vec![
            (*number).into(),
            name.as_str().into(),
            "YES".into(),
            "NO".into(),
            "YES".into(),
            Cell::Null,
            0u32.into(),
        ]
    };
    facts.tablespaces.iter().map(one).collect()
}

const DATAFILE: &[Column] = &[
    number("FILE#"),
    number("CREATION_CHANGE#"),
    date("CREATION_TIME"),
    number("TS#"),
    number("RFILE#"),
    text("STATUS", 7),
    text("ENABLED", 10),
    number("CHECKPOINT_CHANGE#"),
    date("CHECKPOINT_TIME"),
    number("UNRECOVERABLE_CHANGE#"),
    date("UNRECOVERABLE_TIME"),
    number("LAST_CHANGE#"),
    number("OFFLINE_CHANGE#"),
    number("ONLINE_CHANGE#"),
    number("BYTES"),
    number("BLOCKS"),
    number("CREATE_BYTES"),
    number("BLOCK_SIZE"),
    text("NAME", 513),
    number("PLUGGED_IN"),
    text("AUX_NAME", 513),
    number("CON_ID"),
];

fn datafile(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |file: &DatafileFacts| {
        vec![
            file.number.into(),
            file.creation_scn.into(),
            Cell::Null,
            file.tablespace_number.into(),
            file.number.into(),
            file.status.as_str().into(),
            "READ WRITE".into(),
            file.checkpoint_scn.into(),
            file.header
                .as_ref()
                .map(|header| header.checkpoint_time)
                .into(),
            0u32.into(),
            Cell::Null,
            Cell::Null,
            0u32.into(),
            0u32.into(),
            file.bytes.into(),
            file.blocks.into(),
            file.bytes.into(),
            file.block_size.into(),
            file.path.as_path().into(),
            0u32.into(),
            "NONE".into(),
            0u32.into(),
        ]
    };
    facts.datafiles.iter().map(one).collect()
}

const HEADER: &[Column] = &[
    number("FILE#"),
    text("STATUS", 7),
    text("ERROR", 18),
    number("FORMAT"),
    text("RECOVER", 3),
    text("FUZZY", 3),
    number("CREATION_CHANGE#"),
    text("TABLESPACE_NAME", 30),
    number("TS#"),
    number("RFILE#"),
    number("RESETLOGS_CHANGE#"),
    number("CHECKPOINT_CHANGE#"),
    date("CHECKPOINT_TIME"),
    number("CHECKPOINT_COUNT"),
    number("BYTES"),
    number("BLOCKS"),
    text("NAME", 513),
    number("CON_ID"),
];

fn header(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |file: &DatafileFacts| {
        let online = file.status != "OFFLINE" && file.status != "RECOVER";
        let header = file.header.as_ref();
        vec![
            file.number.into(),
            (if online { "ONLINE" } else { "OFFLINE" }).into(),
            file.header_error.as_str().into(),
            header.map_or(Cell::Whole(0), |_| Cell::Whole(10)),
            header.map_or(Cell::Null, |header| yes_no(header.recover)),
            header.map_or(Cell::Null, |header| yes_no(header.fuzzy)),
            header.map_or(Cell::Whole(0), |_| file.creation_scn.into()),
            header.map(|_| file.tablespace.as_str()).into(),
            file.tablespace_number.into(),
            file.number.into(),
            header.map_or(Cell::Whole(0), |header| header.resetlogs_scn.into()),
            header.map_or(Cell::Whole(0), |header| header.checkpoint_scn.into()),
            header.map(|header| header.checkpoint_time).into(),
            header.map_or(Cell::Whole(0), |header| header.checkpoint_count.into()),
            header.map_or(Cell::Whole(0), |_| file.bytes.into()),
            header.map_or(Cell::Whole(0), |_| file.blocks.into()),
            file.path.as_path().into(),
            0u32.into(),
        ]
    };
    facts.datafiles.iter().map(one).collect()
}

const TEMPFILE: &[Column] = &[
    number("FILE#"),
    number("CREATION_CHANGE#"),
    date("CREATION_TIME"),
    number("TS#"),
    number("RFILE#"),
    text("STATUS", 7),
    text("ENABLED", 10),
    number("BYTES"),
    number("BLOCKS"),
    number("CREATE_BYTES"),
    number("BLOCK_SIZE"),
    text("NAME", 513),
    number("CON_ID"),
];

const BACKUP: &[Column] = &[
    number("FILE#"),
    text("STATUS", 18),
    number("CHANGE#"),
    date("TIME"),
    number("CON_ID"),
];

fn backup(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let one = |file: &DatafileFacts| {
        vec![
            file.number.into(),
            file.backup_status.as_str().into(),
            file.backup_scn.into(),
            file.backup_time.into(),
            0u32.into(),
        ]
    };
    facts.datafiles.iter().map(one).collect()
}

const RECOVER: &[Column] = &[
    number("FILE#"),
    text("ONLINE", 7),
    text("ONLINE_STATUS", 7),
    text("ERROR", 18),
    number("CHANGE#"),
    date("TIME"),
    number("CON_ID"),
];

fn recover(facts: &DatabaseFacts, _: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    for file in &facts.recover {
        let online: Cell = (if file.online { "ONLINE" } else { "OFFLINE" }).into();
        let error = file.error.as_str().into();
        rows.push(vec![
            file.number.into(),
            online.clone(),
            online,
            error,
            file.scn.into(),
            Cell::Null,
            0u32.into(),
        ]);
    }
    rows
}

const TRACKING: &[Column] = &[
    text("STATUS", 10),
    text("FILENAME", 513),
    number("BYTES"),
    number("CON_ID"),
];

fn tracking(_: &DatabaseFacts, _: &World) -> Vec<Row> {
    vec![vec!["DISABLED".into(), Cell::Null, Cell::Null, 0u32.into()]]
}

const CORRUPTION: &[Column] = &[
    number("FILE#"),
    number("BLOCK#"),
    number("BLOCKS"),
    number("CORRUPTION_CHANGE#"),
    text("CORRUPTION_TYPE", 9),
    number("CON_ID"),
];
