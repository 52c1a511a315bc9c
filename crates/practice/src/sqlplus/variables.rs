//! Substitution variables: DEFINE and `&name`.
//! What lives here: names, values and finding them in a line. What does not: asking for a value.

use std::collections::BTreeMap;

/// The variables of a session, by name in capitals.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A variable; `&&` keeps the value that is given for it.
    Variable {
        name: String,
        keep: bool,
    },
}

impl Variables {
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_uppercase(), value.to_owned());
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_uppercase()).map(String::as_str)
    }

    pub fn forget(&mut self, name: &str) -> bool {
        self.0.remove(&name.to_uppercase()).is_some()
    }

    /// `DEFINE NAME = "value" (CHAR)` of each.
    pub fn list(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(name, value)| described(name, value))
    }
}

/// A variable as DEFINE shows it.
pub(super) fn described(name: &str, value: &str) -> String {
    format!("DEFINE {name:<15} = \"{value}\" (CHAR)")
}

/// Takes a line apart at its variables.
pub(super) fn parts(line: &str, sign: char) -> Vec<Part> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut rest = line;
    while let Some(place) = rest.find(sign) {
        let after = &rest[place + sign.len_utf8()..];
        let (keep, name_on) = match after.strip_prefix(sign) {
            Some(name_on) => (true, name_on),
            None => (false, after),
        };
        let length = name_on
            .find(|c: char| !(c.is_alphanumeric() || "_$#".contains(c)))
            .unwrap_or(name_on.len());
        text.push_str(&rest[..place]);
        if length == 0 {
            text.push(sign);
            rest = after;
            continue;
        }
        if !text.is_empty() {
            found.push(Part::Text(std::mem::take(&mut text)));
        }
        found.push(Part::Variable {
            name: name_on[..length].to_owned(),
            keep,
        });
        // A point ends the name and disappears.
        rest = name_on[length..]
            .strip_prefix('.')
            .unwrap_or(&name_on[length..]);
    }
    text.push_str(rest);
    if !text.is_empty() {
        found.push(Part::Text(text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_and_lone_signs_stay() {
        let variable = |name: &str, keep| Part::Variable {
            name: name.into(),
            keep,
        };
        let text = |text: &str| Part::Text(text.into());
        assert_eq!(
            parts("a &x..b &&y&z", '&'),
            vec![
                text("a "),
                variable("x", false),
                text(".b "),
                variable("y", true),
                variable("z", false)
            ]
        );
        assert_eq!(parts("this & that &", '&'), vec![text("this & that &")]);
        assert_eq!(parts("", '&'), vec![]);
    }

    #[test]
    fn names_have_no_case() {
        let mut variables = Variables::default();
        variables.set("Home", "/o");
        assert_eq!(variables.get("hOME"), Some("/o"));
        assert!(variables.forget("home") && !variables.forget("home"));
    }
}
