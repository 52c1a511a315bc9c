//! Transactions: from a list of row changes to redo that is on disk.
//! What lives here: which blocks a transaction touches and in which order things happen. What does not: the log writer.
//!
//! Transactions are redo-only: a transaction keeps its changes to itself until it commits, then all of them become one
//! redo record and one step in the cache. No block ever holds an uncommitted change, so recovery needs no undo: it
//! replays whole records, and a record that is not wholly on disk never happened.

use std::sync::MutexGuard;

use oracle::address::BlockAddress;
use oracle::redo::{ChangeVector, RedoRecord};
use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::change::{self, operation};
use super::control::{Extent, Segments};
use super::datafile;
use super::error::{OraError, OraResult};
use super::instance::{Core, Instance, OpenDatabase};
use super::redo_log::record_bytes;
use crate::content::{
    self, ENTRIES_PER_BLOCK, ENTRY_BYTES, Purpose, ROW_BYTES, ROWS_PER_BLOCK, SESSION_BYTES,
    SESSIONS_MAX, SESSIONS_PER_BLOCK, SessionSlot, Slot, slot_state,
};
use crate::protocol::RowChange;

/// Most rows that one transaction may change.
pub const CHANGES_MAX: usize = 64;

/// One slot to be written.
struct Edit {
    file: u32,
    block: u32,
    purpose: Purpose,
    slot: usize,
    what: What,
}

enum What {
    Row(RowChange),
    Entry(RowChange),
    Session,
}

impl Segments {
    /// File and block of the `index`-th block of a list of extents.
    pub fn locate(extents: &[Extent], index: u64) -> Option<(u32, u32)> {
        let mut rest = index;
        for extent in extents {
            if rest < u64::from(extent.blocks) {
                return Some((extent.file, extent.first + rest as u32));
            }
            rest -= u64::from(extent.blocks);
        }
        None
    }
}

impl Instance {
    /// Commits a transaction: returns its SCN and time once its redo is on disk in every member of the log.
    ///
    /// Errors: ORA-01109 when the database is not open, ORA-01578 when a block it needs is damaged, ORA-00001,
    /// ORA-01400 and ORA-12899 for changes that make no sense. After an error nothing of it has happened. When the
    /// instance dies before this returns, the transaction is whole or absent.
    pub fn commit(
        &self,
        number: u64,
        session: u32,
        changes: &[RowChange],
    ) -> OraResult<(Scn, OracleTime)> {
        let mut core = self.lock();
        let segments = core.control()?.record.segments.clone();
        let edits = plan(&segments, number, session, changes)?;
        core = self.wait_for_room(core, edits.len())?;
        let open = core.open()?;
        let frames = pin(open, &edits)?;
        let scn = Scn::new(open.next_scn());
        let no_images = self.faults.no_block_images;
        let record = build(open, &edits, &frames, (number, session, scn), no_images);
        let ticket = open.redo.append(record);
        for index in frames {
            open.cache.frame_mut(index).pins -= 1;
            open.cache.mark_changed(index, ticket);
        }
        self.work.notify_all();
        if self.faults.ack_before_fsync {
            return Ok((scn, open.redo.now()));
        }
        self.wait_durable(core, ticket).map(|time| (scn, time))
    }

    /// Waits until cache and log surely have room for a transaction with so many edits.
    fn wait_for_room<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        edits: usize,
    ) -> OraResult<MutexGuard<'a, Core>> {
        let redo_bytes = 200 + edits * (content::BLOCK_BYTES + 2 * ROW_BYTES + 200);
        loop {
            let open = core.open()?;
            if open.closing {
                return Err(OraError::new(
                    1089,
                    "immediate shutdown in progress - no operations are permitted",
                ));
            }
            let log_room = open.redo.has_room(redo_bytes);
            if log_room && open.cache.dirty() + 2 * edits < open.cache.size() * 3 / 4 {
                return Ok(core);
            }
            if !log_room {
                open.redo.switch_wanted = true;
            }
            self.work.notify_all();
            core = self.wait_progress(core);
        }
    }

    fn wait_durable(&self, mut core: MutexGuard<'_, Core>, ticket: u64) -> OraResult<OracleTime> {
        loop {
            let open = core.open()?;
            if open.redo.durable >= ticket {
                return Ok(open.redo.time_of(ticket));
            }
            if open.aborted {
                return Err(OraError::new(
                    1092,
                    "ORACLE instance terminated. Disconnection forced",
                ));
            }
            core = self.wait_progress(core);
        }
    }
}

