//! What of an account is in a snapshot: database to data files, logs and pieces, and which files nobody claims.
//! What lives here: the map and its JSON. What does not: which file of the snapshot a path of the log is (matching.rs).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::LINKS_MAX;
use super::account::{
    Account, BackupSet, BlockRange, CopiedFile, Database, Fate, ImageCopy, Outcome, Piece, SetKind,
    SetState,
};
use super::copy_name::of_datafile;
use super::matching::{Matches, Place};
use super::snapshot_files::{RelativePath, SnapshotFiles};

/// An account, as far as its files are in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// The account's: a log that could not be read is another answer than one that tells of nothing.
    pub outcome: Outcome,
    /// The databases of which the snapshot has files, in the account's order.
    pub databases: Vec<MappedDatabase>,
    /// What the log says lies on the mount, and does not.
    pub missing: Vec<MissingFile>,
    /// What the log says lies elsewhere, such as on the host's own disks, by its path there.
    pub elsewhere: Vec<String>,
    /// Files that were found by the end of their path only, because the log has it with another mount point.
    pub found_by_tail: Vec<FoundByTail>,
    /// More than [`LINKS_MAX`](super::LINKS_MAX) links from data files and logs to files: the rest is not here.
    pub is_cut: bool,
}

/// A database's files in a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedDatabase {
    /// Its name, where it is known.
    pub name: Option<String>,
    /// Its DBID, where it is known.
    pub dbid: Option<u64>,
    /// Its data files, by number.
    pub datafiles: Vec<MappedDatafile>,
    /// Its archived logs, by thread and sequence.
    pub archived_logs: Vec<MappedLog>,
    /// Files with a control file in them, in the log's order: the last one is the newest.
    pub control_files: Vec<RelativePath>,
    /// Files with a control file for a standby database in them, likewise.
    pub standby_control_files: Vec<RelativePath>,
    /// Files with the server parameter file in them, likewise.
    pub spfiles: Vec<RelativePath>,
    /// The pieces of whole backup sets.
    pub pieces: Vec<MappedPiece>,
    /// The image copies.
    pub copies: Vec<MappedCopy>,
    /// Pieces of sets that were not completed, or of which the snapshot has not all pieces: they are of no use.
    pub unusable: Vec<RelativePath>,
}

/// A data file, and where it can be had from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedDatafile {
    /// Its number.
    pub number: u32,
    /// Its name on the host of the database.
    pub name: Option<String>,
    /// Its tablespace. Backup sets do not tell it (trap 12); the names of image copies do.
    pub tablespace: Option<String>,
    /// Pieces and copies with blocks of it. An increment alone does not bring it back.
    pub files: Vec<RelativePath>,
}

/// An archived log, and where it can be had from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedLog {
    /// Redo thread.
    pub thread: u32,
    /// Log sequence number.
    pub sequence: u32,
    /// Pieces and copies with it.
    pub files: Vec<RelativePath>,
}

/// A piece of a whole backup set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedPiece {
    /// Where it is.
    pub file: RelativePath,
    /// What its set is a set of.
    pub kind: SetKind,
    /// Its number within the set.
    pub number: Option<u32>,
    /// The tag of its set.
    pub tag: Option<String>,
    /// Made by RMAN itself.
    pub is_autobackup: bool,
    /// Which set of the database it belongs to: pieces with the same number here are one set, or sections of one file,
    /// and needed together.
    #[serde(default)]
    pub set: usize,
}

/// An image copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedCopy {
    /// Where it is.
    pub file: RelativePath,
    /// What it is a copy of.
    pub of: CopiedFile,
    /// Its tag.
    pub tag: Option<String>,
    /// Brought up to date by the run of this log.
    pub merged: bool,
}

/// A file that should be in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFile {
    /// Its path in the log.
    pub path: String,
    /// Whose it is.
    pub database: Option<String>,
    /// More than one file of the snapshot could be it, so it is none of them.
    pub is_ambiguous: bool,
}

/// A file that has another beginning in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundByTail {
    /// Its path in the log.
    pub path: String,
    /// The file.
    pub file: RelativePath,
}

