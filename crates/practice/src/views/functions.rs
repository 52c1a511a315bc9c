//! What Oracle's functions compute, as functions of SQLite.
//! What lives here: their bodies and the bound on the length of a text. What does not: which may be called (`function_sql`).

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;

use super::dates;
use super::numbers::{self, Number};
use crate::engine::error::{OraError, OraResult};

/// Longest text that a function gives, in bytes: VARCHAR2 of 12c and later.
const TEXT_BYTES_MAX: usize = 32_767;

type Function = fn(&Arguments) -> OraResult<Value>;

/// Name and body. NULL in the first argument gives NULL without a call, except where the body says otherwise.
const FUNCTIONS: &[(&str, Function)] = &[
    ("o_text", |a| Ok(text(a.number(0)?.text()))),
    ("o_number", |a| numbers::parse(&a.text(0)).map(number)),
    ("o_number_text", |a| {
        numbers::format(a.number(0)?, &a.text(1)).map(text)
    }),
    ("o_date_text", |a| {
        dates::format(a.whole(0)?, &a.text(1)).map(text)
    }),
    ("o_to_date", |a| {
        dates::parse(&a.text(0), &a.text(1), a.whole(2)?).map(Value::Integer)
    }),
    ("o_date_truncate", |a| {
        dates::truncate(a.whole(0)?, &a.text(1)).map(Value::Integer)
    }),
    ("o_add_months", |a| {
        in_calendar(dates::add_months(a.whole(0)?, a.whole(1)?))
    }),
    ("o_last_day", |a| last_day(a.whole(0)?)),
    ("o_add_days", |a| add_days(a.whole(0)?, a.number(1)?)),
    ("o_divide", divide),
    ("o_like", like),
    ("o_upper", |a| Ok(text(a.text(0).to_uppercase()))),
    ("o_lower", |a| Ok(text(a.text(0).to_lowercase()))),
    ("o_initcap", |a| Ok(text(initial_capitals(&a.text(0))))),
    ("o_substr", substring),
    ("o_replace", replace),
    ("o_translate", |a| {
        Ok(text(translate(&a.text(0), &a.text(1), &a.text(2))))
    }),
    ("o_lpad", |a| pad(a, true)),
    ("o_rpad", |a| pad(a, false)),
    ("o_ltrim", |a| {
        Ok(text(
            a.text(0).trim_start_matches(a.set(1).as_slice()).to_owned(),
        ))
    }),
    ("o_rtrim", |a| {
        Ok(text(
            a.text(0).trim_end_matches(a.set(1).as_slice()).to_owned(),
        ))
    }),
    ("o_trim", |a| {
        Ok(text(a.text(0).trim_matches(' ').to_owned()))
    }),
    ("o_chr", character),
    ("o_length", |a| {
        Ok(Value::Integer(a.text(0).chars().count() as i64))
    }),
    ("o_lengthb", |a| Ok(Value::Integer(a.text(0).len() as i64))),
    ("o_instr", position),
    ("o_ascii", |a| {
        Ok(a.text(0)
            .chars()
            .next()
            .map_or(Value::Null, |c| Value::Integer(u32::from(c).into())))
    }),
    ("o_abs", |a| {
        Ok(map_number(a.number(0)?, i64::checked_abs, f64::abs))
    }),
    ("o_sign", |a| {
        Ok(Value::Integer(sign(a.number(0)?.as_real())))
    }),
    ("o_floor", |a| {
        Ok(map_number(a.number(0)?, Some, f64::floor))
    }),
    ("o_ceil", |a| Ok(map_number(a.number(0)?, Some, f64::ceil))),
    ("o_mod", modulo),
    ("o_round", |a| scaled(a, f64::round)),
    ("o_truncate", |a| scaled(a, f64::trunc)),
    ("o_power", |a| {
        finite(a.number(0)?.as_real().powf(a.number(1)?.as_real()))
    }),
    ("o_sqrt", |a| finite(a.number(0)?.as_real().sqrt())),
];

/// Makes the functions known to a connection.
///
/// # Errors
/// SQLite's, when it lacks memory.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    for (name, body) in FUNCTIONS {
        connection.create_scalar_function(*name, -1, flags, move |context: &mut Context| {
            run(context, *body)
        })?;
    }
    connection.create_scalar_function("o_concat", 2, flags, |context: &mut Context| {
        run_concat(context)
    })
}

