//! Reading RMAN's commands.
//! What lives here: the cursor over tokens, syntax errors in RMAN's form, the small commands. What does not: BACKUP
//! (`backup`), RESTORE and RECOVER (`restore`), what keeps the repository (`maintenance`), settings (`settings`).

mod backup;
mod maintenance;
mod restore;
mod settings;

use std::path::PathBuf;

use super::command::{Command, FileName, Files};
use super::failure::Failure;
use super::feed::Statement;
use super::lexer::{Placed, Token};

/// Words that a message calls by name; every other is "identifier".
const KEYWORDS: &str = " advise all allocate alter and archivelog as autobackup backup backupset before begin by \
    catalog change channel clear completed compressed configure connect controlfile convert copy create cumulative crosscheck \
    current database datafile datafilecopy days dbid delete describe device disk drop duplicate exit expired \
    filesperset flashback for force format from full grant host import incremental input integer level list newname \
    nocatalog noprompt not obsolete of off on open parallelism plus preview print quit recover redundancy register \
    release repair replace report reset resetlogs restore resync retention reuse revoke run scn select send sequence \
    set show shutdown spfile spool sql startup summary switch tablespace tag target thread time times to transport \
    truncate type uncatalog unregister until up update upgrade validate with ";

/// The words with which a command begins, as the message of a syntax error lists them.
const COMMANDS: &str = "allocate, alter, backup, catalog, change, configure, connect, crosscheck, delete, exit, host, list, \
    quit, recover, release, report, restore, run, set, show, shutdown, sql, startup, switch, validate, @";

/// What every rule returns.
pub(super) type Parsed<T> = Result<T, Failure>;

/// A statement's tokens and how far they have been read.
pub(super) struct Cursor<'a> {
    statement: &'a Statement,
    position: usize,
}

/// Reads one statement.
///
/// # Errors
/// RMAN-00558 with what RMAN says to it.
pub(super) fn parse(statement: &Statement) -> Parsed<Command> {
    let mut cursor = Cursor {
        statement,
        position: 0,
    };
    let command = command(&mut cursor)?;
    match cursor.peek() {
        None => Ok(command),
        Some(_) => Err(cursor.refuse(";")),
    }
}

fn command(cursor: &mut Cursor) -> Parsed<Command> {
    if cursor.accept_symbol('@') {
        return Ok(Command::Script(cursor.rest_of_name()));
    }
    let mark = cursor.position;
    let word = cursor.any_word().ok_or_else(|| cursor.refuse(COMMANDS))?;
    match word.as_str() {
        "EXIT" | "QUIT" => Ok(Command::Exit),
        "RUN" => run(cursor),
        "CONNECT" => connect(cursor),
        "HOST" => Ok(Command::Host(cursor.accept_text())),
        "ALLOCATE" => allocate(cursor),
        "RELEASE" => release(cursor),
        "SQL" => sql(cursor),
        "ALTER" => Ok(Command::Sql(cursor.as_typed(mark))),
        "STARTUP" => Ok(Command::Startup(cursor.as_typed(mark))),
        "SHUTDOWN" => Ok(Command::Shutdown(cursor.as_typed(mark))),
        "BACKUP" => backup::backup(cursor).map(Command::Backup),
        "RESTORE" => restore::restore(cursor).map(Command::Restore),
        "RECOVER" => restore::recover(cursor),
        "SWITCH" => restore::switch(cursor).map(Command::Switch),
        "SET" => settings::set(cursor).map(Command::Set),
        "CONFIGURE" => settings::configure(cursor),
        "SHOW" => settings::show(cursor),
        "CATALOG" => maintenance::catalog(cursor).map(Command::Catalog),
        "LIST" => maintenance::list(cursor).map(Command::List),
        "CROSSCHECK" => maintenance::selection(cursor).map(Command::Crosscheck),
        "CHANGE" => maintenance::change(cursor).map(Command::Uncatalog),
        "DELETE" => maintenance::delete(cursor).map(Command::Delete),
        "REPORT" => maintenance::report(cursor),
        "VALIDATE" => maintenance::validate(cursor).map(Command::Validate),
        _ => {
            cursor.position = mark;
            Err(cursor.refuse(COMMANDS))
        }
    }
}

fn run(cursor: &mut Cursor) -> Parsed<Command> {
    cursor.expect_symbol('{')?;
    let mut commands = Vec::new();
    while !cursor.accept_symbol('}') {
        if cursor.accept_symbol(';') {
            continue;
        }
        let mark = cursor.position;
        let found = command(cursor)?;
        if matches!(
            found,
            Command::Run(_) | Command::Script(_) | Command::Exit | Command::Connect(_)
        ) {
            cursor.position = mark;
            return Err(cursor.refuse(COMMANDS));
        }
        commands.push(found);
        cursor.expect_symbol(';')?;
    }
    Ok(Command::Run(commands))
}

