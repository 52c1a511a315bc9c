//! SQL*Plus's own commands.
//! What lives here: finding a command by its name or abbreviation, and the small ones. What does not: STARTUP, RECOVER, SET.

use std::path::PathBuf;

use super::connection::Failure;
use super::console::ScriptError;
use super::query;
use super::session::Session;
use super::settings::ColumnFormat;
use super::variables::{Part, described, parts};
use super::whenever::{self, Errors};
use super::{page, set};
use crate::statement::{self, Refusal, Statement};

/// Commands with their shortest forms.
const COMMANDS: &[(&str, usize)] = &[
    ("ACCEPT", 3),
    ("ARCHIVE", 7),
    ("BREAK", 3),
    ("BTITLE", 3),
    ("CLEAR", 2),
    ("COLUMN", 3),
    ("COMPUTE", 4),
    ("CONNECT", 4),
    ("COPY", 4),
    ("DEFINE", 3),
    ("DESCRIBE", 4),
    ("DISCONNECT", 4),
    ("EDIT", 2),
    ("EXECUTE", 4),
    ("EXIT", 4),
    ("GET", 3),
    ("HELP", 4),
    ("HOST", 2),
    ("LIST", 1),
    ("PASSWORD", 5),
    ("PAUSE", 3),
    ("PRINT", 3),
    ("PROMPT", 3),
    ("QUIT", 4),
    ("RECOVER", 7),
    ("REMARK", 3),
    ("REPFOOTER", 4),
    ("REPHEADER", 4),
    ("RUN", 1),
    ("SAVE", 3),
    ("SET", 3),
    ("SHOW", 3),
    ("SHUTDOWN", 8),
    ("SPOOL", 3),
    ("START", 3),
    ("STARTUP", 7),
    ("STORE", 5),
    ("TTITLE", 3),
    ("UNDEFINE", 5),
    ("VARIABLE", 3),
    ("WHENEVER", 8),
];

/// Characters of an unknown command that its message shows.
const SHOWN_CHARACTERS: usize = 10;

fn find(word: &str) -> Option<&'static str> {
    let matches = |(name, shortest): &&(&'static str, usize)| {
        word.len() >= *shortest && name.starts_with(word)
    };
    COMMANDS.iter().find(matches).map(|(name, _)| *name)
}

impl Session {
    /// Takes a line that is not inside a statement.
    pub(super) fn command(&mut self, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with("--") {
            return;
        }
        if trimmed.starts_with("/*") {
            self.in_comment = !trimmed.contains("*/");
            return;
        }
        if find(&query::first_word(trimmed)) == Some("REMARK") {
            return;
        }
        let Some(line) = self.substituted(line) else {
            return;
        };
        if query::begins(&line) {
            let typed = self.buffer.begin(&line);
            return self.typed(typed);
        }
        let whole = self.joined(&line);
        self.dispatch(whole.trim());
    }

    /// The command with the lines that a final `-` joins to it.
    fn joined(&mut self, line: &str) -> String {
        let mut whole = line.trim_end().to_owned();
        while whole.ends_with('-') && !whole.ends_with("--") {
            whole.pop();
            match self.console.read("> ") {
                Some(next) => whole.push_str(next.trim_end()),
                None => break,
            }
        }
        whole
    }

    fn dispatch(&mut self, whole: &str) {
        if whole == "/" {
            return self.execute_buffer();
        }
        if let Some(script) = whole.strip_prefix('@') {
            return self.script(script.trim_start_matches('@').trim());
        }
        if whole.starts_with(['!', '$']) {
            return self.restricted("host");
        }
        let word = query::first_word(whole);
        let text = whole[word.len()..].trim_start();
        // A semicolon at the end of a command is as good as none, except where it may be text.
        let bare = text.trim_end_matches(';').trim_end();
        match find(&word) {
            Some("PROMPT") => self.console.line(text),
            Some(name) => self.named(name, bare, whole.trim_end_matches(';').trim_end()),
            None => self.unknown(whole),
        }
    }

    fn named(&mut self, name: &str, text: &str, whole: &str) {
        match name {
            "CONNECT" => self.connect_command(text),
            "DISCONNECT" => self.connection = super::connection::Connection::None,
            "EXIT" | "QUIT" => self.exit_command(text),
            "SET" => self.set_command(text),
            "SHOW" => self.show(text, whole),
            "WHENEVER" => self.whenever(text),
            "SPOOL" => self.spool(text),
            "COLUMN" => self.column(text),
            "CLEAR" => self.clear(text),
            "DEFINE" => self.define(text),
            "UNDEFINE" => self.undefine(text),
            "ACCEPT" => self.accept(text),
            "PAUSE" => {
                self.console.line(text);
                // Whatever is typed, or the end of input, goes on.
                let _ = self.console.ask("");
            }
            "START" => self.script(text),
            "LIST" => self.list(),
            "RUN" => {
                self.list();
                self.execute_buffer();
            }
            "EXECUTE" => self.execute(&format!("BEGIN {text}; END;")),
            "STARTUP" | "SHUTDOWN" | "RECOVER" | "ARCHIVE" => self.administer(whole),
            "TTITLE" | "BTITLE" | "REPHEADER" | "REPFOOTER" if text.eq_ignore_ascii_case("OFF") => {
            }
            _ => self.restricted(&name.to_lowercase()),
        }
    }

