//! The profile `init<SID>.sap`.
//! What lives here: reading the whole of it, checking every parameter, giving values with their defaults. What does
//! not: the table of parameters (`table`) and the syntax (`parse`).

pub mod parse;
pub mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::messages::Message;
use crate::options::nearest;
use table::{Kind, Row};

/// Largest profile that is read, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether a run must not start with it.
    pub error: bool,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The parameter, if one is concerned.
    pub parameter: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
    /// Whether the parameter is none that there is, so that its line has no effect.
    pub is_unknown: bool,
    file: PathBuf,
}

impl Finding {
    /// Whether a run must not start with it.
    pub fn is_error(&self) -> bool {
        self.error
    }

    /// The message: what its author believes to be set and is not must not pass for success.
    pub fn message(&self) -> Message {
        if self.error {
            Message::error(9044, &[self, &self.hint])
        } else if self.is_unknown {
            let place = format!(
                "{}, line {}, column {}",
                self.file.display(),
                self.line,
                self.column
            );
            Message::warning(163, &[&self.parameter, &place, &self.hint])
        } else {
            Message::info(9045, &[self])
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, line {}, column {}: {}",
            self.file.display(),
            self.line,
            self.column,
            self.what
        )
    }
}

/// A profile: what is set, and defaults for the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    set: BTreeMap<&'static str, Vec<String>>,
    defaults: BTreeMap<&'static str, String>,
}

/// Reads environment variables: the process's, or a test's.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Profile {
    /// Reads a profile with the process's environment. Errors: input and output, no regular file, or larger than
    /// [`BYTES_MAX`].
    pub fn load(path: &Path) -> io::Result<(Profile, Vec<Finding>)> {
        let text = bounded::read_text(path, BYTES_MAX)?;
        Ok(Profile::parse(&text, path, &|name| {
            std::env::var(name).ok()
        }))
    }

    /// Reads the text of a profile. Every parameter is checked, whoever uses it; the last of several counts.
    pub fn parse(text: &str, file: &Path, variables: Variables<'_>) -> (Profile, Vec<Finding>) {
        let (assignments, wrong) = parse::parse(text);
        let mut findings: Vec<Finding> = wrong
            .into_iter()
            .map(|wrong| Finding {
                error: true,
                line: wrong.at.0,
                column: wrong.at.1,
                parameter: wrong.name,
                what: wrong.what,
                is_unknown: false,
                hint: "the form is: parameter = value, or parameter = (value, value); quote blanks and '$'".to_string(),
                file: file.to_owned(),
            })
            .collect();
        let mut profile = Profile::default();
        for assignment in assignments {
            let mut note = |error: bool, at: (usize, usize), what: String, hint: String| {
                let parameter = assignment.name.clone();
                findings.push(Finding {
                    error,
                    line: at.0,
                    column: at.1,
                    parameter,
                    what,
                    hint,
                    is_unknown: false,
                    file: file.to_owned(),
                });
            };
            let Some(row) = table::find(&assignment.name) else {
                let names = table::ROWS.iter().map(|row| row.name);
                let hint = nearest(&assignment.name, names).map_or_else(
                    || "the line is ignored: correct or delete it".to_owned(),
                    |near| format!("the line is ignored: did you mean {near}?"),
                );
                let what = format!("unknown parameter '{}'", assignment.name);
                note(false, assignment.name_at, what, hint);
                if let Some(finding) = findings.last_mut() {
                    finding.is_unknown = true;
                }
                continue;
            };
            if profile.set.contains_key(row.name) {
                let what = format!(
                    "parameter '{}' is set again; the last value counts",
                    row.name
                );
                note(
                    false,
                    assignment.name_at,
                    what,
                    "delete the earlier line".to_string(),
                );
            }
            let mut values = Vec::new();
            for (value, at) in assignment.values.iter().zip(&assignment.values_at) {
                match checked(row, value, variables) {
                    Ok(value) => values.push(value),
                    Err(why) => note(
                        true,
                        *at,
                        format!("illegal value '{value}' for parameter {}: {why}", row.name),
                        row.help.to_string(),
                    ),
                }
            }
            if values.len() > 1 && !matches!(row.kind, Kind::List | Kind::Paths) {
                note(
                    true,
                    assignment.name_at,
                    format!("parameter {} takes one value", row.name),
                    row.help.to_string(),
                );
            }
            profile.set.insert(row.name, values);
        }
        for row in table::ROWS.iter().filter(|row| !row.default.is_empty()) {
            let default =
                checked(row, row.default, variables).unwrap_or_else(|_| row.default.to_string());
            profile.defaults.insert(row.name, default);
        }
        findings.sort_by_key(|finding| (finding.line, finding.column));
        (profile, findings)
    }

    /// Whether a parameter is set to something.
    pub fn is_set(&self, name: &str) -> bool {
        self.set.get(name).is_some_and(|values| !values.is_empty())
    }

    /// The first value, or the default.
    pub fn value(&self, name: &str) -> Option<&str> {
        let set = self.set.get(name).and_then(|values| values.first());
        set.or_else(|| self.defaults.get(name)).map(String::as_str)
    }

    /// All values, or the default as the only one.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.set.get(name).filter(|values| !values.is_empty()) {
            Some(values) => values.clone(),
            None => self.defaults.get(name).cloned().into_iter().collect(),
        }
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<u64> {
        self.value(name)?.parse().ok()
    }

    /// A size in bytes.
    pub fn size(&self, name: &str) -> Option<u64> {
        size(self.value(name)?)
    }
}

