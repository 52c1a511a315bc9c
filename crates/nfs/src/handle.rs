//! File handles as clients see them.
//! What lives here: their bytes, and the seal that tells ours from others. What does not: opening what they name.
//!
//! `version:1 length:1 zeros:2 kind:4 export:8 kernel handle:length seal:16`, at most 64 bytes, numbers little-endian. A
//! kernel handle names any file of a file system, also outside the exported directory, so a handle must be one that this
//! server gave: the seal is a keyed BLAKE3 hash over all before it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::kernel::KernelHandle;
use crate::xdr::Reader;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 16;
const SEAL_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// Bytes of the longest handle that a client may send (RFC 1813, NFS3_FHSIZE).
pub(crate) const WIRE_BYTES_MAX: usize = 64;

/// The secret that seals file handles. With the same key, handles stay good over restarts.
///
/// Whoever knows it can make a handle of any file of an exported file system.
#[derive(Clone)]
pub struct HandleKey([u8; KEY_BYTES]);

impl HandleKey {
    /// A key kept elsewhere.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> HandleKey {
        HandleKey(bytes)
    }

    /// A new key from the kernel's random numbers.
    pub fn random() -> io::Result<HandleKey> {
        random().map(HandleKey)
    }

    /// The key in this file, which is made, readable for its owner only, if it is not there. After a crash the file is
    /// whole or not there.
    pub fn load_or_create(path: &Path) -> io::Result<HandleKey> {
        match File::open(path) {
            Ok(file) => Self::load(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(error),
        }
    }

    fn load(file: File, path: &Path) -> io::Result<HandleKey> {
        let mut bytes = Vec::new();
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        bytes.try_into().map(HandleKey).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is no key of file handles: it has not {KEY_BYTES} bytes. HINT: put it back from a copy; without it a new one is made, and clients must mount again",
                    path.display()
                ),
            )
        })
    }

    fn create(path: &Path) -> io::Result<HandleKey> {
        let key = HandleKey::random()?;
        let new = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&key.0)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(key)
    }

    /// The handle of a file of an export.
    pub(crate) fn seal(&self, export: u64, file: &KernelHandle) -> WireHandle {
        let mut wire = WireHandle {
            bytes: [0; WIRE_BYTES_MAX],
            length: 0,
        };
        wire.push(&[VERSION, file.bytes().len() as u8, 0, 0]);
        wire.push(&file.kind().to_le_bytes());
        wire.push(&export.to_le_bytes());
        wire.push(file.bytes());
        let seal = self.hash(wire.as_bytes());
        wire.push(&seal);
        wire
    }

    /// Export and file that a handle names; None if this server did not make it.
    pub(crate) fn open(&self, wire: &[u8]) -> Option<(u64, KernelHandle)> {
        let (sealed, seal) = wire.split_at_checked(wire.len().checked_sub(SEAL_BYTES)?)?;
        // Compared in whole, so that the time of an answer says nothing about how much of a guess was right.
        let wrong = self
            .hash(sealed)
            .iter()
            .zip(seal)
            .fold(0, |wrong, (ours, theirs)| wrong | (ours ^ theirs));
        let (header, file) = sealed.split_at_checked(HEADER_BYTES)?;
        let mut header = Reader::new(header);
        let [version, length, 0, 0] = *header.fixed(4).ok()? else {
            return None;
        };
        if wrong != 0 || version != VERSION || usize::from(length) != file.len() {
            return None;
        }
        let kind = i32::from_le_bytes(header.fixed(4).ok()?.try_into().ok()?);
        let export = u64::from_le_bytes(header.fixed(8).ok()?.try_into().ok()?);
        Some((export, KernelHandle::new(kind, file)?))
    }

    fn hash(&self, bytes: &[u8]) -> [u8; SEAL_BYTES] {
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&blake3::keyed_hash(&self.0, bytes).as_bytes()[..SEAL_BYTES]);
        seal
    }
}

impl fmt::Debug for HandleKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HandleKey(secret)")
    }
}

/// Random bytes from the kernel.
pub(crate) fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of a handle on the wire.
#[derive(Clone, Copy)]
pub(crate) struct WireHandle {
    bytes: [u8; WIRE_BYTES_MAX],
    length: usize,
}

impl WireHandle {
    fn push(&mut self, more: &[u8]) {
        // Header, the longest kernel handle and the seal are 64 bytes.
        self.bytes[self.length..self.length + more.len()].copy_from_slice(more);
        self.length += more.len();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::HANDLE_BYTES_MAX;

    fn key() -> HandleKey {
        HandleKey::from_bytes([7; KEY_BYTES])
    }

    #[test]
    fn a_key_stays_in_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("handle-key");
        let first = HandleKey::load_or_create(&path).unwrap();
        let second = HandleKey::load_or_create(&path).unwrap();
        assert_eq!(first.0, second.0);
        fs::write(&path, "short").unwrap();
        let error = HandleKey::load_or_create(&path).unwrap_err();
        assert!(
            error.to_string().contains("is no key of file handles"),
            "{error}"
        );
    }

    #[test]
    fn the_longest_handle_fits() {
        let file = KernelHandle::new(-1, &[9; HANDLE_BYTES_MAX]).unwrap();
        let wire = key().seal(u64::MAX, &file);
        assert_eq!(wire.as_bytes().len(), WIRE_BYTES_MAX);
        assert_eq!(key().open(wire.as_bytes()), Some((u64::MAX, file)));
    }

    proptest! {
        #[test]
        fn a_handle_changed_in_one_bit_or_in_length_is_not_ours(
            export: u64, kind: i32, bytes in prop::collection::vec(any::<u8>(), 0..=HANDLE_BYTES_MAX), bit: prop::sample::Index,
        ) {
            let file = KernelHandle::new(kind, &bytes).unwrap();
            let wire = key().seal(export, &file);
            prop_assert_eq!(key().open(wire.as_bytes()), Some((export, file)));
            let mut changed = wire.as_bytes().to_vec();
            let bit = bit.index(changed.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key().open(&changed), None);
            prop_assert_eq!(key().open(&wire.as_bytes()[..wire.as_bytes().len() - 1]), None);
            prop_assert_eq!(HandleKey::from_bytes([8; KEY_BYTES]).open(wire.as_bytes()), None);
        }

        #[test]
        fn no_bytes_make_the_opening_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(key().open(&bytes), None);
        }
    }
}
