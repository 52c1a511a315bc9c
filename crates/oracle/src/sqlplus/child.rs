//! The living `sqlplus` child: started, spoken to, bounded in time and output, and killed with its group when it hangs.
//! What lives here: process, pipes and sentinels. What does not: the meaning of what is said.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Conversation;
use super::error::SqlplusError;
use super::message;
use super::statement::{check, shorten};

/// Statements such as BEGIN BACKUP wait for a checkpoint of the whole tablespace.
const STATEMENT_LIMIT: Duration = Duration::from_secs(600);
/// Far more than any V$ answer, far less than memory.
const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// LINESIZE is 32767 characters of at most four bytes.
const LINE_BYTES_MAX: usize = 128 << 10;
/// How much of the last output is kept for the message about a dead child.
const LAST_WORDS_BYTES: usize = 2000;
/// How long a child that was told to leave may take.
const FAREWELL_LIMIT: Duration = Duration::from_secs(5);
/// How long the rest of a dead child's output may take.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(1);
/// Lines that the reader may be ahead of us.
const LINES_AHEAD_MAX: usize = 256;

/// Sent after the logon, because `glogin.sql` runs at every CONNECT and may have set anything.
/// SQLERROR must not end the child: one conversation serves a whole run, a recovery answers with errors by design
/// (ORA-00279), and the output is scanned for errors anyway.
const SETTINGS: [&str; 8] = [
    "SET ECHO OFF TERMOUT ON FEEDBACK OFF HEADING OFF VERIFY OFF TIMING OFF TIME OFF",
    "SET PAGESIZE 0 LINESIZE 32767 WRAP ON TRIMOUT ON TRIMSPOOL ON TAB OFF",
    "SET SQLPROMPT ''",
    "SET SQLNUMBER OFF SQLBLANKLINES ON",
    "SET DEFINE OFF ESCAPE OFF",
    "SET NUMWIDTH 40 LONG 1000000 LONGCHUNKSIZE 32767",
    "WHENEVER SQLERROR CONTINUE NONE",
    "WHENEVER OSERROR CONTINUE NONE",
];

/// Variables that would send us to another database, run somebody's script or change how values are printed.
const REMOVED_VARIABLES: [&str; 12] = [
    "TWO_TASK",
    "LOCAL",
    "SQLPATH",
    "ORACLE_PATH",
    "NLS_NUMERIC_CHARACTERS",
    "NLS_TIMESTAMP_FORMAT",
    "NLS_CALENDAR",
    "NLS_DATE_LANGUAGE",
    "NLS_TERRITORY",
    "NLS_LANGUAGE",
    "NLS_SORT",
    "NLS_COMP",
];

/// How to log on. The password never reaches a command line, a Debug or a message.
#[derive(Clone, PartialEq, Eq)]
pub enum Logon {
    /// `/ as sysdba`: the operating system vouches for us.
    OperatingSystem,
    /// A user with its password, as SYSDBA.
    User {
        /// User name.
        name: String,
        /// Password.
        password: String,
    },
}

impl fmt::Display for Logon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Logon::OperatingSystem => f.write_str("/ as sysdba"),
            Logon::User { name, .. } => write!(f, "{name}/*** as sysdba"),
        }
    }
}

impl fmt::Debug for Logon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Logon {
    fn command(&self) -> Result<String, SqlplusError> {
        let Logon::User { name, password } = self else {
            return Ok("connect / as sysdba".to_owned());
        };
        let harmless =
            |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control() || c == '"');
        if !harmless(password) || !harmless(name) || name.contains(['/', ' ', '@']) {
            return Err(SqlplusError::Unsendable {
                statement: format!("connect {self}"),
                why: "user or password holds a character that cannot be quoted",
            });
        }
        Ok(format!("connect {name}/\"{password}\" as sysdba"))
    }
}

/// What a conversation needs to begin.
#[derive(Debug, Clone)]
pub struct SqlplusBuilder {
    program: PathBuf,
    oracle_home: PathBuf,
    oracle_sid: String,
    logon: Logon,
    statement_limit: Duration,
    output_bytes_max: usize,
}

