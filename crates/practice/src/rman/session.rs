//! A run of RMAN: its state, and which command does what.
//! What lives here: the loop, RUN, errors, what is said at beginning and end. What does not: any one command's work.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Child;

use oracle::time::OracleTime;

use super::channels::Channel;
use super::command::{Command, Files, Until};
use super::failure::{Failure, Outcome};
use super::feed::Feed;
use super::log::Log;
use super::numbers;
use super::parse;
use super::target::Target;
use crate::engine::Home;
use crate::engine::backup::{Description, Done, Order};
use crate::engine::control::Control;
use crate::engine::error::OraError;
use crate::engine::facts::InstanceStatus;
use crate::sqlplus::Environment;
use crate::views;

/// Deepest nesting of command files.
const SCRIPTS_MAX: usize = 20;

/// What SET has set; forgotten at the end of RUN.
#[derive(Debug, Default)]
pub(super) struct RunSettings {
    /// SET UNTIL.
    pub until: Option<Until>,
    /// SET NEWNAME, the later ones first.
    pub new_names: Vec<(Files, String)>,
    /// Files that RESTORE has put elsewhere: FILE# and path.
    pub renamed: Vec<(u32, PathBuf)>,
    /// SET CONTROLFILE AUTOBACKUP FORMAT.
    pub autobackup_format: Option<String>,
    /// A BACKUP has come to its end, so that an autobackup is due.
    pub backed_up: bool,
}

/// The state of one run.
pub(super) struct Session {
    pub log: Log,
    pub home: Home,
    /// None before CONNECT.
    pub connected: bool,
    /// None while the instance is not started.
    pub target: Option<Target>,
    pub channels: Vec<Channel>,
    /// The channels are of this session's own choice.
    pub automatic: bool,
    pub settings: RunSettings,
    pub in_run: bool,
    /// SET DBID.
    pub dbid: Option<u32>,
    /// A command has failed.
    pub failed: bool,
    /// The server process, when this run started it.
    pub server: Option<Child>,
    pub date_format: String,
    ended: bool,
    repository_said: bool,
    scripts: usize,
    stops_at_error: bool,
}

impl Session {
    pub fn new(log: Log, environment: Environment) -> Session {
        let home = environment.home.unwrap_or_default();
        let date_format = environment
            .date_format
            .filter(|mask| views::check_date_format(mask).is_ok());
        Session {
            log,
            home: Home::new(home, environment.sid.unwrap_or_default()),
            connected: false,
            target: None,
            channels: Vec::new(),
            automatic: false,
            settings: RunSettings::default(),
            in_run: false,
            dbid: None,
            failed: false,
            server: None,
            date_format: date_format.unwrap_or_else(|| views::DEFAULT_DATE_FORMAT.to_owned()),
            ended: false,
            repository_said: false,
            scripts: 0,
            stops_at_error: false,
        }
    }

    /// Runs the statements of an input until its end or EXIT; `stops_at_error` is the way of command files.
    pub fn run(&mut self, feed: &mut Feed, stops_at_error: bool) {
        self.stops_at_error = stops_at_error;
        while !self.ended {
            let Some(statement) = feed.next(&self.log) else {
                return;
            };
            let done = statement
                .and_then(|statement| match statement.tokens.is_empty() {
                    true => Ok(None),
                    false => parse::parse(&statement).map(Some),
                })
                .and_then(|command| match command {
                    Some(command) => self.execute(command, feed),
                    None => Ok(()),
                });
            if let Err(failure) = done {
                self.failed = true;
                failure.print(&self.log);
                if stops_at_error {
                    self.ended = true;
                }
            }
        }
    }

    /// What is said at the end of every run.
    pub fn say_end(&mut self) {
        self.channels.clear();
        self.log.plain("");
        self.log.plain("Recovery Manager complete.");
        self.log.flush();
    }

