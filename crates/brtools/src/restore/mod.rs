//! What brrestore and brrecover share: which backup, which redo logs there are, and bringing one file back.
//! What lives here: the rooms. What does not: the order of a restore, which is each program's own.

pub mod backups;
pub mod file;
pub mod redo_chain;
pub mod tape;
