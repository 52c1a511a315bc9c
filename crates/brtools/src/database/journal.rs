//! The journal `sapbackup/.backup_mode.<SID>`: which backup modes this tool has begun and not yet ended.
//! What lives here: its format and its safe writing. What does not: what follows from it, which `backup_mode` decides.
//!
//! The file outlives a kill -9. It is written and synced *before* BEGIN BACKUP is sent and completed with V$BACKUP's SCN
//! and time after it, because these two are what tells our backup mode from somebody else's. Text, one fact a line:
//!
//! ```text
//! version 1
//! action bczhvugd
//! host snd01
//! pid 4711
//! session 4712 8846201
//! dbid 1234567
//! begin 5 1999-02-07 23:19:59 PSAP40BD
//! file 2 2049:131 begun 90210 1999-02-07 23:20:00
//! file 3 2049:132 asked 90188
//! ```

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::DatabaseError;

/// Largest journal that is read: every data file of the largest database.
const JOURNAL_BYTES_MAX: u64 = 16 << 20;

/// The journal's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journal {
    /// Action id of the run that wrote it.
    pub action: String,
    /// Host of that run.
    pub host: String,
    /// Process number of that run.
    pub pid: u32,
    /// The `sqlplus` that was told to begin: killed, we leave it behind with its statement.
    pub session: ProcessMark,
    /// DBID of the database, so that a journal is not applied to another one.
    pub dbid: u32,
    /// Tablespaces, in the order of their BEGIN.
    pub entries: Vec<Entry>,
}

/// One tablespace whose backup mode was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub tablespace_number: u32,
    pub tablespace: String,
    /// When BEGIN BACKUP was about to be sent.
    pub asked: OracleTime,
    pub files: Vec<EntryFile>,
}

/// One data file of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryFile {
    pub number: u32,
    /// Device and inode of the file, to tell it from a restored one.
    pub identity: FileIdentity,
    pub state: EntryState,
}

/// How far BEGIN BACKUP is known to have come for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryState {
    /// About to be asked for, when this was the current SCN.
    Asked(Scn),
    /// Begun, with V$BACKUP's CHANGE# and TIME.
    Begun(Scn, OracleTime),
}

/// A process, told from a later one with its number by its start time. All zero where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ProcessMark {
    pub pid: u32,
    /// In clock ticks since the machine started, as Linux counts.
    pub started: u64,
}

impl ProcessMark {
    /// Of a living process.
    pub(super) fn of(pid: u32) -> ProcessMark {
        started(pid).map_or(ProcessMark::default(), |started| ProcessMark {
            pid,
            started,
        })
    }

    /// Whether that very process is still there.
    pub(super) fn is_alive(self) -> bool {
        self.pid != 0 && started(self.pid) == Some(self.started)
    }
}

/// Field 22 of `/proc/<pid>/stat`, counted after the name in parentheses; a zombie has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18)?.parse().ok()
}

/// Which file on disk it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    pub device: u64,
    pub inode: u64,
}

impl FileIdentity {
    /// Of the file at this path; zero where it cannot be asked.
    pub(super) fn of(path: &Path) -> FileIdentity {
        fs::metadata(path).map_or(
            FileIdentity {
                device: 0,
                inode: 0,
            },
            |metadata| FileIdentity {
                device: metadata.dev(),
                inode: metadata.ino(),
            },
        )
    }
}

/// The journal of an instance, wherever `sapbackup` is.
pub(super) fn path_for(sapbackup: &Path, oracle_sid: &str) -> PathBuf {
    sapbackup.join(format!(".backup_mode.{oracle_sid}"))
}

