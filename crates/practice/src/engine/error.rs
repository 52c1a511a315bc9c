//! The errors the practice database speaks: Oracle's numbers with Oracle's texts.
//! What lives here: the error type and its printing. What does not: who raises which.

use std::fmt;

/// One `ORA-` line. `text` is what follows the colon.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OraLine {
    /// The number without its leading zeros, for example 1113.
    pub code: u32,
    /// The message without the `ORA-nnnnn: ` head.
    pub text: String,
}

impl fmt::Display for OraLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ORA-{:05}: {}", self.code, self.text)
    }
}

/// An error stack as Oracle prints it: most general line first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OraError {
    /// The lines, at least one.
    pub lines: Vec<OraLine>,
}

impl OraError {
    /// A stack of one line.
    pub fn new(code: u32, text: impl Into<String>) -> OraError {
        OraError {
            lines: vec![OraLine {
                code,
                text: text.into(),
            }],
        }
    }

    /// The same stack with one more line below.
    #[must_use]
    pub fn and(mut self, code: u32, text: impl Into<String>) -> OraError {
        self.lines.push(OraLine {
            code,
            text: text.into(),
        });
        self
    }

    /// The same stack with all lines of another below.
    #[must_use]
    pub fn and_all(mut self, below: OraError) -> OraError {
        self.lines.extend(below.lines);
        self
    }

    /// The number of the first line.
    pub fn code(&self) -> u32 {
        self.lines.first().map_or(600, |line| line.code)
    }

    /// Whether any line of the stack carries this number.
    pub fn has(&self, code: u32) -> bool {
        self.lines.iter().any(|line| line.code == code)
    }
}

impl fmt::Display for OraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for OraError {}

/// What every engine call returns.
pub type OraResult<T> = Result<T, OraError>;
