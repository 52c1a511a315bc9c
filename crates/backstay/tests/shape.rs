//! The shape of the source: files that say what they are for, short enough to be read, and no drawers.
//! What lives here: what a glance at each file can check. What does not: lints (clippy.toml), layering (layering.rs).

use std::fs;
use std::path::{Component, Path, PathBuf};

/// A file above this has more than one subject.
const LINES_MAX: usize = 800;
/// Names under which everything and nothing lives.
const DRAWERS: [&str; 7] = [
    "utils", "util", "helpers", "helper", "common", "misc", "manager",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What is wrong with a file, a sentence each.
fn objections(path: &Path, text: &str) -> Vec<String> {
    let mut objections = Vec::new();
    let shown = path.display();
    if !text.starts_with("//! ") {
        objections.push(format!(
            "{shown} does not open with what lives here and what does not"
        ));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        objections.push(format!(
            "{shown} has {lines} lines, more than {LINES_MAX}: it has more than one subject"
        ));
    }
    let stem = |part: &Component| Path::new(part).file_stem().map(|stem| stem.to_owned());
    let names: Vec<_> = path.components().filter_map(|part| stem(&part)).collect();
    if let Some(drawer) = DRAWERS
        .iter()
        .find(|drawer| names.iter().any(|name| name == *drawer))
    {
        objections.push(format!(
            "{shown}: '{drawer}' is a drawer, name what lives there"
        ));
    }
    objections
}

#[test]
fn every_source_file_says_what_it_is_for_and_can_be_read_at_one_sitting() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(&crates, &mut files);
    assert!(files.len() > 100, "only {} source files?", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).expect("a source file");
            objections(file.strip_prefix(&crates).expect("below crates"), &text)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_silent_long_or_nameless_file_is_noticed() {
    let good = Path::new("oracle/src/scn.rs");
    assert!(objections(good, "//! SCNs.\n").is_empty());
    assert_eq!(objections(good, "use std::fs;\n").len(), 1);
    let long = format!("//! SCNs.\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(objections(good, &long).len(), 1);
    for drawer in ["oracle/src/utils.rs", "oracle/src/common/scn.rs"] {
        assert_eq!(objections(Path::new(drawer), "//! SCNs.\n").len(), 1);
    }
}
