//! The administration API: one table of calls, from which both the routes and the OpenAPI document are made.
//! What lives here: the table, the token, how a call is read and answered. What does not: what the calls do (engine).

mod openapi;

use std::sync::Arc;

use api::admin::{
    CheckRequest, Hold, Ingest, MountRequest, Problem, RestoreRequest, RetentionRules, StoreChange,
};
use api::code::Code;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, RawPathParams, Request};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::phoenix::run;
use crate::engine::Engine;
use crate::refusal::Refusal;

/// Longest body of a call, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Entries of a list when the caller does not say how many, and at most.
const LIMIT_DEFAULT: u64 = 1000;
const LIMIT_MAX: u64 = 10_000;

/// One call as its handler sees it.
struct Call {
    engine: Arc<Engine>,
    /// What stands in the path's place of a name or number.
    subject: String,
    query: Asked,
    body: Vec<u8>,
}

/// Every parameter that any call has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    mount: Option<String>,
    force: Option<bool>,
    after: Option<u64>,
    limit: Option<u64>,
}

type Handler = fn(&Call) -> Result<String, Refusal>;

/// A row of the table.
struct Operation {
    method: Method,
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    /// Names of schemas: what is sent, if anything is, and what is answered.
    request: Option<&'static str>,
    answer: Answer,
    handler: Handler,
}

