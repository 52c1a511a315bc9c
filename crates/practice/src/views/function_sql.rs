//! Which functions a query may call, with what arguments, and of what type they are.
//! What lives here: names and types. What does not: what they compute (`functions`).

use rusqlite::types::Value;

use super::catalog::Kind;
use super::expression_sql::{Typed, inconsistent, text_width};
use super::instance_rows;
use super::scope::Scope;
use super::syntax::{Call, Expression, Window};
use super::translate::Translator;
use crate::engine::error::{OraError, OraResult};
use crate::engine::facts::InstanceStatus;
use crate::statement::not_offered;

/// Width of what TO_CHAR makes of a date with a mask.
const DATE_TEXT_WIDTH: u32 = 75;

fn wrong_count() -> OraError {
    OraError::new(909, "invalid number of arguments")
}

fn check_count(call: &Call, low: usize, high: usize) -> OraResult<()> {
    if (low..=high).contains(&call.arguments.len()) {
        Ok(())
    } else {
        Err(wrong_count())
    }
}

impl Translator<'_> {
    /// A call of a function.
    pub(super) fn call(&mut self, call: &Call, scope: &Scope) -> OraResult<Typed> {
        let group = matches!(call.name.as_str(), "COUNT" | "SUM" | "MIN" | "MAX" | "AVG");
        let ranking = matches!(call.name.as_str(), "ROW_NUMBER" | "RANK" | "DENSE_RANK");
        if ranking && call.window.is_none() {
            return Err(OraError::new(
                30484,
                "missing window specification for this function",
            ));
        }
        if group || ranking {
            return self.group_function(call, scope);
        }
        if call.star || call.distinct || call.window.is_some() {
            return Err(OraError::new(936, "missing expression"));
        }
        match call.name.as_str() {
            "NVL" | "NVL2" | "COALESCE" | "NULLIF" | "DECODE" | "GREATEST" | "LEAST" => {
                self.choice(call, scope)
            }
            "TO_CHAR" | "TO_NUMBER" | "TO_DATE" => self.conversion(call, scope),
            "TRUNC" | "ADD_MONTHS" | "LAST_DAY" => self.date_or_number(call, scope),
            "SYS_CONTEXT" | "USERENV" => self.context(call),
            _ => self.simple(call, scope),
        }
    }

    fn group_function(&mut self, call: &Call, scope: &Scope) -> OraResult<Typed> {
        let takes_none =
            call.star || matches!(call.name.as_str(), "ROW_NUMBER" | "RANK" | "DENSE_RANK");
        check_count(call, usize::from(!takes_none), usize::from(!takes_none))?;
        if call.star && call.name != "COUNT" {
            return Err(OraError::new(936, "missing expression"));
        }
        let argument = match call.arguments.first() {
            None => None,
            Some(argument) if argument.has_aggregate() => {
                return Err(OraError::new(978, "nested group function without GROUP BY"));
            }
            Some(argument) => Some(self.value(argument, scope)?),
        };
        let (kind, width) = match (call.name.as_str(), &argument) {
            ("MIN" | "MAX", Some(value)) => (value.kind, value.width),
            _ => (Kind::Number, None),
        };
        let inner = match (call.name.as_str(), argument) {
            ("SUM" | "AVG", Some(value)) => self.number_sql(value)?,
            (_, Some(value)) => value.sql,
            (_, None) if call.star => "*".into(),
            (_, None) => String::new(),
        };
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let over = match &call.window {
            Some(window) => format!(" OVER ({})", self.window(window, scope)?),
            None => String::new(),
        };
        Ok(Typed {
            sql: format!("{}({distinct}{inner}){over}", call.name),
            kind,
            width,
        })
    }

    fn window(&mut self, window: &Window, scope: &Scope) -> OraResult<String> {
        let mut parts = Vec::new();
        let values = |translator: &mut Self, list: &[Expression]| {
            list.iter()
                .map(|one| Ok(translator.value(one, scope)?.sql))
                .collect::<OraResult<Vec<_>>>()
        };
        if !window.partition.is_empty() {
            parts.push(format!(
                "PARTITION BY {}",
                values(self, &window.partition)?.join(", ")
            ));
        }
        if !window.order.is_empty() {
            let mut terms = Vec::new();
            for term in &window.order {
                let sql = self.value(&term.expression, scope)?.sql;
                terms.push(format!(
                    "{sql}{}",
                    if term.descending {
                        " DESC NULLS FIRST"
                    } else {
                        " ASC NULLS LAST"
                    }
                ));
            }
            parts.push(format!("ORDER BY {}", terms.join(", ")));
        }
        Ok(parts.join(" "))
    }

    /// Functions that give one of their arguments.
    fn choice(&mut self, call: &Call, scope: &Scope) -> OraResult<Typed> {
        let arguments = &call.arguments;
        match call.name.as_str() {
            "NVL" => check_count(call, 2, 2)?,
            "NVL2" => check_count(call, 3, 3)?,
            "NULLIF" => check_count(call, 2, 2)?,
            "DECODE" => check_count(call, 3, 255)?,
            "COALESCE" => check_count(call, 2, 255)?,
            _ => check_count(call, 1, 255)?,
        }
        if call.name == "DECODE" {
            return self.decode(arguments, scope);
        }
        let mut values = arguments
            .iter()
            .map(|one| self.value(one, scope))
            .collect::<OraResult<Vec<_>>>()?;
        let tested = if call.name == "NVL2" {
            Some(values.remove(0).sql)
        } else {
            None
        };
        let (values, kind, width) = self.same_kind(values, true)?;
        let list = values.join(", ");
        let sql = match call.name.as_str() {
            "NVL" | "COALESCE" => format!("COALESCE({list})"),
            "NVL2" => {
                let tested = tested.unwrap_or_default();
                format!(
                    "CASE WHEN {tested} IS NOT NULL THEN {} ELSE {} END",
                    values[0], values[1]
                )
            }
            "NULLIF" => format!("NULLIF({list})"),
            // With one argument SQLite's MAX and MIN would gather rows.
            _ if values.len() == 1 => values[0].clone(),
            "GREATEST" => format!("MAX({list})"),
            _ => format!("MIN({list})"),
        };
        Ok(Typed { sql, kind, width })
    }

    /// DECODE, for which NULL equals NULL.
    fn decode(&mut self, arguments: &[Expression], scope: &Scope) -> OraResult<Typed> {
        let tested = self.value(&arguments[0], scope)?;
        let (pairs, default) = match arguments.len() % 2 {
            0 => (&arguments[1..arguments.len() - 1], arguments.last()),
            _ => (&arguments[1..], None),
        };
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for pair in pairs.chunks_exact(2) {
            let search = self.value(&pair[0], scope)?;
            let search = if tested.kind == Kind::Null {
                search.sql
            } else {
                self.kind_sql(search, tested.kind)?
            };
            conditions.push(format!("{} IS {search}", tested.sql));
            values.push(self.value(&pair[1], scope)?);
        }
        if let Some(default) = default {
            values.push(self.value(default, scope)?);
        }
        let (values, kind, width) = self.same_kind(values, true)?;
        let arms: Vec<String> = conditions
            .iter()
            .zip(&values)
            .map(|(condition, value)| format!(" WHEN {condition} THEN {value}"))
            .collect();
        let otherwise = default.map_or(String::new(), |_| {
            format!(" ELSE {}", values[values.len() - 1])
        });
        Ok(Typed {
            sql: format!("CASE{}{otherwise} END", arms.concat()),
            kind,
            width,
        })
    }

    fn conversion(&mut self, call: &Call, scope: &Scope) -> OraResult<Typed> {
        check_count(call, 1, 2)?;
        let value = self.value(&call.arguments[0], scope)?;
        let mask = match call.arguments.get(1) {
            Some(mask) => Some(self.text_of(mask, scope)?),
            None => None,
        };
        match (call.name.as_str(), value.kind, mask) {
            ("TO_CHAR", Kind::Date, Some(mask)) => Ok(Typed::text(
                format!("o_date_text({}, {mask})", value.sql),
                Some(DATE_TEXT_WIDTH),
            )),
            ("TO_CHAR", Kind::Number, Some(mask)) => Ok(Typed::text(
                format!("o_number_text({}, {mask})", value.sql),
                Some(40),
            )),
            ("TO_CHAR", _, Some(mask)) => {
                let number = self.number_sql(value)?;
                Ok(Typed::text(
                    format!("o_number_text({number}, {mask})"),
                    Some(40),
                ))
            }
            ("TO_CHAR", _, None) => {
                let width = text_width(&value);
                Ok(Typed::text(self.text_sql(value), width))
            }
            ("TO_NUMBER", _, None) => Ok(Typed::number(self.number_sql(value)?)),
            ("TO_NUMBER", _, Some(_)) => Err(not_offered("TO_NUMBER with a format model")),
            (_, Kind::Number, _) => Err(inconsistent(Kind::Date, Kind::Number)),
            (_, Kind::Text, Some(mask)) => {
                let now = instance_rows::now(self.world);
                Ok(Typed::date(format!(
                    "o_to_date({}, {mask}, {now})",
                    value.sql
                )))
            }
            _ => Ok(Typed::date(self.date_sql(value)?)),
        }
    }

    fn date_or_number(&mut self, call: &Call, scope: &Scope) -> OraResult<Typed> {
        let (low, high) = match call.name.as_str() {
            "TRUNC" => (1, 2),
            "ADD_MONTHS" => (2, 2),
            _ => (1, 1),
        };
        check_count(call, low, high)?;
        let value = self.value(&call.arguments[0], scope)?;
        if call.name == "TRUNC" && value.kind != Kind::Date {
            let number = self.number_sql(value)?;
            let places = match call.arguments.get(1) {
                Some(places) => self.number_of(places, scope)?,
                None => "0".into(),
            };
            return Ok(Typed::number(format!("o_truncate({number}, {places})")));
        }
        let date = self.date_sql(value)?;
        match (call.name.as_str(), call.arguments.get(1)) {
            ("TRUNC", None) => Ok(Typed::date(format!("o_date_truncate({date}, 'DD')"))),
            ("TRUNC", Some(unit)) => Ok(Typed::date(format!(
                "o_date_truncate({date}, {})",
                self.text_of(unit, scope)?
            ))),
            ("ADD_MONTHS", Some(months)) => Ok(Typed::date(format!(
                "o_add_months({date}, {})",
                self.number_of(months, scope)?
            ))),
            _ => Ok(Typed::date(format!("o_last_day({date})"))),
        }
    }

    /// SYS_CONTEXT('USERENV', name) and USERENV(name), of a session of SYS.
    fn context(&mut self, call: &Call) -> OraResult<Typed> {
        let invalid = || OraError::new(2003, "invalid USERENV parameter");
        let name = match (call.name.as_str(), call.arguments.as_slice()) {
            ("USERENV", [Expression::Text(name)]) => name,
            ("SYS_CONTEXT", [Expression::Text(space), Expression::Text(name)])
                if space.eq_ignore_ascii_case("USERENV") =>
            {
                name
            }
            _ => return Err(invalid()),
        };
        let facts = self.world.facts;
        let value = match name.to_ascii_uppercase().as_str() {
            "INSTANCE_NAME" => facts.sid.clone(),
            "DB_NAME" | "DB_UNIQUE_NAME" => facts
                .database
                .as_ref()
                .map_or(facts.sid.clone(), |db| db.name.clone()),
            "SERVER_HOST" | "HOST" => facts.host.clone(),
            "SESSION_USER" | "CURRENT_USER" | "CURRENT_SCHEMA" => "SYS".into(),
            "ISDBA" => "TRUE".into(),
            "LANGUAGE" => "AMERICAN_AMERICA.AL32UTF8".into(),
            "LANG" => "US".into(),
            "INSTANCE" => "1".into(),
            "DATABASE_ROLE" if facts.status != InstanceStatus::Started => "PRIMARY".into(),
            _ => return Err(invalid()),
        };
        Ok(Typed::text(self.parameter(Value::Text(value)), Some(256)))
    }

    /// Functions whose arguments have one type each.
    fn simple(&mut self, call: &Call, scope: &Scope) -> OraResult<Typed> {
        let Some(signature) = SIGNATURES
            .iter()
            .find(|signature| signature.name == call.name)
        else {
            return Err(OraError::new(
                904,
                format!("\"{}\": invalid identifier", call.name),
            ));
        };
        check_count(call, signature.needed, signature.arguments.len())?;
        let mut arguments = Vec::new();
        let mut width = None;
        for (index, (argument, kind)) in call
            .arguments
            .iter()
            .zip(signature.arguments.chars())
            .enumerate()
        {
            let value = self.value(argument, scope)?;
            if index == 0 && signature.keeps_width {
                width = text_width(&value);
            }
            arguments.push(match kind {
                'n' => self.number_sql(value)?,
                _ => self.text_sql(value),
            });
        }
        if let ("SUBSTR" | "LPAD" | "RPAD", Some(Expression::Number(length))) = (
            call.name.as_str(),
            call.arguments
                .get(if call.name == "SUBSTR" { 2 } else { 1 }),
        ) {
            width = length.parse().ok();
        }
        let sql = format!("o_{}({})", call.name.to_lowercase(), arguments.join(", "));
        Ok(if signature.gives_number {
            Typed::number(sql)
        } else {
            Typed::text(sql, width)
        })
    }
}