impl fmt::Display for Profile {
    /// What is set, in a form that reads back to the same values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |value: &String| {
            if value.contains('"') {
                format!("'{value}'")
            } else {
                format!("\"{value}\"")
            }
        };
        for (name, values) in &self.set {
            match &values[..] {
                [] => writeln!(f, "{name} =")?,
                [value] => writeln!(f, "{name} = {}", quoted(value))?,
                values => {
                    let list: Vec<String> = values.iter().map(quoted).collect();
                    writeln!(f, "{name} = ({})", list.join(",\n  "))?;
                }
            }
        }
        Ok(())
    }
}

fn checked(row: &Row, value: &str, variables: Variables<'_>) -> Result<String, String> {
    match row.kind {
        Kind::Word(words) => {
            let found = words.iter().find(|word| word.eq_ignore_ascii_case(value));
            found.map(|word| word.to_string()).ok_or_else(|| {
                let near = nearest(value, words.iter().copied())
                    .map(|near| format!("did you mean {near}? "))
                    .unwrap_or_default();
                format!("{near}it takes {}", words.join(", "))
            })
        }
        Kind::Integer(low, high) => match value.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(value.to_string()),
            _ => Err(format!("it takes a whole number from {low} to {high}")),
        },
        Kind::Size => size(value)
            .map(|_| value.to_string())
            .ok_or_else(|| "it takes a number with K, M or G behind it".to_string()),
        Kind::Command(dollars) => {
            let found = value.matches('$').count();
            let enough = found >= dollars;
            if enough {
                Ok(value.to_string())
            } else {
                Err(format!("it needs {dollars} '$' and has {found}"))
            }
        }
        Kind::Path | Kind::Paths => expand(value, variables),
        Kind::List | Kind::Text => Ok(value.to_string()),
    }
}

/// `?`, `@` and `$VARIABLE` filled in; what comes out must be absolute.
fn expand(value: &str, variables: Variables<'_>) -> Result<String, String> {
    let variable = |name: &str| {
        variables(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("{name} is not set"))
    };
    let mut out = String::new();
    let mut letters = value.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '?' => out.push_str(&variable("ORACLE_HOME")?),
            '@' => out.push_str(&variable("ORACLE_SID")?),
            '$' => {
                let mut name = String::new();
                while let Some(next) = letters.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(next);
                }
                out.push_str(&variable(&name)?);
            }
            letter => out.push(letter),
        }
    }
    if Path::new(&out).is_absolute() {
        Ok(out)
    } else {
        Err("it takes an absolute path".to_string())
    }
}

