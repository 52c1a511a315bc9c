//! How a procedure ends.
//! What lives here: the statuses of RFC 1813, and which error of the kernel is which. What does not: their place in replies.

use std::io;

use rustix::io::Errno;

use crate::usage::QuotaExceeded;
use crate::xdr::Garbage;

/// The statuses, with their numbers on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Ok = 0,
    NotOwner = 1,
    NoEntry = 2,
    InputOutput = 5,
    Access = 13,
    Exists = 17,
    OtherDevice = 18,
    NotDirectory = 20,
    IsDirectory = 21,
    Invalid = 22,
    TooLarge = 27,
    NoSpace = 28,
    ReadOnly = 30,
    TooManyLinks = 31,
    NameTooLong = 63,
    NotEmpty = 66,
    Quota = 69,
    Stale = 70,
    BadHandle = 10_001,
    NotSync = 10_002,
    BadCookie = 10_003,
    NotSupported = 10_004,
    TooSmall = 10_005,
    BadType = 10_007,
    /// Not now: the client asks again by itself.
    Later = 10_008,
}

/// A procedure that is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The arguments cannot be read.
    Garbage,
    /// There is a status for it.
    Status(Status),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal::Status(status)
    }
}

impl From<Garbage> for Refusal {
    fn from(_: Garbage) -> Refusal {
        Refusal::Garbage
    }
}

impl From<QuotaExceeded> for Refusal {
    fn from(_: QuotaExceeded) -> Refusal {
        Refusal::Status(Status::Quota)
    }
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Refusal {
        Refusal::Status(error.into())
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Status(Errno::from_io_error(&error).map_or(Status::InputOutput, Status::from))
    }
}

impl From<Errno> for Status {
    fn from(error: Errno) -> Status {
        match error {
            Errno::PERM => Status::NotOwner,
            Errno::NOENT => Status::NoEntry,
            Errno::ACCESS => Status::Access,
            Errno::EXIST => Status::Exists,
            Errno::XDEV => Status::OtherDevice,
            Errno::NOTDIR => Status::NotDirectory,
            Errno::ISDIR => Status::IsDirectory,
            Errno::INVAL | Errno::LOOP => Status::Invalid,
            Errno::FBIG => Status::TooLarge,
            Errno::NOSPC => Status::NoSpace,
            Errno::ROFS => Status::ReadOnly,
            Errno::MLINK => Status::TooManyLinks,
            Errno::NAMETOOLONG => Status::NameTooLong,
            Errno::NOTEMPTY => Status::NotEmpty,
            Errno::DQUOT => Status::Quota,
            Errno::STALE => Status::Stale,
            Errno::OPNOTSUPP => Status::NotSupported,
            // What will be over in a moment is no error for a database.
            Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::AGAIN
            | Errno::BUSY
            | Errno::TXTBSY => Status::Later,
            _ => Status::InputOutput,
        }
    }
}
