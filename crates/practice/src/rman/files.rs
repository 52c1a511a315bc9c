//! Which data files a command is about.
//! What lives here: from words to file numbers. What does not: choosing backups of them (`choose`).

use super::command::{FileName, Files};
use super::failure::{Failure, Outcome};
use crate::engine::control::{Control, DatafileRecord};

/// The data files, in the order of their numbers.
///
/// # Errors
/// RMAN-20201 for a file and RMAN-20202 for a tablespace that does not exist.
pub(super) fn select<'a>(control: &'a Control, files: &Files) -> Outcome<Vec<&'a DatafileRecord>> {
    let all = control.datafiles.iter();
    match files {
        Files::All => Ok(all.collect()),
        Files::Numbers(names) => {
            let wanted: Vec<&DatafileRecord> = names
                .iter()
                .map(|name| by_name(control, name))
                .collect::<Outcome<_>>()?;
            Ok(all
                .filter(|file| wanted.iter().any(|other| other.number == file.number))
                .collect())
        }
        Files::Tablespaces(names) => {
            let numbers: Vec<u32> = names
                .iter()
                .map(|name| tablespace(control, name))
                .collect::<Outcome<_>>()?;
            Ok(all
                .filter(|file| numbers.contains(&file.tablespace))
                .collect())
        }
    }
}

fn by_name<'a>(control: &'a Control, name: &FileName) -> Outcome<&'a DatafileRecord> {
    let found = control.datafiles.iter().find(|file| match name {
        FileName::Number(number) => file.number == *number,
        FileName::Path(path) => file.path == *path,
    });
    found.ok_or_else(|| {
        let shown = match name {
            FileName::Number(number) => number.to_string(),
            FileName::Path(path) => path.display().to_string(),
        };
        Failure::new(20201, "datafile not found in the recovery catalog")
            .and(6010, format!("error while looking up datafile: {shown}"))
    })
}

fn tablespace(control: &Control, name: &str) -> Outcome<u32> {
    control.tablespace_number(name).map_err(|_| {
        Failure::new(20202, "Tablespace not found in the recovery catalog").and(
            6019,
            format!("could not translate tablespace name \"{name}\""),
        )
    })
}
