//! `-g stop|term|kill`: ends a run of the same tool that another shell has begun.
//! What lives here: the three ways, and what is put right afterwards. What does not: what the run does when it is asked.

use std::time::{Duration, Instant};

use oracle::sqlplus::SqlplusBuilder;
use rustix::process::{Pid, Signal, kill_process};

use crate::action_id::{ActionId, Tool};
use crate::database::{Database, backup_mode};
use crate::environment::Environment;
use crate::faults::Faults;
use crate::lock::{Holder, Lock, LockError};
use crate::messages::Message;
use crate::options::Parsed;
use crate::request::{self, AskError, Request};
use crate::return_code::ReturnCode;
use crate::run_log::RunLog;

/// How long a run may take to end after SIGTERM: it ends its copies, backup mode and log first.
const TERM_PATIENCE: Duration = Duration::from_secs(120);
/// How long a process may take to be gone after SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// How hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// After the files that are being copied.
    Stop,
    /// At the next safe place.
    Term,
    /// At once.
    Kill,
}

/// Ends the run of this tool, in a run that has a log of its own (`bab`, `aab`) and takes no lock until the other is gone.
/// 0 when it is told or gone, 1 when there was none, 5 when it is still there.
pub fn main(tool: Tool, options: &Parsed) -> ReturnCode {
    let way = match options.value("g") {
        Some("term") => Way::Term,
        Some("kill") => Way::Kill,
        _ => Way::Stop,
    };
    let mut faults = Faults::default();
    let Some(environment) = faults.environment() else {
        return faults.print();
    };
    let (directory, function) = match tool {
        Tool::Brarchive => (environment.saparch.clone(), "aab"),
        _ => (environment.sapbackup.clone(), "bab"),
    };
    let log = ActionId::fresh(tool, &directory)
        .and_then(|id| RunLog::create(tool, id, function, &directory));
    let mut log = match log {
        Ok(log) => log,
        Err(error) => {
            faults.push(Message::error(9041, &[&directory.display(), &error]));
            return faults.print();
        }
    };
    end(&mut log, tool, &environment, way);
    let code = log.return_code();
    match log.finish(code) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("{}: {error}", Message::error(121, &[&directory.display()]));
            code.max(ReturnCode::Warnings)
        }
    }
}

fn end(log: &mut RunLog, tool: Tool, environment: &Environment, way: Way) {
    let lock = Lock::path(tool, &environment.sapbackup, &environment.saparch);
    if way == Way::Stop {
        match request::ask(&lock, Request::Stop) {
            Ok(holder) => say_of(log, tool, &holder, "will end after the files that it is at"),
            Err(error) => report(log, &error),
        }
        return;
    }
    let holder = match Lock::living_holder(&lock) {
        Ok(Some(holder)) => holder,
        Ok(None) => return report(log, &AskError::NobodyThere(lock)),
        Err(source) => return report(log, &AskError::Io { path: lock, source }),
    };
    if !holder.is_here() {
        let what = format!("process {} is on host {}", holder.pid, holder.host);
        log.error(9044, &[&what, &"end it there"]);
        return;
    }
    let (signal, patience) = match way {
        Way::Kill => (Signal::KILL, KILL_PATIENCE),
        Way::Stop | Way::Term => (Signal::TERM, TERM_PATIENCE),
    };
    if let Err(error) = send(&holder, signal) {
        let what = format!("process {} cannot be signalled: {error}", holder.pid);
        log.error(9044, &[&what, &"call this as the user who began the run"]);
        return;
    }
    if !is_gone_within(&holder, patience) {
        let what = format!(
            "process {} has not ended within {} s",
            holder.pid,
            patience.as_secs()
        );
        log.error(9044, &[&what, &"wait for it, or use -g kill"]);
        return;
    }
    say_of(log, tool, &holder, "has ended");
    if way == Way::Kill {
        put_right(log, tool, environment);
    }
}

/// What a killed run cannot do any more: its lock is taken over, backup modes that it began are ended.
fn put_right(log: &mut RunLog, tool: Tool, environment: &Environment) {
    let lock = Lock::path(tool, &environment.sapbackup, &environment.saparch);
    let _lock = match Lock::take(&lock) {
        Ok(lock) => lock,
        // Somebody has begun a new run, which puts everything right itself.
        Err(LockError::Held { .. }) => return,
        Err(error) => {
            log.error(9044, &[&error, &"the next run will try it again"]);
            return;
        }
    };
    if tool != Tool::Brbackup {
        return;
    }
    let builder = SqlplusBuilder::new(&environment.oracle_home, &environment.sid);
    let mut database = Database::new(&environment.sid, builder);
    match backup_mode::heal(&mut database, &environment.sapbackup) {
        Ok(None) => {}
        Ok(Some(healed)) => {
            let ended = healed
                .findings
                .iter()
                .filter(|finding| finding.outcome == backup_mode::Outcome::Ended);
            for finding in ended {
                log.info(9002, &[&finding.tablespace, &healed.action]);
            }
            if healed.needs_attention() {
                let hint = "brconnect -f check names them; the next brbackup tries again";
                log.error(9044, &[&"a tablespace may still be in backup mode", &hint]);
            }
        }
        Err(error) => log.error(
            9044,
            &[&error, &"the next brbackup ends backup modes that it left"],
        ),
    }
}

fn say_of(log: &mut RunLog, tool: Tool, holder: &Holder, what: &str) {
    let told = format!(
        "{}, process {} on host {}, {what}",
        tool.name(),
        holder.pid,
        holder.host
    );
    log.info(9045, &[&told]);
}

/// Why nobody could be told.
pub fn report(log: &mut RunLog, error: &AskError) {
    match error {
        AskError::NobodyThere(_) => {
            log.warning(9043, &[error, &"nothing to do: no such run is at work"]);
        }
        AskError::NobodyListens(_) => {
            log.warning(9043, &[error, &"it is just beginning or ending: ask again"]);
        }
        AskError::Io { .. } => {
            log.error(9044, &[error, &"look at the permissions of the directory"]);
        }
    }
}

fn send(holder: &Holder, signal: Signal) -> rustix::io::Result<()> {
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    match kill_process(pid.ok_or(rustix::io::Errno::SRCH)?, signal) {
        // It has ended by itself since its lock was read.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        sent => sent,
    }
}

fn is_gone_within(holder: &Holder, patience: Duration) -> bool {
    let limit = Instant::now() + patience;
    while holder.is_alive() {
        if Instant::now() >= limit {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}
