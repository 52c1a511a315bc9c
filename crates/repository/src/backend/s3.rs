//! A repository in an S3 bucket.
//! What lives here: requests, and which answers are worth another try. What does not: how requests are signed (rusty-s3)
//! and sent (ureq).
//!
//! An object is written in one request with its MD5, so that the server refuses what was changed on the way; it is there
//! whole or not at all. Credentials come from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use md5::{Digest, Md5};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Backend, FILE_BYTES_MAX, FileKind, name};
use crate::error::RepositoryError;
use crate::id::Id;
use crate::location;
use crate::pack::PACK_BYTES;
use crate::room::room;

/// Tries of one request, with pauses that double.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Silence that ends a request. A pack of 16 MiB at 1 Mbit/s takes more than two minutes as a whole.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const WHOLE_LIMIT: Duration = Duration::from_secs(900);
const SIGNED_FOR: Duration = Duration::from_secs(3600);
/// A page of a list has at most 1,000 names.
const LIST_BYTES_MAX: u64 = 4 << 20;
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// A bucket, or a part of one.
pub(crate) struct S3Backend {
    bucket: Bucket,
    prefix: String,
    credentials: Credentials,
    agent: ureq::Agent,
    location: String,
}

type Response = ureq::http::Response<ureq::Body>;

/// What a request came to.
enum Failed {
    /// The same may work in a moment.
    Passing(String),
    Missing,
    Refused(String),
    Full(String),
}

/// The certificates of a file, which are believed in place of the public authorities'.
fn authorities(path: &str) -> Result<RootCerts, String> {
    let wrong = |why: String| format!("AWS_CA_BUNDLE {path}: {why}");
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(wrong("it has no certificate".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&found))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl S3Backend {
    pub(crate) fn new(place: &location::Bucket) -> Result<S3Backend, RepositoryError> {
        let location = location::Location::S3(place.clone()).to_string();
        let refused = |why: String| RepositoryError::Refused {
            location: location.clone(),
            why,
        };
        let key = environment("AWS_ACCESS_KEY_ID");
        let (Some(key), Some(secret)) = (key, environment("AWS_SECRET_ACCESS_KEY")) else {
            return Err(refused(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set in the environment"
                    .to_owned(),
            ));
        };
        let credentials = match environment("AWS_SESSION_TOKEN") {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        };
        let region = place
            .region
            .clone()
            .or_else(|| environment("AWS_REGION"))
            .or_else(|| environment("AWS_DEFAULT_REGION"))
            .unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = place
            .endpoint
            .parse()
            .map_err(|error| refused(format!("{}: {error}", place.endpoint)))?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, place.name.clone(), region)
            .map_err(|error| refused(error.to_string()))?;
        let mut tls = TlsConfig::builder();
        if let Some(path) = environment("AWS_CA_BUNDLE") {
            tls = tls.root_certs(authorities(&path).map_err(refused)?);
        }
        let config = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_recv_response(Some(ANSWER_LIMIT))
            .timeout_global(Some(WHOLE_LIMIT))
            .max_idle_connections_per_host(16)
            .build();
        Ok(S3Backend {
            bucket,
            prefix: place.prefix.clone(),
            credentials,
            agent: config.into(),
            location,
        })
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.prefix)
        }
    }

    /// Tries until it works, is refused, or has failed too often.
    fn insist<T>(
        &self,
        doing: &str,
        kind: FileKind,
        name: &str,
        attempt: impl Fn() -> Result<T, Failed>,
    ) -> Result<T, RepositoryError> {
        let location = || self.location.clone();
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let why = match attempt() {
                Ok(value) => return Ok(value),
                Err(Failed::Missing) => {
                    return Err(RepositoryError::Missing {
                        kind,
                        name: name.to_owned(),
                        location: location(),
                    });
                }
                Err(Failed::Refused(why)) => {
                    return Err(RepositoryError::Refused {
                        location: location(),
                        why: format!("{doing} {name}: {why}"),
                    });
                }
                Err(Failed::Full(why)) => {
                    return Err(RepositoryError::Full {
                        location: location(),
                        why: format!("{doing} {name}: {why}"),
                    });
                }
                Err(Failed::Passing(why)) => why,
            };
            if tries == TRIES {
                return Err(RepositoryError::Unreachable {
                    location: location(),
                    why: format!("{doing} {name}, {TRIES} times: {why}"),
                });
            }
            tracing::debug!("{doing} {name} at {}: {why}; trying again", self.location);
            std::thread::sleep(pause);
            pause *= 2;
            tries += 1;
        }
    }

    fn get(
        &self,
        key: &str,
        range: Option<(u64, usize)>,
        bytes_max: u64,
    ) -> Result<Vec<u8>, Failed> {
        let url = self
            .bucket
            .get_object(Some(&self.credentials), key)
            .sign(SIGNED_FOR);
        let mut request = self.agent.get(url.as_str());
        if let Some((offset, length)) = range {
            let last = offset + (length as u64).saturating_sub(1);
            request = request.header("Range", format!("bytes={offset}-{last}"));
        }
        let mut answer = expect(request.call())?;
        // What the server announces is no reason to take more memory than a pack has.
        let announced = answer.body().content_length().unwrap_or(0).min(bytes_max);
        let mut content = room(announced.min(2 * PACK_BYTES as u64) as usize);
        answer
            .body_mut()
            .with_config()
            .limit(bytes_max)
            .reader()
            .read_to_end(&mut content)
            .map_err(|error| Failed::Passing(error.to_string()))?;
        Ok(content)
    }

    fn page(
        &self,
        prefix: &str,
        token: Option<&str>,
    ) -> Result<rusty_s3::actions::list_objects_v2::ListObjectsV2Response, Failed> {
        let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
        action.with_prefix(prefix);
        if let Some(token) = token {
            action.with_continuation_token(token);
        }
        let mut answer = expect(self.agent.get(action.sign(SIGNED_FOR).as_str()).call())?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(LIST_BYTES_MAX)
            .read_to_string()
            .map_err(|error| Failed::Passing(error.to_string()))?;
        ListObjectsV2::parse_response(&text)
            .map_err(|error| Failed::Passing(format!("a list that is none: {error}")))
    }
}

