//! `backstay demo`: the main job, narrated, on a practice database that runs and changes all the while.
//! What lives here: the options and the story. What does not: the acts (a file each), how they are told
//! ([`narrator`]), processes and cleaning up ([`stage`]).

use std::path::PathBuf;
use std::process::ExitCode;

mod backup;
mod disaster;
mod ending;
mod load;
mod narrator;
mod opening;
mod points;
mod recovery;
mod scripts;
mod stage;
mod store;

use narrator::Narrator;
use stage::{DemoError, Stage};

/// Smallest database that is worth the name, in bytes.
const SIZE_BYTES_MIN: u64 = 64 << 20;
/// Largest database of a demo, in bytes; the directory needs about eight times as much.
const SIZE_BYTES_MAX: u64 = 64 << 30;
/// Most commits a second while recovery points are made. More would touch every chunk of so small a database between two
/// of them, as a day's work seldom does, and the second could share nothing with the first.
const CALM_RATE: u32 = 50;

/// Show the main job: back up a running database, lose it, bring every acknowledged commit back
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit status: 0 nothing missing, extra or damaged; 1 something was, or a step failed; \
                        130 interrupted. No process is left behind in any case.\n\n\
                        The third chapter needs what a store needs: root, or CAP_DAC_READ_SEARCH, CAP_SETUID and \
                        CAP_SETGID, and a file system with lasting file handles. Where they are not, it is left out."
)]
pub struct Arguments {
    /// Play in this directory, which must be new or empty [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the directory, with a database that can be started, and say how to explore it
    #[arg(long)]
    keep: bool,
    /// Size of the database, 64MiB to 64GiB
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_size)]
    size: u64,
    /// Most commits a second of the load
    #[arg(long, value_name = "COMMITS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Print one JSON document at the end instead of the narration
    #[arg(long)]
    json: bool,
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err("a number with MiB or GiB, for example 512MiB".to_string()),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| format!("'{digits}' is not a whole number"))?;
    match count.checked_mul(1 << shift) {
        Some(size) if (SIZE_BYTES_MIN..=SIZE_BYTES_MAX).contains(&size) => Ok(size),
        _ => Err("between 64MiB and 64GiB".to_string()),
    }
}

/// Runs the demo. Its verdict is the exit status.
pub fn run(arguments: &Arguments) -> ExitCode {
    let mut narrator = Narrator::new(arguments.json);
    let result =
        Stage::set_up(arguments).and_then(|mut stage| play(&mut stage, &mut narrator, arguments));
    ending::conclude(&narrator, result)
}

/// The story: a backup under load, a disaster, everything back; then once more, to a chosen moment; then with RMAN
/// through a store.
fn play(
    stage: &mut Stage,
    narrator: &mut Narrator,
    arguments: &Arguments,
) -> Result<(), DemoError> {
    opening::set_the_scene(stage, narrator);
    opening::create_database(stage, narrator, arguments.size)?;
    opening::start_database(stage, narrator)?;
    load::start(stage, narrator, arguments.rate)?;

    narrator.chapter("Everything is lost, everything comes back");
    backup::online(stage, narrator)?;
    load::go_on(stage, narrator)?;
    backup::archive_logs(stage, narrator)?;
    load::go_on(stage, narrator)?;
    disaster::kill_instance(stage, narrator)?;
    disaster::delete_files(stage, narrator)?;
    recovery::complete(stage, narrator)?;

    narrator.chapter("Back to a chosen moment");
    load::start(stage, narrator, arguments.rate)?;
    backup::online(stage, narrator)?;
    load::go_on(stage, narrator)?;
    let moment = load::choose_moment(stage, narrator)?;
    load::go_on(stage, narrator)?;
    backup::archive_logs(stage, narrator)?;
    disaster::kill_instance(stage, narrator)?;
    disaster::delete_files(stage, narrator)?;
    recovery::to_moment(stage, narrator, moment)?;

    narrator.chapter("Through a store: recovery points");
    store::start(stage, narrator)?;
    if store::create_mount(stage, narrator)? {
        through_a_store(stage, narrator, arguments.rate)?;
    }
    ending::leave(stage, narrator, arguments.keep)
}

/// The third chapter, from the first backup onto the mount of a running store.
fn through_a_store(stage: &mut Stage, narrator: &mut Narrator, rate: u32) -> Result<(), DemoError> {
    load::start(stage, narrator, rate.min(CALM_RATE))?;
    points::crosscheck(stage, narrator)?;
    points::back_up(stage, narrator, "copied with RMAN, sealed by the store")?;
    load::go_on(stage, narrator)?;
    let point = points::back_up(stage, narrator, "copies brought up to date, sealed")?;
    points::show(stage, narrator, &point)?;
    load::go_on(stage, narrator)?;
    disaster::kill_instance(stage, narrator)?;
    disaster::delete_everything(stage, narrator)?;
    points::bring_back(stage, narrator, &point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_unit_and_stay_in_bounds() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("2g"), Ok(2 << 30));
        for wrong in [
            "",
            "64",
            "MiB",
            "1TiB",
            "63MiB",
            "65GiB",
            "-1GiB",
            "1.5GiB",
            "99999999999999999999MiB",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
