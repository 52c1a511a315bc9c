//! `backstay mount`, `snapshot`, `job`, `store` and the rest of the administration against a real store.
//! What lives here: what an administrator types and reads. What does not: the store's answers behind it (store_api).

mod store_world;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use store_world::StoreWorld;

struct Said {
    code: Option<i32>,
    output: String,
    errors: String,
}

fn run(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Said {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
    for name in [
        "BACKSTAY_STORE_DIR",
        "BACKSTAY_STORE",
        "BACKSTAY_TOKEN",
        "BACKSTAY_STORE_CERTIFICATE",
    ] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// A command for the store of the world, as its own administrator gives it.
#[track_caller]
fn backstay(world: &StoreWorld, arguments: &[&str], code: i32) -> Said {
    let said = run(bare(arguments).env("BACKSTAY_STORE_DIR", &world.directory));
    assert_eq!(
        said.code,
        Some(code),
        "{arguments:?}\n{}{}",
        said.output,
        said.errors
    );
    said
}

#[test]
fn the_life_of_a_mount() {
    let world = StoreWorld::started();
    assert!(
        backstay(&world, &["mount", "list"], 0)
            .errors
            .contains("no mount yet")
    );
    let made = backstay(
        &world,
        &[
            "mount",
            "create",
            "prd",
            "--allow",
            "192.0.2.0/28",
            "--allow",
            "*",
            "--quota",
            "1GiB",
            "--squash",
            "all",
            "--driver",
            "copy",
        ],
        0,
    );
    let port = world.nfs_port();
    assert!(
        made.output
            .contains(&format!("port={port},mountport={port}")),
        "{}",
        made.output
    );
    assert!(
        made.output.contains(":/Phoenix/prd/oracle_data /local/prd"),
        "{}",
        made.output
    );
    let shown: Value =
        serde_json::from_str(&backstay(&world, &["mount", "show", "prd", "--json"], 0).output)
            .unwrap();
    assert_eq!(
        (&shown["quota_bytes"], &shown["allow"]),
        (
            &Value::from(1_u64 << 30),
            &serde_json::json!(["192.0.2.0/28", "*"])
        )
    );
    for (arguments, part) in [
        (
            &["mount", "create", "prd"][..],
            "there is a mount prd already",
        ),
        (
            &["mount", "create", "../x"],
            "cannot be the name of a mount",
        ),
        (
            &["mount", "create", "x", "--allow", "host"],
            "no range of addresses",
        ),
        (&["mount", "show", "PRD"], "case-sensitive"),
        (&["job", "show", "77"], "there is no job 77"),
        (
            &["snapshot", "delete", "x", "--yes"],
            "there is no snapshot x",
        ),
    ] {
        let said = backstay(&world, arguments, 1);
        assert!(
            said.errors.contains(part) && said.errors.contains("HINT: "),
            "{arguments:?}: {}",
            said.errors
        );
    }
    world.post("prd").must_succeed();
    let refused = backstay(&world, &["mount", "delete", "prd", "--yes"], 1);
    assert!(
        refused.errors.contains("a backup of prd is open"),
        "{}",
        refused.errors
    );
    let name = world.put("prd").must_succeed().snapshot().unwrap();
    let list = backstay(&world, &["mount", "list"], 0).output;
    assert!(list.lines().nth(1).unwrap().contains(&name), "{list}");
    assert!(
        backstay(&world, &["snapshot", "list"], 0)
            .output
            .contains(&name)
    );
    assert!(
        backstay(&world, &["job", "list", "--mount", "prd"], 0)
            .output
            .contains("Successful")
    );
    assert!(
        backstay(&world, &["store", "events"], 0)
            .output
            .contains("a backup was opened")
    );
    let asked = backstay(&world, &["snapshot", "delete", &name], 1);
    assert!(asked.errors.contains("--yes"), "{}", asked.errors);
    let two = backstay(&world, &["store", "events", "--limit", "2"], 0);
    assert_eq!(two.output.lines().count(), 3, "{}", two.output);
    assert!(two.errors.contains("--limit"), "{}", two.errors);
    backstay(&world, &["snapshot", "delete", &name, "--yes"], 0);
    let none = backstay(&world, &["snapshot", "list"], 0);
    assert_eq!(none.output, "");
    assert!(none.errors.contains("no snapshot"), "{}", none.errors);
    let gone = backstay(&world, &["mount", "delete", "prd", "--yes"], 0);
    assert!(gone.output.contains("Successful"), "{}", gone.output);
    assert!(!world.directory.join("mounts/prd").exists());
}

#[test]
fn a_backup_is_given_up_and_a_store_goes_out_of_service_and_back() {
    let world = StoreWorld::started();
    backstay(&world, &["mount", "create", "m"], 0);
    world.post("m").must_succeed();
    let shown: Value =
        serde_json::from_str(&backstay(&world, &["mount", "show", "m", "--json"], 0).output)
            .unwrap();
    let job = shown["open_job"].to_string();
    assert!(
        backstay(&world, &["job", "cancel", &job], 0)
            .output
            .contains("cancelled")
    );
    assert!(
        backstay(&world, &["job", "cancel", &job], 1)
            .errors
            .contains("has ended")
    );
    assert!(
        backstay(&world, &["store", "decommission"], 1)
            .errors
            .contains("HINT: say --yes"),
        "a store is not taken out of service without a question"
    );
    assert!(
        backstay(&world, &["store", "decommission", "--yes"], 0)
            .output
            .contains("decommissioned")
    );
    assert!(
        backstay(&world, &["store", "register"], 0)
            .output
            .contains("active")
    );
    let away = world.directory.join("away");
    fs::rename(world.data("m"), &away).unwrap();
    assert!(
        backstay(&world, &["mount", "show", "m"], 0)
            .output
            .contains("inconsistent")
    );
    assert!(
        backstay(&world, &["mount", "repair", "m"], 0)
            .output
            .contains("idle")
    );
}

#[test]
fn the_store_that_is_meant_must_be_said_and_must_be_there() {
    let mut world = StoreWorld::started();
    let list = ["mount", "list"];
    let nothing = run(&mut bare(&list));
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.errors.contains("--store-dir"), "{}", nothing.errors);
    // From another machine: address, token and certificate.
    let url = format!("https://{}", world.running().admin);
    let token = fs::read_to_string(world.directory.join("admin.token")).unwrap();
    let certificate = world.directory.join("admin.crt");
    let remote = |token: &str| {
        let mut command = bare(&list);
        command
            .args(["--store", &url, "--certificate"])
            .arg(&certificate)
            .env("BACKSTAY_TOKEN", token);
        run(&mut command)
    };
    assert_eq!(remote(&token).code, Some(0));
    let wrong = remote("wrong");
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.errors.contains("admin.token"), "{}", wrong.errors);
    let untrusted = run(bare(&list)
        .args(["--store", &url])
        .env("BACKSTAY_TOKEN", &token));
    assert_eq!(
        untrusted.code,
        Some(1),
        "a certificate that nobody vouches for is not trusted"
    );
    world.stop();
    let stopped = run(bare(&list).arg("--store-dir").arg(&world.directory));
    assert_eq!(stopped.code, Some(1));
    assert!(
        stopped.errors.contains("no store runs in")
            && stopped.errors.contains("backstay store serve"),
        "{}",
        stopped.errors
    );
}

