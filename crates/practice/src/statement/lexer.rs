//! Cuts a statement into words, names, literals and symbols, and walks over them.
//! What lives here: tokens and the cursor. What does not: any grammar.

use crate::engine::error::{OraError, OraResult};

/// Longest identifier, in bytes (12.2 and later).
const IDENTIFIER_BYTES_MAX: usize = 128;

/// Symbols, longest first so that `<=` is not read as `<` and `=`.
const SYMBOLS: [&str; 22] = [
    "||", "<>", "!=", "^=", "<=", ">=", "=>", "(", ")", ",", ".", ";", "*", "/", "+", "-", "=",
    "<", ">", ":", "@", "?",
];

/// One token of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An unquoted name or keyword, in upper case.
    Word(String),
    /// A name in double quotes, as written.
    Quoted(String),
    /// A string literal without its quotes.
    Text(String),
    /// A number literal as written.
    Number(String),
    /// An operator or a punctuation mark.
    Symbol(&'static str),
}

/// A statement's tokens and how far they have been read.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    source: &'a str,
    tokens: Vec<Placed>,
    position: usize,
}

#[derive(Debug, Clone)]
struct Placed {
    token: Token,
    start: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Cuts `source` into tokens; comments disappear.
    ///
    /// # Errors
    /// ORA-01756, ORA-01740, ORA-01741, ORA-00972 and ORA-00911 for text that no statement can contain.
    pub fn new(source: &'a str) -> OraResult<Cursor<'a>> {
        let mut tokens = Vec::new();
        let mut offset = 0;
        while let Some(start) = skip_blanks(source, offset) {
            let (token, length) = read_token(&source[start..])?;
            offset = start + length;
            tokens.push(Placed {
                token,
                start,
                end: offset,
            });
        }
        Ok(Cursor {
            source,
            tokens,
            position: 0,
        })
    }

    /// The next token, without taking it.
    pub fn peek(&self) -> Option<&Token> {
        self.peek_at(0)
    }

    /// The token `ahead` places after the next one.
    pub fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens
            .get(self.position + ahead)
            .map(|placed| &placed.token)
    }

    /// Takes the next token.
    pub fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.position += usize::from(token.is_some());
        token
    }

    /// Whether everything has been read.
    pub fn at_end(&self) -> bool {
        self.position >= self.tokens.len()
    }

    /// Whether the next token is this keyword.
    pub fn sees(&self, keyword: &str) -> bool {
        self.sees_at(0, keyword)
    }

    /// Whether the token `ahead` places after the next one is this keyword.
    pub fn sees_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Word(word)) if word == keyword)
    }

    /// Whether the next token is this symbol.
    pub fn sees_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol)
    }

    /// Takes the next tokens if they are these keywords, all of them or none.
    pub fn accept(&mut self, keywords: &[&str]) -> bool {
        let found = keywords
            .iter()
            .enumerate()
            .all(|(ahead, keyword)| self.sees_at(ahead, keyword));
        if found {
            self.position += keywords.len();
        }
        found
    }

    /// Takes the next token if it is this symbol.
    pub fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.sees_symbol(symbol);
        self.position += usize::from(found);
        found
    }

    /// Takes the next token if it is a string literal.
    pub fn accept_text(&mut self) -> Option<String> {
        match self.peek() {
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.position += 1;
                Some(text)
            }
            _ => None,
        }
    }

    /// Takes the next token if it is a whole number.
    pub fn accept_whole_number(&mut self) -> Option<u64> {
        match self.peek() {
            Some(Token::Number(number)) => {
                let value = number.parse().ok()?;
                self.position += 1;
                Some(value)
            }
            _ => None,
        }
    }

    /// Takes the next token if it is a name, quoted or not.
    pub fn accept_name(&mut self) -> Option<String> {
        match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                let name = name.clone();
                self.position += 1;
                Some(name)
            }
            _ => None,
        }
    }

    /// The number of tokens read so far, for [`Cursor::text_since`].
    pub fn mark(&self) -> usize {
        self.position
    }

    /// The source text of the tokens read since `mark`.
    pub fn text_since(&self, mark: usize) -> &'a str {
        match (
            self.tokens.get(mark),
            self.position
                .checked_sub(1)
                .and_then(|last| self.tokens.get(last)),
        ) {
            (Some(first), Some(last)) if first.start < last.end => {
                &self.source[first.start..last.end]
            }
            _ => "",
        }
    }

    /// Succeeds when nothing is left.
    ///
    /// # Errors
    /// ORA-00933 otherwise.
    pub fn end(&self) -> OraResult<()> {
        if self.at_end() {
            return Ok(());
        }
        match self.peek() {
            Some(Token::Symbol(";")) => Err(OraError::new(911, "invalid character")),
            _ => Err(OraError::new(933, "SQL command not properly ended")),
        }
    }
}

