//! What `backup_mode` or `-m` asks for, found among the files of the database.
//! What lives here: reading the words and choosing the files. What does not: copying them.

use std::path::{Path, PathBuf};

use crate::database::{Datafile, Inventory, Tablespace};

/// One word of `backup_mode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// Every tablespace: `all`, and `full`, which on disk without RMAN is the same.
    All,
    /// A tablespace by name.
    Tablespace(String),
    /// Data files by Oracle's file id, from the first to the last.
    Files(u32, u32),
    /// Data files whose path begins so.
    Path(PathBuf),
}

/// Why a word of `backup_mode` names nothing that can be backed up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A value that exists and that this program does not do.
    #[error("'{word}' is not supported by backups to disk. HINT: {hint}")]
    NotSupported {
        /// The word.
        word: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// A range that runs backwards.
    #[error("'{0}' is no range of file ids: the first must not be greater than the last")]
    Range(String),
    /// Neither tablespace nor file.
    #[error("there is no {what} '{word}' in the database. HINT: {hint}")]
    Unknown {
        /// tablespace, data file or path.
        what: &'static str,
        /// The word.
        word: String,
        /// What there is.
        hint: String,
    },
}

/// The chosen tablespaces, each with the chosen files of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// In the order of the database. `files` holds only what is to be saved.
    pub tablespaces: Vec<SelectedTablespace>,
    /// Whether nothing of the database is left out: decides between `a` and `p` in the function id.
    pub is_whole: bool,
}

/// A tablespace to put into backup mode, and its files to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedTablespace {
    /// The whole tablespace, as BEGIN BACKUP concerns all its files.
    pub tablespace: Tablespace,
    /// The files to copy.
    pub files: Vec<Datafile>,
}

impl Selection {
    /// Every file with its tablespace.
    pub fn files(&self) -> impl Iterator<Item = (&Tablespace, &Datafile)> {
        self.tablespaces.iter().flat_map(|selected| {
            selected
                .files
                .iter()
                .map(move |file| (&selected.tablespace, file))
        })
    }

    /// Bytes on disk of all files.
    pub fn bytes(&self) -> u64 {
        self.files().map(|(_, file)| file.bytes_on_disk()).sum()
    }
}

/// Reads one word.
pub fn parse_object(word: &str) -> Result<Object, SelectionError> {
    let refuse = |hint| {
        Err(SelectionError::NotSupported {
            word: word.to_owned(),
            hint,
        })
    };
    match word.to_ascii_lowercase().as_str() {
        "all" | "all_data" | "full" => return Ok(Object::All),
        "incr" => return refuse("incremental backups need RMAN; use all"),
        "sap_dir" | "ora_dir" | "all_dir" | "non_db" | "nondb" | "partial" => {
            return refuse("save directories outside of the database with your file backup");
        }
        _ => {}
    }
    if word.starts_with('/') {
        return Ok(Object::Path(PathBuf::from(word)));
    }
    if word.starts_with('-') {
        return refuse("temporary files are made anew when the database is opened");
    }
    if word.starts_with('0') && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return refuse("control file and redo logs are part of every whole backup");
    }
    let number = |text: &str| {
        text.parse::<u32>()
            .ok()
            .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if let Some(file) = number(word) {
        return Ok(Object::Files(file, file));
    }
    if let Some((first, last)) = word
        .split_once('-')
        .and_then(|(first, last)| Some((number(first)?, number(last)?)))
    {
        return if first <= last {
            Ok(Object::Files(first, last))
        } else {
            Err(SelectionError::Range(word.to_owned()))
        };
    }
    Ok(Object::Tablespace(word.to_ascii_uppercase()))
}

/// Chooses the files. A word that names nothing is an error: a backup without what was asked for is none.
pub fn select(objects: &[Object], inventory: &Inventory) -> Result<Selection, SelectionError> {
    for object in objects {
        refuse_unknown(object, inventory)?;
    }
    let wanted = |tablespace: &Tablespace, file: &Datafile| {
        objects.iter().any(|object| object.names(tablespace, file))
    };
    let tablespaces: Vec<SelectedTablespace> = inventory
        .tablespaces
        .iter()
        .map(|tablespace| SelectedTablespace {
            files: tablespace
                .files
                .iter()
                .filter(|file| wanted(tablespace, file))
                .cloned()
                .collect(),
            tablespace: tablespace.clone(),
        })
        .filter(|selected| !selected.files.is_empty())
        .collect();
    let chosen: usize = tablespaces
        .iter()
        .map(|selected| selected.files.len())
        .sum();
    Ok(Selection {
        is_whole: chosen == inventory.datafiles().count(),
        tablespaces,
    })
}

impl Object {
    fn names(&self, tablespace: &Tablespace, file: &Datafile) -> bool {
        match self {
            Object::All => true,
            Object::Tablespace(name) => tablespace.name.eq_ignore_ascii_case(name),
            Object::Files(first, last) => (first..=last).contains(&&file.number),
            Object::Path(prefix) => is_below(&file.path, prefix),
        }
    }
}

