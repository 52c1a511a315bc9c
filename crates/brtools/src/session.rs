//! What every run has: environment, profile, lock, logs, database, signals; and the way in and out.
//! What lives here: taking all of it in order, and giving it back. What does not: what a program does in between.

use std::fmt::Display;

use oracle::sqlplus::SqlplusBuilder;

use crate::action_id::{ActionId, Tool};
use crate::database::Database;
use crate::environment::Environment;
use crate::faults::Faults;
use crate::interrupt::Interrupt;
use crate::lock::{Lock, LockError};
use crate::messages::{LogForm, Message};
use crate::options::Parsed;
use crate::profile::{Finding, Profile};
use crate::return_code::ReturnCode;
use crate::run_log::RunLog;
use crate::summary::SummaryLog;

/// A run that has its lock and its logs.
pub struct Session {
    /// Where things are.
    pub environment: Environment,
    /// The profile, checked.
    pub profile: Profile,
    /// The detail log.
    pub log: RunLog,
    /// Signals.
    pub interrupt: Interrupt,
    /// The database, not spoken to yet.
    pub database: Database,
    /// What the program writes into its summary record.
    pub fields: Vec<String>,
    summary: SummaryLog,
    _lock: Lock,
}

/// Prints a message before there is a log.
fn say(number: u16, arguments: &[&dyn Display]) {
    let message = Message::error(number, arguments);
    eprintln!("{}", message.line(LogForm::from_environment()));
    if let Some(hint) = message.hint() {
        eprintln!("HINT: {hint}");
    }
}

/// Everything wrong with environment and profile is said in one pass.
fn prepare(options: &Parsed) -> Result<(Environment, Profile, Vec<Finding>), ReturnCode> {
    let environment = Environment::of_process().map_err(|faults| {
        faults
            .iter()
            .for_each(|fault| say(fault.number, &[&fault.what, &fault.hint]));
        ReturnCode::FailedEarly
    })?;
    let path = environment.profile(options.value("p"));
    let (profile, findings) = Profile::load(&path).map_err(|error| {
        say(253, &[&format!("{}: {error}", path.display())]);
        say(159, &[&path.display()]);
        ReturnCode::FailedEarly
    })?;
    let errors: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.is_error())
        .collect();
    for finding in &errors {
        say(9044, &[&finding, &finding.hint]);
    }
    if errors.is_empty() {
        Ok((environment, profile, findings))
    } else {
        Err(ReturnCode::FailedEarly)
    }
}

fn take_lock(tool: Tool, environment: &Environment) -> Result<Lock, ReturnCode> {
    let path = Lock::path(tool, &environment.sapbackup, &environment.saparch);
    Lock::take(&path).map_err(|error| {
        match &error {
            LockError::Held { .. } => {
                say(71, &[&tool.name()]);
                say(9044, &[&error, &"wait for it, or stop it with kill -TERM"]);
            }
            LockError::Unreadable { .. } | LockError::Io { .. } => {
                say(
                    9044,
                    &[
                        &error,
                        &"delete the file if no run is going on, or correct the permissions",
                    ],
                );
            }
        }
        say(73, &[&tool.name()]);
        ReturnCode::FailedEarly
    })
}

impl Session {
    /// Takes everything a run of `tool` needs, and begins its logs. On an error the messages have been printed.
    pub fn open(
        tool: Tool,
        options: &Parsed,
        function: &str,
        fields: &[String],
    ) -> Result<Session, ReturnCode> {
        let (environment, profile, findings) = prepare(options)?;
        let interrupt = Interrupt::install().map_err(|error| {
            say(252, &[&"sigaction", &"SIGTERM"]);
            say(253, &[&error]);
            ReturnCode::FailedEarly
        })?;
        let lock = take_lock(tool, &environment)?;
        let directory = match tool {
            Tool::Brarchive => &environment.saparch,
            _ => &environment.sapbackup,
        };
        let unwritable = |error: std::io::Error| {
            say(252, &[&"open", &directory.display()]);
            say(253, &[&error]);
            ReturnCode::FailedEarly
        };
        let id = ActionId::fresh(tool, directory).map_err(unwritable)?;
        let mut log = RunLog::create(tool, id, function, directory).map_err(unwritable)?;
        let name = match tool {
            Tool::Brbackup => "back",
            Tool::Brarchive => "arch",
            Tool::Brrestore => "rest",
            Tool::Brrecover => "recov",
        };
        let summary = SummaryLog::new(directory.join(format!("{name}{}.log", environment.sid)));
        summary
            .begin(id, function, fields)
            .map_err(|error| Faults::of_log(summary.path(), &error).print())?;
        if let Some(holder) = &lock.healed {
            log.info(
                9001,
                &[
                    &holder.pid,
                    &holder.host,
                    &crate::action_id::Stamp::from_seconds(holder.since_seconds),
                ],
            );
        }
        for finding in findings {
            log.message(&finding.message());
        }
        let builder = SqlplusBuilder::new(&environment.oracle_home, &environment.sid);
        let database = Database::new(&environment.sid, builder);
        Ok(Session {
            environment,
            profile,
            log,
            interrupt,
            database,
            fields: fields.to_vec(),
            summary,
            _lock: lock,
        })
    }

    /// Ends the logs and gives everything back. The code is worse when the logs cannot be ended.
    pub fn close(mut self, code: ReturnCode) -> ReturnCode {
        let ended = self.summary.finish(self.log.id(), code, &self.fields);
        let mut code = code;
        if let Err(error) = ended {
            let path = self.summary.path().display().to_string();
            self.log.error(253, &[&error]);
            self.log.error(121, &[&path]);
            code = ReturnCode::Failed;
        }
        let path = self.log.path().to_owned();
        if let Err(error) = self.log.finish(code) {
            eprintln!("{}: {error}", path.display());
            code = ReturnCode::Failed;
        }
        code
    }
}
