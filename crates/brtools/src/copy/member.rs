//! The head of a cpio or tar archive in a stream: whose content follows, and how long it is.
//! What lives here: the formats that `cpio -o` writes. What does not: what is done with the content.
//!
//! Sources: cpio(5) of FreeBSD for the old binary, the portable (`odc`) and the new (`newc`) form, POSIX ustar for the last.

use std::fmt;
use std::io::Read;

/// Longest head: name and padding of the new form included.
const HEAD_BYTES_MAX: usize = 8192;
/// Longest name of a member, in bytes.
const NAME_BYTES_MAX: usize = 4096;
/// Head of the old binary form.
const BINARY_BYTES: usize = 26;
/// Head of the portable form.
const PORTABLE_BYTES: usize = 76;
/// Head of the new form.
const NEW_BYTES: usize = 110;
/// A record of tar.
const TAR_BYTES: usize = 512;
/// Name of the member that ends a cpio archive.
pub const TRAILER: &str = "TRAILER!!!";

/// One member's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name in the archive.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
    /// Bytes of the head with name and padding: the content begins behind them.
    pub head_bytes: usize,
    /// The content is filled up to a multiple of this.
    pub alignment: u64,
}

impl Member {
    /// Bytes between the end of the content and the next head.
    pub fn padding(&self) -> u64 {
        self.bytes.next_multiple_of(self.alignment) - self.bytes
    }
}

/// The bytes are no head of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoArchive;

impl fmt::Display for NoArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no archive of cpio or tar")
    }
}

/// Reads the head at the beginning of `bytes`. None when more bytes are needed.
pub fn head(bytes: &[u8]) -> Result<Option<Member>, NoArchive> {
    let Some(magic) = bytes.get(..6) else {
        return Ok(None);
    };
    match magic {
        [0xc7, 0x71, ..] => binary(bytes, u16::from_le_bytes),
        [0x71, 0xc7, ..] => binary(bytes, u16::from_be_bytes),
        b"070707" => portable(bytes),
        b"070701" => new(bytes),
        _ => ustar(bytes),
    }
}

fn binary(bytes: &[u8], short: fn([u8; 2]) -> u16) -> Result<Option<Member>, NoArchive> {
    let Some(head) = bytes.get(..BINARY_BYTES) else {
        return Ok(None);
    };
    let at = |offset: usize| u64::from(short([head[offset], head[offset + 1]]));
    let name_bytes = at(20) as usize;
    // A long number has its more significant half first, whatever the order of the bytes.
    finish(bytes, BINARY_BYTES, name_bytes, (at(22) << 16) | at(24), 2)
}

fn portable(bytes: &[u8]) -> Result<Option<Member>, NoArchive> {
    let Some(head) = bytes.get(..PORTABLE_BYTES) else {
        return Ok(None);
    };
    let (name, size) = (number(&head[59..65], 8)?, number(&head[65..76], 8)?);
    finish(bytes, PORTABLE_BYTES, name as usize, size, 1)
}

fn new(bytes: &[u8]) -> Result<Option<Member>, NoArchive> {
    let Some(head) = bytes.get(..NEW_BYTES) else {
        return Ok(None);
    };
    let (size, name) = (number(&head[54..62], 16)?, number(&head[94..102], 16)?);
    finish(bytes, NEW_BYTES, name as usize, size, 4)
}

fn finish(
    bytes: &[u8],
    head_bytes: usize,
    name_bytes: usize,
    size: u64,
    alignment: u64,
) -> Result<Option<Member>, NoArchive> {
    if name_bytes == 0 || name_bytes > NAME_BYTES_MAX {
        return Err(NoArchive);
    }
    let end = (head_bytes + name_bytes).next_multiple_of(alignment as usize);
    if bytes.len() < end {
        return Ok(None);
    }
    let name = bytes[head_bytes..head_bytes + name_bytes]
        .strip_suffix(b"\0")
        .ok_or(NoArchive)?;
    Ok(Some(Member {
        name: std::str::from_utf8(name).map_err(|_| NoArchive)?.to_owned(),
        bytes: size,
        head_bytes: end,
        alignment,
    }))
}