struct Signature {
    name: &'static str,
    /// One letter an argument: `t` text, `n` number.
    arguments: &'static str,
    needed: usize,
    gives_number: bool,
    /// Whether the result is at most as long as the first argument.
    keeps_width: bool,
}

const fn text_function(
    name: &'static str,
    arguments: &'static str,
    needed: usize,
    keeps_width: bool,
) -> Signature {
    Signature {
        name,
        arguments,
        needed,
        gives_number: false,
        keeps_width,
    }
}

const fn number_function(name: &'static str, arguments: &'static str, needed: usize) -> Signature {
    Signature {
        name,
        arguments,
        needed,
        gives_number: true,
        keeps_width: false,
    }
}

const SIGNATURES: &[Signature] = &[
    text_function("UPPER", "t", 1, true),
    text_function("LOWER", "t", 1, true),
    text_function("INITCAP", "t", 1, true),
    text_function("SUBSTR", "tnn", 2, true),
    text_function("REPLACE", "ttt", 2, false),
    text_function("TRANSLATE", "ttt", 3, true),
    text_function("LPAD", "tnt", 2, false),
    text_function("RPAD", "tnt", 2, false),
    text_function("LTRIM", "tt", 1, true),
    text_function("RTRIM", "tt", 1, true),
    text_function("TRIM", "t", 1, true),
    text_function("CHR", "n", 1, false),
    text_function("CONCAT", "tt", 2, false),
    number_function("LENGTH", "t", 1),
    number_function("LENGTHB", "t", 1),
    number_function("INSTR", "ttnn", 2),
    number_function("ASCII", "t", 1),
    number_function("ABS", "n", 1),
    number_function("SIGN", "n", 1),
    number_function("FLOOR", "n", 1),
    number_function("CEIL", "n", 1),
    number_function("MOD", "nn", 2),
    number_function("ROUND", "nn", 1),
    number_function("POWER", "nn", 2),
    number_function("SQRT", "n", 1),
];
