//! Reads a query's clauses.
//! What lives here: SELECT, FROM, set operators, ORDER BY, and the bound on nesting. What does not: expressions.

use super::expression::is_reserved;
use super::syntax::{Body, Condition, Item, JoinKind, Order, Query, Select, SetOperator, Source};
use crate::engine::error::{OraError, OraResult};
use crate::statement::lexer::{Cursor, Token};
use crate::statement::not_offered;

/// Deepest nesting of parentheses, operators and joins; each level costs stack in every later step.
const DEPTH_MAX: u32 = 50;

/// Words that end a source and therefore cannot be its alias.
const AFTER_SOURCE: [&str; 18] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "UNION",
    "MINUS",
    "INTERSECT",
    "ON",
    "USING",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "FETCH",
    "OFFSET",
];

/// Reads one query.
///
/// # Errors
/// Oracle's syntax errors.
pub(super) fn parse(text: &str) -> OraResult<Query> {
    let mut parser = Parser {
        cursor: Cursor::new(text)?,
        depth: 0,
    };
    let query = parser.query()?;
    parser.cursor.end()?;
    Ok(query)
}

/// A query's tokens and how deep the reading is.
pub(super) struct Parser<'a> {
    pub cursor: Cursor<'a>,
    pub depth: u32,
}

