//! The instance's socket in the file system.
//! What lives here: binding, accepting, removing. What does not: what is said on a connection.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::fs::Mode;

use crate::engine::Home;

/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds the socket, for this user only. The caller holds the instance's lock, so a socket that is there is a dead one.
pub(super) fn bind(home: &Home) -> std::io::Result<UnixListener> {
    remove(home);
    // A socket address holds 108 bytes and a home may be deeper, so the path goes through the open directory.
    let directory = File::open(home.path.join("dbs"))?;
    let path = format!(
        "/proc/self/fd/{}/{}",
        directory.as_raw_fd(),
        home.socket_name()
    );
    // Between bind and chmod others could connect; the mask closes that gap. No other thread creates files yet.
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(mask);
    listener
}

/// Removes the socket's name.
pub(super) fn remove(home: &Home) {
    // It may not be there, which is what is wanted.
    let _ = std::fs::remove_file(home.path.join("dbs").join(home.socket_name()));
}

/// Hands every connection to `serve`, for ever.
pub(super) fn accept(listener: &UnixListener, serve: impl Fn(UnixStream)) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => serve(stream),
            Err(error) => {
                eprintln!("listener: {error}");
                std::thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}
