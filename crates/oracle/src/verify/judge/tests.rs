//! The judge of blocks, on blocks of every size and in both byte orders.
//! What lives here: one block at a time. What does not: files.

use super::*;
use crate::block::{BlockHeader, never_formatted, seal, seal_unchecked};
use crate::redo::RedoBlockHeader;

const FILE: u16 = 5;

fn judge(size: BlockSize) -> BlockJudge {
    judge_of(
        size,
        Expectations::Datafile {
            addresses: Addresses::Smallfile(FILE),
            zero_allowed: false,
            formatted_blocks: Some(1000),
        },
    )
}

fn judge_of(size: BlockSize, expectations: Expectations) -> BlockJudge {
    BlockJudge::new(size.bytes() as u32, expectations).unwrap()
}

/// A sealed block with something in every byte.
fn block_of(size: BlockSize, block_kind: u8, address: BlockAddress, sequence: u8) -> Vec<u8> {
    let mut block: Vec<u8> = (0..size.bytes()).map(|at| (at * 31 % 253) as u8).collect();
    BlockHeader {
        kind: block_kind,
        format: size.format_code(),
        address,
        scn: Scn::new(0x0002_1234_5678),
        sequence,
        flags: 0,
        check_value: 0,
    }
    .write(&mut block);
    seal(&mut block);
    block
}

fn data_block(size: BlockSize, number: u32) -> Vec<u8> {
    block_of(size, kind::DATA, BlockAddress::smallfile(FILE, number), 3)
}

