//! The database writer thread: carries changed blocks to the data files, at any moment and in two halves.
//! What lives here: choosing, copying out and writing blocks. What does not: the cache's own bookkeeping, checkpoints.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use oracle::block;

use super::doublewrite::{BLOCKS_MAX, Doublewrite, Entry};
use super::error::OraError;
use super::instance::{Core, Instance, OpenDatabase};
use crate::content::BLOCK_BYTES;

/// How long the writer rests when nothing is urgent.
const REST: Duration = Duration::from_millis(20);

struct Batch {
    /// Redo up to here must be durable before any block of the batch may be written.
    redo_needed: u64,
    frames: Vec<usize>,
    entries: Vec<Entry>,
    targets: Vec<(Arc<File>, u32)>,
}

impl Instance {
    /// The database writer thread.
    pub(crate) fn database_writer(&self) {
        let journal = match Doublewrite::open(&self.home.doublewrite_file()) {
            Ok(journal) => journal,
            Err(error) => self.die(
                "DBW0",
                &OraError::new(1242, format!("doublewrite journal: {error}")),
            ),
        };
        let mut core = self.lock();
        loop {
            let Some(open) = core.open.as_mut() else {
                return;
            };
            if open.aborted {
                return;
            }
            let urgent = open.flush_through > 0
                && open.cache.has_unwritten(open.flush_through, |_| true)
                || open.cache.dirty() * 2 > open.cache.size();
            if open.closing && open.cache.dirty() == 0 && open.redo.appended == open.redo.durable {
                return;
            }
            let limit = if urgent || open.closing {
                BLOCKS_MAX
            } else {
                BLOCKS_MAX / 4
            };
            let batch = take_batch(open, limit);
            if batch.frames.is_empty() {
                core = self.wait_work(
                    core,
                    if urgent {
                        Duration::from_millis(1)
                    } else {
                        REST
                    },
                );
                continue;
            }
            core = self.wait_for_redo(core, batch.redo_needed);
            if core.open.as_ref().is_none_or(|open| open.aborted) {
                return;
            }
            drop(core);
            if let Err(error) = self.write_batch(&journal, &batch) {
                self.die(
                    "DBW0",
                    &OraError::new(1242, "data file suffered media failure")
                        .and(27072, error.to_string()),
                );
            }
            core = self.lock();
            if let Some(open) = core.open.as_mut() {
                batch
                    .frames
                    .iter()
                    .for_each(|index| open.cache.mark_written(*index));
            }
            self.progress.notify_all();
            if !urgent {
                core = self.rest(core);
            }
        }
    }

    /// Redo first: a block may be written only when everything that changed it is in the log on disk.
    ///
    /// The batch holds copies, so that a block that is changed all the time is written all the same.
    fn wait_for_redo<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        ticket: u64,
    ) -> MutexGuard<'a, Core> {
        while core
            .open
            .as_ref()
            .is_some_and(|open| open.redo.durable < ticket && !open.aborted)
        {
            self.work.notify_all();
            core = self.wait_progress(core);
        }
        core
    }

    fn rest<'a>(&'a self, core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        self.wait_work(core, REST)
    }

    /// Journal first, then all first halves, a pause, all second halves, then the files are synced.
    ///
    /// The pause is what makes a copy taken at the wrong moment tear, as it does on a busy machine.
    fn write_batch(&self, journal: &Doublewrite, batch: &Batch) -> std::io::Result<()> {
        journal.record(&batch.entries)?;
        let half = BLOCK_BYTES / 2;
        for part in 0..2 {
            if part == 1 {
                std::thread::park_timeout(Duration::from_micros(
                    self.parameters.torn_pause_microseconds,
                ));
            }
            for (entry, (file, block)) in batch.entries.iter().zip(&batch.targets) {
                let offset = u64::from(*block) * BLOCK_BYTES as u64 + (part * half) as u64;
                file.write_all_at(&entry.bytes[part * half..(part + 1) * half], offset)?;
            }
        }
        let files: BTreeMap<u32, &Arc<File>> = batch
            .entries
            .iter()
            .map(|entry| entry.file)
            .zip(batch.targets.iter().map(|(file, _)| file))
            .collect();
        files.values().try_for_each(|file| file.sync_data())
    }
}

fn take_batch(open: &mut OpenDatabase, limit: usize) -> Batch {
    let mut batch = Batch {
        redo_needed: 0,
        frames: Vec::new(),
        entries: Vec::new(),
        targets: Vec::new(),
    };
    for index in open.cache.writable(limit) {
        let Some((file_number, block_number)) = open.cache.frame(index).place else {
            continue;
        };
        let Some(file) = open.files.iter().find(|file| file.number == file_number) else {
            continue;
        };
        let frame = open.cache.frame_mut(index);
        frame.in_flight = true;
        batch.redo_needed = batch.redo_needed.max(frame.last_change);
        block::seal(&mut frame.bytes);
        batch.frames.push(index);
        batch.entries.push(Entry {
            file: file_number,
            block: block_number,
            checkpoint_count: file.header.checkpoint_count,
            bytes: frame.bytes.clone(),
        });
        batch.targets.push((Arc::clone(&file.file), block_number));
    }
    batch
}
