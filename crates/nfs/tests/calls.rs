//! What the procedures do, on the wire.
//! What lives here: data, names, listings, retransmission, stability. What does not: who may (policy.rs), handles.

mod world;

use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nfs::Squash;
use world::*;

#[test]
fn data_comes_back_as_it_was_written() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let data: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
    assert_eq!(data.len(), 1 << 20);
    client.write(&file, 3, &data, UNSTABLE).unwrap();
    client.write(&file, 0, b"abc", FILE_SYNC).unwrap();
    client.write(&file, 1 << 40, b"far", UNSTABLE).unwrap();
    client.commit(&file);
    assert_eq!(client.read(&file, 3, 1 << 20), Ok((data, false)));
    assert_eq!(client.read(&file, 0, 5), Ok((b"abc\0\0".to_vec(), false)));
    assert_eq!(
        client.read(&file, 1 << 40, 100),
        Ok((b"far".to_vec(), true))
    );
    assert_eq!(
        client.read(&file, (1 << 40) - 2, 3),
        Ok((b"\0\0f".to_vec(), false))
    );
    assert_eq!(client.read(&file, 1 << 41, 100), Ok((Vec::new(), true)));
    assert_eq!(client.read(&file, u64::MAX, 100), Ok((Vec::new(), true)));
    assert_eq!(
        client.read(&file, 0, u32::MAX).map(|(data, _)| data.len()),
        Ok(1 << 20)
    );
    assert_eq!(
        client.write(&file, i64::MAX as u64, b"x", UNSTABLE),
        Err(FBIG)
    );
    assert_eq!(client.write(&file, u64::MAX, b"x", UNSTABLE), Err(FBIG));
    let attributes = client.attributes(&file).unwrap();
    assert_eq!(
        (attributes.size, attributes.file_system),
        ((1 << 40) + 3, 7)
    );
    assert!(attributes.used < 3 << 20, "holes are counted");
    assert_eq!(
        client.status(WRITE, write_arguments(&root, 0, b"x", UNSTABLE)),
        ISDIR
    );
    assert_eq!(client.read(&root, 0, 1), Err(ISDIR));
}

#[test]
fn attributes_are_set_and_a_guard_protects_them() {
    let world = World::new();
    world.set_squash(Squash::None);
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    client.write(&file, 0, b"content", UNSTABLE).unwrap();
    let all = handle(&file)
        .u32(1)
        .u32(0o4751)
        .u32(1)
        .u32(12)
        .u32(1)
        .u32(34)
        .u32(1)
        .u64(4);
    let all = all.u32(2).u32(1000).u32(5).u32(2).u32(2000).u32(6).u32(0);
    let mut reply = client.nfs(SETATTR, all);
    assert_eq!(reply.u32(), OK);
    let (before, after) = reply.change();
    let after = after.unwrap();
    assert_eq!(before, Some(7));
    assert_eq!(
        (
            after.mode,
            after.user,
            after.group,
            after.size,
            after.modified
        ),
        (0o4751, 12, 34, 4, (2000, 6))
    );
    let guarded = |time: (u32, u32)| {
        handle(&file)
            .mode(Some(0o600))
            .u32(1)
            .u32(time.0)
            .u32(time.1)
    };
    assert_eq!(client.status(SETATTR, guarded((1, 1))), NOT_SYNC);
    assert_eq!(client.status(SETATTR, guarded(after.changed)), OK);
    assert_eq!(client.attributes(&file).unwrap().mode, 0o600);
    assert_eq!(client.status(SETATTR, handle(&root).size(0).u32(0)), ISDIR);
    assert_eq!(
        client.status(SETATTR, handle(&file).size(u64::MAX).u32(0)),
        FBIG
    );
}

