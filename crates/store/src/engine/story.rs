//! What travels with a recovery point, so that the repository alone tells the story: the RMAN logs, what they say, names.
//! What lives here: writing it from a snapshot, reading it from a recovery point. What does not: RMAN's grammar (oracle).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use api::admin::{
    DatabaseContent, DatafileContent, LogContent, PointFile, RecoveryPoint, RecoveryPointContent,
};
use api::code::Code;
use oracle::rman::{self, CopiedFile, Map, MappedDatabase, Outcome, RelativePath, SnapshotFiles};
use repository::{OWN_DIRECTORY, Point, Repository};
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::catalogue::logs::{self, LogRow};
use crate::catalogue::snapshots::SnapshotRow;
use crate::refusal::Refusal;

/// Name of the data in a recovery point, as in a mount.
pub(super) const DATA: &str = "oracle_data";
/// Name of the story.
const STORY: &str = "recovery-point.json";
/// Form of the story; another one is not read.
const VERSION: u32 = 1;
/// So many bytes of a log travel with it; so many are read for the map, too.
const LOG_BYTES_MAX: u64 = rman::LOG_BYTES_MAX;

/// Small files by name.
type OwnFiles = Vec<(String, Vec<u8>)>;

/// The story of a recovery point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Story {
    version: u32,
    /// The store's number.
    store: String,
    pub mount: String,
    pub snapshot: String,
    pub time: String,
    pub logs: Vec<LogStory>,
}

/// A log, and what it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LogStory {
    /// Beside this story; none: only its name was sent.
    file: Option<String>,
    /// Its name on the database host.
    name: String,
    platform: String,
    mountpoint: String,
    pub map: Option<Map>,
}

impl Engine {
    /// The story of a snapshot, and the files that tell it.
    pub(super) fn write_story(
        &self,
        row: &SnapshotRow,
        data: &Path,
    ) -> Result<(Story, OwnFiles), Refusal> {
        let rows = self
            .catalogue
            .read(|connection| logs::of_snapshot(connection, &row.name))?;
        let files = snapshot_files(data)?;
        let mut story = Story {
            version: VERSION,
            store: self.uid.clone(),
            mount: row.mount.clone(),
            snapshot: row.name.clone(),
            time: row.time.clone(),
            logs: Vec::new(),
        };
        let mut own = Vec::new();
        for (number, log) in rows.iter().enumerate() {
            let name = match number {
                0 => "rman.log".to_owned(),
                number => format!("rman-{}.log", number + 1),
            };
            let content = self.read_log(log)?;
            story.logs.push(LogStory {
                file: content.is_some().then(|| name.clone()),
                name: log.name.clone(),
                platform: log.platform.clone(),
                mountpoint: log.mountpoint.clone(),
                map: match &content {
                    Some(content) => Some(map(content, &log.mountpoint, &files)?),
                    None => None,
                },
            });
            own.extend(content.map(|content| (name, content)));
        }
        let json = serde_json::to_vec_pretty(&story)
            .map_err(|error| Refusal::of(Code::Internal, &error))?;
        own.push((STORY.to_owned(), json));
        // As directories have them.
        own.sort();
        Ok((story, own))
    }

    fn read_log(&self, log: &LogRow) -> Result<Option<Vec<u8>>, Refusal> {
        if !log.has_content {
            return Ok(None);
        }
        let path = self.directory.logs().join(log.id.to_string());
        let mut content = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(LOG_BYTES_MAX).read_to_end(&mut content));
        match read {
            Ok(_) => Ok(Some(content)),
            Err(error) => Err(Refusal::new(
                Code::Internal,
                format!("the RMAN log {}: {error}", path.display()),
                "it belongs to a snapshot that waits; look at the disk of the store's directory",
            )),
        }
    }
}

/// What a backup is known to be of which no log was sent.
pub(super) fn no_map() -> Map {
    Map {
        outcome: Outcome::NothingFound,
        databases: Vec::new(),
        missing: Vec::new(),
        elsewhere: Vec::new(),
        found_by_tail: Vec::new(),
        is_cut: false,
    }
}

