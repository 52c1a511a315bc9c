//! Writing a backup set: data files, archived logs, control file, parameter file.
//! What lives here: what goes into the piece, and noting it in the control file. What does not: the form of the piece.
//!
//! A crash leaves a piece without a trailer that nobody knows of; the control file knows a set once its piece is whole
//! and synced.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use oracle::block::{self, BlockHeader};
use oracle::redo::check_archived_log;
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::naming::{Named, Naming};
use super::output::{Output, identifying, reading, writing};
use super::piece::{GROUP_SLOTS, PieceWriter};
use super::source::{Source, is_unused};
use super::{SetOrder, Watch};
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::{FileState, LogState, SetKind, SetRecord, Status};
use crate::engine::control::{self, ArchivedRecord, Control, DatafileRecord};
use crate::engine::datafile;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::engine::instance::Instance;

/// Most files of one set, so that the record of a set stays small.
pub const FILES_MAX: usize = 64;

/// Everything that goes into a set, opened.
struct Contents {
    sources: Vec<Source>,
    logs: Vec<ArchivedRecord>,
    controlfile: Option<Vec<u8>>,
    spfile: Option<Vec<u8>>,
}

impl Instance {
    /// Writes a backup set and notes it in the control file.
    ///
    /// With the database open its files get a checkpoint first, so that recovery needs little redo.
    /// Errors: ORA-01507, ORA-19602 (NOARCHIVELOG and open), ORA-19504, ORA-19502, ORA-19566, ORA-19625 and others.
    pub(super) fn write_set(&self, order: &SetOrder, watch: Watch) -> OraResult<SetRecord> {
        let begun = Instant::now();
        if order.files.len() + order.logs.len() > FILES_MAX {
            let text = format!("backup set with more than {FILES_MAX} files: lower FILESPERSET");
            return Err(
                OraError::new(19583, "conversation terminated due to error").and(32700, text)
            );
        }
        if !order.files.is_empty() {
            self.checkpoint_for_backup()?;
        }
        let control = self.backed_up_control()?;
        let contents = self.open_contents(order, &control)?;
        let (set, time) = self.next_set()?;
        let mut naming = Naming {
            database: &control.name,
            dbid: control.dbid,
            time,
            set,
            of: Named::Piece,
            autobackup: 0,
        };
        let mut handle = naming.path(&self.home, &order.format)?;
        while order.autobackup && handle.exists() && naming.autobackup < u8::MAX {
            naming.autobackup += 1;
            handle = naming.path(&self.home, &order.format)?;
        }
        self.must_not_be_ours(&control, &handle)?;
        let mut record = record(order, &control, &contents, (set, time));
        record.handle.clone_from(&handle);
        let (output, file) = Output::create(&handle, order.reuse)?;
        let file = write_piece(file, &mut record, contents, watch, begun)?;
        output.publish(&file)?;
        let mut core = self.lock();
        let control = core.control()?;
        record.key = control.record.backups.add_set(record.clone());
        control.write()?;
        Ok(record)
    }

    /// A checkpoint of the open database. Mounted, the files are as consistent as they will get.
    pub(super) fn checkpoint_for_backup(&self) -> OraResult<()> {
        if self.status() != InstanceStatus::Open {
            return Ok(());
        }
        if !self.lock().control()?.record.archivelog {
            return Err(OraError::new(
                19602,
                "cannot backup or copy active file in NOARCHIVELOG mode",
            ));
        }
        self.checkpoint()
    }

    /// The control file's record as a backup of it has it.
    pub(super) fn backed_up_control(&self) -> OraResult<Control> {
        let mut record = self.lock().control()?.record.clone();
        record.is_backup = true;
        Ok(record)
    }

    /// The next set number, and the time. No crash gives the number away again: names are made of it.
    pub(super) fn next_set(&self) -> OraResult<(u32, OracleTime)> {
        let mut core = self.lock();
        let control = core.control()?;
        control.record.backups.last_set += 1;
        control.write()?;
        Ok((control.record.backups.last_set, OracleTime::now()))
    }

