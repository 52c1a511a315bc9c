//! What the parser makes of statements, right and wrong.
//! What does not live here: what executing them does.

use super::*;
use crate::engine::{RecoverScope, Until};
use oracle::scn::Scn;
use oracle::time::OracleTime;

fn code(text: &str) -> u32 {
    match parse(text) {
        Err(Refusal::Oracle(error)) => error.code(),
        other => panic!("{text}: {other:?}"),
    }
}

fn plus(text: &str) -> u32 {
    match parse(text) {
        Err(Refusal::Plus(number, _)) => number,
        other => panic!("{text}: {other:?}"),
    }
}

fn action(text: &str) -> (RecoverAction, bool) {
    match parse(text) {
        Ok(Statement::Recover {
            action,
            interactive,
        }) => (action, interactive),
        other => panic!("{text}: {other:?}"),
    }
}

fn recovery(text: &str) -> (RecoverRequest, bool) {
    match action(text) {
        (RecoverAction::Begin(request), interactive) => (request, interactive),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn startup_knows_how_far_to_go() {
    let start = |force, target| Ok(Statement::Startup { force, target });
    assert_eq!(parse("startup"), start(false, StartTarget::Open));
    assert_eq!(parse("STARTUP open"), start(false, StartTarget::Open));
    assert_eq!(
        parse("startup force mount"),
        start(true, StartTarget::Mount)
    );
    assert_eq!(parse("startup nomount"), start(false, StartTarget::NoMount));
    assert_eq!(code("startup restrict"), 439);
    assert_eq!(code("startup pfile='/tmp/x'"), 439);
    assert_eq!(plus("startup mount open"), 714);
}

#[test]
fn shutdown_is_normal_unless_told() {
    assert_eq!(
        parse("shutdown"),
        Ok(Statement::Shutdown(ShutdownMode::Normal))
    );
    assert_eq!(
        parse("Shutdown Immediate"),
        Ok(Statement::Shutdown(ShutdownMode::Immediate))
    );
    assert_eq!(
        parse("shutdown abort"),
        Ok(Statement::Shutdown(ShutdownMode::Abort))
    );
    assert_eq!(plus("shutdown now"), 717);
}

#[test]
fn backup_mode_names_a_tablespace_or_the_database() {
    let tablespace = |name: &str| BackupScope::Tablespace(name.into());
    assert_eq!(
        parse("alter tablespace psapbtabd begin backup"),
        Ok(Statement::BeginBackup(tablespace("PSAPBTABD")))
    );
    assert_eq!(
        parse("alter tablespace \"psap\" end backup"),
        Ok(Statement::EndBackup(tablespace("psap")))
    );
    assert_eq!(
        parse("alter database begin backup"),
        Ok(Statement::BeginBackup(BackupScope::Database))
    );
    assert_eq!(
        parse("ALTER DATABASE\n END   BACKUP"),
        Ok(Statement::EndBackup(BackupScope::Database))
    );
    assert_eq!(code("alter tablespace system begin"), 2142);
    assert_eq!(code("alter tablespace"), 2216);
    assert_eq!(code("alter database begin backup now"), 933);
}

#[test]
fn control_file_copies_take_a_name_and_reuse() {
    let backup = |reuse| {
        Ok(Statement::BackupControlfile {
            path: "/b/cntrl.dbf".into(),
            reuse,
        })
    };
    assert_eq!(
        parse("alter database backup controlfile to '/b/cntrl.dbf'"),
        backup(false)
    );
    assert_eq!(
        parse("alter database backup controlfile to '/b/cntrl.dbf' reuse"),
        backup(true)
    );
    let trace = |path: Option<&str>, reuse| {
        Ok(Statement::TraceControlfile {
            path: path.map(Into::into),
            reuse,
        })
    };
    assert_eq!(
        parse("alter database backup controlfile to trace"),
        trace(None, false)
    );
    assert_eq!(
        parse("alter database backup controlfile to trace as '/t' reuse resetlogs"),
        trace(Some("/t"), true)
    );
    assert_eq!(code("alter database backup controlfile to cntrl"), 2236);
}

#[test]
fn open_takes_its_resetlogs_word() {
    assert_eq!(
        parse("alter database open"),
        Ok(Statement::Open(OpenMode::Default))
    );
    assert_eq!(
        parse("alter database open resetlogs"),
        Ok(Statement::Open(OpenMode::ResetLogs))
    );
    assert_eq!(
        parse("alter database open noresetlogs"),
        Ok(Statement::Open(OpenMode::NoResetLogs))
    );
    assert_eq!(code("alter database open read only"), 439);
}

#[test]
fn recovery_carries_scope_target_and_control_file() {
    let (request, interactive) =
        recovery("recover automatic database until cancel using backup controlfile");
    assert!(interactive && request.automatic && request.using_backup_controlfile);
    assert_eq!(
        (request.scope, request.until),
        (RecoverScope::Database, Until::Cancel)
    );

    let (request, interactive) = recovery("alter database recover database until change 4711");
    assert!(!interactive && !request.automatic && !request.using_backup_controlfile);
    assert_eq!(request.until, Until::Change(Scn::new(4711)));

    let (request, _) =
        recovery("recover database using backup controlfile until time '2026-03-07:01:44:38'");
    assert_eq!(
        request.until,
        Until::Time(OracleTime::from_civil(2026, 3, 7, 1, 44, 38).unwrap())
    );

    let (request, _) = recovery("recover datafile 3, '/d/system01.dbf'");
    let files = vec![
        FileReference::Number(3),
        FileReference::Path("/d/system01.dbf".into()),
    ];
    assert_eq!(request.scope, RecoverScope::Datafiles(files));

    let (request, _) = recovery("recover tablespace a, b");
    assert_eq!(
        request.scope,
        RecoverScope::Tablespaces(vec!["A".into(), "B".into()])
    );
}

#[test]
fn recovery_goes_on_with_a_log_or_without() {
    let logfile = RecoverAction::Logfile("/a/1.dbf".into());
    assert_eq!(
        action("alter database recover logfile '/a/1.dbf'"),
        (logfile, false)
    );
    assert_eq!(
        action("alter database recover continue default"),
        (RecoverAction::Continue, false)
    );
    assert_eq!(action("recover cancel"), (RecoverAction::Cancel, true));
    assert_eq!(code("recover database until time 5"), 285);
    assert_eq!(code("recover database until time '7 March'"), 1861);
    assert_eq!(code("recover database until moon"), 277);
    assert_eq!(code("recover tablespace a until cancel"), 274);
    assert_eq!(code("recover everything"), 905);
}

#[test]
fn data_files_go_on_and_offline_and_are_added() {
    let statement = Statement::DatafileOnline {
        files: vec![FileReference::Number(4)],
        online: false,
        drop: true,
    };
    assert_eq!(
        parse("alter database datafile 4 offline drop"),
        Ok(statement)
    );
    let statement = Statement::AddDatafile {
        tablespace: "PSAPSTABD".into(),
        path: "/d/stabd.data3".into(),
        bytes: 20 << 20,
        reuse: true,
    };
    assert_eq!(
        parse("alter tablespace psapstabd add datafile '/d/stabd.data3' size 20M reuse"),
        Ok(statement)
    );
    assert_eq!(
        code("alter tablespace x add datafile '/d' size 99999999999999999999T"),
        2237
    );
    assert_eq!(code("alter tablespace x add datafile '/d' size 0"), 2237);
    assert_eq!(code("alter database datafile 4 explode"), 2231);
}

#[test]
fn what_is_not_offered_says_so_and_nonsense_is_a_syntax_error() {
    for refused in [
        "insert into t values (1)",
        "create table t (a number)",
        "begin null; end;",
        "commit",
    ] {
        assert_eq!(code(refused), 439, "{refused}");
    }
    assert_eq!(code("alter database fly"), 2231);
    assert_eq!(code("alter system fly"), 2065);
    assert_eq!(code("alter nothing"), 940);
    assert_eq!(code("fly me"), 900);
    assert_eq!(code(""), 900);
    assert_eq!(code("alter system switch logfile;"), 911);
    assert_eq!(plus("archive log stop"), 718);
    assert_eq!(plus("show moon"), 158);
}

#[test]
fn parameters_are_shown_by_part_of_their_name() {
    assert_eq!(parse("show parameter"), Ok(Statement::ShowParameter(None)));
    assert_eq!(
        parse("show parameter db_block"),
        Ok(Statement::ShowParameter(Some("db_block".into())))
    );
    assert_eq!(parse("show sga"), Ok(Statement::ShowSga));
}

#[test]
fn a_query_is_passed_on_as_it_is() {
    assert_eq!(
        parse("select * from v$log"),
        Ok(Statement::Query("select * from v$log".into()))
    );
}
