//! The guest of the tests keeps its word: tests/vm/run ends as the script ends, and leaves nothing behind.
//! What lives here: what everybody who runs a script in the guest relies on. What does not: the scripts (tests/vm/guest).

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// tests/vm/run with a script of these lines.
fn run(directory: &Path, lines: &str, options: &[&str]) -> Command {
    let script = directory.join("lines.sh");
    std::fs::write(&script, lines).unwrap();
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vm/run"));
    command
        .args(options)
        .arg(script)
        .env("TMPDIR", directory)
        .stdin(Stdio::null());
    command
}

fn output(lines: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = run(directory.path(), lines, options).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    (status.code(), stdout, stderr)
}

fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < limit, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_script_gets_its_settings_and_files_and_its_status_comes_back() {
    let value = "it's \"one\" $HOME\\";
    let (status, stdout, stderr) = output(
        "printf '%s|' \"$VALUE\" \"$(cat beside)\"; exit 7\n",
        &["--set", &format!("VALUE={value}"), "--with", &beside()],
    );
    assert_eq!(status, Some(7), "{stderr}");
    assert_eq!(stdout, format!("{value}|beside the script|"));
}

/// A file to take along, which every run of this test writes alike.
fn beside() -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("beside");
    std::fs::write(&path, "beside the script").unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_guest_that_dies_or_takes_too_long_is_neither_success_nor_the_script_s_failure() {
    let (status, stdout, stderr) =
        output("echo before; echo c >/proc/sysrq-trigger; sleep 9\n", &[]);
    assert_eq!(
        (status, stdout.as_str()),
        (Some(125), "before\n"),
        "{stderr}"
    );
    assert!(stderr.contains("died without a status"), "{stderr}");
    let (status, _, stderr) = output("sleep 600\n", &["--timeout", "5"]);
    assert_eq!(status, Some(124), "{stderr}");
}

#[test]
fn what_is_wrong_with_a_call_is_said_before_anything_is_started() {
    for options in [
        ["--memory", "much"],
        ["--set", "=x"],
        ["--forward", "1"],
        ["--kvm", "1"],
    ] {
        let (status, stdout, stderr) = output("echo never\n", &options);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("--timeout SECONDS"), "no usage in {stderr}");
    }
}

/// Two guests that listen on a port each; both ports are answered here, and both are free when the runs are killed.
#[test]
fn guests_run_side_by_side_and_die_with_a_killed_run() {
    let directory = tempfile::tempdir().unwrap();
    let start = || -> (Child, u16) {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let lines = "echo ready; while :; do echo hello | nc -l -p 99; done\n";
        let child = run(
            directory.path(),
            lines,
            &["--forward", &format!("{port}:99")],
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        (child, port)
    };
    let mut guests = [start(), start()];
    for (child, port) in &mut guests {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        wait_for("the guest's answer", || {
            let mut answer = String::new();
            TcpStream::connect((Ipv4Addr::LOCALHOST, *port))
                .and_then(|mut stream| stream.read_to_string(&mut answer))
                .is_ok_and(|_| answer == "hello\n")
        });
    }
    for (child, port) in &mut guests {
        child.kill().unwrap();
        child.wait().unwrap();
        wait_for("the emulator is gone", || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
        });
    }
    let left = std::fs::read_dir(directory.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lines.sh"], "a killed run left files");
}
