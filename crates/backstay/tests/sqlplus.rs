//! Whole conversations with a running practice database, through the real binary under the name sqlplus.
//! What lives here: what a script, a tool and a person see. What does not: loads and judgements.

mod practice_database;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use oracle::sqlplus::{Conversation, SqlplusBuilder};
use practice::judge::Target;
use practice::protocol::{Answer, Client, Outcome, Request};
use practice_database::{Database, SID, wait_for_commits, wait_until};

/// Runs sqlplus with arguments and input of the test's own.
fn sqlplus(database: &Database, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(database.home.join("bin/sqlplus"))
        .args(arguments)
        .env("ORACLE_HOME", &database.home)
        .env("ORACLE_SID", SID)
        .env_remove("NLS_DATE_FORMAT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A logon that fails ends it before it reads anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn client(database: &Database) -> Client {
    Client::connect(&database.home, SID).unwrap()
}

fn execute(client: &mut Client, statement: &str) -> Result<Outcome, u32> {
    match client.request(&Request::Execute(statement.into())).unwrap() {
        Answer::Done(outcome) => Ok(outcome),
        Answer::Error(error) => Err(error.code()),
        other => panic!("{statement}: {other:?}"),
    }
}

/// A conversation that is held line by line.
struct Talk {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn begin(database: &Database) -> Talk {
        let mut child = Command::new(database.home.join("bin/sqlplus"))
            .args(["-S", "/ as sysdba"])
            .env("ORACLE_HOME", &database.home)
            .env("ORACLE_SID", SID)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Talk {
            child,
            input,
            output,
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Lines up to and with the one that contains `part`.
    fn hear_until(&mut self, part: &str) -> String {
        let mut heard = String::new();
        loop {
            let before = heard.len();
            assert!(
                self.output.read_line(&mut heard).unwrap() > 0,
                "no {part:?} in {heard}"
            );
            if heard[before..].contains(part) {
                return heard;
            }
        }
    }

    fn end(mut self) -> (i32, String) {
        drop(self.input);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }
}

#[test]
fn a_life_from_idle_to_idle() {
    let database = Database::create();
    let script = "startup\nselect status from v$instance;\narchive log list\n\
                  alter database begin backup;\nshutdown immediate\nalter database end backup;\n\
                  select status, count(*) from v$backup group by status;\nshutdown immediate\n\
                  select status from v$instance;\n";
    let output = sqlplus(&database, &["/", "as", "sysdba"], script);
    let said = text(&output);
    assert_eq!(status(&output), 0, "{said}");
    let in_order = [
        "Connected to an idle instance.",
        "SQL> ORACLE instance started.",
        "Total System Global Area",
        "Database mounted.",
        "Database opened.",
        "SQL> \nSTATUS\n------------\nOPEN\n",
        "SQL> Database log mode              Archive Mode\nAutomatic archival             Enabled\nArchive destination            ",
        "Oldest online log sequence     ",
        "Next log sequence to archive   ",
        "Current log sequence           ",
        "SQL> \nDatabase altered.\n",
        "SQL> ORA-01149: cannot shutdown - file 1 has online backup set\nORA-01110: data file 1: '",
        "SQL> \nDatabase altered.\n",
        "SQL> \nSTATUS               COUNT(*)\n------------------ ----------\nNOT ACTIVE                  7\n",
        "SQL> Database closed.\nDatabase dismounted.\nORACLE instance shut down.\n",
        "ERROR at line 1:\nORA-01034: ORACLE not available\n",
    ];
    let mut rest = said.as_str();
    for part in in_order {
        let place = rest
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in the rest of\n{said}"));
        rest = &rest[place + part.len()..];
    }
    assert_eq!(database.server(), None, "the server outlives SHUTDOWN");
}

#[test]
fn the_stages_of_a_startup_show_their_views() {
    let database = Database::create();
    let ask = "set heading off feedback off pagesize 0\nselect status from v$instance;\nselect name from v$database;\n\
               select count(*) from dba_data_files;\n";
    let said = database
        .sqlplus(&format!(
            "whenever sqlerror continue\nstartup nomount\n{ask}"
        ))
        .1;
    assert!(
        said.contains("STARTED") && said.contains("ORA-01507"),
        "{said}"
    );
    let said = database
        .sqlplus(&format!(
            "whenever sqlerror continue\nalter database mount;\n{ask}"
        ))
        .1;
    assert!(
        said.contains("MOUNTED") && said.contains(SID) && said.contains("ORA-01219"),
        "{said}"
    );
    let said = database.sqlplus("startup").1;
    assert!(said.contains("ORA-01081"), "{said}");
    let said = database
        .must("alter database open;\nselect count(*) from dba_data_files;\nshutdown immediate");
    assert!(said.contains("         7\n"), "{said}");
    let said = database.must("startup nomount\nshutdown immediate");
    assert!(
        said.contains("ORA-01507: database not mounted\n\n\nORACLE instance shut down."),
        "{said}"
    );
    let said = database.must("startup force mount\nshutdown immediate");
    assert!(
        said.contains("ORA-01109: database not open\n\n\nDatabase dismounted.\nORACLE instance"),
        "{said}"
    );
}

#[test]
fn errors_of_a_running_instance_set_the_exit_status() {
    let database = Database::open();
    let run = |script: &str| sqlplus(&database, &["-S", "-L", "/", "as", "sysdba"], script);
    let output = run("whenever sqlerror exit failure\nselect * from moon;\nprompt reached\n");
    let expected =
        "select * from moon\n*\nERROR at line 1:\nORA-00942: table or view does not exist\n\n\n";
    assert_eq!((status(&output), text(&output).as_str()), (1, expected));
    let output =
        run("whenever sqlerror exit sql.sqlcode\nselect file#,\n       moon from v$datafile;\n");
    let expected = "       moon from v$datafile\n       *\nERROR at line 2:\nORA-00904: \"MOON\": invalid identifier\n\n\n";
    assert_eq!(
        (status(&output), text(&output).as_str()),
        (904 % 256, expected)
    );
    let output = run("insert into t values (1);\nalter database open;\nprompt reached\nexit 3\n");
    assert!(
        text(&output).contains("ORA-00439") && text(&output).contains("ORA-01531"),
        "{}",
        text(&output)
    );
    assert_eq!(status(&output), 3);
    let output = sqlplus(
        &database,
        &["-S", "-L", "system/manager", "as", "sysdba"],
        "prompt reached\n",
    );
    assert_eq!(status(&output), 1);
    assert!(
        text(&output).starts_with("ERROR:\nORA-01017"),
        "{}",
        text(&output)
    );
}

#[test]
fn tables_look_as_in_sqlplus() {
    let database = Database::open();
    let script = "column name format a12 truncated\nselect file#, status, name from v$datafile where file# < 3;\n\
                  select name from v$tablespace where ts# = 99;\nset feedback 1\n\
                  select tablespace_name \"Tablespace\" from dba_tablespaces where rownum = 1;\n\
                  select 'x' || chr(9) || 'y' t, to_char(1/4) q from dual;\n";
    let output = sqlplus(&database, &["-S", "/ as sysdba"], script);
    let prefix: String = database
        .home
        .display()
        .to_string()
        .chars()
        .take(12)
        .collect();
    let expected = format!(
        "\n     FILE# STATUS  NAME\n---------- ------- ------------\n         1 SYSTEM  {prefix}\n         2 ONLINE  {prefix}\n\n\
         \nno rows selected\n\n\
         \nTablespace\n------------------------------\nSYSTEM\n\n1 row selected.\n\n\
         \nT   Q\n--- ----------------------------------------\nx\ty .25\n\n1 row selected.\n\n"
    );
    assert_eq!(text(&output), expected);
}

#[test]
fn a_tool_gets_its_rows_whole() {
    let database = Database::open();
    let mut tool = SqlplusBuilder::new(&database.home, SID).connect().unwrap();
    assert!(!tool.connected_to_idle_instance());
    let columns = [
        "d.FILE#",
        "d.NAME",
        "t.NAME AS tablespace",
        "d.CHECKPOINT_CHANGE#",
        "b.TIME",
    ];
    let from = "v$datafile d, v$tablespace t, v$backup b WHERE d.ts# = t.ts# AND b.file# = d.file# ORDER BY d.file#";
    tool.execute("ALTER TABLESPACE PSAPROLL BEGIN BACKUP")
        .unwrap();
    let rows = tool.query(&columns, from).unwrap();
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[5].text("tablespace").unwrap(), "PSAPROLL");
    assert!(rows[5].time("TIME").unwrap().is_some() && rows[0].time("TIME").unwrap().is_none());
    assert!(rows[0].scn("CHECKPOINT_CHANGE#").unwrap().get() > 100_000);
    tool.execute("ALTER TABLESPACE PSAPROLL END BACKUP")
        .unwrap();
    let error = tool
        .execute("ALTER TABLESPACE PSAPROLL END BACKUP")
        .unwrap_err();
    assert!(error.has_oracle_code(1142), "{error}");
    let end = tool.query(&["MAX(NEXT_CHANGE#) AS end"], "v$log").unwrap();
    assert_eq!(end[0].scn("end").unwrap(), oracle::scn::Scn::OPEN_ENDED);
    let idle = Database::create();
    let tool = SqlplusBuilder::new(&idle.home, SID).connect().unwrap();
    assert!(tool.connected_to_idle_instance());
}

#[test]
fn a_deep_home_has_a_socket_too() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory
        .path()
        .join("a_directory_with_a_long_name_".repeat(7))
        .join("SND");
    std::fs::create_dir_all(home.parent().unwrap()).unwrap();
    let created = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .args(["practice", "create", "--json", "--size", "64MiB", "--home"])
        .arg(&home)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&created.stdout).unwrap();
    assert_eq!(report["sid"], SID);
    let database = Database::existing(directory, home);
    database.must("startup\nselect * from v$log;\nshutdown immediate");
}

