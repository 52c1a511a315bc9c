//! The README's guide, typed literally: every command must do what the reader is told it does.
//! What lives here: the shell commands of the guide, run in order. What does not: what the commands do in detail.

mod practice_database;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use practice_database::Database;

/// Built already, and it is this program that the test is about.
const BUILD: &str = "cargo build --release";
/// The binary that the guide calls, from the directory in which it was built.
const BUILT: &str = "target/release/backstay";

/// The fenced blocks of shell commands below a heading, up to the next of its rank.
fn commands(document: &str, heading: &str) -> Vec<String> {
    let (_, section) = document
        .split_once(&format!("\n### {heading}\n"))
        .unwrap_or_else(|| panic!("the README has no '{heading}'"));
    let section = section.split("\n### ").next().unwrap_or_default();
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in section.lines() {
        match line {
            "```sh" => fenced = true,
            "```" => fenced = false,
            line if fenced && !line.is_empty() => lines.push(line.to_string()),
            _ => {}
        }
    }
    lines
}

/// One script of all commands: each is announced with its number, and the first that fails ends it with its status, and
/// with it what runs in the background.
fn script(commands: &[String]) -> String {
    let mut script = "trap 'kill $(jobs -p) 2>&-' EXIT\n".to_string();
    for (number, command) in commands.iter().enumerate() {
        script.push_str(&format!("echo '== {number}'\n{command}\n"));
        if !command.ends_with('&') {
            script.push_str("status=$?; [ $status -eq 0 ] || exit $status\n");
        }
    }
    script
}

/// Runs a script in bash as a newcomer would: in a fresh directory that is also the home, without an Oracle environment.
fn run(directory: &Path, script: &str) -> Output {
    Command::new("bash")
        .args(["--noprofile", "--norc", "-c", script])
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .output()
        .expect("bash that can be started")
}

fn fresh_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let built = directory.path().join(BUILT);
    fs::create_dir_all(built.parent().expect("target/release")).expect("target/release");
    symlink(env!("CARGO_BIN_EXE_backstay"), built).expect("the built binary");
    directory
}

#[test]
fn the_guide_to_practising_can_be_typed_from_the_first_line_to_the_last() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md"))
        .expect("README.md");
    let mut guide = commands(&readme, "Practise");
    assert_eq!(guide.first().map(String::as_str), Some(BUILD));
    guide.remove(0);
    for needed in ["brbackup ", "kill -9 ", "brrecover ", "practice verify "] {
        assert!(
            guide.iter().any(|command| command.contains(needed)),
            "the guide does without {needed}"
        );
    }

    let directory = fresh_directory();
    let home = directory.path().join("SND");
    let ended = run(directory.path(), &script(&guide));
    let said = String::from_utf8_lossy(&ended.stdout);
    let left: Vec<_> = fs::read_dir(directory.path())
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    // Whatever happened, no server stays.
    let _database = Database::existing(directory, home);
    let failed = || {
        let number = said
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("== ")?.parse::<usize>().ok());
        let command = number.map_or("none", |number| guide[number].as_str());
        let errors = String::from_utf8_lossy(&ended.stderr);
        format!(
            "{}, last command: {command}\n{said}\n{errors}",
            ended.status
        )
    };
    assert!(ended.status.success(), "{}", failed());
    let verdicts = guide
        .iter()
        .filter(|command| command.contains("practice verify"))
        .count();
    assert_eq!(
        said.matches("verdict   clean").count(),
        verdicts,
        "{}",
        failed()
    );
    assert_eq!(left, ["target"], "the guide cleans up behind itself");
}

#[test]
fn commands_are_those_of_the_named_section_only() {
    let document =
        "# A\n### One\n```sh\nfirst\n\n```\n```\nshown\n```\n### Two\n```sh\nother\n```\n";
    assert_eq!(commands(document, "One"), ["first"]);
}

#[test]
fn a_command_that_fails_ends_the_guide_with_its_status() {
    let directory = fresh_directory();
    let guide = [
        "true",
        "sleep 3600 &",
        "target/release/backstay verify nothing",
        "echo never",
    ];
    let ended = run(directory.path(), &script(&guide.map(str::to_string)));
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "== 0\n== 1\n== 2\n");
}
