//! Mounts: made, shown, repaired.
//! What lives here: what the administrator does with mounts. What does not: deleting them (deletion).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use api::admin::{Driver, Mount, MountRequest, MountState, Severity, SnapshotState, Squash};
use api::code::Code;
use nfs::Cidr;

use super::Engine;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::catalogue::{CatalogueError, snapshots};
use crate::refusal::Refusal;
use crate::snapshot::{DriverKind, driver, probe};
use crate::{clock, directory, failpoint};

/// Longest name of a mount, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Most ranges of addresses that a mount may have.
const ALLOWED_MAX: usize = 1000;
/// Least quota, in bytes: below it not even a control file fits.
const QUOTA_BYTES_MIN: u64 = 1 << 20;

/// Whether a name may be that of a mount: it becomes a directory, a path of the API and of NFS.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let begins_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_good) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(Refusal::bad_request(
        format!("'{}' cannot be the name of a mount", shown.escape_debug()),
        format!(
            "a letter or digit, then letters, digits, '.', '-' and '_', {NAME_BYTES_MAX} at most; upper and lower case differ"
        ),
    ))
}

impl Engine {
    /// Makes a mount and exports it. When it returns, the mount is there for good; after a crash before that it is not.
    pub(crate) fn create_mount(&self, request: &MountRequest) -> Result<Mount, Refusal> {
        let mut row = self.planned(request)?;
        let name = row.name.clone();
        let _lock = self.locks.take(&name)?;
        self.check_unused(&name)?;
        failpoint::reach("mount-create-before-intent");
        row.id = self.catalogue.change(|connection| {
            if mounts::find(connection, &name)?.is_some() {
                return Err(Refusal::new(
                    Code::MountBusy,
                    format!("there is a mount {name} already"),
                    "'backstay mount show' shows it; take another name, or delete it first",
                ));
            }
            Ok(mounts::add(connection, &row)?)
        })?;
        failpoint::reach("mount-create-after-intent");
        let made = self.make_directories(&row).and_then(|inode| {
            row.inode = inode;
            self.exporter.export(&row, &self.directory.data(&name))
        });
        if let Err(refusal) = made {
            self.exporter.withdraw(&row)?;
            self.destroy_directories(&row)?;
            self.catalogue
                .change(|connection| mounts::remove(connection, row.id))?;
            return Err(refusal);
        }
        row.phase = Phase::Idle;
        failpoint::reach("mount-create-before-commit");
        self.catalogue.change(|connection| {
            mounts::set(connection, &row)?;
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Info, &name, "the mount was created"),
            )
        })?;
        failpoint::reach("mount-create-after-commit");
        self.show_mount(&name)
    }

    /// What lies there and is known to no catalogue may be all that is left of somebody's backups. It is neither taken over
    /// nor, should making the mount fail, removed.
    fn check_unused(&self, name: &str) -> Result<(), Refusal> {
        let directory = self.directory.mount(name);
        if fs::symlink_metadata(&directory).is_err() || self.mount(name).is_ok() {
            return Ok(()); // Nothing is there; or a mount, which is said in its turn.
        }
        Err(Refusal::new(
            Code::MountBusy,
            format!(
                "{} is there, and no mount of this store",
                directory.display()
            ),
            "move it away, make the mount, and move the files back into its oracle_data; was the catalogue lost?",
        ))
    }

    fn planned(&self, request: &MountRequest) -> Result<MountRow, Refusal> {
        check_name(&request.name)?;
        if request.allow.len() > ALLOWED_MAX {
            return Err(Refusal::bad_request(
                format!("{} ranges of addresses are too many", request.allow.len()),
                format!("at most {ALLOWED_MAX}; join neighbours, as 10.1.0.0/16"),
            ));
        }
        let allow = request
            .allow
            .iter()
            .map(|text| text.parse::<Cidr>().map(|range| range.to_string()))
            .collect::<Result<Vec<String>, _>>()
            .map_err(|error| Refusal::of(Code::BadRequest, &error))?;
        if request
            .quota_bytes
            .is_some_and(|quota| quota < QUOTA_BYTES_MIN)
        {
            return Err(Refusal::bad_request(
                "the quota is too small for any backup",
                format!("at least {QUOTA_BYTES_MIN} bytes, or none"),
            ));
        }
        self.exporter.check(request)?;
        let (driver, driver_reason) = self.choose_driver(request.driver)?;
        Ok(MountRow {
            id: 0,
            name: request.name.clone(),
            phase: Phase::Creating,
            reason: None,
            allow,
            quota_bytes: request.quota_bytes,
            squash: request.squash,
            anonymous_uid: request.anonymous_uid,
            anonymous_gid: request.anonymous_gid,
            driver,
            driver_reason,
            created: clock::now(),
            inode: 0,
            open_job: None,
            unanswered: None,
        })
    }

    fn choose_driver(&self, wanted: Driver) -> Result<(DriverKind, String), Refusal> {
        let (best, why) = probe(&self.directory.mounts())?;
        let asked_for = || "asked for when the mount was made".to_owned();
        let refused = |name: &str| {
            Refusal::bad_request(
                format!("the driver {name} cannot be used here: {why}"),
                "take --driver auto, or put the store's directory on Btrfs or on XFS with reflink=1",
            )
        };
        match (wanted, best) {
            (Driver::Auto, _) => Ok((best, why)),
            (Driver::Btrfs, DriverKind::Btrfs) => Ok((best, asked_for())),
            (Driver::Btrfs, _) => Err(refused("btrfs")),
            (Driver::Reflink, DriverKind::Copy) => Err(refused("reflink")),
            (Driver::Reflink, _) => Ok((DriverKind::Reflink, asked_for())),
            (Driver::Copy, _) => Ok((DriverKind::Copy, asked_for())),
        }
    }

    /// The directories of a mount; the inode of its data is returned.
    fn make_directories(&self, row: &MountRow) -> Result<u64, Refusal> {
        let failed = |error: std::io::Error| Refusal::of(Code::Internal, &error);
        let mount = self.directory.mount(&row.name);
        for below in [
            mount.clone(),
            self.directory.snapshots(&row.name),
            self.directory.restores(&row.name),
        ] {
            fs::create_dir_all(&below).map_err(failed)?;
        }
        fs::set_permissions(&mount, fs::Permissions::from_mode(0o711)).map_err(failed)?;
        fs::set_permissions(
            self.directory.snapshots(&row.name),
            fs::Permissions::from_mode(0o700),
        )
        .map_err(failed)?;
        let data = self.directory.data(&row.name);
        driver(row.driver).create_data(&data)?;
        // Who may come is the allow-list's matter; who owns what he writes there is the client's.
        let mode = if row.squash == Squash::All {
            chown(&data, Some(row.anonymous_uid), Some(row.anonymous_gid)).map_err(failed)?;
            0o755
        } else {
            0o777
        };
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).map_err(failed)?;
        directory::sync(&mount).map_err(failed)?;
        directory::sync(&self.directory.mounts()).map_err(failed)?;
        Ok(fs::metadata(&data).map_err(failed)?.ino())
    }

    /// A mount for the administrator.
    pub(crate) fn show_mount(&self, name: &str) -> Result<Mount, Refusal> {
        let mount = self.mount(name)?;
        let mount = if mount.phase == Phase::MarkedForDelete {
            mount
        } else {
            self.examine(mount)?
        };
        self.shown(mount)
    }

    /// All mounts, by name.
    pub(crate) fn list_mounts(&self) -> Result<Vec<Mount>, Refusal> {
        let rows = self.catalogue.read(mounts::list)?;
        rows.into_iter()
            .filter(|row| row.phase != Phase::Creating)
            .map(|row| self.shown(row))
            .collect()
    }

    fn shown(&self, row: MountRow) -> Result<Mount, Refusal> {
        let all = self
            .catalogue
            .read(|connection| snapshots::list(connection, Some(&row.name)))?;
        let of_state = |state| all.iter().filter(move |snapshot| snapshot.state == state);
        let state = match row.phase {
            Phase::MarkedForDelete => MountState::MarkedForDelete,
            _ if row.reason.is_some() => MountState::Inconsistent,
            Phase::Open => MountState::Open,
            Phase::Sealing => MountState::Sealing,
            Phase::Idle | Phase::Creating => MountState::Idle,
        };
        Ok(Mount {
            state,
            export_path: row.export_path(),
            directory: self.directory.data(&row.name).display().to_string(),
            driver: row.api_driver(),
            pending_snapshots: of_state(SnapshotState::Pending).count() as u64,
            last_snapshot: all
                .iter()
                .rfind(|snapshot| {
                    matches!(
                        snapshot.state,
                        SnapshotState::Pending | SnapshotState::Saved
                    )
                })
                .map(|last| last.name.clone()),
            name: row.name,
            reason: row.reason,
            allow: row.allow,
            quota_bytes: row.quota_bytes,
            squash: row.squash,
            anonymous_uid: row.anonymous_uid,
            anonymous_gid: row.anonymous_gid,
            driver_reason: row.driver_reason,
            created: row.created,
            open_job: row.open_job,
        })
    }

    /// Accepts that what a mount misses will not come back: lost snapshots are forgotten, a missing data directory is made
    /// anew, another directory in its place is taken for its data. What is there is never removed.
    pub(crate) fn repair_mount(&self, name: &str) -> Result<Mount, Refusal> {
        let _lock = self.locks.take(name)?;
        let mount = self.examine(self.mount(name)?)?;
        if mount.phase == Phase::MarkedForDelete {
            return Err(Code::MountMarkedForDelete.into());
        }
        if mount.reason.is_none() {
            return self.shown(mount);
        }
        let mut whole = self.settle(mount)?;
        whole.inode = self.make_directories(&whole)?;
        let forgotten = self.catalogue.change(|connection| {
            let mut forgotten = Vec::new();
            let mut names = Vec::new();
            for snapshot in snapshots::list(connection, Some(name))? {
                if snapshot.state == SnapshotState::Lost {
                    forgotten.extend(snapshots::remove(connection, &snapshot.name)?);
                    names.push(snapshot.name);
                }
            }
            whole.reason = None;
            mounts::set(connection, &whole)?;
            let lost = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            let text = format!("the mount was repaired; snapshots that were given up: {lost}");
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Critical, name, &text),
            )?;
            Ok::<_, CatalogueError>(forgotten)
        })?;
        self.remove_logs(&forgotten);
        self.exporter.withdraw(&whole)?;
        self.exporter.export(&whole, &self.directory.data(name))?;
        self.show_mount(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["testmount", "test-mount", "A.b_c-1", "1", &"x".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            ".hidden",
            "-x",
            "a b",
            "a\0b",
            "ü",
            "a\nb",
            &"x".repeat(65),
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
