//! One client's connection and the threads that serve it.
//! What lives here: who reads, who works, who sends, and when it ends. What does not: what a call does (dispatch.rs).
//!
//! The threads take turns: the one whose turn it is reads a record, passes the turn on and works on what it read, with the
//! data still in its processor's cache. There are no queues: when all threads work, nobody reads, and TCP makes the client
//! wait.

use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::dispatch;
use crate::kernel;
use crate::record::{End, Record, RecordReader, Source};
use crate::server::Shared;
use crate::xdr::Writer;

/// Threads of a connection that work at the same time.
const WORKING_MAX: usize = 8;
/// Threads of a connection, with those that wait for the end of a pause.
const THREADS_MAX: usize = 32;
/// A thread that has nothing to do for so long ends.
const KEEP_THREAD: Duration = Duration::from_secs(5);
/// Enough for what a call does; its data is not on the stack.
const STACK_BYTES: usize = 256 << 10;
/// How often a read or a wait looks up, to give memory back.
const TICK: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    number: u64,
    stream: TcpStream,
    peer: IpAddr,
    shared: Arc<Shared>,
    turn: Mutex<Turn>,
    passed: Condvar,
    sending: Mutex<()>,
}

struct Turn {
    /// Who has it reads. None: somebody does.
    reader: Option<Box<RecordReader>>,
    /// Threads that wait for their turn.
    waiting: usize,
    threads: usize,
    /// Threads that wait for the end of a pause.
    held: usize,
    /// Nothing more is to be read.
    over: bool,
}

impl Connection {
    /// Serves a client that has connected, until it leaves or the server stops.
    pub(crate) fn start(
        number: u64,
        stream: TcpStream,
        peer: IpAddr,
        shared: &Arc<Shared>,
    ) -> io::Result<()> {
        let patience = shared.patience;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK.min(patience)))?;
        stream.set_write_timeout(Some(patience))?;
        // A client whose machine died says nothing for ever.
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        let connection = Arc::new(Connection {
            number,
            stream,
            peer,
            shared: Arc::clone(shared),
            turn: Mutex::new(Turn {
                reader: Some(Box::new(RecordReader::new(patience))),
                waiting: 0,
                threads: 1,
                held: 0,
                over: false,
            }),
            passed: Condvar::new(),
            sending: Mutex::new(()),
        });
        shared.connected(number, &connection);
        connection.spawn()
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Lets the threads answer what was received, and read nothing more.
    pub(crate) fn stop_reading(&self) {
        // It fails when the client has gone, and then there is nothing to stop.
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that was counted already.
    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let thread = Thread(Arc::clone(self));
        // If it cannot be started, the closure is dropped and with it the count.
        let builder = thread::Builder::new()
            .name("nfs".into())
            .stack_size(STACK_BYTES);
        builder.spawn(move || thread.0.serve()).map(drop)
    }

    /// What each thread does.
    fn serve(self: &Arc<Self>) {
        if kernel::clear_thread_creation_mask().is_err() {
            self.end(End::Broken);
            return;
        }
        let mut record = Record::default();
        let mut reply = Writer::new();
        let source = Source {
            stream: &self.stream,
            stopping: &self.shared.stopping,
        };
        while let Some(mut reader) = self.take_turn() {
            match reader.read(&source, &mut record) {
                Ok(true) => {}
                Ok(false) => {
                    record.shrink();
                    reply.shrink();
                    self.pass_turn_back(reader);
                    continue;
                }
                Err(end) => return self.end(end),
            }
            if dispatch::is_quick(record.bytes()) {
                // Done before another thread could be woken.
                self.answer(&record, &mut reply);
                self.pass_turn(reader);
            } else {
                self.pass_turn(reader);
                self.answer(&record, &mut reply);
            }
        }
    }

    /// Waits until it is this thread's turn to read. None: it is not needed any more.
    fn take_turn(&self) -> Option<Box<RecordReader>> {
        let mut turn = self.turn();
        loop {
            if turn.over {
                return None;
            }
            if let Some(reader) = turn.reader.take() {
                return Some(reader);
            }
            turn.waiting += 1;
            let (woken, waited) = self
                .passed
                .wait_timeout(turn, KEEP_THREAD)
                .unwrap_or_else(PoisonError::into_inner);
            turn = woken;
            turn.waiting -= 1;
            if waited.timed_out() && turn.reader.is_none() {
                return None;
            }
        }
    }

    /// Keeps the turn for whoever takes it first, mostly for itself.
    fn pass_turn_back(&self, reader: Box<RecordReader>) {
        self.turn().reader = Some(reader);
    }

    /// Lets another thread read; if none waits, starts one, within the bounds.
    fn pass_turn(self: &Arc<Self>, reader: Box<RecordReader>) {
        let mut turn = self.turn();
        turn.reader = Some(reader);
        self.find_reader(turn);
    }

    fn find_reader(self: &Arc<Self>, mut turn: MutexGuard<'_, Turn>) {
        if turn.waiting > 0 {
            self.passed.notify_one();
        } else if turn.threads - turn.held < WORKING_MAX && turn.threads < THREADS_MAX {
            turn.threads += 1;
            drop(turn);
            // Without another thread, those there are go on when they have time.
            let _ = self.spawn();
        }
    }

    fn answer(self: &Arc<Self>, record: &Record, reply: &mut Writer) {
        reply.clear();
        // The length of the record, known in the end.
        reply.u32(0);
        dispatch::answer(&self.shared, self, record.bytes(), reply);
        let length = reply.len() - 4;
        if length == 0 {
            return;
        }
        const LAST_FRAGMENT: u32 = 1 << 31;
        reply.patch_u32(
            0,
            LAST_FRAGMENT | u32::try_from(length).expect("a reply is shorter than 2 GiB"),
        );
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = self.send(reply.written());
        drop(sending);
        if sent.is_err() {
            // Half a reply may have gone out: nothing more can follow it.
            self.end(End::Broken);
        }
    }

    /// Sends all of it while the patience lasts: the socket's timeout is for each step, and a client that takes a little
    /// from time to time would have steps without an end.
    fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + self.shared.patience;
        loop {
            match (&self.stream).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if bytes.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Marks that this thread will wait for the end of a pause, so that others may go on reading.
    pub(crate) fn hold(self: &Arc<Self>) -> Held<'_> {
        let mut turn = self.turn();
        turn.held += 1;
        if turn.reader.is_some() {
            self.find_reader(turn);
        }
        Held(self)
    }

    fn end(&self, end: End) {
        if matches!(end, End::Broken) {
            // It fails when the client has gone already.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
        self.turn().over = true;
        self.passed.notify_all();
    }
}

/// A thread waits for the end of a pause.
pub(crate) struct Held<'a>(&'a Connection);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.turn().held -= 1;
    }
}

/// A thread of the connection is counted. The last one to end closes it.
struct Thread(Arc<Connection>);

impl Drop for Thread {
    fn drop(&mut self) {
        if thread::panicking() {
            // A call without an answer would leave the client waiting; so it connects again.
            self.0.end(End::Broken);
        }
        let last = {
            let mut turn = self.0.turn();
            turn.threads -= 1;
            turn.threads == 0
        };
        if last {
            self.0.shared.disconnected(self.0.number);
        }
    }
}
