//! What another shell asks of a tool that is at work: stop after this file, wait, go on.
//! What lives here: the file beside the lock through which it is asked. What does not: what a tool does then.
//!
//! A run that holds its lock keeps `.request.<tool>` beside it, with one word: `go-on`, `stop` or `suspend`. Whoever asks
//! replaces the file whole; the run looks at it between two files, and removes it at its end. One that a killed run has
//! left means nothing: who holds the lock begins with a new one.

use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::durable;
use crate::lock::{Holder, Lock};

/// Longest request that is read, in bytes.
const BYTES_MAX: u64 = 64;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Nothing, or nothing any more.
    GoOn,
    /// End after the file at work.
    Stop,
    /// Begin no other file until told to go on.
    Suspend,
}

impl Request {
    const ALL: [Request; 3] = [Request::GoOn, Request::Stop, Request::Suspend];

    const fn word(self) -> &'static str {
        match self {
            Request::GoOn => "go-on",
            Request::Stop => "stop",
            Request::Suspend => "suspend",
        }
    }
}

/// Why nobody could be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no run.
    #[error("no run holds lock {}", .0.display())]
    NobodyThere(PathBuf),
    /// There is one, which has not begun to listen or has just ended.
    #[error("process {} on host {} does not take requests", .0.pid, .0.host)]
    NobodyListens(Holder),
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The lock or the request.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where a run finds what is asked of it. Dropping it means that it listens no more.
#[derive(Debug)]
pub struct Inbox {
    path: PathBuf,
}

impl Inbox {
    /// Begins to listen; to be called with the lock held.
    pub fn open(lock: &Path) -> io::Result<Inbox> {
        let path = beside_lock(lock);
        write(&path, Request::GoOn)?;
        Ok(Inbox { path })
    }

    /// What is asked now. A file that was removed or holds nonsense asks for nothing.
    pub fn request(&self) -> Request {
        let text = bounded::read_text(&self.path, BYTES_MAX).unwrap_or_default();
        let word = text.trim();
        let known = Request::ALL.into_iter();
        known
            .into_iter()
            .find(|request| request.word() == word)
            .unwrap_or(Request::GoOn)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Left behind it means nothing, as after a kill.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Asks the run that holds this lock. Who it is.
pub fn ask(lock: &Path, request: Request) -> Result<Holder, AskError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| AskError::Io { path, source }
    };
    let holder = Lock::living_holder(lock)
        .map_err(failed(lock))?
        .ok_or_else(|| AskError::NobodyThere(lock.to_owned()))?;
    let path = beside_lock(lock);
    if !path.exists() {
        return Err(AskError::NobodyListens(holder));
    }
    write(&path, request).map_err(failed(&path))?;
    Ok(holder)
}

fn write(path: &Path, request: Request) -> io::Result<()> {
    durable::replace(path, format!("{}\n", request.word()).as_bytes())
}

/// `.lock.bra` gives `.request.bra`.
fn beside_lock(lock: &Path) -> PathBuf {
    let name = lock.file_name().unwrap_or_default().to_string_lossy();
    let tool = name.rsplit('.').next().unwrap_or_default();
    lock.with_file_name(format!(".request.{tool}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_heard_by_the_run_that_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock.bra");
        assert!(matches!(
            ask(&path, Request::Stop),
            Err(AskError::NobodyThere(_))
        ));
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(
            ask(&path, Request::Stop),
            Err(AskError::NobodyListens(_))
        ));
        let inbox = Inbox::open(&path).unwrap();
        assert_eq!(inbox.request(), Request::GoOn);
        for request in [Request::Suspend, Request::GoOn, Request::Stop] {
            assert_eq!(ask(&path, request).unwrap().pid, std::process::id());
            assert_eq!(inbox.request(), request);
        }
        drop(inbox);
        drop(lock);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_old_request_and_nonsense_mean_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock.bra");
        let request = directory.path().join(".request.bra");
        std::fs::write(&request, "stop\n").unwrap();
        let inbox = Inbox::open(&path).unwrap();
        assert_eq!(inbox.request(), Request::GoOn);
        for nonsense in ["", "halt", &"stop ".repeat(1000)] {
            std::fs::write(&request, nonsense).unwrap();
            assert_eq!(inbox.request(), Request::GoOn);
        }
    }
}
