//! Applying an incremental backup of level 1, in place: to image copies and to restored data files.
//! What lives here: the order of writing that a crash cannot spoil. What does not: which backup fits which file.
//!
//! First the header says how new blocks may be from here on, then the blocks are written, then the header takes the
//! checkpoint of the backup. A crash in between leaves a file of the old checkpoint with a higher fuzzy SCN: it can be
//! recovered with redo, and the same backup can be applied again. Only the blocks of the backup are written.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use oracle::address::SMALLFILE_BLOCK_MAX;
use oracle::block;
use oracle::file_header::{FileHeader, status};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::Watch;
use super::copy::write_copy_header;
use super::output::{identifying, writing};
use super::piece::{GROUP_SLOTS, PieceReader};
use super::restore::{member_of, must_be_ours};
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::{CopyOf, FileState};
use crate::engine::datafile::{self, name_file};
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::engine::instance::Instance;

/// Blocks that are written between two looks whether the client is still there.
const BLOCKS_BETWEEN_LOOKS: u32 = 16;

impl Instance {
    /// Applies a level 1 to image copies and notes their new state. Gives RECID and STAMP of each.
    ///
    /// A copy that has the backup already is left as it is. Errors: ORA-01507, ORA-19505, ORA-19870, ORA-19571,
    /// ORA-19643 (the backup begins after the copy ends), ORA-19625, ORA-19502.
    pub(super) fn merge(
        &self,
        handle: &Path,
        copies: &[(u32, u32)],
        watch: Watch,
    ) -> OraResult<Vec<(u32, u32)>> {
        let control = self.lock().control()?.record.clone();
        let reader = PieceReader::open(handle)?;
        must_be_ours(&control, reader.record())?;
        let mut targets = BTreeMap::new();
        for (number, recid) in copies {
            let copy = control
                .backups
                .copies
                .iter()
                .find(|copy| copy.recid == *recid);
            let copy = copy.ok_or_else(|| unknown_copy(*recid))?;
            let member = member_of(reader.record(), *number)?;
            let state = &reader.record().files[usize::from(member)];
            if let Some(target) = Target::open(&copy.path, state, Some(&copy.tag))? {
                targets.insert(member, target);
            }
        }
        apply(&reader, targets, watch)?;
        let mut core = self.lock();
        let control = core.control()?;
        let completed = OracleTime::now().raw();
        for (number, recid) in copies {
            let member = member_of(reader.record(), *number)?;
            let mut state = reader.record().files[usize::from(member)].clone();
            state.from_scn = None;
            let copies = &mut control.record.backups.copies;
            for copy in copies.iter_mut().filter(|copy| copy.recid == *recid) {
                // A copy that was further on keeps what is known of it.
                if copy
                    .file()
                    .is_some_and(|known| known.checkpoint.0 <= state.checkpoint.0)
                {
                    copy.of = CopyOf::Datafile(state.clone());
                    copy.completed = completed;
                }
            }
        }
        control.write()?;
        Ok(copies
            .iter()
            .map(|(_, recid)| (*recid, completed))
            .collect())
    }

    /// Applies a level 1 to restored data files.
    ///
    /// Errors: as [`Instance::merge`], and ORA-19573 when the database is open.
    pub(super) fn apply_to_files(
        &self,
        handle: &Path,
        files: &[u32],
        watch: Watch,
    ) -> OraResult<()> {
        if self.status() == InstanceStatus::Open {
            return Err(OraError::new(
                19573,
                "cannot obtain exclusive enqueue for datafile: the database is open",
            ));
        }
        let control = self.lock().control()?.record.clone();
        let reader = PieceReader::open(handle)?;
        must_be_ours(&control, reader.record())?;
        let mut targets = BTreeMap::new();
        for number in files {
            let record = super::set::known_file(&control, *number)?;
            let member = member_of(reader.record(), *number)?;
            let state = &reader.record().files[usize::from(member)];
            if let Some(target) = Target::open(&record.path, state, None)? {
                targets.insert(member, target);
            }
        }
        apply(&reader, targets, watch)
    }
}

fn unknown_copy(recid: u32) -> OraError {
    OraError::new(
        19571,
        format!("datafile-copy RECID {recid} not found in control file"),
    )
}

/// A file to which a backup is applied.
struct Target {
    path: PathBuf,
    file: File,
    header: FileHeader,
    /// What the backup says of the file.
    state: FileState,
    /// The header that the backup has for it.
    next: Option<FileHeader>,
    /// The tag of an image copy.
    tag: Option<String>,
}

