//! What `-m` and `-a` ask for, found in a backup or among the archived logs.
//! What lives here: words to restore items. What does not: copying.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::action_id::ActionId;
use crate::restore::backups::Backup;
use crate::restore::file::RestoreItem;
use crate::run_log::reader::SavedFile;
use crate::summary::archive::{ArchiveSummary, StoredCopy};

/// Why a word asks for nothing that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// The word is none of those that there are.
    #[error("'{0}' is no tablespace, file id, range or path of the backup")]
    Unknown(String),
    /// A range that runs backwards or is no number.
    #[error("'{0}' is no ascending range of numbers")]
    Range(String),
    /// A log that has no stored copy.
    #[error("redo log {0} has no stored copy that can be found")]
    NoCopy(u32),
    /// A list without a word.
    #[error("it names nothing")]
    Empty,
    /// A directory behind `=` that depends on where the tool is started.
    #[error("'{0}' is no absolute path of a directory")]
    Directory(String),
    /// A value of `-m` that this release does not do.
    #[error("'{0}' cannot be restored from disk backups")]
    NotSupported(String),
    /// Two different files would be written to one place.
    #[error("{} and {} would both be restored to {}", one.display(), other.display(), target.display())]
    Collision {
        /// The first file.
        one: PathBuf,
        /// The second.
        other: PathBuf,
        /// Where both would go.
        target: PathBuf,
    },
}

/// One word, with the directory that stands behind `=`.
struct Word<'a> {
    text: &'a str,
    directory: Option<PathBuf>,
}

/// `a,b=/x` or `a,b==/x`: a single `=` belongs to its word, a double one to the whole list.
fn words(list: &str) -> Result<Vec<Word<'_>>, SelectionError> {
    let (list, all) = match list.split_once("==") {
        Some((list, path)) => (list, Some(directory(path)?)),
        None => (list, None),
    };
    let words: Vec<Word> = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| match word.split_once('=') {
            Some((text, path)) => Ok(Word {
                text,
                directory: Some(directory(path)?),
            }),
            None => Ok(Word {
                text: word,
                directory: all.clone(),
            }),
        })
        .collect::<Result<_, SelectionError>>()?;
    if words.is_empty() {
        Err(SelectionError::Empty)
    } else {
        Ok(words)
    }
}

fn directory(path: &str) -> Result<PathBuf, SelectionError> {
    if Path::new(path).is_absolute() {
        Ok(PathBuf::from(path))
    } else {
        Err(SelectionError::Directory(path.to_owned()))
    }
}

/// Whether all data files are asked for: only a whole backup holds them.
pub fn wants_whole(mode: &str) -> bool {
    let whole = |word: &Word| matches!(word.text, "all" | "all_data" | "full");
    words(mode).is_ok_and(|words| words.iter().any(whole))
}

/// The items of `-m` in a backup.
pub fn from_backup(
    backup: &Backup,
    mode: &str,
    control_files: &[PathBuf],
) -> Result<Vec<RestoreItem>, SelectionError> {
    let mut items = Items::default();
    for word in words(mode)? {
        let found = files_of(backup, word.text, control_files)?;
        for (saved, target) in found {
            let target = placed(&target, word.directory.as_deref());
            items.add(item(saved, target))?;
        }
    }
    Ok(items.list)
}

/// Items with the places that they take.
#[derive(Default)]
struct Items {
    list: Vec<RestoreItem>,
    places: BTreeMap<PathBuf, usize>,
}

impl Items {
    /// Adds an item once. Of two files for one place only one would be left in the end, so that is refused.
    fn add(&mut self, item: RestoreItem) -> Result<(), SelectionError> {
        let place = resolved(&item.target);
        match self.places.get(&place).map(|index| &self.list[*index]) {
            // A group's members and all control files come from one copy; what is named twice is wanted once.
            Some(known) if known.source == item.source => {}
            Some(known) => {
                return Err(SelectionError::Collision {
                    one: known.original.clone(),
                    other: item.original,
                    target: item.target,
                });
            }
            None => {
                self.places.insert(place, self.list.len());
                self.list.push(item);
            }
        }
        Ok(())
    }
}

/// The path with the links in what exists of its directory followed: two names of one place are one place.
fn resolved(target: &Path) -> PathBuf {
    target
        .ancestors()
        .skip(1)
        .find_map(|directory| {
            let real = directory.canonicalize().ok()?;
            Some(real.join(target.strip_prefix(directory).ok()?))
        })
        .unwrap_or_else(|| target.to_owned())
}

