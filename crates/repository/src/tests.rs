//! A repository as a whole, in memory: there and back, failures and crashes at every write, every flipped bit.
//! What lives here: scenes. What does not: real places and real restic (tests/).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::backend::memory::MemoryBackend;
use crate::{Changes, Depth, Point, Repository, RepositoryError, Source, Unwatched};

const PASSWORD: &str = "a password";

struct Scene {
    backend: MemoryBackend,
    directory: tempfile::TempDir,
    next: std::cell::Cell<u32>,
}

fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

impl Scene {
    fn new() -> Scene {
        let backend = MemoryBackend::default();
        let shared: Arc<dyn crate::Backend> = Arc::new(backend.clone());
        Repository::init_in(&shared, PASSWORD, "here").unwrap();
        Scene {
            backend,
            directory: tempfile::tempdir().unwrap(),
            next: std::cell::Cell::new(0),
        }
    }

    fn repository(&self) -> Repository {
        let state = self.directory.path().join("state");
        Repository::open_in(Arc::new(self.backend.clone()), PASSWORD, &state, "here").unwrap()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Directories, an empty file, holes, a link, names of all kinds.
    fn fill(&self) {
        let data = self.data();
        fs::create_dir_all(data.join("a/b")).unwrap();
        fs::write(data.join("a/b/large"), noise(5_000_001, 1)).unwrap();
        fs::write(data.join("a/empty"), b"").unwrap();
        fs::write(data.join("a/text"), "a line\n".repeat(20_000)).unwrap();
        fs::create_dir(data.join("strange.backstay-file")).unwrap();
        fs::write(data.join("strange.backstay-file/strange"), b"not boxed").unwrap();
        fs::write(data.join("täg \"1\"\n"), b"name").unwrap();
        fs::set_permissions(data.join("a/text"), fs::Permissions::from_mode(0o4640)).unwrap();
        let sparse = File::create(data.join("sparse")).unwrap();
        sparse.set_len(20 << 20).unwrap();
        sparse.write_all_at(b"in the middle", 10 << 20).unwrap();
        std::os::unix::fs::symlink("a/text", data.join("link")).unwrap();
    }

    fn ingest(&self, repository: &Repository, snapshot: &str) -> Result<Point, RepositoryError> {
        self.ingest_changed(repository, snapshot, None)
    }

    fn ingest_changed(
        &self,
        repository: &Repository,
        snapshot: &str,
        changes: Option<(Point, &Changes)>,
    ) -> Result<Point, RepositoryError> {
        let data = self.data();
        let source = Source {
            path: &data,
            name: "oracle_data",
            own_files: vec![("rman.log".to_owned(), b"RMAN> ".to_vec())],
            mount: "prd",
            snapshot,
            time: "2026-01-02T03:04:05Z".parse().unwrap(),
            hostname: "here",
            changes,
        };
        repository.ingest(&source, &Unwatched::default())
    }

    fn restore(&self, repository: &Repository, point: &Point) -> PathBuf {
        let number = self.next.replace(self.next.get() + 1);
        let destination = self.directory.path().join(format!("restored{number}"));
        fs::create_dir(&destination).unwrap();
        repository
            .restore(
                point,
                "oracle_data",
                &|_| true,
                &destination,
                &Unwatched::default(),
            )
            .unwrap();
        destination
    }
}

/// Everything of a tree that a restore has to bring back.
fn story(path: &Path) -> BTreeMap<PathBuf, String> {
    fn collect(root: &Path, path: &Path, story: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode();
            let told = if metadata.is_symlink() {
                format!("{:?}", fs::read_link(&path).unwrap())
            } else if metadata.is_dir() {
                collect(root, &path, story);
                format!("{mode:o}")
            } else {
                format!(
                    "{mode:o} {:?} {}",
                    metadata.modified().unwrap(),
                    crate::Id::of(&fs::read(&path).unwrap())
                )
            };
            story.insert(path.strip_prefix(root).unwrap().to_owned(), told);
        }
    }
    let mut found = BTreeMap::new();
    collect(path, path, &mut found);
    found
}