impl SqlplusBuilder {
    /// `sqlplus` of this home for this instance: `<home>/bin/sqlplus` where it exists, else the one on PATH.
    pub fn new(oracle_home: &Path, oracle_sid: &str) -> SqlplusBuilder {
        let own = oracle_home.join("bin/sqlplus");
        SqlplusBuilder {
            program: if own.exists() {
                own
            } else {
                PathBuf::from("sqlplus")
            },
            oracle_home: oracle_home.to_owned(),
            oracle_sid: oracle_sid.to_owned(),
            logon: Logon::OperatingSystem,
            statement_limit: STATEMENT_LIMIT,
            output_bytes_max: OUTPUT_BYTES_MAX,
        }
    }

    /// Another program than the home's.
    #[must_use]
    pub fn program(mut self, program: &Path) -> SqlplusBuilder {
        self.program = program.to_owned();
        self
    }

    /// Another logon than the operating system's.
    #[must_use]
    pub fn logon(mut self, logon: Logon) -> SqlplusBuilder {
        self.logon = logon;
        self
    }

    /// How long a statement may take unless its caller says otherwise.
    #[must_use]
    pub fn statement_limit(mut self, limit: Duration) -> SqlplusBuilder {
        self.statement_limit = limit;
        self
    }

    /// How many bytes one answer may have.
    #[must_use]
    pub fn output_bytes_max(mut self, bytes: usize) -> SqlplusBuilder {
        self.output_bytes_max = bytes;
        self
    }

    /// Starts the child, logs on and sets what makes its output readable.
    pub fn connect(&self) -> Result<Sqlplus, SqlplusError> {
        let command = self.logon.command()?;
        let mut session = Sqlplus::spawn(self)?;
        let greeting = session.exchange(
            &command,
            &format!("connect {}", self.logon),
            self.statement_limit,
        )?;
        session.idle = greeting
            .iter()
            .any(|line| line.contains("Connected to an idle instance"));
        let messages = message::scan(&greeting);
        if !messages.is_empty() {
            return Err(SqlplusError::Logon {
                logon: self.logon.to_string(),
                messages,
            });
        }
        for setting in SETTINGS {
            let answer = session.exchange(setting, setting, self.statement_limit)?;
            let messages = message::scan(&answer);
            if !messages.is_empty() {
                return Err(SqlplusError::Oracle {
                    statement: setting.to_owned(),
                    messages,
                });
            }
        }
        Ok(session)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["-S", "-L", "/nolog"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for variable in REMOVED_VARIABLES {
            command.env_remove(variable);
        }
        command
            .env("ORACLE_HOME", &self.oracle_home)
            .env("ORACLE_SID", &self.oracle_sid)
            .env("NLS_LANG", "AMERICAN_AMERICA.AL32UTF8")
            .env("NLS_DATE_FORMAT", "YYYY-MM-DD HH24:MI:SS");
        command
    }
}

/// A logged-on child. Dropping it says EXIT, waits a little and then kills its process group.
pub struct Sqlplus {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Heard>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    readers: Vec<JoinHandle<()>>,
    statement_limit: Duration,
    output_bytes_max: usize,
    idle: bool,
    reaped: bool,
    last_words: VecDeque<u8>,
    exchanges: u64,
}

impl fmt::Debug for Sqlplus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlplus")
            .field("pid", &self.child.id())
            .field("open", &self.stdin.is_some())
            .finish_non_exhaustive()
    }
}

/// What the reader thread passes on.
enum Heard {
    Line(Vec<u8>),
    /// A line without an end, longer than any that we ask for.
    EndlessLine,
}

impl Sqlplus {
    /// Whether the logon met an instance that is not started.
    pub fn connected_to_idle_instance(&self) -> bool {
        self.idle
    }

    fn spawn(builder: &SqlplusBuilder) -> Result<Sqlplus, SqlplusError> {
        let mut child = builder
            .command()
            .spawn()
            .map_err(|source| SqlplusError::Start {
                program: builder.program.clone(),
                source,
            })?;
        let (sender, lines) = sync_channel(LINES_AHEAD_MAX);
        let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
        let stderr = child.stderr.take().expect("stderr was asked to be a pipe");
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let heard = Arc::clone(&complaints);
        let readers = vec![
            std::thread::spawn(move || read_lines(stdout, &sender)),
            std::thread::spawn(move || read_tail(stderr, &heard)),
        ];
        Ok(Sqlplus {
            stdin: child.stdin.take(),
            child,
            lines,
            stderr: complaints,
            readers,
            statement_limit: builder.statement_limit,
            output_bytes_max: builder.output_bytes_max,
            idle: false,
            reaped: false,
            last_words: VecDeque::new(),
            exchanges: 0,
        })
    }

