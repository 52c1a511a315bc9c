//! `catalog.rman` of a restore directory: what makes RMAN know the files in it, for the restore script and for a human.
//! What lives here: its head, the facts that the script reads, CATALOG. What does not: the commands that follow (`steps`).

mod here;
mod page;
mod steps;

use here::Here;
use page::{Page, shown};

use super::account::{Outcome, Shortcoming};
use super::copy_name::{base_name, dbid_of_autobackup};
use super::map::{Map, MappedDatabase};
use super::snapshot_files::{RelativePath, SnapshotFiles};

/// The name of the file in a restore directory.
pub const CATALOG_FILE: &str = "catalog.rman";
/// So long is the file at most: the restore script reads no more of it.
pub const CATALOG_BYTES_MAX: usize = 1 << 20;
/// The facts of all databases have so many bytes at most; what must be found, CATALOG, stands behind them.
const FACTS_BYTES_MAX: usize = 512 << 10;
/// So have the commands to restore.
const STEPS_BYTES_MAX: usize = 384 << 10;
/// A longer path is no fact: RMAN takes names of 513 bytes, the directory's included.
const PATH_BYTES_MAX: usize = 512;
/// A longer name is no database's; Oracle has 8 letters.
const NAME_BYTES_MAX: usize = 30;
/// So many files are named that may hold a control file, where no log tells.
const CANDIDATES_MAX: usize = 10;
/// The one command of the file. With a slash at its end, or the restore 1 would take the restore 12 along.
const CATALOG_COMMAND: &str = "CATALOG START WITH '@RESTORE_DIRECTORY@/' NOPROMPT;";

/// What the file says first of where it comes from: whatever it is, it is one line of printable text in the file.
#[derive(Debug, Clone, Copy)]
pub struct CatalogHead<'a> {
    /// Name of the recovery point.
    pub recovery_point: &'a str,
    /// Its time.
    pub time: &'a str,
}

/// Writes `catalog.rman` for a directory with these files, all of a recovery point or a part of it, whose map this is.
///
/// Every line is a comment but one, the CATALOG command, so that RMAN may be given the file as it is. The names in it
/// were written by others: no name makes a line of its own, and those that the restore script reads have only letters
/// that RMAN and a shell leave alone. It has at most [`CATALOG_BYTES_MAX`] bytes.
pub fn catalog_commands(map: &Map, restored: &SnapshotFiles, head: &CatalogHead<'_>) -> String {
    let all: Vec<Here<'_>> = map
        .databases
        .iter()
        .map(|database| Here::new(database, restored))
        .collect();
    let here: Vec<&Here<'_>> = all.iter().filter(|here| !here.is_empty()).collect();
    let mut page = Page::new();
    say_head(&mut page, head);
    say_outcome(&mut page, map, restored);
    page.limit(FACTS_BYTES_MAX);
    for one in &here {
        let name = fact_name(one.database, &here);
        page.together(|page| say_facts(page, one, name, here.len()));
    }
    page.end_limit("more databases");
    page.comment("");
    page.comment("This makes RMAN know all backups in the directory, and restores nothing:");
    page.command(CATALOG_COMMAND);
    page.limit(STEPS_BYTES_MAX);
    for one in &here {
        page.together(|page| steps::say(page, one, map));
    }
    page.end_limit("the commands for more databases");
    say_additional(&mut page, map, restored);
    page.finish()
}

fn say_head(page: &mut Page, head: &CatalogHead<'_>) {
    let CatalogHead {
        recovery_point,
        time,
    } = head;
    page.comment("catalog.rman: makes RMAN know the backups in this directory, which is a restore of Backstay's store.");
    page.comment(&format!(
        "Recovery point {} of {}.",
        shown(recovery_point),
        shown(time)
    ));
    for line in [
        "",
        "oracle_rman_restore.sh does all of it: it reads this file, and checks first what would be overwritten.",
        "By hand, in this directory, with the database mounted:",
        "  sed \"s|@RESTORE_DIRECTORY@|$PWD|g\" catalog.rman >/tmp/catalog.rman",
        "  rman target / cmdfile=/tmp/catalog.rman",
        "then give RMAN those of the commands below, without their #, that fit what is lost. RMAN and its server must",
        "be able to read the directory under the same path, which should have no blanks or quotes in it.",
        "",
    ] {
        page.comment(line);
    }
}

