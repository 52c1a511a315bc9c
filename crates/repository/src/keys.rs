//! The master key under a password, and the repository's config.
//! What lives here: key files and `config`, as the restic format has them. What does not: what is sealed with the key.
//!
//! Source: "Keys, Encryption and MAC" in restic's design document: scrypt with the parameters of the file derives 64
//! bytes, which seal the JSON of the master key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, FileKind};
use crate::crypto::MasterKey;
use crate::error::RepositoryError;
use crate::id::Id;

/// Rounds of scrypt: 32 MiB of memory and a tenth of a second, as restic's own on a slow machine.
const SCRYPT_LOG_N: u8 = 15;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
/// Above this a key file would take more than a gibibyte of memory.
const SCRYPT_MEMORY_MAX: u64 = 1 << 30;
const SCRYPT_P_MAX: u32 = 64;
/// Key files that are tried.
const KEYS_MAX: usize = 100;
const SALT_BYTES: usize = 64;
/// The only version that is read and written.
pub(crate) const VERSION: u64 = 2;

#[derive(Serialize, Deserialize)]
struct KeyFile {
    hostname: Option<String>,
    username: Option<String>,
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    created: Option<String>,
    data: String,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Code {
    k: String,
    r: String,
}

#[derive(Serialize, Deserialize)]
struct PlainKey {
    mac: Code,
    encrypt: String,
}

/// What a repository says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    pub version: u64,
    pub id: Id,
}

fn derive(password: &[u8], salt: &[u8], n: u64, r: u32, p: u32) -> Result<MasterKey, String> {
    if !n.is_power_of_two() || n < 2 {
        return Err(format!("scrypt's N is {n}"));
    }
    let memory = n.saturating_mul(u64::from(r)).saturating_mul(128);
    if memory > SCRYPT_MEMORY_MAX || p > SCRYPT_P_MAX {
        return Err(format!("scrypt with N {n}, r {r}, p {p} takes too much"));
    }
    let log_n = n.trailing_zeros() as u8;
    let parameters = scrypt::Params::new(log_n, r, p).map_err(|error| error.to_string())?;
    let mut key = [0; 64];
    scrypt::scrypt(password, salt, &parameters, &mut key).map_err(|error| error.to_string())?;
    Ok(MasterKey::new(key))
}

impl PlainKey {
    fn of(key: &MasterKey) -> PlainKey {
        let bytes = key.bytes();
        PlainKey {
            encrypt: BASE64.encode(&bytes[..32]),
            mac: Code {
                k: BASE64.encode(&bytes[32..48]),
                r: BASE64.encode(&bytes[48..]),
            },
        }
    }

    fn key(&self) -> Option<MasterKey> {
        let mut bytes = BASE64.decode(&self.encrypt).ok()?;
        bytes.extend(BASE64.decode(&self.mac.k).ok()?);
        bytes.extend(BASE64.decode(&self.mac.r).ok()?);
        Some(MasterKey::new(bytes.try_into().ok()?))
    }
}

/// The content of a new key file.
pub(crate) fn seal_key(
    key: &MasterKey,
    password: &str,
    hostname: &str,
    now: &str,
) -> Result<Vec<u8>, RepositoryError> {
    let internal = |why: String| RepositoryError::Maintenance {
        doing: "making a key",
        why,
    };
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| internal(error.to_string()))?;
    let n = 1 << SCRYPT_LOG_N;
    let outer = derive(password.as_bytes(), &salt, n, SCRYPT_R, SCRYPT_P).map_err(internal)?;
    let plain =
        serde_json::to_vec(&PlainKey::of(key)).map_err(|error| internal(error.to_string()))?;
    let file = KeyFile {
        hostname: Some(hostname.to_owned()),
        username: Some("backstay".to_owned()),
        kdf: "scrypt".to_owned(),
        n,
        r: SCRYPT_R,
        p: SCRYPT_P,
        created: Some(now.to_owned()),
        data: BASE64.encode(outer.seal(&plain)),
        salt: BASE64.encode(salt),
    };
    serde_json::to_vec(&file).map_err(|error| internal(error.to_string()))
}

fn open_key(content: &[u8], password: &str) -> Result<MasterKey, String> {
    let file: KeyFile = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    if file.kdf != "scrypt" {
        return Err(format!("it needs {}", file.kdf));
    }
    let salt = BASE64
        .decode(&file.salt)
        .map_err(|error| error.to_string())?;
    let data = BASE64
        .decode(&file.data)
        .map_err(|error| error.to_string())?;
    let outer = derive(password.as_bytes(), &salt, file.n, file.r, file.p)?;
    let plain = outer.open(&data).map_err(|error| error.to_string())?;
    let key: PlainKey = serde_json::from_slice(&plain).map_err(|error| error.to_string())?;
    key.key().ok_or_else(|| "its lengths are wrong".to_owned())
}

/// Finds the master key.
pub(crate) fn find_key(
    backend: &dyn Backend,
    password: &str,
) -> Result<MasterKey, RepositoryError> {
    for (id, _) in backend.list(FileKind::Key)?.into_iter().take(KEYS_MAX) {
        match open_key(&backend.read(FileKind::Key, &id)?, password) {
            Ok(key) => return Ok(key),
            Err(why) => tracing::debug!("key {id} does not open the repository: {why}"),
        }
    }
    Err(RepositoryError::WrongPassword(backend.location()))
}

/// Reads `config`.
pub(crate) fn read_config(
    backend: &dyn Backend,
    key: &MasterKey,
) -> Result<Config, RepositoryError> {
    let sealed = match backend.read(FileKind::Config, &Id::default()) {
        Err(RepositoryError::Missing { location, .. }) => {
            return Err(RepositoryError::NotThere(location));
        }
        other => other?,
    };
    let damaged = |why: String| RepositoryError::damaged("the repository's config", why);
    let plain = key
        .open(&sealed)
        .map_err(|error| damaged(error.to_string()))?;
    let config: Config =
        serde_json::from_slice(&plain).map_err(|error| damaged(error.to_string()))?;
    if config.version != VERSION {
        return Err(RepositoryError::Version {
            location: backend.location(),
            version: config.version,
        });
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_with_its_password_only() {
        let key = MasterKey::random().unwrap();
        let file = seal_key(&key, "secret", "host", "2026-01-01T00:00:00Z").unwrap();
        assert_eq!(open_key(&file, "secret").unwrap().bytes(), key.bytes());
        assert!(open_key(&file, "Secret").is_err());
    }

    #[test]
    fn a_key_file_cannot_take_the_memory() {
        let key = MasterKey::random().unwrap();
        let file = seal_key(&key, "secret", "host", "2026-01-01T00:00:00Z").unwrap();
        for (from, to) in [
            ("\"N\":32768", "\"N\":1099511627776"),
            ("\"N\":32768", "\"N\":3"),
            ("\"r\":8", "\"r\":4000000000"),
            ("\"p\":1", "\"p\":4000000000"),
            ("scrypt", "rot13"),
        ] {
            let text = String::from_utf8(file.clone())
                .unwrap()
                .replacen(from, to, 1);
            assert!(open_key(text.as_bytes(), "secret").is_err(), "{to}");
        }
    }
}
