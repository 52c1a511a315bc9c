//! Restoring files from pieces and copies, each beside its place until it is whole.
//! What lives here: data files, archived logs, control file, parameter file. What does not: recovering them.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use oracle::address::SMALLFILE_BLOCK_MAX;
use oracle::block;
use oracle::file_header::{FileHeader, status};
use oracle::redo::check_archived_log;
use oracle::time::OracleTime;

use super::Watch;
use super::naming;
use super::output::{Output, writing};
use super::piece::{GROUP_SLOTS, PieceReader};
use super::source::Source;
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::{LogState, SetRecord};
use crate::engine::control::{self, ArchivedRecord, Control, DatafileRecord};
use crate::engine::datafile;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::engine::instance::Instance;

/// Largest parameter file that is restored, in bytes.
const SPFILE_BYTES_MAX: u64 = 1 << 20;

impl Instance {
    /// Restores data files from a piece. All appear, or none.
    ///
    /// Errors: ORA-01507, ORA-19573 (the file is in use), ORA-19505, ORA-19870 with its reason, ORA-19615 (not in the
    /// set), ORA-19504, ORA-19502.
    pub(super) fn restore_files(
        &self,
        handle: &Path,
        files: &[(u32, PathBuf)],
        watch: Watch,
    ) -> OraResult<Vec<PathBuf>> {
        let control = self.lock().control()?.record.clone();
        let reader = PieceReader::open(handle)?;
        must_be_ours(&control, reader.record())?;
        let mut targets = BTreeMap::new();
        for (number, target) in files {
            self.must_not_be_in_use(*number, target)?;
            let member = member_of(reader.record(), *number)?;
            targets.insert(
                member,
                DatafileTarget::create(target, reader.record(), member)?,
            );
        }
        let mut seen = 0u32;
        reader.each(|chunk| {
            seen += 1;
            if seen % GROUP_SLOTS == 1 {
                watch()?;
            }
            match targets.get_mut(&chunk.member) {
                Some(target) => target.take(chunk.number, chunk.bytes),
                None => Ok(()),
            }
        })?;
        let targets: Vec<DatafileTarget> = targets.into_values().collect();
        let mut whole = Vec::new();
        for mut target in targets {
            target.complete(&control)?;
            whole.push(target);
        }
        whole.into_iter().map(DatafileTarget::publish).collect()
    }

    /// Restores a data file from an image copy.
    ///
    /// Errors: as [`Instance::restore_files`].
    pub(super) fn restore_copy(
        &self,
        recid: u32,
        target: &Path,
        watch: Watch,
    ) -> OraResult<PathBuf> {
        let control = self.lock().control()?.record.clone();
        let copy = control
            .backups
            .copies
            .iter()
            .find(|copy| copy.recid == recid);
        let copied = copy.and_then(|copy| copy.file().map(|file| (copy, file)));
        let (copy, file) = copied.ok_or_else(|| {
            OraError::new(
                19571,
                format!("datafile-copy RECID {recid} not found in control file"),
            )
        })?;
        self.must_not_be_in_use(file.number, target)?;
        let record = control
            .datafiles
            .iter()
            .find(|known| known.number == file.number);
        let record = record.ok_or_else(|| {
            OraError::new(
                19576,
                format!("datafile {} not defined in control file", file.number),
            )
        })?;
        let mut source = Source::open(&DatafileRecord {
            path: copy.path.clone(),
            ..record.clone()
        })?;
        let (output, written) = Output::replace(target)?;
        let blocks = source.header.blocks;
        let mut first = 2;
        while first <= blocks {
            watch()?;
            let count = (blocks - first + 1).min(GROUP_SLOTS);
            let bytes = source.read(first, count)?;
            let at = u64::from(first) * BLOCK_BYTES as u64;
            written
                .write_all_at(&bytes, at)
                .map_err(|error| writing(target, u64::from(first), &error))?;
            first += count;
        }
        let header = source.copied_header(false);
        check_header(&control, file.number, &header)?;
        finish_datafile(&written, &header).map_err(|error| writing(target, 1, &error))?;
        output.publish(&written)?;
        Ok(target.to_owned())
    }

