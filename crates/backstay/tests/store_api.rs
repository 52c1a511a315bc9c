//! The documented API as scripts call it, with real curl: every call, every code, order and disorder, many at a time.
//! What lives here: what goes over HTTP. What does not: crashes (store_crash), NFS clients (store_nfs).

mod store_world;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use api::admin::{Job, JobKind, JobState, MountState, SnapshotState, StoreState};
use api::client::ClientError;
use api::code::Code;
use store_world::{Answer, StoreWorld, curl, request, wait_until};

/// Runs a line of the article in a shell; what it prints is what a script sees.
fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_lines_of_the_article_give_the_documented_answers() {
    let world = StoreWorld::started();
    world.create("testmount");
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("rman_full_backup_1.log");
    fs::write(&log, "Recovery Manager: Release 19.0.0.0.0\n").unwrap();
    let (api, log) = (world.running().api, log.display());
    let base = format!("http://{api}/druva-phoenix/v1/mounts/testmount");
    assert_eq!(
        shell(&format!("curl -X GET {base}/backup 2> /dev/null")),
        "{\"error_code\": 0, \"error_msg\": \"\", \"result\": {\"mount_name\": \"testmount\", \"is_reached_max_snapshots\": false}}\n"
    );
    assert_eq!(
        shell(&format!("curl -X POST {base}/backup 2> /dev/null")),
        "{\"error_code\": 0, \"error_msg\": \"\", \"result\": {\"mount_path\": \"/Phoenix/testmount/oracle_data\", \
         \"mount_name\": \"testmount\", \"mount_params\": {\"timeo\": 1200, \"retrans\": 5}}}\n"
    );
    for file in [format!("file={log}"), format!("file=@{log}")] {
        assert_eq!(
            shell(&format!(
                "curl -X POST -H \"Content-Type: multipart/form-data\" -F \"{file}\" -F \"mountpoint=/local/testmount\" \
                 -F \"platform=linux\" {base}/uploadlog 2> /dev/null"
            )),
            "{\"error_code\": 0, \"error_msg\": \"\", \"result\": {\"mount_name\": \"testmount\"}}\n"
        );
    }
    let uid = world
        .client()
        .get::<api::admin::Store>("/store")
        .unwrap()
        .uid;
    assert_eq!(
        shell(&format!("curl -X PUT {base}/backup 2> /dev/null")),
        format!(
            "{{\"error_code\": 0, \"error_msg\": \"\", \"result\": {{\"snap_name\": \"{uid}_1\", \"mount_name\": \"testmount\"}}}}\n"
        )
    );
    fs::create_dir_all(
        world
            .directory
            .join("mounts/testmount/restores/242135/deep"),
    )
    .unwrap();
    assert_eq!(
        shell(&format!(
            "curl -X DELETE {base}/restores/242135 2> /dev/null"
        )),
        "{\"error_code\": 0, \"error_msg\": \"\", \"result\": {\"mount_name\": \"testmount\", \"jobid\": 242135}}\n"
    );
    assert!(
        !world
            .directory
            .join("mounts/testmount/restores/242135")
            .exists()
    );
    let snapshots = world.snapshots("testmount");
    assert_eq!((snapshots.len(), snapshots[0].logs), (1, 2));
    let kept: Vec<_> = fs::read_dir(world.directory.join("logs"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(
        kept.len(),
        1,
        "a path in place of a file is recorded and not opened"
    );
}

/// An action that must be answered with a code.
type Step<'a> = (&'a str, Box<dyn Fn() -> Answer + 'a>, Code);

#[test]
fn every_documented_code_is_given_when_it_is_due() {
    let mut world = StoreWorld::new();
    world.settings = "max_pending_snapshots = 2".to_owned();
    world.start();
    world.create("m");
    let log = [
        "-F",
        "file=/x.log",
        "-F",
        "mountpoint=/local/m",
        "-F",
        "platform=linux",
    ];
    let steps: Vec<Step> = vec![
        (
            "PUT before POST",
            Box::new(|| world.put("m")),
            Code::BackupNotStarted,
        ),
        (
            "a log before POST",
            Box::new(|| world.curl("POST", "m/uploadlog", &log)),
            Code::BackupNotStarted,
        ),
        (
            "no such mount",
            Box::new(|| world.get("n")),
            Code::MountMissing,
        ),
        (
            "the wrong case",
            Box::new(|| world.post("M")),
            Code::MountMissing,
        ),
        (
            "a log for nobody",
            Box::new(|| world.curl("POST", "n/uploadlog", &log)),
            Code::MountMissing,
        ),
        (
            "a name that leads out",
            Box::new(|| world.get("%2e%2e")),
            Code::MountMissing,
        ),
        (
            "a name with NUL",
            Box::new(|| world.get("m%00")),
            Code::MountMissing,
        ),
        (
            "a long name",
            Box::new(|| world.get(&"x".repeat(5000))),
            Code::MountMissing,
        ),
        (
            "no restore",
            Box::new(|| world.curl("DELETE", "m/restores/1", &[])),
            Code::RestorePathMissing,
        ),
        (
            "a restore that leads out",
            Box::new(|| world.curl("DELETE", "m/restores/..%2foracle_data", &[])),
            Code::RestorePathMissing,
        ),
        (
            "a restore without number",
            Box::new(|| world.curl("DELETE", "m/restores/x", &[])),
            Code::RestorePathMissing,
        ),
    ];
    for (what, step, code) in &steps {
        eprintln!("{what}");
        step().must_be(*code);
    }
    drop(steps);
    // As many as may wait: the flag and the refusal agree.
    for _ in 0..2 {
        assert_eq!(
            world.get("m").must_succeed().json()["result"]["is_reached_max_snapshots"],
            false
        );
        world.post("m").must_succeed();
        world.put("m").must_succeed();
    }
    assert_eq!(
        world.get("m").must_succeed().json()["result"]["is_reached_max_snapshots"],
        true
    );
    world.post("m").must_be(Code::TooManyPendingSnapshots);
    world.put("m").must_be(Code::BackupNotStarted);
    // One less waits, and both agree again.
    let snapshots = world.snapshots("m");
    let job: Job = world
        .client()
        .delete(&format!("/snapshots/{}", snapshots[0].name))
        .unwrap();
    assert_eq!(world.wait_for(job.id).state, JobState::Successful);
    assert!(
        !Path::new(&snapshots[0].directory).exists() && Path::new(&snapshots[1].directory).exists()
    );
    assert_eq!(
        world.get("m").must_succeed().json()["result"]["is_reached_max_snapshots"],
        false
    );
    world.post("m").must_succeed();

    // Out of service: what is open may end, nothing new begins; out once nothing waits.
    assert_eq!(
        world.change(StoreState::DecommissionInProgress).state,
        StoreState::DecommissionInProgress
    );
    world.get("m").must_be(Code::DecommissionInProgress);
    world.post("m").must_be(Code::DecommissionInProgress);
    world.curl("POST", "m/uploadlog", &log).must_succeed();
    world.put("m").must_succeed();
    world.put("m").must_be(Code::DecommissionInProgress);
    for snapshot in world.snapshots("m") {
        let job: Job = world
            .client()
            .delete(&format!("/snapshots/{}", snapshot.name))
            .unwrap();
        world.wait_for(job.id);
    }
    wait_until("the store to be out", || {
        world.get("m").code() == Code::Decommissioned.number()
    });
    for answer in [
        world.post("m"),
        world.put("m"),
        world.curl("DELETE", "m/restores/1", &[]),
    ] {
        answer.must_be(Code::Decommissioned);
    }
    let again = world.change(StoreState::Active);
    assert_eq!((again.state, again.registrations), (StoreState::Active, 2));
    world.get("m").must_succeed();
}

#[test]
fn an_inconsistent_mount_is_refused_until_it_is_whole_or_accepted() {
    let mut world = StoreWorld::started();
    world.create("m");
    world.post("m").must_succeed();
    fs::write(world.data("m").join("f"), "data").unwrap();
    world.put("m").must_succeed();
    world.post("m").must_succeed();
    let (data, away) = (world.data("m"), world.directory.join("away"));
    let refused = |world: &StoreWorld| {
        for answer in [world.get("m"), world.post("m"), world.put("m")] {
            answer.must_be(Code::MountInconsistent);
        }
        assert_eq!(world.mount("m").state, MountState::Inconsistent);
    };
    // The directory vanishes, another comes in its place, and it is back: as if nothing had been.
    fs::rename(&data, &away).unwrap();
    refused(&world);
    assert!(world.mount("m").reason.unwrap().contains("is not there"));
    fs::create_dir(&data).unwrap();
    refused(&world);
    world.kill();
    world.start();
    refused(&world);
    fs::remove_dir(&data).unwrap();
    fs::rename(&away, &data).unwrap();
    world.get("m").must_succeed();
    assert_eq!(
        world.mount("m").state,
        MountState::Open,
        "the backup is open as it was"
    );

    // A snapshot that was promised is lost: repair says so once, and goes on.
    let snapshot = world.snapshots("m").remove(0);
    fs::rename(&snapshot.directory, &away).unwrap();
    refused(&world);
    assert_eq!(world.snapshots("m")[0].state, SnapshotState::Lost);
    fs::rename(&away, &snapshot.directory).unwrap();
    world.get("m").must_succeed();
    assert_eq!(world.snapshots("m")[0].state, SnapshotState::Pending);
    fs::remove_dir_all(&snapshot.directory).unwrap();
    refused(&world);
    let repaired: api::admin::Mount = world.client().post("/mounts/m/repair", &()).unwrap();
    assert_eq!(repaired.state, MountState::Open);
    assert!(world.snapshots("m").is_empty());
    world.put("m").must_succeed();
    let events: Vec<api::admin::Event> = world.client().get("/events?mount=m").unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.text.contains(&snapshot.name) && event.text.contains("given up"))
    );
}

