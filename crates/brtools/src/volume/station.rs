//! A drive with the volume that a run wants in it: label checked and written, header and trailer around the files.
//! What lives here: one volume's way through a run, with the lines that the log has for it. What does not: which volume
//! (`pool`), and which files.
//!
//! Nothing is written before the label was read and found to be the right one, old enough to be overwritten. The label is
//! read once more at the end: a drive that wrote into the void is noticed then.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::command::{self, NotRun};
use super::drive::{Drive, DriveError};
use super::expiry;
use super::label::{self, Label};
use super::settings::{Loading, TapeSettings};
use crate::action_id::{ActionId, Stamp};
use crate::copy::report::split_hint;
use crate::copy::stream::{StreamRequest, copy_stream, send_bundle};
use crate::copy::{CopyError, CopyReport, member};
use crate::durable;
use crate::environment::Environment;
use crate::interrupt::Interrupt;
use crate::messages::Message;
use crate::prompt::{self, Stop};
use crate::run_log::RunLog;
use crate::values::Confirmation;

/// Most of a first file that is read to find a label in it.
const FIRST_FILE_BYTES_MAX: u64 = 64 << 10;

/// What all volumes of a run have in common.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run.
    pub id: ActionId,
    /// Its function id.
    pub function: String,
    /// Where the database is.
    pub environment: Environment,
    /// The profile in use.
    pub profile_path: PathBuf,
    /// Capitals: `BRBACKUP`.
    pub program: &'static str,
    /// The parameter that names the volumes, for hints.
    pub volumes_parameter: &'static str,
    /// Whether an operator is there.
    pub confirmation: Confirmation,
}

/// One drive of a run.
#[derive(Debug)]
pub struct Station {
    /// The drive.
    pub drive: Drive,
    settings: TapeSettings,
    run: Run,
    /// Counts the drives of a run from 0.
    index: usize,
    label: Option<Label>,
}

impl Station {
    /// Opens the drive.
    pub fn open(
        settings: &TapeSettings,
        index: usize,
        run: &Run,
        interrupt: &Interrupt,
    ) -> Result<Station, DriveError> {
        Ok(Station {
            drive: Drive::open(&settings.drives[index], &settings.commands, interrupt)?,
            settings: settings.clone(),
            run: run.clone(),
            index,
            label: None,
        })
    }

    /// Name of the volume in the drive, once that is known.
    pub fn volume(&self) -> &str {
        self.label.as_ref().map_or("", |label| &label.volume)
    }

    fn address(&self) -> String {
        self.drive.address().display().to_string()
    }

    fn label_path(&self) -> PathBuf {
        self.run
            .environment
            .sapbackup
            .join(format!(".tape.hdr{}", self.index))
    }

    /// Brings the volume into the drive, checks its label, and writes label and profiles. `name` may be SCRATCH.
    pub fn mount(&mut self, name: &str, is_first: bool, log: &mut RunLog) -> Result<(), Stop> {
        log.info(208, &[&name, &self.address()]);
        self.load(name, is_first, log)?;
        log.stamp();
        let found = self.read_label(log)?;
        let label = self.check(&found, name, log)?;
        self.label = Some(label);
        log.stamp();
        self.rewind(log)?;
        self.write_label(log)?;
        let volume = self.volume().to_owned();
        log.info(209, &[&self.address(), &volume]);
        self.write_profiles(log)
    }

    /// Brings a volume into the drive that is to be read, and checks its name only.
    pub fn mount_to_read(
        &mut self,
        name: &str,
        is_first: bool,
        log: &mut RunLog,
    ) -> Result<(), Stop> {
        log.info(208, &[&name, &self.address()]);
        self.load(name, is_first, log)?;
        log.stamp();
        let found = self.read_label(log)?;
        if found.volume != name {
            return Err(self.wrong_volume(&found.volume, name, log));
        }
        log.info(209, &[&self.address(), &name]);
        self.label = Some(found);
        Ok(())
    }

    /// The part that differs between an operator, a changer and a box.
    fn load(&mut self, name: &str, is_first: bool, log: &mut RunLog) -> Result<(), Stop> {
        match self.settings.loading {
            Loading::Hand if !is_first => {
                prompt::ask_to_continue(log, self.run.program, self.run.confirmation)
            }
            Loading::Hand | Loading::Changer => Ok(()),
            Loading::Box => {
                let template = self.settings.mount.clone();
                self.call(&template, &[name], log)
            }
        }
    }

