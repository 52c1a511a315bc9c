//! The documents hold together: links lead somewhere, named functions exist, the glossary is in order.
//! What lives here: checks of text. What does not: whether a document is right.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README.md, CHANGELOG.md and the like, and everything under docs.
fn documents() -> Vec<PathBuf> {
    let mut found = documents_in(&root(), false);
    found.extend(documents_in(&root().join("docs"), true));
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"] {
        assert!(found.contains(&root().join(name)), "{name} is missing");
    }
    found
}

fn documents_in(directory: &Path, and_below: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory of documents") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && and_below {
            found.extend(documents_in(&path, true));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The text without its fenced blocks: what is in them is shown, not said.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// Label and target of each `[label](target)` that leads to a file of ours.
fn links(text: &str) -> Vec<(String, String)> {
    let text = prose(text);
    let mut links = Vec::new();
    let mut rest = text.as_str();
    while let Some(middle) = rest.find("](") {
        let (before, after) = (&rest[..middle], &rest[middle + 2..]);
        let Some(end) = after.find(')') else { break };
        let (label, target) = (before.rsplit('[').next().unwrap_or(""), &after[..end]);
        if !target.starts_with("http://") && !target.starts_with("https://") {
            links.push((label.to_string(), target.to_string()));
        }
        rest = &after[end..];
    }
    links
}

/// The fragment by which a heading is reached: lower case, hyphens for spaces, punctuation left out.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let lower = heading.trim().to_lowercase();
    lower
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

fn has_heading(document: &str, fragment: &str) -> bool {
    prose(document)
        .lines()
        .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == fragment)
}

/// `L10` or `L10-L20`: the lines exist, in this order.
fn has_lines(source: &str, fragment: &str) -> bool {
    let number = |text: &str| text.strip_prefix('L')?.parse::<usize>().ok();
    let (first, last) = fragment.split_once('-').unwrap_or((fragment, fragment));
    match (number(first), number(last)) {
        (Some(first), Some(last)) => 1 <= first && first <= last && last <= source.lines().count(),
        _ => false,
    }
}