fn map(content: &[u8], mountpoint: &str, files: &SnapshotFiles) -> Result<Map, Refusal> {
    let account = rman::read_log(BufReader::new(content))
        .map_err(|error| Refusal::of(Code::Internal, &error))?;
    Ok(account.in_directory(mountpoint, files))
}

fn snapshot_files(data: &Path) -> Result<SnapshotFiles, Refusal> {
    let mut paths = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let full = data.join(&directory);
        let failed = |error: std::io::Error| {
            Refusal::new(
                Code::Internal,
                format!("{}: {error}", full.display()),
                "look at the disk of the store's directory",
            )
        };
        for entry in std::fs::read_dir(&full).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = directory.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                paths.extend(relative(&path));
            }
        }
    }
    Ok(SnapshotFiles::new(paths))
}

/// A name that no log could have written is no file of a log.
fn relative(path: &Path) -> Option<RelativePath> {
    RelativePath::new(path.to_str()?).ok()
}

impl Story {
    /// Names of the databases of which there are files.
    pub(super) fn databases(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .mapped()
            .filter_map(|database| database.name.clone())
            .collect();
        names.into_iter().collect()
    }

    /// Everything that the logs say of databases.
    pub(super) fn mapped(&self) -> impl Iterator<Item = &MappedDatabase> {
        self.logs
            .iter()
            .filter_map(|log| log.map.as_ref())
            .flat_map(|map| &map.databases)
    }

    /// What all logs say together. The least of their outcomes is that of all.
    pub(super) fn whole_map(&self) -> Map {
        let mut maps = self.logs.iter().filter_map(|log| log.map.clone());
        let Some(mut whole) = maps.next() else {
            return no_map();
        };
        for map in maps {
            whole.databases.extend(map.databases);
            whole.missing.extend(map.missing);
            whole.elsewhere.extend(map.elsewhere);
            whole.found_by_tail.extend(map.found_by_tail);
            whole.is_cut |= map.is_cut;
            if whole.outcome == Outcome::Parsed {
                whole.outcome = map.outcome;
            }
        }
        whole
    }

    /// What a recovery point says of itself; none if no store made it.
    pub(super) fn of(repository: &Repository, point: &Point) -> Result<Option<Story>, Refusal> {
        let path = Path::new(OWN_DIRECTORY).join(STORY);
        let Some(json) = repository.read_small(point, &path)? else {
            return Ok(None);
        };
        let story: Story = serde_json::from_slice(&json).map_err(|error| {
            Refusal::new(
                Code::RepositoryDamaged,
                format!("{} of recovery point {}: {error}", path.display(), point.id),
                "was it made by a later release? Its files can be restored with --path, or by restic",
            )
        })?;
        Ok(Some(story).filter(|story| story.version == VERSION))
    }
}

/// Paths below the data, as text; those of other names are shown as far as they are text.
pub(super) fn data_files(
    repository: &Repository,
    point: &Point,
) -> Result<Vec<(String, u64)>, Refusal> {
    let mut files = Vec::new();
    for (path, bytes) in repository.files_of(point)? {
        if let Ok(below) = path.strip_prefix(DATA) {
            files.push((below.to_string_lossy().into_owned(), bytes));
        }
    }
    Ok(files)
}

/// A recovery point with everything that is known of its files.
pub(super) fn content(
    row: RecoveryPoint,
    story: Option<&Story>,
    files: &[(String, u64)],
) -> RecoveryPointContent {
    let sizes: BTreeMap<&str, u64> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), *bytes))
        .collect();
    let mut claimed = BTreeSet::new();
    let logs = story.map_or(&[][..], |story| &story.logs);
    let told = logs
        .iter()
        .map(|log| log_content(log, &sizes, &mut claimed))
        .collect();
    let unclaimed = files.iter().filter(|(path, _)| !claimed.contains(path));
    let additional = unclaimed.map(|(path, bytes)| PointFile {
        path: path.clone(),
        bytes: *bytes,
        kind: String::new(),
    });
    RecoveryPointContent {
        point: row,
        logs: told,
        additional: additional.collect(),
    }
}

