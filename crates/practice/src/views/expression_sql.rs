//! Turns expressions into SQLite's words, with Oracle's types and conversions.
//! What lives here: values and conditions. What does not: the functions' names (`function_sql`) and bodies (`functions`).

use rusqlite::types::Value;

use super::catalog::Kind;
use super::instance_rows;
use super::scope::Scope;
use super::syntax::{Expression, Operator, Query};
use super::translate::Translator;
use crate::engine::error::{OraError, OraResult};
use crate::statement::not_offered;

/// A value in SQLite's words with its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub sql: String,
    pub kind: Kind,
    /// Longest text, where it is known.
    pub width: Option<u32>,
}

impl Typed {
    pub fn number(sql: String) -> Typed {
        Typed {
            sql,
            kind: Kind::Number,
            width: None,
        }
    }

    pub fn text(sql: String, width: Option<u32>) -> Typed {
        Typed {
            sql,
            kind: Kind::Text,
            width,
        }
    }

    pub fn date(sql: String) -> Typed {
        Typed {
            sql,
            kind: Kind::Date,
            width: None,
        }
    }

    pub fn null() -> Typed {
        Typed {
            sql: "NULL".into(),
            kind: Kind::Null,
            width: None,
        }
    }
}

/// ORA-00932.
pub(super) fn inconsistent(expected: Kind, got: Kind) -> OraError {
    OraError::new(
        932,
        format!(
            "inconsistent datatypes: expected {} got {}",
            type_name(expected),
            type_name(got)
        ),
    )
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "NUMBER",
        Kind::Text | Kind::Null => "CHAR",
        Kind::Date => "DATE",
    }
}

