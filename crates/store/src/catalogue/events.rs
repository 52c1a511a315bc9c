//! Rows of events.
//! What lives here: adding and listing them. What does not: the log of the process.

use api::admin::{Event, Severity};
use rusqlite::{Connection, Row};

use super::{CatalogueError, number, of_word, word};
use crate::clock;

/// Events that are kept; the oldest go first.
const KEPT: i64 = 100_000;

/// An event that is to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent<'a> {
    pub severity: Severity,
    pub mount: Option<&'a str>,
    pub job: Option<u64>,
    pub text: &'a str,
}

impl<'a> NewEvent<'a> {
    /// For the record, of the whole store.
    pub(crate) fn info(text: &'a str) -> NewEvent<'a> {
        NewEvent {
            severity: Severity::Info,
            mount: None,
            job: None,
            text,
        }
    }

    /// Of a mount.
    pub(crate) fn of_mount(severity: Severity, mount: &'a str, text: &'a str) -> NewEvent<'a> {
        NewEvent {
            severity,
            mount: Some(mount),
            job: None,
            text,
        }
    }

    /// Of a job as well.
    pub(crate) fn of_job(self, job: u64) -> NewEvent<'a> {
        NewEvent {
            job: Some(job),
            ..self
        }
    }
}

/// Records an event, and writes it to the log of the process.
pub(crate) fn add(connection: &Connection, event: &NewEvent) -> Result<(), CatalogueError> {
    connection.execute(
        "insert into events (time, severity, mount, job, text) values (?1, ?2, ?3, ?4, ?5)",
        (
            clock::now(),
            word(&event.severity)?,
            event.mount,
            event.job.map(number),
            event.text,
        ),
    )?;
    connection.execute(
        "delete from events where id <= (select max(id) from events) - ?1",
        [KEPT],
    )?;
    let (mount, job, text) = (event.mount, event.job, event.text);
    match event.severity {
        Severity::Info => tracing::info!(mount, job, "{text}"),
        Severity::Warning => tracing::warn!(mount, job, "{text}"),
        Severity::Critical => tracing::error!(mount, job, "{text}"),
    }
    Ok(())
}

fn raw(row: &Row) -> rusqlite::Result<(Event, String)> {
    let event = Event {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        time: row.get(1)?,
        severity: Severity::Info,
        mount: row.get(3)?,
        job: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
        text: row.get(5)?,
    };
    Ok((event, row.get(2)?))
}

/// The newest events behind a number, oldest first; all or those of one mount.
pub(crate) fn list(
    connection: &Connection,
    after: u64,
    mount: Option<&str>,
    limit: u64,
) -> Result<Vec<Event>, CatalogueError> {
    let mut statement = connection.prepare(
        "select * from (select id, time, severity, mount, job, text from events \
         where id > ?1 and (?2 is null or mount = ?2) order by id desc limit ?3) order by id",
    )?;
    let rows = statement.query_map((number(after), mount, number(limit)), raw)?;
    rows.map(|row| {
        let (event, severity) = row?;
        Ok(Event {
            severity: of_word(&severity)?,
            ..event
        })
    })
    .collect()
}
