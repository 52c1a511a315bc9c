//! Which file of a snapshot a path in a log is, seen from another machine and perhaps another system.
//! What lives here: the decision for each path. What does not: the search for tails, and what the files are.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::account::Account;
use super::snapshot_files::{Found, HostPath, RelativePath, SnapshotFiles, comparable};

/// Where a path of the log is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// Below the mount point, and in the snapshot.
    Below(&'a RelativePath),
    /// Not below the mount point; this file's path ends as it does, and no other's as well.
    ByTail(&'a RelativePath),
    /// Below the mount point and not in the snapshot, or it cannot be decided which file it is.
    Missing { is_ambiguous: bool },
    /// Not on the mount.
    Elsewhere,
}

impl<'a> Place<'a> {
    /// The file, if it is in the snapshot.
    pub(super) fn file(self) -> Option<&'a RelativePath> {
        match self {
            Place::Below(file) | Place::ByTail(file) => Some(file),
            Place::Missing { .. } | Place::Elsewhere => None,
        }
    }
}

/// The places of all paths of an account.
pub(super) struct Matches<'a> {
    files: &'a SnapshotFiles,
    places: HashMap<String, Place<'a>>,
}

impl<'a> Matches<'a> {
    pub(super) fn new(account: &Account, mount: &str, files: &'a SnapshotFiles) -> Matches<'a> {
        let mut matches = Matches {
            files,
            places: HashMap::new(),
        };
        let paths: HashMap<String, Option<HostPath>> = account
            .files()
            .map(|kept| (comparable(kept.path), HostPath::new(kept.path)))
            .collect();
        let mount = HostPath::new(mount).filter(HostPath::is_absolute);
        let claimed = mount.map_or_else(HashSet::new, |mount| matches.below(&mount, &paths));
        // If nothing is where the mount point has it, then the mount point is another one.
        let mount_fits = !claimed.is_empty();
        let mut open = Vec::new();
        for (key, path) in &paths {
            let is_decided = match matches.places.get(key) {
                Some(Place::Missing { is_ambiguous }) => mount_fits || *is_ambiguous,
                Some(_) => true,
                None => false,
            };
            if let Some(path) = path.as_ref().filter(|_| !is_decided) {
                open.push((key, files.by_tail(path)));
            }
        }
        matches.by_tail(&open, &claimed);
        matches
    }

    /// Places what lies below the mount point; says which files are taken.
    fn below(
        &mut self,
        mount: &HostPath,
        paths: &HashMap<String, Option<HostPath>>,
    ) -> HashSet<usize> {
        let mut claimed = HashSet::new();
        for (key, path) in paths {
            let Some(path) = path.as_ref().filter(|path| path.is_below(mount)) else {
                continue;
            };
            let found = self.files.below(mount, path);
            let mut place = Place::Missing {
                is_ambiguous: found == Found::Several,
            };
            if let Found::One { file, .. } = found
                && let Some(path) = self.files.path(file)
            {
                claimed.insert(file);
                place = Place::Below(path);
            }
            self.places.insert(key.clone(), place);
        }
        claimed
    }

    /// Places the rest. What lies below the mount point and has its tail in common with nothing stays missing.
    fn by_tail(&mut self, open: &[(&String, Found)], claimed: &HashSet<usize>) {
        let winners = winners(open);
        for (key, found) in open {
            let ambiguous = Place::Missing { is_ambiguous: true };
            let place = match *found {
                Found::None => continue,
                Found::Several => ambiguous,
                Found::One { file, components } => {
                    let Some((best, claims)) = winners.get(&file) else {
                        continue;
                    };
                    if claimed.contains(&file) || components < *best {
                        continue;
                    }
                    let only = self.files.path(file).filter(|_| *claims == 1);
                    only.map_or(ambiguous, Place::ByTail)
                }
            };
            self.places.insert((*key).clone(), place);
        }
    }

    /// Where a path of the account is.
    pub(super) fn place(&self, path: &str) -> Place<'a> {
        let place = self.places.get(&comparable(path)).copied();
        place.unwrap_or(Place::Elsewhere)
    }
}

/// For each file the longest tail by which a path claims it, and how many paths do.
fn winners(open: &[(&String, Found)]) -> HashMap<usize, (usize, usize)> {
    let mut winners: HashMap<usize, (usize, usize)> = HashMap::new();
    for (_, found) in open {
        if let Found::One { file, components } = found {
            let (best, claims) = winners.entry(*file).or_default();
            match (*components).cmp(best) {
                Ordering::Greater => (*best, *claims) = (*components, 1),
                Ordering::Equal => *claims += 1,
                Ordering::Less => {}
            }
        }
    }
    winners
}
