//! How wide the columns of a table are and how a value looks in one.
//! What lives here: widths, numbers, folding of long texts. What does not: pages and headings (`page`).

use super::settings::{ColumnFormat, Settings};
use crate::protocol::Outcome;

/// Widest column that is laid out.
const WIDTH_MAX: usize = 32_767;

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its place in the rows.
    pub index: usize,
    pub heading: String,
    pub width: usize,
    pub numeric: bool,
    pub truncated: bool,
    pub null: String,
    pub model: Option<String>,
    /// Characters that a number without a model may take.
    pub number_width: usize,
}

/// The columns that are shown.
pub(super) fn columns(outcome: &Outcome, settings: &Settings) -> Vec<Column> {
    let nothing = ColumnFormat::default();
    let mut columns = Vec::new();
    for (index, name) in outcome.columns.iter().enumerate() {
        let format = settings
            .columns
            .get(&name.to_uppercase())
            .unwrap_or(&nothing);
        if format.hidden {
            continue;
        }
        let numeric = outcome.numeric.get(index).copied().unwrap_or(false);
        let heading = format.heading.clone().unwrap_or_else(|| name.clone());
        let width = width(outcome, index, numeric, &heading, format, settings);
        columns.push(Column {
            index,
            heading,
            width: width.clamp(1, WIDTH_MAX.min(settings.line_size)),
            numeric,
            truncated: format.truncated || !settings.wrap,
            null: format.null.clone().unwrap_or_else(|| settings.null.clone()),
            model: format.model.clone(),
            number_width: settings.number_width,
        });
    }
    columns
}

fn width(
    outcome: &Outcome,
    index: usize,
    numeric: bool,
    heading: &str,
    format: &ColumnFormat,
    settings: &Settings,
) -> usize {
    if let Some(width) = format.width {
        return width;
    }
    let heading = heading.chars().count();
    if numeric {
        let width = format
            .model
            .as_ref()
            .map_or(settings.number_width, |model| model.len() + 1);
        return width.max(heading);
    }
    match outcome.widths.get(index).copied().unwrap_or(0) as usize {
        // The type does not say: as wide as the widest value.
        0 => {
            let lengths = outcome
                .rows
                .iter()
                .filter_map(|row| row.get(index)?.as_ref())
                .map(|value| value.chars().count());
            lengths.max().unwrap_or(0).max(heading)
        }
        width => width,
    }
}

/// A value as the lines it takes in its column, each padded to the column's width.
pub(super) fn cell(value: Option<&str>, column: &Column) -> Vec<String> {
    let width = column.width;
    if column.numeric {
        let text = match value {
            None => column.null.clone(),
            Some(text) => number(text, column),
        };
        return vec![format!("{text:>width$}")];
    }
    let text = value.unwrap_or(&column.null);
    let mut lines = Vec::new();
    for part in text.split('\n') {
        let characters: Vec<char> = part.trim_end_matches('\r').chars().collect();
        if characters.is_empty() {
            lines.push(" ".repeat(width));
        }
        for chunk in characters.chunks(width) {
            let chunk: String = chunk.iter().collect();
            lines.push(format!("{chunk:<width$}"));
        }
    }
    if column.truncated {
        lines.truncate(1);
    }
    lines
}

/// A number as it fits: by its format model, as it is, rounded, with an exponent, or as `#`.
fn number(text: &str, column: &Column) -> String {
    let overflow = || "#".repeat(column.width);
    if let Some(model) = &column.model {
        let shown = crate::views::format_number(text, model);
        return shown.map_or_else(|_| overflow(), |text| text.trim_start().to_owned());
    }
    let room = column.number_width;
    if text.len() <= room {
        return text.to_owned();
    }
    let Ok(value) = text.parse::<f64>() else {
        return overflow();
    };
    let whole = value.abs().trunc();
    let whole_digits = if whole < 1.0 {
        0
    } else {
        whole.log10() as usize + 1
    };
    let taken = whole_digits + usize::from(value < 0.0) + 1;
    if text.contains('.') && taken < room {
        let rounded = format!("{value:.places$}", places = room - taken);
        let short = rounded.replacen("0.", ".", usize::from(whole < 1.0));
        return short.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    // d.dddE+nn takes six characters besides the digits after the point.
    let taken = 6 + usize::from(value < 0.0);
    match room.checked_sub(taken) {
        Some(places) => scientific(value, places),
        None => overflow(),
    }
}

fn scientific(value: f64, places: usize) -> String {
    let text = format!("{value:.places$E}");
    match text.split_once('E') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(negative) => format!("{digits}E-{negative:0>2}"),
            None => format!("{digits}E+{exponent:0>2}"),
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(numeric: bool, width: usize) -> Column {
        Column {
            index: 0,
            heading: "X".into(),
            width,
            numeric,
            truncated: false,
            null: String::new(),
            model: None,
            number_width: width,
        }
    }

    fn outcome(numeric: bool, declared: u32, value: &str) -> Outcome {
        Outcome {
            columns: vec!["A_LONG_HEADING".into()],
            numeric: vec![numeric],
            widths: vec![declared],
            rows: vec![vec![Some(value.into())]],
            ..Outcome::default()
        }
    }

    #[test]
    fn widths_follow_the_type_and_the_heading() {
        let width = |outcome: &Outcome| columns(outcome, &Settings::default())[0].width;
        assert_eq!(width(&outcome(true, 0, "1")), 14);
        assert_eq!(width(&outcome(false, 3, "YES")), 3);
        assert_eq!(width(&outcome(false, 513, "x")), 80);
        assert_eq!(width(&outcome(false, 0, "x")), 14);
    }

    #[test]
    fn numbers_fit_their_column() {
        let shown = |text: &str, width| cell(Some(text), &column(true, width)).concat();
        assert_eq!(shown("42", 10), "        42");
        let wide = Column {
            number_width: 10,
            ..column(true, 12)
        };
        assert_eq!(cell(Some("281474976710655"), &wide), ["  2.8147E+14"]);
        assert_eq!(shown("281474976710655", 10), "2.8147E+14");
        assert_eq!(shown("3.3333333333333335", 10), "3.33333333");
        assert_eq!(shown(".33333333333333", 10), ".333333333");
        assert_eq!(shown("-281474976710655", 10), "-2.815E+14");
        assert_eq!(shown("281474976710655", 5), "#####");
        assert_eq!(shown("281474976710655", 40).trim(), "281474976710655");
    }

    #[test]
    fn long_texts_are_folded_or_cut() {
        let mut narrow = column(false, 3);
        assert_eq!(cell(Some("abcdefg"), &narrow), ["abc", "def", "g  "]);
        assert_eq!(cell(Some("a\nb"), &narrow), ["a  ", "b  "]);
        assert_eq!(cell(None, &narrow), ["   "]);
        narrow.truncated = true;
        assert_eq!(cell(Some("abcdefg"), &narrow), ["abc"]);
    }
}
