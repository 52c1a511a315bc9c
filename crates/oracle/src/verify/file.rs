//! Judging a whole file: every block once, in bounded memory, holes without reading them.
//! What lives here: the story of one file. What does not: how a block is judged, and how a report is shown.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::findings::{Finding, Findings};
use super::open::{CannotJudge, Opened, open};
use super::recognise::{FileKind, LEADING_BYTES, Recognised, Unrecognised, recognise};
use super::{BlockJudge, HeaderFault, Summary, Verdict};

/// Read at once; a multiple of every block size, and small enough to be judged out of the processor's cache.
const CHUNK_BYTES: usize = 1 << 20;
/// How often a corrupt block is read again, and the pause before each time.
const SECOND_LOOKS: u32 = 3;
const SECOND_LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Blocks that get a second look. After so many the trouble is not a passing one.
const SECOND_LOOK_BLOCKS_MAX: u32 = 20;

/// How a file is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Block size in bytes; None reads it from block 0, or guesses it when that is lost.
    pub block_size: Option<u32>,
    /// Corrupt blocks that the report lists, and as many ranges of allowed zeros.
    pub listed_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            block_size: None,
            listed_max: 1000,
        }
    }
}

/// How the size of a file fits to what its block 0 says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// It fits.
    AsStated,
    /// Block 0 cannot be asked.
    NotStated,
    /// So many blocks of the end are missing: corruption.
    Short(u64),
    /// So many blocks more than stated: a file that was just enlarged, or something appended.
    Long(u64),
}

/// What was found in a file.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
    /// Bytes of a block.
    pub block_size: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether that is what block 0 says.
    pub size: Size,
    /// Totals over all blocks.
    pub summary: Summary,
    /// Blocks of zeros, as in the totals, that are holes and take no room on disk.
    pub hole_blocks: u64,
    /// Corrupt blocks.
    pub corrupt: Findings,
    /// Blocks of zeros where they may be.
    pub zero_allowed: Findings,
    /// Blocks that were corrupt when first read and sound when read again: somebody was writing them.
    pub sound_on_second_look: u64,
    /// The header says that the file is in backup mode; redo then repairs fractured blocks.
    pub in_backup_mode: bool,
}

impl FileReport {
    /// No corrupt block and nothing missing. Allowed zeros do not count against it.
    pub fn is_clean(&self) -> bool {
        self.summary.marked_corrupt() == 0 && !matches!(self.size, Size::Short(_))
    }
}