    /// A file of the open database is in use, and so is one under another number.
    fn must_not_be_in_use(&self, number: u32, target: &Path) -> OraResult<()> {
        let mut core = self.lock();
        if core.status != InstanceStatus::Open {
            return Ok(());
        }
        let open = core.open()?;
        match open
            .files
            .iter()
            .any(|file| file.number == number || file.path == target)
        {
            true => Err(OraError::new(
                19573,
                format!("cannot obtain exclusive enqueue for datafile {number}"),
            )),
            false => Ok(()),
        }
    }

    /// Restores archived logs to the archive destination and notes them. One that is there already is checked instead.
    ///
    /// Errors: as [`Instance::restore_files`].
    pub(super) fn restore_logs(
        &self,
        handle: &Path,
        sequences: &[u32],
        watch: Watch,
    ) -> OraResult<Vec<PathBuf>> {
        let control = self.lock().control()?.record.clone();
        let reader = PieceReader::open(handle)?;
        must_be_ours(&control, reader.record())?;
        let first_log = reader.record().files.len();
        let mut targets = BTreeMap::new();
        for (index, log) in reader.record().logs.iter().enumerate() {
            if sequences.contains(&log.sequence) {
                let path = self.archived_place(&control, log);
                let (output, file) = Output::replace(&path)?;
                targets.insert((first_log + index) as u16, (output, file, path, *log));
            }
        }
        if targets.len() != sequences.len() {
            return Err(OraError::new(19616, "archived log not found in backup set"));
        }
        reader.each(|chunk| {
            if chunk.number % GROUP_SLOTS == 0 {
                watch()?;
            }
            let Some((_, file, path, _)) = targets.get(&chunk.member) else {
                return Ok(());
            };
            file.write_all_at(chunk.bytes, u64::from(chunk.number) * BLOCK_BYTES as u64)
                .map_err(|error| writing(path, u64::from(chunk.number), &error))
        })?;
        let mut restored = Vec::new();
        for (output, file, path, log) in targets.into_values() {
            check_archived_log(output.written()).map_err(|fault| {
                OraError::new(
                    19599,
                    format!(
                        "restored archived log \"{}\" is corrupt: {fault}",
                        path.display()
                    ),
                )
            })?;
            output.publish(&file)?;
            self.note_log(path.clone(), &log)?;
            restored.push(path);
        }
        Ok(restored)
    }

    fn archived_place(&self, control: &Control, log: &LogState) -> PathBuf {
        let first = control.incarnations.first() == Some(&log.incarnation);
        self.parameters
            .archived_log_name(log.sequence, log.incarnation.time, first)
    }

    /// Adds an archived log to the control file, unless it knows that file.
    pub(super) fn note_log(&self, path: PathBuf, log: &LogState) -> OraResult<()> {
        let mut core = self.lock();
        let control = core.control()?;
        let same = |known: &&mut ArchivedRecord| {
            known.path == path
                && known.sequence == log.sequence
                && known.incarnation == log.incarnation
        };
        match control.record.archived.iter_mut().find(same) {
            Some(known) => (known.deleted, known.expired) = (false, false),
            None => control.record.add_archived(ArchivedRecord {
                recid: 0,
                path,
                sequence: log.sequence,
                incarnation: log.incarnation,
                first: log.first,
                next: log.next,
                blocks: log.blocks,
                completed: OracleTime::now().raw(),
                deleted: false,
                expired: false,
            }),
        }
        control.write()
    }