impl Account {
    /// The account as far as its files are in a snapshot of the mount that the host sees as `mount_on_host`
    /// (`/local/prd`, `Z:\`, `\\store\prd`; empty if it is not known).
    ///
    /// A path below the mount point is the file that has the rest of the path; Windows does not tell cases and slashes
    /// apart. A path with another beginning is the one file that has the longest tail in common with it; so are all,
    /// if not one of those below the mount point is there, because then the mount point is another one. No file is
    /// two paths'.
    pub fn in_directory(&self, mount_on_host: &str, files: &SnapshotFiles) -> Map {
        let matches = Matches::new(self, mount_on_host, files);
        let mut map = Map {
            outcome: self.outcome.clone(),
            databases: Vec::new(),
            missing: Vec::new(),
            elsewhere: Vec::new(),
            found_by_tail: Vec::new(),
            is_cut: false,
        };
        let mut links_left = LINKS_MAX;
        for database in &self.databases {
            let mut drafted = Draft {
                matches: &matches,
                links_left: &mut links_left,
                database: MappedDatabase {
                    name: database.name.clone(),
                    dbid: database.dbid,
                    ..MappedDatabase::default()
                },
                datafiles: BTreeMap::new(),
                logs: BTreeMap::new(),
                control_files: BTreeSet::new(),
                standby_control_files: BTreeSet::new(),
                spfiles: BTreeSet::new(),
                is_cut: false,
            };
            drafted.map(database);
            map.is_cut |= drafted.is_cut;
            map.databases.extend(drafted.finish(known(database)));
            map.note_places(database, &matches);
        }
        map
    }
}

impl Map {
    /// The files of the snapshot that no database claims, sorted. Where the outcome is not
    /// [`Outcome::Parsed`], there may be files of databases among them.
    pub fn additional<'a>(&self, files: &'a SnapshotFiles) -> Vec<&'a RelativePath> {
        let claimed: BTreeSet<&RelativePath> = self
            .databases
            .iter()
            .flat_map(MappedDatabase::files)
            .collect();
        files
            .iter()
            .filter(|file| !claimed.contains(file))
            .collect()
    }

    fn note_places(&mut self, database: &Database, matches: &Matches<'_>) {
        for kept in database.files() {
            match matches.place(kept.path) {
                Place::Below(_) => {}
                Place::ByTail(file) => self.found_by_tail.push(FoundByTail {
                    path: kept.path.to_owned(),
                    file: file.clone(),
                }),
                Place::Missing { is_ambiguous } => self.missing.push(MissingFile {
                    path: kept.path.to_owned(),
                    database: database.name.clone(),
                    is_ambiguous,
                }),
                Place::Elsewhere => self.elsewhere.push(kept.path.to_owned()),
            }
        }
    }
}

impl MappedDatabase {
    /// All files of it, those of no use included.
    pub fn files(&self) -> impl Iterator<Item = &RelativePath> {
        let pieces = self.pieces.iter().map(|piece| &piece.file);
        let copies = self.copies.iter().map(|copy| &copy.file);
        pieces.chain(copies).chain(&self.unusable)
    }
}

/// What a log tells of a data file anywhere, also in what it deletes again: an increment names what is merged.
#[derive(Default)]
struct Known {
    name: Option<String>,
    tablespace: Option<String>,
}

fn known(database: &Database) -> HashMap<u32, Known> {
    let mut known: HashMap<u32, Known> = HashMap::new();
    for file in database.sets.iter().flat_map(|set| &set.datafiles) {
        if file.from_copy {
            // An included copy is named after itself.
            if let Some(name) = of_datafile(&file.name) {
                known.entry(name.number).or_default().tablespace = Some(name.tablespace);
            }
        } else {
            known.entry(file.number).or_default().name = Some(file.name.clone());
        }
    }
    for copy in &database.copies {
        if let CopiedFile::Datafile {
            number: Some(number),
            name: Some(name),
        } = &copy.of
        {
            known.entry(*number).or_default().name = Some(name.clone());
        }
        if let Some(name) = &copy.name_says {
            known.entry(name.number).or_default().tablespace = Some(name.tablespace.clone());
        }
    }
    known
}

