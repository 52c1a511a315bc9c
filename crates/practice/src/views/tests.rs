//! Queries against made-up facts: what Oracle's grammar gives, and what it refuses.
//! What does not live here: facts of a running instance.

use super::*;
use crate::engine::facts::{
    ArchivedLogFacts, BackedUpLogFacts, BackupSetFacts, DatabaseFacts, DatafileFacts, HeaderFacts,
    IncarnationFacts, InstanceStatus, LogFacts,
};
use oracle::scn::{LogSequence, Scn};

fn time(second: u8) -> OracleTime {
    OracleTime::from_civil(2026, 3, 7, 1, 44, second).unwrap()
}

fn datafile(number: u32, tablespace: &str, path: &str) -> DatafileFacts {
    DatafileFacts {
        number,
        tablespace_number: number - 1,
        tablespace: tablespace.into(),
        path: path.into(),
        status: if number == 1 { "SYSTEM" } else { "ONLINE" }.into(),
        bytes: u64::from(number) * 8192 * 100,
        blocks: number * 100,
        block_size: 8192,
        creation_scn: Scn::new(5),
        checkpoint_scn: Scn::new(1000),
        header: Some(HeaderFacts {
            checkpoint_scn: Scn::new(1000),
            checkpoint_time: time(38),
            checkpoint_count: 12,
            resetlogs_scn: Scn::new(1),
            fuzzy: true,
            recover: false,
        }),
        header_error: String::new(),
        backup_status: "NOT ACTIVE".into(),
        backup_scn: Scn::ZERO,
        backup_time: None,
    }
}

fn log(group: u32, sequence: u32, status: &str) -> LogFacts {
    LogFacts {
        group,
        sequence: LogSequence::new(sequence),
        bytes: 20 << 20,
        block_size: 512,
        archived: status != "CURRENT",
        status: status.into(),
        first_scn: Scn::new(u64::from(sequence) * 100),
        first_time: Some(time(sequence as u8)),
        next_scn: if status == "CURRENT" {
            Scn::OPEN_ENDED
        } else {
            Scn::new(u64::from(sequence + 1) * 100)
        },
        members: vec![
            format!("/o/origlog{group}").into(),
            format!("/o/mirrlog{group}").into(),
        ],
    }
}

fn archived(recid: u32, sequence: u32) -> ArchivedLogFacts {
    ArchivedLogFacts {
        recid,
        path: format!("/o/saparch/SNDarch1_{sequence}.dbf").into(),
        sequence: LogSequence::new(sequence),
        resetlogs_scn: Scn::new(1),
        resetlogs_time: time(0),
        first_scn: Scn::new(u64::from(sequence) * 100),
        first_time: time(1),
        next_scn: Scn::new(u64::from(sequence + 1) * 100),
        next_time: time(2),
        blocks: 77,
        block_size: 512,
        completion_time: time(3),
        deleted: false,
        expired: false,
        backups: 0,
    }
}

/// A set of these logs; without any, its piece is not to be found any more.
fn backup_set(recid: u32, logs: &[u32]) -> BackupSetFacts {
    let log = |sequence: &u32| BackedUpLogFacts {
        sequence: LogSequence::new(*sequence),
        resetlogs_scn: Scn::new(1),
        resetlogs_time: time(0),
        first: (Scn::new(u64::from(sequence * 100)), time(*sequence as u8)),
        next: (
            Scn::new(u64::from(sequence * 100 + 100)),
            time(*sequence as u8 + 1),
        ),
        blocks: 40,
    };
    BackupSetFacts {
        recid,
        count: recid + 10,
        stamp: time(20),
        handle: format!("/b/set{recid}").into(),
        tag: "NIGHTLY".into(),
        completion_time: time(22),
        elapsed: 2,
        bytes: 20480,
        compressed: false,
        expired: logs.is_empty(),
        logs: logs.iter().map(log).collect(),
    }
}

