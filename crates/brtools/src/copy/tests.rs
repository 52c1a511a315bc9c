//! Copies of small files that are torn, damaged, growing, vanishing, unreadable, or have no room.
//! What lives here: tests of one copy. What does not: runs of the tools.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};

use oracle::address::BlockAddress;
use oracle::block::{self, BlockHeader};
use oracle::scn::Scn;

use super::*;

const BLOCK: usize = 8192;
const BLOCKS: usize = 300;

struct World {
    directory: tempfile::TempDir,
}

impl World {
    /// A data file of good blocks in a directory of its own.
    fn new() -> World {
        let world = World {
            directory: tempfile::tempdir().unwrap(),
        };
        let bytes: Vec<u8> = (0..BLOCKS)
            .flat_map(|number| good_block(number, 7))
            .collect();
        fs::write(world.source(), bytes).unwrap();
        world
    }

    fn source(&self) -> PathBuf {
        self.directory.path().join("system.data1")
    }

    fn target(&self) -> PathBuf {
        self.directory.path().join("copy of system.data1")
    }

    fn write_block(&self, number: usize, block: &[u8]) {
        let file = OpenOptions::new().write(true).open(self.source()).unwrap();
        file.write_all_at(block, (number * BLOCK) as u64).unwrap();
    }

    fn copy(&self, content: Content) -> Result<CopyReport, CopyError> {
        self.copy_with(content, &CopyTool::Copy, &Interrupt::never())
    }

    fn copy_with(
        &self,
        content: Content,
        tool: &CopyTool,
        interrupt: &Interrupt,
    ) -> Result<CopyReport, CopyError> {
        let (source, target) = (self.source(), self.target());
        copy_file(
            &CopyRequest {
                source: &source,
                target: &target,
                tool,
                content,
                failpoint: None,
            },
            interrupt,
        )
    }

    /// The copy failed and left nothing; the source is as it was.
    fn assert_nothing_left(&self) {
        assert!(!self.target().exists(), "the partial target is removed");
    }
}

const IN_BACKUP: Content = Content::DatafileInBackupMode {
    block_bytes: BLOCK as u32,
};
const AT_REST: Content = Content::DatafileAtRest {
    block_bytes: BLOCK as u32,
};

fn good_block(number: usize, scn: u64) -> Vec<u8> {
    let mut bytes = vec![number as u8; BLOCK];
    if number == 0 {
        bytes.fill(0);
        let header = oracle::os_header::OsHeader {
            format: 0xa2,
            block_size: BLOCK as u32,
            blocks: BLOCKS as u32 - 1,
            checked: true,
        };
        header.write(&mut bytes);
        return bytes;
    }
    let header = BlockHeader {
        kind: block::kind::DATA,
        format: 0xa2,
        address: BlockAddress::smallfile(1, number as u32),
        scn: Scn::new(scn),
        sequence: 1,
        flags: 0,
        check_value: 0,
    };
    header.write(&mut bytes);
    block::seal(&mut bytes);
    bytes
}

/// Front of the new version, back of the old one.
fn torn_block(number: usize) -> Vec<u8> {
    let mut bytes = good_block(number, 9);
    bytes[BLOCK / 2..].copy_from_slice(&good_block(number, 7)[BLOCK / 2..]);
    bytes
}

#[test]
fn a_good_file_is_copied_byte_for_byte_and_hashed_by_either_tool() {
    for tool in [
        CopyTool::Copy,
        CopyTool::Dd {
            flags: vec!["obs=64k".into(), "bs=64k".into()],
        },
    ] {
        let world = World::new();
        let report = world
            .copy_with(AT_REST, &tool, &Interrupt::never())
            .unwrap();
        let bytes = fs::read(world.target()).unwrap();
        assert!(bytes == fs::read(world.source()).unwrap(), "byte for byte");
        assert_eq!(report.hash, blake3::hash(&bytes));
        assert_eq!(
            (report.bytes, report.blocks),
            (bytes.len() as u64, BLOCKS as u64)
        );
        assert_eq!(
            (
                report.blocks_read_again,
                report.blocks_zero,
                report.tool_output.as_str()
            ),
            (0, 0, "")
        );
        assert!(report.blocks_left_torn.is_empty());
    }
}

#[test]
fn a_block_that_stays_torn_is_excused_in_backup_mode_and_only_there() {
    let world = World::new();
    world.write_block(17, &torn_block(17));
    let report = world.copy(IN_BACKUP).unwrap();
    assert_eq!(report.blocks_left_torn, [17]);
    fs::remove_file(world.target()).unwrap();
    let error = world.copy(AT_REST).unwrap_err();
    assert!(
        matches!(&error, CopyError::Damaged { count: 1, first, .. } if first[0].contains("block 17")),
        "{error}"
    );
    world.assert_nothing_left();
}