    /// `mount_cmd` and `dismount_cmd`: database and kind, device, names, parameter file.
    fn call(&self, template: &str, names: &[&str], log: &mut RunLog) -> Result<(), Stop> {
        let kind = match self.run.program {
            "BRARCHIVE" => "A",
            _ => "B",
        };
        let database = format!("{}-{kind}", self.run.environment.sid);
        let device = self
            .settings
            .control
            .get(self.index)
            .cloned()
            .unwrap_or_else(|| self.address());
        let mut arguments = vec![database.as_str(), device.as_str()];
        arguments.extend(names);
        arguments.push(&self.settings.parameter_file);
        let command = command::fill(template, &arguments);
        log.line(&format!("# {command}"));
        match command::run(&command, &Interrupt::never()) {
            Ok(end) if command::is_silent(&end) => Ok(()),
            Ok(end) => {
                log.error(
                    278,
                    &[&command, &end.output.lines().next().unwrap_or("(nothing)")],
                );
                end.output.lines().skip(1).for_each(|line| log.line(line));
                log.error(279, &[&command, &end.code]);
                Err(Stop::Failed)
            }
            Err(NotRun::Interrupted(signal)) => Err(Stop::Signal(signal)),
            Err(NotRun::NotStarted(error)) => {
                log.error(278, &[&command, &"could not be started"]);
                log.error(253, &[&error]);
                Err(Stop::Failed)
            }
        }
    }

    fn rewind(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        log.info(226, &[&self.drive.rewinding_address().display()]);
        self.drive.rewind().map_err(|error| said(&error, log))
    }

    /// Rewinds and reads the first file into `sapbackup/.tape.hdr0`.
    pub fn read_label(&mut self, log: &mut RunLog) -> Result<Label, Stop> {
        self.rewind(log)?;
        let path = self.label_path();
        log.info(351, &[&path.display()]);
        log.info(355, &[&self.address()]);
        let mut first = Vec::new();
        let read = self.drive.read().and_then(|reader| {
            let address = path.clone();
            reader
                .take(FIRST_FILE_BYTES_MAX)
                .read_to_end(&mut first)
                .map_err(|source| DriveError::Position {
                    address,
                    file: 1,
                    source,
                })
        });
        log.info(241, &[&self.address()]);
        let found = match read {
            Ok(_) => label_in(&first),
            // A blank tape, or a foreign one with blocks that no tape of ours has.
            Err(DriveError::Position { source, .. }) => Err(source.to_string()),
            Err(error) => return Err(said(&error, log)),
        };
        match found {
            Ok((label, text)) => {
                if let Err(error) = durable::replace(&path, text.as_bytes()) {
                    log.error(9041, &[&path.display(), &error]);
                    return Err(Stop::Failed);
                }
                Ok(label)
            }
            Err(why) => {
                log.error(9050, &[&self.address(), &why]);
                log.info(236, &[]);
                Err(Stop::Failed)
            }
        }
    }

    fn wrong_volume(&self, found: &str, wanted: &str, log: &mut RunLog) -> Stop {
        log.error(
            216,
            &[
                &self.address(),
                &found,
                &wanted,
                &self.run.volumes_parameter,
            ],
        );
        Stop::Failed
    }

    /// The label that the volume gets, if it may be overwritten.
    fn check(&self, found: &Label, wanted: &str, log: &mut RunLog) -> Result<Label, Stop> {
        let now = Stamp::now();
        let takes_any = wanted == label::SCRATCH;
        if found.volume != wanted && !takes_any && !found.is_scratch() {
            return Err(self.wrong_volume(&found.volume, wanted, log));
        }
        // A volume that was only labelled holds nothing that could be lost.
        let was_labelled_only = found.function.starts_with("ti");
        if !was_labelled_only && expiry::is_locked(found.written, self.settings.period_days, now) {
            let free_on = expiry::free_on(found.written, self.settings.period_days);
            log.error(
                217,
                &[
                    &found.volume,
                    &self.address(),
                    &free_on,
                    &found.action,
                    &found.written,
                ],
            );
            return Err(Stop::Failed);
        }
        let volume = match (found.is_scratch(), takes_any) {
            (true, false) => {
                log.info(242, &[&self.address(), &wanted]);
                wanted.to_owned()
            }
            _ => found.volume.clone(),
        };
        let use_count = found.use_count.saturating_add(1);
        if use_count > self.settings.uses_recommended {
            log.warning(235, &[&volume]);
        }
        Ok(Label {
            volume,
            written: self.run.id.stamp(),
            sid: self.run.environment.sid.clone(),
            action: self.run.id,
            function: self.run.function.clone(),
            use_count,
        })
    }

