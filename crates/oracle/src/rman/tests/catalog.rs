//! `catalog.rman` for each kind of restore, and for names that were written to break it.
//! What lives here: maps and the lines that they must lead to. What does not: the restore script (`backstay`'s tests).

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rman::{
    CATALOG_BYTES_MAX, CatalogHead, Map, MappedCopy, MappedDatabase, MappedDatafile, MappedLog,
    MappedPiece, MissingFile, catalog_commands,
};

const CATALOG: &str = "CATALOG START WITH '@RESTORE_DIRECTORY@/' NOPROMPT;";
const HEAD: CatalogHead<'_> = CatalogHead {
    recovery_point: "9f3a",
    time: "2026-11-24 05:00:09",
};

fn map(fixture: &str, snapshot: &[&str]) -> Map {
    account(fixture).in_directory("/local/testmount", &files(snapshot))
}

/// The file for a directory with these files of a recovery point with those.
fn written(fixture: &str, snapshot: &[&str], restored: &[&str]) -> String {
    let text = catalog_commands(&map(fixture, snapshot), &files(restored), &HEAD);
    assert_eq!(commands(&text), [CATALOG], "{text}");
    text
}

/// What RMAN would run.
fn commands(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// What the script reads, as it reads it: `# database`, `# control file:` and `# spfile:`.
fn facts(text: &str) -> Vec<&str> {
    let kinds = ["# database ", "# control file: ", "# spfile: "];
    text.lines()
        .filter(|line| kinds.iter().any(|kind| line.starts_with(kind)))
        .collect()
}

/// The commands for a human, in their order.
fn steps(text: &str) -> Vec<&str> {
    let after = text.split_once(CATALOG).expect("CATALOG").1;
    after
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .collect()
}

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "'{part}' is not in\n{text}");
}

const FULL: [&str; 2] = ["PRD_20261123_011a_1_1", "PRD_20261123_021b_1_1"];
const OPEN: [&str; 2] = [
    "RUN { SET UNTIL SCN n; RECOVER DATABASE; }",
    "ALTER DATABASE OPEN RESETLOGS;",
];

#[test]
fn the_file_says_what_it_is_how_to_use_it_and_what_fits_what_is_there() {
    let text = written("full_two_channels", &FULL, &FULL);
    let expected = "\
# catalog.rman: makes RMAN know the backups in this directory, which is a restore of Backstay's store.
# Recovery point 9f3a of 2026-11-24 05:00:09.
#
# oracle_rman_restore.sh does all of it: it reads this file, and checks first what would be overwritten.
# By hand, in this directory, with the database mounted:
#   sed \"s|@RESTORE_DIRECTORY@|$PWD|g\" catalog.rman >/tmp/catalog.rman
#   rman target / cmdfile=/tmp/catalog.rman
# then give RMAN those of the commands below, without their #, that fit what is lost. RMAN and its server must
# be able to read the directory under the same path, which should have no blanks or quotes in it.
#
# database PRD DBID 4711
# control file: PRD_20261123_021b_1_1
#
# This makes RMAN know all backups in the directory, and restores nothing:
CATALOG START WITH '@RESTORE_DIRECTORY@/' NOPROMPT;
#
# ---- database PRD, DBID 4711 ----
# Here in backup sets: data files 1-3.
# If the control file is lost too, this comes before the CATALOG command:
#   SET DBID 4711;
#   STARTUP NOMOUNT;
#   RESTORE CONTROLFILE FROM '@RESTORE_DIRECTORY@/PRD_20261123_021b_1_1';
#   ALTER DATABASE MOUNT;
# The whole database:
#   RESTORE DATABASE;
#   RECOVER DATABASE;
# Where the redo ends RECOVER fails with RMAN-06054, which names an SCN. Recover up to that one, and open:
#   RUN { SET UNTIL SCN n; RECOVER DATABASE; }
#   ALTER DATABASE OPEN RESETLOGS;
# RECOVER takes what archived logs it needs from the sets by itself.
# RMAN-06023 at RESTORE names a data file that was not backed up in this run.
";
    assert_eq!(text, expected);
}

