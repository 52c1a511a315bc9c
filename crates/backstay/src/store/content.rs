//! What is in a recovery point, for people.
//! What lives here: laying it out, database by database. What does not: asking for it.

use std::collections::{BTreeMap, BTreeSet};

use api::admin::{DatabaseContent, LogContent, PointFile, RecoveryPoint, RecoveryPointContent};

use super::table::{Table, bytes, described, line};
use super::word;

/// The point, what each log tells of it, and the files that no log claims. `with_files`: all files of each database too.
pub fn render(content: &RecoveryPointContent, with_files: bool) -> String {
    let mut parts = vec![point(&content.point)];
    if content.logs.is_empty() {
        parts.push(
            "No RMAN log was sent with it, so nobody knows which database its files are of."
                .to_owned(),
        );
    }
    parts.extend(content.logs.iter().map(|sent| log(sent, with_files)));
    parts.push(additional(&content.additional));
    parts.join("\n\n")
}

/// The point itself, without its content.
pub fn point(point: &RecoveryPoint) -> String {
    let or_none = |text: &str| match text {
        "" => "-".to_owned(),
        text => text.to_owned(),
    };
    let held = if point.is_held {
        "yes, nothing deletes it ('backstay recovery-point keep ID --release')"
    } else {
        "no"
    };
    described(&[
        ("Recovery point", point.id.clone()),
        ("Time", point.time.clone()),
        ("Mount", or_none(&point.mount)),
        ("Snapshot", or_none(&point.snapshot)),
        ("State", word(&point.state)),
        (
            "Verified",
            or_none(point.verified.as_deref().unwrap_or_default()),
        ),
        ("Held", held.to_owned()),
        ("Databases", or_none(&point.databases.join(", "))),
        ("Files", point.files.to_string()),
        ("Size", bytes(point.bytes)),
        ("Added", bytes(point.bytes_added)),
    ])
}

fn log(log: &LogContent, with_files: bool) -> String {
    let outcome = if log.told.is_empty() {
        log.outcome.replace('_', " ")
    } else {
        log.told.clone()
    };
    let mut lines = vec![
        line(&format!(
            "Log {}, of a host that had the mount at {}",
            log.name, log.mountpoint
        )),
        line(&format!("  {outcome}")),
    ];
    for database in &log.databases {
        lines.extend(self::database(database, with_files));
    }
    if !log.missing.is_empty() {
        lines.push("  Missing, although the log places them on the mount:".to_owned());
        lines.extend(log.missing.iter().map(|path| line(&format!("    {path}"))));
    }
    lines.join("\n")
}

fn database(database: &DatabaseContent, with_files: bool) -> Vec<String> {
    let name = database.name.as_deref().unwrap_or("of unknown name");
    let dbid = database
        .dbid
        .map_or_else(String::new, |dbid| format!(", DBID {dbid}"));
    let mut lines = vec![line(&format!("  Database {name}{dbid}"))];
    if database.datafiles.is_empty() {
        lines.push("    No data files".to_owned());
    } else {
        lines.push("    Data files:".to_owned());
        lines.extend(indented(6, &datafiles(database).to_string()));
    }
    if database.archived_logs.is_empty() {
        lines.push("    No archived logs".to_owned());
    } else {
        lines.push("    Archived logs:".to_owned());
        let ranges = archived_logs(&database.archived_logs);
        lines.extend(ranges.iter().map(|range| line(&format!("      {range}"))));
    }
    lines.push(format!(
        "    Files: {}{}",
        total(&database.files),
        if with_files || database.files.is_empty() {
            ""
        } else {
            " (--files lists them)"
        }
    ));
    if with_files && !database.files.is_empty() {
        lines.extend(indented(6, &files(&database.files).to_string()));
    }
    if !database.unusable.is_empty() {
        lines.push("    Of no use, because their backup sets are not whole:".to_owned());
        let unusable = database.unusable.iter();
        lines.extend(unusable.map(|path| line(&format!("      {path}"))));
    }
    lines
}

fn datafiles(database: &DatabaseContent) -> Table {
    let mut table = Table::new(["NUMBER", "TABLESPACE", "NAME", "IN"]);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    for datafile in &database.datafiles {
        table.row([
            datafile.number.to_string(),
            or_none(&datafile.tablespace),
            or_none(&datafile.name),
            datafile.files.join(", "),
        ]);
    }
    table
}

fn additional(additional: &[PointFile]) -> String {
    if additional.is_empty() {
        return "No additional files: the logs claim all".to_owned();
    }
    let mut lines = vec![format!(
        "Additional files, which no log claims: {}",
        total(additional)
    )];
    lines.extend(indented(2, &files(additional).to_string()));
    lines.join("\n")
}

fn files(files: &[PointFile]) -> Table {
    let mut table = Table::new(["SIZE", "KIND", "PATH"]);
    for file in files {
        let kind = if file.kind.is_empty() {
            "-"
        } else {
            &file.kind
        };
        table.row([bytes(file.bytes), kind.to_owned(), file.path.clone()]);
    }
    table
}

/// `14, 3.20 GiB`.
fn total(files: &[PointFile]) -> String {
    let all = files
        .iter()
        .fold(0, |all: u64, file| all.saturating_add(file.bytes));
    format!("{}, {}", files.len(), bytes(all))
}

fn indented(columns: usize, text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .map(move |line| format!("{:columns$}{line}", ""))
}