    fn unknown(&mut self, whole: &str) {
        let bare = whole.trim_end_matches(';').trim_end();
        if bare.chars().count() <= SHOWN_CHARACTERS {
            return self.console.line(&format!(
                "SP2-0042: unknown command \"{bare}\" - rest of line ignored."
            ));
        }
        let beginning: String = bare.chars().take(SHOWN_CHARACTERS).collect();
        self.console.line(&format!(
            "SP2-0734: unknown command beginning \"{beginning}...\" - rest of line ignored."
        ));
    }

    fn restricted(&mut self, name: &str) {
        self.console.line(&format!(
            "SP2-0738: Restricted command \"{name}\" not available"
        ));
    }

    /// STARTUP, SHUTDOWN, RECOVER and ARCHIVE LOG: read here, because a wrong word is SQL*Plus's to refuse.
    fn administer(&mut self, whole: &str) {
        self.console.flush();
        let result = match statement::parse(whole) {
            Err(Refusal::Plus(number, text)) => {
                return self.console.line(&format!("SP2-{number:04}: {text}"));
            }
            Err(Refusal::Oracle(error)) => Err(Failure::Oracle(error)),
            Ok(Statement::Startup { force, target }) => {
                self.startup(force, target).map_err(Failure::Oracle)
            }
            Ok(Statement::Shutdown(_)) => self.shutdown(whole),
            Ok(Statement::Recover { .. }) => self.recover(whole),
            Ok(_) => self.connection.execute(whole).map(|outcome| {
                outcome
                    .messages
                    .iter()
                    .for_each(|line| self.console.line(line));
            }),
        };
        self.finish(result);
    }

    fn connect_command(&mut self, text: &str) {
        match self.connect(text) {
            Ok(greeting) => self.console.line(greeting),
            Err(error) => {
                self.print_logon_error(&error);
                self.react_to(&error);
            }
        }
    }

    fn exit_command(&mut self, text: &str) {
        let upper = text.to_ascii_uppercase();
        match whenever::status(&upper.split_whitespace().collect::<Vec<_>>()) {
            Ok(status) => self.exit = Some(status.value(self.last_code)),
            Err(wrong) => {
                self.console.line(&wrong);
                self.exit = Some(1);
            }
        }
    }

    fn set_command(&mut self, text: &str) {
        if let Err(wrong) = set::set(text, &mut self.settings, &mut self.console) {
            self.console.line(&wrong);
        }
    }

    fn show(&mut self, text: &str, whole: &str) {
        let word = query::first_word(text);
        match word.as_str() {
            "PARAMETER" | "PARAMETERS" | "SGA" => return self.show_from_server(whole),
            "USER" => return self.console.line("USER is \"SYS\""),
            "RELEASE" | "REL" => return self.console.line("release 1900000000"),
            "SQLCODE" => return self.console.line(&format!("sqlcode {}", self.last_code)),
            "ERRORS" | "ERR" => return self.console.line("No errors."),
            _ => {}
        }
        match set::show(text, &self.settings, &self.console) {
            Some(line) => self.console.line(&line),
            None => self
                .console
                .line(&format!("SP2-0158: unknown SHOW option \"{text}\"")),
        }
    }

    fn show_from_server(&mut self, whole: &str) {
        let result = self.connection.execute(whole).map(|outcome| {
            outcome
                .messages
                .iter()
                .for_each(|line| self.console.line(line));
            if !outcome.columns.is_empty() {
                let mut settings = self.settings.clone();
                settings.feedback = None;
                settings.record_separator = false;
                page::table(&outcome, &settings)
                    .iter()
                    .for_each(|line| self.console.line(line));
            }
        });
        self.finish(result);
    }

    fn whenever(&mut self, text: &str) {
        match whenever::whenever(&set::split_words(text)) {
            Ok((Errors::Sql, reaction)) => self.on_sql_error = reaction,
            Ok((Errors::OperatingSystem, reaction)) => self.on_system_error = reaction,
            Err(wrong) => self.console.line(&wrong),
        }
    }

