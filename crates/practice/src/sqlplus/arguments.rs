//! SQL*Plus's own command line.
//! What lives here: options, logon, script. What does not: what they lead to.

/// What `-H` prints.
pub(super) const USAGE: &str = "\
Usage: sqlplus [ [<option>] [{logon | /nolog}] [<start>] ]

  <option> is: -S  silent: no greeting, no prompts
               -L  one attempt to log on
               -V  print the version
               -H  print this
               -R <level>, -M <markup>, -C <version>: read and ignored
  <logon>  is: / as sysdba
  <start>  is: @<file>[.<ext>] [<parameter> ...]

ORACLE_HOME and ORACLE_SID name the instance. Commands are read from standard input.

Exit status: 0 after EXIT, EXIT SUCCESS or the end of input; 1 after EXIT FAILURE, a failed logon
or a wrong option; n modulo 256 after EXIT n or WHENEVER ... EXIT n.

Example: printf 'startup\\nselect status from v$instance;\\n' | sqlplus -S / as sysdba";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Version,
    Help,
    Run(Arguments),
}

/// How to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub silent: bool,
    pub one_attempt: bool,
    pub logon: Logon,
    pub script: Option<String>,
    pub parameters: Vec<String>,
}

/// Who logs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Logon {
    /// Nothing was said: ask.
    #[default]
    Ask,
    /// `/nolog`.
    None,
    /// The words of a CONNECT.
    As(String),
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// A line that says what is wrong.
pub(super) fn parse(words: &[String]) -> Result<Action, String> {
    let mut arguments = Arguments::default();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next_if(|word| word.len() > 1 && word.starts_with('-')) {
        match word[1..].to_ascii_uppercase().as_str() {
            "S" | "SILENT" => arguments.silent = true,
            "L" | "LOGON" => arguments.one_attempt = true,
            "V" | "VERSION" | "-VERSION" => return Ok(Action::Version),
            "H" | "HELP" | "-HELP" => return Ok(Action::Help),
            "F" | "FAST" | "NOLOGINTIME" => {}
            "R" | "RESTRICT" | "M" | "MARKUP" | "C" | "COMPATIBILITY" => {
                rest.next()
                    .ok_or_else(|| format!("SP2-0306: Invalid option {word}: it needs a value."))?;
            }
            _ => return Err(format!("SP2-0306: Invalid option {word}.")),
        }
    }
    if rest.peek().is_some_and(|word| !word.starts_with('@')) {
        arguments.logon = logon(rest.by_ref());
    }
    if let Some(script) = rest.next() {
        let name = script
            .strip_prefix('@')
            .ok_or("SP2-0306: Invalid option.")?;
        if name.is_empty() {
            return Err("SP2-0311: string expected but not found".into());
        }
        arguments.script = Some(name.to_owned());
        arguments.parameters = rest.cloned().collect();
    }
    Ok(Action::Run(arguments))
}

/// `/nolog`, or a user with an optional `as <privilege>`.
fn logon<'a>(words: &mut std::iter::Peekable<impl Iterator<Item = &'a String>>) -> Logon {
    let user = words.next().cloned().unwrap_or_default();
    if user.eq_ignore_ascii_case("/nolog") {
        return Logon::None;
    }
    // `sqlplus "/ as sysdba"` comes as one word.
    let mut text = user;
    if words
        .next_if(|word| word.eq_ignore_ascii_case("as"))
        .is_some()
    {
        text = format!("{text} as {}", words.next().map_or("", String::as_str));
    }
    Logon::As(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&words) {
            Ok(Action::Run(arguments)) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_usual_command_lines_are_understood() {
        let tool = arguments("-S -L /nolog");
        assert!(tool.silent && tool.one_attempt && tool.logon == Logon::None);
        assert_eq!(
            arguments("/ as sysdba").logon,
            Logon::As("/ as sysdba".into())
        );
        let script = arguments("-s / AS SYSDBA @x.sql one two");
        assert_eq!(script.logon, Logon::As("/ as SYSDBA".into()));
        assert_eq!(
            (script.script.as_deref(), script.parameters.len()),
            (Some("x.sql"), 2)
        );
        assert_eq!(arguments("-R 3 /nolog @x").script.as_deref(), Some("x"));
        assert_eq!(arguments("").logon, Logon::Ask);
        assert_eq!(arguments("@x").logon, Logon::Ask);
    }

    #[test]
    fn one_quoted_word_is_a_logon_too() {
        let words = ["-S".to_owned(), "/ as sysdba".to_owned()];
        assert!(
            matches!(parse(&words), Ok(Action::Run(found)) if found.logon == Logon::As("/ as sysdba".into()))
        );
    }

    #[test]
    fn wrong_options_are_named() {
        for line in ["-Z", "-R", "/nolog x", "/nolog @"] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert!(parse(&words).unwrap_err().starts_with("SP2-"), "{line}");
        }
        assert_eq!(parse(&["-V".into()]), Ok(Action::Version));
    }
}
