//! HTTP for both APIs: listening, connections, the end.
//! What lives here: what they share. What does not: paths and answers (phoenix, admin).

pub(crate) mod admin;
pub(crate) mod phoenix;
pub(crate) mod tls;
mod upload;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Connections of one listener at a time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take for the head of a request, and for TLS.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of the longest head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// When accepting fails, mostly for want of descriptors, it is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long calls that are under way may take at a stop. What is cut off then, the next start finishes or undoes.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Serves until `stop` turns true, then lets the calls under way end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit,
            () = stopped(&mut stop) => break,
        };
        let Ok(permit) = permit else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = stopped(&mut stop) => break,
        };
        let (router, tls, watcher) = (router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(stream, peer, router, tls, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_LIMIT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "calls did not end within {} s and are cut off",
            STOP_LIMIT.as_secs()
        );
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the end as well.
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    tls: Option<TlsAcceptor>,
    watcher: Watcher,
) {
    // Small answers go out at once; where the kernel cannot, they go out later.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.layer(Extension(ConnectInfo(peer))));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES_MAX);
    let ended = match tls {
        None => {
            watcher
                .watch(builder.serve_connection(TokioIo::new(stream), service))
                .await
        }
        Some(acceptor) => match tokio::time::timeout(HEAD_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                watcher
                    .watch(builder.serve_connection(TokioIo::new(stream), service))
                    .await
            }
            Ok(Err(error)) => {
                tracing::debug!(%peer, "TLS: {error}");
                return;
            }
            Err(_) => return,
        },
    };
    if let Err(error) = ended {
        // Clients go away in the middle; nothing depends on it.
        tracing::debug!(%peer, "{error}");
    }
}

/// The client's address.
pub(crate) fn client(info: &ConnectInfo<SocketAddr>) -> IpAddr {
    info.0.ip()
}
