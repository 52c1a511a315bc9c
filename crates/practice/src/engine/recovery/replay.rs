//! Replaying redo into data files: what crash recovery and media recovery have in common.
//! What lives here: applying records to blocks and writing them back. What does not: which logs, and until when.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oracle::block::{self, BlockHeader};
use oracle::file_header::status;
use oracle::redo::{ChangeVector, RedoRecord};
use oracle::scn::Scn;

use crate::content::BLOCK_BYTES;
use crate::engine::administration::{new_header, write_empty_file};
use crate::engine::change::{self, Misfit, operation};
use crate::engine::control::{Control, DatafileRecord};
use crate::engine::datafile::{self, DataFile, name_file};
use crate::engine::doublewrite::{BLOCKS_MAX, Doublewrite, Entry};
use crate::engine::error::{OraError, OraResult};

/// Blocks kept in memory before they are written back: 64 MiB.
const BLOCKS_IN_MEMORY_MAX: usize = 8192;

/// A file under recovery.
#[derive(Debug)]
pub struct ReplayFile {
    /// The open file; its header is changed here and written by [`Replay::write_headers`].
    pub file: DataFile,
    /// Records below this SCN are in the file.
    pub from: Scn,
}

/// Files under recovery and the blocks changed so far.
#[derive(Debug)]
pub struct Replay {
    /// The files.
    pub files: Vec<ReplayFile>,
    /// SCN of the newest record seen.
    pub last_scn: Scn,
    /// Records of which at least one vector was applied.
    pub applied: u64,
    /// Data files that the redo adds and the control file does not know; the caller tells it.
    pub added: Vec<DatafileRecord>,
    control: Control,
    blocks: HashMap<(u32, u32), Box<[u8]>>,
    journal: Doublewrite,
}

impl Replay {
    /// Recovery of these files, each from the checkpoint in its header.
    pub fn new(files: Vec<DataFile>, control: &Control, journal: &Path) -> OraResult<Replay> {
        let journal = Doublewrite::open(journal).map_err(|e| {
            OraError::new(
                1242,
                format!("doublewrite journal {}: {e}", journal.display()),
            )
        })?;
        let files = files
            .into_iter()
            .map(|file| ReplayFile {
                from: file.header.checkpoint.scn,
                file,
            })
            .collect();
        Ok(Replay {
            files,
            last_scn: Scn::ZERO,
            applied: 0,
            added: Vec::new(),
            control: control.clone(),
            blocks: HashMap::new(),
            journal,
        })
    }

    /// Applies one record to those files whose checkpoint lies before it.
    ///
    /// Errors: ORA-01578 when a block must be read and is damaged; ORA-00600 [3020] with ORA-10567 when a block lacks
    /// changes that came before (the redo and the file do not belong together).
    pub fn apply(&mut self, record: &RedoRecord) -> OraResult<()> {
        self.last_scn = self.last_scn.max(record.scn);
        let mut touched = false;
        for vector in &record.vectors {
            if (vector.layer, vector.code) == operation::ADD_DATAFILE {
                self.add_file(vector)?;
            }
            let number = u32::from(vector.file);
            let Some(position) = self
                .files
                .iter()
                .position(|replay| replay.file.number == number)
            else {
                continue;
            };
            if record.scn < self.files[position].from {
                continue;
            }
            if (vector.layer, vector.code) == operation::END_BACKUP {
                end_backup(&mut self.files[position].file, vector);
            } else if change::concerns_block(vector) {
                self.apply_to_block(position, vector, record.scn)?;
            }
            touched = true;
        }
        self.applied += u64::from(touched);
        if self.blocks.len() > BLOCKS_IN_MEMORY_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// A data file that was added after the control file was saved: it is made anew, empty, unless it is there.
    fn add_file(&mut self, vector: &ChangeVector) -> OraResult<()> {
        let number = u32::from(vector.file);
        let known = self.control.datafiles.iter().chain(&self.added);
        if known.clone().any(|record| record.number == number) {
            return Ok(());
        }
        let field = vector.fields.first().map(Vec::as_slice).unwrap_or_default();
        let record: DatafileRecord = serde_json::from_slice(field).map_err(|e| {
            OraError::new(
                1244,
                "unnamed data file(s) added to control file by media recovery",
            )
            .and(600, e.to_string())
        })?;
        if !record.path.exists() {
            write_empty_file(&record.path, &new_header(&self.control, &record)).map_err(|e| {
                OraError::new(
                    1119,
                    format!(
                        "error in creating database file '{}'",
                        record.path.display()
                    ),
                )
                .and(27040, e.to_string())
            })?;
        }
        let file = datafile::open(&record)?;
        self.files.push(ReplayFile {
            from: file.header.checkpoint.scn,
            file,
        });
        self.added.push(record);
        Ok(())
    }

    fn apply_to_block(
        &mut self,
        position: usize,
        vector: &ChangeVector,
        scn: Scn,
    ) -> OraResult<()> {
        let file = &self.files[position].file;
        let number = vector.address.block();
        if number > file.blocks {
            return Err(stuck(file, number, "beyond the end of the file"));
        }
        let bytes = match self.blocks.entry((file.number, number)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let mut bytes = vec![0; BLOCK_BYTES].into_boxed_slice();
                if (vector.layer, vector.code) != operation::BLOCK_IMAGE {
                    datafile::read_block(file, number, &mut bytes)?;
                }
                entry.insert(bytes)
            }
        };
        match change::apply(bytes, vector, scn) {
            Ok(()) | Err(Misfit::AlreadyThere) => Ok(()),
            Err(Misfit::BlockTooOld) => {
                let found = BlockHeader::read(bytes).scn;
                Err(stuck(
                    file,
                    number,
                    &format!("block is at SCN {found}, redo expects {}", vector.scn),
                ))
            }
            Err(Misfit::Nonsense) => Err(stuck(
                file,
                number,
                "the change vector does not fit a block",
            )),
        }
    }

