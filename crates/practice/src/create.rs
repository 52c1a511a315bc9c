//! Making a practice database: directories, parameter files, data files with content, online logs, control files.
//! What lives here: the reference layout with sizes, and writing it out. What does not: anything that runs later.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use oracle::address::BlockAddress;
use oracle::block::{self, BlockHeader};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use crate::content::{
    self, BLOCK_BYTES, ENTRIES_PER_BLOCK, ENTRY_BYTES, FIRST_CONTENT_BLOCK, Purpose, ROW_BYTES,
    ROWS_PER_BLOCK, SESSIONS_MAX, SESSIONS_PER_BLOCK, SLOTS_OFFSET, Slot, slot_state,
};
use crate::engine::administration::{first_checkpoint, new_header};
use crate::engine::backup_records::BackupRecords;
use crate::engine::commit::entry_text;
use crate::engine::control::{
    self, Control, DatafileRecord, Extent, Incarnation, LogRecord, Segments, TablespaceRecord,
};
use crate::engine::error::{OraError, OraResult};
use crate::engine::home::{DIRECTORIES, Home};
use crate::engine::{datafile, open};

/// Smallest database that `create` makes, in bytes of data files.
pub const SIZE_MIN: u64 = 64 << 20;
/// Largest database that `create` makes, in bytes of data files.
pub const SIZE_MAX: u64 = 64 << 30;
/// SCN at creation.
const FIRST_SCN: u64 = 100_000;
/// Part of the table's blocks that hold rows at creation, in percent; the others were never used.
const LOADED_PERCENT: u64 = 70;

/// What `create` makes.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// ORACLE_HOME; must not exist or be empty.
    pub home: PathBuf,
    /// ORACLE_SID, also the database name: 1 to 8 letters and digits, beginning with a letter.
    pub sid: String,
    /// Bytes of all data files together.
    pub size: u64,
    /// Bytes of one online log; None chooses by size.
    pub log_size: Option<u64>,
    /// Seed of the content.
    pub seed: u64,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// Bytes of the data files.
    pub data_bytes: u64,
    /// Rows loaded.
    pub rows: u64,
    /// Bytes of one online log.
    pub log_bytes: u64,
}

/// One data file of the reference layout: tablespace number, path below the home, share of the size in permille.
const FILES: &[(u32, &str, u64)] = &[
    (0, "sapdata1/system_1/system.data1", 80),
    (1, "sapdata1/40bd_1/40bd.data1", 290),
    (1, "sapdata1/40bd_2/40bd.data2", 290),
    (2, "sapdata2/40bi_1/40bi.data1", 145),
    (2, "sapdata2/40bi_2/40bi.data2", 145),
    (3, "sapdata3/roll_1/roll.data1", 30),
    (4, "sapdata3/temp_1/temp.data1", 20),
];
const TABLESPACES: &[&str] = &["SYSTEM", "PSAP40BD", "PSAP40BI", "PSAPROLL", "PSAPTEMP"];
const GROUPS: [u32; 4] = [11, 12, 13, 14];

/// Makes the database, cleanly shut down. `progress` is told the bytes written so far.
///
/// Control files are written last, so a database whose creation was cut off cannot be mounted by mistake.
/// Errors: ORA-01501 with the reason (bad name, size out of bounds, directory not empty, disk full).
pub fn create(options: &CreateOptions, progress: &mut dyn FnMut(u64)) -> OraResult<Created> {
    check(options)?;
    let home = Home::new(&options.home, &options.sid);
    for directory in DIRECTORIES {
        let path = home.path.join(directory);
        std::fs::create_dir_all(&path).map_err(|e| failed(&path, &e))?;
    }
    let control = plan(&home, options);
    write_text(&home.parameter_file(), &parameter_file(&home))?;
    write_text(&home.profile(), &profile(&home))?;
    let mut written = 0;
    for record in &control.datafiles {
        write_datafile(&control, record, &mut |bytes| {
            written += bytes;
            progress(written);
        })
        .map_err(|e| failed(&record.path, &e))?;
    }
    for log in &control.logs {
        open::create_log(&control, log)?;
    }
    for path in home.control_files() {
        let parent = crate::engine::home::parent(&path).to_path_buf();
        std::fs::create_dir_all(&parent).map_err(|e| failed(&parent, &e))?;
        control::create(&path, &control, false)?;
    }
    Ok(Created {
        data_bytes: control
            .datafiles
            .iter()
            .map(|file| (u64::from(file.blocks) + 1) * BLOCK_BYTES as u64)
            .sum(),
        rows: control.segments.loaded,
        log_bytes: u64::from(control.logs[0].blocks) * 512,
    })
}

