//! Who may do what: allow-list, read-only, squash, permissions.
//! What lives here: policies as a client meets them. What does not: handles and names (handles.rs).

mod world;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use nfs::Squash;
use world::*;

#[test]
fn the_allow_list_is_asked_at_every_call_and_not_only_when_mounting() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    world.set_policy(|policy| policy.allowed = vec!["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(client.mount(NAME), Err(ACCES));
    assert_eq!(client.attributes(&root), Err(ACCES));
    assert_eq!(client.read(&file, 0, 1), Err(ACCES));
    assert_eq!(client.write(&file, 0, b"x", UNSTABLE), Err(ACCES));
    let mut listed = client.call(100_005, 3, 5, &Arguments::default());
    assert_eq!(
        listed.u32(),
        0,
        "an export that is none of its business is shown"
    );
    world.set_policy(|policy| policy.allowed = everybody());
    assert_eq!(client.write(&file, 0, b"x", UNSTABLE).map(drop), Ok(()));
    world.set_policy(|policy| policy.allowed = Vec::new());
    assert_eq!(client.attributes(&root), Err(ACCES));
}

#[test]
fn a_read_only_export_refuses_every_change() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    world.set_policy(|policy| policy.read_only = true);
    let named = || handle(&root).opaque("new");
    let changes = [
        (SETATTR, handle(&file).mode(Some(0o600)).u32(0)),
        (WRITE, write_arguments(&file, 0, b"x", FILE_SYNC)),
        (CREATE, named().u32(0).mode(None)),
        (MKDIR, named().mode(None)),
        (SYMLINK, named().mode(None).opaque("target")),
        (MKNOD, named().u32(7).mode(None)),
        (REMOVE, handle(&root).opaque("file")),
        (RMDIR, handle(&root).opaque("file")),
        (
            RENAME,
            handle(&root).opaque("file").opaque(&root).opaque("new"),
        ),
        (LINK, handle(&file).opaque(&root).opaque("new")),
    ];
    for (procedure, arguments) in changes {
        assert_eq!(
            client.status(procedure, arguments),
            ROFS,
            "procedure {procedure}"
        );
    }
    let mut access = client.nfs(ACCESS, handle(&file).u32(0x3f));
    assert_eq!(access.u32(), OK);
    access.optional_attributes();
    assert_eq!(access.u32(), 0x01, "more than reading");
    assert_eq!(client.read(&file, 0, 10), Ok((Vec::new(), true)));
    assert_eq!(
        std::fs::read_dir(world.directory.path()).unwrap().count(),
        1
    );
}

#[test]
fn a_squash_decides_who_owns_what_is_made() {
    let world = World::new();
    let owner = |name: &str| {
        let metadata = std::fs::metadata(world.directory.path().join(name)).unwrap();
        (metadata.uid(), metadata.gid())
    };
    let (mut root_user, root) = world.mounted();
    let mut oracle = world.client().for_user(54321, 54322);
    root_user.create(&root, "by-root");
    oracle.create(&root, "by-oracle");
    assert_eq!(owner("by-root"), (65534, 65534));
    assert_eq!(owner("by-oracle"), (54321, 54322));
    world.set_policy(|policy| {
        policy.squash = Squash::All;
        (policy.anonymous_uid, policy.anonymous_gid) = (700, 701);
    });
    oracle.create(&root, "by-anybody");
    assert_eq!(owner("by-anybody"), (700, 701));
    world.set_squash(Squash::None);
    root_user.create(&root, "by-real-root");
    assert_eq!(owner("by-real-root"), (0, 0));
    // The number of nobody must not become root.
    let mut nobody = world.client().for_user(u32::MAX, u32::MAX);
    nobody.create(&root, "by-nobody");
    assert_eq!(owner("by-nobody"), (65534, 65534));
}

