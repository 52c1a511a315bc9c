//! Where the tools find the database and put their logs.
//! What lives here: the environment variables and their defaults. What does not: the profile.

use std::path::{Path, PathBuf};

/// The variables that the tools use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// ORACLE_SID.
    pub sid: String,
    /// ORACLE_HOME.
    pub oracle_home: PathBuf,
    /// SAPDATA_HOME.
    pub sapdata_home: PathBuf,
    /// SAPBACKUP, else `sapbackup` below SAPDATA_HOME: logs of brbackup, brrestore, brrecover.
    pub sapbackup: PathBuf,
    /// SAPARCH, else `saparch`: logs of brarchive.
    pub saparch: PathBuf,
    /// SAPREORG, else `sapreorg`.
    pub sapreorg: PathBuf,
}

/// A variable that is missing, set to nonsense, or set where it must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFault {
    /// BR number: 151 must not be set, 152 is not set, 282 is no directory, 9044 what `what` says.
    pub number: u16,
    /// Variable, directory, or what is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// The command line for the log; bytes that are no UTF-8 are shown as such and are no reason to stop.
pub fn command_line() -> String {
    std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

impl Environment {
    /// Reads the variables with `get`. All faults are found, not only the first.
    pub fn read(
        get: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Environment, Vec<EnvironmentFault>> {
        let mut faults = Vec::new();
        let value = |name: &str| get(name).filter(|value| !value.is_empty());
        let mut needed = |name: &str, hint: &str| {
            value(name).unwrap_or_else(|| {
                faults.push(EnvironmentFault {
                    number: 152,
                    what: name.to_string(),
                    hint: hint.to_string(),
                });
                String::new()
            })
        };
        let sid = needed(
            "ORACLE_SID",
            "export ORACLE_SID=<the instance>, for example SND",
        );
        let oracle_home = PathBuf::from(needed(
            "ORACLE_HOME",
            "export ORACLE_HOME=<the directory with bin/sqlplus>",
        ));
        let sapdata_home = PathBuf::from(needed(
            "SAPDATA_HOME",
            "export SAPDATA_HOME=<the directory with sapdata1 and sapbackup>",
        ));
        if value("TWO_TASK").is_some() {
            let hint = "unset TWO_TASK: it would send sqlplus to another database".to_string();
            faults.push(EnvironmentFault {
                number: 151,
                what: "TWO_TASK".to_string(),
                hint,
            });
        }
        if !sid.is_empty()
            && (sid.len() > 16 || !sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        {
            faults.push(EnvironmentFault {
                number: 9044,
                what: format!("ORACLE_SID is '{sid}', which is not a valid SID"),
                hint: "letters, digits and '_' only, at most 16".to_string(),
            });
        }
        let below = |name: &str, directory: &str| {
            value(name).map_or_else(|| sapdata_home.join(directory), PathBuf::from)
        };
        let environment = Environment {
            sapbackup: below("SAPBACKUP", "sapbackup"),
            saparch: below("SAPARCH", "saparch"),
            sapreorg: below("SAPREORG", "sapreorg"),
            sid,
            oracle_home,
            sapdata_home,
        };
        if faults.is_empty() {
            faults.extend(environment.missing_directories());
        }
        if faults.is_empty() {
            Ok(environment)
        } else {
            Err(faults)
        }
    }

    /// Reads the process's own variables.
    pub fn of_process() -> Result<Environment, Vec<EnvironmentFault>> {
        Environment::read(&|name| std::env::var(name).ok())
    }

    /// `init<SID>.sap`, unless `-p` names another: a bare name is looked up in the same directory.
    pub fn profile(&self, option: Option<&str>) -> PathBuf {
        let directory = self.oracle_home.join("dbs");
        match option {
            None => directory.join(format!("init{}.sap", self.sid)),
            Some(name) if name.contains('/') => PathBuf::from(name),
            Some(name) => directory.join(name),
        }
    }

    /// `init<SID>.ora`.
    pub fn oracle_profile(&self) -> PathBuf {
        self.oracle_home.join(format!("dbs/init{}.ora", self.sid))
    }

    fn missing_directories(&self) -> Vec<EnvironmentFault> {
        [
            ("ORACLE_HOME", &self.oracle_home),
            ("SAPDATA_HOME", &self.sapdata_home),
            ("SAPBACKUP", &self.sapbackup),
            ("SAPARCH", &self.saparch),
        ]
        .into_iter()
        .filter(|(_, path)| !Path::is_dir(path))
        .map(|(name, path)| EnvironmentFault {
            number: 282,
            what: path.display().to_string(),
            hint: format!("create it, or set {name} to the right directory"),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let faults =
            Environment::read(&|name| (name == "TWO_TASK").then(|| "X".to_string())).unwrap_err();
        let named: Vec<_> = faults
            .iter()
            .map(|fault| (fault.number, fault.what.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                (152, "ORACLE_SID"),
                (152, "ORACLE_HOME"),
                (152, "SAPDATA_HOME"),
                (151, "TWO_TASK")
            ]
        );
    }

    #[test]
    fn a_sid_that_is_none_is_not_called_unset() {
        for sid in ["../x", "SND.x", "a b", "SEVENTEEN_LETTERS"] {
            let get = |name: &str| match name {
                "ORACLE_SID" => Some(sid.to_string()),
                "ORACLE_HOME" | "SAPDATA_HOME" => Some("/".to_string()),
                _ => None,
            };
            let faults = Environment::read(&get).unwrap_err();
            let [fault] = &faults[..] else {
                panic!("{sid}: {faults:?}")
            };
            let expected = format!("ORACLE_SID is '{sid}', which is not a valid SID");
            assert_eq!((fault.number, &fault.what), (9044, &expected));
        }
    }

    #[test]
    fn defaults_lie_below_sapdata_home() {
        let home = tempfile::tempdir().unwrap();
        for directory in ["sapbackup", "saparch"] {
            std::fs::create_dir(home.path().join(directory)).unwrap();
        }
        let path = home.path().display().to_string();
        let get = |name: &str| match name {
            "ORACLE_SID" => Some("SND".to_string()),
            "ORACLE_HOME" | "SAPDATA_HOME" => Some(path.clone()),
            _ => None,
        };
        let environment = Environment::read(&get).unwrap();
        assert_eq!(environment.saparch, home.path().join("saparch"));
        assert_eq!(
            environment.profile(None),
            home.path().join("dbs/initSND.sap")
        );
        assert_eq!(
            environment.profile(Some("weekly.sap")),
            home.path().join("dbs/weekly.sap")
        );
        assert_eq!(
            environment.profile(Some("/etc/x.sap")),
            Path::new("/etc/x.sap")
        );
    }
}
