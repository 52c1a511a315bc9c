//! Quotas.
//! What lives here: what fits, what does not, and what makes room. What does not: the count itself (src/usage.rs).

mod world;

use world::*;

const QUOTA: u64 = 4 << 20;

fn world_with_quota() -> World {
    World::with(|export| export.quota_bytes = Some(QUOTA), options())
}

fn used(world: &World) -> u64 {
    world.exports.used_bytes(NAME).unwrap().unwrap()
}

#[test]
fn data_beyond_the_quota_is_refused_and_what_is_allocated_may_be_overwritten() {
    let world = world_with_quota();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let mut offset = 0;
    let refused = loop {
        match client.write(&file, offset, &[7; 256 << 10], UNSTABLE) {
            Ok(_) => offset += 256 << 10,
            Err(status) => break status,
        }
        assert!(offset <= QUOTA, "more than the quota was written");
    };
    assert_eq!(refused, DQUOT);
    assert!(
        offset > QUOTA - (512 << 10),
        "refused too early, at {offset}"
    );
    assert_eq!(
        client.write(&file, 0, &[8; 256 << 10], UNSTABLE).map(drop),
        Ok(())
    );
    assert_eq!(
        client.write(&file, 100 << 20, &[8; 1 << 20], UNSTABLE),
        Err(DQUOT)
    );
    let mut status = client.nfs(FSSTAT, handle(&root));
    status.u32();
    status.optional_attributes();
    let [total, free] = [(); 2].map(|()| status.u64());
    assert!(total == QUOTA && free < 512 << 10, "{total} {free}");
    assert_eq!(client.status(REMOVE, handle(&root).opaque("file")), OK);
    let file = client.create(&root, "again");
    assert_eq!(
        client.write(&file, 0, &[7; 1 << 20], FILE_SYNC).map(drop),
        Ok(())
    );
}

#[test]
fn truncating_renaming_over_and_deleting_behind_the_back_make_room() {
    let world = world_with_quota();
    let (mut client, root) = world.mounted();
    let at_first = used(&world);
    for name in ["a", "b"] {
        let file = client.create(&root, name);
        client.write(&file, 0, &[7; 1 << 20], FILE_SYNC).unwrap();
    }
    assert!(used(&world) >= at_first + (2 << 20));
    assert_eq!(
        client.status(RENAME, handle(&root).opaque("a").opaque(&root).opaque("b")),
        OK
    );
    assert!(used(&world) < at_first + (2 << 20));
    let b = client.lookup(&root, "b").unwrap();
    assert_eq!(client.status(SETATTR, handle(&b).size(0).u32(0)), OK);
    assert!(used(&world) < at_first + (1 << 20));
    client.write(&b, 0, &[7; 1 << 20], FILE_SYNC).unwrap();
    std::fs::remove_file(world.directory.path().join("b")).unwrap();
    world.exports.recount(NAME).unwrap();
    assert_eq!(used(&world), at_first);
}

#[test]
fn what_is_there_when_the_export_is_added_counts() {
    let world = world_with_quota();
    let (mut client, root) = world.mounted();
    world.exports.remove(NAME).unwrap();
    let deep = world.directory.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("file"), vec![1; QUOTA as usize]).unwrap();
    std::fs::hard_link(deep.join("file"), deep.join("link")).unwrap();
    let mut again = export(NAME, 7, world.directory.path());
    again.quota_bytes = Some(QUOTA);
    world.exports.add(again).unwrap();
    assert!(used(&world) >= QUOTA && used(&world) < QUOTA + (1 << 20));
    assert_eq!(
        client.status(CREATE, handle(&root).opaque("new").u32(0).mode(None)),
        DQUOT
    );
    assert_eq!(
        client.status(MKDIR, handle(&root).opaque("new").mode(None)),
        DQUOT
    );
    assert!(client.lookup(&root, "a").is_ok());
}

#[test]
fn calls_at_the_same_time_do_not_pass_the_quota_together() {
    let world = world_with_quota();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let world = &world;
            scope.spawn(move || {
                let (mut client, root) = world.mounted();
                let file = client.create(&root, &format!("file-{number}"));
                for round in 0..8 {
                    match client.write(&file, round * (512 << 10), &[1; 512 << 10], UNSTABLE) {
                        Ok(_) | Err(DQUOT) => {}
                        Err(status) => panic!("{status}"),
                    }
                }
            });
        }
    });
    let counted = used(&world);
    world.exports.recount(NAME).unwrap();
    assert!(used(&world) <= QUOTA + (64 << 10), "{}", used(&world));
    assert_eq!(counted, used(&world));
}
