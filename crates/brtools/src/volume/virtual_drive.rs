//! A directory that stands in for a tape drive: the same files at the same positions, for small sites and for tests.
//! What lives here: its form and its rules. What does not: real drives.
//!
//! ```text
//! DRIVE/                 `tape_address` and `tape_address_rew`
//!   cartridge            a symbolic link to the cartridge that is loaded; none: the drive is empty
//!   position             number of the file at the head, the first is 1; the drive keeps it, as a real one does
//!   magazine             optional, a symbolic link to a directory of cartridges: what is unloaded makes room for the next
//! CARTRIDGE/
//!   0001, 0002, …        the files of the tape, byte for byte as a real tape would hold them
//!   capacity             optional: bytes that it holds, all files together
//!   write-protected      optional: its being there is the tab of the cartridge
//! ```
//!
//! Writing a file drops all behind it, as on a tape. After a crash the last file may be short, as on a tape.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::durable;

/// Largest number of files on a cartridge: four digits name them.
pub const FILES_MAX: u32 = 9999;

/// An open drive, which nobody else can open meanwhile.
#[derive(Debug)]
pub struct VirtualDrive {
    directory: PathBuf,
    /// Holds the lock.
    _open: File,
}

impl VirtualDrive {
    /// Opens the drive. EBUSY: another program has it.
    pub fn open(directory: &Path) -> io::Result<VirtualDrive> {
        let open = File::open(directory)?;
        flock(&open, FlockOperation::NonBlockingLockExclusive).map_err(|errno| match errno {
            Errno::WOULDBLOCK => Errno::BUSY,
            other => other,
        })?;
        Ok(VirtualDrive {
            directory: directory.to_owned(),
            _open: open,
        })
    }

    /// The cartridge in it. ENOMEDIUM: none.
    pub fn cartridge(&self) -> io::Result<PathBuf> {
        let cartridge = self.directory.join("cartridge");
        match fs::metadata(&cartridge) {
            Ok(found) if found.is_dir() => fs::canonicalize(&cartridge),
            Ok(_) => Err(Errno::NOTDIR.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Errno::NOMEDIUM.into()),
            Err(error) => Err(error),
        }
    }

    /// Number of the file at the head.
    pub fn position(&self) -> io::Result<u32> {
        match fs::read_to_string(self.directory.join("position")) {
            Ok(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|number| (1..=FILES_MAX + 1).contains(number))
                .ok_or_else(|| {
                    io::Error::other(
                        "the file 'position' of the drive is damaged: load the cartridge again",
                    )
                }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(1),
            Err(error) => Err(error),
        }
    }

    /// Brings the head to a file. The end of what was written can be passed by nothing.
    pub fn seek(&self, file: u32) -> io::Result<()> {
        let last = last_file(&self.cartridge()?)?;
        if file == 0 || file > last + 1 {
            return Err(Errno::IO.into()); // What a drive says at the end of the data.
        }
        self.note_position(file)
    }

    fn note_position(&self, file: u32) -> io::Result<()> {
        durable::replace(
            &self.directory.join("position"),
            format!("{file}\n").as_bytes(),
        )
    }

    /// Puts a cartridge in. What was in the drive is back on its shelf.
    pub fn load(&self, cartridge: &Path) -> io::Result<()> {
        let cartridge = fs::canonicalize(cartridge)?;
        if !cartridge.is_dir() {
            return Err(Errno::NOTDIR.into());
        }
        let link = self.directory.join("cartridge");
        let new = durable::beside(&link, "new");
        // What a crash has left.
        drop(fs::remove_file(&new));
        std::os::unix::fs::symlink(&cartridge, &new)?;
        durable::publish(&new, &link)?;
        self.note_position(1)
    }

    /// Takes the cartridge out; a magazine puts the next one in, until all were in.
    pub fn unload(&self) -> io::Result<()> {
        let current = self.cartridge()?;
        durable::remove(&self.directory.join("cartridge"))?;
        self.note_position(1)?;
        let Ok(magazine) = fs::canonicalize(self.directory.join("magazine")) else {
            return Ok(());
        };
        let mut cartridges: Vec<PathBuf> = fs::read_dir(magazine)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir())
            .collect();
        cartridges.sort();
        // Whatever way the names lead: which cartridge it is decides.
        let is_current = |path: &PathBuf| durable::is_same_file(path, &current);
        let behind = cartridges
            .iter()
            .position(is_current)
            .map_or(0, |index| index + 1);
        match cartridges.get(behind) {
            Some(next) => self.load(next),
            None => Ok(()),
        }
    }

    /// Begins to write a file at the head.
    pub fn write(&self) -> io::Result<VirtualWriter<'_>> {
        let cartridge = self.cartridge()?;
        if cartridge.join("write-protected").exists() {
            return Err(Errno::ROFS.into());
        }
        let number = self.position()?;
        if number > FILES_MAX {
            return Err(Errno::NOSPC.into());
        }
        for behind in (number..=last_file(&cartridge)?).rev() {
            fs::remove_file(name(&cartridge, behind))?;
        }
        durable::sync_directory(&cartridge)?;
        let room = match capacity(&cartridge)? {
            None => u64::MAX,
            Some(capacity) => capacity.saturating_sub(bytes_written(&cartridge)?),
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(name(&cartridge, number))?;
        Ok(VirtualWriter {
            drive: self,
            cartridge,
            file,
            number,
            room,
            marked: false,
        })
    }

    /// Opens the file at the head; the head is then behind it. EIO: there is none.
    pub fn read(&self) -> io::Result<File> {
        let (cartridge, number) = (self.cartridge()?, self.position()?);
        let file = File::open(name(&cartridge, number)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Errno::IO.into(),
            _ => error,
        })?;
        self.note_position(number + 1)?;
        Ok(file)
    }
}

