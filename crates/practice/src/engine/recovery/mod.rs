//! Recovery: making data files and redo agree again.
//! What lives here: the rooms. `replay` applies records, `crash` runs at OPEN, `media` is RECOVER.

pub mod crash;
pub mod identity;
pub mod media;
pub mod replay;
