//! CATALOG: taking files that lie somewhere for backups of this database, if they are.
//! What lives here: searching, recognising, noting. What does not: making backups.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use oracle::file_header::{FileHeader, status};
use oracle::os_header::OsHeader;
use oracle::redo::{LogHeader, LogReader};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::Watch;
use super::copy::read_copy_tag;
use super::naming;
use super::piece::PieceReader;
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::{CopyOf, CopyRecord, FileState, LogState, Status};
use crate::engine::control::{self, Control, Incarnation};
use crate::engine::datafile;
use crate::engine::error::{OraError, OraResult};
use crate::engine::home;
use crate::engine::instance::Instance;

/// Most files that a search looks at.
const FILES_MAX: usize = 100_000;
/// Deepest directory below the one where a search begins.
const DEPTH_MAX: usize = 32;

impl Instance {
    /// Files whose paths begin with `prefix` and that the control file does not know, in the order of their paths.
    ///
    /// Symbolic links are not followed. Errors: ORA-01507, ORA-32700 when there are too many files.
    pub(super) fn search(&self, prefix: &Path, watch: Watch) -> OraResult<Vec<PathBuf>> {
        let known = known_paths(&self.lock().control()?.record);
        let prefix = naming::absolute(&self.home, prefix);
        let mut found = BTreeSet::new();
        let ends_in_slash = prefix.as_os_str().as_encoded_bytes().ends_with(b"/");
        let top = match ends_in_slash || prefix.is_dir() {
            true => prefix.clone(),
            false => home::parent(&prefix).to_owned(),
        };
        let mut directories = vec![(top, 0)];
        let mut looked_at = 0;
        while let Some((directory, depth)) = directories.pop() {
            watch()?;
            // One that cannot be entered has nothing for us: a mount's lost+found is root's alone.
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries {
                looked_at += 1;
                if looked_at > FILES_MAX {
                    return Err(OraError::new(
                        32700,
                        format!(
                            "more than {FILES_MAX} files match {}: name a longer prefix",
                            prefix.display()
                        ),
                    ));
                }
                let Ok(entry) = entry else { continue };
                let path = entry.path();
                let matches = path
                    .as_os_str()
                    .as_encoded_bytes()
                    .starts_with(prefix.as_os_str().as_encoded_bytes());
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => {
                        directories.push((path, depth + 1))
                    }
                    Ok(kind) if kind.is_file() && matches && !known.contains(&path) => {
                        found.insert(path);
                    }
                    _ => {}
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Notes a file: a piece, a copy of a data file or of the control file, or an archived log.
    ///
    /// Errors: ORA-01507; ORA-19563 with the reason why it is none of these, or of another database.
    pub(super) fn catalog(&self, path: &Path) -> OraResult<()> {
        let path = &naming::absolute(&self.home, path);
        let control = self.lock().control()?.record.clone();
        if known_paths(&control).contains(path)
            && control.datafiles.iter().any(|file| file.path == *path)
        {
            return Err(refused("The file is a data file of this database"));
        }
        if let Ok(reader) = PieceReader::open(path) {
            return self.catalog_piece(path, &reader);
        }
        if let Ok(reader) = LogReader::open(path) {
            return self.catalog_log(path, &control, reader.header());
        }
        if let Ok(record) = control::read_file(path) {
            return self.catalog_control(path, &control, &record);
        }
        self.catalog_datafile(path, &control)
    }

    fn catalog_piece(&self, path: &Path, reader: &PieceReader) -> OraResult<()> {
        let mut record = reader.record().clone();
        let mut core = self.lock();
        let control = core.control()?;
        if record.database.0 != control.record.dbid {
            return Err(foreign(record.database.0, &record.database.1));
        }
        record.handle = path.to_owned();
        record.status = Status::Available;
        control.record.backups.add_set(record);
        control.write()
    }

    fn catalog_log(&self, path: &Path, control: &Control, header: &LogHeader) -> OraResult<()> {
        if header.dbid != control.dbid {
            return Err(foreign(header.dbid, &header.db_name));
        }
        if header.next_scn == Scn::OPEN_ENDED || header.sequence.get() == 0 {
            return Err(refused("The log is still being written"));
        }
        let time = |time: OracleTime| time.raw();
        let log = LogState {
            sequence: header.sequence.get(),
            incarnation: Incarnation {
                scn: header.resetlogs.scn.get(),
                time: header.resetlogs.time.raw(),
            },
            first: (header.first_scn.get(), time(header.first_time)),
            next: (header.next_scn.get(), header.next_time.map_or(0, time)),
            blocks: header.next_available_block.saturating_sub(1),
            record: (0, 0),
        };
        self.note_log(path.to_owned(), &log)
    }

    fn catalog_control(&self, path: &Path, control: &Control, record: &Control) -> OraResult<()> {
        if record.dbid != control.dbid {
            return Err(foreign(record.dbid, &record.name));
        }
        if !record.is_backup {
            return Err(refused("The file is a control file in use, not a copy"));
        }
        let of = CopyOf::Controlfile(record.checkpoint.scn, record.checkpoint.time);
        self.note_copy(copy_record(path, of, String::new(), false))
            .map(drop)
    }

    fn catalog_datafile(&self, path: &Path, control: &Control) -> OraResult<()> {
        let no_copy = |_| refused("The file header is corrupted");
        let file = File::open(path).map_err(|error| refused(&error.to_string()))?;
        let bytes = file
            .metadata()
            .map_err(|error| refused(&error.to_string()))?
            .len();
        let header = datafile::read_header(&file).map_err(no_copy)?;
        if !has_os_header(&file) || bytes < (u64::from(header.blocks) + 1) * BLOCK_BYTES as u64 {
            return Err(refused("The file header is corrupted"));
        }
        if header.dbid != control.dbid {
            return Err(foreign(header.dbid, &header.db_name));
        }
        let state = state_of(path, control, &header);
        let level_0 = header.status & status::LEVEL_0_COPY != 0;
        let tag = read_copy_tag(&file);
        self.note_copy(copy_record(path, CopyOf::Datafile(state), tag, level_0))
            .map(drop)
    }
}

fn has_os_header(file: &File) -> bool {
    use std::os::unix::fs::FileExt;
    let mut block = vec![0; BLOCK_BYTES];
    file.read_exact_at(&mut block, 0).is_ok() && OsHeader::read(&block).is_ok()
}

fn state_of(path: &Path, control: &Control, header: &FileHeader) -> FileState {
    let number = u32::from(header.file_number);
    let known = control.datafiles.iter().find(|file| file.number == number);
    let fuzzy = header.status & status::ABSOLUTE_FUZZY != 0;
    FileState {
        number,
        path: known.map_or_else(|| path.to_owned(), |file| file.path.clone()),
        tablespace: header.tablespace_name.clone(),
        blocks: header.blocks,
        creation_scn: header.creation_scn.get(),
        incarnation: Incarnation {
            scn: header.resetlogs.scn.get(),
            time: header.resetlogs.time.raw(),
        },
        checkpoint: (header.checkpoint.scn.get(), header.checkpoint.time.raw()),
        fuzzy_scn: if fuzzy {
            header.absolute_fuzzy_scn.get()
        } else {
            0
        },
        from_scn: None,
    }
}

fn copy_record(path: &Path, of: CopyOf, tag: String, level_0: bool) -> CopyRecord {
    CopyRecord {
        recid: 0,
        of,
        tag,
        path: path.to_owned(),
        level_0,
        completed: OracleTime::now().raw(),
        status: Status::Available,
    }
}

/// Every file that the control file knows: the database's own, and its backups.
fn known_paths(control: &Control) -> BTreeSet<PathBuf> {
    let logs = control
        .archived
        .iter()
        .filter(|log| !log.deleted)
        .map(|log| &log.path);
    let files = control.datafiles.iter().map(|file| &file.path);
    let members = control.logs.iter().flat_map(|log| &log.members);
    let sets = control.backups.sets.iter().map(|set| &set.handle);
    let copies = control.backups.copies.iter().map(|copy| &copy.path);
    logs.chain(files)
        .chain(members)
        .chain(sets)
        .chain(copies)
        .cloned()
        .collect()
}

/// Why a file cannot be catalogued; RMAN shows the first line's text.
fn refused(why: &str) -> OraError {
    OraError::new(7517, format!("Reason: {why}"))
}

fn foreign(dbid: u32, name: &str) -> OraError {
    OraError::new(
        7518,
        format!("Reason: Foreign database file DBID: {dbid}  Database Name: {name}"),
    )
}
