//! Who is connected, and whether the instance is going down.
//! What lives here: sessions and the gate that SHUTDOWN closes. What does not: the instance's own state.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use oracle::time::OracleTime;

use crate::engine::error::{OraError, OraResult};
use crate::views::SessionFacts;

/// Most connections at a time; each is a thread.
const SESSIONS_MAX: usize = 1200;

/// How far a shutdown has closed the instance to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// SHUTDOWN NORMAL waits: who comes now is not waited for and may only ask for ABORT.
    NoLogons,
    /// SHUTDOWN IMMEDIATE or ABORT: no new requests either.
    Closed,
}

/// The sessions of the instance.
pub(super) struct Registry {
    state: Mutex<State>,
    left: Condvar,
}

struct State {
    gate: Gate,
    /// A session has shut the instance down and is the one to say so.
    ended: bool,
    serial: u32,
    sessions: BTreeMap<u32, Session>,
}

struct Session {
    /// Came while SHUTDOWN NORMAL was waiting.
    late: bool,
    facts: SessionFacts,
    stream: UnixStream,
}

impl Default for Registry {
    fn default() -> Registry {
        let state = State {
            gate: Gate::Open,
            ended: false,
            serial: 0,
            sessions: BTreeMap::new(),
        };
        Registry {
            state: Mutex::new(state),
            left: Condvar::new(),
        }
    }
}

impl Registry {
    /// Takes a new session in and gives it its SID.
    ///
    /// # Errors
    /// ORA-00020 when there are too many, ORA-27504 without a handle.
    pub fn enter(&self, stream: &UnixStream) -> OraResult<u32> {
        let stream = stream.try_clone().map_err(|error| {
            OraError::new(27504, format!("IPC error creating OSD context: {error}"))
        })?;
        let (process, program) = peer(&stream);
        let mut state = self.lock();
        if state.sessions.len() >= SESSIONS_MAX {
            return Err(OraError::new(
                20,
                format!("maximum number of processes ({SESSIONS_MAX}) exceeded"),
            ));
        }
        let sid = (1..)
            .find(|sid| !state.sessions.contains_key(sid))
            .unwrap_or(u32::MAX);
        state.serial += 1;
        let serial = state.serial;
        let facts = SessionFacts {
            sid,
            serial,
            program,
            process,
            logon_time: OracleTime::now(),
            active: false,
        };
        let late = state.gate != Gate::Open;
        state.sessions.insert(
            sid,
            Session {
                late,
                facts,
                stream,
            },
        );
        Ok(sid)
    }

    /// Forgets a session that has ended.
    pub fn leave(&self, sid: u32) {
        self.lock().sessions.remove(&sid);
        self.left.notify_all();
    }

    /// Marks a session as working. `abort` says that it asks for SHUTDOWN ABORT, which is always heard.
    ///
    /// # Errors
    /// ORA-01089 and ORA-01090 when it may not begin to work any more.
    pub fn begin_work(&self, sid: u32, abort: bool) -> OraResult<()> {
        let mut state = self.lock();
        let gate = state.gate;
        let Some(session) = state.sessions.get_mut(&sid) else {
            return Ok(());
        };
        match gate {
            Gate::Closed if !abort => return Err(shutdown_in_progress()),
            Gate::NoLogons if session.late && !abort => {
                return Err(OraError::new(
                    1090,
                    "shutdown in progress - connection is not permitted",
                ));
            }
            _ => session.facts.active = true,
        }
        Ok(())
    }

    /// Marks a session as waiting for its client.
    pub fn end_work(&self, sid: u32) {
        if let Some(session) = self.lock().sessions.get_mut(&sid) {
            session.facts.active = false;
        }
    }

    /// The rows of V$SESSION.
    pub fn sessions(&self) -> Vec<SessionFacts> {
        self.lock()
            .sessions
            .values()
            .map(|session| session.facts.clone())
            .collect()
    }

    /// Closes the gate, or opens it again when a shutdown was given up.
    ///
    /// # Errors
    /// ORA-01089 or ORA-01090 when another session shuts down already; ABORT may overtake.
    pub fn close_gate(&self, to: Gate, overtake: bool) -> OraResult<()> {
        let mut state = self.lock();
        if state.gate != Gate::Open && !overtake {
            return Err(shutdown_in_progress());
        }
        state.gate = to;
        Ok(())
    }

