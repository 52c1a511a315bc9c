//! The store: what a mount holds, frozen, and later kept.
//! What lives here: the rooms. What does not: the wire formats (`api`, `nfs`), and what is true of Oracle (`oracle`).

mod failpoint;
pub mod snapshot;
