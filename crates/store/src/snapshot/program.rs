//! The program `btrfs` of btrfs-progs as a child process.
//! What lives here: how it is called and what it says. What does not: what for.
//!
//! A program and not ioctls: these need unsafe code, which is forbidden here, and the program is what an administrator can
//! run again by hand.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::SnapshotError;

/// Of what it says so much is kept; the rest is read and forgotten.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// Characters of it that a message repeats.
const SAID_CHARACTERS_MAX: usize = 500;
/// The places of system programs, which services and ordinary users may not have in their path.
const SYSTEM_PLACES: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// Runs `btrfs` and returns what it said. `held` becomes its standard input, which it does not read: a lock on it is
/// then held until the program has ended, even when the store is killed meanwhile. Paths must be absolute.
pub(super) fn btrfs(
    arguments: &[&str],
    paths: &[&Path],
    held: &OwnedFd,
) -> Result<String, SnapshotError> {
    let failed = |said: String, hint: &'static str| SnapshotError::Program {
        command: shown(arguments, paths),
        said,
        hint,
    };
    let (said, success) = run(arguments, paths, held).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => failed(
            "there is no such program".to_owned(),
            "install btrfs-progs (Debian: apt install btrfs-progs)",
        ),
        _ => failed(
            error.to_string(),
            "look at the limits of the store's process",
        ),
    })?;
    if success {
        return Ok(said);
    }
    let said = one_line(&said);
    if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
        return Err(SnapshotError::Full {
            path: paths.last().copied().unwrap_or(Path::new("/")).to_owned(),
            source: io::Error::other(said),
        });
    }
    Err(failed(
        said,
        "the store must run as root, and nothing else may make or mount subvolumes there",
    ))
}

/// What it said on both outputs, and whether it succeeded.
fn run(arguments: &[&str], paths: &[&Path], held: &OwnedFd) -> io::Result<(String, bool)> {
    let (mut said, says) = io::pipe()?;
    let mut child = Command::new("btrfs")
        .args(arguments)
        .args(paths)
        .env_clear()
        .env("PATH", SYSTEM_PLACES)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::from(held.try_clone()?))
        .stdout(says.try_clone()?)
        .stderr(says)
        .spawn()?;
    let mut kept = Vec::new();
    // All is read, so that the program never stands before a full pipe. An error here ends the text; the status decides.
    let _ = said.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut kept);
    let _ = io::copy(&mut said, &mut io::sink());
    let status = child.wait()?;
    let said = String::from_utf8_lossy(&kept).into_owned();
    Ok((said, status.success()))
}

fn shown(arguments: &[&str], paths: &[&Path]) -> String {
    let mut shown = format!("btrfs {}", arguments.join(" "));
    for path in paths {
        shown.push_str(&format!(" {}", path.display()));
    }
    shown
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(SAID_CHARACTERS_MAX).collect();
    match line.strip_prefix("ERROR: ") {
        Some(rest) => rest.to_owned(),
        None if line.is_empty() => "it said nothing".to_owned(),
        None => line,
    }
}