#[test]
fn a_second_server_says_who_runs_already() {
    let database = Database::open();
    let pid = database.server().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_backstay"))
        .args(["practice", "server", "--sid", SID, "--home"])
        .arg(&database.home)
        .output()
        .unwrap();
    assert_eq!(status(&output), 1);
    let said = text(&output);
    assert!(
        said.starts_with("ORA-01081") && said.contains(&format!("process {pid} has it")),
        "{said}"
    );
    database.must("select 1 from dual;");
}

#[test]
fn a_database_without_parameters_does_not_start() {
    let database = Database::create();
    std::fs::remove_file(database.home.join(format!("dbs/init{SID}.ora"))).unwrap();
    let (success, said) = database.sqlplus("startup");
    assert!(
        !success && said.starts_with("ORA-01078: failure in processing system parameters"),
        "{said}"
    );
    assert_eq!(database.server(), None);
}

#[test]
fn a_crash_is_noticed_and_healed_by_the_next_startup() {
    let database = Database::open();
    let mut talk = Talk::begin(&database);
    talk.say("prompt ready");
    talk.hear_until("ready");
    database.kill();
    talk.say("select 1 from dual;\nselect 1 from dual;\nconnect / as sysdba\nstartup\nselect open_mode from v$database;");
    let (status, said) = talk.end();
    assert_eq!(status, 0);
    let in_order = [
        "ORA-03113: end-of-file",
        "ORA-03114: not connected",
        "Connected to an idle instance.",
        "Database opened.",
        "READ WRITE",
    ];
    let mut rest = said.as_str();
    for part in in_order {
        let place = rest
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in the rest of\n{said}"));
        rest = &rest[place..];
    }
}

