//! The manifest that tree.sh prints, held against the directory that was exported.
//! What lives here: reading both, and where they differ. What does not: making the tree (tests/vm/guest/tree.sh).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// What is known of each path below the export, in the words of the manifest, without the path.
pub type Manifest = BTreeMap<String, String>;

/// The lines between "manifest" and "end of the manifest".
pub fn of_the_guest(said: &[String]) -> Manifest {
    let begin = said.iter().position(|line| line == "manifest");
    let end = said.iter().position(|line| line == "end of the manifest");
    let (Some(begin), Some(end)) = (begin, end) else {
        panic!("no whole manifest in {said:#?}");
    };
    said[begin + 1..end]
        .iter()
        .map(|line| {
            let (known, path) = line.rsplit_once('\t').expect("fields divided by tabs");
            (path.to_owned(), known.to_owned())
        })
        .collect()
}

/// The SHA-256 of every file below a directory, by path, as coreutils compute it: not with code of ours.
fn sums(root: &Path) -> BTreeMap<String, String> {
    let output = Command::new("find")
        .args([".", "-type", "f", "-exec", "sha256sum", "{}", "+"])
        .current_dir(root)
        .output()
        .expect("find and sha256sum");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("names in UTF-8");
    text.lines()
        .map(|line| {
            let (sum, path) = line.split_once("  ./").expect("sum and path");
            (path.to_owned(), sum.to_owned())
        })
        .collect()
}

/// What a directory holds.
pub fn of_the_directory(root: &Path) -> Manifest {
    let sums = sums(root);
    let mut manifest = Manifest::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below the root");
            let name = name.to_str().expect("a name in UTF-8").to_owned();
            let metadata = fs::symlink_metadata(&path).expect("what is known of it");
            let mode = metadata.permissions().mode() & 0o7777;
            let known = if metadata.is_symlink() {
                let target = fs::read_link(&path).expect("a symbolic link");
                format!("link\t{}", target.to_str().expect("a target in UTF-8"))
            } else if metadata.is_dir() {
                directories.push(path);
                format!("directory\t{mode:o}")
            } else {
                let sum = sums.get(&name).map_or("unread", String::as_str);
                let (bytes, links) = (metadata.len(), metadata.nlink());
                format!("file\t{sum}\t{bytes}\t{mode:o}\t{links}")
            };
            manifest.insert(name, known);
        }
    }
    manifest
}

/// Where the two differ, a sentence each.
pub fn differences(guest: &Manifest, directory: &Manifest) -> Vec<String> {
    let paths = guest
        .keys()
        .chain(directory.keys().filter(|path| !guest.contains_key(*path)));
    paths
        .filter(|path| guest.get(*path) != directory.get(*path))
        .map(|path| {
            let shown = |manifest: &Manifest| manifest.get(path).cloned();
            let [written, found] =
                [guest, directory].map(|side| shown(side).unwrap_or_else(|| "nothing".to_owned()));
            format!("{path}: the guest has '{written}', the directory '{found}'")
        })
        .collect()
}
