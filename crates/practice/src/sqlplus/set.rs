//! SET and SHOW of settings.
//! What lives here: names, abbreviations and bounds. What does not: what settings do.

use super::console::Console;
use super::settings::Settings;

/// Names whose value is read and has no effect here, with their shortest forms. Scripts set them out of habit.
const IGNORED: &[(&str, usize)] = &[
    ("APPINFO", 4),
    ("ARRAYSIZE", 3),
    ("AUTOCOMMIT", 4),
    ("AUTOPRINT", 5),
    ("AUTOTRACE", 5),
    ("BLOCKTERMINATOR", 3),
    ("CMDSEP", 4),
    ("COLINVISIBLE", 6),
    ("CONCAT", 3),
    ("COPYCOMMIT", 5),
    ("ERRORLOGGING", 5),
    ("ESCAPE", 3),
    ("EXITCOMMIT", 5),
    ("FLAGGER", 4),
    ("FLUSH", 3),
    ("HISTORY", 4),
    ("LOBOFFSET", 4),
    ("LONG", 4),
    ("LONGCHUNKSIZE", 5),
    ("MARKUP", 4),
    ("NUMFORMAT", 4),
    ("PAUSE", 3),
    ("RECSEPCHAR", 7),
    ("SERVEROUTPUT", 8),
    ("SHIFTINOUT", 5),
    ("SHOWMODE", 4),
    ("SQLCASE", 4),
    ("SQLCONTINUE", 4),
    ("SQLPREFIX", 6),
    ("SQLTERMINATOR", 4),
    ("SUFFIX", 3),
    ("TAB", 3),
    ("TIME", 2),
    ("XQUERY", 6),
];

/// Names that have an effect, with their shortest forms.
const NAMES: &[(&str, usize)] = &[
    ("LINESIZE", 3),
    ("PAGESIZE", 5),
    ("NEWPAGE", 4),
    ("FEEDBACK", 4),
    ("HEADING", 3),
    ("WRAP", 3),
    ("VERIFY", 3),
    ("ECHO", 3),
    ("SQLPROMPT", 4),
    ("SQLNUMBER", 4),
    ("AUTORECOVERY", 12),
    ("COLSEP", 6),
    ("NULL", 4),
    ("NUMWIDTH", 3),
    ("UNDERLINE", 3),
    ("SQLBLANKLINES", 4),
    ("DEFINE", 3),
    ("TIMING", 4),
    ("RECSEP", 6),
    ("TERMOUT", 4),
    ("TRIMOUT", 4),
    ("TRIMSPOOL", 5),
];

/// Executes what follows SET: one or several names with their values.
///
/// # Errors
/// The SP2 line of the first that is wrong; those before it are set.
pub(super) fn set(
    text: &str,
    settings: &mut Settings,
    console: &mut Console,
) -> Result<(), String> {
    let words = split_words(text);
    let mut rest = words.iter();
    let Some(mut name) = rest.next() else {
        return Err("SP2-0281: set missing set option".into());
    };
    loop {
        let upper = name.to_ascii_uppercase();
        if let Some(known) = find(NAMES, &upper) {
            let value = rest.next().ok_or_else(|| missing(&known.to_lowercase()))?;
            one(known, value, settings, console)?;
        } else if find(IGNORED, &upper).is_some() {
            ignore_value(&upper, &mut rest);
        } else {
            return Err(format!("SP2-0158: unknown SET option \"{name}\""));
        }
        match rest.next() {
            Some(next) => name = next,
            None => return Ok(()),
        }
    }
}

