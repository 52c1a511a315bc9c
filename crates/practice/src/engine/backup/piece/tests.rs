//! Tests of the piece format: what is written comes back, and nothing damaged is believed.
//! What lives here: pieces made of a few chunks. What does not: real backups (`backstay/tests/rman.rs`).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{GROUP_SLOTS, PieceReader, PieceWriter};
use crate::content::BLOCK_BYTES;
use crate::engine::backup_records::{SetKind, SetRecord, Status};

fn record(compressed: bool) -> SetRecord {
    SetRecord {
        key: 0,
        set: 3,
        stamp: 99,
        kind: SetKind::Full,
        tag: "NIGHT".into(),
        handle: "/x".into(),
        compressed,
        files: Vec::new(),
        logs: Vec::new(),
        controlfile: None,
        spfile: true,
        database: (4711, "SND".into()),
        completed: 0,
        elapsed: 0,
        bytes: 0,
        status: Status::Available,
    }
}

fn chunk(number: u32) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK_BYTES];
    bytes[..200].fill(number as u8 | 1);
    bytes[4..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// A piece with every chunk but each seventh, and a short last one.
fn write(path: &Path, compressed: bool, chunks: u32) -> SetRecord {
    let mut record = record(compressed);
    let file = File::create(path).unwrap();
    let mut writer = PieceWriter::begin(file, &record).unwrap();
    for number in 0..chunks {
        if number % 7 == 6 {
            writer.leave_out().unwrap();
        } else {
            writer.put(0, number, &chunk(number)).unwrap();
        }
    }
    writer.put(1, 0, b"db_name = SND").unwrap();
    record.completed = 100;
    writer.finish(&mut record).unwrap();
    record
}

fn read(path: &Path) -> Result<Vec<(u16, u32, Vec<u8>)>, u32> {
    let reader = PieceReader::open(path).map_err(|error| error.code())?;
    let mut found = Vec::new();
    let each = reader.each(|chunk| {
        found.push((chunk.member, chunk.number, chunk.bytes.to_vec()));
        Ok(())
    });
    each.map_err(|error| error.code()).map(|()| found)
}

#[test]
fn what_is_written_comes_back_compressed_or_not() {
    let directory = tempfile::tempdir().unwrap();
    for compressed in [false, true] {
        let path = directory.path().join(format!("{compressed}"));
        let written = write(&path, compressed, 600);
        let reader = PieceReader::open(&path).unwrap();
        assert_eq!(reader.record(), &written);
        let found = read(&path).unwrap();
        let expected = (0..600)
            .filter(|number| number % 7 != 6)
            .map(|number| (0, number, chunk(number)));
        let expected: Vec<_> = expected
            .chain([(1, 0, b"db_name = SND".to_vec())])
            .collect();
        assert!(found == expected, "{} chunks", found.len());
    }
    let bytes = |name: &str| {
        std::fs::metadata(directory.path().join(name))
            .unwrap()
            .len()
    };
    assert!(bytes("true") * 4 < bytes("false"));
}

#[test]
fn unchanged_blocks_lie_at_the_same_place_when_others_come_into_use() {
    let directory = tempfile::tempdir().unwrap();
    let place_of = |path: &Path, number: u32| {
        let bytes = std::fs::read(path).unwrap();
        let wanted = chunk(number);
        bytes.chunks(BLOCK_BYTES).position(|block| block == wanted)
    };
    let path = directory.path().join("one");
    write(&path, false, 600);
    // One more used block, number 6, in the hole.
    let second = directory.path().join("two");
    let mut record = record(false);
    let mut writer = PieceWriter::begin(File::create(&second).unwrap(), &record).unwrap();
    for number in 0..600 {
        if number % 7 == 6 && number != 6 {
            writer.leave_out().unwrap();
        } else {
            writer.put(0, number, &chunk(number)).unwrap();
        }
    }
    writer.finish(&mut record).unwrap();
    assert_eq!(place_of(&path, 6), None);
    assert!(place_of(&second, 6).is_some());
    for number in [0, 7, GROUP_SLOTS, 599] {
        assert_eq!(
            place_of(&path, number),
            place_of(&second, number),
            "chunk {number}"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("piece");
    write(&path, false, 300);
    let length = std::fs::metadata(&path).unwrap().len();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let used = |block: u64| block < 2 || (block - 2) % 7 != 6;
    for block in (0..length / BLOCK_BYTES as u64)
        .filter(|block| used(*block))
        .step_by(13)
    {
        let at = block * BLOCK_BYTES as u64 + 5;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], at).unwrap();
        assert!(matches!(read(&path), Err(19870 | 19505)), "block {block}");
        file.write_all_at(&byte, at).unwrap();
    }
    assert!(read(&path).is_ok());
}

#[test]
fn a_cut_off_a_foreign_and_an_unfinished_piece_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("piece");
    write(&path, false, 300);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 8191, 8192, whole.len() - BLOCK_BYTES, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(read(&path).err(), Some(19505), "{length} bytes");
    }
    // A group of another piece in its place, whole in itself.
    let other = directory.path().join("other");
    let mut foreign = record(false);
    foreign.stamp = 100;
    let mut writer = PieceWriter::begin(File::create(&other).unwrap(), &foreign).unwrap();
    (0..300).for_each(|number| writer.put(0, number, &chunk(number)).unwrap());
    writer.finish(&mut foreign).unwrap();
    let mut mixed = whole.clone();
    mixed[BLOCK_BYTES..2 * BLOCK_BYTES]
        .copy_from_slice(&std::fs::read(&other).unwrap()[BLOCK_BYTES..2 * BLOCK_BYTES]);
    std::fs::write(&path, &mixed).unwrap();
    assert_eq!(read(&path).err(), Some(19870));
    // A whole group left out.
    let mut shorter = whole.clone();
    shorter.drain(BLOCK_BYTES..(2 + GROUP_SLOTS as usize) * BLOCK_BYTES);
    std::fs::write(&path, &shorter).unwrap();
    assert!(read(&path).is_err());
    assert_eq!(read(directory.path()).err(), Some(19505));
}

#[test]
fn whatever_is_changed_is_refused_or_makes_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("piece");
    for compressed in [false, true] {
        write(&path, compressed, 40);
        let whole = std::fs::read(&path).unwrap();
        let expected = read(&path).unwrap();
        let mut random = fastrand::Rng::with_seed(u64::from(compressed));
        for _ in 0..400 {
            let mut bytes = whole.clone();
            match random.u8(0..4) {
                0 => bytes.truncate(random.usize(0..whole.len())),
                1 => {
                    let (from, to) = (random.usize(0..whole.len()), random.usize(0..whole.len()));
                    bytes.swap(from, to);
                }
                2 => {
                    let from = random.usize(0..whole.len() / BLOCK_BYTES) * BLOCK_BYTES;
                    bytes.copy_within(from..from + BLOCK_BYTES, 0);
                }
                _ => {
                    let at = random.usize(0..whole.len());
                    bytes[at] = random.u8(..);
                }
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(found) = read(&path) {
                assert!(found == expected, "other chunks were believed");
            }
        }
    }
}
