//! Crash recovery: at OPEN after a crash, the online redo from the last checkpoint goes into the live files.
//! What lives here: walking the online logs. What does not: files that need media recovery; they are refused before.

use std::os::unix::fs::FileExt;

use oracle::redo::{LogReader, LogWrite, REDO_BLOCK_BYTES};
use oracle::scn::LogSequence;
use oracle::time::OracleTime;

use super::replay::Replay;
use crate::engine::control::{Control, DatafileRecord, LogRecord};
use crate::engine::datafile::DataFile;
use crate::engine::doublewrite::Doublewrite;
use crate::engine::error::{OraError, OraResult};
use crate::engine::home::Home;
use crate::engine::redo_log::FIRST_REDO_BLOCK;

/// Where the redo of the thread ends.
#[derive(Debug, Clone, Copy)]
pub struct RedoEnd {
    /// First block of the current log that holds no redo.
    pub block: u32,
    /// Newest SCN in the redo, or of the checkpoint when there is none.
    pub scn: u64,
    /// Time of the newest redo.
    pub time: OracleTime,
    /// Records applied.
    pub applied: u64,
}

/// What crash recovery did.
#[derive(Debug)]
pub struct Recovered {
    /// Where the redo ends.
    pub end: RedoEnd,
    /// Torn blocks repaired from the journal.
    pub repaired: Vec<(u32, u32)>,
    /// Data files that the control file did not know yet.
    pub added: Vec<DatafileRecord>,
}

/// Repairs torn blocks, then replays all online redo from the control file's checkpoint on.
///
/// Idempotent: after a crash in the middle it can run again from the same checkpoint.
pub fn recover(home: &Home, control: &Control, files: Vec<DataFile>) -> OraResult<Recovered> {
    let journal = home.doublewrite_file();
    let repaired = Doublewrite::open(&journal)
        .and_then(|doublewrite| doublewrite.repair(&files))
        .map_err(|e| OraError::new(1242, format!("doublewrite journal: {e}")))?;
    let mut replay = Replay::new(files, control, &journal)?;
    let mut end = RedoEnd {
        block: FIRST_REDO_BLOCK,
        scn: control.checkpoint.scn,
        time: OracleTime::from_raw(control.checkpoint.time),
        applied: 0,
    };
    let current = control.current_log()?.sequence;
    for sequence in control.checkpoint.sequence..=current {
        let log = control
            .logs
            .iter()
            .find(|log| log.sequence == sequence)
            .ok_or_else(|| {
                OraError::new(1113, "file 1 needs media recovery").and(
                    312,
                    format!("online log with sequence {sequence} is not in the control file"),
                )
            })?;
        let first = if sequence == control.checkpoint.sequence {
            control.checkpoint.block
        } else {
            FIRST_REDO_BLOCK
        };
        end.block = walk(log, first, |write| {
            end.time = end.time.max(write.time);
            write
                .records
                .iter()
                .try_for_each(|record| replay.apply(record))
        })?;
        if sequence != current && end.block != log.used_blocks {
            return Err(corrupt(log, end.block));
        }
    }
    end.scn = end
        .scn
        .max(replay.last_scn.get())
        .max(control.current_log()?.first_scn);
    end.applied = replay.applied;
    replay.flush()?;
    equalise_members(control.current_log()?, end.block)?;
    Ok(Recovered {
        end,
        repaired,
        added: replay.added,
    })
}

/// Reads the log writes of a group from `block` on, taking each from the first member that has it whole.
/// Returns the block behind the last one.
pub fn walk(
    log: &LogRecord,
    block: u32,
    mut each: impl FnMut(&LogWrite) -> OraResult<()>,
) -> OraResult<u32> {
    let readers: Vec<_> = log
        .members
        .iter()
        .filter_map(|path| LogReader::open(path).ok())
        .collect();
    let readers: Vec<_> = readers
        .into_iter()
        .filter(|reader| reader.header().sequence == LogSequence::new(log.sequence))
        .collect();
    if readers.is_empty() {
        return Err(missing(log));
    }
    let mut block = block.max(FIRST_REDO_BLOCK);
    'next: loop {
        for reader in &readers {
            if let Ok(Some((write, next))) = reader.read_log_write(block) {
                each(&write)?;
                block = next;
                continue 'next;
            }
        }
        return Ok(block);
    }
}

/// A crash may leave the last redo in one member only. Before the log is closed all members get the same bytes, so
/// that it does not matter which one is archived.
fn equalise_members(log: &LogRecord, used_blocks: u32) -> OraResult<()> {
    let failed = |e: std::io::Error| missing(log).and(27072, e.to_string());
    let mut best: Option<(u32, Vec<u8>)> = None;
    for path in &log.members {
        let Ok(reader) = LogReader::open(path) else {
            continue;
        };
        let mut block = FIRST_REDO_BLOCK;
        while let Ok(Some((_, next))) = reader.read_log_write(block) {
            block = next;
        }
        if best.as_ref().is_none_or(|(reached, _)| block > *reached) {
            let mut bytes = vec![0; used_blocks as usize * REDO_BLOCK_BYTES];
            std::fs::File::open(path)
                .and_then(|file| file.read_exact_at(&mut bytes, 0))
                .map_err(failed)?;
            best = Some((block, bytes));
        }
    }
    let Some((_, bytes)) = best else {
        return Err(missing(log));
    };
    for path in &log.members {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(failed)?;
        file.write_all_at(&bytes, 0)
            .and_then(|()| file.sync_data())
            .map_err(failed)?;
    }
    Ok(())
}

fn missing(log: &LogRecord) -> OraError {
    let stack = OraError::new(
        313,
        format!(
            "open failed for members of log group {} of thread 1",
            log.group
        ),
    );
    log.members.iter().fold(stack, |stack, path| {
        stack.and(
            312,
            format!("online log {} thread 1: '{}'", log.group, path.display()),
        )
    })
}

fn corrupt(log: &LogRecord, block: u32) -> OraError {
    OraError::new(354, "corrupt redo log block header")
        .and(
            353,
            format!(
                "log corruption near block {block} change {} time {}",
                log.first_scn,
                OracleTime::from_raw(log.first_time)
            ),
        )
        .and(
            312,
            format!(
                "online log {} thread 1: '{}'",
                log.group,
                log.members
                    .first()
                    .map(|p| p.display().to_string())
                    .unwrap_or_default()
            ),
        )
}
