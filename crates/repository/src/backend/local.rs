//! A repository in a directory.
//! What lives here: files that are there whole or not at all. What does not: object storage.
//!
//! A file is written below `tmp`, synced, renamed to its name, and its directory synced. What a crash leaves in `tmp` is
//! removed when the repository is opened again, if the process that wrote it is dead.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::{Backend, FILE_BYTES_MAX, FileKind, name};
use crate::error::RepositoryError;
use crate::id::Id;
use crate::room::room;

/// A directory.
pub(crate) struct LocalBackend {
    root: PathBuf,
    next: AtomicU64,
}

impl LocalBackend {
    pub(crate) fn new(root: &Path) -> LocalBackend {
        LocalBackend {
            root: root.to_owned(),
            next: AtomicU64::new(0),
        }
    }

    fn path(&self, kind: FileKind, id: &Id) -> PathBuf {
        self.root.join(name(kind, id))
    }

    fn failed(&self, doing: &str, kind: FileKind, id: &Id, error: &io::Error) -> RepositoryError {
        let name = name(kind, id);
        let location = self.location();
        let why = format!("{doing} {name}: {error}");
        match error.kind() {
            // A disk that is not mounted looks like an empty directory.
            ErrorKind::NotFound
                if kind != FileKind::Config && !self.root.join("config").exists() =>
            {
                RepositoryError::Unreachable { location, why }
            }
            ErrorKind::NotFound => RepositoryError::Missing {
                kind,
                name,
                location,
            },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                RepositoryError::Refused { location, why }
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                RepositoryError::Full { location, why }
            }
            ErrorKind::UnexpectedEof => {
                RepositoryError::damaged_file(kind, id, "it is shorter than it was written")
            }
            _ => RepositoryError::Unreachable { location, why },
        }
    }

    fn try_write(&self, kind: FileKind, id: &Id, content: &[u8]) -> io::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary =
            self.root
                .join("tmp")
                .join(format!("{}-{}-{number}", id.short(), std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        let path = self.path(kind, id);
        let written = file
            .write_all(content)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        sync(path.parent().unwrap_or(&self.root))
    }

    fn list_directory(&self, directory: &Path, found: &mut Vec<(Id, u64)>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            match entry.metadata() {
                Ok(metadata) => found.push((id, metadata.len())),
                // Removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn try_list(&self, kind: FileKind) -> io::Result<Vec<(Id, u64)>> {
        let mut found = Vec::new();
        let directory = self.root.join(kind.directory());
        if kind != FileKind::Pack {
            self.list_directory(&directory, &mut found)?;
            return Ok(found);
        }
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.list_directory(&path, &mut found)?;
            }
        }
        Ok(found)
    }

    fn try_create(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for kind in FileKind::ALL {
            if kind != FileKind::Config {
                builder.create(self.root.join(kind.directory()))?;
            }
        }
        let data = self.root.join("data");
        for first in 0..=255 {
            builder.create(data.join(format!("{first:02x}")))?;
        }
        builder.create(self.root.join("tmp"))?;
        sync(&data)?;
        sync(&self.root)?;
        sync(self.root.parent().unwrap_or(Path::new("/")))
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Backend for LocalBackend {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, kind: FileKind) -> Result<Vec<(Id, u64)>, RepositoryError> {
        if kind == FileKind::Config {
            let there = fs::metadata(self.root.join("config"));
            return Ok(there
                .map(|file| vec![(Id::default(), file.len())])
                .unwrap_or_default());
        }
        self.try_list(kind)
            .map_err(|error| self.failed("listing", kind, &Id::default(), &error))
    }

    fn read(&self, kind: FileKind, id: &Id) -> Result<Vec<u8>, RepositoryError> {
        let read = || {
            let file = File::open(self.path(kind, id))?;
            let length = file.metadata()?.len().min(FILE_BYTES_MAX);
            let mut content = room(length as usize + 1);
            file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
            Ok::<_, io::Error>(content)
        };
        let content = read().map_err(|error| self.failed("reading", kind, id, &error))?;
        if content.len() as u64 > FILE_BYTES_MAX {
            let why = format!("it is longer than {FILE_BYTES_MAX} bytes, the limit");
            return Err(RepositoryError::damaged_file(kind, id, why));
        }
        Ok(content)
    }

    fn read_range(
        &self,
        kind: FileKind,
        id: &Id,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, RepositoryError> {
        let read = || {
            let file = File::open(self.path(kind, id))?;
            let mut content = vec![0; length];
            file.read_exact_at(&mut content, offset)?;
            Ok::<_, io::Error>(content)
        };
        read().map_err(|error| self.failed("reading", kind, id, &error))
    }

    fn write(&self, kind: FileKind, id: &Id, content: &[u8]) -> Result<(), RepositoryError> {
        self.try_write(kind, id, content)
            .map_err(|error| self.failed("writing", kind, id, &error))
    }

    fn remove(&self, kind: FileKind, id: &Id) -> Result<(), RepositoryError> {
        match fs::remove_file(self.path(kind, id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.failed("removing", kind, id, &error))
            }
            _ => Ok(()),
        }
    }

    fn create(&self) -> Result<(), RepositoryError> {
        self.try_create()
            .map_err(|error| self.failed("making", FileKind::Config, &Id::default(), &error))?;
        Ok(())
    }

    fn clean(&self) {
        for entry in fs::read_dir(self.root.join("tmp"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name
                .split('-')
                .nth(1)
                .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            let lives = process.is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH));
            if !lives {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn writers(&self) -> usize {
        2
    }
}
