//! The instance's parameter file `init<SID>.ora`.
//! What lives here: reading, defaults, bounds. What does not: what the parameters do.

use std::path::PathBuf;

use super::error::{OraError, OraResult};
use super::home::Home;

/// Largest parameter file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The parameters of an instance, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// Name and value of each parameter, in the order of V$PARAMETER.
    pub all: Vec<(String, String)>,
    /// `db_name`.
    pub db_name: String,
    /// `control_files`.
    pub control_files: Vec<PathBuf>,
    /// `db_cache_size` in bytes.
    pub cache_bytes: u64,
    /// `log_archive_dest`.
    pub archive_destination: PathBuf,
    /// `log_archive_format` with `%t`, `%s`, `%r`.
    pub archive_format: String,
    /// `log_checkpoint_timeout` in seconds: the longest time between two checkpoints.
    pub checkpoint_seconds: u64,
    /// `_torn_write_pause_us`: pause between the two halves of the blocks of one write, in microseconds.
    pub torn_pause_microseconds: u64,
}

impl Parameters {
    /// Reads the file. Missing file: ORA-01078 with LRM-00109's sense; a bad value: ORA-01078 naming it.
    pub fn read(home: &Home) -> OraResult<Parameters> {
        let path = home.parameter_file();
        let failed = |why: String| {
            OraError::new(1078, "failure in processing system parameters").and(
                109,
                format!("could not open parameter file '{}': {why}", path.display()),
            )
        };
        let length = std::fs::metadata(&path)
            .map_err(|e| failed(e.to_string()))?
            .len();
        if length > FILE_BYTES_MAX {
            return Err(failed(format!(
                "{length} bytes, more than {FILE_BYTES_MAX}"
            )));
        }
        let text = std::fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
        Parameters::parse(home, &text)
    }

    /// Parses the text of a parameter file; `?` is ORACLE_HOME and `@` the SID.
    pub fn parse(home: &Home, text: &str) -> OraResult<Parameters> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(bad(format!(
                    "line {} of the parameter file is not 'name = value'",
                    index + 1
                )));
            };
            let name = name.trim().trim_start_matches("*.").to_lowercase();
            let value = value
                .trim()
                .replace('?', &home.path.display().to_string())
                .replace('@', &home.sid);
            given.retain(|(known, _)| *known != name);
            given.push((name, value));
        }
        build(home, given)
    }

    /// Name of the archived log with this sequence of thread 1.
    ///
    /// The first incarnation uses `log_archive_format` as it is. Later ones restart at sequence 1, so their names
    /// carry the resetlogs id as well, which Oracle demands of the format since 10g.
    pub fn archived_log_name(
        &self,
        sequence: u32,
        resetlogs_id: u32,
        first_incarnation: bool,
    ) -> PathBuf {
        let mut format = self.archive_format.clone();
        if !format.contains("%r") && !first_incarnation {
            format = match format.rsplit_once('.') {
                Some((stem, extension)) => format!("{stem}_%r.{extension}"),
                None => format!("{format}_%r"),
            };
        }
        let name = format
            .replace("%t", "1")
            .replace("%s", &sequence.to_string())
            .replace("%r", &resetlogs_id.to_string());
        self.archive_destination.join(name)
    }
}

fn bad(what: String) -> OraError {
    OraError::new(1078, "failure in processing system parameters").and(32700, what)
}

