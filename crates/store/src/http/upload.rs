//! The body of uploadlog: multipart, streamed to the disk.
//! What lives here: its parts and their limits. What does not: what becomes of them (engine).
//!
//! `file` comes as a file, or as text if the `@` of the documented curl line was lost; then it is the path on the client,
//! which is recorded and never opened.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::code::Code;
use api::envelope::LogUploaded;
use axum::body::BodyDataStream;
use axum::extract::Request;
use axum::http::header;
use http_body_util::BodyExt;
use multer::{Constraints, Field, Multipart, SizeLimit};

use super::phoenix::run;
use crate::engine::{Engine, Incoming, LOG_BYTES_MAX, LogParts};
use crate::refusal::Refusal;

/// Longest text part, in bytes; a path is no longer.
const TEXT_BYTES_MAX: u64 = 16 << 10;
/// So much of a file's name is recorded.
const NAME_CHARACTERS_MAX: usize = 1000;
/// Everything around the log.
const OVERHEAD_BYTES_MAX: u64 = 1 << 20;
/// Most parts of a body.
const PARTS_MAX: usize = 16;
/// How long a client may be silent in the middle of its body.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// How much of a refused body is still read, so that the client gets to read the answer.
const DRAINED_BYTES_MAX: u64 = 4 << 20;
const PLATFORMS: [&str; 2] = ["linux", "windows"];

fn bad(why: impl Into<String>) -> Refusal {
    Refusal::bad_request(
        why,
        "curl -F \"file=@rman.log\" -F \"mountpoint=/local/m\" -F \"platform=linux\"",
    )
}

/// Receives a log and keeps it with the open backup.
pub(super) async fn receive(
    engine: Arc<Engine>,
    mount: String,
    client: IpAddr,
    request: Request,
) -> Result<LogUploaded, Refusal> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let mut body = request.into_body().into_data_stream();
    let (asked, name) = (Arc::clone(&engine), mount.clone());
    let admitted = run(move || asked.admit_log(&name, client)).await;
    let received = match admitted.and_then(|()| boundary(content_type.as_deref())) {
        Ok(boundary) => parts(engine.logs(), &mut body, boundary).await,
        Err(refusal) => Err(refusal),
    };
    match received {
        Ok(parts) => run(move || engine.keep_log(&mount, client, parts)).await,
        Err(refusal) => {
            drain(&mut body).await;
            Err(refusal)
        }
    }
}

fn boundary(content_type: Option<&str>) -> Result<String, Refusal> {
    multer::parse_boundary(content_type.unwrap_or_default())
        .map_err(|_| bad("the body is not multipart/form-data with a boundary"))
}

/// A client that is still sending would not read the answer; a short rest of the body is taken from it.
async fn drain(body: &mut BodyDataStream) {
    let mut left = DRAINED_BYTES_MAX;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE_LIMIT, body.frame()).await {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// What is known of a body so far.
#[derive(Default)]
struct Found {
    /// Name, and content if it was sent.
    file: Option<(String, Option<Incoming>)>,
    mountpoint: Option<String>,
    platform: Option<String>,
}

/// Takes a body apart. What arrives of the log goes to a hidden file in `logs`.
pub(super) async fn parts(
    logs: PathBuf,
    body: &mut BodyDataStream,
    boundary: String,
) -> Result<LogParts, Refusal> {
    let limits = SizeLimit::new()
        .whole_stream(LOG_BYTES_MAX + OVERHEAD_BYTES_MAX)
        .for_field("mountpoint", TEXT_BYTES_MAX)
        .for_field("platform", TEXT_BYTES_MAX);
    let mut multipart =
        Multipart::with_constraints(body, boundary, Constraints::new().size_limit(limits));
    let mut found = Found::default();
    for _ in 0..PARTS_MAX {
        let next = tokio::time::timeout(SILENCE_LIMIT, multipart.next_field());
        let Some(field) = next
            .await
            .map_err(|_| silent())?
            .map_err(|error| refused(&error))?
        else {
            return found.complete();
        };
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" => twice(
                found.file.replace(file(&logs, field).await?).is_some(),
                &name,
            )?,
            "mountpoint" => twice(
                found.mountpoint.replace(text(field).await?).is_some(),
                &name,
            )?,
            "platform" => twice(found.platform.replace(text(field).await?).is_some(), &name)?,
            _ => {
                let shown: String = name.chars().take(40).collect();
                return Err(bad(format!(
                    "the part '{}' is not known",
                    shown.escape_debug()
                )));
            }
        }
    }
    Err(bad(format!("the body has more than {PARTS_MAX} parts")))
}

fn twice(is_second: bool, name: &str) -> Result<(), Refusal> {
    if is_second {
        Err(bad(format!("the part '{name}' comes twice")))
    } else {
        Ok(())
    }
}

fn silent() -> Refusal {
    bad(format!(
        "the body stopped in the middle for {} s",
        SILENCE_LIMIT.as_secs()
    ))
}

fn refused(error: &multer::Error) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            Code::BodyTooLarge.into()
        }
        other => bad(other.to_string()),
    }
}

impl Found {
    fn complete(self) -> Result<LogParts, Refusal> {
        let missing = |name: &str| bad(format!("the part '{name}' is missing"));
        let (name, content) = self.file.ok_or_else(|| missing("file"))?;
        let platform = self.platform.ok_or_else(|| missing("platform"))?;
        if !PLATFORMS.contains(&platform.as_str()) {
            let shown: String = platform.chars().take(40).collect();
            return Err(bad(format!(
                "platform is '{}', not {}",
                shown.escape_debug(),
                PLATFORMS.join(" or ")
            )));
        }
        Ok(LogParts {
            name,
            content,
            mountpoint: self.mountpoint.ok_or_else(|| missing("mountpoint"))?,
            platform,
        })
    }
}

async fn chunk(field: &mut Field<'_>) -> Result<Option<axum::body::Bytes>, Refusal> {
    let next = tokio::time::timeout(SILENCE_LIMIT, field.chunk());
    next.await
        .map_err(|_| silent())?
        .map_err(|error| refused(&error))
}

async fn text(mut field: Field<'_>) -> Result<String, Refusal> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(more) = chunk(&mut field).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() as u64 > TEXT_BYTES_MAX {
            return Err(Code::BodyTooLarge.into());
        }
    }
    let text =
        String::from_utf8(bytes).map_err(|_| bad(format!("the part '{name}' is no text")))?;
    if text.is_empty() || text.contains('\0') {
        return Err(bad(format!(
            "the part '{name}' is empty or has a NUL in it"
        )));
    }
    Ok(text)
}

async fn file(logs: &Path, mut field: Field<'_>) -> Result<(String, Option<Incoming>), Refusal> {
    let Some(name) = field.file_name().map(str::to_owned) else {
        return Ok((text(field).await?, None));
    };
    let logs = logs.to_owned();
    let mut incoming = run(move || Incoming::begin(&logs)).await?;
    while let Some(bytes) = chunk(&mut field).await? {
        // The disk may keep a write waiting.
        incoming = run(move || {
            incoming.write(&bytes)?;
            Ok(incoming)
        })
        .await?;
    }
    let name = name
        .chars()
        .filter(|character| !character.is_control())
        .take(NAME_CHARACTERS_MAX);
    Ok((name.collect(), Some(incoming)))
}
