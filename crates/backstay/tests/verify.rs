//! `backstay verify` on a practice database's files with planted damage, and on what is no such file at all.
//! What lives here: the command as a user runs it. What does not: every verdict, which the verifier's own tests go through.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oracle::block;
use oracle::os_header::OsHeader;
use practice::create::{CreateOptions, create};
use serde_json::{Value, json};

const BLOCK_BYTES: usize = 8192;

/// The files of a new practice database.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn create() -> Files {
        let directory = tempfile::tempdir().unwrap();
        let options = CreateOptions {
            home: directory.path().join("home"),
            sid: "SND".to_owned(),
            size: 64 << 20,
            log_size: None,
            seed: 7,
        };
        create(&options, &mut |_| ()).unwrap();
        Files { directory }
    }

    fn path(&self, below_home: &str) -> PathBuf {
        self.directory.path().join("home").join(below_home)
    }

    /// A data file whose first blocks hold rows and whose last ones were never used.
    fn datafile(&self) -> PathBuf {
        self.path("sapdata1/40bd_2/40bd.data2")
    }
}

fn verify(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backstay"))
        .arg("verify")
        .args(arguments)
        .args(files)
        .output()
        .unwrap()
}

/// The exit status and the JSON document.
fn verify_json(arguments: &[&str], files: &[&Path]) -> (Option<i32>, Value) {
    let output = verify(&[&["--json"], arguments].concat(), files);
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document = serde_json::from_slice(&output.stdout).expect("one JSON document");
    (output.status.code(), document)
}

/// Exit status and message of a file that cannot be judged.
fn refused(arguments: &[&str], file: &Path) -> String {
    let output = verify(arguments, &[file]);
    assert_eq!(output.status.code(), Some(2), "{}", file.display());
    assert!(output.stdout.is_empty());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains(&*file.to_string_lossy()) && message.contains("HINT: "),
        "{message}"
    );
    message
}

fn read_block(path: &Path, number: u64) -> Vec<u8> {
    let mut block = vec![0; BLOCK_BYTES];
    let file = File::open(path).unwrap();
    file.read_exact_at(&mut block, number * BLOCK_BYTES as u64)
        .unwrap();
    block
}

fn write_block(path: &Path, number: u64, block: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(block, number * BLOCK_BYTES as u64)
        .unwrap();
}

fn change_block(path: &Path, number: u64, change: impl FnOnce(&mut [u8])) {
    let mut block = read_block(path, number);
    change(&mut block);
    write_block(path, number, &block);
}

/// First and last block and class of everything that is corrupt in the first file.
fn corrupt(document: &Value) -> Vec<(u64, u64, String)> {
    let listed = document["files"][0]["corrupt"].as_array().unwrap();
    listed
        .iter()
        .map(|blocks| {
            let number = |name: &str| blocks[name].as_u64().unwrap();
            let class = blocks["class"].as_str().unwrap().to_owned();
            (number("first"), number("last"), class)
        })
        .collect()
}

/// A flipped bit, a half block of a newer version, a zeroed block and a block in another's place, with a good sum.
fn plant_damage(path: &Path) {
    change_block(path, 100, |block| block[5000] ^= 0x10);
    change_block(path, 200, |block| {
        let mut newer = block.to_vec();
        newer[14] += 1;
        newer[6000] ^= 0xff;
        block::seal(&mut newer);
        block[BLOCK_BYTES / 2..].copy_from_slice(&newer[BLOCK_BYTES / 2..]);
    });
    write_block(path, 300, &[0; BLOCK_BYTES]);
    write_block(path, 400, &read_block(path, 401));
}

#[test]
fn a_new_database_is_clean_down_to_its_control_files_and_logs() {
    let files = Files::create();
    let paths: Vec<PathBuf> = [
        "sapdata1/system_1/system.data1",
        "sapdata1/40bd_1/40bd.data1",
        "sapdata2/40bi_1/40bi.data1",
        "sapdata1/cntrl/cntrlSND.dbf",
        "origlogA/log_g11m1.dbf",
    ]
    .iter()
    .map(|path| files.path(path))
    .collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let (status, document) = verify_json(&[], &paths);
    assert_eq!((status, &document["clean"]), (Some(0), &json!(true)));
    let kinds: Vec<&str> = (0..5)
        .map(|at| document["files"][at]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "datafile",
            "datafile",
            "datafile",
            "control_file",
            "redo_log"
        ]
    );
    for (at, total) in [(1, "data"), (2, "index"), (0, "empty"), (4, "zero_allowed")] {
        let count = document["files"][at]["totals"][total].as_u64().unwrap();
        assert!(count > 100, "{total}: {count}");
    }
    let quiet = verify(&["--quiet"], &paths);
    assert_eq!((quiet.status.code(), quiet.stdout.len()), (Some(0), 0));
}