    /// Opens the gate again.
    pub fn open_gate(&self) {
        self.lock().gate = Gate::Open;
    }

    /// True for the first session that asks: of a shutdown and an ABORT that overtakes it, one ends the instance.
    pub fn claim_end(&self) -> bool {
        !std::mem::replace(&mut self.lock().ended, true)
    }

    /// Waits until `sid` is the only session. False when that took longer than `longest`.
    pub fn wait_alone(&self, sid: u32, longest: Duration) -> bool {
        let deadline = Instant::now() + longest;
        let mut state = self.lock();
        while state
            .sessions
            .iter()
            .any(|(other, session)| *other != sid && !session.late)
        {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.left.wait_timeout(state, left);
            state = waited.expect("no session panics while it is counted").0;
        }
        true
    }

    /// Ends the connections of all others.
    pub fn disconnect_others(&self, sid: u32) {
        for (_, session) in self
            .lock()
            .sessions
            .iter()
            .filter(|(other, _)| **other != sid)
        {
            // It may have ended by itself in this moment.
            let _ = session.stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no session panics while it is counted")
    }
}

fn shutdown_in_progress() -> OraError {
    OraError::new(
        1089,
        "immediate shutdown or close in progress - no operations are permitted",
    )
}

/// Process id and program name at the other end.
fn peer(stream: &UnixStream) -> (u32, String) {
    let Ok(credentials) = rustix::net::sockopt::socket_peercred(stream) else {
        return (0, String::new());
    };
    let process = credentials.pid.as_raw_nonzero().get();
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    (process.unsigned_abs(), name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_get_the_lowest_free_number_and_are_told_by_their_process() {
        let registry = Registry::default();
        let (stream, _other) = UnixStream::pair().unwrap();
        assert_eq!(registry.enter(&stream).unwrap(), 1);
        assert_eq!(registry.enter(&stream).unwrap(), 2);
        registry.leave(1);
        assert_eq!(registry.enter(&stream).unwrap(), 1);
        let sessions = registry.sessions();
        assert_eq!(sessions.len(), 2);
        assert_eq!(
            (sessions[0].process, sessions[0].serial),
            (std::process::id(), 3)
        );
    }

    #[test]
    fn a_closing_instance_hears_nothing_but_abort() {
        let registry = Registry::default();
        let (stream, _other) = UnixStream::pair().unwrap();
        let sid = registry.enter(&stream).unwrap();
        registry.close_gate(Gate::NoLogons, false).unwrap();
        let late = registry.enter(&stream).unwrap();
        assert_eq!(registry.begin_work(late, false).unwrap_err().code(), 1090);
        assert!(registry.begin_work(sid, false).is_ok());
        assert!(
            registry.wait_alone(sid, Duration::ZERO),
            "a late session is not waited for"
        );
        assert_eq!(
            registry.close_gate(Gate::Closed, false).unwrap_err().code(),
            1089
        );
        registry.close_gate(Gate::Closed, true).unwrap();
        assert_eq!(registry.begin_work(sid, false).unwrap_err().code(), 1089);
        assert!(
            registry.begin_work(late, true).is_ok(),
            "ABORT is always heard"
        );
        assert!(registry.claim_end() && !registry.claim_end());
        registry.open_gate();
        assert!(registry.begin_work(sid, false).is_ok());
    }

    #[test]
    fn being_alone_is_waited_for() {
        let registry = std::sync::Arc::new(Registry::default());
        let (stream, _other) = UnixStream::pair().unwrap();
        let (first, second) = (
            registry.enter(&stream).unwrap(),
            registry.enter(&stream).unwrap(),
        );
        assert!(!registry.wait_alone(first, Duration::ZERO));
        let leaving = std::sync::Arc::clone(&registry);
        let thread = std::thread::spawn(move || leaving.leave(second));
        assert!(registry.wait_alone(first, Duration::from_secs(60)));
        thread.join().unwrap();
    }
}
