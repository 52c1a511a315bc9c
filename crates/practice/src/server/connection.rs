//! One connection: requests in, answers out, one line of JSON each.
//! What lives here: the loop, its bounds, commits and scans. What does not: statements (`execute`).

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use oracle::time::OracleTime;
use rustix::net::RecvFlags;

use super::{Shared, execute};
use crate::engine::ShutdownMode;
use crate::engine::backup::{Done, Order};
use crate::engine::error::{OraError, OraResult};
use crate::engine::instance::Instance;
use crate::protocol::{Answer, Outcome, Request};
use crate::statement::{self, Statement};
use crate::views;

/// Longest request in bytes, its line end included.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// Stack of a connection's thread: what a query of the deepest allowed nesting needs, several times over.
const STACK_BYTES: usize = 4 << 20;

/// Serves a new connection on a thread of its own.
pub(super) fn open(shared: &Arc<Shared>, stream: UnixStream) {
    let sid = match shared.registry.enter(&stream) {
        Ok(sid) => sid,
        Err(error) => return refuse(stream, error),
    };
    let session = Session {
        shared: Arc::clone(shared),
        sid,
        date_format: views::DEFAULT_DATE_FORMAT.to_owned(),
    };
    let thread = std::thread::Builder::new()
        .name(format!("session {sid}"))
        .stack_size(STACK_BYTES);
    if let Err(error) = thread.spawn(move || session.run(&stream)) {
        eprintln!("session {sid}: no thread: {error}");
        shared.registry.leave(sid);
    }
}

/// Tells a client why it cannot stay. It reads that as the answer to its first request.
fn refuse(mut stream: UnixStream, error: OraError) {
    if let Ok(mut line) = serde_json::to_vec(&Answer::Error(error)) {
        line.push(b'\n');
        // Few bytes into a fresh socket; a client that is gone does not miss them.
        let _ = stream.write_all(&line);
    }
}

/// A session and its settings.
pub(super) struct Session {
    pub shared: Arc<Shared>,
    pub sid: u32,
    /// NLS_DATE_FORMAT.
    pub date_format: String,
}

/// Whether the connection goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    /// The instance is down; the process ends after the answer.
    Exit,
}

/// A scan of rows or counters: gives its answers one after another, until one is not wanted.
type Scan = fn(&Instance, &mut dyn FnMut(Answer) -> bool) -> OraResult<()>;

/// Leaves the registry when the thread ends, also by a panic.
struct Registered<'a>(&'a Shared, u32);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.0.registry.leave(self.1);
    }
}

impl Session {
    fn run(mut self, stream: &UnixStream) {
        let shared = Arc::clone(&self.shared);
        let _registered = Registered(&shared, self.sid);
        let mut reader = BufReader::new(stream);
        let mut writer = BufWriter::new(stream);
        // A connection that breaks is the client's leave; there is nobody to tell.
        while let Ok(Some(request)) = read_request(&mut reader) {
            let answered = match request {
                Ok(Request::Rman(order)) => self.carry_out(*order, stream, &mut writer),
                Ok(request) => self.answer(request, &mut writer),
                Err(error) => {
                    let _ = send(&mut writer, &Answer::Error(error)).and_then(|()| writer.flush());
                    return;
                }
            };
            match answered.and_then(|next| writer.flush().map(|()| next)) {
                Ok(Next::Continue) => {}
                Ok(Next::Exit) => return self.exit(),
                Err(_) => return,
            }
        }
    }

    /// The answer is out: end the process. The connection stays open until then, so that its end tells the client
    /// that lock and files are free.
    fn exit(&self) {
        // Full when another session ended it already.
        let _ = self.shared.exit.try_send(());
        loop {
            std::thread::park();
        }
    }

    fn answer(&mut self, request: Request, writer: &mut impl Write) -> std::io::Result<Next> {
        if let Err(error) = self
            .shared
            .registry
            .begin_work(self.sid, asks_for_abort(&request))
        {
            return send(writer, &Answer::Error(error)).map(|()| Next::Continue);
        }
        let answered = match request {
            Request::Execute(text) => {
                let (result, next) = execute::execute(self, &text);
                send(writer, &statement_answer(result)).map(|()| next)
            }
            Request::Scan => self.scan(writer, Instance::scan).map(|()| Next::Continue),
            Request::Sessions => self
                .scan(writer, Instance::scan_sessions)
                .map(|()| Next::Continue),
            other => send(writer, &self.transaction(other)).map(|()| Next::Continue),
        };
        self.shared.registry.end_work(self.sid);
        answered
    }

