//! How the mounts' data reaches the network: our NFS server, or the kernel's.
//! What lives here: what both must do. What does not: when it is done (engine).

mod changes;
mod kernel;
mod own;

use std::any::Any;
use std::path::Path;

use api::admin::MountRequest;
use nfs::Cidr;

use crate::catalogue::mounts::MountRow;
use crate::refusal::Refusal;

pub(crate) use changes::{ChangeLog, ChangedFiles};
pub(crate) use kernel::KernelExporter;
pub(crate) use own::OwnExporter;

/// Writers are held back until this is dropped.
pub(crate) type Rest = Box<dyn Any>;

/// A way to export mounts. Refusals have the code of a failed export.
pub(crate) trait Exporter: Send + Sync {
    /// `own` or `kernel`.
    fn name(&self) -> &'static str;

    /// Where clients find it, if it is ours.
    fn address(&self) -> Option<String>;

    /// Whether a mount can be exported as it is wanted.
    fn check(&self, request: &MountRequest) -> Result<(), Refusal>;

    /// All mounts of the start have been exported: clients are answered from now on. Before that they would be told that
    /// their mounts are gone.
    fn begin(&self) -> Result<(), Refusal>;

    /// Exports a mount; one that is exported already stays so.
    fn export(&self, mount: &MountRow, data: &Path) -> Result<(), Refusal>;

    /// Ends the export of a mount; one that is not exported is no error. When it returns, no client's call is under way.
    fn withdraw(&self, mount: &MountRow) -> Result<(), Refusal>;

    /// Exports the data of a restore below a mount, to those who may mount the mount.
    fn export_restore(&self, mount: &MountRow, job: u64, directory: &Path) -> Result<(), Refusal>;

    /// Ends the export of a restore; one that is not exported is no error.
    fn withdraw_restore(&self, mount: &MountRow, job: u64) -> Result<(), Refusal>;

    /// What was written to each mount, if the exporter is told of it.
    fn changes(&self) -> Option<&ChangeLog>;

    /// Brings a mount to rest for a snapshot.
    fn quiesce(&self, mount: &MountRow) -> Result<Rest, Refusal>;

    /// The store ends.
    fn stop(&self);
}

/// Where ids of exported restores begin; ids of mounts are below. The kernel takes 32 bits.
pub(crate) const RESTORE_IDS: u64 = 1 << 31;

/// The path by which clients mount a restore.
pub(crate) fn restore_path(mount: &str, job: u64) -> String {
    format!("/Phoenix/{mount}/restores/{job}")
}

/// Who may mount a mount: those of its list, and always this machine.
pub(crate) fn allowed(mount: &MountRow) -> Vec<Cidr> {
    mount
        .allow
        .iter()
        .map(String::as_str)
        .chain(["127.0.0.0/8", "::1"])
        // They were checked when the mount was made.
        .filter_map(|text| text.parse().ok())
        .collect()
}