/// A file that is being written. Dropped early it is short, as on a tape, and ends with a mark all the same.
#[derive(Debug)]
pub struct VirtualWriter<'a> {
    drive: &'a VirtualDrive,
    cartridge: PathBuf,
    file: File,
    number: u32,
    room: u64,
    marked: bool,
}

impl VirtualWriter<'_> {
    /// Ends the file: it is on disk, and the head is behind it.
    pub fn finish(mut self) -> io::Result<()> {
        self.mark()
    }

    fn mark(&mut self) -> io::Result<()> {
        self.marked = true;
        self.file.sync_all()?;
        durable::sync_directory(&self.cartridge)?;
        self.drive.note_position(self.number + 1)
    }
}

impl Write for VirtualWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let count = usize::try_from(self.room).map_or(bytes.len(), |room| room.min(bytes.len()));
        if count == 0 {
            return Err(Errno::NOSPC.into());
        }
        let written = self.file.write(&bytes[..count])?;
        self.room -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for VirtualWriter<'_> {
    fn drop(&mut self) {
        if !self.marked {
            // The error that brought us here is the one to report.
            let _ = self.mark();
        }
    }
}

/// Where a file of a cartridge lies.
pub fn name(cartridge: &Path, number: u32) -> PathBuf {
    cartridge.join(format!("{number:04}"))
}

fn last_file(cartridge: &Path) -> io::Result<u32> {
    let mut last = 0;
    while last < FILES_MAX && name(cartridge, last + 1).exists() {
        last += 1;
    }
    fs::metadata(cartridge)?;
    Ok(last)
}

fn bytes_written(cartridge: &Path) -> io::Result<u64> {
    (1..=last_file(cartridge)?)
        .map(|number| fs::metadata(name(cartridge, number)).map(|found| found.len()))
        .sum()
}

fn capacity(cartridge: &Path) -> io::Result<Option<u64>> {
    match crate::bounded::read_text(&cartridge.join("capacity"), 64) {
        Ok(text) => crate::profile::size(text.trim()).map(Some).ok_or_else(|| {
            io::Error::other(format!(
                "{} says '{}', which is no number of bytes",
                cartridge.join("capacity").display(),
                text.trim()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    struct Site {
        directory: tempfile::TempDir,
    }

    impl Site {
        fn new() -> (Site, VirtualDrive) {
            let site = Site {
                directory: tempfile::tempdir().unwrap(),
            };
            for name in ["drive", "a", "b"] {
                fs::create_dir(site.path(name)).unwrap();
            }
            let drive = VirtualDrive::open(&site.path("drive")).unwrap();
            drive.load(&site.path("a")).unwrap();
            (site, drive)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }
    }

    fn write(drive: &VirtualDrive, content: &[u8]) -> io::Result<()> {
        let mut writer = drive.write()?;
        writer.write_all(content)?;
        writer.finish()
    }

    fn read(drive: &VirtualDrive) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        drive.read()?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn errno(result: io::Result<impl std::fmt::Debug>) -> i32 {
        result.unwrap_err().raw_os_error().unwrap()
    }

    #[test]
    fn files_come_back_from_their_positions() {
        let (_site, drive) = Site::new();
        for content in [b"label".as_slice(), b"one", b"", b"three"] {
            write(&drive, content).unwrap();
        }
        assert_eq!(errno(drive.read()), Errno::IO.raw_os_error());
        drive.seek(4).unwrap();
        assert_eq!(read(&drive).unwrap(), b"three");
        drive.seek(2).unwrap();
        assert_eq!(read(&drive).unwrap(), b"one");
        assert_eq!(errno(drive.seek(6)), Errno::IO.raw_os_error());
    }

    #[test]
    fn writing_drops_what_was_behind() {
        let (_site, drive) = Site::new();
        for content in [b"1", b"2", b"3"] {
            write(&drive, content).unwrap();
        }
        drive.seek(2).unwrap();
        write(&drive, b"new").unwrap();
        assert_eq!(errno(drive.seek(4)), Errno::IO.raw_os_error());
        drive.seek(2).unwrap();
        assert_eq!(read(&drive).unwrap(), b"new");
    }

    #[test]
    fn a_full_a_protected_and_a_missing_cartridge_say_so() {
        let (site, drive) = Site::new();
        fs::write(site.path("a/capacity"), "10\n").unwrap();
        write(&drive, b"1234567").unwrap();
        assert_eq!(errno(write(&drive, b"89abc")), Errno::NOSPC.raw_os_error());
        assert_eq!(fs::read(site.path("a/0002")).unwrap(), b"89a");
        assert_eq!(drive.position().unwrap(), 3);
        fs::write(site.path("a/write-protected"), "").unwrap();
        assert_eq!(errno(drive.write()), Errno::ROFS.raw_os_error());
        drive.unload().unwrap();
        assert_eq!(errno(drive.write()), Errno::NOMEDIUM.raw_os_error());
    }

    #[test]
    fn a_magazine_loads_the_next_cartridge() {
        let (site, drive) = Site::new();
        std::os::unix::fs::symlink(site.directory.path(), site.path("drive/magazine")).unwrap();
        drive.unload().unwrap();
        assert!(drive.cartridge().unwrap().ends_with("b"));
        write(&drive, b"x").unwrap();
        assert!(site.path("b/0001").exists());
    }

    #[test]
    fn one_program_at_a_time_has_the_drive() {
        let (site, drive) = Site::new();
        let second = VirtualDrive::open(&site.path("drive"));
        assert_eq!(errno(second), Errno::BUSY.raw_os_error());
        drop(drive);
        VirtualDrive::open(&site.path("drive")).unwrap();
    }
}
