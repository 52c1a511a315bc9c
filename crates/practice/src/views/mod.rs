//! The V$ and DBA_ views that are there: SELECTs over one consistent copy of the instance's state.
//! What lives here: the way from a query's text to its rows. What does not: gathering the facts (`engine`).
//!
//! A query is parsed with Oracle's grammar, its names and types are resolved against the catalogue, and what comes out
//! is SQL of SQLite, run on an in-memory database that holds only the views it names. SQLite never sees the text.

mod backup_rows;
mod catalog;
mod dates;
mod dictionary_rows;
mod expression;
mod expression_sql;
mod file_rows;
mod function_sql;
mod functions;
mod instance_rows;
mod log_rows;
mod numbers;
mod parse;
mod run;
mod scope;
mod syntax;
mod translate;

use oracle::time::OracleTime;

use crate::engine::error::OraResult;
use crate::engine::facts::Facts;
use crate::protocol::Outcome;

/// Oracle's default date format for America.
pub const DEFAULT_DATE_FORMAT: &str = "DD-MON-RR";

/// One row of V$SESSION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// SID.
    pub sid: u32,
    /// SERIAL#.
    pub serial: u32,
    /// The client's program name.
    pub program: String,
    /// The client's process id.
    pub process: u32,
    /// Since when it is connected.
    pub logon_time: OracleTime,
    /// Whether it executes a request now.
    pub active: bool,
}

/// What a query may see besides the text.
#[derive(Debug, Clone)]
pub struct World<'a> {
    /// The instance's state.
    pub facts: &'a Facts,
    /// Who is connected.
    pub sessions: &'a [SessionFacts],
    /// NLS_DATE_FORMAT of the asking session.
    pub date_format: &'a str,
    /// SYSDATE.
    pub now: OracleTime,
}

/// The sizes that STARTUP and SHOW SGA print, name and bytes.
pub fn sga_sizes(facts: &Facts) -> Vec<(&'static str, u64)> {
    instance_rows::sga_sizes(facts)
}

/// The type of a parameter in the words of SHOW PARAMETER.
pub fn parameter_kind(value: &str) -> &'static str {
    match instance_rows::parameter_type(value) {
        1 => "boolean",
        3 => "integer",
        _ => "string",
    }
}

/// A number with a format model, as TO_CHAR makes it.
///
/// # Errors
/// ORA-01722 and ORA-01481.
pub fn format_number(number: &str, model: &str) -> OraResult<String> {
    numbers::format(numbers::parse(number)?, model)
}

/// Whether NLS_DATE_FORMAT can be this.
///
/// # Errors
/// ORA-01821.
pub fn check_date_format(mask: &str) -> OraResult<()> {
    dates::format(0, mask).map(|_| ())
}

/// A time as TO_CHAR shows it with a format mask.
///
/// # Errors
/// ORA-01821.
pub fn format_time(time: OracleTime, mask: &str) -> OraResult<String> {
    dates::format(dates::from_oracle_time(time), mask)
}

/// Runs one query.
///
/// # Errors
/// Oracle's: syntax, unknown names, ORA-01507 before MOUNT, ORA-01219 for dictionary views before OPEN, and the
/// bounds on time and size.
pub fn query(text: &str, world: &World) -> OraResult<Outcome> {
    let query = parse::parse(text)?;
    let translation = translate::translate(&query, world)?;
    run::run(&translation, world, run::RUN_TIME_MAX)
}

#[cfg(test)]
mod tests;