    /// An order of RMAN's, which ends when its client is gone: nobody would know of what it made.
    fn carry_out(
        &self,
        order: Order,
        stream: &UnixStream,
        writer: &mut impl Write,
    ) -> std::io::Result<Next> {
        let registry = &self.shared.registry;
        if let Err(error) = registry.begin_work(self.sid, false) {
            return send(writer, &Answer::Error(error)).map(|()| Next::Continue);
        }
        let watch = || match is_gone(stream) {
            true => Err(OraError::new(
                1013,
                "user requested cancel of current operation",
            )),
            false => Ok(()),
        };
        let mut done = self.shared.instance.carry_out(order, &watch);
        if let Ok(Done::Described(description)) = &mut done {
            description.session = self.sid;
        }
        registry.end_work(self.sid);
        let answer = done.map_or_else(Answer::Error, |done| Answer::Rman(Box::new(done)));
        send(writer, &answer).map(|()| Next::Continue)
    }

    fn transaction(&self, request: Request) -> Answer {
        let instance = &self.shared.instance;
        match request {
            Request::Commit {
                number,
                session,
                changes,
            } => match instance.commit(number, session, &changes) {
                Ok((scn, time)) => Answer::Committed {
                    scn: scn.get(),
                    time: OracleTime::raw(time),
                },
                Err(error) => Answer::Error(error),
            },
            _ => match instance.capacity() {
                Ok((keys, loaded, seed)) => Answer::Capacity { keys, loaded, seed },
                Err(error) => Answer::Error(error),
            },
        }
    }

    fn scan(&self, writer: &mut impl Write, scan: Scan) -> std::io::Result<()> {
        let mut written = Ok(());
        let scanned = scan(&self.shared.instance, &mut |answer| {
            written = send(writer, &answer);
            written.is_ok()
        });
        written?;
        send(
            writer,
            &scanned.map_or_else(Answer::Error, |()| Answer::End),
        )
    }
}

/// Whether the peer has closed the connection. It sends nothing while it waits for an answer.
fn is_gone(stream: &UnixStream) -> bool {
    let mut byte = [0];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match rustix::net::recv(stream, &mut byte, flags) {
        Ok((_, received)) => received == 0,
        Err(errno) => errno != rustix::io::Errno::AGAIN && errno != rustix::io::Errno::INTR,
    }
}

fn asks_for_abort(request: &Request) -> bool {
    let Request::Execute(text) = request else {
        return false;
    };
    matches!(
        statement::parse(text),
        Ok(Statement::Shutdown(ShutdownMode::Abort))
    )
}

fn statement_answer(result: OraResult<Outcome>) -> Answer {
    result.map_or_else(Answer::Error, Answer::Done)
}

fn send(writer: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    serde_json::to_writer(&mut *writer, answer)?;
    writer.write_all(b"\n")
}

/// The next request; None at the end of the connection, an error of ours for what is no request.
fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<OraResult<Request>>> {
    let mut line = Vec::new();
    reader
        .take(REQUEST_BYTES_MAX)
        .read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let broken = |why: String| {
        OraError::new(
            3106,
            format!("fatal two-task communication protocol error: {why}"),
        )
    };
    if line.last() != Some(&b'\n') {
        let why = format!("a request without an end within {REQUEST_BYTES_MAX} bytes");
        return Ok(Some(Err(broken(why))));
    }
    Ok(Some(
        serde_json::from_slice(&line).map_err(|error| broken(error.to_string())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<OraResult<Request>> {
        read_request(&mut &*bytes).unwrap()
    }

    #[test]
    fn requests_are_lines_of_json() {
        assert!(matches!(
            read(b"\"Capacity\"\n"),
            Some(Ok(Request::Capacity))
        ));
        assert!(
            matches!(read(b"{\"Execute\":\"select 1\"}\nrest"), Some(Ok(Request::Execute(text))) if text == "select 1")
        );
        assert!(read(b"").is_none());
    }

    #[test]
    fn what_is_no_request_is_refused_within_bounds() {
        let endless = vec![b'x'; REQUEST_BYTES_MAX as usize + 10];
        let deep = [vec![b'['; 100_000], b"\n".to_vec()].concat();
        for broken in [
            &b"\n"[..],
            b"{}\n",
            b"\xff\xfe\n",
            b"\"Capacity\"",
            &endless,
            &deep,
            b"{\"Commit\":{\"number\":-1}}\n",
        ] {
            assert_eq!(read(broken).unwrap().unwrap_err().code(), 3106);
        }
    }
}
