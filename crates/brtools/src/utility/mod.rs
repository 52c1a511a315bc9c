//! A backup utility, called as BR*Tools call one: `backint -u <SID> -f backup -i <list> …`, its answers read line by line.
//! What lives here: the call, and whether each file was answered for. What does not: which files, and what the log says.
//!
//! The list of objects goes through a file in `sapbackup`, the answers come on standard output. The interface is that of
//! backint for Oracle: options -u -f -t -p -i -c, one object a line; see `answer` for what comes back.

mod answer;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use answer::{Answer, AnswerFault, read_answers};

use crate::durable;
use crate::interrupt::Interrupt;
use crate::watched_child::{ChildEnd, WatchedChild};

/// Most that a utility may say in one call, in bytes: 255 bytes for each of 65,536 files.
pub const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// Longest external backup id, in bytes.
pub const ID_BYTES_MAX: usize = 16;
/// Longest name of a file in a list, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// How often the utility is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// What a utility is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Save files.
    Backup,
    /// Bring files back.
    Restore,
    /// Tell what it has.
    Inquire,
}

impl Function {
    /// The word of `-f`.
    pub const fn word(self) -> &'static str {
        match self {
            Function::Backup => "backup",
            Function::Restore => "restore",
            Function::Inquire => "inquire",
        }
    }
}

/// Where a utility is and how it is called in this run.
#[derive(Debug, Clone)]
pub struct Utility {
    /// The program: `backint` of `util_path`, or as the search path finds it.
    pub program: PathBuf,
    /// `-u`: the SID.
    pub user: String,
    /// `-p`: `util_par_file` or `-r`.
    pub parameter_file: Option<PathBuf>,
    /// `util_options`, word by word, after the standard ones.
    pub options: Vec<String>,
    /// `-c`: nobody is there to answer questions.
    pub is_unattended: bool,
    /// `BI_CALLER`: the tool's name in capitals.
    pub caller: &'static str,
    /// Directory for the list of objects.
    pub work_directory: PathBuf,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The command as a person would type it.
    pub command_line: String,
    /// Exit status: 0 all done, 1 done with warnings, 2 not all done.
    pub code: i32,
    /// All that it said.
    pub output: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A name that a list cannot hold.
    #[error("'{}' cannot be given to a backup utility: {why}. HINT: rename it, or save it to disk or tape", name.escape_debug())]
    Name {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// The list cannot be written.
    #[error("list of files {}: {source}. HINT: see permissions and space of the directory", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The program cannot be started.
    #[error("{}: {source}. HINT: util_path names the directory of backint", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It said more than can be kept.
    #[error(
        "{0} said more than {OUTPUT_BYTES_MAX} bytes. HINT: what it saved cannot be known; make it say less"
    )]
    TooMuch(String),
    /// A signal asked the run to stop; the utility has been killed.
    #[error("stopped by signal {signal}")]
    Interrupted {
        /// Which.
        signal: i32,
    },
}

impl Utility {
    /// Calls it and waits for its end. `name` tells the list of this run from others; the list is removed afterwards.
    pub fn call(
        &self,
        function: Function,
        lines: &[String],
        name: &str,
        interrupt: &Interrupt,
    ) -> Result<Called, CallError> {
        let list = self.work_directory.join(format!(".{name}.lst"));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        durable::replace(&list, text.as_bytes()).map_err(|source| CallError::List {
            path: list.clone(),
            source,
        })?;
        let called = self.run(function, &list, interrupt);
        // The utility has read it; one that stays is written over by the next run of this id, of which there is none.
        drop(std::fs::remove_file(&list));
        called
    }

    fn run(
        &self,
        function: Function,
        list: &Path,
        interrupt: &Interrupt,
    ) -> Result<Called, CallError> {
        let words = self.words(function, list);
        let caller: &OsStr = self.caller.as_ref();
        let variables = [("BI_CALLER", caller), ("BI_REQUEST", "NEW".as_ref())];
        let mut child =
            WatchedChild::start(&words, &variables, OUTPUT_BYTES_MAX).map_err(|source| {
                CallError::Start {
                    program: self.program.clone(),
                    source,
                }
            })?;
        let end = wait(&mut child, interrupt)?;
        let command_line = child.command_line().to_owned();
        if end.is_cut {
            return Err(CallError::TooMuch(command_line));
        }
        Ok(Called {
            command_line,
            code: end.code,
            output: end.output,
        })
    }

