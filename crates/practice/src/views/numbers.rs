//! NUMBER values as text, with and without a format model.
//! What lives here: printing and reading numbers. What does not: arithmetic, which SQLite does.

use crate::engine::error::{OraError, OraResult};

/// Longest format model.
const MODEL_CHARACTERS_MAX: usize = 64;

/// A number that SQLite holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Real(f64),
}

impl Number {
    /// Its value, possibly rounded.
    pub fn as_real(self) -> f64 {
        match self {
            Number::Whole(value) => value as f64,
            Number::Real(value) => value,
        }
    }

    /// The text of TO_CHAR without a model: no zero before the point.
    pub fn text(self) -> String {
        match self {
            Number::Whole(value) => value.to_string(),
            Number::Real(value) if value == value.trunc() && value.abs() < 1e15 => {
                format!("{value:.0}")
            }
            Number::Real(value) => {
                let text = format!("{value}");
                match text.strip_prefix("0.").map(|rest| format!(".{rest}")) {
                    Some(short) => short,
                    None => text
                        .strip_prefix("-0.")
                        .map_or(text.clone(), |rest| format!("-.{rest}")),
                }
            }
        }
    }
}

/// TO_NUMBER without a model.
///
/// # Errors
/// ORA-01722.
pub(super) fn parse(text: &str) -> OraResult<Number> {
    let invalid = || OraError::new(1722, "invalid number");
    let text = text.trim();
    if let Ok(whole) = text.parse() {
        return Ok(Number::Whole(whole));
    }
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
    {
        return Err(invalid());
    }
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .map(Number::Real)
        .ok_or_else(invalid)
}

