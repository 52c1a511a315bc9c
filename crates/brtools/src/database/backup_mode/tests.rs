//! Backup modes against a small model of an instance that can lose answers, die and be used by others.
//! What lives here: the model and the tests. What does not: kill -9 of the real tool, which the tests of the binary do.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use oracle::scn::Scn;
use oracle::sqlplus::{Conversation, SqlplusError};

use super::*;
use crate::database::Connector;

const DBID: u32 = 99;

/// What happens to the next statement that contains the text.
#[derive(Clone, Copy)]
enum Fault {
    /// The statement is not executed; the session is lost.
    LostBefore,
    /// The statement is executed; its answer and the session are lost.
    LostAfter,
    /// Refused with this number.
    Refused(u32),
}

struct Model {
    directory: tempfile::TempDir,
    status: &'static str,
    controlfile_type: &'static str,
    scn: u64,
    /// Active files with SCN and time of their BEGIN.
    active: BTreeMap<u32, (u64, OracleTime)>,
    faults: VecDeque<(&'static str, Fault)>,
    log: Vec<String>,
}

/// Tablespace A has files 1 and 2, B has file 3.
const FILES: [(u32, &str, u32); 3] = [(1, "A", 1), (1, "A", 2), (2, "B", 3)];

#[derive(Clone)]
struct Instance(Rc<RefCell<Model>>);

impl Instance {
    fn new() -> Instance {
        let directory = tempfile::tempdir().unwrap();
        for (_, _, file) in FILES {
            std::fs::write(directory.path().join(format!("f{file}")), "").unwrap();
        }
        let model = Model {
            directory,
            status: "OPEN",
            controlfile_type: "CURRENT",
            scn: 1000,
            active: BTreeMap::new(),
            faults: VecDeque::new(),
            log: Vec::new(),
        };
        Instance(Rc::new(RefCell::new(model)))
    }

    fn database(&self) -> Database {
        Database::new("SND", self.clone())
    }

    fn directory(&self) -> PathBuf {
        self.0.borrow().directory.path().to_owned()
    }

    fn modes(&self) -> BackupModes {
        BackupModes::new(&self.directory(), "SND", "bczhvugd", DBID)
    }

    fn tablespace(&self, name: &str) -> Tablespace {
        let inventory = self.database().inventory().unwrap();
        inventory
            .tablespaces
            .into_iter()
            .find(|tablespace| tablespace.name == name)
            .unwrap()
    }

    fn fault(&self, part: &'static str, fault: Fault) {
        self.0.borrow_mut().faults.push_back((part, fault));
    }

    fn active(&self) -> Vec<u32> {
        self.0.borrow().active.keys().copied().collect()
    }

    fn begin_as_somebody_else(&self, files: &[u32]) {
        let mut model = self.0.borrow_mut();
        model.scn += 1;
        let begun = (model.scn, OracleTime::now());
        model.active.extend(files.iter().map(|file| (*file, begun)));
    }

    fn end_as_somebody_else(&self) {
        self.0.borrow_mut().active.clear();
    }

    /// What kill -9 does: the guard does not run.
    fn begin_and_die(&self, name: &str) {
        let tablespace = self.tablespace(name);
        let (mut modes, mut database) = (self.modes(), self.database());
        let mode = modes.begin(&mut database, &tablespace).unwrap();
        let mut mode = std::mem::ManuallyDrop::new(mode);
        mode.over = true;
    }

    fn heal(&self) -> Result<Option<Healed>, DatabaseError> {
        heal(&mut self.database(), &self.directory())
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let healed = self.heal().unwrap().expect("a journal is there");
        assert_eq!(healed.action, "bczhvugd");
        healed
            .findings
            .into_iter()
            .map(|finding| finding.outcome)
            .collect()
    }