#[test]
fn copies_of_all_data_files_can_be_switched_to_or_copied_back() {
    let script = [
        "data_D-SND_I-4713_TS-SYSTEM_FNO-1_01abcd",
        "data_D-SND_I-4713_TS-NEW_FNO-2_02abcd",
        "07arch_1_1",
        "control_D-SND_I-4713.ctl",
        "c-4713-20261124-00",
    ];
    let text = written("copies_and_sets_of_the_script", &script, &script);
    assert_eq!(
        facts(&text),
        [
            "# database SND DBID 4713",
            "# control file: c-4713-20261124-00",
            "# spfile: c-4713-20261124-00",
        ]
    );
    let before = [
        "SET DBID 4713;",
        "STARTUP NOMOUNT;",
        "RESTORE CONTROLFILE FROM '@RESTORE_DIRECTORY@/c-4713-20261124-00';",
        "ALTER DATABASE MOUNT;",
    ];
    let switch = ["SWITCH DATABASE TO COPY;", "RECOVER DATABASE;"];
    let back = ["RESTORE DATABASE;", "RECOVER DATABASE;"];
    assert_eq!(steps(&text), [&before[..], &switch, &back, &OPEN].concat());
    says(&text, "# Here as image copies: data files 1-2.\n");
    says(
        &text,
        "# Here in backup sets: archived logs of thread 1, sequences 7.\n",
    );
}

#[test]
fn the_newest_control_file_that_is_there_is_named_whoever_made_it() {
    let script = [
        "07arch_1_1",
        "control_D-SND_I-4713.ctl",
        "c-4713-20261124-00",
    ];
    let newest = |restored: &[&str]| {
        let text = written("copies_and_sets_of_the_script", &script, restored);
        facts(&text).get(1).map(|fact| (*fact).to_owned())
    };
    let fact = |name: &str| Some(format!("# control file: {name}"));
    assert_eq!(newest(&script), fact("c-4713-20261124-00"));
    assert_eq!(newest(&script[..2]), fact("control_D-SND_I-4713.ctl"));
    assert_eq!(newest(&script[..1]), None);
    // A later copy is newer than an earlier autobackup.
    let both = ["after_backup.bks", "after_backup_controlfile.cf"];
    let text = written("reused_name", &both, &both);
    assert_eq!(
        facts(&text)[1],
        "# control file: after_backup_controlfile.cf"
    );
}

#[test]
fn of_some_data_files_only_these_are_restored_or_switched_to() {
    let text = written("full_two_channels", &FULL, &FULL[..1]);
    assert_eq!(
        steps(&text),
        ["RESTORE DATAFILE 1, 3;", "RECOVER DATAFILE 1, 3;"]
    );
    says(&text, "not wholly, in this directory: data files 2.");
    says(&text, "# No control file of it is here");
    let copies = ["system_copy", "sysaux_copy"];
    let text = written("as_copy_two_channels", &copies, &copies);
    assert_eq!(
        steps(&text),
        [
            "SWITCH DATAFILE 46, 47 TO COPY;",
            "RECOVER DATAFILE 46, 47;"
        ],
        "without data file 1 it is not the whole database"
    );
    let increment = [
        "DB-TEN-2pirfrqi",
        "data_D-TEN_I-2863970444_TS-SYSTEM_FNO-1_2r",
    ];
    let text = written("ten_g", &increment, &increment);
    assert_eq!(
        steps(&text),
        [
            "SWITCH DATAFILE 1 TO COPY;",
            "RECOVER DATAFILE 1;",
            "RESTORE DATABASE;",
            "RECOVER DATABASE;"
        ]
    );
    says(&text, "# Here as increments only: data files 3.");
}

#[test]
fn a_whole_database_may_be_partly_in_sets_and_partly_in_copies() {
    let (mut map, restored) = map_of(vec![with_control_file(Some("SND"), 1, "snd.ctl")]);
    let file = restored.iter().next().expect("a file").clone();
    let database = &mut map.databases[0];
    database.pieces = vec![MappedPiece {
        file: RelativePath::new("set").expect("a path"),
        kind: SetKind::Incremental { level: 0 },
        number: Some(1),
        tag: None,
        is_autobackup: false,
        set: 0,
    }];
    for (number, file) in [(1, file), (2, database.pieces[0].file.clone())] {
        database.datafiles.push(MappedDatafile {
            number,
            name: None,
            tablespace: None,
            files: vec![file],
        });
    }
    let text = catalog_commands(&map, &files(&["set", "snd.ctl"]), &HEAD);
    let whole = ["RESTORE DATABASE;", "RECOVER DATABASE;"];
    assert_eq!(steps(&text)[4..], [&whole[..], &OPEN].concat());
}