#[test]
fn what_goes_in_comes_out() {
    let scene = Scene::new();
    scene.fill();
    let repository = scene.repository();
    let point = scene.ingest(&repository, "S1").unwrap();
    assert_eq!(
        story(&scene.restore(&repository, &point)),
        story(&scene.data())
    );
    assert_eq!(
        repository
            .verify(&point, Depth::All, &Unwatched::default())
            .unwrap(),
        []
    );
    assert_eq!(repository.check(true, &Unwatched::default()).unwrap(), []);
    let log = repository
        .read_small(&point, Path::new("backstay/rman.log"))
        .unwrap();
    assert_eq!(log.as_deref(), Some(&b"RMAN> "[..]));
    let stats = repository.stats().unwrap();
    assert_eq!((stats.points, stats.bytes_of_points), (1, point.bytes));
    // The same again is the same point, and adds nothing.
    let files = scene.backend.files.lock().unwrap().len();
    assert_eq!(scene.ingest(&repository, "S1").unwrap(), point);
    assert_eq!(scene.backend.files.lock().unwrap().len(), files);
    // Nobody's lock stays.
    assert!(
        !scene
            .backend
            .files
            .lock()
            .unwrap()
            .keys()
            .any(|name| name.starts_with("locks/"))
    );
    // A hole stays one.
    use std::os::unix::fs::MetadataExt;
    let restored = scene.directory.path().join("restored0/sparse");
    assert!(fs::metadata(restored).unwrap().blocks() * 512 < 1 << 20);
}

#[test]
fn an_unreadable_file_fails_by_name() {
    let scene = Scene::new();
    scene.fill();
    let repository = scene.repository();
    // Its length is a lie: reading it ends early, as on a disk that lost a part of it.
    let lying = Path::new("/proc/self/mem");
    assert!(lying.exists());
    fs::remove_file(scene.data().join("a/text")).unwrap();
    fs::set_permissions(scene.data().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    let fifo = scene.data().join("a/text");
    std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    // A pipe is told as a pipe, and never read.
    scene.ingest(&repository, "S1").unwrap();
    let outside = scene.directory.path().join("secret");
    fs::write(&outside, b"secret").unwrap();
    let large = scene.data().join("a/b/large");
    struct Shrinks<'a>(&'a Path, crate::Counters);
    impl crate::Watch for Shrinks<'_> {
        fn step(&self, place: &'static str) {
            if place == "ingest-pack-before" {
                let file = File::options().write(true).open(self.0).unwrap();
                file.set_len(100).unwrap();
            }
        }
        fn counters(&self) -> &crate::Counters {
            &self.1
        }
    }
    fs::write(&large, noise(40 << 20, 7)).unwrap();
    let data = scene.data();
    let source = Source {
        path: &data,
        name: "oracle_data",
        own_files: Vec::new(),
        mount: "prd",
        snapshot: "S2",
        time: jiff::Timestamp::UNIX_EPOCH,
        hostname: "here",
        changes: None,
    };
    let error = repository
        .ingest(&source, &Shrinks(&large, crate::Counters::default()))
        .unwrap_err();
    assert!(error.to_string().contains("a/b/large"), "{error}");
    assert_eq!(repository.points().unwrap().len(), 1);
}

#[test]
fn dying_at_any_write_loses_nothing_and_the_next_try_ends_it() {
    let scene = Scene::new();
    scene.fill();
    let mut dead = 0;
    for writes in 0.. {
        let snapshot = format!("S{writes}");
        // New data each time, so that each try has something to write.
        fs::write(
            scene.data().join("a/changing"),
            noise(24 << 20, 100 + writes),
        )
        .unwrap();
        *scene.backend.writes_left.lock().unwrap() = Some(writes);
        let first = scene.ingest(&scene.repository(), &snapshot);
        *scene.backend.writes_left.lock().unwrap() = None;
        let has_died = first.is_err();
        let repository = scene.repository();
        let point = scene.ingest(&repository, &snapshot).unwrap();
        assert_eq!(
            story(&scene.restore(&repository, &point)),
            story(&scene.data())
        );
        assert_eq!(repository.points().unwrap().len() as u64, writes + 1);
        dead += u64::from(has_died);
        if !has_died {
            break;
        }
    }
    assert!(dead > 5, "only {dead} writes failed");
    let repository = scene.repository();
    let damage: Vec<_> = repository.check(true, &Unwatched::default()).unwrap();
    assert!(
        !damage.iter().any(|finding| finding.is_damage),
        "{damage:?}"
    );
    // What the deaths left behind goes with a sweep, and nothing else.
    let points = repository.points().unwrap();
    let names = points.iter().map(|point| point.snapshot.clone());
    let newest = names.max_by_key(|name| name.as_ref().unwrap()[1..].parse::<u64>().unwrap());
    let newest = points
        .iter()
        .find(|point| Some(&point.snapshot) == newest.as_ref())
        .unwrap();
    repository.sweep(&Unwatched::default()).unwrap();
    assert_eq!(repository.check(true, &Unwatched::default()).unwrap(), []);
    assert_eq!(
        story(&scene.restore(&repository, newest)),
        story(&scene.data())
    );
}

