//! A real Linux NFS client writes over blocks in place: the next recovery point reads these and no others, and is right.
//! What lives here: how much a job has read, and what a restore gives. What does not: when ranges are believed, piece by
//! piece (store: changes.rs), figures (bench/recovery-points).

#[path = "../../nfs/tests/guest/mod.rs"]
mod guest;
mod repository_world;
mod store_world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use api::admin::{
    Job, JobKind, JobState, Mount, MountRequest, RecoveryPoint, RestoreRequest, Squash,
};
use guest::Guest;
use repository_world::{await_points, backup, restore, world_with_ingest};
use store_world::{StoreWorld, request, wait_until};

/// Oracle's block, which the guest writes.
const BLOCK: u64 = 8 << 10;
/// What is stored once, and so what is read when a block in it was written.
const CHUNK: u64 = 64 << 10;
/// Files and their blocks; the last one ends in the middle of a chunk, and "still" is never written to again.
const FILES: [(&str, u64); 3] = [("first", 1024), ("second", 1027), ("still", 512)];

/// Name and SHA-256 of each file.
type Sums = BTreeMap<String, String>;
/// Name of a file and number of a block.
type Block = (String, u64);

fn world() -> StoreWorld {
    let world = world_with_ingest();
    let wanted = MountRequest {
        squash: Squash::None,
        ..request("m")
    };
    world.client().post::<Mount>("/mounts", &wanted).unwrap();
    world
}

fn sums_of(lines: impl Iterator<Item = String>) -> Sums {
    lines
        .map(|line| {
            let (sum, name) = line.split_once("  ").expect("a sum and a name");
            (name.to_owned(), sum.to_owned())
        })
        .collect()
}

/// Lets the guest make files or write over blocks, and gives what it says that the files hold.
fn client(world: &StoreWorld, what: &str, wanted: &str) -> Sums {
    let export = "/Phoenix/m/oracle_data";
    let said = Guest::start("blocks.sh", export, world.nfs_port(), &[(what, wanted)]).end();
    let place = |wanted: &str| said.iter().position(|line| line == wanted);
    let (Some(begin), Some(end)) = (place("sums"), place("end of the sums")) else {
        panic!("no sums in {said:#?}");
    };
    sums_of(said[begin + 1..end].iter().cloned())
}

fn files() -> String {
    FILES
        .map(|(name, blocks)| format!("{name}:{blocks}"))
        .join(" ")
}

fn write_over(world: &StoreWorld, blocks: &BTreeSet<Block>) -> Sums {
    let wanted: Vec<String> = blocks
        .iter()
        .map(|(name, number)| format!("{name}:{number}"))
        .collect();
    client(world, "BLOCKS", &wanted.join(" "))
}

/// What coreutils say of the files of a directory.
fn sums_in(directory: &Path) -> Sums {
    let output = Command::new("sha256sum")
        .args(FILES.map(|(name, _)| name))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    sums_of(text.lines().map(str::to_owned))
}

fn bytes_of(name: &str) -> u64 {
    let (_, blocks) = FILES.iter().find(|(known, _)| *known == name).unwrap();
    blocks * BLOCK
}

fn bytes_of_all() -> u64 {
    FILES.iter().map(|(name, _)| bytes_of(name)).sum()
}

/// The bytes of the chunks in which these blocks are.
fn bytes_of_chunks(blocks: &BTreeSet<Block>) -> u64 {
    let chunks: BTreeSet<(&str, u64)> = blocks
        .iter()
        .map(|(name, number)| (name.as_str(), number * BLOCK / CHUNK))
        .collect();
    chunks
        .iter()
        .map(|(name, chunk)| CHUNK.min(bytes_of(name) - chunk * CHUNK))
        .sum()
}

