//! STARTUP, SHUTDOWN, SQL and HOST.
//! What lives here: RMAN's way with the instance. What does not: the server process (`server`).

use std::process::Command as Process;

use super::failure::{Failure, Outcome};
use super::numbers;
use super::session::Session;
use super::target::Target;
use crate::engine::error::OraError;
use crate::server::launch;
use crate::statement::{self, StartTarget, Statement};

impl Session {
    /// STARTUP [FORCE] [NOMOUNT | MOUNT].
    pub(super) fn startup(&mut self, text: &str) -> Outcome<()> {
        if !self.connected {
            return Err(Failure::new(6171, "not connected to target database"));
        }
        let (force, goal) = match statement::parse(text) {
            Ok(Statement::Startup { force, target }) => (force, target),
            Ok(_) => return Err(OraError::new(900, "invalid SQL statement").into()),
            Err(refusal) => return Err(refusal.into_oracle().into()),
        };
        self.close_channels();
        // Somebody else may have started or stopped it since.
        self.target = Target::open(&self.home)?;
        if self.target.is_some() && force {
            self.shutdown("SHUTDOWN ABORT")?;
        }
        if self.target.is_none() {
            let lost = goal == StartTarget::NoMount && !self.home.parameter_file().exists();
            if lost {
                self.say_parameters_lost();
            }
            let (client, server) = launch::start(&self.home, lost)?;
            self.target = Some(Target::of(client));
            self.server = Some(server);
            self.greet_target()?;
            self.log.plain("");
            self.log
                .say(numbers::INSTANCE_STARTED, "Oracle instance started");
        } else if goal == StartTarget::NoMount {
            return Err(Failure::from(OraError::new(
                1081,
                "cannot start already-running ORACLE - shut it down first",
            )));
        }
        self.bring_up(goal)?;
        let sizes = self.target()?.execute("SHOW SGA")?;
        sizes.messages.iter().for_each(|line| self.log.plain(line));
        Ok(())
    }

    /// Without its parameter file an instance can still restore it.
    fn say_parameters_lost(&self) {
        let file = self.home.parameter_file();
        self.log.plain("");
        self.log.say(
            numbers::OBJECTS,
            "startup failed: ORA-01078: failure in processing system parameters",
        );
        self.log.say(
            numbers::OBJECTS,
            format!(
                "LRM-00109: could not open parameter file '{}'",
                file.display()
            ),
        );
        self.log.plain("");
        self.log.say(
            numbers::OBJECTS,
            "starting Oracle instance without parameter file for retrieval of spfile",
        );
    }

    /// Mounts and opens as far as wanted, from where the instance stands.
    fn bring_up(&mut self, goal: StartTarget) -> Outcome<()> {
        let mounted = self.target()?.describe()?.control.is_some();
        if goal >= StartTarget::Mount && !mounted {
            self.target()?.execute("ALTER DATABASE MOUNT")?;
            self.log.say(numbers::DATABASE_MOUNTED, "database mounted");
        }
        if goal >= StartTarget::Open {
            self.target()?.execute("ALTER DATABASE OPEN")?;
            self.log.say(numbers::DATABASE_OPENED, "database opened");
        }
        Ok(())
    }

    /// SHUTDOWN, as it was typed.
    pub(super) fn shutdown(&mut self, text: &str) -> Outcome<()> {
        self.close_channels();
        let outcome = self.target()?.execute(text)?;
        if let Some(target) = self.target.take() {
            target.wait_for_end();
        }
        if let Some(mut server) = self.server.take() {
            // Our own child, which is ending: collected so that no zombie keeps its process id.
            let _ = server.wait();
        }
        self.log.plain("");
        for line in outcome.messages {
            match line.as_str() {
                "Database closed." => self.log.say(numbers::DATABASE_CLOSED, "database closed"),
                "Database dismounted." => self
                    .log
                    .say(numbers::DATABASE_DISMOUNTED, "database dismounted"),
                "ORACLE instance shut down." => self
                    .log
                    .say(numbers::INSTANCE_SHUT_DOWN, "Oracle instance shut down"),
                _ => {}
            }
        }
        Ok(())
    }

    /// SQL 'statement', or ALTER … as it was typed.
    pub(super) fn sql(&mut self, text: &str) -> Outcome<()> {
        let text = text.trim().trim_end_matches(';');
        let parsed =
            statement::parse(text).map_err(|refusal| Failure::from(refusal.into_oracle()))?;
        if matches!(
            parsed,
            Statement::Query(_) | Statement::Startup { .. } | Statement::Shutdown(_)
        ) {
            return Err(OraError::new(900, "invalid SQL statement").into());
        }
        self.say_repository();
        let done = self.target()?.execute(text);
        let said = match &parsed {
            Statement::Mount => (numbers::DATABASE_MOUNTED, "database mounted".to_owned()),
            Statement::Open(_) => (numbers::DATABASE_OPENED, "database opened".to_owned()),
            _ => (numbers::SQL_STATEMENT, format!("sql statement: {text}")),
        };
        if let Err(error) = done {
            return Err(Failure::from(error));
        }
        self.log.plain("");
        self.log.say(said.0, said.1);
        Ok(())
    }

    /// HOST 'command'.
    pub(super) fn host(&mut self, line: Option<String>) -> Outcome<()> {
        let Some(line) = line else {
            return Err(Failure::new(
                6135,
                "error executing host command: name a command, HOST 'command'",
            ));
        };
        self.log.flush();
        let output = Process::new("/bin/sh").arg("-c").arg(&line).output();
        let output = output.map_err(|error| {
            Failure::new(6135, format!("error executing host command: {error}"))
        })?;
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&stream);
            text.lines().for_each(|line| self.log.plain(line));
        }
        if !output.status.success() {
            let status = output.status.code().unwrap_or(-1);
            return Err(Failure::new(
                6135,
                "error executing host command: Additional information: ",
            )
            .and(6136, format!("the command ended with status {status}")));
        }
        self.log
            .say(numbers::HOST_COMPLETE, "host command complete");
        Ok(())
    }
}
