//! `backstay tape`: a directory that stands in for a tape drive, and the cartridges in it.
//! What lives here: options, and what it says. What does not: the drive (`brtools::volume::virtual_drive`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use brtools::volume::virtual_drive::{self, VirtualDrive};
use clap::Subcommand;
use serde_json::json;

use crate::said::{fail, say, say_json};

const FAILED: u8 = 1;

/// Handle a directory that stands in for a tape drive
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum TapeCommand {
    /// Make an empty drive
    Drive {
        /// Directory of the drive: tape_address in the profile
        drive: PathBuf,
        /// Directory of cartridges that follow each other when one is unloaded, as in a changer
        #[arg(long, value_name = "DIR")]
        magazine: Option<PathBuf>,
    },
    /// Make blank cartridges
    Cartridge {
        /// Directories of the cartridges
        #[arg(required = true)]
        cartridges: Vec<PathBuf>,
        /// Bytes that each holds, with K, M or G; without it as much as the disk holds
        #[arg(long, value_name = "BYTES")]
        capacity: Option<String>,
    },
    /// Put a cartridge into the drive
    Load {
        /// Directory of the drive
        drive: PathBuf,
        /// Directory of the cartridge
        cartridge: PathBuf,
    },
    /// Take the cartridge out of the drive
    Unload {
        /// Directory of the drive
        drive: PathBuf,
    },
    /// Show what is in the drive: the files of the tape with their sizes
    Show {
        /// Directory of the drive
        drive: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  backstay tape drive /tape/drive1
  backstay tape cartridge /tape/a /tape/b --capacity 100G
  backstay tape load /tape/drive1 /tape/a
  brbackup -d tape -i force -v SNDB01 -c        with tape_address = /tape/drive1
  cpio -iuvB < /tape/a/0004                     the first data file of a backup, with stock tools

Exit status: 0 done; 1 failed, and the reason was said; 2 wrong command line.";

/// Runs the command.
pub fn run(command: &TapeCommand) -> ExitCode {
    let done = match command {
        TapeCommand::Drive { drive, magazine } => make_drive(drive, magazine.as_deref()),
        TapeCommand::Cartridge {
            cartridges,
            capacity,
        } => make_cartridges(cartridges, capacity.as_deref()),
        TapeCommand::Load { drive, cartridge } => load(drive, cartridge),
        TapeCommand::Unload { drive } => unload(drive),
        TapeCommand::Show { drive, json } => show(drive, *json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, error),
    }
}

fn failed(doing: &str, path: &Path, error: &io::Error, hint: &str) -> String {
    format!("{doing} {}: {error}. HINT: {hint}", path.display())
}

fn make_drive(drive: &Path, magazine: Option<&Path>) -> Result<(), String> {
    let hint = "name a directory that does not exist yet, in one that does";
    fs::create_dir(drive).map_err(|error| failed("making drive", drive, &error, hint))?;
    if let Some(magazine) = magazine {
        let hint = "the magazine is a directory that holds the directories of cartridges";
        fs::canonicalize(magazine)
            .and_then(|magazine| std::os::unix::fs::symlink(magazine, drive.join("magazine")))
            .map_err(|error| failed("taking magazine", magazine, &error, hint))?;
    }
    say(format_args!(
        "drive {} is made; it is empty",
        drive.display()
    ));
    Ok(())
}

fn make_cartridges(cartridges: &[PathBuf], capacity: Option<&str>) -> Result<(), String> {
    if let Some(text) = capacity
        && brtools::profile::size(text).is_none_or(|bytes| bytes == 0)
    {
        return Err(format!(
            "'{text}' is no number of bytes. HINT: a number above 0, perhaps with K, M or G"
        ));
    }
    let hint = "name a directory that does not exist yet, in one that does";
    for cartridge in cartridges {
        let made = fs::create_dir(cartridge).and_then(|()| match capacity {
            Some(text) => fs::write(cartridge.join("capacity"), format!("{text}\n")),
            None => Ok(()),
        });
        made.map_err(|error| failed("making cartridge", cartridge, &error, hint))?;
        say(format_args!("cartridge {} is blank", cartridge.display()));
    }
    Ok(())
}

fn open(drive: &Path) -> Result<VirtualDrive, String> {
    let hint = "is it the directory that backstay tape drive made, and does no program use it now?";
    VirtualDrive::open(drive).map_err(|error| failed("opening drive", drive, &error, hint))
}

fn load(drive: &Path, cartridge: &Path) -> Result<(), String> {
    let hint = "name the directory of a cartridge: backstay tape cartridge makes one";
    open(drive)?
        .load(cartridge)
        .map_err(|error| failed("loading", cartridge, &error, hint))?;
    say(format_args!(
        "cartridge {} is in drive {}",
        cartridge.display(),
        drive.display()
    ));
    Ok(())
}

fn unload(drive: &Path) -> Result<(), String> {
    let opened = open(drive)?;
    opened.unload().map_err(|error| {
        failed(
            "unloading",
            drive,
            &error,
            "there must be a cartridge in the drive",
        )
    })?;
    match opened.cartridge() {
        Ok(next) => say(format_args!(
            "cartridge {} is in the drive now",
            next.display()
        )),
        Err(_) => say(format_args!("drive {} is empty", drive.display())),
    }
    Ok(())
}

fn show(drive: &Path, as_json: bool) -> Result<(), String> {
    let opened = open(drive)?;
    let hint = "backstay tape load puts a cartridge in";
    let cartridge = opened
        .cartridge()
        .map_err(|error| failed("looking into", drive, &error, hint))?;
    let position = opened.position().map_err(|error| {
        failed(
            "looking at the head of",
            drive,
            &error,
            "load the cartridge again",
        )
    })?;
    let sizes: Vec<u64> = (1..=virtual_drive::FILES_MAX)
        .map_while(|number| fs::metadata(virtual_drive::name(&cartridge, number)).ok())
        .map(|found| found.len())
        .collect();
    if as_json {
        say_json(
            &json!({ "drive": drive, "cartridge": cartridge, "position": position, "files": sizes }),
        );
        return Ok(());
    }
    say(format_args!(
        "cartridge {}, the head is at file {position}",
        cartridge.display()
    ));
    for (number, bytes) in (1..).zip(&sizes) {
        say(format_args!("{number:>6} {bytes:>16}"));
    }
    Ok(())
}
