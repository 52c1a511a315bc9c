//! The tools on the database host.

pub mod copy;
pub mod database;
pub mod failpoint;
pub mod interrupt;
