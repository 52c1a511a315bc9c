//! The commands that bring back what is in a restore directory, as comments for a human who knows what is lost.
//! What lives here: which of RMAN's commands fit what is there. What does not: looking what is there (`here`).

use super::here::{Datafiles, Here, Log, Logs};
use super::is_speakable;
use super::page::{Page, shown};
use crate::rman::account::Outcome;
use crate::rman::map::{Map, MappedDatabase};

/// The data file that every database has: a backup without it is not one of the whole database.
const FIRST_DATAFILE: u32 = 1;
/// So many numbers stand in a command.
const NUMBERS_PER_COMMAND: usize = 20;
/// So many commands of one kind, and so many ranges in a sentence: more are left to RMAN's own lists.
const COMMANDS_MAX: usize = 200;

/// How a database is called in a sentence.
pub(super) fn label(database: &MappedDatabase) -> String {
    let name = match &database.name {
        Some(name) => format!("database {}", shown(name)),
        None => "a database whose name the log does not tell".to_owned(),
    };
    match database.dbid {
        Some(dbid) => format!("{name}, DBID {dbid}"),
        None => name,
    }
}

/// All that is said of one database.
pub(super) fn say(page: &mut Page, here: &Here<'_>, map: &Map) {
    let (datafiles, logs) = (here.datafiles(), here.logs());
    page.comment("");
    page.comment(&format!("---- {} ----", label(here.database)));
    say_inventory(page, &datafiles, &logs);
    let whole = datafiles.is_whole();
    if whole || datafiles.is_empty() {
        say_control_file(page, here);
    }
    if whole {
        say_whole(page, &datafiles);
    } else if !datafiles.is_here_nothing() {
        say_some(page, &datafiles);
    }
    if !datafiles.increments.is_empty() {
        say_increments(page);
    }
    if datafiles.is_here_nothing() {
        say_logs(page, &logs);
    } else {
        page.comment("RECOVER takes what archived logs it needs from the sets by itself.");
    }
    say_doubts(page, here.database, map);
}

impl Datafiles {
    /// All that the recovery point has, of a backup that is one of the whole database.
    fn is_whole(&self) -> bool {
        let restorable = || self.copies.iter().chain(&self.sets);
        self.increments.is_empty()
            && self.elsewhere.is_empty()
            && restorable().any(|number| *number == FIRST_DATAFILE)
    }

    /// The recovery point has none.
    fn is_empty(&self) -> bool {
        self.is_here_nothing() && self.elsewhere.is_empty()
    }

    /// The directory has none.
    fn is_here_nothing(&self) -> bool {
        self.copies.is_empty() && self.sets.is_empty() && self.increments.is_empty()
    }
}

fn say_inventory(page: &mut Page, datafiles: &Datafiles, logs: &Logs) {
    let listed = [
        (&datafiles.copies, "Here as image copies: data files"),
        (&datafiles.sets, "Here in backup sets: data files"),
        (&datafiles.increments, "Here as increments only: data files"),
        (
            &datafiles.elsewhere,
            "In the recovery point, and not, or not wholly, in this directory: data files",
        ),
    ];
    for (numbers, sentence) in listed {
        if !numbers.is_empty() {
            page.comment(&format!("{sentence} {}.", in_ranges(numbers)));
        }
    }
    for (logs, sentence) in [
        (&logs.sets, "Here in backup sets: archived logs of thread"),
        (&logs.files, "Here as they are: archived logs of thread"),
    ] {
        for (thread, sequences) in by_thread(logs).into_iter().take(COMMANDS_MAX) {
            page.comment(&format!(
                "{sentence} {thread}, sequences {}.",
                in_ranges(&sequences)
            ));
        }
    }
}

fn say_commands(page: &mut Page, commands: &[&str]) {
    for command in commands {
        page.comment(&format!("  {command}"));
    }
}

fn say_control_file(page: &mut Page, here: &Here<'_>) {
    let Some(file) = here.control_file().filter(|file| is_speakable(file)) else {
        return;
    };
    page.comment("If the control file is lost too, this comes before the CATALOG command:");
    if let Some(dbid) = here.database.dbid {
        page.comment(&format!("  SET DBID {dbid};"));
    }
    page.comment("  STARTUP NOMOUNT;");
    page.comment(&format!(
        "  RESTORE CONTROLFILE FROM '@RESTORE_DIRECTORY@/{file}';"
    ));
    page.comment("  ALTER DATABASE MOUNT;");
}