/// A database while it is mapped.
struct Draft<'a, 'b> {
    matches: &'a Matches<'b>,
    links_left: &'a mut usize,
    database: MappedDatabase,
    datafiles: BTreeMap<u32, BTreeSet<RelativePath>>,
    logs: BTreeMap<(u32, u32), BTreeSet<RelativePath>>,
    control_files: BTreeSet<Placed>,
    standby_control_files: BTreeSet<Placed>,
    spfiles: BTreeSet<Placed>,
    is_cut: bool,
}

/// A file behind its place in the order of the log.
type Placed = (u64, RelativePath);

impl Draft<'_, '_> {
    fn map(&mut self, database: &Database) {
        let whole = database.sets.iter().map(|set| self.is_whole(set)).collect();
        let sections = Sections::new(database, whole);
        for (number, set) in database.sets.iter().enumerate() {
            self.set(set, sections.first_of(number));
        }
        let kept = database
            .copies
            .iter()
            .filter(|copy| copy.fate == Fate::Kept);
        for copy in kept {
            if let Some(file) = self.matches.place(&copy.path).file() {
                self.copy(copy, &file.clone());
            }
        }
    }

    /// The pieces of a set that the snapshot has.
    fn pieces_of<'a>(&self, set: &'a BackupSet) -> Vec<(&'a Piece, RelativePath)> {
        let kept = set.pieces.iter().filter(|piece| piece.fate == Fate::Kept);
        kept.filter_map(|piece| Some((piece, self.matches.place(&piece.handle).file()?.clone())))
            .collect()
    }

    fn is_whole(&self, set: &BackupSet) -> bool {
        set.state == SetState::Complete && is_whole(set, &self.pieces_of(set))
    }

    /// `together` is the number of the set that it is needed with, its own if there is no other; none if it is of no use.
    fn set(&mut self, set: &BackupSet, together: Option<usize>) {
        let there = self.pieces_of(set);
        let Some(number) = together else {
            let files = there.into_iter().map(|(_, file)| file);
            self.database.unusable.extend(files);
            return;
        };
        for (piece, file) in there {
            for datafile in set.datafiles.iter().filter(|datafile| !datafile.skipped) {
                self.link_datafile(datafile.number, &file);
            }
            for log in &set.archived_logs {
                self.link_log(log.thread, log.sequence, &file);
            }
            for (is_in_it, files) in [
                (set.includes_control_file, &mut self.control_files),
                (
                    set.includes_standby_control_file,
                    &mut self.standby_control_files,
                ),
                (set.includes_spfile, &mut self.spfiles),
            ] {
                if is_in_it {
                    files.insert((piece.place, file.clone()));
                }
            }
            self.database.pieces.push(MappedPiece {
                file,
                kind: set.kind,
                number: piece.number,
                tag: set.tag.clone(),
                is_autobackup: set.is_autobackup,
                set: number,
            });
        }
    }

    fn copy(&mut self, copy: &ImageCopy, file: &RelativePath) {
        match &copy.of {
            CopiedFile::Datafile { number, .. } => {
                if let Some(number) = number {
                    self.link_datafile(*number, file);
                }
            }
            CopiedFile::ArchivedLog { log } => {
                if let Some(log) = log {
                    self.link_log(log.thread, log.sequence, file);
                }
            }
            CopiedFile::ControlFile => {
                self.control_files.insert((copy.place, file.clone()));
            }
            CopiedFile::StandbyControlFile => {
                self.standby_control_files
                    .insert((copy.place, file.clone()));
            }
        }
        self.database.copies.push(MappedCopy {
            file: file.clone(),
            of: copy.of.clone(),
            tag: copy.tag.clone(),
            merged: copy.merged,
        });
    }

    /// Many data files in many pieces would be more links than there are lines.
    fn take_link(&mut self) -> bool {
        let some_left = *self.links_left > 0;
        self.is_cut |= !some_left;
        *self.links_left = self.links_left.saturating_sub(1);
        some_left
    }

    fn link_datafile(&mut self, number: u32, file: &RelativePath) {
        if self.take_link() {
            let files = self.datafiles.entry(number).or_default();
            files.insert(file.clone());
        }
    }

    fn link_log(&mut self, thread: u32, sequence: u32, file: &RelativePath) {
        if self.take_link() {
            let files = self.logs.entry((thread, sequence)).or_default();
            files.insert(file.clone());
        }
    }

    /// The database, if the snapshot has anything of it.
    fn finish(mut self, mut known: HashMap<u32, Known>) -> Option<MappedDatabase> {
        for (number, files) in self.datafiles {
            let Known { name, tablespace } = known.remove(&number).unwrap_or_default();
            self.database.datafiles.push(MappedDatafile {
                number,
                name: name.filter(|name| !name.is_empty()),
                tablespace,
                files: files.into_iter().collect(),
            });
        }
        let log = |((thread, sequence), files): ((u32, u32), BTreeSet<_>)| MappedLog {
            thread,
            sequence,
            files: files.into_iter().collect(),
        };
        self.database.archived_logs = self.logs.into_iter().map(log).collect();
        let in_order = |files: BTreeSet<Placed>| files.into_iter().map(|(_, file)| file).collect();
        self.database.control_files = in_order(self.control_files);
        self.database.standby_control_files = in_order(self.standby_control_files);
        self.database.spfiles = in_order(self.spfiles);
        let any = self.database.files().next().is_some();
        any.then_some(self.database)
    }
}

