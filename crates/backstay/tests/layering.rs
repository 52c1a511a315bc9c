//! The table of rooms holds: which crate may use which, asked of cargo itself.
//! What lives here: the table and its check. What does not: the reasons, which docs/ARCHITECTURE.md gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::MetadataCommand;

/// Each crate of the workspace with the crates of the workspace that it may use.
const ROOMS: [(&str, &[&str]); 8] = [
    ("oracle", &[]),
    ("practice", &["oracle"]),
    ("brtools", &["oracle"]),
    ("nfs", &[]),
    ("api", &[]),
    ("repository", &[]),
    ("store", &["nfs", "api", "oracle", "repository"]),
    (
        "backstay",
        &[
            "oracle",
            "practice",
            "brtools",
            "nfs",
            "api",
            "repository",
            "store",
        ],
    ),
];

/// A crate as cargo sees it; dependencies for tests and builds count as well.
struct Member {
    name: String,
    folder: String,
    uses: BTreeSet<String>,
}

fn workspace() -> Vec<Member> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let member = |package: &cargo_metadata::Package| Member {
        name: package.name.to_string(),
        folder: package
            .manifest_path
            .parent()
            .and_then(|folder| folder.file_name())
            .unwrap_or_default()
            .to_string(),
        uses: package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.clone())
            .collect(),
    };
    metadata
        .workspace_packages()
        .into_iter()
        .map(member)
        .collect()
}

/// What breaks the table, a sentence each.
fn objections(members: &[Member]) -> Vec<String> {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut objections = Vec::new();
    for Member { name, folder, uses } in members {
        if name != folder {
            objections.push(format!(
                "the crate {name} lies in the folder {folder}: folder and crate have one name"
            ));
        }
        let Some(allowed) = rooms.get(name.as_str()) else {
            objections.push(format!(
                "the crate {name} has no row in the table of rooms: say in layering.rs what it may use"
            ));
            continue;
        };
        // A crate may ask for itself with what its tests need.
        let others = uses.iter().filter(|used| *used != name);
        let neighbours = others.filter(|used| {
            rooms.contains_key(used.as_str()) || members.iter().any(|member| &member.name == *used)
        });
        for used in neighbours.filter(|used| !allowed.contains(&used.as_str())) {
            objections.push(format!(
                "{name} uses {used}, and the table of rooms does not allow it"
            ));
        }
    }
    let missing = |room: &&str| !members.iter().any(|member| member.name == **room);
    objections.extend(
        rooms
            .keys()
            .copied()
            .filter(missing)
            .map(|room| format!("the table of rooms has a row for {room}, which is no crate")),
    );
    objections
}

#[test]
fn every_crate_uses_only_what_its_room_allows() {
    assert_eq!(objections(&workspace()), Vec::<String>::new());
}

#[test]
fn a_wrong_use_an_unknown_crate_and_a_wrong_folder_are_named() {
    let mut members = workspace();
    for member in &mut members {
        if member.name == "brtools" {
            member.uses.insert("practice".into());
            member.folder = "tools".into();
        }
    }
    members.push(Member {
        name: "attic".into(),
        folder: "attic".into(),
        uses: BTreeSet::new(),
    });
    members.retain(|member| member.name != "backstay");
    let said = objections(&members).join("\n");
    for sentence in [
        "the crate brtools lies in the folder tools",
        "brtools uses practice",
        "the crate attic has no row",
        "a row for backstay",
    ] {
        assert!(said.contains(sentence), "'{sentence}' is not in: {said}");
    }
}

/// The rows `| [crate](…) | what | may use | … |` of docs/ARCHITECTURE.md, as far as they name crates that exist.
fn drawn_table() -> BTreeMap<String, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).expect("docs/ARCHITECTURE.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| [")?.split('|').collect();
        let (name, _) = cells.first()?.split_once(']')?;
        let may_use = match cells.get(2)?.trim() {
            "all" => ROOMS
                .map(|(room, _)| room)
                .into_iter()
                .filter(|room| *room != name)
                .map(String::from)
                .collect(),
            // Every second piece between backquotes is a name; "–" has none.
            cell => cell
                .split('`')
                .skip(1)
                .step_by(2)
                .map(String::from)
                .collect(),
        };
        Some((name.to_string(), may_use))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn the_architecture_draws_the_table_that_is_enforced() {
    let enforced = ROOMS.map(|(room, uses)| {
        let uses = uses.iter().map(|used| used.to_string()).collect();
        (room.to_string(), uses)
    });
    assert_eq!(drawn_table(), BTreeMap::from(enforced));
}