/// Why a link leads nowhere, if so.
fn objection(document: &Path, target: &str) -> Option<&'static str> {
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let file = match path {
        "" => document.to_path_buf(),
        path => document.parent()?.join(path),
    };
    if !file.exists() {
        return Some("there is no such file");
    }
    if fragment.is_empty() {
        return None;
    }
    let text = read(&file);
    match file.extension().is_some_and(|extension| extension == "md") {
        true if !has_heading(&text, fragment) => Some("the file has no such heading"),
        false if !has_lines(&text, fragment) => Some("the file has no such lines"),
        _ => None,
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_or_line() {
    let mut wrong = Vec::new();
    for document in documents() {
        for (_, target) in links(&read(&document)) {
            if let Some(why) = objection(&document, &target) {
                wrong.push(format!("{}: {target}: {why}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_to_nothing_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let document = directory.path().join("a.md");
    fs::write(
        &document,
        "# A heading\n```\n# Not one, and [no](link.md)\n```\n",
    )
    .expect("written");
    fs::write(directory.path().join("b.rs"), "one\ntwo\n").expect("written");
    for target in [
        "a.md",
        "#a-heading",
        "a.md#a-heading",
        "b.rs",
        "b.rs#L2",
        "b.rs#L1-L2",
    ] {
        assert_eq!(objection(&document, target), None, "{target}");
    }
    for target in [
        "c.md",
        "#another",
        "#not-one-and-no",
        "b.rs#L3",
        "b.rs#L2-L1",
        "b.rs#L0",
        "b.rs#two",
    ] {
        assert!(objection(&document, target).is_some(), "{target}");
    }
    assert!(links(&read(&document)).is_empty());
    let two = links("[`a::b`](c.rs) and [d](https://e) and [f](g)");
    assert_eq!(two.len(), 2, "{two:?}");
    assert_eq!(two[0], ("`a::b`".to_string(), "c.rs".to_string()));
}

/// `` `owner::function` `` as a label promises that the file of the link defines the function, and that the owner is a
/// type with methods in that file or the module which the file is.
fn broken_promise(label: &str, file: &Path) -> Option<String> {
    let name = label.strip_prefix('`')?.strip_suffix('`')?;
    let (owner, function) = name.rsplit_once("::")?;
    let owner = owner.rsplit("::").next().unwrap_or(owner);
    let source = read(file);
    let defines = |opening: &str, name: &str| {
        source.match_indices(opening).any(|(at, _)| {
            let rest = &source[at + opening.len()..];
            rest.strip_prefix(name).is_some_and(|rest| {
                !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            })
        })
    };
    if !defines("fn ", function) {
        return Some(format!("{} has no function {function}", file.display()));
    }
    let stem = file.file_stem()?.to_str()?;
    let module = match stem {
        "mod" | "lib" | "main" => file.parent()?.file_name()?.to_str()?,
        stem => stem,
    };
    let owns = owner == module || defines("impl ", owner) || defines("> ", owner);
    (!owns).then(|| format!("{} is no place of {owner}", file.display()))
}

#[test]
fn every_function_that_the_architecture_names_is_where_it_says() {
    let directory = root().join("docs");
    let text = read(&directory.join("ARCHITECTURE.md"));
    let named: Vec<_> = links(&text)
        .into_iter()
        .filter(|(label, target)| label.contains("::") && target.ends_with(".rs"))
        .collect();
    assert!(
        named.len() >= 8,
        "its first chapter follows a backup through about ten functions, not {}",
        named.len()
    );
    let broken: Vec<String> = named
        .iter()
        .filter_map(|(label, target)| broken_promise(label, &directory.join(target)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_function_that_moved_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("commit.rs");
    fs::write(&file, "impl Instance {\n    pub fn commit(&self) {}\n}\n").expect("written");
    for good in [
        "`Instance::commit`",
        "`commit::commit`",
        "`engine::Instance::commit`",
        "words",
    ] {
        assert_eq!(broken_promise(good, &file), None, "{good}");
    }
    for bad in [
        "`Instance::comm`",
        "`Instance::open`",
        "`Inst::commit`",
        "`undo::commit`",
    ] {
        assert!(broken_promise(bad, &file).is_some(), "{bad}");
    }
}

/// Term and explanation of each entry of the glossary.
fn glossary() -> Vec<(String, String)> {
    let text = read(&root().join("docs/GLOSSARY.md"));
    let entries = text.split("\n## ").skip(1);
    let entry = |entry: &str| {
        let (term, explanation) = entry.split_once('\n').unwrap_or((entry, ""));
        (term.trim().to_string(), explanation.trim().to_string())
    };
    entries.map(entry).collect()
}

#[test]
fn the_glossary_is_in_order_and_names_nothing_twice() {
    let terms: Vec<String> = glossary()
        .into_iter()
        .map(|(term, _)| term.to_lowercase())
        .collect();
    for pair in terms.windows(2) {
        assert!(
            pair[0] < pair[1],
            "'{}' stands before '{}'",
            pair[0],
            pair[1]
        );
    }
}

#[test]
fn the_glossary_explains_each_word_in_a_sentence_or_a_few() {
    for (term, explanation) in glossary() {
        let sentences = explanation.matches(['.', ';']).count();
        assert!(
            explanation.ends_with('.'),
            "{term} has no explanation that ends"
        );
        assert!(
            explanation.chars().count() <= 420 && sentences <= 6,
            "{term} is explained at too great a length"
        );
    }
}

/// The words that a newcomer meets in the first hour, and those that are easily confused.
#[test]
fn the_glossary_has_the_words_that_the_documents_lean_on() {
    let terms: Vec<String> = glossary().into_iter().map(|(term, _)| term).collect();
    for wanted in [
        "Action id",
        "Archived log",
        "Backup",
        "Backup mode",
        "Checkpoint",
        "Control file",
        "Crash recovery",
        "Data file",
        "DBVERIFY",
        "Detail log",
        "Fractured block",
        "Function id",
        "In doubt",
        "Incarnation",
        "Label",
        "Ledger",
        "Log sequence",
        "Media recovery",
        "Mount",
        "Offline redo log",
        "Online redo log",
        "Planted bug",
        "Practice database",
        "Profile",
        "Recovery point",
        "Resetlogs",
        "SCN",
        "Snapshot",
        "Summary log",
        "Tablespace",
        "Volume",
    ] {
        assert!(
            terms.iter().any(|term| term == wanted),
            "{wanted} is not explained"
        );
    }
}

#[test]
fn the_store_document_lists_every_code_as_it_is_answered() {
    let text = read(&root().join("docs/STORE.md"));
    for code in api::code::Code::ALL {
        let row = format!(
            "| {} | {} | {} |",
            code.number(),
            code.status(),
            code.message()
        );
        assert!(text.contains(&row), "missing: {row}");
    }
}
