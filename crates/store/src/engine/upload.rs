//! uploadlog: the log of RMAN, kept with the backup it belongs to.
//! What lives here: admitting, keeping and recording a log. What does not: taking the body apart (http).
//!
//! A path that was sent in place of a file is only recorded: nothing that a client names is ever opened here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use api::code::Code;
use api::envelope::LogUploaded;

use super::{Asks, Engine};
use crate::catalogue::logs::{self, NewLog};
use crate::catalogue::mounts::MountRow;
use crate::refusal::Refusal;
use crate::{directory, failpoint};

/// Longest log, in bytes.
pub(crate) const LOG_BYTES_MAX: u64 = 1 << 30;

/// A log while it arrives: a hidden file that is removed unless it is kept.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: File,
    path: PathBuf,
    bytes: u64,
    is_kept: bool,
}

/// What a body of uploadlog said.
#[derive(Debug)]
pub(crate) struct LogParts {
    /// Name of the file, or the path that was sent in its place.
    pub name: String,
    pub content: Option<Incoming>,
    pub mountpoint: String,
    pub platform: String,
}

fn disk_trouble(error: &io::Error) -> Refusal {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
        _ => Code::Internal,
    };
    Refusal::of(code, error)
}

impl Incoming {
    /// A place in this directory for a log that arrives.
    pub(crate) fn begin(logs: &Path) -> Result<Incoming, Refusal> {
        let name = directory::random_hex::<8>().map_err(|error| disk_trouble(&error))?;
        let path = logs.join(format!(".incoming-{name}"));
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| disk_trouble(&error))?;
        Ok(Incoming {
            file,
            path,
            bytes: 0,
            is_kept: false,
        })
    }

    /// Takes more of the log.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes += bytes.len() as u64;
        if self.bytes > LOG_BYTES_MAX {
            return Err(Code::BodyTooLarge.into());
        }
        self.file
            .write_all(bytes)
            .map_err(|error| disk_trouble(&error))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_kept {
            // Otherwise the next start removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Engine {
    /// Whether a log may be sent now, before its body is read.
    pub(crate) fn admit_log(&self, name: &str, client: IpAddr) -> Result<(), Refusal> {
        let mount = self.admit(name, client, Asks::ForOpenBackup)?;
        open_job(&mount).map(drop)
    }

    /// Where logs arrive.
    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.logs()
    }

    /// Keeps a log with the backup that is open. When it returns, the log is on the disk.
    pub(crate) fn keep_log(
        &self,
        name: &str,
        client: IpAddr,
        mut parts: LogParts,
    ) -> Result<LogUploaded, Refusal> {
        let _lock = self.locks.take(name)?;
        let mount = self.admit(name, client, Asks::ForOpenBackup)?;
        let job = open_job(&mount)?;
        if let Some(content) = &parts.content {
            content
                .file
                .sync_all()
                .map_err(|error| disk_trouble(&error))?;
        }
        failpoint::reach("log-before-publish");
        self.catalogue.change(|connection| {
            let log = NewLog {
                mount_id: mount.id,
                job,
                mountpoint: &parts.mountpoint,
                platform: &parts.platform,
                name: &parts.name,
                has_content: parts.content.is_some(),
                bytes: parts.content.as_ref().map_or(0, |content| content.bytes),
            };
            let id = logs::add(connection, &log)?;
            if let Some(content) = &mut parts.content {
                // A file without a row is removed at the next start; a row without its file never comes to be.
                let logs = self.directory.logs();
                fs::rename(&content.path, logs.join(id.to_string())).map_err(|error| disk_trouble(&error))?;
                content.is_kept = true;
                directory::sync(&logs).map_err(|error| disk_trouble(&error))?;
            } else {
                tracing::warn!(
                    mount = mount.name,
                    "uploadlog sent the path {} and no content (an @ before it is missing): no mapping",
                    parts.name
                );
            }
            failpoint::reach("log-before-commit");
            Ok::<_, Refusal>(())
        })?;
        failpoint::reach("log-after-commit");
        Ok(LogUploaded {
            mount_name: mount.name,
        })
    }
}

fn open_job(mount: &MountRow) -> Result<u64, Refusal> {
    mount.open_job.ok_or_else(|| Code::BackupNotStarted.into())
}