    fn spool(&mut self, text: &str) {
        let words = set::split_words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => self
                .console
                .line("SP2-0271: usage: SPOOL file [CREATE|REPLACE|APPEND] | OFF"),
            [off] if off.eq_ignore_ascii_case("OFF") || off.eq_ignore_ascii_case("OUT") => {
                if !self.console.spool_off() {
                    self.console.line("not spooling currently");
                }
            }
            [name, option @ ..] => {
                let append = option
                    .first()
                    .is_some_and(|word| word.to_ascii_uppercase().starts_with("APP"));
                let path = with_extension(name, "lst");
                if let Err(error) = self.console.spool_to(&path, append) {
                    self.console.line(&format!(
                        "SP2-0606: Cannot create SPOOL file \"{}\": {error}",
                        path.display()
                    ));
                    self.react_to_system();
                }
            }
        }
    }

    /// Runs a script with its parameters as `&1`, `&2`, ….
    fn script(&mut self, text: &str) {
        let words = set::split_words(text);
        match words.split_first() {
            None => self
                .console
                .line("SP2-1506: START, @ or @@ command has no arguments"),
            Some((name, parameters)) => self.run_script_argument(name, parameters),
        }
    }

    /// Begins a script; its lines come before those of standard input.
    pub(super) fn run_script_argument(&mut self, name: &str, parameters: &[String]) {
        for (index, value) in parameters.iter().enumerate() {
            self.variables.set(&(index + 1).to_string(), value);
        }
        let path = with_extension(name, "sql");
        match self.console.run(&path) {
            Ok(()) => {}
            Err(ScriptError::Depth) => {
                self.console.line(
                    "SP2-0309: SQL*Plus command procedures may only be nested to a depth of 20.",
                );
            }
            Err(ScriptError::Unreadable) => {
                self.console.line(&format!(
                    "SP2-0310: unable to open file \"{}\"",
                    path.display()
                ));
                self.react_to_system();
            }
        }
    }

    fn list(&mut self) {
        for (index, line) in self.buffer.lines.clone().iter().enumerate() {
            self.console.line(&format!("{:>3}  {line}", index + 1));
        }
    }

    fn clear(&mut self, text: &str) {
        let word = query::first_word(text);
        if word.starts_with("COL") {
            self.settings.columns.clear();
            self.console.line("columns cleared");
        } else if word.starts_with("BUFF") || word == "SQL" {
            self.buffer = query::Buffer::default();
            self.console.line("buffer cleared");
        }
    }

    fn column(&mut self, text: &str) {
        let words = set::split_words(text);
        let Some((name, options)) = words.split_first() else {
            return;
        };
        let mut format = self
            .settings
            .columns
            .get(&name.to_uppercase())
            .cloned()
            .unwrap_or_default();
        match column_options(options, &mut format) {
            Ok(true) => {
                self.settings.columns.insert(name.to_uppercase(), format);
            }
            Ok(false) => {
                self.settings.columns.remove(&name.to_uppercase());
            }
            Err(wrong) => self.console.line(&wrong),
        }
    }

    fn define(&mut self, text: &str) {
        if text.is_empty() {
            let lines: Vec<String> = self.variables.list().collect();
            return lines.iter().for_each(|line| self.console.line(line));
        }
        match text.split_once('=') {
            Some((name, value)) => {
                let value = value.trim();
                let quoted = value.len() > 1
                    && value.starts_with(['\'', '"'])
                    && value.ends_with(['\'', '"']);
                let value = if quoted {
                    &value[1..value.len() - 1]
                } else {
                    value
                };
                self.variables.set(name.trim(), value);
            }
            None => match self
                .variables
                .get(text)
                .map(|value| described(&text.to_uppercase(), value))
            {
                Some(line) => self.console.line(&line),
                None => self.console.line(&format!(
                    "SP2-0135: symbol {} is UNDEFINED",
                    text.to_lowercase()
                )),
            },
        }
    }

    fn undefine(&mut self, text: &str) {
        for name in text.split_whitespace() {
            if !self.variables.forget(name) {
                self.console.line(&format!(
                    "SP2-0137: DEFINE requires a value for {name}, which is not defined"
                ));
            }
        }
    }

    fn accept(&mut self, text: &str) {
        let words = set::split_words(text);
        let Some(name) = words.first() else {
            return self
                .console
                .line("SP2-0078: ACCEPT statement must specify a variable name");
        };
        let prompt = words
            .iter()
            .position(|word| word.to_ascii_uppercase().starts_with("PRO"));
        let prompt = prompt
            .and_then(|index| words.get(index + 1))
            .map_or("", String::as_str);
        let value = self.console.ask(prompt).unwrap_or_default();
        self.variables.set(name, &value);
    }

    /// The line with its variables replaced; None when nobody gave a value.
    pub(super) fn substituted(&mut self, line: &str) -> Option<String> {
        let Some(sign) = self.settings.define.filter(|sign| line.contains(*sign)) else {
            return Some(line.to_owned());
        };
        let mut result = String::new();
        let mut replaced = false;
        for part in parts(line, sign) {
            match part {
                Part::Text(text) => result.push_str(&text),
                Part::Variable { name, keep } => {
                    result.push_str(&self.value_of(&name, keep)?);
                    replaced = true;
                }
            }
        }
        let in_statement = self.typing || query::begins(line);
        if replaced && in_statement && self.settings.verify {
            let number = if self.typing {
                self.buffer.lines.len() + 1
            } else {
                1
            };
            self.console.line(&format!("old {number:>3}: {line}"));
            self.console.line(&format!("new {number:>3}: {result}"));
        }
        Some(result)
    }

    fn value_of(&mut self, name: &str, keep: bool) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.to_owned());
        }
        match self
            .console
            .ask(&format!("Enter value for {}: ", name.to_lowercase()))
        {
            Some(value) => {
                if keep {
                    self.variables.set(name, &value);
                }
                Some(value)
            }
            None => {
                self.console
                    .line("SP2-0546: User requested Interrupt or EOF detected.");
                None
            }
        }
    }
}

