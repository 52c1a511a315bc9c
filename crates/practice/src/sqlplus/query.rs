//! The text of a statement while it is typed: where it begins, goes on and ends.
//! What lives here: the rules of `;`, `/`, `.` and blank lines. What does not: executing.

/// First words of what goes to the database.
const SQL: [&str; 24] = [
    "SELECT",
    "WITH",
    "ALTER",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "CREATE",
    "DROP",
    "GRANT",
    "REVOKE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "TRUNCATE",
    "LOCK",
    "EXPLAIN",
    "ANALYZE",
    "AUDIT",
    "NOAUDIT",
    "COMMENT",
    "RENAME",
    "PURGE",
    "CALL",
];

/// A statement that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    pub lines: Vec<String>,
    /// PL/SQL ends with `/` only.
    block: bool,
}

/// What a line did to the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// More is to come.
    More,
    /// It is to be executed.
    Run,
    /// It stays in the buffer.
    Keep,
}

/// Whether a line begins a statement for the database.
pub(super) fn begins(line: &str) -> bool {
    let trimmed = line.trim_start();
    let word = first_word(trimmed);
    if trimmed.starts_with('(') || SQL.contains(&word.as_str()) || is_block(trimmed) {
        return true;
    }
    let second = first_word(trimmed[word.len().min(trimmed.len())..].trim_start());
    word == "SET"
        && matches!(
            second.as_str(),
            "TRANSACTION" | "ROLE" | "CONSTRAINT" | "CONSTRAINTS"
        )
}

fn is_block(line: &str) -> bool {
    let words: Vec<String> = line
        .split_whitespace()
        .take(4)
        .map(str::to_ascii_uppercase)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_unit = |word: &str| {
        matches!(
            word,
            "FUNCTION" | "PROCEDURE" | "PACKAGE" | "TRIGGER" | "TYPE"
        )
    };
    match words.as_slice() {
        ["BEGIN" | "DECLARE", ..] => true,
        ["CREATE", "OR", "REPLACE", unit] | ["CREATE", unit, ..] => is_unit(unit),
        _ => false,
    }
}

/// The letters at the start of a line, in capitals.
pub(super) fn first_word(line: &str) -> String {
    let end = line
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(line.len());
    line[..end].to_ascii_uppercase()
}

impl Buffer {
    /// Begins a statement with its first line.
    pub fn begin(&mut self, line: &str) -> Typed {
        self.lines.clear();
        self.block = is_block(line.trim_start());
        self.add(line, false)
    }

    /// Adds a line. `blank_lines` is SET SQLBLANKLINES.
    pub fn add(&mut self, line: &str, blank_lines: bool) -> Typed {
        let trimmed = line.trim();
        match trimmed {
            "/" => return Typed::Run,
            "." => return Typed::Keep,
            "" if !blank_lines && !self.block && !self.lines.is_empty() => return Typed::Keep,
            _ => {}
        }
        if !self.block && trimmed.ends_with(';') {
            self.lines
                .push(line.trim_end().trim_end_matches(';').to_owned());
            return Typed::Run;
        }
        self.lines.push(line.to_owned());
        Typed::More
    }

    /// The statement.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(lines: &[&str]) -> (Vec<Typed>, String) {
        let mut buffer = Buffer::default();
        let mut answers = vec![buffer.begin(lines[0])];
        answers.extend(lines[1..].iter().map(|line| buffer.add(line, false)));
        (answers, buffer.text())
    }

    #[test]
    fn a_semicolon_or_a_slash_runs_it() {
        assert_eq!(
            typed(&["select 1 from dual;"]),
            (vec![Typed::Run], "select 1 from dual".into())
        );
        assert_eq!(
            typed(&["select 1", "from dual", "/"]),
            (
                vec![Typed::More, Typed::More, Typed::Run],
                "select 1\nfrom dual".into()
            )
        );
        assert_eq!(typed(&["select 1", ""]).0, [Typed::More, Typed::Keep]);
        assert_eq!(typed(&["select 1", "."]).0, [Typed::More, Typed::Keep]);
    }

    #[test]
    fn a_block_runs_with_a_slash_only() {
        let (answers, text) = typed(&["begin", "null;", "", "end;", "/"]);
        assert_eq!(answers.last(), Some(&Typed::Run));
        assert_eq!(text, "begin\nnull;\n\nend;");
        assert_eq!(
            typed(&["create or replace procedure x as", "null;"]).0,
            [Typed::More, Typed::More]
        );
    }

    #[test]
    fn statements_are_told_from_commands() {
        for sql in [
            "select 1",
            " ALTER system x",
            "(select 1",
            "begin",
            "set role x",
            "with x as",
        ] {
            assert!(begins(sql), "{sql}");
        }
        for command in ["set linesize 5", "startup", "selection", "", "/", "exit"] {
            assert!(!begins(command), "{command}");
        }
    }
}
