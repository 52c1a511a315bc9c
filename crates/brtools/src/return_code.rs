//! How a run ended, as the exit status and the summary logs say it.

use std::process::ExitCode;

/// The return codes of the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReturnCode {
    /// 0: everything done.
    Success = 0,
    /// 1: everything done, with warnings.
    Warnings = 1,
    /// 2: cancelled by the user or a signal before anything was done.
    CancelledEarly = 2,
    /// 3: an error before anything was done.
    FailedEarly = 3,
    /// 4: cancelled by the user or a signal while working.
    Cancelled = 4,
    /// 5: an error while working; not everything is done.
    Failed = 5,
    /// 6: ended from inside, or still running, or killed.
    Aborted = 6,
    /// 9: successful but not finished; only in copies of summary logs on backup media.
    Unfinished = 9,
}

impl ReturnCode {
    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// From the number in a summary log.
    pub fn from_number(number: u8) -> Option<ReturnCode> {
        use ReturnCode::*;
        [
            Success,
            Warnings,
            CancelledEarly,
            FailedEarly,
            Cancelled,
            Failed,
            Aborted,
            Unfinished,
        ]
        .into_iter()
        .find(|code| code.number() == number)
    }

    /// Whether a restore may use what the run made.
    pub const fn is_usable(self) -> bool {
        matches!(self, ReturnCode::Success | ReturnCode::Warnings)
    }
}

impl From<ReturnCode> for ExitCode {
    fn from(code: ReturnCode) -> ExitCode {
        ExitCode::from(code.number())
    }
}