#[test]
fn sound_blocks_of_every_size_say_what_they_hold() {
    for size in BlockSize::ALL {
        let judge = judge(size);
        for (block_kind, holds, expected) in [
            (kind::DATA, 1, Content::Data),
            (kind::DATA, 2, Content::Index),
            (kind::UNDO_HEADER, 0, Content::Segment),
            (kind::UNDO, 2, Content::Other),
            (kind::FILE_HEADER, 0, Content::Other),
        ] {
            let mut block = block_of(size, block_kind, BlockAddress::smallfile(FILE, 77), 1);
            block[HOLDS_AT] = holds;
            seal(&mut block);
            let scn = Scn::new(0x0002_1234_5678);
            assert_eq!(judge.judge(77, &block), sound(expected, scn));
        }
        let mut block = vec![0; size.bytes()];
        never_formatted(&mut block, 77);
        assert_eq!(
            judge.judge(77, &block),
            sound(Content::Empty, Scn::ZERO),
            "file number 0 in a file 5"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_behind_the_header_is_a_bad_check_value() {
    let good = data_block(BlockSize::K8, 77);
    for at in (20..8188).step_by(37).chain([20, 8187]) {
        for bit in 0..8 {
            let mut block = good.clone();
            block[at] ^= 1 << bit;
            let Verdict::BadCheckValue { stored, computed } =
                judge(BlockSize::K8).judge(77, &block)
            else {
                panic!("byte {at} bit {bit}");
            };
            assert_eq!(stored, crate::layout::u16_at(&good, 16));
            assert_eq!((stored ^ computed).count_ones(), 1);
        }
    }
}

#[test]
fn a_half_of_another_version_is_fractured_even_with_a_right_sum() {
    let mut block = data_block(BlockSize::K8, 77);
    let newer = block_of(
        BlockSize::K8,
        kind::DATA,
        BlockAddress::smallfile(FILE, 77),
        4,
    );
    block[4096..].copy_from_slice(&newer[4096..]);
    let fractured = Verdict::Fractured {
        expected_tail: 0x5678_0603,
        found_tail: 0x5678_0604,
    };
    assert_eq!(judge(BlockSize::K8).judge(77, &block), fractured);
    let sum = block::checksum(&block);
    let stored = crate::layout::u16_at(&block, 16) ^ sum;
    block[16..18].copy_from_slice(&stored.to_le_bytes());
    assert_eq!(block::checksum(&block), 0);
    assert_eq!(judge(BlockSize::K8).judge(77, &block), fractured);
}

#[test]
fn an_impossible_header_comes_before_tail_and_sum() {
    let judge = judge(BlockSize::K8);
    let mut block = data_block(BlockSize::K8, 77);
    block[8190] ^= 0xff;
    let address = |expected, found| {
        Verdict::BadHeader(HeaderFault::Address {
            expected: Some(expected),
            found,
        })
    };
    let (here, found) = (
        BlockAddress::smallfile(FILE, 78),
        BlockAddress::smallfile(FILE, 77),
    );
    assert_eq!(judge.judge(78, &block), address(here, found));
    assert_eq!(judge.judge(78, &block).class(), "wrong_address");
    let foreign = block_of(BlockSize::K8, kind::DATA, BlockAddress::smallfile(6, 78), 1);
    assert_eq!(
        judge.judge(78, &foreign),
        address(here, BlockAddress::smallfile(6, 78))
    );
    block[1] = 0xc2;
    let format = HeaderFault::Format {
        expected: 0xa2,
        found: 0xc2,
    };
    assert_eq!(judge.judge(78, &block), Verdict::BadHeader(format));
    for impossible in [0x48, 0xff, kind::CONTROL] {
        block[0] = impossible;
        assert_eq!(
            judge.judge(78, &block),
            Verdict::BadHeader(HeaderFault::Kind(impossible))
        );
    }
}

#[test]
fn zeros_are_corruption_unless_something_allows_them() {
    let zeros = vec![0; 8192];
    let judged = |expectations, number| judge_of(BlockSize::K8, expectations).judge(number, &zeros);
    let datafile = |zero_allowed, formatted_blocks| Expectations::Datafile {
        addresses: Addresses::Unknown,
        zero_allowed,
        formatted_blocks,
    };
    let zero = |allowed| Verdict::Zero { allowed };
    assert_eq!(judged(datafile(false, None), 9), zero(false));
    assert_eq!(judged(datafile(false, Some(9)), 9), zero(false));
    assert_eq!(judged(datafile(false, Some(8)), 9), zero(true));
    assert_eq!(judged(datafile(true, None), 9), zero(true));
    assert_eq!(judged(datafile(true, None), 0), zero(false));
    assert_eq!(judged(Expectations::ControlFile, 9), zero(true));
    assert!(zero(false).is_corrupt() && !zero(true).is_corrupt() && !zero(true).is_sound());
    let mut nearly = zeros.clone();
    nearly[8000] = 1;
    let judge = judge(BlockSize::K8);
    assert!(matches!(judge.judge(9, &nearly), Verdict::BadHeader(_)));
}

#[test]
fn a_block_given_up_is_told_from_a_damaged_one() {
    let address = BlockAddress::smallfile(FILE, 77);
    let mut block = block_of(BlockSize::K4, kind::DATA, address, SEQUENCE_CORRUPT);
    let judge = judge(BlockSize::K4);
    assert_eq!(judge.judge(77, &block), Verdict::MarkedCorrupt);
    block[4092] = 1;
    assert!(matches!(judge.judge(77, &block), Verdict::Fractured { .. }));
}

#[test]
fn a_block_without_a_check_value_is_not_summed() {
    let mut block = data_block(BlockSize::K16, 77);
    seal_unchecked(&mut block);
    block[100] ^= 1;
    let judge = judge(BlockSize::K16);
    assert!(judge.judge(77, &block).is_sound());
    let last = block.len() - 1;
    block[last] ^= 1;
    assert!(matches!(judge.judge(77, &block), Verdict::Fractured { .. }));
}

#[test]
fn bigfile_addresses_use_all_bits() {
    let number = SMALLFILE_BLOCK_MAX + 12;
    let block = block_of(BlockSize::K8, kind::DATA, BlockAddress::bigfile(number), 1);
    let with = |addresses| {
        judge_of(
            BlockSize::K8,
            Expectations::Datafile {
                addresses,
                zero_allowed: false,
                formatted_blocks: None,
            },
        )
    };
    assert!(with(Addresses::Bigfile).judge(number, &block).is_sound());
    assert!(with(Addresses::Unknown).judge(number, &block).is_sound());
    assert!(
        with(Addresses::Smallfile(1))
            .judge(number, &block)
            .is_corrupt()
    );
    assert!(with(Addresses::Bigfile).judge(11, &block).is_corrupt());
    let any_file = with(Addresses::Unknown);
    assert!(
        any_file
            .judge(77, &data_block(BlockSize::K8, 77))
            .is_sound()
    );
    assert!(
        any_file
            .judge(78, &data_block(BlockSize::K8, 77))
            .is_corrupt()
    );
}

#[test]
fn block_0_is_judged_in_either_byte_order() {
    let mut block = vec![0; 8192];
    OsHeader {
        format: 0xa2,
        block_size: 8192,
        blocks: 9,
        checked: false,
    }
    .write(&mut block);
    let judge = judge(BlockSize::K8);
    assert!(judge.judge(0, &block).is_sound());
    let mut big = block.clone();
    for (at, bytes) in [(4, 4), (16, 2), (20, 4), (24, 4), (28, 4)] {
        big[at..at + bytes].reverse();
    }
    // The sum of a big-endian file is that of its own words.
    big[16..18].fill(0);
    let sum = block::checksum(&big);
    big[16..18].copy_from_slice(&sum.to_le_bytes());
    let big_judge = judge.with_order(ByteOrder::Big);
    assert!(big_judge.judge(0, &big).is_sound());
    big[27] ^= 1;
    assert!(matches!(
        big_judge.judge(0, &big),
        Verdict::BadCheckValue { .. }
    ));
    block[28] = 0;
    assert!(matches!(
        judge.judge(0, &block),
        Verdict::BadHeader(HeaderFault::OsHeader(_))
    ));
}

#[test]
fn a_big_endian_data_block_is_judged_by_its_own_order() {
    let mut block = data_block(BlockSize::K8, 77);
    for (at, bytes) in [(4, 4), (8, 4), (12, 2), (8188, 4)] {
        block[at..at + bytes].reverse();
    }
    block[16..18].fill(0);
    let sum = block::checksum(&block);
    block[16..18].copy_from_slice(&sum.to_le_bytes());
    let little = judge(BlockSize::K8);
    assert!(little.judge(77, &block).is_corrupt());
    let big = little.with_order(ByteOrder::Big);
    let scn = Scn::new(0x0002_1234_5678);
    assert!(matches!(big.judge(77, &block), Verdict::Sound { scn: found, .. } if found == scn));
    block[500] ^= 1;
    assert_eq!(big.judge(77, &block).class(), "bad_check_value");
}

#[test]
fn control_file_blocks_are_of_one_type_and_have_no_file_number() {
    let judge = judge_of(BlockSize::K16, Expectations::ControlFile);
    let of = |block_kind, address| block_of(BlockSize::K16, block_kind, address, 1);
    let own = BlockAddress::from_raw(3);
    assert!(judge.judge(3, &of(kind::CONTROL, own)).is_sound());
    assert!(judge.judge(4, &of(kind::CONTROL, own)).is_corrupt());
    assert!(judge.judge(3, &of(kind::DATA, own)).is_corrupt());
}

fn redo_block(size: usize, number: u32, sequence: u32) -> Vec<u8> {
    let mut block: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
    RedoBlockHeader {
        format: redo::format_code(size as u32).unwrap(),
        block: number,
        sequence: LogSequence::new(sequence),
        first_record: 16,
    }
    .seal(&mut block);
    block
}

#[test]
fn redo_blocks_of_every_size_are_judged_by_number_sequence_and_sum() {
    for size in [512, 1024, 4096] {
        let closed = Expectations::RedoLog {
            sequence: Some(LogSequence::new(15)),
            end: Some(100),
        };
        let judge = BlockJudge::new(size as u32, closed).unwrap();
        let good = redo_block(size, 9, 15);
        assert!(judge.judge(9, &good).is_sound());
        assert_eq!(
            judge.judge(8, &good),
            Verdict::BadHeader(HeaderFault::RedoBlock(9))
        );
        assert!(matches!(
            judge.judge(9, &redo_block(size, 9, 14)),
            Verdict::BadHeader(HeaderFault::RedoSequence { .. })
        ));
        let mut torn = good.clone();
        torn[size - 1] ^= 1;
        assert_eq!(judge.judge(9, &torn).class(), "bad_check_value");
        assert_eq!(
            judge.judge(9, &vec![0; size]),
            Verdict::Zero { allowed: false }
        );
    }
}

#[test]
fn behind_the_newest_redo_lies_older_redo_or_nothing() {
    let current = Expectations::RedoLog {
        sequence: Some(LogSequence::new(15)),
        end: None,
    };
    let judge = BlockJudge::new(512, current).unwrap();
    let empty = sound(Content::Empty, Scn::ZERO);
    assert_eq!(judge.judge(9, &redo_block(512, 9, 11)), empty);
    assert_eq!(judge.judge(9, &[0; 512]), Verdict::Zero { allowed: true });
    assert_eq!(judge.judge(1, &[0; 512]), Verdict::Zero { allowed: false });
}

#[test]
fn sizes_that_no_such_file_has_get_no_judge() {
    let redo = Expectations::RedoLog {
        sequence: None,
        end: None,
    };
    for (size, expectations) in [
        (512, Expectations::datafile()),
        (8192, redo),
        (0, redo),
        (65536, Expectations::ControlFile),
    ] {
        assert!(BlockJudge::new(size, expectations).is_none(), "{size}");
    }
    let judge = judge(BlockSize::K8);
    let incomplete = HeaderFault::Incomplete { bytes: 100 };
    assert_eq!(judge.judge(9, &[0; 100]), Verdict::BadHeader(incomplete));
}
