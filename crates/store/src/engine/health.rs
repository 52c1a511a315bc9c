//! Whether a mount is what the catalogue says.
//! What lives here: what makes a mount inconsistent, and its cure by itself. What does not: the cure by hand (mounts).
//!
//! A mount is inconsistent when
//! - its data directory is gone, or another directory has come in its place (another inode), as when the volume below it is
//!   not mounted; or
//! - a snapshot that was acknowledged is not there.
//!
//! It is looked at before every call and at each start. It is whole again as soon as what was missed is back; `repair`
//! accepts that it will not come back.

use std::fs;
use std::os::unix::fs::MetadataExt;

use api::admin::{Severity, SnapshotState};
use api::code::Code;

use super::Engine;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::catalogue::snapshots::{self, SnapshotRow};
use crate::refusal::Refusal;
use crate::snapshot::driver;

impl Engine {
    /// Looks at a mount, and records what has changed about it.
    pub(super) fn examine(&self, mount: MountRow) -> Result<MountRow, Refusal> {
        let rows = self
            .catalogue
            .read(|connection| snapshots::list(connection, Some(&mount.name)))?;
        let changed = self.changed_snapshots(&mount, &rows);
        let reason = self.fault_of(&mount)?.or_else(|| {
            let lost = &changed.lost;
            (!lost.is_empty()).then(|| {
                format!(
                    "acknowledged snapshots are not there any more: {}",
                    lost.join(", ")
                )
            })
        });
        if reason == mount.reason && changed.rows.is_empty() {
            return Ok(mount);
        }
        let now = self.catalogue.change(|connection| {
            // Meanwhile another call may have changed what was looked at: then the finding says nothing.
            let Some(mut now) =
                mounts::find(connection, &mount.name)?.filter(|now| now.id == mount.id)
            else {
                return Err(Refusal::from(Code::MountMissing));
            };
            if now.phase == Phase::MarkedForDelete
                || snapshots::list(connection, Some(&mount.name))? != rows
            {
                return Ok(now);
            }
            for row in &changed.rows {
                snapshots::set(connection, row)?;
                if row.state == SnapshotState::Pending {
                    super::ingest::queue(connection, &row.mount, &row.name)?;
                }
            }
            if now.reason != reason {
                let (severity, text) = match &reason {
                    Some(reason) => (
                        Severity::Critical,
                        format!("the mount is inconsistent: {reason}"),
                    ),
                    None => (Severity::Info, "the mount is whole again".to_owned()),
                };
                events::add(connection, &NewEvent::of_mount(severity, &now.name, &text))?;
                now.reason.clone_from(&reason);
                mounts::set(connection, &now)?;
            }
            Ok(now)
        })?;
        if now.reason.is_none() && mount.reason.is_some() {
            // Its directory was away: the server still holds the old one open.
            self.exporter.withdraw(&now)?;
            self.exporter
                .export(&now, &self.directory.data(&now.name))?;
        }
        Ok(now)
    }

    fn fault_of(&self, mount: &MountRow) -> Result<Option<String>, Refusal> {
        let data = self.directory.data(&mount.name);
        Ok(match fs::symlink_metadata(&data) {
            Err(error) => Some(format!("{} is not there: {error}", data.display())),
            Ok(metadata) if !metadata.is_dir() => {
                Some(format!("{} is no directory", data.display()))
            }
            Ok(metadata) if metadata.ino() != mount.inode => Some(format!(
                "{} is another directory than the one that was made for the mount",
                data.display()
            )),
            Ok(_) => None,
        })
    }

    fn changed_snapshots(&self, mount: &MountRow, rows: &[SnapshotRow]) -> Changed {
        let (driver, directory) = (driver(mount.driver), self.directory.snapshots(&mount.name));
        let mut changed = Changed::default();
        for row in rows {
            if !matches!(row.state, SnapshotState::Pending | SnapshotState::Lost) {
                continue;
            }
            // What cannot be looked at is not known to be there.
            let is_there = driver.is_whole(&directory.join(&row.name)).unwrap_or(false);
            let state = if is_there {
                SnapshotState::Pending
            } else {
                SnapshotState::Lost
            };
            if !is_there {
                changed.lost.push(row.name.clone());
            }
            if state != row.state {
                changed.rows.push(SnapshotRow {
                    state,
                    ..row.clone()
                });
            }
        }
        changed
    }
}

/// What the disk says of a mount's snapshots.
#[derive(Default)]
struct Changed {
    /// Rows that are other than recorded.
    rows: Vec<SnapshotRow>,
    /// Names of those that are not there.
    lost: Vec<String>,
}