fn run(context: &Context, body: Function) -> rusqlite::Result<Value> {
    let arguments = Arguments(
        (0..context.len())
            .map(|index| context.get(index))
            .collect::<Result<_, _>>()?,
    );
    if arguments.is_null(0) {
        return Ok(Value::Null);
    }
    match body(&arguments) {
        Ok(Value::Text(text)) if text.is_empty() => Ok(Value::Null),
        Ok(Value::Text(text)) if text.len() > TEXT_BYTES_MAX => Err(failed(too_long())),
        Ok(value) => Ok(value),
        Err(error) => Err(failed(error)),
    }
}

/// CONCAT, which gives the other text when one is NULL.
fn run_concat(context: &Context) -> rusqlite::Result<Value> {
    let first: Option<String> = context.get(0)?;
    let second: Option<String> = context.get(1)?;
    let joined = format!(
        "{}{}",
        first.unwrap_or_default(),
        second.unwrap_or_default()
    );
    if joined.len() > TEXT_BYTES_MAX {
        return Err(failed(too_long()));
    }
    Ok(if joined.is_empty() {
        Value::Null
    } else {
        Value::Text(joined)
    })
}

fn failed(error: OraError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(Box::new(error))
}

fn too_long() -> OraError {
    OraError::new(1489, "result of string concatenation is too long")
}

/// The values a function was called with. A NULL or missing one reads as empty text or zero.
struct Arguments(Vec<Value>);

impl Arguments {
    fn is_null(&self, index: usize) -> bool {
        matches!(self.0.get(index), None | Some(Value::Null))
    }

    fn text(&self, index: usize) -> String {
        match self.0.get(index) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Integer(value)) => value.to_string(),
            Some(Value::Real(value)) => Number::Real(*value).text(),
            _ => String::new(),
        }
    }

    fn number(&self, index: usize) -> OraResult<Number> {
        match self.0.get(index) {
            Some(Value::Integer(value)) => Ok(Number::Whole(*value)),
            Some(Value::Real(value)) => Ok(Number::Real(*value)),
            Some(Value::Text(text)) => numbers::parse(text),
            _ => Ok(Number::Whole(0)),
        }
    }

    fn whole(&self, index: usize) -> OraResult<i64> {
        Ok(match self.number(index)? {
            Number::Whole(value) => value,
            Number::Real(value) => value.trunc() as i64,
        })
    }

    /// The characters to trim; a blank when none are given.
    fn set(&self, index: usize) -> Vec<char> {
        if self.is_null(index) {
            vec![' ']
        } else {
            self.text(index).chars().collect()
        }
    }
}

fn text(text: String) -> Value {
    Value::Text(text)
}

fn number(number: Number) -> Value {
    match number {
        Number::Whole(value) => Value::Integer(value),
        Number::Real(value) => Value::Real(value),
    }
}

fn finite(value: f64) -> OraResult<Value> {
    if value.is_finite() {
        Ok(tidy(value))
    } else {
        Err(OraError::new(1426, "numeric overflow"))
    }
}

/// A real number without a fraction as a whole one.
fn tidy(value: f64) -> Value {
    if value == value.trunc() && value.abs() < 9e15 {
        Value::Integer(value as i64)
    } else {
        Value::Real(value)
    }
}

fn map_number(number: Number, whole: fn(i64) -> Option<i64>, real: fn(f64) -> f64) -> Value {
    match number {
        Number::Whole(value) => {
            whole(value).map_or(Value::Real(real(value as f64)), Value::Integer)
        }
        Number::Real(value) => tidy(real(value)),
    }
}

fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}

fn divide(arguments: &Arguments) -> OraResult<Value> {
    if arguments.is_null(1) {
        return Ok(Value::Null);
    }
    let (left, right) = (arguments.number(0)?, arguments.number(1)?);
    if right.as_real() == 0.0 {
        return Err(OraError::new(1476, "divisor is equal to zero"));
    }
    if let (Number::Whole(left), Number::Whole(right)) = (left, right)
        && left.checked_rem(right) == Some(0)
    {
        return Ok(Value::Integer(left / right));
    }
    finite(left.as_real() / right.as_real())
}