#[test]
fn a_set_that_is_not_whole_in_the_directory_is_no_backup() {
    let all = ["3a_5_1", "3a_5_2", "3a_5_3"];
    let text = written("section_size", &all, &all);
    assert_eq!(steps(&text), ["RESTORE DATAFILE 5;", "RECOVER DATAFILE 5;"]);
    let text = written("section_size", &all, &all[..2]);
    assert_eq!(facts(&text), [""; 0], "nothing of the database is of use");
    assert_eq!(steps(&text), [""; 0]);
    // Two copies of one piece: one is enough.
    let both = ["1a_1_1", "1a_1_2"];
    let text = written("two_copies_of_each_piece", &both, &both[1..]);
    assert_eq!(
        steps(&text)[..2],
        ["RESTORE DATABASE;", "RECOVER DATABASE;"]
    );
}

#[test]
fn archived_logs_alone_are_restored_by_thread_and_sequence() {
    let text = written("ten_g", &["AL-TEN-2qirfrrb"], &["AL-TEN-2qirfrrb"]);
    assert_eq!(
        steps(&text),
        [
            "RESTORE ARCHIVELOG FROM SEQUENCE 71 UNTIL SEQUENCE 71 THREAD 1;",
            "RESTORE ARCHIVELOG FROM SEQUENCE 9 UNTIL SEQUENCE 9 THREAD 2;",
        ]
    );
    let both = ["arch/1_201.arc", "17_1_1"];
    let text = written("archived_logs_deleted", &both, &both);
    assert_eq!(
        steps(&text),
        ["RESTORE ARCHIVELOG FROM SEQUENCE 200 UNTIL SEQUENCE 200 THREAD 1;"]
    );
    says(
        &text,
        "Here as they are: archived logs of thread 1, sequences 201.",
    );
}

#[test]
fn each_database_that_is_there_has_its_own_facts() {
    let all = ["PRD/15_1_1", "QAS/15_1_1", "PRD/16_1_1"];
    let text = written("two_databases", &all, &all);
    assert_eq!(
        facts(&text),
        ["# database PRD DBID 4711", "# database QAS DBID 4712"]
    );
    let text = written("two_databases", &all, &all[1..2]);
    assert_eq!(facts(&text), ["# database QAS DBID 4712"]);
    says(&text, "# ---- database QAS, DBID 4712 ----");
    assert!(!text.contains("PRD"), "{text}");
}

#[test]
fn a_log_that_was_not_parsed_is_told_and_cataloged_all_the_same() {
    for (fixture, words) in [
        (
            "localised_german_latin1",
            "# The log was localised and not parsed: ",
        ),
        ("nothing_but_a_list", "# The log tells of no backup"),
    ] {
        let text = written(
            fixture,
            &[],
            &["c-4711-20261123-03", "x/control_D-A_I-1.ctl", "y"],
        );
        says(&text, words);
        says(&text, "script): c-4711-20261123-03\n");
        says(&text, "script): x/control_D-A_I-1.ctl\n");
        says(&text, "# 3 files are here that the log does not tell of.");
        assert_eq!(facts(&text), [""; 0]);
    }
    let there = ["0t_1_1", "c-4711-20261123-03"];
    let text = written("truncated_head", &there, &there);
    says(
        &text,
        "# The log was parsed in part: its beginning is missing",
    );
    // The only database needs no name.
    assert_eq!(
        facts(&text),
        [
            "# control file: c-4711-20261123-03",
            "# spfile: c-4711-20261123-03"
        ]
    );
}

/// A database with one control file.
fn with_control_file(name: Option<&str>, dbid: u64, path: &str) -> MappedDatabase {
    let file = RelativePath::new(path).expect("a relative path");
    MappedDatabase {
        name: name.map(str::to_owned),
        dbid: Some(dbid),
        control_files: vec![file.clone()],
        copies: vec![MappedCopy {
            file,
            of: CopiedFile::ControlFile,
            tag: None,
            merged: false,
        }],
        ..MappedDatabase::default()
    }
}

