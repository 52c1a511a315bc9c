//! DELETE: data of a restore that is not needed any more.
//! What lives here: the call. What does not: making restores.

use std::net::IpAddr;

use api::admin::Severity;
use api::code::Code;
use api::envelope::RestoreDeleted;

use super::backup::is_directory;
use super::{Asks, Engine};
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::mounts::MountRow;
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
        let path = self.directory.restores(&mount.name).join(job);
        if !is_directory(&path) {
            return Err(Code::RestorePathMissing.into());
        }
        self.exporter.withdraw_restore(&mount, number)?;
        failpoint::reach("restore-delete-before");
        driver(mount.driver).destroy(&path)?;
        failpoint::reach("restore-delete-after");
        let text = format!("the data of restore {job} was deleted");
        self.catalogue.change(|connection| {
            events::add(
                connection,
                &NewEvent::of_mount(Severity::Info, &mount.name, &text),
            )
        })?;
        Ok(RestoreDeleted {
            mount_name: mount.name,
            jobid: number,
        })
    }
}
