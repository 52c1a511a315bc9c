//! A tape drive: rewinding, skipping, writing and reading one file after the other.
//! What lives here: the drive as a run sees it. What does not: labels, and what is in the files.
//!
//! A real drive is written through `dd`, whose exit status includes that of closing the device: a drive with a buffer
//! tells of a failed block, or of the end of the tape, only then. The mark behind a file is the device driver's.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;

use rustix::io::Errno;

use super::command::{self, NotRun};
use super::virtual_drive::{VirtualDrive, VirtualWriter};
use crate::interrupt::Interrupt;
use crate::stream_child::StreamChild;

/// Longest block that is read from a tape, in bytes.
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// The two names of one drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveAddress {
    /// `tape_address`: the device that stays where it is when it is closed.
    pub address: PathBuf,
    /// `tape_address_rew`: for the rewind commands.
    pub rewinding: PathBuf,
}

/// Commands of the profile, with `$` for their arguments. A directory that stands in for a drive needs none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriveCommands {
    /// `rewind`.
    pub rewind: String,
    /// `rewind_offline`; empty: no cartridge is unloaded.
    pub unload: String,
    /// `tape_pos_cmd`.
    pub position: String,
}

/// Why a drive did not do what it was to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// The drive is empty.
    #[error("there is no tape in {}. HINT: load one", .0.display())]
    Empty(PathBuf),
    /// The tab of the cartridge.
    #[error("the tape in {} is write-protected. HINT: unload it, change its tab, load it again", .0.display())]
    WriteProtected(PathBuf),
    /// The tape is full.
    #[error("the tape in {} has come to its end. HINT: give a lower tape_size, so that the plan takes another tape in time", .0.display())]
    Full(PathBuf),
    /// Another program has the drive.
    #[error("{} is in use by another program. HINT: wait for its end, or find it with fuser", .0.display())]
    Busy(PathBuf),
    /// Nothing is written at this position.
    #[error("file {file} of the tape in {} cannot be read: {source}. HINT: is it the right tape, and was it written to its end?", address.display())]
    Position {
        /// The drive.
        address: PathBuf,
        /// Which file.
        file: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A command failed.
    #[error(
        "'{command}' ended with {code}: {output}. HINT: correct it in the profile, or the drive"
    )]
    Command {
        /// As it was run.
        command: String,
        /// Exit code.
        code: i32,
        /// What it said.
        output: String,
    },
    /// Anything else that the system says.
    #[error("{doing} {} failed: {source}. HINT: look at the drive, its cable and its cartridge", address.display())]
    Io {
        /// What was done.
        doing: &'static str,
        /// The drive.
        address: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A signal asked to stop.
    #[error("stopped by signal {0}")]
    Interrupted(i32),
}

/// An open drive.
#[derive(Debug)]
pub struct Drive {
    address: DriveAddress,
    commands: DriveCommands,
    interrupt: Interrupt,
    /// The stand-in; None for a device.
    stand_in: Option<VirtualDrive>,
    /// The file at the head, the first is 1. None when that is not known: before rewinding, and after an error.
    position: Option<u32>,
}

impl Drive {
    /// Opens a drive; a stand-in is then locked for this process.
    pub fn open(
        address: &DriveAddress,
        commands: &DriveCommands,
        interrupt: &Interrupt,
    ) -> Result<Drive, DriveError> {
        let stand_in = match address.address.is_dir() {
            true => Some(
                VirtualDrive::open(&address.address)
                    .map_err(|error| failed(&address.address, "opening", error))?,
            ),
            false => None,
        };
        Ok(Drive {
            address: address.clone(),
            commands: commands.clone(),
            interrupt: interrupt.clone(),
            stand_in,
            position: None,
        })
    }

    /// `tape_address`.
    pub fn address(&self) -> &Path {
        &self.address.address
    }

    /// `tape_address_rew`.
    pub fn rewinding_address(&self) -> &Path {
        &self.address.rewinding
    }

    /// The file at the head, where that is known.
    pub fn position(&self) -> Option<u32> {
        self.position
    }

