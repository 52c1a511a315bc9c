//! What has been read so far, kept within limits, and who owns each path: a later line may delete or overwrite it.
//! What lives here: databases, sets, copies, and the fate of their files. What does not: which line belongs to which.

use std::collections::HashMap;

use super::account::{
    ArchivedLog, BackupSet, BlockRange, CopiedFile, Database, Fate, ImageCopy, Piece, SetDatafile,
    SetKind, SetState,
};
use super::copy_name::{dbid_of_autobackup, of_datafile};
use super::snapshot_files::comparable;
use super::{DATABASES_MAX, NAME_BYTES_MAX, PIECES_PER_SET_MAX, RECORDS_MAX};

/// Where a set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SetAt {
    database: usize,
    set: usize,
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Piece(SetAt, usize),
    Copy { database: usize, copy: usize },
}

/// The account as it grows.
#[derive(Default)]
pub(super) struct Ledger {
    databases: Vec<Database>,
    current: Option<usize>,
    records: usize,
    name_bytes: usize,
    /// Places given to pieces and copies.
    told: u64,
    /// Something was left out because of a limit.
    pub(super) too_much: bool,
    /// By comparable path, who wrote there last.
    owners: HashMap<String, Owner>,
    /// Where in its set a data file is.
    places: HashMap<(SetAt, u32), usize>,
    /// The set to which a data file was added last.
    last_set_of: HashMap<u32, SetAt>,
}

impl Ledger {
    /// From here on everything is this database's. Without name and DBID it is not known whose it is, so that the next
    /// file founds a nameless one.
    pub(super) fn connect(&mut self, name: Option<&str>, dbid: Option<u64>) {
        if name.is_none() && dbid.is_none() {
            self.current = None;
            return;
        }
        let same = |database: &Database| match (database.dbid, dbid) {
            (Some(one), Some(other)) => one == other && database.name.as_deref() == name,
            _ => database.name.as_deref() == name,
        };
        if let Some(at) = self.databases.iter().position(same) {
            let known = self.databases.get_mut(at);
            if let Some(known) = known {
                known.dbid = known.dbid.or(dbid);
            }
            self.current = Some(at);
            return;
        }
        self.found(Database {
            name: name.map(str::to_owned),
            dbid,
            ..Database::default()
        });
    }

    fn found(&mut self, database: Database) {
        if self.databases.len() >= DATABASES_MAX {
            self.too_much = true;
            self.current = None;
            return;
        }
        self.current = Some(self.databases.len());
        self.databases.push(database);
    }

    /// The current database, a nameless one if the log did not connect to any yet.
    fn database(&mut self) -> Option<usize> {
        if self.current.is_none() {
            self.found(Database::default());
        }
        self.current
    }

    /// Takes room for one record with so many bytes of names, if there is any.
    fn room(&mut self, names: usize) -> Option<()> {
        if self.records >= RECORDS_MAX || NAME_BYTES_MAX - self.name_bytes < names {
            self.too_much = true;
            return None;
        }
        self.records += 1;
        self.name_bytes += names;
        Some(())
    }

    /// Begins a set.
    pub(super) fn begin_set(
        &mut self,
        channel: Option<&str>,
        kind: SetKind,
        compressed: bool,
    ) -> Option<SetAt> {
        self.room(0)?;
        let database = self.database()?;
        let sets = &mut self.databases.get_mut(database)?.sets;
        sets.push(BackupSet {
            channel: channel.map(str::to_owned),
            kind,
            compressed,
            ..BackupSet::default()
        });
        let set = sets.len() - 1;
        Some(SetAt { database, set })
    }

    pub(super) fn set(&mut self, at: SetAt) -> Option<&mut BackupSet> {
        self.databases.get_mut(at.database)?.sets.get_mut(at.set)
    }

    pub(super) fn add_datafile(&mut self, at: SetAt, number: u32, name: &str, from_copy: bool) {
        if self.room(name.len()).is_none() {
            return;
        }
        let Some(set) = self.set(at) else { return };
        set.datafiles.push(SetDatafile {
            number,
            name: name.to_owned(),
            blocks: None,
            skipped: false,
            from_copy,
        });
        let place = set.datafiles.len() - 1;
        self.places.insert((at, number), place);
        self.last_set_of.insert(number, at);
    }

    /// The data file that was added to the set last.
    fn last_datafile(&mut self, at: SetAt) -> Option<&mut SetDatafile> {
        self.set(at)?.datafiles.last_mut()
    }

    /// The file that the set's last data file is read from.
    pub(super) fn name_last_copy(&mut self, at: SetAt, name: &str) {
        if self.room(name.len()).is_some()
            && let Some(file) = self.last_datafile(at).filter(|file| file.from_copy)
        {
            name.clone_into(&mut file.name);
        }
    }

    /// Only these blocks of the set's last data file are in it.
    pub(super) fn limit_last(&mut self, at: SetAt, blocks: BlockRange) {
        if let Some(file) = self.last_datafile(at) {
            file.blocks = Some(blocks);
        }
    }

    /// Leaves a data file out of the set that is being specified, or else of the last unfinished one that has it.
    pub(super) fn skip(&mut self, specified: Option<SetAt>, number: u32) {
        let last = self.last_set_of.get(&number).copied();
        for at in [specified, last].into_iter().flatten() {
            let Some(place) = self.places.get(&(at, number)).copied() else {
                continue;
            };
            let unfinished = |set: &&mut BackupSet| set.state == SetState::Unfinished;
            let set = self.set(at).filter(unfinished);
            if let Some(file) = set.and_then(|set| set.datafiles.get_mut(place)) {
                file.skipped = true;
                return;
            }
        }
    }

