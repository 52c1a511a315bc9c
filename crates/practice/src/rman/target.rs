//! The ties to the target database: RMAN's own session, and those of its channels.
//! What lives here: connecting, statements, orders. What does not: starting an instance (`instance`).

use std::io::ErrorKind;

use super::failure::{Failure, Outcome};
use crate::engine::Home;
use crate::engine::backup::{Description, Done, Order};
use crate::engine::control::Control;
use crate::engine::error::OraError;
use crate::protocol::{self, Answer, Client, Request};

/// One session of the server.
pub(super) struct Target {
    client: Client,
}

impl Target {
    /// Connects to the instance of a home; None when it is not started.
    pub fn open(home: &Home) -> Outcome<Option<Target>> {
        match Client::connect(&home.path, &home.sid) {
            Ok(client) => Ok(Some(Target { client })),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(OraError::new(12547, format!("TNS:lost contact: {error}")).into()),
        }
    }

    /// The session of a server that has just been started.
    pub fn of(client: Client) -> Target {
        Target { client }
    }

    /// Executes a statement.
    pub fn execute(&mut self, text: &str) -> Result<protocol::Outcome, OraError> {
        match self.request(&Request::Execute(text.to_owned()))? {
            Answer::Done(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives an order.
    pub fn order(&mut self, order: Order) -> Result<Done, OraError> {
        match self.request(&Request::Rman(Box::new(order)))? {
            Answer::Rman(done) => Ok(*done),
            other => Err(unexpected(&other)),
        }
    }

    /// What the instance and its control file say.
    pub fn describe(&mut self) -> Result<Description, OraError> {
        match self.order(Order::Describe)? {
            Done::Described(description) => Ok(*description),
            other => Err(OraError::new(3106, format!("unexpected answer: {other:?}"))),
        }
    }

    /// What the control file says.
    ///
    /// # Errors
    /// ORA-01507 before MOUNT.
    pub fn control(&mut self) -> Result<Control, OraError> {
        let description = self.describe()?;
        description
            .control
            .ok_or_else(|| OraError::new(1507, "database not mounted"))
    }

    /// Waits for the end of the server after its last answer.
    pub fn wait_for_end(mut self) {
        while self.client.receive().is_ok() {}
    }

    fn request(&mut self, request: &Request) -> Result<Answer, OraError> {
        match self.client.request(request) {
            Ok(Answer::Error(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(_) => Err(OraError::new(3113, "end-of-file on communication channel")),
        }
    }
}

fn unexpected(answer: &Answer) -> OraError {
    OraError::new(
        3106,
        format!("fatal two-task communication protocol error: {answer:?}"),
    )
}

/// Whether an error says that the session is lost.
pub(super) fn is_lost(failure: &Failure) -> bool {
    failure.has("ORA-03113")
}
