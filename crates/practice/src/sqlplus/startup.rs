//! STARTUP and SHUTDOWN: the client starts the server process and sees it end.
//! What lives here: the steps and the waiting. What does not: spawning (`server::launch`), the server's life.

use super::connection::{Connection, Failure};
use super::session::Session;
use crate::engine::error::{OraError, OraResult};
use crate::server::launch::start;
use crate::statement::StartTarget;

impl Session {
    /// STARTUP. Errors are printed; the last one is given back.
    pub(super) fn startup(&mut self, force: bool, target: StartTarget) -> Result<(), OraError> {
        if matches!(self.connection, Connection::None) {
            return Err(OraError::new(1031, "insufficient privileges"));
        }
        match Connection::open(&self.home)? {
            Connection::Up(client) if force => {
                let mut running = Connection::Up(client);
                if let Err(Failure::Oracle(error)) = running.execute("SHUTDOWN ABORT") {
                    return Err(error);
                }
                running.wait_for_end();
            }
            Connection::Up(_) => {
                return Err(OraError::new(
                    1081,
                    "cannot start already-running ORACLE - shut it down first",
                ));
            }
            _ => {}
        }
        let (client, server) = start(&self.home, false)?;
        self.connection = Connection::Up(client);
        self.server = Some(server);
        self.greet_session();
        self.console.line("ORACLE instance started.");
        self.print_lines("SHOW SGA")?;
        if target >= StartTarget::Mount {
            self.silently("ALTER DATABASE MOUNT")?;
            self.console.line("Database mounted.");
        }
        if target >= StartTarget::Open {
            self.silently("ALTER DATABASE OPEN")?;
            self.console.line("Database opened.");
        }
        Ok(())
    }

    /// SHUTDOWN, as it was typed.
    pub(super) fn shutdown(&mut self, text: &str) -> Result<(), Failure> {
        let outcome = self.connection.execute(text)?;
        self.connection.wait_for_end();
        if let Some(mut server) = self.server.take() {
            // Our own child, which is ending: collected so that no zombie keeps its process id.
            let _ = server.wait();
        }
        outcome
            .messages
            .iter()
            .for_each(|line| self.console.line(line));
        Ok(())
    }

    fn print_lines(&mut self, text: &str) -> OraResult<()> {
        let outcome = self.request(text)?;
        outcome
            .messages
            .iter()
            .for_each(|line| self.console.line(line));
        Ok(())
    }

    fn silently(&mut self, text: &str) -> OraResult<()> {
        self.console.flush();
        self.request(text).map(|_| ())
    }
}