fn say_whole(page: &mut Page, datafiles: &Datafiles) {
    let restore = ["RESTORE DATABASE;", "RECOVER DATABASE;"];
    if datafiles.sets.is_empty() {
        page.comment("The whole database, on the copies where they are: this directory must be writable, and stay.");
        say_commands(page, &["SWITCH DATABASE TO COPY;", "RECOVER DATABASE;"]);
        page.comment("Or copied back to where its files were:");
    } else {
        page.comment("The whole database:");
    }
    say_commands(page, &restore);
    page.comment("Where the redo ends RECOVER fails with RMAN-06054, which names an SCN. Recover up to that one, and open:");
    say_commands(
        page,
        &[
            "RUN { SET UNTIL SCN n; RECOVER DATABASE; }",
            "ALTER DATABASE OPEN RESETLOGS;",
        ],
    );
}

fn say_some(page: &mut Page, datafiles: &Datafiles) {
    if datafiles.copies.is_empty() && datafiles.sets.is_empty() {
        return;
    }
    page.comment("These data files, into a database whose other files, control files and online logs are intact, and");
    page.comment(
        "which is mounted and not open, or has them offline (ALTER DATABASE DATAFILE n OFFLINE;):",
    );
    say_numbered(page, "RESTORE DATAFILE", &datafiles.sets, "");
    say_numbered(page, "SWITCH DATAFILE", &datafiles.copies, " TO COPY");
    let mut all = [datafiles.sets.as_slice(), &datafiles.copies].concat();
    all.sort_unstable();
    say_numbered(page, "RECOVER DATAFILE", &all, "");
    if !datafiles.copies.is_empty() {
        page.comment("RESTORE DATAFILE instead of SWITCH copies them back; switched, they stay in this directory.");
    }
}

fn say_increments(page: &mut Page) {
    page.comment("An increment alone brings nothing back. If what it builds on is here, RMAN finds it after CATALOG:");
    say_commands(page, &["RESTORE DATABASE;", "RECOVER DATABASE;"]);
}

fn say_logs(page: &mut Page, logs: &Logs) {
    if !logs.sets.is_empty() {
        page.comment("Archived logs, to where the database archives; RECOVER does it by itself for those that it needs:");
    }
    let mut said = 0;
    for (thread, sequences) in by_thread(&logs.sets) {
        for (first, last) in ranges(&sequences).into_iter().take(COMMANDS_MAX - said) {
            page.comment(&format!(
                "  RESTORE ARCHIVELOG FROM SEQUENCE {first} UNTIL SEQUENCE {last} THREAD {thread};"
            ));
            said += 1;
        }
    }
    if !logs.files.is_empty() {
        page.comment("RECOVER uses the archived logs that are here as they are where they are, once CATALOG made them known.");
    }
}

/// Why there may be more data files than this file tells of.
fn say_doubts(page: &mut Page, database: &MappedDatabase, map: &Map) {
    let mut missing = map
        .missing
        .iter()
        .filter(|missing| missing.database == database.name);
    if let Some(first) = missing.next() {
        page.comment(&format!(
            "Its log tells of {} files that the recovery point lacks; the first: {}",
            1 + missing.count(),
            shown(&first.path)
        ));
    }
    if let Some(first) = database.unusable.first() {
        page.comment(&format!(
            "{} pieces are of sets that are not whole, and of no use; the first: {}",
            database.unusable.len(),
            shown(first.as_str())
        ));
    }
    if map.is_cut {
        page.comment(
            "It has more files than are followed here; RMAN's LIST BACKUP tells all of them.",
        );
    }
    if map.outcome == Outcome::Parsed {
        page.comment("RMAN-06023 at RESTORE names a data file that was not backed up in this run.");
    }
}

/// The command with these numbers, in lines that can be read.
fn say_numbered(page: &mut Page, command: &str, numbers: &[u32], end: &str) {
    let mut lines = numbers.chunks(NUMBERS_PER_COMMAND);
    for line in lines.by_ref().take(COMMANDS_MAX) {
        let numbers: Vec<String> = line.iter().map(u32::to_string).collect();
        page.comment(&format!("  {command} {}{end};", numbers.join(", ")));
    }
    if lines.next().is_some() {
        page.comment("  and so on, with the other numbers");
    }
}

fn by_thread(logs: &[Log]) -> Vec<(u32, Vec<u32>)> {
    let mut threads: Vec<(u32, Vec<u32>)> = Vec::new();
    for (thread, sequence) in logs {
        match threads.last_mut() {
            Some((last, sequences)) if last == thread => sequences.push(*sequence),
            _ => threads.push((*thread, vec![*sequence])),
        }
    }
    threads
}

/// First and last of what follows each other without a gap; the numbers ascend.
fn ranges(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    ranges
}

fn in_ranges(numbers: &[u32]) -> String {
    let ranges = ranges(numbers);
    let range = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let shown: Vec<String> = ranges.iter().take(COMMANDS_MAX).map(range).collect();
    let more = if ranges.len() > COMMANDS_MAX {
        " and more"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}
