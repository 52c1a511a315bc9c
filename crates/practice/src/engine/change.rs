//! Change vectors of the practice database: building them and applying them to a block.
//! What lives here: the one routine that changes a block, used when a transaction runs and when redo is replayed.
//! What does not: where the block comes from and whether it may be changed.
//!
//! Operations, with Oracle's layer and code: 13.21 format a block, 11.2/11.5/11.3 insert, update, delete a row slot,
//! 10.2 an index slot, 5.2 a slot of the transaction table, 18.1 whole block image, 17.1 end of hot backup,
//! 17.30 a data file was added, 5.4 commit. The content of the fields is our own.

use oracle::address::BlockAddress;
use oracle::block::{self, BlockHeader};
use oracle::redo::ChangeVector;
use oracle::scn::Scn;

use crate::content::{self, BLOCK_BYTES, Purpose, SLOTS_OFFSET};

/// Layer and code of an operation.
pub mod operation {
    /// Format a block.
    pub const FORMAT: (u8, u8) = (13, 21);
    /// Insert a row.
    pub const INSERT: (u8, u8) = (11, 2);
    /// Delete a row.
    pub const DELETE: (u8, u8) = (11, 3);
    /// Update a row, or a session's counter in SYSTEM.
    pub const UPDATE: (u8, u8) = (11, 5);
    /// Change an index entry.
    pub const INDEX: (u8, u8) = (10, 2);
    /// Change the transaction table.
    pub const TRANSACTION: (u8, u8) = (5, 2);
    /// Commit.
    pub const COMMIT: (u8, u8) = (5, 4);
    /// Whole block, logged at its first change in backup mode.
    pub const BLOCK_IMAGE: (u8, u8) = (18, 1);
    /// End of hot backup.
    pub const END_BACKUP: (u8, u8) = (17, 1);
    /// A data file was added.
    pub const ADD_DATAFILE: (u8, u8) = (17, 30);
}

/// Why a vector cannot be applied to a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The block has this change already.
    AlreadyThere,
    /// The block lacks changes that came before this one.
    BlockTooOld,
    /// The vector makes no sense for the block.
    Nonsense,
}

/// A vector for the block as it stands, which takes the block's version as its expectation.
pub fn vector(
    operation: (u8, u8),
    file: u32,
    address: BlockAddress,
    bytes: &[u8],
    fields: Vec<Vec<u8>>,
) -> ChangeVector {
    let header = BlockHeader::read(bytes);
    ChangeVector {
        layer: operation.0,
        code: operation.1,
        class: 1,
        file: file as u16,
        address,
        scn: header.scn,
        sequence: header.sequence,
        kind: header.kind,
        fields,
    }
}

/// The fields of a slot change: where in the block, then the slot's new bytes.
pub fn slot_fields(slot: usize, slot_bytes: usize, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    vec![
        ((SLOTS_OFFSET + slot * slot_bytes) as u32)
            .to_le_bytes()
            .to_vec(),
        bytes,
    ]
}

/// A vector that concerns no block.
pub fn marker(operation: (u8, u8), file: u32, fields: Vec<Vec<u8>>) -> ChangeVector {
    ChangeVector {
        layer: operation.0,
        code: operation.1,
        class: 0,
        file: file as u16,
        address: BlockAddress::from_raw(0),
        scn: Scn::ZERO,
        sequence: 0,
        kind: 0,
        fields,
    }
}

/// Whether the vector changes a block.
pub fn concerns_block(vector: &ChangeVector) -> bool {
    vector.address.block() != 0
}

