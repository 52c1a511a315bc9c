//! Values that every program reads the same way: command line over profile over default.
//! What lives here: looking them up, and those that brbackup and brarchive share. What does not: one program's own.

use std::path::PathBuf;

use crate::copy::CopyTool;
use crate::faults::Faults;
use crate::messages::Message;
use crate::options::Parsed;
use crate::profile::Profile;

/// Whether the operator is asked before the work begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Without `-c`.
    Ask,
    /// `-c`.
    Unattended,
    /// `-c force`.
    Force,
}

/// Where values come from.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The command line.
    pub options: &'a Parsed,
    /// The profile.
    pub profile: &'a Profile,
}

impl Values<'_> {
    /// One value. An empty `option` means that there is none on the command line.
    pub fn text(&self, option: &str, parameter: &str) -> String {
        let given = self
            .options
            .value(option)
            .or_else(|| self.profile.value(parameter));
        given.unwrap_or_default().to_owned()
    }

    /// A list, separated by commas on the command line.
    pub fn list(&self, option: &str, parameter: &str) -> Vec<String> {
        match self.options.value(option) {
            Some(words) => words
                .split(',')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect(),
            None => self.profile.list(parameter),
        }
    }

    /// `backup_root_dir`.
    pub fn root_directories(&self) -> Vec<PathBuf> {
        self.profile
            .list("backup_root_dir")
            .iter()
            .map(PathBuf::from)
            .collect()
    }

    /// `disk_copy_cmd`.
    pub fn copy_tool(&self, faults: &mut Faults) -> CopyTool {
        let text = self.text("", "disk_copy_cmd");
        match text.as_str() {
            "copy" | "copy_gnu" => CopyTool::Copy,
            "dd" | "dd_gnu" => {
                let flags = self.text("", "dd_flags");
                CopyTool::Dd {
                    flags: flags.split_ascii_whitespace().map(str::to_owned).collect(),
                }
            }
            _ => {
                faults.push(Message::error(
                    191,
                    &[&text, &"disk_copy_cmd", &"disk", &"use copy or dd"],
                ));
                CopyTool::Copy
            }
        }
    }

    /// `-c [force]`.
    pub fn confirmation(&self) -> Confirmation {
        match (self.options.has("c"), self.options.value("c")) {
            (false, _) => Confirmation::Ask,
            (true, Some("force")) => Confirmation::Force,
            (true, _) => Confirmation::Unattended,
        }
    }

    /// Device and compression: what is known and not done is refused, never ignored.
    pub fn check_device(&self, program: &str, faults: &mut Faults) {
        let device = self.text("d", "backup_dev_type");
        if device != "disk" && !crate::volume::settings::is_tape(&device) {
            faults.push(Message::error(
                191,
                &[
                    &device,
                    &"backup_dev_type",
                    &program,
                    &"use -d disk, or tape, tape_auto or tape_box",
                ],
            ));
        }
        let compress = self.text("k", "compress");
        if !matches!(compress.as_str(), "no" | "hardware") {
            faults.push(Message::error(
                191,
                &[&compress, &"compress", &"disk", &"use no"],
            ));
        }
    }
}