    fn has_journal(&self) -> bool {
        is_journal_present(&self.directory(), "SND")
    }
}

impl Connector for Instance {
    fn connect(&mut self) -> Result<Box<dyn Conversation>, SqlplusError> {
        Ok(Box::new(self.clone()))
    }
}

impl Conversation for Instance {
    fn converse(&mut self, statement: &str, _: Duration) -> Result<Vec<String>, SqlplusError> {
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let lost = SqlplusError::Died {
            statement: statement.clone(),
            status: "exit status 1".into(),
            last_words: String::new(),
        };
        let fault = self.next_fault(&statement);
        match fault {
            Some(Fault::LostBefore) => return Err(lost),
            Some(Fault::Refused(code)) => return Ok(vec![format!("ORA-{code:05}: refused")]),
            _ => {}
        }
        let answer = self.0.borrow_mut().execute(&statement);
        if matches!(fault, Some(Fault::LostAfter)) {
            Err(lost)
        } else {
            Ok(answer)
        }
    }

    fn statement_limit(&self) -> Duration {
        Duration::from_secs(1)
    }
}

impl Instance {
    fn next_fault(&self, statement: &str) -> Option<Fault> {
        let mut model = self.0.borrow_mut();
        let index = model
            .faults
            .iter()
            .position(|(part, _)| statement.contains(part))?;
        model.faults.remove(index).map(|(_, fault)| fault)
    }
}

impl Model {
    fn execute(&mut self, statement: &str) -> Vec<String> {
        let after = |head: &str, tail: &str| {
            statement
                .strip_prefix(head)?
                .strip_suffix(tail)
                .map(str::to_owned)
        };
        if let Some(name) = after("ALTER TABLESPACE ", " BEGIN BACKUP") {
            self.log.push(statement.to_owned());
            self.scn += 1;
            let begun = (self.scn, OracleTime::now());
            self.active
                .extend(files_of(&name).map(|file| (file, begun)));
            return Vec::new();
        }
        if let Some(name) = after("ALTER TABLESPACE ", " END BACKUP") {
            return self.end(statement, &files_of(&name).collect::<Vec<_>>());
        }
        if let Some(file) = after("ALTER DATABASE DATAFILE ", " END BACKUP") {
            return self.end(statement, &[file.parse().unwrap()]);
        }
        self.scn += 1;
        let from = statement
            .rsplit_once("FROM ")
            .expect("only queries are left")
            .1;
        match from.split(' ').next().unwrap() {
            "v$backup" => FILES
                .iter()
                .map(|(_, _, file)| self.backup_row(*file))
                .collect(),
            "v$instance" => vec![format!("|{}|", self.status)],
            "v$database" if statement.contains("current_scn") => vec![format!("|{}|", self.scn)],
            "v$database" => vec![format!(
                "|{DBID}|SND|ARCHIVELOG|{}|1|2026-01-01 00:00:00|",
                self.controlfile_type
            )],
            "v$datafile" => FILES
                .iter()
                .map(|(number, name, file)| self.file_row(*number, name, *file))
                .collect(),
            "v$controlfile" => vec!["|/o/cntrl.dbf|16384|10|".to_owned()],
            "v$log" => vec!["|1|1|1|1000|CURRENT|/o/log|".to_owned()],
            other => panic!("the model does not know {other}"),
        }
    }

    fn end(&mut self, statement: &str, files: &[u32]) -> Vec<String> {
        self.log.push(statement.to_owned());
        let before = self.active.len();
        self.active.retain(|file, _| !files.contains(file));
        if self.active.len() == before {
            vec!["ORA-01142: cannot end online backup".to_owned()]
        } else {
            Vec::new()
        }
    }

    fn backup_row(&self, file: u32) -> String {
        match self.active.get(&file) {
            Some((scn, time)) => format!("|{file}|ACTIVE|{scn}|{time}|"),
            None => format!("|{file}|NOT ACTIVE|0|\\z|"),
        }
    }