/// A file name, with an extension when it has none.
fn with_extension(name: &str, extension: &str) -> PathBuf {
    let path = PathBuf::from(name);
    if path.extension().is_some() || path.is_file() {
        path
    } else {
        PathBuf::from(format!("{name}.{extension}"))
    }
}

/// Applies the options of COLUMN; false for CLEAR.
fn column_options(options: &[String], format: &mut ColumnFormat) -> Result<bool, String> {
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let upper = option.to_ascii_uppercase();
        let is = |name: &str, shortest: usize| upper.len() >= shortest && name.starts_with(&upper);
        if is("CLEAR", 3) {
            return Ok(false);
        } else if is("FORMAT", 3) {
            column_format(rest.next(), format)?;
        } else if is("HEADING", 3) {
            format.heading = rest.next().cloned();
        } else if upper == "NULL" {
            format.null = rest.next().cloned();
        } else if is("NEW_VALUE", 5) {
            format.new_value = rest.next().cloned();
        } else if is("NOPRINT", 4) {
            format.hidden = true;
        } else if is("PRINT", 3) {
            format.hidden = false;
        } else if is("TRUNCATED", 3) {
            format.truncated = true;
        } else if is("WRAPPED", 3) || is("WORD_WRAPPED", 3) {
            format.truncated = false;
        } else if is("JUSTIFY", 3) || is("OLD_VALUE", 5) || is("ALIAS", 3) || is("LIKE", 4) {
            rest.next();
        } else if !matches!(upper.as_str(), "ON" | "OFF") {
            return Err(format!("SP2-0158: unknown COLUMN option \"{option}\""));
        }
    }
    Ok(true)
}

/// `A20` is a width, anything else a number's model.
fn column_format(given: Option<&String>, format: &mut ColumnFormat) -> Result<(), String> {
    let illegal = |text: &str| format!("SP2-0246: Illegal FORMAT string \"{text}\"");
    let text = given.ok_or_else(|| illegal(""))?;
    if let Some(width) = text.strip_prefix(['A', 'a']) {
        let width = width
            .parse()
            .ok()
            .filter(|width| (1..=32_767).contains(width))
            .ok_or_else(|| illegal(text))?;
        format.width = Some(width);
        format.model = None;
        return Ok(());
    }
    crate::views::format_number("0", text).map_err(|_| illegal(text))?;
    format.model = Some(text.clone());
    format.width = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_their_short_forms() {
        assert_eq!(find("CONN"), Some("CONNECT"));
        assert_eq!(find("PRO"), Some("PROMPT"));
        assert_eq!(find("STA"), Some("START"));
        assert_eq!(find("STARTUP"), Some("STARTUP"));
        assert_eq!(find("REM"), Some("REMARK"));
        assert_eq!(find("EX"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn column_options_are_read() {
        let mut format = ColumnFormat::default();
        let words =
            set::split_words("format a20 heading 'File name' null '-' truncated new_value x");
        assert_eq!(column_options(&words, &mut format), Ok(true));
        assert_eq!(
            (format.width, format.heading.as_deref(), format.truncated),
            (Some(20), Some("File name"), true)
        );
        assert_eq!(column_options(&["clear".into()], &mut format), Ok(false));
        assert!(column_options(&["format".into(), "a0".into()], &mut format).is_err());
        assert!(column_options(&["moon".into()], &mut format).is_err());
    }
}
