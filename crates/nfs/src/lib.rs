//! An NFSv3 server over directories: what a database host mounts to write its backups to.
//! What lives here: the protocols (NFS, MOUNT, the portmapper's questions) over TCP, exports with their policies and
//! quotas, and the pause for a snapshot. What does not: who makes directories and snapshots of them.
//!
//! Files are named to clients by the kernel's own file handles, sealed with a key: they outlive renames and restarts, and
//! none leads out of its export. Everything is done for the user of the call, with the kernel's permission checks.
//! UNSTABLE data is on the disk when COMMIT says so; a new write verifier at each start, and after each failure to sync,
//! makes clients send again what was not.

mod cidr;
mod connection;
mod dispatch;
mod error;
mod export;
mod exports;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handle;
mod identity;
mod kernel;
mod mount;
mod observer;
mod open_files;
mod policy;
mod portmapper;
mod procedures;
mod record;
mod reply_cache;
mod rpc;
mod server;
mod usage;
mod xdr;

pub use cidr::{Cidr, NoCidr};
pub use error::ExportError;
pub use export::{Export, check_directory};
pub use exports::{Exports, Quiesced};
pub use handle::HandleKey;
pub use observer::{ChangeObserver, FileKey};
pub use policy::{ExportPolicy, NOBODY, NoSquash, Squash};
pub use server::{Server, ServerOptions};
