//! What a store is told: the file `backstay.toml`, or options of the command line over it.
//! What lives here: the values, their defaults and limits. What does not: the directory they lead to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Longest configuration file that is read, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;
/// Most snapshots that may be allowed to wait.
const PENDING_MAX: u64 = 10_000;

/// How mounts are exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// By our own NFS server.
    #[default]
    Own,
    /// By the kernel's, through `exportfs`.
    Kernel,
}

/// How the log of the process looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// A store's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory of the store.
    pub dir: PathBuf,
    /// The documented API, plain HTTP.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// NFS and MOUNT of our own server.
    #[serde(default = "nfs_listen")]
    pub nfs_listen: SocketAddr,
    /// The administration API, TLS.
    #[serde(default = "admin_listen")]
    pub admin_listen: SocketAddr,
    /// Answers clients that look for the NFS port with a portmapper, usually on port 111.
    #[serde(default)]
    pub portmapper_listen: Option<SocketAddr>,
    /// Snapshots that may wait for each mount.
    #[serde(default = "max_pending_snapshots")]
    pub max_pending_snapshots: u64,
    /// Where recovery points go: a directory, below the store's own unless absolute, or `s3:https://HOST/BUCKET[/PREFIX]`.
    #[serde(default = "repository")]
    pub repository: String,
    /// File with the repository's password, below the store's directory unless absolute.
    #[serde(default = "password_file")]
    pub password_file: PathBuf,
    /// Whether snapshots become recovery points.
    #[serde(default = "ingest")]
    pub ingest: bool,
    /// Snapshots of each mount that are kept although they are recovery points too.
    #[serde(default = "keep_local_snapshots")]
    pub keep_local_snapshots: u64,
    /// Kibibytes of a chunk, a power of two.
    #[serde(default = "chunk_kib")]
    pub chunk_kib: u64,
    /// How mounts are exported.
    #[serde(default)]
    pub export: ExportKind,
    /// File that the kernel's exports are written to.
    #[serde(default = "exports_file")]
    pub exports_file: PathBuf,
    /// How the log looks.
    #[serde(default)]
    pub log_form: LogForm,
    /// What the log tells: `error`, `warn`, `info`, `debug` or `trace`.
    #[serde(default = "log_level")]
    pub log_level: String,
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9090))
}

fn nfs_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 2049))
}

fn admin_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9443))
}

fn max_pending_snapshots() -> u64 {
    5
}

fn repository() -> String {
    "repository".to_owned()
}

fn password_file() -> PathBuf {
    PathBuf::from("repository.key")
}

fn ingest() -> bool {
    true
}

fn keep_local_snapshots() -> u64 {
    1
}

fn chunk_kib() -> u64 {
    repository::CHUNK_BYTES >> 10
}

fn exports_file() -> PathBuf {
    PathBuf::from("/etc/exports.d/backstay.exports")
}

fn log_level() -> String {
    "info".to_owned()
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {why}. HINT: name a configuration file, or a directory with --dir", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is no configuration.
    #[error("{}: {why}. HINT: packaging/backstay.toml explains every key", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        why: String,
    },
}

