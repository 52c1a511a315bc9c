//! Exports by our own NFS server.
//! What lives here: mounts as its exports. What does not: NFS (crate `nfs`).

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::admin::{MountRequest, Squash};
use api::code::Code;
use nfs::{Export, ExportError, ExportPolicy, Exports, HandleKey, Server, ServerOptions};

use super::{ChangeLog, Exporter, RESTORE_IDS, Rest, allowed, restore_path};
use crate::catalogue::mounts::MountRow;
use crate::refusal::Refusal;

/// How long the clients of a mount may take to come to rest before a snapshot.
const REST_LIMIT: Duration = Duration::from_secs(60);

/// Our NFS server and its exports.
pub(crate) struct OwnExporter {
    exports: Exports,
    address: SocketAddr,
    stage: Mutex<Stage>,
    changes: Arc<ChangeLog>,
}

enum Stage {
    /// Clients may connect and are not answered yet.
    Bound(Box<(TcpListener, ServerOptions)>),
    Serving(Server),
    Stopped,
}

impl OwnExporter {
    /// Takes the sockets. `portmapper` tells clients the port of the other.
    pub(crate) fn new(
        listener: TcpListener,
        portmapper: Option<TcpListener>,
        key_path: &Path,
    ) -> Result<OwnExporter, Refusal> {
        let failed = |error: std::io::Error| Refusal::of(Code::Internal, &error);
        let changes = Arc::new(ChangeLog::default());
        let options = ServerOptions {
            portmapper,
            observer: Some(Arc::clone(&changes) as Arc<dyn nfs::ChangeObserver>),
            ..ServerOptions::new(HandleKey::load_or_create(key_path).map_err(failed)?)
        };
        Ok(OwnExporter {
            exports: Exports::new(),
            address: listener.local_addr().map_err(failed)?,
            stage: Mutex::new(Stage::Bound(Box::new((listener, options)))),
            changes,
        })
    }
}

impl OwnExporter {
    fn add(
        &self,
        mount: &MountRow,
        name: String,
        id: u64,
        directory: &Path,
        quota_bytes: Option<u64>,
    ) -> Result<(), Refusal> {
        let export = Export {
            name,
            directory: directory.to_owned(),
            id,
            policy: ExportPolicy {
                allowed: allowed(mount),
                read_only: false,
                squash: match mount.squash {
                    Squash::None => nfs::Squash::None,
                    Squash::Root => nfs::Squash::Root,
                    Squash::All => nfs::Squash::All,
                },
                anonymous_uid: mount.anonymous_uid,
                anonymous_gid: mount.anonymous_gid,
            },
            quota_bytes,
        };
        match self.exports.add(export) {
            Err(ExportError::NameTaken(_)) => Ok(()),
            other => Ok(other?),
        }
    }
}

impl Exporter for OwnExporter {
    fn name(&self) -> &'static str {
        "own"
    }

    fn address(&self) -> Option<String> {
        Some(self.address.to_string())
    }

    fn check(&self, _request: &MountRequest) -> Result<(), Refusal> {
        Ok(())
    }

    fn begin(&self) -> Result<(), Refusal> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = match std::mem::replace(&mut *stage, Stage::Stopped) {
            Stage::Bound(parts) => {
                let (listener, options) = *parts;
                let server = Server::start(listener, self.exports.clone(), options)
                    .map_err(|error| Refusal::of(Code::Internal, &error))?;
                Stage::Serving(server)
            }
            other => other,
        };
        Ok(())
    }

    fn export(&self, mount: &MountRow, data: &Path) -> Result<(), Refusal> {
        self.add(
            mount,
            mount.export_path(),
            mount.id,
            data,
            mount.quota_bytes,
        )
    }

    fn export_restore(&self, mount: &MountRow, job: u64, directory: &Path) -> Result<(), Refusal> {
        let name = restore_path(&mount.name, job);
        self.add(mount, name, RESTORE_IDS + job, directory, None)
    }

    fn withdraw_restore(&self, mount: &MountRow, job: u64) -> Result<(), Refusal> {
        match self.exports.remove(&restore_path(&mount.name, job)) {
            Err(ExportError::Unknown(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    fn changes(&self) -> Option<&ChangeLog> {
        Some(&self.changes)
    }

    fn withdraw(&self, mount: &MountRow) -> Result<(), Refusal> {
        match self.exports.remove(&mount.export_path()) {
            Err(ExportError::Unknown(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    fn quiesce(&self, mount: &MountRow) -> Result<Rest, Refusal> {
        let rest = self
            .exports
            .quiesce(&mount.export_path(), REST_LIMIT)
            .map_err(|error| Refusal::of(Code::SnapshotFailed, &error))?;
        Ok(Box::new(rest))
    }

    fn stop(&self) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Serving(server) = std::mem::replace(&mut *stage, Stage::Stopped) {
            server.stop();
        }
    }
}
