//! Rows of jobs.
//! What lives here: reading and writing them. What does not: doing them.

use api::admin::{Job, JobKind, JobState};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{CatalogueError, number, of_word, word};
use crate::clock;
use crate::refusal::Refusal;

const COLUMNS: &str = "id, kind, mount, state, started, ended, error_code, error_message, detail";

type Raw = (Job, String, String);

fn raw(row: &Row) -> rusqlite::Result<Raw> {
    let unsigned = |index: usize| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let job = Job {
        id: unsigned(0)?,
        kind: JobKind::Backup,
        mount: row.get(2)?,
        state: JobState::Queued,
        started: row.get(4)?,
        ended: row.get(5)?,
        error_code: unsigned(6)?,
        error_message: row.get(7)?,
        detail: row.get(8)?,
        progress: None,
    };
    Ok((job, row.get(1)?, row.get(3)?))
}

fn finish((job, kind, state): Raw) -> Result<Job, CatalogueError> {
    Ok(Job {
        kind: of_word(&kind)?,
        state: of_word(&state)?,
        ..job
    })
}

/// The job of this number.
pub(crate) fn find(connection: &Connection, id: u64) -> Result<Option<Job>, CatalogueError> {
    let sql = format!("select {COLUMNS} from jobs where id = ?1");
    connection
        .query_row(&sql, [number(id)], raw)
        .optional()?
        .map(finish)
        .transpose()
}

/// What a job is about, beside its mount: the name of a snapshot.
pub(crate) fn subject(connection: &Connection, id: u64) -> Result<String, CatalogueError> {
    Ok(connection.query_row(
        "select subject from jobs where id = ?1",
        [number(id)],
        |row| row.get(0),
    )?)
}

/// The newest jobs first, all or those of one mount.
pub(crate) fn list(
    connection: &Connection,
    mount: Option<&str>,
    limit: u64,
) -> Result<Vec<Job>, CatalogueError> {
    let sql = format!(
        "select {COLUMNS} from jobs where ?1 is null or mount = ?1 order by id desc limit ?2"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map((mount, number(limit)), raw)?;
    rows.map(|row| finish(row?)).collect()
}

/// Jobs of the store's own threads that have not ended, oldest first.
pub(crate) fn unfinished(connection: &Connection) -> Result<Vec<Job>, CatalogueError> {
    let sql = format!("select {COLUMNS} from jobs where kind <> ?1 and ended is null order by id");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([word(&JobKind::Backup)?], raw)?;
    rows.map(|row| finish(row?)).collect()
}

/// A job of this kind about this subject that has not ended.
pub(crate) fn unfinished_of(
    connection: &Connection,
    kind: JobKind,
    subject: &str,
) -> Result<Option<u64>, CatalogueError> {
    let id = connection
        .query_row(
            "select id from jobs where kind = ?1 and subject = ?2 and ended is null",
            (word(&kind)?, subject),
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    Ok(id.map(i64::unsigned_abs))
}

/// A job waits again, and says for what.
pub(crate) fn postpone(connection: &Connection, id: u64, why: &str) -> Result<(), CatalogueError> {
    connection.execute(
        "update jobs set state = ?2, detail = ?3 where id = ?1",
        (number(id), word(&JobState::Queued)?, why),
    )?;
    Ok(())
}

/// Adds a job and returns its number.
pub(crate) fn add(
    connection: &Connection,
    kind: JobKind,
    (mount, subject): (&str, &str),
    state: JobState,
    detail: &str,
) -> Result<u64, CatalogueError> {
    connection.execute(
        "insert into jobs (kind, mount, subject, state, started, error_code, error_message, detail) \
         values (?1, ?2, ?3, ?4, ?5, 0, '', ?6)",
        (word(&kind)?, mount, subject, word(&state)?, clock::now(), detail),
    )?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

/// A queued job begins.
pub(crate) fn begin(connection: &Connection, id: u64) -> Result<(), CatalogueError> {
    connection.execute(
        "update jobs set state = ?2 where id = ?1",
        (number(id), word(&JobState::Running)?),
    )?;
    Ok(())
}

/// A job ends well, with something to say.
pub(crate) fn succeed(
    connection: &Connection,
    id: u64,
    detail: &str,
) -> Result<(), CatalogueError> {
    connection.execute(
        "update jobs set state = ?2, ended = ?3, detail = ?4 where id = ?1",
        (
            number(id),
            word(&JobState::Successful)?,
            clock::now(),
            detail,
        ),
    )?;
    Ok(())
}

/// A job ends well, but has not found all well.
pub(crate) fn fail_with_findings(
    connection: &Connection,
    id: u64,
    why: &Refusal,
    findings: &str,
) -> Result<(), CatalogueError> {
    say(connection, id, findings)?;
    fail(connection, id, why)
}

/// A job ends without having done what it was for.
pub(crate) fn fail(connection: &Connection, id: u64, why: &Refusal) -> Result<(), CatalogueError> {
    connection.execute(
        "update jobs set state = ?2, ended = ?3, error_code = ?4, error_message = ?5 where id = ?1",
        (
            number(id),
            word(&JobState::Failed)?,
            clock::now(),
            number(why.code.number()),
            why.to_string(),
        ),
    )?;
    Ok(())
}

/// Something that a job says while it runs on.
pub(crate) fn say(connection: &Connection, id: u64, detail: &str) -> Result<(), CatalogueError> {
    connection.execute(
        "update jobs set detail = ?2 where id = ?1",
        (number(id), detail),
    )?;
    Ok(())
}