/// A file system that is mounted inside a mount's data: it cannot be removed.
struct Obstacle(std::path::PathBuf);

impl Obstacle {
    fn put(path: std::path::PathBuf) -> Obstacle {
        fs::create_dir(&path).unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "none"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        Obstacle(path)
    }
}

impl Drop for Obstacle {
    /// The store may have renamed the directories above it: it is found by its last name and the test's directory.
    fn drop(&mut self) {
        let test = self.0.iter().take(3).collect::<std::path::PathBuf>();
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let paths = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .map(Path::new);
        for path in
            paths.filter(|path| path.starts_with(&test) && path.file_name() == self.0.file_name())
        {
            let status = Command::new("umount").arg(path).status().unwrap();
            assert!(status.success());
        }
    }
}

#[test]
fn a_mount_that_is_being_deleted_is_refused_and_goes_when_it_can() {
    let mut world = StoreWorld::started();
    world.create("m");
    world.post("m").must_succeed();
    let refused = world.client().delete::<Job>("/mounts/m").unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(problem) if problem.message.contains("open")),
        "{refused}"
    );
    world.put("m").must_succeed();
    let refused = world.client().delete::<Job>("/mounts/m").unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(problem) if problem.message.contains("would be lost")),
        "{refused}"
    );
    let obstacle = Obstacle::put(world.data("m").join("mounted"));
    let job: Job = world.client().delete("/mounts/m?force=true").unwrap();
    let failed = world.wait_for(job.id);
    assert_eq!(failed.state, JobState::Failed, "{failed:?}");
    for answer in [
        world.get("m"),
        world.post("m"),
        world.put("m"),
        world.curl("DELETE", "m/restores/1", &[]),
    ] {
        answer.must_be(Code::MountMarkedForDelete);
    }
    assert_eq!(world.mount("m").state, MountState::MarkedForDelete);
    assert!(world.try_create("m").is_err());
    drop(obstacle);
    world.kill();
    world.start();
    wait_until("the mount to be gone", || {
        world.get("m").code() == Code::MountMissing.number()
    });
    assert!(!world.directory.join("mounts/m").exists());
    world.create("m");
    world.get("m").must_succeed();
}