/// What the log was worth.
fn say_outcome(page: &mut Page, map: &Map, restored: &SnapshotFiles) {
    match &map.outcome {
        Outcome::Parsed => return,
        Outcome::Partial { because } => {
            let reasons: Vec<&str> = because.iter().map(|reason| in_words(*reason)).collect();
            page.comment(&format!(
                "The log was parsed in part: {}.",
                reasons.join("; ")
            ));
            page.comment("What follows is there, but there may be more: LIST BACKUP and LIST COPY of RMAN tell it.");
        }
        Outcome::Localised => {
            page.comment("The log was localised and not parsed: it is in another language and has no message numbers.");
            say_candidates(page, restored);
        }
        Outcome::NothingFound => {
            page.comment(
                "The log tells of no backup, so nothing is known of what is in the files.",
            );
            say_candidates(page, restored);
        }
    }
    page.comment("");
}

fn in_words(reason: Shortcoming) -> &'static str {
    match reason {
        Shortcoming::HeadMissing => "its beginning is missing",
        Shortcoming::TailMissing => "its end is missing",
        Shortcoming::CommandFailed => "a command failed",
        Shortcoming::ChannelFailed => "a channel failed",
        Shortcoming::AnotherLanguage => "it is in another language",
        Shortcoming::LogTooLong => "it is too long",
        Shortcoming::TooMuch => "it tells of too many files",
    }
}

/// Without a log only the names of files tell anything: those that RMAN and the shipped scripts give to control files.
fn say_candidates(page: &mut Page, restored: &SnapshotFiles) {
    page.comment("RMAN itself can tell: after the CATALOG command, LIST BACKUP and LIST COPY. It must be mounted for that.");
    let by_name = |path: &&RelativePath| {
        let name = base_name(path.as_str());
        dbid_of_autobackup(name).is_some() || name.starts_with("control_D-")
    };
    for path in restored.iter().filter(by_name).take(CANDIDATES_MAX) {
        page.comment(&format!(
            "By its name, a control file (--control-file of the script): {}",
            shown(path.as_str())
        ));
    }
}

/// The name under which the script knows a database: of letters that it reads, and no other database's.
fn fact_name<'a>(database: &'a MappedDatabase, all: &[&Here<'_>]) -> Option<&'a str> {
    let name = database.name.as_deref()?;
    let readable = |letter: u8| letter.is_ascii_alphanumeric() || b"_$#".contains(&letter);
    let same = |here: &&&Here<'_>| here.database.name.as_deref() == Some(name);
    let good = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(readable)
        && all.iter().filter(same).count() == 1;
    good.then_some(name)
}

/// The script takes a fact for that of the database whose line stands last before it. Facts of a database that it cannot
/// name would be those of another one, unless there is no other.
fn say_facts(page: &mut Page, here: &Here<'_>, name: Option<&str>, databases: usize) {
    match name {
        Some(name) => {
            let dbid = here.database.dbid.map(|dbid| format!(" DBID {dbid}"));
            page.comment(&format!("database {name}{}", dbid.unwrap_or_default()));
        }
        None => page.comment(&format!("Here is {}.", steps::label(here.database))),
    }
    let is_fact = name.is_some() || databases == 1;
    for (what, option, file) in [
        ("control file", "--control-file", here.control_file()),
        ("spfile", "--spfile", here.spfile()),
    ] {
        match file {
            Some(file) if is_fact && is_speakable(file) => {
                page.comment(&format!("{what}: {file}"));
            }
            Some(file) if is_speakable(file) => page.comment(&format!(
                "Its {what}, which is not told to the script ({option}): {}",
                shown(file.as_str())
            )),
            Some(file) => page.comment(&format!(
                "Its {what} has a name that cannot be told to RMAN; give it another one: \"{}\"",
                shown(file.as_str())
            )),
            None if what == "control file" => {
                page.comment(
                    "No control file of it is here: it needs the one that the database has.",
                );
            }
            None => {}
        }
    }
}

/// Whether the script and RMAN, between quotes, read the path as it is.
fn is_speakable(path: &RelativePath) -> bool {
    let path = path.as_str();
    let plain = |letter: u8| letter.is_ascii_alphanumeric() || b"._/+:@-".contains(&letter);
    path.len() <= PATH_BYTES_MAX && path.bytes().all(plain)
}

/// Older backups, which the log of this recovery point does not name.
fn say_additional(page: &mut Page, map: &Map, restored: &SnapshotFiles) {
    let count = map.additional(restored).len();
    if count > 0 {
        page.comment("");
        page.comment(&format!(
            "{count} files are here that the log does not tell of. RMAN looks at them too: what of them is a backup, as"
        ));
        page.comment(
            "older data beside newer logs, it knows after CATALOG and uses for RESTORE DATABASE.",
        );
    }
}
