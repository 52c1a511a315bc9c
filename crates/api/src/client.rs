//! A client of the administration API, as the command line uses it.
//! What lives here: calls and how their failures read. What does not: where a store is found.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::admin::Problem;

/// Longest answer that is read, in bytes: a list of all jobs of a busy year is far below it.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// How long a call may take. Long work is a job, which is asked for again and again.
const CALL_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The store could not be reached.
    #[error(
        "the store at {url} cannot be reached: {why}. HINT: is it running (backstay store serve), and is the address right?"
    )]
    Unreachable {
        /// Address.
        url: String,
        /// Why.
        why: String,
    },
    /// The store refused.
    #[error("{}. HINT: {}", .0.message, .0.hint)]
    Refused(Problem),
    /// What answered is no store, or one of another release.
    #[error(
        "the answer of {url} cannot be understood: {why}. HINT: is it a Backstay store of this release?"
    )]
    Garbled {
        /// Address.
        url: String,
        /// Why.
        why: String,
    },
    /// The certificate cannot be used.
    #[error("the store's certificate cannot be used: {0}")]
    Certificate(String),
}

/// A connection to one store.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

impl Client {
    /// A client that trusts one certificate, in PEM, or the public authorities when there is none.
    pub fn new(url: &str, token: &str, certificate: Option<&[u8]>) -> Result<Client, ClientError> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = certificate {
            let certificate = Certificate::from_pem(pem)
                .map_err(|error| ClientError::Certificate(error.to_string()))?;
            tls = tls.root_certs(RootCerts::new_with_certs(&[certificate]));
        }
        let config = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_global(Some(CALL_LIMIT))
            .build();
        Ok(Client {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
            token: token.trim().to_owned(),
        })
    }

    /// GET of a path below `/v1`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.get(self.address(path));
        self.read(request.header("Authorization", self.bearer()).call())
    }

    /// POST to a path below `/v1`.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.agent.post(self.address(path));
        self.read(
            request
                .header("Authorization", self.bearer())
                .send_json(body),
        )
    }

    /// DELETE of a path below `/v1`.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.delete(self.address(path));
        self.read(request.header("Authorization", self.bearer()).call())
    }

    fn address(&self, path: &str) -> String {
        format!("{}/v1{path}", self.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, ClientError> {
        let url = || self.url.clone();
        let mut answer = answer.map_err(|error| ClientError::Unreachable {
            url: url(),
            why: error.to_string(),
        })?;
        let garbled = |why: String| ClientError::Garbled { url: url(), why };
        let status = answer.status();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| garbled(error.to_string()))?;
        if status.is_success() {
            return serde_json::from_str(&text).map_err(|error| garbled(error.to_string()));
        }
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(ClientError::Refused(problem)),
            Err(_) => Err(garbled(format!("HTTP status {status} without a reason"))),
        }
    }
}

/// A name as it may stand in a path.
pub fn in_path(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| {
            if is_plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert_eq!(in_path("a/../b?c#d%e ü"), "a%2F..%2Fb%3Fc%23d%25e%20%C3%BC");
        assert_eq!(in_path("test-mount_1.x"), "test-mount_1.x");
    }

    #[test]
    fn a_store_that_is_not_there_is_said() {
        let client = Client::new("https://127.0.0.1:1", "token", None).unwrap();
        let error = client.get::<crate::admin::Store>("/store").unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    }
}
