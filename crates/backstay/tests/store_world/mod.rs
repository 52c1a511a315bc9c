//! A real store process with real curl before it.
//! What lives here: starting, killing, asking. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::admin::{Job, Mount, MountRequest, Snapshot, Store as StoreRow, StoreChange, StoreState};
use api::client::{Client, ClientError};
use api::code::Code;
use rustix::process::{Pid, Signal};
use serde_json::Value;

/// How long anything may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < limit, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A directory for a store, and the store that runs in it.
pub struct StoreWorld {
    pub directory: PathBuf,
    pub running: Option<Running>,
    /// Lines for the configuration file.
    pub settings: String,
    /// Variables of the store's environment.
    pub environment: Vec<(String, String)>,
    /// Whether snapshots become recovery points; otherwise they wait, so that a test can count them.
    pub ingest: bool,
    ports: [u16; 3],
    _parent: tempfile::TempDir,
}

/// A store process.
pub struct Running {
    child: Child,
    pub api: SocketAddr,
    pub nfs: Option<SocketAddr>,
    pub admin: SocketAddr,
}

/// An answer of the documented API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// 0 if there was none.
    pub status: u16,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn code(&self) -> u64 {
        self.json()["error_code"].as_u64().unwrap()
    }

    /// The name that a PUT was acknowledged with.
    pub fn snapshot(&self) -> Option<String> {
        let json: Value = serde_json::from_str(&self.text).ok()?;
        json["result"]["snap_name"].as_str().map(str::to_owned)
    }

    #[track_caller]
    pub fn must_be(&self, code: Code) {
        assert_eq!(self.code(), code.number(), "{self:?}");
        assert_eq!(self.status, code.status(), "{self:?}");
        let message = self.json()["error_msg"].as_str().unwrap().to_owned();
        if code.is_documented() {
            assert_eq!(message, code.message());
        } else {
            assert!(message.starts_with(code.message()), "{message}");
        }
        assert_eq!(self.json()["result"], serde_json::json!({}));
    }

    #[track_caller]
    pub fn must_succeed(&self) -> &Answer {
        assert_eq!((self.status, self.code()), (200, 0), "{self:?}");
        assert_eq!(self.json()["error_msg"], "");
        self
    }
}

impl StoreWorld {
    pub fn new() -> StoreWorld {
        StoreWorld::below(&std::env::temp_dir())
    }

    /// With its directory in another file system.
    pub fn below(parent: &Path) -> StoreWorld {
        let parent = tempfile::tempdir_in(parent).unwrap();
        StoreWorld {
            directory: parent.path().join("store"),
            running: None,
            settings: String::new(),
            environment: Vec::new(),
            ingest: false,
            ports: [0; 3],
            _parent: parent,
        }
    }

    pub fn started() -> StoreWorld {
        let mut world = StoreWorld::new();
        world.start();
        world
    }

