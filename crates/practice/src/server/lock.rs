//! The lock that makes an instance unique: `dbs/lk<SID>`.
//! What lives here: taking it, and naming who holds it. What does not: the socket.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::engine::Home;
use crate::engine::error::{OraError, OraResult};

/// How long the lock is tried: somebody who only looks whether it is taken holds it for a moment.
const PATIENCE: Duration = Duration::from_millis(300);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// The lock; it goes with the process.
pub(super) struct Lock(
    #[expect(dead_code, reason = "the lock lives as long as the open file")] File,
);

/// Takes the lock and writes the process id into the file.
///
/// # Errors
/// ORA-01081 when another process has it, ORA-09968 when the file cannot be used.
pub(super) fn take(home: &Home) -> OraResult<Lock> {
    let path = home.lock_file();
    let unable = |error: std::io::Error| {
        OraError::new(9968, "unable to lock file")
            .and(27037, format!("{}: {error}", path.display()))
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(&path)
        .map_err(unable)?;
    let deadline = Instant::now() + PATIENCE;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() > deadline {
            return Err(already_running(home, &mut file));
        }
        std::thread::sleep(PAUSE);
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unable)?;
    Ok(Lock(file))
}

fn already_running(home: &Home, file: &mut File) -> OraError {
    let mut owner = String::new();
    // Without its number the message is still right.
    let _ = file.take(32).read_to_string(&mut owner);
    OraError::new(
        1081,
        "cannot start already-running ORACLE - shut it down first",
    )
    .and(
        9968,
        format!(
            "unable to lock file {}: process {} has it",
            home.lock_file().display(),
            owner.trim()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_told_who_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::new(directory.path(), "SND");
        assert_eq!(take(&home).err().unwrap().code(), 9968);
        std::fs::create_dir(directory.path().join("dbs")).unwrap();
        let first = take(&home).unwrap();
        let error = take(&home).err().unwrap();
        assert_eq!(error.code(), 1081);
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        drop(first);
        assert!(take(&home).is_ok());
    }
}
