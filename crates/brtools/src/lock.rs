//! One run of a tool at a time: lock files that name who holds them and heal when nobody does any more.
//! What lives here: taking, judging and giving back. What does not: what a dead run has left behind in the database.
//!
//! The file holds lines `name value`: host, pid, the process's start time (clock ticks since boot, field 22 of
//! /proc/<pid>/stat, so that a reused pid is not taken for the holder), action id, time. It is created whole: written
//! under another name and linked into place, which fails when the name exists.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::action_id::{Stamp, Tool};
use crate::bounded;
use crate::durable;

/// Longest lock file that is read, in bytes.
const BYTES_MAX: u64 = 4096;

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Machine.
    pub host: String,
    /// Process.
    pub pid: u32,
    /// Its start in clock ticks since boot.
    pub started_ticks: u64,
    /// When it took the lock, in seconds since 1970 UTC.
    pub since_seconds: i64,
}

impl Holder {
    /// How long it has held the lock, in seconds.
    pub fn age_seconds(&self) -> i64 {
        (Stamp::now().seconds() - self.since_seconds).max(0)
    }

    /// Whether it is a process of this machine.
    pub fn is_here(&self) -> bool {
        self.host == host()
    }

    /// Whether the process lives; only to be asked of one that is here.
    pub fn is_alive(&self) -> bool {
        is_alive(self)
    }
}

/// Why a lock was not given.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A living run holds it, or one on another machine.
    #[error("process {} on host {} holds lock {} since {} seconds", holder.pid, holder.host, path.display(), holder.age_seconds())]
    Held {
        /// The file.
        path: PathBuf,
        /// Who.
        holder: Holder,
    },
    /// The file is there and cannot be understood.
    #[error("lock {} names no holder", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("lock {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A lock that is held; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Who held it when it was found stale, if it was.
    pub healed: Option<Holder>,
}

impl Lock {
    /// Name of a tool's lock: `.lock.brb` and the like.
    pub fn path(tool: Tool, sapbackup: &Path, saparch: &Path) -> PathBuf {
        match tool {
            Tool::Brbackup => sapbackup.join(".lock.brb"),
            Tool::Brarchive => saparch.join(".lock.bra"),
            Tool::Brrestore => sapbackup.join(".lock.brr"),
            Tool::Brrecover => sapbackup.join(".lock.brv"),
        }
    }

    /// Takes the lock. One of a process that does not live any more on this machine is taken over.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let mine = Holder {
            host: host(),
            pid: std::process::id(),
            started_ticks: started_ticks(std::process::id()).unwrap_or(0),
            since_seconds: Stamp::now().seconds(),
        };
        let mut healed = None;
        for _ in 0..3 {
            match create(path, &mine) {
                Ok(()) => {
                    return Ok(Lock {
                        path: path.to_owned(),
                        healed,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(error)),
            }
            let holder = match read(path) {
                Ok(Some(holder)) => holder,
                Ok(None) => {
                    return Err(LockError::Unreadable {
                        path: path.to_owned(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io(error)),
            };
            if holder.host != mine.host || is_alive(&holder) {
                return Err(LockError::Held {
                    path: path.to_owned(),
                    holder,
                });
            }
            if set_aside(path, &holder).map_err(io)? {
                healed = Some(holder);
            }
        }
        Err(io(io::Error::other("other runs took it three times")))
    }
}

impl Lock {
    /// Who holds a lock now: a living process of this machine, or anyone of another. None: nobody.
    pub fn living_holder(path: &Path) -> io::Result<Option<Holder>> {
        let holder = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        Ok(holder.filter(|holder| holder.host != host() || is_alive(holder)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("lock {}: {error}", self.path.display());
        }
    }
}

fn create(path: &Path, holder: &Holder) -> io::Result<()> {
    let temporary = durable::beside(path, &holder.pid.to_string());
    let text = format!(
        "host {}\npid {}\nstarted {}\nsince {}\ntime {}\n",
        holder.host,
        holder.pid,
        holder.started_ticks,
        holder.since_seconds,
        Stamp::from_seconds(holder.since_seconds)
    );
    fs::write(&temporary, text)?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked
}

/// Takes a stale lock away, unless another run has healed it and taken its own meanwhile. Whether it was taken away.
fn set_aside(path: &Path, stale: &Holder) -> io::Result<bool> {
    let aside = durable::beside(path, &format!("stale.{}", std::process::id()));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    }
    let was_stale = read(&aside)?.as_ref() == Some(stale);
    if !was_stale {
        // Somebody's fresh lock: back it goes; if a third one took the name meanwhile, that one keeps it.
        drop(fs::hard_link(&aside, path));
    }
    fs::remove_file(&aside)?;
    Ok(was_stale)
}

fn read(path: &Path) -> io::Result<Option<Holder>> {
    let text = match bounded::read_text(path, BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
        read => read?,
    };
    let value = |name: &str| {
        text.lines().find_map(|line| {
            line.split_once(' ')
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value)
        })
    };
    let holder = || {
        Some(Holder {
            host: value("host")?.to_string(),
            pid: value("pid")?.parse().ok()?,
            started_ticks: value("started")?.parse().ok()?,
            since_seconds: value("since")?.parse().ok()?,
        })
    };
    Ok(holder())
}

fn is_alive(holder: &Holder) -> bool {
    started_ticks(holder.pid).is_some_and(|ticks| ticks == holder.started_ticks)
}

/// Start of a process in clock ticks since boot; None when there is no such process, or only its remains.
fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name in parentheses may hold anything, also ')' and blanks: count fields behind the last ')'.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_exclusive_and_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock.brb");
        let lock = Lock::take(&path).unwrap();
        assert!(lock.healed.is_none());
        match Lock::take(&path) {
            Err(LockError::Held { holder, .. }) => assert_eq!(holder.pid, std::process::id()),
            other => panic!("{other:?}"),
        }
        drop(lock);
        assert!(!path.exists());
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_dead_holder_and_a_reused_pid_heal_but_another_machine_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock.bra");
        let mine = std::process::id();
        for (pid, ticks) in [(mine, 1), (u32::MAX - 1, 5)] {
            create(
                &path,
                &Holder {
                    host: host(),
                    pid,
                    started_ticks: ticks,
                    since_seconds: 0,
                },
            )
            .unwrap();
            let lock = Lock::take(&path).unwrap();
            assert_eq!(lock.healed.as_ref().map(|holder| holder.pid), Some(pid));
        }
        create(
            &path,
            &Holder {
                host: "elsewhere".into(),
                pid: 1,
                started_ticks: 1,
                since_seconds: 0,
            },
        )
        .unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Held { .. })));
        fs::write(&path, "nonsense").unwrap();
        assert!(matches!(
            Lock::take(&path),
            Err(LockError::Unreadable { .. })
        ));
    }
}