/// Bytes of `<number>[K|M|G]`.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| "kKmMgG".contains(c));
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Severity;
    use proptest::prelude::*;

    fn variables(name: &str) -> Option<String> {
        match name {
            "ORACLE_HOME" | "SAPDATA_HOME" => Some("/oracle/SND".to_string()),
            "ORACLE_SID" => Some("SND".to_string()),
            _ => None,
        }
    }

    fn read(text: &str) -> (Profile, Vec<Finding>) {
        Profile::parse(text, Path::new("/oracle/SND/dbs/initSND.sap"), &variables)
    }

    #[test]
    fn the_article_s_profile_is_read_without_a_finding() {
        let (profile, findings) = read(
            "# of the reference article\nbackup_mode = all\nbackup_type = online\nbackup_dev_type = tape\n\
             compress = hardware\narchive_function = save_delete\ntape_copy_cmd = cpio\ncpio_flags = -ovB\n\
             cpio_in_flags = -iuvB\ntape_address = /dev/nrmt3h\ntape_address_rew = /dev/rmt3h\n\
             rewind = \"mt -f $ rewind\"\nvolume_backup = (SNDB01, SNDB02,\n   SNDB03)\ntape_size = 1200M\n\
             dd_flags = obs=16k bs=16k\n",
        );
        assert_eq!(findings, Vec::new());
        assert_eq!(profile.value("backup_type"), Some("online"));
        assert_eq!(
            profile.list("volume_backup"),
            ["SNDB01", "SNDB02", "SNDB03"]
        );
        assert_eq!(profile.size("tape_size"), Some(1200 << 20));
        assert_eq!(profile.value("dd_flags"), Some("obs=16k bs=16k"));
        assert_eq!(profile.value("rewind"), Some("mt -f $ rewind"));
        assert_eq!(
            profile.value("backup_root_dir"),
            Some("/oracle/SND/sapbackup")
        );
        assert_eq!(
            (
                profile.integer("expir_period"),
                profile.is_set("expir_period")
            ),
            (Some(30), false)
        );
    }

    #[test]
    fn findings_name_line_column_and_what_was_meant() {
        let (profile, findings) = read(
            "backup_mod = all\nbackup_type = onlin\n\nexec_parallel = many\nbackup_mode = all\nbackup_mode = 1-4\nbackup_root_dir = relative\n",
        );
        let told: Vec<(usize, usize, bool)> = findings
            .iter()
            .map(|f| (f.line, f.column, f.error))
            .collect();
        assert_eq!(
            told,
            [
                (1, 1, false),
                (2, 15, true),
                (4, 17, true),
                (6, 1, false),
                (7, 19, true)
            ]
        );
        assert!(
            findings[0].hint.contains("did you mean backup_mode?"),
            "{}",
            findings[0].hint
        );
        let told: Vec<(u16, Severity)> = findings
            .iter()
            .map(|finding| (finding.message().number(), finding.message().severity()))
            .collect();
        assert_eq!(told[0], (163, Severity::Warning));
        assert_eq!(told[1], (9044, Severity::Error));
        assert_eq!(told[3], (9045, Severity::Info));
        assert!(
            findings[1].to_string().contains("did you mean online?"),
            "{}",
            findings[1]
        );
        assert_eq!(profile.value("backup_mode"), Some("1-4"));
    }

    #[test]
    fn broken_syntax_is_an_error_with_its_place() {
        for (text, line) in [
            ("nonsense", 1),
            ("a = (b, c", 1),
            ("\nrewind = \"mt", 2),
            ("x = y)", 1),
            ("= 3", 1),
        ] {
            let (_, findings) = read(text);
            assert!(
                findings
                    .iter()
                    .any(|finding| finding.error && finding.line == line),
                "{text}: {findings:?}"
            );
        }
        let long = format!("cpio_flags = {}", "x".repeat(5000));
        assert!(read(&long).1[0].error);
    }

    #[test]
    fn every_row_has_a_default_that_it_accepts() {
        for row in table::ROWS.iter().filter(|row| !row.default.is_empty()) {
            assert!(
                checked(row, row.default, &variables).is_ok(),
                "{}",
                row.name
            );
        }
        let mut names: Vec<_> = table::ROWS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table::ROWS.len());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,300}") {
            let _any = read(&text);
        }

        #[test]
        fn assignment_soup_never_panics(text in "([a-z_]{1,12}|=|\\(|\\)|,|\"|'|#|\\n| |\\$|/x|9M){0,60}") {
            let _any = read(&text);
        }

        #[test]
        fn what_is_printed_reads_back(mode in prop::collection::vec("[A-Za-z0-9/_ .$-]{1,12}", 1..5), days in 0u64..9999) {
            let values: Vec<String> = mode.iter().map(|value| format!("\"{value}\"")).collect();
            let (profile, _) = read(&format!("backup_mode = ({})\nexpir_period = {days}\n", values.join(", ")));
            let (again, findings) = read(&profile.to_string());
            prop_assert_eq!(findings, Vec::new());
            prop_assert_eq!(again, profile);
        }
    }
}
