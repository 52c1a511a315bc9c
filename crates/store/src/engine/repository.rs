//! The repository of the store: where it is, its password, and opening it when it is needed.
//! What lives here: making, opening and naming it. What does not: what is done with it (ingest, restore, points).
//!
//! It is opened by the first job that needs it and kept. Which one was used is in the catalogue: an empty directory in its
//! place, as when a disk is not mounted, is never taken for it, and never made a new one by itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::admin::{RepositoryStats, Severity, SnapshotState};
use api::code::Code;
use repository::{Location, Repository, RepositoryError};

use super::Engine;
use crate::catalogue::events::{self, NewEvent};
use crate::catalogue::{settings, snapshots};
use crate::directory::{random_hex, read_secret, write_private};
use crate::refusal::Refusal;

/// What the configuration says of it.
#[derive(Debug, Clone)]
pub(crate) struct RepositoryParts {
    pub location: Location,
    /// Nothing was said of its place: it is made when it is first needed.
    pub is_default: bool,
    pub password_file: PathBuf,
    /// Local directory for what can be made anew.
    pub state: PathBuf,
    pub chunk_bytes: u64,
    /// Whether snapshots become recovery points.
    pub is_on: bool,
    pub keep_local_snapshots: u64,
}

/// The repository, once it is open.
pub(super) struct Holder {
    parts: RepositoryParts,
    open: Mutex<Option<Arc<Repository>>>,
}

impl Holder {
    pub(super) fn new(parts: RepositoryParts) -> Holder {
        Holder {
            parts,
            open: Mutex::new(None),
        }
    }

    fn opened(&self) -> MutexGuard<'_, Option<Arc<Repository>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_on(&self) -> bool {
        self.parts.is_on
    }

    fn password(&self) -> Result<Option<String>, Refusal> {
        let path = &self.parts.password_file;
        let text = read_secret(path).map_err(|error| self.trouble(&error))?;
        Ok(text.map(|text| text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn trouble(&self, error: &std::io::Error) -> Refusal {
        Refusal::new(
            Code::Internal,
            format!("{}: {error}", self.parts.password_file.display()),
            "it is the password of the repository; the store must be able to read it",
        )
    }

    /// The password; at first it is made.
    fn make_password(&self) -> Result<String, Refusal> {
        if let Some(password) = self.password()? {
            return Ok(password);
        }
        let password = random_hex::<32>().map_err(|error| self.trouble(&error))?;
        write_private(&self.parts.password_file, password.as_bytes())
            .map_err(|error| self.trouble(&error))?;
        Ok(password)
    }

    fn open_with(&self, password: &str) -> Result<Repository, RepositoryError> {
        let parts = &self.parts;
        let repository = Repository::open(&parts.location, password, &parts.state, &hostname())?;
        Ok(repository.with_chunk_bytes(parts.chunk_bytes))
    }

    fn init_with(&self, password: &str) -> Result<Repository, RepositoryError> {
        let parts = &self.parts;
        let repository = Repository::init(&parts.location, password, &parts.state, &hostname())?;
        Ok(repository.with_chunk_bytes(parts.chunk_bytes))
    }
}

/// The name of this machine, as restic shows it.
pub(super) fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

impl Engine {
    /// The repository, opened now if it was not.
    pub(super) fn repository(&self) -> Result<Arc<Repository>, Refusal> {
        let mut open = self.repository.opened();
        if let Some(repository) = &*open {
            return Ok(Arc::clone(repository));
        }
        let repository = Arc::new(self.open_repository()?);
        self.adopt(&repository)?;
        *open = Some(Arc::clone(&repository));
        Ok(repository)
    }

    fn open_repository(&self) -> Result<Repository, Refusal> {
        let holder = &self.repository;
        let used = self.catalogue.read(settings::repository)?;
        let may_make = used.is_none() && holder.parts.is_default;
        let password = match holder.password()? {
            Some(password) => password,
            None if may_make => holder.make_password()?,
            None => {
                return Err(Refusal::new(
                    Code::RepositoryUnavailable,
                    format!(
                        "the password file {} is not there",
                        holder.parts.password_file.display()
                    ),
                    "put the repository's password there, or make a repository with 'backstay repository init'",
                ));
            }
        };
        match holder.open_with(&password) {
            Err(RepositoryError::NotThere(_)) if may_make => Ok(holder.init_with(&password)?),
            other => Ok(other?),
        }
    }

    /// Takes the repository for the store's own, and brings the catalogue up to date with it.
    fn adopt(&self, repository: &Repository) -> Result<(), Refusal> {
        let id = repository.id().to_string();
        match self.catalogue.read(settings::repository)? {
            Some(used) if used != id => {
                return Err(Refusal::new(
                    Code::RepositoryUnavailable,
                    format!(
                        "in {} is the repository {}, and the store used {}",
                        repository.location(),
                        &id[..8],
                        &used[..used.len().min(8)]
                    ),
                    "put the right one there; to use another, say 'backstay repository init', which adopts it",
                ));
            }
            Some(_) => {}
            None => self.record_repository(repository, &id)?,
        }
        let rows = self
            .catalogue
            .read(|connection| snapshots::list(connection, None))?;
        let waiting = rows
            .iter()
            .filter(|row| row.state == SnapshotState::Pending);
        let names: Vec<&str> = waiting.map(|row| row.name.as_str()).collect();
        repository.forget_ingests_but(&names);
        self.sync_points(repository)
    }

    fn record_repository(&self, repository: &Repository, id: &str) -> Result<(), Refusal> {
        self.catalogue.change(|connection| {
            settings::set_repository(connection, id)?;
            let text = format!(
                "the store uses the repository {} in {}",
                &id[..8],
                repository.location()
            );
            events::add(
                connection,
                &NewEvent {
                    severity: Severity::Info,
                    ..NewEvent::info(&text)
                },
            )?;
            Ok(())
        })
    }

    /// Makes a repository at the configured place, or adopts the one that is there and that the password opens.
    pub(crate) fn init_repository(&self) -> Result<RepositoryStats, Refusal> {
        {
            let mut open = self.repository.opened();
            let password = self.repository.make_password()?;
            let repository = match self.repository.open_with(&password) {
                Err(RepositoryError::NotThere(_)) => self.repository.init_with(&password)?,
                other => other?,
            };
            self.record_repository(&repository, &repository.id().to_string())?;
            self.sync_points(&repository)?;
            *open = Some(Arc::new(repository));
        }
        // What waited for it need not wait any longer.
        self.lanes.forget_pauses();
        self.repository_stats()
    }

    /// What the repository holds.
    pub(crate) fn repository_stats(&self) -> Result<RepositoryStats, Refusal> {
        let repository = self.repository()?;
        let stats = repository.stats()?;
        Ok(RepositoryStats {
            id: repository.id().to_string(),
            location: repository.location(),
            password_file: self.repository.parts.password_file.display().to_string(),
            points: stats.points,
            packs: stats.packs,
            bytes_stored: stats.bytes_stored,
            blobs: stats.blobs,
            bytes_unique: stats.bytes_unique,
            bytes_of_points: stats.bytes_of_points,
        })
    }
}
