//! Views of the instance: V$INSTANCE, V$PARAMETER, V$SESSION and the like, readable from NOMOUNT on.
//! What lives here: their columns and rows. What does not: anything the control file knows.

use super::catalog::{Cell, Column, Row, Rows, View, date, number, text};
use super::{World, dates};
use crate::engine::facts::{Facts, InstanceStatus};

/// The release whose behaviour the practice database follows.
pub(super) const VERSION: &str = "19.0.0.0.0";
const BANNER: &str =
    "Oracle Database 19c look-alike (Backstay practice database) - not an Oracle product";

pub(super) const VIEWS: &[View] = &[
    View {
        name: "DUAL",
        columns: &[text("DUMMY", 1)],
        rows: Rows::Instance(|_| vec![vec!["X".into()]]),
    },
    View {
        name: "V$INSTANCE",
        columns: INSTANCE,
        rows: Rows::Instance(instance),
    },
    View {
        name: "V$PARAMETER",
        columns: PARAMETER,
        rows: Rows::Instance(parameter),
    },
    View {
        name: "V$SYSTEM_PARAMETER",
        columns: PARAMETER,
        rows: Rows::Instance(parameter),
    },
    View {
        name: "V$SPPARAMETER",
        columns: SPPARAMETER,
        rows: Rows::Instance(|_| Vec::new()),
    },
    View {
        name: "V$SESSION",
        columns: SESSION,
        rows: Rows::Instance(session),
    },
    View {
        name: "V$VERSION",
        columns: &[text("BANNER", 80), text("BANNER_FULL", 160)],
        rows: Rows::Instance(version),
    },
    View {
        name: "V$CONTROLFILE",
        columns: CONTROLFILE,
        rows: Rows::Instance(controlfile),
    },
    View {
        name: "V$SGA",
        columns: &[text("NAME", 20), number("VALUE")],
        rows: Rows::Instance(sga),
    },
    View {
        name: "V$NLS_PARAMETERS",
        columns: &[text("PARAMETER", 64), text("VALUE", 64)],
        rows: Rows::Instance(nls_parameters),
    },
];

const INSTANCE: &[Column] = &[
    number("INSTANCE_NUMBER"),
    text("INSTANCE_NAME", 16),
    text("HOST_NAME", 64),
    text("VERSION", 17),
    date("STARTUP_TIME"),
    text("STATUS", 12),
    text("PARALLEL", 3),
    number("THREAD#"),
    text("ARCHIVER", 7),
    text("LOG_SWITCH_WAIT", 15),
    text("LOGINS", 10),
    text("SHUTDOWN_PENDING", 3),
    text("DATABASE_STATUS", 17),
    text("INSTANCE_ROLE", 18),
    text("ACTIVE_STATE", 9),
    text("BLOCKED", 3),
    number("CON_ID"),
];

fn instance(world: &World) -> Vec<Row> {
    let facts = world.facts;
    let status = match facts.status {
        InstanceStatus::Started => "STARTED",
        InstanceStatus::Mounted => "MOUNTED",
        InstanceStatus::Open => "OPEN",
    };
    let archiving = facts
        .database
        .as_ref()
        .is_some_and(|database| database.archivelog);
    let failing = facts
        .database
        .as_ref()
        .is_some_and(|database| !database.archive_error.is_empty());
    let archiver = match (archiving, failing) {
        (true, true) => "FAILED",
        (true, false) => "STARTED",
        _ => "STOPPED",
    };
    vec![vec![
        1u32.into(),
        facts.sid.as_str().into(),
        facts.host.as_str().into(),
        VERSION.into(),
        facts.startup_time.into(),
        status.into(),
        "NO".into(),
        1u32.into(),
        archiver.into(),
        Cell::Null,
        "ALLOWED".into(),
        "NO".into(),
        "ACTIVE".into(),
        "PRIMARY_INSTANCE".into(),
        "NORMAL".into(),
        "NO".into(),
        0u32.into(),
    ]]
}

const PARAMETER: &[Column] = &[
    number("NUM"),
    text("NAME", 80),
    number("TYPE"),
    text("VALUE", 4000),
    text("DISPLAY_VALUE", 4000),
    text("ISDEFAULT", 9),
    text("ISSES_MODIFIABLE", 5),
    text("ISSYS_MODIFIABLE", 9),
    text("ISMODIFIED", 10),
    text("DESCRIPTION", 255),
    number("CON_ID"),
];

