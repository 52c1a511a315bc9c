//! Rows of snapshots.
//! What lives here: reading and writing them, and their names. What does not: the snapshots themselves.

use api::admin::SnapshotState;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{CatalogueError, number, of_word, word};

/// A snapshot's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotRow {
    pub name: String,
    pub mount_id: u64,
    pub mount: String,
    pub state: SnapshotState,
    pub time: String,
    pub job: u64,
    pub files: u64,
    pub bytes: u64,
    pub pause_milliseconds: u64,
    pub method: String,
    pub logs: u64,
}

const SELECT: &str = "select s.name, s.mount, m.name, s.state, s.time, s.job, s.files, s.bytes, s.pause_milliseconds, s.method, \
                      (select count(*) from logs l where l.snapshot = s.name) from snapshots s join mounts m on m.id = s.mount";

fn raw(row: &Row) -> rusqlite::Result<(SnapshotRow, String)> {
    let unsigned = |index: usize| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let snapshot = SnapshotRow {
        name: row.get(0)?,
        mount_id: unsigned(1)?,
        mount: row.get(2)?,
        state: SnapshotState::Intended,
        time: row.get(4)?,
        job: unsigned(5)?,
        files: unsigned(6)?,
        bytes: unsigned(7)?,
        pause_milliseconds: unsigned(8)?,
        method: row.get(9)?,
        logs: unsigned(10)?,
    };
    Ok((snapshot, row.get(3)?))
}

fn finish((row, state): (SnapshotRow, String)) -> Result<SnapshotRow, CatalogueError> {
    Ok(SnapshotRow {
        state: of_word(&state)?,
        ..row
    })
}

/// The snapshot of this name.
pub(crate) fn find(
    connection: &Connection,
    name: &str,
) -> Result<Option<SnapshotRow>, CatalogueError> {
    let sql = format!("{SELECT} where s.name = ?1");
    connection
        .query_row(&sql, [name], raw)
        .optional()?
        .map(finish)
        .transpose()
}

/// All snapshots, or those of one mount, oldest first.
pub(crate) fn list(
    connection: &Connection,
    mount: Option<&str>,
) -> Result<Vec<SnapshotRow>, CatalogueError> {
    let sql = format!("{SELECT} where ?1 is null or m.name = ?1 order by s.counter");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([mount], raw)?;
    rows.map(|row| finish(row?)).collect()
}

/// How many of a mount's snapshots wait. One that was lost does not: nothing can become of it.
pub(crate) fn pending(connection: &Connection, mount_id: u64) -> Result<u64, CatalogueError> {
    let count: i64 = connection.query_row(
        "select count(*) from snapshots where mount = ?1 and state = ?2",
        (number(mount_id), word(&SnapshotState::Pending)?),
        |row| row.get(0),
    )?;
    Ok(count.unsigned_abs())
}

/// Records the intent to take a snapshot, and gives it its name, `<uid>_<counter>`.
pub(crate) fn intend(
    connection: &Connection,
    uid: &str,
    mount_id: u64,
    job: u64,
    time: &str,
) -> Result<String, CatalogueError> {
    connection.execute(
        "insert into snapshots (name, mount, state, time, job, files, bytes, pause_milliseconds, method) \
         values ('', ?1, ?2, ?3, ?4, 0, 0, 0, '')",
        (number(mount_id), word(&SnapshotState::Intended)?, time, number(job)),
    )?;
    let counter = connection.last_insert_rowid();
    let name = format!("{uid}_{counter}");
    connection.execute(
        "update snapshots set name = ?2 where counter = ?1",
        (counter, &name),
    )?;
    Ok(name)
}

/// Writes state and contents.
pub(crate) fn set(connection: &Connection, row: &SnapshotRow) -> Result<(), CatalogueError> {
    connection.execute(
        "update snapshots set state = ?2, files = ?3, bytes = ?4, pause_milliseconds = ?5, method = ?6 where name = ?1",
        rusqlite::params![
            row.name,
            word(&row.state)?,
            number(row.files),
            number(row.bytes),
            number(row.pause_milliseconds),
            row.method
        ],
    )?;
    Ok(())
}

/// Removes the row; logs of the snapshot go with it, and their ids are returned.
pub(crate) fn remove(connection: &Connection, name: &str) -> Result<Vec<u64>, CatalogueError> {
    let mut statement = connection.prepare("delete from logs where snapshot = ?1 returning id")?;
    let logs = statement
        .query_map([name], |row| row.get::<_, i64>(0))?
        .map(|id| Ok(id?.unsigned_abs()))
        .collect::<Result<Vec<u64>, CatalogueError>>()?;
    connection.execute("delete from snapshots where name = ?1", [name])?;
    Ok(logs)
}
