//! What can go wrong in a conversation, said so that the caller knows whose fault it is.
//! What lives here: the error type. What does not: how the failures are noticed.

use std::path::PathBuf;
use std::time::Duration;

use super::message::OracleMessages;

/// A failed conversation or a failed statement. After any variant but [`SqlplusError::Oracle`],
/// [`SqlplusError::Unsendable`] and [`SqlplusError::Garbled`] the conversation is over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlplusError {
    /// The program could not be started.
    #[error(
        "sqlplus could not be started as {program}. HINT: check ORACLE_HOME, PATH and the execute permission"
    )]
    Start {
        /// What was to be executed.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The logon was refused.
    #[error(
        "logon {logon} was refused: {messages}. HINT: is the user in the group of SYSDBA, are ORACLE_HOME and ORACLE_SID the right ones?"
    )]
    Logon {
        /// The logon without its password.
        logon: String,
        /// Oracle's reasons.
        messages: OracleMessages,
    },
    /// Oracle or SQL*Plus refused the statement. The conversation goes on.
    #[error("'{statement}' failed: {messages}")]
    Oracle {
        /// The statement, shortened.
        statement: String,
        /// Every error line of the answer.
        messages: OracleMessages,
    },
    /// No answer in time. The child and what it started were killed.
    #[error("'{statement}' gave no answer within {} s; sqlplus was killed. HINT: see the alert log: a full archive destination or a lock makes statements wait", limit.as_secs())]
    Timeout {
        /// The statement, shortened.
        statement: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The child ended before the answer did.
    #[error(
        "sqlplus ended ({status}) before it had answered '{statement}'; its last words: {last_words}"
    )]
    Died {
        /// The statement, shortened.
        statement: String,
        /// Exit status or signal, in words.
        status: String,
        /// The end of what it wrote, standard error included.
        last_words: String,
    },
    /// More output than a sane answer has. The child was killed.
    #[error(
        "the answer to '{statement}' is longer than {limit_bytes} bytes; sqlplus was killed. HINT: run sqlplus by hand and see what glogin.sql prints"
    )]
    TooMuchOutput {
        /// The statement, shortened.
        statement: String,
        /// The bound that was passed.
        limit_bytes: usize,
    },
    /// The answer is complete but cannot be what was asked for.
    #[error(
        "the answer to '{statement}' cannot be understood: {why}: {line:?}. HINT: run sqlplus by hand and see what glogin.sql prints"
    )]
    Garbled {
        /// The statement, shortened.
        statement: String,
        /// What is wrong.
        why: String,
        /// The line it is about.
        line: String,
    },
    /// The statement cannot be sent through SQL*Plus as it is.
    #[error("'{statement}' cannot be sent through sqlplus: {why}")]
    Unsendable {
        /// The statement, shortened.
        statement: String,
        /// What SQL*Plus would make of it.
        why: &'static str,
    },
    /// The conversation had ended before, for a reason that was reported then.
    #[error("the conversation with sqlplus has ended; '{statement}' was not sent")]
    Closed {
        /// The statement, shortened.
        statement: String,
    },
    /// A pipe to the child failed.
    #[error("the pipe to sqlplus failed while {doing}")]
    Pipe {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SqlplusError {
    /// Whether Oracle's answer holds this `ORA-` number.
    pub fn has_oracle_code(&self, code: u32) -> bool {
        self.messages()
            .is_some_and(|messages| messages.has_oracle_code(code))
    }

    /// Oracle's own lines, where there are any.
    pub fn messages(&self) -> Option<&OracleMessages> {
        match self {
            SqlplusError::Oracle { messages, .. } | SqlplusError::Logon { messages, .. } => {
                Some(messages)
            }
            _ => None,
        }
    }

    /// The same failure, said of the statement as its author wrote it.
    #[must_use]
    pub(super) fn about(mut self, shown: &str) -> SqlplusError {
        match &mut self {
            SqlplusError::Oracle { statement, .. }
            | SqlplusError::Timeout { statement, .. }
            | SqlplusError::Died { statement, .. }
            | SqlplusError::TooMuchOutput { statement, .. }
            | SqlplusError::Garbled { statement, .. }
            | SqlplusError::Unsendable { statement, .. }
            | SqlplusError::Closed { statement } => *statement = shown.to_owned(),
            SqlplusError::Start { .. } | SqlplusError::Logon { .. } | SqlplusError::Pipe { .. } => {
            }
        }
        self
    }

    /// Whether another statement can be sent on the same conversation.
    pub fn leaves_the_conversation_open(&self) -> bool {
        matches!(
            self,
            SqlplusError::Oracle { .. }
                | SqlplusError::Unsendable { .. }
                | SqlplusError::Garbled { .. }
        )
    }
}
