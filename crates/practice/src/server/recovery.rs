//! Media recovery by statement: its steps and the words for "this log is needed".
//! What lives here: RECOVER and ALTER DATABASE RECOVER. What does not: recovering (`engine`), the prompt (`sqlplus`).

use std::path::Path;

use oracle::scn::{LogSequence, Scn};
use oracle::time::OracleTime;

use super::connection::Session;
use super::execute::{feedback, messages};
use crate::engine::RecoveryStep;
use crate::engine::error::{OraError, OraResult};
use crate::protocol::Outcome;
use crate::statement::RecoverAction;

/// Takes one step. The SQL*Plus command gets a prompt where the SQL statement gets an error.
pub(super) fn run(
    session: &Session,
    action: RecoverAction,
    interactive: bool,
) -> OraResult<Outcome> {
    let instance = &session.shared.instance;
    let step = match action {
        RecoverAction::Begin(request) => instance.recover(&request)?,
        RecoverAction::Logfile(path) => instance.recover_with(&path)?,
        RecoverAction::Continue => instance.recover_with_suggestion()?,
        RecoverAction::Cancel => {
            instance.recover_cancel()?;
            return Ok(ended(interactive, "Media recovery cancelled."));
        }
    };
    match step {
        RecoveryStep::Complete => Ok(ended(interactive, "Media recovery complete.")),
        RecoveryStep::NeedsLog {
            suggestion,
            sequence,
            scn,
            time,
            note,
        } => {
            let needed = needed(&suggestion, sequence, scn, time, note);
            if interactive {
                Ok(Outcome {
                    recovery_prompt: Some(needed),
                    ..Outcome::default()
                })
            } else {
                Err(needed)
            }
        }
    }
}

fn ended(interactive: bool, text: &str) -> Outcome {
    if interactive {
        messages(vec![text.to_owned()])
    } else {
        feedback("Database altered.")
    }
}

fn needed(
    suggestion: &Path,
    sequence: LogSequence,
    scn: Scn,
    time: OracleTime,
    note: Option<OraError>,
) -> OraError {
    let (year, month, day, hour, minute, second) = time.civil();
    let generated = format!("{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}");
    let mut error = OraError::new(
        279,
        format!("change {scn} generated at {generated} needed for thread 1"),
    )
    .and(289, format!("suggestion : {}", suggestion.display()))
    .and(
        280,
        format!("change {scn} for thread 1 is in sequence #{sequence}"),
    );
    error
        .lines
        .extend(note.into_iter().flat_map(|note| note.lines));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needed_log_is_named_as_oracle_names_it() {
        let time = OracleTime::from_civil(2026, 3, 7, 1, 44, 38).unwrap();
        let note = OraError::new(308, "cannot open archived log '/a/7.dbf'");
        let error = needed(
            Path::new("/a/7.dbf"),
            LogSequence::new(7),
            Scn::new(4711),
            time,
            Some(note),
        );
        let text = "ORA-00279: change 4711 generated at 03/07/2026 01:44:38 needed for thread 1\n\
                    ORA-00289: suggestion : /a/7.dbf\n\
                    ORA-00280: change 4711 for thread 1 is in sequence #7\n\
                    ORA-00308: cannot open archived log '/a/7.dbf'";
        assert_eq!(error.to_string(), text);
    }
}
