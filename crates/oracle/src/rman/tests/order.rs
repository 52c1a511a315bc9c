//! Lines in an order that the fixtures do not have.
//! What lives here: short logs and what they tell. What does not: logs as RMAN writes them (the fixtures).

use super::*;

const HEAD: &str = "Recovery Manager: Release 19.0.0.0.0 - Production\n\
                    connected to target database: PRD (DBID=4711)\nStarting backup at x\n";

/// What a log tells that begins as logs do; its outcome first.
fn tells_of(lines: &[&str]) -> Vec<String> {
    let log = format!("{HEAD}{}\n", lines.join("\n"));
    let account = read_log(log.as_bytes()).expect("a slice gives no errors");
    let mut all = vec![match &account.outcome {
        Outcome::Partial { because } => format!("{because:?}"),
        whole => format!("{whole:?}"),
    }];
    all.extend(told(&account));
    all
}

#[test]
fn a_handle_is_of_the_piece_that_was_finished_last_whoever_speaks_between() {
    let told = tells_of(&[
        "channel c1: starting full datafile backup set",
        "channel c2: starting full datafile backup set",
        "channel c2: starting piece 1 at x",
        "channel c1: starting piece 1 at x",
        "channel c2: finished piece 1 at x",
        "piece handle=/m/c2 tag=T comment=NONE",
        "channel c1: finished piece 1 at x",
        "channel c2: backup set complete, elapsed time: 1",
        "piece handle=/m/c1 tag=T comment=NONE",
        "channel c1: backup set complete, elapsed time: 1",
        "Finished backup at x",
        "Recovery Manager complete.",
    ]);
    assert_eq!(
        told,
        [
            "Parsed",
            "PRD 4711",
            "c1 full complete tag 'T' > 1:/m/c1",
            "c2 full complete tag 'T' > 1:/m/c2",
        ]
    );
}

#[test]
fn each_deleted_piece_has_its_own_heading() {
    let told = tells_of(&[
        "channel c1: starting full datafile backup set",
        "channel c1: finished piece 1 at x",
        "piece handle=/m/1 tag=T comment=NONE",
        "channel c1: finished piece 2 at x",
        "piece handle=/m/2 tag=T comment=NONE",
        "channel c1: backup set complete, elapsed time: 1",
        "Finished backup at x",
        "deleted backup piece",
        "backup piece handle=/m/1 RECID=1 STAMP=1",
        "backup piece handle=/m/2 RECID=2 STAMP=1",
        "deleted archived log",
        "backup piece handle=/m/2 RECID=2 STAMP=1",
        "Recovery Manager complete.",
    ]);
    assert_eq!(
        told,
        [
            "Parsed",
            "PRD 4711",
            "c1 full complete tag 'T' > 1:/m/1 DELETED > 2:/m/2",
        ]
    );
}

#[test]
fn a_copy_that_failed_is_not_finished_by_the_next_command() {
    let told = tells_of(&[
        "channel c1: starting datafile copy",
        "input datafile file number=00001 name=/oradata/1",
        "RMAN-00571: =====",
        "RMAN-00569: =====",
        "RMAN-00571: =====",
        "RMAN-03002: failure of backup command at x",
        "output file name=/m/no_copy tag=T RECID=1 STAMP=1",
        "Starting backup at x",
        "channel c1: starting datafile copy",
        "input datafile file number=00002 name=/oradata/2",
        "output file name=/m/2 tag=T RECID=2 STAMP=1",
        "channel c1: datafile copy complete, elapsed time: 1",
        "Finished backup at x",
        "Recovery Manager complete.",
    ]);
    assert_eq!(
        told,
        [
            "[CommandFailed]",
            "PRD 4711",
            "copy of 2=/oradata/2 tag 'T' > /m/2",
        ]
    );
}

#[test]
fn a_session_that_another_one_follows_without_its_end_was_cut_off() {
    let told = tells_of(&[
        "channel c1: starting full datafile backup set",
        "channel c1: finished piece 1 at x",
        "piece handle=/m/1 tag=T comment=NONE",
        "channel c1: backup set complete, elapsed time: 1",
        "Finished backup at x",
        "Recovery Manager: Release 19.0.0.0.0 - Production",
        "connected to target database: PRD (DBID=4711)",
        "Recovery Manager complete.",
    ]);
    assert_eq!(
        told,
        [
            "[TailMissing]",
            "PRD 4711",
            "c1 full complete tag 'T' > 1:/m/1",
        ]
    );
}

#[test]
fn a_set_that_another_one_of_its_channel_follows_has_no_end() {
    let told = tells_of(&[
        "channel c1: starting full datafile backup set",
        "channel c1: finished piece 1 at x",
        "piece handle=/m/1 tag=T comment=NONE",
        "channel c1: starting archived log backup set",
        "channel c1: finished piece 1 at x",
        "piece handle=/m/2 tag=L comment=NONE",
        "channel c1: backup set complete, elapsed time: 1",
        "Finished backup at x",
        "Recovery Manager complete.",
    ]);
    assert_eq!(
        told,
        [
            "[TailMissing]",
            "PRD 4711",
            "c1 full UNFINISHED tag 'T' > 1:/m/1",
            "c1 logs complete tag 'L' > 1:/m/2",
        ]
    );
}

#[test]
fn of_copies_whose_end_is_not_told_the_name_tells_the_file() {
    let told = tells_of(&[
        "channel c1: starting datafile copy",
        "input datafile file number=00001 name=/oradata/1",
        "channel c2: starting datafile copy",
        "input datafile file number=00002 name=/oradata/2",
        "output file name=/m/data_D-PRD_I-4711_TS-B_FNO-2_0b tag=T RECID=2 STAMP=1",
        "output file name=/m/data_D-PRD_I-4711_TS-A_FNO-1_0a tag=T RECID=1 STAMP=1",
        "Finished backup at x",
        "Recovery Manager complete.",
    ]);
    assert_eq!(
        told,
        [
            "Parsed",
            "PRD 4711",
            "copy of 2=/oradata/2 tag 'T' in B > /m/data_D-PRD_I-4711_TS-B_FNO-2_0b",
            "copy of 1=/oradata/1 tag 'T' in A > /m/data_D-PRD_I-4711_TS-A_FNO-1_0a",
        ]
    );
}