#[test]
fn an_export_that_fails_is_said_with_its_code() {
    let mut world = StoreWorld::started();
    world.create("m");
    assert_eq!(world.stop(), 0);
    // The kernel's server cannot export it: /Phoenix does not lead to this store.
    let exports = world.directory.join("backstay.exports");
    world.settings = format!("export = 'kernel'\nexports_file = '{}'", exports.display());
    world.start();
    world.get("m").must_succeed();
    world.post("m").must_be(Code::ExportFailed);
    world.put("m").must_be(Code::BackupNotStarted);
}

#[test]
fn whatever_is_sent_is_answered_with_an_envelope() {
    let world = StoreWorld::started();
    world.create("m");
    world.post("m").must_succeed();
    let root = format!("http://{}", world.running().api);
    curl("GET", &root, &[]).must_be(Code::UnknownPath);
    curl("GET", &format!("{root}/druva-phoenix/v1/mounts"), &[]).must_be(Code::UnknownPath);
    curl(
        "GET",
        &format!("{root}/druva-phoenix/v1/mounts/../../../etc/passwd"),
        &[],
    )
    .must_be(Code::UnknownPath);
    world
        .curl("PATCH", "m/backup", &[])
        .must_be(Code::MethodNotAllowed);
    world
        .curl("GET", "m/uploadlog", &[])
        .must_be(Code::MethodNotAllowed);
    world
        .curl("POST", "m/restores/1", &[])
        .must_be(Code::MethodNotAllowed);
    world
        .curl("GET", "%ff/backup", &[])
        .must_be(Code::BadRequest);
    // Bodies that nobody asked for.
    world
        .curl("POST", "m/backup", &["-d", "{\"a\": 1}"])
        .must_succeed();
    world
        .curl(
            "POST",
            "m/backup",
            &["-H", "Transfer-Encoding: chunked", "-d", "x"],
        )
        .must_succeed();
    world.curl("GET", "m/backup", &["-d", "x"]).must_succeed();
    let good = ["-F", "mountpoint=/local/m", "-F", "platform=windows"];
    for (what, parts) in [
        ("no body", vec![]),
        ("no form", vec!["-d", "file=x"]),
        (
            "no boundary",
            vec!["-H", "Content-Type: multipart/form-data", "-d", "x"],
        ),
        (
            "cut off",
            vec![
                "-H",
                "Content-Type: multipart/form-data; boundary=b",
                "-d",
                "--b\r\nContent-Dispo",
            ],
        ),
        ("no file", good.to_vec()),
        ("no platform", vec!["-F", "file=x", "-F", "mountpoint=/m"]),
        (
            "no mountpoint",
            vec!["-F", "file=x", "-F", "platform=linux"],
        ),
        (
            "another platform",
            vec!["-F", "file=x", "-F", "mountpoint=/m", "-F", "platform=vms"],
        ),
        (
            "two files",
            [&["-F", "file=x", "-F", "file=y"], &good[..]].concat(),
        ),
        (
            "an unknown part",
            [&["-F", "file=x", "-F", "other=y"], &good[..]].concat(),
        ),
        ("an empty path", [&["-F", "file="], &good[..]].concat()),
    ] {
        eprintln!("{what}");
        world
            .curl("POST", "m/uploadlog", &parts)
            .must_be(Code::BadRequest);
    }
    let long = format!("mountpoint=/{}", "m".repeat(100_000));
    let parts = ["-F", "file=x", "-F", "platform=linux", "-F", &long];
    world
        .curl("POST", "m/uploadlog", &parts)
        .must_be(Code::BodyTooLarge);
    let left: Vec<_> = fs::read_dir(world.directory.join("logs"))
        .unwrap()
        .flatten()
        .collect();
    assert!(left.is_empty(), "refused logs leave nothing: {left:?}");
}

