//! Backups as the engine makes them on order: what a level 1 holds, merging that is cut off, fuzzy files.
//! What lives here: orders of a channel without a client. What does not: RMAN's language (`backstay/tests/rman.rs`).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oracle::block::BlockHeader;
use oracle::file_header::{FileHeader, status};
use oracle::scn::Scn;
use practice::content::row_text;
use practice::create::{CreateOptions, create};
use practice::engine::backup::piece::PieceReader;
use practice::engine::backup::{CopyOrder, Done, LogPlace, Order, SetOrder, Thing};
use practice::engine::backup_records::{CopyRecord, SetKind, SetRecord};
use practice::engine::error::{OraError, OraResult};
use practice::engine::{
    Instance, OpenMode, RecoverRequest, RecoverScope, RecoveryStep, ShutdownMode, Until,
};
use practice::protocol::RowChange;

const FILES: u32 = 7;

struct World {
    directory: tempfile::TempDir,
    instance: Arc<Instance>,
    number: u64,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let options = CreateOptions {
            home: directory.path().join("home"),
            sid: "SND".into(),
            size: 64 << 20,
            log_size: Some(4 << 20),
            seed: 1,
        };
        create(&options, &mut |_| ()).unwrap();
        std::fs::create_dir(directory.path().join("backup")).unwrap();
        let instance = startup(&options.home);
        instance.open(OpenMode::Default).unwrap();
        World {
            directory,
            instance,
            number: 0,
        }
    }

    fn backup(&self) -> PathBuf {
        self.directory.path().join("backup")
    }

    fn format(&self) -> String {
        format!("{}/%U", self.backup().display())
    }

    /// Commits that change rows all over the table.
    fn work(&mut self, count: u64) {
        let keys = self.instance.capacity().unwrap().0;
        for _ in 0..count {
            self.number += 1;
            let key = self.number * 7919 % keys;
            let change = RowChange {
                key,
                text: Some(row_text(key, self.number)),
            };
            self.instance.commit(self.number, 1, &[change]).unwrap();
        }
    }

    fn order(&self, order: Order) -> OraResult<Done> {
        self.instance.carry_out(order, &|| Ok(()))
    }

    fn set(&self, kind: SetKind, files: Vec<(u32, Option<u64>)>) -> SetRecord {
        let order = SetOrder {
            kind,
            files,
            logs: Vec::new(),
            controlfile: false,
            spfile: false,
            tag: "T".into(),
            format: self.format(),
            compressed: false,
            reuse: false,
            autobackup: false,
        };
        match self.order(Order::WriteSet(order)).unwrap() {
            Done::Set(set) => *set,
            other => panic!("{other:?}"),
        }
    }

    fn copies(&self) -> Vec<CopyRecord> {
        let copy = |file: u32| {
            let order = CopyOrder {
                file: Some(file),
                tag: "T".into(),
                format: self.format(),
                level_0: true,
                reuse: false,
            };
            match self.order(Order::WriteCopy(order)).unwrap() {
                Done::Copy(copy) => *copy,
                other => panic!("{other:?}"),
            }
        };
        (1..=FILES).map(copy).collect()
    }

    /// A level 1 since the copies.
    fn level_1(&self, copies: &[CopyRecord]) -> SetRecord {
        let from = |copy: &CopyRecord| {
            let file = copy.file().unwrap();
            (file.number, Some(file.checkpoint.0))
        };
        self.set(SetKind::Incremental(1), copies.iter().map(from).collect())
    }

    fn datafile(&self, number: u32) -> PathBuf {
        let database = self.instance.facts().database.unwrap();
        let file = database
            .datafiles
            .into_iter()
            .find(|file| file.number == number);
        file.unwrap().path
    }
}

fn startup(home: &Path) -> Arc<Instance> {
    let instance = Instance::start(home, "SND").unwrap();
    instance.mount().unwrap();
    instance
}

fn numbers(copies: &[CopyRecord]) -> Vec<(u32, u32)> {
    copies
        .iter()
        .map(|copy| (copy.file().unwrap().number, copy.recid))
        .collect()
}

fn header(path: &Path) -> FileHeader {
    let bytes = std::fs::read(path).unwrap();
    FileHeader::read(&bytes[8192..16384]).unwrap()
}

