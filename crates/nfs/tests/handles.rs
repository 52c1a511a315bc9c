//! Handles and names: what they lead to, and what they never lead to.
//! What lives here: forged, foreign and old handles, hostile names, symbolic links. What does not: who may (policy.rs).

mod world;

use std::os::unix::fs::symlink;

use nfs::{ExportError, Exports, HandleKey, ServerOptions, check_directory};
use world::*;

#[test]
fn a_forged_handle_is_refused() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    for place in 0..root.len() {
        let mut forged = root.clone();
        forged[place] ^= 1;
        assert_eq!(client.attributes(&forged), Err(BADHANDLE), "byte {place}");
    }
    for bytes in [
        vec![],
        vec![0; 16],
        vec![0xff; 64],
        root[..root.len() - 1].to_vec(),
    ] {
        assert_eq!(client.attributes(&bytes), Err(BADHANDLE));
    }
    // Longer than a handle may be.
    let call = client.call_bytes(100_003, 3, GETATTR, &handle(&[0; 65]));
    client.send(&call);
    assert_eq!(Reply(client.receive().unwrap(), 20).u32(), 4);
}

#[test]
fn a_handle_of_one_export_is_not_valid_through_another() {
    let world = World::new();
    let other = tempfile::tempdir().unwrap();
    open_to_all(other.path());
    world
        .exports
        .add(export("/other", 8, other.path()))
        .unwrap();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let other_root = client.mount("/other").unwrap();
    let rename = handle(&root)
        .opaque("file")
        .opaque(&other_root)
        .opaque("file");
    assert_eq!(client.status(RENAME, rename), XDEV);
    assert_eq!(
        client.status(LINK, handle(&file).opaque(&other_root).opaque("file")),
        XDEV
    );
    world.exports.remove("/other").unwrap();
    assert_eq!(client.attributes(&other_root), Err(STALE));
    // The same directory under another id is another export.
    world
        .exports
        .add(export("/other", 9, other.path()))
        .unwrap();
    assert_eq!(client.attributes(&other_root), Err(STALE));
    // Handles of both go through one table, and each sees its own policy.
    world.set_policy(|policy| policy.allowed.clear());
    assert_eq!(client.attributes(&file), Err(ACCES));
    assert!(client.mount("/other").is_ok());
}

#[test]
fn handles_survive_a_restart_and_the_write_verifier_does_not() {
    let mut world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let before = client.write(&file, 0, b"content", UNSTABLE).unwrap();
    assert_eq!(client.commit(&file), before);
    world.server.take().unwrap().stop();
    assert!(
        client.receive().is_err(),
        "the connection outlived its server"
    );
    let exports = Exports::new();
    exports
        .add(export(NAME, 7, world.directory.path()))
        .unwrap();
    world.exports = exports;
    world.start(options());
    let mut client = world.client();
    assert_eq!(client.read(&file, 0, 100), Ok((b"content".to_vec(), true)));
    assert_ne!(client.commit(&file), before);
    world.server.take().unwrap().stop();
    world.start(ServerOptions::new(HandleKey::random().unwrap()));
    assert_eq!(world.client().attributes(&file), Err(BADHANDLE));
}

#[test]
fn a_deleted_file_is_stale_also_when_its_number_is_given_to_another() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    client.write(&file, 0, b"content", UNSTABLE).unwrap();
    assert_eq!(client.status(REMOVE, handle(&root).opaque("file")), OK);
    for round in 0..50 {
        client.create(&root, &format!("other-{round}"));
    }
    assert_eq!(client.attributes(&file), Err(STALE));
    assert_eq!(client.write(&file, 0, b"x", UNSTABLE), Err(STALE));
    assert_eq!(client.read(&file, 0, 1), Err(STALE));
}

#[test]
fn names_that_are_no_names_are_refused() {
    let world = World::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    let way_out = format!(
        "../{}/secret",
        outside.path().file_name().unwrap().to_str().unwrap()
    );
    let long = "n".repeat(256);
    for (name, status) in [
        ("", INVAL),
        (&way_out, INVAL),
        ("/etc/passwd", INVAL),
        ("file/", INVAL),
        ("nul\0", INVAL),
        (&long, NAMETOOLONG),
    ] {
        assert_eq!(client.lookup(&root, name), Err(status), "LOOKUP {name:?}");
    }
    for name in ["", &way_out, "a/b", "nul\0", ".", ".."] {
        let named = || handle(&root).opaque(name);
        assert_eq!(
            client.status(CREATE, named().u32(0).mode(None)),
            INVAL,
            "CREATE {name:?}"
        );
        assert_eq!(
            client.status(MKDIR, named().mode(None)),
            INVAL,
            "MKDIR {name:?}"
        );
        assert_eq!(
            client.status(SYMLINK, named().mode(None).opaque("x")),
            INVAL,
            "SYMLINK {name:?}"
        );
        assert_eq!(
            client.status(MKNOD, named().u32(7).mode(None)),
            INVAL,
            "MKNOD {name:?}"
        );
        assert_eq!(client.status(REMOVE, named()), INVAL, "REMOVE {name:?}");
        assert_eq!(client.status(RMDIR, named()), INVAL, "RMDIR {name:?}");
        assert_eq!(
            client.status(RENAME, named().opaque(&root).opaque("new")),
            INVAL,
            "RENAME {name:?}"
        );
        let to = handle(&root).opaque("file").opaque(&root).opaque(name);
        assert_eq!(client.status(RENAME, to), INVAL, "RENAME to {name:?}");
        assert_eq!(
            client.status(LINK, handle(&file).opaque(&root).opaque(name)),
            INVAL,
            "LINK {name:?}"
        );
    }
    assert_eq!(
        client.status(CREATE, handle(&root).opaque(&long).u32(0).mode(None)),
        NAMETOOLONG
    );
    client.create(&root, &long[..255]);
}

