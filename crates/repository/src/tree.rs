//! Directories in a recovery point.
//! What lives here: nodes, their JSON and their names. What does not: reading file systems (ingest) and writing them
//! (restore).
//!
//! Source: "Trees and Data" in restic's design document. Names are quoted as Go does it, so that a name of any bytes
//! survives. Modes are those of Go's `os.FileMode`: permissions in the lowest nine bits, the kind in the highest.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::Id;

/// Longest name of a file in bytes, as file systems have it.
const NAME_BYTES_MAX: usize = 255;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A block device.
    Dev,
    /// A character device.
    Chardev,
    /// A pipe with a name.
    Fifo,
    /// A socket.
    Socket,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Quoted name.
    pub(crate) name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: NodeKind,
    /// Go's mode bits.
    #[serde(default)]
    pub(crate) mode: u32,
    /// Last change of its content.
    #[serde(default = "epoch")]
    pub mtime: Timestamp,
    #[serde(default = "epoch")]
    pub(crate) atime: Timestamp,
    #[serde(default = "epoch")]
    pub(crate) ctime: Timestamp,
    /// Its owner.
    #[serde(default)]
    pub uid: u32,
    /// Its group.
    #[serde(default)]
    pub gid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) inode: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) device_id: u64,
    /// Bytes of a file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) links: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) linktarget: String,
    /// The same in bytes, when they are no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) linktarget_raw: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) device: u64,
    /// Chunks of a file, in order.
    #[serde(default)]
    pub(crate) content: Option<Vec<Id>>,
    /// A directory's own entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subtree: Option<Id>,
}

/// A directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub nodes: Vec<Node>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn epoch() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Mode bits of Go that have other places than in Unix.
mod go {
    pub(super) const DIR: u32 = 1 << 31;
    pub(super) const SYMLINK: u32 = 1 << 27;
    pub(super) const DEVICE: u32 = 1 << 26;
    pub(super) const FIFO: u32 = 1 << 25;
    pub(super) const SOCKET: u32 = 1 << 24;
    pub(super) const SETUID: u32 = 1 << 23;
    pub(super) const SETGID: u32 = 1 << 22;
    pub(super) const CHARDEV: u32 = 1 << 21;
    pub(super) const STICKY: u32 = 1 << 20;
}

impl Node {
    /// A node without content.
    pub(crate) fn new(
        name: &OsStr,
        kind: NodeKind,
        unix_mode: u32,
        mtime: Timestamp,
        owner: (u32, u32),
    ) -> Node {
        Node {
            name: quote(name.as_bytes()),
            kind,
            mode: go_mode(kind, unix_mode),
            mtime,
            atime: mtime,
            ctime: mtime,
            uid: owner.0,
            gid: owner.1,
            inode: 0,
            device_id: 0,
            size: 0,
            links: 0,
            linktarget: String::new(),
            linktarget_raw: None,
            device: 0,
            content: None,
            subtree: None,
        }
    }

    /// Its name. An error names one that could lead out of its directory, or is none.
    pub fn name(&self) -> Result<OsString, String> {
        let wrong = || format!("the name {:?} is none", self.name);
        let bytes = unquote(&self.name).ok_or_else(wrong)?;
        let is_name = !bytes.is_empty()
            && bytes.len() <= NAME_BYTES_MAX
            && bytes != b"."
            && bytes != b".."
            && !bytes.contains(&b'/')
            && !bytes.contains(&0);
        if is_name {
            Ok(OsString::from_vec(bytes))
        } else {
            Err(wrong())
        }
    }

    /// Where a symbolic link leads.
    pub(crate) fn link_target(&self) -> OsString {
        use base64::Engine;
        let raw = self.linktarget_raw.as_ref();
        let raw = raw.and_then(|raw| base64::engine::general_purpose::STANDARD.decode(raw).ok());
        raw.map_or_else(|| OsString::from(&self.linktarget), OsString::from_vec)
    }

