//! Plain words for what the tools write: action ids, function ids, message numbers, detail logs.
//! What lives here: which of them a word is, and what it means. What does not: the story of a log (`story`).

mod functions;
mod story;

use std::path::Path;

use crate::action_id::{ActionId, Stamp, Tool};
use crate::messages::{self, Entry};

pub use story::{Remark, Story};

/// What a word means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// An action id, or the name of a detail log.
    Run(Run),
    /// A message number; it may exist in several severities.
    Messages(Vec<&'static Entry>),
    /// The extension of a detail log alone.
    Function(String),
}

/// What an action id says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Name of the tool in capitals.
    pub tool: &'static str,
    /// Second of its start.
    pub start: Stamp,
    /// What the function id says, if there is one.
    pub function: Option<String>,
}

/// The meaning of an id (`bfvczabc`), the name of a log (`bfvczabc.and`), a function id (`and`) or a message
/// (`BR0280I`, `BR280I`, `0280`, `280`). None: it is none of them.
pub fn word(text: &str) -> Option<Meaning> {
    let name = Path::new(text).file_name()?.to_str()?;
    let (stem, extension) = match name.split_once('.') {
        Some((stem, extension)) => (stem, Some(extension)),
        None => (name, None),
    };
    if let Some(run) = run(stem, extension) {
        return Some(Meaning::Run(run));
    }
    if extension.is_some() {
        return None;
    }
    let entries = messages_of(name);
    if !entries.is_empty() {
        return Some(Meaning::Messages(entries));
    }
    let told: Vec<String> = ['b', 'a', 'r', 'v', 'c', 's']
        .into_iter()
        .filter_map(|letter| functions::told(letter, name))
        .collect();
    (!told.is_empty()).then(|| Meaning::Function(told.join("; ")))
}

fn run(stem: &str, extension: Option<&str>) -> Option<Run> {
    let id: ActionId = stem.parse().ok()?;
    Some(Run {
        tool: tool_of(id.letter()),
        start: id.stamp(),
        function: extension.and_then(|function| functions::told(id.letter(), function)),
    })
}

/// The tool of an id's first letter, ours or not.
fn tool_of(letter: char) -> &'static str {
    match letter {
        'c' => "BRCONNECT",
        's' => "BRSPACE",
        letter => Tool::ALL
            .into_iter()
            .find(|tool| tool.letter() == letter)
            .map_or("?", Tool::name),
    }
}

/// `BR0280I`, `br280`, `0280I`, `280`: a severity narrows it down.
fn messages_of(name: &str) -> Vec<&'static Entry> {
    let upper = name.to_ascii_uppercase();
    let rest = upper.strip_prefix("BR").unwrap_or(&upper);
    let digits = rest.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let severity = &rest[digits.len()..];
    let Some(number) = (digits.len() <= 4)
        .then(|| digits.parse::<u16>().ok())
        .flatten()
    else {
        return Vec::new();
    };
    let fits = |entry: &&Entry| {
        entry.number == number
            && (severity.is_empty() || severity == entry.severity.letter().to_string())
    };
    messages::entries().iter().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_tells_tool_and_second_and_a_log_its_function_too() {
        // The published pair of the 4.0B article.
        for text in [
            "bczhvugd",
            "bczhvugd.pnt",
            "/oracle/SND/sapbackup/bczhvugd.pnt",
        ] {
            let Some(Meaning::Run(run)) = word(text) else {
                panic!("{text}");
            };
            assert_eq!((run.tool, run.start.seconds()), ("BRBACKUP", 918_447_559));
            let tape = run.function.is_some_and(|told| told.contains("tape"));
            assert_eq!(tape, text.ends_with("pnt"), "{text}");
        }
        let Some(Meaning::Run(run)) = word("sdkxdoyh") else {
            panic!();
        };
        assert_eq!(run.tool, "BRSPACE");
    }

    #[test]
    fn a_message_is_found_by_every_way_of_writing_its_number() {
        for text in ["BR0280I", "br280i", "BR280", "0280", "280"] {
            let Some(Meaning::Messages(found)) = word(text) else {
                panic!("{text}");
            };
            assert!(found.iter().all(|entry| entry.number == 280), "{text}");
        }
        assert_eq!(word("BR0280E"), None);
    }

    #[test]
    fn a_function_id_alone_is_told_and_nonsense_is_not() {
        assert!(matches!(word("svd"), Some(Meaning::Function(_))));
        for text in ["", ".", "zzz", "BRxyz", "123456", "bczhvug1", "..", "/"] {
            assert_eq!(word(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_word_makes_it_panic(text in "(BR|br)?.{0,12}([.].{0,4})?") {
            let _any = word(&text);
        }
    }
}
