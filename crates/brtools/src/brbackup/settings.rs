//! What this run is to do: command line over profile over default, checked as a whole.
//! What lives here: the values and their faults. What does not: asking the database about them.

use std::path::PathBuf;

use super::selection::{Object, parse_object};
use crate::copy::CopyTool;
use crate::copy::report::split_hint;
use crate::environment::Environment;
use crate::faults::Faults;
use crate::messages::Message;
use crate::options::Parsed;
use crate::values::{Confirmation, Values};
use crate::volume::settings::{Pool, TapeSettings};

/// More copies at once than this help nobody; the limit is the original's.
const PARALLEL_MAX: usize = 255;

/// Whether the database stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackupType {
    Online,
    Offline,
}

impl BackupType {
    pub(super) fn name(self) -> &'static str {
        match self {
            BackupType::Online => "online",
            BackupType::Offline => "offline",
        }
    }
}

/// One run's settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub environment: Environment,
    pub profile_path: PathBuf,
    pub objects: Vec<Object>,
    pub backup_type: BackupType,
    pub root_directories: Vec<PathBuf>,
    pub tool: CopyTool,
    pub parallel: usize,
    /// `backup_dev_type`.
    pub device_name: String,
    /// Drives and volumes, of a backup to tape.
    pub tapes: Option<TapeSettings>,
    /// `-a`: brarchive goes on where this run ends.
    pub archive_follows: bool,
    pub confirmation: Confirmation,
    /// Show the plan and do nothing.
    pub query: bool,
    /// Warnings of the profile, for the log.
    pub remarks: Vec<Message>,
    modes: Vec<String>,
    command_line: String,
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
        let modes = modes(&values, &mut faults);
        let settings = Settings {
            objects: objects(&modes, &mut faults),
            backup_type: backup_type(&values, &mut faults),
            root_directories: values.root_directories(),
            tool: values.copy_tool(&mut faults),
            parallel: parallel(&values, &mut faults),
            device_name: values.text("d", "backup_dev_type"),
            tapes: TapeSettings::read(&values, Pool::Backup, &mut faults),
            archive_follows: options.pass_through.is_some(),
            query: options.has("q"),
            confirmation: values.confirmation(),
            remarks,
            command_line: crate::environment::command_line(),
            modes,
            profile_path,
            environment,
        };
        values.check_device("brbackup", &mut faults);
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(faults)
        }
    }

    /// `and`, `pnd`, `afd`, `pfd`. Whether file ids and names make up the whole database is not known yet, so only the
    /// words that say so count.
    pub(super) fn function_id(&self) -> String {
        if self.query {
            return "qub".to_owned();
        }
        let whole = if self.objects.contains(&Object::All) {
            'a'
        } else {
            'p'
        };
        let kind = match self.backup_type {
            BackupType::Online => 'n',
            BackupType::Offline => 'f',
        };
        let device = if self.tapes.is_some() { 't' } else { 'd' };
        format!("{whole}{kind}{device}")
    }

    /// Drives and volumes, of a backup to tape.
    pub(super) fn tape(&self) -> Option<&TapeSettings> {
        self.tapes.as_ref()
    }

    /// The words of `backup_mode`.
    pub(super) fn mode_text(&self) -> String {
        self.modes.join(",")
    }

    /// Rows of the parameter section.
    pub(super) fn parameter_rows(&self) -> Vec<(&'static str, String)> {
        let roots: Vec<String> = self
            .root_directories
            .iter()
            .map(|root| root.display().to_string())
            .collect();
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
            ("backup_mode", self.mode_text()),
            ("backup_type", self.backup_type.name().to_owned()),
            ("backup_dev_type", self.device_name.clone()),
        ];
        match &self.tapes {
            None => rows.extend([
                ("backup_root_dir", roots.join(",")),
                ("compress", "no".to_owned()),
                ("disk_copy_cmd", command.to_owned()),
                ("dd_flags", flags),
            ]),
            Some(tapes) => rows.extend(tapes.parameter_rows()),
        }
        rows.push(("exec_parallel", self.parallel.to_string()));
        rows.push(("command_line", self.command_line.clone()));
        rows
    }
}

/// A backup of nothing is a mistake in the command line, whatever its return code would be.
fn modes(values: &Values, faults: &mut Faults) -> Vec<String> {
    let modes = values.list("m", "backup_mode");
    if modes.iter().all(String::is_empty) {
        let given = values.text("m", "backup_mode");
        let hint = "it names nothing: give all, a tablespace, a file id, a range of them or a path";
        faults.push(Message::error(156, &[&given, &"-m", &hint]));
    }
    modes
}

fn objects(modes: &[String], faults: &mut Faults) -> Vec<Object> {
    let mut objects = Vec::new();
    for word in modes {
        match parse_object(word) {
            Ok(object) => objects.push(object),
            Err(error) => {
                let (what, hint) = split_hint(&error.to_string());
                faults.push(Message::error(9044, &[&what, &hint]));
            }
        }
    }
    objects
}

fn backup_type(values: &Values, faults: &mut Faults) -> BackupType {
    let text = values.text("t", "backup_type");
    match text.as_str() {
        "online" => BackupType::Online,
        // Whether SAP is running cannot be told from here, so both do the same: SHUTDOWN IMMEDIATE ends its sessions.
        "offline" | "offline_force" => BackupType::Offline,
        _ => {
            faults.push(Message::error(
                191,
                &[&text, &"backup_type", &"disk", &"use online or offline"],
            ));
            BackupType::Online
        }
    }
}

fn parallel(values: &Values, faults: &mut Faults) -> usize {
    let directories = values.root_directories().len();
    let text = values.text("e", "exec_parallel");
    match text.parse() {
        Ok(0) => directories,
        Ok(number) if number <= PARALLEL_MAX => number,
        _ => {
            faults.push(Message::error(
                164,
                &[
                    &text,
                    &"exec_parallel",
                    &format!("a number from 0 to {PARALLEL_MAX}"),
                ],
            ));
            1
        }
    }
}
