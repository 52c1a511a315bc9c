//! The gate of an export: who is inside, who must wait, and when it closes for good.
//! What lives here: counting calls, pausing those that change something, closing. What does not: files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What all calls of an export pass.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Calls inside, and how many of them may change something.
    calls: u64,
    changing: u64,
    /// Pauses that hold the changing calls back; a snapshot and a change of policy may overlap.
    pauses: u64,
    closed: bool,
}

/// Why a call does not get in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turned {
    /// The export is gone.
    Closed,
    /// The server stops; the client will ask the next one.
    Stopping,
}

/// A call is inside.
#[derive(Debug)]
pub(crate) struct Inside<'a> {
    gate: &'a Gate,
    changing: bool,
}

/// Changing calls are held back, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pause(Arc<Gate>);

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in. One that may change something waits while the gate is paused, without a limit: a pause ends, and
    /// `stopping` ends the wait as well, after a call of [`Gate::look_up`].
    pub(crate) fn enter(
        &self,
        changing: bool,
        stopping: &AtomicBool,
    ) -> Result<Inside<'_>, Turned> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Err(Turned::Closed);
            }
            if !changing || state.pauses == 0 {
                break;
            }
            if stopping.load(Ordering::SeqCst) {
                return Err(Turned::Stopping);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.calls += 1;
        state.changing += u64::from(changing);
        Ok(Inside {
            gate: self,
            changing,
        })
    }

    /// Whether a changing call would have to wait now.
    pub(crate) fn is_paused(&self) -> bool {
        self.state().pauses > 0
    }

    /// Makes those who wait look again whether their server stops.
    pub(crate) fn look_up(&self) {
        let _state = self.state();
        self.changed.notify_all();
    }

    /// Holds changing calls back from now on, and waits until those inside have left. None: they had not by the deadline,
    /// and nothing is held back. Without a deadline it waits as long as it takes.
    pub(crate) fn pause(self: &Arc<Self>, deadline: Option<Instant>) -> Option<Pause> {
        let mut state = self.state();
        state.pauses += 1;
        // From here on dropping it takes the pause back.
        let pause = Pause(Arc::clone(self));
        while state.changing > 0 {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
                Some(left) if left.is_zero() => {
                    drop(state);
                    drop(pause);
                    return None;
                }
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        Some(pause)
    }

    /// Turns all calls away from now on, and waits until none is inside.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.changed.notify_all();
        while state.calls > 0 {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.calls -= 1;
        state.changing -= u64::from(self.changing);
        // Only a pause and a closing wait for calls to leave.
        if state.calls == 0 || (state.changing == 0 && state.pauses > 0) {
            self.gate.changed.notify_all();
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.state().pauses -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    static RUNNING: AtomicBool = AtomicBool::new(false);

    #[test]
    fn a_pause_waits_for_changing_calls_only_and_gives_up_at_its_deadline() {
        let gate = Arc::new(Gate::default());
        let reading = gate.enter(false, &RUNNING).unwrap();
        drop(gate.pause(None).unwrap());
        let changing = gate.enter(true, &RUNNING).unwrap();
        assert!(
            gate.pause(Some(Instant::now() + Duration::from_millis(1)))
                .is_none()
        );
        assert!(!gate.is_paused());
        drop((changing, reading));
    }

    #[test]
    fn a_paused_gate_holds_changing_calls_until_the_last_pause_ends() {
        let gate = Arc::new(Gate::default());
        let (first, second) = (gate.pause(None).unwrap(), gate.pause(None).unwrap());
        let entered = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _inside = gate.enter(true, &RUNNING).unwrap();
                entered.store(true, Ordering::SeqCst);
            });
            drop(gate.enter(false, &RUNNING).unwrap());
            drop(first);
            assert!(gate.is_paused() && !entered.load(Ordering::SeqCst));
            drop(second);
        });
        assert!(entered.into_inner());
    }

    #[test]
    fn a_server_that_stops_frees_who_waits() {
        let gate = Arc::new(Gate::default());
        let _pause = gate.pause(None).unwrap();
        let stopping = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter(true, &stopping).map(drop));
            stopping.store(true, Ordering::SeqCst);
            gate.look_up();
            assert_eq!(waiting.join().unwrap(), Err(Turned::Stopping));
        });
    }

    #[test]
    fn a_closed_gate_turns_everybody_away() {
        let gate = Arc::new(Gate::default());
        std::thread::scope(|scope| {
            let inside = gate.enter(false, &RUNNING).unwrap();
            let closing = scope.spawn(|| gate.close());
            while gate.enter(false, &RUNNING).is_ok() {
                std::thread::yield_now();
            }
            assert!(!closing.is_finished());
            drop(inside);
            closing.join().unwrap();
        });
        assert_eq!(gate.enter(true, &RUNNING).map(drop), Err(Turned::Closed));
    }
}
