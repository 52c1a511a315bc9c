//! The verifier: what DBVERIFY says of blocks, at the speed of memory.
//! What lives here: verdicts on single blocks, their totals, whole files. What does not: rows, and repairing anything.
//!
//! A block is judged in Oracle's order, and the first thing wrong with it is its verdict:
//!
//! 1. all zero;
//! 2. bad header: a type, a format or an address that cannot be in this place, whatever tail and sum say;
//! 3. fractured: head and tail are of different versions ("influx"), even when the sum fits;
//! 4. marked corrupt: somebody has given the block up, sequence 0xff;
//! 5. bad check value.
//!
//! **Blocks of zeros** are a class of their own and never silently good: storage that lost a write looks just like that.
//! They are a warning where they may be (the file header's bit [`ZEROED_ALLOWED`](crate::file_header::status::ZEROED_ALLOWED),
//! temporary files, behind the end that block 0 names, the never used twin blocks of a control file, the unused end of a
//! redo log) and corruption everywhere else. A fresh file's unused block is not zero but of type 0: *empty*.
//!
//! **What a sum cannot see**: words that changed places, and equal changes of two words. Good means that nothing is wrong
//! with the block as a block; that it is the right version of it, only redo or a hash taken earlier can tell.

mod file;
mod findings;
mod judge;
mod open;
mod recognise;
mod summary;
mod verdict;

pub use file::{FileReport, Options, Size, verify_file};
pub use findings::{Finding, Findings};
pub use judge::{Addresses, BlockJudge, ByteOrder, Expectations};
pub use open::CannotJudge;
pub use recognise::FileKind;
pub use summary::Summary;
pub use verdict::{Content, HeaderFault, Verdict};
