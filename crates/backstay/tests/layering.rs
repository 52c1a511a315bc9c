//! The table of rooms holds: which crate may use which, asked of cargo itself.
//! What lives here: the rules. Their reasons are in docs/ARCHITECTURE.md.

use std::collections::BTreeMap;

use cargo_metadata::{Metadata, MetadataCommand};

/// Each crate of the workspace with the crates of the workspace that it may use.
const ROOMS: [(&str, &[&str]); 4] = [
    ("oracle", &[]),
    ("practice", &["oracle"]),
    ("brtools", &["oracle"]),
    ("backstay", &["oracle", "practice", "brtools"]),
];

fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .exec()
        .expect("cargo metadata")
}

#[test]
fn every_crate_uses_only_what_its_room_allows() {
    let rooms: BTreeMap<_, _> = ROOMS.into_iter().collect();
    let metadata = workspace();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let allowed = rooms
            .get(name)
            .unwrap_or_else(|| panic!("crate {name} has no row in the table of rooms"));
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| rooms.contains_key(dependency.name.as_str()))
        {
            assert!(
                allowed.contains(&dependency.name.as_str()),
                "{name} must not use {}",
                dependency.name
            );
        }
    }
    assert_eq!(
        metadata.workspace_packages().len(),
        ROOMS.len(),
        "a room of the table has no crate"
    );
}

#[test]
fn a_crate_lies_in_the_folder_of_its_name() {
    for package in workspace().workspace_packages() {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|folder| folder.file_name());
        assert_eq!(folder, Some(package.name.as_str()));
    }
}