#[test]
fn every_file_of_the_repository_is_watched_for_flipped_bits() {
    let scene = Scene::new();
    scene.fill();
    let repository = scene.repository();
    let point = scene.ingest(&repository, "S1").unwrap();
    let names: Vec<String> = scene
        .backend
        .files
        .lock()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let whole = scene.backend.files.lock().unwrap()[&name].clone();
        for place in [0, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            scene
                .backend
                .files
                .lock()
                .unwrap()
                .insert(name.clone(), changed);
            let seen = |findings: Result<Vec<crate::Finding>, RepositoryError>| {
                findings.map_or_else(
                    |error| vec![error.to_string()],
                    |findings| {
                        findings
                            .into_iter()
                            .filter(|finding| finding.is_damage)
                            .map(|finding| finding.what)
                            .collect()
                    },
                )
            };
            let checked = seen(repository.check(true, &Unwatched::default()));
            assert!(!checked.is_empty(), "{name} byte {place}");
            let verified = seen(repository.verify(&point, Depth::All, &Unwatched::default()));
            assert!(!verified.is_empty(), "{name} byte {place}");
        }
        scene
            .backend
            .files
            .lock()
            .unwrap()
            .insert(name.clone(), whole);
    }
    assert_eq!(repository.check(true, &Unwatched::default()).unwrap(), []);
}

#[test]
fn a_flipped_bit_is_never_restored() {
    let scene = Scene::new();
    scene.fill();
    let repository = scene.repository();
    let point = scene.ingest(&repository, "S1").unwrap();
    let packs: Vec<String> = scene
        .backend
        .files
        .lock()
        .unwrap()
        .keys()
        .filter(|name| name.starts_with("data/"))
        .cloned()
        .collect();
    for pack in packs {
        let whole = scene.backend.files.lock().unwrap()[&pack].clone();
        let mut changed = whole.clone();
        changed[20] ^= 4;
        scene
            .backend
            .files
            .lock()
            .unwrap()
            .insert(pack.clone(), changed);
        let destination = scene.directory.path().join("bad");
        fs::create_dir(&destination).unwrap();
        let error = repository.restore(
            &point,
            "oracle_data",
            &|_| true,
            &destination,
            &Unwatched::default(),
        );
        fs::remove_dir_all(&destination).unwrap();
        if let Err(error) = error {
            assert!(matches!(error, RepositoryError::Damaged { .. }), "{error}");
        } else {
            // Only the packs of our own files are not part of a restore.
            assert!(whole.len() < 10_000, "{pack} of {} bytes", whole.len());
        }
        scene.backend.files.lock().unwrap().insert(pack, whole);
    }
}

#[test]
fn with_changed_ranges_only_those_are_read_and_the_bytes_are_right() {
    let scene = Scene::new();
    scene.fill();
    let repository = scene.repository();
    let first = scene.ingest(&repository, "S1").unwrap();
    let large = scene.data().join("a/b/large");
    let file = File::options().write(true).open(&large).unwrap();
    file.write_all_at(b"changed", 1_000_000).unwrap();
    // Longer: the last chunk of before is not the same any more.
    file.set_len(6_000_000).unwrap();
    file.write_all_at(b"end", 5_999_000).unwrap();
    drop(file);
    let changes = Changes::new([
        (
            PathBuf::from("a/b/large"),
            vec![5_000_001..6_000_000, 1_000_000..1_000_007],
        ),
        (PathBuf::from("sparse"), Vec::new()),
        (PathBuf::from("never/there"), Vec::new()),
    ]);
    let data = scene.data();
    let watch = Unwatched::default();
    let source = Source {
        path: &data,
        name: "oracle_data",
        own_files: Vec::new(),
        mount: "prd",
        snapshot: "S2",
        time: jiff::Timestamp::UNIX_EPOCH,
        hostname: "here",
        changes: Some((first.clone(), &changes)),
    };
    let second = repository.ingest(&source, &watch).unwrap();
    let read = crate::Watch::counters(&watch).read.load(Ordering::Relaxed);
    assert!(read < 1_500_000, "{read} bytes were read");
    assert_eq!(
        story(&scene.restore(&repository, &second)),
        story(&scene.data())
    );
    assert_eq!(
        repository
            .verify(&first, Depth::All, &Unwatched::default())
            .unwrap(),
        []
    );
}

