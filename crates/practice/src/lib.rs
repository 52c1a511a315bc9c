//! The practice database: an honest small look-alike of an Oracle database, to learn on and to prove backups with.
//! What lives here: the rooms. What does not: the backup tools and the store, which know nothing of this crate.

pub mod content;
pub mod create;
pub mod engine;
pub mod judge;
pub mod ledger;
pub mod protocol;
pub mod rman;
pub mod server;
pub mod sqlplus;
pub mod statement;
pub mod views;
pub mod workload;
