//! RECOVER with its question for the next log.
//! What lives here: the prompt and its replies. What does not: recovering (`engine`).

use super::connection::Failure;
use super::session::Session;
use crate::engine::error::OraError;
use crate::protocol::Outcome;

const QUESTION: &str = "Specify log: {<RET>=suggested | filename | AUTO | CANCEL}";

/// What the operator answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Suggested,
    Auto,
    Cancel,
    Log(String),
}

fn reply(line: Option<String>) -> Reply {
    // No more input: nobody is there to name a log.
    let Some(line) = line else {
        return Reply::Cancel;
    };
    match line.trim() {
        "" => Reply::Suggested,
        word if word.eq_ignore_ascii_case("AUTO") => Reply::Auto,
        word if word.eq_ignore_ascii_case("CANCEL") => Reply::Cancel,
        name => Reply::Log(name.trim_matches(['\'', '"']).to_owned()),
    }
}

impl Session {
    /// RECOVER, as it was typed, and everything until it is over.
    pub(super) fn recover(&mut self, text: &str) -> Result<(), Failure> {
        let mut outcome = self.connection.execute(text)?;
        let mut automatic = self.settings.auto_recovery;
        loop {
            let Some(needed) = outcome.recovery_prompt.take() else {
                outcome
                    .messages
                    .iter()
                    .for_each(|line| self.console.line(line));
                return Ok(());
            };
            self.console.text(&needed.to_string());
            self.console.line("");
            self.console.line("");
            outcome = if automatic {
                self.apply_suggested()?
            } else {
                self.apply_reply(&mut automatic)?
            };
        }
    }

    /// Asks until a reply can be followed.
    fn apply_reply(&mut self, automatic: &mut bool) -> Result<Outcome, Failure> {
        loop {
            self.console.line(QUESTION);
            let reply = reply(self.console.ask(""));
            let statement = match &reply {
                Reply::Suggested => "RECOVER CONTINUE DEFAULT".to_owned(),
                Reply::Auto => {
                    *automatic = true;
                    return self.apply_suggested();
                }
                Reply::Cancel => return self.connection.execute("RECOVER CANCEL"),
                Reply::Log(name) => format!("RECOVER LOGFILE '{}'", name.replace('\'', "''")),
            };
            match self.connection.execute(&statement) {
                // A log that is not there or not the right one leaves the recovery waiting.
                Err(Failure::Oracle(error)) if asks_again(&error) => {
                    self.console.text(&error.to_string());
                    self.console.line("");
                    self.console.line("");
                }
                Ok(outcome) => {
                    self.console.line("Log applied.");
                    return Ok(outcome);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Takes the suggested log; when it is not there, nobody can be asked and the recovery ends.
    fn apply_suggested(&mut self) -> Result<Outcome, Failure> {
        match self.connection.execute("RECOVER CONTINUE DEFAULT") {
            Ok(outcome) => {
                self.console.line("Log applied.");
                Ok(outcome)
            }
            Err(Failure::Oracle(error)) if asks_again(&error) => {
                self.console.text(&error.to_string());
                match self.connection.execute("RECOVER CANCEL") {
                    Ok(_) => Err(Failure::Oracle(OraError::new(
                        283,
                        "recovery session canceled due to errors",
                    ))),
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Whether the recovery still waits for a log after this error.
fn asks_again(error: &OraError) -> bool {
    [308, 309, 310, 325, 326, 328, 334]
        .iter()
        .any(|code| error.code() == *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_as_sqlplus_reads_them() {
        let read = |line: &str| reply(Some(line.into()));
        assert_eq!(read(""), Reply::Suggested);
        assert_eq!(read(" auto "), Reply::Auto);
        assert_eq!(read("Cancel"), Reply::Cancel);
        assert_eq!(read("'/a/1.dbf'"), Reply::Log("/a/1.dbf".into()));
        assert_eq!(reply(None), Reply::Cancel);
    }
}