/// `thread 1: 5-9, 12`, a line for each thread; what is no log of a thread stays as it is.
fn archived_logs(logs: &[String]) -> Vec<String> {
    let mut threads: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut others = Vec::new();
    for log in logs {
        match thread_and_sequence(log) {
            Some((thread, sequence)) => {
                threads.entry(thread).or_default().insert(sequence);
            }
            None => others.push(log.clone()),
        }
    }
    let thread = |(thread, sequences): (&u64, &BTreeSet<u64>)| {
        format!("thread {thread}: {}", ranges(sequences))
    };
    threads.iter().map(thread).chain(others).collect()
}

fn thread_and_sequence(log: &str) -> Option<(u64, u64)> {
    let (thread, sequence) = log.strip_prefix("thread ")?.split_once(" sequence ")?;
    Some((thread.parse().ok()?, sequence.parse().ok()?))
}

fn ranges(numbers: &BTreeSet<u64>) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown: Vec<String> = ranges
        .iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> RecoveryPointContent {
        serde_json::from_value(serde_json::json!({
            "point": {
                "id": "ab".repeat(32), "mount": "prd", "snapshot": "6D9C3C855FC1C837_1", "time": "2026-11-23T17:05:09.123Z",
                "state": "usable", "verified": "2026-11-23T17:09:00.000Z", "is_held": true, "files": 4, "bytes": 1_u64 << 30,
                "bytes_added": 5, "databases": ["PRD"]
            },
            "logs": [{
                "name": "/log/rman_prd.log", "mountpoint": "/local/prd", "outcome": "partial",
                "told": "read, but a part of it\u{1b}[2J is missing", "missing": ["PRD/gone.bkp"],
                "databases": [{
                    "name": "PRD", "dbid": 4711,
                    "datafiles": [
                        {"number": 1, "name": "/oracle/PRD/system.data1", "tablespace": "SYSTEM", "files": ["PRD/a.bkp", "PRD/b.bkp"]},
                        {"number": 12, "name": null, "tablespace": null, "files": ["PRD/b.bkp"]}
                    ],
                    "archived_logs": ["thread 1 sequence 7", "thread 2 sequence 1", "thread 1 sequence 8", "thread 1 sequence 10"],
                    "files": [
                        {"path": "PRD/a.bkp", "bytes": 20_480, "kind": "backup piece"},
                        {"path": "PRD/b.bkp", "bytes": 7, "kind": ""}
                    ],
                    "unusable": ["PRD/half.bkp"]
                }]
            }],
            "additional": [{"path": "old/x\ny.bkp", "bytes": 7, "kind": "image copy"}]
        }))
        .unwrap()
    }

    #[test]
    fn a_point_is_told_database_by_database() {
        let shown = render(&content(), false);
        let expected = "\
Log /log/rman_prd.log, of a host that had the mount at /local/prd
  read, but a part of it [2J is missing
  Database PRD, DBID 4711
    Data files:
      NUMBER  TABLESPACE  NAME                      IN
      1       SYSTEM      /oracle/PRD/system.data1  PRD/a.bkp, PRD/b.bkp
      12      -           -                         PRD/b.bkp
    Archived logs:
      thread 1: 7-8, 10
      thread 2: 1
    Files: 2, 20.01 KiB (--files lists them)
    Of no use, because their backup sets are not whole:
      PRD/half.bkp
  Missing, although the log places them on the mount:
    PRD/gone.bkp

Additional files, which no log claims: 1, 7 B
  SIZE  KIND        PATH
  7 B   image copy  old/x y.bkp";
        let (facts, told) = shown.split_once("\n\n").unwrap();
        assert_eq!(told, expected);
        for fact in [
            &format!("Recovery point  {}", "ab".repeat(32)),
            "Mount           prd",
            "State           usable",
            "Held            yes",
            "Size            1.00 GiB",
            "Added           5 B",
        ] {
            assert!(facts.contains(fact), "{fact}: {facts}");
        }
    }

    #[test]
    fn all_files_are_listed_when_they_are_asked_for() {
        let shown = render(&content(), true);
        let expected = "    Files: 2, 20.01 KiB
      SIZE       KIND          PATH
      20.00 KiB  backup piece  PRD/a.bkp
      7 B        -             PRD/b.bkp
";
        assert!(shown.contains(expected), "{shown}");
    }

    #[test]
    fn without_a_log_all_files_are_additional() {
        let bare = RecoveryPointContent {
            logs: Vec::new(),
            ..content()
        };
        let shown = render(&bare, false);
        assert!(
            shown.contains("No RMAN log was sent") && shown.contains("old/x y.bkp"),
            "{shown}"
        );
        let nothing = RecoveryPointContent {
            additional: Vec::new(),
            ..content()
        };
        assert!(render(&nothing, false).ends_with("No additional files: the logs claim all"));
    }

    #[test]
    fn an_outcome_without_words_is_said_by_its_own() {
        let mut content = content();
        for log in &mut content.logs {
            log.outcome = "nothing_found".to_owned();
            log.told = String::new();
        }
        assert!(render(&content, false).contains("\n  nothing found\n"));
    }

    #[test]
    fn archived_logs_are_summarised_and_none_is_lost() {
        let logs = |logs: &[&str]| {
            archived_logs(&logs.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(logs(&[]), [""; 0]);
        assert_eq!(
            logs(&[
                "thread 2 sequence 3",
                "thread 1 sequence 9",
                "thread 1 sequence 9",
                "thread 1 sequence 8",
                "something else",
                "thread 1 sequence 18446744073709551615",
                "thread x sequence 1",
            ]),
            [
                "thread 1: 8-9, 18446744073709551615",
                "thread 2: 3",
                "something else",
                "thread x sequence 1"
            ]
        );
    }
}
