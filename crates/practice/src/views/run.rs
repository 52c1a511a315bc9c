//! Runs a translated query on an in-memory SQLite that holds only the views it names.
//! What lives here: filling, bounds on time and size, and reading the answer. What does not: any view's rows.

use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::World;
use super::catalog::{Cell, Kind, View};
use super::numbers::Number;
use super::scope::Output;
use super::translate::Translation;
use super::{dates, functions};
use crate::engine::error::{OraError, OraResult};
use crate::protocol::Outcome;

/// Longest time that a query may take.
pub(super) const RUN_TIME_MAX: Duration = Duration::from_secs(20);
/// Largest answer, in bytes of its values; clients refuse lines of 64 MiB.
const ANSWER_BYTES_MAX: usize = 24 << 20;
/// Longest value inside SQLite, in bytes.
const VALUE_BYTES_MAX: i32 = 1 << 20;
/// Instructions of SQLite's machine between two looks at the clock.
const INSTRUCTIONS_PER_LOOK: i32 = 10_000;
/// What a number takes at least in an answer.
const CELL_BYTES: usize = 8;

/// Runs the query, at most `run_time` long.
///
/// # Errors
/// ORA-01507 and ORA-01219 from the views, ORA-00040 beyond the time limit, ORA-04030 beyond the size limit, and what
/// the functions raise.
pub(super) fn run(
    translation: &Translation,
    world: &World,
    run_time: Duration,
) -> OraResult<Outcome> {
    let mut connection = open().map_err(ora_error)?;
    for (index, view) in translation.views.iter().enumerate() {
        let rows = view.read(world)?;
        fill(&connection, index + 1, view, rows).map_err(ora_error)?;
    }
    restrict(&mut connection, run_time).map_err(ora_error)?;
    read(&connection, translation, world)
}

fn open() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    functions::register(&connection)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    Ok(connection)
}

/// Creates the table of a view and its rows.
fn fill(
    connection: &Connection,
    number: usize,
    view: &View,
    rows: Vec<Vec<Cell>>,
) -> rusqlite::Result<()> {
    let names: Vec<String> = (1..=view.columns.len())
        .map(|column| format!("c{column}"))
        .collect();
    connection.execute_batch(&format!(
        "CREATE TABLE v{number} ({}); BEGIN",
        names.join(", ")
    ))?;
    let places = vec!["?"; names.len()].join(", ");
    let mut insert = connection.prepare(&format!("INSERT INTO v{number} VALUES ({places})"))?;
    for row in rows {
        debug_assert_eq!(
            row.len(),
            names.len(),
            "a row of {} has the wrong number of columns",
            view.name
        );
        insert.execute(params_from_iter(row.into_iter().map(value)))?;
    }
    connection.execute_batch("COMMIT")
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Whole(value) | Cell::Date(value) => Value::Integer(value),
        Cell::Text(text) => Value::Text(text),
    }
}

/// From here on the connection can only read, and only for a while.
fn restrict(connection: &mut Connection, run_time: Duration) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.authorizer(Some(|context: AuthContext| match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }))?;
    let deadline = Instant::now() + run_time;
    connection.progress_handler(
        INSTRUCTIONS_PER_LOOK,
        Some(move || Instant::now() > deadline),
    )
}

fn read(connection: &Connection, translation: &Translation, world: &World) -> OraResult<Outcome> {
    let mut statement = connection.prepare(&translation.sql).map_err(ora_error)?;
    let mut rows = statement
        .query(params_from_iter(&translation.parameters))
        .map_err(ora_error)?;
    let mut outcome = Outcome {
        columns: translation
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect(),
        numeric: translation
            .columns
            .iter()
            .map(|column| column.kind == Kind::Number)
            .collect(),
        widths: translation
            .columns
            .iter()
            .map(|column| display_width(column, world))
            .collect(),
        ..Outcome::default()
    };
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(ora_error)? {
        let mut values = Vec::with_capacity(translation.columns.len());
        for (index, column) in translation.columns.iter().enumerate() {
            let shown = show(row.get_ref(index).map_err(ora_error)?, column.kind, world)?;
            bytes += CELL_BYTES + shown.as_ref().map_or(0, String::len);
            values.push(shown);
        }
        if bytes > ANSWER_BYTES_MAX {
            let text =
                format!("out of process memory: a query may answer with {ANSWER_BYTES_MAX} bytes");
            return Err(OraError::new(4030, text));
        }
        outcome.rows.push(values);
    }
    Ok(outcome)
}

fn show(value: ValueRef, kind: Kind, world: &World) -> OraResult<Option<String>> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(seconds) if kind == Kind::Date => {
            Some(dates::format(seconds, world.date_format)?)
        }
        ValueRef::Integer(value) => Some(Number::Whole(value).text()),
        ValueRef::Real(value) => Some(Number::Real(value).text()),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Some(String::from_utf8_lossy(text).into_owned()).filter(|text| !text.is_empty())
        }
    })
}

/// The width in which SQL*Plus shows the column; zero where it depends on the values.
fn display_width(column: &Output, world: &World) -> u32 {
    match column.kind {
        Kind::Text => column.width.unwrap_or(0),
        Kind::Date => dates::format(0, world.date_format)
            .map_or(9, |text| text.len() as u32)
            .max(9),
        Kind::Number | Kind::Null => 0,
    }
}

/// What Oracle would say to a failure of SQLite's. Names and syntax were judged before, so what is left is a value
/// that a function refused, a bound, or a mistake of ours, which shows itself as an internal error.
fn ora_error(error: rusqlite::Error) -> OraError {
    let text = error.to_string();
    if let Some(own) = text
        .find("ORA-")
        .and_then(|start| own_error(&text[start..]))
    {
        return own;
    }
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => {
            OraError::new(40, "active time limit exceeded - call aborted")
        }
        Some(rusqlite::ErrorCode::TooBig) => {
            OraError::new(1489, "result of string concatenation is too long")
        }
        _ if text.contains("integer overflow") => OraError::new(1426, "numeric overflow"),
        _ if text.contains("too large")
            || text.contains("too many")
            || text.contains("too complex") =>
        {
            OraError::new(913, format!("too many values: {text}"))
        }
        _ => OraError::new(
            600,
            format!("internal error code, arguments: [practice views], [{text}]"),
        ),
    }
}

/// Reads an `ORA-nnnnn: text` that went through SQLite as text.
fn own_error(text: &str) -> Option<OraError> {
    let (code, text) = text.strip_prefix("ORA-")?.split_once(": ")?;
    Some(OraError::new(code.parse().ok()?, text))
}
