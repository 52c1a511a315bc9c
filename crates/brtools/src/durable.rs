//! Files that are there whole or not at all, whatever happens in between.
//! What lives here: write new, sync, rename, sync the directory. What does not: what is in the files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Replaces a file: after a crash the old or the new content is there, never a part.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = beside(path, "new");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| publish(&temporary, path)) {
        // The first error is the one to report; a leftover under the temporary name does no harm.
        drop(fs::remove_file(&temporary));
        return Err(error);
    }
    Ok(())
}

/// Gives a written and synced file its final name, and makes that lasting.
pub fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temporary, path)?;
    sync_directory(parent(path))
}

/// Removes a file, and makes that lasting.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_directory(parent(path))
}

/// Makes the names in a directory lasting.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A name in the same directory: `.<name>.<suffix>`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

/// The directory of a path.
pub fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

/// Whether two names lead to one file or directory, by links or otherwise. A name that leads nowhere is no other's.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backSND.log");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&directory.path().join("no/such"), b"x").is_err());
    }

    #[test]
    fn one_file_is_known_under_all_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let [one, linked, soft, other] =
            ["one", "linked", "soft", "other"].map(|name| directory.path().join(name));
        fs::write(&one, b"log").unwrap();
        fs::write(&other, b"log").unwrap();
        fs::hard_link(&one, &linked).unwrap();
        std::os::unix::fs::symlink(&one, &soft).unwrap();
        assert!(is_same_file(&one, &linked) && is_same_file(&one, &soft));
        assert!(
            !is_same_file(&one, &other) && !is_same_file(&one, &directory.path().join("absent"))
        );
    }
}
