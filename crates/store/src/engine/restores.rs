//! DELETE: data of a restore that is not needed any more.
//! What lives here: the call. What does not: making restores.

use std::net::IpAddr;

use api::admin::Severity;
use api::code::Code;
use api::envelope::RestoreDeleted;

use super::backup::is_directory;
use super::{Asks, Engine};
use crate::catalogue::events::{self, NewEvent};
use crate::failpoint;
use crate::refusal::Refusal;
use crate::snapshot::driver;

impl Engine {
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