/// Shape of an answer.
enum Answer {
    One(&'static str),
    Many(&'static str),
    Document,
}

/// Every call there is.
fn operations() -> Vec<Operation> {
    use Answer::{Document, Many, One};
    let row = |method, path, summary, parameters, request, answer, handler| Operation {
        method,
        path,
        summary,
        parameters,
        request,
        answer,
        handler,
    };
    vec![
        row(
            Method::GET,
            "/v1/store",
            "The store",
            &[],
            None,
            One("Store"),
            |call| json(&call.engine.show_store()?),
        ),
        row(
            Method::POST,
            "/v1/store",
            "Take the store out of service, or back into it",
            &[],
            Some("StoreChange"),
            One("Store"),
            |call| {
                json(
                    &call
                        .engine
                        .change_store(call.sent::<StoreChange>()?.state)?,
                )
            },
        ),
        row(
            Method::GET,
            "/v1/mounts",
            "All mounts, by name",
            &[],
            None,
            Many("Mount"),
            |call| json(&call.engine.list_mounts()?),
        ),
        row(
            Method::POST,
            "/v1/mounts",
            "Make a mount",
            &[],
            Some("MountRequest"),
            One("Mount"),
            |call| json(&call.engine.create_mount(&call.sent::<MountRequest>()?)?),
        ),
        row(
            Method::GET,
            "/v1/mounts/{name}",
            "A mount",
            &[],
            None,
            One("Mount"),
            |call| json(&call.engine.show_mount(&call.subject)?),
        ),
        row(
            Method::DELETE,
            "/v1/mounts/{name}",
            "Delete a mount with all that is in it; the job does it",
            &["force"],
            None,
            One("Job"),
            |call| {
                json(
                    &call
                        .engine
                        .delete_mount(&call.subject, call.query.force.unwrap_or(false))?,
                )
            },
        ),
        row(
            Method::POST,
            "/v1/mounts/{name}/repair",
            "Accept what an inconsistent mount misses",
            &[],
            None,
            One("Mount"),
            |call| json(&call.engine.repair_mount(&call.subject)?),
        ),
        row(
            Method::GET,
            "/v1/snapshots",
            "Snapshots, oldest first",
            &["mount"],
            None,
            Many("Snapshot"),
            |call| json(&call.engine.list_snapshots(call.query.mount.as_deref())?),
        ),
        row(
            Method::DELETE,
            "/v1/snapshots/{name}",
            "Remove a snapshot; the job does it",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.delete_snapshot(&call.subject)?),
        ),
        row(
            Method::POST,
            "/v1/snapshots/{name}/recovery-point",
            "Make a recovery point of a snapshot that waits, again after a failure; the job does it",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.create_recovery_point(&call.subject)?),
        ),
        row(
            Method::GET,
            "/v1/recovery-points",
            "Recovery points, oldest first",
            &["mount"],
            None,
            Many("RecoveryPoint"),
            |call| json(&call.engine.list_points(call.query.mount.as_deref())?),
        ),
        row(
            Method::GET,
            "/v1/recovery-points/{name}",
            "A recovery point and what is in it; four digits of its name do",
            &[],
            None,
            One("RecoveryPointContent"),
            |call| json(&call.engine.show_point(&call.subject)?),
        ),
        row(
            Method::DELETE,
            "/v1/recovery-points/{name}",
            "Delete a recovery point; the job does it, and a sweep returns the space",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.delete_point(&call.subject)?),
        ),
        row(
            Method::POST,
            "/v1/recovery-points/{name}/restore",
            "Bring a recovery point, or a part of it, back as files; the job does it, and its number is their directory",
            &[],
            Some("RestoreRequest"),
            One("Job"),
            |call| {
                let request = call.sent::<RestoreRequest>()?;
                json(&call.engine.queue_restore(&call.subject, &request)?)
            },
        ),
        row(
            Method::POST,
            "/v1/recovery-points/{name}/verify",
            "Read a recovery point back; the job does it",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.queue_verification(&call.subject)?),
        ),
        row(
            Method::POST,
            "/v1/recovery-points/{name}/hold",
            "Keep a recovery point from being deleted, or no longer",
            &[],
            Some("Hold"),
            One("RecoveryPoint"),
            |call| {
                let hold = call.sent::<Hold>()?;
                json(&call.engine.hold_point(&call.subject, hold.is_held)?)
            },
        ),
        row(
            Method::GET,
            "/v1/mounts/{name}/retention",
            "What a mount's rules mean for its recovery points",
            &[],
            None,
            One("RetentionPlan"),
            |call| json(&call.engine.retention_plan(&call.subject)?),
        ),
        row(
            Method::POST,
            "/v1/mounts/{name}/retention",
            "Give a mount rules; nothing is deleted yet",
            &[],
            Some("RetentionRules"),
            One("RetentionPlan"),
            |call| {
                let rules = call.sent::<RetentionRules>()?;
                json(&call.engine.set_retention(&call.subject, &rules)?)
            },
        ),
        row(
            Method::POST,
            "/v1/mounts/{name}/retention/apply",
            "Delete what no rule keeps; jobs do it",
            &[],
            None,
            One("RetentionPlan"),
            |call| json(&call.engine.apply_retention(&call.subject)?),
        ),
        row(
            Method::GET,
            "/v1/repository",
            "What the repository holds",
            &[],
            None,
            One("RepositoryStats"),
            |call| json(&call.engine.repository_stats()?),
        ),
        row(
            Method::POST,
            "/v1/repository/init",
            "Make the repository, or adopt the one that is there",
            &[],
            None,
            One("RepositoryStats"),
            |call| json(&call.engine.init_repository()?),
        ),
        row(
            Method::POST,
            "/v1/repository/check",
            "Look at the whole repository; the job does it",
            &[],
            Some("CheckRequest"),
            One("Job"),
            |call| {
                json(
                    &call
                        .engine
                        .queue_check(call.sent::<CheckRequest>()?.read_data)?,
                )
            },
        ),
        row(
            Method::POST,
            "/v1/repository/sweep",
            "Return the space of deleted recovery points; the job does it",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.queue_sweep()?),
        ),
        row(
            Method::GET,
            "/v1/repository/ingest",
            "How snapshots become recovery points",
            &[],
            None,
            One("Ingest"),
            |call| json(&call.engine.ingest_settings()),
        ),
        row(
            Method::POST,
            "/v1/repository/ingest",
            "Pause that, go on with it, or limit it",
            &[],
            Some("Ingest"),
            One("Ingest"),
            |call| json(&call.engine.change_ingest(call.sent::<Ingest>()?)?),
        ),
        row(
            Method::GET,
            "/v1/restores",
            "Data that were brought back and lie on mounts",
            &["mount"],
            None,
            Many("RestoredData"),
            |call| json(&call.engine.list_restores(call.query.mount.as_deref())?),
        ),
        row(
            Method::DELETE,
            "/v1/restores/{id}",
            "Delete the data of a restore",
            &[],
            None,
            One("RestoredData"),
            |call| json(&call.engine.delete_restored_data(call.number()?)?),
        ),
        row(
            Method::GET,
            "/v1/jobs",
            "Jobs, the newest first",
            &["mount", "limit"],
            None,
            Many("Job"),
            |call| {
                json(
                    &call
                        .engine
                        .list_jobs(call.query.mount.as_deref(), call.limit()?)?,
                )
            },
        ),
        row(
            Method::GET,
            "/v1/jobs/{id}",
            "A job",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.job(call.number()?)?),
        ),
        row(
            Method::POST,
            "/v1/jobs/{id}/cancel",
            "End a job: give an open backup up, or break off what is done for recovery points",
            &[],
            None,
            One("Job"),
            |call| json(&call.engine.cancel_job(call.number()?)?),
        ),
        row(
            Method::GET,
            "/v1/events",
            "The newest events behind a number, oldest first",
            &["after", "mount", "limit"],
            None,
            Many("Event"),
            |call| {
                let query = &call.query;
                let after = query.after.unwrap_or(0);
                json(
                    &call
                        .engine
                        .list_events(after, query.mount.as_deref(), call.limit()?)?,
                )
            },
        ),
        row(
            Method::GET,
            "/v1/openapi.json",
            "This API as an OpenAPI document",
            &[],
            None,
            Document,
            |_| json(&openapi::document()),
        ),
    ]
}