/// Judges every block of a file. `progress` hears the bytes done and the bytes in all.
///
/// A block that looks corrupt is read again a few times before it is believed, because a database may be writing it.
/// Memory is bounded whatever the size of the file; holes of sparse files are counted as what they are, blocks of zeros.
pub fn verify_file(
    path: &Path,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<FileReport, CannotJudge> {
    let opened = open(path)?;
    let recognised = read_head(path, &opened, options)?;
    let mut examination = Examination::new(path, opened, recognised, options)?;
    examination.run(progress)?;
    Ok(examination.report)
}

fn read_head(path: &Path, opened: &Opened, options: &Options) -> Result<Recognised, CannotJudge> {
    let path = || path.to_owned();
    let mut head = vec![0; LEADING_BYTES.min(usize::try_from(opened.bytes).unwrap_or(usize::MAX))];
    read(opened, &mut head, 0).map_err(|error| error.at(path()))?;
    let recognised = recognise(&head, options.block_size).map_err(|why| match why {
        Unrecognised::NotOracle => CannotJudge::NotOracle(path()),
        Unrecognised::BlockSize(block_size) => CannotJudge::BlockSize {
            path: path(),
            block_size,
        },
        Unrecognised::OtherBlockSize { given, found } => CannotJudge::OtherBlockSize {
            path: path(),
            given,
            found,
        },
    })?;
    if opened.bytes < 2 * recognised.judge.block_bytes() as u64 {
        return Err(CannotJudge::TooShort {
            path: path(),
            bytes: opened.bytes,
        });
    }
    Ok(recognised)
}

/// One file under examination.
struct Examination {
    opened: Opened,
    judge: BlockJudge,
    /// Whole blocks to look at.
    blocks: u32,
    patient_blocks_left: u32,
    report: FileReport,
}

impl Examination {
    fn new(
        path: &Path,
        opened: Opened,
        recognised: Recognised,
        options: &Options,
    ) -> Result<Examination, CannotJudge> {
        let block_bytes = recognised.judge.block_bytes() as u64;
        let stated = recognised.blocks.map(|blocks| u64::from(blocks) + 1);
        let mut blocks = opened.bytes / block_bytes;
        let mut bytes = opened.bytes;
        if let (true, Some(stated)) = (opened.is_device, stated) {
            blocks = blocks.min(stated);
            bytes = blocks * block_bytes;
        }
        let size = match stated {
            None => Size::NotStated,
            Some(stated) if stated > blocks => Size::Short(stated - blocks),
            Some(stated) if stated < blocks => Size::Long(blocks - stated),
            Some(_) => Size::AsStated,
        };
        let report = FileReport {
            path: path.to_owned(),
            kind: recognised.kind,
            block_size: block_bytes as u32,
            bytes,
            size,
            summary: Summary::default(),
            hole_blocks: 0,
            corrupt: Findings::new(options.listed_max),
            zero_allowed: Findings::new(options.listed_max),
            sound_on_second_look: 0,
            in_backup_mode: recognised.in_backup_mode,
        };
        Ok(Examination {
            opened,
            judge: recognised.judge,
            blocks: u32::try_from(blocks).map_err(|_| CannotJudge::TooManyBlocks {
                path: path.to_owned(),
                blocks,
            })?,
            patient_blocks_left: SECOND_LOOK_BLOCKS_MAX,
            report,
        })
    }

    fn run(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), CannotJudge> {
        let block_bytes = self.judge.block_bytes();
        let blocks_at_once = (CHUNK_BYTES / block_bytes) as u32;
        let mut buffer = vec![0; CHUNK_BYTES];
        let (mut next, mut data_end) = (0, 0);
        while next < self.blocks {
            if next >= data_end {
                let data_start;
                (data_start, data_end) = self.next_data_blocks(next);
                self.take_hole(next, data_start);
                next = data_start;
            }
            let count = blocks_at_once.min(data_end - next);
            let chunk = &mut buffer[..count as usize * block_bytes];
            read(&self.opened, chunk, u64::from(next) * block_bytes as u64)
                .map_err(|error| error.at(self.report.path.clone()))?;
            for (number, block) in (next..).zip(chunk.chunks_exact(block_bytes)) {
                self.take_block(number, block)?;
            }
            next += count;
            progress(u64::from(next) * block_bytes as u64, self.report.bytes);
        }
        self.take_rest();
        progress(self.report.bytes, self.report.bytes);
        Ok(())
    }

    /// The next blocks that are not wholly in a hole: first, and first behind them.
    fn next_data_blocks(&self, from: u32) -> (u32, u32) {
        let block_bytes = self.judge.block_bytes() as u64;
        match self.opened.next_data(u64::from(from) * block_bytes) {
            None => (self.blocks, self.blocks),
            Some((start, end)) => {
                let block_at = |block: u64| u32::try_from(block).unwrap_or(u32::MAX);
                let start = block_at(start / block_bytes).clamp(from, self.blocks);
                let end = block_at(end.div_ceil(block_bytes)).min(self.blocks);
                (start, end.max(start))
            }
        }
    }

    fn take_hole(&mut self, first: u32, end: u32) {
        self.report.hole_blocks += u64::from(end - first);
        let mut first = first;
        for cut in self.judge.zero_cuts().into_iter().chain([end]) {
            let cut = cut.min(end);
            if cut > first {
                let verdict = self.judge.judge_zero(first);
                self.note(first, cut - 1, verdict);
                first = cut;
            }
        }
    }

    fn take_block(&mut self, number: u32, block: &[u8]) -> Result<(), CannotJudge> {
        let mut verdict = self.judge.judge(number, block);
        if verdict.is_corrupt() && self.patient_blocks_left > 0 {
            verdict = self.look_again(number, verdict)?;
        }
        self.note(number, number, verdict);
        Ok(())
    }

    fn look_again(&mut self, number: u32, first: Verdict) -> Result<Verdict, CannotJudge> {
        self.patient_blocks_left -= 1;
        let mut last = first;
        let mut block = vec![0; self.judge.block_bytes()];
        for _ in 0..SECOND_LOOKS {
            std::thread::sleep(SECOND_LOOK_PAUSE);
            let offset = u64::from(number) * block.len() as u64;
            read(&self.opened, &mut block, offset)
                .map_err(|error| error.at(self.report.path.clone()))?;
            last = self.judge.judge(number, &block);
            if !last.is_corrupt() {
                self.report.sound_on_second_look += 1;
                return Ok(last);
            }
        }
        Ok(last)
    }

    /// What is behind the last whole block.
    fn take_rest(&mut self) {
        let rest = (self.report.bytes % self.judge.block_bytes() as u64) as usize;
        if rest > 0 {
            let incomplete = Verdict::BadHeader(HeaderFault::Incomplete { bytes: rest });
            self.note(self.blocks, self.blocks, incomplete);
        }
    }

    fn note(&mut self, first: u32, last: u32, verdict: Verdict) {
        let finding = Finding {
            first,
            last,
            verdict,
        };
        self.report
            .summary
            .add_many(u64::from(first), finding.blocks(), verdict);
        if verdict.is_corrupt() {
            self.report.corrupt.push(finding);
        } else if !verdict.is_sound() {
            self.report.zero_allowed.push(finding);
        }
    }
}

/// A failed read, before the file's name is known to it.
struct ReadError {
    at: u64,
    source: std::io::Error,
}

impl ReadError {
    fn at(self, path: PathBuf) -> CannotJudge {
        let ReadError { at, source } = self;
        match source.kind() {
            ErrorKind::UnexpectedEof => CannotJudge::Shrunk { path, at },
            _ => CannotJudge::Io { path, at, source },
        }
    }
}

fn read(opened: &Opened, buffer: &mut [u8], at: u64) -> Result<(), ReadError> {
    opened
        .file
        .read_exact_at(buffer, at)
        .map_err(|source| ReadError { at, source })
}

#[cfg(test)]
mod tests;
