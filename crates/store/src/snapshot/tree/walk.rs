//! Walking a tree that may be hostile: in bounded memory, without recursion, and without leaving it.
//! What lives here: the way. What does not: what is done on it, which a visitor does.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType};

use super::super::error::{Fault, SnapshotError, doing};
use super::Facts;
use super::cursor::{Cursor, facts_at, facts_of};

/// Directories below each other. A path can name 2,048; what is deeper was made to harm.
const DEPTH_MAX: usize = 16_384;
/// Bytes that the names of directories not yet visited may take: more than a million names of the longest kind.
const PENDING_BYTES_MAX: usize = 256 << 20;
/// Bytes of a path that an error shows; the middle of a longer one is left out.
const SHOWN_PATH_BYTES_MAX: usize = 4096;

/// What is done on the way.
pub(super) trait Visitor {
    /// Something that is no directory.
    fn entry(&mut self, directory: &OwnedFd, name: &CStr, facts: &Facts) -> Result<(), Fault>;

    /// A directory below the one entered last, before anything in it.
    fn enter(&mut self, name: &CStr, facts: &Facts) -> Result<(), Fault>;

    /// The directory entered last, or the root, after everything in it.
    fn leave(&mut self, directory: &OwnedFd, facts: &Facts) -> Result<(), Fault>;
}

/// A directory on the way.
struct Level {
    name: CString,
    facts: Facts,
    /// Names of directories not yet visited, a zero byte after each.
    pending: Vec<u8>,
}

struct Walk<'a> {
    path: &'a Path,
    cursor: Cursor,
    levels: Vec<Level>,
    pending_bytes: usize,
}

/// Shows a tree to a visitor: what is in a directory, then the directories below it.
///
/// What is no directory is never opened here. `path` is for messages.
pub(super) fn walk(
    root: OwnedFd,
    path: &Path,
    visitor: &mut impl Visitor,
) -> Result<(), SnapshotError> {
    let mut walk = Walk {
        path,
        cursor: Cursor::at(root),
        levels: Vec::new(),
        pending_bytes: 0,
    };
    let facts = facts_of(walk.cursor.directory()).map_err(|fault| fault.at(path))?;
    walk.read(CString::default(), facts, visitor)?;
    while let Some(level) = walk.levels.last_mut() {
        match next(&mut level.pending) {
            Some(name) => {
                walk.pending_bytes -= name.as_bytes_with_nul().len();
                walk.descend(name, visitor)?;
            }
            None => walk.ascend(visitor)?,
        }
    }
    Ok(())
}

/// Takes the last name.
fn next(pending: &mut Vec<u8>) -> Option<CString> {
    let without_end = pending.len().checked_sub(1)?;
    let begin = pending[..without_end]
        .iter()
        .rposition(|byte| *byte == 0)
        .map_or(0, |zero| zero + 1);
    let name = pending.split_off(begin);
    CString::from_vec_with_nul(name).ok()
}

impl Walk<'_> {
    fn descend(&mut self, name: CString, visitor: &mut impl Visitor) -> Result<(), SnapshotError> {
        let too_deep = self.cursor.depth() >= DEPTH_MAX;
        let entered = match too_deep {
            true => Err(Fault::Refused {
                why: "lies deeper than 16,384 directories",
                hint: "nothing that backs up a database makes such a tree; remove it",
            }),
            false => self.enter(&name, visitor),
        };
        let facts = entered.map_err(|fault| fault.at(self.path_of(Some(&name))))?;
        self.read(name, facts, visitor)
    }

    fn enter(&mut self, name: &CStr, visitor: &mut impl Visitor) -> Result<Facts, Fault> {
        self.cursor.down(name)?;
        let facts = facts_of(self.cursor.directory())?;
        visitor.enter(name, &facts)?;
        Ok(facts)
    }

    /// Shows what is in the directory; the directories in it are remembered.
    fn read(
        &mut self,
        name: CString,
        facts: Facts,
        visitor: &mut impl Visitor,
    ) -> Result<(), SnapshotError> {
        self.levels.push(Level {
            name,
            facts,
            pending: Vec::new(),
        });
        let directory = Dir::read_from(self.cursor.directory())
            .map_err(|errno| doing("read")(errno).at(self.path_of(None)))?;
        for entry in directory {
            let entry = entry.map_err(|errno| doing("read")(errno).at(self.path_of(None)))?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                self.entry(name, visitor)
                    .map_err(|fault| fault.at(self.path_of(Some(name))))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, name: &CStr, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let facts = facts_at(self.cursor.directory(), name)?;
        if facts.kind != FileType::Directory {
            return visitor.entry(self.cursor.directory(), name, &facts);
        }
        let bytes = name.to_bytes_with_nul();
        self.pending_bytes += bytes.len();
        if self.pending_bytes > PENDING_BYTES_MAX {
            return Err(Fault::Refused {
                why: "is one of more than a million directories beside each other",
                hint: "nothing that backs up a database makes such a tree; remove it",
            });
        }
        if let Some(level) = self.levels.last_mut() {
            level.pending.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn ascend(&mut self, visitor: &mut impl Visitor) -> Result<(), SnapshotError> {
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        let left = visitor
            .leave(self.cursor.directory(), &level.facts)
            .and_then(|()| self.cursor.up());
        left.map_err(|fault| fault.at(self.path_of(None)))?;
        self.levels.pop();
        Ok(())
    }

    /// The path of the directory, or of a name in it, for messages.
    fn path_of(&self, name: Option<&CStr>) -> PathBuf {
        let names = || {
            let levels = self.levels.iter().skip(1).map(|level| &*level.name);
            levels.chain(name).map(CStr::to_bytes)
        };
        let mut path = self.path.to_owned();
        let bytes: usize = names().map(|name| name.len() + 1).sum();
        let skipped = match bytes > SHOWN_PATH_BYTES_MAX {
            true => names().count().saturating_sub(1),
            false => 0,
        };
        if skipped > 0 {
            path.push("…");
        }
        path.extend(names().skip(skipped).map(OsStr::from_bytes));
        path
    }
}
