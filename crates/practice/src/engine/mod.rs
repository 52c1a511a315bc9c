//! The engine of the practice database: an instance that can be started, mounted, opened, backed up hot and recovered.
//! What lives here: the rooms and the names that the rest of the crate uses. Each room says what it holds.

pub mod administration;
pub mod alert;
pub mod archiver;
pub mod backup;
pub mod backup_mode;
pub mod backup_records;
pub mod cache;
pub mod change;
pub mod checkpoint;
pub mod commit;
pub mod control;
pub mod database_writer;
pub mod datafile;
pub mod doublewrite;
pub mod error;
pub mod facts;
pub mod faults;
pub mod gather;
pub mod home;
pub mod instance;
pub mod open;
pub mod parameters;
pub mod recovery;
pub mod redo_log;
pub mod scan;

pub use backup_mode::BackupScope;
pub use home::Home;
pub use instance::{Instance, ShutdownMode};
pub use open::OpenMode;
pub use recovery::media::{FileReference, RecoverRequest, RecoverScope, RecoveryStep, Until};
