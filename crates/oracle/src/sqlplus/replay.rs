//! A conversation played from a transcript, for tests of those who talk.
//! What lives here: the player. What does not: transcripts.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Conversation, SqlplusError, statement};

/// Answers statements from a list, in order, and refuses any other statement.
#[derive(Debug, Default)]
pub struct Replay {
    expected: VecDeque<(String, Answer)>,
    sent: Vec<String>,
}

#[derive(Debug)]
enum Answer {
    Lines(Vec<String>),
    Silence,
    Death,
}

impl Replay {
    /// A conversation in which nothing is expected yet.
    pub fn new() -> Replay {
        Replay::default()
    }

    /// The next statement must contain `part` (compared without regard to case and spacing) and is answered by the lines of `answer`.
    #[must_use]
    pub fn on(self, part: &str, answer: &str) -> Replay {
        self.with(
            part,
            Answer::Lines(answer.lines().map(str::to_owned).collect()),
        )
    }

    /// The next statement must contain `part` and is never answered.
    #[must_use]
    pub fn on_silence(self, part: &str) -> Replay {
        self.with(part, Answer::Silence)
    }

    /// The next statement must contain `part`, and the child dies of it.
    #[must_use]
    pub fn on_death(self, part: &str) -> Replay {
        self.with(part, Answer::Death)
    }

    /// The statements that were sent so far, each on one line.
    pub fn sent(&self) -> &[String] {
        &self.sent
    }

    /// Whether every expected statement has come.
    pub fn is_done(&self) -> bool {
        self.expected.is_empty()
    }

    fn with(mut self, part: &str, answer: Answer) -> Replay {
        self.expected.push_back((normal(part), answer));
        self
    }
}

impl Conversation for Replay {
    fn converse(&mut self, text: &str, limit: Duration) -> Result<Vec<String>, SqlplusError> {
        let bare = statement::check(text)?;
        let flat = bare.split_whitespace().collect::<Vec<_>>().join(" ");
        self.sent.push(flat);
        let statement = statement::shorten(bare);
        match self.expected.pop_front() {
            Some((part, answer)) if normal(bare).contains(&part) => match answer {
                Answer::Lines(lines) => Ok(lines),
                Answer::Silence => Err(SqlplusError::Timeout { statement, limit }),
                Answer::Death => Err(SqlplusError::Died {
                    statement,
                    status: "signal 9".into(),
                    last_words: String::new(),
                }),
            },
            Some((part, _)) => panic!("expected a statement with '{part}', got '{statement}'"),
            None => panic!("nothing more was expected, got '{statement}'"),
        }
    }

    fn statement_limit(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn normal(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_ascii_lowercase()
}