    fn words(&self, function: Function, list: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![
            self.program.clone().into(),
            "-u".into(),
            self.user.clone().into(),
            "-f".into(),
            function.word().into(),
            "-i".into(),
            list.into(),
            "-t".into(),
            "file".into(),
        ];
        if let Some(file) = &self.parameter_file {
            words.extend(["-p".into(), file.clone().into()]);
        }
        if self.is_unattended {
            words.push("-c".into());
        }
        words.extend(self.options.iter().map(OsString::from));
        words
    }
}

fn wait(child: &mut WatchedChild, interrupt: &Interrupt) -> Result<ChildEnd, CallError> {
    loop {
        if let Some(signal) = interrupt.signal() {
            return Err(CallError::Interrupted { signal });
        }
        if let Some(end) = child.try_end() {
            return Ok(end);
        }
        std::thread::sleep(PAUSE);
    }
}

/// A path as a line of a list: one word, not too long. A blank would be read as the end of the name.
pub fn object(path: &Path) -> Result<String, CallError> {
    let name = path.to_string_lossy().into_owned();
    let why = if path.to_str().is_none() {
        "it is no UTF-8"
    } else if name.len() > NAME_BYTES_MAX {
        "it is longer than 255 bytes"
    } else if name
        .chars()
        .any(|letter| letter.is_whitespace() || letter.is_control())
    {
        "it has blanks or control characters, which end a name in its list"
    } else {
        return Ok(name);
    };
    Err(CallError::Name { name, why })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn utility(directory: &Path, script: &str) -> Utility {
        let program = directory.join("backint");
        fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Utility {
            program,
            user: "SND".into(),
            parameter_file: Some("/oracle/SND/dbs/initSND.utl".into()),
            options: vec!["-x".into()],
            is_unattended: true,
            caller: "BRBACKUP",
            work_directory: directory.to_owned(),
        }
    }

    fn call(utility: &Utility, interrupt: &Interrupt) -> Result<Called, CallError> {
        let lines = ["/a".to_owned(), "/b".to_owned()];
        utility.call(Function::Backup, &lines, "bfvczabc", interrupt)
    }

    #[test]
    fn it_gets_its_options_its_list_and_its_caller() {
        let directory = tempfile::tempdir().unwrap();
        let script = "echo \"$@\"; echo $BI_CALLER; cat \"$6\"; exit 1";
        let called = call(&utility(directory.path(), script), &Interrupt::never()).unwrap();
        let list = directory.path().join(".bfvczabc.lst");
        let expected = format!(
            "-u SND -f backup -i {} -t file -p /oracle/SND/dbs/initSND.utl -c -x\nBRBACKUP\n/a\n/b\n",
            list.display()
        );
        assert_eq!((called.code, called.output), (1, expected));
        assert!(called.command_line.contains("backint -u SND -f backup"));
        assert!(!list.exists());
    }

    #[test]
    fn one_that_is_not_there_is_told_by_its_code_and_one_that_floods_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut missing = utility(directory.path(), "");
        missing.program = "/nowhere/backint".into();
        let called = call(&missing, &Interrupt::never()).unwrap();
        assert_eq!(called.code, 127, "{}", called.output);
        let flood = utility(directory.path(), "head -c 17000000 /dev/zero");
        assert!(matches!(
            call(&flood, &Interrupt::never()),
            Err(CallError::TooMuch(_))
        ));
    }

    #[test]
    fn a_signal_ends_it() {
        let directory = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::never();
        interrupt.raise(15);
        let endless = utility(directory.path(), "exec tail -f /dev/null");
        assert!(matches!(
            call(&endless, &interrupt),
            Err(CallError::Interrupted { signal: 15 })
        ));
    }

    #[test]
    fn names_that_a_list_cannot_hold_are_refused() {
        assert_eq!(object(Path::new("/oracle/ü")).unwrap(), "/oracle/ü");
        for name in ["/a b", "/a\nb", "/a\tb", &format!("/{}", "x".repeat(255))] {
            assert!(object(Path::new(name)).is_err(), "{name:?}");
        }
    }
}