#[test]
fn a_level_1_holds_exactly_the_blocks_changed_since_its_parent() {
    let mut world = World::new();
    world.work(50);
    let copies = world.copies();
    world.work(200);
    world.instance.checkpoint().unwrap();
    let set = world.level_1(&copies);
    // Nothing runs: the files are now as they were read.
    let reader = PieceReader::open(&set.handle).unwrap();
    let mut held = BTreeSet::new();
    reader
        .each(|chunk| {
            held.insert((set.files[usize::from(chunk.member)].number, chunk.number));
            Ok(())
        })
        .unwrap();
    let mut expected = BTreeSet::new();
    for (state, copy) in set.files.iter().zip(&copies) {
        let from = Scn::new(copy.file().unwrap().checkpoint.0);
        assert_eq!(state.from_scn, Some(from.get()));
        let bytes = std::fs::read(world.datafile(state.number)).unwrap();
        for (number, block) in (0u32..).zip(bytes.chunks_exact(8192)) {
            if number < 2 || BlockHeader::read(block).scn >= from {
                expected.insert((state.number, number));
            }
        }
    }
    assert_eq!(held, expected);
    assert!(held.len() > 200, "{} blocks", held.len());
}

#[test]
fn a_merge_that_is_cut_off_anywhere_can_be_repeated() {
    let mut world = World::new();
    world.work(50);
    let copies = world.copies();
    world.work(400);
    let set = world.level_1(&copies);
    let before: Vec<Vec<u8>> = copies
        .iter()
        .map(|copy| std::fs::read(&copy.path).unwrap())
        .collect();
    let merge = || Order::Merge {
        handle: set.handle.clone(),
        copies: numbers(&copies),
    };
    world.order(merge()).unwrap();
    let merged: Vec<Vec<u8>> = copies
        .iter()
        .map(|copy| std::fs::read(&copy.path).unwrap())
        .collect();
    for (copy, state) in copies.iter().zip(&set.files) {
        let header = header(&copy.path);
        assert_eq!(header.checkpoint.scn.get(), state.checkpoint.0);
        assert_ne!(header.status & status::LEVEL_0_COPY, 0);
    }
    let reset = || {
        for (copy, bytes) in copies.iter().zip(&before) {
            std::fs::write(&copy.path, bytes).unwrap();
        }
    };
    let stopped_at = |stop: u32| {
        let looks = Cell::new(0);
        let cut = world.instance.carry_out(merge(), &|| {
            looks.set(looks.get() + 1);
            match looks.get() > stop {
                true => Err(OraError::new(
                    1013,
                    "user requested cancel of current operation",
                )),
                false => Ok(()),
            }
        });
        (cut.is_err(), looks.get())
    };
    reset();
    let (_, looks) = stopped_at(u32::MAX);
    let mut half_done = 0;
    for stop in (0..looks).step_by(looks as usize / 12 + 1) {
        reset();
        assert!(stopped_at(stop).0, "it looks {looks} times");
        for (copy, bytes) in copies.iter().zip(&before) {
            let header = header(&copy.path);
            let old = copy.file().unwrap().checkpoint.0;
            assert_eq!(header.checkpoint.scn.get(), old, "not further than it is");
            let now = std::fs::read(&copy.path).unwrap();
            half_done += u32::from(now[16384..] != bytes[16384..]);
        }
        world.order(merge()).unwrap();
        for (copy, bytes) in copies.iter().zip(&merged) {
            let again = std::fs::read(&copy.path).unwrap();
            assert!(
                again == *bytes,
                "{} after a stop at {stop}",
                copy.path.display()
            );
        }
    }
    assert!(
        half_done > 5,
        "{half_done} files were cut off in the middle"
    );
}

