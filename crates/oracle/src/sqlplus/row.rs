//! Rows that survive a text interface: one delimited and escaped text column per row, whatever the values hold.
//! What lives here: the SELECT that codes them and the parser that takes them apart. What does not: any view's columns.
//!
//! A row is `|first|second|`. Inside a value `\\` is a backslash, `\p` the delimiter, `\n` and `\r` the line ends, and a
//! value of exactly `\z` is NULL. The expression uses `||`, REPLACE, CHR, NVL and TO_CHAR only, which every release from
//! 10g on knows; SET MARKUP CSV came with 12.2 and would not do.

use std::str::FromStr;
use std::sync::Arc;

use super::error::SqlplusError;
use super::statement::shorten;
use crate::scn::Scn;
use crate::time::OracleTime;

/// Numbers by which the releases say "no end yet": 48 bits set, the 12.2 form, 64 bits set.
const OPEN_ENDED_NUMBERS: [u64; 3] = [0xffff_ffff_ffff, 0x8100_ffff_ffff_ffff, u64::MAX];

/// A query in our coding.
pub(super) struct Select {
    text: String,
    shown: String,
    names: Arc<[String]>,
}

impl Select {
    /// One column expression a line, because SQL*Plus limits the length of lines, not of statements.
    pub(super) fn new(columns: &[&str], from_where: &str) -> Select {
        let mut text = String::from("SELECT '|'");
        for column in columns {
            let (expression, _) = split_alias(column);
            text.push_str("\n|| NVL(REPLACE(REPLACE(REPLACE(REPLACE(TO_CHAR(");
            text.push_str(expression);
            text.push_str(r"),'\','\\'),'|','\p'),CHR(10),'\n'),CHR(13),'\r'),'\z') || '|'");
        }
        text.push_str("\nFROM ");
        text.push_str(from_where);
        let names = columns
            .iter()
            .map(|column| split_alias(column).1.to_owned())
            .collect();
        let shown = shorten(&format!("SELECT {} FROM {from_where}", columns.join(", ")));
        Select { text, shown, names }
    }

    /// The query without our coding, for messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn parse(&self, lines: &[String]) -> Result<Vec<Row>, SqlplusError> {
        lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(|line| self.parse_line(line))
            .collect()
    }

    fn parse_line(&self, line: &str) -> Result<Row, SqlplusError> {
        let garbled = |why: &str| SqlplusError::Garbled {
            statement: self.shown.clone(),
            why: why.to_owned(),
            line: shorten(line),
        };
        let body = line
            .strip_prefix('|')
            .and_then(|rest| rest.strip_suffix('|'))
            .ok_or_else(|| garbled("the line is no row of ours"))?;
        let values = body
            .split('|')
            .map(unescape)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| garbled("a value holds an escape that we do not write"))?;
        if values.len() != self.names.len() {
            return Err(garbled("the number of columns is wrong"));
        }
        Ok(Row {
            names: Arc::clone(&self.names),
            values,
        })
    }
}

/// Splits `expression AS name`; without an alias the expression names itself, less its table alias.
fn split_alias(column: &str) -> (&str, &str) {
    match column.rsplit_once(" AS ") {
        Some((expression, name)) => (expression.trim(), name.trim()),
        None => (
            column,
            column.rsplit_once('.').map_or(column, |(_, name)| name),
        ),
    }
}

/// `None` when the coding is broken, `Some(None)` for NULL.
fn unescape(coded: &str) -> Option<Option<String>> {
    if coded == r"\z" {
        return Some(None);
    }
    let mut value = String::with_capacity(coded.len());
    let mut characters = coded.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        value.push(match characters.next()? {
            '\\' => '\\',
            'p' => '|',
            'n' => '\n',
            'r' => '\r',
            _ => return None,
        });
    }
    Some(Some(value))
}

/// One row of an answer, its values by column name. Asking for a column that was not queried is a bug and panics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    names: Arc<[String]>,
    values: Vec<Option<String>>,
}

impl Row {
    /// A row made by hand.
    pub fn from_pairs(pairs: &[(&str, Option<&str>)]) -> Row {
        Row {
            names: pairs.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: pairs
                .iter()
                .map(|(_, value)| value.map(str::to_owned))
                .collect(),
        }
    }

    /// The value, or None where it is NULL.
    pub fn optional(&self, name: &str) -> Option<&str> {
        let index = self
            .names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        let index = index.unwrap_or_else(|| {
            panic!(
                "column {name} was not queried, only {}",
                self.names.join(", ")
            )
        });
        self.values[index].as_deref()
    }

    /// The value as text; NULL is an error.
    pub fn text(&self, name: &str) -> Result<&str, SqlplusError> {
        self.optional(name)
            .ok_or_else(|| self.garbled(name, "it is NULL"))
    }