/// What the sections of one file have in common: RMAN says of each that it is a set, and they are one.
type Sectioned<'a> = (u32, SetKind, Option<&'a str>);

/// Which sets are needed together.
struct Sections {
    /// For each set the first one of its file's sections, or itself; none if one of them is not whole.
    first: Vec<Option<usize>>,
}

impl Sections {
    fn new(database: &Database, whole: Vec<bool>) -> Sections {
        let mut begins: HashMap<Sectioned<'_>, usize> = HashMap::new();
        let mut good: HashSet<(Sectioned<'_>, BlockRange)> = HashSet::new();
        let sectioned = || {
            database
                .sets
                .iter()
                .zip(&whole)
                .map(|(set, whole)| (section(set), *whole))
        };
        for (number, (section, whole)) in sectioned().enumerate() {
            if let Some((of, blocks)) = section.filter(|_| whole) {
                begins.entry(of).or_insert(number);
                good.insert((of, blocks));
                good.insert((tagless(of), blocks));
            }
        }
        // What one channel failed at another one may have written. A set that failed has no tag.
        let lacking: HashSet<Sectioned<'_>> = sectioned()
            .filter_map(|(section, _)| section.filter(|section| !good.contains(section)))
            .map(|(of, _)| of)
            .collect();
        let first = sectioned()
            .enumerate()
            .map(|(number, (section, whole))| match section {
                _ if !whole => None,
                Some((of, _)) if lacking.contains(&of) || lacking.contains(&tagless(of)) => None,
                Some((of, _)) => begins.get(&of).copied(),
                None => Some(number),
            });
        Sections {
            first: first.collect(),
        }
    }

    fn first_of(&self, set: usize) -> Option<usize> {
        self.first.get(set).copied().flatten()
    }
}

fn tagless((number, kind, _): Sectioned<'_>) -> Sectioned<'_> {
    (number, kind, None)
}

fn section(set: &BackupSet) -> Option<(Sectioned<'_>, BlockRange)> {
    match set.datafiles.as_slice() {
        [file] => Some(((file.number, set.kind, set.tag.as_deref()), file.blocks?)),
        _ => None,
    }
}

/// Whether each piece is there, at least in one of its copies.
fn is_whole(set: &BackupSet, there: &[(&Piece, RelativePath)]) -> bool {
    let numbers: BTreeSet<Option<u32>> = there.iter().map(|(piece, _)| piece.number).collect();
    !there.is_empty()
        && set
            .pieces
            .iter()
            .all(|piece| numbers.contains(&piece.number))
}
