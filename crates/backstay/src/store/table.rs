//! Lists for people: columns as wide as their longest entry, nothing cut off.
//! What lives here: laying out. What does not: what stands in it.

use std::fmt;

/// One line that moves no cursor, whatever a path or a log has brought into it.
pub fn line(text: &str) -> String {
    text.trim_end().replace(|c: char| c.is_control(), " ")
}

/// Rows under a head.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty list with the names of its columns.
    pub fn new<const COLUMNS: usize>(head: [&str; COLUMNS]) -> Table {
        Table {
            rows: vec![head.map(str::to_owned).to_vec()],
        }
    }

    /// One more row.
    pub fn row<const COLUMNS: usize>(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row.iter().map(|cell| line(cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            let line = cells.join("  ");
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Names and values, one below the other.
pub fn described(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            format!("{name:width$}  {}", line(value))
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.join("\n")
}

/// Bytes with a unit, and exactly when they are few.
pub fn bytes(count: u64) -> String {
    if count < 10_000 {
        format!("{count} B")
    } else {
        indicatif::BinaryBytes(count).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_no_line_ends_in_blanks() {
        let mut table = Table::new(["NAME", "STATE", "WHY"]);
        table.row(["a-long-name".to_owned(), "idle".to_owned(), String::new()]);
        table.row(["ü".to_owned(), "inconsistent".to_owned(), "gone".to_owned()]);
        assert_eq!(
            table.to_string(),
            "NAME         STATE         WHY\na-long-name  idle\nü            inconsistent  gone"
        );
    }

    #[test]
    fn what_a_log_brings_along_stays_in_its_cell() {
        let mut table = Table::new(["WHAT"]);
        table.row(["ORA-1\nORA-2\u{1b}[2J\n".to_owned()]);
        assert_eq!(table.to_string(), "WHAT\nORA-1 ORA-2 [2J");
        assert_eq!(
            described(&[("Error", "a\r\nb".to_owned()), ("Detail", String::new())]),
            "Error   a  b\nDetail"
        );
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            (bytes(3).as_str(), bytes(1 << 30).as_str()),
            ("3 B", "1.00 GiB")
        );
    }
}
