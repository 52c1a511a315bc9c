//! RMAN's own command line.
//! What lives here: options with and without `=`. What does not: what they lead to.

use std::path::PathBuf;

/// What `help=y` prints.
pub(super) const USAGE: &str = "\
Usage: rman [target /] [nocatalog] [msgno] [cmdfile=<file> | @<file>] [log=<file> [append]]

  target /        connect to the database of ORACLE_HOME and ORACLE_SID
  nocatalog       the control file is the repository; there is no other
  msgno           every message carries its number, as RMAN-08030
  cmdfile=<file>  read the commands from a file; its first error ends the run
  log=<file>      write to a file instead of standard output, which append makes longer

Commands are read from standard input unless a file is named.

Exit status: 0 when every command went well, 1 otherwise.

Example: printf 'backup database plus archivelog;\\n' | rman target /";

/// How to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub help: bool,
    /// TARGET was given, and with what.
    pub target: Option<String>,
    pub no_catalog: bool,
    pub message_numbers: bool,
    pub command_file: Option<PathBuf>,
    pub log: Option<PathBuf>,
    pub append: bool,
}

/// Reads the arguments after the program's name: `word`, `word value` or `word=value`.
///
/// # Errors
/// A line that says what is wrong.
pub(super) fn parse(words: &[String]) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if let Some(file) = word.strip_prefix('@').filter(|file| !file.is_empty()) {
            arguments.command_file = Some(file.into());
            continue;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(unquoted(value))),
            None => (word.as_str(), None),
        };
        let name = name.trim_start_matches('-').to_ascii_lowercase();
        let mut wanted = || {
            let given = value
                .clone()
                .or_else(|| rest.next().map(|word| unquoted(word)));
            given
                .filter(|value| !value.is_empty())
                .ok_or_else(|| format!("argument value needed for \"{name}\""))
        };
        match name.as_str() {
            "target" => arguments.target = Some(wanted()?),
            "nocatalog" => arguments.no_catalog = true,
            "msgno" => arguments.message_numbers = true,
            "append" => arguments.append = true,
            "cmdfile" => arguments.command_file = Some(wanted()?.trim_start_matches('@').into()),
            "log" | "msglog" => arguments.log = Some(wanted()?.into()),
            "checksyntax" | "catalog" | "auxiliary" | "pipe" | "send" | "script" => {
                return Err(format!(
                    "argument \"{name}\" is not offered by this look-alike"
                ));
            }
            "help" | "h" | "?" => arguments.help = true,
            _ => return Err(format!("unknown argument \"{word}\"")),
        }
    }
    Ok(arguments)
}

fn unquoted(value: &str) -> String {
    value.trim_matches(['\'', '"']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn the_usual_command_lines_are_understood() {
        let script = arguments("target / nocatalog msgno cmdfile=/log/x.rman").unwrap();
        assert!(script.no_catalog && script.message_numbers && !script.append);
        assert_eq!(script.target.as_deref(), Some("/"));
        assert_eq!(script.command_file, Some("/log/x.rman".into()));
        let other = arguments("target=/ @x.rman log 'y.log' append").unwrap();
        assert_eq!(
            (other.command_file, other.log, other.append),
            (Some("x.rman".into()), Some("y.log".into()), true)
        );
        assert_eq!(
            arguments("cmdfile @x").unwrap().command_file,
            Some("x".into())
        );
        assert_eq!(arguments("").unwrap(), Arguments::default());
    }

    #[test]
    fn wrong_arguments_are_named() {
        for line in [
            "target",
            "cmdfile=",
            "catalog rman/rman@cat",
            "moon",
            "target / log",
        ] {
            assert!(arguments(line).is_err(), "{line}");
        }
    }
}
