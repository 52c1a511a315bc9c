//! The store: mounts that databases are backed up to, and their snapshots.
//! What lives here: the rooms. What does not: the wire formats (`api`, `nfs`), and what is true of Oracle (`oracle`).

mod catalogue;
mod clock;
pub mod config;
mod directory;
mod engine;
mod export;
mod failpoint;
mod http;
mod refusal;
mod serve;
pub mod snapshot;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use http::fuzzing;

pub use catalogue::CatalogueError;
pub use directory::DirectoryError;
pub use refusal::Refusal;
pub use serve::{Addresses, ServeError, serve};
