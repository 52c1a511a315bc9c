//! What profile and command line say of tapes.
//! What lives here: drives, volumes, sizes, commands, checked as a whole. What does not: the state of a drive.

use super::drive::{DriveAddress, DriveCommands};
use super::label::{self, SCRATCH};
use crate::copy::member;
use crate::copy::stream::StreamTool;
use crate::faults::Faults;
use crate::messages::Message;
use crate::run_log::{RunLog, megabytes};
use crate::values::Values;

/// Most drives that one run uses; the limit is the original's.
const DRIVES_MAX: usize = 255;

/// How cartridges come into the drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// `tape`: an operator.
    Hand,
    /// `tape_auto`: a changer puts the next one in when one is unloaded.
    Changer,
    /// `tape_box`: `mount_cmd` and `dismount_cmd`.
    Box,
}

/// Which program's drives and volumes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// `tape_address`, `volume_backup`.
    Backup,
    /// `tape_address_arch`, `volume_archive`.
    Archive,
}

/// One run's tapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeSettings {
    /// How cartridges come into the drives.
    pub loading: Loading,
    /// The drives, as many as run in parallel.
    pub drives: Vec<DriveAddress>,
    /// `tape_address_ctl`.
    pub control: Vec<String>,
    /// Commands for the drives.
    pub commands: DriveCommands,
    /// `mount_cmd`.
    pub mount: String,
    /// `dismount_cmd`.
    pub dismount: String,
    /// `mount_par_file`.
    pub parameter_file: String,
    /// What makes the streams.
    pub tool: StreamTool,
    /// `cpio_flags`, for header and trailer.
    pub cpio_flags: Vec<String>,
    /// Words of `cpio_in_flags`.
    pub cpio_in_flags: Vec<String>,
    /// Words of `dd_in_flags`.
    pub dd_in_flags: Vec<String>,
    /// `compress = hardware`: the drive does it.
    pub hardware: bool,
    /// `tape_size` in bytes.
    pub tape_bytes: u64,
    /// Names to take, from the profile or `-v`.
    pub volumes: Vec<String>,
    /// Whether the names came from `-v`: they are taken in this order, not in a circle.
    pub volumes_given: bool,
    /// `expir_period`, days.
    pub period_days: u32,
    /// `tape_use_count`.
    pub uses_recommended: u32,
}

/// Whether a device type is a tape at this host.
pub fn is_tape(device: &str) -> bool {
    loading(device).is_some()
}

fn loading(device: &str) -> Option<Loading> {
    match device {
        "tape" => Some(Loading::Hand),
        "tape_auto" => Some(Loading::Changer),
        "tape_box" => Some(Loading::Box),
        _ => None,
    }
}

