//! Checkpoints: everything changed so far goes to the files, then headers and control file say so.
//! What lives here: the full checkpoint and its thread. What does not: BEGIN BACKUP's, which is in `backup_mode`.
//!
//! Order: blocks, control file with the new counts marked *pending*, headers, control file without the mark. A crash
//! in between leaves headers with the old or the new count; both are current, and crash recovery starts from the
//! checkpoint before, whose redo is still in the online logs.

use std::time::{Duration, Instant};

use oracle::file_header::Checkpoint;
use oracle::redo::RedoAddress;
use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

use super::control::CheckpointRecord;
use super::datafile;
use super::error::{OraError, OraResult};
use super::instance::{Instance, OpenDatabase};

/// A checkpoint as file headers carry it.
pub fn header_checkpoint(record: CheckpointRecord) -> Checkpoint {
    Checkpoint {
        scn: Scn::new(record.scn),
        time: OracleTime::from_raw(record.time),
        thread: 1,
        rba: RedoAddress {
            sequence: LogSequence::new(record.sequence),
            block: record.block,
            offset: 16,
        },
    }
}

/// Takes the place of a checkpoint: its SCN, and the redo address from which all later changes can be found.
///
/// The address is where the next redo goes: records that wait or are being written lie at or behind it.
pub(crate) fn place(open: &mut OpenDatabase) -> (CheckpointRecord, u64) {
    let scn = open.next_scn();
    let time = open.redo.now().raw();
    (
        CheckpointRecord {
            scn,
            time,
            sequence: open.redo.sequence,
            block: open.redo.block,
        },
        open.redo.appended,
    )
}

impl Instance {
    /// The checkpoint thread: when asked, and at least every `log_checkpoint_timeout` seconds.
    pub(crate) fn checkpointer(&self) {
        let longest = Duration::from_secs(self.parameters.checkpoint_seconds);
        let mut last = Instant::now();
        loop {
            let mut core = self.lock();
            loop {
                match core.open.as_ref() {
                    None => return,
                    Some(open) if open.closing => return,
                    Some(open) if open.checkpoint_wanted || last.elapsed() >= longest => break,
                    Some(_) => core = self.wait_work(core, Duration::from_millis(100)),
                }
            }
            drop(core);
            if let Err(error) = self.checkpoint() {
                if self.lock().open.as_ref().is_none_or(|open| open.closing) {
                    return;
                }
                self.die("CKPT", &error);
            }
            last = Instant::now();
        }
    }

    /// ALTER SYSTEM CHECKPOINT: after it every change made before is in the data files.
    pub fn checkpoint(&self) -> OraResult<()> {
        let headers = self
            .headers
            .lock()
            .expect("header writers do not panic half way");
        let (record, ticket) = {
            let mut core = self.lock();
            let open = core.open()?;
            open.checkpoint_wanted = false;
            place(open)
        };
        self.flush(ticket, |_| true)?;
        self.write_checkpoint(record)?;
        drop(headers);
        let mut core = self.lock();
        core.open()?.checkpoints_done += 1;
        drop(core);
        self.progress.notify_all();
        self.work.notify_all();
        Ok(())
    }

    /// Waits until every change up to `ticket` of the files that `concerns` selects is in the files.
    pub(crate) fn flush(&self, ticket: u64, concerns: impl Fn(u32) -> bool) -> OraResult<()> {
        let mut core = self.lock();
        loop {
            let open = core.open()?;
            if open.aborted {
                return Err(OraError::new(
                    1092,
                    "ORACLE instance terminated. Disconnection forced",
                ));
            }
            if !open.cache.has_unwritten(ticket, &concerns) {
                open.flush_through = 0;
                return Ok(());
            }
            open.flush_through = open.flush_through.max(ticket);
            self.work.notify_all();
            core = self.wait_progress(core);
        }
    }

    fn write_checkpoint(&self, record: CheckpointRecord) -> OraResult<()> {
        let mut writes = Vec::new();
        {
            let mut core = self.lock();
            let frozen_too = self.faults.header_not_frozen;
            let (control, open) = core.both()?;
            for file in &mut open.files {
                let frozen = file.backup_epoch > 0 && !frozen_too;
                file.header.checkpoint_count += 1;
                file.header.control_checkpoint_count = file.header.checkpoint_count - 1;
                file.header.control_sequence = control.record.generation as u32;
                if !frozen {
                    file.header.checkpoint = header_checkpoint(record);
                }
                for datafile in control
                    .record
                    .datafiles
                    .iter_mut()
                    .filter(|d| d.number == file.number)
                {
                    datafile.checkpoint = record;
                    datafile.checkpoint_count = file.header.checkpoint_count - 1;
                }
                writes.push((
                    std::sync::Arc::clone(&file.file),
                    file.header.clone(),
                    file.path.clone(),
                ));
            }
            control.record.pending = true;
            control.write()?;
        }
        for (file, header, path) in &writes {
            datafile::write_header(file, header).map_err(|e| {
                OraError::new(
                    1243,
                    format!(
                        "system tablespace file suffered media failure: {}: {e}",
                        path.display()
                    ),
                )
            })?;
        }
        let mut core = self.lock();
        let control = core.control()?;
        control.record.pending = false;
        control.record.checkpoint = record;
        for datafile in &mut control.record.datafiles {
            if let Some((_, header, _)) = writes
                .iter()
                .find(|(_, h, _)| u32::from(h.file_number) == datafile.number)
            {
                datafile.checkpoint_count = header.checkpoint_count;
            }
        }
        control.write()
    }
}
