//! Conversations on memory: everything that needs no server.
//! What does not live here: conversations with a running instance, which are integration tests.

use std::cell::RefCell;
use std::io::{Cursor, Write};
use std::rc::Rc;

use super::*;

#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `sqlplus` in an empty home and gives its exit status and output.
fn talk(arguments: &[&str], input: &str) -> (u8, String) {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("dbs")).unwrap();
    let environment = Environment {
        home: Some(home.path().to_owned()),
        sid: Some("SND".into()),
        date_format: None,
    };
    let paper = Paper::default();
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let input = Cursor::new(input.as_bytes().to_vec());
    let status = run(
        &arguments,
        environment,
        Box::new(input),
        Box::new(paper.clone()),
    );
    let output = String::from_utf8(paper.0.borrow().clone()).unwrap();
    (status, output)
}

fn silent(input: &str) -> (u8, String) {
    talk(&["-S", "-L", "/nolog"], input)
}

#[test]
fn a_tool_finds_its_sentinels_and_an_idle_instance() {
    let input = "PROMPT ##BEGIN 1\nconnect / as sysdba\nPROMPT ##END 1\nset sqlprompt '' feedback off\nselect 1 from dual;\nPROMPT ##END 2\n";
    let (status, output) = silent(input);
    assert_eq!(status, 0);
    assert!(
        output.starts_with("##BEGIN 1\nConnected to an idle instance.\n##END 1\n"),
        "{output}"
    );
    assert!(
        output.contains("ERROR at line 1:\nORA-01034: ORACLE not available\n"),
        "{output}"
    );
    assert!(output.ends_with("##END 2\n"), "{output}");
}

#[test]
fn statements_without_a_connection_are_not_sent() {
    let (_, output) = silent("select 1 from dual;\narchive log list\nrecover database\n");
    assert_eq!(
        output,
        "SP2-0640: Not connected\nSP2-0640: Not connected\nSP2-0640: Not connected\n"
    );
    assert!(silent("startup\n").1.contains("ORA-01031"));
}

#[test]
fn strangers_are_not_let_in() {
    let (status, output) =
        silent("whenever sqlerror exit 5\nconnect system/manager as sysdba\nprompt not reached\n");
    assert_eq!(status, 5);
    assert!(output.starts_with("ERROR:\nORA-01034"), "{output}");
    let (status, output) = talk(&["-S", "-L", "scott/tiger"], "prompt not reached\n");
    assert_eq!(status, 1);
    assert!(
        output.ends_with("SP2-0751: Unable to connect to Oracle.  Exiting SQL*Plus\n"),
        "{output}"
    );
}

#[test]
fn errors_end_the_run_only_when_told() {
    let script = "connect / as sysdba\nalter system switch logfile;\nprompt reached\n";
    assert!(silent(script).1.ends_with("reached\n"));
    for (whenever, expected) in [
        ("exit failure", 1),
        ("exit success", 0),
        ("exit 300", 44),
        ("exit sql.sqlcode", 1034 % 256),
    ] {
        let (status, output) = silent(&format!("whenever sqlerror {whenever}\n{script}"));
        assert_eq!(i32::from(status), expected, "{whenever}");
        assert!(!output.contains("reached"), "{whenever}");
    }
    let (status, _) = silent("whenever oserror exit 9\n@/does/not/exist\nexit 0\n");
    assert_eq!(status, 9);
    // Messages of SQL*Plus itself are no SQL errors.
    assert_eq!(
        silent("whenever sqlerror exit 7\nselect 1 from dual;\nmoon\n").0,
        0
    );
}

#[test]
fn exit_sets_the_status() {
    for (command, expected) in [
        ("exit", 0),
        ("quit 3", 3),
        ("exit failure;", 1),
        ("EXIT WARNING COMMIT", 2),
        ("exit moon", 1),
    ] {
        assert_eq!(silent(&format!("{command}\n")).0, expected, "{command}");
    }
    assert_eq!(silent("").0, 0);
}

#[test]
fn unknown_words_are_named() {
    let (_, output) = silent(
        "moon\nmoonshine is nothing here\nhost rm -rf /\n!ls\nset moon on\nshutdown now\nstartup sideways\n",
    );
    let expected = "SP2-0042: unknown command \"moon\" - rest of line ignored.\n\
        SP2-0734: unknown command beginning \"moonshine ...\" - rest of line ignored.\n\
        SP2-0738: Restricted command \"host\" not available\n\
        SP2-0738: Restricted command \"host\" not available\n\
        SP2-0158: unknown SET option \"moon\"\n\
        SP2-0717: illegal SHUTDOWN option\n\
        SP2-0714: invalid combination of STARTUP options\n";
    assert_eq!(output, expected);
}

#[test]
fn prompts_number_the_lines_of_a_statement() {
    let (_, output) = talk(&["/nolog"], "select 1\nfrom dual\n;\n");
    assert!(
        output.ends_with("SQL>   2    3  SP2-0640: Not connected\nSQL> "),
        "{output:?}"
    );
    let (_, output) = talk(&["/nolog"], "set sqlprompt 'DBA> '\n");
    assert!(output.ends_with("SQL> DBA> "), "{output:?}");
}

#[test]
fn comments_and_continued_lines_are_understood() {
    let (_, output) =
        silent("-- a comment\nrem another\n/* one\n over lines */\nprompt one -\ntwo\nprompt\n");
    assert_eq!(output, "one two\n\n");
}

#[test]
fn scripts_run_with_parameters_and_spool_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(
        path("outer.sql"),
        format!("prompt hello &1\n@{} &2\n", path("inner")),
    )
    .unwrap();
    std::fs::write(path("inner.sql"), "prompt inner &1 &x\n").unwrap();
    let input = format!(
        "define x = 'a value'\nspool {}\n@{} one two\nspool off\nprompt not spooled\n",
        path("log"),
        path("outer")
    );
    let (status, output) = silent(&input);
    assert_eq!(
        (status, output.as_str()),
        (0, "hello one\ninner two a value\nnot spooled\n")
    );
    assert_eq!(
        std::fs::read_to_string(path("log.lst")).unwrap(),
        "hello one\ninner two a value\n"
    );
}

#[test]
fn an_endless_nest_of_scripts_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("self.sql");
    std::fs::write(&path, format!("@{}\n", path.display())).unwrap();
    let (_, output) = silent(&format!("@{}\n", path.display()));
    assert!(output.contains("SP2-0309"), "{output}");
}

#[test]
fn variables_are_asked_for_and_kept_out_when_off() {
    let (_, output) = silent("prompt &moon\nvalue\nset define off\nprompt &moon\n");
    assert_eq!(output, "value\n&moon\n");
    assert!(silent("prompt &moon\n").1.contains("SP2-0546"));
}

#[test]
fn without_a_home_there_is_nothing_to_run() {
    let paper = Paper::default();
    let input = Box::new(std::io::empty());
    let status = run(&[], Environment::default(), input, Box::new(paper.clone()));
    assert_eq!(status, 1);
    assert!(
        String::from_utf8(paper.0.borrow().clone())
            .unwrap()
            .contains("SP2-0750")
    );
}

#[test]
fn hostile_input_comes_to_an_end() {
    for input in [
        "\u{0}\n",
        "''''\n",
        "select '\n;\n",
        "&\n&&\n",
        "@\n",
        "set\n",
        "column\n",
        "define =\n",
        "spool\n",
        "\u{fffd}é;\n/\n.\n",
    ] {
        silent(input);
    }
    silent(&"x".repeat(3 << 20));
}