fn modulo(arguments: &Arguments) -> OraResult<Value> {
    match (arguments.number(0)?, arguments.number(1)?) {
        // Oracle gives the dividend back for a divisor of zero.
        (left, right) if right.as_real() == 0.0 => Ok(number(left)),
        (Number::Whole(left), Number::Whole(right)) => {
            Ok(Value::Integer(left.checked_rem(right).unwrap_or(0)))
        }
        (left, right) => Ok(tidy(left.as_real() % right.as_real())),
    }
}

/// ROUND and TRUNC at a decimal place.
fn scaled(arguments: &Arguments, shape: fn(f64) -> f64) -> OraResult<Value> {
    let places = arguments.whole(1)?.clamp(-300, 300) as i32;
    let value = arguments.number(0)?;
    if let (Number::Whole(_), 0..) = (value, places) {
        return Ok(number(value));
    }
    let factor = 10f64.powi(places);
    let scaled = shape(value.as_real() * factor) / factor;
    Ok(if scaled.is_finite() {
        tidy(scaled)
    } else {
        number(value)
    })
}

/// ORA-01841 for a date that no calendar of Oracle holds.
fn in_calendar(seconds: i64) -> OraResult<Value> {
    const FIRST: i64 = -62_135_596_800; // 0001-01-01
    const LAST: i64 = 253_402_300_799; // 9999-12-31
    if (FIRST..=LAST).contains(&seconds) {
        return Ok(Value::Integer(seconds));
    }
    Err(OraError::new(
        1841,
        "(full) year must be between -4713 and +9999, and not be 0",
    ))
}

fn add_days(seconds: i64, days: Number) -> OraResult<Value> {
    let added = (days.as_real() * 86_400.0).round();
    in_calendar(seconds.saturating_add(added as i64))
}

fn last_day(seconds: i64) -> OraResult<Value> {
    let moment = dates::Moment::from_seconds(seconds);
    let day = dates::days_in_month(moment.year, moment.month);
    Ok(Value::Integer(dates::Moment { day, ..moment }.seconds()))
}

fn initial_capitals(source: &str) -> String {
    let mut after_letter = false;
    let mut result = String::new();
    for character in source.chars() {
        if after_letter {
            result.extend(character.to_lowercase());
        } else {
            result.extend(character.to_uppercase());
        }
        after_letter = character.is_alphanumeric();
    }
    result
}

/// SUBSTR: from 1, from the end when negative.
fn substring(arguments: &Arguments) -> OraResult<Value> {
    let characters: Vec<char> = arguments.text(0).chars().collect();
    let length = characters.len() as i64;
    let start = match arguments.whole(1)? {
        0 => 0,
        from if from > 0 => from - 1,
        from => length.saturating_add(from),
    };
    let count = if arguments.0.len() > 2 {
        arguments.whole(2)?
    } else {
        length
    };
    if start < 0 || start >= length || count < 1 {
        return Ok(Value::Null);
    }
    let end = start.saturating_add(count).min(length);
    Ok(text(
        characters[start as usize..end as usize].iter().collect(),
    ))
}

fn replace(arguments: &Arguments) -> OraResult<Value> {
    let (source, search, with) = (arguments.text(0), arguments.text(1), arguments.text(2));
    if search.is_empty() {
        return Ok(text(source));
    }
    let found = source.matches(&search).count();
    if source.len() + found * with.len() > TEXT_BYTES_MAX + found * search.len() {
        return Err(too_long());
    }
    Ok(text(source.replace(&search, &with)))
}

/// TRANSLATE: each character of `from` becomes that of `to` in the same place, or nothing.
fn translate(source: &str, from: &str, to: &str) -> String {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let map = |character: char| match from.iter().position(|known| *known == character) {
        None => Some(character),
        Some(index) => to.get(index).copied(),
    };
    source.chars().filter_map(map).collect()
}