impl Parser<'_> {
    /// One level deeper.
    ///
    /// # Errors
    /// ORA-00036 beyond the limit.
    pub(super) fn deepen(&mut self) -> OraResult<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let text = format!("maximum number of recursive SQL levels ({DEPTH_MAX}) exceeded");
            return Err(OraError::new(36, text));
        }
        Ok(())
    }

    /// Reads something one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> OraResult<T>,
    ) -> OraResult<T> {
        let depth = self.depth;
        self.deepen()?;
        let result = read(self);
        self.depth = depth;
        result
    }

    /// Takes a closing parenthesis.
    pub(super) fn close(&mut self) -> OraResult<()> {
        if self.cursor.accept_symbol(")") {
            return Ok(());
        }
        Err(OraError::new(907, "missing right parenthesis"))
    }

    /// `( query )`.
    pub(super) fn parenthesized_query(&mut self) -> OraResult<Query> {
        if !self.cursor.accept_symbol("(") {
            return Err(OraError::new(906, "missing left parenthesis"));
        }
        let query = self.nested(Parser::query)?;
        self.close()?;
        Ok(query)
    }

    fn query(&mut self) -> OraResult<Query> {
        let with = if self.cursor.accept(&["WITH"]) {
            self.with()?
        } else {
            Vec::new()
        };
        let body = self.body()?;
        let order = if self.cursor.accept(&["ORDER", "BY"]) {
            self.order_terms()?
        } else {
            Vec::new()
        };
        let offset = self.offset()?;
        let limit = self.fetch()?;
        if self.cursor.sees("FOR") {
            return Err(not_offered("SELECT … FOR UPDATE"));
        }
        Ok(Query {
            with,
            body,
            order,
            offset,
            limit,
        })
    }

    fn with(&mut self) -> OraResult<Vec<(String, Vec<String>, Query)>> {
        let mut named = Vec::new();
        loop {
            let name = self
                .cursor
                .accept_name()
                .ok_or_else(|| OraError::new(903, "invalid table name"))?;
            let columns = if self.cursor.sees_symbol("(") {
                self.name_list()?
            } else {
                Vec::new()
            };
            if !self.cursor.accept(&["AS"]) {
                return Err(OraError::new(905, "missing keyword"));
            }
            named.push((name, columns, self.parenthesized_query()?));
            if !self.cursor.accept_symbol(",") {
                return Ok(named);
            }
        }
    }

    fn name_list(&mut self) -> OraResult<Vec<String>> {
        let mut names = Vec::new();
        self.cursor.take();
        loop {
            names.push(
                self.cursor
                    .accept_name()
                    .ok_or_else(|| OraError::new(904, ": invalid identifier"))?,
            );
            if !self.cursor.accept_symbol(",") {
                self.close()?;
                return Ok(names);
            }
        }
    }

    fn body(&mut self) -> OraResult<Body> {
        let mut members = vec![(SetOperator::Union, self.member()?)];
        while let Some(operator) = self.set_operator() {
            members.push((operator, self.member()?));
        }
        match members.len() {
            1 => Ok(members.remove(0).1),
            _ => Ok(Body::Set(members)),
        }
    }

    fn set_operator(&mut self) -> Option<SetOperator> {
        if self.cursor.accept(&["UNION", "ALL"]) {
            return Some(SetOperator::UnionAll);
        }
        let operators = [
            ("UNION", SetOperator::Union),
            ("INTERSECT", SetOperator::Intersect),
            ("MINUS", SetOperator::Minus),
            ("EXCEPT", SetOperator::Minus),
        ];
        operators
            .iter()
            .find(|(word, _)| self.cursor.accept(&[word]))
            .map(|(_, operator)| *operator)
    }

    fn member(&mut self) -> OraResult<Body> {
        if self.cursor.sees_symbol("(") {
            return Ok(Body::Nested(Box::new(self.parenthesized_query()?)));
        }
        if !self.cursor.accept(&["SELECT"]) {
            return Err(OraError::new(928, "missing SELECT keyword"));
        }
        self.nested(Parser::select)
            .map(|select| Body::Select(Box::new(select)))
    }

    fn select(&mut self) -> OraResult<Select> {
        let distinct = self.cursor.accept(&["DISTINCT"]) || self.cursor.accept(&["UNIQUE"]);
        self.cursor.accept(&["ALL"]);
        let items = self.items()?;
        if !self.cursor.accept(&["FROM"]) {
            return Err(OraError::new(923, "FROM keyword not found where expected"));
        }
        let mut from = vec![self.source()?];
        while self.cursor.accept_symbol(",") {
            from.push(self.source()?);
        }
        let filter = if self.cursor.accept(&["WHERE"]) {
            Some(self.expression()?)
        } else {
            None
        };
        if self.cursor.sees("CONNECT") || self.cursor.sees("START") {
            return Err(not_offered("hierarchical queries"));
        }
        let group = if self.cursor.accept(&["GROUP", "BY"]) {
            self.list()?
        } else {
            Vec::new()
        };
        let having = if self.cursor.accept(&["HAVING"]) {
            Some(self.expression()?)
        } else {
            None
        };
        Ok(Select {
            distinct,
            items,
            from,
            filter,
            group,
            having,
        })
    }

    fn items(&mut self) -> OraResult<Vec<Item>> {
        let mut items = vec![self.item()?];
        while self.cursor.accept_symbol(",") {
            items.push(self.item()?);
        }
        Ok(items)
    }

    fn item(&mut self) -> OraResult<Item> {
        if self.cursor.accept_symbol("*") {
            return Ok(Item::All);
        }
        if let (
            Some(Token::Word(name) | Token::Quoted(name)),
            Some(Token::Symbol(".")),
            Some(Token::Symbol("*")),
        ) = (
            self.cursor.peek(),
            self.cursor.peek_at(1),
            self.cursor.peek_at(2),
        ) {
            let name = name.clone();
            (0..3).for_each(|_| drop(self.cursor.take()));
            return Ok(Item::AllOf(name));
        }
        let mark = self.cursor.mark();
        let expression = self.expression()?;
        let text = self.cursor.text_since(mark);
        let alias = self.item_alias()?;
        let heading = alias.unwrap_or_else(|| heading(&expression, text));
        Ok(Item::Value {
            expression,
            heading,
        })
    }

    fn item_alias(&mut self) -> OraResult<Option<String>> {
        if self.cursor.accept(&["AS"]) {
            let missing = || OraError::new(923, "FROM keyword not found where expected");
            return self.cursor.accept_name().ok_or_else(missing).map(Some);
        }
        match self.cursor.peek() {
            Some(Token::Word(word)) if is_reserved(word) => Ok(None),
            Some(Token::Word(_) | Token::Quoted(_)) => Ok(self.cursor.accept_name()),
            _ => Ok(None),
        }
    }

    /// A source with all its joins, from the left.
    fn source(&mut self) -> OraResult<Source> {
        let depth = self.depth;
        let mut left = self.single_source()?;
        while let Some(kind) = self.join_kind()? {
            self.deepen()?;
            let right = self.single_source()?;
            let condition = self.join_condition(kind)?;
            left = Source::Join {
                left: Box::new(left),
                right: Box::new(right),
                kind,
                condition,
            };
        }
        self.depth = depth;
        Ok(left)
    }

    fn join_kind(&mut self) -> OraResult<Option<JoinKind>> {
        if self.cursor.sees("NATURAL") {
            return Err(not_offered("NATURAL JOIN"));
        }
        let kinds = [
            ("INNER", JoinKind::Inner),
            ("LEFT", JoinKind::Left),
            ("RIGHT", JoinKind::Right),
            ("FULL", JoinKind::Full),
            ("CROSS", JoinKind::Cross),
        ];
        let named = kinds
            .iter()
            .find(|(word, _)| self.cursor.accept(&[word]))
            .map(|(_, kind)| *kind);
        if named.is_some() {
            self.cursor.accept(&["OUTER"]);
        }
        if self.cursor.accept(&["JOIN"]) {
            return Ok(Some(named.unwrap_or(JoinKind::Inner)));
        }
        if named.is_some() {
            Err(OraError::new(905, "missing keyword"))
        } else {
            Ok(None)
        }
    }

    fn join_condition(&mut self, kind: JoinKind) -> OraResult<Condition> {
        if kind == JoinKind::Cross {
            return Ok(Condition::None);
        }
        if self.cursor.accept(&["ON"]) {
            return self.expression().map(Condition::On);
        }
        if self.cursor.accept(&["USING"]) {
            if !self.cursor.sees_symbol("(") {
                return Err(OraError::new(906, "missing left parenthesis"));
            }
            return self.name_list().map(Condition::Using);
        }
        Err(OraError::new(905, "missing keyword"))
    }

    fn single_source(&mut self) -> OraResult<Source> {
        if self.cursor.sees_symbol("(") {
            let query = Box::new(self.parenthesized_query()?);
            let alias = self.source_alias().unwrap_or_default();
            return Ok(Source::Query { query, alias });
        }
        let invalid = || OraError::new(903, "invalid table name");
        if matches!(self.cursor.peek(), Some(Token::Word(word)) if is_reserved(word)) {
            return Err(invalid());
        }
        let mut name = self.cursor.accept_name().ok_or_else(invalid)?;
        if self.cursor.accept_symbol(".") {
            let table = self.cursor.accept_name().ok_or_else(invalid)?;
            if name != "SYS" && name != "PUBLIC" {
                return Err(OraError::new(942, "table or view does not exist"));
            }
            name = table;
        }
        if self.cursor.accept_symbol("@") {
            return Err(not_offered("database links"));
        }
        let alias = self.source_alias().unwrap_or_else(|| name.clone());
        Ok(Source::Table { name, alias })
    }

    fn source_alias(&mut self) -> Option<String> {
        match self.cursor.peek() {
            Some(Token::Word(word))
                if is_reserved(word) || AFTER_SOURCE.contains(&word.as_str()) =>
            {
                None
            }
            Some(Token::Word(_) | Token::Quoted(_)) => self.cursor.accept_name(),
            _ => None,
        }
    }

    /// The terms of ORDER BY.
    pub(super) fn order_terms(&mut self) -> OraResult<Vec<Order>> {
        let mut terms = Vec::new();
        loop {
            let expression = self.expression()?;
            let descending = self.cursor.accept(&["DESC"]);
            if !descending {
                self.cursor.accept(&["ASC"]);
            }
            let nulls_first = if self.cursor.accept(&["NULLS", "FIRST"]) {
                Some(true)
            } else if self.cursor.accept(&["NULLS", "LAST"]) {
                Some(false)
            } else {
                None
            };
            terms.push(Order {
                expression,
                descending,
                nulls_first,
            });
            if !self.cursor.accept_symbol(",") {
                return Ok(terms);
            }
        }
    }

    fn offset(&mut self) -> OraResult<Option<u64>> {
        if !self.cursor.accept(&["OFFSET"]) {
            return Ok(None);
        }
        let rows = self.row_count()?;
        if self.cursor.accept(&["ROWS"]) || self.cursor.accept(&["ROW"]) {
            return Ok(Some(rows));
        }
        Err(OraError::new(905, "missing keyword"))
    }

    /// `FETCH FIRST n ROWS ONLY`.
    fn fetch(&mut self) -> OraResult<Option<u64>> {
        if !self.cursor.accept(&["FETCH"]) {
            return Ok(None);
        }
        let missing = || OraError::new(905, "missing keyword");
        if !(self.cursor.accept(&["FIRST"]) || self.cursor.accept(&["NEXT"])) {
            return Err(missing());
        }
        let rows = if self.cursor.sees("ROW") {
            1
        } else {
            self.row_count()?
        };
        let ends = (self.cursor.accept(&["ROWS"]) || self.cursor.accept(&["ROW"]))
            && self.cursor.accept(&["ONLY"]);
        if ends { Ok(Some(rows)) } else { Err(missing()) }
    }

    fn row_count(&mut self) -> OraResult<u64> {
        let count = self
            .cursor
            .accept_whole_number()
            .filter(|count| i64::try_from(*count).is_ok());
        count.ok_or_else(|| OraError::new(1722, "invalid number"))
    }
}

/// The heading that Oracle derives from an expression: a column's bare name, else its text without blanks, in capitals.
fn heading(expression: &super::syntax::Expression, text: &str) -> String {
    if let super::syntax::Expression::Column { name, .. } = expression {
        return name.clone();
    }
    let mut heading = String::new();
    let mut in_literal = false;
    for character in text.chars() {
        in_literal ^= character == '\'';
        if in_literal || !character.is_whitespace() {
            heading.extend(character.to_uppercase());
        }
    }
    heading
}
