//! FORMAT: the names of pieces and image copies.
//! What lives here: the variables and what they stand for. What does not: whether a name is free (`output`).

use std::path::{Path, PathBuf};

use oracle::time::OracleTime;

use crate::engine::control::DatafileRecord;
use crate::engine::error::{OraError, OraResult};
use crate::engine::home::Home;

/// Longest name that a format may become, in bytes.
const NAME_BYTES_MAX: usize = 2000;

/// What the variables of a format stand for.
#[derive(Debug, Clone)]
pub struct Naming<'a> {
    /// Database name, %d.
    pub database: &'a str,
    /// Database id, %I.
    pub dbid: u32,
    /// When, %T %D %M %Y; its number is %t.
    pub time: OracleTime,
    /// Set number, %s.
    pub set: u32,
    /// What is named, which decides %U.
    pub of: Named<'a>,
    /// Count of autobackups of the day, the end of %F.
    pub autobackup: u8,
}

/// What gets a name.
#[derive(Debug, Clone, Copy)]
pub enum Named<'a> {
    /// A piece of a backup set.
    Piece,
    /// An image copy of a data file, with the name of its tablespace.
    Datafile(&'a DatafileRecord, &'a str),
    /// An image copy of the control file.
    Controlfile,
}

impl Naming<'_> {
    /// The path that a format stands for: `?` is ORACLE_HOME, a relative one lies in its `dbs`.
    ///
    /// # Errors
    /// ORA-19715 for a variable that does not exist or stands for nothing here, ORA-19704 for a name that is too long.
    pub fn path(&self, home: &Home, format: &str) -> OraResult<PathBuf> {
        let name = self.expand(format)?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
            return Err(OraError::new(
                19704,
                "file name exceeds maximum length or is empty",
            ));
        }
        Ok(absolute(home, Path::new(&name)))
    }

    fn expand(&self, format: &str) -> OraResult<String> {
        let mut name = String::new();
        let mut characters = format.chars();
        while let Some(character) = characters.next() {
            match character {
                '%' => name.push_str(&self.variable(characters.next().unwrap_or(' '), format)?),
                other => name.push(other),
            }
        }
        Ok(name)
    }

    fn variable(&self, variable: char, format: &str) -> OraResult<String> {
        let (year, month, day, ..) = self.time.civil();
        let invalid = || {
            OraError::new(
                19715,
                format!("invalid format {variable} for generated name in \"{format}\""),
            )
        };
        Ok(match (variable, self.of) {
            ('%', _) => "%".to_owned(),
            ('d', _) => self.database.to_owned(),
            ('n', _) => format!("{:x<8}", self.database),
            ('I', _) => self.dbid.to_string(),
            ('T', _) => format!("{year:04}{month:02}{day:02}"),
            ('Y', _) => format!("{year:04}"),
            ('M', _) => format!("{month:02}"),
            ('D', _) => format!("{day:02}"),
            ('s', _) => self.set.to_string(),
            ('t', _) => self.time.raw().to_string(),
            ('p' | 'c', _) => "1".to_owned(),
            ('u', _) => short_id(self.set, self.time),
            ('F', _) => format!(
                "c-{}-{year:04}{month:02}{day:02}-{:02x}",
                self.dbid, self.autobackup
            ),
            ('U', Named::Piece) => self.expand("%u_%p_%c")?,
            ('U', Named::Datafile(..)) => self.expand("data_D-%d_I-%I_TS-%N_FNO-%f_%u")?,
            ('U', Named::Controlfile) => self.expand("cf_D-%d_id-%I_%u")?,
            ('f', Named::Datafile(file, _)) => file.number.to_string(),
            ('N', Named::Datafile(_, tablespace)) => tablespace.to_owned(),
            ('b', Named::Datafile(file, _)) => base_name(&file.path),
            _ => return Err(invalid()),
        })
    }
}

/// The name of a file without its directory, %b.
pub fn base_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// %u: eight characters that no other set of this database gets again, made of set number and time.
fn short_id(set: u32, time: OracleTime) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let number = u64::from(set & 0x3ff) << 30 | u64::from(time.raw() & 0x3fff_ffff);
    (0..8)
        .rev()
        .map(|place| char::from(DIGITS[(number >> (5 * place) & 31) as usize]))
        .collect()
}

/// A file name as the server understands it: `?` is ORACLE_HOME, and what is relative lies in its `dbs`.
pub fn absolute(home: &Home, path: &Path) -> PathBuf {
    match path.strip_prefix("?") {
        Ok(rest) => home.path.join(rest),
        Err(_) => home.path.join("dbs").join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::control::CheckpointRecord;

    fn file() -> DatafileRecord {
        DatafileRecord {
            number: 5,
            tablespace: 2,
            path: "/oracle/SND/sapdata2/40bi.data2".into(),
            blocks: 9,
            creation_scn: 1,
            creation_time: 1,
            checkpoint: CheckpointRecord::default(),
            checkpoint_count: 1,
            online: true,
            backup: (0, 0),
            in_backup: false,
        }
    }

    fn naming(of: Named<'_>) -> Naming<'_> {
        Naming {
            database: "SND",
            dbid: 4711,
            time: OracleTime::from_civil(2026, 3, 7, 1, 44, 38).unwrap(),
            set: 33,
            of,
            autobackup: 0x1f,
        }
    }

    #[test]
    fn variables_stand_for_what_is_documented() {
        let piece = naming(Named::Piece);
        let home = Home::new("/oracle/SND", "SND");
        let name = |format: &str| piece.path(&home, format).unwrap().display().to_string();
        assert_eq!(
            name("/m/%d_%I_%T_%s_%p_%c_%t"),
            "/m/SND_4711_20260307_33_1_1_1227231878"
        );
        assert_eq!(name("/m/%F"), "/m/c-4711-20260307-1f");
        assert_eq!(name("/m/%n%%"), "/m/SNDxxxxx%");
        assert_eq!(name("?/sapbackup/x"), "/oracle/SND/sapbackup/x");
        let unique = name("%U");
        let (directory, rest) = unique.rsplit_once('/').unwrap();
        assert_eq!(directory, "/oracle/SND/dbs");
        assert_eq!((rest.len(), &rest[8..]), (12, "_1_1"));
        let record = file();
        let copy = naming(Named::Datafile(&record, "PSAP40BI"));
        let name = copy.path(&home, "/m/%U").unwrap().display().to_string();
        assert!(
            name.starts_with("/m/data_D-SND_I-4711_TS-PSAP40BI_FNO-5_"),
            "{name}"
        );
        assert_eq!(copy.expand("%b %f %N").unwrap(), "40bi.data2 5 PSAP40BI");
    }

    #[test]
    fn short_ids_differ_by_set_and_by_second() {
        let time = OracleTime::from_raw(1_227_231_878);
        let first = short_id(1, time);
        assert_eq!(first.len(), 8);
        assert_ne!(first, short_id(2, time));
        assert_ne!(first, short_id(1, OracleTime::from_raw(time.raw() + 1)));
    }

    #[test]
    fn unknown_variables_and_endless_names_are_refused() {
        let piece = naming(Named::Piece);
        let home = Home::new("/oracle/SND", "SND");
        for format in ["/m/%q", "/m/%", "/m/%N", "/m/%b"] {
            assert_eq!(
                piece.path(&home, format).unwrap_err().code(),
                19715,
                "{format}"
            );
        }
        assert_eq!(
            piece.path(&home, &"x".repeat(3000)).unwrap_err().code(),
            19704
        );
    }
}