fn log_content(
    log: &LogStory,
    sizes: &BTreeMap<&str, u64>,
    claimed: &mut BTreeSet<String>,
) -> LogContent {
    let (outcome, told) = outcome(log.map.as_ref());
    let databases = log.map.as_ref().map_or(&[][..], |map| &map.databases);
    let missing = log.map.as_ref().map_or(&[][..], |map| &map.missing);
    LogContent {
        name: log.name.clone(),
        mountpoint: log.mountpoint.clone(),
        outcome: outcome.to_owned(),
        told,
        missing: missing.iter().map(|missing| missing.path.clone()).collect(),
        databases: databases
            .iter()
            .map(|database| database_content(database, sizes, claimed))
            .collect(),
    }
}

fn outcome(map: Option<&Map>) -> (&'static str, String) {
    match map.map(|map| &map.outcome) {
        None => ("not_sent", "only the log's name was sent, not its content".to_owned()),
        Some(Outcome::Parsed) => ("parsed", "read as a whole".to_owned()),
        Some(Outcome::Partial { because }) => {
            let reasons: Vec<String> = because.iter().map(|reason| words(&format!("{reason:?}"))).collect();
            ("partial", format!("read in part: {}", reasons.join(", ")))
        }
        Some(Outcome::Localised) => (
            "localised",
            "in another language and without message numbers, so it was not read. HINT: run RMAN with msgno and NLS_LANG=AMERICAN_AMERICA".to_owned(),
        ),
        Some(Outcome::NothingFound) => ("nothing_found", "it tells of no backup".to_owned()),
    }
}

/// `HeadMissing` as `head missing`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

fn database_content(
    database: &MappedDatabase,
    sizes: &BTreeMap<&str, u64>,
    claimed: &mut BTreeSet<String>,
) -> DatabaseContent {
    let mut kinds: BTreeMap<&str, String> = BTreeMap::new();
    for piece in &database.pieces {
        let what = if piece.is_autobackup {
            "autobackup"
        } else {
            "backup piece"
        };
        kinds.insert(piece.file.as_str(), what.to_owned());
    }
    for copy in &database.copies {
        let what = match &copy.of {
            CopiedFile::Datafile { .. } => "image copy",
            CopiedFile::ControlFile => "control file copy",
            CopiedFile::StandbyControlFile => "standby control file copy",
            CopiedFile::ArchivedLog { .. } => "archived log",
        };
        kinds.insert(copy.file.as_str(), what.to_owned());
    }
    for file in &database.unusable {
        kinds.insert(file.as_str(), "of no use".to_owned());
    }
    claimed.extend(kinds.keys().map(|path| (*path).to_owned()));
    let texts = |files: &[RelativePath]| {
        files
            .iter()
            .map(|file| file.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    DatabaseContent {
        name: database.name.clone(),
        dbid: database.dbid,
        datafiles: database
            .datafiles
            .iter()
            .map(|datafile| DatafileContent {
                number: datafile.number,
                name: datafile.name.clone(),
                tablespace: datafile.tablespace.clone(),
                files: texts(&datafile.files),
            })
            .collect(),
        archived_logs: database
            .archived_logs
            .iter()
            .map(|log| format!("thread {} sequence {}", log.thread, log.sequence))
            .collect(),
        files: kinds
            .into_iter()
            .map(|(path, kind)| PointFile {
                path: path.to_owned(),
                bytes: sizes.get(path).copied().unwrap_or(0),
                kind,
            })
            .collect(),
        unusable: texts(&database.unusable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_words() {
        assert_eq!(words("HeadMissing"), "head missing");
        let partial = Outcome::Partial {
            because: vec![rman::Shortcoming::TailMissing, rman::Shortcoming::TooMuch],
        };
        let map: Map = serde_json::from_value(serde_json::json!({
            "outcome": partial, "databases": [], "missing": [], "elsewhere": [], "found_by_tail": [], "is_cut": false
        }))
        .unwrap();
        assert_eq!(
            outcome(Some(&map)).1,
            "read in part: tail missing, too much"
        );
    }
}
