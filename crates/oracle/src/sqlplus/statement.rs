//! What may be typed into SQL*Plus: statements that it would silently change are refused here.
//! What lives here: the check, quoting, shortening for messages. What does not: the sending.

use super::error::SqlplusError;

/// SQL*Plus up to 11g refuses longer input lines (SP2-0027).
const LINE_BYTES_MAX: usize = 2400;
/// Less than a pipe holds, so that writing a statement can never wait for a child that does not read.
const STATEMENT_BYTES_MAX: usize = 48 * 1024;
/// How much of a statement goes into a message.
const SHOWN_CHARS_MAX: usize = 200;

/// A text as an SQL literal, quotes included. Control characters are refused: SQL*Plus reads lines.
pub fn literal(text: &str) -> Result<String, SqlplusError> {
    if text.chars().any(char::is_control) {
        return Err(SqlplusError::Unsendable {
            statement: shorten(&text.escape_debug().to_string()),
            why: "a name with a line break or another control character cannot be quoted",
        });
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// The statement without its final semicolon, or why SQL*Plus would not execute it as it stands.
pub(super) fn check(statement: &str) -> Result<&str, SqlplusError> {
    let bare = statement.trim().trim_end_matches(';').trim_end();
    let refuse = |why| {
        Err(SqlplusError::Unsendable {
            statement: shorten(statement),
            why,
        })
    };
    if bare.is_empty() {
        return refuse("it is empty");
    }
    if bare.len() > STATEMENT_BYTES_MAX {
        return refuse("it is too long");
    }
    for line in bare.split('\n') {
        let line = line.trim_end();
        if line.len() > LINE_BYTES_MAX {
            return refuse("a line is longer than SQL*Plus accepts");
        }
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return refuse("it holds a control character");
        }
        if line.is_empty()
            || line.ends_with(';')
            || line.ends_with('-')
            || matches!(line.trim(), "/" | ".")
        {
            return refuse("SQL*Plus would end or join the statement at one of its lines");
        }
        if line.trim_start().starts_with(['#', '@', '!', '$']) {
            return refuse("a line begins with a character that SQL*Plus takes for a command");
        }
    }
    Ok(bare)
}

/// The statement on one line, cut to a length that a log line bears.
pub(super) fn shorten(statement: &str) -> String {
    let flat = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{} ...", &flat[..end]),
        None => flat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_semicolon_is_ours_to_set() {
        assert_eq!(
            check(" ALTER SYSTEM SWITCH LOGFILE ; ").unwrap(),
            "ALTER SYSTEM SWITCH LOGFILE"
        );
    }

    #[test]
    fn statements_that_sqlplus_would_change_are_refused() {
        for statement in [
            "",
            " ; ",
            "select 1;\nselect 2",
            "begin null\n/\nx",
            "a\n\nb",
            "select 1 -\nfrom dual",
            "select\n@x",
            "select\n!rm x",
            "a\u{0}b",
        ] {
            assert!(
                matches!(check(statement), Err(SqlplusError::Unsendable { .. })),
                "{statement:?}"
            );
        }
        assert!(check(&"x".repeat(LINE_BYTES_MAX + 1)).is_err());
        assert!(check(&"x\n".repeat(STATEMENT_BYTES_MAX)).is_err());
    }

    #[test]
    fn quotes_in_names_are_doubled_and_line_breaks_refused() {
        assert_eq!(literal("/o'racle/x").unwrap(), "'/o''racle/x'");
        assert!(literal("/oracle\n/x").is_err());
    }

    #[test]
    fn long_statements_are_shortened_at_a_character_boundary() {
        let short = shorten(&"ä".repeat(500));
        assert!(short.ends_with(" ...") && short.chars().count() == SHOWN_CHARS_MAX + 4);
    }
}
