//! Where statements come from: standard input or a command file, line by line.
//! What lives here: prompts, the echo, and where a statement ends. What does not: what statements mean.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use super::failure::Failure;
use super::lexer::{LINE_BYTES_MAX, Lexer, Placed, Token};
use super::log::Log;

/// Most tokens of one statement.
const TOKENS_MAX: usize = 10_000;

/// A source of statements.
pub(super) struct Feed {
    input: Box<dyn BufRead>,
    /// What messages call it.
    name: String,
    /// Lines are shown as they are read.
    echo: bool,
    lexer: Lexer,
    pending: VecDeque<Placed>,
    ended: bool,
}

/// The tokens of one statement, without the `;` at its end.
#[derive(Debug)]
pub(super) struct Statement {
    pub tokens: Vec<Placed>,
    /// The input it stands in.
    pub input: String,
    /// Line and column behind its last token.
    pub end: (usize, usize),
}

impl Feed {
    pub fn new(input: Box<dyn BufRead>, name: &str, echo: bool) -> Feed {
        Feed {
            input,
            name: name.to_owned(),
            echo,
            lexer: Lexer::default(),
            pending: VecDeque::new(),
            ended: false,
        }
    }

    /// The next statement; None at the end of the input.
    pub fn next(&mut self, log: &Log) -> Option<Result<Statement, Failure>> {
        let mut tokens = Vec::new();
        let (mut depth, mut lines) = (0usize, 0);
        loop {
            while let Some(placed) = self.pending.pop_front() {
                let end = (placed.line, placed.column + 1);
                match placed.token {
                    Token::Symbol('{') => depth += 1,
                    Token::Symbol('}') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                let closes = placed.token == Token::Symbol('}') && depth == 0;
                let ends = placed.token == Token::Symbol(';') && depth == 0;
                if !ends {
                    tokens.push(placed);
                }
                // A `;` behind the brace of RUN is a statement of its own that says nothing.
                if closes || ends && !tokens.is_empty() {
                    return Some(Ok(self.statement(tokens, end, log)));
                }
                if tokens.len() > TOKENS_MAX {
                    return Some(Err(Failure::new(
                        558,
                        "error encountered while parsing input commands",
                    )
                    .and(1010, "syntax error: the command is too long")));
                }
            }
            if ends_with_its_line(&tokens) {
                let end = (self.lexer.lines(), 1);
                return Some(Ok(self.statement(tokens, end, log)));
            }
            match self.read_line(lines, log) {
                Some(Ok(line)) => match self.lexer.line(&line) {
                    Ok(found) => self.pending.extend(found),
                    Err(failure) => return Some(Err(failure)),
                },
                Some(Err(failure)) => return Some(Err(failure)),
                None if tokens.is_empty() => return None,
                // What is cut off is a syntax error, which the parser words.
                None => {
                    let end = (self.lexer.lines() + 1, 1);
                    return Some(Ok(self.statement(tokens, end, log)));
                }
            }
            lines += 1;
        }
    }

    fn statement(&self, tokens: Vec<Placed>, end: (usize, usize), log: &Log) -> Statement {
        if !self.echo {
            log.plain("");
        }
        Statement {
            tokens,
            input: self.name.clone(),
            end,
        }
    }

    /// The next line, after a prompt that counts the lines of the statement.
    fn read_line(&mut self, lines: usize, log: &Log) -> Option<Result<String, Failure>> {
        if self.ended {
            return None;
        }
        let prompt = match lines {
            0 => "RMAN> ".to_owned(),
            _ => format!("{}> ", lines + 1),
        };
        if lines == 0 {
            log.plain("");
        }
        log.part(&prompt);
        let line = self.take_line();
        match &line {
            Some(Ok(line)) if self.echo => log.plain(line),
            Some(_) => {}
            None => {
                self.ended = true;
                log.plain("");
            }
        }
        line
    }

    /// A line as an answer to a question.
    pub fn answer(&mut self) -> Option<String> {
        self.take_line()?.ok()
    }

    fn take_line(&mut self) -> Option<Result<String, Failure>> {
        let mut line = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut line);
        if read.is_err() || line.is_empty() {
            return None;
        }
        if line.len() > LINE_BYTES_MAX {
            let text = format!("syntax error: a line of more than {LINE_BYTES_MAX} bytes");
            self.ended = true;
            return Some(Err(Failure::new(
                558,
                "error encountered while parsing input commands",
            )
            .and(1010, text)));
        }
        let text = String::from_utf8_lossy(&line);
        Some(Ok(text.trim_end_matches(['\n', '\r']).to_owned()))
    }
}

/// EXIT, QUIT, CONNECT and `@file` need no `;`.
fn ends_with_its_line(tokens: &[Placed]) -> bool {
    match tokens.first().map(|placed| &placed.token) {
        Some(Token::Word(word)) => ["exit", "quit", "connect"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known)),
        Some(Token::Symbol(symbol)) => *symbol == '@',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn statements(text: &str) -> Vec<usize> {
        let log = Log::new(Box::new(std::io::sink()), false);
        let input = Cursor::new(text.as_bytes().to_vec());
        let mut feed = Feed::new(Box::new(input), "standard input", false);
        std::iter::from_fn(|| feed.next(&log))
            .map(|statement| statement.unwrap().tokens.len())
            .collect()
    }

    #[test]
    fn statements_end_with_a_semicolon_a_closing_brace_or_their_line() {
        assert_eq!(
            statements("report\nschema;list backup; exit\nx y z;"),
            [2, 2, 1, 3]
        );
        assert_eq!(statements("run {\nbackup database;\n};;\nexit"), [6, 1]);
        assert_eq!(statements("@file\nexit;"), [2, 1]);
        assert_eq!(
            statements("backup database"),
            [2],
            "what is cut off is a statement too"
        );
        assert_eq!(statements("\n# nothing\n"), [0; 0]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let log = Log::new(Box::new(std::io::sink()), false);
        let input = std::io::BufReader::new(std::io::repeat(b'x'));
        let mut feed = Feed::new(Box::new(input), "standard input", false);
        assert!(feed.next(&log).unwrap().is_err());
        assert!(feed.next(&log).is_none());
    }
}
