//! One run of brbackup from lock to return code.
//! What lives here: what every step needs, and how a run ends. What does not: the steps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oracle::sqlplus::SqlplusBuilder;

use super::settings::Settings;
use super::tape::Tapes;
use crate::action_id::{ActionId, Tool};
use crate::database::{Database, DatabaseError, report};
use crate::durable;
use crate::failpoint;
use crate::faults::Faults;
use crate::interrupt::Interrupt;
use crate::lock::Lock;
use crate::messages::{Message, Severity};
use crate::prompt;
use crate::request::{Inbox, Request};
use crate::return_code::ReturnCode;
use crate::run_log::RunLog;
use crate::summary::SummaryLog;

pub(super) use crate::prompt::Stop;

/// A run that holds its lock and has its log.
pub(super) struct Run {
    pub desk: Desk,
    pub database: Database,
    /// Whether the instance was down when the run began and has to be so again.
    pub shut_down_at_end: bool,
    working: bool,
    summary: SummaryLog,
    _lock: Lock,
}

/// What every step reads and writes, apart from the database, which a guard of backup mode keeps to itself.
pub(super) struct Desk {
    pub settings: Settings,
    pub log: RunLog,
    pub interrupt: Interrupt,
    /// What other shells ask of this run.
    pub inbox: Arc<Inbox>,
    /// The drives, of a backup to tape.
    pub tapes: Option<Tapes>,
    /// What the summary log says beside id, times and return code.
    pub progress: Progress,
}

/// How much is done of how much.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub files: usize,
    pub bytes: u64,
    pub files_total: usize,
    pub bytes_total: u64,
    /// Symbolic position of the next file: a tape has its label and two profiles before the first.
    pub position: u32,
    /// Sequence of the log that was current when the backup ended.
    pub log_sequence: u32,
}

impl Run {
    /// Takes the lock, opens the log and enters the run in the summary log.
    pub(super) fn begin(settings: Settings) -> Result<Run, Faults> {
        let environment = settings.environment.clone();
        // Before anybody can find this run to signal it.
        let interrupt =
            Interrupt::install().map_err(|error| Faults::one(Message::error(253, &[&error])))?;
        let lock_path = Lock::path(Tool::Brbackup, &environment.sapbackup, &environment.saparch);
        let lock =
            Lock::take(&lock_path).map_err(|error| Faults::of_lock(Tool::Brbackup, &error))?;
        let unwritable = |error: &std::io::Error| {
            Faults::one(Message::error(
                9041,
                &[&environment.sapbackup.display(), error],
            ))
        };
        let inbox = Inbox::open(&lock_path).map_err(|error| unwritable(&error))?;
        let id = ActionId::fresh(Tool::Brbackup, &environment.sapbackup)
            .map_err(|error| unwritable(&error))?;
        let function = settings.function_id();
        let log = RunLog::create(Tool::Brbackup, id, &function, &environment.sapbackup)
            .map_err(|error| unwritable(&error))?;
        let summary = SummaryLog::new(
            environment
                .sapbackup
                .join(format!("back{}.log", environment.sid)),
        );
        let builder = SqlplusBuilder::new(&environment.oracle_home, &environment.sid);
        let mut run = Run {
            database: Database::new(&environment.sid, builder),
            desk: Desk {
                log,
                interrupt,
                inbox: Arc::new(inbox),
                progress: Progress {
                    position: 4,
                    ..Progress::default()
                },
                settings,
                tapes: None,
            },
            shut_down_at_end: false,
            working: false,
            summary,
            _lock: lock,
        };
        run.enter_in_summary()
            .map_err(|error| Faults::of_log(run.summary.path(), &error))?;
        Ok(run)
    }

    fn enter_in_summary(&mut self) -> std::io::Result<()> {
        if let Some(holder) = self._lock.healed.clone() {
            self.desk.log.info(
                9001,
                &[
                    &holder.pid,
                    &holder.host,
                    &format!("{} s ago", holder.age_seconds()),
                ],
            );
        }
        let remarks = self.desk.settings.remarks.clone();
        remarks
            .iter()
            .for_each(|remark| self.desk.log.message(remark));
        self.summary.begin(
            self.desk.log.id(),
            self.desk.log.function(),
            &self.desk.fields(),
        )
    }