/// The offset of the next byte that is neither blank nor comment.
fn skip_blanks(source: &str, mut offset: usize) -> Option<usize> {
    loop {
        let rest = source.get(offset..)?;
        let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\0');
        offset += rest.len() - trimmed.len();
        let comment = if trimmed.starts_with("--") {
            trimmed.find('\n').map_or(trimmed.len(), |end| end + 1)
        } else if trimmed.starts_with("/*") {
            trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
        } else if trimmed.is_empty() {
            return None;
        } else {
            return Some(offset);
        };
        offset += comment;
    }
}

/// Reads the token at the start of `rest` and tells its length in bytes.
fn read_token(rest: &str) -> OraResult<(Token, usize)> {
    let first = rest.chars().next().unwrap_or(' ');
    if first == '\'' {
        return read_text(rest);
    }
    if first == '"' {
        return read_quoted(rest);
    }
    let second_is_digit = rest[first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
    if first.is_ascii_digit() || (first == '.' && second_is_digit) {
        let length = number_length(rest);
        return Ok((Token::Number(rest[..length].to_owned()), length));
    }
    if first.is_alphabetic() {
        let length = rest
            .find(|c: char| !is_name_character(c))
            .unwrap_or(rest.len());
        check_identifier(&rest[..length])?;
        return Ok((Token::Word(rest[..length].to_uppercase()), length));
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
        None => Err(OraError::new(911, "invalid character")),
    }
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '#')
}

fn check_identifier(name: &str) -> OraResult<()> {
    if name.len() > IDENTIFIER_BYTES_MAX {
        return Err(OraError::new(972, "identifier is too long"));
    }
    Ok(())
}

/// A literal in single quotes; a doubled quote stands for one.
fn read_text(rest: &str) -> OraResult<(Token, usize)> {
    let mut text = String::new();
    let mut offset = 1;
    while let Some(quote) = rest[offset..].find('\'') {
        text.push_str(&rest[offset..offset + quote]);
        offset += quote + 1;
        if !rest[offset..].starts_with('\'') {
            return Ok((Token::Text(text), offset));
        }
        text.push('\'');
        offset += 1;
    }
    Err(OraError::new(1756, "quoted string not properly terminated"))
}

fn read_quoted(rest: &str) -> OraResult<(Token, usize)> {
    let Some(length) = rest[1..].find('"') else {
        return Err(OraError::new(1740, "missing double quote in identifier"));
    };
    let name = &rest[1..=length];
    if name.is_empty() {
        return Err(OraError::new(1741, "illegal zero-length identifier"));
    }
    check_identifier(name)?;
    Ok((Token::Quoted(name.to_owned()), length + 2))
}

/// Digits, a fraction and an exponent; a trailing letter belongs to the next token (`10M`).
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = bytes
            .get(length + 1 + sign..)
            .map_or(0, |_| digits(length + 1 + sign));
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<Token> {
        let mut cursor = Cursor::new(source).unwrap();
        std::iter::from_fn(|| cursor.take()).collect()
    }

    #[test]
    fn words_are_folded_and_quoted_names_are_not() {
        let expected = vec![
            Token::Word("V$LOG".into()),
            Token::Quoted("Mixed".into()),
            Token::Word("GROUP#".into()),
        ];
        assert_eq!(tokens("v$log \"Mixed\" group#"), expected);
    }

    #[test]
    fn doubled_quotes_inside_a_literal_are_one_quote() {
        assert_eq!(
            tokens("'it''s' ''"),
            vec![Token::Text("it's".into()), Token::Text(String::new())]
        );
    }

    #[test]
    fn comments_vanish_and_symbols_take_the_longest_form() {
        let found = tokens("a<=1 -- rest\n/* more\nlines */||.5e-3");
        let expected = vec![
            Token::Word("A".into()),
            Token::Symbol("<="),
            Token::Number("1".into()),
            Token::Symbol("||"),
            Token::Number(".5e-3".into()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_size_suffix_is_a_token_of_its_own() {
        assert_eq!(
            tokens("10M"),
            vec![Token::Number("10".into()), Token::Word("M".into())]
        );
        assert_eq!(
            tokens("1e"),
            vec![Token::Number("1".into()), Token::Word("E".into())]
        );
    }

    #[test]
    fn broken_text_gets_oracles_number() {
        let code = |source: &str| Cursor::new(source).unwrap_err().code();
        assert_eq!(code("select 'abc"), 1756);
        assert_eq!(code("select \"abc"), 1740);
        assert_eq!(code("select \"\""), 1741);
        assert_eq!(code("select `"), 911);
        assert_eq!(code(&"x".repeat(129)), 972);
    }

    #[test]
    fn text_outside_ascii_is_cut_between_characters() {
        assert_eq!(tokens("größe='€'").len(), 3);
    }
}