    fn file_row(&self, number: u32, name: &str, file: u32) -> String {
        let path = self.directory.path().join(format!("f{file}"));
        format!(
            "|{number}|{name}|{file}|{}|8192|8192|ONLINE|READ WRITE|",
            path.display()
        )
    }
}

fn files_of(tablespace: &str) -> impl Iterator<Item = u32> {
    FILES
        .into_iter()
        .filter(move |(_, name, _)| *name == tablespace)
        .map(|(_, _, file)| file)
}

#[test]
fn begin_and_end_leave_neither_backup_mode_nor_journal() {
    let instance = Instance::new();
    let tablespace = instance.tablespace("A");
    let (mut modes, mut database) = (instance.modes(), instance.database());
    let mode = modes.begin(&mut database, &tablespace).unwrap();
    assert_eq!(instance.active(), [1, 2]);
    assert!(instance.has_journal());
    mode.end().unwrap();
    assert!(instance.active().is_empty() && !instance.has_journal());
}

#[test]
fn a_dropped_guard_ends_the_backup_mode() {
    let instance = Instance::new();
    let tablespace = instance.tablespace("A");
    let (mut modes, mut database) = (instance.modes(), instance.database());
    drop(modes.begin(&mut database, &tablespace).unwrap());
    assert!(instance.active().is_empty() && !instance.has_journal());
}

#[test]
fn a_begin_whose_answer_was_lost_is_ended_and_one_that_never_ran_is_forgotten() {
    for fault in [Fault::LostAfter, Fault::LostBefore, Fault::Refused(1123)] {
        let instance = Instance::new();
        let tablespace = instance.tablespace("A");
        instance.fault("BEGIN BACKUP", fault);
        let (mut modes, mut database) = (instance.modes(), instance.database());
        assert!(modes.begin(&mut database, &tablespace).is_err());
        assert!(instance.active().is_empty() && !instance.has_journal());
    }
}

#[test]
fn an_end_whose_answer_was_lost_is_tried_again_until_it_is_over() {
    for fault in [Fault::LostAfter, Fault::LostBefore, Fault::Refused(1013)] {
        let instance = Instance::new();
        let tablespace = instance.tablespace("A");
        let (mut modes, mut database) = (instance.modes(), instance.database());
        let mode = modes.begin(&mut database, &tablespace).unwrap();
        instance.fault("END BACKUP", fault);
        mode.end().unwrap();
        assert!(instance.active().is_empty() && !instance.has_journal());
    }
}

#[test]
fn an_end_that_cannot_be_had_leaves_the_journal_to_the_next_run() {
    let instance = Instance::new();
    let tablespace = instance.tablespace("A");
    let (mut modes, mut database) = (instance.modes(), instance.database());
    let mode = modes.begin(&mut database, &tablespace).unwrap();
    for _ in 0..END_ATTEMPTS {
        instance.fault("END BACKUP", Fault::LostBefore);
    }
    assert!(mode.end().is_err());
    assert_eq!(instance.active(), [1, 2]);
    assert_eq!(instance.outcomes(), [Outcome::Ended]);
    assert!(instance.active().is_empty() && !instance.has_journal());
}

#[test]
fn a_tablespace_that_is_in_backup_mode_already_is_refused_and_left_alone() {
    let instance = Instance::new();
    let tablespace = instance.tablespace("A");
    instance.begin_as_somebody_else(&[2]);
    let (mut modes, mut database) = (instance.modes(), instance.database());
    let error = modes
        .begin(&mut database, &tablespace)
        .err()
        .expect("refused");
    assert!(
        matches!(&error, DatabaseError::AlreadyInBackup { tablespace, .. } if tablespace == "A"),
        "{error}"
    );
    assert_eq!(instance.active(), [2]);
    assert!(!instance.has_journal());
}

#[test]
fn what_a_killed_run_began_is_ended_by_the_next() {
    let instance = Instance::new();
    instance.begin_and_die("A");
    instance.begin_as_somebody_else(&[3]);
    assert_eq!(instance.outcomes(), [Outcome::Ended]);
    assert_eq!(instance.active(), [3], "the other one's is left");
    assert_eq!(
        instance.0.borrow().log.last().unwrap(),
        "ALTER TABLESPACE A END BACKUP"
    );
    assert!(!instance.has_journal());
}

#[test]
fn a_backup_mode_begun_by_somebody_after_ours_was_ended_is_left_alone() {
    let instance = Instance::new();
    instance.begin_and_die("A");
    instance.end_as_somebody_else();
    instance.begin_as_somebody_else(&[1, 2]);
    assert!(matches!(
        instance.outcomes().as_slice(),
        [Outcome::SomebodyElses { .. }]
    ));
    assert_eq!(instance.active(), [1, 2]);
    assert!(!instance.has_journal(), "ours is over");
}

#[test]
fn a_begin_that_was_asked_for_and_not_noted_is_ours_only_if_time_and_scn_fit() {
    let asked = |instance: &Instance, scn: u64| {
        instance.begin_and_die("A");
        let path = journal::path_for(&instance.directory(), "SND");
        let mut noted = journal::read(&path).unwrap().unwrap();
        noted.entries[0]
            .files
            .iter_mut()
            .for_each(|file| file.state = EntryState::Asked(Scn::new(scn)));
        journal::write(&path, &noted).unwrap();
        (path, noted)
    };
    let instance = Instance::new();
    asked(&instance, 900);
    assert_eq!(instance.outcomes(), [Outcome::Ended]);

    let instance = Instance::new();
    asked(&instance, 900_000);
    assert!(
        matches!(
            instance.outcomes().as_slice(),
            [Outcome::SomebodyElses { .. }]
        ),
        "begun before it was asked for"
    );

    let instance = Instance::new();
    let (path, mut noted) = asked(&instance, 900);
    noted.entries[0].asked = OracleTime::from_civil(2020, 2, 28, 23, 59, 59).unwrap();
    journal::write(&path, &noted).unwrap();
    assert!(
        matches!(
            instance.outcomes().as_slice(),
            [Outcome::SomebodyElses { .. }]
        ),
        "begun long after it was asked for"
    );
    assert_eq!(instance.active(), [1, 2]);
}

#[test]
fn seconds_are_counted_over_the_end_of_a_month() {
    let from = OracleTime::from_civil(2026, 2, 28, 23, 59, 50).unwrap();
    let to = OracleTime::from_civil(2026, 3, 1, 0, 0, 5).unwrap();
    assert_eq!(seconds_between(from, to), 15);
}

#[test]
fn a_mounted_database_is_cured_file_by_file_when_the_files_are_the_live_ones() {
    let instance = Instance::new();
    instance.begin_and_die("A");
    instance.0.borrow_mut().status = "MOUNTED";
    assert_eq!(instance.outcomes(), [Outcome::Ended]);
    let log = instance.0.borrow().log.clone();
    assert_eq!(
        log[log.len() - 2..],
        [
            "ALTER DATABASE DATAFILE 1 END BACKUP",
            "ALTER DATABASE DATAFILE 2 END BACKUP"
        ]
    );
}

#[test]
fn a_restored_copy_is_never_taken_out_of_backup_mode() {
    for restore in [
        |directory: &Path| {
            std::fs::write(directory.join("copy"), "").unwrap();
            std::fs::rename(directory.join("copy"), directory.join("f2")).unwrap();
        },
        |directory: &Path| {
            let log = std::fs::File::create(directory.join("restSND.log")).unwrap();
            log.set_modified(std::time::SystemTime::now() + Duration::from_secs(5))
                .unwrap();
        },
    ] {
        let instance = Instance::new();
        instance.begin_and_die("A");
        instance.0.borrow_mut().status = "MOUNTED";
        restore(&instance.directory());
        let healed = instance.heal().unwrap().unwrap();
        assert!(
            matches!(healed.findings[0].outcome, Outcome::NotLive { .. })
                && healed.needs_attention()
        );
        assert_eq!(instance.active(), [1, 2]);
        assert!(instance.has_journal(), "the next start must know it still");
    }
}

#[test]
fn a_journal_of_another_database_or_over_a_restored_control_file_is_not_acted_on() {
    let instance = Instance::new();
    instance.begin_and_die("A");
    instance.0.borrow_mut().controlfile_type = "BACKUP";
    assert!(instance.heal().is_err());
    instance.0.borrow_mut().controlfile_type = "CURRENT";
    let path = journal::path_for(&instance.directory(), "SND");
    let mut foreign = journal::read(&path).unwrap().unwrap();
    foreign.dbid += 1;
    journal::write(&path, &foreign).unwrap();
    let error = instance.heal().unwrap_err();
    assert!(error.to_string().contains("HINT"), "{error}");
    assert_eq!(instance.active(), [1, 2]);
    assert!(instance.has_journal());
}

#[test]
fn without_a_journal_nothing_is_asked() {
    let instance = Instance::new();
    assert_eq!(instance.heal().unwrap(), None);
    assert!(instance.0.borrow().log.is_empty());
}
