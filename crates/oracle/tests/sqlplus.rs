//! A conversation with a badly behaved `sqlplus`: hangs, deaths, noise, floods and errors.
//! What lives here: tests of the child. What does not: tests of statements and rows, which stand beside their code.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oracle::sqlplus::{Conversation, Logon, Sqlplus, SqlplusBuilder, SqlplusError};

fn builder_at(oracle_home: &Path, sid: &str) -> SqlplusBuilder {
    let fake = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fake-sqlplus.sh");
    SqlplusBuilder::new(oracle_home, sid).program(&fake)
}

fn builder(sid: &str) -> SqlplusBuilder {
    builder_at(Path::new("/oracle/SND"), sid)
}

fn connect(sid: &str) -> Sqlplus {
    builder(sid).connect().expect("the fake logs on")
}

/// Waits until the process is gone or a zombie: killed processes vanish a little later.
fn wait_until_gone(pid: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Err(_) => return true,
            Ok(stat) if stat.contains(") Z ") => return true,
            Ok(_) => std::thread::yield_now(),
        }
    }
    false
}

#[test]
fn rows_come_typed_and_unescaped_over_one_child() {
    let mut session = connect("GOOD");
    for _ in 0..3 {
        let rows = session.query(&["ts#", "name"], "v$tablespace").unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(
            (
                rows[0].number::<u32>("ts#").unwrap(),
                rows[0].text("name").unwrap()
            ),
            (0, "SYSTEM")
        );
        assert_eq!(rows[1].text("name").unwrap(), "a|b\nc\\");
        assert_eq!(rows[2].optional("name"), None);
    }
}

#[test]
fn the_child_sees_a_fixed_environment() {
    let mut session = connect("GOOD");
    let lines = session.execute("environment").unwrap();
    assert_eq!(
        lines,
        ["/oracle/SND GOOD AMERICAN_AMERICA.AL32UTF8 YYYY-MM-DD HH24:MI:SS"]
    );
}