/// Applies a vector of a record with this SCN to a block in memory. The block is left unsealed.
///
/// A block image replaces whatever is there. Any other vector fits exactly the version that it was made for; on a
/// misfit the block is untouched.
pub fn apply(bytes: &mut [u8], vector: &ChangeVector, scn: Scn) -> Result<(), Misfit> {
    if (vector.layer, vector.code) == operation::BLOCK_IMAGE {
        let image = vector
            .fields
            .first()
            .filter(|image| image.len() == BLOCK_BYTES)
            .ok_or(Misfit::Nonsense)?;
        bytes.copy_from_slice(image);
        return Ok(());
    }
    let mut header = BlockHeader::read(bytes);
    match (header.scn, header.sequence).cmp(&(vector.scn, vector.sequence)) {
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => return Err(Misfit::AlreadyThere),
        std::cmp::Ordering::Less => return Err(Misfit::BlockTooOld),
    }
    if (vector.layer, vector.code) == operation::FORMAT {
        let code = vector
            .fields
            .first()
            .and_then(|field| field.first())
            .copied()
            .ok_or(Misfit::Nonsense)?;
        let purpose = Purpose::from_code(code).ok_or(Misfit::Nonsense)?;
        content::format_block(bytes, vector.address, purpose);
    } else {
        write_slot(bytes, &vector.fields).ok_or(Misfit::Nonsense)?;
    }
    let sequence = if header.scn == scn {
        header.sequence.wrapping_add(1).max(1)
    } else {
        1
    };
    header = BlockHeader::read(bytes);
    header.scn = scn;
    header.sequence = sequence;
    header.write(bytes);
    Ok(())
}

fn write_slot(bytes: &mut [u8], fields: &[Vec<u8>]) -> Option<()> {
    let at = u32::from_le_bytes(fields.first()?.as_slice().try_into().ok()?) as usize;
    let slot = fields.get(1)?;
    let end = at.checked_add(slot.len())?;
    if at < SLOTS_OFFSET || end > BLOCK_BYTES - block::TAIL_BYTES {
        return None;
    }
    bytes[at..end].copy_from_slice(slot);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> (Vec<u8>, BlockAddress) {
        let mut bytes = vec![0; BLOCK_BYTES];
        block::never_formatted(&mut bytes, 9);
        (bytes, BlockAddress::smallfile(5, 9))
    }

    #[test]
    fn a_vector_fits_one_version_of_a_block_and_no_other() {
        let (mut bytes, address) = empty();
        let format = vector(
            operation::FORMAT,
            5,
            address,
            &bytes,
            vec![vec![Purpose::Table as u8]],
        );
        apply(&mut bytes, &format, Scn::new(100)).unwrap();
        let row = vector(
            operation::INSERT,
            5,
            address,
            &bytes,
            slot_fields(3, content::ROW_BYTES, vec![7; content::ROW_BYTES]),
        );
        let before = bytes.clone();
        apply(&mut bytes, &row, Scn::new(100)).unwrap();
        assert_eq!(bytes[SLOTS_OFFSET + 3 * content::ROW_BYTES], 7);
        assert_eq!(
            apply(&mut bytes, &row, Scn::new(100)),
            Err(Misfit::AlreadyThere)
        );
        assert_eq!(
            apply(&mut bytes, &format, Scn::new(100)),
            Err(Misfit::AlreadyThere)
        );
        let (mut old, _) = empty();
        assert_eq!(
            apply(&mut old, &row, Scn::new(100)),
            Err(Misfit::BlockTooOld)
        );
        let image = vector(
            operation::BLOCK_IMAGE,
            5,
            address,
            &before,
            vec![before.clone()],
        );
        apply(&mut old, &image, Scn::new(100)).unwrap();
        apply(&mut old, &row, Scn::new(100)).unwrap();
        assert_eq!(old, bytes);
    }

    #[test]
    fn a_slot_outside_the_block_is_refused() {
        let (mut bytes, address) = empty();
        let before = bytes.clone();
        for at in [0u32, 100, 8100, u32::MAX] {
            let wild = vector(
                operation::UPDATE,
                5,
                address,
                &bytes,
                vec![at.to_le_bytes().to_vec(), vec![1; 200]],
            );
            assert_eq!(apply(&mut bytes, &wild, Scn::new(5)), Err(Misfit::Nonsense));
            assert_eq!(bytes, before);
        }
    }
}
