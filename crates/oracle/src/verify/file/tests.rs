//! Whole files: recognised, judged, and counted.
//! What lives here: files of every kind in a temporary directory. What does not: the command line.

use std::io::Write;

use super::*;
use crate::address::BlockAddress;
use crate::block::{self, BlockHeader, BlockSize, kind};
use crate::file_header::{FileHeader, ResetLogs, status};
use crate::os_header::OsHeader;
use crate::redo::{RedoBlockHeader, format_code};
use crate::scn::{LogSequence, Scn};

const BLOCKS: u32 = 30;

/// A data file of `BLOCKS` blocks and block 0: header, five of data, the rest never used.
fn datafile(size: BlockSize, relative_file: u16, status: u16) -> Vec<u8> {
    let mut bytes = vec![0; size.bytes() * (BLOCKS as usize + 1)];
    for (number, block) in (0u32..).zip(bytes.chunks_exact_mut(size.bytes())) {
        match number {
            0 => OsHeader {
                format: size.format_code(),
                block_size: size.bytes() as u32,
                blocks: BLOCKS,
                checked: false,
            }
            .write(block),
            1 => header(size, relative_file, status).write(block),
            2..=6 => data(block, size, BlockAddress::smallfile(relative_file, number)),
            _ => block::never_formatted(block, number),
        }
    }
    bytes
}

fn header(size: BlockSize, relative_file: u16, status: u16) -> FileHeader {
    FileHeader {
        compat: 0x0b20_0400,
        dbid: 77,
        db_name: "SND".to_owned(),
        control_sequence: 1,
        blocks: BLOCKS,
        block_size: size.bytes() as u32,
        file_number: 5,
        file_type: 3,
        root_address: 0,
        creation_scn: Scn::new(1),
        creation_time: Default::default(),
        resetlogs: ResetLogs::default(),
        previous_resetlogs: ResetLogs::default(),
        backup_begin_time: None,
        backup_begin_scn: Scn::ZERO,
        backup_thread: 0,
        status,
        checkpoint_count: 1,
        control_checkpoint_count: 0,
        blocks_at_backup: 0,
        tablespace_number: 1,
        tablespace_name: "PSAP40BD".to_owned(),
        relative_file,
        absolute_fuzzy_scn: Scn::ZERO,
        checkpoint: Default::default(),
    }
}

fn data(block: &mut [u8], size: BlockSize, address: BlockAddress) {
    BlockHeader {
        kind: kind::DATA,
        format: size.format_code(),
        address,
        scn: Scn::new(4711),
        sequence: 2,
        flags: 0,
        check_value: 0,
    }
    .write(block);
    block[100] = 9;
    block::seal(block);
}

fn verify(bytes: &[u8], block_size: Option<u32>) -> Result<FileReport, CannotJudge> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let options = Options {
        block_size,
        ..Options::default()
    };
    verify_file(file.path(), &options, &mut |_, _| ())
}

fn corrupt(report: &FileReport) -> Vec<(u32, u32, &'static str)> {
    let listed = report.corrupt.listed().iter();
    listed
        .map(|finding| (finding.first, finding.last, finding.verdict.class()))
        .collect()
}

#[test]
fn a_good_data_file_of_any_block_size_is_clean_and_counted() {
    for size in BlockSize::ALL {
        for file in [0, 5] {
            let report = verify(&datafile(size, file, 0), None).unwrap();
            assert!(report.is_clean(), "{report:?}");
            let summary = report.summary;
            assert_eq!(
                (summary.examined, summary.data, summary.other, summary.empty),
                (u64::from(BLOCKS), 5, 1, 24)
            );
            assert_eq!(summary.highest_scn, Scn::new(4711));
            assert_eq!(
                (report.kind, report.size, report.in_backup_mode),
                (FileKind::Datafile, Size::AsStated, false)
            );
        }
    }
}

#[test]
fn a_block_of_another_file_is_out_of_place() {
    let mut bytes = datafile(BlockSize::K8, 5, 0);
    data(
        &mut bytes[4 * 8192..5 * 8192],
        BlockSize::K8,
        BlockAddress::smallfile(6, 4),
    );
    let report = verify(&bytes, None).unwrap();
    assert_eq!(corrupt(&report), [(4, 4, "wrong_address")]);
}

#[test]
fn a_lost_beginning_does_not_hide_the_rest() {
    for size in BlockSize::ALL {
        let good = datafile(size, 5, 0);
        for lost_blocks in 1..=3 {
            let mut bytes = good.clone();
            bytes[..lost_blocks * size.bytes()].fill(0);
            bytes[5 * size.bytes() + 200] ^= 1;
            let report = verify(&bytes, None).unwrap();
            assert_eq!(report.size, Size::NotStated);
            assert_eq!(report.block_size as usize, size.bytes());
            assert_eq!(
                corrupt(&report),
                [
                    (0, lost_blocks as u32 - 1, "zero"),
                    (5, 5, "bad_check_value")
                ]
            );
        }
    }
}

#[test]
fn status_bits_say_what_zeros_and_torn_blocks_mean() {
    let mut bytes = datafile(BlockSize::K8, 5, status::ZEROED_ALLOWED);
    bytes[20 * 8192..23 * 8192].fill(0);
    let report = verify(&bytes, None).unwrap();
    assert!(report.is_clean());
    let allowed = report.zero_allowed.listed();
    assert_eq!((allowed[0].first, allowed[0].last), (20, 22));
    assert_eq!(report.summary.zero_allowed, 3);
    let report = verify(&datafile(BlockSize::K8, 5, status::HOT_BACKUP), None).unwrap();
    assert!(report.in_backup_mode);
}

