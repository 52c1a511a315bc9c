//! The instance: its state under one lock, its background threads, its start and stop.
//! What lives here: the state and the way threads wait for each other. What does not: what each thread does.
//!
//! One mutex guards control file, cache and redo bookkeeping; all slow input and output of the background threads
//! happens outside it, on copies. Two condition variables: `work` wakes the background threads, `progress` wakes
//! those who wait for them (a commit for its redo, a checkpoint for its blocks).

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use oracle::time::OracleTime;

use super::alert::AlertLog;
use super::cache::Cache;
use super::control::ControlFile;
use super::datafile::DataFile;
use super::error::{OraError, OraResult};
use super::facts::InstanceStatus;
use super::faults::Faults;
use super::home::Home;
use super::parameters::Parameters;
use super::recovery::media::MediaRecovery;
use super::redo_log::Redo;

/// A started instance.
pub struct Instance {
    pub(crate) home: Home,
    pub(crate) parameters: Parameters,
    pub(crate) faults: Faults,
    pub(crate) started: OracleTime,
    pub(crate) core: Mutex<Core>,
    /// Wakes background threads.
    pub(crate) work: Condvar,
    /// Wakes those who wait for background threads.
    pub(crate) progress: Condvar,
    /// One at a time writes data file headers: checkpoint, BEGIN BACKUP, END BACKUP.
    pub(crate) headers: Mutex<()>,
    /// The media recovery that waits for its next log.
    pub(crate) recovery: Mutex<Option<MediaRecovery>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    alert_log: AlertLog,
}

/// What the lock guards.
pub(crate) struct Core {
    pub status: InstanceStatus,
    /// Present from MOUNT on.
    pub control: Option<ControlFile>,
    /// Present while OPEN.
    pub open: Option<OpenDatabase>,
}

/// An open database.
pub(crate) struct OpenDatabase {
    pub files: Vec<DataFile>,
    pub cache: Cache,
    pub redo: Redo,
    /// The newest SCN given out.
    pub scn: u64,
    /// A full checkpoint has been asked for.
    pub checkpoint_wanted: bool,
    /// Checkpoints completed by this instance.
    pub checkpoints_done: u64,
    /// Everything changed up to this ticket is to be written as soon as possible.
    pub flush_through: u64,
    /// Last number given to a BEGIN BACKUP.
    pub backup_epochs: u64,
    /// Why the newest archiving failed; empty when it did not.
    pub archive_error: String,
    /// The database is being closed: no new commits, background threads end when their work is done.
    pub closing: bool,
    /// As `closing`, but nothing more is written.
    pub aborted: bool,
}

impl OpenDatabase {
    /// The next SCN, given out.
    pub fn next_scn(&mut self) -> u64 {
        self.scn += 1;
        self.scn
    }
}

impl Core {
    /// The control file. ORA-01507 before MOUNT.
    pub fn control(&mut self) -> OraResult<&mut ControlFile> {
        self.control
            .as_mut()
            .ok_or_else(|| OraError::new(1507, "database not mounted"))
    }

    /// The open database. ORA-01109 when it is not open.
    pub fn open(&mut self) -> OraResult<&mut OpenDatabase> {
        self.open
            .as_mut()
            .ok_or_else(|| OraError::new(1109, "database not open"))
    }

    /// Control file and open database together.
    pub fn both(&mut self) -> OraResult<(&mut ControlFile, &mut OpenDatabase)> {
        match (self.control.as_mut(), self.open.as_mut()) {
            (Some(control), Some(open)) => Ok((control, open)),
            _ => Err(OraError::new(1109, "database not open")),
        }
    }
}

/// How SHUTDOWN ends the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// Clean.
    Normal,
    /// Clean; transactions here end with their commit, so there are none to wait for.
    Transactional,
    /// Clean, without waiting for sessions.
    Immediate,
    /// As a crash: nothing is written.
    Abort,
}

impl Instance {
    /// STARTUP NOMOUNT: reads the parameter file, opens nothing of the database.
    ///
    /// Errors: ORA-01078 for the parameter file, ORA-32700 for a planted fault with an unknown name.
    pub fn start(home: &Path, sid: &str) -> OraResult<Arc<Instance>> {
        let home = Home::new(home, sid);
        let parameters = Parameters::read(&home)?;
        Instance::start_with(home, parameters)
    }

    /// STARTUP NOMOUNT with the default of every parameter, as RMAN does it to restore a lost parameter file.
    ///
    /// Errors: as [`Instance::start`].
    pub fn start_without_parameters(home: &Path, sid: &str) -> OraResult<Arc<Instance>> {
        let home = Home::new(home, sid);
        let parameters = Parameters::parse(&home, "")?;
        Instance::start_with(home, parameters)
    }

