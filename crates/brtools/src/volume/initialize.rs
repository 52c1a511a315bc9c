//! `-i`: labels tapes for brbackup or brarchive, or shows their labels.
//! What lives here: the run. What does not: the label on the tape (`station`).
//!
//! `-i` gives a volume that has a label a new name, when it is not locked; `-i force` labels whatever is in the drive;
//! `-i show` looks only. The names come from `-v` or from the profile, the tapes one after the other into the first drive.

use super::expiry;
use super::label::{Label, SCRATCH};
use super::settings::{Loading, Pool, TapeSettings};
use super::station::{self, Station};
use crate::action_id::{ActionId, Tool};
use crate::environment::Environment;
use crate::faults::Faults;
use crate::interrupt::Interrupt;
use crate::lock::Lock;
use crate::messages::Message;
use crate::options::Parsed;
use crate::prompt::{self, Stop};
use crate::return_code::ReturnCode;
use crate::run_log::RunLog;
use crate::values::{Confirmation, Values};

/// More tapes at a time are a slip of the finger.
const TAPES_MAX: usize = 1000;

/// What is done with each tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Relabel,
    Force,
    Show,
}

struct Settings {
    environment: Environment,
    tapes: TapeSettings,
    pool: Pool,
    task: Task,
    /// One a tape; empty names where labels are only shown.
    names: Vec<String>,
    confirmation: Confirmation,
    profile_path: std::path::PathBuf,
    remarks: Vec<Message>,
}

/// Runs `brbackup -i` or `brarchive -i`.
pub fn main(tool: Tool, options: &Parsed) -> ReturnCode {
    let settings = match Settings::read(tool, options) {
        Ok(settings) => settings,
        Err(faults) => return faults.print(),
    };
    match run(tool, &settings) {
        Ok(code) => code,
        Err(faults) => faults.print(),
    }
}

impl Settings {
    fn read(tool: Tool, options: &Parsed) -> Result<Settings, Faults> {
        let mut faults = Faults::default();
        let Some(environment) = faults.environment() else {
            return Err(faults);
        };
        let profile_path = environment.profile(options.value("p"));
        let (profile, remarks) = faults.profile(&profile_path);
        if !faults.is_empty() {
            return Err(faults);
        }
        let values = Values {
            options,
            profile: &profile,
        };
        let pool = match tool {
            Tool::Brarchive => Pool::Archive,
            _ => Pool::Backup,
        };
        let tapes = TapeSettings::read(&values, pool, &mut faults);
        if tapes.is_none() && faults.is_empty() {
            let device = values.text("d", "backup_dev_type");
            let what = format!("-i labels tapes, and the device type is {device}");
            faults.push(Message::error(9044, &[&what, &"give -d tape"]));
        }
        let task = match options.value("i") {
            Some("force") => Task::Force,
            Some("show") => Task::Show,
            _ => Task::Relabel,
        };
        let names = tapes
            .as_ref()
            .map(|tapes| names(tapes, task, options.value("n"), &mut faults))
            .unwrap_or_default();
        match tapes.filter(|_| faults.is_empty()) {
            Some(tapes) => Ok(Settings {
                environment,
                tapes,
                pool,
                task,
                names,
                confirmation: values.confirmation(),
                profile_path,
                remarks,
            }),
            None => Err(faults),
        }
    }

    /// Parameter that names the volumes.
    fn parameter(&self) -> &'static str {
        match self.pool {
            Pool::Backup => "volume_backup",
            Pool::Archive => "volume_archive",
        }
    }
}

/// As many names as `-n` says; without it all that `-v` names, else one.
fn names(
    tapes: &TapeSettings,
    task: Task,
    number: Option<&str>,
    faults: &mut Faults,
) -> Vec<String> {
    let by_default = if tapes.volumes_given {
        tapes.volumes.len()
    } else {
        1
    };
    let count = match number.map(str::parse) {
        None => by_default,
        Some(Ok(count)) if (1..=TAPES_MAX).contains(&count) => count,
        Some(_) => {
            let hint = format!("a number of tapes from 1 to {TAPES_MAX}");
            faults.push(Message::error(
                156,
                &[&number.unwrap_or_default(), &"-n", &hint],
            ));
            1
        }
    };
    if task == Task::Show {
        return vec![String::new(); count];
    }
    if tapes.takes_any() {
        return vec![SCRATCH.to_owned(); count];
    }
    if tapes.volumes.len() < count {
        let what = format!(
            "{count} tapes are to be labelled, there are {} names",
            tapes.volumes.len()
        );
        let hint =
            "name them with -v A,B,… or in volume_backup or volume_archive, or give a lower -n";
        faults.push(Message::error(9044, &[&what, &hint]));
    }
    tapes.volumes.iter().take(count).cloned().collect()
}

