//! SHUTDOWN: closing the gate to others, stopping the engine, ending the process.
//! What lives here: the order of these. What does not: what the engine does to close.

use std::time::Duration;

use super::connection::{Next, Session};
use super::execute::messages;
use super::registry::Gate;
use crate::engine::ShutdownMode;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::protocol::Outcome;

/// How long SHUTDOWN NORMAL waits for others to leave, as Oracle does.
const NORMAL_WAIT: Duration = Duration::from_secs(3600);

/// Shuts the instance down. After success the process ends once the answer is sent.
pub(super) fn shutdown(session: &Session, mode: ShutdownMode) -> (OraResult<Outcome>, Next) {
    let before = session.shared.instance.status();
    match stop(session, mode) {
        Ok(()) => (Ok(messages(words(before, mode))), Next::Exit),
        Err(error) => (Err(error), Next::Continue),
    }
}

fn stop(session: &Session, mode: ShutdownMode) -> OraResult<()> {
    let registry = &session.shared.registry;
    if mode == ShutdownMode::Normal {
        registry.close_gate(Gate::NoLogons, false)?;
        if !registry.wait_alone(session.sid, NORMAL_WAIT) {
            registry.open_gate();
            return Err(
                OraError::new(1013, "user requested cancel of current operation").and(
                    1089,
                    "sessions are still connected after an hour; SHUTDOWN IMMEDIATE does not wait",
                ),
            );
        }
    } else {
        registry.close_gate(Gate::Closed, mode == ShutdownMode::Abort)?;
    }
    // A failure such as ORA-01149 leaves the instance as it was.
    session
        .shared
        .instance
        .shutdown(mode)
        .inspect_err(|_| registry.open_gate())?;
    if !registry.claim_end() {
        return Err(OraError::new(
            1092,
            "ORACLE instance terminated. Disconnection forced",
        ));
    }
    registry.disconnect_others(session.sid);
    Ok(())
}

/// What Oracle says, by how far the instance was up.
fn words(before: InstanceStatus, mode: ShutdownMode) -> Vec<String> {
    let down = "ORACLE instance shut down.";
    let lines: &[&str] = match (mode, before) {
        (ShutdownMode::Abort, _) => &[down],
        (_, InstanceStatus::Open) => &["Database closed.", "Database dismounted.", down],
        (_, InstanceStatus::Mounted) => &[
            "ORA-01109: database not open",
            "",
            "",
            "Database dismounted.",
            down,
        ],
        (_, InstanceStatus::Started) => &["ORA-01507: database not mounted", "", "", down],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}
