//! Which names a part of a query sees, and of what type they are.
//! What lives here: resolution of columns. What does not: expressions over them.
//!
//! SQLite knows sources as s1, s2, … and columns as c1, c2, …, so no name of a user ever reaches it.

use super::catalog::Kind;
use super::expression::quoted;
use crate::engine::error::{OraError, OraResult};

/// A column that can be named.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub name: String,
    pub kind: Kind,
    /// Longest text, where it is known.
    pub width: Option<u32>,
    /// How SQLite knows it.
    pub sql: String,
    /// The second of two columns joined by USING.
    pub hidden: bool,
}

/// A source of FROM with its columns.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub alias: String,
    pub columns: Vec<Output>,
}

/// The sources of one SELECT and those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'a> {
    pub sources: Vec<Named>,
    pub outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    /// The column of this name.
    ///
    /// # Errors
    /// ORA-00904 when there is none, ORA-00918 when there are several.
    pub fn resolve(&self, qualifier: Option<&str>, name: &str) -> OraResult<&Output> {
        match self.resolve_here(qualifier, name)? {
            Some(column) => Ok(column),
            None => match self.outer {
                Some(outer) => outer.resolve(qualifier, name),
                None => Err(invalid_identifier(qualifier, name)),
            },
        }
    }

    /// The column of this name among this SELECT's own sources.
    ///
    /// # Errors
    /// ORA-00918 when there are several.
    pub fn resolve_here(&self, qualifier: Option<&str>, name: &str) -> OraResult<Option<&Output>> {
        let sources = self
            .sources
            .iter()
            .filter(|source| qualifier.is_none_or(|alias| source.alias == alias));
        let mut found = sources
            .flat_map(|source| &source.columns)
            .filter(|column| column.name == name && (qualifier.is_some() || !column.hidden));
        let first = found.next();
        if found.next().is_some() {
            return Err(OraError::new(918, "column ambiguously defined"));
        }
        Ok(first)
    }

    /// The columns that `*` stands for.
    pub fn visible(&self) -> impl Iterator<Item = &Output> {
        self.sources
            .iter()
            .flat_map(|source| &source.columns)
            .filter(|column| !column.hidden)
    }
}

/// ORA-00904.
pub(super) fn invalid_identifier(qualifier: Option<&str>, name: &str) -> OraError {
    let parts: Vec<String> = qualifier
        .into_iter()
        .chain([name])
        .map(str::to_owned)
        .collect();
    OraError::new(904, format!("{}: invalid identifier", quoted(&parts)))
}