fn connect(cursor: &mut Cursor) -> Parsed<Command> {
    cursor.expect("TARGET")?;
    let mark = cursor.position;
    Ok(Command::Connect(cursor.as_typed(mark)))
}

fn allocate(cursor: &mut Cursor) -> Parsed<Command> {
    cursor.expect("CHANNEL")?;
    let name = cursor.name()?;
    let mut format = None;
    loop {
        if cursor.accept(&["DEVICE", "TYPE"]) || cursor.accept(&["TYPE"]) {
            cursor.expect_disk()?;
        } else if cursor.accept(&["FORMAT"]) {
            format = Some(cursor.text()?);
        } else {
            return Ok(Command::Allocate { name, format });
        }
    }
}

fn release(cursor: &mut Cursor) -> Parsed<Command> {
    cursor.expect("CHANNEL")?;
    Ok(Command::Release(cursor.any_name()))
}

/// SQL 'statement', or since 12c the statement itself.
fn sql(cursor: &mut Cursor) -> Parsed<Command> {
    if let Some(text) = cursor.accept_text() {
        return Ok(Command::Sql(text));
    }
    let mark = cursor.position;
    if cursor.peek().is_none() {
        return Err(cursor.refuse("double-quoted-string, identifier, single-quoted-string"));
    }
    Ok(Command::Sql(cursor.as_typed(mark)))
}

