//! A client that others wrote: libnfs, as Debian packages it (libnfs-utils).
//! What lives here: listing, writing and reading with its programs. What does not: what only a hand-made client can say.

mod world;

use std::process::{Command, Output};

use world::*;

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}. HINT: apt-get install libnfs-utils"))
}

fn succeeds(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn libnfs_lists_writes_and_reads() {
    let world = World::new();
    let port = world.address().port();
    let url = |path: &str| format!("nfs://127.0.0.1{NAME}{path}?nfsport={port}&mountport={port}");
    let local = tempfile::tempdir().unwrap();
    let (source, back) = (local.path().join("source"), local.path().join("back"));
    let content: Vec<u8> = (0..3_000_000_u32)
        .flat_map(|number| [number as u8, (number >> 8) as u8])
        .collect();
    std::fs::write(&source, &content).unwrap();
    succeeds(&run("nfs-cp", &[source.to_str().unwrap(), &url("/piece")]));
    assert!(std::fs::read(world.directory.path().join("piece")).unwrap() == content);
    succeeds(&run("nfs-cp", &[&url("/piece"), back.to_str().unwrap()]));
    assert!(std::fs::read(&back).unwrap() == content);
    std::fs::write(world.directory.path().join("note"), "a note\n").unwrap();
    assert_eq!(succeeds(&run("nfs-cat", &[&url("/note")])), "a note\n");
    let listing = succeeds(&run("nfs-ls", &[&url("")]));
    assert!(
        listing.contains("6000000 piece") && listing.contains("7 note"),
        "{listing}"
    );
    world.set_policy(|policy| policy.allowed.clear());
    let refused = run("nfs-ls", &[&url("")]);
    let said = [refused.stdout, refused.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("MNT3ERR_ACCES"), "{said}");
}
