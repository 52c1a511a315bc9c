//! Command lines of the tools: short and long options, both with one dash, as in SAP's.
//! What lives here: reading a command line by the table, and the help. What does not: what an option does.

pub mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::action_id::Tool;
use crate::messages::Message;
use crate::run_log::VERSION;
use table::{Argument, Row, Support, rows, story};

/// Longest value of an option, in bytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A command line that makes sense.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    values: BTreeMap<&'static str, Option<String>>,
    /// What follows an option that calls another tool.
    pub pass_through: Option<Vec<String>>,
}

impl Parsed {
    /// Whether an option was given, by its short name.
    pub fn has(&self, short: &str) -> bool {
        self.values.contains_key(short)
    }

    /// The value of an option, by its short name.
    pub fn value(&self, short: &str) -> Option<&str> {
        self.values.get(short)?.as_deref()
    }
}

/// Reads the arguments of a tool. The error is a message with its number and what to do.
pub fn parse(tool: Tool, arguments: &[String]) -> Result<Parsed, Message> {
    let mut parsed = Parsed::default();
    let mut position = 0;
    while let Some(word) = arguments.get(position) {
        position += 1;
        let row = find(tool, word, position)?;
        if let Argument::PassThrough(_) = row.argument {
            refuse_unsupported(tool, row, None)?;
            parsed.values.insert(row.short, None);
            parsed.pass_through = Some(arguments[position..].to_vec());
            return Ok(parsed);
        }
        let next = arguments
            .get(position)
            .filter(|next| !next.starts_with('-') || is_negative(next));
        let value = match (row.argument, next) {
            (Argument::Required(_), None) => {
                let hint = format!("-{} {}", row.short, row.usage());
                return Err(Message::error(155, &[&word, &hint]));
            }
            (Argument::Required(_) | Argument::Optional(_), Some(value)) => {
                position += 1;
                Some(value.clone())
            }
            _ => None,
        };
        if value
            .as_ref()
            .is_some_and(|value| value.len() > VALUE_BYTES_MAX)
        {
            return Err(Message::error(
                156,
                &[&"(too long)", &word, &"at most 64 KiB"],
            ));
        }
        refuse_unsupported(tool, row, value.as_deref())?;
        if parsed.values.insert(row.short, value).is_some() {
            let hint = "give each option once";
            return Err(Message::error(154, &[&word, &position, &hint]));
        }
    }
    Ok(parsed)
}

/// File ids of temporary files are negative numbers.
fn is_negative(word: &str) -> bool {
    word.len() > 1 && word[1..].bytes().all(|byte| byte.is_ascii_digit())
}

fn find(tool: Tool, word: &str, position: usize) -> Result<&'static Row, Message> {
    let help = format!("{} -h lists all options", tool.name().to_lowercase());
    // What every other program understands.
    let word = match word {
        "--help" => "-help",
        "--version" => "-V",
        word => word,
    };
    let Some(name) = word.strip_prefix('-').filter(|name| !name.is_empty()) else {
        return Err(Message::error(154, &[&word, &position, &help]));
    };
    if let Some(row) = rows(tool)
        .iter()
        .find(|row| row.short == name || row.long.contains(&name))
    {
        return Ok(row);
    }
    let names = rows(tool).iter().flat_map(|row| row.long.iter().copied());
    let hint = match nearest(name, names) {
        Some(near) => format!("did you mean -{near}? {help}"),
        None => help,
    };
    Err(Message::error(153, &[&word, &position, &hint]))
}

fn refuse_unsupported(tool: Tool, row: &Row, value: Option<&str>) -> Result<(), Message> {
    let tool = tool.name().to_lowercase();
    let option = format!("-{}", row.short);
    match row.support {
        Support::Full => Ok(()),
        Support::NotYet => {
            let hint = format!("this release does not do that; {tool} -h lists what it does");
            Err(Message::error(
                191,
                &[&value.unwrap_or_default(), &option, &tool, &hint],
            ))
        }
        Support::Only(known) => match value {
            Some(value) if !known.contains(&value) => {
                let hint = match known {
                    [] => "this release takes no value there".to_string(),
                    _ => format!("this release does {}", known.join(", ")),
                };
                let shown = without_password(row, value);
                Err(Message::error(191, &[&shown, &option, &tool, &hint]))
            }
            _ => Ok(()),
        },
    }
}

/// A value as it may be shown and logged: of a user, only the name.
fn without_password(row: &Row, value: &str) -> String {
    match value.split_once('/') {
        Some((user, password)) if row.short == "u" && !password.is_empty() => {
            format!("{user}/********")
        }
        _ => value.to_owned(),
    }
}

