//! RECOVER: incremental backups first, then redo, wherever it lies.
//! What lives here: the order of steps, and finding the logs. What does not: applying them (`engine`).

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::channels::{Bench, clock};
use super::choose::{self, Limit};
use super::command::{Files, Recover};
use super::failure::{Failure, Outcome};
use super::files;
use super::merging::apply_in_rounds;
use super::numbers;
use super::restore::{Point, on_disk_text};
use super::restore_jobs::restore_logs_from;
use super::session::Session;
use crate::engine::backup::{Done, LogPlace, Order, Thing};
use crate::engine::control::{Control, DatafileRecord};
use crate::engine::error::OraError;

/// Most logs of one recovery.
const LOGS_MAX: usize = 100_000;

impl Session {
    /// RECOVER DATABASE, DATAFILE or TABLESPACE.
    pub(super) fn recover(&mut self, recover: &Recover) -> Outcome<()> {
        self.begin("recover")?;
        let point = self.point(recover.until.as_ref())?;
        let control = self.control()?;
        self.apply_increments(&control, &recover.files, &point)?;
        if !recover.no_redo {
            self.log.plain("");
            self.log
                .say(numbers::STARTING_MEDIA_RECOVERY, "starting media recovery");
            self.log.plain("");
            let begun = Instant::now();
            self.apply_redo(recover, &control, &point)?;
            let elapsed = clock(begun.elapsed().as_secs());
            self.log.say(
                numbers::MEDIA_RECOVERY_COMPLETE,
                format!("media recovery complete, elapsed time: {elapsed}"),
            );
        }
        self.finish("recover");
        Ok(())
    }

    /// Applies every level 1 that leads a file onwards. Redo does the rest.
    fn apply_increments(&mut self, control: &Control, files: &Files, point: &Point) -> Outcome<()> {
        let mut limit = Limit::default();
        match point {
            Point::Complete => {}
            Point::Scn(scn) => limit.scn = Some(*scn),
            Point::Time(time) => limit.time = Some(time.raw()),
        }
        let checkpoints = self.checkpoints()?;
        let mut chains = Vec::new();
        for file in files::select(control, files)? {
            let Some((_, checkpoint)) = checkpoints
                .iter()
                .find(|(number, _)| *number == file.number)
            else {
                continue;
            };
            let chain = choose::increments(control, file, *checkpoint, &limit);
            chains.push((file.clone(), chain.into_iter().cloned().collect()));
        }
        apply_in_rounds(self, chains, &|handle: &Path, files: &[DatafileRecord]| {
            Order::Apply {
                handle: handle.to_owned(),
                files: files.iter().map(|file| file.number).collect(),
            }
        })
    }

    /// Checkpoint SCN in the header of each data file that is there.
    fn checkpoints(&mut self) -> Outcome<Vec<(u32, u64)>> {
        let query = "select file#, checkpoint_change# from v$datafile_header where error is null";
        let outcome = self.target()?.execute(query)?;
        let number = |value: Option<&Option<String>>| value?.as_ref()?.parse::<u64>().ok();
        let row =
            |row: &Vec<Option<String>>| Some((number(row.first())? as u32, number(row.get(1))?));
        Ok(outcome.rows.iter().filter_map(row).collect())
    }

    /// Media recovery by statement, with each log that it asks for.
    fn apply_redo(&mut self, recover: &Recover, control: &Control, point: &Point) -> Outcome<()> {
        let mut statement = format!("ALTER DATABASE RECOVER {}", scope(control, &recover.files)?);
        match point {
            Point::Complete => {}
            Point::Scn(scn) => statement.push_str(&format!(" UNTIL CHANGE {scn}")),
            Point::Time(time) => statement.push_str(&format!(
                " UNTIL TIME '{}'",
                time.to_string().replacen(' ', ":", 1)
            )),
        }
        if control.is_backup {
            statement.push_str(" USING BACKUP CONTROLFILE");
        }
        let mut restored = Vec::new();
        let mut asked = self.target()?.execute(&statement);
        for _ in 0..LOGS_MAX {
            let needed = match asked {
                Ok(_) => {
                    return if recover.delete_logs {
                        self.delete_restored(&restored)
                    } else {
                        Ok(())
                    };
                }
                Err(error) if error.has(264) => return Ok(()),
                Err(error) => match needed_log(&error) {
                    Some(needed) => needed,
                    None => return Err(self.abandon(error)),
                },
            };
            let path = match self.fetch_log(needed.sequence, &mut restored)? {
                Some(path) => path,
                // What stands at its target already needs no log of what follows.
                None if matches!(point, Point::Scn(scn) if needed.scn >= *scn) => {
                    self.target()?.execute("ALTER DATABASE RECOVER CANCEL")?;
                    return Ok(());
                }
                None => return Err(self.give_up(&needed)),
            };
            let file = path.display().to_string();
            let text = format!(
                "archived log file name={file} thread=1 sequence={}",
                needed.sequence
            );
            self.log.say(numbers::LOG_APPLIED, text);
            let file = file.replace('\'', "''");
            asked = self
                .target()?
                .execute(&format!("ALTER DATABASE RECOVER LOGFILE '{file}'"));
        }
        Err(Failure::new(
            6054,
            format!("media recovery asked for more than {LOGS_MAX} logs"),
        ))
    }

