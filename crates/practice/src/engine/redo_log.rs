//! Online redo: the records that wait to be written, the log writer, log switches.
//! What lives here: how redo reaches the disk and when a commit may be acknowledged. What does not: what is in a record.
//!
//! A record is accepted only when the current log has room for it, so that everything accepted can be written without
//! waiting for a switch; otherwise the database writer, which waits for redo, and the switch, which waits for the
//! database writer, would wait for each other.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use oracle::os_header::OsHeader;
use oracle::redo::{self, LogHeader, LogWrite, REDO_BLOCK_BYTES, RedoRecord};
use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

use super::control::{Control, LogRecord};
use super::error::{OraError, OraResult};
use super::instance::{Core, Instance, OpenDatabase};

/// Format code of a 512-byte redo block.
pub const REDO_FORMAT: u8 = 0x22;
/// First block that holds redo: 0 and 1 are headers.
pub const FIRST_REDO_BLOCK: u32 = 2;
/// Bytes of redo that are written in one go; more waits for the next write.
const WRITE_BYTES_MAX: usize = 1 << 20;
/// Times of past writes that are remembered for commits that have not looked yet.
const PAST_WRITES_MAX: usize = 100_000;

/// Redo bookkeeping of the open database.
#[derive(Debug)]
pub struct Redo {
    pending: VecDeque<RedoRecord>,
    /// Blocks that pending records and the write in progress may need at most.
    reserved_blocks: u32,
    /// Ticket of the newest record.
    pub appended: u64,
    /// Ticket up to which redo is on disk.
    pub durable: u64,
    writes: VecDeque<(u64, OracleTime)>,
    /// Where the next write goes.
    pub sequence: u32,
    /// Block where the next write goes.
    pub block: u32,
    log_blocks: u32,
    members: Vec<Arc<File>>,
    write_number: u16,
    last_time: OracleTime,
    /// A log switch has been asked for.
    pub switch_wanted: bool,
}

impl Redo {
    /// Redo that continues in the current log of the control file, which is empty from its second block on.
    pub fn open(log: &LogRecord, last_time: OracleTime) -> OraResult<Redo> {
        Ok(Redo {
            pending: VecDeque::new(),
            reserved_blocks: 0,
            appended: 0,
            durable: 0,
            writes: VecDeque::new(),
            sequence: log.sequence,
            block: FIRST_REDO_BLOCK,
            log_blocks: log.blocks,
            members: open_members(log)?,
            write_number: 0,
            last_time,
            switch_wanted: false,
        })
    }

    /// Whether a record of this size may be appended now.
    pub fn has_room(&self, record_bytes: usize) -> bool {
        !self.switch_wanted
            && self.block + self.reserved_blocks + blocks_at_most(record_bytes) < self.log_blocks
    }

    /// Appends a record and returns its ticket.
    pub fn append(&mut self, record: RedoRecord) -> u64 {
        self.reserved_blocks += blocks_at_most(record_bytes(&record));
        self.pending.push_back(record);
        self.appended += 1;
        self.appended
    }

    /// Time of the write that made `ticket` durable.
    pub fn time_of(&self, ticket: u64) -> OracleTime {
        let index = self.writes.partition_point(|(last, _)| *last < ticket);
        self.writes
            .get(index)
            .map_or(self.last_time, |(_, time)| *time)
    }

    /// A time that is never before the newest one in the redo.
    pub fn now(&mut self) -> OracleTime {
        self.last_time = self.last_time.max(OracleTime::now());
        self.last_time
    }

    fn take(&mut self) -> (Vec<RedoRecord>, u32) {
        let (mut records, mut bytes, mut reserved) = (Vec::new(), 0, 0);
        while let Some(record) = self.pending.front() {
            let size = record_bytes(record);
            if !records.is_empty() && bytes + size > WRITE_BYTES_MAX {
                break;
            }
            bytes += size;
            reserved += blocks_at_most(size);
            records.extend(self.pending.pop_front());
        }
        (records, reserved)
    }
}

