//! Image copies: a data file or the control file as it is, under another name.
//! What lives here: writing one whole, and noting it. What does not: bringing it up to date (`merge`).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oracle::block;
use oracle::file_header::FileHeader;
use oracle::time::OracleTime;

use super::naming::{Named, Naming};
use super::output::{Output, writing};
use super::piece::GROUP_SLOTS;
use super::set::{file_state, known_file};
use super::source::Source;
use super::{CopyOrder, Watch};
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::{CopyOf, CopyRecord, Status};
use crate::engine::control::{self, Control};
use crate::engine::datafile;
use crate::engine::error::{OraError, OraResult};
use crate::engine::instance::Instance;

impl Instance {
    /// Writes an image copy and notes it in the control file.
    ///
    /// Errors: as for a backup set.
    pub(super) fn write_copy(&self, order: &CopyOrder, watch: Watch) -> OraResult<CopyRecord> {
        if order.file.is_some() {
            self.checkpoint_for_backup()?;
        }
        let control = self.backed_up_control()?;
        let (set, time) = self.next_set()?;
        let file = order
            .file
            .map(|number| known_file(&control, number))
            .transpose()?;
        let named = match file {
            Some(file) => Named::Datafile(file, control.tablespace_name(file.tablespace)),
            None => Named::Controlfile,
        };
        let naming = Naming {
            database: &control.name,
            dbid: control.dbid,
            time,
            set,
            of: named,
            autobackup: 0,
        };
        let path = naming.path(&self.home, &order.format)?;
        self.must_not_be_ours(&control, &path)?;
        let source = file.map(Source::open).transpose()?;
        let source = source.map(|source| source.with_faults(self.faults));
        let (output, target) = Output::create(&path, order.reuse)?;
        let of = match source {
            Some(source) => copy_datafile(&control, source, order, (&target, &path), watch)?,
            None => copy_control(&control, (&target, &path))?,
        };
        output.publish(&target)?;
        self.note_copy(CopyRecord {
            recid: 0,
            of,
            tag: order.tag.clone(),
            path,
            level_0: order.level_0,
            completed: OracleTime::now().raw(),
            status: Status::Available,
        })
    }

    /// REUSE must not reach the database itself.
    pub(super) fn must_not_be_ours(&self, control: &Control, path: &Path) -> OraResult<()> {
        let ours = control.datafiles.iter().any(|file| file.path == path)
            || control
                .logs
                .iter()
                .any(|log| log.members.iter().any(|member| member == path))
            || self
                .parameters
                .control_files
                .iter()
                .any(|file| file == path);
        if !ours {
            return Ok(());
        }
        let stack = OraError::new(
            19504,
            format!("failed to create file \"{}\"", path.display()),
        );
        Err(stack.and(
            27038,
            "created file already exists: it is part of this database",
        ))
    }

    /// Adds a copy to the control file.
    pub(super) fn note_copy(&self, mut record: CopyRecord) -> OraResult<CopyRecord> {
        let mut core = self.lock();
        let control = core.control()?;
        record.recid = control.record.backups.add_copy(record.clone());
        control.write()?;
        Ok(record)
    }
}

/// Copies a data file, its header last: what is cut off has no header and is no copy.
fn copy_datafile(
    control: &Control,
    mut source: Source,
    order: &CopyOrder,
    (target, path): (&File, &Path),
    watch: Watch,
) -> OraResult<CopyOf> {
    let blocks = source.header.blocks;
    let failed = |block: u32| move |error: std::io::Error| writing(path, u64::from(block), &error);
    let mut first = 2;
    while first <= blocks {
        watch()?;
        let count = (blocks - first + 1).min(GROUP_SLOTS);
        let bytes = source.read(first, count)?;
        let at = u64::from(first) * BLOCK_BYTES as u64;
        target.write_all_at(&bytes, at).map_err(failed(first))?;
        first += count;
    }
    datafile::write_os_header(target, blocks).map_err(failed(0))?;
    let header = source.copied_header(order.level_0);
    write_copy_header(target, &header, &order.tag).map_err(failed(1))?;
    Ok(CopyOf::Datafile(file_state(control, &source, None)))
}

fn copy_control(control: &Control, (target, path): (&File, &Path)) -> OraResult<CopyOf> {
    let image = control::image(control).map_err(|e| OraError::new(600, e.to_string()))?;
    target
        .write_all_at(&image, 0)
        .map_err(|error| writing(path, 0, &error))?;
    Ok(CopyOf::Controlfile(
        control.checkpoint.scn,
        control.checkpoint.time,
    ))
}

/// Where the header of an image copy has its tag: a mark, a length and so many bytes.
const TAG_OFFSET: usize = 1200;
const TAG_MARK: &[u8; 4] = b"TAG=";
/// Longest tag, in bytes: 30 characters.
const TAG_BYTES_MAX: usize = 120;

/// Writes the header of an image copy with its tag, which CATALOG finds there, and syncs the file.
pub(super) fn write_copy_header(
    file: &File,
    header: &FileHeader,
    tag: &str,
) -> std::io::Result<()> {
    let mut bytes = vec![0; BLOCK_BYTES];
    header.write(&mut bytes);
    if let Some(tag) = tag.as_bytes().get(..tag.len().min(TAG_BYTES_MAX)) {
        bytes[TAG_OFFSET..TAG_OFFSET + 4].copy_from_slice(TAG_MARK);
        bytes[TAG_OFFSET + 4] = tag.len() as u8;
        bytes[TAG_OFFSET + 5..TAG_OFFSET + 5 + tag.len()].copy_from_slice(tag);
        block::seal(&mut bytes);
    }
    file.write_all_at(&bytes, BLOCK_BYTES as u64)?;
    file.sync_all()
}

/// The tag in the header of an image copy; empty when there is none.
pub(super) fn read_copy_tag(file: &File) -> String {
    let mut bytes = vec![0; BLOCK_BYTES];
    let read = file.read_exact_at(&mut bytes, BLOCK_BYTES as u64);
    if read.is_err() || &bytes[TAG_OFFSET..TAG_OFFSET + 4] != TAG_MARK {
        return String::new();
    }
    let length = usize::from(bytes[TAG_OFFSET + 4]).min(TAG_BYTES_MAX);
    let from = TAG_OFFSET + 5;
    String::from_utf8_lossy(&bytes[from..from + length]).into_owned()
}