fn map_of(databases: Vec<MappedDatabase>) -> (Map, SnapshotFiles) {
    let files: Vec<RelativePath> = databases
        .iter()
        .flat_map(|it| it.files().cloned())
        .collect();
    let map = Map {
        outcome: Outcome::Parsed,
        databases,
        missing: Vec::new(),
        elsewhere: Vec::new(),
        found_by_tail: Vec::new(),
        is_cut: false,
    };
    (map, SnapshotFiles::new(files))
}

#[test]
fn a_control_file_is_never_told_as_that_of_another_database() {
    for (name, other) in [
        (None, Some("PRD")),
        (Some("a b"), Some("PRD")),
        (Some("QAS"), Some("QAS")),
    ] {
        let (map, restored) = map_of(vec![
            with_control_file(Some("SND"), 1, "snd.ctl"),
            with_control_file(name, 2, "two.ctl"),
            with_control_file(other, 3, "three.ctl"),
        ]);
        let text = catalog_commands(&map, &restored, &HEAD);
        let facts = facts(&text);
        assert_eq!(
            facts[..2],
            ["# database SND DBID 1", "# control file: snd.ctl"]
        );
        let others = match other {
            Some("PRD") => &["# database PRD DBID 3", "# control file: three.ctl"][..],
            _ => &[],
        };
        assert_eq!(facts[2..], *others, "{text}");
        says(&text, "is not told to the script (--control-file): two.ctl");
    }
}

#[test]
fn a_path_that_rman_would_misread_is_told_and_is_no_fact() {
    let long = "x/".repeat(300) + "y";
    for path in [
        "a b.ctl",
        "it's.ctl",
        "line\nbreak.ctl",
        "\u{e9}.ctl",
        "a$b",
        &long,
    ] {
        let (map, restored) = map_of(vec![with_control_file(Some("SND"), 1, path)]);
        let text = catalog_commands(&map, &restored, &HEAD);
        assert_eq!(facts(&text), ["# database SND DBID 1"], "{text}");
        says(
            &text,
            "has a name that cannot be told to RMAN; give it another one",
        );
        assert!(!text.contains("RESTORE CONTROLFILE"), "{text}");
        assert_eq!(commands(&text), [CATALOG]);
    }
}

#[test]
fn what_the_recovery_point_lacks_is_told() {
    let (mut map, restored) = map_of(vec![with_control_file(Some("SND"), 1, "snd.ctl")]);
    map.missing = vec![MissingFile {
        path: "/m/a\n_1_1".to_owned(),
        database: Some("SND".to_owned()),
        is_ambiguous: false,
    }];
    map.is_cut = true;
    let text = catalog_commands(&map, &restored, &HEAD);
    says(
        &text,
        "# Its log tells of 1 files that the recovery point lacks; the first: /m/a\\u{a}_1_1\n",
    );
    says(&text, "# It has more files than are followed here");
}

#[test]
fn a_database_of_very_many_files_leaves_room_for_what_the_script_reads() {
    let databases = (0..256_u32).map(|at| {
        let file = RelativePath::new(&format!("{at}{}", "x".repeat(500))).expect("a path");
        let mut database = with_control_file(Some(&format!("D{at}")), 1, file.as_str());
        let datafile = |number: u32| MappedDatafile {
            number: number * 2,
            name: None,
            tablespace: None,
            files: vec![file.clone()],
        };
        database.datafiles = (1..=8_000).map(datafile).collect();
        let log = |thread: u32| MappedLog {
            thread,
            sequence: 1,
            files: vec![file.clone()],
        };
        database.archived_logs = (1..=8_000).map(log).collect();
        database
    });
    let (map, restored) = map_of(databases.collect());
    let text = catalog_commands(&map, &restored, &HEAD);
    assert!(text.len() <= CATALOG_BYTES_MAX, "{}", text.len());
    assert_eq!(facts(&text).len(), 512);
    assert_eq!(commands(&text), [CATALOG]);
    says(
        &text,
        "# There was no room for the commands for more databases.",
    );
    assert!(text.lines().all(|line| line.len() < 4096));
}

