//! What the tests on the wire share: a server over a temporary directory, and a client that can say anything.
//! What lives here: building calls and reading replies by hand, apart from the crate's own code. What does not: tests.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs::{Cidr, Export, ExportPolicy, Exports, HandleKey, Server, ServerOptions, Squash};
use tempfile::TempDir;

pub const GETATTR: u32 = 1;
pub const SETATTR: u32 = 2;
pub const LOOKUP: u32 = 3;
pub const ACCESS: u32 = 4;
pub const READLINK: u32 = 5;
pub const READ: u32 = 6;
pub const WRITE: u32 = 7;
pub const CREATE: u32 = 8;
pub const MKDIR: u32 = 9;
pub const SYMLINK: u32 = 10;
pub const MKNOD: u32 = 11;
pub const REMOVE: u32 = 12;
pub const RMDIR: u32 = 13;
pub const RENAME: u32 = 14;
pub const LINK: u32 = 15;
pub const READDIR: u32 = 16;
pub const READDIRPLUS: u32 = 17;
pub const FSSTAT: u32 = 18;
pub const FSINFO: u32 = 19;
pub const PATHCONF: u32 = 20;
pub const COMMIT: u32 = 21;

pub const OK: u32 = 0;
pub const PERM: u32 = 1;
pub const NOENT: u32 = 2;
pub const ACCES: u32 = 13;
pub const EXIST: u32 = 17;
pub const XDEV: u32 = 18;
pub const NOTDIR: u32 = 20;
pub const ISDIR: u32 = 21;
pub const INVAL: u32 = 22;
pub const FBIG: u32 = 27;
pub const ROFS: u32 = 30;
pub const NAMETOOLONG: u32 = 63;
pub const NOTEMPTY: u32 = 66;
pub const DQUOT: u32 = 69;
pub const STALE: u32 = 70;
pub const BADHANDLE: u32 = 10_001;
pub const NOT_SYNC: u32 = 10_002;
pub const NOTSUPP: u32 = 10_004;
pub const TOOSMALL: u32 = 10_005;

pub const UNSTABLE: u32 = 0;
pub const FILE_SYNC: u32 = 2;

/// How long a condition may take that is waited for.
pub const LIMIT: Duration = Duration::from_secs(30);
pub const NAME: &str = "/backup";

/// Waits for a condition.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A directory that is served under [`NAME`]; root of a client is nobody in it.
pub struct World {
    pub directory: TempDir,
    pub exports: Exports,
    pub server: Option<Server>,
}

pub fn policy() -> ExportPolicy {
    ExportPolicy {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        ..ExportPolicy::default()
    }
}

pub fn options() -> ServerOptions {
    ServerOptions::new(HandleKey::from_bytes([42; 32]))
}

impl World {
    pub fn new() -> World {
        World::with(|_| {}, options())
    }

    pub fn with(change: impl FnOnce(&mut Export), options: ServerOptions) -> World {
        let directory = tempfile::tempdir().unwrap();
        open_to_all(directory.path());
        let exports = Exports::new();
        let mut export = export(NAME, 7, directory.path());
        change(&mut export);
        exports.add(export).unwrap();
        let mut world = World {
            directory,
            exports,
            server: None,
        };
        world.start(options);
        world
    }

    pub fn start(&mut self, options: ServerOptions) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.server = Some(Server::start(listener, self.exports.clone(), options).unwrap());
    }

    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().local_address()
    }

    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// A client that is root, and the root directory; with a squash, root is nobody.
    pub fn mounted(&self) -> (Client, Vec<u8>) {
        let mut client = self.client();
        let root = client.mount(NAME).unwrap();
        (client, root)
    }

    pub fn set_policy(&self, change: impl FnOnce(&mut ExportPolicy)) {
        let mut policy = policy();
        change(&mut policy);
        self.exports.set_policy(NAME, policy).unwrap();
    }

    pub fn set_squash(&self, squash: Squash) {
        self.set_policy(|policy| policy.squash = squash);
    }
}

pub fn export(name: &str, id: u64, directory: &std::path::Path) -> Export {
    Export {
        name: name.into(),
        directory: directory.into(),
        id,
        policy: policy(),
        quota_bytes: None,
    }
}

pub fn open_to_all(directory: &std::path::Path) {
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o777)).unwrap();
}

/// Arguments of a call.
#[derive(Clone, Default)]
pub struct Arguments(pub Vec<u8>);