    fn open_contents(&self, order: &SetOrder, control: &Control) -> OraResult<Contents> {
        let sources = order.files.iter().map(|(number, _)| {
            Ok(Source::open(known_file(control, *number)?)?.with_faults(self.faults))
        });
        let logs = order.logs.iter().map(|recid| known_log(control, *recid));
        let controlfile = order.controlfile.then(|| control::image(control));
        Ok(Contents {
            sources: sources.collect::<OraResult<_>>()?,
            logs: logs.collect::<OraResult<_>>()?,
            controlfile: controlfile
                .transpose()
                .map_err(|e| OraError::new(600, e.to_string()))?,
            spfile: order
                .spfile
                .then(|| read_small(&self.home.parameter_file()))
                .transpose()?,
        })
    }
}

/// The control file's record of a data file. ORA-19576 when there is none.
pub(super) fn known_file(control: &Control, number: u32) -> OraResult<&DatafileRecord> {
    let found = control.datafiles.iter().find(|file| file.number == number);
    found.ok_or_else(|| {
        OraError::new(
            19576,
            format!("datafile {number} not defined in control file"),
        )
    })
}

fn known_log(control: &Control, recid: u32) -> OraResult<ArchivedRecord> {
    let found = control.archived.iter().find(|log| log.recid == recid);
    found.cloned().ok_or_else(|| {
        OraError::new(
            19571,
            format!("archived log RECID {recid} not found in control file"),
        )
    })
}

fn read_small(path: &Path) -> OraResult<Vec<u8>> {
    const BYTES_MAX: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| identifying(path, &error))?;
    Ok(bytes)
}

fn record(
    order: &SetOrder,
    control: &Control,
    contents: &Contents,
    (set, time): (u32, OracleTime),
) -> SetRecord {
    let files = contents.sources.iter().zip(&order.files);
    let log = |log: &ArchivedRecord| LogState {
        sequence: log.sequence,
        incarnation: log.incarnation,
        first: log.first,
        next: log.next,
        blocks: log.blocks,
        record: (log.recid, log.completed),
    };
    SetRecord {
        key: 0,
        set,
        stamp: time.raw(),
        kind: order.kind,
        tag: order.tag.clone(),
        handle: Default::default(),
        compressed: order.compressed,
        files: files
            .map(|(source, (_, from))| file_state(control, source, *from))
            .collect(),
        logs: contents.logs.iter().map(log).collect(),
        controlfile: order
            .controlfile
            .then_some((control.checkpoint.scn, control.checkpoint.time)),
        spfile: order.spfile,
        database: (control.dbid, control.name.clone()),
        completed: 0,
        elapsed: 0,
        bytes: 0,
        status: Status::Available,
    }
}

/// What a backup says of a data file. The fuzzy SCN is known when it has been read.
pub(super) fn file_state(control: &Control, source: &Source, from_scn: Option<u64>) -> FileState {
    let header = &source.header;
    FileState {
        number: source.record.number,
        path: source.record.path.clone(),
        tablespace: control.tablespace_name(source.record.tablespace).to_owned(),
        blocks: header.blocks,
        creation_scn: header.creation_scn.get(),
        incarnation: control::Incarnation {
            scn: header.resetlogs.scn.get(),
            time: header.resetlogs.time.raw(),
        },
        checkpoint: (header.checkpoint.scn.get(), header.checkpoint.time.raw()),
        fuzzy_scn: source.fuzzy_scn().get(),
        from_scn,
    }
}

fn write_piece(
    file: File,
    record: &mut SetRecord,
    contents: Contents,
    watch: Watch,
    begun: Instant,
) -> OraResult<File> {
    let handle = record.handle.clone();
    let mut piece = Piece {
        writer: PieceWriter::begin(file, record).map_err(|error| writing(&handle, 1, &error))?,
        handle: &handle,
        watch,
    };
    let mut member = 0;
    for (source, state) in contents.sources.into_iter().zip(&mut record.files) {
        state.fuzzy_scn = piece.datafile(member, source, record.kind, state.from_scn)?;
        member += 1;
    }
    for log in &contents.logs {
        piece.log(member, log)?;
        member += 1;
    }
    for bytes in [contents.controlfile, contents.spfile]
        .into_iter()
        .flatten()
    {
        piece.stream(member, &mut bytes.as_slice(), &handle)?;
        member += 1;
    }
    record.completed = OracleTime::now().raw();
    record.elapsed = u32::try_from(begun.elapsed().as_secs()).unwrap_or(u32::MAX);
    let blocks = piece.writer.blocks();
    piece
        .writer
        .finish(record)
        .map_err(|error| writing(&handle, blocks, &error))
}