fn plan(
    segments: &Segments,
    number: u64,
    session: u32,
    changes: &[RowChange],
) -> OraResult<Vec<Edit>> {
    if number == 0 || changes.is_empty() || changes.len() > CHANGES_MAX || session >= SESSIONS_MAX {
        return Err(OraError::new(
            1400,
            format!("transaction {number} of session {session} is out of bounds"),
        ));
    }
    let mut edits = Vec::with_capacity(2 * changes.len() + 2);
    for (index, change) in changes.iter().enumerate() {
        if changes[..index].iter().any(|other| other.key == change.key) {
            return Err(OraError::new(
                1,
                format!(
                    "unique constraint (POSTING.KEY) violated: {} twice",
                    change.key
                ),
            ));
        }
        if change
            .text
            .as_ref()
            .is_some_and(|text| text.len() > content::PAYLOAD_BYTES_MAX || !text.is_ascii())
        {
            return Err(OraError::new(
                12899,
                format!(
                    "value too large for column \"POSTING\".\"TEXT\" (key {})",
                    change.key
                ),
            ));
        }
        let table = Segments::locate(&segments.table, change.key / ROWS_PER_BLOCK);
        let index_block = Segments::locate(&segments.index, change.key / ENTRIES_PER_BLOCK);
        let (Some(table), Some(index_block)) =
            (table.filter(|_| change.key < segments.keys), index_block)
        else {
            return Err(OraError::new(
                1653,
                format!("unable to extend table POSTING for key {}", change.key),
            ));
        };
        let row_slot = (change.key % ROWS_PER_BLOCK) as usize;
        let entry_slot = (change.key % ENTRIES_PER_BLOCK) as usize;
        edits.push(Edit::new(
            table,
            Purpose::Table,
            row_slot,
            What::Row(change.clone()),
        ));
        edits.push(Edit::new(
            index_block,
            Purpose::Index,
            entry_slot,
            What::Entry(change.clone()),
        ));
    }
    let slot = (session % SESSIONS_PER_BLOCK) as usize;
    for (extent, purpose) in [
        (segments.sessions, Purpose::Sessions),
        (segments.transactions, Purpose::Transactions),
    ] {
        let block = session / SESSIONS_PER_BLOCK;
        if block >= extent.blocks {
            return Err(OraError::new(18, "maximum number of sessions exceeded"));
        }
        edits.push(Edit::new(
            (extent.file, extent.first + block),
            purpose,
            slot,
            What::Session,
        ));
    }
    Ok(edits)
}

impl Edit {
    fn new(place: (u32, u32), purpose: Purpose, slot: usize, what: What) -> Edit {
        Edit {
            file: place.0,
            block: place.1,
            purpose,
            slot,
            what,
        }
    }

    /// Operation, slot size and new content of the slot.
    fn content(
        &self,
        current: &[u8],
        number: u64,
        session: u32,
        scn: Scn,
    ) -> ((u8, u8), usize, Vec<u8>) {
        let slot = |change: &RowChange, bytes: usize, text: Vec<u8>| {
            let state = if change.text.is_some() {
                slot_state::LIVE
            } else {
                slot_state::DELETED
            };
            let hash = change
                .text
                .as_ref()
                .map_or(0, |text| content::text_hash(text.as_bytes()));
            let mut out = vec![0; bytes];
            Slot {
                state,
                hash,
                key: change.key,
                transaction: number,
                scn: scn.get(),
                text,
            }
            .write(&mut out);
            out
        };
        match &self.what {
            What::Row(change) => {
                let text = change.text.clone().unwrap_or_default().into_bytes();
                let operation = match (
                    current[content::SLOTS_OFFSET + self.slot * ROW_BYTES],
                    &change.text,
                ) {
                    (_, None) => operation::DELETE,
                    (slot_state::LIVE, Some(_)) => operation::UPDATE,
                    (_, Some(_)) => operation::INSERT,
                };
                (operation, ROW_BYTES, slot(change, ROW_BYTES, text))
            }
            What::Entry(change) => {
                let text = entry_text(change.key);
                (
                    operation::INDEX,
                    ENTRY_BYTES,
                    slot(change, ENTRY_BYTES, text),
                )
            }
            What::Session => {
                let at = content::SLOTS_OFFSET + self.slot * SESSION_BYTES;
                let before = SessionSlot::read(&current[at..at + SESSION_BYTES]);
                let after = SessionSlot {
                    session_plus_one: session + 1,
                    committed: before.committed + 1,
                    last_transaction: number,
                    scn: scn.get(),
                };
                let operation = if self.purpose == Purpose::Transactions {
                    operation::TRANSACTION
                } else {
                    operation::UPDATE
                };
                (operation, SESSION_BYTES, after.bytes().to_vec())
            }
        }
    }
}

