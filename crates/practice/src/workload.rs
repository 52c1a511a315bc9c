//! The workload: sessions that commit numbered transactions and keep a ledger of what was acknowledged.
//! What lives here: starting, counting, stopping. What does not: one session's loop (session.rs), what it writes
//! (changes.rs, keys.rs), the ledger's form (ledger.rs).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oracle::scn::Scn;
use oracle::time::OracleTime;
use serde::Serialize;

use crate::content::SESSIONS_MAX;
use crate::engine::error::OraError;
use crate::ledger::book::Book;
use crate::ledger::{LedgerError, LedgerWriter};
use crate::protocol::{Answer, Client, Closer, Request};

mod agreement;
mod changes;
mod command;
mod keys;
mod pace;
mod session;

pub use command::{Outcome, run};

use agreement::agree;
use keys::Share;
use pace::Pace;
use session::Session;

/// How long [`Handle::stop`] lets a commit wait for its answer before it ends the connection.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What a workload does.
#[derive(Debug, Clone)]
pub struct Options {
    /// ORACLE_HOME of the practice database.
    pub home: PathBuf,
    /// Its SID.
    pub sid: String,
    /// The ledger; created when it is not there, else continued.
    pub ledger: PathBuf,
    /// How many sessions commit at the same time.
    pub sessions: u32,
    /// Most commits a second of all sessions together; zero is as fast as possible.
    pub rate: u32,
    /// End after this time.
    pub duration: Option<Duration>,
    /// End after so many transactions were sent.
    pub transactions: Option<u64>,
    /// Every line of the ledger is on disk before the next step: needed only where the machine may crash.
    pub sync_ledger: bool,
    /// Seed of the choice of keys and texts.
    pub seed: u64,
}

impl Options {
    /// Four sessions without limits, for the database `sid` at `home`.
    pub fn new(
        home: impl Into<PathBuf>,
        sid: impl Into<String>,
        ledger: impl Into<PathBuf>,
    ) -> Options {
        Options {
            home: home.into(),
            sid: sid.into(),
            ledger: ledger.into(),
            sessions: 4,
            rate: 0,
            duration: None,
            transactions: None,
            sync_ledger: false,
            seed: 0,
        }
    }
}

/// Why a workload cannot start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The server is not there.
    #[error("cannot reach the practice server of {sid} at {}: {source}. HINT: start the database first", home.display())]
    Connection {
        /// ORACLE_HOME.
        home: PathBuf,
        /// SID.
        sid: String,
        /// What the socket says.
        source: std::io::Error,
    },
    /// The database refuses.
    #[error("the database takes no commits: {0}. HINT: open it first")]
    Database(OraError),
    /// The database holds commits of another ledger: with two of them neither could ever be judged.
    #[error(
        "{} of this database {} not in ledger {}. HINT: go on with the ledger that has them, or create a new database for a \
         new ledger (backstay practice create)",
        in_words(*count), if *count == 1 { "is" } else { "are" }, ledger.display()
    )]
    Foreign {
        /// The ledger.
        ledger: PathBuf,
        /// How many commits it does not know.
        count: u64,
    },
    /// The database lacks commits that the ledger demands: on top of that every later verdict would be bad.
    #[error(
        "{} of ledger {} {} not in this database. HINT: after a recovery to a point in time record it first \
         (backstay practice ledger cut --help); otherwise backstay practice verify says what is lost",
        in_words(*count), ledger.display(), if *count == 1 { "is" } else { "are" }
    )]
    Lost {
        /// The ledger.
        ledger: PathBuf,
        /// How many commits are not there.
        count: u64,
    },
    /// An option makes no sense.
    #[error("{0}")]
    Options(String),
}

fn in_words(commits: u64) -> String {
    match commits {
        1 => "1 commit".to_string(),
        commits => format!("{commits} commits"),
    }
}

/// What a workload has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Commits that were acknowledged.
    pub acknowledged: u64,
    /// Rows that they changed.
    pub rows: u64,
    /// Commits without an answer.
    pub in_doubt: u64,
    /// Times that a session got a connection.
    pub connections: u64,
    /// Highest SCN of an acknowledged commit.
    pub scn: u64,
    /// Latest commit time, as an Oracle time number.
    pub time: u32,
}

/// A running workload. Dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    started: Instant,
}

/// What the sessions share.
#[derive(Debug)]
struct Shared {
    options: Options,
    ledger: LedgerWriter,
    pace: Pace,
    deadline: Option<Instant>,
    stop: AtomicBool,
    next_number: AtomicU64,
    last_number: u64,
    acknowledged: AtomicU64,
    rows: AtomicU64,
    in_doubt: AtomicU64,
    connections: AtomicU64,
    scn: AtomicU64,
    time: AtomicU64,
    lost: Mutex<Option<String>>,
    failure: Mutex<Option<WorkloadError>>,
    closers: Mutex<HashMap<u32, Closer>>,
}

