//! Whether a data file is what the control file says, and what its status allows.
//! What lives here: the checks of one header. What does not: which files are looked at, and when.

use oracle::file_header::status;

use crate::engine::control::{Control, DatafileRecord};
use crate::engine::datafile::{DataFile, name_file};
use crate::engine::error::{OraError, OraResult};

/// Why a file with this status cannot be opened with RESETLOGS.
pub fn inconsistency(header_status: u16, number: u32) -> Option<(u32, String)> {
    if header_status & status::HOT_BACKUP != 0 {
        return Some((
            1195,
            format!("online backup of file {number} needs more recovery to be consistent"),
        ));
    }
    let fuzzy = status::ONLINE_FUZZY | status::MEDIA_FUZZY | status::ABSOLUTE_FUZZY;
    (header_status & fuzzy != 0).then(|| {
        (
            1194,
            format!("file {number} needs more recovery to be consistent"),
        )
    })
}

/// Bits of a header that say that its file needs media recovery, whatever its checkpoint count.
pub const NEEDS_RECOVERY: u16 = status::HOT_BACKUP | status::MEDIA_FUZZY | status::ABSOLUTE_FUZZY;

/// Whether a header with this count is of the live file that the control file knows.
pub fn is_live(record: &DatafileRecord, checkpoint_count: u32) -> bool {
    (record.checkpoint_count..=record.checkpoint_count + 1).contains(&checkpoint_count)
}

/// Whether the header is of this database, this file and this incarnation.
///
/// Errors: ORA-01122 with ORA-01206 or ORA-01203; ORA-01190 for a file from another incarnation.
pub fn check_identity(control: &Control, file: &DataFile) -> OraResult<()> {
    let header = &file.header;
    let failed = |code: u32, why: &str| {
        let stack = OraError::new(
            1122,
            format!("database file {} failed verification check", file.number),
        );
        Err(name_file(stack, file.number, &file.path).and(code, why))
    };
    if header.dbid != control.dbid {
        return failed(
            1206,
            "file is not part of this database - wrong database id",
        );
    }
    let record = control
        .datafiles
        .iter()
        .find(|record| record.number == file.number);
    let creation = record.map(|record| record.creation_scn);
    if u32::from(header.file_number) != file.number || creation != Some(header.creation_scn.get()) {
        return failed(1203, "wrong incarnation of this file - wrong creation SCN");
    }
    let known = control.incarnation().resetlogs();
    let planned = control
        .planned_incarnation
        .map(|incarnation| incarnation.resetlogs());
    if header.resetlogs != known && Some(header.resetlogs) != planned {
        let text = format!(
            "control file or data file {} is from before the last RESETLOGS",
            file.number
        );
        return Err(name_file(
            OraError::new(1190, text),
            file.number,
            &file.path,
        ));
    }
    Ok(())
}

/// ORA-01207 for a file that the control file is too old for.
pub fn newer_than_control(file: &DataFile) -> OraError {
    let stack = OraError::new(
        1122,
        format!("database file {} failed verification check", file.number),
    );
    name_file(stack, file.number, &file.path).and(
        1207,
        "file is more recent than control file - old control file",
    )
}
