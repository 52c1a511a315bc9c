//! `arch<SID>.log` made anew from detail logs and the copies they name, when it is lost or damaged.
//! What lives here: gathering, checking, writing. What does not: its lines (`archive`), and asking whether to do it.
//!
//! Nothing is entered that was not seen: a copy counts when it can be read, is a redo log, and has the hash that the log of
//! its run gives. What is left out is named; a log whose entry is left out is saved again by the next brarchive, if its
//! original is still there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oracle::redo::{LogHeader, LogReader};

use super::archive::{ArchiveSummary, ArchivedLogEntry, StoredCopy};
use crate::action_id::{ActionId, Stamp, Tool};
use crate::bounded;
use crate::brarchive::function::FUNCTIONS;
use crate::copy::hash_file;
use crate::environment::Environment;
use crate::lock::{Lock, LockError};
use crate::run_log::reader::{self, BYTES_MAX};

/// Most detail logs that are read.
const LOGS_MAX: usize = 100_000;
/// `Offline redo log file … deleted`.
const LOG_DELETED: u16 = 15;

/// Why it could not be made anew.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// brarchive is at work, or was killed on another machine.
    #[error("{0}. HINT: wait for that run; nothing was changed")]
    Locked(#[from] LockError),
    /// A directory or file that cannot be read or written.
    #[error("{}: {source}. HINT: nothing was changed; see its permissions and space", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to make it from.
    #[error(
        "no detail log of brarchive is in {0}. HINT: name directories with them, or with the copies, by --from"
    )]
    Nothing(String),
}

/// What was gathered.
#[derive(Debug)]
pub struct Rebuilt {
    /// The log as it would be written.
    pub summary: ArchiveSummary,
    /// Detail logs that were read.
    pub logs: usize,
    /// Copies and deletions that could not be entered, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Gathers from the detail logs in `saparch` and these directories, and writes nothing.
pub fn gather(environment: &Environment, from: &[PathBuf]) -> Result<Rebuilt, RebuildError> {
    let mut directories = vec![environment.saparch.clone(), environment.sapbackup.clone()];
    directories.extend_from_slice(from);
    let mut logs: BTreeMap<ActionId, PathBuf> = BTreeMap::new();
    for directory in &directories {
        find_logs(directory, &mut logs).map_err(|source| RebuildError::Io {
            path: directory.clone(),
            source,
        })?;
    }
    if logs.is_empty() {
        let names: Vec<String> = directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect();
        return Err(RebuildError::Nothing(names.join(", ")));
    }
    let mut gathering = Gathering::default();
    for (id, path) in &logs {
        let text = bounded::read_text(path, BYTES_MAX).map_err(|source| RebuildError::Io {
            path: path.clone(),
            source,
        })?;
        let function = path.extension().unwrap_or_default().to_string_lossy();
        gathering.take(*id, &function, &text);
    }
    let path = path_of(environment);
    Ok(Rebuilt {
        logs: logs.len(),
        left_out: std::mem::take(&mut gathering.left_out),
        summary: ArchiveSummary::new(&path, gathering.entries()),
    })
}

/// As [`gather`], and puts the result in place of the log. What was there is kept beside it; the result is its name.
///
/// After a crash the old log or the new one is there.
pub fn replace(
    environment: &Environment,
    from: &[PathBuf],
) -> Result<(Rebuilt, Option<PathBuf>), RebuildError> {
    let lock = Lock::path(
        Tool::Brarchive,
        &environment.sapbackup,
        &environment.saparch,
    );
    let _lock = Lock::take(&lock)?;
    let rebuilt = gather(environment, from)?;
    let path = path_of(environment);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| RebuildError::Io { path, source }
    };
    let kept = path.with_extension(format!("log.{}.old", Stamp::now().seconds()));
    let kept = match fs::hard_link(&path, &kept) {
        Ok(()) => Some(kept),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(failed(&kept)(source)),
    };
    let written = rebuilt.summary.write();
    written.map_err(|error| failed(&path)(io::Error::other(error)))?;
    Ok((rebuilt, kept))
}

fn path_of(environment: &Environment) -> PathBuf {
    environment
        .saparch
        .join(format!("arch{}.log", environment.sid))
}

/// Whether a detail log in a directory tells of a copy: then a missing `arch<SID>.log` is a lost one, because each copy is
/// entered there before its run's log tells of it.
pub fn tells_of_copies(saparch: &Path) -> bool {
    let mut logs = BTreeMap::new();
    let tells = |path: &PathBuf| {
        let text = bounded::read_text(path, BYTES_MAX).unwrap_or_default();
        text.lines().any(|line| line.starts_with("#SAVED"))
    };
    find_logs(saparch, &mut logs).is_ok() && logs.values().any(tells)
}

