//! One run of brarchive from lock to return code.
//! What lives here: what every step needs, and how a run ends. What does not: the steps.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use oracle::sqlplus::SqlplusBuilder;

use super::plan::{Handled, Plan};
use super::settings::Settings;
use super::tape::Tapes;
use crate::action_id::{ActionId, Tool};
use crate::database::{Database, DatabaseError, report};
use crate::durable;
use crate::failpoint;
use crate::faults::Faults;
use crate::interrupt::Interrupt;
use crate::lock::Lock;
use crate::messages::Message;
use crate::request::{Inbox, Request};
use crate::return_code::ReturnCode;
use crate::run_log::{RunLog, megabytes};
use crate::summary::archive::{ArchiveSummary, ArchiveSummaryError};
use crate::summary::rebuild;
use crate::values::Confirmation;
use crate::volume::handover::Handover;

pub(super) use crate::prompt::Stop;

/// How often a run looks for a request while it waits.
pub(super) const REQUEST_PAUSE: Duration = Duration::from_millis(200);

/// A run that holds its lock and has its log.
pub(super) struct Run {
    pub settings: Settings,
    pub log: RunLog,
    pub database: Database,
    pub interrupt: Interrupt,
    /// `arch<SID>.log`.
    pub summary: ArchiveSummary,
    /// The volumes, of a run to tape.
    pub tapes: Option<Tapes>,
    /// Their names, once they are chosen.
    pub volumes: Vec<String>,
    /// A volume that brbackup has left in the drive.
    pub handover: Option<Handover>,
    /// Symbolic position of the last copy made.
    pub position: u32,
    /// How many logs may still be processed.
    pub logs_left: usize,
    /// The logs that this run has processed.
    pub handled: HashSet<Handled>,
    /// What was said once and need not be said again.
    said: HashSet<String>,
    /// What other shells ask of this run.
    pub inbox: Inbox,
    working: bool,
    /// Held until the end.
    _lock: Lock,
}

impl Run {
    /// Takes the lock, reads `arch<SID>.log` and opens the log.
    pub(super) fn begin(settings: Settings) -> Result<Run, Faults> {
        let environment = settings.environment.clone();
        // Before anybody can find this run to signal it.
        let interrupt =
            Interrupt::install().map_err(|error| Faults::one(Message::error(253, &[&error])))?;
        let lock_path = Lock::path(
            Tool::Brarchive,
            &environment.sapbackup,
            &environment.saparch,
        );
        let lock =
            Lock::take(&lock_path).map_err(|error| Faults::of_lock(Tool::Brarchive, &error))?;
        let inbox = Inbox::open(&lock_path);
        let unwritable = |error: std::io::Error| {
            Faults::one(Message::error(
                9041,
                &[&environment.saparch.display(), &error],
            ))
        };
        let inbox = inbox.map_err(unwritable)?;
        let summary_path = environment
            .saparch
            .join(format!("arch{}.log", environment.sid));
        let summary =
            ArchiveSummary::read(&summary_path).map_err(|error| damaged_summary(&error))?;
        let is_lost = !summary_path.exists() && rebuild::tells_of_copies(&environment.saparch);
        let id = ActionId::fresh(Tool::Brarchive, &environment.saparch).map_err(unwritable)?;
        let mut log = RunLog::create(
            Tool::Brarchive,
            id,
            settings.function_id(),
            &environment.saparch,
        )
        .map_err(unwritable)?;
        let builder = SqlplusBuilder::new(&environment.oracle_home, &environment.sid);
        if let Some(holder) = &lock.healed {
            log.info(
                9001,
                &[
                    &holder.pid,
                    &holder.host,
                    &format!("{} s ago", holder.age_seconds()),
                ],
            );
        }
        if is_lost {
            let what = format!(
                "{} is not there, though brarchive has worked before: every log counts as new",
                summary_path.display()
            );
            let hint = "backstay archive-log rebuild makes it anew from detail logs and copies";
            log.warning(9043, &[&what, &hint]);
        }
        settings
            .remarks
            .iter()
            .for_each(|remark| log.message(remark));
        Ok(Run {
            database: Database::new(&environment.sid, builder),
            log,
            interrupt,
            summary,
            tapes: None,
            volumes: Vec::new(),
            handover: None,
            position: 3,
            logs_left: settings.logs_max,
            handled: HashSet::new(),
            said: HashSet::new(),
            inbox,
            working: false,
            _lock: lock,
            settings,
        })
    }