/// A format model taken apart.
#[derive(Default)]
struct Model {
    /// Characters before the point: `9`, `0` and `,`.
    whole: String,
    fraction: usize,
    has_point: bool,
    fill_mode: bool,
    dollar: bool,
    sign: Sign,
    hexadecimal: usize,
    upper_hexadecimal: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Sign {
    /// A minus or a blank in front.
    #[default]
    Front,
    /// `S` in front: plus or minus.
    FrontAlways,
    /// `S` behind.
    BackAlways,
    /// `MI` behind: minus or blank.
    Back,
}

fn model(text: &str) -> OraResult<Model> {
    let invalid = || OraError::new(1481, "invalid number format model");
    if text.len() > MODEL_CHARACTERS_MAX {
        return Err(invalid());
    }
    let upper = text.to_ascii_uppercase();
    let mut model = Model::default();
    let mut rest = upper.as_str();
    if let Some(after) = rest.strip_prefix("FM") {
        model.fill_mode = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('S') {
        model.sign = Sign::FrontAlways;
        rest = after;
    } else if let Some(before) = rest.strip_suffix("MI") {
        model.sign = Sign::Back;
        rest = before;
    } else if let Some(before) = rest.strip_suffix('S') {
        model.sign = Sign::BackAlways;
        rest = before;
    }
    if !rest.is_empty()
        && rest
            .trim_start_matches('0')
            .bytes()
            .all(|byte| byte == b'X')
        && rest.ends_with('X')
    {
        model.hexadecimal = rest.len();
        model.upper_hexadecimal = text.contains('X');
        model.whole = rest.to_owned();
        return Ok(model);
    }
    for character in rest.chars() {
        match character {
            '$' => model.dollar = true,
            '.' | 'D' if !model.has_point => model.has_point = true,
            ',' | 'G' if !model.has_point && !model.whole.is_empty() => model.whole.push(','),
            '9' | '0' if model.has_point => model.fraction += 1,
            '9' | '0' => model.whole.push(character),
            _ => return Err(invalid()),
        }
    }
    Ok(model)
}

/// TO_CHAR of a number with a model; what does not fit becomes `#`.
///
/// # Errors
/// ORA-01481 for a model that is none.
pub(super) fn format(number: Number, text: &str) -> OraResult<String> {
    let model = model(text)?;
    if model.hexadecimal > 0 {
        return Ok(hexadecimal(number, &model));
    }
    let (negative, digits) = rounded(number, model.fraction);
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let Some(body) = place(whole.trim_start_matches('0'), &model) else {
        return Ok("#".repeat(text.len() + 1));
    };
    let mut shown = body.trim_start().to_owned();
    if model.dollar {
        shown.insert(0, '$');
    }
    if model.has_point {
        let fraction = if model.fill_mode {
            fraction.trim_end_matches('0')
        } else {
            fraction
        };
        shown.push('.');
        shown.push_str(fraction);
    }
    match (model.sign, negative) {
        (Sign::Front | Sign::FrontAlways, true) => shown.insert(0, '-'),
        (Sign::FrontAlways, false) => shown.insert(0, '+'),
        (Sign::Back | Sign::BackAlways, true) => shown.push('-'),
        (Sign::BackAlways, false) => shown.push('+'),
        (Sign::Back, false) if !model.fill_mode => shown.push(' '),
        _ => {}
    }
    if model.fill_mode {
        return Ok(shown);
    }
    let width = model.whole.len()
        + usize::from(model.has_point)
        + model.fraction
        + usize::from(model.dollar)
        + 1; // the sign
    Ok(format!("{shown:>width$}"))
}

/// Sign and digits with exactly `fraction` places; whole numbers keep all their digits.
fn rounded(number: Number, fraction: usize) -> (bool, String) {
    match number {
        Number::Whole(value) => {
            let zeros = if fraction > 0 {
                format!(".{}", "0".repeat(fraction))
            } else {
                String::new()
            };
            (value < 0, format!("{}{zeros}", value.unsigned_abs()))
        }
        Number::Real(value) => {
            let digits = format!("{:.fraction$}", value.abs());
            let is_zero = digits.bytes().all(|byte| byte == b'0' || byte == b'.');
            (value < 0.0 && !is_zero, digits)
        }
    }
}

/// The digits laid into the places before the point; None when they do not fit.
fn place(digits: &str, model: &Model) -> Option<String> {
    let places = model.whole.chars().filter(|c| *c != ',').count();
    if digits.len() > places {
        return None;
    }
    let first_zero = model
        .whole
        .chars()
        .filter(|c| *c != ',')
        .position(|c| c == '0')
        .unwrap_or(places);
    let mut shown_from = (places - digits.len()).min(first_zero);
    // A number below one shows a zero unless the model has places for a fraction.
    if shown_from == places && places > 0 && !model.has_point {
        shown_from = places - 1;
    }
    let mut text = String::new();
    let mut index = 0;
    for character in model.whole.chars() {
        if character == ',' {
            text.push(if index > shown_from { ',' } else { ' ' });
            continue;
        }
        let missing = places - digits.len();
        text.push(match (index >= missing, index >= shown_from) {
            (true, _) => digits.as_bytes()[index - missing] as char,
            (false, true) => '0',
            (false, false) => ' ',
        });
        index += 1;
    }
    Some(text)
}

fn hexadecimal(number: Number, model: &Model) -> String {
    let value = match number {
        Number::Whole(value) => value,
        Number::Real(value) => value.round() as i64,
    };
    let width = model.hexadecimal;
    let digits = if model.upper_hexadecimal {
        format!("{value:X}")
    } else {
        format!("{value:x}")
    };
    if value < 0 || digits.len() > width {
        return "#".repeat(width + 1);
    }
    let padded = if model.whole.starts_with('0') {
        format!("{digits:0>width$}")
    } else {
        digits
    };
    if model.fill_mode {
        padded
    } else {
        format!("{padded:>wide$}", wide = width + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: Number, model: &str) -> String {
        format(number, model).unwrap()
    }

    #[test]
    fn numbers_without_a_model_have_no_zero_before_the_point() {
        assert_eq!(Number::Whole(4711).text(), "4711");
        assert_eq!(Number::Real(0.5).text(), ".5");
        assert_eq!(Number::Real(-0.25).text(), "-.25");
        assert_eq!(Number::Real(3.0).text(), "3");
        assert_eq!(Number::Real(2.75).text(), "2.75");
    }

    #[test]
    fn models_place_digits_signs_and_groups() {
        assert_eq!(
            shown(Number::Whole(1_234_567), "999,999,999"),
            "   1,234,567"
        );
        assert_eq!(shown(Number::Whole(42), "00000"), " 00042");
        assert_eq!(shown(Number::Whole(-42), "9999"), "  -42");
        assert_eq!(shown(Number::Real(2.71549), "990.99"), "   2.72");
        assert_eq!(shown(Number::Real(0.5), "990.9"), "   0.5");
        assert_eq!(shown(Number::Whole(7), "FM0000"), "0007");
        assert_eq!(shown(Number::Whole(0), "999"), "   0");
        assert_eq!(shown(Number::Whole(12345), "999"), "####");
        assert_eq!(shown(Number::Whole(255), "XXXX"), "   FF");
        assert_eq!(shown(Number::Whole(255), "FM0xxx"), "00ff");
        assert_eq!(
            shown(Number::Whole(i64::MAX), "FM9999999999999999999"),
            i64::MAX.to_string()
        );
        assert_eq!(format(Number::Whole(1), "abc").unwrap_err().code(), 1481);
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        assert_eq!(parse(" 12 ").unwrap(), Number::Whole(12));
        assert_eq!(parse("1.5e3").unwrap(), Number::Real(1500.0));
        for text in ["", "x", "1 2", "inf", "NaN", "1e999"] {
            assert_eq!(parse(text).unwrap_err().code(), 1722, "{text}");
        }
    }
}