/// Reads the journal; None where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Journal>, DatabaseError> {
    let failed = |why: String| DatabaseError::Journal {
        what: "reading",
        path: path.to_owned(),
        why,
    };
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    if length > JOURNAL_BYTES_MAX {
        return Err(failed(format!("{length} bytes are no journal")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    parse(&text).map(Some).map_err(failed)
}

/// Replaces the journal so that a crash leaves either the old or the new one; on disk when this returns.
pub(super) fn write(path: &Path, journal: &Journal) -> Result<(), DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::Journal {
        what: "writing",
        path: path.to_owned(),
        why: error.to_string(),
    };
    let new = path.with_extension(format!(
        "{}.new",
        path.extension().unwrap_or_default().to_string_lossy()
    ));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed)?;
    file.write_all(print(journal).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    sync_directory(path).map_err(failed)
}

/// Removes the journal, durably.
pub(super) fn remove(path: &Path) -> Result<(), DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::Journal {
        what: "removing",
        path: path.to_owned(),
        why: error.to_string(),
    };
    match fs::remove_file(path) {
        Ok(()) => sync_directory(path).map_err(failed),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn print(journal: &Journal) -> String {
    let mut text = format!(
        "# Backup modes begun by brbackup and not yet ended. The next brbackup ends them; do not edit.\n\
         version 1\naction {}\nhost {}\npid {}\nsession {} {}\ndbid {}\n",
        journal.action,
        journal.host,
        journal.pid,
        journal.session.pid,
        journal.session.started,
        journal.dbid
    );
    for entry in &journal.entries {
        let Entry {
            tablespace_number,
            tablespace,
            asked,
            files,
        } = entry;
        writeln!(text, "begin {tablespace_number} {asked} {tablespace}")
            .expect("a String takes everything");
        for file in files {
            let FileIdentity { device, inode } = file.identity;
            let state = match file.state {
                EntryState::Asked(scn) => format!("asked {scn}"),
                EntryState::Begun(scn, time) => format!("begun {scn} {time}"),
            };
            writeln!(text, "file {} {device}:{inode} {state}", file.number)
                .expect("a String takes everything");
        }
    }
    text
}

fn parse(text: &str) -> Result<Journal, String> {
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut head = |key: &str| -> Result<String, String> {
        let line = lines
            .next()
            .ok_or_else(|| format!("the line '{key}' is missing"))?;
        let value = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(' '));
        value
            .map(str::to_owned)
            .ok_or_else(|| format!("'{line}' stands where '{key}' belongs"))
    };
    let version = head("version")?;
    if version != "1" {
        return Err(format!("version {version} is not known here"));
    }
    let mut journal = Journal {
        action: head("action")?,
        host: head("host")?,
        pid: number(&head("pid")?)?,
        session: head("session").and_then(|text| parse_process(&text))?,
        dbid: number(&head("dbid")?)?,
        entries: Vec::new(),
    };
    for line in lines {
        match line.split_once(' ') {
            Some(("begin", rest)) => journal
                .entries
                .push(parse_entry(rest).ok_or_else(|| format!("'{line}' is no begin line"))?),
            Some(("file", rest)) => {
                let file = parse_file(rest).ok_or_else(|| format!("'{line}' is no file line"))?;
                journal
                    .entries
                    .last_mut()
                    .ok_or("a file line stands before every begin line")?
                    .files
                    .push(file);
            }
            _ => return Err(format!("'{line}' is not known here")),
        }
    }
    Ok(journal)
}

fn parse_process(text: &str) -> Result<ProcessMark, String> {
    let parsed = text.split_once(' ').and_then(|(pid, started)| {
        Some(ProcessMark {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    });
    parsed.ok_or_else(|| format!("'{text}' is no process"))
}

fn parse_entry(rest: &str) -> Option<Entry> {
    let [tablespace_number, day, time, tablespace] = words(rest)?;
    Some(Entry {
        tablespace_number: tablespace_number.parse().ok()?,
        tablespace: tablespace.to_owned(),
        asked: OracleTime::parse(&format!("{day} {time}"))?,
        files: Vec::new(),
    })
}

fn parse_file(rest: &str) -> Option<EntryFile> {
    let [file, identity, state] = words(rest)?;
    let (device, inode) = identity.split_once(':')?;
    let state = match state.split_once(' ')? {
        ("asked", scn) => EntryState::Asked(Scn::new(scn.parse().ok()?)),
        ("begun", rest) => {
            let [scn, day, time] = words(rest)?;
            EntryState::Begun(
                Scn::new(scn.parse().ok()?),
                OracleTime::parse(&format!("{day} {time}"))?,
            )
        }
        _ => return None,
    };
    let identity = FileIdentity {
        device: device.parse().ok()?,
        inode: inode.parse().ok()?,
    };
    Some(EntryFile {
        number: file.parse().ok()?,
        identity,
        state,
    })
}

/// Exactly N words; the last takes the rest of the line.
fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.splitn(N, ' ').collect::<Vec<_>>().try_into().ok()
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("'{text}' is no number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(seconds: u8) -> OracleTime {
        OracleTime::from_civil(2026, 3, 7, 1, 44, seconds).unwrap()
    }

    fn journal() -> Journal {
        let identity = FileIdentity {
            device: 2049,
            inode: 131,
        };
        Journal {
            action: "bczhvugd".into(),
            host: "snd01".into(),
            pid: 4711,
            session: ProcessMark {
                pid: 4712,
                started: 8846201,
            },
            dbid: 99,
            entries: vec![
                Entry {
                    tablespace_number: 1,
                    tablespace: "PSAP40BD".into(),
                    asked: time(1),
                    files: vec![
                        EntryFile {
                            number: 2,
                            identity,
                            state: EntryState::Begun(Scn::new(90210), time(2)),
                        },
                        EntryFile {
                            number: 3,
                            identity,
                            state: EntryState::Asked(Scn::new(90188)),
                        },
                    ],
                },
                Entry {
                    tablespace_number: 2,
                    tablespace: "A B".into(),
                    asked: time(3),
                    files: Vec::new(),
                },
            ],
        }
    }

    #[test]
    fn a_journal_reads_back_as_it_was_written_and_removal_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = path_for(directory.path(), "SND");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, &journal()).unwrap();
        assert_eq!(read(&path).unwrap(), Some(journal()));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_process_is_alive_only_as_long_as_its_start_time_fits() {
        let own = ProcessMark::of(std::process::id());
        assert!(own.is_alive() && own.started > 0);
        assert!(
            !ProcessMark {
                started: own.started + 1,
                ..own
            }
            .is_alive()
        );
        assert!(!ProcessMark::default().is_alive());
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_named() {
        let error = write(Path::new("/nowhere/.backup_mode.SND"), &journal()).unwrap_err();
        assert!(
            error.to_string().contains("/nowhere/.backup_mode.SND"),
            "{error}"
        );
    }

    #[test]
    fn a_cut_or_foreign_journal_is_refused_not_guessed() {
        let whole = print(&journal());
        for text in [
            "",
            "version 2\n",
            "hello\n",
            &whole.replace("file 2", "file x"),
            &whole.replace("begin 1", "begins 1"),
            &whole.replace("begun 90210", "done 90210"),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in "\\PC{0,200}", cut in 0_usize..400) {
            let _ = parse(&text); // Only that it returns is asked here.
            let whole = print(&journal());
            let _ = parse(whole.get(..cut.min(whole.len())).unwrap_or("")); // As above.
        }
    }
}
