//! Records in a TCP stream (RFC 5531, section 11): each fragment has its length and an "it was the last" before it.
//! What lives here: taking whole records off a connection, within bounds of size and time. What does not: what is in them.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::procedures::TRANSFER_BYTES_MAX;

/// Bytes of the longest record: the longest WRITE, and its head.
pub(crate) const RECORD_BYTES_MAX: usize = TRANSFER_BYTES_MAX + (128 << 10);
/// Fragments of a record; some clients send as many as packets.
pub(crate) const FRAGMENTS_MAX: u32 = 4096;
pub(crate) const LAST_FRAGMENT: u32 = 1 << 31;
/// What is taken off the socket at once, when the length of the record is not known yet.
const AHEAD_BYTES: usize = 16 << 10;
/// A client that says nothing for so long is forgotten: it will connect again when it has something to say.
const IDLE_MAX: Duration = Duration::from_secs(900);

/// The bytes of a record. The memory stays from record to record.
#[derive(Debug, Default)]
pub(crate) struct Record {
    buffer: Vec<u8>,
    length: usize,
}

impl Record {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The next `length` bytes. Memory comes in untouched pages, so that a length that is only claimed costs nothing.
    fn space(&mut self, length: usize) -> &mut [u8] {
        let (from, end) = (self.length, self.length + length);
        if self.buffer.len() < end {
            let mut larger = vec![0; end.next_multiple_of(AHEAD_BYTES)];
            larger[..from].copy_from_slice(&self.buffer[..from]);
            self.buffer = larger;
        }
        self.length = end;
        &mut self.buffer[from..end]
    }

    /// Gives the memory of a long record back.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.len() > AHEAD_BYTES {
            *self = Record::default();
        }
    }
}

/// Takes records off a connection, whose socket must have a receive timeout.
#[derive(Debug)]
pub(crate) struct RecordReader {
    /// Bytes taken off the socket and not yet given: `ahead[taken..filled]`.
    ahead: Box<[u8]>,
    taken: usize,
    filled: usize,
    /// How long a record may take from its first byte to its last.
    patience: Duration,
    idle_since: Instant,
    /// Once the server stops: bytes that had been received by then and are still answered.
    last_bytes: Option<u64>,
}

/// What ends a connection.
#[derive(Debug)]
pub(crate) enum End {
    /// The client has said all, or the server stops: what was received is answered.
    Quiet,
    /// The client breaks the rules, or the connection broke.
    Broken,
}

/// Where the bytes of a connection come from.
pub(crate) trait Stream {
    /// Takes what is there, or waits for it as long as the timeout says. Nothing: the stream is at its end.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Bytes that are there already.
    fn waiting(&self) -> io::Result<u64>;
}

impl Stream for TcpStream {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self;
        stream.read(buffer)
    }

    fn waiting(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(self)?)
    }
}

/// Whether and how the reading stops.
pub(crate) struct Source<'a> {
    pub(crate) stream: &'a dyn Stream,
    pub(crate) stopping: &'a AtomicBool,
}

impl RecordReader {
    pub(crate) fn new(patience: Duration) -> RecordReader {
        RecordReader {
            ahead: vec![0; AHEAD_BYTES].into_boxed_slice(),
            taken: 0,
            filled: 0,
            patience,
            idle_since: Instant::now(),
            last_bytes: None,
        }
    }

    /// Waits for a whole record. False: nothing came within the socket's timeout.
    pub(crate) fn read(&mut self, source: &Source<'_>, record: &mut Record) -> Result<bool, End> {
        record.length = 0;
        if !self.has_first_byte(source)? {
            return Ok(false);
        }
        let deadline = Instant::now() + self.patience;
        for _ in 0..FRAGMENTS_MAX {
            let mut header = [0; 4];
            self.fill(source, &mut header, deadline)?;
            let header = u32::from_be_bytes(header);
            let length = (header & !LAST_FRAGMENT) as usize;
            if length > RECORD_BYTES_MAX - record.length {
                return Err(End::Broken);
            }
            self.fill(source, record.space(length), deadline)?;
            if header & LAST_FRAGMENT != 0 {
                self.idle_since = Instant::now();
                return Ok(true);
            }
        }
        Err(End::Broken)
    }

    fn has_first_byte(&mut self, source: &Source<'_>) -> Result<bool, End> {
        if self.taken < self.filled {
            return Ok(true);
        }
        match self.receive_ahead(source) {
            Ok(0) => Err(End::Quiet),
            Ok(_) => Ok(true),
            Err(error) if !is_timeout(&error) => Err(End::Broken),
            Err(_) if self.idle_since.elapsed() < IDLE_MAX => Ok(false),
            Err(_) => Err(End::Quiet),
        }
    }

    /// Fills the buffer with what comes next.
    fn fill(
        &mut self,
        source: &Source<'_>,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Result<(), End> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            if self.taken < self.filled {
                let length = rest.len().min(self.filled - self.taken);
                rest[..length].copy_from_slice(&self.ahead[self.taken..self.taken + length]);
                self.taken += length;
                done += length;
                continue;
            }
            if Instant::now() > deadline {
                return Err(End::Broken);
            }
            // What is long goes straight to its place; with what is short comes along what follows it.
            let received = if rest.len() >= AHEAD_BYTES {
                let received = self.receive(source, rest);
                done += received.as_ref().map_or(0, |bytes| *bytes);
                received
            } else {
                self.receive_ahead(source)
            };
            match received {
                Ok(0) => return Err(End::Quiet),
                Err(error) if !is_timeout(&error) => return Err(End::Broken),
                _ => {}
            }
        }
        Ok(())
    }

    fn receive_ahead(&mut self, source: &Source<'_>) -> io::Result<usize> {
        let mut ahead = std::mem::take(&mut self.ahead);
        let received = self.receive(source, &mut ahead);
        self.ahead = ahead;
        self.taken = 0;
        self.filled = received.as_ref().map_or(0, |bytes| *bytes);
        received
    }

    /// Takes what is there, or waits for it as long as the socket's timeout says. Nothing: the stream is at its end.
    fn receive(&mut self, source: &Source<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        if self.last_bytes.is_none() && source.stopping.load(Ordering::SeqCst) {
            // The socket still takes what the client goes on sending; only what was there is answered.
            self.last_bytes = Some(source.stream.waiting()?);
        }
        let limit = self.last_bytes.map_or(buffer.len(), |bytes| {
            buffer
                .len()
                .min(usize::try_from(bytes).unwrap_or(usize::MAX))
        });
        if limit == 0 {
            return Ok(0);
        }
        let received = loop {
            match source.stream.receive(&mut buffer[..limit]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if let Some(left) = &mut self.last_bytes {
            *left = left.saturating_sub(received as u64);
        }
        Ok(received)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
