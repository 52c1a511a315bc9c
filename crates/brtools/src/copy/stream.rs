//! One file through the field's own tool into a stream: `cpio -o` or `dd` in front, a tape or another host behind.
//! What lives here: the story of one such copy. What does not: the copy on disk (`copy`), and what swallows the stream.
//!
//! The tool writes into a pipe to this process, which finds the file's content in the archive, judges and hashes it, and
//! passes all of it on. A block that is good only when read again is put into the stream. So what reaches the tape has
//! been judged, and an error of the drive comes as the error that it is, not as words of a tool.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::ChildStdout;
use std::time::Instant;

use super::error::CopyError;
use super::judge::Judge;
use super::member::{self, NoArchive};
use super::{Content, CopyReport, Source, require_hash};
use crate::failpoint;
use crate::interrupt::Interrupt;
use crate::stream_child::StreamChild;

/// Judged and passed on at once; a multiple of every block size.
const PIECE_BYTES: usize = 1 << 20;
/// What a head may need before it is no head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Changes into a directory and hands names to cpio on its standard input, as the originals do:
/// `cd <dir> && echo <file> | cpio <flags>`.
const CPIO_SCRIPT: &str = r#"cd -- "$1" || exit
count=$2
shift 2
flags=$1
shift
[ "$count" -gt 0 ] || exec cpio $flags </dev/null
printf '%s\n' "$@" | cpio $flags"#;

/// Which tool makes the stream, as `tape_copy_cmd` chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamTool {
    /// `echo <name> | cpio <cpio_flags>`: an archive with the base name.
    Cpio {
        /// The words of `cpio_flags`.
        flags: Vec<String>,
    },
    /// `dd if=<source> <dd_flags>`: the bare content.
    Dd {
        /// The words of `dd_flags`.
        flags: Vec<String>,
    },
}

impl StreamTool {
    /// `tape_copy_cmd` that means this tool.
    pub fn name(&self) -> &'static str {
        match self {
            StreamTool::Cpio { .. } => "cpio",
            StreamTool::Dd { .. } => "dd",
        }
    }

    /// Bytes of a block on the tape.
    pub fn block_bytes(&self) -> usize {
        match self {
            StreamTool::Cpio { flags } => member::block_bytes(flags),
            StreamTool::Dd { flags } => dd_block_bytes(flags, "obs="),
        }
    }

    fn words(&self, directory: &Path, names: &[&str]) -> Vec<OsString> {
        match self {
            StreamTool::Cpio { flags } => {
                let mut words: Vec<OsString> = ["sh", "-c", CPIO_SCRIPT, "cpio"]
                    .map(OsString::from)
                    .to_vec();
                words.push(directory.into());
                words.push(names.len().to_string().into());
                words.push(flags.join(" ").into());
                words.extend(names.iter().map(OsString::from));
                words
            }
            StreamTool::Dd { flags } => {
                let mut source = OsString::from("if=");
                source.push(directory.join(names.first().copied().unwrap_or_default()));
                let mut words = vec!["dd".into(), source];
                words.extend(flags.iter().map(OsString::from));
                words
            }
        }
    }

    fn command_line(&self, directory: &Path, names: &[&str], target: &Path) -> String {
        let (directory, names, target) = (directory.display(), names.join(" "), target.display());
        match self {
            StreamTool::Cpio { flags } => format!(
                "( LANG=C cd {directory} && echo {names} | LANG=C cpio {} > {target} ) 2>&1",
                flags.join(" ")
            ),
            StreamTool::Dd { flags } => format!(
                "LANG=C dd if={directory}/{names} of={target} {}",
                flags.join(" ")
            ),
        }
    }

    /// Whether a line of the tool's output is its normal talk.
    fn is_normal_talk(&self, line: &str, names: &[&str]) -> bool {
        let line = line.trim();
        match self {
            StreamTool::Cpio { .. } => {
                let counted = line
                    .strip_suffix(" blocks")
                    .or_else(|| line.strip_suffix(" block"));
                names.contains(&line) || counted.is_some_and(|number| number.parse::<u64>().is_ok())
            }
            StreamTool::Dd { .. } => ["records in", "records out", " copied, "]
                .iter()
                .any(|word| line.contains(word)),
        }
    }
}