    /// To the beginning.
    pub fn rewind(&mut self) -> Result<(), DriveError> {
        self.position = None;
        match &self.stand_in {
            Some(drive) => {
                drive
                    .cartridge()
                    .map_err(|error| self.failed("rewinding", error))?;
                drive
                    .seek(1)
                    .map_err(|error| self.failed("rewinding", error))?;
            }
            None => self.run(&self.commands.rewind.clone(), &[])?,
        }
        self.position = Some(1);
        Ok(())
    }

    /// Takes the cartridge out, where the profile has a command for it; else to the beginning.
    pub fn unload(&mut self) -> Result<(), DriveError> {
        if self.commands.unload.is_empty() {
            return self.rewind();
        }
        self.position = None;
        match &self.stand_in {
            Some(drive) => drive
                .unload()
                .map_err(|error| self.failed("unloading", error)),
            None => self.run(&self.commands.unload.clone(), &[]),
        }
    }

    /// Brings the head to the beginning of a file.
    pub fn go_to(&mut self, file: u32) -> Result<(), DriveError> {
        let skipped = match self.position {
            Some(position) if position <= file => file - position,
            _ => {
                self.rewind()?;
                file.saturating_sub(1)
            }
        };
        if skipped == 0 {
            return Ok(());
        }
        self.position = None;
        match &self.stand_in {
            Some(drive) => drive.seek(file).map_err(|source| DriveError::Position {
                address: self.address.address.clone(),
                file,
                source,
            })?,
            None => self.run(&self.commands.position.clone(), &[&skipped.to_string()])?,
        }
        self.position = Some(file);
        Ok(())
    }

    fn run(&self, template: &str, more: &[&str]) -> Result<(), DriveError> {
        let device = match more.is_empty() {
            true => &self.address.rewinding,
            // Skipping files and then rewinding would be of no use.
            false => &self.address.address,
        };
        let device = device.display().to_string();
        let mut arguments = vec![device.as_str()];
        arguments.extend(more);
        let command = command::fill(template, &arguments);
        match command::run(&command, &self.interrupt) {
            Ok(end) if end.code == 0 => Ok(()),
            Ok(end) if end.output.contains(&text_of(Errno::NOMEDIUM)) => {
                Err(DriveError::Empty(self.address.address.clone()))
            }
            Ok(end) if end.output.contains(&text_of(Errno::BUSY)) => {
                Err(DriveError::Busy(self.address.address.clone()))
            }
            Ok(end) => Err(DriveError::Command {
                command,
                code: end.code,
                output: end.output.trim().to_owned(),
            }),
            Err(NotRun::Interrupted(signal)) => Err(DriveError::Interrupted(signal)),
            Err(NotRun::NotStarted(source)) => Err(self.failed("asking a shell to handle", source)),
        }
    }

    /// Begins to write a file at the head, in blocks of so many bytes.
    pub fn write(&mut self, block_bytes: usize) -> Result<TapeWriter<'_>, DriveError> {
        let position = self.position.take();
        let address = self.address.address.clone();
        let target = match &self.stand_in {
            Some(drive) => Target::StandIn(Some(
                drive
                    .write()
                    .map_err(|error| failed(&address, "writing to", error))?,
            )),
            None => Target::device(&address, block_bytes)?,
        };
        Ok(TapeWriter {
            address,
            target,
            head: &mut self.position,
            next: position.map(|number| number + 1),
        })
    }

    /// Opens the file at the head.
    pub fn read(&mut self) -> Result<TapeReader<'_>, DriveError> {
        let position = self.position.take();
        let missing = |source| DriveError::Position {
            address: self.address.address.clone(),
            file: position.unwrap_or(0),
            source,
        };
        let file = match &self.stand_in {
            Some(drive) => drive.read().map_err(|error| match error.raw_os_error() {
                Some(code) if code == Errno::IO.raw_os_error() => missing(error),
                _ => failed(&self.address.address, "reading", error),
            })?,
            None => File::open(&self.address.address)
                .map_err(|error| failed(&self.address.address, "reading", error))?,
        };
        Ok(TapeReader {
            file,
            block: Vec::new(),
            taken: 0,
            ended: false,
            head: &mut self.position,
            next: position.map(|number| number + 1),
        })
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> DriveError {
        failed(&self.address.address, doing, source)
    }
}

