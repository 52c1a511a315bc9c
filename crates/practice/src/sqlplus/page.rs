//! Tables on pages: headings, underlines, rows, the number of rows.
//! What lives here: the order of lines. What does not: single values (`layout`).

use super::layout::{Column, cell, columns};
use super::settings::Settings;
use crate::protocol::Outcome;

/// The lines of a query's result, feedback included.
pub(super) fn table(outcome: &Outcome, settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if outcome.rows.is_empty() {
        if settings.feedback.is_some() {
            lines.extend(["".into(), "no rows selected".into(), "".into()]);
        }
        return lines;
    }
    rows(outcome, settings, &mut lines);
    if settings.feedback.is_some() {
        lines.push(String::new());
    }
    if let Some(count) = row_count(outcome.rows.len(), settings) {
        lines.extend([count, String::new()]);
    }
    lines
}

/// `n rows selected.` when there are enough of them.
fn row_count(rows: usize, settings: &Settings) -> Option<String> {
    match (settings.feedback, rows) {
        (Some(from), 1) if from <= 1 => Some("1 row selected.".into()),
        (Some(from), rows) if rows >= from => Some(format!("{rows} rows selected.")),
        _ => None,
    }
}

fn rows(outcome: &Outcome, settings: &Settings, lines: &mut Vec<String>) {
    let columns = columns(outcome, settings);
    let groups = folded(&columns, settings);
    let mut on_page = usize::MAX;
    for row in &outcome.rows {
        let (mut record, wrapped) = record(row, &groups, settings);
        if wrapped && settings.record_separator {
            record.push(String::new());
        }
        if settings.page_size > 0 && on_page.saturating_add(record.len()) > settings.page_size {
            let heading = heading(&groups, settings);
            on_page = heading.len();
            lines.extend(heading);
        }
        on_page = on_page.saturating_add(record.len());
        lines.append(&mut record);
    }
}

/// The columns in groups that each fit on a line.
fn folded<'a>(columns: &'a [Column], settings: &Settings) -> Vec<Vec<&'a Column>> {
    let separator = settings.column_separator.chars().count();
    let mut groups: Vec<Vec<&Column>> = Vec::new();
    let mut width = 0;
    for column in columns {
        match groups.last_mut() {
            Some(group) if width + separator + column.width <= settings.line_size => {
                width += separator + column.width;
                group.push(column);
            }
            _ => {
                width = column.width;
                groups.push(vec![column]);
            }
        }
    }
    groups
}

fn heading(groups: &[Vec<&Column>], settings: &Settings) -> Vec<String> {
    let mut lines = vec![String::new(); settings.new_page];
    if !settings.heading {
        return lines;
    }
    let separator = &settings.column_separator;
    for group in groups {
        let names: Vec<String> = group.iter().map(|column| name(column)).collect();
        lines.push(names.join(separator));
        if let Some(underline) = settings.underline {
            let dashes: Vec<String> = group
                .iter()
                .map(|column| underline.to_string().repeat(column.width))
                .collect();
            lines.push(dashes.join(separator));
        }
    }
    lines
}

fn name(column: &Column) -> String {
    let cut: String = column.heading.chars().take(column.width).collect();
    let width = column.width;
    if column.numeric {
        format!("{cut:>width$}")
    } else {
        format!("{cut:<width$}")
    }
}

/// The lines of one row, and whether a value took more than one of them.
fn record(
    row: &[Option<String>],
    groups: &[Vec<&Column>],
    settings: &Settings,
) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    let mut wrapped = false;
    for group in groups {
        let cells: Vec<Vec<String>> = group
            .iter()
            .map(|column| {
                cell(
                    row.get(column.index).and_then(|value| value.as_deref()),
                    column,
                )
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        wrapped |= height > 1;
        for line in 0..height {
            let parts: Vec<String> = cells
                .iter()
                .zip(group)
                .map(|(cell, column)| {
                    cell.get(line)
                        .cloned()
                        .unwrap_or_else(|| " ".repeat(column.width))
                })
                .collect();
            lines.push(parts.join(&settings.column_separator));
        }
    }
    (lines, wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlplus::settings::ColumnFormat;

    fn logs(rows: usize) -> Outcome {
        let row = |index: usize| {
            vec![
                Some((index + 11).to_string()),
                Some("ACTIVE".to_owned()),
                None,
            ]
        };
        Outcome {
            columns: vec!["GROUP#".into(), "STATUS".into(), "X".into()],
            numeric: vec![true, false, false],
            widths: vec![0, 8, 1],
            rows: (0..rows).map(row).collect(),
            ..Outcome::default()
        }
    }

    fn shown(outcome: &Outcome, settings: &Settings) -> Vec<String> {
        table(outcome, settings)
            .into_iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_table_has_headings_dashes_and_aligned_values() {
        let expected = [
            "",
            "    GROUP# STATUS   X",
            "---------- -------- -",
            "        11 ACTIVE",
            "        12 ACTIVE",
            "",
        ];
        assert_eq!(shown(&logs(2), &Settings::default()), expected);
    }

    #[test]
    fn rows_are_counted_from_a_number_on() {
        let settings = Settings::default();
        assert!(!shown(&logs(5), &settings).concat().contains("selected"));
        assert_eq!(
            shown(&logs(6), &settings)[9..],
            ["", "6 rows selected.", ""]
        );
        assert_eq!(shown(&logs(0), &settings), ["", "no rows selected", ""]);
        let one = Settings {
            feedback: Some(1),
            ..Settings::default()
        };
        assert_eq!(shown(&logs(1), &one)[4..], ["", "1 row selected.", ""]);
    }

    #[test]
    fn scripts_get_rows_and_nothing_else() {
        let settings = Settings {
            page_size: 0,
            feedback: None,
            heading: false,
            ..Settings::default()
        };
        assert_eq!(shown(&logs(1), &settings), ["        11 ACTIVE"]);
        assert_eq!(shown(&logs(0), &settings), [] as [&str; 0]);
    }

    #[test]
    fn a_new_page_repeats_the_heading() {
        let lines = shown(&logs(12), &Settings::default());
        assert_eq!(
            lines.iter().filter(|line| line.contains("GROUP#")).count(),
            2
        );
        assert_eq!(lines[14], "");
        assert_eq!(lines[17].trim(), "22 ACTIVE");
    }

    #[test]
    fn columns_that_do_not_fit_go_to_the_next_line() {
        let settings = Settings {
            line_size: 20,
            ..Settings::default()
        };
        let expected = [
            "",
            "    GROUP# STATUS",
            "---------- --------",
            "X",
            "-",
            "        11 ACTIVE",
            "",
            "",
        ];
        let settings = Settings {
            line_size: 19,
            ..settings
        };
        assert_eq!(shown(&logs(1), &settings), expected);
    }

    #[test]
    fn column_commands_change_heading_width_and_presence() {
        let mut settings = Settings::default();
        let format = |change: fn(&mut ColumnFormat)| {
            let mut format = ColumnFormat::default();
            change(&mut format);
            format
        };
        settings
            .columns
            .insert("STATUS".into(), format(|format| format.width = Some(3)));
        settings
            .columns
            .insert("GROUP#".into(), format(|format| format.hidden = true));
        settings
            .columns
            .insert("X".into(), format(|format| format.null = Some("?".into())));
        let expected = ["", "STA X", "--- -", "ACT ?", "IVE", "", ""];
        assert_eq!(shown(&logs(1), &settings), expected);
    }
}