impl Cursor<'_> {
    fn peek(&self) -> Option<&Token> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        let placed = self.statement.tokens.get(self.position + ahead);
        placed.map(|placed| &placed.token)
    }

    fn sees_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    /// Takes the next tokens if they are these keywords, all of them or none.
    fn accept(&mut self, keywords: &[&str]) -> bool {
        let found = keywords
            .iter()
            .enumerate()
            .all(|(ahead, keyword)| self.sees_at(ahead, keyword));
        if found {
            self.position += keywords.len();
        }
        found
    }

    fn expect(&mut self, keyword: &str) -> Parsed<()> {
        match self.accept(&[keyword]) {
            true => Ok(()),
            false => Err(self.refuse(&keyword.to_lowercase())),
        }
    }

    fn expect_all(&mut self, keywords: &[&str]) -> Parsed<()> {
        keywords.iter().try_for_each(|keyword| self.expect(keyword))
    }

    fn accept_symbol(&mut self, symbol: char) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.position += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: char) -> Parsed<()> {
        match self.accept_symbol(symbol) {
            true => Ok(()),
            false => Err(self.refuse(&symbol.to_string())),
        }
    }

    /// The next token if it is a word, in upper case.
    fn any_word(&mut self) -> Option<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.to_uppercase();
                self.position += 1;
                Some(word)
            }
            _ => None,
        }
    }

    fn accept_text(&mut self) -> Option<String> {
        match self.peek() {
            Some(Token::Text(text, _)) => {
                let text = text.clone();
                self.position += 1;
                Some(text)
            }
            _ => None,
        }
    }

    /// A string in quotes that is not empty.
    fn text(&mut self) -> Parsed<String> {
        self.accept_symbol('=');
        match self.peek() {
            Some(Token::Text(text, _)) if !text.is_empty() && !text.contains('\0') => {}
            _ => return Err(self.refuse("double-quoted-string, single-quoted-string")),
        }
        Ok(self.accept_text().unwrap_or_default())
    }

    /// A name, quoted or not.
    fn any_name(&mut self) -> Option<String> {
        match self.peek() {
            Some(Token::Word(text) | Token::Text(text, _)) => {
                let text = text.clone();
                self.position += 1;
                Some(text)
            }
            _ => None,
        }
    }

    fn name(&mut self) -> Parsed<String> {
        self.accept_symbol('=');
        self.any_name()
            .ok_or_else(|| self.refuse("double-quoted-string, identifier, single-quoted-string"))
    }

    /// A tag: at most 30 characters, kept in upper case.
    fn tag(&mut self) -> Parsed<String> {
        const CHARACTERS_MAX: usize = 30;
        let tag = self.name()?.to_uppercase();
        match tag.chars().count() {
            1..=CHARACTERS_MAX => Ok(tag),
            _ => Err(
                Failure::new(558, "error encountered while parsing input commands").and(
                    1011,
                    format!("\"{tag}\" is not a valid tag: 1 to {CHARACTERS_MAX} characters"),
                ),
            ),
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Parsed<T> {
        self.accept_symbol('=');
        self.accept_number().ok_or_else(|| self.refuse("integer"))
    }

    fn accept_number<T: std::str::FromStr>(&mut self) -> Option<T> {
        match self.peek() {
            Some(Token::Number(number)) => {
                let value = number.parse().ok()?;
                self.position += 1;
                Some(value)
            }
            _ => None,
        }
    }

    fn expect_disk(&mut self) -> Parsed<()> {
        // A quoted name is allowed as well.
        match self.peek() {
            Some(Token::Text(text, _)) if text.eq_ignore_ascii_case("disk") => {
                self.position += 1;
                Ok(())
            }
            _ => self.expect("DISK"),
        }
    }

    /// Numbers or names of data files, separated by commas.
    fn datafiles(&mut self) -> Parsed<Vec<FileName>> {
        let mut files = vec![self.datafile()?];
        while self.accept_symbol(',') {
            files.push(self.datafile()?);
        }
        Ok(files)
    }

    fn datafile(&mut self) -> Parsed<FileName> {
        match self.accept_number() {
            Some(number) => Ok(FileName::Number(number)),
            None => self.text().map(|path| FileName::Path(path.into())),
        }
    }

    fn tablespaces(&mut self) -> Parsed<Vec<String>> {
        let mut names = vec![self.name()?.to_uppercase()];
        while self.accept_symbol(',') {
            names.push(self.name()?.to_uppercase());
        }
        Ok(names)
    }

    /// DATABASE, DATAFILE n or TABLESPACE t, if one of them comes.
    fn accept_files(&mut self) -> Parsed<Option<Files>> {
        if self.accept(&["DATABASE"]) {
            return Ok(Some(Files::All));
        }
        if self.accept(&["DATAFILE"]) {
            return self.datafiles().map(|files| Some(Files::Numbers(files)));
        }
        if self.accept(&["TABLESPACE"]) {
            return self
                .tablespaces()
                .map(|names| Some(Files::Tablespaces(names)));
        }
        Ok(None)
    }

    /// The tokens from `mark` to the end of the command, as SQL.
    fn as_typed(&mut self, mark: usize) -> String {
        let mut text = String::new();
        self.position = mark;
        while let Some(token) = self
            .peek()
            .filter(|token| !matches!(token, Token::Symbol(';' | '}')))
        {
            let (piece, close) = match token {
                Token::Word(word) | Token::Number(word) => (word.clone(), false),
                Token::Text(inside, quote) => {
                    let doubled = inside.replace(*quote, &format!("{quote}{quote}"));
                    (format!("{quote}{doubled}{quote}"), false)
                }
                Token::Symbol(symbol) => (symbol.to_string(), true),
            };
            let apart =
                !text.is_empty() && !close && !text.ends_with([':', '-', '(', '/', '.', '@']);
            if apart {
                text.push(' ');
            }
            text.push_str(&piece);
            self.position += 1;
        }
        text
    }

    /// The rest of the line as a file name.
    fn rest_of_name(&mut self) -> PathBuf {
        let mut name = String::new();
        while let Some(token) = self.peek() {
            match token {
                Token::Word(text) | Token::Number(text) | Token::Text(text, _) => {
                    name.push_str(text)
                }
                Token::Symbol(symbol) => name.push(*symbol),
            }
            self.position += 1;
        }
        name.trim_end_matches(';').into()
    }

    /// The syntax error at the next token.
    fn refuse(&self, expecting: &str) -> Failure {
        let placed: Option<&Placed> = self.statement.tokens.get(self.position);
        let (line, column) =
            placed.map_or(self.statement.end, |placed| (placed.line, placed.column));
        let found = match placed.map(|placed| &placed.token) {
            Some(Token::Word(word)) => match word.to_lowercase() {
                known if KEYWORDS.contains(&format!(" {known} ")) => known,
                _ => "identifier".to_owned(),
            },
            Some(Token::Number(_)) => "integer".to_owned(),
            Some(Token::Text(_, '"')) => "double-quoted-string".to_owned(),
            Some(Token::Text(..)) => "single-quoted-string".to_owned(),
            Some(Token::Symbol(symbol)) => symbol.to_string(),
            None => ";".to_owned(),
        };
        let mut failure = Failure::new(558, "error encountered while parsing input commands").and(
            1009,
            format!("syntax error: found \"{found}\": expecting one of: \"{expecting}\""),
        );
        if let (Some(Token::Word(word)), "identifier") =
            (placed.map(|placed| &placed.token), found.as_str())
        {
            failure = failure.and(1008, format!("the bad identifier was: {word}"));
        }
        failure.and(
            1007,
            format!(
                "at line {line} column {column} file: {}",
                self.statement.input
            ),
        )
    }
}

#[cfg(test)]
mod tests;