/// The known word that is nearest to a misspelt one, if any is near.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (distance(word, name), name))
        .filter(|(d, name)| *d <= 2.max(name.len() / 4))
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be changed, added or taken away to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other_letter) in other.iter().enumerate() {
            let change = diagonal + usize::from(!letter.eq_ignore_ascii_case(other_letter));
            diagonal = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// The help of a tool: usage, options, examples, environment, exit status.
pub fn help(tool: Tool) -> String {
    let name = tool.name().to_lowercase();
    let (purpose, examples) = story(tool);
    let mut text =
        format!("{name} ({VERSION}): {purpose}\n\nUsage: {name} [options]\n\nOptions:\n");
    let write_row = |text: &mut String, row: &Row| {
        let argument = match row.usage() {
            nothing if nothing.is_empty() => nothing,
            usage => format!(" {usage}"),
        };
        let long: String = row.long.iter().map(|long| format!("|-{long}")).collect();
        let _infallible = writeln!(text, "  -{}{long}{argument}\n      {}", row.short, row.help);
    };
    rows(tool)
        .iter()
        .filter(|row| row.support != Support::NotYet)
        .for_each(|row| write_row(&mut text, row));
    let not_yet: Vec<String> = rows(tool)
        .iter()
        .filter(|row| row.support == Support::NotYet)
        .map(|row| format!("-{}", row.short))
        .collect();
    text.push_str("\nOptions that SAP's tool has and this release refuses: ");
    text.push_str(&not_yet.join(" "));
    text.push_str("\n\nExamples:\n");
    for example in examples {
        let _infallible = writeln!(text, "  {example}");
    }
    text.push_str(
        "\nEnvironment:\n  ORACLE_SID, ORACLE_HOME, SAPDATA_HOME   must be set\n  SAPBACKUP, SAPARCH                      \
         directories of the logs, below SAPDATA_HOME by default\n  BACKSTAY_LOG_FORM=4.0B                  \
         three-digit messages of release 4.0B\n\nExit status:\n  0 everything done         1 done, with warnings\n  \
         2 cancelled at the start  3 error at the start, nothing done\n  4 cancelled while working 5 error while working, \
         not everything done\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn read(tool: Tool, line: &str) -> Result<Parsed, Message> {
        parse(
            tool,
            &line
                .split_whitespace()
                .map(str::to_string)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn short_and_long_forms_mean_the_same() {
        let short = read(Tool::Brbackup, "-t online -d disk -m all -c force -u /").unwrap();
        let long = read(
            Tool::Brbackup,
            "-type online -device disk -mode all -confirm force -user /",
        )
        .unwrap();
        assert_eq!(short, long);
        assert_eq!(
            (short.value("t"), short.value("c"), short.has("q")),
            (Some("online"), Some("force"), false)
        );
    }

    #[test]
    fn help_and_version_are_asked_for_as_everywhere() {
        for tool in Tool::ALL {
            assert!(read(tool, "--help").unwrap().has("h"));
            assert!(read(tool, "--version").unwrap().has("V"));
            assert_eq!(read(tool, "--mode all").unwrap_err().number(), 153);
        }
    }

    #[test]
    fn what_follows_the_call_of_another_tool_is_its_own() {
        let parsed = read(Tool::Brbackup, "-t online -c -a -sd -c -nonsense").unwrap();
        assert_eq!(
            parsed.pass_through,
            Some(vec![
                "-sd".to_string(),
                "-c".to_string(),
                "-nonsense".to_string()
            ])
        );
    }

    #[test]
    fn each_wrong_line_has_its_number() {
        for (tool, line, number) in [
            (Tool::Brbackup, "-tipe online", 153),
            (Tool::Brbackup, "online", 154),
            (Tool::Brbackup, "-t", 155),
            (Tool::Brbackup, "-t online_split", 191),
            (Tool::Brbackup, "-f last", 191),
            (Tool::Brarchive, "-d util_file", 191),
            (Tool::Brarchive, "-c -c", 154),
            (Tool::Brrecover, "-t tspit", 191),
        ] {
            assert_eq!(read(tool, line).unwrap_err().number(), number, "{line}");
        }
        let hint = read(Tool::Brbackup, "-devise disk")
            .unwrap_err()
            .hint()
            .unwrap();
        assert!(hint.contains("-device"), "{hint}");
    }

    #[test]
    fn names_are_unique_and_every_supported_one_is_in_the_help() {
        for tool in Tool::ALL {
            let mut names = BTreeSet::new();
            let text = help(tool);
            for row in rows(tool) {
                for name in std::iter::once(&row.short).chain(row.long) {
                    assert!(names.insert(*name), "{} -{name}", tool.name());
                }
                assert!(text.contains(&format!("-{}", row.short)) && !row.help.is_empty());
            }
            assert!(text.contains("Examples:") && text.contains("Exit status:"));
        }
    }

    #[test]
    fn the_help_lists_what_is_accepted_and_nothing_that_is_refused() {
        for tool in Tool::ALL {
            let text = help(tool);
            for refused in ["check|nolog", "E|D", "no|yes", "[]"] {
                assert!(!text.contains(refused), "{} {refused}", tool.name());
            }
            for row in rows(tool) {
                let Support::Only(known) = row.support else {
                    continue;
                };
                let long: String = row.long.iter().map(|long| format!("|-{long}")).collect();
                let line = format!("  -{}{long} {}", row.short, row.usage());
                assert!(text.contains(line.trim_end()), "{} {line}", tool.name());
                for value in known {
                    let line = format!("-{} {value}", row.short);
                    assert!(read(tool, &line).is_ok(), "{} {line}", tool.name());
                }
            }
        }
        assert!(help(Tool::Brbackup).contains("-t|-type online|offline|offline_force"));
        assert!(help(Tool::Brbackup).contains("-q|-query\n"));
    }

    proptest! {
        #[test]
        fn no_command_line_makes_the_parser_panic(words in prop::collection::vec("-?[a-zA-Z/_0-9é]{0,9}", 0..8)) {
            for tool in Tool::ALL {
                let _either = parse(tool, &words);
            }
        }
    }
}