impl Config {
    /// The defaults for a directory.
    pub fn of_directory(dir: &Path) -> Config {
        Config {
            dir: dir.to_owned(),
            listen: listen(),
            nfs_listen: nfs_listen(),
            admin_listen: admin_listen(),
            portmapper_listen: None,
            max_pending_snapshots: max_pending_snapshots(),
            repository: repository(),
            password_file: password_file(),
            ingest: ingest(),
            keep_local_snapshots: keep_local_snapshots(),
            chunk_kib: chunk_kib(),
            export: ExportKind::default(),
            exports_file: exports_file(),
            log_form: LogForm::default(),
            log_level: log_level(),
        }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let unreadable = |why: String| ConfigError::Unreadable {
            path: path.to_owned(),
            why,
        };
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
        if !metadata.is_file() || metadata.len() > BYTES_MAX {
            return Err(unreadable(format!(
                "not a file of at most {BYTES_MAX} bytes"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Config::parse(&text).map_err(|why| ConfigError::Wrong {
            path: path.to_owned(),
            why,
        })
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// Where recovery points go.
    pub fn location(&self) -> Result<repository::Location, String> {
        let location = self
            .repository
            .parse()
            .map_err(|error: repository::NoLocation| error.to_string())?;
        Ok(match location {
            repository::Location::Local(path) => repository::Location::Local(self.dir.join(path)),
            bucket @ repository::Location::S3(_) => bucket,
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.max_pending_snapshots == 0 || self.max_pending_snapshots > PENDING_MAX {
            return Err(format!("max_pending_snapshots must be 1 to {PENDING_MAX}"));
        }
        if !["error", "warn", "info", "debug", "trace"].contains(&self.log_level.as_str()) {
            return Err(format!(
                "log_level '{}' is none of error, warn, info, debug, trace",
                self.log_level
            ));
        }
        let chunk = self.chunk_kib.saturating_mul(1024);
        if !repository::CHUNK_BYTES_RANGE.contains(&chunk) || !chunk.is_power_of_two() {
            return Err(format!(
                "chunk_kib must be a power of two from {} to {}",
                repository::CHUNK_BYTES_RANGE.start() >> 10,
                repository::CHUNK_BYTES_RANGE.end() >> 10
            ));
        }
        if self.keep_local_snapshots > PENDING_MAX {
            return Err(format!("keep_local_snapshots must be 0 to {PENDING_MAX}"));
        }
        self.location()?;
        if self.dir.as_os_str().is_empty() {
            return Err("dir is empty".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_directory_must_be_said() {
        let config = Config::parse("dir = '/srv/backstay'").unwrap();
        assert_eq!(config, Config::of_directory(Path::new("/srv/backstay")));
        assert_eq!(config.max_pending_snapshots, 5);
    }

    #[test]
    fn what_is_not_known_or_senseless_is_refused_by_name() {
        for (text, named) in [
            ("listen = '127.0.0.1:9090'", "dir"),
            (
                "dir = '/s'\nmax_pending_snapshot = 5",
                "max_pending_snapshot",
            ),
            (
                "dir = '/s'\nmax_pending_snapshots = 0",
                "max_pending_snapshots",
            ),
            ("dir = '/s'\nlisten = 'localhost'", "listen"),
            ("dir = '/s'\nlog_level = 'loud'", "loud"),
            ("dir = '/s'\nexport = 'samba'", "samba"),
            ("dir = ''", "dir"),
            ("dir = '/s'\nchunk_kib = 65", "chunk_kib"),
            ("dir = '/s'\nrepository = 's3:bucket'", "s3:bucket"),
        ] {
            let why = Config::parse(text).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
    }

    #[test]
    fn the_commented_example_is_read_and_says_the_defaults() {
        let text = include_str!("../../../packaging/backstay.toml");
        let config = Config::parse(text).unwrap();
        assert_eq!(config, Config::of_directory(Path::new("/var/lib/backstay")));
        let commented: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("#= "))
            .map(|line| format!("{line}\n"))
            .collect();
        let all = Config::parse(&format!("dir = '/var/lib/backstay'\n{commented}")).unwrap();
        assert_eq!(
            Config {
                portmapper_listen: None,
                ..all
            },
            config,
            "a default is described wrongly"
        );
    }

    #[test]
    fn a_device_is_no_configuration() {
        assert!(Config::read(Path::new("/dev/zero")).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fall_over(text in "\\PC{0,200}", key in "[a-z_]{1,12}", value in "[-a-z0-9.:'\\[\\]]{0,20}") {
            let _ = Config::parse(&text);
            let _ = Config::parse(&format!("dir = '/s'\n{key} = {value}"));
        }
    }
}
