//! Turns a query's tree into SQLite's words: clauses, sources, set operators.
//! What lives here: everything but expressions (`expression_sql`). What does not: running the result (`run`).

use rusqlite::types::Value;

use super::World;
use super::catalog::{self, Kind, View};
use super::scope::{Named, Output, Scope};
use super::syntax::{
    Body, Condition, Expression, Item, JoinKind, Operator, Order, Query, Select, SetOperator,
    Source,
};
use crate::engine::error::{OraError, OraResult};
use crate::statement::not_offered;

/// What SQLite is to run, and what its columns are.
pub(super) struct Translation {
    pub sql: String,
    /// The literals, ?1 first.
    pub parameters: Vec<Value>,
    pub columns: Vec<Output>,
    /// The views that are tables v1, v2, ….
    pub views: Vec<&'static View>,
}

/// Translates a query.
///
/// # Errors
/// Unknown names, types that do not fit, and what is not offered.
pub(super) fn translate(query: &Query, world: &World) -> OraResult<Translation> {
    let mut translator = Translator {
        world,
        parameters: Vec::new(),
        views: Vec::new(),
        named: Vec::new(),
        sources: 0,
    };
    let (sql, columns) = translator.query(query, None)?;
    Ok(Translation {
        sql,
        parameters: translator.parameters,
        columns,
        views: translator.views,
    })
}

/// The state of one translation.
pub(super) struct Translator<'a> {
    pub world: &'a World<'a>,
    pub parameters: Vec<Value>,
    views: Vec<&'static View>,
    /// Queries of WITH that are visible here: name, SQLite's name, columns.
    named: Vec<(String, String, Vec<Output>)>,
    sources: usize,
}

type Translated = (String, Vec<Output>);