    /// Sends `typed` between sentinels; `shown` is what messages say was sent.
    fn exchange(
        &mut self,
        typed: &str,
        shown: &str,
        limit: Duration,
    ) -> Result<Vec<String>, SqlplusError> {
        let deadline = Instant::now() + limit;
        let nonce = self.next_nonce();
        let (begin, end) = (format!("##BEGIN {nonce}"), format!("##END {nonce}"));
        self.send(&format!("PROMPT {begin}\n{typed}\nPROMPT {end}\n"), shown)?;
        let mut answer = Vec::new();
        let mut bytes = 0;
        let mut begun = false;
        loop {
            let line = self.next_line(deadline, limit, shown)?;
            bytes += line.len() + 1;
            if bytes > self.output_bytes_max {
                return Err(self.give_up(SqlplusError::TooMuchOutput {
                    statement: shorten(shown),
                    limit_bytes: self.output_bytes_max,
                }));
            }
            let text = decode(line, shown)?;
            if is_sentinel(&text, &begin) {
                begun = true; // Twice, where the command is echoed before it is obeyed.
            } else if begun && is_sentinel(&text, &end) {
                return Ok(answer);
            } else if begun {
                answer.push(text);
            } // Else it is a banner, a login script's noise or the rest of an older answer.
        }
    }

    fn send(&mut self, text: &str, shown: &str) -> Result<(), SqlplusError> {
        let Some(stdin) = self.stdin.as_mut() else {
            return Err(SqlplusError::Closed {
                statement: shorten(shown),
            });
        };
        let written = stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush());
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Err(self.report_death(shown))
            }
            Err(source) => Err(self.give_up(SqlplusError::Pipe {
                doing: "sending a statement",
                source,
            })),
        }
    }

    fn next_line(
        &mut self,
        deadline: Instant,
        limit: Duration,
        shown: &str,
    ) -> Result<Vec<u8>, SqlplusError> {
        let wait = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(wait) {
            Ok(Heard::Line(line)) => {
                remember(&mut self.last_words, &line);
                remember(&mut self.last_words, b"\n");
                Ok(line)
            }
            Ok(Heard::EndlessLine) => Err(self.give_up(SqlplusError::TooMuchOutput {
                statement: shorten(shown),
                limit_bytes: LINE_BYTES_MAX,
            })),
            Err(RecvTimeoutError::Timeout) => Err(self.give_up(SqlplusError::Timeout {
                statement: shorten(shown),
                limit,
            })),
            Err(RecvTimeoutError::Disconnected) => Err(self.report_death(shown)),
        }
    }

    /// The child has closed its output: say how it ended.
    fn report_death(&mut self, shown: &str) -> SqlplusError {
        self.stdin = None;
        while let Ok(heard) = self.lines.try_recv() {
            if let Heard::Line(line) = heard {
                remember(&mut self.last_words, &line);
                remember(&mut self.last_words, b"\n");
            }
        }
        let status = self.wait_or_kill(FAREWELL_LIMIT);
        // Its last complaint may still be in the pipe; a grandchild that holds the pipe open is not waited for long.
        let deadline = Instant::now() + LAST_WORDS_LIMIT;
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut words: Vec<u8> = self.last_words.iter().copied().collect();
        if let Ok(stderr) = self.stderr.lock() {
            words.extend(stderr.iter());
        }
        let last_words = String::from_utf8_lossy(&words)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        SqlplusError::Died {
            statement: shorten(shown),
            status: status.map_or_else(|| "unknown status".to_owned(), describe),
            last_words: if last_words.is_empty() {
                "(none)".to_owned()
            } else {
                last_words
            },
        }
    }

    /// Ends the child for good and hands the error through.
    fn give_up(&mut self, error: SqlplusError) -> SqlplusError {
        self.stdin = None;
        self.kill_group();
        error
    }

    /// Kills the child and what it started. Only before the child is reaped: until then its number cannot be reused.
    fn kill_group(&mut self) {
        if self.reaped {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // Failure means that the group is gone already, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // Reaped, so that no zombie stays; a status is of no interest after a kill.
        let _ = self.child.wait();
        self.reaped = true;
    }

    fn wait_or_kill(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.reaped = true;
                    return Some(status);
                }
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Ok(None) | Err(_) => {
                    self.kill_group();
                    return None;
                }
            }
        }
    }

    /// Unpredictable, so that no value in the database and no echo of an older statement can end an answer.
    fn next_nonce(&mut self) -> String {
        self.exchanges += 1;
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(self.exchanges);
        format!("{:016x}.{}", hasher.finish(), self.exchanges)
    }
}

