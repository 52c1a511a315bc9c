//! The server: a listener, its connections, its end.
//! What lives here: accepting, bounding, stopping. What does not: what a connection does (connection.rs).

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Resource;

use crate::connection::Connection;
use crate::exports::Exports;
use crate::handle::{self, HandleKey};
use crate::mount::Mounts;
use crate::observer::ChangeObserver;
use crate::reply_cache::ReplyCache;

/// Connections of all clients, of one client that may use an export, and of one that may not.
const CONNECTIONS_MAX: usize = 512;
const CONNECTIONS_OF_CLIENT_MAX: usize = 128;
const CONNECTIONS_OF_STRANGER_MAX: usize = 8;
/// Descriptors that the process may have, if the system lets it: connections and open files need more than the usual 1024.
const DESCRIPTORS: u64 = 65_536;
/// When accepting fails, mostly for want of descriptors, it is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a server is to be run.
pub struct ServerOptions {
    /// Seals the file handles. With another key than before a restart, clients must mount again.
    pub handle_key: HandleKey,
    /// Is told of every change.
    pub observer: Option<Arc<dyn ChangeObserver>>,
    /// A second listener, usually on port 111, that tells clients the port of the first, as a portmapper does. The first
    /// answers such questions as well.
    pub portmapper: Option<TcpListener>,
    /// How long the rest of a record, or the taking of a reply, may take; then the connection is closed.
    pub patience: Duration,
}

impl ServerOptions {
    /// No observer, no listener for the portmapper, a patience of one minute.
    pub fn new(handle_key: HandleKey) -> ServerOptions {
        ServerOptions {
            handle_key,
            observer: None,
            portmapper: None,
            patience: Duration::from_secs(60),
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ServerOptions");
        shown.field("observer", &self.observer.is_some());
        shown.field("portmapper", &self.portmapper);
        shown
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// A running server.
///
/// Calls are served by threads of their own. File handles survive a restart with the same key; the write verifier does
/// not, so that clients send again what was not committed.
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<Arc<TcpListener>>,
    accepting: Vec<JoinHandle<()>>,
    address: SocketAddr,
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) exports: Exports,
    pub(crate) handle_key: HandleKey,
    pub(crate) observer: Option<Arc<dyn ChangeObserver>>,
    pub(crate) replies: ReplyCache,
    pub(crate) mounts: Mounts,
    pub(crate) port: u16,
    pub(crate) patience: Duration,
    pub(crate) stopping: AtomicBool,
    start: u64,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    all_ended: Condvar,
}

impl Shared {
    /// Changes with each start, and when data of clients could not be brought to the disk.
    pub(crate) fn write_verifier(&self) -> u64 {
        self.start
            .wrapping_add(self.exports.sync_failures().load(Ordering::SeqCst))
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connected(&self, number: u64, connection: &Arc<Connection>) {
        self.connections().insert(number, Arc::clone(connection));
    }

    pub(crate) fn disconnected(&self, number: u64) {
        let mut connections = self.connections();
        connections.remove(&number);
        if connections.is_empty() {
            self.all_ended.notify_all();
        }
    }

    /// Whether one more connection of this client is too many.
    fn is_full(&self, peer: IpAddr) -> bool {
        let may_use = |peer| {
            self.exports
                .all()
                .iter()
                .any(|export| export.policy().allows(peer))
        };
        let max = if may_use(peer) {
            CONNECTIONS_OF_CLIENT_MAX
        } else {
            CONNECTIONS_OF_STRANGER_MAX
        };
        let connections = self.connections();
        let of_peer = connections
            .values()
            .filter(|connection| connection.peer() == peer)
            .count();
        connections.len() >= CONNECTIONS_MAX || of_peer >= max
    }
}

impl Server {
    /// Serves the exports on this listener from now on: NFS, MOUNT and the portmapper's questions on one port.
    ///
    /// The process's limit of open files is raised as far as the system allows, at most to 65,536.
    pub fn start(
        listener: TcpListener,
        exports: Exports,
        options: ServerOptions,
    ) -> io::Result<Server> {
        raise_descriptor_limit();
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            exports,
            handle_key: options.handle_key,
            observer: options.observer,
            replies: ReplyCache::default(),
            mounts: Mounts::default(),
            port: address.port(),
            patience: options.patience,
            stopping: AtomicBool::new(false),
            start: u64::from_ne_bytes(handle::random()?),
            connections: Mutex::default(),
            all_ended: Condvar::new(),
        });
        let listeners: Vec<Arc<TcpListener>> = [Some(listener), options.portmapper]
            .into_iter()
            .flatten()
            .map(Arc::new)
            .collect();
        let numbers = Arc::new(AtomicU64::new(0));
        let mut server = Server {
            shared,
            listeners,
            accepting: Vec::new(),
            address,
        };
        for listener in server.listeners.clone() {
            let (shared, numbers) = (Arc::clone(&server.shared), Arc::clone(&numbers));
            let accepting = thread::Builder::new().name("nfs-accept".into());
            server
                .accepting
                .push(accepting.spawn(move || accept(&listener, &shared, &numbers))?);
        }
        Ok(server)
    }

    /// Where clients connect to; the port is the one the system chose if it was to choose.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what was received, closes all connections and ends all threads. Data that clients have not committed is
    /// not synced: they will send it again to the next server, whose write verifier is another. A client that does not
    /// take its replies is waited for as long as the patience says.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for listener in &self.listeners {
            // Wakes the thread that accepts. It cannot fail on a listening socket.
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Read);
        }
        for accepting in self.accepting.drain(..) {
            // If it panicked, it accepts no more either.
            let _ = accepting.join();
        }
        let mut connections = self.shared.connections();
        for connection in connections.values() {
            connection.stop_reading();
        }
        drop(connections);
        for export in self.shared.exports.all() {
            export.gate.look_up();
        }
        connections = self.shared.connections();
        while !connections.is_empty() {
            connections = self
                .shared
                .all_ended
                .wait(connections)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Server on {}", self.address)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, numbers: &AtomicU64) {
    while !shared.stopping.load(Ordering::SeqCst) {
        let Ok((stream, peer)) = listener.accept() else {
            if !shared.stopping.load(Ordering::SeqCst) {
                thread::sleep(ACCEPT_PAUSE);
            }
            continue;
        };
        let peer = peer.ip().to_canonical();
        if !shared.is_full(peer) {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            // If it cannot be started, the client sees it closed and connects again.
            let _ = Connection::start(number, stream, peer, shared);
        }
    }
}

fn raise_descriptor_limit() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // With fewer it works as well, with fewer clients.
        let _ = rustix::process::setrlimit(Resource::Nofile, limit);
    }
}