impl Translator<'_> {
    /// A literal's place.
    pub(super) fn parameter(&mut self, value: Value) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    /// A query, at the top or inside another.
    pub(super) fn query(&mut self, query: &Query, outer: Option<&Scope>) -> OraResult<Translated> {
        let visible = self.named.len();
        let mut definitions = Vec::new();
        for (name, columns, definition) in &query.with {
            definitions.push(self.define(name, columns, definition, outer)?);
        }
        let (mut sql, columns) = match &query.body {
            Body::Select(select) => self.select(select, &query.order, outer)?,
            Body::Nested(nested) if query.order.is_empty() => self.wrapped(nested, outer)?,
            Body::Nested(_) | Body::Set(_) => {
                let (sql, columns) = self.compound(&query.body, outer)?;
                let order = self.output_order(&query.order, &columns)?;
                (format!("{sql}{order}"), columns)
            }
        };
        self.named.truncate(visible);
        if !definitions.is_empty() {
            sql = format!("WITH {} {sql}", definitions.join(", "));
        }
        if query.limit.is_some() || query.offset.is_some() {
            let limit = query.limit.map_or("-1".to_owned(), |rows| rows.to_string());
            sql = format!("{sql} LIMIT {limit} OFFSET {}", query.offset.unwrap_or(0));
        }
        Ok((sql, columns))
    }

    fn define(
        &mut self,
        name: &str,
        names: &[String],
        query: &Query,
        outer: Option<&Scope>,
    ) -> OraResult<String> {
        let (sql, mut columns) = self.query(query, outer)?;
        if !names.is_empty() {
            if names.len() != columns.len() {
                return Err(OraError::new(
                    32038,
                    "number of WITH clause column names does not match number of elements in select list",
                ));
            }
            columns
                .iter_mut()
                .zip(names)
                .for_each(|(column, name)| column.name.clone_from(name));
        }
        self.sources += 1;
        let table = format!("w{}", self.sources);
        self.named.push((name.to_owned(), table.clone(), columns));
        Ok(format!("{table} AS ({sql})"))
    }

    /// A query as a member that may stand where SQLite wants a plain SELECT.
    fn wrapped(&mut self, query: &Query, outer: Option<&Scope>) -> OraResult<Translated> {
        let (sql, columns) = self.query(query, outer)?;
        Ok((format!("SELECT * FROM ({sql})"), columns))
    }

    fn compound(&mut self, body: &Body, outer: Option<&Scope>) -> OraResult<Translated> {
        let members = match body {
            Body::Set(members) => members,
            Body::Nested(query) => return self.wrapped(query, outer),
            Body::Select(select) => return self.select(select, &[], outer),
        };
        let mut sql = String::new();
        let mut columns: Vec<Output> = Vec::new();
        for (index, (operator, member)) in members.iter().enumerate() {
            let (text, found) = self.compound(member, outer)?;
            if index == 0 {
                sql = text;
                columns = found;
                continue;
            }
            unite(&mut columns, &found)?;
            let word = match operator {
                SetOperator::Union => "UNION",
                SetOperator::UnionAll => "UNION ALL",
                SetOperator::Intersect => "INTERSECT",
                SetOperator::Minus => "EXCEPT",
            };
            sql = format!("{sql} {word} {text}");
        }
        Ok((sql, columns))
    }

    fn select(
        &mut self,
        select: &Select,
        order: &[Order],
        outer: Option<&Scope>,
    ) -> OraResult<Translated> {
        let mut scope = Scope {
            sources: Vec::new(),
            outer,
        };
        let mut from = Vec::new();
        for source in &select.from {
            from.push(self.source(source, &mut scope)?);
        }
        let (filter, row_limit) = split_rownum(select.filter.as_ref())?;
        let mut body = format!(" FROM {}", from.join(", "));
        if !filter.is_empty() {
            refuse_aggregate(filter.iter().copied())?;
            let conditions = filter
                .iter()
                .map(|condition| self.condition(condition, &scope))
                .collect::<OraResult<Vec<_>>>()?;
            body = format!("{body} WHERE {}", conditions.join(" AND "));
        }
        if let Some(rows) = row_limit {
            body = self.limit_before_everything(&body, rows, &mut scope);
        }
        check_grouping(select, order, &scope)?;
        body.push_str(&self.grouping(select, &scope)?);
        let (items, columns) = self.items(select, &scope)?;
        let order = self.order(order, select, &columns, &scope)?;
        let distinct = if select.distinct { "DISTINCT " } else { "" };
        Ok((format!("SELECT {distinct}{items}{body}{order}"), columns))
    }

    /// ROWNUM counts rows before they are grouped or sorted, so its limit goes around FROM and WHERE alone.
    fn limit_before_everything(&mut self, body: &str, rows: i64, scope: &mut Scope) -> String {
        self.sources += 1;
        let alias = format!("s{}", self.sources);
        let mut exported = Vec::new();
        for column in scope
            .sources
            .iter_mut()
            .flat_map(|source| &mut source.columns)
        {
            let name = format!("c{}", exported.len() + 1);
            exported.push(format!("{} AS {name}", column.sql));
            column.sql = format!("{alias}.{name}");
        }
        // OFFSET keeps SQLite from moving the outer ORDER BY inside, where it would choose other rows.
        format!(
            " FROM (SELECT {}{body} LIMIT {rows} OFFSET 0) AS {alias}",
            exported.join(", ")
        )
    }

    fn grouping(&mut self, select: &Select, scope: &Scope) -> OraResult<String> {
        let mut sql = String::new();
        if !select.group.is_empty() {
            refuse_aggregate(select.group.iter())?;
            let terms = select
                .group
                .iter()
                .map(|term| Ok(self.value(term, scope)?.sql))
                .collect::<OraResult<Vec<_>>>()?;
            // A bare number would mean a column of the select list to SQLite, and a constant to Oracle.
            let terms: Vec<String> = terms.into_iter().map(|term| format!("({term})")).collect();
            sql = format!(" GROUP BY {}", terms.join(", "));
        }
        if let Some(having) = &select.having {
            sql = format!("{sql} HAVING {}", self.condition(having, scope)?);
        }
        Ok(sql)
    }

    fn items(&mut self, select: &Select, scope: &Scope) -> OraResult<Translated> {
        let mut columns: Vec<Output> = Vec::new();
        for item in &select.items {
            match item {
                Item::All => columns.extend(scope.visible().cloned()),
                Item::AllOf(alias) => {
                    let source = scope.sources.iter().find(|source| source.alias == *alias);
                    let invalid = || OraError::new(904, format!("\"{alias}\": invalid identifier"));
                    columns.extend(source.ok_or_else(invalid)?.columns.iter().cloned());
                }
                Item::Value {
                    expression,
                    heading,
                } => {
                    let value = self.value(expression, scope)?;
                    columns.push(Output {
                        name: heading.clone(),
                        kind: value.kind,
                        width: value.width,
                        sql: value.sql,
                        hidden: false,
                    });
                }
            }
        }
        let mut items = Vec::new();
        for column in &mut columns {
            let name = format!("c{}", items.len() + 1);
            items.push(format!("{} AS {name}", column.sql));
            column.sql = name;
            column.hidden = false;
        }
        Ok((items.join(", "), columns))
    }

    fn order(
        &mut self,
        order: &[Order],
        select: &Select,
        columns: &[Output],
        scope: &Scope,
    ) -> OraResult<String> {
        let mut terms = Vec::new();
        for term in order {
            let sql = match self.output_position(&term.expression, select, columns)? {
                Some(position) => position.to_string(),
                None if select.distinct => {
                    return Err(OraError::new(1791, "not a SELECTed expression"));
                }
                None => format!("({})", self.value(&term.expression, scope)?.sql),
            };
            terms.push(format!("{sql}{}", direction(term)));
        }
        Ok(if terms.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", terms.join(", "))
        })
    }

    /// Which column of the select list an ORDER BY term means, if it means one.
    fn output_position(
        &self,
        term: &Expression,
        select: &Select,
        columns: &[Output],
    ) -> OraResult<Option<usize>> {
        if let Some(position) = literal_position(term, columns.len())? {
            return Ok(Some(position));
        }
        if select
            .items
            .iter()
            .any(|item| !matches!(item, Item::Value { .. }))
        {
            return Ok(None);
        }
        let by_alias = |item: &Item| {
            let Item::Value {
                expression,
                heading,
            } = item
            else {
                return false;
            };
            let named =
                matches!(term, Expression::Column { qualifier: None, name } if name == heading);
            named || expression == term
        };
        Ok(select
            .items
            .iter()
            .position(by_alias)
            .map(|index| index + 1))
    }

    /// ORDER BY of a set query, which knows the output columns only.
    fn output_order(&self, order: &[Order], columns: &[Output]) -> OraResult<String> {
        let mut terms = Vec::new();
        for term in order {
            let position = match (
                &term.expression,
                literal_position(&term.expression, columns.len())?,
            ) {
                (_, Some(position)) => position,
                (
                    Expression::Column {
                        qualifier: None,
                        name,
                    },
                    None,
                ) => {
                    let found = columns.iter().position(|column| column.name == *name);
                    found.ok_or_else(|| super::scope::invalid_identifier(None, name))? + 1
                }
                _ => return Err(OraError::new(1785, BAD_POSITION)),
            };
            terms.push(format!("{position}{}", direction(term)));
        }
        Ok(if terms.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", terms.join(", "))
        })
    }

    fn source(&mut self, source: &Source, scope: &mut Scope) -> OraResult<String> {
        match source {
            Source::Table { name, alias } => self.table(name, alias, scope),
            Source::Query { query, alias } => {
                let (sql, columns) = self.query(query, None)?;
                let name = self.add(alias, columns, scope);
                Ok(format!("({sql}) AS {name}"))
            }
            Source::Join {
                left,
                right,
                kind,
                condition,
            } => self.join(left, right, *kind, condition, scope),
        }
    }

    fn table(&mut self, name: &str, alias: &str, scope: &mut Scope) -> OraResult<String> {
        let defined = self
            .named
            .iter()
            .rev()
            .find(|(defined, ..)| defined == name);
        if let Some((table, columns)) =
            defined.map(|(_, table, columns)| (table.clone(), columns.clone()))
        {
            let source = self.add(alias, columns, scope);
            return Ok(format!("{table} AS {source}"));
        }
        let view = catalog::find(name)?;
        let index = match self.views.iter().position(|known| known.name == view.name) {
            Some(index) => index,
            None => {
                self.views.push(view);
                self.views.len() - 1
            }
        };
        let column = |column: &catalog::Column| Output {
            name: column.name.to_owned(),
            kind: column.kind,
            width: (column.kind == Kind::Text).then_some(column.width),
            sql: String::new(),
            hidden: false,
        };
        let source = self.add(alias, view.columns.iter().map(column).collect(), scope);
        Ok(format!("v{} AS {source}", index + 1))
    }

    /// Puts a source into the scope under a name of SQLite's.
    fn add(&mut self, alias: &str, mut columns: Vec<Output>, scope: &mut Scope) -> String {
        self.sources += 1;
        let source = format!("s{}", self.sources);
        for (index, column) in columns.iter_mut().enumerate() {
            column.sql = format!("{source}.c{}", index + 1);
        }
        scope.sources.push(Named {
            alias: alias.to_owned(),
            columns,
        });
        source
    }

    fn join(
        &mut self,
        left: &Source,
        right: &Source,
        kind: JoinKind,
        condition: &Condition,
        scope: &mut Scope,
    ) -> OraResult<String> {
        let first = scope.sources.len();
        let left = self.source(left, scope)?;
        let right_from = scope.sources.len();
        let right = self.source(right, scope)?;
        let word = match kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Full => "FULL JOIN",
            JoinKind::Cross => "CROSS JOIN",
        };
        let on = match condition {
            Condition::None => String::new(),
            Condition::On(expression) => {
                refuse_aggregate(std::iter::once(expression))?;
                format!(" ON {}", self.condition(expression, scope)?)
            }
            Condition::Using(names) => format!(" ON {}", using(names, first, right_from, scope)?),
        };
        Ok(format!("{left} {word} {right}{on}"))
    }
}