/// A piece under way.
struct Piece<'a> {
    writer: PieceWriter,
    handle: &'a Path,
    watch: Watch<'a>,
}

impl Piece<'_> {
    fn written(&self, result: io::Result<()>) -> OraResult<()> {
        result.map_err(|error| writing(self.handle, self.writer.blocks(), &error))
    }

    /// A data file: its blocks, then blocks 0 and 1. Gives its fuzzy SCN.
    fn datafile(
        &mut self,
        member: u16,
        mut source: Source,
        kind: SetKind,
        from: Option<u64>,
    ) -> OraResult<u64> {
        let blocks = source.header.blocks;
        let from = from.map(|from| source.first_wanted(from));
        let mut first = 2;
        while first <= blocks {
            (self.watch)()?;
            let count = (blocks - first + 1).min(GROUP_SLOTS);
            let bytes = source.read(first, count)?;
            for (number, bytes) in (first..).zip(bytes.chunks_exact(BLOCK_BYTES)) {
                let result = match from {
                    Some(from) if !is_changed(bytes, from) => Ok(()),
                    None if is_unused(number, bytes) => self.writer.leave_out(),
                    _ => self.writer.put(member, number, bytes),
                };
                self.written(result)?;
            }
            if from.is_none() {
                let result = self.writer.end_group();
                self.written(result)?;
            }
            first += count;
        }
        let header = source.copied_header(kind == SetKind::Incremental(0));
        let mut bytes = vec![0; BLOCK_BYTES];
        datafile::os_header(blocks, &mut bytes);
        let result = self.writer.put(member, 0, &bytes);
        self.written(result)?;
        header.write(&mut bytes);
        let result = self
            .writer
            .put(member, 1, &bytes)
            .and_then(|()| self.writer.end_group());
        self.written(result)?;
        Ok(source.fuzzy_scn().get())
    }

    /// An archived log, checked as a whole first: what is wrong with it must not be found out at the restore.
    fn log(&mut self, member: u16, log: &ArchivedRecord) -> OraResult<()> {
        let mut file = File::open(&log.path).map_err(|error| {
            OraError::new(
                6059,
                "expected archived log not found, loss of archived log compromises recoverability",
            )
            .and_all(identifying(&log.path, &error))
        })?;
        check_archived_log(&log.path).map_err(|fault| {
            OraError::new(
                19599,
                format!(
                    "archived log \"{}\" is corrupt: {fault}",
                    log.path.display()
                ),
            )
        })?;
        self.stream(member, &mut file, &log.path)
    }

    fn stream(&mut self, member: u16, source: &mut dyn Read, path: &Path) -> OraResult<()> {
        let mut chunk = vec![0; BLOCK_BYTES];
        for number in 0.. {
            if number % GROUP_SLOTS == 0 {
                (self.watch)()?;
            }
            let mut length = 0;
            while length < BLOCK_BYTES {
                match source.read(&mut chunk[length..]) {
                    Ok(0) => break,
                    Ok(count) => length += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(reading(path, u64::from(number), &error)),
                }
            }
            if length == 0 {
                break;
            }
            let result = self.writer.put(member, number, &chunk[..length]);
            self.written(result)?;
        }
        let result = self.writer.end_group();
        self.written(result)
    }
}

/// Whether a block was changed at or after an SCN.
fn is_changed(bytes: &[u8], from: u64) -> bool {
    let header = BlockHeader::read(bytes);
    header.kind != block::kind::NEVER_FORMATTED && header.scn >= Scn::new(from)
}