#[test]
fn a_file_of_another_length_than_stated_is_seen() {
    let good = datafile(BlockSize::K8, 5, 0);
    let cut = verify(&good[..10 * 8192 + 100], None).unwrap();
    assert_eq!(cut.size, Size::Short(21));
    assert_eq!(corrupt(&cut), [(10, 10, "incomplete")]);
    let cut = verify(&good[..10 * 8192], None).unwrap();
    assert!(!cut.is_clean() && corrupt(&cut).is_empty());
    let mut long = good.clone();
    long.resize(good.len() + 3 * 8192, 0);
    let long = verify(&long, None).unwrap();
    assert_eq!((long.size, long.is_clean()), (Size::Long(3), true));
    assert_eq!(long.summary.zero_allowed, 3);
}

#[test]
fn the_list_is_bounded_and_the_totals_are_not() {
    let mut bytes = datafile(BlockSize::K8, 5, 0);
    for number in 8..28 {
        bytes[number * 8192 + 300] ^= 1;
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let options = Options {
        block_size: Some(8192),
        listed_max: 3,
    };
    let mut told = Vec::new();
    let report = verify_file(file.path(), &options, &mut |done, all| {
        told.push((done, all))
    })
    .unwrap();
    assert_eq!(report.summary.bad_check_value, 20);
    assert_eq!(report.corrupt.listed().len(), 3);
    assert_eq!(report.corrupt.blocks_left_out(), 17);
    let all = bytes.len() as u64;
    assert_eq!(told.last(), Some(&(all, all)));
}

#[test]
fn control_files_and_redo_logs_are_recognised() {
    let mut control = vec![0; 5 * 16384];
    for (number, block) in (0u32..).zip(control.chunks_exact_mut(16384)) {
        BlockHeader {
            kind: kind::CONTROL,
            format: 0xc2,
            address: BlockAddress::from_raw(number),
            scn: Scn::ZERO,
            sequence: 1,
            flags: 0,
            check_value: 0,
        }
        .write(block);
        block::seal(block);
    }
    os_header(&mut control[..16384], 0xc2, 4);
    let report = verify(&control, None).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.kind, report.block_size),
        (FileKind::ControlFile, 16384)
    );
    for size in [512, 1024, 4096] {
        let report = verify(&redo_log(size, None), None).unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.kind, report.summary.other), (FileKind::RedoLog, 9));
        let report = verify(&redo_log(size, Some(6)), None).unwrap();
        assert_eq!(corrupt(&report), [(6, 6, "wrong_address")]);
    }
}

fn os_header(block: &mut [u8], format: u8, blocks: u32) {
    OsHeader {
        format,
        block_size: block.len() as u32,
        blocks,
        checked: true,
    }
    .write(block);
}

/// A log of nine redo blocks, one of them perhaps carrying its neighbour's number.
fn redo_log(size: usize, misplaced: Option<u32>) -> Vec<u8> {
    let format = format_code(size as u32).unwrap();
    let mut bytes = vec![7; 10 * size];
    os_header(&mut bytes[..size], format, 9);
    for (number, block) in (0u32..).zip(bytes.chunks_exact_mut(size)).skip(1) {
        let shift = u32::from(misplaced == Some(number));
        RedoBlockHeader {
            format,
            block: number + shift,
            sequence: LogSequence::new(15),
            first_record: 16,
        }
        .seal(block);
    }
    bytes
}

#[test]
fn what_is_no_such_file_is_refused() {
    let good = datafile(BlockSize::K8, 5, 0);
    assert!(matches!(verify(b"", None), Err(CannotJudge::Empty(_))));
    assert!(matches!(
        verify(b"PK", None),
        Err(CannotJudge::NotOracle(_))
    ));
    assert!(matches!(
        verify(&good[..8192], None),
        Err(CannotJudge::TooShort { bytes: 8192, .. })
    ));
    assert!(matches!(
        verify(&vec![b'x'; 1 << 20], None),
        Err(CannotJudge::NotOracle(_))
    ));
    assert!(matches!(
        verify(&good, Some(4096)),
        Err(CannotJudge::OtherBlockSize {
            given: 4096,
            found: 8192,
            ..
        })
    ));
    for block_size in [0, 1, 8191, 65536] {
        let mut headless = good.clone();
        headless[28] = 0;
        assert!(matches!(
            verify(&headless, Some(block_size)),
            Err(CannotJudge::BlockSize { .. })
        ));
    }
}

#[test]
fn a_hole_is_zeros_in_ranges_and_is_not_read() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = datafile(BlockSize::K8, 0, 0);
    let stated = (100u64 << 30) / 8192 - 1;
    os_header(&mut bytes[..8192], 0xa2, stated as u32);
    file.write_all(&bytes).unwrap();
    file.as_file().set_len(100 << 30).unwrap();
    let report = verify_file(file.path(), &Options::default(), &mut |_, _| ()).unwrap();
    let last = stated as u32;
    assert_eq!(corrupt(&report), [(BLOCKS + 1, last, "zero")]);
    assert_eq!(report.summary.examined, stated);
    assert_eq!(report.summary.zero, stated - u64::from(BLOCKS));
    assert!(report.hole_blocks > stated - 100);
}