#[test]
fn a_block_that_is_whole_when_read_again_is_put_into_the_copy() {
    let world = World::new();
    let source = File::open(world.source()).unwrap();
    let mut look = second_look::SecondLook::new(&source, BLOCK as u32, true).unwrap();
    let mut block = torn_block(17);
    assert_eq!(
        look.judge(17, &mut block).unwrap(),
        second_look::Look::GoodAgain
    );
    assert!(block == good_block(17, 7), "what the source holds");
}

#[test]
fn a_writer_that_tears_blocks_all_the_time_cannot_spoil_a_copy_in_backup_mode() {
    let world = World::new();
    let stop = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = OpenOptions::new().write(true).open(world.source()).unwrap();
            let mut scn = 10;
            while !stop.load(Ordering::Relaxed) {
                for number in [3, 150, 299] {
                    let bytes = good_block(number, scn);
                    for half in [0, BLOCK / 2] {
                        file.write_all_at(
                            &bytes[half..half + BLOCK / 2],
                            (number * BLOCK + half) as u64,
                        )
                        .unwrap();
                    }
                }
                scn += 1;
            }
        });
        let report = world.copy(IN_BACKUP);
        stop.store(true, Ordering::Relaxed);
        report
    })
    .unwrap();
    let copy = fs::read(world.target()).unwrap();
    assert_eq!(
        report.hash,
        blake3::hash(&copy),
        "the hash is of what is stored"
    );
    for (number, block) in copy.chunks(BLOCK).enumerate().skip(1) {
        assert!(
            block::checksum(block) == 0 || report.blocks_left_torn.contains(&(number as u32)),
            "block {number}"
        );
    }
}

#[test]
fn damage_that_is_no_tear_is_named_in_either_mode() {
    let world = World::new();
    let mut flipped = good_block(40, 7);
    flipped[5000] ^= 1;
    world.write_block(40, &flipped);
    for content in [IN_BACKUP, AT_REST] {
        let error = world.copy(content).unwrap_err();
        assert!(
            matches!(&error, CopyError::Damaged { count: 1, first, .. } if first[0].contains("block 40")),
            "{error}"
        );
        assert!(error.to_string().contains("HINT"));
        world.assert_nothing_left();
    }
}

#[test]
fn opaque_files_must_be_equal_to_the_last_byte() {
    let world = World::new();
    fs::write(world.source(), "log_archive_start = true\n").unwrap();
    let report = world.copy(Content::Opaque).unwrap();
    assert_eq!(report.hash, hash_file(&world.source()).unwrap());
    assert_eq!(
        fs::read(world.target()).unwrap(),
        b"log_archive_start = true\n"
    );
    fs::write(world.source(), "log_archive_start = TRUE\n").unwrap();
    let request = CopyRequest {
        source: &world.source(),
        target: &world.target(),
        tool: &CopyTool::Copy,
        content: Content::Opaque,
        failpoint: None,
    };
    assert!(matches!(
        require_hash(request.source, request.target, report.hash),
        Err(CopyError::Different { .. })
    ));
}

#[test]
fn an_existing_target_is_neither_overwritten_nor_removed() {
    let world = World::new();
    fs::write(world.target(), "precious").unwrap();
    assert!(matches!(
        world.copy(AT_REST),
        Err(CopyError::TargetExists { .. })
    ));
    assert_eq!(fs::read(world.target()).unwrap(), b"precious");
}

#[test]
fn a_missing_source_or_one_that_is_no_file_is_named_before_anything_is_written() {
    let world = World::new();
    fs::remove_file(world.source()).unwrap();
    let error = world.copy(AT_REST).unwrap_err();
    assert!(
        matches!(error, CopyError::Source { .. }) && error.to_string().contains("system.data1"),
        "{error}"
    );
    fs::create_dir(world.source()).unwrap();
    assert!(matches!(
        world.copy(AT_REST),
        Err(CopyError::NotRegular { .. })
    ));
    world.assert_nothing_left();
}

#[test]
fn a_failing_tool_is_reported_with_its_words_and_status() {
    let world = World::new();
    let tool = CopyTool::Dd {
        flags: vec!["bs=nonsense".into()],
    };
    let error = world
        .copy_with(AT_REST, &tool, &Interrupt::never())
        .unwrap_err();
    let CopyError::Tool {
        command_line,
        code,
        output,
    } = &error
    else {
        panic!("{error}")
    };
    assert!(
        command_line.starts_with("LANG=C dd if=") && *code == 1 && output.contains("nonsense"),
        "{error}"
    );
    world.assert_nothing_left();
}