fn ustar(bytes: &[u8]) -> Result<Option<Member>, NoArchive> {
    let Some(head) = bytes.get(..TAR_BYTES) else {
        return if bytes.len() < HEAD_BYTES_MAX {
            Ok(None)
        } else {
            Err(NoArchive)
        };
    };
    if head.iter().all(|byte| *byte == 0) {
        return Ok(Some(Member {
            name: TRAILER.to_owned(),
            bytes: 0,
            head_bytes: TAR_BYTES,
            alignment: TAR_BYTES as u64,
        }));
    }
    if &head[257..262] != b"ustar" {
        return Err(NoArchive);
    }
    let field = |range: std::ops::Range<usize>| {
        let text = &head[range];
        let end = text
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len());
        std::str::from_utf8(&text[..end]).map_err(|_| NoArchive)
    };
    let size = field(124..136)?.trim();
    let (name, prefix) = (field(0..100)?, field(345..500)?);
    Ok(Some(Member {
        name: match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        },
        bytes: number(size.as_bytes(), 8)?,
        head_bytes: TAR_BYTES,
        alignment: TAR_BYTES as u64,
    }))
}

fn number(digits: &[u8], radix: u32) -> Result<u64, NoArchive> {
    let text = std::str::from_utf8(digits).map_err(|_| NoArchive)?;
    u64::from_str_radix(text, radix).map_err(|_| NoArchive)
}

/// The content of an archive's first member, in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberContent {
    /// Its head.
    pub head: Vec<u8>,
    /// What was read behind the head.
    early: Vec<u8>,
    /// Bytes of the content.
    pub bytes: u64,
    /// Bytes behind it up to the next head.
    pub padding: u64,
}

impl MemberContent {
    /// The content, and no more. What was read ahead comes first.
    pub fn reader<'a>(&'a self, rest: &'a mut dyn Read) -> impl Read + 'a {
        self.early.as_slice().chain(rest).take(self.bytes)
    }

    /// What was read ahead of the stream.
    pub fn early(&self) -> &[u8] {
        &self.early
    }
}

/// Reads the head of an archive; its first member must have this name.
///
/// # Errors
/// It is no archive, begins with another file, or cannot be read.
pub fn content(reader: &mut dyn Read, name: Option<&str>) -> std::io::Result<MemberContent> {
    let mut held = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match head(&held) {
            Err(NoArchive) => return Err(std::io::Error::other(NoArchive.to_string())),
            Ok(None) if held.len() > HEAD_BYTES_MAX => {
                return Err(std::io::Error::other(NoArchive.to_string()));
            }
            Ok(Some(found)) => {
                if name.is_some_and(|name| name != found.name.trim_start_matches("./")) {
                    let what = format!("the archive holds '{}'", found.name);
                    return Err(std::io::Error::other(what));
                }
                let early = held.split_off(found.head_bytes);
                return Ok(MemberContent {
                    head: held,
                    early,
                    bytes: found.bytes,
                    padding: found.padding(),
                });
            }
            Ok(None) => match reader.read(&mut buffer) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => held.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            },
        }
    }
}

/// Bytes of the largest file that an archive with these flags of cpio can hold, and the form's name.
/// Source: the width of the size in each form.
pub fn largest_file(flags: &[String]) -> Option<(&'static str, u64)> {
    let form = form(flags)?;
    let bytes = match form {
        "odc" | "ustar" | "tar" => (8 << 30) - 1,
        "newc" => u64::from(u32::MAX),
        // GNU cpio keeps the size in a signed number of 32 bits.
        _ => (2 << 30) - 1,
    };
    Some((form, bytes))
}

