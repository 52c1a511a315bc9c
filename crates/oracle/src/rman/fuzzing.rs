//! The parser of logs, driven by whatever bytes there are, for fuzz/ and for this crate's tests.
//! What lives here: what must hold of every account and map. What does not: what a given log must tell.

use super::{
    CATALOG_BYTES_MAX, CHANNELS_MAX, CatalogHead, DATABASES_MAX, FAILURE_BYTES_MAX, FAILURES_MAX,
    Outcome, PIECES_PER_SET_MAX, RECORDS_MAX, RelativePath, SetState, SnapshotFiles,
    catalog_commands, read_log,
};

/// Mount points of both systems, and none.
const MOUNTS: [&str; 3] = ["/local/testmount", "Z:\\", ""];

/// Reads a log and maps it to snapshots that have some of its files; panics when what comes out breaks a promise.
///
/// # Panics
/// A limit does not hold, a file is mapped that the snapshot does not have, or a file is mapped and called additional,
/// or `catalog.rman` has another command than its own.
pub fn log(bytes: &[u8]) {
    let account = read_log(bytes).expect("a slice gives no errors");
    let sets = || account.databases.iter().flat_map(|database| &database.sets);
    let copies = account
        .databases
        .iter()
        .flat_map(|database| &database.copies);
    let in_sets =
        sets().map(|set| 1 + set.datafiles.len() + set.archived_logs.len() + set.pieces.len());
    assert!(copies.count() + in_sets.sum::<usize>() <= RECORDS_MAX);
    assert!(sets().all(|set| set.pieces.len() <= PIECES_PER_SET_MAX));
    let open = sets().filter(|set| set.state == SetState::Unfinished && set.pieces.is_empty());
    let whole = matches!(account.outcome, Outcome::Parsed);
    assert!(
        !whole || open.count() == 0,
        "parsed, with sets that have no end"
    );
    assert!(account.databases.len() <= DATABASES_MAX);
    assert!(account.failures.len() <= FAILURES_MAX);
    assert!(
        account
            .failures
            .iter()
            .all(|line| line.len() <= FAILURE_BYTES_MAX)
    );
    let nothing = matches!(account.outcome, Outcome::NothingFound | Outcome::Localised);
    assert!(
        !nothing || account.files().count() == 0,
        "nothing found, with files"
    );
    for mount in MOUNTS {
        for every in 1..4 {
            let names = account.files().map(|file| file.path.replace('\\', "/"));
            let paths = names
                .step_by(every)
                .filter_map(|name| RelativePath::new(name.trim_start_matches(mount)).ok())
                .take(CHANNELS_MAX);
            let snapshot = SnapshotFiles::new(paths);
            let map = account.in_directory(mount, &snapshot);
            let claimed: Vec<_> = map.databases.iter().flat_map(|it| it.files()).collect();
            assert!(
                claimed
                    .iter()
                    .all(|file| snapshot.iter().any(|other| other == *file))
            );
            let additional = map.additional(&snapshot);
            assert!(additional.iter().all(|file| !claimed.contains(file)));
            let head = CatalogHead {
                recovery_point: mount,
                time: "",
            };
            let catalog = catalog_commands(&map, &snapshot, &head);
            let commands = catalog.lines().filter(|line| !line.starts_with('#'));
            assert_eq!(commands.count(), 1, "{catalog}");
            assert!(catalog.len() <= CATALOG_BYTES_MAX);
        }
    }
}