    /// The value as a whole number of the wanted width.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<N, SqlplusError> {
        self.text(name)?
            .trim()
            .parse()
            .map_err(|_| self.garbled(name, "it is no number that fits"))
    }

    /// The value as a whole number, or None where it is NULL.
    pub fn optional_number<N: FromStr>(&self, name: &str) -> Result<Option<N>, SqlplusError> {
        self.optional(name).map(|_| self.number(name)).transpose()
    }

    /// The value as an SCN; the numbers that mean "no end yet" become [`Scn::OPEN_ENDED`].
    pub fn scn(&self, name: &str) -> Result<Scn, SqlplusError> {
        let number: u64 = self.number(name)?;
        Ok(if OPEN_ENDED_NUMBERS.contains(&number) {
            Scn::OPEN_ENDED
        } else {
            Scn::new(number)
        })
    }

    /// The value as a time in the fixed date format, or None where it is NULL.
    pub fn time(&self, name: &str) -> Result<Option<OracleTime>, SqlplusError> {
        let Some(text) = self.optional(name) else {
            return Ok(None);
        };
        OracleTime::parse(text)
            .map(Some)
            .ok_or_else(|| self.garbled(name, "it is no time in the form YYYY-MM-DD HH24:MI:SS"))
    }

    fn garbled(&self, name: &str, why: &str) -> SqlplusError {
        SqlplusError::Garbled {
            statement: format!("SELECT {} ...", self.names.join(", ")),
            why: format!("column {name}: {why}"),
            line: self
                .values
                .iter()
                .map(|value| value.as_deref().unwrap_or("(null)"))
                .collect::<Vec<_>>()
                .join(" | "),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the database makes of a value with the expression of [`Select::new`].
    fn code(value: Option<&str>) -> String {
        match value {
            None => r"\z".to_owned(),
            Some(text) => text
                .replace('\\', r"\\")
                .replace('|', r"\p")
                .replace('\n', r"\n")
                .replace('\r', r"\r"),
        }
    }

    fn select(columns: &[&str]) -> Select {
        Select::new(columns, "v$datafile")
    }

    proptest! {
        #[test]
        fn any_values_survive_the_coding(values in proptest::collection::vec(proptest::option::of("(\\PC|[\\\\|\n\rz]){0,12}"), 1..5)) {
            let names: Vec<String> = (0..values.len()).map(|index| format!("c{index}")).collect();
            let columns: Vec<&str> = names.iter().map(String::as_str).collect();
            let line = format!("|{}|", values.iter().map(|value| code(value.as_deref())).collect::<Vec<_>>().join("|"));
            let rows = select(&columns).parse(&[line]).unwrap();
            let read: Vec<Option<&str>> = columns.iter().map(|name| rows[0].optional(name)).collect();
            let written: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn any_line_is_parsed_or_refused_without_a_panic(line in "\\PC{0,40}") {
            let _ = select(&["a", "b"]).parse(&[line]); // Only that it returns is asked here.
        }
    }

    #[test]
    fn columns_are_named_by_alias_or_by_themselves() {
        let rows = select(&["d.NAME", "t.NAME AS tablespace", "SUM(a.b) AS total"])
            .parse(&["|/x|SYSTEM|7|".to_owned()])
            .unwrap();
        assert_eq!(
            (
                rows[0].text("name").unwrap(),
                rows[0].text("TABLESPACE").unwrap()
            ),
            ("/x", "SYSTEM")
        );
        assert_eq!(rows[0].number::<u32>("total").unwrap(), 7);
    }

    #[test]
    fn noise_between_rows_is_refused_and_blank_lines_are_not() {
        let line = |text: &str| text.to_owned();
        assert_eq!(
            select(&["a"])
                .parse(&[line("|1|"), line(""), line("|2|")])
                .unwrap()
                .len(),
            2
        );
        for noise in ["2 rows selected.", "|1|2|", "|1", "1|", r"|\q|", r"|\|"] {
            assert!(select(&["a"]).parse(&[line(noise)]).is_err(), "{noise}");
        }
    }

    #[test]
    fn numbers_scns_and_times_are_checked() {
        let row = Row::from_pairs(&[
            ("n", Some("300")),
            ("open", Some("281474976710655")),
            ("at", Some("1999-02-07 23:19:19")),
            ("none", None),
        ]);
        assert_eq!(row.number::<u32>("n").unwrap(), 300);
        assert!(row.number::<u8>("n").is_err(), "300 does not fit");
        assert_eq!(row.scn("open").unwrap(), Scn::OPEN_ENDED);
        assert_eq!(row.scn("n").unwrap(), Scn::new(300));
        assert_eq!(
            row.time("at").unwrap(),
            OracleTime::from_civil(1999, 2, 7, 23, 19, 19)
        );
        assert!(row.time("n").is_err());
        assert_eq!(row.time("none").unwrap(), None);
        assert!(row.text("none").is_err() && row.number::<u32>("none").is_err());
        assert_eq!(row.optional_number::<u32>("none").unwrap(), None);
    }

    #[test]
    #[should_panic(expected = "was not queried")]
    fn a_column_that_was_not_asked_for_is_a_bug() {
        Row::from_pairs(&[("n", None)]).optional("m");
    }
}
