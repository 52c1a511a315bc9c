//! STARTUP and SHUTDOWN.
//! What lives here: their words. What does not: starting or stopping anything.

use super::lexer::Cursor;
use super::{Refusal, StartTarget, Statement, not_offered};
use crate::engine::ShutdownMode;

/// Reads what follows STARTUP.
pub(super) fn startup(cursor: &mut Cursor) -> Result<Statement, Refusal> {
    let force = cursor.accept(&["FORCE"]);
    for option in [
        "RESTRICT",
        "UPGRADE",
        "DOWNGRADE",
        "MIGRATE",
        "QUIET",
        "EXCLUSIVE",
        "PARALLEL",
        "SHARED",
    ] {
        if cursor.sees(option) {
            return Err(not_offered(&format!("STARTUP {option}")).into());
        }
    }
    if cursor.accept(&["PFILE"]) || cursor.accept(&["SPFILE"]) {
        return Err(
            not_offered("STARTUP with another parameter file than dbs/init<SID>.ora").into(),
        );
    }
    let target = if cursor.accept(&["NOMOUNT"]) {
        StartTarget::NoMount
    } else if cursor.accept(&["MOUNT"]) {
        StartTarget::Mount
    } else {
        open_target(cursor)?
    };
    if !cursor.at_end() {
        return Err(Refusal::Plus(
            714,
            "invalid combination of STARTUP options".into(),
        ));
    }
    Ok(Statement::Startup { force, target })
}

/// OPEN, or nothing, which means OPEN.
fn open_target(cursor: &mut Cursor) -> Result<StartTarget, Refusal> {
    if cursor.accept(&["OPEN"]) {
        if cursor.accept(&["READ", "ONLY"]) || cursor.accept(&["RECOVER"]) {
            return Err(not_offered("STARTUP OPEN READ ONLY or RECOVER").into());
        }
        cursor.accept(&["READ", "WRITE"]);
    }
    Ok(StartTarget::Open)
}

/// Reads what follows SHUTDOWN.
pub(super) fn shutdown(cursor: &mut Cursor) -> Result<Statement, Refusal> {
    let modes = [
        ("NORMAL", ShutdownMode::Normal),
        ("TRANSACTIONAL", ShutdownMode::Transactional),
        ("IMMEDIATE", ShutdownMode::Immediate),
        ("ABORT", ShutdownMode::Abort),
    ];
    let given = modes.iter().find(|(word, _)| cursor.accept(&[word]));
    if !cursor.at_end() {
        return Err(Refusal::Plus(717, "illegal SHUTDOWN option".into()));
    }
    Ok(Statement::Shutdown(
        given.map_or(ShutdownMode::Normal, |(_, mode)| *mode),
    ))
}