#[test]
fn noise_before_the_answer_is_no_part_of_it() {
    let mut session = connect("NOISY");
    assert_eq!(
        session
            .query(&["ts#", "name"], "v$tablespace")
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn echoed_prompts_do_not_confuse_the_sentinels() {
    let mut session = connect("ECHO");
    let error = session.execute("fail").unwrap_err();
    assert!(error.has_oracle_code(1123), "{error}");
    assert!(matches!(
        session.execute("unknown"),
        Err(SqlplusError::Oracle { .. })
    ));
}

#[test]
fn oracle_errors_are_typed_name_the_statement_and_leave_the_conversation_open() {
    let mut session = connect("GOOD");
    let error = session.execute("fail").unwrap_err();
    assert!(error.leaves_the_conversation_open());
    assert_eq!(
        error.to_string(),
        "'fail' failed: ORA-01123: cannot start online backup; media recovery not enabled"
    );
    let error = session.execute("unknown").unwrap_err();
    let first = error
        .messages()
        .and_then(|messages| messages.iter().next())
        .expect("one message");
    assert_eq!((first.facility, first.code), ("SP2", 734));
    assert!(
        session
            .query(&["a"], "broken")
            .unwrap_err()
            .has_oracle_code(1555),
        "an error after rows counts"
    );
    assert_eq!(
        session
            .query(&["ts#", "name"], "v$tablespace")
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn noise_among_rows_is_refused() {
    let error = connect("GOOD").query(&["a"], "noise").unwrap_err();
    assert!(
        matches!(&error, SqlplusError::Garbled { line, statement, .. } if line == "no row" && statement == "SELECT a FROM noise"),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_utf8_are_refused_and_the_next_answer_is_clean() {
    let mut session = connect("GOOD");
    assert!(matches!(
        session.execute("latin1"),
        Err(SqlplusError::Garbled { .. })
    ));
    assert_eq!(
        session
            .query(&["ts#", "name"], "v$tablespace")
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_refused_logon_carries_oracles_reason() {
    let error = builder("REFUSED").connect().unwrap_err();
    assert!(
        matches!(error, SqlplusError::Logon { .. }) && error.has_oracle_code(1031),
        "{error}"
    );
    assert!(error.to_string().contains("/ as sysdba"));
}

#[test]
fn an_idle_instance_is_recognised() {
    assert!(connect("IDLE").connected_to_idle_instance());
    assert!(!connect("GOOD").connected_to_idle_instance());
}

#[test]
fn a_hanging_statement_is_killed_with_everything_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let notes = directory.path().join("notes");
    let mut session = builder_at(directory.path(), "NOTES").connect().unwrap();
    let error = session
        .execute_within("hang", Duration::from_millis(300))
        .unwrap_err();
    assert!(matches!(error, SqlplusError::Timeout { .. }), "{error}");
    let heard = std::fs::read_to_string(&notes).unwrap();
    let grandchild = heard.lines().last().unwrap();
    assert!(grandchild.parse::<u32>().is_ok(), "{heard}");
    assert!(
        wait_until_gone(grandchild),
        "process {grandchild} outlived the timeout"
    );
    assert!(matches!(
        session.execute("environment"),
        Err(SqlplusError::Closed { .. })
    ));
}

#[test]
fn a_child_that_dies_in_the_middle_is_named_with_status_and_last_words() {
    let error = connect("GOOD").execute("die").unwrap_err();
    let SqlplusError::Died {
        status,
        last_words,
        statement,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (status.as_str(), statement.as_str()),
        ("exit status 7", "die")
    );
    assert!(
        last_words.contains("half an ans") && last_words.contains("a complaint"),
        "{last_words}"
    );
    let error = connect("GOOD").execute("die by signal").unwrap_err();
    assert!(error.to_string().contains("signal 9"), "{error}");
}

#[test]
fn a_dead_child_refuses_further_statements() {
    let mut session = connect("GOOD");
    session.execute("die").unwrap_err();
    assert!(matches!(
        session.execute("environment"),
        Err(SqlplusError::Closed { .. })
    ));
}

#[test]
fn a_flood_of_output_ends_the_conversation() {
    let mut session = builder("GOOD").output_bytes_max(1 << 20).connect().unwrap();
    assert!(matches!(
        session.execute("flood"),
        Err(SqlplusError::TooMuchOutput { .. })
    ));
    let mut session = connect("GOOD");
    assert!(matches!(
        session.execute("flood without line ends"),
        Err(SqlplusError::TooMuchOutput { .. })
    ));
}

#[test]
fn a_program_that_is_not_there_or_not_sqlplus_is_named() {
    let error = builder("GOOD")
        .program(Path::new("/nowhere/sqlplus"))
        .connect()
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/sqlplus"), "{error}");
    let error = builder("GOOD")
        .program(Path::new("/bin/true"))
        .connect()
        .unwrap_err();
    assert!(matches!(error, SqlplusError::Died { .. }), "{error}");
    let error = builder("GOOD")
        .program(Path::new("/bin/cat"))
        .connect()
        .unwrap_err();
    assert!(matches!(error, SqlplusError::Died { .. }), "{error}");
}

#[test]
fn a_password_shows_up_nowhere() {
    let logon = Logon::User {
        name: "system".into(),
        password: "secret".into(),
    };
    let built = builder("GOOD").logon(logon);
    assert!(!format!("{built:?}").contains("secret"));
    let error = built.program(Path::new("/nowhere")).connect().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"));
    let quoted = Logon::User {
        name: "system".into(),
        password: "se\"cret".into(),
    };
    let error = builder("GOOD").logon(quoted).connect().unwrap_err();
    assert!(
        matches!(error, SqlplusError::Unsendable { .. }) && !error.to_string().contains("cret"),
        "{error}"
    );
}
