//! Data that restores have brought back: which there are, and deleting what is not needed any more.
//! What lives here: the calls. What does not: making restores (`restore`).

use std::net::IpAddr;

use api::admin::{RestoredData, Severity};
use api::code::Code;
use api::envelope::RestoreDeleted;

use super::backup::is_directory;
use super::{Asks, Engine};
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::jobs;
use crate::catalogue::mounts::{self, MountRow, Phase};
use crate::export::restore_path;
use crate::failpoint;
use crate::refusal::Refusal;
use crate::snapshot::driver;

impl Engine {
    /// The restores of a mount, by the numbers of their jobs.
    pub(super) fn restores_of(&self, mount: &MountRow) -> Result<Vec<u64>, Refusal> {
        let path = self.directory.restores(&mount.name);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Refusal::of(Code::Internal, &error)),
        };
        let number = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.parse::<u64>().ok()?;
            (number.to_string() == name && is_directory(&entry.path())).then_some(number)
        };
        Ok(entries.flatten().filter_map(number).collect())
    }

    /// After a start they are exported as before.
    pub(super) fn export_restores(&self, mount: &MountRow) -> Result<(), Refusal> {
        for job in self.restores_of(mount)? {
            let path = self.directory.restores(&mount.name).join(job.to_string());
            self.exporter.export_restore(mount, job, &path)?;
        }
        Ok(())
    }

    /// Before the mount goes.
    pub(super) fn withdraw_restores(&self, mount: &MountRow) -> Result<(), Refusal> {
        for job in self.restores_of(mount)? {
            self.exporter.withdraw_restore(mount, job)?;
        }
        Ok(())
    }

    /// Removes `restores/<jobid>` of a mount, and nothing else. It is gone for good once its name is.
    pub(crate) fn delete_restore(
        &self,
        name: &str,
        job: &str,
        client: IpAddr,
    ) -> Result<RestoreDeleted, Refusal> {
        let _lock = self.locks.take(name)?;
        let mount = self.admit(name, client, Asks::ToDeleteRestore)?;
        // Only digits can be a job, so no path can lead elsewhere.
        let number = job
            .parse::<u64>()
            .ok()
            .filter(|number| number.to_string() == job)
            .ok_or(Code::RestorePathMissing)?;
        self.remove_restore(&mount, number)?;
        Ok(RestoreDeleted {
            mount_name: mount.name,
            jobid: number,
        })
    }

    /// The data that restores have brought back, of all mounts or one, by the numbers of their jobs.
    pub(crate) fn list_restores(&self, mount: Option<&str>) -> Result<Vec<RestoredData>, Refusal> {
        let rows = match mount {
            Some(name) => vec![self.mount(name)?],
            None => self.catalogue.read(mounts::list)?,
        };
        let mut found = Vec::new();
        for row in rows.iter().filter(|row| row.phase != Phase::Creating) {
            for number in self.restores_of(row)? {
                let job = self
                    .catalogue
                    .read(|connection| jobs::find(connection, number))?;
                let directory = self.directory.restores(&row.name).join(number.to_string());
                found.push(RestoredData {
                    job: number,
                    mount: row.name.clone(),
                    directory: directory.display().to_string(),
                    export: restore_path(&row.name, number),
                    since: job.as_ref().and_then(|job| job.ended.clone()),
                    detail: job.map(|job| job.detail).unwrap_or_default(),
                });
            }
        }
        found.sort_by_key(|restored| restored.job);
        Ok(found)
    }

    /// As [`Engine::delete_restore`], asked by an administrator, who need not know the mount.
    pub(crate) fn delete_restored_data(&self, number: u64) -> Result<RestoredData, Refusal> {
        let restored = self
            .list_restores(None)?
            .into_iter()
            .find(|restored| restored.job == number)
            .ok_or_else(|| {
                Refusal::new(
                    Code::RestorePathMissing,
                    format!("no data of a restore {number} are there"),
                    "'backstay restore list' shows which are",
                )
            })?;
        let _lock = self.locks.take(&restored.mount)?;
        let mount = self.mount(&restored.mount)?;
        self.remove_restore(&mount, number)?;
        Ok(restored)
    }

    fn remove_restore(&self, mount: &MountRow, number: u64) -> Result<(), Refusal> {
        let path = self
            .directory
            .restores(&mount.name)
            .join(number.to_string());
        if !is_directory(&path) {
            return Err(Code::RestorePathMissing.into());
        }
        self.exporter.withdraw_restore(mount, number)?;
        failpoint::reach("restore-delete-before");
        driver(mount.driver).destroy(&path)?;
        failpoint::reach("restore-delete-after");
        let text = format!("the data of restore {number} was deleted");
        self.catalogue.change(|connection| {
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Info, &mount.name, &text),
            )
        })?;
        Ok(())
    }
}