#[test]
fn files_of_others_are_protected_and_the_owner_may_write_what_is_read_only() {
    let world = World::new();
    let (_, root) = world.mounted();
    let mut owner = world.client().for_user(1001, 1001);
    let mut other = world.client().for_user(1002, 1002);
    let file = owner.create(&root, "file");
    assert_eq!(
        owner.status(SETATTR, handle(&file).mode(Some(0o400)).u32(0)),
        OK
    );
    assert_eq!(owner.write(&file, 0, b"mine", FILE_SYNC).map(drop), Ok(()));
    assert_eq!(other.write(&file, 0, b"x", FILE_SYNC), Err(ACCES));
    assert_eq!(other.read(&file, 0, 10), Err(ACCES));
    assert_eq!(
        other.status(SETATTR, handle(&file).mode(Some(0o666)).u32(0)),
        PERM
    );
    assert_eq!(other.status(SETATTR, handle(&file).size(0).u32(0)), ACCES);
    // In a directory with the sticky bit only the owner of a file takes its name away.
    std::fs::set_permissions(world.directory.path(), PermissionsExt::from_mode(0o1777)).unwrap();
    assert_eq!(other.status(REMOVE, handle(&root).opaque("file")), PERM);
    assert_eq!(owner.status(REMOVE, handle(&root).opaque("file")), OK);
    // In one that is closed to others, nothing is found or made.
    std::fs::set_permissions(world.directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(other.lookup(&root, "file"), Err(ACCES));
    assert_eq!(
        other.status(CREATE, handle(&root).opaque("new").u32(0).mode(None)),
        ACCES
    );
    assert_eq!(
        other.status(READDIR, handle(&root).u64(0).u64(0).u32(4096)),
        ACCES
    );
}

#[test]
fn a_thread_that_served_root_serves_the_next_user_without_its_power() {
    let world = World::new();
    world.set_squash(Squash::None);
    std::fs::set_permissions(world.directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let (mut client, root) = world.mounted();
    for _ in 0..20 {
        (client.user, client.group) = (0, 0);
        client.create(&root, "file");
        (client.user, client.group) = (1001, 1001);
        assert_eq!(client.status(REMOVE, handle(&root).opaque("file")), ACCES);
        assert_eq!(client.lookup(&root, "file"), Err(ACCES));
    }
}

#[test]
fn kerberos_is_told_to_be_too_weak_and_other_versions_are_named() {
    let world = World::new();
    let mut client = world.client();
    client.flavor = 6;
    let call = client.call_bytes(100_003, 3, 0, &Arguments::default());
    client.send(&call);
    let mut reply = Reply(client.receive().unwrap(), 4);
    // A denied reply for its credential: too weak.
    assert_eq!([(); 4].map(|()| reply.u32()), [1, 1, 1, 5]);
    client.flavor = 1;
    for (program, version, said) in [
        (100_003, 4, [2, 3, 3]),
        (100_003, 2, [2, 3, 3]),
        (100_005, 4, [2, 3, 3]),
    ] {
        let call = client.call_bytes(program, version, 1, &Arguments::default());
        client.send(&call);
        let mut reply = Reply(client.receive().unwrap(), 20);
        assert_eq!([(); 3].map(|()| reply.u32()), said, "{program} {version}");
    }
    for (program, procedure, said) in [
        (100_021, 0, 1),
        (100_003, 22, 3),
        (100_005, 6, 3),
        (100_003, 1, 4),
    ] {
        let call = client.call_bytes(program, 3, procedure, &Arguments::default());
        client.send(&call);
        let mut reply = Reply(client.receive().unwrap(), 20);
        assert_eq!(
            (reply.u32(), reply.is_at_end()),
            (said, true),
            "{program} {procedure}"
        );
    }
}

#[test]
fn the_portmapper_names_the_port_also_on_a_listener_of_its_own() {
    let portmapper = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = portmapper.local_addr().unwrap();
    let world = World::with(
        |_| {},
        nfs::ServerOptions {
            portmapper: Some(portmapper),
            ..options()
        },
    );
    for mut client in [world.client(), Client::new(address)] {
        for (program, protocol, port) in [
            (100_003, 6, world.address().port()),
            (100_005, 6, world.address().port()),
            (100_003, 17, 0),
            (100_021, 6, 0),
        ] {
            let wanted = Arguments::default()
                .u32(program)
                .u32(3)
                .u32(protocol)
                .u32(0);
            assert_eq!(client.call(100_000, 2, 3, &wanted).u32(), u32::from(port));
        }
    }
}
