//! The server process of one instance: `backstay practice server`.
//! What lives here: its life from lock to exit. What does not: what statements do (`execute`), the engine.
//!
//! The process is the instance: while it lives the instance is started, and when it ends, however it ends, the
//! instance is idle. `dbs/lk<SID>` is locked by it and holds its process id, which is how anybody can tell.

mod connection;
mod execute;
pub(crate) mod launch;
mod lock;
mod recovery;
mod registry;
mod report;
mod shutdown;
mod socket;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::engine::error::{OraError, OraResult};
use crate::engine::{Home, Instance};
use registry::Registry;

/// The line by which the process that started the server learns that it answers now.
pub const READY: &str = "READY";

/// What all connections share.
struct Shared {
    home: Home,
    instance: Arc<Instance>,
    registry: Registry,
    /// Tells the main thread to end the process.
    exit: SyncSender<()>,
}

/// Runs the instance until it is shut down; the exit status is 0 then, and 1 when it could not start.
///
/// Standard output gets one line, [`READY`], once clients can connect, or else the error. Nothing is ever read from
/// standard input, and what goes wrong later goes to standard error.
///
/// Without its parameter file every parameter has its default: RMAN starts an instance so to restore that file.
pub fn main(home: &Path, sid: &str, without_parameters: bool) -> ExitCode {
    // Fails for the leader of a process group, which has a terminal of its own and wants to keep it.
    let _ = rustix::process::setsid();
    match start(&Home::new(home, sid), without_parameters) {
        Ok(running) => {
            announce(READY);
            running.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            announce(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Whoever started us may not wait for the line, which is no reason to fail.
fn announce(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// A started instance that answers on its socket.
struct Running {
    home: Home,
    exit: Receiver<()>,
    /// Held as long as the process lives.
    _lock: lock::Lock,
}

impl Running {
    fn wait(self) {
        // An error means that the listener is gone, and with it the reason to live.
        let _ = self.exit.recv();
        socket::remove(&self.home);
    }
}

fn start(home: &Home, without_parameters: bool) -> OraResult<Running> {
    let lock = lock::take(home)?;
    let instance = match without_parameters {
        true => Instance::start_without_parameters(&home.path, &home.sid)?,
        false => Instance::start(&home.path, &home.sid)?,
    };
    let listener = socket::bind(home).map_err(|error| {
        let path = home.path.join("dbs").join(home.socket_name());
        OraError::new(
            27504,
            format!(
                "IPC error creating OSD context: {}: {error}",
                path.display()
            ),
        )
    })?;
    let (exit, ended) = sync_channel(1);
    let shared = Arc::new(Shared {
        home: home.clone(),
        instance,
        registry: Registry::default(),
        exit,
    });
    std::thread::Builder::new()
        .name("listener".into())
        .spawn(move || socket::accept(&listener, |stream| connection::open(&shared, stream)))
        .map_err(|error| {
            OraError::new(443, format!("background process did not start: {error}"))
        })?;
    Ok(Running {
        home: home.clone(),
        exit: ended,
        _lock: lock,
    })
}
