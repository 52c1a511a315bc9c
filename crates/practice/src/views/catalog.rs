//! Which views there are and what columns they have.
//! What lives here: names, types, widths. What does not: their rows (`*_rows`).

use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::{World, backup_rows, dates, dictionary_rows, file_rows, instance_rows, log_rows};
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::{DatabaseFacts, InstanceStatus};

/// The type of a column or an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Date,
    /// NULL, which fits every type.
    Null,
}

/// One column of a view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Characters of a text column.
    pub width: u32,
}

pub(super) const fn number(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Number,
        width: 0,
    }
}

pub(super) const fn text(name: &'static str, width: u32) -> Column {
    Column {
        name,
        kind: Kind::Text,
        width,
    }
}

pub(super) const fn date(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Date,
        width: 0,
    }
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Whole(i64),
    Text(String),
    Date(i64),
}

impl From<u32> for Cell {
    fn from(value: u32) -> Cell {
        Cell::Whole(value.into())
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Cell {
        Cell::Whole(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        if value.is_empty() {
            Cell::Null
        } else {
            Cell::Text(value.to_owned())
        }
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::from(value.as_str())
    }
}

impl From<&std::path::Path> for Cell {
    fn from(value: &std::path::Path) -> Cell {
        Cell::from(value.display().to_string())
    }
}

impl From<OracleTime> for Cell {
    fn from(value: OracleTime) -> Cell {
        Cell::Date(dates::from_oracle_time(value))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

impl From<Scn> for Cell {
    fn from(value: Scn) -> Cell {
        // The highest SCN of 48 bits is what the V$ views say for a log that is not finished.
        const OPEN_ENDED: u64 = 0xffff_ffff_ffff;
        Cell::from(if value == Scn::OPEN_ENDED {
            OPEN_ENDED
        } else {
            value.get()
        })
    }
}

/// `YES` or `NO`.
pub(super) fn yes_no(value: bool) -> Cell {
    Cell::from(if value { "YES" } else { "NO" })
}

pub(super) type Row = Vec<Cell>;

/// Where a view's rows come from, which says when it can be read.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    /// From the instance: always.
    Instance(fn(&World) -> Vec<Row>),
    /// From the control file: MOUNT.
    Control(fn(&DatabaseFacts, &World) -> Vec<Row>),
    /// From the data dictionary: OPEN.
    Dictionary(fn(&DatabaseFacts, &World) -> Vec<Row>),
}

/// One view.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub name: &'static str,
    pub columns: &'static [Column],
    pub rows: Rows,
}

/// The view with this name, under any of the names Oracle gives it.
///
/// # Errors
/// ORA-00942.
pub(super) fn find(name: &str) -> OraResult<&'static View> {
    let public = match name.strip_prefix("V_$") {
        Some(rest) => format!("V${rest}"),
        None => name.to_owned(),
    };
    all()
        .find(|view| view.name == public)
        .ok_or_else(|| OraError::new(942, "table or view does not exist"))
}

fn all() -> impl Iterator<Item = &'static View> {
    [
        instance_rows::VIEWS,
        file_rows::VIEWS,
        log_rows::VIEWS,
        backup_rows::VIEWS,
        dictionary_rows::VIEWS,
    ]
    .into_iter()
    .flatten()
}

impl View {
    /// Its rows now.
    ///
    /// # Errors
    /// ORA-01507 or ORA-01219 when the instance is not up far enough.
    pub fn read(&self, world: &World) -> OraResult<Vec<Row>> {
        let mounted = || {
            world
                .facts
                .database
                .as_ref()
                .ok_or_else(|| OraError::new(1507, "database not mounted"))
        };
        match self.rows {
            Rows::Instance(rows) => Ok(rows(world)),
            Rows::Control(rows) => mounted().map(|database| rows(database, world)),
            Rows::Dictionary(rows) => {
                if world.facts.status != InstanceStatus::Open {
                    let text = "database or pluggable database not open: queries allowed on fixed tables or views only";
                    return Err(OraError::new(1219, text));
                }
                mounted().map(|database| rows(database, world))
            }
        }
    }
}

#[cfg(test)]
pub(super) fn every_view() -> Vec<&'static View> {
    all().collect()
}