    /// Restores the control file to every place that the parameter file names.
    ///
    /// The instance must not be mounted. Errors: ORA-01126, ORA-19505, ORA-19870, ORA-19697 (no control file in it),
    /// ORA-01103 (of another database), ORA-19504, ORA-19502.
    pub(super) fn restore_controlfile(
        &self,
        from: &Path,
        dbid: Option<u32>,
        watch: Watch,
    ) -> OraResult<Vec<PathBuf>> {
        if self.status() != InstanceStatus::Started {
            return Err(OraError::new(
                19573,
                "cannot obtain exclusive enqueue for control file: database is mounted",
            ));
        }
        let from = naming::absolute(&self.home, from);
        let mut record = match control::read_file(&from) {
            Ok(record) => record,
            Err(_) => read_control(&from, watch)?,
        };
        if !record.name.eq_ignore_ascii_case(&self.parameters.db_name) {
            let text = format!(
                "database name '{}' in control file is not '{}'",
                record.name, self.parameters.db_name
            );
            return Err(OraError::new(1103, text));
        }
        if dbid.is_some_and(|dbid| dbid != record.dbid) {
            let text = format!(
                "database id {} in control file is not that of SET DBID",
                record.dbid
            );
            return Err(OraError::new(19582, text));
        }
        record.is_backup = true;
        let image = control::image(&record).map_err(|e| OraError::new(600, e.to_string()))?;
        let mut restored = Vec::new();
        for path in &self.parameters.control_files {
            let (output, file) = Output::replace(path)?;
            file.write_all_at(&image, 0)
                .map_err(|error| writing(path, 0, &error))?;
            output.publish(&file)?;
            restored.push(path.clone());
        }
        Ok(restored)
    }

    /// Restores the parameter file.
    ///
    /// Errors: ORA-19505, ORA-19870, ORA-19687 (none in it), ORA-19504, ORA-19502.
    pub(super) fn restore_spfile(
        &self,
        from: &Path,
        target: Option<PathBuf>,
        watch: Watch,
    ) -> OraResult<PathBuf> {
        let from = naming::absolute(&self.home, from);
        let target = match target {
            Some(target) => naming::absolute(&self.home, &target),
            None => self.home.parameter_file(),
        };
        let reader = PieceReader::open(&from)?;
        let record = reader.record();
        if !record.spfile {
            return Err(OraError::new(
                19687,
                format!("SPFILE not found in backup set: {}", from.display()),
            ));
        }
        let member =
            record.files.len() + record.logs.len() + usize::from(record.controlfile.is_some());
        let bytes = read_member(&reader, member as u16, SPFILE_BYTES_MAX, watch)?;
        let (output, file) = Output::replace(&target)?;
        file.write_all_at(&bytes, 0)
            .map_err(|error| writing(&target, 0, &error))?;
        output.publish(&file)?;
        Ok(target)
    }
}

/// The record of the control file in a piece.
fn read_control(from: &Path, watch: Watch) -> OraResult<Control> {
    let reader = PieceReader::open(from)?;
    let record = reader.record();
    if record.controlfile.is_none() {
        return Err(OraError::new(
            19697,
            format!(
                "standby or current control file not found in backup set: {}",
                from.display()
            ),
        ));
    }
    let member = (record.files.len() + record.logs.len()) as u16;
    let bytes = read_member(&reader, member, control::FILE_BYTES, watch)?;
    control::read_image(&bytes).map_err(|what| {
        OraError::new(
            227,
            format!("corrupt block detected in control file: ({what})"),
        )
    })
}

/// A member that is small enough for memory.
fn read_member(
    reader: &PieceReader,
    member: u16,
    bytes_max: u64,
    watch: Watch,
) -> OraResult<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.each(|chunk| {
        if chunk.number % GROUP_SLOTS == 0 {
            watch()?;
        }
        let end = u64::from(chunk.number) * BLOCK_BYTES as u64 + chunk.bytes.len() as u64;
        if chunk.member == member && end <= bytes_max {
            bytes.resize(bytes.len().max(end as usize), 0);
            bytes[end as usize - chunk.bytes.len()..end as usize].copy_from_slice(chunk.bytes);
        }
        Ok(())
    })?;
    Ok(bytes)
}

/// ORA-19870 for a piece of another database.
pub(super) fn must_be_ours(control: &Control, record: &SetRecord) -> OraResult<()> {
    if record.database.0 == control.dbid {
        return Ok(());
    }
    let text = format!(
        "file is not from this database: its DBID is {}",
        record.database.0
    );
    Err(OraError::new(
        19870,
        format!(
            "error while restoring backup piece {}",
            record.handle.display()
        ),
    )
    .and(19501, text))
}