/// The descriptive text of an index entry: the key as an index of a posting table would hold it.
pub fn entry_text(key: u64) -> Vec<u8> {
    format!(
        "800 0001 {key:010} 1999 {:016x} SA",
        key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    )
    .into_bytes()
}

/// Brings every block of the edits into the cache and holds it there. On an error none is held.
fn pin(open: &mut OpenDatabase, edits: &[Edit]) -> OraResult<Vec<usize>> {
    let mut held = Vec::with_capacity(edits.len());
    for edit in edits {
        match fetch(open, edit.file, edit.block) {
            Ok(index) => {
                open.cache.frame_mut(index).pins += 1;
                held.push(index);
            }
            Err(error) => {
                held.into_iter()
                    .for_each(|index| open.cache.frame_mut(index).pins -= 1);
                return Err(error);
            }
        }
    }
    Ok(held)
}

/// The frame of a block, read from the file when the cache does not have it.
pub(crate) fn fetch(open: &mut OpenDatabase, file: u32, block: u32) -> OraResult<usize> {
    if let Some(index) = open.cache.find((file, block)) {
        return Ok(index);
    }
    let index = open.cache.claim((file, block)).ok_or_else(|| {
        OraError::new(
            379,
            "no free buffers available in buffer pool DEFAULT for block size 8K",
        )
    })?;
    let read = open
        .files
        .iter()
        .find(|candidate| candidate.number == file)
        .ok_or_else(|| OraError::new(376, format!("file {file} cannot be read at this time")))
        .and_then(|source| {
            datafile::read_block(source, block, &mut open.cache.frame_mut(index).bytes)
        });
    if let Err(error) = read {
        open.cache.forget(index);
        return Err(error);
    }
    Ok(index)
}

/// Builds the record and applies it to the frames, vector by vector, with the routine that recovery uses.
fn build(
    open: &mut OpenDatabase,
    edits: &[Edit],
    frames: &[usize],
    (number, session, scn): (u64, u32, Scn),
    no_images: bool,
) -> RedoRecord {
    let mut vectors = Vec::with_capacity(2 * edits.len() + 1);
    for (edit, index) in edits.iter().zip(frames) {
        let (epoch, relative) = open
            .files
            .iter()
            .find(|file| file.number == edit.file)
            .map_or((0, edit.file), |file| {
                (file.backup_epoch, u32::from(file.header.relative_file))
            });
        let address = BlockAddress::smallfile(relative as u16, edit.block);
        let frame = open.cache.frame_mut(*index);
        if epoch > 0 && frame.imaged_epoch != epoch {
            frame.imaged_epoch = epoch;
            if !no_images {
                oracle::block::seal(&mut frame.bytes);
                let image = frame.bytes.to_vec();
                vectors.push(change::vector(
                    operation::BLOCK_IMAGE,
                    edit.file,
                    address,
                    &frame.bytes,
                    vec![image],
                ));
            }
        }
        let mut step = |frame: &mut [u8], vector: ChangeVector| {
            change::apply(frame, &vector, scn)
                .expect("a vector made for this very version of the block");
            vectors.push(vector);
        };
        if frame.bytes[0] == oracle::block::kind::NEVER_FORMATTED {
            let fields = vec![vec![edit.purpose as u8]];
            let vector =
                change::vector(operation::FORMAT, edit.file, address, &frame.bytes, fields);
            step(&mut frame.bytes, vector);
        }
        let (operation, slot_bytes, bytes) = edit.content(&frame.bytes, number, session, scn);
        let fields = change::slot_fields(edit.slot, slot_bytes, bytes);
        let vector = change::vector(operation, edit.file, address, &frame.bytes, fields);
        step(&mut frame.bytes, vector);
    }
    let commit = vec![
        number.to_le_bytes().to_vec(),
        session.to_le_bytes().to_vec(),
    ];
    vectors.push(change::marker(operation::COMMIT, 0, commit));
    let record = RedoRecord {
        scn,
        sub_scn: 1,
        vectors,
    };
    debug_assert!(
        record_bytes(&record) < 200 + edits.len() * (content::BLOCK_BYTES + 2 * ROW_BYTES + 200)
    );
    record
}