fn run(tool: Tool, settings: &Settings) -> Result<ReturnCode, Faults> {
    let environment = &settings.environment;
    let interrupt =
        Interrupt::install().map_err(|error| Faults::one(Message::error(253, &[&error])))?;
    let lock = Lock::take(&Lock::path(
        tool,
        &environment.sapbackup,
        &environment.saparch,
    ))
    .map_err(|error| Faults::of_lock(tool, &error))?;
    let (directory, function) = match settings.pool {
        Pool::Backup => (&environment.sapbackup, "tib"),
        Pool::Archive => (&environment.saparch, "tia"),
    };
    let unwritable =
        |error: std::io::Error| Faults::one(Message::error(9041, &[&directory.display(), &error]));
    let id = ActionId::fresh(tool, directory).map_err(unwritable)?;
    let mut log = RunLog::create(tool, id, function, directory).map_err(unwritable)?;
    settings
        .remarks
        .iter()
        .for_each(|remark| log.message(remark));
    let mut work = Work {
        settings,
        id,
        function,
        program: tool.name(),
        interrupt,
        begun: false,
    };
    let outcome = work.all(&mut log);
    let code = prompt::code_of(&mut log, tool.name(), work.begun, outcome);
    let path = log.path().to_owned();
    let code = match log.finish(code) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("{}: {error}", Message::error(121, &[&path.display()]));
            code.max(ReturnCode::Warnings)
        }
    };
    drop(lock);
    Ok(code)
}

struct Work<'a> {
    settings: &'a Settings,
    id: ActionId,
    function: &'a str,
    program: &'static str,
    interrupt: Interrupt,
    begun: bool,
}

impl Work<'_> {
    fn all(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        let Settings {
            environment,
            tapes,
            task,
            names,
            ..
        } = self.settings;
        let mut rows = vec![
            ("oracle_sid", environment.sid.clone()),
            (
                "sap_profile",
                self.settings.profile_path.display().to_string(),
            ),
        ];
        rows.extend(tapes.parameter_rows());
        log.parameters(&rows);
        log.stamp();
        log.info(205, &[]);
        let address = tapes.drives[0].address.display().to_string();
        match task {
            Task::Show => log.info(132, &[]),
            Task::Force => log.warning(129, &[]),
            Task::Relabel => {}
        }
        if *task != Task::Show {
            log.info(207, &[&address, &names.join(",")]);
        }
        if tapes.takes_any() && *task != Task::Show {
            log.info(131, &[]);
        }
        if *task != Task::Show {
            prompt::ask_to_continue(log, self.program, self.settings.confirmation)?;
        }
        let identity = station::Run {
            id: self.id,
            function: self.function.to_owned(),
            environment: environment.clone(),
            profile_path: self.settings.profile_path.clone(),
            program: self.program,
            volumes_parameter: self.settings.parameter(),
            confirmation: self.settings.confirmation,
        };
        let mut station = Station::open(tapes, 0, &identity, &self.interrupt)
            .map_err(|error| station::said(&error, log))?;
        for (index, name) in names.iter().enumerate() {
            if let Some(signal) = self.interrupt.signal() {
                return Err(Stop::Signal(signal));
            }
            if index > 0 {
                self.next(&mut station, log)?;
            }
            self.one(&mut station, name, log)?;
        }
        log.info(206, &[]);
        Ok(())
    }

    /// Another tape into the drive.
    fn next(&self, station: &mut Station, log: &mut RunLog) -> Result<(), Stop> {
        station.unload(log)?;
        match self.settings.tapes.loading {
            Loading::Hand => prompt::ask_to_continue(log, self.program, self.settings.confirmation),
            Loading::Changer | Loading::Box => Ok(()),
        }
    }

    fn one(&mut self, station: &mut Station, name: &str, log: &mut RunLog) -> Result<(), Stop> {
        log.blank();
        log.stamp();
        let address = station.drive.address().display().to_string();
        let found = match self.settings.task {
            Task::Force => None,
            Task::Relabel | Task::Show => Some(station.read_label(log)?),
        };
        if self.settings.task == Task::Show {
            log.info(133, &[&address]);
            for (name, value) in found.iter().flat_map(Label::rows) {
                log.line(&format!("{name:<16}{value}"));
            }
            return Ok(());
        }
        if let Some(found) = &found {
            let period = self.settings.tapes.period_days;
            let is_in_use = !found.function.starts_with("ti");
            if is_in_use && expiry::is_locked(found.written, period, self.id.stamp()) {
                let free_on = expiry::free_on(found.written, period);
                log.error(
                    217,
                    &[
                        &found.volume,
                        &address,
                        &free_on,
                        &found.action,
                        &found.written,
                    ],
                );
                log.error(219, &[&name, &address]);
                return Err(Stop::Failed);
            }
        }
        self.begun = true;
        let label = Label {
            volume: name.to_owned(),
            written: self.id.stamp(),
            sid: self.settings.environment.sid.clone(),
            action: self.id,
            function: self.function.to_owned(),
            use_count: found.map_or(1, |found| found.use_count),
        };
        station.initialize(label, log).inspect_err(|_| {
            log.error(219, &[&name, &address]);
        })
    }
}