fn facts(status: InstanceStatus) -> Facts {
    let database = DatabaseFacts {
        dbid: 4711,
        name: "SND".into(),
        created: time(0),
        archivelog: true,
        backup_controlfile: false,
        open_resetlogs: "NOT ALLOWED".into(),
        checkpoint_scn: Scn::new(1000),
        current_scn: Scn::new(1234),
        resetlogs_scn: Scn::new(1),
        resetlogs_time: time(0),
        incarnations: vec![IncarnationFacts {
            number: 1,
            resetlogs_scn: Scn::new(1),
            resetlogs_time: time(0),
            current: true,
        }],
        tablespaces: vec![
            (0, "SYSTEM".into()),
            (1, "PSAPROLL".into()),
            (2, "PSAPSTABD".into()),
        ],
        datafiles: vec![
            datafile(1, "SYSTEM", "/o/sapdata1/system_1/system.data1"),
            datafile(2, "PSAPROLL", "/o/sapdata1/roll_1/roll.data1"),
            datafile(3, "PSAPSTABD", "/o/sapdata2/stab|d_1/stabd.data1"),
        ],
        controlfiles: vec![("/o/sapdata1/cntrl/cntrlSND.dbf".into(), 16384, 20)],
        logs: vec![log(11, 8, "INACTIVE"), log(12, 9, "CURRENT")],
        archived: vec![archived(1, 7), archived(2, 8)],
        backup_sets: vec![backup_set(1, &[6, 7]), backup_set(2, &[])],
        archive_destination: "/o/saparch".into(),
        archive_error: String::new(),
        recover: Vec::new(),
    };
    Facts {
        sid: "SND".into(),
        host: "practice".into(),
        status,
        startup_time: time(0),
        parameters: vec![
            ("db_block_size".into(), "8192".into()),
            ("spfile".into(), String::new()),
        ],
        database: (status != InstanceStatus::Started).then_some(database),
    }
}

fn ask(status: InstanceStatus, text: &str) -> OraResult<Outcome> {
    let facts = facts(status);
    let sessions = [SessionFacts {
        sid: 7,
        serial: 1,
        program: "sqlplus".into(),
        process: 42,
        logon_time: time(5),
        active: true,
    }];
    query(
        text,
        &World {
            facts: &facts,
            sessions: &sessions,
            date_format: "YYYY-MM-DD HH24:MI:SS",
            now: time(50),
        },
    )
}