impl TapeSettings {
    /// Reads and checks. All faults are found, not only the first.
    pub fn read(values: &Values, pool: Pool, faults: &mut Faults) -> Option<TapeSettings> {
        let before = faults.len();
        let device = values.text("d", "backup_dev_type");
        let loading = loading(&device)?;
        let drives = drives(values, pool, faults);
        let words = |name: &str| {
            values
                .text("", name)
                .split_ascii_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let own = |backup: &str, archive: &str| match pool {
            Pool::Archive if values.profile.is_set(archive) => archive.to_owned(),
            _ => backup.to_owned(),
        };
        let settings = TapeSettings {
            loading,
            control: values.list("", &own("tape_address_ctl", "tape_address_ctl_arch")),
            commands: DriveCommands {
                rewind: values.text("", "rewind"),
                unload: values.text("", "rewind_offline"),
                position: values.text("", "tape_pos_cmd"),
            },
            mount: values.text("", "mount_cmd"),
            dismount: values.text("", "dismount_cmd"),
            parameter_file: values.text("r", "mount_par_file"),
            tool: tool(values, faults),
            cpio_flags: words("cpio_flags"),
            cpio_in_flags: words("cpio_in_flags"),
            dd_in_flags: words("dd_in_flags"),
            hardware: values.text("k", "compress") == "hardware",
            tape_bytes: values
                .profile
                .size(&own("tape_size", "tape_size_arch"))
                .unwrap_or(u64::MAX),
            volumes: values.list(
                "v",
                match pool {
                    Pool::Backup => "volume_backup",
                    Pool::Archive => "volume_archive",
                },
            ),
            volumes_given: values.options.has("v"),
            period_days: number(values, "expir_period"),
            uses_recommended: number(values, "tape_use_count"),
            drives,
        };
        settings.check(faults);
        (faults.len() == before).then_some(settings)
    }

    /// Device, drives and volumes, as the logs print them.
    pub fn announce(&self, device: &str, volumes: &[String], log: &mut RunLog) {
        let drives: Vec<String> = self
            .drives
            .iter()
            .map(|drive| drive.address.display().to_string())
            .collect();
        log.info(if self.hardware { 113 } else { 112 }, &[]);
        log.info(130, &[&device]);
        log.info(102, &[&drives.join(", ")]);
        log.info(103, &[&volumes.join(", ")]);
    }

    /// Rows of the parameter section, in the order of the originals.
    pub fn parameter_rows(&self) -> Vec<(&'static str, String)> {
        let list = |of: &dyn Fn(&DriveAddress) -> String| {
            self.drives.iter().map(of).collect::<Vec<_>>().join(",")
        };
        let compress = if self.hardware { "hardware" } else { "no" };
        let flags = match &self.tool {
            StreamTool::Dd { flags } => flags.join(" "),
            StreamTool::Cpio { .. } => String::new(),
        };
        vec![
            ("compress", compress.to_owned()),
            ("tape_copy_cmd", self.tool.name().to_owned()),
            ("cpio_flags", self.cpio_flags.join(" ")),
            ("cpio_in_flags", self.cpio_in_flags.join(" ")),
            ("dd_flags", flags),
            ("rewind", self.commands.rewind.clone()),
            ("rewind_offline", self.commands.unload.clone()),
            ("tape_pos_cmd", self.commands.position.clone()),
            ("tape_size", format!("{} MB", megabytes(self.tape_bytes))),
            (
                "tape_address",
                list(&|drive| drive.address.display().to_string()),
            ),
            (
                "tape_address_rew",
                list(&|drive| drive.rewinding.display().to_string()),
            ),
            ("volumes", self.volumes.join(",")),
            ("expir_period", self.period_days.to_string()),
            ("tape_use_count", self.uses_recommended.to_string()),
        ]
    }

    /// Whether any volume will do: the names on the tapes are kept or replaced.
    pub fn takes_any(&self) -> bool {
        self.volumes.iter().any(|name| name == SCRATCH)
    }

    fn check(&self, faults: &mut Faults) {
        let mut missing = |parameter: &str, hint: &str| {
            let what = format!("{parameter} is not set in the profile");
            faults.push(Message::error(9044, &[&what, &hint]));
        };
        let is_device = |drive: &DriveAddress| !drive.address.is_dir();
        if self.drives.iter().any(is_device) {
            if self.commands.rewind.is_empty() {
                missing("rewind", "for example rewind = \"mt -f $ rewind\"");
            }
            if self.commands.position.is_empty() {
                missing(
                    "tape_pos_cmd",
                    "for example tape_pos_cmd = \"mt -f $ fsf $\"",
                );
            }
        }
        if self.loading == Loading::Box {
            if self.mount.is_empty() {
                missing(
                    "mount_cmd",
                    "tape_box loads its tapes with it: mount_cmd = \"<command> $ $ $\"",
                );
            }
            if self.dismount.is_empty() {
                missing(
                    "dismount_cmd",
                    "tape_box unloads its tapes with it: dismount_cmd = \"<command> $ $\"",
                );
            }
        }
        for name in self.volumes.iter().filter(|name| !label::is_name(name)) {
            let what = format!("'{name}' is no name of a volume");
            let hint = "at most ten letters, digits and signs without blank, comma, slash and #";
            faults.push(Message::error(9044, &[&what, &hint]));
        }
        if member::largest_file(&self.cpio_flags).is_none() {
            let what = format!(
                "cpio_flags '{}' choose a form that is not known here",
                self.cpio_flags.join(" ")
            );
            faults.push(Message::error(
                9044,
                &[&what, &"use -ovB, -ocvB, or -ov -H odc -C 65536"],
            ));
        }
    }

    /// Bytes of the largest file that can be saved, and what sets the limit.
    pub fn largest_file(&self) -> (u64, String) {
        let by_tool = match &self.tool {
            StreamTool::Dd { .. } => None,
            StreamTool::Cpio { flags } => member::largest_file(flags),
        };
        match by_tool {
            Some((form, bytes)) if bytes < self.tape_bytes => {
                (bytes, format!("cpio's form '{form}'"))
            }
            _ => (self.tape_bytes, "tape_size".to_owned()),
        }
    }
}

fn number(values: &Values, name: &str) -> u32 {
    let number = values.profile.integer(name).unwrap_or(0);
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn tool(values: &Values, faults: &mut Faults) -> StreamTool {
    let flags = |name: &str| {
        values
            .text("", name)
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect()
    };
    let text = values.text("", "tape_copy_cmd");
    match text.as_str() {
        "cpio" | "cpio_gnu" => StreamTool::Cpio {
            flags: flags("cpio_flags"),
        },
        "dd" | "dd_gnu" => StreamTool::Dd {
            flags: flags("dd_flags"),
        },
        _ => {
            faults.push(Message::error(
                191,
                &[&text, &"tape_copy_cmd", &"tape", &"use cpio or dd"],
            ));
            StreamTool::Dd { flags: Vec::new() }
        }
    }
}

fn drives(values: &Values, pool: Pool, faults: &mut Faults) -> Vec<DriveAddress> {
    let own = |backup: &'static str, archive: &'static str| match pool {
        Pool::Archive if values.profile.is_set(archive) => archive,
        _ => backup,
    };
    let (plain, rewinding) = (
        own("tape_address", "tape_address_arch"),
        own("tape_address_rew", "tape_address_rew_arch"),
    );
    let (addresses, mut rewinding_ones) = (values.list("", plain), values.list("", rewinding));
    // One directory that stands in for a drive has one name.
    if rewinding_ones.is_empty()
        && addresses
            .iter()
            .all(|path| std::path::Path::new(path).is_dir())
    {
        rewinding_ones.clone_from(&addresses);
    }
    if addresses.is_empty() || addresses.len() > DRIVES_MAX {
        let what = format!("{plain} names {} drives", addresses.len());
        let hint = format!(
            "name one to {DRIVES_MAX}: a device that does not rewind, such as /dev/nst0, or a directory that stands in for a drive"
        );
        faults.push(Message::error(9044, &[&what, &hint]));
    }
    if addresses.len() != rewinding_ones.len() {
        let what = format!(
            "{plain} names {} drives, {rewinding} names {}",
            addresses.len(),
            rewinding_ones.len()
        );
        let hint = "name the same drives in the same order in both";
        faults.push(Message::error(9044, &[&what, &hint]));
    }
    for path in addresses
        .iter()
        .filter(|path| !std::path::Path::new(path).exists())
    {
        let what = format!("drive {path} does not exist");
        faults.push(Message::error(
            9044,
            &[&what, &format!("correct {plain}, or switch the drive on")],
        ));
    }
    addresses
        .into_iter()
        .zip(rewinding_ones)
        .map(|(address, rewinding)| DriveAddress {
            address: address.into(),
            rewinding: rewinding.into(),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings of a drive that needs no commands.
    pub(crate) fn settings() -> TapeSettings {
        let flags = |text: &str| vec![text.to_owned()];
        TapeSettings {
            loading: Loading::Hand,
            drives: Vec::new(),
            control: Vec::new(),
            commands: DriveCommands::default(),
            mount: String::new(),
            dismount: String::new(),
            parameter_file: String::new(),
            tool: StreamTool::Cpio {
                flags: flags("-ovB"),
            },
            cpio_flags: flags("-ovB"),
            cpio_in_flags: flags("-iuvB"),
            dd_in_flags: Vec::new(),
            hardware: false,
            tape_bytes: 1 << 30,
            volumes: Vec::new(),
            volumes_given: false,
            period_days: 30,
            uses_recommended: 100,
        }
    }
}
