//! What SET and COLUMN have set.
//! What lives here: the values. What does not: the words that set them (`set`, `command`).

use std::collections::HashMap;

/// Settings of a session.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub line_size: usize,
    /// Zero: no headings, no pages.
    pub page_size: usize,
    pub new_page: usize,
    /// Rows from which their number is told; None is OFF.
    pub feedback: Option<usize>,
    pub heading: bool,
    pub wrap: bool,
    pub verify: bool,
    pub echo: bool,
    pub prompt: String,
    pub statement_numbers: bool,
    pub auto_recovery: bool,
    pub column_separator: String,
    pub null: String,
    pub number_width: usize,
    pub underline: Option<char>,
    pub blank_lines_in_sql: bool,
    /// The character of substitution variables; None is OFF.
    pub define: Option<char>,
    pub timing: bool,
    /// A blank line after a row that took several: SET RECSEP.
    pub record_separator: bool,
    pub columns: HashMap<String, ColumnFormat>,
}

/// What COLUMN says of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ColumnFormat {
    pub heading: Option<String>,
    pub width: Option<usize>,
    /// A format model of a number.
    pub model: Option<String>,
    pub null: Option<String>,
    pub hidden: bool,
    pub truncated: bool,
    /// The variable that takes the last row's value.
    pub new_value: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            line_size: 80,
            page_size: 14,
            new_page: 1,
            feedback: Some(6),
            heading: true,
            wrap: true,
            verify: true,
            echo: false,
            prompt: "SQL> ".into(),
            statement_numbers: true,
            auto_recovery: false,
            column_separator: " ".into(),
            null: String::new(),
            number_width: 10,
            underline: Some('-'),
            blank_lines_in_sql: false,
            define: Some('&'),
            timing: false,
            record_separator: true,
            columns: HashMap::new(),
        }
    }
}
