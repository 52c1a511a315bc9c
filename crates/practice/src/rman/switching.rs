//! SWITCH: image copies and files restored elsewhere become the data files.
//! What lives here: which copy is taken, and what is said. What does not: the control file's records (`engine`).

use super::choose;
use super::command::Switch;
use super::failure::{Failure, Outcome};
use super::files;
use super::numbers;
use super::restore_jobs::copy_line;
use super::session::Session;
use crate::engine::backup::Order;

impl Session {
    /// SWITCH.
    pub(super) fn switch(&mut self, switch: &Switch) -> Outcome<()> {
        let control = self.control()?;
        let mut chosen = Vec::new();
        match switch {
            Switch::AllRestored => {
                for (number, path) in std::mem::take(&mut self.settings.renamed) {
                    let copy = control.backups.copies.iter().find(|copy| copy.path == path);
                    let copy = copy.ok_or_else(|| {
                        Failure::new(
                            6571,
                            format!("datafile {number} does not have recoverable copy"),
                        )
                    })?;
                    chosen.push((number, copy));
                }
            }
            Switch::ToCopy(files) => {
                for file in files::select(&control, files)? {
                    let copy = choose::newest_copy(&control, file, None);
                    let (copy, _) = copy.ok_or_else(|| {
                        Failure::new(
                            6571,
                            format!("datafile {} does not have recoverable copy", file.number),
                        )
                    })?;
                    chosen.push((file.number, copy));
                }
            }
        }
        self.say_repository();
        self.order(Order::Switch(
            chosen
                .iter()
                .map(|(number, copy)| (*number, copy.recid))
                .collect(),
        ))?;
        self.log.plain("");
        for (number, copy) in chosen {
            match switch {
                Switch::ToCopy(_) => {
                    let text = format!(
                        "datafile {number} switched to datafile copy \"{}\"",
                        copy.path.display()
                    );
                    self.log.say(numbers::SWITCHED, text);
                }
                Switch::AllRestored => self.log.say_together(&[
                    (
                        numbers::SWITCHED,
                        format!("datafile {number} switched to datafile copy"),
                    ),
                    (numbers::INPUT_COPY, copy_line(copy)),
                ]),
            }
        }
        Ok(())
    }
}