fn files_of<'a>(
    backup: &'a Backup,
    word: &str,
    control_files: &[PathBuf],
) -> Result<Vec<(&'a SavedFile, PathBuf)>, SelectionError> {
    let datafiles = || {
        backup
            .datafiles()
            .map(|(file, saved)| (file, saved, file.path.clone()))
    };
    let control = || -> Vec<(&'a SavedFile, PathBuf)> {
        let places = if control_files.is_empty() {
            &backup.detail.control_files
        } else {
            control_files
        };
        backup
            .control_file()
            .into_iter()
            .flat_map(|saved| places.iter().map(move |p| (saved, p.clone())))
            .collect()
    };
    let found: Vec<(&SavedFile, PathBuf)> = match word {
        "all" | "all_data" => datafiles().map(|(_, saved, path)| (saved, path)).collect(),
        "full" => {
            let redo = backup.redo_logs();
            let members = redo
                .into_iter()
                .flat_map(|(saved, members)| members.into_iter().map(move |m| (saved, m)));
            datafiles()
                .map(|(_, saved, path)| (saved, path))
                .chain(control())
                .chain(members)
                .collect()
        }
        "0" => control(),
        "incr" | "incr_only" | "incr_full" | "incr_all" | "archive_logs" | "partial" | "non_db" => {
            return Err(SelectionError::NotSupported(word.to_string()));
        }
        path if path.starts_with('/') => datafiles()
            .filter(|(_, _, file)| {
                file.starts_with(path) || file.to_string_lossy().starts_with(path)
            })
            .map(|(_, saved, p)| (saved, p))
            .collect(),
        number
            if number
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_digit()) =>
        {
            let (first, last) = range(number)?;
            datafiles()
                .filter(|(file, ..)| (first..=last).contains(&file.file_id))
                .map(|(_, saved, p)| (saved, p))
                .collect()
        }
        name => datafiles()
            .filter(|(file, ..)| file.tablespace.eq_ignore_ascii_case(name))
            .map(|(_, saved, p)| (saved, p))
            .collect(),
    };
    if found.is_empty() {
        Err(SelectionError::Unknown(word.to_string()))
    } else {
        Ok(found)
    }
}

/// The items of `-a`: numbers, ranges, each with a directory if wanted. `second` asks for the second copies.
pub fn from_archive(
    summary: &ArchiveSummary,
    list: &str,
    second: bool,
) -> Result<Vec<RestoreItem>, SelectionError> {
    let mut items = Items::default();
    for word in words(list)? {
        let (first, last) = range(word.text)?;
        for sequence in first..=last {
            let entry = summary
                .find(sequence, None)
                .ok_or(SelectionError::NoCopy(sequence))?;
            let copies = if second { &entry.copied } else { &entry.saved };
            let is_there = |copy: &&StoredCopy| !copy.is_unread;
            let copy = copies
                .as_ref()
                .filter(is_there)
                .or(entry.copied.as_ref().filter(is_there))
                .ok_or(SelectionError::NoCopy(sequence))?;
            let on_tape = copy.volume.get(1..).and_then(tape_place);
            let source = match (&copy.stored, &on_tape) {
                (_, Some((volume, position))) => PathBuf::from(format!("{volume}/{position}")),
                (Some((_, _, path)), None) => path.clone(),
                (None, None) => return Err(SelectionError::NoCopy(sequence)),
            };
            items.add(RestoreItem {
                original: entry.path.clone(),
                source,
                target: placed(&entry.path, word.directory.as_deref()),
                on_tape,
                check: copy.stored.as_ref().map(|(hash, bytes, _)| (*hash, *bytes)),
            })?;
        }
    }
    Ok(items.list)
}

/// Longest range, so that a typing error does not ask for a billion logs.
const RANGE_MAX: u32 = 100_000;

fn range(text: &str) -> Result<(u32, u32), SelectionError> {
    let wrong = || SelectionError::Range(text.to_string());
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u32, u32) = (
        first.parse().map_err(|_| wrong())?,
        last.parse().map_err(|_| wrong())?,
    );
    if first > last || last - first >= RANGE_MAX {
        return Err(wrong());
    }
    Ok((first, last))
}

fn placed(original: &Path, directory: Option<&Path>) -> PathBuf {
    match (directory, original.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => original.to_owned(),
    }
}

/// Volume and position of a copy, unless the place is called after its run, as copies on disk are.
fn tape_place(place: &str) -> Option<(String, u32)> {
    let (volume, position) = place.rsplit_once('/')?;
    let is_run = volume.parse::<ActionId>().is_ok();
    (!is_run).then_some(())?;
    Some((volume.to_owned(), position.parse().ok()?))
}

