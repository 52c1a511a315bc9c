//! One session of the workload: a thread that commits, notes what it is told, and outlives the server.
//! What lives here: the loop and its way back to a database that went away. What does not: starting and stopping it.

use std::time::{Duration, Instant};

use oracle::scn::Scn;
use oracle::time::OracleTime;

use super::Shared;
use super::changes::{changes, transaction};
use super::keys::Share;
use crate::ledger::{Fact, LedgerError};
use crate::protocol::{Answer, Client, Request, RowChange};

/// Longest sleep between two looks at the stop signal.
const NAP: Duration = Duration::from_millis(20);

/// Why a session is without a connection.
enum Lost {
    /// It shall stop.
    Stopped,
    /// The database went away; it will come back.
    Gone(String),
    /// The ledger cannot be written: without it no commit may be sent.
    Ledger(LedgerError),
}

impl From<LedgerError> for Lost {
    fn from(error: LedgerError) -> Lost {
        Lost::Ledger(error)
    }
}

/// The state of a session.
pub(super) struct Session<'a> {
    pub shared: &'a Shared,
    pub number: u32,
    pub share: Share,
    pub random: fastrand::Rng,
}

impl Session<'_> {
    /// Commits until it is told to stop. A database that went away is waited for.
    pub fn run(&mut self) {
        while !self.shared.stopping() {
            let lost = match self.connect() {
                Ok(mut client) => self.commit_until_lost(&mut client),
                Err(why) => Lost::Gone(why),
            };
            self.shared.forget_connection(self.number);
            match lost {
                Lost::Stopped => return,
                Lost::Gone(why) => self.shared.disconnected(why),
                Lost::Ledger(error) => return self.shared.fail(error.into()),
            }
            self.nap(NAP);
        }
    }

    /// Connects to a database that is open for commits.
    fn connect(&self) -> Result<Client, String> {
        let options = &self.shared.options;
        let mut client =
            Client::connect(&options.home, &options.sid).map_err(|error| error.to_string())?;
        let closer = client.closer().map_err(|error| error.to_string())?;
        self.shared.remember_connection(self.number, closer);
        if self.shared.stopping() {
            return Err("stopping".to_string());
        }
        match client.request(&Request::Capacity) {
            Ok(Answer::Capacity { .. }) => {
                self.shared.connected();
                Ok(client)
            }
            Ok(Answer::Error(error)) => Err(error.to_string()),
            Ok(other) => Err(format!("{other:?} to a question for the capacity")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn commit_until_lost(&mut self, client: &mut Client) -> Lost {
        loop {
            let wait = self.shared.pace.wait(Instant::now());
            self.nap(wait);
            let Some(number) = self.shared.next_transaction() else {
                return Lost::Stopped;
            };
            let changes = changes(&self.share, number, &mut self.random);
            if changes.is_empty() {
                return Lost::Stopped;
            }
            if let Err(lost) = self.commit(client, number, changes) {
                return lost;
            }
        }
    }

    /// Sends one commit, its intent before it and its acknowledgement after it in the ledger.
    fn commit(
        &mut self,
        client: &mut Client,
        number: u64,
        changes: Vec<RowChange>,
    ) -> Result<(), Lost> {
        let transaction = transaction(number, self.number, &changes);
        let rows = changes.len() as u64;
        let ledger = &self.shared.ledger;
        ledger.append(&Fact::Intent(transaction.clone()))?;
        let request = Request::Commit {
            number,
            session: self.number,
            changes,
        };
        let why = match client.request(&request) {
            Ok(Answer::Committed { scn, time }) => {
                let (scn, time) = (Scn::new(scn), OracleTime::from_raw(time));
                for row in &transaction.rows {
                    self.share.set_live(row.key, row.hash.is_some());
                }
                ledger.append(&Fact::Acknowledged {
                    transaction,
                    scn,
                    time,
                })?;
                self.shared.acknowledged(rows, scn, time);
                return Ok(());
            }
            Ok(Answer::Error(error)) => error.to_string(),
            Ok(other) => format!("{other:?} to a commit"),
            Err(error) => error.to_string(),
        };
        // Even an error message does not prove that nothing was committed: ORA-01092 comes while redo is on its way.
        for row in &transaction.rows {
            self.share.avoid(row.key);
        }
        self.shared.in_doubt();
        Err(Lost::Gone(why))
    }

    fn nap(&self, wait: Duration) {
        let end = Instant::now() + wait;
        while !self.shared.stopping() {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            std::thread::sleep(rest.min(NAP));
        }
    }
}
