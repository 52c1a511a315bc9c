//! The row of the store itself.
//! What lives here: its number and state. What does not: configuration, which is in a file.

use api::admin::StoreState;
use rusqlite::Connection;

use super::{CatalogueError, number, of_word, word};

/// The store's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreRow {
    pub uid: String,
    pub state: StoreState,
    pub registrations: u64,
}

/// The row; at the first start it is made with this number.
pub(crate) fn get_or_create(
    connection: &Connection,
    uid: &str,
) -> Result<StoreRow, CatalogueError> {
    connection.execute(
        "insert or ignore into store values (1, ?1, ?2, 1)",
        (uid, word(&StoreState::Active)?),
    )?;
    get(connection)
}

/// The row.
pub(crate) fn get(connection: &Connection) -> Result<StoreRow, CatalogueError> {
    let (uid, state, registrations) =
        connection.query_row("select uid, state, registrations from store", [], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })?;
    Ok(StoreRow {
        uid,
        state: of_word(&state)?,
        registrations: registrations.unsigned_abs(),
    })
}

/// Writes state and registrations.
pub(crate) fn set(connection: &Connection, row: &StoreRow) -> Result<(), CatalogueError> {
    connection.execute(
        "update store set state = ?1, registrations = ?2",
        (word(&row.state)?, number(row.registrations)),
    )?;
    Ok(())
}
