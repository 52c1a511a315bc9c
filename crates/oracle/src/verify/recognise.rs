//! What kind of file something is, from its first blocks.
//! What lives here: block size, byte order, kind, and what its blocks must look like. What does not: judging the rest.

use super::{Addresses, BlockJudge, ByteOrder, Expectations};
use crate::block::{self, BlockSize, kind};
use crate::file_header::{FileHeader, status};
use crate::layout::u32_at;
use crate::os_header::OsHeader;
use crate::redo::{LogHeader, format_code};
use crate::scn::Scn;

/// Blocks at the start of a file that are looked at.
const LEADING_BLOCKS: usize = 8;
/// Bytes of them when the blocks are as large as can be.
pub(super) const LEADING_BYTES: usize = LEADING_BLOCKS * 32768;
const REDO_BLOCK_SIZES: [u32; 3] = [512, 1024, 4096];
const FILE_TYPE_TEMPORARY: u16 = 6;

/// The kinds of files that can be judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// Data file, temporary ones included.
    Datafile,
    /// Control file.
    ControlFile,
    /// Redo log, online or archived.
    RedoLog,
}

/// What the first blocks tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recognised {
    pub kind: FileKind,
    pub judge: BlockJudge,
    /// Blocks without block 0, when block 0 can be believed.
    pub blocks: Option<u32>,
    pub in_backup_mode: bool,
}

/// Why the first blocks tell nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unrecognised {
    /// No block 0, and nothing that looks like a block of any size.
    NotOracle,
    /// No file has blocks of that size.
    BlockSize(u32),
    /// Block 0 is good and says otherwise.
    OtherBlockSize { given: u32, found: u32 },
}

/// Recognises a file by its first bytes. A block 0 that is damaged does not hinder it when other blocks are good.
pub(super) fn recognise(
    head: &[u8],
    given_block_size: Option<u32>,
) -> Result<Recognised, Unrecognised> {
    let os_header = OsHeader::read(head).ok();
    let trusted = os_header.filter(|header| is_intact(header, head));
    let order = match OsHeader::is_big_endian(head) {
        Some(true) => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    let block_size = match (given_block_size, trusted) {
        (Some(given), Some(header)) if header.block_size != given => {
            let found = header.block_size;
            return Err(Unrecognised::OtherBlockSize { given, found });
        }
        (Some(given), _) => given,
        (None, Some(header)) => header.block_size,
        (None, None) => guess_block_size(head)
            .or(os_header.map(|header| header.block_size))
            .ok_or(Unrecognised::NotOracle)?,
    };
    let kind = kind_of(head, block_size, order).ok_or(Unrecognised::BlockSize(block_size))?;
    let blocks = trusted.map(|header| header.blocks);
    let expectations = match kind {
        FileKind::Datafile => expect_datafile(head, block_size, order, blocks),
        FileKind::ControlFile => Expectations::ControlFile,
        FileKind::RedoLog => expect_redo_log(head, block_size),
    };
    let judge = BlockJudge::new(block_size, expectations)
        .ok_or(Unrecognised::BlockSize(block_size))?
        .with_order(order);
    let in_backup_mode = kind == FileKind::Datafile
        && status_of(head, block_size, order)
            .is_some_and(|(bits, _)| bits & status::HOT_BACKUP != 0);
    Ok(Recognised {
        kind,
        judge,
        blocks,
        in_backup_mode,
    })
}

impl Expectations {
    /// Those of a data file by its first blocks (block 0 first, eight are enough): the addresses by what most of the sound
    /// ones carry, zeros by the status in block 1 and the end in block 0. What the blocks do not tell stays unknown.
    pub fn of_datafile(head: &[u8], block_size: u32) -> Expectations {
        let blocks = OsHeader::read(head)
            .ok()
            .filter(|header| is_intact(header, head))
            .map(|header| header.blocks);
        expect_datafile(head, block_size, ByteOrder::Little, blocks)
    }
}

fn is_intact(header: &OsHeader, head: &[u8]) -> bool {
    let unsummed = !header.checked && head[16..18] == [0, 0];
    head.get(..header.block_size as usize)
        .is_some_and(|block| unsummed || block::checksum(block) == 0)
}

fn guess_block_size(head: &[u8]) -> Option<u32> {
    let sizes = BlockSize::ALL.map(|size| size.bytes() as u32);
    sizes
        .into_iter()
        .chain(REDO_BLOCK_SIZES)
        .find(|size| sound_kind(head, *size, ByteOrder::Little).is_some())
}

/// By the first sound block; when there is none, by which files have such blocks at all.
fn kind_of(head: &[u8], block_size: u32, order: ByteOrder) -> Option<FileKind> {
    sound_kind(head, block_size, order).or_else(|| {
        let datafile = BlockSize::from_bytes(block_size).map(|_| FileKind::Datafile);
        datafile.or(format_code(block_size).map(|_| FileKind::RedoLog))
    })
}

fn sound_kind(head: &[u8], block_size: u32, order: ByteOrder) -> Option<FileKind> {
    let redo = Expectations::RedoLog {
        sequence: None,
        end: None,
    };
    let kinds = [
        (FileKind::Datafile, Expectations::datafile()),
        (FileKind::ControlFile, Expectations::ControlFile),
        (FileKind::RedoLog, redo),
    ];
    kinds.into_iter().find_map(|(kind, expectations)| {
        let judge = BlockJudge::new(block_size, expectations)?.with_order(order);
        sound_blocks(head, &judge).next().map(|_| kind)
    })
}

/// The sound ones of the blocks behind block 0.
fn sound_blocks<'a>(
    head: &'a [u8],
    judge: &'a BlockJudge,
) -> impl Iterator<Item = (u32, &'a [u8])> {
    (0u32..)
        .zip(head.chunks_exact(judge.block_bytes()))
        .take(LEADING_BLOCKS)
        .skip(1)
        .filter(|(number, block)| judge.judge(*number, block).is_sound())
}

