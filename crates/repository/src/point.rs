//! A recovery point: restic's snapshot file with what we say in it.
//! What lives here: its JSON and what is read out of it. What does not: its files (tree).
//!
//! Source: "Snapshots" in restic's design document; `summary` as restic writes it since 0.17. Mount and snapshot of the
//! store are tags, so that the repository alone tells the story.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, FileKind};
use crate::crypto::MasterKey;
use crate::error::RepositoryError;
use crate::files;
use crate::id::Id;

/// On each of our recovery points.
pub(crate) const TAG: &str = "backstay";
const MOUNT_TAG: &str = "mount:";
const SNAPSHOT_TAG: &str = "snapshot:";
/// Fewest digits that name a recovery point.
const DIGITS_MIN: usize = 4;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    pub backup_start: Timestamp,
    pub backup_end: Timestamp,
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    pub dirs_new: u64,
    pub dirs_changed: u64,
    pub dirs_unmodified: u64,
    pub data_blobs: u64,
    pub tree_blobs: u64,
    pub data_added: u64,
    pub data_added_packed: u64,
    pub total_files_processed: u64,
    pub total_bytes_processed: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PointFile {
    pub time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    pub tree: Id,
    pub paths: Vec<String>,
    #[serde(default)]
    pub hostname: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    #[serde(default)]
    pub program_version: String,
    #[serde(default)]
    pub summary: Option<Summary>,
}

/// A recovery point, as the repository has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub id: Id,
    /// When its backup was sealed.
    pub time: Timestamp,
    /// The mount it is of; none if it was not made by a store.
    pub mount: Option<String>,
    /// The name of the snapshot it was made of.
    pub snapshot: Option<String>,
    /// Its root.
    pub(crate) tree: Id,
    /// Files in it.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Bytes that it added to the repository.
    pub bytes_added: u64,
}

pub(crate) fn tags(mount: &str, snapshot: &str) -> Vec<String> {
    vec![
        TAG.to_owned(),
        format!("{MOUNT_TAG}{mount}"),
        format!("{SNAPSHOT_TAG}{snapshot}"),
    ]
}

impl Point {
    pub(crate) fn new(id: Id, file: PointFile) -> Point {
        let tags = file.tags.unwrap_or_default();
        let tagged = |prefix: &str| {
            tags.iter()
                .find_map(|tag| tag.strip_prefix(prefix))
                .map(str::to_owned)
        };
        let summary = file.summary.unwrap_or_default();
        Point {
            id,
            time: file.time,
            mount: tagged(MOUNT_TAG),
            snapshot: tagged(SNAPSHOT_TAG),
            tree: file.tree,
            files: summary.total_files_processed,
            bytes: summary.total_bytes_processed,
            bytes_added: summary.data_added_packed,
        }
    }
}

pub(crate) fn read(
    backend: &dyn Backend,
    key: &MasterKey,
    id: &Id,
) -> Result<Point, RepositoryError> {
    match files::read::<PointFile>(backend, key, FileKind::Snapshot, id) {
        Ok(file) => Ok(Point::new(*id, file)),
        Err(RepositoryError::Missing { .. }) => Err(RepositoryError::NoPoint(id.to_string())),
        Err(error) => Err(error),
    }
}

/// The name that begins with these digits.
pub(crate) fn find(names: &[Id], digits: &str) -> Result<Id, RepositoryError> {
    let none = || {
        RepositoryError::NoPoint(
            digits
                .chars()
                .filter(|character| !character.is_control())
                .take(80)
                .collect(),
        )
    };
    if digits.len() < DIGITS_MIN {
        return Err(none());
    }
    let found: Vec<&Id> = names
        .iter()
        .filter(|id| id.to_string().starts_with(digits))
        .collect();
    match found[..] {
        [] => Err(none()),
        [id] => Ok(*id),
        _ => Err(RepositoryError::Ambiguous(found.len(), digits.to_owned())),
    }
}
