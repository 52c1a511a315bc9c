//! Which store a command speaks to.
//! What lives here: options, environment, and the files of a local store. What does not: what is said to it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use api::client::{Client, ClientError};
use clap::Args;

/// Longest file of a store that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Which store is meant: a directory on this machine, or an address and a token.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which store")]
pub struct StoreOptions {
    /// Directory of a store that runs on this machine
    #[arg(long, value_name = "DIR", env = "BACKSTAY_STORE_DIR", global = true)]
    store_dir: Option<PathBuf>,
    /// Address of a store's administration API, https://HOST:9443; the token is taken from BACKSTAY_TOKEN
    #[arg(long, value_name = "URL", env = "BACKSTAY_STORE", global = true)]
    store: Option<String>,
    /// The store's certificate (admin.crt of its directory), for --store
    #[arg(
        long,
        value_name = "FILE",
        env = "BACKSTAY_STORE_CERTIFICATE",
        global = true
    )]
    certificate: Option<PathBuf>,
}

/// Why no store can be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Nothing said which.
    #[error(
        "which store? HINT: --store-dir DIR or BACKSTAY_STORE_DIR for one on this machine, --store URL and BACKSTAY_TOKEN for another"
    )]
    None,
    /// Two were said.
    #[error("--store-dir and --store (or their variables) name two stores. HINT: give one of them")]
    Two,
    /// The token of a remote store is missing.
    #[error(
        "the token of the store is missing. HINT: BACKSTAY_TOKEN must be what is in admin.token of the store's directory"
    )]
    NoToken,
    /// There is no store in the directory, or it does not run.
    #[error("no store runs in {}. HINT: backstay store serve --dir {}", .0.display(), .0.display())]
    NotRunning(PathBuf),
    /// A file of the store cannot be read.
    #[error("{}: {why}. HINT: run this as the user of the store, or use --store and BACKSTAY_TOKEN", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl StoreOptions {
    /// A client of the store that is meant.
    pub fn connect(&self) -> Result<Client, ConnectionError> {
        self.connect_with(std::env::var("BACKSTAY_TOKEN").ok())
    }

    fn connect_with(&self, token: Option<String>) -> Result<Client, ConnectionError> {
        match (&self.store_dir, &self.store) {
            (None, None) => Err(ConnectionError::None),
            (Some(_), Some(_)) => Err(ConnectionError::Two),
            (Some(directory), None) => local(directory),
            (None, Some(url)) => {
                let token = token
                    .filter(|token| !token.trim().is_empty())
                    .ok_or(ConnectionError::NoToken)?;
                let certificate = self.certificate.as_deref().map(read).transpose()?;
                Ok(Client::new(
                    url,
                    &token,
                    certificate.as_ref().map(String::as_bytes),
                )?)
            }
        }
    }
}

fn local(directory: &Path) -> Result<Client, ConnectionError> {
    let address = directory.join("admin.address");
    if !address.exists() {
        return Err(ConnectionError::NotRunning(directory.to_owned()));
    }
    let address = read(&address)?;
    let token = read(&directory.join("admin.token"))?;
    let certificate = read(&directory.join("admin.crt"))?;
    Ok(Client::new(
        &format!("https://{}", reachable(address.trim())),
        &token,
        Some(certificate.as_bytes()),
    )?)
}

/// A store that listens on every address is reached by the loopback's.
fn reachable(address: &str) -> String {
    match address.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => address.to_owned(),
    }
}

fn read(path: &Path) -> Result<String, ConnectionError> {
    let failed = |why: String| ConnectionError::File {
        path: path.to_owned(),
        why,
    };
    let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it is no file".to_owned()));
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| failed(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(directory: Option<&Path>, store: Option<&str>) -> StoreOptions {
        StoreOptions {
            store_dir: directory.map(Path::to_owned),
            store: store.map(str::to_owned),
            certificate: None,
        }
    }

    #[test]
    fn one_store_must_be_meant() {
        let directory = tempfile::tempdir().unwrap();
        let url = Some("https://127.0.0.1:9443");
        let connect = |options: StoreOptions, token: Option<&str>| {
            options.connect_with(token.map(str::to_owned))
        };
        assert!(matches!(
            connect(options(None, None), None),
            Err(ConnectionError::None)
        ));
        let both = options(Some(directory.path()), url);
        assert!(matches!(
            connect(both, Some("t")),
            Err(ConnectionError::Two)
        ));
        assert!(matches!(
            connect(options(None, url), Some(" ")),
            Err(ConnectionError::NoToken)
        ));
        assert!(connect(options(None, url), Some("t")).is_ok());
        let stopped = connect(options(Some(directory.path()), None), None);
        assert!(matches!(stopped, Err(ConnectionError::NotRunning(_))));
    }

    #[test]
    fn a_store_on_every_address_is_found() {
        assert_eq!(reachable("0.0.0.0:9443"), "127.0.0.1:9443");
        assert_eq!(reachable("[::]:1"), "[::1]:1");
        assert_eq!(reachable("192.0.2.1:9443"), "192.0.2.1:9443");
    }
}