fn expect_datafile(
    head: &[u8],
    block_size: u32,
    order: ByteOrder,
    formatted_blocks: Option<u32>,
) -> Expectations {
    let zero_allowed = status_of(head, block_size, order).is_some_and(|(bits, file_type)| {
        bits & status::ZEROED_ALLOWED != 0 || file_type == FILE_TYPE_TEMPORARY
    });
    Expectations::Datafile {
        addresses: addresses_of(head, block_size, order),
        zero_allowed,
        formatted_blocks,
    }
}

/// What most of the first blocks say; of as many, what the earlier says.
fn addresses_of(head: &[u8], block_size: u32, order: ByteOrder) -> Addresses {
    let Some(judge) = BlockJudge::new(block_size, Expectations::datafile()) else {
        return Addresses::Unknown;
    };
    let judge = judge.with_order(order);
    let mut votes: Vec<(Addresses, u32)> = Vec::new();
    for (number, block) in sound_blocks(head, &judge) {
        if block[0] == kind::NEVER_FORMATTED {
            continue;
        }
        let address = crate::address::BlockAddress::from_raw(ordered(u32_at(block, 4), order));
        let says = if address.raw() == number {
            Addresses::Bigfile
        } else {
            Addresses::Smallfile(address.file())
        };
        match votes.iter_mut().find(|(addresses, _)| *addresses == says) {
            Some((_, count)) => *count += 1,
            None => votes.push((says, 1)),
        }
    }
    votes.reverse(); // The last of equals is the largest to max_by_key.
    votes
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(Addresses::Unknown, |(addresses, _)| addresses)
}

/// Status and file type of the data file header, when block 1 is a sound one.
fn status_of(head: &[u8], block_size: u32, order: ByteOrder) -> Option<(u16, u16)> {
    let judge = BlockJudge::new(block_size, Expectations::datafile())?.with_order(order);
    let block = head.chunks_exact(block_size as usize).nth(1)?;
    let is_header = block[0] == kind::FILE_HEADER && judge.judge(1, block).is_sound();
    let header = is_header.then(|| FileHeader::read(block).ok()).flatten()?;
    Some((header.status, header.file_type))
}

fn expect_redo_log(head: &[u8], block_size: u32) -> Expectations {
    let header = head
        .chunks_exact(block_size as usize)
        .nth(1)
        .and_then(|block| LogHeader::read(block).ok());
    let closed = header
        .as_ref()
        .filter(|header| header.next_scn != Scn::OPEN_ENDED);
    Expectations::RedoLog {
        sequence: header.as_ref().map(|header| header.sequence),
        end: closed.map(|header| header.next_available_block),
    }
}

fn ordered(value: u32, order: ByteOrder) -> u32 {
    match order {
        ByteOrder::Little => value,
        ByteOrder::Big => value.swap_bytes(),
    }
}
