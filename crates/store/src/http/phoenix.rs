//! The documented API: plain HTTP, no password, always an envelope.
//! What lives here: its paths, and how a refusal is written. What does not: what the calls do (engine).
//!
//! Scripts print the body whatever the status is, so every answer has one, errors of HTTP included. Codes of our own say
//! more behind their text; the documented ones are written as documented, and the log says more.

use std::net::SocketAddr;
use std::sync::Arc;

use api::code::Code;
use api::envelope;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde::Serialize;

use super::{client, upload};
use crate::engine::Engine;
use crate::refusal::Refusal;

/// What handlers are given.
pub(crate) type Shared = State<Arc<Engine>>;
type Named = Result<Path<String>, PathRejection>;
type Client = ConnectInfo<SocketAddr>;

/// The five calls.
pub(crate) fn router(engine: Arc<Engine>) -> Router {
    Router::new()
        .route(
            "/druva-phoenix/v1/mounts/{mount}/backup",
            get(preflight).post(start).put(finish),
        )
        .route(
            "/druva-phoenix/v1/mounts/{mount}/uploadlog",
            post(upload_log),
        )
        .route(
            "/druva-phoenix/v1/mounts/{mount}/restores/{jobid}",
            delete(delete_restore),
        )
        .fallback(|| async { answer::<()>(Err(Code::UnknownPath.into())) })
        .method_not_allowed_fallback(|| async { answer::<()>(Err(Code::MethodNotAllowed.into())) })
        .with_state(engine)
}

async fn preflight(State(engine): Shared, ConnectInfo(peer): Client, mount: Named) -> Response {
    call(mount, move |mount| engine.preflight(&mount, peer.ip())).await
}

async fn start(State(engine): Shared, ConnectInfo(peer): Client, mount: Named) -> Response {
    call(mount, move |mount| engine.start_backup(&mount, peer.ip())).await
}

async fn finish(State(engine): Shared, ConnectInfo(peer): Client, mount: Named) -> Response {
    call(mount, move |mount| engine.finish_backup(&mount, peer.ip())).await
}

async fn delete_restore(
    State(engine): Shared,
    ConnectInfo(peer): Client,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    match path {
        Ok(Path((mount, job))) => {
            blocking(move || engine.delete_restore(&mount, &job, peer.ip())).await
        }
        Err(_) => answer::<()>(Err(Code::BadRequest.into())),
    }
}

async fn upload_log(
    State(engine): Shared,
    info: Client,
    mount: Named,
    request: Request,
) -> Response {
    match mount {
        Ok(Path(mount)) => answer(upload::receive(engine, mount, client(&info), request).await),
        Err(_) => answer::<()>(Err(Code::BadRequest.into())),
    }
}

async fn call<T: Serialize + Send + 'static>(
    mount: Named,
    work: impl FnOnce(String) -> Result<T, Refusal> + Send + 'static,
) -> Response {
    match mount {
        Ok(Path(mount)) => blocking(move || work(mount)).await,
        Err(_) => answer::<()>(Err(Code::BadRequest.into())),
    }
}

/// Does what may wait on a thread of its own. It goes on to its end if the client goes away.
async fn blocking<T: Serialize + Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Response {
    answer(run(work).await)
}

/// As [`blocking`], for parts of a call.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!("a call panicked: {error}");
            Err(Code::Internal.into())
        }
    }
}

/// What is said behind the text of a code of ours. What failed inside the store is for its log, not for any client.
fn detail(refusal: &Refusal) -> String {
    let is_plain = refusal.code.message().trim_end_matches('.') == refusal.message;
    if is_plain || refusal.code == Code::Internal {
        return String::new();
    }
    refusal.to_string()
}

fn answer<T: Serialize>(result: Result<T, Refusal>) -> Response {
    let (status, text) = match result {
        Ok(result) => (200, envelope::success(result)),
        Err(refusal) => {
            tracing::info!(code = refusal.code.number(), "{refusal}");
            (
                refusal.code.status(),
                envelope::failure(refusal.code, &detail(&refusal)),
            )
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