    fn start_with(home: Home, parameters: Parameters) -> OraResult<Arc<Instance>> {
        let faults = Faults::from_environment().map_err(|name| {
            OraError::new(
                32700,
                format!(
                    "unknown planted fault '{name}' in {}",
                    super::faults::VARIABLE
                ),
            )
        })?;
        let alert_log = AlertLog::open(&home.alert_log());
        let instance = Instance {
            home,
            parameters,
            faults,
            started: OracleTime::now(),
            core: Mutex::new(Core {
                status: InstanceStatus::Started,
                control: None,
                open: None,
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
            headers: Mutex::new(()),
            recovery: Mutex::new(None),
            threads: Mutex::new(Vec::new()),
            alert_log,
        };
        instance.alert("Starting ORACLE instance (normal)");
        if faults != Faults::default() {
            instance.alert(&format!("Planted faults active: {faults:?}"));
        }
        Ok(Arc::new(instance))
    }

    /// Appends to the alert log.
    pub fn alert(&self, text: &str) {
        self.alert_log.write(text);
    }

    /// Runs a statement between its two lines in the alert log: itself, and that it is completed or what it met.
    pub(crate) fn logged<T>(
        &self,
        statement: &str,
        run: impl FnOnce() -> OraResult<T>,
    ) -> OraResult<T> {
        self.alert(statement);
        let result = run();
        match &result {
            Ok(_) => self.alert(&format!("Completed: {statement}")),
            Err(error) => self.alert(&format!(
                "{error}\nORA-{} signalled during: {statement}",
                error.code()
            )),
        }
        result
    }

    /// How far the instance is up.
    pub fn status(&self) -> InstanceStatus {
        self.lock().status
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core
            .lock()
            .expect("a thread that panicked with the instance's state has ended the process")
    }

    /// Waits for progress, at most a tenth of a second, so that no waiter depends on a single wake-up.
    pub(crate) fn wait_progress<'a>(&self, core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        self.progress
            .wait_timeout(core, Duration::from_millis(100))
            .expect("see lock")
            .0
    }

    /// Waits for work, at most this long.
    pub(crate) fn wait_work<'a>(
        &self,
        core: MutexGuard<'a, Core>,
        longest: Duration,
    ) -> MutexGuard<'a, Core> {
        self.work.wait_timeout(core, longest).expect("see lock").0
    }

    /// Ends the process as a background process of Oracle ends the instance when it cannot write: at once, so that
    /// nothing is acknowledged any more. The next start recovers.
    pub(crate) fn die(&self, process: &str, error: &OraError) -> ! {
        self.alert(&format!(
            "{error}\n{process}: terminating instance due to error {}",
            error.code()
        ));
        eprintln!("{process}: terminating instance: {error}");
        std::process::abort()
    }

    /// MOUNT: opens the control file. ORA-01100 when it is mounted already, ORA-01103 when it is another database's.
    pub fn mount(&self) -> OraResult<()> {
        let mut core = self.lock();
        if core.status != InstanceStatus::Started {
            return Err(OraError::new(1100, "database already mounted"));
        }
        let control = ControlFile::open(&self.parameters.control_files)?;
        if !control
            .record
            .name
            .eq_ignore_ascii_case(&self.parameters.db_name)
        {
            return Err(OraError::new(
                1103,
                format!(
                    "database name '{}' in control file is not '{}'",
                    control.record.name, self.parameters.db_name
                ),
            ));
        }
        core.control = Some(control);
        core.status = InstanceStatus::Mounted;
        drop(core);
        self.alert(&format!(
            "Database mounted in Exclusive Mode\nCompleted: ALTER DATABASE {} MOUNT",
            self.parameters.db_name
        ));
        Ok(())
    }

    /// Starts the background threads of the open database.
    pub(crate) fn start_threads(self: &Arc<Instance>) {
        let mut threads = self.threads.lock().expect("only pushed to and drained");
        let mut spawn = |name: &str, body: fn(&Instance)| {
            let instance = Arc::clone(self);
            let handle = std::thread::Builder::new()
                .name(name.to_string())
                .spawn(move || body(&instance));
            match handle {
                Ok(handle) => threads.push(handle),
                Err(error) => self.die(
                    name,
                    &OraError::new(443, format!("background process did not start: {error}")),
                ),
            }
        };
        spawn("LGWR", Instance::log_writer);
        spawn("DBW0", Instance::database_writer);
        spawn("CKPT", Instance::checkpointer);
        spawn("ARC0", Instance::archiver);
    }

    /// SHUTDOWN. ORA-01149 in backup mode unless ABORT.
    ///
    /// After a clean one every change is in the data files and the redo thread is closed; after ABORT the disk is as
    /// a crash leaves it. The instance is of no use afterwards.
    pub fn shutdown(&self, mode: ShutdownMode) -> OraResult<()> {
        if mode == ShutdownMode::Abort {
            self.alert("Shutting down instance (abort)");
            if let Some(open) = self.lock().open.as_mut() {
                open.aborted = true;
                open.closing = true;
            }
            self.work.notify_all();
            self.progress.notify_all();
            self.join_threads();
            let mut core = self.lock();
            core.open = None;
            core.control = None;
            core.status = InstanceStatus::Started;
            return Ok(());
        }
        self.alert("Shutting down instance");
        self.close()?;
        let mut core = self.lock();
        core.control = None;
        core.status = InstanceStatus::Started;
        drop(core);
        self.alert("Completed: ALTER DATABASE DISMOUNT");
        Ok(())
    }

    pub(crate) fn join_threads(&self) {
        let handles: Vec<_> = self
            .threads
            .lock()
            .expect("only pushed to and drained")
            .drain(..)
            .collect();
        for handle in handles {
            if handle.join().is_err() {
                eprintln!("a background thread panicked");
                std::process::abort();
            }
        }
    }
}
