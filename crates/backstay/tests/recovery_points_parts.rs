//! A part of a large recovery point: what is asked for is all that is moved.
//! What lives here: one data file of ten. What does not: whole restores (`recovery_points`), databases (`recovery_circle`).

mod repository_world;
mod store_world;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use api::admin::RestoreRequest;
use repository_world::{Restore, await_points, noise, restore, world_with_ingest};
use store_world::StoreWorld;

/// Data files, each an image copy.
const FILES: u64 = 10;
/// Size of each, in bytes.
const FILE_BYTES: u64 = 1 << 30;
/// Bytes of each that no other file has; the rest was never written.
const OWN_BYTES: usize = 8 << 20;
/// A file's own bytes lie in so many places.
const PLACES: usize = 8;

fn name_of(number: u64) -> String {
    format!("data_D-PRD_I-4711_TS-TS{number}_FNO-{number}_0{number}abcd")
}

/// The copies, and the log of RMAN that tells of them.
fn write_copies(directory: &Path) -> String {
    let mut log = "Recovery Manager: Release 19.0.0.0.0 - Production on Tue Nov 24 03:00:00 2026\n\
                   connected to target database: PRD (DBID=4711)\n\
                   Starting backup at 24-NOV-26\n"
        .to_owned();
    for number in 1..=FILES {
        let name = name_of(number);
        let file = fs::File::create(directory.join(&name)).unwrap();
        file.set_len(FILE_BYTES).unwrap();
        let own = noise(OWN_BYTES, number);
        for (place, part) in own.chunks(OWN_BYTES / PLACES).enumerate() {
            let at = place as u64 * (FILE_BYTES / PLACES as u64);
            file.write_all_at(part, at).unwrap();
        }
        log.push_str(&format!(
            "channel c1: starting datafile copy\n\
             input datafile file number={number:05} name=/oracle/PRD/ts{number}.dbf\n\
             output file name=/local/m/{name} tag=TAG20261124T030000 RECID={number} STAMP=825201841\n\
             channel c1: datafile copy complete, elapsed time: 00:00:07\n"
        ));
    }
    log.push_str("Finished backup at 24-NOV-26\nRecovery Manager complete.\n");
    log
}

fn back_up_with_log(world: &StoreWorld, log: &str) {
    world.post("m").must_succeed();
    let path = world.directory.join("sent.log");
    fs::write(&path, log).unwrap();
    let file = format!("file=@{}", path.display());
    let parts = ["mountpoint=/local/m", "platform=linux", &file];
    let form: Vec<&str> = parts.iter().flat_map(|part| ["-F", part]).collect();
    world.curl("POST", "m/uploadlog", &form).must_succeed();
    world.put("m").must_succeed();
}

/// It has this data file as it was, and nothing but what it needs was read.
fn must_have_moved_one_file(restored: &Restore, data: &Path, number: u64) {
    let mut found: Vec<String> = fs::read_dir(&restored.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, ["catalog.rman".to_owned(), name_of(number)]);
    let same = std::process::Command::new("cmp")
        .args([
            restored.path.join(name_of(number)),
            data.join(name_of(number)),
        ])
        .status()
        .unwrap();
    assert!(same.success());
    let told = restored.told.split(" read from the repository").next();
    let read: u64 = told
        .and_then(|told| told.rsplit(", ").next()?.parse().ok())
        .unwrap_or_else(|| panic!("{}", restored.told));
    let least = OWN_BYTES as u64;
    let most = least + least / 10;
    assert!((least..=most).contains(&read), "{}", restored.told);
}

#[test]
fn one_data_file_of_ten_gibibytes_is_all_that_is_moved() {
    let world = world_with_ingest();
    world.create("m");
    let data = world.data("m");
    let log = write_copies(&data);
    back_up_with_log(&world, &log);
    let point = await_points(&world, "m", 1).remove(0);
    assert_eq!(point.bytes, FILES * FILE_BYTES);
    let by_number = RestoreRequest {
        datafiles: vec![7],
        ..RestoreRequest::default()
    };
    let by_path = RestoreRequest {
        paths: vec!["*_FNO-4_*".to_owned()],
        ..RestoreRequest::default()
    };
    for (request, number) in [(by_number, 7), (by_path, 4)] {
        let restored = restore(&world, &point, &request);
        must_have_moved_one_file(&restored, &data, number);
    }
}
