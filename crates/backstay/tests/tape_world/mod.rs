//! A practice database with a virtual drive, as the tests of tapes use it.
//! What lives here: drive, cartridges, profile. What does not: tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::brbackup_world::{Said, World};

/// The article's profile, with the drive in place of its devices.
const PROFILE: &str = "backup_mode = all
backup_type = online
backup_dev_type = tape
compress = hardware
archive_function = save_delete
tape_copy_cmd = cpio
cpio_flags = -ovB
cpio_in_flags = -iuvB
volume_backup = (SNDB01, SNDB02, SNDB03)
volume_archive = (SNDA01, SNDA02)
expir_period = 30
";

pub struct Site {
    pub world: World,
    pub profile: String,
}

impl Site {
    /// A drive with a blank cartridge `a`; `b` and `c` lie beside it. `lines` go to the profile.
    pub fn new(lines: &str) -> Site {
        let world = World::open();
        let site = Site {
            profile: String::new(),
            world,
        };
        site.tape(&["drive", site.text("drive").as_str()]);
        for name in ["a", "b", "c"] {
            site.tape(&["cartridge", site.text(name).as_str()]);
        }
        site.load("a");
        let drive = site.text("drive");
        let lines = format!("{PROFILE}tape_address = {drive}\n{lines}");
        let profile = site.world.profile_with("initTAPE.sap", &lines);
        Site { profile, ..site }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn tape(&self, arguments: &[&str]) {
        let output = Command::new(env!("CARGO_BIN_EXE_backstay"))
            .arg("tape")
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub fn load(&self, cartridge: &str) {
        self.tape(&["load", &self.text("drive"), &self.text(cartridge)]);
    }

    /// Loads a cartridge and labels it.
    pub fn label(&self, cartridge: &str, volume: &str) {
        self.load(cartridge);
        self.run("brbackup", &["-i", "force", "-v", volume, "-c"])
            .must_end_with(1);
    }

    pub fn run(&self, tool: &str, arguments: &[&str]) -> Said {
        let arguments = [&["-p", self.profile.as_str()], arguments].concat();
        self.world.tool(tool, &arguments)
    }

    /// As [`Site::run`], with the messages of release 4.0B.
    pub fn run_as_40b(&self, tool: &str, arguments: &[&str]) -> Said {
        let arguments = [&["-p", self.profile.as_str()], arguments].concat();
        self.world
            .tool_with(tool, &arguments, &[("BACKSTAY_LOG_FORM", "4.0B")])
    }

    /// Restores a file of a tape with the stock tool, and gives its bytes.
    pub fn cpio(&self, cartridge: &str, position: u32, name: &str) -> Vec<u8> {
        let directory = self.path("cpio");
        fs::create_dir_all(&directory).unwrap();
        let tape = fs::File::open(self.path(cartridge).join(format!("{position:04}"))).unwrap();
        let output = Command::new("cpio")
            .arg("-iuvB")
            .current_dir(&directory)
            .stdin(Stdio::from(tape))
            .output()
            .unwrap();
        must_succeed(&output);
        fs::read(directory.join(name)).unwrap_or_else(|error| {
            panic!(
                "{name}: {error}; cpio said {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Original, name and position of each file that a run saved.
    pub fn saved(said: &Said) -> Vec<(PathBuf, String, String)> {
        let mut original = PathBuf::new();
        let mut saved = Vec::new();
        for line in said.text.lines() {
            if let Some(path) = line
                .strip_prefix("#FILE..... ")
                .or(line.strip_prefix("#ARCHIVE.. "))
            {
                original = Path::new(path).to_owned();
            } else if let Some(value) = line.strip_prefix("#SAVED.... ") {
                let (name, place) = value.rsplit_once(' ').unwrap();
                saved.push((original.clone(), name.to_owned(), place.to_owned()));
            }
        }
        saved
    }
}

pub fn must_succeed(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