/// Every command that speaks to a store, with the least that it needs.
const COMMANDS: [&[&str]; 30] = [
    &["store", "show"],
    &["store", "decommission", "--yes"],
    &["store", "register"],
    &["store", "events"],
    &["mount", "create", "m"],
    &["mount", "list"],
    &["mount", "show", "m"],
    &["mount", "repair", "m"],
    &["mount", "delete", "m", "--yes"],
    &["snapshot", "list"],
    &["snapshot", "delete", "A_1", "--yes"],
    &["job", "list"],
    &["job", "show", "1"],
    &["job", "wait", "1"],
    &["job", "cancel", "1"],
    &["recovery-point", "list"],
    &["recovery-point", "show", "6d9c3c85"],
    &["recovery-point", "restore", "6d9c3c85"],
    &["recovery-point", "verify", "6d9c3c85"],
    &["recovery-point", "delete", "6d9c3c85", "--yes"],
    &["recovery-point", "keep", "6d9c3c85"],
    &["recovery-point", "create", "A_1"],
    &["retention", "show", "m"],
    &["retention", "set", "m", "--last", "1"],
    &["retention", "apply", "m", "--yes"],
    &["repository", "init"],
    &["repository", "stats"],
    &["repository", "check"],
    &["repository", "sweep"],
    &["repository", "ingest"],
];