    /// An information that a run which looks again and again gives once.
    pub(super) fn say_once(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            self.log.info(9045, &[&text]);
        }
    }

    /// The parameter section.
    pub(super) fn announce(&mut self) {
        let rows = self.settings.parameter_rows();
        self.log.parameters(&rows);
        self.log.stamp();
    }

    /// What will be done.
    pub(super) fn announce_plan(&mut self, plan: &Plan) {
        let sid = self.settings.environment.sid.clone();
        let (id, function, function_id) = (
            self.log.id(),
            self.settings.function,
            self.settings.function_id(),
        );
        self.log.info(8, &[&sid]);
        self.log.info(9, &[&id]);
        self.log.info(10, &[&function_id]);
        self.log.info(48, &[&function.name]);
        if !plan.items.is_empty() {
            self.log
                .info(11, &[&plan.items.len(), &megabytes(plan.bytes())]);
        }
        if let Some(tapes) = self.settings.tapes.clone() {
            let device = self.settings.device_name.clone();
            tapes.announce(&device, &self.volumes, &mut self.log);
            return self.announce_confirmation();
        }
        self.log.info(112, &[]);
        self.log.info(130, &[&"disk"]);
        let directories = self
            .settings
            .directories
            .iter()
            .map(|directory| directory.display().to_string());
        let directories = directories.collect::<Vec<_>>().join(", ");
        self.log.info(106, &[&directories]);
        self.announce_confirmation();
    }

    fn announce_confirmation(&mut self) {
        match self.settings.confirmation {
            Confirmation::Ask => {}
            Confirmation::Unattended => self.log.info(126, &[]),
            Confirmation::Force => self.log.info(134, &[]),
        }
    }

    /// Asks the operator, unless the run is unattended.
    pub(super) fn ask_to_continue(&mut self) -> Result<(), Stop> {
        self.check_interrupt()?;
        crate::prompt::ask_to_continue(&mut self.log, "BRARCHIVE", self.settings.confirmation)
    }

    /// From here on something has been done.
    pub(super) fn work_begins(&mut self) {
        self.working = true;
    }

    /// Stops where a signal has asked for it.
    pub(super) fn check_interrupt(&self) -> Result<(), Stop> {
        self.interrupt
            .signal()
            .map_or(Ok(()), |signal| Err(Stop::Signal(signal)))
    }

    /// Whether another shell asked this run to end. Waits as long as one asks it to wait.
    pub(super) fn is_asked_to_stop(&mut self) -> Result<bool, Stop> {
        let mut waits = false;
        loop {
            self.check_interrupt()?;
            match self.inbox.request() {
                Request::Stop => {
                    self.log
                        .info(9045, &[&"asked to stop: no other log is begun"]);
                    return Ok(true);
                }
                Request::Suspend if waits => std::thread::sleep(REQUEST_PAUSE),
                Request::Suspend => {
                    waits = true;
                    self.log.stamp();
                    self.log
                        .info(9045, &[&"asked to wait: brarchive -f resume lets it go on"]);
                }
                Request::GoOn => {
                    if waits {
                        self.log.stamp();
                        self.log.info(9045, &[&"asked to go on"]);
                    }
                    return Ok(false);
                }
            }
        }
    }

    /// Reports what the database refused and stops.
    pub(super) fn refused(&mut self, location: &str, error: &DatabaseError) -> Stop {
        report::error(&mut self.log, location, error);
        Stop::Failed
    }

    /// Writes `arch<SID>.log`.
    pub(super) fn write_summary(&mut self) -> Result<(), Stop> {
        self.summary.write().map_err(|error| {
            damaged_summary(&error).report(&mut self.log);
            Stop::Failed
        })
    }

    /// Ends the run: last messages and return code.
    pub(super) fn end(mut self, outcome: Result<(), Stop>) -> ReturnCode {
        failpoint::reach("archive-before-end");
        let code = crate::prompt::code_of(&mut self.log, "BRARCHIVE", self.working, outcome);
        let path = self.log.path().to_owned();
        let finished = self.log.finish(code);
        if let Err(error) = &finished {
            eprintln!("{}: {error}", Message::error(121, &[&path.display()]));
        }
        if self.working && self.settings.tapes.is_none() {
            self.settings.keep_logs_beside_copies(&path);
        }
        if finished.is_ok() {
            code
        } else {
            code.max(ReturnCode::Warnings)
        }
    }
}

impl Settings {
    /// Detail and summary log beside the copies are for the day on which `saparch` is lost; the run does not depend on them.
    fn keep_logs_beside_copies(&self, detail: &Path) {
        let summary = self
            .environment
            .saparch
            .join(format!("arch{}.log", self.environment.sid));
        for source in [detail, &summary] {
            let target = self.directories[0].join(source.file_name().unwrap_or_default());
            let copied = if target == source {
                Ok(())
            } else {
                std::fs::read(source).and_then(|text| durable::replace(&target, &text))
            };
            if let Err(error) = copied {
                eprintln!("{}: {error}", Message::warning(121, &[&target.display()]));
            }
        }
    }
}

/// A damaged or unreadable `arch<SID>.log`: nothing may be decided from it.
fn damaged_summary(error: &ArchiveSummaryError) -> Faults {
    let mut faults = Faults::default();
    let path = match error {
        ArchiveSummaryError::Damaged { path, line } => {
            faults.push(Message::error(123, &[line, &path.display()]));
            let hint = "backstay archive-log rebuild makes it anew from detail logs and copies, and keeps the old one";
            faults.push(Message::error(
                9044,
                &[&"nothing is decided from a damaged log", &hint],
            ));
            path
        }
        ArchiveSummaryError::Io { path, source } => {
            faults.push(Message::error(
                253,
                &[&format!("{}: {source}", path.display())],
            ));
            path
        }
    };
    faults.push(Message::error(121, &[&path.display()]));
    faults
}
