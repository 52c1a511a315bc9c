//! Reading everything back: each row with its index entry, each session's counters.
//! What lives here: the scan and what it calls damage. What does not: comparing with a ledger, which is the judge's.

use super::commit::fetch;
use super::control::Segments;
use super::error::{OraError, OraResult};
use super::instance::Instance;
use crate::content::{
    self, ENTRIES_PER_BLOCK, ENTRY_BYTES, ROW_BYTES, ROWS_PER_BLOCK, SESSION_BYTES, SESSIONS_MAX,
    SESSIONS_PER_BLOCK, SLOTS_OFFSET, SessionSlot, Slot, slot_state,
};
use crate::protocol::{Answer, ScannedRow, ScannedSession};

impl Instance {
    /// Number of keys, of keys loaded at creation, and the seed of their texts.
    pub fn capacity(&self) -> OraResult<(u64, u64, u64)> {
        let mut core = self.lock();
        core.open()?;
        let segments = &core.control()?.record.segments;
        Ok((segments.keys, segments.loaded, segments.seed))
    }

    /// Gives every row ever written to `each`, in key order, then every session; stops when `each` returns false.
    ///
    /// The scan is not of one instant: commits that happen meanwhile may or may not be seen. A block that cannot be
    /// read is reported and passed over. Errors: ORA-01109 when the database is not open.
    pub fn scan(&self, each: &mut dyn FnMut(Answer) -> bool) -> OraResult<()> {
        let segments = self.open_segments()?;
        for block in 0..segments.keys.div_ceil(ROWS_PER_BLOCK) {
            for answer in self.scan_block(&segments, block)? {
                if !each(answer) {
                    return Ok(());
                }
            }
        }
        self.scan_sessions(each)
    }

    /// Gives every session's counters to `each`; stops when it returns false.
    ///
    /// Errors: ORA-01109 when the database is not open.
    pub fn scan_sessions(&self, each: &mut dyn FnMut(Answer) -> bool) -> OraResult<()> {
        let segments = self.open_segments()?;
        for session in 0..SESSIONS_MAX {
            if let Some(answer) = self.scan_session(&segments, session)?
                && !each(answer)
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn open_segments(&self) -> OraResult<Segments> {
        let mut core = self.lock();
        core.open()?;
        Ok(core.control()?.record.segments.clone())
    }

    fn scan_block(&self, segments: &Segments, block: u64) -> OraResult<Vec<Answer>> {
        let missing = || OraError::new(600, "internal error code: a key without a block");
        let table = Segments::locate(&segments.table, block).ok_or_else(missing)?;
        let first_key = block * ROWS_PER_BLOCK;
        let index =
            Segments::locate(&segments.index, first_key / ENTRIES_PER_BLOCK).ok_or_else(missing)?;
        let (rows, entries) = match (self.read_copy(table)?, self.read_copy(index)?) {
            (Ok(rows), Ok(entries)) => (rows, entries),
            (Err(damage), Ok(_)) | (Ok(_), Err(damage)) => return Ok(vec![damage]),
            (Err(first), Err(second)) => return Ok(vec![first, second]),
        };
        let mut answers = Vec::new();
        for slot in 0..ROWS_PER_BLOCK {
            let key = first_key + slot;
            let row = Slot::read(slot_bytes(&rows, slot as usize, ROW_BYTES));
            let entry = Slot::read(slot_bytes(
                &entries,
                (key % ENTRIES_PER_BLOCK) as usize,
                ENTRY_BYTES,
            ));
            if row.state == slot_state::FREE && entry.state == slot_state::FREE {
                continue;
            }
            answers.push(Answer::Row(ScannedRow {
                key,
                transaction: row.transaction,
                scn: row.scn,
                deleted: row.state == slot_state::DELETED,
                hash: row.hash,
                damage: disagreement(key, &row, &entry),
            }));
        }
        Ok(answers)
    }

    fn scan_session(&self, segments: &Segments, session: u32) -> OraResult<Option<Answer>> {
        let (block, slot) = (
            session / SESSIONS_PER_BLOCK,
            (session % SESSIONS_PER_BLOCK) as usize,
        );
        if block >= segments.sessions.blocks.min(segments.transactions.blocks) {
            return Ok(None);
        }
        let mut slots = Vec::new();
        for extent in [segments.sessions, segments.transactions] {
            match self.read_copy((extent.file, extent.first + block))? {
                Ok(bytes) => slots.push(SessionSlot::read(slot_bytes(&bytes, slot, SESSION_BYTES))),
                Err(damage) => return Ok(Some(damage)),
            }
        }
        let (dictionary, rollback) = (slots[0], slots[1]);
        if dictionary.session_plus_one == 0 && rollback.session_plus_one == 0 {
            return Ok(None);
        }
        Ok(Some(Answer::Session(ScannedSession {
            session,
            last_transaction: dictionary.last_transaction.max(rollback.last_transaction),
            committed: dictionary.committed,
            committed_rollback: rollback.committed,
            scn: dictionary.scn.max(rollback.scn),
        })))
    }

    /// A copy of a block through the cache; the inner error is the damage to report.
    fn read_copy(&self, (file, block): (u32, u32)) -> OraResult<Result<Vec<u8>, Answer>> {
        let mut core = self.lock();
        loop {
            match fetch(core.open()?, file, block) {
                Ok(index) => return Ok(Ok(core.open()?.cache.frame(index).bytes.to_vec())),
                Err(error) if error.code() == 379 => {
                    self.work.notify_all();
                    core = self.wait_progress(core);
                }
                Err(error) => {
                    return Ok(Err(Answer::Damage {
                        file,
                        block,
                        what: error.to_string(),
                    }));
                }
            }
        }
    }
}

fn slot_bytes(block: &[u8], slot: usize, bytes: usize) -> &[u8] {
    let at = SLOTS_OFFSET + slot * bytes;
    &block[at..at + bytes]
}

/// Why a row and its index entry do not belong together, if so.
fn disagreement(key: u64, row: &Slot, entry: &Slot) -> Option<String> {
    if row.state > slot_state::DELETED || entry.state > slot_state::DELETED {
        return Some("slot with an impossible state".to_string());
    }
    if row.state == slot_state::LIVE && content::text_hash(&row.text) != row.hash {
        return Some("text does not match its hash".to_string());
    }
    if row.state != slot_state::FREE && row.key != key {
        return Some(format!(
            "row in the place of another: holds key {}",
            row.key
        ));
    }
    let row_version = (row.state, row.transaction, row.scn, row.hash);
    let entry_version = (entry.state, entry.transaction, entry.scn, entry.hash);
    (row_version != entry_version).then(|| {
        format!(
            "row is of transaction {} at SCN {}, its index entry of transaction {} at SCN {}",
            row.transaction, row.scn, entry.transaction, entry.scn
        )
    })
}
