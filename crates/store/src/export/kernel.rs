//! Exports by the kernel's NFS server, through `exportfs`.
//! What lives here: the exports file and the program. What does not: starting the kernel's server.
//!
//! The documented path `/Phoenix/<mount>/oracle_data` is a real one here: `/Phoenix` must lead to the store's `mounts`.
//! The kernel's server cannot be held back for a snapshot; the snapshot drivers notice a file that changes meanwhile, and
//! the PUT fails.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::admin::{MountRequest, Squash};
use api::code::Code;

use super::{ChangeLog, Exporter, RESTORE_IDS, Rest, allowed};
use crate::catalogue::mounts::MountRow;
use crate::directory;
use crate::refusal::Refusal;

/// The root of the documented paths.
const ROOT: &str = "/Phoenix";
/// Where it is on every Linux; a user's PATH does not lead there.
const PROGRAM: &str = "/usr/sbin/exportfs";
/// How long `exportfs` may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(30);
/// Pause between looks at whether it has ended.
const PROGRAM_PAUSE: Duration = Duration::from_millis(10);

/// The kernel's NFS server.
pub(crate) struct KernelExporter {
    file: PathBuf,
    mounts: PathBuf,
    /// Lines of the file by the number of the mount, or of the restore.
    lines: Mutex<BTreeMap<u64, String>>,
}

fn failed(message: String, hint: &str) -> Refusal {
    Refusal::new(Code::ExportFailed, message, hint)
}

impl KernelExporter {
    /// Exports directories below `mounts` by the exports file `file`.
    pub(crate) fn new(file: &Path, mounts: PathBuf) -> KernelExporter {
        KernelExporter {
            file: file.to_owned(),
            mounts,
            lines: Mutex::default(),
        }
    }

    /// Writes the file and has it read. On failure the lines are as before.
    fn apply(&self, change: impl FnOnce(&mut BTreeMap<u64, String>)) -> Result<(), Refusal> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = lines.clone();
        change(&mut wanted);
        let text: String = wanted.values().map(String::as_str).collect();
        if let Err(refusal) = self.write(&text).and_then(|()| run_exportfs()) {
            // What is exported stays as it was; the file says so again. If that fails too, the next change writes it.
            let before: String = lines.values().map(String::as_str).collect();
            let _ = self.write(&before);
            return Err(refusal);
        }
        *lines = wanted;
        Ok(())
    }

    fn add(&self, mount: &MountRow, id: u64, directory: &Path) -> Result<(), Refusal> {
        self.check_root()?;
        let line = line(mount, id, directory);
        self.apply(|lines| {
            lines.insert(id, line);
        })
    }

    fn remove(&self, id: u64) -> Result<(), Refusal> {
        let is_exported = self
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&id);
        if !is_exported {
            return Ok(());
        }
        self.apply(|lines| {
            lines.remove(&id);
        })
    }

    fn write(&self, lines: &str) -> Result<(), Refusal> {
        let parent = self.file.parent().unwrap_or(Path::new("/"));
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let temporary = parent.join(format!(".{name}.new"));
        let text = format!(
            "# Written by the Backstay store at each change; changes by hand are lost.\n{lines}"
        );
        let written = fs::create_dir_all(parent)
            .and_then(|()| fs::write(&temporary, text))
            .and_then(|()| fs::File::open(&temporary)?.sync_all())
            .and_then(|()| fs::rename(&temporary, &self.file))
            .and_then(|()| directory::sync(parent));
        written.map_err(|error| {
            failed(
                format!("{} cannot be written: {error}", self.file.display()),
                "run the store as root, or set exports_file",
            )
        })
    }

    fn check_root(&self) -> Result<(), Refusal> {
        let leads_to = fs::canonicalize(ROOT).ok();
        if leads_to.as_ref() == Some(&self.mounts) {
            return Ok(());
        }
        let found = leads_to.map_or_else(
            || "is not there".to_owned(),
            |path| format!("leads to {}", path.display()),
        );
        Err(failed(
            format!("{ROOT} {found}, and must lead to {}", self.mounts.display()),
            "ln -s <DIR>/mounts /Phoenix",
        ))
    }
}

