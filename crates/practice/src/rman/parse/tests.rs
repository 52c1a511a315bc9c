//! Tests of the grammar: what the shipped script sends, what restore scripts need, and what is refused.
//! What lives here: statements and what they mean. What does not: carrying them out.

use std::io::Cursor as Bytes;

use crate::rman::command::*;
use crate::rman::failure::Failure;
use crate::rman::feed::Feed;
use crate::rman::log::Log;

fn parse(text: &str) -> Result<Command, Failure> {
    let log = Log::new(Box::new(std::io::sink()), false);
    let input = Bytes::new(text.as_bytes().to_vec());
    let mut feed = Feed::new(Box::new(input), "standard input", false);
    let statement = feed.next(&log).expect("a statement")?;
    super::parse(&statement)
}

fn backup(text: &str) -> Backup {
    match parse(&format!("{text};")) {
        Ok(Command::Backup(backup)) => backup,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_shipped_scripts_commands_are_understood() {
    let script = "run {\n\
        set controlfile autobackup format for device type disk to '/mnt/x/%F';\n\
        allocate channel c1 device type disk format '/mnt/x/%U';\n\
        crosscheck copy of database tag 'BS_X';\n\
        delete noprompt expired copy of database tag 'BS_X';\n\
        backup incremental level 1 for recover of copy with tag 'BS_X' database;\n\
        recover copy of database with tag 'BS_X';\n\
        delete noprompt backupset tag 'BS_X';\n\
        sql 'alter system archive log current';\n\
        backup as backupset filesperset 4 tag 'BS_X_LOG' archivelog all not backed up 1 times;\n\
        delete noprompt backupset tag 'BS_X_LOG' completed before 'sysdate-8';\n\
        backup as backupset tag 'BS_X_SPF' spfile;\n\
        backup as copy tag 'BS_X_CTL' current controlfile format '/mnt/x/control_D-%d_I-%I.ctl' reuse;\n\
        backup as backupset full filesperset 1 tag 'BS_X' database force;\n}";
    let Ok(Command::Run(commands)) = parse(script) else {
        panic!("{:?}", parse(script));
    };
    assert_eq!(commands.len(), 13);
    let Command::Delete(delete) = &commands[3] else {
        panic!("{:?}", commands[3]);
    };
    assert!(delete.expired && !delete.prompt && delete.selection.kind == Kind::Copies);
    assert_eq!(delete.selection.tag.as_deref(), Some("BS_X"));
    let Command::Backup(level_1) = &commands[4] else {
        panic!("{:?}", commands[4]);
    };
    assert_eq!(
        (level_1.level, level_1.for_copy.as_deref()),
        (Some(1), Some("BS_X"))
    );
    let Command::Backup(copy) = &commands[11] else {
        panic!("{:?}", commands[11]);
    };
    assert!(copy.as_copy && copy.reuse && copy.objects == [Object::Controlfile]);
    let Command::Delete(old) = &commands[9] else {
        panic!("{:?}", commands[9]);
    };
    assert_eq!(old.selection.completed_before.as_deref(), Some("sysdate-8"));
}

#[test]
fn backup_takes_its_options_in_any_order() {
    let one = backup(
        "backup as compressed backupset incremental level 0 cumulative database tag nightly format '/m/%U' filesperset 2",
    );
    let other = backup(
        "backup filesperset = 2 format '/m/%U' tag 'NIGHTLY' database as compressed backupset incremental level 0 cumulative",
    );
    assert_eq!(one, other);
    assert!(one.compressed && one.cumulative && one.files_per_set == Some(2));
    let logs = backup("backup archivelog all not backed up delete all input");
    assert!(logs.delete_input && logs.not_backed_up == Some(1));
    let files = backup("backup datafile 1, '/a/b.dbf' plus archivelog");
    let wanted = vec![FileName::Number(1), FileName::Path("/a/b.dbf".into())];
    assert_eq!(files.objects, [Object::Files(Files::Numbers(wanted))]);
    assert!(files.plus_archivelog);
}

#[test]
fn the_restore_scripts_change_is_understood_and_no_other() {
    let Ok(Command::Uncatalog(copies)) =
        parse("change copy of database like '/mnt/restore/%' uncatalog;")
    else {
        panic!("CHANGE COPY is not understood");
    };
    assert_eq!((copies.kind, &copies.of), (Kind::Copies, &Of::Database));
    assert_eq!(copies.like.as_deref(), Some("/mnt/restore/%"));
    for text in [
        "change backuppiece '/m/1', '/m/2' uncatalog;",
        "change backupset 7 uncatalog;",
        "change datafilecopy '/m/c' uncatalog;",
        "change archivelog all uncatalog;",
        "change copy of database tag 'DAY' uncatalog;",
    ] {
        assert!(matches!(parse(text), Ok(Command::Uncatalog(_))), "{text}");
    }
    for text in [
        "change copy of database unavailable;",
        "change copy of database like;",
        "change backup like '/m/%' uncatalog;",
        "change copy of database;",
    ] {
        assert!(parse(text).expect_err(text).has("RMAN-00558"), "{text}");
    }
}

#[test]
fn restore_and_recover_are_understood_with_their_points() {
    let restored = |text: &str| match parse(text) {
        Ok(Command::Restore(restore)) => restore,
        other => panic!("{text}: {other:?}"),
    };
    let control = restored("restore controlfile from '/m/c-1-20260307-00';");
    assert_eq!(
        control.from,
        Some(Source::File("/m/c-1-20260307-00".into()))
    );
    assert_eq!(
        restored("restore spfile from autobackup;").from,
        Some(Source::Autobackup)
    );
    assert_eq!(
        restored("restore database until scn 4711 preview;").until,
        Some(Until::Scn(4711))
    );
    assert!(restored("restore validate database;").validate);
    assert_eq!(
        restored("restore archivelog from sequence 3 until sequence 5;").what,
        Restored::ArchivedLogs(3, 5)
    );
    assert_eq!(
        restored("restore archivelog from sequence 3 until sequence 5 thread 1;").what,
        Restored::ArchivedLogs(3, 5)
    );
    let recover = parse("recover database until sequence 7 thread 1 delete archivelog;");
    assert!(
        matches!(recover, Ok(Command::Recover(recover)) if recover.until == Some(Until::Sequence(7)) && recover.delete_logs)
    );
    assert_eq!(
        parse("switch database to copy;"),
        Ok(Command::Switch(Switch::ToCopy(Files::All)))
    );
    let named = parse("set newname for database to '/new/%b';");
    assert_eq!(
        named,
        Ok(Command::Set(Setting::NewName(Files::All, "/new/%b".into())))
    );
}

#[test]
fn settings_are_written_down_as_show_all_prints_them() {
    let configured = |text: &str| match parse(text) {
        Ok(Command::Configure(name, value)) => (name, value),
        other => panic!("{text}: {other:?}"),
    };
    let disk = configured("configure device type disk backup type to copy parallelism 3;");
    assert_eq!(disk.1.as_deref(), Some("PARALLELISM 3 BACKUP TYPE TO COPY"));
    let channel = configured("configure channel 2 device type disk format '/m/it''s/%U';");
    assert_eq!(
        channel,
        (
            "CHANNEL 2 DEVICE TYPE DISK".into(),
            Some("FORMAT   '/m/it''s/%U'".into())
        )
    );
    assert_eq!(configured("configure retention policy clear;").1, None);
    let window = configured("configure retention policy to recovery window of 8 days;");
    assert_eq!(window.1.as_deref(), Some("TO RECOVERY WINDOW OF 8 DAYS"));
}

#[test]
fn sql_is_handed_on_as_it_was_typed() {
    let sql = parse("alter database rename file '/a''b' to '/c';");
    assert_eq!(
        sql,
        Ok(Command::Sql(
            "alter database rename file '/a''b' to '/c'".into()
        ))
    );
    assert_eq!(
        parse("sql \"alter system switch logfile\";"),
        Ok(Command::Sql("alter system switch logfile".into()))
    );
    assert_eq!(
        parse("startup force nomount;"),
        Ok(Command::Startup("startup force nomount".into()))
    );
}

#[test]
fn wrong_commands_are_refused_where_they_are_wrong() {
    for (text, found) in [
        ("backup;", "found \";\""),
        ("backup database format;", "found \";\""),
        ("backup incremental level 2 database;", "incremental level"),
        ("backup as copy incremental level 1 database;", "level 1"),
        ("restore;", "found \";\""),
        (
            "run { backup database }",
            "found \"}\": expecting one of: \";\"",
        ),
        ("run { exit; }", "found \"exit\""),
        ("list moon;", "found \"identifier\""),
        ("crosscheck 'x';", "found \"single-quoted-string\""),
        (
            "allocate channel c1 device type sbt;",
            "found \"identifier\"",
        ),
        (
            "backup tag 'a very long tag of more than thirty characters' database;",
            "is not a valid tag",
        ),
        ("recover database until;", "found \";\""),
        ("delete noprompt;", "found \";\""),
        ("run {", "found \";\""),
    ] {
        let failure = parse(text).expect_err(text);
        assert!(failure.has("RMAN-00558"), "{text}: {failure:?}");
        assert!(
            format!("{failure:?}").replace('\\', "").contains(found),
            "{text}: {failure:?}"
        );
    }
}