fn failed(address: &Path, doing: &'static str, source: io::Error) -> DriveError {
    let address = address.to_owned();
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOMEDIUM) => DriveError::Empty(address),
        Some(Errno::ROFS) => DriveError::WriteProtected(address),
        Some(Errno::NOSPC) => DriveError::Full(address),
        Some(Errno::BUSY) => DriveError::Busy(address),
        _ => DriveError::Io {
            doing,
            address,
            source,
        },
    }
}

/// The words of the C library for an error, as a child process in the C locale prints them.
fn text_of(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[derive(Debug)]
enum Target<'a> {
    StandIn(Option<VirtualWriter<'a>>),
    Device(Option<(StreamChild, ChildStdin)>),
}

impl Target<'_> {
    fn device(address: &Path, block_bytes: usize) -> Result<Target<'static>, DriveError> {
        // Opened and closed without a write, which leaves no mark: an empty drive or a tab shows as what it is.
        OpenOptions::new()
            .write(true)
            .open(address)
            .map_err(|error| failed(address, "opening", error))?;
        let mut of = OsString::from("of=");
        of.push(address);
        let words = [
            OsString::from("dd"),
            of,
            OsString::from(format!("obs={block_bytes}")),
            OsString::from(format!("ibs={}", 64 << 10)),
            OsString::from("conv=notrunc"),
        ];
        let shown = format!("dd of={} obs={block_bytes}", address.display());
        let (child, input) = StreamChild::consumer(&words, shown)
            .map_err(|error| failed(address, "starting dd for", error))?;
        Ok(Target::Device(Some((child, input))))
    }
}

/// A file that is being written to tape.
#[derive(Debug)]
pub struct TapeWriter<'a> {
    address: PathBuf,
    target: Target<'a>,
    head: &'a mut Option<u32>,
    next: Option<u32>,
}

impl TapeWriter<'_> {
    /// Ends the file with a mark: only now it is known that all of it is on the tape.
    pub fn finish(mut self) -> Result<(), DriveError> {
        match &mut self.target {
            Target::StandIn(writer) => {
                if let Some(writer) = writer.take() {
                    writer
                        .finish()
                        .map_err(|error| failed(&self.address, "writing to", error))?;
                }
            }
            Target::Device(child) => {
                if let Some((child, input)) = child.take() {
                    drop(input);
                    end_of(child, &self.address)?;
                }
            }
        }
        *self.head = self.next;
        Ok(())
    }

    /// What the drive said, when writing failed because it would not take more.
    pub fn verdict(mut self, seen: io::Error) -> DriveError {
        match &mut self.target {
            Target::Device(child) => match child.take() {
                Some((child, input)) => {
                    drop(input);
                    end_of(child, &self.address)
                        .err()
                        .unwrap_or_else(|| failed(&self.address, "writing to", seen))
                }
                None => failed(&self.address, "writing to", seen),
            },
            Target::StandIn(_) => failed(&self.address, "writing to", seen),
        }
    }
}

/// From what dd said to the error that it met.
fn end_of(child: StreamChild, address: &Path) -> Result<(), DriveError> {
    let command = child.command_line().to_owned();
    let end = child.end();
    if end.code == 0 {
        return Ok(());
    }
    let known = [
        Errno::NOSPC,
        Errno::ROFS,
        Errno::NOMEDIUM,
        Errno::BUSY,
        Errno::IO,
    ];
    let met = known
        .into_iter()
        .find(|errno| end.output.contains(&text_of(*errno)));
    Err(match met {
        Some(errno) => failed(address, "writing to", errno.into()),
        None => DriveError::Command {
            command,
            code: end.code,
            output: end.output.trim().to_owned(),
        },
    })
}

