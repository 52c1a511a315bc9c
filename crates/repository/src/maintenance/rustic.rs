//! `rustic_core` over our backends.
//! What lives here: the adapter, and the options under which it is safe. What does not: locks, which it does not know
//! (maintenance).
//!
//! Read in the source of version 0.13: with `instant_delete` it removes packs that no index names, writes packs with what
//! is still needed, then new index files, then removes the old index files, then the packs. It panics where it meets what
//! it does not expect, so that each call is caught.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    BytesList, CheckOptions, ConfigOptions, Credentials, ErrorKind, FileType, KeyOptions,
    LimitOption, PruneOptions, ReadBackend, RepositoryBackends, RepositoryOptions, RusticError,
    RusticResult, WriteBackend,
};

use super::Maintenance;
use crate::Repository;
use crate::backend::{Backend, FileKind};
use crate::crypto;
use crate::error::RepositoryError;
use crate::id::Id;
use crate::verify::Finding;
use crate::watch::Watch;

/// Room in packs that nobody needs and that is not worth writing what is between again, in percent.
const UNUSED_PERCENT: u64 = 5;
/// Findings that are passed on.
const FINDINGS_MAX: usize = 100;

/// Our backend, as rustic sees one.
struct Adapter {
    backend: Arc<dyn Backend>,
    /// Named steps reached, passed on to whoever watches.
    steps: Option<crossbeam_channel::Sender<(&'static str, crossbeam_channel::Sender<()>)>>,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.backend.location())
    }
}

fn kind(of: FileType) -> FileKind {
    match of {
        FileType::Config => FileKind::Config,
        FileType::Index => FileKind::Index,
        FileType::Key => FileKind::Key,
        FileType::Snapshot => FileKind::Snapshot,
        FileType::Pack => FileKind::Pack,
    }
}

fn ours(id: &rustic_core::Id) -> RusticResult<Id> {
    id.to_hex().parse().map_err(|error| failed(&error))
}

fn failed(error: &(dyn std::error::Error + '_)) -> Box<RusticError> {
    RusticError::new(ErrorKind::Backend, error.to_string())
}

impl Adapter {
    /// Tells of a step, and waits until it was heard.
    fn step(&self, place: &'static str) {
        if let Some(steps) = &self.steps {
            let (heard, wait) = crossbeam_channel::bounded(0);
            if steps.send((place, heard)).is_ok() {
                let _ = wait.recv();
            }
        }
    }
}

impl ReadBackend for Adapter {
    fn location(&self) -> String {
        self.backend.location()
    }

    fn list_with_size(&self, of: FileType) -> RusticResult<Vec<(rustic_core::Id, u32)>> {
        let files = self
            .backend
            .list(kind(of))
            .map_err(|error| failed(&error))?;
        let theirs = |(id, size): (Id, u64)| {
            let id = id.to_string().parse::<rustic_core::Id>()?;
            Ok((id, u32::try_from(size).unwrap_or(u32::MAX)))
        };
        files.into_iter().map(theirs).collect()
    }

    fn read_full(&self, of: FileType, id: &rustic_core::Id) -> RusticResult<Bytes> {
        let content = self
            .backend
            .read(kind(of), &ours(id)?)
            .map_err(|error| failed(&error))?;
        Ok(content.into())
    }

    fn read_partial(
        &self,
        of: FileType,
        id: &rustic_core::Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let content = self
            .backend
            .read_range(kind(of), &ours(id)?, u64::from(offset), length as usize)
            .map_err(|error| failed(&error))?;
        Ok(content.into())
    }

    fn warmup_path(&self, of: FileType, id: &rustic_core::Id) -> String {
        ours(id)
            .map(|id| crate::backend::name(kind(of), &id))
            .unwrap_or_default()
    }
}

impl WriteBackend for Adapter {
    fn create(&self) -> RusticResult<()> {
        self.backend.create().map_err(|error| failed(&error))
    }

    fn write_bytes(
        &self,
        of: FileType,
        id: &rustic_core::Id,
        _: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        let content: Vec<u8> = content.slice().concat();
        self.step(match of {
            FileType::Pack => "sweep-pack-before",
            _ => "sweep-index-before",
        });
        self.backend
            .write(kind(of), &ours(id)?, &content)
            .map_err(|error| failed(&error))
    }

    fn remove(&self, of: FileType, id: &rustic_core::Id, _: bool) -> RusticResult<()> {
        self.step(match of {
            FileType::Pack => "sweep-remove-pack",
            _ => "sweep-remove-index",
        });
        self.backend
            .remove(kind(of), &ours(id)?)
            .map_err(|error| failed(&error))
    }
}

fn credentials(key: &crypto::MasterKey) -> Credentials {
    let bytes = key.bytes();
    let mut theirs = MasterKey::new();
    theirs.encrypt = bytes[..32].to_vec();
    theirs.mac.k = bytes[32..48].to_vec();
    theirs.mac.r = bytes[48..].to_vec();
    Credentials::Masterkey(theirs)
}

/// Calls rustic; its panics become errors.
fn caught<T>(
    doing: &'static str,
    call: impl FnOnce() -> RusticResult<T>,
) -> Result<T, RepositoryError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(RepositoryError::Maintenance {
            doing,
            why: message(&error),
        }),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().cloned();
            let why = why.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(RepositoryError::Maintenance {
                doing,
                why: why.unwrap_or_else(|| "it panicked".to_owned()),
            })
        }
    }
}