/// Place of a data file among the members of a set. ORA-19615 when it is not in it.
pub(super) fn member_of(record: &SetRecord, number: u32) -> OraResult<u16> {
    let found = record.files.iter().position(|file| file.number == number);
    found.map(|index| index as u16).ok_or_else(|| {
        OraError::new(19615, "some files not found in backup set")
            .and(19613, format!("datafile {number} not found in backup set"))
    })
}

/// A data file that is being restored from a piece.
struct DatafileTarget {
    number: u32,
    path: PathBuf,
    output: Output,
    file: File,
    blocks: u32,
    /// Which blocks have come.
    given: Vec<bool>,
    header: Option<FileHeader>,
}

impl DatafileTarget {
    fn create(path: &Path, record: &SetRecord, member: u16) -> OraResult<DatafileTarget> {
        let state = &record.files[usize::from(member)];
        if state.from_scn.is_some() {
            let text = format!("cannot do full restore of datafile {}", state.number);
            return Err(OraError::new(19624, text));
        }
        if state.blocks > SMALLFILE_BLOCK_MAX {
            let text = format!("datafile {} with {} blocks", state.number, state.blocks);
            return Err(OraError::new(19599, "backup piece is corrupt").and(32700, text));
        }
        let (output, file) = Output::replace(path)?;
        Ok(DatafileTarget {
            number: state.number,
            path: path.to_owned(),
            output,
            file,
            blocks: state.blocks,
            given: vec![false; state.blocks as usize + 1],
            header: None,
        })
    }

    fn take(&mut self, number: u32, bytes: &[u8]) -> OraResult<()> {
        let fits = bytes.len() == BLOCK_BYTES && number <= self.blocks;
        if !fits || number > 1 && !datafile::is_whole(bytes) {
            let text = format!(
                "block number {number} of datafile {} is corrupt in the backup",
                self.number
            );
            return Err(OraError::new(19599, text));
        }
        if number == 1 {
            self.header = FileHeader::read(bytes).ok();
            return Ok(());
        }
        self.given[number as usize] = true;
        let at = u64::from(number) * BLOCK_BYTES as u64;
        self.file
            .write_all_at(bytes, at)
            .map_err(|error| writing(&self.path, u64::from(number), &error))
    }

    /// Fills in what was left out because it was never used, then the header.
    fn complete(&mut self, control: &Control) -> OraResult<()> {
        let header = self.header.clone().ok_or_else(|| {
            OraError::new(
                19599,
                format!(
                    "the header of datafile {} is not in the backup",
                    self.number
                ),
            )
        })?;
        check_header(control, self.number, &header)?;
        if header.blocks != self.blocks {
            let text = format!("the header of datafile {} is of another size", self.number);
            return Err(OraError::new(19599, text));
        }
        let mut unused = vec![0; BLOCK_BYTES];
        let missing = (2..=self.blocks).filter(|number| !self.given[*number as usize]);
        for number in missing {
            block::never_formatted(&mut unused, number);
            let at = u64::from(number) * BLOCK_BYTES as u64;
            self.file
                .write_all_at(&unused, at)
                .map_err(|error| writing(&self.path, u64::from(number), &error))?;
        }
        finish_datafile(&self.file, &header).map_err(|error| writing(&self.path, 1, &error))
    }

    fn publish(self) -> OraResult<PathBuf> {
        self.output.publish(&self.file)?;
        Ok(self.path)
    }
}

/// Whether a header in a backup is of the file that is wanted.
fn check_header(control: &Control, number: u32, header: &FileHeader) -> OraResult<()> {
    if header.dbid == control.dbid && u32::from(header.file_number) == number {
        return Ok(());
    }
    let text = format!("the header in the backup is not of datafile {number} of this database");
    Err(OraError::new(19870, "error while restoring").and(1206, text))
}

/// Writes blocks 0 and 1 of a restored file, which is a data file again and no copy.
fn finish_datafile(file: &File, header: &FileHeader) -> std::io::Result<()> {
    let mut header = header.clone();
    header.status &= !status::LEVEL_0_COPY;
    datafile::write_os_header(file, header.blocks)?;
    datafile::write_header(file, &header)
}