impl Write for TapeWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::StandIn(Some(writer)) => writer.write(bytes),
            Target::Device(Some((_, input))) => input.write(bytes),
            Target::StandIn(None) | Target::Device(None) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TapeWriter<'_> {
    fn drop(&mut self) {
        // What was cut off ends with a mark too. A drive's own end of the file is waited for, so that the head stands still.
        if let Target::Device(child) = &mut self.target
            && let Some((child, input)) = child.take()
        {
            drop(input);
            child.end();
        }
    }
}

/// A file that is being read from tape, block by block. Read to its end, the head is behind its mark.
#[derive(Debug)]
pub struct TapeReader<'a> {
    file: File,
    block: Vec<u8>,
    taken: usize,
    ended: bool,
    head: &'a mut Option<u32>,
    next: Option<u32>,
}

impl Read for TapeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && !self.ended {
            // A tape gives one block at a time, and an error if there is not room for all of it.
            self.block.resize(BLOCK_BYTES_MAX, 0);
            let count = self.file.read(&mut self.block)?;
            self.block.truncate(count);
            self.taken = 0;
            self.ended = count == 0;
        }
        if self.ended {
            *self.head = self.next;
            return Ok(0);
        }
        let rest = &self.block[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(directory: &Path) -> Drive {
        let address = directory.join("drive");
        for name in ["drive", "SNDB01"] {
            std::fs::create_dir(directory.join(name)).unwrap();
        }
        VirtualDrive::open(&address)
            .unwrap()
            .load(&directory.join("SNDB01"))
            .unwrap();
        let address = DriveAddress {
            rewinding: address.clone(),
            address,
        };
        Drive::open(&address, &DriveCommands::default(), &Interrupt::never()).unwrap()
    }

    fn write(drive: &mut Drive, content: &[u8]) -> Result<(), DriveError> {
        let mut writer = drive.write(5120)?;
        match writer.write_all(content) {
            Ok(()) => writer.finish(),
            Err(error) => Err(writer.verdict(error)),
        }
    }

    #[test]
    fn the_head_goes_where_it_is_sent_and_knows_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut drive = drive(directory.path());
        drive.rewind().unwrap();
        for content in [b"label", b"first", b"secnd"] {
            write(&mut drive, content).unwrap();
        }
        assert_eq!(drive.position(), Some(4));
        for (file, content) in [(3, "secnd"), (1, "label"), (2, "first")] {
            drive.go_to(file).unwrap();
            let mut read = String::new();
            drive.read().unwrap().read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), drive.position()), (content, Some(file + 1)));
        }
        assert!(matches!(
            drive.go_to(9),
            Err(DriveError::Position { file: 9, .. })
        ));
        assert_eq!(drive.position(), None);
    }

    #[test]
    fn the_end_of_the_tape_is_told_as_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut drive = drive(directory.path());
        std::fs::write(directory.path().join("SNDB01/capacity"), "1K").unwrap();
        drive.rewind().unwrap();
        let error = write(&mut drive, &[1; 2000]).unwrap_err();
        assert!(matches!(error, DriveError::Full(_)), "{error}");
    }

    #[test]
    fn a_device_is_written_by_dd_and_its_words_become_the_error() {
        let full = DriveAddress {
            address: "/dev/full".into(),
            rewinding: "/dev/full".into(),
        };
        let commands = DriveCommands {
            rewind: "true $".to_owned(),
            position: "true $ $".to_owned(),
            unload: "echo 'mt: $: No medium found'; exit 2".to_owned(),
        };
        let mut drive = Drive::open(&full, &commands, &Interrupt::never()).unwrap();
        drive.rewind().unwrap();
        let error = write(&mut drive, &[1; 9000]).unwrap_err();
        assert!(matches!(error, DriveError::Full(_)), "{error}");
        assert_eq!(drive.position(), None);
        let error = drive.unload().unwrap_err();
        assert!(matches!(error, DriveError::Empty(_)), "{error}");
    }
}