#[test]
fn hostile_bytes_on_the_socket_harm_nobody() {
    let database = Database::open();
    let connect = || {
        let directory = std::fs::File::open(database.home.join("dbs")).unwrap();
        let path = format!(
            "/proc/self/fd/{}/.practice_{SID}.sock",
            std::os::fd::AsRawFd::as_raw_fd(&directory)
        );
        UnixStream::connect(path).unwrap()
    };
    let huge = vec![b'['; 3 << 20];
    let deep = format!(
        "{{\"Execute\":\"select {} from dual\"}}\n",
        "(".repeat(200_000)
    );
    let commit = "{\"Commit\":{\"number\":0,\"session\":99999,\"changes\":[{\"key\":18446744073709551615,\"text\":\"x\"}]}}\n";
    for bytes in [
        &b"\n\n\n"[..],
        b"\xff\x00\xfe\n",
        b"{\"Execute\":5}\n",
        b"half a line",
        &huge,
        deep.as_bytes(),
        commit.as_bytes(),
    ] {
        let mut stream = connect();
        // The server may end the connection while it is still being written to.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        if !answer.is_empty() {
            assert!(
                answer.starts_with(b"{\"Error\":"),
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    // Somebody who asks and does not read the answer.
    let mut deaf = connect();
    deaf.write_all(b"\"Scan\"\n").unwrap();
    drop(deaf);
    let mut client = client(&database);
    assert_eq!(
        execute(&mut client, "select 1 from dual").unwrap().rows,
        [[Some("1".to_owned())]]
    );
    let mode = std::fs::metadata(database.home.join(format!("dbs/.practice_{SID}.sock"))).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
        0o600
    );
}

#[test]
fn shutdown_normal_waits_and_abort_does_not() {
    let database = Database::open();
    let mut other = client(&database);
    execute(&mut other, "select 1 from dual").unwrap();
    let mut talk = Talk::begin(&database);
    talk.say("shutdown normal");
    wait_until("the instance to close its door", || {
        execute(&mut client(&database), "select 1 from dual") == Err(1090)
    });
    // Who was there before goes on working.
    let sessions = execute(
        &mut other,
        "select count(*) from v$session where program = 'sqlplus'",
    )
    .unwrap();
    assert_eq!(sessions.rows, [[Some("1".to_owned())]]);
    drop(other);
    assert!(talk.hear_until("shut down.").contains("Database closed."));
    assert_eq!(talk.end().0, 0);

    database.startup("");
    let mut other = client(&database);
    execute(&mut other, "select 1 from dual").unwrap();
    let mut talk = Talk::begin(&database);
    talk.say("shutdown");
    wait_until("the instance to close its door", || {
        execute(&mut client(&database), "select 1 from dual") == Err(1090)
    });
    assert!(execute(&mut client(&database), "shutdown abort").is_ok());
    wait_until("the server to be gone", || database.server().is_none());
    let (_, said) = talk.end();
    assert!(said.contains("ORA-03113"), "{said}");
    assert!(other.request(&Request::Capacity).is_err());
}

#[test]
fn shutdown_immediate_ends_the_others() {
    let database = Database::open();
    let mut other = client(&database);
    execute(&mut other, "select 1 from dual").unwrap();
    database.must("shutdown immediate");
    assert!(other.request(&Request::Capacity).is_err());
    assert_eq!(database.server(), None);
}

#[test]
fn shutdown_immediate_under_load_loses_nothing() {
    let database = Database::open();
    let load = database.load(6, 7);
    for _ in 0..3 {
        wait_for_commits(&load, 100);
        database.must("shutdown immediate\nstartup");
    }
    wait_for_commits(&load, 100);
    load.stop().unwrap();
    let verdict = database.verdict(Target::Everything);
    assert!(verdict.clean, "{verdict}");
}

#[test]
fn control_files_are_copied_and_scripted_and_nothing_is_overwritten() {
    let database = Database::open();
    let copy = database.copies().join("cntrl.dbf");
    let trace = database.copies().join("trace.sql");
    let to = |what: &str, path: &std::path::Path, reuse: &str| {
        database.sqlplus(&format!(
            "alter database backup controlfile to {what} '{}'{reuse};",
            path.display()
        ))
    };
    assert!(to("", &copy, "").0);
    let (success, said) = to("", &copy, "");
    assert!(!success && said.contains("ORA-27038"), "{said}");
    assert!(to("", &copy, " reuse").0);
    assert!(to("trace as", &trace, "").0);
    assert!(
        std::fs::read_to_string(&trace)
            .unwrap()
            .contains("CREATE CONTROLFILE")
    );
    let (success, said) = to("trace as", &trace, "");
    assert!(!success && said.contains("ORA-27038"), "{said}");
    assert!(to("trace as", &trace, " reuse resetlogs").0);
    database.must("alter database backup controlfile to trace;");
    let traces = std::fs::read_dir(database.home.join("saptrace/background")).unwrap();
    assert!(traces.into_iter().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".trc")
    }));
}

