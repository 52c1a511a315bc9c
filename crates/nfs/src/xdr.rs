//! The external data representation (RFC 4506): numbers and byte strings, four bytes at a time.
//! What lives here: a reader that never believes a length, and a writer into a buffer that is used again. What does not:
//! what the numbers mean.

/// Memory that is kept between replies even when nobody asks anything.
const KEEP_BYTES: usize = 16 << 10;

/// The bytes end too early, or say what no sender may say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Garbage;

/// Takes values off a record. Nothing is copied or allocated: byte strings are slices of the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// What was not taken yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// So many bytes, without padding.
    pub(crate) fn fixed(&mut self, length: usize) -> Result<&'a [u8], Garbage> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Garbage)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Garbage> {
        self.fixed(LENGTH)?.try_into().map_err(|_| Garbage)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Garbage> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Garbage> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Garbage> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Garbage),
        }
    }

    /// A byte string of at most `max` bytes, with its length before it and its padding after it.
    pub(crate) fn opaque(&mut self, max: usize) -> Result<&'a [u8], Garbage> {
        let length = usize::try_from(self.u32()?).map_err(|_| Garbage)?;
        if length > max {
            return Err(Garbage);
        }
        let bytes = self.fixed(length)?;
        self.fixed(padding(length))?;
        Ok(bytes)
    }
}

/// Bytes of zeros that follow a string of this length.
fn padding(length: usize) -> usize {
    length.wrapping_neg() % 4
}

/// Collects a reply. Its memory stays from reply to reply, so that a megabyte of data is not cleared each time.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    used: usize,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer::default()
    }

    /// Forgets what was written, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// Forgets everything after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.used = self.used.min(length);
    }

    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    /// The next `length` bytes, to be filled by the caller; they hold what an earlier reply left there.
    pub(crate) fn space(&mut self, length: usize) -> &mut [u8] {
        let from = self.used;
        let end = from + length;
        if self.bytes.len() < end {
            // Doubled, so that a reply of many small values does not move its bytes for each of them.
            self.bytes.resize(end.max(2 * from).max(512), 0);
        }
        self.used = end;
        &mut self.bytes[from..end]
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.space(bytes.len()).copy_from_slice(bytes);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.u32(value.into());
    }

    /// A byte string with its length before it and its padding after it; longer than 4 GiB never happens here.
    pub(crate) fn opaque(&mut self, bytes: &[u8]) {
        self.u32(
            u32::try_from(bytes.len()).expect("a byte string of a reply is shorter than 4 GiB"),
        );
        self.raw(bytes);
        self.pad(bytes.len());
    }

    /// The zeros after a byte string of this length.
    pub(crate) fn pad(&mut self, length: usize) {
        self.space(padding(length)).fill(0);
    }

    /// Overwrites a number that was written before.
    pub(crate) fn patch_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Gives the memory of a long reply back.
    pub(crate) fn shrink(&mut self) {
        if self.bytes.len() > KEEP_BYTES {
            *self = Writer::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::new();
        writer.u32(7);
        writer.u64(1 << 40);
        writer.bool(true);
        writer.opaque(b"five5");
        writer.opaque(b"");
        let mut reader = Reader::new(writer.written());
        assert_eq!(reader.u32(), Ok(7));
        assert_eq!(reader.u64(), Ok(1 << 40));
        assert_eq!(reader.bool(), Ok(true));
        assert_eq!(reader.opaque(5), Ok(&b"five5"[..]));
        assert_eq!(reader.opaque(0), Ok(&b""[..]));
        assert_eq!(reader.rest(), b"");
    }

    #[test]
    fn a_length_beyond_the_record_or_the_limit_is_garbage() {
        assert_eq!(Reader::new(&[0xff; 4]).opaque(usize::MAX), Err(Garbage));
        assert_eq!(
            Reader::new(&[0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0]).opaque(4),
            Err(Garbage)
        );
        assert_eq!(
            Reader::new(&[0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0]).opaque(5),
            Err(Garbage)
        );
        assert_eq!(Reader::new(&[0, 0, 0, 2]).bool(), Err(Garbage));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, wishes in prop::collection::vec(0_u8..5, 0..40)) {
            let mut reader = Reader::new(&bytes);
            for wish in wishes {
                let before = reader.rest().len();
                let taken = match wish {
                    0 => reader.u32().map(|_| 4),
                    1 => reader.u64().map(|_| 8),
                    2 => reader.bool().map(|_| 4),
                    3 => reader.opaque(100).map(|taken| 4 + taken.len().next_multiple_of(4)),
                    _ => reader.fixed(3).map(|_| 3),
                };
                if let Ok(taken) = taken {
                    prop_assert_eq!(reader.rest().len() + taken, before);
                }
            }
        }
    }
}
