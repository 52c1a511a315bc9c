//! A real Linux NFS client, in the emulated guest, on a hard mount from our server.
//! What lives here: the three scripts of tests/vm/guest and what the host does and checks meanwhile. What does not: the
//! guest itself (guest/mod.rs, tests/vm), single calls of the protocol.

mod guest;

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use guest::{Guest, PATIENCE, manifest};

const MIB: u64 = 1 << 20;
/// The name under which the directory is exported, below the root.
const NAME: &str = "kept";

/// A directory that a server process exports, on a port that stays the same when the process is another one.
struct Served {
    directory: tempfile::TempDir,
    port: u16,
    server: Child,
}

/// Waits until something is so.
fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < limit, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port that nothing listens on. Somebody else may take it before the server does; then the server says so and ends.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The example beside this test's executable: cargo builds it with the tests.
fn serve() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples/serve")
}

impl Served {
    fn start() -> Served {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("exported")).unwrap();
        let port = free_port();
        let server = Served::process(directory.path(), port);
        Served {
            directory,
            port,
            server,
        }
    }

    fn process(directory: &Path, port: u16) -> Child {
        let mut server = Command::new(serve())
            .arg(directory.join("exported"))
            .args([&format!("/{NAME}"), &port.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("the example 'serve', which cargo test builds");
        wait_for("the server listens", || {
            if let Some(status) = server.try_wait().unwrap() {
                panic!("the server ended: {status}");
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        server
    }

    fn guest(&self, script: &str, settings: &[(&str, &str)]) -> Guest {
        Guest::start(script, &format!("/{NAME}"), self.port, settings)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("exported").join(name)
    }

    /// The length of a file of the export, 0 while it is not there.
    fn bytes(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).map_or(0, |metadata| metadata.len())
    }

    /// `kill -9`, a look at what it left, two seconds of silence, and a new process.
    fn kill_and_restart(&mut self, look: impl FnOnce(&Served)) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        look(self);
        // Not a wait for something: so long the client must bear that nobody answers.
        thread::sleep(Duration::from_secs(2));
        self.server = Served::process(self.directory.path(), self.port);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The size of the tree in MiB: `BACKSTAY_TREE_MIB=1024` is what a release is tried with.
fn tree_mib() -> String {
    std::env::var("BACKSTAY_TREE_MIB").unwrap_or_else(|_| "96".to_owned())
}

#[test]
fn a_tree_made_by_a_real_client_is_in_the_directory_as_it_was_written() {
    let served = Served::start();
    let guest = served.guest("tree.sh", &[("SIZE_MIB", &tree_mib())]);
    let written = manifest::of_the_guest(&guest.end());
    assert!(written.len() > 2700, "a tree of {} paths?", written.len());
    let found = manifest::of_the_directory(&served.path(""));
    let differences = manifest::differences(&written, &found);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_client_in_mid_write_survives_kill_9_of_the_server() {
    const SIZE_MIB: u64 = 128;
    let mut served = Served::start();
    let mut guest = served.guest("endure.sh", &[("SIZE_MIB", &SIZE_MIB.to_string())]);
    for (phase, file) in [("writing", "written"), ("copying", "copied")] {
        guest.until(phase);
        wait_for("a quarter is there", || {
            served.bytes(file) > SIZE_MIB / 4 * MIB
        });
        served.kill_and_restart(|served| {
            assert!(served.bytes(file) < SIZE_MIB * MIB, "killed after the end");
        });
    }
    guest.end();
    assert!(served.bytes("written") > SIZE_MIB * MIB);
    let [written, copied] = ["written", "copied"].map(|name| fs::read(served.path(name)).unwrap());
    assert!(written == copied, "the files in the directory differ");
}

/// The numbers of both stamps at one instant. The server process is stopped meanwhile: no call is half done for it, since
/// a process stops between two system calls.
fn stamps_of_one_instant(served: &Served) -> [u64; 2] {
    let pid = rustix::process::Pid::from_child(&served.server);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    wait_for("the server is stopped", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", served.server.id())).unwrap();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    });
    let stamps = ["left", "right"].map(|name| {
        let text = fs::read_to_string(served.path(name)).unwrap();
        text.trim_end().parse().expect("a whole stamp")
    });
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    stamps
}

#[test]
fn what_a_client_stamped_is_on_the_server_before_it_stamps_again() {
    let served = Served::start();
    let mut guest = served.guest("stamp.sh", &[]);
    guest.until("stamping");
    let mut last = 0;
    for _ in 0..20 {
        let mut stamps = [0, 0];
        wait_for("newer stamps", || {
            stamps = stamps_of_one_instant(&served);
            stamps[0] > last
        });
        let [left, right] = stamps;
        assert!(
            left == right || left == right + 1,
            "left {left} and right {right} were never there at once"
        );
        last = left;
    }
    fs::write(served.path("end"), "").unwrap();
    guest.end();
}

#[test]
fn a_directory_that_is_not_what_the_guest_wrote_is_noticed() {
    let said = [
        "manifest",
        "file\te3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\t0\t644\t1\tempty",
        "link\tempty\tsoft",
        "directory\t755\tfolder",
        "end of the manifest",
    ]
    .map(str::to_owned);
    let written = manifest::of_the_guest(&said);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("empty"), "").unwrap();
    std::os::unix::fs::symlink("empty", root.join("soft")).unwrap();
    fs::create_dir(root.join("folder")).unwrap();
    let different = || manifest::differences(&written, &manifest::of_the_directory(root)).len();
    assert_eq!(different(), 0);
    fs::write(root.join("more"), "").unwrap();
    assert_eq!(different(), 1, "a path too many");
    fs::write(root.join("empty"), "x").unwrap();
    assert_eq!(different(), 2, "another content");
    fs::remove_file(root.join("soft")).unwrap();
    assert_eq!(different(), 3, "a path too few");
}