/// Brings data files of a backup back whose redo is no longer in the online logs.
fn restored() -> Database {
    let database = Database::open();
    let files = database.datafiles();
    database.must("alter database begin backup;");
    for file in &files {
        std::fs::copy(file, practice_database::copy_of(&database.copies(), file)).unwrap();
    }
    database.must("alter database end backup;");
    let switches = "alter system switch logfile;\n".repeat(5);
    database.must(&format!(
        "{switches}alter system archive log current;\nshutdown abort"
    ));
    practice_database::put_back(&files, &database.copies());
    database
}

#[test]
fn recover_asks_for_logs_and_takes_the_answers() {
    let database = restored();
    let (success, said) = database.sqlplus("startup");
    assert!(
        !success && said.contains("Database mounted.\nORA-01113: file 1 needs media recovery"),
        "{said}"
    );
    let mut talk = Talk::begin(&database);
    talk.say("recover database");
    let heard = talk.hear_until("Specify log: {<RET>=suggested | filename | AUTO | CANCEL}");
    for part in [
        "ORA-00279: change ",
        "generated at ",
        "ORA-00289: suggestion : ",
        "ORA-00280: change ",
        "is in sequence #",
    ] {
        assert!(heard.contains(part), "no {part} in {heard}");
    }
    talk.say("/does/not/exist");
    let heard = talk.hear_until("Specify log:");
    assert!(heard.contains("ORA-00308"), "{heard}");
    talk.say("");
    talk.hear_until("Log applied.");
    talk.hear_until("Specify log:");
    talk.say("auto");
    talk.hear_until("Media recovery complete.");
    talk.say("alter database open;\nselect open_mode from v$database;\nexit 4");
    let (status, said) = talk.end();
    assert!(
        status == 4 && said.contains("Database altered.") && said.contains("READ WRITE"),
        "{said}"
    );
}

