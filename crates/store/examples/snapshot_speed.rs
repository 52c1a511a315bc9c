//! Takes one snapshot and says how long each part of it took; `bench/snapshots` is the way to run it.
//! What lives here: the stopwatch. What does not: the tree and the file systems, which the script makes.

use std::cell::Cell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use store::snapshot::{DriverKind, driver};

const USAGE: &str = "usage: snapshot_speed create DRIVER DATA
       snapshot_speed prepare DRIVER DATA
       snapshot_speed take DRIVER DATA SNAPSHOT
       snapshot_speed destroy DRIVER SNAPSHOT
DRIVER is btrfs, reflink or copy. Exit status 0: done; 1: not done; 2: wrong call.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [deed, kind, paths @ ..] = words.as_slice() else {
        return wrong_call();
    };
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let done = kind.parse::<DriverKind>().map_err(Into::into);
    let done = done.and_then(|kind| match (*deed, paths.as_slice()) {
        ("create", [data]) => Ok(driver(kind).create_data(data)?),
        ("prepare", [data]) => prepare(kind, data),
        ("take", [data, snapshot]) => take(kind, data, snapshot),
        ("destroy", [snapshot]) => destroy(kind, snapshot),
        _ => Err(USAGE.into()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(source) = error.source() {
                eprintln!("  because: {source}");
            }
            ExitCode::FAILURE
        }
    }
}

fn wrong_call() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn prepare(kind: DriverKind, data: &Path) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    driver(kind).prepare(data)?;
    println!("{:.3}", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Prints the seconds until the writers may go on, the seconds of all of it, and the number of files.
fn take(kind: DriverKind, data: &Path, snapshot: &Path) -> Result<(), Box<dyn Error>> {
    let pause = Cell::new(Duration::ZERO);
    let begun = Instant::now();
    let frozen = || pause.set(begun.elapsed());
    let taken = driver(kind).take_and_tell(data, snapshot, &|| false, &frozen)?;
    let (pause, whole) = (pause.get().as_secs_f64(), begun.elapsed().as_secs_f64());
    println!("{pause:.3} {whole:.3} {}", taken.files);
    Ok(())
}

fn destroy(kind: DriverKind, snapshot: &Path) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    driver(kind).destroy(snapshot)?;
    println!("{:.3}", begun.elapsed().as_secs_f64());
    Ok(())
}