    /// From here on something has been done: return codes are those of a run that was working.
    pub(super) fn work_begins(&mut self) {
        self.working = true;
    }

    /// Asks the operator, unless the run is unattended.
    pub(super) fn ask_to_continue(&mut self) -> Result<(), Stop> {
        self.desk.check_interrupt()?;
        prompt::ask_to_continue(
            &mut self.desk.log,
            "BRBACKUP",
            self.desk.settings.confirmation,
        )
    }

    /// Ends the run: last messages, return code, summary log.
    pub(super) fn end(mut self, outcome: Result<(), Stop>) -> ReturnCode {
        self.restore_former_state();
        let code = prompt::code_of(&mut self.desk.log, "BRBACKUP", self.working, outcome);
        let fields = self.desk.fields();
        let (id, function, path) = (
            self.desk.log.id(),
            self.desk.log.function().to_owned(),
            self.desk.log.path().to_owned(),
        );
        let closed = self.desk.log.finish(code);
        if let Err(error) = &closed {
            complain(121, &path, error);
        }
        copy_detail_log(&self.desk.settings, id, &function, &path);
        failpoint::reach("before-summary-log");
        match self.summary.finish(id, code, &fields) {
            Ok(()) if closed.is_ok() => code,
            Ok(()) => code.max(ReturnCode::Warnings),
            Err(error) => {
                complain(121, self.summary.path(), &error);
                // Without its record nobody will offer this backup.
                ReturnCode::Failed
            }
        }
    }

    /// Shuts the instance down again where it was down before.
    fn restore_former_state(&mut self) {
        if !self.shut_down_at_end {
            return;
        }
        let sid = self.desk.settings.environment.sid.clone();
        self.desk.log.info(307, &[&sid]);
        match self
            .database
            .shutdown(crate::database::ShutdownMode::Immediate)
        {
            Ok(()) => self.desk.log.info(308, &[&sid]),
            Err(error) => {
                report::error(&mut self.desk.log, "shutdown", &error);
                self.desk.log.error(309, &[&sid]);
            }
        }
    }

    pub(super) fn summary_path(&self) -> &Path {
        self.summary.path()
    }
}

impl Desk {
    /// Where the copies of this run go below a root directory.
    pub(super) fn directory(&self, root: &Path) -> PathBuf {
        root.join(self.log.id().to_string())
    }

    /// Stops where a signal, or another shell, has asked for it.
    pub(super) fn check_interrupt(&self) -> Result<(), Stop> {
        match self.interrupt.signal() {
            Some(signal) => Err(Stop::Signal(signal)),
            None if self.is_asked_to_stop() => Err(Stop::User),
            None => Ok(()),
        }
    }

    /// Whether no other copy is to be begun: `brbackup -g stop`.
    pub(super) fn is_asked_to_stop(&self) -> bool {
        self.inbox.request() == Request::Stop
    }

    /// Reports what the database refused and stops.
    pub(super) fn refused(&mut self, location: &str, error: &DatabaseError) -> Stop {
        report::error(&mut self.log, location, error);
        Stop::Failed
    }

    /// The summary record's own fields: log sequence, files, bytes, mode, type, device.
    pub(super) fn fields(&self) -> Vec<String> {
        let Progress {
            log_sequence,
            files,
            files_total,
            bytes,
            ..
        } = self.progress;
        vec![
            log_sequence.to_string(),
            format!("{files}/{files_total}"),
            bytes.to_string(),
            self.settings.mode_text(),
            self.settings.backup_type.name().to_owned(),
            self.settings.device_name.clone(),
        ]
    }
}

/// The log beside the copies is for the day on which `sapbackup` is lost; the run does not depend on it.
fn copy_detail_log(settings: &Settings, id: ActionId, function: &str, path: &Path) {
    let Some(root) = settings.root_directories.first() else {
        return;
    };
    let directory = root.join(id.to_string());
    if !directory.is_dir() {
        return;
    }
    let copied = std::fs::read(path)
        .and_then(|text| durable::replace(&directory.join(format!("{id}.{function}")), &text));
    if let Err(error) = copied {
        complain(121, &directory, &error);
    }
}

/// The log is closed: standard error is all that is left.
fn complain(number: u16, path: &Path, error: &std::io::Error) {
    eprintln!(
        "{}: {error}",
        Message::new(number, Severity::Error, &[&path.display()])
    );
}