/// The form that these flags make cpio write; None for one that is not read here.
fn form(flags: &[String]) -> Option<&'static str> {
    let mut words = flags.iter();
    let mut form = "bin";
    while let Some(word) = words.next() {
        let given = if let Some(long) = word.strip_prefix("--format=") {
            Some(long.to_owned())
        } else if word.starts_with("--") {
            None
        } else if let Some((short, behind)) = word
            .strip_prefix('-')
            .and_then(|letters| letters.split_once('H'))
        {
            form = if short.contains('c') { "newc" } else { form };
            match behind {
                "" => words.next().cloned(),
                behind => Some(behind.to_owned()),
            }
        } else {
            form = if word.contains('c') { "newc" } else { form };
            None
        };
        if let Some(given) = given {
            form = ["bin", "odc", "newc", "ustar", "tar"]
                .into_iter()
                .find(|known| *known == given)?;
        }
    }
    Some(form)
}

/// Bytes that cpio writes at once with these flags.
pub fn block_bytes(flags: &[String]) -> usize {
    let mut words = flags.iter();
    while let Some(word) = words.next() {
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
        if let Some(value) = word.strip_prefix("--block-size=") {
            return number(Some(value)).map_or(512, |blocks| blocks.clamp(1, 2048) * 512);
        }
        if let Some(value) = word.strip_prefix("--io-size=") {
            return number(Some(value)).map_or(512, |bytes| bytes.clamp(512, 1 << 20));
        }
        if word.starts_with("--") || !word.starts_with('-') {
            continue;
        }
        if let Some((_, behind)) = word.split_once('C') {
            let value = if behind.is_empty() {
                words.next().map(String::as_str)
            } else {
                Some(behind)
            };
            return number(value).map_or(512, |bytes| bytes.clamp(512, 1 << 20));
        }
        if word.contains('B') {
            return 5120;
        }
    }
    512
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn archive_of(directory: &std::path::Path, name: &str, flags: &[&str]) -> Vec<u8> {
        let mut child = Command::new("cpio")
            .args(flags)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{name}").unwrap();
        child.wait_with_output().unwrap().stdout
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn every_form_that_the_real_cpio_writes_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..20_001u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(directory.path().join("system.data1"), &content).unwrap();
        for flags in ["-ovB", "-ocB", "-o -H odc", "-o -H newc", "-o -H ustar"] {
            let flags: Vec<&str> = flags.split(' ').collect();
            let archive = archive_of(directory.path(), "system.data1", &flags);
            let member = head(&archive).unwrap().unwrap();
            assert_eq!(
                (member.name.as_str(), member.bytes),
                ("system.data1", 20_001),
                "{flags:?}"
            );
            let end = member.head_bytes + content.len();
            assert!(archive[member.head_bytes..end] == content, "{flags:?}");
            let next = head(&archive[end + member.padding() as usize..])
                .unwrap()
                .unwrap();
            assert_eq!(next.name, TRAILER, "{flags:?}");
        }
    }

    #[test]
    fn the_flags_say_form_and_block_size() {
        for (flags, form, bytes) in [
            ("-ovB", Some("bin"), 5120),
            ("-ocvB", Some("newc"), 5120),
            ("-o -H odc -C 65536", Some("odc"), 65536),
            ("-oHustar", Some("ustar"), 512),
            ("-o --format=newc --block-size=20", Some("newc"), 10240),
            ("-o -H crc", None, 512),
        ] {
            let flags = words(flags);
            assert_eq!(
                (
                    largest_file(&flags).map(|found| found.0),
                    block_bytes(&flags)
                ),
                (form, bytes),
                "{flags:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let _any = head(&bytes);
        }

        #[test]
        fn no_digits_make_the_reader_panic(text in "0707[0-9a-f]{2}[0-9a-fA-F ]{0,200}") {
            let _any = head(text.as_bytes());
        }
    }
}