#[test]
fn a_merge_under_way_tells_how_new_its_blocks_are() {
    let mut world = World::new();
    let copies = world.copies();
    world.work(600);
    let set = world.level_1(&copies);
    let looks = Cell::new(0);
    let announced = Cell::new(false);
    let table = copies
        .iter()
        .find(|copy| copy.file().unwrap().number == 2)
        .unwrap();
    let end = set
        .files
        .iter()
        .find(|file| file.number == 2)
        .unwrap()
        .checkpoint
        .0;
    // At every look the header on disk must cover the blocks on disk.
    let done = world.instance.carry_out(
        Order::Merge {
            handle: set.handle.clone(),
            copies: numbers(&copies),
        },
        &|| {
            looks.set(looks.get() + 1);
            let bytes = std::fs::read(&table.path).unwrap();
            let header = FileHeader::read(&bytes[8192..16384]).unwrap();
            let newest = bytes
                .chunks_exact(8192)
                .skip(2)
                .map(|block| BlockHeader::read(block).scn)
                .max()
                .unwrap();
            let covered = newest < header.checkpoint.scn || newest <= header.absolute_fuzzy_scn;
            assert!(covered, "a block of SCN {newest} under {header:?}");
            announced.set(announced.get() || header.absolute_fuzzy_scn.get() + 1 >= end);
            Ok(())
        },
    );
    done.unwrap();
    assert!(announced.get(), "no look while it was under way");
}

#[test]
fn an_increment_that_begins_too_late_is_not_applied() {
    let mut world = World::new();
    let copies = world.copies();
    let before = std::fs::read(&copies[1].path).unwrap();
    world.work(20);
    let late = copies[1].file().unwrap().checkpoint.0 + 5;
    let set = world.set(SetKind::Incremental(1), vec![(2, Some(late))]);
    let error = world
        .order(Order::Merge {
            handle: set.handle,
            copies: vec![(2, copies[1].recid)],
        })
        .unwrap_err();
    assert_eq!(error.code(), 19643, "{error}");
    assert!(std::fs::read(&copies[1].path).unwrap() == before);
}

/// A backup of all files in which some block is newer than every checkpoint, as one made under load is. The SCN of its
/// newest block.
fn fuzzy_set(world: &mut World) -> (SetRecord, u64) {
    let instance = Arc::clone(&world.instance);
    let keys = instance.capacity().unwrap().0;
    for _ in 0..50 {
        let order = SetOrder {
            kind: SetKind::Full,
            files: (1..=FILES).map(|file| (file, None)).collect(),
            logs: Vec::new(),
            controlfile: false,
            spfile: false,
            tag: "T".into(),
            format: world.format(),
            compressed: true,
            reuse: false,
            autobackup: false,
        };
        let number = Cell::new(world.number);
        let done = world.instance.carry_out(Order::WriteSet(order), &|| {
            for _ in 0..40 {
                number.set(number.get() + 1);
                let key = number.get() * 104_729 % keys;
                let text = Some(row_text(key, number.get()));
                instance.commit(number.get(), 1, &[RowChange { key, text }])?;
            }
            Ok(())
        });
        world.number = number.get();
        let Done::Set(set) = done.unwrap() else {
            panic!("no set");
        };
        let newest = set.files.iter().map(|file| file.fuzzy_scn).max().unwrap();
        if set.files.iter().all(|file| file.checkpoint.0 <= newest) {
            return (*set, newest);
        }
    }
    panic!("no backup had a block newer than its checkpoints");
}

/// Restores every file from a set.
fn restore_all(world: &World, set: &SetRecord) {
    let files = (1..=FILES).map(|number| (number, world.datafile(number)));
    let order = Order::RestoreFiles {
        handle: set.handle.clone(),
        files: files.collect(),
    };
    world.order(order).unwrap();
}

#[test]
fn recovery_may_not_stop_before_the_newest_block_of_a_backup() {
    let mut world = World::new();
    let (set, newest) = fuzzy_set(&mut world);
    world.work(20);
    world.instance.archive_log_current().unwrap();
    let home = world.directory.path().join("home");
    world.instance.shutdown(ShutdownMode::Immediate).unwrap();
    world.instance = startup(&home);
    restore_all(&world, &set);
    for state in set.files.iter().filter(|state| state.fuzzy_scn > 0) {
        let restored = header(&world.datafile(state.number));
        assert_ne!(restored.status & status::ABSOLUTE_FUZZY, 0);
        assert_eq!(restored.absolute_fuzzy_scn.get(), state.fuzzy_scn);
        assert_eq!(restored.checkpoint.scn.get(), state.checkpoint.0);
    }
    let recover = |until: u64| {
        let request = RecoverRequest {
            scope: RecoverScope::Database,
            until: Until::Change(Scn::new(until)),
            using_backup_controlfile: false,
            automatic: true,
        };
        world.instance.recover(&request)
    };
    // UNTIL is exclusive: the change of the newest block would be left out.
    let error = recover(newest).unwrap_err();
    assert!(error.has(1547) && error.has(1194), "{error}");
    let opened = world.instance.open(OpenMode::ResetLogs).unwrap_err();
    assert_eq!(opened.code(), 1194, "{opened}");
    assert_eq!(recover(newest + 1), Ok(RecoveryStep::Complete));
    world.instance.open(OpenMode::ResetLogs).unwrap();
    for number in 1..=FILES {
        let opened = header(&world.datafile(number));
        assert_eq!(opened.status & status::ABSOLUTE_FUZZY, 0);
    }
}

