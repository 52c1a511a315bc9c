//! Rows of mounts.
//! What lives here: reading and writing them. What does not: which state may follow which (engine).

use api::admin::{Driver, Squash};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::{CatalogueError, number, of_word, word};
use crate::snapshot::DriverKind;

/// Where a mount stands, as the catalogue records it. That it is inconsistent stands beside it: what was open before the
/// directory vanished is still open when it is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Its directories are being made; a crash undoes it.
    Creating,
    Idle,
    Open,
    Sealing,
    MarkedForDelete,
}

/// A mount's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountRow {
    pub id: u64,
    pub name: String,
    pub phase: Phase,
    pub reason: Option<String>,
    pub allow: Vec<String>,
    pub quota_bytes: Option<u64>,
    pub squash: Squash,
    pub anonymous_uid: u32,
    pub anonymous_gid: u32,
    pub driver: DriverKind,
    pub driver_reason: String,
    pub created: String,
    pub inode: u64,
    pub open_job: Option<u64>,
    pub unanswered: Option<String>,
}

impl MountRow {
    /// Export path for NFS clients.
    pub(crate) fn export_path(&self) -> String {
        format!("/Phoenix/{}/oracle_data", self.name)
    }

    /// The driver as the API names it.
    pub(crate) fn api_driver(&self) -> Driver {
        match self.driver {
            DriverKind::Btrfs => Driver::Btrfs,
            DriverKind::Reflink => Driver::Reflink,
            DriverKind::Copy => Driver::Copy,
        }
    }
}

const COLUMNS: &str = "id, name, state, reason, allow, quota_bytes, squash, anonymous_uid, anonymous_gid, driver, \
                       driver_reason, created, inode, open_job, unanswered";

/// Columns as SQLite has them.
struct Raw {
    row: MountRow,
    words: [String; 4],
}

fn raw(row: &Row) -> rusqlite::Result<Raw> {
    let unsigned = |index: usize| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let optional = |index: usize| {
        row.get::<_, Option<i64>>(index)
            .map(|value| value.map(i64::unsigned_abs))
    };
    Ok(Raw {
        words: [row.get(2)?, row.get(4)?, row.get(6)?, row.get(9)?],
        row: MountRow {
            id: unsigned(0)?,
            name: row.get(1)?,
            phase: Phase::Creating,
            reason: row.get(3)?,
            allow: Vec::new(),
            quota_bytes: optional(5)?,
            squash: Squash::Root,
            anonymous_uid: row.get(7)?,
            anonymous_gid: row.get(8)?,
            driver: DriverKind::Copy,
            driver_reason: row.get(10)?,
            created: row.get(11)?,
            // Inode numbers use all 64 bits; the sign is only how SQLite shows the highest.
            inode: row.get::<_, i64>(12)? as u64,
            open_job: optional(13)?,
            unanswered: row.get(14)?,
        },
    })
}

fn finish(raw: Raw) -> Result<MountRow, CatalogueError> {
    let [phase, allow, squash, driver] = &raw.words;
    Ok(MountRow {
        phase: of_word(phase)?,
        allow: serde_json::from_str(allow).map_err(|_| CatalogueError::Nonsense(allow.clone()))?,
        squash: of_word(squash)?,
        driver: of_word(driver)?,
        ..raw.row
    })
}

/// The mount of this name; upper and lower case matter.
pub(crate) fn find(
    connection: &Connection,
    name: &str,
) -> Result<Option<MountRow>, CatalogueError> {
    let sql = format!("select {COLUMNS} from mounts where name = ?1");
    connection
        .query_row(&sql, [name], raw)
        .optional()?
        .map(finish)
        .transpose()
}

/// All mounts, by name.
pub(crate) fn list(connection: &Connection) -> Result<Vec<MountRow>, CatalogueError> {
    let sql = format!("select {COLUMNS} from mounts order by name");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| finish(row?)).collect()
}

/// Adds a mount. Its id and inode are given by others: the id by SQLite, which is returned.
pub(crate) fn add(connection: &Connection, row: &MountRow) -> Result<u64, CatalogueError> {
    let allow = serde_json::to_string(&row.allow)
        .map_err(|error| CatalogueError::Nonsense(error.to_string()))?;
    connection.execute(
        "insert into mounts (name, state, allow, quota_bytes, squash, anonymous_uid, anonymous_gid, driver, driver_reason, \
         created, inode) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)",
        rusqlite::params![
            row.name,
            word(&row.phase)?,
            allow,
            row.quota_bytes.map(number),
            word(&row.squash)?,
            row.anonymous_uid,
            row.anonymous_gid,
            word(&row.driver)?,
            row.driver_reason,
            row.created,
        ],
    )?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

/// Writes what changes of a mount: phase, reason, inode, open job, unanswered seal.
pub(crate) fn set(connection: &Connection, row: &MountRow) -> Result<(), CatalogueError> {
    connection.execute(
        "update mounts set state = ?2, reason = ?3, inode = ?4, open_job = ?5, unanswered = ?6 where id = ?1",
        rusqlite::params![
            number(row.id),
            word(&row.phase)?,
            row.reason,
            row.inode as i64,
            row.open_job.map(number),
            row.unanswered,
        ],
    )?;
    Ok(())
}

/// The seal with this snapshot has been answered.
pub(crate) fn forget_unanswered(
    connection: &Connection,
    snapshot: &str,
) -> Result<(), CatalogueError> {
    connection.execute(
        "update mounts set unanswered = null where unanswered = ?1",
        [snapshot],
    )?;
    Ok(())
}

/// Removes a mount's row with its snapshots' and logs'. The logs' ids are returned, for their files.
pub(crate) fn remove(connection: &Connection, id: u64) -> Result<Vec<u64>, CatalogueError> {
    let mut statement = connection.prepare("select id from logs where mount = ?1")?;
    let logs = statement
        .query_map([number(id)], |row| row.get::<_, i64>(0))?
        .map(|id| Ok(id?.unsigned_abs()))
        .collect::<Result<Vec<u64>, CatalogueError>>()?;
    for sql in [
        "delete from logs where mount = ?1",
        "delete from snapshots where mount = ?1",
        "delete from mounts where id = ?1",
    ] {
        connection.execute(sql, [number(id)])?;
    }
    Ok(logs)
}
