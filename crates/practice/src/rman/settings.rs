//! SET, CONFIGURE and SHOW.
//! What lives here: what settings do to a run, and how they are shown. What does not: their words (`parse`).

use super::command::{Backup, Setting};
use super::failure::{Failure, Outcome};
use super::numbers;
use super::session::Session;
use crate::engine::backup::Order;
use crate::engine::control::Control;

/// Settings that SHOW ALL names although nobody has set them, with their defaults.
const DEFAULTS: [(&str, &str); 6] = [
    ("RETENTION POLICY", "TO REDUNDANCY 1"),
    ("BACKUP OPTIMIZATION", "OFF"),
    ("DEFAULT DEVICE TYPE", "TO DISK"),
    ("CONTROLFILE AUTOBACKUP", "OFF"),
    (
        "CONTROLFILE AUTOBACKUP FORMAT FOR DEVICE TYPE DISK",
        "TO '%F'",
    ),
    ("DEVICE TYPE DISK", "PARALLELISM 1 BACKUP TYPE TO BACKUPSET"),
];

impl Session {
    /// SET.
    pub(super) fn set(&mut self, setting: Setting) -> Outcome<()> {
        match setting {
            Setting::Dbid(dbid) => {
                self.dbid = Some(dbid);
                self.log.plain("");
                self.log
                    .say(numbers::OBJECTS, "executing command: SET DBID");
            }
            Setting::AutobackupFormat(format) => {
                self.log.say(
                    numbers::OBJECTS,
                    "executing command: SET CONTROLFILE AUTOBACKUP FORMAT",
                );
                self.settings.autobackup_format = Some(format);
            }
            Setting::Until(_) | Setting::NewName(..) if !self.in_run => {
                return Err(Failure::new(
                    3031,
                    "this option of set command needs to be used inside a run block",
                ));
            }
            Setting::Until(until) => {
                self.log.plain("");
                self.log
                    .say(numbers::OBJECTS, "executing command: SET until clause");
                self.settings.until = Some(until);
            }
            Setting::NewName(files, format) => {
                self.log.plain("");
                self.log
                    .say(numbers::OBJECTS, "executing command: SET NEWNAME");
                self.settings.new_names.insert(0, (files, format));
            }
            Setting::Ignored => {}
        }
        Ok(())
    }

    /// CONFIGURE.
    pub(super) fn configure(&mut self, name: &str, value: Option<String>) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        let line = |value: &str| format!("CONFIGURE {name} {value};");
        self.log.plain("");
        if let Some(old) = control.backups.setting(name) {
            self.log
                .say(numbers::OBJECTS, "old RMAN configuration parameters:");
            self.log.say(numbers::LISTED, line(old));
        }
        let cleared = value.is_none();
        if let Some(new) = &value {
            self.log
                .say(numbers::OBJECTS, "new RMAN configuration parameters:");
            self.log.say(numbers::LISTED, line(new));
        }
        self.order(Order::Configure(name.to_owned(), value))?;
        let text = match cleared {
            true => "RMAN configuration parameters are successfully reset to default value",
            false => "new RMAN configuration parameters are successfully stored",
        };
        self.log.say(numbers::STORED, text);
        // Channels of RMAN's own choice are made anew, as configured.
        if self.automatic {
            self.close_channels();
        }
        Ok(())
    }

    /// SHOW ALL, or those settings whose name begins so.
    pub(super) fn show(&mut self, name: Option<&str>) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        let database = control.name.to_uppercase();
        self.log.say(
            numbers::OBJECTS,
            format!(
                "RMAN configuration parameters for database with db_unique_name {database} are:"
            ),
        );
        let set = |name: &str| control.backups.setting(name).map(str::to_owned);
        let mut lines: Vec<(String, String)> = Vec::new();
        for (name, default) in DEFAULTS {
            let line = match set(name) {
                Some(value) => format!("CONFIGURE {name} {value};"),
                None => format!("CONFIGURE {name} {default}; # default"),
            };
            lines.push((name.to_owned(), line));
        }
        let others = control
            .backups
            .settings
            .iter()
            .filter(|(name, _)| !DEFAULTS.iter().any(|(known, _)| known == name));
        lines.extend(
            others.map(|(name, value)| (name.clone(), format!("CONFIGURE {name} {value};"))),
        );
        for (known, line) in lines {
            if name.is_none_or(|name| known.starts_with(name)) {
                self.log.say(numbers::LISTED, line);
            }
        }
        Ok(())
    }

    /// How many channels there are to be when none is allocated, and FORMAT of each.
    pub(super) fn configured_channels(&mut self) -> Outcome<(usize, Vec<Option<String>>)> {
        let control = match self.target()?.describe()?.control {
            Some(control) => control,
            None => return Ok((1, vec![None])),
        };
        let value = control
            .backups
            .setting("DEVICE TYPE DISK")
            .unwrap_or_default();
        let count = value
            .split(' ')
            .nth(1)
            .and_then(|number| number.parse().ok())
            .unwrap_or(1);
        let general = format_setting(&control, "CHANNEL DEVICE TYPE DISK");
        let own =
            |number: usize| format_setting(&control, &format!("CHANNEL {number} DEVICE TYPE DISK"));
        Ok((
            count,
            (1..=count)
                .map(|number| own(number).or_else(|| general.clone()))
                .collect(),
        ))
    }

    /// BACKUP TYPE of CONFIGURE DEVICE TYPE, for a BACKUP that does not say AS.
    pub(super) fn apply_configured_type(&mut self, backup: &mut Backup) -> Outcome<()> {
        let control = self.control()?;
        let value = control
            .backups
            .setting("DEVICE TYPE DISK")
            .unwrap_or_default();
        backup.as_copy = value.ends_with("TO COPY") && backup.level != Some(1);
        backup.compressed = value.ends_with("TO COMPRESSED BACKUPSET");
        Ok(())
    }

    /// FORMAT of autobackups: of SET, of CONFIGURE, or RMAN's own.
    pub(super) fn autobackup_format(&self, control: &Control) -> String {
        let configured = || {
            let value = control
                .backups
                .setting("CONTROLFILE AUTOBACKUP FORMAT FOR DEVICE TYPE DISK")?;
            Some(unquoted(value.strip_prefix("TO ")?))
        };
        let set = self.settings.autobackup_format.clone();
        set.or_else(configured).unwrap_or_else(|| "%F".to_owned())
    }
}

fn format_setting(control: &Control, name: &str) -> Option<String> {
    let value = control.backups.setting(name)?;
    Some(unquoted(value.strip_prefix("FORMAT")?.trim_start()))
}

/// A text in quotes, as `parse` wrote it down.
fn unquoted(text: &str) -> String {
    let inside = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    inside.unwrap_or(text).replace("''", "'")
}
