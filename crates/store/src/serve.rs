//! A store from start to end.
//! What lives here: opening everything in order, waiting, closing it. What does not: what it does meanwhile.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::catalogue::{Catalogue, CatalogueError};
use crate::config::{Config, ExportKind, LogForm};
use crate::directory::{Directory, DirectoryError, write_private};
use crate::engine::{Engine, Parts, RepositoryParts};
use crate::export::{Exporter, KernelExporter, OwnExporter};
use crate::http;
use crate::refusal::Refusal;

/// Threads that calls may wait on; each holds one call at a time.
const CALLS_MAX: usize = 512;

/// Why a store could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Its catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Something it needs was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What the configuration says.
    #[error("{0}")]
    Configuration(String),
    /// An address.
    #[error(
        "cannot listen on {address} for {what}: {source}. HINT: is another store or server there? Take another address or port"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// For what.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The system.
    #[error("cannot {doing}: {source}. HINT: check the directory and the system's limits")]
    System {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn cannot(doing: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { doing, source }
}

fn bind(address: SocketAddr, what: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .and_then(|listener| {
            listener
                .set_nonblocking(what != "NFS" && what != "the portmapper")
                .map(|()| listener)
        })
        .map_err(|source| ServeError::Listen {
            address,
            what,
            source,
        })
}

/// Where a running store answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The documented API.
    pub api: SocketAddr,
    /// NFS, if it is our server's.
    pub nfs: Option<String>,
    /// The administration API.
    pub admin: SocketAddr,
    /// The directory, absolute.
    pub directory: PathBuf,
}

/// Starts a store, calls `ready` when it answers, and returns when a SIGTERM or SIGINT has ended it.
pub fn serve(config: &Config, ready: impl FnOnce(&Addresses)) -> Result<(), ServeError> {
    start_log(config);
    let directory = Directory::take(&config.dir)?;
    let token = directory.token()?;
    let api = bind(config.listen, "the API")?;
    let admin = bind(config.admin_listen, "administration")?;
    let exporter: Box<dyn Exporter> = match config.export {
        ExportKind::Own => {
            let portmapper = config
                .portmapper_listen
                .map(|address| bind(address, "the portmapper"));
            let listener = bind(config.nfs_listen, "NFS")?;
            Box::new(OwnExporter::new(
                listener,
                portmapper.transpose()?,
                &directory.file("nfs.key"),
            )?)
        }
        ExportKind::Kernel => Box::new(KernelExporter::new(
            &config.exports_file,
            directory.mounts(),
        )),
    };
    let tls = http::tls::acceptor(
        &directory.file("admin.crt"),
        &directory.file("admin.key"),
        config.admin_listen.ip(),
    )
    .map_err(cannot("use the certificate of the administration API"))?;
    let addresses = Addresses {
        api: api.local_addr().map_err(cannot("ask for an address"))?,
        nfs: exporter.address(),
        admin: admin.local_addr().map_err(cannot("ask for an address"))?,
        directory: directory.path().to_owned(),
    };
    let address_file = directory.file("admin.address");
    let catalogue = Catalogue::open(&directory.file("catalogue.sqlite"))?;
    let repository = RepositoryParts {
        location: config.location().map_err(ServeError::Configuration)?,
        is_default: config.repository == Config::of_directory(&config.dir).repository,
        password_file: directory.path().join(&config.password_file),
        state: directory.file("repository.state"),
        chunk_bytes: config.chunk_kib << 10,
        is_on: config.ingest,
        keep_local_snapshots: config.keep_local_snapshots,
    };
    let worker = Engine::start(Parts {
        repository,
        directory,
        catalogue,
        exporter,
        max_pending_snapshots: config.max_pending_snapshots,
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(CALLS_MAX)
        .build()
        .map_err(cannot("start threads"))?;
    let ended = runtime.block_on(async {
        let (stop, stopping) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot("wait for signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot("wait for signals"))?;
        let api = tokio::net::TcpListener::from_std(api).map_err(cannot("listen"))?;
        let admin = tokio::net::TcpListener::from_std(admin).map_err(cannot("listen"))?;
        let engine = worker.engine();
        let api = tokio::spawn(http::serve(
            api,
            http::phoenix::router(engine.clone()),
            None,
            stopping.clone(),
        ));
        let admin = tokio::spawn(http::serve(
            admin,
            http::admin::router(engine, &token),
            Some(tls),
            stopping,
        ));
        write_private(&address_file, addresses.admin.to_string().as_bytes())
            .map_err(cannot("write admin.address"))?;
        ready(&addresses);
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: the store ends"),
            _ = interrupt.recv() => tracing::info!("SIGINT: the store ends"),
        }
        worker.announce_stop();
        // Both receivers live in the tasks.
        let _ = stop.send(true);
        for task in [api, admin] {
            if let Err(error) = task.await {
                tracing::error!("a listener panicked: {error}");
            }
        }
        Ok(())
    });
    // So that the command line says "is not running" and not "cannot be reached".
    let _ = std::fs::remove_file(&address_file);
    worker.stop();
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}

fn start_log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    // A test may have one already.
    let _ = match config.log_form {
        LogForm::Text => builder.with_ansi(false).try_init(),
        LogForm::Json => builder.json().try_init(),
    };
}