/// Bytes that a record takes in the log at most, without the block headers.
pub fn record_bytes(record: &RedoRecord) -> usize {
    let vectors: usize = record
        .vectors
        .iter()
        .map(|vector| {
            40 + vector
                .fields
                .iter()
                .map(|field| field.len() + 6)
                .sum::<usize>()
        })
        .sum();
    72 + vectors
}

fn blocks_at_most(record_bytes: usize) -> u32 {
    (record_bytes / (REDO_BLOCK_BYTES - redo::REDO_HEADER_BYTES) + 2) as u32
}

fn open_members(log: &LogRecord) -> OraResult<Vec<Arc<File>>> {
    log.members
        .iter()
        .map(|path| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map(Arc::new)
                .map_err(|e| {
                    OraError::new(
                        313,
                        format!(
                            "open failed for members of log group {} of thread 1",
                            log.group
                        ),
                    )
                    .and(
                        312,
                        format!("online log {} thread 1: '{}'", log.group, path.display()),
                    )
                    .and(27037, e.to_string())
                })
        })
        .collect()
}

/// The header of a group's log as block 1 carries it.
pub fn log_header(control: &Control, log: &LogRecord) -> LogHeader {
    let closed = !log.current;
    LogHeader {
        compat: 0x1300_0000,
        dbid: control.dbid,
        db_name: control.name.clone(),
        control_sequence: control.generation as u32,
        online_blocks: log.blocks,
        block_size: REDO_BLOCK_BYTES as u32,
        group: log.group as u16,
        activation_id: control.activation_id,
        thread: 1,
        sequence: LogSequence::new(log.sequence),
        text: format!(
            "T 0001, S {:010}, SCN 0x{:016x}-0x{:016x}",
            log.sequence, log.first_scn, log.next_scn
        ),
        next_available_block: if closed { log.used_blocks } else { u32::MAX },
        resetlogs: control.incarnation().resetlogs(),
        previous_resetlogs: control.previous_incarnation().resetlogs(),
        first_scn: Scn::new(log.first_scn),
        first_time: OracleTime::from_raw(log.first_time),
        next_scn: if closed {
            Scn::new(log.next_scn)
        } else {
            Scn::OPEN_ENDED
        },
        next_time: closed.then(|| OracleTime::from_raw(log.next_time)),
        enabled_scn: control.incarnation().resetlogs().scn,
        end_of_thread: false,
        end_of_redo: false,
    }
}

/// Writes blocks 0 and 1 of a log to a member and syncs it.
pub fn write_log_headers(file: &File, header: &LogHeader, blocks: u32) -> std::io::Result<()> {
    let mut bytes = vec![0; 2 * REDO_BLOCK_BYTES];
    let (first, second) = bytes.split_at_mut(REDO_BLOCK_BYTES);
    OsHeader {
        format: REDO_FORMAT,
        block_size: REDO_BLOCK_BYTES as u32,
        blocks: blocks - 1,
        checked: true,
    }
    .write(first);
    header.write(second);
    file.write_all_at(&bytes, 0)?;
    file.sync_data()
}

/// Closes the current log in the control record and makes the next group current; nothing is written here.
///
/// `used_blocks` is where the old log ends. The next group is the reusable one with the lowest sequence; None when
/// every other group is still needed.
pub fn advance(
    control: &mut Control,
    scn: u64,
    time: OracleTime,
    used_blocks: u32,
) -> Option<(LogRecord, LogRecord)> {
    let checkpoint = control.checkpoint.scn;
    let archivelog = control.archivelog;
    let next = control
        .logs
        .iter()
        .filter(|log| !log.current)
        .filter(|log| {
            log.sequence == 0 || (log.next_scn <= checkpoint && (log.archived || !archivelog))
        })
        .min_by_key(|log| log.sequence)?
        .group;
    let mut old = None;
    let mut sequence = 0;
    for log in control.logs.iter_mut().filter(|log| log.current) {
        log.current = false;
        log.next_scn = scn;
        log.next_time = time.raw();
        log.used_blocks = used_blocks;
        sequence = log.sequence;
        old = Some(log.clone());
    }
    let log = control.logs.iter_mut().find(|log| log.group == next)?;
    *log = LogRecord {
        sequence: sequence + 1,
        first_scn: scn,
        first_time: time.raw(),
        next_scn: u64::MAX,
        next_time: 0,
        used_blocks: 0,
        current: true,
        archived: false,
        ..log.clone()
    };
    Some((old?, log.clone()))
}

