//! The client's end of the instance's socket.
//! What lives here: finding the socket, sending a request, receiving answers. What does not: the server's end.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Answer, Request};
use crate::engine::home::Home;

/// Longest answer in bytes; the widest query result of a practice database is far below.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A connection to the server of an instance.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// Ends a connection from another thread, so that whoever waits for its answer gets an error.
#[derive(Debug)]
pub struct Closer(UnixStream);

impl Closer {
    /// Ends it. A connection that is over already is fine.
    pub fn close(&self) {
        // An error means that the peer has ended it first, which is what is wanted.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Client {
    /// Connects to the instance `sid` of `home`. Errors: `NotFound` or `ConnectionRefused` when no server runs.
    pub fn connect(home: &Path, sid: &str) -> std::io::Result<Client> {
        let home = Home::new(home, sid);
        // A socket address holds 108 bytes and a home may be deeper, so the path goes through the open directory.
        let directory = File::open(home.path.join("dbs"))?;
        let path = format!(
            "/proc/self/fd/{}/{}",
            directory.as_raw_fd(),
            home.socket_name()
        );
        let stream = UnixStream::connect(path)?;
        Ok(Client {
            stream: BufReader::with_capacity(1 << 16, stream),
        })
    }

    /// Process id of the server at the other end.
    pub fn server_process(&self) -> std::io::Result<u32> {
        let credentials = rustix::net::sockopt::socket_peercred(self.stream.get_ref())?;
        Ok(credentials.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// A handle by which another thread can end this connection.
    pub fn closer(&self) -> std::io::Result<Closer> {
        self.stream.get_ref().try_clone().map(Closer)
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Request) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)
    }

    /// Receives one answer. `UnexpectedEof` when the server is gone.
    pub fn receive(&mut self) -> std::io::Result<Answer> {
        let mut line = Vec::new();
        self.stream
            .by_ref()
            .take(ANSWER_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            let why = if line.is_empty() {
                "the server is gone"
            } else {
                "the server's answer is cut off"
            };
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, why));
        }
        Ok(serde_json::from_slice(&line)?)
    }

    /// Sends a request that has one answer, and receives it.
    pub fn request(&mut self, request: &Request) -> std::io::Result<Answer> {
        self.send(request)?;
        self.receive()
    }
}
