//! The names that RMAN gives to files by `%U` and `%F`, which tell what the log does not: tablespace, database, DBID.
//! What lives here: taking such names apart. What does not: paths, and which file is where.

use serde::{Deserialize, Serialize};

/// What `data_D-<database>_I-<dbid>_TS-<tablespace>_FNO-<number>_<unique>` tells [V: image copies in published logs].
/// On Windows RMAN prints it in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyName {
    /// Name of the database.
    pub database: String,
    /// DBID.
    pub dbid: u64,
    /// Tablespace: no line of a backup set tells it.
    pub tablespace: String,
    /// Number of the data file.
    pub number: u32,
}

/// The last component of a path, whichever system wrote it. A backslash separates on Windows only.
pub(super) fn base_name(path: &str) -> &str {
    let separates: &[char] = if is_windows(path) {
        &['/', '\\']
    } else {
        &['/']
    };
    path.rsplit(separates).next().unwrap_or(path)
}

/// Whether a path is of Windows: it begins with a drive, or with the two backslashes of a share.
pub(super) fn is_windows(path: &str) -> bool {
    match path.as_bytes() {
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        [b'\\', b'\\', ..] => true,
        _ => false,
    }
}

/// Reads the name of an image copy of a data file. A format may put something before `data_D-`, and the names of
/// databases and tablespaces have underscores, so the parts are found by their marks.
pub(super) fn of_datafile(path: &str) -> Option<CopyName> {
    let name = base_name(path);
    let upper = name.to_ascii_uppercase();
    let database = upper.find("DATA_D-")? + "DATA_D-".len();
    let dbid = database + upper.get(database..)?.find("_I-")?;
    let tablespace = dbid + upper.get(dbid..)?.find("_TS-")?;
    let number = tablespace + upper.get(tablespace..)?.rfind("_FNO-")?;
    let after = name.get(number + "_FNO-".len()..)?;
    let digits = after.split('_').next()?;
    let found = CopyName {
        database: name.get(database..dbid)?.to_owned(),
        dbid: digits_only(name.get(dbid + "_I-".len()..tablespace)?)?,
        tablespace: name.get(tablespace + "_TS-".len()..number)?.to_owned(),
        number: u32::try_from(digits_only(digits)?).ok()?,
    };
    let named = !found.database.is_empty() && !found.tablespace.is_empty();
    named.then_some(found)
}

/// The DBID in the name of an autobackup by `%F`: `c-<dbid>-<YYYYMMDD>-<two hexadecimal digits>` [V]. A format may put
/// something before it.
pub(super) fn dbid_of_autobackup(path: &str) -> Option<u64> {
    let mut parts = base_name(path).split('-');
    let mark = parts.next()?;
    let dbid = digits_only(parts.next()?)?;
    let (day, count) = (parts.next()?, parts.next()?);
    let mark = mark.to_ascii_lowercase();
    let whole = (mark == "c" || mark.ends_with("_c"))
        && day.len() == 8
        && day.bytes().all(|byte| byte.is_ascii_digit())
        && count.len() == 2
        && count.bytes().all(|byte| byte.is_ascii_hexdigit())
        && parts.next().is_none();
    whole.then_some(dbid)
}

/// A number of digits and nothing else: `parse` alone would take a sign.
pub(super) fn digits_only(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_image_copy_tells_database_dbid_tablespace_and_number() {
        let told = |path| {
            let name: CopyName = of_datafile(path)?;
            Some((name.database, name.dbid, name.tablespace, name.number))
        };
        let expect = |database: &str, dbid, tablespace: &str, number| {
            Some((database.to_owned(), dbid, tablespace.to_owned(), number))
        };
        assert_eq!(
            told("/local/m/data_D-PRD_I-1234567890_TS-PSAPSR3_FNO-12_0ab1cd2e"),
            expect("PRD", 1_234_567_890, "PSAPSR3", 12)
        );
        assert_eq!(
            told("D:\\M\\DATA_D-PRD_I-12_TS-MY_TS_FNO-3_0A"),
            expect("PRD", 12, "MY_TS", 3)
        );
        assert_eq!(
            told("df_data_D-MY_DB_I-12_TS-A_FNO-1_TS-B_FNO-3_0A"),
            expect("MY_DB", 12, "A_FNO-1_TS-B", 3)
        );
        for no_such_name in [
            "",
            "/",
            "data_D-",
            "data_D-PRD_I-x_TS-A_FNO-1_0",
            "data_D-PRD_I-+1_TS-A_FNO-1_0",
            "data_D-PRD_I-1_TS-A_FNO-99999999999_0",
            "data_D-PRD_I-1_TS-_FNO-1_0",
            "data_D-_I-1_TS-A_FNO-1_0",
            "data_D-é_I_TS-é",
            "/data_D-PRD_I-1_TS-A_FNO-1_0/x",
        ] {
            assert_eq!(told(no_such_name), None, "{no_such_name}");
        }
    }

    #[test]
    fn the_name_of_an_autobackup_tells_the_dbid() {
        assert_eq!(dbid_of_autobackup("/m/c-4711-20261123-0f"), Some(4711));
        assert_eq!(dbid_of_autobackup("Z:\\M\\C-4711-20261123-0F"), Some(4711));
        assert_eq!(dbid_of_autobackup("/m/cf_c-4711-20261123-00"), Some(4711));
        for no_such_name in [
            "/m/c-4711-20261123-0f-1",
            "/m/c-4711-2026112-0f",
            "/m/c--20261123-0f",
            "/m/d-4711-20261123-0f",
            "/m/c-4711-20261123-0g",
            "c-4711",
        ] {
            assert_eq!(dbid_of_autobackup(no_such_name), None, "{no_such_name}");
        }
    }
}