impl Instance {
    /// The log writer thread: writes what is pending, switches logs.
    pub(crate) fn log_writer(&self) {
        let mut core = self.lock();
        loop {
            let Some(open) = core.open.as_mut() else {
                return;
            };
            if open.aborted {
                return;
            }
            if !open.redo.pending.is_empty() {
                core = self.write_pending(core);
            } else if open.redo.switch_wanted && !open.closing {
                core = self.try_switch(core);
            } else if open.closing {
                return;
            } else {
                core = self.wait_work(core, Duration::from_millis(100));
            }
        }
    }

    fn write_pending<'a>(&'a self, mut core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        let Some(open) = core.open.as_mut() else {
            return core;
        };
        let (records, reserved) = open.redo.take();
        let last_ticket = open.redo.durable + records.len() as u64;
        let time = open.redo.now();
        open.redo.write_number = open.redo.write_number.wrapping_add(1);
        let write = LogWrite {
            number: open.redo.write_number,
            scn: records.first().map_or(Scn::ZERO, |r| r.scn),
            time,
            records,
        };
        let (sequence, block) = (open.redo.sequence, open.redo.block);
        let members = open.redo.members.clone();
        drop(core);
        if self.faults.ack_before_fsync {
            std::thread::park_timeout(Duration::from_millis(300));
        }
        let bytes = redo::encode_log_write(&write, LogSequence::new(sequence), block);
        for member in &members {
            let written = member
                .write_all_at(&bytes, u64::from(block) * REDO_BLOCK_BYTES as u64)
                .and_then(|()| member.sync_data());
            if let Err(error) = written {
                self.die(
                    "LGWR",
                    &OraError::new(340, "IO error processing online log")
                        .and(27072, error.to_string()),
                );
            }
        }
        let mut core = self.lock();
        if let Some(open) = core.open.as_mut() {
            let redo = &mut open.redo;
            redo.block += (bytes.len() / REDO_BLOCK_BYTES) as u32;
            redo.reserved_blocks -= reserved;
            redo.durable = last_ticket;
            redo.writes.push_back((last_ticket, time));
            if redo.writes.len() > PAST_WRITES_MAX {
                redo.writes.pop_front();
            }
        }
        self.progress.notify_all();
        core
    }

    /// Switches to the next group when one is free; otherwise asks for what frees one and waits.
    fn try_switch<'a>(&'a self, mut core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        let Ok((control, open)) = core.both() else {
            return core;
        };
        let scn = open.next_scn();
        let time = open.redo.now();
        let used = open.redo.block;
        let Some((old, new)) = advance(&mut control.record, scn, time, used) else {
            let waiting = format!(
                "Thread 1 cannot allocate new log, sequence {}\nCheckpoint not complete or online log not archived",
                open.redo.sequence + 1
            );
            open.checkpoint_wanted = true;
            self.work.notify_all();
            let before = open.checkpoints_done;
            drop(core);
            self.alert(&waiting);
            let mut core = self.lock();
            while core
                .open
                .as_ref()
                .is_some_and(|open| open.checkpoints_done == before && !open.closing)
            {
                core = self.wait_progress(core);
            }
            return self.wait_progress(core);
        };
        if let Err(error) = switch_on_disk(control, &old, &new) {
            self.die("LGWR", &error);
        }
        let members = match open_members(&new) {
            Ok(members) => members,
            Err(error) => self.die("LGWR", &error),
        };
        let redo = &mut open.redo;
        redo.members = members;
        redo.sequence = new.sequence;
        redo.block = FIRST_REDO_BLOCK;
        redo.log_blocks = new.blocks;
        redo.switch_wanted = false;
        open.checkpoint_wanted = true;
        self.announce_log(&new);
        self.work.notify_all();
        self.progress.notify_all();
        core
    }

    /// The alert log's lines about a new current log.
    pub(crate) fn announce_log(&self, log: &LogRecord) {
        let mut text = format!("Thread 1 advanced to log sequence {}", log.sequence);
        for (index, member) in log.members.iter().enumerate() {
            text.push_str(&format!(
                "\nCurrent log# {} seq# {} mem# {index}: {}",
                log.group,
                log.sequence,
                member.display()
            ));
        }
        self.alert(&text);
    }

    /// Logs a record of markers and returns when it is on disk.
    pub(crate) fn write_markers<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        vectors: Vec<redo::ChangeVector>,
    ) -> OraResult<MutexGuard<'a, Core>> {
        let mut record = RedoRecord {
            scn: Scn::ZERO,
            sub_scn: 1,
            vectors,
        };
        while !core.open()?.redo.has_room(record_bytes(&record)) {
            core.open()?.redo.switch_wanted = true;
            self.work.notify_all();
            core = self.wait_progress(core);
        }
        let open = core.open()?;
        record.scn = Scn::new(open.next_scn());
        let ticket = open.redo.append(record);
        self.work.notify_all();
        while core.open()?.redo.durable < ticket {
            core = self.wait_progress(core);
        }
        Ok(core)
    }

    /// Asks for a log switch and waits until it is done. Returns the sequence that was closed.
    pub(crate) fn force_switch(&self) -> OraResult<u32> {
        let mut core = self.lock();
        let closed = {
            let open: &mut OpenDatabase = core.open()?;
            open.redo.switch_wanted = true;
            open.redo.sequence
        };
        self.work.notify_all();
        while core.open()?.redo.sequence == closed {
            if core.open()?.closing {
                return Err(OraError::new(
                    1089,
                    "immediate shutdown in progress - no operations are permitted",
                ));
            }
            core = self.wait_progress(core);
        }
        Ok(closed)
    }

    /// ALTER SYSTEM SWITCH LOGFILE.
    pub fn switch_logfile(&self) -> OraResult<()> {
        self.force_switch().map(drop)
    }

    /// ALTER SYSTEM ARCHIVE LOG CURRENT: switches and waits until the closed log is archived.
    ///
    /// Errors: ORA-00258 outside ARCHIVELOG mode, ORA-00270 when archiving fails.
    pub fn archive_log_current(&self) -> OraResult<()> {
        if !self.lock().control()?.record.archivelog {
            return Err(OraError::new(
                258,
                "manual archiving in NOARCHIVELOG mode must identify log",
            ));
        }
        let closed = self.force_switch()?;
        let mut core = self.lock();
        loop {
            let (control, open) = core.both()?;
            if !control
                .record
                .logs
                .iter()
                .any(|log| log.sequence == closed && !log.archived)
            {
                return Ok(());
            }
            if !open.archive_error.is_empty() {
                return Err(OraError::new(270, "error creating archive log")
                    .and(27040, open.archive_error.clone()));
            }
            core = self.wait_progress(core);
        }
    }
}

/// Old log closed, new log begun, then the control file: after a crash before the last step the old log is still the
/// current one, and its redo ends where it did.
pub fn switch_on_disk(
    control: &mut super::control::ControlFile,
    old: &LogRecord,
    new: &LogRecord,
) -> OraResult<()> {
    for log in [old, new] {
        let header = log_header(&control.record, log);
        for (path, member) in log.members.iter().zip(open_members(log)?) {
            write_log_headers(&member, &header, log.blocks)
                .map_err(|e| log_error(log.group, path, &e))?;
        }
    }
    control.write()
}

fn log_error(group: u32, path: &std::path::Path, error: &std::io::Error) -> OraError {
    OraError::new(345, "redo log write error")
        .and(
            312,
            format!("online log {group} thread 1: '{}'", path.display()),
        )
        .and(27072, error.to_string())
}