/// Detail logs of runs that copy or delete, by id; the same log in two directories is one.
fn find_logs(directory: &Path, logs: &mut BTreeMap<ActionId, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let (Some(stem), Some(extension)) = (path.file_stem(), path.extension()) else {
            continue;
        };
        let is_ours = FUNCTIONS.iter().any(|function| extension == function.id);
        let id: Result<ActionId, _> = stem.to_string_lossy().parse();
        if let Ok(id) = id
            && is_ours
            && id.letter() == 'a'
            && logs.len() < LOGS_MAX
            && path.is_file()
        {
            logs.entry(id).or_insert(path);
        }
    }
    Ok(())
}

/// A log being put together: its entry, and the header that tells it from others of its number.
struct Known {
    header: LogHeader,
    entry: ArchivedLogEntry,
}

#[derive(Default)]
struct Gathering {
    known: Vec<Known>,
    left_out: Vec<(PathBuf, String)>,
}

/// The lines of one saved log.
struct Saved {
    original: PathBuf,
    copy: PathBuf,
    volume: String,
    end: String,
}

impl Gathering {
    /// Takes in the log of one run, runs in the order of their ids.
    fn take(&mut self, id: ActionId, function: &str, text: &str) {
        let mut stamp = id.stamp().to_string();
        let (mut original, mut saved) = (None, None);
        for line in text.lines() {
            if let Some((number, rest)) = reader::message_number(line) {
                stamp = reader::last_stamp(line).unwrap_or(stamp);
                if number == LOG_DELETED {
                    self.deleted(id, function, rest, &stamp);
                }
                continue;
            }
            match reader::marker(line) {
                Some(("ARCHIVE", value)) => original = Some(PathBuf::from(value)),
                Some(("SAVED", value)) => {
                    let copy = original.take().zip(value.rsplit_once(' '));
                    saved = copy.map(|(original, (copy, volume))| Saved {
                        original,
                        copy: PathBuf::from(copy),
                        volume: volume.to_owned(),
                        end: stamp.clone(),
                    });
                }
                Some(("CHECK", value)) => {
                    if let Some(saved) = saved.take() {
                        self.saved(id, function, saved, reader::check(value));
                    }
                }
                _ => {}
            }
        }
    }

    fn saved(
        &mut self,
        id: ActionId,
        function: &str,
        saved: Saved,
        check: Option<(blake3::Hash, u64)>,
    ) {
        let (header, hash, bytes) = match judge(&saved.copy, check) {
            Ok(judged) => judged,
            Err(why) => {
                self.left_out.push((saved.copy, why));
                return;
            }
        };
        let copy = StoredCopy {
            id,
            function: function.to_owned(),
            volume: format!("#{}", saved.volume),
            end: saved.end,
            stored: Some((hash, bytes, saved.copy)),
            is_unread: false,
        };
        let same = self.known.iter_mut().find(|known| known.header == header);
        let Some(known) = same else {
            let written = fs::metadata(&saved.original).map(|found| found.mtime());
            let created = written.map_or(id.stamp(), Stamp::from_seconds);
            self.known.push(Known {
                entry: ArchivedLogEntry {
                    sequence: header.sequence.get(),
                    path: saved.original,
                    created: created.to_string(),
                    bytes,
                    first_scn: header.first_scn.get(),
                    thread: header.thread,
                    resetlogs_id: Some(header.resetlogs.time.raw()),
                    saved: Some(copy),
                    copied: None,
                    deleted: None,
                },
                header,
            });
            return;
        };
        let place = |copy: &StoredCopy| copy.stored.as_ref().map(|(_, _, path)| path.clone());
        if known.entry.saved.as_ref().and_then(place) != place(&copy) {
            known.entry.copied = Some(copy);
        }
    }

    fn deleted(&mut self, id: ActionId, function: &str, rest: &str, stamp: &str) {
        let words = rest.trim_end_matches('.');
        let Some(path) = words
            .strip_prefix("Offline redo log file ")
            .and_then(|rest| rest.strip_suffix(" deleted"))
        else {
            return;
        };
        let mut entries = self.known.iter_mut().rev().map(|known| &mut known.entry);
        match entries.find(|entry| entry.path == Path::new(path)) {
            Some(entry) => {
                entry.deleted = Some((id, function.to_owned(), stamp.to_owned()));
            }
            None => self.left_out.push((
                PathBuf::from(path),
                "it was deleted, and none of its copies can be entered".to_owned(),
            )),
        }
    }

    /// In ascending order within an incarnation.
    fn entries(mut self) -> Vec<ArchivedLogEntry> {
        self.known.sort_by_key(|known| {
            let header = &known.header;
            (
                header.resetlogs.scn,
                header.sequence,
                header.thread,
                header.first_scn,
            )
        });
        self.known.into_iter().map(|known| known.entry).collect()
    }
}

fn judge(
    copy: &Path,
    check: Option<(blake3::Hash, u64)>,
) -> Result<(LogHeader, blake3::Hash, u64), String> {
    let (hash, bytes) = check.ok_or("its run left no hash of it")?;
    let header = LogReader::open(copy)
        .map_err(|error| error.to_string())?
        .header()
        .clone();
    match hash_file(copy) {
        Ok(found) if found == hash => Ok((header, hash, bytes)),
        Ok(_) => Err("it is not what its run wrote: its hash is another".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