fn parameter(world: &World) -> Vec<Row> {
    let one = |(index, (name, value)): (usize, &(String, String))| {
        vec![
            (index as u64 + 1).into(),
            name.to_lowercase().into(),
            parameter_type(value).into(),
            value.as_str().into(),
            value.as_str().into(),
            "FALSE".into(),
            "FALSE".into(),
            "FALSE".into(),
            "FALSE".into(),
            Cell::Null,
            0u32.into(),
        ]
    };
    world.facts.parameters.iter().enumerate().map(one).collect()
}

/// 1 BOOLEAN, 2 string, 3 integer.
pub(super) fn parameter_type(value: &str) -> u32 {
    match value {
        "TRUE" | "FALSE" => 1,
        _ if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => 3,
        _ => 2,
    }
}

const SPPARAMETER: &[Column] = &[
    text("SID", 80),
    text("NAME", 80),
    text("TYPE", 11),
    text("VALUE", 255),
    text("ISSPECIFIED", 6),
    number("ORDINAL"),
];

const SESSION: &[Column] = &[
    number("SID"),
    number("SERIAL#"),
    number("USER#"),
    text("USERNAME", 128),
    text("STATUS", 8),
    text("SCHEMANAME", 128),
    text("OSUSER", 128),
    text("PROCESS", 24),
    text("MACHINE", 64),
    text("PROGRAM", 48),
    text("TYPE", 10),
    text("MODULE", 64),
    date("LOGON_TIME"),
    number("CON_ID"),
];

fn session(world: &World) -> Vec<Row> {
    let one = |session: &super::SessionFacts| {
        vec![
            session.sid.into(),
            session.serial.into(),
            0u32.into(),
            "SYS".into(),
            (if session.active { "ACTIVE" } else { "INACTIVE" }).into(),
            "SYS".into(),
            Cell::Null,
            session.process.to_string().into(),
            world.facts.host.as_str().into(),
            session.program.as_str().into(),
            "USER".into(),
            session.program.as_str().into(),
            session.logon_time.into(),
            0u32.into(),
        ]
    };
    world.sessions.iter().map(one).collect()
}

fn version(_: &World) -> Vec<Row> {
    vec![vec![BANNER.into(), BANNER.into()]]
}

const CONTROLFILE: &[Column] = &[
    text("STATUS", 7),
    text("NAME", 513),
    text("IS_RECOVERY_DEST_FILE", 3),
    number("BLOCK_SIZE"),
    number("FILE_SIZE_BLKS"),
    number("CON_ID"),
];

/// Empty before MOUNT, without an error, as Oracle has it.
fn controlfile(world: &World) -> Vec<Row> {
    let copies = world
        .facts
        .database
        .iter()
        .flat_map(|database| &database.controlfiles);
    copies
        .map(|(path, block_size, blocks)| {
            vec![
                Cell::Null,
                path.as_path().into(),
                "NO".into(),
                (*block_size).into(),
                (*blocks).into(),
                0u32.into(),
            ]
        })
        .collect()
}

/// The sizes that STARTUP and SHOW SGA print, name and bytes. Only the buffer cache is real.
pub(super) fn sga_sizes(facts: &Facts) -> Vec<(&'static str, u64)> {
    let cache = facts
        .parameters
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("db_cache_size"))
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(16 << 20);
    vec![
        ("Fixed Size", 1 << 20),
        ("Variable Size", 8 << 20),
        ("Database Buffers", cache),
        ("Redo Buffers", 1 << 20),
    ]
}

fn sga(world: &World) -> Vec<Row> {
    sga_sizes(world.facts)
        .into_iter()
        .map(|(name, bytes)| vec![name.into(), bytes.into()])
        .collect()
}

fn nls_parameters(world: &World) -> Vec<Row> {
    let values = [
        ("NLS_LANGUAGE", "AMERICAN"),
        ("NLS_TERRITORY", "AMERICA"),
        ("NLS_CHARACTERSET", "AL32UTF8"),
        ("NLS_DATE_FORMAT", world.date_format),
        ("NLS_NUMERIC_CHARACTERS", ".,"),
    ];
    values
        .into_iter()
        .map(|(name, value)| vec![name.into(), value.into()])
        .collect()
}

/// SYSDATE as the views hold dates.
pub(super) fn now(world: &World) -> i64 {
    dates::from_oracle_time(world.now)
}
