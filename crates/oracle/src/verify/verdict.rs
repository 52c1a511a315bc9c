//! What can be said of one block.
//! What lives here: the verdicts and their wording. What does not: how they are come by.

use std::fmt;

use crate::address::BlockAddress;
use crate::scn::{LogSequence, Scn};

/// What is in a sound block, as DBVERIFY's totals tell it apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Content {
    /// Rows.
    Data,
    /// Index entries.
    Index,
    /// Header of an undo segment.
    Segment,
    /// Anything else that is in use, redo among it.
    Other,
    /// Never used, or redo that an older log left behind.
    Empty,
}

/// The verdict on one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing is wrong with it.
    Sound {
        /// What is in it.
        content: Content,
        /// SCN of its last change; zero where the block has none.
        scn: Scn,
    },
    /// Nothing but zeros.
    Zero {
        /// Whether that may be here: then it is a warning, otherwise corruption.
        allowed: bool,
    },
    /// It is no block that can be here.
    BadHeader(HeaderFault),
    /// Head and tail are of different versions: a torn write or a torn read.
    Fractured {
        /// The tail that the head asks for.
        expected_tail: u32,
        /// The tail that is there.
        found_tail: u32,
    },
    /// Given up on purpose: sequence 0xff.
    MarkedCorrupt,
    /// Changed after it was written.
    BadCheckValue {
        /// The check value in the block.
        stored: u16,
        /// The one that its content has.
        computed: u16,
    },
}

/// Why a header is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderFault {
    /// No such block type, or not in such a file.
    Kind(u8),
    /// The format byte of another block size.
    Format {
        /// What it must be.
        expected: u8,
        /// What it is.
        found: u8,
    },
    /// The address of another block.
    Address {
        /// What it must be; None when the file's own number is unknown.
        expected: Option<BlockAddress>,
        /// What it is.
        found: BlockAddress,
    },
    /// The number of another redo block.
    RedoBlock(u32),
    /// Redo of another log.
    RedoSequence {
        /// The log of the file header.
        expected: LogSequence,
        /// That of the block.
        found: LogSequence,
    },
    /// Block 0 is no block 0.
    OsHeader(&'static str),
    /// The file ends inside the block.
    Incomplete {
        /// Bytes that are there.
        bytes: usize,
    },
}

impl Verdict {
    /// Sound, empty blocks included.
    pub const fn is_sound(self) -> bool {
        matches!(self, Verdict::Sound { .. })
    }

    /// Corruption: neither sound nor a block of zeros where zeros may be.
    pub const fn is_corrupt(self) -> bool {
        !matches!(
            self,
            Verdict::Sound { .. } | Verdict::Zero { allowed: true }
        )
    }

    /// The class in one stable word, for logs and JSON.
    pub const fn class(self) -> &'static str {
        match self {
            Verdict::Sound {
                content: Content::Empty,
                ..
            } => "empty",
            Verdict::Sound { .. } => "sound",
            Verdict::Zero { allowed: true } => "zero_allowed",
            Verdict::Zero { allowed: false } => "zero",
            Verdict::BadHeader(HeaderFault::Address { .. } | HeaderFault::RedoBlock(_)) => {
                "wrong_address"
            }
            Verdict::BadHeader(HeaderFault::Incomplete { .. }) => "incomplete",
            Verdict::BadHeader(_) => "bad_header",
            Verdict::Fractured { .. } => "fractured",
            Verdict::MarkedCorrupt => "marked_corrupt",
            Verdict::BadCheckValue { .. } => "bad_check_value",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Sound {
                content: Content::Empty,
                ..
            } => write!(f, "empty"),
            Verdict::Sound { .. } => write!(f, "sound"),
            Verdict::Zero { allowed: true } => write!(f, "all zero, which may be here"),
            Verdict::Zero { allowed: false } => write!(f, "all zero"),
            Verdict::BadHeader(fault) => write!(f, "bad header: {fault}"),
            Verdict::Fractured {
                expected_tail,
                found_tail,
            } => write!(
                f,
                "fractured: the tail is 0x{found_tail:08x}, its head asks for 0x{expected_tail:08x}"
            ),
            Verdict::MarkedCorrupt => write!(f, "marked corrupt: its sequence is 0xff"),
            Verdict::BadCheckValue { stored, computed } => write!(
                f,
                "bad check value: 0x{stored:04x} is stored, the content has 0x{computed:04x}"
            ),
        }
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |address: BlockAddress| {
            format!(
                "{address} (file {}, block {})",
                address.file(),
                address.block()
            )
        };
        match *self {
            HeaderFault::Kind(kind) => write!(f, "type 0x{kind:02x} cannot be here"),
            HeaderFault::Format { expected, found } => {
                write!(f, "format 0x{found:02x} instead of 0x{expected:02x}")
            }
            HeaderFault::Address {
                expected: Some(expected),
                found,
            } => write!(
                f,
                "wrong address {} instead of {}",
                place(found),
                place(expected)
            ),
            HeaderFault::Address {
                expected: None,
                found,
            } => write!(f, "wrong address {}", place(found)),
            HeaderFault::RedoBlock(found) => write!(f, "it carries the number of block {found}"),
            HeaderFault::RedoSequence { expected, found } => {
                write!(f, "redo of log sequence {found} in log {expected}")
            }
            HeaderFault::OsHeader(what) => write!(f, "{what}"),
            HeaderFault::Incomplete { bytes } => {
                write!(f, "the file ends after {bytes} bytes of it")
            }
        }
    }
}