fn json(value: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal::of(Code::Internal, &error))
}

impl Call {
    fn sent<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Refusal::bad_request(
                format!("the body is not what this call takes: {error}"),
                "see /v1/openapi.json",
            )
        })
    }

    fn number(&self) -> Result<u64, Refusal> {
        self.subject.parse().map_err(|_| {
            Refusal::bad_request(
                "a job is named by its number",
                "'backstay job list' shows them",
            )
        })
    }

    fn limit(&self) -> Result<u64, Refusal> {
        match self.query.limit {
            None => Ok(LIMIT_DEFAULT),
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(limit) => Err(Refusal::bad_request(
                format!("a limit of {limit} entries"),
                format!("1 to {LIMIT_MAX}"),
            )),
        }
    }
}

/// The API, for those who know the token.
pub(crate) fn router(engine: &Arc<Engine>, token: &str) -> Router {
    let mut router = Router::new();
    for operation in operations() {
        let (engine, handler) = (Arc::clone(engine), operation.handler);
        let filter = MethodFilter::try_from(operation.method).unwrap_or(MethodFilter::GET);
        let answering = move |parameters: RawPathParams, request: Request| {
            let engine = Arc::clone(&engine);
            async move { answer(read(engine, handler, &parameters, request).await) }
        };
        router = router.route(operation.path, on(filter, answering));
    }
    let token: Arc<str> = token.into();
    router
        .fallback(|| async { answer(Err(Code::UnknownPath.into())) })
        .method_not_allowed_fallback(|| async { answer(Err(Code::MethodNotAllowed.into())) })
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let token = Arc::clone(&token);
            async move {
                if is_authorised(&request, &token) {
                    next.run(request).await
                } else {
                    unauthorised()
                }
            }
        }))
}

async fn read(
    engine: Arc<Engine>,
    handler: Handler,
    parameters: &RawPathParams,
    request: Request,
) -> Result<String, Refusal> {
    if engine.is_stopping() {
        return Err(Code::Stopping.into());
    }
    let subject = parameters
        .iter()
        .next()
        .map_or_else(String::new, |(_, value)| value.to_owned());
    let query = Query::<Asked>::try_from_uri(request.uri())
        .map_err(|error| {
            Refusal::bad_request(format!("the query: {error}"), "see /v1/openapi.json")
        })?
        .0;
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| Refusal::from(Code::BodyTooLarge))?;
    let call = Call {
        engine,
        subject,
        query,
        body: body.to_bytes().to_vec(),
    };
    run(move || handler(&call)).await
}

/// Whether the request has the token. Hashes are compared, so that the time tells nothing of the token.
fn is_authorised(request: &Request, token: &str) -> bool {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    given.is_some_and(|given| blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes()))
}

fn unauthorised() -> Response {
    let problem = Problem {
        kind: "Unauthorised".to_owned(),
        message: "the token is missing or wrong".to_owned(),
        hint: "it is in admin.token of the store's directory; send it as 'Authorization: Bearer …'"
            .to_owned(),
    };
    response(401, json(&problem).unwrap_or_default())
}

fn answer(result: Result<String, Refusal>) -> Response {
    match result {
        Ok(text) => response(200, text),
        Err(refusal) => {
            tracing::info!(code = refusal.code.number(), "{refusal}");
            response(
                refusal.code.status(),
                json(&refusal.problem()).unwrap_or_default(),
            )
        }
    }
}

fn response(status: u16, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