/// An answer of 200 or 206, or what else it is.
fn expect(answer: Result<Response, ureq::Error>) -> Result<Response, Failed> {
    let mut answer = answer.map_err(|error| Failed::Passing(error.to_string()))?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let body = answer
        .body_mut()
        .with_config()
        .limit(COMPLAINT_BYTES_MAX)
        .read_to_string();
    let body = body.unwrap_or_default();
    let between = |begin: &str, end: &str| {
        let rest = body.split_once(begin)?.1;
        Some(rest.split_once(end)?.0.to_owned())
    };
    let code = between("<Code>", "</Code>").unwrap_or_default();
    let said = between("<Message>", "</Message>").unwrap_or_default();
    let why = format!("status {status} {code} {said}")
        .trim_end()
        .to_owned();
    Err(match (status, code.as_str()) {
        (404, "NoSuchBucket") => Failed::Refused(why),
        (404, _) => Failed::Missing,
        (408 | 429 | 500.., "QuotaExceeded" | "InsufficientStorage")
        | (507, _)
        | (403, "QuotaExceeded") => Failed::Full(why),
        (408 | 429 | 500.., _) | (400, "RequestTimeout" | "BadDigest") | (409, _) => {
            Failed::Passing(why)
        }
        _ => Failed::Refused(why),
    })
}

impl Backend for S3Backend {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn list(&self, kind: FileKind) -> Result<Vec<(Id, u64)>, RepositoryError> {
        if kind == FileKind::Config {
            let found = self.has_config()?;
            return Ok(if found {
                vec![(Id::default(), 0)]
            } else {
                Vec::new()
            });
        }
        let prefix = self.key(&format!("{}/", kind.directory()));
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.insist("listing", kind, &prefix, || {
                self.page(&prefix, token.as_deref())
            })?;
            for object in page.contents {
                let name = object.key.rsplit('/').next().unwrap_or_default();
                if let Ok(id) = name.parse() {
                    found.push((id, object.size.unwrap_or(0)));
                }
            }
            match page.next_continuation_token {
                // The same token again would never end.
                Some(next) if !next.is_empty() && token.as_ref() != Some(&next) => {
                    token = Some(next)
                }
                _ => return Ok(found),
            }
        }
    }

    fn read(&self, kind: FileKind, id: &Id) -> Result<Vec<u8>, RepositoryError> {
        let name = name(kind, id);
        let key = self.key(&name);
        self.insist("reading", kind, &name, || {
            self.get(&key, None, FILE_BYTES_MAX)
        })
    }

    fn read_range(
        &self,
        kind: FileKind,
        id: &Id,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, RepositoryError> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let name = name(kind, id);
        let key = self.key(&name);
        let content = self.insist("reading", kind, &name, || {
            self.get(&key, Some((offset, length)), length as u64 + 1)
        })?;
        if content.len() != length {
            let why = format!(
                "{length} bytes at {offset} were asked for and {} came",
                content.len()
            );
            return Err(RepositoryError::damaged_file(kind, id, why));
        }
        Ok(content)
    }

    fn write(&self, kind: FileKind, id: &Id, content: &[u8]) -> Result<(), RepositoryError> {
        let name = name(kind, id);
        let key = self.key(&name);
        let digest = base64::engine::general_purpose::STANDARD.encode(Md5::digest(content));
        self.insist("writing", kind, &name, || {
            let mut action = self.bucket.put_object(Some(&self.credentials), &key);
            action.headers_mut().insert("content-md5", digest.clone());
            let url = action.sign(SIGNED_FOR);
            let request = self.agent.put(url.as_str()).header("content-md5", &digest);
            expect(request.send(content)).map(|_| ())
        })
    }

    fn remove(&self, kind: FileKind, id: &Id) -> Result<(), RepositoryError> {
        let name = name(kind, id);
        let key = self.key(&name);
        let removed = self.insist("removing", kind, &name, || {
            let url = self
                .bucket
                .delete_object(Some(&self.credentials), &key)
                .sign(SIGNED_FOR);
            expect(self.agent.delete(url.as_str()).call()).map(|_| ())
        });
        match removed {
            Err(RepositoryError::Missing { .. }) => Ok(()),
            other => other,
        }
    }

    fn create(&self) -> Result<(), RepositoryError> {
        let found = self.insist("finding", FileKind::Config, self.bucket.name(), || {
            let url = self
                .bucket
                .head_bucket(Some(&self.credentials))
                .sign(SIGNED_FOR);
            expect(self.agent.head(url.as_str()).call()).map(|_| ())
        });
        match found {
            Err(RepositoryError::Missing { .. }) => {
                self.insist("making", FileKind::Config, self.bucket.name(), || {
                    let url = self
                        .bucket
                        .create_bucket(&self.credentials)
                        .sign(SIGNED_FOR);
                    expect(self.agent.put(url.as_str()).send_empty()).map(|_| ())
                })
            }
            other => other,
        }
    }

    fn writers(&self) -> usize {
        4
    }
}