#[test]
fn a_fuzzy_file_is_recovered_completely_and_then_is_no_more_fuzzy() {
    let mut world = World::new();
    let (set, _) = fuzzy_set(&mut world);
    world.work(20);
    let home = world.directory.path().join("home");
    world.instance.shutdown(ShutdownMode::Abort).unwrap();
    world.instance = startup(&home);
    let fuzzy = set.files.iter().find(|file| file.fuzzy_scn > 0).unwrap();
    let target = world.datafile(fuzzy.number);
    std::fs::remove_file(&target).unwrap();
    let files = vec![(fuzzy.number, target.clone())];
    let handle = set.handle.clone();
    world.order(Order::RestoreFiles { handle, files }).unwrap();
    let error = world.instance.open(OpenMode::Default).unwrap_err();
    assert_eq!(
        error.code(),
        1113,
        "it needs recovery whatever its checkpoint count: {error}"
    );
    let request = RecoverRequest {
        scope: RecoverScope::Database,
        until: Until::Complete,
        using_backup_controlfile: false,
        automatic: true,
    };
    assert_eq!(world.instance.recover(&request), Ok(RecoveryStep::Complete));
    assert_eq!(header(&target).status & status::ABSOLUTE_FUZZY, 0);
    world.instance.open(OpenMode::Default).unwrap();
}

#[test]
fn a_step_whose_client_has_gone_leaves_nothing_behind() {
    let world = World::new();
    let order = SetOrder {
        kind: SetKind::Full,
        files: (1..=FILES).map(|file| (file, None)).collect(),
        logs: Vec::new(),
        controlfile: true,
        spfile: true,
        tag: "T".into(),
        format: world.format(),
        compressed: false,
        reuse: false,
        autobackup: false,
    };
    let looks = Cell::new(0);
    let gone = world.instance.carry_out(Order::WriteSet(order), &|| {
        looks.set(looks.get() + 1);
        match looks.get() {
            8 => Err(OraError::new(
                1013,
                "user requested cancel of current operation",
            )),
            _ => Ok(()),
        }
    });
    assert_eq!(gone.unwrap_err().code(), 1013);
    assert_eq!(std::fs::read_dir(world.backup()).unwrap().count(), 0);
    let Done::Described(description) = world.order(Order::Describe).unwrap() else {
        panic!("no description");
    };
    assert!(description.control.unwrap().backups.sets.is_empty());
}

#[test]
fn files_of_the_database_are_neither_catalogued_nor_deleted() {
    let world = World::new();
    for number in 1..=FILES {
        let error = world
            .order(Order::Catalog(world.datafile(number)))
            .unwrap_err();
        assert_eq!(error.code(), 7517, "{error}");
    }
    let copies = world.copies();
    let home = world.directory.path().join("home");
    world.instance.shutdown(ShutdownMode::Immediate).unwrap();
    let instance = startup(&home);
    let switch = Order::Switch(vec![(3, copies[2].recid)]);
    instance.carry_out(switch, &|| Ok(())).unwrap();
    // What was the data file is a copy now and may go; what was the copy is the data file.
    let delete = |recid| {
        let order = Order::Delete {
            thing: Thing::Copy(recid),
            force: true,
        };
        instance.carry_out(order, &|| Ok(()))
    };
    assert_eq!(delete(copies[2].recid).unwrap_err().code(), 19571);
    assert!(copies[2].path.exists());
    let find = instance.carry_out(Order::FindLog(1), &|| Ok(())).unwrap();
    assert!(matches!(find, Done::Log(LogPlace::File(_))), "{find:?}");
}
