//! Trees to take snapshots of, and pictures of trees by which two are compared.
//! What lives here: everything that a file can be. What does not: what a driver makes of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, SeekFrom, XattrFlags};

/// A time long ago, with nanoseconds.
fn long_ago(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000 + second, 123_456_789)
}

/// Numbers without order, so that nothing looks like a hole or like its neighbour.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        noise.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

/// A tree with one of everything, in a directory that is there.
pub fn plant(data: &Path) {
    let at = |name: &str| data.join(name);
    fs::create_dir_all(at("deep/er/still")).unwrap();
    fs::create_dir(at("empty directory")).unwrap();
    fs::write(at("empty"), b"").unwrap();
    fs::write(at("odd"), noise(12_345, 1)).unwrap();
    fs::write(at("datafile.dbf"), noise((3 << 20) + 8192, 2)).unwrap();
    fs::write(data.join(OsStr::from_bytes(b"no \xff utf-8\n")), b"name").unwrap();
    fs::write(at(&"n".repeat(255)), b"long name").unwrap();
    plant_holes(&at("sparse.dbf"));
    fs::hard_link(at("odd"), at("deep/er/still/odd again")).unwrap();
    fs::hard_link(at("odd"), at("deep/odd once more")).unwrap();
    symlink("/etc/passwd", at("absolute link")).unwrap();
    symlink("../nowhere", at("deep/dangling link")).unwrap();
    symlink("er", at("deep/link to a directory")).unwrap();
    plant_nodes(data);
    std::os::unix::fs::chown(at("datafile.dbf"), Some(54321), Some(54322)).unwrap();
    std::os::unix::fs::lchown(at("absolute link"), Some(54321), Some(54322)).unwrap();
    std::os::unix::fs::chown(at("deep"), Some(54321), Some(0)).unwrap();
    fs::set_permissions(at("datafile.dbf"), Permissions::from_mode(0o6750)).unwrap();
    fs::set_permissions(at("odd"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(at("empty directory"), Permissions::from_mode(0o3555)).unwrap();
    for (name, value) in [("user.comment", "kept"), ("trusted.mark", "kept too")] {
        for path in [at("datafile.dbf"), at("deep")] {
            rustix::fs::setxattr(&path, name, value.as_bytes(), XattrFlags::CREATE).unwrap();
        }
    }
    for (second, name) in ["datafile.dbf", "empty", "deep/er", "deep", "."]
        .into_iter()
        .enumerate()
    {
        let times = fs::FileTimes::new()
            .set_accessed(long_ago(second as u64))
            .set_modified(long_ago(1000 + second as u64));
        File::open(at(name)).unwrap().set_times(times).unwrap();
    }
}

/// Data, a hole, data, and a hole at the end.
fn plant_holes(path: &Path) {
    let file = File::create(path).unwrap();
    file.write_all_at(&noise(65_536, 3), 1 << 20).unwrap();
    file.write_all_at(&noise(65_536, 4), 40 << 20).unwrap();
    file.set_len(64 << 20).unwrap();
}

fn plant_nodes(data: &Path) {
    let nodes = [
        ("fifo", FileType::Fifo, 0),
        ("socket", FileType::Socket, 0),
        (
            "tape",
            FileType::CharacterDevice,
            rustix::fs::makedev(9, 128),
        ),
        ("disk", FileType::BlockDevice, rustix::fs::makedev(250, 3)),
    ];
    for (name, kind, device) in nodes {
        let mode = Mode::from_raw_mode(0o640);
        rustix::fs::mknodat(CWD, data.join(name), kind, mode, device).unwrap();
    }
}

/// What can be seen of every name in a tree, but for the time of the last reading.
pub fn picture(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut picture = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let path = root.join(&below);
        let seen = fs::symlink_metadata(&path).unwrap();
        if seen.is_dir() {
            let names = fs::read_dir(&path).unwrap();
            waiting.extend(names.map(|entry| below.join(entry.unwrap().file_name())));
        }
        let mut line = format!(
            "{:o} {}:{} {}.{:09} device {:x}",
            seen.mode(),
            seen.uid(),
            seen.gid(),
            seen.mtime(),
            seen.mtime_nsec(),
            seen.rdev()
        );
        if seen.is_file() {
            line += &format!(" {} bytes, {}", seen.len(), content(&path));
        }
        if seen.is_file() || seen.is_dir() {
            line += &extended(&path);
        }
        if seen.is_symlink() {
            line += &format!(" -> {:?}", fs::read_link(&path).unwrap());
        }
        picture.insert(below.clone(), line);
        if !seen.is_dir() {
            let names: &mut Vec<PathBuf> = first_names.entry(seen.ino()).or_default();
            names.push(below);
        }
    }
    for mut names in first_names.into_values().filter(|names| names.len() > 1) {
        names.sort();
        for name in &names {
            *picture.get_mut(name).unwrap() += &format!(" one file: {names:?}");
        }
    }
    picture
}

/// Where there is data and which, a hash of it.
fn content(path: &Path) -> String {
    let file = File::open(path).unwrap();
    let bytes = file.metadata().unwrap().len();
    let (mut line, mut at) = (String::new(), 0);
    while let Ok(begin) = rustix::fs::seek(&file, SeekFrom::Data(at)) {
        let end = rustix::fs::seek(&file, SeekFrom::Hole(begin)).unwrap();
        let mut data = vec![0; usize::try_from(end - begin).unwrap()];
        file.read_exact_at(&mut data, begin).unwrap();
        let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        line += &format!("{begin}-{end}: {hash:016x} ");
        at = end;
        if at >= bytes {
            break;
        }
    }
    line
}

fn extended(path: &Path) -> String {
    let mut line = String::new();
    for name in ["user.comment", "trusted.mark"] {
        let mut value = [0; 64];
        if let Ok(length) = rustix::fs::getxattr(path, name, &mut value[..]) {
            line += &format!(" {name}={}", String::from_utf8_lossy(&value[..length]));
        }
    }
    line
}

/// The names in a directory.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