#[test]
fn a_sweep_dies_at_each_step_and_no_point_is_hurt() {
    let scene = Scene::new();
    scene.fill();
    let repository = scene.repository();
    let mut points = Vec::new();
    for number in 0..4_u64 {
        fs::write(
            scene.data().join("a/changing"),
            noise(20 << 20, 50 + number),
        )
        .unwrap();
        points.push(scene.ingest(&repository, &format!("S{number}")).unwrap());
    }
    for point in &points[..3] {
        repository.forget(&point.id, &Unwatched::default()).unwrap();
    }
    let before = scene.backend.files.lock().unwrap().clone();
    let mut ends = 0;
    for writes in 0.. {
        // From here the place is as it was, and dies after some changes of it.
        *scene.backend.files.lock().unwrap() = before.clone();
        *scene.backend.changes_left.lock().unwrap() = Some(writes);
        let swept = scene.repository().sweep(&Unwatched::default());
        *scene.backend.changes_left.lock().unwrap() = None;
        let left: Vec<String> = scene
            .backend
            .files
            .lock()
            .unwrap()
            .keys()
            .filter(|name| name.starts_with("locks/"))
            .cloned()
            .collect();
        for lock in left {
            scene.backend.files.lock().unwrap().remove(&lock);
        }
        let repository = scene.repository();
        assert_eq!(
            repository
                .verify(&points[3], Depth::All, &Unwatched::default())
                .unwrap(),
            [],
            "after {writes} changes"
        );
        repository.sweep(&Unwatched::default()).unwrap();
        assert_eq!(
            repository.check(true, &Unwatched::default()).unwrap(),
            [],
            "after {writes} changes"
        );
        if let Ok(swept) = swept {
            assert!(
                swept.bytes_before - swept.bytes_after > 50 << 20,
                "{swept:?}"
            );
            break;
        }
        ends += 1;
    }
    assert!(ends > 5, "only {ends} deaths");
    assert_eq!(
        story(&scene.restore(&scene.repository(), &points[3])),
        story(&scene.data())
    );
}

#[test]
fn large_files_of_a_large_directory_are_boxed_and_come_out_as_they_were() {
    // Holes: 20 GiB that take no room.
    let scene = Scene::new();
    fs::create_dir_all(scene.data().join("d")).unwrap();
    for (name, bytes) in [("one", 12_u64 << 30), ("two", 6 << 30), ("small", 3)] {
        let file = File::create(scene.data().join("d").join(name)).unwrap();
        file.set_len(bytes).unwrap();
        file.write_all_at(name.as_bytes(), 0).unwrap();
    }
    let repository = scene.repository();
    let point = scene.ingest(&repository, "S1").unwrap();
    let mut files = repository.files_of(&point).unwrap();
    files.retain(|(path, _)| path.starts_with("oracle_data"));
    let paths: Vec<_> = files
        .iter()
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "oracle_data/d/one",
            "oracle_data/d/small",
            "oracle_data/d/two"
        ]
    );
    let tree = repository.tree(&point.tree).unwrap();
    let data = tree
        .nodes
        .iter()
        .find(|node| node.name().unwrap() == "oracle_data")
        .unwrap();
    let below = repository.tree(&data.subtree.unwrap()).unwrap();
    let stored = repository.tree(&below.nodes[0].subtree.unwrap()).unwrap();
    let names: Vec<_> = stored
        .nodes
        .iter()
        .map(|node| node.name().unwrap())
        .collect();
    assert_eq!(names, ["one.backstay-file", "small", "two.backstay-file"]);
    let destination = scene.directory.path().join("restored");
    fs::create_dir(&destination).unwrap();
    let chosen = |path: &Path| path.ends_with("two");
    let restored = repository
        .restore(
            &point,
            "oracle_data",
            &chosen,
            &destination,
            &Unwatched::default(),
        )
        .unwrap();
    assert_eq!((restored.files, restored.bytes), (1, 6 << 30));
    assert!(restored.bytes_read < 1 << 20, "{restored:?}");
    let file = File::open(destination.join("d/two")).unwrap();
    let mut begin = [0; 3];
    file.read_exact_at(&mut begin, 0).unwrap();
    assert_eq!((file.metadata().unwrap().len(), &begin), (6 << 30, b"two"));
}
