//! Rows of RMAN logs that scripts have sent.
//! What lives here: adding and attaching them. What does not: their files (engine), and what they say.

use rusqlite::Connection;

use super::{CatalogueError, number};
use crate::clock;

/// A log that is to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct NewLog<'a> {
    pub mount_id: u64,
    pub job: u64,
    /// Where the database host has the mount.
    pub mountpoint: &'a str,
    /// `linux` or `windows`.
    pub platform: &'a str,
    /// Name of the file on the database host, or the path that was sent in its place.
    pub name: &'a str,
    /// Whether its content was sent.
    pub has_content: bool,
    pub bytes: u64,
}

/// Adds a log of an open backup and returns its number.
pub(crate) fn add(connection: &Connection, log: &NewLog) -> Result<u64, CatalogueError> {
    connection.execute(
        "insert into logs (mount, job, mountpoint, platform, name, has_content, bytes, received) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        rusqlite::params![
            number(log.mount_id),
            number(log.job),
            log.mountpoint,
            log.platform,
            log.name,
            log.has_content,
            number(log.bytes),
            clock::now()
        ],
    )?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

/// The logs of a backup belong to its snapshot from now on.
pub(crate) fn attach(
    connection: &Connection,
    job: u64,
    snapshot: &str,
) -> Result<u64, CatalogueError> {
    let count = connection.execute(
        "update logs set snapshot = ?2 where job = ?1 and snapshot is null",
        (number(job), snapshot),
    )?;
    Ok(count as u64)
}

/// A log that belongs to a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct LogRow {
    pub id: u64,
    pub mountpoint: String,
    pub platform: String,
    pub name: String,
    pub has_content: bool,
}

/// The logs of a snapshot, in the order in which they came.
pub(crate) fn of_snapshot(
    connection: &Connection,
    snapshot: &str,
) -> Result<Vec<LogRow>, CatalogueError> {
    let mut statement = connection.prepare(
        "select id, mountpoint, platform, name, has_content from logs where snapshot = ?1 order by id",
    )?;
    let rows = statement.query_map([snapshot], |row| {
        Ok(LogRow {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            mountpoint: row.get(1)?,
            platform: row.get(2)?,
            name: row.get(3)?,
            has_content: row.get(4)?,
        })
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// Forgets the logs of a backup that was given up; their numbers are returned, for their files.
pub(crate) fn forget(connection: &Connection, job: u64) -> Result<Vec<u64>, CatalogueError> {
    let mut statement =
        connection.prepare("delete from logs where job = ?1 and snapshot is null returning id")?;
    let ids = statement.query_map([number(job)], |row| row.get::<_, i64>(0))?;
    ids.map(|id| Ok(id?.unsigned_abs())).collect()
}

/// Numbers of all logs whose content is on disk.
pub(crate) fn with_content(connection: &Connection) -> Result<Vec<u64>, CatalogueError> {
    let mut statement = connection.prepare("select id from logs where has_content")?;
    let ids = statement.query_map([], |row| row.get::<_, i64>(0))?;
    ids.map(|id| Ok(id?.unsigned_abs())).collect()
}