const BAD_POSITION: &str = "ORDER BY item must be the number of a SELECT-list expression";

fn direction(term: &Order) -> &'static str {
    // NULL is the highest value to Oracle and the lowest to SQLite.
    match (term.descending, term.nulls_first.unwrap_or(term.descending)) {
        (false, false) => " ASC NULLS LAST",
        (false, true) => " ASC NULLS FIRST",
        (true, false) => " DESC NULLS LAST",
        (true, true) => " DESC NULLS FIRST",
    }
}

fn literal_position(term: &Expression, columns: usize) -> OraResult<Option<usize>> {
    let Expression::Number(number) = term else {
        return Ok(None);
    };
    match number.parse() {
        Ok(position) if (1..=columns).contains(&position) => Ok(Some(position)),
        _ => Err(OraError::new(1785, BAD_POSITION)),
    }
}

/// Checks that two members of a set query have the same shape and gives the first the wider columns.
fn unite(columns: &mut [Output], found: &[Output]) -> OraResult<()> {
    if columns.len() != found.len() {
        return Err(OraError::new(
            1789,
            "query block has incorrect number of result columns",
        ));
    }
    for (column, other) in columns.iter_mut().zip(found) {
        if column.kind == Kind::Null {
            column.kind = other.kind;
        }
        if other.kind != column.kind && other.kind != Kind::Null {
            return Err(OraError::new(
                1790,
                "expression must have same datatype as corresponding expression",
            ));
        }
        column.width = column
            .width
            .zip(other.width)
            .map(|(first, second)| first.max(second));
    }
    Ok(())
}

