//! The tables, and how an older file becomes a present one.
//! What lives here: SQL that makes tables. What does not: SQL that uses them.

use rusqlite::{Connection, TransactionBehavior};

use super::CatalogueError;

/// One step a version. A step that was released is never changed; a new one is added behind it.
const STEPS: [&str; 2] = ["
create table store (
    id            integer primary key check (id = 1),
    uid           text    not null,
    state         text    not null,
    registrations integer not null
) strict;

-- Ids are never given again: file handles of NFS clients carry them.
create table mounts (
    id            integer primary key autoincrement,
    name          text    not null unique,
    -- creating, idle, open, sealing, marked_for_delete
    state         text    not null,
    -- why it is inconsistent; null: it is not
    reason        text,
    allow         text    not null,
    quota_bytes   integer,
    squash        text    not null,
    anonymous_uid integer not null,
    anonymous_gid integer not null,
    driver        text    not null,
    driver_reason text    not null,
    created       text    not null,
    -- number of the data directory's inode: another directory of the same name is not the same data
    inode         integer not null,
    open_job      integer,
    -- a snapshot that was sealed and whose PUT may not have been answered, because the store died meanwhile
    unanswered    text
) strict;

-- Counters are never given again: a snapshot's name is in backup scripts' logs for ever.
create table snapshots (
    counter            integer primary key autoincrement,
    name               text    not null unique,
    mount              integer not null references mounts(id),
    state              text    not null,
    time               text    not null,
    job                integer not null,
    files              integer not null,
    bytes              integer not null,
    pause_milliseconds integer not null,
    method             text    not null
) strict;

create table jobs (
    id            integer primary key autoincrement,
    kind          text    not null,
    mount         text    not null,
    subject       text    not null,
    state         text    not null,
    started       text    not null,
    ended         text,
    error_code    integer not null,
    error_message text    not null,
    detail        text    not null
) strict;
create index jobs_of_mount on jobs(mount, id);

create table events (
    id       integer primary key autoincrement,
    time     text    not null,
    severity text    not null,
    mount    text,
    job      integer,
    text     text    not null
) strict;

-- RMAN logs that were sent; the file is DIR/logs/<id>, if content was sent.
create table logs (
    id          integer primary key autoincrement,
    mount       integer not null references mounts(id),
    job         integer not null,
    snapshot    text,
    mountpoint  text    not null,
    platform    text    not null,
    name        text    not null,
    has_content integer not null,
    bytes       integer not null,
    received    text    not null
) strict;
", "
-- A copy of what the repository says; the mount may be gone. Lost, it is made anew, without what was held and verified.
create table recovery_points (
    id          text    primary key,
    mount       text    not null,
    snapshot    text    not null,
    time        text    not null,
    state       text    not null,
    verified    text,
    is_held     integer not null,
    files       integer not null,
    bytes       integer not null,
    bytes_added integer not null,
    -- names, as a list in JSON
    databases   text    not null
) strict;
create index recovery_points_of_mount on recovery_points(mount, time);

create table retention (
    mount   text    primary key,
    last    integer not null,
    daily   integer not null,
    weekly  integer not null,
    monthly integer not null,
    yearly  integer not null
) strict;

create table settings (
    id               integer primary key check (id = 1),
    -- the repository that is used; another one in its place is not taken for it
    repository       text,
    is_paused        integer not null,
    bytes_per_second integer
) strict;
insert into settings values (1, null, 0, null);
"];

/// Makes what is missing. After a crash a step is done or not.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), CatalogueError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 =
        transaction.query_row("select user_version from pragma_user_version", [], |row| {
            row.get(0)
        })?;
    let known = STEPS.len() as i64;
    let done = usize::try_from(found)
        .ok()
        .filter(|done| *done <= STEPS.len());
    let Some(done) = done else {
        return Err(CatalogueError::Newer { found, known });
    };
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::*;

    #[test]
    fn a_catalogue_of_a_later_release_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("catalogue.sqlite");
        drop(Catalogue::open(&path).unwrap());
        drop(Catalogue::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = Catalogue::open(&path).unwrap_err();
        assert!(
            matches!(error, CatalogueError::Newer { found: 99, .. }),
            "{error}"
        );
    }
}
