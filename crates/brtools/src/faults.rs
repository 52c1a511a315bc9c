//! What was found wrong before a run had a log: said on standard error, all of it, with hints.
//! What lives here: the list. What does not: finding anything.

use std::path::Path;

use crate::action_id::Tool;
use crate::environment::Environment;
use crate::lock::LockError;
use crate::messages::{LogForm, Message};
use crate::profile::{Finding, Profile};
use crate::return_code::ReturnCode;
use crate::run_log::RunLog;

/// Messages of a run that did not begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Message>);

impl Faults {
    /// A single one.
    pub fn one(message: Message) -> Faults {
        Faults(vec![message])
    }

    /// One more.
    pub fn push(&mut self, message: Message) {
        self.0.push(message);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Prints all of them; the return code is that of a run that failed early.
    pub fn print(&self) -> ReturnCode {
        let form = LogForm::from_environment();
        for message in &self.0 {
            eprintln!("{}", message.line(form));
            if let Some(hint) = message.hint() {
                eprintln!("HINT: {hint}");
            }
        }
        ReturnCode::FailedEarly
    }

    /// A log of earlier runs that cannot be read or written.
    pub fn of_log(path: &Path, error: &std::io::Error) -> Faults {
        Faults(vec![
            Message::error(253, &[&format!("{}: {error}", path.display())]),
            Message::error(121, &[&path.display()]),
        ])
    }

    /// Enters all of them in a log that there is by now.
    pub fn report(&self, log: &mut RunLog) {
        self.0.iter().for_each(|message| log.message(message));
    }

    /// The environment of this process; its faults are added.
    pub fn environment(&mut self) -> Option<Environment> {
        match Environment::of_process() {
            Ok(environment) => Some(environment),
            Err(found) => {
                self.0.extend(
                    found
                        .iter()
                        .map(|fault| Message::error(fault.number, &[&fault.what, &fault.hint])),
                );
                None
            }
        }
    }

    /// The profile, its errors added; the other findings are for the log.
    pub fn profile(&mut self, path: &Path) -> (Profile, Vec<Message>) {
        match Profile::load(path) {
            Ok((profile, findings)) => {
                let (errors, remarks): (Vec<&Finding>, Vec<&Finding>) =
                    findings.iter().partition(|finding| finding.is_error());
                self.0
                    .extend(errors.iter().map(|finding| finding.message()));
                (
                    profile,
                    remarks.iter().map(|finding| finding.message()).collect(),
                )
            }
            Err(error) => {
                self.push(Message::error(
                    253,
                    &[&format!("{}: {error}", path.display())],
                ));
                self.push(Message::error(159, &[&path.display()]));
                (Profile::default(), Vec::new())
            }
        }
    }

    /// Why a lock was not given: who holds it, and what to do.
    pub fn of_lock(tool: Tool, error: &LockError) -> Faults {
        let mut faults = Faults::default();
        let hint = match error {
            LockError::Held { path, .. } => {
                faults.push(Message::error(71, &[&tool.name()]));
                faults.push(Message::info(72, &[&path.display(), &tool.name()]));
                "wait for that run, or stop it with kill -TERM; a lock whose process is gone is taken over by itself"
            }
            LockError::Unreadable { .. } => "delete the file if no run is going on",
            LockError::Io { .. } => "correct the permissions of the directory",
        };
        faults.push(Message::error(9044, &[error, &hint]));
        faults.push(Message::error(73, &[&tool.name()]));
        faults
    }
}