impl Target {
    /// Opens a file that the backup fits; None when it has the backup already.
    fn open(path: &Path, state: &FileState, tag: Option<&str>) -> OraResult<Option<Target>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| identifying(path, &error))?;
        let header =
            datafile::read_header(&file).map_err(|error| name_file(error, state.number, path))?;
        let same = u32::from(header.file_number) == state.number
            && header.creation_scn == Scn::new(state.creation_scn)
            && header.resetlogs.time.raw() == state.incarnation.time
            && header.resetlogs.scn == Scn::new(state.incarnation.scn);
        if !same {
            let text = format!(
                "datafile {} is not the one that the backup is of",
                state.number
            );
            return Err(name_file(OraError::new(19642, text), state.number, path));
        }
        let begins = state.from_scn.ok_or_else(|| {
            OraError::new(
                19667,
                format!("cannot do incremental restore of datafile {}", state.number),
            )
        })?;
        if state.blocks > SMALLFILE_BLOCK_MAX || state.blocks < header.blocks {
            let text = format!("datafile {} with {} blocks", state.number, state.blocks);
            return Err(OraError::new(19599, "backup piece is corrupt").and(32700, text));
        }
        let checkpoint = header.checkpoint.scn.get();
        if checkpoint >= state.checkpoint.0 {
            return Ok(None);
        }
        if begins > checkpoint {
            let text = format!(
                "datafile {}: incremental-start SCN is too recent",
                state.number
            );
            let detail = format!(
                "datafile {} is at checkpoint SCN {checkpoint}, the backup begins at {begins}",
                state.number
            );
            return Err(OraError::new(19643, text).and(19640, detail));
        }
        Ok(Some(Target {
            path: path.to_owned(),
            file,
            header,
            state: state.clone(),
            next: None,
            tag: tag.map(str::to_owned),
        }))
    }

    /// Before the first block: from now on there may be blocks as new as the backup's.
    fn announce(&mut self) -> OraResult<()> {
        let newest = self
            .state
            .fuzzy_scn
            .max(self.state.checkpoint.0.saturating_sub(1));
        self.header.status |= status::ABSOLUTE_FUZZY;
        self.header.absolute_fuzzy_scn = self.header.absolute_fuzzy_scn.max(Scn::new(newest));
        let header = self.header.clone();
        self.write_header(&header)?;
        // A file that has grown since: its new blocks were never used, unless the backup has them.
        let mut unused = vec![0; BLOCK_BYTES];
        for number in self.header.blocks + 1..=self.state.blocks {
            block::never_formatted(&mut unused, number);
            self.write(number, &unused)?;
        }
        Ok(())
    }

    fn take(&mut self, number: u32, bytes: &[u8]) -> OraResult<()> {
        let fits = bytes.len() == BLOCK_BYTES && number <= self.state.blocks;
        if !fits || number > 1 && !datafile::is_whole(bytes) {
            let text = format!(
                "block number {number} of datafile {} is corrupt in the backup",
                self.state.number
            );
            return Err(OraError::new(19599, text));
        }
        match number {
            0 => Ok(()),
            1 => {
                self.next = FileHeader::read(bytes).ok();
                Ok(())
            }
            _ => self.write(number, bytes),
        }
    }

    /// After the last block: the blocks are synced, then the header has the backup's checkpoint.
    fn complete(&mut self) -> OraResult<()> {
        let mut next = self.next.clone().ok_or_else(|| {
            OraError::new(
                19599,
                format!(
                    "the header of datafile {} is not in the backup",
                    self.state.number
                ),
            )
        })?;
        if next.blocks != self.state.blocks {
            let text = format!(
                "the header of datafile {} is of another size",
                self.state.number
            );
            return Err(OraError::new(19599, text));
        }
        if self.tag.is_some() {
            next.status |= status::LEVEL_0_COPY;
        }
        self.file
            .sync_all()
            .map_err(|error| writing(&self.path, 0, &error))?;
        if next.blocks != self.header.blocks {
            datafile::write_os_header(&self.file, next.blocks)
                .map_err(|error| writing(&self.path, 0, &error))?;
        }
        self.write_header(&next)
    }

    fn write(&self, number: u32, bytes: &[u8]) -> OraResult<()> {
        let at = u64::from(number) * BLOCK_BYTES as u64;
        let written = self.file.write_all_at(bytes, at);
        written.map_err(|error| writing(&self.path, u64::from(number), &error))
    }

    fn write_header(&self, header: &FileHeader) -> OraResult<()> {
        let written = match &self.tag {
            Some(tag) => write_copy_header(&self.file, header, tag),
            None => datafile::write_header(&self.file, header),
        };
        written.map_err(|error| writing(&self.path, 1, &error))
    }
}

fn apply(reader: &PieceReader, mut targets: BTreeMap<u16, Target>, watch: Watch) -> OraResult<()> {
    if targets.is_empty() {
        return Ok(());
    }
    // Once through for nothing but the check: no file is touched by a backup that is damaged further on.
    reader.each(|chunk| {
        if chunk.number % GROUP_SLOTS == 0 {
            watch()
        } else {
            Ok(())
        }
    })?;
    targets.values_mut().try_for_each(Target::announce)?;
    let mut seen = 0u32;
    reader.each(|chunk| {
        seen += 1;
        if seen % BLOCKS_BETWEEN_LOOKS == 1 {
            watch()?;
        }
        match targets.get_mut(&chunk.member) {
            Some(target) => target.take(chunk.number, chunk.bytes),
            None => Ok(()),
        }
    })?;
    targets.values_mut().try_for_each(Target::complete)
}
