//! The tools on the database host: brbackup, brarchive, brrestore, brrecover.
//! What lives here: the rooms. What does not: stores and networks, which know nothing of this crate.

pub mod action_id;
pub mod copy;
pub mod database;
pub mod durable;
pub mod environment;
pub mod failpoint;
pub mod interrupt;
pub mod lock;
pub mod messages;
pub mod return_code;
pub mod run_log;
pub mod summary;