#[test]
fn a_log_of_a_gibibyte_is_kept_and_a_longer_one_is_not() {
    let world = StoreWorld::started();
    world.create("m");
    world.post("m").must_succeed();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rman.log");
    let file = fs::File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    let send = || {
        let part = format!("file=@{}", path.display());
        let parts = [
            "-F",
            &part,
            "-F",
            "mountpoint=/local/m",
            "-F",
            "platform=linux",
        ];
        // curl asks with "Expect: 100-continue" before it sends.
        world.curl("POST", "m/uploadlog", &parts)
    };
    send().must_succeed();
    let kept = || -> Vec<u64> {
        let entries = fs::read_dir(world.directory.join("logs")).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect()
    };
    assert_eq!(kept(), [1 << 30]);
    file.set_len((1 << 30) + 1).unwrap();
    send().must_be(Code::BodyTooLarge);
    assert_eq!(kept(), [1 << 30]);
}

#[test]
fn a_second_post_begins_anew_and_says_so() {
    let world = StoreWorld::started();
    world.create("m");
    world.post("m").must_succeed();
    let parts = [
        "-F",
        "file=/old.log",
        "-F",
        "mountpoint=/local/m",
        "-F",
        "platform=linux",
    ];
    world.curl("POST", "m/uploadlog", &parts).must_succeed();
    world.post("m").must_succeed();
    let jobs = world.jobs("m");
    assert_eq!(jobs.len(), 2);
    assert_eq!(
        (jobs[1].state, jobs[0].state),
        (JobState::Failed, JobState::Running)
    );
    assert!(
        jobs[0].detail.contains(&format!("job {}", jobs[1].id)),
        "{:?}",
        jobs[0]
    );
    world.put("m").must_succeed();
    assert_eq!(
        world.snapshots("m")[0].logs,
        0,
        "the log of the dead script is not the new one's"
    );
    // An administrator may give an open backup up.
    world.post("m").must_succeed();
    let open = world.mount("m").open_job.unwrap();
    let cancelled: Job = world
        .client()
        .post(&format!("/jobs/{open}/cancel"), &())
        .unwrap();
    assert_eq!(cancelled.state, JobState::Failed);
    world.put("m").must_be(Code::BackupNotStarted);
}