/// What an error says, without its advice to write to its authors and without a backtrace.
fn message(error: &RusticError) -> String {
    let text = error.to_string();
    let told = text
        .split("Some additional details")
        .next()
        .unwrap_or_default();
    let lines = told
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "Message:");
    lines.collect::<Vec<_>>().join(" ")
}

fn repository(adapter: Adapter) -> RusticResult<rustic_core::Repository<()>> {
    let mut options = RepositoryOptions::default();
    options.no_cache = true;
    rustic_core::Repository::new(&options, &RepositoryBackends::new(Arc::new(adapter), None))
}

/// Writes the config of a new repository.
pub(crate) fn init(
    backend: &Arc<dyn Backend>,
    key: &crypto::MasterKey,
) -> Result<(), RepositoryError> {
    let adapter = Adapter {
        backend: Arc::clone(backend),
        steps: None,
    };
    caught("making the repository's config", || {
        let config = ConfigOptions::default();
        repository(adapter)?.init(&credentials(key), &KeyOptions::default(), &config)?;
        Ok(())
    })
}

/// rustic at work in a repository.
pub(crate) struct Rustic<'a>(&'a Repository);

impl<'a> Rustic<'a> {
    pub(crate) fn new(repository: &'a Repository) -> Rustic<'a> {
        Rustic(repository)
    }

    fn adapter(&self) -> Adapter {
        Adapter {
            backend: Arc::clone(&self.0.backend),
            steps: None,
        }
    }
}

fn prune(adapter: Adapter, key: &crypto::MasterKey) -> Result<(), RepositoryError> {
    caught("sweeping the repository", || {
        let repository = repository(adapter)?.open(&credentials(key))?;
        let mut options = PruneOptions::default();
        // Safe because we hold restic's lock for working alone.
        options.instant_delete = true;
        options.max_repack = LimitOption::Unlimited;
        options.max_unused = LimitOption::Percentage(UNUSED_PERCENT);
        let plan = repository.prune_plan(&options)?;
        repository.prune(&options, plan)
    })
}

impl Maintenance for Rustic<'_> {
    fn sweep(&self, watch: &dyn Watch) -> Result<(), RepositoryError> {
        let (steps, reached) = crossbeam_channel::unbounded();
        let adapter = Adapter {
            steps: Some(steps),
            ..self.adapter()
        };
        // rustic works on threads of its own; whoever watches is told here.
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| prune(adapter, &self.0.key));
            for (place, heard) in reached {
                watch.step(place);
                let _ = heard.send(());
            }
            worker.join().unwrap_or_else(|_| {
                Err(RepositoryError::Maintenance {
                    doing: "sweeping the repository",
                    why: "a thread panicked".to_owned(),
                })
            })
        })
    }

    fn check(&self) -> Result<Vec<Finding>, RepositoryError> {
        let found = caught("checking the repository", || {
            let repository = repository(self.adapter())?.open(&credentials(&self.0.key))?;
            repository.check(CheckOptions::default())
        });
        let results = match found {
            Ok(results) => results,
            Err(error) => {
                return Ok(vec![Finding {
                    what: error.to_string(),
                    is_damage: true,
                }]);
            }
        };
        // The levels have no public name, only this text.
        let told = results
            .0
            .iter()
            .take(FINDINGS_MAX)
            .map(|(level, error)| Finding {
                what: error.to_string(),
                is_damage: format!("{level:?}") == "Error",
            });
        Ok(told.collect())
    }
}
