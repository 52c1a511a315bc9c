//! `backstay demo`, small, with the real binary: its verdict, what it leaves, what it does not leave.
//! What lives here: the demo as a user sees it. What does not: its parts, which have tests of their own.

mod practice_database;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use practice::judge::{Target, judge};
use practice_database::{Database, SID, wait_until};
use rustix::process::{Pid, Signal};

/// Pause between two looks at what takes long.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// The demo with a temporary directory of the test's own.
fn demo(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
    command
        .args(["demo", "--size", "64MiB"])
        .args(arguments)
        .env("TMPDIR", temporary);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn the_demo_brings_every_commit_back_and_removes_its_directory() {
    let temporary = tempfile::tempdir().unwrap();
    let output = demo(temporary.path(), &["--json"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("--json prints one document");
    assert!(output.status.success(), "{report:#} {errors}");
    assert_eq!(report["clean"], true, "{report:#}");
    assert!(report["left_out"].is_null(), "{report:#}");
    let judged = report["judged"].as_array().unwrap();
    assert_eq!(judged.len(), 3, "{report:#}");
    for judgement in judged {
        let verdict = &judgement["verdict"];
        assert!(verdict["commits"].as_u64().unwrap() > 100, "{judgement:#}");
        for kind in ["missing", "extra", "damaged", "counters"] {
            assert_eq!(verdict[kind]["count"], 0, "{judgement:#}");
        }
    }
    for judgement in &judged[1..] {
        let beyond = judgement["verdict"]["commits_beyond_target"].as_u64();
        assert!(beyond.unwrap() > 0, "nothing was lost: {judgement:#}");
    }
    let points = report["recovery_points"].as_array().unwrap();
    let added: Vec<u64> = points
        .iter()
        .map(|point| point["bytes_added"].as_u64().unwrap())
        .collect();
    assert_eq!(added.len(), 2, "{report:#}");
    let second = points[1]["bytes"].as_u64().unwrap();
    assert!(
        (1..second / 2).contains(&added[1]),
        "nothing was shared, or nothing was new: {report:#}"
    );
    assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_kept_demo_tells_its_story_and_leaves_a_database_that_starts() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("kept");
    let output = demo(
        temporary.path(),
        &["--keep", "--dir", directory.to_str().unwrap()],
    )
    .output()
    .unwrap();
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{story}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in [
        "$ brbackup ",
        "$ kill -9 ",
        "$ brrecover ",
        "$ backstay store serve ",
        "$ oracle_rman_data_backup.sh --local-mount $PWD/store/mounts/demo/oracle_data ",
        " added to the repository",
        "  Databases       SND",
        "$ backstay recovery-point restore ",
        "$ oracle_rman_restore.sh ",
        "export ORACLE_SID=SND",
        "Verdict: every acknowledged",
    ] {
        assert!(story.contains(line), "{line} is not in: {story}");
    }
    let database = Database::existing(temporary, directory.join("oracle").join(SID));
    assert_eq!(
        processes_of(&directory),
        Vec::<PathBuf>::new(),
        "the demo left a server or its store running"
    );
    database.startup("");
    let verdict = judge(
        &database.home,
        SID,
        &directory.join("ledger.txt"),
        Target::Everything,
    )
    .unwrap();
    assert!(verdict.clean, "{verdict}");
    assert!(
        verdict.commits_void > 0,
        "the ledger does not know of the point-in-time recovery"
    );
}

#[test]
fn where_a_store_can_export_nothing_its_chapter_is_left_out() {
    let temporary = tempfile::tempdir().unwrap();
    let demo = demo(temporary.path(), &["--json"]);
    let output = Command::new("setpriv")
        .arg("--bounding-set=-dac_read_search")
        .arg(demo.get_program())
        .args(demo.get_args())
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&errors);
    assert!(output.status.success(), "{report:#} {errors}");
    let reason = report["left_out"].as_str().unwrap();
    assert!(reason.contains("HINT: run the store as root"), "{reason}");
    assert_eq!(report["judged"].as_array().unwrap().len(), 2);
    assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new());
    assert_eq!(processes_of(temporary.path()), Vec::<PathBuf>::new());
}

#[test]
fn an_interrupted_demo_leaves_neither_process_nor_directory() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = demo(temporary.path(), &[]).spawn().unwrap();
    let mut server = None;
    wait_until("the demo's database to be open", || {
        server = running_server(temporary.path());
        server.is_some() || has_ended(&mut child)
    });
    let server = server.expect("the demo ended before its database was open");
    let demo = Pid::from_child(&child);
    rustix::process::kill_process(demo, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new());
    wait_until("the server to be gone", || {
        rustix::process::test_kill_process(server).is_err()
    });
}

#[test]
fn a_demo_that_is_interrupted_while_rman_writes_to_its_store_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = demo(temporary.path(), &[]).spawn().unwrap();
    let mut lock = None;
    wait_until("rman to write to the store", || {
        std::thread::sleep(LOOK_PAUSE);
        let root = entries(temporary.path()).pop();
        let data = root.map(|root| root.join("store/mounts/demo/oracle_data"));
        let written = data.filter(|data| data.exists() && !entries(data).is_empty());
        // The script has its lock as long as it is at work.
        lock = written
            .map(|data| lock_of_backups(&data))
            .filter(|lock| lock.exists());
        lock.is_some() || has_ended(&mut child)
    });
    let lock = lock.expect("the demo ended before rman wrote");
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new(), "{errors}");
    assert!(!lock.exists(), "{} stays", lock.display());
    wait_until("all of the demo's processes to be gone", || {
        std::thread::sleep(LOOK_PAUSE);
        processes_of(temporary.path()).is_empty()
    });
}

/// Processes that were started with a path below a directory in their arguments or environment.
fn processes_of(directory: &Path) -> Vec<PathBuf> {
    let wanted = directory.as_os_str().as_encoded_bytes();
    let mut processes = entries(Path::new("/proc"));
    processes.retain(|process| {
        // One that has ended meanwhile, or is a zombie, has neither.
        ["cmdline", "environ"].iter().any(|name| {
            let said = std::fs::read(process.join(name)).unwrap_or_default();
            said.windows(wanted.len()).any(|window| window == wanted)
        })
    });
    processes
}

/// The lock that the backup script takes for the demo's mount.
fn lock_of_backups(data: &Path) -> PathBuf {
    let output = Command::new("sh")
        .args(["-c", "printf %s \"$1\" | cksum | cut -d' ' -f1", "sh"])
        .arg(data)
        .output()
        .unwrap();
    let sum = String::from_utf8(output.stdout).unwrap();
    PathBuf::from(format!(
        "/tmp/.oracle_rman_data_backup.sh.demo.{}.lock",
        sum.trim()
    ))
}

fn has_ended(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}

/// The server of the demo below the temporary directory.
fn running_server(temporary: &Path) -> Option<Pid> {
    let home = entries(temporary).pop()?.join("oracle").join(SID);
    // Asked over the socket: trying the lock could be in the way of a server that just takes it.
    let client = practice::protocol::Client::connect(&home, SID).ok()?;
    Pid::from_raw(client.server_process().ok()? as i32)
}

#[test]
fn a_directory_in_use_is_refused_and_left_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    let output = demo(
        temporary.path(),
        &["--dir", temporary.path().to_str().unwrap()],
    )
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty. HINT:"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
}