#[test]
fn an_exclusive_create_is_done_once_and_recognised_when_sent_again() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let exclusive = |verifier: u64| handle(&root).opaque("file").u32(2).u64(verifier);
    let mut made = client.nfs(CREATE, exclusive(0x8123_4567_89ab_cdef));
    assert_eq!((made.u32(), made.u32()), (OK, 1));
    let file = made.opaque();
    let mut again = client.nfs(CREATE, exclusive(0x8123_4567_89ab_cdef));
    assert_eq!(
        (again.u32(), again.u32(), again.opaque()),
        (OK, 1, file.clone())
    );
    assert_eq!(client.status(CREATE, exclusive(1)), EXIST);
    assert_eq!(
        client.status(CREATE, handle(&root).opaque("file").u32(1).mode(None)),
        EXIST
    );
    client.write(&file, 0, b"content", FILE_SYNC).unwrap();
    assert_eq!(
        client.status(CREATE, exclusive(0x8123_4567_89ab_cdef)),
        EXIST
    );
    // An unchecked one takes what is there, and cuts it if it is told to.
    let mut taken = client.nfs(CREATE, handle(&root).opaque("file").u32(0).size(3));
    assert_eq!(
        (taken.u32(), taken.u32(), taken.opaque()),
        (OK, 1, file.clone())
    );
    assert_eq!(taken.optional_attributes().unwrap().size, 3);
    let mut other = world.client().for_user(1001, 1001);
    assert_eq!(
        other.status(CREATE, handle(&root).opaque("file").u32(0).size(0)),
        ACCES
    );
}

#[test]
fn all_kinds_of_objects_are_made_but_devices() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let named = |name: &str| handle(&root).opaque(name);
    assert_eq!(
        client.status(MKDIR, named("directory").mode(Some(0o2750))),
        OK
    );
    assert_eq!(
        client.status(SYMLINK, named("link").mode(None).opaque("anywhere")),
        OK
    );
    assert_eq!(
        client.status(MKNOD, named("pipe").u32(7).mode(Some(0o640))),
        OK
    );
    assert_eq!(
        client.status(MKNOD, named("socket").u32(6).mode(Some(0o600))),
        OK
    );
    assert_eq!(
        client.status(MKNOD, named("device").u32(4).mode(None).u32(1).u32(3)),
        NOTSUPP
    );
    assert_eq!(
        client.status(MKNOD, named("disk").u32(3).mode(None).u32(1).u32(3)),
        NOTSUPP
    );
    assert_eq!(client.status(MKDIR, named("directory").mode(None)), EXIST);
    let metadata =
        |name: &str| std::fs::symlink_metadata(world.directory.path().join(name)).unwrap();
    assert_eq!(metadata("directory").mode() & 0o7777, 0o2750);
    assert!(metadata("pipe").file_type().is_fifo() && metadata("pipe").mode() & 0o777 == 0o640);
    assert!(metadata("socket").file_type().is_socket());
    // Opening a pipe would wait for ever.
    let pipe = client.lookup(&root, "pipe").unwrap();
    assert_eq!(client.read(&pipe, 0, 1), Err(INVAL));
    assert_eq!(
        client.status(SETATTR, handle(&pipe).mode(Some(0o666)).u32(0)),
        OK
    );
    assert_eq!(metadata("pipe").mode() & 0o777, 0o666);
}