    pub(crate) fn set_link_target(&mut self, target: &OsStr) {
        use base64::Engine;
        self.linktarget = target.to_string_lossy().into_owned();
        if target.to_str().is_none() {
            let raw = base64::engine::general_purpose::STANDARD.encode(target.as_bytes());
            self.linktarget_raw = Some(raw);
        }
    }

    /// Permissions as Unix has them, with setuid, setgid and the sticky bit.
    pub(crate) fn unix_mode(&self) -> u32 {
        let mut mode = self.mode & 0o777;
        for (bit, unix) in [
            (go::SETUID, 0o4000),
            (go::SETGID, 0o2000),
            (go::STICKY, 0o1000),
        ] {
            if self.mode & bit != 0 {
                mode |= unix;
            }
        }
        mode
    }
}

fn go_mode(kind: NodeKind, unix: u32) -> u32 {
    let mut mode = unix & 0o777;
    for (bit, of_unix) in [
        (go::SETUID, 0o4000),
        (go::SETGID, 0o2000),
        (go::STICKY, 0o1000),
    ] {
        if unix & of_unix != 0 {
            mode |= bit;
        }
    }
    mode | match kind {
        NodeKind::File => 0,
        NodeKind::Dir => go::DIR,
        NodeKind::Symlink => go::SYMLINK,
        NodeKind::Dev => go::DEVICE,
        NodeKind::Chardev => go::DEVICE | go::CHARDEV,
        NodeKind::Fifo => go::FIFO,
        NodeKind::Socket => go::SOCKET,
    }
}

/// Quotes as Go's `strconv.Quote`, without the quotes around it: what is no UTF-8 becomes `\xNN`.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                control if (control as u32) < 0x20 || control as u32 == 0x7f => {
                    text.push_str(&format!("\\x{:02x}", control as u32));
                }
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The bytes of a quoted name.
pub(crate) fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next()? {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            quoted @ ('\\' | '"' | '\'') => bytes.push(quoted as u8),
            'x' => bytes.push(u8::try_from(digits(&mut rest, 2)?).ok()?),
            'u' => push_code_point(&mut bytes, digits(&mut rest, 4)?)?,
            'U' => push_code_point(&mut bytes, digits(&mut rest, 8)?)?,
            _ => return None,
        }
    }
    Some(bytes)
}

fn digits(rest: &mut std::str::Chars, count: usize) -> Option<u32> {
    let digits: String = rest.by_ref().take(count).collect();
    let is_number = digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_number {
        u32::from_str_radix(&digits, 16).ok()
    } else {
        None
    }
}

fn push_code_point(bytes: &mut Vec<u8>, number: u32) -> Option<()> {
    let character = char::from_u32(number)?;
    bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

/// A point in time of the file system.
pub(crate) fn timestamp(seconds: i64, nanoseconds: i64) -> Timestamp {
    let nanoseconds = i32::try_from(nanoseconds).unwrap_or(0);
    Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_survives(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = quote(&bytes);
            prop_assert_eq!(unquote(&text), Some(bytes));
        }

        #[test]
        fn no_text_is_too_strange(text in ".*") {
            let _ = unquote(&text);
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_none() {
        let named = |name: &str| {
            let mut node = Node::new(OsStr::new("x"), NodeKind::File, 0o644, epoch(), (0, 0));
            node.name = name.to_owned();
            node.name()
        };
        assert_eq!(named("a b").unwrap(), "a b");
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/etc/passwd",
            "a\\x00b",
            "\\x2e\\x2e",
            "a\\x2fb",
            "\\",
            "\\q",
            &"n".repeat(256),
        ] {
            assert!(named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn modes_keep_their_special_bits() {
        let node = Node::new(OsStr::new("x"), NodeKind::Dir, 0o7755, epoch(), (0, 0));
        assert_eq!(node.unix_mode(), 0o7755);
        assert_eq!(node.mode, 1 << 31 | 1 << 23 | 1 << 22 | 1 << 20 | 0o755);
    }
}