impl Conversation for Sqlplus {
    fn converse(&mut self, statement: &str, limit: Duration) -> Result<Vec<String>, SqlplusError> {
        let bare = check(statement)?;
        self.exchange(&format!("{bare};"), bare, limit)
    }

    fn statement_limit(&self) -> Duration {
        self.statement_limit
    }

    fn process_id(&self) -> Option<u32> {
        Some(self.child.id())
    }
}

impl Drop for Sqlplus {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            // A child that does not listen any more is killed below.
            let _ = stdin.write_all(b"EXIT\n");
        }
        while self.lines.try_recv().is_ok() {}
        self.wait_or_kill(FAREWELL_LIMIT);
        // A grandchild may hold the pipes open: the readers then end with it, and nobody waits for them here.
        self.readers.clear();
    }
}

/// The sentinel ends the line; a prompt or another remnant may stand before it.
fn is_sentinel(line: &str, sentinel: &str) -> bool {
    line.trim_end().ends_with(sentinel)
}

/// Names of files are bytes, but we ask for UTF-8; anything else would be changed silently, so it is refused.
fn decode(line: Vec<u8>, shown: &str) -> Result<String, SqlplusError> {
    String::from_utf8(line).map_err(|error| SqlplusError::Garbled {
        statement: shorten(shown),
        why: "a line is not UTF-8".to_owned(),
        line: String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn remember(tail: &mut VecDeque<u8>, bytes: &[u8]) {
    tail.extend(bytes);
    let excess = tail.len().saturating_sub(LAST_WORDS_BYTES);
    tail.drain(..excess);
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

fn read_lines(mut source: impl Read, sender: &SyncSender<Heard>) {
    let mut line: Vec<u8> = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break, // The same as the end of the output; the missing sentinel tells.
        };
        for &byte in &buffer[..count] {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if sender.send(Heard::Line(std::mem::take(&mut line))).is_err() {
                return;
            }
        }
        if line.len() > LINE_BYTES_MAX {
            // Whether somebody still listens makes no difference: this reader ends here.
            let _ = sender.send(Heard::EndlessLine);
            return;
        }
    }
    if !line.is_empty() {
        // As above.
        let _ = sender.send(Heard::Line(line));
    }
}

fn read_tail(mut source: impl Read, tail: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(count) = source.read(&mut buffer) {
        if count == 0 {
            return;
        }
        if let Ok(mut tail) = tail.lock() {
            remember(&mut tail, &buffer[..count]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_lead_to_another_database_are_taken_away() {
        let command = SqlplusBuilder::new(Path::new("/oracle/SND"), "SND").command();
        let removed = |name: &str| {
            command
                .get_envs()
                .any(|(known, value)| known == name && value.is_none())
        };
        assert!(removed("TWO_TASK") && removed("SQLPATH") && removed("NLS_NUMERIC_CHARACTERS"));
    }

    #[test]
    fn the_program_of_the_home_is_preferred() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(
            SqlplusBuilder::new(home.path(), "SND").program,
            Path::new("sqlplus")
        );
        std::fs::create_dir(home.path().join("bin")).unwrap();
        std::fs::write(home.path().join("bin/sqlplus"), "").unwrap();
        assert_eq!(
            SqlplusBuilder::new(home.path(), "SND").program,
            home.path().join("bin/sqlplus")
        );
    }
}
