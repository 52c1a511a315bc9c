//! The pause for a snapshot.
//! What lives here: that writers wait without an error, and that what is seen meanwhile belongs together. What does not:
//! snapshots.

mod world;

use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nfs::ExportError;
use world::*;

#[test]
fn two_files_stamped_one_after_the_other_agree_in_every_pause() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let (first, second) = (
        client.create(&root, "first"),
        client.create(&root, "second"),
    );
    let (stopped, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stamp in 1_u64.. {
                // Only when the first is written is the second begun.
                client
                    .write(&first, 0, &stamp.to_be_bytes(), UNSTABLE)
                    .unwrap();
                client
                    .write(&second, 0, &stamp.to_be_bytes(), UNSTABLE)
                    .unwrap();
                rounds.store(stamp, Ordering::SeqCst);
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let stamp = |name: &str| {
            let mut bytes = [0; 8];
            let file = std::fs::File::open(world.directory.path().join(name)).unwrap();
            file.read_exact_at(&mut bytes, 0).unwrap();
            u64::from_be_bytes(bytes)
        };
        for _ in 0..20 {
            let before = rounds.load(Ordering::SeqCst);
            wait_until("the writer goes on", || {
                rounds.load(Ordering::SeqCst) > before + 1
            });
            let quiesced = world.exports.quiesce(NAME, LIMIT).unwrap();
            let seen = (stamp("first"), stamp("second"));
            assert!(seen.0 == seen.1 || seen.0 == seen.1 + 1, "{seen:?}");
            // Nothing comes through: all that can be said of what others do not do is that they had time for it.
            for _ in 0..50 {
                std::thread::yield_now();
                assert_eq!((stamp("first"), stamp("second")), seen);
            }
            assert!(quiesced.held() < LIMIT);
        }
        stopped.store(true, Ordering::SeqCst);
    });
}

#[test]
fn all_changing_calls_wait_and_the_others_pass_on_the_same_connection() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let quiesced = world.exports.quiesce(NAME, LIMIT).unwrap();
    let mut waiting = Vec::new();
    // More than work at the same time on a connection.
    for number in 0..12_u32 {
        let write = write_arguments(&file, u64::from(number), b"x", UNSTABLE);
        let call = client.call_bytes(100_003, 3, WRITE, &write);
        client.send(&call);
        waiting.push(client.xid);
    }
    let named = |name: &str| handle(&root).opaque(name);
    for (procedure, arguments) in [
        (SETATTR, handle(&file).mode(Some(0o600)).u32(0)),
        (CREATE, named("a").u32(0).mode(None)),
        (MKDIR, named("b").mode(None)),
        (SYMLINK, named("c").mode(None).opaque("x")),
        (REMOVE, named("missing")),
        (RMDIR, named("missing")),
        (RENAME, named("missing").opaque(&root).opaque("x")),
        (LINK, handle(&file).opaque(&root).opaque("d")),
    ] {
        let call = client.call_bytes(100_003, 3, procedure, &arguments);
        client.send(&call);
        waiting.push(client.xid);
    }
    // The first answer is to what was asked last.
    assert_eq!(client.attributes(&file).unwrap().size, 0);
    client.commit(&file);
    assert_eq!(
        std::fs::read_dir(world.directory.path()).unwrap().count(),
        1
    );
    drop(quiesced);
    let answered: std::collections::BTreeSet<u32> = waiting
        .iter()
        .map(|_| u32::from_be_bytes(client.receive().unwrap()[..4].try_into().unwrap()))
        .collect();
    assert_eq!(answered, waiting.into_iter().collect());
    assert_eq!(client.attributes(&file).unwrap().size, 12);
    assert_eq!(
        std::fs::read_dir(world.directory.path()).unwrap().count(),
        5
    );
}

#[test]
fn another_export_and_a_change_of_policy_are_not_held() {
    let world = World::new();
    let other = tempfile::tempdir().unwrap();
    open_to_all(other.path());
    world
        .exports
        .add(export("/other", 8, other.path()))
        .unwrap();
    let (mut client, _) = world.mounted();
    let other_root = client.mount("/other").unwrap();
    let _quiesced = world.exports.quiesce(NAME, LIMIT).unwrap();
    client.create(&other_root, "file");
    world.set_policy(|policy| policy.read_only = true);
    assert!(matches!(
        world.exports.quiesce("/missing", LIMIT),
        Err(ExportError::Unknown(_))
    ));
    // Two pauses of one export may overlap.
    let second = world.exports.quiesce(NAME, LIMIT).unwrap();
    drop(second);
    assert!(matches!(
        world.exports.quiesce(NAME, Duration::ZERO),
        Err(ExportError::Busy { .. })
    ));
}

#[test]
fn removing_an_export_and_stopping_the_server_end_the_waiting() {
    let mut world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let call = |client: &mut Client| {
        let write = client.call_bytes(
            100_003,
            3,
            WRITE,
            &write_arguments(&file, 0, b"x", UNSTABLE),
        );
        client.send(&write);
        // Answered behind it: the write was read.
        let ask = client.call_bytes(100_003, 3, GETATTR, &handle(&root));
        client.send(&ask);
        client.receive().unwrap();
    };
    let quiesced = world.exports.quiesce(NAME, LIMIT).unwrap();
    call(&mut client);
    world.exports.remove(NAME).unwrap();
    let mut stale = Reply(client.receive().unwrap(), 24);
    assert_eq!(stale.u32(), STALE);
    drop(quiesced);
    world
        .exports
        .add(export(NAME, 7, world.directory.path()))
        .unwrap();
    let _quiesced = world.exports.quiesce(NAME, LIMIT).unwrap();
    call(&mut client);
    world.server.take().unwrap().stop();
    assert!(
        client.receive().is_err(),
        "a call that was not done is answered"
    );
}
