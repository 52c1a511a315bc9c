//! What travels on the instance's socket: one JSON document a line, one request, its answers.
//! What lives here: the messages and the client. What does not: who acts on them.

use serde::{Deserialize, Serialize};

use crate::engine::backup::{Done, Order};
use crate::engine::error::OraError;

mod client;

pub use client::{Client, Closer};

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// Row key, below the capacity that [`Answer::Capacity`] tells.
    pub key: u64,
    /// New text, printable ASCII, at most [`crate::content::PAYLOAD_BYTES_MAX`] bytes; None deletes the row.
    pub text: Option<String>,
}

/// A request of a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// A statement of SQL or SQL*Plus that the server executes.
    Execute(String),
    /// A numbered transaction, applied whole; answered after its redo is on disk.
    Commit {
        /// Transaction number, chosen by the client, unique and above zero.
        number: u64,
        /// Session number of the workload.
        session: u32,
        /// Rows it changes, 1 to 64.
        changes: Vec<RowChange>,
    },
    /// Every row ever written, in key order, then [`Answer::End`].
    Scan,
    /// Every session's counters, then [`Answer::End`]: what was committed since the creation, without a look at the rows.
    Sessions,
    /// How many row keys there are and how many rows the database was created with.
    Capacity,
    /// An order of one of RMAN's channels. Closing the connection ends it.
    Rman(Box<Order>),
}

/// An answer of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// A statement's result.
    Done(Outcome),
    /// Oracle's error stack.
    Error(OraError),
    /// The transaction is on disk.
    Committed {
        /// Its commit SCN.
        scn: u64,
        /// Its commit time: an Oracle time number (oracle::time::OracleTime::raw).
        time: u32,
    },
    /// One row found by a scan.
    Row(ScannedRow),
    /// One session's counters found by a scan.
    Session(ScannedSession),
    /// Something the scan could not read or that contradicts itself.
    Damage {
        /// File number and block.
        file: u32,
        /// Block number.
        block: u32,
        /// What is wrong, in one sentence.
        what: String,
    },
    /// What came of an order of RMAN's.
    Rman(Box<Done>),
    /// The scan is over.
    End,
    /// Answer to [`Request::Capacity`].
    Capacity {
        /// Keys are 0..keys.
        keys: u64,
        /// Keys 0..loaded existed at creation, with [`crate::content::initial_text`].
        loaded: u64,
        /// Seed of the initial content.
        seed: u64,
    },
}

/// What a statement gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Column names of a query, empty for other statements.
    pub columns: Vec<String>,
    /// Whether each column is a number (right-aligned, as sqlplus does).
    pub numeric: Vec<bool>,
    /// Characters that each column's type allows, by which sqlplus lays out its table; zero where values decide.
    #[serde(default)]
    pub widths: Vec<u32>,
    /// Rows of a query; None is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Lines to print as they are, for example `Database mounted.`
    pub messages: Vec<String>,
    /// Feedback, for example `Tablespace altered.`; printed unless SET FEEDBACK OFF.
    pub feedback: Option<String>,
    /// Set when media recovery waits for a log: what to show before the `Specify log:` prompt.
    pub recovery_prompt: Option<OraError>,
}

/// A row as a scan sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedRow {
    /// Row key.
    pub key: u64,
    /// Transaction that wrote it last; zero is the initial load.
    pub transaction: u64,
    /// SCN of that transaction.
    pub scn: u64,
    /// Whether the row is deleted.
    pub deleted: bool,
    /// CRC-32 of its text; zero when deleted.
    pub hash: u32,
    /// Why row, index entry and block do not agree, when they do not.
    pub damage: Option<String>,
}

/// A session's row in the dictionary and in the transaction table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedSession {
    /// Session number.
    pub session: u32,
    /// Number of its last transaction.
    pub last_transaction: u64,
    /// How many transactions it committed, counted in SYSTEM.
    pub committed: u64,
    /// The same, counted in PSAPROLL; differs only when files disagree.
    pub committed_rollback: u64,
    /// SCN of its last transaction.
    pub scn: u64,
}