/// Starts the sessions. Transaction numbers continue above the ledger's highest.
///
/// Ledger and database must agree on what was committed so far; a ledger that was made for this call is removed again
/// when they do not.
///
/// The database must be open now; later it may go away and come back. Stop the workload before a point-in-time
/// recovery and record the boundary with [`crate::ledger::cut`]: a running one would commit into the new
/// incarnation before the ledger knows of it.
pub fn start(options: Options) -> Result<Handle, WorkloadError> {
    if options.sessions == 0 || options.sessions > SESSIONS_MAX {
        return Err(WorkloadError::Options(format!(
            "{} sessions; 1 to {SESSIONS_MAX} are possible",
            options.sessions
        )));
    }
    let mut client = Client::connect(&options.home, &options.sid)
        .map_err(|source| connection(&options, source))?;
    let (keys, loaded) = capacity(&mut client, &options)?;
    let is_new = !options.ledger.exists();
    let ledger = LedgerWriter::open(&options.ledger, &options.sid, options.sync_ledger)?;
    let book = Book::read(&options.ledger, None, keys)?;
    if let Err(refused) = agree(&mut client, &options, &book) {
        if is_new {
            // What stays is a ledger without facts; the refusal matters more.
            let _ = std::fs::remove_file(&options.ledger);
        }
        return Err(refused);
    }
    let started = Instant::now();
    let shared = Arc::new(Shared {
        ledger,
        pace: Pace::new(options.rate, started),
        deadline: options.duration.map(|duration| started + duration),
        stop: AtomicBool::new(false),
        next_number: AtomicU64::new(book.highest_number + 1),
        last_number: options
            .transactions
            .map_or(u64::MAX, |count| book.highest_number.saturating_add(count)),
        acknowledged: AtomicU64::new(0),
        rows: AtomicU64::new(0),
        in_doubt: AtomicU64::new(0),
        connections: AtomicU64::new(0),
        scn: AtomicU64::new(0),
        time: AtomicU64::new(0),
        lost: Mutex::new(None),
        failure: Mutex::new(None),
        closers: Mutex::new(HashMap::new()),
        options,
    });
    let sessions = shared.options.sessions;
    let threads = (0..sessions)
        .map(|number| {
            let share = Share::new(&book, loaded, number, sessions);
            let random = fastrand::Rng::with_seed(
                shared.options.seed ^ u64::from(number) << 32 ^ book.highest_number,
            );
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                Session {
                    shared: &shared,
                    number,
                    share,
                    random,
                }
                .run()
            })
        })
        .collect();
    Ok(Handle {
        shared,
        threads,
        started,
    })
}

fn connection(options: &Options, source: std::io::Error) -> WorkloadError {
    WorkloadError::Connection {
        home: options.home.clone(),
        sid: options.sid.clone(),
        source,
    }
}

fn capacity(client: &mut Client, options: &Options) -> Result<(u64, u64), WorkloadError> {
    let connection = |source| connection(options, source);
    match client.request(&Request::Capacity).map_err(connection)? {
        Answer::Capacity { keys, loaded, .. } => Ok((keys, loaded)),
        Answer::Error(error) => Err(WorkloadError::Database(error)),
        other => Err(connection(std::io::Error::other(format!(
            "{other:?} to a question for the capacity"
        )))),
    }
}

impl Handle {
    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Why a session last lost its connection, while none has one again.
    pub fn lost(&self) -> Option<String> {
        self.shared
            .lost
            .lock()
            .expect("only strings are moved under this lock")
            .clone()
    }

    /// Whether every session has ended: limits reached, stopped, or failed.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Asks the sessions to end after the commit they are in.
    pub fn request_stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }

    /// Stops the sessions and waits for them. A commit that gets no answer within ten seconds is left in doubt.
    ///
    /// Errors: the first failure that ended a session before its time, such as a full disk under the ledger.
    pub fn stop(mut self) -> Result<Counters, WorkloadError> {
        self.join();
        match self
            .shared
            .failure
            .lock()
            .expect("a failure is stored whole")
            .take()
        {
            Some(error) => Err(error),
            None => Ok(self.counters()),
        }
    }

    fn join(&mut self) {
        self.request_stop();
        let patience = Instant::now() + STOP_GRACE;
        while !self.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        for closer in self
            .shared
            .closers
            .lock()
            .expect("no panic under this lock")
            .values()
        {
            closer.close();
        }
        for thread in self.threads.drain(..) {
            // A session that panicked has printed why; its commit is in doubt and the others are not harmed.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.join();
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The next number, None when the workload is over.
    fn next_transaction(&self) -> Option<u64> {
        if self.stopping() {
            return None;
        }
        let number = self.next_number.fetch_add(1, Ordering::SeqCst);
        (number <= self.last_number).then_some(number)
    }

    fn acknowledged(&self, rows: u64, scn: Scn, time: OracleTime) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.rows.fetch_add(rows, Ordering::SeqCst);
        self.scn.fetch_max(scn.get(), Ordering::SeqCst);
        self.time.fetch_max(u64::from(time.raw()), Ordering::SeqCst);
    }

    fn in_doubt(&self) {
        self.in_doubt.fetch_add(1, Ordering::SeqCst);
    }

    fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        *self
            .lost
            .lock()
            .expect("only strings are moved under this lock") = None;
    }

    fn disconnected(&self, why: String) {
        *self
            .lost
            .lock()
            .expect("only strings are moved under this lock") = Some(why);
    }

    fn remember_connection(&self, session: u32, closer: Closer) {
        self.closers
            .lock()
            .expect("no panic under this lock")
            .insert(session, closer);
    }

    fn forget_connection(&self, session: u32) {
        self.closers
            .lock()
            .expect("no panic under this lock")
            .remove(&session);
    }

    fn fail(&self, error: WorkloadError) {
        self.stop.store(true, Ordering::SeqCst);
        self.failure
            .lock()
            .expect("a failure is stored whole")
            .get_or_insert(error);
    }

    fn counters(&self) -> Counters {
        Counters {
            acknowledged: self.acknowledged.load(Ordering::SeqCst),
            rows: self.rows.load(Ordering::SeqCst),
            in_doubt: self.in_doubt.load(Ordering::SeqCst),
            connections: self.connections.load(Ordering::SeqCst),
            scn: self.scn.load(Ordering::SeqCst),
            time: self.time.load(Ordering::SeqCst) as u32,
        }
    }
}

#[cfg(test)]
mod tests;
