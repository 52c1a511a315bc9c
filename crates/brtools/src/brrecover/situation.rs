//! Phase 1: what is there. How far the instance comes up, which files are missing or need recovery.
//! What lives here: asking and looking. What does not: deciding what to do about it.

use std::path::{Path, PathBuf};

use crate::database::{Database, DatabaseError, Identity, InstanceStatus, StartupTarget};
use crate::environment::Environment;
use crate::messages::joined;

/// Errors of MOUNT that mean: the control files are lost, damaged or do not belong together.
const CONTROL_FILE_CODES: [u32; 7] = [202, 205, 207, 210, 214, 221, 227];

/// A data file that the mounted database knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// FILE#.
    pub number: u32,
    /// Where it belongs.
    pub path: PathBuf,
    /// Why it must come from a backup; None when it is there.
    pub lost: Option<String>,
    /// Whether redo must be applied to it.
    pub needs_recovery: bool,
    /// Whether it was taken offline.
    pub is_offline: bool,
}

/// What phase 1 found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Control files by the instance's parameters.
    pub control_files: Vec<PathBuf>,
    /// Where archived logs go.
    pub archive_directory: PathBuf,
    /// What the control file says; the error is why there is none to be had.
    pub mounted: Result<Mounted, String>,
}

/// What a usable control file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Who the database is.
    pub identity: Identity,
    /// Its data files.
    pub files: Vec<KnownFile>,
    /// Members of the online redo groups.
    pub members: Vec<PathBuf>,
}

/// Brings the instance to MOUNT, or as far as it goes, and looks around.
pub fn look(
    database: &mut Database,
    environment: &Environment,
) -> Result<Situation, DatabaseError> {
    let status = database.status()?;
    let mount_error = match status {
        InstanceStatus::Mounted | InstanceStatus::Open => None,
        InstanceStatus::Idle => database.startup(StartupTarget::Mount).err(),
        InstanceStatus::Started => database.execute("ALTER DATABASE MOUNT").err(),
    };
    let mounted = match mount_error {
        None => Ok(look_mounted(database)?),
        Some(error)
            if CONTROL_FILE_CODES
                .iter()
                .any(|code| error.has_oracle_code(*code)) =>
        {
            Err(joined(&error.to_string()))
        }
        Some(error) => return Err(error),
    };
    let control_files = database.parameter("control_files")?.unwrap_or_default();
    let destination = database.parameter("log_archive_dest")?;
    Ok(Situation {
        control_files: control_files
            .split(',')
            .map(|path| PathBuf::from(path.trim()))
            .filter(|p| p.is_absolute())
            .collect(),
        archive_directory: destination
            .map(|text| PathBuf::from(text.trim_start_matches("LOCATION=").trim()))
            .filter(|path| path.is_dir())
            .unwrap_or_else(|| environment.saparch.clone()),
        mounted,
    })
}

fn look_mounted(database: &mut Database) -> Result<Mounted, DatabaseError> {
    let inventory = database.inventory()?;
    let rows = database.query(&["file#", "error"], "v$recover_file")?;
    let mut needing: Vec<(u32, String)> = Vec::new();
    for row in &rows {
        needing.push((
            row.number("file#")?,
            row.optional("error").unwrap_or_default().to_string(),
        ));
    }
    let files = inventory
        .datafiles()
        .map(|(_, file)| {
            let found = needing.iter().find(|(number, _)| *number == file.number);
            let lost = found
                .map(|(_, error)| error.clone())
                .filter(|error| !error.is_empty());
            KnownFile {
                number: file.number,
                path: file.path.clone(),
                lost: lost.or_else(|| unreadable(&file.path)),
                needs_recovery: found.is_some(),
                is_offline: matches!(file.status.as_str(), "OFFLINE" | "RECOVER"),
            }
        })
        .collect();
    Ok(Mounted {
        identity: database.identity()?,
        files,
        members: inventory
            .redo_groups
            .iter()
            .flat_map(|group| group.members.clone())
            .collect(),
    })
}

/// Why a file cannot be opened at all.
pub fn unreadable(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some("NOT A FILE".to_string()),
        Err(error) => Some(error.to_string()),
    }
}