impl Translator<'_> {
    /// A value.
    pub(super) fn value(&mut self, expression: &Expression, scope: &Scope) -> OraResult<Typed> {
        match expression {
            Expression::Null => Ok(Typed::null()),
            Expression::Number(number) => Ok(Typed::number(number.clone())),
            Expression::Text(text) => {
                let width = u32::try_from(text.chars().count()).ok();
                Ok(Typed::text(
                    self.parameter(Value::Text(text.clone())),
                    width,
                ))
            }
            Expression::Column { qualifier, name } => {
                self.column(qualifier.as_deref(), name, scope)
            }
            Expression::Negate(inner) => {
                let value = self.value(inner, scope)?;
                Ok(Typed::number(format!("(-{})", self.number_sql(value)?)))
            }
            Expression::Binary {
                operator,
                left,
                right,
            } => self.arithmetic(*operator, left, right, scope),
            Expression::Concatenate(operands) => self.concatenate(operands, scope),
            Expression::Subquery(query) => self.scalar_subquery(query, scope),
            Expression::Call(call) => self.call(call, scope),
            Expression::Case {
                operand,
                arms,
                otherwise,
            } => self.case(operand.as_deref(), arms, otherwise.as_deref(), scope),
            // A condition is no value before release 23.
            _ => Err(OraError::new(923, "FROM keyword not found where expected")),
        }
    }

    fn column(&mut self, qualifier: Option<&str>, name: &str, scope: &Scope) -> OraResult<Typed> {
        let found = scope.resolve(qualifier, name);
        if found.is_err() && qualifier.is_none() {
            match name {
                "SYSDATE" => return Ok(Typed::date(instance_rows::now(self.world).to_string())),
                "ROWNUM" => return Ok(Typed::number("ROW_NUMBER() OVER ()".into())),
                "USER" => return Ok(Typed::text("'SYS'".into(), Some(30))),
                "UID" => return Ok(Typed::number("0".into())),
                "LEVEL" => return Err(not_offered("hierarchical queries")),
                "SYSTIMESTAMP" => return Err(not_offered("timestamps, use SYSDATE")),
                _ => {}
            }
        }
        found.map(|column| Typed {
            sql: column.sql.clone(),
            kind: column.kind,
            width: column.width,
        })
    }

    fn scalar_subquery(&mut self, query: &Query, scope: &Scope) -> OraResult<Typed> {
        let (sql, columns) = self.query(query, Some(scope))?;
        match columns.as_slice() {
            [column] => Ok(Typed {
                sql: format!("({sql})"),
                kind: column.kind,
                width: column.width,
            }),
            _ => Err(OraError::new(913, "too many values")),
        }
    }

    fn arithmetic(
        &mut self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
        scope: &Scope,
    ) -> OraResult<Typed> {
        let sign = match operator {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            _ => return Err(OraError::new(923, "FROM keyword not found where expected")),
        };
        let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
        if left.kind == Kind::Date || right.kind == Kind::Date {
            return self.date_arithmetic(operator, left, right);
        }
        let (left, right) = (self.number_sql(left)?, self.number_sql(right)?);
        if operator == Operator::Divide {
            return Ok(Typed::number(format!("o_divide({left}, {right})")));
        }
        Ok(Typed::number(format!("({left} {sign} {right})")))
    }

    fn date_arithmetic(
        &mut self,
        operator: Operator,
        left: Typed,
        right: Typed,
    ) -> OraResult<Typed> {
        match (operator, left.kind, right.kind) {
            (Operator::Add, Kind::Date, Kind::Date) => {
                Err(OraError::new(975, "date + date not allowed"))
            }
            (Operator::Subtract, Kind::Date, Kind::Date) => Ok(Typed::number(format!(
                "(({} - {}) / 86400.0)",
                left.sql, right.sql
            ))),
            (Operator::Add, Kind::Date, _) => Ok(Typed::date(format!(
                "o_add_days({}, {})",
                left.sql,
                self.number_sql(right)?
            ))),
            (Operator::Add, _, Kind::Date) => Ok(Typed::date(format!(
                "o_add_days({}, {})",
                right.sql,
                self.number_sql(left)?
            ))),
            (Operator::Subtract, Kind::Date, _) => Ok(Typed::date(format!(
                "o_add_days({}, -({}))",
                left.sql,
                self.number_sql(right)?
            ))),
            _ => Err(inconsistent(Kind::Number, Kind::Date)),
        }
    }

    /// NULL adds nothing to a text, and a text without characters is NULL.
    fn concatenate(&mut self, operands: &[Expression], scope: &Scope) -> OraResult<Typed> {
        let mut parts = Vec::new();
        let mut width = Some(0u32);
        for operand in operands {
            let value = self.value(operand, scope)?;
            width = width
                .zip(text_width(&value))
                .map(|(sum, next)| sum.saturating_add(next));
            parts.push(format!("IFNULL({}, '')", self.text_sql(value)));
        }
        Ok(Typed::text(
            format!("NULLIF({}, '')", parts.join(" || ")),
            width,
        ))
    }

    fn case(
        &mut self,
        operand: Option<&Expression>,
        arms: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        scope: &Scope,
    ) -> OraResult<Typed> {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (condition, value) in arms {
            conditions.push(match operand {
                None => self.condition(condition, scope)?,
                Some(operand) => self.comparison(Operator::Equal, operand, condition, scope)?,
            });
            values.push(self.value(value, scope)?);
        }
        if let Some(otherwise) = otherwise {
            values.push(self.value(otherwise, scope)?);
        }
        let (values, kind, width) = self.same_kind(values, false)?;
        let mut sql = String::from("CASE");
        for (condition, value) in conditions.iter().zip(&values) {
            sql.push_str(&format!(" WHEN {condition} THEN {value}"));
        }
        if otherwise.is_some() {
            sql.push_str(&format!(" ELSE {}", values[values.len() - 1]));
        }
        sql.push_str(" END");
        Ok(Typed { sql, kind, width })
    }

    /// The values in one type, that of the first which is not NULL; `convert` says whether others are converted to it.
    pub(super) fn same_kind(
        &mut self,
        values: Vec<Typed>,
        convert: bool,
    ) -> OraResult<(Vec<String>, Kind, Option<u32>)> {
        let kind = values
            .iter()
            .map(|value| value.kind)
            .find(|kind| *kind != Kind::Null)
            .unwrap_or(Kind::Null);
        let width = values
            .iter()
            .map(text_width)
            .try_fold(0, |widest, width| width.map(|width| widest.max(width)));
        let mut converted = Vec::new();
        for value in values {
            if !convert && value.kind != kind && value.kind != Kind::Null {
                return Err(inconsistent(kind, value.kind));
            }
            converted.push(self.kind_sql(value, kind)?);
        }
        Ok((converted, kind, width.filter(|_| kind == Kind::Text)))
    }

    /// A condition.
    pub(super) fn condition(
        &mut self,
        expression: &Expression,
        scope: &Scope,
    ) -> OraResult<String> {
        match expression {
            Expression::And(list) => self.conditions(list, " AND ", scope),
            Expression::Or(list) => self.conditions(list, " OR ", scope),
            Expression::Not(inner) => Ok(format!("(NOT {})", self.condition(inner, scope)?)),
            Expression::Binary {
                operator,
                left,
                right,
            } => self.comparison(*operator, left, right, scope),
            Expression::IsNull { value, negated } => {
                let value = self.value(value, scope)?;
                Ok(format!("({} IS {}NULL)", value.sql, not(*negated)))
            }
            Expression::Between {
                value,
                low,
                high,
                negated,
            } => {
                let above = self.comparison(Operator::GreaterOrEqual, value, low, scope)?;
                let below = self.comparison(Operator::LessOrEqual, value, high, scope)?;
                Ok(format!("({}({above} AND {below}))", not(*negated)))
            }
            Expression::In {
                value,
                list,
                negated,
            } => {
                let tests = list
                    .iter()
                    .map(|item| self.comparison(Operator::Equal, value, item, scope))
                    .collect::<OraResult<Vec<_>>>()?;
                Ok(format!("({}({}))", not(*negated), tests.join(" OR ")))
            }
            Expression::InQuery {
                value,
                query,
                negated,
            } => self.in_query(value, query, *negated, scope),
            Expression::Like {
                value,
                pattern,
                escape,
                negated,
            } => {
                let mut arguments =
                    vec![self.text_of(value, scope)?, self.text_of(pattern, scope)?];
                if let Some(escape) = escape {
                    arguments.push(self.text_of(escape, scope)?);
                }
                Ok(format!(
                    "({}o_like({}))",
                    not(*negated),
                    arguments.join(", ")
                ))
            }
            Expression::Exists(query) => {
                let (sql, _) = self.query(query, Some(scope))?;
                Ok(format!("(EXISTS ({sql}))"))
            }
            _ => Err(OraError::new(920, "invalid relational operator")),
        }
    }

    fn conditions(&mut self, list: &[Expression], word: &str, scope: &Scope) -> OraResult<String> {
        let parts = list
            .iter()
            .map(|one| self.condition(one, scope))
            .collect::<OraResult<Vec<_>>>()?;
        Ok(format!("({})", parts.join(word)))
    }

    fn comparison(
        &mut self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
        scope: &Scope,
    ) -> OraResult<String> {
        let sign = match operator {
            Operator::Equal => "=",
            Operator::NotEqual => "<>",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            _ => return Err(OraError::new(920, "invalid relational operator")),
        };
        let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
        let kind = comparison_kind(left.kind, right.kind)?;
        Ok(format!(
            "({} {sign} {})",
            self.kind_sql(left, kind)?,
            self.kind_sql(right, kind)?
        ))
    }

    fn in_query(
        &mut self,
        value: &Expression,
        query: &Query,
        negated: bool,
        scope: &Scope,
    ) -> OraResult<String> {
        let value = self.value(value, scope)?;
        let (sql, columns) = self.query(query, Some(scope))?;
        let [column] = columns.as_slice() else {
            return Err(OraError::new(913, "too many values"));
        };
        let value = self.kind_sql(value, column.kind)?;
        Ok(format!("({value} {}IN ({sql}))", not(negated)))
    }

    /// A value as text.
    pub(super) fn text_of(&mut self, expression: &Expression, scope: &Scope) -> OraResult<String> {
        let value = self.value(expression, scope)?;
        Ok(self.text_sql(value))
    }

    /// A value as number.
    pub(super) fn number_of(
        &mut self,
        expression: &Expression,
        scope: &Scope,
    ) -> OraResult<String> {
        let value = self.value(expression, scope)?;
        self.number_sql(value)
    }

    /// Converts as Oracle does where a text is wanted.
    pub(super) fn text_sql(&mut self, value: Typed) -> String {
        match value.kind {
            Kind::Text | Kind::Null => value.sql,
            Kind::Number => format!("o_text({})", value.sql),
            Kind::Date => {
                let format = self.parameter(Value::Text(self.world.date_format.to_owned()));
                format!("o_date_text({}, {format})", value.sql)
            }
        }
    }

    /// Converts as Oracle does where a number is wanted.
    pub(super) fn number_sql(&mut self, value: Typed) -> OraResult<String> {
        match value.kind {
            Kind::Number | Kind::Null => Ok(value.sql),
            Kind::Text => Ok(format!("o_number({})", value.sql)),
            Kind::Date => Err(inconsistent(Kind::Number, Kind::Date)),
        }
    }

    /// Converts as Oracle does where a date is wanted.
    pub(super) fn date_sql(&mut self, value: Typed) -> OraResult<String> {
        match value.kind {
            Kind::Date | Kind::Null => Ok(value.sql),
            Kind::Text => {
                let format = self.parameter(Value::Text(self.world.date_format.to_owned()));
                Ok(format!(
                    "o_to_date({}, {format}, {})",
                    value.sql,
                    instance_rows::now(self.world)
                ))
            }
            Kind::Number => Err(inconsistent(Kind::Date, Kind::Number)),
        }
    }

    /// Converts to a type.
    pub(super) fn kind_sql(&mut self, value: Typed, kind: Kind) -> OraResult<String> {
        match kind {
            Kind::Number => self.number_sql(value),
            Kind::Date => self.date_sql(value),
            Kind::Text => Ok(self.text_sql(value)),
            Kind::Null => Ok(value.sql),
        }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

/// The type in which two values are compared: a text becomes what it is compared with.
fn comparison_kind(left: Kind, right: Kind) -> OraResult<Kind> {
    match (left, right) {
        (Kind::Null, kind) | (kind, Kind::Null) | (Kind::Text, kind) | (kind, Kind::Text) => {
            Ok(kind)
        }
        (left, right) if left == right => Ok(left),
        (left, right) => Err(inconsistent(left, right)),
    }
}

/// How long the text of a value can be, where that is known.
pub(super) fn text_width(value: &Typed) -> Option<u32> {
    match value.kind {
        Kind::Text => value.width,
        Kind::Number => Some(40),
        Kind::Date => Some(19),
        Kind::Null => Some(0),
    }
}