fn item(saved: &SavedFile, target: PathBuf) -> RestoreItem {
    // On disk the copy has a path, on tape a bare name.
    let on_tape = match saved.copy.is_absolute() {
        true => None,
        false => tape_place(&saved.volume),
    };
    RestoreItem {
        original: saved.original.clone(),
        source: match on_tape {
            None => saved.copy.clone(),
            Some(_) => PathBuf::from(&saved.volume),
        },
        target,
        on_tape,
        check: saved.check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::return_code::ReturnCode;
    use crate::run_log::reader::DetailLog;

    fn backup() -> Backup {
        let text = "BR0118I Tablespaces and data files\n\
             SYSTEM*      ONLINE   SYSTEM   /o/sapdata1/system.data1   8192   1   5 NOLINK FILE\n\
             PSAP40BD*    ONLINE   ONLINE   /o/sapdata1/40bd.data1   8192   2   5 NOLINK FILE\n\
             PSAP40BD*    ONLINE   ONLINE   /o/sapdata2/40bd.data2   8192   3   5 NOLINK FILE\n\
             BR0120I Control files\n\
             /o/c1/cntrlSND.dbf   16384  0   5 NOLINK FILE\n\
             BR0280I BRBACKUP time stamp: x\n\
             #FILE..... /o/sapdata1/system.data1\n#SAVED.... /b/system.data1 x/1\n\
             #FILE..... /o/sapdata1/40bd.data1\n#SAVED.... /b/40bd.data1 x/2\n\
             #FILE..... /o/sapdata2/40bd.data2\n#SAVED.... /b/40bd.data2 x/3\n\
             #FILE..... /o/sapbackup/cntrl.dbf\n#SAVED.... /b/early/cntrl.dbf x/4\n\
             #FILE..... /o/sapbackup/cntrl.dbf\n#SAVED.... /b/late/cntrl.dbf x/5\n";
        Backup {
            id: "bczhvugd".parse().unwrap(),
            function: "and".to_string(),
            code: ReturnCode::Success,
            end: String::new(),
            log_after: None,
            detail: DetailLog::parse(text),
        }
    }

    fn targets(mode: &str) -> Vec<String> {
        let items = from_backup(&backup(), mode, &[]).unwrap();
        items
            .iter()
            .map(|item| item.target.display().to_string())
            .collect()
    }

    #[test]
    fn words_name_files() {
        assert_eq!(targets("all").len(), 3);
        assert_eq!(
            targets("psap40bd"),
            ["/o/sapdata1/40bd.data1", "/o/sapdata2/40bd.data2"]
        );
        assert_eq!(
            targets("1,2-3=/x"),
            ["/o/sapdata1/system.data1", "/x/40bd.data1", "/x/40bd.data2"]
        );
        assert_eq!(targets("1,3==/y"), ["/y/system.data1", "/y/40bd.data2"]);
        assert_eq!(targets("/o/sapdata2"), ["/o/sapdata2/40bd.data2"]);
        assert_eq!(targets("full").len(), 4);
    }

    #[test]
    fn two_files_are_not_restored_to_one_place() {
        let mut backup = backup();
        let twin = "/o/sapdata2/system.data1";
        backup.detail.datafiles[2].path = twin.into();
        backup
            .detail
            .saved
            .iter_mut()
            .filter(|saved| saved.original == Path::new("/o/sapdata2/40bd.data2"))
            .for_each(|saved| saved.original = twin.into());
        assert_eq!(from_backup(&backup, "all", &[]).unwrap().len(), 3);
        assert_eq!(from_backup(&backup, "all,1,1", &[]).unwrap().len(), 3);
        let directory = tempfile::tempdir().unwrap();
        let (x, y) = (directory.path().join("x"), directory.path().join("y"));
        std::fs::create_dir(&x).unwrap();
        std::os::unix::fs::symlink(&x, &y).unwrap();
        let (x, y) = (x.display(), y.display());
        for mode in [
            format!("all={x}"),
            format!("1,3=={x}/deep"),
            format!("1={x},3={y}"),
            format!("1={x}/deep,3={y}/deep"),
        ] {
            let error = from_backup(&backup, &mode, &[]).unwrap_err();
            let said = error.to_string();
            assert!(
                said.starts_with(
                    "/o/sapdata1/system.data1 and /o/sapdata2/system.data1 would both"
                ),
                "{mode}: {said}"
            );
        }
        assert!(from_backup(&backup, &format!("1={x},3={x}/other"), &[]).is_ok());
    }

    #[test]
    fn a_directory_behind_it_does_not_make_all_less() {
        for (mode, whole) in [
            ("all", true),
            ("all=/x", true),
            ("0,full==/x", true),
            ("1-3", false),
            ("SYSTEM=/all", false),
            (",", false),
        ] {
            assert_eq!(wants_whole(mode), whole, "{mode}");
        }
    }

    #[test]
    fn the_newest_control_file_copy_is_taken() {
        let items = from_backup(
            &backup(),
            "0",
            &[PathBuf::from("/p/a"), PathBuf::from("/p/b")],
        )
        .unwrap();
        assert_eq!(items.len(), 2);
        assert!(
            items
                .iter()
                .all(|item| item.source == Path::new("/b/late/cntrl.dbf"))
        );
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for mode in [
            "NOSUCH", "9", "3-1", "/nowhere", "incr", "1-x", "", ",", "1=", "1=x", "1==x",
            "all=./x",
        ] {
            assert!(from_backup(&backup(), mode, &[]).is_err(), "{mode}");
        }
    }
}