/// The line of a mount or restore: the directory, then each range of addresses with its options.
fn line(mount: &MountRow, id: u64, directory: &Path) -> String {
    let squash = match mount.squash {
        Squash::None => "no_root_squash",
        Squash::Root => "root_squash",
        Squash::All => "all_squash",
    };
    let mut line = quoted(directory);
    for range in allowed(mount) {
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            " {range}(rw,sync,no_subtree_check,insecure,{squash},anonuid={},anongid={},fsid={})",
            mount.anonymous_uid, mount.anonymous_gid, id
        );
    }
    line.push('\n');
    line
}

/// A path as exports(5) wants it: what could end a word is written in octal.
fn quoted(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(*byte).to_string()
            }
            other => format!("\\{other:03o}"),
        })
        .collect()
}

fn run_exportfs() -> Result<(), Refusal> {
    let hint = "is nfs-kernel-server installed, and has /etc/exports.d or /etc/exports a dead path? Try 'exportfs -ra'";
    let mut child = Command::new(PROGRAM)
        .arg("-ra")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("exportfs cannot be started: {error}"), hint))?;
    let deadline = Instant::now() + PROGRAM_LIMIT;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(PROGRAM_PAUSE),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(
                    format!("exportfs did not end within {} s", PROGRAM_LIMIT.as_secs()),
                    hint,
                ));
            }
        }
    };
    if status.success() {
        return Ok(());
    }
    let said = child.stderr.take().map(|stderr| {
        let mut text = String::new();
        let mut limited = std::io::Read::take(stderr, 1000);
        // What cannot be read is not shown.
        let _ = std::io::Read::read_to_string(&mut limited, &mut text);
        text.trim().escape_debug().to_string()
    });
    Err(failed(
        format!(
            "exportfs -ra ended with {status}: {}",
            said.unwrap_or_default()
        ),
        hint,
    ))
}

impl Exporter for KernelExporter {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn address(&self) -> Option<String> {
        None
    }

    fn check(&self, request: &MountRequest) -> Result<(), Refusal> {
        if request.quota_bytes.is_some() {
            return Err(Refusal::bad_request(
                "a quota cannot be kept by the kernel's NFS server",
                "leave it out, or use a quota of the file system",
            ));
        }
        Ok(())
    }

    fn begin(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn export(&self, mount: &MountRow, data: &Path) -> Result<(), Refusal> {
        self.add(mount, mount.id, data)
    }

    fn withdraw(&self, mount: &MountRow) -> Result<(), Refusal> {
        self.remove(mount.id)
    }

    fn export_restore(&self, mount: &MountRow, job: u64, directory: &Path) -> Result<(), Refusal> {
        self.add(mount, RESTORE_IDS + job, directory)
    }

    fn withdraw_restore(&self, _mount: &MountRow, job: u64) -> Result<(), Refusal> {
        self.remove(RESTORE_IDS + job)
    }

    fn changes(&self) -> Option<&ChangeLog> {
        None // The kernel tells nobody what is written.
    }

    fn quiesce(&self, _mount: &MountRow) -> Result<Rest, Refusal> {
        Ok(Box::new(())) // Nothing holds the kernel's clients back; see above.
    }

    fn stop(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::mounts::Phase;
    use crate::snapshot::DriverKind;

    #[test]
    fn a_line_says_who_may_do_what() {
        let mount = MountRow {
            id: 7,
            name: "m".to_owned(),
            phase: Phase::Idle,
            reason: None,
            allow: vec!["10.1.0.0/16".to_owned()],
            quota_bytes: None,
            squash: Squash::All,
            anonymous_uid: 54321,
            anonymous_gid: 54322,
            driver: DriverKind::Copy,
            driver_reason: String::new(),
            created: String::new(),
            inode: 0,
            open_job: None,
            unanswered: None,
        };
        let options =
            "(rw,sync,no_subtree_check,insecure,all_squash,anonuid=54321,anongid=54322,fsid=7)";
        assert_eq!(
            line(&mount, 7, Path::new("/srv/back stay/m")),
            format!(
                "/srv/back\\040stay/m 10.1.0.0/16{options} 127.0.0.0/8{options} ::1{options}\n"
            )
        );
    }
}