/// Seals, and waits for the recovery point; with it how much of the files the job says that it read.
#[track_caller]
fn seal(world: &StoreWorld, count: usize) -> (RecoveryPoint, u64) {
    // A file that has just changed would be read as a whole: two changes could have the same time.
    wait_until("the files to be three seconds old", || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        FILES.iter().all(|(name, _)| {
            let changed = fs::metadata(world.data("m").join(name)).unwrap().ctime();
            changed + 3 < now.as_secs() as i64
        })
    });
    let snapshot = backup(world, "m");
    let point = await_points(world, "m", count).remove(count - 1);
    assert_eq!(point.snapshot, snapshot);
    assert_eq!(point.bytes, bytes_of_all());
    let job: Job = world
        .jobs("m")
        .into_iter()
        .filter(|job| job.kind == JobKind::RecoveryPoint)
        .max_by_key(|job| job.id)
        .unwrap();
    assert_eq!(job.state, JobState::Successful, "{job:?}");
    assert!(job.detail.contains(&point.id), "{}", job.detail);
    let read = job
        .detail
        .split(", ")
        .find_map(|part| part.strip_suffix(" read")?.parse().ok());
    (point, read.unwrap_or_else(|| panic!("{}", job.detail)))
}

/// Restores, compares with what the client said, and gives the files' content.
#[track_caller]
fn restored(world: &StoreWorld, point: &RecoveryPoint, sums: &Sums) -> Vec<Vec<u8>> {
    let root = restore(world, point, &RestoreRequest::default()).without_catalog();
    assert_eq!(&sums_in(&root), sums);
    FILES
        .map(|(name, _)| fs::read(root.join(name)).unwrap())
        .into()
}

/// The blocks in which two states differ.
fn different(one: &[Vec<u8>], other: &[Vec<u8>]) -> BTreeSet<Block> {
    let mut found = BTreeSet::new();
    for ((name, _), (one, other)) in FILES.iter().zip(one.iter().zip(other)) {
        assert_eq!(one.len(), other.len(), "{name}");
        let blocks = one.chunks(BLOCK as usize).zip(other.chunks(BLOCK as usize));
        for (number, (one, other)) in blocks.enumerate() {
            if one != other {
                found.insert(((*name).to_owned(), number as u64));
            }
        }
    }
    found
}

/// So many blocks of the two files that are written to, with the first and the last of each.
fn some_blocks(seed: u64) -> BTreeSet<Block> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut blocks = BTreeSet::new();
    for (name, count) in &FILES[..2] {
        blocks.insert(((*name).to_owned(), 0));
        blocks.insert(((*name).to_owned(), count - 1));
        for _ in 0..9 {
            blocks.insert(((*name).to_owned(), random.u64(0..*count)));
        }
    }
    blocks
}

#[test]
fn blocks_that_a_client_writes_over_are_all_that_is_read_and_all_that_differs_after_a_restore() {
    let world = world();
    let before = client(&world, "FILES", &files());
    let (first, read) = seal(&world, 1);
    assert_eq!(read, bytes_of_all(), "nothing was known of the files");

    let blocks = some_blocks(1);
    let after = write_over(&world, &blocks);
    assert_eq!(before["still"], after["still"]);
    assert_ne!(before["first"], after["first"]);
    let (second, read) = seal(&world, 2);
    assert_eq!(read, bytes_of_chunks(&blocks));
    assert!(
        read * 4 < bytes_of_all(),
        "too many blocks to prove anything"
    );
    assert!(second.bytes_added < first.bytes_added / 4);

    let [one, two] =
        [(&first, &before), (&second, &after)].map(|(point, sums)| restored(&world, point, sums));
    assert_eq!(different(&one, &two), blocks);
}

#[test]
fn what_nobody_told_the_store_of_is_read_as_a_whole_and_is_right() {
    let mut world = world();
    client(&world, "FILES", &files());
    seal(&world, 1);
    // Behind the NFS server's back.
    let still = fs::File::options()
        .write(true)
        .open(world.data("m").join("still"))
        .unwrap();
    still.write_all_at(b"somebody else", 3 * BLOCK).unwrap();
    drop(still);
    let (second, read) = seal(&world, 2);
    assert_eq!(read, bytes_of("still"));
    let one = restored(&world, &second, &sums_in(&world.data("m")));

    // A store that was started anew knows nothing of what was written before.
    let blocks = some_blocks(2);
    let after = write_over(&world, &blocks);
    world.stop();
    world.start();
    let (third, read) = seal(&world, 3);
    assert_eq!(read, bytes_of_all());
    let two = restored(&world, &third, &after);
    assert_eq!(different(&one, &two), blocks);
}