/// Names that were written to be something else.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("\n"),
        Just("\r\n"),
        Just("\u{2028}"),
        Just("\u{85}"),
        Just("'"),
        Just("\""),
        Just("*/"),
        Just("/*"),
        Just("@"),
        Just("@RESTORE_DIRECTORY@"),
        Just("# database X"),
        Just("\n# control file: evil"),
        Just("\nHOST 'rm -rf /';\n"),
        Just("\nCATALOG START WITH '@RESTORE_DIRECTORY@/' NOPROMPT;\n"),
        Just("';\nDROP DATABASE;"),
        Just("&1"),
        Just("\\"),
        Just("a"),
        Just("PRD/01_1_1"),
        Just(" "),
        Just("\u{1b}[2J"),
    ];
    prop::collection::vec(parts, 1..6).prop_map(|parts| parts.concat())
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Parsed),
        Just(Outcome::Partial {
            because: vec![Shortcoming::TailMissing, Shortcoming::ChannelFailed]
        }),
        Just(Outcome::Localised),
        Just(Outcome::NothingFound),
    ]
}

/// A database of which each file is here or not, and is this or that.
fn database() -> impl Strategy<Value = MappedDatabase> {
    let file = (hostile(), 0..6_u32, 0..3_usize);
    let names = prop::collection::vec(file, 0..8);
    (
        prop::option::of(hostile()),
        prop::option::of(any::<u64>()),
        names,
    )
        .prop_map(|(name, dbid, files)| {
            let mut database = MappedDatabase {
                name,
                dbid,
                ..MappedDatabase::default()
            };
            for (path, what, set) in files {
                if let Ok(file) = RelativePath::new(&path) {
                    add(&mut database, file, what, set);
                }
            }
            database
        })
}

fn add(database: &mut MappedDatabase, file: RelativePath, what: u32, set: usize) {
    match what {
        0 => database.control_files.push(file.clone()),
        1 => database.spfiles.push(file.clone()),
        2 => database.unusable.push(file.clone()),
        3 => database.archived_logs.push(MappedLog {
            thread: 1,
            sequence: what,
            files: vec![file.clone()],
        }),
        _ => database.datafiles.push(MappedDatafile {
            number: what - 3,
            name: None,
            tablespace: None,
            files: vec![file.clone()],
        }),
    }
    if what.is_multiple_of(2) {
        database.copies.push(MappedCopy {
            file,
            of: CopiedFile::ControlFile,
            tag: None,
            merged: false,
        });
    } else {
        database.pieces.push(MappedPiece {
            file,
            kind: SetKind::Full,
            number: Some(1),
            tag: None,
            is_autobackup: false,
            set,
        });
    }
}

/// What the script would take for a fact of a file.
fn told_files(text: &str) -> impl Iterator<Item = &str> {
    facts(text)
        .into_iter()
        .filter_map(|fact| fact.split_once(": "))
        .map(|(_, path)| path)
}

proptest! {
    #[test]
    fn no_name_makes_a_line_of_its_own(
        outcome in outcome(),
        databases in prop::collection::vec(database(), 0..4),
        (point, time, missing) in (hostile(), hostile(), hostile()),
        every in 1..3_usize,
    ) {
        let (mut map, all) = map_of(databases);
        map.outcome = outcome;
        map.missing.push(MissingFile {
            path: missing,
            database: map.databases.first().and_then(|first| first.name.clone()),
            is_ambiguous: false,
        });
        let restored = SnapshotFiles::new(all.iter().step_by(every).cloned());
        let head = CatalogHead { recovery_point: &point, time: &time };
        let text = catalog_commands(&map, &restored, &head);
        prop_assert_eq!(commands(&text), [CATALOG]);
        prop_assert!(text.len() <= CATALOG_BYTES_MAX);
        prop_assert!(text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')), "{}", text);
        let there: BTreeSet<&str> = restored.iter().map(RelativePath::as_str).collect();
        for path in told_files(&text) {
            prop_assert!(there.contains(path), "{} is not in the directory:\n{}", path, text);
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/+:@-".contains(&byte)));
        }
        for line in facts(&text).iter().filter(|line| line.starts_with("# database")) {
            prop_assert!(line.split(' ').count() <= 5, "{}", line);
        }
    }
}
