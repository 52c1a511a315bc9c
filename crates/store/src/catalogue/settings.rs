//! The row of what is set while the store runs.
//! What lives here: which repository it uses, and how fast. What does not: configuration, which is in a file.

use api::admin::Ingest;
use rusqlite::Connection;

use super::{CatalogueError, number};

/// The name of the repository that the store uses; none was used yet.
pub(crate) fn repository(connection: &Connection) -> Result<Option<String>, CatalogueError> {
    Ok(connection.query_row("select repository from settings", [], |row| row.get(0))?)
}

/// The store uses this repository from now on.
pub(crate) fn set_repository(connection: &Connection, id: &str) -> Result<(), CatalogueError> {
    connection.execute("update settings set repository = ?1", [id])?;
    Ok(())
}

/// How snapshots become recovery points.
pub(crate) fn ingest(connection: &Connection) -> Result<Ingest, CatalogueError> {
    Ok(connection.query_row(
        "select is_paused, bytes_per_second from settings",
        [],
        |row| {
            Ok(Ingest {
                is_paused: row.get(0)?,
                bytes_per_second: row.get::<_, Option<i64>>(1)?.map(i64::unsigned_abs),
            })
        },
    )?)
}

/// Sets how.
pub(crate) fn set_ingest(connection: &Connection, ingest: &Ingest) -> Result<(), CatalogueError> {
    connection.execute(
        "update settings set is_paused = ?1, bytes_per_second = ?2",
        (ingest.is_paused, ingest.bytes_per_second.map(number)),
    )?;
    Ok(())
}
