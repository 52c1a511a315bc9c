//! The parsers of what clients send, driven by whatever bytes there are, for fuzz/ and for tests/parsers.rs.
//! What lives here: records taken off a stream, calls and their arguments read, both checked. What does not: doing what a
//! call asks for; no file is touched.

use std::cell::Cell;
use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::dispatch::{self, NFS_PROGRAM, NFS_VERSION};
use crate::handle::{HandleKey, WIRE_BYTES_MAX};
use crate::mount;
use crate::portmapper;
use crate::procedures;
use crate::record::{
    FRAGMENTS_MAX, LAST_FRAGMENT, RECORD_BYTES_MAX, Record, RecordReader, Source, Stream,
};
use crate::rpc::{self, Call};
use crate::xdr::{Reader, Writer};

/// The key that seals file handles here, so that a test can send some that are opened.
pub const HANDLE_KEY: [u8; 32] = [42; 32];

/// So long a record may take: no input takes it.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Takes records off a stream as a connection does, and reads the call in each. The first byte says in which pieces the
/// stream comes, the rest is the stream. How many records there were; panics when one is not what its fragments hold.
pub fn record(bytes: &[u8]) -> usize {
    const HESITATES: u8 = 0x80;
    const STOPS: u8 = 0x40;
    let Some((how, mut rest)) = bytes.split_first() else {
        return 0;
    };
    let pieces = Pieces {
        rest: Cell::new(rest),
        length: [usize::MAX, 1, 3, 4, 5, 1448, 1 << 14, 1 << 16][usize::from(how % 8)],
        hesitates: how & HESITATES != 0,
        hesitated: Cell::new(false),
    };
    let source = Source {
        stream: &pieces,
        stopping: &AtomicBool::new(how & STOPS != 0),
    };
    let mut reader = RecordReader::new(PATIENCE);
    let mut record = Record::default();
    let mut records = 0;
    loop {
        match reader.read(&source, &mut record) {
            Ok(true) => {
                let mut at = 0;
                let after = first_record(rest, |fragment| {
                    let end = at + fragment.len();
                    assert!(
                        record.bytes().get(at..end) == Some(fragment),
                        "a record has other bytes from {at} to {end} than its fragments"
                    );
                    at = end;
                });
                rest = after.expect("a record was read that is not there");
                assert_eq!(record.bytes().len(), at, "a record is too long");
                call(record.bytes());
                records += 1;
            }
            Ok(false) => record.shrink(),
            Err(_) => break,
        }
    }
    assert!(
        first_record(rest, |_| {}).is_none(),
        "a record was left behind"
    );
    records
}

/// Reads a record's call and its arguments as the programs do. Whether all of it was understood.
pub fn call(bytes: &[u8]) -> bool {
    let _ = dispatch::is_quick(bytes);
    let mut reply = Writer::new();
    let call = match Call::read(bytes) {
        Ok(call) => call,
        Err(bad) => {
            rpc::deny(&mut reply, bad);
            return false;
        }
    };
    match (call.program, call.version) {
        (NFS_PROGRAM, NFS_VERSION) => nfs_arguments(&call).is_ok(),
        (mount::PROGRAM, _) => mount::name(&call).is_ok(),
        (portmapper::PROGRAM, portmapper::VERSION) => {
            portmapper::answer(2049, &call, &mut reply) == dispatch::Answer::Written
        }
        _ => false,
    }
}

fn nfs_arguments(call: &Call<'_>) -> Result<(), procedures::Refusal> {
    if call.procedure == 0 {
        return Ok(());
    }
    let mut arguments = call.arguments;
    // Whose handle it is decides whether the rest is read; here the rest is read in any case.
    let handle = arguments.opaque(WIRE_BYTES_MAX)?;
    let opened = HandleKey::from_bytes(HANDLE_KEY).open(handle);
    procedures::read_arguments(call.procedure, &mut arguments)?;
    opened.map(drop).ok_or(procedures::Refusal::Garbage)
}

/// The first record of a stream, read as simply as can be: gives each of its fragments and returns what comes after it.
/// None: it is not whole or breaks a limit.
fn first_record<'a>(stream: &'a [u8], mut give: impl FnMut(&'a [u8])) -> Option<&'a [u8]> {
    let mut stream = Reader::new(stream);
    let mut length = 0;
    for _ in 0..FRAGMENTS_MAX {
        let mark = stream.u32().ok()?;
        let fragment = stream.fixed((mark & !LAST_FRAGMENT) as usize).ok()?;
        length += fragment.len();
        if length > RECORD_BYTES_MAX {
            return None;
        }
        give(fragment);
        if mark & LAST_FRAGMENT != 0 {
            return Some(stream.rest());
        }
    }
    None
}

/// A stream that is all there, and is given in pieces.
struct Pieces<'a> {
    rest: Cell<&'a [u8]>,
    /// Of a piece.
    length: usize,
    /// Before each piece the timeout passes once.
    hesitates: bool,
    hesitated: Cell<bool>,
}

impl Stream for Pieces<'_> {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.hesitates && !self.hesitated.replace(!self.hesitated.get()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let rest = self.rest.get();
        let length = rest.len().min(self.length).min(buffer.len());
        let (piece, rest) = rest.split_at(length);
        buffer[..length].copy_from_slice(piece);
        self.rest.set(rest);
        Ok(length)
    }

    fn waiting(&self) -> io::Result<u64> {
        Ok(self.rest.get().len() as u64)
    }
}
