//! The documents hold together: links lead somewhere, the glossary is in order, named functions exist.
//! What lives here: checks of text. What does not: whether a document is right.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in [root(), root().join("docs"), root().join("bench")] {
        let entries = fs::read_dir(&directory).expect("a directory of documents");
        found.extend(
            entries
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|e| e == "md")),
        );
    }
    assert!(
        found.len() >= 5,
        "README, CHANGELOG, CONTRIBUTING and docs: {found:?}"
    );
    found
}

/// Text and target of each `[text](target)` that leads to a file.
fn links(text: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut rest = text;
    while let Some(middle) = rest.find("](") {
        let (before, after) = (&rest[..middle], &rest[middle + 2..]);
        let Some(end) = after.find(')') else { break };
        let label = before.rsplit_once('[').map_or("", |(_, label)| label);
        if !after[..end].starts_with("http") {
            links.push((label.to_string(), after[..end].to_string()));
        }
        rest = &after[end..];
    }
    links
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for (_, target) in links(&text) {
            let (path, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() {
                document.clone()
            } else {
                document.parent().expect("a directory").join(path)
            };
            assert!(
                file.exists(),
                "{}: {target} leads nowhere",
                document.display()
            );
            if !fragment.is_empty() && file.extension().is_some_and(|extension| extension == "md") {
                let there = fs::read_to_string(&file).expect("a document");
                let found = there
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .any(|h| anchor(h.trim_start_matches('#')) == fragment);
                assert!(found, "{}: {target}: no such heading", document.display());
            }
        }
    }
}

/// In docs/ARCHITECTURE.md a link whose text is `` `room::function` `` names a function of the file it leads to.
#[test]
fn every_function_that_the_architecture_names_is_where_it_says() {
    let document = root().join("docs/ARCHITECTURE.md");
    let text = fs::read_to_string(&document).expect("the architecture");
    let mut checked = 0;
    for (label, target) in links(&text) {
        let Some(name) = label
            .strip_prefix('`')
            .and_then(|label| label.strip_suffix('`'))
        else {
            continue;
        };
        let Some(function) = name
            .rsplit("::")
            .next()
            .filter(|_| name.contains("::") && target.ends_with(".rs"))
        else {
            continue;
        };
        let source = fs::read_to_string(document.parent().expect("docs").join(&target))
            .expect("a source file");
        assert!(
            source.contains(&format!("fn {function}")),
            "{target} has no function {function}"
        );
        checked += 1;
    }
    assert!(
        checked >= 8,
        "the first chapter names about ten functions, {checked} were found"
    );
}

#[test]
fn the_glossary_is_in_order_and_names_nothing_twice() {
    let text = fs::read_to_string(root().join("docs/GLOSSARY.md")).expect("the glossary");
    let words: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_lowercase)
        .collect();
    assert!(words.len() > 30);
    for pair in words.windows(2) {
        assert!(
            pair[0] < pair[1],
            "'{}' stands before '{}'",
            pair[0],
            pair[1]
        );
    }
}
