//! How a run stops, and the question whether it shall go on.
//! What lives here: asking the operator, and from outcome to return code. What does not: steps of a run.

use std::io::{BufRead, IsTerminal};

use crate::return_code::ReturnCode;
use crate::run_log::RunLog;
use crate::values::Confirmation;

/// Replies that are asked for before the run gives up.
const REPLIES_MAX: u32 = 10;

/// Why a run ends before its end. What there is to say has been said in the log, but for the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A signal asked for it.
    Signal(i32),
    /// The user did.
    User,
    /// Something failed.
    Failed,
}

/// Asks on standard input, unless the run is unattended. Nobody there to answer means no.
pub fn ask_to_continue(
    log: &mut RunLog,
    program: &str,
    confirmation: Confirmation,
) -> Result<(), Stop> {
    if confirmation != Confirmation::Ask {
        return Ok(());
    }
    for _ in 0..REPLIES_MAX {
        log.info(256, &[&program]);
        let mut reply = String::new();
        let count = std::io::stdin().lock().read_line(&mut reply).unwrap_or(0);
        let reply = reply.trim();
        log.info(257, &[&reply]);
        match reply.to_ascii_lowercase().as_str() {
            "c" | "cont" => {
                log.info(259, &[]);
                return Ok(());
            }
            "s" | "stop" => return Err(Stop::User),
            _ if count == 0 => {
                if !std::io::stdin().is_terminal() {
                    log.info(9045, &[&"there is no terminal to ask on: give -c"]);
                }
                return Err(Stop::User);
            }
            _ => log.info(258, &[&reply]),
        }
    }
    Err(Stop::User)
}

/// The return code of a run. `working` says whether anything had been done.
pub fn code_of(
    log: &mut RunLog,
    program: &str,
    working: bool,
    outcome: Result<(), Stop>,
) -> ReturnCode {
    let cancelled = if working {
        ReturnCode::Cancelled
    } else {
        ReturnCode::CancelledEarly
    };
    match outcome {
        Err(Stop::Signal(signal)) => {
            let hint = match program {
                "BRBACKUP" => "backup mode has been ended and partial copies removed; start again",
                _ => "partial copies have been removed; start again",
            };
            log.error(261, &[&program, &signal, &hint]);
            cancelled
        }
        Err(Stop::User) => {
            log.error(260, &[]);
            cancelled
        }
        Err(Stop::Failed) if !working => ReturnCode::FailedEarly,
        Err(Stop::Failed) => ReturnCode::Failed,
        Ok(()) => log.return_code(),
    }
}