/// The block size that a key or `bs=` gives dd; 512 without.
pub fn dd_block_bytes(flags: &[String], key: &str) -> usize {
    let value = |key: &str| {
        flags
            .iter()
            .rev()
            .find_map(|word| word.strip_prefix(key))
            .and_then(crate::profile::size)
    };
    // bs= wins over the others, as dd documents.
    let bytes = value("bs=").or_else(|| value(key)).unwrap_or(512);
    usize::try_from(bytes)
        .unwrap_or(usize::MAX)
        .clamp(512, 16 << 20)
}

/// One file to send.
#[derive(Debug, Clone)]
pub struct StreamRequest<'a> {
    /// What to copy.
    pub source: &'a Path,
    /// Name of the tape or the like, for errors.
    pub target: &'a Path,
    /// With what.
    pub tool: &'a StreamTool,
    /// What is in it.
    pub content: Content,
    /// Failpoint after each piece.
    pub failpoint: Option<&'static str>,
}

/// Sends one file. On success its content went into `sink`, judged; whether it is there for good is the sink's to say.
/// On failure a part of it did.
pub fn copy_stream(
    request: &StreamRequest,
    sink: &mut dyn Write,
    interrupt: &Interrupt,
) -> Result<CopyReport, CopyError> {
    let begun = Instant::now();
    let source = Source::open(request.source)?;
    let directory = crate::durable::parent(request.source);
    let name = request.source.file_name().unwrap_or_default().to_str();
    let Some(name) = name.filter(|name| !name.contains('\n')) else {
        return Err(CopyError::NotRegular {
            path: request.source.to_owned(),
        });
    };
    let (child, mut stdout) = start(request.tool, directory, &[name], request.target)?;
    let mut stream = Stream {
        request,
        name,
        sink,
        interrupt,
        judge: Judge::new(request.source, request.content, &source.file)?,
    };
    stream.flow(&mut stdout)?;
    drop(stdout);
    let judge = stream.judge;
    let command_line = child.command_line().to_owned();
    let talk = require_good_end(request.tool, child, &[name])?;
    let tool_output = without_expected(&talk, request.content);
    let bytes = judge.position();
    source.check_unchanged(request.content, request.target, bytes)?;
    let judged = judge.finish()?;
    if request.content == Content::Opaque {
        require_hash(request.source, request.target, judged.hash)?;
    }
    Ok(CopyReport {
        bytes,
        hash: judged.hash,
        blocks: judged.blocks,
        blocks_read_again: judged.read_again,
        blocks_left_torn: judged.left_torn,
        blocks_zero: judged.zero,
        blocks_marked_corrupt: judged.marked_corrupt,
        tool_output,
        command_line,
        elapsed: begun.elapsed(),
    })
}

/// Sends small files of one directory as one archive: header and trailer of a volume. There may be none.
pub fn send_bundle(
    flags: &[String],
    directory: &Path,
    names: &[&str],
    target: &Path,
    sink: &mut dyn Write,
) -> Result<(), CopyError> {
    let tool = StreamTool::Cpio {
        flags: flags.to_vec(),
    };
    let (child, mut stdout) = start(&tool, directory, names, target)?;
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match read(&mut stdout, &mut buffer, directory)? {
            0 => break,
            count => write(sink, &buffer[..count], target)?,
        }
    }
    require_good_end(&tool, child, names).map(drop)
}

fn start(
    tool: &StreamTool,
    directory: &Path,
    names: &[&str],
    target: &Path,
) -> Result<(StreamChild, ChildStdout), CopyError> {
    let command_line = tool.command_line(directory, names, target);
    StreamChild::producer(&tool.words(directory, names), command_line.clone()).map_err(|source| {
        CopyError::ToolStart {
            command_line,
            source,
        }
    })
}

