//! RESTORE CONTROLFILE and RESTORE SPFILE, with no database mounted.
//! What lives here: finding the piece, and what is said. What does not: reading it (`engine`).

use std::path::PathBuf;

use oracle::time::OracleTime;

use super::command::{Restore, Source};
use super::failure::{Failure, Outcome};
use super::numbers;
use super::session::Session;
use crate::engine::backup::naming::absolute;
use crate::engine::backup::{Done, Order};
use crate::engine::backup_records::Status;

/// Days that an autobackup may be old.
const AUTOBACKUP_DAYS_MAX: i64 = 7;

impl Session {
    /// RESTORE CONTROLFILE FROM 'piece', FROM 'copy' or FROM AUTOBACKUP.
    pub(super) fn restore_controlfile(&mut self, restore: &Restore) -> Outcome<()> {
        self.begin("restore")?;
        self.log.plain("");
        let Some(source) = &restore.from else {
            return Err(Failure::new(
                6563,
                "control file or SPFILE must be restored using FROM AUTOBACKUP or FROM 'piece'",
            ));
        };
        let from = self.source(source, "control file")?;
        let channel = self
            .channels
            .first()
            .map(|channel| channel.name.clone())
            .unwrap_or_default();
        self.log.say(
            numbers::RESTORING_CONTROLFILE,
            format!("channel {channel}: restoring control file"),
        );
        let dbid = self.dbid;
        let done = self.order(Order::RestoreControlfile { from, dbid })?;
        self.log.say(
            numbers::RESTORE_COMPLETE,
            format!("channel {channel}: restore complete, elapsed time: 00:00:01"),
        );
        self.say_files(&done);
        self.finish("restore");
        Ok(())
    }

    /// RESTORE SPFILE: the parameter file `dbs/init<SID>.ora`.
    pub(super) fn restore_spfile(&mut self, restore: &Restore) -> Outcome<()> {
        self.begin("restore")?;
        self.log.plain("");
        let from = match &restore.from {
            Some(source) => self.source(source, "SPFILE")?,
            None => self.newest_spfile()?,
        };
        let channel = self
            .channels
            .first()
            .map(|channel| channel.name.clone())
            .unwrap_or_default();
        self.log.say(
            numbers::RESTORING_SPFILE,
            format!(
                "channel {channel}: restoring spfile from {}",
                from.display()
            ),
        );
        let done = self.order(Order::RestoreSpfile {
            from,
            target: restore.to.clone(),
        })?;
        self.say_files(&done);
        self.log.say(
            numbers::SPFILE_COMPLETE,
            format!("channel {channel}: SPFILE restore complete"),
        );
        self.finish("restore");
        Ok(())
    }

    fn say_files(&self, done: &Done) {
        if let Done::Files(files) = done {
            for file in files {
                self.log.say(
                    numbers::RESTORED_FILE,
                    format!("output file name={}", file.display()),
                );
            }
        }
    }

    /// Mounted, the repository knows where the newest parameter file is.
    fn newest_spfile(&mut self) -> Outcome<PathBuf> {
        let none = || {
            Failure::new(6026, "some targets not found - aborting restore")
                .and(6024, "no backup or copy of the SPFILE found to restore")
        };
        let Some(control) = self.target()?.describe()?.control else {
            return Err(Failure::new(
                6563,
                "control file or SPFILE must be restored using FROM AUTOBACKUP or FROM 'piece'",
            ));
        };
        let sets = control
            .backups
            .sets
            .iter()
            .rev()
            .filter(|set| set.spfile && set.status == Status::Available);
        sets.map(|set| set.handle.clone()).next().ok_or_else(none)
    }

    fn source(&mut self, source: &Source, what: &str) -> Outcome<PathBuf> {
        match source {
            Source::File(path) => Ok(path.clone()),
            Source::Autobackup => self.find_autobackup(what),
        }
    }

    /// Looks for the newest autobackup of the last days by its name, which is made of DBID, day and count.
    fn find_autobackup(&mut self, what: &str) -> Outcome<PathBuf> {
        let control = self.target()?.describe()?.control;
        let dbid = self.dbid.or(control.as_ref().map(|control| control.dbid));
        let dbid = dbid.ok_or_else(|| {
            Failure::new(6495, "must explicitly specify DBID with SET DBID command")
        })?;
        let format = match &control {
            Some(control) => self.autobackup_format(control),
            None => self
                .settings
                .autobackup_format
                .clone()
                .unwrap_or_else(|| "%F".to_owned()),
        };
        let channel = self
            .channels
            .first()
            .map(|channel| channel.name.clone())
            .unwrap_or_default();
        for back in 0..AUTOBACKUP_DAYS_MAX {
            let day = day_before(OracleTime::now(), back);
            self.log.say(
                numbers::LOOKING_FOR_AUTOBACKUP,
                format!("channel {channel}: looking for AUTOBACKUP on day: {day}"),
            );
            for count in (0..=u8::MAX).rev() {
                let name = format!("c-{dbid}-{day}-{count:02x}");
                let path = absolute(&self.home, &PathBuf::from(format.replace("%F", &name)));
                if path.is_file() {
                    self.log.say(
                        numbers::AUTOBACKUP_FOUND,
                        format!("channel {channel}: AUTOBACKUP found: {}", path.display()),
                    );
                    return Ok(path);
                }
            }
        }
        self.log.say(
            numbers::LOOKING_FOR_AUTOBACKUP,
            format!("channel {channel}: no AUTOBACKUP in {AUTOBACKUP_DAYS_MAX} days found"),
        );
        Err(Failure::new(
            6172,
            format!("no AUTOBACKUP found or specified handle is not a valid copy or piece: {what}"),
        ))
    }
}

/// YYYYMMDD of the day that lies so many days before.
fn day_before(time: OracleTime, days: i64) -> String {
    let (year, month, day, ..) = time.civil();
    let date = jiff::civil::Date::new(
        i16::try_from(year).unwrap_or(2000),
        i8::try_from(month).unwrap_or(1),
        i8::try_from(day).unwrap_or(1),
    );
    let before = date
        .ok()
        .and_then(|date| date.checked_sub(jiff::Span::new().days(days)).ok());
    match before {
        Some(date) => format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()),
        None => format!("{year:04}{month:02}{day:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_back_over_months() {
        let time = OracleTime::from_civil(2026, 3, 2, 12, 0, 0).unwrap();
        assert_eq!(day_before(time, 0), "20260302");
        assert_eq!(day_before(time, 3), "20260227");
    }
}