#[test]
fn a_short_copy_is_refused() {
    let world = World::new();
    let tool = CopyTool::Dd {
        flags: vec!["bs=8k".into(), "count=10".into()],
    };
    for content in [AT_REST, IN_BACKUP, Content::Opaque] {
        let error = world
            .copy_with(content, &tool, &Interrupt::never())
            .unwrap_err();
        assert!(
            matches!(
                error,
                CopyError::Size {
                    copied_bytes: 81920,
                    ..
                }
            ),
            "{error}"
        );
        world.assert_nothing_left();
    }
}

/// A tool that copies a little, lets the test interfere and then goes on: `dd` reading the source through a pipe of ours
/// is not possible, so the interference happens before the tool has begun and is seen at the end.
fn interfere(
    world: &World,
    content: Content,
    change: impl FnOnce(&Path),
) -> Result<CopyReport, CopyError> {
    let (source_path, target) = (world.source(), world.target());
    let source = Source::open(&source_path).unwrap();
    change(&source_path);
    let request = CopyRequest {
        source: &source_path,
        target: &target,
        tool: &CopyTool::Copy,
        content,
        failpoint: None,
    };
    let outcome = copy_and_judge(&request, &source, &Interrupt::never(), Instant::now());
    if outcome.is_err() {
        remove_target(&target);
    }
    outcome
}

#[test]
fn a_source_that_grows_is_accepted_in_backup_mode_only() {
    let grow = |path: &Path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&good_block(BLOCKS, 8), (BLOCKS * BLOCK) as u64)
            .unwrap();
    };
    let world = World::new();
    let report = interfere(&world, IN_BACKUP, grow).unwrap();
    assert_eq!(report.blocks, BLOCKS as u64 + 1);
    let world = World::new();
    let error = interfere(&world, AT_REST, grow).unwrap_err();
    assert!(matches!(error, CopyError::SourceChanged { .. }), "{error}");
    world.assert_nothing_left();
}

#[test]
fn a_source_that_shrinks_vanishes_or_is_replaced_is_named() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 3] = [
        (
            |path| {
                OpenOptions::new()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_len(BLOCK as u64 * 10)
                    .unwrap()
            },
            "shrank",
        ),
        (
            |path| {
                fs::rename(path, path.with_extension("gone"))
                    .and_then(|()| fs::copy(path.with_extension("gone"), path))
                    .map(drop)
                    .unwrap()
            },
            "another file",
        ),
        (|path| fs::remove_file(path).unwrap(), "cp"),
    ];
    for (change, word) in changes {
        let world = World::new();
        let error = interfere(&world, IN_BACKUP, change).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        world.assert_nothing_left();
    }
}

#[test]
fn a_signal_stops_the_copy_and_its_tool() {
    let world = World::new();
    let interrupt = Interrupt::never();
    interrupt.raise(15);
    let error = world
        .copy_with(AT_REST, &CopyTool::Copy, &interrupt)
        .unwrap_err();
    assert!(
        matches!(error, CopyError::Interrupted { signal: 15 }),
        "{error}"
    );
    world.assert_nothing_left();
}

#[test]
fn a_target_directory_that_cannot_be_written_is_named_by_the_tool() {
    let world = World::new();
    let (source, target) = (world.source(), PathBuf::from("/proc/1/nowhere/copy"));
    let request = CopyRequest {
        source: &source,
        target: &target,
        tool: &CopyTool::Copy,
        content: AT_REST,
        failpoint: None,
    };
    let error = copy_file(&request, &Interrupt::never()).unwrap_err();
    assert!(
        matches!(&error, CopyError::Tool { output, .. } if output.contains("/proc/1/nowhere/copy")),
        "{error}"
    );
}

#[test]
fn space_is_asked_for_before_it_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    require_space(directory.path(), 1).unwrap();
    let error = require_space(directory.path(), u64::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            CopyError::Space {
                needed_bytes: u64::MAX,
                ..
            }
        ) && error.to_string().contains("HINT"),
        "{error}"
    );
    assert!(matches!(
        require_space(Path::new("/nowhere"), 1),
        Err(CopyError::Target { .. })
    ));
}

#[test]
fn a_copy_has_the_mode_of_its_source() {
    let world = World::new();
    fs::set_permissions(world.source(), fs::Permissions::from_mode(0o440)).unwrap();
    world.copy(AT_REST).unwrap();
    assert_eq!(
        fs::metadata(world.target()).unwrap().permissions().mode() & 0o777,
        0o440
    );
}
