//! Cuts lines of RMAN's language into tokens.
//! What lives here: words, numbers, strings, symbols and comments, with their places. What does not: any grammar.

use super::failure::Failure;

/// Longest line, in bytes; RMAN has such a limit too.
pub(super) const LINE_BYTES_MAX: usize = 64 << 10;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a bare name, as written.
    Word(String),
    /// A string without its quotes, and the quote.
    Text(String, char),
    /// A whole number.
    Number(String),
    /// A sign.
    Symbol(char),
}

/// A token and where it stands, both counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub token: Token,
    pub line: usize,
    pub column: usize,
}

/// The lines read so far of one input.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    line: usize,
    in_comment: bool,
}

impl Lexer {
    /// The tokens of the next line.
    ///
    /// # Errors
    /// RMAN-01010-like: a string without end, or a character that begins nothing.
    pub fn line(&mut self, text: &str) -> Result<Vec<Placed>, Failure> {
        self.line += 1;
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(skipped) = self.skip(rest) {
                at += skipped;
                continue;
            }
            let column = at + 1;
            let (token, length) = read(rest).ok_or_else(|| self.unreadable(rest, column))?;
            tokens.push(Placed {
                token,
                line: self.line,
                column,
            });
            at += length;
        }
        Ok(tokens)
    }

    /// Lines read.
    pub fn lines(&self) -> usize {
        self.line
    }

    /// Bytes of blanks or comment at the beginning; None when a token stands there.
    fn skip(&mut self, rest: &str) -> Option<usize> {
        if self.in_comment {
            let end = rest.find("*/");
            self.in_comment = end.is_none();
            return Some(end.map_or(rest.len(), |end| end + 2));
        }
        if rest.starts_with("/*") {
            self.in_comment = true;
            return Some(2);
        }
        if rest.starts_with('#') || rest.starts_with("--") {
            return Some(rest.len());
        }
        let blank = rest.len() - rest.trim_start().len();
        (blank > 0).then_some(blank)
    }

    fn unreadable(&self, rest: &str, column: usize) -> Failure {
        let found = match rest.chars().next() {
            Some('\'' | '"') => "unterminated quoted string".to_owned(),
            Some(character) => format!("\"{}\"", character.escape_default()),
            None => "end-of-file".to_owned(),
        };
        Failure::new(558, "error encountered while parsing input commands")
            .and(1010, format!("syntax error: found {found}"))
            .and(1007, format!("at line {} column {column}", self.line))
    }
}

fn read(rest: &str) -> Option<(Token, usize)> {
    let first = rest.chars().next()?;
    if first == '\'' || first == '"' {
        return read_text(rest, first);
    }
    if first.is_ascii_digit() {
        let length = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let ends = !rest[length..].starts_with(is_word_character);
        if ends {
            return Some((Token::Number(rest[..length].to_owned()), length));
        }
    }
    if is_word_character(first) {
        let length = rest
            .find(|c: char| !is_word_character(c))
            .unwrap_or(rest.len());
        return Some((Token::Word(rest[..length].to_owned()), length));
    }
    "{}();,=/@-+*?:<>|"
        .contains(first)
        .then_some((Token::Symbol(first), 1))
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '#' | '.' | '%')
}

/// A string; its quote is doubled inside it.
fn read_text(rest: &str, quote: char) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let end = at + rest[at..].find(quote)?;
        text.push_str(&rest[at..end]);
        at = end + 1;
        if !rest[at..].starts_with(quote) {
            return Some((Token::Text(text, quote), at));
        }
        text.push(quote);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(lines: &str) -> Vec<Token> {
        let mut lexer = Lexer::default();
        let placed = lines.lines().flat_map(|line| lexer.line(line).unwrap());
        placed.map(|placed| placed.token).collect()
    }

    #[test]
    fn comments_vanish_and_strings_keep_what_looks_like_one() {
        let found = tokens("backup # all\n-- of\n/* this\n; */ tag 'a--#b''c' 12;");
        let word = |text: &str| Token::Word(text.into());
        let expected = vec![
            word("backup"),
            word("tag"),
            Token::Text("a--#b'c".into(), '\''),
            Token::Number("12".into()),
            Token::Symbol(';'),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn places_are_told() {
        let mut lexer = Lexer::default();
        lexer.line("run {").unwrap();
        let second = lexer.line("  bakup").unwrap();
        assert_eq!((second[0].line, second[0].column), (2, 3));
    }

    #[test]
    fn a_string_without_end_and_a_strange_sign_are_refused() {
        for line in ["tag 'x", "backup ~", "\u{1}"] {
            assert!(
                Lexer::default().line(line).unwrap_err().has("RMAN-00558"),
                "{line}"
            );
        }
        assert_eq!(tokens("größe 1a").len(), 2);
    }
}