fn build(home: &Home, given: Vec<(String, String)>) -> OraResult<Parameters> {
    let value = |name: &str| {
        given
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let size = |name: &str, default: u64| -> OraResult<u64> {
        match value(name) {
            None => Ok(default),
            Some(text) => parse_size(&text)
                .ok_or_else(|| bad(format!("parameter {name}: '{text}' is not a number"))),
        }
    };
    let unquote = |text: &str| text.trim().trim_matches(['\'', '"']).to_string();
    let control_files = match value("control_files") {
        None => home.control_files(),
        Some(list) => list
            .trim_matches(['(', ')'])
            .split(',')
            .map(|item| PathBuf::from(unquote(item)))
            .collect(),
    };
    if control_files.is_empty() || control_files.len() > 8 {
        return Err(OraError::new(
            208,
            "number of control file names exceeds limit of 8",
        ));
    }
    let archive_destination = match value("log_archive_dest") {
        None => home.path.join("saparch"),
        Some(text) => PathBuf::from(unquote(&text)),
    };
    let archive_format = value("log_archive_format")
        .map_or_else(|| format!("{}arch%t_%s.dbf", home.sid), |f| unquote(&f));
    if !archive_format.contains("%s") || archive_format.contains('/') {
        return Err(OraError::new(
            19905,
            format!("log_archive_format '{archive_format}' must contain %s"),
        ));
    }
    let parameters = Parameters {
        db_name: value("db_name").map_or_else(|| home.sid.clone(), |name| unquote(&name)),
        control_files,
        cache_bytes: size("db_cache_size", 16 << 20)?.max(4 << 20),
        archive_destination,
        archive_format,
        checkpoint_seconds: size("log_checkpoint_timeout", 3)?.max(1),
        torn_pause_microseconds: size("_torn_write_pause_us", 2_000)?.min(1_000_000),
        all: Vec::new(),
    };
    Ok(Parameters {
        all: shown(home, &parameters, given),
        ..parameters
    })
}

fn shown(
    home: &Home,
    parameters: &Parameters,
    given: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let join = |paths: &[PathBuf]| {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut all = vec![
        (
            "background_dump_dest".to_string(),
            home.path.join("saptrace/background").display().to_string(),
        ),
        ("compatible".to_string(), "19.0.0".to_string()),
        ("control_files".to_string(), join(&parameters.control_files)),
        ("db_block_checksum".to_string(), "TYPICAL".to_string()),
        ("db_block_size".to_string(), "8192".to_string()),
        (
            "db_cache_size".to_string(),
            parameters.cache_bytes.to_string(),
        ),
        ("db_name".to_string(), parameters.db_name.clone()),
        ("db_unique_name".to_string(), parameters.db_name.clone()),
        ("instance_name".to_string(), home.sid.clone()),
        (
            "log_archive_dest".to_string(),
            parameters.archive_destination.display().to_string(),
        ),
        (
            "log_archive_format".to_string(),
            parameters.archive_format.clone(),
        ),
        (
            "log_checkpoint_timeout".to_string(),
            parameters.checkpoint_seconds.to_string(),
        ),
        ("spfile".to_string(), String::new()),
    ];
    for (name, value) in given {
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, value));
        }
    }
    all.sort();
    all
}

/// A whole number with an optional `K`, `M` or `G`.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1u64 << 10),
        'm' | 'M' => (&text[..text.len() - 1], 1 << 20),
        'g' | 'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home::new("/oracle/SND", "SND")
    }

    #[test]
    fn defaults_fill_what_the_file_does_not_say() {
        let parameters = Parameters::parse(&home(), "db_cache_size = 32M # bigger\n").unwrap();
        assert_eq!(parameters.cache_bytes, 32 << 20);
        assert_eq!(parameters.control_files.len(), 2);
        assert_eq!(
            parameters.archived_log_name(962, 7, true),
            PathBuf::from("/oracle/SND/saparch/SNDarch1_962.dbf")
        );
        assert_eq!(
            parameters.archived_log_name(1, 7, false),
            PathBuf::from("/oracle/SND/saparch/SNDarch1_1_7.dbf")
        );
    }

    #[test]
    fn home_and_sid_are_written_as_question_mark_and_at_sign() {
        let parameters =
            Parameters::parse(&home(), "control_files = (?/a/cntrl@.dbf, ?/b/cntrl@.dbf)").unwrap();
        assert_eq!(
            parameters.control_files[1],
            PathBuf::from("/oracle/SND/b/cntrlSND.dbf")
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = Parameters::parse(&home(), "db_cache_size = plenty").unwrap_err();
        assert!(error.to_string().contains("db_cache_size"), "{error}");
        assert!(Parameters::parse(&home(), "just words").is_err());
        assert!(Parameters::parse(&home(), "log_archive_format = fixed.dbf").is_err());
    }
}
