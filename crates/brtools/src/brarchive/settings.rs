//! What this run of brarchive is to do: command line over profile over default, checked as a whole.
//! What lives here: the values and their faults. What does not: looking at logs.

use std::path::PathBuf;

use super::function::{ArchiveFunction, FUNCTIONS};
use crate::copy::CopyTool;
use crate::durable;
use crate::environment::Environment;
use crate::faults::Faults;
use crate::messages::Message;
use crate::options::Parsed;
use crate::values::{Confirmation, Values};
use crate::volume::settings::{Pool, TapeSettings};

/// Logs that a run processes when `-n` does not say.
const LOGS_MAX_DEFAULT: usize = 10_000;

/// How a run goes on when there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fill {
    /// So many logs are waited for before they are saved together.
    pub group: usize,
}

/// One run's settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub environment: Environment,
    pub profile_path: PathBuf,
    pub function: ArchiveFunction,
    /// Where first copies go, and second ones.
    pub directories: Vec<PathBuf>,
    pub tool: CopyTool,
    /// `backup_dev_type`.
    pub device_name: String,
    /// Drives and volumes, of a run to tape.
    pub tapes: Option<TapeSettings>,
    pub logs_max: usize,
    /// Wait for logs and save them as they come.
    pub fill: Option<Fill>,
    pub confirmation: Confirmation,
    /// Show the plan and do nothing.
    pub query: bool,
    /// Findings about the profile, for the log.
    pub remarks: Vec<Message>,
}

impl Settings {
    /// Reads options, environment and profile. All faults are found, not only the first.
    pub(super) fn read(options: &Parsed) -> Result<Settings, Faults> {
        let mut faults = Faults::default();
        let Some(environment) = faults.environment() else {
            return Err(faults);
        };
        let profile_path = environment.profile(options.value("p"));
        let (profile, remarks) = faults.profile(&profile_path);
        if !faults.is_empty() {
            return Err(faults); // Without a profile every default would be found wrong as well.
        }
        let values = Values {
            options,
            profile: &profile,
        };
        let directories = directories(&values, &mut faults);
        let tapes = TapeSettings::read(&values, Pool::Archive, &mut faults);
        let places = tapes
            .as_ref()
            .map_or(directories.len(), |tapes| tapes.drives.len());
        let settings = Settings {
            function: function(&values, places, tapes.is_some(), &mut faults),
            device_name: values.text("d", "backup_dev_type"),
            tapes,
            directories,
            tool: values.copy_tool(&mut faults),
            logs_max: logs_max(&values, &mut faults),
            fill: fill(&values, &mut faults),
            confirmation: values.confirmation(),
            query: options.has("q"),
            remarks,
            profile_path,
            environment,
        };
        values.check_device("brarchive", &mut faults);
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(faults)
        }
    }

    /// Function id of the run.
    pub(super) fn function_id(&self) -> &'static str {
        if self.query { "qua" } else { self.function.id }
    }

    /// Rows of the parameter section.
    pub(super) fn parameter_rows(&self) -> Vec<(&'static str, String)> {
        let (command, flags) = self.tool.profile_values();
        let mut rows = vec![
            ("oracle_sid", self.environment.sid.clone()),
            (
                "oracle_home",
                self.environment.oracle_home.display().to_string(),
            ),
            (
                "oracle_profile",
                self.environment.oracle_profile().display().to_string(),
            ),
            (
                "sapdata_home",
                self.environment.sapdata_home.display().to_string(),
            ),
            ("sap_profile", self.profile_path.display().to_string()),
            ("backup_dev_type", self.device_name.clone()),
        ];
        let directories = self
            .directories
            .iter()
            .map(|directory| directory.display().to_string());
        match &self.tapes {
            None => rows.extend([
                (
                    "archive_copy_dir",
                    directories.collect::<Vec<_>>().join(","),
                ),
                ("compress", "no".to_owned()),
                ("disk_copy_cmd", command.to_owned()),
                ("dd_flags", flags),
            ]),
            Some(tapes) => rows.extend(tapes.parameter_rows()),
        }
        rows.push(("archive_function", self.function.name.to_owned()));
        rows.push(("command_line", crate::environment::command_line()));
        rows
    }
}

fn function(values: &Values, places: usize, is_tape: bool, faults: &mut Faults) -> ArchiveFunction {
    let given: Vec<ArchiveFunction> = FUNCTIONS
        .into_iter()
        .filter(|function| values.options.has(function.option))
        .collect();
    if let [_, second, ..] = given.as_slice() {
        faults.push(Message::error(
            9044,
            &[
                &format!("option -{} contradicts another function", second.option),
                &"give one function a run",
            ],
        ));
    }
    let name = values.text("", "archive_function");
    let function = given
        .first()
        .copied()
        .or_else(|| ArchiveFunction::by_name(&name))
        .unwrap_or(FUNCTIONS[0]);
    if is_tape && function.makes_two_copies() && places < 2 {
        let hint = "both copies are made in one run: name a second drive in tape_address_arch or tape_address";
        let device = "tape";
        faults.push(Message::error(
            191,
            &[&function.name, &"archive_function", &device, &hint],
        ));
    } else if !is_tape && function.needs_second_place() && places < 2 {
        let hint = "name a second directory in backup_root_dir: two copies in one directory are as good as one";
        faults.push(Message::error(
            191,
            &[&function.name, &"archive_function", &"disk", &hint],
        ));
    }
    function
}

/// First copies go to `archive_copy_dir`, or else to the first `backup_root_dir`; second ones to the next other root.
fn directories(values: &Values, faults: &mut Faults) -> Vec<PathBuf> {
    let roots = values.root_directories();
    let first = if values.profile.is_set("archive_copy_dir") {
        Some(PathBuf::from(values.text("", "archive_copy_dir")))
    } else {
        roots.first().cloned()
    };
    let is_first = |root: &PathBuf| {
        first
            .as_ref()
            .is_some_and(|first| root == first || durable::is_same_file(root, first))
    };
    let second = roots.into_iter().find(|root| !is_first(root));
    let directories: Vec<PathBuf> = first.into_iter().chain(second).collect();
    for directory in directories.iter().filter(|directory| !directory.is_dir()) {
        faults.push(Message::error(
            282,
            &[
                &directory.display(),
                &"create it, or correct archive_copy_dir and backup_root_dir",
            ],
        ));
    }
    directories
}

/// `-f [<number>]`. The words stop, suspend and resume are no settings of a run: see `ask`.
fn fill(values: &Values, faults: &mut Faults) -> Option<Fill> {
    if !values.options.has("f") {
        return None;
    }
    let text = values.options.value("f").unwrap_or("1");
    let group = text.parse().ok().filter(|number| *number > 0);
    if group.is_none() {
        let hint = "a number of logs above 0, stop, suspend or resume";
        faults.push(Message::error(156, &[&text, &"-f", &hint]));
    }
    if values.options.has("q") {
        let hint = "a query shows what is there now: give -q without -f";
        faults.push(Message::error(9044, &[&"-f contradicts -q", &hint]));
    }
    group.map(|group| Fill { group })
}

fn logs_max(values: &Values, faults: &mut Faults) -> usize {
    let Some(text) = values.options.value("n") else {
        return LOGS_MAX_DEFAULT;
    };
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .unwrap_or_else(|| {
            faults.push(Message::error(
                156,
                &[&text, &"-n", &"a number of logs above 0"],
            ));
            LOGS_MAX_DEFAULT
        })
}