fn pad(arguments: &Arguments, left: bool) -> OraResult<Value> {
    let source: Vec<char> = arguments.text(0).chars().collect();
    let width = usize::try_from(arguments.whole(1)?)
        .unwrap_or(0)
        .min(TEXT_BYTES_MAX);
    let filler = if arguments.is_null(2) {
        " ".to_owned()
    } else {
        arguments.text(2)
    };
    if source.len() >= width {
        return Ok(text(source[..width].iter().collect()));
    }
    let padding: String = filler.chars().cycle().take(width - source.len()).collect();
    let source: String = source.into_iter().collect();
    Ok(text(if left {
        format!("{padding}{source}")
    } else {
        format!("{source}{padding}")
    }))
}

fn character(arguments: &Arguments) -> OraResult<Value> {
    let code = u32::try_from(arguments.whole(0)?)
        .ok()
        .filter(|code| *code > 0);
    let character = code
        .and_then(char::from_u32)
        .ok_or_else(|| OraError::new(1428, "argument is out of range"))?;
    Ok(text(character.to_string()))
}

/// INSTR: the place of the n-th occurrence, from a start that counts from the end when negative.
fn position(arguments: &Arguments) -> OraResult<Value> {
    let source: Vec<char> = arguments.text(0).chars().collect();
    let search: Vec<char> = arguments.text(1).chars().collect();
    let start = if arguments.0.len() > 2 {
        arguments.whole(2)?
    } else {
        1
    };
    let wanted = if arguments.0.len() > 3 {
        arguments.whole(3)?
    } else {
        1
    };
    if search.is_empty() {
        return Ok(Value::Null);
    }
    let hits = |index: &usize| source[*index..].starts_with(&search);
    let length = source.len() as i64;
    let nth =
        usize::try_from(wanted - 1).map_err(|_| OraError::new(1428, "argument is out of range"))?;
    let found = match start {
        0 => None,
        from if from > 0 => ((from - 1).min(length) as usize..source.len())
            .filter(hits)
            .nth(nth),
        from if length + from < 0 => None,
        from => (0..=(length + from) as usize).rev().filter(hits).nth(nth),
    };
    Ok(Value::Integer(found.map_or(0, |index| index as i64 + 1)))
}

/// LIKE, in time proportional to text times pattern.
fn like(arguments: &Arguments) -> OraResult<Value> {
    if arguments.is_null(1) {
        return Ok(Value::Null);
    }
    let escape = match arguments.0.len() {
        0..3 => None,
        _ => {
            let text = arguments.text(2);
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(escape), None) => Some(escape),
                _ => {
                    return Err(OraError::new(
                        1425,
                        "escape character must be character string of length 1",
                    ));
                }
            }
        }
    };
    let pattern = like_pattern(&arguments.text(1), escape)?;
    let source: Vec<char> = arguments.text(0).chars().collect();
    Ok(Value::Integer(matches(&source, &pattern).into()))
}

#[derive(Clone, Copy, PartialEq)]
enum Wild {
    One(char),
    Any,
    Many,
}

fn like_pattern(pattern: &str, escape: Option<char>) -> OraResult<Vec<Wild>> {
    let mut wild = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            match characters.next() {
                Some(next) if next == '%' || next == '_' || Some(next) == escape => {
                    wild.push(Wild::One(next))
                }
                _ => {
                    return Err(OraError::new(
                        1424,
                        "missing or illegal character following the escape character",
                    ));
                }
            }
            continue;
        }
        wild.push(match character {
            '%' => Wild::Many,
            '_' => Wild::Any,
            other => Wild::One(other),
        });
    }
    Ok(wild)
}

/// Matches greedily and, on failure, lets the last `%` take one character more: earlier ones never need to change.
fn matches(source: &[char], pattern: &[Wild]) -> bool {
    let (mut at, mut wild) = (0, 0);
    let mut last_many: Option<(usize, usize)> = None;
    while at < source.len() {
        match pattern.get(wild) {
            Some(Wild::Many) => {
                last_many = Some((wild, at));
                wild += 1;
            }
            Some(Wild::Any) => {
                at += 1;
                wild += 1;
            }
            Some(Wild::One(character)) if *character == source[at] => {
                at += 1;
                wild += 1;
            }
            _ => match last_many {
                None => return false,
                Some((many, from)) => {
                    last_many = Some((many, from + 1));
                    wild = many + 1;
                    at = from + 1;
                }
            },
        }
    }
    pattern[wild..].iter().all(|rest| *rest == Wild::Many)
}
