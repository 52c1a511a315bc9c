//! The alert log: one time line, then what happened.
//! What lives here: the form of the lines and appending them. What does not: which events are worth a line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use oracle::time::OracleTime;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The open alert log. A line that cannot be written goes to standard error instead: it must not stop the instance.
#[derive(Debug)]
pub struct AlertLog {
    state: Mutex<(Option<File>, String)>,
}

impl AlertLog {
    /// Opens the log for appending.
    pub fn open(path: &Path) -> AlertLog {
        let file = OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = &file {
            eprintln!("alert log {}: {error}", path.display());
        }
        AlertLog {
            state: Mutex::new((file.ok(), String::new())),
        }
    }

    /// Appends `text` (one or more lines), with a time line before it unless the last one says the same second.
    pub fn write(&self, text: &str) {
        let stamp = time_line(OracleTime::now());
        let mut state = self.state.lock().expect("an alert line is written whole");
        let mut out = String::new();
        if state.1 != stamp {
            out.push_str(&stamp);
            out.push('\n');
            state.1 = stamp;
        }
        out.push_str(text);
        out.push('\n');
        let written = match &mut state.0 {
            Some(file) => file.write_all(out.as_bytes()),
            None => Err(std::io::Error::other("not open")),
        };
        if let Err(error) = written {
            eprintln!("alert log: {error}: {text}");
        }
    }
}

/// `Sun Feb 7 23:11:47 1999`, the form of the reference article.
pub fn time_line(time: OracleTime) -> String {
    let (year, month, day, hour, minute, second) = time.civil();
    let name = DAYS[weekday(year, month, day)];
    let month = MONTHS[usize::from(month).clamp(1, 12) - 1];
    format!("{name} {month} {day} {hour:02}:{minute:02}:{second:02} {year}")
}

/// Day of the week, 0 is Sunday (Sakamoto's rule).
fn weekday(year: i32, month: u8, day: u8) -> usize {
    const OFFSETS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let month = usize::from(month).clamp(1, 12);
    let year = if month < 3 { year - 1 } else { year };
    (year + year / 4 - year / 100 + year / 400 + OFFSETS[month - 1] + i32::from(day)).rem_euclid(7)
        as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_line_reads_as_in_the_article() {
        let time = OracleTime::from_civil(1999, 2, 7, 23, 11, 47).unwrap();
        assert_eq!(time_line(time), "Sun Feb 7 23:11:47 1999");
    }
}
