//! The administration API: JSON over TLS with a bearer token, under `/v1`.
//! What lives here: what is sent and answered. What does not: paths (the store has them) and the client.
//!
//! Times are RFC 3339 in UTC. Sizes are bytes. Lists come oldest first, unless said otherwise.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A failure of the administration API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Word that names the kind of failure, for machines.
    pub kind: String,
    /// What happened, to what.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Whether the store takes backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It does.
    Active,
    /// It is being taken out of service: new backups are refused, what waits is still worked off.
    DecommissionInProgress,
    /// It was taken out of service.
    Decommissioned,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Store {
    /// Number of the store, hexadecimal; first half of each snapshot's name.
    pub uid: String,
    /// Whether it takes backups.
    pub state: StoreState,
    /// Times that it was registered; 1 at first.
    pub registrations: u64,
    /// Release of the program.
    pub version: String,
    /// Snapshots that may wait for each mount.
    pub max_pending_snapshots: u64,
    /// How mounts are exported: `own` or `kernel`.
    pub export: String,
    /// Address of our NFS server, if it is the one that exports.
    pub nfs_address: Option<String>,
    /// Bytes free in the store's directory.
    pub free_bytes: u64,
}

/// A wish for another state of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreChange {
    /// `active` registers a decommissioned store again.
    pub state: StoreState,
}

/// Where a mount stands between two backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MountState {
    /// No backup is open.
    Idle,
    /// A backup is open: POST was received, PUT was not.
    Open,
    /// A PUT is taking its snapshot.
    Sealing,
    /// What the store knows and what is on disk differ.
    Inconsistent,
    /// It is being deleted.
    MarkedForDelete,
}

/// Whose rights a client's calls have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Squash {
    /// The client's.
    None,
    /// The client's, but root becomes the anonymous user.
    #[default]
    Root,
    /// Always the anonymous user's.
    All,
}

/// How snapshots are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// The best that the file system can do.
    #[default]
    Auto,
    /// Btrfs subvolume snapshots.
    Btrfs,
    /// Files that share their blocks.
    Reflink,
    /// Full copies.
    Copy,
}

/// A new mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MountRequest {
    /// Name: a letter or digit, then at most 63 letters, digits, dots, dashes and underscores. Case matters.
    pub name: String,
    /// Addresses that may mount it, as `192.0.2.0/24`, `2001:db8::1` or `*`. None: this machine only.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Bytes that the mount may use.
    #[serde(default)]
    pub quota_bytes: Option<u64>,
    /// Whose rights calls have.
    #[serde(default)]
    pub squash: Squash,
    /// User for squashed calls.
    #[serde(default = "nobody")]
    pub anonymous_uid: u32,
    /// Group for squashed calls.
    #[serde(default = "nobody")]
    pub anonymous_gid: u32,
    /// How snapshots are taken.
    #[serde(default)]
    pub driver: Driver,
}

/// Number of the user and group that nobody is.
pub const fn nobody() -> u32 {
    65534
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mount {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub state: MountState,
    /// Why it is inconsistent, if it is.
    pub reason: Option<String>,
    /// Export path for NFS clients.
    pub export_path: String,
    /// Directory on the store.
    pub directory: String,
    /// Addresses that may mount it.
    pub allow: Vec<String>,
    /// Bytes that it may use.
    pub quota_bytes: Option<u64>,
    /// Whose rights calls have.
    pub squash: Squash,
    /// User for squashed calls.
    pub anonymous_uid: u32,
    /// Group for squashed calls.
    pub anonymous_gid: u32,
    /// How snapshots are taken.
    pub driver: Driver,
    /// Why that driver.
    pub driver_reason: String,
    /// When it was made.
    pub created: String,
    /// Snapshots that wait.
    pub pending_snapshots: u64,
    /// The open backup's job.
    pub open_job: Option<u64>,
    /// The newest snapshot.
    pub last_snapshot: Option<String>,
}

/// Where a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotState {
    /// Being taken; not acknowledged.
    Intended,
    /// Taken and acknowledged; waits to become a recovery point.
    Pending,
    /// Being removed.
    Removing,
    /// It was promised and is not there any more.
    Lost,
}

/// A snapshot of a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// Name, `<uid>_<counter>`.
    pub name: String,
    /// The mount.
    pub mount: String,
    /// Where it stands.
    pub state: SnapshotState,
    /// Time of the PUT, which is the recovery point's time.
    pub time: String,
    /// The backup job.
    pub job: u64,
    /// Directory on the store.
    pub directory: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Milliseconds for which writers had to wait.
    pub pause_milliseconds: u64,
    /// RMAN logs that were sent with it.
    pub logs: u64,
}

/// Kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// From POST to PUT.
    Backup,
    /// Removing a mount with all that belongs to it.
    DeleteMount,
    /// Removing a snapshot.
    DeleteSnapshot,
}

/// State of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum JobState {
    /// Waits.
    Queued,
    /// At work.
    Running,
    /// Done.
    Successful,
    /// Done, but not all of it.
    #[serde(rename = "Successful with errors")]
    SuccessfulWithErrors,
    /// Not done.
    Failed,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Number.
    pub id: u64,
    /// Kind.
    pub kind: JobKind,
    /// The mount.
    pub mount: String,
    /// State.
    pub state: JobState,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// 0, or a number of the documented API.
    pub error_code: u64,
    /// What went wrong.
    pub error_message: String,
    /// What there is to say of it.
    pub detail: String,
}

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must act.
    Critical,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Number; ascending.
    pub id: u64,
    /// When.
    pub time: String,
    /// How grave.
    pub severity: Severity,
    /// The mount that it concerns.
    pub mount: Option<String>,
    /// The job that it concerns.
    pub job: Option<u64>,
    /// What happened.
    pub text: String,
}
