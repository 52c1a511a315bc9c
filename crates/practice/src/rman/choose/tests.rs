//! Tests of the choice of backups.
//! What lives here: a repository of a few records, and what is chosen from it. What does not: files.

use std::path::PathBuf;

use super::*;
use crate::engine::backup_records::{BackupRecords, CopyOf};
use crate::engine::control::{CheckpointRecord, Incarnation, Segments};

const INCARNATION: Incarnation = Incarnation { scn: 1, time: 2 };

fn control(sets: Vec<SetRecord>, copies: Vec<CopyRecord>) -> Control {
    Control {
        generation: 1,
        dbid: 4711,
        name: "SND".into(),
        created: 0,
        archivelog: true,
        is_backup: false,
        needs_resetlogs: false,
        recovered_to: 0,
        planned_incarnation: None,
        thread_open: false,
        incarnations: vec![INCARNATION],
        checkpoint: CheckpointRecord::default(),
        pending: false,
        tablespaces: Vec::new(),
        datafiles: vec![file()],
        logs: Vec::new(),
        archived: Vec::new(),
        last_recid: 0,
        activation_id: 0,
        segments: Segments::default(),
        backups: BackupRecords {
            sets,
            copies,
            ..BackupRecords::default()
        },
    }
}

fn file() -> DatafileRecord {
    DatafileRecord {
        number: 1,
        tablespace: 0,
        path: "/a/1".into(),
        blocks: 63,
        creation_scn: 5,
        creation_time: 0,
        checkpoint: CheckpointRecord::default(),
        checkpoint_count: 1,
        online: true,
        backup: (0, 0),
        in_backup: false,
    }
}

fn state(checkpoint: u64, fuzzy_scn: u64, from_scn: Option<u64>) -> FileState {
    FileState {
        number: 1,
        path: "/a/1".into(),
        tablespace: "SYSTEM".into(),
        blocks: 63,
        creation_scn: 5,
        incarnation: INCARNATION,
        checkpoint: (checkpoint, checkpoint as u32),
        fuzzy_scn,
        from_scn,
    }
}

fn set(key: u32, kind: SetKind, state: FileState) -> SetRecord {
    SetRecord {
        key,
        set: key,
        stamp: key,
        kind,
        tag: "T".into(),
        handle: format!("/b/{key}").into(),
        compressed: false,
        completed: state.checkpoint.1 + 5,
        files: vec![state],
        logs: Vec::new(),
        controlfile: None,
        spfile: false,
        database: (4711, "SND".into()),
        elapsed: 0,
        bytes: 0,
        status: Status::Available,
    }
}

fn copy(recid: u32, tag: &str, state: FileState) -> CopyRecord {
    CopyRecord {
        recid,
        completed: state.checkpoint.1 + 5,
        of: CopyOf::Datafile(state),
        tag: tag.into(),
        path: format!("/c/{recid}").into(),
        level_0: true,
        status: Status::Available,
    }
}

fn chosen(control: &Control, limit: &Limit, excluded: &[PathBuf]) -> Option<PathBuf> {
    newest_whole(control, &file(), limit, excluded).map(|(whole, _)| match whole {
        Whole::Set(set) => set.handle.clone(),
        Whole::Copy(copy) => copy.path.clone(),
    })
}

fn until(scn: u64) -> Limit {
    Limit {
        scn: Some(scn),
        ..Limit::default()
    }
}

#[test]
fn the_newest_backup_that_reaches_a_point_is_chosen() {
    let sets = vec![
        set(1, SetKind::Full, state(100, 0, None)),
        set(2, SetKind::Full, state(200, 230, None)),
        set(3, SetKind::Incremental(1), state(300, 0, Some(200))),
    ];
    let control = control(sets, vec![copy(1, "C", state(150, 0, None))]);
    let path = |name: &str| Some(PathBuf::from(name));
    assert_eq!(chosen(&control, &Limit::default(), &[]), path("/b/2"));
    assert_eq!(chosen(&control, &until(231), &[]), path("/b/2"));
    assert_eq!(
        chosen(&control, &until(230), &[]),
        path("/c/1"),
        "recovery may not stop before the fuzzy SCN"
    );
    assert_eq!(chosen(&control, &until(150), &[]), path("/c/1"));
    assert_eq!(chosen(&control, &until(149), &[]), path("/b/1"));
    assert_eq!(chosen(&control, &until(99), &[]), None);
    assert_eq!(
        chosen(&control, &Limit::default(), &["/b/2".into()]),
        path("/c/1")
    );
    let by_time = |time| Limit {
        time: Some(time),
        ..Limit::default()
    };
    assert_eq!(chosen(&control, &by_time(206), &[]), path("/b/2"));
    assert_eq!(
        chosen(&control, &by_time(205), &[]),
        path("/c/1"),
        "its newest block may be as new as its end"
    );
    assert_eq!(chosen(&control, &by_time(100), &[]), None);
}

#[test]
fn backups_of_other_incarnations_files_and_lost_ones_are_not_chosen() {
    let mut other = state(100, 0, None);
    other.incarnation.time = 9;
    let mut recreated = state(100, 0, None);
    recreated.creation_scn = 6;
    let mut lost = set(3, SetKind::Full, state(100, 0, None));
    lost.status = Status::Expired;
    let sets = vec![
        set(1, SetKind::Full, other),
        set(2, SetKind::Full, recreated),
        lost,
    ];
    assert_eq!(
        chosen(&control(sets, Vec::new()), &Limit::default(), &[]),
        None
    );
}

#[test]
fn increments_form_a_chain_without_a_gap() {
    let sets = vec![
        set(1, SetKind::Incremental(1), state(200, 0, Some(100))),
        set(2, SetKind::Incremental(1), state(300, 0, Some(200))),
        set(3, SetKind::Incremental(1), state(500, 0, Some(400))),
        set(4, SetKind::Incremental(1), state(250, 0, Some(100))),
    ];
    let control = control(sets, Vec::new());
    let keys = |checkpoint, limit: &Limit| {
        increments(&control, &file(), checkpoint, limit)
            .iter()
            .map(|set| set.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(100, &Limit::default()), [4, 2]);
    assert_eq!(keys(150, &Limit::default()), [4, 2]);
    assert_eq!(
        keys(50, &Limit::default()),
        [0; 0],
        "it begins after the file ends"
    );
    assert_eq!(keys(400, &Limit::default()), [3]);
    assert_eq!(keys(100, &until(240)), [1]);
}

#[test]
fn parents_are_the_copy_or_what_waits_to_be_applied_to_it() {
    let mut first = set(1, SetKind::Incremental(1), state(200, 0, Some(100)));
    first.tag = "C".into();
    let of_another = set(2, SetKind::Incremental(1), state(300, 0, Some(200)));
    let mut control = control(
        vec![first, of_another],
        vec![copy(1, "C", state(100, 0, None))],
    );
    assert_eq!(copy_parent(&control, &file(), "C"), Some(200));
    assert_eq!(copy_parent(&control, &file(), "OTHER"), None);
    assert_eq!(parent(&control, &file(), false), Some(300));
    assert_eq!(parent(&control, &file(), true), Some(100));
    control.backups.copies[0].status = Status::Expired;
    assert_eq!(copy_parent(&control, &file(), "C"), None);
    assert_eq!(parent(&control, &file(), false), None);
}