/// The rows of an open database, columns joined by `|`, NULL as `-`.
fn rows(text: &str) -> Vec<String> {
    let outcome = ask(InstanceStatus::Open, text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let line = |row: &Vec<Option<String>>| {
        row.iter()
            .map(|value| value.as_deref().unwrap_or("-"))
            .collect::<Vec<_>>()
            .join("|")
    };
    outcome.rows.iter().map(line).collect()
}

fn one(expression: &str) -> String {
    rows(&format!("select {expression} from dual")).concat()
}

fn code(text: &str) -> u32 {
    ask(InstanceStatus::Open, text)
        .map(|outcome| panic!("{text}: {outcome:?}"))
        .unwrap_err()
        .code()
}

#[test]
fn every_view_can_be_read_whole_and_its_rows_fit_its_columns() {
    for view in catalog::every_view() {
        let outcome = ask(
            InstanceStatus::Open,
            &format!("select * from {}", view.name),
        )
        .unwrap();
        assert_eq!(outcome.columns.len(), view.columns.len());
        for row in &outcome.rows {
            assert_eq!(row.len(), view.columns.len(), "{}", view.name);
        }
        assert_eq!(outcome.numeric.len(), outcome.widths.len());
    }
}

#[test]
fn views_open_as_the_instance_does() {
    let refused = |status, text: &str| ask(status, text).map(|_| ()).map_err(|error| error.code());
    assert_eq!(
        refused(InstanceStatus::Started, "select status from v$instance"),
        Ok(())
    );
    assert_eq!(
        refused(InstanceStatus::Started, "select * from v$controlfile"),
        Ok(())
    );
    assert_eq!(
        refused(InstanceStatus::Started, "select * from v$database"),
        Err(1507)
    );
    assert_eq!(
        refused(InstanceStatus::Mounted, "select * from v$database"),
        Ok(())
    );
    assert_eq!(
        refused(InstanceStatus::Mounted, "select * from dba_data_files"),
        Err(1219)
    );
}

#[test]
fn columns_are_found_by_any_of_their_names() {
    assert_eq!(rows("select file# from v$datafile where ts# = 2"), ["3"]);
    assert_eq!(
        rows("select d.\"FILE#\" f from sys.v_$datafile d where d.rfile# = 1"),
        ["1"]
    );
    assert_eq!(
        rows("select x.n from (select name n from v$database) x"),
        ["SND"]
    );
    assert_eq!(code("select moon from dual"), 904);
    assert_eq!(code("select d.moon from dual d"), 904);
    assert_eq!(code("select \"file#\" from v$datafile"), 904);
    assert_eq!(code("select * from moon"), 942);
    assert_eq!(code("select * from scott.dual"), 942);
    assert_eq!(code("select name from v$datafile, v$tablespace"), 918);
    let error = ask(InstanceStatus::Open, "select d.moon from dual d").unwrap_err();
    assert_eq!(
        error.to_string(),
        "ORA-00904: \"D\".\"MOON\": invalid identifier"
    );
}

#[test]
fn joins_sorts_and_groups_work() {
    let join = "select t.name, d.file# from v$datafile d, v$tablespace t where d.ts# = t.ts# order by t.name desc";
    assert_eq!(rows(join), ["SYSTEM|1", "PSAPSTABD|3", "PSAPROLL|2"]);
    let ansi = "select t.name from v$tablespace t left outer join v$datafile d on d.ts# = t.ts# where d.file# = 3";
    assert_eq!(rows(ansi), ["PSAPSTABD"]);
    assert_eq!(
        rows("select count(*) from v$datafile join v$tablespace using (ts#)"),
        ["3"]
    );
    assert_eq!(
        rows("select status, count(*), sum(bytes)/1024 from v$datafile group by status order by 1"),
        ["ONLINE|2|4000", "SYSTEM|1|800"]
    );
    assert_eq!(
        rows("select max(sequence#) from v$log having count(*) > 1"),
        ["9"]
    );
    assert_eq!(
        rows("select distinct archived from v$log order by archived desc"),
        ["YES", "NO"]
    );
    assert_eq!(
        rows("select file# from v$datafile union select group# from v$log order by 1 desc"),
        ["12", "11", "3", "2", "1"]
    );
    assert_eq!(
        rows("select file# from v$datafile minus select file# from v$datafile where file# > 1"),
        ["1"]
    );
    assert_eq!(code("select file#, count(*) from v$datafile"), 937);
    assert_eq!(
        code("select file#, count(*) from v$datafile group by status"),
        979
    );
    assert_eq!(code("select file# from v$datafile where count(*) > 1"), 934);
    assert_eq!(code("select file# from v$datafile order by 2"), 1785);
    assert_eq!(
        code("select file# from v$datafile union select name from v$datafile"),
        1790
    );
    assert_eq!(
        code("select file# from v$datafile union select file#, name from v$datafile"),
        1789
    );
}

#[test]
fn subqueries_see_the_query_around_them() {
    let correlated = "select name from v$tablespace t where exists (select 1 from v$datafile d where d.ts# = t.ts# and d.blocks = 200)";
    assert_eq!(rows(correlated), ["PSAPROLL"]);
    assert_eq!(
        rows(
            "select file# from v$datafile where ts# in (select ts# from v$tablespace where name like 'PSAP%') order by file#"
        ),
        ["2", "3"]
    );
    assert_eq!(rows("select (select count(*) from v$log) from dual"), ["2"]);
    assert_eq!(
        rows("with f as (select file# n from v$datafile) select max(n) from f"),
        ["3"]
    );
    assert_eq!(
        rows("with f(x) as (select file# from v$datafile) select x from f where x = 2"),
        ["2"]
    );
}

#[test]
fn rownum_counts_before_sorting() {
    assert_eq!(
        rows("select file# from v$datafile where rownum <= 2"),
        ["1", "2"]
    );
    assert_eq!(
        rows("select file# from v$datafile where rownum < 3 order by file# desc"),
        ["2", "1"]
    );
    assert_eq!(
        rows("select * from (select file# from v$datafile order by file# desc) where rownum = 1"),
        ["3"]
    );
    assert_eq!(
        rows("select rownum, file# from v$datafile where file# > 1"),
        ["1|2", "2|3"]
    );
    assert_eq!(
        rows("select count(*) from v$datafile where rownum <= 2 and file# > 0"),
        ["2"]
    );
    assert_eq!(
        rows("select file# from v$datafile where rownum = 2"),
        [] as [&str; 0]
    );
    assert_eq!(
        rows("select file# from v$datafile order by file# desc fetch first 1 rows only"),
        ["3"]
    );
}

#[test]
fn texts_join_as_oracle_joins_them() {
    assert_eq!(one("'a' || null || 1 || 'b'"), "a1b");
    assert_eq!(one("'x' || chr(9) || 'y'"), "x\ty");
    assert_eq!(one("nvl('' || '', 'empty is null')"), "empty is null");
    assert_eq!(one("1024*1024/1024 || ' KB'"), "1024 KB");
    assert_eq!(one("1 + 2 || 'x'"), "3x");
    assert_eq!(one("'it''s'"), "it's");
}

#[test]
fn a_row_coded_into_one_text_comes_out_whole() {
    let coded = "SELECT '|'\n|| NVL(REPLACE(REPLACE(REPLACE(REPLACE(TO_CHAR(NAME),'\\','\\\\'),'|','\\p'),CHR(10),'\\n'),CHR(13),'\\r'),'\\z') || '|'\n|| NVL(REPLACE(REPLACE(REPLACE(REPLACE(TO_CHAR(AUX_NAME),'\\','\\\\'),'|','\\p'),CHR(10),'\\n'),CHR(13),'\\r'),'\\z') || '|'\nFROM V$DATAFILE WHERE FILE# = 3";
    assert_eq!(rows(coded), ["|/o/sapdata2/stab\\pd_1/stabd.data1|NONE|"]);
}

#[test]
fn functions_compute_as_oracles_do() {
    assert_eq!(one("decode(null, 1, 'a', null, 'b', 'c')"), "b");
    assert_eq!(one("decode(2, 1, 'a', 2, 'b')"), "b");
    assert_eq!(one("nvl2(null, 'a', 'b')"), "b");
    assert_eq!(
        one("case when 1 = 2 then 'a' when 2 in (1, 2) then 'b' else 'c' end"),
        "b"
    );
    assert_eq!(one("case 'x' when 'y' then 1 end"), "-");
    assert_eq!(
        one("substr('backup', -3, 2) || substr('backup', 0, 2) || substr('backup', 5)"),
        "kubaup"
    );
    assert_eq!(
        one("instr('/a/b/c', '/', 1, 2) || instr('/a/b/c', '/', -1)"),
        "35"
    );
    assert_eq!(
        one("lpad('7', 3, '0') || rpad('a', 3, '.') || upper('x')"),
        "007a..X"
    );
    assert_eq!(one("to_char(1234567.891, '9,999,990.00')"), " 1,234,567.89");
    assert_eq!(
        one("round(10/3, 2) || ' ' || trunc(2.79, 1) || ' ' || mod(11, 4)"),
        "3.33 2.7 3"
    );
    assert_eq!(one("greatest(3, 10, 2) || least('b', 'a')"), "10a");
    assert_eq!(one("7 / 2"), "3.5");
    assert_eq!(one("1 / 4"), ".25");
    assert_eq!(one("count(*) || ' ' || max('x')"), "1 x");
    assert_eq!(one("sys_context('userenv', 'instance_name')"), "SND");
    assert_eq!(one("cast(5 as varchar2(10)) || cast('6' as number)"), "56");
    assert_eq!(code("select 1/0 from dual"), 1476);
    assert_eq!(code("select to_number('x') from dual"), 1722);
    assert_eq!(code("select upper() from dual"), 909);
    assert_eq!(code("select moonshine(1) from dual"), 904);
}

#[test]
fn dates_have_masks_and_arithmetic() {
    assert_eq!(
        rows("select to_char(startup_time, 'DD.MM.YY') from v$instance"),
        ["07.03.26"]
    );
    assert_eq!(
        rows("select startup_time from v$instance"),
        ["2026-03-07 01:44:00"]
    );
    assert_eq!(one("sysdate"), "2026-03-07 01:44:50");
    assert_eq!(one("to_char(sysdate - 1/24, 'HH24:MI')"), "00:44");
    assert_eq!(
        one("(sysdate - to_date('2026-03-06', 'YYYY-MM-DD')) * 86400"),
        "92690"
    );
    assert_eq!(one("trunc(sysdate) || ''"), "2026-03-07 00:00:00");
    assert_eq!(
        rows("select sequence# from v$log where first_time >= '2026-03-07 01:44:09'"),
        ["9"]
    );
    assert_eq!(code("select sysdate + sysdate from dual"), 975);
    assert_eq!(
        code("select file# from v$datafile where checkpoint_time = 5"),
        932
    );
    assert_eq!(code("select to_char(sysdate, 'XX') from dual"), 1821);
}

#[test]
fn conditions_compare_numbers_with_their_texts() {
    assert_eq!(
        rows("select file# from v$datafile where file# = '2'"),
        ["2"]
    );
    assert_eq!(
        rows("select file# from v$datafile where not (file# between 2 and 3)"),
        ["1"]
    );
    assert_eq!(
        rows("select name from v$tablespace where name like 'PSAP\\_%' escape '\\'"),
        [] as [&str; 0]
    );
    assert_eq!(
        rows("select name from v$tablespace where name like '%ROL_'"),
        ["PSAPROLL"]
    );
    assert_eq!(
        rows("select name from v$parameter where value is null"),
        ["spfile"]
    );
    assert_eq!(
        rows("select dummy from dual where null = null or dummy not in ('X')"),
        [] as [&str; 0]
    );
    assert_eq!(code("select file# from v$datafile where name = 5"), 1722);
}

#[test]
fn the_current_log_has_no_end_and_nulls_sort_last() {
    assert_eq!(
        rows("select next_change# from v$log where status = 'CURRENT'"),
        ["281474976710655"]
    );
    assert_eq!(
        rows("select next_time from v$log order by next_time"),
        ["2026-03-07 01:44:09", "-"]
    );
}

#[test]
fn headings_types_and_widths_are_known_without_rows() {
    let text = "select file#, name, first_time \"When\", to_char( bytes ) from v$datafile, (select first_time from v$log) where 1 = 2";
    let outcome = ask(InstanceStatus::Open, text).unwrap();
    assert_eq!(outcome.columns, ["FILE#", "NAME", "When", "TO_CHAR(BYTES)"]);
    assert_eq!(outcome.numeric, [true, false, false, false]);
    assert_eq!(outcome.widths, [0, 513, 19, 40]);
}

#[test]
fn broken_queries_get_oracles_number() {
    assert_eq!(code("select"), 936);
    assert_eq!(code("select from dual"), 936);
    assert_eq!(code("select 1"), 923);
    assert_eq!(code("select 1 from"), 903);
    assert_eq!(code("select (1 from dual"), 907);
    assert_eq!(code("select 1 from dual where"), 936);
    assert_eq!(code("select 1 from dual where dummy"), 920);
    assert_eq!(code("select 1 from dual order"), 933);
    assert_eq!(code("select 1 from dual; drop table dual"), 911);
    assert_eq!(code("select 1 = 1 from dual"), 923);
    assert_eq!(code("select 1 from dual where dummy is moon"), 908);
    assert_eq!(
        code("select a.file# from v$datafile a, v$datafile b where a.file# = b.file#(+)"),
        439
    );
    assert_eq!(code("select name from sqlite_master"), 942);
    assert_eq!(code("select * from pragma_table_info('v1')"), 933);
    assert_eq!(code("select 1 from dual for update"), 439);
}

#[test]
fn hostile_queries_end_in_an_error() {
    assert_eq!(
        code(&format!(
            "select {}1{} from dual",
            "(".repeat(5000),
            ")".repeat(5000)
        )),
        36
    );
    assert_eq!(
        code(&format!("select {}1 from dual", " - ".repeat(5000))),
        36
    );
    assert_eq!(
        code(&format!("select 1{} from dual", "+1".repeat(5000))),
        36
    );
    assert_eq!(
        code(&format!(
            "select 1 from dual where {} 1=1",
            "not ".repeat(5000)
        )),
        36
    );
    assert_eq!(
        code(&format!(
            "select 1 from dual{}",
            " cross join dual".repeat(5000)
        )),
        36
    );
    assert_eq!(
        code(
            "select lpad('x', 30000) || lpad('x', 30000) || replace(lpad('x',30000,'x'), 'x', lpad('y',30000)) from dual"
        ),
        1489
    );
    let wide = format!("select 'x'{} from dual", "||'x'".repeat(5000));
    assert_eq!(code(&wide), 913);
    assert_eq!(code("select rpad('é', 999999999, 'é') from dual"), 1489);
}

#[test]
fn a_query_that_takes_too_long_is_stopped() {
    let facts = facts(InstanceStatus::Open);
    let world = World {
        facts: &facts,
        sessions: &[],
        date_format: DEFAULT_DATE_FORMAT,
        now: time(50),
    };
    let text = format!("select count(*) from dual{}", ", v$datafile".repeat(20));
    let translation = translate::translate(&parse::parse(&text).unwrap(), &world).unwrap();
    let error = run::run(&translation, &world, std::time::Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.code(), 40);
}

#[test]
fn logs_in_sets_that_are_there_are_found_by_their_incarnation() {
    let later = |scn: u32, status: &str| {
        rows(&format!(
            "select min(redo.sequence#) from v$backup_redolog redo, v$backup_piece piece
             where piece.set_stamp = redo.set_stamp and piece.set_count = redo.set_count
             and piece.status = '{status}' and redo.first_change# > {scn}
             and redo.resetlogs_change# = (select resetlogs_change# from v$database)"
        ))
        .concat()
    };
    assert_eq!(later(500, "A"), "6");
    assert_eq!(later(600, "A"), "7");
    assert_eq!(later(700, "A"), "-");
    assert_eq!(later(500, "X"), "-");
}
