//! Files that a backup or a restore writes: there whole, or not at all.
//! What lives here: creating, publishing and discarding them, and the errors of doing so. What does not: their content.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::error::{OraError, OraResult};
use crate::engine::home;

/// Ending of a file beside its place, until it is whole.
const BESIDE: &str = "rman_writing";

/// A file that is being written. Dropped before it is published, it is removed.
#[derive(Debug)]
pub struct Output {
    target: PathBuf,
    /// Where it is written: at its place when that was free, else beside it.
    written: PathBuf,
    published: bool,
}

impl Output {
    /// Creates a file under a new name. With `reuse` one that exists is replaced, but not before the new one is whole.
    ///
    /// # Errors
    /// ORA-19504 with ORA-27038 when it exists, with ORA-27040 when it cannot be created.
    pub fn create(target: &Path, reuse: bool) -> OraResult<(Output, File)> {
        if reuse && target.exists() {
            return Output::replace(target);
        }
        Output::open(
            target,
            target.to_owned(),
            OpenOptions::new().create_new(true),
        )
    }

    /// Creates a file beside its place, which takes that place when it is published.
    ///
    /// # Errors
    /// ORA-19504 with ORA-27040.
    pub fn replace(target: &Path) -> OraResult<(Output, File)> {
        let mut name = target.as_os_str().to_owned();
        name.push(".");
        name.push(BESIDE);
        // One that a crash has left is nobody's.
        let mut options = OpenOptions::new();
        Output::open(target, name.into(), options.create(true).truncate(true))
    }

    fn open(
        target: &Path,
        written: PathBuf,
        options: &mut OpenOptions,
    ) -> OraResult<(Output, File)> {
        let file = options
            .read(true)
            .write(true)
            .open(&written)
            .map_err(|error| creating(target, &error))?;
        let output = Output {
            target: target.to_owned(),
            written,
            published: false,
        };
        Ok((output, file))
    }

    /// Where it is while it is being written.
    pub fn written(&self) -> &Path {
        &self.written
    }

    /// Syncs the file, gives it its name and syncs the directory: after this a crash cannot take it away.
    ///
    /// # Errors
    /// ORA-19502.
    pub fn publish(mut self, file: &File) -> OraResult<()> {
        let failed = |error: io::Error| writing(&self.target, 0, &error);
        file.sync_all().map_err(failed)?;
        if self.written != self.target {
            std::fs::rename(&self.written, &self.target).map_err(failed)?;
        }
        self.published = true;
        File::open(home::parent(&self.target))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| writing(&self.target, 0, &error))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.published {
            // What failed is reported already; a file that stays is found by its size to be no backup.
            let _ = std::fs::remove_file(&self.written);
        }
    }
}

/// ORA-19504 for a file that cannot be created.
fn creating(path: &Path, error: &io::Error) -> OraError {
    let stack = OraError::new(
        19504,
        format!("failed to create file \"{}\"", path.display()),
    );
    match error.kind() {
        io::ErrorKind::AlreadyExists => stack.and(
            27038,
            "created file already exists\nAdditional information: 1",
        ),
        _ => stack.and(
            27040,
            format!(
                "file create error, unable to create file\n{}",
                system(error)
            ),
        ),
    }
}

/// ORA-19502 for a file that cannot be written.
pub fn writing(path: &Path, block: u64, error: &io::Error) -> OraError {
    let text = format!(
        "write error on file \"{}\", block number {block} (block size=8192)",
        path.display()
    );
    OraError::new(19502, text).and(27072, format!("File I/O error\n{}", system(error)))
}

/// ORA-19501 for a file that cannot be read.
pub fn reading(path: &Path, block: u64, error: &io::Error) -> OraError {
    let text = format!(
        "read error on file \"{}\", block number {block} (block size=8192)",
        path.display()
    );
    OraError::new(19501, text).and(27072, format!("File I/O error\n{}", system(error)))
}

/// ORA-19625 for a file that is not there.
pub fn identifying(path: &Path, error: &io::Error) -> OraError {
    OraError::new(19625, format!("error identifying file {}", path.display())).and(
        27037,
        format!("unable to obtain file status\n{}", system(error)),
    )
}

/// The line of the operating system under an ORA-27nnn.
fn system(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("Linux-x86_64 Error: {number}: {text}")
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_exists_is_kept_until_the_new_one_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.ctl");
        let (output, mut file) = Output::create(&path, false).unwrap();
        file.write_all(b"old").unwrap();
        output.publish(&file).unwrap();
        let error = Output::create(&path, false).unwrap_err();
        assert!(error.code() == 19504 && error.has(27038), "{error}");
        let (output, mut file) = Output::create(&path, true).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        drop(output);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let (output, mut file) = Output::create(&path, true).unwrap();
        file.write_all(b"new").unwrap();
        output.publish(&file).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_is_not_published_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        drop(Output::create(&directory.path().join("piece"), false).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let error = Output::create(&directory.path().join("no/piece"), false).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("Linux-x86_64 Error: 2: No such file or directory"),
            "{error}"
        );
    }
}
