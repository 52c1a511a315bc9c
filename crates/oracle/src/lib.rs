//! What is true of Oracle, in a DBA's words: blocks, headers, redo, clocks, the conversation with `sqlplus`, the log of RMAN.
//! What lives here: the rooms. What does not: stores, networks, the practice database; they use this crate.

pub mod address;
pub mod block;
pub mod file_header;
mod layout;
pub mod os_header;
pub mod redo;
pub mod rman;
pub mod scn;
pub mod sqlplus;
pub mod time;
pub mod verify;
