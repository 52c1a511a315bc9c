//! Removing a tree, however deep and wide it is.
//! What lives here: the way through it. What does not: whether it may be removed.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;
use rustix::path::Arg;

use super::super::error::{Fault, SnapshotError, doing};
use super::cursor::{Cursor, facts_at};
use crate::failpoint;

/// Names of directories that are held for one level. There may be more: the directory is read again then, because those
/// are gone. So a tree that took disk to make takes far less memory to remove.
const HELD_NAMES_MAX: usize = 256;
/// How often a directory that ought to be empty is read again.
const EMPTIED_TRIES_MAX: u32 = 3;

/// A directory on the way.
struct Level {
    name: CString,
    pending: Vec<CString>,
    emptied: u32,
}

/// Removes the directory `name` with everything in it; the path is for messages. What is gone already is no error, so two
/// may do it at once. Nothing outside is touched: neither links nor mount points are followed.
pub(in super::super) fn remove(
    parent: &OwnedFd,
    name: impl Arg,
    path: &Path,
) -> Result<(), SnapshotError> {
    let name = name
        .into_c_str()
        .map_err(|errno| doing("remove")(errno).at(path))?
        .into_owned();
    let begin = || -> Result<Cursor, Fault> {
        let parent = rustix::io::fcntl_dupfd_cloexec(parent, 0).map_err(doing("open"))?;
        Ok(Cursor::at(parent))
    };
    begin()
        .and_then(|cursor| empty(cursor, name))
        .map_err(|fault| fault.at(path))
}

fn empty(mut cursor: Cursor, name: CString) -> Result<(), Fault> {
    let mut levels = Vec::new();
    descend(&mut cursor, &mut levels, name)?;
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.pending.pop() {
            descend(&mut cursor, &mut levels, name)?;
            continue;
        }
        level.pending = unlink_files(&cursor)?;
        if level.pending.is_empty() {
            ascend(&mut cursor, &mut levels)?;
        }
    }
    Ok(())
}

fn descend(cursor: &mut Cursor, levels: &mut Vec<Level>, name: CString) -> Result<(), Fault> {
    match cursor.down(&*name) {
        Ok(()) => levels.push(Level {
            name,
            pending: Vec::new(),
            emptied: 0,
        }),
        Err(Fault::Io { errno, .. }) if errno == Errno::NOENT => {}
        Err(fault) => return Err(fault),
    }
    Ok(())
}

/// Removes the empty directory where the cursor stands.
fn ascend(cursor: &mut Cursor, levels: &mut Vec<Level>) -> Result<(), Fault> {
    let Some(Level { name, emptied, .. }) = levels.pop() else {
        return Ok(());
    };
    cursor.up()?;
    match rustix::fs::unlinkat(cursor.directory(), &*name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        // Not every file system promises to show every name to one who removes while reading.
        Err(Errno::NOTEMPTY) if emptied < EMPTIED_TRIES_MAX => {
            descend(cursor, levels, name)?;
            if let Some(level) = levels.last_mut() {
                level.emptied = emptied + 1;
            }
            Ok(())
        }
        Err(errno) => Err(doing("remove the directory")(errno)),
    }
}

/// Removes what is no directory; returns some of the directories, or none if there are none.
fn unlink_files(cursor: &Cursor) -> Result<Vec<CString>, Fault> {
    let mut directories = Vec::new();
    for entry in Dir::read_from(cursor.directory()).map_err(doing("read"))? {
        let entry = entry.map_err(doing("read"))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => facts_at(cursor.directory(), name)?.kind,
            kind => kind,
        };
        if kind == FileType::Directory {
            directories.push(name.to_owned());
            if directories.len() == HELD_NAMES_MAX {
                break;
            }
            continue;
        }
        failpoint::reach("snapshot-inside-removal");
        match rustix::fs::unlinkat(cursor.directory(), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(doing("remove files of")(errno)),
        }
    }
    Ok(directories)
}
