//! The shipped RMAN scripts in the demo: the program carries them, the stage has them as files.
//! What lives here: writing them, what they need, what they leave in /tmp. What does not: running them.

use std::path::{Path, PathBuf};

use super::stage::{DemoError, SID, io};

/// The script that backs up.
pub const DATA_BACKUP: &str = "oracle_rman_data_backup.sh";
/// The script that brings back.
pub const RESTORE: &str = "oracle_rman_restore.sh";
/// Name and text of each.
const SCRIPTS: [(&str, &str); 3] = [
    (
        DATA_BACKUP,
        include_str!("../../../../scripts/oracle_rman_data_backup.sh"),
    ),
    (
        "oracle_rman_archivelog_backup.sh",
        include_str!("../../../../scripts/oracle_rman_archivelog_backup.sh"),
    ),
    (
        RESTORE,
        include_str!("../../../../scripts/oracle_rman_restore.sh"),
    ),
];
/// What they need that a small system may lack.
const PROGRAMS: [&str; 5] = ["curl", "awk", "flock", "setsid", "timeout"];
/// Where they keep their locks.
const LOCKS: &str = "/tmp";

/// Writes them into a directory.
pub fn write(directory: &Path) -> Result<(), DemoError> {
    for (name, text) in SCRIPTS {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(io("write", &path))?;
    }
    Ok(())
}

/// Finds out before anything begins what would stop the scripts in the middle of the story.
pub fn check(root: &Path) -> Result<(), DemoError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |name: &str| std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    if let Some(program) = PROGRAMS.into_iter().find(|name| !is_there(name)) {
        return Err(DemoError::NoProgram(program));
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._/+:@-".contains(letter);
    if root.to_str().is_some_and(|path| path.chars().all(is_plain)) {
        return Ok(());
    }
    Err(DemoError::Directory {
        path: root.to_path_buf(),
        why: "has other characters than A-Z a-z 0-9 . _ / + : @ -, and RMAN's formats give some a meaning"
            .to_string(),
        hint: "name another place with --dir",
    })
}

/// Removes their lock files. They leave them, because another run may have one open; here nobody else has.
pub fn remove_locks(mount: &str, data: &Path, home: &Path) {
    for (script, subject, locked) in [(DATA_BACKUP, mount, data), (RESTORE, SID, home)] {
        // One that is not there was never made.
        let _ = std::fs::remove_file(lock(script, subject, locked));
    }
}

fn lock(script: &str, subject: &str, locked: &Path) -> PathBuf {
    let sum = cksum(locked.as_os_str().as_encoded_bytes());
    Path::new(LOCKS).join(format!(".{script}.{subject}.{sum}.lock"))
}

/// The sum of POSIX's `cksum`, from which the scripts make the names of their locks.
fn cksum(bytes: &[u8]) -> u32 {
    let length = (bytes.len() as u64).to_le_bytes();
    let digits = (8 - (bytes.len() as u64).leading_zeros() as usize / 8).min(length.len());
    let all = bytes.iter().chain(length.iter().take(digits));
    !all.fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            (sum << 1) ^ (if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_named_as_the_scripts_name_them() {
        // printf %s TEXT | cksum
        for (text, sum) in [("", 4_294_967_295), ("123456789", 930_766_865)] {
            assert_eq!(cksum(text.as_bytes()), sum, "{text}");
        }
        let long = "/x".repeat(150);
        let output = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$1\" | cksum", "sh", &long])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("{} 300\n", cksum(long.as_bytes())));
        for (name, text) in SCRIPTS {
            let is_locking = text.contains("lock=/tmp/.$PROGRAM.");
            assert_eq!(is_locking, [DATA_BACKUP, RESTORE].contains(&name), "{name}");
            assert!(text.contains(&format!("PROGRAM={name}\n")), "{name}");
        }
    }

    #[test]
    fn a_path_that_rman_would_misread_is_refused_before_anything_begins() {
        assert!(check(Path::new("/tmp/backstay-demo-x1")).is_ok());
        for path in ["/tmp/a demo", "/tmp/100%", "/tmp/ü"] {
            let error = check(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains("HINT: name another place"), "{error}");
        }
    }
}