#[test]
fn the_way_up_ends_at_the_root_of_the_export() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    assert_eq!(client.lookup(&root, ".."), Ok(root.clone()));
    assert_eq!(client.lookup(&root, "."), Ok(root.clone()));
    assert_eq!(
        client.status(MKDIR, handle(&root).opaque("a").mode(Some(0o755))),
        OK
    );
    let a = client.lookup(&root, "a").unwrap();
    assert_eq!(
        client.status(MKDIR, handle(&a).opaque("b").mode(Some(0o755))),
        OK
    );
    let b = client.lookup(&a, "b").unwrap();
    assert_eq!(client.lookup(&b, ".."), Ok(a.clone()));
    assert_eq!(client.lookup(&a, ".."), Ok(root));
    // Moved out of the export by somebody on the store.
    let outside = tempfile::tempdir().unwrap();
    std::fs::rename(world.directory.path().join("a"), outside.path().join("a")).unwrap();
    assert_eq!(client.lookup(&a, ".."), Err(STALE));
    assert_eq!(client.lookup(&b, ".."), Err(STALE));
}

#[test]
fn symbolic_links_are_never_followed() {
    let world = World::new();
    world.set_squash(nfs::Squash::None);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(
        outside.path().join("secret"),
        world.directory.path().join("file"),
    )
    .unwrap();
    symlink(outside.path(), world.directory.path().join("directory")).unwrap();
    let (mut client, root) = world.mounted();
    let file = client.lookup(&root, "file").unwrap();
    let directory = client.lookup(&root, "directory").unwrap();
    assert_eq!(client.read(&file, 0, 100), Err(INVAL));
    assert_eq!(client.write(&file, 0, b"x", FILE_SYNC), Err(INVAL));
    assert_eq!(client.status(SETATTR, handle(&file).size(0).u32(0)), INVAL);
    assert_eq!(
        client.status(SETATTR, handle(&file).mode(Some(0o777)).u32(0)),
        NOTSUPP
    );
    assert_eq!(client.lookup(&directory, "secret"), Err(NOTDIR));
    assert_eq!(
        client.status(READDIR, handle(&directory).u64(0).u64(0).u32(4096)),
        NOTDIR
    );
    assert_eq!(
        client.status(CREATE, handle(&directory).opaque("new").u32(0).mode(None)),
        NOTDIR
    );
    // Found under the name that is to be created, it is not written through.
    assert_eq!(
        client.status(CREATE, handle(&root).opaque("file").u32(0).size(0)),
        EXIST
    );
    assert_eq!(
        std::fs::read_to_string(outside.path().join("secret")).unwrap(),
        "secret"
    );
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    let mut target = client.nfs(READLINK, handle(&file));
    assert_eq!(target.u32(), OK);
    target.optional_attributes();
    assert_eq!(
        target.opaque(),
        outside.path().join("secret").to_str().unwrap().as_bytes()
    );
}

#[test]
fn an_export_needs_a_directory_a_free_name_and_a_free_id() {
    let world = World::new();
    let path = world.directory.path();
    check_directory(path).unwrap();
    let refused = |name: &str, id: u64, path: &std::path::Path| {
        world.exports.add(export(name, id, path)).unwrap_err()
    };
    assert!(matches!(refused(NAME, 8, path), ExportError::NameTaken(_)));
    assert!(matches!(
        refused("/new", 7, path),
        ExportError::IdTaken { .. }
    ));
    assert!(matches!(
        refused("/new", 8, &path.join("missing")),
        ExportError::Directory(..)
    ));
    for name in ["", "backup", "/", "/a/", "/a//b", "/a/../b", "/a\n"] {
        assert!(
            matches!(refused(name, 8, path), ExportError::Name(_)),
            "{name:?}"
        );
    }
    std::fs::write(path.join("file"), "").unwrap();
    assert!(matches!(
        check_directory(&path.join("file")),
        Err(ExportError::Directory(..))
    ));
    // A file system without lasting handles.
    assert!(matches!(
        check_directory("/proc/self".as_ref()),
        Err(ExportError::NoHandles(..))
    ));
    assert!(matches!(
        world.exports.remove("/new"),
        Err(ExportError::Unknown(_))
    ));
    assert_eq!(world.exports.names(), [NAME]);
}

#[test]
fn a_removed_export_can_be_unmounted_at_once() {
    let world = World::new();
    let (mut client, root) = world.mounted();
    let file = client.create(&root, "file");
    client.write(&file, 0, b"content", UNSTABLE).unwrap();
    let open = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
        targets
            .filter(|target| target.starts_with(world.directory.path()))
            .count()
    };
    assert!(open() > 0);
    world.exports.remove(NAME).unwrap();
    assert_eq!(open(), 0);
    assert_eq!(client.attributes(&file), Err(STALE));
    assert_eq!(client.mount(NAME), Err(NOENT));
}
