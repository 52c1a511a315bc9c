//! Clients that mean no good, on both listeners: nobody else waits for them, nothing grows, nothing falls over.
//! What lives here: bytes over TCP. What does not: NFS (crate nfs), the parts of a body on their own (crate store).

mod store_world;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fastrand::Rng;
use store_world::StoreWorld;

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Sends bytes, ends its side, and reads what comes back. Either may be refused half way.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Peak memory of a process, in KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const REQUESTS: [&str; 4] = [
    "GET /druva-phoenix/v1/mounts/m/backup HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
    "POST /druva-phoenix/v1/mounts/m/backup HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "POST /druva-phoenix/v1/mounts/m/uploadlog HTTP/1.1\r\nHost: s\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
     Content-Type: multipart/form-data; boundary=b\r\n\r\n2f\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\r\n0\r\n\r\n",
    "DELETE /druva-phoenix/v1/mounts/m/restores/18446744073709551616 HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
];

#[test]
fn damaged_requests_are_answered_or_cut_off_and_the_store_goes_on() {
    let world = StoreWorld::started();
    world.create("m");
    let mut random = Rng::with_seed(7);
    for turn in 0..400 {
        let mut bytes = REQUESTS[turn % REQUESTS.len()].as_bytes().to_vec();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(0..bytes.len());
            match random.u8(0..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, random.u8(..)),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        let answer = exchange(world.running().api, &bytes);
        if answer.starts_with("HTTP/1.1 200") {
            assert!(answer.contains("\"error_code\": 0"), "{answer}");
        }
    }
    world.get("m").must_succeed();
    let admin = world.running().admin;
    for _ in 0..50 {
        let bytes: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
        exchange(admin, &bytes);
    }
    assert_eq!(world.mount("m").name, "m");
}

#[test]
fn who_is_slow_or_sends_without_end_keeps_nobody_waiting_and_takes_no_memory() {
    let world = StoreWorld::started();
    world.create("m");
    world.post("m").must_succeed();
    let api = world.running().api;
    // Half a head, half a body, and connections that say nothing, on both listeners.
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut stream = connect(if number % 3 == 0 {
            world.running().admin
        } else {
            api
        });
        let half = REQUESTS[number % 4].len() / 2;
        let _ = stream.write_all(&REQUESTS[number % 4].as_bytes()[..half]);
        slow.push(stream);
    }
    world.get("m").must_succeed();
    assert_eq!(world.mount("m").name, "m");
    let before = peak(world.pid());
    // A head without an end, a text part without an end, and a body where none is wanted.
    let long = "x".repeat(64 << 20);
    for start in [
        "GET /druva-phoenix/v1/mounts/m/backup HTTP/1.1\r\nX-Long: ".to_owned(),
        format!(
            "POST /druva-phoenix/v1/mounts/m/uploadlog HTTP/1.1\r\nHost: s\r\nContent-Length: {}\r\nContent-Type: \
             multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"platform\"\r\n\r\n",
            70 << 20
        ),
        format!(
            "PUT /druva-phoenix/v1/mounts/n/backup HTTP/1.1\r\nHost: s\r\nContent-Length: {}\r\n\r\n",
            70 << 20
        ),
    ] {
        exchange(api, format!("{start}{long}").as_bytes());
    }
    let grown = peak(world.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more at the peak");
    world.put("m").must_succeed();
    drop(slow);
    assert_eq!(
        fs::read_dir(world.directory.join("logs")).unwrap().count(),
        0
    );
}

#[test]
fn a_name_or_number_never_leads_out_of_the_store() {
    let world = StoreWorld::started();
    world.create("m");
    let secret = world.directory.join("mounts/m/oracle_data/kept");
    fs::write(&secret, "kept").unwrap();
    for path in [
        "m/restores/..",
        "m/restores/../oracle_data",
        "m/restores/..%2Foracle_data",
        "m/restores/%2e%2e%2foracle_data",
        "m/restores/0001",
        "m/restores/+1",
        "m/restores/-1",
        "m/restores/1%00",
        "..%2fm/restores/1",
    ] {
        let answer = world.curl("DELETE", path, &[]);
        assert!(answer.code() >= 4_295_622_656, "{path}: {answer:?}");
        assert!(answer.status >= 400, "{path}");
    }
    // A symbolic link in place of a restore is not followed.
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "kept").unwrap();
    std::os::unix::fs::symlink(outside.path(), world.directory.join("mounts/m/restores/5"))
        .unwrap();
    world
        .curl("DELETE", "m/restores/5", &[])
        .must_be(api::code::Code::RestorePathMissing);
    assert!(outside.path().join("kept").exists() && secret.exists());
}