    pub(super) fn add_archived_log(&mut self, at: SetAt, log: ArchivedLog) {
        if self.room(0).is_some()
            && let Some(set) = self.set(at)
        {
            set.archived_logs.push(log);
        }
    }

    /// The next place in the order of the log; as many as there are lines, at most.
    fn next_place(&mut self) -> u64 {
        self.told += 1;
        self.told
    }

    /// A piece was written.
    pub(super) fn add_piece(&mut self, at: SetAt, mut piece: Piece, tag: Option<&str>) {
        piece.place = self.next_place();
        let key = comparable(&piece.handle);
        let full = match self.set(at) {
            Some(set) => set.pieces.len() >= PIECES_PER_SET_MAX,
            None => return,
        };
        if full || self.room(piece.handle.len()).is_none() {
            self.too_much = true;
            return;
        }
        let Some(set) = self.set(at) else { return };
        set.pieces.push(piece);
        let place = set.pieces.len() - 1;
        if set.tag.is_none() {
            set.tag = tag.map(str::to_owned);
        }
        self.own(key, Owner::Piece(at, place));
    }

    /// An image copy was written; the same file copied to the same place again is the same copy, as the sections of a
    /// big file are.
    pub(super) fn add_copy(&mut self, of: CopiedFile, path: &str, tag: Option<&str>) {
        let name_says = of_datafile(path);
        let of = match of {
            CopiedFile::Datafile { number: None, name } => CopiedFile::Datafile {
                number: name_says.as_ref().map(|name| name.number),
                name,
            },
            of => of,
        };
        let key = comparable(path);
        let place = self.next_place();
        if let Some(same) = self.copy_at(&key).filter(|copy| copy.of == of) {
            same.place = place;
            same.tag = tag.map(str::to_owned);
            same.merged = false;
            same.fate = Fate::Kept;
            return;
        }
        self.push_copy(
            key,
            ImageCopy {
                of,
                path: path.to_owned(),
                tag: tag.map(str::to_owned),
                merged: false,
                name_says,
                fate: Fate::Kept,
                place,
            },
        );
    }

    /// An image copy was brought up to date: it is there, whoever made it.
    pub(super) fn merge_copy(&mut self, number: u32, path: &str) {
        let key = comparable(path);
        let place = self.next_place();
        let is_it = |copy: &&mut ImageCopy| matches!(&copy.of, CopiedFile::Datafile { number: of, .. } if *of == Some(number));
        if let Some(copy) = self.copy_at(&key).filter(is_it) {
            copy.place = place;
            copy.merged = true;
            copy.fate = Fate::Kept;
            return;
        }
        self.push_copy(
            key,
            ImageCopy {
                of: CopiedFile::Datafile {
                    number: Some(number),
                    name: None,
                },
                path: path.to_owned(),
                tag: None,
                merged: true,
                name_says: of_datafile(path),
                fate: Fate::Kept,
                place,
            },
        );
    }

    fn push_copy(&mut self, key: String, copy: ImageCopy) {
        if self.room(copy.path.len()).is_none() {
            return;
        }
        let Some(database) = self.database() else {
            return;
        };
        let Some(copies) = self.databases.get_mut(database).map(|db| &mut db.copies) else {
            return;
        };
        copies.push(copy);
        let copy = copies.len() - 1;
        self.own(key, Owner::Copy { database, copy });
    }

    fn copy_at(&mut self, key: &str) -> Option<&mut ImageCopy> {
        match *self.owners.get(key)? {
            Owner::Copy { database, copy } if Some(database) == self.current => {
                self.databases.get_mut(database)?.copies.get_mut(copy)
            }
            _ => None,
        }
    }

    /// The path is somebody's from now on; what was there before is overwritten (REUSE, trap 6).
    fn own(&mut self, key: String, owner: Owner) {
        if let Some(before) = self.owners.insert(key, owner) {
            self.set_fate(before, Fate::Overwritten);
        }
    }

    /// The log deletes a file (trap 5).
    pub(super) fn delete(&mut self, path: &str) {
        if let Some(owner) = self.owners.get(&comparable(path)).copied() {
            self.set_fate(owner, Fate::Deleted);
        }
    }

    /// What is deleted already cannot be overwritten.
    fn set_fate(&mut self, owner: Owner, fate: Fate) {
        let file = match owner {
            Owner::Piece(at, place) => self
                .set(at)
                .and_then(|set| set.pieces.get_mut(place))
                .map(|piece| &mut piece.fate),
            Owner::Copy { database, copy } => self
                .databases
                .get_mut(database)
                .and_then(|database| database.copies.get_mut(copy))
                .map(|copy| &mut copy.fate),
        };
        if let Some(file) = file.filter(|file| **file == Fate::Kept) {
            *file = fate;
        }
    }

    /// The databases; a nameless one is named after its copies and autobackups, if all of them agree.
    pub(super) fn into_databases(mut self) -> Vec<Database> {
        for database in &mut self.databases {
            let copies = || {
                database
                    .copies
                    .iter()
                    .filter_map(|copy| copy.name_says.as_ref())
            };
            let pieces = database.sets.iter().flat_map(|set| &set.pieces);
            let dbids = pieces.filter_map(|piece| dbid_of_autobackup(&piece.handle));
            let name = only(copies().map(|name| name.database.as_str())).map(str::to_owned);
            let dbid = only(copies().map(|name| name.dbid).chain(dbids));
            database.name = database.name.take().or(name);
            database.dbid = database.dbid.or(dbid);
        }
        self.databases
    }
}

/// What all of them are.
fn only<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}