/// Words, where quotes hold a word together and may hold nothing.
pub(super) fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = if matches!(first, '\'' | '"') {
            rest[1..].split_once(first).unwrap_or((&rest[1..], ""))
        } else {
            rest.split_once(char::is_whitespace).unwrap_or((rest, ""))
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

fn find(names: &[(&'static str, usize)], given: &str) -> Option<&'static str> {
    let matches = |(name, shortest): &&(&'static str, usize)| {
        given.len() >= *shortest && name.starts_with(given)
    };
    names.iter().find(matches).map(|(name, _)| *name)
}

/// A value that has no effect; SERVEROUTPUT and MARKUP take several words.
fn ignore_value<'a>(name: &str, rest: &mut (impl Iterator<Item = &'a String> + Clone)) {
    rest.next();
    if name.starts_with("SERVEROUT") || name.starts_with("MARK") {
        let more = [
            "SIZE",
            "UNLIMITED",
            "FORMAT",
            "WRAPPED",
            "WORD_WRAPPED",
            "TRUNCATED",
            "ON",
            "OFF",
            "QUOTE",
            "DELIMITER",
        ];
        loop {
            let mut ahead = rest.clone();
            match ahead.next() {
                Some(word)
                    if more.iter().any(|known| word.eq_ignore_ascii_case(known))
                        || word.parse::<u32>().is_ok() =>
                {
                    *rest = ahead;
                }
                _ => return,
            }
        }
    }
}

fn missing(name: &str) -> String {
    format!("SP2-0281: {name} missing set option")
}

fn one(
    name: &str,
    value: &str,
    settings: &mut Settings,
    console: &mut Console,
) -> Result<(), String> {
    match name {
        "LINESIZE" => settings.line_size = number(name, value, 1, 32_767)?,
        "PAGESIZE" => settings.page_size = number(name, value, 0, 50_000)?,
        "NUMWIDTH" => settings.number_width = number(name, value, 2, 128)?,
        "NEWPAGE" => {
            settings.new_page = if value.eq_ignore_ascii_case("NONE") {
                0
            } else {
                number(name, value, 0, 999)?
            }
        }
        "FEEDBACK" => settings.feedback = feedback(value)?,
        "HEADING" => settings.heading = on_off(name, value)?,
        "WRAP" => settings.wrap = on_off(name, value)?,
        "VERIFY" => settings.verify = on_off(name, value)?,
        "ECHO" => settings.echo = on_off(name, value)?,
        "SQLPROMPT" => settings.prompt = value.to_owned(),
        "SQLNUMBER" => settings.statement_numbers = on_off(name, value)?,
        "AUTORECOVERY" => settings.auto_recovery = on_off(name, value)?,
        "COLSEP" => settings.column_separator = value.to_owned(),
        "NULL" => settings.null = value.to_owned(),
        "UNDERLINE" => settings.underline = underline(value)?,
        "SQLBLANKLINES" => settings.blank_lines_in_sql = on_off(name, value)?,
        "DEFINE" => settings.define = define(value)?,
        "TIMING" => settings.timing = on_off(name, value)?,
        "RECSEP" => settings.record_separator = !value.eq_ignore_ascii_case("OFF"),
        "TERMOUT" => console.termout = on_off(name, value)?,
        "TRIMOUT" => console.trim_output = on_off(name, value)?,
        _ => console.trim_spool = on_off(name, value)?,
    }
    Ok(())
}

fn number(name: &str, value: &str, low: usize, high: usize) -> Result<usize, String> {
    let name = name.to_lowercase();
    let number: usize = value
        .parse()
        .map_err(|_| format!("SP2-0268: {name} option not a valid number"))?;
    if (low..=high).contains(&number) {
        return Ok(number);
    }
    Err(format!(
        "SP2-0267: {name} option {number} out of range ({low} through {high})"
    ))
}

fn on_off(name: &str, value: &str) -> Result<bool, String> {
    if value.eq_ignore_ascii_case("ON") {
        return Ok(true);
    }
    if value.eq_ignore_ascii_case("OFF") {
        return Ok(false);
    }
    Err(format!(
        "SP2-0265: {} must be set ON or OFF",
        name.to_lowercase()
    ))
}

fn feedback(value: &str) -> Result<Option<usize>, String> {
    match value.to_ascii_uppercase().as_str() {
        "ON" => Ok(Some(6)),
        "OFF" => Ok(None),
        _ => number("FEEDBACK", value, 0, 50_000).map(|rows| Some(rows).filter(|rows| *rows > 0)),
    }
}

fn underline(value: &str) -> Result<Option<char>, String> {
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(Some(character)),
        _ => on_off("UNDERLINE", value).map(|on| on.then_some('-')),
    }
}

fn define(value: &str) -> Result<Option<char>, String> {
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) if !character.is_alphanumeric() => Ok(Some(character)),
        _ => on_off("DEFINE", value).map(|on| on.then_some('&')),
    }
}

