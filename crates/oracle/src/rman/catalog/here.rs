//! What of a database is in a restore directory, and whether it is enough of a backup set to be of use.
//! What lives here: looking it up. What does not: what is said about it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::rman::account::SetKind;
use crate::rman::map::{MappedDatabase, MappedPiece};
use crate::rman::snapshot_files::{RelativePath, SnapshotFiles};

/// Redo thread and log sequence number.
pub(super) type Log = (u32, u32);

/// A database and its files in the directory.
pub(super) struct Here<'a> {
    pub(super) database: &'a MappedDatabase,
    restored: &'a SnapshotFiles,
    pieces: HashMap<&'a RelativePath, &'a MappedPiece>,
    copies: HashSet<&'a RelativePath>,
    /// Sets of which each piece is there, at least in one of its copies.
    whole_sets: HashSet<usize>,
}

/// What a file that is there holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Copy,
    Base,
    Increment,
}

/// The data files of a database by how they can be had from the directory, each in one of the lists.
#[derive(Default)]
pub(super) struct Datafiles {
    /// As image copies.
    pub(super) copies: Vec<u32>,
    /// From whole sets, and not as copies.
    pub(super) sets: Vec<u32>,
    /// Of these only increments are there.
    pub(super) increments: Vec<u32>,
    /// The recovery point has them, the directory has not.
    pub(super) elsewhere: Vec<u32>,
}

/// The archived logs in the directory.
#[derive(Default)]
pub(super) struct Logs {
    /// As files that RMAN uses where they are.
    pub(super) files: Vec<Log>,
    /// In sets, and not as files.
    pub(super) sets: Vec<Log>,
}

impl<'a> Here<'a> {
    pub(super) fn new(database: &'a MappedDatabase, restored: &'a SnapshotFiles) -> Here<'a> {
        type Numbers = BTreeSet<Option<u32>>;
        let mut sets: BTreeMap<usize, (Numbers, Numbers)> = BTreeMap::new();
        for piece in &database.pieces {
            let (all, there) = sets.entry(piece.set).or_default();
            all.insert(piece.number);
            if restored.contains(&piece.file) {
                there.insert(piece.number);
            }
        }
        let whole =
            |(set, (all, there)): (usize, (Numbers, Numbers))| (all == there).then_some(set);
        Here {
            database,
            restored,
            pieces: database.pieces.iter().map(|it| (&it.file, it)).collect(),
            copies: database.copies.iter().map(|it| &it.file).collect(),
            whole_sets: sets.into_iter().filter_map(whole).collect(),
        }
    }

    fn holder(&self, file: &RelativePath) -> Option<Holder> {
        if !self.restored.contains(file) {
            return None;
        }
        if self.copies.contains(file) {
            return Some(Holder::Copy);
        }
        let piece = self.pieces.get(file)?;
        match piece.kind {
            _ if !self.whole_sets.contains(&piece.set) => None,
            SetKind::Incremental { level } if level > 0 => Some(Holder::Increment),
            _ => Some(Holder::Base),
        }
    }

    /// Nothing of use is there.
    pub(super) fn is_empty(&self) -> bool {
        let mut files = self.pieces.keys().chain(&self.copies);
        !files.any(|file| self.holder(file).is_some())
    }

    /// The newest that is there.
    pub(super) fn control_file(&self) -> Option<&'a RelativePath> {
        self.newest(&self.database.control_files)
    }

    /// The newest that is there.
    pub(super) fn spfile(&self) -> Option<&'a RelativePath> {
        self.newest(&self.database.spfiles)
    }

    fn newest(&self, files: &'a [RelativePath]) -> Option<&'a RelativePath> {
        files.iter().rev().find(|file| self.holder(file).is_some())
    }

    pub(super) fn datafiles(&self) -> Datafiles {
        let mut found = Datafiles::default();
        for datafile in &self.database.datafiles {
            let holders: Vec<Holder> = datafile
                .files
                .iter()
                .filter_map(|file| self.holder(file))
                .collect();
            let list = if holders.contains(&Holder::Copy) {
                &mut found.copies
            } else if holders.contains(&Holder::Base) {
                &mut found.sets
            } else if holders.contains(&Holder::Increment) {
                &mut found.increments
            } else {
                &mut found.elsewhere
            };
            list.push(datafile.number);
        }
        found
    }

    pub(super) fn logs(&self) -> Logs {
        let mut found = Logs::default();
        for log in &self.database.archived_logs {
            let mut holders = log.files.iter().filter_map(|file| self.holder(file));
            let Some(first) = holders.next() else {
                continue;
            };
            let is_file = first == Holder::Copy || holders.any(|other| other == Holder::Copy);
            let list = if is_file {
                &mut found.files
            } else {
                &mut found.sets
            };
            list.push((log.thread, log.sequence));
        }
        found
    }
}