#[test]
fn every_planted_damage_gets_its_class_and_its_block_number() {
    let files = Files::create();
    let path = files.datafile();
    let blocks = path.metadata().unwrap().len() / BLOCK_BYTES as u64 - 1;
    plant_damage(&path);
    let (status, document) = verify_json(&[], &[&path]);
    assert_eq!((status, &document["clean"]), (Some(1), &json!(false)));
    let expected = [
        (100, "bad_check_value"),
        (200, "fractured"),
        (300, "zero"),
        (400, "wrong_address"),
    ]
    .map(|(number, class)| (number, number, class.to_owned()));
    assert_eq!(corrupt(&document), expected);
    let totals = &document["files"][0]["totals"];
    assert_eq!(totals["examined"], json!(blocks));
    assert_eq!(totals["marked_corrupt"], json!(4));
    assert_eq!(totals["influx"], json!(1));
    let sum = [
        "data",
        "index",
        "other",
        "segment",
        "empty",
        "marked_corrupt",
    ]
    .iter()
    .map(|total| totals[total].as_u64().unwrap())
    .sum::<u64>();
    assert_eq!(sum, blocks, "every block is counted once");
}

#[test]
fn the_report_for_people_names_the_same_blocks() {
    let files = Files::create();
    let path = files.datafile();
    plant_damage(&path);
    let output = verify(&[], &[&path]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "Page 100 is corrupt - bad check value: 0x",
        "Page 200 is influx - fractured: the tail is 0x",
        "Page 300 is corrupt - all zero",
        "Page 400 is corrupt - bad header: wrong address 0x00c00191 (file 3, block 401) instead of 0x00c00190",
        "Total Pages Marked Corrupt   : 4",
        "Total Pages Influx           : 1",
        "CORRUPT: 4 pages corrupt and 0 missing",
        "HINT: ",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let output = verify(&["--list-max", "1"], &[&path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Page 100") && !text.contains("Page 200"));
    assert!(text.contains("and 3 more pages that are corrupt"), "{text}");
    let output = verify(&["--list-max", "3"], &[&path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("and 1 more page that is corrupt"), "{text}");
}

#[test]
fn a_damaged_log_or_control_file_has_a_hint_of_its_own_and_one_is_not_many() {
    let files = Files::create();
    for (below_home, in_block_1, hints) in [
        (
            "sapdata1/cntrl/cntrlSND.dbf",
            16384 + 200,
            &["V$CONTROLFILE", "brrestore -m 0"][..],
        ),
        (
            "origlogA/log_g11m1.dbf",
            512 + 200,
            &["V$LOGFILE", "brrestore -a <sequence>"],
        ),
    ] {
        let path = files.path(below_home);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0x5a], in_block_1).unwrap();
        let output = verify(&[], &[&path]);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("1 page corrupt and 0 missing"), "{text}");
        for hint in hints {
            assert!(text.contains(hint), "{hint} is not in\n{text}");
        }
        assert!(!text.contains("recover it"), "{text}");
    }
}

#[test]
fn a_block_0_that_is_lost_is_named_and_the_rest_is_judged() {
    let files = Files::create();
    let path = files.datafile();
    write_block(&path, 0, &[0x5a; BLOCK_BYTES]);
    for arguments in [&[][..], &["--block-size", "8192"]] {
        let (status, document) = verify_json(arguments, &[&path]);
        assert_eq!(status, Some(1));
        assert_eq!(corrupt(&document), [(0, 0, "bad_header".to_owned())]);
        assert_eq!(document["files"][0]["size_known"], json!(false));
    }
    let message = refused(&["--block-size", "8000"], &path);
    assert!(message.contains("blocks of 8000 bytes"), "{message}");
}

#[test]
fn a_truncated_file_is_corrupt_and_says_how_much_is_missing() {
    let files = Files::create();
    let path = files.datafile();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let blocks = file.metadata().unwrap().len() / BLOCK_BYTES as u64;
    file.set_len((blocks - 10) * BLOCK_BYTES as u64 + 4000)
        .unwrap();
    let (status, document) = verify_json(&[], &[&path]);
    assert_eq!(status, Some(1));
    let cut = (blocks - 10, blocks - 10, "incomplete".to_owned());
    assert_eq!(corrupt(&document), [cut]);
    assert_eq!(document["files"][0]["missing_blocks"], json!(10));
    file.set_len((blocks - 1) * BLOCK_BYTES as u64).unwrap();
    let text = String::from_utf8(verify(&[], &[&path]).stdout).unwrap();
    assert!(text.contains(": 1 block of its end is missing"), "{text}");
    file.set_len(8192).unwrap();
    assert!(refused(&[], &path).contains("has 8192 bytes"));
}

#[test]
fn what_is_no_file_with_blocks_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    assert!(refused(&[], directory.path()).contains("is a directory"));
    let _listener = UnixListener::bind(path("socket")).unwrap();
    assert!(refused(&[], &path("socket")).contains("is a socket"));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(refused(&[], &path("fifo")).contains("is a named pipe"));
    assert!(refused(&[], Path::new("/dev/zero")).contains("is a character device"));
    std::fs::write(path("empty"), b"").unwrap();
    assert!(refused(&[], &path("empty")).contains("0 bytes"));
    assert!(refused(&[], &path("missing")).contains("does not exist"));
    std::fs::write(path("text"), "some notes\n".repeat(100_000)).unwrap();
    assert!(refused(&[], &path("text")).contains("does not begin like an Oracle file"));
    assert_eq!(verify(&[], &[]).status.code(), Some(2));
}