/// What SHOW says of a setting; None for a name that is none.
pub(super) fn show(name: &str, settings: &Settings, console: &Console) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let switch = |name: &str, on: bool| format!("{name} {}", if on { "ON" } else { "OFF" });
    let line = match find(NAMES, &upper)? {
        "LINESIZE" => format!("linesize {}", settings.line_size),
        "PAGESIZE" => format!("pagesize {}", settings.page_size),
        "NUMWIDTH" => format!("numwidth {}", settings.number_width),
        "NEWPAGE" => format!("newpage {}", settings.new_page),
        "FEEDBACK" => match settings.feedback {
            Some(rows) => format!("FEEDBACK ON for {rows} or more rows"),
            None => "feedback OFF".into(),
        },
        "HEADING" => switch("heading", settings.heading),
        "WRAP" => format!(
            "wrap : lines will be {}",
            if settings.wrap {
                "wrapped"
            } else {
                "truncated"
            }
        ),
        "VERIFY" => switch("verify", settings.verify),
        "ECHO" => switch("echo", settings.echo),
        "SQLPROMPT" => format!("sqlprompt \"{}\"", settings.prompt),
        "SQLNUMBER" => switch("sqlnumber", settings.statement_numbers),
        "AUTORECOVERY" => switch("autorecovery", settings.auto_recovery),
        "COLSEP" => format!("colsep \"{}\"", settings.column_separator),
        "NULL" => format!("null \"{}\"", settings.null),
        "UNDERLINE" => switch("underline", settings.underline.is_some()),
        "SQLBLANKLINES" => switch("sqlblanklines", settings.blank_lines_in_sql),
        "DEFINE" => settings.define.map_or("define OFF".into(), |character| {
            format!("define \"{character}\"")
        }),
        "TIMING" => switch("timing", settings.timing),
        "RECSEP" => switch("recsep", settings.record_separator),
        "TERMOUT" => switch("termout", console.termout),
        "TRIMOUT" => switch("trimout", console.trim_output),
        _ => switch("trimspool", console.trim_spool),
    };
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Result<Settings, String> {
        let mut settings = Settings::default();
        let mut console = Console::new(Box::new(std::io::empty()), Box::new(std::io::sink()));
        set(text, &mut settings, &mut console).map(|()| settings)
    }

    #[test]
    fn several_settings_fit_into_one_command() {
        let settings = after("LINESIZE 32767 pages 0 FEED off HEADING OFF TAB OFF SERVEROUTPUT ON SIZE UNLIMITED NUMWIDTH 40").unwrap();
        assert_eq!(
            (
                settings.line_size,
                settings.page_size,
                settings.number_width
            ),
            (32_767, 0, 40)
        );
        assert!(!settings.heading && settings.feedback.is_none());
        assert_eq!(after("SQLPROMPT ''").unwrap().prompt, "");
        assert_eq!(after("sqlprompt 'DBA> '").unwrap().prompt, "DBA> ");
        assert_eq!(after("define off").unwrap().define, None);
        assert_eq!(after("define #").unwrap().define, Some('#'));
    }

    #[test]
    fn wrong_settings_get_sqlplus_number() {
        let number = |text: &str| after(text).unwrap_err()[..8].to_owned();
        assert_eq!(number(""), "SP2-0281");
        assert_eq!(number("linesize"), "SP2-0281");
        assert_eq!(number("linesize x"), "SP2-0268");
        assert_eq!(number("linesize 0"), "SP2-0267");
        assert_eq!(number("heading maybe"), "SP2-0265");
        assert_eq!(number("moon on"), "SP2-0158");
    }
}
