//! Rows of recovery points, and of the rules by which they stay.
//! What lives here: reading and writing them. What does not: the repository, of which they are a copy.

use api::admin::{PointState, RecoveryPoint, RetentionRules};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{CatalogueError, number, of_word, word};
use crate::clock;

const COLUMNS: &str =
    "id, mount, snapshot, time, state, verified, is_held, files, bytes, bytes_added, databases";

type Raw = (RecoveryPoint, String, String);

fn raw(row: &Row) -> rusqlite::Result<Raw> {
    let unsigned = |index: usize| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let point = RecoveryPoint {
        id: row.get(0)?,
        mount: row.get(1)?,
        snapshot: row.get(2)?,
        time: row.get(3)?,
        state: PointState::Unverified,
        verified: row.get(5)?,
        is_held: row.get(6)?,
        files: unsigned(7)?,
        bytes: unsigned(8)?,
        bytes_added: unsigned(9)?,
        databases: Vec::new(),
    };
    Ok((point, row.get(4)?, row.get(10)?))
}

fn finish((point, state, databases): Raw) -> Result<RecoveryPoint, CatalogueError> {
    let databases =
        serde_json::from_str(&databases).map_err(|_| CatalogueError::Nonsense(databases))?;
    Ok(RecoveryPoint {
        state: of_word(&state)?,
        databases,
        ..point
    })
}

/// All recovery points, or those of one mount, oldest first.
pub(crate) fn list(
    connection: &Connection,
    mount: Option<&str>,
) -> Result<Vec<RecoveryPoint>, CatalogueError> {
    let sql = format!(
        "select {COLUMNS} from recovery_points where ?1 is null or mount = ?1 order by time, id"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([mount], raw)?;
    rows.map(|row| finish(row?)).collect()
}

/// Adds a recovery point, or what is known of it; a hold that it has stays.
pub(crate) fn put(connection: &Connection, point: &RecoveryPoint) -> Result<(), CatalogueError> {
    let databases = serde_json::to_string(&point.databases)
        .map_err(|error| CatalogueError::Nonsense(error.to_string()))?;
    connection.execute(
        "insert into recovery_points values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         on conflict (id) do update set state = ?5, verified = ?6, databases = ?11",
        rusqlite::params![
            point.id,
            point.mount,
            point.snapshot,
            point.time,
            word(&point.state)?,
            point.verified,
            point.is_held,
            number(point.files),
            number(point.bytes),
            number(point.bytes_added),
            databases,
        ],
    )?;
    Ok(())
}

/// Marks one for deletion, unless it is held; says whether it is marked.
pub(crate) fn mark_deleting(connection: &Connection, id: &str) -> Result<bool, CatalogueError> {
    let marked = connection.execute(
        "update recovery_points set state = ?2 where id = ?1 and not is_held",
        (id, word(&PointState::Deleting)?),
    )?;
    Ok(marked > 0)
}

/// Writes how it stands, unless it is being deleted; when it was read back, as of now.
pub(crate) fn set_state(
    connection: &Connection,
    id: &str,
    state: PointState,
) -> Result<(), CatalogueError> {
    let verified = matches!(state, PointState::Usable | PointState::Damaged).then(clock::now);
    connection.execute(
        "update recovery_points set state = ?2, verified = coalesce(?3, verified) where id = ?1 and state <> ?4",
        (id, word(&state)?, verified, word(&PointState::Deleting)?),
    )?;
    Ok(())
}

/// Holds it, or no longer.
pub(crate) fn hold(connection: &Connection, id: &str, is_held: bool) -> Result<(), CatalogueError> {
    connection.execute(
        "update recovery_points set is_held = ?2 where id = ?1",
        (id, is_held),
    )?;
    Ok(())
}

/// Forgets it.
pub(crate) fn remove(connection: &Connection, id: &str) -> Result<(), CatalogueError> {
    connection.execute("delete from recovery_points where id = ?1", [id])?;
    Ok(())
}

/// The rules of a mount; none were given: all stay.
pub(crate) fn rules(
    connection: &Connection,
    mount: &str,
) -> Result<RetentionRules, CatalogueError> {
    let rules = connection
        .query_row(
            "select last, daily, weekly, monthly, yearly from retention where mount = ?1",
            [mount],
            |row| {
                Ok(RetentionRules {
                    last: row.get(0)?,
                    daily: row.get(1)?,
                    weekly: row.get(2)?,
                    monthly: row.get(3)?,
                    yearly: row.get(4)?,
                })
            },
        )
        .optional()?;
    Ok(rules.unwrap_or_default())
}

/// Gives a mount rules.
pub(crate) fn set_rules(
    connection: &Connection,
    mount: &str,
    rules: &RetentionRules,
) -> Result<(), CatalogueError> {
    connection.execute(
        "insert into retention values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (mount) do update set \
         last = ?2, daily = ?3, weekly = ?4, monthly = ?5, yearly = ?6",
        (
            mount,
            rules.last,
            rules.daily,
            rules.weekly,
            rules.monthly,
            rules.yearly,
        ),
    )?;
    Ok(())
}