    fn command(&self) -> Command {
        let file = self._parent.path().join("backstay.toml");
        let [api, nfs, admin] = self.ports;
        let text = format!(
            "dir = '{}'\nlisten = '127.0.0.1:{api}'\nnfs_listen = '127.0.0.1:{nfs}'\nadmin_listen = '127.0.0.1:{admin}'\ningest = {}\n{}\n",
            self.directory.display(),
            self.ingest,
            self.settings
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
        command
            .args(["store", "serve", "--config"])
            .arg(file)
            .env_remove("BACKSTAY_FAILPOINT")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(
                fs::File::options()
                    .create(true)
                    .append(true)
                    .open(self.log())
                    .unwrap(),
            );
        command
    }

    /// What all stores of this world have said.
    pub fn log(&self) -> PathBuf {
        self._parent.path().join("store.log")
    }

    pub fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub fn start(&mut self) {
        self.start_at("");
    }

    /// Starts the store, to die at a failpoint. It keeps its ports over restarts.
    pub fn start_at(&mut self, failpoint: &str) {
        assert!(self.running.is_none());
        let mut command = self.command();
        if !failpoint.is_empty() {
            command.env("BACKSTAY_FAILPOINT", failpoint);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            said.push_str(&line);
            said.push('\n');
            if line.starts_with("Next:") {
                break;
            }
        }
        let address = |label: &str| {
            said.lines()
                .find_map(|line| line.trim().strip_prefix(label))
                .and_then(|rest| {
                    let rest = rest
                        .trim()
                        .trim_start_matches("http://")
                        .trim_start_matches("https://");
                    rest.split('/').next()?.parse::<SocketAddr>().ok()
                })
        };
        let missing = || panic!("the store did not start:\n{said}\n{}", self.said());
        let running = Running {
            api: address("backup API").unwrap_or_else(missing),
            nfs: address("NFS"),
            admin: address("administration").unwrap_or_else(missing),
            child,
        };
        self.ports = [
            running.api.port(),
            running.nfs.map_or(0, |nfs| nfs.port()),
            running.admin.port(),
        ];
        self.running = Some(running);
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("a running store")
    }

    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    pub fn nfs_port(&self) -> u16 {
        self.ports[1]
    }

    pub fn client(&self) -> Client {
        let token = fs::read_to_string(self.directory.join("admin.token")).unwrap();
        let certificate = fs::read(self.directory.join("admin.crt")).unwrap();
        Client::new(
            &format!("https://{}", self.running().admin),
            &token,
            Some(&certificate),
        )
        .unwrap()
    }

    pub fn create(&self, name: &str) -> Mount {
        self.try_create(name).unwrap()
    }

    pub fn try_create(&self, name: &str) -> Result<Mount, ClientError> {
        self.client().post("/mounts", &request(name))
    }

    pub fn mount(&self, name: &str) -> Mount {
        self.client().get(&format!("/mounts/{name}")).unwrap()
    }

    pub fn snapshots(&self, mount: &str) -> Vec<Snapshot> {
        self.client()
            .get(&format!("/snapshots?mount={mount}"))
            .unwrap()
    }

    pub fn jobs(&self, mount: &str) -> Vec<Job> {
        self.client().get(&format!("/jobs?mount={mount}")).unwrap()
    }

    pub fn change(&self, state: StoreState) -> StoreRow {
        self.client()
            .post("/store", &StoreChange { state })
            .unwrap()
    }

    /// Waits for the end of a job.
    pub fn wait_for(&self, job: u64) -> Job {
        let mut last = None;
        wait_until("the job's end", || {
            let job: Job = self.client().get(&format!("/jobs/{job}")).unwrap();
            let ended = job.ended.is_some();
            last = Some(job);
            ended
        });
        last.unwrap()
    }

    /// `oracle_data` of a mount.
    pub fn data(&self, mount: &str) -> PathBuf {
        self.directory
            .join("mounts")
            .join(mount)
            .join("oracle_data")
    }

    pub fn url(&self, path: &str) -> String {
        format!(
            "http://{}/druva-phoenix/v1/mounts/{path}",
            self.running().api
        )
    }

    /// curl, as a script calls it.
    pub fn curl(&self, method: &str, path: &str, more: &[&str]) -> Answer {
        curl(method, &self.url(path), more)
    }

    pub fn get(&self, mount: &str) -> Answer {
        self.curl("GET", &format!("{mount}/backup"), &[])
    }

    pub fn post(&self, mount: &str) -> Answer {
        self.curl("POST", &format!("{mount}/backup"), &[])
    }

    pub fn put(&self, mount: &str) -> Answer {
        self.curl("PUT", &format!("{mount}/backup"), &[])
    }

    /// Kills the store, as a power failure does.
    pub fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// Waits for the death of a store at its failpoint.
    #[track_caller]
    pub fn must_have_died(&mut self, place: &str) {
        let mut running = self.running.take().unwrap();
        let limit = Instant::now() + PATIENCE;
        let status = loop {
            match running.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > limit => {
                    running.child.kill().unwrap();
                    panic!("the store passed {place} and lives");
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert_eq!(
            status.signal(),
            Some(9),
            "{place}: {status}\n{}",
            self.said()
        );
    }

    /// Ends the store as an administrator does, and gives its exit status.
    pub fn stop(&mut self) -> i32 {
        let mut running = self.running.take().unwrap();
        let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        running.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for StoreWorld {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            eprintln!("what the store said:\n{}", self.said());
        }
    }
}

/// A mount with defaults.
pub fn request(name: &str) -> MountRequest {
    serde_json::from_value(serde_json::json!({ "name": name })).unwrap()
}

/// Real curl; the body, then the status on a line of its own.
pub fn curl(method: &str, url: &str, more: &[&str]) -> Answer {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--max-time",
            "300",
            "--path-as-is",
            "-w",
            "\n%{http_code}",
            "-X",
            method,
            url,
        ])
        .args(more)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, status) = text.rsplit_once('\n').unwrap_or((&text, "0"));
    Answer {
        status: status.trim().parse().unwrap_or(0),
        text: text.to_owned(),
    }
}