    /// Writes the label that was decided on to the beginning of the volume.
    fn write_label(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        let label = self.label.clone().expect("a label was decided on");
        let path = self.label_path();
        log.info(202, &[&path.display()]);
        log.info(203, &[&self.address()]);
        if let Err(error) = durable::replace(&path, label.to_string().as_bytes()) {
            log.error(9041, &[&path.display(), &error]);
            return Err(Stop::Failed);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let directory = durable::parent(&path).to_owned();
        self.send(&directory, &[&name], log)
    }

    /// Labels the volume anew: `-i`. What was on it is lost.
    pub fn initialize(&mut self, label: Label, log: &mut RunLog) -> Result<(), Stop> {
        self.label = Some(label);
        self.rewind(log)?;
        self.write_label(log)?;
        let volume = self.volume().to_owned();
        log.info(209, &[&self.address(), &volume]);
        Ok(())
    }

    /// `init_ora` and `init_sap`: parameter files and profile, so that the volume alone brings them back.
    fn write_profiles(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        let environment = &self.run.environment;
        let directory = environment.oracle_home.join("dbs");
        let names: Vec<String> = ["init%.ora", "spfile%.ora", "init%.dba"]
            .iter()
            .map(|name| name.replace('%', &environment.sid))
            .filter(|name| directory.join(name).is_file())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        log.info(202, &[&"init_ora"]);
        log.info(203, &[&self.address()]);
        self.send(&directory, &names, log)?;
        let profile = self.run.profile_path.clone();
        log.info(202, &[&profile.display()]);
        log.info(203, &[&self.address()]);
        let name = profile.file_name().unwrap_or_default().to_string_lossy();
        self.send(&directory_of(&profile), &[&name], log)
    }

    /// Sends small files as one file of the tape.
    fn send(&mut self, directory: &Path, names: &[&str], log: &mut RunLog) -> Result<(), Stop> {
        let flags = self.settings.cpio_flags.clone();
        let target = self.drive.address().to_owned();
        let outcome = self
            .drive
            .write(member::block_bytes(&flags))
            .map_err(Failure::Drive)
            .and_then(|mut writer| {
                match send_bundle(&flags, directory, names, &target, &mut writer) {
                    Ok(()) => writer.finish().map_err(Failure::Drive),
                    Err(CopyError::Target { source, .. }) => {
                        Err(Failure::Drive(writer.verdict(source)))
                    }
                    Err(error) => Err(Failure::Copy(error)),
                }
            });
        outcome.map_err(|failure| {
            let stop = failure.say(&directory.join(names.first().unwrap_or(&"")), &target, log);
            log.error(221, &[&target.display()]);
            stop
        })
    }

    /// Saves one file; the result says at which position it stands. The drive's own errors end the volume.
    pub fn save(
        &mut self,
        request: &StreamRequest,
        interrupt: &Interrupt,
    ) -> Result<(u32, CopyReport), Failure> {
        let position = self.drive.position().unwrap_or(0);
        let mut writer = self
            .drive
            .write(request.tool.block_bytes())
            .map_err(Failure::Drive)?;
        match copy_stream(request, &mut writer, interrupt) {
            Ok(report) => {
                writer.finish().map_err(Failure::Drive)?;
                Ok((position, report))
            }
            Err(CopyError::Target { source, .. }) => Err(Failure::Drive(writer.verdict(source))),
            Err(error) => {
                // What was cut off is a file of the tape too: the next one stands behind it.
                writer.finish().map_err(Failure::Drive)?;
                Err(Failure::Copy(error))
            }
        }
    }

    /// `space_log`, `det_log` and `sum_log`: the volume tells what is on it. The logs are copied as they are now.
    pub fn write_trailer(&mut self, logs: &Trailer, log: &mut RunLog) -> Result<(), Stop> {
        let work = self
            .run
            .environment
            .sapbackup
            .join(format!(".{}.tape{}", self.run.id, self.index));
        let outcome = match logs.stage(&work) {
            Ok(staged) => self.send_logs(&staged, log),
            Err(error) => {
                log.error(9041, &[&work.display(), &error]);
                Err(Stop::Failed)
            }
        };
        drop(fs::remove_dir_all(&work)); // It is hidden, named after the run, and holds nothing but copies.
        outcome
    }

    fn send_logs(&mut self, staged: &[Staged], log: &mut RunLog) -> Result<(), Stop> {
        for (name, directory, files) in staged {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            log.info(202, &[name]);
            log.info(203, &[&self.address()]);
            self.send(directory, &files, log)?;
        }
        Ok(())
    }

    /// Reads the label again, and unloads where the profile says so. A label that is not the one that was written means
    /// that nothing else on the volume can be relied on.
    pub fn leave(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        self.recheck(log)?;
        self.unload(log)
    }

    /// Reads the label again.
    pub fn recheck(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        let Some(label) = self.label.clone() else {
            return Ok(());
        };
        log.stamp();
        let found = self.read_label(log)?;
        if found != label {
            log.error(243, &[&found.written, &found.volume, &self.address()]);
            return Err(Stop::Failed);
        }
        Ok(())
    }

    /// Gives the volume back.
    pub fn unload(&mut self, log: &mut RunLog) -> Result<(), Stop> {
        self.label = None;
        match self.settings.loading {
            Loading::Box => {
                log.info(226, &[&self.drive.rewinding_address().display()]);
                self.drive.unload().map_err(|error| said(&error, log))?;
                let template = self.settings.dismount.clone();
                self.call(&template, &[], log)
            }
            Loading::Hand | Loading::Changer => {
                log.info(226, &[&self.drive.rewinding_address().display()]);
                self.drive.unload().map_err(|error| said(&error, log))
            }
        }
    }
}

/// Why a file did not get onto the tape.
#[derive(Debug)]
pub enum Failure {
    /// The file, or the tool that reads it.
    Copy(CopyError),
    /// The drive: nothing more is written to this volume.
    Drive(DriveError),
}

impl Failure {
    /// Puts it into the log.
    pub fn say(&self, source: &Path, target: &Path, log: &mut RunLog) -> Stop {
        match self {
            Failure::Copy(CopyError::Interrupted { signal })
            | Failure::Drive(DriveError::Interrupted(signal)) => Stop::Signal(*signal),
            Failure::Copy(error) => {
                crate::copy::report::failure(log, source, target, error);
                Stop::Failed
            }
            Failure::Drive(error) => {
                let stop = said(error, log);
                log.error(222, &[&source.display(), &target.display()]);
                stop
            }
        }
    }
}

/// Puts an error of a drive into the log.
pub fn said(error: &DriveError, log: &mut RunLog) -> Stop {
    match error {
        DriveError::Interrupted(signal) => return Stop::Signal(*signal),
        DriveError::WriteProtected(address) => log.error(220, &[&address.display()]),
        DriveError::Command {
            command,
            code,
            output,
        } => {
            log.error(
                278,
                &[command, &output.lines().next().unwrap_or("(nothing)")],
            );
            output.lines().skip(1).for_each(|line| log.line(line));
            log.error(279, &[command, code]);
        }
        _ => {
            let (what, hint) = split_hint(&error.to_string());
            log.message(&Message::error(9044, &[&what, &hint]));
        }
    }
    Stop::Failed
}

/// The label in the first file of a tape, with its text. The error says why there is none.
fn label_in(first: &[u8]) -> Result<(Label, String), String> {
    let head = match member::head(first) {
        Ok(Some(head)) => head,
        Ok(None) | Err(_) => return Err(member::NoArchive.to_string()),
    };
    let base = head.name.trim_start_matches("./");
    if !base.starts_with(".tape.hdr") {
        return Err(format!("its first file is '{}'", head.name));
    }
    let end = usize::try_from(head.bytes)
        .ok()
        .filter(|bytes| *bytes <= label::BYTES_MAX)
        .map(|bytes| head.head_bytes + bytes);
    let content = end.and_then(|end| first.get(head.head_bytes..end));
    let text = content
        .and_then(|content| std::str::from_utf8(content).ok())
        .ok_or("the label cannot be read")?;
    let label = text.parse::<Label>().map_err(|error| error.to_string())?;
    Ok((label, text.to_owned()))
}

fn directory_of(path: &Path) -> PathBuf {
    durable::parent(path).to_owned()
}

/// The logs at the end of a volume.
#[derive(Debug, Clone, Default)]
pub struct Trailer {
    /// Logs of structure and space.
    pub space: Vec<PathBuf>,
    /// Detail logs.
    pub detail: Vec<PathBuf>,
    /// Summary logs with the text that they will have: `back<SID>.log`.
    pub summary: Vec<(String, String)>,
}

/// Name on the tape, directory of copies, their names.
type Staged = (&'static str, PathBuf, Vec<String>);

impl Trailer {
    fn stage(&self, work: &Path) -> std::io::Result<Vec<Staged>> {
        fs::create_dir_all(work)?;
        let mut staged = Vec::new();
        for (name, files) in [("space_log", &self.space), ("det_log", &self.detail)] {
            let directory = work.join(name);
            fs::create_dir_all(&directory)?;
            let mut names = Vec::new();
            for file in files.iter().filter(|file| file.is_file()) {
                let base = file.file_name().unwrap_or_default();
                fs::copy(file, directory.join(base))?;
                names.push(base.to_string_lossy().into_owned());
            }
            staged.push((name, directory, names));
        }
        let directory = work.join("sum_log");
        fs::create_dir_all(&directory)?;
        for (name, text) in &self.summary {
            let mut file = fs::File::create(directory.join(name))?;
            file.write_all(text.as_bytes())?;
        }
        let names = self.summary.iter().map(|(name, _)| name.clone()).collect();
        staged.push(("sum_log", directory, names));
        Ok(staged)
    }
}
