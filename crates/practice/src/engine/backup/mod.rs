//! What RMAN has the server do: backup sets, image copies, bringing copies up to date, restoring, cataloguing.
//! What lives here: the rooms. What does not: choosing what to do, which is the client's (`crate::rman`).

pub mod piece;
