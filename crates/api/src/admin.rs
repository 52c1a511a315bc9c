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
    /// It is a recovery point too, and kept for now.
    Saved,
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
    /// Making a recovery point of a snapshot, reading it back, and removing what is not kept.
    RecoveryPoint,
    /// Bringing a recovery point, or a part of it, back as files.
    Restore,
    /// Reading a recovery point back.
    Verify,
    /// Deleting a recovery point.
    DeleteRecoveryPoint,
    /// Looking at the whole repository.
    Check,
    /// Returning the space of deleted recovery points.
    Sweep,
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
    /// How far it is, while it is at work and can tell.
    #[serde(default)]
    pub progress: Option<Progress>,
}

/// How far long work is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Bytes to do; 0 until it is known.
    pub bytes_total: u64,
    /// Bytes done, whether they were read, known before or skipped.
    pub bytes_done: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Bytes done a second, since it began.
    pub bytes_per_second: u64,
    /// Seconds that are left at this rate, if there is one.
    pub seconds_left: Option<u64>,
    /// It stands still because somebody wants it to.
    pub is_paused: bool,
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

/// Whether a restore from a recovery point can work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointState {
    /// It was read back and is whole.
    Usable,
    /// It was not read back yet.
    Unverified,
    /// Something of it is damaged or missing.
    Damaged,
    /// Being deleted.
    Deleting,
}

/// A recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryPoint {
    /// Name: 64 hexadecimal digits; the first 8 do, while they are not another's too. restic knows it by the same.
    pub id: String,
    /// The mount it was made on; empty if no store made it.
    pub mount: String,
    /// The snapshot that it was made of.
    pub snapshot: String,
    /// Time of the PUT.
    pub time: String,
    /// Whether a restore can work.
    pub state: PointState,
    /// When it was last read back.
    pub verified: Option<String>,
    /// Nothing deletes it as long as it is held.
    pub is_held: bool,
    /// Files of the backup.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that it added to the repository.
    pub bytes_added: u64,
    /// Names of the databases that it has files of.
    pub databases: Vec<String>,
}

/// A recovery point with what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryPointContent {
    /// The recovery point.
    pub point: RecoveryPoint,
    /// What each RMAN log that was sent tells; none was sent, or each could be read or not.
    pub logs: Vec<LogContent>,
    /// Files that no log claims.
    pub additional: Vec<PointFile>,
}

/// What one RMAN log tells of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogContent {
    /// Its name on the database host.
    pub name: String,
    /// Where the database host had the mount.
    pub mountpoint: String,
    /// `parsed`, `partial`, `localised`, `nothing_found` or `not_sent`.
    pub outcome: String,
    /// The outcome in words.
    pub told: String,
    /// What the log places on the mount, and is not there.
    pub missing: Vec<String>,
    /// The databases.
    pub databases: Vec<DatabaseContent>,
}

/// The files of a database in a recovery point. Paths are relative to the mount's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseContent {
    /// Its name, where it is known.
    pub name: Option<String>,
    /// Its DBID, where it is known.
    pub dbid: Option<u64>,
    /// Data files.
    pub datafiles: Vec<DatafileContent>,
    /// Archived logs, as `thread 1 sequence 7`.
    pub archived_logs: Vec<String>,
    /// All its files.
    pub files: Vec<PointFile>,
    /// Files of sets that are not whole: they are of no use.
    pub unusable: Vec<String>,
}

/// A data file in a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatafileContent {
    /// Its number.
    pub number: u32,
    /// Its name on the database host.
    pub name: Option<String>,
    /// Its tablespace.
    pub tablespace: Option<String>,
    /// Pieces and copies that have it.
    pub files: Vec<String>,
}

/// A file of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PointFile {
    /// Below the mount's root.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// What it is: `backup piece`, `image copy`, `control file`, …; empty if nobody knows.
    pub kind: String,
}

/// What of a recovery point is to be brought back, and where. Nothing chosen: all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The mount below whose `restores` it appears; none: the one that it was made on.
    #[serde(default)]
    pub mount: Option<String>,
    /// Patterns of paths below the mount's root: `*` does not cross a slash, `**` does.
    #[serde(default)]
    pub paths: Vec<String>,
    /// All files of this database.
    #[serde(default)]
    pub database: Option<String>,
    /// All pieces and copies that have one of these data files.
    #[serde(default)]
    pub datafiles: Vec<u32>,
}

/// Data that were brought back and lie on a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoredData {
    /// The number of the restore's job, which is the name of its directory too.
    pub job: u64,
    /// The mount below whose `restores` they lie.
    pub mount: String,
    /// The directory.
    pub directory: String,
    /// What a database host mounts.
    pub export: String,
    /// When the restore ended; none if its job is not known any more.
    pub since: Option<String>,
    /// What was brought back, in words.
    pub detail: String,
}

/// Whether something stays that rules would delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// It stays.
    pub is_held: bool,
}

/// How many recovery points of a mount stay. A point can stay for several reasons. All zero: every point stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRules {
    /// The newest so many.
    #[serde(default)]
    pub last: u32,
    /// The newest of each day, for so many days that have one.
    #[serde(default)]
    pub daily: u32,
    /// The newest of each week.
    #[serde(default)]
    pub weekly: u32,
    /// The newest of each month.
    #[serde(default)]
    pub monthly: u32,
    /// The newest of each year.
    #[serde(default)]
    pub yearly: u32,
}

/// What the rules of a mount mean for its recovery points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPlan {
    /// The mount.
    pub mount: String,
    /// Its rules.
    pub rules: RetentionRules,
    /// What becomes of each recovery point, the newest first.
    pub points: Vec<RetentionDecision>,
}

/// What becomes of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionDecision {
    /// Its name.
    pub id: String,
    /// Its time.
    pub time: String,
    /// Whether it stays.
    pub keep: bool,
    /// Why.
    pub reasons: Vec<String>,
}

/// The repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositoryStats {
    /// Its name.
    pub id: String,
    /// Where it is.
    pub location: String,
    /// File with its password, on the store.
    pub password_file: String,
    /// Recovery points.
    pub points: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of the packs.
    pub bytes_stored: u64,
    /// Different chunks and directories.
    pub blobs: u64,
    /// Plain bytes of the different chunks.
    pub bytes_unique: u64,
    /// Bytes of all files of all recovery points.
    pub bytes_of_points: u64,
}

/// How a repository is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Read every byte.
    #[serde(default)]
    pub read_data: bool,
}

/// How snapshots become recovery points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// They wait.
    pub is_paused: bool,
    /// Most bytes a second that go to the repository; none: as many as it takes.
    pub bytes_per_second: Option<u64>,
}
