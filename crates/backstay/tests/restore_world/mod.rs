//! A database host for the restore script: a lost database, a restore of the store, stand-ins for `rman` and `sqlplus`.
//! What lives here: what the script finds around it. What does not: the host and the store (`data_backup_world`), tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::data_backup_world::{Host, Said, script};

/// What moves the instance and writes its files.
const RMAN: &str = include_str!("rman_stand_in.sh");
/// What tells where they are.
const SQLPLUS: &str = include_str!("sqlplus_stand_in.sh");
/// The control file of the restore, relative to it.
pub const CONTROL_FILE: &str = "control_D-SND_I-4711.ctl";
/// What the store writes into a restore.
pub const CATALOG: &str = "# recovery point 9f3a of mount testmount, 2026-11-23 15:00:00
# database SND DBID 4711
# control file: control_D-SND_I-4711.ctl
# spfile: 08spfile_1_1
CATALOG START WITH '@RESTORE_DIRECTORY@' NOPROMPT;
";

/// Where the script is.
pub fn restore_script() -> PathBuf {
    script().with_file_name("oracle_rman_restore.sh")
}

/// A host whose database is lost but for its parameter file, with restore 12 of the mount `testmount` in a directory.
pub struct Site {
    pub host: Host,
}

impl Site {
    pub fn new() -> Site {
        Site::on(Host::without_mount())
    }

    pub fn on(host: Host) -> Site {
        let host = host.with_script(&restore_script());
        let site = Site { host };
        for (name, text) in [("rman", RMAN), ("sqlplus", SQLPLUS)] {
            let program = site.host.path("home/bin").join(name);
            fs::write(&program, text).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for below in ["home/dbs", "database", "stand-in"] {
            fs::create_dir_all(site.host.path(below)).unwrap();
        }
        site.write("home/dbs/initSND.ora", "db_name=SND\n");
        site.forget_the_instance();
        site.lay_ready();
        site
    }

    /// The instance is down, and its control file knows the data files where they were.
    fn forget_the_instance(&self) {
        self.write("stand-in/state", "none\n");
        let files = ["system.dbf", "users.dbf"].map(|name| self.database(name));
        self.write("stand-in/datafiles", &(files.join("\n") + "\n"));
    }

    /// The files of the recovery point, as the store lays them ready.
    fn lay_ready(&self) {
        self.write("mount/catalog.rman", CATALOG);
        for name in [
            CONTROL_FILE,
            "08spfile_1_1",
            "07arch_1_1",
            "data_D-SND_I-4711_TS-SYSTEM_FNO-1_01abcd",
            "data_D-SND_I-4711_TS-USERS_FNO-2_02abcd",
        ] {
            self.write(&format!("mount/{name}"), "backup");
        }
    }

    /// The database as it was before it was lost, in this state.
    pub fn with_living_database(self, state: &str) -> Site {
        for name in [
            "control01.ctl",
            "control02.ctl",
            "system.dbf",
            "users.dbf",
            "redo01.log",
        ] {
            self.write(&format!("database/{name}"), "alive");
        }
        self.write("stand-in/state", &format!("{state}\n"));
        self
    }

    pub fn write(&self, below: &str, text: &str) {
        let path = self.host.path(below);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub fn read(&self, below: &str) -> String {
        let path = self.host.path(below);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn remove(&self, below: &str) {
        fs::remove_file(self.host.path(below)).unwrap();
    }

    /// A file of the database, by its path.
    pub fn database(&self, name: &str) -> String {
        self.host
            .path("database")
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    }

    pub fn restore(&self) -> PathBuf {
        self.host.mount()
    }

    /// none, started, mounted or open.
    pub fn state(&self) -> String {
        self.read("stand-in/state").trim().to_owned()
    }

    /// All that RMAN was told, in all its runs.
    pub fn commands(&self) -> String {
        fs::read_to_string(self.host.path("stand-in/commands")).unwrap_or_default()
    }

    /// Name and text of each file of the database.
    pub fn database_files(&self) -> BTreeMap<String, String> {
        texts_in(&self.host.path("database"))
    }

    /// The script with everything that it needs, in its place on the command line.
    pub fn command(&self, store: &str, options: &[&str]) -> Command {
        let mut command = self.bare_command();
        command
            .arg("--local-mount")
            .arg(self.restore())
            .args(options)
            .arg(self.host.path("log"))
            .args([store, "testmount", "12"]);
        command
    }

    pub fn bare_command(&self) -> Command {
        let mut command = self.host.bare_command();
        command.env("STAND_IN_COPIES", self.restore());
        command
    }

    /// A run that has nothing to ask a store for.
    pub fn run(&self, options: &[&str]) -> Said {
        self.run_with_rman("good", options)
    }

    /// As [`Site::run`], with an `rman` that behaves as named in `rman_stand_in.sh`.
    pub fn run_with_rman(&self, behaviour: &str, options: &[&str]) -> Said {
        let mut command = self.command("192.0.2.1", options);
        command.env("STAND_IN_RMAN", behaviour);
        Said::of(&command.output().unwrap())
    }

    /// Nothing is left of a run but its logs, and the database is gone again.
    pub fn lose_all_again(&self) {
        for below in ["log", "database"] {
            fs::remove_dir_all(self.host.path(below)).unwrap();
            fs::create_dir(self.host.path(below)).unwrap();
        }
        drop(fs::remove_file(self.host.path("stand-in/commands")));
        self.forget_the_instance();
    }

    /// The script failed with this number and reason.
    #[track_caller]
    pub fn must_fail(&self, said: &Said, number: u32, reason: &str) {
        said.must_fail_as("RRS", number, reason)
            .must_complain("HINT: ");
    }
}

fn texts_in(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}
