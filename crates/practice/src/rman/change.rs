//! CHANGE … UNCATALOG: backups that are forgotten while their files stay.
//! What lives here: what is said of them, and the patterns of LIKE. What does not: choosing (`upkeep`), forgetting (`engine`).

use super::command::Selection;
use super::failure::Outcome;
use super::numbers;
use super::session::Session;
use crate::engine::backup::Order;

impl Session {
    /// CHANGE … UNCATALOG.
    pub(super) fn uncatalog(&mut self, selection: &Selection) -> Outcome<()> {
        let control = self.control()?;
        self.say_repository();
        let chosen = self.choose(&control, selection)?;
        if chosen.is_empty() {
            self.say_no_match(selection.kind);
            return Ok(());
        }
        for chosen in &chosen {
            self.order(Order::Forget(chosen.thing))?;
            let said = format!("uncataloged {}", chosen.kind());
            self.log
                .say_together(&[(numbers::UNCATALOGED, said), chosen.line()]);
        }
        self.log.say(
            numbers::OBJECTS,
            format!("Uncataloged {} objects", chosen.len()),
        );
        self.log.plain("");
        Ok(())
    }
}

/// Whether a name is like a pattern: `%` stands for any text, `_` for any one character.
pub(super) fn is_like(name: &str, pattern: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let mut rest: &[char] = &name;
    // Where the last % stood: what follows it in the pattern, and how much of the name it leaves at most.
    let mut retry: Option<(&str, &[char])> = None;
    let mut pattern = pattern;
    loop {
        let mut letters = pattern.chars();
        match (letters.next(), rest.split_first()) {
            (Some('%'), _) => {
                pattern = letters.as_str();
                retry = Some((pattern, rest));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some((found, after))) if wanted == '_' || wanted == *found => {
                pattern = letters.as_str();
                rest = after;
                continue;
            }
            _ => {}
        }
        // The last % takes one character more.
        let Some((after_percent, [_, fewer @ ..])) = retry else {
            return false;
        };
        retry = Some((after_percent, fewer));
        (pattern, rest) = (after_percent, fewer);
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_percent_sign_is_any_text_and_an_underscore_any_character() {
        for (name, pattern, like) in [
            ("/m/a", "/m/%", true),
            ("/m/", "/m/%", true),
            ("/mnt/a", "/m/%", false),
            ("/m/a", "/m/a", true),
            ("/m/a", "/m/A", false),
            ("/m/ab", "/m/a_", true),
            ("/m/a", "/m/a_", false),
            ("/m/axbxb", "%a%b", true),
            ("/m/axbxc", "%a%b", false),
            ("aab", "%ab", true),
            ("", "%", true),
            ("", "", true),
            ("a", "", false),
            ("größe", "gr__e", true),
        ] {
            assert_eq!(is_like(name, pattern), like, "{name} {pattern}");
        }
    }
}
