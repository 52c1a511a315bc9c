//! The files of a snapshot, in a fixed order.
//! What lives here: reading directories and what is known of each entry. What does not: the bytes of files.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};

use crate::error::RepositoryError;
use crate::tree::{Node, NodeKind, timestamp};

/// Files and directories of a recovery point.
const ENTRIES_MAX: usize = 4_000_000;
/// Directories inside one another.
const DEPTH_MAX: usize = 100;

/// A directory and what is in it.
pub(super) struct Directory {
    pub node: Node,
    pub entries: Vec<Entry>,
}

/// What a directory has.
pub(super) enum Entry {
    /// Index into the walk's files.
    File(usize),
    Directory(Directory),
    Other(Node),
}

/// A regular file.
pub(super) struct WalkedFile {
    /// Below the root.
    pub path: PathBuf,
    pub node: Node,
}

pub(super) struct Walk {
    pub root: Directory,
    pub files: Vec<WalkedFile>,
    entries: usize,
}

fn cannot(path: &Path, doing: &str) -> impl Fn(rustix::io::Errno) -> RepositoryError {
    let path = path.to_owned();
    let doing = doing.to_owned();
    move |error| {
        let error = std::io::Error::from(error);
        RepositoryError::file(
            &path,
            format!(
                "{doing}: {error}. HINT: nothing is left out of a recovery point; make it readable, or remove it from the mount"
            ),
        )
    }
}

/// Opens something below a root without following links or leaving it.
pub(super) fn open_below(
    root: BorrowedFd,
    path: &Path,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(
        root,
        path,
        flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}

fn node(name: &OsStr, kind: NodeKind, stat: &Stat) -> Node {
    // Neither inode nor change time: they differ in each snapshot and would make equal directories different.
    let mut node = Node::new(
        name,
        kind,
        stat.st_mode,
        timestamp(stat.st_mtime, stat.st_mtime_nsec as i64),
        (stat.st_uid, stat.st_gid),
    );
    if matches!(kind, NodeKind::Dev | NodeKind::Chardev) {
        node.device = stat.st_rdev;
    }
    node
}

impl Walk {
    /// Reads a directory and all below it; `name` is the root's name in the recovery point.
    pub(super) fn read(path: &Path, name: &str) -> Result<(Walk, File), RepositoryError> {
        let root = File::open(path).map_err(|error| RepositoryError::file(path, error))?;
        let stat = rustix::fs::fstat(&root).map_err(cannot(path, "looking at it"))?;
        let directory = Directory {
            node: node(OsStr::new(name), NodeKind::Dir, &stat),
            entries: Vec::new(),
        };
        let mut walk = Walk {
            root: directory,
            files: Vec::new(),
            entries: 0,
        };
        walk.root.entries = walk.directory(root.as_fd(), path, Path::new(""), 0)?;
        Ok((walk, root))
    }

    fn directory(
        &mut self,
        root: BorrowedFd,
        full: &Path,
        relative: &Path,
        depth: usize,
    ) -> Result<Vec<Entry>, RepositoryError> {
        if depth > DEPTH_MAX {
            return Err(RepositoryError::file(
                full,
                format!("more than {DEPTH_MAX} directories inside one another"),
            ));
        }
        let open = if relative.as_os_str().is_empty() {
            Path::new(".")
        } else {
            relative
        };
        let handle = open_below(root, open, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(cannot(full, "opening it"))?;
        let mut names: Vec<OsString> = Vec::new();
        for entry in Dir::read_from(&handle).map_err(cannot(full, "reading it"))? {
            let entry = entry.map_err(cannot(full, "reading it"))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        // restic wants them sorted by their bytes.
        names.sort_unstable();
        self.entries += names.len();
        if self.entries > ENTRIES_MAX {
            return Err(RepositoryError::Limit(format!(
                "more than {ENTRIES_MAX} files in one recovery point. HINT: use more than one mount"
            )));
        }
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            let path = full.join(&name);
            let stat = rustix::fs::statat(&handle, &name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(cannot(&path, "looking at it"))?;
            entries.push(self.entry(
                root,
                handle.as_fd(),
                &path,
                &relative.join(&name),
                &name,
                &stat,
                depth,
            )?);
        }
        Ok(entries)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "what is known of one entry, in one place"
    )]
    fn entry(
        &mut self,
        root: BorrowedFd,
        parent: BorrowedFd,
        full: &Path,
        relative: &Path,
        name: &OsStr,
        stat: &Stat,
        depth: usize,
    ) -> Result<Entry, RepositoryError> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => NodeKind::File,
            FileType::Directory => NodeKind::Dir,
            FileType::Symlink => NodeKind::Symlink,
            FileType::BlockDevice => NodeKind::Dev,
            FileType::CharacterDevice => NodeKind::Chardev,
            FileType::Fifo => NodeKind::Fifo,
            FileType::Socket => NodeKind::Socket,
            FileType::Unknown => {
                return Err(RepositoryError::file(full, "it is of an unknown kind"));
            }
        };
        let mut node = node(name, kind, stat);
        Ok(match kind {
            NodeKind::File => {
                node.size = u64::try_from(stat.st_size).unwrap_or(0);
                self.files.push(WalkedFile {
                    path: relative.to_owned(),
                    node,
                });
                Entry::File(self.files.len() - 1)
            }
            NodeKind::Dir => Entry::Directory(Directory {
                node,
                entries: self.directory(root, full, relative, depth + 1)?,
            }),
            NodeKind::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new())
                    .map_err(cannot(full, "reading the link"))?;
                node.set_link_target(OsStr::from_bytes(target.to_bytes()));
                Entry::Other(node)
            }
            _ => Entry::Other(node),
        })
    }
}