/// In backup mode a file changes while it is copied: that is what backup mode is for, and cpio remarks on it.
fn without_expected(talk: &str, content: Content) -> String {
    let is_expected = |line: &&str| {
        matches!(content, Content::DatafileInBackupMode { .. })
            && line.ends_with(" was modified while being copied")
    };
    let rest: Vec<&str> = talk.lines().filter(|line| !is_expected(line)).collect();
    rest.join("\n")
}

/// What the tool said beside its normal talk.
fn require_good_end(
    tool: &StreamTool,
    child: StreamChild,
    names: &[&str],
) -> Result<String, CopyError> {
    let command_line = child.command_line().to_owned();
    let end = child.end();
    let talk: Vec<&str> = end
        .output
        .lines()
        .filter(|line| !line.trim().is_empty() && !tool.is_normal_talk(line, names))
        .collect();
    let output = talk.join("\n");
    match end.code {
        0 => Ok(output),
        code => Err(CopyError::Tool {
            command_line,
            code,
            output,
        }),
    }
}

fn read(stdout: &mut ChildStdout, buffer: &mut [u8], path: &Path) -> Result<usize, CopyError> {
    loop {
        match stdout.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => {
                return other.map_err(|source| CopyError::Source {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
}

fn write(sink: &mut dyn Write, bytes: &[u8], target: &Path) -> Result<(), CopyError> {
    sink.write_all(bytes).map_err(|source| CopyError::Target {
        doing: "writing to",
        path: target.to_owned(),
        source,
    })
}

/// A file on its way.
struct Stream<'a, 'b> {
    request: &'a StreamRequest<'a>,
    name: &'a str,
    sink: &'b mut dyn Write,
    interrupt: &'a Interrupt,
    judge: Judge<'a>,
}

impl Stream<'_, '_> {
    fn flow(&mut self, stdout: &mut ChildStdout) -> Result<(), CopyError> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut content_left = match self.request.tool {
            StreamTool::Dd { .. } => u64::MAX,
            StreamTool::Cpio { .. } => self.head(stdout, &mut piece)?,
        };
        // What came along behind the head.
        let early = std::mem::take(&mut piece);
        self.pass(&early, &mut piece, &mut content_left)?;
        loop {
            if let Some(signal) = self.interrupt.signal() {
                return Err(CopyError::Interrupted { signal });
            }
            let count = read(stdout, &mut buffer, self.request.source)?;
            if count == 0 {
                break;
            }
            self.pass(&buffer[..count], &mut piece, &mut content_left)?;
        }
        self.judge_and_write(&mut piece)
    }

    /// Passes the head of the archive on. `rest` is what was read behind it; the result is the length of the content.
    fn head(&mut self, stdout: &mut ChildStdout, rest: &mut Vec<u8>) -> Result<u64, CopyError> {
        let mut held = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match member::head(&held) {
                Ok(Some(found)) if found.name == self.name => {
                    write(self.sink, &held[..found.head_bytes], self.request.target)?;
                    rest.extend_from_slice(&held[found.head_bytes..]);
                    return Ok(found.bytes);
                }
                // cpio found nothing to write: its end will say why.
                Ok(Some(found)) if found.name == member::TRAILER => return Ok(0),
                Ok(None) if held.len() < HEAD_BYTES_MAX => {}
                Ok(_) | Err(NoArchive) => {
                    return Err(CopyError::NoArchive {
                        path: self.request.source.to_owned(),
                    });
                }
            }
            match read(stdout, &mut buffer, self.request.source)? {
                0 => return Ok(0),
                count => held.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn pass(
        &mut self,
        mut bytes: &[u8],
        piece: &mut Vec<u8>,
        content_left: &mut u64,
    ) -> Result<(), CopyError> {
        while *content_left > 0 && !bytes.is_empty() {
            let room = (PIECE_BYTES - piece.len()) as u64;
            let wanted = room.min(*content_left).min(bytes.len() as u64) as usize;
            let (now, later) = bytes.split_at(wanted);
            piece.extend_from_slice(now);
            bytes = later;
            *content_left -= wanted as u64;
            if piece.len() == PIECE_BYTES || *content_left == 0 {
                self.judge_and_write(piece)?;
            }
        }
        write(self.sink, bytes, self.request.target)
    }

    fn judge_and_write(&mut self, piece: &mut Vec<u8>) -> Result<(), CopyError> {
        if piece.is_empty() {
            return Ok(());
        }
        // Where good blocks were put in is of no interest: they go out with the piece.
        self.judge.take(piece)?;
        write(self.sink, piece, self.request.target)?;
        piece.clear();
        if let Some(place) = self.request.failpoint {
            failpoint::reach(place);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Takes everything; changes the source when the first bytes come.
    struct Sink<'a> {
        taken: Vec<u8>,
        source: Option<&'a Path>,
    }

    impl Write for Sink<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(source) = self.source.take() {
                // The same bytes again: the time of the file is all that changes.
                let file = fs::OpenOptions::new().write(true).open(source)?;
                std::thread::sleep(std::time::Duration::from_millis(1100));
                file.write_all_at(&[0], 0)?;
            }
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn tools() -> [StreamTool; 2] {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        [
            StreamTool::Cpio {
                flags: words("-ovB"),
            },
            StreamTool::Dd {
                flags: words("obs=64k bs=64k"),
            },
        ]
    }

    #[test]
    fn the_content_is_judged_hashed_and_passed_on() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("arch 1.dbf");
        let content: Vec<u8> = (0..3_000_001u32).map(|n| (n % 253) as u8).collect();
        fs::write(&source, &content).unwrap();
        for tool in tools() {
            let mut sink = Sink {
                taken: Vec::new(),
                source: None,
            };
            let request = StreamRequest {
                source: &source,
                target: Path::new("/dev/nst0"),
                tool: &tool,
                content: Content::Opaque,
                failpoint: None,
            };
            let report = copy_stream(&request, &mut sink, &Interrupt::never()).unwrap();
            assert_eq!(
                (report.hash, report.bytes, report.tool_output.as_str()),
                (blake3::hash(&content), content.len() as u64, "")
            );
            match tool {
                StreamTool::Dd { .. } => assert!(sink.taken == content),
                StreamTool::Cpio { .. } => {
                    let head = member::head(&sink.taken).unwrap().unwrap();
                    assert_eq!(head.name, "arch 1.dbf");
                    assert!(sink.taken[head.head_bytes..].starts_with(&content));
                    assert_eq!(sink.taken.len() % 5120, 0);
                }
            }
        }
    }

    #[test]
    fn a_change_while_copying_is_told_but_in_backup_mode() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("system.data1");
        fs::write(&source, vec![0; 8192 * 1000]).unwrap();
        let [cpio, _] = tools();
        let mut sink = Sink {
            taken: Vec::new(),
            source: Some(&source),
        };
        let request = StreamRequest {
            source: &source,
            target: Path::new("/dev/nst0"),
            tool: &cpio,
            content: Content::Opaque,
            failpoint: None,
        };
        let report = copy_stream(&request, &mut sink, &Interrupt::never()).unwrap();
        let said = report.tool_output;
        assert!(said.contains("modified while being copied"), "{said}");
        let blocks = Content::DatafileInBackupMode { block_bytes: 8192 };
        assert_eq!(without_expected(&said, blocks), "");
        assert_eq!(without_expected(&said, Content::Opaque), said);
    }

    #[test]
    fn what_the_tool_cannot_read_is_its_error() {
        let directory = tempfile::tempdir().unwrap();
        let gone = directory.path().join("gone");
        let [cpio, dd] = tools();
        for tool in [cpio, dd] {
            let (child, mut stdout) =
                start(&tool, directory.path(), &["gone"], Path::new("/dev/nst0")).unwrap();
            let mut rest = Vec::new();
            stdout.read_to_end(&mut rest).unwrap();
            let error = require_good_end(&tool, child, &["gone"]).unwrap_err();
            assert!(
                matches!(error, CopyError::Tool { .. }),
                "{error} {}",
                gone.display()
            );
        }
    }
}