    /// Writes all changed blocks back, journal first, and syncs the files.
    pub fn flush(&mut self) -> OraResult<()> {
        let mut blocks: Vec<_> = std::mem::take(&mut self.blocks).into_iter().collect();
        blocks.sort_by_key(|(place, _)| *place);
        let mut blocks = blocks.into_iter().peekable();
        while blocks.peek().is_some() {
            let entries: Vec<Entry> = blocks
                .by_ref()
                .take(BLOCKS_MAX)
                .filter_map(|((number, block), mut bytes)| {
                    let file = &self
                        .files
                        .iter()
                        .find(|replay| replay.file.number == number)?
                        .file;
                    block::seal(&mut bytes);
                    Some(Entry {
                        file: number,
                        block,
                        checkpoint_count: file.header.checkpoint_count,
                        bytes,
                    })
                })
                .collect();
            self.write_entries(&entries)?;
        }
        Ok(())
    }

    fn write_entries(&self, entries: &[Entry]) -> OraResult<()> {
        let journal_error =
            |e: std::io::Error| OraError::new(1242, format!("doublewrite journal: {e}"));
        self.journal.record(entries).map_err(journal_error)?;
        for entry in entries {
            let Some(replay) = self
                .files
                .iter()
                .find(|replay| replay.file.number == entry.file)
            else {
                continue;
            };
            replay
                .file
                .file
                .write_all_at(&entry.bytes, u64::from(entry.block) * BLOCK_BYTES as u64)
                .map_err(|e| write_error(&replay.file, entry.block, &e))?;
        }
        self.files.iter().try_for_each(|replay| {
            replay
                .file
                .file
                .sync_data()
                .map_err(|e| write_error(&replay.file, 0, &e))
        })
    }

    /// Writes every file's header as it stands here. The blocks must have been flushed.
    pub fn write_headers(&self) -> OraResult<()> {
        self.files.iter().try_for_each(|replay| {
            datafile::write_header(&replay.file.file, &replay.file.header)
                .map_err(|e| write_error(&replay.file, 1, &e))
        })
    }
}

/// The marker 17.1 ends the need for more recovery only of the very backup that it names.
fn end_backup(file: &mut DataFile, marker: &ChangeVector) {
    let begin = marker
        .fields
        .first()
        .and_then(|field| <[u8; 8]>::try_from(field.as_slice()).ok())
        .map(Scn::decode);
    if begin == Some(file.header.backup_begin_scn) {
        file.header.status &= !status::HOT_BACKUP;
    }
}

fn stuck(file: &DataFile, block: u32, why: &str) -> OraError {
    let stack = OraError::new(
        600,
        format!(
            "internal error code, arguments: [3020], [{}], [{block}]",
            file.number
        ),
    )
    .and(
        10567,
        format!(
            "Redo is inconsistent with data block (file# {}, block# {block}): {why}",
            file.number
        ),
    );
    name_file(stack, file.number, &file.path)
}

fn write_error(file: &DataFile, block: u32, error: &std::io::Error) -> OraError {
    let stack = OraError::new(
        1114,
        format!(
            "IO error writing block to file {} (block # {block})",
            file.number
        ),
    )
    .and(27072, error.to_string());
    name_file(stack, file.number, &file.path)
}