#[test]
fn names_are_renamed_linked_and_removed() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    assert_eq!(
        client.status(MKDIR, handle(&root).opaque("directory").mode(Some(0o755))),
        OK
    );
    let directory = client.lookup(&root, "directory").unwrap();
    let file = client.create(&root, "a");
    let mut linked = client.nfs(LINK, handle(&file).opaque(&directory).opaque("b"));
    assert_eq!(linked.u32(), OK);
    assert_eq!(linked.optional_attributes().unwrap().links, 2);
    linked.change();
    assert!(linked.is_at_end());
    let replaced = client.create(&directory, "c");
    client.write(&replaced, 0, b"replaced", UNSTABLE).unwrap();
    let mut renamed = client.nfs(
        RENAME,
        handle(&root).opaque("a").opaque(&directory).opaque("c"),
    );
    assert_eq!(renamed.u32(), OK);
    assert!(renamed.change().1.is_some() && renamed.change().1.is_some() && renamed.is_at_end());
    assert_eq!(client.lookup(&directory, "c"), Ok(file.clone()));
    assert_eq!(client.lookup(&root, "a"), Err(NOENT));
    assert_eq!(client.attributes(&replaced), Err(STALE));
    assert_eq!(
        client.status(RENAME, handle(&root).opaque("no").opaque(&root).opaque("x")),
        NOENT
    );
    assert_eq!(
        client.status(LINK, handle(&file).opaque(&directory).opaque("c")),
        EXIST
    );
    assert_eq!(
        client.status(LINK, handle(&directory).opaque(&root).opaque("x")),
        PERM
    );
    assert_eq!(
        client.status(REMOVE, handle(&root).opaque("directory")),
        ISDIR
    );
    assert_eq!(client.status(RMDIR, handle(&directory).opaque("b")), NOTDIR);
    assert_eq!(
        client.status(RMDIR, handle(&root).opaque("directory")),
        NOTEMPTY
    );
    assert_eq!(client.status(REMOVE, handle(&directory).opaque("b")), OK);
    assert_eq!(client.attributes(&file).unwrap().links, 1);
    assert_eq!(client.status(REMOVE, handle(&directory).opaque("c")), OK);
    assert_eq!(client.status(RMDIR, handle(&root).opaque("directory")), OK);
    assert_eq!(client.attributes(&directory), Err(STALE));
}

/// The names of a directory, taken in small pieces, after each of which `between` is called.
fn listed(
    client: &mut Client,
    directory: &[u8],
    procedure: u32,
    mut between: impl FnMut(&mut Client, &str),
) -> Vec<String> {
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let arguments = handle(directory).u64(cookie).u64(0);
        let mut reply = match procedure {
            READDIR => client.nfs(READDIR, arguments.u32(1024)),
            _ => client.nfs(READDIRPLUS, arguments.u32(1024).u32(4096)),
        };
        assert!(reply.0.len() <= 24 + 4096);
        assert_eq!(reply.u32(), OK);
        reply.optional_attributes().unwrap();
        reply.u64();
        let mut last = None;
        while reply.u32() == 1 {
            let inode = reply.u64();
            let name = String::from_utf8(reply.opaque()).unwrap();
            cookie = reply.u64();
            if procedure == READDIRPLUS {
                let attributes = reply.optional_attributes();
                let with_handle = reply.u32() == 1;
                assert_eq!(
                    (attributes.is_some(), with_handle),
                    (!name.starts_with('.'), !name.starts_with('.'))
                );
                assert!(attributes.is_none_or(|attributes| attributes.inode == inode));
                if with_handle {
                    assert_eq!(Ok(reply.opaque()), client.lookup(directory, &name));
                }
            }
            last = Some(name.clone());
            names.push(name);
        }
        if reply.u32() == 1 {
            return names;
        }
        between(client, &last.expect("a piece without names"));
    }
}

#[test]
fn a_listing_has_every_name_once_also_while_names_come_and_go() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let expected: BTreeSet<String> = (0..1000).map(|number| format!("file-{number}")).collect();
    for name in &expected {
        std::fs::write(world.directory.path().join(name), "").unwrap();
    }
    for procedure in [READDIR, READDIRPLUS] {
        let names = listed(&mut client, &root, procedure, |_, _| {});
        let distinct: BTreeSet<String> = names
            .iter()
            .filter(|name| !name.starts_with('.'))
            .cloned()
            .collect();
        assert_eq!((distinct == expected, names.len()), (true, 1002));
    }
    // What was listed already goes, others come: what stays is listed all the same.
    let mut number = 0;
    let names = listed(&mut client, &root, READDIR, |client, last| {
        client.status(REMOVE, handle(&root).opaque(last));
        client.create(&root, &format!("new-{number}"));
        number += 1;
    });
    let distinct: BTreeSet<String> = names
        .iter()
        .filter(|name| name.starts_with("file"))
        .cloned()
        .collect();
    assert_eq!(distinct, expected);
    assert!(number > 10, "it was listed in {number} pieces");
    let tight = handle(&root).u64(0).u64(0).u32(100);
    assert_eq!(client.status(READDIR, tight), TOOSMALL);
}