impl Arguments {
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn opaque(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self = self.u32(bytes.len() as u32);
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Attributes to be set: none but the mode, if it is given.
    pub fn mode(self, mode: Option<u32>) -> Self {
        let with_mode = match mode {
            Some(mode) => self.u32(1).u32(mode),
            None => self.u32(0),
        };
        with_mode.u32(0).u32(0).u32(0).u32(0).u32(0)
    }

    /// Attributes to be set: only the size.
    pub fn size(self, size: u64) -> Self {
        self.u32(0).u32(0).u32(0).u32(1).u64(size).u32(0).u32(0)
    }
}

pub fn handle(handle: &[u8]) -> Arguments {
    Arguments::default().opaque(handle)
}

/// What a call was answered.
#[derive(Debug)]
pub struct Reply(pub Vec<u8>, pub usize);

impl Reply {
    pub fn u32(&mut self) -> u32 {
        self.1 += 4;
        u32::from_be_bytes(self.0[self.1 - 4..self.1].try_into().unwrap())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    pub fn opaque(&mut self) -> Vec<u8> {
        let length = self.u32() as usize;
        let bytes = self.0[self.1..self.1 + length].to_vec();
        self.1 += length.next_multiple_of(4);
        bytes
    }

    pub fn attributes(&mut self) -> Attributes {
        let [_kind, mode, links, user, group] = [(); 5].map(|()| self.u32());
        let [size, used, _device, file_system, inode] = [(); 5].map(|()| self.u64());
        let [_accessed, modified, changed] = [(); 3].map(|()| (self.u32(), self.u32()));
        Attributes {
            mode,
            links,
            user,
            group,
            size,
            used,
            file_system,
            inode,
            modified,
            changed,
        }
    }

    pub fn optional_attributes(&mut self) -> Option<Attributes> {
        (self.u32() == 1).then(|| self.attributes())
    }

    /// Attributes before and after: size before, attributes after.
    pub fn change(&mut self) -> (Option<u64>, Option<Attributes>) {
        let before = (self.u32() == 1).then(|| {
            let size = self.u64();
            let _times = [(); 4].map(|()| self.u32());
            size
        });
        (before, self.optional_attributes())
    }

    pub fn is_at_end(&self) -> bool {
        self.1 == self.0.len()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attributes {
    pub mode: u32,
    pub links: u32,
    pub user: u32,
    pub group: u32,
    pub size: u64,
    pub used: u64,
    pub file_system: u64,
    pub inode: u64,
    pub modified: (u32, u32),
    pub changed: (u32, u32),
}

/// A client on one connection.
pub struct Client {
    pub stream: TcpStream,
    pub xid: u32,
    pub user: u32,
    pub group: u32,
    pub flavor: u32,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Client {
            stream,
            xid: 1000,
            user: 0,
            group: 0,
            flavor: 1,
        }
    }

    pub fn for_user(mut self, user: u32, group: u32) -> Client {
        (self.user, self.group) = (user, group);
        self
    }

    /// A call without its record mark.
    pub fn call_bytes(
        &mut self,
        program: u32,
        version: u32,
        procedure: u32,
        arguments: &Arguments,
    ) -> Vec<u8> {
        self.xid += 1;
        let credential = Arguments::default()
            .u32(0)
            .opaque("host")
            .u32(self.user)
            .u32(self.group)
            .u32(0);
        let head = [self.xid, 0, 2, program, version, procedure, self.flavor];
        let head = head
            .iter()
            .fold(Arguments::default(), |head, number| head.u32(*number));
        let mut call = head.opaque(credential.0).u32(0).u32(0);
        call.0.extend(&arguments.0);
        call.0
    }

    pub fn send(&mut self, record: &[u8]) {
        let mark = (record.len() as u32 | 1 << 31).to_be_bytes();
        self.stream.write_all(&[&mark, record].concat()).unwrap();
    }

    /// The next reply as it is.
    pub fn receive(&mut self) -> std::io::Result<Vec<u8>> {
        let mut mark = [0; 4];
        self.stream.read_exact(&mut mark)?;
        let mut record = vec![0; (u32::from_be_bytes(mark) & !(1 << 31)) as usize];
        self.stream.read_exact(&mut record)?;
        Ok(record)
    }

    /// The next reply, which accepts the call.
    pub fn receive_accepted(&mut self) -> Reply {
        let mut reply = Reply(self.receive().unwrap(), 0);
        assert_eq!(reply.u32(), self.xid);
        assert_eq!(
            [(); 5].map(|()| reply.u32()),
            [1, 0, 0, 0, 0],
            "the call was not accepted"
        );
        reply
    }

    pub fn call(
        &mut self,
        program: u32,
        version: u32,
        procedure: u32,
        arguments: &Arguments,
    ) -> Reply {
        let call = self.call_bytes(program, version, procedure, arguments);
        self.send(&call);
        self.receive_accepted()
    }

    pub fn nfs(&mut self, procedure: u32, arguments: Arguments) -> Reply {
        self.call(100_003, 3, procedure, &arguments)
    }

    /// Only the status of the answer.
    pub fn status(&mut self, procedure: u32, arguments: Arguments) -> u32 {
        self.nfs(procedure, arguments).u32()
    }

    pub fn mount(&mut self, name: &str) -> Result<Vec<u8>, u32> {
        let mut reply = self.call(100_005, 3, 1, &Arguments::default().opaque(name));
        match reply.u32() {
            0 => Ok(reply.opaque()),
            status => Err(status),
        }
    }

    pub fn lookup(&mut self, directory: &[u8], name: impl AsRef<[u8]>) -> Result<Vec<u8>, u32> {
        let mut reply = self.nfs(LOOKUP, handle(directory).opaque(name));
        match reply.u32() {
            0 => Ok(reply.opaque()),
            status => Err(status),
        }
    }

    pub fn create(&mut self, directory: &[u8], name: &str) -> Vec<u8> {
        let mut reply = self.nfs(
            CREATE,
            handle(directory).opaque(name).u32(0).mode(Some(0o644)),
        );
        assert_eq!((reply.u32(), reply.u32()), (OK, 1), "CREATE {name}");
        reply.opaque()
    }

    /// Status of the answer, and the write verifier.
    pub fn write(
        &mut self,
        file: &[u8],
        offset: u64,
        data: &[u8],
        stable: u32,
    ) -> Result<u64, u32> {
        let mut reply = self.nfs(WRITE, write_arguments(file, offset, data, stable));
        match reply.u32() {
            0 => {
                reply.change();
                assert_eq!((reply.u32() as usize, reply.u32()), (data.len(), stable));
                Ok(reply.u64())
            }
            status => Err(status),
        }
    }

    pub fn commit(&mut self, file: &[u8]) -> u64 {
        let mut reply = self.nfs(COMMIT, handle(file).u64(0).u32(0));
        assert_eq!(reply.u32(), OK);
        reply.change();
        reply.u64()
    }

    /// Data, and whether the end of the file was reached.
    pub fn read(&mut self, file: &[u8], offset: u64, count: u32) -> Result<(Vec<u8>, bool), u32> {
        let mut reply = self.nfs(READ, handle(file).u64(offset).u32(count));
        match reply.u32() {
            0 => {
                reply.optional_attributes().unwrap();
                let (length, end) = (reply.u32() as usize, reply.u32() == 1);
                let data = reply.opaque();
                assert_eq!(data.len(), length);
                Ok((data, end))
            }
            status => Err(status),
        }
    }

    pub fn attributes(&mut self, file: &[u8]) -> Result<Attributes, u32> {
        let mut reply = self.nfs(GETATTR, handle(file));
        match reply.u32() {
            0 => Ok(reply.attributes()),
            status => Err(status),
        }
    }
}

pub fn write_arguments(file: &[u8], offset: u64, data: &[u8], stable: u32) -> Arguments {
    handle(file)
        .u64(offset)
        .u32(data.len() as u32)
        .u32(stable)
        .opaque(data)
}

pub fn everybody() -> Vec<Cidr> {
    vec![Cidr::ALL]
}

/// An observer that remembers what it was told.
#[derive(Default)]
pub struct Told(
    pub std::sync::Mutex<Vec<(u64, u64, u64, u64)>>,
    pub std::sync::atomic::AtomicU64,
);

impl nfs::ChangeObserver for Told {
    fn written(&self, export: u64, file: nfs::FileKey, offset: u64, bytes: u64) {
        self.0
            .lock()
            .unwrap()
            .push((export, file.inode, offset, bytes));
    }

    fn changed(&self, _: u64) {
        self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

pub fn observed() -> (Arc<Told>, ServerOptions) {
    let told = Arc::new(Told::default());
    let options = ServerOptions {
        observer: Some(told.clone()),
        ..options()
    };
    (told, options)
}
