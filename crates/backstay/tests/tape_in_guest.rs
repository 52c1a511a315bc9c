//! Tapes for real: a drive and a changer at a real Linux kernel, with the stock mt, mtx and cpio beside our tools.
//! What lives here: the library, what the guest takes along, the verdict. What does not: what is done there
//! (tests/vm/guest/tape.sh).

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a database host with a tape drive has.
const PROGRAMS: [&str; 6] = ["cpio", "dash", "dd", "iscsistart", "mt", "mtx"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A library that dies with the test.
struct Library {
    child: Child,
    port: u16,
}

impl Library {
    fn start(directory: &Path) -> Library {
        fs::create_dir(directory).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(repository().join("tests/tape/library"))
            .arg(directory)
            .arg(port.to_string())
            .arg((port / 2 + 1).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let log = fs::read_to_string(directory.join("tgtd.log")).unwrap_or_default();
        assert_eq!(line, "ready\n", "{log}");
        Library { child, port }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

fn must(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn program(name: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is missing: ./test installs it"))
}

/// An archive of the programs with their libraries, and of ours.
fn kit(directory: &Path) -> PathBuf {
    let root = directory.join("kit");
    let bin = root.join("kit/bin");
    fs::create_dir_all(&bin).unwrap();
    let own = PathBuf::from(env!("CARGO_BIN_EXE_backstay"));
    // Without what a debugger needs it is a fifth of the size.
    must(
        Command::new("strip")
            .arg("-o")
            .arg(bin.join("backstay"))
            .arg(&own),
    );
    let mut libraries = BTreeSet::new();
    for path in PROGRAMS.map(program).into_iter().chain([own]) {
        let name = path.file_name().unwrap().to_str().unwrap();
        match name {
            "backstay" => {}
            "dash" => drop(fs::copy(&path, bin.join("sh")).unwrap()),
            _ => drop(fs::copy(&path, bin.join(name)).unwrap()),
        }
        let listed = must(Command::new("ldd").arg(&path));
        libraries.extend(
            listed
                .split_whitespace()
                .filter(|word| word.starts_with('/'))
                .map(PathBuf::from),
        );
    }
    for library in libraries {
        let target = root.join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&library, target).unwrap();
    }
    let archive = directory.join("kit.tar");
    must(
        Command::new("tar")
            .arg("cf")
            .arg(&archive)
            .arg("-C")
            .arg(&root)
            .arg("."),
    );
    archive
}

#[test]
fn a_real_drive_and_a_changer_take_backups_that_mt_and_cpio_bring_back() {
    let directory = tempfile::tempdir().unwrap();
    let archive = kit(directory.path());
    let library = Library::start(&directory.path().join("library"));
    let output = Command::new(repository().join("tests/vm/run"))
        .args(["--memory", "2600", "--timeout", "900", "--with"])
        .arg(archive)
        .arg("--set")
        .arg(format!("PORT={}", library.port))
        .arg(repository().join("tests/vm/guest/tape.sh"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    assert!(said.contains("== done: 12 files"), "{said}");
}
