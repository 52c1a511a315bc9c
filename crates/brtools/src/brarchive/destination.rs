//! Where the database writes its offline redo logs, and which files there bear a log's name.
//! What lives here: the archive parameters, from the instance or from `init<SID>.ora`. What does not: what is in the files.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Largest parameter file that is read, in bytes.
const PARAMETER_FILE_BYTES_MAX: u64 = 1 << 20;
/// Oracle's own default on UNIX.
const DEFAULT_FORMAT: &str = "%t_%s.dbf";

/// The archive directory and the fixed ends of the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The directory.
    pub directory: PathBuf,
    head: String,
    tail: String,
}

/// Why there is no destination to look at.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The parameter file cannot be read.
    #[error("reading {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Logs are archived somewhere that this program cannot look at.
    #[error(
        "archive destination '{0}' is no directory of a file system. HINT: set log_archive_dest or log_archive_dest_1 = 'LOCATION=<directory>'"
    )]
    NoDirectory(String),
}

/// The parameters that matter, as the instance or its parameter file gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveParameters {
    /// `log_archive_dest`.
    pub destination: Option<String>,
    /// `log_archive_dest_1`.
    pub first_destination: Option<String>,
    /// `log_archive_format`.
    pub format: Option<String>,
}

impl ArchiveParameters {
    /// From `init<SID>.ora`, for a database that is down.
    pub fn from_file(environment: &Environment) -> Result<ArchiveParameters, DestinationError> {
        let path = environment.oracle_profile();
        let unreadable = |source| DestinationError::Unreadable {
            path: path.clone(),
            source,
        };
        let length = std::fs::metadata(&path).map_err(unreadable)?.len();
        if length > PARAMETER_FILE_BYTES_MAX {
            return Err(unreadable(std::io::Error::other(format!(
                "{length} bytes are no parameter file"
            ))));
        }
        let bytes = std::fs::read(&path).map_err(unreadable)?;
        Ok(parse(&String::from_utf8_lossy(&bytes)))
    }
}

fn parse(text: &str) -> ArchiveParameters {
    let mut parameters = ArchiveParameters::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let value = Some(value.trim().trim_matches(['"', '\'']).to_owned())
            .filter(|value| !value.is_empty());
        // A parameter may carry the instance's name before a dot.
        let name = name.trim().to_ascii_lowercase();
        match name.rsplit('.').next().unwrap_or_default() {
            "log_archive_dest" => parameters.destination = value,
            "log_archive_dest_1" => parameters.first_destination = value,
            "log_archive_format" => parameters.format = value,
            _ => {}
        }
    }
    parameters
}

impl Destination {
    /// Resolves the parameters: `?` is ORACLE_HOME, `@` the SID, and a destination that is no directory is the beginning
    /// of the names in one, as `log_archive_dest` has always allowed.
    pub fn new(
        parameters: &ArchiveParameters,
        environment: &Environment,
    ) -> Result<Destination, DestinationError> {
        let expand = |text: &str| {
            text.replace('?', &environment.oracle_home.to_string_lossy())
                .replace('@', &environment.sid)
        };
        let named = parameters
            .destination
            .clone()
            .or_else(|| parameters.first_destination.as_deref().and_then(location));
        let named =
            expand(&named.unwrap_or_else(|| environment.saparch.to_string_lossy().into_owned()));
        let format = expand(parameters.format.as_deref().unwrap_or(DEFAULT_FORMAT));
        let path = Path::new(&named);
        let (directory, prefix) = if path.is_dir() {
            (path.to_owned(), String::new())
        } else {
            let prefix = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (path.parent().unwrap_or(Path::new("/")).to_owned(), prefix)
        };
        if !path.is_absolute() || !directory.is_dir() {
            return Err(DestinationError::NoDirectory(named));
        }
        let head = format.split('%').next().unwrap_or_default();
        // Behind the last placeholder, which is one letter long. A later incarnation may put its id before the tail.
        let tail = format
            .rsplit_once('%')
            .and_then(|(_, rest)| rest.get(1..))
            .unwrap_or_default();
        Ok(Destination {
            directory,
            head: format!("{prefix}{head}"),
            tail: tail.to_owned(),
        })
    }

    /// Whether a file name may be that of an offline redo log.
    pub fn may_be_log(&self, name: &str) -> bool {
        name.len() > self.head.len() + self.tail.len()
            && name.starts_with(&self.head)
            && name.ends_with(&self.tail)
            && !name.starts_with('.')
    }
}

/// The directory of `LOCATION=/oracle/SND/saparch MANDATORY …`.
fn location(destination: &str) -> Option<String> {
    let words = destination.split([' ', ',']).map(str::trim);
    let values = words
        .filter_map(|word| word.split_once('='))
        .filter(|(key, _)| key.eq_ignore_ascii_case("location"));
    values
        .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(home: &Path) -> Environment {
        Environment {
            sid: "SND".into(),
            oracle_home: home.to_owned(),
            sapdata_home: home.to_owned(),
            sapbackup: home.join("sapbackup"),
            saparch: home.join("saparch"),
            sapreorg: home.join("sapreorg"),
        }
    }

    fn destination(text: &str) -> Result<(Destination, tempfile::TempDir), DestinationError> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("saparch")).unwrap();
        let found = Destination::new(&parse(text), &environment(home.path()))?;
        assert_eq!(found.directory, home.path().join("saparch"), "{text}");
        Ok((found, home))
    }

    #[test]
    fn every_form_of_the_parameters_leads_to_directory_and_names() {
        for text in [
            "log_archive_dest = ?/saparch\nlog_archive_format = @arch%t_%s.dbf",
            "log_archive_dest = ?/saparch/SNDarch # a prefix\nlog_archive_format = %t_%s.dbf",
            "SND.LOG_ARCHIVE_DEST_1 = 'LOCATION=?/saparch MANDATORY REOPEN=60'\n*.log_archive_format='SNDarch%t_%s_%r.dbf'",
        ] {
            let (found, _home) = destination(text).unwrap();
            assert!(found.may_be_log("SNDarch1_962.dbf"), "{text}");
            assert!(found.may_be_log("SNDarch1_1_1227231878.dbf"), "{text}");
            for name in [
                "aczfsceu.svd",
                "archSND.log",
                "SNDarch.dbf",
                ".SNDarch1_1.dbf",
                "SNDarch1_962.dbf.gz",
            ] {
                assert!(!found.may_be_log(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn without_parameters_saparch_and_oracles_own_names_are_meant() {
        let (found, _home) = destination("db_name = SND").unwrap();
        assert!(found.may_be_log("1_962.dbf"));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        for text in [
            "log_archive_dest_1 = 'LOCATION=USE_DB_RECOVERY_FILE_DEST'",
            "log_archive_dest = +DATA/arch",
            "log_archive_dest = /nowhere/at/all",
        ] {
            assert!(
                matches!(destination(text), Err(DestinationError::NoDirectory(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_missing_parameter_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        let error = ArchiveParameters::from_file(&environment(home.path())).unwrap_err();
        assert!(error.to_string().contains("initSND.ora"), "{error}");
    }
}