fn refuse_unknown(object: &Object, inventory: &Inventory) -> Result<(), SelectionError> {
    if inventory
        .datafiles()
        .any(|(tablespace, file)| object.names(tablespace, file))
    {
        return Ok(());
    }
    let (what, word, hint) = match object {
        Object::All => (
            "data file",
            "all".to_owned(),
            "V$DATAFILE is empty".to_owned(),
        ),
        Object::Tablespace(name) => {
            let names: Vec<&str> = inventory
                .tablespaces
                .iter()
                .map(|tablespace| tablespace.name.as_str())
                .collect();
            (
                "tablespace",
                name.clone(),
                format!("there are {}", names.join(", ")),
            )
        }
        Object::Files(first, last) => {
            let highest = inventory
                .datafiles()
                .map(|(_, file)| file.number)
                .max()
                .unwrap_or(0);
            let word = if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            };
            (
                "data file with id",
                word,
                format!("the highest file id is {highest}"),
            )
        }
        Object::Path(prefix) => (
            "data file below",
            prefix.display().to_string(),
            "use the path as V$DATAFILE shows it".to_owned(),
        ),
    };
    Err(SelectionError::Unknown { what, word, hint })
}

/// A prefix ends at the end of a name or is the beginning of one: `/oracle/SND/sapdata1` means that directory, not sapdata10.
fn is_below(path: &Path, prefix: &Path) -> bool {
    path.starts_with(prefix)
}

/// Gives every file a name of its own in one directory: its base name, with the file id after it where two would collide.
pub fn target_names<'a>(files: impl IntoIterator<Item = &'a Datafile>) -> Vec<(u32, String)> {
    let mut names: Vec<(u32, String)> = Vec::new();
    for file in files {
        let base = file.path.file_name().map_or_else(
            || format!("file{}", file.number),
            |name| name.to_string_lossy().into_owned(),
        );
        let taken = |name: &str| names.iter().any(|(_, used)| used == name);
        let mut name = base.clone();
        if taken(&name) {
            name = format!("{base}.{}", file.number);
        }
        while taken(&name) {
            name.push('_');
        }
        names.push((file.number, name));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u32, path: &str) -> Datafile {
        Datafile {
            number,
            path: path.into(),
            bytes: 8192,
            block_size: 8192,
            status: "ONLINE".into(),
            enabled: "READ WRITE".into(),
        }
    }

    fn inventory() -> Inventory {
        let tablespace = |number, name: &str, files| Tablespace {
            number,
            name: name.into(),
            files,
        };
        Inventory {
            tablespaces: vec![
                tablespace(
                    0,
                    "SYSTEM",
                    vec![file(1, "/o/sapdata1/system_1/system.data1")],
                ),
                tablespace(
                    1,
                    "PSAP40BD",
                    vec![
                        file(2, "/o/sapdata1/40bd_1/40bd.data1"),
                        file(3, "/o/sapdata10/40bd_2/40bd.data2"),
                    ],
                ),
            ],
            control_files: Vec::new(),
            redo_groups: Vec::new(),
        }
    }

    fn chosen(words: &[&str]) -> Result<(Vec<u32>, bool), SelectionError> {
        let objects = words
            .iter()
            .map(|word| parse_object(word))
            .collect::<Result<Vec<_>, _>>()?;
        let selection = select(&objects, &inventory())?;
        Ok((
            selection.files().map(|(_, file)| file.number).collect(),
            selection.is_whole,
        ))
    }

    #[test]
    fn words_choose_files_and_whole_is_only_what_leaves_nothing_out() {
        for (words, files, whole) in [
            (&["all"][..], &[1, 2, 3][..], true),
            (&["SYSTEM"], &[1], false),
            (&["psap40bd"], &[2, 3], false),
            (&["3"], &[3], false),
            (&["1-2"], &[1, 2], false),
            (&["1-3"], &[1, 2, 3], true),
            (&["system", "3", "3"], &[1, 3], false),
            (&["/o/sapdata1"], &[1, 2], false),
            (&["/o/sapdata10/40bd_2/40bd.data2"], &[3], false),
        ] {
            assert_eq!(chosen(words).unwrap(), (files.to_vec(), whole), "{words:?}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_done_is_refused_with_a_hint() {
        for word in [
            "NOWHERE",
            "4",
            "7-9",
            "/o/sapdata2",
            "incr",
            "sap_dir",
            "-1",
            "0",
            "00",
            "012",
        ] {
            let error = chosen(&[word]).unwrap_err();
            assert!(error.to_string().contains("HINT"), "{word}: {error}");
        }
        assert_eq!(
            chosen(&["3-1"]).unwrap_err(),
            SelectionError::Range("3-1".into())
        );
    }

    #[test]
    fn files_of_one_base_name_do_not_collide() {
        let files = [
            file(1, "/a/x.data1"),
            file(2, "/b/x.data1"),
            file(3, "/c/x.data1.2"),
            file(4, "/d/y"),
        ];
        let names = target_names(&files);
        let texts: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(texts, ["x.data1", "x.data1.2", "x.data1.2.3", "y"]);
    }
}
