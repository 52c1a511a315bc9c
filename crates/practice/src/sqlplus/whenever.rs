//! WHENEVER and EXIT: when a run ends, and with which status.
//! What lives here: their words. What does not: noticing errors.

/// What an error leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    Continue,
    Exit(Status),
}

/// An exit status in SQL*Plus's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Number(u64),
    /// SQL.SQLCODE: the number of the last ORA error, of which the operating system keeps the lowest eight bits.
    SqlCode,
}

impl Status {
    /// What the process ends with.
    pub fn value(self, last_code: u32) -> u8 {
        match self {
            Status::Number(number) => (number % 256) as u8,
            Status::SqlCode => (last_code % 256) as u8,
        }
    }
}

/// Which errors a WHENEVER is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    Sql,
    OperatingSystem,
}

/// Reads what follows WHENEVER.
///
/// # Errors
/// An SP2 line.
pub(super) fn whenever(words: &[String]) -> Result<(Errors, Reaction), String> {
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let mut rest = upper.iter().map(String::as_str);
    let errors = match rest.next() {
        Some("SQLERROR") => Errors::Sql,
        Some("OSERROR") => Errors::OperatingSystem,
        Some(other) => {
            return Err(format!(
                "SP2-0735: unknown WHENEVER option beginning \"{other}\""
            ));
        }
        None => return Err("SP2-0735: unknown WHENEVER option beginning \"\"".into()),
    };
    let reaction = match rest.next() {
        Some("CONTINUE") => match rest.next() {
            None | Some("NONE" | "COMMIT" | "ROLLBACK") => Reaction::Continue,
            Some(other) => {
                return Err(format!(
                    "SP2-0735: unknown WHENEVER option beginning \"{other}\""
                ));
            }
        },
        Some("EXIT") => Reaction::Exit(status(&rest.collect::<Vec<_>>())?),
        _ => return Err("SP2-0735: unknown WHENEVER option beginning \"\"".into()),
    };
    Ok((errors, reaction))
}

/// Reads what follows EXIT: a status, then possibly COMMIT or ROLLBACK, which change nothing here.
///
/// # Errors
/// An SP2 line.
pub(super) fn status(words: &[&str]) -> Result<Status, String> {
    let words = match words {
        [rest @ .., "COMMIT" | "ROLLBACK"] => rest,
        all => all,
    };
    match words {
        [] | ["SUCCESS"] => Ok(Status::Number(0)),
        ["FAILURE"] => Ok(Status::Number(1)),
        ["WARNING"] => Ok(Status::Number(2)),
        ["SQL.SQLCODE"] => Ok(Status::SqlCode),
        [one] => one.parse().map(Status::Number).map_err(|_| format!("SP2-0584: EXIT variable \"{one}\" was non-numeric")),
        _ => Err("SP2-0583: Usage: {EXIT|QUIT} [SUCCESS|FAILURE|WARNING|n|SQL.SQLCODE] [COMMIT|ROLLBACK]".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Errors, Reaction), String> {
        whenever(
            &text
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn reactions_are_read() {
        assert_eq!(
            read("sqlerror exit failure rollback"),
            Ok((Errors::Sql, Reaction::Exit(Status::Number(1))))
        );
        assert_eq!(
            read("oserror exit 7"),
            Ok((Errors::OperatingSystem, Reaction::Exit(Status::Number(7))))
        );
        assert_eq!(
            read("sqlerror continue none"),
            Ok((Errors::Sql, Reaction::Continue))
        );
        assert_eq!(
            read("sqlerror exit sql.sqlcode"),
            Ok((Errors::Sql, Reaction::Exit(Status::SqlCode)))
        );
        assert!(
            read("sqlerror explode").is_err()
                && read("").is_err()
                && read("sqlerror exit moon").is_err()
        );
    }

    #[test]
    fn a_status_keeps_eight_bits() {
        assert_eq!(Status::SqlCode.value(1536), 0);
        assert_eq!(Status::SqlCode.value(1034), 10);
        assert_eq!(Status::Number(257).value(0), 1);
    }
}