#[test]
fn one_file_that_cannot_be_judged_does_not_hide_another() {
    let files = Files::create();
    let good = files.datafile();
    let missing = files.path("missing");
    let (status, document) = verify_json(&[], &[&missing, &good]);
    assert_eq!((status, &document["clean"]), (Some(2), &json!(false)));
    assert_eq!(document["files"][0]["verdict"], json!("not_judged"));
    let error = document["files"][0]["error"].as_str().unwrap();
    assert!(error.contains("does not exist"), "{error}");
    assert_eq!(document["files"][1]["verdict"], json!("clean"));
    plant_damage(&good);
    let (status, _) = verify_json(&[], &[&good, &missing]);
    assert_eq!(status, Some(1));
}

#[test]
fn a_sparse_file_of_100_gib_is_answered_in_ranges() {
    const BYTES: u64 = 100 << 30;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse");
    File::create(&path).unwrap().set_len(BYTES).unwrap();
    assert!(refused(&[], &path).contains("does not begin like an Oracle file"));
    let last = BYTES / BLOCK_BYTES as u64 - 1;
    let (status, document) = verify_json(&["--block-size", "8192"], &[&path]);
    assert_eq!(status, Some(1));
    assert_eq!(corrupt(&document), [(0, last, "zero".to_owned())]);
    assert_eq!(document["files"][0]["hole_blocks"], json!(last + 1));

    let mut block_0 = [0; BLOCK_BYTES];
    OsHeader {
        format: 0xa2,
        block_size: BLOCK_BYTES as u32,
        blocks: last as u32,
        checked: false,
    }
    .write(&mut block_0);
    write_block(&path, 0, &block_0);
    let mut unused = [0; BLOCK_BYTES];
    block::never_formatted(&mut unused, 5_000_000);
    write_block(&path, 5_000_000, &unused);
    let (status, document) = verify_json(&[], &[&path]);
    assert_eq!(status, Some(1));
    let zeros = |first, last| (first, last, "zero".to_owned());
    assert_eq!(
        corrupt(&document),
        [zeros(1, 4_999_999), zeros(5_000_001, last)]
    );
    let totals = &document["files"][0]["totals"];
    assert_eq!(totals["examined"], json!(last));
    assert_eq!(
        (&totals["empty"], &totals["zero"]),
        (&json!(1), &json!(last - 1))
    );
}
