//! Tests of a run without an instance: greeting, syntax errors, exit statuses.
//! What lives here: what needs no database. What does not: backups (`backstay/tests/rman.rs`).

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// Output that a test can read afterwards.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn rman(arguments: &[&str], home: &Path, input: &str) -> (u8, String) {
    let screen = Screen::default();
    let environment = Environment {
        home: Some(home.to_owned()),
        sid: Some("SND".into()),
        date_format: None,
    };
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let input = Box::new(std::io::Cursor::new(input.as_bytes().to_vec()));
    let status = run(&arguments, environment, input, Box::new(screen.clone()));
    let text = String::from_utf8(screen.0.lock().unwrap().clone()).unwrap();
    (status, text)
}

#[test]
fn an_idle_instance_is_told_and_commands_fail_on_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("dbs")).unwrap();
    let (status, said) = rman(
        &["target", "/", "msgno"],
        directory.path(),
        "list backup;\nexit\n",
    );
    assert!(
        said.contains("RMAN-06193: connected to target database (not started)"),
        "{said}"
    );
    assert!(
        said.contains("RMAN-03002: failure of list command at "),
        "{said}"
    );
    assert!(said.contains("\nORA-01034: ORACLE not available"), "{said}");
    assert!(said.ends_with("Recovery Manager complete.\n"), "{said}");
    assert_eq!(status, 1);
}

#[test]
fn syntax_errors_have_rmans_form() {
    let directory = tempfile::tempdir().unwrap();
    let (status, said) = rman(&[], directory.path(), "bakup database;\n");
    let expected = "RMAN-00571: ===========================================================\n\
        RMAN-00569: =============== ERROR MESSAGE STACK FOLLOWS ===============\n\
        RMAN-00571: ===========================================================\n\
        RMAN-00558: error encountered while parsing input commands\n\
        RMAN-01009: syntax error: found \"identifier\": expecting one of: ";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("RMAN-01008: the bad identifier was: bakup\n"),
        "{said}"
    );
    assert!(
        said.contains("RMAN-01007: at line 1 column 1 file: standard input\n"),
        "{said}"
    );
    assert_eq!(status, 1);
}

#[test]
fn a_command_file_ends_at_its_first_error_and_standard_input_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let script = "host 'echo one';\nhost 'exit 3';\nhost 'echo two';\nexit\n";
    let (status, said) = rman(&[], directory.path(), script);
    assert!(said.contains("one\n") && said.contains("two\n"), "{said}");
    assert!(said.contains("RMAN-06135"), "{said}");
    assert_eq!(status, 1);
    let file = directory.path().join("x.rman");
    std::fs::write(&file, script).unwrap();
    let argument = format!("cmdfile={}", file.display());
    let (status, said) = rman(&[&argument], directory.path(), "");
    assert!(
        said.contains("RMAN> host 'echo one';\n"),
        "lines are shown: {said}"
    );
    assert!(
        said.contains("\none\n") && !said.contains("\ntwo\n"),
        "{said}"
    );
    assert_eq!(status, 1);
}

#[test]
fn without_an_error_the_status_is_zero_and_the_log_takes_everything() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("x.log");
    let argument = format!("log={}", log.display());
    let (status, said) = rman(&[&argument], directory.path(), "host 'echo one';\n");
    assert_eq!((status, said.as_str()), (0, ""));
    let (status, _) = rman(
        &[&argument, "append"],
        directory.path(),
        "host 'echo two';\n",
    );
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("one") && text.contains("two"), "{text}");
    assert_eq!(status, 0);
    assert_eq!(text.matches("Recovery Manager complete.").count(), 2);
}

#[test]
fn what_is_no_argument_and_a_foreign_user_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (status, said) = rman(&["moon"], directory.path(), "");
    assert!(
        status == 1 && said.contains("unknown argument \"moon\""),
        "{said}"
    );
    let (status, said) = rman(&["target", "sys/secret"], directory.path(), "");
    assert!(said.contains("ORA-01017"), "{said}");
    assert!(!said.contains("secret"), "a password is not shown: {said}");
    assert_eq!(status, 1);
    let (status, said) = rman(&["cmdfile=/no/such.rman"], directory.path(), "");
    assert!(
        status == 1 && said.contains("cannot open /no/such.rman"),
        "{said}"
    );
}
