//! Bringing one file back: written beside its place, checked against its backup, then renamed over it.
//! What lives here: one file. What does not: which one, and from where.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::durable;
use crate::interrupt::Interrupt;

/// Read and written at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// One file to bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreItem {
    /// What it was in the database, as the log of the backup says.
    pub original: PathBuf,
    /// The copy.
    pub source: PathBuf,
    /// Where it goes; usually `original`.
    pub target: PathBuf,
    /// Volume and position of a copy on tape; `source` is then only for people.
    pub on_tape: Option<(String, u32)>,
    /// What the copy must be: hash and length. None for backups of tools that keep none.
    pub check: Option<(blake3::Hash, u64)>,
}

/// Why a file was not brought back. What was at the target before is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The system refused.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy is shorter or longer than it was.
    #[error("{} has {found} bytes, it was saved with {expected}", path.display())]
    Size {
        /// The copy.
        path: PathBuf,
        /// Bytes when it was saved.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The copy has another content than when it was saved.
    #[error("{} has another content than when it was saved", path.display())]
    Content {
        /// The copy.
        path: PathBuf,
    },
    /// Cut off by a signal.
    #[error("cancelled by signal {0}")]
    Interrupted(i32),
}

/// Bytes of the copy now; an error when it is no regular file.
/// On tape it is as long as it was.
pub fn source_bytes(item: &RestoreItem) -> Result<u64, RestoreError> {
    if item.on_tape.is_some() {
        return Ok(item.check.map_or(0, |(_, bytes)| bytes));
    }
    let io = |source| RestoreError::Io {
        doing: "looking at",
        path: item.source.clone(),
        source,
    };
    let metadata = fs::metadata(&item.source).map_err(io)?;
    if !metadata.is_file() {
        return Err(io(io::Error::other("not a regular file")));
    }
    let found = metadata.len();
    match item.check {
        Some((_, expected)) if expected != found => Err(RestoreError::Size {
            path: item.source.clone(),
            expected,
            found,
        }),
        _ => Ok(found),
    }
}

/// Creates the directory of a path with all above it. Returns those that were missing, outermost first.
pub fn make_directories(path: &Path) -> Result<Vec<PathBuf>, RestoreError> {
    let missing: Vec<PathBuf> = durable::parent(path)
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .map(Path::to_path_buf)
        .collect();
    for directory in missing.iter().rev() {
        fs::create_dir(directory)
            .and_then(|()| durable::sync_directory(durable::parent(directory)))
            .map_err(|source| RestoreError::Io {
                doing: "creating directory",
                path: directory.clone(),
                source,
            })?;
    }
    Ok(missing.into_iter().rev().collect())
}

/// Brings the file back; the target appears whole, checked and synced, or stays what it was. Returns its bytes.
pub fn restore(item: &RestoreItem, interrupt: &Interrupt) -> Result<u64, RestoreError> {
    let expected = source_bytes(item)?;
    let mut from = File::open(&item.source).map_err(|source| RestoreError::Io {
        doing: "reading",
        path: item.source.clone(),
        source,
    })?;
    restore_from(item, expected, &mut from, interrupt)
}

/// As [`restore`], from a stream that holds nothing but the file.
pub fn restore_from(
    item: &RestoreItem,
    expected: u64,
    from: &mut dyn Read,
    interrupt: &Interrupt,
) -> Result<u64, RestoreError> {
    let temporary = durable::beside(&item.target, "restoring");
    let result = copy(item, from, &temporary, interrupt).and_then(|(hash, bytes)| {
        if bytes != expected {
            return Err(RestoreError::Size {
                path: item.source.clone(),
                expected,
                found: bytes,
            });
        }
        if item.check.is_some_and(|(wanted, _)| wanted != hash) {
            return Err(RestoreError::Content {
                path: item.source.clone(),
            });
        }
        durable::publish(&temporary, &item.target).map_err(|source| RestoreError::Io {
            doing: "publishing",
            path: item.target.clone(),
            source,
        })?;
        Ok(bytes)
    });
    if result.is_err() {
        // The part that was written is of no use; the first error is the one to report.
        drop(fs::remove_file(&temporary));
    }
    result
}

/// Reads the copy and compares it with what was saved. Nothing is written.
pub fn check(item: &RestoreItem, interrupt: &Interrupt) -> Result<(), RestoreError> {
    source_bytes(item)?;
    let Some((wanted, _)) = item.check else {
        return Ok(());
    };
    let reading = |source| RestoreError::Io {
        doing: "reading",
        path: item.source.clone(),
        source,
    };
    let mut from = File::open(&item.source).map_err(reading)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        if let Some(signal) = interrupt.signal() {
            return Err(RestoreError::Interrupted(signal));
        }
        match from.read(&mut buffer).map_err(reading)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        };
    }
    match hasher.finalize() == wanted {
        true => Ok(()),
        false => Err(RestoreError::Content {
            path: item.source.clone(),
        }),
    }
}

fn copy(
    item: &RestoreItem,
    from: &mut dyn Read,
    temporary: &Path,
    interrupt: &Interrupt,
) -> Result<(blake3::Hash, u64), RestoreError> {
    let reading = |source| RestoreError::Io {
        doing: "reading",
        path: item.source.clone(),
        source,
    };
    let writing = |source| RestoreError::Io {
        doing: "writing",
        path: temporary.to_owned(),
        source,
    };
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(temporary)
        .map_err(writing)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        if let Some(signal) = interrupt.signal() {
            return Err(RestoreError::Interrupted(signal));
        }
        let count = from.read(&mut buffer).map_err(reading)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(writing)?;
        bytes += count as u64;
    }
    to.sync_all().map_err(writing)?;
    Ok((hasher.finalize(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(directory: &Path, content: &[u8]) -> RestoreItem {
        let source = directory.join("copy");
        fs::write(&source, content).unwrap();
        let target = directory.join("deep/er/system.data1");
        RestoreItem {
            original: target.clone(),
            source,
            target,
            on_tape: None,
            check: Some((blake3::hash(content), content.len() as u64)),
        }
    }

    #[test]
    fn a_file_comes_back_with_its_directories() {
        let directory = tempfile::tempdir().unwrap();
        let item = item(directory.path(), b"content");
        assert_eq!(make_directories(&item.target).unwrap().len(), 2);
        assert_eq!(restore(&item, &Interrupt::never()).unwrap(), 7);
        assert_eq!(fs::read(&item.target).unwrap(), b"content");
    }

    #[test]
    fn a_copy_that_changed_is_refused_and_the_target_stays() {
        let directory = tempfile::tempdir().unwrap();
        let item = item(directory.path(), b"content");
        make_directories(&item.target).unwrap();
        fs::write(&item.target, b"before").unwrap();
        fs::write(&item.source, b"cOntent").unwrap();
        assert!(matches!(
            restore(&item, &Interrupt::never()),
            Err(RestoreError::Content { .. })
        ));
        fs::write(&item.source, b"conten").unwrap();
        assert!(matches!(
            restore(&item, &Interrupt::never()),
            Err(RestoreError::Size { .. })
        ));
        let stopped = Interrupt::never();
        stopped.raise(15);
        fs::write(&item.source, b"content").unwrap();
        assert!(matches!(
            restore(&item, &stopped),
            Err(RestoreError::Interrupted(15))
        ));
        assert_eq!(fs::read(&item.target).unwrap(), b"before");
        assert_eq!(
            fs::read_dir(item.target.parent().unwrap()).unwrap().count(),
            1
        );
    }
}