fn check(options: &CreateOptions) -> OraResult<()> {
    let refuse =
        |code: u32, why: String| Err(OraError::new(1501, "CREATE DATABASE failed").and(code, why));
    let name = options.sid.as_bytes();
    if name.is_empty()
        || name.len() > 8
        || !name[0].is_ascii_alphabetic()
        || !name.iter().all(u8::is_ascii_alphanumeric)
    {
        return refuse(
            2084,
            format!(
                "'{}' is no database name: 1 to 8 letters and digits, a letter first",
                options.sid
            ),
        );
    }
    if !(SIZE_MIN..=SIZE_MAX).contains(&options.size) {
        return refuse(
            1681,
            format!(
                "{} bytes: the size must be from 64 MiB to 64 GiB",
                options.size
            ),
        );
    }
    if options
        .log_size
        .is_some_and(|bytes| !(4 << 20..=2 << 30).contains(&bytes))
    {
        return refuse(
            336,
            "the size of an online log must be from 4 MiB to 2 GiB".to_string(),
        );
    }
    match std::fs::read_dir(&options.home) {
        Ok(mut entries) => match entries.next() {
            Some(_) => refuse(
                1092,
                format!("directory {} is not empty", options.home.display()),
            ),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => refuse(1119, format!("{}: {error}", options.home.display())),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> OraError {
    OraError::new(1501, "CREATE DATABASE failed")
        .and(
            1119,
            format!("error in creating database file '{}'", path.display()),
        )
        .and(27040, error.to_string())
}

fn plan(home: &Home, options: &CreateOptions) -> Control {
    let now = OracleTime::now().raw();
    let checkpoint = first_checkpoint(FIRST_SCN, now);
    let datafiles: Vec<DatafileRecord> = FILES
        .iter()
        .enumerate()
        .map(|(index, (tablespace, path, permille))| DatafileRecord {
            number: index as u32 + 1,
            tablespace: *tablespace,
            path: home.path.join(path),
            blocks: (options.size * permille / 1000 / BLOCK_BYTES as u64).max(64) as u32 - 1,
            creation_scn: 5 + index as u64,
            creation_time: now,
            checkpoint,
            checkpoint_count: 1,
            online: true,
            backup: (0, 0),
            in_backup: false,
        })
        .collect();
    let log_size = options
        .log_size
        .unwrap_or((options.size / 32).clamp(8 << 20, 256 << 20));
    let logs = GROUPS
        .iter()
        .enumerate()
        .map(|(index, group)| LogRecord {
            group: *group,
            members: home.log_members(*group),
            blocks: (log_size / 512) as u32,
            sequence: u32::from(index == 0),
            first_scn: if index == 0 { FIRST_SCN } else { 0 },
            first_time: if index == 0 { now } else { 0 },
            next_scn: u64::MAX,
            next_time: 0,
            used_blocks: 0,
            current: index == 0,
            archived: index != 0,
        })
        .collect();
    Control {
        generation: 1,
        dbid: crc32fast::hash(format!("{}{now}{}", options.sid, options.seed).as_bytes()) | 1,
        name: options.sid.clone(),
        created: now,
        archivelog: true,
        is_backup: false,
        needs_resetlogs: false,
        recovered_to: 0,
        planned_incarnation: None,
        thread_open: false,
        incarnations: vec![Incarnation { scn: 1, time: now }],
        checkpoint,
        pending: false,
        tablespaces: (0..)
            .zip(TABLESPACES)
            .map(|(number, name)| TablespaceRecord {
                number,
                name: name.to_string(),
            })
            .collect(),
        segments: segments(&datafiles, options.seed),
        datafiles,
        logs,
        archived: Vec::new(),
        last_recid: 0,
        activation_id: now,
        backups: BackupRecords::default(),
    }
}

fn segments(datafiles: &[DatafileRecord], seed: u64) -> Segments {
    let extents = |tablespace: u32| -> Vec<Extent> {
        datafiles
            .iter()
            .filter(|file| file.tablespace == tablespace)
            .map(|file| Extent {
                file: file.number,
                first: FIRST_CONTENT_BLOCK,
                blocks: file.blocks - FIRST_CONTENT_BLOCK,
            })
            .collect()
    };
    let count = |extents: &[Extent]| {
        extents
            .iter()
            .map(|extent| u64::from(extent.blocks))
            .sum::<u64>()
    };
    let (table, index) = (extents(1), extents(2));
    let table_blocks = count(&table);
    let keys = (table_blocks * ROWS_PER_BLOCK).min(count(&index) * ENTRIES_PER_BLOCK);
    let counters = SESSIONS_MAX.div_ceil(SESSIONS_PER_BLOCK);
    Segments {
        keys,
        loaded: keys * LOADED_PERCENT / 100,
        seed,
        table,
        index,
        sessions: Extent {
            file: 1,
            first: FIRST_CONTENT_BLOCK,
            blocks: counters,
        },
        transactions: Extent {
            file: 6,
            first: FIRST_CONTENT_BLOCK,
            blocks: counters,
        },
    }
}

fn write_datafile(
    control: &Control,
    record: &DatafileRecord,
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<()> {
    let parent = crate::engine::home::parent(&record.path);
    std::fs::create_dir_all(parent)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&record.path)?;
    let mut out = BufWriter::with_capacity(1 << 20, &file);
    let mut bytes = vec![0; BLOCK_BYTES];
    out.write_all(&bytes)?;
    out.write_all(&bytes)?;
    for number in 2..=record.blocks {
        fill_block(control, record, number, &mut bytes);
        out.write_all(&bytes)?;
        if number % 128 == 0 {
            progress(128 * BLOCK_BYTES as u64);
        }
    }
    out.flush()?;
    drop(out);
    datafile::write_os_header(&file, record.blocks)?;
    datafile::write_header(&file, &new_header(control, record))?;
    file.sync_all()?;
    File::open(parent)?.sync_all()
}

/// The content of block `number` at creation.
fn fill_block(control: &Control, record: &DatafileRecord, number: u32, bytes: &mut [u8]) {
    let address = BlockAddress::smallfile(record.number as u16, number);
    if number < FIRST_CONTENT_BLOCK {
        bytes.fill(0);
        let kind = if number == 2 {
            block::kind::SPACE_HEADER
        } else {
            block::kind::SPACE_BITMAP
        };
        header(kind, address).write(bytes);
        return block::seal(bytes);
    }
    let segments = &control.segments;
    match place_of(segments, record.number, number) {
        Some((Purpose::Table, index)) if index * ROWS_PER_BLOCK < segments.loaded => {
            content::format_block(bytes, address, Purpose::Table);
            fill_slots(
                segments,
                bytes,
                index * ROWS_PER_BLOCK,
                ROWS_PER_BLOCK,
                ROW_BYTES,
                |key| content::initial_text(segments.seed, key).into_bytes(),
            );
        }
        Some((Purpose::Index, index)) if index * ENTRIES_PER_BLOCK < segments.loaded => {
            content::format_block(bytes, address, Purpose::Index);
            fill_slots(
                segments,
                bytes,
                index * ENTRIES_PER_BLOCK,
                ENTRIES_PER_BLOCK,
                ENTRY_BYTES,
                entry_text,
            );
        }
        _ => return block::never_formatted(bytes, number),
    }
    let mut header = BlockHeader::read(bytes);
    header.scn = Scn::new(FIRST_SCN - 1);
    header.sequence = 1;
    header.write(bytes);
    block::seal(bytes);
}

fn header(kind: u8, address: BlockAddress) -> BlockHeader {
    let scn = Scn::new(FIRST_SCN - 1);
    BlockHeader {
        kind,
        format: content::BLOCK_FORMAT,
        address,
        scn,
        sequence: 1,
        flags: 0,
        check_value: 0,
    }
}

/// What a block is for and which of its kind it is.
fn place_of(segments: &Segments, file: u32, number: u32) -> Option<(Purpose, u64)> {
    for (purpose, extents) in [
        (Purpose::Table, &segments.table),
        (Purpose::Index, &segments.index),
    ] {
        let mut before = 0;
        for extent in extents {
            if extent.file == file && number >= extent.first {
                return Some((purpose, before + u64::from(number - extent.first)));
            }
            before += u64::from(extent.blocks);
        }
    }
    None
}

fn fill_slots(
    segments: &Segments,
    bytes: &mut [u8],
    first_key: u64,
    count: u64,
    slot_bytes: usize,
    text: impl Fn(u64) -> Vec<u8>,
) {
    for slot in 0..count {
        let key = first_key + slot;
        if key >= segments.loaded {
            break;
        }
        let hash = content::text_hash(content::initial_text(segments.seed, key).as_bytes());
        let at = SLOTS_OFFSET + slot as usize * slot_bytes;
        let slot = Slot {
            state: slot_state::LIVE,
            hash,
            key,
            transaction: 0,
            scn: FIRST_SCN - 1,
            text: text(key),
        };
        slot.write(&mut bytes[at..at + slot_bytes]);
    }
}

fn write_text(path: &Path, text: &str) -> OraResult<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|e| failed(path, &e))
}

fn parameter_file(home: &Home) -> String {
    let control: Vec<String> = home
        .control_files()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "# Parameters of the practice database {sid}. '?' is ORACLE_HOME, '@' the SID.\n\
         db_name = {sid}\n\
         db_block_size = 8192\n\
         control_files = ({control})\n\
         log_archive_start = true\n\
         log_archive_dest = ?/saparch\n\
         log_archive_format = {sid}arch%t_%s.dbf\n\
         # Smaller than the data, so that blocks come and go.\n\
         db_cache_size = 16M\n\
         # Longest time between two checkpoints, in seconds.\n\
         log_checkpoint_timeout = 3\n\
         # The writer writes each block in two halves with a pause between them, in microseconds.\n\
         _torn_write_pause_us = 2000\n",
        sid = home.sid,
        control = control.join(", ")
    )
}

fn profile(home: &Home) -> String {
    format!(
        "# Backup profile of {sid}, read by brbackup, brarchive, brrestore and brrecover.\n\
         backup_mode = all\n\
         backup_type = online\n\
         backup_dev_type = disk\n\
         backup_root_dir = {home}/sapbackup\n\
         archive_copy_dir = {home}/sapbackup\n\
         compress = no\n\
         archive_function = save_delete\n\
         disk_copy_cmd = copy\n\
         tape_copy_cmd = cpio\n\
         cpio_flags = -ovB\n\
         cpio_in_flags = -iuvB\n\
         cpio_disk_flags = -pdcu\n\
         restore_mode = all\n\
         expir_period = 30\n\
         tape_use_count = 100\n",
        sid = home.sid,
        home = home.path.display()
    )
}