    /// CONNECT TARGET.
    ///
    /// # Errors
    /// RMAN-04005 with ORA-01017 for anybody but whom the operating system lets in, with ORA-12162 without a SID.
    pub fn connect(&mut self, who: &str) -> Outcome<()> {
        let words: Vec<String> = who.split_whitespace().map(str::to_uppercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let refused = |error: OraError| {
            Failure::new(4005, "error from target database: ").and_all(error.into())
        };
        match words.as_slice() {
            ["/"] | ["/", "AS", "SYSDBA" | "SYSBACKUP"] => {}
            _ => {
                return Err(refused(OraError::new(
                    1017,
                    "invalid username/password; logon denied",
                )));
            }
        }
        if self.home.sid.is_empty() || self.home.path.as_os_str().is_empty() {
            return Err(refused(OraError::new(
                12162,
                "TNS:net service name is incorrectly specified",
            )));
        }
        self.connected = true;
        self.target = Target::open(&self.home)?;
        self.greet_target()?;
        let said = match self.describe_if_started()? {
            None => (
                numbers::CONNECTED_NOT_STARTED,
                "connected to target database (not started)".to_owned(),
            ),
            Some(description) => greeting(&description),
        };
        self.log.say(said.0, said.1);
        Ok(())
    }

    /// Tells a new session the date format of the environment.
    pub fn greet_target(&mut self) -> Outcome<()> {
        let format = self.date_format.replace('\'', "''");
        if let Some(target) = &mut self.target {
            target.execute(&format!("ALTER SESSION SET NLS_DATE_FORMAT = '{format}'"))?;
        }
        Ok(())
    }

    fn describe_if_started(&mut self) -> Outcome<Option<Description>> {
        Ok(self.target.as_mut().map(Target::describe).transpose()?)
    }

    /// Says once that there is no recovery catalog.
    pub fn say_repository(&mut self) {
        if !std::mem::replace(&mut self.repository_said, true) {
            self.log.say(
                numbers::USING_CONTROL_FILE,
                "using target database control file instead of recovery catalog",
            );
        }
    }

    /// The session of a started instance.
    ///
    /// # Errors
    /// RMAN-06171 before CONNECT, ORA-01034 when the instance is idle.
    pub fn target(&mut self) -> Outcome<&mut Target> {
        if !self.connected {
            return Err(Failure::new(6171, "not connected to target database"));
        }
        let idle = || {
            OraError::new(1034, "ORACLE not available")
                .and(27101, "shared memory realm does not exist")
        };
        self.target.as_mut().ok_or_else(|| idle().into())
    }

    /// What the control file says.
    pub fn control(&mut self) -> Outcome<Control> {
        Ok(self.target()?.control()?)
    }

    /// Gives an order to RMAN's own session.
    pub fn order(&mut self, order: Order) -> Outcome<Done> {
        Ok(self.target()?.order(order)?)
    }

    /// A time as NLS_DATE_FORMAT wants it.
    pub fn time(&self, time: OracleTime) -> String {
        date_text(time, &self.date_format)
    }

    /// `Starting backup at …` and the channels.
    pub fn begin(&mut self, what: &str) -> Outcome<()> {
        let now = self.time(OracleTime::now());
        self.log.plain("");
        self.log
            .say(numbers::STARTING, format!("Starting {what} at {now}"));
        self.say_repository();
        self.want_channels()
    }

    /// `Finished backup at …`.
    pub fn finish(&mut self, what: &str) {
        let now = self.time(OracleTime::now());
        self.log
            .say(numbers::FINISHED, format!("Finished {what} at {now}"));
    }

    /// Carries out one command.
    pub fn execute(&mut self, command: Command, feed: &mut Feed) -> Outcome<()> {
        match command {
            Command::Exit => {
                self.ended = true;
                Ok(())
            }
            Command::Run(commands) => self.run_block(commands, feed),
            Command::Script(path) => self.script(&path),
            Command::Connect(who) => self.connect(&who),
            other => self.execute_one(other, feed),
        }
    }

    /// RUN: its first error ends it; what it has set and allocated is gone afterwards.
    fn run_block(&mut self, commands: Vec<Command>, feed: &mut Feed) -> Outcome<()> {
        self.in_run = true;
        let mut done = Ok(());
        for command in commands {
            done = self.execute_one(command, feed);
            if done.is_err() {
                break;
            }
        }
        if done.is_ok() && self.settings.backed_up {
            done = self.autobackup_if_configured();
        }
        self.in_run = false;
        self.release_allocated();
        self.settings = RunSettings::default();
        done
    }

    fn script(&mut self, path: &std::path::Path) -> Outcome<()> {
        let unopened = |why: String| {
            Failure::new(558, "error encountered while parsing input commands").and(
                1005,
                format!("unable to open command file \"{}\": {why}", path.display()),
            )
        };
        if self.scripts >= SCRIPTS_MAX {
            return Err(unopened("command files are nested too deep".to_owned()));
        }
        let file = File::open(path).map_err(|error| unopened(error.to_string()))?;
        let mut feed = Feed::new(
            Box::new(BufReader::new(file)),
            &path.to_string_lossy(),
            true,
        );
        self.scripts += 1;
        self.run(&mut feed, self.stops_at_error);
        self.scripts -= 1;
        Ok(())
    }

    fn execute_one(&mut self, command: Command, feed: &mut Feed) -> Outcome<()> {
        let (name, done) = match command {
            Command::Host(line) => ("host", self.host(line)),
            Command::Allocate { name, format } => ("allocate", self.allocate(&name, format)),
            Command::Release(name) => ("release", self.release(name.as_deref())),
            Command::Sql(text) => ("sql statement", self.sql(&text)),
            Command::Startup(text) => ("startup", self.startup(&text)),
            Command::Shutdown(text) => ("shutdown", self.shutdown(&text)),
            Command::Backup(backup) => ("backup", self.backup(&backup)),
            Command::Restore(restore) => ("restore", self.restore(&restore)),
            Command::Recover(recover) => ("recover", self.recover(&recover)),
            Command::RecoverCopy { files, tag } => ("recover", self.recover_copies(&files, tag)),
            Command::Switch(switch) => ("switch", self.switch(&switch)),
            Command::Set(setting) => ("set", self.set(setting)),
            Command::Configure(name, value) => ("configure", self.configure(&name, value)),
            Command::Show(name) => ("show", self.show(name.as_deref())),
            Command::Catalog(catalog) => ("catalog", self.catalog(catalog, feed)),
            Command::List(list) => ("list", self.list(&list)),
            Command::Crosscheck(selection) => ("crosscheck", self.crosscheck(&selection)),
            Command::Delete(delete) => ("delete", self.delete(&delete, feed)),
            Command::Uncatalog(selection) => ("change", self.uncatalog(&selection)),
            Command::ReportSchema => ("report", self.report_schema()),
            Command::ReportObsolete => ("report", self.report_obsolete()),
            Command::Validate(validate) => ("validate", self.validate(&validate)),
            Command::Exit | Command::Run(_) | Command::Script(_) | Command::Connect(_) => {
                ("", Ok(()))
            }
        };
        done.map_err(|failure| failure.of_command(name))
    }
}

/// A time with a mask that was checked before.
pub(super) fn date_text(time: OracleTime, mask: &str) -> String {
    views::format_time(time, mask).unwrap_or_else(|_| time.to_string())
}

fn greeting(description: &Description) -> (u32, String) {
    let name = &description.name;
    match (&description.control, description.status) {
        (Some(control), InstanceStatus::Open) => (
            numbers::CONNECTED,
            format!(
                "connected to target database: {name} (DBID={})",
                control.dbid
            ),
        ),
        (Some(control), _) => (
            numbers::CONNECTED_NOT_OPEN,
            format!(
                "connected to target database: {name} (DBID={}, not open)",
                control.dbid
            ),
        ),
        (None, _) => (
            numbers::CONNECTED_NOT_MOUNTED,
            format!("connected to target database: {name} (not mounted)"),
        ),
    }
}
