//! The directory of a store: where everything lies, and the one process that may use it.
//! What lives here: names, the lock, secrets made at the first start. What does not: the catalogue.
//!
//! ```text
//! store.lock            held as long as a store runs
//! catalogue.sqlite      what the store knows
//! admin.token           secret for the administration API, 0600
//! admin.crt, admin.key  its self-made certificate
//! admin.address         where the running store answers
//! nfs.key               seals file handles
//! repository            recovery points, unless they are elsewhere
//! repository.key        its password, 0600
//! repository.state/     a copy of its index, journals of ingests: nothing that cannot be made anew
//! changes/<snapshot>    what was written since the snapshot before
//! logs/<number>         RMAN logs that were sent
//! mounts/<mount>/oracle_data, restores, snapshots
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// Longest secret that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 1 << 16;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error("another store runs in {}. HINT: stop it first, or give this one a directory of its own", .0.display())]
    Locked(PathBuf),
    /// The system refused.
    #[error("{doing} {}: {source}. HINT: the store needs a directory that it may write to", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn cannot(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    move |source| DirectoryError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// A store's directory, ours until it is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked; the kernel lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Directory {
    /// Takes a directory, which is made if it is not there.
    pub(crate) fn take(path: &Path) -> Result<Directory, DirectoryError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o711);
        builder.create(path).map_err(cannot("creating", path))?;
        let path = path.canonicalize().map_err(cannot("finding", path))?;
        let lock_path = path.join("store.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(cannot("opening", &lock_path))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| DirectoryError::Locked(path.clone()))?;
        for (name, mode) in [("mounts", 0o711), ("logs", 0o700), ("changes", 0o700)] {
            let below = path.join(name);
            builder.mode(mode);
            builder.create(&below).map_err(cannot("creating", &below))?;
        }
        sync(&path).map_err(cannot("syncing", &path))?;
        Ok(Directory { path, _lock: lock })
    }

    /// A file directly below.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub(crate) fn changes(&self) -> PathBuf {
        self.path.join("changes")
    }

    pub(crate) fn mounts(&self) -> PathBuf {
        self.path.join("mounts")
    }

    /// Everything of a mount. Names of mounts are checked before there is a mount.
    pub(crate) fn mount(&self, name: &str) -> PathBuf {
        self.mounts().join(name)
    }

    pub(crate) fn data(&self, mount: &str) -> PathBuf {
        self.mount(mount).join("oracle_data")
    }

    pub(crate) fn restores(&self, mount: &str) -> PathBuf {
        self.mount(mount).join("restores")
    }

    pub(crate) fn snapshots(&self, mount: &str) -> PathBuf {
        self.mount(mount).join("snapshots")
    }

    /// The token of the administration API; at the first start it is made.
    pub(crate) fn token(&self) -> Result<String, DirectoryError> {
        let path = self.file("admin.token");
        if let Some(token) = read_secret(&path).map_err(cannot("reading", &path))? {
            return Ok(token.trim().to_owned());
        }
        let token = random_hex::<32>().map_err(cannot("making", &path))?;
        write_private(&path, token.as_bytes()).map_err(cannot("writing", &path))?;
        Ok(token)
    }
}

/// A small private file; None if it is not there.
pub(crate) fn read_secret(path: &Path) -> io::Result<Option<String>> {
    match File::open(path) {
        Ok(file) => {
            let mut text = String::new();
            file.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file that only its owner may read. After a crash it is there whole, or as before.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.new"));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a directory lasting.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// So many random bytes, as hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_has_one_store_and_keeps_its_token() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/store");
        let first = Directory::take(&path).unwrap();
        assert!(matches!(
            Directory::take(&path),
            Err(DirectoryError::Locked(_))
        ));
        let token = first.token().unwrap();
        assert_eq!(token.len(), 64);
        let mode = fs::metadata(first.file("admin.token"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        assert_eq!(Directory::take(&path).unwrap().token().unwrap(), token);
    }
}