#[test]
fn recovery_by_statements_answers_with_errors_until_it_is_done() {
    let database = restored();
    assert!(!database.sqlplus("startup").0);
    let mut client = client(&database);
    assert_eq!(
        execute(&mut client, "alter database recover database"),
        Err(279)
    );
    assert_eq!(
        execute(&mut client, "alter database recover database"),
        Err(275)
    );
    assert_eq!(
        execute(
            &mut client,
            "alter database recover logfile '/does/not/exist'"
        ),
        Err(308)
    );
    let mut logs = 0;
    loop {
        match execute(&mut client, "alter database recover continue default") {
            Ok(outcome) => {
                break assert_eq!(outcome.feedback.as_deref(), Some("Database altered."));
            }
            Err(code) => assert_eq!(code, 279),
        }
        logs += 1;
        assert!(logs < 20, "a recovery without end");
    }
    assert_eq!(
        execute(&mut client, "alter database recover cancel"),
        Err(1112)
    );
    execute(&mut client, "alter database open").unwrap();
    drop(client);
    // AUTORECOVERY asks nobody.
    drop(database);
    let database = restored();
    assert!(!database.sqlplus("startup").0);
    let said = database.must("set autorecovery on\nrecover database\nalter database open;");
    assert!(
        said.contains("Log applied.\n") && said.contains("Media recovery complete.\n"),
        "{said}"
    );
    assert!(!said.contains("Specify log"), "{said}");
}

#[test]
fn commands_of_backstay_start_stop_and_tell() {
    let database = Database::create();
    let backstay = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_backstay"))
            .arg("practice")
            .args(arguments)
            .env("ORACLE_HOME", &database.home)
            .env("ORACLE_SID", SID)
            .output()
            .unwrap()
    };
    assert_eq!(status(&backstay(&["status"])), 1);
    assert_eq!(status(&backstay(&["start", "--mount"])), 0);
    assert!(text(&backstay(&["status"])).starts_with("SND is MOUNTED\n"));
    assert_eq!(status(&backstay(&["start"])), 1, "it is started already");
    assert_eq!(
        status(&backstay(&["sqlplus", "--", "-S", "/ as sysdba"])),
        0
    );
    assert_eq!(status(&backstay(&["stop", "--abort"])), 0);
    assert_eq!(status(&backstay(&["start"])), 0);
    let report: serde_json::Value =
        serde_json::from_slice(&backstay(&["status", "--json"]).stdout).unwrap();
    assert_eq!(
        (&report["status"], &report["files_in_backup_mode"]),
        (&"OPEN".into(), &0.into()),
        "{report:#}"
    );

    let ledger = database.ledger().display().to_string();
    let loaded = backstay(&[
        "workload",
        "--ledger",
        &ledger,
        "--transactions",
        "50",
        "--json",
    ]);
    let loaded: serde_json::Value = serde_json::from_slice(&loaded.stdout).unwrap();
    assert_eq!(loaded["acknowledged"], 50, "{loaded:#}");
    let judged = backstay(&["verify", "--ledger", &ledger, "--json"]);
    assert_eq!(status(&judged), 0, "{}", text(&judged));
    let too_early = backstay(&["verify", "--ledger", &ledger, "--until-scn", "1"]);
    assert_eq!(status(&too_early), 1, "{}", text(&too_early));
    assert_eq!(status(&backstay(&["stop"])), 0);
    assert_eq!(status(&backstay(&["verify", "--ledger", &ledger])), 2);
    assert_eq!(status(&backstay(&["stop"])), 1, "it is stopped already");
}