/// The conditions of WHERE without those that bound ROWNUM, and that bound.
fn split_rownum(filter: Option<&Expression>) -> OraResult<(Vec<&Expression>, Option<i64>)> {
    let conditions: Vec<&Expression> = match filter {
        None => Vec::new(),
        Some(Expression::And(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    let mut rest = Vec::new();
    let mut limit: Option<i64> = None;
    for condition in conditions {
        if let Some(rows) = rownum_bound(condition) {
            limit = Some(limit.map_or(rows, |known| known.min(rows)));
        } else if condition.has_rownum() {
            return Err(not_offered(
                "ROWNUM in conditions other than ROWNUM <= number",
            ));
        } else {
            rest.push(condition);
        }
    }
    Ok((rest, limit))
}

fn rownum_bound(condition: &Expression) -> Option<i64> {
    let Expression::Binary {
        operator,
        left,
        right,
    } = condition
    else {
        return None;
    };
    let Expression::Number(number) = &**right else {
        return None;
    };
    let number: i64 = number.parse().ok()?;
    match operator {
        _ if !left.is_rownum() => None,
        Operator::Less => Some((number - 1).max(0)),
        Operator::LessOrEqual => Some(number),
        // A second row can only be counted after a first one was taken.
        Operator::Equal => Some(i64::from(number == 1)),
        _ => None,
    }
}

fn refuse_aggregate<'a>(expressions: impl IntoIterator<Item = &'a Expression>) -> OraResult<()> {
    if expressions.into_iter().any(Expression::has_aggregate) {
        return Err(OraError::new(934, "group function is not allowed here"));
    }
    Ok(())
}

/// What a SELECT with groups may name outside of group functions: what it groups by.
fn check_grouping(select: &Select, order: &[Order], scope: &Scope) -> OraResult<()> {
    let values = select.items.iter().filter_map(|item| match item {
        Item::Value { expression, .. } => Some(expression),
        _ => None,
    });
    let values: Vec<&Expression> = values.chain(&select.having).collect();
    let gathers = values.iter().any(|value| value.has_aggregate()) || select.having.is_some();
    if select.group.is_empty() && !gathers {
        return Ok(());
    }
    let stars = select
        .items
        .iter()
        .any(|item| !matches!(item, Item::Value { .. }));
    let sorted = order
        .iter()
        .map(|term| &term.expression)
        .filter(|term| !names_output(term, select));
    let all_grouped = values
        .iter()
        .copied()
        .chain(sorted)
        .all(|value| is_grouped(value, &select.group, scope));
    match (all_grouped && !stars, select.group.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => Err(OraError::new(937, "not a single-group group function")),
        (false, false) => Err(OraError::new(979, "not a GROUP BY expression")),
    }
}

fn names_output(term: &Expression, select: &Select) -> bool {
    let is_output = |item: &Item| matches!((item, term), (Item::Value { heading, .. }, Expression::Column { qualifier: None, name }) if heading == name);
    select.items.iter().any(is_output)
}

fn is_grouped(expression: &Expression, group: &[Expression], scope: &Scope) -> bool {
    if expression.is_aggregate() || group.contains(expression) {
        return true;
    }
    if let Expression::Column { qualifier, name } = expression {
        // A column of an outer query and a pseudo-column are constants here.
        return matches!(scope.resolve_here(qualifier.as_deref(), name), Ok(None));
    }
    expression
        .children()
        .into_iter()
        .all(|child| is_grouped(child, group, scope))
}

fn using(
    names: &[String],
    first: usize,
    right_from: usize,
    scope: &mut Scope,
) -> OraResult<String> {
    let mut terms = Vec::new();
    for name in names {
        let (left, right) = scope.sources[first..].split_at_mut(right_from - first);
        let invalid = || super::scope::invalid_identifier(None, name);
        let visible = |column: &&mut Output| column.name == *name && !column.hidden;
        let left = left
            .iter_mut()
            .flat_map(|source| &mut source.columns)
            .find(visible)
            .ok_or_else(invalid)?;
        let right = right
            .iter_mut()
            .flat_map(|source| &mut source.columns)
            .find(visible)
            .ok_or_else(invalid)?;
        right.hidden = true;
        terms.push(format!("{} = {}", left.sql, right.sql));
    }
    Ok(terms.join(" AND "))
}