#[test]
fn a_call_sent_again_is_answered_again_and_not_done_again() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    client.create(&root, "file");
    let remove = client.call_bytes(100_003, 3, REMOVE, &handle(&root).opaque("file"));
    let number = client.xid;
    client.send(&remove);
    let first = client.receive().unwrap();
    assert_eq!(&first[24..28], [0; 4]);
    // From another port, as after a broken connection.
    let mut again = world.client();
    again.send(&remove);
    assert_eq!(again.receive().unwrap(), first);
    // A late WRITE does not undo a later one.
    let file = client.create(&root, "file");
    let early = client.call_bytes(
        100_003,
        3,
        WRITE,
        &write_arguments(&file, 0, b"early", UNSTABLE),
    );
    client.send(&early);
    let answered = client.receive().unwrap();
    client.write(&file, 0, b"later", UNSTABLE).unwrap();
    again.send(&early);
    assert_eq!(again.receive().unwrap(), answered);
    assert_eq!(client.read(&file, 0, 10), Ok((b"later".to_vec(), true)));
    // The same number with other words is another call.
    again.xid = number - 1;
    assert_eq!(again.status(REMOVE, handle(&root).opaque("missing")), NOENT);
}

#[test]
fn the_file_system_is_described_as_it_is() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let mut information = client.nfs(FSINFO, handle(&root));
    assert_eq!(information.u32(), OK);
    information.optional_attributes();
    let numbers = [(); 7].map(|()| information.u32());
    assert_eq!(
        [numbers[0], numbers[1], numbers[3], numbers[4]],
        [1 << 20; 4]
    );
    assert_eq!(information.u64(), i64::MAX as u64);
    let [_, _, properties] = [(); 3].map(|()| information.u32());
    assert_eq!((properties, information.is_at_end()), (0x1b, true));
    let mut status = client.nfs(FSSTAT, handle(&root));
    assert_eq!(status.u32(), OK);
    status.optional_attributes();
    let [total, free, available] = [(); 3].map(|()| status.u64());
    assert!(
        total > free && free >= available && available > 0,
        "{total} {free} {available}"
    );
    let mut configuration = client.nfs(PATHCONF, handle(&root));
    assert_eq!(configuration.u32(), OK);
    configuration.optional_attributes();
    assert_eq!(
        [(); 6].map(|()| configuration.u32()),
        [65_000, 255, 1, 1, 0, 1]
    );
    // And who has mounted it.
    let mut mounts = client.call(100_005, 3, 2, &Arguments::default());
    assert_eq!(
        (mounts.u32(), mounts.opaque(), mounts.opaque()),
        (1, b"127.0.0.1".to_vec(), NAME.into())
    );
    client.call(100_005, 3, 3, &Arguments::default().opaque(NAME));
    assert_eq!(client.call(100_005, 3, 2, &Arguments::default()).u32(), 0);
}

#[test]
fn the_observer_is_told_what_changes_and_where() {
    let (told, options) = observed();
    let world = World::with(|_| {}, options);
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let inode = client.attributes(&file).unwrap().inode;
    client.write(&file, 4096, &[1; 8192], UNSTABLE).unwrap();
    client.write(&file, 0, &[], UNSTABLE).unwrap();
    client.status(SETATTR, handle(&file).size(5000).u32(0));
    client.status(SETATTR, handle(&file).size(6000).u32(0));
    client.status(CREATE, handle(&root).opaque("file").u32(0).size(0));
    let changes = told.1.load(std::sync::atomic::Ordering::SeqCst);
    client.read(&file, 0, 10).unwrap();
    client.commit(&file);
    assert_eq!(told.1.load(std::sync::atomic::Ordering::SeqCst), changes);
    let written = [(4096, 8192), (5000, 7288), (5000, 1000), (0, 6000)];
    assert_eq!(
        *told.0.lock().unwrap(),
        written.map(|(offset, bytes)| (7, inode, offset, bytes))
    );
    assert_eq!(changes, 4);
}