    /// Where a log is, restored from its set if it has to be. None when it is nowhere.
    fn fetch_log(
        &mut self,
        sequence: u32,
        restored: &mut Vec<PathBuf>,
    ) -> Outcome<Option<PathBuf>> {
        match self.order(Order::FindLog(sequence))? {
            Done::Log(LogPlace::File(path)) => {
                if !restored.contains(&path) {
                    self.log
                        .say(numbers::LOG_ON_DISK, on_disk_text(sequence, &path));
                }
                Ok(Some(path))
            }
            Done::Log(LogPlace::Set {
                handle,
                tag,
                sequences,
            }) => {
                let bench = Bench {
                    log: &self.log,
                    date_format: &self.date_format,
                };
                let Some(channel) = self.channels.first_mut() else {
                    return Ok(None);
                };
                let done = restore_logs_from(channel, &handle, &tag, sequences, &bench);
                restored
                    .extend(done.map_err(|failure| failure.on_channel("restore", &channel.name))?);
                match self.order(Order::FindLog(sequence))? {
                    Done::Log(LogPlace::File(path)) => Ok(Some(path)),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// Ends the recovery where it stands, so that OPEN RESETLOGS knows how far it came.
    fn give_up(&mut self, needed: &Needed) -> Failure {
        self.log.say_together(&[
            (
                numbers::LOG_NOT_FOUND,
                "unable to find archived log".to_owned(),
            ),
            (
                numbers::LOG,
                format!("archived log thread=1 sequence={}", needed.sequence),
            ),
        ]);
        let failure = Failure::new(
            6054,
            format!(
                "media recovery requesting unknown archived log for thread 1 with sequence {} and starting SCN of {}",
                needed.sequence, needed.scn
            ),
        );
        let canceled = self
            .target()
            .map(|target| target.execute("ALTER DATABASE RECOVER CANCEL"));
        match canceled {
            Ok(Err(error)) => failure.and_all(error.into()),
            _ => failure,
        }
    }

    /// A recovery that cannot go on must not wait for its next log for ever.
    fn abandon(&mut self, error: OraError) -> Failure {
        if let Ok(target) = self.target() {
            // ORA-01112 when the error has ended it already; the first error is the one to tell.
            let _ = target.execute("ALTER DATABASE RECOVER CANCEL");
        }
        error.into()
    }

    /// DELETE ARCHIVELOG: logs that were restored for this recovery go again.
    fn delete_restored(&mut self, restored: &[PathBuf]) -> Outcome<()> {
        let control = self.control()?;
        for log in control
            .archived
            .iter()
            .filter(|log| !log.deleted && restored.contains(&log.path))
        {
            self.order(Order::Delete {
                thing: Thing::Log(log.recid),
                force: false,
            })?;
            self.log.say(
                numbers::LOG_FILE,
                format!(
                    "archived log file name={} RECID={} STAMP={}",
                    log.path.display(),
                    log.recid,
                    log.completed
                ),
            );
        }
        Ok(())
    }
}

/// The files as SQL names them.
fn scope(control: &Control, files: &Files) -> Outcome<String> {
    Ok(match files {
        Files::All => "DATABASE".to_owned(),
        some => {
            let numbers: Vec<String> = files::select(control, some)?
                .iter()
                .map(|file| file.number.to_string())
                .collect();
            format!("DATAFILE {}", numbers.join(","))
        }
    })
}

/// The log that media recovery asks for.
#[derive(Debug, PartialEq, Eq)]
struct Needed {
    sequence: u32,
    scn: u64,
}

/// What an ORA-00279 stack asks for: `change N … needed` and `… is in sequence #N`.
fn needed_log(error: &OraError) -> Option<Needed> {
    let text = |code: u32| {
        error
            .lines
            .iter()
            .find(|line| line.code == code)
            .map(|line| line.text.as_str())
    };
    let scn = text(279)?.split(' ').nth(1)?.parse().ok()?;
    let sequence = text(280)?.rsplit('#').next()?.trim().parse().ok()?;
    Some(Needed { sequence, scn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needed_log_is_read_from_the_error() {
        let error = OraError::new(
            279,
            "change 4711 generated at 03/07/2026 01:44:38 needed for thread 1",
        )
        .and(289, "suggestion : /a/7.dbf")
        .and(280, "change 4711 for thread 1 is in sequence #7");
        assert_eq!(
            needed_log(&error),
            Some(Needed {
                sequence: 7,
                scn: 4711
            })
        );
        assert_eq!(needed_log(&OraError::new(1110, "data file 1")), None);
    }
}
