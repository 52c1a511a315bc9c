//! Which store a command speaks to.
//! What lives here: options, environment, and the files of a local store. What does not: what is said to it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use api::client::{Client, ClientError};
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use rustix::fs::OFlags;

/// Longest file of a store that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Where these options stand in the help; other options that follow them do not.
const HEADING: &str = "Which store";

/// Which store is meant: a directory on this machine, or an address and a token.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreOptions {
    /// Directory of a store that runs on this machine
    #[arg(
        long,
        value_name = "DIR",
        env = "BACKSTAY_STORE_DIR",
        global = true,
        help_heading = HEADING,
        value_parser = path()
    )]
    store_dir: Option<PathBuf>,
    /// Address of a store's administration API, https://HOST:9443; the token is taken from BACKSTAY_TOKEN
    #[arg(
        long,
        value_name = "URL",
        env = "BACKSTAY_STORE",
        global = true,
        help_heading = HEADING
    )]
    store: Option<String>,
    /// The store's certificate (admin.crt of its directory), for --store
    #[arg(
        long,
        value_name = "FILE",
        env = "BACKSTAY_STORE_CERTIFICATE",
        global = true,
        help_heading = HEADING,
        value_parser = path()
    )]
    certificate: Option<PathBuf>,
}

/// A path that may be empty: an empty variable is one that is not set.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
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
    /// A certificate was said for a store that has its own.
    #[error(
        "--certificate (or BACKSTAY_STORE_CERTIFICATE) belongs to --store. HINT: leave it out, the certificate of --store-dir DIR is DIR/admin.crt"
    )]
    CertificateOfDirectory,
    /// The token would be readable on its way.
    #[error(
        "{0} is no address of a store's administration. HINT: it begins with https://, for example https://store:9443"
    )]
    NotEncrypted(String),
    /// The token of a remote store is missing.
    #[error(
        "the token of the store is missing. HINT: BACKSTAY_TOKEN must be what is in admin.token of the store's directory"
    )]
    NoToken,
    /// The token cannot be one.
    #[error(
        "the token in {0} is not one line of letters, digits and signs. HINT: it must be what is in admin.token of the store's directory"
    )]
    StrangeToken(String),
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
    #[error("{0}. HINT: it must be a certificate in PEM, as admin.crt of the store's directory")]
    Client(#[from] ClientError),
}

impl StoreOptions {
    /// The store that runs in a directory of this machine.
    pub fn of_directory(directory: PathBuf) -> StoreOptions {
        StoreOptions {
            store_dir: Some(directory),
            ..StoreOptions::default()
        }
    }

    /// A client of the store that is meant.
    pub fn connect(&self) -> Result<Client, ConnectionError> {
        self.connect_with(std::env::var("BACKSTAY_TOKEN").ok())
    }

    fn connect_with(&self, token: Option<String>) -> Result<Client, ConnectionError> {
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| path != Path::new(""));
        let url = self.store.as_deref().filter(|url| !url.is_empty());
        match (given(&self.store_dir), url, given(&self.certificate)) {
            (None, None, _) => Err(ConnectionError::None),
            (Some(_), Some(_), _) => Err(ConnectionError::Two),
            (Some(_), None, Some(_)) => Err(ConnectionError::CertificateOfDirectory),
            (Some(directory), None, None) => local(&directory),
            (None, Some(url), certificate) => remote(url, token, certificate.as_deref()),
        }
    }
}

impl ConnectionError {
    /// Whether the command line, or the variables that stand for it, is wrong by itself.
    pub fn is_of_command_line(&self) -> bool {
        matches!(
            self,
            Self::None | Self::Two | Self::CertificateOfDirectory | Self::NotEncrypted(_)
        )
    }
}

fn remote(
    url: &str,
    token: Option<String>,
    certificate: Option<&Path>,
) -> Result<Client, ConnectionError> {
    if !url.starts_with("https://") {
        return Err(ConnectionError::NotEncrypted(url.to_owned()));
    }
    let token = token
        .filter(|token| !token.trim().is_empty())
        .ok_or(ConnectionError::NoToken)?;
    let certificate = certificate.map(read).transpose()?;
    Ok(Client::new(
        url,
        checked(&token, "BACKSTAY_TOKEN")?,
        certificate.as_ref().map(String::as_bytes),
    )?)
}

fn local(directory: &Path) -> Result<Client, ConnectionError> {
    // Only a file that is not there means that nothing runs; one that must not be read is another matter.
    let path = directory.join("admin.address");
    match std::fs::symlink_metadata(&path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(ConnectionError::NotRunning(directory.to_owned()));
        }
        _ => {}
    }
    let address = read(&path)?;
    let path = directory.join("admin.token");
    let token = read(&path)?;
    let certificate = read(&directory.join("admin.crt"))?;
    Ok(Client::new(
        &format!("https://{}", reachable(address.trim())),
        checked(&token, &path.display().to_string())?,
        Some(certificate.as_bytes()),
    )?)
}

/// What can stand in a header; the token itself is never said.
fn checked<'a>(token: &'a str, origin: &str) -> Result<&'a str, ConnectionError> {
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConnectionError::StrangeToken(origin.to_owned()));
    }
    Ok(token)
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
    // Without waiting: what is no file might be a pipe that nobody writes to.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(|error| failed(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| failed("it is no text".to_owned()))
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
    fn an_empty_variable_is_one_that_is_not_set() {
        let error = options(Some(Path::new("")), Some("")).connect_with(None);
        assert!(matches!(error, Err(ConnectionError::None)), "{error:?}");
        let error = options(Some(Path::new("/nowhere")), Some("")).connect_with(None);
        assert!(
            matches!(error, Err(ConnectionError::NotRunning(_))),
            "{error:?}"
        );
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear_nor_when_it_cannot_be_one() {
        let token = || Some("t".to_owned());
        for url in ["http://127.0.0.1:9443", "127.0.0.1:9443", "HTTP"] {
            let error = options(None, Some(url)).connect_with(token());
            assert!(
                matches!(error, Err(ConnectionError::NotEncrypted(_))),
                "{error:?}"
            );
        }
        let url = Some("https://127.0.0.1:9443");
        let error = options(None, url)
            .connect_with(Some("secret\nword".to_owned()))
            .unwrap_err();
        assert!(matches!(error, ConnectionError::StrangeToken(_)));
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_certificate_belongs_to_an_address() {
        let own = StoreOptions {
            certificate: Some("/a.crt".into()),
            ..options(Some(Path::new("/store")), None)
        };
        let error = own.connect_with(None);
        assert!(
            matches!(error, Err(ConnectionError::CertificateOfDirectory)),
            "{error:?}"
        );
    }

    #[test]
    fn only_short_files_of_text_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.address");
        let why = |path: &Path| match read(path) {
            Err(ConnectionError::File { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        std::fs::write(&path, "127.0.0.1:9443\n").unwrap();
        assert_eq!(read(&path).unwrap(), "127.0.0.1:9443\n");
        std::fs::write(&path, vec![b'1'; 65_537]).unwrap();
        assert!(why(&path).contains("longer than 65536 bytes"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(why(&path).contains("no text"));
        assert!(why(directory.path()).contains("no file"));
        std::fs::remove_file(&path).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        assert!(why(&path).contains("no file"));
    }

    #[test]
    fn a_store_on_every_address_is_found() {
        assert_eq!(reachable("0.0.0.0:9443"), "127.0.0.1:9443");
        assert_eq!(reachable("[::]:1"), "[::1]:1");
        assert_eq!(reachable("192.0.2.1:9443"), "192.0.2.1:9443");
    }
}