#[test]
fn two_hundred_clients_on_twenty_mounts_lose_nothing() {
    const CLIENTS: usize = 200;
    const MOUNTS: usize = 20;
    let mut world = StoreWorld::new();
    world.settings = "max_pending_snapshots = 1000".to_owned();
    world.start();
    for number in 0..MOUNTS {
        world.create(&format!("m{number}"));
    }
    let sealed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (world, sealed) = (&world, &sealed);
            scope.spawn(move || {
                let mount = format!("m{}", client % MOUNTS);
                let parts = [
                    "-F",
                    "file=/x",
                    "-F",
                    "mountpoint=/local/m",
                    "-F",
                    "platform=linux",
                ];
                let answers = [
                    world.get(&mount),
                    world.post(&mount),
                    world.curl("POST", &format!("{mount}/uploadlog"), &parts),
                    world.put(&mount),
                    world.curl("DELETE", &format!("{mount}/restores/{client}"), &[]),
                ];
                let codes: Vec<u64> = answers.iter().map(Answer::code).collect();
                assert_eq!((codes[0], codes[1]), (0, 0), "{answers:?}");
                // Somebody else may have sealed the backup that both had opened.
                for code in &codes[2..4] {
                    assert!(
                        [0, Code::BackupNotStarted.number()].contains(code),
                        "{answers:?}"
                    );
                }
                assert_eq!(codes[4], Code::RestorePathMissing.number());
                if codes[3] == 0 {
                    sealed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let all: Vec<api::admin::Snapshot> = world.client().get("/snapshots").unwrap();
    assert_eq!(
        all.len() as u64,
        sealed.into_inner(),
        "each acknowledged PUT is one snapshot"
    );
    assert!(
        all.iter()
            .all(|snapshot| snapshot.state == SnapshotState::Pending
                && Path::new(&snapshot.directory).is_dir())
    );
    let mut jobs: Vec<Job> = world.client().get("/jobs?limit=10000").unwrap();
    // Each seal also queues the making of a recovery point, which is a job of its own.
    jobs.retain(|job| job.kind == JobKind::Backup);
    let ended_well = jobs
        .iter()
        .filter(|job| job.state == JobState::Successful)
        .count();
    assert_eq!(ended_well, all.len(), "each snapshot is the end of one job");
    assert_eq!(jobs.len(), CLIENTS, "each POST is a job");
    for number in 0..MOUNTS {
        let mount = world.mount(&format!("m{number}"));
        let running = jobs
            .iter()
            .filter(|job| job.mount == mount.name && job.state == JobState::Running);
        assert_eq!(
            running.count(),
            usize::from(mount.state == MountState::Open)
        );
    }
}

#[test]
fn the_administration_api_asks_for_its_token_and_describes_itself() {
    let world = StoreWorld::started();
    let admin = world.running().admin;
    let certificate = world.directory.join("admin.crt");
    let ask = |more: &[&str]| {
        let all = [&["--cacert", certificate.to_str().unwrap()], more].concat();
        curl("GET", &format!("https://{admin}/v1/openapi.json"), &all)
    };
    assert_eq!(ask(&[]).status, 401);
    assert_eq!(ask(&["-H", "Authorization: Bearer wrong"]).status, 401);
    let token = fs::read_to_string(world.directory.join("admin.token")).unwrap();
    let header = format!("Authorization: Bearer {}", token.trim());
    let document = ask(&["-H", &header]).json();
    // Every call that is described is answered, and not as an unknown path or method.
    for (path, calls) in document["paths"].as_object().unwrap() {
        for method in calls.as_object().unwrap().keys() {
            let path = path.replace("{name}", "x").replace("{id}", "1");
            let all = ["--cacert", certificate.to_str().unwrap(), "-H", &header];
            let answer = curl(
                &method.to_uppercase(),
                &format!("https://{admin}{path}"),
                &all,
            );
            let kind = answer.json()["kind"].clone();
            let is_missing = answer.json()["message"] == "There is no such path in this API";
            assert!(
                !is_missing && kind != "MethodNotAllowed",
                "{method} {path}: {answer:?}"
            );
        }
    }
    let plain = curl("GET", &format!("http://{admin}/v1/store"), &["-H", &header]);
    assert_eq!(plain.status, 0, "without TLS nothing is said: {plain:?}");
}

#[test]
fn a_mount_is_made_as_it_is_asked_for_or_not_at_all() {
    let world = StoreWorld::started();
    let wrong = |change: &dyn Fn(&mut api::admin::MountRequest)| {
        let mut wanted = request("m");
        change(&mut wanted);
        let refused = world
            .client()
            .post::<api::admin::Mount>("/mounts", &wanted)
            .unwrap_err();
        assert!(matches!(refused, ClientError::Refused(_)), "{refused}");
    };
    for name in ["", "..", "a/b", ".x", "-x", "a b", "ü", "x\0"] {
        wrong(&|wanted| wanted.name = name.to_owned());
    }
    wrong(&|wanted| wanted.allow = vec!["localhost".to_owned()]);
    wrong(&|wanted| wanted.quota_bytes = Some(1));
    wrong(&|wanted| wanted.driver = api::admin::Driver::Btrfs);
    assert!(
        fs::read_dir(world.directory.join("mounts"))
            .unwrap()
            .next()
            .is_none()
    );
    let mount = world.create("m");
    assert_eq!(
        (mount.state, mount.export_path.as_str()),
        (MountState::Idle, "/Phoenix/m/oracle_data")
    );
    assert!(world.try_create("m").is_err(), "twice");
    let listed: Vec<api::admin::Mount> = world.client().get("/mounts").unwrap();
    assert_eq!(listed, [mount]);
}

#[test]
fn one_store_a_directory_and_a_stop_that_ends_well() {
    let mut world = StoreWorld::started();
    world.create("m");
    let second = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .args([
            "store",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--nfs-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .arg("--dir")
        .arg(&world.directory)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains("another store runs in") && said.contains("HINT"),
        "{said}"
    );
    world.post("m").must_succeed();
    assert_eq!(world.stop(), 0);
    world.start();
    world.put("m").must_succeed();
}

#[test]
fn what_a_lost_catalogue_leaves_is_neither_taken_over_nor_removed() {
    let mut world = StoreWorld::started();
    world.create("m");
    fs::write(world.data("m").join("piece"), "of somebody's backup").unwrap();
    assert_eq!(world.stop(), 0);
    for name in [
        "catalogue.sqlite",
        "catalogue.sqlite-wal",
        "catalogue.sqlite-shm",
    ] {
        let _ = fs::remove_file(world.directory.join(name));
    }
    world.start();
    let refused = world.try_create("m").unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(problem) if problem.message.contains("no mount of this store")),
        "{refused}"
    );
    assert!(world.data("m").join("piece").exists());
    let events: Vec<api::admin::Event> = world.client().get("/events").unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.text.contains("was the catalogue lost"))
    );
    // A file that is no catalogue is refused, and left as it is.
    world.stop();
    let catalogue = world.directory.join("catalogue.sqlite");
    fs::write(&catalogue, vec![7; 8192]).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .args([
            "store",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--nfs-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--dir",
        ])
        .arg(&world.directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("because: ") && said.contains("HINT"),
        "{said}"
    );
    assert_eq!(fs::read(&catalogue).unwrap(), vec![7; 8192]);
}