#[test]
fn every_command_wants_one_store_and_says_when_it_is_out_of_reach() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().to_str().unwrap();
    let nobody = "https://127.0.0.1:1";
    for arguments in COMMANDS {
        for (options, code, part) in [
            (&[][..], 2, "which store?"),
            (&["--store-dir", here, "--store", nobody], 2, "two stores"),
            (&["--store", "http://127.0.0.1:1"], 2, "begins with https"),
            (&["--store-dir", here], 1, "backstay store serve --dir"),
            (&["--store", nobody], 1, "cannot be reached"),
        ] {
            let said = run(bare(arguments).args(options).env("BACKSTAY_TOKEN", "t"));
            assert_eq!(said.code, Some(code), "{arguments:?} {}", said.errors);
            assert!(
                said.errors.contains(part) && said.errors.contains("HINT: "),
                "{arguments:?} {options:?}: {}",
                said.errors
            );
            assert_eq!(said.output, "");
        }
    }
}

#[test]
fn one_store_by_option_and_another_by_variable_are_two() {
    let said = run(bare(&["mount", "list", "--store", "https://127.0.0.1:1"])
        .env("BACKSTAY_STORE_DIR", "/nowhere"));
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("two stores"), "{}", said.errors);
}

#[test]
fn a_wrong_command_line_is_refused_before_any_store_is_asked() {
    for arguments in [
        &["mount", "create"][..],
        &["mount", "create", "m", "--quota", "1.5GiB"],
        &["mount", "create", "m", "--quota", "much"],
        &["mount", "create", "m", "--squash", "some"],
        &["mount", "create", "m", "--driver", "zfs"],
        &["mount", "create", "m", "--anonymous-uid", "-2"],
        &["job", "list", "--limit", "0"],
        &["job", "list", "--limit", "10001"],
        &["job", "show", "first"],
        &["snapshot", "delete"],
        &["recovery-point", "show", "latest"],
        &["recovery-point", "show", "6d9"],
        &["recovery-point", "list", "--since", "yesterday"],
        &["recovery-point", "list", "--until", "2026-11-23T14:30:00"],
        &["recovery-point", "restore", "6d9c3c85", "--datafile", "0"],
        &["retention", "set", "m"],
        &["retention", "set", "m", "--daily", "-1"],
        &["repository", "ingest", "--pause", "--resume"],
        &["repository", "ingest", "--limit", "0"],
    ] {
        let said = run(bare(arguments).args(["--store", "https://127.0.0.1:1"]));
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.errors);
    }
}

#[test]
fn nothing_is_deleted_without_a_yes() {
    for arguments in [
        &["mount", "delete", "m"][..],
        &["snapshot", "delete", "A_1"],
        &["store", "decommission"],
        &["recovery-point", "delete", "6d9c3c85"],
        &["retention", "apply", "m"],
    ] {
        let said = run(bare(arguments)
            .args(["--store", "https://127.0.0.1:1"])
            .env("BACKSTAY_TOKEN", "t"));
        assert_eq!(said.code, Some(1), "{arguments:?}");
        assert!(said.errors.contains("HINT: say --yes"), "{}", said.errors);
    }
}

#[test]
fn help_has_examples_and_exit_statuses() {
    for command in COMMANDS.iter().copied().chain([&["store", "serve"][..]]) {
        let said = run(bare(&command[..2]).arg("--help"));
        assert_eq!(said.code, Some(0));
        for part in ["Exit status: 0", "xample"] {
            assert!(said.output.contains(part), "{command:?}: no '{part}'");
        }
    }
}
